//! The IAM token of a run: from memory, from the cache, or obtained with the credential.

use std::rc::Rc;

use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::credential::Services;
use super::iam_token::{self, IamToken};
use super::sign_in::SignIn;
use super::token_cache::{Identity, RequiredLifetime, TokenCache};
use crate::endpoints::{Endpoints, Service};
use crate::env::Env;
use crate::error::Result;
use crate::http::{Http, Response};
use crate::log::Log;
use crate::status::Code;

/// How long after it was obtained a token counts as new.
const NEW: TimeDelta = TimeDelta::seconds(60);

/// Gives the IAM token that calls are made with.
pub struct TokenSource<'a> {
    /// The credential.
    pub sign_in: SignIn,
    /// The connections.
    pub http: Rc<Http>,
    /// Where the services are.
    pub endpoints: Rc<Endpoints>,
    cache: TokenCache,
    env: &'a Env,
    log: Log,
    /// The token of this run.
    token: Mutex<Option<Rc<IamToken>>>,
}

impl<'a> TokenSource<'a> {
    /// A source that obtains tokens with this credential when they are needed.
    pub fn new(
        sign_in: SignIn,
        http: Rc<Http>,
        endpoints: Rc<Endpoints>,
        cache: TokenCache,
        env: &'a Env,
        log: Log,
    ) -> Self {
        Self { sign_in, http, endpoints, cache, env, log, token: Mutex::default() }
    }

    /// A token of the required lifetime, if one can be had: a server may give a token that expires earlier.
    ///
    /// # Errors
    /// The credential is refused, or a service cannot be reached.
    pub async fn token(&self, required: RequiredLifetime) -> Result<Rc<IamToken>> {
        let mut current = self.token.lock().await;
        let now = Utc::now();
        let is_usable = |token: &&Rc<IamToken>| {
            // A new token is the best that can be had, whatever is required.
            token.expires_at.is_none() || required.is_met(token, now) || now - token.obtained_at < NEW
        };
        if let Some(token) = current.as_ref().filter(is_usable) {
            return Ok(token.clone());
        }
        // On the heap, since every call of every command waits for this.
        let token = Rc::new(Box::pin(self.acting_token(required)).await?);
        self.log.masks.add(&token.value);
        *current = Some(token.clone());
        Ok(token)
    }

    /// Sends something with a token. When the server responds 401 to a cached token, which was then revoked since it was
    /// cached, that token is dropped and the request sent once more with a new one. Returns the token of the response.
    ///
    /// # Errors
    /// The credential is refused, or a service cannot be reached.
    pub async fn send_authenticated(
        &self,
        send: impl AsyncFn(&IamToken) -> Result<Response>,
    ) -> Result<(Rc<IamToken>, Response)> {
        let token = self.token(RequiredLifetime::ForCalls).await?;
        let response = send(&token).await?;
        if !response.refuses_token() || !token.cached {
            return Ok((token, response));
        }
        self.discard(&token.value).await?;
        let token = self.token(RequiredLifetime::ForCalls).await?;
        let response = send(&token).await?;
        Ok((token, response))
    }

    /// Removes a token from memory and from the cache; another one that was cached since then stays.
    ///
    /// # Errors
    /// The identity that the token is cached under depends on the token of another provider, which cannot be obtained.
    pub async fn discard(&self, token: &SecretString) -> Result<()> {
        let mut current = self.token.lock().await;
        if current.as_ref().is_some_and(|current| current.value.expose_secret() == token.expose_secret()) {
            *current = None;
        }
        if let Some(own) = self.own_identity().await? {
            self.cache.forget(&own, token);
            if let Some(acting) = self.acting_identity(&own) {
                self.cache.forget(&acting, token);
            }
        }
        Ok(())
    }

    /// A name for whoever authenticates and by what, found without asking any service. It holds no secret.
    ///
    /// # Errors
    /// The name depends on the token of another identity provider, which cannot be read.
    pub fn name(&self) -> Result<String> {
        let name = self.sign_in.credential.name(self.env)?;
        Ok(match &self.sign_in.impersonate {
            Some(account) => format!("{account} impersonated by {name}"),
            None => name,
        })
    }

    /// A token of the account that is impersonated, or else the credential's own.
    async fn acting_token(&self, required: RequiredLifetime) -> Result<IamToken> {
        let own = self.own_identity().await?;
        let Some(account) = &self.sign_in.impersonate else {
            return self.through_cache(own.as_ref(), required, async || self.obtain().await).await;
        };
        let acting = own.as_ref().and_then(|own| self.acting_identity(own));
        let impersonate = async || {
            let own_token =
                || self.through_cache(own.as_ref(), RequiredLifetime::ForCalls, async || self.obtain().await);
            let caller = own_token().await?;
            match (self.impersonate(account, &caller).await, &own) {
                // The own token was revoked since it was cached.
                (Err(error), Some(own)) if caller.cached && error.code() == Some(Code::Unauthenticated) => {
                    self.cache.forget(own, &caller.value);
                    self.impersonate(account, &own_token().await?).await
                }
                (result, _) => result,
            }
        };
        self.through_cache(acting.as_ref(), required, impersonate).await
    }

    /// A token of the account, which is cached no longer than the token that it is obtained with.
    async fn impersonate(&self, account: &str, caller: &IamToken) -> Result<IamToken> {
        let iam = self.endpoints.base(Service::Iam, &self.http).await?;
        let token = iam_token::create_for_service_account(&self.http, &iam, &caller.value, account).await;
        let token = token.map_err(|error| {
            let error = error.context(format!("cannot act as the service account {account}"));
            match error.code() {
                Some(Code::PermissionDenied) => error.hint(format!(
                    "{} needs the role iam.serviceAccounts.tokenCreator on the service account {account} or on its folder",
                    self.sign_in.own_subject()
                )),
                Some(Code::Unauthenticated) => error.hint(self.sign_in.hint()),
                _ => error,
            }
        })?;
        Ok(IamToken { cache_until: caller.cache_until, ..token })
    }

    /// A token from the cache, or a new one, which is then cached. Of all processes that need one at the same time, one
    /// obtains it and the others wait.
    async fn through_cache(
        &self,
        identity: Option<&Identity>,
        required: RequiredLifetime,
        obtain: impl AsyncFn() -> Result<IamToken>,
    ) -> Result<IamToken> {
        let Some(identity) = identity else { return obtain().await };
        let started_at = Utc::now();
        // A token that another process has obtained meanwhile is as good as one that this process would obtain.
        let is_usable = |token: &IamToken| required.is_met(token, started_at) || token.obtained_at >= started_at;
        if let Some(token) = self.cache.load(identity, started_at).filter(is_usable) {
            return Ok(token);
        }
        let _lock = self.cache.lock(identity, &self.log).await?;
        if let Some(token) = self.cache.load(identity, Utc::now()).filter(is_usable) {
            return Ok(token);
        }
        let token = obtain().await?;
        self.cache.store(identity, &token);
        Ok(token)
    }

    /// What the credential's own token is cached under; `None` when it is not cached.
    async fn own_identity(&self) -> Result<Option<Identity>> {
        if self.sign_in.credential.is_iam_token() && self.sign_in.impersonate.is_none() {
            return Ok(None);
        }
        self.sign_in.credential.identity(self.services()).await
    }

    /// What the token of the impersonated account is cached under.
    fn acting_identity(&self, own: &Identity) -> Option<Identity> {
        let account = self.sign_in.impersonate.as_ref()?;
        Some(Identity { issuer: own.issuer.clone(), subject: format!("{account} impersonated by {}", own.subject) })
    }

    /// A new token of the credential's own.
    async fn obtain(&self) -> Result<IamToken> {
        let SignIn { credential, source, .. } = &self.sign_in;
        let token = credential.obtain(self.services(), Utc::now()).await;
        token.map_err(|error| credential.explain(error, source))
    }

    fn services(&self) -> Services<'_> {
        Services { http: &self.http, endpoints: &self.endpoints, env: self.env, log: &self.log }
    }
}
