//! The authorized key of a service account, as `yc iam key create --output` writes it: it signs a JWT that is exchanged
//! for an IAM token. [`key_document`] reads its text.
//!
//! Source: yandex-cloud/go-sdk, `pkg/iamkey/iamkey.proto` and `pkg/iamkey/test_data/service_account_key.json`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use ring::signature::RsaKeyPair;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::credential::{Configured, Credential, Services, Source};
use super::iam_token::{self, IamToken, Proof};
use super::{jwt, key_document};
use crate::endpoints::Service;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::http::Response;
use crate::input;
use crate::text::digest::fingerprint;
use crate::text::quote;

/// An authorized key of a service account.
#[derive(Debug)]
pub struct ServiceAccountKey {
    /// The key's ID.
    id: String,
    /// The service account that the key belongs to.
    service_account_id: String,
    /// The RSA key that signs.
    pair: RsaKeyPair,
    /// The private key's text, which is masked.
    private_key: SecretString,
}

#[derive(Deserialize)]
struct Fields {
    /// The fields other than the private key, in the response that creates a key.
    key: Option<Box<Fields>>,
    id: Option<String>,
    #[serde(alias = "serviceAccountId")]
    service_account_id: Option<String>,
    #[serde(alias = "userAccountId")]
    user_account_id: Option<String>,
    #[serde(alias = "privateKey")]
    private_key: Option<SecretString>,
}

impl Credential for ServiceAccountKey {
    fn secret(&self) -> Option<&SecretString> {
        Some(&self.private_key)
    }

    fn subject_id(&self) -> Option<&str> {
        Some(&self.service_account_id)
    }

    /// The hash of the public half names the very key, which stays the same however its file is written.
    fn name(&self, _env: &Env) -> Result<String> {
        let public = fingerprint(&[&STANDARD.encode(self.pair.public())]);
        Ok(format!("key {} {} {public}", self.id, self.service_account_id))
    }

    fn obtain<'a>(&'a self, services: Services<'a>, now: DateTime<Utc>) -> LocalBoxFuture<'a, Result<IamToken>> {
        Box::pin(async move {
            let response = self.exchange(services, now).await?;
            // A JWT is refused when the local clock is wrong; it is then made once more with the server's time.
            let Some(difference) = response.clock.difference().filter(|_| response.status == 401) else {
                return iam_token::from_response(response);
            };
            match response.clock.correction() {
                Some(time) => {
                    services.log.note(&format!("{difference}; the server's time is used"));
                    iam_token::from_response(self.exchange(services, time).await?)
                }
                None => iam_token::from_response(response).map_err(|error| error.hint(difference.hint())),
            }
        })
    }

    fn hint(&self, source: &Source) -> String {
        format!(
            "the key {} of the service account {} ({source}) may have been deleted",
            self.id, self.service_account_id
        )
    }
}

impl ServiceAccountKey {
    /// Reads a key whose fields are in the profile.
    ///
    /// # Errors
    /// The value is not a key.
    pub fn read_table(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        configured.warn_if_readable();
        let key = Self::from_table(configured.table()?).map_err(|rule| configured.invalid(rule))?;
        Ok(Box::new(key))
    }

    /// Reads a key from the file whose path is configured.
    ///
    /// # Errors
    /// The file cannot be read, or does not hold a key.
    pub fn read_file(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        let text = configured.text()?;
        let path = configured
            .env
            .path(text)
            .map_err(|problem| with_hint(configured.invalid(format!("is wrong: {problem}"))))?;
        let shown = quote::path(&path);
        let shown = if shown.starts_with('(') { shown } else { format!("({shown})") };
        let invalid = |rule: String| with_hint(configured.invalid(format!("{shown} {rule}")));
        let bytes = input::regular_file(&path, input::LIMIT);
        let text = bytes.map_err(|error| format!("cannot be read: {error}")).and_then(input::decode);
        let text = SecretString::from(text.map_err(invalid)?);
        configured.log.masks.add(&text);
        configured.log.warn_if_readable(&path);
        Ok(Box::new(Self::from_text(text.expose_secret()).map_err(invalid)?))
    }

    /// Reads a key that is configured itself, or by the path of its file.
    ///
    /// # Errors
    /// The value is not a key, or the file cannot be read or does not hold one.
    pub fn read_key_or_file(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        let text = configured.text()?;
        if !key_document::is_document(text) {
            return Self::read_file(configured);
        }
        configured.log.masks.add(&text.into());
        let key = Self::from_text(text);
        Ok(Box::new(key.map_err(|rule| with_hint(configured.invalid(format!("holds a key that {rule}"))))?))
    }

    async fn exchange(&self, services: Services<'_>, now: DateTime<Utc>) -> Result<Response> {
        let audience = services.endpoints.token_audience(services.http).await?;
        let jwt = jwt::sign(&self.pair, &self.id, &self.service_account_id, &audience, now)?;
        services.log.masks.add(&jwt);
        let iam = services.endpoints.base(Service::Iam, services.http).await?;
        iam_token::create(services.http, &iam, &Proof::Jwt(&jwt)).await
    }

    /// Reads a key from a text in any of the forms of [`key_document`].
    ///
    /// # Errors
    /// The text is not a key; the message names the field and never quotes a value.
    pub fn from_text(text: &str) -> Result<Self, String> {
        Self::from_fields(key_document::parse(text)?)
    }

    /// Reads a key from a table of the configuration, which has the fields of a key file.
    ///
    /// # Errors
    /// The table is not a key; the message names the field and never quotes a value.
    fn from_table(table: &toml::Table) -> Result<Self, String> {
        let fields =
            table.clone().try_into().map_err(|_| "is not a service account's key: a field has the wrong type")?;
        Self::from_fields(fields)
    }

    fn from_fields(mut fields: Fields) -> Result<Self, String> {
        if let Some(key) = fields.key.take() {
            fields = Fields { private_key: fields.private_key.or(key.private_key), key: None, ..*key };
        }
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
}

fn with_hint(error: Error) -> Error {
    error.hint("make a key file with: yc iam key create --service-account-name <NAME> --output <FILE>")
}

/// The DER within a PEM text. The text before `BEGIN` is explanatory text (RFC 7468, 2): the cloud writes a line
/// there that helps secret scanners. Line ends may be LF or CRLF, or a `\n` that some tool escaped once too often.
fn der(pem: &str) -> Result<Vec<u8>, String> {
    const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
    const END: &str = "-----END PRIVATE KEY-----";
    let Some((_, after)) = pem.split_once(BEGIN) else {
        let other = pem.contains("-----BEGIN RSA PRIVATE KEY-----") || pem.contains("-----BEGIN EC PRIVATE KEY-----");
        let found = if other { ", but another kind of key" } else { "" };
        return Err(format!("has a 'private_key' that is not a PKCS#8 PEM{found}"));
    };
    let (body, _) =
        after.split_once(END).ok_or_else(|| format!("has a 'private_key' that is cut short: {END} is missing"))?;
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
            let error = ServiceAccountKey::from_text(&json.to_string()).unwrap_err();
            prop_assert!(!error.contains("canary"));
            let _ = ServiceAccountKey::from_text(&text);
        }
    }

    #[test]
    fn a_text_that_is_not_a_key_is_described() {
        let cases = [
            ("", "is empty"),
            ("{", "is not JSON (line 1, column 1)"),
            ("[]", "wrong type"),
            ("{}", "no field 'id'"),
            (r#"{"id":"a","user_account_id":"u"}"#, "belongs to a user"),
            (r#"{"id":"a","service_account_id":"s"}"#, "no field 'private_key'"),
            (r#"{"id":"a","service_account_id":"s","private_key":"x"}"#, "not a PKCS#8 PEM"),
            (r#"{"id":1}"#, "wrong type"),
        ];
        for (text, expected) in cases {
            let error = ServiceAccountKey::from_text(text).unwrap_err();
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
            let error = ServiceAccountKey::from_text(&json.to_string()).unwrap_err();
            assert!(error.contains(expected), "{pem}: {error}");
        }
    }
}
