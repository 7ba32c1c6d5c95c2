//! `iam whoami`

use serde_json::json;

use crate::api::service_account::{self, SERVICE_ACCOUNT};
use crate::auth::token_cache::RequiredLifetime;
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::output::Output;
use crate::status::Code;

/// Print who the credential belongs to
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints the ID of the subject, and the folder and name of a service account that may read itself. The token exchange
/// comes first, so that success means that the credential works.
///
/// # Errors
/// No token can be obtained, or the credential does not name its subject.
pub async fn run(_args: &Args, context: &Context<'_>) -> Result<Outcome> {
    let client = context.client()?;
    client.tokens().token(RequiredLifetime::ForCalls).await?;
    let sign_in = &client.tokens().sign_in;
    let Some(id) = sign_in.subject_id() else {
        return Err(Error::new(Kind::Unknown, format!("{} does not name its subject", sign_in.source)).hint(
            "no public API returns the subject of a token; use the key of a service account, workload identity or \
             impersonation, which name their subject",
        ));
    };
    let value = match service_account::get(client, id).await {
        Ok(account) => json!({"id": id, "folderId": account["folderId"], "name": account["name"]}),
        // An account may not be allowed to read itself.
        Err(error) if matches!(error.code(), Some(Code::PermissionDenied | Code::NotFound)) => json!({"id": id}),
        Err(error) => return Err(error.context("cannot read the service account")),
    };
    context.printer.print(Output::Object { message: &SERVICE_ACCOUNT, value }).await?;
    Ok(Outcome::default())
}
