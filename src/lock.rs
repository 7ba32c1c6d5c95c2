//! Locks between processes that change the same file: the one place that waits for a lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Kind};
use crate::log::Log;
use crate::private_file;
use crate::text::duration;
use crate::text::quote;

/// How long a lock is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// After this time a note says what is waited for.
const NOTE_AFTER: Duration = Duration::from_secs(2);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A lock, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    /// `None` where the file system has no locks.
    _file: Option<File>,
}

/// Why a lock is not held.
#[derive(Debug)]
pub enum LockError {
    /// The lock file cannot be created or locked.
    Unusable(io::Error),
    /// Another process holds the lock.
    Held(Error),
}

impl Lock {
    /// Waits until no other process holds the lock file, for 30 seconds at most; `of` is the file that the lock is
    /// for, as a note names it after 2 seconds. Nothing blocks, so that Ctrl-C and `--timeout` end the wait.
    ///
    /// # Errors
    /// The lock file cannot be used, or another process holds it for too long.
    pub async fn acquire(lock_file: &Path, of: &Path, log: &Log) -> Result<Self, LockError> {
        let file = private_file::open_lock(lock_file).map_err(LockError::Unusable)?;
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        let mut is_noted = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: Some(file) }),
                Err(TryLockError::Error(error)) if has_no_locks(&error) => return Ok(Self { _file: None }),
                Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(LockError::Unusable(error));
                }
                Err(_) if started.elapsed() >= LONGEST_WAIT => return Err(LockError::Held(held(of))),
                Err(_) => {}
            }
            if !is_noted && started.elapsed() >= NOTE_AFTER {
                log.note(&format!("waiting for another process that holds the lock of {}", quote::bare_path(of)));
                is_noted = true;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn held(of: &Path) -> Error {
    let message = format!(
        "another process holds the lock of {}, and did not release it within {}",
        quote::bare_path(of),
        duration::human(LONGEST_WAIT)
    );
    Error::new(Kind::Timeout, message).hint("wait until the other yc-rs command has ended, and run the command again")
}

/// Whether the file system has no locks: some network file systems do not.
///
/// Source: `flock(2)` and `fcntl_locking(2)`, "ERRORS".
fn has_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error()) {
        return true;
    }
    error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn acquire(path: &Path) -> Result<Lock, LockError> {
        Lock::acquire(path, path, &Log::default()).await
    }

    #[tokio::test]
    async fn a_lock_excludes_others_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = acquire(&path).await.unwrap();
        assert!(futures_util::FutureExt::now_or_never(acquire(&path)).is_none());
        drop(first);
        assert!(futures_util::FutureExt::now_or_never(acquire(&path)).is_some_and(|lock| lock.is_ok()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_not_released_within_30_seconds_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let _held = acquire(&path).await.unwrap();
        let started = Instant::now();
        let Err(LockError::Held(error)) = acquire(&path).await else { panic!("the lock is held twice") };
        assert_eq!(started.elapsed().as_secs(), 30);
        assert_eq!(error.exit_code(), 5);
    }

    #[tokio::test]
    async fn a_lock_file_that_cannot_be_created_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let lock = acquire(&directory.path().join("missing/lock")).await;
        assert!(matches!(lock, Err(LockError::Unusable(_))));
    }

    #[test]
    fn a_file_system_without_locks_is_not_an_error() {
        let unsupported = io::Error::from(io::ErrorKind::Unsupported);
        assert!(has_no_locks(&unsupported) && !has_no_locks(&io::ErrorKind::PermissionDenied.into()));
        #[cfg(unix)]
        for errno in [rustix::io::Errno::NOLCK, rustix::io::Errno::NOSYS, rustix::io::Errno::OPNOTSUPP] {
            assert!(has_no_locks(&errno.into()), "{errno}");
        }
    }

    #[test]
    fn the_error_names_the_file_and_may_be_retried() {
        let error = held(Path::new("/home/me/.aws/credentials"));
        assert_eq!(
            error.to_string(),
            "another process holds the lock of /home/me/.aws/credentials, and did not release it within 30s"
        );
        assert_eq!(error.exit_code(), 5);
    }
}
