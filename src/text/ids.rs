//! The form of IDs and names of resources.

use super::{form, quote};

/// Checks that a text can be the ID of a resource, so that it cannot change the meaning of a URL that contains it.
///
/// # Errors
/// The text cannot be an ID; the message names it and the rule.
pub fn check_id(id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err("'' is not an ID: it is empty".to_owned());
    }
    let refused = |rule: &str| Err(format!("{} is not an ID{rule}", quote::value(id)));
    // Whatever looks like a secret must not become a part of a URL.
    if form::secret_in(id).is_some() {
        return refused("");
    }
    if id.chars().count() > 50 {
        return refused(": it has more than 50 characters");
    }
    if id.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') || id.starts_with('.') {
        return refused(": an ID has no spaces, no control characters, no '/', and no '.' first");
    }
    Ok(())
}

/// As [`check_id`], for clap: returns the ID.
///
/// # Errors
/// The text cannot be an ID; the message names it and the rule.
pub fn parse_id(text: &str) -> Result<String, String> {
    check_id(text).map(|()| text.to_owned())
}

/// Checks that a text can be the name of a resource: 3 to 63 lower-case letters, digits and hyphens, first a letter,
/// last no hyphen.
///
/// # Errors
/// It cannot; the message has `what` is named, the text and the rule.
///
/// Source: `yandex/cloud/iam/v1/service_account_service.proto`, `filter`.
pub fn check_name(what: &str, name: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (3..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(inner);
    if fits {
        return Ok(());
    }
    Err(format!(
        "{what} is {}, but a name has 3 to 63 lower-case letters, digits and hyphens, begins with a letter and does not \
         end with a hyphen",
        quote::value(name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_in_the_form_of_an_id_is_accepted() {
        assert_eq!(parse_id("aje6t3vsbj8l").unwrap(), "aje6t3vsbj8l");
        assert_eq!(parse_id("a%2Fb").unwrap(), "a%2Fb");
        for invalid in ["", "a b", "..", ".", "a/b", "a\n", &"x".repeat(51)] {
            assert!(parse_id(invalid).is_err(), "{invalid:?}");
        }
    }
}
