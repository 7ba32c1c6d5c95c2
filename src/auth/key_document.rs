//! The forms in which users have the authorized key of a service account: the JSON of a key file, base64 of it, the
//! response that creates a key, and what `config get service-account-key` prints.
//!
//! Source: yandex-cloud/go-sdk, `pkg/iamkey/iamkey.proto`, for the file; `yandex/cloud/iam/v1/key_service.proto`,
//! `CreateKeyResponse`, for the response.

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::text::form::{self, Form};

/// Fields of a key in the JSON of the API, and in a key file.
const FILE_NAMES: [(&str, &str); 6] = [
    ("serviceAccountId", "service_account_id"),
    ("userAccountId", "user_account_id"),
    ("createdAt", "created_at"),
    ("keyAlgorithm", "key_algorithm"),
    ("publicKey", "public_key"),
    ("privateKey", "private_key"),
];

/// Whether a text is a key rather than the path of a file that holds one.
pub fn is_document(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('{')
        || mentions_private_key(text)
        || decoded(text).is_some()
        || matches!(form::of(text), Some(Form::PrivateKey | Form::PrivateKeyBody | Form::Base64Json | Form::Base64Pem))
}

/// Reads the fields of a key.
///
/// # Errors
/// The text is not a document of this kind; the message is the predicate of a sentence about its place, and quotes
/// nothing of it.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    // `"{}"` is base64 or JSON that a shell or an `.env` file left its quotation marks around.
    if form::unquoted(text).is_some() {
        return Err("is in quotation marks; give it without them".to_owned());
    }
    let decoded = decoded(text);
    let text = decoded.as_ref().map_or(text, ExposeSecret::expose_secret).trim();
    if !text.starts_with('{') && mentions_private_key(text) {
        return serde_saphyr::from_str(text).map_err(|error| {
            let position = error.location().map(|at| format!(" (line {}, column {})", at.line(), at.column()));
            format!("is not a service account's key in YAML{}", position.unwrap_or_default())
        });
    }
    let read = serde_json::from_str(text);
    // A shell may have made line breaks of the `\n` in the private key, which JSON does not allow there.
    let read = read.or_else(|error| serde_json::from_str(&with_escaped_breaks(text)).map_err(|_| error));
    read.map_err(|error| {
        let position = format!("line {}, column {}", error.line(), error.column());
        match form::of(text) {
            _ if error.is_data() => {
                format!("is not a service account's key: a field has the wrong type ({position})")
            }
            Some(form @ (Form::PrivateKey | Form::PrivateKeyBody | Form::Base64Pem)) => {
                format!(
                    "is {form}, but must be the JSON of a key file, which has the IDs of the key and its account too"
                )
            }
            _ => format!("is not JSON ({position})"),
        }
    })
}

/// The fields of a key as a key file has them: what is stored in a profile.
///
/// # Errors
/// Those of [`parse`].
pub fn file_fields(text: &str) -> Result<Map<String, Value>, String> {
    let mut fields: Map<String, Value> = parse(text)?;
    if let Some(Value::Object(inner)) = fields.remove("key") {
        // The private key comes last, as in a key file.
        let outer = std::mem::replace(&mut fields, inner);
        fields.extend(outer);
    }
    let file_name = |name: String| match FILE_NAMES.iter().find(|(api, _)| *api == name) {
        Some((_, file)) => (*file).to_owned(),
        None => name,
    };
    Ok(fields.into_iter().map(|(name, value)| (file_name(name), value)).collect())
}

/// JSON with `\n` in the place of line breaks within strings.
fn with_escaped_breaks(text: &str) -> String {
    let [mut in_string, mut escaped] = [false; 2];
    let mut json = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' if in_string => json.push_str("\\n"),
            '\r' if in_string => {}
            _ => json.push(c),
        }
        in_string ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
    }
    json
}

fn mentions_private_key(text: &str) -> bool {
    text.contains("private_key") || text.contains("privateKey")
}

/// The text that base64 stands for, if it is a document with a private key. Tools break base64 into lines.
fn decoded(text: &str) -> Option<SecretString> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let body = compact.trim_end_matches('=');
    let decode = |engine: &GeneralPurpose| engine.decode(body).ok();
    let bytes = decode(&STANDARD_NO_PAD).or_else(|| decode(&URL_SAFE_NO_PAD))?;
    let text = String::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches('\u{feff}');
    mentions_private_key(text).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    const FILE: &str = r#"{"id": "ajek", "service_account_id": "ajes", "private_key": "pem"}"#;

    #[test]
    fn a_key_is_read_from_every_form() {
        let response = r#"{"key": {"id": "ajek", "serviceAccountId": "ajes"}, "privateKey": "pem"}"#;
        let snake_case = r#"{"key": {"id": "ajek", "service_account_id": "ajes"}, "private_key": "pem"}"#;
        let yaml = "id: ajek\nservice_account_id: ajes\nprivate_key: |-\n  pem\n";
        let mut broken = STANDARD.encode(FILE);
        broken.insert(40, '\n');
        assert_eq!(
            file_fields("{\n\"id\": \"a\\\"\",\r\n \"private_key\": \"p\r\nem\n\"}\n").map(Value::Object),
            Ok(json!({"id": "a\"", "private_key": "p\nem\n"}))
        );
        let forms = [FILE, &format!("\u{feff} {FILE}\n"), &STANDARD.encode(FILE), &broken, response, snake_case, yaml];
        for text in forms {
            let expected = json!({"id": "ajek", "service_account_id": "ajes", "private_key": "pem"});
            assert_eq!(file_fields(text).map(Value::Object), Ok(expected), "{text}");
            assert!(is_document(text), "{text}");
        }
    }

    #[test]
    fn a_path_is_not_taken_for_a_key() {
        for path in ["key.json", "/run/secrets/yc/key.json", "C:\\keys\\a.json", "~/key", "a/b+c/d=", "keys"] {
            assert!(!is_document(path), "{path}");
        }
    }

    #[test]
    fn what_is_not_a_key_is_described() {
        let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
        for (text, rule) in [
            ("", "is empty"),
            ("{", "is not JSON (line 1, column 1)"),
            ("[]", "is not a service account's key: a field has the wrong type (line 1, column 0)"),
            ("'{\"private_key\": \"pem\"}'", "is in quotation marks; give it without them"),
            ("\"eyJwcml2YXRlX2tleSI6InBlbSJ9\"", "is in quotation marks; give it without them"),
            ("id: x\nprivate_key: [", "is not a service account's key in YAML (line 2, column 14)"),
            (
                pem,
                "is a private key in PEM, but must be the JSON of a key file, which has the IDs of the key and its \
                 account too",
            ),
        ] {
            assert_eq!(file_fields(text).unwrap_err(), rule);
        }
    }
}
