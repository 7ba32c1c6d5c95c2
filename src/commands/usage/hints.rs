//! What to type instead: what is known of a mistake that people make, what is similar, and how the command is used.

use clap::Command;
use clap::error::{ContextKind, ErrorKind};

use super::{Misunderstood, strings, yc};
use crate::commands::help::topics;
use crate::text::form;
use crate::text::similar::near;

impl Misunderstood<'_> {
    /// The hint for a command line that names this command by these words.
    pub(super) fn hint(&self, path: &[&str], command: &Command) -> Option<String> {
        if let Some(advice) = self.known_mistake(path) {
            return Some(advice);
        }
        let mut lines = Vec::new();
        lines.extend(self.similar(command));
        // The flag of a value that is refused is known, and the usage of the command says no more about it.
        if !matches!(self.error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
            lines.push(command.clone().render_usage().to_string());
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// What to say about a mistake that people make.
    fn known_mistake(&self, path: &[&str]) -> Option<String> {
        match (self.unknown_command(), self.unknown_flag()) {
            (Some(name), _) => self.known_command(path, name),
            (None, Some(flag)) => self.known_flag(path, flag),
            (None, None) => self.account_without_key(path).or_else(|| self.command_without_dashes(path)),
        }
    }

    /// The flags that say where a key is looked for select no keys.
    fn account_without_key(&self, path: &[&str]) -> Option<String> {
        let ["iam", "access-key", "get" | "delete" | "list-operations"] = path else { return None };
        let flags = ["--service-account-name", "--service-account-id"];
        let given = |flag: &&str| super::early_texts(self.args, flag).next().is_some();
        let flag = flags.into_iter().find(given).filter(|_| self.error.kind() == ErrorKind::MissingRequiredArgument)?;
        let name = if flag == "--service-account-name" { "<NAME>" } else { "<ID>" };
        let value = self.value_of(flag).unwrap_or(name);
        Some(format!(
            "this command takes the IDs of access keys; to list the keys of the service account, type: {} iam access-key \
             list {flag} {value}",
            self.program
        ))
    }

    /// The command of `exec` stands behind `--`.
    fn command_without_dashes(&self, path: &[&str]) -> Option<String> {
        path.last().filter(|name| **name == "exec")?;
        let word = strings(self.error, ContextKind::InvalidArg).first().copied()?;
        let is_plain = |arg: &&str| arg.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=".contains(&byte));
        let is_command = self.error.kind() == ErrorKind::UnknownArgument && !word.starts_with('-');
        let args = || self.args.iter().skip(1).map_while(|arg| arg.to_str());
        let exec = args().position(|arg| arg == "exec").filter(|_| is_command)?;
        let at = exec + args().skip(exec).position(|arg| arg == word)?;
        let [before, behind] = [args().take(at).collect::<Vec<_>>(), args().skip(at).collect()];
        let line = [&before[..], &["--"], &behind[..]].concat();
        let can_be_shown = line.iter().all(is_plain) && form::secret_in(&line.join(" ")).is_none();
        let line = if can_be_shown { line.join(" ") } else { format!("{} -- COMMAND", path.join(" ")) };
        Some(format!("the command stands behind --: {} {line}", self.program))
    }

    fn known_command(&self, path: &[&str], name: &str) -> Option<String> {
        let program = &self.program;
        let is_of_iam = self.tree.find_subcommand("iam").is_some_and(|iam| iam.find_subcommand(name).is_some());
        match (path, name) {
            (["help"], name) => {
                let topics: Vec<_> = topics::names().collect();
                let begun = topics.iter().find(|topic| topic.starts_with(name)).copied();
                Some(match begun.or_else(|| near(name, topics.iter().copied()).first().copied()) {
                    Some(topic) => format!("type: {program} help {topic}"),
                    None => format!("the topics are: {}; for a command: {program} help COMMAND", topics.join(", ")),
                })
            }
            ([], name) if is_of_iam => {
                let rest = self.words_after(name).into_iter().map(|word| format!(" {word}"));
                Some(format!("type: {program} iam {name}{}", rest.collect::<String>()))
            }
            (["iam", "access-key"], "deactivate" | "disable" | "activate" | "enable") => Some(format!(
                "access keys cannot be switched off and on: a key works until it is deleted; to delete one, type: \
                 {program} iam access-key delete <ACCESS-KEY-ID>"
            )),
            _ if yc::has(path, name) => Some(self.command_of_yc(path, name)),
            _ => None,
        }
    }

    fn command_of_yc(&self, path: &[&str], name: &str) -> String {
        let program = &self.program;
        let rest = self.words_after(name);
        let without = [path, &rest[..]].concat();
        if matches!(name, "beta" | "v0") && without.starts_with(&["iam", "access-key"]) {
            return format!("leave '{name}' out: {program} {}", without.join(" "));
        }
        if program == "yc" {
            return "this program is yc-rs, called by the name yc; run the yc of Yandex Cloud for it".to_owned();
        }
        format!("use yc for it: yc {}", [path, &[name], &rest[..]].concat().join(" "))
    }

    fn known_flag(&self, path: &[&str], flag: &str) -> Option<String> {
        let program = &self.program;
        match (path, flag) {
            (["iam", "access-key", "get" | "update" | "delete" | "list-operations"], "--name") => Some(format!(
                "access keys have no names; to list the IDs of the keys of a service account, type: {program} iam \
                 access-key list --service-account-name <NAME>"
            )),
            (["sts", "assume-role"], "--secret-access-key") => Some(
                "a secret is not given on the command line, where other users of the machine can see it; write it to a \
                 file and give --secret-access-key-file <FILE>, or - in place of <FILE> to read it from standard input"
                    .to_owned(),
            ),
            (["iam", "access-key", "create"], "--name") => {
                Some("access keys have no names; a key can have a --description".to_owned())
            }
            _ => None,
        }
    }

    fn unknown_flag(&self) -> Option<&str> {
        let is_unknown = self.error.kind() == ErrorKind::UnknownArgument;
        let flag = strings(self.error, ContextKind::InvalidArg).first().copied();
        flag.filter(|flag| is_unknown && flag.starts_with("--"))
    }

    /// The value that is given to a flag, if it is one that can be typed again as it is.
    fn value_of<'a>(&'a self, flag: &'a str) -> Option<&'a str> {
        let value = super::early_texts(self.args, flag).last()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let can_be_shown = value.bytes().all(is_plain) && form::secret_in(value).is_none();
        (!value.is_empty() && !value.starts_with('-') && can_be_shown).then_some(value)
    }

    /// The words of the command line behind this one, up to the first flag.
    fn words_after(&self, name: &str) -> Vec<&str> {
        let is_word =
            |arg: &&str| !arg.starts_with('-') && arg.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let words = self.args.iter().skip(1).map_while(|arg| arg.to_str());
        words.skip_while(|arg| *arg != name).skip(1).take_while(is_word).collect()
    }

    /// The names that may be meant.
    fn similar(&self, command: &Command) -> Option<String> {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let (what, found) = match (self.unknown_command(), self.unknown_flag()) {
            (Some(name), _) => ("command", owned(near(name, command_names(command)))),
            (None, Some(flag)) => {
                let flag = flag.trim_start_matches('-');
                if let Some(deeper) = command.get_subcommands().find(|deeper| flag_names(deeper).contains(&flag)) {
                    return Some(format!("'--{flag}' goes after '{}'", deeper.get_name()));
                }
                let found = near(flag, flag_names(command));
                ("flag", found.into_iter().map(|name| format!("--{name}")).collect())
            }
            (None, None) => {
                let value = strings(self.error, ContextKind::InvalidValue).first().copied()?;
                ("value", owned(near(value, strings(self.error, ContextKind::ValidValue))))
            }
        };
        match &found[..] {
            [] => None,
            [one] => Some(format!("a similar {what} exists: '{one}'")),
            some => Some(format!("similar {what}s exist: '{}'", some.join("', '"))),
        }
    }
}

fn command_names(group: &Command) -> Vec<&str> {
    let shown = group.get_subcommands().filter(|command| !command.is_hide_set());
    shown.flat_map(|command| std::iter::once(command.get_name()).chain(command.get_visible_aliases())).collect()
}

fn flag_names(command: &Command) -> Vec<&str> {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    shown
        .flat_map(|argument| argument.get_long().into_iter().chain(argument.get_visible_aliases().unwrap_or_default()))
        .collect()
}
