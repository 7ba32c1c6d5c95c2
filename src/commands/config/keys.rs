//! The keys that a profile may have, and what each may hold.
//!
//! Source: yandex-cloud/docs, `en/cli/concepts/core-properties.md`, for the keys that are `yc`'s too.

use std::path::{Path, absolute};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use toml::Value;

use crate::auth::key::ServiceAccountKey;
use crate::auth::{self, Credential};
use crate::config::settings;
use crate::config::{nearest, yc};
use crate::endpoints;
use crate::error::{Error, Result};
use crate::output::Format;
use crate::text::ids;

/// A key that `config set` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The key's name; a dot leads into a table.
    pub name: &'static str,
    kind: Kind,
}

/// What a key may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An OAuth or IAM token.
    Token,
    /// The contents of a key file.
    KeyContents,
    /// The path of a key file.
    KeyFile,
    /// `true`, or nothing.
    Switch,
    /// A program and its arguments, as a JSON array.
    Command,
    /// Where the token of another identity provider comes from.
    SubjectToken,
    /// The ID of a resource.
    Id,
    /// The name of a resource.
    Name,
    /// A word such as the name of a region.
    Word,
    /// One of the output formats.
    Format,
    /// `HOST[:PORT]` or a URL.
    Address,
    /// A URL.
    Url,
    /// The path of a file of certificates.
    Certificates,
}

const KEYS: [Key; 25] = [
    Key::new("token", Kind::Token),
    Key::new("service-account-key", Kind::KeyContents),
    Key::new("service-account-key-file", Kind::KeyFile),
    Key::new("instance-service-account", Kind::Switch),
    Key::new("token-command", Kind::Command),
    Key::new("workload-identity.service-account-id", Kind::Id),
    Key::new("workload-identity.subject-token", Kind::SubjectToken),
    Key::new("workload-identity.audience", Kind::Word),
    Key::new("impersonate-service-account-id", Kind::Id),
    Key::new("cloud-id", Kind::Id),
    Key::new("folder-id", Kind::Id),
    Key::new("folder-name", Kind::Name),
    Key::new("organization-id", Kind::Id),
    Key::new("compute-default-zone", Kind::Word),
    Key::new("region", Kind::Word),
    Key::new("format", Kind::Format),
    Key::new("endpoint", Kind::Address),
    Key::new("storage-endpoint", Kind::Address),
    Key::new("ca-bundle", Kind::Certificates),
    Key::new("endpoints.iam", Kind::Url),
    Key::new("endpoints.operation", Kind::Url),
    Key::new("endpoints.resource-manager", Kind::Url),
    Key::new("endpoints.sts", Kind::Url),
    Key::new("endpoints.storage", Kind::Url),
    Key::new("endpoints.auth", Kind::Url),
];

/// The keys of `yc` for a user who signs in through a browser.
const BROWSER_KEYS: [&str; 5] = ["federation-id", "userpool-id", "username", "subject-id", "federation-endpoint"];

/// Where the text of a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The command line, where a key's contents are given by the path of its file.
    CommandLine,
    /// Standard input, where the contents themselves stand.
    Stdin,
}

/// The names of all keys.
pub fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

impl Key {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind }
    }

    /// The key of this name.
    ///
    /// # Errors
    /// There is none; the message names the one that was probably meant.
    pub fn find(name: &str) -> Result<Self> {
        if let Some(key) = KEYS.into_iter().find(|key| key.name == name) {
            return Ok(key);
        }
        let inner: Vec<_> = names().filter(|key| key.split('.').next() == Some(name)).collect();
        if !inner.is_empty() {
            let error = Error::usage(format!("'{name}' is a table; its values are set one by one"));
            return Err(error.hint(format!("these are its keys: {}", inner.join(", "))));
        }
        let error = Error::usage(format!("there is no key '{name}'"));
        Err(if BROWSER_KEYS.contains(&name) {
            error.hint(
                "yc-rs does not sign in through a browser; to have yc do it, type: yc-rs config set token-command \
                 '[\"yc\", \"iam\", \"create-token\"]'",
            )
        } else if name == "current" || name == "profile" {
            error.hint("to choose a profile, type: yc-rs config profile activate NAME")
        } else if let Some(near) = nearest(name, names()) {
            error.hint(format!("did you mean '{near}'?"))
        } else {
            error.hint(format!("the keys there are: {}", names().collect::<Vec<_>>().join(", ")))
        })
    }

    /// The keys that lead to the value.
    pub fn path(&self) -> Vec<&'static str> {
        self.name.split('.').collect()
    }

    /// Whether `-` stands for standard input.
    pub fn reads_stdin(&self) -> bool {
        matches!(self.kind, Kind::Token | Kind::KeyContents)
    }

    /// What a text stands for, once it is checked; `None` when it stands for a value that is not set.
    ///
    /// # Errors
    /// The text breaks the key's rule; the message names the key and the rule, and quotes no secret.
    pub fn value(&self, text: &str, from: From) -> Result<Option<Value>> {
        if text.trim().is_empty() && from == From::Stdin {
            return Err(Error::usage(format!("{}: standard input is empty", self.name))
                .hint("the command before the pipe has probably failed"));
        }
        if text.trim().is_empty() {
            return Err(Error::usage(format!("{} is empty", self.name))
                .hint(format!("to remove the value, type: yc-rs config unset {}", self.name)));
        }
        let value = match self.kind {
            Kind::Switch => {
                return match text {
                    "true" => Ok(Some(Value::Boolean(true))),
                    "false" => Ok(None),
                    _ => Err(self.wrong(&format!("is '{text}', but must be one of: true, false"))),
                };
            }
            Kind::KeyContents if from == From::Stdin => key_contents(text, "standard input"),
            Kind::KeyContents => read(text).and_then(|key| key_contents(&key, &format!("the file '{text}'"))),
            Kind::KeyFile => key_file(text),
            Kind::Token => token(text),
            Kind::Command => command(text),
            Kind::SubjectToken => subject_token(text),
            Kind::Id => ids::check_id(text).map(|()| text.into()).map_err(|rule| format!("is wrong: {rule}")),
            Kind::Name => {
                return ids::check_name(self.name, text).map(|()| Some(text.into())).map_err(Error::usage);
            }
            Kind::Word => word(text),
            Kind::Format => settings::choice::<Format>(text).map(|_| text.into()),
            Kind::Url => endpoints::check_url(text).map(Value::String),
            Kind::Address => address(text),
            Kind::Certificates => certificates(text),
        };
        value.map(Some).map_err(|rule| self.wrong(&rule))
    }

    /// What to tell about a value that is right but may not be what is wanted.
    pub fn note(&self, value: Option<&Value>) -> Option<&'static str> {
        let token = value.filter(|_| self.kind == Kind::Token)?.as_str()?;
        matches!(auth::classify(token), Ok(Credential::IamToken(_)))
            .then_some("an IAM token lives 12 hours at most; to stay signed in, set service-account-key instead")
    }

    fn wrong(&self, rule: &str) -> Error {
        Error::usage(format!("{} {rule}", self.name))
    }
}

fn read(path: &str) -> Result<String, String> {
    let bytes =
        std::fs::read(path).map_err(|error| format!("names the file '{path}', which cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("names the file '{path}', which is not UTF-8"))
}

/// The fields of a key, checked by making a key of them.
fn key_contents(text: &str, place: &str) -> Result<Value, String> {
    ServiceAccountKey::from_json(text).map_err(|rule| format!("cannot be taken from {place}, which {rule}"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let fields = serde_json::from_str::<Json>(text).ok();
    fields.as_ref().and_then(yc::to_toml).ok_or_else(|| format!("cannot be taken from {place}, which is not JSON"))
}

fn key_file(path: &str) -> Result<Value, String> {
    key_contents(&read(path)?, &format!("the file '{path}'"))?;
    whole_path(path)
}

fn certificates(path: &str) -> Result<Value, String> {
    if !read(path)?.contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("names the file '{path}', which holds no certificate in PEM form"));
    }
    whole_path(path)
}

/// The path from the root: the profile is used from other folders too.
fn whole_path(path: &str) -> Result<Value, String> {
    let whole = absolute(Path::new(path)).map_err(|error| format!("names the file '{path}': {error}"))?;
    whole.into_os_string().into_string().map(Value::String).map_err(|_| format!("'{path}' is not UTF-8"))
}

fn token(text: &str) -> Result<Value, String> {
    let (Credential::IamToken(token) | Credential::OauthToken(token)) = auth::classify(text)? else {
        return Err("holds no token".to_owned());
    };
    Ok(SecretString::expose_secret(&token).into())
}

fn command(text: &str) -> Result<Value, String> {
    let rule = "must be a program and its arguments as a JSON array, e.g. [\"yc\", \"iam\", \"create-token\"]";
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(words) if words.first().is_some_and(|program| !program.trim().is_empty()) => {
            Ok(Value::Array(words.into_iter().map(Value::String).collect()))
        }
        _ => Err(rule.to_owned()),
    }
}

fn subject_token(text: &str) -> Result<Value, String> {
    let named = |prefix| text.strip_prefix(prefix).is_some_and(|name: &str| !name.trim().is_empty());
    if text == "github-actions" || named("env:") || named("file:") {
        return Ok(text.into());
    }
    Err("must be github-actions, env:NAME or file:PATH; the token itself is never stored".to_owned())
}

fn word(text: &str) -> Result<Value, String> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("is '{text}', but must have no white space"));
    }
    Ok(text.into())
}

fn address(text: &str) -> Result<Value, String> {
    if text.contains("://") {
        return endpoints::check_url(text).map(|_| text.into());
    }
    if text.contains(['/', '?', '#', '@']) || endpoints::check_url(&format!("https://{text}")).is_err() {
        return Err(format!("is '{text}', but must be HOST:PORT or a URL"));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::CREDENTIALS;

    fn value(key: &str, text: &str) -> Result<Option<Value>> {
        Key::find(key)?.value(text, From::CommandLine)
    }

    #[test]
    fn values_are_checked_by_the_rule_of_their_key() {
        let good = [
            ("token", "t1.a.b"),
            ("instance-service-account", "true"),
            ("token-command", r#"["yc", "iam", "create-token"]"#),
            ("workload-identity.subject-token", "env:TOKEN"),
            ("workload-identity.subject-token", "github-actions"),
            ("workload-identity.audience", "https://example.com"),
            ("cloud-id", "b1gabc"),
            ("folder-name", "default"),
            ("format", "json-rest"),
            ("endpoint", "api.yandexcloud.kz:443"),
            ("endpoint", "https://api.yandexcloud.kz"),
            ("storage-endpoint", "https://storage.yandexcloud.net/"),
            ("endpoints.sts", "https://sts.example.com"),
        ];
        for (key, text) in good {
            assert!(value(key, text).unwrap().is_some(), "{key} {text}");
        }
        let bad = [
            ("token", "a b"),
            ("token", "{\"id\": 1}"),
            ("instance-service-account", "yes"),
            ("token-command", "yc iam create-token"),
            ("token-command", "[]"),
            ("token-command", "[1]"),
            ("workload-identity.subject-token", "eyJ"),
            ("workload-identity.subject-token", "env:"),
            ("cloud-id", "a/b"),
            ("cloud-id", " "),
            ("folder-name", "Default"),
            ("format", "xml"),
            ("endpoint", "http://api.example.com"),
            ("endpoint", "api.example.com/path"),
            ("endpoints.iam", "iam.example.com"),
            ("region", "ru central1"),
            ("service-account-key", "/nowhere"),
            ("ca-bundle", "/nowhere"),
        ];
        for (key, text) in bad {
            let error = value(key, text).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains(key), "{key} {text}: {error}");
        }
    }

    #[test]
    fn a_name_that_is_no_key_gets_the_nearest() {
        let hint = |name: &str| Key::find(name).unwrap_err().to_text();
        assert!(hint("folder_id").contains("did you mean 'folder-id'?"));
        assert!(hint("endpoints").contains("endpoints.iam, endpoints.operation"));
        assert!(hint("federation-id").contains("token-command"));
        assert!(hint("current").contains("profile activate"));
        assert!(hint("zzz").contains("the keys there are: token, "));
    }

    #[test]
    fn every_credential_can_be_set() {
        for credential in CREDENTIALS {
            assert!(names().any(|name| name.split('.').next() == Some(credential)), "{credential}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_never_quoted(text in "canary\\PC{0,20}") {
            for key in ["token", "token-command", "workload-identity.subject-token"] {
                if let Err(error) = value(key, &text) {
                    prop_assert!(!error.to_text().contains("canary"));
                }
            }
        }
    }
}
