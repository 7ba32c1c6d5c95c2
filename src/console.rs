//! What a person sees beside results: errors on standard error, and the text of help.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::builder::StyledStr;

use crate::commands::{Outcome, usage};
use crate::config::settings::{self, Color, ErrorFormat, GlobalFlags};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::log;
use crate::secret::Masks;
use crate::text::escape;

/// How errors and help are shown in this run.
pub struct Console {
    /// Whether help is coloured.
    pub color_help: bool,
    /// The secrets to keep out of errors.
    pub masks: Masks,
    color_errors: bool,
    terminal: bool,
    format: ErrorFormat,
}

impl Console {
    /// What can be known before the command line is understood.
    pub fn new(args: &[OsString], env: &Env) -> Self {
        let color = usage::early_value::<Color>(args, "--color");
        let from_env = || settings::error_format(&GlobalFlags::default(), env).unwrap_or_default();
        Self {
            color_help: settings::use_color(color, env, env.terminal.stdout),
            color_errors: settings::use_color(color, env, env.terminal.stderr),
            terminal: env.terminal.stderr,
            format: usage::early_value(args, "--error-format").unwrap_or_else(from_env),
            masks: given_tokens(args, env),
        }
    }

    /// Takes over what the flags say.
    ///
    /// # Errors
    /// The environment asks for an error format that there is not.
    pub fn apply(&mut self, flags: &GlobalFlags, env: &Env) -> Result<()> {
        if let Some(token) = &flags.token {
            self.masks.add(token);
        }
        self.format = settings::error_format(flags, env)?;
        Ok(())
    }

    /// The text of help or version, coloured where it goes to a terminal.
    pub fn styled_help(&self, text: &StyledStr) -> String {
        if self.color_help { text.ansi().to_string() } else { text.to_string() }
    }

    /// Writes an error to standard error, without any secret.
    pub fn report(&self, error: &Error) {
        let text = match self.format {
            ErrorFormat::Json => self.shown(&format!("{}\n", self.masks.mask_json(&error.to_json()))),
            ErrorFormat::Text => self.styled(&self.masks.mask(&error.to_text())),
        };
        // Nothing can be done when standard error is closed; the exit status still tells.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Reports that a group of commands is named without a command: the help of the group takes the place of the hint.
    pub fn report_with_help(&self, error: &Error, help: &StyledStr) -> Outcome {
        match self.format {
            ErrorFormat::Json => self.report(error),
            ErrorFormat::Text => {
                self.report(&Error::new(error.kind().clone(), error.to_string()));
                let help = if self.color_errors { help.ansi().to_string() } else { help.to_string() };
                // As for the error itself.
                let _ = write!(io::stderr(), "\n{help}");
            }
        }
        Outcome { failures: Vec::new(), status: error.exit_code() }
    }

    /// The text as the stream should get it; what is escaped in JSON is JSON again.
    fn shown(&self, text: &str) -> String {
        if self.terminal { escape::multiline(text).into_owned() } else { text.to_owned() }
    }

    fn styled(&self, text: &str) -> String {
        let text = log::fit(self.shown(text));
        if !self.color_errors {
            return text;
        }
        let (bold_red, cyan, plain) = ("\u{1b}[1;31m", "\u{1b}[36m", "\u{1b}[0m");
        let text = text.replacen("ERROR:", &format!("{bold_red}ERROR:{plain}"), 1);
        match text.rfind("\nhint:") {
            Some(at) => format!("{}\n{cyan}hint:{plain}{}", &text[..at], &text[at + "\nhint:".len()..]),
            None => text,
        }
    }
}

/// The tokens that the user gave, as far as can be told while the command line is not understood.
fn given_tokens(args: &[OsString], env: &Env) -> Masks {
    let variables = ["YC_IAM_TOKEN", "YC_TOKEN"].into_iter().filter_map(|name| env.var(name));
    let masks = Masks::default();
    for token in usage::early_texts(args, "--token").chain(variables) {
        masks.add(&token.trim().into());
    }
    masks
}
