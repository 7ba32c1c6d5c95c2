//! The IAM token that a credential comes to: from memory, from the cache, or from an exchange.

use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, OnceCell};

use super::cache::{Identity, Need, TokenCache};
use super::iam_token::{self, IamToken, Proof};
use super::key::ServiceAccountKey;
use super::workload_identity::WorkloadIdentity;
use super::{Credential, SignIn, Source, jwt, metadata, nothing_found, token_command, workload_identity};
use crate::endpoints::{Endpoints, Service};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::http::{Http, Response};
use crate::log::Log;
use crate::status::Code;
use crate::text::digest::fingerprint;

/// How long a token counts as obtained just now.
const JUST_NOW: TimeDelta = TimeDelta::seconds(60);

/// Gives the IAM token that calls are made with.
pub struct TokenSource<'a> {
    /// What to sign in with.
    pub sign_in: SignIn,
    /// The connections.
    pub http: Rc<Http>,
    /// Where the services are.
    pub endpoints: Rc<Endpoints>,
    /// Tokens of earlier runs.
    pub cache: TokenCache,
    /// The state of the process.
    pub env: &'a Env,
    /// Where secrets are to be kept out of.
    pub log: Log,
    /// The token of this run.
    pub token: Mutex<Option<Rc<IamToken>>>,
    /// The token of another system, which is asked for once in a run.
    pub subject_token: OnceCell<SecretString>,
}

impl TokenSource<'_> {
    /// A token that is good for the need, if one can be had: a server may give a token that ends earlier than asked.
    ///
    /// # Errors
    /// The credential is refused, or a service cannot be reached.
    pub async fn token(&self, need: Need) -> Result<Rc<IamToken>> {
        let mut kept = self.token.lock().await;
        let now = Utc::now();
        let good = |token: &&Rc<IamToken>| {
            // What was obtained just now is the best that can be had, whatever the need.
            token.expires_at.is_none() || need.is_met(token, now) || now - token.obtained_at < JUST_NOW
        };
        if let Some(token) = kept.as_ref().filter(good) {
            return Ok(token.clone());
        }
        // On the heap, since every call of every command waits for this.
        let token = Rc::new(Box::pin(self.acting_token(need)).await?);
        self.log.masks.add(&token.value);
        *kept = Some(token.clone());
        Ok(token)
    }

    /// Forgets a token that a server refused, if it came from the cache. Returns whether another one can be had.
    ///
    /// # Errors
    /// The token of another system, by which the account is known, cannot be had.
    pub async fn forget(&self, refused: &IamToken) -> Result<bool> {
        if refused.cached {
            self.discard(&refused.value).await?;
        }
        Ok(refused.cached)
    }

    /// Forgets a token, in memory and in the cache; another one that was kept since then stays.
    ///
    /// # Errors
    /// The token of another system, by which the account is known, cannot be had.
    pub async fn discard(&self, token: &SecretString) -> Result<()> {
        let mut kept = self.token.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.value.expose_secret() == token.expose_secret()) {
            *kept = None;
        }
        if let Some(base) = self.base_identity().await? {
            self.cache.forget(&base, token);
            if let Some(acting) = self.acting_identity(&base) {
                self.cache.forget(&acting, token);
            }
        }
        Ok(())
    }

    /// The token of the account that is to be impersonated, or else the credential's own.
    async fn acting_token(&self, need: Need) -> Result<IamToken> {
        let base = self.base_identity().await?;
        let Some(account) = &self.sign_in.impersonate else {
            return self.through_cache(base.as_ref(), need, async || self.base_token().await).await;
        };
        let acting = base.as_ref().and_then(|base| self.acting_identity(base));
        let impersonate = async || {
            let caller = || self.through_cache(base.as_ref(), Need::Calls, async || self.base_token().await);
            let own = caller().await?;
            match (self.impersonate(account, &own).await, &base) {
                // The own token was kept from an earlier run, and has been revoked since.
                (Err(error), Some(base)) if own.cached && error.code() == Some(Code::Unauthenticated) => {
                    self.cache.forget(base, &own.value);
                    self.impersonate(account, &caller().await?).await
                }
                (result, _) => result,
            }
        };
        self.through_cache(acting.as_ref(), need, impersonate).await
    }

    /// A token of the account, which is kept no longer than the token that it is had with.
    async fn impersonate(&self, account: &str, own: &IamToken) -> Result<IamToken> {
        let iam = self.endpoints.base(Service::Iam, &self.http).await?;
        let token = iam_token::create_for_service_account(&self.http, &iam, &own.value, account).await;
        let token = token.map_err(|error| {
            let error = error.context(format!("cannot act as the service account {account}"));
            match error.code() {
                Some(Code::PermissionDenied) => {
                    error.hint("this takes the role iam.serviceAccounts.tokenCreator on the account or on its folder")
                }
                Some(Code::Unauthenticated) => error.hint(self.sign_in.hint()),
                _ => error,
            }
        })?;
        Ok(IamToken { keep_until: own.keep_until, ..token })
    }

    /// A token from the cache, or a new one, which is then cached. Of all processes that need one at the same time, one
    /// gets it and the others wait.
    async fn through_cache(
        &self,
        identity: Option<&Identity>,
        need: Need,
        obtain: impl AsyncFn() -> Result<IamToken>,
    ) -> Result<IamToken> {
        let Some(identity) = identity else { return obtain().await };
        let asked_at = Utc::now();
        // A token that was obtained after we asked is as good as one that we would get ourselves.
        let good = |token: &IamToken| need.is_met(token, asked_at) || token.obtained_at >= asked_at;
        if let Some(token) = self.cache.load(identity, asked_at).filter(good) {
            return Ok(token);
        }
        let _lock = self.cache.lock(identity, &self.log).await?;
        if let Some(token) = self.cache.load(identity, Utc::now()).filter(good) {
            return Ok(token);
        }
        let token = obtain().await?;
        self.cache.store(identity, &token);
        Ok(token)
    }

    /// Who signs in and on what proof, told without asking any service. It names no secret.
    ///
    /// # Errors
    /// The token of another system is not there.
    pub fn name(&self) -> Result<String> {
        let name = self.own_name()?;
        Ok(match &self.sign_in.impersonate {
            Some(account) => format!("{account} impersonated by {name}"),
            None => name,
        })
    }

    fn own_name(&self) -> Result<String> {
        Ok(match &self.sign_in.credential {
            Credential::IamToken(token) => format!("IAM token {}", fingerprint(&[token.expose_secret()])),
            Credential::OauthToken(token) => format!("OAuth token {}", fingerprint(&[token.expose_secret()])),
            Credential::ServiceAccountKey(key) => {
                format!("key {} {} {}", key.id, key.service_account_id, key.fingerprint())
            }
            Credential::Metadata => {
                format!("instance service account of {}", metadata::url(self.env.var("YC_METADATA_ADDR")))
            }
            Credential::WorkloadIdentity(identity) => {
                format!("{} for {}", workload_identity::job(identity, self.env)?, identity.service_account_id)
            }
            Credential::TokenCommand(command) => format!("token-command {}", fingerprint(&[&format!("{command:?}")])),
        })
    }

    /// Who the credential's own token belongs to; `None` when it is not to be cached.
    async fn base_identity(&self) -> Result<Option<Identity>> {
        let (service, subject) = match &self.sign_in.credential {
            Credential::IamToken(_) if self.sign_in.impersonate.is_none() => return Ok(None),
            Credential::TokenCommand(_) => return Ok(None),
            Credential::IamToken(_) | Credential::OauthToken(_) | Credential::ServiceAccountKey(_) => {
                (Service::Iam, self.own_name()?)
            }
            Credential::Metadata => {
                let issuer = metadata::url(self.env.var("YC_METADATA_ADDR"));
                return Ok(Some(Identity { issuer, subject: self.own_name()? }));
            }
            Credential::WorkloadIdentity(identity) => {
                let token = self.subject_token(identity).await?;
                let Some((issuer, subject)) = workload_identity::issuer_and_subject(token) else { return Ok(None) };
                let account = &identity.service_account_id;
                (Service::Auth, format!("workload {issuer} {subject} for {account}"))
            }
        };
        Ok(Some(Identity { issuer: self.endpoints.base(service, &self.http).await?, subject }))
    }

    fn acting_identity(&self, base: &Identity) -> Option<Identity> {
        let account = self.sign_in.impersonate.as_ref()?;
        Some(Identity { issuer: base.issuer.clone(), subject: format!("{account} impersonated by {}", base.subject) })
    }

    /// The token that the credential itself comes to.
    async fn base_token(&self) -> Result<IamToken> {
        let now = Utc::now();
        let token = match &self.sign_in.credential {
            Credential::IamToken(token) => return Ok(IamToken::given(token.clone(), now)),
            Credential::Metadata => return self.ask_metadata(now).await,
            Credential::OauthToken(token) => self.exchange_oauth_token(token).await,
            Credential::ServiceAccountKey(key) => self.exchange_key(key, now).await,
            Credential::WorkloadIdentity(identity) => {
                let subject = self.subject_token(identity).await?;
                let auth = self.endpoints.base(Service::Auth, &self.http).await?;
                workload_identity::exchange(identity, subject, &self.http, &auth).await
            }
            Credential::TokenCommand(command) => self.run_command(command, now).await,
        };
        token.map_err(|error| {
            let error = error.context(format!("cannot get an IAM token with {}", self.sign_in.source));
            match error.kind() {
                Kind::Refused { .. } => error.hint(self.sign_in.hint()),
                _ => error,
            }
        })
    }

    async fn subject_token(&self, identity: &WorkloadIdentity) -> Result<&SecretString> {
        let ask = async || {
            let token = workload_identity::subject_token(identity, &self.http, self.env).await?;
            self.log.masks.add(&token);
            Ok(token)
        };
        self.subject_token.get_or_try_init(ask).await
    }

    async fn exchange_oauth_token(&self, token: &SecretString) -> Result<IamToken> {
        let iam = self.endpoints.base(Service::Iam, &self.http).await?;
        iam_token::read(iam_token::create(&self.http, &iam, &Proof::OauthToken(token)).await?)
    }

    /// A JWT is refused when our clock is wrong; then it is made once more with the server's time.
    async fn exchange_key(&self, key: &ServiceAccountKey, now: DateTime<Utc>) -> Result<IamToken> {
        let answer = self.exchange_jwt(key, now).await?;
        match answer.corrected_time(&[401], now) {
            Some(time) => {
                self.log.note("the clock of this machine differs from the server's; the server's time is used");
                iam_token::read(self.exchange_jwt(key, time).await?)
            }
            None => iam_token::read(answer),
        }
    }

    async fn exchange_jwt(&self, key: &ServiceAccountKey, now: DateTime<Utc>) -> Result<Response> {
        let audience = self.endpoints.token_audience(&self.http).await?;
        let jwt = jwt::sign(key, &audience, now)?;
        self.log.masks.add(&jwt);
        let iam = self.endpoints.base(Service::Iam, &self.http).await?;
        iam_token::create(&self.http, &iam, &Proof::Jwt(&jwt)).await
    }

    async fn run_command(&self, command: &[String], now: DateTime<Utc>) -> Result<IamToken> {
        let token = SecretString::from(token_command::run(command, &self.env.vars).await?);
        self.log.masks.add(&token);
        let wrong = |rule| Error::no_credentials(format!("what token-command '{}' prints {rule}", command[0]));
        match super::classify(token.expose_secret()).map_err(wrong)? {
            Credential::IamToken(token) => Ok(IamToken::given(token, now)),
            _ => self.exchange_oauth_token(&token).await,
        }
    }

    async fn ask_metadata(&self, now: DateTime<Utc>) -> Result<IamToken> {
        let url = metadata::url(self.env.var("YC_METADATA_ADDR"));
        let direct = self.http.direct(metadata::CONNECT_TIMEOUT, metadata::READ_TIMEOUT);
        metadata::token(&direct, &url, now).await.map_err(|error| match &self.sign_in.source {
            Source::Machine { tried } => nothing_found(tried, &error),
            _ => error.context("cannot get an IAM token from the metadata service").replace_hint(
                "check that this is a machine of the cloud with a service account attached, or use another credential",
            ),
        })
    }
}
