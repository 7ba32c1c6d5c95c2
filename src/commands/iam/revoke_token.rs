//! `iam revoke-token`

use secrecy::{ExposeSecret, SecretString};

use crate::auth::iam_token::{self, Caller, IamToken, REVOKE_RESPONSE};
use crate::auth::token;
use crate::commands::Outcome;
use crate::config::settings::parse_secret;
use crate::context::Context;
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::new_idempotency_key;
use crate::output::Output;

/// Revoke an IAM token
#[derive(Debug, clap::Args)]
pub struct Args {
    /// IAM token to revoke; `-` reads it from standard input [default: the one in use]
    #[arg(long, value_name = "TOKEN", value_parser = parse_secret)]
    iam_token: Option<SecretString>,
}

/// Revokes a token, and removes it from the cache.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    let client = context.client()?;
    let given = match &args.iam_token {
        Some(token) if token.expose_secret() == "-" => Some(context.read_secret("-", "--iam-token").await?.into()),
        token => token.clone(),
    };
    let given = given.map(|token| token::one_token(token.expose_secret())).transpose();
    let given = given.map_err(|rule| Error::usage(format!("--iam-token {rule}")))?;
    if let Some(token) = &given {
        context.log.masks.add(token);
    }

    let tokens = client.tokens();
    let revoked = |current: &IamToken| given.clone().unwrap_or_else(|| current.value.clone());
    let idempotency_key = new_idempotency_key();
    let revoke = async |current: &IamToken| {
        let iam = tokens.endpoints.base(Service::Iam, &tokens.http).await?;
        let caller = Caller { token: &current.value, idempotency_key: &idempotency_key };
        iam_token::revoke(&tokens.http, &iam, &caller, &revoked(current)).await
    };
    let about = |error: Error| error.context("cannot revoke the IAM token");
    let (current, response) = tokens.send_authenticated(revoke).await.map_err(about)?;
    let value = response.into_json().map_err(|error| about(client.explain(error, None)))?;
    tokens.discard(&revoked(&current)).await?;
    context.printer.print(Output::Object { message: &REVOKE_RESPONSE, value }).await?;
    Ok(Outcome::default())
}
