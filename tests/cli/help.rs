//! Help: what holds for every command of the tree. Its text stands in `docs/commands.md`.

use clap::{Command, CommandFactory};
use yc_emulator::{ADMIN_ID, OAUTH_TOKEN};
use yc_rs::commands::Cli;
use yc_rs::commands::help::examples;

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
            let lines = text.lines().count();
            assert!(lines <= if flag == "-h" { 24 } else { 80 }, "{path:?} {flag}: {lines} lines: {text}");
            assert!(text.lines().all(|line| line.chars().count() <= 80 && !line.contains('\u{1b}')), "{text}");
        }
    }
    assert!(user.sent().is_empty());
}

#[test]
fn every_command_has_examples_two_where_it_has_flags_of_its_own() {
    fn check(command: &Command, path: &[&str]) {
        let deeper: Vec<_> = command.get_subcommands().filter(|deeper| deeper.get_name() != "help").collect();
        for deeper in &deeper {
            check(deeper, &[path, &[deeper.get_name()]].concat());
        }
        if deeper.is_empty() && !command.is_hide_set() {
            let is_own = |arg: &clap::Arg| {
                arg.get_help_heading() != Some("Global flags") && !arg.is_positional() && arg.get_id() != "help"
            };
            let wanted = if command.get_arguments().any(is_own) { 2 } else { 1 };
            let examples = examples::of(&path.join(" "));
            let command = path.join(" ");
            assert!(examples.len() >= wanted || command == "version", "{command} has {} examples", examples.len());
            let name = if path.contains(&"access-key") { &path[path.len() - 1..] } else { path };
            let is_of_command = |example: &examples::Example| example.line.contains(&name.join(" "));
            assert!(examples.iter().all(is_of_command), "{command}");
        }
    }
    check(&tree(), &[]);
}

#[test]
fn help_and_version_are_given_wherever_they_are_requested() {
    let user = User::new();
    let of_root = user.run("help").ok();
    assert_eq!([user.run("help --help").ok(), user.run("help -h").ok()], [of_root.clone(), of_root]);
    assert_eq!(user.run("iam help --help").ok(), user.run("iam --help").ok());
    assert_eq!(user.run("help iam access-key --help").ok(), user.run("iam access-key --help").ok());
    for line in ["-V", "--version", "iam -V", "help -V", "iam access-key list --version"] {
        assert_eq!(user.run(line).ok(), concat!("yc-rs ", env!("CARGO_PKG_VERSION"), "\n"), "{line}");
    }
    assert!(user.run("help env").failed(2).ends_with("hint: type: yc-rs help environment\n"));
    let unknown = user.run("help bogus").failed(2);
    assert!(unknown.contains("hint: the topics are: environment, exit-codes, "), "{unknown}");
}

#[test]
fn the_global_flags_are_a_topic_that_every_help_names() {
    let user = User::new();
    let flags = global_flags();
    assert!(flags.len() >= 19, "{flags:?}");
    let has = |text: &str, flag: &str| {
        // What is further to the right belongs to a description.
        let mut names = text.lines().filter(|line| line.len() - line.trim_start().len() <= 6);
        names.any(|line| line.trim_start().trim_start_matches("-h, ").split([' ', ',']).next() == Some(flag))
    };
    let topic = user.run("help flags").ok();
    for flag in &flags {
        assert!(has(&topic, flag), "no {flag} in: {topic}");
    }
    for path in paths() {
        for length in ["-h", "--help"] {
            let text = help(&user, &path, length);
            for flag in &flags {
                assert!(!has(&text, flag), "{path:?}: {flag} is in: {text}");
            }
            let has_help = has(&text, "--help") || path.is_empty() && length == "-h";
            assert!(has_help && text.contains("yc-rs help flags"), "{text}");
        }
    }
}

#[test]
fn the_long_help_has_every_flag_of_the_command() {
    fn check(user: &User, command: &Command, path: &[String]) {
        let text = help(user, path, "--help");
        let own = command.get_arguments().filter(|arg| arg.get_help_heading().is_none() && !arg.is_hide_set());
        for flag in own.filter_map(|arg| arg.get_long()) {
            assert!(text.contains(&format!("--{flag}")), "{path:?}: no --{flag} in: {text}");
        }
        for deeper in command.get_subcommands().filter(|deeper| deeper.get_name() != "help") {
            check(user, deeper, &[path, &[deeper.get_name().to_owned()]].concat());
        }
    }
    check(&User::new(), &tree(), &[]);
}

#[test]
fn the_topics_are_those_of_the_documents() {
    let user = User::new();
    for (topic, words) in [
        ("environment", ["YC_IAM_TOKEN", "YC_FOLDER_ID", "AWS_PROFILE"]),
        ("exit-codes", ["NOT_FOUND", "126, 127", "130"]),
        ("formatting", ["json-rest", "--jq", "--export"]),
        ("credentials", ["--token", "YC_SERVICE_ACCOUNT_KEY_FILE", "metadata service"]),
        ("flags", ["--format", "--profile", "--timeout"]),
    ] {
        let text = user.run(&format!("help {topic}")).ok();
        for word in words {
            assert!(text.contains(word), "{topic}: no {word} in: {text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(user.run("-h").ok().contains(topic));
    }
    let error = user.run("help nothing").failed(2);
    assert!(error.contains("'nothing'"), "{error}");
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
        let text = help(&user, path, "--help");
        assert_eq!(by_command, text, "{path:?}");
        if let [group, rest @ ..] = &path[..]
            && !rest.is_empty()
        {
            let words = [&[group.as_str(), "help"], &rest.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
            assert_eq!(user.run_args(words).ok(), text, "{path:?}");
        }
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
