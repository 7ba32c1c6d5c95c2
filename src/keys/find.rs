//! Finding a static key by its key ID, the one that S3 clients and logs show: the API knows keys by their resource ID.

use std::ops::ControlFlow;

use super::concurrent::until;
use super::walk::{Account, Scope, accounts};
use crate::api::access_key::{self, AccessKey};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::status::{Code, Status};
use crate::text::quote;

/// What was searched without success.
pub enum NotFound {
    /// Everything was read, and the key is not there.
    Nowhere(Error),
    /// Something could not be read, so that the key may be there.
    Unknown(Vec<Error>),
}

/// Finds the key of this key ID. The search ends at the first hit.
///
/// # Errors
/// There is no such key in the scope, or something could not be read.
pub async fn by_key_id(key_id: &str, scope: &Scope, context: &Context<'_>) -> Result<AccessKey, NotFound> {
    let unknown = |error| NotFound::Unknown(vec![error]);
    let client = context.client().map_err(unknown)?;
    let (accounts, folders, mut failures) = match scope {
        // Neither the account nor its folder needs to be read.
        Scope::Account(id) => {
            let mut account = Account::default();
            account.id.clone_from(id);
            (vec![account], 0, Vec::new())
        }
        scope => {
            let walk = accounts(scope, context).await.map_err(unknown)?;
            (walk.accounts, walk.folders, walk.failures)
        }
    };
    let keys = async |account: &Account| access_key::all(client, &account.id).await;
    let mut read = 0;
    let found = until(&accounts, keys, |position, keys| match keys {
        Ok(keys) => {
            read += 1;
            match keys.keys.into_iter().find(|key| key.key_id == key_id) {
                Some(key) => ControlFlow::Break(key),
                None => ControlFlow::Continue(()),
            }
        }
        Err(error) if error.code() == Some(Code::NotFound) => {
            read += 1;
            ControlFlow::Continue(())
        }
        Err(error) => {
            let account = accounts[position].shown();
            failures.push(error.context(format!("cannot list the access keys of the service account {account}")));
            ControlFlow::Continue(())
        }
    });
    if let Some(key) = found.await {
        return Ok(key);
    }
    if !failures.is_empty() {
        return Err(NotFound::Unknown(failures));
    }
    let key_id = quote::value(key_id);
    let searched = match scope {
        Scope::Account(id) => format!("searched the service account {id}"),
        Scope::Folder(id) => format!("searched {} of the folder {id}", many(read, "service account")),
        Scope::Cloud(id) => {
            format!("searched {} of {} of the cloud {id}", many(read, "service account"), many(folders, "folder"))
        }
        Scope::Organization(id) => format!(
            "searched {} of {} of the organization {id}",
            many(read, "service account"),
            many(folders, "folder")
        ),
    };
    let message = format!("there is no access key with the key ID {key_id}: {searched}");
    let status = Status { code: Code::NotFound, message, details: vec![] };
    Err(NotFound::Nowhere(Error::refused(None, status)))
}

fn many(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
