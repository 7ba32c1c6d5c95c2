//! Printing of results: rendered, filtered, and written to standard output.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use super::list::{List, ListPrinter};
use super::{Output, Render, STACK_BYTES, Worker, jq_process, stdout};
use crate::env::{Env, StandardOutput};
use crate::error::{Error, Result};

/// Writes results to standard output.
#[derive(Clone)]
pub struct Printer {
    render: Arc<Render>,
    /// The path of this program, which runs a filter in a separate process.
    program: Option<PathBuf>,
    stdout: StandardOutput,
}

impl Printer {
    pub fn new(render: Render, env: &Env) -> Self {
        Self { render: Arc::new(render), program: env.program.clone(), stdout: env.stdout }
    }

    /// Prints a result that can be printed again: a closed pipe is not an error.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub async fn print(&self, output: Output) -> Result<()> {
        self.write(&self.worker(), output, false).await.map(drop)
    }

    /// Makes everything that printing the only copy of a secret needs, before the secret exists.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn only_copy(&self) -> Result<OnlyCopy> {
        stdout::check(self.stdout)?;
        Ok(OnlyCopy { printer: self.clone(), worker: self.worker() })
    }

    /// Prints a result on this thread: there must be no filter.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print_now(&self, output: &Output) -> Result<()> {
        stdout::write(&self.render.render(output)?)
    }

    /// A printer of a list page by page.
    pub fn list(&self, list: List) -> ListPrinter {
        ListPrinter::new(list, self.render.clone(), Box::new(stdout::write_part))
    }

    pub fn has_filter(&self) -> bool {
        self.render.filter.is_some()
    }

    async fn filter_in_process(&self, output: Output) -> Result<Output> {
        let Some(program) = &self.program else { return Ok(output) };
        let Some((expression, document)) = self.render.risky_filter(&output)? else { return Ok(output) };
        Ok(match jq_process::run(program, expression, &document).await? {
            Some(text) => Output::Verbatim(self.render.escape(text)),
            None => output,
        })
    }

    /// The filter may never end, and standard output may block: neither must delay Ctrl-C or `--timeout`.
    fn worker(&self) -> Worker {
        let is_risky = self.render.filter.as_ref().is_some_and(|filter| !filter.is_field_path());
        if is_risky { Worker::with_stack(STACK_BYTES) } else { Worker::start() }
    }

    async fn write(&self, worker: &Worker, output: Output, must_arrive: bool) -> Result<Vec<u8>> {
        let render = self.render.clone();
        let write = move || {
            let text = render.render(&output)?;
            stdout::write_result(&text, must_arrive).map(|()| text)
        };
        worker.run(write).await?
    }

    /// Starts work that renders a list on a thread of its own, which has a stack of [`STACK_BYTES`] when there is a
    /// filter, and returns what the work returns.
    ///
    /// # Errors
    /// The thread cannot be started, or panicked.
    pub fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Result<T>> {
        let (sender, done) = oneshot::channel();
        // The result may be given up on, and then nobody waits for what is sent.
        let work = move || drop(sender.send(work()));
        let thread = thread::Builder::new();
        let thread = if self.has_filter() { thread.stack_size(STACK_BYTES) } else { thread };
        let started = thread.spawn(work).map(drop);
        async move {
            started
                .map_err(|error| Error::internal(format!("cannot start a thread that prints the result: {error}")))?;
            done.await.map_err(|_| Error::internal("the thread that prints the result panicked"))
        }
    }
}

/// What prints the only copy of a secret, made before the secret exists.
pub struct OnlyCopy {
    printer: Printer,
    worker: Worker,
}

impl OnlyCopy {
    /// Prints the only copy of a secret: a closed pipe is an error, and a filter that may crash runs in a separate
    /// process, so that the secret is not lost. Returns what was printed.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub async fn print(&self, output: Output) -> Result<Vec<u8>> {
        let output = self.printer.filter_in_process(output).await?;
        self.printer.write(&self.worker, output, true).await
    }
}
