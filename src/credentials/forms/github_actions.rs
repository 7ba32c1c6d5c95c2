//! Variables for the later steps of a job in GitHub Actions, masked in its log.
//!
//! Source: GitHub Docs, "Workflow commands for GitHub Actions"; the escapes are those of `@actions/core`.

use secrecy::{ExposeSecret, SecretString};

use crate::credentials::{Credentials, Variable};

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
/// line, so nothing in a value of one line has a meaning. No line can unset a variable: what an earlier step has set is
/// emptied, which AWS clients take for not set.
///
/// `security_token` is whether the job has `AWS_SECURITY_TOKEN`, the older name of the session token, which some clients
/// prefer, even when it is empty.
pub fn lines(credentials: &Credentials, security_token: bool) -> String {
    let variables = credentials.variables();
    let token = variables.iter().find(|variable| variable.name == "AWS_SESSION_TOKEN").filter(|_| security_token);
    let same = token.map(|token| Variable { name: "AWS_SECURITY_TOKEN", value: token.value });
    let line = |variable: Variable<'_>| format!("{}={}\n", variable.name, variable.value.unwrap_or_default());
    variables.into_iter().chain(same).map(line).collect()
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
        let text = lines(&credentials, false);
        assert!(text.starts_with("AWS_ACCESS_KEY_ID=a<<b=c\nAWS_SECRET_ACCESS_KEY=YC+/s\n"), "{text}");
        assert_eq!(text.lines().count(), 7);
    }

    #[test]
    fn what_an_earlier_step_has_set_is_replaced() {
        let before_region = |text: String| text.split("AWS_REGION=").next().unwrap().to_owned();
        assert_eq!(
            before_region(lines(&permanent(), false)),
            "AWS_ACCESS_KEY_ID=YCAJE\nAWS_SECRET_ACCESS_KEY=YCs\nAWS_SESSION_TOKEN=\nAWS_CREDENTIAL_EXPIRATION=\n"
        );
        assert!(lines(&permanent(), true).ends_with("\nAWS_SECURITY_TOKEN=\n"));
        assert!(lines(&temporary(), true).ends_with("\nAWS_SECURITY_TOKEN=s1.a==.b\n"));
    }
}
