//! A jq filter in a separate process, which executes this program again.
//!
//! Infinite recursion and a lack of memory end the process that runs a filter, and a filter may never end: the process
//! has limits of its own, and this one goes on. It takes one document after the other.
//!
//! Both directions have the same form: a byte that says what follows, the number of bytes as eight bytes, and the bytes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::output::jq::Collected;
use crate::output::{Filter, STACK_BYTES, stdout};
use crate::text::duration;

/// The first argument that makes the program run a filter. No command has this name.
const ARGUMENT: &str = "--yc-rs-run-filter";

/// How long a filter may compute where `--timeout` does not limit it.
const LONGEST: Duration = Duration::from_secs(120);

/// How much memory the process of a filter may take, in bytes.
#[cfg(unix)]
const MEMORY: u64 = 1 << 30;

/// Documents, one a line: run the filter on each, and return what it prints.
const EACH: u8 = b'e';
/// Documents, one a line: add them to the array.
const ADD: u8 = b'a';
/// Run the filter on the array, and return what it prints.
const ON_ARRAY: u8 = b'w';
/// The response to all of them.
const DONE: u8 = b'd';
/// The response when the filter fails: why.
const FAILED: u8 = b'f';

/// A process that runs a filter.
pub struct FilterProcess {
    to: ChildStdin,
    from: ChildStdout,
    child: Arc<Mutex<Child>>,
}

/// Ends the process of a filter when it is dropped, also while a thread waits for its output.
pub struct KillOnDrop(Arc<Mutex<Child>>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl FilterProcess {
    /// Starts a process for the filter, and returns when it is ready. `timeout` is that of the whole command.
    ///
    /// # Errors
    /// The process cannot be started, or cannot run the filter.
    pub fn start(program: Option<&Path>, expression: &str, timeout: Option<Duration>) -> Result<(Self, KillOnDrop)> {
        let cannot = |reason: &str| Error::internal(format!("cannot start the process of the jq filter: {reason}"));
        let program = program.ok_or_else(|| cannot("the path of this program is not known"))?;
        let limit = if timeout.is_some() { Duration::ZERO } else { LONGEST };
        let child = Command::new(program)
            .args([ARGUMENT, &limit.as_secs().to_string(), expression])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.map_err(|error| cannot(&error.to_string()))?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let child = Arc::new(Mutex::new(child));
        let guard = KillOnDrop(child.clone());
        let (Some(to), Some(from)) = pipes else { return Err(cannot("it has no pipes")) };
        let mut process = Self { to, from, child };
        process.receive()?;
        Ok((process, guard))
    }

    /// What the filter prints for these documents, one a line.
    ///
    /// # Errors
    /// [`FilterRun`](Kind::FilterRun) when the filter or its process fails.
    pub fn each(&mut self, documents: &[u8]) -> Result<Vec<u8>> {
        self.exchange(EACH, documents)
    }

    /// Adds these documents, one a line, to the array for [`on_array`](Self::on_array).
    ///
    /// # Errors
    /// [`FilterRun`](Kind::FilterRun) when the process fails.
    pub fn add(&mut self, documents: &[u8]) -> Result<()> {
        self.exchange(ADD, documents).map(drop)
    }

    /// What the filter prints for the array of the documents that were added.
    ///
    /// # Errors
    /// [`FilterRun`](Kind::FilterRun) when the filter or its process fails.
    pub fn on_array(&mut self) -> Result<Vec<u8>> {
        self.exchange(ON_ARRAY, &[])
    }

    fn exchange(&mut self, kind: u8, bytes: &[u8]) -> Result<Vec<u8>> {
        // A process that ends before it has read everything is found by its missing response.
        let _ = send(&mut self.to, kind, bytes);
        self.receive()
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        match receive(&mut self.from) {
            Ok(Some((DONE, text))) => Ok(text),
            Ok(Some((_, reason))) => Err(Error::new(Kind::FilterRun, String::from_utf8_lossy(&reason))),
            Ok(None) | Err(_) => Err(self.crashed()),
        }
    }

    fn crashed(&self) -> Error {
        let failed = |reason: String| Error::new(Kind::FilterRun, reason);
        let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
        match ended {
            Err(error) => failed(format!("jq filter: {error}")),
            // A signal of the terminal reaches every process of the command.
            Ok(status) => interruption(status).map_or_else(
                || {
                    failed(format!(
                        "the jq filter crashed ({status}): infinite recursion, or the need of more than 1 GiB of memory, \
                         ends its process"
                    ))
                },
                Error::interrupted,
            ),
        }
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

fn send(to: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&header(kind, bytes))?;
    to.write_all(bytes)?;
    to.flush()
}

fn header(kind: u8, bytes: &[u8]) -> [u8; 9] {
    let mut header = [kind; 9];
    header[1..].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    header
}

/// `None` at the end of the input.
fn receive(from: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let (mut kind, mut length) = ([0], [0; 8]);
    if from.read(&mut kind)? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    let mut bytes = Vec::new();
    if from.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((kind[0], bytes)))
}

/// In a process that [`FilterProcess::start`] started, runs the filter and returns the exit status; `None` in every
/// other process.
pub fn run_if_requested(args: &[OsString], env: &Env) -> Option<u8> {
    let [_, argument, limit, expression] = args else { return None };
    let expression = expression.to_str().filter(|_| argument == ARGUMENT)?.to_owned();
    let limit = limit.to_str()?.parse().ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
    limit_process();
    let vars = env.vars.clone();
    let (event, events) = mpsc::channel();
    let started = start_thread(move || {
        // Nothing can be told to a process that has gone away.
        let _ = serve(&expression, &vars, &event);
    });
    let failure = match started {
        Ok(()) => supervise(&events, limit),
        Err(error) => Some(format!("cannot start a thread for the jq filter: {error}")),
    };
    Some(failure.map_or(0, |reason| {
        let _ = respond(Err(reason.as_bytes()));
        1
    }))
}

#[cfg(unix)]
fn limit_process() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    // A filter that never ends must not outlive its parent.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let Rlimit { current, maximum } = getrlimit(Resource::As);
    let at_most = |limit: Option<u64>| Some(limit.map_or(MEMORY, |limit| limit.min(MEMORY)));
    // Where the system has no such limit, the filter runs without.
    let _ = setrlimit(Resource::As, Rlimit { current: at_most(current), maximum: at_most(maximum) });
}

#[cfg(not(unix))]
fn limit_process() {}

/// Starts a thread with the largest stack that there is memory for.
fn start_thread(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread that cannot be started drops its work.
    let work = Arc::new(Mutex::new(Some(work)));
    let attempt = |stack| {
        let work = work.clone();
        let run = move || {
            let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(work) = work {
                work();
            }
        };
        thread::Builder::new().stack_size(stack).spawn(run).map(drop)
    };
    attempt(STACK_BYTES).or_else(|_| attempt(STACK_BYTES / 8)).or_else(|_| attempt(STACK_BYTES / 32))
}

/// Waits until the thread of the filter ends. Returns why the process is to end before.
fn supervise(events: &Receiver<()>, limit: Option<Duration>) -> Option<String> {
    let mut remaining = limit;
    // Each document has two events: its beginning and its end.
    while events.recv().is_ok() {
        let began = Instant::now();
        let ended = match remaining {
            Some(remaining) => events.recv_timeout(remaining),
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match ended {
            Ok(()) => remaining = remaining.map(|remaining| remaining.saturating_sub(began.elapsed())),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {
                let limit = duration::human(limit.unwrap_or_default());
                return Some(format!("the jq filter did not end within {limit}; --timeout sets another limit"));
            }
        }
    }
    None
}

/// Runs the filter on what comes from the other process, until nothing comes any more.
fn serve(expression: &str, vars: &BTreeMap<String, String>, event: &Sender<()>) -> io::Result<()> {
    let filter = match Filter::compile(expression, vars) {
        Ok(filter) => filter,
        Err(error) => return respond(Err(error.to_string().as_bytes())),
    };
    respond(Ok(&[]))?;
    let mut input = io::stdin().lock();
    let mut collected = Collected::default();
    while let Some((kind, documents)) = receive(&mut input)? {
        let _ = event.send(());
        let mut documents = documents.split(|byte| *byte == b'\n').filter(|document| !document.is_empty());
        let result = match kind {
            ADD => documents.try_for_each(|document| collected.push(document)).map(|()| Vec::new()),
            ON_ARRAY => filter.run_on(std::mem::take(&mut collected)),
            _ => documents.try_fold(Vec::new(), |mut text, document| {
                text.extend(filter.run(document)?);
                Ok(text)
            }),
        };
        let _ = event.send(());
        match result {
            Ok(text) => respond(Ok(&text))?,
            Err(error) => respond(Err(error.to_string().as_bytes()))?,
        }
    }
    Ok(())
}

fn respond(result: Result<&[u8], &[u8]>) -> io::Result<()> {
    let (kind, bytes) = result.map_or_else(|reason| (FAILED, reason), |text| (DONE, text));
    let write = |bytes: &[u8]| stdout::write_result(bytes, true).map_err(io::Error::other);
    write(&header(kind, bytes))?;
    write(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_does_not_end_in_time_is_given_up() {
        let (event, events) = mpsc::channel();
        event.send(()).unwrap();
        assert_eq!(
            supervise(&events, Some(Duration::ZERO)).unwrap(),
            "the jq filter did not end within 0s; --timeout sets another limit"
        );
    }

    #[test]
    fn the_time_between_documents_does_not_count() {
        let (event, events) = mpsc::channel();
        for _ in 0..2 {
            event.send(()).unwrap();
            event.send(()).unwrap();
        }
        drop(event);
        assert_eq!(supervise(&events, Some(Duration::from_secs(60))), None);
    }

    #[test]
    fn what_is_sent_is_received_until_the_end() {
        let mut bytes = Vec::new();
        send(&mut bytes, EACH, b"{}\n1").unwrap();
        send(&mut bytes, ON_ARRAY, b"").unwrap();
        let mut from = &bytes[..];
        assert_eq!(receive(&mut from).unwrap(), Some((EACH, b"{}\n1".to_vec())));
        assert_eq!(receive(&mut from).unwrap(), Some((ON_ARRAY, Vec::new())));
        assert_eq!(receive(&mut from).unwrap(), None);
        assert!(receive(&mut &bytes[..10]).is_err());
    }
}
