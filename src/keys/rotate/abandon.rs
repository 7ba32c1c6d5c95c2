//! Giving up a rotation.

use super::journal::Step;
use super::{run, step};
use crate::api::access_key::{self, AccessKey};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::keys::rotation_marker::Marker;
use crate::keys::static_key;
use crate::status::Code;

/// Deletes the keys of a rotation that is not finished, and forgets it. The old key stays, and so does a key that is in
/// use: the chosen one, or one at the destination.
///
/// # Errors
/// There is no such rotation, the server refuses, or a command was started with a key that it may have taken.
pub async fn abandon(old_id: &str, context: &Context<'_>) -> Result<()> {
    let (journal, entry) = run::take(old_id, context)?;
    run::check_endpoint(&journal, context).await?;
    let client = context.client()?;
    let keys = access_key::all(client, &journal.service_account_id).await?.keys;
    let may_be_used = journal.step == Step::Delivering && journal.destination.is_command();
    let kept: Option<AccessKey> = match (journal.step, &journal.new_id) {
        (Step::Delivered | Step::Deleted, Some(id)) => keys.iter().find(|key| key.id == *id).cloned(),
        (Step::Delivering, Some(id)) if may_be_used => keys.iter().find(|key| key.id == *id).cloned(),
        _ => {
            let held = journal.destination.held(&journal, context).await?.id;
            let is_held = |key: &&AccessKey| held.as_ref().is_some_and(|held| *held == key.key_id || *held == key.id);
            step::marked(&journal, &keys).find(is_held).cloned()
        }
    };
    for key in step::marked(&journal, &keys).filter(|key| kept.as_ref().is_none_or(|kept| kept.id != key.id)) {
        match static_key::delete(&key.id, context).await {
            Err(error) if error.code() == Some(Code::NotFound) => {}
            result => result?,
        }
    }
    match kept {
        Some(key) if may_be_used => {
            let id = key.id;
            return Err(Error::new(
                Kind::Conflict,
                format!("the command was started with the key {id}, and may use it"),
            )
            .hint(format!(
                "if it does, type: yc-rs iam access-key rotate --resume {old_id}; if not, delete the key, and abandon \
                     the rotation again: yc-rs iam access-key delete {id}"
            )));
        }
        Some(key) if Marker::parse(&key.description).is_some() => {
            static_key::update(&key.id, &journal.description, context).await?;
            context.log.note(&format!("the key {} stays, since it is in use", key.id));
        }
        _ => {}
    }
    entry.remove()
}
