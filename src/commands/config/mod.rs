//! `config`

pub mod keys;
pub(super) mod profile;
pub mod shadowing;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use serde_json::Value as Json;

use super::deferred::Deferred;
use super::local::Local;
use crate::auth::browser::{BrowserSession, PROFILE_KEY, session_id};
use crate::auth::credential::Credential;
use crate::auth::session::SessionFile;
use crate::auth::token_cache::TokenCache;
use crate::config::edit::{self, Document, FIRST_PROFILE, Updated};
use crate::config::{Config, Profile, nearest};
use crate::error::{Error, Kind, Result};
use crate::input;
use crate::output::{Format, Output};
use crate::secret::{MASK, is_secret_field};
use crate::store;
use crate::text::{form, quote};
use keys::{Input, Key};

/// Read and change the configuration
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the values of the profile in use
    List(Deferred<ListArgs>),
    /// Print a value of the profile in use
    Get(Deferred<GetArgs>),
    /// Set a value of the profile in use
    Set(Deferred<SetArgs>),
    /// Remove a value of the profile in use
    Unset(Deferred<UnsetArgs>),
    /// Manage profiles
    #[command(subcommand)]
    Profile(Deferred<profile::Command>),
}

impl Command {
    /// Whether it may have to wait: for standard input, a file, or a lock.
    pub fn may_wait(&self) -> bool {
        match self {
            Self::List(_) | Self::Get(_) => false,
            Self::Profile(Deferred(command)) => command.may_wait(),
            Self::Set(_) | Self::Unset(_) => true,
        }
    }
}

/// Runs one of the commands.
///
/// # Errors
/// The configuration cannot be read or written, or holds no such profile or value.
pub async fn run(command: Command, local: &Local<'_>) -> Result<Output> {
    match command {
        Command::List(Deferred(args)) => list(&args, local),
        Command::Get(Deferred(args)) => get(&args, local),
        Command::Set(Deferred(args)) => set(&args, local).await,
        Command::Unset(Deferred(args)) => unset(&args, local).await,
        Command::Profile(Deferred(command)) => profile::run(command, local).await,
    }
}

/// Print the values of the profile in use
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    secrets: SecretsArg,
}

/// Whether secrets are shown on a terminal.
#[derive(Debug, Args)]
pub struct SecretsArg {
    /// Show tokens and private keys on a terminal too, where they are masked by default
    #[arg(long)]
    show_secrets: bool,
}

fn list(args: &ListArgs, local: &Local<'_>) -> Result<Output> {
    let config = Config::load(local.env)?;
    let profile = config.profile(local.requested_profile())?;
    match &config.path {
        Some(path) => {
            local.log.note(&format!("these are the values of {} in {}", profile.title(), quote::full_path(path)));
        }
        None => local.log.note("there is no configuration file; to create one, type: yc-rs init"),
    }
    Ok(all_values(&profile, &args.secrets, local))
}

/// All values of a profile. On a terminal, where somebody else may see them, secrets are masked.
fn all_values(profile: &Profile, secrets: &SecretsArg, local: &Local<'_>) -> Output {
    let values = Json::Object(profile.values().iter().map(|(key, value)| (key.clone(), to_json(value))).collect());
    if secrets.show_secrets || !local.env.terminal.stdout {
        return Output::Value(values);
    }
    let masked = with_masks("", &values);
    if masked != values {
        local.log.note("secrets are masked; to show them, give --show-secrets");
    }
    Output::Value(masked)
}

/// The value of this name with masks in the place of secrets.
fn with_masks(name: &str, value: &Json) -> Json {
    // `subject-token` says where the token is.
    let is_secret = |text: &str| form::secret_in(text).is_some() || (is_secret_field(name) && name != "subject-token");
    match value {
        Json::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), with_masks(name, value))).collect(),
        Json::Array(items) => items.iter().map(|item| with_masks(name, item)).collect(),
        Json::String(text) if is_secret(text) => MASK.into(),
        other => other.clone(),
    }
}

/// Print a value of the profile in use
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Name of the value; a dot leads into a table
    #[arg(value_name = "KEY", add = ArgValueCandidates::new(keys::candidates))]
    key: String,
}

fn get(args: &GetArgs, local: &Local<'_>) -> Result<Output> {
    let key = &args.key;
    let profile = local.profile()?;
    let values = profile.values();
    let found = values.get(key).or_else(|| {
        let mut names = key.split('.');
        let first = values.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    });
    match (found, local.flags.format) {
        (Some(value), Some(Format::Table)) => Ok(Output::Value([(key.clone(), to_json(value))].into_iter().collect())),
        (Some(value), _) => Ok(Output::Value(to_json(value))),
        (None, _) => {
            let message = match &profile.name {
                Some(name) => format!("{} is not set in profile {}", quote::value(key), quote::value(name)),
                None => format!("{} is not set: no profile is chosen", quote::value(key)),
            };
            let error = Error::new(Kind::NotSet, message);
            let is_key = Key::find(key).is_ok();
            let near = nearest(key, keys::names()).or(nearest(key, values.keys().map(String::as_str)));
            Err(match near.filter(|_| !is_key) {
                Some(near) => error.hint(format!("did you mean {}?", quote::value(near))),
                None => error.hint("to see what is set, type: yc-rs config list"),
            })
        }
    }
}

/// Set a value of the profile in use
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Name of the value; a dot leads into a table, as in endpoints.iam
    #[arg(value_name = "KEY", add = ArgValueCandidates::new(keys::candidates))]
    key: String,
    /// The value: a file or the key itself for service-account-key, JSON for a list; `-` reads token and
    /// service-account-key from standard input
    #[arg(value_name = "VALUE")]
    value: String,
}

async fn set(args: &SetArgs, local: &Local<'_>) -> Result<Output> {
    let key = Key::find(&args.key)?;
    let value = match args.value.as_str() {
        "-" if key.name == "token" => key.value(&input::secret_stdin(key.name).await?, Input::Stdin)?,
        "-" if key.reads_stdin() => key.value(&input::stdin(key.name).await?, Input::Stdin)?,
        given => key.argument(given, local.env).await?,
    };
    if let Some(note) = key.note(value.as_ref()) {
        local.log.note(note);
    }
    let updated = update(local, |document| {
        let (name, is_new) = profile_to_change(document, local)?;
        match value {
            Some(value) => document.set(&name, &key.path(), &value, &key.conflicting_keys())?,
            None => _ = document.unset(&name, &key.path())?,
        }
        Ok(is_new.then_some(name))
    })
    .await?;
    if let Some(name) = updated.value {
        local.confirm(&format!("Profile {} created and activated", quote::value(&name)));
    }
    Ok(Output::Nothing)
}

/// Remove a value of the profile in use
#[derive(Debug, Args)]
pub struct UnsetArgs {
    /// Name of the value; a dot leads into a table
    #[arg(value_name = "KEY", add = ArgValueCandidates::new(keys::candidates))]
    key: String,
}

async fn unset(args: &UnsetArgs, local: &Local<'_>) -> Result<Output> {
    let key = &args.key;
    let profile = local.profile()?;
    let path: Vec<_> = if profile.has(key) { vec![key.as_str()] } else { key.split('.').collect() };
    // A name that is not a key is an error only when nothing is set under it; it is more likely a typing error then.
    let is_table = keys::names().any(|name| name.split('.').next() == Some(key));
    let unknown = Key::find(key).err().filter(|_| !is_table);
    let Some(name) = profile.name.as_deref() else { return unknown.map_or(Ok(Output::Nothing), Err) };
    update(local, |document| {
        let removed = document.unset(name, &path)?;
        unknown.filter(|_| !removed).map_or(Ok(()), Err)
    })
    .await?;
    Ok(Output::Nothing)
}

/// The profile to change, and whether it was created for the change: the first one is created when there is none.
fn profile_to_change(document: &mut Document, local: &Local<'_>) -> Result<(String, bool)> {
    let config = document.config()?;
    let chosen = local.requested_profile().or(config.current()).map(str::to_owned);
    match chosen {
        Some(name) => Ok((name, false)),
        None if config.names()?.is_empty() => {
            document.create_profile(FIRST_PROFILE)?;
            document.set_current(FIRST_PROFILE);
            Ok((FIRST_PROFILE.to_owned(), true))
        }
        None => Err(Error::config("no profile is chosen: the configuration has no 'current'")
            .hint("type: yc-rs config profile activate NAME; or give --profile")),
    }
}

/// Changes the configuration, and tells what else that did: the profiles of `yc` are copied for the first write, a private
/// key that is replaced is kept, and the session of a sign-in that no profile names any more is removed.
///
/// # Errors
/// Those of `change`; the configuration cannot be read or written.
pub(super) async fn update<T>(
    local: &Local<'_>,
    change: impl FnOnce(&mut Document) -> Result<T>,
) -> Result<Updated<T>> {
    let updated = edit::update(local.env, &local.log, |document| {
        let before = sessions(document);
        let value = change(document)?;
        Ok((value, &before - &sessions(document)))
    });
    let Updated { value: (value, ended), path, copied_from, backup } = updated.await?;
    if let Some(from) = &copied_from {
        local.confirm(&format!(
            "The profiles of {} were copied to {}, which is used from now on",
            quote::full_path(from),
            quote::full_path(&path)
        ));
    }
    if let Some(backup) = &backup {
        local.confirm(&format!(
            "The private key of the profile was replaced; the previous configuration is in {}",
            quote::full_path(backup)
        ));
    }
    for id in ended {
        match forget_session(&id, local).await {
            Ok(()) => local.confirm(
                "The earlier session of yc-rs login was removed from this machine; on the server it was not revoked",
            ),
            // The configuration is changed all the same.
            Err(error) => local.log.warn(&format!("the earlier session of yc-rs login stays on this machine: {error}")),
        }
    }
    Ok(Updated { value, path, copied_from, backup })
}

/// Removes a session and its tokens from this machine, when no other process uses it.
async fn forget_session(id: &str, local: &Local<'_>) -> Result<()> {
    let file = SessionFile::of(id, local.env)?;
    let _lock = file.lock(&local.log).await?;
    TokenCache::new(store::directory(local.env).as_deref()).take(&BrowserSession::new(id).name(local.env)?);
    file.remove()
}

/// The sessions that profiles name. What is malformed names none.
fn sessions(document: &Document) -> BTreeSet<String> {
    let config = document.config().unwrap_or_default();
    let names = config.names().unwrap_or_default().into_iter();
    let profiles = names.filter_map(|name| config.profile(Some(name)).ok());
    profiles.filter_map(|profile| session_id(profile.table(PROFILE_KEY).ok()??).map(str::to_owned)).collect()
}

/// The same value in JSON.
fn to_json(value: &toml::Value) -> Json {
    match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(set) => (*set).into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.iter().map(to_json).collect(),
        toml::Value::Table(fields) => fields.iter().map(|(key, value)| (key.clone(), to_json(value))).collect(),
    }
}
