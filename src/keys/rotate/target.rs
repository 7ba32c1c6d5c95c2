//! Where the new key of a rotation goes, as its journal says.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::text::quote;

/// Where the new key goes. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// A profile of the AWS CLI.
    AwsProfile {
        /// The name of the profile.
        profile: String,
        /// The credentials file.
        file: PathBuf,
    },
    /// A file that gets what `create --format json` prints.
    Output {
        /// The file.
        file: PathBuf,
    },
    /// A secret of Lockbox, which gets a version with two entries.
    Lockbox {
        /// The ID of the secret.
        secret_id: String,
        /// The entry for the key ID.
        key_id_entry: String,
        /// The entry for the secret.
        secret_entry: String,
    },
    /// A command that takes the key from its environment.
    Command {
        /// The command and its arguments, as typed.
        command: Vec<String>,
        /// The directory that it runs in.
        directory: PathBuf,
    },
}

impl Destination {
    /// Whether a command gets the key: what it does with it is not known.
    pub fn is_command(&self) -> bool {
        matches!(self, Self::Command { .. })
    }

    /// Whether the region and the endpoint of the storage are needed to deliver a key.
    pub fn needs_storage(&self) -> bool {
        matches!(self, Self::AwsProfile { .. } | Self::Command { .. })
    }
}

/// The destination for messages and lists.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AwsProfile { profile, file } => {
                write!(f, "the profile {} of {}", quote::value(profile), quote::full_path(file))
            }
            Self::Output { file } => write!(f, "the file {}", quote::full_path(file)),
            Self::Lockbox { secret_id, .. } => write!(f, "the Lockbox secret {}", quote::bare(secret_id)),
            Self::Command { command, .. } => write!(f, "the command {}", quote::value(&command.join(" "))),
        }
    }
}
