//! The conditions of a statement.
//!
//! Source: yandex-cloud/docs, `en/storage/s3/api-ref/policy/conditions.md`.

use serde_json::Value;

use crate::text::quote;

/// The operators of conditions, without `IfExists`.
const OPERATORS: [&str; 22] = [
    "Bool",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "IpAddress",
    "NotIpAddress",
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "Null",
];

/// The keys of conditions.
const CONDITION_KEYS: [&str; 27] = [
    "aws:principaltype",
    "aws:referer",
    "aws:securetransport",
    "aws:sourceip",
    "aws:useragent",
    "aws:userid",
    "s3:authtype",
    "s3:delimiter",
    "s3:max-keys",
    "s3:prefix",
    "s3:signatureage",
    "s3:signatureversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
    "yc:private-endpoint-id",
];

/// Whether this is an operator, in any case, with or without `IfExists`.
pub(super) fn is_operator(name: &str) -> bool {
    let base = without_if_exists(name);
    OPERATORS.iter().any(|known| known.eq_ignore_ascii_case(base))
}

/// Whether this is the key of a condition, in any case.
pub(super) fn is_key(name: &str) -> bool {
    CONDITION_KEYS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The operator without the ending that lets the key be absent.
fn without_if_exists(operator: &str) -> &str {
    const ENDING: &str = "IfExists";
    let split = operator.len().checked_sub(ENDING.len()).and_then(|at| operator.split_at_checked(at));
    match split {
        Some((base, ending)) if ending.eq_ignore_ascii_case(ENDING) => base,
        _ => operator,
    }
}

/// A condition as in "only if s3:prefix matches 'logs/*'".
pub(super) fn in_words(operator: &str, keys: &Value) -> String {
    let base = without_if_exists(operator);
    let relation = match base.to_ascii_lowercase().as_str() {
        "stringequals" | "bool" | "numericequals" | "dateequals" => "is",
        "stringnotequals" | "numericnotequals" | "datenotequals" => "is not",
        "stringequalsignorecase" => "is, in upper or lower case,",
        "stringnotequalsignorecase" => "is not, in upper or lower case,",
        "stringlike" => "matches",
        "stringnotlike" => "does not match",
        "ipaddress" => "is in",
        "notipaddress" => "is not in",
        "numericlessthan" => "is less than",
        "numericlessthanequals" => "is at most",
        "numericgreaterthan" => "is more than",
        "numericgreaterthanequals" => "is at least",
        "datelessthan" => "is before",
        "datelessthanequals" => "is not after",
        "dategreaterthan" => "is after",
        "dategreaterthanequals" => "is not before",
        "null" => "is absent:",
        _ => base,
    };
    let Value::Object(keys) = keys else { return format!("{} {relation}", quote::bare(&keys.to_string())) };
    let absent = if base == operator { "" } else { " or is absent" };
    let each = keys.iter().map(|(key, values)| {
        let values = match values {
            Value::Array(values) => joined(values.iter().map(value_in_words), " or ", "nothing"),
            value => value_in_words(value),
        };
        format!("{} {relation} {values}{absent}", quote::bare(key))
    });
    joined(each, " and ", "nothing is asked")
}

fn value_in_words(value: &Value) -> String {
    match value {
        Value::String(text) => quote::value(text),
        other => quote::bare(&other.to_string()),
    }
}

/// The parts with a separator between them, or a text that says that there are none.
pub(super) fn joined(parts: impl Iterator<Item = String>, separator: &str, none: &str) -> String {
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { none.to_owned() } else { parts.join(separator) }
}
