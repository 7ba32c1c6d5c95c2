//! `iam access-key exec`

#[cfg(unix)]
mod refresh;

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Command;

use clap::ArgMatches;

use crate::commands::Outcome;
use crate::commands::args::delivery::RegionArg;
use crate::commands::args::ephemeral::EphemeralArgs;
use crate::commands::args::reject_format_flags;
use crate::context::Context;
use crate::credentials::{Credentials, environment};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::keys::issue::{self, KeyRequest};
use crate::keys::storage::storage;
use crate::process::{self, CannotRun};
use crate::text::quote;

/// Run a command, or your shell, with an ephemeral access key in its environment
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Stay, and serve the command a key that is renewed before it expires
    #[arg(long, conflicts_with_all = ["cache", "no_cache"])]
    refresh: bool,
    #[command(flatten)]
    key: EphemeralArgs,
    #[command(flatten)]
    region: RegionArg,
    /// The command and its arguments, behind `--` [default: your shell, `$SHELL`]
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Issues a key and runs the command in the place of this process, so that signals and exit status are the command's.
///
/// # Errors
/// No key can be had, or the command cannot be run.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    reject_format_flags("exec", context)?;
    let words = command_or_shell(args.command, context.env)?;
    let [program, arguments @ ..] = &words[..] else { return Err(Error::internal("the command has no words")) };
    let path = context.env.path.as_deref();
    let find_program = || process::find_program(program, path).map_err(|reason| cannot_run(program, path, &reason));
    let mut command = Command::new(program);
    command.args(arguments);
    if args.refresh {
        #[cfg(not(unix))]
        return Err(Error::usage("--refresh is not supported on this system").hint("use yc-rs serve"));
        #[cfg(unix)]
        {
            let (request, min_ttl) = args.key.renewed_request(context).await?;
            find_program()?;
            let storage = storage(args.region.region.as_deref(), context).await?;
            remove_own_credentials(&mut command, &request, context)?;
            // On the heap, since several futures would hold it.
            return Box::pin(refresh::run(command, &request, min_ttl, &storage, context)).await;
        }
    }
    let request = args.key.request(false, context).await?;
    find_program()?;
    let storage = storage(args.region.region.as_deref(), context).await?;
    let issued = issue::issue(&request, context).await?;
    let advice = issue::lost_secret_advice(&issued);
    environment::set(&mut command, &Credentials::ephemeral(&issued.key, storage), context.env);
    remove_own_credentials(&mut command, &request, context)?;
    match process::replace_with(command) {
        Ok(status) => Ok(Outcome { status, ..Outcome::default() }),
        Err(error) => Err(not_started(program, &error).urgent_hint(&advice)),
    }
}

/// The error for a command that the system does not run, though it was found.
fn not_started(program: &OsStr, error: &io::Error) -> Error {
    let kind = Kind::NotRun(process::shell_status(error));
    Error::new(kind, format!("cannot run {}: {error}", quote::value(&program.to_string_lossy()))).hint(SHELL_HINT)
}

/// With a policy, the command does not get the credentials of this program.
fn remove_own_credentials(command: &mut Command, request: &KeyRequest, context: &Context<'_>) -> Result<()> {
    if request.policy.is_some() {
        environment::remove_own_credentials(command, subject_token_variable(context)?);
    }
    Ok(())
}

/// Whether a command line that is understood names no command for `exec`.
pub fn names_no_command(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some(("exec", exec)) => !exec.contains_id("command"),
        Some((_, deeper)) => names_no_command(deeper),
        None => false,
    }
}

/// The command with its arguments; without one, the shell of the user.
///
/// # Errors
/// There is neither.
fn command_or_shell(command: Vec<OsString>, env: &Env) -> Result<Vec<OsString>> {
    if !command.is_empty() {
        return Ok(command);
    }
    let shell = env.var("SHELL").ok_or_else(|| {
        Error::usage("no command is given, and SHELL, which names your shell, is not set")
            .hint("to run a command, type: yc-rs exec -- COMMAND")
    })?;
    Ok(vec![shell.into()])
}

const SHELL_HINT: &str =
    "to run a builtin or a command line of the shell, type: yc-rs iam access-key exec -- sh -c 'COMMAND'";

/// The variable that the profile names for the token of a CI job.
fn subject_token_variable<'a>(context: &'a Context<'_>) -> Result<Option<&'a str>> {
    let table = context.settings.profile.table("workload-identity")?;
    let source = table.and_then(|table| table.get("subject-token")).and_then(|source| source.as_str());
    Ok(source.and_then(|source| source.strip_prefix("env:")))
}

fn cannot_run(program: &OsStr, path: Option<&OsStr>, reason: &CannotRun) -> Error {
    let name = quote::value(&program.to_string_lossy());
    let (message, hint) = match reason {
        CannotRun::NotFound if path.is_some_and(OsStr::is_empty) => (
            format!("cannot run {name}: there is no such command in the working directory, and PATH is empty"),
            "set PATH, or give the path of the command".to_owned(),
        ),
        CannotRun::NotFound => (format!("cannot run {name}: there is no such command"), SHELL_HINT.to_owned()),
        CannotRun::NotExecutable => (
            format!("cannot run {name}: the file is not executable"),
            "to make it executable, type: chmod +x FILE; or name the interpreter of the script: yc-rs iam access-key exec \
             -- sh FILE"
                .to_owned(),
        ),
        CannotRun::Directory => (format!("cannot run {name}: it is a directory"), SHELL_HINT.to_owned()),
        CannotRun::NoInterpreter(interpreter) => (
            format!("cannot run {name}: there is no interpreter {}, which its first line names", quote::value(interpreter)),
            if interpreter.contains([' ', '\t']) {
                format!("to pass arguments to the interpreter, write: #!/usr/bin/env -S {}", quote::bare(interpreter))
            } else {
                "install the interpreter, or correct the first line".to_owned()
            },
        ),
        CannotRun::InterpreterNotExecutable(interpreter) => (
            format!(
                "cannot run {name}: the interpreter {}, which its first line names, is not executable",
                quote::value(interpreter)
            ),
            "make the interpreter executable, or correct the first line".to_owned(),
        ),
        CannotRun::CarriageReturn => (
            format!("cannot run {name}: its first line ends in a carriage return, so its interpreter is not found"),
            "the script has the line ends of Windows; to convert it, type: sed -i 's/\\r$//' FILE".to_owned(),
        ),
    };
    Error::new(Kind::NotRun(reason.shell_status()), message).hint(hint)
}
