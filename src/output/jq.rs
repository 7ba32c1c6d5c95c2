//! Filters in the language of jq, run by jaq.

use std::collections::BTreeMap;
use std::thread;

use jaq_core::data::JustLut;
use jaq_core::load::lex::Expect;
use jaq_core::load::parse::Def;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::Fun;
use jaq_core::{Compiler, Ctx, Exn, Vars, compile};
use jaq_json::write::{Pp, write};
use jaq_json::{Val, read};
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::secret::{is_secret_field, mask_shapes};
use crate::text::escape;

/// The stack on which a filter should be compiled and run: jaq recurses, when it reads an expression as deeply as that
/// is nested, and when it runs one as deeply as the filter calls itself and as the values are nested.
pub const STACK_BYTES: usize = 256 << 20;

/// The longest expression, in bytes, whose every level of nesting finds room on that stack.
const LONGEST_EXPRESSION: usize = 16 << 10;

/// Up to how many bytes an expression, however nested, finds room on any stack.
const SHORT_EXPRESSION: usize = 100;

/// How many characters of the reason for a failure are shown: it may quote the whole document.
const LONGEST_REASON: usize = 200;

/// What jq has and jaq's library lacks, as far as lists of resources are concerned, and deletions, since jaq's own
/// change the order of the fields that stay.
///
/// Source: the jq 1.7 manual, "Format strings and escaping" and "SQL-style operators".
const DEFINITIONS: &str = r#"
    def @tsv:
        def swap($from; $to): split($from) | join($to);
        if isarray | not then error("\(type) cannot be written as TSV, only an array can") end
        | [.[] | if isstring then swap("\\"; "\\\\") | swap("\t"; "\\t") | swap("\n"; "\\n") | swap("\r"; "\\r")
            elif . == null then ""
            elif isarray or isobject then error("\(type) cannot be written as a field of TSV")
            else tostring end]
        | join("\t");
    def @csv:
        if isarray | not then error("\(type) cannot be written as CSV, only an array can") end
        | [.[] | if isstring then "\"" + (split("\"") | join("\"\"")) + "\""
            elif . == null then ""
            elif isarray or isobject then error("\(type) cannot be written as a field of CSV")
            else tostring end]
        | join(",");
    def IN(s): any(s == .; .);
    def IN(src; s): any(src == s; .);
    def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] |= $row);
    def INDEX(f): INDEX(.[]; f);
    def delpaths($paths):
        def without($path):
            $path[0] as $key
            | if $path == [] then null
            elif isobject and ($path | length) == 1 then with_entries(select(.key != $key))
            elif .[$key] == null then .
            elif ($path | length) > 1 then .[$key] |= without($path[1:])
            else .[$key] |= empty end;
        reduce ($paths | sort | reverse | .[]) as $path (.; without($path));
    def del(f): delpaths([path(f)]);
"#;

/// A jq filter that is ready to run.
pub struct Filter {
    expression: String,
    compiled: jaq_core::Filter<JustLut<Val>>,
    /// The environment, for a filter that asks for it.
    variables: Option<BTreeMap<String, String>>,
}

impl Filter {
    /// Prepares a filter; `variables` are what its `env` and `$ENV` show.
    ///
    /// # Errors
    /// [`FilterSyntax`](Kind::FilterSyntax) with the offending part and its place.
    pub fn compile(expression: &str, variables: &BTreeMap<String, String>) -> Result<Self> {
        if expression.len() > LONGEST_EXPRESSION {
            let reason = format!("jq filter: the expression has more than {LONGEST_EXPRESSION} bytes");
            return Err(Error::new(Kind::FilterSyntax, reason));
        }
        if expression.len() <= SHORT_EXPRESSION {
            return Self::compile_here(expression, variables);
        }
        thread::scope(|scope| {
            let roomy = thread::Builder::new().stack_size(STACK_BYTES);
            match roomy.spawn_scoped(scope, || Self::compile_here(expression, variables)) {
                Ok(compiling) => compiling.join().unwrap_or_else(|_| Err(Error::internal("the jq compiler failed"))),
                Err(_) => Self::compile_here(expression, variables),
            }
        })
    }

    fn compile_here(expression: &str, variables: &BTreeMap<String, String>) -> Result<Self> {
        let variables = ["env", "ENV"].iter().any(|name| expression.contains(name)).then(|| variables.clone());
        let compiled = compile_with(expression, variables.is_some(), [], [])
            // Reading and compiling jq's own definitions takes longer than everything else that the program does
            // between the answer and the output, and most filters use none of them.
            .or_else(|_| {
                let definitions =
                    jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).chain(parsed(DEFINITIONS));
                let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
                compile_with(expression, variables.is_some(), definitions, functions)
            })
            .map_err(|reason| Error::new(Kind::FilterSyntax, format!("jq filter: {reason}")))?;
        Ok(Self { expression: expression.to_owned(), compiled, variables })
    }

    /// The filter as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Whether the filter does nothing but pick a field, as `.access_key.key_id` does.
    pub fn is_path(&self) -> bool {
        let expression = self.expression.trim();
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        expression.strip_prefix('.').is_some_and(|names| names.split('.').all(is_name))
    }

    /// What the filter makes of a JSON document, as `jq -r` prints it.
    ///
    /// # Errors
    /// [`FilterRun`](Kind::FilterRun) when the filter fails, whatever it has yielded before.
    pub fn run(&self, document: &[u8]) -> Result<Vec<u8>> {
        let input = read::parse_single(document)
            .map_err(|error| Error::internal(format!("cannot hand the result to the jq filter: {error}")))?;
        let variables = self.variables.iter().map(|variables| {
            Val::obj(variables.iter().map(|(name, value)| (name.clone().into(), value.clone().into())).collect())
        });
        let context = Ctx::<JustLut<Val>>::new(&self.compiled.lut, Vars::new(variables));
        let style = Pp { indent: Some("  ".to_owned()), sep_space: true, ..Pp::default() };

        let mut printed = Vec::new();
        for result in self.compiled.id.run((context, input)) {
            match result {
                Ok(Val::TStr(text) | Val::BStr(text)) => printed.extend_from_slice(&text),
                Ok(value) => write(&mut printed, &style, 0, &value)
                    .map_err(|error| Error::internal(format!("cannot write what the jq filter yields: {error}")))?,
                Err(exception) => return self.stopped(exception, document).map(|()| printed),
            }
            printed.push(b'\n');
        }
        Ok(printed)
    }

    /// What it means that the filter stopped: `halt` ends the output, everything else is a failure.
    fn stopped(&self, exception: Exn<Val>, document: &[u8]) -> Result<()> {
        let failed = |reason: &str| Err(Error::new(Kind::FilterRun, format!("jq filter: {reason}")));
        let error = match exception.get_err() {
            Ok(error) => error,
            Err(exception) => match exception.get_halt() {
                Ok(0) => return Ok(()),
                Ok(status) => return failed(&format!("it halted with the status {status}")),
                Err(_) => return failed("it left a block that it was not in"),
            },
        };
        // jaq's reasons quote values. Where one of them may be a secret, only jaq's own words before it are shown.
        if self.variables.is_some() || holds_secret(&serde_json::from_slice(document).unwrap_or_default()) {
            let reason = error.to_string();
            let quote = reason.find(|c: char| "\"[{-".contains(c) || c.is_ascii_digit()).unwrap_or(reason.len());
            return failed(&format!("{}… (a value that may be secret is not shown)", &reason[..quote]));
        }
        let reason = match error.into_val() {
            Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
            value => value.to_string(),
        };
        let shown: String = mask_shapes(&reason).chars().take(LONGEST_REASON).collect();
        failed(&if shown.len() < reason.len() { shown + "…" } else { shown })
    }
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_secret),
        Value::Object(fields) => fields.iter().any(|(name, value)| is_secret_field(name) || holds_secret(value)),
        _ => false,
    }
}

/// Compiles with the given definitions and native functions, or says in plain words why not.
fn compile_with(
    expression: &str,
    with_env: bool,
    definitions: impl IntoIterator<Item = Def<&'static str>>,
    functions: impl IntoIterator<Item = Fun<JustLut<Val>>>,
) -> Result<jaq_core::Filter<JustLut<Val>>, String> {
    // jaq's own `env` reads the process and panics on a variable that is not UTF-8; a definition goes before it.
    let env = if with_env { parsed("def env: $ENV;") } else { Vec::new() };
    let arena = Arena::default();
    let modules = Loader::new(definitions.into_iter().chain(env))
        .load(&arena, File { code: expression, path: () })
        .map_err(|errors| errors.first().map(|(_, error)| load_error(expression, error)).unwrap_or_default())?;
    load::import(&modules, |_| Err("modules are not supported".to_owned()))
        .map_err(|errors| errors.first().map(|(_, error)| load_error(expression, error)).unwrap_or_default())?;
    Compiler::default().with_funs(functions).with_global_vars(with_env.then_some("$ENV")).compile(modules).map_err(
        |errors| {
            let undefined = errors.first().and_then(|(_, errors)| errors.first());
            undefined.map(|error| compile_error(expression, error)).unwrap_or_default()
        },
    )
}

fn parsed(text: &'static str) -> Vec<Def<&'static str>> {
    load::parse(text, |parser| parser.defs()).unwrap_or_default()
}

fn load_error(expression: &str, error: &load::Error<&str>) -> String {
    let reason = match error {
        load::Error::Io(errors) => errors.first().map(|(part, reason)| (reason.clone(), *part)),
        load::Error::Lex(errors) => errors.first().map(|(expected, part)| match expected {
            Expect::Delim(open) => (format!("`{open}` is not closed"), *open),
            other => (expect(other.as_str(), part), *part),
        }),
        load::Error::Parse(errors) => errors.first().map(|(expected, part)| (expect(expected.as_str(), part), *part)),
    };
    reason.map(|(reason, part)| at(expression, part, &reason)).unwrap_or_default()
}

fn expect(expected: &str, found: &str) -> String {
    let mut shown: String = found.chars().take(20).collect();
    if shown.len() < found.len() {
        shown.push('…');
    }
    match shown.as_str() {
        "" => format!("expected {expected}, but the expression ends"),
        shown => format!("expected {expected}, found `{}`", escape::inline(shown)),
    }
}

fn compile_error(expression: &str, (name, undefined): &compile::Error<&str>) -> String {
    let what = match undefined {
        compile::Undefined::Filter(arity) => format!("undefined function {name}/{arity}"),
        other => format!("undefined {} {name}", other.as_str()),
    };
    at(expression, name, &what)
}

/// Adds the place in the expression, counted in characters from 1.
fn at(expression: &str, part: &str, reason: &str) -> String {
    let start = load::span(expression, part).start;
    match expression.get(..start) {
        Some(before) => format!("{reason} at character {}", before.chars().count() + 1),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::tests::{list, object, show};
    use crate::output::{Format, Render};

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

    const LIST: &str = r#"[{"id":"a","n":1,"at":"2024-09-08T18:59:45Z","zone_id":"ru-central1-a"},{"id":"b","n":10,"tags":["x","y"]}]"#;

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
            let compiled = compile_with(expression, with_env, [], []);
            assert!(compiled.is_ok(), "{expression}: {:?}", compiled.err());
        }
        assert!(compile_with("map(.id)", false, [], []).is_err());
    }

    #[test]
    fn what_does_not_compile_is_named_with_its_place() {
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
            ("halt_error", "it halted with the status 5"),
            ("1, halt(7)", "it halted with the status 7"),
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
        assert_eq!(
            failure(".secret.a", document),
            "jq filter: cannot index … (a value that may be secret is not shown)"
        );
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
    fn bytes_that_are_not_utf_8_pass() {
        let filter = || Some(Filter::compile("\"/w==\" | @base64d", &variables()).unwrap());
        let render = |terminal| Render { format: Format::Json, filter: filter(), terminal };
        let output = object(json!(1));
        assert!(!render(false).render(&output).unwrap().is_empty());
        assert!(String::from_utf8(render(true).render(&output).unwrap()).is_ok());
    }
}
