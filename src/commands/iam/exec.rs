//! `iam access-key exec`: a command with a key that ends by itself in its environment.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use clap::Args;

use super::ephemeral_key::{self, KeyArgs};
use crate::commands::delivery::{RegionArg, storage};
use crate::commands::{Outcome, refuse_format_flags};
use crate::context::Context;
use crate::credentials::forms::Credentials;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::process;

/// Variables that AWS SDKs would take other credentials or addresses from.
const COMPETING: [&str; 8] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
];

/// The same: every variable that begins so.
const COMPETING_PREFIX: &str = "AWS_CONTAINER_CREDENTIALS_";

/// Run a command with a key that ends by itself in its environment
#[derive(Debug, Args)]
pub struct ExecArgs {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    region: RegionArg,
    /// The command and its arguments, behind `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Issues a key and becomes the command, so that signals and exit status are the command's own.
///
/// # Errors
/// No key can be had, or the command cannot be run.
pub async fn exec(args: ExecArgs, context: &Context<'_>) -> Result<Outcome> {
    let [program, arguments @ ..] = &args.command[..] else { return Err(Error::usage("no command is given")) };
    refuse_format_flags("exec", context)?;
    let wanted = args.key.wanted(None, context).await?;
    find(program, context.env).map_err(|status| cannot_run(program, status, None))?;
    let storage = storage(&args.region, context).await?;
    let key = ephemeral_key::issue(&wanted, context).await?;
    let advice = wanted.lost(&key, context)?;
    let lost = |error: Error| error.urgent_hint(&advice);
    let credentials = Credentials::temporary(&key, storage).map_err(lost)?;
    let mut command = Command::new(program);
    command.args(arguments);
    set_environment(&mut command, &credentials, context.env);
    Err(lost(run(command, program)))
}

fn set_environment(command: &mut Command, credentials: &Credentials, env: &Env) {
    let prefixed = env.vars.keys().map(String::as_str).filter(|name| name.starts_with(COMPETING_PREFIX));
    for name in COMPETING.into_iter().chain(prefixed) {
        command.env_remove(name);
    }
    for variable in credentials.variables() {
        match variable.value {
            Some(value) => command.env(variable.name, value),
            None => command.env_remove(variable.name),
        };
    }
}

/// Puts the command in the place of this process; returns only when that fails.
#[cfg(unix)]
fn run(mut command: Command, program: &OsStr) -> Error {
    process::restore_core_limit();
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    cannot_run(program, status(&error), Some(&error))
}

/// Runs the command and ends with its exit status; returns only when it cannot be run.
#[cfg(not(unix))]
#[expect(clippy::exit, reason = "the exit status is the command's, and nothing is left to be done")]
fn run(mut command: Command, program: &OsStr) -> Error {
    match command.status() {
        Ok(ended) => std::process::exit(ended.code().unwrap_or(1)),
        Err(error) => cannot_run(program, status(&error), Some(&error)),
    }
}

/// The exit status of a shell that cannot run a command: 127 when it is not there, else 126.
fn status(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

fn cannot_run(program: &OsStr, status: u8, error: Option<&io::Error>) -> Error {
    let reason = match (error, status) {
        (Some(error), _) => error.to_string(),
        (None, 127) => "there is no such command".to_owned(),
        (None, _) => "it is not a program, or may not be run".to_owned(),
    };
    Error::new(Kind::NotRun(status), format!("cannot run '{}': {reason}", program.display()))
}

/// Looks for the command as `execvp` will, so that no key is issued for nothing.
fn find(program: &OsStr, env: &Env) -> Result<(), u8> {
    let candidates: Vec<PathBuf> = match env.var("PATH") {
        _ if !cfg!(unix) => return Ok(()),
        _ if program.as_encoded_bytes().contains(&b'/') => vec![program.into()],
        Some(path) => std::env::split_paths(path).map(|folder| folder.join(program)).collect(),
        // Where the system looks then is for the system to say.
        None => return Ok(()),
    };
    let there = |path: &PathBuf| path.exists();
    match candidates.iter().any(|path| is_program(path)) {
        true => Ok(()),
        false if !program.is_empty() && candidates.iter().any(there) => Err(126),
        false => Err(127),
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}
