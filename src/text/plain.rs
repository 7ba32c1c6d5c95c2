//! Text as users' editors and shells leave it.

use super::escape;

/// What some editors put before the first character of a file.
pub const BOM: char = '\u{feff}';

/// The text without a byte order mark, and without white space and carriage returns at its end.
pub fn trimmed(text: &str) -> &str {
    text.strip_prefix(BOM).unwrap_or(text).trim_end()
}

/// Refuses control characters other than tabs and line breaks.
///
/// # Errors
/// There is one; the message is a rule that shows it escaped, and nothing else of the text.
pub fn check_controls(text: &str) -> Result<(), String> {
    let control = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    match text.find(control).and_then(|at| text[at..].chars().next()) {
        None => Ok(()),
        Some(c) => Err(format!("has the control character {}", escape::single_line(c.encode_utf8(&mut [0; 4])))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_and_shells_leave_is_dropped() {
        assert_eq!(trimmed("\u{feff} a b\t\r\n\r\n"), " a b");
        assert_eq!(trimmed(""), "");
    }

    #[test]
    fn a_control_character_is_shown_escaped() {
        assert_eq!(check_controls("a\tb\r\nc"), Ok(()));
        assert_eq!(check_controls("a\u{1b}[1m"), Err(r"has the control character \u001b".to_owned()));
    }
}
