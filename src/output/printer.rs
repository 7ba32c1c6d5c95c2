//! Printing of results: rendered, filtered, and written to standard output.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use super::list::{List, ListPrinter};
use super::{Output, Render, STACK_BYTES, jq_process, stdout};
use crate::error::{Error, Result};

/// Writes results to standard output.
#[derive(Clone)]
pub struct Printer {
    render: Arc<Render>,
    /// The path of this program, which runs a filter in a separate process.
    program: Option<PathBuf>,
}

impl Printer {
    pub fn new(render: Render, program: Option<PathBuf>) -> Self {
        Self { render: Arc::new(render), program }
    }

    /// Prints a result that can be printed again: a closed pipe is not an error.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub async fn print(&self, output: Output) -> Result<()> {
        self.write(output, false).await.map(drop)
    }

    /// Prints the only copy of a secret: a closed pipe is an error, and a filter that may crash runs in a separate
    /// process, so that the secret is not lost. Returns what was printed.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub async fn print_only_copy(&self, output: Output) -> Result<Vec<u8>> {
        let output = self.filter_in_process(output).await?;
        self.write(output, true).await
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
    async fn write(&self, output: Output, must_arrive: bool) -> Result<Vec<u8>> {
        let render = self.render.clone();
        let write = move || {
            let text = render.render(&output)?;
            stdout::write_result(&text, must_arrive).map(|()| text)
        };
        self.on_thread(write).await?
    }

    /// Starts work that renders results on a thread of its own, which has a stack of [`STACK_BYTES`] when there is a
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
        let started = if self.has_filter() {
            thread::Builder::new().stack_size(STACK_BYTES).spawn(work).map(drop)
        } else {
            drop(tokio::task::spawn_blocking(work));
            Ok(())
        };
        async move {
            started.map_err(|error| Error::internal(format!("cannot start a thread for the jq filter: {error}")))?;
            done.await.map_err(|_| Error::internal("the thread that prints the result panicked"))
        }
    }
}
