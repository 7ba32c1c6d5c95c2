//! What a person sees while a command waits: one line at the bottom of the terminal, which is gone when the wait is over.

use std::cell::Cell;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console::Term;

use crate::text::wrap;

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
    /// Whether there is something on it.
    is_drawn: bool,
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
        if self.style == Style::Line {
            line.clear();
            line.draw();
        }
    }

    /// Writes lines above the line at the bottom.
    pub(super) fn write(&self, write: impl FnOnce(&mut dyn Write)) {
        let mut line = self.lock();
        line.clear();
        write(&mut std::io::stderr().lock());
        if self.style == Style::Line {
            line.draw();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Draws what is waited for, cut to the width of the terminal.
    fn draw(&mut self) {
        let Some((_, text)) = self.waits.last() else { return };
        // Nothing can be done when standard error is closed, and the result does not depend on it.
        let _ = Term::stderr().write_str(&wrap::cut(text, width().saturating_sub(1)));
        self.is_drawn = true;
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            // As above.
            let _ = Term::stderr().clear_line();
        }
    }
}

/// The width of the terminal at standard error, or that of a terminal that does not tell.
fn width() -> usize {
    usize::from(Term::stderr().size().1)
}

/// The text for standard error: on a terminal its lines are broken between words.
pub fn fit(text: String) -> String {
    if Term::stderr().is_term() { wrap::lines(&text, width()) } else { text }
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

/// A wait for several pieces of work, of which the line says how many are done: `deleting 3/50`.
pub struct Counter<T> {
    waiting: Waiting,
    done: Cell<usize>,
    text: T,
}

impl<T: Fn(usize) -> String> Counter<T> {
    pub(super) fn new(waiting: Waiting, text: T) -> Self {
        Self { waiting, done: Cell::new(0), text }
    }

    /// Counts one that is done.
    pub fn add(&self) {
        self.done.update(|done| done + 1);
        self.waiting.set(&(self.text)(self.done.get()));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut line = self.progress.lock();
        line.waits.retain(|(number, _)| *number != self.number);
        self.progress.show(&mut line);
    }
}
