//! The layout of help in lines of [`WIDTH`] columns: a column of names, and one of descriptions beside it.

use std::fmt::Write as _;

use clap::builder::styling::Styles;
use clap::builder::{PossibleValue, StyledStr};
use clap::{Arg, Command};

use super::examples::Example;
use super::{Length, WIDTH};
use crate::text::wrap;

/// Where the descriptions begin at the latest; a longer name has a line of its own.
const MOST_NAME_COLUMNS: usize = 37;

/// Help in the making.
pub struct Page {
    length: Length,
    text: String,
    styles: Styles,
}

impl Page {
    /// An empty page.
    pub fn new(length: Length) -> Self {
        Self { length, text: String::new(), styles: Styles::styled() }
    }

    /// Adds paragraphs.
    pub fn text(&mut self, text: &str) {
        for paragraph in text.split("\n\n") {
            self.begin_section();
            for line in wrap::words(paragraph, WIDTH) {
                self.line(&line);
            }
        }
    }

    /// Adds lines of notes, of which the first may be a heading. What is indented stays as it is.
    pub fn literal(&mut self, text: &str) {
        self.begin_section();
        match text.split_once('\n') {
            Some((heading, rest)) if heading.ends_with(':') => {
                self.heading(heading.trim_end_matches(':'));
                self.line(rest.trim_end());
            }
            _ => text.lines().flat_map(wrap_prose).for_each(|line| self.line(&line)),
        }
    }

    /// Adds the lines that say how to call the command; those that are too long are continued on the next line.
    pub fn usage(&mut self, usage: &str) {
        self.begin_section();
        let style = *self.styles.get_usage();
        let usage = usage.trim_end().trim_start_matches("Usage:").trim_start();
        for (number, line) in usage.lines().enumerate() {
            for (part, text) in wrap::words(line, WIDTH - 11).iter().enumerate() {
                let lead = match (number, part) {
                    (0, 0) => format!("{style}Usage:{style:#} "),
                    (_, 0) => " ".repeat(7),
                    _ => " ".repeat(11),
                };
                self.line(&format!("{lead}{text}"));
            }
        }
    }

    /// Adds the positional arguments.
    pub fn arguments(&mut self, command: &Command) {
        let rows: Vec<_> = command
            .get_positionals()
            .filter(|arg| self.shows(arg))
            .map(|arg| (arg.to_string(), self.description(arg)))
            .collect();
        self.rows("Arguments", &rows);
    }

    /// Adds the commands of a group.
    pub fn commands(&mut self, command: &Command) {
        let is_shown =
            |deeper: &Command| !deeper.is_hide_set() && (self.length == Length::Long || deeper.get_name() != "help");
        let shown = command.get_subcommands().filter(|deeper| is_shown(deeper));
        let rows: Vec<_> = shown
            .map(|deeper| {
                let mut about = deeper.get_about().map(ToString::to_string).unwrap_or_default();
                let aliases: Vec<_> = deeper.get_visible_aliases().collect();
                add_note(&mut about, "aliases", &aliases);
                (deeper.get_name().to_owned(), self.of_length(about))
            })
            .collect();
        self.rows("Commands", &rows);
    }

    /// Adds flags.
    pub fn flags<'a>(&mut self, heading: &str, flags: impl Iterator<Item = &'a Arg>) {
        let shown = flags.filter(|arg| !arg.is_positional() && self.shows(arg));
        let rows: Vec<_> = shown.map(|flag| (name(flag), self.description(flag))).collect();
        self.rows(heading, &rows);
    }

    /// Adds examples.
    pub fn examples(&mut self, examples: &[Example]) {
        if examples.is_empty() {
            return;
        }
        self.begin_section();
        self.heading("Examples");
        for example in examples {
            self.line(&format!("  # {}", example.purpose));
            example.line.lines().for_each(|line| self.line(&format!("  {line}")));
        }
    }

    /// Adds rows of names and descriptions under a heading; nothing when there are no rows.
    pub fn rows(&mut self, heading: &str, rows: &[(String, String)]) {
        if rows.is_empty() {
            return;
        }
        self.begin_section();
        self.heading(heading);
        let widths = rows.iter().map(|(name, _)| columns(name) + 4).filter(|width| *width <= MOST_NAME_COLUMNS);
        let start = widths.max().unwrap_or(MOST_NAME_COLUMNS);
        let style = *self.styles.get_literal();
        for (name, description) in rows {
            let lines = wrap::words(description, WIDTH - start);
            let mut lines = lines.iter();
            let mut row = format!("  {style}{name}{style:#}");
            if columns(name) + 4 <= start
                && let Some(first) = lines.next()
            {
                let _ = write!(row, "{}{first}", " ".repeat(start - columns(name) - 2));
            }
            self.line(&row);
            for line in lines {
                self.line(&format!("{}{line}", " ".repeat(start)));
            }
        }
    }

    /// The page.
    pub fn finish(self) -> StyledStr {
        StyledStr::from(self.text)
    }

    fn shows(&self, arg: &Arg) -> bool {
        !arg.is_hide_set() && (self.length == Length::Long || !arg.is_hide_short_help_set())
    }

    fn description(&self, arg: &Arg) -> String {
        match self.length {
            Length::Long => describe(arg),
            Length::Short => self.of_length(arg.get_help().map(ToString::to_string).unwrap_or_default()),
        }
    }

    fn of_length(&self, text: String) -> String {
        match self.length {
            Length::Long => text,
            Length::Short => first_clause(&text).to_owned(),
        }
    }

    fn begin_section(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn heading(&mut self, heading: &str) {
        let style = *self.styles.get_header();
        self.line(&format!("{style}{heading}:{style:#}"));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// The names and the values of a flag, e.g. `-r, --request-file <FILE|->`.
fn name(flag: &Arg) -> String {
    let short = flag.get_short().map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
    let long = flag.get_long().map(|long| format!("--{long}")).unwrap_or_default();
    let takes_values = flag.get_num_args().is_some_and(|count| count.takes_values());
    let values = flag.get_value_names().unwrap_or_default();
    let values: Vec<_> = values.iter().filter(|_| takes_values).map(|value| format!(" <{value}>")).collect();
    let values = values.concat();
    let optional = flag.get_num_args().is_some_and(|count| count.min_values() == 0);
    let values = if optional && takes_values { format!(" [{}]", values.trim_start()) } else { values };
    format!("{short}{long}{values}")
}

/// What an argument is for, with its other names and its possible values.
fn describe(arg: &Arg) -> String {
    let mut text = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let takes_values = arg.get_num_args().is_some_and(|count| count.takes_values());
    if takes_values && !arg.is_hide_possible_values_set() {
        let values = arg.get_possible_values();
        let shown: Vec<_> = values.iter().filter(|value| !value.is_hide_set()).map(PossibleValue::get_name).collect();
        add_note(&mut text, "possible values", &shown);
    }
    let aliases: Vec<_> =
        arg.get_visible_aliases().unwrap_or_default().iter().map(|alias| format!("--{alias}")).collect();
    add_note(&mut text, "also", &aliases.iter().map(String::as_str).collect::<Vec<_>>());
    text
}

/// The beginning of a description, up to what only a longer help has room for.
fn first_clause(text: &str) -> &str {
    let end = ["; ", " [", " (", ", which ", ", as ", ", e.g. "].iter().filter_map(|mark| text.find(mark)).min();
    &text[..end.unwrap_or(text.len())]
}

/// A line of notes; one that begins with white space stays as it is.
fn wrap_prose(line: &str) -> Vec<String> {
    if line.starts_with(' ') || line.is_empty() { vec![line.to_owned()] } else { wrap::words(line, WIDTH) }
}

fn add_note(text: &mut String, label: &str, values: &[&str]) {
    if !values.is_empty() {
        let _ = write!(text, " [{label}: {}]", values.join(", "));
    }
}

/// The columns that a text without escape sequences takes.
fn columns(text: &str) -> usize {
    text.chars().count()
}
