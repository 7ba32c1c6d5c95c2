//! `iam access-key delete`

use std::cell::Cell;

use super::messages;
use crate::api::operation::OPERATION;
use crate::commands::args::key_selector::{Keys, SearchArgs};
use crate::commands::{Outcome, several};
use crate::context::Context;
use crate::error::Result;
use crate::keys::static_key;

/// Delete access keys
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    search: SearchArgs,
    /// Print the operations at once instead of waiting for them
    #[arg(long)]
    r#async: bool,
}

/// Deletes the keys, and prints the Operations with `--async`.
///
/// # Errors
/// An ID is malformed, or the only key could not be deleted.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    let ids = args.keys.ids(args.search, context).await?;
    context.deletions().set(&ids);
    let failures = if args.r#async {
        let start = async |id: &str| static_key::start_delete(id, context).await;
        let (operations, failures) = several::split(several::for_each(&ids, start).await)?;
        let operations: Vec<_> = operations.into_iter().flatten().map(|operation| operation.raw).collect();
        context.printer.print(messages(&OPERATION, operations, ids.len())).await?;
        failures
    } else {
        let (count, done) = (ids.len(), Cell::new(0));
        let line = || format!("deleting {}/{count}", done.get());
        let waiting = (count > 1).then(|| context.log.waiting(&line()));
        let delete = async |id: &str| {
            let result = static_key::delete(id, context).await;
            done.update(|done| done + 1);
            if result.is_ok() {
                context.log.note(&format!("deleted {id}"));
            }
            if let Some(waiting) = &waiting {
                waiting.set(&line());
            }
            result
        };
        several::split(several::for_each(&ids, delete).await)?.1
    };
    Ok(Outcome { failures, ..Outcome::default() })
}
