//! A strict, stateful emulator of the parts of Yandex Cloud that `yc-rs` talks to.
//!
//! It listens on 127.0.0.1, over HTTP and over HTTPS (HTTP/1.1 and HTTP/2) with an authority of its own, and answers
//! as the API's protos and documentation say. It is an independent reading of them: it shares no type with the client.
//! What they leave open is read in the way that is hardest for a client. Whatever a client should not send is refused:
//! unknown fields and parameters, wrong types, a repeated request ID, a body where there is none.
//!
//! ```
//! use yc_emulator::{ADMIN_ID, Emulator, Fault};
//!
//! let cloud = Emulator::start();
//! let token = cloud.issue_token(ADMIN_ID);
//! let key = cloud.add_access_key(ADMIN_ID, "nightly backup");
//! cloud.fault("GET /iam/aws-compatibility/v1/accessKeys/{accessKeyId}", Fault::unavailable());
//! // … run the client with `cloud.https_url()`, `cloud.ca_pem()`, `token`, `key.id` …
//! # let _ = token;
//! # cloud.forget_faults();
//! assert_eq!(cloud.requests().len(), 0);
//! ```
//!
//! A fault that no request has used when the emulator is dropped fails the test.
//!
//! # Layout
//!
//! | file | what it owns |
//! |---|---|
//! | `server`, `tls` | sockets, connections, where faults are applied |
//! | `call`, `json`, `field` | the checks that are the same for all services |
//! | `sigv4` | signatures of AWS form |
//! | `route`, `services/` | one table of all calls, one file a service |
//! | `state` | the state of the cloud, and the constants it begins with |
//! | `authorized_key`, `shape`, `clock` | key files, made-up IDs and secrets, the time |
//! | `issuer` | tokens from outside the cloud |
//! | `status`, `dialect`, `xml`, `reply` | refusals and responses |
//! | `fault`, `record` | what goes wrong, what was seen |
//!
//! A new service is a file in `services/` with its routes and what a test can set, and a line in `services/mod.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a panic in the emulator is a failed test, which is what it is for"
)]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::runtime::{self, Runtime};

mod authorized_key;
mod call;
mod clock;
mod dialect;
mod fault;
mod field;
mod issuer;
mod json;
mod record;
mod reply;
mod route;
mod server;
mod services;
mod shape;
mod sigv4;
mod state;
mod status;
mod tls;
mod xml;

pub use authorized_key::{AuthorizedKey, EC_PRIVATE_KEY, PrivateKey};
pub use fault::{Fault, Hold, Refusal};
pub use issuer::{EXTERNAL_AUDIENCE, EXTERNAL_ISSUER, ExternalToken, GITHUB_ISSUER};
pub use record::Request;
pub use services::federation::{FederatedCredential, Federation};
pub use services::github::{GITHUB_AUDIENCE, GITHUB_SUBJECT};
pub use services::lockbox::{LockboxSecret, LockboxVersion};
pub use services::resource_manager::{Cloud, Folder};
pub use services::sts::StsKey;
pub use state::{
    ADMIN_ID, ADMIN_KEY_ID, AccessKey, BACKUP_ID, CLOUD_ID, CLOUD_NAME, EphemeralKey, FOLDER_ID, FOLDER_NAME, Grant,
    Message, NARROW_ID, NARROW_KEY_ID, OAUTH_TOKEN, ORGANIZATION_ID, OTHER_FOLDER_ID, OTHER_FOLDER_NAME, Operation,
    REMOTE_ID, ServiceAccount, Token, USER_ID,
};

use clock::Clock;
use fault::Trouble;
use server::Shared;
use state::{Settings, State};

/// Settings of an [`Emulator`] before it starts.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    settings: Settings,
    http_port: u16,
    https_port: u16,
}

impl Builder {
    /// Sets the port for HTTP. Default: any free one.
    #[must_use]
    pub fn http_port(mut self, port: u16) -> Self {
        self.http_port = port;
        self
    }

    /// Sets the port for HTTPS. Default: any free one.
    #[must_use]
    pub fn https_port(mut self, port: u16) -> Self {
        self.https_port = port;
        self
    }

    /// Sets how many items a page has at most, whatever the request asks for. Default: 2.
    #[must_use]
    pub fn page_size(mut self, items: usize) -> Self {
        self.settings.page_size = items.max(1);
        self
    }

    /// Sets how long every request takes at least. Default: no time.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.settings.latency = latency;
        self
    }

    /// Sets which poll finds an operation done; with 0 it is done at once. Default: 2.
    #[must_use]
    pub fn operation_polls(mut self, polls: u32) -> Self {
        self.settings.operation_polls = polls;
        self
    }

    /// Sets the lifetime of IAM tokens. Default: 12 hours.
    #[must_use]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.token_lifetime = lifetime;
        self
    }

    /// Sets how many static keys the cloud may have. Default: 1000.
    #[must_use]
    pub fn access_key_quota(mut self, keys: usize) -> Self {
        self.settings.access_key_quota = keys;
        self
    }

    /// Sets whether `metadata` and `response` of an operation have an `@type`, on which the sources disagree.
    /// Default: they have.
    #[must_use]
    pub fn any_types(mut self, shown: bool) -> Self {
        self.settings.any_types = shown;
        self
    }

    /// Sets the audience that a JWT must name. Default: `https://iam.api.cloud.yandex.net/iam/v1/tokens`.
    #[must_use]
    pub fn jwt_audience(mut self, audience: &str) -> Self {
        audience.clone_into(&mut self.settings.jwt_audience);
        self
    }

    /// Starts the emulator.
    ///
    /// # Panics
    /// When a port is taken.
    pub fn start(self) -> Emulator {
        let clock = Clock::default();
        let state = State::new(self.settings, clock.now());
        let shared = Arc::new(Shared::new(clock, state));
        let (acceptor, ca_pem) = tls::acceptor();
        let http = bind(self.http_port);
        let https = bind(self.https_port);
        let addresses = Addresses { http: url("http", &http), https: url("https", &https) };
        let runtime =
            runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime can be made");
        runtime.spawn(server::listen(http, None, Arc::clone(&shared)));
        runtime.spawn(server::listen(https, Some(acceptor), Arc::clone(&shared)));
        Emulator { shared, addresses, ca_pem, runtime: Some(runtime) }
    }
}

fn bind(port: u16) -> TcpListener {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).unwrap_or_else(|error| panic!("cannot listen on {address}: {error}"))
}

fn url(scheme: &str, listener: &TcpListener) -> String {
    let address = listener.local_addr().expect("a bound socket has an address");
    format!("{scheme}://{address}")
}

/// A running emulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    addresses: Addresses,
    ca_pem: String,
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Addresses {
    http: String,
    https: String,
}

/// Start and URLs.
impl Emulator {
    /// Starts an emulator with the default settings.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Settings to be changed before the start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The URL for plain HTTP, such as `http://127.0.0.1:34567`.
    pub fn http_url(&self) -> &str {
        &self.addresses.http
    }

    /// The URL for HTTPS; the certificate is valid for loopback and for the built-in endpoints of all services.
    pub fn https_url(&self) -> &str {
        &self.addresses.https
    }

    /// The certificate, in PEM, of the authority that has signed the server's.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

/// Time.
impl Emulator {
    /// The emulator's time.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.clock.now()
    }

    /// Moves the emulator's clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(TimeDelta::from_std(by).expect("a sensible length of time"));
    }

    /// Sets how far the emulator's clock is ahead of the system's; negative is behind.
    pub fn set_clock_offset(&self, offset: TimeDelta) {
        self.shared.clock.set_offset(offset);
    }
}

/// Accounts, rights and credentials.
impl Emulator {
    /// Adds a service account, and its folder where that is new; gives the account's ID.
    pub fn add_service_account(&self, folder_id: &str, name: &str) -> String {
        let id = shape::resource_id();
        self.shared.state().add_service_account(id.clone(), folder_id, name, self.now());
        id
    }

    /// The same for an account with labels, whose keys and values are free-form.
    pub fn add_service_account_with_labels(&self, folder_id: &str, name: &str, labels: &[(&str, &str)]) -> String {
        let id = self.add_service_account(folder_id, name);
        self.set_labels(&id, labels);
        id
    }

    /// The service accounts in the order in which they were made.
    pub fn service_accounts(&self) -> Vec<ServiceAccount> {
        self.shared.state().service_accounts.clone()
    }

    /// Lets a subject act for a service account, and as it. Everyone may act for oneself.
    pub fn grant(&self, subject_id: &str, service_account_id: &str) {
        self.shared.state().grant(subject_id, service_account_id);
    }

    /// Lets a subject get IAM tokens of a service account, and nothing else.
    pub fn grant_impersonation(&self, subject_id: &str, service_account_id: &str) {
        self.shared.state().grant_impersonation(subject_id, service_account_id);
    }

    /// Refuses all IAM tokens of a service account by impersonation, as the access policy
    /// `iam.denyServiceAccountImpersonation` does. Source: IAM docs, access policies.
    pub fn deny_impersonation(&self) {
        self.shared.state().impersonation_denied = true;
    }

    /// Lets a subject do everything.
    pub fn grant_everything(&self, subject_id: &str) {
        self.shared.state().grant_everything(subject_id);
    }

    /// Takes all rights away but those on oneself.
    pub fn withdraw_rights(&self, subject_id: &str) {
        self.shared.state().withdraw_rights(subject_id);
    }

    /// The authorized key of [`ADMIN_ID`].
    pub fn admin_key(&self) -> AuthorizedKey {
        self.authorized_key(ADMIN_KEY_ID)
    }

    /// The authorized key of [`NARROW_ID`].
    pub fn narrow_key(&self) -> AuthorizedKey {
        self.authorized_key(NARROW_KEY_ID)
    }

    /// An authorized key by its ID.
    pub fn authorized_key(&self, id: &str) -> AuthorizedKey {
        let state = self.shared.state();
        state.authorized_keys.iter().find(|key| key.id == id).expect("a known key").clone()
    }

    /// Adds an authorized key to an account.
    pub fn add_authorized_key(&self, service_account_id: &str, pair: PrivateKey) -> AuthorizedKey {
        let key = AuthorizedKey::new(&shape::resource_id(), service_account_id, pair, self.now());
        self.shared.state().authorized_keys.push(key.clone());
        key
    }

    /// Deletes an authorized key, which revokes the tokens that were obtained with it.
    /// Source: IAM docs, compromised credentials.
    pub fn delete_authorized_key(&self, id: &str) {
        let mut state = self.shared.state();
        state.authorized_keys.retain(|key| key.id != id);
        let grant = Grant::Jwt { key_id: id.to_owned() };
        for token in state.tokens.iter_mut().filter(|token| token.grant == grant) {
            token.revoked = true;
        }
    }

    /// Makes another OAuth token for a subject.
    pub fn add_oauth_token(&self, subject_id: &str) -> String {
        let token = shape::oauth_token();
        self.shared.state().oauth_tokens.insert(token.clone(), subject_id.to_owned());
        token
    }

    /// Makes OAuth tokens useless; IAM tokens obtained with them go on.
    pub fn delete_oauth_tokens(&self) {
        self.shared.state().oauth_tokens.clear();
    }
}

/// IAM tokens.
impl Emulator {
    /// Makes an IAM token of the usual lifetime.
    pub fn issue_token(&self, subject_id: &str) -> String {
        let lifetime = self.shared.state().settings.token_lifetime;
        self.issue_token_for(subject_id, lifetime)
    }

    /// Issues an IAM token with this lifetime.
    pub fn issue_token_for(&self, subject_id: &str, lifetime: Duration) -> String {
        self.shared.state().add_token(subject_id, lifetime, Grant::Test, self.now()).value
    }

    /// All IAM tokens ever issued, in order.
    pub fn tokens(&self) -> Vec<Token> {
        self.shared.state().tokens.clone()
    }

    /// Lets all IAM tokens expire now.
    pub fn expire_tokens(&self) {
        let now = self.now();
        for token in &mut self.shared.state().tokens {
            token.expires_at = token.expires_at.min(now);
        }
    }

    /// Revokes one IAM token.
    pub fn revoke_token(&self, token: &str) {
        for token in self.shared.state().tokens.iter_mut().filter(|known| known.value == token) {
            token.revoked = true;
        }
    }

    /// Sets the longest lifetime of the ephemeral keys that are issued from now on, which the service does not document:
    /// it grants no more than the token has, and how much less is left to it.
    pub fn set_ephemeral_key_lifetime(&self, longest: Duration) {
        self.shared.state().settings.ephemeral_key_lifetime = Some(longest);
    }

    /// Sets whether the service of ephemeral keys refuses every request as unavailable.
    pub fn set_ephemeral_keys_unavailable(&self, unavailable: bool) {
        self.shared.state().settings.ephemeral_keys_unavailable = unavailable;
    }

    /// Sets the lifetime of tokens issued from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        self.shared.state().settings.token_lifetime = lifetime;
    }
}

/// Access keys and operations.
impl Emulator {
    /// Adds a static key, past any quota.
    pub fn add_access_key(&self, service_account_id: &str, description: &str) -> AccessKey {
        self.shared.state().add_access_key(service_account_id, description, self.now())
    }

    /// The same for a key with this resource ID.
    pub fn add_access_key_as(&self, id: &str, service_account_id: &str, description: &str) -> AccessKey {
        let made = self.add_access_key(service_account_id, description);
        self.change_key(&made.id, |key| id.clone_into(&mut key.id));
        AccessKey { id: id.to_owned(), ..made }
    }

    /// The static keys in the order in which they were made.
    pub fn access_keys(&self) -> Vec<AccessKey> {
        self.shared.state().access_keys.clone()
    }

    /// Sets when a key was made.
    pub fn set_created(&self, id: &str, time: DateTime<Utc>) {
        self.change_key(id, |key| key.created_at = time);
    }

    /// Sets when a service account last authenticated.
    pub fn set_last_authenticated(&self, id: &str, time: DateTime<Utc>) {
        let mut state = self.shared.state();
        let account = state.service_accounts.iter_mut().find(|account| account.id == id);
        account.expect("a known service account").last_authenticated_at = Some(time);
    }

    /// Refuses to list the keys of a service account, or the accounts of a folder, whoever asks.
    pub fn make_unreadable(&self, id: &str) {
        self.shared.state().unreadable.insert(id.to_owned());
    }

    /// Sets when a key was last used.
    pub fn set_last_used(&self, id: &str, time: DateTime<Utc>) {
        self.change_key(id, |key| key.last_used_at = Some(time));
    }

    fn change_key(&self, id: &str, change: impl FnOnce(&mut AccessKey)) {
        let mut state = self.shared.state();
        change(state.access_keys.iter_mut().find(|key| key.id == id).expect("a known access key"));
    }

    /// All ephemeral keys ever issued, in order.
    pub fn ephemeral_keys(&self) -> Vec<EphemeralKey> {
        self.shared.state().ephemeral_keys.clone()
    }

    /// The operations in the order in which they were started.
    pub fn operations(&self) -> Vec<Operation> {
        self.shared.state().operations.clone()
    }

    /// Lets the next operation to be started end with this error and without effect.
    /// The error shows from the first poll on, while changes are being rolled back.
    pub fn fail_next_operation(&self, code: u32, message: &str) {
        self.shared.state().operation_failures.push((code, message.to_owned()));
    }

    /// Adds fields to all messages of a kind, as an API does that has grown.
    ///
    /// # Panics
    /// When `fields` is not a JSON object.
    #[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
    pub fn extra_fields(&self, message: Message, fields: Value) {
        let fields = fields.as_object().expect("a JSON object").clone();
        self.shared.state().add_extra_fields(message, fields);
    }
}

/// What was seen.
impl Emulator {
    /// The requests since the start or the last [`clear_requests`](Self::clear_requests), in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log().requests()
    }

    /// The most requests that were in flight at once since the start.
    pub fn most_in_flight(&self) -> usize {
        self.shared.most_in_flight()
    }

    /// How many TCP connections these requests came on.
    pub fn connections(&self) -> usize {
        self.shared.log().connections()
    }

    /// Forgets the requests.
    pub fn clear_requests(&self) {
        self.shared.log().clear();
    }
}

/// What goes wrong.
impl Emulator {
    /// Lets something go wrong with the next request that matches and for which nothing else is queued earlier.
    ///
    /// The pattern is a verb and a path, such as `DELETE /iam/aws-compatibility/v1/accessKeys/{accessKeyId}`; a name in
    /// braces stands for any ID. `*` is any request.
    ///
    /// # Panics
    /// When no route is like the pattern.
    pub fn fault(&self, pattern: &str, fault: impl Into<Fault>) {
        self.shared.faults().push(pattern, Trouble::Fault(fault.into()));
    }

    /// Holds the next matching request back, before it is processed, until the test lets it go.
    ///
    /// # Panics
    /// When no route is like the pattern.
    #[must_use]
    pub fn hold(&self, pattern: &str) -> Hold {
        let (gate, hold) = fault::gate();
        self.shared.faults().push(pattern, Trouble::Gate(gate));
        hold
    }

    /// Closes the next TCP connections as soon as they are accepted, before TLS.
    pub fn refuse_connections(&self, count: usize) {
        self.shared.faults().refused_connections += count;
    }

    /// Empties the queue of faults.
    pub fn forget_faults(&self) {
        self.shared.faults().forget();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        let unused = self.shared.faults().unused();
        assert!(unused.is_empty() || thread::panicking(), "faults that no request has met: {}", unused.join("; "));
    }
}
