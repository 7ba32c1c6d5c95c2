//! Requests as files: `--request-file`, and the skeletons that `--example-json` and `--example-yaml` print.

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::reject_format_flags;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::Node;
use crate::output::{Output, yaml};
use crate::text::quote;

/// The file that a request is read from.
#[derive(Debug, Args)]
pub struct FileArg {
    /// Read the request from a file (JSON or YAML, `-` for standard input); flags take precedence
    #[arg(short = 'r', long, value_name = "FILE|-", hide_short_help = true)]
    request_file: Option<String>,
}

/// Skeletons of that file.
#[derive(Debug, Args)]
pub struct ExampleArgs {
    /// Print an example of a request file in JSON and do nothing else
    #[arg(long, conflicts_with = "example_yaml", hide_short_help = true)]
    example_json: bool,
    /// Print an example of a request file in YAML and do nothing else
    #[arg(long, hide_short_help = true)]
    example_yaml: bool,
}

/// The fields of a request as they stand in a file, in `snake_case` or as the API spells them. An unknown field is an
/// error.
pub trait RequestFields: DeserializeOwned + Serialize + Default {
    /// Every field, with an example or an empty text.
    fn example() -> Self;
}

impl ExampleArgs {
    /// Prints the skeleton, if one is requested; returns whether it was.
    ///
    /// # Errors
    /// A format or a filter is given too, or standard output cannot be written.
    pub async fn print<T: RequestFields>(&self, context: &Context<'_>) -> Result<bool> {
        if !self.example_json && !self.example_yaml {
            return Ok(false);
        }
        reject_format_flags(if self.example_json { "--example-json" } else { "--example-yaml" }, context)?;
        let example = serde_json::to_value(T::example())
            .map_err(|error| Error::internal(format!("cannot write the example: {error}")))?;
        let text =
            if self.example_json { format!("{example:#}\n") } else { yaml::document(&Node::from(&example), false) };
        context.printer.print(Output::Verbatim(text.into_bytes())).await?;
        Ok(true)
    }
}

/// The fields of a request file; without a file there are none.
#[derive(Debug, Default)]
pub struct RequestFile<T> {
    path: String,
    /// The fields.
    pub fields: T,
}

impl FileArg {
    /// Reads the file that is given.
    ///
    /// # Errors
    /// It cannot be read, is neither JSON nor YAML, or has a field that the request does not have.
    pub async fn read<T: RequestFields>(&self, context: &Context<'_>) -> Result<RequestFile<T>> {
        let Some(path) = &self.request_file else { return Ok(RequestFile::default()) };
        let text = context.read_input(path, "--request-file").await?;
        let fields = parse(&text).map_err(|problem| invalid(path, &problem))?;
        Ok(RequestFile { path: path.clone(), fields })
    }
}

impl<T> RequestFile<T> {
    /// The flag's value, else the text in the field as `parse` reads it; an empty text counts as not given.
    ///
    /// # Errors
    /// `parse` rejects the text.
    pub fn or<V>(
        &self,
        name: &str,
        flag: Option<V>,
        field: impl Fn(&T) -> &Option<String>,
        parse: impl Fn(&str) -> Result<V, String>,
    ) -> Result<Option<V>> {
        let text = field(&self.fields).as_deref().filter(|text| !text.is_empty());
        match (flag, text) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some(text)) => parse(text).map(Some).map_err(|rule| self.invalid(name, &rule)),
            (None, None) => Ok(None),
        }
    }

    /// The error for a field that breaks a rule.
    pub fn invalid(&self, field: &str, rule: &str) -> Error {
        invalid(&self.path, &format!("the field '{field}' is invalid: {rule}"))
    }
}

fn invalid(path: &str, problem: &str) -> Error {
    Error::usage(format!("--request-file {}: {problem}", quote::value(path)))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut not_json = None;
    if text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(fields) => return Ok(fields),
            Err(error) if error.is_data() => return Err(without_values(&error.to_string())),
            // It may be a mapping of YAML in braces.
            Err(error) => not_json = Some(error),
        }
    }
    match (serde_saphyr::from_str::<Value>(text), not_json) {
        (Ok(fields @ Value::Object(_)), _) => {
            T::deserialize(fields).map_err(|error| without_values(&error.to_string()))
        }
        (_, Some(error)) => Err(format!("it is not JSON: {}", quote::reason(error))),
        (Err(error), None) => {
            let reason = error.to_string();
            let reason = reason.lines().next().unwrap_or_default();
            Err(format!("it is neither JSON nor YAML: {}", quote::reason(reason)))
        }
        (Ok(_), None) => Err("it has no fields of a request, in JSON or in YAML".to_owned()),
    }
}

/// The reason without the text that has the wrong type: the file may be another one than was meant, with a secret.
fn without_values(reason: &str) -> String {
    match (reason.split_once(": string \""), reason.rsplit_once("\", expected ")) {
        (Some((before, _)), Some((_, after))) => format!("{before}: string, expected {after}"),
        _ => quote::reason(reason),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        #[serde(alias = "subjectId")]
        subject_id: Option<String>,
        description: Option<String>,
        seconds: Option<u64>,
    }

    #[test]
    fn both_spellings_and_both_languages_are_read() {
        let expected = Fields { subject_id: Some("a".into()), description: Some("b: c".into()), seconds: None };
        for text in [
            r#"{"subjectId": "a", "description": "b: c"}"#,
            "\u{feff}{\"subject_id\":\"a\",\n\t\"description\":\"b: c\"}",
            "subject_id: a\ndescription: 'b: c'\n",
            "---\n# note\nsubjectId: \"a\"\ndescription: \"b: c\"\n",
            "{subjectId: a, description: 'b: c'}",
        ] {
            assert_eq!(parse::<Fields>(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_not_a_request_is_refused_with_the_reason() {
        for (text, problem) in [
            ("{\"subject\": 1}", "unknown field `subject`, expected "),
            ("subject_id: a\nsubjectId: b\n", "duplicate field `subject_id`"),
            ("{\"subjectId\":\"a\",\"subject_id\":\"b\"}", "duplicate field `subject_id` at line 1 column 29"),
            ("{\"subjectId\": ", "it is not JSON: EOF while parsing a value at line 1 column 14"),
            ("[1]", "it has no fields of a request, in JSON or in YAML"),
            ("", "it has no fields of a request, in JSON or in YAML"),
            ("just text", "it has no fields of a request, in JSON or in YAML"),
            ("a: [", "it is neither JSON nor YAML: "),
            ("{\"description\": 5}", "invalid type: integer `5`, expected a string at line 1 column 17"),
            ("seconds: '900'", "invalid type: string, expected u64"),
            ("{\"seconds\": \"YCsecret\"}", "invalid type: string, expected u64 at line 1 column 22"),
        ] {
            let found = parse::<Fields>(text).unwrap_err();
            assert!(found.starts_with(problem), "{text}: {found}");
            assert!(!found.contains("YCsecret") && !found.contains("just text"), "{found}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "(\\PC|\n|[{}:'\", -]){0,40}") {
            let _ = parse::<Fields>(&text);
        }
    }
}
