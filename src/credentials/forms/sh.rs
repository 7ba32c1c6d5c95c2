//! `export NAME='value'`, to be evaluated by sh, bash or zsh.

use crate::credentials::Variable;

/// A line for each variable. Within single quotes a shell changes nothing; a quote ends them, stands escaped, and
/// begins them anew.
pub(super) fn text(variables: &[Variable<'_>], prefix: &str) -> String {
    let line = |variable: &Variable<'_>| match variable.value {
        Some(value) => format!("{prefix}{}='{}'\n", variable.name, value.replace('\'', r"'\''")),
        None => format!("unset {}\n", variable.name),
    };
    variables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{permanent, temporary};
    use super::super::ExportFormat;
    use crate::credentials::Credentials;

    const UNSET: &str = "unset AWS_PROFILE\nunset AWS_DEFAULT_PROFILE\nunset AWS_SECURITY_TOKEN\nunset AWS_ACCESS_KEY\n\
                         unset AWS_SECRET_KEY\n";

    /// The output without the first lines, which unset the variables that conflict with the key.
    fn exported(credentials: &Credentials, format: ExportFormat) -> String {
        credentials.export(format).unwrap().strip_prefix(UNSET).unwrap().to_owned()
    }

    #[test]
    fn a_temporary_key_sets_everything() {
        assert_eq!(
            exported(&temporary(), ExportFormat::Env),
            "export AWS_ACCESS_KEY_ID='aje0'\nexport AWS_SECRET_ACCESS_KEY='YC+/s'\n\
             export AWS_SESSION_TOKEN='s1.a==.b'\n\
             export AWS_CREDENTIAL_EXPIRATION='2025-12-16T06:23:51.383485065Z'\nexport AWS_REGION='ru-central1'\n\
             export AWS_DEFAULT_REGION='ru-central1'\nexport AWS_ENDPOINT_URL_S3='https://storage.yandexcloud.net'\n"
        );
    }

    #[test]
    fn a_static_key_removes_what_an_earlier_one_has_set() {
        assert_eq!(
            exported(&permanent(), ExportFormat::EnvNoExport),
            "AWS_ACCESS_KEY_ID='YCAJE'\nAWS_SECRET_ACCESS_KEY='YCs'\nunset AWS_SESSION_TOKEN\n\
             unset AWS_CREDENTIAL_EXPIRATION\nAWS_REGION='ru-central1'\nAWS_DEFAULT_REGION='ru-central1'\n\
             AWS_ENDPOINT_URL_S3='https://storage.yandexcloud.net'\n"
        );
    }

    #[test]
    fn a_quote_does_not_end_the_value() {
        let mut credentials = temporary();
        credentials.access_key_id = "a'b".into();
        assert!(exported(&credentials, ExportFormat::Env).starts_with("export AWS_ACCESS_KEY_ID='a'\\''b'\n"));
    }
}
