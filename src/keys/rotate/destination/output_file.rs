//! A file that gets what `create --format json` prints.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::Value;

use super::Held;
use crate::api::access_key::{CREATE_RESPONSE, StaticKey};
use crate::api::sigv4::SigningKey;
use crate::error::{Error, Kind, Result};
use crate::input;
use crate::output::{Format, Output, Render};
use crate::private_file::{self, Replacement};
use crate::text::quote;

/// What a document with a key takes, in bytes.
const ROOM: usize = 4096;

/// A file that can be replaced.
pub struct Writer {
    replacement: Replacement,
    file: PathBuf,
}

/// The key in the file; a file that is missing has none.
pub fn held(file: &Path) -> Result<Held> {
    let invalid = |rule: &str| Error::usage(format!("--output: the file {} {rule}", quote::full_path(file)));
    let Ok(metadata) = file.symlink_metadata() else { return Ok(Held::default()) };
    if metadata.is_symlink() {
        return Err(invalid("is a symbolic link; name the file that it leads to"));
    }
    if !metadata.is_file() {
        return Err(invalid("is not a regular file"));
    }
    if !private_file::is_own(file) {
        return Err(invalid("belongs to another user"));
    }
    let text = input::regular_file(file, input::LIMIT).map_err(|error| invalid(&format!("cannot be read: {error}")))?;
    let document: Option<Value> = serde_json::from_slice(&text).ok();
    let field = |pointer: &str| document.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
    let (Some(id), Some(secret)) = (field("/access_key/key_id"), field("/secret")) else {
        return Err(invalid("is not what `yc-rs iam access-key create --format json` prints, so it is not replaced"));
    };
    let key = SigningKey { id: id.clone(), secret: SecretString::from(secret) };
    Ok(Held { id: Some(id), key: Some(key) })
}

/// Shows that the file can be replaced.
pub fn prepare(file: &Path) -> Result<Writer> {
    let replacement = Replacement::prepare(file, ROOM).map_err(|error| {
        Error::usage(format!("--output: the file {} cannot be written: {error}", quote::full_path(file)))
    })?;
    Ok(Writer { replacement, file: file.to_owned() })
}

impl Writer {
    /// Writes the key, with the description that it has in the end.
    pub fn write(self, key: &StaticKey, description: &str) -> Result<()> {
        let mut value = key.raw.clone();
        if let Some(fields) = value["accessKey"].as_object_mut() {
            if description.is_empty() {
                fields.shift_remove("description");
            } else {
                fields.insert("description".to_owned(), description.into());
            }
        }
        let render = Render::plain(Format::Json);
        let text = render.render(&Output::Object { message: &CREATE_RESPONSE, value })?;
        self.replacement.commit(&text).map_err(|error| {
            let file = quote::full_path(&self.file);
            Error::new(Kind::Output, format!("--output: the file {file} cannot be written: {error}"))
        })
    }
}
