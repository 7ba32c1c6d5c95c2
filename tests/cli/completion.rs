//! Completion of command lines, and the manual pages.

use std::process::Stdio;

use crate::programs::require_program;
use crate::support::{Ran, User};

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

fn with_profiles() -> User {
    let user = User::new();
    user.configure("current = 'work'\n[profiles.work]\n[profiles.staging]\n");
    user
}

/// What the program prints for a script that completes the last word.
fn complete(user: &User, words: &[&str]) -> Vec<String> {
    let mut command = user.command(["--", "yc-rs"]);
    command.args(words).env("YC_RS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    Ran::of(child).ok().lines().map(str::to_owned).collect()
}

#[test]
fn every_shell_gets_a_script_that_asks_the_program() {
    let user = User::new();
    for shell in SHELLS {
        let script = user.run(&format!("completion {shell}")).ok();
        assert!(script.contains("YC_RS_COMPLETE") && script.contains("yc-rs"), "{shell}: {script}");
        assert!(!script.contains("access-key") && !script.contains(env!("CARGO_BIN_EXE_yc-rs")), "{shell}: {script}");
    }
    assert!(user.run("completion tcsh").failed(2).contains("bash, zsh, fish, powershell, elvish"));
}

#[test]
fn commands_flags_and_values_are_completed() {
    let user = with_profiles();
    let table: [(&[&str], &[&str]); 9] = [
        (&["iam", "acc"], &["access-key"]),
        (&["iam", "access-key", "list", "--folder-"], &["--folder-id", "--folder-name"]),
        (&["iam", "access-key", "list", "--format", ""], &["text", "yaml", "json", "json-rest", "table"]),
        (&["--error-format", ""], &["text", "json"]),
        (&["--profile", ""], &["work", "staging"]),
        (&["iam", "create-token", "--profile", "st"], &["staging"]),
        (&["config", "profile", "activate", "w"], &["work"]),
        (&["config", "get", "endpoints.s"], &["endpoints.sts", "endpoints.storage"]),
        (&["completion", ""], &SHELLS),
    ];
    for (words, expected) in table {
        let mut found = complete(&user, words);
        found.retain(|candidate| !candidate.starts_with("--") || words.last().unwrap().starts_with("--"));
        assert_eq!(found, expected, "{words:?}");
    }
    assert_eq!(user.sent(), [""; 0]);
}

#[test]
fn a_hidden_command_is_not_offered() {
    assert!(!complete(&User::new(), &[""]).contains(&"man".to_owned()));
    assert!(!User::new().run("--help").ok().contains("  man "));
}

#[test]
fn completion_is_silent_when_the_configuration_cannot_be_read() {
    let user = User::new();
    user.configure("not toml");
    assert_eq!(complete(&user, &["--profile", ""]), [""; 0]);
    assert_eq!(complete(&user, &["config", "un"]), ["unset"]);
}

#[test]
fn a_request_for_another_shell_gets_no_output() {
    let user = User::new();
    let mut command = user.command(["--", "yc-rs", ""]);
    let child =
        command.env("YC_RS_COMPLETE", "tcsh").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = Ran::of(child.spawn().unwrap());
    assert!(ran.code == 1 && ran.out.is_empty() && ran.err.is_empty(), "{ran:#?}");
}

/// Has Bash itself load the script and complete each line, in words as Bash splits them.
#[test]
fn bash_completes_with_the_script() {
    if !require_program("bash") {
        return;
    }
    let user = with_profiles();
    let mut bash = user.program("bash");
    bash.args(["--norc", "-c"]).arg(
        r#"source <(yc-rs completion bash)
        try() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            local word="${@: -1}"
            [ "$word" = "=" ] && word=""
            _clap_complete_yc_rs yc-rs "$word" "${@: -2:1}"
            echo "${COMPREPLY[*]}"
        }
        try yc-rs iam access-key list --format js
        try yc-rs iam access-key list --format = js
        try yc-rs --profile = work iam create-t
        try yc-rs --profile =
        complete -p yc-rs"#,
    );
    let shown = Ran::of(bash.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).ok();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[..4], ["json json-rest", "json json-rest", "create-token", "work staging"]);
    assert!(lines[4].ends_with("_clap_complete_yc_rs yc-rs"), "{shown}");
}

#[test]
fn the_other_shells_load_the_script_where_they_are_installed() {
    let user = with_profiles();
    for (shell, args) in [
        ("zsh", ["-fc", "autoload -U compinit && compinit -D && source <(yc-rs completion zsh)"]),
        ("fish", ["-Nc", "yc-rs completion fish | source; complete -C 'yc-rs --profile st'"]),
        // Only an interactive shell has the module `edit:`.
        (
            "elvish",
            [
                "-c",
                "var edit: = (ns [&completion:=(ns [&arg-completer=[&]])])
                eval &ns=(ns [&edit:=$edit:]) (yc-rs completion elvish | slurp)
                $edit:completion:arg-completer[yc-rs] yc-rs --profile st",
            ],
        ),
        ("pwsh", ["-c", "yc-rs completion powershell | Out-String | Invoke-Expression"]),
    ] {
        if !require_program(shell) {
            continue;
        }
        let mut command = user.program(shell);
        let ran = Ran::of(command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        assert_eq!(ran.code, 0, "{shell}: {ran:#?}");
        assert!(!["fish", "elvish"].contains(&shell) || ran.out.starts_with("staging"), "{ran:#?}");
    }
}

#[test]
fn help_and_manual_describe_the_command_itself() {
    let user = User::new();
    for (command, description) in [
        ("config profile delete", "Delete a profile"),
        ("config profile activate", "Use a profile from now on"),
        ("operation wait", "Wait for an operation and print it"),
        ("iam", "Manage access keys and IAM tokens"),
    ] {
        let help = user.run(&format!("{command} --help")).ok();
        assert_eq!(help.lines().next(), Some(description), "{help}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let user = User::new();
    let directory = user.home().join("share/man1");
    assert_eq!(user.run_args(["man", directory.to_str().unwrap()]).ok(), "");
    let page = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    assert!(page("yc-rs.1").contains(".TH yc-rs 1"));
    let create = page("yc-rs-iam-access-key-create.1");
    assert!(create.contains("service\\-account\\-id") && create.contains("GLOBAL FLAGS"), "{create}");
    assert!(page("yc-rs-config-profile-create.1").contains("Create an empty profile"));
    assert!(!directory.join("yc-rs-man.1").exists());
    assert!(user.run_args(["man", "/dev/null/x"]).failed(1).contains("'/dev/null/x'"));
}
