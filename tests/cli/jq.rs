//! Filters against the program `jq` itself: the same filter on the same document prints the same.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use yc_emulator::Fault;

use crate::programs::require_program;
use crate::route::LIST;
use crate::support::User;

/// A list of keys as the API returns it, and as a filter gets it.
fn documents() -> (Value, Value) {
    let keys = json!([
        {"id": "ajek1", "serviceAccountId": "ajes", "createdAt": "2024-09-08T18:59:45Z", "keyId": "YCAJE1",
         "description": "CI, \"main\"\tkey", "lastUsedAt": "2024-10-01T00:00:00Z", "uses": 12, "rate": 0.75},
        {"id": "ajek2", "serviceAccountId": "ajes", "createdAt": "2023-01-02T03:04:05Z", "keyId": "YCAJE2",
         "labels": {"team": "a"}, "uses": 3, "tags": ["x", "y"]},
        {"id": "ajek3", "serviceAccountId": "ajet", "createdAt": "2025-01-01T00:00:00Z", "keyId": "YCAJE3",
         "description": "backup"},
    ]);
    let shown = json!([
        {"id": "ajek1", "service_account_id": "ajes", "created_at": "2024-09-08T18:59:45Z",
         "description": "CI, \"main\"\tkey", "key_id": "YCAJE1", "last_used_at": "2024-10-01T00:00:00Z", "uses": 12,
         "rate": 0.75},
        {"id": "ajek2", "service_account_id": "ajes", "created_at": "2023-01-02T03:04:05Z", "key_id": "YCAJE2",
         "labels": {"team": "a"}, "uses": 3, "tags": ["x", "y"]},
        {"id": "ajek3", "service_account_id": "ajet", "created_at": "2025-01-01T00:00:00Z",
         "description": "backup", "key_id": "YCAJE3"},
    ]);
    (json!({"accessKeys": keys}), shown)
}

const FILTERS: &[&str] = &[
    // Entries
    "map({name: .key_id, value: .id}) | from_entries",
    "map({Name: .key_id, Value: .id}) | from_entries",
    "map({key: .key_id, value: .description}) | from_entries",
    "map({Key: .key_id}) | from_entries",
    "map({name: .description, value: .id}) | from_entries",
    "map({key: .uses, value: .id}) | from_entries",
    "[{key: false, value: 1}] | from_entries",
    "[{key: \"a\", value: false}, {key: \"b\", value: null}] | from_entries",
    "[{key: \"a\", name: \"b\", value: 1}, {key: null, name: \"b\", value: 2}] | from_entries",
    "[] | from_entries",
    "null | from_entries",
    "try ([{value: 1}] | from_entries) catch \"caught\"",
    ".[0] | with_entries(select(.key | endswith(\"_at\")))",
    ".[1] | with_entries(.value |= tojson)",
    "[.[] | to_entries[] | select(.value == null)]",
    // Joining
    ".[0] | [.id, .last_used_at] | join(\",\")",
    ".[2] | [.id, .last_used_at] | join(\",\")",
    ".[1] | [.uses, .rate, true, false, null, \"\"] | join(\"-\")",
    "[] | join(\",\")",
    "[null] | join(\",\")",
    "[null, null] | join(\",\")",
    "[\"a\", null] | join(null)",
    "[\"a\", \"b\"] | join(\",\", \"/\")",
    "[1, [2]] | join(\",\")",
    "[1, 2] | join(1)",
    "[1.5, 4 / 2, 3] | join(\" \")",
    "map([.id, .description] | join(\"\\t\")) | .[]",
    // Ends of strings
    "map(.description | ltrimstr(\"back\"))",
    "map(.description | rtrimstr(\"up\"))",
    "map(.uses | ltrimstr(\"1\"), rtrimstr(\"2\"))",
    ".[].key_id | ltrimstr(\"YCAJE\")",
    ".[].key_id | ltrimstr(null), rtrimstr(1), rtrimstr(\"\")",
    "\"ababa\" | ltrimstr(\"a\", \"ab\"), rtrimstr(\"ba\")",
    "\"ключ\" | ltrimstr(\"кл\"), rtrimstr(\"юч\")",
    "map(.description | startswith(\"b\")?)",
    // Times
    "1425599621 | todate",
    "1425599621.678 | todate",
    "1425599621.999 | todateiso8601",
    "-1.5 | todate",
    "0 | todate",
    "null | todate",
    ".[0].created_at | fromdate | todate",
    "map(.created_at | fromdateiso8601)",
    ".[0].created_at | fromdate | . + 0.25 | todate",
    ".[0].created_at | strptime(\"%Y-%m-%dT%H:%M:%SZ\") | mktime",
    "1425599621 | strftime(\"%Y/%m/%d\")",
    "1425599621 | gmtime | mktime",
    // Numbers
    "nan",
    "[nan]",
    "{a: nan}",
    "infinite, -infinite",
    "[infinite, -infinite]",
    "nan | tostring, tojson",
    "[nan, infinite] | tostring, tojson",
    "\"\\(nan) \\(infinite) \\([nan])\"",
    "@json \"x\\([nan, -infinite])\"",
    "@text \"x\\(nan)\"",
    "[nan, infinite, 1] | @json, @text, @csv, @tsv, @sh",
    "nan | @html, @uri, @base64, @json, @text",
    "infinite | @html, @base64",
    "{a: nan} | tojson, \"\\(.)\"",
    "[nan, 1] | sort | tojson",
    "nan | isnan",
    "[nan, null, 1] | map(. == null)",
    "infinite | floor",
    "1.5, 2.50 * 2, 5 / 2, 6 / 2",
    "[1e3 * 1, 1e17 * 1, 1e16 * 1, 1.5e16 * 1, 1e-5 * 1, 0.0001 * 1, 1.5e-7 * 1, 1e300 * 1]",
    "0.1 + 0.2",
    "1 / 3",
    "map(.rate)",
    ".[0].uses * 1.5 | tostring",
    "\"\\(6 / 2) of \\(5 / 2)\"",
    "map(.uses // 0) | add / length",
    "[.[].uses | numbers] | min, max, add",
    "100 | sqrt",
    "3.7 | floor, ceil, round",
    "\"12\" | tonumber",
    "\"1.50\" | tonumber | . * 2",
    // Keys that are not strings
    "{(.[0].description): 1}",
    "{(.[1].description): 1}",
    "{(.[0].uses): 1}",
    "try {(.[0].uses): 1} catch \"caught\"",
    "{\"a\": 1, b: 2, \"c\\(1 + 1)\": 3, @base64 \"d\": 4}",
    "map({(.id): .uses}) | add",
    ".[0] | {id, \"key_id\"}",
    "\"a\" as $x | {$x, y: $x}",
    // Strings and formats
    ".[0] | @json, @text",
    ".[0] | tojson, tostring",
    "map(.description) | @json",
    "map(.id) | @csv, @tsv, @sh",
    ".[] | [.id, .description, .uses] | @csv, @tsv",
    ".[0].description | @html, @uri, @sh, @base64, @json",
    "\"<&'\\\">\" | @html",
    "\"0JrQu9GO0Yc=\" | @base64d",
    "\"/w==\" | @base64d",
    "[\"/w==\" | @base64d] | tojson",
    "\"a\\u007f\\u0001\\u001b\\u2028\" | ., [.], tojson",
    "\"\\([1, {a: null}])\"",
    ".[] | \"\\(.id): \\(.uses)\"",
    "\"a\" + \"\\(\"b\" + \"\\(1)\")\"",
    "@base64 \"x\\(\"a\" | . + \"b\")y\"",
    ".[0].\"key\\(\"_\")id\"",
    ".[0][\"key_id\"]",
    "[.[] | {a: .id} | .\"a\"]",
    ". as [{\"i\\(\"d\")\": $x}] | $x",
    "reduce .[] as {id: $id} (\"\"; . + \"\\($id) \")",
    "[foreach .[] as {uses: $n} (0; . + ($n // 0); \"\\(.)\")]",
    "def f(x): \"<\\(x)>\"; f(.[].id)",
    "try error(\"\\(1)\") catch .",
    "if .[0].uses > 1 then \"\\(.[0].uses)\" else . end",
    "label $out | .[] | \"\\(.id)\", break $out",
    "[limit(2; .[] | \"\\(.uses)\")]",
    ".[0] |= \"\\(.id)\" | .[0]",
    "[.[] | .id as $id | \"\\($id)\" | ascii_upcase]",
    "map(select(.description != null) | .description | test(\"ci\"; \"i\"))",
    ".[0].created_at[:10]",
    // Lists
    ".",
    ".[]",
    "length",
    "map(.id)",
    "map(has(\"description\"))",
    "sort_by(.created_at) | map(.id)",
    "group_by(.service_account_id) | map({account: .[0].service_account_id, keys: map(.id)})",
    "map(.service_account_id) | unique",
    "unique_by(.service_account_id) | length",
    "map(keys) | add | unique",
    "[paths(type == \"number\")]",
    "[.. | strings] | length",
    "map(del(.labels, .tags))",
    "del(.[0, 1])",
    "map(.tags // [] | length)",
    "map(.uses) | map(values)",
    "first(.[] | select(.uses == null)) | .id",
    "[.[] | .id] | index(\"ajek2\")",
    "map(.labels.team?)",
    "any(.[]; .uses == 3), all(.[]; .uses == 3)",
    "[range(0; 10; 3)]",
    "flatten | length",
    "to_entries | map(.key)",
    "min_by(.created_at).id, max_by(.created_at).id",
    "[splits(\", *\")?]",
    ".[0] | keys_unsorted",
    "map(.description | type)",
    "tojson | fromjson == .",
    "[.[] | ascii_downcase?]",
    "empty",
    ".[] | .id, halt",
    ".[] | if .uses == null then halt else .id end",
    "{} , [], {a: []}, [{}]",
];

/// What is printed, and whether the filter succeeds.
#[derive(Debug, PartialEq)]
struct Printed {
    ok: bool,
    text: String,
}

fn by_jq(user: &User, filter: &str, document: &str) -> Printed {
    let mut command: Command = user.program("jq");
    let input = user.write_file("document.json", document);
    let output = command.args(["-r", filter]).arg(input).stderr(Stdio::null()).output().unwrap();
    let ok = output.status.success();
    // Nothing is printed by a filter that fails.
    let text = if ok { String::from_utf8(output.stdout).unwrap() } else { String::new() };
    Printed { ok, text }
}

/// What the `jq` of a machine need not have yet, with what newer ones print: literals stay as they are written, and
/// entries have more names.
///
/// Source: the jq 1.7 manual, `from_entries` and "Numbers".
#[test]
fn filters_print_what_a_newer_jq_prints() {
    let user = User::signed_in();
    for (filter, printed) in [
        ("[1.50, 2.0, 100000000000000000000] | @json", "[1.50,2.0,100000000000000000000]\n"),
        (
            "[{k: \"a\", v: 1}, {K: \"b\", V: 2}, {Key: \"c\", Value: 3}] | from_entries | @json",
            "{\"a\":1,\"b\":2,\"c\":3}\n",
        ),
        ("1425599621 | date", "2015-03-05T23:53:41Z\n"),
    ] {
        assert_eq!(user.run_args(["iam", "access-key", "list", "--jq", filter]).ok(), printed, "{filter}");
    }
}

#[test]
fn a_result_that_json_does_not_have_is_an_error_that_names_no_value() {
    let user = User::signed_in();
    for (filter, key) in [
        ("{(null): 1}", "null"),
        ("{(1): 1}", "number"),
        ("[{value: 1}] | from_entries", "null"),
        ("{} | .[1] = 2", "number"),
        ("{} | .[1] = 2 | tojson", "number"),
        ("{} | .[[]] = 2 | \"\\(.)\"", "array"),
        ("\"{1: 2}\" | fromjson", "number"),
    ] {
        let error = user.run_args(["iam", "access-key", "list", "--jq", filter]).failed(1);
        assert_eq!(error, format!("ERROR: jq filter: cannot use a value of type {key} as object key\n"), "{filter}");
    }
}

#[test]
fn filters_print_what_jq_prints() {
    if !require_program("jq") {
        return;
    }
    let user = User::signed_in();
    let (response, shown) = documents();
    let (response, shown) = (response.to_string(), shown.to_string());
    let mut different = String::new();
    for filter in FILTERS {
        user.cloud.fault(LIST, Fault::answer(200, "application/json", &response));
        let ran = user.run_args(["iam", "access-key", "list", "--jq", filter]);
        let ours = Printed { ok: ran.code == 0, text: ran.out };
        let theirs = by_jq(&user, filter, &shown);
        if ours != theirs {
            writeln!(different, "{filter}\n  jq:    {theirs:?}\n  yc-rs: {ours:?} {}", ran.err).unwrap();
        }
    }
    assert!(different.is_empty(), "{different}");
}
