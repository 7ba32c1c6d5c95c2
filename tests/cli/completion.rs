//! Completion of command lines, and the manual pages.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use yc_emulator::{ADMIN_ID, BACKUP_ID, Emulator};

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
    user.write_file("pol icy;id>$(x).json", "{}");
    user.write_file("my policy.json", "{}");
    let mut bash = user.program("bash");
    bash.args(["--norc", "-c"]).arg(
        r#"source <(yc-rs completion bash)
        try() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            local word="${@: -1}"
            [ "$word" = "=" ] && word=""
            word="${word#\"}"
            _clap_complete_yc_rs yc-rs "$word" "${@: -2:1}"
            echo "${COMPREPLY[*]}"
        }
        try yc-rs iam access-key list --format js
        try yc-rs iam access-key list --format = js
        try yc-rs --profile = work iam create-t
        try yc-rs --profile =
        cd "$HOME"
        try yc-rs policy check 'pol\ '
        try yc-rs policy check '"pol'
        try yc-rs policy check '"my'
        complete -p yc-rs"#,
    );
    let shown = Ran::of(bash.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).ok();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[..4], ["json json-rest", "json json-rest", "create-token", "work staging"]);
    let file = r"pol\ icy\;id\>\$\(x\).json";
    assert_eq!(lines[4..7], [file, "", "my policy.json"], "a file name that the shell would run a part of");
    assert!(lines[7].ends_with("_clap_complete_yc_rs yc-rs"), "{shown}");
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
    assert!(page("yc-rs.1").contains(".TH YC-RS 1"));
    assert!(page("yc-rs.1").contains("YC_IAM_TOKEN"));
    let issue = page("yc-rs-iam-access-key-issue-ephemeral.1");
    assert!(issue.starts_with(".ie") && issue.contains(".TH ISSUE-EPHEMERAL 1"), "{issue}");
    for section in ["EXAMPLES", "ENVIRONMENT", "EXIT STATUS", "FILES", "SEE ALSO"] {
        assert!(
            issue.contains(&format!(".SH \"{section}\"")) || issue.contains(&format!(".SH {section}\n")),
            "{section}: {issue}"
        );
    }
    for file in std::fs::read_dir(&directory).unwrap() {
        // The header has the title twice, and the name of the manual between them.
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let title = text.lines().find_map(|line| line.strip_prefix(".TH ")).unwrap().split(' ').next().unwrap();
        assert!(2 * (title.len() + "(1)".len()) + "General Commands Manual".len() < 80, "{title}");
    }
    let create = page("yc-rs-iam-access-key-create.1");
    assert!(create.contains("service\\-account\\-id") && create.contains("GLOBAL FLAGS"), "{create}");
    assert!(page("yc-rs-config-profile-create.1").contains("Create an empty profile"));
    assert!(!directory.join("yc-rs-man.1").exists());
    assert!(user.run_args(["man", "/dev/null/x"]).failed(1).contains("'/dev/null/x'"));
}

#[test]
fn commands_come_alone_where_no_flag_is_begun() {
    let user = User::new();
    let verbs = [
        "audit",
        "create",
        "delete",
        "exec",
        "get",
        "issue-ephemeral",
        "list",
        "list-operations",
        "rotate",
        "serve",
        "update",
    ];
    let mut found = complete(&user, &["iam", "access-key", ""]);
    found.retain(|name| name != "help");
    found.sort_unstable();
    assert_eq!(found, verbs);
    assert_eq!(complete(&user, &["iam", "access-key", "ge"]), ["get"]);
    assert_eq!(complete(&user, &["iam", "access-keys", "describe", "--all-f"]), ["--all-folders"]);
    assert!(complete(&user, &["iam", "access-key", "list", ""]).contains(&"--limit".to_owned()));
}

#[test]
fn files_programs_profiles_and_settings_are_completed_in_their_places() {
    let mut user = with_profiles();
    std::fs::create_dir_all(user.home().join(".aws")).unwrap();
    user.write_file(".aws/credentials", "[backup]\naws_access_key_id = YCA\n");
    user.write_file(".aws/config", "[profile ci]\nregion = ru-central1\n");
    let key = user.write_file("authorized.json", "{}");
    let start = user.home().join("auth");
    let bin = user.home().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for (name, mode) in [("s3-upload", 0o755), ("s3-notes", 0o644)] {
        let path = user.write_file(&format!("bin/{name}"), "");
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
    user.set("PATH", bin.to_str().unwrap());
    let (key, start) = (key.to_str().unwrap(), start.to_str().unwrap());
    let issue = ["iam", "access-key", "issue-ephemeral"];
    let with = |rest: &[&str]| complete(&user, &[&issue[..], rest].concat());
    assert_eq!(with(&["--aws-profile", ""]), ["backup", "ci"]);
    assert_eq!(with(&["--policy", start]), [key]);
    assert_eq!(with(&["--duration", ""]), [""; 0]);
    assert_eq!(complete(&user, &["exec", "--", "s3"]), ["s3-upload"]);
    assert_eq!(complete(&user, &["exec", "--", "s3-upload", start]), [key]);
    assert_eq!(complete(&user, &["config", "set", "service-account-key", start]), [key]);
    assert_eq!(complete(&user, &["config", "set", "format", "j"]), ["json", "json-rest"]);
    assert_eq!(complete(&user, &["config", "set", "endpoints.lo"]), ["endpoints.lockbox"]);
}

/// A user in the folder of the emulator's accounts, with a token that is cached.
fn with_cached_token() -> (User, String) {
    let user = User::of(Emulator::start()).with_key();
    let key = user.cloud.add_access_key(BACKUP_ID, "nightly");
    user.run("iam whoami").ok();
    user.cloud.clear_requests();
    (user, key.id)
}

#[test]
fn accounts_and_keys_of_the_folder_are_completed() {
    let (user, key) = with_cached_token();
    let key_id = user.cloud.access_keys()[0].key_id.clone();
    assert_eq!(complete(&user, &["iam", "access-key", "list", "--service-account-name", "b"]), ["backup"]);
    assert_eq!(complete(&user, &["iam", "access-key", "get", ""]), [key.as_str()]);
    assert_eq!(complete(&user, &["iam", "access-key", "delete", "--key-id", "YCA"]), [key_id]);
    let of_account = ["iam", "access-key", "get", "--service-account-id", ADMIN_ID, "aje"];
    assert_eq!(complete(&user, &of_account), [""; 0]);
    assert!(
        complete(&user, &["iam", "access-key", "list", "--service-account-id", ""]).contains(&BACKUP_ID.to_owned())
    );
    assert!(user.sent().iter().all(|line| line.starts_with("GET ")), "{:?}", user.sent());
}

#[test]
fn the_keys_of_every_page_are_completed() {
    let user = User::of(Emulator::builder().page_size(2).start()).with_key();
    let mut keys: Vec<_> = (0..7).map(|_| user.cloud.add_access_key(BACKUP_ID, "").id).collect();
    user.run("iam whoami").ok();
    let mut completed = complete(&user, &["iam", "access-key", "get", ""]);
    keys.sort();
    completed.sort();
    assert_eq!(completed, keys);
}

#[test]
fn each_id_is_completed_where_it_belongs() {
    let (user, key) = with_cached_token();
    assert!(!complete(&user, &["operation", "get", ""]).contains(&key));
    assert_eq!(complete(&user, &["iam", "service-account", "get", "--name", "b"]), ["backup"]);
    assert!(complete(&user, &["iam", "service-account", "get", "--id", ""]).contains(&BACKUP_ID.to_owned()));
    let abandon = ["iam", "access-key", "rotate", "--abandon", ""];
    assert!(!complete(&user, &abandon).contains(&key));
    let rotate = ["iam", "access-key", "rotate", &key, "--no-verify", "--", "false"];
    assert_eq!(user.run_args(rotate).code, 1);
    assert_eq!(complete(&user, &abandon), [&*key]);
    assert!(complete(&user, &["iam", "access-key", "rotate", "--resume", ""]).contains(&key));
}

#[test]
fn what_a_server_says_of_a_key_is_escaped() {
    let user = User::of(Emulator::start()).with_key();
    let key = user.cloud.add_access_key(BACKUP_ID, "safe\u{202e}gnp\u{9b}1A\rend");
    user.run("iam whoami").ok();
    let line = ["--", "yc-rs", "iam", "access-key", "get", ""];
    let mut command = user.command(line);
    let shown = Ran::of(command.env("YC_RS_COMPLETE", "fish").stdout(Stdio::piped()).spawn().unwrap()).ok();
    assert!(shown.starts_with(&format!("{}\tbackup: safe\\u202egnp\\u009b1A\\rend\n", key.id)), "{shown:?}");
}

#[test]
fn an_answer_is_cached_for_a_minute() {
    let (user, _) = with_cached_token();
    let words = ["iam", "access-key", "list", "--service-account-name", "b"];
    assert_eq!(complete(&user, &words), ["backup"]);
    let sent = user.sent().len();
    assert_eq!(complete(&user, &words), ["backup"]);
    assert_eq!(user.sent().len(), sent);
    user.edit_cache("completions", |entry| entry["obtained_at"] = "2026-01-01T00:00:00Z".into());
    complete(&user, &words);
    assert!(user.sent().len() > sent);
}

#[test]
fn nothing_is_exchanged_executed_or_said_for_an_answer() {
    let words = ["iam", "access-key", "list", "--service-account-name", "b"];
    let user = User::of(Emulator::start()).with_key();
    assert_eq!(complete(&user, &words), [""; 0]);
    assert_eq!(user.sent(), [""; 0]);

    let witness = user.home().join("executed");
    user.use_profile(&format!(
        "token-command = ['touch', '{}']\nfolder-id = 'b1gfolder00000000001'",
        witness.display()
    ));
    assert_eq!(complete(&user, &words), [""; 0]);
    assert!(!witness.exists());

    let (user, _) = with_cached_token();
    user.cloud.revoke_token(&user.cloud.tokens()[0].value);
    assert_eq!(complete(&user, &words), [""; 0]);
    assert!(user.sent().iter().all(|line| line.starts_with("GET ")), "{:?}", user.sent());
    user.cloud.refuse_connections(2);
    assert_eq!(complete(&user, &words), [""; 0]);
}

#[test]
fn a_server_that_does_not_respond_holds_nobody_up() {
    let mut user = User::signed_in();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    user.point_at(&format!("http://{}", silent.local_addr().unwrap()));
    let started = std::time::Instant::now();
    assert_eq!(complete(&user, &["iam", "access-key", "get", "--key-id", ""]), [""; 0]);
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
}

/// Has fish and zsh themselves complete lines, zsh in a terminal of its own.
#[test]
fn fish_and_zsh_complete_with_the_script() {
    let user = with_profiles();
    user.write_file("pol icy.json", "{}");
    if require_program("fish") {
        let script = "yc-rs completion fish | source
            complete -C 'yc-rs iam access-key '
            complete -C 'yc-rs --profile st'
            complete -C 'yc-rs iam access-key list --sor'
            cd; complete -C 'yc-rs policy check pol\\ i'";
        let mut fish = user.program("fish");
        let ran = Ran::of(fish.args(["-Nc", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        let shown = ran.ok();
        let names: Vec<_> = shown.lines().map(|line| line.split('\t').next().unwrap()).collect();
        assert!(names.contains(&"get") && names.contains(&"staging") && names.contains(&"--sort"), "{shown}");
        assert!(names.contains(&"pol icy.json"), "{shown}");
        assert!(!names.contains(&"describe") && !names.contains(&"--help"), "{shown}");
    }
    if require_program("zsh") {
        let script = r#"zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell 'autoload -U compinit && compinit -D; source <(yc-rs completion zsh); echo RE""ADY'
            zpty -r -m shell text '*READY*'
            for line in 'iam access-key list-o' 'config profile activate st' 'iam access-key ge'; do
                zpty -w -n shell "yc-rs $line"$'\t'
                zpty -r -m shell text "*(list-operations|staging|get )*"
                print -r -- "${text##*yc-rs}"
                zpty -w -n shell $'\x15'
            done"#;
        let mut zsh = user.program("timeout");
        let ran = Ran::of(
            zsh.args(["60", "zsh", "-fc", script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(),
        );
        let shown = ran.ok();
        for expected in ["list-operations", "staging", "get"] {
            assert!(shown.contains(expected), "{shown}");
        }
    }
}
