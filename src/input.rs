//! Reading standard input and files, either of which may be a pipe that nothing comes out of for a long time.
//!
//! The wait is on a thread of its own, so that Ctrl-C and `--timeout` end the command meanwhile.

use std::io::{self, Read};

use crate::error::{Error, Result};

/// All of standard input, for the flag or value named `reader`.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub async fn stdin(reader: &str) -> Result<String> {
    let read = || {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    };
    apart(read).await.map_err(|error| Error::usage(format!("{reader}: cannot read standard input: {error}")))
}

/// All of a file, for the flag named `reader`.
///
/// # Errors
/// It cannot be read, or is not UTF-8.
pub async fn file(path: &str, reader: &str) -> Result<String> {
    let owned = path.to_owned();
    let text = apart(move || std::fs::read(owned)).await;
    let text = text.map_err(|error| Error::usage(format!("{reader}: cannot read the file '{path}': {error}")))?;
    String::from_utf8(text).map_err(|_| Error::usage(format!("{reader}: the file '{path}' is not UTF-8")))
}

async fn apart<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Err(io::Error::other("reading it failed")))
}
