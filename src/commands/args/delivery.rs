//! Where a new key goes: `--export`, `--aws-profile`, `--region`.

use std::path::PathBuf;

use clap::Args;

use super::reject_format_flags;
use crate::context::Context;
use crate::credentials::aws_file::{Lifetime, check_profile_name};
use crate::credentials::forms::ExportFormat;
use crate::error::{Error, Result};
use crate::keys::deliver::Delivery;

/// The form in which credentials are printed.
#[derive(Debug, Args)]
pub struct ExportArg {
    /// Print the credentials in a form that S3 clients and shells read; github-actions appends them to `$GITHUB_ENV`
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub export: Option<ExportFormat>,
}

/// The region of the storage.
#[derive(Debug, Args)]
pub struct RegionArg {
    /// Region that requests are signed for [default: ru-central1]
    #[arg(long, value_name = "REGION", hide_short_help = true)]
    pub region: Option<String>,
}

/// The profile of the AWS CLI that credentials are written to.
#[derive(Debug, Default, Args)]
pub struct AwsProfileArgs {
    /// Write the credentials to this profile of the AWS CLI instead of printing them
    #[arg(long, value_name = "NAME", value_parser = check_profile_name, conflicts_with = "export")]
    aws_profile: Option<String>,
    /// The file of that profile [default: `$AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`]
    #[arg(long, value_name = "FILE", conflicts_with = "export", hide_short_help = true)]
    aws_credentials_file: Option<PathBuf>,
}

impl AwsProfileArgs {
    fn is_given(&self) -> bool {
        self.aws_profile.is_some() || self.aws_credentials_file.is_some()
    }
}

/// The delivery that the flags request, checked as far as it can be before the key exists.
///
/// # Errors
/// Flags contradict each other, or the destination cannot be used.
pub async fn delivery(
    export: &ExportArg,
    aws: &AwsProfileArgs,
    region: &RegionArg,
    lifetime: Lifetime,
    context: &Context<'_>,
) -> Result<Delivery> {
    let region = region.region.as_deref();
    if let Some(format) = export.export {
        reject_format_flags("--export", context)?;
        return Delivery::export(format, region, context).await;
    }
    if aws.is_given() {
        let flag = if aws.aws_profile.is_some() { "--aws-profile" } else { "--aws-credentials-file" };
        reject_format_flags(flag, context)?;
        let profile = aws.aws_profile.clone().unwrap_or_else(|| "default".to_owned());
        return Delivery::aws_profile(profile, aws.aws_credentials_file.as_deref(), lifetime, region, context).await;
    }
    Ok(Delivery::Print(context.printer.only_copy()?))
}

/// Rejects a region that nothing would be done with.
///
/// # Errors
/// One is given, and the destination has no place for it.
pub fn reject_unused_region(export: &ExportArg, aws: &AwsProfileArgs, region: &RegionArg) -> Result<()> {
    let message = match export.export {
        _ if region.region.is_none() => return Ok(()),
        Some(ExportFormat::Process) => {
            "--region has no effect with --export process, whose JSON has no place for it; set 'region' in the AWS \
             configuration file"
        }
        None if !aws.is_given() => "--region is for --export and for profiles of the AWS CLI",
        _ => return Ok(()),
    };
    Err(Error::usage(message))
}
