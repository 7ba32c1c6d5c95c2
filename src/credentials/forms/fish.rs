//! `set -gx NAME 'value';`, to be evaluated by fish.

use crate::credentials::Variable;

/// A line for each variable. Within single quotes fish knows two escapes, `\'` and `\\`. The semicolon is for `eval`,
/// which joins the lines. Erasing a variable that is not set fails, and the status of `source` would be that failure.
pub(super) fn text(variables: &[Variable<'_>]) -> String {
    let line = |variable: &Variable<'_>| match variable.value {
        Some(value) => {
            format!("set -gx {} '{}';\n", variable.name, value.replace('\\', r"\\").replace('\'', r"\'"))
        }
        None => format!("set -e {}; or true;\n", variable.name),
    };
    variables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{permanent, temporary};
    use super::super::ExportFormat;

    /// The lines that unset the variables that conflict with the key.
    const UNSET: &str = concat!(
        "set -e AWS_PROFILE; or true;\n",
        "set -e AWS_DEFAULT_PROFILE; or true;\n",
        "set -e AWS_SECURITY_TOKEN; or true;\n",
        "set -e AWS_ACCESS_KEY; or true;\n",
        "set -e AWS_SECRET_KEY; or true;\n",
    );

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        let mut credentials = temporary();
        credentials.access_key_id = r"a'b\".into();
        assert!(
            credentials
                .export(ExportFormat::Fish)
                .unwrap()
                .strip_prefix(UNSET)
                .unwrap()
                .starts_with("set -gx AWS_ACCESS_KEY_ID 'a\\'b\\\\';\n")
        );
    }

    #[test]
    fn a_static_key_erases_the_session_token() {
        let text = permanent().export(ExportFormat::Fish).unwrap();
        assert!(
            text.contains("set -e AWS_SESSION_TOKEN; or true;\nset -e AWS_CREDENTIAL_EXPIRATION; or true;\n"),
            "{text}"
        );
    }
}
