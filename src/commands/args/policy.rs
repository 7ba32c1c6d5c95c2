//! The session policy that flags give.

use clap::Args;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, Result};
use crate::keys::policy::finding::Severity;
use crate::keys::policy::intent::{self, Intent};
use crate::keys::policy::review::review;
use crate::keys::policy::{self, Place};
use crate::text::quote;

/// The policy of a key: as JSON, or made from rules.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// Policy that narrows the rights of the key: JSON, a file, or `-` for standard input
    #[arg(long, value_name = "JSON|FILE|-", conflicts_with_all = ["allow", "deny"])]
    policy: Option<String>,
    #[command(flatten)]
    rules: RuleArgs,
}

/// The rules that a policy is made from.
#[derive(Debug, Args)]
pub struct RuleArgs {
    /// Allow nothing but this; VERBS are list, read, write, delete, or all; may be repeated
    #[arg(long, value_name = "VERBS:BUCKET[/KEY]", value_parser = Intent::allowed)]
    allow: Vec<Intent>,
    /// Deny this, though --allow allows it; may be repeated
    #[arg(long, value_name = "VERBS:BUCKET[/KEY]", value_parser = Intent::denied)]
    deny: Vec<Intent>,
}

impl PolicyArgs {
    /// The policy as it is sent; `None` when no flag gives one. Mistakes in a policy of the user's own are notes.
    ///
    /// # Errors
    /// It cannot be read, is not a policy, or is too long.
    pub async fn read(&self, context: &Context<'_>) -> Result<Option<String>> {
        let Some(argument) = &self.policy else {
            return Ok(self.rules.policy()?.map(|policy| policy.to_string()));
        };
        let invalid = |rule: String| Error::usage(format!("--policy {rule}"));
        let policy = match policy::place(argument) {
            Place::Inline(text) => policy::compact(text).map_err(invalid)?,
            Place::File(path) => {
                let text = context.read_input(path, "--policy").await?;
                policy::compact(&text).map_err(|rule| invalid(format!("({}) {rule}", quote::value(path))))?
            }
        };
        if context.log.notes {
            for finding in review(&policy).findings.iter().filter(|finding| finding.level != Severity::Note) {
                context.log.note(&format!("--policy: {}", finding.placed_message()));
            }
        }
        Ok(Some(policy))
    }
}

impl RuleArgs {
    /// The policy that the rules make; `None` when there are none.
    ///
    /// # Errors
    /// Nothing is allowed, or the policy is too long.
    pub fn policy(&self) -> Result<Option<Value>> {
        if self.allow.is_empty() && self.deny.is_empty() {
            return Ok(None);
        }
        intent::build(&self.allow, &self.deny).map(Some).map_err(Error::usage)
    }
}
