//! How a value that the user gave is shown in a message: on one line, not too long, and never a secret.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::escape;
use super::form::{self, Form};

/// The longest value, in characters, that is shown in full.
pub const LONGEST: usize = 80;

/// The longest line of another program, in characters, that is shown in full.
pub const LONGEST_LINE: usize = 400;

/// The value between single quotation marks: escaped, and cut to [`LONGEST`] characters. One that looks like a secret is
/// described in parentheses instead, e.g. `(an IAM token, not shown)`.
pub fn value(text: &str) -> String {
    match describe(text) {
        Some(description) => description,
        None => format!("'{}'", cut(&escape::single_line(text))),
    }
}

/// As [`value`], without the quotation marks.
pub fn bare(text: &str) -> String {
    describe(text).unwrap_or_else(|| cut(&escape::single_line(text)).into_owned())
}

/// A word of a command for sh, as a hint shows it: in single quotes, within which a shell changes nothing.
pub fn for_sh(word: &str) -> String {
    format!("'{}'", escape::single_line(word).replace('\'', r"'\''"))
}

/// A path as a word of a command for sh, in quotation marks only where it needs them.
pub fn path_for_sh(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c));
    if is_plain { full_path(path) } else { for_sh(&text) }
}

/// Several values without quotation marks, separated by commas.
pub fn list(values: &[&str]) -> String {
    values.iter().map(|value| bare(value)).collect::<Vec<_>>().join(", ")
}

/// As [`value`], for a path.
pub fn path(path: &Path) -> String {
    value(&path.to_string_lossy())
}

/// The ID of a request, as a server sends it: escaped and cut. It is random by its nature, so that digits in
/// hexadecimal are shown, of which no secret of the cloud consists.
pub fn request_id(text: &str) -> String {
    let is_hexadecimal = text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-' | ':'));
    let secret = form::secret_in(text).filter(|form| *form != Form::Random || !is_hexadecimal);
    secret.map_or_else(|| cut(&escape::single_line(text)).into_owned(), describe_form)
}

/// A path without quotation marks; of a long one the end is shown, which tells more than the beginning.
pub fn bare_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    if let Some(description) = describe(&text) {
        return description;
    }
    let shown = escape::single_line(&text);
    match shown.chars().count() {
        length if length > LONGEST => format!("…{}", shown.chars().skip(length + 1 - LONGEST).collect::<String>()),
        _ => shown.into_owned(),
    }
}

/// A path without quotation marks and of any length, since it may have to be typed; one that looks like a secret is
/// described.
pub fn full_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    describe(&text).unwrap_or_else(|| escape::single_line(&text).into_owned())
}

/// The message of a library, such as a parser's, that may quote the text that it read: nothing of it when it holds a
/// secret, else on one line and not too long.
pub fn reason(message: impl fmt::Display) -> String {
    let message = message.to_string();
    describe(&message).unwrap_or_else(|| escape::single_line(&message).into_owned())
}

/// A line that another program wrote, such as an error: nothing of it when it holds a secret, else escaped, and cut to
/// [`LONGEST_LINE`] characters.
pub fn line(text: &str) -> String {
    describe(text).unwrap_or_else(|| cut_to(LONGEST_LINE, &escape::single_line(text)).into_owned())
}

fn describe(text: &str) -> Option<String> {
    form::secret_in(text).map(describe_form)
}

fn describe_form(form: Form) -> String {
    format!("({form}, not shown)")
}

fn cut(text: &str) -> Cow<'_, str> {
    cut_to(LONGEST, text)
}

fn cut_to(limit: usize, text: &str) -> Cow<'_, str> {
    if text.chars().nth(limit).is_none() {
        return Cow::Borrowed(text);
    }
    let start: String = text.chars().take(limit - 1).collect();
    Cow::Owned(start + "…")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_is_shown_on_one_line_of_at_most_80_characters() {
        assert_eq!(value("a\nb\u{1b}"), r"'a\nb\u001b'");
        assert_eq!(value(""), "''");
        assert_eq!(value(&"ж".repeat(80)), format!("'{}'", "ж".repeat(80)));
        assert_eq!(value(&"ж".repeat(81)), format!("'{}…'", "ж".repeat(79)));
        assert_eq!(bare("a\tb"), r"a\tb");
        let long = Path::new("/a").join("b".repeat(80));
        assert_eq!(bare_path(&long), format!("…{}", "b".repeat(79)));
        assert_eq!(bare_path(Path::new("/a/b")), "/a/b");
        assert_eq!(full_path(&Path::new("/a").join("b/".repeat(60))), format!("/a/{}", "b/".repeat(60)));
    }

    #[test]
    fn a_secret_is_described() {
        assert_eq!(value("AQVNyDKEGi3RHfWyP3kgMCDbE3LPDjC1"), "(an API key, not shown)");
        assert_eq!(bare("{\"private_key\": \"x\"}"), "(an authorized key in JSON, not shown)");
        assert_eq!(path(Path::new("/tmp/y0_AgAAAAABcdefGhijkLmnop")), "(an OAuth token, not shown)");
        assert_eq!(reason("unknown field `y0_AgAAAAABcdefGhijkLmnop`"), "(an OAuth token, not shown)");
        assert_eq!(reason("unknown field `a`"), "unknown field `a`");
        assert_eq!(request_id("AQVNyDKEGi3RHfWyP3kgMCDbE3LPDjC1"), "(an API key, not shown)");
        let trace = "00-3f2a9c4e7b1d8056e4f3a2b1c0d9e8f7-a6b5c4d3e2f10a9b-01";
        assert_eq!(request_id(trace), trace);
    }

    proptest! {
        #[test]
        fn no_value_is_longer_than_a_line(text in "\\PC{0,200}") {
            prop_assert!(bare(&text).chars().count() <= LONGEST);
        }
    }
}
