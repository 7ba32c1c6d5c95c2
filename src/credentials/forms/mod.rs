//! Credentials in the forms that S3 clients and shells take: one file a form.
//!
//! The names of the forms are those of `aws configure export-credentials`. Everything here makes text; where it goes is
//! for the commands.

mod dotenv;
mod fish;
pub mod github_actions;
mod powershell;
mod process;
mod sh;
mod windows_cmd;

use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::error::{Error, Kind, Result};

/// What an S3 client needs to know.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The ID of the key.
    pub access_key_id: String,
    /// The secret that requests are signed with.
    pub secret: SecretString,
    /// What a key that ends by itself is sent with; a static key has none.
    pub session_token: Option<SecretString>,
    /// When the key ends, RFC 3339 in UTC.
    pub expires_at: Option<String>,
    /// Where the storage is.
    pub storage: Storage,
}

/// Where the storage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The region that requests are signed for.
    pub region: String,
    /// The address.
    pub endpoint: String,
}

/// The form in which credentials are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// JSON for `credential_process` of the AWS configuration
    Process,
    /// `export NAME='value'` for sh, bash and zsh
    Env,
    /// `NAME='value'` for sh, bash and zsh
    EnvNoExport,
    /// `set -gx NAME 'value';` for fish
    Fish,
    /// `$Env:NAME = 'value'` for `PowerShell`
    #[value(help = "`$Env:NAME = 'value'` for PowerShell")]
    Powershell,
    /// `set "NAME=value"` for the command prompt of Windows
    WindowsCmd,
    /// `NAME=value` for files that Docker and others read
    Dotenv,
    /// Variables appended to `$GITHUB_ENV` for the later steps of a job in GitHub Actions, and masked in its log
    GithubActions,
}

/// A variable, and its value; without one it is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'a> {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: Option<&'a str>,
}

impl Credentials {
    /// A key that ends by itself, from the JSON of its issue.
    ///
    /// # Errors
    /// The answer lacks a field that every such key has.
    pub fn temporary(key: &Value, storage: Storage) -> Result<Self> {
        Ok(Self {
            access_key_id: text(key, "accessKeyId")?.to_owned(),
            secret: text(key, "secret")?.into(),
            session_token: Some(text(key, "sessionToken")?.into()),
            expires_at: key["expiresAt"].as_str().and_then(in_utc),
            storage,
        })
    }

    /// A static key, from the JSON of its creation.
    ///
    /// # Errors
    /// The answer lacks a field that every such key has.
    pub fn of_static_key(created: &Value, storage: Storage) -> Result<Self> {
        Ok(Self {
            access_key_id: text(&created["accessKey"], "keyId")?.to_owned(),
            secret: text(created, "secret")?.into(),
            session_token: None,
            expires_at: None,
            storage,
        })
    }

    /// The variables that AWS SDKs read, in the order in which they are printed.
    pub fn variables(&self) -> [Variable<'_>; 7] {
        let set = |name, value| Variable { name, value: Some(value) };
        [
            set("AWS_ACCESS_KEY_ID", &self.access_key_id),
            set("AWS_SECRET_ACCESS_KEY", self.secret.expose_secret()),
            Variable { name: "AWS_SESSION_TOKEN", value: self.session_token.as_ref().map(ExposeSecret::expose_secret) },
            Variable { name: "AWS_CREDENTIAL_EXPIRATION", value: self.expires_at.as_deref() },
            set("AWS_REGION", &self.storage.region),
            set("AWS_DEFAULT_REGION", &self.storage.region),
            set("AWS_ENDPOINT_URL_S3", &self.storage.endpoint),
        ]
    }

    /// What is printed in this form. In GitHub Actions these are the masks alone.
    ///
    /// # Errors
    /// The form cannot carry one of the values, which the message names without showing it.
    pub fn export(&self, format: ExportFormat) -> Result<String> {
        for Variable { name, value } in self.variables() {
            let rule = value.map_or(Ok(()), |value| format.check(value));
            rule.map_err(|rule| Error::new(Kind::Output, format!("{name} cannot be exported: the value {rule}")))?;
        }
        match format {
            ExportFormat::Process => process::text(self),
            ExportFormat::Env => Ok(sh::text(&self.variables(), "export ")),
            ExportFormat::EnvNoExport => Ok(sh::text(&self.variables(), "")),
            ExportFormat::Fish => Ok(fish::text(&self.variables())),
            ExportFormat::Powershell => Ok(powershell::text(&self.variables())),
            ExportFormat::WindowsCmd => Ok(windows_cmd::text(&self.variables())),
            ExportFormat::Dotenv => Ok(dotenv::text(&self.variables())),
            ExportFormat::GithubActions => Ok(github_actions::masks(self)),
        }
    }
}

impl ExportFormat {
    /// Whether the form can carry the value: it comes out again as it went in, and stays within its quotes.
    ///
    /// # Errors
    /// It cannot; the message is the rule that the value breaks.
    pub fn check(self, value: &str) -> Result<(), String> {
        // Nothing else is in a key, and what shells make of other characters depends on the locale.
        if let Some(c) = value.chars().find(|c| !matches!(c, ' '..='~')) {
            return Err(format!("has a character other than printable ASCII: {}", c.escape_unicode()));
        }
        match self {
            Self::WindowsCmd => windows_cmd::check(value),
            Self::Dotenv => dotenv::check(value),
            Self::Process | Self::Env | Self::EnvNoExport | Self::Fish | Self::Powershell | Self::GithubActions => {
                Ok(())
            }
        }
    }
}

fn text<'a>(object: &'a Value, field: &str) -> Result<&'a str> {
    let text = object[field].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| Error::internal(format!("the server's answer lacks the field '{field}'")))
}

/// A time of the server in UTC and to the same fraction of a second.
fn in_utc(time: &str) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    Some(time.with_timezone(&Utc).to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    pub(super) fn storage() -> Storage {
        Storage { region: "ru-central1".into(), endpoint: "https://storage.yandexcloud.net".into() }
    }

    pub(super) fn temporary() -> Credentials {
        let key = json!({
            "accessKeyId": "aje0", "secret": "YC+/s", "sessionToken": "s1.a==.b",
            "expiresAt": "2025-12-16T09:23:51.383485065+03:00",
        });
        Credentials::temporary(&key, storage()).unwrap()
    }

    pub(super) fn permanent() -> Credentials {
        Credentials::of_static_key(&json!({"accessKey": {"keyId": "YCAJE"}, "secret": "YCs"}), storage()).unwrap()
    }

    #[test]
    fn the_variables_are_those_of_the_aws_sdks() {
        let credentials = temporary();
        let pairs = credentials.variables().map(|variable| (variable.name, variable.value.unwrap()));
        assert_eq!(
            pairs,
            [
                ("AWS_ACCESS_KEY_ID", "aje0"),
                ("AWS_SECRET_ACCESS_KEY", "YC+/s"),
                ("AWS_SESSION_TOKEN", "s1.a==.b"),
                ("AWS_CREDENTIAL_EXPIRATION", "2025-12-16T06:23:51.383485065Z"),
                ("AWS_REGION", "ru-central1"),
                ("AWS_DEFAULT_REGION", "ru-central1"),
                ("AWS_ENDPOINT_URL_S3", "https://storage.yandexcloud.net"),
            ]
        );
    }

    #[test]
    fn an_answer_without_a_secret_is_an_error_that_names_the_field() {
        let error = Credentials::temporary(&json!({"accessKeyId": "a"}), storage()).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.exit_code()),
            ("the server's answer lacks the field 'secret'", 1)
        );
    }

    #[test]
    fn a_value_that_cannot_be_carried_is_named_and_not_shown() {
        let mut credentials = temporary();
        credentials.secret = "top\nsecret".into();
        for format in <ExportFormat as clap::ValueEnum>::value_variants() {
            let error = credentials.export(*format).unwrap_err().to_string();
            assert!(error.starts_with("AWS_SECRET_ACCESS_KEY cannot be exported: the value has"), "{error}");
            assert!(!error.contains("top"), "{error}");
        }
    }

    #[test]
    fn times_are_in_utc_with_the_servers_fraction() {
        assert_eq!(in_utc("2024-02-29T23:30:53+00:00").as_deref(), Some("2024-02-29T23:30:53Z"));
        assert_eq!(in_utc("2024-02-29T23:30:53.120Z").as_deref(), Some("2024-02-29T23:30:53.120Z"));
        assert_eq!(in_utc("tomorrow"), None);
    }

    proptest! {
        #[test]
        fn every_line_of_every_form_is_about_one_variable(secret in "[ -~]{0,60}", token in "[ -~]{0,60}") {
            let credentials = Credentials { secret: secret.into(), session_token: Some(token.into()), ..temporary() };
            for format in <ExportFormat as clap::ValueEnum>::value_variants() {
                let Ok(text) = credentials.export(*format) else { continue };
                let lines = match format {
                    ExportFormat::Process => 1,
                    ExportFormat::GithubActions => 2,
                    _ => 7,
                };
                prop_assert_eq!(text.lines().count(), lines, "{:?} {:?}", format, text);
                prop_assert!(text.ends_with('\n'));
            }
        }
    }
}
