//! `AccessKeyService`.
//! Source: `yandex/cloud/iam/v1/awscompatibility/access_key_service.proto`.

use serde_json::{Map, Value, json};

use crate::Emulator;
use crate::call::Call;
use crate::clock;
use crate::field::{self, Field};
use crate::reply::Reply;
use crate::route::Route;
use crate::services::operation;
use crate::state::{AccessKey, CLOUD_ID, Change, Message, State};
use crate::status::{PERMISSION_DENIED, RESOURCE_EXHAUSTED, Status};

const KEYS: &str = "/iam/aws-compatibility/v1/accessKeys";
const KEY: &str = "/iam/aws-compatibility/v1/accessKeys/{accessKeyId}";
const KEY_OPERATIONS: &str = "/iam/aws-compatibility/v1/accessKeys/{accessKeyId}/operations";

pub(crate) const ROUTES: &[Route] = &[
    Route::get(KEYS, list).query(&[
        Field::optional("serviceAccountId", field::id),
        Field::optional("pageSize", field::page_size),
        Field::optional("pageToken", field::page_token),
    ]),
    Route::get(KEY, get),
    Route::post(KEYS, create)
        .body(&[Field::optional("serviceAccountId", field::id), Field::optional("description", field::description)]),
    Route::patch(KEY, update)
        .body(&[Field::optional("updateMask", field::update_mask), Field::optional("description", field::description)]),
    Route::delete(KEY, delete),
    Route::get(KEY_OPERATIONS, list_operations)
        .query(&[Field::optional("pageSize", field::page_size), Field::optional("pageToken", field::page_token)]),
];

/// Lists that are behind.
impl Emulator {
    /// Lets the keys that are made from now on be missing in this many lists.
    pub fn set_list_lag(&self, lists: usize) {
        let mut state = self.shared.state();
        let newest = state.next_serial();
        state.list_lag = (lists, newest);
    }
}

fn list(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let owner = state.account_for(call, "serviceAccountId")?;
    if state.unreadable.contains(&owner) {
        return Err(Status::new(PERMISSION_DENIED, "Permission denied"));
    }
    let newest = match &mut state.list_lag {
        (0, _) => u64::MAX,
        (left, newest) => {
            *left -= 1;
            *newest
        }
    };
    let keys = state.access_keys.iter().filter(|key| key.service_account_id == owner && key.serial <= newest);
    state.page(call, "accessKeys", keys.map(|key| (key.serial, key)), |key| message(state, key, false))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let key = find(state, call)?;
    Ok(Reply::json(&message(state, &key, false)))
}

/// Makes a key and returns it at once. An idempotency key changes nothing: whether the service minds it here is
/// not known, and a client must not count on it.
fn create(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let owner = state.account_for(call, "serviceAccountId")?;
    if state.access_keys.len() >= state.settings.access_key_quota {
        // Source: IAM docs, quotas and limits; CLI docs, troubleshooting, for the text.
        let text = "Quota limit iam.accessKeys.count exceeded";
        return Err(Status::new(RESOURCE_EXHAUSTED, text).detail(json!({
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"subject": format!("cloud:{CLOUD_ID}"), "description": text}],
        })));
    }
    let key = state.add_access_key(&owner, call.field("description"), call.now);
    Ok(Reply::json(&json!({"accessKey": message(state, &key, true), "secret": key.secret})))
}

/// Without a mask all fields are set, those that are missing to their defaults; so is a masked field without a value.
/// Description is the only one there is, so the effect is the same.
fn update(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let key = find(state, call)?;
    let description = call.field("description").to_owned();
    let operation = state.start(call, &key.id, Change::Update { description });
    Ok(Reply::json(&operation::message(state, &operation)))
}

fn delete(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let key = find(state, call)?;
    let operation = state.start(call, &key.id, Change::Delete);
    Ok(Reply::json(&operation::message(state, &operation)))
}

fn list_operations(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let key = find(state, call)?;
    let operations = state.operations.iter().filter(|operation| operation.access_key_id == key.id);
    let operations = operations.map(|operation| (operation.serial, operation));
    state.page(call, "operations", operations, |operation| operation::message(state, operation))
}

/// The key in the path, if it is there and the caller may touch it.
fn find(state: &State, call: &Call) -> Result<AccessKey, Status> {
    let id = call.path("accessKeyId");
    let key = state.access_keys.iter().find(|key| key.id == id);
    let key = key.ok_or_else(|| Status::not_found("Access key", id))?;
    state.authorize(call, &key.service_account_id)?;
    Ok(key.clone())
}

/// Empty fields are left out.
pub(crate) fn message(state: &State, key: &AccessKey, just_made: bool) -> Value {
    let time = if just_made { clock::exact } else { clock::in_seconds };
    let mut fields = Map::new();
    fields.insert("id".to_owned(), key.id.clone().into());
    fields.insert("serviceAccountId".to_owned(), key.service_account_id.clone().into());
    fields.insert("createdAt".to_owned(), time(key.created_at).into());
    if !key.description.is_empty() {
        fields.insert("description".to_owned(), key.description.clone().into());
    }
    fields.insert("keyId".to_owned(), key.key_id.clone().into());
    if let Some(time) = key.last_used_at {
        fields.insert("lastUsedAt".to_owned(), clock::in_seconds(time).into());
    }
    state.with_extra_fields(Message::AccessKey, fields)
}
