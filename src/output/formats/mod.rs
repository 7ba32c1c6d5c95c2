//! The five formats of a result.

use serde_json::Value;

use super::{Output, Render};
use crate::error::Result;
use crate::message::{ANY, Message, Node, Spelling};

pub mod color;
pub mod json;
pub mod table;
mod text;
pub mod yaml;

use self::table::TableOptions;

/// The format of a result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// YAML for one object, a table of selected columns for a list
    #[default]
    Text,
    /// YAML
    Yaml,
    /// JSON with the field names of the proto files
    Json,
    /// JSON with the field names of the REST API
    JsonRest,
    /// A table of all fields, a card for one object
    Table,
}

impl Format {
    /// The bytes to print for an output and its documents.
    pub(super) fn render(self, output: &Output, documents: &Documents, render: &Render) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Text => text::render(output, documents, render.terminal)?.into_bytes(),
            Self::Yaml => yaml::render(documents, render.terminal).into_bytes(),
            Self::Table => {
                let mut shown: Vec<_> = documents.iter(self.spelling()).collect();
                let screen = render.screen();
                let table = match &shown[..] {
                    [document] if !documents.is_array => table::card(documents.message, document, screen.as_ref()),
                    _ => table::rows(documents.message, &mut shown, &TableOptions::default(), screen.as_ref()),
                };
                table.into_bytes()
            }
            Self::Json | Self::JsonRest => render.finish_json(json::pretty(documents, self.spelling())?),
        })
    }

    /// The JSON document that a filter runs on.
    pub(super) fn filter_input(self, documents: &Documents) -> Result<Vec<u8>> {
        json::compact(documents, self.spelling())
    }

    pub(super) fn spelling(self) -> Spelling {
        match self {
            Self::JsonRest => Spelling::Camel,
            _ => Spelling::Snake,
        }
    }
}

/// The messages of an [`Output`].
pub(super) struct Documents<'a> {
    pub(super) message: &'static Message,
    pub(super) values: &'a [Value],
    /// Whether they are shown as an array, however many there are.
    pub(super) is_array: bool,
    /// Whether they are shown as they are instead of as messages.
    verbatim: bool,
}

impl<'a> Documents<'a> {
    pub(super) fn of(output: &'a Output) -> Option<Self> {
        let (message, values, is_array): (&&'static Message, _, _) = match output {
            Output::Nothing | Output::Verbatim(_) => return None,
            Output::Object { message, value } | Output::Bare { message, value, .. } => {
                (message, std::slice::from_ref(value), false)
            }
            Output::Objects { message, values } => (message, &values[..], true),
            Output::Value(Value::Array(values)) => (&&ANY, &values[..], true),
            Output::Value(value) => (&&ANY, std::slice::from_ref(value), false),
        };
        Some(Self { message, values, is_array, verbatim: matches!(output, Output::Value(_)) })
    }

    /// The messages as they are shown, converted one at a time, since a list may be long.
    pub(super) fn iter(&self, spelling: Spelling) -> impl Iterator<Item = Node<'a>> {
        let Self { message, verbatim, values, .. } = *self;
        values.iter().map(Node::from).map(move |value| if verbatim { value } else { message.document(value, spelling) })
    }
}
