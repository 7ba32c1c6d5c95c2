//! The topics of `help TOPIC`, made from the tables of the documents.

use clap::builder::StyledStr;
use clap::{Command, ValueEnum};

use super::layout::Page;
use super::{Length, global_flags, plain_text};
use crate::output::Format;

const ERRORS: &str = include_str!("../../../docs/errors.md");
const CONFIGURATION: &str = include_str!("../../../docs/configuration.md");
const AUTHENTICATION: &str = include_str!("../../../docs/authentication.md");

/// A topic.
struct Topic {
    name: &'static str,
    /// Makes its text; the command is the root of the tree.
    show: fn(&Command) -> StyledStr,
}

const TOPICS: [Topic; 5] = [
    Topic { name: "environment", show: |_| environment() },
    Topic { name: "exit-codes", show: |_| exit_codes_page() },
    Topic { name: "formatting", show: |_| formatting() },
    Topic { name: "credentials", show: |_| credentials() },
    Topic { name: "flags", show: global_flags },
];

/// The names of the topics.
pub fn names() -> impl Iterator<Item = &'static str> {
    TOPICS.iter().map(|topic| topic.name)
}

/// The text of a topic.
pub fn find(name: &str, root: &Command) -> Option<StyledStr> {
    TOPICS.iter().find(|topic| topic.name == name).map(|topic| (topic.show)(root))
}

fn environment() -> StyledStr {
    let mut page = Page::new(Length::Long);
    page.text(
        "The variables that yc-rs reads. A flag takes precedence over a variable, and a variable over the profile. \
         Credentials have an order of their own: see 'yc-rs help credentials'.",
    );
    page.rows("Variables", &variables());
    page.finish()
}

/// The variables that the program reads, and what each is for.
pub fn variables() -> Vec<(String, String)> {
    plain_text::table(CONFIGURATION, "## Settings")
        .filter_map(|row| Some((row.get(1)?.clone(), row.get(3)?.clone())))
        .filter(|(variable, _)| !variable.is_empty())
        .collect()
}

fn exit_codes_page() -> StyledStr {
    let mut page = Page::new(Length::Long);
    page.text("The exit code says whether the same command can succeed later.");
    page.rows("Exit codes", &exit_codes());
    page.finish()
}

/// The exit codes, and what each means.
pub fn exit_codes() -> Vec<(String, String)> {
    plain_text::table(ERRORS, "## Exit codes")
        .filter_map(|row| {
            let meaning = row.get(1)?.clone();
            let retry = row.get(2).filter(|retry| !retry.is_empty());
            let meaning = retry.map_or_else(|| meaning.clone(), |retry| format!("{meaning} (retry: {retry})"));
            Some((row.first()?.clone(), meaning))
        })
        .collect()
}

fn formatting() -> StyledStr {
    let mut page = Page::new(Length::Long);
    page.text(
        "--format chooses the form of the result; YC_FORMAT and 'format' of the profile set it for every command.",
    );
    let formats = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
    let rows: Vec<_> = formats
        .map(|value| (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default()))
        .collect();
    page.rows("Formats", &rows);
    page.text(
        "--jq EXPRESSION prints the output of a jq filter instead. Its input is the JSON of --format json, or of \
         --format json-rest. A string is printed without quotation marks, as with jq -r.",
    );
    page.text("--export FORMAT prints a key in a form that S3 clients and shells read.");
    page.finish()
}

fn credentials() -> StyledStr {
    let mut page = Page::new(Length::Long);
    page.text(
        "The first of these sources that is set is used. When it does not work, the command fails; the next source is \
         not tried.",
    );
    let rows: Vec<_> = plain_text::table(AUTHENTICATION, "## Credential sources")
        .filter_map(|row| Some((row.get(1)?.clone(), row.get(2)?.clone())))
        .collect();
    page.rows("Sources", &rows);
    page.finish()
}
