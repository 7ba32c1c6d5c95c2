//! The token of another identity provider, decoded: what it says of itself. Its signature is not verified here.
//!
//! Source: RFC 7519 for the claims.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::text::duration::CLOCK_TOLERANCE;
use crate::text::{escape, form};

/// A token that is a JWT, and what it says of itself.
#[derive(Debug)]
pub struct SubjectJwt {
    /// The token.
    pub value: SecretString,
    /// Its claims.
    pub claims: Claims,
}

/// The claims of a JWT.
#[derive(Debug)]
pub struct Claims(Map<String, Value>);

impl SubjectJwt {
    /// Decodes a token.
    ///
    /// # Errors
    /// It is not a JWT, or has expired; the message is the predicate of a sentence about the token.
    pub fn decode(value: SecretString, now: DateTime<Utc>) -> Result<Self, String> {
        let text = value.expose_secret();
        let claims = Claims::of(&value).ok_or_else(|| match form::of(text) {
            _ if form::unquoted(text).is_some() => "is in quotation marks; give the token without them".to_owned(),
            _ if form::assignment(text).is_some() => "has the form NAME=VALUE; give the token alone".to_owned(),
            Some(form) => format!("is not a JWT but looks like {form}"),
            None => "is not a JWT".to_owned(),
        })?;
        match claims.expires_at() {
            Some(time) if (now - time).to_std().is_ok_and(|ago| ago > CLOCK_TOLERANCE) => {
                Err(format!("expired at {}, and it is now {}", format_time(time), format_time(now)))
            }
            _ => Ok(Self { value, claims }),
        }
    }
}

impl Claims {
    /// The claims of a token; `None` when it is not a JWT.
    pub fn of(token: &SecretString) -> Option<Self> {
        let parts: Vec<_> = token.expose_secret().split('.').collect();
        let [header, claims, _] = parts[..] else { return None };
        let object = |part: &str| -> Option<Map<String, Value>> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
        };
        object(header)?;
        object(claims).map(Self)
    }

    /// Who the provider says the job is: `iss` and `sub`.
    pub fn issuer_and_subject(&self) -> Option<(&str, &str)> {
        Some((self.0.get("iss")?.as_str()?, self.0.get("sub")?.as_str()?))
    }

    fn expires_at(&self) -> Option<DateTime<Utc>> {
        let seconds = self.0.get("exp")?;
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of a second does not matter")]
        let seconds = seconds.as_i64().or_else(|| seconds.as_f64().map(|seconds| seconds as i64))?;
        DateTime::from_timestamp(seconds, 0)
    }
}

/// The claims that a federation and its federated credentials look at.
impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &str| match self.0.get(name) {
            None => "none".to_owned(),
            Some(Value::String(text)) => format!("'{}'", escape::single_line(text)),
            Some(value) => escape::single_line(&value.to_string()).into_owned(),
        };
        let expires_at = self.expires_at().map_or_else(|| text("exp"), format_time);
        write!(f, "iss {}, aud {}, sub {} and exp {expires_at}", text("iss"), text("aud"), text("sub"))
    }
}

fn format_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn jwt(claims: &str) -> SecretString {
        format!("{}.{}.sig", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims)).into()
    }

    fn at(time: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(time).unwrap().to_utc()
    }

    #[test]
    fn a_token_says_who_it_was_issued_to_and_for_whom() {
        let claims =
            Claims::of(&jwt(r#"{"iss":"https://i","sub":"repo:o/r","aud":["a","b"],"exp":1767225600}"#)).unwrap();
        assert_eq!(claims.issuer_and_subject(), Some(("https://i", "repo:o/r")));
        assert_eq!(
            claims.to_string(),
            r#"iss 'https://i', aud ["a","b"], sub 'repo:o/r' and exp 2026-01-01T00:00:00Z"#
        );
        assert_eq!(Claims::of(&jwt("{}")).unwrap().to_string(), "iss none, aud none, sub none and exp none");
    }

    #[test]
    fn a_token_that_expired_more_than_a_minute_ago_is_refused() {
        let decode = |exp: &str, now: &str| SubjectJwt::decode(jwt(&format!("{{\"exp\":{exp}}}")), at(now)).map(drop);
        assert_eq!(decode("1767225600", "2026-01-01T00:01:00Z"), Ok(()));
        assert_eq!(decode("1767225600.5", "2026-01-01T00:01:00Z"), Ok(()));
        assert_eq!(
            decode("1767225600", "2026-01-01T00:01:01Z"),
            Err("expired at 2026-01-01T00:00:00Z, and it is now 2026-01-01T00:01:01Z".to_owned())
        );
        assert_eq!(decode("\"soon\"", "2026-01-01T00:01:01Z"), Ok(()));
        // The last time that there is.
        assert_eq!(decode("8210266876799", "2026-01-01T00:01:01Z"), Ok(()));
    }

    #[test]
    fn what_is_not_a_jwt_is_described() {
        let decode = |text: &str| SubjectJwt::decode(text.into(), Utc::now()).map(drop).unwrap_err();
        assert_eq!(decode("not-a-jwt"), "is not a JWT");
        assert_eq!(decode("a.b.c"), "is not a JWT");
        assert_eq!(decode("t1.9euelZqXm5yLkpGRkZKR"), "is not a JWT but looks like an IAM token");
    }

    proptest! {
        #[test]
        fn decoding_never_panics(token in "[a-zA-Z0-9._=-]{0,60}") {
            prop_assert!(SubjectJwt::decode(token.into(), Utc::now()).is_err());
        }
    }
}
