//! `iam revoke-token`

use secrecy::{ExposeSecret, SecretString};

use crate::auth;
use crate::auth::cache::Need;
use crate::auth::iam_token::{self, IamToken, REVOKE_RESPONSE};
use crate::commands::Outcome;
use crate::config::settings;
use crate::context::Context;
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::status::Code;

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
        Some(token) if token.expose_secret() == "-" => Some(context.read_input("-", "--iam-token").await?.into()),
        token => token.clone(),
    };
    let given = given.map(|token| auth::sendable(token.expose_secret())).transpose();
    let given = given.map_err(|rule| Error::usage(format!("--iam-token {rule}")))?;
    if let Some(token) = &given {
        context.log.masks.add(token);
    }

    let tokens = client.tokens();
    let iam = tokens.endpoints.base(Service::Iam, &tokens.http).await?;
    let chosen = |current: &IamToken| given.clone().unwrap_or_else(|| current.value.clone());
    let revoke =
        async |current: &IamToken| iam_token::revoke(&tokens.http, &iam, &current.value, &chosen(current)).await;
    let mut current = tokens.token(Need::Calls).await?;
    let mut answer = revoke(&current).await;
    let refused = matches!(&answer, Err(error) if error.code() == Some(Code::Unauthenticated));
    if refused && tokens.forget(&current).await? {
        current = tokens.token(Need::Calls).await?;
        answer = revoke(&current).await;
    }
    let value = answer.map_err(|error| client.explain(error).context("cannot revoke the IAM token"))?;
    tokens.discard(&chosen(&current)).await?;
    context.printer.print(Output::Object { message: &REVOKE_RESPONSE, value }).await?;
    Ok(Outcome::default())
}
