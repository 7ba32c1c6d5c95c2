//! The keys that a profile may have, and what each may hold.
//!
//! Source: yandex-cloud/docs, `en/cli/concepts/core-properties.md`, for the keys that are `yc`'s too.

use std::path::{Path, absolute};

use clap_complete::CompletionCandidate;
use secrecy::ExposeSecret;
use serde_json::Value as Json;
use toml::Value;

use crate::auth::key_document;
use crate::auth::service_account_key::ServiceAccountKey;
use crate::auth::sign_in::{self, BROWSER_KEYS};
use crate::auth::token::{self, Token};
use crate::config::settings;
use crate::config::{nearest, yc};
use crate::endpoints;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::input;
use crate::output::Format;
use crate::text::{host, ids, quote};

/// A key that `config set` accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The key's name; a dot leads into a table.
    pub name: &'static str,
    kind: ValueKind,
}

/// What a key may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    /// An OAuth or IAM token.
    Token,
    /// The contents of a key file.
    KeyContents,
    /// The path of a key file.
    KeyFile,
    /// `true`, or not set.
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
    Endpoint,
    /// A URL.
    Url,
    /// The path of a file of certificates.
    Certificates,
}

const KEYS: [Key; 27] = [
    Key::new("token", ValueKind::Token),
    Key::new("service-account-key", ValueKind::KeyContents),
    Key::new("service-account-key-file", ValueKind::KeyFile),
    Key::new("instance-service-account", ValueKind::Switch),
    Key::new("token-command", ValueKind::Command),
    Key::new("workload-identity.service-account-id", ValueKind::Id),
    Key::new("workload-identity.subject-token", ValueKind::SubjectToken),
    Key::new("workload-identity.audience", ValueKind::Word),
    Key::new("client-id", ValueKind::Word),
    Key::new("impersonate-service-account-id", ValueKind::Id),
    Key::new("cloud-id", ValueKind::Id),
    Key::new("folder-id", ValueKind::Id),
    Key::new("folder-name", ValueKind::Name),
    Key::new("organization-id", ValueKind::Id),
    Key::new("compute-default-zone", ValueKind::Word),
    Key::new("region", ValueKind::Word),
    Key::new("format", ValueKind::Format),
    Key::new("endpoint", ValueKind::Endpoint),
    Key::new("storage-endpoint", ValueKind::Endpoint),
    Key::new("ca-bundle", ValueKind::Certificates),
    Key::new("endpoints.iam", ValueKind::Url),
    Key::new("endpoints.operation", ValueKind::Url),
    Key::new("endpoints.resource-manager", ValueKind::Url),
    Key::new("endpoints.sts", ValueKind::Url),
    Key::new("endpoints.storage", ValueKind::Url),
    Key::new("endpoints.auth", ValueKind::Url),
    Key::new("endpoints.lockbox", ValueKind::Url),
];

/// How the text of a value is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// As an argument, which may be the path of a file in the place of its contents.
    Argument,
    /// On standard input, which holds the contents themselves.
    Stdin,
}

/// The names of all keys.
pub fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// The keys that a profile may have, for completion.
pub fn candidates() -> Vec<CompletionCandidate> {
    names().map(CompletionCandidate::new).collect()
}

impl Key {
    const fn new(name: &'static str, kind: ValueKind) -> Self {
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
            let error = Error::usage(format!("{} is a table; its values are set one by one", quote::value(name)));
            return Err(error.hint(format!("its keys are: {}", inner.join(", "))));
        }
        let error = Error::usage(format!("there is no key {}", quote::value(name)));
        Err(if BROWSER_KEYS.contains(&name) || name == "federation-endpoint" {
            error.hint(
                "to sign in through a browser, type: yc-rs login; to have yc do that, type: yc-rs config set \
                 token-command '[\"yc\", \"iam\", \"create-token\"]'",
            )
        } else if name == "current" || name == "profile" {
            error.hint("to choose a profile, type: yc-rs config profile activate NAME")
        } else if let Some(near) = nearest(name, names()) {
            error.hint(format!("did you mean '{near}'?"))
        } else {
            error.hint(format!("the keys are: {}", names().collect::<Vec<_>>().join(", ")))
        })
    }

    /// The keys that lead to the value.
    pub fn path(&self) -> Vec<&'static str> {
        self.name.split('.').collect()
    }

    /// The keys of the profile that are removed when this one is set: a profile has one credential, and names its folder
    /// by ID or by name.
    ///
    /// Source: yandex-cloud/docs, `en/cli/concepts/core-properties.md`.
    pub fn conflicting_keys(&self) -> Vec<&'static str> {
        let root = self.path()[0];
        match root {
            "folder-id" => vec!["folder-name"],
            "folder-name" => vec!["folder-id"],
            _ if sign_in::profile_keys().any(|key| key == root) => {
                sign_in::profile_keys().filter(|key| *key != root).collect()
            }
            _ => Vec::new(),
        }
    }

    /// As [`Key::value`] for an argument of the command line: the path of a file may begin with `~/`, and the file may be a
    /// pipe, which holds up neither signals nor `--timeout`.
    ///
    /// # Errors
    /// The text breaks the key's rule, or begins with what a shell should have expanded.
    pub async fn argument(self, text: &str, env: &Env) -> Result<Option<Value>> {
        match self.kind {
            ValueKind::KeyContents | ValueKind::KeyFile if key_document::is_document(text) => {
                self.value(text, Input::Argument)
            }
            ValueKind::KeyContents | ValueKind::KeyFile | ValueKind::Certificates => {
                let path = env.path_of(self.name, text.as_ref())?;
                input::blocking(move || self.value(&path.to_string_lossy(), Input::Argument)).await
            }
            ValueKind::SubjectToken => {
                let path = text.strip_prefix("file:").unwrap_or_default();
                env.path_of(self.name, path.as_ref())?;
                self.value(text, Input::Argument)
            }
            _ => self.value(text, Input::Argument),
        }
    }

    /// Whether `-` stands for standard input.
    pub fn reads_stdin(&self) -> bool {
        matches!(self.kind, ValueKind::Token | ValueKind::KeyContents)
    }

    /// The value that a text stands for, once it is checked; `None` when that is the value of a key that is not set.
    ///
    /// # Errors
    /// The text breaks the key's rule; the message names the key and the rule, and quotes no secret.
    pub fn value(&self, text: &str, input: Input) -> Result<Option<Value>> {
        if text.trim().is_empty() && input == Input::Stdin {
            return Err(Error::usage(format!("{}: standard input is empty", self.name))
                .hint("the command before the pipe has probably failed"));
        }
        if text.trim().is_empty() {
            return Err(Error::usage(format!("{} is empty", self.name))
                .hint(format!("to remove the value, type: yc-rs config unset {}", self.name)));
        }
        let value = match self.kind {
            ValueKind::Switch => {
                return match text {
                    "true" => Ok(Some(Value::Boolean(true))),
                    "false" => Ok(None),
                    _ => Err(self.invalid(&format!("is {}, but must be one of: true, false", quote::value(text)))),
                };
            }
            ValueKind::KeyContents if input == Input::Stdin => key_contents(text, "standard input"),
            ValueKind::KeyContents if key_document::is_document(text) => key_contents(text, "the value"),
            ValueKind::KeyFile if key_document::is_document(text) => Err("is a key itself, but must be the path of a \
                 file; to store the key in the profile, set service-account-key"
                .to_owned()),
            ValueKind::KeyContents => {
                read_file(text).and_then(|key| key_contents(&key, &format!("the file {}", quote::value(text))))
            }
            ValueKind::KeyFile => key_file(text),
            ValueKind::Token => token_text(text),
            ValueKind::Command => command(text),
            ValueKind::SubjectToken => subject_token(text),
            ValueKind::Id => ids::check_id(text).map(|()| text.into()).map_err(|rule| format!("is invalid: {rule}")),
            ValueKind::Name => {
                return ids::check_name(self.name, text).map(|()| Some(text.into())).map_err(Error::usage);
            }
            ValueKind::Word => word(text),
            ValueKind::Format => settings::parse_choice::<Format>(text).map(|_| text.into()),
            ValueKind::Url => endpoints::check_url(text).map(Value::String),
            ValueKind::Endpoint => endpoint(text),
            ValueKind::Certificates => certificates(text),
        };
        value.map(Some).map_err(|rule| self.invalid(&rule))
    }

    /// A note about a value that is valid but perhaps not what the user needs.
    pub fn note(&self, value: Option<&Value>) -> Option<&'static str> {
        let token = value.filter(|_| self.kind == ValueKind::Token)?.as_str()?;
        matches!(token::classify(token), Ok(Token::Iam(_)))
            .then_some("an IAM token expires after 12 hours at most; for a credential that does not expire, set service-account-key")
    }

    fn invalid(&self, rule: &str) -> Error {
        Error::usage(format!("{} {rule}", self.name))
    }
}

fn read_file(path: &str) -> Result<String, String> {
    let bytes = input::any_file(path.as_ref(), input::LARGE_LIMIT)
        .map_err(|error| format!("names the file {}, which cannot be read: {error}", quote::value(path)))?;
    input::decode(bytes).map_err(|rule| format!("names the file {}, which {rule}", quote::value(path)))
}

/// The fields of a key, which are checked by making a key of them.
fn key_contents(text: &str, from: &str) -> Result<Value, String> {
    let refused = |rule| format!("cannot be taken from {from}, which {rule}");
    ServiceAccountKey::from_text(text).map_err(refused)?;
    let fields = key_document::file_fields(text).map_err(refused)?;
    yc::to_toml(&Json::Object(fields)).ok_or_else(|| refused("is empty".to_owned()))
}

fn key_file(path: &str) -> Result<Value, String> {
    key_contents(&read_file(path)?, &format!("the file {}", quote::value(path)))?;
    absolute_path(path)
}

fn certificates(path: &str) -> Result<Value, String> {
    if !read_file(path)?.contains("-----BEGIN CERTIFICATE-----") {
        return Err(format!("names the file {}, which holds no certificate in PEM form", quote::value(path)));
    }
    absolute_path(path)
}

/// The absolute path: the profile is used from other directories too.
fn absolute_path(path: &str) -> Result<Value, String> {
    let path_from_root =
        absolute(Path::new(path)).map_err(|error| format!("names the file {}: {error}", quote::value(path)))?;
    path_from_root
        .into_os_string()
        .into_string()
        .map(Value::String)
        .map_err(|_| format!("{} is not UTF-8", quote::value(path)))
}

fn token_text(text: &str) -> Result<Value, String> {
    Ok(token::classify(text)?.secret().expose_secret().into())
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
        return Err(format!("is {}, but must have no white space", quote::value(text)));
    }
    Ok(text.into())
}

fn endpoint(text: &str) -> Result<Value, String> {
    if text.contains("://") {
        return endpoints::check_url(text).map(|_| text.into());
    }
    host::check_ascii(text)?;
    if text.contains(['/', '?', '#', '@']) || endpoints::check_url(&format!("https://{text}")).is_err() {
        return Err(format!("is {}, but must be HOST:PORT or a URL", quote::value(text)));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(key: &str, text: &str) -> Result<Option<Value>> {
        Key::find(key)?.value(text, Input::Argument)
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
    fn a_name_that_is_not_a_key_gets_a_hint() {
        let hint = |name: &str| Key::find(name).unwrap_err().to_text();
        assert!(hint("folder_id").contains("did you mean 'folder-id'?"));
        assert!(hint("endpoints").contains("endpoints.iam, endpoints.operation"));
        assert!(hint("federation-id").contains("token-command"));
        assert!(hint("current").contains("profile activate"));
        assert!(hint("zzz").contains("the keys are: token, "));
    }

    #[test]
    fn every_credential_but_a_session_can_be_set() {
        for credential in sign_in::profile_keys().filter(|key| *key != "login") {
            assert!(names().any(|name| name.split('.').next() == Some(credential)), "{credential}");
        }
    }

    #[test]
    fn a_credential_conflicts_with_every_other_and_a_folder_has_an_id_or_a_name() {
        let conflicting_keys = |name: &str| Key::find(name).unwrap().conflicting_keys();
        assert_eq!(
            conflicting_keys("workload-identity.audience"),
            [
                "token",
                "service-account-key",
                "service-account-key-file",
                "instance-service-account",
                "token-command",
                "login",
            ]
        );
        assert_eq!(conflicting_keys("token").len(), 6);
        assert_eq!(conflicting_keys("folder-id"), ["folder-name"]);
        assert_eq!(conflicting_keys("folder-name"), ["folder-id"]);
        assert!(conflicting_keys("region").is_empty());
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
