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

/// Writes a result. When it `must_arrive`, since it cannot be fetched again, a closed pipe is an error too.
///
/// # Errors
/// Standard output cannot be written.
pub fn write_result(text: &[u8], must_arrive: bool) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe && !must_arrive => Ok(()),
        Err(error) => Err(Error::new(Kind::Output, format!("cannot write the result: {error}"))),
        Ok(()) => Ok(()),
    }
}
