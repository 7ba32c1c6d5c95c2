//! What a command prints: one result in five formats, or what a jq filter makes of it.
//!
//! Everything here turns a value into bytes; writing them to a stream is the caller's.

mod jq;
pub mod jq_process;
mod json;
mod printer;
pub mod stdout;
mod table;
mod text;
pub mod yaml;

use serde_json::Value;

use crate::error::Result;
use crate::message::{ANY, Message, Spelling};
use crate::text::escape;

pub use jq::{Filter, STACK_BYTES};
pub use printer::Printer;

/// What a command hands over to be shown. Values are REST JSON as received.
#[derive(Clone)]
pub enum Output {
    /// No result: nothing is printed in any format, and no filter is run.
    Nothing,
    /// Text that has a form of its own, whatever the format.
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
    /// Several messages that were asked for one by one.
    Objects {
        /// The messages' shape.
        message: &'static Message,
        /// The messages.
        values: Vec<Value>,
    },
    /// What a `list` found.
    List {
        /// The messages' shape.
        message: &'static Message,
        /// The messages.
        values: Vec<Value>,
        /// The columns of the text format's table.
        columns: &'static [Column],
    },
    /// A value of the user's own, such as a setting: nothing in it is respelt or left out. In the text format a string
    /// is printed as it is.
    Value(Value),
}

/// A column of a list in the text format.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The heading, in upper case.
    pub header: &'static str,
    /// Where the cells come from.
    pub cell: Cell,
}

/// How the cell of a [`Column`] is filled.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    /// The field of this `snake_case` name.
    Field(&'static str),
    /// The point in time in the field of this `snake_case` name, as `2024-09-08 18:59:45` in UTC.
    Time(&'static str),
    /// What the function makes of the message, given with `snake_case` names.
    Computed(fn(&Value) -> String),
}

/// In which form a result is printed.
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
    /// A table of all fields
    Table,
}

/// How results are to be printed.
pub struct Render {
    /// The form of the result; with a filter, the spelling of the document that the filter sees.
    pub format: Format,
    /// The jq filter that makes the output, if one was given.
    pub filter: Option<Filter>,
    /// Whether the output goes to a terminal: characters that it would act on are then shown escaped.
    pub terminal: bool,
}

impl Render {
    /// The bytes to print.
    ///
    /// A filter may run for ever, and one that calls itself deeply takes much of the stack: with a filter, run this on
    /// a thread of its own of [`STACK_BYTES`]. One that calls itself without end overflows any stack.
    ///
    /// # Errors
    /// [`FilterRun`](crate::error::Kind::FilterRun) when the filter fails on the document; nothing is to be printed
    /// then. [`Internal`](crate::error::Kind::Internal) when a bare field is missing.
    pub fn render(&self, output: &Output) -> Result<Vec<u8>> {
        if let Output::Verbatim(text) = output {
            return Ok(text.clone());
        }
        let Some(documents) = Documents::of(output) else { return Ok(Vec::new()) };
        let spelling = self.spelling();
        let bytes = match (&self.filter, self.format) {
            (Some(filter), _) => filter.run(&json::compact(&documents, spelling)?)?,
            (None, Format::Json | Format::JsonRest) => json::pretty(&documents, spelling)?,
            (None, Format::Yaml) => return Ok(text::yaml(&documents, self.terminal).into_bytes()),
            (None, Format::Table) => return Ok(table::all_fields(&documents, self.terminal).into_bytes()),
            (None, Format::Text) => return Ok(text::text(output, &documents, self.terminal)?.into_bytes()),
        };
        Ok(self.shown(bytes))
    }

    /// What a filter has made, as the stream should get it.
    pub fn shown(&self, text: Vec<u8>) -> Vec<u8> {
        if self.terminal { escape::lines(&String::from_utf8_lossy(&text)).into_owned().into_bytes() } else { text }
    }

    /// The expression of the filter and the document that it is to be run on, if it may end the process that it runs in.
    ///
    /// # Errors
    /// The output cannot be written as JSON.
    pub fn risky_filter(&self, output: &Output) -> Result<Option<(&str, Vec<u8>)>> {
        let Some(filter) = self.filter.as_ref().filter(|filter| !filter.is_path()) else { return Ok(None) };
        let Some(documents) = Documents::of(output) else { return Ok(None) };
        Ok(Some((filter.expression(), json::compact(&documents, self.spelling())?)))
    }

    fn spelling(&self) -> Spelling {
        match self.format {
            Format::JsonRest => Spelling::Camel,
            _ => Spelling::Snake,
        }
    }
}

/// The messages of an [`Output`].
struct Documents<'a> {
    message: &'static Message,
    values: &'a [Value],
    /// Whether they are shown as an array, however many there are.
    many: bool,
    /// Whether they are shown as they are instead of in the form of a message.
    plain: bool,
}

impl<'a> Documents<'a> {
    fn of(output: &'a Output) -> Option<Self> {
        let (message, values, many): (&&'static Message, _, _) = match output {
            Output::Nothing | Output::Verbatim(_) => return None,
            Output::Object { message, value } | Output::Bare { message, value, .. } => {
                (message, std::slice::from_ref(value), false)
            }
            Output::Objects { message, values } | Output::List { message, values, .. } => (message, &values[..], true),
            Output::Value(Value::Array(values)) => (&&ANY, &values[..], true),
            Output::Value(value) => (&&ANY, std::slice::from_ref(value), false),
        };
        Some(Self { message, values, many, plain: matches!(output, Output::Value(_)) })
    }

    /// Each message in the form in which it is shown, made one at a time: a list may be long.
    fn iter(&self, spelling: Spelling) -> impl Iterator<Item = Value> {
        let plain = self.plain;
        self.values.iter().map(move |value| if plain { value.clone() } else { self.message.document(value, spelling) })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::message::Field;

    pub(super) const ACCESS_KEY: Message = Message {
        name: "AccessKey",
        fields: &[
            Field::scalar("id"),
            Field::scalar("service_account_id"),
            Field::timestamp("created_at"),
            Field::scalar("description"),
            Field::scalar("key_id"),
            Field::timestamp("last_used_at"),
        ],
    };
    const CREATED: Message =
        Message { name: "Created", fields: &[Field::message("access_key", &ACCESS_KEY), Field::scalar("secret")] };
    const TOKEN: Message =
        Message { name: "Token", fields: &[Field::scalar("iam_token"), Field::timestamp("expires_at")] };
    const COLUMNS: [Column; 3] = [
        Column { header: "ID", cell: Cell::Field("id") },
        Column { header: "SERVICE ACCOUNT ID", cell: Cell::Field("service_account_id") },
        Column { header: "KEY ID", cell: Cell::Field("key_id") },
    ];

    pub(super) fn object(value: Value) -> Output {
        Output::Object { message: &ANY, value }
    }

    pub(super) fn created(value: Value) -> Output {
        Output::Object { message: &CREATED, value }
    }

    pub(super) fn list(values: Vec<Value>) -> Output {
        Output::List { message: &ACCESS_KEY, values, columns: &COLUMNS }
    }

    pub(super) fn objects(values: Vec<Value>) -> Output {
        Output::Objects { message: &ACCESS_KEY, values }
    }

    fn token() -> Output {
        let value = json!({"iamToken": "t1.9euel", "expiresAt": "2025-12-16T06:23:51.383485065Z"});
        Output::Bare { message: &TOKEN, value, field: "iam_token" }
    }

    pub(super) fn show(format: Format, filter: Option<&str>, terminal: bool, output: &Output) -> String {
        let filter = filter.map(|expression| Filter::compile(expression, &BTreeMap::new()).unwrap());
        String::from_utf8(Render { format, filter, terminal }.render(output).unwrap()).unwrap()
    }

    /// JSON with strings that are hard to write.
    pub(super) fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[ \t\n\r:#'\"\\\\,&*!|>%@`{}\\[\\]a0_=~<?.+-]{0,10}",
            "[0-9eExob_.:TtZ +-]{1,12}",
            "[\u{0}-\u{ff}\u{2000}-\u{2070}\u{feff}\u{ffff}А-я]{0,8}",
            proptest::sample::select(vec![
                "no", "nan", "-inf", "Yes", "NULL", "~", "<<", "=", "---", "... x", ".inf", "-.INF", "0o7", "1_0"
            ])
            .prop_map(str::to_owned),
        ]
        .boxed();
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            // Of other numbers, the last digit may be lost on the way in.
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 16.0)),
            proptest::sample::select(vec![1e300, -1e-7, 5e-324, 1e16, -0.0]).prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((text.clone(), inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn a_render_can_go_to_another_thread() {
        fn send<T: Send>() {}
        send::<Render>();
        send::<Output>();
    }

    #[test]
    fn the_formats_have_the_names_of_yc() {
        let names = <Format as clap::ValueEnum>::value_variants()
            .iter()
            .map(|format| clap::ValueEnum::to_possible_value(format).unwrap().get_name().to_owned());
        assert_eq!(names.collect::<Vec<_>>(), ["text", "yaml", "json", "json-rest", "table"]);
    }

    #[test]
    fn nothing_prints_nothing() {
        for format in [Format::Text, Format::Yaml, Format::Json, Format::JsonRest, Format::Table] {
            assert_eq!(show(format, None, true, &Output::Nothing), "");
            assert_eq!(show(format, Some("error"), false, &Output::Nothing), "");
        }
    }

    /// Source: yandex-cloud/docs, `en/iam/operations/authentication/manage-access-keys.md`.
    #[test]
    fn create_prints_as_documented() {
        let value = json!({
            "accessKey": {
                "id": "aje6t3vsbj8l********",
                "serviceAccountId": "ajepg0mjt06s********",
                "createdAt": "2018-11-22T14:37:51Z",
                "keyId": "0n8X6WY6S24N********",
            },
            "secret": "JyTRFdqw8t1kh2-OJNz4JX5ZTz9Dj1rI********",
        });
        let documented = "access_key:\n  id: aje6t3vsbj8l********\n  service_account_id: ajepg0mjt06s********\n  \
                          created_at: \"2018-11-22T14:37:51Z\"\n  key_id: 0n8X6WY6S24N********\n\
                          secret: JyTRFdqw8t1kh2-OJNz4JX5ZTz9Dj1rI********\n";
        assert_eq!(show(Format::Text, None, false, &created(value.clone())), documented);
        assert_eq!(show(Format::Yaml, None, true, &created(value.clone())), documented);

        let mut described = value;
        described["accessKey"]["description"] = "ключ (CI) for bot@example.com, v1:2".into();
        let text = show(Format::Text, None, false, &created(described));
        let line =
            "  created_at: \"2018-11-22T14:37:51Z\"\n  description: ключ (CI) for bot@example.com, v1:2\n  key_id: ";
        assert!(text.contains(line), "{text}");
    }

    /// Source: yandex-cloud/docs, `en/_includes/iam/manage-ephemeral-keys.md`.
    #[test]
    fn an_ephemeral_key_prints_as_documented() {
        let value = json!({
            "accessKeyId": "ajelprpohp8t********",
            "secret": "YCOs05v-KRXqhYpUINdWArH4MINhMyJ6CGU********",
            "sessionToken": "s1.9muilY********",
            "expiresAt": "2025-12-16T06:23:51.383485065Z",
        });
        let documented = "access_key_id: ajelprpohp8t********\nsecret: YCOs05v-KRXqhYpUINdWArH4MINhMyJ6CGU********\n\
                          session_token: s1.9muilY********\nexpires_at: \"2025-12-16T06:23:51.383485065Z\"\n";
        assert_eq!(show(Format::Text, None, false, &object(value)), documented);
    }

    #[test]
    fn get_prints_fields_that_are_set_in_proto_order() {
        let value = json!({
            "lastUsedAt": "2024-01-02T03:04:05Z", "keyId": "YCAJE", "id": "aje", "description": "",
            "createdAt": "2022-03-05T11:36:02Z", "serviceAccountId": "ajf",
        });
        let text = "id: aje\nservice_account_id: ajf\ncreated_at: \"2022-03-05T11:36:02Z\"\nkey_id: YCAJE\n\
                    last_used_at: \"2024-01-02T03:04:05Z\"\n";
        let output = Output::Object { message: &ACCESS_KEY, value: value.clone() };
        assert_eq!(show(Format::Text, None, false, &output), text);
        let several = objects(vec![value.clone(), value]);
        assert_eq!(show(Format::Text, None, false, &several), format!("{text}---\n{text}"));
    }

    #[test]
    fn yaml_lists_are_sequences() {
        let values = vec![json!({"id": "a", "keyId": "b"}), json!({"id": "2"})];
        let sequence = "- id: a\n  key_id: b\n- id: \"2\"\n";
        assert_eq!(show(Format::Yaml, None, false, &list(values.clone())), sequence);
        assert_eq!(show(Format::Yaml, None, false, &objects(values)), sequence);
        assert_eq!(show(Format::Yaml, None, false, &list(vec![])), "[]\n");
    }

    #[test]
    fn a_token_prints_bare_in_text_alone() {
        assert_eq!(show(Format::Text, None, true, &token()), "t1.9euel\n");
        let yaml = "iam_token: t1.9euel\nexpires_at: \"2025-12-16T06:23:51.383485065Z\"\n";
        assert_eq!(show(Format::Yaml, None, false, &token()), yaml);
        assert_eq!(show(Format::JsonRest, Some(".iamToken"), false, &token()), "t1.9euel\n");
        let missing = Output::Bare { message: &TOKEN, value: json!({}), field: "iam_token" };
        let error = Render { format: Format::Text, filter: None, terminal: false }.render(&missing).unwrap_err();
        assert_eq!(error.exit_code(), 1);
    }

    proptest! {
        #[test]
        fn a_terminal_gets_nothing_it_would_act_on(value in any_value()) {
            let output = list(vec![json!({"id": value, "key_id": value.to_string(), "more": [value]})]);
            for format in [Format::Text, Format::Yaml, Format::Json, Format::JsonRest, Format::Table] {
                let shown = show(format, None, true, &output);
                prop_assert!(!shown.chars().any(escape::is_hidden), "{:?} {:?}", format, shown);
            }
            let shown = show(Format::Text, Some(".. | (., keys_unsorted?[]?)"), true, &output);
            prop_assert!(!shown.chars().any(escape::is_hidden), "{:?}", shown);
        }
    }
}
