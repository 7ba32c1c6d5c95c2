//! Which access keys a command works on.

use clap::Args;

use crate::error::{Error, Result};
use crate::text::ids;

/// An access key by its resource ID.
#[derive(Debug, Args)]
#[group(id = "key", required = true, multiple = false)]
pub struct OneKey {
    /// ID of the access key (not the key ID that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID")]
    access_key_id: Option<String>,
    /// The same as a flag
    #[arg(long, value_name = "ID", alias = "access-key-id")]
    id: Option<String>,
}

impl OneKey {
    /// The ID.
    ///
    /// # Errors
    /// It cannot be an ID.
    pub fn id(self) -> Result<String> {
        ids::parse_id(&self.access_key_id.or(self.id).unwrap_or_default()).map_err(Error::usage)
    }
}

/// Access keys by their resource IDs.
#[derive(Debug, Args)]
#[group(id = "keys", required = true, multiple = false)]
pub struct Keys {
    /// IDs of the access keys (not the key IDs that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID")]
    access_key_ids: Vec<String>,
    /// ID of an access key; may be given several times
    #[arg(long, value_name = "ID", alias = "access-key-id")]
    id: Vec<String>,
}

impl Keys {
    /// The IDs, each once and in the order given.
    ///
    /// # Errors
    /// One of them cannot be an ID.
    pub fn ids(self) -> Result<Vec<String>> {
        let mut ids: Vec<String> = Vec::new();
        for id in self.access_key_ids.into_iter().chain(self.id) {
            ids::check_id(&id).map_err(Error::usage)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}
