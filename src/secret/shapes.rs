//! Everything that has the form of a secret, for secrets that this process does not know.

use super::MASK;

/// What a JSON Web Token begins with: `{"` in base64.
const JSON_WEB_TOKEN: &str = "eyJ";

/// Replaces everything that has the form of a secret by its prefix and a mask, for secrets that this process does not
/// know.
///
/// Source of the forms: yandex-cloud/go-sdk, `pkg/transport/middleware/grpcdebug/sanitizer.go`.
pub fn mask_shapes(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    // How much of the text is left behind a run of letters that no JSON Web Token begins in.
    let mut left_after_run = usize::MAX;
    while let Some(first) = rest.chars().next() {
        let in_run = rest.len() > left_after_run;
        if let Some((prefix, length)) = secret_at_start(rest, in_run) {
            masked.push_str(prefix);
            masked.push_str(MASK);
            rest = &rest[length..];
        } else {
            // What follows a run decides, and so is looked at once for all the beginnings in it.
            if !in_run && rest.starts_with(JSON_WEB_TOKEN) {
                left_after_run = rest.len() - base64url_letters(rest);
            }
            masked.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    masked
}

/// The prefix that stays, and the full length, of the secret that `text` begins with; `no_web_token` when it is known
/// that it does not begin with a JSON Web Token.
fn secret_at_start(text: &str, no_web_token: bool) -> Option<(&'static str, usize)> {
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
        b'e' if !no_web_token => json_web_token(text),
        b'-' if text.starts_with(PEM) => {
            let label = text[PEM.len()..].split("-----").next()?;
            // The end is looked for only where it ends the secret too: a text may have any number of beginnings.
            let end = || text.find("-----END ").unwrap_or(text.len());
            label.ends_with("PRIVATE KEY").then(|| ("-----BEGIN PRIVATE KEY-----", end()))
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
    let header = base64url_length(text.strip_prefix(JSON_WEB_TOKEN)?);
    let claims_at = JSON_WEB_TOKEN.len() + header + 1;
    let claims = base64url_length(text[claims_at - 1..].strip_prefix('.')?.strip_prefix(JSON_WEB_TOKEN)?);
    let signature_at = claims_at + JSON_WEB_TOKEN.len() + claims + 1;
    let signature = base64url_length(text[signature_at - 1..].strip_prefix('.')?);
    Some((JSON_WEB_TOKEN, signature_at + signature))
}

/// How many bytes at the start of `text` are base64url, padding included.
fn base64url_length(text: &str) -> usize {
    let letters = base64url_letters(text);
    letters + text.as_bytes()[letters..].iter().take(2).take_while(|b| **b == b'=').count()
}

fn base64url_letters(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')).count()
}
