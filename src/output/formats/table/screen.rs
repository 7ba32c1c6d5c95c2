//! Tables for a person at a terminal: they fit its width, and show ages in the place of times.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use unicode_width::UnicodeWidthStr;

use super::fields::{self, Path, escape_cell, scalar_text};
use super::ruled;
use crate::message::Node;
use crate::text::wrap;

/// The terminal that a table is drawn for.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// The number of columns of the terminal.
    pub width: usize,
    /// Whether headings, states and findings are coloured.
    pub color: bool,
    /// The time that ages are counted to.
    pub now: DateTime<Utc>,
}

/// The space between two columns.
const SPACE: &str = "  ";
/// What stands for a time that there is not.
const NO_TIME: &str = "-";
/// The width below which the cells of a column are not cut.
const LEAST_WIDTH: usize = 11;

/// The width above which a text is not an ID: the IDs that S3 clients use have 25 characters, and none is cut.
const LONGEST_ID: usize = 30;

/// A column with the text of all its cells.
struct Column {
    name: String,
    header: String,
    cells: Vec<String>,
    width: usize,
}

impl Screen {
    /// A row for each document. Columns without a value are left out, and, where the terminal is too narrow, those that
    /// can best be done without; the last lines name the latter. `chosen` says that the user named the columns: all of
    /// them are shown then.
    pub fn table(&self, paths: &[Path], documents: &[Node<'_>], chosen: bool) -> String {
        let mut columns: Vec<_> = paths.iter().map(|path| self.column(path, documents)).collect();
        if !chosen {
            columns.retain(|column| documents.is_empty() || !column.is_empty());
        }
        let left_out = fit(&mut columns, self.width, chosen);
        let left_out = left_out.iter().map(|column| column.name.as_str());
        self.draw(&columns, documents.len(), &left_out.collect::<Vec<_>>(), "--columns")
    }

    /// The rows of a list in the format `text`, in the columns that fit.
    pub fn narrow(&self, list: &ruled::Columns) -> String {
        let rows: Vec<_> = list.rows().collect();
        let columns = list.headers().enumerate().map(|(at, header)| {
            let name = header.replace(' ', "_").to_lowercase();
            let cells = rows.iter().map(|row| match row[at] {
                "" if is_time(&name) => NO_TIME.to_owned(),
                cell if is_time(&name) => self.age(cell),
                cell => cell.to_owned(),
            });
            Column::new(name.clone(), header.to_owned(), cells.collect())
        });
        let mut columns: Vec<_> = columns.filter(|column| rows.is_empty() || !column.is_empty()).collect();
        let left_out = fit(&mut columns, self.width, false);
        let left_out = left_out.iter().map(|column| column.header.as_str());
        self.draw(&columns, rows.len(), &left_out.collect::<Vec<_>>(), "--format table --columns")
    }

    fn draw(&self, columns: &[Column], rows: usize, left_out: &[&str], flags: &str) -> String {
        let mut table = String::new();
        let headers = columns.iter().map(|column| (column.header.as_str(), Some(BOLD)));
        self.push_row(&mut table, columns, headers);
        for row in 0..rows {
            let cells = columns.iter().map(|column| {
                let cell = column.cells[row].as_str();
                (cell, state_style(&column.name, cell))
            });
            self.push_row(&mut table, columns, cells);
        }
        if !left_out.is_empty() {
            let note = format!("not shown, since the terminal is too narrow: {}", left_out.join(", "));
            let _ = writeln!(table, "\n{}\nchoose columns with {flags}", wrap::lines(&note, self.width));
        }
        table
    }

    /// A line for each value: its name, and the value.
    pub fn card(&self, paths: &[Path], document: &Node<'_>) -> String {
        let rows = paths.iter().filter_map(|path| {
            let value = fields::value(document, path)?;
            Some((path, fields::header(path, true), self.card_text(path, value)))
        });
        let rows: Vec<_> = rows.collect();
        let indent = rows.iter().map(|(_, header, _)| header.width()).max().unwrap_or_default() + SPACE.len();
        let mut card = String::new();
        for (path, header, text) in &rows {
            let space = " ".repeat(indent - header.width());
            let style = state_style(&fields::name(path), text);
            let lines = wrap::lines(text, self.width.saturating_sub(indent));
            let _ = write!(card, "{}{space}", self.styled(header, Some(BOLD)));
            for (number, line) in lines.split('\n').enumerate() {
                let before = if number == 0 { String::new() } else { " ".repeat(indent) };
                let _ = writeln!(card, "{before}{}", self.styled(line, style));
            }
        }
        card
    }

    fn column(&self, path: &Path, documents: &[Node<'_>]) -> Column {
        let is_time = is_time(&fields::name(path));
        let cells: Vec<_> = documents
            .iter()
            .map(|document| match fields::value(document, path) {
                Some(value) if is_time => self.age(&scalar_text(value)),
                Some(value) => escape_cell(plain_text(value), true).into_owned(),
                None if is_time => NO_TIME.to_owned(),
                None => String::new(),
            })
            .collect();
        let name = escape_cell(fields::name(path).into(), true).into_owned();
        Column::new(name, fields::header(path, true).into_owned(), cells)
    }

    fn card_text(&self, path: &Path, value: &Node<'_>) -> String {
        let text = escape_cell(plain_text(value), true).into_owned();
        match DateTime::parse_from_rfc3339(&text) {
            Ok(time) if is_time(&fields::name(path)) => {
                let age = self.age(&text);
                let shown = time.with_timezone(&Utc).format("%Y-%m-%d %H:%M:%S UTC");
                if time > self.now { format!("{shown} ({age})") } else { format!("{shown} ({age} ago)") }
            }
            _ => text,
        }
    }

    /// How long ago a time is, in its largest unit, or how far ahead: `412d`, `5h`, `in 12m`. A text that is not a time
    /// stays as it is. Tables of the format `text` have times in UTC without a zone.
    fn age(&self, text: &str) -> String {
        let in_utc = || Some(NaiveDateTime::parse_from_str(text, ruled::TIME).ok()?.and_utc());
        let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()).or_else(in_utc);
        let Some(time) = time else { return escape_cell(text.into(), true).into_owned() };
        let age = self.now.signed_duration_since(time);
        if age < TimeDelta::zero() { format!("in {}", largest_unit(-age)) } else { largest_unit(age) }
    }

    fn push_row<'a>(
        &self,
        table: &mut String,
        columns: &[Column],
        cells: impl Iterator<Item = (&'a str, Option<&'static str>)>,
    ) {
        let mut row = String::new();
        for (column, (cell, style)) in columns.iter().zip(cells) {
            let cut = wrap::cut(cell, column.width);
            let space = column.width.saturating_sub(cut.width());
            row.push_str(&self.styled(&cut, style));
            row.extend(std::iter::repeat_n(' ', space + SPACE.len()));
        }
        table.push_str(row.trim_end());
        table.push('\n');
    }

    fn styled<'a>(&self, text: &'a str, style: Option<&str>) -> Cow<'a, str> {
        match style {
            Some(style) if self.color && !text.is_empty() => format!("\u{1b}[{style}m{text}\u{1b}[0m").into(),
            _ => text.into(),
        }
    }
}

fn is_time(name: &str) -> bool {
    name.ends_with("_at")
}

/// The last part of the name of a column: that of the field that has the value.
fn last_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// A list of texts as these, and findings as their rules.
fn plain_text<'a>(value: &'a Node<'_>) -> Cow<'a, str> {
    let Node::Array(items) = value else { return scalar_text(value) };
    let text = |item: &'a Node<'_>| match item {
        Node::Object(_) => Some(item.get("rule")?.as_str()?.into()),
        Node::Array(_) | Node::Null => None,
        item => Some(scalar_text(item)),
    };
    let texts: Option<Vec<_>> = items.iter().map(text).collect();
    texts.map_or_else(|| scalar_text(value), |texts| texts.join(", ").into())
}

fn largest_unit(age: TimeDelta) -> String {
    let seconds = age.num_seconds();
    match seconds {
        86_400.. => format!("{}d", seconds / 86_400),
        3_600.. => format!("{}h", seconds / 3_600),
        60.. => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// Makes the columns fit the width, and returns those that had to go. Free text is cut first; then columns go
/// in the order of [`Worth`], the widest first.
fn fit(columns: &mut Vec<Column>, width: usize, chosen: bool) -> Vec<Column> {
    let mut left_out = Vec::new();
    loop {
        let total =
            columns.iter().map(|column| column.width + SPACE.len()).sum::<usize>() - SPACE.len().min(columns.len());
        let excess = total.saturating_sub(width);
        let spare: usize = columns.iter().map(|column| column.width - column.least_width()).sum();
        if excess <= spare || chosen || columns.len() < 2 {
            shrink(columns, excess);
            return left_out;
        }
        let from_the_right = (0..columns.len()).rev();
        let first = from_the_right.min_by_key(|at| (columns[*at].worth(), Reverse(columns[*at].width)));
        let Some(at) = first else { return left_out };
        left_out.push(columns.remove(at));
    }
}

/// Takes `excess` from the widths of columns of free text, from the widest first.
fn shrink(columns: &mut [Column], excess: usize) {
    for _ in 0..excess {
        let shrinkable = columns.iter_mut().filter(|column| column.width > column.least_width());
        let Some(widest) = shrinkable.max_by_key(|column| column.width) else { return };
        widest.width -= 1;
    }
}

/// What a column is worth, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    SameEverywhere,
    FreeText,
    Other,
    Time,
    State,
    Name,
}

/// The columns that say in which state an object is.
const STATES: [&str; 7] = ["action", "done", "findings", "outcome", "severity", "state", "status"];

impl Column {
    /// A time is shown as an age, so its heading is less "AT".
    fn new(name: String, mut header: String, cells: Vec<String>) -> Self {
        if is_time(&name) {
            header.truncate(header.len() - " AT".len());
        }
        let width = cells.iter().map(|cell| cell.width()).chain([header.width()]).max().unwrap_or_default();
        Self { name, header, cells, width }
    }

    /// Whether no row has a value.
    fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| cell.is_empty() || is_time(&self.name) && cell == NO_TIME)
    }

    fn is_free_text(&self) -> bool {
        self.cells.iter().any(|cell| cell.width() > LONGEST_ID || cell.contains([' ', '{', '[']))
    }

    /// What a person would miss without the column: nothing where every row has the same text, most where it says which
    /// object a row is about and in which state that is.
    fn worth(&self) -> Worth {
        match last_name(&self.name) {
            "id" | "name" | "check" => Worth::Name,
            name if STATES.contains(&name) => Worth::State,
            name if is_time(name) => Worth::Time,
            _ if self.cells.len() > 1 && self.cells.windows(2).all(|pair| pair[0] == pair[1]) => Worth::SameEverywhere,
            _ if self.is_free_text() => Worth::FreeText,
            _ => Worth::Other,
        }
    }

    fn least_width(&self) -> usize {
        if self.is_free_text() { self.width.min(self.header.width().max(LEAST_WIDTH)) } else { self.width }
    }
}

const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

/// The colour of a state or a finding.
fn state_style(column: &str, cell: &str) -> Option<&'static str> {
    match (last_name(column), cell) {
        ("findings", cell) if !cell.is_empty() => Some(YELLOW),
        (name, cell) if STATES.contains(&name) => match cell {
            "ok" | "ACTIVE" | "DONE" | "true" | "deleted" | "keep" => Some(GREEN),
            "warning" | "medium" | "rotate" | "skipped" | "would-delete" => Some(YELLOW),
            "failed" | "ERROR" | "high" | "delete" => Some(RED),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn screen(width: usize, color: bool) -> Screen {
        Screen { width, color, now: "2026-01-01T00:00:00Z".parse().unwrap() }
    }

    fn paths(names: &[&str]) -> Vec<Path> {
        names.iter().map(|name| vec![(*name).to_owned()]).collect()
    }

    fn table(width: usize, names: &[&str], rows: &[Value]) -> String {
        let documents: Vec<_> = rows.iter().map(Node::from).collect();
        screen(width, false).table(&paths(names), &documents, false)
    }

    const KEY: [&str; 6] = ["id", "service_account_id", "created_at", "description", "key_id", "last_used_at"];

    fn keys() -> [Value; 2] {
        [
            json!({"id": "ajeaccesskey00000001", "service_account_id": "ajeserviceaccount001",
                "created_at": "2025-12-29T00:00:00Z", "description": "the key of the nightly backup",
                "key_id": "YCAJE00000000000000000001"}),
            json!({"id": "ajeaccesskey00000002", "service_account_id": "ajeserviceaccount001",
                "created_at": "2024-11-15T00:00:00Z", "key_id": "YCAJE00000000000000000002",
                "last_used_at": "2025-12-31T19:00:00Z"}),
        ]
    }

    #[test]
    fn names_of_fields_are_escaped_as_values_are() {
        let row = json!({"a\u{2028}b\u{1b}": "x", "c\u{202e}d": "y"});
        let names = ["a\u{2028}b\u{1b}", "c\u{202e}d"];
        assert_eq!(table(80, &names, std::slice::from_ref(&row)), "A\\u2028B\\u001b  C\\u202eD\nx               y\n");
        let card = screen(80, false).card(&paths(&names), &Node::from(&row));
        assert_eq!(card, "A\\u2028B\\u001b  x\nC\\u202eD        y\n");
        assert!(table(20, &names, &[row]).contains("narrow:\na\\u2028b\\u001b"));
    }

    #[test]
    fn a_wide_terminal_gets_every_column_with_ages() {
        let expected = "\
ID                    SERVICE ACCOUNT ID    CREATED  DESCRIPTION                    KEY ID                     LAST USED
ajeaccesskey00000001  ajeserviceaccount001  3d       the key of the nightly backup  YCAJE00000000000000000001  -
ajeaccesskey00000002  ajeserviceaccount001  412d                                    YCAJE00000000000000000002  5h
";
        assert_eq!(table(200, &KEY, &keys()), expected);
    }

    #[test]
    fn eighty_columns_get_what_differs_with_text_cut() {
        let expected = "\
ID                    CREATED  DESCRIPTION  KEY ID                     LAST USED
ajeaccesskey00000001  3d       the key of…  YCAJE00000000000000000001  -
ajeaccesskey00000002  412d                  YCAJE00000000000000000002  5h

not shown, since the terminal is too narrow: service_account_id
choose columns with --columns
";
        assert_eq!(table(80, &KEY, &keys()), expected);
    }

    #[test]
    fn findings_and_actions_stay_when_what_is_the_same_everywhere_and_other_ids_go() {
        let names = ["folder_id", "service_account_id", "id", "key_id", "created_at", "findings", "action"];
        let row = |number: u32, findings: Value, action: &str| {
            json!({"folder_id": "b1gfolder00000000001", "service_account_id": format!("ajeserviceaccount{number:03}"),
                "id": format!("ajeaccesskey0000000{number}"), "key_id": format!("YCAJE000000000000000000{number:02}"),
                "created_at": "2025-12-29T00:00:00Z", "findings": findings, "action": action})
        };
        let rules = json!([{"rule": "iam.unused-key"}, {"rule": "iam.sa-key-rotation"}]);
        let rows = [row(1, rules, "delete"), row(2, json!([]), "keep")];
        let expected = "\
SERVICE ACCOUNT ID    ID                    CREATED  FINDINGS         ACTION
ajeserviceaccount001  ajeaccesskey00000001  3d       iam.unused-key…  delete
ajeserviceaccount002  ajeaccesskey00000002  3d                        keep

not shown, since the terminal is too narrow: folder_id, key_id
choose columns with --columns
";
        assert_eq!(table(76, &names, &rows), expected);
        let narrow = "\
ID                    FINDINGS     ACTION
ajeaccesskey00000001  iam.unused…  delete
ajeaccesskey00000002               keep
";
        assert_eq!(table(41, &names, &rows).split_once("\n\n").unwrap().0.to_owned() + "\n", narrow);
    }

    #[test]
    fn findings_are_shown_by_their_rules_and_other_messages_whole() {
        let value = json!({"findings": [{"rule": "a", "severity": "high"}, {"rule": "b"}], "roles": ["x", "y"],
            "statements": [{"effect": "Allow"}]});
        let shown = screen(80, false).card(&paths(&["findings", "roles", "statements"]), &Node::from(&value));
        assert_eq!(shown, "FINDINGS    a, b\nROLES       x, y\nSTATEMENTS  [{\"effect\":\"Allow\"}]\n");
    }

    #[test]
    fn a_card_keeps_spaces_and_empty_values() {
        let value = json!({"description": "a  b ", "note": "", "id": "i"});
        let shown = screen(80, false).card(&paths(&["description", "note", "id"]), &Node::from(&value));
        assert_eq!(shown, "DESCRIPTION  a  b \nNOTE         \nID           i\n");
    }

    #[test]
    fn columns_that_the_user_chose_all_stay() {
        let rows = keys();
        let documents: Vec<_> = rows.iter().map(Node::from).collect();
        let shown = screen(40, false).table(&paths(&["key_id", "id"]), &documents, true);
        assert_eq!(shown.lines().next(), Some("KEY ID                     ID"));
    }

    #[test]
    fn states_are_coloured_where_colour_is_wanted() {
        let row = json!({"status": "failed", "findings": [{"rule": "iam.unused-key", "severity": "medium"}]});
        let shown = screen(80, true).table(&paths(&["status", "findings"]), &[Node::from(&row)], false);
        let expected = "\u{1b}[1mSTATUS\u{1b}[0m  \u{1b}[1mFINDINGS\u{1b}[0m\n\
                        \u{1b}[31mfailed\u{1b}[0m  \u{1b}[33miam.unused-key\u{1b}[0m\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_card_has_a_line_for_each_value_and_wraps_words_alone() {
        let secret = "s".repeat(60);
        let value = json!({"expires_at": "2026-01-01T12:00:00Z", "secret": secret, "created_at": "2025-12-29T00:00:00Z",
            "description": "words that are too long for one line of the terminal"});
        let shown =
            screen(40, false).card(&paths(&["secret", "created_at", "expires_at", "description"]), &Node::from(&value));
        let expected = format!(
            "\
SECRET       {secret}
CREATED AT   2025-12-29 00:00:00 UTC (3d
             ago)
EXPIRES AT   2026-01-01 12:00:00 UTC (in
             12h)
DESCRIPTION  words that are too long for
             one line of the terminal
"
        );
        assert_eq!(shown, expected);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(texts in prop::collection::vec("[a-z ]{0,60}", 1..5), width in 80_usize..140) {
            let rows: Vec<_> =
                texts.iter().map(|text| json!({"id": "ajeaccesskey00000001", "description": text, "message": text})).collect();
            for line in table(width, &["id", "description", "message"], &rows).lines() {
                prop_assert!(line.width() <= width, "{line:?}");
            }
        }
    }
}
