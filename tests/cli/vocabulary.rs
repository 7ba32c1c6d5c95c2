//! The terms of the program: help, messages, comments and documents use those of the field and of Yandex Cloud, so that
//! users find them by searching.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory as _};
use yc_rs::commands::Cli;

use crate::docs::pages;
use crate::source::{self, Placed, Token};

/// Phrases that are not used, each with what is said instead. A phrase is a sequence of words and punctuation marks:
/// `a|b` is one of several, `a?` may be left out, `a*` begins so, `_` is any word, and `!a|b` is any but these.
const PHRASES: &[(&str, &str)] = &[
    // Ephemeral keys and lifetimes.
    ("end|ends|ended|ending by itself|themselves", "ephemeral, short-lived; expires"),
    ("key|keys|token|tokens|credential|credentials that? end|ends|ended", "expires"),
    ("when|until|before|after a|an|the|its|their key|token end|ends|ended", "expires"),
    ("least life", "minimum remaining lifetime"),
    ("lives", "lifetime; expires"),
    ("key|keys|token|tokens|they|it|credentials live", "lifetime; expires"),
    ("secret|secrets live", "where it is stored"),
    ("life|life's", "lifetime, TTL"),
    ("what the use of the key is called", "session name shown in audit logs"),
    ("asked for", "requested"),
    ("wanted", "requested, expected"),
    ("kept between runs", "cached"),
    ("kept key|keys|token|tokens", "cached"),
    ("key|keys|token|tokens|credentials is|are|was|were not? kept", "cached"),
    // Verbs.
    ("settle|settles|settled|settling", "resolve"),
    ("come|comes|came|coming to", "resolve; result"),
    ("hand|hands|handed|handing over", "deliver"),
    ("hand|hands|handed|handing it|them|keys|a|the key|keys|secret|secrets? over", "deliver"),
    ("hand|hands|handed|handing out", "deliver, return"),
    ("key that nobody has", "orphaned key"),
    // Requests, retries, operations.
    ("in all ; negative", "maximum attempts per request (negative: no limit)"),
    ("tried in all", "maximum attempts per request"),
    ("attempts in all", "maximum attempts per request"),
    ("always within 2 minutes", "never longer than 2 minutes in total"),
    ("take|takes|took|taking their|its time", "long-running operations"),
    ("goes|go|went on without us|it", "the operation continues on the server"),
    ("answer|answers|answered of|from|by a|an|the|another server|service|api|cloud|proxy|installation", "response"),
    ("server's|api's|service's|cloud's|server|api|service answer|answers|answered|answering", "response, responded"),
    ("no answer|answers", "no response"),
    ("address|addresses of a|an|the|each|every|another|its service|services|storage|api|installation", "endpoint"),
    ("service's|storage's|api's|storage|service address|addresses", "endpoint"),
    ("sign|signs|signed|signing in by|with|as|by", "authenticate"),
    ("sign|signs|signed|signing jobs|it|them|the|a program|job? in", "authenticate"),
    ("way|ways to sign in", "sign-in method, credential type"),
    // Sentences.
    ("!there|that|if|where|with|but|or|and is|are|was no !longer|more|less|later|earlier|other", "is not a"),
    ("text|texts in quotes", "quoted string"),
    ("said nothing", "produced no error output"),
    ("that is no file", "is not a file"),
    ("gap|gaps", "could not be read"),
    ("set and not reached", "set, not used"),
    ("core file|files", "core dump"),
    // A folder is a resource of Yandex Cloud.
    (
        "home|config|configuration|cache|cached|caches|working|temporary|target|parent|state|program's folder|folders",
        "directory",
    ),
    ("folder|folders of|for a|an|the|its|all|this caches|cache|file|files|user's|disk|program|config", "directory"),
    ("folder|folders of|for caches|cache|files|config", "directory"),
    ("files|file , a|the|its? folder|folders", "directory"),
    ("file and|or its|a|the|his? folder|folders", "directory"),
    ("files in a? folder|folders", "directory"),
    ("0700 folder|folders", "directory"),
    ("folder|folders 0700", "directory"),
    ("into|below a|the|this folder|folders", "directory"),
    ("folder|folders cannot be written|made|read", "directory"),
    ("path|paths|file|variables|file's|same , folder|folders", "directory"),
    ("in the same folder", "directory"),
    ("makes|make|made a folder", "directory"),
    ("folder that is made|missing|removed", "directory"),
    ("no folder for it", "directory"),
    ("in|of the first of these folders", "directory"),
    ("that folder", "directory"),
    ("folder that|which others can", "directory"),
    ("YC_RS_CONFIG_DIR to a folder", "directory"),
    ("stand-in|stand-ins", "emulator"),
    ("the contract", "the page or proto that says so"),
    ("the facts", "the page or proto that says so"),
];

/// Phrases that documents do not use.
const DOCUMENT_PHRASES: &[(&str, &str)] = &[
    ("house|houses|room|rooms|floor|floors", "module, layer; minimum"),
    ("using it", "Guides"),
    ("read it to", "what the page covers"),
];

/// Names of items that say nothing, or something else than the documents say, and what they are called instead.
const NAMES: &[(&str, &str)] = &[
    ("KeptKey", "CachedKey"),
    ("kept_key", "cached_key"),
    ("LeastLife", "MinTtl"),
    ("least_life", "min_ttl"),
    ("Wanted", "KeyRequest"),
    ("wanted", "request, expected"),
    ("refuse_idle", "reject_unused_region"),
    ("hand_over", "deliver"),
    ("rivals", "conflicting_keys"),
    ("as_before", "restore_core_limit"),
    ("Nobody", "SkipVerification"),
    ("Anybody", "SkipVerification"),
    ("settle", "resolve"),
    ("core_file", "core_dump"),
];

/// Names that are found only where an item is defined: elsewhere they are words of the language or of other crates.
const DEFINITIONS: &[(&str, &str)] = &[
    ("known", "mask_secrets"),
    ("whole", "require_fields"),
    ("lost", "say what it does"),
    ("alone", "without_env_credentials"),
    ("apart", "on_blocking_thread"),
    ("Way", "SignInMethod"),
    ("Cut", "BodyError"),
    ("Report", "AttemptOutcome"),
    ("odd", "malformed_line"),
    ("now", "poll_once"),
];

/// A word of a phrase.
enum Word<'a> {
    OneOf { choices: Vec<&'a str>, optional: bool },
    NoneOf(Vec<&'a str>),
    Beginning(&'a str),
    Any,
}

fn words(phrase: &str) -> Vec<Word<'_>> {
    let word = |word| match (word, str::strip_prefix(word, '!'), str::strip_suffix(word, '*')) {
        ("_", ..) => Word::Any,
        (_, Some(choices), _) => Word::NoneOf(choices.split('|').collect()),
        (_, _, Some(beginning)) => Word::Beginning(beginning),
        _ => {
            let choices = word.strip_suffix('?').unwrap_or(word);
            Word::OneOf { choices: choices.split('|').collect(), optional: choices != word }
        }
    };
    phrase.split(' ').map(word).collect()
}

/// Words in lower case and punctuation marks, each with the line that it stands in.
fn cut(text: &str) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    let mut word = String::new();
    let mut line = 1;
    for c in text.chars().chain(['\n']) {
        if c.is_alphanumeric() || matches!(c, '_' | '-') || (c == '\'' && !word.is_empty()) {
            word.extend(c.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            found.push((std::mem::take(&mut word), line));
        }
        // Quotes, and the marks of Markdown around a word, do not part it from the others.
        if !c.is_whitespace() && !matches!(c, '`' | '*' | '"' | '“' | '”') {
            found.push((c.to_string(), line));
        }
        line += usize::from(c == '\n');
    }
    found
}

/// How many of the words at the beginning are the phrase.
fn matched(phrase: &[Word<'_>], words: &[(String, usize)]) -> Option<usize> {
    let Some((first, rest)) = phrase.split_first() else { return Some(0) };
    let (word, _) = words.first()?;
    let is_one = |choices: &[&str]| choices.iter().any(|choice| choice.eq_ignore_ascii_case(word));
    let fits = match first {
        Word::OneOf { choices, .. } => is_one(choices),
        Word::NoneOf(choices) => !is_one(choices),
        Word::Beginning(beginning) => word.starts_with(beginning),
        Word::Any => true,
    };
    let with = fits.then(|| matched(rest, &words[1..])).flatten().map(|length| length + 1);
    let may_be_left_out = matches!(first, Word::OneOf { optional: true, .. });
    with.or_else(|| may_be_left_out.then(|| matched(rest, words)).flatten())
}

/// Each phrase that is not used and yet stands in the text, as `place:line: phrase -> what is said instead`.
fn phrases_in(phrases: &[(&str, &str)], place: &str, first_line: usize, text: &str) -> Vec<String> {
    let found = cut(text);
    let mut hits = Vec::new();
    for (phrase, instead) in phrases {
        let phrase = words(phrase);
        for at in 0..found.len() {
            if let Some(length) = matched(&phrase, &found[at..]) {
                let shown: Vec<_> = found[at..at + length].iter().map(|(word, _)| word.as_str()).collect();
                hits.push(format!("{place}:{}: {} -> {instead}", first_line + found[at].1 - 1, shown.join(" ")));
            }
        }
    }
    hits
}

/// Strings of a source file, and its comments, of which those that follow each other on single lines are one text.
fn texts(tokens: &[Placed]) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut comment_goes_on = None;
    for Placed { line, token } in tokens {
        match token {
            Token::Comment(text) => match (comment_goes_on, found.last_mut()) {
                (Some(next), Some((_, before))) if next == *line => before.extend(["\n", text]),
                _ => found.push((*line, text.clone())),
            },
            Token::Text(text) => found.push((*line, text.replace("\\n", "\n").replace("\\\"", "\""))),
            _ => {}
        }
        comment_goes_on = matches!(token, Token::Comment(_)).then_some(line + 1);
    }
    found
}

/// Each name that is not used and yet stands in the source.
fn names_in(place: &str, tokens: &[Placed]) -> Vec<String> {
    let mut hits = Vec::new();
    let mut before = "";
    for Placed { line, token } in tokens {
        let Token::Name(name) = token else { continue };
        let defined = ["fn", "struct", "enum", "trait", "type", "const", "static", "mod"].contains(&before);
        let known = NAMES.iter().chain(DEFINITIONS.iter().filter(|_| defined));
        hits.extend(
            known.filter(|(not, _)| not == name).map(|(not, instead)| format!("{place}:{line}: `{not}` -> {instead}")),
        );
        before = name;
    }
    hits
}

fn help_of(command: &Command, hits: &mut Vec<String>) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let help = command.clone().render_long_help().to_string();
    hits.extend(phrases_in(PHRASES, &format!("{name} --help"), 1, &help));
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        help_of(command, hits);
    }
}

#[track_caller]
fn assert_none(hits: &[String]) {
    assert!(hits.is_empty(), "{} phrases:\n{}", hits.len(), hits.join("\n"));
}

#[test]
fn the_help_uses_the_terms_of_the_field() {
    let mut tree = Cli::command();
    tree.build();
    let mut hits = Vec::new();
    help_of(&tree, &mut hits);
    // Every command repeats the global flags.
    let mut seen = BTreeSet::new();
    hits.retain(|hit| seen.insert(hit.rsplit_once(": ").unwrap().1.to_owned()));
    assert_none(&hits);
}

#[test]
fn the_documents_use_the_terms_of_the_field() {
    let mut hits = Vec::new();
    // The command reference is the help.
    for page in pages().iter().filter(|page| page.name != "docs/commands.md") {
        hits.extend(phrases_in(PHRASES, &page.name, 1, &page.text));
        hits.extend(phrases_in(DOCUMENT_PHRASES, &page.name, 1, &page.text));
    }
    assert_none(&hits);
}

#[test]
fn messages_comments_and_names_use_the_terms_of_the_field() {
    let mut hits = Vec::new();
    for file in source::files(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let place = format!("src/{}", file.path);
        let tokens = source::tokens(&file.text);
        for (line, text) in texts(&tokens) {
            hits.extend(phrases_in(PHRASES, &place, line, &text));
        }
        if !file.is_tests() {
            hits.extend(names_in(&place, &source::without_tests(tokens)));
        }
    }
    assert_none(&hits);
}

#[test]
fn a_phrase_is_found_over_the_end_of_a_line_and_told_from_its_like() {
    let found = |text: &str| {
        phrases_in(PHRASES, "f", 1, text)
            .iter()
            .map(|hit| hit.split(" -> ").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("a key that ends\nby itself"), ["f:1: ends by itself", "f:1: key that ends"]);
    assert_eq!(found("a\n`Core  File` here"), ["f:2: core file"]);
    assert_eq!(found("tries in all; negative"), ["f:1: in all ; negative"]);
    assert_eq!(found("this is no key, there is no key, it is no longer one"), ["f:1: this is no key"]);
    assert_eq!(found("the home folder, the folder of a cloud, a house-made"), ["f:1: home folder"]);
    assert_eq!(found("the key the account ends with; tokens expire"), [""; 0]);
}

#[test]
fn strings_comments_and_names_of_source_are_searched() {
    let tokens = source::tokens(
        "// least\n// life\nfn known() { let now = known(\"the core file\"); }\n/// Kept.\nstruct KeptKey;",
    );
    assert_eq!(texts(&tokens), [(1, " least\n life".into()), (3, "the core file".into()), (4, " Kept.".into())]);
    assert_eq!(names_in("f", &tokens), ["f:3: `known` -> mask_secrets", "f:5: `KeptKey` -> CachedKey"]);
}
