//! The process of a `token-command`, which does not outlive this one.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::env::Env;
use crate::process;

/// The variable that tells a program that a `token-command` has started it.
pub(super) const INSIDE: &str = "YC_RS_IN_TOKEN_COMMAND";

/// The first argument that makes the program run the command of the others. No command has this name.
const ARGUMENT: &str = "--yc-rs-run-token-command";

/// What the output begins with when the command cannot be run.
const CANNOT_RUN: &str = "yc-rs cannot run the token-command: ";

/// Starts a command without input, and with its output piped.
///
/// On Linux this program runs first in the new process, asks the system to end it together with this one, and is then
/// replaced by the command.
///
/// # Errors
/// The process cannot be started.
pub(super) fn start(command: &[String], env: &Env) -> io::Result<Child> {
    let own = env.program.as_ref().filter(|own| cfg!(target_os = "linux") && own.exists());
    let mut words = command.iter();
    let mut started = match own {
        Some(own) => {
            let mut started = Command::new(own);
            started.arg(ARGUMENT);
            started
        }
        None => Command::new(words.next().map(String::as_str).unwrap_or_default()),
    };
    started
        .args(words)
        .env_clear()
        .envs(&env.vars)
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Why the command could not be run, by what the process wrote to standard error.
pub(super) fn cannot_start(errors: &str) -> Option<&str> {
    Some(errors.strip_prefix(CANNOT_RUN)?.trim_end())
}

/// In a process that [`start`] made, becomes the command, or returns the exit status if that fails; `None` in every other
/// process.
pub fn run_if_requested(args: &[OsString]) -> Option<u8> {
    let [_, argument, program, arguments @ ..] = args else { return None };
    if argument != ARGUMENT {
        return None;
    }
    #[cfg(target_os = "linux")]
    {
        // The program works without it; only a parent that is killed leaves the command running then.
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
    let mut command = std::process::Command::new(program);
    command.args(arguments);
    match process::replace_with(command) {
        Ok(status) => Some(status),
        Err(error) => {
            // The exit status tells that it failed, too.
            let _ = writeln!(io::stderr(), "{CANNOT_RUN}{error}");
            Some(process::shell_status(&error))
        }
    }
}
