//! `set "NAME=value"`, for a batch file or the command prompt of Windows.

use crate::credentials::Variable;

/// These are expanded or end the quotes, and batch files, `for /f` and the prompt each want another escape.
const SPECIAL: [char; 4] = ['"', '%', '!', '^'];

pub(super) fn check(value: &str) -> Result<(), String> {
    match value.chars().find(|c| SPECIAL.contains(c)) {
        Some(c) => Err(format!("has the character {c}, which the command prompt of Windows does not take as it is")),
        None => Ok(()),
    }
}

/// A line for each variable, ended as batch files are.
pub(super) fn text(variables: &[Variable<'_>]) -> String {
    let line =
        |variable: &Variable<'_>| format!("set \"{}={}\"\r\n", variable.name, variable.value.unwrap_or_default());
    variables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{permanent, temporary};
    use super::super::ExportFormat;

    /// The lines that unset the variables that conflict with the key.
    const UNSET: &str = concat!(
        "set \"AWS_PROFILE=\"\r\n",
        "set \"AWS_DEFAULT_PROFILE=\"\r\n",
        "set \"AWS_SECURITY_TOKEN=\"\r\n",
        "set \"AWS_ACCESS_KEY=\"\r\n",
        "set \"AWS_SECRET_KEY=\"\r\n",
    );

    #[test]
    fn values_stand_in_quotes() {
        let mut credentials = temporary();
        credentials.access_key_id = "a&b|c<d>(e)'f".into();
        let text = credentials.export(ExportFormat::WindowsCmd).unwrap();
        assert!(text.strip_prefix(UNSET).unwrap().starts_with("set \"AWS_ACCESS_KEY_ID=a&b|c<d>(e)'f\"\r\n"), "{text}");
        for special in ["%PATH%", "a\"b", "!x!", "^"] {
            credentials.access_key_id = special.into();
            assert!(credentials.export(ExportFormat::WindowsCmd).is_err(), "{special}");
        }
    }

    #[test]
    fn a_static_key_removes_the_session_token() {
        let text = permanent().export(ExportFormat::WindowsCmd).unwrap();
        assert!(text.contains("set \"AWS_SESSION_TOKEN=\"\r\nset \"AWS_CREDENTIAL_EXPIRATION=\"\r\n"), "{text}");
    }
}
