//! `NAME=value`, for files that are read by `docker run --env-file`, Compose and the dotenv libraries.

use crate::credentials::Variable;

/// Readers disagree on quotes, on `$` and on `#`, so only what means itself to all of them is written.
pub(super) fn check(value: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/+=,@".contains(c);
    match value.chars().find(|c| !plain(*c)) {
        Some(c) => Err(format!("has the character {c:?}, which not every reader of such files takes as it is")),
        None => Ok(()),
    }
}

/// A line for each variable. Such a file can unset nothing, and AWS clients take an empty variable for one that is not
/// set.
pub(super) fn text(variables: &[Variable<'_>]) -> String {
    let line = |variable: &Variable<'_>| format!("{}={}\n", variable.name, variable.value.unwrap_or_default());
    variables.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{permanent, temporary};
    use super::super::ExportFormat;

    #[test]
    fn only_what_needs_no_quotes_is_written() {
        let mut credentials = temporary();
        let text = credentials.export(ExportFormat::Dotenv).unwrap();
        assert!(text.starts_with("AWS_ACCESS_KEY_ID=aje0\nAWS_SECRET_ACCESS_KEY=YC+/s\nAWS_SESSION_TOKEN=s1.a==.b\n"));
        for special in ["a b", "a#b", "$a", "'a'", "\"", "a\\", "`a`"] {
            credentials.access_key_id = special.into();
            assert!(credentials.export(ExportFormat::Dotenv).is_err(), "{special}");
        }
    }

    #[test]
    fn a_static_key_has_an_empty_session_token_in_place_of_an_earlier_one() {
        assert_eq!(
            permanent().export(ExportFormat::Dotenv).unwrap(),
            "AWS_ACCESS_KEY_ID=YCAJE\nAWS_SECRET_ACCESS_KEY=YCs\nAWS_SESSION_TOKEN=\nAWS_CREDENTIAL_EXPIRATION=\n\
             AWS_REGION=ru-central1\nAWS_DEFAULT_REGION=ru-central1\n\
             AWS_ENDPOINT_URL_S3=https://storage.yandexcloud.net\n"
        );
    }
}
