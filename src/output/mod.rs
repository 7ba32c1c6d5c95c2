//! The output of a command: one result in one of five formats, or the output of a jq filter.
//!
//! All but [`stdout`] turns values into bytes, and writes nothing.

use chrono::Utc;
use serde_json::Value;

use self::formats::table::Screen;
pub use self::formats::table::TableOptions;
use self::formats::{Documents, color};
pub use self::formats::{Format, table, yaml};
pub use self::jq::{Filter, STACK_BYTES};
pub use self::printer::{OnlyCopy, Printer};
pub use self::worker::Worker;
use crate::error::Result;
use crate::message::{Message, Node};
use crate::text::escape;

mod formats;
mod jq;
pub mod jq_process;
pub mod list;
mod printer;
pub mod stdout;
#[cfg(test)]
pub(crate) mod tests;
mod worker;

/// The result of a command. Values are REST JSON as received.
#[derive(Clone)]
pub enum Output {
    /// No result: nothing is printed in any format, and no filter is run.
    Nothing,
    /// Text that is printed as it is, whatever the format.
    Verbatim(Vec<u8>),
    /// One message.
    Object {
        /// The message's shape.
        message: &'static Message,
        /// The message.
        value: Value,
    },
    /// One message of which the text format prints a single field as it is.
    Bare {
        /// The message's shape.
        message: &'static Message,
        /// The message.
        value: Value,
        /// The `snake_case` name of the field.
        field: &'static str,
    },
    /// Several messages that were requested one by one.
    Objects {
        /// The messages' shape.
        message: &'static Message,
        /// The messages.
        values: Vec<Value>,
    },
    /// A value that is not a message, such as a setting: its names are not converted, and nothing is left out. In the
    /// text format a string is printed as it is.
    Value(Value),
}

/// A column of a list in the text format.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading, in upper case.
    pub header: &'static str,
    /// How its cells are filled.
    pub cell: Cell,
}

/// How the cell of a [`Column`] is filled.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    /// The field of this `snake_case` name.
    Field(&'static str),
    /// The point in time in the field of this `snake_case` name, as `2024-09-08 18:59:45` in UTC.
    Time(&'static str),
    /// The text that the function returns for the message, whose field names are in `snake_case`.
    Computed(fn(&Node<'_>) -> String),
}

/// How results are printed.
pub struct Render {
    /// The format of the result; with a filter, it decides the spelling of the filter's input.
    pub format: Format,
    /// The jq filter whose output is printed instead of the result.
    pub filter: Option<Filter>,
    /// Whether the output goes to a terminal: characters that it would act on are then shown escaped.
    pub terminal: bool,
    /// Whether JSON, and tables on a terminal, are coloured.
    pub color: bool,
    /// The number of columns of the terminal.
    pub width: usize,
}

impl Render {
    /// A result that goes to a file or a program.
    pub fn plain(format: Format) -> Self {
        Self { format, filter: None, terminal: false, color: false, width: 0 }
    }

    /// The terminal that tables are drawn for, where there is one.
    fn screen(&self) -> Option<Screen> {
        self.terminal.then(|| Screen { width: self.width, color: self.color, now: Utc::now() })
    }

    /// JSON as the stream should get it: escaped, and coloured.
    fn finish_json(&self, json: Vec<u8>) -> Vec<u8> {
        let json = self.escape(json);
        if self.color { color::json(&String::from_utf8_lossy(&json)).into_bytes() } else { json }
    }

    /// The bytes to print.
    ///
    /// A filter may never end, and one that calls itself deeply needs a large stack: all but paths are for a separate
    /// process.
    ///
    /// # Errors
    /// [`FilterRun`](crate::error::Kind::FilterRun) when the filter fails; nothing is to be printed then.
    /// [`Internal`](crate::error::Kind::Internal) when a bare field is missing.
    pub fn render(&self, output: &Output) -> Result<Vec<u8>> {
        if let Output::Verbatim(text) = output {
            return Ok(text.clone());
        }
        let Some(documents) = Documents::of(output) else { return Ok(Vec::new()) };
        match &self.filter {
            Some(filter) => Ok(self.escape(filter.run(&self.format.filter_input(&documents)?)?)),
            None => self.format.render(output, &documents, self),
        }
    }

    /// The text, escaped where it goes to a terminal.
    pub fn escape(&self, text: Vec<u8>) -> Vec<u8> {
        if self.terminal { escape_for_terminal(&text) } else { text }
    }

    /// The expression of a filter on one result that may crash the process that it runs in.
    pub fn risky_expression(&self) -> Option<&str> {
        self.filter.as_ref().filter(|filter| !filter.is_field_path()).map(Filter::expression)
    }

    /// The filter on a list that may crash the process that it runs in: on each item, or on the whole list.
    pub fn risky_list_expression(&self) -> Option<String> {
        let filter = self.filter.as_ref()?;
        let each = filter.per_item();
        let filter = each.as_ref().unwrap_or(filter);
        (!filter.is_field_path()).then(|| filter.expression().to_owned())
    }

    /// The input of the filter.
    ///
    /// # Errors
    /// The output cannot be written as JSON.
    pub fn filter_input(&self, output: &Output) -> Result<Option<Vec<u8>>> {
        let Some(documents) = self.filter.as_ref().and_then(|_| Documents::of(output)) else { return Ok(None) };
        self.format.filter_input(&documents).map(Some)
    }
}

impl Output {
    /// Whether a filter is run on it.
    fn is_filtered(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Verbatim(_))
    }
}

fn escape_for_terminal(text: &[u8]) -> Vec<u8> {
    escape::multiline(&String::from_utf8_lossy(text)).into_owned().into_bytes()
}
