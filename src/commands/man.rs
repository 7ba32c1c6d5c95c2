//! `man`: the manual pages, for those who make packages.

use std::fs;
use std::path::PathBuf;

use clap::CommandFactory;

use super::Cli;
use crate::error::{Error, Result};

/// Write the manual pages into a folder
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder; it is made if it is missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes a page for each command.
///
/// # Errors
/// The folder cannot be written.
pub fn write(args: &Args) -> Result<()> {
    let folder = &args.folder;
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .map_err(|error| Error::internal(format!("cannot write the manual pages into '{}': {error}", folder.display())))
}
