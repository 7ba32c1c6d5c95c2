//! A jq filter in a process of its own.
//!
//! One that calls itself without end, or needs more memory than there is, ends the process that it runs in. Where that
//! process holds the only copy of a secret, another one has to run the filter: this program once more.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::output::stdout;
use crate::output::{Filter, STACK_BYTES};

/// The first argument by which the program is asked to run a filter, which is the second one. No command begins so.
const ARGUMENT: &str = "--yc-rs-run-filter";

/// What the filter makes of a document; `None` when the process cannot be started, so that nothing has been done.
///
/// # Errors
/// [`FilterRun`](Kind::FilterRun) when the filter fails or the process breaks down.
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
        // One that ends before it has read everything says why.
        let _ = stdin.write_all(document).await;
    }
    let failed = |reason: &str| Error::new(Kind::FilterRun, reason);
    let ended = child.wait_with_output().await.map_err(|error| failed(&format!("jq filter: {error}")))?;
    match ended.status.code() {
        Some(0) => Ok(Some(ended.stdout)),
        Some(1) => Err(failed(&String::from_utf8_lossy(&ended.stderr))),
        // Ctrl-C at a terminal reaches every process of the command.
        _ if was_interrupted(ended.status) => Err(Error::new(Kind::Interrupted, "interrupted")),
        _ => Err(failed(&format!("jq filter: it broke down ({}); does it call itself without end?", ended.status))),
    }
}

#[cfg(unix)]
fn was_interrupted(status: ExitStatus) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(rustix::process::Signal::INT.as_raw())
}

#[cfg(not(unix))]
fn was_interrupted(_: ExitStatus) -> bool {
    false
}

/// Runs the filter for a process that asks for it, and returns the exit status; `None` in an ordinary run.
pub fn answer(args: &[OsString], env: &Env) -> Option<u8> {
    let [_, argument, expression] = args else { return None };
    let expression = expression.to_str().filter(|_| argument == ARGUMENT)?;
    // An endless filter is not to outlive a process that was killed.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let work = || -> Result<()> {
        let unusable = |error| Error::internal(format!("jq filter: {error}"));
        let mut document = Vec::new();
        io::stdin().read_to_end(&mut document).map_err(unusable)?;
        let text = Filter::compile(expression, &env.vars)?.run(&document)?;
        stdout::write_result(&text, true)
    };
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| Error::internal(format!("cannot start: {error}")))?;
        thread.join().unwrap_or_else(|_| Err(Error::internal("jq filter: it failed")))
    });
    Some(match done {
        Ok(()) => 0,
        Err(error) => {
            let _ = write!(io::stderr(), "{error}");
            1
        }
    })
}
