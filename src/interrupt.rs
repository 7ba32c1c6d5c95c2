//! Ctrl-C and `--timeout`: how a command ends early, and what it tells the user about what it leaves on the server.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, poll_immediate, select};

use crate::error::{Error, Kind, Result};
use crate::text::duration;

/// The work of a command whose effect on the server outlives this process.
#[derive(Default)]
pub struct InProgress(RefCell<Vec<Option<Work>>>);

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
        let position = self.0.borrow().len();
        self.0.borrow_mut().push(Some(Work { advice: advice.clone(), stage }));
        let result = work.await;
        if let Some(entry) = self.0.borrow_mut().get_mut(position) {
            *entry = None;
        }
        result.map_err(|error| match error.kind() {
            _ if error.is_outcome_unknown() || stage == Stage::Delivering => error.urgent_hint(advice),
            Kind::Timeout | Kind::Network if stage == Stage::Repeatable => error.hint(advice),
            _ => error,
        })
    }

    /// The error for a command that is interrupted, with the advice on all work in progress; `awaits_secret` when a
    /// request that creates a secret has been sent and its response has not come.
    pub fn interrupted(&self, kind: Kind, message: &str, awaits_secret: bool) -> Error {
        let error = Error::new(kind, message);
        let mut work: Vec<_> = self.0.take().into_iter().flatten().collect();
        work.retain(|work| work.stage != Stage::Creating || awaits_secret);
        if work.is_empty() {
            return error;
        }
        let repeatable = work.iter().all(|work| work.stage == Stage::Repeatable);
        let error = if repeatable { error } else { error.outcome_unknown() };
        let advice: Vec<_> = work.into_iter().map(|work| work.advice).collect();
        error.hint(advice.join("\n"))
    }
}

/// Lets the work run until it is done, Ctrl-C is pressed, or `timeout` has passed; `interrupted` makes the error for
/// the latter two.
///
/// # Errors
/// Those of the work, or that of `interrupted`.
pub async fn until_interrupted<T>(
    timeout: Option<Duration>,
    ignores_interrupt: bool,
    interrupted: impl Fn(Kind, &str) -> Error,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let work = pin!(work);
    let mut interrupt = pin!(async {
        if ignores_interrupt {
            // Not to be listened to, so that it stays ignored in a command that takes our place.
            std::future::pending().await
        } else {
            tokio::signal::ctrl_c().await
        }
    });
    let limited = async {
        match timeout {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                let message = format!("not done within the {} of --timeout", duration::human(limit));
                Err(interrupted(Kind::Timeout, &message))
            }),
        }
    };
    // Ctrl-C is listened for from the first moment; a result that is there wins over it all the same.
    if poll_immediate(interrupt.as_mut()).await.is_some() {
        return Err(interrupted(Kind::Interrupted, "interrupted"));
    }
    match select(pin!(limited), interrupt).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(interrupted(Kind::Interrupted, "interrupted")),
    }
}
