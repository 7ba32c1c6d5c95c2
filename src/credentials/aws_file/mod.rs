//! The credentials file of the AWS CLI and SDKs: one profile of it changed or read, every other byte left alone.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".

mod ini;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{fs, io};

use secrecy::{ExposeSecret, SecretString};

use self::ini::{Document, with_profile};
use super::{Credentials, Storage};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::input;
use crate::private_file;
use crate::text::quote;

/// The keys that are written, in this order.
const KEYS: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

/// A credentials file, which need not be there yet.
#[derive(Debug, Clone)]
pub struct CredentialsFile {
    path: PathBuf,
}

/// The key in a profile.
#[derive(Debug, Clone)]
pub struct ProfileKey {
    /// `aws_access_key_id`
    pub access_key_id: Option<String>,
    /// `aws_secret_access_key`
    pub secret: Option<SecretString>,
    /// `aws_session_token`
    pub session_token: Option<SecretString>,
}

impl CredentialsFile {
    /// The file that the user named, else `$AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    ///
    /// # Errors
    /// Neither is given and there is no home directory.
    pub fn locate(given: Option<&Path>, env: &Env) -> Result<Self> {
        const VARIABLE: &str = "AWS_SHARED_CREDENTIALS_FILE";
        let home = || {
            let error =
                Error::usage("there is no home directory, so the path of the AWS credentials file is not known");
            env.home.clone().ok_or_else(|| error.hint("name the file: --aws-credentials-file FILE"))
        };
        // Shells leave the tilde alone in `--flag=~/…`, and AWS clients read it in the variable.
        let path = match (given, env.var(VARIABLE)) {
            (Some(path), _) => env.path_of("--aws-credentials-file", path)?,
            (None, Some(path)) => env.path_of(VARIABLE, path.as_ref())?,
            (None, None) => home()?.join(".aws/credentials"),
        };
        Ok(Self { path })
    }

    /// Checks, before there is anything to write, all that can be checked: that the file and its
    /// directory can be written, and that the profile is in it once at most. A directory that is missing is created.
    ///
    /// # Errors
    /// The file cannot be used; the message says why.
    pub fn check(&self, profile: &str, storage: &Storage) -> Result<()> {
        let check = || -> Result<(), String> {
            let path = self.resolve()?;
            private_file::create_directory(private_file::parent_directory(&path))
                .map_err(|error| cannot_write(&error))?;
            private_file::open_lock(&lock_path(&path)).map_err(|error| cannot_write(&error))?;
            private_file::check_replaceable(&path).map_err(|error| cannot_write(&error))?;
            let dummies = KEYS.map(|key| (key, "x"));
            with_profile(&read(&path)?, profile, &dummies, &storage_keys(storage)).map(drop)
        };
        check().map_err(|problem| Error::usage(self.describe(&problem)))
    }

    /// Writes the credentials into the profile, which is made where it is missing. Of a profile that is there, only
    /// the three keys are changed; one that is new also gets region and address. Other writers are waited for.
    ///
    /// # Errors
    /// The file cannot be written; it is then as it was.
    pub fn write(&self, profile: &str, credentials: &Credentials) -> Result<()> {
        let token = credentials.session_token.as_ref().map_or("", ExposeSecret::expose_secret);
        let values = [credentials.access_key_id.as_str(), credentials.secret.expose_secret(), token];
        let keys = [(KEYS[0], values[0]), (KEYS[1], values[1]), (KEYS[2], values[2])];
        let write = || -> Result<(), String> {
            let path = self.resolve()?;
            let lock = private_file::open_lock(&lock_path(&path)).map_err(|error| cannot_write(&error))?;
            lock.lock().map_err(|error| format!("cannot be locked: {error}"))?;
            let content = with_profile(&read(&path)?, profile, &keys, &storage_keys(&credentials.storage))?;
            private_file::replace(&path, &content).map_err(|error| cannot_write(&error))
        };
        write().map_err(|problem| Error::new(Kind::Output, self.describe(&problem)))
    }

    /// The key in a profile.
    ///
    /// # Errors
    /// The file cannot be read, or the profile does not stand in it once.
    pub fn read(&self, profile: &str) -> Result<ProfileKey> {
        let read = || -> Result<ProfileKey, String> {
            let content = input::regular_file(&self.path, input::LARGE_LIMIT)
                .map_err(|error| format!("cannot be read: {error}"))?;
            let document = Document::parse(&content)?;
            let section = document.section(profile)?.ok_or_else(|| {
                let names: Vec<_> = document.sections.iter().map(|section| section.name.as_str()).collect();
                format!("has no profile {}; there are: {}", quote::value(profile), quote::list(&names))
            })?;
            let value = |key| section.entries.iter().find(|entry| entry.name == key).map(|entry| document.value(entry));
            Ok(ProfileKey {
                access_key_id: value(KEYS[0]),
                secret: value(KEYS[1]).map(SecretString::from),
                session_token: value(KEYS[2]).map(SecretString::from),
            })
        };
        read().map_err(|problem| Error::usage(self.describe(&problem)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that is to be replaced: where a symbolic link leads, if what is there belongs to the user.
    fn resolve(&self) -> Result<PathBuf, String> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self.path.clone()),
            Err(error) => return Err(format!("cannot be read: {error}")),
        };
        // Of a file that is none, the canonical path is the path.
        let path =
            fs::canonicalize(&self.path).map_err(|error| format!("is a symbolic link that leads nowhere: {error}"))?;
        if !private_file::is_own(&path) {
            let link = if metadata.is_symlink() {
                format!("leads to {}, which ", quote::full_path(&path))
            } else {
                String::new()
            };
            return Err(format!("{link}belongs to another user"));
        }
        let metadata = fs::metadata(&path).map_err(|error| format!("cannot be read: {error}"))?;
        if !metadata.is_file() {
            return Err("is not a regular file".to_owned());
        }
        if metadata.permissions().readonly() {
            return Err("is read-only".to_owned());
        }
        Ok(path)
    }

    fn describe(&self, problem: &str) -> String {
        format!("the AWS credentials file {} {problem}", quote::full_path(&self.path))
    }
}

/// Checks the name of a profile that is to be written: one that every reader takes for what it is.
///
/// # Errors
/// The name breaks the rule; the message says which.
pub fn check_profile_name(name: &str) -> Result<String, String> {
    let wrong = |c: char| c.is_whitespace() || c.is_control() || "[]/\\".contains(c);
    if name.is_empty() || name.chars().any(wrong) {
        return Err("the name of an AWS profile has no brackets, slashes, white space or control characters".to_owned());
    }
    if name == "DEFAULT" {
        return Err("AWS clients read [DEFAULT] as a part of every profile; the profile is called 'default'".to_owned());
    }
    Ok(name.to_owned())
}

fn cannot_write(error: &io::Error) -> String {
    format!("cannot be written: {error}")
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    match input::regular_file(path, input::LARGE_LIMIT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(|error| format!("cannot be read: {error}")),
    }
}

/// What stands for the lock: not the file itself, which is renamed over.
fn lock_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.yc-rs.lock"))
}

fn storage_keys(storage: &Storage) -> [(&str, &str); 2] {
    [("region", &storage.region), ("endpoint_url", &storage.endpoint)]
}
