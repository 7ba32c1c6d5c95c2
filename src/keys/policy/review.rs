//! What a policy says, and the mistakes in it.
//!
//! Source: yandex-cloud/docs, `en/storage/s3/api-ref/policy/scheme.md` for elements and resources,
//! `en/_includes/iam/create-sts-key.md` for `Principal`, and `en/storage/security/overview.md` for ACLs.

use serde::Serialize;
use serde_json::{Map, Value};

use super::action::{self, Level};
use super::finding::{Code, Finding, Severity};
use super::{ARN_START, bucket_and_key, check_length, compact_of_any_length, condition, duplicate_keys, meaning};
use crate::api::temporary_access_key::MAX_POLICY;
use crate::text::quote;

/// A policy that was looked through.
#[derive(Debug, Serialize)]
pub struct Review {
    /// Its statements, in order.
    pub statements: Vec<Statement>,
    /// What is wrong with it, in the order of the text; the note comes last.
    pub findings: Vec<Finding>,
    /// The number of characters that are sent; `None` for a text that is no policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characters: Option<usize>,
    /// The largest number of characters.
    pub limit: usize,
}

/// A statement, and what it means.
#[derive(Debug, Serialize)]
pub struct Statement {
    /// `Allow` or `Deny`; as it is given when it is neither.
    pub effect: String,
    /// The names of the actions.
    pub actions: Vec<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// The conditions as they are given.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub conditions: Map<String, Value>,
    /// What the statement does, in words.
    pub meaning: String,
}

/// Looks a policy through. Every text can be looked through: one that is no policy has that as its finding.
pub fn review(text: &str) -> Review {
    let mut reader = Reader { statement: None, findings: Vec::new() };
    let (statements, characters) = reader.policy(text);
    if reader.findings.iter().all(|finding| finding.level != Severity::Error) {
        reader.report(
            Code::AclMayStillGrant,
            "an ACL of an object that grants access to the account does so whatever the policy says",
        );
    }
    Review { statements, findings: reader.findings, characters, limit: MAX_POLICY }
}

/// Reads a policy and collects what is wrong with it.
struct Reader {
    /// The index of the statement that is being read.
    statement: Option<usize>,
    findings: Vec<Finding>,
}

impl Reader {
    fn report(&mut self, code: Code, message: impl Into<String>) {
        let statement = self.statement;
        self.findings.push(Finding { level: code.severity(), code, message: message.into(), statement });
    }

    /// The statements of the policy, and how many characters are sent.
    fn policy(&mut self, text: &str) -> (Vec<Statement>, Option<usize>) {
        let parsed = compact_of_any_length(text).and_then(|compact| {
            let value: Value = serde_json::from_str(&compact).map_err(|error| format!("is not JSON: {error}"))?;
            Ok((compact, value))
        });
        let (compact, policy) = match parsed {
            Ok(parsed) => parsed,
            Err(rule) => {
                self.report(Code::NotJson, format!("the policy {rule}"));
                return (Vec::new(), None);
            }
        };
        if let Err(rule) = check_length(&compact) {
            self.report(Code::TooLong, format!("the policy {rule}"));
        }
        let duplicates = duplicate_keys::find(&compact);
        for duplicate in duplicates.iter().filter(|duplicate| duplicate.statement.is_none()) {
            self.duplicate(&duplicate.name);
        }
        let statements = one_or_several(&policy["Statement"]);
        if statements.is_empty() {
            self.report(Code::NoStatement, "the policy has no statement, so it denies everything");
        }
        let mut read = Vec::with_capacity(statements.len());
        for (index, statement) in statements.into_iter().enumerate() {
            self.statement = Some(index);
            for duplicate in duplicates.iter().filter(|duplicate| duplicate.statement == Some(index)) {
                self.duplicate(&duplicate.name);
            }
            read.push(self.statement(statement));
        }
        self.statement = None;
        if !read.is_empty() && read.iter().all(|statement| statement.effect != "Allow") {
            self.report(Code::NoAllow, "no statement allows anything, so the policy denies everything");
        }
        (read, Some(compact.chars().count()))
    }

    fn duplicate(&mut self, name: &str) {
        self.report(Code::DuplicateKey, format!("{} is given twice, of which one is ignored", quote::value(name)));
    }

    fn statement(&mut self, value: &Value) -> Statement {
        if !value.is_object() {
            self.report(Code::NoStatement, "a statement is an object with Effect, Action and Resource");
        }
        let effect = self.effect(value);
        self.principal(value);
        let actions = self.names(value, "Action", "NotAction", Code::MissingAction);
        let resources = self.names(value, "Resource", "NotResource", Code::MissingResource);
        for action in &actions {
            self.action(action);
        }
        for resource in resources.iter().filter(|resource| !is_s3_resource(resource)) {
            self.report(
                Code::NotAnS3Arn,
                format!("the resource {} is neither * nor of the form {ARN_START}BUCKET[/KEY]", quote::value(resource)),
            );
        }
        self.levels(&actions, &resources);
        let conditions = self.conditions(&value["Condition"]);
        let meaning = meaning::of(&effect, &actions, &resources, &conditions);
        Statement { effect, actions, resources, conditions, meaning }
    }

    fn effect(&mut self, statement: &Value) -> String {
        let effect = match &statement["Effect"] {
            Value::String(effect) => effect.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        match effect.as_str() {
            "" if statement.is_object() => self.report(Code::BadEffect, "Effect is missing; it is Allow or Deny"),
            "Allow" | "Deny" | "" => {}
            other => self.report(Code::BadEffect, format!("Effect is Allow or Deny, but not {}", quote::value(other))),
        }
        effect
    }

    fn principal(&mut self, statement: &Value) {
        const FORM: &str = "write \"Principal\": \"*\"";
        match (&statement["Principal"], &statement["NotPrincipal"]) {
            (Value::Null, Value::Null) if statement.is_object() => {
                let message = format!("Principal is missing; sts assume-role needs it, so {FORM}");
                self.report(Code::PrincipalMissing, message);
            }
            (Value::Null, _) => {}
            (Value::String(any), _) if any == "*" => {}
            (Value::Object(types), _) => {
                for name in types.keys().filter(|name| *name != "CanonicalUser") {
                    let name = quote::bare(name);
                    self.report(Code::NotSupported, format!("Principal.{name} is not supported; {FORM}"));
                }
            }
            (other, _) => {
                let message = format!("the Principal {} is not supported; {FORM}", quote::bare(&other.to_string()));
                self.report(Code::NotSupported, message);
            }
        }
    }

    /// The values of an element that is one string or several.
    fn names(&mut self, statement: &Value, name: &str, opposite: &str, missing: Code) -> Vec<String> {
        let is_opposite = !statement[opposite].is_null();
        if is_opposite {
            self.report(Code::NotSupported, format!("{opposite} is not supported; use {name}"));
        }
        let values = one_or_several(&statement[name]);
        let names: Vec<_> = values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
        if names.len() < values.len() {
            self.report(missing, format!("{name} is a string or a list of strings"));
        } else if names.is_empty() && !is_opposite && statement.is_object() {
            self.report(missing, format!("{name} is missing, so the statement has no effect"));
        }
        names
    }

    fn action(&mut self, name: &str) {
        if action::is_every(name) || action::find(name).is_some() {
            return;
        }
        let quoted = quote::value(name);
        if name.contains(['*', '?']) {
            let message = format!("the action {quoted}: only * and s3:* are known to work; name each action");
            return self.report(Code::PartialWildcard, message);
        }
        let meant = action::meant(name).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        self.report(Code::UnknownAction, format!("the action {quoted} is not documented{meant}"));
    }

    /// Reports actions whose resources are all of the other kind.
    fn levels(&mut self, actions: &[String], resources: &[String]) {
        let resources: Vec<_> = resources.iter().filter(|resource| is_s3_resource(resource)).collect();
        if resources.is_empty() {
            return;
        }
        for (level, code, fix) in [
            (Level::Object, Code::BucketWithoutObjects, "add arn:aws:s3:::BUCKET/*"),
            (Level::Bucket, Code::ObjectsWithoutBucket, "add arn:aws:s3:::BUCKET"),
        ] {
            let without: Vec<_> = actions
                .iter()
                .filter(|name| action::find(name).is_some_and(|action| action.level == level))
                .map(String::as_str)
                .collect();
            if !without.is_empty() && !resources.iter().any(|resource| covers(resource, level)) {
                let (works_on, named) = match level {
                    Level::Object => ("objects", "buckets"),
                    Level::Bucket => ("buckets", "objects"),
                };
                let without = without.join(", ");
                self.report(code, format!("{without} works on {works_on}, but the resources are {named} only; {fix}"));
            }
        }
    }

    fn conditions(&mut self, value: &Value) -> Map<String, Value> {
        let conditions = match value {
            Value::Object(conditions) => conditions.clone(),
            Value::Null => Map::new(),
            _ => {
                self.report(Code::NotSupported, "Condition is an object of operators, such as StringLike");
                Map::new()
            }
        };
        for (operator, keys) in &conditions {
            if !condition::is_operator(operator) {
                let message = format!("the operator {} of a condition is not supported", quote::value(operator));
                self.report(Code::NotSupported, message);
            }
            let Value::Object(keys) = keys else {
                let operator = quote::bare(operator);
                self.report(Code::NotSupported, format!("{operator} is an object of condition keys and their values"));
                continue;
            };
            for key in keys.keys().filter(|key| !condition::is_key(key)) {
                let message = format!("the condition key {} is not supported", quote::value(key));
                self.report(Code::NotSupported, message);
            }
        }
        conditions
    }
}

/// The values of an element that may be one value, a list, or absent.
fn one_or_several(element: &Value) -> Vec<&Value> {
    match element {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

fn is_s3_resource(resource: &str) -> bool {
    resource == "*" || resource.strip_prefix(ARN_START).is_some_and(|rest| !rest.is_empty())
}

/// Whether a resource names something of this level.
fn covers(resource: &str, level: Level) -> bool {
    let name = resource.strip_prefix(ARN_START).unwrap_or(resource);
    let (bucket, key) = bucket_and_key(name);
    bucket.contains(['*', '?']) || (level == Level::Object) == key.is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(text: &str) -> Vec<(Code, Option<usize>)> {
        let findings = review(text).findings.into_iter();
        findings.filter(|finding| finding.level != Severity::Note).map(|it| (it.code, it.statement)).collect()
    }

    fn one(rest: &str) -> String {
        format!(r#"{{"Statement":[{{"Effect":"Allow","Principal":"*",{rest}}}]}}"#)
    }

    #[test]
    fn every_mistake_has_its_code() {
        let object = r#""Resource":"arn:aws:s3:::b/*""#;
        let cases = [
            ("[]", vec![(Code::NotJson, None)]),
            ("", vec![(Code::NotJson, None)]),
            ("{}", vec![(Code::NoStatement, None)]),
            (r#"{"Statement":[]}"#, vec![(Code::NoStatement, None)]),
            (r#"{"Statement":["x"]}"#, vec![(Code::NoStatement, Some(0)), (Code::NoAllow, None)]),
            (
                r#"{"Statement":{"Effect":"allow","Action":"*","Resource":"*","Principal":"*"}}"#,
                vec![(Code::BadEffect, Some(0)), (Code::NoAllow, None)],
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#,
                vec![(Code::PrincipalMissing, Some(0))],
            ),
            (&one(object), vec![(Code::MissingAction, Some(0))]),
            (&one(&format!(r#""Action":[],{object}"#)), vec![(Code::MissingAction, Some(0))]),
            (&one(&format!(r#""Action":["s3:GetObject",1],{object}"#)), vec![(Code::MissingAction, Some(0))]),
            (&one(r#""Action":"s3:GetObject""#), vec![(Code::MissingResource, Some(0))]),
            (&one(&format!(r#""NotAction":"s3:GetObject",{object}"#)), vec![(Code::NotSupported, Some(0))]),
            (&one(r#""Action":"*","NotResource":"*""#), vec![(Code::NotSupported, Some(0))]),
            (&one(r#""Action":"*","Resource":"b/*""#), vec![(Code::NotAnS3Arn, Some(0))]),
            (&one(r#""Action":"*","Resource":"arn:aws:s3:::""#), vec![(Code::NotAnS3Arn, Some(0))]),
            (
                &one(r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::b""#),
                vec![(Code::BucketWithoutObjects, Some(0))],
            ),
            (&one(&format!(r#""Action":"s3:ListBucket",{object}"#)), vec![(Code::ObjectsWithoutBucket, Some(0))]),
            (&one(r#""Action":["s3:*"],"Resource":"arn:aws:s3:::b""#), vec![]),
            (&one(r#""Action":["s3:GetObject","s3:ListBucket"],"Resource":"arn:aws:s3:::b*""#), vec![]),
            (&one(r#""Action":["s3:GetObject","s3:ListBucket"],"Resource":"*""#), vec![]),
            (&one(&format!(r#""Action":"s3:Get*",{object}"#)), vec![(Code::PartialWildcard, Some(0))]),
            (&one(&format!(r#""Action":"s3:ListParts",{object}"#)), vec![(Code::UnknownAction, Some(0))]),
            (&one(&format!(r#""Action":"*","Action":"*",{object}"#)), vec![(Code::DuplicateKey, Some(0))]),
            (
                r#"{"Statement":[{"Effect":"Deny","Principal":{"CanonicalUser":"aje"},"Action":"*","Resource":"*"}]}"#,
                vec![(Code::NoAllow, None)],
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"*"}]}"#,
                vec![(Code::NotSupported, Some(0))],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(codes(text), expected, "{text}");
        }
    }

    #[test]
    fn operators_and_keys_of_conditions_are_compared_without_case() {
        let with = |condition: &str| one(&format!(r#""Action":"*","Resource":"*","Condition":{condition}"#));
        for condition in [
            r#"{"IPADDRESS":{"aws:SourceIp":"10.0.0.0/8"}}"#,
            r#"{"StringLikeIfExists":{"S3:Prefix":["a"]},"Null":{"s3:VersionId":"true"}}"#,
            r#"{"bool":{"aws:SecureTransport":"true"}}"#,
        ] {
            assert_eq!(codes(&with(condition)), [], "{condition}");
        }
        for condition in [
            r#"{"ArnLike":{"s3:prefix":"a"}}"#,
            r#"{"ForAnyValue:StringLike":{"s3:prefix":"a"}}"#,
            r#"{"StringLike":{"aws:CurrentTime":"a"}}"#,
            r#"{"IfExists":{"s3:prefix":"a"}}"#,
            r#"{"StringLike":"a"}"#,
            "[]",
        ] {
            assert_eq!(codes(&with(condition)), [(Code::NotSupported, Some(0))], "{condition}");
        }
    }

    #[test]
    fn the_note_about_acls_stands_once_where_there_is_no_error() {
        let clean = review(&one(r#""Action":"s3:Get*","Resource":"*""#)).findings;
        assert_eq!(
            clean.iter().map(|finding| finding.code.name()).collect::<Vec<_>>(),
            ["partial-wildcard", "acl-may-still-grant"]
        );
        let faulty = review("{}").findings;
        assert!(faulty.iter().all(|finding| finding.level == Severity::Error));
    }

    #[test]
    fn characters_are_counted_as_they_are_sent() {
        let policy = |length: usize| format!("{{ \"Id\": \"{}\" }}", "ж".repeat(length - 9));
        assert_eq!(review(&policy(2048)).characters, Some(2048));
        assert!(codes(&policy(2048)).iter().all(|(code, _)| *code != Code::TooLong));
        let finding = &review(&policy(2049)).findings[0];
        assert!(finding.code == Code::TooLong && finding.message.contains("2049"), "{finding:?}");
    }

    proptest! {
        #[test]
        fn a_text_of_any_kind_is_looked_through(text in ".{0,60}", value in "[ -~]{0,20}") {
            let _ = review(&text);
            let text = serde_json::json!({"Statement": [{"Action": value, "Resource": value, "Effect": value}]});
            prop_assert!(!review(&text.to_string()).findings.is_empty());
        }
    }
}
