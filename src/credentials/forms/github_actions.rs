//! Variables for the later steps of a job in GitHub Actions, masked in its log.
//!
//! Source: GitHub Docs, "Workflow commands for GitHub Actions"; the escapes are those of `@actions/core`.

use secrecy::{ExposeSecret, SecretString};

use crate::credentials::Credentials;

/// The commands that keep the secrets out of the log; they come before anything else is written.
pub(super) fn masks(credentials: &Credentials) -> String {
    let secrets = std::iter::once(&credentials.secret).chain(&credentials.session_token);
    let line = |secret: &SecretString| format!("::add-mask::{}\n", escape(secret.expose_secret()));
    secrets.map(line).collect()
}

fn escape(value: &str) -> String {
    value.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What is appended to the file `$GITHUB_ENV`. The first `=` ends the name, and the value reaches to the end of the
/// line, so nothing in a value of one line has a meaning.
pub fn lines(credentials: &Credentials) -> String {
    let line = |variable: crate::credentials::Variable<'_>| Some(format!("{}={}\n", variable.name, variable.value?));
    credentials.variables().into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{permanent, temporary};
    use super::super::ExportFormat;
    use super::*;

    #[test]
    fn every_secret_is_masked_and_the_key_id_is_not() {
        let mut credentials = temporary();
        credentials.secret = "50%25".into();
        assert_eq!(
            credentials.export(ExportFormat::GithubActions).unwrap(),
            "::add-mask::50%2525\n::add-mask::s1.a==.b\n"
        );
        assert_eq!(permanent().export(ExportFormat::GithubActions).unwrap(), "::add-mask::YCs\n");
    }

    #[test]
    fn the_file_gets_a_line_for_each_variable() {
        let mut credentials = temporary();
        credentials.access_key_id = "a<<b=c".into();
        let text = lines(&credentials);
        assert!(text.starts_with("AWS_ACCESS_KEY_ID=a<<b=c\nAWS_SECRET_ACCESS_KEY=YC+/s\n"), "{text}");
        assert_eq!((text.lines().count(), lines(&permanent()).lines().count()), (7, 5));
    }
}
