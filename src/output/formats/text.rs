//! The format `text`.

use serde_json::Value;

use super::{Documents, yaml};
use crate::error::{Error, Result};
use crate::message::{Node, Spelling};
use crate::output::Output;
use crate::text::escape;

/// One object as YAML, several as YAML documents, a bare field as it is.
pub(super) fn render(output: &Output, documents: &Documents, terminal: bool) -> Result<String> {
    match output {
        Output::Bare { field, .. } => bare_field(documents, field, terminal),
        Output::Value(Value::String(value)) => {
            let shown = if terminal { escape::multiline(value) } else { value.into() };
            Ok(format!("{shown}\n"))
        }
        Output::Value(value) => Ok(yaml::document(&Node::from(value), terminal)),
        Output::Objects { .. } | Output::Object { .. } | Output::Nothing | Output::Verbatim(_) => {
            let shown: Vec<_> =
                documents.iter(Spelling::Snake).map(|document| yaml::document(&document, terminal)).collect();
            Ok(shown.join("---\n"))
        }
    }
}

fn bare_field(documents: &Documents, field: &str, terminal: bool) -> Result<String> {
    let document = documents.iter(Spelling::Snake).next();
    let Some(value) = document.as_ref().and_then(|document| document.get(field)).and_then(Node::as_str) else {
        return Err(Error::internal(format!("the response has no field '{field}'")));
    };
    let shown = if terminal { escape::single_line(value) } else { value.into() };
    Ok(format!("{shown}\n"))
}
