//! `iam access-key delete`

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
        let count = ids.len();
        let counter = (count > 1).then(|| context.log.count(|done| format!("deleting {done}/{count}")));
        let delete = async |id: &str| {
            let result = static_key::delete(id, context).await;
            if result.is_ok() {
                context.log.note(&format!("deleted {id}"));
            }
            if let Some(counter) = &counter {
                counter.add();
            }
            result
        };
        several::split(several::for_each(&ids, delete).await)?.1
    };
    Ok(Outcome { failures, ..Outcome::default() })
}
