//! `init`: sets up a profile, with flags alone or with questions at a terminal, which are in `questions`.
//!
//! Nothing is written until every question is answered.

mod questions;

use std::path::Path;

use clap::Args as ClapArgs;
use secrecy::ExposeSecret;
use toml::Value;

use self::questions::AfterFailure;
use super::config::keys::{Input, Key};
use super::config::profile::profile_name;
use super::config::{shadowing, update};
use super::local::Local;
use crate::auth::sign_in::{self, Inputs};
use crate::config::edit::{self, Document, FIRST_PROFILE};
use crate::config::settings::GlobalFlags;
use crate::config::{Config, Profile};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::input;
use crate::text::quote;

/// Set up a profile, asking for what is not given
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Without a terminal no questions are asked: give --profile, a credential (--token or one of the flags above) and \
--folder-id. Other settings: yc-rs config set")]
pub struct Args {
    /// Key of a service account, as a file or itself, which is stored in the profile
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    service_account_key: Option<String>,
    /// Key file of a service account, whose path is stored in the profile
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    service_account_key_file: Option<String>,
    /// Authenticate as the service account of this virtual machine
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
    credential: Vec<(Key, Value)>,
    values: Vec<(Key, Value)>,
    /// Whether there were questions about cloud and folder: the answers then replace those of the profile, also where the
    /// answer is none.
    replaces_place: bool,
}

impl Setup {
    fn apply(&self, document: &mut Document) -> Result<()> {
        if self.is_new {
            document.create_profile(&self.profile)?;
        }
        if self.replaces_place {
            let is_kept = |name: &str| self.values.iter().any(|(key, _)| key.name == name);
            for key in ["cloud-id", "folder-id", "folder-name"].into_iter().filter(|key| !is_kept(key)) {
                document.unset(&self.profile, &[key])?;
            }
        }
        for (key, value) in self.credential.iter().chain(&self.values) {
            document.set(&self.profile, &key.path(), value, &key.conflicting_keys())?;
        }
        document.set_current(&self.profile);
        Ok(())
    }
}

/// Sets up a profile and makes it the one in use.
///
/// # Errors
/// An answer is missing and there is no terminal to ask at, or is invalid; clouds or folders cannot be listed; the
/// configuration cannot be written.
pub async fn run(args: &Args, local: &Local<'_>) -> Result<()> {
    let document = edit::current(local.env)?;
    let config = document.config()?;
    let credential = given_credential(args, local).await?;
    let folder = given_folder(local.flags)?;
    let other = given_other(local).await?;
    let name = match local.requested_profile() {
        None if config.names()?.is_empty() => Some(FIRST_PROFILE.to_owned()),
        requested => requested.map(str::to_owned),
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
        None => questions::profile(&config).await?,
    };
    let is_new = !config.names()?.contains(&profile.as_str());
    if is_new {
        profile_name(&profile).map_err(|rule| Error::usage(format!("{}: {rule}", quote::value(&profile))))?;
    }
    let existing = existing(&config, &profile)?;
    let mut setup = Setup { profile, is_new, credential: Vec::new(), values: Vec::new(), replaces_place: false };
    setup.credential = match credential {
        Some(credential) => vec![credential],
        None if asks => questions::credential(&existing, local.env).await?,
        None => Vec::new(),
    };
    for (key, value) in &setup.credential {
        if let Some(note) = key.note(Some(value)) {
            local.log.note(note);
        }
    }
    setup.values.extend(other);
    let asks_folder = asks && !folder.iter().any(|(key, _)| key.name != "cloud-id");
    setup.values.extend(folder);
    setup.replaces_place = asks_folder;
    let mut is_chosen = !asks_folder;
    while !is_chosen {
        match questions::folder(&document, &setup, local).await {
            Ok(chosen) => {
                setup.values.extend(chosen);
                is_chosen = true;
            }
            Err(error) => match questions::after_failure(&error).await? {
                AfterFailure::Repeat => {}
                AfterFailure::OtherCredential => {
                    setup.credential = questions::credential(&existing, local.env).await?;
                }
                AfterFailure::SaveWithoutFolder => is_chosen = true,
            },
        }
    }
    let updated = update(local, |document| setup.apply(document)).await?;
    let done = if is_new { "created" } else { "updated" };
    local.confirm(&format!("Profile {} {done} and activated", quote::value(&setup.profile)));
    say_what_is_next(&setup, &updated.path, local)
}

/// Tells a person at a terminal where the profile is, what comes before it, and how to go on.
fn say_what_is_next(setup: &Setup, path: &Path, local: &Local<'_>) -> Result<()> {
    let log = &local.log;
    log.note(&format!("the profile is in {}", quote::full_path(path)));
    if setup.credential.iter().any(|(key, _)| key.name == "service-account-key") {
        log.note("the key is stored in the profile; the key file is not needed any more");
    }
    let profile = Config::load(local.env)?.profile(Some(&setup.profile))?;
    let inputs = Inputs { token: None, env: local.env, profile: &profile };
    for shadow in shadowing::find(inputs, None) {
        log.note(&format!("{}; {}", shadow.detail, shadow.hint));
    }
    log.note("to check the set-up, type: yc-rs doctor");
    log.note("to issue a key for an hour, type: yc-rs iam access-key issue-ephemeral --duration 1h");
    Ok(())
}

/// The credential that a flag gives.
async fn given_credential(args: &Args, local: &Local<'_>) -> Result<Option<(Key, Value)>> {
    let token = match &local.flags.token {
        Some(token) if token.expose_secret() == "-" => Some(input::secret_stdin("--token").await?),
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
    Ok(Some(checked_argument(name, &text, local.env).await?))
}

/// The cloud and the folder that flags give.
fn given_folder(flags: &GlobalFlags) -> Result<Vec<(Key, Value)>> {
    let given = [("cloud-id", &flags.cloud_id), ("folder-id", &flags.folder_id), ("folder-name", &flags.folder_name)];
    given.into_iter().filter_map(|(name, text)| Some(checked(name, text.as_ref()?))).collect()
}

/// The endpoint and the account to impersonate that flags give.
async fn given_other(local: &Local<'_>) -> Result<Vec<(Key, Value)>> {
    let flags = local.flags;
    let bundle = flags.ca_bundle.as_ref().map(|path| path.display().to_string());
    let given = [
        ("endpoint", flags.endpoint.clone()),
        ("ca-bundle", bundle),
        ("impersonate-service-account-id", flags.impersonate_service_account_id.clone()),
    ];
    let mut values = Vec::new();
    for (name, text) in given.into_iter().filter_map(|(name, text)| Some((name, text?))) {
        values.push(checked_argument(name, &text, local.env).await?);
    }
    Ok(values)
}

/// As [`checked`], for an argument or an answer that may name a file.
async fn checked_argument(name: &str, text: &str, env: &Env) -> Result<(Key, Value)> {
    let key = Key::find(name)?;
    let value = key.argument(text, env).await?;
    value.map(|value| (key, value)).ok_or_else(|| Error::usage(format!("{name} is not set by {}", quote::value(text))))
}

fn checked(name: &str, text: &str) -> Result<(Key, Value)> {
    let key = Key::find(name)?;
    let value = key.value(text, Input::Argument)?;
    value.map(|value| (key, value)).ok_or_else(|| Error::usage(format!("{name} is not set by {}", quote::value(text))))
}

/// The profile as it is now; an empty one when it is new.
fn existing(config: &Config, name: &str) -> Result<Profile> {
    if config.names()?.contains(&name) { config.profile(Some(name)) } else { Ok(Profile::default()) }
}

/// Checks that nothing is missing where no questions can be asked; what the profile already has counts.
fn check_complete(name: Option<&str>, credential: bool, folder: &[(Key, Value)], existing: &Profile) -> Result<()> {
    let given = |name: &str| existing.has(name) || folder.iter().any(|(key, _)| key.name == name);
    let mut flags = Vec::new();
    if name.is_none() {
        flags.push("--profile");
    }
    if !credential && !sign_in::profile_keys().any(|key| existing.has(key)) {
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
    Error::usage(format!("init cannot ask without a terminal, and these are missing: {}", flags.join(", ")))
        .hint("yc-rs init --profile NAME --service-account-key FILE --folder-id ID")
}
