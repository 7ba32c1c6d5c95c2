//! The groups in which `--help` shows the flags of a command. A flag that is in none comes first, under "Flags".

/// A heading, and the flags below it by the names of their arguments.
pub struct Group {
    /// The heading.
    pub heading: &'static str,
    flags: &'static [&'static str],
}

/// The groups in the order in which they are shown.
pub const GROUPS: [Group; 5] = [
    Group {
        heading: "Service account",
        flags: &["subject_id", "service_account_id", "service_account_name", "all_folders", "organization_id"],
    },
    Group { heading: "Session policy", flags: &["policy", "allow", "deny"] },
    Group {
        heading: "Destination",
        flags: &[
            "export",
            "aws_profile",
            "aws_credentials_file",
            "region",
            "output",
            "lockbox_secret_id",
            "lockbox_key_id_entry",
            "lockbox_secret_entry",
        ],
    },
    Group { heading: "List", flags: &["limit", "all", "page_size", "no_paginate", "columns", "sort"] },
    Group { heading: "Request file", flags: &["request_file", "example_json", "example_yaml"] },
];

impl Group {
    /// Whether the flag belongs to this group.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }
}

/// Whether a flag belongs to a group.
pub fn is_grouped(flag: &str) -> bool {
    GROUPS.iter().any(|group| group.has(flag))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;
    use crate::commands::Cli;

    fn ids(command: &clap::Command, found: &mut BTreeSet<String>) {
        found.extend(command.get_arguments().map(|arg| arg.get_id().to_string()));
        command.get_subcommands().for_each(|deeper| ids(deeper, found));
    }

    #[test]
    fn every_flag_of_a_group_is_one_of_a_command() {
        let mut tree = Cli::command();
        tree.build();
        let mut found = BTreeSet::new();
        ids(&tree, &mut found);
        for flag in GROUPS.iter().flat_map(|group| group.flags) {
            assert!(found.contains(*flag), "{flag}");
        }
    }
}
