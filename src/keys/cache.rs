//! Ephemeral keys cached on disk, so that an SDK that runs the program again and again gets the same key.
//!
//! One file a key. A key is issued under a lock, so that any number of processes issue one.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::min_ttl::{self, MinTtl};
use crate::api::temporary_access_key::EphemeralKey;
use crate::context::Context;
use crate::error::Result;
use crate::lifetime::Lifetime;
use crate::lock::{Lock, share_failure};
use crate::log::Log;
use crate::store::{Level, Store};
use crate::text::digest::fingerprint;

/// The keys of this user.
#[derive(Debug, Clone)]
pub struct KeyCache {
    store: Store,
}

/// What a key is cached under: the request as the user made it, so that it is found without a request to any service.
/// What was left out is left out here, too. It is part of the file, so it must not hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheKey {
    /// The identity that requests the key, and how it authenticates.
    pub identity: String,
    /// The endpoint that issues the key.
    pub endpoint: String,
    /// The subject of the key: an ID, or a name with its folder.
    pub subject: Option<String>,
    /// The policy, without insignificant white space.
    pub policy: Option<String>,
    /// The session name.
    pub session_name: Option<String>,
    /// The requested lifetime.
    pub duration: Option<Duration>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    request: CacheKey,
    /// `CreateEphemeralAccessKeyResponse`, as received.
    key: Value,
    lifetime: Lifetime,
}

impl KeyCache {
    /// The cache in this directory; `None` turns it off.
    pub fn new(home: Option<&Path>) -> Self {
        Self { store: Store::keys(home) }
    }

    /// A key that was issued for the same request, if its remaining lifetime exceeds `min_ttl`.
    pub fn load(&self, request: &CacheKey, min_ttl: Duration, now: DateTime<Utc>) -> Option<EphemeralKey> {
        let entry: Entry = self.store.load(&request.name())?;
        let key = EphemeralKey::parse(entry.key, |_| entry.lifetime).ok()?;
        (entry.request == *request && key.lifetime.exceeds(min_ttl, now)).then_some(key)
    }

    /// Caches a key; expired ones are removed. Returns whether it was cached.
    pub fn store(&self, request: &CacheKey, key: &EphemeralKey, now: DateTime<Utc>) -> bool {
        let entry = Entry { request: request.clone(), key: key.raw.clone(), lifetime: key.lifetime };
        let is_saved = !key.lifetime.granted.is_zero() && self.store.save(&request.name(), &entry);
        self.store.sweep(|entry: Entry| entry.lifetime.is_over(now));
        is_saved
    }

    /// Waits until no other process issues a key for the same request.
    ///
    /// # Errors
    /// Another process holds the lock for too long.
    pub async fn lock(&self, request: &CacheKey, log: &Log) -> Result<Option<Lock>> {
        self.store.lock(&request.name(), Level::Outer, log).await
    }
}

impl CacheKey {
    fn name(&self) -> String {
        fingerprint(&[&serde_json::to_string(self).unwrap_or_default()])
    }
}

/// A key, and whether the same request gets it again.
pub struct IssuedKey {
    /// The key.
    pub key: EphemeralKey,
    /// Whether it is cached.
    pub is_cached: bool,
}

impl IssuedKey {
    /// A key that is not cached.
    pub fn not_cached(key: EphemeralKey) -> Self {
        Self { key, is_cached: false }
    }
}

/// The place of one key in the cache.
pub struct CachedKey {
    cache: KeyCache,
    request: CacheKey,
    min_ttl: Duration,
    log: Log,
}

impl CachedKey {
    /// The place of the requested key; a cached one is good enough while its remaining lifetime is at least `min_ttl`,
    /// or else what AWS SDKs need.
    pub fn new(request: CacheKey, min_ttl: Option<MinTtl>, context: &Context<'_>) -> Self {
        Self {
            cache: KeyCache::new(context.cache_home().as_deref()),
            request,
            min_ttl: min_ttl.map_or(min_ttl::FOR_PROCESS, |min_ttl| min_ttl.duration),
            log: context.log.clone(),
        }
    }

    /// The cached key, or a new one, which is then cached if `is_same` finds that it belongs to the same request. Of all
    /// processes that need it at the same time, one issues it and the others wait.
    ///
    /// # Errors
    /// Those of issuing a key, or another process holds the lock for too long.
    pub async fn or_new(
        &self,
        issue: impl Future<Output = Result<EphemeralKey>>,
        is_same: impl AsyncFnOnce(&CacheKey) -> bool,
    ) -> Result<IssuedKey> {
        if let Some(cached) = self.load() {
            return Ok(cached);
        }
        let mut lock = self.cache.lock(&self.request, &self.log).await?;
        if let Some(cached) = self.load() {
            return Ok(cached);
        }
        let key = share_failure(&mut lock, issue).await?;
        let now = Utc::now();
        let is_cached = is_same(&self.request).await
            && self.cache.store(&self.request, &key, now)
            && key.lifetime.exceeds(self.min_ttl, now);
        Ok(IssuedKey { key, is_cached })
    }

    fn load(&self) -> Option<IssuedKey> {
        let key = self.cache.load(&self.request, self.min_ttl, Utc::now())?;
        Some(IssuedKey { key, is_cached: true })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(time).unwrap().to_utc()
    }

    fn request() -> CacheKey {
        CacheKey {
            identity: "key aje".into(),
            endpoint: "https://iam".into(),
            subject: None,
            policy: None,
            session_name: None,
            duration: Some(Duration::from_secs(3600)),
        }
    }

    fn key(issued_at: &str, expires_at: &str) -> EphemeralKey {
        let key = json!({"accessKeyId": "a", "secret": "s", "sessionToken": "t", "expiresAt": expires_at});
        EphemeralKey::parse(key, |time| Lifetime::until(time, None, at(issued_at))).unwrap()
    }

    fn id(key: Option<EphemeralKey>) -> Option<String> {
        key.map(|key| key.access_key_id)
    }

    #[test]
    fn a_key_is_served_while_its_remaining_lifetime_is_enough() {
        let home = tempfile::tempdir().unwrap();
        let cache = KeyCache::new(Some(home.path()));
        cache.store(&request(), &key("2026-01-01T00:00:00Z", "2026-01-01T01:00:00.5Z"), at("2026-01-01T00:00:00Z"));
        let floor = Duration::from_secs(16 * 60);
        assert_eq!(id(cache.load(&request(), floor, at("2026-01-01T00:44:00Z"))).as_deref(), Some("a"));
        assert_eq!(id(cache.load(&request(), floor, at("2026-01-01T00:44:01Z"))), None);
    }

    #[test]
    fn every_part_of_the_request_tells_keys_apart() {
        let home = tempfile::tempdir().unwrap();
        let cache = KeyCache::new(Some(home.path()));
        let now = at("2026-01-01T00:00:00Z");
        cache.store(&request(), &key("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"), now);
        let others = [
            CacheKey { identity: "x".into(), ..request() },
            CacheKey { endpoint: "x".into(), ..request() },
            CacheKey { subject: Some(String::new()), ..request() },
            CacheKey { policy: Some("{}".into()), ..request() },
            CacheKey { session_name: Some("x".into()), ..request() },
            CacheKey { duration: None, ..request() },
        ];
        for other in others {
            assert_eq!(id(cache.load(&other, Duration::ZERO, now)), None, "{other:?}");
        }
        assert!(cache.load(&request(), Duration::ZERO, now).is_some());
    }

    #[test]
    fn expired_keys_are_removed_when_one_is_cached() {
        let home = tempfile::tempdir().unwrap();
        let cache = KeyCache::new(Some(home.path()));
        cache.store(&request(), &key("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"), at("2026-01-01T00:00:00Z"));
        let other = CacheKey { duration: None, ..request() };
        cache.store(&other, &key("2026-01-01T02:00:00Z", "2026-01-01T09:00:00Z"), at("2026-01-01T02:00:00Z"));
        let files = std::fs::read_dir(home.path().join("keys")).unwrap();
        assert_eq!(files.count(), 1);
    }
}
