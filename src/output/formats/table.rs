//! Tables: the format `table`, and lists in the format `text`. They are drawn with `+`, `-` and `|`, as the Go library `tablewriter` draws them for `yc`.
//!
//! Source: github.com/olekukonko/tablewriter, `table.go` and `util.go` of v0.0.5: headers are centred with the odd
//! space on the right, cells have one space on either side, and a table without rows ends with two rules.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr;

use crate::message::{Field, FieldKind, Message, Node};
use crate::output::{Cell, Column};
use crate::text::escape;

/// The selected columns of a list, whose rows are added page by page. Cells are kept in one text with their ends, so that
/// a long list costs little more than its text.
pub struct Columns {
    selected: &'static [Column],
    terminal: bool,
    text: String,
    ends: Vec<usize>,
    widths: Vec<usize>,
}

impl Columns {
    /// A table without rows.
    pub fn new(columns: &'static [Column], terminal: bool) -> Self {
        let widths = columns.iter().map(|column| column.header.width()).collect();
        Self { selected: columns, terminal, text: String::new(), ends: Vec::new(), widths }
    }

    /// Adds a row for a document, whose field names are in `snake_case`.
    pub fn push(&mut self, document: &Node<'_>) {
        for (column, width) in self.selected.iter().zip(&mut self.widths) {
            let cell = escape_cell(column.cell.text(document), self.terminal);
            *width = (*width).max(cell.width());
            self.text.push_str(&cell);
            self.ends.push(self.text.len());
        }
    }

    /// Draws the table, and writes it in pieces.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn draw<E>(&self, mut write: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        const PIECE: usize = 64 << 10;
        let headers: Vec<_> = self.selected.iter().map(|column| column.header).collect();
        let mut table = top(&self.widths, &headers);
        let mut start = 0;
        for row in self.ends.chunks(self.selected.len()) {
            let cells: Vec<_> = row
                .iter()
                .map(|end| {
                    let cell = &self.text[start..*end];
                    start = *end;
                    cell
                })
                .collect();
            push_row(&mut table, &self.widths, &cells, |_| 0);
            if table.len() > PIECE {
                write(&table)?;
                table.clear();
            }
        }
        table.push_str(&bottom(&self.widths));
        write(&table)
    }
}

impl Cell {
    fn text<'a>(self, document: &'a Node<'_>) -> Cow<'a, str> {
        match self {
            Self::Field(name) => document.get(name).map(scalar_text).unwrap_or_default(),
            Self::Time(name) => {
                document.get(name).map(|value| format_time(&scalar_text(value)).into()).unwrap_or_default()
            }
            Self::Computed(text) => text(document).into(),
        }
    }
}

/// The time to the second, in UTC; a text that is not a timestamp stays as it is.
fn format_time(text: &str) -> String {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.with_timezone(&Utc).format("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Every field of the message, and every other field that a row has.
///
/// A message within the message has a column for each of its fields, `ACCESS KEY.ID`; lists, free-form maps and
/// values of an unknown shape are compact JSON in one cell.
pub fn render_all_fields(message: &Message, documents: &[Node<'_>], terminal: bool) -> String {
    let paths = column_paths(message, &documents.iter().collect::<Vec<_>>());
    let headers: Vec<_> = paths.iter().map(|path| escape_cell(header_text(path).into(), terminal)).collect();
    let rows = documents.iter().map(|document| {
        let cell = |path: &Vec<String>| {
            path.iter().try_fold(document, |value, name| value.get(name)).map(scalar_text).unwrap_or_default()
        };
        paths.iter().map(|path| escape_cell(cell(path), terminal)).collect::<Vec<_>>()
    });
    draw(&headers, &rows.collect::<Vec<_>>())
}

/// The path to the value of each column: the message's fields in proto order, then the others in the order of the rows.
fn column_paths(message: &Message, rows: &[&Node<'_>]) -> Vec<Vec<String>> {
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

fn header_text(path: &[String]) -> String {
    path.join(".").replace('_', " ").to_uppercase()
}

/// A scalar as it is, anything else as compact JSON.
fn scalar_text<'a>(value: &'a Node<'_>) -> Cow<'a, str> {
    match value {
        Node::String(text) => Cow::Borrowed(text),
        Node::Null => Cow::Borrowed(""),
        other => Cow::Owned(other.to_string()),
    }
}

/// The text with the characters escaped that would break the row, and for a terminal those that it would act on.
fn escape_cell(text: Cow<'_, str>, terminal: bool) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    match escape::chars_where(&text, |c| breaks(c) || terminal && escape::is_hidden(c)) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => Cow::Owned(escaped),
    }
}

fn draw(headers: &[Cow<'_, str>], rows: &[Vec<Cow<'_, str>>]) -> String {
    let widths: Vec<_> = (0..headers.len())
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].width());
            cells.chain([headers[column].width()]).max().unwrap_or_default()
        })
        .collect();
    let mut table = top(&widths, headers);
    for row in rows {
        push_row(&mut table, &widths, row, |_| 0);
    }
    table + &bottom(&widths)
}

/// The rule above the headers, the headers, and the rule below them.
fn top<T: AsRef<str>>(widths: &[usize], headers: &[T]) -> String {
    let mut table = rule(widths);
    push_row(&mut table, widths, headers, |space| space / 2);
    table + &rule(widths)
}

/// The rule below the last row, and an empty line.
fn bottom(widths: &[usize]) -> String {
    rule(widths) + "\n"
}

fn rule(widths: &[usize]) -> String {
    let dashes: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    format!("+{}+\n", dashes.join("+"))
}

/// Writes a row; `indent` says how much of the space that is left in a cell is before its text.
fn push_row<T: AsRef<str>>(table: &mut String, widths: &[usize], cells: &[T], indent: fn(usize) -> usize) {
    for (width, cell) in widths.iter().zip(cells) {
        let cell = cell.as_ref();
        let space = width - cell.width();
        let before = indent(space);
        table.push_str("| ");
        table.extend(std::iter::repeat_n(' ', before));
        table.push_str(cell);
        table.extend(std::iter::repeat_n(' ', space - before + 1));
    }
    table.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::message::ANY;
    use crate::output::Format;
    use crate::output::tests::{TestList, any_value, created, list, objects, show};

    /// Source: yandex-cloud/docs, `en/iam/operations/authentication/manage-access-keys.md`.
    #[test]
    fn a_list_prints_as_documented() {
        let values = vec![json!({
            "id": "aje8bdtqec6l********", "serviceAccountId": "ajeedllrkjma********", "keyId": "R9JK04o1Dfaf********",
            "createdAt": "2018-11-22T14:37:51Z", "description": "not shown",
        })];
        let documented = "\
+----------------------+----------------------+----------------------+
|          ID          |  SERVICE ACCOUNT ID  |        KEY ID        |
+----------------------+----------------------+----------------------+
| aje8bdtqec6l******** | ajeedllrkjma******** | R9JK04o1Dfaf******** |
+----------------------+----------------------+----------------------+

";
        assert_eq!(show(Format::Text, None, true, &list(values)), documented);
    }

    #[test]
    fn an_empty_list_prints_header_and_rules() {
        let printed = "\
+----+--------------------+--------+
| ID | SERVICE ACCOUNT ID | KEY ID |
+----+--------------------+--------+
+----+--------------------+--------+

";
        assert_eq!(show(Format::Text, None, false, &list(vec![])), printed);
    }

    #[test]
    fn the_odd_space_is_right_of_a_header() {
        let table = draw(&["KEY ID".into()], &[vec!["YCAJE0123456789012345678X".into()]]);
        assert!(table.contains("\n|          KEY ID           |\n"), "{table}");
    }

    #[test]
    fn cells_can_be_times_and_computed() {
        const COLUMNS: [Column; 4] = [
            Column { header: "CREATED AT", cell: Cell::Time("created_at") },
            Column { header: "USED", cell: Cell::Time("used_at") },
            Column {
                header: "N",
                cell: Cell::Computed(|key| {
                    format!(
                        "{} roles",
                        match key.get("roles") {
                            Some(Node::Array(roles)) => roles.len(),
                            _ => 0,
                        }
                    )
                }),
            },
            Column { header: "ROLES", cell: Cell::Field("roles") },
        ];
        let values = vec![json!({"createdAt": "2024-09-08T21:59:45.123+03:00", "usedAt": "never", "roles": ["a", 1]})];
        let table =
            show(Format::Text, None, false, &TestList { message: &ANY, columns: &COLUMNS, pages: vec![values] });
        assert!(table.contains("\n| 2024-09-08 18:59:45 | never | 2 roles | [\"a\",1] |\n"), "{table}");
    }

    #[test]
    fn a_row_stays_a_line() {
        let values = vec![json!({"id": "a\nb\tc\rd\u{1b}e", "serviceAccountId": "\u{202e}x", "keyId": "ключ 钥匙"})];
        let printed = show(Format::Text, None, false, &list(values.clone()));
        assert_eq!(printed.lines().nth(3), Some("| a\\nb\\tc\\rd\\u001be | \u{202e}x                  | ключ 钥匙 |"));
        let terminal = show(Format::Text, None, true, &list(values));
        assert_eq!(terminal.lines().nth(3), Some("| a\\nb\\tc\\rd\\u001be | \\u202ex            | ключ 钥匙 |"));
    }

    #[test]
    fn a_table_has_every_field() {
        let values =
            vec![json!({"id": "1", "newThing": {"a": [1]}}), json!({"id": "2", "createdAt": "2024-09-08T18:59:45Z"})];
        let printed = "\
+----+--------------------+----------------------+-------------+--------+--------------+-----------+
| ID | SERVICE ACCOUNT ID |      CREATED AT      | DESCRIPTION | KEY ID | LAST USED AT | NEW THING |
+----+--------------------+----------------------+-------------+--------+--------------+-----------+
| 1  |                    |                      |             |        |              | {\"a\":[1]} |
| 2  |                    | 2024-09-08T18:59:45Z |             |        |              |           |
+----+--------------------+----------------------+-------------+--------+--------------+-----------+

";
        assert_eq!(show(Format::Table, None, false, &objects(values.clone())), printed);
        assert_eq!(show(Format::Table, None, false, &list(values)), printed);
    }

    #[test]
    fn a_message_within_a_message_has_its_own_columns() {
        let output = created(json!({"accessKey": {"id": "i", "extra": true}, "secret": "s"}));
        let table = show(Format::Table, None, false, &output);
        let header = table.lines().nth(1).unwrap();
        let cells = |line: &str| line.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
        let names = ["ID", "SERVICE ACCOUNT ID", "CREATED AT", "DESCRIPTION", "KEY ID", "LAST USED AT", "EXTRA"];
        let mut expected: Vec<_> = names.iter().map(|name| format!("ACCESS KEY.{name}")).collect();
        expected.push("SECRET".into());
        assert_eq!(cells(header), expected);
        assert_eq!(cells(table.lines().nth(3).unwrap()), ["i", "", "", "", "", "", "true", "s"]);

        let other = show(Format::Table, None, false, &created(json!({"accessKey": [1]})));
        assert_eq!(other.lines().nth(3), Some("| [1]        |        |"));
    }

    proptest! {
        #[test]
        fn all_lines_are_equally_wide(value in any_value(), text in "\\PC{0,12}", terminal: bool) {
            let values = vec![json!({"id": value, "key_id": text, &text: value}), json!({"serviceAccountId": [value]})];
            for format in [Format::Text, Format::Table] {
                let table = show(format, None, terminal, &list(values.clone()));
                let lines: Vec<_> = table.strip_suffix("\n\n").unwrap().split('\n').collect();
                prop_assert_eq!(lines.len(), 6);
                for line in &lines {
                    prop_assert_eq!(line.width(), lines[0].width(), "{:?}", table);
                }
            }
        }
    }
}
