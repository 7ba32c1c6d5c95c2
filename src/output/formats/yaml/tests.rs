use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::output::tests::any_value;

fn document(value: &Value, terminal: bool) -> String {
    super::document(&Node::from(value), terminal)
}

fn shown(text: &str) -> String {
    document(&json!([text]), false)[2..].trim_end_matches('\n').to_owned()
}

#[test]
fn ids_secrets_and_descriptions_are_bare() {
    let table = [
        "aje6t3vsbj8l0n8X6WY6",
        "0n8X6WY6S24N",
        "JyTRFdqw8t1kh2-OJNz4JX5ZTz9Dj1rI",
        "YCOs05v-KRXqhYpUINdWArH4MINhMyJ6CGU_x",
        "-starts-with-a-dash",
        "t1.9euelZ",
        "my key (for bot@example.com), a:b; it's 50%",
        "Ключ для сервиса «S3» 😀",
        "type.googleapis.com/yandex.cloud.iam.v1.CreateAccessKeyMetadata",
        "1.2.3.4",
        "12:99",
        "2024-01",
        "10 keys",
        "back\\slash",
        "C#",
        "nobody",
    ];
    for text in table {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn what_has_another_type_is_in_double_quotes() {
    let table = [
        "2018-11-22T14:37:51Z",
        "2025-12-16T06:23:51.383485065Z",
        "2025-12-16T06:23:51+03:00",
        "2024-9-8",
        "2001-12-14 21:59:43.10 -5",
        "2147483648",
        "-1",
        "+1",
        "007",
        "0899",
        "1_000",
        "1e3",
        "12e03",
        "1.",
        ".5",
        "-.5",
        "1.5E-7",
        "0x1F",
        "0o17",
        "0b11",
        "0b-1",
        "12:30",
        "190:20:30",
        "190:20:30.15",
        "",
        "~",
        "null",
        "NULL",
        "true",
        "no",
        "Off",
        "y",
        "N",
        ".inf",
        "-.INF",
        ".NaN",
        "=",
        "<<",
    ];
    for text in table {
        assert_eq!(shown(text), format!("\"{text}\""));
    }
}

#[test]
fn what_means_something_to_yaml_is_in_single_quotes() {
    let table = [
        "@type", "#1", "- a", "-", "?", ": a", "a: b", "a:", "a #b", "[x]", "{x}", "*", "&x", "!x", "|", ">", "%x",
        "`", "\"q\"", " a", "a ", "---", "...", ",",
    ];
    for text in table {
        assert_eq!(shown(text), format!("'{text}'"));
    }
    assert_eq!(shown("'it's'"), "'''it''s'''");
}

#[test]
fn what_cannot_be_shown_is_escaped() {
    assert_eq!(shown("a\tb"), r#""a\tb""#);
    assert_eq!(shown("\0\u{7}\u{8}\u{b}\u{c}\r\u{1b}\"\\"), r#""\0\a\b\v\f\r\e\"\\""#);
    assert_eq!(shown("\u{7f}\u{85}\u{9b}\u{2028}\u{2029}\u{feff}"), r#""\x7F\N\x9B\L\P\uFEFF""#);
    assert_eq!(shown("\u{202e}x"), "\u{202e}x");
    assert_eq!(document(&json!({"a\u{200f}": "\u{202e}x"}), true), "\"a\\u200F\": \"\\u202Ex\"\n");
}

#[test]
fn several_lines_are_a_block_where_that_is_safe() {
    let value =
        json!({"a": "x\n  y\n", "b": ["x\n\ny", "x\n\n"], "c": " x\ny", "d": "x \ny", "e": "x\r\ny", "f": "\n"});
    let yaml = "a: |\n  x\n    y\nb:\n  - |-\n    x\n\n    y\n  - |+\n    x\n\nc: \" x\\ny\"\nd: \"x \\ny\"\n\
                e: \"x\\r\\ny\"\nf: \"\\n\"\n";
    assert_eq!(document(&value, false), yaml);
    assert_eq!(document(&json!("x\ny"), false), "\"x\\ny\"\n");
}

/// Source of the form: yandex-cloud/docs, `en/cli/concepts/mode.md`.
#[test]
fn an_operation_prints_as_documented() {
    let value = json!({
        "id": "fhm",
        "created_at": "2019-09-30T10:01:02Z",
        "done": true,
        "metadata": {"@type": "type.googleapis.com/yandex.cloud.M", "memory": "2147483648", "ids": ["a", "b"]},
        "empty": {"list": [], "map": {}, "none": null},
    });
    let yaml = "id: fhm\ncreated_at: \"2019-09-30T10:01:02Z\"\ndone: true\nmetadata:\n  \
                '@type': type.googleapis.com/yandex.cloud.M\n  memory: \"2147483648\"\n  ids:\n    - a\n    - b\n\
                empty:\n  list: []\n  map: {}\n  none: null\n";
    assert_eq!(document(&value, false), yaml);
}

#[test]
fn nested_sequences_and_long_keys() {
    assert_eq!(document(&json!([[1, [2]], {"a": [{"b": 1}]}]), false), "- - 1\n  - - 2\n- a:\n    - b: 1\n");
    let long = "k".repeat(129);
    let yaml = format!("? {long}\n: a: 1\n  b: 2\nc: d\n");
    assert_eq!(document(&json!({&long: {"a": 1, "b": 2}, "c": "d"}), false), yaml);
}

#[test]
fn numbers_are_numbers_to_old_readers_too() {
    let value = json!([1.0, 1e300, 1.5e-7, -0.5, 1e16, u64::MAX]);
    assert_eq!(document(&value, false), "- 1.0\n- 1.0e+300\n- 1.5e-7\n- -0.5\n- 1.0e+16\n- 18446744073709551615\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_document_reads_back_as_the_same_value(value in any_value(), terminal: bool) {
        let yaml = document(&value, terminal);
        let again: Value = serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml:?}"));
        prop_assert_eq!(again, value, "{:?}", yaml);
    }
}
