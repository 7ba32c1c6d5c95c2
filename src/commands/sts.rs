//! `sts`

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use clap::{Args, Subcommand, value_parser};
use serde::{Deserialize, Serialize};

use super::Outcome;
use super::args::delivery::{AwsProfileArgs, ExportArg, RegionArg, delivery};
use super::args::ephemeral::lifetime;
use super::args::policy::PolicyArgs;
use super::args::request_file::{ExampleArgs, FileArg, RequestFields, RequestFile};
use super::deferred::Deferred;
use crate::api::sts::{AssumeRole, ROLE_ARN_LENGTH, ROLE_SESSION_NAME_LENGTH};
use crate::config::origin::{Origin, Setting};
use crate::config::settings::{self, GlobalFlags};
use crate::context::Context;
use crate::credentials::aws_file::Lifetime;
use crate::credentials::forms::ExportFormat;
use crate::env::Env;
use crate::error::Result;
use crate::keys::assume_role::{self, AssumeRoleRequest, KeySource};
use crate::keys::deliver::NewKey;
use crate::keys::min_ttl::MinTtl;
use crate::keys::{policy, session_name, storage};

/// The role ARN when none is given; Yandex Cloud does not look at it.
const DEFAULT_ROLE_ARN: &str = "yc-rs-temporary-access-key";

const DEFAULT_DURATION: Duration = Duration::from_secs(60 * 60);

/// Get temporary credentials with a static access key
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Get temporary credentials with the rights of a static access key, or with fewer
    AssumeRole(Box<Deferred<AssumeRoleArgs>>),
}

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    match command {
        Command::AssumeRole(args) => assume_role(args.0, context).await,
    }
}

/// Get temporary credentials with the rights of a static access key, or with fewer
#[derive(Debug, Args)]
pub struct AssumeRoleArgs {
    /// Any text of 20 or more printable characters [default: yc-rs-temporary-access-key]
    #[arg(long, value_name = "TEXT", value_parser = role_arn, hide_short_help = true)]
    role_arn: Option<String>,
    /// Session name shown in audit logs [default: yc-rs-LOGIN-TIME]
    #[arg(long, value_name = "NAME", value_parser = role_session_name)]
    role_session_name: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Lifetime of the credentials in seconds, 900 to 43200 [default: 3600]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(900..=43200), hide_short_help = true)]
    duration_seconds: Option<u64>,
    /// Lifetime of the credentials, 15m to 12h [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = whole_lifetime, conflicts_with = "duration_seconds")]
    duration: Option<Duration>,
    #[command(flatten)]
    key: SigningKeyArgs,
    #[command(flatten)]
    region: RegionArg,
    #[command(flatten)]
    export: ExportArg,
    #[command(flatten)]
    aws: AwsProfileArgs,
    /// Do not use the cache of keys, which --export process uses by default
    #[arg(long, hide_short_help = true)]
    no_cache: bool,
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    examples: ExampleArgs,
}

/// The root certificates that AWS clients are told to trust, for this command alone, unless this program is told
/// otherwise by flag or variable.
///
/// Source: AWS SDKs and Tools Reference Guide, "General configuration settings", `ca_bundle`.
///
/// # Errors
/// The variable names a pipe, or a path that a shell should have expanded.
pub fn aws_ca_bundle(flags: &GlobalFlags, env: &Env) -> Result<Option<PathBuf>> {
    const VARIABLE: &str = "AWS_CA_BUNDLE";
    let is_given = flags.ca_bundle.is_some() || env.var("YC_CA_BUNDLE").is_some();
    let path = env.var(VARIABLE).filter(|_| !is_given);
    path.map(|value| settings::regular(&Setting { value, origin: Origin::Variable(VARIABLE) }, env)).transpose()
}

/// The static key that the request is signed with.
#[derive(Debug, Args)]
struct SigningKeyArgs {
    /// ID of the static key to sign with [default: `$AWS_ACCESS_KEY_ID`, `$YC_STORAGE_ACCESS_KEY`, or the key of
    /// `$AWS_PROFILE`]
    #[arg(
        long,
        value_name = "ID",
        requires = "secret_access_key_file",
        conflicts_with = "source_aws_profile",
        hide_short_help = true
    )]
    access_key_id: Option<String>,
    /// File with its secret, `-` for standard input
    #[arg(long, value_name = "FILE|-", requires = "access_key_id", hide_short_help = true)]
    secret_access_key_file: Option<String>,
    /// Profile of the AWS credentials or configuration file that has the key
    #[arg(long, value_name = "NAME")]
    source_aws_profile: Option<String>,
}

impl SigningKeyArgs {
    fn source(&self) -> KeySource {
        match (&self.access_key_id, &self.secret_access_key_file, &self.source_aws_profile) {
            (Some(id), Some(file), _) => KeySource::Flags { id: id.clone(), secret_file: file.clone() },
            (_, _, Some(name)) => KeySource::AwsProfile(name.clone()),
            _ => KeySource::Environment,
        }
    }
}

/// `AssumeRoleRequest` as a file, in the names of `aws sts assume-role --cli-input-json` or in `snake_case`.
///
/// Source: AWS Security Token Service API Reference, `AssumeRole`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(alias = "RoleArn", alias = "roleArn")]
    role_arn: Option<String>,
    #[serde(alias = "RoleSessionName", alias = "roleSessionName")]
    role_session_name: Option<String>,
    #[serde(alias = "Policy")]
    policy: Option<String>,
    #[serde(alias = "DurationSeconds", alias = "durationSeconds")]
    duration_seconds: Option<u64>,
}

impl RequestFields for Fields {
    fn example() -> Self {
        let empty = || Some(String::new());
        let duration_seconds = Some(DEFAULT_DURATION.as_secs());
        Self { role_arn: empty(), role_session_name: empty(), policy: empty(), duration_seconds }
    }
}

async fn assume_role(args: AssumeRoleArgs, context: &Context<'_>) -> Result<Outcome> {
    if args.examples.print::<Fields>(context).await? {
        return Ok(Outcome::default());
    }
    let file = args.file.read::<Fields>(context).await?;
    let request = request(&args, &file, context).await?;
    let region = args.region.region.as_deref();
    storage::region(region, context)?;
    let signer = assume_role::signer(args.key.source(), context).await?;
    let delivery = delivery(&args.export, &args.aws, &args.region, Lifetime::Temporary, context).await?;
    let key = assume_role::assume_role(&request, &signer, region, context).await?;
    let advice = assume_role::lost_secret_advice(&key);
    delivery.deliver(NewKey::Ephemeral(key), advice, context).await?;
    Ok(Outcome::default())
}

/// The request that flags and request file make.
async fn request(
    args: &AssumeRoleArgs,
    file: &RequestFile<Fields>,
    context: &Context<'_>,
) -> Result<AssumeRoleRequest> {
    let policy = args.policy.read(context).await?;
    let in_file = file.fields.duration_seconds.map(Duration::from_secs);
    let flag = args.duration.or(args.duration_seconds.map(Duration::from_secs));
    if let (None, Some(seconds)) = (flag, in_file)
        && !(900..=43200).contains(&seconds.as_secs())
    {
        return Err(file.invalid("duration_seconds", "it must be a number from 900 to 43200"));
    }
    let duration = flag.or(in_file).unwrap_or(DEFAULT_DURATION);
    let named = file.or(
        "role_session_name",
        args.role_session_name.clone(),
        |file| &file.role_session_name,
        role_session_name,
    )?;
    let role_arn = file.or("role_arn", args.role_arn.clone(), |file| &file.role_arn, role_arn)?;
    let for_process = args.export.export == Some(ExportFormat::Process);
    let generate = || session_name::generate(context.env.login(), Utc::now().timestamp());
    Ok(AssumeRoleRequest {
        is_session_named: named.is_some(),
        call: AssumeRole {
            role_arn: role_arn.unwrap_or_else(|| DEFAULT_ROLE_ARN.to_owned()),
            role_session_name: named.unwrap_or_else(generate),
            policy: file.or("policy", policy, |file| &file.policy, policy::compact)?,
            duration,
        },
        min_ttl: MinTtl::resolve(None, for_process, Some(duration))?,
        use_cache: for_process && !args.no_cache,
    })
}

fn role_arn(text: &str) -> Result<String, String> {
    if ROLE_ARN_LENGTH.contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("a role ARN has 20 to 2048 printable characters; Yandex Cloud does not look at it".to_owned())
    }
}

fn role_session_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if ROLE_SESSION_NAME_LENGTH.contains(&text.len()) && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("a role session name has 2 to 64 ASCII letters, digits and characters of _+=,.@-".to_owned())
    }
}

fn whole_lifetime(text: &str) -> Result<Duration, String> {
    match lifetime(text)? {
        duration if duration.subsec_nanos() == 0 => Ok(duration),
        _ => Err("STS counts in whole seconds".to_owned()),
    }
}
