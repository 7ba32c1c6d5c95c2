//! Credentials in the forms that S3 clients and shells read: one file a form.
//!
//! The names of the forms are those of `aws configure export-credentials`. Everything here makes text; where it goes is
//! decided elsewhere.

mod dotenv;
mod fish;
pub mod github_actions;
mod powershell;
pub mod process;
mod sh;
mod windows_cmd;

use super::{Credentials, Variable};
use crate::error::{Error, Kind, Result};

/// The form in which credentials are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// JSON for `credential_process` of the AWS configuration
    Process,
    /// `export NAME='value'` for sh, bash and zsh
    Env,
    /// `NAME='value'` for sh, bash and zsh
    EnvNoExport,
    /// `set -gx NAME 'value';` for fish
    Fish,
    /// `$Env:NAME = 'value'` for `PowerShell`
    #[value(help = "`$Env:NAME = 'value'` for PowerShell")]
    Powershell,
    /// `set "NAME=value"` for the command prompt of Windows
    WindowsCmd,
    /// `NAME=value` for files that Docker and others read
    Dotenv,
    /// Variables appended to `$GITHUB_ENV` for the later steps of a job in GitHub Actions, and masked in its log
    GithubActions,
}

impl Credentials {
    /// What is printed in this form. In GitHub Actions these are the masks alone.
    ///
    /// # Errors
    /// The form cannot carry one of the values, which the message names without showing it.
    pub fn export(&self, format: ExportFormat) -> Result<String> {
        for Variable { name, value } in self.variables() {
            let rule = value.map_or(Ok(()), |value| format.check(value));
            rule.map_err(|rule| Error::new(Kind::Output, format!("{name} cannot be exported: the value {rule}")))?;
        }
        match format {
            ExportFormat::Process => process::text(self),
            ExportFormat::Env => Ok(sh::text(&self.shell_variables(), "export ")),
            ExportFormat::EnvNoExport => Ok(sh::text(&self.shell_variables(), "")),
            ExportFormat::Fish => Ok(fish::text(&self.shell_variables())),
            ExportFormat::Powershell => Ok(powershell::text(&self.shell_variables())),
            ExportFormat::WindowsCmd => Ok(windows_cmd::text(&self.shell_variables())),
            ExportFormat::Dotenv => Ok(dotenv::text(&self.variables())),
            ExportFormat::GithubActions => Ok(github_actions::masks(self)),
        }
    }
}

/// The lines by which sh, bash or zsh export these variables, whose values [`ExportFormat::Env`] can carry.
pub fn shell_exports(variables: &[Variable<'_>]) -> String {
    sh::text(variables, "export ")
}

impl ExportFormat {
    /// Whether the form can carry the value: it comes out again as it went in, and stays within its quotes.
    ///
    /// # Errors
    /// It cannot; the message is the rule that the value breaks.
    pub fn check(self, value: &str) -> Result<(), String> {
        // Nothing else is in a key, and what shells make of other characters depends on the locale.
        if let Some(c) = value.chars().find(|c| !matches!(c, ' '..='~')) {
            return Err(format!("has a character other than printable ASCII: {}", c.escape_unicode()));
        }
        match self {
            Self::WindowsCmd => windows_cmd::check(value),
            Self::Dotenv => dotenv::check(value),
            Self::Process | Self::Env | Self::EnvNoExport | Self::Fish | Self::Powershell | Self::GithubActions => {
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::temporary;
    use super::*;

    #[test]
    fn a_value_that_cannot_be_carried_is_named_and_not_shown() {
        let mut credentials = temporary();
        credentials.secret = "top\nsecret".into();
        for format in <ExportFormat as clap::ValueEnum>::value_variants() {
            let error = credentials.export(*format).unwrap_err().to_string();
            assert!(error.starts_with("AWS_SECRET_ACCESS_KEY cannot be exported: the value has"), "{error}");
            assert!(!error.contains("top"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_line_of_every_form_is_about_one_variable(secret in "[ -~]{0,60}", token in "[ -~]{0,60}") {
            let credentials = Credentials { secret: secret.into(), session_token: Some(token.into()), ..temporary() };
            for format in <ExportFormat as clap::ValueEnum>::value_variants() {
                let Ok(text) = credentials.export(*format) else { continue };
                let lines = match format {
                    ExportFormat::Process => 1,
                    ExportFormat::GithubActions => 2,
                    ExportFormat::Dotenv => 7,
                    _ => 12,
                };
                prop_assert_eq!(text.lines().count(), lines, "{:?} {:?}", format, text);
                prop_assert!(text.ends_with('\n'));
            }
        }
    }
}
