//! Verification of the JWT that a service account's key signs.
//! Source: IAM docs, getting an IAM token for a service account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Map, Value, json};

use crate::authorized_key::AuthorizedKey;
use crate::json;
use crate::state::State;

/// How far `iat` and `nbf` may lie ahead, in seconds. The service's own tolerance is not documented.
pub(super) const SKEW: i64 = 5;
/// The longest lifetime of a JWT, in seconds.
const LONGEST: i64 = 3600;

/// The key that has signed the JWT, or the rule that it breaks.
pub(crate) fn verify<'a>(state: &'a State, jwt: &str, now: DateTime<Utc>) -> Result<&'a AuthorizedKey, String> {
    let parts: Vec<&str> = jwt.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return Err("JWT: it must have three parts".to_owned());
    };
    let header = object(header, "header")?;
    known_keys(&header, &["typ", "alg", "kid"], "header")?;
    if header.get("alg") != Some(&json!("PS256")) {
        return Err("JWT: alg must be PS256".to_owned());
    }
    if header.get("typ") != Some(&json!("JWT")) {
        return Err("JWT: typ must be JWT".to_owned());
    }
    let kid = text(&header, "kid")?;
    let key = state.authorized_keys.iter().find(|key| key.id == kid);
    let key = key.ok_or_else(|| format!("JWT: kid {kid} is not a known key"))?;

    let signed = &jwt[..jwt.len() - signature.len() - 1];
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "JWT: the signature is not base64url".to_owned())?;
    // The salt must be as long as the digest, which ring insists on.
    UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.pair.public_key())
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| "JWT: the signature is wrong".to_owned())?;

    check_claims(state, &object(claims, "claims")?, key, now.timestamp())?;
    Ok(key)
}

fn check_claims(state: &State, claims: &Map<String, Value>, key: &AuthorizedKey, now: i64) -> Result<(), String> {
    known_keys(claims, &["iss", "aud", "iat", "exp", "nbf"], "claims")?;
    if text(claims, "iss")? != key.service_account_id {
        return Err("JWT: the key does not belong to iss".to_owned());
    }
    let audience = state.settings.jwt_audience.as_str();
    if ![Some(&json!(audience)), Some(&json!([audience]))].contains(&claims.get("aud")) {
        return Err(format!("JWT: aud must be {audience}"));
    }
    let issued = seconds(claims, "iat")?;
    let expires = seconds(claims, "exp")?;
    if issued > now + SKEW {
        return Err("JWT: iat is in the future".to_owned());
    }
    if claims.contains_key("nbf") && seconds(claims, "nbf")? > now + SKEW {
        return Err("JWT: nbf is in the future".to_owned());
    }
    if expires <= now {
        return Err("JWT: exp is in the past".to_owned());
    }
    if expires - issued > LONGEST {
        return Err(format!("JWT: exp - iat is more than {LONGEST}"));
    }
    Ok(())
}

pub(super) fn object(part: &str, name: &str) -> Result<Map<String, Value>, String> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| format!("JWT: the {name} is not base64url"))?;
    match json::parse(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(format!("JWT: the {name} is not a JSON object")),
    }
}

fn known_keys(object: &Map<String, Value>, known: &[&str], name: &str) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("JWT: unknown {name} entry {key}")),
        None => Ok(()),
    }
}

pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    object.get(name).and_then(Value::as_str).ok_or_else(|| format!("JWT: {name} must be text"))
}

pub(super) fn seconds(object: &Map<String, Value>, name: &str) -> Result<i64, String> {
    object.get(name).and_then(Value::as_i64).ok_or_else(|| format!("JWT: {name} must be whole seconds"))
}
