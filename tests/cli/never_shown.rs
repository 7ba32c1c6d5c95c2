//! A secret in the wrong place: in every flag, argument and variable that takes a path, an ID or a name, nothing of it
//! is shown, on either stream and in either form of errors.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::{Arg, Command, CommandFactory};
use yc_emulator::{Fault, PrivateKey};
use yc_rs::commands::Cli;

use crate::route::GET;
use crate::support::{Ran, User};

/// So many characters in a row must not be shown.
const PART: usize = 12;

/// What people paste into the wrong place, by a name for messages.
fn secrets(user: &User) -> Vec<(&'static str, String)> {
    let key = user.cloud.admin_key().file();
    let pem = PrivateKey::Rsa2048.pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    vec![
        ("a key in JSON", key.clone()),
        ("a key in base64", STANDARD.encode(&key)),
        ("a private key in PEM", pem.to_owned()),
        ("the body of a private key", body),
        ("an IAM token", format!("t1.9euelZqXm5yLkpGRkZKR.{}", "aB3_".repeat(22))),
        ("an OAuth token", "y0_AgAAAAAhXk3qAAEBagAAAADd8Vw3mY7ZpQwRtY2fKs9-uHx3Lw".to_owned()),
        ("an API key", "AQVNyDKEGi3RHfWyP3kgMCDbE3LPDjC1vNq8TsZ2".to_owned()),
        ("a secret of 40 characters", "YCMUWwxFAnZq8fRkT2vGxN0sLh3PbJdYc1eKuQ7m".to_owned()),
        ("a secret of 43 characters", "YCNpB4fVtR8sKqL2mXwZ6cHyJ0aDgE9uOiT5nWbQ7r1".to_owned()),
        ("another secret of 40 characters", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
    ]
}

/// The parts of a secret that must not be shown: those that stand in nothing else that is shown.
fn parts(secret: &str) -> BTreeSet<String> {
    let public = ["-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "service_account_id", "private_key"];
    let lines = secret.split(['\n', '"', ' ', ',']).filter(|line| !public.iter().any(|known| known.contains(line)));
    let lines: Vec<Vec<char>> = lines.map(|line| line.chars().collect()).collect();
    lines.iter().flat_map(|line| line.windows(PART)).map(|part| part.iter().collect()).collect()
}

#[track_caller]
fn assert_not_shown(what: &str, secret: &str, ran: &Ran) {
    for part in parts(secret) {
        assert!(!ran.out.contains(&part), "{what}: {part} is on standard output: {ran:#?}");
        assert!(!ran.err.contains(&part), "{what}: {part} is on standard error: {ran:#?}");
    }
    for line in ran.err.lines().filter(|line| line.starts_with("ERROR:")) {
        assert!(line.chars().count() < 400, "{what}: {line}");
    }
}

/// Whether an argument is a place for free text, for a token, or for a program: JSON is a filter that prints itself.
fn is_free_text(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "description" | "token" | "iam_token" | "jq")
}

/// The commands at the ends of the tree, with the words that lead to them.
fn leaves(command: &Command, path: &[String], found: &mut Vec<(Vec<String>, Command)>) {
    let deeper: Vec<_> = command.get_subcommands().filter(|deeper| deeper.get_name() != "help").collect();
    if deeper.is_empty() {
        found.push((path.to_vec(), command.clone()));
    }
    for command in deeper {
        leaves(command, &[path, &[command.get_name().to_owned()]].concat(), found);
    }
}

/// Command lines that give the secret to each argument in turn; the global flags are given to some commands only.
fn command_lines(secret: &str) -> Vec<Vec<String>> {
    let mut tree = Cli::command();
    tree.build();
    let global: BTreeSet<_> = tree.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    let mut found = Vec::new();
    leaves(&tree, &[], &mut found);
    let mut lines = Vec::new();
    for (path, command) in found {
        let takes_global = path == ["iam", "access-key", "list"];
        for arg in command.get_arguments() {
            let is_global = global.contains(arg.get_id().as_str());
            let takes_value = arg.is_positional() || arg.get_action().takes_values();
            if !takes_value || is_free_text(arg) || (is_global && !takes_global) {
                continue;
            }
            let mut line = path.clone();
            match arg.get_long() {
                Some(long) => line.push(format!("--{long}={secret}")),
                None if arg.is_last_set() => line.extend(["--".to_owned(), secret.to_owned()]),
                None => line.push(secret.to_owned()),
            }
            lines.push(line);
        }
    }
    // As a command, an argument and a flag that there are not.
    lines.push(vec![secret.to_owned()]);
    lines.push(vec!["version".to_owned(), secret.to_owned()]);
    lines.push(vec!["version".to_owned(), format!("--{secret}")]);
    for key in [
        "service-account-key",
        "service-account-key-file",
        "cloud-id",
        "folder-id",
        "folder-name",
        "format",
        "endpoint",
        "endpoints.iam",
        "ca-bundle",
        "region",
        "storage-endpoint",
        "token-command",
        "workload-identity.subject-token",
        "impersonate-service-account-id",
        "instance-service-account",
    ] {
        lines.push(["config", "set", key, secret].map(str::to_owned).to_vec());
    }
    for verb in ["activate", "get", "delete", "create"] {
        lines.push(["config", "profile", verb, secret].map(str::to_owned).to_vec());
    }
    lines
}

fn check(secret_at: usize) {
    let user = User::signed_in();
    // With so short a key `serve` does not run on.
    user.cloud.set_ephemeral_key_lifetime(std::time::Duration::from_secs(60));
    let (what, secret) = secrets(&user).swap_remove(secret_at);
    for mut line in command_lines(&secret) {
        for format in ["text", "json"] {
            // A profile named by an earlier line would change the outcome of a later one.
            let user = &user;
            let _ = std::fs::remove_dir_all(user.config_dir());
            line.insert(0, format!("--error-format={format}"));
            let ran = user.run_args(&line);
            assert_not_shown(&format!("{what}: {line:?}"), &secret, &ran);
            line.remove(0);
        }
    }
}

macro_rules! each_secret {
    ($($name:ident = $at:expr;)*) => {
        $(#[test] fn $name() { check($at); })*
    };
}

each_secret! {
    a_key_in_json_is_not_shown = 0;
    a_key_in_base64_is_not_shown = 1;
    a_private_key_is_not_shown = 2;
    the_body_of_a_private_key_is_not_shown = 3;
    an_iam_token_is_not_shown = 4;
    an_oauth_token_is_not_shown = 5;
    an_api_key_is_not_shown = 6;
    a_static_secret_is_not_shown = 7;
    an_ephemeral_secret_is_not_shown = 8;
    a_secret_of_an_unknown_kind_is_not_shown = 9;
}

/// The variables that the documents name, and those of other programs that are read.
fn variables() -> BTreeSet<String> {
    let page = include_str!("../../docs/configuration.md");
    let words = page.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
    let known = words.filter(|word| ["YC_", "AWS_", "GITHUB_"].iter().any(|prefix| word.starts_with(prefix)));
    let others =
        ["HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "HOME", "USER", "AWS_SHARED_CREDENTIALS_FILE", "GITHUB_ENV"];
    known.map(|name| name.trim_end_matches('_').to_owned()).chain(others.map(str::to_owned)).collect()
}

#[test]
fn a_secret_in_a_variable_is_not_shown() {
    let variables = variables();
    assert!(variables.contains("YC_SERVICE_ACCOUNT_KEY_FILE") && variables.contains("YC_RS_CONFIG_DIR"));
    for variable in variables {
        let mut user = User::signed_in();
        if variable.ends_with("_FILE") {
            user.unset("YC_IAM_TOKEN");
        }
        if variable == "GITHUB_ENV" {
            user.set("GITHUB_ACTIONS", "true");
        }
        for (what, secret) in secrets(&user) {
            user.set(&variable, &secret);
            for line in [
                "iam access-key list --service-account-name admin --error-format=text",
                "iam access-key list --service-account-name admin --error-format=json",
                "config set cloud-id b1g",
                "iam access-key issue-ephemeral --aws-profile p",
                "iam access-key issue-ephemeral --export github-actions",
            ] {
                let ran = user.run(line);
                assert_not_shown(&format!("{what} in {variable}: {line}"), &secret, &ran);
            }
        }
    }
}

#[test]
fn a_secret_in_a_file_in_the_wrong_place_is_not_shown() {
    for at in 0..10 {
        let mut user = User::signed_in();
        let (what, secret) = secrets(&user).swap_remove(at);
        let path = user.write_file("secret", &secret);
        user.configure(&format!("{secret}\n"));
        let path = path.to_str().unwrap();
        let ran = user.run("config list");
        assert_not_shown(&format!("{what} in config.toml"), &secret, &ran);
        std::fs::remove_dir_all(user.config_dir()).unwrap();
        for line in [
            format!("iam access-key create -r {path}"),
            format!("iam access-key issue-ephemeral --policy {path}"),
            format!("iam access-key list --ca-bundle {path}"),
            format!("config set ca-bundle {path}"),
            format!("iam access-key issue-ephemeral --aws-profile p --aws-credentials-file {path}"),
        ] {
            let ran = user.run(&line);
            assert_not_shown(&format!("{what}: {line}"), &secret, &ran);
        }
        let request = user.write_file("request.json", &serde_json::json!({ "serviceAccountId": secret }).to_string());
        let field = user.write_file("field.json", &serde_json::json!({ secret.clone(): "x" }).to_string());
        for file in [request, field] {
            let ran = user.run(&format!("iam access-key create -r {}", file.display()));
            assert_not_shown(&format!("{what} in a request file"), &secret, &ran);
        }
        user.unset("YC_IAM_TOKEN");
        user.set("YC_SERVICE_ACCOUNT_KEY_FILE", path);
        assert_not_shown(&format!("{what} as a key file"), &secret, &user.run("iam whoami"));
    }
}

#[test]
fn a_secret_in_a_response_that_is_not_the_apis_is_not_shown() {
    let user = User::signed_in();
    for (what, secret) in secrets(&user) {
        let in_header: String = secret.chars().filter(char::is_ascii_graphic).take(200).collect();
        // The secrets that can be the name of a host.
        let host = secret.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).then(|| secret.clone());
        let headers = ["x-request-id", "x-server-request-id", "x-server-trace-id"];
        let headers = headers.map(|name| (name.to_owned(), in_header.clone())).to_vec();
        let mut faults = vec![
            Fault::answer(400, "application/json", &serde_json::json!({ "message": secret }).to_string()),
            Fault::answer(401, "application/json", &serde_json::json!({ "error": secret }).to_string()),
            Fault::answer(500, "text/plain", &secret),
            Fault::answer(403, "text/html", &format!("<html>{secret}</html>")),
            Fault::answer(200, "text/html", &format!("<html>{secret}</html>")),
            Fault::Headers(headers),
        ];
        faults.extend(host.as_ref().map(|host| Fault::redirect(302, &format!("https://{host}/login"))));
        for fault in faults {
            for format in ["text", "json"] {
                user.cloud.fault(GET, fault.clone());
                let ran = user.run(&format!("iam access-key get abc --retry 1 --error-format {format}"));
                assert_ne!(ran.code, 0, "{what}: {ran:#?}");
                assert_not_shown(&format!("{what}: {fault:?}"), &secret, &ran);
                if let Some(host) = &host {
                    let lower = Ran { out: ran.out.to_lowercase(), err: ran.err.to_lowercase(), ..ran };
                    assert_not_shown(&format!("{what}: {fault:?}"), &host.to_lowercase(), &lower);
                }
            }
        }
    }
}

#[test]
fn a_value_is_shown_on_one_line_of_at_most_80_characters() {
    let user = User::signed_in();
    let long = "a".repeat(200);
    let shown = "a".repeat(79);
    assert_eq!(
        user.run(&format!("iam access-key get {long}")).failed(2).lines().next().unwrap(),
        format!("ERROR: '{shown}…' is not an ID: it has more than 50 characters")
    );
    let error = user.run_args(["operation", "get", "a\nb\u{1b}[1m"]).failed(2);
    assert_eq!(
        error.lines().next().unwrap(),
        r"ERROR: 'a\nb\u001b[1m' is not an ID: an ID has no spaces, no control characters, no '/', and no '.' first"
    );
}

#[test]
fn a_long_value_is_cut_in_every_flag_and_variable() {
    let mut user = User::signed_in().over_https();
    user.cloud.set_ephemeral_key_lifetime(std::time::Duration::from_secs(60));
    let long = "long-name/".repeat(40);
    for line in command_lines(&long) {
        for shown in user.run_args(&line).err.lines().filter(|shown| shown.starts_with("ERROR:")) {
            assert!(!shown.contains(&long[..81]), "{line:?}: {shown}");
        }
    }
    for variable in ["YC_FOLDER_ID", "YC_FORMAT", "YC_PROFILE", "YC_CA_BUNDLE"] {
        user.set(variable, &long);
        let error = user.run("iam access-key list").failed(2);
        assert!(!error.contains(&long[..81]), "{variable}: {error}");
        user.unset(variable);
    }
}

#[test]
fn a_secret_is_described_by_what_it_looks_like() {
    let user = User::signed_in();
    let folder = format!("--folder-id={}", secrets(&user)[4].1);
    let error = user.run_args(["iam", "access-key", "list", &folder]).failed(2);
    assert_eq!(error, "ERROR: --folder-id: (an IAM token, not shown) is not an ID\n");
}

#[test]
fn names_and_paths_that_hold_no_secret_are_shown() {
    let user = User::signed_in();
    let error = user.run("config get service-account-key.private_key").failed(1);
    assert!(error.starts_with("ERROR: 'service-account-key.private_key' is not set"), "{error}");
    let path = "/nix/store/0c2q3k9vw1m7z5x8b4n6d0f2g1h3j5l7-key/key.json";
    let error = user.run(&format!("iam access-key create -r {path}")).failed(2);
    assert!(error.starts_with(&format!("ERROR: --request-file: the file '{path}' cannot be read: ")), "{error}");
    let name = "robot-3f2a9c4e7b1d8056e4f3a2b1c0d9e8f7a6b5c4d3";
    user.run(&format!("iam access-key list --service-account-name {name}")).failed(4);
}
