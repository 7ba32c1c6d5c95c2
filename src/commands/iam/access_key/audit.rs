//! `iam access-key audit`

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::commands::args::key_selector::cloud;
use crate::commands::args::table::TableArgs;
use crate::commands::{Outcome, listing};
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::keys::audit::finding::{Action, Thresholds};
use crate::keys::audit::plan::{APPLIED, Applied, Plan};
use crate::keys::audit::{ROW, Row, audit};
use crate::keys::walk::Scope;
use crate::message::{Message, Node};
use crate::output::list::List;
use crate::output::{Cell, Column, TableOptions};
use crate::private_file;
use crate::text::{duration, ids, quote};

/// Find unused and old access keys
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Age from which a key should be rotated
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "90d", conflicts_with = "apply")]
    max_age: Duration,
    /// Time without use from which a key should be deleted (a key never used counts from its creation)
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "90d", conflicts_with = "apply")]
    unused_for: Duration,
    /// Print only the keys with findings
    #[arg(long, conflicts_with = "apply")]
    only_findings: bool,
    /// Exit with 1 when there are findings
    #[arg(long, conflicts_with = "apply")]
    fail_on_findings: bool,
    /// Also write the keys to delete to this new file, for --apply
    #[arg(long, value_name = "FILE", conflicts_with = "apply")]
    plan: Option<PathBuf>,
    /// Delete the keys of this plan that were not used since it was made
    #[arg(long, value_name = "FILE")]
    apply: Option<PathBuf>,
    /// With --apply: only look at the keys, and delete none
    #[arg(long, requires = "apply", hide_short_help = true)]
    dry_run: bool,
    #[command(flatten)]
    table: TableArgs,
}

/// The keys that are looked at; by default those of the current folder.
#[derive(Debug, clap::Args)]
#[group(id = "scope", multiple = false, conflicts_with = "apply")]
struct ScopeArgs {
    /// Only the keys of the service account of this ID
    #[arg(long, value_name = "ID", value_parser = ids::parse_id, hide_short_help = true)]
    service_account_id: Option<String>,
    /// Only the keys of the service account of this name in the current folder
    #[arg(long, value_name = "NAME")]
    service_account_name: Option<String>,
    /// The keys of every folder of the cloud
    #[arg(long)]
    all_folders: bool,
    /// The keys of every cloud of the organization of this ID
    #[arg(long, value_name = "ID", value_parser = ids::parse_id)]
    organization_id: Option<String>,
}

impl ScopeArgs {
    async fn resolve(self, context: &Context<'_>) -> Result<Scope> {
        if let Some(id) = self.service_account_id {
            return Ok(Scope::Account(id));
        }
        if let Some(name) = self.service_account_name {
            return Ok(Scope::Account(context.service_account_id("--service-account-name", &name).await?));
        }
        if let Some(id) = self.organization_id {
            return Ok(Scope::Organization(id));
        }
        if self.all_folders {
            return cloud(context);
        }
        Ok(Scope::Folder(context.folder_id().await?))
    }
}

const COLUMNS: &[Column] = &[
    Column { header: "FOLDER", cell: Cell::Computed(|row| first_of(row, ["folder_name", "folder_id"])) },
    Column {
        header: "SERVICE ACCOUNT",
        cell: Cell::Computed(|row| first_of(row, ["service_account_name", "service_account_id"])),
    },
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "KEY ID", cell: Cell::Field("key_id") },
    Column { header: "AGE", cell: Cell::Computed(|row| days(row, "age_days")) },
    Column { header: "IDLE", cell: Cell::Computed(|row| days(row, "idle_days")) },
    Column { header: "FINDINGS", cell: Cell::Computed(rules) },
    Column { header: "ACTION", cell: Cell::Field("action") },
];

fn first_of(row: &Node<'_>, fields: [&str; 2]) -> String {
    let texts = fields.iter().filter_map(|field| row.get(field)?.as_str());
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}

fn days(row: &Node<'_>, field: &str) -> String {
    match row.get(field) {
        Some(Node::Number(days)) => format!("{days}d"),
        _ => String::new(),
    }
}

fn rules(row: &Node<'_>) -> String {
    let Some(Node::Array(findings)) = row.get("findings") else { return String::new() };
    findings.iter().filter_map(|finding| finding.get("rule")?.as_str()).collect::<Vec<_>>().join(", ")
}

const APPLIED_COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "KEY ID", cell: Cell::Field("key_id") },
    Column { header: "OUTCOME", cell: Cell::Field("outcome") },
    Column { header: "REASON", cell: Cell::Field("reason") },
];

/// Looks at the keys and prints a row each, or applies a plan.
///
/// # Errors
/// The arguments are malformed, the scope cannot be read, or a file cannot be used.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    for (flag, file) in [("--plan", &args.plan), ("--apply", &args.apply)] {
        if file.as_deref() == Some(Path::new("-")) {
            return Err(Error::usage(format!("{flag} names a file, and not standard input or output"))
                .hint(format!("give a file: {flag} plan.json")));
        }
    }
    if let Some(file) = &args.apply {
        let table = args.table.options(&APPLIED, context)?;
        return apply(&context.env.path_of("--apply", file)?, args.dry_run, table, context).await;
    }
    let table = args.table.options(&ROW, context)?;
    let plan = args.plan.as_deref().map(|file| context.env.path_of("--plan", file)).transpose()?;
    if let Some(file) = plan.as_deref().filter(|file| file.symlink_metadata().is_ok()) {
        let message = format!("--plan: the file {} exists, and a plan is not overwritten", quote::bare_path(file));
        return Err(Error::usage(message).hint("name a new file, or delete that one"));
    }
    let plan_directory = plan.as_deref().map(private_file::parent_directory);
    if let Some(directory) = plan_directory.filter(|directory| !directory.is_dir()) {
        let message = format!("--plan: there is no directory {}", quote::bare_path(directory));
        return Err(Error::usage(message).hint("make it, or name a file elsewhere"));
    }
    let thresholds = Thresholds { max_age: args.max_age, unused_for: args.unused_for };
    let scope = args.scope.resolve(context).await?;
    let mut audit = audit(&scope, thresholds, context).await?;
    if let Some(file) = &plan {
        Plan::of(&audit.rows, context).await?.write(file)?;
    }
    let (keys, with_findings) = (audit.rows.len(), audit.rows.iter().filter(|row| has_findings(row)).count());
    let to = |action| audit.rows.iter().filter(|row| row.assessment.action == action).count();
    let summary = format!(
        "{keys} keys, {with_findings} with findings: {} to delete, {} to rotate",
        to(Action::Delete),
        to(Action::Rotate)
    );
    if args.only_findings {
        audit.rows.retain(has_findings);
    }
    let rows: Vec<_> = audit.rows.iter().map(Row::to_json).collect();
    print(&ROW, COLUMNS, &rows, table, context).await?;
    context.log.note(&summary);
    let mut failures = audit.failures;
    if args.fail_on_findings && with_findings > 0 && failures.is_empty() {
        let keys = if with_findings == 1 { "1 key has".to_owned() } else { format!("{with_findings} keys have") };
        failures.push(Error::new(Kind::Findings, format!("{keys} findings")));
    }
    Ok(Outcome { failures, ..Outcome::default() })
}

fn has_findings(row: &Row) -> bool {
    !row.assessment.findings.is_empty()
}

async fn apply(file: &Path, dry_run: bool, table: TableOptions, context: &Context<'_>) -> Result<Outcome> {
    let plan = Plan::read(file, context).await?;
    context.deletions().go_on_with(format!("yc-rs iam access-key audit --apply {}", quote::path_for_sh(file)));
    let applied = plan.apply(dry_run, context).await?;
    let (mut rows, mut failures, mut skipped) = (Vec::new(), Vec::new(), 0);
    for (planned, applied) in plan.delete.iter().zip(applied) {
        let mut row = json!({"id": planned.id, "keyId": planned.key_id, "outcome": applied.outcome()});
        match applied {
            Applied::Skipped(reason) => {
                skipped += 1;
                row["reason"] = reason.into();
            }
            Applied::Failed(error) => {
                row["reason"] = error.to_string().into();
                failures.push(error);
            }
            Applied::Deleted | Applied::WouldDelete | Applied::Gone => {}
        }
        rows.push(row);
    }
    print(&APPLIED, APPLIED_COLUMNS, &rows, table, context).await?;
    if skipped > 0 {
        let message = match skipped {
            1 => "1 key was skipped, since the plan does not describe it any more".to_owned(),
            _ => format!("{skipped} keys were skipped, since the plan does not describe them any more"),
        };
        failures.push(Error::new(Kind::Findings, message).hint("make a new plan"));
    }
    Ok(Outcome { failures, ..Outcome::default() })
}

async fn print(
    message: &'static Message,
    columns: &'static [Column],
    rows: &[Value],
    table: TableOptions,
    context: &Context<'_>,
) -> Result<()> {
    let list = List { message, columns, items: "rows", limit: None, follow: false, keep: None, table };
    listing::print_items(list, rows, context).await
}
