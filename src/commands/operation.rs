//! `operation`

use clap::Subcommand;

use super::Outcome;
use super::deferred::Deferred;
use crate::api::operation::{self, OPERATION};
use crate::context::Context;
use crate::error::Result;
use crate::output::Output;

/// Manage long-running operations
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print an operation
    Get(Deferred<Args>),
    /// Wait for an operation and print it
    Wait(Deferred<Args>),
}

/// Which operation.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// ID of the operation
    #[arg(value_name = "OPERATION-ID")]
    id: String,
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    let client = context.client()?;
    let operation = match command {
        Command::Get(Deferred(Args { id })) => operation::get(client, &id).await?,
        Command::Wait(Deferred(Args { id })) => context.wait_for(operation::get(client, &id).await?, None).await?,
    };
    context.printer.print(Output::Object { message: &OPERATION, value: operation.raw }).await?;
    Ok(Outcome::default())
}
