//! `iam access-key list-operations`

use serde_json::Value;

use crate::api::access_key;
use crate::api::operation::OPERATION;
use crate::commands::Outcome;
use crate::commands::args::key_selector::OneKey;
use crate::commands::args::paging::Paging;
use crate::context::Context;
use crate::error::Result;
use crate::keys::static_key::about_key;
use crate::output::{Cell, Column, Output};

/// List the operations on an access key
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    key: OneKey,
    #[command(flatten)]
    paging: Paging,
}

const COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "CREATED AT", cell: Cell::Time("created_at") },
    Column { header: "CREATED BY", cell: Cell::Field("created_by") },
    Column { header: "MODIFIED AT", cell: Cell::Time("modified_at") },
    Column { header: "STATUS", cell: Cell::Computed(status) },
    Column { header: "DESCRIPTION", cell: Cell::Field("description") },
];

fn status(operation: &Value) -> String {
    let status = match (operation["done"] == true, operation.get("error").is_some()) {
        (_, true) => "ERROR",
        (true, false) => "DONE",
        (false, false) => "RUNNING",
    };
    status.to_owned()
}

/// Prints the Operations.
///
/// # Errors
/// The ID is malformed, the server refuses, or cannot be reached.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    let id = args.key.id();
    let client = context.client()?;
    let call = async |page_size: &str, token: &str| access_key::list_operations(client, &id, page_size, token).await;
    let listing = args.paging.unfiltered(call, "operations").collect().await;
    let listing = listing.map_err(|error| about_key(error, "list the operations on", &id))?;
    let cut_off = listing.cut_off.then_some(listing.items.len());
    context.printer.print(Output::List { message: &OPERATION, values: listing.items, columns: COLUMNS }).await?;
    context.note_cut_off(cut_off, "operations");
    Ok(Outcome::default())
}
