//! Requests as files: `--request-file`, and the skeletons that `--example-json` and `--example-yaml` print.

use clap::Args;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::commands::{Outcome, refuse_format_flags};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::output::{Output, yaml};

/// The file that a request is read from.
#[derive(Debug, Args)]
pub struct FileArg {
    /// Read the request from a file (JSON or YAML, `-` for standard input); flags win over it
    #[arg(short = 'r', long, value_name = "FILE|-")]
    request_file: Option<String>,
}

/// Skeletons of that file.
#[derive(Debug, Args)]
pub struct ExampleArgs {
    /// Print a request file in JSON and do nothing else
    #[arg(long, conflicts_with = "example_yaml")]
    example_json: bool,
    /// Print a request file in YAML and do nothing else
    #[arg(long)]
    example_yaml: bool,
}

impl ExampleArgs {
    /// The skeleton, if one is asked for: every field, with the value given here or an empty one.
    ///
    /// # Errors
    /// A format or a filter is asked for too.
    pub fn skeleton(
        &self,
        message: &Message,
        values: &[(&str, Value)],
        context: &Context<'_>,
    ) -> Result<Option<Outcome>> {
        if !self.example_json && !self.example_yaml {
            return Ok(None);
        }
        refuse_format_flags(if self.example_json { "--example-json" } else { "--example-yaml" }, context)?;
        let value =
            |name: &str| values.iter().find(|(field, _)| *field == name).map_or("".into(), |(_, value)| value.clone());
        let fields = message.fields.iter().map(|field| (field.name.to_owned(), value(field.name)));
        let skeleton = Value::Object(fields.collect());
        let text = if self.example_json { format!("{skeleton:#}\n") } else { yaml::document(&skeleton, false) };
        Ok(Some(Output::Verbatim(text.into_bytes()).into()))
    }
}

/// The fields of a request file.
#[derive(Debug, Default)]
pub struct RequestFile {
    path: String,
    /// By their `snake_case` names.
    fields: Map<String, Value>,
}

impl FileArg {
    /// Reads the file that is given; without one there are no fields.
    ///
    /// # Errors
    /// It cannot be read, is neither JSON nor YAML, or has a field that the message does not have.
    pub async fn read(&self, message: &'static Message, context: &Context<'_>) -> Result<RequestFile> {
        let Some(path) = &self.request_file else { return Ok(RequestFile::default()) };
        let text = context.read_input(path, "--request-file").await?;
        let fields = parse(&text, message).map_err(|problem| wrong(path, &problem))?;
        Ok(RequestFile { path: path.clone(), fields })
    }
}

impl RequestFile {
    /// The text in a field; one that is empty counts as not given.
    ///
    /// # Errors
    /// The field holds something else.
    pub fn text(&self, field: &str) -> Result<Option<String>> {
        Ok(self.text_or_empty(field)?.filter(|text| !text.is_empty()))
    }

    /// The text in a field, also an empty one.
    ///
    /// # Errors
    /// The field holds something else.
    pub fn text_or_empty(&self, field: &str) -> Result<Option<String>> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(field, &format!("must be a text in quotes, but is {}", kind(other)))),
        }
    }

    /// The flag's value, else what the check of the flag makes of the text in the field.
    ///
    /// # Errors
    /// The field holds something else than a text, or one that the check refuses.
    pub fn or_field<T>(
        &self,
        flag: Option<T>,
        field: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>> {
        let text = self.text(field)?;
        match (flag, text) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some(text)) => {
                check(&text).map(Some).map_err(|rule| self.wrong(field, &format!("is wrong: {rule}")))
            }
            (None, None) => Ok(None),
        }
    }

    /// The whole number in a field.
    ///
    /// # Errors
    /// The field holds something else.
    pub fn number(&self, field: &str) -> Result<Option<u64>> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| self.wrong(field, &format!("must be a whole number, but is {}", kind(value)))),
        }
    }

    /// An error about a field.
    pub fn wrong(&self, field: &str, rule: &str) -> Error {
        wrong(&self.path, &format!("the field '{field}' {rule}"))
    }
}

fn wrong(path: &str, problem: &str) -> Error {
    Error::usage(format!("--request-file '{path}': {problem}"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The fields of a text by their `snake_case` names.
fn parse(text: &str, message: &'static Message) -> Result<Map<String, Value>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json = serde_json::from_str::<Fields>(text);
    // YAML reads most JSON too, but not all of it, and says less well what is wrong with it.
    let Fields(given) = match json {
        Ok(fields) => fields,
        Err(error) if text.trim_start().starts_with('{') => {
            serde_saphyr::from_str::<Fields>(text).map_err(|_| format!("it is not JSON: {error}"))?
        }
        Err(_) => serde_saphyr::from_str::<Fields>(text).map_err(|error| {
            format!("it is neither JSON nor YAML: {}", error.to_string().lines().next().unwrap_or_default())
        })?,
    };
    let mut fields = Map::new();
    for (name, value) in given {
        let Some(field) = known(message, &name) else {
            let names: Vec<_> = message.fields.iter().map(|field| field.name).collect();
            return Err(format!("unknown field '{name}'; there are: {}", names.join(", ")));
        };
        if fields.insert(field.to_owned(), value).is_some() {
            return Err(format!("the field '{field}' is given twice"));
        }
    }
    Ok(fields)
}

/// The `snake_case` name of a field in any spelling of the APIs; STS begins its names with a capital.
fn known(message: &'static Message, name: &str) -> Option<&'static str> {
    let mut letters = name.chars();
    let first = letters.next()?.to_ascii_lowercase();
    let lower: String = std::iter::once(first).chain(letters).collect();
    message.field(&lower).map(|field| field.name)
}

/// The members of an object with those that stand in it twice.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with the fields of the request")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Fields(members))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Fields, E> {
                Err(E::custom("it is empty"))
            }
        }

        deserializer.deserialize_any(Members).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::message::Field;

    const MESSAGE: Message =
        Message { name: "Request", fields: &[Field::scalar("subject_id"), Field::scalar("description")] };

    fn parsed(text: &str) -> Result<Value, String> {
        parse(text, &MESSAGE).map(Value::Object)
    }

    #[test]
    fn every_spelling_and_both_languages_are_read() {
        let expected = json!({"subject_id": "a", "description": "b: c"});
        for text in [
            r#"{"subjectId": "a", "description": "b: c"}"#,
            "\u{feff}{\"subject_id\":\"a\",\n\t\"Description\":\"b: c\"}",
            "subject_id: a\ndescription: 'b: c'\n",
            "---\n# note\nsubjectId: \"a\"\nDescription: \"b: c\"\n",
            "{subjectId: a, description: 'b: c'}",
        ] {
            assert_eq!(parsed(text), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_request_is_refused_by_name() {
        for (text, problem) in [
            ("{\"subject\": 1}", "unknown field 'subject'; there are: subject_id, description"),
            ("subject_id: a\nsubjectId: b\n", "the field 'subject_id' is given twice"),
            ("{\"subjectId\":\"a\",\"subjectId\":\"b\"}", "the field 'subject_id' is given twice"),
            ("{\"subjectId\": ", "it is not JSON: "),
            ("[1]", "it is neither JSON nor YAML: "),
            ("", "it is neither JSON nor YAML: "),
            ("just text", "it is neither JSON nor YAML: "),
            ("a: [", "it is neither JSON nor YAML: "),
        ] {
            let found = parsed(text).unwrap_err();
            assert!(found.starts_with(problem), "{text}: {found}");
        }
    }

    #[test]
    fn values_are_checked_by_type() {
        let file = |text| RequestFile { path: "f".into(), fields: parse(text, &MESSAGE).unwrap() };
        let error = file("description: 5").text("description").unwrap_err();
        let message = "--request-file 'f': the field 'description' must be a text in quotes, but is a number";
        assert_eq!((error.to_string().as_str(), error.exit_code()), (message, 2));
        assert_eq!(file("description: ''").text("description").unwrap(), None);
        assert_eq!(file("description: ''").text_or_empty("description").unwrap().as_deref(), Some(""));
        assert_eq!(file("{\"description\": null}").text_or_empty("description").unwrap(), None);
        assert_eq!(file("description: 5").number("description").unwrap(), Some(5));
        assert!(file("description: -5").number("description").is_err());
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(\\PC|\n|[{}:'\", -]){0,40}") {
            let _ = parsed(&text);
        }
    }
}
