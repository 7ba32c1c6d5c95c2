//! `iam access-key`: one file a command.

mod audit;
mod create;
mod delete;
pub(in crate::commands) mod exec;
mod get;
mod issue_ephemeral;
mod list;
mod list_operations;
mod rotate;
pub(in crate::commands) mod serve;
mod update;

use clap::Subcommand;
use serde_json::Value;

use crate::api::access_key::{ACCESS_KEY, MAX_DESCRIPTION};
use crate::api::operation::OPERATION;
use crate::commands::Outcome;
use crate::commands::deferred::Deferred;
use crate::context::Context;
use crate::error::Result;
use crate::message::Message;
use crate::output::Output;

/// Manage access keys for the S3-compatible API of Object Storage
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a static access key for a service account and print its secret
    Create(Box<Deferred<create::Args>>),
    /// List the access keys of a service account
    List(Deferred<list::Args>),
    /// Show access keys
    #[command(visible_aliases = ["describe", "show"])]
    Get(Deferred<get::Args>),
    /// Change the description of an access key
    Update(Deferred<update::Args>),
    /// Delete access keys
    Delete(Deferred<delete::Args>),
    /// List the operations on an access key
    ListOperations(Deferred<list_operations::Args>),
    /// Issue an ephemeral access key and print its secret and session token
    IssueEphemeral(Box<Deferred<issue_ephemeral::Args>>),
    /// Find unused and old access keys
    Audit(Box<Deferred<audit::Args>>),
    /// Replace a static access key
    ///
    /// Creates a key for the same service account, shows that the storage accepts it, delivers it to a profile of the AWS
    /// CLI, a file, a secret of Lockbox or a command, and deletes the old key.
    Rotate(Box<Deferred<rotate::Args>>),
    /// Run a command, or your shell, with an ephemeral access key in its environment
    Exec(Box<Deferred<exec::Args>>),
    /// Serve an ephemeral access key that is renewed to S3 clients, as a container credentials endpoint
    Serve(Box<Deferred<serve::Args>>),
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    match command {
        Command::Create(args) => create::run(args.0, context).await,
        Command::List(Deferred(args)) => list::run(args, context).await,
        Command::Get(Deferred(args)) => get::run(args, context).await,
        Command::Update(Deferred(args)) => update::run(args, context).await,
        Command::Delete(Deferred(args)) => delete::run(args, context).await,
        Command::ListOperations(Deferred(args)) => list_operations::run(args, context).await,
        Command::IssueEphemeral(args) => issue_ephemeral::run(args.0, context).await,
        Command::Audit(args) => audit::run(args.0, context).await,
        Command::Rotate(args) => rotate::run(args.0, context).await,
        Command::Exec(args) => exec::run(args.0, context).await,
        Command::Serve(args) => serve::run(args.0, context).await,
    }
}

/// An access key as a result.
fn access_key(value: Value) -> Output {
    Output::Object { message: &ACCESS_KEY, value }
}

/// An Operation as a result.
fn operation(value: Value) -> Output {
    Output::Object { message: &OPERATION, value }
}

/// One or several messages that were requested by ID as a result.
fn messages(message: &'static Message, mut values: Vec<Value>, count: usize) -> Output {
    match (values.len(), count) {
        (0, _) => Output::Nothing,
        (_, 1) => Output::Object { message, value: values.remove(0) },
        _ => Output::Objects { message, values },
    }
}

/// Reads a description.
///
/// # Errors
/// It is too long; the message says by how much.
fn description(text: &str) -> Result<String, String> {
    match text.chars().count() {
        length if length > MAX_DESCRIPTION => {
            Err(format!("it has {length} characters, but at most {MAX_DESCRIPTION} are allowed"))
        }
        _ => Ok(text.to_owned()),
    }
}
