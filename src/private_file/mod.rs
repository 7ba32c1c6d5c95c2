//! Files that only the user can read: created with a private mode and replaced atomically.

mod trust;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use tempfile::NamedTempFile;

pub use trust::{
    Distrust, distrusted, everybody_can_read, foreign_state, is_own, mode, others_can_read, others_can_write,
    replaceable,
};

/// How the names of temporary files begin and end.
const TEMPORARY: (&str, &str) = (".yc-rs-", ".tmp");

/// A temporary file that is older was left behind by a process that was killed.
const LONGEST_WRITE: Duration = Duration::from_secs(60 * 60);

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
/// crash, and an error leaves the old content as it was. The owner stays. Old temporary files in the same directory are
/// removed.
///
/// # Errors
/// The directory cannot be written, or the disk is full. What is there is not a file, or its owner cannot be kept.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = temporary(path)?;
    file.as_file().write_all(content)?;
    persist(file, path)
}

/// The replacement of a file, prepared so that [`commit`](Self::commit) cannot fail for a reason that is there already.
#[derive(Debug)]
pub struct Replacement {
    file: Temporary,
    path: PathBuf,
}

impl Replacement {
    /// Shows that the file can be replaced, which fails for a mount point and in a directory of another user: a file
    /// that exists is replaced by an exact copy. Then reserves `size` bytes on the disk.
    ///
    /// # Errors
    /// The file cannot be replaced, or the disk is full. The file is as it was.
    pub fn prepare(path: &Path, size: usize) -> io::Result<Self> {
        if path.exists() {
            replace_by_copy(path)?;
        }
        let file = temporary(path)?;
        file.as_file().write_all(&vec![b'\n'; size])?;
        file.as_file().sync_all()?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Replaces the file: its content is then `content`, and its mode 0600.
    ///
    /// # Errors
    /// The disk is full, when `content` is longer than the reserved size, or the machine fails.
    pub fn commit(self, content: &[u8]) -> io::Result<()> {
        self.file.as_file().rewind()?;
        self.file.as_file().write_all(content)?;
        self.file.as_file().set_len(content.len().try_into().unwrap_or(u64::MAX))?;
        persist(self.file, &self.path)
    }
}

/// A file of the mode 0600 that does not exist yet, prepared so that it appears at once and whole.
#[derive(Debug)]
pub struct NewFile {
    file: Temporary,
    path: PathBuf,
}

impl NewFile {
    /// Writes the content beside the path.
    ///
    /// # Errors
    /// The directory cannot be written, or the disk is full.
    pub fn prepare(path: &Path, content: &[u8]) -> io::Result<Self> {
        fs::metadata(parent_directory(path))?;
        // The error would repeat the path.
        let file = temporary(path).map_err(|error| io::Error::from(error.kind()))?;
        file.as_file().write_all(content)?;
        file.as_file().sync_all()?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Lets the file appear.
    ///
    /// # Errors
    /// There is one of this name by now.
    pub fn commit(self) -> io::Result<()> {
        self.file.file.persist_noclobber(&self.path)?;
        Ok(())
    }
}

fn replace_by_copy(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let file = temporary(path)?;
    file.as_file().write_all(&fs::read(path)?)?;
    file.as_file().set_permissions(metadata.permissions())?;
    file.as_file().set_modified(metadata.modified()?)?;
    persist(file, path)
}

fn persist(file: Temporary, path: &Path) -> io::Result<()> {
    if let Ok(replaced) = fs::symlink_metadata(path) {
        if !replaced.is_file() && !replaced.is_symlink() {
            return Err(io::Error::other("it is not a regular file"));
        }
        keep_owner(file.as_file(), &replaced)?;
    }
    file.as_file().sync_all()?;
    file.file.persist(path)?;
    // The rename itself is on the disk only after this; some file systems cannot sync a directory.
    if let Ok(directory) = File::open(parent_directory(path)) {
        let _ = directory.sync_all();
    }
    Ok(())
}

#[cfg(unix)]
fn keep_owner(file: &File, replaced: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    if replaced.uid() == rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    fchown(file, Some(replaced.uid()), Some(replaced.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _replaced: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// How many temporary files of this process there are.
static TEMPORARY_FILES: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A temporary file, which [`wait_for_writes`] waits for.
#[derive(Debug)]
struct Temporary {
    // Dropped first, so that the file is gone when it is not counted any more.
    file: NamedTempFile,
    _counted: Counted,
}

impl Temporary {
    fn as_file(&self) -> &File {
        self.file.as_file()
    }
}

/// A temporary file in the count.
#[derive(Debug)]
struct Counted;

impl Counted {
    fn new() -> Self {
        *TEMPORARY_FILES.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *TEMPORARY_FILES.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        TEMPORARY_FILES.1.notify_all();
    }
}

/// Waits until no thread of this process has a temporary file any more, for a second at most: a process that ended at once
/// would leave it behind.
pub fn wait_for_writes() {
    let (count, changed) = &TEMPORARY_FILES;
    let count = count.lock().unwrap_or_else(PoisonError::into_inner);
    // Whatever comes of it, the process ends.
    drop(changed.wait_timeout_while(count, Duration::from_secs(1), |count| *count > 0));
}

/// Makes the file that replaces this one: in the same directory, since only a rename within one file system is atomic.
/// What processes that were killed have left there is removed.
fn temporary(path: &Path) -> io::Result<Temporary> {
    let directory = parent_directory(path);
    remove_temporary(directory, LONGEST_WRITE);
    let counted = Counted::new();
    let file = tempfile::Builder::new().prefix(TEMPORARY.0).suffix(TEMPORARY.1).tempfile_in(directory)?;
    Ok(Temporary { file, _counted: counted })
}

/// Removes the temporary files of this program that are at least this old.
pub fn remove_temporary(directory: &Path, age: Duration) {
    let is_temporary = |name: &str| name.starts_with(TEMPORARY.0) && name.ends_with(TEMPORARY.1);
    let Ok(files) = fs::read_dir(directory) else { return };
    for file in files.flatten().filter(|file| file.file_name().to_str().is_some_and(is_temporary)) {
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|time| time.elapsed().unwrap_or_default() >= age) {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// The directory of a file.
pub fn parent_directory(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens or creates a lock file. A link is not followed, so that no file is created elsewhere. The file is never replaced
/// or removed, so that all processes lock the same one; the kernel releases the lock when the process ends, however it
/// ends.
///
/// # Errors
/// The file cannot be created.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // It is written to, so a link must not lead to another file.
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::trust::mode;
    use super::*;

    #[test]
    fn only_a_file_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(replace(&pipe, b"x").unwrap_err().to_string(), "it is not a regular file");
        assert_eq!(replaceable(&pipe).unwrap_err(), "is not a regular file");
        assert!(!fs::metadata(&pipe).unwrap().is_file());
        let missing = directory.path().join("missing");
        assert_eq!(replaceable(&missing).unwrap(), missing);
    }

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
    fn a_new_file_appears_whole_and_never_in_the_place_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let [first, second] = [b"first", b"other"].map(|content| NewFile::prepare(&path, content).unwrap());
        assert!(!path.exists());
        first.commit().unwrap();
        assert_eq!(second.commit().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((fs::read(&path).unwrap(), mode(&path).unwrap() & 0o777), (b"first".to_vec(), 0o600));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_prepared_replacement_leaves_the_file_as_it_was_until_it_is_committed() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        replace(&path, b"old").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let before = fs::metadata(&path).unwrap();
        drop(Replacement::prepare(&path, 100).unwrap());
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(
            (after.permissions(), after.modified().unwrap()),
            (before.permissions(), before.modified().unwrap())
        );
        for content in [&b"new"[..], &[b'x'; 200]] {
            Replacement::prepare(&path, 100).unwrap().commit(content).unwrap();
            assert_eq!((fs::read(&path).unwrap(), mode(&path).unwrap() & 0o777), (content.to_vec(), 0o600));
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn temporary_files_of_killed_processes_are_removed_and_those_in_use_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, age: Duration| {
            let path = directory.path().join(name);
            File::create(&path).unwrap().set_modified(std::time::SystemTime::now() - age).unwrap();
            path
        };
        let old = write(".yc-rs-old.tmp", LONGEST_WRITE);
        let foreign = write("old.tmp", LONGEST_WRITE);
        let new = write(".yc-rs-new.tmp", LONGEST_WRITE / 2);
        replace(&directory.path().join("file"), b"x").unwrap();
        assert_eq!([&old, &foreign, &new].map(|path| path.exists()), [false, true, true]);
        remove_temporary(directory.path(), Duration::ZERO);
        assert_eq!([&foreign, &new].map(|path| path.exists()), [true, false]);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert!(replace(&directory.path().join("missing/file"), b"x").is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let [lock, elsewhere] = ["lock", "elsewhere"].map(|name| directory.path().join(name));
        std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
        assert!(open_lock(&lock).is_err());
        assert!(!elsewhere.exists());
    }
}
