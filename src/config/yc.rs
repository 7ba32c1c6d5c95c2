//! The configuration file of `yc`, which is read where there is no `config.toml`, and never written.
//!
//! Source: yandex-cloud/docs, `en/cli/release-notes.md` (0.134.0) for the path.

use std::path::PathBuf;

use serde_json::Value as Json;
use toml::{Table, Value};

use crate::env::Env;

/// The path of the configuration file of `yc`.
pub fn path(env: &Env) -> Option<PathBuf> {
    env.home.as_ref().map(|home| home.join(".config/yandex-cloud/config.yaml"))
}

/// Parses the file's text, which has the shape of `config.toml`: `current` and `profiles`.
///
/// # Errors
/// The text is not YAML of that shape; the message is `:LINE:COLUMN: reason` and quotes nothing of the text, which may
/// hold a secret.
pub fn parse(text: &str) -> Result<Table, String> {
    let text = text.strip_prefix(super::BOM).unwrap_or(text);
    let root: Json = serde_saphyr::from_str(text).map_err(|error| {
        let position = error.location().map(|at| format!(":{}:{}", at.line(), at.column())).unwrap_or_default();
        format!("{position}: not valid YAML")
    })?;
    match root {
        Json::Null => Ok(Table::new()),
        Json::Object(fields) => Ok(fields.iter().filter_map(top_level).collect()),
        _ => Err(": must hold 'current' and 'profiles'".to_owned()),
    }
}

/// An entry of the top level; a profile without any value (`name:` and nothing behind it) is an empty one.
fn top_level((key, value): (&String, &Json)) -> Option<(String, Value)> {
    let value = match value {
        Json::Object(profiles) if key == "profiles" => {
            let filled = |value| to_toml(value).unwrap_or_else(|| Value::Table(Table::new()));
            Value::Table(profiles.iter().map(|(name, value)| (name.clone(), filled(value))).collect())
        }
        other => to_toml(other)?,
    };
    Some((key.clone(), value))
}

/// The same value in TOML, which has no null: a key without a value counts as not set.
pub fn to_toml(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(set) => Value::Boolean(*set),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Integer(whole),
            (None, Some(float)) if number.is_f64() => Value::Float(float),
            // Larger than TOML can carry.
            _ => Value::String(number.to_string()),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().filter_map(to_toml).collect()),
        Json::Object(fields) => {
            Value::Table(fields.iter().filter_map(|(key, value)| Some((key.clone(), to_toml(value)?))).collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Source of the shape: yandex-cloud/docs, `en/_includes/cli/auth-as-sa.md`.
    const DOCUMENTED: &str = "current: sa\nprofiles:\n  default:\n    token: y0_abc\n    cloud-id: b1g1\n  sa:\n    \
                              service-account-key:\n      id: aje1\n      created_at: \"2019-08-26T12:31:25Z\"\n      \
                              private_key: |\n        PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <aje1>\n        \
                              -----BEGIN PRIVATE KEY-----\n    folder-id: b1g2\n  empty: {}\n  nothing:\n";

    #[test]
    fn the_documented_shape_is_read_in_its_order() {
        let root = parse(DOCUMENTED).unwrap();
        assert_eq!(root["current"].as_str(), Some("sa"));
        let profiles = root["profiles"].as_table().unwrap();
        assert_eq!(profiles.keys().collect::<Vec<_>>(), ["default", "sa", "empty", "nothing"]);
        assert_eq!(profiles["default"]["token"].as_str(), Some("y0_abc"));
        let key = profiles["sa"]["service-account-key"].as_table().unwrap();
        assert_eq!(key["created_at"].as_str(), Some("2019-08-26T12:31:25Z"));
        assert!(key["private_key"].as_str().unwrap().ends_with("<aje1>\n-----BEGIN PRIVATE KEY-----\n"));
        assert!(profiles["nothing"].as_table().unwrap().is_empty());
    }

    #[test]
    fn an_empty_file_is_an_empty_configuration() {
        assert!(parse("").unwrap().is_empty());
        assert!(parse("# nothing\n").unwrap().is_empty());
    }

    #[test]
    fn a_syntax_error_has_a_position_and_quotes_nothing() {
        let problem = parse("current: a\nprofiles:\n  a: {token: \"secret\n").unwrap_err();
        assert!(problem.starts_with(":3:") || problem.starts_with(":4:"), "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
        assert!(parse("- secret\n").unwrap_err().contains("must hold"));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_never_quotes(text in "canary(\\PC|\n|['\"=\\[\\]{}:&*!|>-]){0,60}") {
            if let Err(problem) = parse(&text) {
                prop_assert!(!problem.contains("canary"));
            }
        }
    }
}
