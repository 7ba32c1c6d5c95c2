//! The authorized key of a service account, as `yc iam key create --output` writes it.
//!
//! Source: yandex-cloud/go-sdk, `pkg/iamkey/iamkey.proto` and `pkg/iamkey/test_data/service_account_key.json`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::RsaKeyPair;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::text::digest::fingerprint;

/// An authorized key: it signs the JWT that is exchanged for an IAM token.
#[derive(Debug)]
pub struct ServiceAccountKey {
    /// The key's ID.
    pub id: String,
    /// The service account the key belongs to.
    pub service_account_id: String,
    /// The RSA key that signs.
    pub(super) pair: RsaKeyPair,
    /// The private key's text, to be kept out of logs.
    pub(super) private_key: SecretString,
}

#[derive(Deserialize)]
struct Fields {
    id: Option<String>,
    #[serde(alias = "serviceAccountId")]
    service_account_id: Option<String>,
    #[serde(alias = "userAccountId")]
    user_account_id: Option<String>,
    #[serde(alias = "privateKey")]
    private_key: Option<SecretString>,
}

impl ServiceAccountKey {
    /// Reads a key from the text of a key file (JSON).
    ///
    /// # Errors
    /// The text is no key; the message names the field and never quotes a value.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        let fields = serde_json::from_str(text).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            if error.is_data() {
                format!("is not a service account's key: a field has the wrong type ({place})")
            } else {
                format!("is not JSON ({place})")
            }
        })?;
        Self::from_fields(fields)
    }

    /// Reads a key from a table of the configuration, which has the fields of a key file.
    ///
    /// # Errors
    /// The table is no key; the message names the field and never quotes a value.
    pub fn from_table(table: &toml::Table) -> Result<Self, String> {
        let fields =
            table.clone().try_into().map_err(|_| "is not a service account's key: a field has the wrong type")?;
        Self::from_fields(fields)
    }

    fn from_fields(fields: Fields) -> Result<Self, String> {
        let missing = |name: &str| format!("has no field '{name}', so it is not a service account's key");
        if fields.user_account_id.is_some_and(|id| !id.is_empty()) {
            return Err("belongs to a user; only the key of a service account can be used".to_owned());
        }
        let id = fields.id.filter(|id| !id.is_empty()).ok_or_else(|| missing("id"))?;
        let private_key = fields.private_key.ok_or_else(|| missing("private_key"))?;
        let owner = fields.service_account_id.filter(|id| !id.is_empty());
        let pair = RsaKeyPair::from_pkcs8(&der(private_key.expose_secret())?)
            .map_err(|error| format!("has a 'private_key' that is not an RSA key of 2048 to 4096 bits ({error})"))?;
        Ok(Self { id, service_account_id: owner.ok_or_else(|| missing("service_account_id"))?, pair, private_key })
    }

    /// A name for the very key, which stays the same however its file is written: the hash of its public half.
    pub fn fingerprint(&self) -> String {
        fingerprint(&[&STANDARD.encode(self.pair.public())])
    }

    /// The private key's text.
    pub fn private_key(&self) -> &SecretString {
        &self.private_key
    }
}

/// The DER within a PEM text. What stands before `BEGIN` is explanatory text (RFC 7468, 2): the cloud writes a line
/// there that helps secret scanners. Line ends may be LF or CRLF, or a `\n` that some tool escaped once too often.
fn der(pem: &str) -> Result<Vec<u8>, String> {
    const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
    const END: &str = "-----END PRIVATE KEY-----";
    let Some((_, after)) = pem.split_once(BEGIN) else {
        let other = pem.contains("-----BEGIN RSA PRIVATE KEY-----") || pem.contains("-----BEGIN EC PRIVATE KEY-----");
        let found = if other { ", but another kind of key" } else { "" };
        return Err(format!("has a 'private_key' that is no PKCS#8 PEM{found}"));
    };
    let (body, _) = after.split_once(END).ok_or_else(|| format!("has a 'private_key' that is cut short: no {END}"))?;
    let plain: String = body.replace("\\n", "\n").replace("\\r", "").chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(plain).map_err(|_| "has a 'private_key' whose PEM is not base64".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reading_never_panics_and_never_quotes_the_value(text in "\\PC{0,80}") {
            let json = serde_json::json!({"id": "a", "service_account_id": "b", "private_key": format!("canary{text}")});
            let error = ServiceAccountKey::from_json(&json.to_string()).unwrap_err();
            prop_assert!(!error.contains("canary"));
            let _ = ServiceAccountKey::from_json(&text);
        }
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        let cases = [
            ("", "is empty"),
            ("{", "is not JSON (line 1, column 1)"),
            ("[]", "wrong type"),
            ("{}", "no field 'id'"),
            (r#"{"id":"a","user_account_id":"u"}"#, "belongs to a user"),
            (r#"{"id":"a","service_account_id":"s"}"#, "no field 'private_key'"),
            (r#"{"id":"a","service_account_id":"s","private_key":"x"}"#, "no PKCS#8 PEM"),
            (r#"{"id":1}"#, "wrong type"),
        ];
        for (text, expected) in cases {
            let error = ServiceAccountKey::from_json(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_pem_that_is_cut_short_or_of_another_kind_is_named() {
        let cases = [
            ("-----BEGIN PRIVATE KEY-----\nAAAA", "cut short"),
            ("-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----", "not base64"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "not an RSA key"),
            ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----", "another kind of key"),
        ];
        for (pem, expected) in cases {
            let json = serde_json::json!({"id": "a", "service_account_id": "b", "private_key": pem});
            let error = ServiceAccountKey::from_json(&json.to_string()).unwrap_err();
            assert!(error.contains(expected), "{pem}: {error}");
        }
    }
}
