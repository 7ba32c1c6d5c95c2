//! A secret of Lockbox. The description of the version with the key names the rotation and the key, since its content
//! may not be readable.

use secrecy::SecretString;

use super::{Held, NotDelivered};
use crate::api::access_key::StaticKey;
use crate::api::lockbox;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keys::rotation_marker::Marker;
use crate::text::quote;

/// The entries for the two parts of a key.
pub struct Entries<'a> {
    /// For the key ID.
    pub key_id: &'a str,
    /// For the secret.
    pub secret: &'a str,
}

/// Checks that a version can be added to the secret, and waits for changes of it that are under way.
pub async fn check(secret_id: &str, context: &Context<'_>) -> Result<()> {
    let client = context.client()?;
    let secret = lockbox::get(client, secret_id).await.map_err(|error| about(error, "get", secret_id))?;
    let refused = |rule: &str| Err(Error::usage(format!("the Lockbox secret {} {rule}", quote::bare(secret_id))));
    if secret.generates_password {
        return refused("has generated passwords as its versions; use one of the custom type");
    }
    if secret.status != "ACTIVE" {
        return refused(&format!("is {}, but must be ACTIVE", quote::bare(&secret.status)));
    }
    for operation in lockbox::unfinished_operations(client, secret_id).await? {
        // Whether it failed is seen at the versions.
        match context.wait_for(operation, Some(secret_id)).await {
            Err(error) if error.exit_code() == 5 => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The resource ID of the newest key of the rotation that a version was added for.
pub async fn held(secret_id: &str, marker: &Marker, context: &Context<'_>) -> Result<Held> {
    let versions = lockbox::version_descriptions(context.client()?, secret_id).await;
    let versions = versions.map_err(|error| about(error, "list the versions of", secret_id))?;
    let begin = format!("{marker} ");
    let id = versions.iter().find_map(|description| description.strip_prefix(&begin)).map(str::to_owned);
    Ok(Held { id, key: None })
}

/// Adds a version with the key.
pub async fn deliver(
    secret_id: &str,
    entries: Entries<'_>,
    key: &StaticKey,
    marker: &Marker,
    context: &Context<'_>,
) -> Result<(), NotDelivered> {
    let id = SecretString::from(key.key_id.as_str());
    let contents = [(entries.key_id, &id), (entries.secret, &key.secret)];
    let add = async {
        let client = context.client()?;
        lockbox::add_version(client, secret_id, &format!("{marker} {}", key.id), &contents).await
    };
    let operation = add.await.map_err(|error| NotDelivered {
        // A request that was not answered may have added the version.
        certain: error.code().is_some() && error.exit_code() != 5,
        error: about(error, "add a version to", secret_id),
    })?;
    match context.wait_for(operation, Some(secret_id)).await {
        Ok(_) => Ok(()),
        // An Operation that failed has no HTTP status.
        Err(error) => Err(NotDelivered {
            certain: error.code().is_some() && error.exit_code() != 5,
            error: about(error, "add a version to", secret_id),
        }),
    }
}

fn about(error: Error, verb: &str, secret_id: &str) -> Error {
    error.context(format!("cannot {verb} the Lockbox secret {}", quote::bare(secret_id)))
}
