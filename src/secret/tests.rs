use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::text::percent;

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

const SECRET: &str = "hT7Wq-Zk+Lm/9vBx_R4n=Ds%2bPf\\Yg8Jc\"u";

/// The text with each character in this notation.
fn each(text: &str, notation: impl Fn(u8) -> String) -> String {
    text.bytes().map(notation).collect()
}

fn masks() -> Masks {
    let masks = Masks::default();
    masks.add(&SECRET.into());
    masks
}

#[test]
fn a_known_secret_is_masked_in_every_notation() {
    let json = json!(SECRET).to_string();
    let unicode = each(SECRET, |b| format!("\\u{b:04X}"));
    let hex = each(SECRET, |b| format!("{b:02x}"));
    let wrapped =
        STANDARD.encode(SECRET).as_bytes().chunks(7).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
    let table = [
        SECRET.to_owned(),
        SECRET.to_uppercase(),
        SECRET.to_lowercase(),
        each(SECRET, |b| format!("{} \n", char::from(b))).trim_end().to_owned(),
        percent::encode(SECRET).to_string(),
        each(SECRET, |b| format!("%{b:02X}")),
        json[1..json.len() - 1].to_owned(),
        unicode,
        hex.clone(),
        hex.to_uppercase(),
        STANDARD.encode(SECRET).trim_end_matches('=').to_owned(),
        URL_SAFE_NO_PAD.encode(SECRET),
        percent::encode(STANDARD.encode(SECRET).trim_end_matches('=')).to_string(),
        STANDARD.encode(SECRET).trim_end_matches('=').replace('/', "\\/"),
        wrapped.trim_end_matches('=').to_owned(),
        // A document in a document in a document.
        json!(json!(json).to_string()).to_string().trim_matches(['"', '\\']).to_owned(),
    ];
    for text in table {
        assert_eq!(masks().mask(&format!("«{text}»")), "«****»", "{text}");
    }
}

#[test]
fn fifteen_characters_of_a_secret_are_shown_and_sixteen_are_not() {
    assert_eq!(masks().mask(&SECRET[..15]), SECRET[..15]);
    for start in 0..SECRET.len() - 16 {
        assert_eq!(masks().mask(&SECRET[start..start + 16]), "****", "{start}");
    }
}

#[test]
fn what_is_public_in_a_key_is_not_masked() {
    let masks = Masks::default();
    let pem = "PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <ajekey00000000000001>\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END PRIVATE KEY-----\n";
    masks.add(&json!({"service_account_id": "aje0aaaaaaaaaaaaaaaa", "private_key": pem}).to_string().into());
    let public = "service_account_id aje0aaaaaaaaaaaaaaaa: ajekey00000000000001 -----BEGIN PRIVATE";
    assert_eq!(masks.mask(public), public);
    assert_eq!(masks.mask("<IBADANBgkqhkiG9w0BAQEF>"), "<****>");
}

#[test]
fn a_long_text_is_masked_in_linear_time() {
    let size = 1 << 20;
    let started = std::time::Instant::now();
    for piece in ["eyJ", "-----BEGIN ", "YC", "t1.", "%5C", "\\u005c", "a"] {
        let text = piece.repeat(size / piece.len());
        masks().mask(&text);
    }
    // Quadratic time would be minutes, on any machine.
    assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn a_part_of_a_secret_is_masked_wherever_it_stands(
        before in "[ -~é\n]{0,40}", after in "[ -~é\n]{0,40}", start in 0..20_usize, length in 16..17_usize,
        notation in 0..5,
    ) {
        let part = &SECRET[start..start + length];
        let shown = match notation {
            0 => part.to_owned(),
            1 => STANDARD.encode(part),
            2 => each(part, |b| format!("{b:02x}")),
            3 => each(part, |b| format!("%{b:02X}")),
            _ => each(part, |b| format!("\\u{b:04x}")),
        };
        let masked = masks().mask(&format!("{before}«{shown}»{after}"));
        prop_assert!(!masked.contains(&shown), "{}", masked);
        let bare = masks().mask(&format!("{shown}{after}"));
        prop_assert!(!bare.contains(&shown), "{}", bare);
    }

    #[test]
    fn what_has_nothing_of_a_secret_is_left_as_it_is(text in "[a-f%\\\\u0-9é \n]{0,200}") {
        prop_assert_eq!(masks().mask(&text), text);
    }
}
