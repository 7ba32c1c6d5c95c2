use serde_json::json;

use super::*;
use crate::output::Format;
use crate::output::tests::{list, object, show};

fn variables() -> BTreeMap<String, String> {
    [("ID".to_owned(), "b".to_owned())].into()
}

fn run(expression: &str, document: &str) -> Result<String> {
    let printed = Filter::compile(expression, &variables())?.run(document.as_bytes())?;
    Ok(String::from_utf8(printed).unwrap())
}

fn failure(expression: &str, document: &str) -> String {
    run(expression, document).unwrap_err().to_string()
}

const LIST: &str =
    r#"[{"id":"a","n":1,"at":"2024-09-08T18:59:45Z","zone_id":"ru-central1-a"},{"id":"b","n":10,"tags":["x","y"]}]"#;

#[test]
fn filters_print_what_jq_prints() {
    let table = [
        (".[].id", "a\nb\n"),
        (".[0].n", "1\n"),
        (".[1:]|.[0].tags", "[\n  \"x\",\n  \"y\"\n]\n"),
        (".[0].none", "null\n"),
        (".[0].none // \"-\"", "-\n"),
        ("[.[].n] | add", "11\n"),
        ("map(.id)", "[\n  \"a\",\n  \"b\"\n]\n"),
        (".[0] | del(.id) | keys_unsorted | join(\" \")", "n at zone_id\n"),
        ("del(.[0].x, .[0].x.y, .[7], .[7].x) | length", "2\n"),
        ("del(.[].at, .[0].id, .[1].tags[0], .[2].x) | [.[1].tags[], (.[0] | length)] | join(\" \")", "y 2\n"),
        ("del(.[0, 1]), del(.[:1]) | length", "0\n1\n"),
        ("[.[] | select(.zone_id==\"ru-central1-a\") | .id] | join(\"|\")", "a\n"),
        (".[] | select(.id == env.ID) | .n", "10\n"),
        (".[] | select(.id == $ENV.ID) | .n", "10\n"),
        ("env.NONE", "null\n"),
        ("[.[].id] | @tsv", "a\tb\n"),
        ("[.[].id, 1] | @csv", "\"a\",\"b\",1\n"),
        ("[\"a\\\"b\", null, true, 1.50] | @csv", "\"a\"\"b\",,true,1.50\n"),
        ("[\"a\\tb\\nc\\\\\", \"\", null, false] | @tsv", "a\\tb\\nc\\\\\t\t\tfalse\n"),
        (".[] | select(.id | IN(\"b\", \"c\")) | .n", "10\n"),
        ("INDEX(.id) | .b.n", "10\n"),
        (".[0] | {Version: 1, Id: .id}", "{\n  \"Version\": 1,\n  \"Id\": \"a\"\n}\n"),
        (".[0] | keys", "[\n  \"at\",\n  \"id\",\n  \"n\",\n  \"zone_id\"\n]\n"),
        (".[0] | keys_unsorted[0]", "id\n"),
        (".[0] | to_entries[0]", "{\n  \"key\": \"id\",\n  \"value\": \"a\"\n}\n"),
        ("map({(.id): .n}) | add", "{\n  \"a\": 1,\n  \"b\": 10\n}\n"),
        (".[0] | with_entries(select(.key == \"n\"))", "{\n  \"n\": 1\n}\n"),
        ("length", "2\n"),
        ("[.[] | has(\"tags\")] | @json", "[false,true]\n"),
        (".[] | \"\\(.id)=\\(.n)\"", "a=1\nb=10\n"),
        ("reduce .[] as $x (0; . + $x.n)", "11\n"),
        ("[foreach .[] as $x (0; . + $x.n)] | @text", "[1,11]\n"),
        ("if length > 1 then \"many\" else \"one\" end", "many\n"),
        ("first(.[].id)", "a\n"),
        ("[limit(1; .[].id)][0]", "a\n"),
        (".[] | .tags[]?", "x\ny\n"),
        ("[.. | strings] | length", "6\n"),
        (".[0].at | fromdateiso8601", "1725821985\n"),
        ("now > 1700000000", "true\n"),
        (".[0].id | test(\"^A$\"; \"i\")", "true\n"),
        (".[0].zone_id | sub(\"central\"; \"east\")", "ru-east1-a\n"),
        (".[0].zone_id | split(\"-\") | .[1]", "central1\n"),
        (".[0].id | ascii_upcase | ascii_downcase", "a\n"),
        ("\"0JrQu9GO0Yc=\" | @base64d", "Ключ\n"),
        (".[0].id | @base64", "YQ==\n"),
        ("sort_by(-.n) | .[0].id", "b\n"),
        ("group_by(.n > 5) | length", "2\n"),
        ("[.[].n] | min, max", "1\n10\n"),
        ("unique_by(.id) | length", "2\n"),
        ("any(.[]; .n > 5), all(.[]; .n > 5)", "true\nfalse\n"),
        ("try error(\"x\") catch .", "x\n"),
        ("def twice: . * 2; .[1].n | twice", "20\n"),
        (". as [$x, $y] | $y.id", "b\n"),
        ("[paths(type == \"number\")] | length", "2\n"),
        ("del(.[0]) | length", "1\n"),
        (".[0] | type", "object\n"),
        ("tojson | fromjson | length", "2\n"),
        ("label $out | .[] | ., break $out | .id", "a\n"),
        ("empty", ""),
        ("\"\"", "\n"),
        ("[], {}, true", "[]\n{}\ntrue\n"),
        ("\"a\\nb\"", "a\nb\n"),
        ("[\"Ключ <&> \\u001b\"]", "[\n  \"Ключ <&> \\u001b\"\n]\n"),
        ("debug | length", "2\n"),
        (".[0].id, halt, .[1].id", "a\n"),
        ("[range(5)] | .[2:4] | @json", "[2,3]\n"),
        (".[0].at[0:10]", "2024-09-08\n"),
        (
            ". # a comment",
            "[\n  {\n    \"id\": \"a\",\n    \"n\": 1,\n    \"at\": \"2024-09-08T18:59:45Z\",\n    \"zone_id\": \"ru-central1-a\"\n  },\n  {\n    \"id\": \"b\",\n    \"n\": 10,\n    \"tags\": [\n      \"x\",\n      \"y\"\n    ]\n  }\n]\n",
        ),
    ];
    for (expression, printed) in table {
        assert_eq!(
            run(expression, LIST).unwrap_or_else(|error| panic!("{expression}: {error}")),
            printed,
            "{expression}"
        );
    }
}

#[test]
fn numbers_stay_as_they_are() {
    let document = r#"{"a":123456789012345678901234567890,"b":1.000,"c":1e1000,"d":-0}"#;
    assert_eq!(run(".a,.b,.c", document).unwrap(), "123456789012345678901234567890\n1.000\n1e1000\n");
}

#[test]
fn common_filters_need_no_definitions() {
    let table = [
        ".",
        ".secret",
        ".access_key.key_id",
        ".[0].id",
        ".[1:3]",
        ".[]?",
        ".[\"a\"]",
        ".a // \"x\"",
        ".n + 1 * 2 - 3 / 4 % 5",
        "if .a == 1 then 2 elif .b then 3 else 4 end",
        "reduce .[] as $x (0; . + $x)",
        "{a: .b, (.c): 1, d}",
        "[.[].id]",
        "\"\\(.a) and \\(.b)\"",
        "def f(x): x + 1; f(.a)",
        ". as {a: $x} | $x",
        ".a | .b, .c",
        "try .a catch .",
        "env.ID",
        "$ENV.ID",
        ".a and .b or .c",
        ".a |= . + 1",
        "-.n",
    ];
    for expression in table {
        let with_env = expression.contains("env") || expression.contains("ENV");
        let compiled = compile::compile_with(expression, with_env, [], []);
        assert!(compiled.is_ok(), "{expression}: {:?}", compiled.err());
    }
    assert!(compile::compile_with("map(.id)", false, [], []).is_err());
}

#[test]
fn a_syntax_error_is_shown_with_its_position() {
    let table = [
        (".[] | foo", "undefined function foo/0 at character 7"),
        ("\"ё\" | bar(1; 2)", "undefined function bar/2 at character 7"),
        ("$x", "undefined variable $x at character 1"),
        ("break $x", "undefined label $x at character 7"),
        ("$__loc__", "undefined variable $__loc__ at character 1"),
        ("input", "undefined function input/0 at character 1"),
        ("inputs", "undefined function inputs/0 at character 1"),
        ("input_filename", "undefined function input_filename/0 at character 1"),
        ("a::b", "undefined module a at character 1"),
        ("", "expected term, but the expression ends at character 1"),
        (".a |", "expected term, but the expression ends at character 5"),
        (".a | | .b", "expected term, found `|` at character 6"),
        (".a .b)", "expected token, found `)` at character 6"),
        ("[.a", "`[` is not closed at character 1"),
        ("\"a", "`\"` is not closed at character 1"),
        (".a = §\u{202e}", "expected token, found `§\\u202e` at character 6"),
        ("if . then", "expected term, but the expression ends at character 10"),
        ("import \"x\" as x; .", "module loading not supported at character 9"),
        ("import \"x\" as $x; $x", "modules are not supported at character 9"),
        ("include \"x\"; .", "module loading not supported at character 10"),
    ];
    for (expression, reason) in table {
        let error = Filter::compile(expression, &variables()).err().unwrap();
        assert_eq!(error.to_string(), format!("jq filter: {reason}"), "{expression}");
        assert!(matches!(error.kind(), Kind::FilterSyntax));
    }
}

#[test]
fn deep_expressions_compile_and_run() {
    let nested = |open: &str, close: &str, levels| open.repeat(levels) + "1" + &close.repeat(levels);
    let table = [
        nested("(", ")", 8000),
        nested("[", "][0]", 2500),
        nested("-", "", 16000),
        nested("\"\\(", ")\"", 2500),
        "1|".repeat(8000) + "1",
        "1,".repeat(8000) + "1",
    ];
    for expression in table {
        let deep = || run(&expression, "null").map(|printed| printed.len());
        let running = thread::scope(|scope| {
            thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, deep).unwrap().join().unwrap()
        });
        assert!(running.is_ok(), "{:?}", running.err());
    }
    let error = Filter::compile(&"(".repeat(20_000), &variables()).err().unwrap();
    assert_eq!(error.to_string(), "jq filter: the expression has more than 16384 bytes");
}

#[test]
fn a_failure_says_why_and_prints_nothing() {
    let table = [
        (".[0], .a", "cannot index [{\"id\":\"a\""),
        (".[0].id | tonumber", "cannot parse"),
        ("error(\"no such key\")", "no such key"),
        ("error", "[{\"id\""),
        ("halt_error", "halted with the exit status 5"),
        ("1, halt(7)", "halted with the exit status 7"),
        ("1 + []", "cannot calculate 1 + []"),
        (".[0].at | strptime(\"%Y\")", ""),
        (".[0].id | test(\"(\")", ""),
    ];
    for (expression, reason) in table {
        let error = run(expression, LIST).unwrap_err();
        assert!(error.to_string().starts_with(&format!("jq filter: {reason}")), "{expression}: {error}");
        assert!(matches!(error.kind(), Kind::FilterRun));
    }
    assert!(failure("error(\"я\" * 9999)", "1").chars().count() < 220);
}

#[test]
fn a_failure_never_quotes_a_secret() {
    let document = r#"{"access_key":{"id":"aje"},"secret":"JyTRFdqw8t1kh2"}"#;
    for expression in
        [".secret.a", ".secret | tonumber", "error(.secret[1:])", "{x: .secret} | error", ".secret[]", "error"]
    {
        let reason = failure(expression, document);
        assert!(!reason.contains("yTR") && !reason.contains("aje"), "{reason}");
    }
    assert_eq!(failure(".secret.a", document), "jq filter: cannot index … (a value that may be secret is not shown)");
    assert!(!failure("env | error", "1").contains("ID"));
    assert!(
        !failure("error", r#""t1.9euelZqXncOEFhPa-_8.signature0123456789-_signature0123456789_sig""#)
            .contains("9euelZ")
    );
}

#[test]
fn the_format_decides_the_spelling_that_the_filter_sees() {
    let output = list(vec![json!({"keyId": "k"})]);
    for format in [Format::Text, Format::Yaml, Format::Json, Format::Table] {
        assert_eq!(show(format, Some(".[].key_id"), false, &output), "k\n");
    }
    assert_eq!(show(Format::JsonRest, Some(".[].keyId"), false, &output), "k\n");
}

#[test]
fn on_a_terminal_results_are_escaped() {
    let output = object(json!({"x": "a\u{1b}[2J\nb\tc\u{202e}"}));
    assert_eq!(show(Format::Text, Some(".x"), false, &output), "a\u{1b}[2J\nb\tc\u{202e}\n");
    assert_eq!(show(Format::Text, Some(".x"), true, &output), "a\\u001b[2J\nb\tc\\u202e\n");
    assert_eq!(show(Format::Text, Some("[.x]"), true, &output), "[\n  \"a\\u001b[2J\\nb\\tc\\u202e\"\n]\n");
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced_as_jq_does() {
    assert_eq!(run("\"/w==\" | @base64d, [@base64d]", "1").unwrap(), "\u{fffd}\n[\n  \"\u{fffd}\"\n]\n");
    assert_eq!(run("[\"a\" | tobytes], (\"a\" | tobytes | tojson)", "1").unwrap(), "[\n  \"a\"\n]\n\"a\"\n");
}

#[test]
fn what_the_program_adds_to_a_filter_does_not_get_in_its_way() {
    assert_eq!(run("def tojson: 1; tojson, \"\\([2])\"", "1").unwrap(), "1\n[2]\n");
    assert_eq!(run("def @text: 1; @text, \"\\(2)\"", "1").unwrap(), "1\n2\n");
    assert_eq!(failure("module {a: 1}; .", "1"), "jq filter: modules are not supported");
}
