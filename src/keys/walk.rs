//! From organization to cloud to folder to service account: there is no list of keys but that of an account.
//!
//! Source: yandex-cloud/docs, `en/_includes/security/standard/authentication.md`, which walks the same way.

use serde_json::Value;

use super::concurrent::for_each;
use crate::api::pages::{MAX_PAGE_SIZE, Pages};
use crate::api::{Client, cloud, folder, service_account};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::status::Code;
use crate::text::quote;

/// Which service accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The one of this ID.
    Account(String),
    /// Those of the folder of this ID.
    Folder(String),
    /// Those of every folder of the cloud of this ID.
    Cloud(String),
    /// Those of every folder of every cloud of the organization of this ID.
    Organization(String),
}

/// A folder, or another resource with a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The ID.
    pub id: String,
    /// The name; empty when it cannot be read.
    pub name: String,
}

/// A service account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The ID.
    pub id: String,
    /// The name; empty when it is not known.
    pub name: String,
    /// Its folder.
    pub folder: Named,
    /// When it last authenticated, as RFC 3339; empty when that is not known.
    pub last_authenticated_at: String,
}

/// The service accounts that were found.
#[derive(Debug, Default)]
pub struct Walk {
    /// They, in no order.
    pub accounts: Vec<Account>,
    /// How many folders were read.
    pub folders: usize,
    /// What could not be read.
    pub failures: Vec<Error>,
}

/// Finds the service accounts of a scope. A cloud or folder below the scope that cannot be read is a failure; one that
/// has been deleted meanwhile is left out.
///
/// # Errors
/// The scope itself cannot be read.
pub async fn accounts(scope: &Scope, context: &Context<'_>) -> Result<Walk> {
    let client = context.client()?;
    let mut walk = Walk::default();
    let clouds = match scope {
        Scope::Account(id) => {
            let account = account_by_id(client, id).await?;
            return Ok(Walk { accounts: vec![account], folders: 1, ..walk });
        }
        Scope::Folder(id) => {
            let found = accounts_of(client, &folder_by_id(client, id).await).await;
            walk.accounts = found.map_err(|error| context.about_folder(error))?;
            walk.folders = 1;
            return Ok(walk);
        }
        Scope::Cloud(id) => vec![Named { id: id.clone(), name: String::new() }],
        Scope::Organization(id) => clouds_of(client, id).await?,
    };
    let mut folders = Vec::new();
    for found in for_each(&clouds, async |cloud: &Named| folders_of(client, cloud).await).await {
        match found {
            Err(error) if matches!(scope, Scope::Cloud(_)) => return Err(error),
            found => walk.add(found, &mut folders),
        }
    }
    let found = for_each(&folders, async |folder: &Named| accounts_of(client, folder).await).await;
    let mut accounts = Vec::new();
    for found in found {
        walk.folders += usize::from(found.is_ok());
        walk.add(found, &mut accounts);
    }
    walk.accounts = accounts;
    Ok(walk)
}

impl Walk {
    /// Adds what was found in one place, or why nothing was.
    fn add<T>(&mut self, found: Result<Vec<T>>, to: &mut Vec<T>) {
        match found {
            Ok(found) => to.extend(found),
            Err(error) if error.code() == Some(Code::NotFound) => {}
            Err(error) => self.failures.push(error),
        }
    }
}

async fn clouds_of(client: &Client<'_>, organization: &str) -> Result<Vec<Named>> {
    let call = async |size: &str, token: &str| cloud::list(client, Some(organization), size, token).await;
    let clouds = all(call, "clouds").await;
    let about = |error: Error| error.context(format!("cannot list the clouds of the organization {organization}"));
    Ok(clouds.map_err(about)?.iter().map(named).collect())
}

async fn folders_of(client: &Client<'_>, cloud: &Named) -> Result<Vec<Named>> {
    let call = async |size: &str, token: &str| folder::list(client, &cloud.id, "", size, token).await;
    let folders = all(call, "folders").await;
    let about =
        |error: Error| error.context(format!("cannot list the folders of the cloud {}", shown(&cloud.name, &cloud.id)));
    Ok(folders.map_err(about)?.iter().map(named).collect())
}

async fn accounts_of(client: &Client<'_>, folder: &Named) -> Result<Vec<Account>> {
    let call =
        async |size: &str, token: &str| service_account::list(client, &folder.id, None, size, token).await?.into_json();
    let accounts = all(call, "serviceAccounts").await;
    let about = |error: Error| {
        error.context(format!("cannot list the service accounts of the folder {}", shown(&folder.name, &folder.id)))
    };
    Ok(accounts.map_err(about)?.iter().map(|raw| account(raw, folder.clone())).collect())
}

async fn account_by_id(client: &Client<'_>, id: &str) -> Result<Account> {
    let raw = service_account::get(client, id).await;
    let about = |error: Error| error.context(format!("cannot get the service account {}", quote::value(id)));
    let raw = raw.map_err(about)?;
    let folder = folder_by_id(client, raw["folderId"].as_str().unwrap_or_default()).await;
    Ok(account(&raw, folder))
}

/// The folder of an ID; without its name when that cannot be read.
async fn folder_by_id(client: &Client<'_>, id: &str) -> Named {
    let name = folder::get(client, id).await.map(|raw| named(&raw).name).unwrap_or_default();
    Named { id: id.to_owned(), name }
}

async fn all(call: impl AsyncFn(&str, &str) -> Result<Value>, items: &'static str) -> Result<Vec<Value>> {
    let pages = Pages { call, items, limit: usize::MAX, page_size: MAX_PAGE_SIZE, follow: true, keep: &|_| true };
    Ok(pages.collect().await?.items)
}

fn named(raw: &Value) -> Named {
    let text = |field: &str| raw[field].as_str().unwrap_or_default().to_owned();
    Named { id: text("id"), name: text("name") }
}

fn account(raw: &Value, folder: Named) -> Account {
    let last_authenticated_at = raw["lastAuthenticatedAt"].as_str().unwrap_or_default().to_owned();
    let Named { id, name } = named(raw);
    Account { id, name, folder, last_authenticated_at }
}

impl Account {
    /// The name and the ID, for messages.
    pub fn shown(&self) -> String {
        shown(&self.name, &self.id)
    }
}

fn shown(name: &str, id: &str) -> String {
    match name {
        "" => quote::bare(id),
        name => format!("{} ({})", quote::bare(name), quote::bare(id)),
    }
}
