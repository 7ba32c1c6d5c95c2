//! `config.toml`: named profiles, and which of them is in use.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::env::Env;
use crate::error::{Error, Result};

/// The configuration file.
#[derive(Debug, Clone, Default)]
pub struct Config {
    path: Option<PathBuf>,
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
    /// Reads `config.toml` of the program's folder; a file that does not exist is an empty configuration.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML.
    pub fn load(env: &Env) -> Result<Self> {
        let Some(path) = env.config_home().map(|folder| folder.join("config.toml")) else {
            return Ok(Self::default());
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::config(format!("cannot read {}: {error}", path.display()))),
        };
        let root = parse(&text).map_err(|problem| Error::config(format!("{}{problem}", path.display())))?;
        Ok(Self { path: Some(path), root })
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
    pub fn profile(&self, wanted: Option<&str>) -> Result<Profile> {
        let current = match self.root.get("current") {
            None => None,
            Some(Value::String(name)) => Some(name.as_str()),
            Some(_) => return Err(self.wrong("current", "must be the name of a profile in quotes")),
        };
        let Some(name) = wanted.or(current) else {
            return Ok(Profile { path: self.path.clone(), ..Profile::default() });
        };
        match self.profiles()?.and_then(|profiles| profiles.get(name)) {
            Some(Value::Table(values)) => {
                Ok(Profile { name: Some(name.to_owned()), path: self.path.clone(), values: values.clone() })
            }
            Some(_) => Err(self.wrong(&format!("profiles.{name}"), "must be a table: [profiles.NAME]")),
            None => Err(self.unknown(name)?),
        }
    }

    fn profiles(&self) -> Result<Option<&Table>> {
        match self.root.get("profiles") {
            None => Ok(None),
            Some(Value::Table(profiles)) => Ok(Some(profiles)),
            Some(_) => Err(self.wrong("profiles", "must hold tables: [profiles.NAME]")),
        }
    }

    fn unknown(&self, name: &str) -> Result<Error> {
        let mut names: Vec<&str> = self.profiles()?.into_iter().flat_map(Table::keys).map(String::as_str).collect();
        names.sort_unstable();
        let place = match &self.path {
            Some(path) => format!("in {}", path.display()),
            None => "since there is no configuration file".to_owned(),
        };
        let error = Error::config(format!("there is no profile '{name}' {place}"));
        Ok(if names.is_empty() { error } else { error.hint(format!("the profiles there are: {}", names.join(", "))) })
    }

    fn wrong(&self, key: &str, rule: &str) -> Error {
        wrong(self.path.as_deref(), key, rule)
    }
}

impl Profile {
    /// The text under this key; `None` when it is not set.
    ///
    /// # Errors
    /// The value is something else than a text.
    pub fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty()).map(String::as_str)),
            Some(_) => Err(self.wrong(key, "must be a text in quotes")),
        }
    }

    /// The boolean under this key; one that is not set is false.
    ///
    /// # Errors
    /// The value is something else than a boolean.
    pub fn flag(&self, key: &str) -> Result<bool> {
        match self.values.get(key) {
            None => Ok(false),
            Some(Value::Boolean(set)) => Ok(*set),
            Some(_) => Err(self.wrong(key, "must be true or false")),
        }
    }

    /// The texts in the array under this key; empty when it is not set.
    ///
    /// # Errors
    /// The value is something else than an array of texts.
    pub fn texts(&self, key: &str) -> Result<Vec<String>> {
        let wrong = || self.wrong(key, "must be an array of texts, e.g. [\"yc\", \"iam\", \"create-token\"]");
        match self.values.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
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
            Some(_) => Err(self.wrong(key, "must be a table")),
        }
    }

    /// Whether anything is set under this key.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The profile as it is called in messages.
    pub fn title(&self) -> String {
        self.name.as_ref().map_or_else(|| "no profile".to_owned(), |name| format!("profile '{name}'"))
    }

    /// An error about a value of this profile: where it stands, and the rule it breaks.
    pub fn wrong(&self, key: &str, rule: &str) -> Error {
        let key = match &self.name {
            Some(name) => format!("profiles.{name}.{key}"),
            None => key.to_owned(),
        };
        wrong(self.path.as_deref(), &key, rule)
    }
}

fn wrong(path: Option<&Path>, key: &str, rule: &str) -> Error {
    let place = path.map_or_else(String::new, |path| format!("{}: ", path.display()));
    Error::config(format!("{place}'{key}' {rule}"))
}

/// Parses the file's text. The error is `:LINE:COLUMN: reason`; unlike the parser's own it does not quote the line,
/// which may hold a secret.
fn parse(text: &str) -> Result<Table, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.parse::<Table>().map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        format!(":{line}:{column}: {}", error.message().replace('\n', ", "))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config(text: &str) -> Config {
        Config { path: Some("/c/config.toml".into()), root: parse(text).unwrap() }
    }

    #[test]
    fn the_wanted_profile_wins_over_the_current_one() {
        let config = config("current = 'a'\n[profiles.a]\nfolder-id = '1'\n[profiles.b]\nfolder-id = '2'\n");
        assert_eq!(config.profile(None).unwrap().text("folder-id").unwrap(), Some("1"));
        assert_eq!(config.profile(Some("b")).unwrap().text("folder-id").unwrap(), Some("2"));
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
        assert_eq!(Config::default().profile(None).unwrap().text("token").unwrap(), None);
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
        let error = config("[profiles.a]\nfolder-id = 1\n").profile(Some("a")).unwrap().text("folder-id").unwrap_err();
        assert_eq!(error.to_string(), "/c/config.toml: 'profiles.a.folder-id' must be a text in quotes");
        let error = config("[profiles]\na = 1\n").profile(Some("a")).unwrap_err();
        assert!(error.to_string().contains("must be a table"), "{error}");
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(\\PC|\n|['\"=\\[\\].]){0,60}") {
            let _ = parse(&text);
        }
    }
}
