//! `VERBS:BUCKET[/KEY]`, and the session policy that such rules make.
//!
//! Source: yandex-cloud/docs, `en/storage/s3/api-ref/policy/scheme.md` for the form, `actions.md` for the actions, and
//! `en/_includes/storage/security/policy.md` for escapes and `s3:prefix`.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{ARN_START, bucket_and_key, check_length};
use crate::text::{plain, quote, similar};

/// What a verb stands for.
const VERBS: [(&str, Verb); 4] =
    [("list", Verb::List), ("read", Verb::Read), ("write", Verb::Write), ("delete", Verb::Delete)];

/// The verb for all the others.
const ALL: &str = "all";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    List,
    Read,
    Write,
    Delete,
}

impl Verb {
    /// The actions on objects.
    fn object_actions(self) -> &'static [&'static str] {
        match self {
            Self::List => &[],
            Self::Read => &["s3:GetObject"],
            Self::Write => &["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            Self::Delete => &["s3:DeleteObject"],
        }
    }
}

/// What is done to which objects: a value of `--allow` or `--deny`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// In the order of [`VERBS`], each once.
    verbs: Vec<Verb>,
    bucket: String,
    objects: Objects,
}

/// Some objects of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Objects {
    All,
    /// Those whose keys begin with this text.
    Prefix(String),
    One(String),
}

impl Intent {
    /// Reads a value of `--allow`.
    ///
    /// # Errors
    /// It does not have the form; the message is the rule.
    pub fn allowed(text: &str) -> Result<Self, String> {
        plain::check_controls(text).map_err(|rule| format!("the value {rule}"))?;
        let (verbs, target) =
            text.split_once(':').ok_or("it has the form VERBS:BUCKET[/KEY], such as read,list:my-bucket/logs/*")?;
        let verbs = read_verbs(verbs)?;
        for start in ["s3://", ARN_START] {
            if let Some(rest) = target.strip_prefix(start) {
                return Err(format!("the bucket is given without {start}, as {}", quote::bare(rest)));
            }
        }
        let (bucket, key) = bucket_and_key(target);
        check_bucket(bucket)?;
        let objects = match key {
            None | Some("*") => Objects::All,
            Some("") => return Err(format!("the KEY is empty; {bucket} or {bucket}/* is the whole bucket")),
            Some(key) => match key.strip_suffix('*') {
                Some(prefix) => Objects::Prefix(prefix.to_owned()),
                None => Objects::One(key.to_owned()),
            },
        };
        if let (true, Objects::Prefix(key) | Objects::One(key)) = (verbs.contains(&Verb::List), &objects)
            && let Some(special) = key.chars().find(|c| "*?$".contains(*c))
        {
            return Err(format!("a KEY with {special} in it cannot be listed; leave out the verb list"));
        }
        Ok(Self { verbs, bucket: bucket.to_owned(), objects })
    }

    /// Reads a value of `--deny`.
    ///
    /// # Errors
    /// It does not have the form, or denies the listing of a part of a bucket; the message is the rule.
    pub fn denied(text: &str) -> Result<Self, String> {
        let intent = Self::allowed(text)?;
        if intent.verbs.contains(&Verb::List) && intent.objects != Objects::All {
            return Err("list is denied for a whole bucket only, since a listing without a prefix shows every key; \
                        leave out the KEY, or the verb list"
                .to_owned());
        }
        Ok(intent)
    }

    fn bucket_arn(&self) -> String {
        format!("{ARN_START}{}", self.bucket)
    }

    /// The resource that stands for the objects.
    fn objects_arn(&self) -> String {
        let bucket = self.bucket_arn();
        match &self.objects {
            Objects::All => format!("{bucket}/*"),
            Objects::Prefix(prefix) => format!("{bucket}/{}*", escape(prefix)),
            Objects::One(key) => format!("{bucket}/{}", escape(key)),
        }
    }

    /// The statements: one of the actions on objects, and one for the listing.
    fn statements(&self, effect: &'static str) -> impl Iterator<Item = Statement> {
        let actions: Vec<_> = self.verbs.iter().flat_map(|verb| verb.object_actions()).copied().collect();
        let on_objects = (!actions.is_empty()).then(|| Statement {
            effect,
            actions,
            resources: vec![self.objects_arn()],
            prefixes: None,
        });
        let listing = self.verbs.contains(&Verb::List).then(|| Statement {
            effect,
            actions: vec!["s3:ListBucket"],
            resources: vec![self.bucket_arn()],
            prefixes: match &self.objects {
                Objects::All => None,
                Objects::Prefix(prefix) => Some(("StringLike", vec![format!("{prefix}*")])),
                Objects::One(key) => Some(("StringEquals", vec![key.clone()])),
            },
        });
        on_objects.into_iter().chain(listing)
    }
}

fn read_verbs(text: &str) -> Result<Vec<Verb>, String> {
    let mut given = Vec::new();
    for name in text.split(',') {
        match VERBS.iter().find(|(known, _)| *known == name) {
            Some((_, verb)) => given.push(*verb),
            None if name == ALL => given.extend(VERBS.map(|(_, verb)| verb)),
            None => return Err(unknown_verb(name)),
        }
    }
    Ok(VERBS.into_iter().map(|(_, verb)| verb).filter(|verb| given.contains(verb)).collect())
}

fn unknown_verb(name: &str) -> String {
    let near = similar::near(name, VERBS.iter().map(|(known, _)| *known).chain([ALL]));
    let meant = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!(
        "{} is not a verb: verbs are list, read, write, delete and all, with commas between them{meant}",
        quote::value(name)
    )
}

/// Source: yandex-cloud/docs, `en/storage/concepts/bucket.md`, on the names of buckets.
fn check_bucket(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
    if (3..=63).contains(&name.len()) && name.chars().all(fits) && name.parse::<Ipv4Addr>().is_err() {
        return Ok(());
    }
    Err(format!(
        "{} is not the name of a bucket, which has 3 to 63 lowercase letters, digits, dots and hyphens, and is no IP address",
        quote::value(name)
    ))
}

/// A key whose special characters stand for themselves.
fn escape(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for c in key.chars() {
        match c {
            '*' | '?' | '$' => escaped.extend(['$', '{', c, '}']),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[derive(Debug, PartialEq, Eq)]
struct Statement {
    effect: &'static str,
    actions: Vec<&'static str>,
    resources: Vec<String>,
    /// The operator and the values of a condition on `s3:prefix`.
    prefixes: Option<(&'static str, Vec<String>)>,
}

impl Statement {
    /// Takes in another statement; gives it back when the two cannot be one.
    fn merge(&mut self, other: Self) -> Option<Self> {
        if (self.effect, &self.actions) != (other.effect, &other.actions) {
            return Some(other);
        }
        match (&mut self.prefixes, other.prefixes) {
            (None, None) => add(&mut self.resources, other.resources),
            (Some((operator, values)), Some((same, more)))
                if *operator == same && self.resources == other.resources =>
            {
                add(values, more);
            }
            (_, prefixes) => return Some(Self { prefixes, ..other }),
        }
        None
    }

    fn document(&self) -> Value {
        let mut statement = json!({
            "Effect": self.effect,
            "Principal": "*",
            "Action": self.actions,
            "Resource": self.resources,
        });
        if let Some((operator, values)) = &self.prefixes {
            statement["Condition"] = json!({ *operator: { "s3:prefix": values } });
        }
        statement
    }
}

/// Adds the values that are not there yet.
fn add(values: &mut Vec<String>, more: Vec<String>) {
    for value in more {
        if !values.contains(&value) {
            values.push(value);
        }
    }
}

/// The policy that allows what `allow` says, less what `deny` says. The same rules make the same policy.
///
/// # Errors
/// There is nothing that is allowed, or the policy is too long; the message is the rule.
pub fn build(allow: &[Intent], deny: &[Intent]) -> Result<Value, String> {
    if allow.is_empty() {
        return Err("--deny takes away from what --allow gives, so at least one --allow is needed".to_owned());
    }
    let allowed = allow.iter().flat_map(|intent| intent.statements("Allow"));
    let denied = deny.iter().flat_map(|intent| intent.statements("Deny"));
    let mut statements: Vec<Statement> = Vec::new();
    for statement in allowed.chain(denied) {
        let rest = statements.iter_mut().try_fold(statement, |statement, earlier| earlier.merge(statement));
        statements.extend(rest);
    }
    let documents: Vec<_> = statements.iter().map(Statement::document).collect();
    let policy = json!({ "Version": "2012-10-17", "Statement": documents });
    check_length(&policy.to_string()).map_err(|rule| format!("the policy of --allow and --deny {rule}"))?;
    Ok(policy)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn built(allow: &[&str], deny: &[&str]) -> String {
        let allow: Vec<_> = allow.iter().map(|text| Intent::allowed(text).unwrap()).collect();
        let deny: Vec<_> = deny.iter().map(|text| Intent::denied(text).unwrap()).collect();
        build(&allow, &deny).unwrap()["Statement"].to_string()
    }

    fn statement(effect: &str, actions: &str, resources: &str, condition: &str) -> String {
        format!(r#"{{"Effect":"{effect}","Principal":"*","Action":[{actions}],"Resource":[{resources}]{condition}}}"#)
    }

    #[test]
    fn a_rule_makes_a_statement_for_objects_and_one_for_the_listing() {
        let objects = statement("Allow", r#""s3:GetObject","s3:DeleteObject""#, r#""arn:aws:s3:::data/logs/*""#, "");
        let condition = r#","Condition":{"StringLike":{"s3:prefix":["logs/*"]}}"#;
        let listing = statement("Allow", r#""s3:ListBucket""#, r#""arn:aws:s3:::data""#, condition);
        assert_eq!(built(&["delete,list,read,read:data/logs/*"], &[]), format!("[{objects},{listing}]"));
        let condition = r#","Condition":{"StringEquals":{"s3:prefix":["a"]}}"#;
        let listing = statement("Allow", r#""s3:ListBucket""#, r#""arn:aws:s3:::data""#, condition);
        assert_eq!(built(&["list:data/a"], &[]), format!("[{listing}]"));
    }

    #[test]
    fn statements_that_differ_in_resources_alone_become_one() {
        let read = statement("Allow", r#""s3:GetObject""#, r#""arn:aws:s3:::aaa/*","arn:aws:s3:::bbb/x""#, "");
        assert_eq!(built(&["read:aaa", "read:bbb/x", "read:aaa/*"], &[]), format!("[{read}]"));
        let list = statement("Allow", r#""s3:ListBucket""#, r#""arn:aws:s3:::aaa","arn:aws:s3:::bbb""#, "");
        assert_eq!(built(&["list:aaa", "list:bbb"], &[]), format!("[{list}]"));
        let deny = statement("Deny", r#""s3:GetObject""#, r#""arn:aws:s3:::aaa/x""#, "");
        let read = statement("Allow", r#""s3:GetObject""#, r#""arn:aws:s3:::aaa/*""#, "");
        assert_eq!(built(&["read:aaa"], &["read:aaa/x"]), format!("[{read},{deny}]"));
    }

    #[test]
    fn prefixes_of_one_bucket_are_values_of_one_condition() {
        let condition = r#","Condition":{"StringLike":{"s3:prefix":["a/*","b/*"]}}"#;
        let listing = |bucket: &str, condition: &str| {
            statement("Allow", r#""s3:ListBucket""#, &format!(r#""arn:aws:s3:::{bucket}""#), condition)
        };
        let other = r#","Condition":{"StringLike":{"s3:prefix":["a/*"]}}"#;
        assert_eq!(
            built(&["list:aaa/a/*", "list:bbb/a/*", "list:aaa/b/*", "list:aaa"], &[]),
            format!("[{},{},{}]", listing("aaa", condition), listing("bbb", other), listing("aaa", "")),
        );
    }

    #[test]
    fn special_characters_of_a_key_stand_for_themselves() {
        let read = statement("Allow", r#""s3:GetObject""#, r#""arn:aws:s3:::data/a${*}b${?}c${$}{d}*""#, "");
        assert_eq!(built(&["read:data/a*b?c${d}*"], &[]), format!("[{read}]"));
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_form() {
        let cases = [
            ("", "has the form VERBS:BUCKET[/KEY]"),
            ("read", "has the form VERBS:BUCKET[/KEY]"),
            (":data", "'' is not a verb"),
            ("raed:data", "did you mean read?"),
            ("read, list:data", "' list' is not a verb"),
            ("read:", "'' is not the name of a bucket"),
            ("read:*", "'*' is not the name of a bucket"),
            ("read:Data", "'Data' is not the name of a bucket"),
            ("read:ab", "3 to 63"),
            ("read:127.0.0.1", "no IP address"),
            ("read:data/", "data or data/* is the whole bucket"),
            ("read:s3://data/x", "without s3://, as data/x"),
            ("read:arn:aws:s3:::data/x", "without arn:aws:s3:::, as data/x"),
            ("list:data/a?", "a KEY with ? in it cannot be listed"),
            ("all:data/a**", "a KEY with * in it cannot be listed"),
            ("read:data/a\u{7}", r"\u0007"),
        ];
        for (text, expected) in cases {
            let error = Intent::allowed(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        for text in ["list:data/a", "all:data/a*"] {
            let error = Intent::denied(text).unwrap_err();
            assert!(error.contains("whole bucket only"), "{text}: {error}");
        }
        assert!(Intent::denied("all:data/*").is_ok());
        assert!(build(&[], &[Intent::denied("read:data").unwrap()]).unwrap_err().contains("at least one --allow"));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in ".{0,60}", rest in "[a-z0-9.-]{3,8}(/[ -~]{0,20})?") {
            let _ = Intent::denied(&text);
            let _ = Intent::denied(&format!("all:{rest}"));
        }

        #[test]
        fn a_policy_has_no_two_statements_that_could_be_one(
            rules in proptest::collection::vec("(list|read|write|delete|read,list|all):(aaa|bbb)(/[ab]{1,2}\\*?)?", 1..12),
        ) {
            let rules: Vec<_> = rules.iter().map(|text| Intent::allowed(text).unwrap()).collect();
            let Ok(policy) = build(&rules, &[]) else { return Ok(()) };
            let statements = policy["Statement"].as_array().unwrap();
            for (at, one) in statements.iter().enumerate() {
                for other in &statements[..at] {
                    let same = |name: &str| one[name] == other[name];
                    let conditions = [one, other].map(|it| it.get("Condition").is_some());
                    let may_merge = match conditions {
                        [false, false] => true,
                        [true, true] => same("Resource") && one["Condition"].as_object().unwrap().keys().eq(
                            other["Condition"].as_object().unwrap().keys()),
                        _ => false,
                    };
                    prop_assert!(!(same("Action") && may_merge), "{} {}", one, other);
                }
            }
        }
    }
}
