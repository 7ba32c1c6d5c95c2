//! A program of the user's that prints a token: the key `token-command` of a profile.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use super::credential::{Configured, Credential, Services, Source};
use super::iam_token::IamToken;
use super::oauth;
use super::token::{self, Token};
use super::token_cache::Identity;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::private_file::{self, Distrust};
use crate::text::digest::fingerprint;
use crate::text::quote;

/// How long the program may run.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// The variable that tells a program that a `token-command` has started it.
const INSIDE: &str = "YC_RS_IN_TOKEN_COMMAND";

/// What the program that a `token-command` has started says when it has a `token-command` itself. Neither a terminal nor
/// JSON changes it, so that it is recognized.
const RECURSION: &str = "the token-command starts yc-rs again, which has a token-command too, and so on without end";

/// A program that prints a token, and its arguments.
#[derive(Debug)]
pub struct TokenCommand(Vec<String>);

impl TokenCommand {
    /// Reads the array of a profile.
    ///
    /// # Errors
    /// It is not an array of strings; or others can write the configuration and would have their program run; or this
    /// program was itself started by a `token-command`.
    pub fn read(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        if configured.env.var(INSIDE).is_some() {
            return Err(recursion());
        }
        if let Some(file) = configured.file() {
            check_trusted(file)?;
        }
        Ok(Box::new(Self(configured.strings()?)))
    }

    /// The arguments may hold a secret, so messages name the program alone.
    fn program(&self) -> &str {
        self.0.first().map(String::as_str).unwrap_or_default()
    }
}

impl Credential for TokenCommand {
    fn may_change_subject(&self) -> bool {
        true
    }

    fn name(&self, _env: &Env) -> Result<String> {
        Ok(format!("token-command {}", fingerprint(&[&format!("{:?}", self.0)])))
    }

    /// The program may print the token of another identity at any time.
    fn identity<'a>(&'a self, _services: Services<'a>) -> LocalBoxFuture<'a, Result<Option<Identity>>> {
        Box::pin(async { Ok(None) })
    }

    fn obtain<'a>(&'a self, services: Services<'a>, now: DateTime<Utc>) -> LocalBoxFuture<'a, Result<IamToken>> {
        Box::pin(async move {
            let printed = run(&self.0, &services.env.vars).await?;
            services.log.masks.add(&printed);
            let token = token::classify(printed.expose_secret());
            let invalid = |rule| {
                Error::no_credentials(format!("the output of token-command {} {rule}", quote::value(self.program())))
            };
            match token.map_err(invalid)? {
                Token::Iam(token) => Ok(IamToken::given(token, now)),
                Token::Oauth(token) => oauth::exchange(&token, services).await,
            }
        })
    }

    fn hint(&self, source: &Source) -> String {
        format!("check what {} prints ({source})", quote::value(self.program()))
    }

    fn explain(&self, error: Error, source: &Source) -> Error {
        let error = error.context(format!("cannot get an IAM token with {source}"));
        oauth::explain_refusal(error, || self.hint(source))
    }
}

/// The one error for any number of programs that start each other.
fn recursion() -> Error {
    Error::config(RECURSION).hint(
        "when yc-rs is installed as yc, name the other yc by its full path in token-command; a yc-rs inside of a \
         token-command takes --token, a variable or a profile with a credential of another kind",
    )
}

fn check_trusted(file: &Path) -> Result<()> {
    let shown = quote::full_path(file);
    let refused =
        |problem: String| Err(Error::config(format!("{problem}, so the token-command of {shown} is not run")));
    match private_file::distrusted(file) {
        Ok(None) => Ok(()),
        Ok(Some(Distrust::Writable(path))) => {
            let path = quote::full_path(&path);
            refused(format!("{path} can be written by others"))
                .map_err(|error| error.hint(format!("type: chmod go-w {path}")))
        }
        Ok(Some(Distrust::OtherOwner(path))) => refused(format!("{} belongs to another user", quote::full_path(&path))),
        Err(error) => refused(format!("it cannot be found out who can write {shown} ({error})")),
    }
}

/// Runs the program, without a shell, and returns the first line of its output.
async fn run(command: &[String], vars: &BTreeMap<String, String>) -> Result<SecretString> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::config("token-command is an empty list; it holds a program and its arguments"));
    };
    // Whoever writes the program and its arguments as one string expects a shell.
    let is_command_line = arguments.is_empty() && program.contains(' ');
    let failure =
        |kind, problem: String| Error::new(kind, format!("token-command {} {problem}", quote::value(program)));
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(vars)
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            let error = failure(Kind::Config, format!("cannot be started: {error}"));
            if is_command_line {
                error.hint("write each argument as a string of its own, e.g. [\"yc\", \"iam\", \"create-token\"]")
            } else {
                error
            }
        })?;
    let output = tokio::time::timeout(TIME_LIMIT, child.wait_with_output())
        .await
        .map_err(|_| failure(Kind::Timeout, format!("did not end within {} seconds", TIME_LIMIT.as_secs())))?
        .map_err(|error| failure(Kind::Internal, format!("cannot be read: {error}")))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        if errors.contains(RECURSION) {
            return Err(recursion());
        }
        let last = errors.trim().lines().last().unwrap_or("it produced no error output");
        return Err(failure(Kind::NoCredentials, format!("failed ({}): {}", output.status, quote::line(last))));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(failure(Kind::NoCredentials, "printed no token".to_owned())),
    }
}
