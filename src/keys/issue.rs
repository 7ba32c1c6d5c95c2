//! Issuing ephemeral keys: the request, the session name, and a lifetime that is shorter than requested.

use std::time::Duration;

use chrono::Utc;

use super::cache::{CacheKey, CachedKey, IssuedKey};
use super::min_ttl::MinTtl;
use super::session_name;
use crate::api::temporary_access_key::{self, CreateEphemeral, EphemeralKey};
use crate::auth::token_cache::RequiredLifetime;
use crate::context::Context;
use crate::endpoints::Service;
use crate::error::Result;
use crate::text::duration::{self, CLOCK_TOLERANCE};

/// A request for a key as the user made it: nothing is looked up or generated yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRequest {
    /// The subject of the key; `None` stands for the caller.
    pub subject: Option<Subject>,
    /// The session name shown in audit logs.
    pub session_name: Option<String>,
    /// JSON that narrows the rights of the subject.
    pub policy: Option<String>,
    /// The requested lifetime.
    pub duration: Option<Duration>,
    /// The minimum remaining lifetime.
    pub min_ttl: Option<MinTtl>,
    /// Whether a cached key for the same request is used, and a new one is cached.
    pub use_cache: bool,
}

/// The subject of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// By ID.
    Id(String),
    /// A service account by its name in the folder in force.
    ServiceAccountName(String),
}

impl KeyRequest {
    /// The place of the key in the cache; `None` when it is not cached.
    async fn cached(&self, context: &Context<'_>) -> Result<Option<CachedKey>> {
        let cache_key = if self.use_cache { self.cache_key(context).await? } else { None };
        Ok(cache_key.map(|key| CachedKey::new(key, self.min_ttl, context)))
    }

    /// What the key is cached under: everything that the user gave, as it was given, and who the caller is. `None` when
    /// that is not known.
    async fn cache_key(&self, context: &Context<'_>) -> Result<Option<CacheKey>> {
        let tokens = context.client()?.tokens();
        let settings = &context.settings;
        let Some(identity) = tokens.key_identity().await? else { return Ok(None) };
        Ok(Some(CacheKey {
            identity,
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
        }))
    }
}

/// What to tell the user when the secret of a key is lost before it is delivered.
pub fn lost_secret_advice(issued: &IssuedKey) -> String {
    let IssuedKey { key, is_cached } = issued;
    let id = &key.access_key_id;
    if *is_cached {
        format!("the key {id} is cached; run the command again to get it")
    } else {
        let expires_at = key.raw["expiresAt"].as_str().unwrap_or_default();
        format!("the secret of the key {id} is lost; the key cannot be deleted and expires at {expires_at}")
    }
}

/// A key for the request: a cached one if that is allowed and good enough, else a new one. It is the only copy of the
/// secret.
///
/// # Errors
/// The key cannot be issued, or its lifetime is too short.
pub async fn issue(request: &KeyRequest, context: &Context<'_>) -> Result<IssuedKey> {
    // On the heap, since several futures would hold it.
    let issue = Box::pin(issue_new(request, context));
    let issued = match Box::pin(request.cached(context)).await? {
        // A token that was refused meanwhile may have been replaced by one of another account.
        Some(cached) => {
            cached
                .or_new(issue, async |key| request.cache_key(context).await.is_ok_and(|now| now.as_ref() == Some(key)))
                .await?
        }
        None => IssuedKey::not_cached(issue.await?),
    };
    context.mask_secrets([&issued.key.secret, &issued.key.session_token]);
    Ok(issued)
}

async fn issue_new(request: &KeyRequest, context: &Context<'_>) -> Result<EphemeralKey> {
    let min_ttl = request.min_ttl.map(|min_ttl| min_ttl.duration);
    // A key does not outlive the token that it is issued with.
    let key = issue_of_any_lifetime(request, request.duration.max(min_ttl), context).await?;
    if let Some(min_ttl) = &request.min_ttl {
        min_ttl.check(&key)?;
    }
    if let Some(note) = shortfall(&key, request.duration) {
        context.log.note(&note);
    }
    Ok(key)
}

/// A new key for the request, whatever its lifetime; it is issued with a token that is valid for `token_lifetime`, where
/// there is one.
///
/// # Errors
/// The key cannot be issued.
pub async fn issue_of_any_lifetime(
    request: &KeyRequest,
    token_lifetime: Option<Duration>,
    context: &Context<'_>,
) -> Result<EphemeralKey> {
    let subject_id = match &request.subject {
        Some(Subject::ServiceAccountName(name)) => {
            Some(context.service_account_id("--service-account-name", name).await?)
        }
        Some(Subject::Id(id)) => Some(id.clone()),
        None => None,
    };
    let generate = || session_name::generate(context.env.login(), Utc::now().timestamp());
    let call = CreateEphemeral {
        subject_id,
        session_name: request.session_name.clone().unwrap_or_else(generate),
        policy: request.policy.clone(),
        duration: request.duration,
    };
    let client = context.client()?;
    if let Some(lifetime) = token_lifetime {
        client.tokens().token(RequiredLifetime::AtLeast(lifetime)).await?;
    }
    let advice =
        "a key may have been issued, and nobody has its secret; the key cannot be deleted and expires; run the \
                  command again for another one"
            .to_owned();
    let key = context.create_secret(advice, temporary_access_key::create_ephemeral(client, &call)).await;
    key.map_err(|error| error.context("cannot issue an ephemeral key"))
}

/// What to say when the server granted a shorter lifetime than requested.
pub fn shortfall(key: &EphemeralKey, requested: Option<Duration>) -> Option<String> {
    let requested = requested?;
    let granted = key.lifetime.granted;
    (granted + CLOCK_TOLERANCE < requested).then(|| {
        let granted = Duration::from_secs(granted.as_secs());
        format!(
            "requested a lifetime of {}, granted {}: a key does not outlive the IAM token it is issued with",
            duration::human(requested),
            duration::human(granted)
        )
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::lifetime::Lifetime;

    #[test]
    fn a_lifetime_shorter_than_requested_is_noted() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
        let raw = json!({
            "accessKeyId": "a", "secret": "s", "sessionToken": "t", "expiresAt": "2026-01-01T00:30:00.5Z",
        });
        let key = EphemeralKey::parse(raw, |time| Lifetime::until(time, Some(now), now)).unwrap();
        assert_eq!(
            shortfall(&key, Some(Duration::from_secs(3600))).unwrap(),
            "requested a lifetime of 1h, granted 30m: a key does not outlive the IAM token it is issued with"
        );
        assert_eq!(shortfall(&key, Some(Duration::from_secs(1800))), None);
        assert_eq!(shortfall(&key, None), None);
    }
}
