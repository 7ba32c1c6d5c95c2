//! `config.toml`: named profiles, and which of them is in use.
//!
//! Reading is here, [`edit`] changes the file, and [`yc`] reads the file of `yc` where there is none of our own.

pub mod edit;
pub mod origin;
pub mod settings;
pub mod yc;

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::env::Env;
use crate::error::{Error, Result};
use crate::input;
use crate::text::quote;
use origin::Origin;

/// The configuration file.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file that was read: `config.toml`, or that of `yc`; `None` when there is neither.
    pub path: Option<PathBuf>,
    root: Table,
}

/// A named set of settings: a `[profiles.NAME]` table of `config.toml`.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    /// The profile's name; `None` when there is no configuration.
    pub name: Option<String>,
    /// The file the profile was read from.
    pub path: Option<PathBuf>,
    values: Table,
}

impl Config {
    /// Reads `config.toml` of the program's own directory; where there is none, the file of `yc`; where there is neither,
    /// the configuration is empty.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML (or YAML).
    pub fn load(env: &Env) -> Result<Self> {
        let own = env.config_home().map(|directory| directory.join(FILE));
        if let Some((path, text)) = read_if_present(own)? {
            let root = parse(&text).map_err(|problem| invalid_file(&path, &problem))?;
            return Ok(Self { path: Some(path), root });
        }
        if let Some((path, text)) = read_if_present(yc::path(env))? {
            let root = yc::parse(&text).map_err(|problem| invalid_file(&path, &problem))?;
            return Ok(Self { path: Some(path), root });
        }
        Ok(Self::default())
    }

    /// Reads a configuration from text.
    ///
    /// # Errors
    /// The text is not TOML; the message begins with `:LINE:COLUMN:`.
    pub fn from_text(text: &str) -> Result<Self> {
        Ok(Self { path: None, root: parse(text).map_err(Error::config)? })
    }

    /// The profile of this name, else the one that `current` names, else an empty one.
    ///
    /// # Errors
    /// There is no profile of that name, or the file has another shape than profiles need.
    pub fn profile(&self, requested: Option<&str>) -> Result<Profile> {
        let current = match self.root.get("current") {
            None => None,
            Some(Value::String(name)) => Some(name.as_str()),
            Some(_) => return Err(self.invalid("current", "must be the name of a profile as a quoted string")),
        };
        let Some(name) = requested.or(current) else {
            return Ok(Profile { path: self.path.clone(), ..Profile::default() });
        };
        match self.profiles()?.and_then(|profiles| profiles.get(name)) {
            Some(Value::Table(values)) => {
                Ok(Profile { name: Some(name.to_owned()), path: self.path.clone(), values: values.clone() })
            }
            Some(_) => Err(self.invalid(&format!("profiles.{name}"), "must be a table: [profiles.NAME]")),
            None => Err(self.unknown_profile(name)?),
        }
    }

    /// The name of the profile in use, if one is named in a readable form.
    pub fn current(&self) -> Option<&str> {
        self.root.get("current").and_then(Value::as_str)
    }

    /// The names of the profiles, in the order of the file.
    ///
    /// # Errors
    /// The file has another shape than profiles need.
    pub fn names(&self) -> Result<Vec<&str>> {
        Ok(self.profiles()?.into_iter().flat_map(Table::keys).map(String::as_str).collect())
    }

    fn profiles(&self) -> Result<Option<&Table>> {
        match self.root.get("profiles") {
            None => Ok(None),
            Some(Value::Table(profiles)) => Ok(Some(profiles)),
            Some(_) => Err(self.invalid("profiles", "must hold tables: [profiles.NAME]")),
        }
    }

    /// The error for a name that no profile has.
    fn unknown_profile(&self, name: &str) -> Result<Error> {
        let mut names = self.names()?;
        names.sort_unstable();
        let error = Error::config(match &self.path {
            Some(path) => format!("there is no profile {} in {}", quote::value(name), quote::full_path(path)),
            None => format!("there is no profile {} since there is no configuration file", quote::value(name)),
        });
        let list = quote::list(&names);
        Ok(error.hint(match nearest(name, names.iter().copied()) {
            _ if names.is_empty() => "to create one, type: yc-rs config profile create NAME".to_owned(),
            Some(near) => format!("did you mean {}? the profiles are: {list}", quote::value(near)),
            None => format!("the profiles are: {list}"),
        }))
    }

    fn invalid(&self, key: &str, rule: &str) -> Error {
        origin::invalid_key(self.path.as_deref(), key, rule)
    }
}

impl Profile {
    /// The string under this key; `None` when it is not set, or empty.
    ///
    /// # Errors
    /// The value is something else than a string.
    pub fn string(&self, key: &str) -> Result<Option<&str>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty()).map(String::as_str)),
            Some(_) => Err(self.invalid(key, "must be a quoted string")),
        }
    }

    /// The boolean under this key; one that is not set is false.
    ///
    /// # Errors
    /// The value is something else than a boolean.
    pub fn boolean(&self, key: &str) -> Result<bool> {
        match self.values.get(key) {
            None => Ok(false),
            Some(Value::Boolean(set)) => Ok(*set),
            Some(_) => Err(self.invalid(key, "must be true or false")),
        }
    }

    /// The strings in the array under this key; empty when it is not set.
    ///
    /// # Errors
    /// The value is something else than an array of strings.
    pub fn strings(&self, key: &str) -> Result<Vec<String>> {
        let invalid = || self.invalid(key, "must be an array of strings, e.g. [\"yc\", \"iam\", \"create-token\"]");
        match self.values.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(invalid)).collect()
            }
            Some(_) => Err(invalid()),
        }
    }

    /// The table under this key; `None` when it is not set.
    ///
    /// # Errors
    /// The value is something else than a table.
    pub fn table(&self, key: &str) -> Result<Option<&Table>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(table)),
            Some(_) => Err(self.invalid(key, "must be a table")),
        }
    }

    /// All values, in the order of the file.
    pub fn values(&self) -> &Table {
        &self.values
    }

    /// Whether anything is set under this key.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The profile as errors and notes name it.
    pub fn title(&self) -> String {
        origin::title(self.name.as_deref())
    }

    /// This key of the profile as the origin of a value.
    pub fn origin(&self, key: &'static str) -> Origin {
        Origin::Profile { profile: self.name.clone(), key, file: self.path.clone() }
    }

    /// The error for a value of this profile that breaks a rule; it says where the value is.
    pub fn invalid(&self, key: &str, rule: &str) -> Error {
        origin::invalid_value(self.path.as_deref(), self.name.as_deref(), key, rule)
    }
}

/// The name that was probably meant, if one is near enough to what was typed.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // As near as clap wants a flag to be before it suggests it, where similarity is between 0 and 1.
    const NEAR: f64 = 0.7;
    let rated = names.into_iter().map(|name| (strsim::jaro_winkler(typed, name), name));
    rated.filter(|(likeness, _)| *likeness > NEAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// The name of the configuration file within the program's own directory.
pub const FILE: &str = "config.toml";

/// The file's path and text, if there is such a file.
fn read_if_present(path: Option<PathBuf>) -> Result<Option<(PathBuf, String)>> {
    let Some(path) = path else { return Ok(None) };
    let text = input::regular_file(&path, input::LARGE_LIMIT).and_then(|bytes| {
        input::decode_document(bytes).map_err(|rule| io::Error::new(ErrorKind::InvalidData, format!("it {rule}")))
    });
    match text {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::config(format!("cannot read {}: {error}", quote::full_path(&path)))),
    }
}

/// The error for a file whose text cannot be parsed; the problem is `:LINE:COLUMN: reason`.
fn invalid_file(path: &Path, problem: &str) -> Error {
    Error::config(format!("{}{problem}", quote::full_path(path)))
}

/// Parses the file's text. The error is `:LINE:COLUMN: reason`; unlike the parser's own it does not quote the line,
/// which may hold a secret.
fn parse(text: &str) -> Result<Table, String> {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    text.parse::<Table>().map_err(|error| with_position(text, error.span(), error.message()))
}

/// What some editors put before the first character of a file.
const BOM: char = '\u{feff}';

/// `:LINE:COLUMN: reason` for a problem at this position of the text.
fn with_position(text: &str, span: Option<std::ops::Range<usize>>, reason: &str) -> String {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    format!(":{line}:{column}: {}", quote::reason(reason.replace('\n', ", ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(text: &str) -> Config {
        Config { path: Some("/c/config.toml".into()), root: parse(text).unwrap() }
    }

    #[test]
    fn the_requested_profile_wins_over_the_current_one() {
        let config = config("current = 'a'\n[profiles.a]\nfolder-id = '1'\n[profiles.b]\nfolder-id = '2'\n");
        assert_eq!(config.profile(None).unwrap().string("folder-id").unwrap(), Some("1"));
        assert_eq!(config.profile(Some("b")).unwrap().string("folder-id").unwrap(), Some("2"));
    }

    #[test]
    fn an_unknown_profile_is_an_error_that_names_those_there_are() {
        let error = config("[profiles.prod]\n[profiles.dev]\n").profile(Some("pord")).unwrap_err();
        let text = error.to_text();
        assert!(text.contains("no profile 'pord' in /c/config.toml"), "{text}");
        assert!(text.contains("dev, prod"), "{text}");
    }

    #[test]
    fn without_a_configuration_there_is_an_empty_profile() {
        assert_eq!(Config::default().profile(None).unwrap().string("token").unwrap(), None);
        assert!(Config::default().profile(Some("x")).unwrap_err().to_string().contains("no configuration file"));
    }

    #[test]
    fn a_syntax_error_is_given_by_line_and_column_and_without_the_line() {
        let problem = parse("current = 'a'\n[profiles.a]\ntoken = \"t1.secret\n").unwrap_err();
        assert!(problem.starts_with(":3:"), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_its_file() {
        let error =
            config("[profiles.a]\nfolder-id = 1\n").profile(Some("a")).unwrap().string("folder-id").unwrap_err();
        assert_eq!(error.to_string(), "/c/config.toml: 'profiles.a.folder-id' must be a quoted string");
        let error = config("[profiles]\na = 1\n").profile(Some("a")).unwrap_err();
        assert_eq!(error.to_string(), "/c/config.toml: 'profiles.a' must be a table: [profiles.NAME]");
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let names = ["staging", "production", "ci"];
        assert_eq!(nearest("prodution", names), Some("production"));
        assert_eq!(nearest("Staging", names), Some("staging"));
        assert_eq!(nearest("zzz", names), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(\\PC|\n|['\"=\\[\\].]){0,60}") {
            let _ = parse(&text);
        }
    }
}
