//! Caches on disk: `<cache directory>/<kind>/<name>`, files of mode 0600 in directories of mode 0700.
//!
//! A cache that cannot be used, for whatever reason, is treated as empty: it never makes a command fail. The number of
//! its files does not grow for ever: stale values and temporary files are removed, and there is a fixed number of locks.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::env::Env;
use crate::error::Result;
use crate::lock::{Lock, LockError};
use crate::log::Log;
use crate::private_file;
use crate::text::quote;

/// A larger file, in bytes, was not written by this program.
const MAX_FILE: u64 = 64 * 1024;

/// The number of lock files of a level. Two names that share one wait for each other in vain, but seldom.
const LOCKS: u8 = 64;

/// The kinds of cached values, each with its directory.
const KINDS: [&str; 4] = ["tokens", "keys", "endpoints", "completions"];

/// The cache of one kind of values.
#[derive(Debug, Clone)]
pub struct Store {
    /// `None`: nothing is cached.
    directory: Option<PathBuf>,
}

/// The level of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Nothing else is locked while the lock is held.
    Inner,
    /// An inner lock may be taken while the lock is held.
    Outer,
}

impl Store {
    pub fn tokens(home: Option<&Path>) -> Self {
        Self::of_kind("tokens", home)
    }

    pub fn keys(home: Option<&Path>) -> Self {
        Self::of_kind("keys", home)
    }

    pub fn endpoints(home: Option<&Path>) -> Self {
        Self::of_kind("endpoints", home)
    }

    pub fn completions(home: Option<&Path>) -> Self {
        Self::of_kind("completions", home)
    }

    fn of_kind(kind: &str, home: Option<&Path>) -> Self {
        Self { directory: home.map(|home| home.join(kind)) }
    }

    /// The value cached under this name. A file that other users could have written, or can read, is not used.
    pub fn load<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        read_trusted(&self.path(name)?)
    }

    /// Caches a value under this name. Returns whether it was cached.
    pub fn save<T: Serialize>(&self, name: &str, value: &T) -> bool {
        let Some(directory) = self.trusted_directory() else { return false };
        let path = directory.join(name).with_extension("json");
        // Without the file the next command does the work again.
        serde_json::to_vec(value).is_ok_and(|text| private_file::replace(&path, &text).is_ok())
    }

    /// Removes the value cached under this name.
    pub fn remove(&self, name: &str) {
        if let Some(path) = self.path(name) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// Removes the values that are stale.
    pub fn sweep<T: DeserializeOwned>(&self, is_stale: impl Fn(T) -> bool) {
        let Some(files) = self.directory.as_ref().and_then(|directory| std::fs::read_dir(directory).ok()) else {
            return;
        };
        for path in files.flatten().map(|file| file.path()).filter(|path| path.extension() == Some("json".as_ref())) {
            if read_trusted(&path).is_some_and(&is_stale) {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Waits until no other process holds the lock of this name and level. `None` means that there is no cache to lock.
    ///
    /// Names share a fixed number of locks. A process that holds a lock must take only locks of a lower level: then no
    /// two processes wait for each other, nor one for itself.
    ///
    /// # Errors
    /// Another process holds the lock for too long.
    pub async fn lock(&self, name: &str, level: Level, log: &Log) -> Result<Option<Lock>> {
        let Some(directory) = self.trusted_directory() else { return Ok(None) };
        let lock = directory.join(lock_file(name, level));
        match Lock::acquire(&lock, &lock, log).await {
            Ok(lock) => Ok(Some(lock.for_work(name))),
            Err(LockError::Unusable(_)) => Ok(None),
            Err(LockError::Held(error)) => Err(error),
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(name).with_extension("json"))
    }

    /// The directory, created if it is missing, if no other user can write to it.
    fn trusted_directory(&self) -> Option<&Path> {
        let directory = self.directory.as_deref()?;
        private_file::create_directory(directory).ok()?;
        is_trusted(directory).then_some(directory)
    }
}

/// The directory of all caches; `None` when they are turned off, or the directory is not known.
pub fn directory(env: &Env) -> Option<PathBuf> {
    env.cache_home().filter(|_| env.var("YC_RS_NO_CACHE").is_none_or(|value| value == "0"))
}

/// Removes everything that is cached, and nothing that this program did not write. Lock files stay, since another process
/// may hold them.
///
/// # Errors
/// A file cannot be removed. A directory is a symbolic link, or other users can write to it: nothing in it is removed.
pub fn clear(home: &Path) -> io::Result<()> {
    for directory in KINDS.map(|kind| home.join(kind)) {
        match std::fs::symlink_metadata(&directory) {
            Ok(_) => check_trusted(&directory)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
        private_file::remove_temporary(&directory, Duration::ZERO);
        for file in std::fs::read_dir(&directory)?.flatten().filter(|file| is_value(&file.path())) {
            match std::fs::remove_file(file.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// How many values of each kind are cached.
///
/// # Errors
/// A directory cannot be read, is a symbolic link, or other users can write to it.
pub fn counts(home: &Path) -> io::Result<Vec<(&'static str, usize)>> {
    let count = |kind: &'static str| {
        let directory = home.join(kind);
        match std::fs::symlink_metadata(&directory) {
            Ok(_) => check_trusted(&directory)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((kind, 0)),
            Err(error) => return Err(error),
        }
        let files = std::fs::read_dir(&directory)?.flatten();
        Ok((kind, files.filter(|file| is_value(&file.path())).count()))
    };
    KINDS.into_iter().map(count).collect()
}

/// Whether a file has the name of a cached value: a fingerprint.
fn is_value(path: &Path) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    path.extension() == Some("json".as_ref()) && stem.len() == 64 && stem.bytes().all(is_digit)
}

/// An error for people that says why a directory is not trusted.
fn check_trusted(directory: &Path) -> io::Result<()> {
    let shown = quote::full_path(directory);
    let problem = if directory.is_symlink() {
        format!("{shown} is a symbolic link")
    } else if !private_file::is_own(directory) {
        format!("{shown} belongs to another user")
    } else if private_file::others_can_write(directory) {
        format!("other users can write to {shown}; run: chmod go-w {}", quote::path_for_sh(directory))
    } else {
        return Ok(());
    };
    Err(io::Error::other(problem))
}

/// One of the lock files of a level; the names of values are fingerprints.
fn lock_file(name: &str, level: Level) -> String {
    let number = name.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % LOCKS;
    match level {
        Level::Inner => format!("{number:02x}.lock"),
        Level::Outer => format!("outer-{number:02x}.lock"),
    }
}

fn read_trusted<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    let is_private = metadata.is_file() && metadata.len() <= MAX_FILE && !private_file::others_can_read(path);
    if !is_private || !private_file::is_own(path) || !is_trusted(path.parent()?) {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn is_trusted(directory: &Path) -> bool {
    private_file::is_own(directory) && !private_file::others_can_write(directory)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::digest::fingerprint;

    #[test]
    fn a_cached_value_is_found_by_name_until_it_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::tokens(Some(home.path()));
        store.save("a", &1);
        store.save("b", &2);
        assert_eq!((store.load("a"), store.load("b"), store.load::<u8>("c")), (Some(1), Some(2), None));
        store.remove("a");
        assert_eq!((store.load::<u8>("a"), store.load("b")), (None, Some(2)));
        assert_eq!(Store::endpoints(Some(home.path())).load::<u8>("b"), None);
        store.sweep(|value: u8| value == 2);
        assert_eq!(store.load::<u8>("b"), None);
    }

    #[test]
    fn clearing_removes_every_kind_and_keeps_foreign_files() {
        let home = tempfile::tempdir().unwrap();
        let name = fingerprint(&["a"]);
        let (tokens, endpoints) = (Store::tokens(Some(home.path())), Store::endpoints(Some(home.path())));
        assert!(tokens.save(&name, &1) && endpoints.save(&name, &1));
        let [foreign, json, left] =
            ["tokens/note.txt", "tokens/package.json", "tokens/.yc-rs-left.tmp"].map(|name| home.path().join(name));
        for path in [&foreign, &json, &left] {
            private_file::replace(path, b"mine").unwrap();
        }
        clear(home.path()).unwrap();
        assert!(!left.exists());
        assert_eq!((tokens.load::<u8>(&name), endpoints.load::<u8>(&name)), (None, None));
        assert!(foreign.exists() && json.exists());
        clear(&home.path().join("missing")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn clearing_does_not_follow_a_link_and_does_not_enter_what_others_can_replace() {
        use std::os::unix::fs::PermissionsExt;
        let (home, project) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let theirs = project.path().join(fingerprint(&["a"])).with_extension("json");
        private_file::replace(&theirs, b"1").unwrap();
        let linked = home.path().join("tokens");
        std::os::unix::fs::symlink(project.path(), &linked).unwrap();
        let error = clear(home.path()).unwrap_err().to_string();
        assert!(error.ends_with("/tokens is a symbolic link"), "{error}");
        std::fs::remove_file(&linked).unwrap();
        assert!(Store::tokens(Some(home.path())).save(&fingerprint(&["a"]), &1));
        std::fs::set_permissions(linked, PermissionsExt::from_mode(0o777)).unwrap();
        let error = clear(home.path()).unwrap_err().to_string();
        assert!(error.starts_with("other users can write to "), "{error}");
        assert!(theirs.exists());
    }

    #[tokio::test]
    async fn any_number_of_names_share_a_fixed_number_of_locks() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::tokens(Some(home.path()));
        for number in 0..2000 {
            let name = fingerprint(&[&number.to_string()]);
            let outer = store.lock(&name, Level::Outer, &Log::default()).await.unwrap();
            let inner = store.lock(&name, Level::Inner, &Log::default()).await.unwrap();
            assert!(outer.is_some() && inner.is_some());
        }
        assert_eq!(std::fs::read_dir(home.path().join("tokens")).unwrap().count(), 2 * usize::from(LOCKS));
    }

    #[test]
    fn without_a_directory_nothing_is_cached_and_nothing_fails() {
        let store = Store::tokens(None);
        store.save("a", &1);
        assert_eq!(store.load::<u8>("a"), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = Store::tokens(Some(file.path()));
        store.save("a", &1);
        assert_eq!(store.load::<u8>("a"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_other_users_can_read_or_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let store = Store::tokens(Some(home.path()));
        store.save("a", &1);
        let chmod = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let file = home.path().join("tokens/a.json");
        chmod(&file, 0o644);
        assert_eq!(store.load::<u8>("a"), None);
        chmod(&file, 0o600);
        assert_eq!(store.load("a"), Some(1));
        chmod(file.parent().unwrap(), 0o777);
        assert_eq!(store.load::<u8>("a"), None);
        store.save("b", &1);
        assert!(!home.path().join("tokens/b.json").exists());
    }

    proptest! {
        #[test]
        fn no_content_of_a_file_is_an_error(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let home = tempfile::tempdir().unwrap();
            let store = Store::tokens(Some(home.path()));
            store.save("a", &1);
            private_file::replace(&home.path().join("tokens/a.json"), &text).unwrap();
            let _ = store.load::<Vec<String>>("a");
        }
    }
}
