//! Looking for keys that are unused or old, over any number of folders.

pub mod finding;
pub mod plan;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::finding::{Action, Assessment, Thresholds, assess};
use super::concurrent::for_each;
use super::rotate::journal::Journals;
use super::walk::{Account, Scope, accounts};
use crate::api::access_key::{self, AccessKey};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::{Field, Message};
use crate::status::Code;

/// The shape of a row.
pub const ROW: Message = Message {
    name: "AuditRow",
    fields: &[
        Field::scalar("folder_id"),
        Field::scalar("folder_name"),
        Field::scalar("service_account_id"),
        Field::scalar("service_account_name"),
        Field::scalar("id"),
        Field::scalar("key_id"),
        Field::scalar("description"),
        Field::timestamp("created_at"),
        Field::timestamp("last_used_at"),
        Field::always("age_days"),
        Field::always("idle_days"),
        Field::always("findings"),
        Field::scalar("action"),
    ],
};

/// A key, and what was found about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The account and its folder.
    pub account: Account,
    /// The key.
    pub key: AccessKey,
    /// What was found.
    pub assessment: Assessment,
}

/// The keys of a scope.
#[derive(Debug, Default)]
pub struct Audit {
    /// A row a key, sorted by folder name, account name, creation and ID.
    pub rows: Vec<Row>,
    /// What could not be read.
    pub failures: Vec<Error>,
}

/// Looks at all keys of a scope.
///
/// # Errors
/// The scope itself cannot be read.
pub async fn audit(scope: &Scope, thresholds: Thresholds, context: &Context<'_>) -> Result<Audit> {
    let client = context.client()?;
    let journals = Journals::open(context.env).ok();
    let is_known = |old_id: &str, uuid: &str| {
        let journal = journals.as_ref().and_then(|journals| journals.look_at(old_id).ok()).flatten();
        journal.is_some_and(|journal| journal.marker.uuid == uuid)
    };
    // On the heap, since several futures would hold it.
    let walk = Box::pin(accounts(scope, context));
    let walk = context.log.while_waiting("looking for service accounts", walk).await?;
    let count = walk.accounts.len();
    let counter = context.log.count(|read| format!("reading keys: {read}/{count} service accounts"));
    let listed = for_each(&walk.accounts, async |account: &Account| {
        let listed = access_key::all(client, &account.id).await;
        counter.add();
        listed
    });
    let listed = listed.await;
    drop(counter);
    let mut audit = Audit { rows: Vec::new(), failures: walk.failures };
    for (account, listed) in walk.accounts.iter().zip(listed) {
        match listed {
            Ok(listed) => audit.rows.extend(listed.keys.into_iter().map(|key| {
                let assessment = assess(&key, &account.last_authenticated_at, listed.time, thresholds, is_known);
                Row { account: account.clone(), key, assessment }
            })),
            Err(error) if error.code() == Some(Code::NotFound) && !matches!(scope, Scope::Account(_)) => {}
            Err(error) => {
                let account = account.shown();
                let about = format!("cannot list the access keys of the service account {account}");
                audit.failures.push(error.context(about));
            }
        }
    }
    audit.rows.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(audit)
}

impl Row {
    fn order(&self) -> (&str, &str, Option<DateTime<Utc>>, &str) {
        let created = finding::time(&self.key.created_at);
        (&self.account.folder.name, &self.account.name, created, &self.key.id)
    }

    /// The row in the form in which a server would send it.
    pub fn to_json(&self) -> Value {
        let Self { account, key, assessment } = self;
        let mut row = json!({
            "folderId": account.folder.id,
            "folderName": account.folder.name,
            "serviceAccountId": account.id,
            "serviceAccountName": account.name,
            "id": key.id,
            "keyId": key.key_id,
            "description": key.description,
            "createdAt": key.created_at,
            "lastUsedAt": key.last_used_at,
        });
        if let Some(days) = assessment.age_days {
            row["ageDays"] = days.into();
        }
        if let Some(days) = assessment.idle_days {
            row["idleDays"] = days.into();
        }
        let findings = assessment.findings.iter().map(|finding| {
            json!({"rule": finding.rule.id(), "severity": finding.rule.severity(), "message": finding.message})
        });
        row["findings"] = findings.collect();
        row["action"] = match assessment.action {
            Action::Delete => "delete",
            Action::Rotate => "rotate",
            Action::Keep => "keep",
        }
        .into();
        row
    }
}
