//! `sts`

use std::time::Duration;

use chrono::Utc;
use clap::{Args, Subcommand, value_parser};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::Outcome;
use super::args::request_file::{ExampleArgs, FileArg, RequestFile};
use super::deferred::Deferred;
use super::delivery::{self, Delivery, ExportArg, Issued, RegionArg};
use super::iam::ephemeral_key::{known, lifetime};
use super::read_policy;
use crate::api::sigv4::SigningKey;
use crate::api::sts::{self, ASSUME_ROLE_REQUEST, AssumeRole, SHORTEST_ROLE_ARN};
use crate::api::temporary_access_key::{EPHEMERAL_KEY, LONGEST_SESSION_NAME};
use crate::context::Context;
use crate::credentials::aws_file::CredentialsFile;
use crate::credentials::forms::{Credentials, ExportFormat};
use crate::endpoints::Service;
use crate::error::{Error, Kind, Result};
use crate::keys::kept_key::KeptKey;
use crate::keys::min_ttl::LeastLife;
use crate::keys::{cache, policy, session_name};
use crate::private_file;
use crate::text::digest::fingerprint;

/// The role that is asked for when none is given; it names nothing.
const ROLE_ARN: &str = "yc-rs-temporary-access-key";

const DURATION: Duration = Duration::from_secs(60 * 60);

/// Get temporary credentials for a static key
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Get temporary credentials with the rights of a static key, or with fewer
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

/// Get temporary credentials with the rights of a static key, or with fewer
#[derive(Debug, Args)]
pub struct AssumeRoleArgs {
    /// Any text of 20 or more letters, digits, `_` and `-` [default: yc-rs-temporary-access-key]
    #[arg(long, value_name = "TEXT", value_parser = role_arn)]
    role_arn: Option<String>,
    /// What the use of the credentials is called in audit logs [default: yc-rs-LOGIN-TIME]
    #[arg(long, value_name = "NAME", value_parser = role_session_name)]
    role_session_name: Option<String>,
    /// Policy that narrows the rights: JSON, a file, or `-` for standard input
    #[arg(long, value_name = "JSON|FILE|-")]
    policy: Option<String>,
    /// How long the credentials live, in seconds, 900 to 43200 [default: 3600]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(900..=43200))]
    duration_seconds: Option<u64>,
    /// The same as a duration, 15m to 12h [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = whole_lifetime, conflicts_with = "duration_seconds")]
    duration: Option<Duration>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    region: RegionArg,
    #[command(flatten)]
    export: ExportArg,
    /// Do not use the cache of keys, which --export process does by itself
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    examples: ExampleArgs,
}

/// The static key that the request is signed with.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// ID of the static key to sign with [default: `$AWS_ACCESS_KEY_ID`, else `$YC_STORAGE_ACCESS_KEY`]
    #[arg(long, value_name = "ID", requires = "secret_access_key_file", conflicts_with = "source_aws_profile")]
    access_key_id: Option<String>,
    /// File with its secret, `-` for standard input
    #[arg(long, value_name = "FILE|-", requires = "access_key_id")]
    secret_access_key_file: Option<String>,
    /// Profile of the AWS credentials file that has the key
    #[arg(long, value_name = "NAME")]
    source_aws_profile: Option<String>,
}

async fn assume_role(args: AssumeRoleArgs, context: &Context<'_>) -> Result<Outcome> {
    let seconds = ("duration_seconds", json!(DURATION.as_secs()));
    if let Some(skeleton) = args.examples.skeleton(&ASSUME_ROLE_REQUEST, &[seconds], context)? {
        return Ok(skeleton);
    }
    let file = args.file.read(&ASSUME_ROLE_REQUEST, context).await?;
    let (request, is_named) = request(&args, &file, context).await?;
    let life = LeastLife::settle(None, args.export.export, Some(request.duration))?;
    let region = delivery::region(&args.region, context)?;
    let (key, source) = args.key.signing_key(context).await?;
    context.log.masks.add(&key.secret);
    let delivery = Delivery::settle(&args.export, None, &args.region, context).await?;
    let http = context.http();
    let base = context.endpoints()?.base(Service::Sts, &http).await?;
    let assume = async {
        let asked_at = Utc::now();
        let value = sts::assume_role(&http, &base, &key, &region, &request, &context.log).await.map_err(|error| {
            let error = error.context("cannot get temporary credentials");
            match error.kind() {
                Kind::Refused { http: Some(401 | 403), .. } => {
                    error.hint(format!("the request was signed with the key {} of {source}", key.id))
                }
                _ => error,
            }
        })?;
        let value = known(value, context);
        life.map_or(Ok(()), |life| life.check(&value, asked_at))?;
        Ok(value)
    };
    let value = if args.export.export == Some(ExportFormat::Process) && !args.no_cache {
        let wanted = in_cache(&key, &base, &region, &request, is_named);
        known(KeptKey::new(wanted, life, context).or_new(assume).await?, context)
    } else {
        assume.await?
    };
    let only_copy = lost(&value);
    let issued = Issued { value, message: &EPHEMERAL_KEY, read: Credentials::temporary, only_copy };
    delivery.hand_over(issued, context).await
}

/// What the credentials are kept under between runs: all that the user gave, as it was given.
fn in_cache(key: &SigningKey, base: &str, region: &str, request: &AssumeRole, is_named: bool) -> cache::Wanted {
    cache::Wanted {
        identity: format!("static key {} {}", key.id, fingerprint(&[key.secret.expose_secret()])),
        endpoint: format!("{base} {region}"),
        subject: Some(format!("role {}", request.role_arn)),
        policy: request.policy.clone(),
        session_name: is_named.then(|| request.role_session_name.clone()),
        duration: Some(request.duration),
    }
}

/// What flags and request file come to, and whether they name the session.
async fn request(args: &AssumeRoleArgs, file: &RequestFile, context: &Context<'_>) -> Result<(AssumeRole, bool)> {
    let policy = match &args.policy {
        Some(argument) => Some(read_policy(argument, context).await?),
        None => None,
    };
    let in_file = file.number("duration_seconds")?.map(Duration::from_secs);
    let flag = args.duration.or(args.duration_seconds.map(Duration::from_secs));
    if let (None, Some(seconds)) = (flag, in_file)
        && !(900..=43200).contains(&seconds.as_secs())
    {
        return Err(file.wrong("duration_seconds", "must be a number from 900 to 43200"));
    }
    let generate = || session_name::generate(context.env.login(), Utc::now().timestamp());
    let session_name = file.or_field(args.role_session_name.clone(), "role_session_name", role_session_name)?;
    let is_named = session_name.is_some();
    let request = AssumeRole {
        role_arn: file.or_field(args.role_arn.clone(), "role_arn", role_arn)?.unwrap_or_else(|| ROLE_ARN.to_owned()),
        role_session_name: session_name.unwrap_or_else(generate),
        policy: file.or_field(policy, "policy", policy::compact)?,
        duration: flag.or(in_file).unwrap_or(DURATION),
    };
    Ok((request, is_named))
}

impl KeyArgs {
    /// The key, and where it came from.
    ///
    /// # Errors
    /// There is none, or it is one that cannot sign here.
    async fn signing_key(&self, context: &Context<'_>) -> Result<(SigningKey, String)> {
        let env = context.env;
        if let (Some(id), Some(path)) = (&self.access_key_id, &self.secret_access_key_file) {
            return Ok((given(id, path, context).await?, "--access-key-id".to_owned()));
        }
        if let Some(name) = &self.source_aws_profile {
            return of_profile(name, context);
        }
        for (id_name, secret_name) in
            [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("YC_STORAGE_ACCESS_KEY", "YC_STORAGE_SECRET_KEY")]
        {
            let (id, secret) = match (env.var(id_name), env.var(secret_name)) {
                (None, None) => continue,
                (Some(id), Some(secret)) => (id, secret),
                (Some(_), None) => return Err(half_a_key(id_name, secret_name)),
                (None, Some(_)) => return Err(half_a_key(secret_name, id_name)),
            };
            let token = ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"].into_iter().find(|name| env.var(name).is_some());
            if let Some(token) = token.filter(|_| id_name.starts_with("AWS_")) {
                return Err(temporary(&format!("{id_name} comes with {token}")));
            }
            return Ok((SigningKey { id: id.to_owned(), secret: secret.into() }, id_name.to_owned()));
        }
        let error = Error::no_credentials("there is no static key to sign with");
        Err(error.hint(
            "give --access-key-id and --secret-access-key-file, or --source-aws-profile, or set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or YC_STORAGE_ACCESS_KEY and YC_STORAGE_SECRET_KEY; to make a key: yc-rs iam \
             access-key create",
        ))
    }
}

async fn given(id: &str, path: &str, context: &Context<'_>) -> Result<SigningKey> {
    let text = SecretString::from(context.read_input(path, "--secret-access-key-file").await?);
    let secret = text.expose_secret().trim();
    if secret.is_empty() || secret.contains(char::is_whitespace) {
        let problem = format!("--secret-access-key-file '{path}' must hold the secret and nothing else");
        return Err(Error::usage(problem));
    }
    if path != "-" {
        warn_if_readable(path.as_ref(), context);
    }
    Ok(SigningKey { id: id.to_owned(), secret: secret.into() })
}

fn of_profile(name: &str, context: &Context<'_>) -> Result<(SigningKey, String)> {
    let file = CredentialsFile::locate(None, context.env)?;
    let key = file.read(name)?;
    let source = format!("the profile '{name}' of {}", file.path().display());
    if key.session_token.is_some() {
        return Err(temporary(&format!("{source} has a session token")));
    }
    match (key.access_key_id, key.secret) {
        (Some(id), Some(secret)) if !id.is_empty() => {
            warn_if_readable(file.path(), context);
            Ok((SigningKey { id, secret }, source))
        }
        _ => Err(Error::no_credentials(format!("{source} lacks aws_access_key_id or aws_secret_access_key"))),
    }
}

fn warn_if_readable(path: &std::path::Path, context: &Context<'_>) {
    if private_file::others_can_read(path) {
        let message = format!("{0} holds a secret and can be read by others; type: chmod 600 {0}", path.display());
        context.log.warn(&message);
    }
}

fn half_a_key(there: &str, missing: &str) -> Error {
    Error::no_credentials(format!("{there} is set, but {missing} is not"))
}

fn temporary(what: &str) -> Error {
    Error::no_credentials(format!("{what}: these are temporary credentials, which cannot get others"))
        .hint("sign with a static key, e.g. --source-aws-profile NAME")
}

fn lost(key: &Value) -> String {
    let end = key["expiresAt"].as_str().unwrap_or_default();
    format!("the temporary credentials are lost; they end by themselves at {end}; run the command again for others")
}

fn role_arn(text: &str) -> Result<String, String> {
    if text.len() >= SHORTEST_ROLE_ARN && is_plain(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a role ARN has {SHORTEST_ROLE_ARN} or more letters, digits, _ and -; it names nothing"))
    }
}

fn role_session_name(text: &str) -> Result<String, String> {
    if (1..=LONGEST_SESSION_NAME).contains(&text.len()) && is_plain(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("a role session name has 1 to {LONGEST_SESSION_NAME} letters, digits, _ and -"))
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn whole_lifetime(text: &str) -> Result<Duration, String> {
    match lifetime(text)? {
        duration if duration.subsec_nanos() == 0 => Ok(duration),
        _ => Err("STS counts in whole seconds".to_owned()),
    }
}
