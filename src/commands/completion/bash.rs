//! Lines of Bash: it hands `--flag=value` over as three words and wants the last of them completed, hands words over with
//! their quotes, and puts what it gets into the line as it is.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::engine;
use clap_complete::env::{Bash, EnvCompleter};

use crate::env::Env;

/// The words of a line, and the position of the one to complete.
pub(super) fn words(words: Vec<OsString>, position: usize) -> (Vec<OsString>, usize) {
    let (words, position, _) = join(words.into_iter().map(unquoted).collect(), position);
    (words, position)
}

/// The variable in which the script gives the first character of the word to complete.
const QUOTE: &str = "_YC_RS_QUOTE";

/// The script that also tells the quote in which a word begins: Bash takes it away from the word.
pub(super) fn with_quote(script: &[u8]) -> Vec<u8> {
    let index = "_CLAP_COMPLETE_INDEX=\"$_CLAP_COMPLETE_INDEX\" \\\n";
    let quote = format!("{index}        {QUOTE}=\"${{COMP_WORDS[COMP_CWORD]:0:1}}\" \\\n");
    String::from_utf8_lossy(script).replacen(index, &quote, 1).into_bytes()
}

/// Completes lines of Bash.
pub(super) struct BashLine<'a>(pub &'a Env);

impl EnvCompleter for BashLine<'_> {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        script: &mut dyn Write,
    ) -> io::Result<()> {
        Bash.write_registration(variable, name, program, completer, script)
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        directory: Option<&Path>,
        answer: &mut dyn Write,
    ) -> io::Result<()> {
        let position = self.0.var("_CLAP_COMPLETE_INDEX").and_then(|text| text.parse().ok()).unwrap_or_default();
        // The separator is white space, which `Env::var` leaves out.
        let separator = self.0.vars.get("_CLAP_IFS").filter(|text| !text.is_empty()).map_or("\n", String::as_str);
        let is_quoted = matches!(self.0.var(QUOTE), Some("'" | "\""));
        let (words, position, flag) = join(words.into_iter().map(unquoted).collect(), position);
        let candidates = engine::complete(command, words, position, directory)?;
        let values = candidates.iter().filter_map(|candidate| candidate.get_value().to_str());
        let values = values.map(|value| value.strip_prefix(&flag).unwrap_or(value));
        let values: Vec<_> = values.filter_map(|value| quoted(value, is_quoted)).collect();
        answer.write_all(values.join(separator).as_bytes())
    }
}

/// Puts `--flag`, `=`, `value` together again. Returns the words, the position of the one to complete, and what stands
/// before the part of it that Bash wants.
fn join(words: Vec<OsString>, position: usize) -> (Vec<OsString>, usize, String) {
    let mut joined: Vec<OsString> = Vec::new();
    let (mut new_position, mut flag) = (position, String::new());
    let mut words = words.into_iter().enumerate().peekable();
    while let Some((at, mut word)) = words.next() {
        let mut last = at;
        if word.to_string_lossy().starts_with("--") && words.next_if(|(_, next)| next == "=").is_some() {
            word.push("=");
            let before = word.to_string_lossy().into_owned();
            last += 1;
            if let Some((at, value)) = words.next() {
                word.push(value);
                last = at;
            }
            if last == position {
                flag = before;
            }
        }
        // Bash splits at colons, too.
        while words.next_if(|(_, next)| next == ":").is_some() {
            word.push(":");
            last += 1;
            let before = word.to_string_lossy().into_owned();
            if let Some((at, value)) = words.next_if(|(_, next)| next != ":") {
                word.push(value);
                last = at;
            }
            if last == position {
                flag = before;
            }
        }
        if (at..=last).contains(&position) {
            new_position = joined.len();
        }
        joined.push(word);
    }
    (joined, new_position, flag)
}

/// A word without its quotes and backslashes; a quote may still be open.
pub(super) fn unquoted(word: OsString) -> OsString {
    let Some(text) = word.to_str().filter(|text| text.contains(['\'', '"', '\\'])) else { return word };
    let (mut plain, mut open) = (String::new(), None);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, open) {
            ('\'' | '"', None) => open = Some(c),
            (c, Some(quote)) if c == quote => open = None,
            ('\\', None | Some('"')) => plain.extend(rest.next()),
            (c, _) => plain.push(c),
        }
    }
    plain.into()
}

/// A value as it can stand in a line: with a backslash before each character that has a meaning there. In a word that
/// begins with a quote a value has no other, so that only a plain one is offered. Nobody types a control character.
fn quoted(value: &str, is_quoted: bool) -> Option<Cow<'_, str>> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-+=:,./@%^".contains(c);
    if value.chars().any(char::is_control) {
        return None;
    }
    let (start, rest) = if value.starts_with("~/") { value.split_at(1) } else { ("", value) };
    if rest.chars().all(is_plain) {
        return Some(value.into());
    }
    if is_quoted {
        return value.chars().all(|c| is_plain(c) || c == ' ').then(|| value.into());
    }
    let escaped = rest.chars().flat_map(|c| (!is_plain(c)).then_some('\\').into_iter().chain([c]));
    Some(start.chars().chain(escaped).collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_the_line_and_words_read_without_quotes() {
        let table = [
            ("policy.json", "policy.json"),
            ("pol icy;id>x.json", "pol\\ icy\\;id\\>x.json"),
            ("$(touch x)", "\\$\\(touch\\ x\\)"),
            ("~/a b", "~/a\\ b"),
            ("it's", "it\\'s"),
            ("ключ", "ключ"),
        ];
        for (value, in_line) in table {
            assert_eq!(quoted(value, false).as_deref(), Some(in_line));
            assert_eq!(unquoted(in_line.into()), OsString::from(value));
        }
        assert_eq!(quoted("a\nb", false), None);
        assert_eq!((quoted("a b", true).as_deref(), quoted("a$b", true)), (Some("a b"), None));
        assert_eq!(unquoted("\"pol i".into()), OsString::from("pol i"));
        assert_eq!(unquoted("'a'\\ \"b\\\"c\"".into()), OsString::from("a b\"c"));
    }

    #[test]
    fn words_that_bash_has_split_are_put_together() {
        let check = |line: &str, position: usize, joined: &str, new_position: usize, flag: &str| {
            let words = line.split(' ').map(OsString::from).collect();
            let expected: Vec<_> = joined.split(' ').map(OsString::from).collect();
            assert_eq!(join(words, position), (expected, new_position, flag.to_owned()), "{line}");
        };
        check("yc-rs --format = js", 3, "yc-rs --format=js", 1, "--format=");
        check("yc-rs --profile = a config get t", 6, "yc-rs --profile=a config get t", 4, "");
        check("yc-rs --format js", 2, "yc-rs --format js", 2, "");
        check("yc-rs config set a = b", 5, "yc-rs config set a = b", 5, "");
        check("yc-rs --allow read : b", 4, "yc-rs --allow read:b", 2, "read:");
        check("yc-rs --allow read :", 3, "yc-rs --allow read:", 2, "read:");
        check("yc-rs --allow = read : b x", 6, "yc-rs --allow=read:b x", 2, "");
        check("yc-rs --format =", 2, "yc-rs --format=", 1, "--format=");
    }
}
