//! `man`: the manual pages, for those who make packages.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use roff::{Roff, bold, roman};

use super::Cli;
use super::help::{examples, topics};
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

/// The longest title that stands twice in the header of a page of 80 columns, beside the name of the manual.
const LONGEST_TITLE: usize = 25;

/// The files that commands read and write, where no variable names another place.
const FILES: [(&str, &str); 6] = [
    ("~/.config/yc-rs/config.toml", "the profiles"),
    ("~/.config/yandex-cloud/config.yaml", "the profiles of yc, read where there is no config.toml"),
    ("~/.cache/yc-rs", "cached tokens, keys and endpoints"),
    ("~/.local/state/yc-rs", "journals of unfinished rotations, and sessions of login"),
    ("~/.aws/credentials", "the profiles of AWS clients, which --aws-profile writes"),
    ("~/.aws/config", "their configuration, which is only read"),
];

/// Writes a page for each command.
///
/// # Errors
/// The directory cannot be written.
pub fn write(args: &Args, env: &Env) -> Result<()> {
    let directory = &env.path_of("DIR", &args.directory)?;
    let mut tree = Cli::command();
    tree.build();
    fs::create_dir_all(directory).and_then(|()| write_pages(&tree, &[], directory)).map_err(|error| {
        Error::internal(format!("cannot write the manual pages to {}: {error}", quote::path(directory)))
    })
}

/// Writes the page of a command that these words lead to, and the pages below it.
fn write_pages(command: &Command, path: &[&str], directory: &Path) -> io::Result<()> {
    for deeper in command.get_subcommands().filter(|deeper| deeper.get_name() != "help" && !deeper.is_hide_set()) {
        write_pages(deeper, &[path, &[deeper.get_name()]].concat(), directory)?;
    }
    let name = [&["yc-rs"], path].concat().join("-");
    let page = page(command, path, &name)?;
    File::create(directory.join(format!("{name}.1")))?.write_all(&page)
}

fn page(command: &Command, path: &[&str], name: &str) -> io::Result<Vec<u8>> {
    // What a short help leaves out, a manual has.
    let in_full = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let last = path.last().copied().unwrap_or("yc-rs");
    let title = if name.len() <= LONGEST_TITLE { name } else { last };
    let version = concat!("yc-rs ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(in_full).title(title.to_uppercase()).source(version).manual("yc-rs manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    if let Some(notes) = command.get_after_help() {
        rest.control("SH", ["NOTES"]).control("nf", []);
        notes.to_string().lines().for_each(|line| _ = rest.text([roman(line)]));
        rest.control("fi", []);
    }
    let examples = examples::of(&path.join(" "));
    if !examples.is_empty() {
        rest.control("SH", ["EXAMPLES"]);
        for example in examples {
            // Lines of a command are not broken.
            rest.control("TP", []).text([roman(example.purpose)]).control("nf", []);
            example.line.lines().for_each(|line| _ = rest.text([bold(line)]));
            rest.control("fi", []);
        }
    }
    rest.control("SH", ["ENVIRONMENT"]);
    if path.is_empty() {
        add_rows(&mut rest, topics::variables());
    } else {
        rest.text([roman("The variables that every command reads are in "), bold("yc-rs"), roman("(1).")]);
    }
    rest.control("SH", ["EXIT STATUS"]);
    add_rows(&mut rest, topics::exit_codes());
    rest.control("SH", ["FILES"]);
    add_rows(&mut rest, FILES.map(|(file, meaning)| (file.to_owned(), meaning.to_owned())));
    if !path.is_empty() {
        rest.control("SH", ["SEE ALSO"]).text([bold("yc-rs"), roman("(1)")]);
    }
    rest.to_writer(&mut page)?;
    Ok(page)
}

fn add_rows(page: &mut Roff, rows: impl IntoIterator<Item = (String, String)>) {
    for (name, meaning) in rows {
        page.control("TP", []).text([bold(name)]).text([roman(meaning)]);
    }
}
