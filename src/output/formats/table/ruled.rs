//! Tables drawn with `+`, `-` and `|`, as the Go library `tablewriter` draws them for `yc`.
//!
//! Source: github.com/olekukonko/tablewriter, `table.go` and `util.go` of v0.0.5: headers are centred with the odd
//! space on the right, cells have one space on either side, and a table without rows ends with two rules.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr;

use super::fields::{escape_cell, scalar_text};
use crate::message::Node;
use crate::output::{Cell, Column};

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

    /// The headings.
    pub fn headers(&self) -> impl Iterator<Item = &'static str> {
        self.selected.iter().map(|column| column.header)
    }

    /// The cells of each row.
    pub fn rows(&self) -> impl Iterator<Item = Vec<&str>> {
        let mut start = 0;
        self.ends
            .chunks(self.selected.len())
            .map(move |row| row.iter().map(|end| &self.text[std::mem::replace(&mut start, *end)..*end]).collect())
    }

    /// The number of columns of a terminal that the table takes.
    pub fn width(&self) -> usize {
        rule(&self.widths).trim_end().len()
    }

    /// Draws the table, and writes it in pieces.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn draw<E>(&self, mut write: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        const PIECE: usize = 64 << 10;
        let mut table = top(&self.widths, &self.headers().collect::<Vec<_>>());
        for cells in self.rows() {
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

/// The form of a time.
pub(super) const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// The time to the second, in UTC; a text that is not a timestamp stays as it is.
fn format_time(text: &str) -> String {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.with_timezone(&Utc).format(TIME).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Draws a table of all cells.
pub fn draw(headers: &[Cow<'_, str>], rows: &[Vec<Cow<'_, str>>]) -> String {
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

/// Draws rows without headers.
pub fn draw_card(rows: &[[Cow<'_, str>; 2]]) -> String {
    let widths = [0, 1].map(|column| rows.iter().map(|row| row[column].width()).max().unwrap_or_default());
    let mut table = rule(&widths);
    for row in rows {
        push_row(&mut table, &widths, row, |_| 0);
    }
    table + &bottom(&widths)
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
