//! The settings of one run: flags, environment, profile and built-in defaults, in that order.

mod flags;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::origin::{Origin, Setting};
use super::{Config, Profile};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::input;
use crate::output::Format;
use crate::text::ids;
use crate::text::quote;

pub use flags::{Color, ErrorFormat, GlobalFlags, parse_secret};

/// The settings, each from the first place that has it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The profile in use.
    pub profile: Profile,
    /// The output format.
    pub format: Format,
    /// The service account to act as.
    pub impersonate: Option<Setting<String>>,
    /// The cloud in which a folder is looked up by name.
    pub cloud_id: Option<Setting<String>>,
    /// The folder in which names are looked up.
    pub folder: Option<Setting<Folder>>,
    /// Maximum attempts per request; `None`: no limit.
    pub attempts: Option<u32>,
    /// Limit for making a connection.
    pub connect_timeout: Duration,
    /// Limit for the response to a request.
    pub read_timeout: Duration,
    /// Root certificates to trust in addition to the system's.
    pub ca_bundle: Option<PathBuf>,
}

/// A folder as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    /// By its ID.
    Id(String),
    /// By its name within the cloud.
    Name(String),
}

impl Settings {
    /// Resolves every setting.
    ///
    /// # Errors
    /// The configuration is invalid, or a variable or a value of the profile is.
    pub fn resolve(flags: &GlobalFlags, env: &Env, config: &Config) -> Result<Self> {
        Self::with_profile(flags, env, config.profile(given(&flags.profile).or(env.var("YC_PROFILE")))?)
    }

    /// Resolves every setting with this profile.
    ///
    /// # Errors
    /// A variable or a value of the profile is invalid.
    pub fn with_profile(flags: &GlobalFlags, env: &Env, profile: Profile) -> Result<Self> {
        let levels = Levels { env, profile: &profile };
        Ok(Self {
            format: format(flags, levels)?,
            impersonate: levels.id(
                ("--impersonate-service-account-id", &flags.impersonate_service_account_id),
                "YC_IMPERSONATE_SERVICE_ACCOUNT_ID",
                "impersonate-service-account-id",
            )?,
            cloud_id: levels.id(("--cloud-id", &flags.cloud_id), "YC_CLOUD_ID", "cloud-id")?,
            folder: folder(flags, levels)?,
            attempts: match flags.retry {
                None => Some(5),
                Some(limit) if limit < 0 => None,
                Some(limit) => Some(u32::try_from(limit.max(1)).unwrap_or(u32::MAX)),
            },
            connect_timeout: flags.connect_timeout.unwrap_or(Duration::from_secs(10)),
            read_timeout: flags.read_timeout.unwrap_or(Duration::from_secs(60)),
            ca_bundle: match &flags.ca_bundle {
                Some(path) => Some(env.path_of("--ca-bundle", path)?),
                None => levels.configured("YC_CA_BUNDLE", "ca-bundle")?.map(|path| regular(&path, env)).transpose()?,
            },
            profile,
        })
    }
}

/// The levels below the flags.
#[derive(Clone, Copy)]
struct Levels<'a> {
    env: &'a Env,
    profile: &'a Profile,
}

impl<'a> Levels<'a> {
    /// The value of a variable, else of a key of the profile.
    fn configured(self, variable: &'static str, key: &'static str) -> Result<Option<Setting<&'a str>>> {
        Ok(match self.env.var(variable) {
            Some(value) => Some(Setting { value, origin: Origin::Variable(variable) }),
            None => self.profile_value(key)?,
        })
    }

    fn profile_value(self, key: &'static str) -> Result<Option<Setting<&'a str>>> {
        let value = self.profile.string(key)?;
        Ok(value.map(|value| Setting { value, origin: self.profile.origin(key) }))
    }

    /// The ID of a resource: of a flag, else of a variable, else of a key of the profile.
    fn id(
        self,
        (name, flag): (&'static str, &Option<String>),
        variable: &'static str,
        key: &'static str,
    ) -> Result<Option<Setting<String>>> {
        let setting = match given(flag) {
            Some(value) => Some(Setting { value, origin: Origin::Flag(name) }),
            None => self.configured(variable, key)?,
        };
        setting.map(|setting| check_id(&setting).map(|()| setting.map(str::to_owned))).transpose()
    }
}

/// The path of a file that is not a pipe: only what is typed on the command line may be one.
///
/// # Errors
/// It is a pipe, or begins with what a shell should have expanded.
pub fn regular(path: &Setting<&str>, env: &Env) -> Result<PathBuf> {
    let path_of_file = env.path(path.value).map_err(|rule| path.origin.invalid(format!("is wrong: {rule}")))?;
    let checked = input::check_regular(&path_of_file);
    checked
        .map_err(|problem| path.origin.invalid(format!("({}) cannot be read: {problem}", quote::value(path.value))))?;
    Ok(path_of_file)
}

fn check_id(setting: &Setting<&str>) -> Result<()> {
    ids::check_id(setting.value).map_err(|rule| Error::usage(format!("{}: {rule}", setting.origin)))
}

/// How errors are printed, according to flags and environment.
///
/// # Errors
/// `YC_ERROR_FORMAT` holds something else than `text` or `json`.
pub fn error_format(flags: &GlobalFlags, env: &Env) -> Result<ErrorFormat> {
    match (flags.error_format, env.var("YC_ERROR_FORMAT")) {
        (Some(format), _) => Ok(format),
        (None, Some(name)) => parse_choice(name).map_err(|rule| Origin::Variable("YC_ERROR_FORMAT").invalid(rule)),
        (None, None) => Ok(ErrorFormat::default()),
    }
}

/// Whether to colour a stream.
///
/// Source of the variables: no-color.org and bixense.com/clicolors.
pub fn use_color(choice: Option<Color>, env: &Env, terminal: bool) -> bool {
    match choice.unwrap_or_default() {
        Color::On => true,
        Color::Off => false,
        Color::Auto if env.var("NO_COLOR").is_some() => false,
        Color::Auto if env.var("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Color::Auto => terminal && env.var("TERM") != Some("dumb") && env.var("CLICOLOR") != Some("0"),
    }
}

fn format(flags: &GlobalFlags, levels: Levels<'_>) -> Result<Format> {
    if let Some(format) = flags.format {
        return Ok(format);
    }
    match levels.configured("YC_FORMAT", "format")? {
        Some(name) => parse_choice(name.value).map_err(|rule| name.origin.invalid(rule)),
        None => Ok(Format::default()),
    }
}

/// The value of a flag; an empty one counts as not given, as a script's `--folder-id "$FOLDER"` needs it.
pub fn given(flag: &Option<String>) -> Option<&str> {
    flag.as_deref().filter(|value| !value.is_empty())
}

/// The first level that names a folder by its ID or its name decides; on a level that has both, the ID does.
fn folder(flags: &GlobalFlags, levels: Levels<'_>) -> Result<Option<Setting<Folder>>> {
    let flag = |name, flag| given(flag).map(|value| Setting { value, origin: Origin::Flag(name) });
    let variable = "YC_FOLDER_ID";
    let variable = levels.env.var(variable).map(|value| Setting { value, origin: Origin::Variable(variable) });
    let levels = [
        (flag("--folder-id", &flags.folder_id), flag("--folder-name", &flags.folder_name)),
        (variable, None),
        (levels.profile_value("folder-id")?, levels.profile_value("folder-name")?),
    ];
    for level in levels {
        match level {
            (Some(id), _) => {
                check_id(&id)?;
                return Ok(Some(id.map(|id| Folder::Id(id.to_owned()))));
            }
            (None, Some(name)) => return Ok(Some(name.map(|name| Folder::Name(name.to_owned())))),
            (None, None) => {}
        }
    }
    Ok(None)
}

/// The value of this name; the message of an error gives all names.
pub(crate) fn parse_choice<T: ValueEnum>(name: &str) -> Result<T, String> {
    T::from_str(name, false).map_err(|_| {
        let names: Vec<_> = T::value_variants().iter().filter_map(T::to_possible_value).collect();
        let names: Vec<_> = names.iter().map(clap::builder::PossibleValue::get_name).collect();
        format!("is {}, but must be one of: {}", quote::value(name), names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Resolves settings with a value, or none, at each of the levels flag, environment and profile.
    fn resolve(flags: &GlobalFlags, vars: &[(&str, &str)], profile: &str) -> Result<Settings> {
        let env = Env {
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Env::default()
        };
        Settings::resolve(flags, &env, &Config::from_text(&format!("current = 'p'\n[profiles.p]\n{profile}\n"))?)
    }

    proptest! {
        #[test]
        fn flag_beats_environment_beats_profile(
            flag in proptest::option::of("[a-z]{1,8}"),
            variable in proptest::option::of("[a-z]{1,8}"),
            key in proptest::option::of("[a-z]{1,8}"),
        ) {
            let flags = GlobalFlags { cloud_id: flag.clone(), folder_id: flag.clone(), ..GlobalFlags::default() };
            let mut vars = Vec::new();
            if let Some(value) = &variable {
                vars.extend([("YC_CLOUD_ID", value.as_str()), ("YC_FOLDER_ID", value.as_str())]);
            }
            let profile = key.as_ref().map(|v| format!("cloud-id = '{v}'\nfolder-id = '{v}'")).unwrap_or_default();
            let settings = resolve(&flags, &vars, &profile).unwrap();
            let expected = flag.or(variable).or(key);
            prop_assert_eq!(settings.cloud_id.map(|cloud_id| cloud_id.value), expected.clone());
            prop_assert_eq!(settings.folder.map(|folder| folder.value), expected.map(Folder::Id));
        }
    }

    #[test]
    fn a_folder_name_on_a_higher_level_beats_an_id_on_a_lower_one() {
        let flags = GlobalFlags { folder_name: Some("n".into()), ..GlobalFlags::default() };
        let settings = resolve(&flags, &[("YC_FOLDER_ID", "v")], "folder-id = 'p'").unwrap();
        assert_eq!(
            settings.folder,
            Some(Setting { value: Folder::Name("n".into()), origin: Origin::Flag("--folder-name") })
        );
        let settings = resolve(&GlobalFlags::default(), &[], "folder-name = 'p'").unwrap();
        let origin = Origin::Profile { profile: Some("p".into()), key: "folder-name", file: None };
        assert_eq!(settings.folder, Some(Setting { value: Folder::Name("p".into()), origin }));
    }

    #[test]
    fn an_unknown_format_is_named_with_its_origin_and_the_choice() {
        let flags = GlobalFlags::default();
        let error = resolve(&flags, &[("YC_FORMAT", "xml")], "").unwrap_err().to_string();
        assert_eq!(error, "YC_FORMAT is 'xml', but must be one of: text, yaml, json, json-rest, table");
        let error = resolve(&flags, &[], "format = 'xml'").unwrap_err().to_string();
        assert_eq!(error, "'profiles.p.format' is 'xml', but must be one of: text, yaml, json, json-rest, table");
    }

    #[test]
    fn an_id_that_cannot_be_one_is_named_with_its_origin() {
        let flags = GlobalFlags { cloud_id: Some("a/b".into()), ..GlobalFlags::default() };
        let message = |flags: &GlobalFlags, vars: &[_], profile| resolve(flags, vars, profile).unwrap_err().to_string();
        let rule = "'a/b' is not an ID: an ID has no spaces, no control characters, no '/', and no '.' first";
        assert_eq!(message(&flags, &[], ""), format!("--cloud-id: {rule}"));
        let flags = GlobalFlags::default();
        assert_eq!(message(&flags, &[("YC_FOLDER_ID", "a/b")], ""), format!("YC_FOLDER_ID: {rule}"));
        let error = message(&flags, &[], "impersonate-service-account-id = 'a/b'");
        assert_eq!(error, format!("'impersonate-service-account-id' of profile 'p': {rule}"));
    }

    #[test]
    fn attempts_follow_the_rule_of_yc() {
        for (given, attempts) in
            [(None, Some(5)), (Some(0), Some(1)), (Some(1), Some(1)), (Some(7), Some(7)), (Some(-1), None)]
        {
            let flags = GlobalFlags { retry: given, ..GlobalFlags::default() };
            assert_eq!(resolve(&flags, &[], "").unwrap().attempts, attempts);
        }
    }

    #[test]
    fn colour_is_for_terminals_unless_told_otherwise() {
        let env = |vars: &[(&str, &str)]| Env {
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Env::default()
        };
        assert!(use_color(None, &env(&[]), true));
        assert!(!use_color(None, &env(&[]), false));
        assert!(!use_color(None, &env(&[("NO_COLOR", "1")]), true));
        assert!(!use_color(None, &env(&[("TERM", "dumb")]), true));
        assert!(use_color(None, &env(&[("CLICOLOR_FORCE", "1")]), false));
        assert!(use_color(Some(Color::On), &env(&[("NO_COLOR", "1")]), false));
        assert!(!use_color(Some(Color::Off), &env(&[("CLICOLOR_FORCE", "1")]), true));
    }
}
