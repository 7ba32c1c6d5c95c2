//! The questions of `init`. A question is asked again until its answer is valid.

use secrecy::ExposeSecret;
use serde_json::Value as Json;
use toml::Value;

use super::{Setup, checked, checked_argument};
use crate::api::pages::{MAX_PAGE_SIZE, Pages};
use crate::api::{cloud, folder};
use crate::auth::sign_in::{self, BROWSER_KEYS};
use crate::commands::ask::{self, Choice};
use crate::commands::config::keys::Key;
use crate::commands::config::profile::profile_name;
use crate::commands::local::Local;
use crate::config::edit::Document;
use crate::config::settings::{GlobalFlags, Settings};
use crate::config::{Config, Profile};
use crate::context::Context;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::status::Code;
use crate::text::quote;

/// The name of the profile to set up.
pub(super) async fn profile(config: &Config) -> Result<String> {
    let names = config.names()?;
    // The profile in use is the first, since that is the answer to an empty line.
    let (mut order, others): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| config.current() == Some(**name));
    order.extend(others);
    let mut choices: Vec<_> =
        order.iter().map(|name| Choice { text: (*name).into(), names: vec![(*name).into()] }).collect();
    choices.push(Choice::new("a new profile"));
    let chosen = ask::choose("Which profile is to be set up?", &choices).await?;
    if let Some(name) = order.get(chosen) {
        return Ok((*name).to_owned());
    }
    loop {
        match profile_name(&ask::line("Name of the new profile").await?) {
            Ok(name) if names.contains(&name.as_str()) => {
                ask::say(&format!("there already is a profile {}", quote::value(&name)));
            }
            Ok(name) => return Ok(name),
            Err(rule) => ask::say(&rule),
        }
    }
}

/// An entry of the menu of credentials.
#[derive(Debug, Clone, Copy)]
enum SignInMethod {
    Keep,
    KeyFile,
    Token,
    Metadata,
    Command,
    WorkloadIdentity,
}

/// The credential of the profile; nothing when the profile keeps the one it has.
pub(super) async fn credential(existing: &Profile, env: &Env) -> Result<Vec<(Key, Value)>> {
    let current = sign_in::profile_keys().find(|key| existing.has(key));
    let mut methods: Vec<_> =
        current.map(|key| (SignInMethod::Keep, format!("the current one: {key}"))).into_iter().collect();
    methods.extend([
        (SignInMethod::KeyFile, "the key file of a service account".to_owned()),
        (SignInMethod::Token, "a token: IAM (12 hours at most), or OAuth (if issued before 2026-06-01)".to_owned()),
        (SignInMethod::Metadata, "the service account of this virtual machine".to_owned()),
        (SignInMethod::Command, "a command that prints a token".to_owned()),
        (SignInMethod::WorkloadIdentity, "workload identity federation".to_owned()),
    ]);
    // In such a profile yc signs a person in through a browser, and can go on to do so.
    let by_browser = current.is_none() && BROWSER_KEYS.iter().any(|key| existing.has(key));
    let command = methods.iter().position(|(method, _)| matches!(method, SignInMethod::Command));
    if let Some(at) = command.filter(|_| by_browser) {
        methods[..=at].rotate_right(1);
    }
    let choices: Vec<_> = methods.iter().map(|(_, text)| Choice::new(text)).collect();
    let (method, _) = methods[ask::choose("Which credential does the profile use?", &choices).await?];
    Ok(match method {
        SignInMethod::Keep => Vec::new(),
        SignInMethod::KeyFile => vec![key_file(env).await?],
        SignInMethod::Token => vec![token().await?],
        SignInMethod::Metadata => vec![checked("instance-service-account", "true")?],
        SignInMethod::Command => vec![token_command().await?],
        SignInMethod::WorkloadIdentity => vec![
            value("workload-identity.service-account-id", "ID of the service account").await?,
            value(
                "workload-identity.subject-token",
                "Where the provider's token comes from (github-actions, env:NAME or file:PATH)",
            )
            .await?,
        ],
    })
}

async fn key_file(env: &Env) -> Result<(Key, Value)> {
    loop {
        let answer = ask::line("Path of the key file").await?;
        match checked_argument("service-account-key", &answer, env).await {
            Ok(credential) => return Ok(credential),
            Err(error) => ask::say(&error.to_string()),
        }
    }
}

async fn token() -> Result<(Key, Value)> {
    loop {
        let token = ask::secret("Token").await?;
        match checked("token", token.expose_secret()) {
            Ok(credential) => return Ok(credential),
            Err(error) => ask::say(&error.to_string()),
        }
    }
}

async fn token_command() -> Result<(Key, Value)> {
    loop {
        let answer = ask::line_or("Command", "yc iam create-token").await?;
        let words = || answer.split_whitespace().map(Json::from).collect::<Json>().to_string();
        let json = if answer.starts_with('[') { answer.clone() } else { words() };
        match checked("token-command", &json) {
            Ok(credential) => return Ok(credential),
            Err(error) => ask::say(&error.to_string()),
        }
    }
}

async fn value(name: &str, question: &str) -> Result<(Key, Value)> {
    loop {
        match checked(name, &ask::line(question).await?) {
            Ok(value) => return Ok(value),
            Err(error) => ask::say(&error.to_string()),
        }
    }
}

/// What is done after the clouds or folders could not be listed.
#[derive(Debug, Clone, Copy)]
pub(super) enum AfterFailure {
    Repeat,
    OtherCredential,
    SaveWithoutFolder,
}

/// Shows why clouds or folders could not be listed, and asks how to go on. The answers before are not lost.
pub(super) async fn after_failure(error: &Error) -> Result<AfterFailure> {
    ask::say(&format!("The credential does not work yet: {error}"));
    if let Some(hint) = error.hint_text() {
        hint.lines().for_each(|line| ask::say(&format!("hint: {line}")));
    }
    let methods = [
        (AfterFailure::Repeat, "try again"),
        (AfterFailure::OtherCredential, "give another credential"),
        (AfterFailure::SaveWithoutFolder, "save the profile all the same, without a folder"),
    ];
    let choices: Vec<_> = methods.iter().map(|(_, text)| Choice::new(*text)).collect();
    Ok(methods[ask::choose("How to go on?", &choices).await?].0)
}

/// The cloud and the folder, chosen from those that the new credential can see.
pub(super) async fn folder(document: &Document, setup: &Setup, local: &Local<'_>) -> Result<Vec<(Key, Value)>> {
    // The profile's own credential is to be used, not one of the environment or the command line.
    let env = sign_in::without_env_credentials(local.env);
    let flags = GlobalFlags { token: None, ..local.flags.clone() };
    let mut changed = document.clone();
    setup.apply(&mut changed)?;
    let profile = changed.config()?.profile(Some(&setup.profile))?;
    let context =
        Context::new(&env, &flags, Settings::with_profile(&flags, &env, profile)?, local.log.clone(), local.printer()?);
    let client = context.client()?;
    let mut chosen = Vec::new();
    let given = setup.values.iter().find(|(key, _)| key.name == "cloud-id").and_then(|(_, value)| value.as_str());
    let cloud_id = if let Some(id) = given {
        Some(id.to_owned())
    } else {
        let page = async |size: &str, token: &str| cloud::list(client, None, size, token).await;
        resource("cloud", &visible("clouds", page).await?).await?
    };
    let folders = match &cloud_id {
        // The ID of a folder is enough for everything but looking up folders by name.
        None => Vec::new(),
        Some(cloud) => {
            chosen.push(checked("cloud-id", cloud)?);
            let page = async |size: &str, token: &str| folder::list(client, cloud, "", size, token).await;
            visible("folders", page).await?
        }
    };
    if let Some(id) = resource("folder", &folders).await? {
        chosen.push(checked("folder-id", &id)?);
    }
    Ok(chosen)
}

/// The resources of a kind that the caller can see; none when listing is not allowed, as for a service account whose only
/// roles are on a folder.
async fn visible(items: &'static str, call: impl AsyncFn(&str, &str) -> Result<Json>) -> Result<Vec<Json>> {
    let pages = Pages { call, items, limit: usize::MAX, page_size: MAX_PAGE_SIZE, follow: true, keep: &|_| true };
    match pages.collect().await {
        Ok(listing) => Ok(listing.items),
        Err(error) if error.code() == Some(Code::PermissionDenied) => Ok(Vec::new()),
        Err(error) => Err(error.context(format!("cannot list the {items}"))),
    }
}

/// The ID of the chosen resource; `None` when the answer is none.
async fn resource(kind: &str, resources: &[Json]) -> Result<Option<String>> {
    let field = |resource: &Json, field: &str| resource[field].as_str().unwrap_or_default().to_owned();
    match resources {
        [] => resource_id(kind).await,
        [only] => {
            ask::say(&format!("The {kind} is {} ({}), the only one.", field(only, "name"), field(only, "id")));
            Ok(Some(field(only, "id")))
        }
        _ => {
            let choice = |resource: &Json| {
                let (name, id) = (field(resource, "name"), field(resource, "id"));
                Choice { text: format!("{name} ({id})"), names: vec![name, id] }
            };
            let mut choices: Vec<_> = resources.iter().map(choice).collect();
            choices.push(Choice::new("none"));
            let chosen = ask::choose(&format!("Which {kind}?"), &choices).await?;
            Ok(resources.get(chosen).map(|resource| field(resource, "id")))
        }
    }
}

async fn resource_id(kind: &str) -> Result<Option<String>> {
    ask::say(&format!("No {kind} can be listed with this credential."));
    loop {
        let id = ask::line(&format!("ID of the {kind} (empty: none)")).await?;
        if id.is_empty() {
            return Ok(None);
        }
        match checked(&format!("{kind}-id"), &id) {
            Ok(_) => return Ok(Some(id)),
            Err(error) => ask::say(&error.to_string()),
        }
    }
}
