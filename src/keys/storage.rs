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

/// The region, and the storage endpoint in force.
///
/// # Errors
/// The region is malformed or not known, or the endpoint cannot be had.
pub async fn storage(region_flag: Option<&str>, context: &Context<'_>) -> Result<Storage> {
    Ok(Storage {
        region: region(region_flag, context)?,
        endpoint: context.endpoints()?.base(Service::Storage, &context.http()).await?,
    })
}

/// The region of flag, variable or profile, else that of the cloud. Another installation has another region, which is
/// then taken from the variables of AWS.
///
/// # Errors
/// It is malformed, or not known.
pub fn region(flag: Option<&str>, context: &Context<'_>) -> Result<String> {
    let (env, profile) = (context.env, &context.settings.profile);
    let from_variable = |name: &str| env.var(name).map(|value| check(name, value)).transpose();
    check_region_flag(flag)?;
    if let Some(flag) = flag.filter(|flag| !flag.is_empty()) {
        return Ok(flag.to_owned());
    }
    if let Some(region) = from_variable("YC_REGION")? {
        return Ok(region);
    }
    match profile.string("region")? {
        Some(region) if is_region(region) => return Ok(region.to_owned()),
        Some(_) => return Err(profile.invalid("region", RULE)),
        None => {}
    }
    if context.endpoints()?.is_built_in() {
        return Ok(DEFAULT_REGION.to_owned());
    }
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if let Some(region) = from_variable(name)? {
            return Ok(region);
        }
    }
    Err(Error::usage("the region of this installation of the cloud is not known")
        .hint("give --region, set YC_REGION, or put 'region' into the profile"))
}

/// Checks the region of the flag.
///
/// # Errors
/// It is malformed.
pub fn check_region_flag(flag: Option<&str>) -> Result<()> {
    flag.filter(|flag| !flag.is_empty()).map_or(Ok(()), |flag| check("--region", flag).map(drop))
}

const RULE: &str = "must be letters, digits and hyphens, e.g. ru-central1";

fn check(name: &str, value: &str) -> Result<String> {
    if is_region(value) {
        return Ok(value.to_owned());
    }
    Err(Error::usage(format!("{name} is {}, but {RULE}", quote::value(value))))
}

fn is_region(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
