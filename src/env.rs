//! The state of the process that the program depends on, read once: variables, directories, terminals.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::text::{path, plain};

/// The environment of one run.
///
/// Only [`Env::from_process`] reads the state of the process; everything else gets it from this value, so that a test
/// can make its own.
#[derive(Debug, Clone, Default)]
pub struct Env {
    /// Environment variables.
    pub vars: BTreeMap<String, String>,
    /// `PATH` as it is, which need not be UTF-8.
    pub path: Option<OsString>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// The directory of the operating system for configuration, e.g. `~/.config`.
    pub config_dir: Option<PathBuf>,
    /// The directory of the operating system for caches, e.g. `~/.cache`.
    pub cache_dir: Option<PathBuf>,
    /// The directory of the operating system for what has to survive between runs, e.g. `~/.local/state`.
    pub state_dir: Option<PathBuf>,
    /// Which of the standard streams are terminals.
    pub terminal: Terminal,
    /// Whether standard output can be written.
    pub stdout: StandardOutput,
    /// The path of this program, where it is known.
    pub program: Option<PathBuf>,
    /// The signals that were ignored when the program was started.
    pub ignored: IgnoredSignals,
}

/// Which signals are ignored, as SIGINT is in the background of a shell and SIGHUP after `nohup`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IgnoredSignals {
    /// A bit for each signal; the lowest is signal 1.
    mask: u64,
}

impl IgnoredSignals {
    /// Whether this signal is ignored.
    pub fn contains(self, signal: i32) -> bool {
        u32::try_from(signal - 1).ok().and_then(|bit| self.mask.checked_shr(bit)).is_some_and(|mask| mask & 1 == 1)
    }
}

/// Whether standard output could be written when the program was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StandardOutput {
    /// It is open for writing.
    #[default]
    Writable,
    /// It is open for reading alone.
    ReadOnly,
    /// It is closed, or the null device as whoever closes it leaves it: open for reading too.
    Closed,
}

/// Which of the standard streams are terminals.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// The number of columns of the terminal at standard output; 80 where it is not known.
    pub width: usize,
}

impl Env {
    /// Reads the state of this process.
    ///
    /// # Errors
    /// A variable that the program may need is not UTF-8.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_process() -> Result<Self> {
        let stdout = standard_output();
        let mut vars = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => _ = vars.insert(name, value),
                Err(_) if is_ours(&name) => {
                    return Err(Error::usage(format!("the environment variable {name} is not valid UTF-8")));
                }
                Err(_) => {}
            }
        }
        Ok(Self {
            vars,
            path: std::env::var_os("PATH"),
            home: dirs::home_dir(),
            config_dir: dirs::config_dir(),
            cache_dir: dirs::cache_dir(),
            state_dir: dirs::state_dir().or_else(dirs::data_local_dir),
            terminal: Terminal {
                stdin: std::io::stdin().is_terminal(),
                stdout: std::io::stdout().is_terminal(),
                stderr: std::io::stderr().is_terminal(),
                width: width(),
            },
            stdout,
            program: std::env::current_exe().ok(),
            ignored: ignored_signals(),
        })
    }

    /// The value of a variable, without a byte order mark and white space at its end; an empty one counts as not set.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(|value| plain::trimmed(value)).filter(|value| !value.is_empty())
    }

    /// Checks what every command needs of the variables.
    ///
    /// # Errors
    /// One of them has a control character, or a directory of the program is not the path of one.
    pub fn check(&self) -> Result<()> {
        for (name, value) in self.vars.iter().filter(|(name, _)| is_ours(name)) {
            plain::check_controls(value)
                .map_err(|rule| Error::usage(format!("the environment variable {name} {rule}")))?;
        }
        for name in [CONFIG_DIR, CACHE_DIR, STATE_DIR] {
            self.var(name).map_or(Ok(()), |path| self.path_of(name, path.as_ref()).map(drop))?;
        }
        Ok(())
    }

    /// The directory of the program's configuration: `$YC_RS_CONFIG_DIR`, or `yc-rs` in the system's directory.
    pub fn config_home(&self) -> Option<PathBuf> {
        self.own_directory(CONFIG_DIR, self.config_dir.as_deref())
    }

    /// The directory of the program's caches: `$YC_RS_CACHE_DIR`, or `yc-rs` in the system's directory.
    pub fn cache_home(&self) -> Option<PathBuf> {
        self.own_directory(CACHE_DIR, self.cache_dir.as_deref())
    }

    /// The directory of the program's state: `$YC_RS_STATE_DIR`, or `yc-rs` in the system's directory.
    pub fn state_home(&self) -> Option<PathBuf> {
        self.own_directory(STATE_DIR, self.state_dir.as_deref())
    }

    fn own_directory(&self, variable: &str, system: Option<&Path>) -> Option<PathBuf> {
        match self.var(variable) {
            // `check` has refused what cannot be expanded.
            Some(path) => Some(self.path(path).unwrap_or_else(|_| path.into())),
            None => system.map(|directory| directory.join("yc-rs")),
        }
    }

    /// The path that a flag, a variable or a profile names: `~/` at its beginning means the home directory.
    ///
    /// # Errors
    /// It begins with what a shell or another system should have expanded; the message quotes it.
    pub fn path(&self, text: &str) -> Result<PathBuf, String> {
        path::expand(text, self.home.as_deref())
    }

    /// As [`Env::path`], for the flag or variable `name`.
    ///
    /// # Errors
    /// It begins with what a shell or another system should have expanded.
    pub fn path_of(&self, name: &str, path: &Path) -> Result<PathBuf> {
        match path.to_str() {
            Some(text) => self.path(text).map_err(|rule| Error::usage(format!("{name}: {rule}"))),
            None => Ok(path.to_owned()),
        }
    }

    /// The login name of the user, where a variable has it.
    pub fn login(&self) -> Option<&str> {
        ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| self.var(name))
    }
}

/// The variable of the directory of the configuration.
const CONFIG_DIR: &str = "YC_RS_CONFIG_DIR";
/// The variable of the directory of the caches.
const CACHE_DIR: &str = "YC_RS_CACHE_DIR";
/// The variable of the directory of the state.
const STATE_DIR: &str = "YC_RS_STATE_DIR";

/// Whether the program may read a variable of this name.
fn is_ours(name: &str) -> bool {
    ["YC_", "AWS_", "ACTIONS_", "GITHUB_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Source: `proc_pid_status(5)`: `SigIgn` is a mask in hexadecimal, in which the lowest bit is signal 1. Elsewhere there
/// is no safe way to find out.
fn ignored_signals() -> IgnoredSignals {
    let status = if cfg!(target_os = "linux") { std::fs::read_to_string("/proc/self/status").ok() } else { None };
    let mask = status.and_then(|status| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    IgnoredSignals { mask: mask.unwrap_or_default() }
}

/// The width of the terminal at standard output, or that of a terminal that does not tell.
fn width() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0).unwrap_or(80)
}

/// How standard output is. The standard library opens the null device for reading and writing in the place of one that
/// was closed, as daemons do; what a shell redirects to it is open for writing alone.
#[cfg(unix)]
fn standard_output() -> StandardOutput {
    use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat, stat};

    let stdout = std::io::stdout();
    let Ok(flags) = fcntl_getfl(&stdout) else { return StandardOutput::Closed };
    let is_null = || match (fstat(&stdout), stat("/dev/null")) {
        (Ok(ours), Ok(null)) => {
            FileType::from_raw_mode(ours.st_mode) == FileType::CharacterDevice && ours.st_rdev == null.st_rdev
        }
        _ => false,
    };
    match flags & OFlags::RWMODE {
        OFlags::RDONLY => StandardOutput::ReadOnly,
        OFlags::RDWR if is_null() => StandardOutput::Closed,
        _ => StandardOutput::Writable,
    }
}

#[cfg(not(unix))]
fn standard_output() -> StandardOutput {
    StandardOutput::Writable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_ignored_when_its_bit_is_set() {
        let ignored = IgnoredSignals { mask: 0b11 | 1 << 63 };
        let found: Vec<_> = (-1..=70).filter(|signal| ignored.contains(*signal)).collect();
        assert_eq!(found, [1, 2, 64]);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let env = Env { vars: [("A".into(), String::new()), ("B".into(), "x".into())].into(), ..Env::default() };
        assert_eq!((env.var("A"), env.var("B"), env.var("C")), (None, Some("x"), None));
    }

    #[test]
    fn own_directories_follow_the_variables_first() {
        let mut env = Env { config_dir: Some("/c".into()), ..Env::default() };
        assert_eq!(env.config_home(), Some("/c/yc-rs".into()));
        assert_eq!(env.cache_home(), None);
        env.vars.insert("YC_RS_CONFIG_DIR".into(), "/own".into());
        assert_eq!(env.config_home(), Some("/own".into()));
    }
}
