//! `iam access-key issue-ephemeral`

use crate::commands::Outcome;
use crate::commands::args::delivery::{AwsProfileArgs, ExportArg, RegionArg, delivery, reject_unused_region};
use crate::commands::args::ephemeral::{EphemeralArgs, EphemeralFields};
use crate::commands::args::request_file::ExampleArgs;
use crate::context::Context;
use crate::credentials::aws_file::Lifetime;
use crate::credentials::forms::ExportFormat;
use crate::error::Result;
use crate::keys::deliver::NewKey;
use crate::keys::issue;

/// Issue an ephemeral access key and print its secret and session token
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    key: EphemeralArgs,
    #[command(flatten)]
    export: ExportArg,
    #[command(flatten)]
    aws: AwsProfileArgs,
    #[command(flatten)]
    region: RegionArg,
    #[command(flatten)]
    examples: ExampleArgs,
}

/// Issues a key, or takes it from the cache, and delivers it.
///
/// # Errors
/// The arguments are malformed, the server refuses, or the key did not arrive.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    if args.examples.print::<EphemeralFields>(context).await? {
        return Ok(Outcome::default());
    }
    let for_process = args.export.export == Some(ExportFormat::Process);
    let request = args.key.request(for_process, context).await?;
    reject_unused_region(&args.export, &args.aws, &args.region)?;
    let delivery = delivery(&args.export, &args.aws, &args.region, Lifetime::Temporary, context).await?;
    let key = issue::issue(&request, context).await?;
    let advice = request.lost_secret_advice(&key, context).await;
    delivery.deliver(NewKey::Ephemeral(key), advice, context).await?;
    Ok(Outcome::default())
}
