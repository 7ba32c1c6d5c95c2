//! `iam access-key exec`

use std::ffi::{OsStr, OsString};
use std::io;
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
use crate::process;
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
    process::find_program(program, context.env.var("PATH")).map_err(|status| cannot_run(program, status, None))?;
    let storage = storage(args.region.region.as_deref(), context).await?;
    let key = issue::issue(&request, context).await?;
    let advice = request.lost_secret_advice(&key, context)?;
    let mut command = Command::new(program);
    command.args(arguments);
    environment::set(&mut command, &Credentials::ephemeral(&key, storage), context.env);
    match process::replace_with(command) {
        Ok(status) => Ok(Outcome { status, ..Outcome::default() }),
        Err(error) => Err(cannot_run(program, process::shell_status(&error), Some(&error)).urgent_hint(&advice)),
    }
}

fn cannot_run(program: &OsStr, status: u8, error: Option<&io::Error>) -> Error {
    let reason = match (error, status) {
        (Some(error), _) => error.to_string(),
        (None, 127) => "there is no such command".to_owned(),
        (None, _) => "it is not a program, or may not be run".to_owned(),
    };
    Error::new(Kind::NotRun(status), format!("cannot run {}: {reason}", quote::value(&program.to_string_lossy())))
}
