//! Tokens as users give them: an IAM token or an OAuth token, told apart by how they begin.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::text::form::{self, Form};

/// A token of one of the two kinds that are accepted.
#[derive(Debug)]
pub enum Token {
    /// An IAM token.
    Iam(SecretString),
    /// An OAuth token of a Yandex account.
    Oauth(SecretString),
}

impl Token {
    /// The text of the token.
    pub fn secret(&self) -> &SecretString {
        match self {
            Self::Iam(token) | Self::Oauth(token) => token,
        }
    }
}

/// Tells IAM tokens and OAuth tokens apart by how they begin. The message of an error never quotes the token.
///
/// Source: yandex-cloud/docs, `en/iam/concepts/authorization/{iam-token,oauth-token}.md`.
///
/// # Errors
/// The text is something else than a token.
pub fn classify(text: &str) -> Result<Token, String> {
    let token = one_token(text)?;
    let text = token.expose_secret();
    if text.starts_with("t1.") {
        return Ok(Token::Iam(token));
    }
    match form::of(text) {
        Some(Form::JsonWebToken) => Err("holds a JSON Web Token, not an IAM or OAuth token; one of another identity \
             provider is exchanged by 'workload-identity' of a profile"
            .to_owned()),
        Some(form) if !matches!(form, Form::IamToken | Form::OauthToken | Form::Random) => {
            Err(format!("holds {form}, not an IAM or OAuth token"))
        }
        // No OAuth token has a slash, a backslash or a dot.
        _ if text.starts_with('~') || text.contains(['/', '\\']) || Path::new(text).extension().is_some() => {
            Err("holds a path, not a token; the path of a key file goes into YC_SERVICE_ACCOUNT_KEY_FILE, and a token \
                 is read from a file by: --token - < FILE"
                .to_owned())
        }
        _ => Ok(Token::Oauth(token)),
    }
}

/// The token without white space around it, if it may be one: an HTTP header can carry it, and it is neither in quotation
/// marks nor a document or another secret.
///
/// # Errors
/// The text is empty, or something else; the message never quotes it.
pub fn one_token(text: &str) -> Result<SecretString, String> {
    let text = text.trim();
    if text.starts_with(['{', '[']) {
        return Err(if text.contains("iam_token") || text.contains("iamToken") {
            "holds the JSON that create-token prints, not a token; the token is the value of 'iam_token' in it, and \
             create-token prints it alone with --format text"
        } else {
            "holds JSON, not a token; the key of a service account goes into 'service-account-key' of a profile"
        }
        .to_owned());
    }
    if form::unquoted(text).is_some() {
        return Err("is in quotation marks; give the token without them".to_owned());
    }
    if form::assignment(text).is_some() {
        // The name is not shown, since it may be a part of a secret.
        return Err("has the form NAME=VALUE; give the token alone".to_owned());
    }
    if text.split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        return Err("begins with 'Bearer', as an HTTP header does; give the token alone".to_owned());
    }
    let form = form::of(text);
    if text.starts_with("YC") {
        return Err("holds a key for S3, not a token; an IAM token begins with t1.".to_owned());
    }
    if let Some(form @ (Form::ApiKey | Form::Pem | Form::PrivateKey | Form::PrivateKeyBody | Form::Base64Json)) = form {
        return Err(format!("holds {form}, not a token; an IAM token begins with t1."));
    }
    trimmed(text)
}

/// Why a token that the server refused may not be one, by how it begins; `None` for what looks like an IAM token.
pub fn not_an_iam_token(token: &SecretString) -> Option<String> {
    match form::of(token.expose_secret()) {
        Some(Form::IamToken) => None,
        Some(Form::OauthToken) => Some(
            "looks like an OAuth token, but must be an IAM token, which begins with t1.; an OAuth token goes into \
             YC_TOKEN or --token"
                .to_owned(),
        ),
        Some(form) if form != Form::Random => {
            Some(format!("looks like {form}, but must be an IAM token, which begins with t1."))
        }
        _ if token.expose_secret().starts_with("t1.") => None,
        _ => Some("does not look like an IAM token, which begins with t1.".to_owned()),
    }
}

/// The token without white space around it, if an HTTP header can carry it.
///
/// # Errors
/// The text is empty, or holds characters that no token has; the message never quotes it.
pub fn trimmed(text: &str) -> Result<SecretString, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty, but must hold a token".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds white space or other characters that no token has".to_owned());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_token_is_described() {
        let jwt = "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJhamUifQ.c2lnbmF0dXJl";
        let path = "holds a path, not a token; the path of a key file goes into YC_SERVICE_ACCOUNT_KEY_FILE, and a token \
                    is read from a file by: --token - < FILE";
        for (text, rule) in [
            ("\"t1.9euelZqXm5yLkpGRkZKR\"", "is in quotation marks; give the token without them"),
            ("'y0_AgAAAAABcdefGhijkLmnop'", "is in quotation marks; give the token without them"),
            ("YC_TOKEN=t1.9euelZqXm5yLkpGRkZKR", "has the form NAME=VALUE; give the token alone"),
            ("Bearer t1.a", "begins with 'Bearer', as an HTTP header does; give the token alone"),
            (
                "{\n  \"iam_token\": \"t1.a\"\n}",
                "holds the JSON that create-token prints, not a token; the token is the value of 'iam_token' in it, and \
                 create-token prints it alone with --format text",
            ),
            (
                "YCMUWwxFAnZq8fRkT2vGxN0sLh3PbJdYc1eKuQ7m",
                "holds a key for S3, not a token; an IAM token begins with t1.",
            ),
            ("AQVNyDKEGi3RHfWyP3kgMCDbE3LPDjC1", "holds an API key, not a token; an IAM token begins with t1."),
            (
                jwt,
                "holds a JSON Web Token, not an IAM or OAuth token; one of another identity provider is exchanged by \
                 'workload-identity' of a profile",
            ),
            ("s1.9euelZqXm5yLkpGRkZKR", "holds a session token, not an IAM or OAuth token"),
            ("/home/me/key.json", path),
            ("~/token", path),
            ("key.json", path),
            ("C:\\keys\\robot.txt", path),
        ] {
            assert_eq!(classify(text).unwrap_err(), rule);
        }
    }

    #[test]
    fn iam_and_oauth_tokens_are_told_apart() {
        for token in ["y0_a", "y3_a", "y6_a", "AQAAAAb", "AgAAAAb", "anything-else"] {
            assert!(matches!(classify(token), Ok(Token::Oauth(_))), "{token}");
        }
        for token in ["t1.a.b", " t1.a.b\n"] {
            assert!(matches!(classify(token), Ok(Token::Iam(token)) if token.expose_secret() == "t1.a.b"), "{token}");
        }
    }
}
