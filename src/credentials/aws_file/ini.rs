//! The text of a file: sections and their entries, line by line.
//!
//! Lines are understood as by `configparser` of Python, which the AWS CLI reads them with: names in any case, `=` or `:`,
//! comments on lines of their own, values that continue on lines indented further. Where other SDKs understand a line in
//! another way, the section remembers it.

use std::collections::HashSet;
use std::ops::Range;

/// A file taken apart.
pub(super) struct Document<'a> {
    /// Every line with its end.
    pub(super) lines: Vec<&'a [u8]>,
    pub(super) sections: Vec<Section>,
    /// Lines that look like a header but are indented, with the text in their brackets. For some readers they begin a
    /// section, for others they do not.
    pub(super) indented_headers: Vec<(usize, String)>,
    /// The first line that Python's `configparser` rejects the whole file for, a byte order mark aside.
    pub(super) unreadable_line: Option<usize>,
}

pub(super) struct Section {
    /// The text in the brackets of the header, as it is.
    pub(super) title: String,
    /// The line of the header.
    pub(super) header: usize,
    /// Whether something follows the brackets.
    pub(super) has_text_after: bool,
    pub(super) entries: Vec<Entry>,
    /// A line that is neither a key with a value nor a comment: what is written near it could be taken for a part of
    /// it, or it for a part of that.
    pub(super) malformed_line: Option<usize>,
}

pub(super) struct Entry {
    /// In lower case.
    pub(super) name: String,
    /// Where the value begins in its first line.
    pub(super) value_at: usize,
    /// The lines that it takes.
    pub(super) lines: Range<usize>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(content: &'a [u8]) -> Result<Self, String> {
        let lines: Vec<_> = content.split_inclusive(|byte| *byte == b'\n').collect();
        if content.contains(&0) {
            return Err("has zero bytes, as UTF-16 has, so AWS SDKs cannot read it; save it as UTF-8".to_owned());
        }
        if let Some(at) = lines.iter().position(|line| without_end(line).contains(&b'\r')) {
            return Err(format!("has a carriage return within line {}", at + 1));
        }
        let mut document =
            Self { lines: Vec::new(), sections: Vec::new(), indented_headers: Vec::new(), unreadable_line: None };
        let (mut titles, mut names) = (HashSet::new(), HashSet::new());
        // How far the name is indented whose value may go on.
        let mut open: Option<usize> = None;
        for (number, line) in lines.iter().enumerate() {
            let line = without_end(line);
            let mut is_readable = std::str::from_utf8(line).is_ok();
            let start = if number == 0 && line.starts_with(BOM) { BOM.len() } else { 0 };
            let trimmed = line[start..].trim_ascii();
            if is_blank_or_comment(trimmed) {
                document.note_readable(number, is_readable);
                continue;
            }
            let indent = line[start..].len() - line[start..].trim_ascii_start().len();
            let header = header(trimmed);
            if let Some((title, _)) = header.as_ref().filter(|_| indent > 0) {
                document.indented_headers.push((number, title.clone()));
            }
            if open.is_some_and(|column| indent > column) {
                if let Some(entry) = document.sections.last_mut().and_then(|section| section.entries.last_mut()) {
                    entry.lines.end = number + 1;
                }
                document.note_readable(number, is_readable);
                continue;
            }
            open = None;
            if let Some((title, has_text_after)) = header {
                is_readable &= !title.is_empty();
                // The section of the defaults may be there twice.
                is_readable &= titles.insert(title.clone()) || title == DEFAULTS;
                names.clear();
                document.note_readable(number, is_readable);
                let section =
                    Section { title, header: number, has_text_after, entries: Vec::new(), malformed_line: None };
                document.sections.push(section);
                continue;
            }
            let Some(section) = document.sections.last_mut() else {
                document.note_readable(number, false);
                continue;
            };
            if let Some(delimiter) = line.iter().position(|byte| matches!(byte, b'=' | b':')) {
                let name = String::from_utf8_lossy(line[start..delimiter].trim_ascii()).to_lowercase();
                let value = &line[delimiter + 1..];
                let value_at = line.len() - value.trim_ascii_start().len();
                is_readable &= !name.is_empty() && names.insert(name.clone());
                section.entries.push(Entry { name, value_at, lines: number..number + 1 });
                open = Some(indent);
            } else {
                section.malformed_line = Some(number);
                is_readable = false;
            }
            document.note_readable(number, is_readable);
        }
        document.lines = lines;
        Ok(document)
    }

    fn note_readable(&mut self, line: usize, is_readable: bool) {
        if !is_readable {
            self.unreadable_line.get_or_insert(line);
        }
    }

    /// Whether the file begins with a byte order mark.
    pub(super) fn has_bom(&self) -> bool {
        self.lines.first().is_some_and(|line| line.starts_with(BOM))
    }

    /// The value of an entry, without the comments within it.
    pub(super) fn value(&self, entry: &Entry) -> String {
        let first = without_end(self.lines[entry.lines.start]);
        // The white space before the value belongs to it, since a comment may begin right there.
        let before = first[..entry.value_at].trim_ascii_end().len();
        let rest = self.lines[entry.lines.clone()].iter().skip(1).map(|line| without_end(line));
        let parts =
            std::iter::once(&first[before..]).chain(rest.filter(|line| !is_blank_or_comment(line.trim_ascii())));
        parts.map(|line| String::from_utf8_lossy(without_comment(line)).into_owned()).collect::<Vec<_>>().join("\n")
    }
}

impl Section {
    /// The entry of this name that has a value.
    pub(super) fn entry(&self, name: &str, document: &Document<'_>) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name && !document.value(entry).is_empty())
    }
}

/// The section whose keys Python's `configparser` takes for a part of every other section.
pub(super) const DEFAULTS: &str = "DEFAULT";

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// The text in the brackets of a header, and whether something follows them.
fn header(line: &[u8]) -> Option<(String, bool)> {
    let inner = line.strip_prefix(b"[")?;
    let length = inner.iter().position(|byte| *byte == b']')?;
    Some((String::from_utf8_lossy(&inner[..length]).into_owned(), length + 1 < inner.len()))
}

/// A value without white space around it and without the comment at its end: most SDKs take `#` and `;` behind white
/// space for the beginning of one.
fn without_comment(value: &[u8]) -> &[u8] {
    let comment = value.windows(2).position(|pair| pair[0].is_ascii_whitespace() && matches!(pair[1], b'#' | b';'));
    value[..comment.unwrap_or(value.len())].trim_ascii()
}

/// Whether a line, trimmed, is blank or a comment.
pub(super) fn is_blank_or_comment(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b'#' | b';'))
}

/// A line without its end.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    &line[..line.len() - line_end(line).len()]
}

pub(super) fn line_end(line: &[u8]) -> &[u8] {
    let length = match line {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    &line[line.len() - length..]
}
