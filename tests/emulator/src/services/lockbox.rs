//! Lockbox: secrets and their versions, which cannot be changed.
//! Source: `yandex/cloud/lockbox/v1/secret_service.proto`, `secret.proto`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::Emulator;
use crate::call::Call;
use crate::clock;
use crate::field::{self, Field};
use crate::reply::Reply;
use crate::route::Route;
use crate::services::operation;
use crate::shape;
use crate::state::{Change, State};
use crate::status::{FAILED_PRECONDITION, Status};

const SECRET: &str = "/lockbox/v1/secrets/{secretId}";
const VERSIONS: &str = "/lockbox/v1/secrets/{secretId}/versions";
const OPERATIONS: &str = "/lockbox/v1/secrets/{secretId}/operations";
const ADD_VERSION: &str = "/lockbox/v1/secrets/{secretId}:addVersion";

const PAGE: [Field; 2] =
    [Field::optional("pageSize", field::page_size), Field::optional("pageToken", field::page_token)];

pub(crate) const ROUTES: &[Route] = &[
    Route::get(SECRET, get),
    Route::get(VERSIONS, list_versions).query(&PAGE),
    Route::get(OPERATIONS, list_operations).query(&PAGE),
    Route::post(ADD_VERSION, add_version).body(&[
        Field::optional("description", description),
        Field::list("payloadEntries", entries),
        Field::optional("baseVersionId", field::id),
    ]),
];

/// A secret of Lockbox.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LockboxSecret {
    /// Resource ID.
    pub id: String,
    /// `ACTIVE`, `INACTIVE` or `CREATING`.
    pub status: String,
    /// Whether its versions are generated passwords.
    pub generates_passwords: bool,
    /// Its versions, the oldest first; the last one is current.
    pub versions: Vec<LockboxVersion>,
}

/// A version of a secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LockboxVersion {
    /// Resource ID.
    pub id: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Free text, may be empty.
    pub description: String,
    /// Its entries.
    pub entries: BTreeMap<String, String>,
    pub(crate) serial: u64,
}

/// Lockbox.
impl Emulator {
    /// Adds a secret with one version of these entries; gives its ID.
    pub fn add_lockbox_secret(&self, entries: &[(&str, &str)]) -> String {
        let now = self.now();
        let mut state = self.shared.state();
        let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let version = new_version(&mut state, String::new(), entries, now);
        let id = shape::resource_id();
        state.secrets.push(LockboxSecret {
            id: id.clone(),
            status: "ACTIVE".to_owned(),
            generates_passwords: false,
            versions: vec![version],
        });
        id
    }

    /// Changes a secret.
    pub fn edit_lockbox_secret(&self, id: &str, edit: impl FnOnce(&mut LockboxSecret)) {
        edit(self.shared.state().secrets.iter_mut().find(|secret| secret.id == id).expect("a known secret"));
    }

    /// A secret by its ID.
    pub fn lockbox_secret(&self, id: &str) -> LockboxSecret {
        self.shared.state().secrets.iter().find(|secret| secret.id == id).expect("a known secret").clone()
    }
}

fn new_version(
    state: &mut State,
    description: String,
    entries: BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> LockboxVersion {
    LockboxVersion { id: shape::resource_id(), created_at: now, description, entries, serial: state.next_serial() }
}

/// Source: `AddVersionRequest.description`.
fn description(text: &str) -> Result<(), String> {
    if text.chars().count() <= 256 { Ok(()) } else { Err("must be at most 256 characters".to_owned()) }
}

/// Source: `PayloadEntryChange`.
fn entries(text: &str) -> Result<(), String> {
    let list: Vec<Map<String, Value>> =
        serde_json::from_str(text).map_err(|_| "must be a list of objects".to_owned())?;
    for entry in &list {
        let key = entry.get("key").and_then(Value::as_str).unwrap_or_default();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./\\@".contains(c);
        if !(1..=256).contains(&key.len()) || !key.chars().all(allowed) {
            return Err("a key must be 1-256 characters of [-_./\\@0-9a-zA-Z]".to_owned());
        }
        if entry.get("textValue").and_then(Value::as_str).is_none_or(|value| value.len() > 65536) {
            return Err("textValue must be text of at most 65536 bytes".to_owned());
        }
        if let Some(other) = entry.keys().find(|name| !["key", "textValue"].contains(&name.as_str())) {
            return Err(format!("unknown field {other}"));
        }
    }
    Ok(())
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let secret = find(state, call)?;
    let mut fields = Map::new();
    fields.insert("id".to_owned(), secret.id.clone().into());
    fields.insert("status".to_owned(), secret.status.clone().into());
    if let Some(version) = secret.versions.last() {
        fields.insert("currentVersion".to_owned(), message(&secret.id, version));
    }
    if secret.generates_passwords {
        fields.insert("passwordPayloadSpecification".to_owned(), json!({"passwordKey": "password"}));
    }
    Ok(Reply::json(&fields.into()))
}

fn list_versions(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let secret = find(state, call)?;
    let versions = secret.versions.iter().map(|version| (version.serial, version));
    state.page(call, "versions", versions, |version| message(&secret.id, version))
}

fn list_operations(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let secret = find(state, call)?;
    let operations = state.operations.iter().filter(|operation| operation.access_key_id == secret.id);
    let operations = operations.map(|operation| (operation.serial, operation));
    state.page(call, "operations", operations, |operation| operation::message(state, operation))
}

/// The entries change those of the current version; the others stay.
fn add_version(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let secret = find(state, call)?;
    if secret.status != "ACTIVE" || secret.generates_passwords {
        return Err(Status::new(FAILED_PRECONDITION, "The secret takes no version"));
    }
    let base = match call.field("baseVersionId") {
        "" => secret.versions.last(),
        id => secret.versions.iter().find(|version| version.id == id),
    };
    let mut entries = base.map(|version| version.entries.clone()).unwrap_or_default();
    let changes: Vec<Value> = serde_json::from_str(call.field("payloadEntries")).unwrap_or_default();
    for change in changes {
        let text = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
        entries.insert(text("key"), text("textValue"));
    }
    let version = new_version(state, call.field("description").to_owned(), entries, call.now);
    let operation = state.start(call, &secret.id, Change::AddVersion(version));
    Ok(Reply::json(&operation::message(state, &operation)))
}

fn find(state: &State, call: &Call) -> Result<LockboxSecret, Status> {
    let id = call.path("secretId");
    let secret = state.secrets.iter().find(|secret| secret.id == id);
    let secret = secret.ok_or_else(|| Status::not_found("Secret", id))?;
    if state.may_do_everything(&call.caller().subject_id) {
        return Ok(secret.clone());
    }
    Err(Status::new(crate::status::PERMISSION_DENIED, "Permission denied"))
}

/// Of a version its keys are shown, and not its values.
pub(crate) fn message(secret_id: &str, version: &LockboxVersion) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), version.id.clone().into());
    fields.insert("secretId".to_owned(), secret_id.into());
    fields.insert("createdAt".to_owned(), clock::in_seconds(version.created_at).into());
    fields.insert("status".to_owned(), "ACTIVE".into());
    if !version.description.is_empty() {
        fields.insert("description".to_owned(), version.description.clone().into());
    }
    fields.insert("payloadEntryKeys".to_owned(), version.entries.keys().cloned().collect());
    fields.into()
}
