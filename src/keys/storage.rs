//! Where S3 clients find the storage: its region and its endpoint.

use crate::context::Context;
use crate::credentials::Storage;
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::text::quote;

/// The region of the cloud: the only one that its storage accepts.
///
/// Source: yandex-cloud/docs, `en/storage/tools/aws-cli.md`.
const DEFAULT_REGION: &str = "ru-central1";

/// The region of flag or profile, and the storage endpoint in force.
///
/// # Errors
/// The region is malformed, or the endpoint cannot be had.
pub async fn storage(region_flag: Option<&str>, context: &Context<'_>) -> Result<Storage> {
    Ok(Storage {
        region: region(region_flag, context)?,
        endpoint: context.endpoints()?.base(Service::Storage, &context.http()).await?,
    })
}

/// The region of flag or profile.
///
/// # Errors
/// It is malformed.
pub fn region(flag: Option<&str>, context: &Context<'_>) -> Result<String> {
    let profile = &context.settings.profile;
    let is_region = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let rule = "must be letters, digits and hyphens, e.g. ru-central1";
    match (flag.filter(|text| !text.is_empty()), profile.string("region")?) {
        (Some(flag), _) if is_region(flag) => Ok(flag.to_owned()),
        (Some(flag), _) => Err(Error::usage(format!("--region is {}, but {rule}", quote::value(flag)))),
        (None, Some(key)) if is_region(key) => Ok(key.to_owned()),
        (None, Some(_)) => Err(profile.invalid("region", rule)),
        (None, None) => Ok(DEFAULT_REGION.to_owned()),
    }
}
