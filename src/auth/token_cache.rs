//! IAM tokens cached on disk, so that not every command exchanges its credential anew.
//!
//! One file an identity. A token is renewed under a lock, so that any number of processes make one exchange.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::iam_token::{self, IamToken};
use crate::error::Result;
use crate::lifetime::Lifetime;
use crate::lock::Lock;
use crate::log::Log;
use crate::store::{Level, Store};
use crate::text::digest::fingerprint;

/// A token that expires sooner than this is renewed, whatever its lifetime.
const LEAST_REMAINING: Duration = Duration::from_secs(5 * 60);

/// The cached tokens of this user.
#[derive(Debug, Clone)]
pub struct TokenCache {
    store: Store,
}

/// What a token is cached under: the service that issued it and the identity it was issued to.
///
/// Both are written to the file, so neither may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The endpoint of the service that issued the token.
    pub issuer: String,
    /// Who the token was issued to, and on what proof.
    pub subject: String,
}

/// For how much longer a token must be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredLifetime {
    /// A tenth of its lifetime: for the calls of one command.
    ForCalls,
    /// Half of its lifetime: for use outside of this program.
    ForExport,
    /// This long: for a key that expires no later than the token.
    AtLeast(Duration),
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    identity: Identity,
    iam_token: String,
    expires_at: String,
    lifetime: Lifetime,
    #[serde(default, rename = "keep_until", skip_serializing_if = "Option::is_none")]
    cache_until: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_id: Option<String>,
}

impl TokenCache {
    /// The cache in this directory; `None` turns it off.
    pub fn new(home: Option<&Path>) -> Self {
        Self { store: Store::tokens(home) }
    }

    /// The cached token of an identity.
    pub fn load(&self, identity: &Identity, now: DateTime<Utc>) -> Option<IamToken> {
        let entry: Entry = self.store.load(&identity.file_name())?;
        let usable = entry.identity == *identity && entry.cache_until.is_none_or(|time| now < time);
        if !usable {
            return None;
        }
        Some(IamToken {
            value: iam_token::checked(entry.iam_token.into()).ok()?,
            expires_at: Some(entry.expires_at),
            lifetime: entry.lifetime,
            cache_until: entry.cache_until,
            subject_id: entry.subject_id,
            cached: true,
        })
    }

    /// Caches a token that is known to expire; expired ones of all identities are removed.
    pub fn store(&self, identity: &Identity, token: &IamToken) {
        let Some(expires_at) = token.expires_at.clone() else { return };
        if token.lifetime.granted.is_zero() {
            return;
        }
        let entry = Entry {
            identity: identity.clone(),
            iam_token: token.value.expose_secret().to_owned(),
            expires_at,
            lifetime: token.lifetime,
            cache_until: token.cache_until,
            subject_id: token.subject_id.clone(),
        };
        self.store.save(&identity.file_name(), &entry);
        self.store.sweep(|entry: Entry| entry.lifetime.is_over(token.lifetime.received_at));
    }

    /// Adds to a cached token the subject that it was issued to; one that was cached since then stays as it is.
    pub fn set_subject(&self, identity: &Identity, token: &SecretString, subject_id: &str) {
        let Some(mut entry) = self.store.load::<Entry>(&identity.file_name()) else { return };
        if entry.iam_token == token.expose_secret() {
            entry.subject_id = Some(subject_id.to_owned());
            self.store.save(&identity.file_name(), &entry);
        }
    }

    /// Removes a token that the server refused; one that was cached since then stays.
    pub fn forget(&self, identity: &Identity, refused: &SecretString) {
        let cached = self.load(identity, DateTime::<Utc>::MIN_UTC);
        if cached.is_some_and(|token| token.value.expose_secret() == refused.expose_secret()) {
            self.store.remove(&identity.file_name());
        }
    }

    /// Removes the tokens of a subject, whichever service issued them, and those that were obtained on its behalf. Returns
    /// the subject's own.
    pub fn take(&self, subject: &str) -> Option<IamToken> {
        let own = RefCell::new(None);
        let on_behalf = format!(" by {subject}");
        self.store.sweep(|entry: Entry| {
            let is_own = entry.identity.subject == subject;
            if is_own {
                own.replace(Some(entry.identity.clone()));
                return false;
            }
            entry.identity.subject.ends_with(&on_behalf)
        });
        let identity = own.into_inner()?;
        let token = self.load(&identity, DateTime::<Utc>::MIN_UTC);
        self.store.remove(&identity.file_name());
        token
    }

    /// Waits until no other process renews the token of this identity. The lock of an own token may be taken while that of
    /// an impersonated account (`Level::Outer`) is held.
    ///
    /// # Errors
    /// Another process holds the lock for too long.
    pub async fn lock(&self, identity: &Identity, level: Level, log: &Log) -> Result<Option<Lock>> {
        self.store.lock(&identity.file_name(), level, log).await
    }
}

impl Identity {
    fn file_name(&self) -> String {
        fingerprint(&[&self.issuer, &self.subject])
    }
}

impl RequiredLifetime {
    /// Whether a token is valid for long enough.
    pub fn is_met(self, token: &IamToken, now: DateTime<Utc>) -> bool {
        let lifetime = token.lifetime;
        match self {
            Self::ForCalls => lifetime.exceeds((lifetime.granted / 10).max(LEAST_REMAINING), now),
            Self::ForExport => lifetime.exceeds((lifetime.granted / 2).max(LEAST_REMAINING), now),
            Self::AtLeast(required) => lifetime.exceeds(required, now) && Self::ForCalls.is_met(token, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(time: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(time).unwrap().to_utc()
    }

    fn token(value: &str, obtained: &str, expires: &str) -> IamToken {
        let lifetime = Lifetime::until(utc(expires), None, utc(obtained));
        IamToken { expires_at: Some(expires.to_owned()), lifetime, ..IamToken::given(value.into(), utc(obtained)) }
    }

    fn identity(subject: &str) -> Identity {
        Identity { issuer: "https://iam".into(), subject: subject.into() }
    }

    #[test]
    fn a_token_is_renewed_in_the_last_tenth_of_its_lifetime_or_the_last_five_minutes() {
        let twelve_hours = token("t", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z");
        assert!(RequiredLifetime::ForCalls.is_met(&twelve_hours, utc("2026-01-01T10:47:59Z")));
        assert!(!RequiredLifetime::ForCalls.is_met(&twelve_hours, utc("2026-01-01T10:48:00Z")));
        assert!(RequiredLifetime::ForExport.is_met(&twelve_hours, utc("2026-01-01T05:59:59Z")));
        assert!(!RequiredLifetime::ForExport.is_met(&twelve_hours, utc("2026-01-01T06:00:00Z")));
        let twenty_minutes = token("t", "2026-01-01T00:00:00Z", "2026-01-01T00:20:00Z");
        assert!(RequiredLifetime::ForCalls.is_met(&twenty_minutes, utc("2026-01-01T00:14:59Z")));
        assert!(!RequiredLifetime::ForCalls.is_met(&twenty_minutes, utc("2026-01-01T00:15:00Z")));
        assert!(!RequiredLifetime::ForCalls.is_met(&twelve_hours, utc("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn a_token_that_was_obtained_in_the_future_is_not_used() {
        let token = token("t", "2026-01-01T10:00:00Z", "2026-01-01T22:00:00Z");
        for required in [RequiredLifetime::ForCalls, RequiredLifetime::ForExport] {
            assert!(required.is_met(&token, utc("2026-01-01T10:00:00Z")));
            assert!(!required.is_met(&token, utc("2026-01-01T09:59:59Z")));
        }
        assert!(token.is_new(utc("2026-01-01T09:59:30Z")) && token.is_new(utc("2026-01-01T10:00:30Z")));
        assert!(!token.is_new(utc("2026-01-01T09:58:30Z")) && !token.is_new(utc("2026-01-01T10:01:30Z")));
    }

    #[test]
    fn a_longer_key_requires_a_longer_token() {
        let token = token("t", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z");
        let required = RequiredLifetime::AtLeast(Duration::from_secs(6 * 3600));
        assert!(required.is_met(&token, utc("2026-01-01T05:59:59Z")));
        assert!(!required.is_met(&token, utc("2026-01-01T06:00:00Z")));
    }

    #[test]
    fn a_token_is_found_by_its_identity_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(directory.path()));
        cache.store(&identity("a"), &token("t1.a", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"));
        assert_eq!(cache.load(&identity("a"), utc("2026-01-01T00:00:00Z")).unwrap().value.expose_secret(), "t1.a");
        assert!(cache.load(&identity("b"), utc("2026-01-01T00:00:00Z")).is_none());
        let elsewhere = Identity { issuer: "https://other".into(), ..identity("a") };
        assert!(cache.load(&elsewhere, utc("2026-01-01T00:00:00Z")).is_none());
    }

    #[test]
    fn a_text_that_is_not_a_token_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(directory.path()));
        for text in ["", "t1.", "t1.a\nb", "other"] {
            cache.store(&identity("a"), &token(text, "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"));
            assert!(cache.load(&identity("a"), utc("2026-01-01T00:00:00Z")).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_token_is_not_used_past_the_time_until_which_it_may_be_cached() {
        let directory = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(directory.path()));
        let mut cached = token("t1.a", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z");
        cached.cache_until = Some(utc("2026-01-01T00:01:00Z"));
        cache.store(&identity("a"), &cached);
        assert!(cache.load(&identity("a"), utc("2026-01-01T00:00:59Z")).is_some());
        assert!(cache.load(&identity("a"), utc("2026-01-01T00:01:00Z")).is_none());
    }

    #[test]
    fn a_refused_token_is_removed_and_a_newer_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(directory.path()));
        cache.store(&identity("a"), &token("t1.new", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"));
        cache.forget(&identity("a"), &"t1.old".into());
        assert!(cache.load(&identity("a"), utc("2026-01-01T00:00:00Z")).is_some());
        cache.forget(&identity("a"), &"t1.new".into());
        assert!(cache.load(&identity("a"), utc("2026-01-01T00:00:00Z")).is_none());
    }

    #[test]
    fn expired_tokens_are_removed_when_one_is_cached() {
        let directory = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(directory.path()));
        cache.store(&identity("old"), &token("t1.o", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"));
        cache.store(&identity("new"), &token("t1.n", "2026-01-02T00:00:00Z", "2026-01-02T12:00:00Z"));
        assert!(cache.load(&identity("old"), utc("2026-01-01T00:00:00Z")).is_none());
        assert!(cache.load(&identity("new"), utc("2026-01-01T00:00:00Z")).is_some());
    }
}
