//! The formats made for reading: `text` and `yaml`.

use serde_json::Value;

use super::{Documents, Output, table, yaml};
use crate::error::{Error, Result};
use crate::message::Spelling;
use crate::text::escape;

/// One object as YAML, several as YAML documents, a list as a table of its columns, a bare field as it is.
pub(super) fn text(output: &Output, documents: &Documents, terminal: bool) -> Result<String> {
    match output {
        Output::List { columns, .. } => Ok(table::columns(documents, columns, terminal)),
        Output::Bare { field, .. } => bare(documents, field, terminal),
        Output::Value(Value::String(value)) => {
            let shown = if terminal { escape::lines(value) } else { value.into() };
            Ok(format!("{shown}\n"))
        }
        Output::Value(value) => Ok(yaml::document(value, terminal)),
        Output::Objects { .. } | Output::Object { .. } | Output::Nothing | Output::Verbatim(_) => {
            let shown: Vec<_> =
                documents.iter(Spelling::Snake).map(|document| yaml::document(&document, terminal)).collect();
            Ok(shown.join("---\n"))
        }
    }
}

/// One object as in the text format, several as a sequence.
pub(super) fn yaml(documents: &Documents, terminal: bool) -> String {
    let mut shown = documents.iter(Spelling::Snake);
    if !documents.many {
        return shown.map(|document| yaml::document(&document, terminal)).collect();
    }
    if documents.values.is_empty() {
        return "[]\n".into();
    }
    // A sequence of one item is written like an item of a longer one.
    shown.by_ref().map(|document| yaml::document(&Value::Array(vec![document]), terminal)).collect()
}

fn bare(documents: &Documents, field: &str, terminal: bool) -> Result<String> {
    let document = documents.iter(Spelling::Snake).next();
    let Some(value) = document.as_ref().and_then(|document| document.get(field)).and_then(Value::as_str) else {
        return Err(Error::internal(format!("the answer has no field {field}")));
    };
    let shown = if terminal { escape::inline(value) } else { value.into() };
    Ok(format!("{shown}\n"))
}
