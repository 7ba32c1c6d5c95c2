//! The policy that the flag `--policy` gives or names.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::keys::policy::{self, Place};
use crate::text::quote;

/// The policy as it is sent: the argument itself, or the text of the file that it names.
///
/// # Errors
/// It cannot be read, or is not a policy.
pub async fn read(argument: &str, context: &Context<'_>) -> Result<String> {
    let invalid = |rule: String| Error::usage(format!("--policy {rule}"));
    match policy::place(argument) {
        Place::Inline(text) => policy::compact(text).map_err(invalid),
        Place::File(path) => {
            let text = context.read_input(path, "--policy").await?;
            policy::compact(&text).map_err(|rule| invalid(format!("({}) {rule}", quote::value(path))))
        }
    }
}
