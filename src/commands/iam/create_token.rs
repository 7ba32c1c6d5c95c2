//! `iam create-token`

use secrecy::ExposeSecret;
use serde_json::json;

use crate::auth::iam_token::CREATE_RESPONSE;
use crate::auth::token_cache::RequiredLifetime;
use crate::commands::Outcome;
use crate::context::Context;
use crate::error::Result;
use crate::output::Output;

/// Print an IAM token
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints the token that calls are made with.
///
/// # Errors
/// No token can be obtained.
pub async fn run(_args: &Args, context: &Context<'_>) -> Result<Outcome> {
    let token = context.client()?.tokens().token(RequiredLifetime::ForExport).await?;
    let value = json!({"iamToken": token.value.expose_secret(), "expiresAt": token.expires_at});
    context.printer.print(Output::Bare { message: &CREATE_RESPONSE, value, field: "iam_token" }).await?;
    Ok(Outcome::default())
}
