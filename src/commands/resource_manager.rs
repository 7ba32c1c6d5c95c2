//! `resource-manager`: the clouds and folders that there are, so that their IDs can be found.

use clap::{Args, Subcommand};

use super::args::paging::Paging;
use super::args::table::TableArgs;
use super::deferred::Deferred;
use super::{Outcome, listing};
use crate::api::cloud::{self, CLOUD};
use crate::api::folder::{self, FOLDER};
use crate::context::{Context, about_place};
use crate::error::{Error, Result};
use crate::output::list::List;
use crate::output::{Cell, Column};
use crate::text::ids;

/// List clouds and folders
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find clouds
    #[command(subcommand)]
    Cloud(Deferred<CloudCommand>),
    /// Find folders
    #[command(subcommand)]
    Folder(Deferred<FolderCommand>),
}

/// Find clouds
#[derive(Debug, Subcommand)]
pub enum CloudCommand {
    /// List the clouds that the caller can see
    List(Deferred<ListCloudsArgs>),
}

/// Find folders
#[derive(Debug, Subcommand)]
pub enum FolderCommand {
    /// List the folders of a cloud
    List(Deferred<ListFoldersArgs>),
}

/// List the clouds that the caller can see
#[derive(Debug, Args)]
pub struct ListCloudsArgs {
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    table: TableArgs,
    /// Only the clouds of the organization of this ID
    #[arg(long, value_name = "ID", value_parser = ids::parse_id)]
    organization_id: Option<String>,
}

/// List the folders of a cloud
#[derive(Debug, Args)]
pub struct ListFoldersArgs {
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    table: TableArgs,
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    match command {
        Command::Cloud(Deferred(CloudCommand::List(Deferred(args)))) => list_clouds(args, context).await,
        Command::Folder(Deferred(FolderCommand::List(Deferred(args)))) => list_folders(args, context).await,
    }
}

const CLOUD_COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "NAME", cell: Cell::Field("name") },
    Column { header: "ORGANIZATION ID", cell: Cell::Field("organization_id") },
];

async fn list_clouds(args: ListCloudsArgs, context: &Context<'_>) -> Result<Outcome> {
    let table = args.table.options(&CLOUD, context)?;
    let (client, organization) = (context.client()?, args.organization_id.as_deref());
    let call = async |page_size: &str, token: &str| cloud::page(client, organization, page_size, token).await;
    let list = List {
        message: &CLOUD,
        columns: CLOUD_COLUMNS,
        items: "clouds",
        limit: args.paging.limit(),
        follow: true,
        keep: None,
        table,
    };
    let about = |error: Error| error.context("cannot list clouds");
    listing::print(list, "clouds", args.paging.page_size(true), call, about, context).await?;
    Ok(Outcome::default())
}

const FOLDER_COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "NAME", cell: Cell::Field("name") },
    Column { header: "STATUS", cell: Cell::Field("status") },
];

async fn list_folders(args: ListFoldersArgs, context: &Context<'_>) -> Result<Outcome> {
    let table = args.table.options(&FOLDER, context)?;
    let cloud = context.settings.cloud_id.as_ref().ok_or_else(|| {
        Error::usage("folders are listed of a cloud, and no cloud is given").hint(
            "give --cloud-id, set YC_CLOUD_ID, or put 'cloud-id' into the profile; to find the ID, type: \
             yc-rs resource-manager cloud list",
        )
    })?;
    let client = context.client()?;
    let call = async |page_size: &str, token: &str| folder::page(client, &cloud.value, "", page_size, token).await;
    let list = List {
        message: &FOLDER,
        columns: FOLDER_COLUMNS,
        items: "folders",
        limit: args.paging.limit(),
        follow: true,
        keep: None,
        table,
    };
    let about = |error: Error| {
        let place = format!("the cloud ID {} comes from {}", cloud.value, cloud.origin);
        about_place(error.context("cannot list folders"), "cloud", &place)
    };
    listing::print(list, "folders", args.paging.page_size(true), call, about, context).await?;
    Ok(Outcome::default())
}
