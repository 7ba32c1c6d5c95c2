//! `iam whoami`

use serde_json::json;

use crate::api::service_account::{self, SERVICE_ACCOUNT};
use crate::auth::token_cache::RequiredLifetime;
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::Result;
use crate::output::Output;
use crate::status::Code;

/// Print who the credential belongs to
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints the ID of the subject, and the folder and name of a service account that may read itself. The token exchange
/// comes first, so that success means that the credential works.
///
/// # Errors
/// No token can be obtained, or nothing names the subject of the credential.
pub async fn run(_args: &Args, context: &Context<'_>) -> Result<Outcome> {
    let client = context.client()?;
    client.tokens().token(RequiredLifetime::ForCalls).await?;
    let id = &client.tokens().subject_id().await?;
    let value = match service_account::get(client, id).await {
        Ok(account) => json!({"id": id, "folderId": account["folderId"], "name": account["name"]}),
        // An account may not be allowed to read itself.
        Err(error) if matches!(error.code(), Some(Code::PermissionDenied | Code::NotFound)) => json!({"id": id}),
        Err(error) => return Err(error.context("cannot read the service account")),
    };
    context.printer.print(Output::Object { message: &SERVICE_ACCOUNT, value }).await?;
    Ok(Outcome::default())
}
