//! Workload identity federation: an external token is exchanged for the IAM token of a service account; and the services
//! that set it up.
//! Source: IAM docs, setting up workload identity federation; `yandex/cloud/iam/v1/workload/oidc/federation_service.proto`
//! and `yandex/cloud/iam/v1/workload/federated_credential_service.proto`.
//!
//! How the service words its refusals is not documented. Here they are OAuth errors with status 400, named after
//! RFC 8693, section 2.2.2, or `google.rpc.Status` after [`Emulator::set_federation_status_errors`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::clock;
use crate::dialect::Dialect;
use crate::field::{self, Field};
use crate::issuer;
use crate::reply::Reply;
use crate::route::Route;
use crate::services::{browser, jwt, operation};
use crate::shape;
use crate::state::{Change, Grant, State};
use crate::status::{ALREADY_EXISTS, NOT_FOUND, PERMISSION_DENIED, Status, UNAUTHENTICATED, Violations};
use crate::{Emulator, FOLDER_ID};

const PAGE: [Field; 2] =
    [Field::optional("pageSize", field::page_size), Field::optional("pageToken", field::page_token)];

pub(crate) const ROUTES: &[Route] = &[
    Route::post("/oauth/token", token).anonymous().dialect(Dialect::OAuth).form(&[
        Field::required("grant_type", grant_type),
        Field::optional("requested_token_type", |text| exactly(text, "urn:ietf:params:oauth:token-type:access_token")),
        Field::optional("audience", field::id),
        Field::optional("subject_token", |_| Ok(())),
        Field::optional("subject_token_type", |text| exactly(text, "urn:ietf:params:oauth:token-type:id_token")),
        Field::optional("code", |_| Ok(())),
        Field::optional("code_verifier", |_| Ok(())),
        Field::optional("redirect_uri", |_| Ok(())),
        Field::optional("client_id", |_| Ok(())),
        Field::optional("refresh_token", |_| Ok(())),
    ]),
    Route::get("/iam/v1/workload/oidc/federations", list).query(&[
        Field::required("folderId", field::id),
        PAGE[0],
        PAGE[1],
    ]),
    Route::post("/iam/v1/workload/oidc/federations", create).body(&[
        Field::required("folderId", field::id),
        Field::required("name", name),
        Field::optional("description", field::description),
        Field::list("audiences", audiences),
        Field::required("issuer", url),
        Field::required("jwksUrl", url),
    ]),
    Route::get("/iam/v1/workload/federatedCredentials", list_credentials).query(&[
        Field::required("serviceAccountId", field::id),
        PAGE[0],
        PAGE[1],
    ]),
    Route::post("/iam/v1/workload/federatedCredentials", create_credential).body(&[
        Field::required("serviceAccountId", field::id),
        Field::required("federationId", field::id),
        Field::required("externalSubjectId", |text| at_most(text, 1000)),
    ]),
];

/// `[a-z]([-a-z0-9]{0,61}[a-z0-9])?`.
fn name(text: &str) -> Result<(), String> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
    if starts && text.len() <= 63 && text.bytes().all(fits) && !text.ends_with('-') {
        return Ok(());
    }
    Err("must match [a-z]([-a-z0-9]{0,61}[a-z0-9])?".to_owned())
}

fn url(text: &str) -> Result<(), String> {
    at_most(text, 8000)?;
    if text.starts_with("https://") { Ok(()) } else { Err("must be an https URL".to_owned()) }
}

fn audiences(text: &str) -> Result<(), String> {
    let list: Vec<String> = serde_json::from_str(text).map_err(|_| "must be a list of text".to_owned())?;
    if list.len() > 100 {
        return Err("must be at most 100".to_owned());
    }
    list.iter().try_for_each(|audience| at_most(audience, 255))
}

fn at_most(text: &str, limit: usize) -> Result<(), String> {
    if text.chars().count() <= limit { Ok(()) } else { Err(format!("must be at most {limit} characters")) }
}

fn exactly(text: &str, expected: &str) -> Result<(), String> {
    if text == expected { Ok(()) } else { Err(format!("must be {expected}")) }
}

/// A federation: whose tokens are trusted, and for which service accounts.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Federation {
    /// Resource ID.
    pub id: String,
    /// Unique in its folder.
    pub name: String,
    /// The folder that it is in.
    pub folder_id: String,
    /// Whether its tokens are accepted.
    pub enabled: bool,
    /// Who signs the tokens.
    pub issuer: String,
    /// Whom the tokens must be for.
    pub audiences: Vec<String>,
    /// Where the issuer publishes its keys.
    pub jwks_url: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Which subjects become which service accounts.
    pub credentials: Vec<FederatedCredential>,
    serial: u64,
}

/// A subject of a federation that becomes a service account.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FederatedCredential {
    /// Resource ID.
    pub id: String,
    /// The account.
    pub service_account_id: String,
    /// The subject, which is compared as a whole.
    pub external_subject_id: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    federation_id: String,
    serial: u64,
}

/// Workload identity federation.
impl Emulator {
    /// Trusts the tokens of an issuer that are meant for this audience; gives the federation's ID.
    pub fn add_federation(&self, issuer: &str, audience: &str) -> String {
        let id = shape::resource_id();
        let created_at = self.now();
        let mut state = self.shared.state();
        let serial = state.next_serial();
        state.federations.push(Federation {
            name: format!("federation-{serial}"),
            folder_id: FOLDER_ID.to_owned(),
            enabled: true,
            issuer: issuer.to_owned(),
            audiences: vec![audience.to_owned()],
            jwks_url: format!("{issuer}/jwks"),
            created_at,
            credentials: Vec::new(),
            serial,
            id: id.clone(),
        });
        id
    }

    /// Lets an external subject of a federation become a service account.
    ///
    /// # Panics
    /// When the federation is unknown.
    pub fn bind(&self, federation_id: &str, subject: &str, service_account_id: &str) {
        let now = self.now();
        let mut state = self.shared.state();
        let serial = state.next_serial();
        let credential = FederatedCredential {
            id: shape::resource_id(),
            service_account_id: service_account_id.to_owned(),
            external_subject_id: subject.to_owned(),
            created_at: now,
            federation_id: federation_id.to_owned(),
            serial,
        };
        state.federation(federation_id).expect("a known federation").credentials.push(credential);
    }

    /// Disables a federation.
    ///
    /// # Panics
    /// When the federation is unknown.
    pub fn disable_federation(&self, federation_id: &str) {
        self.shared.state().federation(federation_id).expect("a known federation").enabled = false;
    }

    /// Every federation, the oldest first.
    pub fn federations(&self) -> Vec<Federation> {
        self.shared.state().federations.clone()
    }

    /// Sets whether refusals are `google.rpc.Status` rather than OAuth errors. Default: OAuth errors.
    pub fn set_federation_status_errors(&self, status: bool) {
        self.shared.state().settings.federation_status_errors = status;
    }
}

fn list(state: &mut State, call: &Call) -> Result<Reply, Status> {
    administrator(state, call)?;
    let folder_id = call.field("folderId");
    if !state.folders.iter().any(|folder| folder.id == folder_id) {
        return Err(Status::not_found("Folder", folder_id));
    }
    let federations = state.federations.iter().filter(|federation| federation.folder_id == folder_id);
    let federations = federations.map(|federation| (federation.serial, federation));
    state.page(call, "federations", federations, message)
}

/// The name is checked at once; the federation is there when the operation is done.
fn create(state: &mut State, call: &Call) -> Result<Reply, Status> {
    administrator(state, call)?;
    let [folder_id, name] = ["folderId", "name"].map(|field| call.field(field).to_owned());
    if !state.folders.iter().any(|folder| folder.id == folder_id) {
        return Err(Status::not_found("Folder", &folder_id));
    }
    if state.federations.iter().any(|federation| federation.folder_id == folder_id && federation.name == name) {
        return Err(Status::new(ALREADY_EXISTS, format!("Federation {name} already exists")));
    }
    let federation = Federation {
        id: shape::resource_id(),
        name,
        folder_id,
        enabled: true,
        issuer: call.field("issuer").to_owned(),
        audiences: serde_json::from_str(call.field("audiences")).unwrap_or_default(),
        jwks_url: call.field("jwksUrl").to_owned(),
        created_at: call.now,
        credentials: Vec::new(),
        serial: state.next_serial(),
    };
    let id = federation.id.clone();
    let operation = state.start(call, &id, Change::CreateFederation(federation));
    Ok(Reply::json(&operation::message(state, &operation)))
}

fn list_credentials(state: &mut State, call: &Call) -> Result<Reply, Status> {
    administrator(state, call)?;
    let account = call.field("serviceAccountId");
    state.service_account(account)?;
    let credentials = state.federations.iter().flat_map(|federation| &federation.credentials);
    let credentials = credentials.filter(|credential| credential.service_account_id == account);
    let mut credentials: Vec<_> = credentials.map(|credential| (credential.serial, credential)).collect();
    credentials.sort_by_key(|(serial, _)| *serial);
    state.page(call, "federatedCredentials", credentials.into_iter(), credential_message)
}

fn create_credential(state: &mut State, call: &Call) -> Result<Reply, Status> {
    administrator(state, call)?;
    let [account, federation_id, subject] =
        ["serviceAccountId", "federationId", "externalSubjectId"].map(|field| call.field(field).to_owned());
    state.service_account(&account)?;
    let serial = state.next_serial();
    let federation = state.federation(&federation_id).ok_or_else(|| Status::not_found("Federation", &federation_id))?;
    let same = |one: &FederatedCredential| one.external_subject_id == subject && one.service_account_id == account;
    if federation.credentials.iter().any(same) {
        return Err(Status::new(ALREADY_EXISTS, format!("Federated credential of {subject} already exists")));
    }
    let credential = FederatedCredential {
        id: shape::resource_id(),
        service_account_id: account,
        external_subject_id: subject,
        created_at: call.now,
        federation_id,
        serial,
    };
    let id = credential.id.clone();
    let operation = state.start(call, &id, Change::CreateFederatedCredential(credential));
    Ok(Reply::json(&operation::message(state, &operation)))
}

fn administrator(state: &State, call: &Call) -> Result<(), Status> {
    if state.may_do_everything(&call.caller().subject_id) {
        return Ok(());
    }
    Err(Status::new(PERMISSION_DENIED, "Permission denied"))
}

/// A federation as JSON; what has the default value of its type is left out.
pub(crate) fn message(federation: &Federation) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), federation.id.clone().into());
    fields.insert("name".to_owned(), federation.name.clone().into());
    fields.insert("folderId".to_owned(), federation.folder_id.clone().into());
    if federation.enabled {
        fields.insert("enabled".to_owned(), true.into());
    }
    if !federation.audiences.is_empty() {
        fields.insert("audiences".to_owned(), federation.audiences.clone().into());
    }
    fields.insert("issuer".to_owned(), federation.issuer.clone().into());
    fields.insert("jwksUrl".to_owned(), federation.jwks_url.clone().into());
    fields.insert("createdAt".to_owned(), clock::in_seconds(federation.created_at).into());
    fields.into()
}

/// A federated credential as JSON.
pub(crate) fn credential_message(credential: &FederatedCredential) -> Value {
    json!({
        "id": credential.id,
        "serviceAccountId": credential.service_account_id,
        "federationId": credential.federation_id,
        "externalSubjectId": credential.external_subject_id,
        "createdAt": clock::in_seconds(credential.created_at),
    })
}

/// Does what an operation of these services is to do; gives its response, or why it failed.
pub(crate) fn apply(state: &mut State, change: &Change) -> Option<Value> {
    match change {
        Change::CreateFederation(federation) => {
            state.federations.push(federation.clone());
            Some(message(federation))
        }
        Change::CreateFederatedCredential(credential) => {
            state.federation(&credential.federation_id)?.credentials.push(credential.clone());
            Some(credential_message(credential))
        }
        _ => None,
    }
}

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The fields of each grant, all of which are required, and no other.
const GRANTS: [(&str, &[&str]); 3] = [
    (TOKEN_EXCHANGE, &["requested_token_type", "audience", "subject_token", "subject_token_type"]),
    ("authorization_code", &["code", "code_verifier", "redirect_uri", "client_id"]),
    ("refresh_token", &["refresh_token", "client_id"]),
];

fn grant_type(text: &str) -> Result<(), String> {
    if GRANTS.iter().any(|(grant, _)| *grant == text) { Ok(()) } else { Err(format!("must be {TOKEN_EXCHANGE}")) }
}

fn token(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let grant = call.field("grant_type");
    let own = GRANTS.iter().find(|(name, _)| *name == grant).map_or(&[][..], |(_, fields)| fields);
    let mut violations = Violations::default();
    for field in GRANTS.iter().flat_map(|(_, fields)| fields.iter()) {
        match (own.contains(field), call.has(field)) {
            (true, false) => violations.add(field, "is required"),
            (false, true) => violations.add(field, "is not a field of this grant"),
            _ => {}
        }
    }
    violations.check()?;
    match grant {
        "authorization_code" => browser::exchange_code(state, call),
        "refresh_token" => browser::refresh(state, call),
        _ => exchange(state, call),
    }
}

fn exchange(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let account = call.field("audience").to_owned();
    let (federation, subject) = verify(state, call)
        .map_err(|rule| refusal(state, UNAUTHENTICATED, "invalid_request", format!("subject_token: {rule}")))?;
    let issuer = federation.issuer.clone();
    let binds = |credential: &FederatedCredential| {
        credential.external_subject_id == subject && credential.service_account_id == account
    };
    if !federation.credentials.iter().any(binds) {
        let text = format!("{subject} is not bound to the service account {account}");
        return Err(refusal(state, PERMISSION_DENIED, "invalid_target", text));
    }
    if state.service_account(&account).is_err() {
        return Err(refusal(state, NOT_FOUND, "invalid_target", format!("Service account {account} not found")));
    }
    let lifetime = state.settings.token_lifetime;
    let token = state.add_token(&account, lifetime, Grant::Federation { issuer, subject }, call.now);
    Ok(Reply::json(&json!({
        "access_token": token.value,
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs(),
    })))
}

fn refusal(state: &State, code: u32, error: &str, message: String) -> Status {
    let status = Status::new(code, message).named(error);
    if state.settings.federation_status_errors { status } else { status.http(400) }
}

/// The federation that trusts the token, and the token's subject; or the rule that it breaks.
fn verify<'a>(state: &'a State, call: &Call) -> Result<(&'a Federation, String), String> {
    let token = call.field("subject_token");
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        return Err("JWT: it must have three parts".to_owned());
    };
    let signed = &token[..token.len() - signature.len() - 1];
    let header = jwt::object(header, "header")?;
    let claims = jwt::object(claims, "claims")?;
    if header.get("alg") != Some(&json!("RS256")) {
        return Err("JWT: alg must be RS256".to_owned());
    }

    let issuer = jwt::text(&claims, "iss")?;
    let trusted: Vec<&Federation> = state.federations.iter().filter(|federation| federation.issuer == issuer).collect();
    let first = trusted.first().ok_or_else(|| format!("JWT: no federation trusts the issuer {issuer}"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "JWT: the signature is not base64url".to_owned())?;
    public_key(&issuer::key_set(&first.issuer), jwt::text(&header, "kid")?)?
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .map_err(|_| "JWT: the signature is wrong".to_owned())?;

    check_times(&claims, call.now.timestamp())?;
    let subject = jwt::text(&claims, "sub")?.to_owned();
    let meant = |audience: &str| match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(|value| value == audience),
        single => single.is_some_and(|value| value == audience),
    };
    let federation = trusted.into_iter().find(|federation| federation.audiences.iter().any(|audience| meant(audience)));
    let federation = federation.ok_or_else(|| "JWT: aud is not that of the federation".to_owned())?;
    if !federation.enabled {
        return Err("JWT: the federation is disabled".to_owned());
    }
    Ok((federation, subject))
}

fn public_key(key_set: &Value, key_id: &str) -> Result<RsaPublicKeyComponents<Vec<u8>>, String> {
    let keys = key_set["keys"].as_array().expect("a key set has keys");
    let key = keys.iter().find(|key| key["kid"] == key_id);
    let key = key.ok_or_else(|| format!("JWT: kid {key_id} is not in the issuer's key set"))?;
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect("text")).expect("base64url");
    Ok(RsaPublicKeyComponents { n: part("n"), e: part("e") })
}

fn check_times(claims: &Map<String, Value>, now: i64) -> Result<(), String> {
    if jwt::seconds(claims, "iat")? > now + jwt::SKEW {
        return Err("JWT: iat is in the future".to_owned());
    }
    if claims.contains_key("nbf") && jwt::seconds(claims, "nbf")? > now + jwt::SKEW {
        return Err("JWT: nbf is in the future".to_owned());
    }
    if jwt::seconds(claims, "exp")? <= now {
        return Err("JWT: exp is in the past".to_owned());
    }
    Ok(())
}
