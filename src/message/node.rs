//! JSON values that borrow their text from a response, so that a long list costs the memory of its text alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Number, Value};

/// A JSON value. The fields of an object are in the order of the text; of a name given twice the last value counts, as
/// in [`serde_json::Map`].
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// Objects of at most this many fields are searched for a name one field after the other.
const SMALL_OBJECT: usize = 32;

impl<'a> Node<'a> {
    /// The value of this field; `None` for another value than an object.
    pub fn get(&self, name: &str) -> Option<&Node<'a>> {
        match self {
            Self::Object(fields) => fields.iter().find(|(field, _)| field == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string; `None` for another value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// The value with text of its own.
    pub fn into_owned(self) -> Node<'static> {
        match self {
            Self::Null => Node::Null,
            Self::Bool(set) => Node::Bool(set),
            Self::Number(number) => Node::Number(number),
            Self::String(text) => Node::String(Cow::Owned(text.into_owned())),
            Self::Array(items) => Node::Array(items.into_iter().map(Node::into_owned).collect()),
            Self::Object(fields) => {
                let owned =
                    |(name, value): (Cow<'_, str>, Node<'_>)| (Cow::Owned(name.into_owned()), value.into_owned());
                Node::Object(fields.into_iter().map(owned).collect())
            }
        }
    }
}

impl<'a> From<&'a Value> for Node<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(set) => Self::Bool(*set),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::String(Cow::Borrowed(text)),
            Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Object(
                fields.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), Self::from(value))).collect(),
            ),
        }
    }
}

/// The value as compact JSON.
impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(set) => serializer.serialize_bool(*set),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, set: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(set))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node<'de>, E> {
        Ok(Number::from_f64(number).map_or(Node::Null, Node::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Node::Array(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node<'de>, A::Error> {
        let mut fields = Fields::with_capacity(0);
        while let Some((Text(name), value)) = entries.next_entry()? {
            fields.insert(name, value);
        }
        Ok(Node::Object(fields.into_entries()))
    }
}

/// The fields of an object while it is made: of a name given twice the last value counts, at the place of the first.
pub(super) struct Fields<'a, V> {
    entries: Vec<(Cow<'a, str>, V)>,
    /// The positions by name, when there are too many fields to look at each.
    positions: HashMap<Cow<'a, str>, usize>,
}

impl<'a, V> Fields<'a, V> {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self { entries: Vec::with_capacity(count), positions: HashMap::new() }
    }

    pub(super) fn insert(&mut self, name: Cow<'a, str>, value: V) {
        if let Some(position) = self.position(&name) {
            self.entries[position].1 = value;
            return;
        }
        if !self.positions.is_empty() {
            self.positions.insert(name.clone(), self.entries.len());
        }
        self.entries.push((name, value));
    }

    pub(super) fn into_entries(self) -> Vec<(Cow<'a, str>, V)> {
        self.entries
    }

    fn position(&mut self, name: &str) -> Option<usize> {
        if self.entries.len() <= SMALL_OBJECT {
            return self.entries.iter().position(|(known, _)| known == name);
        }
        if self.positions.is_empty() {
            self.positions.extend(self.entries.iter().enumerate().map(|(at, (known, _))| (known.clone(), at)));
        }
        self.positions.get(name).copied()
    }
}

/// A text that is borrowed where it holds no escapes, which `Cow` by itself is not.
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::output::tests::any_value;

    #[test]
    fn of_a_field_given_twice_the_last_value_counts_at_the_place_of_the_first() {
        let node: Node<'_> = serde_json::from_str(r#"{"a":1,"b":2,"a":3}"#).unwrap();
        assert_eq!(node.to_string(), r#"{"a":3,"b":2}"#);
        let many: Vec<_> = (0..100).map(|n| format!("\"k{n}\":{n},")).collect();
        let text = format!("{{{}\"k0\":\"last\",\"k99\":\"last\"}}", many.concat());
        let node: Node<'_> = serde_json::from_str(&text).unwrap();
        let Node::Object(fields) = &node else { unreachable!() };
        assert_eq!((fields.len(), node.get("k0").unwrap().as_str()), (100, Some("last")));
        assert_eq!(node.get("k99").unwrap().as_str(), Some("last"));
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let node: Node<'_> = serde_json::from_str(r#"{"a":"plain","b":"a\nb"}"#).unwrap();
        assert!(matches!(node.get("a"), Some(Node::String(Cow::Borrowed("plain")))));
        assert!(matches!(node.get("b"), Some(Node::String(Cow::Owned(_)))));
        assert_eq!(node.clone().into_owned(), node);
    }

    proptest! {
        #[test]
        fn a_node_is_read_and_written_as_the_value_of_the_library(value in any_value()) {
            let value = json!({"v": value});
            let text = value.to_string();
            let node: Node<'_> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(node.to_string(), text.as_str());
            prop_assert_eq!(node, Node::from(&value));
        }
    }
}
