//! `man`: the manual pages, for those who make packages.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

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
    let mut tree = Cli::command();
    tree.build();
    fs::create_dir_all(folder)
        .and_then(|()| write_pages(&tree, folder))
        .map_err(|error| Error::internal(format!("cannot write the manual pages into '{}': {error}", folder.display())))
}

fn write_pages(command: &Command, folder: &Path) -> io::Result<()> {
    for deeper in command.get_subcommands().filter(|deeper| deeper.get_name() != "help" && !deeper.is_hide_set()) {
        write_pages(deeper, folder)?;
    }
    // What a short help leaves out, a manual has.
    let in_full = command.clone().mut_args(|arg| arg.hide_short_help(false));
    Man::new(in_full).source(concat!("yc-rs ", env!("CARGO_PKG_VERSION"))).generate_to(folder).map(drop)
}
