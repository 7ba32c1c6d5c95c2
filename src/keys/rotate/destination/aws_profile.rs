//! A profile of the AWS CLI.

use std::path::Path;

use super::Held;
use crate::api::access_key::StaticKey;
use crate::api::sigv4::SigningKey;
use crate::context::Context;
use crate::credentials::aws_file::{AwsFiles, Lifetime, ProfileWriter};
use crate::credentials::{Credentials, Storage};
use crate::error::{Error, Result};

/// A profile that can be written; the lock of its file is held.
pub struct Writer(ProfileWriter);

/// The key in the profile.
pub fn held(profile: &str, file: &Path, context: &Context<'_>) -> Result<Held> {
    let Some(key) = AwsFiles::locate(Some(file), context.env)?.stored(profile)? else { return Ok(Held::default()) };
    let signing = match (&key.access_key_id, &key.secret) {
        (Some(id), Some(secret)) if !key.is_temporary => {
            context.mask_secrets([secret]);
            Some(SigningKey { id: id.clone(), secret: secret.clone() })
        }
        _ => None,
    };
    Ok(Held { id: key.access_key_id, key: signing })
}

/// Takes the lock of the file and shows that it can be replaced.
pub async fn prepare(profile: &str, file: &Path, storage: Option<&Storage>, context: &Context<'_>) -> Result<Writer> {
    let files = AwsFiles::locate(Some(file), context.env)?;
    let writer = ProfileWriter::prepare(files, profile.to_owned(), Lifetime::Permanent, &context.log).await?;
    let writer = match storage {
        Some(storage) if writer.is_new() => writer.with_storage(storage.clone())?,
        None if writer.is_new() => return Err(Error::internal("the storage of a new profile is not known")),
        _ => writer,
    };
    Ok(Writer(writer))
}

impl Writer {
    /// Writes the key.
    pub fn write(self, key: &StaticKey) -> Result<()> {
        self.0.write(&Credentials::permanent(key, Storage::default()))
    }
}
