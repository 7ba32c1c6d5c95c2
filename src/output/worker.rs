//! A thread that is started before the work is there that must not be lost for want of one.

use std::sync::mpsc::{self, SendError, Sender};
use std::thread;

use tokio::sync::oneshot;

use crate::error::{Error, Result};

type Work = Box<dyn FnOnce() + Send>;

/// The stack of a thread that writes, in bytes: the work is not recursive.
const STACK: usize = 2 << 20;

/// A thread that waits for work.
pub struct Worker {
    /// `None` where no thread could be started.
    work: Option<Sender<Work>>,
}

impl Worker {
    /// Starts a thread, and returns when it waits for work. Where no thread can be started, the work is done on the
    /// thread of the caller, where it holds up Ctrl-C and `--timeout`.
    pub fn start() -> Self {
        Self::with_stack(STACK)
    }

    fn with_stack(stack: usize) -> Self {
        let (sender, works) = mpsc::channel::<Work>();
        let (ready, started) = mpsc::channel();
        let run = move || {
            if ready.send(()).is_ok() {
                for work in works {
                    work();
                }
            }
        };
        let is_started = thread::Builder::new().stack_size(stack).spawn(run).is_ok() && started.recv().is_ok();
        Self { work: is_started.then_some(sender) }
    }

    /// Does the work and returns its result.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let Some(thread) = &self.work else { return Ok(work()) };
        let (sender, done) = oneshot::channel();
        // The result may be given up on, and then nobody waits for what is sent.
        if let Err(SendError(work)) = thread.send(Box::new(move || drop(sender.send(work())))) {
            work();
        }
        done.await.map_err(|_| Error::internal("the thread that writes the result panicked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_on_a_thread_of_its_own_one_after_the_other() {
        let worker = Worker::start();
        let ids = [
            worker.run(|| thread::current().id()).await.unwrap(),
            worker.run(|| thread::current().id()).await.unwrap(),
        ];
        assert!(ids[0] == ids[1] && ids[0] != thread::current().id());
    }

    #[tokio::test]
    async fn without_a_thread_the_work_is_done_by_the_caller() {
        let worker = Worker { work: None };
        assert_eq!(worker.run(|| thread::current().id()).await.unwrap(), thread::current().id());
        // No address space has room for such a stack.
        let worker = Worker::with_stack(usize::MAX / 4);
        assert_eq!(worker.run(|| thread::current().id()).await.unwrap(), thread::current().id());
    }
}
