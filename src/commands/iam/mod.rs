//! `iam`

pub mod access_key;
pub mod create_token;
pub mod revoke_token;
pub mod service_account;
pub mod whoami;

use clap::Subcommand;

use super::Outcome;
use super::deferred::Deferred;
use crate::context::Context;
use crate::error::Result;

/// Manage access keys and IAM tokens
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Manage access keys for the S3-compatible API of Object Storage
    #[command(subcommand, visible_alias = "access-keys")]
    AccessKey(Deferred<access_key::Command>),
    /// Print an IAM token
    CreateToken(Deferred<create_token::Args>),
    /// Revoke an IAM token
    RevokeToken(Deferred<revoke_token::Args>),
    /// Print who the credential belongs to
    Whoami(Deferred<whoami::Args>),
    /// Find service accounts
    #[command(subcommand)]
    ServiceAccount(Deferred<service_account::Command>),
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    match command {
        Command::AccessKey(Deferred(command)) => access_key::run(command, context).await,
        Command::CreateToken(Deferred(args)) => create_token::run(&args, context).await,
        Command::RevokeToken(Deferred(args)) => revoke_token::run(args, context).await,
        Command::Whoami(Deferred(args)) => whoami::run(&args, context).await,
        Command::ServiceAccount(Deferred(command)) => service_account::run(command, context).await,
    }
}
