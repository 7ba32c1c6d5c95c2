//! Escapes of control characters and bidirectional overrides, which make external text safe to show.
//!
//! A terminal acts on such characters. The name of a resource could otherwise move the cursor, change colours or make
//! one text look like another.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Escapes text that is shown on one line, line breaks and tabs too.
pub fn single_line(text: &str) -> Cow<'_, str> {
    chars_where(text, |c| matches!(c, '\n' | '\t') || is_hidden(c))
}

/// Escapes text that is shown on lines of its own; line breaks and tabs stay.
pub fn multiline(text: &str) -> Cow<'_, str> {
    chars_where(text, is_hidden)
}

/// Whether a terminal would act on the character instead of showing it.
///
/// These are the control characters but line break and tab (C0, DEL, C1), the bidirectional marks, embeddings,
/// overrides and isolates, and the line and paragraph separators.
/// Source: the Unicode Character Database, `PropList.txt`, `Bidi_Control`.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    }
}

/// Replaces the characters that meet a condition by `\n`, `\t`, `\r` or `\u` and four hexadecimal digits.
pub(crate) fn chars_where(text: &str, is_hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&is_hidden) else { return Cow::Borrowed(text) };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            c if !is_hidden(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            // Writing to a string cannot fail.
            c => _ = write!(shown, "\\u{:04x}", u32::from(c)),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        let table = [
            ("\u{1b}[2J", r"\u001b[2J"),
            ("a\rb\u{7f}\u{9b}", r"a\rb\u007f\u009b"),
            ("\u{202e}\u{2066}\u{200f}\u{61c}", r"\u202e\u2066\u200f\u061c"),
            ("\0\u{8}", r"\u0000\u0008"),
            ("Ключ: «S3» 😀 \\ \"q\"", "Ключ: «S3» 😀 \\ \"q\""),
        ];
        for (text, shown) in table {
            assert_eq!(single_line(text), shown);
            assert_eq!(multiline(text), shown);
        }
        assert_eq!(single_line("a\n\tb"), r"a\n\tb");
        assert_eq!(multiline("a\n\tb"), "a\n\tb");
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(single_line("Ключ 1"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_hidden_character_is_left(text in "\\PC*|[\\x00-\\xff\\u{2000}-\\u{2070}]*") {
            prop_assert!(!single_line(&text).chars().any(|c| c.is_control() || is_hidden(c)));
            prop_assert!(!multiline(&text).chars().any(is_hidden));
            prop_assert_eq!(single_line(&single_line(&text)).into_owned(), single_line(&text).into_owned());
        }
    }
}
