//! `iam service-account`

use clap::{Args, Subcommand};

use crate::api::Client;
use crate::api::service_account::{self, SERVICE_ACCOUNT};
use crate::commands::args::paging::Paging;
use crate::commands::args::table::TableArgs;
use crate::commands::deferred::Deferred;
use crate::commands::{Outcome, listing};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::list::List;
use crate::output::{Cell, Column, Output};
use crate::status::Code;
use crate::text::ids;

/// Find service accounts
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the service accounts of a folder
    List(Deferred<ListArgs>),
    /// Show a service account
    #[command(visible_aliases = ["describe", "show"])]
    Get(Deferred<GetArgs>),
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    match command {
        Command::List(Deferred(args)) => list(args, context).await,
        Command::Get(Deferred(args)) => get(args, context).await,
    }
}

/// List the service accounts of a folder
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    table: TableArgs,
}

/// Scripts read ID and NAME from the first two columns.
const COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "NAME", cell: Cell::Field("name") },
    Column { header: "CREATED AT", cell: Cell::Time("created_at") },
    Column { header: "LAST AUTHENTICATED AT", cell: Cell::Time("last_authenticated_at") },
];

async fn list(args: ListArgs, context: &Context<'_>) -> Result<Outcome> {
    let table = args.table.options(&SERVICE_ACCOUNT, context)?;
    let folder = context.folder_id().await?;
    let client = context.client()?;
    let call =
        async |page_size: &str, token: &str| service_account::list(client, &folder, None, page_size, token).await;
    let list = List {
        message: &SERVICE_ACCOUNT,
        columns: COLUMNS,
        items: "serviceAccounts",
        limit: args.paging.limit(),
        follow: true,
        keep: None,
        table,
    };
    let about = |error: Error| context.about_folder(error.context("cannot list service accounts"));
    listing::print(list, "service accounts", args.paging.page_size(true), call, about, context).await?;
    Ok(Outcome::default())
}

/// Show a service account
#[derive(Debug, Args)]
#[group(id = "account", required = true, multiple = false)]
pub struct GetArgs {
    /// ID of the service account, or its name in the current folder
    #[arg(value_name = "ID|NAME")]
    id_or_name: Option<String>,
    /// ID of the service account
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Name of the service account in the current folder
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

async fn get(args: GetArgs, context: &Context<'_>) -> Result<Outcome> {
    let client = context.client()?;
    let value = match (args.id_or_name, args.id, args.name) {
        (Some(text), ..) => by_id_or_name(&text, client, context).await,
        (_, Some(id), _) => service_account::get(client, &id).await,
        (.., name) => by_name(&name.unwrap_or_default(), client, context).await,
    };
    let value = value.map_err(|error| error.context("cannot get the service account"))?;
    context.printer.print(Output::Object { message: &SERVICE_ACCOUNT, value }).await?;
    Ok(Outcome::default())
}

/// The text is tried as an ID first, since an ID is valid everywhere and a name in one folder.
async fn by_id_or_name(text: &str, client: &Client<'_>, context: &Context<'_>) -> Result<serde_json::Value> {
    if ids::check_id(text).is_err() && ids::check_name("the name", text).is_ok() {
        return by_name(text, client, context).await;
    }
    let error = match service_account::get(client, text).await {
        Err(error) if matches!(error.code(), Some(Code::NotFound | Code::InvalidArgument)) => error,
        result => return result,
    };
    if context.settings.folder.is_none() || ids::check_name("the name", text).is_err() {
        return Err(error);
    }
    by_name(text, client, context).await
}

async fn by_name(name: &str, client: &Client<'_>, context: &Context<'_>) -> Result<serde_json::Value> {
    let id = context.service_account_id("--name", name).await?;
    service_account::get(client, &id).await
}
