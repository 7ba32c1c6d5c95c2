//! Standard output.

#[cfg(not(unix))]
use std::io::Write;
use std::io::{self, ErrorKind};

use crate::env::StandardOutput;
use crate::error::{Error, Kind, Result};

/// Writes text that can be printed again: a closed pipe is not an error.
///
/// # Errors
/// Standard output cannot be written for another reason.
pub fn write(text: &[u8]) -> Result<()> {
    write_result(text, false)
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    Whole,
    /// Standard output is a pipe that its reader has closed.
    Closed,
}

/// Writes a part of a result that can be printed again.
///
/// # Errors
/// Standard output cannot be written for another reason than a closed pipe.
pub fn write_part(text: &[u8]) -> Result<Written> {
    match write_all(text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::Closed),
        Err(error) => Err(Error::new(Kind::Output, format!("cannot write the result: {error}"))),
        Ok(()) => Ok(Written::Whole),
    }
}

/// The standard library takes a write to a stream that is not open for writing for a success.
#[cfg(unix)]
fn write_all(mut text: &[u8]) -> io::Result<()> {
    let stdout = io::stdout().lock();
    while !text.is_empty() {
        match rustix::io::write(&stdout, text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => text = &text[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn write_all(text: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text).and_then(|()| stdout.flush())
}

/// Checks, before there is a result that cannot be fetched again, that standard output can take it.
///
/// # Errors
/// It was closed, or not open for writing, when the program was started.
pub fn check(state: StandardOutput) -> Result<()> {
    let message = match state {
        StandardOutput::Writable => return Ok(()),
        StandardOutput::ReadOnly => "the result cannot be printed: standard output is not open for writing",
        StandardOutput::Closed => "the result cannot be printed: standard output is closed, or /dev/null",
    };
    Err(Error::new(Kind::Output, message))
}

/// Writes a result. When it `must_arrive`, since it cannot be fetched again, a closed pipe is an error too.
///
/// # Errors
/// Standard output cannot be written.
pub fn write_result(text: &[u8], must_arrive: bool) -> Result<()> {
    match write_part(text)? {
        Written::Closed if must_arrive => {
            Err(Error::new(Kind::Output, "cannot write the result: standard output is closed"))
        }
        Written::Whole | Written::Closed => Ok(()),
    }
}
