//! Which values a command line can have where the shell asks for them.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use clap::{Arg, ValueHint};
use clap_complete::engine::ValueCompleter;
use clap_complete::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter};

use super::resources::{self, Kind};
use crate::config::Config;
use crate::credentials::aws_file::AwsFiles;
use crate::env::Env;
use crate::keys::rotate::journal::Journals;
use crate::output::Format;

/// The tree of commands for a line of which the word at `position` is completed: its arguments know their values.
pub fn add(command: clap::Command, words: &[OsString], position: usize) -> clap::Command {
    let typed = words.get(position).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let escape = words.iter().take(position).position(|word| word == "--");
    let line = Line {
        words: Arc::new(words.to_vec()),
        names_flag: typed.starts_with('-'),
        is_program: escape.is_some_and(|at| at + 1 == position),
    };
    line.add_to(command, "")
}

#[derive(Clone)]
struct Line {
    words: Arc<Vec<OsString>>,
    /// Whether the word begins as a flag.
    names_flag: bool,
    /// Whether the word is the first one behind `--`.
    is_program: bool,
}

impl Line {
    /// `group` is the name of the command above.
    fn add_to(&self, command: clap::Command, group: &str) -> clap::Command {
        let name = command.get_name().to_owned();
        let command =
            command.mut_args(|arg| self.with_values(arg, group)).mut_subcommands(|deeper| self.add_to(deeper, &name));
        // A visible alias would be offered in the place of the name. The process ends soon: nothing is freed.
        let aliases: Vec<&'static str> = command.get_all_aliases().map(|name| &*name.to_owned().leak()).collect();
        command.visible_alias(None::<&'static str>).aliases(aliases)
    }

    fn with_values(&self, arg: Arg, group: &str) -> Arg {
        // What is hidden is offered only where there is nothing else: flags after commands and values.
        let is_hidden = arg.is_hide_set() || !self.names_flag && !arg.is_positional();
        let arg = arg.hide(is_hidden);
        let of_account = |kind: Kind, arg: Arg| {
            let words = self.words.clone();
            arg.add(ArgValueCandidates::new(move || resources::candidates(kind, &words)))
        };
        let id = arg.get_id().as_str().to_owned();
        let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
        match (id.as_str(), value.as_str()) {
            ("id", "ID") if group == "service-account" => of_account(Kind::AccountIds, arg),
            ("name", "NAME") if group == "service-account" => of_account(Kind::AccountNames, arg),
            (_, "OPERATION-ID") => arg,
            ("resume" | "abandon", _) => arg.add(ArgValueCandidates::new(rotations)),
            ("profile", _) => arg.add(ArgValueCandidates::new(profiles)),
            ("aws_profile" | "source_aws_profile", _) => arg.add(ArgValueCandidates::new(aws_profiles)),
            ("service_account_name", _) | (_, "ID|NAME") => of_account(Kind::AccountNames, arg),
            ("service_account_id" | "subject_id" | "impersonate_service_account_id", _) => {
                of_account(Kind::AccountIds, arg)
            }
            ("key_id", _) => of_account(Kind::KeyIds, arg),
            ("id", _) | (_, "ACCESS-KEY-ID") => of_account(Kind::Keys, arg),
            ("command", "COMMAND") if self.is_program => arg.add(ArgValueCompleter::new(programs)),
            ("command", "COMMAND") => arg.value_hint(ValueHint::AnyPath),
            ("value", "VALUE") => self.with_setting(arg),
            (_, name) if name.contains("FILE") => arg.value_hint(ValueHint::FilePath),
            (_, "DIR") => arg.value_hint(ValueHint::DirPath),
            _ => arg,
        }
    }

    /// The values of the key that the words before name: `config set KEY VALUE`.
    fn with_setting(&self, arg: Arg) -> Arg {
        let is_key = |key: &str| self.words.iter().any(|word| word == key);
        let values: &'static [&'static str] = match () {
            () if is_key("format") => return arg.value_parser(clap::value_parser!(Format)),
            () if is_key("instance-service-account") => &["true", "false"],
            () if is_key("region") => &["ru-central1"],
            () if is_key("service-account-key") || is_key("service-account-key-file") || is_key("ca-bundle") => {
                return arg.value_hint(ValueHint::FilePath);
            }
            () => return arg,
        };
        arg.add(ArgValueCandidates::new(|| values.iter().map(CompletionCandidate::new).collect()))
    }
}

/// The names of the profiles; none when the configuration cannot be read.
pub fn profiles() -> Vec<CompletionCandidate> {
    let config = Env::from_process().and_then(|env| Config::load(&env)).unwrap_or_default();
    config.names().unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

/// The keys whose rotation is not finished.
fn rotations() -> Vec<CompletionCandidate> {
    let unfinished = Env::from_process().and_then(|env| Journals::open(&env)?.unfinished());
    unfinished.unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

fn aws_profiles() -> Vec<CompletionCandidate> {
    let names = Env::from_process().and_then(|env| AwsFiles::locate(None, &env)).map(|files| files.profile_names());
    names.unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

/// The programs in `PATH` that begin with what was typed; with a slash in it, it is a path.
fn programs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(start) = typed.to_str().filter(|typed| !typed.contains('/')) else {
        return PathCompleter::file().complete(typed);
    };
    let Some(path) = Env::from_process().ok().and_then(|env| env.path) else { return Vec::new() };
    let directories = std::env::split_paths(&path).filter_map(|directory| std::fs::read_dir(directory).ok());
    let mut names: Vec<_> = directories
        .flat_map(Iterator::flatten)
        .filter_map(|file| Some((file.file_name().into_string().ok()?, file.path())))
        .filter(|(name, path)| name.starts_with(start) && is_executable(path))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}
