//! Values as JSON, as jq writes them: jaq's own writer also writes what is not JSON.

use std::fmt::Write as _;

use jaq_json::{Num, Val};
use serde::de::IgnoredAny;

/// An object has a key that is not a string: the type of the key.
#[derive(Debug, PartialEq)]
pub(super) struct KeyType(pub(super) &'static str);

/// A value without white space.
pub(super) fn compact(value: &Val) -> Result<String, KeyType> {
    let mut text = String::new();
    write(&mut text, value, None)?;
    Ok(text)
}

/// A value with an indent of two spaces.
pub(super) fn pretty(value: &Val) -> Result<String, KeyType> {
    let mut text = String::new();
    write(&mut text, value, Some(0))?;
    Ok(text)
}

/// The type of a value, as jq calls it.
pub(super) fn type_name(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "boolean",
        Val::Num(_) => "number",
        Val::BStr(_) | Val::TStr(_) => "string",
        Val::Arr(_) => "array",
        Val::Obj(_) => "object",
    }
}

/// Writes a value; `level` is that of the indent, `None` for none.
fn write(text: &mut String, value: &Val, level: Option<usize>) -> Result<(), KeyType> {
    let inner = level.map(|level| level + 1);
    match value {
        Val::Null => text.push_str("null"),
        Val::Bool(true) => text.push_str("true"),
        Val::Bool(false) => text.push_str("false"),
        Val::Num(number) => text.push_str(&number_text(number)),
        Val::BStr(bytes) | Val::TStr(bytes) => write_string(text, &String::from_utf8_lossy(bytes)),
        Val::Arr(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                begin_item(text, position, inner);
                write(text, item, inner)?;
            }
            end_items(text, items.is_empty(), level);
            text.push(']');
        }
        Val::Obj(fields) => {
            text.push('{');
            for (position, (key, field)) in fields.iter().enumerate() {
                begin_item(text, position, inner);
                match key {
                    Val::BStr(key) | Val::TStr(key) => write_string(text, &String::from_utf8_lossy(key)),
                    other => return Err(KeyType(type_name(other))),
                }
                text.push_str(if level.is_some() { ": " } else { ":" });
                write(text, field, inner)?;
            }
            end_items(text, fields.is_empty(), level);
            text.push('}');
        }
    }
    Ok(())
}

fn begin_item(text: &mut String, position: usize, level: Option<usize>) {
    if position > 0 {
        text.push(',');
    }
    break_line(text, level);
}

fn end_items(text: &mut String, empty: bool, level: Option<usize>) {
    if !empty {
        break_line(text, level);
    }
}

fn break_line(text: &mut String, level: Option<usize>) {
    if let Some(level) = level {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", level));
    }
}

fn write_string(text: &mut String, string: &str) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            // Writing to a string does not fail.
            '\0'..='\u{1f}' | '\u{7f}' => drop(write!(text, "\\u{:04x}", u32::from(c))),
            other => text.push(other),
        }
    }
    text.push('"');
}

/// A number as jq writes it: integers and literals as they are, others with as few digits as tell them apart.
fn number_text(number: &Num) -> String {
    match number {
        Num::Int(integer) => integer.to_string(),
        Num::BigInt(integer) => integer.to_string(),
        Num::Dec(literal) if is_json_number(literal) => literal.to_string(),
        Num::Dec(literal) => literal.parse().map_or_else(|_| "null".to_owned(), float_text),
        Num::Float(float) => float_text(*float),
    }
}

fn is_json_number(literal: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(literal).is_ok()
}

/// Source: jq 1.6, `jv_print.c` for NaN and infinities, and `jvp_dtoa_fmt` in `jv_dtoa.c` for the choice of the form.
fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "null".to_owned();
    }
    let float = float.clamp(f64::MIN, f64::MAX);
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // The position of the decimal point, counted from the first digit.
    let point = exponent + 1;
    let longest = i32::try_from(digits).unwrap_or(i32::MAX).saturating_add(15);
    if float != 0.0 && (point <= -4 || point > longest) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    } else {
        format!("{float}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_the_form_that_jq_gives_them() {
        for (float, text) in [
            (3.0, "3"),
            (-2.5, "-2.5"),
            (0.0, "0"),
            (-0.0, "-0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e16, "1e+16"),
            (1.5e16, "15000000000000000"),
            (1e17, "1e+17"),
            (123_456_789e12, "123456789000000000000"),
            (1e100, "1e+100"),
            (0.0001, "0.0001"),
            (0.000_012_345, "1.2345e-05"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (f64::NAN, "null"),
            (f64::INFINITY, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-1.7976931348623157e+308"),
        ] {
            assert_eq!(float_text(float), text);
        }
    }

    #[test]
    fn a_literal_that_json_does_not_have_is_written_as_a_number() {
        let literal = |text: &str| number_text(&Num::Dec(text.to_owned().into()));
        assert_eq!(literal("1.50"), "1.50");
        assert_eq!(literal("1e1000"), "1e1000");
        assert_eq!((literal("+1.5"), literal(".5"), literal("1.")), ("1.5".into(), "0.5".into(), "1".into()));
    }
}
