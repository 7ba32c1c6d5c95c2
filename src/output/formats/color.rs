//! Colours of JSON on a terminal: names blue, strings green, `null`, `true` and `false` yellow, as `gh` has them.

/// The JSON, which may be a part of a document that begins and ends between two values, with colours.
pub fn json(text: &str) -> String {
    let mut colored = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, style) = match first {
            '"' => {
                let end = string_end(rest);
                let is_name = rest[end..].starts_with(':');
                (end, Some(if is_name { "1;34" } else { "32" }))
            }
            't' | 'f' | 'n' => (rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len()), Some("33")),
            other => (other.len_utf8(), None),
        };
        let (token, after) = rest.split_at(length);
        match style {
            Some(style) => colored.extend(["\u{1b}[", style, "m", token, "\u{1b}[0m"]),
            None => colored.push_str(token),
        }
        rest = after;
    }
    colored
}

/// Where the string at the beginning of the text ends.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::output::tests::any_value;

    #[test]
    fn names_strings_and_literals_differ() {
        let colored = json("{\n  \"a\\\"\": \"b\\\\\",\n  \"c\": [1, null, true]\n}\n");
        let expected = "{\n  \u{1b}[1;34m\"a\\\"\"\u{1b}[0m: \u{1b}[32m\"b\\\\\"\u{1b}[0m,\n  \
                        \u{1b}[1;34m\"c\"\u{1b}[0m: [1, \u{1b}[33mnull\u{1b}[0m, \u{1b}[33mtrue\u{1b}[0m]\n}\n";
        assert_eq!(colored, expected);
    }

    proptest! {
        #[test]
        fn without_its_colours_the_text_is_what_it_was(value in any_value()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            let mut plain = json(&text);
            for style in ["1;34", "32", "33", "0"] {
                plain = plain.replace(&format!("\u{1b}[{style}m"), "");
            }
            prop_assert_eq!(plain, text);
        }
    }
}
