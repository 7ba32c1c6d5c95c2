//! Locks between processes that change the same file: the one place that waits for a lock.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
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
    file: Option<File>,
    /// The name of what is done under the lock, since several things may share a lock.
    work: String,
    /// When the wait for the lock began.
    waited_since: SystemTime,
    failure: Option<Failure>,
}

/// What a lock file says. It is advice alone: a file that says nothing, or something else, is as good.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// The ID of the process that holds the lock.
    holder: Option<u32>,
    failure: Option<Failure>,
}

/// The failure of a process that held the lock, for those that were waiting meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Failure {
    work: String,
    at: SystemTime,
    error: Error,
}

/// How long a failure counts for those that were waiting.
const FAILURE_LIFETIME: Duration = Duration::from_secs(1);

/// The maximum size of a lock file, in bytes: a longer one says nothing.
const MAX_RECORD: u64 = 64 * 1024;

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
        let waited_since = SystemTime::now();
        let file = private_file::open_lock(lock_file).map_err(LockError::Unusable)?;
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        let mut waiting = None;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self::held(Some(file), waited_since)),
                Err(TryLockError::Error(error)) if has_no_locks(&error) => return Ok(Self::held(None, waited_since)),
                Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(LockError::Unusable(error));
                }
                Err(_) if started.elapsed() >= LONGEST_WAIT => {
                    return Err(LockError::Held(held(of, read_record(&file).holder)));
                }
                Err(_) => {}
            }
            if waiting.is_none() && started.elapsed() >= NOTE_AFTER {
                let of = quote::full_path(of);
                waiting = Some(log.waiting(&format!("waiting for another process that holds the lock of {of}")));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn held(file: Option<File>, waited_since: SystemTime) -> Self {
        let failure = file.as_ref().and_then(|file| read_record(file).failure).filter(Failure::is_recent);
        let lock = Self { file, work: String::new(), waited_since, failure };
        lock.write(Some(std::process::id()));
        lock
    }

    /// Names what is done under the lock.
    #[must_use]
    pub fn for_work(mut self, name: &str) -> Self {
        name.clone_into(&mut self.work);
        self
    }

    /// The failure of another process that did the same work while this one was waiting for the lock: to do it again
    /// would take as long, and so would each of those that are waiting still.
    ///
    /// # Errors
    /// That failure.
    fn check_failure(&self) -> Result<(), Error> {
        match &self.failure {
            Some(failure) if failure.work == self.work && failure.at >= self.waited_since && failure.is_recent() => {
                Err(failure.error.clone())
            }
            _ => Ok(()),
        }
    }

    /// Leaves the failure of the work to those that are waiting, when it is one of the server or the network.
    fn record_failure(&mut self, error: &Error) {
        if let Kind::Network | Kind::Timeout | Kind::Refused { .. } | Kind::ForeignResponse { .. } = error.kind() {
            self.failure = Some(Failure { work: self.work.clone(), at: SystemTime::now(), error: error.clone() });
        }
    }

    fn write(&self, holder: Option<u32>) {
        let Some(mut file) = self.file.as_ref() else { return };
        let record = Record { holder, failure: self.failure.clone() };
        // Without it a message says less, and a failure is met again.
        let _ = serde_json::to_vec(&record).map_err(io::Error::from).and_then(|text| {
            file.set_len(0)?;
            if record.holder.is_none() && record.failure.is_none() {
                return Ok(());
            }
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&text)
        });
    }
}

/// Does work that other processes may be waiting for, under its lock where there is one. A failure is left to those that
/// are waiting, and one that was left for this process takes the place of the work.
///
/// # Errors
/// Those of the work.
pub async fn share_failure<T>(
    lock: &mut Option<Lock>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(lock) = lock else { return work.await };
    lock.check_failure()?;
    work.await.inspect_err(|error| lock.record_failure(error))
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.write(None);
    }
}

impl Failure {
    fn is_recent(&self) -> bool {
        self.at.elapsed().is_ok_and(|elapsed| elapsed < FAILURE_LIFETIME)
    }
}

fn read_record(mut file: &File) -> Record {
    let mut text = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(MAX_RECORD).read_to_end(&mut text));
    read.ok().and_then(|_| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn held(of: &Path, holder: Option<u32>) -> Error {
    let process = holder.map_or_else(|| "another process".to_owned(), |id| format!("another process (PID {id})"));
    let message = format!(
        "{process} holds the lock of {}, and did not release it within {}",
        quote::full_path(of),
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

    #[tokio::test]
    async fn a_failure_is_for_those_that_were_waiting_for_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let lock = async |work: &str| acquire(&path).await.unwrap().for_work(work);
        let error = Error::new(Kind::Timeout, "slow").hint("wait");
        let mut leader = lock("work").await;
        let waiting_since = SystemTime::now();
        leader.record_failure(&error);
        drop(leader);
        // Others take the lock between.
        drop(lock("other").await);
        let mut follower = lock("work").await;
        follower.check_failure().unwrap();
        follower.waited_since = waiting_since;
        assert_eq!(follower.check_failure().unwrap_err().to_json(), error.to_json());
        follower.work = "other".into();
        follower.check_failure().unwrap();
        drop(follower);
        let mut leader = lock("work").await;
        leader.failure = None;
        leader.record_failure(&Error::usage("mine"));
        assert!(leader.failure.is_none());
        leader.failure = Some(Failure { work: "work".into(), at: SystemTime::now() - FAILURE_LIFETIME, error });
        leader.waited_since = SystemTime::UNIX_EPOCH;
        leader.check_failure().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_not_released_within_30_seconds_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let _held = acquire(&path).await.unwrap();
        let started = Instant::now();
        let Err(LockError::Held(error)) = acquire(&path).await else { panic!("the lock is held twice") };
        assert_eq!(started.elapsed().as_secs(), 30);
        let process = std::process::id();
        assert!(
            error.to_string().starts_with(&format!("another process (PID {process}) holds the lock of ")),
            "{error}"
        );
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
        let error = held(Path::new("/home/me/.aws/credentials"), None);
        assert_eq!(
            error.to_string(),
            "another process holds the lock of /home/me/.aws/credentials, and did not release it within 30s"
        );
        assert_eq!(error.exit_code(), 5);
    }
}
