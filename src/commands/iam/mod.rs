//! `iam`

pub mod access_key;
pub mod create_token;

use clap::Subcommand;

use super::Outcome;
use super::deferred::Deferred;
use crate::context::Context;
use crate::error::Result;

/// Manage access keys and IAM tokens
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Manage keys for the S3-compatible API of Object Storage
    #[command(subcommand, visible_alias = "access-keys")]
    AccessKey(Deferred<access_key::Command>),
    /// Print an IAM token
    CreateToken(Deferred<create_token::Args>),
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    match command {
        Command::AccessKey(Deferred(command)) => access_key::run(command, context).await,
        Command::CreateToken(Deferred(args)) => create_token::run(&args, context).await,
    }
}
