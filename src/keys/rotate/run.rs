//! Carrying a rotation out, from where its journal says that it stands.

use chrono::{SecondsFormat, Utc};
use serde_json::Value;

use super::destination::{NotDelivered, Prepared};
use super::journal::{Entry, Journal, Journals, Step, VERSION, Verification};
use super::step::{self, Next};
use super::target::Destination;
use super::verify::verify;
use crate::api::access_key::{self, AccessKey, StaticKey};
use crate::api::sigv4::SigningKey;
use crate::context::Context;
use crate::credentials::Storage;
use crate::endpoints::Service;
use crate::error::{Error, Kind, Result};
use crate::keys::rotation_marker::Marker;
use crate::keys::static_key;
use crate::keys::storage::storage;
use crate::status::{Code, Status};
use crate::text::quote;

/// What is to be rotated, and how.
#[derive(Debug)]
pub struct Request {
    /// The resource ID of the key to replace.
    pub old_id: String,
    /// The description of the new key; `None`: that of the old one.
    pub description: Option<String>,
    /// Whether the old key is not deleted.
    pub keep_old: bool,
    /// Whether and how long the new key is tried.
    pub verification: Verification,
    /// Where the new key goes.
    pub destination: Destination,
}

/// Replaces a key, and returns the new one as received. A rotation of the key that is not finished goes on when its
/// destination is the same.
///
/// # Errors
/// The destination cannot be used, the server refuses, or the rotation is not finished; the error then says how to go on.
pub async fn start(request: Request, context: &Context<'_>) -> Result<Value> {
    let entry = Journals::open(context.env)?.take(&request.old_id)?;
    if let Some(journal) = entry.read()? {
        if journal.destination == request.destination {
            return go_on(journal, entry, context).await;
        }
        let (id, destination) = (&journal.old_id, &journal.destination);
        return Err(Error::new(Kind::Conflict, format!("a rotation of {id} to {destination} is not finished")).hint(
            format!("to finish it, type: yc-rs iam access-key rotate --resume {id}; to give it up: --abandon {id}"),
        ));
    }
    if let Destination::Command { .. } = &request.destination {
        // What can be wrong without the server is found before a request.
        request.destination.check(&empty_journal(&request), &[], context).await?;
    }
    let found = access_key::get(context.client()?, &request.old_id).await;
    let old = AccessKey::parse(&found.map_err(|error| static_key::about_key(error, "rotate", &request.old_id))?);
    let journal = Journal {
        old_key_id: old.key_id,
        service_account_id: old.service_account_id,
        endpoint: endpoint(context).await?,
        description: request.description.clone().unwrap_or_else(|| Marker::strip(&old.description).to_owned()),
        ..empty_journal(&request)
    };
    journal.destination.check(&journal, &[], context).await?;
    let storage = storage_of(&journal, context).await?;
    entry.write(&journal)?;
    Rotation { journal, entry, storage, is_new: true, context }.run().await
}

/// Goes on with a rotation that is not finished, and returns the new key as received.
///
/// # Errors
/// There is no such rotation, another endpoint is in force, or those of [`start`].
pub async fn resume(old_id: &str, context: &Context<'_>) -> Result<Value> {
    let (journal, entry) = take(old_id, context)?;
    go_on(journal, entry, context).await
}

/// The journal of a rotation that is not finished.
///
/// # Errors
/// There is none, another process holds it, or another endpoint is in force.
pub(super) fn take(old_id: &str, context: &Context<'_>) -> Result<(Journal, Entry)> {
    let entry = Journals::open(context.env)?.take(old_id)?;
    let Some(journal) = entry.read()? else {
        let message = format!("there is no unfinished rotation of {}", quote::value(old_id));
        let status = Status { code: Code::NotFound, message, details: vec![] };
        return Err(Error::refused(None, status).hint("to list them, type: yc-rs iam access-key rotate --unfinished"));
    };
    Ok((journal, entry))
}

async fn go_on(journal: Journal, entry: Entry, context: &Context<'_>) -> Result<Value> {
    check_endpoint(&journal, context).await?;
    let storage = storage_of(&journal, context).await?;
    Rotation { journal, entry, storage, is_new: false, context }.run().await
}

/// Checks that the keys of the journal are those of the endpoint in force.
pub(super) async fn check_endpoint(journal: &Journal, context: &Context<'_>) -> Result<()> {
    let endpoint = endpoint(context).await?;
    if endpoint == journal.endpoint {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the rotation of {} is about the endpoint {}, but {} is in force",
        journal.old_id,
        quote::bare(&journal.endpoint),
        quote::bare(&endpoint)
    )))
}

async fn endpoint(context: &Context<'_>) -> Result<String> {
    context.endpoints()?.base(Service::Iam, &context.http()).await
}

/// Where the storage is, for a rotation that needs to know.
async fn storage_of(journal: &Journal, context: &Context<'_>) -> Result<Option<Storage>> {
    let needed = journal.verification.limit().is_some() || journal.destination.needs_storage();
    if needed { storage(None, context).await.map(Some) } else { Ok(None) }
}

/// A journal without what the server knows.
fn empty_journal(request: &Request) -> Journal {
    Journal {
        version: VERSION,
        old_id: request.old_id.clone(),
        old_key_id: String::new(),
        service_account_id: String::new(),
        endpoint: String::new(),
        marker: Marker { old_id: request.old_id.clone(), uuid: uuid::Uuid::new_v4().to_string() },
        description: String::new(),
        keep_old: request.keep_old,
        verification: request.verification,
        destination: request.destination.clone(),
        step: Step::Creating,
        new_id: None,
        started_at: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

/// A rotation that is being carried out. Its journal is on the disk, and no other process works on it.
struct Rotation<'a, 'c> {
    journal: Journal,
    entry: Entry,
    storage: Option<Storage>,
    /// Whether nothing has been done yet.
    is_new: bool,
    context: &'a Context<'c>,
}

impl Rotation<'_, '_> {
    async fn run(mut self) -> Result<Value> {
        let context = self.context;
        let id = self.journal.old_id.clone();
        let command = if self.journal.destination.is_command() {
            format!("; to give it up: yc-rs iam access-key rotate --abandon {id}")
        } else {
            String::new()
        };
        let advice =
            format!("the rotation is not finished; to go on, type: yc-rs iam access-key rotate --resume {id}{command}");
        // On the heap, since several futures would hold it.
        let work = Box::pin(self.advance());
        let result = context.resumable(advice.clone(), work).await;
        result.map_err(|error| {
            let is_kept = matches!(self.entry.read(), Ok(Some(_)));
            let is_said = matches!(error.kind(), Kind::Timeout | Kind::Network);
            if is_kept && !is_said { error.urgent_hint(advice) } else { error }
        })
    }

    async fn advance(&mut self) -> Result<Value> {
        if matches!(self.journal.step, Step::Creating | Step::Delivering) {
            let id = self.key_at_destination().await?;
            self.write(Step::Delivered, Some(id))?;
        }
        let Some(id) = self.journal.new_id.clone() else {
            return Err(Error::internal("the journal names no new key"));
        };
        if self.journal.step == Step::Delivered {
            self.delete_others(&id).await?;
            if self.journal.keep_old {
                let old = &self.journal.old_id;
                self.note(&format!(
                    "the old key is not deleted; to delete it, type: yc-rs iam access-key delete {old}"
                ));
            } else {
                self.delete(&self.journal.old_id).await?;
                self.note(&format!("the old key {} is deleted", self.journal.old_id));
            }
            self.write(Step::Deleted, Some(id.clone()))?;
        }
        let key = static_key::update(&id, &self.journal.description, self.context).await?;
        // A key whose creation was not answered may appear in the list late.
        self.delete_others(&id).await?;
        self.entry.remove()?;
        Ok(key)
    }

    /// Gets a key of this rotation to the destination, and returns its ID.
    async fn key_at_destination(&mut self) -> Result<String> {
        let (context, destination) = (self.context, self.journal.destination.clone());
        if !self.is_new && matches!(destination, Destination::Lockbox { .. }) {
            destination.check(&self.journal, &[], context).await?;
        }
        let keys = self.keys().await?;
        if !self.is_new && !matches!(destination, Destination::Lockbox { .. }) {
            let own: Vec<_> = step::marked(&self.journal, &keys).map(|key| key.key_id.as_str()).collect();
            destination.check(&self.journal, &own, context).await?;
        }
        let held = destination.held(&self.journal, context).await?;
        match step::next(&self.journal, self.is_new, &keys, held.id.as_deref()) {
            Next::Foreign(key) => {
                if self.is_new {
                    self.entry.remove()?;
                }
                Err(self.foreign(&key))
            }
            Next::OldKeyMissing => {
                self.entry.remove()?;
                let message = format!("the key {} is not among those of its account", self.journal.old_id);
                let status = Status { code: Code::NotFound, message, details: vec![] };
                Err(Error::refused(None, status))
            }
            Next::Choose(key) => {
                if let Some(held) = held.key {
                    self.verify(&held).await?;
                }
                Ok(key.id)
            }
            Next::Create => self.replace().await,
            Next::CleanUp(id) | Next::Restore(id) => Ok(id),
        }
    }

    /// Creates a key and delivers it. What certainly failed is undone.
    async fn replace(&mut self) -> Result<String> {
        let destination = self.journal.destination.clone();
        let prepared = match destination.prepare(self.storage.as_ref(), self.context).await {
            Ok(prepared) => prepared,
            Err(error) => return Err(self.undo(error).await),
        };
        let key = self.create().await?;
        self.note(&format!("the key {} is created", key.id));
        match self.deliver(&key, &destination, prepared).await {
            Ok(()) => Ok(key.id),
            Err(NotDelivered { error, certain: true }) => Err(self.undo(error).await),
            Err(NotDelivered { error, certain: false }) => Err(error),
        }
    }

    /// Creates a key. When it is not known whether there is one, another one is created, once.
    async fn create(&mut self) -> Result<StaticKey> {
        match self.create_once().await {
            Err(error) if error.is_outcome_unknown() => {}
            Err(error) => return Err(self.undo(error).await),
            Ok(key) => return Ok(key),
        }
        let keys = self.keys().await?;
        if let Some(key) = step::foreign(&self.journal, &keys) {
            let error = self.foreign(key);
            return Err(self.undo(error).await);
        }
        match self.create_once().await {
            Err(error) if !error.is_outcome_unknown() => Err(self.undo(error).await),
            result => result,
        }
    }

    async fn create_once(&self) -> Result<StaticKey> {
        let description = self.journal.marker.append_to(&self.journal.description);
        let account = Some(self.journal.service_account_id.as_str());
        let created = access_key::create(self.context.client()?, account, Some(&description)).await;
        let key = created.map_err(|error| error.context("cannot create an access key"))?;
        self.context.mask_secrets([&key.secret]);
        Ok(key)
    }

    async fn deliver(&mut self, key: &StaticKey, to: &Destination, prepared: Prepared) -> Result<(), NotDelivered> {
        let certain = |error| NotDelivered { error, certain: true };
        let keys = self.keys().await.map_err(certain)?;
        if let Some(key) = step::foreign(&self.journal, &keys) {
            return Err(certain(self.foreign(key)));
        }
        let signing = SigningKey { id: key.key_id.clone(), secret: key.secret.clone() };
        self.verify(&signing).await.map_err(certain)?;
        self.write(Step::Delivering, Some(key.id.clone())).map_err(certain)?;
        to.deliver(prepared, key, &self.journal, self.storage.clone(), self.context).await?;
        self.note(&format!("the key {} is delivered to {to}", key.id));
        Ok(())
    }

    async fn verify(&self, key: &SigningKey) -> Result<()> {
        let (Some(limit), Some(storage)) = (self.journal.verification.limit(), &self.storage) else { return Ok(()) };
        let text = "waiting until the storage accepts the new key";
        // On the heap, since several futures would hold it.
        let verify = Box::pin(verify(key, storage, limit, self.context));
        self.context.log.while_waiting(text, verify).await?;
        self.note("the storage accepts the new key");
        Ok(())
    }

    /// Deletes the keys of this rotation after a failure that left the destination as it was. When none is left, the
    /// rotation is forgotten.
    async fn undo(&self, error: Error) -> Error {
        let undone = async {
            self.delete_others("").await?;
            let keys = self.keys().await?;
            match step::marked(&self.journal, &keys).next() {
                Some(key) => Err(Error::new(Kind::Conflict, format!("the key {} is still there", key.id))),
                None => self.entry.remove(),
            }
        };
        match undone.await {
            Ok(()) => error.urgent_hint("nothing has changed: the new key is deleted, and the old one is in use"),
            Err(problem) => error.urgent_hint(format!("the new key could not be deleted: {problem}")),
        }
    }

    /// Deletes the keys of this rotation but for this one.
    async fn delete_others(&self, chosen: &str) -> Result<()> {
        let keys = self.keys().await?;
        for key in step::marked(&self.journal, &keys).filter(|key| key.id != chosen) {
            self.delete(&key.id).await?;
        }
        Ok(())
    }

    /// Deletes a key; one that does not exist is not an error.
    async fn delete(&self, id: &str) -> Result<()> {
        match static_key::delete(id, self.context).await {
            Err(error) if error.code() == Some(Code::NotFound) => Ok(()),
            result => result,
        }
    }

    async fn keys(&self) -> Result<Vec<AccessKey>> {
        Ok(access_key::all(self.context.client()?, &self.journal.service_account_id).await?.keys)
    }

    fn write(&mut self, step: Step, new_id: Option<String>) -> Result<()> {
        let journal = Journal { step, new_id, ..self.journal.clone() };
        self.entry.write(&journal)?;
        self.journal = journal;
        Ok(())
    }

    fn foreign(&self, key: &AccessKey) -> Error {
        let uuid = Marker::parse(&key.description).map(|marker| marker.uuid).unwrap_or_default();
        Error::new(
            Kind::Conflict,
            format!(
                "another rotation of {}, {}, has made the key {}: it may run on another machine",
                self.journal.old_id,
                quote::bare(&uuid),
                key.id
            ),
        )
        .hint(format!(
            "finish that rotation where it was started; if it is lost, delete its key: yc-rs iam access-key delete {}",
            key.id
        ))
    }

    fn note(&self, text: &str) {
        self.context.log.note(text);
    }
}
