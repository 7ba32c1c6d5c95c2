//! `config profile`

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use serde_json::json;

use super::{SecretsArg, update};
use crate::commands::completion;
use crate::commands::deferred::Deferred;
use crate::commands::local::Local;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::output::{Format, Output};
use crate::text::quote;

/// Manage profiles
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create an empty profile and use it from now on
    Create(Deferred<CreateArgs>),
    /// Use a profile from now on
    Activate(Deferred<NameArgs>),
    /// List the profiles
    List(Deferred<ListArgs>),
    /// Print the values of a profile
    Get(Deferred<GetArgs>),
    /// Delete a profile
    Delete(Deferred<NameArgs>),
}

impl Command {
    /// Whether it may have to wait for a lock.
    pub fn may_wait(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Get(_))
    }
}

/// A profile to create.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Name of the profile: lower-case letters, digits and hyphens, first a letter
    #[arg(value_name = "NAME", value_parser = profile_name)]
    name: String,
}

/// An existing profile.
#[derive(Debug, clap::Args)]
pub struct NameArgs {
    /// Name of the profile
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(completion::profiles))]
    name: String,
}

/// A profile whose values are printed.
#[derive(Debug, clap::Args)]
pub struct GetArgs {
    #[command(flatten)]
    profile: NameArgs,
    #[command(flatten)]
    secrets: SecretsArg,
}

/// List the profiles
#[derive(Debug, clap::Args)]
pub struct ListArgs {}

/// Runs one of the commands.
///
/// # Errors
/// The configuration cannot be read or written, or there is no such profile, or it cannot be deleted.
pub(super) async fn run(command: Command, local: &Local<'_>) -> Result<Output> {
    match command {
        Command::Create(Deferred(args)) => create(&args.name, local).await,
        Command::Activate(Deferred(args)) => activate(&args.name, local).await,
        Command::List(Deferred(ListArgs {})) => list(local),
        Command::Get(Deferred(args)) => get(&args, local),
        Command::Delete(Deferred(args)) => delete(&args.name, local).await,
    }
}

async fn create(name: &str, local: &Local<'_>) -> Result<Output> {
    update(local, |document| {
        document.create_profile(name)?;
        document.set_current(name);
        Ok(())
    })
    .await?;
    local.confirm(&format!("Profile {} created and activated", quote::value(name)));
    Ok(Output::Nothing)
}

async fn activate(name: &str, local: &Local<'_>) -> Result<Output> {
    update(local, |document| {
        document.check_profile(name)?;
        document.set_current(name);
        Ok(())
    })
    .await?;
    local.confirm(&format!("Profile {} activated", quote::value(name)));
    Ok(Output::Nothing)
}

fn list(local: &Local<'_>) -> Result<Output> {
    let config = Config::load(local.env)?;
    let names = config.names()?;
    let is_active = |name: &str| config.current() == Some(name);
    if local.flags.jq.is_some() || local.flags.format.is_some_and(|format| format != Format::Text) {
        let entry = |name: &&str| json!({"name": name, "active": is_active(name)});
        return Ok(Output::Value(names.iter().map(entry).collect()));
    }
    if names.is_empty() {
        return Ok(Output::Nothing);
    }
    let lines: Vec<_> =
        names.iter().map(|name| format!("{name}{}", if is_active(name) { " ACTIVE" } else { "" })).collect();
    Ok(Output::Value(lines.join("\n").into()))
}

fn get(args: &GetArgs, local: &Local<'_>) -> Result<Output> {
    let profile = Config::load(local.env)?.profile(Some(&args.profile.name))?;
    Ok(super::all_values(&profile, &args.secrets, local))
}

async fn delete(name: &str, local: &Local<'_>) -> Result<Output> {
    update(local, |document| {
        document.check_profile(name)?;
        let config = document.config()?;
        let refusal =
            |reason: &str| Error::usage(format!("the profile {} cannot be deleted: {reason}", quote::value(name)));
        if config.names()?.len() == 1 {
            return Err(refusal("it is the only one").hint("to create another, type: yc-rs config profile create NAME"));
        }
        if config.current() == Some(name) {
            return Err(refusal("it is in use").hint("type first: yc-rs config profile activate OTHER-NAME"));
        }
        document.delete_profile(name)
    })
    .await?;
    local.confirm(&format!("Profile {} deleted", quote::value(name)));
    Ok(Output::Nothing)
}

/// Checks the name of a new profile.
///
/// # Errors
/// It is not such a name; the message gives the rule.
///
/// Source: yandex-cloud/docs, `en/cli/operations/profile/profile-create.md`.
pub(in crate::commands) fn profile_name(name: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(inner) {
        return Ok(name.to_owned());
    }
    Err("the name of a profile has lower-case letters, digits and hyphens, and begins with a letter".to_owned())
}
