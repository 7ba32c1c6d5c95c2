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

    #[test]
    fn a_temporary_key_sets_everything() {
        assert_eq!(
            temporary().export(ExportFormat::Env).unwrap(),
            "export AWS_ACCESS_KEY_ID='aje0'\nexport AWS_SECRET_ACCESS_KEY='YC+/s'\n\
             export AWS_SESSION_TOKEN='s1.a==.b'\n\
             export AWS_CREDENTIAL_EXPIRATION='2025-12-16T06:23:51.383485065Z'\nexport AWS_REGION='ru-central1'\n\
             export AWS_DEFAULT_REGION='ru-central1'\nexport AWS_ENDPOINT_URL_S3='https://storage.yandexcloud.net'\n"
        );
    }

    #[test]
    fn a_static_key_removes_what_an_earlier_one_has_set() {
        assert_eq!(
            permanent().export(ExportFormat::EnvNoExport).unwrap(),
            "AWS_ACCESS_KEY_ID='YCAJE'\nAWS_SECRET_ACCESS_KEY='YCs'\nunset AWS_SESSION_TOKEN\n\
             unset AWS_CREDENTIAL_EXPIRATION\nAWS_REGION='ru-central1'\nAWS_DEFAULT_REGION='ru-central1'\n\
             AWS_ENDPOINT_URL_S3='https://storage.yandexcloud.net'\n"
        );
    }

    #[test]
    fn a_quote_does_not_end_the_value() {
        let mut credentials = temporary();
        credentials.access_key_id = "a'b".into();
        assert!(credentials.export(ExportFormat::Env).unwrap().starts_with("export AWS_ACCESS_KEY_ID='a'\\''b'\n"));
    }
}
