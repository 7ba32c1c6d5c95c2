//! `iam access-key list-operations`

use crate::api::access_key;
use crate::api::operation::OPERATION;
use crate::commands::args::key_selector::{OneKey, SearchArgs};
use crate::commands::args::paging::Paging;
use crate::commands::args::table::TableArgs;
use crate::commands::{Outcome, listing};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keys::static_key::about_key;
use crate::message::Node;
use crate::output::list::List;
use crate::output::{Cell, Column};

/// List the operations on an access key
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    key: OneKey,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    table: TableArgs,
}

const COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "CREATED AT", cell: Cell::Time("created_at") },
    Column { header: "CREATED BY", cell: Cell::Field("created_by") },
    Column { header: "MODIFIED AT", cell: Cell::Time("modified_at") },
    Column { header: "STATUS", cell: Cell::Computed(status) },
    Column { header: "DESCRIPTION", cell: Cell::Field("description") },
];

fn status(operation: &Node<'_>) -> String {
    let status = match (operation.get("done") == Some(&Node::Bool(true)), operation.get("error").is_some()) {
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
    let table = args.table.options(&OPERATION, context)?;
    let id = args.key.id(args.search, context).await?;
    let client = context.client()?;
    let call = async |page_size: &str, token: &str| access_key::list_operations(client, &id, page_size, token).await;
    let list = List {
        message: &OPERATION,
        columns: COLUMNS,
        items: "operations",
        limit: args.paging.limit(),
        follow: true,
        keep: None,
        table,
    };
    let about = |error: Error| about_key(error, "list the operations on", &id);
    listing::print(list, "operations", args.paging.page_size(true), call, about, context).await?;
    Ok(Outcome::default())
}
