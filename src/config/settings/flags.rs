//! The flags that every command takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Args, ValueEnum};
use secrecy::SecretString;

use crate::output::Format;
use crate::text::{duration, ids};

/// The flags that every command takes, before or after the subcommand.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global flags")]
pub struct GlobalFlags {
    /// Profile to use
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub profile: Option<String>,
    /// OAuth or IAM token; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", hide_short_help = true, value_parser = parse_secret)]
    pub token: Option<SecretString>,
    /// ID of the service account to act as
    #[arg(long, value_name = "ID", hide_short_help = true, value_parser = ids::parse_id)]
    pub impersonate_service_account_id: Option<String>,
    /// ID of the cloud in which a folder is looked up by name
    #[arg(long, value_name = "ID", hide_short_help = true)]
    pub cloud_id: Option<String>,
    /// ID of the folder in which names are looked up
    #[arg(long, value_name = "ID", hide_short_help = true, conflicts_with = "folder_name")]
    pub folder_id: Option<String>,
    /// Name of the folder in which names are looked up
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub folder_name: Option<String>,
    /// Endpoint of another installation's API [default: api.cloud.yandex.net:443]
    #[arg(long, value_name = "HOST:PORT|URL", hide_short_help = true)]
    pub endpoint: Option<String>,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, hide_short_help = true)]
    pub format: Option<Format>,
    /// jq filter to run on the response
    #[arg(
        long,
        visible_alias = "query",
        value_name = "EXPRESSION",
        hide_short_help = true,
        allow_hyphen_values = true
    )]
    pub jq: Option<String>,
    /// Maximum attempts per request (negative: no limit); never longer than 2 minutes in total [default: 5]
    #[arg(long, value_name = "N", hide_short_help = true, allow_negative_numbers = true)]
    pub retry: Option<i64>,
    /// Limit for the whole command, e.g. 30s
    #[arg(long, value_name = "DURATION", hide_short_help = true, value_parser = parse_time_limit)]
    pub timeout: Option<Duration>,
    /// Limit for making a connection [default: 10s]
    #[arg(long, value_name = "DURATION", hide_short_help = true, value_parser = parse_time_limit)]
    pub connect_timeout: Option<Duration>,
    /// Limit for the first byte of a response, and for each pause within it [default: 60s]
    #[arg(long, value_name = "DURATION", hide_short_help = true, value_parser = parse_time_limit)]
    pub read_timeout: Option<Duration>,
    /// File of root certificates (PEM) to trust in addition to the system's
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub ca_bundle: Option<PathBuf>,
    /// Accept any certificate of a server
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub no_verify_ssl: Option<bool>,
    /// Log each request on standard error
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub debug: Option<bool>,
    /// Log each request with headers and bodies
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub debug_grpc: Option<bool>,
    /// Print nothing on standard error but errors and warnings
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub no_user_output: Option<bool>,
    /// Open no browser: login prints the address alone
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub no_browser: Option<bool>,
    /// Ask no questions
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub no_input: Option<bool>,
    /// The same as --no-input: nothing asks for a confirmation
    #[arg(long, hide_short_help = true, num_args = 0, default_missing_value = "true")]
    pub yes: Option<bool>,
    /// How errors are printed
    #[arg(long, value_name = "FORMAT", value_enum, hide_short_help = true)]
    pub error_format: Option<ErrorFormat>,
    /// When to use colour
    #[arg(long, value_name = "WHEN", value_enum, hide_short_help = true)]
    pub color: Option<Color>,
}

impl GlobalFlags {
    /// Whether the user may be asked.
    pub fn allows_questions(&self) -> bool {
        [self.no_input, self.yes, self.no_user_output].iter().all(|flag| *flag != Some(true))
    }

    /// Drops the folder when a deeper level of the command line names one: a folder is named by its ID or its name.
    pub fn give_way_to(&mut self, deeper: &ArgMatches) {
        let given = |flag: &str| deeper.try_contains_id(flag).unwrap_or(false);
        if given("folder_id") || given("folder_name") {
            self.folder_id = None;
            self.folder_name = None;
        }
    }
}

/// How errors are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ErrorFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    On,
    /// Never
    Off,
}

/// The value of a flag that holds a secret, for clap.
///
/// # Errors
/// None; the signature is that of a value parser.
pub fn parse_secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text))
}

fn parse_time_limit(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("must be longer than 0, e.g. 30s".to_owned()),
        limit => Ok(limit),
    }
}
