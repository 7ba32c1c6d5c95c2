//! Lines of a given width.

use unicode_width::UnicodeWidthStr;

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
