//! A program of the user's that prints a token: the key `token-command` of a profile.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::{Either, LocalBoxFuture, select};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdout};

use super::credential::{Configured, Credential, Services, Source};
use super::iam_token::IamToken;
use super::token::{self, Token};
use super::token_cache::Identity;
use super::{oauth, tied_process};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::private_file::{self, Distrust};
use crate::text::digest::fingerprint;
use crate::text::quote;

/// How long the program may run.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// How much of its output is read.
const MAX_OUTPUT: usize = 64 << 10;

/// How long it may still run when it has printed the token.
const GRACE: Duration = Duration::from_millis(200);

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
        if configured.env.var(tied_process::INSIDE).is_some() {
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
            let printed = run(&self.0, services.env).await?;
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
        Ok(Some(Distrust::Writable(path))) => refused(format!("{} can be written by others", quote::full_path(&path)))
            .map_err(|error| error.hint(format!("type: chmod go-w {}", quote::path_for_sh(&path)))),
        Ok(Some(Distrust::OtherOwner(path))) => refused(format!("{} belongs to another user", quote::full_path(&path))),
        Err(error) => refused(format!("it cannot be found out who can write {shown} ({error})")),
    }
}

/// What the program has printed.
enum Printed {
    /// A line that is a token, and perhaps more.
    Token(SecretString),
    /// All of it, which may end without a line break.
    All(Zeroizing<Vec<u8>>),
    /// More than is read.
    TooMuch,
}

/// Runs the program, without a shell, and returns the first line of its output. A token is returned as soon as its line is
/// complete, and the program is then ended.
async fn run(command: &[String], env: &Env) -> Result<SecretString> {
    let Some(name) = command.first() else {
        return Err(Error::config("token-command is an empty list; it holds a program and its arguments"));
    };
    let failure = |kind, problem: String| Error::new(kind, format!("token-command {} {problem}", quote::value(name)));
    let cannot_start = |reason: &str| {
        let error = failure(Kind::Config, format!("cannot be started: {reason}"));
        // Whoever writes the program and its arguments as one string expects a shell.
        if command.len() == 1 && name.contains(' ') {
            error.hint("write each argument as a string of its own, e.g. [\"yc\", \"iam\", \"create-token\"]")
        } else {
            error
        }
    };
    let mut child = tied_process::start(command, env).map_err(|error| cannot_start(&error.to_string()))?;
    let read = async {
        let errors = pin!(read_errors(child.stderr.take()));
        let (printed, errors) = match select(pin!(read_token(child.stdout.take())), errors).await {
            Either::Left((Ok(Printed::All(printed)), errors)) => (Ok(Printed::All(printed)), errors.await),
            Either::Left((printed, _)) => (printed, Vec::new()),
            Either::Right((errors, printed)) => (printed.await, errors),
        };
        let status = match printed {
            Ok(Printed::All(_)) => Some(child.wait().await),
            _ => None,
        };
        (printed, errors, status)
    };
    let (printed, errors, status) = tokio::time::timeout(TIME_LIMIT, read)
        .await
        .map_err(|_| failure(Kind::Timeout, format!("did not end within {} seconds", TIME_LIMIT.as_secs())))?;
    let unreadable = |error: io::Error| failure(Kind::Internal, format!("cannot be read: {error}"));
    let printed = match printed.map_err(unreadable)? {
        Printed::All(printed) => printed,
        Printed::Token(token) => {
            end(&mut child).await;
            return Ok(token);
        }
        Printed::TooMuch => {
            let limit = MAX_OUTPUT >> 10;
            return Err(failure(Kind::NoCredentials, format!("printed more than {limit} KiB, and no token first")));
        }
    };
    if let Some(status) = status.transpose().map_err(unreadable)?.filter(|status| !status.success()) {
        let errors = String::from_utf8_lossy(&errors);
        if errors.contains(RECURSION) {
            return Err(recursion());
        }
        if let Some(reason) = tied_process::cannot_start(&errors) {
            return Err(cannot_start(reason));
        }
        let last = errors.trim().lines().last().unwrap_or("it produced no error output");
        return Err(failure(Kind::NoCredentials, format!("failed ({status}): {}", quote::line(last))));
    }
    let text = String::from_utf8_lossy(&printed);
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.into()),
        _ => Err(failure(Kind::NoCredentials, "printed no token".to_owned())),
    }
}

/// Reads until the first line is a token, or to the end.
async fn read_token(stdout: Option<ChildStdout>) -> io::Result<Printed> {
    let mut printed = Zeroizing::new(Vec::with_capacity(MAX_OUTPUT));
    let Some(mut stdout) = stdout else { return Ok(Printed::All(printed)) };
    let mut first_line_is_read = false;
    loop {
        let from = printed.len();
        if from == MAX_OUTPUT {
            return Ok(Printed::TooMuch);
        }
        let read = (&mut stdout).take((MAX_OUTPUT - from) as u64).read_buf(&mut *printed).await?;
        if read == 0 {
            return Ok(Printed::All(printed));
        }
        let line_end = printed[from..].iter().position(|byte| *byte == b'\n').filter(|_| !first_line_is_read);
        if let Some(length) = line_end {
            first_line_is_read = true;
            let line = String::from_utf8_lossy(&printed[..from + length]);
            if token::classify(&line).is_ok() {
                return Ok(Printed::Token(line.trim().into()));
            }
        }
    }
}

/// The beginning of what the program writes to standard error; the rest is read too, or the program would have to wait.
async fn read_errors(stderr: Option<ChildStderr>) -> Vec<u8> {
    let mut errors = Vec::new();
    if let Some(mut stderr) = stderr {
        // They are only shown if the program fails.
        let _ = (&mut stderr).take(MAX_OUTPUT as u64).read_to_end(&mut errors).await;
        let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    }
    errors
}

/// Ends the program, which may have files of its own to write first.
async fn end(child: &mut Child) {
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        // It can only have ended meanwhile.
        let _ = child.kill().await;
    }
}
