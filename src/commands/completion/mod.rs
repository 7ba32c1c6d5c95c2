//! `completion`, and the answers that its scripts ask the program for.
//!
//! The script holds no names of commands or flags: at each press of the key it runs the program with a variable set,
//! so that it stays right after an upgrade.

use std::ffi::OsString;

use clap::{CommandFactory, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};

use self::bash::BashLine;
pub use self::values::profiles;
use super::Cli;
use crate::env::Env;
use crate::error::{Error, Result};

mod bash;
mod resources;
mod values;

/// The variable by which a script asks for completions; it holds the name of the shell.
pub const VARIABLE: &str = "YC_RS_COMPLETE";

/// The name by which the script calls the program: one that the shell finds, since a path would be wrong after a move.
const PROGRAM: &str = "yc-rs";

/// Zsh runs a file in a directory of `fpath` as a function at the first completion, and has it complete that line.
const ZSH_AUTOLOAD: &str = r#"
# In a directory of fpath, this file is the function _yc-rs, which the first completion calls.
if [ "${funcstack[1]-}" = _yc-rs ]; then _clap_dynamic_completer_yc_rs "$@"; fi
"#;

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
    Ok(match args.shell {
        Shell::Bash => bash::with_quote(&script),
        Shell::Zsh => [&script, ZSH_AUTOLOAD.as_bytes()].concat(),
        _ => script,
    })
}

/// Answers a script that asks for completions; `None` in an ordinary run. Nothing is said on standard error, since that
/// would end up in the line that is being typed.
pub fn answer(args: &[OsString], env: &Env) -> Option<u8> {
    env.var(VARIABLE)?;
    let directory = std::env::current_dir().ok();
    let is_bash = env.var(VARIABLE) == Some(Bash.name());
    // These two hand words over with their quotes as well, and quote themselves what they get.
    let args = match env.var(VARIABLE) {
        Some("zsh" | "fish") => args.iter().cloned().map(bash::unquoted).collect(),
        _ => args.to_vec(),
    };
    let words: Vec<_> = args.iter().skip_while(|word| *word != "--").skip(1).cloned().collect();
    let position = position(&words, env);
    let (words, position) = if is_bash { bash::words(words, position) } else { (words, position) };
    let command = move || {
        let mut command = Cli::command();
        command.build();
        values::add(command, &words, position)
    };
    let shells: [&dyn EnvCompleter; 5] = [&BashLine(env), &Elvish, &Fish, &Powershell, &Zsh];
    let engine = CompleteEnv::with_factory(command).var(VARIABLE).shells(Shells(&shells));
    Some(u8::from(!matches!(engine.try_complete(args, directory.as_deref()), Ok(true))))
}

/// The position of the word to complete: the shells that do not tell complete the last one.
fn position(words: &[OsString], env: &Env) -> usize {
    let given = env.var("_CLAP_COMPLETE_INDEX").and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| words.len().saturating_sub(1))
}
