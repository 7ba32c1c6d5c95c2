//! What a person sees while a command waits: one line at the bottom of the terminal, which is gone when the wait is over.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// Not at all: standard error is not a terminal, or the user wants no output there.
    #[default]
    Hidden,
    /// As a note when a wait begins: the terminal cannot move the cursor, or a screen reader reads along.
    Notes,
    /// As a line that changes.
    Line,
}

/// The line at the bottom of the terminal.
#[derive(Clone, Default)]
pub struct Progress {
    pub(super) style: Style,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    bar: Option<ProgressBar>,
    /// What is waited for, each with the number of its wait; the last is shown.
    waits: Vec<(usize, String)>,
    next: usize,
}

/// A wait; its line is gone when it is dropped.
pub struct Waiting {
    progress: Progress,
    number: usize,
}

impl Progress {
    /// Progress that is shown in this way.
    pub fn new(style: Style) -> Self {
        Self { style, line: Arc::default() }
    }

    /// Whether something is waited for already.
    pub(super) fn is_busy(&self) -> bool {
        !self.lock().waits.is_empty()
    }

    pub(super) fn begin(&self, text: &str) -> Waiting {
        let mut line = self.lock();
        let number = line.next;
        line.next += 1;
        if self.style != Style::Hidden {
            line.waits.push((number, text.to_owned()));
            self.show(&mut line);
        }
        drop(line);
        Waiting { progress: self.clone(), number }
    }

    fn show(&self, line: &mut Line) {
        if self.style != Style::Line {
            return;
        }
        match line.waits.last() {
            Some((_, text)) => line.bar.get_or_insert_with(new_bar).set_message(text.clone()),
            None => line.bar.take().iter().for_each(ProgressBar::finish_and_clear),
        }
    }

    /// Writes lines above the line at the bottom.
    pub(super) fn write(&self, write: impl FnOnce(&mut dyn Write)) {
        let line = self.lock();
        let write = || write(&mut std::io::stderr().lock());
        match &line.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
}

impl Waiting {
    /// Changes what the line says.
    pub fn set(&self, text: &str) {
        let mut line = self.progress.lock();
        if let Some((_, shown)) = line.waits.iter_mut().find(|(number, _)| *number == self.number) {
            text.clone_into(shown);
            self.progress.show(&mut line);
        }
    }

    /// Does work, while the line counts the seconds.
    pub async fn during<T>(self, text: &str, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(Duration::from_secs(1), work.as_mut()).await {
                Ok(result) => return result,
                Err(_) => self.set(&format!("{text} ({} s)", started.elapsed().as_secs())),
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut line = self.progress.lock();
        line.waits.retain(|(number, _)| *number != self.number);
        self.progress.show(&mut line);
    }
}
