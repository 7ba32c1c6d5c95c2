//! Standard error, except for errors: warnings, notes and the debug log.
//!
//! On success standard error stays empty unless it is a terminal or the debug log is on, because scripts merge the
//! streams. Secrets are masked in every line.

use std::io::Write;
use std::path::Path;

use crate::private_file;
use crate::secret::Masks;
use crate::text::{escape, quote};

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
}

impl Log {
    /// Logs a line about a request.
    pub fn request(&self, line: impl FnOnce() -> String) {
        if self.level >= Level::Requests {
            self.write("DEBUG", &line());
        }
    }

    /// Logs a line about headers or a body.
    pub fn body(&self, line: impl FnOnce() -> String) {
        if self.level >= Level::Bodies {
            self.write("DEBUG", &line());
        }
    }

    /// Shows a note to a user at a terminal.
    pub fn note(&self, text: &str) {
        if self.notes {
            self.write("note", text);
        }
    }

    /// Warns of a risk for the user's secrets, whatever the flags.
    pub fn warn(&self, text: &str) {
        self.write("WARNING", text);
    }

    /// Warns a user at a terminal that every user of the machine can read a file that holds a secret. Elsewhere the file
    /// has its mode from a system that mounts it, and scripts merge the streams.
    pub fn warn_if_readable(&self, path: &Path) {
        if self.terminal && private_file::everybody_can_read(path) {
            let path = quote::full_path(path);
            self.warn(&format!("{path} holds a secret and can be read by others; type: chmod 600 {path}"));
        }
    }

    fn write(&self, label: &str, text: &str) {
        let mut text = self.masks.mask(text);
        if self.terminal {
            text = escape::multiline(&text).into_owned();
        }
        // Nothing can be done when standard error is closed, and the result does not depend on it.
        let mut stderr = std::io::stderr().lock();
        for line in text.lines() {
            let _ = writeln!(stderr, "{label}: {line}");
        }
    }
}
