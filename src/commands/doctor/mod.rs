//! `doctor`: checks of the set-up, from the configuration to the storage.

mod machine;
mod network;

use std::time::Duration;

use serde_json::{Value, json};

use super::args::table::TableArgs;
use super::local::{self, Local};
use super::{Outcome, listing};
use crate::config::settings::{GlobalFlags, Settings};
use crate::config::{Config, Profile};
use crate::context::Context;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::log::{Log, Progress};
use crate::message::{Field, Message};
use crate::output::list::List;
use crate::output::{Cell, Column, Format, Output};
use crate::secret::Masks;
use crate::text::{escape, wrap};

/// Check the set-up, and say how to mend it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Send nothing
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    table: TableArgs,
}

/// The result of a check.
pub(super) struct Row {
    check: &'static str,
    status: Status,
    detail: String,
    hint: Option<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    Warning,
    Failed,
    Skipped,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn color(self) -> &'static str {
        match self {
            Self::Ok => "32",
            Self::Warning => "33",
            Self::Failed => "31",
            Self::Skipped => "90",
        }
    }
}

impl Row {
    fn new(check: &'static str, status: Status, detail: impl Into<String>) -> Self {
        Self { check, status, detail: detail.into(), hint: None }
    }

    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self::new(check, Status::Ok, detail)
    }

    fn skipped(check: &'static str, detail: impl Into<String>) -> Self {
        Self::new(check, Status::Skipped, detail)
    }

    fn warning(check: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(check, Status::Warning, detail) }
    }

    /// The failure of a check, with the hint of the error, or else this one. That a flag or a variable is wrong is mended
    /// where it is set.
    fn failed(check: &'static str, error: &Error, next: &str) -> Self {
        let next = if matches!(error.kind(), Kind::Usage) { "correct it, or leave it out" } else { next };
        let hint = error.hint_text().filter(|hint| !hint.contains("yc-rs doctor")).unwrap_or(next).to_owned();
        Self { hint: Some(hint), ..Self::new(check, Status::Failed, error.to_string()) }
    }

    /// The row without secrets: a server can repeat them.
    fn masked(self, masks: &Masks) -> Self {
        let hint = self.hint.map(|hint| masks.mask(&hint));
        Self { detail: masks.mask(&self.detail), hint, ..self }
    }

    fn to_json(&self) -> Value {
        json!({"check": self.check, "status": self.status.name(), "detail": self.detail, "hint": self.hint})
    }
}

const ROW: Message = Message {
    name: "Check",
    fields: &[Field::scalar("check"), Field::scalar("status"), Field::scalar("detail"), Field::scalar("hint")],
};

const COLUMNS: &[Column] = &[
    Column { header: "CHECK", cell: Cell::Field("check") },
    Column { header: "STATUS", cell: Cell::Field("status") },
    Column { header: "DETAIL", cell: Cell::Field("detail") },
    Column { header: "HINT", cell: Cell::Field("hint") },
];

/// How long one check may take; that of the identity, which goes on beside those of the endpoints, twice as long.
const CHECK_LIMIT: Duration = Duration::from_secs(4);

/// Runs the checks and prints a row for each. No key is issued, nothing is written but the caches, and nothing is executed
/// but a token command.
///
/// # Errors
/// The flags of the table are malformed, or standard output cannot be written.
pub async fn run(args: &Args, local: &Local<'_>) -> Result<Outcome> {
    let flags = with_limits(local.flags);
    let config = Config::load(local.env);
    let resolved = config.and_then(|config| Settings::resolve(&flags, local.env, &config));
    let (settings, problem) = match resolved {
        Ok(settings) => (settings, None),
        Err(error) => {
            let given = GlobalFlags { format: flags.format, ..GlobalFlags::default() };
            let by = |env: &Env| Settings::with_profile(&given, env, Profile::default());
            (by(local.env).or_else(|_| by(&Env::default()))?, Some(error))
        }
    };
    let printer = local::printer(settings.format, &flags, local.env)?;
    // What is worth a note has a row.
    let log = Log { notes: false, progress: Progress::default(), ..local.log.clone() };
    let context = Context::new(local.env, &flags, settings, log, printer);
    let table = args.table.options(&ROW, &context)?;
    context.read_token().await?;

    let mut rows = vec![machine::program(local.env), machine::configuration(problem.as_ref(), &context)];
    if problem.is_some() {
        const CHECKS: [&str; 7] = ["credentials", "identity", "clock", "endpoints", "context", "access", "storage"];
        rows.extend(CHECKS.map(|check| Row::skipped(check, "needs the configuration")));
    } else {
        rows.extend(network::rows(args.offline, &context).await);
    }
    rows.push(machine::cache(local.env));
    rows.extend(machine::aws(&context));
    rows.extend(machine::shadowing(problem.is_some(), &context));

    let rows: Vec<_> = rows.into_iter().map(|row| row.masked(&context.log.masks)).collect();
    let failed = rows.iter().filter(|row| row.status == Status::Failed).count();
    if context.settings.format == Format::Text && !context.printer.has_filter() {
        context.printer.print(Output::Verbatim(text(&rows, &context).into_bytes())).await?;
    } else {
        let values: Vec<_> = rows.iter().map(Row::to_json).collect();
        let list =
            List { message: &ROW, columns: COLUMNS, items: "rows", limit: None, follow: false, keep: None, table };
        listing::print_items(list, &values, &context).await?;
    }
    let failures = match failed {
        0 => Vec::new(),
        1 => vec![Error::new(Kind::Findings, "1 check failed")],
        _ => vec![Error::new(Kind::Findings, format!("{failed} checks failed"))],
    };
    Ok(Outcome { failures, ..Outcome::default() })
}

/// The flags with one attempt for each request and short limits, so that everything ends soon where nothing responds.
fn with_limits(flags: &GlobalFlags) -> GlobalFlags {
    // Longer than a check may take: a hint to allow more time would have no effect.
    const LIMIT: Duration = Duration::from_secs(2 * CHECK_LIMIT.as_secs());
    let at_most = |given: Option<Duration>| Some(given.map_or(LIMIT, |given| given.min(LIMIT)));
    GlobalFlags {
        retry: Some(0),
        connect_timeout: at_most(flags.connect_timeout),
        read_timeout: at_most(flags.read_timeout),
        ..flags.clone()
    }
}

/// A line for each row, and one for its hint; on a terminal they are wrapped, and the states coloured.
fn text(rows: &[Row], context: &Context<'_>) -> String {
    const STATUS_WIDTH: usize = 9;
    const CHECK_WIDTH: usize = 15;
    let (terminal, color) = (context.env.terminal.stdout, context.printer.is_colored());
    let indent = STATUS_WIDTH + CHECK_WIDTH;
    let width = context.env.terminal.width.saturating_sub(indent);
    let mut text = String::new();
    for row in rows {
        let status = format!("{:STATUS_WIDTH$}", row.status.name());
        let status = if color { format!("\u{1b}[{}m{status}\u{1b}[0m", row.status.color()) } else { status };
        let check = format!("{:CHECK_WIDTH$}", row.check);
        let shown = |line: &str| {
            if terminal { wrap::words(&escape::single_line(line), width) } else { vec![line.replace('\n', " ")] }
        };
        let mut lines = shown(&row.detail);
        for hint in row.hint.iter().flat_map(|hint| hint.lines()) {
            lines.extend(shown(&format!("hint: {hint}")));
        }
        for (number, line) in lines.iter().enumerate() {
            let before = if number == 0 { status.clone() + &check } else { " ".repeat(indent) };
            text.push_str(format!("{before}{line}").trim_end());
            text.push('\n');
        }
    }
    text
}
