//! Lines of a given width.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text in lines of at most this many columns. A word that is longer has a line of its own: a terminal breaks it, and
/// it can still be copied.
pub fn words(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width().saturating_add(1 + word.width()) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The text with its lines broken at spaces where they are wider than `width` columns; indented lines stay. A command to
/// type stays on one line, from the name of its program to a punctuation mark or the end of the line: a terminal breaks it
/// where it is too long, and it can still be copied.
pub fn lines(text: &str, width: usize) -> String {
    // Indented lines are samples, but for values, arguments that are missing and the further lines of a usage.
    let is_prose = |line: &str| ["  [", "  <", "       "].iter().any(|start| line.starts_with(start));
    let is_sample = |line: &str| line.starts_with(' ') && !is_prose(line);
    let fits = |line: &str| is_sample(line) || line.width() <= width;
    let whole = text.split('\n').map(|line| if fits(line) { line.to_owned() } else { broken(line, width) });
    whole.collect::<Vec<_>>().join("\n")
}

fn broken(line: &str, width: usize) -> String {
    let mut broken = String::new();
    let mut column = None;
    let mut words = line.split(' ').peekable();
    let is_usage = line.contains("Usage: ") || line.starts_with(' ');
    while let Some(word) = words.next() {
        let mut part = word.to_owned();
        if !is_usage && matches!(word.trim_start_matches(['\'', '(', '"']), "yc-rs" | "yc") {
            while let Some(next) = words.next_if(|_| !part.ends_with([';', ',', ')', ':'])) {
                part.push(' ');
                part.push_str(next);
            }
        }
        let start = match column {
            None => 0,
            Some(column) if column + 1 + part.width() <= width => {
                broken.push(' ');
                column + 1
            }
            Some(_) => {
                broken.push('\n');
                0
            }
        };
        broken.push_str(&part);
        column = Some(start + part.width());
    }
    broken
}

/// How many characters are looked at for each column: with marks above and below it, a letter has several.
const MOST_CHARACTERS_OF_A_COLUMN: usize = 8;

/// The text in `width` columns, with `…` at its end where it is longer.
pub fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return text.into();
    }
    // Characters together can be wider than each of them: an emoji and the sign that makes it one.
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).take(MOST_CHARACTERS_OF_A_COLUMN * width);
    let is_between = |end: &usize| text[*end..].chars().next().is_none_or(|next| next.width() != Some(0));
    let end = ends.take_while(|end| text[..*end].width() < width).filter(is_between).last().unwrap_or_default();
    format!("{}…", text[..end].trim_end()).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_commands_stay_whole() {
        let table = [
            ("ERROR: one two three\n", "ERROR: one\ntwo three\n"),
            ("  an indented line stays\nab", "  an indented line stays\nab"),
            ("type: yc-rs config set a b; or wait", "type:\nyc-rs config set a b;\nor wait"),
            ("  [values: a, bcd]", "  [values:\na, bcd]"),
            ("hint: Usage: yc-rs a b c", "hint:\nUsage:\nyc-rs a b c"),
            ("ab  cd 0123456789012 e", "ab  cd\n0123456789012\ne"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(lines(text, 11), expected);
        }
    }

    #[test]
    fn a_text_that_is_cut_is_never_wider_than_it_may_be() {
        let emoji = "\u{263a}\u{fe0f}".repeat(17);
        for (text, width, expected) in [
            ("abcdef", 4, "abc…"),
            ("ключ 钥匙", 7, "ключ…"),
            (&*emoji, 6, "\u{263a}\u{fe0f}\u{263a}\u{fe0f}…"),
            ("ab", 1, "…"),
        ] {
            assert_eq!(cut(text, width), expected);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_wider_than_it_is_cut_to(text in "\\PC{0,40}|[\u{263a}\u{fe0f}\u{200d}a]{0,40}", width in 1_usize..30) {
            prop_assert!(cut(&text, width).width() <= width);
        }

        #[test]
        fn breaking_changes_nothing_but_spaces_to_line_breaks(text in "[a-z ;\n]{0,200}", width in 0_usize..90) {
            prop_assert_eq!(lines(&text, width).replace('\n', " "), text.replace('\n', " "));
        }
    }
}
