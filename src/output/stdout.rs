//! Standard output.

use std::io::{self, ErrorKind, Write};

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
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::Closed),
        Err(error) => Err(Error::new(Kind::Output, format!("cannot write the result: {error}"))),
        Ok(()) => Ok(Written::Whole),
    }
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
