//! Printing of results: rendered, filtered, and written to standard output.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::jq_process::{FilterProcess, KillOnDrop};
use super::list::{List, ListPrinter};
use super::{Format, Output, Render, Worker, stdout};
use crate::env::{Env, StandardOutput};
use crate::error::{Error, Result};

/// Writes results to standard output.
#[derive(Clone)]
pub struct Printer {
    render: Arc<Render>,
    /// The path of this program, which runs a filter in a separate process.
    program: Option<PathBuf>,
    stdout: StandardOutput,
    /// The limit of the whole command.
    timeout: Option<Duration>,
}

impl Printer {
    pub fn new(render: Render, env: &Env, timeout: Option<Duration>) -> Self {
        Self { render: Arc::new(render), program: env.program.clone(), stdout: env.stdout, timeout }
    }

    /// Prints a result that can be printed again: a closed pipe is not an error.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub async fn print(&self, output: Output) -> Result<()> {
        let expression = if output.is_filtered() { self.render.risky_expression() } else { None };
        let (filter, _running) = self.start_filter(expression)?;
        self.write(&Worker::start(), filter, output, false).await.map(drop)
    }

    /// Makes everything that printing the only copy of a secret needs, before the secret exists.
    ///
    /// # Errors
    /// Standard output cannot be written, or the process of the filter cannot be started.
    pub fn only_copy(&self) -> Result<OnlyCopy> {
        stdout::check(self.stdout)?;
        let (filter, running) = self.start_filter(self.render.risky_expression())?;
        Ok(OnlyCopy { printer: self.clone(), filter, _running: running, worker: Worker::start() })
    }

    /// Prints a result on this thread: there must be no filter.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print_now(&self, output: &Output) -> Result<()> {
        stdout::write(&self.render.render(output)?)
    }

    /// Starts the process that filters a list; `None` when there is no filter that needs one.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn start_list_filter(&self) -> Result<(Option<FilterProcess>, Option<KillOnDrop>)> {
        self.start_filter(self.render.risky_list_expression().as_deref())
    }

    /// A printer of a list page by page, with the process of [`start_list_filter`](Self::start_list_filter).
    pub fn list(&self, list: List, filter: Option<FilterProcess>) -> ListPrinter {
        ListPrinter::new(list, self.render.clone(), filter, Box::new(stdout::write_part))
    }

    /// Whether results are coloured.
    pub fn is_colored(&self) -> bool {
        self.render.color
    }

    pub fn has_filter(&self) -> bool {
        self.render.filter.is_some()
    }

    /// Whether a list is printed page by page, and not at its end.
    pub fn prints_pages(&self) -> bool {
        match &self.render.filter {
            Some(filter) => filter.per_item().is_some(),
            None => !matches!(self.render.format, Format::Text | Format::Table),
        }
    }

    fn start_filter(&self, expression: Option<&str>) -> Result<(Option<FilterProcess>, Option<KillOnDrop>)> {
        let Some(expression) = expression else { return Ok((None, None)) };
        let (process, running) = FilterProcess::start(self.program.as_deref(), expression, self.timeout)?;
        Ok((Some(process), Some(running)))
    }

    /// The filter may take long, and standard output may block: neither must delay Ctrl-C or `--timeout`.
    async fn write(
        &self,
        worker: &Worker,
        filter: Option<FilterProcess>,
        output: Output,
        must_arrive: bool,
    ) -> Result<Vec<u8>> {
        let render = self.render.clone();
        let write = move || {
            let text = match (filter, render.filter_input(&output)?) {
                (Some(mut filter), Some(document)) => render.escape(filter.each(&document)?),
                _ => render.render(&output)?,
            };
            stdout::write_result(&text, must_arrive).map(|()| text)
        };
        worker.run(write).await?
    }

    /// Starts work that prints a list on a thread of its own, and returns what the work returns.
    ///
    /// # Errors
    /// The thread cannot be started, or panicked.
    pub fn on_thread<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<impl Future<Output = Result<T>>> {
        let (sender, done) = oneshot::channel();
        // The result may be given up on, and then nobody waits for what is sent.
        let work = move || drop(sender.send(work()));
        thread::Builder::new()
            .spawn(work)
            .map_err(|error| Error::internal(format!("cannot start a thread that prints the result: {error}")))?;
        Ok(async move { done.await.map_err(|_| Error::internal("the thread that prints the result panicked")) })
    }
}

/// What prints the only copy of a secret, made before the secret exists.
pub struct OnlyCopy {
    printer: Printer,
    filter: Option<FilterProcess>,
    _running: Option<KillOnDrop>,
    worker: Worker,
}

impl OnlyCopy {
    /// Prints the only copy of a secret: a closed pipe is an error. Returns what was printed.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub async fn print(self, output: Output) -> Result<Vec<u8>> {
        self.printer.write(&self.worker, self.filter, output, true).await
    }
}
