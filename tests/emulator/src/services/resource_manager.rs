//! `CloudService` and `FolderService`, as far as they are needed to find IDs.
//! Source: `yandex/cloud/resourcemanager/v1/folder_service.proto`, `folder.proto`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::Emulator;
use crate::call::Call;
use crate::clock;
use crate::field::{self, Field};
use crate::reply::Reply;
use crate::route::Route;
use crate::services::service_account;
use crate::shape;
use crate::state::{Message, State};
use crate::status::{PERMISSION_DENIED, Status};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/resource-manager/v1/clouds", list_clouds).query(&[
        Field::optional("pageSize", field::page_size),
        Field::optional("pageToken", field::page_token),
        Field::optional("filter", field::name_filter),
        Field::optional("organizationId", field::id),
    ]),
    Route::get("/resource-manager/v1/clouds/{cloudId}", get_cloud),
    Route::get("/resource-manager/v1/folders", list_folders).query(&[
        Field::required("cloudId", field::id),
        Field::optional("pageSize", field::page_size),
        Field::optional("pageToken", field::page_token),
        Field::optional("filter", field::name_filter),
    ]),
    Route::get("/resource-manager/v1/folders/{folderId}", get_folder),
];

/// A cloud.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cloud {
    /// Resource ID.
    pub id: String,
    /// Name.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// The organization that it belongs to.
    pub organization_id: String,
    pub(crate) serial: u64,
}

/// A folder of a cloud.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Folder {
    /// Resource ID.
    pub id: String,
    /// The cloud it belongs to.
    pub cloud_id: String,
    /// Name, unique in the cloud.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Free-form labels, in order.
    pub labels: Vec<(String, String)>,
    pub(crate) serial: u64,
}

/// Clouds and folders.
impl Emulator {
    /// Adds a cloud; gives its ID.
    pub fn add_cloud(&self, name: &str) -> String {
        let id = shape::cloud_id();
        self.shared.state().add_cloud(&id, name, self.now());
        id
    }

    /// The clouds in the order in which they were made.
    pub fn clouds(&self) -> Vec<Cloud> {
        self.shared.state().clouds.clone()
    }

    /// Adds a folder; gives its ID.
    pub fn add_folder(&self, cloud_id: &str, name: &str) -> String {
        let id = shape::cloud_id();
        self.shared.state().add_folder(&id, cloud_id, name, self.now());
        id
    }

    /// The folders in the order in which they were made.
    pub fn folders(&self) -> Vec<Folder> {
        self.shared.state().folders.clone()
    }

    /// Sets the labels of a folder or service account: keys and values are free-form.
    ///
    /// # Panics
    /// When nothing has this ID.
    pub fn set_labels(&self, id: &str, labels: &[(&str, &str)]) {
        let state = &mut *self.shared.state();
        let folder = state.folders.iter_mut().find(|folder| folder.id == id).map(|folder| &mut folder.labels);
        let account = state.service_accounts.iter_mut().find(|account| account.id == id);
        let place = folder.or(account.map(|account| &mut account.labels)).expect("a known folder or service account");
        *place = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    }
}

/// A caller without rights sees an empty list: it shows what one may see.
fn list_clouds(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let sees_all = state.may_do_everything(&call.caller().subject_id);
    let name = field::filtered_name(call.field("filter"));
    let organization = call.field("organizationId");
    let clouds = state.clouds.iter().filter(|cloud| sees_all && name.is_none_or(|name| cloud.name == name));
    let clouds = clouds.filter(|cloud| organization.is_empty() || cloud.organization_id == organization);
    state.page(call, "clouds", clouds.map(|cloud| (cloud.serial, cloud)), |cloud| cloud_message(state, cloud))
}

fn get_cloud(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    Ok(Reply::json(&cloud_message(state, cloud(state, call.path("cloudId"))?)))
}

fn list_folders(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    let cloud_id = &cloud(state, call.field("cloudId"))?.id;
    let name = field::filtered_name(call.field("filter"));
    let folders = state.folders.iter().filter(|folder| folder.cloud_id == *cloud_id);
    let folders = folders.filter(|folder| name.is_none_or(|name| folder.name == name));
    state.page(call, "folders", folders.map(|folder| (folder.serial, folder)), |folder| folder_message(state, folder))
}

fn get_folder(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    let id = call.path("folderId");
    let folder = state.folders.iter().find(|folder| folder.id == id);
    Ok(Reply::json(&folder_message(state, folder.ok_or_else(|| Status::not_found("Folder", id))?)))
}

fn authorize(state: &State, call: &Call) -> Result<(), Status> {
    if state.may_do_everything(&call.caller().subject_id) {
        return Ok(());
    }
    Err(Status::new(PERMISSION_DENIED, "Permission denied"))
}

fn cloud<'a>(state: &'a State, id: &str) -> Result<&'a Cloud, Status> {
    state.clouds.iter().find(|cloud| cloud.id == id).ok_or_else(|| Status::not_found("Cloud", id))
}

fn cloud_message(state: &State, cloud: &Cloud) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), cloud.id.clone().into());
    fields.insert("createdAt".to_owned(), clock::in_seconds(cloud.created_at).into());
    fields.insert("name".to_owned(), cloud.name.clone().into());
    fields.insert("organizationId".to_owned(), cloud.organization_id.clone().into());
    state.with_extra_fields(Message::Cloud, fields)
}

fn folder_message(state: &State, folder: &Folder) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), folder.id.clone().into());
    fields.insert("cloudId".to_owned(), folder.cloud_id.clone().into());
    fields.insert("createdAt".to_owned(), clock::in_seconds(folder.created_at).into());
    fields.insert("name".to_owned(), folder.name.clone().into());
    if !folder.labels.is_empty() {
        fields.insert("labels".to_owned(), service_account::labels(&folder.labels));
    }
    fields.insert("status".to_owned(), "ACTIVE".into());
    state.with_extra_fields(Message::Folder, fields)
}
