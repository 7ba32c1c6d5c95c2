//! Delivering the new key: one file a kind of destination.

mod aws_profile;
mod command;
mod lockbox;
mod output_file;

use super::journal::Journal;
use super::target::Destination;
use crate::api::access_key::StaticKey;
use crate::api::sigv4::SigningKey;
use crate::context::Context;
use crate::credentials::Storage;
use crate::error::{Error, Result};

/// A destination that the key can be written to.
pub enum Prepared {
    /// See [`Destination::AwsProfile`]. The lock of the file is held.
    AwsProfile(Box<aws_profile::Writer>),
    /// See [`Destination::Output`].
    Output(output_file::Writer),
    /// See [`Destination::Lockbox`]: nothing has to be prepared.
    Lockbox,
    /// See [`Destination::Command`]: nothing has to be prepared.
    Command,
}

/// The key at a destination.
#[derive(Debug, Default)]
pub struct Held {
    /// Its key ID, or its resource ID for a secret of Lockbox.
    pub id: Option<String>,
    /// The key, where the destination shows the secret.
    pub key: Option<SigningKey>,
}

/// Why the key is not at the destination.
pub struct NotDelivered {
    /// Why.
    pub error: Error,
    /// Whether the key is certainly not there.
    pub certain: bool,
}

impl NotDelivered {
    fn certainly(error: Error) -> Self {
        Self { error, certain: true }
    }
}

impl Destination {
    /// Whether a key can be delivered, as far as that can be known without a key. Nothing is changed.
    ///
    /// # Errors
    /// It cannot; the destination holds another key than the old one and those of this rotation.
    pub async fn check(&self, journal: &Journal, own_key_ids: &[&str], context: &Context<'_>) -> Result<()> {
        match self {
            Self::AwsProfile { .. } | Self::Output { .. } => {
                let held = self.held(journal, context).await?.id;
                match held.filter(|held| *held != journal.old_key_id && !own_key_ids.contains(&held.as_str())) {
                    None => Ok(()),
                    Some(other) => Err(Error::usage(format!(
                        "{self} holds the key {other}, and not {}, the key to replace",
                        journal.old_key_id
                    ))
                    .hint("name the destination of the key to replace, or a new one")),
                }
            }
            Self::Lockbox { secret_id, .. } => lockbox::check(secret_id, context).await,
            Self::Command { command, .. } => command::check(command, context),
        }
    }

    /// The key that is at the destination.
    ///
    /// # Errors
    /// The destination cannot be read, or is something else.
    pub async fn held(&self, journal: &Journal, context: &Context<'_>) -> Result<Held> {
        match self {
            Self::AwsProfile { profile, file } => aws_profile::held(profile, file, context),
            Self::Output { file } => output_file::held(file),
            Self::Lockbox { secret_id, .. } => lockbox::held(secret_id, &journal.marker, context).await,
            Self::Command { .. } => Ok(Held::default()),
        }
    }

    /// Does everything that can fail or wait before there is a key.
    ///
    /// # Errors
    /// The destination cannot be written.
    pub async fn prepare(&self, storage: Option<&Storage>, context: &Context<'_>) -> Result<Prepared> {
        Ok(match self {
            Self::AwsProfile { profile, file } => {
                Prepared::AwsProfile(Box::new(aws_profile::prepare(profile, file, storage, context).await?))
            }
            Self::Output { file } => Prepared::Output(output_file::prepare(file)?),
            Self::Lockbox { .. } => Prepared::Lockbox,
            Self::Command { .. } => Prepared::Command,
        })
    }

    /// Delivers the key.
    ///
    /// # Errors
    /// The key is not at the destination, or that is not known.
    pub async fn deliver(
        &self,
        prepared: Prepared,
        key: &StaticKey,
        journal: &Journal,
        storage: Option<Storage>,
        context: &Context<'_>,
    ) -> Result<(), NotDelivered> {
        match (self, prepared) {
            (_, Prepared::AwsProfile(writer)) => writer.write(key).map_err(NotDelivered::certainly),
            (_, Prepared::Output(writer)) => writer.write(key, &journal.description).map_err(NotDelivered::certainly),
            (Self::Lockbox { secret_id, key_id_entry, secret_entry }, _) => {
                let entries = lockbox::Entries { key_id: key_id_entry, secret: secret_entry };
                lockbox::deliver(secret_id, entries, key, &journal.marker, context).await
            }
            (Self::Command { command, directory }, _) => {
                let storage = storage.unwrap_or_default();
                let run = command::run(command, directory, key, &journal.old_key_id, storage, context).await;
                run.map_err(|error| NotDelivered { error, certain: false })
            }
            _ => Err(NotDelivered::certainly(Error::internal("the destination was not prepared"))),
        }
    }
}
