//! Where the value of a setting comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::text::quote;

/// Where a value comes from; shown as errors and notes name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The flag of this name, e.g. `--token`.
    Flag(&'static str),
    /// The environment variable of this name.
    Variable(&'static str),
    /// A key of the profile in use.
    Profile {
        /// The name of the profile; `None` when there is no configuration.
        profile: Option<String>,
        /// The key.
        key: &'static str,
        /// The configuration file.
        file: Option<PathBuf>,
    },
    /// The value that is built in.
    Default,
}

/// The value of a setting, and where it comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// Changes the value and keeps its origin.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting { value: change(self.value), origin: self.origin }
    }
}

/// Shows the value alone: cached keys are found by the value, wherever it comes from.
impl<T: fmt::Debug> fmt::Debug for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl Origin {
    /// The error for a value from here that breaks a rule, e.g. `must be a table`.
    pub fn invalid(&self, rule: impl fmt::Display) -> Error {
        match self {
            Self::Flag(_) | Self::Variable(_) | Self::Default => Error::usage(format!("{self} {rule}")),
            Self::Profile { profile, key, file } => invalid_value(file.as_deref(), profile.as_deref(), key, rule),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::Profile { profile, key, .. } => write!(f, "'{key}' of {}", title(profile.as_deref())),
            Self::Default => f.write_str("the built-in default"),
        }
    }
}

/// A profile as errors and notes name it.
pub(super) fn title(profile: Option<&str>) -> String {
    profile.map_or_else(|| "no profile".to_owned(), |name| format!("profile {}", quote::value(name)))
}

/// The error for a value of a profile that breaks a rule.
pub(super) fn invalid_value(file: Option<&Path>, profile: Option<&str>, key: &str, rule: impl fmt::Display) -> Error {
    match profile {
        Some(profile) => invalid_key(file, &format!("profiles.{profile}.{key}"), rule),
        None => invalid_key(file, key, rule),
    }
}

/// The error for a value of the configuration file that breaks a rule; `key` is its full name.
pub(super) fn invalid_key(file: Option<&Path>, key: &str, rule: impl fmt::Display) -> Error {
    match file {
        Some(file) => Error::config(format!("{}: {} {rule}", quote::full_path(file), quote::value(key))),
        None => Error::config(format!("{} {rule}", quote::value(key))),
    }
}
