//! `iam revoke-token`

use secrecy::{ExposeSecret, SecretString};

use crate::auth::cache::Need;
use crate::auth::iam_token::{self, REVOKE_RESPONSE};
use crate::commands::Outcome;
use crate::context::Context;
use crate::endpoints::Service;
use crate::error::Result;
use crate::output::Output;
use crate::settings;

/// Revoke an IAM token
#[derive(Debug, clap::Args)]
pub struct Args {
    /// IAM token to revoke; `-` reads it from standard input [default: the one in use]
    #[arg(long, value_name = "TOKEN", value_parser = settings::secret)]
    iam_token: Option<SecretString>,
}

/// Revokes a token, and forgets it if it is cached.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    let client = context.client()?;
    let given = match &args.iam_token {
        Some(token) if token.expose_secret() == "-" => {
            Some(SecretString::from(context.read_input("-", "--iam-token")?.trim()))
        }
        token => token.clone(),
    };
    let tokens = client.tokens();
    let current = tokens.token(Need::Calls).await?;
    let token = given.as_ref().unwrap_or(&current.value);
    context.log.masks.add(token);
    let iam = tokens.endpoints.base(Service::Iam, &tokens.http).await?;
    let value = iam_token::revoke(&tokens.http, &iam, &current.value, token)
        .await
        .map_err(|error| client.explain(error).context("cannot revoke the IAM token"))?;
    tokens.discard(token).await?;
    Ok(Output::Object { message: &REVOKE_RESPONSE, value }.into())
}
