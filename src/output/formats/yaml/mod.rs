//! YAML as the Go library `yaml.v3` writes it with an indent of two, which is the form of `yc`'s own output.
//!
//! Strings are plain where that is safe; in double quotes where a reader of YAML 1.1 or 1.2 would take them for
//! another type (timestamps, numbers, `no`) or where they need escapes; in single quotes where they have syntax of
//! YAML; and a literal block when they have several lines. Lines are never folded.
//! Source: github.com/go-yaml/yaml, `encode.go`, `resolve.go` and `emitterc.go` of its branch v3.

use std::borrow::Cow;

use serde_json::Number;

use self::plain::{has_other_type, has_syntax};
use super::Documents;
use crate::message::{Node, Spelling};
use crate::text::escape;

mod plain;
#[cfg(test)]
mod tests;

/// Longer keys, in bytes, are written after a `?`: parsers search at most 1024 characters for a colon.
const MAX_SIMPLE_KEY: usize = 128;

/// The value as a YAML document without a `---` line.
///
/// For a terminal, characters that it would act on are written as escapes of YAML, so that the document keeps its
/// value.
pub fn document(value: &Node<'_>, terminal: bool) -> String {
    let mut emitter = Emitter { text: String::new(), terminal };
    emitter.push_value(value, 0);
    emitter.text
}

/// One message as a document, several as a sequence.
pub(super) fn render(documents: &Documents, terminal: bool) -> String {
    let mut shown = documents.iter(Spelling::Snake);
    if !documents.is_array {
        return shown.map(|value| document(&value, terminal)).collect();
    }
    let sequence: String = shown.by_ref().map(|value| item(value, terminal)).collect();
    if sequence.is_empty() { EMPTY.into() } else { sequence }
}

/// A sequence without items, as a document.
pub const EMPTY: &str = "[]\n";

/// An item of a sequence that is a document: the items of a sequence do not depend on each other.
pub fn item(value: Node<'_>, terminal: bool) -> String {
    document(&Node::Array(vec![value]), terminal)
}

struct Emitter {
    text: String,
    terminal: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

impl Emitter {
    /// Writes a value from here to the end of the line and, if it takes more lines, on lines indented by `indent`.
    fn push_value(&mut self, value: &Node<'_>, indent: usize) {
        match value {
            Node::Object(fields) if !fields.is_empty() => return self.push_mapping(fields, indent),
            Node::Array(items) if !items.is_empty() => return self.push_sequence(items, indent),
            Node::Object(_) => self.text.push_str("{}"),
            Node::Array(_) => self.text.push_str("[]"),
            Node::Null => self.text.push_str("null"),
            Node::Bool(set) => self.text.push_str(if *set { "true" } else { "false" }),
            Node::Number(number) => self.text.push_str(&number_text(number)),
            Node::String(text) => match self.style(text) {
                // A block at the top level would have to be indented without a parent.
                Style::Literal if indent > 0 => self.push_block(text, indent),
                style => self.push_inline(text, &style),
            },
        }
        self.text.push('\n');
    }

    fn push_mapping(&mut self, fields: &[(Cow<'_, str>, Node<'_>)], indent: usize) {
        for (position, (key, value)) in fields.iter().enumerate() {
            if position > 0 {
                self.push_indent(indent);
            }
            let simple = key.len() <= MAX_SIMPLE_KEY;
            if !simple {
                self.text.push_str("? ");
            }
            self.push_inline(key, &self.style(key));
            if !simple {
                self.text.push('\n');
                self.push_indent(indent);
                self.text.push_str(": ");
            } else if is_block(value) {
                self.text.push_str(":\n");
                self.push_indent(indent + 2);
            } else {
                self.text.push_str(": ");
            }
            self.push_value(value, indent + 2);
        }
    }

    fn push_sequence(&mut self, items: &[Node<'_>], indent: usize) {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.push_indent(indent);
            }
            self.text.push_str("- ");
            self.push_value(item, indent + 2);
        }
    }

    fn push_indent(&mut self, columns: usize) {
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
        } else if has_syntax(text) {
            Style::SingleQuoted
        } else {
            Style::Plain
        }
    }

    /// Writes a string on this line.
    fn push_inline(&mut self, text: &str, style: &Style) {
        match style {
            Style::Plain => self.text.push_str(text),
            Style::SingleQuoted => {
                self.text.push('\'');
                self.text.push_str(&text.replace('\'', "''"));
                self.text.push('\'');
            }
            Style::DoubleQuoted | Style::Literal => {
                self.text.push('"');
                text.chars().for_each(|c| self.push_quoted(c));
                self.text.push('"');
            }
        }
    }

    /// Writes a character of a string in double quotes.
    fn push_quoted(&mut self, c: char) {
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
    fn push_block(&mut self, text: &str, indent: usize) {
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
                self.push_indent(indent);
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
fn is_block(value: &Node<'_>) -> bool {
    match value {
        Node::Object(fields) => !fields.is_empty(),
        Node::Array(items) => !items.is_empty(),
        _ => false,
    }
}

/// The number as a reader of YAML 1.1 recognises it: with a point and a signed exponent.
fn number_text(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}
