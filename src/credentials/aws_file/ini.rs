//! The text of the file: sections and their keys, read and changed line by line.
//!
//! Lines are understood as by `configparser` of Python, which the AWS CLI reads them with: names in any case, `=` or `:`,
//! comments on lines of their own, values that continue on lines indented further.

use crate::text::quote;

use std::ops::Range;

/// The content with these keys in the profile, and everything else as it was. `more` is for a profile that is new.
pub(super) fn with_profile(
    content: &[u8],
    profile: &str,
    keys: &[(&str, &str)],
    more: &[(&str, &str)],
) -> Result<Vec<u8>, String> {
    if let Some((key, _)) = keys.iter().chain(more).find(|(_, value)| !can_be_value(value)) {
        return Err(format!("cannot hold the value for {key}: it is empty or has white space or control characters"));
    }
    let document = Document::parse(content)?;
    match document.section(profile)? {
        Some(Section { malformed_line: Some(number), .. }) => {
            Err(format!("has a line that is neither a key with a value nor a comment: line {}", number + 1))
        }
        Some(section) => Ok(document.with_keys(section, keys)),
        None => Ok(document.with_section(profile, keys.iter().chain(more))),
    }
}

fn can_be_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A file taken apart.
pub(super) struct Document<'a> {
    /// Every line with its end.
    pub(super) lines: Vec<&'a [u8]>,
    pub(super) sections: Vec<Section>,
}

pub(super) struct Section {
    pub(super) name: String,
    /// The line of the header.
    header: usize,
    pub(super) entries: Vec<Entry>,
    /// A line that is neither a key with a value nor a comment: what is written near it could be taken for a part of
    /// it, or it for a part of that.
    malformed_line: Option<usize>,
}

pub(super) struct Entry {
    /// In lower case.
    pub(super) name: String,
    /// Where the value begins in its first line.
    value_at: usize,
    /// The lines that it takes.
    pub(super) lines: Range<usize>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(content: &'a [u8]) -> Result<Self, String> {
        let lines: Vec<_> = content.split_inclusive(|byte| *byte == b'\n').collect();
        if content.contains(&0) {
            return Err("is not a text file of one byte a character".to_owned());
        }
        if let Some(at) = lines.iter().position(|line| without_end(line).contains(&b'\r')) {
            return Err(format!("has a carriage return within line {}", at + 1));
        }
        let mut sections: Vec<Section> = Vec::new();
        // How far the name is indented whose value may go on.
        let mut open: Option<usize> = None;
        for (number, line) in lines.iter().enumerate() {
            let line = without_end(line);
            let start = if number == 0 && line.starts_with(BOM) { BOM.len() } else { 0 };
            let trimmed = line[start..].trim_ascii();
            if is_blank_or_comment(trimmed) {
                continue;
            }
            let indent = line[start..].len() - line[start..].trim_ascii_start().len();
            if open.is_some_and(|column| indent > column) {
                if let Some(entry) = sections.last_mut().and_then(|section| section.entries.last_mut()) {
                    entry.lines.end = number + 1;
                }
                continue;
            }
            open = None;
            if let Some(name) = header(trimmed) {
                sections.push(Section { name, header: number, entries: Vec::new(), malformed_line: None });
                continue;
            }
            let Some(section) = sections.last_mut() else { continue };
            if let Some(delimiter) = line.iter().position(|byte| matches!(byte, b'=' | b':')) {
                let name = String::from_utf8_lossy(line[start..delimiter].trim_ascii()).to_lowercase();
                let value = &line[delimiter + 1..];
                let value_at = line.len() - value.trim_ascii_start().len();
                section.entries.push(Entry { name, value_at, lines: number..number + 1 });
                open = Some(indent);
            } else {
                section.malformed_line = Some(number);
            }
        }
        Ok(Self { lines, sections })
    }

    /// The section of this name.
    pub(super) fn section(&self, name: &str) -> Result<Option<&Section>, String> {
        let mut found = self.sections.iter().filter(|section| section.name == name);
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => Err(format!(
                "has the profile {} twice, in lines {} and {}; remove one of them",
                quote::value(name),
                first.header + 1,
                second.header + 1
            )),
            (found, _) => Ok(found),
        }
    }

    pub(super) fn value(&self, entry: &Entry) -> String {
        let first = &without_end(self.lines[entry.lines.start])[entry.value_at..];
        let rest = self.lines[entry.lines.clone()].iter().skip(1).map(|line| without_end(line).trim_ascii());
        let parts = std::iter::once(first.trim_ascii()).chain(rest.filter(|line| !is_blank_or_comment(line)));
        parts.map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n")
    }

    /// The content with these keys in a section: values are replaced where they stand, a key that is missing comes
    /// behind those that are there.
    fn with_keys(&self, section: &Section, keys: &[(&str, &str)]) -> Vec<u8> {
        let mut replaced: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut dropped: Vec<usize> = Vec::new();
        let mut added: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut anchor = section.header;
        // As far as what follows, which would else be taken for a part of the value above it.
        let mut indent = self.indent_behind(section.header);
        for (key, value) in keys {
            let mut entries = section.entries.iter().filter(|entry| entry.name == *key);
            let Some(entry) = entries.next() else {
                added.push((anchor, [indent, key.as_bytes(), b" = ", value.as_bytes()].concat()));
                continue;
            };
            anchor = entry.lines.start;
            indent = indent_of(self.lines[anchor]);
            let line = self.lines[anchor];
            replaced.push((anchor, [&line[..entry.value_at], value.as_bytes(), line_end(line)].concat()));
            dropped.extend(entry.lines.clone().skip(1));
            dropped.extend(entries.flat_map(|again| again.lines.clone()));
        }
        let newline = self.newline(section.header);
        let mut content = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let gone = dropped.contains(&number) && !is_blank_or_comment(without_end(line).trim_ascii());
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
    fn with_section<'k>(&self, name: &str, keys: impl Iterator<Item = &'k (&'k str, &'k str)>) -> Vec<u8> {
        let newline = self.newline(0);
        let mut content = self.lines.concat();
        end_line(&mut content, newline);
        if self.lines.last().is_some_and(|line| !without_end(line).trim_ascii().is_empty() && without_end(line) != BOM)
        {
            content.extend_from_slice(newline);
        }
        let lines = keys.map(|(key, value)| format!("{key} = {value}"));
        for line in std::iter::once(format!("[{name}]")).chain(lines) {
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

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The name in the header of a section.
fn header(line: &[u8]) -> Option<String> {
    let inner = line.strip_prefix(b"[")?;
    let length = inner.iter().position(|byte| *byte == b']')?;
    Some(String::from_utf8_lossy(inner[..length].trim_ascii()).into_owned())
}

/// Whether a line, trimmed, is blank or a comment.
fn is_blank_or_comment(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b'#' | b';'))
}

fn indent_of(line: &[u8]) -> &[u8] {
    &line[..line.len() - line.trim_ascii_start().len()]
}

/// A line without its end.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    &line[..line.len() - line_end(line).len()]
}

fn line_end(line: &[u8]) -> &[u8] {
    let length = match line {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    &line[line.len() - length..]
}

/// Ends the last line if it has no end yet; a byte order mark is not a line.
fn end_line(content: &mut Vec<u8>, newline: &[u8]) {
    if !content.is_empty() && content != BOM && !content.ends_with(b"\n") {
        content.extend_from_slice(newline);
    }
}
