//! `operation`

use clap::Subcommand;

use super::Outcome;
use super::deferred::Deferred;
use crate::api::operation::{self, OPERATION};
use crate::context::Context;
use crate::error::Result;
use crate::output::Output;

/// Follow operations that take their time
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
    let value = match command {
        Command::Get(Deferred(Args { id })) => operation::get(client, &id).await?,
        Command::Wait(Deferred(Args { id })) => wait(context, operation::get(client, &id).await?).await?,
    };
    Ok(Output::Object { message: &OPERATION, value }.into())
}

/// Waits for an Operation and returns it.
///
/// # Errors
/// The Operation failed, or is not done in time.
pub async fn wait(context: &Context<'_>, operation: serde_json::Value) -> Result<serde_json::Value> {
    let id = operation["id"].as_str().unwrap_or_default();
    let advice = format!("the operation goes on without us; type: yc-rs operation wait {id}");
    let started = std::time::Instant::now();
    let client = context.client()?;
    let done = context.in_progress(advice, operation::wait(client, operation, context.longest_wait())).await?;
    context.log.note(&format!("done ({}s)", started.elapsed().as_secs()));
    Ok(done)
}
