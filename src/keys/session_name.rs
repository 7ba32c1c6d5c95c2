//! The name by which the use of a short-lived key is found in audit logs.
//!
//! Source: `yandex/cloud/iam/v1/awscompatibility/temporary_access_key_service.proto`, `session_name`.

use crate::api::temporary_access_key::MAX_SESSION_NAME;

/// Checks a name that the user gave: 1 to 64 ASCII letters, digits, or one of `_ + = , . @ -`.
///
/// # Errors
/// The name breaks the rule; the message names it.
pub fn check(name: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let length = name.chars().count();
    if (1..=MAX_SESSION_NAME).contains(&length) && name.chars().all(fits) {
        Ok(name.to_owned())
    } else {
        Err(format!("a session name has 1 to {MAX_SESSION_NAME} ASCII letters, digits and characters of _+=,.@-"))
    }
}

/// The name of a session that the user gave none: `yc-rs-<login>-<seconds since 1970>`, in the characters that both
/// IAM and STS accept.
pub fn generate(login: Option<&str>, now: i64) -> String {
    const PREFIX: &str = "yc-rs-";
    let time = now.to_string();
    let space = MAX_SESSION_NAME - PREFIX.len() - time.len() - 1;
    let login: String = login
        .unwrap_or("user")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        .take(space)
        .collect();
    let separator = if login.is_empty() { "" } else { "-" };
    format!("{PREFIX}{login}{separator}{time}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_follow_the_rule_of_the_api() {
        for name in ["a", "yc-rs-me-1", "a+b=c,d.e@f_g-h", &"x".repeat(64)] {
            assert_eq!(check(name).as_deref(), Ok(name));
        }
        for name in ["", "a b", "a/b", "имя", "a\n", &"x".repeat(65)] {
            assert!(check(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_generated_name_tells_who_and_when() {
        assert_eq!(generate(Some("anna"), 1_700_000_000), "yc-rs-anna-1700000000");
        assert_eq!(generate(Some("Ж"), 1_700_000_000), "yc-rs-1700000000");
        assert_eq!(generate(None, 1), "yc-rs-user-1");
    }

    proptest! {
        #[test]
        fn a_generated_name_is_always_valid(login in proptest::option::of(".{0,100}"), now in any::<i64>()) {
            let name = generate(login.as_deref(), now);
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')), "{}", name);
            prop_assert_eq!(check(&name), Ok(name.clone()));
        }
    }
}
