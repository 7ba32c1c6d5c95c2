//! `iam access-key create`

use serde::{Deserialize, Serialize};

use super::description;
use crate::commands::Outcome;
use crate::commands::args::delivery::{AwsProfileArgs, ExportArg, RegionArg, delivery, reject_unused_region};
use crate::commands::args::owner::Owner;
use crate::commands::args::request_file::{ExampleArgs, FileArg, RequestFields};
use crate::context::Context;
use crate::credentials::aws_file::Lifetime;
use crate::credentials::forms::ExportFormat;
use crate::error::{Error, Result};
use crate::keys::deliver::{Delivery, NewKey};
use crate::keys::static_key;
use crate::text::ids;

/// Create a static access key for a service account and print its secret
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    owner: Owner,
    /// Description of the key
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = description)]
    description: Option<String>,
    #[command(flatten)]
    export: ExportArg,
    #[command(flatten)]
    aws: AwsProfileArgs,
    #[command(flatten)]
    region: RegionArg,
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    examples: ExampleArgs,
}

/// `CreateAccessKeyRequest` as a file.
///
/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(alias = "serviceAccountId")]
    service_account_id: Option<String>,
    description: Option<String>,
}

impl RequestFields for Fields {
    fn example() -> Self {
        Self { service_account_id: Some(String::new()), description: Some(String::new()) }
    }
}

/// Creates a key and delivers it.
///
/// # Errors
/// The arguments are malformed, the server refuses, or the key did not arrive.
pub async fn run(mut args: Args, context: &Context<'_>) -> Result<Outcome> {
    if args.examples.print::<Fields>(context).await? {
        return Ok(Outcome::default());
    }
    let file = args.file.read::<Fields>(context).await?;
    let description = file.or("description", args.description, |file| &file.description, description)?;
    let owner = &mut args.owner.service_account_id;
    *owner = file.or("service_account_id", owner.take(), |file| &file.service_account_id, ids::parse_id)?;
    if args.export.export == Some(ExportFormat::Process) {
        let message = "--export process is not for static keys: AWS SDKs run the command again and again, and each run \
                       would create another key";
        return Err(Error::usage(message).hint("use: yc-rs iam access-key issue-ephemeral --export process"));
    }
    reject_unused_region(&args.export, &args.aws, &args.region)?;
    let delivery = delivery(&args.export, &args.aws, &args.region, Lifetime::Permanent, context).await?;
    let owner = args.owner.id(context).await?;
    let key = static_key::create(owner.as_deref(), description.as_deref(), context).await?;
    let advice = static_key::lost_secret_advice(&key);
    let is_shown = matches!(delivery, Delivery::Print(_)) && !context.printer.has_filter();
    delivery.deliver(NewKey::Static(key), advice, context).await?;
    if is_shown {
        context.log.note("the secret is shown only once; save it now");
    }
    Ok(Outcome::default())
}
