//! Tokens as users give them: an IAM token or an OAuth token, told apart by how they begin.

use secrecy::{ExposeSecret, SecretString};

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
    if text.trim_start().starts_with('{') {
        let rule = "holds JSON, not a token; the key of a service account goes into 'service-account-key' of a profile";
        return Err(rule.to_owned());
    }
    let token = trimmed(text)?;
    let text = token.expose_secret();
    if text.starts_with("t1.") {
        Ok(Token::Iam(token))
    } else if text.starts_with("YC") {
        Err("holds a key for S3, not a token; an IAM token begins with t1.".into())
    } else {
        Ok(Token::Oauth(token))
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
    fn iam_and_oauth_tokens_are_told_apart() {
        for token in ["y0_a", "y3_a", "y6_a", "AQAAAAb", "AgAAAAb", "anything-else"] {
            assert!(matches!(classify(token), Ok(Token::Oauth(_))), "{token}");
        }
        for token in ["t1.a.b", " t1.a.b\n"] {
            assert!(matches!(classify(token), Ok(Token::Iam(token)) if token.expose_secret() == "t1.a.b"), "{token}");
        }
    }
}
