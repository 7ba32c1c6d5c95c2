//! `man`: the manual pages, for those who make packages.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::Cli;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::text::quote;

/// Write the manual pages to a directory
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory; it is created if it is missing
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes a page for each command.
///
/// # Errors
/// The directory cannot be written.
pub fn write(args: &Args, env: &Env) -> Result<()> {
    let directory = &env.path_of("DIR", &args.directory)?;
    let mut tree = Cli::command();
    tree.build();
    fs::create_dir_all(directory).and_then(|()| write_pages(&tree, directory)).map_err(|error| {
        Error::internal(format!("cannot write the manual pages to {}: {error}", quote::path(directory)))
    })
}

fn write_pages(command: &Command, directory: &Path) -> io::Result<()> {
    for deeper in command.get_subcommands().filter(|deeper| deeper.get_name() != "help" && !deeper.is_hide_set()) {
        write_pages(deeper, directory)?;
    }
    // What a short help leaves out, a manual has.
    let in_full = command.clone().mut_args(|arg| arg.hide_short_help(false));
    Man::new(in_full).source(concat!("yc-rs ", env!("CARGO_PKG_VERSION"))).generate_to(directory).map(drop)
}
