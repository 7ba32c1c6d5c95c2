//! The one place where a result leaves the program: rendered, filtered, and written to standard output.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Output, Render, jq_process, stdout};
use crate::error::{Error, Result};

/// Writes results to standard output.
#[derive(Clone)]
pub struct Printer {
    render: Arc<Render>,
    /// The program itself, which runs a filter in a process of its own.
    program: Option<PathBuf>,
}

impl Printer {
    /// A printer of this form.
    pub fn new(render: Render, program: Option<PathBuf>) -> Self {
        Self { render: Arc::new(render), program }
    }

    /// Prints a result that can be had again: a reader that went away is not an error.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub async fn print(&self, output: Output) -> Result<()> {
        self.write(output, false).await
    }

    /// Prints the only copy of a secret: a reader that went away is an error, and a filter that may break down runs in
    /// a process of its own, so that it takes nothing else with it.
    ///
    /// # Errors
    /// The filter fails, or standard output cannot be written.
    pub async fn print_only_copy(&self, output: Output) -> Result<()> {
        let output = self.filter_in_process(output).await?;
        self.write(output, true).await
    }

    /// Prints a result without waiting for anything: there must be no filter.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print_now(&self, output: &Output) -> Result<()> {
        stdout::write(&self.render.render(output)?)
    }

    /// Whether a filter is run on the result.
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

    /// The filter may run for ever and standard output may block for ever: neither may hold up Ctrl-C or `--timeout`.
    async fn write(&self, output: Output, must_arrive: bool) -> Result<()> {
        let render = self.render.clone();
        let write = move || stdout::write_result(&render.render(&output)?, must_arrive);
        let written = tokio::task::spawn_blocking(write).await;
        written.unwrap_or_else(|_| Err(Error::internal("printing the result failed")))
    }
}
