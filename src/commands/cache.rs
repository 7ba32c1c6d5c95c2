//! `cache`

use clap::Subcommand;

use super::deferred::Deferred;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::store;
use crate::text::quote;

/// Manage local caches
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Delete every cached token, key and endpoint
    Clear(Deferred<ClearArgs>),
}

/// Delete every cached token, key and endpoint
#[derive(Debug, clap::Args)]
pub struct ClearArgs {}

/// Runs one of the commands.
///
/// # Errors
/// A file cannot be removed.
pub fn run(command: &Command, env: &Env) -> Result<()> {
    match command {
        Command::Clear(_) => match env.cache_home() {
            Some(home) => store::clear(&home).map_err(|error| {
                Error::internal(format!("cannot clear the caches in {}: {error}", quote::full_path(&home)))
            }),
            None => Ok(()),
        },
    }
}
