//! The JSON Web Token by which a service account requests an IAM token.
//!
//! Source: yandex-cloud/docs, `en/iam/operations/iam-token/create-for-sa.md`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use secrecy::SecretString;
use serde_json::json;

use crate::error::{Error, Result};

/// The longest lifetime that IAM accepts, in seconds.
const LIFETIME: i64 = 3600;

/// A JWT signed with PS256: RSA-PSS with SHA-256 and a salt as long as the digest.
///
/// # Errors
/// The system provides no random numbers.
pub fn sign(
    pair: &RsaKeyPair,
    key_id: &str,
    service_account_id: &str,
    audience: &str,
    now: DateTime<Utc>,
) -> Result<SecretString> {
    let issued = now.timestamp();
    let header = json!({"typ": "JWT", "alg": "PS256", "kid": key_id});
    let claims = json!({"iss": service_account_id, "aud": audience, "iat": issued, "exp": issued + LIFETIME});
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).map_err(|_| {
        Error::internal("cannot sign with the service account's key: the system provides no random numbers")
    })?;
    Ok(format!("{signed}.{}", encode(signature)).into())
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
