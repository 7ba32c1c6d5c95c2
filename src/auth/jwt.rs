//! The JSON Web Token by which a service account asks for an IAM token.
//!
//! Source: yandex-cloud/docs, `en/iam/operations/iam-token/create-for-sa.md`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::RSA_PSS_SHA256;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::key::ServiceAccountKey;
use crate::error::{Error, Result};

/// The longest life that IAM accepts, in seconds.
const LIFETIME: i64 = 3600;

/// A JWT signed with PS256: RSA-PSS with SHA-256 and a salt as long as the digest.
///
/// # Errors
/// The machine has no randomness to give.
pub fn sign(key: &ServiceAccountKey, audience: &str, now: DateTime<Utc>) -> Result<SecretString> {
    let (header, claims) = (header(key), claims(key, audience, now));
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let mut signature = vec![0; key.pair.public().modulus_len()];
    key.pair
        .sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| Error::internal("cannot sign with the service account's key: no randomness"))?;
    Ok(format!("{signed}.{}", encode(signature)).into())
}

fn header(key: &ServiceAccountKey) -> Value {
    json!({"typ": "JWT", "alg": "PS256", "kid": key.id})
}

fn claims(key: &ServiceAccountKey, audience: &str, now: DateTime<Utc>) -> Value {
    let issued = now.timestamp();
    json!({"iss": key.service_account_id, "aud": audience, "iat": issued, "exp": issued + LIFETIME})
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
