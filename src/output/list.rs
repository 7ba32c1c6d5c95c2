//! Lists: the pages of a response printed as they come, with the memory of one page.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::ser::{Formatter as _, PrettyFormatter};

use super::formats::{Format, json, table, yaml};
use super::jq::{Collected, Filter};
use super::jq_process::FilterProcess;
use super::stdout::Written;
use super::{Column, Render, TableOptions};
use crate::error::Result;
use crate::message::{Message, Node, Spelling, Text};
use crate::text::page_trail::PageTrail;

/// What a list command prints.
pub struct List {
    /// The shape of the items.
    pub message: &'static Message,
    /// The columns of the text format's table.
    pub columns: &'static [Column],
    /// The field of the response that holds the items.
    pub items: &'static str,
    /// The maximum number of items; `None`: no limit.
    pub limit: Option<usize>,
    /// Whether the pages after the first are requested.
    pub follow: bool,
    /// Which items are printed; `None`: all.
    pub keep: Option<Keep>,
    /// What the format `table` shows.
    pub table: TableOptions,
}

/// Whether an item, as received at this time of the server, is printed.
pub type Keep = Box<dyn Fn(&Node<'_>, DateTime<Utc>) -> bool + Send>;

/// A list whose last page was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printed {
    /// The number of items.
    pub count: usize,
    /// Whether there are more on the server.
    pub cut_off: bool,
}

/// Where the text of a list goes.
pub(super) type Write = Box<dyn FnMut(&[u8]) -> Result<Written>>;

/// Prints a list page by page. Everything is written at once when there is only one page, so that a filter that fails
/// prints nothing then.
pub struct ListPrinter {
    list: List,
    form: Form,
    render: Arc<Render>,
    /// What is not written yet.
    text: Vec<u8>,
    write: Write,
    count: usize,
    trail: PageTrail,
}

/// A page of a list, borrowed from the body of the response.
pub struct Page<'a> {
    nodes: Vec<Node<'a>>,
    cut_off: bool,
    next: Option<String>,
}

/// How the items become text.
enum Form {
    Json {
        spelling: Spelling,
        formatter: PrettyFormatter<'static>,
    },
    Yaml,
    /// Drawn at the end, since the widths of the columns depend on all rows.
    Columns(table::Columns),
    /// Drawn at the end, since the columns themselves depend on all rows.
    AllFields(Vec<Node<'static>>),
    /// A filter on each item, as `.[] | F`.
    Each {
        filter: Filter,
        spelling: Spelling,
    },
    /// A filter on the whole list, which is collected.
    Whole {
        collected: Collected,
        spelling: Spelling,
    },
    /// A filter in a process of its own, which gets the documents of a page at once.
    Process {
        process: FilterProcess,
        /// Whether the filter needs the whole list.
        whole: bool,
        documents: Vec<u8>,
        spelling: Spelling,
    },
}

/// Why a page cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum PageError {
    /// The body is not a JSON object.
    NotJson,
    /// The object has something else where the items should be, under this name.
    NoItems(&'static str),
    /// The list does not end; the message is about the server.
    Endless(String),
}

impl ListPrinter {
    /// `process` runs the filter on each item where it can be, or on the whole list.
    pub(crate) fn new(list: List, render: Arc<Render>, process: Option<FilterProcess>, write: Write) -> Self {
        let spelling = render.format.spelling();
        let each = render.filter.as_ref().and_then(Filter::per_item);
        let form = match (process, &render.filter, each, render.format) {
            (Some(process), _, each, _) => {
                Form::Process { process, whole: each.is_none(), documents: Vec::new(), spelling }
            }
            (None, Some(_), Some(filter), _) => Form::Each { filter, spelling },
            (None, Some(_), None, _) => Form::Whole { collected: Collected::default(), spelling },
            (None, None, _, Format::Json | Format::JsonRest) => {
                Form::Json { spelling, formatter: PrettyFormatter::new() }
            }
            (None, None, _, Format::Yaml) => Form::Yaml,
            (None, None, _, Format::Text) => Form::Columns(table::Columns::new(list.columns, render.terminal)),
            (None, None, _, Format::Table) => Form::AllFields(Vec::new()),
        };
        Self { list, form, render, text: Vec::new(), write, count: 0, trail: PageTrail::default() }
    }

    /// Reads a page that the server sent at `time` and decides whether another one follows; nothing is printed yet, so
    /// that the next request can travel meanwhile.
    ///
    /// # Errors
    /// The body is not such a page.
    pub fn read<'a>(&mut self, body: &'a [u8], time: DateTime<Utc>) -> Result<Page<'a>, PageError> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let raw = PageSeed(self.list.items).deserialize(&mut reader).map_err(|_| PageError::NotJson)?;
        reader.end().map_err(|_| PageError::NotJson)?;
        let mut nodes = match raw.items {
            // Protobuf JSON leaves an empty list out, also on a page that others follow.
            None | Some(Node::Null) => Vec::new(),
            Some(Node::Array(nodes)) => nodes,
            Some(_) => return Err(PageError::NoItems(self.list.items)),
        };
        let received = nodes.len();
        if let Some(keep) = &self.list.keep {
            nodes.retain(|node| keep(node, time));
        }
        let token = raw.next.unwrap_or_default();
        let missing = self.list.limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.count));
        let cut_off = nodes.len() > missing || !token.is_empty();
        let is_last = token.is_empty() || !self.list.follow || nodes.len() >= missing;
        if !is_last {
            self.trail.follow(received, &token).map_err(PageError::Endless)?;
        }
        nodes.truncate(missing);
        let next = (!is_last).then(|| token.into_owned());
        Ok(Page { nodes, cut_off, next })
    }

    /// Prints a page. Returns whether it was the last one, and what was printed then.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub fn print(&mut self, page: Page<'_>) -> Result<Option<Printed>> {
        for node in page.nodes {
            self.push(node)?;
            self.count += 1;
        }
        self.filter_page()?;
        let printed = Printed { count: self.count, cut_off: page.cut_off };
        if page.next.is_none() {
            self.finish()?;
            return Ok(Some(printed));
        }
        Ok(match self.flush()? {
            Written::Whole => None,
            // The reader has closed the pipe: it needs no more of the list.
            Written::Closed => Some(Printed { cut_off: false, ..printed }),
        })
    }

    fn push(&mut self, node: Node<'_>) -> Result<()> {
        let message = self.list.message;
        match &mut self.form {
            Form::Json { spelling, formatter } => {
                if self.count == 0 {
                    json::written(formatter.begin_array(&mut self.text))?;
                }
                json::written(formatter.begin_array_value(&mut self.text, self.count == 0))?;
                json::push_indented(&mut self.text, formatter.clone(), &message.document(node, *spelling))?;
                json::written(formatter.end_array_value(&mut self.text))?;
            }
            Form::Yaml => {
                let item = yaml::item(message.document(node, Spelling::Snake), self.render.terminal);
                self.text.extend_from_slice(item.as_bytes());
            }
            Form::Columns(table) => table.push(&message.document(node, Spelling::Snake)),
            Form::AllFields(documents) => documents.push(message.document(node, Spelling::Snake).into_owned()),
            Form::Each { filter, spelling } => {
                let document = json::compact_node(&message.document(node, *spelling))?;
                self.text.extend_from_slice(&filter.run(&document)?);
            }
            Form::Whole { collected, spelling } => {
                collected.push(&json::compact_node(&message.document(node, *spelling))?)?;
            }
            Form::Process { documents, spelling, .. } => {
                documents.extend(json::compact_node(&message.document(node, *spelling))?);
                documents.push(b'\n');
            }
        }
        Ok(())
    }

    /// Gives the documents of a page to the process of the filter.
    fn filter_page(&mut self) -> Result<()> {
        let Form::Process { process, whole, documents, .. } = &mut self.form else { return Ok(()) };
        let documents = std::mem::take(documents);
        match (documents.is_empty(), whole) {
            (true, _) => Ok(()),
            (false, true) => process.add(&documents),
            (false, false) => {
                self.text = process.each(&documents)?;
                Ok(())
            }
        }
    }

    fn finish(&mut self) -> Result<Written> {
        match &mut self.form {
            Form::Json { .. } if self.count == 0 => self.text.extend_from_slice(b"[]\n"),
            Form::Json { formatter, .. } => {
                json::written(formatter.end_array(&mut self.text))?;
                self.text.push(b'\n');
            }
            Form::Yaml if self.count == 0 => self.text.extend_from_slice(yaml::EMPTY.as_bytes()),
            Form::Columns(table) => {
                if let Some(screen) = self.render.screen().filter(|screen| table.width() > screen.width) {
                    return (self.write)(screen.narrow(table).as_bytes());
                }
                let mut written = Written::Whole;
                table.draw(|piece| -> Result<()> {
                    if written == Written::Whole {
                        written = (self.write)(piece.as_bytes())?;
                    }
                    Ok(())
                })?;
                return Ok(written);
            }
            Form::AllFields(documents) => {
                let screen = self.render.screen();
                let drawn = table::rows(self.list.message, documents, &self.list.table, screen.as_ref());
                self.text.extend_from_slice(drawn.as_bytes());
            }
            Form::Whole { collected, .. } => {
                if let Some(filter) = &self.render.filter {
                    self.text = filter.run_on(std::mem::take(collected))?;
                }
            }
            Form::Process { process, whole: true, .. } => self.text = process.on_array()?,
            Form::Yaml | Form::Each { .. } | Form::Process { .. } => {}
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<Written> {
        let text = std::mem::take(&mut self.text);
        // YAML and tables are escaped as they are made, which keeps their values.
        let text = match &self.form {
            Form::Json { .. } => self.render.finish_json(text),
            Form::Each { .. } | Form::Whole { .. } | Form::Process { .. } => self.render.escape(text),
            Form::Yaml | Form::Columns(_) | Form::AllFields(_) => text,
        };
        (self.write)(&text)
    }
}

impl Page<'_> {
    /// The token of the next page; `None` when this is the last one.
    pub fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

/// The two fields of a page: the items under this name, and the token of the next page.
struct PageSeed(&'static str);

struct RawPage<'a> {
    items: Option<Node<'a>>,
    next: Option<Cow<'a, str>>,
}

impl<'de> DeserializeSeed<'de> for PageSeed {
    type Value = RawPage<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawPage<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed {
    type Value = RawPage<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<RawPage<'de>, A::Error> {
        let mut page = RawPage { items: None, next: None };
        while let Some(Text(name)) = fields.next_key()? {
            if name == self.0 {
                page.items = Some(fields.next_value()?);
            } else if name == "nextPageToken" {
                page.next = match fields.next_value()? {
                    Node::String(token) => Some(token),
                    _ => None,
                };
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(page)
    }
}
