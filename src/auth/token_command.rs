//! A program of the user's that prints a token: the key `token-command` of a profile.

use std::collections::BTreeMap;
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
use crate::private_file;
use crate::text::digest::fingerprint;
use crate::text::quote;

/// How long the program may run.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A program that prints a token, and its arguments.
#[derive(Debug)]
pub struct TokenCommand(Vec<String>);

impl TokenCommand {
    /// Reads the array of a profile.
    ///
    /// # Errors
    /// It is not an array of strings, or others can write the configuration and would have their program run.
    pub fn read(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        let mut paths = configured.file().into_iter().flat_map(|file| [Some(file), file.parent()]).flatten();
        if let Some(path) = paths.find(|path| private_file::others_can_write(path)) {
            return Err(Error::config(format!(
                "{} can be written by others, so its token-command is not run; type: chmod go-w {0}",
                quote::full_path(path)
            )));
        }
        Ok(Box::new(Self(configured.strings()?)))
    }

    /// The arguments may hold a secret, so messages name the program alone.
    fn program(&self) -> &str {
        self.0.first().map(String::as_str).unwrap_or_default()
    }
}

impl Credential for TokenCommand {
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
}

/// Runs the program, without a shell, and returns the first line of its output.
async fn run(command: &[String], vars: &BTreeMap<String, String>) -> Result<SecretString> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::config("token-command is an empty list; it holds a program and its arguments"));
    };
    let failure =
        |kind, problem: String| Error::new(kind, format!("token-command {} {problem}", quote::value(program)));
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(vars)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failure(Kind::Config, format!("cannot be started: {error}")))?;
    let output = tokio::time::timeout(TIME_LIMIT, child.wait_with_output())
        .await
        .map_err(|_| failure(Kind::Timeout, format!("did not end within {} seconds", TIME_LIMIT.as_secs())))?
        .map_err(|error| failure(Kind::Internal, format!("cannot be read: {error}")))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.trim().lines().last().unwrap_or("it produced no error output");
        return Err(failure(Kind::NoCredentials, format!("failed ({}): {last}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(failure(Kind::NoCredentials, "printed no token".to_owned())),
    }
}
