//! `iam access-key`

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;

use super::ephemeral_key::{self, IssueEphemeralArgs};
use super::exec::{self, ExecArgs};
use crate::api::access_key::{self, ACCESS_KEY, CREATE_REQUEST, CREATE_RESPONSE, LONGEST_DESCRIPTION, UPDATE_REQUEST};
use crate::api::operation::OPERATION;
use crate::api::{Pages, service_account};
use crate::commands::Outcome;
use crate::commands::args::paging::Paging;
use crate::commands::args::request_file::{ExampleArgs, FileArg};
use crate::commands::deferred::Deferred;
use crate::commands::delivery::{Delivery, ExportArg, Issued, RegionArg};
use crate::commands::operation;
use crate::context::Context;
use crate::credentials::forms::{Credentials, ExportFormat};
use crate::error::{Error, Result};
use crate::output::{Cell, Column, Output};
use crate::status::Code;
use crate::text::duration;
use crate::text::ids;

/// The most calls that are under way at the same time.
const AT_ONCE: usize = 8;

/// Manage keys for the S3-compatible API of Object Storage
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create an access key for a service account and print its secret
    Create(Box<Deferred<CreateArgs>>),
    /// List the access keys of a service account
    List(Deferred<ListArgs>),
    /// Show access keys
    #[command(visible_aliases = ["describe", "show"])]
    Get(Deferred<GetArgs>),
    /// Change the description of an access key
    Update(Deferred<UpdateArgs>),
    /// Delete access keys
    Delete(Deferred<DeleteArgs>),
    /// List the operations on an access key
    ListOperations(Deferred<ListOperationsArgs>),
    /// Issue an access key that ends by itself and print its secret and session token
    IssueEphemeral(Box<Deferred<IssueEphemeralArgs>>),
    /// Run a command with a key that ends by itself in its environment
    Exec(Box<Deferred<ExecArgs>>),
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    match command {
        Command::Create(args) => create(args.0, context).await,
        Command::List(Deferred(args)) => list(args, context).await,
        Command::Get(Deferred(args)) => get(args, context).await,
        Command::Update(Deferred(args)) => update(args, context).await,
        Command::Delete(Deferred(args)) => delete(args, context).await,
        Command::ListOperations(Deferred(args)) => list_operations(args, context).await,
        Command::IssueEphemeral(args) => ephemeral_key::issue_ephemeral(args.0, context).await,
        Command::Exec(args) => exec::exec(args.0, context).await,
    }
}

/// The service account a key belongs to; without either flag it is the caller.
#[derive(Debug, Args)]
pub struct Owner {
    /// ID of the service account [default: the caller]
    #[arg(long, value_name = "ID", conflicts_with = "service_account_name", value_parser = ids::parse_id)]
    service_account_id: Option<String>,
    /// Name of the service account in the current folder
    #[arg(long, value_name = "NAME")]
    service_account_name: Option<String>,
}

impl Owner {
    async fn id(self, context: &Context<'_>) -> Result<Option<String>> {
        match self.service_account_name {
            Some(name) => Ok(Some(account_id(&name, context).await?)),
            None => Ok(self.service_account_id),
        }
    }
}

/// The ID of the service account of this name in the current folder.
///
/// # Errors
/// There is none, or no folder is given.
pub(super) async fn account_id(name: &str, context: &Context<'_>) -> Result<String> {
    ids::check_name("--service-account-name", name).map_err(Error::usage)?;
    let folder = context.folder_id().await?;
    service_account::id_by_name(context.client()?, &folder, name).await
}

/// An access key by its resource ID.
#[derive(Debug, Args)]
#[group(id = "key", required = true, multiple = false)]
pub struct OneKey {
    /// ID of the access key (not the key ID that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID")]
    access_key_id: Option<String>,
    /// The same as a flag
    #[arg(long, value_name = "ID", alias = "access-key-id")]
    id: Option<String>,
}

impl OneKey {
    fn id(self) -> String {
        self.access_key_id.or(self.id).unwrap_or_default()
    }
}

/// Access keys by their resource IDs.
#[derive(Debug, Args)]
#[group(id = "keys", required = true, multiple = false)]
pub struct Keys {
    /// IDs of the access keys (not the key IDs that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID")]
    access_key_ids: Vec<String>,
    /// ID of the access key
    #[arg(long, value_name = "ID", alias = "access-key-id")]
    id: Option<String>,
}

impl Keys {
    /// The IDs, each once and in the order given. All are checked before the first is used.
    fn ids(self) -> Result<Vec<String>> {
        let mut ids: Vec<String> = Vec::new();
        for id in self.access_key_ids.into_iter().chain(self.id) {
            ids::check_id(&id).map_err(Error::usage)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}

/// Create an access key for a service account and print its secret
#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    owner: Owner,
    /// Description of the key
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = description)]
    description: Option<String>,
    #[command(flatten)]
    export: ExportArg,
    #[command(flatten)]
    region: RegionArg,
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    examples: ExampleArgs,
}

async fn create(mut args: CreateArgs, context: &Context<'_>) -> Result<Outcome> {
    if let Some(skeleton) = args.examples.skeleton(&CREATE_REQUEST, &[], context)? {
        return Ok(skeleton);
    }
    let file = args.file.read(&CREATE_REQUEST, context).await?;
    let description = file.or_field(args.description, "description", description)?;
    args.owner.service_account_id =
        file.or_field(args.owner.service_account_id, "service_account_id", ids::parse_id)?;
    if args.export.export == Some(ExportFormat::Process) {
        let message = "--export process is not for keys that do not end: AWS clients run the command again and again, \
                       and each time would make another key";
        return Err(Error::usage(message).hint("use: yc-rs iam access-key issue-ephemeral --export process"));
    }
    let delivery = Delivery::settle(&args.export, None, &args.region, context).await?;
    delivery.refuse_idle(&args.region)?;
    let owner = args.owner.id(context).await?;
    let call = access_key::create(context.client()?, owner.as_deref(), description.as_deref());
    let account = owner.as_ref().map(|id| format!(" --service-account-id {id}")).unwrap_or_default();
    let advice = format!(
        "a key may have been created, and nobody has its secret; look for it by its creation time, and delete it: \
         yc-rs iam access-key list{account} --format table"
    );
    let value = context.making(advice, call).await.map_err(|error| error.context("cannot create an access key"))?;
    let id = value["accessKey"]["id"].as_str().unwrap_or_default();
    let only_copy = format!("the secret of the new key is lost; delete the key: yc-rs iam access-key delete {id}");
    let issued = Issued { value, message: &CREATE_RESPONSE, read: Credentials::of_static_key, only_copy };
    delivery.hand_over(issued, context).await
}

/// List the access keys of a service account
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    owner: Owner,
    #[command(flatten)]
    paging: Paging,
    /// Print the first page and no more
    #[arg(long)]
    no_paginate: bool,
    /// Print only the keys that were not used for this long, e.g. 90d (a key never used counts from its creation)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    unused_for: Option<Duration>,
}

/// The columns of `yc iam access-key list`.
///
/// Source: yandex-cloud/docs, `en/iam/operations/authentication/manage-access-keys.md`.
const LIST_COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "SERVICE ACCOUNT ID", cell: Cell::Field("service_account_id") },
    Column { header: "KEY ID", cell: Cell::Field("key_id") },
];

async fn list(args: ListArgs, context: &Context<'_>) -> Result<Outcome> {
    let owner = args.owner.id(context).await?;
    let client = context.client()?;
    let unused_before = args.unused_for.map(|unused| before(Utc::now(), unused));
    let keep = |key: &Value| unused_before.is_none_or(|time| last_sign_of_use(key).is_some_and(|used| used <= time));
    let call = async |page_size: &str, token: &str| access_key::list(client, owner.as_deref(), page_size, token).await;
    let pages = match unused_before {
        Some(_) => args.paging.some(call, "accessKeys", &keep),
        None => args.paging.all(call, "accessKeys"),
    };
    let pages = Pages { follow: !args.no_paginate, ..pages };
    let listing = pages.collect().await.map_err(|error| error.context("cannot list access keys"))?;
    context.note_cut_off(&listing, "keys");
    Ok(Output::List { message: &ACCESS_KEY, values: listing.items, columns: LIST_COLUMNS }.into())
}

fn before(now: DateTime<Utc>, duration: Duration) -> DateTime<Utc> {
    let earlier = TimeDelta::from_std(duration).ok().and_then(|delta| now.checked_sub_signed(delta));
    earlier.unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// When a key was used last, or was created if it never was; `None` when the server does not tell.
fn last_sign_of_use(key: &Value) -> Option<DateTime<Utc>> {
    let time = key["lastUsedAt"].as_str().or(key["createdAt"].as_str())?;
    Some(DateTime::parse_from_rfc3339(time).ok()?.to_utc())
}

/// Show access keys
#[derive(Debug, Args)]
pub struct GetArgs {
    #[command(flatten)]
    keys: Keys,
}

async fn get(args: GetArgs, context: &Context<'_>) -> Result<Outcome> {
    let ids = args.keys.ids()?;
    let client = context.client()?;
    let show = async |id: &str| access_key::get(client, id).await.map_err(|error| about_key(error, "get", id));
    let results = for_each(&ids, show).await;
    outcome(
        results,
        &ids,
        |value| Output::Object { message: &ACCESS_KEY, value },
        |values| Output::Objects { message: &ACCESS_KEY, values },
    )
}

/// Change the description of an access key
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// ID of the access key (not the key ID that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID", conflicts_with = "id")]
    access_key_id: Option<String>,
    /// The same as a flag
    #[arg(long, value_name = "ID", alias = "access-key-id")]
    id: Option<String>,
    /// New description; an empty one removes it
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = description)]
    description: Option<String>,
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    examples: ExampleArgs,
    /// Print the operation at once instead of waiting for it
    #[arg(long)]
    r#async: bool,
}

async fn update(args: UpdateArgs, context: &Context<'_>) -> Result<Outcome> {
    if let Some(skeleton) =
        args.examples.skeleton(&UPDATE_REQUEST, &[("update_mask", "description".into())], context)?
    {
        return Ok(skeleton);
    }
    let file = args.file.read(&UPDATE_REQUEST, context).await?;
    let id = file.or_field(args.access_key_id.or(args.id), "access_key_id", ids::parse_id)?;
    let id = id.ok_or_else(|| {
        Error::usage("no key is named: ACCESS-KEY-ID is missing")
            .hint("give it: yc-rs iam access-key update <ACCESS-KEY-ID>")
    })?;
    if file.text("update_mask")?.is_some_and(|mask| mask != "description") {
        return Err(file.wrong("update_mask", "must be 'description', the only field that can be changed"));
    }
    // A description in the file may be empty, which removes the one there is.
    let in_file = file.text_or_empty("description")?.map(|text| description(&text)).transpose();
    let in_file = in_file.map_err(|rule| file.wrong("description", &format!("is wrong: {rule}")))?;
    let description = args.description.or(in_file).ok_or_else(|| {
        Error::usage("no description is given").hint("give --description TEXT; an empty one removes the description")
    })?;
    let operation = access_key::update(context.client()?, &id, &description)
        .await
        .map_err(|error| about_key(error, "update", &id))?;
    if args.r#async {
        return Ok(Output::Object { message: &OPERATION, value: operation }.into());
    }
    let mut done = operation::wait(context, operation).await.map_err(|error| about_key(error, "update", &id))?;
    let value = match response(&mut done) {
        key if key.is_object() => key,
        _ => access_key::get(context.client()?, &id).await.map_err(|error| about_key(error, "get", &id))?,
    };
    Ok(Output::Object { message: &ACCESS_KEY, value }.into())
}

/// The message within the `response` of an Operation: an `Any` in JSON has its type beside the fields.
fn response(operation: &mut Value) -> Value {
    let mut response = operation["response"].take();
    if let Some(fields) = response.as_object_mut() {
        fields.shift_remove("@type");
    }
    response
}

/// Delete access keys
#[derive(Debug, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    keys: Keys,
    /// Print the operations at once instead of waiting for them
    #[arg(long)]
    r#async: bool,
}

async fn delete(args: DeleteArgs, context: &Context<'_>) -> Result<Outcome> {
    let ids = args.keys.ids()?;
    let remove =
        async |id: &str| delete_one(id, args.r#async, context).await.map_err(|error| about_key(error, "delete", id));
    let results = for_each(&ids, remove).await;
    if args.r#async {
        outcome(
            results,
            &ids,
            |value| Output::Object { message: &OPERATION, value },
            |values| Output::Objects { message: &OPERATION, values },
        )
    } else {
        outcome(results, &ids, |_| Output::Nothing, |_| Output::Nothing)
    }
}

/// Deletes one key and returns the Operation, or null when the key was gone already.
async fn delete_one(id: &str, no_wait: bool, context: &Context<'_>) -> Result<Value> {
    let client = context.client()?;
    let answer = access_key::delete(client, id).await?;
    let repeated = answer.resent;
    match answer.into_json() {
        // The first attempt did the work and its answer was lost.
        Err(error) if repeated && error.code() == Some(Code::NotFound) => Ok(Value::Null),
        Err(error) => Err(client.explain(error)),
        Ok(operation) if no_wait => Ok(operation),
        Ok(operation) => operation::wait(context, operation).await,
    }
}

/// List the operations on an access key
#[derive(Debug, Args)]
pub struct ListOperationsArgs {
    #[command(flatten)]
    key: OneKey,
    #[command(flatten)]
    paging: Paging,
}

const OPERATION_COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "CREATED AT", cell: Cell::Time("created_at") },
    Column { header: "CREATED BY", cell: Cell::Field("created_by") },
    Column { header: "MODIFIED AT", cell: Cell::Time("modified_at") },
    Column { header: "STATUS", cell: Cell::Computed(operation_status) },
    Column { header: "DESCRIPTION", cell: Cell::Field("description") },
];

fn operation_status(operation: &Value) -> String {
    let status = match (operation["done"] == true, operation.get("error").is_some()) {
        (_, true) => "ERROR",
        (true, false) => "DONE",
        (false, false) => "RUNNING",
    };
    status.to_owned()
}

async fn list_operations(args: ListOperationsArgs, context: &Context<'_>) -> Result<Outcome> {
    let id = args.key.id();
    let client = context.client()?;
    let call = async |page_size: &str, token: &str| access_key::list_operations(client, &id, page_size, token).await;
    let listing = args.paging.all(call, "operations").collect().await;
    let listing = listing.map_err(|error| about_key(error, "list the operations on", &id))?;
    context.note_cut_off(&listing, "operations");
    Ok(Output::List { message: &OPERATION, values: listing.items, columns: OPERATION_COLUMNS }.into())
}

/// Runs the work for every ID, several at once, and returns the results in the order of the IDs.
async fn for_each<T>(ids: &[String], work: impl AsyncFn(&str) -> Result<T>) -> Vec<Result<T>> {
    let work = &work;
    let numbered = stream::iter(ids).enumerate().map(|(place, id)| async move { (place, work(id).await) });
    let mut results: Vec<_> = numbered.buffer_unordered(AT_ONCE).collect().await;
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// What the results for several IDs come to: for a single ID its result or its error, else what succeeded and what
/// failed.
fn outcome(
    results: Vec<Result<Value>>,
    ids: &[String],
    one: impl FnOnce(Value) -> Output,
    several: impl FnOnce(Vec<Value>) -> Output,
) -> Result<Outcome> {
    let mut values = Vec::new();
    let mut failures = Vec::new();
    for result in results {
        match result {
            // A deletion of which no Operation is known.
            Ok(Value::Null) => {}
            Ok(value) => values.push(value),
            Err(error) if ids.len() == 1 => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    let output = match values.pop() {
        Some(value) if ids.len() == 1 => one(value),
        Some(last) => {
            values.push(last);
            several(values)
        }
        None => Output::Nothing,
    };
    Ok(Outcome { output, failures, only_copy: None })
}

/// Says which key an error is about, and helps with the usual mistake: the ID that S3 knows is not the key's own.
fn about_key(error: Error, verb: &str, id: &str) -> Error {
    let error = error.context(format!("cannot {verb} the access key '{id}'"));
    if !id.starts_with("YCA") {
        return error;
    }
    error.hint(format!(
        "{id} looks like the key ID of S3, but this command takes the ID of the resource; find it with: \
         yc-rs iam access-key list --service-account-id <ID> --jq '.[] | select(.key_id == \"{id}\") | .id'"
    ))
}

fn description(text: &str) -> Result<String, String> {
    match text.chars().count() {
        length if length > LONGEST_DESCRIPTION => {
            Err(format!("it has {length} characters, but at most {LONGEST_DESCRIPTION} are allowed"))
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn use_is_counted_from_creation_for_a_key_never_used() {
        let used = json!({"createdAt": "2020-01-01T00:00:00Z", "lastUsedAt": "2026-01-01T00:00:00Z"});
        let unused = json!({"createdAt": "2020-01-01T00:00:00Z"});
        assert_eq!(last_sign_of_use(&used).unwrap().to_rfc3339(), "2026-01-01T00:00:00+00:00");
        assert_eq!(last_sign_of_use(&unused).unwrap().to_rfc3339(), "2020-01-01T00:00:00+00:00");
        assert_eq!(last_sign_of_use(&json!({})), None);
    }
}
