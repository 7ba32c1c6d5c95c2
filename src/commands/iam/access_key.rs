//! `iam access-key`

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;

use crate::api::access_key::{self, ACCESS_KEY, CREATE_RESPONSE, LONGEST_DESCRIPTION};
use crate::api::operation::OPERATION;
use crate::api::temporary_access_key::{self, CreateEphemeral, EPHEMERAL_KEY, LIFETIMES};
use crate::api::{self, Pages, service_account};
use crate::auth::cache::Need;
use crate::commands::Outcome;
use crate::commands::deferred::Deferred;
use crate::commands::operation;
use crate::commands::paging::Paging;
use crate::context::Context;
use crate::duration;
use crate::error::{Error, Result};
use crate::output::{Cell, Column, Output};
use crate::policy::{self, Place};
use crate::session_name;
use crate::status::Code;

/// The most calls that are under way at the same time.
const AT_ONCE: usize = 8;

/// Manage keys for the S3-compatible API of Object Storage
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create an access key for a service account and print its secret
    Create(Deferred<CreateArgs>),
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
    IssueEphemeral(Deferred<IssueEphemeralArgs>),
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    match command {
        Command::Create(Deferred(args)) => create(args, context).await,
        Command::List(Deferred(args)) => list(args, context).await,
        Command::Get(Deferred(args)) => get(args, context).await,
        Command::Update(Deferred(args)) => update(args, context).await,
        Command::Delete(Deferred(args)) => delete(args, context).await,
        Command::ListOperations(Deferred(args)) => list_operations(args, context).await,
        Command::IssueEphemeral(Deferred(args)) => issue_ephemeral(args, context).await,
    }
}

/// The service account a key belongs to; without either flag it is the caller.
#[derive(Debug, Args)]
pub struct Owner {
    /// ID of the service account [default: the caller]
    #[arg(long, value_name = "ID", conflicts_with = "service_account_name", value_parser = id)]
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

async fn account_id(name: &str, context: &Context<'_>) -> Result<String> {
    api::check_name("--service-account-name", name)?;
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
            api::segment(&id)?;
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
}

async fn create(args: CreateArgs, context: &Context<'_>) -> Result<Outcome> {
    let owner = args.owner.id(context).await?;
    let call = access_key::create(context.client()?, owner.as_deref(), args.description.as_deref());
    let account = owner.as_ref().map(|id| format!(" --service-account-id {id}")).unwrap_or_default();
    let advice = format!(
        "a key may have been created, and nobody has its secret; look for it by its creation time, and delete it: \
         yc-rs iam access-key list{account} --format table"
    );
    let value = context.making(advice, call).await.map_err(|error| error.context("cannot create an access key"))?;
    let id = value["accessKey"]["id"].as_str().unwrap_or_default();
    let only_copy = format!("the secret of the new key is lost; delete the key: yc-rs iam access-key delete {id}");
    let output = Output::Object { message: &CREATE_RESPONSE, value };
    Ok(Outcome { output, failures: Vec::new(), only_copy: Some(only_copy) })
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
    #[command(flatten)]
    key: OneKey,
    /// New description; an empty one removes it
    #[arg(long, value_name = "TEXT", required = true, allow_hyphen_values = true, value_parser = description)]
    description: String,
    /// Print the operation at once instead of waiting for it
    #[arg(long)]
    r#async: bool,
}

async fn update(args: UpdateArgs, context: &Context<'_>) -> Result<Outcome> {
    let id = args.key.id();
    let operation = access_key::update(context.client()?, &id, &args.description)
        .await
        .map_err(|error| about_key(error, "update", &id))?;
    if args.r#async {
        return Ok(Output::Object { message: &OPERATION, value: operation }.into());
    }
    let mut done = operation::wait(context, operation).await.map_err(|error| about_key(error, "update", &id))?;
    Ok(Output::Object { message: &ACCESS_KEY, value: response(&mut done) }.into())
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

/// Issue an access key that ends by itself and print its secret and session token
#[derive(Debug, Args)]
pub struct IssueEphemeralArgs {
    /// ID of the subject the key is for [default: the caller]
    #[arg(long, value_name = "ID", conflicts_with = "service_account_name", value_parser = id)]
    subject_id: Option<String>,
    /// Name of the service account the key is for, in the current folder
    #[arg(long, value_name = "NAME")]
    service_account_name: Option<String>,
    /// What the use of the key is called in audit logs [default: yc-rs-<login>-<time>]
    #[arg(long, value_name = "NAME", value_parser = session_name::check)]
    session_name: Option<String>,
    /// Policy that narrows the rights of the key: JSON, a file, or `-` for standard input
    #[arg(long, value_name = "JSON|FILE|-")]
    policy: Option<String>,
    /// How long the key lives, 15m to 12h [default: as long as the IAM token it is issued with]
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    duration: Option<Duration>,
}

async fn issue_ephemeral(args: IssueEphemeralArgs, context: &Context<'_>) -> Result<Outcome> {
    let policy = args.policy.as_deref().map(|argument| read_policy(argument, context)).transpose()?;
    let subject_id = match &args.service_account_name {
        Some(name) => Some(account_id(name, context).await?),
        None => args.subject_id,
    };
    let session_name =
        args.session_name.unwrap_or_else(|| session_name::generate(context.env.login(), Utc::now().timestamp()));
    let request = CreateEphemeral { subject_id, session_name, policy, duration: args.duration };
    let client = context.client()?;
    if let Some(duration) = args.duration {
        // A key does not outlive the token that it is issued with, so one that is long enough is had first.
        client.tokens().token(Need::AtLeast(duration)).await?;
    }
    let call = temporary_access_key::create_ephemeral(client, &request);
    let advice = "a key may have been issued, and nobody has its secret; it cannot be deleted and ends by itself; \
                  run the command again for another one"
        .to_owned();
    let value = context.making(advice, call).await.map_err(|error| error.context("cannot issue an ephemeral key"))?;
    if let Some(note) = shortfall(&value, args.duration, Utc::now()) {
        context.log.note(&note);
    }
    let id = value["accessKeyId"].as_str().unwrap_or_default();
    let end = value["expiresAt"].as_str().unwrap_or_default();
    let only_copy = format!("the secret of the key {id} is lost; it cannot be deleted and ends by itself at {end}");
    let output = Output::Object { message: &EPHEMERAL_KEY, value };
    Ok(Outcome { output, failures: Vec::new(), only_copy: Some(only_copy) })
}

fn read_policy(argument: &str, context: &Context<'_>) -> Result<String> {
    let wrong = |rule: String| Error::usage(format!("--policy {rule}"));
    match policy::place(argument) {
        Place::Inline(text) => policy::compact(text).map_err(wrong),
        Place::File(path) => {
            let text = context.read_input(path, "--policy")?;
            policy::compact(&text).map_err(|rule| wrong(format!("('{path}') {rule}")))
        }
    }
}

/// What to say when the server granted a shorter life than was asked for; a minute is left for clocks that differ.
fn shortfall(key: &Value, asked: Option<Duration>, now: DateTime<Utc>) -> Option<String> {
    let asked = asked?;
    let end = DateTime::parse_from_rfc3339(key["expiresAt"].as_str()?).ok()?.to_utc();
    let granted = (end - now).to_std().unwrap_or_default();
    (granted + Duration::from_secs(60) < asked).then(|| {
        let granted = Duration::from_secs(granted.as_secs());
        format!(
            "{} were asked for, {} granted: a key does not outlive the IAM token it is issued with",
            duration::human(asked),
            duration::human(granted)
        )
    })
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

fn id(text: &str) -> Result<String, String> {
    api::segment(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn description(text: &str) -> Result<String, String> {
    match text.chars().count() {
        length if length > LONGEST_DESCRIPTION => {
            Err(format!("it has {length} characters, but at most {LONGEST_DESCRIPTION} are allowed"))
        }
        _ => Ok(text.to_owned()),
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if LIFETIMES.contains(&duration) { Ok(duration) } else { Err("a key lives between 15m and 12h".to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lifetime_is_between_15_minutes_and_12_hours() {
        for text in ["15m", "900s", "1h30m", "1.5h", "12h", "43200s"] {
            assert!(lifetime(text).is_ok(), "{text}");
        }
        for text in ["14m59s", "899.999s", "12h1s", "1month", "0s", "1h30", ""] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_that_ends_early_is_noted() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
        let key = json!({"expiresAt": "2026-01-01T00:30:00.5Z"});
        let note = shortfall(&key, Some(Duration::from_secs(3600)), now).unwrap();
        assert!(note.starts_with("1h were asked for, 30m granted"), "{note}");
        assert_eq!(shortfall(&key, Some(Duration::from_secs(1800)), now), None);
        assert_eq!(shortfall(&key, None, now), None);
    }

    #[test]
    fn use_is_counted_from_creation_for_a_key_never_used() {
        let used = json!({"createdAt": "2020-01-01T00:00:00Z", "lastUsedAt": "2026-01-01T00:00:00Z"});
        let unused = json!({"createdAt": "2020-01-01T00:00:00Z"});
        assert_eq!(last_sign_of_use(&used).unwrap().to_rfc3339(), "2026-01-01T00:00:00+00:00");
        assert_eq!(last_sign_of_use(&unused).unwrap().to_rfc3339(), "2020-01-01T00:00:00+00:00");
        assert_eq!(last_sign_of_use(&json!({})), None);
    }
}
