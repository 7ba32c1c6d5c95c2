//! `iam access-key update`

use serde::{Deserialize, Serialize};

use super::{access_key, description, operation};
use crate::commands::Outcome;
use crate::commands::args::key_selector::SearchArgs;
use crate::commands::args::request_file::{ExampleArgs, FileArg, RequestFields};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keys::static_key;
use crate::text::ids;

/// Change the description of an access key
#[derive(Debug, clap::Args)]
pub struct Args {
    /// ID of the access key (not the key ID that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID", conflicts_with = "id")]
    access_key_id: Option<String>,
    /// The same as a flag
    #[arg(long, value_name = "ID", alias = "access-key-id")]
    id: Option<String>,
    /// Key ID that S3 requests are signed with, e.g. YCAJE123
    #[arg(long, value_name = "KEY-ID", conflicts_with_all = ["access_key_id", "id"])]
    key_id: Option<String>,
    #[command(flatten)]
    search: SearchArgs,
    /// New description; an empty one removes it
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = description)]
    description: Option<String>,
    #[command(flatten)]
    file: FileArg,
    #[command(flatten)]
    examples: ExampleArgs,
    /// Print the operation at once instead of waiting for it
    #[arg(long)]
    r#async: bool,
}

/// `UpdateAccessKeyRequest` as a file.
///
/// Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(alias = "accessKeyId")]
    access_key_id: Option<String>,
    #[serde(alias = "updateMask")]
    update_mask: Option<String>,
    description: Option<String>,
}

impl RequestFields for Fields {
    fn example() -> Self {
        Self {
            access_key_id: Some(String::new()),
            update_mask: Some("description".to_owned()),
            description: Some(String::new()),
        }
    }
}

/// Changes the description and prints the key, or the Operation with `--async`.
///
/// # Errors
/// The arguments are malformed, the server refuses, cannot be reached, or does not finish in time.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    if args.examples.print::<Fields>(context).await? {
        return Ok(Outcome::default());
    }
    let file = args.file.read::<Fields>(context).await?;
    let id = file.or("access_key_id", args.access_key_id.or(args.id), |file| &file.access_key_id, ids::parse_id)?;
    id.as_deref().map_or(Ok(()), ids::check_id).map_err(Error::usage)?;
    let by_key_id = args.key_id.filter(|_| id.is_none());
    if by_key_id.is_none() {
        args.search.reject()?;
    }
    if id.is_none() && by_key_id.is_none() {
        return Err(Error::usage("no key is named: ACCESS-KEY-ID is missing")
            .hint("give it: yc-rs iam access-key update <ACCESS-KEY-ID>"));
    }
    if file.fields.update_mask.as_deref().is_some_and(|mask| !mask.is_empty() && mask != "description") {
        return Err(file.invalid("update_mask", "it must be 'description', the only field that can be changed"));
    }
    // A description in the file may be empty, which removes the one there is.
    let in_file = file.fields.description.as_deref().map(description).transpose();
    let in_file = in_file.map_err(|rule| file.invalid("description", &rule))?;
    let description = args.description.or(in_file).ok_or_else(|| {
        Error::usage("no description is given").hint("give --description TEXT; an empty one removes the description")
    })?;
    let id = match by_key_id {
        Some(key_id) => args.search.find(&key_id, context).await?,
        None => id.unwrap_or_default(),
    };
    let output = if args.r#async {
        operation(static_key::start_update(&id, &description, context).await?.raw)
    } else {
        access_key(static_key::update(&id, &description, context).await?)
    };
    context.printer.print(output).await?;
    Ok(Outcome::default())
}
