//! Help: how it is laid out, the examples, and the topics of `help TOPIC`. Made only when it is shown, so that other
//! runs do not pay for it.

pub mod examples;
mod groups;
mod layout;
mod plain_text;
pub mod topics;

use clap::builder::StyledStr;
use clap::{Arg, Command};

use groups::GROUPS;
use layout::Page;

/// The width of help, in columns.
const WIDTH: usize = 80;

/// The heading of the flags that every command takes, by which they are told from those of one command.
const GLOBAL_HEADING: &str = "Global flags";

/// How much help is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// `-h`: fits on a terminal of 24 lines.
    Short,
    /// `--help` and `help COMMAND`: all of the command's own flags, and examples.
    Long,
}

/// The help of a command of a tree that is built.
pub fn of_command(command: &Command, length: Length) -> StyledStr {
    let mut page = Page::new(length);
    let about = command.get_long_about().filter(|_| length == Length::Long).or(command.get_about());
    page.text(&about.map(ToString::to_string).unwrap_or_default());
    page.usage(&command.clone().render_usage().to_string());
    page.arguments(command);
    page.commands(command);
    // At the top they are those for help and version alone, and the commands take all the lines that there are.
    let own = || command.get_arguments().filter(|arg| !is_global(arg));
    if length == Length::Long {
        page.flags("Flags", own().filter(|arg| !groups::is_grouped(arg.get_id().as_str())));
        for group in &GROUPS {
            page.flags(group.heading, own().filter(|arg| group.has(arg.get_id().as_str())));
        }
    } else if !is_root(command) {
        page.flags("Flags", own());
    }
    if length == Length::Long {
        page.examples(examples::of(&path(command)));
        if let Some(notes) = command.get_after_help() {
            page.literal(&notes.to_string());
        }
    }
    let topics = || format!("Topics of yc-rs help: {}\n", topics::names().collect::<Vec<_>>().join(", "));
    let flags = match length {
        Length::Short => "All flags: --help. Global flags: yc-rs help flags",
        Length::Long => "Global flags: yc-rs help flags",
    };
    page.literal(&format!("{}{flags}", if is_root(command) { topics() } else { String::new() }));
    page.finish()
}

/// The flags that every command takes, as the topic `flags` lists them.
pub fn global_flags(command: &Command) -> StyledStr {
    let mut page = Page::new(Length::Long);
    page.text("Every command takes these flags, before or after its name.");
    page.flags(GLOBAL_HEADING, command.get_arguments().filter(|arg| is_global(arg)));
    page.finish()
}

fn is_global(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(GLOBAL_HEADING)
}

fn is_root(command: &Command) -> bool {
    command.get_bin_name().is_none_or(|name| !name.contains(' '))
}

/// The words that lead to a command, less the name of the program.
fn path(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_default();
    name.split_once(' ').map(|(_, path)| path.to_owned()).unwrap_or_default()
}
