//! `iam access-key exec`

use std::ffi::{OsStr, OsString};
use std::process::Command;

use crate::commands::Outcome;
use crate::commands::args::delivery::RegionArg;
use crate::commands::args::ephemeral::EphemeralArgs;
use crate::commands::args::reject_format_flags;
use crate::context::Context;
use crate::credentials::{Credentials, environment};
use crate::error::{Error, Kind, Result};
use crate::keys::issue;
use crate::keys::storage::storage;
use crate::process::{self, CannotRun};
use crate::text::quote;

/// Run a command with an ephemeral access key in its environment
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    key: EphemeralArgs,
    #[command(flatten)]
    region: RegionArg,
    /// The command and its arguments, behind `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Issues a key and runs the command in the place of this process, so that signals and exit status are the command's.
///
/// # Errors
/// No key can be had, or the command cannot be run.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    let [program, arguments @ ..] = &args.command[..] else { return Err(Error::usage("no command is given")) };
    reject_format_flags("exec", context)?;
    let request = args.key.request(false, context).await?;
    process::find_program(program, context.env.vars.get("PATH").map(String::as_str))
        .map_err(|reason| cannot_run(program, &reason))?;
    let storage = storage(args.region.region.as_deref(), context).await?;
    let key = issue::issue(&request, context).await?;
    let advice = request.lost_secret_advice(&key, context).await;
    let mut command = Command::new(program);
    command.args(arguments);
    environment::set(&mut command, &Credentials::ephemeral(&key, storage), context.env);
    if request.policy.is_some() {
        environment::remove_own_credentials(&mut command, subject_token_variable(context)?);
    }
    match process::replace_with(command) {
        Ok(status) => Ok(Outcome { status, ..Outcome::default() }),
        Err(error) => {
            let kind = Kind::NotRun(process::shell_status(&error));
            let message = format!("cannot run {}: {error}", quote::value(&program.to_string_lossy()));
            Err(Error::new(kind, message).hint(SHELL_HINT).urgent_hint(&advice))
        }
    }
}

const SHELL_HINT: &str =
    "to run a builtin or a command line of the shell, type: yc-rs iam access-key exec -- sh -c 'COMMAND'";

/// The variable that the profile names for the token of a CI job.
fn subject_token_variable<'a>(context: &'a Context<'_>) -> Result<Option<&'a str>> {
    let table = context.settings.profile.table("workload-identity")?;
    let source = table.and_then(|table| table.get("subject-token")).and_then(|source| source.as_str());
    Ok(source.and_then(|source| source.strip_prefix("env:")))
}

fn cannot_run(program: &OsStr, reason: &CannotRun) -> Error {
    let name = quote::value(&program.to_string_lossy());
    let (message, hint) = match reason {
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
            "install the interpreter, or correct the first line".to_owned(),
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
