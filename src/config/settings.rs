//! The settings of one run: what flags, environment, profile and built-in defaults come to, in that order.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, ValueEnum};
use secrecy::SecretString;

use crate::config::{Config, Profile};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::output::Format;
use crate::text::duration;
use crate::text::ids;

/// The flags that every command takes, before or after the subcommand.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global flags")]
pub struct GlobalFlags {
    /// Profile to use
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub profile: Option<String>,
    /// OAuth or IAM token; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", hide_short_help = true, value_parser = secret)]
    pub token: Option<SecretString>,
    /// ID of the service account to act as
    #[arg(long, value_name = "ID", hide_short_help = true, value_parser = ids::parse_id)]
    pub impersonate_service_account_id: Option<String>,
    /// ID of the cloud in which a folder is looked up by name
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub cloud_id: Option<String>,
    /// ID of the folder in which names are looked up
    #[arg(long, value_name = "ID", hide_short_help = true, conflicts_with = "folder_name")]
    pub folder_id: Option<String>,
    /// Name of the folder in which names are looked up
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub folder_name: Option<String>,
    /// Address of another installation's API [default: api.cloud.yandex.net:443]
    #[arg(long, value_name = "HOST:PORT|URL", hide_short_help = true)]
    pub endpoint: Option<String>,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, hide_short_help = true)]
    pub format: Option<Format>,
    /// jq filter to run on the response
    #[arg(
        long,
        visible_alias = "query",
        value_name = "EXPRESSION",
        hide_short_help = true,
        allow_hyphen_values = true
    )]
    pub jq: Option<String>,
    /// How often a request is tried in all; negative: without limit; always within 2 minutes [default: 5]
    #[arg(long, value_name = "N", hide_short_help = true, allow_negative_numbers = true)]
    pub retry: Option<i64>,
    /// Limit for the whole command, e.g. 30s
    #[arg(long, value_name = "DURATION", hide_short_help = true, value_parser = positive)]
    pub timeout: Option<Duration>,
    /// Limit for making a connection [default: 10s]
    #[arg(long, value_name = "DURATION", hide_short_help = true, value_parser = positive)]
    pub connect_timeout: Option<Duration>,
    /// Limit for the first byte of an answer, and for each pause within it [default: 60s]
    #[arg(long, value_name = "DURATION", hide_short_help = true, value_parser = positive)]
    pub read_timeout: Option<Duration>,
    /// File of root certificates (PEM) to trust in addition to the system's
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub ca_bundle: Option<PathBuf>,
    /// Accept any certificate of a server
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub no_verify_ssl: Option<bool>,
    /// Log each request on standard error
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub debug: Option<bool>,
    /// Log each request with headers and bodies
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub debug_grpc: Option<bool>,
    /// Print nothing on standard error but errors and warnings
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub no_user_output: Option<bool>,
    /// Accepted for compatibility with `yc`: a browser is never opened
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub no_browser: Option<bool>,
    /// Ask no questions
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub no_input: Option<bool>,
    /// The same as --no-input: nothing asks for a confirmation
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub yes: Option<bool>,
    /// How errors are printed
    #[arg(long, value_name = "FORMAT", value_enum, hide_short_help = true)]
    pub error_format: Option<ErrorFormat>,
    /// When to use colour
    #[arg(long, value_name = "WHEN", value_enum, hide_short_help = true)]
    pub color: Option<Color>,
}

impl GlobalFlags {
    /// Whether the user may be asked.
    pub fn allows_questions(&self) -> bool {
        [self.no_input, self.yes, self.no_user_output].iter().all(|flag| *flag != Some(true))
    }

    /// Drops what a deeper level of the command line says in another way: a folder has an ID or a name.
    pub fn give_way_to(&mut self, deeper: &ArgMatches) {
        let given = |flag: &str| deeper.try_contains_id(flag).unwrap_or(false);
        if given("folder_id") || given("folder_name") {
            self.folder_id = None;
            self.folder_name = None;
        }
    }
}

/// How errors are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ErrorFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    On,
    /// Never
    Off,
}

/// What the flags, the environment, the profile and the defaults come to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The profile in use.
    pub profile: Profile,
    /// The output format.
    pub format: Format,
    /// The service account to act as.
    pub impersonate: Option<String>,
    /// The cloud in which a folder is looked up by name.
    pub cloud_id: Option<String>,
    /// The folder in which names are looked up.
    pub folder: Option<Folder>,
    /// How often a request is tried in all; `None`: without limit.
    pub attempts: Option<u32>,
    /// Limit for making a connection.
    pub connect_timeout: Duration,
    /// Limit for an answer to a request.
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
    /// Settles every setting.
    ///
    /// # Errors
    /// The configuration is wrong, or a variable or a value of the profile is.
    pub fn resolve(flags: &GlobalFlags, env: &Env, config: &Config) -> Result<Self> {
        Self::with_profile(flags, env, config.profile(given(&flags.profile).or(env.var("YC_PROFILE")))?)
    }

    /// Settles every setting, the profile being chosen.
    ///
    /// # Errors
    /// A variable or a value of the profile is wrong.
    pub fn with_profile(flags: &GlobalFlags, env: &Env, profile: Profile) -> Result<Self> {
        let text = |flag: &Option<String>, variable: &str, key: &str| -> Result<Option<String>> {
            let given = given(flag).or(env.var(variable));
            Ok(match given {
                Some(value) => Some(value.to_owned()),
                None => profile.text(key)?.map(str::to_owned),
            })
        };
        let settings = Self {
            format: format(flags, env, &profile)?,
            impersonate: text(
                &flags.impersonate_service_account_id,
                "YC_IMPERSONATE_SERVICE_ACCOUNT_ID",
                "impersonate-service-account-id",
            )?,
            cloud_id: text(&flags.cloud_id, "YC_CLOUD_ID", "cloud-id")?,
            folder: folder(flags, env, &profile)?,
            attempts: match flags.retry {
                None => Some(5),
                Some(limit) if limit < 0 => None,
                Some(limit) => Some(u32::try_from(limit.max(1)).unwrap_or(u32::MAX)),
            },
            connect_timeout: flags.connect_timeout.unwrap_or(Duration::from_secs(10)),
            read_timeout: flags.read_timeout.unwrap_or(Duration::from_secs(60)),
            ca_bundle: match &flags.ca_bundle {
                Some(path) => Some(path.clone()),
                None => text(&None, "YC_CA_BUNDLE", "ca-bundle")?.map(PathBuf::from),
            },
            profile,
        };
        let folder_id = settings.folder.as_ref().and_then(|folder| match folder {
            Folder::Id(id) => Some(id),
            Folder::Name(_) => None,
        });
        for (name, id) in [
            ("impersonate-service-account-id", settings.impersonate.as_ref()),
            ("cloud-id", settings.cloud_id.as_ref()),
            ("folder-id", folder_id),
        ] {
            id.map_or(Ok(()), |id| ids::check_id(id)).map_err(|rule| Error::usage(format!("{name}: {rule}")))?;
        }
        Ok(settings)
    }
}

/// How errors are to be printed, as far as flags and environment tell.
///
/// # Errors
/// `YC_ERROR_FORMAT` holds something else than `text` or `json`.
pub fn error_format(flags: &GlobalFlags, env: &Env) -> Result<ErrorFormat> {
    match (flags.error_format, env.var("YC_ERROR_FORMAT")) {
        (Some(format), _) => Ok(format),
        (None, Some(name)) => choice(name).map_err(|rule| Error::usage(format!("YC_ERROR_FORMAT {rule}"))),
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

fn format(flags: &GlobalFlags, env: &Env, profile: &Profile) -> Result<Format> {
    if let Some(format) = flags.format {
        return Ok(format);
    }
    if let Some(name) = env.var("YC_FORMAT") {
        return choice(name).map_err(|rule| Error::usage(format!("YC_FORMAT {rule}")));
    }
    match profile.text("format")? {
        Some(name) => choice(name).map_err(|rule| profile.wrong("format", &rule)),
        None => Ok(Format::default()),
    }
}

/// The value of a flag; an empty one counts as not given, as a script's `--folder-id "$FOLDER"` needs it.
pub fn given(flag: &Option<String>) -> Option<&str> {
    flag.as_deref().filter(|value| !value.is_empty())
}

/// The first level that names a folder in either way decides.
fn folder(flags: &GlobalFlags, env: &Env, profile: &Profile) -> Result<Option<Folder>> {
    let levels = [
        (given(&flags.folder_id), given(&flags.folder_name)),
        (env.var("YC_FOLDER_ID"), None),
        (profile.text("folder-id")?, profile.text("folder-name")?),
    ];
    Ok(levels.into_iter().find_map(|(id, name)| match (id, name) {
        (Some(id), _) => Some(Folder::Id(id.to_owned())),
        (None, Some(name)) => Some(Folder::Name(name.to_owned())),
        (None, None) => None,
    }))
}

/// One of several names; the message of an error gives all of them.
pub(crate) fn choice<T: ValueEnum>(name: &str) -> Result<T, String> {
    T::from_str(name, false).map_err(|_| {
        let names: Vec<_> = T::value_variants().iter().filter_map(T::to_possible_value).collect();
        let names: Vec<_> = names.iter().map(clap::builder::PossibleValue::get_name).collect();
        format!("is '{name}', but must be one of: {}", names.join(", "))
    })
}

/// Reads the value of a flag that holds a secret.
///
/// # Errors
/// None; the form is that of a value parser.
pub fn secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

fn positive(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("must be longer than nothing, e.g. 30s".to_owned()),
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Settles settings with a value, or none, at each of the levels flag, environment and profile.
    fn settle(flags: &GlobalFlags, vars: &[(&str, &str)], profile: &str) -> Result<Settings> {
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
            let settings = settle(&flags, &vars, &profile).unwrap();
            let expected = flag.or(variable).or(key);
            prop_assert_eq!(&settings.cloud_id, &expected);
            prop_assert_eq!(settings.folder, expected.map(Folder::Id));
        }
    }

    #[test]
    fn a_folder_name_on_a_higher_level_beats_an_id_on_a_lower_one() {
        let flags = GlobalFlags { folder_name: Some("n".into()), ..GlobalFlags::default() };
        let settings = settle(&flags, &[("YC_FOLDER_ID", "v")], "folder-id = 'p'").unwrap();
        assert_eq!(settings.folder, Some(Folder::Name("n".into())));
        let settings = settle(&GlobalFlags::default(), &[], "folder-name = 'p'").unwrap();
        assert_eq!(settings.folder, Some(Folder::Name("p".into())));
    }

    #[test]
    fn an_unknown_format_is_named_with_its_place_and_the_choice() {
        let flags = GlobalFlags::default();
        let error = settle(&flags, &[("YC_FORMAT", "xml")], "").unwrap_err().to_string();
        assert_eq!(error, "YC_FORMAT is 'xml', but must be one of: text, yaml, json, json-rest, table");
        let error = settle(&flags, &[], "format = 'xml'").unwrap_err().to_string();
        assert!(error.contains("'profiles.p.format' is 'xml', but must be one of"), "{error}");
    }

    #[test]
    fn attempts_follow_the_rule_of_yc() {
        for (given, attempts) in
            [(None, Some(5)), (Some(0), Some(1)), (Some(1), Some(1)), (Some(7), Some(7)), (Some(-1), None)]
        {
            let flags = GlobalFlags { retry: given, ..GlobalFlags::default() };
            assert_eq!(settle(&flags, &[], "").unwrap().attempts, attempts);
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
