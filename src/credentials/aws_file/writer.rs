//! Writing a key to a profile, in two steps: everything that can fail or wait, and later the key.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::edit::Change;
use super::findings::{self, FileKind, Finding, Lifetime};
use super::ini::Document;
use super::{AwsFiles, cannot_write, read_if_there};
use crate::credentials::{Credentials, Storage};
use crate::error::{Error, Kind, Result};
use crate::lock::{Lock, LockError};
use crate::log::Log;
use crate::private_file::{Replacement, create_directory, parent_directory, replaceable};
use crate::text::quote;

/// What a key and its neighbours take, in bytes.
const ROOM: usize = 16 * 1024;

/// A profile that a key can be written to. The lock of the file is held until this is dropped.
#[derive(Debug)]
pub struct ProfileWriter {
    files: AwsFiles,
    profile: String,
    is_new: bool,
    /// Where the storage is, for a profile that is new.
    storage: Option<Storage>,
    replacement: Replacement,
    /// The file that is replaced.
    target: PathBuf,
    _lock: Lock,
}

impl ProfileWriter {
    /// Checks that SDKs will use a key that is written to the profile, waits for other writers, and shows that the file
    /// can be replaced. A directory that is missing is created.
    ///
    /// # Errors
    /// The file or the profile cannot be used, or another process holds the lock for too long.
    pub async fn prepare(files: AwsFiles, profile: String, lifetime: Lifetime, log: &Log) -> Result<Self> {
        let describe = |problem: String| Error::usage(files.describe(&problem));
        let cannot = |error: io::Error| describe(cannot_write(&error));
        let mut notes = config_notes(&files, &profile, lifetime)?;
        let target = replaceable(files.credentials()).map_err(describe)?;
        create_directory(parent_directory(&target)).map_err(cannot)?;
        let lock_file = lock_path(&target);
        let lock = match Lock::acquire(&lock_file, files.credentials(), log).await {
            Ok(lock) => lock,
            Err(LockError::Unusable(error)) => {
                let lock_file = quote::bare_path(&lock_file);
                return Err(describe(format!("cannot be written: its lock file {lock_file} cannot be used: {error}")));
            }
            Err(LockError::Held(error)) => return Err(error),
        };
        let content = read_if_there(&target).map_err(describe)?;
        let document = Document::parse(&content).map_err(describe)?;
        let found = findings::before_writing(&document, FileKind::Credentials, &profile, lifetime);
        notes.extend(notes_of(&found, FileKind::Credentials, files.credentials(), &profile)?);
        let is_new = findings::section(&document, FileKind::Credentials, &profile).is_ok_and(|found| found.is_none());
        let replacement = Replacement::prepare(&target, content.len() + ROOM).map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy => describe(
                "is a mount point, so it cannot be replaced; mount the directory of the file instead".to_owned(),
            ),
            _ => cannot(error),
        })?;
        for note in &notes {
            log.note(note);
        }
        Ok(Self { files, profile, is_new, storage: None, replacement, target, _lock: lock })
    }

    /// Whether the profile is not in the file yet: it then also gets the region and the endpoint of the storage.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Sets what a new profile says about the storage.
    ///
    /// # Errors
    /// The file cannot hold the region or the endpoint.
    pub fn with_storage(self, storage: Storage) -> Result<Self> {
        for (key, value) in [("region", &storage.region), ("endpoint_url", &storage.endpoint)] {
            check_value(key, value).map_err(|problem| Error::usage(self.files.describe(&problem)))?;
        }
        Ok(Self { storage: Some(storage), ..self })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.files.credentials()
    }

    /// The name of the profile.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Writes the credentials. Of a profile that is there, only the keys of the credentials are changed. What another
    /// program has written to the file meanwhile stays.
    ///
    /// # Errors
    /// The file cannot be written; it is then as it was.
    pub fn write(self, credentials: &Credentials) -> Result<()> {
        let Self { files, profile, storage, replacement, target, _lock, is_new: _ } = self;
        let write = || -> Result<(), String> {
            let content = with_profile(&read_if_there(&target)?, &profile, credentials, storage.as_ref())?;
            replacement.commit(&content).map_err(|error| cannot_write(&error))
        };
        write().map_err(|problem| Error::new(Kind::Output, files.describe(&problem)))
    }
}

/// The content with the credentials in the profile, and everything else as it was.
pub(crate) fn with_profile(
    content: &[u8],
    profile: &str,
    credentials: &Credentials,
    storage: Option<&Storage>,
) -> Result<Vec<u8>, String> {
    let mut changes: Vec<Change<'_>> = vec![
        ("aws_access_key_id", Some(&credentials.access_key_id)),
        ("aws_secret_access_key", Some(credentials.secret.expose_secret())),
        ("aws_session_token", credentials.session_token.as_ref().map(ExposeSecret::expose_secret)),
        // The older name of the session token, which some SDKs prefer.
        ("aws_security_token", None),
    ];
    let document = Document::parse(content)?;
    let section =
        findings::section(&document, FileKind::Credentials, profile).map_err(|finding| finding.message(profile))?;
    if let (None, Some(storage)) = (section, storage) {
        changes.extend([("region", Some(storage.region.as_str())), ("endpoint_url", Some(&storage.endpoint))]);
    }
    for (key, value) in &changes {
        value.map_or(Ok(()), |value| check_value(key, value))?;
    }
    Ok(match section {
        Some(section) => document.with_changes(section, &changes),
        None => document.with_section(profile, &changes),
    })
}

/// Checks that every reader takes the value for what it is.
fn check_value(key: &str, value: &str) -> Result<(), String> {
    let is_plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
    let is_comment = value.starts_with(['#', ';']);
    if is_plain && !is_comment {
        return Ok(());
    }
    Err(format!(
        "cannot hold the value for {key}: it is empty, looks like a comment, or has white space or control characters"
    ))
}

/// The notes on the configuration file, which SDKs read together with the credentials file.
fn config_notes(files: &AwsFiles, profile: &str, lifetime: Lifetime) -> Result<Vec<String>> {
    let Some(path) = files.config() else { return Ok(Vec::new()) };
    let describe = |problem: String| Error::usage(format!("{} {problem}", FileKind::Config.name(path)));
    let content = read_if_there(path).map_err(describe)?;
    let document = Document::parse(&content).map_err(describe)?;
    let found = findings::before_writing(&document, FileKind::Config, profile, lifetime);
    notes_of(&found, FileKind::Config, path, profile)
}

/// The notes among the findings.
///
/// # Errors
/// One of them is not a note.
fn notes_of(findings: &[Finding], kind: FileKind, path: &Path, profile: &str) -> Result<Vec<String>> {
    let message = |finding: &Finding| format!("{} {}", kind.name(path), finding.message(profile));
    match findings.iter().find(|finding| !finding.is_note()) {
        Some(refusal) => Err(Error::usage(message(refusal))),
        None => Ok(findings.iter().map(message).collect()),
    }
}

/// What stands for the lock: not the file itself, which is renamed over.
fn lock_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.yc-rs.lock"))
}
