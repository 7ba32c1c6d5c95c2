//! Rust source as the tests of the architecture and of the wording need it: cut into tokens, without unit tests.

use std::fs;
use std::path::Path;

/// A piece of source. Numbers, white space and character literals are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A name or a keyword.
    Name(String),
    /// A character that is neither of the others, and `::` as one.
    Sign(&'static str),
    /// The text between the quotes of a string, as it is written.
    Text(String),
    /// The text of a comment behind its slashes.
    Comment(String),
}

/// A token and the line that it begins in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The line, from 1.
    pub line: usize,
    /// The token.
    pub token: Token,
}

/// A file below a directory of source.
#[derive(Debug)]
pub struct SourceFile {
    /// The path within that directory, with slashes.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl SourceFile {
    /// Whether the file holds unit tests alone.
    pub fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs")
    }
}

/// The Rust files below a directory, in the order of their paths.
pub fn files(root: &Path) -> Vec<SourceFile> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push(SourceFile { path: name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

const SIGNS: [&str; 25] = [
    "::", "{", "}", "(", ")", "[", "]", ";", ",", "#", "*", "<", ">", "=", "!", "?", "&", "|", ".", ":", "+", "-", "/",
    "@", "$",
];

/// Cuts source into tokens.
pub fn tokens(text: &str) -> Vec<Placed> {
    let mut found = Vec::new();
    let mut rest = text;
    let line_at = |rest: &str| text[..text.len() - rest.len()].matches('\n').count() + 1;
    while let Some(first) = rest.chars().next() {
        let (length, token) = if let Some(comment) = rest.strip_prefix("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            (length, Some(Token::Comment(comment[..length - 2].trim_start_matches(['/', '!']).to_owned())))
        } else if rest.starts_with("/*") {
            let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
            (length, Some(Token::Comment(rest[2..length].trim_end_matches("*/").to_owned())))
        } else if let Some((before, inner, length)) = string(rest) {
            (length, Some(Token::Text(rest[before..before + inner].to_owned())))
        } else if first == '\'' {
            (character(rest), None)
        } else if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            (length, Some(Token::Name(rest[..length].to_owned())))
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (sign.len(), Some(Token::Sign(sign)))
        } else {
            (first.len_utf8(), None)
        };
        found.extend(token.map(|token| Placed { line: line_at(rest), token }));
        rest = &rest[length..];
    }
    found
}

/// Where the text of the string at the beginning begins, how long it is, and how long all of the string is.
fn string(rest: &str) -> Option<(usize, usize, usize)> {
    let prefix = rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?;
    let (prefix, raw) = (prefix, rest[..prefix].ends_with('r'));
    let hashes = if raw { rest[prefix..].bytes().take_while(|byte| *byte == b'#').count() } else { 0 };
    let begin = prefix + hashes + 1;
    if prefix > 2 || !rest[prefix + hashes..].starts_with('"') {
        return None;
    }
    let inner = &rest[begin..];
    let end = if raw {
        inner.find(&format!("\"{}", "#".repeat(hashes)))
    } else {
        let mut escaped = false;
        inner.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })
    };
    let end = end.unwrap_or(inner.len());
    Some((begin, end, (begin + end + 1 + hashes).min(rest.len())))
}

/// The length of the character literal, or of the quote of the lifetime, at the beginning.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((second, escaped))) => {
            let behind = second + escaped.len_utf8();
            rest[behind..].find('\'').map_or(rest.len(), |end| behind + end + 1)
        }
        (Some(_), Some((second, '\''))) => second + 1,
        _ => 1,
    }
}

/// Leaves out each item behind `#[cfg(test)]`.
pub fn without_tests(tokens: Vec<Placed>) -> Vec<Placed> {
    let attribute = [Token::Sign("#"), Token::Sign("["), name("cfg"), Token::Sign("("), name("test")];
    let mut kept = Vec::new();
    let mut rest = tokens.into_iter();
    loop {
        let left = rest.as_slice();
        if left.len() >= attribute.len() && left.iter().zip(&attribute).all(|(placed, token)| placed.token == *token) {
            let mut depth = 0_usize;
            // The brackets of the attribute do not end the item; its braces, or a semicolon outside of them, do.
            for placed in rest.by_ref() {
                match placed.token {
                    Token::Sign("{") => depth += 1,
                    Token::Sign("}") => {
                        depth -= 1;
                        if depth == 0 {
                            break;
                        }
                    }
                    Token::Sign(";") if depth == 0 => break,
                    _ => {}
                }
            }
        } else {
            match rest.next() {
                Some(placed) => kept.push(placed),
                None => return kept,
            }
        }
    }
}

fn name(text: &str) -> Token {
    Token::Name(text.to_owned())
}

#[test]
fn strings_comments_and_lifetimes_are_told_apart() {
    let found = tokens(
        "fn f<'a>(x: &'a str) { g('\"', '\\'', r#\"raw \" text\"#, b\"crate::a\\\"\"); } // use crate::b\nuse c;",
    );
    let texts: Vec<_> = found.iter().filter(|placed| !matches!(placed.token, Token::Sign(_))).collect();
    let expected = ["fn", "f", "a", "x", "a", "str", "g"].map(name).into_iter().chain([
        Token::Text("raw \" text".into()),
        Token::Text("crate::a\\\"".into()),
        Token::Comment(" use crate::b".into()),
        name("use"),
        name("c"),
    ]);
    assert_eq!(texts.iter().map(|placed| placed.token.clone()).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!(found.last().unwrap().line, 2);
}

#[test]
fn items_for_tests_are_left_out() {
    let source = "use a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more { use b; mod c { use d; } }\nuse e;";
    let names: Vec<_> = without_tests(tokens(source)).into_iter().map(|placed| placed.token).collect();
    let semicolon = || Token::Sign(";");
    assert_eq!(names, [name("use"), name("a"), semicolon(), name("use"), name("e"), semicolon()]);
}
