//! `config.toml`: named profiles, and which of them is in use.
//!
//! Reading is here, [`edit`] changes the file, and [`yc`] reads the file of `yc` where there is none of our own.

pub mod edit;
pub mod settings;
pub mod yc;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::env::Env;
use crate::error::{Error, Result};

/// The keys under which a profile may have its credential; it has one of them.
pub const CREDENTIALS: [&str; 6] = [
    "token",
    "service-account-key",
    "service-account-key-file",
    "instance-service-account",
    "token-command",
    "workload-identity",
];

/// The keys by which a profile of `yc` signs in through a browser.
///
/// Source: yandex-cloud/docs, `en/_includes/cli/{auth-federated-user,passport-profile-create}.md`.
const BROWSER_KEYS: [&str; 4] = ["federation-id", "userpool-id", "username", "subject-id"];

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
    /// Reads `config.toml` of the program's folder; where there is none, the file of `yc`; where there is neither, the
    /// configuration is empty.
    ///
    /// # Errors
    /// The file cannot be read, or is not TOML (or YAML).
    pub fn load(env: &Env) -> Result<Self> {
        let own = env.config_home().map(|folder| folder.join(FILE));
        if let Some((path, text)) = read_first(own)? {
            let root = parse(&text).map_err(|problem| at(&path, &problem))?;
            return Ok(Self { path: Some(path), root });
        }
        if let Some((path, text)) = read_first(yc::path(env))? {
            let root = yc::parse(&text).map_err(|problem| at(&path, &problem))?;
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
            Some(_) => Err(self.wrong("profiles", "must hold tables: [profiles.NAME]")),
        }
    }

    fn unknown(&self, name: &str) -> Result<Error> {
        let place = match &self.path {
            Some(path) => format!("in {}", path.display()),
            None => "since there is no configuration file".to_owned(),
        };
        Ok(unknown_profile(name, &place, &self.names()?))
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

    /// All values, in the order of the file.
    pub fn values(&self) -> &Table {
        &self.values
    }

    /// The key by which this profile signs in through a browser, as `yc` does and this program cannot; `None` when it
    /// has a credential of another kind, or none at all.
    pub fn browser_login(&self) -> Option<&'static str> {
        if CREDENTIALS.iter().any(|key| self.has(key)) {
            return None;
        }
        BROWSER_KEYS.into_iter().find(|key| self.has(key))
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

/// The error for a name that no profile has; `names` are those there are.
fn unknown_profile(name: &str, place: &str, names: &[&str]) -> Error {
    let error = Error::config(format!("there is no profile '{name}' {place}"));
    let mut names = names.to_vec();
    names.sort_unstable();
    let near = nearest(name, names.iter().copied()).map(|near| format!("did you mean '{near}'? ")).unwrap_or_default();
    let list = match names.len() {
        0 => "to make one, type: yc-rs config profile create NAME".to_owned(),
        _ => format!("the profiles there are: {}", names.join(", ")),
    };
    error.hint(format!("{near}{list}"))
}

/// The name that was probably meant, if one is near enough to what was typed.
pub fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // As near as clap wants a flag to be before it suggests it, where similarity is between 0 and 1.
    const NEAR: f64 = 0.7;
    let rated = names.into_iter().map(|name| (strsim::jaro_winkler(typed, name), name));
    rated.filter(|(likeness, _)| *likeness > NEAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// The name of the configuration file within the program's folder.
const FILE: &str = "config.toml";

/// The file's path and text, if there is such a file.
fn read_first(path: Option<PathBuf>) -> Result<Option<(PathBuf, String)>> {
    let Some(path) = path else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::config(format!("cannot read {}: {error}", path.display()))),
    }
}

/// The error for a file whose text cannot be read; the problem is `:LINE:COLUMN: reason`.
fn at(path: &Path, problem: &str) -> Error {
    Error::config(format!("{}{problem}", path.display()))
}

/// Parses the file's text. The error is `:LINE:COLUMN: reason`; unlike the parser's own it does not quote the line,
/// which may hold a secret.
fn parse(text: &str) -> Result<Table, String> {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    text.parse::<Table>().map_err(|error| place(text, error.span(), error.message()))
}

/// What some editors put before the first character of a file.
const BOM: char = '\u{feff}';

/// `:LINE:COLUMN: reason` for a problem at this place of the text.
fn place(text: &str, span: Option<std::ops::Range<usize>>, reason: &str) -> String {
    let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    format!(":{line}:{column}: {}", reason.replace('\n', ", "))
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

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let names = ["staging", "production", "ci"];
        assert_eq!(nearest("prodution", names), Some("production"));
        assert_eq!(nearest("Staging", names), Some("staging"));
        assert_eq!(nearest("zzz", names), None);
    }

    #[test]
    fn a_browser_profile_is_one_without_any_credential() {
        let login = |text: &str| config(&format!("[profiles.a]\n{text}")).profile(Some("a")).unwrap().browser_login();
        assert_eq!(login("federation-id = 'x'\nsubject-id = 'y'"), Some("federation-id"));
        assert_eq!(login("subject-id = 'y'\nusername = 'u'"), Some("username"));
        assert_eq!(login("federation-id = 'x'\ntoken = 'y0_a'"), None);
        assert_eq!(login("folder-id = 'x'"), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(\\PC|\n|['\"=\\[\\].]){0,60}") {
            let _ = parse(&text);
        }
    }
}
