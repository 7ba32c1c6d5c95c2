//! The limits of request fields, as the protos state them.

use std::time::Duration;

use serde_json::{Map, Value};

/// What a field's text is held against.
pub(crate) type Check = fn(&str) -> Result<(), String>;

/// A query parameter or a field of a JSON body. Nearly every field of these
/// services is text in JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) check: Check,
    /// Whether it is a list; its text is then the JSON.
    pub(crate) is_list: bool,
}

impl Field {
    pub(crate) const fn optional(name: &'static str, check: Check) -> Self {
        Self { name, required: false, check, is_list: false }
    }

    pub(crate) const fn required(name: &'static str, check: Check) -> Self {
        Self { name, required: true, check, is_list: false }
    }

    pub(crate) const fn list(name: &'static str, check: Check) -> Self {
        Self { name, required: false, check, is_list: true }
    }
}

/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`.
pub(crate) fn id(text: &str) -> Result<(), String> {
    at_most(text, 50)
}

/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`, Create.
pub(crate) fn description(text: &str) -> Result<(), String> {
    at_most(text, 256)
}

/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`, List.
pub(crate) fn page_size(text: &str) -> Result<(), String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(0..=1000) if digits => Ok(()),
        _ => Err("must be a number from 0 to 1000".to_owned()),
    }
}

/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`, List.
pub(crate) fn page_token(text: &str) -> Result<(), String> {
    at_most(text, 2000)
}

/// Description is the only field of an access key that can be updated.
/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`, Update.
pub(crate) fn update_mask(text: &str) -> Result<(), String> {
    match text.split(',').find(|path| *path != "description") {
        Some(path) if !text.is_empty() => Err(format!("unknown path `{path}`")),
        _ => Ok(()),
    }
}

/// Only the field `name`, only `=`, the value in double quotes.
/// Source: `yandex/cloud/iam/v1/service_account_service.proto`, List.
pub(crate) fn name_filter(text: &str) -> Result<(), String> {
    at_most(text, 1000)?;
    if text.is_empty() || filtered_name(text).is_some() {
        return Ok(());
    }
    Err("must be `name = \"x\"` where x is a valid name".to_owned())
}

/// The name that a filter asks for.
pub(crate) fn filtered_name(filter: &str) -> Option<&str> {
    let value = filter.strip_prefix("name")?.trim_start().strip_prefix('=')?.trim_start();
    let name = value.strip_prefix('"')?.strip_suffix('"')?;
    is_name(name).then_some(name)
}

/// `[a-z][-a-z0-9]{1,61}[a-z0-9]`.
fn is_name(name: &str) -> bool {
    let middle = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(middle)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
}

/// Source: `yandex/cloud/iam/v1/awscompatibility/temporary_access_key_service.proto`.
pub(crate) fn session_name(text: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (1..=64).contains(&text.chars().count()) && text.chars().all(allowed) {
        return Ok(());
    }
    Err("must be 1-64 characters of [\\w+=,.@-]".to_owned())
}

/// Source: `yandex/cloud/iam/v1/awscompatibility/temporary_access_key_service.proto`.
pub(crate) fn duration(text: &str) -> Result<(), String> {
    let range = Duration::from_secs(15 * 60)..=Duration::from_secs(8760 * 3600);
    match seconds(text) {
        None => Err("must be seconds with the suffix s, such as \"3600s\"".to_owned()),
        Some(duration) if range.contains(&duration) => Ok(()),
        Some(_) => Err("must be 15m-8760h".to_owned()),
    }
}

/// Reads a protobuf JSON duration, such as `3600s` or `1.500s`.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    Some(Duration::new(whole.parse().ok()?, format!("{fraction:0<9}").parse().ok()?))
}

/// A policy of the AWS form, no longer than 2048 characters.
/// Source: `temporary_access_key_service.proto`; IAM docs, creating a key with Security Token Service.
pub(crate) fn policy(text: &str) -> Result<(), String> {
    at_most(text, 2048)?;
    if text.is_empty() {
        return Ok(());
    }
    let policy: Value = serde_json::from_str(text).map_err(|e| format!("is not JSON: {e}"))?;
    let policy = policy.as_object().ok_or("must be a JSON object")?;
    known_keys(policy, &["Version", "Id", "Statement"])?;
    if policy.get("Version").is_some_and(|version| version != "2012-10-17") {
        return Err("Version must be 2012-10-17".to_owned());
    }
    match policy.get("Statement") {
        None => Ok(()),
        Some(Value::Array(statements)) => statements.iter().try_for_each(statement),
        Some(single) => statement(single),
    }
}

fn statement(statement: &Value) -> Result<(), String> {
    let fields = statement.as_object().ok_or("Statement must be an object or an array of objects")?;
    known_keys(fields, &["Sid", "Effect", "Principal", "Action", "Resource", "Condition"])?;
    if fields.get("Sid").is_some_and(|sid| !sid.is_string()) {
        return Err("Sid must be text".to_owned());
    }
    if !["Allow", "Deny"].iter().any(|effect| fields.get("Effect") == Some(&Value::from(*effect))) {
        return Err("Effect must be Allow or Deny".to_owned());
    }
    if fields.get("Principal") != Some(&Value::from("*")) {
        return Err("Principal must be \"*\"".to_owned());
    }
    one_or_more(fields, "Action", |action| action == "*" || action.starts_with("s3:"))?;
    one_or_more(fields, "Resource", |resource| {
        resource == "*" || resource.strip_prefix("arn:aws:s3:::").is_some_and(|bucket| !bucket.is_empty())
    })?;
    match fields.get("Condition") {
        None => Ok(()),
        Some(Value::Object(operators)) => operators.values().try_for_each(condition),
        Some(_) => Err("Condition must be an object".to_owned()),
    }
}

/// The keys and values under an operator.
/// Source: Object Storage docs, `s3/api-ref/policy/scheme.md`: one value or a list of them.
fn condition(keys: &Value) -> Result<(), String> {
    let keys = keys.as_object().ok_or("an operator must hold an object")?;
    let scalar = |value: &Value| value.is_string() || value.is_boolean() || value.is_number();
    let fine = |value: &Value| scalar(value) || value.as_array().is_some_and(|values| values.iter().all(scalar));
    if keys.values().all(fine) {
        Ok(())
    } else {
        Err("a condition has a value that is neither text nor a list".to_owned())
    }
}

fn one_or_more(fields: &Map<String, Value>, name: &str, valid: fn(&str) -> bool) -> Result<(), String> {
    let valid = |value: &Value| value.as_str().is_some_and(valid);
    let fine = match fields.get(name) {
        Some(Value::Array(values)) => !values.is_empty() && values.iter().all(valid),
        Some(value) => valid(value),
        None => false,
    };
    if fine { Ok(()) } else { Err(format!("{name} is missing or wrong")) }
}

fn known_keys(object: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key `{key}`")),
        None => Ok(()),
    }
}

/// Source: `yandex/cloud/iam/v1/iam_token_service.proto`, Create.
pub(crate) fn oauth_token(text: &str) -> Result<(), String> {
    at_most(text, 4000)
}

/// Source: `yandex/cloud/iam/v1/iam_token_service.proto`, Create.
pub(crate) fn jwt(text: &str) -> Result<(), String> {
    at_most(text, 8000)
}

/// Source: `yandex/cloud/iam/v1/iam_token_service.proto`, Revoke.
pub(crate) fn iam_token(text: &str) -> Result<(), String> {
    at_most(text, 4096)
}

fn at_most(text: &str, limit: usize) -> Result<(), String> {
    if text.chars().count() <= limit { Ok(()) } else { Err(format!("must be at most {limit} characters")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_protobuf_json_in_range() {
        for text in ["900s", "3600s", "3600.500s", "31536000s"] {
            assert_eq!(duration(text), Ok(()), "{text}");
        }
        for text in ["899s", "31536001s", "3600", "1h", "-900s", "+900s", "900.s", ".5s", "9e2s", " 900s", ""] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn filters_name_one_account() {
        assert_eq!(filtered_name("name = \"robot-1\""), Some("robot-1"));
        assert_eq!(filtered_name("name=\"robot-1\""), Some("robot-1"));
        for text in ["name = \"ro\"", "name = robot", "id = \"robot\"", "name != \"robot\"", "name = \"Robot\""] {
            assert!(name_filter(text).is_err(), "{text}");
        }
    }

    #[test]
    fn policies_have_the_documented_shape() {
        let statement = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#;
        assert_eq!(policy("{}"), Ok(()));
        assert_eq!(policy(&format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)), Ok(()));
        assert_eq!(policy(&format!(r#"{{"Statement":[{statement},{statement}]}}"#)), Ok(()));
        let with_condition = |condition: &str| statement.replace('}', &format!(r#","Condition":{condition}}}"#));
        let condition = r#"{"StringLike":{"s3:prefix":["a/*"]},"Bool":{"aws:SecureTransport":true}}"#;
        assert_eq!(policy(&format!(r#"{{"Id":"x","Statement":{}}}"#, with_condition(condition))), Ok(()));
        for wrong in [
            with_condition("[]"),
            with_condition(r#"{"StringLike":"a"}"#),
            with_condition(r#"{"StringLike":{"s3:prefix":{}}}"#),
            statement.replace("Allow", "allow"),
            statement.replace(r#""Principal":"*","#, ""),
            statement.replace("s3:GetObject", "ec2:Run"),
            statement.replace("arn:aws:s3:::b/*", "b"),
            statement.replace("Effect", "Efect"),
        ] {
            assert!(policy(&format!(r#"{{"Statement":{wrong}}}"#)).is_err(), "{wrong}");
        }
        for wrong in ["[]", "text", r#"{"Version":"2008-10-17"}"#, r#"{"Ident":"x"}"#] {
            assert!(policy(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn masks_name_the_description_only() {
        assert_eq!(update_mask("description"), Ok(()));
        assert_eq!(update_mask(""), Ok(()));
        assert!(update_mask("description,keyId").is_err());
    }

    #[test]
    fn page_sizes_are_digits_up_to_a_thousand() {
        for text in ["0", "100", "1000"] {
            assert_eq!(page_size(text), Ok(()), "{text}");
        }
        for text in ["1001", "-1", "+1", "ten", "1.0", ""] {
            assert!(page_size(text).is_err(), "{text}");
        }
    }
}
