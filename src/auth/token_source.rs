//! The IAM token of a run: from memory, from the cache, or obtained with the credential.

use std::cell::RefCell;
use std::rc::Rc;

use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::credential::Services;
use super::iam_token::{self, Caller, IamToken};
use super::sign_in::SignIn;
use super::token_cache::{Identity, RequiredLifetime, TokenCache};
use super::userinfo::{self, Userinfo};
use crate::endpoints::{Endpoints, Service};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::http::{Http, Response, new_idempotency_key};
use crate::lock::share_failure;
use crate::log::Log;
use crate::status::Code;
use crate::store::Level;

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
    /// The credential's own token, of this run.
    own: Mutex<Option<Rc<IamToken>>>,
    /// The token of the account that is impersonated, of this run.
    acting: Mutex<Option<Rc<IamToken>>>,
    /// The token that the server was last asked about, and the subject that it was issued to, if the server says.
    subject: RefCell<Option<(Rc<IamToken>, Option<String>)>>,
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
        let (own, acting, subject) = (Mutex::default(), Mutex::default(), RefCell::default());
        Self { sign_in, http, endpoints, cache, env, log, own, acting, subject }
    }

    /// A token of the required lifetime, if one can be had: a server may give a token that expires earlier.
    ///
    /// # Errors
    /// The credential is refused, or a service cannot be reached.
    pub async fn token(&self, required: RequiredLifetime) -> Result<Rc<IamToken>> {
        let Some(account) = &self.sign_in.impersonate else { return self.own_token(required).await };
        // On the heap, since every call of every command waits for this.
        self.through_memory(&self.acting, required, || Box::pin(self.acting_token(account, required))).await
    }

    /// Makes do with a token that is given or cached, so that no credential is exchanged, and none is executed. Returns
    /// whether there is one.
    ///
    /// # Errors
    /// What the cached token is found by cannot be had.
    pub async fn use_token_at_hand(&self) -> Result<bool> {
        if self.sign_in.credential.is_iam_token() && self.sign_in.impersonate.is_none() {
            return Ok(true);
        }
        let own = self.own_identity().await?;
        let (identity, memory) = match &self.sign_in.impersonate {
            Some(_) => (own.as_ref().and_then(|own| self.acting_identity(own)), &self.acting),
            None => (own, &self.own),
        };
        let now = Utc::now();
        let cached = identity.and_then(|identity| self.cache.load(&identity, now));
        let Some(token) = cached.filter(|token| RequiredLifetime::ForCalls.is_met(token, now)) else {
            return Ok(false);
        };
        self.log.masks.add(&token.value);
        // One that the server refuses would be replaced by a new one.
        *memory.lock().await = Some(Rc::new(IamToken { cached: false, ..token }));
        Ok(true)
    }

    /// The credential's own token.
    async fn own_token(&self, required: RequiredLifetime) -> Result<Rc<IamToken>> {
        let obtain = || {
            Box::pin(async move {
                let own = self.own_identity().await?;
                self.through_cache(own.as_ref(), Level::Inner, required, async || self.obtain().await).await
            })
        };
        self.through_memory(&self.own, required, obtain).await
    }

    /// The token of this run, or a new one, which then is the token of this run.
    async fn through_memory<F: Future<Output = Result<IamToken>>>(
        &self,
        memory: &Mutex<Option<Rc<IamToken>>>,
        required: RequiredLifetime,
        obtain: impl FnOnce() -> F,
    ) -> Result<Rc<IamToken>> {
        let mut current = memory.lock().await;
        let now = Utc::now();
        // A new token is the best that can be had, whatever is required.
        let is_usable =
            |token: &&Rc<IamToken>| token.expires_at.is_none() || required.is_met(token, now) || token.is_new(now);
        if let Some(token) = current.as_ref().filter(is_usable) {
            return Ok(token.clone());
        }
        let token = Rc::new(obtain().await?);
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
        forget(&self.acting, token).await;
        let own = self.own_identity().await?;
        self.discard_own(token, own.as_ref()).await;
        if let Some(acting) = own.as_ref().and_then(|own| self.acting_identity(own)) {
            self.cache.forget(&acting, token);
        }
        Ok(())
    }

    /// Removes a token of the credential's own.
    async fn discard_own(&self, token: &SecretString, own: Option<&Identity>) {
        forget(&self.own, token).await;
        if let Some(own) = own {
            self.cache.forget(own, token);
        }
    }

    /// Checks a token that is to be used outside of this program: one that has expired must not be taken for a new one. The
    /// server is asked about one that does not tell when it expires; one that does comes from the server or is still
    /// valid.
    ///
    /// # Errors
    /// The server refuses the token. A server that is not reached does not count.
    pub async fn check_valid(&self, token: &IamToken) -> Result<()> {
        if token.expires_at.is_some() {
            return Ok(());
        }
        match userinfo::look_up(&token.value, self.services()).await {
            Userinfo::Refused(error) => Err(self.not_valid(error)),
            Userinfo::Subject(_) | Userinfo::Unknown(_) => Ok(()),
        }
    }

    fn not_valid(&self, error: Error) -> Error {
        let source = &self.sign_in.source;
        error.context(format!("the IAM token of {source} is not valid")).hint(self.sign_in.hint())
    }

    /// The ID of the subject that calls are made as: the one that the configuration names, or else that of the token.
    ///
    /// # Errors
    /// The credential is refused, or the server does not say.
    pub async fn subject_id(&self) -> Result<String> {
        if let Some(id) = self.sign_in.subject_id() {
            return Ok(id.to_owned());
        }
        let token = self.token(RequiredLifetime::ForCalls).await?;
        let source = &self.sign_in.source;
        match userinfo::look_up(&token.value, self.services()).await {
            Userinfo::Subject(id) => Ok(id),
            Userinfo::Refused(error) => Err(self.not_valid(error)),
            // Another credential would not make the certificate trusted.
            Userinfo::Unknown(error) if matches!(error.kind(), Kind::Untrusted) => {
                Err(error.context(format!("cannot find out the subject of {source}")))
            }
            Userinfo::Unknown(error) => Err(Error::new(
                Kind::Unknown,
                format!("{source} does not name its subject, and the authentication service does not tell it: {error}"),
            )
            .hint("use the key of a service account, workload identity or impersonation, which name their subject")),
        }
    }

    /// Whoever authenticates, and by what: what keys that are issued with the credential are cached under. It holds no
    /// secret. A credential that names no subject, and may be another account's at any time, is named by the subject of
    /// its token; `None` when the server does not say who that is, so that no key is cached.
    ///
    /// # Errors
    /// The name depends on the token of another identity provider, which cannot be read; or no token can be obtained to
    /// find the subject.
    pub async fn key_identity(&self) -> Result<Option<String>> {
        let credential = &self.sign_in.credential;
        let mut name = credential.name(self.env)?;
        if credential.may_change_subject() {
            let Some(subject) = self.own_subject().await? else { return Ok(None) };
            name = format!("{subject} by {name}");
        }
        Ok(Some(match &self.sign_in.impersonate {
            Some(account) => format!("{account} impersonated by {name}"),
            None => name,
        }))
    }

    /// The ID of the subject that the credential's own token was issued to, for which the server is asked once for each
    /// token that is obtained; `None` when it does not say.
    async fn own_subject(&self) -> Result<Option<String>> {
        let mut token = self.own_token(RequiredLifetime::ForCalls).await?;
        if let Some((_, subject)) = self.subject.borrow().as_ref().filter(|(known, _)| Rc::ptr_eq(known, &token)) {
            return Ok(subject.clone());
        }
        let mut subject = token.subject_id.clone();
        if subject.is_none() {
            let mut userinfo = userinfo::look_up(&token.value, self.services()).await;
            if matches!(userinfo, Userinfo::Refused(_)) && token.cached {
                self.discard(&token.value).await?;
                token = self.own_token(RequiredLifetime::ForCalls).await?;
                userinfo = userinfo::look_up(&token.value, self.services()).await;
            }
            if let Userinfo::Subject(id) = userinfo {
                if let Some(own) = self.own_identity().await? {
                    self.cache.set_subject(&own, &token.value, &id);
                }
                subject = Some(id);
            }
        }
        *self.subject.borrow_mut() = Some((token, subject.clone()));
        Ok(subject)
    }

    /// A token of the account that is impersonated.
    async fn acting_token(&self, account: &str, required: RequiredLifetime) -> Result<IamToken> {
        let own = self.own_identity().await?;
        let acting = own.as_ref().and_then(|own| self.acting_identity(own));
        let idempotency_key = new_idempotency_key();
        let impersonate = async || {
            let caller = self.own_token(RequiredLifetime::ForCalls).await?;
            match self.impersonate(account, &caller, &idempotency_key).await {
                // The own token was revoked since it was cached.
                Err(error) if caller.cached && error.code() == Some(Code::Unauthenticated) => {
                    self.discard_own(&caller.value, own.as_ref()).await;
                    let caller = self.own_token(RequiredLifetime::ForCalls).await?;
                    self.impersonate(account, &caller, &idempotency_key).await
                }
                result => result,
            }
        };
        self.through_cache(acting.as_ref(), Level::Outer, required, impersonate).await
    }

    /// A token of the account, which is cached no longer than the token that it is obtained with.
    async fn impersonate(&self, account: &str, caller: &IamToken, idempotency_key: &str) -> Result<IamToken> {
        let iam = self.endpoints.base(Service::Iam, &self.http).await?;
        let by = Caller { token: &caller.value, idempotency_key };
        let token = iam_token::create_for_service_account(&self.http, &iam, &by, account).await;
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
        level: Level,
        required: RequiredLifetime,
        obtain: impl AsyncFn() -> Result<IamToken>,
    ) -> Result<IamToken> {
        let Some(identity) = identity else { return obtain().await };
        let started_at = Utc::now();
        // A token that another process has obtained meanwhile is as good as one that this process would obtain.
        let is_usable = |token: &IamToken| {
            required.is_met(token, started_at) || (token.lifetime.received_at >= started_at && token.is_new(Utc::now()))
        };
        if let Some(token) = self.cache.load(identity, started_at).filter(is_usable) {
            return Ok(token);
        }
        let mut lock = self.cache.lock(identity, level, &self.log).await?;
        if let Some(token) = self.cache.load(identity, Utc::now()).filter(is_usable) {
            return Ok(token);
        }
        // On the heap, since several futures would hold it.
        let token = share_failure(&mut lock, Box::pin(obtain())).await?;
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
        token.map_err(|error| credential.explain(error, source).hint("to check the set-up, type: yc-rs doctor"))
    }

    fn services(&self) -> Services<'_> {
        Services { http: &self.http, endpoints: &self.endpoints, env: self.env, log: &self.log }
    }
}

/// Removes this token from memory.
async fn forget(memory: &Mutex<Option<Rc<IamToken>>>, token: &SecretString) {
    let mut current = memory.lock().await;
    if current.as_ref().is_some_and(|current| current.value.expose_secret() == token.expose_secret()) {
        *current = None;
    }
}
