//! The shape of proto messages: which fields, in which order, under which spelling.
//!
//! Responses are passed on as the JSON that was received, so that a field which the API adds later reaches the user.
//! A [`Message`] is what the program knows of such a value: it puts known fields in proto order and spells them in
//! `snake_case` or `camelCase`. Keys of free-form maps are not changed.

mod node;

use std::borrow::Cow;

use self::node::Fields;
pub use self::node::{Node, Text};

/// A proto message as far as this program knows it.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The message's name, e.g. `AccessKey`.
    pub name: &'static str,
    /// Its fields in proto order.
    pub fields: &'static [Field],
}

/// A field of a [`Message`].
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name in `snake_case`, as the proto has it.
    pub name: &'static str,
    /// What the field holds.
    pub kind: FieldKind,
}

/// What a [`Field`] holds.
#[derive(Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A string, number, boolean, or a list of them.
    Scalar,
    /// A `google.protobuf.Timestamp`: an RFC 3339 string.
    Timestamp,
    /// A map whose keys the user chooses, e.g. labels.
    Map,
    /// A message, or a list of them.
    Message(&'static Message),
    /// A value that is shown even if it is 0, false or empty.
    Always,
}

/// How field names are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `service_account_id`, as in the proto, in `yc`'s own output and in jq filters.
    Snake,
    /// `serviceAccountId`, as in the REST API.
    Camel,
}

/// A message of which nothing is known: every field is passed through.
pub const ANY: Message = Message { name: "Any", fields: &[] };

impl Field {
    pub const fn scalar(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Scalar }
    }

    pub const fn timestamp(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Timestamp }
    }

    pub const fn map(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Map }
    }

    pub const fn always(name: &'static str) -> Self {
        Self { name, kind: FieldKind::Always }
    }

    /// A message within a message.
    pub const fn message(name: &'static str, message: &'static Message) -> Self {
        Self { name, kind: FieldKind::Message(message) }
    }
}

impl Message {
    /// Converts a received value for output: known fields first and in proto order, then the others in the server's
    /// order; fields with the default value of their type left out; names in the given spelling.
    pub fn document<'a>(&self, value: Node<'a>, spelling: Spelling) -> Node<'a> {
        match value {
            Node::Array(items) => Node::Array(items.into_iter().map(|item| self.document(item, spelling)).collect()),
            Node::Object(fields) => Node::Object(self.ordered(fields, spelling)),
            scalar => scalar,
        }
    }

    fn ordered<'a>(
        &self,
        received: Vec<(Cow<'a, str>, Node<'a>)>,
        spelling: Spelling,
    ) -> Vec<(Cow<'a, str>, Node<'a>)> {
        let mut fields = Fields::with_capacity(received.len());
        for (name, value) in received {
            let position = self.fields.iter().position(|field| is_spelling_of(field.name, &name));
            let kind = position.map(|position| &self.fields[position].kind);
            let shown = match kind {
                Some(FieldKind::Map) => value,
                // Every message of the API that has labels has a map of them.
                None if name == "labels" => value,
                Some(FieldKind::Message(message)) => message.document(value, spelling),
                Some(FieldKind::Scalar | FieldKind::Timestamp | FieldKind::Always) | None => {
                    ANY.document(value, spelling)
                }
            };
            if !is_default(&shown) || kind == Some(&FieldKind::Always) {
                let name = match (position, spelling) {
                    (Some(position), Spelling::Snake) => Cow::Borrowed(self.fields[position].name),
                    _ => spelling.convert(name),
                };
                fields.insert(name, (position.unwrap_or(usize::MAX), shown));
            }
        }
        let mut fields = fields.into_entries();
        fields.sort_by_key(|(_, (position, _))| *position);
        fields.into_iter().map(|(name, (_, value))| (name, value)).collect()
    }
}

impl Spelling {
    fn convert(self, name: Cow<'_, str>) -> Cow<'_, str> {
        match self {
            Self::Snake if name.bytes().any(|byte| byte.is_ascii_uppercase()) => Cow::Owned(snake_case(&name)),
            Self::Camel if name.contains('_') => Cow::Owned(camel_case(&name)),
            Self::Snake | Self::Camel => name,
        }
    }
}

/// Whether `name` is a field's name, which is in `snake_case`, or its `camelCase` form.
fn is_spelling_of(field: &str, name: &str) -> bool {
    field == name || is_camel_case_of(field, name)
}

/// Whether `name` is what [`camel_case`] makes of `field`, without making it.
fn is_camel_case_of(field: &str, name: &str) -> bool {
    let (mut field, mut name) = (field.bytes().peekable(), name.bytes());
    let mut is_first = true;
    while let Some(byte) = field.next() {
        let expected = match field.peek() {
            Some(next) if byte == b'_' && !is_first && next.is_ascii_lowercase() => {
                let upper = next.to_ascii_uppercase();
                field.next();
                upper
            }
            _ => byte,
        };
        if name.next() != Some(expected) {
            return false;
        }
        is_first = false;
    }
    name.next().is_none()
}

/// Whether protobuf JSON would leave a field with this value out.
fn is_default(value: &Node<'_>) -> bool {
    match value {
        Node::Null => true,
        Node::Bool(set) => !set,
        Node::Number(number) => number.as_f64() == Some(0.0),
        Node::String(text) => text.is_empty(),
        Node::Array(items) => items.is_empty(),
        Node::Object(fields) => fields.is_empty(),
    }
}

/// `service_account_id` → `serviceAccountId`; other names are returned as they are.
pub fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        match letters.peek() {
            Some(next) if letter == '_' && !camel.is_empty() && next.is_ascii_lowercase() => {
                camel.push(next.to_ascii_uppercase());
                letters.next();
            }
            _ => camel.push(letter),
        }
    }
    camel
}

/// `serviceAccountId` → `service_account_id`; other names are returned as they are.
pub fn snake_case(name: &str) -> String {
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return name.to_owned();
    }
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const INNER: Message = Message { name: "Inner", fields: &[Field::scalar("id"), Field::scalar("key_id")] };
    const OUTER: Message = Message {
        name: "Outer",
        fields: &[Field::message("access_key", &INNER), Field::map("labels"), Field::scalar("secret")],
    };

    fn shown(message: &Message, received: &Value, spelling: Spelling) -> String {
        message.document(Node::from(received), spelling).to_string()
    }

    #[test]
    fn known_fields_come_first_in_proto_order_and_unknown_ones_are_kept() {
        let received = json!({
            "newThing": {"innerThing": 1},
            "secret": "s",
            "labels": {"camelKey": "", "snake_key": "v"},
            "accessKey": {"keyId": "k", "id": "i"},
        });
        let snake = shown(&OUTER, &received, Spelling::Snake);
        let expected = json!({
            "access_key": {"id": "i", "key_id": "k"},
            "labels": {"camelKey": "", "snake_key": "v"},
            "secret": "s",
            "new_thing": {"inner_thing": 1},
        });
        assert_eq!(snake, expected.to_string());
        let camel = shown(&OUTER, &received, Spelling::Camel);
        assert!(camel.starts_with(r#"{"accessKey":{"id":"i","keyId":"k"},"labels":{"camelKey":"""#), "{camel}");
    }

    #[test]
    fn fields_with_default_values_are_left_out() {
        let received = json!({"id": "", "keyId": null, "a": false, "b": 0, "c": [], "d": {}, "e": {"f": ""}, "g": "0"});
        assert_eq!(shown(&INNER, &received, Spelling::Snake), r#"{"g":"0"}"#);
    }

    #[test]
    fn the_type_of_an_any_keeps_its_name() {
        let received = json!({"@type": "t", "accessKeyId": "a"});
        assert_eq!(shown(&ANY, &received, Spelling::Snake), r#"{"@type":"t","access_key_id":"a"}"#);
    }

    #[test]
    fn of_a_field_in_both_spellings_the_last_value_counts() {
        let received = json!({"keyId": "a", "id": "i", "key_id": "b", "newThing": 1, "new_thing": 2});
        assert_eq!(shown(&INNER, &received, Spelling::Snake), r#"{"id":"i","key_id":"b","new_thing":2}"#);
    }

    proptest! {
        #[test]
        fn a_field_is_found_by_its_two_spellings_alone(field in "[a-z_][a-z0-9_]{0,9}", other in "[a-zA-Z_]{0,8}") {
            prop_assert!(is_spelling_of(&field, &field) && is_spelling_of(&field, &camel_case(&field)));
            prop_assert_eq!(is_spelling_of(&field, &other), field == other || camel_case(&field) == other);
        }

        #[test]
        fn the_two_spellings_name_the_same_field(name in "[a-z][a-z0-9]{0,5}(_[a-z][a-z0-9]{0,5}){0,3}") {
            prop_assert_eq!(snake_case(&camel_case(&name)), name.clone());
            prop_assert_eq!(camel_case(&camel_case(&name)), camel_case(&name));
        }
    }
}
