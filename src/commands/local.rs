//! What a command that works on this machine alone may use: flags, environment, configuration, standard error.
//!
//! Nothing here needs credentials, the network, or a profile whose values are right.

use std::io::Write;

use crate::config::settings::{self, Color, GlobalFlags};
use crate::config::{Config, Profile};
use crate::env::Env;
use crate::error::Result;
use crate::log::Log;
use crate::output::{Filter, Format, Printer, Render};
use crate::text::escape;

/// The surroundings of a command that works on this machine alone.
pub struct Local<'a> {
    /// The state of the process.
    pub env: &'a Env,
    /// The flags that every command takes.
    pub flags: &'a GlobalFlags,
    /// Where notes go.
    pub log: Log,
}

impl Local<'_> {
    /// Where the result goes. The format is that of the flag alone: scripts read the bare values of
    /// `config get`, whatever format the profile or a variable sets for other commands.
    ///
    /// # Errors
    /// The jq filter does not compile.
    pub fn printer(&self) -> Result<Printer> {
        printer(self.flags.format.unwrap_or_default(), self.flags, self.env)
    }

    /// The name of the profile that flag or environment choose.
    pub fn requested_profile(&self) -> Option<&str> {
        settings::given(&self.flags.profile).or(self.env.var("YC_PROFILE"))
    }

    /// The profile in use.
    ///
    /// # Errors
    /// The configuration cannot be read, or has no such profile.
    pub fn profile(&self) -> Result<Profile> {
        Config::load(self.env)?.profile(self.requested_profile())
    }

    /// Tells the user what has to be done now, whatever the flags.
    pub fn tell(&self, text: &str) {
        let shown = if self.env.terminal.stderr { escape::multiline(text) } else { text.into() };
        // Nothing can be done when standard error is closed.
        let _ = writeln!(std::io::stderr(), "{shown}");
    }

    /// Tells the user what was done, on a terminal or not.
    pub fn confirm(&self, text: &str) {
        if self.flags.no_user_output != Some(true) {
            let shown = if self.env.terminal.stderr { escape::single_line(text) } else { text.into() };
            // Nothing can be done when standard error is closed, and the work is done.
            let _ = writeln!(std::io::stderr(), "{}", self.log.masks.mask(&shown));
        }
    }
}

/// Where a result in this format goes.
///
/// # Errors
/// The jq filter does not compile.
pub fn printer(format: Format, flags: &GlobalFlags, env: &Env) -> Result<Printer> {
    let terminal = env.terminal.stdout;
    // A variable that forces colour must not reach the programs that read JSON.
    let color = flags.color == Some(Color::On) || terminal && settings::use_color(flags.color, env, terminal);
    let render = Render {
        format,
        filter: flags.jq.as_deref().map(|filter| Filter::compile(filter, &env.vars)).transpose()?,
        terminal,
        color,
        width: env.terminal.width,
    };
    Ok(Printer::new(render, env, flags.timeout))
}
