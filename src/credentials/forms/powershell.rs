//! `$Env:NAME = 'value'`, to be evaluated by `PowerShell`.

use crate::credentials::Variable;

/// A line for each variable. Within single quotes `PowerShell` changes nothing but a doubled quote.
pub(super) fn text(variables: &[Variable<'_>]) -> String {
    let line = |variable: &Variable<'_>| match variable.value {
        Some(value) => format!("$Env:{} = '{}'\n", variable.name, value.replace('\'', "''")),
        None => format!("$Env:{} = $null\n", variable.name),
    };
    variables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{permanent, temporary};
    use super::super::ExportFormat;

    /// The lines that unset the variables that conflict with the key.
    const UNSET: &str = concat!(
        "$Env:AWS_PROFILE = $null\n",
        "$Env:AWS_DEFAULT_PROFILE = $null\n",
        "$Env:AWS_SECURITY_TOKEN = $null\n",
        "$Env:AWS_ACCESS_KEY = $null\n",
        "$Env:AWS_SECRET_KEY = $null\n",
    );

    #[test]
    fn quotes_are_doubled() {
        let mut credentials = temporary();
        credentials.access_key_id = "a'b$c`d".into();
        let text = credentials.export(ExportFormat::Powershell).unwrap();
        assert!(text.strip_prefix(UNSET).unwrap().starts_with("$Env:AWS_ACCESS_KEY_ID = 'a''b$c`d'\n"), "{text}");
    }

    #[test]
    fn a_static_key_removes_the_session_token() {
        let text = permanent().export(ExportFormat::Powershell).unwrap();
        assert!(text.contains("$Env:AWS_SESSION_TOKEN = $null\n$Env:AWS_CREDENTIAL_EXPIRATION = $null\n"), "{text}");
    }
}
