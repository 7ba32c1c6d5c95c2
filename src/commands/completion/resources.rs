//! Service accounts and access keys of the folder in force, for the shell.
//!
//! They are read with a token that is at hand: one that is given, or cached. Nothing is exchanged, executed or asked, and
//! only lists are read. Whatever fails, there is nothing to offer.

use std::ffi::OsString;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap_complete::CompletionCandidate;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::api::access_key::{self, AccessKey};
use crate::commands::local;
use crate::commands::usage::early_texts;
use crate::config::Config;
use crate::config::settings::{GlobalFlags, Settings};
use crate::context::Context;
use crate::env::Env;
use crate::error::Result;
use crate::keys::concurrent::for_each;
use crate::keys::walk::{Account, Scope, accounts};
use crate::log::Log;
use crate::output::Format;
use crate::store::Store;
use crate::text::digest::fingerprint;
use crate::text::{escape, ids};

/// What is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Names of service accounts.
    AccountNames,
    /// IDs of service accounts.
    AccountIds,
    /// Resource IDs of access keys.
    Keys,
    /// The IDs of access keys that S3 clients show.
    KeyIds,
}

/// How long a person waits for an answer.
const LIMIT: Duration = Duration::from_secs(2);
/// How long an answer is cached.
const CACHED_FOR: TimeDelta = TimeDelta::minutes(1);

/// What can stand in a place of the line, and what is said about it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    obtained_at: DateTime<Utc>,
    values: Vec<(String, String)>,
}

/// What can stand where the shell asks; the words are those of the line.
pub fn candidates(kind: Kind, words: &[OsString]) -> Vec<CompletionCandidate> {
    let candidate = |(value, help): (String, String)| {
        // The server has chosen the text, and a shell shows it as it is.
        let help = escape::single_line(&help).into_owned();
        CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.into()))
    };
    let found = values(kind, words).unwrap_or_default().into_iter();
    let can_be_typed = |value: &str| ids::check_id(value).is_ok() && escape::single_line(value) == value;
    found.filter(|(value, _)| can_be_typed(value)).map(candidate).collect()
}

fn values(kind: Kind, words: &[OsString]) -> Result<Vec<(String, String)>> {
    let env = Env::from_process()?;
    env.check()?;
    let flags = flags(words);
    let settings = Settings::resolve(&flags, &env, &Config::load(&env)?)?;
    let printer = local::printer(Format::default(), &flags, &env)?;
    let context = Context::new(&env, &flags, settings, Log::default(), printer);
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Ok(Vec::new()) };
    let found = runtime.block_on(async { timeout(LIMIT, cached(kind, words, &context)).await });
    // A name resolution may still be running on a thread of its own.
    runtime.shutdown_background();
    found.unwrap_or(Ok(Vec::new()))
}

/// The flags of the line that decide who asks what, with one attempt for each request.
fn flags(words: &[OsString]) -> GlobalFlags {
    let text = |flag: &str| early_texts(words, flag).last().map(str::to_owned);
    GlobalFlags {
        profile: text("--profile"),
        token: text("--token").map(Into::into),
        impersonate_service_account_id: text("--impersonate-service-account-id"),
        cloud_id: text("--cloud-id"),
        folder_id: text("--folder-id"),
        folder_name: text("--folder-name"),
        endpoint: text("--endpoint"),
        ca_bundle: text("--ca-bundle").map(Into::into),
        retry: Some(0),
        connect_timeout: Some(LIMIT),
        read_timeout: Some(LIMIT),
        ..GlobalFlags::default()
    }
}

async fn cached(kind: Kind, words: &[OsString], context: &Context<'_>) -> Result<Vec<(String, String)>> {
    let tokens = context.client()?.tokens();
    if !tokens.use_token_at_hand().await? {
        return Ok(Vec::new());
    }
    let scope = scope(kind, words, context).await?;
    let store = Store::completions(context.cache_home().as_deref());
    let sign_in = &tokens.sign_in;
    let name = fingerprint(&[
        context.endpoints()?.configured(crate::endpoints::Service::Iam),
        &sign_in.credential.name(context.env)?,
        sign_in.impersonate.as_deref().unwrap_or_default(),
        &format!("{kind:?} {scope:?}"),
    ]);
    let is_fresh = |answer: &Answer| (Utc::now() - answer.obtained_at).abs() < CACHED_FOR;
    if let Some(answer) = store.load(&name).filter(is_fresh) {
        return Ok(answer.values);
    }
    let answer = Answer { obtained_at: Utc::now(), values: list(kind, &scope, context).await? };
    store.save(&name, &answer);
    store.sweep(|answer: Answer| !is_fresh(&answer));
    Ok(answer.values)
}

/// The account that the line names for its keys, else the folder in force.
async fn scope(kind: Kind, words: &[OsString], context: &Context<'_>) -> Result<Scope> {
    if matches!(kind, Kind::Keys | Kind::KeyIds) {
        if let Some(id) = early_texts(words, "--service-account-id").last() {
            return Ok(Scope::Account(id.to_owned()));
        }
        if let Some(name) = early_texts(words, "--service-account-name").last() {
            return Ok(Scope::Account(context.service_account_id("--service-account-name", name).await?));
        }
    }
    Ok(Scope::Folder(context.folder_id().await?))
}

async fn list(kind: Kind, scope: &Scope, context: &Context<'_>) -> Result<Vec<(String, String)>> {
    let mut accounts = accounts(scope, context).await?.accounts;
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(match kind {
        Kind::AccountNames => accounts.into_iter().map(|account| (account.name, account.id)).collect(),
        Kind::AccountIds => accounts.into_iter().map(|account| (account.id, account.name)).collect(),
        Kind::Keys | Kind::KeyIds => keys(kind, &accounts, context).await?,
    })
}

/// The keys of the accounts by one of their IDs, with account and description.
async fn keys(kind: Kind, accounts: &[Account], context: &Context<'_>) -> Result<Vec<(String, String)>> {
    let client = context.client()?;
    let found = for_each(accounts, async |account: &Account| {
        let row = |key: AccessKey| {
            let help = [account.name.clone(), key.description];
            let help = help.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
            (if kind == Kind::KeyIds { key.key_id } else { key.id }, help)
        };
        let listed = access_key::all(client, &account.id).await?;
        Result::Ok(listed.keys.into_iter().map(row).collect::<Vec<_>>())
    });
    let found: Vec<Result<Vec<_>>> = found.await;
    Ok(found.into_iter().flatten().flatten().collect())
}
