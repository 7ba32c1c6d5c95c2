//! Changing one section of a file; every other byte is left alone.

use std::ops::Range;

use super::ini::{BOM, Document, Section, is_blank_or_comment, line_end, without_end};

/// A key and its new value; without one the key is removed.
pub(super) type Change<'a> = (&'static str, Option<&'a str>);

impl<'a> Document<'a> {
    /// The content with these changes in a section: values are replaced where they stand, a key that is missing comes
    /// behind those that are there.
    pub(super) fn with_changes(&self, section: &Section, changes: &[Change<'_>]) -> Vec<u8> {
        let mut replaced: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut dropped: Vec<Range<usize>> = Vec::new();
        let mut added: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut anchor = section.header;
        // As far as what follows, which would else be taken for a part of the value above it.
        let mut indent = self.indent_behind(section.header);
        for (key, value) in changes {
            let entry = section.entries.iter().find(|entry| entry.name == *key);
            match (entry, value) {
                (Some(entry), Some(value)) => {
                    anchor = entry.lines.start;
                    let line = self.lines[anchor];
                    indent = indent_of(line);
                    replaced.push((anchor, [&line[..entry.value_at], value.as_bytes(), line_end(line)].concat()));
                    dropped.push(entry.lines.start + 1..entry.lines.end);
                }
                (Some(entry), None) => dropped.push(entry.lines.clone()),
                (None, Some(value)) => {
                    added.push((anchor, [indent, key.as_bytes(), b" = ", value.as_bytes()].concat()));
                }
                (None, None) => {}
            }
        }
        let newline = self.newline(section.header);
        let mut content = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let in_value = dropped.iter().any(|lines| lines.contains(&number));
            let gone = in_value && !is_blank_or_comment(without_end(line).trim_ascii());
            match replaced.iter().find(|(at, _)| *at == number) {
                Some((_, replacement)) => content.extend_from_slice(replacement),
                None if gone => {}
                None => content.extend_from_slice(line),
            }
            for (_, line) in added.iter().filter(|(at, _)| *at == number) {
                end_line(&mut content, newline);
                content.extend_from_slice(line);
                content.extend_from_slice(newline);
            }
        }
        content
    }

    /// The content with a new section at its end.
    pub(super) fn with_section(&self, title: &str, changes: &[Change<'_>]) -> Vec<u8> {
        let newline = self.newline(0);
        let mut content = self.lines.concat();
        end_line(&mut content, newline);
        if self.lines.last().is_some_and(|line| !without_end(line).trim_ascii().is_empty() && without_end(line) != BOM)
        {
            content.extend_from_slice(newline);
        }
        let lines = changes.iter().filter_map(|(key, value)| Some(format!("{key} = {}", (*value)?)));
        for line in std::iter::once(format!("[{title}]")).chain(lines) {
            content.extend_from_slice(line.as_bytes());
            content.extend_from_slice(newline);
        }
        content
    }

    /// The white space before the next line that is neither blank nor a comment.
    fn indent_behind(&self, number: usize) -> &'a [u8] {
        let mut behind =
            self.lines[number + 1..].iter().filter(|line| !is_blank_or_comment(without_end(line).trim_ascii()));
        behind.next().map(|line| indent_of(line)).unwrap_or_default()
    }

    /// How this line ends, or else the first one.
    fn newline(&self, number: usize) -> &'a [u8] {
        let ends = self.lines.get(number).into_iter().chain(self.lines.first()).map(|line| line_end(line));
        ends.into_iter().find(|end| !end.is_empty()).unwrap_or(b"\n")
    }
}

fn indent_of(line: &[u8]) -> &[u8] {
    &line[..line.len() - line.trim_ascii_start().len()]
}

/// Ends the last line if it has no end yet; a byte order mark is not a line.
fn end_line(content: &mut Vec<u8>, newline: &[u8]) {
    if !content.is_empty() && content != BOM && !content.ends_with(b"\n") {
        content.extend_from_slice(newline);
    }
}
