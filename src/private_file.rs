//! Files that only the user can read: created with a private mode, replaced atomically, and locked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Creates a directory, and those above it that are missing, with mode 0700.
///
/// # Errors
/// The directory cannot be created.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Replaces or creates a file atomically and with mode 0600: a reader sees the old content or the new one, also after a
/// crash, and an error leaves the old content as it was.
///
/// # Errors
/// The directory cannot be written, or the disk is full.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = parent_directory(path);
    // In the same directory, since only a rename within one file system is atomic.
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The rename itself is on the disk only after this; some file systems cannot sync a directory.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// Checks that [`replace`] can create its temporary file.
///
/// # Errors
/// The directory cannot be written.
pub fn check_replaceable(path: &Path) -> io::Result<()> {
    NamedTempFile::new_in(parent_directory(path)).map(drop)
}

/// The directory of a file.
pub fn parent_directory(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens or creates a lock file, to be locked with [`File::lock`]. It is never replaced or removed, so that all
/// processes lock the same file; the kernel releases the lock when the process ends, however it ends.
///
/// # Errors
/// The file cannot be created.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether every user of the machine can read the file. A mode for a group alone is meant, as that of a mounted secret.
pub fn everybody_can_read(path: &Path) -> bool {
    mode(path).is_some_and(|mode| mode & 0o004 != 0)
}

/// Whether users other than its owner can read, write or execute the file.
pub fn others_can_read(path: &Path) -> bool {
    mode(path).is_some_and(|mode| mode & 0o077 != 0)
}

/// Whether users other than its owner can write the file or directory.
pub fn others_can_write(path: &Path) -> bool {
    mode(path).is_some_and(|mode| mode & 0o022 != 0)
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).ok()?.permissions()))
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> Option<u32> {
    None
}

/// Whether the file or directory itself (a symbolic link is not followed) belongs to the user that this process runs as.
#[cfg(unix)]
pub fn is_own(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw())
}

/// Whether the file or directory itself (a symbolic link is not followed) belongs to the user that this process runs as.
#[cfg(not(unix))]
pub fn is_own(path: &Path) -> bool {
    path.exists()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_private_and_no_temporary_file_remains() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/secret");
        create_directory(path.parent().unwrap()).unwrap();
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path).unwrap() & 0o777, 0o600);
        assert_eq!(mode(path.parent().unwrap()).unwrap() & 0o777, 0o700);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(is_own(&path) && !others_can_read(&path));
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert!(replace(&directory.path().join("missing/file"), b"x").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let first = open_lock(&path).unwrap();
        first.lock().unwrap();
        let second = open_lock(&path).unwrap();
        assert!(second.try_lock().is_err());
        drop(first);
        assert!(second.try_lock().is_ok());
    }
}
