//! Temporary credentials from STS: the static key that signs, the call, and the cache.

use secrecy::{ExposeSecret, SecretString};

use super::cache::{CacheKey, CachedKey};
use super::min_ttl::MinTtl;
use super::storage::region;
use crate::api::sigv4::SigningKey;
use crate::api::sts::{self, AssumeRole};
use crate::api::temporary_access_key::EphemeralKey;
use crate::context::Context;
use crate::credentials::aws_file::AwsFiles;
use crate::endpoints::Service;
use crate::error::{Error, Kind, Result};
use crate::input;
use crate::text::digest::fingerprint;
use crate::text::quote;

/// A request for temporary credentials.
#[derive(Debug)]
pub struct AssumeRoleRequest {
    /// The call.
    pub call: AssumeRole,
    /// Whether the user named the session: a generated name is not a part of what the credentials are cached under.
    pub is_session_named: bool,
    /// The minimum remaining lifetime.
    pub min_ttl: Option<MinTtl>,
    /// Whether cached credentials for the same request are used, and new ones are cached.
    pub use_cache: bool,
}

/// Where the static key that signs the request is.
#[derive(Debug)]
pub enum KeySource {
    /// Given by `--access-key-id` and `--secret-access-key-file`.
    Flags {
        /// The key ID.
        id: String,
        /// The file with the secret; `-` for standard input.
        secret_file: String,
    },
    /// In this profile of the AWS credentials file, or else of the AWS configuration file.
    AwsProfile(String),
    /// In the environment.
    Environment,
}

/// A static key that signs requests, and where it came from.
pub struct Signer {
    /// The key.
    pub key: SigningKey,
    source: String,
}

/// Temporary credentials: cached ones if that is allowed and they are good enough, else new ones.
///
/// # Errors
/// The server refuses, cannot be reached, or grants a lifetime that is too short.
pub async fn assume_role(
    request: &AssumeRoleRequest,
    signer: &Signer,
    region_flag: Option<&str>,
    context: &Context<'_>,
) -> Result<EphemeralKey> {
    let region = region(region_flag, context)?;
    let http = context.http();
    let base = context.endpoints()?.base(Service::Sts, &http).await?;
    let Signer { key, source } = signer;
    let assume = async {
        let issued = sts::assume_role(&http, &base, key, &region, &request.call, &context.log).await;
        let issued = issued.map_err(|error| {
            let error = error.context("cannot get temporary credentials");
            match error.kind() {
                Kind::Refused { http: Some(401 | 403), .. } => {
                    error.hint(format!("the request was signed with the key {} of {source}", key.id))
                }
                _ => error,
            }
        })?;
        request.min_ttl.map_or(Ok(()), |min_ttl| min_ttl.check(&issued))?;
        Ok(issued)
    };
    let issued = if request.use_cache {
        let place = cache_key(key, &base, &region, request);
        CachedKey::new(place, request.min_ttl, context).or_new(assume, async |_| true).await?.key
    } else {
        assume.await?
    };
    context.mask_secrets([&issued.secret, &issued.session_token]);
    Ok(issued)
}

/// What to tell the user when temporary credentials are lost before they are delivered.
pub fn lost_secret_advice(key: &EphemeralKey) -> String {
    let expires_at = key.raw["expiresAt"].as_str().unwrap_or_default();
    format!("the temporary credentials are lost; they expire at {expires_at}; run the command again for others")
}

/// What the credentials are cached under: everything that the user gave, as it was given.
fn cache_key(key: &SigningKey, base: &str, region: &str, request: &AssumeRoleRequest) -> CacheKey {
    let AssumeRoleRequest { call, is_session_named, .. } = request;
    CacheKey {
        identity: format!("static key {} {}", key.id, fingerprint(&[key.secret.expose_secret()])),
        endpoint: format!("{base} {region}"),
        subject: Some(format!("role {}", call.role_arn)),
        policy: call.policy.clone(),
        session_name: is_session_named.then(|| call.role_session_name.clone()),
        duration: Some(call.duration),
    }
}

/// Reads the static key; its secret is kept out of every log line and error from now on.
///
/// # Errors
/// There is no key, or it cannot sign here.
pub async fn signer(source: KeySource, context: &Context<'_>) -> Result<Signer> {
    let signer = match source {
        KeySource::Flags { id, secret_file } => from_flags(id, &secret_file, context).await?,
        KeySource::AwsProfile(name) => from_aws_profile(&name, context)?,
        KeySource::Environment => from_environment(context)?,
    };
    context.mask_secrets([&signer.key.secret]);
    Ok(signer)
}

async fn from_flags(id: String, path: &str, context: &Context<'_>) -> Result<Signer> {
    let text = SecretString::from(context.read_secret(path, "--secret-access-key-file").await?);
    let secret = input::secret(text.expose_secret())
        .map_err(|rule| Error::usage(format!("--secret-access-key-file: {} {rule}", quote::value(path))))?;
    if path != "-" {
        context.log.warn_if_readable(&context.env.path_of("--secret-access-key-file", path.as_ref())?);
    }
    Ok(Signer { key: SigningKey { id, secret }, source: "--access-key-id".to_owned() })
}

fn from_aws_profile(name: &str, context: &Context<'_>) -> Result<Signer> {
    let key = AwsFiles::locate(None, context.env)?.read(name)?;
    let source = format!("the profile {} of {}", quote::value(name), quote::bare_path(&key.path));
    if key.is_temporary {
        return Err(temporary(&format!("{source} has a session token")));
    }
    match (key.access_key_id, key.secret) {
        (Some(id), Some(secret)) => {
            context.log.warn_if_readable(&key.path);
            Ok(Signer { key: SigningKey { id, secret }, source })
        }
        _ => Err(Error::no_credentials(format!("{source} lacks aws_access_key_id or aws_secret_access_key"))),
    }
}

fn from_environment(context: &Context<'_>) -> Result<Signer> {
    let env = context.env;
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
        let secret = input::secret(secret).map_err(|rule| Error::usage(format!("{secret_name} {rule}")))?;
        let key = SigningKey { id: id.to_owned(), secret };
        return Ok(Signer { key, source: id_name.to_owned() });
    }
    if let Some(profile) = env.var("AWS_PROFILE") {
        let signer = from_aws_profile(profile, context);
        return signer.map_err(|error| error.context("AWS_PROFILE names the key to sign with"));
    }
    let error = Error::no_credentials("there is no static key to sign with");
    Err(error.hint(
        "give --access-key-id and --secret-access-key-file, or --source-aws-profile, or set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY, YC_STORAGE_ACCESS_KEY and YC_STORAGE_SECRET_KEY, or AWS_PROFILE; to create a key: \
         yc-rs iam access-key create",
    ))
}

fn half_a_key(set: &str, missing: &str) -> Error {
    Error::no_credentials(format!("{set} is set, but {missing} is not"))
}

fn temporary(problem: &str) -> Error {
    Error::no_credentials(format!("{problem}: these are temporary credentials, which cannot get others"))
        .hint("sign with a static key, e.g. --source-aws-profile NAME")
}
