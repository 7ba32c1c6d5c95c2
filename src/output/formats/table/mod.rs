//! Tables: the format `table`, and lists in the format `text`.

use std::borrow::Cow;

pub use self::fields::{Path, TableOptions, known_paths, name};
use self::fields::{column_paths, escape_cell, header, scalar_text};
pub use self::ruled::Columns;
pub use self::screen::Screen;
use crate::message::{Message, Node};

mod fields;
mod ruled;
mod screen;

/// A row for each document, and a column for every field of the message and every other field that a row has, or for
/// those that the user chose.
///
/// A message within the message has a column for each of its fields, `ACCESS KEY.ID`; lists, free-form maps and
/// values of an unknown shape are compact JSON in one cell, but for a terminal, which gets the items of a list.
pub fn rows(message: &Message, documents: &mut [Node<'_>], options: &TableOptions, screen: Option<&Screen>) -> String {
    if let Some((path, descending)) = &options.sort {
        fields::sort(documents, path, *descending);
    }
    let all = || column_paths(message, &documents.iter().collect::<Vec<_>>());
    let paths = options.columns.clone().unwrap_or_else(all);
    if let Some(screen) = screen {
        return screen.table(&paths, documents, options.columns.is_some());
    }
    let headers: Vec<_> = paths.iter().map(|path| header(path, false)).collect();
    let rows = documents.iter().map(|document| paths.iter().map(|path| cell(document, path)).collect::<Vec<_>>());
    ruled::draw(&headers, &rows.collect::<Vec<_>>())
}

/// One document: a row for each value that it has, with the name of the field and the value.
pub fn card(message: &Message, document: &Node<'_>, screen: Option<&Screen>) -> String {
    if !document.is_object() {
        return format!("{}\n", escape_cell(scalar_text(document), screen.is_some()));
    }
    let mut paths = column_paths(message, &[document]);
    paths.retain(|path| fields::value(document, path).is_some());
    if let Some(screen) = screen {
        return screen.card(&paths, document);
    }
    let rows = paths.iter().map(|path| [header(path, false), cell(document, path)]);
    ruled::draw_card(&rows.collect::<Vec<_>>())
}

fn cell<'a>(document: &'a Node<'_>, path: &[String]) -> Cow<'a, str> {
    escape_cell(fields::value(document, path).map(scalar_text).unwrap_or_default(), false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use unicode_width::UnicodeWidthStr;

    use super::ruled::draw;
    use super::*;
    use crate::message::ANY;
    use crate::output::tests::{TestList, any_value, created, list, objects, show};
    use crate::output::{Cell, Column, Format};

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
    fn a_message_within_a_message_has_its_own_rows_in_a_card() {
        let output = created(json!({"accessKey": {"id": "i", "extra": true}, "secret": "s"}));
        let card = "\
+------------------+------+
| ACCESS KEY.ID    | i    |
| ACCESS KEY.EXTRA | true |
| SECRET           | s    |
+------------------+------+

";
        assert_eq!(show(Format::Table, None, false, &output), card);

        let other = show(Format::Table, None, false, &created(json!({"accessKey": [1]})));
        assert_eq!(other.lines().nth(1), Some("| ACCESS KEY | [1] |"));
    }

    proptest! {
        #[test]
        fn all_lines_are_equally_wide(value in any_value(), text in "\\PC{0,12}", terminal: bool) {
            let values = vec![json!({"id": value, "key_id": text, &text: value}), json!({"serviceAccountId": [value]})];
            for (format, terminal) in [(Format::Text, terminal), (Format::Table, false)] {
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
