//! A command that takes the key from its environment.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::api::access_key::StaticKey;
use crate::context::Context;
use crate::credentials::{Credentials, Storage, environment};
use crate::error::{Error, Kind, Result};
use crate::process::{self, CannotRun};
use crate::text::{form, quote};

/// The variable with the key ID of the key that is replaced.
const OLD_KEY_ID: &str = "YC_RS_OLD_ACCESS_KEY_ID";

/// Checks that the command can be run, and that no argument looks like a secret.
pub fn check(command: &[String], context: &Context<'_>) -> Result<()> {
    let Some(program) = command.first() else { return Err(Error::usage("no command is given")) };
    if let Some(form) = command.iter().find_map(|argument| form::secret_in(argument)) {
        let message = format!("an argument of the command looks like {form}, and every user can read arguments");
        return Err(Error::usage(message).hint("pass the secret in a file or a variable"));
    }
    process::find_program(program.as_ref(), context.env.path.as_deref()).map_err(|reason| {
        let problem = match reason {
            CannotRun::NotFound => "there is no such command",
            CannotRun::NotExecutable => "the file is not executable",
            CannotRun::Directory => "it is a directory",
            CannotRun::NoInterpreter(_) => "there is no interpreter of the name in its first line",
            CannotRun::InterpreterNotExecutable(_) => "the interpreter in its first line is not executable",
            CannotRun::CarriageReturn => "its first line ends in a carriage return",
        };
        Error::usage(format!("cannot run {}: {problem}", quote::value(program)))
    })
}

/// Runs the command with the key in its environment. Its standard output goes to standard error, since the result of the
/// rotation is printed.
pub async fn run(
    command: &[String],
    directory: &Path,
    key: &StaticKey,
    old_key_id: &str,
    storage: Storage,
    context: &Context<'_>,
) -> Result<()> {
    let [program, arguments @ ..] = command else { return Err(Error::usage("no command is given")) };
    let mut child = Command::new(program);
    child.args(arguments).current_dir(directory).stdout(Stdio::from(std::io::stderr()));
    environment::set(&mut child, &Credentials::permanent(key, storage), context.env);
    child.env(OLD_KEY_ID, old_key_id);
    let shown = quote::value(program);
    let failed = |problem: String| Error::new(Kind::Conflict, format!("the command {shown} {problem}"));
    let status = tokio::process::Command::from(child).status().await;
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("did not take the key ({status})"))),
        Err(error) => Err(failed(format!("cannot be run: {error}"))),
    }
}
