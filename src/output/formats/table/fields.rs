//! The columns that the fields of a message make, and the text of their cells.

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono::{DateTime, FixedOffset};

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

/// The heading of a column. The response can choose it, too, so it is escaped as the cells are.
pub fn header(path: &[String], terminal: bool) -> Cow<'static, str> {
    escape_cell(name(path).replace('_', " ").to_uppercase().into(), terminal)
}

/// The value in the column of this path.
pub fn value<'a, 'n>(document: &'a Node<'n>, path: &[String]) -> Option<&'a Node<'n>> {
    path.iter().try_fold(document, |value, name| value.get(name))
}

/// Sorts rows by a column: numbers by value, then times by point in time, then other texts by their characters. Rows
/// without a value come last. Rows with the same value keep their order.
pub fn sort(documents: &mut [Node<'_>], path: &[String], descending: bool) {
    documents.sort_by(|a, b| match (value(a, path).map(SortKey::of), value(b, path).map(SortKey::of)) {
        (Some(a), Some(b)) if descending => b.compare(&a),
        (Some(a), Some(b)) => a.compare(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
}

/// What a value is sorted by. Each kind is compared with its own kind alone, so that the order is total.
enum SortKey<'a> {
    Number(f64),
    Time(DateTime<FixedOffset>),
    Text(Cow<'a, str>),
}

impl<'a> SortKey<'a> {
    fn of(value: &'a Node<'_>) -> Self {
        let text = scalar_text(value);
        if let (Node::Number(_), Ok(number)) = (value, text.parse()) {
            return Self::Number(number);
        }
        DateTime::parse_from_rfc3339(&text).map_or(Self::Text(text), Self::Time)
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), _) | (Self::Time(_), Self::Text(_)) => Ordering::Less,
            (_, Self::Number(_)) | (Self::Text(_), Self::Time(_)) => Ordering::Greater,
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn sorted(values: &[Value], descending: bool) -> Vec<Value> {
        let rows: Vec<_> = values.iter().map(|value| json!({"x": value})).collect();
        let mut documents: Vec<_> = rows.iter().map(Node::from).collect();
        sort(&mut documents, &["x".to_owned()], descending);
        let texts = documents.iter().map(ToString::to_string);
        texts.map(|text| serde_json::from_str::<Value>(&text).unwrap()["x"].clone()).collect()
    }

    #[test]
    fn numbers_times_and_texts_have_one_order() {
        let values = [json!("9"), json!("1a"), json!("10"), json!(10), json!(9), json!("2026-01-01T00:00:00Z")];
        let expected = [json!(9), json!(10), json!("2026-01-01T00:00:00Z"), json!("10"), json!("1a"), json!("9")];
        assert_eq!(sorted(&values, false), expected);
    }

    proptest! {
        #[test]
        fn any_texts_can_be_sorted(texts in proptest::collection::vec("[0-9a]{1,3}", 0..80)) {
            let values: Vec<_> = texts.iter().map(|text| json!(text)).collect();
            let mut backwards = sorted(&values, true);
            backwards.reverse();
            prop_assert_eq!(sorted(&values, false), backwards);
        }
    }
}
