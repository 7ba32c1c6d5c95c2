//! Signals and `--timeout`: how a command ends early, and what it tells the user about what it leaves on the server.

use std::cell::RefCell;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, poll_immediate, select};

use crate::env::IgnoredSignals;
use crate::error::{Error, Kind, Result};
use crate::text::duration;

/// The work of a command whose effect on the server outlives this process.
#[derive(Default)]
pub struct InProgress {
    work: RefCell<Vec<Option<Work>>>,
    /// The access keys to delete.
    pub deletions: Deletions,
}

/// The IDs of access keys that are to be deleted, and how far each deletion is.
#[derive(Default)]
pub struct Deletions {
    keys: RefCell<Vec<(String, Deletion)>>,
    /// Why keys were not deleted.
    failures: RefCell<Vec<String>>,
    /// The command that goes on with those that are left; `None`: `delete` with their IDs.
    command: RefCell<Option<String>>,
}

/// How far the deletion of an access key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deletion {
    /// It is not requested, or was refused.
    NotDeleted,
    /// It is requested, and the server has not responded.
    InFlight,
    /// The server has started to delete the key.
    Started,
    /// The server has deleted the key.
    Done,
}

impl Deletions {
    /// Sets the keys to delete.
    pub fn set(&self, ids: &[String]) {
        *self.keys.borrow_mut() = ids.iter().map(|id| (id.clone(), Deletion::NotDeleted)).collect();
    }

    /// Sets the command that goes on after an interruption, where that is not `delete`.
    pub fn go_on_with(&self, command: String) {
        *self.command.borrow_mut() = Some(command);
    }

    /// Takes note that the deletion of this key is requested.
    pub fn begin(&self, id: &str) {
        self.change(id, Deletion::InFlight);
    }

    /// Takes note that the server has started to delete this key.
    pub fn start(&self, id: &str) {
        self.change(id, Deletion::Started);
    }

    /// Takes note that the server has deleted this key.
    pub fn confirm(&self, id: &str) {
        self.change(id, Deletion::Done);
    }

    /// Takes note that the server has refused to delete this key, or has failed to.
    pub fn fail(&self, id: &str, reason: &Error) {
        self.change(id, Deletion::NotDeleted);
        self.failures.borrow_mut().push(reason.to_string());
    }

    /// Takes note that this key is not to be deleted after all.
    pub fn forget(&self, id: &str) {
        self.keys.borrow_mut().retain(|(key, _)| key != id);
    }

    fn change(&self, id: &str, state: Deletion) {
        self.keys.borrow_mut().iter_mut().filter(|(key, _)| key == id).for_each(|(_, of_key)| *of_key = state);
    }

    fn ids_of(&self, states: &[Deletion]) -> String {
        let deletions = self.keys.borrow();
        let ids = deletions.iter().filter(|(_, state)| states.contains(state)).map(|(id, _)| id.as_str());
        ids.collect::<Vec<_>>().join(" ")
    }

    /// What is done and what is not, and how to go on. Of a single key whose deletion has started, its operation tells.
    fn advice(&self) -> Vec<String> {
        let left = self.ids_of(&[Deletion::InFlight, Deletion::NotDeleted]);
        if left.is_empty() && self.keys.borrow().len() < 2 {
            return Vec::new();
        }
        let states = [
            ("deleted", Deletion::Done),
            ("being deleted", Deletion::Started),
            ("in flight, may be deleted or not", Deletion::InFlight),
            ("not deleted", Deletion::NotDeleted),
        ];
        let lines = states.map(|(name, state)| (name, self.ids_of(&[state])));
        let named = lines.iter().filter(|(_, ids)| !ids.is_empty()).map(|(name, ids)| format!("{name}: {ids}"));
        let command = match &*self.command.borrow() {
            Some(command) => format!("to go on, type: {command}"),
            None => format!("to delete those that still exist, type: yc-rs iam access-key delete {left}"),
        };
        let failures = self.failures.borrow();
        named.chain(failures.iter().cloned()).chain((!left.is_empty()).then_some(command)).collect()
    }
}

/// The advice on a secret that may exist, for a panic, which reaches no caller.
static ADVICE: Mutex<Option<String>> = Mutex::new(None);

/// What to tell the user about a secret that may exist when the program panics.
pub fn advice_of_panic() -> Option<String> {
    // The thread that panics may hold the lock.
    ADVICE.try_lock().ok()?.take()
}

fn set_advice_of_panic(advice: Option<String>) {
    *ADVICE.lock().unwrap_or_else(PoisonError::into_inner) = advice;
}

#[derive(Clone)]
struct Work {
    /// What to tell the user when the work is interrupted.
    advice: String,
    stage: Stage,
}

/// How far work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A secret is being created: it may exist only while a response is awaited.
    Creating,
    /// The only copy of a secret is being delivered.
    Delivering,
    /// The request can be repeated without harm.
    Repeatable,
}

impl InProgress {
    /// Does the work. When it fails so that its outcome is unknown, or is interrupted, the error gives `advice`.
    ///
    /// # Errors
    /// Those of the work itself.
    pub async fn watch<T>(&self, stage: Stage, advice: String, work: impl Future<Output = Result<T>>) -> Result<T> {
        if stage != Stage::Repeatable {
            set_advice_of_panic(Some(advice.clone()));
            // A secret that was created is the one that is delivered now.
            self.work.borrow_mut().iter_mut().for_each(|work| _ = work.take_if(|work| work.stage == Stage::Delivering));
        }
        let position = self.work.borrow().len();
        self.work.borrow_mut().push(Some(Work { advice: advice.clone(), stage }));
        let result = work.await;
        if let Some(entry) = self.work.borrow_mut().get_mut(position) {
            if stage == Stage::Creating && result.is_ok() {
                // The secret exists, and is lost unless it is delivered.
                if let Some(work) = entry {
                    work.stage = Stage::Delivering;
                }
            } else {
                *entry = None;
                if stage != Stage::Repeatable {
                    set_advice_of_panic(None);
                }
            }
        }
        self.remove_finished();
        result.map_err(|error| match error.kind() {
            _ if error.is_outcome_unknown() || stage == Stage::Delivering => error.urgent_hint(advice),
            Kind::Timeout | Kind::Network if stage == Stage::Repeatable => error.hint(advice),
            _ => error,
        })
    }

    /// Takes note that the secret that was created is where it belongs, and is not lost any more.
    pub fn confirm_delivery(&self) {
        self.work.borrow_mut().iter_mut().for_each(|work| _ = work.take_if(|work| work.stage == Stage::Delivering));
        set_advice_of_panic(None);
        self.remove_finished();
    }

    /// A command that runs for days must not collect what it has done. The places of other work stay.
    fn remove_finished(&self) {
        let mut work = self.work.borrow_mut();
        while work.pop_if(|work| work.is_none()).is_some() {}
    }

    /// The error for a command that is interrupted, with the advice on all work in progress; `awaits_secret` when a
    /// request that creates a secret has been sent and its response has not come.
    pub fn interrupted(&self, kind: Kind, message: &str, awaits_secret: bool) -> Error {
        let error = Error::new(kind, message);
        let mut work: Vec<_> = self.work.take().into_iter().flatten().collect();
        work.retain(|work| work.stage != Stage::Creating || awaits_secret);
        let deletions = self.deletions.advice();
        if work.is_empty() && deletions.is_empty() {
            return error;
        }
        let repeatable = work.iter().all(|work| work.stage == Stage::Repeatable);
        let error = if repeatable { error } else { error.outcome_unknown() };
        let mut advice: Vec<_> = work.into_iter().map(|work| work.advice).collect();
        advice.extend(deletions);
        error.hint(advice.join("\n"))
    }
}

/// Lets the work run until it is done, a signal arrives (SIGINT, SIGTERM, SIGHUP), or `timeout` has passed;
/// `interrupted` makes the error for the latter two, or `None` when the work goes on regardless.
///
/// # Errors
/// Those of the work, or that of `interrupted`; signals cannot be listened for.
pub async fn until_interrupted<T>(
    timeout: Option<Duration>,
    ignored: IgnoredSignals,
    interrupted: impl Fn(Kind, &str) -> Option<Error>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut work = pin!(work);
    let mut signal = pin!(signal(ignored));
    let by_signal = |signal: Result<Kind>| match signal {
        Ok(kind) => {
            let message = kind.interruption();
            interrupted(kind, message)
        }
        Err(error) => Some(error),
    };
    let limited = async {
        let Some(limit) = timeout else { return work.await };
        if let Ok(result) = tokio::time::timeout(limit, work.as_mut()).await {
            return result;
        }
        let message = format!("not done within the {} of --timeout", duration::human(limit));
        match interrupted(Kind::Timeout, &message) {
            Some(error) => Err(error),
            None => work.await,
        }
    };
    // Signals are listened for from the first moment; a result that is there wins over them all the same.
    if let Some(error) = poll_immediate(signal.as_mut()).await.and_then(by_signal) {
        return Err(error);
    }
    match select(pin!(limited), signal).await {
        Either::Left((result, _)) => result,
        Either::Right((signal, limited)) => match by_signal(signal) {
            Some(error) => Err(error),
            None => limited.await,
        },
    }
}

/// Waits for a signal that ends the command: SIGINT, SIGTERM or SIGHUP. One that is ignored is not listened for, so that
/// it stays ignored, also in a command that takes the place of this process.
///
/// # Errors
/// Signals cannot be listened for.
#[cfg(unix)]
pub async fn signal(ignored: IgnoredSignals) -> Result<Kind> {
    use std::task::Poll;

    use tokio::signal::unix::{SignalKind, signal};

    let mut streams = Vec::new();
    for (kind, signal_kind) in [
        (Kind::Interrupted, SignalKind::interrupt()),
        (Kind::Terminated, SignalKind::terminate()),
        (Kind::HungUp, SignalKind::hangup()),
    ] {
        if !ignored.contains(signal_kind.as_raw_value()) {
            streams.push((kind, signal(signal_kind).map_err(|error| cannot_listen(&error))?));
        }
    }
    std::future::poll_fn(|task| {
        let arrived = streams.iter_mut().find_map(|(kind, stream)| stream.poll_recv(task).is_ready().then_some(kind));
        arrived.map_or(Poll::Pending, |kind| Poll::Ready(Ok(kind.clone())))
    })
    .await
}

/// Waits for Ctrl-C.
///
/// # Errors
/// Signals cannot be listened for.
#[cfg(not(unix))]
pub async fn signal(_: IgnoredSignals) -> Result<Kind> {
    tokio::signal::ctrl_c().await.map(|()| Kind::Interrupted).map_err(|error| cannot_listen(&error))
}

fn cannot_listen(error: &std::io::Error) -> Error {
    Error::internal(format!("cannot listen for signals: {error}"))
}
