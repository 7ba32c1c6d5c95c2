//! The journals of rotations, a file each: what a rotation is about and how far it is. They hold no secret.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::target::Destination;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::input;
use crate::keys::rotation_marker::Marker;
use crate::private_file;
use crate::text::{ids, quote};

/// The form of a journal that this program reads and writes.
pub const VERSION: u8 = 1;

/// How far a rotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// A new key is being created and shown to work.
    Creating,
    /// A new key is being delivered.
    Delivering,
    /// The new key is at the destination.
    Delivered,
    /// The old key is deleted, or is not to be.
    Deleted,
}

/// Whether and how long the new key is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verification {
    /// It is not tried.
    Skip,
    /// It is tried until the storage knows it, for this many seconds at most.
    Seconds(u64),
}

impl Verification {
    /// How long the key is tried; `None`: not at all.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::Skip => None,
            Self::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        }
    }
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// [`VERSION`].
    pub version: u8,
    /// The resource ID of the key that is replaced.
    pub old_id: String,
    /// Its key ID: `YCA…`.
    pub old_key_id: String,
    /// The account of both keys.
    pub service_account_id: String,
    /// The endpoint of IAM that the keys are known to.
    pub endpoint: String,
    /// The marker of the new key.
    pub marker: Marker,
    /// The description that the new key has in the end.
    pub description: String,
    /// Whether the old key is not deleted.
    pub keep_old: bool,
    /// Whether and how long the new key is tried.
    pub verification: Verification,
    /// Where the new key goes.
    pub destination: Destination,
    /// How far the rotation is.
    pub step: Step,
    /// The resource ID of the new key, from `delivering` on.
    pub new_id: Option<String>,
    /// When it was started, as RFC 3339 by the local clock.
    pub started_at: String,
}

/// The directory of the journals.
#[derive(Debug, Clone)]
pub struct Journals {
    directory: PathBuf,
}

/// The journal of one key, which no other process works on.
#[derive(Debug)]
pub struct Entry {
    path: PathBuf,
    _lock: File,
}

impl Journals {
    /// The journals of this user.
    ///
    /// # Errors
    /// The directory is not known, or others can write to it.
    pub fn open(env: &Env) -> Result<Self> {
        let home = env.state_home().ok_or_else(|| {
            Error::usage("the directory for journals of rotations is not known").hint("set YC_RS_STATE_DIR")
        })?;
        let directory = home.join("rotations");
        for path in [&home, &directory] {
            if path.exists() {
                check_trust(path, "directory")?;
            }
        }
        Ok(Self { directory })
    }

    /// Takes the journal of a key, which need not be there. Another process may hold it.
    ///
    /// # Errors
    /// Another process works on the rotation, or the directory cannot be written.
    pub fn take(&self, old_id: &str) -> Result<Entry> {
        ids::check_id(old_id).map_err(Error::usage)?;
        let cannot = |error: io::Error| {
            Error::new(Kind::Output, format!("cannot use {}: {error}", quote::full_path(&self.directory)))
                .hint("set YC_RS_STATE_DIR to a directory that can be written")
        };
        private_file::create_directory(&self.directory).map_err(cannot)?;
        check_trust(&self.directory, "directory")?;
        let lock = private_file::open_lock(&self.directory.join(format!("{old_id}.lock"))).map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Entry { path: self.directory.join(format!("{old_id}.json")), _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new(Kind::Conflict, format!("another process works on the rotation of {old_id}"))
                    .hint("wait until it has ended"))
            }
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }

    /// The IDs of the keys whose rotations are not finished, sorted.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn unfinished(&self) -> Result<Vec<String>> {
        let files = match self.directory.read_dir() {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let path = quote::full_path(&self.directory);
                return Err(Error::new(Kind::Output, format!("cannot read {path}: {error}")));
            }
        };
        let names = files.flatten().map(|file| file.file_name().to_string_lossy().into_owned());
        let mut ids: Vec<_> = names.filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
        ids.retain(|id| ids::check_id(id).is_ok());
        ids.sort();
        Ok(ids)
    }

    /// The journal of a key, to be looked at alone.
    ///
    /// # Errors
    /// It is damaged, or others can write it.
    pub fn look_at(&self, old_id: &str) -> Result<Option<Journal>> {
        read(&self.directory.join(format!("{old_id}.json")))
    }
}

impl Entry {
    /// The journal; `None` when there is none.
    ///
    /// # Errors
    /// It is damaged, or others can write it.
    pub fn read(&self) -> Result<Option<Journal>> {
        read(&self.path)
    }

    /// Writes the journal, so that it is on the disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written; it is then as it was.
    pub fn write(&self, journal: &Journal) -> Result<()> {
        let text = serde_json::to_vec_pretty(journal).map_err(|error| Error::internal(error.to_string()))?;
        private_file::replace(&self.path, &text).map_err(|error| {
            let path = quote::full_path(&self.path);
            Error::new(Kind::Output, format!("cannot write the journal of the rotation, {path}: {error}"))
        })
    }

    /// Removes the journal: the rotation is finished, or forgotten.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let path = quote::full_path(&self.path);
                Err(Error::new(Kind::Output, format!("cannot remove the journal of the rotation, {path}: {error}")))
            }
            _ => Ok(()),
        }
    }
}

fn read(path: &Path) -> Result<Option<Journal>> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    check_trust(path, "journal")?;
    let invalid = |rule: &str| Error::config(format!("the journal {} {rule}", quote::full_path(path)));
    let bytes =
        input::regular_file(path, input::LIMIT).map_err(|error| invalid(&format!("cannot be read: {error}")))?;
    let journal: Journal = serde_json::from_slice(&bytes).map_err(|error| {
        invalid(&format!("is damaged (line {}, column {})", error.line(), error.column()))
            .hint("the rotation cannot go on; list the keys of the account, and delete those that nobody uses")
    })?;
    if journal.version != VERSION {
        return Err(invalid("was written by another version of yc-rs"));
    }
    Ok(Some(journal))
}

/// Checks that no other user can have written a file or directory.
fn check_trust(path: &Path, what: &str) -> Result<()> {
    let Some(rule) = private_file::foreign_state(path) else { return Ok(()) };
    Err(Error::config(format!("the {what} {} {rule}, so it is not used", quote::full_path(path))))
}
