//! `iam access-key list`

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::access_key::{self, ACCESS_KEY, last_activity};
use crate::commands::args::owner::Owner;
use crate::commands::args::paging::Paging;
use crate::commands::args::table::TableArgs;
use crate::commands::{Outcome, listing};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::list::{Keep, List};
use crate::output::{Cell, Column};
use crate::text::duration;

/// List the access keys of a service account
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    owner: Owner,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    table: TableArgs,
    /// Print the first page only
    #[arg(long, conflicts_with = "all")]
    no_paginate: bool,
    /// Print only the keys that were not used for this long, e.g. 90d (a key never used counts from its creation)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    unused_for: Option<Duration>,
}

/// The columns of `yc iam access-key list`.
///
/// Source: yandex-cloud/docs, `en/iam/operations/authentication/manage-access-keys.md`.
const COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "SERVICE ACCOUNT ID", cell: Cell::Field("service_account_id") },
    Column { header: "KEY ID", cell: Cell::Field("key_id") },
];

/// Prints the keys.
///
/// # Errors
/// There is no account of that name, the server refuses, or cannot be reached.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    let table = args.table.options(&ACCESS_KEY, context)?;
    let owner = args.owner.id(context).await?;
    let client = context.client()?;
    let call = async |page_size: &str, token: &str| access_key::list(client, owner.as_deref(), page_size, token).await;
    let list = List {
        message: &ACCESS_KEY,
        columns: COLUMNS,
        items: "accessKeys",
        limit: args.paging.limit(),
        follow: !args.no_paginate,
        keep: args.unused_for.map(|unused| -> Keep {
            Box::new(move |key, now| last_activity(key).is_some_and(|used| used <= before(now, unused)))
        }),
        table,
    };
    let page_size = args.paging.page_size(args.unused_for.is_none());
    let about = |error: Error| error.context("cannot list access keys");
    listing::print(list, "keys", page_size, call, about, context).await?;
    Ok(Outcome::default())
}

fn before(now: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    let earlier = TimeDelta::from_std(duration).ok().and_then(|delta| now.checked_sub_signed(delta));
    earlier.unwrap_or(DateTime::<Utc>::MIN_UTC)
}
