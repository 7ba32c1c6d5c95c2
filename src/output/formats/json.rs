//! The formats `json` and `json-rest`, and the input of a filter.

use serde::{Serialize as _, Serializer as _};
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::Documents;
use crate::error::{Error, Result};
use crate::message::{Node, Spelling};

/// The document with an indent of two spaces and a final line break.
pub(super) fn pretty(documents: &Documents, spelling: Spelling) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    serialize(documents, spelling, &mut Serializer::pretty(&mut bytes))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The document without white space.
pub(super) fn compact(documents: &Documents, spelling: Spelling) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    serialize(documents, spelling, &mut Serializer::new(&mut bytes))?;
    Ok(bytes)
}

fn serialize<F: Formatter>(
    documents: &Documents,
    spelling: Spelling,
    serializer: &mut Serializer<&mut Vec<u8>, F>,
) -> Result<()> {
    let mut shown = documents.iter(spelling);
    written(if documents.is_array { serializer.collect_seq(shown) } else { shown.next().serialize(serializer) })
}

/// A value without white space.
pub fn compact_node(node: &Node<'_>) -> Result<Vec<u8>> {
    written(serde_json::to_vec(node))
}

/// Writes a value at the depth that the formatter has reached.
pub fn push_indented(text: &mut Vec<u8>, formatter: impl Formatter, node: &Node<'_>) -> Result<()> {
    written(node.serialize(&mut Serializer::with_formatter(text, formatter)))
}

/// Names what failed; writing to memory does not, but for values that JSON cannot hold.
pub fn written<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T> {
    result.map_err(|error| Error::internal(format!("cannot write the result as JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::output::tests::{Shown, any_value, show};
    use crate::output::{Format, Output};

    fn printed(format: Format, output: &impl Shown) -> String {
        show(format, None, false, output)
    }

    #[test]
    fn an_object_keeps_proto_order_and_two_spaces() {
        let value = json!({
            "secret": "s",
            "accessKey": {"keyId": "YCAJE", "id": "aje", "createdAt": "2022-03-05T11:36:02.469530376Z"},
        });
        let output = crate::output::tests::created(value);
        let snake = "{\n  \"access_key\": {\n    \"id\": \"aje\",\n    \"created_at\": \"2022-03-05T11:36:02.469530376Z\",\n    \
                     \"key_id\": \"YCAJE\"\n  },\n  \"secret\": \"s\"\n}\n";
        assert_eq!(printed(Format::Json, &output), snake);
        let camel =
            snake.replace("access_key", "accessKey").replace("created_at", "createdAt").replace("key_id", "keyId");
        assert_eq!(printed(Format::JsonRest, &output), camel);
    }

    #[test]
    fn lists_are_bare_arrays() {
        let list = |values| crate::output::tests::list(values);
        assert_eq!(printed(Format::Json, &list(vec![])), "[]\n");
        assert_eq!(
            printed(Format::Json, &list(vec![json!({"keyId": "a"})])),
            "[\n  {\n    \"key_id\": \"a\"\n  }\n]\n"
        );
        assert_eq!(
            printed(Format::JsonRest, &list(vec![json!({"key_id": "a"})])),
            "[\n  {\n    \"keyId\": \"a\"\n  }\n]\n"
        );
    }

    #[test]
    fn nothing_but_what_json_demands_is_escaped() {
        let output = crate::output::tests::object(json!({"x": "<a&b> Ключ \u{2028} \u{7f} \u{202e} \u{1b}"}));
        let plain = "{\n  \"x\": \"<a&b> Ключ \u{2028} \u{7f} \u{202e} \\u001b\"\n}\n";
        assert_eq!(printed(Format::Json, &output), plain);
        let terminal = "{\n  \"x\": \"<a&b> Ключ \\u2028 \\u007f \\u202e \\u001b\"\n}\n";
        assert_eq!(show(Format::Json, None, true, &output), terminal);
    }

    proptest! {
        #[test]
        fn the_document_reads_back(value in any_value(), terminal: bool) {
            let output = crate::output::tests::object(json!({"values": [value], "n": 1}));
            let printed = show(Format::Json, None, terminal, &output);
            let again: Value = serde_json::from_str(&printed).unwrap();
            let Output::Object { message, value } = output else { unreachable!() };
            let document = message.document(Node::from(&value), Spelling::Snake).to_string();
            prop_assert_eq!(again, serde_json::from_str::<Value>(&document).unwrap());
        }
    }
}
