//! A program of the user's that prints a token: the key `token-command` of a profile.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::{Error, Kind, Result};

/// How long the program may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the program, without a shell, and returns the first line of its output.
///
/// # Errors
/// It cannot be started, takes too long, fails, or prints nothing.
pub async fn run(command: &[String], vars: &BTreeMap<String, String>) -> Result<String> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Error::config("token-command is an empty list; it holds a program and its arguments"));
    };
    // The arguments may hold a secret, so the program alone is named.
    let fail = |kind, problem: String| Error::new(kind, format!("token-command '{program}' {problem}"));
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(vars)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| fail(Kind::Config, format!("cannot be started: {error}")))?;
    let output = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .map_err(|_| fail(Kind::Timeout, format!("did not end within {} seconds", LIMIT.as_secs())))?
        .map_err(|error| fail(Kind::Internal, format!("cannot be read: {error}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.trim().lines().last().unwrap_or("it said nothing");
        return Err(fail(Kind::NoCredentials, format!("failed ({}): {last}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(fail(Kind::NoCredentials, "printed no token".to_owned())),
    }
}
