//! Keys that end by themselves: what they are asked for with, and how they are issued.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::access_key::account_id;
use crate::api::temporary_access_key::{self, CREATE_REQUEST, CreateEphemeral, EPHEMERAL_KEY, LIFETIMES};
use crate::auth::token_cache::RequiredLifetime;
use crate::commands::Outcome;
use crate::commands::args::request_file::{ExampleArgs, FileArg};
use crate::commands::delivery::{AwsProfileArgs, Delivery, ExportArg, Issued, RegionArg};
use crate::commands::read_policy;
use crate::context::Context;
use crate::credentials::forms::{Credentials, ExportFormat};
use crate::endpoints::Service;
use crate::error::Result;
use crate::keys::cache;
use crate::keys::kept_key::KeptKey;
use crate::keys::min_ttl::LeastLife;
use crate::keys::policy;
use crate::keys::session_name;
use crate::text::duration;
use crate::text::ids;

/// What a key is asked for with.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// ID of the subject the key is for [default: the caller]
    #[arg(long, value_name = "ID", conflicts_with = "service_account_name", value_parser = ids::parse_id)]
    subject_id: Option<String>,
    /// Name of the service account the key is for, in the current folder
    #[arg(long, value_name = "NAME")]
    service_account_name: Option<String>,
    /// What the use of the key is called in audit logs [default: yc-rs-LOGIN-TIME]
    #[arg(long, value_name = "NAME", value_parser = session_name::check)]
    session_name: Option<String>,
    /// Policy that narrows the rights of the key: JSON, a file, or `-` for standard input
    #[arg(long, value_name = "JSON|FILE|-")]
    policy: Option<String>,
    /// How long the key lives, 15m to 12h [default: as long as the IAM token it is issued with]
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    duration: Option<Duration>,
    /// Least life the key must have: a cached key with less is not used, and a new one with less is an error
    #[arg(long, value_name = "DURATION", value_parser = least_life)]
    min_ttl: Option<Duration>,
    /// Reuse a key that was issued for the same request while 16 minutes of it, or --min-ttl, are left
    #[arg(long, conflicts_with = "no_cache")]
    cache: bool,
    /// Do not use the cache of keys, which --export process does by itself
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    file: FileArg,
}

/// Issue an access key that ends by itself and print its secret and session token
#[derive(Debug, Args)]
pub struct IssueEphemeralArgs {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    export: ExportArg,
    #[command(flatten)]
    aws: AwsProfileArgs,
    #[command(flatten)]
    region: RegionArg,
    #[command(flatten)]
    examples: ExampleArgs,
}

/// A key that is wanted, as the user asked for it: nothing is looked up or made up yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who the key is for; `None` stands for the caller.
    pub subject: Option<Subject>,
    /// What the use of the key is called in audit logs.
    pub session_name: Option<String>,
    /// JSON that narrows the rights of the subject.
    pub policy: Option<String>,
    /// How long the key is to live.
    pub duration: Option<Duration>,
    /// How long it must live at least.
    pub least_life: Option<LeastLife>,
    /// Whether a key that was issued for the same request will do, and a new one is kept for the next.
    pub reuse: bool,
}

/// Who a key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// By ID.
    Id(String),
    /// A service account by its name in the current folder.
    ServiceAccountName(String),
}

/// Prints a new key, or hands it over as the flags say.
///
/// # Errors
/// The command did not finish.
pub async fn issue_ephemeral(args: IssueEphemeralArgs, context: &Context<'_>) -> Result<Outcome> {
    if let Some(skeleton) = args.examples.skeleton(&CREATE_REQUEST, &[("duration", json!("3600s"))], context)? {
        return Ok(skeleton);
    }
    let wanted = args.key.wanted(args.export.export, context).await?;
    let delivery = Delivery::settle(&args.export, Some(&args.aws), &args.region, context).await?;
    delivery.refuse_idle(&args.region)?;
    let value = issue(&wanted, context).await?;
    let only_copy = wanted.lost(&value, context)?;
    let issued = Issued { value, message: &EPHEMERAL_KEY, read: Credentials::temporary, only_copy };
    delivery.hand_over(issued, context).await
}

impl KeyArgs {
    /// What flags and request file come to.
    ///
    /// # Errors
    /// One of them is wrong.
    pub async fn wanted(self, export: Option<ExportFormat>, context: &Context<'_>) -> Result<Wanted> {
        let file = self.file.read(&CREATE_REQUEST, context).await?;
        let in_file = file.or_field(self.subject_id, "subject_id", ids::parse_id)?;
        let duration = file.or_field(self.duration, "duration", lifetime)?;
        let policy = match &self.policy {
            Some(argument) => Some(read_policy(argument, context).await?),
            None => None,
        };
        Ok(Wanted {
            subject: match self.service_account_name {
                Some(name) => Some(Subject::ServiceAccountName(name)),
                None => in_file.map(Subject::Id),
            },
            session_name: file.or_field(self.session_name, "session_name", session_name::check)?,
            policy: file.or_field(policy, "policy", policy::compact)?,
            duration,
            least_life: LeastLife::settle(self.min_ttl, export, duration)?,
            reuse: self.cache || (export == Some(ExportFormat::Process) && !self.no_cache),
        })
    }
}

impl Wanted {
    /// What to say when a key is lost before the user has it.
    ///
    /// # Errors
    /// The credential does not tell its identity.
    pub fn lost(&self, key: &Value, context: &Context<'_>) -> Result<String> {
        let id = key["accessKeyId"].as_str().unwrap_or_default();
        let end = key["expiresAt"].as_str().unwrap_or_default();
        Ok(if self.reuse && self.kept(context)?.holds(key) {
            format!("the key {id} is kept; run the command again for it")
        } else {
            format!("the secret of the key {id} is lost; it cannot be deleted and ends by itself at {end}")
        })
    }

    /// Where the key is kept between runs.
    fn kept(&self, context: &Context<'_>) -> Result<KeptKey> {
        Ok(KeptKey::new(self.in_cache(context)?, self.least_life, context))
    }

    /// What the key is kept under between runs: all that the user gave, as it was given.
    fn in_cache(&self, context: &Context<'_>) -> Result<cache::Wanted> {
        let tokens = context.client()?.tokens();
        let settings = &context.settings;
        Ok(cache::Wanted {
            identity: tokens.name()?,
            endpoint: tokens.endpoints.configured(Service::Iam).to_owned(),
            subject: self.subject.as_ref().map(|subject| match subject {
                Subject::Id(id) => format!("id {id}"),
                Subject::ServiceAccountName(name) => {
                    format!("name {name} in {:?} of {:?}", settings.folder, settings.cloud_id)
                }
            }),
            policy: self.policy.clone(),
            session_name: self.session_name.clone(),
            duration: self.duration,
        })
    }
}

/// A key for the request: one that is kept from an earlier run if that will do, else a new one. The answer holds the
/// only copy of the secret.
///
/// # Errors
/// It cannot be issued, or lives shorter than it must.
pub async fn issue(wanted: &Wanted, context: &Context<'_>) -> Result<Value> {
    // On the heap, since several futures would hold it.
    let issue = Box::pin(issue_new(wanted, context));
    let key = if wanted.reuse { wanted.kept(context)?.or_new(issue).await? } else { issue.await? };
    Ok(known(key, context))
}

/// The key, whose secrets are kept out of every error from now on.
pub(in crate::commands) fn known(key: Value, context: &Context<'_>) -> Value {
    for secret in ["secret", "sessionToken"].into_iter().filter_map(|field| key[field].as_str()) {
        context.log.masks.add(&secret.into());
    }
    key
}

async fn issue_new(wanted: &Wanted, context: &Context<'_>) -> Result<Value> {
    let subject_id = match &wanted.subject {
        Some(Subject::ServiceAccountName(name)) => Some(account_id(name, context).await?),
        Some(Subject::Id(id)) => Some(id.clone()),
        None => None,
    };
    let generate = || session_name::generate(context.env.login(), Utc::now().timestamp());
    let request = CreateEphemeral {
        subject_id,
        session_name: wanted.session_name.clone().unwrap_or_else(generate),
        policy: wanted.policy.clone(),
        duration: wanted.duration,
    };
    let client = context.client()?;
    if let Some(life) = wanted.duration.max(wanted.least_life.map(|life| life.least)) {
        // A key does not outlive the token that it is issued with, so one that is long enough is had first.
        client.tokens().token(RequiredLifetime::AtLeast(life)).await?;
    }
    let asked_at = Utc::now();
    let call = temporary_access_key::create_ephemeral(client, &request);
    let advice = "a key may have been issued, and nobody has its secret; it cannot be deleted and ends by itself; \
                  run the command again for another one"
        .to_owned();
    let value = context.making(advice, call).await.map_err(|error| error.context("cannot issue an ephemeral key"))?;
    if let Some(life) = &wanted.least_life {
        life.check(&value, asked_at)?;
    }
    if let Some(note) = shortfall(&value, wanted.duration, Utc::now()) {
        context.log.note(&note);
    }
    Ok(value)
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

/// Reads how long a key is to live.
///
/// # Errors
/// It is no duration, or no key lives so long or so short.
pub fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if LIFETIMES.contains(&duration) { Ok(duration) } else { Err("a key lives between 15m and 12h".to_owned()) }
}

/// Reads how long a key must still live.
fn least_life(text: &str) -> Result<Duration, String> {
    let least = duration::parse(text)?;
    if least <= *LIFETIMES.end() { Ok(least) } else { Err("no key lives longer than 12h".to_owned()) }
}

#[cfg(test)]
mod tests {
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
}
