//! Reading of files and standard input, and of the text in them.
//!
//! A pipe may give no data for a long time, and so may a slow disk. What is read in an asynchronous command is read on
//! a blocking thread, so that signals and `--timeout` end the command meanwhile. A file that nobody typed on the command
//! line must be a regular one.

pub mod hidden;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use secrecy::SecretString;

use crate::error::{Error, Kind, Result};
use crate::process;
use crate::text::form;
use crate::text::plain::{self, check_controls};

/// The largest file, in bytes, that is read as a text: 1 MiB.
pub const LIMIT: u64 = 1024 * 1024;

/// The largest configuration or file of certificates, in bytes: 16 MiB.
pub const LARGE_LIMIT: u64 = 16 * LIMIT;

/// Which files may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Regular files and the null device, for a path from a variable or a profile.
    Regular,
    /// Pipes too, such as `/dev/stdin` or `<(command)`, for a path from the command line.
    Pipes,
}

/// Reads standard input to its end, for the flag or key `reader`.
///
/// # Errors
/// It cannot be read, is larger than [`LIMIT`], or is not text.
pub async fn stdin(reader: &str) -> Result<String> {
    let bytes = on_blocking_thread(|| read_limited(io::stdin(), LIMIT)).await;
    let bytes = bytes.map_err(|error| Error::usage(format!("{reader}: cannot read standard input: {error}")))?;
    decode(bytes).map_err(|rule| Error::usage(format!("{reader}: standard input {rule}")))
}

/// As [`stdin`], for a secret: somebody who types it gets a question, and the terminal does not show the answer.
///
/// # Errors
/// As those of [`stdin`]; Ctrl-C was pressed.
pub async fn secret_stdin(reader: &str) -> Result<String> {
    if !hidden::is_typed() {
        return stdin(reader).await;
    }
    hidden::line(reader).await.map_err(|error| match error.kind() {
        ErrorKind::Interrupted => Error::interrupted(Kind::Interrupted),
        _ => Error::usage(format!("{reader}: cannot read standard input: {error}")),
    })
}

/// Reads a text file of at most [`LIMIT`] bytes, e.g. a key or a token, without holding up signals and `--timeout`.
///
/// # Errors
/// It cannot be read, is too large, is of another kind than `files`, or is not text. The message is a rule that goes
/// after the name of the file, e.g. `cannot be read: No such file or directory (os error 2)`.
pub async fn file(path: &Path, files: Files) -> Result<String, String> {
    let bytes = bytes(path, files, LIMIT).await;
    decode(bytes.map_err(|error| format!("cannot be read: {error}"))?)
}

/// Reads a file of at most `limit` bytes without holding up signals and `--timeout`.
///
/// # Errors
/// It cannot be read, is too large, or is of another kind than `files`.
pub async fn bytes(path: &Path, files: Files, limit: u64) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    let read = move || match files {
        Files::Regular => regular_file(&path, limit),
        Files::Pipes => any_file(&path, limit),
    };
    on_blocking_thread(read).await
}

/// Does work that may wait for a file, on a thread of its own, so that signals and `--timeout` end the command meanwhile.
///
/// # Errors
/// Those of the work.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    process::on_thread(work).await.unwrap_or_else(|error| Err(Error::internal(format!("cannot read a file: {error}"))))
}

/// Reads a file of any kind on this thread, of at most `limit` bytes; a pipe is waited for.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn any_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_limited(File::open(path)?, limit)
}

/// Refuses a path that names a pipe or a device; the null device, and a file that is not there, are for the reader.
///
/// # Errors
/// It does.
pub fn check_regular(path: &Path) -> io::Result<()> {
    std::fs::metadata(path).map_or(Ok(()), |metadata| check_kind(&metadata))
}

/// Reads a regular file of at most `limit` bytes on this thread; the null device counts as an empty file.
///
/// # Errors
/// It cannot be read, is too large, or is another kind of file: a pipe is not waited for.
pub fn regular_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // Before it is opened, since to open some devices has an effect; after that, since it may be another file by then.
    check_kind(&std::fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    let file = options.open(path)?;
    check_kind(&file.metadata()?)?;
    read_limited(file, limit)
}

fn check_kind(metadata: &Metadata) -> io::Result<()> {
    let kind = metadata.file_type();
    if kind.is_file() || is_null_device(metadata) {
        return Ok(());
    }
    let kind = if kind.is_dir() { "it is a directory" } else { "it is not a regular file" };
    Err(io::Error::new(ErrorKind::InvalidInput, kind))
}

#[cfg(unix)]
fn is_null_device(metadata: &Metadata) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    metadata.file_type().is_char_device()
        && std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == metadata.rdev())
}

#[cfg(not(unix))]
fn is_null_device(_: &Metadata) -> bool {
    false
}

fn read_limited(source: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("it is larger than {} MiB", limit / (1024 * 1024));
        return Err(io::Error::new(ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The text of a file or of standard input: UTF-8, or UTF-16 with a byte order mark, without that mark and without white
/// space at the end.
///
/// # Errors
/// It is not text, or has control characters other than tabs and line breaks; the message is a rule that goes after the
/// name of the file.
pub fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let text = decode_document(bytes)?;
    check_controls(&text)?;
    Ok(plain::trimmed(&text).to_owned())
}

/// As [`decode`], with everything that UTF-8 may hold as it is: for formats with rules of their own.
///
/// # Errors
/// It is neither UTF-8 nor UTF-16 with a byte order mark.
pub fn decode_document(bytes: Vec<u8>) -> Result<String, String> {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| -> Option<Vec<u16>> {
        let pairs = bytes.chunks_exact(2);
        pairs.remainder().is_empty().then(|| pairs.map(|pair| unit([pair[0], pair[1]])).collect())
    };
    let utf16 = match &bytes[..] {
        [0xff, 0xfe, rest @ ..] => Some(units(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Some(units(rest, u16::from_be_bytes)),
        _ => None,
    };
    match utf16 {
        Some(units) => {
            units.and_then(|units| String::from_utf16(&units).ok()).ok_or_else(|| "is not UTF-16".to_owned())
        }
        None => String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned()),
    }
}

/// A secret that a user gave: one word, and not a line of a script or a document that contains it.
///
/// # Errors
/// It is something else; the message is a rule that says what it looks like and quotes nothing of it.
pub fn secret(text: &str) -> Result<SecretString, String> {
    check_controls(text)?;
    let text = plain::trimmed(text).trim_start();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.starts_with(['{', '[']) {
        return Err("is JSON, but must be the secret and nothing else".to_owned());
    }
    if form::assignment(text).is_some() {
        // The name is not shown, since it may be a part of the secret.
        return Err("has the form NAME=VALUE, but must be the secret and nothing else".to_owned());
    }
    if form::unquoted(text).is_some() {
        return Err("is in quotation marks, but must be the secret and nothing else".to_owned());
    }
    if text.contains(char::is_whitespace) {
        return Err("has white space in it, but must be the secret and nothing else".to_owned());
    }
    Ok(text.into())
}

async fn on_blocking_thread<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    process::on_thread(read).await?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("{}{text}", plain::BOM).encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn marks_encodings_and_white_space_at_the_end_do_not_matter() {
        let text = "Ключ\r\n x";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("{}{text}\r\n\n \t", plain::BOM).into_bytes(),
            utf16(&format!("{text}\r\n"), u16::to_le_bytes),
            utf16(text, u16::to_be_bytes),
        ] {
            assert_eq!(decode(bytes).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_not_text_is_refused() {
        for (bytes, rule) in [
            (&b"\xff"[..], "is not UTF-8"),
            (b"\xff\xfea", "is not UTF-16"),
            (b"\xff\xfe\x00\xd8", "is not UTF-16"),
            (b"a\x1b[1mb", r"has the control character \u001b"),
            (b"a\0", r"has the control character \u0000"),
            ("a\u{9b}".as_bytes(), r"has the control character \u009b"),
        ] {
            assert_eq!(decode(bytes.to_vec()), Err(rule.to_owned()));
        }
    }

    #[test]
    fn a_secret_is_one_word() {
        assert_eq!(secret("\u{feff}YCsecret\r\n").unwrap().expose_secret(), "YCsecret");
        for (text, rule) in [
            (" ", "is empty"),
            ("{\"secret\": \"x\"}", "is JSON, but must be the secret and nothing else"),
            ("export A_B=c", "has the form NAME=VALUE, but must be the secret and nothing else"),
            ("\"abc\"", "is in quotation marks, but must be the secret and nothing else"),
            ("a b", "has white space in it, but must be the secret and nothing else"),
            ("a\u{7}b", r"has the control character \u0007"),
        ] {
            assert_eq!(secret(text).unwrap_err(), rule);
        }
    }

    #[test]
    fn a_file_is_regular_and_not_too_large() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        crate::private_file::replace(&path, b"abcd").unwrap();
        assert_eq!(regular_file(&path, 4).unwrap(), b"abcd");
        assert_eq!(regular_file(&path, 3).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(regular_file(directory.path(), 4).unwrap_err().to_string(), "it is a directory");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_waited_for_and_the_null_device_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(regular_file(&path, 4).unwrap_err().to_string(), "it is not a regular file");
        assert_eq!(regular_file(Path::new("/dev/null"), 4).unwrap(), b"");
        assert!(regular_file(Path::new("/dev/zero"), 4).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            if let Ok(text) = decode(bytes) {
                prop_assert_eq!(decode(text.clone().into_bytes()), Ok(text.clone()));
                let _ = secret(&text);
            }
        }
    }
}
