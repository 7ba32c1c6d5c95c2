//! The shape of proto messages: which fields, in which order, under which spelling.
//!
//! Responses are passed on as the JSON that was received, so that a field which the API adds later reaches the user.
//! A [`Message`] is what the program knows of such a value: it puts known fields in proto order and spells them in
//! `snake_case` or `camelCase`. Keys of free-form maps are not changed.

use serde_json::{Map, Value};

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

    /// A message within a message.
    pub const fn message(name: &'static str, message: &'static Message) -> Self {
        Self { name, kind: FieldKind::Message(message) }
    }
}

impl Message {
    /// The field of this name in either spelling.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        let fields: &'static [Field] = self.fields;
        fields.iter().find(|field| field.name == name || camel_case(field.name) == name)
    }

    /// Converts a received value for output: known fields first and in proto order, then the others in the server's
    /// order; fields with the default value of their type left out; names in the given spelling.
    pub fn document(&self, value: &Value, spelling: Spelling) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|item| self.document(item, spelling)).collect(),
            Value::Object(object) => Value::Object(self.ordered(object, spelling)),
            scalar => scalar.clone(),
        }
    }

    fn ordered(&self, object: &Map<String, Value>, spelling: Spelling) -> Map<String, Value> {
        let mut entries: Vec<_> = object
            .iter()
            .map(|(key, value)| {
                let position = self.fields.iter().position(|f| f.name == key || camel_case(f.name) == *key);
                (position.unwrap_or(usize::MAX), key, value)
            })
            .collect();
        entries.sort_by_key(|(position, _, _)| *position);

        let mut document = Map::new();
        for (position, key, value) in entries {
            let shown = match self.fields.get(position).map(|field| &field.kind) {
                Some(FieldKind::Map) => value.clone(),
                // Every message of the API that has labels has a map of them.
                None if key == "labels" => value.clone(),
                Some(FieldKind::Message(message)) => message.document(value, spelling),
                Some(FieldKind::Scalar | FieldKind::Timestamp) | None => ANY.document(value, spelling),
            };
            if !is_default(&shown) {
                document.insert(spelling.convert(key), shown);
            }
        }
        document
    }
}

impl Spelling {
    fn convert(self, name: &str) -> String {
        match self {
            Self::Snake => snake_case(name),
            Self::Camel => camel_case(name),
        }
    }
}

/// Whether protobuf JSON would leave a field with this value out.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
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
    use serde_json::json;

    use super::*;

    const INNER: Message = Message { name: "Inner", fields: &[Field::scalar("id"), Field::scalar("key_id")] };
    const OUTER: Message = Message {
        name: "Outer",
        fields: &[Field::message("access_key", &INNER), Field::map("labels"), Field::scalar("secret")],
    };

    #[test]
    fn known_fields_come_first_in_proto_order_and_unknown_ones_are_kept() {
        let received = json!({
            "newThing": {"innerThing": 1},
            "secret": "s",
            "labels": {"camelKey": "", "snake_key": "v"},
            "accessKey": {"keyId": "k", "id": "i"},
        });
        let snake = OUTER.document(&received, Spelling::Snake);
        let expected = json!({
            "access_key": {"id": "i", "key_id": "k"},
            "labels": {"camelKey": "", "snake_key": "v"},
            "secret": "s",
            "new_thing": {"inner_thing": 1},
        });
        assert_eq!(snake.to_string(), expected.to_string());
        let camel = OUTER.document(&received, Spelling::Camel).to_string();
        assert!(camel.starts_with(r#"{"accessKey":{"id":"i","keyId":"k"},"labels":{"camelKey":"""#), "{camel}");
    }

    #[test]
    fn fields_with_default_values_are_left_out() {
        let received = json!({"id": "", "keyId": null, "a": false, "b": 0, "c": [], "d": {}, "e": {"f": ""}, "g": "0"});
        assert_eq!(INNER.document(&received, Spelling::Snake), json!({"g": "0"}));
    }

    #[test]
    fn the_type_of_an_any_keeps_its_name() {
        let received = json!({"@type": "t", "accessKeyId": "a"});
        assert_eq!(ANY.document(&received, Spelling::Snake), json!({"@type": "t", "access_key_id": "a"}));
    }

    proptest! {
        #[test]
        fn the_two_spellings_name_the_same_field(name in "[a-z][a-z0-9]{0,5}(_[a-z][a-z0-9]{0,5}){0,3}") {
            prop_assert_eq!(snake_case(&camel_case(&name)), name.clone());
            prop_assert_eq!(camel_case(&camel_case(&name)), camel_case(&name));
        }
    }
}
