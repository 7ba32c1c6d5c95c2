//! `logout`: ends the session that `login` began.

use chrono::Utc;
use secrecy::SecretString;
use uuid::Uuid;

use super::Outcome;
use crate::api::refresh_token;
use crate::auth::browser::{BrowserSession, PROFILE_KEY, RenewalError, request_tokens, session_id};
use crate::auth::credential::{Credential, Services};
use crate::auth::iam_token::{self, Caller};
use crate::auth::session::{Session, SessionFile};
use crate::auth::sign_in;
use crate::auth::token_cache::{RequiredLifetime, TokenCache};
use crate::config::edit;
use crate::config::settings::{GlobalFlags, Settings};
use crate::context::Context;
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::new_idempotency_key;
use crate::status::{Code, Status};
use crate::store;

/// End the session of login (experimental)
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Ends the session: its files go from this machine, and then its refresh token and its IAM token are revoked.
///
/// # Errors
/// There is no session, or something could not be revoked; the local files are gone all the same, unless another
/// authentication service is in force than that of the session.
pub async fn run(context: &Context<'_>) -> Result<Outcome> {
    let profile = &context.settings.profile;
    let id = profile.table(PROFILE_KEY)?.and_then(session_id).map(str::to_owned);
    let (Some(id), Some(name)) = (id, profile.name.clone()) else {
        let message = format!("{} has no session", profile.title());
        let status = Status { code: Code::NotFound, message, details: Vec::new() };
        return Err(Error::refused(None, status).hint("to begin one, type: yc-rs login"));
    };
    if context.flags.no_verify_ssl == Some(true) {
        return Err(Error::usage("logout does not take --no-verify-ssl: any server could get the refresh token")
            .hint("give the certificate of the server's authority: --ca-bundle FILE"));
    }
    // What was cached before is removed also where nothing is cached now.
    let mut env = context.env.clone();
    env.vars.remove("YC_RS_NO_CACHE");
    let cache = TokenCache::new(store::directory(&env).as_deref());
    let mut problems = Vec::new();
    let mut keep = |result: Result<()>| problems.extend(result.err());

    let file = SessionFile::of(&id, &env);
    if let Err(error) = &file
        && Uuid::try_parse(&id).is_ok()
    {
        // The session is there, and no profile would name it any more.
        return Err(error.clone());
    }
    // Without the lock what can be removed goes all the same.
    let lock = match &file {
        Ok(file) => Some(file.lock(&context.log).await),
        Err(_) => None,
    };
    let session = file.as_ref().map_or(Ok(None), SessionFile::read);
    if let Ok(Some(session)) = &session {
        // Where the service in force is not known, nothing can be revoked either.
        let auth = match context.endpoints() {
            Ok(endpoints) => endpoints.base(Service::Auth, &context.http()).await.ok(),
            Err(_) => None,
        };
        auth.map_or(Ok(()), |auth| session.check_service(&auth))?;
    }
    let cached = cache.take(&BrowserSession::new(&id).name(&env)?);
    let cached = cached.filter(|token| RequiredLifetime::ForCalls.is_met(token, Utc::now()));
    let removed = match file {
        Ok(file) => file.remove(),
        Err(error) => Err(error),
    };
    let updated = edit::update(context.env, &context.log, |document| document.unset(&name, &[PROFILE_KEY])).await;
    drop(lock);
    let (mut session, unreadable) = match session {
        Ok(session) => (session, Ok(())),
        Err(error) => (None, Err(error)),
    };
    keep(Box::pin(revoke(&mut session, cached.map(|token| token.value), context)).await);
    [removed, updated.map(drop), unreadable].into_iter().for_each(keep);
    match problems.into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok(Outcome::default()),
    }
}

/// Revokes what the session has on the server: with its IAM token, or with a new one where that is no longer valid.
async fn revoke(session: &mut Option<Session>, cached: Option<SecretString>, context: &Context<'_>) -> Result<()> {
    let about = |error: Error| error.context("the session could not be revoked on the server");
    let was_cached = cached.is_some();
    let token = match cached {
        Some(token) => Some(token),
        None => renew(session, context).await.map_err(about)?,
    };
    let Some(token) = token else { return Ok(()) };
    let refresh_token = |session: &Option<Session>| session.as_ref()?.refresh_token.clone();
    match revoke_with(&token, refresh_token(session), context).await {
        Err(error) if was_cached && error.code() == Some(Code::Unauthenticated) => {
            // The token was revoked since it was cached; with a new one comes a new refresh token.
            match renew(session, context).await.map_err(about)? {
                Some(token) => revoke_with(&token, refresh_token(session), context).await.map_err(about),
                None => Ok(()),
            }
        }
        result => result.map_err(about),
    }
}

/// A new IAM token of the session; `None` when the session has ended, so that there is nothing to revoke.
async fn renew(session: &mut Option<Session>, context: &Context<'_>) -> Result<Option<SecretString>> {
    let Some(session) = session else { return Ok(None) };
    let (http, endpoints) = (context.http(), context.endpoints()?);
    let services = Services { http: &http, endpoints: &endpoints, env: context.env, log: &context.log };
    match request_tokens(session, services).await {
        Ok(tokens) => {
            session.refresh_token = tokens.refresh.or(session.refresh_token.take());
            Ok(Some(tokens.access?.value))
        }
        Err(RenewalError::Ended(_)) => Ok(None),
        Err(RenewalError::Failed(error)) => Err(error),
    }
}

/// Revokes the refresh token, and then the IAM token, whatever became of the former.
async fn revoke_with(token: &SecretString, refresh_token: Option<SecretString>, context: &Context<'_>) -> Result<()> {
    context.log.masks.add(token);
    // Only the session counts, whatever flags and variables say of who acts.
    let env = sign_in::without_env_credentials(context.env);
    let flags = GlobalFlags { token: Some(token.clone()), ..context.flags.clone() };
    let settings = Settings { impersonate: None, ..context.settings.clone() };
    let own = Context::new(&env, &flags, settings, context.log.clone(), context.printer.clone());
    let client = own.client()?;
    let revoked = async {
        let Some(refresh_token) = &refresh_token else { return Ok(()) };
        own.log.masks.add(refresh_token);
        let operation = refresh_token::revoke(client, refresh_token).await?;
        match own.wait_for(operation, None).await {
            // With the refresh token its IAM tokens can be revoked, too: nobody can ask any more.
            Err(error) if error.code() == Some(Code::Unauthenticated) => Ok(()),
            result => result.map(drop),
        }
    };
    let revoked = revoked.await;
    if revoked.as_ref().is_err_and(|error| error.code() == Some(Code::Unauthenticated)) {
        return revoked;
    }
    let iam = own.endpoints()?.base(Service::Iam, &own.http()).await?;
    let idempotency_key = new_idempotency_key();
    let caller = Caller { token, idempotency_key: &idempotency_key };
    let response = iam_token::revoke(&own.http(), &iam, &caller, token).await;
    let result = response.and_then(|response| response.into_json().map(drop));
    // The refresh token may have taken its IAM tokens with it.
    let is_gone =
        refresh_token.is_some() && result.as_ref().is_err_and(|error| error.code() == Some(Code::Unauthenticated));
    revoked.and(if is_gone { Ok(()) } else { result })
}
