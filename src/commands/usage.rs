//! Errors of the command line: what is wrong, and what to type instead.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, ValueEnum};

use super::Cli;
use crate::error::Error;
use crate::text::{form, quote};

/// The error for a command line that clap does not understand; `args` begins with the name of the program.
pub fn error(error: &clap::Error, args: &[OsString]) -> Error {
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => missing_command(args),
        _ => {
            let usage = Error::usage(message(error));
            match hint(error, args) {
                Some(hint) => usage.hint(hint),
                None => usage,
            }
        }
    }
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

/// What to type instead: what is known of a mistake that people make, what is similar, and how the command is used.
fn hint(error: &clap::Error, args: &[OsString]) -> Option<String> {
    let mut tree = Cli::command();
    tree.build();
    let (path, _) = command_of(&tree, args);
    if let Some(name) = strings(error, ContextKind::InvalidSubcommand).first()
        && let Some(advice) = well_known_mistake(&path, name)
    {
        return Some(advice.to_owned());
    }
    let mut tips = Vec::new();
    for (kind, what) in [
        (ContextKind::SuggestedSubcommand, "subcommand"),
        (ContextKind::SuggestedArg, "argument"),
        (ContextKind::SuggestedValue, "value"),
    ] {
        match &strings(error, kind)[..] {
            [] => {}
            [one] => tips.push(format!("a similar {what} exists: '{one}'")),
            some => tips.push(format!("some similar {what}s exist: '{}'", some.join("', '"))),
        }
    }
    if let Some(ContextValue::StyledStrs(suggestions)) = error.get(ContextKind::Suggested) {
        // One repeats the argument that is not known.
        tips.extend(suggestions.iter().map(ToString::to_string).filter(|tip| form::secret_in(tip).is_none()));
    }
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        tips.push(usage.to_string());
    }
    (!tips.is_empty()).then(|| tips.join("\n"))
}

/// The texts of a context of a clap error, of which there may be none, one or several.
fn strings(error: &clap::Error, kind: ContextKind) -> Vec<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text],
        Some(ContextValue::Strings(texts)) => texts.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The error for a group of commands of which none is named.
fn missing_command(args: &[OsString]) -> Error {
    let mut tree = Cli::command();
    tree.build();
    let (path, group) = command_of(&tree, args);
    let shown = group.get_subcommands().filter(|command| !command.is_hide_set());
    let names: Vec<_> = shown.map(Command::get_name).filter(|name| *name != "help").collect();
    let path = path.join(" ");
    Error::usage("no command is given").hint(format!("the commands are: {}; for more: {path} --help", names.join(", ")))
}

/// The command that the command line names, as far as it is understood, with the words that lead to it.
fn command_of<'a>(tree: &'a Command, args: &[OsString]) -> (Vec<&'a str>, &'a Command) {
    let mut command = tree;
    let mut path = vec![tree.get_name()];
    for word in args.iter().skip(1).map_while(|arg| arg.to_str()).take_while(|arg| *arg != "--") {
        if let Some(deeper) = command.find_subcommand(word) {
            command = deeper;
            path.push(deeper.get_name());
        }
    }
    (path, command)
}

/// What to say about a command that people look for and that there cannot be.
fn well_known_mistake(path: &[&str], name: &str) -> Option<&'static str> {
    match (path, name) {
        (["yc-rs", "iam", "access-key"], "deactivate" | "disable" | "activate" | "enable") => Some(
            "access keys cannot be switched off and on: a key works until it is deleted; to delete one, type: yc-rs \
             iam access-key delete <ACCESS-KEY-ID>",
        ),
        _ => None,
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
