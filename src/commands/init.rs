//! `init`: sets up a profile, by questions at a terminal or by flags alone.
//!
//! Nothing is written until every answer is there.

use clap::Args as ClapArgs;
use secrecy::ExposeSecret;
use serde_json::Value as Json;
use toml::Value;

use super::ask::{self, Choice};
use super::config::confirm_copy;
use super::config::keys::{From, Key};
use super::config::profile::profile_name;
use super::local::Local;
use crate::api::pages::{MAX_PAGE_SIZE, Pages};
use crate::api::{cloud, folder};
use crate::config::edit::{self, Document, FIRST_PROFILE};
use crate::config::settings::{GlobalFlags, Settings};
use crate::config::{CREDENTIALS, Config, Profile};
use crate::context::Context;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::input;
use crate::status::Code;

/// Set up a profile, asking for what is not given
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Without a terminal nothing is asked; give then --profile, a credential (--token or one of the flags above) and \
--folder-id. Other settings: yc-rs config set")]
pub struct Args {
    /// Key file of a service account, whose contents are stored in the profile
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    service_account_key: Option<String>,
    /// Key file of a service account, which stays where it is
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    service_account_key_file: Option<String>,
    /// Sign in as the service account of this virtual machine
    #[arg(long)]
    instance_service_account: bool,
    /// Command whose first line of output is a token, as a JSON array
    #[arg(long, value_name = "JSON")]
    token_command: Option<String>,
}

/// The answers, in the order of the questions.
struct Setup {
    profile: String,
    is_new: bool,
    values: Vec<(Key, Value)>,
}

impl Setup {
    fn apply(&self, document: &mut Document) -> Result<()> {
        if self.is_new {
            document.create_profile(&self.profile)?;
        }
        for (key, value) in &self.values {
            document.set(&self.profile, &key.path(), value)?;
        }
        document.set_current(&self.profile);
        Ok(())
    }
}

/// Sets up a profile and makes it the one in use.
///
/// # Errors
/// An answer is missing and there is nobody to ask, or is wrong; a list of the cloud cannot be had; the configuration
/// cannot be written.
pub async fn run(args: &Args, local: &Local<'_>) -> Result<()> {
    let document = edit::current(local.env)?;
    let config = document.config()?;
    let credential = given_credential(args, local).await?;
    let folder = given_folder(local.flags)?;
    let place = given_place(local.flags)?;
    let name = match local.wanted_profile() {
        None if config.names()?.is_empty() => Some(FIRST_PROFILE.to_owned()),
        wanted => wanted.map(str::to_owned),
    };
    let terminal = local.env.terminal;
    let all_given = name.is_some() && credential.is_some() && !folder.is_empty();
    let asks = !all_given && terminal.stdin && terminal.stderr && local.flags.allows_questions();

    if !asks {
        let existing = name.as_deref().map(|name| existing(&config, name)).transpose()?.unwrap_or_default();
        check_complete(name.as_deref(), credential.is_some(), &folder, &existing)?;
    }
    let profile = match name {
        Some(name) => name,
        None => ask_profile(&config).await?,
    };
    let is_new = !config.names()?.contains(&profile.as_str());
    if is_new {
        profile_name(&profile).map_err(|rule| Error::usage(format!("'{profile}': {rule}")))?;
    }
    let existing = existing(&config, &profile)?;
    let mut setup = Setup { profile, is_new, values: Vec::new() };
    setup.values.extend(match credential {
        Some(credential) => vec![credential],
        None if asks => ask_credential(&existing, local.env).await?,
        None => Vec::new(),
    });
    for (key, value) in &setup.values {
        if let Some(note) = key.note(Some(value)) {
            local.log.note(note);
        }
    }
    setup.values.extend(place);
    let asks_folder = asks && !folder.iter().any(|(key, _)| key.name != "cloud-id");
    setup.values.extend(folder);
    if asks_folder {
        let found = ask_folder(&document, &setup, local).await?;
        setup.values.extend(found);
    }
    let updated = edit::update(local.env, &local.log, |document| setup.apply(document)).await?;
    confirm_copy(&updated, local);
    let done = if is_new { "created" } else { "updated" };
    local.confirm(&format!("Profile '{}' {done} and activated", setup.profile));
    Ok(())
}

/// The credential that a flag gives.
async fn given_credential(args: &Args, local: &Local<'_>) -> Result<Option<(Key, Value)>> {
    let token = match &local.flags.token {
        Some(token) if token.expose_secret() == "-" => Some(input::stdin("--token").await?),
        token => token.as_ref().map(|token| token.expose_secret().to_owned()),
    };
    let given = [
        ("token", token),
        ("service-account-key", args.service_account_key.clone()),
        ("service-account-key-file", args.service_account_key_file.clone()),
        ("instance-service-account", args.instance_service_account.then(|| "true".to_owned())),
        ("token-command", args.token_command.clone()),
    ];
    let mut given = given.into_iter().filter_map(|(name, text)| Some((name, text?)));
    let Some((name, text)) = given.next() else { return Ok(None) };
    if let Some((other, _)) = given.next() {
        return Err(Error::usage(format!("--{name} and --{other} are both given, but a profile has one credential")));
    }
    Ok(Some(checked(name, &text)?))
}

/// Cloud and folder as far as flags give them.
fn given_folder(flags: &GlobalFlags) -> Result<Vec<(Key, Value)>> {
    let given = [("cloud-id", &flags.cloud_id), ("folder-id", &flags.folder_id), ("folder-name", &flags.folder_name)];
    given.into_iter().filter_map(|(name, text)| Some(checked(name, text.as_ref()?))).collect()
}

/// Where the cloud is and on whose behalf it is used, as far as flags tell.
fn given_place(flags: &GlobalFlags) -> Result<Vec<(Key, Value)>> {
    let bundle = flags.ca_bundle.as_ref().map(|path| path.display().to_string());
    let given = [
        ("endpoint", flags.endpoint.clone()),
        ("ca-bundle", bundle),
        ("impersonate-service-account-id", flags.impersonate_service_account_id.clone()),
    ];
    given.into_iter().filter_map(|(name, text)| Some(checked(name, &text?))).collect()
}

fn checked(name: &str, text: &str) -> Result<(Key, Value)> {
    let key = Key::find(name)?;
    let value = key.value(text, From::CommandLine)?;
    value.map(|value| (key, value)).ok_or_else(|| Error::usage(format!("{name} is not set by '{text}'")))
}

/// The profile as it is now; an empty one when it is to be made.
fn existing(config: &Config, name: &str) -> Result<Profile> {
    if config.names()?.contains(&name) { config.profile(Some(name)) } else { Ok(Profile::default()) }
}

/// Checks that no question is open when nobody can be asked; what the profile has already counts as an answer.
fn check_complete(name: Option<&str>, credential: bool, folder: &[(Key, Value)], existing: &Profile) -> Result<()> {
    let given = |name: &str| existing.has(name) || folder.iter().any(|(key, _)| key.name == name);
    let mut flags = Vec::new();
    if name.is_none() {
        flags.push("--profile");
    }
    if !credential && !CREDENTIALS.iter().any(|key| existing.has(key)) {
        flags.push(
            "a credential (--token, --service-account-key, --service-account-key-file, --instance-service-account or \
             --token-command)",
        );
    }
    if given("folder-name") && !given("folder-id") && !given("cloud-id") {
        flags.push("--cloud-id for --folder-name");
    } else if !given("folder-id") && !given("folder-name") {
        flags.push("--folder-id");
    }
    if flags.is_empty() { Ok(()) } else { Err(missing(&flags)) }
}

fn missing(flags: &[&str]) -> Error {
    Error::usage(format!("init cannot ask without a terminal, and this is missing: {}", flags.join(", ")))
        .hint("yc-rs init --profile NAME --service-account-key FILE --folder-id ID")
}

async fn ask_profile(config: &Config) -> Result<String> {
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
            Ok(name) if names.contains(&name.as_str()) => ask::say(&format!("there is a profile '{name}' already")),
            Ok(name) => return Ok(name),
            Err(rule) => ask::say(&rule),
        }
    }
}

/// A way to sign in, as the menu shows it.
#[derive(Debug, Clone, Copy)]
enum Way {
    Keep,
    KeyFile,
    Token,
    Metadata,
    Command,
    WorkloadIdentity,
}

async fn ask_credential(existing: &Profile, env: &Env) -> Result<Vec<(Key, Value)>> {
    let kept = CREDENTIALS.iter().find(|key| existing.has(key));
    let mut ways: Vec<_> = kept.map(|key| (Way::Keep, format!("as before, with {key}"))).into_iter().collect();
    ways.extend([
        (Way::KeyFile, "with the key file of a service account".to_owned()),
        (
            Way::Token,
            "with a token: IAM (lives 12 hours at most) or OAuth (no new ones are accepted since 2026-06-01)"
                .to_owned(),
        ),
        (Way::Metadata, "as the service account of this virtual machine".to_owned()),
        (Way::Command, "with a command that prints a token".to_owned()),
        (Way::WorkloadIdentity, "by workload identity federation".to_owned()),
    ]);
    let choices: Vec<_> = ways.iter().map(|(_, text)| Choice::new(text)).collect();
    let (way, _) = ways[ask::choose("How does it sign in?", &choices).await?];
    Ok(match way {
        Way::Keep => Vec::new(),
        Way::KeyFile => vec![ask_key_file(env).await?],
        Way::Token => vec![ask_token().await?],
        Way::Metadata => vec![checked("instance-service-account", "true")?],
        Way::Command => vec![ask_command().await?],
        Way::WorkloadIdentity => vec![
            ask_value("workload-identity.service-account-id", "ID of the service account").await?,
            ask_value(
                "workload-identity.subject-token",
                "Where the provider's token comes from (github-actions, env:NAME or file:PATH)",
            )
            .await?,
        ],
    })
}

async fn ask_key_file(env: &Env) -> Result<(Key, Value)> {
    loop {
        let answer = ask::line("Path of the key file").await?;
        let path = match (answer.strip_prefix("~/"), &env.home) {
            (Some(rest), Some(home)) => home.join(rest).to_string_lossy().into_owned(),
            _ => answer,
        };
        match checked("service-account-key", &path) {
            Ok(credential) => return Ok(credential),
            Err(error) => ask::say(&error.to_string()),
        }
    }
}

async fn ask_token() -> Result<(Key, Value)> {
    loop {
        let token = ask::secret("Token").await?;
        match checked("token", token.expose_secret()) {
            Ok(credential) => return Ok(credential),
            Err(error) => ask::say(&error.to_string()),
        }
    }
}

async fn ask_command() -> Result<(Key, Value)> {
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

async fn ask_value(name: &str, question: &str) -> Result<(Key, Value)> {
    loop {
        match checked(name, &ask::line(question).await?) {
            Ok(value) => return Ok(value),
            Err(error) => ask::say(&error.to_string()),
        }
    }
}

/// Cloud and folder, chosen from those that the new credential can see.
async fn ask_folder(document: &Document, setup: &Setup, local: &Local<'_>) -> Result<Vec<(Key, Value)>> {
    let (env, flags) = alone(local);
    let mut scratch = document.clone();
    setup.apply(&mut scratch)?;
    let profile = scratch.config()?.profile(Some(&setup.profile))?;
    let context =
        Context::new(&env, &flags, Settings::with_profile(&flags, &env, profile)?, local.log.clone(), local.printer()?);
    let client = context.client()?;
    let mut found = Vec::new();
    let given = setup.values.iter().find(|(key, _)| key.name == "cloud-id").and_then(|(_, value)| value.as_str());
    let cloud_id = if let Some(id) = given {
        Some(id.to_owned())
    } else {
        let page = async |size: &str, token: &str| cloud::list(client, size, token).await;
        ask_resource("cloud", &visible("clouds", page).await?).await?
    };
    let folders = match &cloud_id {
        // The ID of a folder is enough for everything but looking up folders by name.
        None => Vec::new(),
        Some(cloud) => {
            found.push(checked("cloud-id", cloud)?);
            let page = async |size: &str, token: &str| folder::list(client, cloud, "", size, token).await;
            visible("folders", page).await?
        }
    };
    if let Some(id) = ask_resource("folder", &folders).await? {
        found.push(checked("folder-id", &id)?);
    }
    Ok(found)
}

/// Environment and flags in which the profile's own credential decides.
fn alone(local: &Local<'_>) -> (Env, GlobalFlags) {
    let mut env = local.env.clone();
    for name in ["YC_IAM_TOKEN", "YC_TOKEN", "YC_SERVICE_ACCOUNT_KEY_FILE"] {
        env.vars.remove(name);
    }
    (env, GlobalFlags { token: None, ..local.flags.clone() })
}

/// What the caller can see of a kind of resource; nothing when even asking is not allowed, as for a service account
/// whose only rights are on a folder.
async fn visible(items: &'static str, call: impl AsyncFn(&str, &str) -> Result<Json>) -> Result<Vec<Json>> {
    let pages = Pages { call, items, limit: usize::MAX, page_size: MAX_PAGE_SIZE, follow: true, keep: &|_| true };
    match pages.collect().await {
        Ok(listing) => Ok(listing.items),
        Err(error) if error.code() == Some(Code::PermissionDenied) => Ok(Vec::new()),
        Err(error) => Err(error.context(format!("cannot list the {items}"))),
    }
}

/// The ID of the resource that the person chooses; `None` when none is wanted.
async fn ask_resource(kind: &str, resources: &[Json]) -> Result<Option<String>> {
    let text = |resource: &Json, field: &str| resource[field].as_str().unwrap_or_default().to_owned();
    match resources {
        [] => ask_id(kind).await,
        [only] => {
            ask::say(&format!("The {kind} is {} ({}), the only one there is.", text(only, "name"), text(only, "id")));
            Ok(Some(text(only, "id")))
        }
        _ => {
            let named = |resource: &Json| {
                let (name, id) = (text(resource, "name"), text(resource, "id"));
                Choice { text: format!("{name} ({id})"), names: vec![name, id] }
            };
            let mut choices: Vec<_> = resources.iter().map(named).collect();
            choices.push(Choice::new("none"));
            let chosen = ask::choose(&format!("Which {kind}?"), &choices).await?;
            Ok(resources.get(chosen).map(|resource| text(resource, "id")))
        }
    }
}

async fn ask_id(kind: &str) -> Result<Option<String>> {
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
