//! The session policy that narrows the rights of a short-lived key: as it is sent, built from rules ([`intent`]), and
//! looked through for mistakes ([`review`]).
//!
//! Source: yandex-cloud/docs, `en/_includes/iam/create-sts-key.md` for the form.

mod action;
mod condition;
mod duplicate_keys;
pub mod finding;
pub mod intent;
mod meaning;
pub mod review;

use serde::de::IgnoredAny;

use crate::api::temporary_access_key::MAX_POLICY;

/// What the name of a bucket or an object begins with in a policy.
///
/// Source: yandex-cloud/docs, `en/storage/s3/api-ref/policy/scheme.md`.
const ARN_START: &str = "arn:aws:s3:::";

/// Where the text of a policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<'a> {
    /// The argument is the policy itself.
    Inline(&'a str),
    /// In a file of this path, or on standard input when it is `-`.
    File(&'a str),
}

/// Tells a policy from the path of a file that holds one: a policy begins with a brace.
pub fn place(argument: &str) -> Place<'_> {
    let text = argument.strip_prefix('\u{feff}').unwrap_or(argument);
    if text.trim_start().starts_with('{') {
        Place::Inline(text)
    } else {
        Place::File(argument.strip_prefix("file://").unwrap_or(argument))
    }
}

/// The bucket and, behind a slash, the key.
fn bucket_and_key(name: &str) -> (&str, Option<&str>) {
    name.split_once('/').map_or((name, None), |(bucket, key)| (bucket, Some(key)))
}

/// The policy as it is sent: without insignificant white space, otherwise to the letter.
///
/// # Errors
/// The text is not a JSON object, or is too long; the message says where or how much.
pub fn compact(text: &str) -> Result<String, String> {
    let compact = compact_of_any_length(text)?;
    check_length(&compact)?;
    Ok(compact)
}

/// The policy without insignificant white space.
///
/// # Errors
/// The text is not a JSON object; the message says where.
fn compact_of_any_length(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        format!("is not JSON: {reason} at line {}, column {}", error.line(), error.column())
    })?;
    let compact = without_white_space(text);
    if compact.starts_with('{') { Ok(compact) } else { Err("must be a JSON object".to_owned()) }
}

/// Refuses a compact policy that is too long.
///
/// # Errors
/// It is; the message says how long it is.
fn check_length(compact: &str) -> Result<(), String> {
    match compact.chars().count() {
        length if length > MAX_POLICY => {
            Err(format!("has {length} characters without white space, but at most {MAX_POLICY} are allowed"))
        }
        _ => Ok(()),
    }
}

/// The JSON text less the white space between tokens. Working on the text keeps what parsing and printing would
/// lose: duplicate keys, the form of numbers, escapes.
fn without_white_space(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for c in json.chars() {
        if !in_string && c.is_ascii_whitespace() {
            continue;
        }
        compact.push(c);
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = in_string,
            '"' => in_string = !in_string,
            _ => {}
        }
    }
    compact
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_brace_makes_a_policy_and_anything_else_a_path() {
        assert_eq!(place("{}"), Place::Inline("{}"));
        assert_eq!(place(" \n{}"), Place::Inline(" \n{}"));
        assert_eq!(place("\u{feff}{}"), Place::Inline("{}"));
        assert_eq!(place("file://p.json"), Place::File("p.json"));
        assert_eq!(place("p.json"), Place::File("p.json"));
        assert_eq!(place("-"), Place::File("-"));
    }

    #[test]
    fn duplicate_keys_numbers_and_escapes_are_sent_as_written() {
        let text = "\u{feff}{ \"a\" : 1.0 ,\r\n \"a\": \"x \\\" y\\\\\", \"b\":[ 1e2 ] }";
        assert_eq!(compact(text).unwrap(), r#"{"a":1.0,"a":"x \" y\\","b":[1e2]}"#);
    }

    #[test]
    fn what_is_no_policy_is_refused_with_the_place() {
        let cases = [
            ("", "is not JSON"),
            ("{", "is not JSON: EOF while parsing an object at line 1, column 1"),
            ("{} x", "is not JSON"),
            ("[]", "must be a JSON object"),
            ("\"s\"", "must be a JSON object"),
        ];
        for (text, expected) in cases {
            let error = compact(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_size_is_counted_in_characters_without_white_space() {
        let of = |length: usize| format!("{{ \"a\": \"{}\" }}", "ж".repeat(length - 8));
        assert!(compact(&of(2048)).is_ok());
        let error = compact(&of(2049)).unwrap_err();
        assert!(error.contains("2049") && error.contains("2048"), "{error}");
    }

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<i64>().prop_map(Value::from), ".{0,12}".prop_map(Value::from), Just(Value::Null)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::hash_map(".{0,6}", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_meaning_stays_and_the_white_space_goes(document in documents()) {
            let policy = json!({"Statement": document});
            let pretty = serde_json::to_string_pretty(&policy).unwrap();
            prop_assert_eq!(without_white_space(&pretty), policy.to_string());
        }

        #[test]
        fn reading_never_panics(text in ".{0,40}") {
            let _ = compact(&text);
            let _ = without_white_space(&text);
        }
    }
}
