//! This process and those that it starts: core dumps, and a command that replaces it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(unix)]
use std::sync::OnceLock;
use std::{fs, io};

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit of core dumps that this process was started with.
#[cfg(unix)]
static INHERITED_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Disables core dumps of this process, and of those that it starts: they would have its secrets.
pub fn disable_core_dumps() {
    #[cfg(unix)]
    {
        let inherited = *INHERITED_LIMIT.get_or_init(|| getrlimit(Resource::Core));
        // It is an additional protection: the program works without it.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..inherited });
    }
}

/// Restores the limit of core dumps for a command that replaces this process.
fn restore_core_limit() {
    #[cfg(unix)]
    if let Some(inherited) = INHERITED_LIMIT.get() {
        let _ = setrlimit(Resource::Core, *inherited);
    }
}

/// Replaces this process with the command; returns only when that fails.
///
/// # Errors
/// The command cannot be run.
#[cfg(unix)]
pub fn replace_with(mut command: Command) -> io::Result<u8> {
    restore_core_limit();
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

/// Runs the command and returns its exit status: this system cannot replace a process.
///
/// # Errors
/// The command cannot be run.
#[cfg(not(unix))]
pub fn replace_with(mut command: Command) -> io::Result<u8> {
    restore_core_limit();
    let status = command.status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Checks that `execvp` will find a program in the directories of `path`.
///
/// # Errors
/// The exit status of a shell that cannot run the program: 127 when it is not found, 126 when it is not executable.
pub fn find_program(program: &OsStr, path: Option<&str>) -> Result<(), u8> {
    let candidates: Vec<PathBuf> = match path {
        _ if !cfg!(unix) => return Ok(()),
        _ if program.as_encoded_bytes().contains(&b'/') => vec![program.into()],
        Some(path) => std::env::split_paths(path).map(|directory| directory.join(program)).collect(),
        // The system has a default for a `PATH` that is not set.
        None => return Ok(()),
    };
    let exists = |path: &PathBuf| path.exists();
    match candidates.iter().any(|path| is_program(path)) {
        true => Ok(()),
        false if !program.is_empty() && candidates.iter().any(exists) => Err(126),
        false => Err(127),
    }
}

/// The exit status of a shell that cannot run a command: 127 when it is not found, else 126.
pub fn shell_status(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}
