//! What a statement of a policy does, in words.

use serde_json::{Map, Value};

use super::{ARN_START, action, bucket_and_key, condition};
use crate::text::quote;

/// The statement as a sentence without a full stop, such as "Allows reading objects: all objects of the bucket data".
pub(super) fn of(effect: &str, actions: &[String], resources: &[String], conditions: &Map<String, Value>) -> String {
    let verb = match effect {
        "Allow" => "Allows",
        "Deny" => "Denies",
        _ => "Has an effect that is neither Allow nor Deny on",
    };
    let actions = if actions.iter().any(|name| action::is_every(name)) {
        "every action".to_owned()
    } else {
        condition::joined(actions.iter().map(|name| action_in_words(name)), ", ", "no action")
    };
    let resources =
        condition::joined(resources.iter().map(|resource| resource_in_words(resource)), "; ", "no resource");
    let conditions = conditions.iter().map(|(operator, keys)| condition::in_words(operator, keys));
    let conditions = condition::joined(conditions, " and ", "");
    let only = if conditions.is_empty() { String::new() } else { format!(", only if {conditions}") };
    format!("{verb} {actions}: {resources}{only}")
}

fn action_in_words(name: &str) -> String {
    action::find(name).map_or_else(|| quote::value(name), |action| action.meaning.to_owned())
}

fn resource_in_words(resource: &str) -> String {
    let Some(name) = resource.strip_prefix(ARN_START) else {
        return if resource == "*" { "all buckets and objects".to_owned() } else { quote::value(resource) };
    };
    let (bucket, key) = bucket_and_key(name);
    if bucket.contains(['*', '?', '$']) {
        return format!("what matches {}", quote::value(name));
    }
    let bucket = format!("the bucket {}", quote::bare(bucket));
    match key {
        None => bucket,
        Some("*") => format!("all objects of {bucket}"),
        Some(key) => match (key.strip_suffix('*').and_then(literal), literal(key)) {
            (Some(prefix), _) => format!("objects of {bucket} that begin with {}", quote::value(&prefix)),
            (_, Some(key)) => format!("the object {} of {bucket}", quote::value(&key)),
            _ => format!("objects of {bucket} that match {}", quote::value(key)),
        },
    }
}

/// The text that a pattern without wildcards and variables stands for.
fn literal(pattern: &str) -> Option<String> {
    let mut text = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find(['*', '?', '$']) {
        text.push_str(&rest[..at]);
        let escaped = ["*", "?", "$"].into_iter().find_map(|special| {
            Some((special, rest[at..].strip_prefix("${")?.strip_prefix(special)?.strip_prefix('}')?))
        });
        let (special, behind) = escaped?;
        text.push_str(special);
        rest = behind;
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(action: &str, resource: &str, condition: &Value) -> String {
        let conditions = condition.as_object().cloned().unwrap_or_default();
        of("Allow", &[action.to_owned()], &[resource.to_owned()], &conditions)
    }

    #[test]
    fn resources_are_named_by_what_they_cover() {
        let cases = [
            ("*", "all buckets and objects"),
            ("arn:aws:s3:::data", "the bucket data"),
            ("arn:aws:s3:::data/*", "all objects of the bucket data"),
            ("arn:aws:s3:::data/a/*", "objects of the bucket data that begin with 'a/'"),
            ("arn:aws:s3:::data/a${*}${$}", "the object 'a*$' of the bucket data"),
            ("arn:aws:s3:::data/${aws:userid}/*", "objects of the bucket data that match '${aws:userid}/*'"),
            ("arn:aws:s3:::data/a?", "objects of the bucket data that match 'a?'"),
            ("arn:aws:s3:::*/a", "what matches '*/a'"),
            ("data", "'data'"),
        ];
        for (resource, expected) in cases {
            assert_eq!(words("s3:GetObject", resource, &json!({})), format!("Allows reading objects: {expected}"));
        }
    }

    #[test]
    fn conditions_are_told_with_their_values() {
        let cases = [
            (json!({"StringLike": {"s3:prefix": ["a/*", "b"]}}), "s3:prefix matches 'a/*' or 'b'"),
            (json!({"BoolIfExists": {"aws:SecureTransport": true}}), "aws:SecureTransport is true or is absent"),
            (json!({"Null": {"s3:versionid": "false"}}), "s3:versionid is absent: 'false'"),
            (
                json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringEquals": {"s3:delimiter": "/"}}),
                "aws:SourceIp is in '10.0.0.0/8' and s3:delimiter is '/'",
            ),
        ];
        for (condition, expected) in cases {
            let expected = format!("Allows every action: all buckets and objects, only if {expected}");
            assert_eq!(words("s3:*", "*", &condition), expected);
        }
        assert_eq!(of("Deny", &[], &[], &Map::new()), "Denies no action: no resource");
    }
}
