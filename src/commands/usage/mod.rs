//! Errors of the command line: what is wrong, and what to type instead.

mod hints;
mod yc;

use std::error::Error as _;
use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, ValueEnum};

use super::Cli;
use super::help::{self, Length};
use crate::error::Error;
use crate::text::quote;

/// A command line that clap does not understand.
pub struct Misunderstood<'a> {
    error: &'a clap::Error,
    args: &'a [OsString],
    /// The name that the program was called by.
    program: String,
    tree: Command,
}

impl<'a> Misunderstood<'a> {
    /// `args` begins with the name of the program.
    pub fn new(error: &'a clap::Error, args: &'a [OsString]) -> Self {
        let program = program_name(args);
        let mut tree = Cli::command().bin_name(&program);
        tree.build();
        Self { error, args, program, tree }
    }

    /// The error for the user.
    pub fn to_error(&self) -> Error {
        let (path, command) = self.command();
        if self.lacks_command() {
            let names = visible_commands(command).collect::<Vec<_>>().join(", ");
            let full_name = [&[self.program.as_str()], &path[..]].concat().join(" ");
            return Error::usage("no command is given")
                .hint(format!("the commands are: {names}; for more: {full_name} --help"));
        }
        let error = match self.unknown_command() {
            Some(name) if yc::has(&path, name) => {
                Error::usage(format!("'{name}' is a command of yc that yc-rs does not have"))
            }
            _ => Error::usage(message(self.error)),
        };
        match self.hint(&path, command) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// The help of a group of commands of which none is named.
    pub fn help_of_group(&self) -> Option<StyledStr> {
        self.lacks_command().then(|| help::of_command(self.command().1, Length::Short))
    }

    /// The requested help: of a command, or on a topic; `None` when the command line is wrong.
    pub fn requested_help(&self) -> Option<StyledStr> {
        let (path, command) = self.command();
        // `help` is a command of every group.
        let group = path.iter().position(|name| *name == "help").map(|at| &path[..at]);
        match self.error.kind() {
            ErrorKind::DisplayHelp if group.is_some() => {
                let mut group = group.into_iter().flatten();
                let group = group.try_fold(&self.tree, |command, name| command.find_subcommand(name))?;
                let words = self.args.iter().filter_map(|arg| arg.to_str()).skip_while(|word| *word != "help").skip(1);
                let mut names = words.filter(|word| !word.starts_with('-'));
                let command = names.try_fold(group, |command, name| command.find_subcommand(name))?;
                Some(help::of_command(command, Length::Long))
            }
            ErrorKind::DisplayHelp => {
                let mut words = self.args.iter().take_while(|arg| *arg != "--");
                let length = if words.any(|arg| arg == "--help") { Length::Long } else { Length::Short };
                Some(help::of_command(command, length))
            }
            ErrorKind::InvalidSubcommand if matches!(self.unknown_command(), Some("-h" | "--help")) => {
                let words = self.args.iter().skip(1).filter_map(|arg| arg.to_str());
                let mut names = words.filter(|word| !word.starts_with('-') && *word != "help");
                let command = names.try_fold(&self.tree, |command, name| command.find_subcommand(name))?;
                group.map(|_| help::of_command(command, Length::Long))
            }
            ErrorKind::InvalidSubcommand if path == ["help"] => help::topics::find(self.unknown_command()?, &self.tree),
            _ => None,
        }
    }

    /// Whether the version is requested of a command: there is one of the program alone.
    pub fn requests_version(&self) -> bool {
        let kinds = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand];
        let is_unknown = matches!(self.error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand);
        let is_version = |kind| matches!(strings(self.error, kind).first(), Some(&("-V" | "--version")));
        is_unknown && kinds.into_iter().any(is_version)
    }

    fn lacks_command(&self) -> bool {
        matches!(self.error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand)
    }

    fn unknown_command(&self) -> Option<&str> {
        strings(self.error, ContextKind::InvalidSubcommand).first().copied()
    }

    /// The command that the command line names, up to the first word that is not a command, with the words that lead to
    /// it.
    fn command(&self) -> (Vec<&str>, &Command) {
        let mut command = &self.tree;
        let mut path = Vec::new();
        let mut args = self.args.iter().skip(1).map_while(|arg| arg.to_str()).take_while(|arg| *arg != "--");
        while let Some(arg) = args.next() {
            if let Some(flag) = arg.strip_prefix("--") {
                if takes_value(command, flag) {
                    args.next();
                }
            } else if let Some(deeper) = command.find_subcommand(arg) {
                command = deeper;
                path.push(deeper.get_name());
            } else {
                break;
            }
        }
        (path, command)
    }
}

/// The file name of the program as it was called, without `.exe`.
fn program_name(args: &[OsString]) -> String {
    let name = args.first().and_then(|arg| Path::new(arg).file_name()?.to_str()).unwrap_or("yc-rs");
    name.strip_suffix(".exe").unwrap_or(name).to_owned()
}

/// Whether the value of a flag is the next argument.
fn takes_value(command: &Command, flag: &str) -> bool {
    let mut arguments = command.get_arguments().filter(|argument| {
        argument.get_long() == Some(flag) || argument.get_all_aliases().is_some_and(|names| names.contains(&flag))
    });
    arguments.any(|argument| argument.get_num_args().is_some_and(|count| count.takes_values()))
}

fn visible_commands(group: &Command) -> impl Iterator<Item = &str> {
    let shown = group.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(Command::get_name).filter(|name| *name != "help")
}

fn message(error: &clap::Error) -> String {
    let argument = strings(error, ContextKind::InvalidArg);
    let first = argument.first().copied().unwrap_or_default();
    let value = strings(error, ContextKind::InvalidValue).first().copied().unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => {
            format!("a value is required for '{first}' but none was supplied{}", possible_values(error))
        }
        ErrorKind::InvalidValue => {
            format!("invalid value {} for '{first}'{}", quote::value(value), possible_values(error))
        }
        ErrorKind::ValueValidation => {
            let rule = error.source().map(|rule| format!(": {rule}")).unwrap_or_default();
            format!("invalid value {} for '{first}'{rule}", quote::value(value))
        }
        ErrorKind::TooManyValues => {
            format!("unexpected value {} for '{first}' found; no more were expected", quote::value(value))
        }
        ErrorKind::UnknownArgument => format!("unexpected argument {} found", quote::value(first)),
        ErrorKind::InvalidSubcommand => {
            let name = strings(error, ContextKind::InvalidSubcommand);
            format!("unrecognized subcommand {}", quote::value(name.first().copied().unwrap_or_default()))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<_> = argument.iter().map(|name| format!("\n  {name}")).collect();
            format!("the following required arguments were not provided:{}", missing.concat())
        }
        ErrorKind::ArgumentConflict => match &strings(error, ContextKind::PriorArg)[..] {
            [] => format!("the argument '{first}' cannot be used with one or more of the other specified arguments"),
            [other] if *other == first => format!("the argument '{first}' cannot be used multiple times"),
            [other] => format!("the argument '{first}' cannot be used with '{other}'"),
            others => {
                let others: Vec<_> = others.iter().map(|name| format!("\n  {name}")).collect();
                format!("the argument '{first}' cannot be used with:{}", others.concat())
            }
        },
        kind => kind.as_str().unwrap_or("the command line is not understood").to_owned(),
    }
}

fn possible_values(error: &clap::Error) -> String {
    let values = strings(error, ContextKind::ValidValue);
    if values.is_empty() { String::new() } else { format!("\n  [possible values: {}]", values.join(", ")) }
}

/// The texts of a context of a clap error, of which there may be none, one or several.
fn strings(error: &clap::Error, kind: ContextKind) -> Vec<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text],
        Some(ContextValue::Strings(texts)) => texts.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
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
