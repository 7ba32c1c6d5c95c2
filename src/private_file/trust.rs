//! Who can read and change a file, and which files this user may replace.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::parent_directory;
use crate::text::quote;

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

/// Why a file or directory of the program's state is not used, as the predicate of a sentence: another user can have
/// written it. `None` when nobody else can.
pub fn foreign_state(path: &Path) -> Option<&'static str> {
    match () {
        () if !is_own(path) => Some("belongs to another user, or is a link of one"),
        () if others_can_write(path) => Some("can be written by other users"),
        () => None,
    }
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

/// The permissions of a file or directory; `None` where it cannot be looked at.
#[cfg(unix)]
pub fn mode(path: &Path) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).ok()?.permissions()) & 0o7777)
}

/// The permissions of a file or directory, which there are none on this system.
#[cfg(not(unix))]
pub fn mode(_path: &Path) -> Option<u32> {
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

    use super::super::{create_directory, replace};
    use super::*;

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
