//! YAML as the Go library `yaml.v3` writes it with an indent of two, which is the form of `yc`'s own output.
//!
//! Strings are bare where that is safe; in double quotes where a reader of YAML 1.1 or 1.2 would take them for
//! another type (timestamps, numbers, `no`) or where they need escapes; in single quotes where a character of theirs
//! means something to YAML; and a literal block when they have several lines. Lines are never folded.
//! Source: github.com/go-yaml/yaml, `encode.go`, `resolve.go` and `emitterc.go` of its branch v3.

use serde_json::{Map, Number, Value};

use crate::text::escape;

/// Keys of more bytes are written behind a `?`: readers look no further than 1024 characters for a colon.
const LONGEST_SIMPLE_KEY: usize = 128;

/// The value as a YAML document without a `---` line.
///
/// On a terminal, characters that it would act on are written as escapes of YAML, so that the document still has
/// the same value.
pub fn document(value: &Value, terminal: bool) -> String {
    let mut emitter = Emitter { text: String::new(), terminal };
    emitter.node(value, 0);
    emitter.text
}

struct Emitter {
    text: String,
    terminal: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Style {
    Bare,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

impl Emitter {
    /// Writes a value from here to the end of the line and, if it takes more lines, on lines indented by `indent`.
    fn node(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(fields) if !fields.is_empty() => return self.mapping(fields, indent),
            Value::Array(items) if !items.is_empty() => return self.sequence(items, indent),
            Value::Object(_) => self.text.push_str("{}"),
            Value::Array(_) => self.text.push_str("[]"),
            Value::Null => self.text.push_str("null"),
            Value::Bool(set) => self.text.push_str(if *set { "true" } else { "false" }),
            Value::Number(number) => self.text.push_str(&number_text(number)),
            Value::String(text) => match self.style(text) {
                // A block at the top level would have to be indented without a parent.
                Style::Literal if indent > 0 => self.literal(text, indent),
                style => self.line(text, &style),
            },
        }
        self.text.push('\n');
    }

    fn mapping(&mut self, fields: &Map<String, Value>, indent: usize) {
        for (position, (key, value)) in fields.iter().enumerate() {
            if position > 0 {
                self.indent(indent);
            }
            let simple = key.len() <= LONGEST_SIMPLE_KEY;
            if !simple {
                self.text.push_str("? ");
            }
            self.line(key, &self.style(key));
            if !simple {
                self.text.push('\n');
                self.indent(indent);
                self.text.push_str(": ");
            } else if is_block(value) {
                self.text.push_str(":\n");
                self.indent(indent + 2);
            } else {
                self.text.push_str(": ");
            }
            self.node(value, indent + 2);
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize) {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.indent(indent);
            }
            self.text.push_str("- ");
            self.node(item, indent + 2);
        }
    }

    fn indent(&mut self, columns: usize) {
        self.text.extend(std::iter::repeat_n(' ', columns));
    }

    fn style(&self, text: &str) -> Style {
        let escaped = |c| self.needs_escape(c);
        if text.contains('\n') {
            let literal = !text.contains(escaped)
                && !text.starts_with([' ', '\t', '\n'])
                && !text.ends_with(' ')
                && !text.contains(" \n");
            return if literal { Style::Literal } else { Style::DoubleQuoted };
        }
        if has_other_type(text) || text.contains(|c| c == '\t' || escaped(c)) {
            Style::DoubleQuoted
        } else if has_meaning(text) {
            Style::SingleQuoted
        } else {
            Style::Bare
        }
    }

    /// Writes a string on this line.
    fn line(&mut self, text: &str, style: &Style) {
        match style {
            Style::Bare => self.text.push_str(text),
            Style::SingleQuoted => {
                self.text.push('\'');
                self.text.push_str(&text.replace('\'', "''"));
                self.text.push('\'');
            }
            Style::DoubleQuoted | Style::Literal => {
                self.text.push('"');
                text.chars().for_each(|c| self.quoted(c));
                self.text.push('"');
            }
        }
    }

    /// Writes a character of a string in double quotes.
    fn quoted(&mut self, c: char) {
        match c {
            '"' => self.text.push_str("\\\""),
            '\\' => self.text.push_str("\\\\"),
            '\n' => self.text.push_str("\\n"),
            '\t' => self.text.push_str("\\t"),
            '\r' => self.text.push_str("\\r"),
            '\0' => self.text.push_str("\\0"),
            '\u{7}' => self.text.push_str("\\a"),
            '\u{8}' => self.text.push_str("\\b"),
            '\u{b}' => self.text.push_str("\\v"),
            '\u{c}' => self.text.push_str("\\f"),
            '\u{1b}' => self.text.push_str("\\e"),
            '\u{85}' => self.text.push_str("\\N"),
            '\u{2028}' => self.text.push_str("\\L"),
            '\u{2029}' => self.text.push_str("\\P"),
            c if !self.needs_escape(c) => self.text.push(c),
            c => {
                let code = u32::from(c);
                let escape = if code <= 0xff { format!("\\x{code:02X}") } else { format!("\\u{code:04X}") };
                self.text.push_str(&escape);
            }
        }
    }

    /// Writes a string of several lines as a block.
    fn literal(&mut self, text: &str, indent: usize) {
        let (chomping, lines) = match text.strip_suffix('\n') {
            None => ("-", text),
            Some(lines) if lines.ends_with('\n') => ("+", lines),
            Some(lines) => ("", lines),
        };
        self.text.push('|');
        self.text.push_str(chomping);
        for line in lines.split('\n') {
            self.text.push('\n');
            if !line.is_empty() {
                self.indent(indent);
                self.text.push_str(line);
            }
        }
    }

    /// Whether a character, line break and tab aside, can be written as an escape only.
    fn needs_escape(&self, c: char) -> bool {
        match c {
            '\n' | '\t' => false,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
            c => c.is_control() || self.terminal && escape::is_hidden(c),
        }
    }
}

/// Whether the value takes lines of its own.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// The number so that a reader of YAML 1.1 sees one: it wants a point and a signed exponent.
fn number_text(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// Whether the bare text would be read as YAML's own syntax.
fn has_meaning(text: &str) -> bool {
    text.starts_with(['#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' '])
        || text.starts_with("---")
        || text.starts_with("...")
        || matches!(text.as_bytes(), [b'-' | b'?' | b':'] | [b'-' | b'?' | b':', b' ', ..])
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
}

/// Whether the bare text would be read as something else than a string, by the rules of YAML 1.1 or 1.2 or those
/// of a reader in wide use.
///
/// Source: yaml.org/type for bool, float, int, merge, null, timestamp and value; the core schema of YAML 1.2.2.
fn has_other_type(text: &str) -> bool {
    const WORDS: [&str; 17] = [
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "+.inf", "-.inf", "=",
        "<<",
    ];
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        || text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
            && (is_number(text) || is_timestamp(text))
}

fn is_number(text: &str) -> bool {
    // Readers drop underscores, wherever they stand.
    let text = text.replace('_', "");
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(&text);
    is_in_other_base(unsigned) || is_decimal(unsigned) || is_base_60(unsigned)
}

fn is_in_other_base(text: &str) -> bool {
    let Some((radix, digits)) = [("0b", 2), ("0o", 8), ("0x", 16)].into_iter().find_map(|(prefix, radix)| {
        let start = text.get(..2)?;
        start.eq_ignore_ascii_case(prefix).then(|| (radix, &text[2..]))
    }) else {
        return false;
    };
    digits.strip_prefix(['+', '-']).unwrap_or(digits).chars().all(|c| c.is_digit(radix))
}

fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (text, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    is_digits(whole)
        && is_digits(fraction)
        && is_digits(exponent)
        && !(whole.is_empty() && fraction.is_empty())
        && !exponent.is_empty()
}

/// `190:20:30.15`, a number to YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let Some((first, rest)) = whole.split_once(':') else { return false };
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    is_digits(first)
        && rest.split(':').all(|part| is_digits(part) && part.parse::<u8>().is_ok_and(|n| n < 60) && part.len() <= 2)
        && (fraction.is_empty() || is_digits(fraction))
}

/// `2001-12-14t21:59:43.10-05:00`, `2001-12-14 21:59:43.10 -5`, `2002-12-14`; the calendar is not looked at.
fn is_timestamp(text: &str) -> bool {
    let mut rest = Scanner(text);
    if !(rest.digits(4, 4) && rest.one(&['-']) && rest.digits(1, 2) && rest.one(&['-']) && rest.digits(1, 2)) {
        return false;
    }
    if rest.0.is_empty() {
        return true;
    }
    if !rest.one(&['T', 't']) && !rest.blanks() {
        return false;
    }
    if !(rest.digits(1, 2) && rest.one(&[':']) && rest.digits(1, 2) && rest.one(&[':']) && rest.digits(1, 2)) {
        return false;
    }
    if rest.one(&['.', ',']) {
        rest.digits(0, usize::MAX);
    }
    rest.blanks();
    if rest.one(&['+', '-']) {
        if !rest.digits(1, 2) {
            return false;
        }
        if rest.one(&[':']) && !rest.digits(2, 2) {
            return false;
        }
    } else {
        rest.one(&['Z', 'z']);
    }
    rest.0.is_empty()
}

/// What is left to read of a text.
struct Scanner<'a>(&'a str);

impl Scanner<'_> {
    /// Reads one of these characters, if it is next.
    fn one(&mut self, choices: &[char]) -> bool {
        let rest = self.0.strip_prefix(choices);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Reads the digits that are next, if there are so many.
    fn digits(&mut self, least: usize, most: usize) -> bool {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let fits = (least..=most).contains(&count);
        if fits {
            self.0 = &self.0[count..];
        }
        fits
    }

    /// Reads spaces and tabs.
    fn blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let any = rest.len() < self.0.len();
        self.0 = rest;
        any
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::output::tests::any_value;

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
}
