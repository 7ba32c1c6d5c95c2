//! A jq filter in a separate process.
//!
//! Infinite recursion and a lack of memory end the process that runs a filter. While this process has the only copy of
//! a secret, the filter runs in another one, which executes this program again.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::output::{Filter, STACK_BYTES, stdout};

/// The first argument that makes the program run a filter, which is the second one. No command has this name.
const ARGUMENT: &str = "--yc-rs-run-filter";

/// The output of the filter for a document; `None` when the process cannot be started.
///
/// # Errors
/// [`FilterRun`](Kind::FilterRun) when the filter or its process fails.
pub async fn run(program: &Path, expression: &str, document: &[u8]) -> Result<Option<Vec<u8>>> {
    let started = Command::new(program)
        .args([ARGUMENT, expression])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = started else { return Ok(None) };
    if let Some(mut stdin) = child.stdin.take() {
        // A process that ends before it has read everything reports why on standard error.
        let _ = stdin.write_all(document).await;
    }
    let failed = |reason: &str| Error::new(Kind::FilterRun, reason);
    let ended = child.wait_with_output().await.map_err(|error| failed(&format!("jq filter: {error}")))?;
    match ended.status.code() {
        Some(0) => Ok(Some(ended.stdout)),
        Some(1) => Err(failed(&String::from_utf8_lossy(&ended.stderr))),
        // A signal of the terminal reaches every process of the command.
        _ => Err(match interruption(ended.status) {
            Some(kind) => Error::interrupted(kind),
            None => failed(&format!(
                "the jq filter crashed ({}): infinite recursion or a lack of memory ends its process",
                ended.status
            )),
        }),
    }
}

#[cfg(unix)]
fn interruption(status: ExitStatus) -> Option<Kind> {
    Kind::of_signal(std::os::unix::process::ExitStatusExt::signal(&status)?)
}

#[cfg(not(unix))]
fn interruption(_: ExitStatus) -> Option<Kind> {
    None
}

/// In a process that [`run`] started, runs the filter and returns the exit status; `None` in every other process.
pub fn run_if_requested(args: &[OsString], env: &Env) -> Option<u8> {
    let [_, argument, expression] = args else { return None };
    let expression = expression.to_str().filter(|_| argument == ARGUMENT)?;
    // A filter that never ends must not outlive its parent.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let work = || -> Result<()> {
        let failed = |error| Error::internal(format!("jq filter: {error}"));
        let mut document = Vec::new();
        io::stdin().read_to_end(&mut document).map_err(failed)?;
        let text = Filter::compile(expression, &env.vars)?.run(&document)?;
        stdout::write_result(&text, true)
    };
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread =
            thread.map_err(|error| Error::internal(format!("cannot start a thread for the jq filter: {error}")))?;
        thread.join().unwrap_or_else(|_| Err(Error::internal("the jq filter panicked")))
    });
    Some(match done {
        Ok(()) => 0,
        Err(error) => {
            let _ = write!(io::stderr(), "{error}");
            1
        }
    })
}
