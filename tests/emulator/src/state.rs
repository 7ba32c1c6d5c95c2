//! The state of the cloud: accounts, rights, tokens, keys, operations.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::authorized_key::{AuthorizedKey, PrivateKey};
use crate::call::Call;
use crate::reply::Reply;
use crate::services::browser::Browser;
use crate::services::federation::{FederatedCredential, Federation};
use crate::services::lockbox::{LockboxSecret, LockboxVersion};
use crate::services::metadata::Machine;
use crate::services::operation;
use crate::services::resource_manager::{Cloud, Folder};
use crate::services::storage::Storage;
use crate::services::sts::StsKey;
use crate::shape;
use crate::status::{PERMISSION_DENIED, Status};

/// The cloud of the seeded folders, `cloud`; its quota is counted over all accounts.
pub const CLOUD_ID: &str = "b1gcloud000000000001";
/// The organization of all clouds.
pub const ORGANIZATION_ID: &str = "bpforganization00001";
/// The name of [`CLOUD_ID`].
pub const CLOUD_NAME: &str = "cloud";
/// The folder of the seeded accounts [`ADMIN_ID`], [`NARROW_ID`] and [`BACKUP_ID`].
pub const FOLDER_ID: &str = "b1gfolder00000000001";
/// The name of [`FOLDER_ID`].
pub const FOLDER_NAME: &str = "default";
/// Another folder of the same cloud, with the account [`REMOTE_ID`].
pub const OTHER_FOLDER_ID: &str = "b1gfolder00000000002";
/// The name of [`OTHER_FOLDER_ID`].
pub const OTHER_FOLDER_NAME: &str = "other";
/// The service account `admin`, which may do everything.
pub const ADMIN_ID: &str = "ajeadmin000000000001";
/// The service account `narrow`, which may act for itself only.
pub const NARROW_ID: &str = "ajenarrow00000000001";
/// The service account `backup`, without rights of its own.
pub const BACKUP_ID: &str = "ajebackup00000000001";
/// The service account `remote` in the other folder.
pub const REMOTE_ID: &str = "ajeremote00000000001";
/// A Yandex account, which may do everything; [`OAUTH_TOKEN`] is its token.
pub const USER_ID: &str = "ajeuser0000000000001";
/// The OAuth token of [`USER_ID`].
pub const OAUTH_TOKEN: &str = "y0_AgAAAAemulatorOAuthTokenOfTheSeededUser0001";
/// The authorized key of [`ADMIN_ID`]: RSA, 2048 bits.
pub const ADMIN_KEY_ID: &str = "ajekeyadmin000000001";
/// The authorized key of [`NARROW_ID`]: RSA, 4096 bits.
pub const NARROW_KEY_ID: &str = "ajekeynarrow00000001";

/// A service account.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServiceAccount {
    /// Resource ID.
    pub id: String,
    /// Its folder.
    pub folder_id: String,
    /// Name, unique in the cloud.
    pub name: String,
    /// Free text, may be empty.
    pub description: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Free-form labels, in order.
    pub labels: Vec<(String, String)>,
    /// When it last authenticated.
    pub last_authenticated_at: Option<DateTime<Utc>>,
    pub(crate) serial: u64,
}

/// A static access key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AccessKey {
    /// Resource ID, `aje…`: what get and delete take.
    pub id: String,
    /// The account it belongs to.
    pub service_account_id: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Free text, may be empty.
    pub description: String,
    /// Key ID, `YCAJE…`: what S3 clients sign with.
    pub key_id: String,
    /// The secret, which the API tells once.
    pub secret: String,
    /// When it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
    pub(crate) serial: u64,
}

/// An ephemeral access key and the request that it was made for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EphemeralKey {
    /// Key ID, `aje…`.
    pub access_key_id: String,
    /// The secret.
    pub secret: String,
    /// The session token, `s1.…`.
    pub session_token: String,
    /// When it expires: never after the token behind it.
    pub expires_at: DateTime<Utc>,
    /// Who it is for.
    pub subject_id: String,
    /// The requested session name.
    pub session_name: String,
    /// The policy as it was sent.
    pub policy: Option<String>,
    /// The requested duration.
    pub duration: Option<Duration>,
    /// The IAM token that the request came with.
    pub iam_token: String,
}

/// An IAM token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Token {
    /// The token itself.
    pub value: String,
    /// Whose it is.
    pub subject_id: String,
    /// When it was made.
    pub issued_at: DateTime<Utc>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// Whether it was revoked.
    pub revoked: bool,
    /// What it was made from.
    pub grant: Grant,
}

/// What an IAM token was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grant {
    /// An OAuth token.
    Oauth,
    /// A JWT signed with this authorized key.
    Jwt {
        /// ID of the key.
        key_id: String,
    },
    /// The token of this subject.
    Impersonation {
        /// ID of the subject.
        subject_id: String,
    },
    /// The service account that is attached to the machine.
    Metadata,
    /// A token from outside the cloud.
    Federation {
        /// Who has signed it.
        issuer: String,
        /// Whom it names.
        subject: String,
    },
    /// The test issued it.
    Test,
}

/// A long operation on an access key, or on a secret of Lockbox.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Operation {
    /// Resource ID.
    pub id: String,
    /// What it does.
    pub description: String,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// Who started it.
    pub created_by: String,
    /// When it last changed.
    pub modified_at: DateTime<Utc>,
    /// The access key, or the secret of Lockbox, that it works on.
    pub access_key_id: String,
    /// Whether it has ended.
    pub done: bool,
    /// Why it failed, if it did: code and message.
    pub error: Option<(u32, String)>,
    pub(crate) change: Change,
    pub(crate) polls_left: u32,
    pub(crate) serial: u64,
    /// The `response` of one that succeeded.
    pub(crate) response: Option<Value>,
}

/// What an operation does once it ends.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Update { description: String },
    Delete,
    AddVersion(LockboxVersion),
    CreateFederation(Federation),
    CreateFederatedCredential(FederatedCredential),
    RevokeRefreshToken(String),
}

/// The kind of message that [`Emulator::extra_fields`](crate::Emulator::extra_fields) adds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Message {
    /// An access key, alone, in a list or in an operation.
    AccessKey,
    /// The response to a request for an ephemeral key.
    EphemeralKey,
    /// An operation.
    Operation,
    /// A service account.
    ServiceAccount,
    /// The response to a request for an IAM token.
    IamToken,
    /// A cloud.
    Cloud,
    /// A folder.
    Folder,
}

/// Who asks, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) subject_id: String,
    pub(crate) token: Token,
}

/// What the builder sets.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) page_size: usize,
    /// How long every request takes at least.
    pub(crate) latency: Duration,
    pub(crate) operation_polls: u32,
    pub(crate) token_lifetime: Duration,
    pub(crate) access_key_quota: usize,
    /// The longest lifetime of an ephemeral key, where it is not that of its token.
    pub(crate) ephemeral_key_lifetime: Option<Duration>,
    /// Whether no ephemeral key can be had.
    pub(crate) ephemeral_keys_unavailable: bool,
    pub(crate) any_types: bool,
    pub(crate) jwt_audience: String,
    /// Whether workload identity federation refuses with `google.rpc.Status`.
    pub(crate) federation_status_errors: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page_size: 2,
            latency: Duration::ZERO,
            operation_polls: 2,
            // Source: IAM docs, IAM token.
            token_lifetime: Duration::from_secs(12 * 3600),
            // Source: IAM docs, quotas and limits.
            access_key_quota: 1000,
            ephemeral_key_lifetime: None,
            ephemeral_keys_unavailable: false,
            any_types: true,
            // Source: IAM docs, getting an IAM token for a service account.
            jwt_audience: "https://iam.api.cloud.yandex.net/iam/v1/tokens".to_owned(),
            federation_status_errors: false,
        }
    }
}

/// What a subject may touch.
#[derive(Debug, Clone)]
enum Rights {
    Everything,
    Accounts(BTreeSet<String>),
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) clouds: Vec<Cloud>,
    pub(crate) folders: Vec<Folder>,
    pub(crate) service_accounts: Vec<ServiceAccount>,
    pub(crate) authorized_keys: Vec<AuthorizedKey>,
    pub(crate) oauth_tokens: BTreeMap<String, String>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) access_keys: Vec<AccessKey>,
    pub(crate) ephemeral_keys: Vec<EphemeralKey>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) operation_failures: Vec<(u32, String)>,
    pub(crate) request_ids: HashSet<String>,
    /// Service accounts and folders that may not be read.
    pub(crate) unreadable: HashSet<String>,
    /// What discovery lists, where a test has set it.
    pub(crate) endpoints: Option<Vec<(String, String)>>,
    pub(crate) machine: Machine,
    pub(crate) federations: Vec<Federation>,
    pub(crate) github_request_token: String,
    pub(crate) sts_keys: Vec<StsKey>,
    pub(crate) secrets: Vec<LockboxSecret>,
    pub(crate) browser: Browser,
    /// How many lists still lack the keys that were made after the lag was set, which begins at this serial number.
    pub(crate) list_lag: (usize, u64),
    /// How many requests to the storage still find their key unknown.
    pub(crate) storage_lag: AtomicUsize,
    pub(crate) storage: Storage,
    /// Whether impersonation is refused for all service accounts, whatever rights there are.
    pub(crate) impersonation_denied: bool,
    extra_fields: HashMap<Message, Map<String, Value>>,
    rights: HashMap<String, Rights>,
    /// Who may act as whom.
    impersonators: BTreeSet<(String, String)>,
    /// The request that each idempotency key belongs to.
    idempotency_keys: HashMap<String, String>,
    /// The operation that each idempotency key has started.
    started: HashMap<String, String>,
    serial: u64,
}

impl State {
    pub(crate) fn new(settings: Settings, now: DateTime<Utc>) -> Self {
        let mut state = Self {
            settings,
            clouds: Vec::new(),
            folders: Vec::new(),
            service_accounts: Vec::new(),
            authorized_keys: vec![
                AuthorizedKey::new(ADMIN_KEY_ID, ADMIN_ID, PrivateKey::Rsa2048, now),
                AuthorizedKey::new(NARROW_KEY_ID, NARROW_ID, PrivateKey::Rsa4096, now),
            ],
            oauth_tokens: [(OAUTH_TOKEN.to_owned(), USER_ID.to_owned())].into(),
            tokens: Vec::new(),
            access_keys: Vec::new(),
            ephemeral_keys: Vec::new(),
            operations: Vec::new(),
            operation_failures: Vec::new(),
            request_ids: HashSet::new(),
            unreadable: HashSet::new(),
            endpoints: None,
            machine: Machine::default(),
            federations: Vec::new(),
            github_request_token: shape::request_token(),
            sts_keys: Vec::new(),
            secrets: Vec::new(),
            browser: Browser::default(),
            list_lag: (0, 0),
            storage_lag: AtomicUsize::new(0),
            storage: Storage::default(),
            impersonation_denied: false,
            extra_fields: HashMap::new(),
            rights: [ADMIN_ID, USER_ID].map(|id| (id.to_owned(), Rights::Everything)).into(),
            impersonators: BTreeSet::new(),
            idempotency_keys: HashMap::new(),
            started: HashMap::new(),
            serial: 0,
        };
        state.add_cloud(CLOUD_ID, CLOUD_NAME, now);
        state.add_folder(FOLDER_ID, CLOUD_ID, FOLDER_NAME, now);
        state.add_folder(OTHER_FOLDER_ID, CLOUD_ID, OTHER_FOLDER_NAME, now);
        for (id, folder, name) in [
            (ADMIN_ID, FOLDER_ID, "admin"),
            (NARROW_ID, FOLDER_ID, "narrow"),
            (BACKUP_ID, FOLDER_ID, "backup"),
            (REMOTE_ID, OTHER_FOLDER_ID, "remote"),
        ] {
            state.add_service_account(id.to_owned(), folder, name, now);
        }
        state
    }

    pub(crate) fn add_cloud(&mut self, id: &str, name: &str, now: DateTime<Utc>) {
        let serial = self.next_serial();
        self.clouds.push(Cloud {
            id: id.to_owned(),
            name: name.to_owned(),
            created_at: now,
            organization_id: ORGANIZATION_ID.to_owned(),
            serial,
        });
    }

    pub(crate) fn add_folder(&mut self, id: &str, cloud_id: &str, name: &str, now: DateTime<Utc>) {
        assert!(self.clouds.iter().any(|cloud| cloud.id == cloud_id), "there is no cloud {cloud_id}");
        let serial = self.next_serial();
        self.folders.push(Folder {
            id: id.to_owned(),
            cloud_id: cloud_id.to_owned(),
            name: name.to_owned(),
            created_at: now,
            labels: Vec::new(),
            serial,
        });
    }

    /// Adds the folder, too, where it is new: to the seeded cloud, with a name of its own.
    pub(crate) fn add_service_account(&mut self, id: String, folder_id: &str, name: &str, now: DateTime<Utc>) {
        if !self.folders.iter().any(|folder| folder.id == folder_id) {
            let name = format!("folder-{}", self.folders.len() + 1);
            self.add_folder(folder_id, CLOUD_ID, &name, now);
        }
        let serial = self.next_serial();
        self.service_accounts.push(ServiceAccount {
            id,
            folder_id: folder_id.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            created_at: now,
            labels: Vec::new(),
            last_authenticated_at: None,
            serial,
        });
    }

    pub(crate) fn add_access_key(
        &mut self,
        service_account_id: &str,
        description: &str,
        now: DateTime<Utc>,
    ) -> AccessKey {
        let key = AccessKey {
            id: shape::resource_id(),
            service_account_id: service_account_id.to_owned(),
            created_at: now,
            description: description.to_owned(),
            key_id: shape::static_key_id(),
            secret: shape::static_secret(),
            last_used_at: None,
            serial: self.next_serial(),
        };
        self.access_keys.push(key.clone());
        key
    }

    pub(crate) fn add_token(
        &mut self,
        subject_id: &str,
        lifetime: Duration,
        grant: Grant,
        now: DateTime<Utc>,
    ) -> Token {
        let token = Token {
            value: shape::iam_token(),
            subject_id: subject_id.to_owned(),
            issued_at: now,
            expires_at: now + TimeDelta::from_std(lifetime).expect("a lifetime of sensible length"),
            revoked: false,
            grant,
        };
        self.tokens.push(token.clone());
        token
    }

    pub(crate) fn authenticate(&self, value: &str, now: DateTime<Utc>) -> Result<Caller, Status> {
        // Source: yandex-cloud/go-sdk, its tracker, on a static key given as a token.
        if value.starts_with("YC") {
            return Err(Status::unauthenticated("UNAUTHENTICATED: The token is invalid"));
        }
        match self.valid_token(value, now) {
            Some(token) => Ok(Caller { subject_id: token.subject_id.clone(), token: token.clone() }),
            None => Err(Status::unauthenticated("The token is invalid")),
        }
    }

    pub(crate) fn valid_token(&self, value: &str, now: DateTime<Utc>) -> Option<&Token> {
        self.tokens.iter().find(|token| token.value == value && !token.revoked && token.expires_at > now)
    }

    /// Lets a subject act for a service account.
    pub(crate) fn grant(&mut self, subject_id: &str, service_account_id: &str) {
        let none = || Rights::Accounts(BTreeSet::new());
        if let Rights::Accounts(accounts) = self.rights.entry(subject_id.to_owned()).or_insert_with(none) {
            accounts.insert(service_account_id.to_owned());
        }
    }

    pub(crate) fn grant_everything(&mut self, subject_id: &str) {
        self.rights.insert(subject_id.to_owned(), Rights::Everything);
    }

    pub(crate) fn withdraw_rights(&mut self, subject_id: &str) {
        self.rights.remove(subject_id);
        self.impersonators.retain(|(subject, _)| subject != subject_id);
    }

    pub(crate) fn grant_impersonation(&mut self, subject_id: &str, service_account_id: &str) {
        self.impersonators.insert((subject_id.to_owned(), service_account_id.to_owned()));
    }

    pub(crate) fn may_do_everything(&self, subject_id: &str) -> bool {
        matches!(self.rights.get(subject_id), Some(Rights::Everything))
    }

    /// Refuses a caller who may not act for a subject. Everyone may act for oneself.
    pub(crate) fn authorize(&self, call: &Call, subject_id: &str) -> Result<(), Status> {
        let caller = &call.caller().subject_id;
        permit(caller == subject_id || self.may_act_for(caller, subject_id))
    }

    /// Refuses a caller who may not act as a service account. That takes a role even on oneself.
    /// Source: IAM docs, impersonation.
    pub(crate) fn authorize_impersonation(&self, call: &Call, account_id: &str) -> Result<(), Status> {
        let caller = &call.caller().subject_id;
        let granted = self.impersonators.contains(&(caller.clone(), account_id.to_owned()));
        permit(!self.impersonation_denied && (granted || self.may_act_for(caller, account_id)))
    }

    fn may_act_for(&self, caller: &str, subject_id: &str) -> bool {
        match self.rights.get(caller) {
            Some(Rights::Everything) => true,
            Some(Rights::Accounts(accounts)) => accounts.contains(subject_id),
            None => false,
        }
    }

    /// The service account that a request names, or the caller where it names none.
    pub(crate) fn account_for(&self, call: &Call, field: &str) -> Result<String, Status> {
        let id = match call.field(field) {
            "" => &call.caller().subject_id,
            id => id,
        };
        self.authorize(call, id)?;
        if id == USER_ID && call.field(field).is_empty() {
            return Err(Status::invalid(field, "is required, since the caller is not a service account"));
        }
        self.service_account(id).map(|account| account.id.clone())
    }

    pub(crate) fn service_account(&self, id: &str) -> Result<&ServiceAccount, Status> {
        let found = self.service_accounts.iter().find(|account| account.id == id);
        found.ok_or_else(|| Status::not_found("Service account", id))
    }

    /// One page of a list whose items are in the order in which they were made.
    pub(crate) fn page<'a, T: 'a>(
        &self,
        call: &Call,
        name: &str,
        items: impl Iterator<Item = (u64, &'a T)>,
        message: impl Fn(&T) -> Value,
    ) -> Result<Reply, Status> {
        let after = match call.field("pageToken") {
            "" => 0,
            token => read_page_token(token, &call.listing)
                .ok_or_else(|| Status::invalid("pageToken", "is unknown or belongs to another request"))?,
        };
        // The default page has 100 items. Source: access_key_service.proto, List.
        let asked = match call.field("pageSize").parse() {
            Ok(0) | Err(_) => 100,
            Ok(size) => size,
        };
        let size = asked.min(self.settings.page_size);
        let mut rest = items.filter(|(serial, _)| *serial > after);
        let page: Vec<(u64, &T)> = rest.by_ref().take(size).collect();
        // An empty list and the token of the last page are left out.
        let mut response = Map::new();
        if !page.is_empty() {
            response.insert(name.to_owned(), page.iter().map(|(_, item)| message(item)).collect());
        }
        if let (Some((last, _)), Some(_)) = (page.last(), rest.next()) {
            response.insert("nextPageToken".to_owned(), page_token(*last, &call.listing).into());
        }
        Ok(Reply::json(&response.into()))
    }

    /// Starts an operation, and notes it under the idempotency key of the call.
    pub(crate) fn federation(&mut self, id: &str) -> Option<&mut Federation> {
        self.federations.iter_mut().find(|federation| federation.id == id)
    }

    pub(crate) fn start(&mut self, call: &Call, access_key_id: &str, change: Change) -> Operation {
        let description = match change {
            Change::Update { .. } => "Update access key",
            Change::Delete => "Delete access key",
            Change::AddVersion(_) => "Add version",
            Change::CreateFederation(_) => "Create federation",
            Change::CreateFederatedCredential(_) => "Create federated credential",
            Change::RevokeRefreshToken(_) => "Revoke refresh tokens",
        };
        let error = (!self.operation_failures.is_empty()).then(|| self.operation_failures.remove(0));
        let mut operation = Operation {
            id: shape::resource_id(),
            description: description.to_owned(),
            created_at: call.now,
            created_by: call.caller().subject_id.clone(),
            modified_at: call.now,
            access_key_id: access_key_id.to_owned(),
            done: false,
            error,
            change,
            polls_left: self.settings.operation_polls,
            serial: self.next_serial(),
            response: None,
        };
        if operation.polls_left == 0 {
            operation::finish(self, &mut operation, call.now);
        }
        if let Some(key) = &call.idempotency_key {
            self.started.insert(key.clone(), operation.id.clone());
        }
        self.operations.push(operation.clone());
        operation
    }

    /// The operation that an earlier call with this idempotency key has started.
    /// Source: API design guide, idempotency.
    pub(crate) fn replay(&self, key: &str, fingerprint: &str) -> Result<Option<Reply>, Status> {
        if self.idempotency_keys.get(key).is_some_and(|earlier| earlier != fingerprint) {
            return Err(Status::invalid("Idempotency-Key", "was used for another request"));
        }
        let started = self.started.get(key);
        let operation = started.and_then(|id| self.operations.iter().find(|operation| operation.id == *id));
        Ok(operation.map(|operation| Reply::json(&operation::message(self, operation))))
    }

    pub(crate) fn remember_key(&mut self, key: String, fingerprint: String) {
        self.idempotency_keys.insert(key, fingerprint);
    }

    pub(crate) fn add_extra_fields(&mut self, message: Message, fields: Map<String, Value>) {
        self.extra_fields.entry(message).or_default().extend(fields);
    }

    /// Adds the fields that the test wants clients to pass through.
    pub(crate) fn with_extra_fields(&self, message: Message, mut value: Map<String, Value>) -> Value {
        if let Some(extra) = self.extra_fields.get(&message) {
            value.extend(extra.clone());
        }
        value.into()
    }

    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }
}

fn permit(allowed: bool) -> Result<(), Status> {
    if allowed { Ok(()) } else { Err(Status::new(PERMISSION_DENIED, "Permission denied")) }
}

/// Opaque text that holds the last item shown and is bound to the listing.
fn page_token(serial: u64, listing: &str) -> String {
    let binding = digest(&SHA256, format!("{serial} {listing}").as_bytes());
    URL_SAFE_NO_PAD.encode([&serial.to_be_bytes(), binding.as_ref()].concat())
}

fn read_page_token(token: &str, listing: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let serial = u64::from_be_bytes(*bytes.first_chunk()?);
    (page_token(serial, listing) == token).then_some(serial)
}
