//! `iam access-key exec --refresh`: the command is a child, and gets a key that is renewed from an endpoint of this process.

use std::net::Ipv4Addr;
use std::pin::pin;
use std::process::Command;

use futures_util::future::{Either, select};

use super::not_started;
use crate::commands::Outcome;
use crate::context::Context;
use crate::credentials::endpoint::Endpoint;
use crate::credentials::{Storage, environment};
use crate::error::{Error, Result};
use crate::http::loopback::Loopback;
use crate::keys::issue::KeyRequest;
use crate::keys::min_ttl::MinTtl;
use crate::keys::refresh::{self, RenewedKey};
use crate::process::child::{Child, Ended, Signals, end_by};
use crate::secret;

/// Issues the first key, runs the command, and ends as the command does.
///
/// # Errors
/// No key can be had, or the command cannot be run.
pub(super) async fn run(
    mut command: Command,
    request: &KeyRequest,
    min_ttl: MinTtl,
    storage: &Storage,
    context: &Context<'_>,
) -> Result<Outcome> {
    let signals = Signals::listen(|signal| context.env.ignored.contains(signal))
        .map_err(|error| Error::internal(format!("cannot listen for signals: {error}")))?;
    let loopback = Loopback::bind((Ipv4Addr::LOCALHOST, 0).into())
        .await
        .map_err(|error| Error::internal(format!("cannot listen on 127.0.0.1: {error}")))?;
    let token = secret::random().map_err(Error::internal)?;
    context.mask_secrets([&token]);
    let endpoint = Endpoint::new(loopback.address(), token);
    environment::set_endpoint(&mut command, &endpoint, storage, context.env);
    let issue = async || refresh::issue(request, min_ttl, context).await;
    let key = RenewedKey::issue_first(issue, min_ttl, context.flags.timeout, context.log.clone()).await?;
    refresh::note_lifetime(request, min_ttl, &key.current(), &context.log);
    context.handle_interruptions();
    let program = command.get_program().to_owned();
    let child = Child::start(command, signals).map_err(|error| not_started(&program, &error))?;
    let ended = match select(pin!(child.wait()), pin!(refresh::serve(&loopback, &endpoint, &key))).await {
        Either::Left((ended, _)) => ended,
        Either::Right((never, _)) => match never {},
    };
    let ended = ended.map_err(|error| Error::internal(format!("cannot wait for the command: {error}")))?;
    // Whoever sees the end of this process finds nothing listening.
    drop(loopback);
    let status = match ended {
        Ended::Exited(status) => status,
        Ended::Killed(signal) => end_by(signal),
    };
    Ok(Outcome { status, ..Outcome::default() })
}
