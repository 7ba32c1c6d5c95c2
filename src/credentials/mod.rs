//! A key in the hands of a client: the variables, forms and files that S3 clients and shells read.

pub mod aws_file;
pub mod endpoint;
pub mod environment;
pub mod forms;
pub mod renewal;

use chrono::SecondsFormat;
use secrecy::{ExposeSecret, SecretString};

use crate::api::access_key::StaticKey;
use crate::api::temporary_access_key::EphemeralKey;

/// What an S3 client needs to know.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The key ID.
    pub access_key_id: String,
    /// The secret that requests are signed with.
    pub secret: SecretString,
    /// The token that requests with a key that expires are sent with; a static key has none.
    pub session_token: Option<SecretString>,
    /// When the key expires, RFC 3339 in UTC, to the server's fraction of a second; a static key does not expire.
    pub expires_at: Option<String>,
    /// Where the storage is.
    pub storage: Storage,
}

/// Where S3 clients find the storage; empty for a destination that does not say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// The region that requests are signed for.
    pub region: String,
    /// The endpoint URL.
    pub endpoint: String,
}

/// An environment variable and its value; without one it is to be unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable<'a> {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: Option<&'a str>,
}

/// Variables that AWS SDKs and tools take another credential from, or a part of one, and that no form sets.
///
/// Source: AWS SDKs and Tools Reference Guide, "Environment variables"; botocore, `credentials.py`, for
/// `AWS_SECURITY_TOKEN`; AWS SDK for Java 1.x, `SDKGlobalConfiguration`, for `AWS_ACCESS_KEY` and `AWS_SECRET_KEY`.
pub const CONFLICTING_VARIABLES: [&str; 5] =
    ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY"];

impl Storage {
    /// The variables that AWS SDKs read.
    pub fn variables(&self) -> [Variable<'_>; 3] {
        let set = |name, value| Variable { name, value: Some(value) };
        [
            set("AWS_REGION", &self.region),
            set("AWS_DEFAULT_REGION", &self.region),
            set("AWS_ENDPOINT_URL_S3", &self.endpoint),
        ]
    }
}

impl Credentials {
    /// A key that expires.
    pub fn ephemeral(key: &EphemeralKey, storage: Storage) -> Self {
        Self {
            access_key_id: key.access_key_id.clone(),
            secret: key.secret.clone(),
            session_token: Some(key.session_token.clone()),
            expires_at: Some(key.expires_at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            storage,
        }
    }

    /// A static key.
    pub fn permanent(key: &StaticKey, storage: Storage) -> Self {
        Self {
            access_key_id: key.key_id.clone(),
            secret: key.secret.clone(),
            session_token: None,
            expires_at: None,
            storage,
        }
    }

    /// The variables that AWS SDKs read, in the order in which they are printed.
    pub fn variables(&self) -> [Variable<'_>; 7] {
        let set = |name, value| Variable { name, value: Some(value) };
        let [region, default_region, endpoint] = self.storage.variables();
        [
            set("AWS_ACCESS_KEY_ID", &self.access_key_id),
            set("AWS_SECRET_ACCESS_KEY", self.secret.expose_secret()),
            Variable { name: "AWS_SESSION_TOKEN", value: self.session_token.as_ref().map(ExposeSecret::expose_secret) },
            Variable { name: "AWS_CREDENTIAL_EXPIRATION", value: self.expires_at.as_deref() },
            region,
            default_region,
            endpoint,
        ]
    }

    /// What a shell does: it unsets the variables that conflict with the key, and then sets those of the key.
    fn shell_variables(&self) -> Vec<Variable<'_>> {
        let conflicting = CONFLICTING_VARIABLES.map(|name| Variable { name, value: None });
        conflicting.into_iter().chain(self.variables()).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::lifetime::Lifetime;

    pub(crate) fn storage() -> Storage {
        Storage { region: "ru-central1".into(), endpoint: "https://storage.yandexcloud.net".into() }
    }

    pub(crate) fn temporary() -> Credentials {
        expiring_at("2025-12-16T09:23:51.383485065+03:00")
    }

    pub(crate) fn temporary_key() -> EphemeralKey {
        key_expiring_at("2025-12-16T09:23:51.383485065+03:00")
    }

    fn key_expiring_at(time: &str) -> EphemeralKey {
        let key = json!({"accessKeyId": "aje0", "secret": "YC+/s", "sessionToken": "s1.a==.b", "expiresAt": time});
        EphemeralKey::parse(key, Lifetime::unknown).unwrap()
    }

    fn expiring_at(time: &str) -> Credentials {
        Credentials::ephemeral(&key_expiring_at(time), storage())
    }

    pub(crate) fn permanent() -> Credentials {
        let key = json!({"accessKey": {"id": "aje", "keyId": "YCAJE"}, "secret": "YCs"});
        Credentials::permanent(&StaticKey::parse(key).unwrap(), storage())
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
    fn times_are_in_utc_with_the_servers_fraction() {
        let shown = |time| expiring_at(time).expires_at.unwrap();
        assert_eq!(shown("2024-02-29T23:30:53+00:00"), "2024-02-29T23:30:53Z");
        assert_eq!(shown("2024-02-29T23:30:53.120Z"), "2024-02-29T23:30:53.120Z");
    }
}
