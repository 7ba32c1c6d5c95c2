//! The command line: the tree of commands, and what each does.

pub mod args;
pub mod ask;
pub mod cache;
pub mod ci;
pub mod completion;
pub mod config;
pub mod deferred;
pub mod doctor;
pub mod help;
pub mod iam;
pub mod init;
pub mod listing;
pub mod local;
pub mod login;
mod logout;
pub mod man;
pub mod operation;
pub mod policy;
pub mod resource_manager;
pub mod several;
pub mod sts;
pub mod usage;
pub mod version;

use std::ffi::OsString;
use std::mem::ManuallyDrop;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::settings::GlobalFlags;
use crate::context::Context;
use crate::error::{Error, Result};
use deferred::{Deferred, global_flags};

/// Access keys, IAM tokens and short-lived S3 credentials for Yandex Cloud
#[derive(Debug, Parser)]
#[command(name = "yc-rs", version, infer_long_args = false, args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    flags: GlobalFlags,
    #[command(subcommand)]
    command: Command,
}

/// The commands at the top.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The commands that call the API.
    #[command(flatten)]
    Remote(Remote),
    /// Write and check session policies
    #[command(subcommand)]
    Policy(Deferred<policy::Command>),
    /// Manage local caches
    #[command(subcommand)]
    Cache(Deferred<cache::Command>),
    /// Set up a profile, asking for what is not given
    Init(Deferred<init::Args>),
    /// Sign in through a browser (experimental)
    Login(Deferred<login::Args>),
    /// Read and change the configuration
    #[command(subcommand)]
    Config(Deferred<config::Command>),
    /// Check the set-up, and say how to mend it
    Doctor(Deferred<doctor::Args>),
    /// Print a script that completes command lines
    Completion(Deferred<completion::Args>),
    /// Print the version
    Version(Deferred<version::Args>),
    /// Write the manual pages to a directory
    #[command(hide = true)]
    Man(Deferred<man::Args>),
}

/// The commands that need settings and a client.
#[derive(Debug, Subcommand)]
pub enum Remote {
    /// Manage access keys and IAM tokens
    #[command(subcommand)]
    Iam(Deferred<iam::Command>),
    /// Get temporary credentials for a static key
    #[command(subcommand)]
    Sts(Deferred<sts::Command>),
    /// Let CI jobs get keys without a stored secret
    #[command(subcommand)]
    Ci(Deferred<ci::Command>),
    /// List clouds and folders
    #[command(subcommand)]
    ResourceManager(Deferred<resource_manager::Command>),
    /// Manage long-running operations
    #[command(subcommand)]
    Operation(Deferred<operation::Command>),
    /// End the session of login (experimental)
    Logout(Deferred<logout::Args>),
    /// Run a command, or your shell, with an ephemeral access key (short for iam access-key exec)
    Exec(Box<Deferred<iam::access_key::exec::Args>>),
    /// Serve a key that is renewed, as a container credentials endpoint (short for iam access-key serve)
    Serve(Box<Deferred<iam::access_key::serve::Args>>),
}

/// How a command ended, after its result was delivered.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What failed although other parts succeeded, as when several IDs are given.
    pub failures: Vec<Error>,
    /// The exit status when nothing failed.
    pub status: u8,
}

impl Outcome {
    /// The exit status: when something failed, the common one of all failures, else 1.
    pub fn exit_code(&self) -> u8 {
        let mut codes = self.failures.iter().map(Error::exit_code);
        let Some(first) = codes.next() else { return self.status };
        if codes.all(|code| code == first) { first } else { 1 }
    }
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self { failures: vec![error], status: 1 }
    }
}

/// Reads the command line. The first argument is the name of the program.
///
/// # Errors
/// It is not understood, or asks for help or the version, which clap returns in the same way.
pub fn parse(args: &[OsString], color: bool) -> Result<(GlobalFlags, Command), clap::Error> {
    let choice = if color { ColorChoice::Always } else { ColorChoice::Never };
    // The tree is large, and the process ends soon: freeing it would cost time alone.
    let mut tree = ManuallyDrop::new(Cli::command().color(choice));
    let mut matches = tree.try_get_matches_from_mut(args)?;
    if args.last().is_some_and(|last| last == "--") && iam::access_key::exec::names_no_command(&matches) {
        return Err(missing_command());
    }
    let flags = global_flags(&matches)?;
    Ok((flags, Cli::from_arg_matches_mut(&mut matches)?.command))
}

/// The error for `exec --` with nothing behind it, which is more likely a variable that is empty than a wish for a shell.
fn missing_command() -> clap::Error {
    let mut error = clap::Error::new(ErrorKind::MissingRequiredArgument);
    error.insert(ContextKind::InvalidArg, ContextValue::Strings(vec!["<COMMAND>...".to_owned()]));
    error
}

/// Runs a command that calls the API.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Remote, context: &Context<'_>) -> Result<Outcome> {
    if !matches!(command, Remote::Sts(_)) {
        context.read_token().await?;
    }
    match command {
        Remote::Iam(Deferred(command)) => Box::pin(iam::run(command, context)).await,
        Remote::Sts(Deferred(command)) => Box::pin(sts::run(command, context)).await,
        Remote::Ci(Deferred(command)) => Box::pin(ci::run(command, context)).await,
        Remote::ResourceManager(Deferred(command)) => resource_manager::run(command, context).await,
        Remote::Operation(Deferred(command)) => operation::run(command, context).await,
        Remote::Logout(_) => Box::pin(logout::run(context)).await,
        Remote::Exec(args) => Box::pin(iam::access_key::exec::run(args.0, context)).await,
        Remote::Serve(args) => Box::pin(iam::access_key::serve::run(args.0, context)).await,
    }
}
