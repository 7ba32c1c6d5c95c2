//! Paths as users write them, where no shell has been at work.

use std::path::{Path, PathBuf};

use super::quote;

/// The path that a text names. `~` and `~/` at its beginning mean the home directory.
///
/// # Errors
/// The text begins with what a shell or another system should have expanded; the message quotes it.
pub fn expand(text: &str, home: Option<&Path>) -> Result<PathBuf, String> {
    let refused = |problem: &str| Err(format!("the path {} {problem}; write it in full", quote::value(text)));
    if let Some(rest) = text.strip_prefix('~') {
        return match (rest.strip_prefix(['/', std::path::MAIN_SEPARATOR]), home) {
            (Some(rest), Some(home)) => Ok(home.join(rest)),
            (None, Some(home)) if rest.is_empty() => Ok(home.to_owned()),
            (Some(_), None) => refused("is in the home directory, which is not known"),
            (None, _) if rest.contains('/') => refused("begins with the name of a user, which is not expanded"),
            _ => Ok(text.into()),
        };
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let shell = text.strip_prefix('$').is_some_and(|rest| rest.starts_with(|c| is_name(c) || c == '{' || c == '('));
    let windows = text.strip_prefix('%').and_then(|rest| rest.split_once('%'));
    if shell || windows.is_some_and(|(name, _)| !name.is_empty() && name.chars().all(is_name)) {
        return refused("begins with a variable, which is not expanded");
    }
    let drive = |text: &[u8]| matches!(text, [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic());
    if cfg!(unix) && drive(text.as_bytes()) {
        return refused("is one of Windows");
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_at_the_beginning_is_the_home_directory() {
        let home = Some(Path::new("/home/me"));
        for (text, path) in [
            ("~/a/b", "/home/me/a/b"),
            ("~", "/home/me"),
            ("/a/~/b", "/a/~/b"),
            ("a", "a"),
            ("~backup", "~backup"),
            ("$", "$"),
            ("a$HOME", "a$HOME"),
            ("%", "%"),
            ("100%/a%b", "100%/a%b"),
            ("", ""),
        ] {
            assert_eq!(expand(text, home), Ok(PathBuf::from(path)), "{text}");
        }
    }

    #[test]
    fn what_should_have_been_expanded_is_refused() {
        for (text, problem) in [
            ("$HOME/a", "the path '$HOME/a' begins with a variable, which is not expanded; write it in full"),
            ("${HOME}/a", "the path '${HOME}/a' begins with a variable, which is not expanded; write it in full"),
            ("$(pwd)/a", "the path '$(pwd)/a' begins with a variable, which is not expanded; write it in full"),
            ("%APPDATA%\\a", "the path '%APPDATA%\\a' begins with a variable, which is not expanded; write it in full"),
            ("~you/a", "the path '~you/a' begins with the name of a user, which is not expanded; write it in full"),
            #[cfg(unix)]
            ("C:\\a", "the path 'C:\\a' is one of Windows; write it in full"),
        ] {
            assert_eq!(expand(text, Some(Path::new("/home/me"))), Err(problem.to_owned()), "{text}");
        }
        let rule = "the path '~/a' is in the home directory, which is not known; write it in full";
        assert_eq!(expand("~/a", None), Err(rule.to_owned()));
    }
}
