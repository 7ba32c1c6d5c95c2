//! `--columns` and `--sort`: what the format `table` shows of a list.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::Message;
use crate::output::Format;
use crate::output::table::{self, Path, TableOptions};
use crate::text::{quote, similar};

/// Flags of the format `table`.
#[derive(Debug, clap::Args)]
pub struct TableArgs {
    /// Columns to show, by the names that JSON has (with --format table)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', hide_short_help = true)]
    columns: Vec<String>,
    /// Column to sort by; with `-` before it, the largest value comes first (with --format table)
    #[arg(long, value_name = "[-]NAME", allow_hyphen_values = true, hide_short_help = true)]
    sort: Option<String>,
}

impl TableArgs {
    /// What the flags choose for a list of such messages.
    ///
    /// # Errors
    /// The format is another, or a name is not that of a column.
    pub fn options(&self, message: &Message, context: &Context<'_>) -> Result<TableOptions> {
        let given = [("--columns", !self.columns.is_empty()), ("--sort", self.sort.is_some())];
        if let Some((flag, _)) = given.iter().find(|(_, given)| *given) {
            if context.settings.format != Format::Table {
                return Err(Error::usage(format!("{flag} is for --format table")).hint("add --format table"));
            }
            if context.printer.has_filter() {
                return Err(Error::usage(format!("{flag} is for tables, and --jq prints none"))
                    .hint("leave one of them out, or choose and sort with the filter"));
            }
        }
        let columns =
            self.columns.iter().map(|name| path("--columns", name.trim(), message)).collect::<Result<Vec<_>>>()?;
        let sort = self.sort.as_deref().map(|name| match name.strip_prefix('-') {
            Some(name) => path("--sort", name, message).map(|path| (path, true)),
            None => path("--sort", name, message).map(|path| (path, false)),
        });
        Ok(TableOptions { columns: (!columns.is_empty()).then_some(columns), sort: sort.transpose()? })
    }
}

fn path(flag: &str, name: &str, message: &Message) -> Result<Path> {
    let known = table::known_paths(message);
    if let Some(path) = known.iter().find(|path| table::name(path) == name) {
        return Ok(path.clone());
    }
    let names: Vec<_> = known.iter().map(|path| table::name(path)).collect();
    let error = Error::usage(format!("{flag}: there is no column {}", quote::value(name)));
    let columns = format!("the columns are {}", names.join(", "));
    Err(match similar::near(name, names.iter().map(String::as_str)).first() {
        Some(near) => error.hint(format!("did you mean {near}? {columns}")),
        None => error.hint(columns),
    })
}
