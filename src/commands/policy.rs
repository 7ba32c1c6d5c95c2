//! `policy`

use clap::Subcommand;
use serde_json::Value;

use super::Outcome;
use super::args::policy::RuleArgs;
use super::deferred::Deferred;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::keys::policy::finding::{Code, Finding, Severity};
use crate::keys::policy::review::{Review, review};
use crate::keys::policy::{self, Place};
use crate::output::{Format, Output};
use crate::text::{escape, wrap};

/// Write and check session policies
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the policy that --allow and --deny make
    Build(Deferred<RuleArgs>),
    /// Say in words what a policy allows and denies
    Explain(Deferred<SourceArgs>),
    /// Find the mistakes in a policy
    Check(Deferred<SourceArgs>),
}

/// Which policy.
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// The policy: JSON, a file, or `-` for standard input
    #[arg(value_name = "JSON|FILE|-")]
    policy: String,
}

/// Runs one of the commands. The network is not used.
///
/// # Errors
/// The command did not finish. A finding that decides the exit status is a failure of the outcome.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Outcome> {
    let is_policy = matches!(command, Command::Build(_));
    let (json, text, failures) = match command {
        Command::Build(Deferred(rules)) => {
            let policy = rules.policy()?.ok_or_else(|| Error::usage("a policy is built from at least one --allow"))?;
            let pretty = serde_json::to_string_pretty(&policy).map_err(|error| Error::internal(error.to_string()))?;
            (policy, pretty, Vec::new())
        }
        Command::Explain(Deferred(source)) => {
            let review = read(&source, context).await?;
            let not_json = review.findings.iter().filter(|finding| finding.code == Code::NotJson).count();
            (to_json(&review)?, explanation(&review), failure(not_json))
        }
        Command::Check(Deferred(source)) => {
            let findings = read(&source, context).await?.findings;
            let errors = findings.iter().filter(|finding| finding.level == Severity::Error).count();
            (to_json(&findings)?, lines(&findings).join("\n"), failure(errors))
        }
    };
    let in_words = !context.printer.has_filter() && context.flags.format.unwrap_or_default() == Format::Text;
    let output = match in_words {
        true if context.env.terminal.stdout && !is_policy => {
            Output::Verbatim(for_terminal(&text, context).into_bytes())
        }
        true => Output::Value(Value::String(text)),
        false => Output::Value(json),
    };
    context.printer.print(output).await?;
    Ok(Outcome { failures, ..Outcome::default() })
}

/// The lines broken between words, with the levels of findings coloured.
fn for_terminal(text: &str, context: &Context<'_>) -> String {
    let styles = [(Severity::Error, "31"), (Severity::Warning, "33"), (Severity::Note, "90")];
    let color = |line: &str| {
        let style = styles.iter().find(|(level, _)| line.starts_with(&format!("{}: ", level.name())));
        match style.filter(|_| context.printer.is_colored()) {
            Some((level, style)) => {
                let name = level.name();
                format!("\u{1b}[{style}m{name}\u{1b}[0m{}", &line[name.len()..])
            }
            None => line.to_owned(),
        }
    };
    let width = context.env.terminal.width;
    let lines = escape::multiline(text);
    lines.lines().map(|line| color(&wrap::lines(line, width)) + "\n").collect()
}

async fn read(source: &SourceArgs, context: &Context<'_>) -> Result<Review> {
    Ok(match policy::place(&source.policy) {
        Place::Inline(text) => review(text),
        Place::File(path) => review(&context.read_input(path, "JSON|FILE|-").await?),
    })
}

fn to_json(value: impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::internal(error.to_string()))
}

fn failure(errors: usize) -> Vec<Error> {
    match errors {
        0 => Vec::new(),
        1 => vec![Error::new(Kind::Findings, "the policy has 1 error")],
        _ => vec![Error::new(Kind::Findings, format!("the policy has {errors} errors"))],
    }
}

/// The review in words: statements, findings, size.
fn explanation(review: &Review) -> String {
    let statements = review.statements.iter().enumerate();
    let mut shown: Vec<_> = statements.map(|(index, statement)| format!("{index}: {}", statement.meaning)).collect();
    shown.extend(lines(&review.findings));
    if let Some(characters) = review.characters {
        shown.push(format!("{characters} of {} characters", review.limit));
    }
    shown.join("\n")
}

/// A line for each finding.
fn lines(findings: &[Finding]) -> Vec<String> {
    let line =
        |finding: &Finding| format!("{}: {} ({})", finding.level.name(), finding.placed_message(), finding.code.name());
    findings.iter().map(line).collect()
}
