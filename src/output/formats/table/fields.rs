//! The columns that the fields of a message make, and the text of their cells.

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono::DateTime;

use crate::message::{Field, FieldKind, Message, Node};
use crate::text::escape;

/// The names of the fields that lead to the value of a column: more than one for a message within the message.
pub type Path = Vec<String>;

/// Which columns the format `table` shows, and in which order the rows stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// The columns; `None`: all.
    pub columns: Option<Vec<Path>>,
    /// The column by which the rows are sorted, and whether the largest value comes first; `None`: as received.
    pub sort: Option<(Path, bool)>,
}

/// The path to the value of each column: the message's fields in proto order, then the others in the order of the rows.
pub fn column_paths(message: &Message, rows: &[&Node<'_>]) -> Vec<Path> {
    let known = message.fields.iter().flat_map(|field| {
        let inner: Vec<_> = rows.iter().filter_map(|row| row.get(field.name)).collect();
        let below = match nested_message(field, &inner) {
            Some(message) => column_paths(message, &inner),
            None => vec![vec![]],
        };
        below.into_iter().map(|path| [vec![field.name.to_owned()], path].concat())
    });
    let mut paths: Vec<_> = known.collect();
    for row in rows {
        let Node::Object(fields) = row else { continue };
        for (name, _) in fields {
            if !paths.iter().any(|path| path[0] == *name) {
                paths.push(vec![name.clone().into_owned()]);
            }
        }
    }
    paths
}

/// The message whose fields are the columns instead of this field, unless a row has another value there.
fn nested_message(field: &Field, values: &[&Node<'_>]) -> Option<&'static Message> {
    match field.kind {
        FieldKind::Message(message) if !message.fields.is_empty() && values.iter().all(|value| value.is_object()) => {
            Some(message)
        }
        _ => None,
    }
}

/// The paths of the columns of a message, as far as they are known before there are rows.
pub fn known_paths(message: &Message) -> Vec<Path> {
    column_paths(message, &[])
}

/// The name of a column, as flags take it and JSON has it.
pub fn name(path: &[String]) -> String {
    path.join(".")
}

/// The heading of a column.
pub fn header(path: &[String]) -> String {
    name(path).replace('_', " ").to_uppercase()
}

/// The value in the column of this path.
pub fn value<'a, 'n>(document: &'a Node<'n>, path: &[String]) -> Option<&'a Node<'n>> {
    path.iter().try_fold(document, |value, name| value.get(name))
}

/// Sorts rows by a column: numbers by value, times by point in time, other texts by their characters. Rows without a
/// value come last. Rows with the same value keep their order.
pub fn sort(documents: &mut [Node<'_>], path: &[String], descending: bool) {
    documents.sort_by(|a, b| match (value(a, path), value(b, path)) {
        (Some(a), Some(b)) if descending => compare(b, a),
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
}

fn compare(a: &Node<'_>, b: &Node<'_>) -> Ordering {
    let (a, b) = (scalar_text(a), scalar_text(b));
    if let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) {
        return a.total_cmp(&b);
    }
    match (DateTime::parse_from_rfc3339(&a), DateTime::parse_from_rfc3339(&b)) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(&b),
    }
}

/// A scalar as it is, anything else as compact JSON.
pub fn scalar_text<'a>(value: &'a Node<'_>) -> Cow<'a, str> {
    match value {
        Node::String(text) => Cow::Borrowed(text),
        Node::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

/// The text with the characters escaped that would break the row, and for a terminal those that it would act on.
pub fn escape_cell(text: Cow<'_, str>, terminal: bool) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    match escape::chars_where(&text, |c| breaks(c) || terminal && escape::is_hidden(c)) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => Cow::Owned(escaped),
    }
}
