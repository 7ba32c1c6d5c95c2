//! The functions that differ from jaq's own, so that a filter does what it does with jq.

use jaq_core::data::JustLut;
use jaq_core::native::{Fun, bome, run, v};
use jaq_json::{Error, Val};

use super::json::{self, KeyType};
use super::rewrite;

/// What jq has and jaq's library lacks, as far as lists of resources are concerned; deletions, since jaq's own change the
/// order of the fields that stay; and what jq does with `null` and with numbers.
///
/// Source: the jq 1.7 manual, "Format strings and escaping" and "SQL-style operators"; `src/builtin.jq` of jq 1.6 and 1.7
/// for the others.
pub(super) const DEFINITIONS: &str = r#"
    def @tsv:
        def swap($from; $to): split($from) | join($to);
        if isarray | not then error("\(type) cannot be written as TSV, only an array can") end
        | [.[] | if isstring then swap("\\"; "\\\\") | swap("\t"; "\\t") | swap("\n"; "\\n") | swap("\r"; "\\r")
            elif . == null or isnan then ""
            elif isarray or isobject then error("\(type) cannot be written as a field of TSV")
            else tostring end]
        | join("\t");
    def @csv:
        if isarray | not then error("\(type) cannot be written as CSV, only an array can") end
        | [.[] | if isstring then "\"" + (split("\"") | join("\"\"")) + "\""
            elif . == null or isnan then ""
            elif isarray or isobject then error("\(type) cannot be written as a field of CSV")
            else tostring end]
        | join(",");
    def @sh: [if isarray then .[] end | if isstring then "'" + escape_sh + "'" else tostring end] | join(" ");
    def @html: tostring | escape_html;
    def @htmld: tostring | unescape_html;
    def @uri: tostring | encode_uri;
    def @urid: tostring | decode_uri;
    def @base64: tostring | encode_base64;
    def @base64d: tostring | decode_base64;
    def join($separator):
        reduce .[] as $item (null;
            (if . == null then "" else . + $separator end)
            + ($item | if isboolean or isnumber then tojson else . // "" end))
        // "";
    def ltrimstr($start):
        if isstring and ($start | isstring) and startswith($start) then .[$start | length:] end;
    def rtrimstr($end):
        if isstring and ($end | isstring) and endswith($end) then .[:length - ($end | length)] end;
    def from_entries:
        reduce .[] as $entry ({};
            . + {($entry | .key // .k // .name // .Name // .K // .Key):
                ($entry | if has("value") then .value elif has("v") then .v elif has("Value") then .Value else .V end)});
    def with_entries(f): to_entries | map(f) | from_entries;
    def todateiso8601:
        if isnumber then if . < 0 then ceil else floor end end | strftime("%Y-%m-%dT%H:%M:%SZ");
    def todate: todateiso8601;
    def date: todate;
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

/// The definitions of jaq's library in whose place there are [native functions](functions).
pub(super) const REPLACED: [&str; 2] = ["tostring", "@text"];

/// Native functions, which come before jaq's own of the same names.
pub(super) fn functions() -> [Fun<JustLut<Val>>; 5] {
    [
        run(("tojson", v(0), |cv| bome(json::compact(&cv.1).map(Val::from).map_err(key_error)))),
        run(("tostring", v(0), |cv| bome(to_string(cv.1)))),
        run(("@text", v(0), |cv| bome(to_string(cv.1)))),
        run((rewrite::TEXT, v(0), |cv| bome(to_string(cv.1)))),
        run((rewrite::KEY, v(0), |cv| {
            bome(match cv.1 {
                key @ (Val::TStr(_) | Val::BStr(_)) => Ok(key),
                other => Err(key_error(KeyType(json::type_name(&other)))),
            })
        })),
    ]
}

fn to_string(value: Val) -> Result<Val, Error> {
    match value {
        Val::TStr(text) | Val::BStr(text) => Ok(Val::TStr(text)),
        other => json::compact(&other).map(Val::from).map_err(key_error),
    }
}

/// The message for a key that is not a string: it names the type alone, since the key may be a secret.
pub(super) fn key_message(KeyType(name): KeyType) -> String {
    format!("cannot use a value of type {name} as object key")
}

fn key_error(key: KeyType) -> Error {
    Error::str(key_message(key))
}
