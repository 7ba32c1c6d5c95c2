//! Ephemeral keys kept between runs, so that an SDK that asks again and again gets the same key.
//!
//! One file a key. A key is issued under a lock, so that any number of processes issue one.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::Store;
use crate::text::digest::fingerprint;

/// The keys of this user.
#[derive(Debug, Clone)]
pub struct KeyCache {
    store: Store,
}

/// What a key is kept under: the request as the user gave it, so that it is found without asking any service. What was
/// left out is left out here, too. It stands in the file, so it must not hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Who asks, and on what proof.
    pub identity: String,
    /// Where the key is issued.
    pub endpoint: String,
    /// Who the key is for: an ID, or a name with its folder.
    pub subject: Option<String>,
    /// The policy, without insignificant white space.
    pub policy: Option<String>,
    /// The session name.
    pub session_name: Option<String>,
    /// The life asked for.
    pub duration: Option<Duration>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    wanted: Wanted,
    /// `CreateEphemeralAccessKeyResponse`, as received.
    key: Value,
}

impl KeyCache {
    /// The cache below this folder; `None` turns it off.
    pub fn new(home: Option<&Path>) -> Self {
        Self { store: Store::keys(home) }
    }

    /// A key that was issued for the same request, if it has at least `rest` of its life left.
    pub fn load(&self, wanted: &Wanted, rest: Duration, now: DateTime<Utc>) -> Option<Value> {
        let entry: Entry = self.store.load(&wanted.name())?;
        (entry.wanted == *wanted && left(&entry.key, now)? >= rest).then_some(entry.key)
    }

    /// Keeps a key; expired ones are removed.
    pub fn store(&self, wanted: &Wanted, key: &Value, now: DateTime<Utc>) {
        self.store.save(&wanted.name(), &Entry { wanted: wanted.clone(), key: key.clone() });
        self.store.sweep(|entry: Entry| left(&entry.key, now).is_none_or(|left| left.is_zero()));
    }

    /// Waits until no other process issues a key for the same request.
    pub async fn lock(&self, wanted: &Wanted) -> Option<File> {
        self.store.lock(&wanted.name()).await
    }
}

impl Wanted {
    fn name(&self) -> String {
        fingerprint(&[&serde_json::to_string(self).unwrap_or_default()])
    }
}

/// How much life a key has left; `None` when it does not say when it ends.
pub fn left(key: &Value, now: DateTime<Utc>) -> Option<Duration> {
    let end = DateTime::parse_from_rfc3339(key["expiresAt"].as_str()?).ok()?.to_utc();
    Some((end - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(time).unwrap().to_utc()
    }

    fn wanted() -> Wanted {
        Wanted {
            identity: "key aje".into(),
            endpoint: "https://iam".into(),
            subject: None,
            policy: None,
            session_name: None,
            duration: Some(Duration::from_secs(3600)),
        }
    }

    #[test]
    fn a_key_is_served_while_enough_of_its_life_is_left() {
        let home = tempfile::tempdir().unwrap();
        let cache = KeyCache::new(Some(home.path()));
        let key = json!({"accessKeyId": "a", "expiresAt": "2026-01-01T01:00:00.5Z"});
        cache.store(&wanted(), &key, at("2026-01-01T00:00:00Z"));
        let floor = Duration::from_secs(16 * 60);
        assert_eq!(cache.load(&wanted(), floor, at("2026-01-01T00:44:00Z")), Some(key));
        assert_eq!(cache.load(&wanted(), floor, at("2026-01-01T00:44:01Z")), None);
    }

    #[test]
    fn every_part_of_the_request_tells_keys_apart() {
        let home = tempfile::tempdir().unwrap();
        let cache = KeyCache::new(Some(home.path()));
        let now = at("2026-01-01T00:00:00Z");
        cache.store(&wanted(), &json!({"expiresAt": "2026-01-01T01:00:00Z"}), now);
        let others = [
            Wanted { identity: "x".into(), ..wanted() },
            Wanted { endpoint: "x".into(), ..wanted() },
            Wanted { subject: Some(String::new()), ..wanted() },
            Wanted { policy: Some("{}".into()), ..wanted() },
            Wanted { session_name: Some("x".into()), ..wanted() },
            Wanted { duration: None, ..wanted() },
        ];
        for other in others {
            assert_eq!(cache.load(&other, Duration::ZERO, now), None, "{other:?}");
        }
        assert!(cache.load(&wanted(), Duration::ZERO, now).is_some());
    }

    #[test]
    fn expired_keys_are_removed_when_one_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let cache = KeyCache::new(Some(home.path()));
        cache.store(&wanted(), &json!({"expiresAt": "2026-01-01T01:00:00Z"}), at("2026-01-01T00:00:00Z"));
        let other = Wanted { duration: None, ..wanted() };
        cache.store(&other, &json!({"expiresAt": "2026-01-01T09:00:00Z"}), at("2026-01-01T02:00:00Z"));
        let files = std::fs::read_dir(home.path().join("keys")).unwrap();
        assert_eq!(files.count(), 1);
    }
}
