//! The services of the cloud as functions: one file a proto service, one function an RPC, typed responses.

pub mod access_key;
mod client;
pub mod cloud;
pub mod federated_credential;
pub mod federation;
pub mod folder;
pub mod lockbox;
mod lookup;
pub mod operation;
pub mod pages;
pub mod refresh_token;
pub mod service_account;
pub mod sigv4;
pub mod storage;
pub mod sts;
pub mod temporary_access_key;
mod xml;

use serde_json::Value;

pub use client::{Call, Client, Role, Scope};

use crate::error::{Error, Result};
use crate::text::{ids, percent};

/// An ID as a path segment of a URL, checked so that nothing but that resource can be meant.
///
/// # Errors
/// The text cannot be an ID; the message names it and the rule.
fn segment(id: &str) -> Result<String> {
    ids::check_id(id).map_err(Error::usage)?;
    Ok(percent::encode(id).to_string())
}

/// The text in a field of a response to a call that made a secret, named by a JSON pointer.
///
/// # Errors
/// The field is missing or empty: the key may exist all the same, and nobody has its secret.
fn required<'a>(response: &'a Value, field: &str) -> Result<&'a str> {
    let text = response.pointer(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| {
        let name = field.rsplit('/').next().unwrap_or_default();
        Error::internal(format!("the server's response has no '{name}'")).outcome_unknown()
    })
}

/// The text in a field of a response; empty when the field is missing, as protobuf JSON leaves empty fields out.
fn text(response: &Value, field: &str) -> String {
    response[field].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_encoded_as_a_path_segment() {
        assert_eq!(segment("aje6t3vsbj8l").unwrap(), "aje6t3vsbj8l");
        assert_eq!(segment("a%2Fb").unwrap(), "a%252Fb");
        assert_eq!(segment("a/b").unwrap_err().exit_code(), 2);
    }
}
