//! `completion`, and the answers that its scripts ask the program for.
//!
//! The script holds no names of commands or flags: at each press of the key it runs the program with a variable set,
//! so that it stays right after an upgrade.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::{CommandFactory, ValueEnum};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use clap_complete::{CompleteEnv, engine};

pub use self::values::profiles;
use super::Cli;
use crate::env::Env;
use crate::error::{Error, Result};

mod resources;
mod values;

/// The variable by which a script asks for completions; it holds the name of the shell.
pub const VARIABLE: &str = "YC_RS_COMPLETE";

/// The name by which the script calls the program: one that the shell finds, since a path would be wrong after a move.
const PROGRAM: &str = "yc-rs";

/// Print a script that completes command lines
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Load it when a shell starts:
  bash        echo 'source <(yc-rs completion bash)' >> ~/.bashrc
  zsh         echo 'source <(yc-rs completion zsh)' >> ~/.zshrc (after compinit)
  fish        yc-rs completion fish > ~/.config/fish/completions/yc-rs.fish
  powershell  yc-rs completion powershell | Out-String | Invoke-Expression
  elvish      eval (yc-rs completion elvish | slurp)   (in rc.elv)")]
pub struct Args {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// A shell that a script can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// Fish
    Fish,
    /// `PowerShell`
    #[value(alias = "pwsh", help = "PowerShell")]
    Powershell,
    /// Elvish
    Elvish,
}

/// The script.
///
/// # Errors
/// Never, as long as the shells here are those that the scripts are made for.
pub fn script(args: &Args) -> Result<Vec<u8>> {
    let name = args.shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).ok_or_else(|| Error::internal(format!("there is no script for {name}")))?;
    shell
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .map_err(|error| Error::internal(format!("cannot make the script: {error}")))?;
    Ok(script)
}

/// Answers a script that asks for completions; `None` in an ordinary run. Nothing is said on standard error, since that
/// would end up in the line that is being typed.
pub fn answer(args: &[OsString], env: &Env) -> Option<u8> {
    env.var(VARIABLE)?;
    let directory = std::env::current_dir().ok();
    let words: Vec<_> = args.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let is_bash = env.var(VARIABLE) == Some(Bash.name());
    let position = position(&words, env);
    let (words, position) = if is_bash {
        let (words, position, _) = join(words, position);
        (words, position)
    } else {
        (words, position)
    };
    let command = move || {
        let mut command = Cli::command();
        command.build();
        values::add(command, &words, position)
    };
    let shells: [&dyn EnvCompleter; 5] = [&SplitWords(env), &Elvish, &Fish, &Powershell, &Zsh];
    let engine = CompleteEnv::with_factory(command).var(VARIABLE).shells(Shells(&shells));
    Some(u8::from(!matches!(engine.try_complete(args, directory.as_deref()), Ok(true))))
}

/// Bash, which hands `--flag=value` over as three words and wants the last of them completed.
struct SplitWords<'a>(&'a Env);

impl EnvCompleter for SplitWords<'_> {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        script: &mut dyn Write,
    ) -> io::Result<()> {
        Bash.write_registration(variable, name, program, completer, script)
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        directory: Option<&Path>,
        answer: &mut dyn Write,
    ) -> io::Result<()> {
        let position = self.0.var("_CLAP_COMPLETE_INDEX").and_then(|text| text.parse().ok()).unwrap_or_default();
        // The separator is white space, which `Env::var` leaves out.
        let separator = self.0.vars.get("_CLAP_IFS").filter(|text| !text.is_empty()).map_or("\n", String::as_str);
        let (words, position, flag) = join(words, position);
        let candidates = engine::complete(command, words, position, directory)?;
        let values = candidates.iter().map(|candidate| candidate.get_value().to_string_lossy());
        let values: Vec<_> = values.map(|value| value.strip_prefix(&flag).unwrap_or(&value).to_owned()).collect();
        answer.write_all(values.join(separator).as_bytes())
    }
}

/// Puts `--flag`, `=`, `value` together again. Returns the words, the position of the one to complete, and what stands
/// before the part of it that Bash wants.
fn join(words: Vec<OsString>, position: usize) -> (Vec<OsString>, usize, String) {
    let mut joined: Vec<OsString> = Vec::new();
    let (mut new_position, mut flag) = (position, String::new());
    let mut words = words.into_iter().enumerate().peekable();
    while let Some((at, mut word)) = words.next() {
        let mut last = at;
        if word.to_string_lossy().starts_with("--") && words.next_if(|(_, next)| next == "=").is_some() {
            word.push("=");
            let before = word.to_string_lossy().into_owned();
            last += 1;
            if let Some((at, value)) = words.next() {
                word.push(value);
                last = at;
            }
            if last == position {
                flag = before;
            }
        }
        if (at..=last).contains(&position) {
            new_position = joined.len();
        }
        joined.push(word);
    }
    (joined, new_position, flag)
}

/// The position of the word to complete: the shells that do not tell complete the last one.
fn position(words: &[OsString], env: &Env) -> usize {
    let given = env.var("_CLAP_COMPLETE_INDEX").and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| words.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_bash_has_split_are_put_together() {
        let check = |line: &str, position: usize, joined: &str, new_position: usize, flag: &str| {
            let words = line.split(' ').map(OsString::from).collect();
            let expected: Vec<_> = joined.split(' ').map(OsString::from).collect();
            assert_eq!(join(words, position), (expected, new_position, flag.to_owned()), "{line}");
        };
        check("yc-rs --format = js", 3, "yc-rs --format=js", 1, "--format=");
        check("yc-rs --profile = a config get t", 6, "yc-rs --profile=a config get t", 4, "");
        check("yc-rs --format js", 2, "yc-rs --format js", 2, "");
        check("yc-rs config set a = b", 5, "yc-rs config set a = b", 5, "");
        check("yc-rs --format =", 2, "yc-rs --format=", 1, "--format=");
    }
}
