//! Masking of secrets in everything that is logged or shown.

use std::cell::RefCell;
use std::rc::Rc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::text::percent;

/// The replacement of a secret in a log or an error.
pub const MASK: &str = "****";

/// Shorter values, in bytes, occur in ordinary text, and are not masked.
const MIN_LENGTH: usize = 6;

/// Fields whose value is a secret, in lower case and without separators.
///
/// Source: the requests and responses of `yandex/cloud/iam/v1/iam_token_service.proto`,
/// `awscompatibility/*_service.proto`, and RFC 8693 for token exchange.
const SECRET_FIELDS: [&str; 14] = [
    "secret",
    "sessiontoken",
    "iamtoken",
    "jwt",
    "yandexpassportoauthtoken",
    "privatekey",
    "accesstoken",
    "subjecttoken",
    "refreshtoken",
    "secretaccesskey",
    "authorization",
    "proxyauthorization",
    "password",
    "token",
];

/// The secrets that this process knows, to be masked in texts that may contain one.
///
/// Clones share one list.
#[derive(Clone, Default)]
pub struct Masks(Rc<RefCell<Vec<SecretString>>>);

impl Masks {
    /// Masks this value in every later text.
    pub fn add(&self, secret: &SecretString) {
        if secret.expose_secret().len() < MIN_LENGTH {
            return;
        }
        let mut known = self.0.borrow_mut();
        let in_url = SecretString::from(percent::encode(secret.expose_secret()).to_string());
        for form in [secret.clone(), in_url] {
            if !known.iter().any(|other| other.expose_secret() == form.expose_secret()) {
                known.push(form);
            }
        }
        // A secret may contain another one, so the longer one is replaced first.
        known.sort_by_key(|other| std::cmp::Reverse(other.expose_secret().len()));
    }

    /// Masks every known secret in a text, and everything that has the form of a secret.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for secret in self.0.borrow().iter() {
            if masked.contains(secret.expose_secret()) {
                masked = masked.replace(secret.expose_secret(), MASK);
            }
        }
        mask_shapes(&masked)
    }

    /// Masks every secret field of a value, every known secret, and everything that has the form of a secret.
    pub fn mask_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.mask(text)),
            Value::Array(items) => items.iter().map(|item| self.mask_json(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| {
                    let value = if is_secret_field(name) { MASK.into() } else { self.mask_json(value) };
                    (self.mask(name), value)
                })
                .collect(),
            other => other.clone(),
        }
    }
}

/// Whether a field or header of this name holds a secret.
pub fn is_secret_field(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    SECRET_FIELDS.contains(&plain.to_ascii_lowercase().as_str())
}

/// Replaces everything that has the form of a secret by its prefix and a mask, for secrets that this process does not
/// know.
///
/// Source of the forms: yandex-cloud/go-sdk, `pkg/transport/middleware/grpcdebug/sanitizer.go`.
pub fn mask_shapes(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((prefix, length)) = secret_at_start(rest) {
            masked.push_str(prefix);
            masked.push_str(MASK);
            rest = &rest[length..];
        } else {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    masked
}

/// The prefix that stays, and the full length, of the secret that `text` begins with.
fn secret_at_start(text: &str) -> Option<(&'static str, usize)> {
    const PEM: &str = "-----BEGIN ";
    match text.as_bytes().first()? {
        b't' => signed_token(text, "t1."),
        b'c' => signed_token(text, "c1."),
        b'r' => signed_token(text, "rt1."),
        b's' => signed_token(text, "s1."),
        b'A' => opaque_token(text, "AQVN", 35)
            .or_else(|| ["AQAAAA", "AgAAAA"].iter().find_map(|p| opaque_token(text, p, 20))),
        b'Y' => opaque_token(text, "YC", 38),
        b'y' => ["y0_", "y1_", "y2_", "y3_", "y4_", "y5_", "y6_"].iter().find_map(|p| opaque_token(text, p, 20)),
        b'e' => json_web_token(text),
        b'-' if text.starts_with(PEM) => {
            let label = text[PEM.len()..].split("-----").next()?;
            let end = text.find("-----END ").map_or(text.len(), |at| at);
            label.ends_with("PRIVATE KEY").then_some(("-----BEGIN PRIVATE KEY-----", end))
        }
        _ => None,
    }
}

/// `<prefix><base64url>[=]{0,2}.<base64url of 43 or more>[=]{0,2}`
fn signed_token(text: &str, prefix: &'static str) -> Option<(&'static str, usize)> {
    let body = text.strip_prefix(prefix)?;
    let first = base64url_length(body);
    let signature = body[first..].strip_prefix('.')?;
    let second = base64url_length(signature);
    (first > 0 && signature[..second].trim_end_matches('=').len() >= 43)
        .then_some((prefix, prefix.len() + first + 1 + second))
}

/// `<prefix>` and at least `min_length` characters of base64url.
fn opaque_token(text: &str, prefix: &'static str, min_length: usize) -> Option<(&'static str, usize)> {
    let length = base64url_length(text.strip_prefix(prefix)?);
    (length >= min_length).then_some((prefix, prefix.len() + length))
}

/// `eyJ<base64url>.eyJ<base64url>.<base64url>`
fn json_web_token(text: &str) -> Option<(&'static str, usize)> {
    const PREFIX: &str = "eyJ";
    let header = base64url_length(text.strip_prefix(PREFIX)?);
    let claims_at = PREFIX.len() + header + 1;
    let claims = base64url_length(text[claims_at - 1..].strip_prefix('.')?.strip_prefix(PREFIX)?);
    let signature_at = claims_at + PREFIX.len() + claims + 1;
    let signature = base64url_length(text[signature_at - 1..].strip_prefix('.')?);
    Some((PREFIX, signature_at + signature))
}

/// How many bytes at the start of `text` are base64url, padding included.
fn base64url_length(text: &str) -> usize {
    let letters = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')).count();
    letters + text.as_bytes()[letters..].iter().take(2).take_while(|b| **b == b'=').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn iam_token() -> String {
        format!("t1.{}==.{}", "9euelZ_-a", "S".repeat(86))
    }

    #[test]
    fn every_known_form_is_masked_and_keeps_its_prefix() {
        let secrets = [
            (iam_token(), "t1.****"),
            (format!("c1.a.{}", "b".repeat(43)), "c1.****"),
            (format!("rt1.a.{}", "b".repeat(43)), "rt1.****"),
            (format!("s1.a.{}", "b".repeat(86)), "s1.****"),
            (format!("AQVN{}", "x".repeat(36)), "AQVN****"),
            (format!("AQAAAA{}", "x".repeat(20)), "AQAAAA****"),
            (format!("AgAAAA{}", "x".repeat(33)), "AgAAAA****"),
            (format!("YC{}", "x".repeat(38)), "YC****"),
            (format!("YC{}", "x".repeat(41)), "YC****"),
            (format!("y0_{}", "x".repeat(20)), "y0_****"),
            ("eyJhbGciOi.eyJpc3MiOi.c2ln-_x".to_owned(), "eyJ****"),
        ];
        for (secret, masked) in secrets {
            assert_eq!(mask_shapes(&format!("a «{secret}», b")), format!("a «{masked}», b"));
        }
    }

    #[test]
    fn a_private_key_is_masked_to_its_end() {
        let pem = "key: -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nrest";
        assert_eq!(
            mask_shapes(pem),
            "key: -----BEGIN PRIVATE KEY---------END PRIVATE KEY-----\nrest"
                .replace("-----BEGIN PRIVATE KEY---------END", "-----BEGIN PRIVATE KEY-----****-----END")
        );
        assert_eq!(mask_shapes("-----BEGIN RSA PRIVATE KEY-----\nMIIE"), "-----BEGIN PRIVATE KEY-----****");
        let public = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----";
        assert_eq!(mask_shapes(public), public);
    }

    #[test]
    fn ids_and_words_are_not_masked() {
        for text in ["aje6t3vsbj8l", "YCAJEkNuezZyt4b-abcdefghi", "t1.short.sig", "eyJonly", "y0_short", "AQVN"] {
            assert_eq!(mask_shapes(text), text);
        }
    }

    #[test]
    fn a_known_value_is_masked_whatever_its_form() {
        let masks = Masks::default();
        masks.add(&SecretString::from("hunter2-secret"));
        masks.add(&SecretString::from("hunter2-secret-longer"));
        assert_eq!(masks.mask("x=hunter2-secret-longer y=hunter2-secret"), "x=**** y=****");
        masks.add(&SecretString::from("t1.a==.b/c"));
        assert_eq!(masks.mask("?token=t1.a%3D%3D.b%2Fc&x"), "?token=****&x");
    }

    #[test]
    fn json_is_masked_by_field_name_in_either_spelling() {
        let body = json!({"accessKey": {"id": "aje"}, "secret": "x", "session_token": "y", "sessionToken": 1, "list": [{"jwt": "z"}]});
        let masked = json!({"accessKey": {"id": "aje"}, "secret": "****", "session_token": "****", "sessionToken": "****", "list": [{"jwt": "****"}]});
        assert_eq!(Masks::default().mask_json(&body), masked);
    }

    proptest! {
        #[test]
        fn masking_never_panics_and_removes_a_planted_token(before in ".{0,40}", after in ".{0,40}") {
            let token = iam_token();
            let masked = mask_shapes(&format!("{before}{token}{after}"));
            prop_assert!(!masked.contains(&token));
        }

        #[test]
        fn masking_is_stable(text in "(t1\\.|YC|eyJ|y0_|s1\\.|-----BEGIN PRIVATE KEY-----|[a-z.=_-]{0,50}){0,6}") {
            let once = mask_shapes(&text);
            prop_assert_eq!(mask_shapes(&once), once);
        }
    }
}
