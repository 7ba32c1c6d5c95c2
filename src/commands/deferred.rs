//! Building only the commands that are on the way to the one that was typed.
//!
//! Every command takes the global flags. Given to clap as `global` arguments they would be cloned into every
//! command of the tree in every run. Here each command of the tree gets them when it is built, and it is built when
//! the parser, the help or a completion reaches it.

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use crate::config::settings::GlobalFlags;

/// A command, or a group of commands, that is built on demand and takes the global flags.
#[derive(Debug)]
pub struct Deferred<T>(pub T);

impl<T: FromArgMatches> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Subcommand> Subcommand for Deferred<T> {
    fn augment_subcommands(command: Command) -> Command {
        command
            .defer(|command| described(command, |command| T::augment_subcommands(GlobalFlags::augment_args(command))))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        T::has_subcommand(name)
    }
}

impl<T: Args> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| described(command, |command| GlobalFlags::augment_args(T::augment_args(command))))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Adds arguments to a command whose description stays: clap would take that of the arguments' own type.
fn described(command: Command, add: impl FnOnce(Command) -> Command) -> Command {
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    add(command).about(Resettable::from(about)).long_about(Resettable::from(long_about))
}

/// The global flags, given at whichever level of the command line; the one nearest to the command wins.
///
/// # Errors
/// Those of clap.
pub fn global_flags(matches: &ArgMatches) -> Result<GlobalFlags, clap::Error> {
    let mut flags = GlobalFlags::from_arg_matches(matches)?;
    let mut level = matches;
    while let Some((_, deeper)) = level.subcommand() {
        if deeper.args_present() {
            flags.give_way_to(deeper);
            flags.update_from_arg_matches(deeper)?;
        }
        level = deeper;
    }
    Ok(flags)
}
