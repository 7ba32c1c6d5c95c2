//! Standard error, except for errors: warnings, notes and the debug log.
//!
//! On success standard error stays empty unless it is a terminal or the debug log is on, because scripts merge the
//! streams. Secrets are masked in every line.

mod progress;

use std::path::Path;

pub use self::progress::{Counter, Progress, Style, Waiting, fit};
use crate::private_file;
use crate::secret::Masks;
use crate::text::{escape, quote};

/// The label of the lines about the traffic.
const DEBUG: &str = "DEBUG";

/// How much of the traffic is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    #[default]
    Off,
    /// A line for each request: `--debug`.
    Requests,
    /// Headers and bodies as well: `--debug-grpc`.
    Bodies,
}

/// Writes to standard error.
#[derive(Clone, Default)]
pub struct Log {
    /// How much of the traffic is logged.
    pub level: Level,
    /// Whether notes are shown: standard error is a terminal, and `--no-user-output` is not given.
    pub notes: bool,
    /// Whether standard error is a terminal: characters that it would act on are then shown escaped.
    pub terminal: bool,
    /// The secrets to mask.
    pub masks: Masks,
    /// What is shown while the command waits.
    pub progress: Progress,
}

impl Log {
    /// Logs a line about a request.
    pub fn request(&self, line: impl FnOnce() -> String) {
        if self.level >= Level::Requests {
            self.write(DEBUG, &line());
        }
    }

    /// Logs a line about headers or a body.
    pub fn body(&self, line: impl FnOnce() -> String) {
        if self.level >= Level::Bodies {
            self.write(DEBUG, &line());
        }
    }

    /// Shows a note to a user at a terminal.
    pub fn note(&self, text: &str) {
        if self.notes {
            self.write("note", text);
        }
    }

    /// Says what is waited for, until the returned value is dropped; what is said of the wait that it is a part of comes
    /// back then.
    pub fn waiting(&self, text: &str) -> Waiting {
        if self.progress.style == Style::Notes {
            self.write("note", text);
        }
        self.counting(text)
    }

    /// As [`Log::waiting`], for what is often over at once: where the line cannot change, nothing is said.
    pub fn counting(&self, text: &str) -> Waiting {
        self.progress.begin(&self.shown(text))
    }

    /// As [`Log::waiting`], for several pieces of work; `text` says how many are done.
    pub fn count<T: Fn(usize) -> String>(&self, text: T) -> Counter<T> {
        Counter::new(self.waiting(&text(0)), text)
    }

    /// Does work, and says that it is waited for, unless a wait is shown already that this one is a part of.
    pub async fn while_waiting<T>(&self, text: &str, work: impl Future<Output = T>) -> T {
        if self.progress.is_busy() {
            return work.await;
        }
        let text = self.shown(text);
        self.waiting(&text).during(&text, work).await
    }

    /// Warns of a risk for the user's secrets, whatever the flags.
    pub fn warn(&self, text: &str) {
        self.write("WARNING", text);
    }

    /// Warns a user at a terminal that every user of the machine can read a file that holds a secret. Elsewhere the file
    /// has its mode from a system that mounts it, and scripts merge the streams.
    pub fn warn_if_readable(&self, path: &Path) {
        if self.terminal && private_file::everybody_can_read(path) {
            let (shown, argument) = (quote::full_path(path), quote::path_for_sh(path));
            self.warn(&format!("{shown} holds a secret and can be read by others; type: chmod 600 {argument}"));
        }
    }

    fn write(&self, label: &str, text: &str) {
        let text = self.shown(text);
        self.progress.write(|stderr| {
            for line in text.lines() {
                let line = format!("{label}: {line}");
                let line = if label == DEBUG { line } else { fit(line) };
                // Nothing can be done when standard error is closed, and the result does not depend on it.
                let _ = writeln!(stderr, "{line}");
            }
        });
    }

    /// The text without secrets, and as a terminal should get it.
    fn shown(&self, text: &str) -> String {
        let text = self.masks.mask(text);
        if self.terminal { escape::multiline(&text).into_owned() } else { text }
    }
}
