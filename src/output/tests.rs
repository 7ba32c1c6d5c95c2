use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::list::{List, ListPrinter};
use super::stdout::Written;
use super::*;
use crate::message::{ANY, Field};

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
const TOKEN: Message = Message { name: "Token", fields: &[Field::scalar("iam_token"), Field::timestamp("expires_at")] };
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

pub(super) fn list(values: Vec<Value>) -> TestList {
    TestList { message: &ACCESS_KEY, columns: &COLUMNS, pages: vec![values] }
}

/// A list, and how a server splits it into pages.
pub(super) struct TestList {
    pub(super) message: &'static Message,
    pub(super) columns: &'static [Column],
    pub(super) pages: Vec<Vec<Value>>,
}

/// What can be printed in a test.
pub(super) trait Shown {
    fn text(&self, render: Render) -> Result<Vec<u8>>;
}

impl Shown for Output {
    fn text(&self, render: Render) -> Result<Vec<u8>> {
        render.render(self)
    }
}

impl Shown for TestList {
    fn text(&self, render: Render) -> Result<Vec<u8>> {
        let list = List {
            message: self.message,
            columns: self.columns,
            items: "things",
            limit: None,
            follow: true,
            keep: None,
            table: TableOptions::default(),
        };
        let written = Rc::new(RefCell::new(Vec::new()));
        let sink = written.clone();
        let write = move |text: &[u8]| {
            sink.borrow_mut().extend_from_slice(text);
            Ok(Written::Whole)
        };
        let mut printer = ListPrinter::new(list, Arc::new(render), None, Box::new(write));
        for (position, page) in self.pages.iter().enumerate() {
            let is_last = position + 1 == self.pages.len();
            let token = if is_last { String::new() } else { format!("page {}", position + 1) };
            let body = json!({"things": page, "nextPageToken": token}).to_string();
            let page = printer.read(body.as_bytes(), chrono::DateTime::UNIX_EPOCH).unwrap();
            assert_eq!(printer.print(page)?.is_some(), is_last);
        }
        let text = written.borrow().clone();
        Ok(text)
    }
}

pub(super) fn objects(values: Vec<Value>) -> Output {
    Output::Objects { message: &ACCESS_KEY, values }
}

fn token() -> Output {
    let value = json!({"iamToken": "t1.9euel", "expiresAt": "2025-12-16T06:23:51.383485065Z"});
    Output::Bare { message: &TOKEN, value, field: "iam_token" }
}

pub(super) fn show(format: Format, filter: Option<&str>, terminal: bool, output: &impl Shown) -> String {
    let filter = filter.map(|expression| Filter::compile(expression, &BTreeMap::new()).unwrap());
    String::from_utf8(output.text(Render { filter, terminal, width: 2000, ..Render::plain(format) }).unwrap()).unwrap()
}

/// JSON with strings that are hard to write.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
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
    let line = "  created_at: \"2018-11-22T14:37:51Z\"\n  description: ключ (CI) for bot@example.com, v1:2\n  key_id: ";
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
    let error = Render::plain(Format::Text).render(&missing).unwrap_err();
    assert_eq!(error.exit_code(), 1);
}

/// Filters on a list: those that are run on each item, and those that need the whole list.
const LIST_FILTERS: [&str; 10] = [
    ".[]",
    ".[].id",
    ".[] | .id, .more",
    " .[]|select(.id != null)|.key_id",
    ".[] | {id}",
    ".",
    "length",
    "map(.id)",
    ".[0]",
    ".[1:] | .[] | .id",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_list_in_pages_prints_as_the_whole_list(
        values in proptest::collection::vec(any_value(), 0..8),
        cuts in proptest::collection::vec(0usize..8, 0..4),
        filter in proptest::option::of(proptest::sample::select(LIST_FILTERS.to_vec())),
        terminal: bool,
    ) {
        let values: Vec<_> = values
            .into_iter()
            .map(|value| json!({"id": value, "keyId": "k", "more": [value], "new_thing": {"a": value}}))
            .collect();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(values.len())).collect();
        cuts.sort_unstable();
        let mut pages = Vec::new();
        let mut start = 0;
        for end in cuts.into_iter().chain([values.len()]) {
            pages.push(values[start..end].to_vec());
            start = end;
        }
        for format in [Format::Text, Format::Yaml, Format::Json, Format::JsonRest, Format::Table] {
            let whole = show(format, filter, terminal, &list(values.clone()));
            let in_pages = TestList { pages: pages.clone(), ..list(Vec::new()) };
            prop_assert_eq!(show(format, filter, terminal, &in_pages), whole, "{:?} {:?}", format, filter);
        }
    }

    #[test]
    fn a_list_in_json_is_the_array_of_its_documents(values in proptest::collection::vec(any_value(), 0..5)) {
        let values: Vec<_> = values.into_iter().map(|value| json!({"id": value, "x": [value]})).collect();
        let array = show(Format::Json, None, false, &objects(values.clone()));
        prop_assert_eq!(show(Format::Json, None, false, &list(values.clone())), array);
        let filtered = show(Format::Json, Some("map(.)"), false, &objects(values.clone()));
        prop_assert_eq!(show(Format::Json, Some("map(.)"), false, &list(values)), filtered);
    }

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
