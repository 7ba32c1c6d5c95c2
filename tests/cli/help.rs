//! Help: what holds for every command of the tree. Its text stands in `docs/commands.md`.

use clap::{Command, CommandFactory};
use yc_emulator::{ADMIN_ID, OAUTH_TOKEN};
use yc_rs::commands::Cli;

use crate::support::User;

/// The whole tree of commands, built.
fn tree() -> Command {
    let mut root = Cli::command();
    root.build();
    root
}

/// The words that lead to each command of the tree, less the `help` commands that clap adds.
fn paths() -> Vec<Vec<String>> {
    fn collect(command: &Command, path: &[String], paths: &mut Vec<Vec<String>>) {
        paths.push(path.to_vec());
        for deeper in command.get_subcommands().filter(|deeper| deeper.get_name() != "help") {
            collect(deeper, &[path, &[deeper.get_name().to_owned()]].concat(), paths);
        }
    }
    let mut paths = Vec::new();
    collect(&tree(), &[], &mut paths);
    paths
}

fn help(user: &User, path: &[String], flag: &str) -> String {
    user.run_args(path.iter().map(String::as_str).chain([flag])).ok()
}

fn global_flags() -> Vec<String> {
    Cli::command().get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect()
}

#[test]
fn the_tree_of_commands_holds_no_contradiction() {
    Cli::command().debug_assert();
    assert!(paths().len() > 12, "{:?}", paths());
}

#[test]
fn every_command_explains_itself_in_both_lengths_on_standard_output() {
    let user = User::new();
    for path in paths() {
        let usage = ["Usage: yc-rs"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        for flag in ["-h", "--help"] {
            let text = help(&user, &path, flag);
            assert!(text.contains(&usage), "{path:?} {flag}: {text}");
            assert!(text.lines().all(|line| line.chars().count() <= 120 && !line.contains('\u{1b}')), "{text}");
        }
    }
    assert!(user.sent().is_empty());
}

#[test]
fn the_short_help_hides_the_global_flags_and_the_long_one_shows_them() {
    let user = User::new();
    let flags = global_flags();
    assert!(flags.len() >= 19, "{flags:?}");
    let has = |text: &str, flag: &str| {
        text.lines().any(|line| line.trim_start().trim_start_matches("-h, ").split([' ', ',']).next() == Some(flag))
    };
    for path in paths() {
        let (short, long) = (help(&user, &path, "-h"), help(&user, &path, "--help"));
        for flag in &flags {
            assert!(!has(&short, flag), "{path:?}: {flag} is in: {short}");
            assert!(has(&long, flag), "{path:?}: no {flag} in: {long}");
        }
        assert!(has(&short, "--help"), "{short}");
    }
    assert!(help(&user, &["iam".into(), "access-key".into(), "create".into()], "-h").contains("--description"));
}

#[test]
fn every_command_and_every_argument_has_a_line_of_help() {
    fn check(command: &Command) {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name}");
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty() && !help.ends_with('.'), "{name} {}: {help}", arg.get_id());
        }
        command.get_subcommands().filter(|deeper| deeper.get_name() != "help").for_each(check);
    }
    check(&tree());
}

#[test]
fn help_needs_no_credentials_and_shows_none() {
    let mut user = User::new();
    user.configure("not TOML");
    let token = user.cloud.issue_token(ADMIN_ID);
    for (variable, value) in [
        ("YC_IAM_TOKEN", token.as_str()),
        ("YC_TOKEN", OAUTH_TOKEN),
        ("YC_PROFILE", "canary-profile"),
        ("YC_FOLDER_ID", "canary-folder"),
        ("YC_CLOUD_ID", "canary-cloud"),
        ("HTTPS_PROXY", "http://canary:canary@localhost:1"),
    ] {
        user.set(variable, value);
    }
    for path in paths() {
        let text = help(&user, &path, "--help");
        for word in [token.as_str(), OAUTH_TOKEN, "canary"] {
            assert!(!text.contains(word), "{path:?}: {text}");
        }
    }
}

#[test]
fn the_help_command_is_the_same_as_the_flag() {
    let user = User::new();
    for path in paths().iter().filter(|path| !path.is_empty()) {
        let by_command = user.run_args(["help"].into_iter().chain(path.iter().map(String::as_str))).ok();
        assert_eq!(by_command, help(&user, path, "--help"), "{path:?}");
    }
}

#[test]
fn the_documented_aliases_lead_to_the_same_command() {
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    let expected = user.run(&format!("iam access-key get {}", key.id)).ok();
    for words in ["iam access-keys get", "iam access-key describe", "iam access-keys show"] {
        assert_eq!(user.run(&format!("{words} {}", key.id)).ok(), expected, "{words}");
    }
}

#[test]
fn the_version_is_shown_without_credentials() {
    let user = User::new();
    let number = env!("CARGO_PKG_VERSION");
    assert!(user.run("version").ok().starts_with(&format!("yc-rs {number}")));
    assert_eq!(user.run("version --semantic").ok(), format!("{number}\n"));
    for line in ["--version", "-V"] {
        let out = user.run(line).ok();
        assert!(out.starts_with(&format!("yc-rs {number}")) && out.lines().count() == 1, "{out}");
    }
}
