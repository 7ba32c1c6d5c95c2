//! The command line: the tree of commands, and what each does.

pub mod args;
pub mod ask;
pub mod cache;
pub mod completion;
pub mod config;
pub mod deferred;
pub mod delivery;
pub mod iam;
pub mod init;
pub mod local;
pub mod man;
pub mod operation;
pub mod sts;
pub mod version;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::config::settings::GlobalFlags;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keys::policy;
use crate::output::Output;
use deferred::{Deferred, global_flags};

/// Access keys, IAM tokens and short-lived S3 credentials for Yandex Cloud
#[derive(Debug, Parser)]
#[command(name = "yc-rs", version, infer_long_args = false, args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    flags: GlobalFlags,
    #[command(subcommand)]
    command: Command,
}

/// The commands at the top.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Those that work on the cloud.
    #[command(flatten)]
    Remote(Remote),
    /// Manage what is kept between runs
    #[command(subcommand)]
    Cache(Deferred<cache::Command>),
    /// Set up a profile, asking for what is not given
    Init(Deferred<init::Args>),
    /// Read and change the configuration
    #[command(subcommand)]
    Config(Deferred<config::Command>),
    /// Print a script that completes command lines
    Completion(Deferred<completion::Args>),
    /// Print the version
    Version(Deferred<version::Args>),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Man(Deferred<man::Args>),
}

/// The commands that need settings and a client.
#[derive(Debug, Subcommand)]
pub enum Remote {
    /// Manage access keys and IAM tokens
    #[command(subcommand)]
    Iam(Deferred<iam::Command>),
    /// Get temporary credentials for a static key
    #[command(subcommand)]
    Sts(Deferred<sts::Command>),
    /// Follow operations that take their time
    #[command(subcommand)]
    Operation(Deferred<operation::Command>),
}

/// What a command came to.
pub struct Outcome {
    /// The result, for standard output.
    pub output: Output,
    /// What failed although other parts succeeded, as when several IDs are given.
    pub failures: Vec<Error>,
    /// When the output holds a secret that cannot be had again: what to tell the user if it cannot be written.
    pub only_copy: Option<String>,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self { output, failures: Vec::new(), only_copy: None }
    }
}

/// Reads the command line. The first argument is the name of the program.
///
/// # Errors
/// It is not understood, or asks for help or the version, which clap hands over in the same way.
pub fn parse(args: &[OsString], color: bool) -> Result<(GlobalFlags, Command), clap::Error> {
    let choice = if color { ColorChoice::Always } else { ColorChoice::Never };
    let matches = Cli::command().color(choice).try_get_matches_from(args)?;
    let flags = global_flags(&matches)?;
    Ok((flags, Cli::from_arg_matches(&matches)?.command))
}

/// The value of a flag as it stands on the command line, for what has to be known even when the line is wrong.
pub fn early_value<T: ValueEnum>(args: &[OsString], flag: &str) -> Option<T> {
    T::from_str(early_texts(args, flag).last()?, false).ok()
}

/// As [`early_value`], every time that the flag is given and before its value is read.
pub fn early_texts<'a>(args: &'a [OsString], flag: &'a str) -> impl Iterator<Item = &'a str> {
    let mut args = args.iter().filter_map(|arg| arg.to_str()).take_while(|arg| *arg != "--");
    std::iter::from_fn(move || {
        loop {
            let arg = args.next()?;
            if arg == flag {
                return args.next();
            }
            if let Some(given) = arg.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')) {
                return Some(given);
            }
        }
    })
}

/// The error for a command line that clap does not understand.
pub fn usage_error(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or_default();
    if matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand) {
        return no_command(usage);
    }
    let given = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(name)) => name,
        _ => "",
    };
    let mut paragraphs = text.trim_end().split("\n\n").map(str::trim);
    let message = paragraphs.next().unwrap_or_default();
    let advice: Vec<_> = paragraphs.filter(|paragraph| !paragraph.starts_with("For more information")).collect();
    let error = Error::usage(message.strip_prefix("error: ").unwrap_or(message));
    if let Some(advice) = mistaken_command(usage, given) {
        return error.hint(advice);
    }
    if advice.is_empty() { error } else { error.hint(advice.join("\n").replace("tip: ", "")) }
}

/// The error for a group of commands, known by how it is used, of which none is named.
fn no_command(usage: &str) -> Error {
    let path: Vec<_> = usage.split(' ').take_while(|word| !word.starts_with(['[', '<'])).collect();
    let mut tree = Cli::command();
    tree.build();
    let group = path.iter().skip(1).try_fold(&tree, |group, name| group.find_subcommand(name)).unwrap_or(&tree);
    let shown = group.get_subcommands().filter(|command| !command.is_hide_set());
    let names: Vec<_> = shown.map(clap::Command::get_name).filter(|name| *name != "help").collect();
    let path = path.join(" ");
    Error::usage("no command is given").hint(format!("the commands are: {}; for more: {path} --help", names.join(", ")))
}

/// What to say about a command that people look for and that there cannot be.
fn mistaken_command(usage: &str, name: &str) -> Option<&'static str> {
    const MISTAKES: [(&str, &[&str], &str); 1] = [(
        "yc-rs iam access-key ",
        &["deactivate", "disable", "activate", "enable"],
        "access keys cannot be switched off and on: a key works until it is deleted; to delete one, type: yc-rs iam \
         access-key delete <ACCESS-KEY-ID>",
    )];
    let mistake = MISTAKES.iter().find(|(group, names, _)| usage.starts_with(group) && names.contains(&name));
    mistake.map(|(_, _, advice)| *advice)
}

/// Refuses `--format` and `--jq` on the command line beside a flag whose output has a form of its own.
fn refuse_format_flags(flag: &str, context: &Context<'_>) -> Result<()> {
    let given = [("--format", context.flags.format.is_some()), ("--jq", context.flags.jq.is_some())];
    match given.iter().find(|(_, given)| *given) {
        Some((other, _)) => Err(Error::usage(format!("{flag} has an output form of its own and excludes {other}"))),
        None => Ok(()),
    }
}

/// The policy that the flag `--policy` gives or names, as it is sent.
///
/// # Errors
/// It cannot be read, or is no policy.
async fn read_policy(argument: &str, context: &Context<'_>) -> Result<String> {
    let wrong = |rule: String| Error::usage(format!("--policy {rule}"));
    match policy::place(argument) {
        policy::Place::Inline(text) => policy::compact(text).map_err(wrong),
        policy::Place::File(path) => {
            let text = context.read_input(path, "--policy").await?;
            policy::compact(&text).map_err(|rule| wrong(format!("('{path}') {rule}")))
        }
    }
}

/// Runs a command that works on the cloud.
///
/// # Errors
/// The command did not finish.
pub async fn run(command: Remote, context: &Context<'_>) -> Result<Outcome> {
    if !matches!(command, Remote::Sts(_)) {
        context.read_token().await?;
    }
    match command {
        Remote::Iam(Deferred(command)) => Box::pin(iam::run(command, context)).await,
        Remote::Sts(Deferred(command)) => Box::pin(sts::run(command, context)).await,
        Remote::Operation(Deferred(command)) => operation::run(command, context).await,
    }
}
