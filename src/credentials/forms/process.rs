//! `credential_process`: what an AWS SDK reads from a program that gives it credentials.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Process credential provider".

use secrecy::ExposeSecret;
use serde_json::json;

use crate::credentials::Credentials;
use crate::error::{Error, Result};

/// Some SDKs read no more bytes than this, the end of the line included; others read any number.
pub const LONGEST: usize = 1024;

/// One JSON object on one line.
pub(super) fn text(credentials: &Credentials) -> Result<String> {
    let document = json!({
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret.expose_secret(),
        "SessionToken": credentials.session_token.as_ref().map(ExposeSecret::expose_secret),
        "Expiration": credentials.expires_at,
    });
    // Without it, an SDK would use the key for ever.
    if credentials.expires_at.is_none() {
        return Err(Error::internal("the server does not say when the key expires"));
    }
    Ok(format!("{document}\n"))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{permanent, temporary};
    use super::super::ExportFormat;

    #[test]
    fn the_document_is_compact_and_complete() {
        assert_eq!(
            temporary().export(ExportFormat::Process).unwrap(),
            "{\"Version\":1,\"AccessKeyId\":\"aje0\",\"SecretAccessKey\":\"YC+/s\",\"SessionToken\":\"s1.a==.b\",\
             \"Expiration\":\"2025-12-16T06:23:51.383485065Z\"}\n"
        );
        assert!(permanent().export(ExportFormat::Process).is_err());
    }
}
