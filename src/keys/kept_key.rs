//! Handing out the same key again: one that is kept from an earlier run if it will do, else a new one.

use std::time::Duration;

use chrono::Utc;
use serde_json::Value;

use super::min_ttl::{self, LeastLife};
use crate::context::Context;
use crate::error::Result;
use crate::keys::cache::{KeyCache, Wanted};

/// The place of a key between runs.
pub struct KeptKey {
    cache: KeyCache,
    wanted: Wanted,
    least: Duration,
}

impl KeptKey {
    /// The place of the key that is wanted; it will do while so much of its life is left.
    pub fn new(wanted: Wanted, least: Option<LeastLife>, context: &Context<'_>) -> Self {
        Self {
            cache: KeyCache::new(context.cache_home().as_deref()),
            wanted,
            least: least.map_or(min_ttl::FOR_PROCESS, |life| life.least),
        }
    }

    /// The key that is kept, or a new one, which is then kept. Of all processes that want it at the same time, one
    /// issues it and the others wait.
    ///
    /// # Errors
    /// Those of issuing a key.
    pub async fn or_new(&self, issue: impl Future<Output = Result<Value>>) -> Result<Value> {
        if let Some(key) = self.load() {
            return Ok(key);
        }
        let _lock = self.cache.lock(&self.wanted).await;
        if let Some(key) = self.load() {
            return Ok(key);
        }
        let key = issue.await?;
        self.cache.store(&self.wanted, &key, Utc::now());
        Ok(key)
    }

    /// Whether this very key is kept, so that it can be had again.
    pub fn holds(&self, key: &Value) -> bool {
        self.load().as_ref() == Some(key)
    }

    fn load(&self) -> Option<Value> {
        self.cache.load(&self.wanted, self.least, Utc::now())
    }
}
