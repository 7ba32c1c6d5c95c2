//! IAM tokens kept on disk, so that a command with a key need not sign in each time.
//!
//! One file an identity. A token is renewed under a lock, so that any number of processes make one exchange.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::iam_token::IamToken;
use crate::error::Result;
use crate::lock::Lock;
use crate::log::Log;
use crate::store::Store;
use crate::text::digest::fingerprint;

/// A token with less life left than this is renewed, whatever its whole life.
const SHORTEST_REST: Duration = Duration::from_secs(5 * 60);

/// The tokens of this user.
#[derive(Debug, Clone)]
pub struct TokenCache {
    store: Store,
}

/// What a token is kept under: the service that issued it and the identity it was issued to.
///
/// Both stand in the file, so neither may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The address of the service that issued the token.
    pub issuer: String,
    /// Who the token was issued to, and on what proof.
    pub subject: String,
}

/// How much life a token must have left to be of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A tenth of its life: for the calls of one command.
    Calls,
    /// Half of its life: for use outside of this program.
    Export,
    /// This long: for a key that cannot outlive the token.
    AtLeast(Duration),
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    identity: Identity,
    iam_token: String,
    expires_at: String,
    obtained_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_until: Option<DateTime<Utc>>,
}

impl TokenCache {
    /// The cache below this folder; `None` turns it off.
    pub fn new(home: Option<&Path>) -> Self {
        Self { store: Store::tokens(home) }
    }

    /// The token of an identity, if it is kept and may still be.
    pub fn load(&self, identity: &Identity, now: DateTime<Utc>) -> Option<IamToken> {
        let entry: Entry = self.store.load(&identity.name())?;
        let usable = entry.identity == *identity && entry.keep_until.is_none_or(|end| now < end);
        usable.then(|| IamToken {
            value: entry.iam_token.into(),
            expires_at: Some(entry.expires_at),
            obtained_at: entry.obtained_at,
            keep_until: entry.keep_until,
            cached: true,
        })
    }

    /// Keeps a token that has an end; expired ones of all identities are removed.
    pub fn store(&self, identity: &Identity, token: &IamToken) {
        let Some(expires_at) = token.expires_at.clone() else { return };
        let entry = Entry {
            identity: identity.clone(),
            iam_token: token.value.expose_secret().to_owned(),
            expires_at,
            obtained_at: token.obtained_at,
            keep_until: token.keep_until,
        };
        self.store.save(&identity.name(), &entry);
        self.store.sweep(|entry: Entry| end(&entry.expires_at).is_none_or(|end| end < token.obtained_at));
    }

    /// Forgets a token that the server refused; one that was kept since then stays.
    pub fn forget(&self, identity: &Identity, refused: &SecretString) {
        let kept = self.load(identity, DateTime::<Utc>::MIN_UTC);
        if kept.is_some_and(|token| token.value.expose_secret() == refused.expose_secret()) {
            self.store.remove(&identity.name());
        }
    }

    /// Waits until no other process renews the token of this identity.
    ///
    /// # Errors
    /// Another process holds the lock for too long.
    pub async fn lock(&self, identity: &Identity, log: &Log) -> Result<Option<Lock>> {
        self.store.lock(&identity.name(), log).await
    }
}

impl Identity {
    fn name(&self) -> String {
        fingerprint(&[&self.issuer, &self.subject])
    }
}

impl Need {
    /// Whether a token is good enough.
    pub fn is_met(self, token: &IamToken, now: DateTime<Utc>) -> bool {
        let Some(end) = token.expires_at.as_deref().and_then(end) else { return false };
        let left = (end - now).to_std().unwrap_or_default();
        let life = (end - token.obtained_at).to_std().unwrap_or_default();
        match self {
            Self::Calls => left >= (life / 10).max(SHORTEST_REST),
            Self::Export => left >= (life / 2).max(SHORTEST_REST),
            Self::AtLeast(rest) => left >= rest && Self::Calls.is_met(token, now),
        }
    }
}

fn end(time: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(time).ok()?.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        end(time).unwrap()
    }

    fn token(value: &str, obtained: &str, expires: &str) -> IamToken {
        IamToken {
            value: value.into(),
            expires_at: Some(expires.to_owned()),
            obtained_at: at(obtained),
            keep_until: None,
            cached: false,
        }
    }

    fn identity(subject: &str) -> Identity {
        Identity { issuer: "https://iam".into(), subject: subject.into() }
    }

    #[test]
    fn a_token_is_renewed_in_the_last_tenth_of_its_life_or_the_last_five_minutes() {
        let twelve_hours = token("t", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z");
        assert!(Need::Calls.is_met(&twelve_hours, at("2026-01-01T10:48:00Z")));
        assert!(!Need::Calls.is_met(&twelve_hours, at("2026-01-01T10:48:01Z")));
        assert!(Need::Export.is_met(&twelve_hours, at("2026-01-01T06:00:00Z")));
        assert!(!Need::Export.is_met(&twelve_hours, at("2026-01-01T06:00:01Z")));
        let twenty_minutes = token("t", "2026-01-01T00:00:00Z", "2026-01-01T00:20:00Z");
        assert!(Need::Calls.is_met(&twenty_minutes, at("2026-01-01T00:15:00Z")));
        assert!(!Need::Calls.is_met(&twenty_minutes, at("2026-01-01T00:15:01Z")));
        assert!(!Need::Calls.is_met(&twelve_hours, at("2027-01-01T00:00:00Z")));
    }

    #[test]
    fn a_key_that_is_to_live_longer_needs_a_token_that_does() {
        let token = token("t", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z");
        let need = Need::AtLeast(Duration::from_secs(6 * 3600));
        assert!(need.is_met(&token, at("2026-01-01T06:00:00Z")));
        assert!(!need.is_met(&token, at("2026-01-01T06:00:01Z")));
    }

    #[test]
    fn a_token_is_found_by_its_identity_alone() {
        let folder = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(folder.path()));
        cache.store(&identity("a"), &token("t1.a", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"));
        assert_eq!(cache.load(&identity("a"), at("2026-01-01T00:00:00Z")).unwrap().value.expose_secret(), "t1.a");
        assert!(cache.load(&identity("b"), at("2026-01-01T00:00:00Z")).is_none());
        let elsewhere = Identity { issuer: "https://other".into(), ..identity("a") };
        assert!(cache.load(&elsewhere, at("2026-01-01T00:00:00Z")).is_none());
    }

    #[test]
    fn a_token_is_not_used_past_the_time_it_may_be_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(folder.path()));
        let mut kept = token("t1.a", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z");
        kept.keep_until = Some(at("2026-01-01T00:01:00Z"));
        cache.store(&identity("a"), &kept);
        assert!(cache.load(&identity("a"), at("2026-01-01T00:00:59Z")).is_some());
        assert!(cache.load(&identity("a"), at("2026-01-01T00:01:00Z")).is_none());
    }

    #[test]
    fn a_refused_token_is_forgotten_and_a_newer_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(folder.path()));
        cache.store(&identity("a"), &token("t1.new", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"));
        cache.forget(&identity("a"), &"t1.old".into());
        assert!(cache.load(&identity("a"), at("2026-01-01T00:00:00Z")).is_some());
        cache.forget(&identity("a"), &"t1.new".into());
        assert!(cache.load(&identity("a"), at("2026-01-01T00:00:00Z")).is_none());
    }

    #[test]
    fn expired_tokens_are_removed_when_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let cache = TokenCache::new(Some(folder.path()));
        cache.store(&identity("old"), &token("t1.o", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"));
        cache.store(&identity("new"), &token("t1.n", "2026-01-02T00:00:00Z", "2026-01-02T12:00:00Z"));
        assert!(cache.load(&identity("old"), at("2026-01-01T00:00:00Z")).is_none());
        assert!(cache.load(&identity("new"), at("2026-01-01T00:00:00Z")).is_some());
    }
}
