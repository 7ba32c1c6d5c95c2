//! `--allow`, `--deny`, and the commands of `policy`.
//!
//! The evaluator here reads a policy as Object Storage is documented to: a resource of a bucket does not cover its
//! objects, `${*}` stands for an asterisk, and a denial wins.

use serde_json::{Value, json};
use yc_emulator::Emulator;

use crate::support::User;
use crate::terminal::{Stream, at_terminal};

/// A request to Object Storage.
struct Request<'a> {
    action: &'a str,
    bucket: &'a str,
    /// The key of the object; `None` for an action on the bucket.
    key: Option<&'a str>,
    /// The `prefix` of a listing.
    prefix: Option<&'a str>,
}

/// Whether the policy lets the request through.
fn is_allowed(policy: &Value, request: &Request) -> bool {
    let decides = |effect: &str| {
        policy["Statement"].as_array().unwrap().iter().any(|one| one["Effect"] == effect && applies(one, request))
    };
    decides("Allow") && !decides("Deny")
}

fn applies(statement: &Value, request: &Request) -> bool {
    assert_eq!(statement["Principal"], "*");
    let name = match request.key {
        Some(key) => format!("arn:aws:s3:::{}/{key}", request.bucket),
        None => format!("arn:aws:s3:::{}", request.bucket),
    };
    let strings = |name: &str| {
        let values = statement[name].as_array().unwrap().iter();
        values.map(|value| value.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let conditions = statement.get("Condition").map_or(&[][..], std::slice::from_ref);
    strings("Action").iter().any(|action| action == request.action)
        && strings("Resource").iter().any(|resource| matches(&pattern(resource), &name))
        && conditions.iter().all(|condition| is_met(condition, request))
}

fn is_met(condition: &Value, request: &Request) -> bool {
    condition.as_object().unwrap().iter().all(|(operator, keys)| {
        let keys = keys.as_object().unwrap();
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["s3:prefix"]);
        let Some(prefix) = request.prefix else { return false };
        keys["s3:prefix"].as_array().unwrap().iter().any(|value| match operator.as_str() {
            "StringEquals" => value == prefix,
            "StringLike" => matches(&pattern(value.as_str().unwrap()), prefix),
            other => panic!("operator {other}"),
        })
    })
}

/// A character of a pattern; `None` is any number of characters.
type Pattern = Vec<Option<char>>;

fn pattern(text: &str) -> Pattern {
    let mut pattern = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let escaped = ["${*}", "${?}", "${$}"].into_iter().find(|escape| rest.starts_with(escape));
        match (escaped, c) {
            (Some(escape), _) => pattern.push(escape.chars().nth(2)),
            (None, '*') => pattern.push(None),
            (None, '?' | '$') => panic!("a bare {c} in {text}"),
            (None, c) => pattern.push(Some(c)),
        }
        rest = &rest[escaped.map_or(c.len_utf8(), str::len)..];
    }
    pattern
}

fn matches(pattern: &[Option<char>], text: &str) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((None, rest)) => text.char_indices().any(|(at, _)| matches(rest, &text[at..])) || matches(rest, ""),
        Some((Some(c), rest)) => text.strip_prefix(*c).is_some_and(|text| matches(rest, text)),
    }
}

/// The documented actions: those on objects, then those on buckets.
const ACTIONS: [&str; 28] = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:GetObjectAcl",
    "s3:GetObjectVersionAcl",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketLocation",
    "s3:GetBucketAcl",
    "s3:PutBucketAcl",
    "s3:GetBucketCORS",
    "s3:PutBucketCORS",
    "s3:GetBucketVersioning",
    "s3:PutBucketVersioning",
    "s3:GetBucketWebsite",
    "s3:PutBucketWebsite",
    "s3:DeleteBucketWebsite",
    "s3:GetEncryptionConfiguration",
    "s3:PutEncryptionConfiguration",
    "s3:GetLifecycleConfiguration",
    "s3:PutLifecycleConfiguration",
];

const OBJECT_ACTIONS: usize = 11;

/// The verb that a request needs.
fn verb_for(action: &str) -> Option<&'static str> {
    match action {
        "s3:GetObject" => Some("read"),
        "s3:PutObject" | "s3:AbortMultipartUpload" | "s3:ListMultipartUploadParts" => Some("write"),
        "s3:DeleteObject" => Some("delete"),
        "s3:ListBucket" => Some("list"),
        _ => None,
    }
}

/// What a target covers: a bucket, and the keys for which the function is true.
type Target = (&'static str, &'static str, fn(&str) -> bool);

const TARGETS: [Target; 6] = [
    ("data", "data", |_| true),
    ("data/*", "data", |_| true),
    ("data/logs/*", "data", |key| key.starts_with("logs/")),
    ("data/logs/2026", "data", |key| key == "logs/2026"),
    ("data/a*b?c$*", "data", |key| key.starts_with("a*b?c$")),
    ("data/${x}", "data", |key| key == "${x}"),
];

const KEYS: [&str; 11] =
    ["logs/2026", "logs/2026/1", "logs/", "logs", "other", "a*b?c$", "a*b?c$d", "aXbYc$", "${x}", "$x", "{x}"];

fn build(user: &User, flags: &[&str]) -> Value {
    let args = [&["policy", "build"], flags].concat();
    serde_json::from_str(&user.run_args(args).ok()).unwrap()
}

/// Every request of the matrix, and whether the verbs on the target are meant to allow it.
fn check_matrix(policy: &Value, verbs: &[&str], (_, of_target, covers): Target) {
    for (index, action) in ACTIONS.into_iter().enumerate() {
        for bucket in ["data", "data2", "dat"] {
            let verb = verb_for(action).filter(|verb| verbs.contains(verb) || verbs == ["all"]);
            let is_meant = |key: Option<&str>| verb.is_some() && bucket == of_target && key.is_none_or(covers);
            for key in KEYS {
                let on_object = Request { action, bucket, key: Some(key), prefix: None };
                let expected = index < OBJECT_ACTIONS && is_meant(Some(key));
                assert_eq!(is_allowed(policy, &on_object), expected, "{action} {bucket}/{key} {policy}");
                // A listing of one prefix.
                let of_prefix = Request { action, bucket, key: None, prefix: Some(key) };
                let expected = index >= OBJECT_ACTIONS && is_meant(Some(key));
                assert_eq!(is_allowed(policy, &of_prefix), expected, "{action} {bucket} prefix {key} {policy}");
            }
            let without_prefix = Request { action, bucket, key: None, prefix: None };
            let expected = index >= OBJECT_ACTIONS && is_meant(None) && covers("") && covers("any");
            assert_eq!(is_allowed(policy, &without_prefix), expected, "{action} {bucket} {policy}");
        }
    }
}

#[test]
fn a_policy_allows_what_its_rules_say_and_nothing_else() {
    let user = User::new();
    for verbs in ["read", "write", "delete", "list", "all", "read,list", "write,delete"] {
        for target in TARGETS {
            let names: Vec<_> = verbs.split(',').collect();
            // The keys of which cannot be listed.
            if target.0.contains('$') && (names.contains(&"list") || verbs == "all") {
                user.run_args(["policy", "build", "--allow", &format!("{verbs}:{}", target.0)]).failed(2);
                continue;
            }
            let policy = build(&user, &["--allow", &format!("{verbs}:{}", target.0)]);
            check_matrix(&policy, &names, target);
        }
    }
}

#[test]
fn a_denial_takes_away_what_its_rule_says_and_nothing_else() {
    let user = User::new();
    for (verb, action) in [("read", "s3:GetObject"), ("write", "s3:PutObject"), ("delete", "s3:DeleteObject")] {
        for (target, _, covers) in TARGETS {
            let policy =
                build(&user, &["--deny", &format!("{verb}:{target}"), "--allow", "all:data", "--allow", "all:more"]);
            for key in KEYS {
                for other in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"] {
                    for bucket in ["data", "more"] {
                        let request = Request { action: other, bucket, key: Some(key), prefix: None };
                        let is_denied = other == action && bucket == "data" && covers(key);
                        assert_eq!(is_allowed(&policy, &request), !is_denied, "{other} {bucket}/{key} {policy}");
                    }
                }
                let listing = Request { action: "s3:ListBucket", bucket: "data", key: None, prefix: Some(key) };
                assert!(is_allowed(&policy, &listing));
            }
        }
    }
    let policy = build(&user, &["--allow", "all:data", "--deny", "list:data"]);
    let listing = Request { action: "s3:ListBucket", bucket: "data", key: None, prefix: None };
    assert!(!is_allowed(&policy, &listing));
}

#[test]
fn the_built_policy_is_printed_with_its_keys_in_order() {
    let user = User::new();
    let shown =
        user.run("policy build --allow read,list:data/logs/* --allow read:data/x --deny read:data/logs/secret").ok();
    let expected = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": "*",
      "Action": [
        "s3:GetObject"
      ],
      "Resource": [
        "arn:aws:s3:::data/logs/*",
        "arn:aws:s3:::data/x"
      ]
    },
    {
      "Effect": "Allow",
      "Principal": "*",
      "Action": [
        "s3:ListBucket"
      ],
      "Resource": [
        "arn:aws:s3:::data"
      ],
      "Condition": {
        "StringLike": {
          "s3:prefix": [
            "logs/*"
          ]
        }
      }
    },
    {
      "Effect": "Deny",
      "Principal": "*",
      "Action": [
        "s3:GetObject"
      ],
      "Resource": [
        "arn:aws:s3:::data/logs/secret"
      ]
    }
  ]
}
"#;
    assert_eq!(shown, expected);
    let json = user.run("policy build --allow read:data --format json").ok();
    assert_eq!(json, user.run("policy build --allow read:data").ok());
    assert_eq!(user.run("policy build --allow read:data --jq .Statement[0].Effect").ok(), "Allow\n");
}

#[test]
fn the_policy_of_the_rules_is_sent_with_the_key() {
    let user = User::of(Emulator::builder().start()).with_token();
    let built = build(&user, &["--allow", "read,list:data/logs/*", "--deny", "delete:data"]).to_string();
    let flags = "--allow read,list:data/logs/* --deny delete:data";
    for command in ["issue-ephemeral FLAGS", "exec FLAGS -- true"] {
        user.run(&format!("iam access-key {}", command.replace("FLAGS", flags))).ok();
        assert_eq!(
            serde_json::from_slice::<Value>(&user.cloud.requests().pop().unwrap().body).unwrap()["policy"],
            built,
            "{command}"
        );
    }
}

#[test]
fn a_key_whose_policy_would_be_wrong_is_not_requested() {
    let user = User::of(Emulator::builder().start()).with_token();
    let cases = [
        ("--allow read", "VERBS:BUCKET[/KEY]"),
        ("--allow raed:data", "did you mean read?"),
        ("--allow read:s3://data/x", "without s3://"),
        ("--allow read:data/", "data/* is the whole bucket"),
        ("--deny read:data", "at least one --allow"),
        ("--allow all:data --deny list:data/x", "whole bucket only"),
        ("--allow read:data --policy {}", "--policy"),
    ];
    for (flags, expected) in cases {
        for command in ["iam access-key issue-ephemeral", "sts assume-role"] {
            let error = user.run(&format!("{command} {flags}")).failed(2);
            assert!(error.contains(expected), "{flags}: {error}");
        }
        if !flags.contains("--policy") {
            let error = user.run(&format!("policy build {flags}")).failed(2);
            assert!(error.contains(expected), "{flags}: {error}");
        }
    }
    let many: Vec<_> = (0..60).flat_map(|n| ["--allow".to_owned(), format!("read:data/{n:0>30}")]).collect();
    let error = user.run_args(["policy", "build"].map(str::to_owned).into_iter().chain(many)).failed(2);
    assert!(error.contains("characters") && error.contains("2048"), "{error}");
    let error = user.run("policy build").failed(2);
    assert!(error.contains("--allow"), "{error}");
    assert_eq!(user.sent().len(), 0);
}

/// The findings of `policy check`, without the note.
fn findings(user: &User, policy: &Value) -> Vec<(String, String)> {
    let output = user.run_args(["policy", "check", &policy.to_string(), "--format", "json"]);
    let shown: Vec<Value> = serde_json::from_str(&output.out).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let has_error = shown.iter().any(|finding| finding["level"] == "error");
    assert_eq!(output.code, i32::from(has_error), "{}", output.err);
    assert_eq!(shown.iter().any(|finding| finding["code"] == "acl-may-still-grant"), !has_error);
    let serious = shown.iter().filter(|finding| finding["level"] != "note");
    serious.map(|finding| (text(finding, "code"), text(finding, "message"))).collect()
}

#[test]
fn mistakes_of_policies_in_use_are_found() {
    let user = User::new();
    let statement = |rest: Value| {
        let mut statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"});
        for (name, value) in rest.as_object().unwrap() {
            statement[name.as_str()] = value.clone();
        }
        json!({"Version": "2012-10-17", "Statement": [statement]})
    };
    let with_length = |length: usize| {
        let rest = statement(json!({"Sid": ""})).to_string().len();
        statement(json!({"Sid": "x".repeat(length - rest)}))
    };
    let cases = [
        (statement(json!({})), None),
        (with_length(2048), None),
        (with_length(2049), Some(("too-long", "2049"))),
        (
            statement(json!({"Resource": "arn:aws:s3:::data"})),
            Some(("bucket-without-objects", "add arn:aws:s3:::BUCKET/*")),
        ),
        (statement(json!({"Action": ["s3:ListBucket"]})), Some(("objects-without-bucket", "s3:ListBucket"))),
        (statement(json!({"Action": "s3:ListParts"})), Some(("unknown-action", "s3:ListMultipartUploadParts?"))),
        (statement(json!({"Principal": {"AWS": "*"}})), Some(("not-supported", "Principal.AWS"))),
        (statement(json!({"Action": null, "NotAction": "s3:GetObject"})), Some(("not-supported", "NotAction"))),
        (statement(json!({"Principal": null})), Some(("principal-missing", "\"Principal\": \"*\""))),
    ];
    for (policy, expected) in cases {
        let found = findings(&user, &policy);
        match expected {
            None => assert_eq!(found, []),
            Some((code, message)) => {
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].0 == code && found[0].1.contains(message), "{found:?}");
            }
        }
    }
}

#[test]
fn a_check_prints_a_line_for_each_finding_and_fails_for_errors() {
    let user = User::new();
    user.write_file(
        "p.json",
        r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data"}]}"#,
    );
    let output = user.run("policy check p.json");
    assert_eq!(output.code, 1);
    let lines: Vec<_> = output.out.lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>()).collect();
    assert_eq!(lines, [["warning", "statement 0"], ["error", "statement 0"]], "{}", output.out);
    assert_eq!(output.err, "ERROR: the policy has 1 error\n");
    let output = user.run("policy check {} --error-format json");
    let error: Value = serde_json::from_str(&output.err).unwrap();
    assert_eq!((output.code, &error["code"]), (1, &json!("FINDINGS")));
    let error = user.run("policy check missing.json").failed(2);
    assert!(error.contains("'missing.json'"), "{error}");
    let clean = build(&user, &["--allow", "all:data"]).to_string();
    let shown = user.run_with_input(["policy", "check", "-"], &clean).ok();
    assert!(shown.starts_with("note: ") && shown.lines().count() == 1, "{shown}");
}

#[test]
fn an_explanation_says_what_each_statement_does() {
    let user = User::new();
    let policy = build(&user, &["--allow", "read,list:data/logs/*", "--deny", "delete:data"]).to_string();
    let shown = user.run_args(["policy", "explain", &policy]).ok();
    let expected = [
        "0: Allows reading objects: objects of the bucket data that begin with 'logs/'",
        "1: Allows listing objects: the bucket data, only if s3:prefix matches 'logs/*'",
        "2: Denies deleting objects: all objects of the bucket data",
        "note: an ACL of an object that grants access to the account does so whatever the policy says (acl-may-still-grant)",
        &format!("{} of 2048 characters", policy.len()),
    ];
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected);
    let json: Value =
        serde_json::from_str(&user.run_args(["policy", "explain", &policy, "--format", "json"]).ok()).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["statements", "findings", "characters", "limit"]);
    let first: Vec<_> = json["statements"][0].as_object().unwrap().keys().collect();
    assert_eq!(first, ["effect", "actions", "resources", "meaning"]);
    assert_eq!(json["statements"][1]["conditions"]["StringLike"]["s3:prefix"], json!(["logs/*"]));
    assert_eq!((&json["characters"], &json["limit"]), (&json!(policy.len()), &json!(2048)));
    // A policy with errors is explained all the same, a text that is none is not.
    user.run("policy explain {}").ok();
    let output = user.run_with_input(["policy", "explain", "-"], "x");
    assert_eq!(output.code, 1);
    assert!(
        output.out.starts_with("error: the policy is not JSON") && output.out.contains("(not-json)"),
        "{}",
        output.out
    );
}

#[test]
fn mistakes_in_the_policy_of_a_key_are_notes_on_a_terminal() {
    let user = User::of(Emulator::builder().start()).with_token();
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListParts","Resource":"*"}]}"#;
    let args = ["iam", "access-key", "issue-ephemeral", "--policy", policy];
    let output = user.run_args(args);
    assert_eq!((output.code, output.err.as_str()), (0, ""));
    let shown = at_terminal(Stream::Err, &user, &args).err;
    assert!(shown.contains("--policy: statement 0: the action 's3:ListParts' is not documented"), "{shown}");
    assert!(!shown.contains("ACL"), "{shown}");
}

#[test]
fn what_is_said_of_a_policy_fits_a_terminal_and_is_one_line_each_elsewhere() {
    let mut user = User::new();
    user.set("TERM", "dumb");
    let policy = r#"{"Statement":[{"Effect":"allow","Action":"s3:GetObjekt","Resource":"arn:aws:s3:::b"}]}"#;
    for verb in ["check", "explain"] {
        let args = ["policy", verb, policy];
        let shown = at_terminal(Stream::Out, &user, &args).out;
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert_eq!(shown.replace('\n', " "), user.run_args(args).out.replace('\n', " "));
    }
}
