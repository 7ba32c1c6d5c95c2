//! This process, its threads, and those that it starts: core dumps, and a command that replaces it.

#[cfg(unix)]
pub mod child;

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(unix)]
use std::sync::OnceLock;
use std::{fs, io, thread};

use tokio::sync::oneshot;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit of core dumps that this process was started with.
#[cfg(unix)]
static INHERITED_LIMIT: OnceLock<Rlimit> = OnceLock::new();

/// Keeps the memory of this process, which has secrets, from core dumps, also of the processes that it starts, and on
/// Linux from debuggers of the same user.
///
/// Source: `PR_SET_DUMPABLE(2const)`: it is set back by `execve`.
pub fn protect_memory() {
    // They are additional protections: the program works without them.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(unix)]
    {
        let inherited = *INHERITED_LIMIT.get_or_init(|| getrlimit(Resource::Core));
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

/// Makes a write beyond the limit of the size of a file an error, where it would end this process without a word. A
/// command that replaces this process finds the signal as it was, since one that is caught is restored then.
#[cfg(unix)]
pub fn catch_file_size_signal(is_ignored: impl Fn(i32) -> bool) {
    let signal = rustix::process::Signal::XFSZ.as_raw();
    if !is_ignored(signal) {
        // It is an additional protection: the program works without it.
        let _ = signal_hook::flag::register(signal, std::sync::Arc::default());
    }
}

#[cfg(not(unix))]
pub fn catch_file_size_signal(_: impl Fn(i32) -> bool) {}

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

/// Does work that may wait, on a thread of its own, so that signals and `--timeout` end the command meanwhile.
///
/// # Errors
/// The thread cannot be started, or panicked.
pub async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (sender, done) = oneshot::channel();
    thread::Builder::new()
        // The result may be given up on, and then nobody waits for what is sent.
        .spawn(move || drop(sender.send(work())))
        .map_err(|error| io::Error::new(error.kind(), format!("cannot start a thread: {error}")))?;
    done.await.map_err(|_| io::Error::other("a thread panicked"))
}

/// File descriptors that are held for later use, so that a limit is met beforehand.
pub struct SpareDescriptors {
    _files: Vec<fs::File>,
}

impl SpareDescriptors {
    /// # Errors
    /// So many more files cannot be open at the same time.
    pub fn reserve(count: usize) -> io::Result<Self> {
        let null = if cfg!(windows) { "NUL" } else { "/dev/null" };
        Ok(Self { _files: (0..count).map(|_| fs::File::open(null)).collect::<Result<_, _>>()? })
    }
}

/// Why a program cannot be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CannotRun {
    /// There is no such program.
    NotFound,
    /// It may not be run.
    NotExecutable,
    /// It is a directory.
    Directory,
    /// Its first line names an interpreter that is not there.
    NoInterpreter(String),
    /// Its first line names an interpreter that may not be run.
    InterpreterNotExecutable(String),
    /// Its first line ends in a carriage return, which would be a part of the name of the interpreter or of its argument.
    CarriageReturn,
}

impl CannotRun {
    /// The exit status of a shell: 127 when something is not found, 126 when it is not executable.
    pub fn shell_status(&self) -> u8 {
        match self {
            Self::NotFound | Self::NoInterpreter(_) | Self::CarriageReturn => 127,
            Self::NotExecutable | Self::Directory | Self::InterpreterNotExecutable(_) => 126,
        }
    }
}

/// The directories that `execvp` looks in when `PATH` is not set.
///
/// Source: glibc, `posix/execvpe.c` and `confstr(3)`, `_CS_PATH`; musl, `execvp.c`; macOS and BSD, `paths.h`,
/// `_PATH_DEFPATH`.
const DEFAULT_PATH: &str = if cfg!(target_env = "musl") { "/usr/local/bin:/bin:/usr/bin" } else { "/bin:/usr/bin" };

/// Checks that `execvp` will find a program in the directories of `path`, the variable as it is, and the interpreter of a
/// script.
///
/// # Errors
/// Why it cannot be run.
pub fn find_program(program: &OsStr, path: Option<&OsStr>) -> Result<(), CannotRun> {
    find(program, path, INTERPRETERS)
}

/// The same; `depth` is how many interpreters are looked at.
fn find(program: &OsStr, path: Option<&OsStr>, depth: u8) -> Result<(), CannotRun> {
    let candidates: Vec<PathBuf> = match path {
        _ if !cfg!(unix) => return Ok(()),
        _ if program.as_encoded_bytes().contains(&b'/') => vec![program.into()],
        path => {
            let path = path.unwrap_or(DEFAULT_PATH.as_ref());
            std::env::split_paths(path).map(|directory| directory.join(program)).collect()
        }
    };
    match candidates.iter().find(|path| is_program(path)) {
        Some(found) if depth > 0 => check_interpreter(found, path, depth - 1),
        Some(_) => Ok(()),
        None if program.is_empty() => Err(CannotRun::NotFound),
        None if candidates.iter().any(|path| path.is_file()) => Err(CannotRun::NotExecutable),
        None if candidates.iter().any(|path| path.exists()) => Err(CannotRun::Directory),
        None => Err(CannotRun::NotFound),
    }
}

/// How many interpreters may be scripts with an interpreter of their own.
///
/// Source: `execve(2)`, "Interpreter scripts".
const INTERPRETERS: u8 = 4;

/// What separates the words of the first line.
const BLANKS: [char; 2] = [' ', '\t'];

/// How much of the first line counts.
const FIRST_LINE: u64 = 255;

fn check_interpreter(script: &Path, path: Option<&OsStr>, depth: u8) -> Result<(), CannotRun> {
    // What cannot be read may still be run.
    let Some(line) = first_line(script) else { return Ok(()) };
    let Some(line) = line.strip_prefix(b"#!") else { return Ok(()) };
    if line.ends_with(b"\r") {
        return Err(CannotRun::CarriageReturn);
    }
    let line = String::from_utf8_lossy(line);
    let line = line.trim_matches(BLANKS);
    let (interpreter, argument) = line.split_once(BLANKS).unwrap_or((line, ""));
    if interpreter.is_empty() {
        return Ok(());
    }
    let file = Path::new(interpreter);
    if !file.exists() {
        return Err(CannotRun::NoInterpreter(interpreter.to_owned()));
    }
    if !is_program(file) {
        return Err(CannotRun::InterpreterNotExecutable(interpreter.to_owned()));
    }
    if file.file_name() == Some("env".as_ref()) {
        let argument = argument.trim_matches(BLANKS);
        let named = match argument.strip_prefix("-S") {
            // Linux passes what follows the interpreter as one argument; other systems split it.
            None if cfg!(target_os = "linux") => argument,
            words => words.unwrap_or(argument).split(BLANKS).find(|word| !word.is_empty()).unwrap_or_default(),
        };
        // With other options, or with variables to set, `env` is left to say itself what is wrong.
        if named.is_empty() || named.starts_with('-') || named.contains('=') {
            return Ok(());
        }
        return find(OsStr::new(named), path, depth).map_err(|reason| match reason {
            CannotRun::NotFound => CannotRun::NoInterpreter(named.to_owned()),
            CannotRun::NotExecutable | CannotRun::Directory => CannotRun::InterpreterNotExecutable(named.to_owned()),
            reason => reason,
        });
    }
    // Without a slash it would be looked for in `PATH`, but the system takes it from the working directory.
    find(Path::new(".").join(file).as_os_str(), path, depth)
}

/// The first line of a file, without the line feed at its end.
fn first_line(path: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    fs::File::open(path).ok()?.take(FIRST_LINE).read_to_end(&mut start).ok()?;
    let length = start.iter().position(|byte| *byte == b'\n').unwrap_or(start.len());
    start.truncate(length);
    Some(start)
}

/// The exit status of a shell that cannot run a command: 127 when it is not found, else 126.
pub fn shell_status(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

/// Whether this user may run the file: not by its mode alone, since it may be meant for another user, and its file system
/// may be mounted without programs.
#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let is_file = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    is_file && accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    use super::*;

    #[test]
    fn no_other_process_of_the_user_can_read_the_memory() {
        protect_memory();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
