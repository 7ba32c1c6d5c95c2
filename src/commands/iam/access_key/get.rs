//! `iam access-key get`

use super::messages;
use crate::api::access_key::{self, ACCESS_KEY};
use crate::commands::args::key_selector::{Keys, SearchArgs, WideSearchArgs};
use crate::commands::{Outcome, several};
use crate::context::Context;
use crate::error::Result;
use crate::keys::static_key::about_key;

/// Show access keys
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    keys: Keys,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    wide: WideSearchArgs,
}

/// Prints the keys that could be read.
///
/// # Errors
/// An ID is malformed, or the only key could not be read.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    let ids = args.keys.ids(args.search.or(args.wide), context).await?;
    let client = context.client()?;
    let get = async |id: &str| access_key::get(client, id).await.map_err(|error| about_key(error, "get", id));
    let (values, failures) = several::split(several::for_each(&ids, get).await)?;
    context.printer.print(messages(&ACCESS_KEY, values, ids.len())).await?;
    Ok(Outcome { failures, ..Outcome::default() })
}
