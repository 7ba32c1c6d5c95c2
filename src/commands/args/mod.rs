//! Arguments that several commands take.

pub mod delivery;
pub mod ephemeral;
pub mod key_selector;
pub mod owner;
pub mod paging;
pub mod policy;
pub mod request_file;
pub mod table;

use crate::context::Context;
use crate::error::{Error, Result};

/// Rejects `--format` and `--jq` on the command line beside a flag, or a command, whose output has a form of its own.
///
/// # Errors
/// One of them is given.
pub fn reject_format_flags(flag: &str, context: &Context<'_>) -> Result<()> {
    let given = [("--format", context.flags.format.is_some()), ("--jq", context.flags.jq.is_some())];
    match given.iter().find(|(_, given)| *given) {
        Some((other, _)) => Err(Error::usage(format!("{flag} has an output form of its own and excludes {other}"))),
        None => Ok(()),
    }
}
