//! The session of a person who signed in through a browser: what the next IAM tokens are requested with, in a file of its
//! own in the state directory.

use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::input;
use crate::lock::{Lock, LockError};
use crate::log::Log;
use crate::private_file::{self, NewFile};
use crate::text::quote;

/// The version of the files. Those of another version are not read.
const VERSION: u32 = 1;

/// What a session file holds.
#[derive(Debug)]
pub struct Session {
    /// The endpoint of the authentication service; the refresh token is sent to no other.
    pub auth: String,
    /// The OAuth client that the person signed in to.
    pub client_id: String,
    /// `None` when the organization grants none: the session then lasts until its IAM token expires.
    pub refresh_token: Option<SecretString>,
}

impl Session {
    /// Checks that the session is one of this authentication service.
    ///
    /// # Errors
    /// It is another's.
    pub fn check_service(&self, auth: &str) -> Result<()> {
        if self.auth == auth {
            return Ok(());
        }
        let [own, in_force] = [self.auth.as_str(), auth].map(quote::bare);
        let problem =
            format!("the session belongs to another authentication service, {own}, than {in_force}, which is in force");
        Err(Error::no_credentials(problem).hint("sign in again: yc-rs login; or set the endpoint as it was then"))
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    version: u32,
    auth: String,
    client_id: String,
    refresh_token: Option<String>,
}

/// The session of this ID.
#[derive(Debug, Clone)]
pub struct SessionFile {
    path: PathBuf,
}

impl SessionFile {
    /// The file of the session of this ID, which need not be there.
    ///
    /// # Errors
    /// There is no directory for it, others can write to that, or the text is not an ID.
    pub fn of(id: &str, env: &Env) -> Result<Self> {
        if Uuid::try_parse(id).is_err() {
            return Err(Error::config(format!("the session {} is not a UUID", quote::value(id))).hint("yc-rs login"));
        }
        let home = env
            .state_home()
            .ok_or_else(|| Error::usage("the directory for sessions is not known").hint("set YC_RS_STATE_DIR"))?;
        let directory = home.join("sessions");
        for path in [&home, &directory] {
            if path.exists() {
                check_trust(path, "directory")?;
            }
        }
        Ok(Self { path: directory.join(id) })
    }

    /// Waits until no other process uses the session.
    ///
    /// # Errors
    /// Another process holds the lock for too long, or the directory cannot be written.
    pub async fn lock(&self, log: &Log) -> Result<Lock> {
        let cannot = |error: io::Error| self.cannot("use", &error);
        private_file::create_directory(private_file::parent_directory(&self.path)).map_err(cannot)?;
        match Lock::acquire(&self.path.with_extension("lock"), &self.path, log).await {
            Ok(lock) => Ok(lock),
            Err(LockError::Unusable(error)) => Err(cannot(error)),
            Err(LockError::Held(error)) => Err(error),
        }
    }

    /// The session; `None` when there is none.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or another user can read or write it.
    pub fn read(&self) -> Result<Option<Session>> {
        if self.path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        check_trust(&self.path, "session")?;
        if private_file::others_can_read(&self.path) {
            let path = quote::full_path(&self.path);
            return Err(Error::config(format!("the session {path} can be read by other users, so it is not used"))
                .hint("sign in again: yc-rs login"));
        }
        let bytes = input::regular_file(&self.path, input::LIMIT).map_err(|error| self.cannot("read", &error))?;
        let wire = serde_json::from_slice(&bytes).ok().filter(|wire: &Wire| wire.version == VERSION);
        let wire = wire.ok_or_else(|| {
            let path = quote::full_path(&self.path);
            Error::config(format!("the session {path} is damaged, or was written by another version"))
                .hint("sign in again: yc-rs login")
        })?;
        let Wire { auth, client_id, refresh_token, .. } = wire;
        Ok(Some(Session { auth, client_id, refresh_token: refresh_token.map(SecretString::from) }))
    }

    /// Writes the session, so that it is on the disk when this returns.
    ///
    /// # Errors
    /// The file cannot be written; it is then as it was.
    pub fn write(&self, session: &Session) -> Result<()> {
        let wire = Wire {
            version: VERSION,
            auth: session.auth.clone(),
            client_id: session.client_id.clone(),
            refresh_token: session.refresh_token.as_ref().map(|token| token.expose_secret().to_owned()),
        };
        let text = serde_json::to_vec(&wire).map_err(|error| Error::internal(error.to_string()))?;
        let write = || {
            private_file::create_directory(private_file::parent_directory(&self.path))?;
            private_file::replace(&self.path, &text)
        };
        write().map_err(|error| self.cannot("write", &error))
    }

    /// Shows that the session can be written, before a person signs in.
    ///
    /// # Errors
    /// The directory cannot be made or written.
    pub fn check_writable(&self) -> Result<()> {
        let directory = private_file::parent_directory(&self.path);
        let check =
            || private_file::create_directory(directory).and_then(|()| NewFile::prepare(&self.path, b"").map(drop));
        check().map_err(|error| self.cannot("write", &error))
    }

    /// Removes the session and its lock, which nobody needs without it.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> Result<()> {
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(self.cannot("remove", &error));
        }
        // It may not be there.
        let _ = std::fs::remove_file(self.path.with_extension("lock"));
        Ok(())
    }

    fn cannot(&self, verb: &str, error: &io::Error) -> Error {
        let path = quote::full_path(&self.path);
        Error::new(Kind::Output, format!("cannot {verb} the session {path}: {error}"))
            .hint("set YC_RS_STATE_DIR to a directory that can be written")
    }
}

/// Checks that no other user can have written a file or directory.
fn check_trust(path: &Path, what: &str) -> Result<()> {
    let Some(rule) = private_file::foreign_state(path) else { return Ok(()) };
    let error = Error::config(format!("the {what} {} {rule}, so it is not used", quote::full_path(path)));
    let others_can_write = private_file::is_own(path) && private_file::others_can_write(path);
    Err(if others_can_write { error.hint(format!("type: chmod go-w {}", quote::path_for_sh(path))) } else { error })
}
