//! What a text looks like: which of the tokens, keys and secrets of Yandex Cloud it has the form of.
//!
//! Messages use it to describe a secret instead of showing it, and hints to say what was given in the place of
//! something else. A form is a guess by the characters of a text, and no check.

use std::fmt;

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `t1.` and a signature.
    IamToken,
    /// `y0_` to `y6_`, `AQAAAA`, `AgAAAA`.
    OauthToken,
    /// `AQVN` and letters.
    ApiKey,
    /// `YC` and 38 or 41 characters, the secret of a static or an ephemeral access key.
    SecretKey,
    /// `s1.` and a signature.
    SessionToken,
    /// `rt1.` and a signature.
    RefreshToken,
    /// A signed JSON Web Token.
    JsonWebToken,
    /// The authorized key of a service account: JSON with a private key.
    AuthorizedKey,
    /// Other JSON.
    Json,
    /// A private key between its PEM lines.
    PrivateKey,
    /// A private key in base64, without its PEM lines.
    PrivateKeyBody,
    /// Another PEM document, such as a certificate.
    Pem,
    /// Base64 of JSON.
    Base64Json,
    /// Base64 of a PEM document.
    Base64Pem,
    /// A URL with a password before its host.
    UrlWithPassword,
    /// Random characters of no known kind, 40 or more in a row.
    Random,
    /// `YCA` and 22 characters: the ID of an access key as S3 clients know it. It is not a secret.
    KeyId,
}

impl Form {
    /// Whether a text of this form is, or may hold, a secret.
    pub fn is_secret(self) -> bool {
        self != Self::KeyId
    }
}

/// A noun phrase with its article, e.g. `an IAM token`.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IamToken => "an IAM token",
            Self::OauthToken => "an OAuth token",
            Self::ApiKey => "an API key",
            Self::SecretKey => "the secret of an access key",
            Self::SessionToken => "a session token",
            Self::RefreshToken => "a refresh token",
            Self::JsonWebToken => "a JSON Web Token",
            Self::AuthorizedKey => "an authorized key in JSON",
            Self::Json => "JSON",
            Self::PrivateKey => "a private key in PEM",
            Self::PrivateKeyBody => "a private key without its PEM lines",
            Self::Pem => "a PEM document",
            Self::Base64Json => "JSON in base64",
            Self::Base64Pem => "a PEM document in base64",
            Self::UrlWithPassword => "a URL with a password",
            Self::Random => "a secret of random characters",
            Self::KeyId => "the key ID of an access key",
        })
    }
}

/// The form of a whole text; white space, a byte order mark and quotation marks around it do not matter. `None`: it
/// looks like none of them.
pub fn of(text: &str) -> Option<Form> {
    let text = bare(text);
    token(text).or_else(|| document(text)).or_else(|| encoded(text))
}

/// The form of a secret that stands somewhere in a text: the text as a whole, or a part of it.
pub fn secret_in(text: &str) -> Option<Form> {
    // A part may tell more of random characters than the whole does.
    let whole = of(text).filter(|form| form.is_secret() && *form != Form::Random);
    whole.or_else(|| pem(text)).or_else(|| {
        if has_private_key_field(text) {
            return Some(Form::AuthorizedKey);
        }
        if has_password(text) {
            return Some(Form::UrlWithPassword);
        }
        let mut words = text.split(|c: char| !is_token_character(c)).filter(|word| word.len() >= SHORTEST);
        words.find_map(of_part).or_else(|| has_random_run(text).then_some(Form::Random))
    })
}

/// The text between quotation marks that a shell or a JSON document left around it; `None` when there are none.
pub fn unquoted(text: &str) -> Option<&str> {
    let text = text.trim();
    let inner = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark).filter(|inner| !inner.is_empty());
    ['"', '\'', '`'].into_iter().find_map(inner)
}

/// Name and value of a text that has the form `NAME=value`, perhaps after `export`, as a line of a shell script or of
/// an `.env` file has.
pub fn assignment(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let (name, value) = text.strip_prefix("export ").unwrap_or(text).trim_start().split_once('=')?;
    let first = name.chars().next()?;
    let is_name = (first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    // The padding of base64 is not a value.
    let is_value = !value.trim_matches('=').is_empty();
    // Everything that a token has before its padding is longer than the name of a variable.
    (is_name && is_value && name.len() <= 40).then_some((name, value))
}

/// The shortest text that is taken for a token.
const SHORTEST: usize = 12;

/// How many characters in a row have to look random.
const RUN: usize = 40;

/// The text without what is around it by accident.
fn bare(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim();
    unquoted(text).unwrap_or(text).trim()
}

/// Part of a text, where a short word says less than a whole value does.
fn of_part(word: &str) -> Option<Form> {
    // The separators of a path belong to the base64 of others.
    let pieces = || std::iter::once(word).chain(word.split(['/', '=', ':']).filter(|piece| piece.len() >= SHORTEST));
    let tokens = || pieces().filter_map(token).find(|form| form.is_secret());
    // A name without capitals in a path may be a hash.
    let is_hash =
        |piece: &str| piece != word && word.contains('/') && !piece.contains(|c: char| c.is_ascii_uppercase());
    tokens().or_else(|| pieces().filter(|piece| !is_hash(piece)).find_map(encoded))
}

fn token(text: &str) -> Option<Form> {
    if text.len() < SHORTEST || !text.chars().all(is_token_character) || text.contains(['/', ':']) {
        return None;
    }
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    if let Some(form) =
        [("t1.", Form::IamToken), ("c1.", Form::IamToken), ("s1.", Form::SessionToken), ("rt1.", Form::RefreshToken)]
            .into_iter()
            .find_map(|(prefix, form)| text.starts_with(prefix).then_some(form))
    {
        // A file may have such a name, but not one without an extension.
        let last = text.rsplit('.').next().unwrap_or_default();
        return (text.len() >= 20 && last.len() > 5).then_some(form);
    }
    if begins(&["y0_", "y1_", "y2_", "y3_", "y4_", "y5_", "y6_", "AQAAAA", "AgAAAA"]) {
        return Some(Form::OauthToken);
    }
    if begins(&["AQVN", "yccs__"]) {
        return Some(Form::ApiKey);
    }
    // The names of variables have no lower case.
    if text.starts_with("YC") && !text.contains(['.', '=']) && text.contains(|c: char| c.is_ascii_lowercase()) {
        return match text.len() {
            25 if text.starts_with("YCA") => Some(Form::KeyId),
            // Cut off or not.
            26.. => Some(Form::SecretKey),
            _ => None,
        };
    }
    if text.starts_with("eyJ") && text.contains(".eyJ") {
        return Some(Form::JsonWebToken);
    }
    None
}

fn document(text: &str) -> Option<Form> {
    let Some(inside) = text.strip_prefix(['{', '[']) else { return pem(text) };
    if has_private_key_field(text) {
        return Some(Form::AuthorizedKey);
    }
    (text.len() >= SHORTEST && inside.contains('"')).then_some(Form::Json)
}

fn pem(text: &str) -> Option<Form> {
    let label = text.split("-----BEGIN").nth(1)?.split("-----").next().unwrap_or_default();
    Some(if label.contains("CERTIFICATE") || label.contains("PUBLIC") { Form::Pem } else { Form::PrivateKey })
}

/// Whether a text has the field of a private key with a value, in JSON, YAML or TOML; the name alone is not a secret.
fn has_private_key_field(text: &str) -> bool {
    ["private_key", "privateKey"].iter().any(|name| {
        let mut after = text.split(name).skip(1);
        after.any(|rest| rest.trim_start_matches(['"', '\'', '\\', ' ']).starts_with([':', '=']))
    })
}

fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// Base64 of a document, or of a private key; or random characters.
fn encoded(text: &str) -> Option<Form> {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let body = compact.trim_end_matches('=');
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    if body.len() < 16 || !body.chars().all(is_base64) {
        return None;
    }
    let begin = decoded_begin(body)?;
    let content = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&begin).trim_ascii_start();
    match content {
        [b'{' | b'[', rest @ ..] if matches!(rest.trim_ascii_start().first(), Some(b'"')) => Some(Form::Base64Json),
        [b'-', b'-', b'-', b'-', b'-', b'B', ..] => Some(Form::Base64Pem),
        // DER: a sequence that begins with the integer 0, which is the version of a PKCS#8 or PKCS#1 private key.
        // Source: RFC 5208, section 5; RFC 8017, appendix A.1.2.
        [0x30, 0x82, _, _, 2, 1, 0 | 1, ..] | [0x30, 0x81, _, 2, 1, 0 | 1, ..] | [0x30, 0..=0x7f, 2, 1, 0 | 1, ..] => {
            Some(Form::PrivateKeyBody)
        }
        _ => has_random_run(&compact).then_some(Form::Random),
    }
}

/// The first bytes of what base64 of either alphabet stands for.
fn decoded_begin(body: &str) -> Option<Vec<u8>> {
    let begin = body.get(..body.len().min(48) / 4 * 4)?;
    let decode = |engine: &GeneralPurpose| engine.decode(begin).ok();
    decode(&STANDARD_NO_PAD).or_else(|| decode(&URL_SAFE_NO_PAD)).or(Some(Vec::new()))
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '=' | '+' | '/' | ':')
}

/// Whether there are [`RUN`] characters in a row that look random: between neighbours the class (lower case, upper
/// case, digit) changes far more often than in words. The IDs of resources and UUIDs are not secrets, so they do not
/// count.
fn has_random_run(text: &str) -> bool {
    /// A quarter of the neighbours; in random letters and digits it is more than a half.
    const CHANGES: usize = 9;
    let in_run = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/');
    text.split(|c: char| !in_run(c)).filter(|run| run.len() >= RUN).any(|run| {
        // A path is made of short names, and base64 has a slash as often as any other character.
        let in_path = run.contains('/');
        let changes: Vec<bool> = run.split_inclusive('/').flat_map(|piece| changes(piece, in_path)).collect();
        changes.windows(RUN).any(|window| window.iter().filter(|changed| **changed).count() >= CHANGES)
    })
}

/// For each character, whether its class differs from that of the one before. A word with a capital is like one without.
/// In a path, a name without capitals may be a hash, as in a store of packages or of images; base64 has capitals.
fn changes(piece: &str, in_path: bool) -> Vec<bool> {
    let mut bytes = piece.as_bytes().to_owned();
    for at in 0..bytes.len() {
        let is_word = bytes[at].is_ascii_uppercase()
            && bytes.get(at + 1..at + 4).is_some_and(|next| next.iter().all(u8::is_ascii_lowercase));
        if is_word {
            bytes[at].make_ascii_lowercase();
        }
    }
    let is_hash = in_path && !piece.contains(|c: char| c.is_ascii_uppercase());
    let counts = !is_hash && !is_id(piece.trim_end_matches('/'));
    let differ = |a: u8, b: u8| a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() && class(a) != class(b);
    (0..bytes.len()).map(|at| counts && at > 0 && differ(bytes[at - 1], bytes[at])).collect()
}

fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        _ => 2,
    }
}

/// Whether a text is the ID of a resource, of 20 characters, or a UUID.
fn is_id(text: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_resource_id = text.len() == 20 && text.chars().all(lower);
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    let is_uuid = groups == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    is_resource_id || is_uuid
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    const KEY: &str = "{\n  \"id\": \"aje0\",\n  \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMIIE\\n\"\n}\n";

    #[test]
    fn every_form_is_recognized() {
        let iam = format!("t1.9euelZqXm5yL.{}", "aB3".repeat(28));
        let jwt = "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJhamUifQ.c2lnbmF0dXJl";
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n";
        let table = [
            (iam.as_str(), Form::IamToken),
            ("t1.9euelZqXm5yLkpGRkZKR", Form::IamToken),
            ("y0_AgAAAAABcdefGhijkLmnop", Form::OauthToken),
            ("AQAAAAABcdefGhijkLmnop", Form::OauthToken),
            ("AQVNyDKEGi3RHfWyP3kgMCDbE3LPDjC1", Form::ApiKey),
            ("YCMUWwxFAnZq8fRkT2vGxN0sLh3PbJdYc1eKuQ7m", Form::SecretKey),
            ("YCMUWwxFAnZq8fRkT2vGxN0sLh3PbJdYc1eKuQ7m_-x", Form::SecretKey),
            ("YCAJEkNuezZyt4b2abcdefghi", Form::KeyId),
            (jwt, Form::JsonWebToken),
            (KEY, Form::AuthorizedKey),
            ("{\"iam_token\": \"x\"}", Form::Json),
            (pem, Form::PrivateKey),
            ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", Form::Pem),
            ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7", Form::PrivateKeyBody),
            ("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF", Form::PrivateKeyBody),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Form::Random),
            ("3f2a9c4e7b1d8056e4f3a2b1c0d9e8f7a6b5c4d3", Form::Random),
        ];
        for (text, form) in table {
            assert_eq!(of(text), Some(form), "{text}");
            assert_eq!(of(&format!("\u{feff} \"{text}\"\r\n")), Some(form), "{text}");
            assert_eq!(secret_in(text), Some(form).filter(|form| form.is_secret()), "{text}");
        }
        assert_eq!(of(&STANDARD.encode(KEY)), Some(Form::Base64Json));
        assert_eq!(of(&STANDARD.encode(pem)), Some(Form::Base64Pem));
        let mut wrapped = STANDARD.encode(KEY);
        wrapped.insert(40, '\n');
        assert_eq!(of(&wrapped), Some(Form::Base64Json));
    }

    #[test]
    fn names_ids_paths_and_urls_are_nothing_of_the_kind() {
        for text in [
            "",
            "aje6t3vsbj8lp9r4vk2u",
            "t1.json",
            "t1.production-keys.json",
            "y0_short",
            "my-service-account-of-the-production-cluster-in-moscow",
            "/home/user/.config/yandex-cloud/service-accounts/production/authorized-key.json",
            "/Users/JohnDoe/Documents/MyProjects/CloudSetup/YandexKeys/AuthorizedKey.json",
            "/tmp/3f2504e0-4f89-11d3-9a0c-0305e82c3301/3f2504e0-4f89-11d3-9a0c-0305e82c3301/key.json",
            "/keys/b1g8ad42m6he1ooql78r/ajeb9l33gl8vg1cj0qrm/key.json",
            "https://storage.yandexcloud.net/my-bucket-of-2026/path/to/the/object-of-the-day",
            "[]",
            "{a}",
            "/nix/store/0c2q3k9vw1m7z5x8b4n6d0f2g1h3j5l7-yandex-cloud/etc/key.json",
            "/var/lib/docker/overlay2/3f2a9c4e7b1d8056e4f3a2b1c0d9e8f7a6b5c4d33f2a9c4e7b1d8056/key.json",
            "profiles.p.service-account-key.private_key",
            "YC_IMPERSONATE_SERVICE_ACCOUNT_ID",
            "session-name_with.many=characters,and@signs",
            "2026-11-26T01:02:03.123456789Z",
        ] {
            assert_eq!(of(text), None, "{text}");
            assert_eq!(secret_in(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_within_a_text_is_found() {
        for (text, form) in [
            ("file:///tmp/t1.9euelZqXm5yLkpGRkZKRkpGR", Form::IamToken),
            ("--id=AQVNyDKEGi3RHfWyP3kgMCDbE3LPDjC1", Form::ApiKey),
            ("/etc/YCMUWwxFAnZq8fRkT2vGxN0sLh3PbJdYc1eKuQ7m/x", Form::SecretKey),
            ("\"PLEASE DO NOT REMOVE THIS LINE! -----BEGIN", Form::PrivateKey),
            ("x wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.pem", Form::Random),
            ("x private_key = 'MIIE'", Form::AuthorizedKey),
            ("Bearer y0_AgAAAAABcdefGhijkLmnop", Form::OauthToken),
            ("https://user:pass@proxy:3128/", Form::UrlWithPassword),
        ] {
            assert_eq!(secret_in(text), Some(form), "{text}");
        }
    }

    #[test]
    fn quotation_marks_and_assignments_are_taken_apart() {
        assert_eq!(unquoted(" \"t1.a\" "), Some("t1.a"));
        assert_eq!(unquoted("'t1.a'"), Some("t1.a"));
        assert_eq!((unquoted("\"t1.a"), unquoted("t1.a"), unquoted("\"\"")), (None, None, None));
        assert_eq!(assignment("export YC_TOKEN=t1.a"), Some(("YC_TOKEN", "t1.a")));
        assert_eq!(assignment("YC_TOKEN=\"a\""), Some(("YC_TOKEN", "\"a\"")));
        assert_eq!(
            (assignment("c2VjcmV0=="), assignment("a b=c"), assignment("=x"), assignment("a=")),
            (None, None, None, None)
        );
    }

    /// The rule is one of likelihood: about one random secret in 6,000 has too few changes of class.
    #[test]
    fn nearly_every_secret_of_40_random_characters_is_found() {
        let mut runner = TestRunner::deterministic();
        let secrets = (any::<[u8; 30]>(), "[a-z/]{0,20}");
        let is_missed = |(bytes, around): ([u8; 30], String)| {
            let text = STANDARD.encode(bytes);
            secret_in(&text).is_none() || secret_in(&format!("{around}/{text}")).is_none()
        };
        let missed = (0..10_000).filter(|_| is_missed(secrets.new_tree(&mut runner).unwrap().current())).count();
        assert!(missed < 10, "{missed}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}|[A-Za-z0-9+/=._-]{0,80}") {
            let _ = (of(&text), secret_in(&text), assignment(&text), unquoted(&text));
        }
    }
}
