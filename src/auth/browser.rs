//! A person's sign-in through a browser: an authorization code with PKCE, and the refresh token that it brings.
//!
//! Source: yandex-cloud/docs, `en/cli/operations/authentication/auth-without-gui.md`, for the address; RFC 6749, 4.1 and 6,
//! and RFC 7636. That other programs than `yc` may use its client ID is not documented.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use toml::Table;

use super::credential::{Configured, Credential, Services, Source};
use super::iam_token::IamToken;
use super::session::{Session, SessionFile};
use super::token_endpoint::{self, Tokens};
use crate::endpoints::Service;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::http::Http;
use crate::secret;
use crate::status::Code;
use crate::text::percent;

/// The OAuth client of `yc`.
///
/// Source: yandex-cloud/docs, `en/cli/operations/authentication/auth-without-gui.md`.
pub const CLIENT_ID: &str = "yc.oauth.public-sdk";

/// The key of the profile.
pub const PROFILE_KEY: &str = "login";

/// Where the browser is sent back to on this machine.
pub const CALLBACK: &str = "/auth/callback";

const SIGN_IN: &str = "sign in again: yc-rs login";

/// Who signs in, as far as the person said.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// The ID of the federation.
    pub federation_id: Option<String>,
    /// The ID of the subject.
    pub subject_id: Option<String>,
    /// The name of the user.
    pub username: Option<String>,
}

/// A sign-in that has begun.
pub struct Authorization {
    /// The endpoint of the authentication service.
    pub auth: String,
    /// The OAuth client.
    pub client_id: String,
    /// Where the browser is sent back to.
    pub redirect: String,
    /// What comes back from the browser, so that nobody else can end the sign-in.
    pub state: SecretString,
    /// What the code is exchanged with.
    pub verifier: SecretString,
}

impl Authorization {
    /// Begins a sign-in.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn new(auth: String, client_id: String, redirect: String) -> Result<Self> {
        Ok(Self { auth, client_id, redirect, state: random()?, verifier: random()? })
    }

    /// The address to open in a browser.
    pub fn address(&self, hints: &Hints, refreshes: bool) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.expose_secret().as_bytes()));
        let scope = if refreshes { "openid offline_access" } else { "openid" };
        let mut query = vec![
            ("client_id", self.client_id.as_str()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("redirect_uri", &self.redirect),
            ("response_type", "code"),
            ("scope", scope),
            ("state", self.state.expose_secret()),
        ];
        let given = [
            ("yc_federation_hint", &hints.federation_id),
            ("yc_sub_hint", &hints.subject_id),
            ("yc_login_hint", &hints.username),
        ];
        query.extend(given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", percent::encode(value).collect::<String>()))
            .collect();
        format!("{}/oauth/authorize?{}", self.auth, query.join("&"))
    }

    /// Exchanges the code that the browser brought.
    ///
    /// # Errors
    /// The service refuses the code, or cannot be reached.
    pub async fn exchange(&self, code: &SecretString, http: &Http) -> Result<Tokens> {
        let fields = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.expose_secret().to_owned()),
            ("code_verifier", self.verifier.expose_secret().to_owned()),
            ("redirect_uri", self.redirect.clone()),
            ("client_id", self.client_id.clone()),
        ];
        token_endpoint::request(fields, http, &self.auth).await
    }
}

fn random() -> Result<SecretString> {
    secret::random().map_err(Error::internal)
}

/// The session of a profile.
#[derive(Debug)]
pub struct BrowserSession {
    id: String,
}

impl BrowserSession {
    /// The credential of the table in the profile.
    ///
    /// # Errors
    /// The table names no session.
    pub fn read(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        let id = session_id(configured.table()?);
        let id = id.ok_or_else(|| configured.invalid("has no field 'session'").hint(SIGN_IN))?;
        Ok(Box::new(Self { id: id.to_owned() }))
    }

    /// The session of this ID.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned() }
    }

    /// Requests a token with the refresh token, under the lock of the session. A new refresh token is stored before the
    /// token is used.
    async fn refresh(&self, services: Services<'_>) -> Result<IamToken> {
        let file = SessionFile::of(&self.id, services.env)?;
        let auth = services.endpoints.base(Service::Auth, services.http).await?;
        let _lock = file.lock(services.log).await?;
        let session = file.read()?.ok_or_else(|| ended("nobody is signed in: the session is not on this machine"))?;
        session.check_service(&auth)?;
        let tokens = request_tokens(&session, services).await.map_err(|error| match error {
            RenewalError::Ended(error) | RenewalError::Failed(error) => error,
        })?;
        if let Some(newer) = tokens.refresh {
            file.write(&Session { refresh_token: Some(newer), ..session })?;
        }
        tokens.access
    }
}

/// Why a session gives no new tokens.
pub enum RenewalError {
    /// It has ended: its refresh token is not valid, or it has none.
    Ended(Error),
    /// It may go on later, or elsewhere.
    Failed(Error),
}

fn ended(problem: &str) -> Error {
    Error::no_credentials(problem).hint(SIGN_IN)
}

/// Requests new tokens with the refresh token of a session of the service in force. Whoever does holds the lock of the
/// session.
///
/// # Errors
/// The session has ended, or the service cannot be reached.
pub async fn request_tokens(session: &Session, services: Services<'_>) -> Result<Tokens, RenewalError> {
    let Some(refresh_token) = &session.refresh_token else {
        let problem = "the session has ended: its IAM token has expired, and no refresh token was granted";
        return Err(RenewalError::Ended(ended(problem)));
    };
    services.log.masks.add(refresh_token);
    let fields = vec![
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", refresh_token.expose_secret().to_owned()),
        ("client_id", session.client_id.clone()),
    ];
    let tokens = token_endpoint::request(fields, services.http, &session.auth).await;
    let tokens = tokens.map_err(|error| match error.code() {
        Some(Code::Unauthenticated) => RenewalError::Ended(ended(&format!("the session has ended: {error}"))),
        Some(code) if refuses_the_session(code) => {
            RenewalError::Failed(ended(&format!("the session is refused: {error}")))
        }
        _ => RenewalError::Failed(error),
    })?;
    tokens.refresh.iter().for_each(|newer| services.log.masks.add(newer));
    Ok(tokens)
}

/// Whether a refusal is of this session. Others pass: the service is overloaded, or has failed.
fn refuses_the_session(code: Code) -> bool {
    matches!(code, Code::PermissionDenied | Code::InvalidArgument | Code::NotFound)
}

/// The ID of the session in the table of a profile.
pub fn session_id(table: &Table) -> Option<&str> {
    table.get("session")?.as_str().filter(|id| !id.is_empty())
}

impl Credential for BrowserSession {
    fn name(&self, _env: &Env) -> Result<String> {
        Ok(format!("browser session {}", self.id))
    }

    fn obtain<'a>(&'a self, services: Services<'a>, _now: DateTime<Utc>) -> LocalBoxFuture<'a, Result<IamToken>> {
        Box::pin(self.refresh(services))
    }

    fn hint(&self, _source: &Source) -> String {
        SIGN_IN.to_owned()
    }
}
