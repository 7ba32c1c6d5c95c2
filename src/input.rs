//! Reading of standard input and files, either of which may be a pipe without data for a long time.
//!
//! They are read on a blocking thread, so that Ctrl-C and `--timeout` end the command meanwhile.

use std::io::{self, Read};

use crate::error::{Error, Result};

/// Reads standard input to its end, for the flag or key `reader`.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub async fn stdin(reader: &str) -> Result<String> {
    let read = || {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    };
    on_blocking_thread(read)
        .await
        .map_err(|error| Error::usage(format!("{reader}: cannot read standard input: {error}")))
}

/// Reads a file, for the flag `reader`.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub async fn file(path: &str, reader: &str) -> Result<String> {
    let owned = path.to_owned();
    let text = on_blocking_thread(move || std::fs::read(owned)).await;
    let text = text.map_err(|error| Error::usage(format!("{reader}: cannot read the file '{path}': {error}")))?;
    String::from_utf8(text).map_err(|_| Error::usage(format!("{reader}: the file '{path}' is not UTF-8")))
}

async fn on_blocking_thread<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the thread that reads it panicked")))
}
