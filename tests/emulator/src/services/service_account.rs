//! `ServiceAccountService`, as far as it is needed to find IDs.
//! Source: `yandex/cloud/iam/v1/service_account_service.proto`.

use serde_json::{Map, Value};

use crate::call::Call;
use crate::clock;
use crate::field::{self, Field};
use crate::reply::Reply;
use crate::route::Route;
use crate::state::{Message, ServiceAccount, State};
use crate::status::{PERMISSION_DENIED, Status};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/iam/v1/serviceAccounts", list).query(&[
        Field::required("folderId", field::id),
        Field::optional("pageSize", field::page_size),
        Field::optional("pageToken", field::page_token),
        Field::optional("filter", field::name_filter),
    ]),
    Route::get("/iam/v1/serviceAccounts/{serviceAccountId}", get),
];

fn list(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let folder_id = call.field("folderId");
    if !state.may_do_everything(&call.caller().subject_id) || state.unreadable.contains(folder_id) {
        return Err(Status::new(PERMISSION_DENIED, "Permission denied"));
    }
    if !state.folders.iter().any(|folder| folder.id == folder_id) {
        return Err(Status::not_found("Folder", folder_id));
    }
    let name = field::filtered_name(call.field("filter"));
    let accounts = state.service_accounts.iter().filter(|account| account.folder_id == folder_id);
    let accounts = accounts.filter(|account| name.is_none_or(|name| account.name == name));
    let accounts = accounts.map(|account| (account.serial, account));
    state.page(call, "serviceAccounts", accounts, |account| message(state, account))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let id = call.path("serviceAccountId");
    state.authorize(call, id)?;
    Ok(Reply::json(&message(state, state.service_account(id)?)))
}

fn message(state: &State, account: &ServiceAccount) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), account.id.clone().into());
    fields.insert("folderId".to_owned(), account.folder_id.clone().into());
    fields.insert("createdAt".to_owned(), clock::in_seconds(account.created_at).into());
    fields.insert("name".to_owned(), account.name.clone().into());
    if !account.description.is_empty() {
        fields.insert("description".to_owned(), account.description.clone().into());
    }
    if !account.labels.is_empty() {
        fields.insert("labels".to_owned(), labels(&account.labels));
    }
    if let Some(time) = account.last_authenticated_at {
        fields.insert("lastAuthenticatedAt".to_owned(), clock::in_seconds(time).into());
    }
    fields.insert("status".to_owned(), "ACTIVE".into());
    state.with_extra_fields(Message::ServiceAccount, fields)
}

/// Labels are a map whose keys are free-form.
pub(crate) fn labels(labels: &[(String, String)]) -> Value {
    labels.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect::<Map<_, _>>().into()
}
