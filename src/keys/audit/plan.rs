//! A plan: the unused keys that an audit would delete, for a person to read and shorten, and its application, which looks
//! at each key again.

use std::io::Write;
use std::path::Path;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::Row;
use super::finding::{Action, Rule, time};
use crate::api::access_key::{self, AccessKey};
use crate::context::Context;
use crate::endpoints::Service;
use crate::error::{Error, Kind, Result};
use crate::input;
use crate::keys::concurrent::for_each;
use crate::keys::static_key;
use crate::message::{Field, Message};
use crate::status::Code;
use crate::text::{ids, quote};

/// The form of a plan that this program reads and writes.
const VERSION: u8 = 1;

/// The shape of a row of an application.
pub const APPLIED: Message = Message {
    name: "AppliedKey",
    fields: &[Field::scalar("id"), Field::scalar("key_id"), Field::scalar("outcome"), Field::scalar("reason")],
};

/// A plan as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`VERSION`].
    version: u8,
    /// When it was made, as RFC 3339 by the local clock.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    created_at: String,
    /// The endpoint of IAM that knows the keys.
    endpoint: String,
    /// The keys to delete.
    pub delete: Vec<Planned>,
}

/// A key to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// The resource ID.
    pub id: String,
    /// The key ID.
    pub key_id: String,
    /// The account that it belongs to.
    pub service_account_id: String,
    /// The rest is for readers, but for the last use.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    service_account_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    folder_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    created_at: String,
    /// When the key was last used; empty when no use was recorded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    last_used_at: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    rule: String,
}

/// What became of a planned key.
#[derive(Debug)]
pub enum Applied {
    /// It is deleted.
    Deleted,
    /// It would be deleted.
    WouldDelete,
    /// It was gone already.
    Gone,
    /// It is not what the plan says any more, and was left alone.
    Skipped(String),
    /// It could not be read or deleted.
    Failed(Error),
}

impl Plan {
    /// The plan for the rows of an audit.
    ///
    /// # Errors
    /// The endpoint in force is not known.
    pub async fn of(rows: &[Row], context: &Context<'_>) -> Result<Self> {
        let unused = rows.iter().filter(|row| row.assessment.action == Action::Delete);
        let planned = |row: &Row| Planned {
            id: row.key.id.clone(),
            key_id: row.key.key_id.clone(),
            service_account_id: row.account.id.clone(),
            service_account_name: row.account.name.clone(),
            folder_id: row.account.folder.id.clone(),
            created_at: row.key.created_at.clone(),
            last_used_at: row.key.last_used_at.clone(),
            rule: Rule::UnusedKey.id().to_owned(),
        };
        Ok(Self {
            version: VERSION,
            created_at: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            endpoint: endpoint(context).await?,
            delete: unused.map(planned).collect(),
        })
    }

    /// Writes the plan into a new file that only the user can read.
    ///
    /// # Errors
    /// There is such a file, or it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| Error::internal(error.to_string()))?;
        text.push(b'\n');
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let write = || {
            let mut file = options.open(path)?;
            file.write_all(&text)?;
            file.sync_all()
        };
        write().map_err(|error| {
            Error::new(Kind::Output, format!("--plan: cannot write the file {}: {error}", quote::bare_path(path)))
        })
    }

    /// Reads a plan for the endpoint in force.
    ///
    /// # Errors
    /// The file cannot be read, is not a plan, or is one for another endpoint.
    pub async fn read(path: &Path, context: &Context<'_>) -> Result<Self> {
        let invalid = |rule: String| Error::usage(format!("--apply: the file {} {rule}", quote::bare_path(path)));
        let text =
            input::regular_file(path, input::LIMIT).map_err(|error| invalid(format!("cannot be read: {error}")))?;
        let plan: Self = serde_json::from_slice(&text).map_err(|error| {
            let reason = quote::reason(&error);
            invalid(format!("is not a plan: {reason}"))
                .hint("a plan is made by: yc-rs iam access-key audit --plan FILE")
        })?;
        if plan.version != VERSION {
            return Err(invalid(format!(
                "is a plan of version {}, and this program knows version {VERSION}",
                plan.version
            )));
        }
        for planned in &plan.delete {
            ids::check_id(&planned.id).map_err(|rule| invalid(format!("is not a plan: {rule}")))?;
        }
        let endpoint = endpoint(context).await?;
        if plan.endpoint != endpoint {
            let (planned, endpoint) = (quote::bare(&plan.endpoint), quote::bare(&endpoint));
            return Err(invalid(format!("is a plan for the endpoint {planned}, but {endpoint} is in force")));
        }
        Ok(plan)
    }

    /// Deletes the keys that are still what the plan says, or only looks at them.
    ///
    /// # Errors
    /// There is no credential.
    pub async fn apply(&self, dry_run: bool, context: &Context<'_>) -> Result<Vec<Applied>> {
        context.client()?;
        if !dry_run {
            context.deletions().set(&self.delete.iter().map(|planned| planned.id.clone()).collect::<Vec<_>>());
        }
        let (verb, count) = (if dry_run { "looking at" } else { "deleting" }, self.delete.len());
        let counter = context.log.count(|done| format!("{verb} {done}/{count}"));
        let apply = async |planned: &Planned| {
            let applied = planned.apply(dry_run, context).await;
            match &applied {
                Applied::Deleted => context.log.note(&format!("deleted {}", planned.id)),
                Applied::Skipped(reason) => context.log.note(&format!("skipped {}: {reason}", planned.id)),
                Applied::Failed(_) | Applied::Gone | Applied::WouldDelete => {}
            }
            counter.add();
            applied
        };
        Ok(for_each(&self.delete, apply).await)
    }
}

async fn endpoint(context: &Context<'_>) -> Result<String> {
    context.endpoints()?.base(Service::Iam, &context.http()).await
}

impl Planned {
    async fn apply(&self, dry_run: bool, context: &Context<'_>) -> Applied {
        let applied = self.try_to_apply(dry_run, context).await;
        if matches!(applied, Applied::Skipped(_) | Applied::WouldDelete | Applied::Gone) {
            context.deletions().forget(&self.id);
        }
        applied
    }

    async fn try_to_apply(&self, dry_run: bool, context: &Context<'_>) -> Applied {
        let read = async { access_key::get(context.client()?, &self.id).await };
        let key = match read.await {
            Ok(raw) => AccessKey::parse(&raw),
            Err(error) if error.code() == Some(Code::NotFound) => return Applied::Gone,
            Err(error) => return Applied::Failed(static_key::about_key(error, "get", &self.id)),
        };
        if let Some(reason) = self.difference(&key) {
            return Applied::Skipped(reason);
        }
        if dry_run {
            return Applied::WouldDelete;
        }
        match static_key::delete(&self.id, context).await {
            Ok(()) => Applied::Deleted,
            Err(error) if error.code() == Some(Code::NotFound) => Applied::Gone,
            Err(error) => Applied::Failed(error),
        }
    }

    /// Why the key is not the planned one; `None` when it is.
    fn difference(&self, key: &AccessKey) -> Option<String> {
        let second = |text: &str| time(text).map(|time| time.timestamp());
        if key.key_id != self.key_id {
            return Some(format!("its key ID is {}", quote::bare(&key.key_id)));
        }
        if key.service_account_id != self.service_account_id {
            return Some(format!("it belongs to the service account {}", quote::bare(&key.service_account_id)));
        }
        if second(&key.last_used_at) != second(&self.last_used_at) {
            let used = if key.last_used_at.is_empty() { "no use is recorded" } else { "it was used" };
            return Some(format!("{used} since the plan was made"));
        }
        None
    }
}

impl Applied {
    /// The outcome as it is printed.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::WouldDelete => "would-delete",
            Self::Gone => "gone",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(last_used_at: &str) -> Planned {
        serde_json::from_value(serde_json::json!({
            "id": "aje", "key_id": "YCA", "service_account_id": "ajea", "last_used_at": last_used_at
        }))
        .unwrap()
    }

    fn key(key_id: &str, account: &str, last_used_at: &str) -> AccessKey {
        AccessKey {
            id: "aje".into(),
            key_id: key_id.into(),
            service_account_id: account.into(),
            description: String::new(),
            created_at: String::new(),
            last_used_at: last_used_at.into(),
        }
    }

    #[test]
    fn a_key_is_the_planned_one_when_it_was_not_used_since() {
        let (used, later) = ("2026-01-01T00:00:00.25Z", "2026-01-01T00:00:01Z");
        for (planned_use, use_now, differs) in [
            ("", "", false),
            (used, "2026-01-01T03:00:00.9+03:00", false),
            (used, later, true),
            ("", used, true),
            (used, "", true),
        ] {
            let difference = planned(planned_use).difference(&key("YCA", "ajea", use_now));
            assert_eq!(difference.is_some(), differs, "{planned_use} {use_now}");
        }
        assert_eq!(planned("").difference(&key("YCB", "ajea", "")).as_deref(), Some("its key ID is YCB"));
        assert!(planned("").difference(&key("YCA", "ajeb", "")).is_some());
    }

    #[test]
    fn a_plan_has_no_other_fields_and_needs_the_ids() {
        let read = |text: &str| serde_json::from_str::<Plan>(text);
        assert!(read(r#"{"version": 1, "endpoint": "https://iam", "delete": []}"#).is_ok());
        for text in [
            r#"{"version": 1, "endpoint": "https://iam", "delete": [], "more": 1}"#,
            r#"{"version": 1, "endpoint": "https://iam", "delete": [{"id": "a", "key_id": "b"}]}"#,
            r#"{"version": 1, "endpoint": "https://iam", "delete": [{"id": "a", "key_id": "b", "service_account_id": "c", "x": 1}]}"#,
            r#"{"version": 1, "delete": []}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
