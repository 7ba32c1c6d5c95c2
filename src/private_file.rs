//! Files that only the user can read: created with a private mode and replaced atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::text::quote;

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

/// The file that a write replaces: where a symbolic link leads, so that the link stays one. A file that does not exist is
/// created.
///
/// Links and files of other users are refused, since they choose what is written where. The superuser may replace a file
/// in the directory of its owner, who keeps it.
///
/// # Errors
/// What is wrong with the path, to follow its name, e.g. "is not a regular file".
pub fn replaceable(path: &Path) -> Result<PathBuf, String> {
    let link = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
        Err(error) => return Err(format!("cannot be read: {error}")),
    };
    let target =
        fs::canonicalize(path).map_err(|error| format!("is a symbolic link to a file that does not exist: {error}"))?;
    let metadata = fs::metadata(&target).map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    if !may_replace(&metadata, parent_directory(&target)) {
        let leads =
            if link.is_symlink() { format!("leads to {}, which ", quote::bare_path(&target)) } else { String::new() };
        return Err(format!("{leads}belongs to another user"));
    }
    if link.is_symlink() && !may_follow(&link, &metadata) {
        return Err("is a symbolic link that belongs to another user".to_owned());
    }
    if metadata.permissions().readonly() {
        return Err("is read-only".to_owned());
    }
    Ok(target)
}

/// Whether the owner of a file lets this user replace it.
#[cfg(unix)]
fn may_replace(file: &fs::Metadata, directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid();
    let of_directory = || fs::metadata(directory).is_ok_and(|directory| directory.uid() == file.uid());
    file.uid() == user.as_raw() || user.is_root() && of_directory()
}

/// Whether a link was made by this user, or by the owner of the file that it leads to.
#[cfg(unix)]
fn may_follow(link: &fs::Metadata, file: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    [rustix::process::geteuid().as_raw(), file.uid()].contains(&link.uid())
}

#[cfg(not(unix))]
fn may_replace(_file: &fs::Metadata, _directory: &Path) -> bool {
    true
}

#[cfg(not(unix))]
fn may_follow(_link: &fs::Metadata, _file: &fs::Metadata) -> bool {
    true
}

/// Replaces or creates a file atomically and with mode 0600: a reader sees the old content or the new one, also after a
/// crash, and an error leaves the old content as it was. The owner stays. Old temporary files in the same directory are
/// removed.
///
/// # Errors
/// The directory cannot be written, or the disk is full. What is there is not a file, or its owner cannot be kept.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = parent_directory(path);
    remove_temporary(directory, LONGEST_WRITE);
    // In the same directory, since only a rename within one file system is atomic.
    let file = temporary(directory)?;
    file.as_file().write_all(content)?;
    persist(file, path)
}

/// The replacement of a file, prepared so that [`commit`](Self::commit) cannot fail for a reason that is there already.
#[derive(Debug)]
pub struct Replacement {
    file: NamedTempFile,
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
        let file = temporary(parent_directory(path))?;
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

fn replace_by_copy(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let file = temporary(parent_directory(path))?;
    file.as_file().write_all(&fs::read(path)?)?;
    file.as_file().set_permissions(metadata.permissions())?;
    file.as_file().set_modified(metadata.modified()?)?;
    persist(file, path)
}

fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    if let Ok(replaced) = fs::symlink_metadata(path) {
        if !replaced.is_file() && !replaced.is_symlink() {
            return Err(io::Error::other("it is not a regular file"));
        }
        keep_owner(file.as_file(), &replaced)?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
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

fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(TEMPORARY.0).suffix(TEMPORARY.1).tempfile_in(directory)
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

/// Opens or creates a lock file; a link is not followed, so that no file is created elsewhere. It is never replaced or removed, so that all
/// processes lock the same file; the kernel releases the lock when the process ends, however it ends.
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

/// How another user can change a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// The file, or a directory above it, belongs to another user than this one or root.
    OtherOwner(PathBuf),
    /// The file, or a directory above it, can be written by its group or by all.
    Writable(PathBuf),
}

/// How another user can change what a path leads to: every link on the way, the file, and all directories above them are
/// looked at. In a directory with the sticky bit, such as `/tmp`, others cannot replace a file.
///
/// Source: OpenSSH, `safe_path` in `misc.c`.
///
/// # Errors
/// The file cannot be found.
#[cfg(unix)]
pub fn distrusted(path: &Path) -> io::Result<Option<Distrust>> {
    use std::os::unix::fs::MetadataExt;
    const STICKY: u32 = 0o1000;
    let user = rustix::process::geteuid().as_raw();
    for path in passed(path)?.iter().rev() {
        let metadata = fs::symlink_metadata(path)?;
        let mode = metadata.mode();
        if ![user, 0].contains(&metadata.uid()) {
            return Ok(Some(Distrust::OtherOwner(path.clone())));
        }
        // The mode of a link means nothing.
        if !metadata.is_symlink() && mode & 0o022 != 0 && !(metadata.is_dir() && mode & STICKY != 0) {
            return Ok(Some(Distrust::Writable(path.clone())));
        }
    }
    Ok(None)
}

/// Everything that the system passes when it resolves a path, in order: directories, links, and at last the file.
#[cfg(unix)]
fn passed(path: &Path) -> io::Result<Vec<PathBuf>> {
    use std::collections::VecDeque;
    use std::path::Component;
    /// As many links in a row as Linux follows.
    const MAX_LINKS: usize = 40;
    let names = |path: &Path| path.components().map(|name| name.as_os_str().to_owned()).collect::<VecDeque<_>>();
    let mut left = names(&std::path::absolute(path)?);
    let (mut current, mut passed, mut links) = (PathBuf::new(), Vec::new(), 0);
    while let Some(name) = left.pop_front() {
        if Path::new(&name).components().next() == Some(Component::ParentDir) {
            // What is above a directory that links lead to was passed on the way there.
            current.pop();
            continue;
        }
        // A root takes the place of the whole path.
        let next = current.join(&name);
        passed.push(next.clone());
        if fs::symlink_metadata(&next)?.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(io::Error::other("too many levels of symbolic links"));
            }
            let mut target = names(&fs::read_link(&next)?);
            target.append(&mut left);
            left = target;
        } else {
            current = next;
        }
    }
    Ok(passed)
}

/// How another user can change a file, which is not looked at on this system.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn distrusted(_path: &Path) -> io::Result<Option<Distrust>> {
    Ok(None)
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
    use std::os::unix::fs::PermissionsExt;

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
    fn a_file_is_trusted_by_its_real_path_and_all_directories_above_it_and_its_links() {
        let chmod = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let [outer, inner, links] = [home.join("outer"), home.join("outer/inner"), home.join("links")];
        for directory in [&inner, &links] {
            create_directory(directory).unwrap();
        }
        let (file, link) = (inner.join("file"), links.join("link"));
        replace(&file, b"x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert_eq!(distrusted(path).unwrap(), None);
        }
        for (changed, sound) in [(&file, 0o600), (&inner, 0o700), (&outer, 0o700), (&home, 0o700)] {
            for mode in [0o20, 0o02] {
                chmod(changed, sound | mode);
                for path in [&file, &link] {
                    assert_eq!(distrusted(path).unwrap(), Some(Distrust::Writable(changed.clone())), "{mode:o}");
                }
            }
            chmod(changed, sound | 0o55);
            assert_eq!(distrusted(&file).unwrap(), None);
        }
        chmod(&links, 0o777);
        assert_eq!(distrusted(&link).unwrap(), Some(Distrust::Writable(links.clone())));
        chmod(&links, 0o1777);
        assert_eq!(distrusted(&link).unwrap(), None);
        assert!(distrusted(&home.join("missing")).is_err());
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let [lock, elsewhere] = ["lock", "elsewhere"].map(|name| directory.path().join(name));
        std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
        assert!(open_lock(&lock).is_err());
        assert!(!elsewhere.exists());
    }

    #[test]
    fn every_link_on_the_way_to_a_file_counts() {
        let chmod = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let link = |target: &str, path: &Path| std::os::unix::fs::symlink(target, path).unwrap();
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let [real, shared, own] = ["real", "shared", "own"].map(|name| home.join(name));
        for directory in [&real, &shared, &own] {
            create_directory(directory).unwrap();
        }
        replace(&real.join("file"), b"x").unwrap();
        link("../real/file", &shared.join("file"));
        link("../real", &shared.join("directory"));
        link("../shared/file", &own.join("to-a-link"));
        link("../shared/directory/file", &own.join("through-a-link"));
        link("../shared/../real/file", &own.join("up-again"));
        link("loop", &own.join("loop"));
        let paths = ["to-a-link", "through-a-link", "up-again"].map(|name| own.join(name));
        for path in &paths {
            assert_eq!(distrusted(path).unwrap(), None, "{}", path.display());
        }
        chmod(&shared, 0o777);
        for path in &paths {
            assert_eq!(distrusted(path).unwrap(), Some(Distrust::Writable(shared.clone())), "{}", path.display());
        }
        assert!(distrusted(&own.join("loop")).is_err());
    }
}
