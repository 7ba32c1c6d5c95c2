//! Masking of secrets in everything that is logged or shown.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use self::index::Index;
pub use self::shapes::mask_shapes;

mod index;
mod shapes;
#[cfg(test)]
mod tests;

/// A new secret: 32 random bytes as base64url.
///
/// # Errors
/// The system has no random bytes.
pub fn random() -> Result<SecretString, String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system has no random bytes".to_owned())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// The replacement of a secret in a log or an error.
pub const MASK: &str = "****";

/// What stands before and behind the body of PEM.
const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_END: &str = "-----END ";

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
pub struct Masks(Rc<RefCell<List>>);

#[derive(Default)]
struct List {
    secrets: Vec<SecretString>,
    /// Made when the first text is masked, which most runs never do.
    index: OnceCell<Index>,
}

impl Masks {
    /// Masks this value in every later text. Of a JSON document the secret fields are masked, and of PEM what stands
    /// between its lines: the rest of both is not secret.
    pub fn add(&self, secret: &SecretString) {
        let text = secret.expose_secret();
        if text.trim_start().starts_with('{')
            && let Ok(document) = serde_json::from_str(text)
        {
            return self.add_fields(&document, false);
        }
        if text.contains(PEM_BEGIN) {
            // What stands before the first line may name the key.
            for block in text.split(PEM_BEGIN).skip(1) {
                let body = block.split(PEM_END).next().and_then(|block| block.split_once("-----"));
                // A document that is not read yet has escaped line breaks.
                self.insert(body.unwrap_or_default().1.replace("\\n", "").into());
            }
            return;
        }
        self.insert(secret.clone());
    }

    fn add_fields(&self, value: &Value, secret: bool) {
        match value {
            Value::String(text) if secret => self.add(&text.as_str().into()),
            Value::Array(items) => items.iter().for_each(|item| self.add_fields(item, secret)),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| self.add_fields(value, is_secret_field(name)));
            }
            _ => {}
        }
    }

    fn insert(&self, secret: SecretString) {
        let mut list = self.0.borrow_mut();
        let is_new = list.secrets.iter().all(|other| other.expose_secret() != secret.expose_secret());
        if is_new && secret.expose_secret().len() >= index::SHORTEST {
            list.secrets.push(secret);
            list.index.take();
        }
    }

    /// Masks every known secret in a text, and everything that has the form of a secret.
    ///
    /// A secret is masked whole or in part, down to 16 characters in a row of it, also where its letters have another
    /// case, white space splits it, or the text has it as base64, as hex, or with percent or JSON escapes. The time is
    /// linear in the length of the text.
    pub fn mask(&self, text: &str) -> String {
        let list = self.0.borrow();
        let index = list.index.get_or_init(|| Index::new(&list.secrets));
        let mut masked = String::with_capacity(text.len());
        let mut shown = 0;
        for secret in index.find(text) {
            masked.push_str(&text[shown..secret.start]);
            masked.push_str(MASK);
            shown = secret.end;
        }
        masked.push_str(&text[shown..]);
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
