//! `--export`: credentials in the forms that shells and SDKs read.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use serde_json::Value;
use yc_emulator::Fault;
use yc_rs::credentials::forms::ExportFormat;
use yc_rs::credentials::{Credentials, Storage};

use crate::programs::require_program;
use crate::route::ISSUE;
use crate::support::User;

const ISSUE_1H: &str = "iam access-key issue-ephemeral --duration 1h";
const NAMES: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
];

/// Variables that would give SDKs another credential than the exported one.
const CONFLICTING: [&str; 5] =
    ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY"];

/// What a shell has in these variables after it has run a script.
fn shell(user: &User, program: &str, arguments: &[&str], script: &str) -> Vec<Option<String>> {
    let mut child = user
        .program(program)
        .args(arguments)
        .envs(
            ["AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"]
                .into_iter()
                .chain(CONFLICTING)
                .map(|name| (name, "left over")),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{program}: {script}");
    let out = String::from_utf8(out.stdout).unwrap();
    let value = |text: &str| text.strip_prefix('=').map(str::to_owned);
    out.strip_suffix('\0').unwrap_or(&out).split('\0').map(value).collect()
}

/// Shells, how to have them read a script from standard input, and what they read.
const SHELLS: [(&str, &[&str], ExportFormat); 6] = [
    ("sh", &["-s"], ExportFormat::Env),
    ("dash", &["-s"], ExportFormat::Env),
    ("bash", &["--norc", "--noprofile", "-s"], ExportFormat::EnvNoExport),
    ("zsh", &["-f", "-s"], ExportFormat::Env),
    ("fish", &["--no-config"], ExportFormat::Fish),
    ("pwsh", &["-NoProfile", "-NonInteractive", "-Command", "-"], ExportFormat::Powershell),
];

/// A line that shows variables: a NUL behind each, and an equals sign before it if it is set.
fn show(format: ExportFormat, names: &[&str]) -> String {
    let one = |name: &&str| match format {
        ExportFormat::Fish => format!("if set -q {name}; printf '=%s\\0' ${name}; else; printf '\\0'; end\n"),
        ExportFormat::Powershell => format!(
            "if ($null -eq $Env:{name}) {{ [Console]::Write(\"`0\") }} else {{ [Console]::Write('=' + $Env:{name} + \"`0\") }}\n"
        ),
        _ => format!("if [ -n \"${{{name}+x}}\" ]; then printf '=%s\\0' \"${name}\"; else printf '\\0'; fi\n"),
    };
    names.iter().map(one).collect()
}

#[test]
fn shells_have_the_key_after_they_have_run_the_output() {
    for (program, arguments, format) in SHELLS.into_iter().filter(|(program, ..)| require_program(program)) {
        let user = User::signed_in();
        let name = format.to_possible_value().unwrap().get_name().to_owned();
        let temporary = user.run(&format!("{ISSUE_1H} --export {name}")).ok();
        let script = format!("{temporary}{}{}", show(format, &NAMES), show(format, &CONFLICTING));
        let mut found = shell(&user, program, arguments, &script);
        assert_eq!(found.split_off(NAMES.len()), [const { None }; CONFLICTING.len()], "{program}");
        let key = &user.cloud.ephemeral_keys()[0];
        let found: Vec<_> = found.into_iter().map(Option::unwrap).collect();
        assert_eq!(found[..3], [key.access_key_id.clone(), key.secret.clone(), key.session_token.clone()]);
        assert_eq!(DateTime::parse_from_rfc3339(&found[3]).unwrap(), key.expires_at);
        assert!(found[3].ends_with('Z'));
        assert_eq!(found[4..], ["ru-central1", "ru-central1", "https://storage.yandexcloud.net"]);

        let permanent = user.run(&format!("iam access-key create --export {name}")).ok();
        let script = format!("{permanent}{}{}", show(format, &NAMES[..4]), show(format, &CONFLICTING));
        let found = shell(&user, program, arguments, &script);
        let key = user.cloud.access_keys().pop().unwrap();
        assert_eq!(found[..4], [Some(key.key_id), Some(key.secret), None, None], "{program}");
        assert_eq!(found[4..], [const { None }; CONFLICTING.len()], "{program}");
    }
}

/// The status of `source` is that of the last command which has one, and erasing a variable that is not set fails.
#[test]
fn fish_reads_the_output_without_failure_where_there_is_nothing_to_erase() {
    if !require_program("fish") {
        return;
    }
    for command in [format!("{ISSUE_1H} --export fish"), "iam access-key create --export fish".to_owned()] {
        let user = User::signed_in();
        user.write_file("key.fish", &user.run(&command).ok());
        let out = user.program("fish").args(["--no-config", "-c", "source key.fish; or echo failed"]).output().unwrap();
        assert_eq!((String::from_utf8_lossy(&out.stdout).as_ref(), out.status.code()), ("", Some(0)));
    }
}

/// Texts in which everything means something to some shell.
fn hostile_values(count: usize) -> Vec<String> {
    const ALPHABET: [&str; 40] = [
        "'",
        "'",
        "\"",
        "\\",
        "\\",
        "$",
        "$(id)",
        "${x}",
        "`",
        "!",
        "!!",
        "*",
        "?",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        ";",
        "&",
        "|",
        "<",
        ">",
        "#",
        " ",
        "  ",
        "~",
        "%",
        "%PATH%",
        "^",
        "=",
        "-",
        "a",
        "B",
        "7",
        "'; exit 9; '",
        "\t",
        "\n",
        "ж",
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let value = |random: &mut dyn FnMut(usize) -> usize| {
        // Every third value may hold what no form carries.
        let alphabet = if random(3) == 0 { &ALPHABET[..] } else { &ALPHABET[..37] };
        (0..random(12)).map(|_| alphabet[random(alphabet.len())]).collect()
    };
    (0..count).map(|_| value(&mut random)).collect()
}

fn credentials(secret: &str) -> Credentials {
    Credentials {
        access_key_id: "id".into(),
        secret: secret.into(),
        session_token: Some("token".into()),
        expires_at: Some("2030-01-01T00:00:00Z".into()),
        storage: Storage { region: "r".into(), endpoint: "https://e".into() },
    }
}

#[test]
fn a_thousand_hostile_values_come_out_as_they_went_in_or_are_refused() {
    let user = User::new();
    let values = hostile_values(1000);
    for (program, arguments, format) in SHELLS.into_iter().filter(|(program, ..)| require_program(program)) {
        let carried: Vec<_> =
            values.iter().filter_map(|value| Some((value.clone(), credentials(value).export(format).ok()?))).collect();
        assert!(carried.len() > 700, "{format:?} refuses too much: {}", carried.len());
        let show = show(format, &["AWS_SECRET_ACCESS_KEY"]);
        let script: String = carried.iter().flat_map(|(_, text)| [text.as_str(), &show]).collect();
        let found = shell(&user, program, arguments, &script);
        let expected: Vec<_> = carried.into_iter().map(|(value, _)| Some(value)).collect();
        assert!(found == expected, "{program} {:?}", found.iter().zip(&expected).find(|(a, b)| a != b));
    }
}

#[test]
fn files_and_json_hold_hostile_values_as_they_are_or_refuse_them() {
    for value in hostile_values(1000) {
        let credentials = credentials(&value);
        if let Ok(text) = credentials.export(ExportFormat::Process) {
            let document: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(document["SecretAccessKey"], value);
        }
        for format in [ExportFormat::Dotenv, ExportFormat::WindowsCmd] {
            let Ok(text) = credentials.export(format) else { continue };
            let lines: BTreeMap<_, _> = text
                .lines()
                .map(|line| line.trim_start_matches("set \"").trim_end_matches('"').split_once('=').unwrap())
                .collect();
            let count = if format == ExportFormat::Dotenv { 7 } else { 12 };
            assert_eq!((lines.len(), lines["AWS_SECRET_ACCESS_KEY"]), (count, value.as_str()));
        }
    }
}

#[test]
fn process_prints_the_document_of_credential_process() {
    let user = User::signed_in();
    let out = user.run(&format!("{ISSUE_1H} --export process")).ok();
    let document: serde_json::Map<String, Value> = serde_json::from_str(&out).unwrap();
    assert!(out.len() <= 1024 && out.lines().count() == 1, "{out}");
    let keys: Vec<_> = document.keys().collect();
    assert_eq!(keys, ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"]);
    let key = &user.cloud.ephemeral_keys()[0];
    assert_eq!(document["Version"], 1);
    assert_eq!(document["AccessKeyId"], *key.access_key_id);
    assert_eq!(document["SecretAccessKey"], *key.secret);
    assert_eq!(document["SessionToken"], *key.session_token);
    let end = document["Expiration"].as_str().unwrap();
    assert_eq!(DateTime::parse_from_rfc3339(end).unwrap(), key.expires_at);
    assert!(end.ends_with('Z'));
}

/// The response of the server to `issue-ephemeral`.
fn answer(end: &str, token: &str) -> Fault {
    let body = serde_json::json!({"accessKeyId": "aje", "secret": "YCs", "sessionToken": token, "expiresAt": end});
    Fault::answer(200, "application/json", &body.to_string())
}

#[test]
fn expiration_is_in_utc_whatever_the_server_writes() {
    let tomorrow = Utc::now() + TimeDelta::hours(30);
    let user = User::signed_in();
    user.cloud.fault(ISSUE, answer(&tomorrow.format("%Y-%m-%dT%H:%M:%S.125+00:00").to_string(), "s1.x"));
    let document = user.run("iam access-key issue-ephemeral --export process").json();
    assert_eq!(document["Expiration"], tomorrow.format("%Y-%m-%dT%H:%M:%S.125Z").to_string());
}

#[test]
fn a_process_never_gets_a_key_that_it_would_ask_for_again_at_once() {
    let user = User::signed_in();
    let message = user.run("iam access-key issue-ephemeral --export process --duration 15m").failed(2);
    assert!(message.contains("15 minutes before") && message.contains("16m"), "{message}");
    assert_eq!(user.sent(), [] as [&str; 0]);
    user.run("iam access-key issue-ephemeral --export process --duration 16m").ok();

    // A key does not outlive the token, so the server grants less than was requested.
    for (minutes, granted) in [(15, true), (14, false)] {
        let mut user = User::signed_in();
        let life = std::time::Duration::from_secs(minutes * 60 + 30);
        user.set("YC_IAM_TOKEN", user.cloud.issue_token_for(yc_emulator::ADMIN_ID, life));
        let ran = user.run("iam access-key issue-ephemeral --export process --duration 1h");
        if granted {
            ran.ok();
        } else {
            let message = ran.failed(1);
            assert!(
                message.contains("the server granted a lifetime of 14m") && message.contains("not shown"),
                "{message}"
            );
            assert!(!message.contains(&user.cloud.ephemeral_keys()[0].secret), "{message}");
        }
    }
}

#[test]
fn min_ttl_is_granted_or_nothing_is_shown() {
    let mut user = User::signed_in();
    user.run("iam access-key issue-ephemeral --min-ttl 11h").ok();
    user.run("iam access-key issue-ephemeral --export process --min-ttl 30m --duration 1h").ok();
    user.run("iam access-key issue-ephemeral --min-ttl 1h --duration 1h").ok();
    user.cloud.clear_requests();
    for line in ["--min-ttl 2h --duration 1h", "--min-ttl 10m --export process", "--min-ttl x"] {
        user.run(&format!("iam access-key issue-ephemeral {line}")).failed(2);
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
    user.set("YC_IAM_TOKEN", user.cloud.issue_token_for(yc_emulator::ADMIN_ID, std::time::Duration::from_secs(3600)));
    let message = user.run("iam access-key issue-ephemeral --min-ttl 2h").failed(1);
    assert!(
        // The token was issued a moment before.
        ["59m", "1h"].iter().any(|granted| message.contains(&format!("the server granted a lifetime of {granted}")))
            && message.contains("2h of --min-ttl"),
        "{message}"
    );
}

#[cfg(unix)]
#[test]
fn more_than_1024_bytes_are_printed_and_noted_on_a_terminal() {
    let user = User::signed_in();
    let tomorrow = (Utc::now() + TimeDelta::hours(30)).to_rfc3339();
    for count in [1, 1000] {
        user.cloud.fault(ISSUE, answer(&tomorrow, &format!("s1.{}", "x".repeat(count))));
        let line = "iam access-key issue-ephemeral --export process --no-cache";
        let ran =
            crate::terminal::at_terminal(crate::terminal::Stream::Err, &user, &line.split(' ').collect::<Vec<_>>());
        let note = format!(
            "note: the credentials take {} bytes as JSON, and some AWS SDKs read at most 1024 from credential_process\n",
            ran.out.len()
        );
        let expected = if count == 1 { String::new() } else { note };
        assert_eq!((ran.code, ran.err), (0, expected));
        let document: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(document["SessionToken"].as_str().unwrap().len(), count + 3);
    }
}

#[test]
fn a_value_that_cannot_be_carried_is_refused_and_not_shown() {
    let user = User::signed_in();
    user.cloud.fault(ISSUE, answer(&(Utc::now() + TimeDelta::hours(1)).to_rfc3339(), "s1.a\nexport PATH=/tmp"));
    let message = user.run(&format!("{ISSUE_1H} --export env")).failed(1);
    assert!(message.contains("AWS_SESSION_TOKEN cannot be exported: the value has"), "{message}");
    assert!(message.contains("is lost") && !message.contains("PATH"), "{message}");
}

#[test]
fn the_form_excludes_other_forms_and_permanent_keys_a_process() {
    let user = User::signed_in();
    for line in [
        "iam access-key issue-ephemeral --export env --format json",
        "--jq .secret iam access-key issue-ephemeral --export env",
        "iam access-key issue-ephemeral --export env --aws-profile x",
        "iam access-key issue-ephemeral --export env --aws-credentials-file f",
        "iam access-key issue-ephemeral --export toml",
        "iam access-key issue-ephemeral --region x",
        "iam access-key create --region x",
        "iam access-key create --export env --query .",
        "iam access-key create --export process",
        "iam access-key issue-ephemeral --export env --region a'b",
        "iam access-key issue-ephemeral --export github-actions",
        "iam access-key issue-ephemeral --export process --region ru-central1",
    ] {
        user.run(line).failed(2);
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
    let message = user.run("iam access-key create --export process").failed(2);
    assert!(message.contains("each run would create another key"), "{message}");
}

#[test]
fn a_format_of_the_profile_does_not_stand_in_the_way() {
    let mut user = User::signed_in();
    user.set("YC_FORMAT", "json");
    assert!(user.run(&format!("{ISSUE_1H} --export dotenv")).ok().starts_with("AWS_ACCESS_KEY_ID=aje"));
}

#[test]
fn region_and_endpoint_are_those_in_force() {
    let mut user = User::signed_in();
    user.configure("current = 'p'\n[profiles.p]\nregion = 'kz1'\nendpoints.storage = 'https://profile'\n");
    let lines = |user: &User, flags: &str| {
        let out = user.run(&format!("{ISSUE_1H} --export dotenv {flags}")).ok();
        out.lines().skip(4).map(str::to_owned).collect::<Vec<_>>()
    };
    let wanted = |region: &str, address: &str| {
        [
            format!("AWS_REGION={region}"),
            format!("AWS_DEFAULT_REGION={region}"),
            format!("AWS_ENDPOINT_URL_S3={address}"),
        ]
    };
    assert_eq!(lines(&user, ""), wanted("kz1", "https://profile"));
    user.set("YC_ENDPOINT_URL_STORAGE", "https://variable/");
    assert_eq!(lines(&user, "--region eu"), wanted("eu", "https://variable"));
    user.set("YC_ENDPOINT_URL_STORAGE", "https://a b");
    user.run(&format!("{ISSUE_1H} --export dotenv")).failed(2);
}

#[test]
fn github_actions_masks_first_and_then_writes_the_file() {
    let mut user = User::signed_in();
    let file = user.write_file("github_env", "BEFORE=1");
    user.set("GITHUB_ENV", file.to_str().unwrap());
    user.set("GITHUB_ACTIONS", "true");
    let out = user.run(&format!("{ISSUE_1H} --export github-actions")).ok();
    let key = &user.cloud.ephemeral_keys()[0];
    assert_eq!(out, format!("::add-mask::{}\n::add-mask::{}\n", key.secret, key.session_token));
    let written = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = written.lines().collect();
    assert_eq!(lines[..2], ["BEFORE=1", &format!("AWS_ACCESS_KEY_ID={}", key.access_key_id)]);
    assert_eq!(lines[3], format!("AWS_SESSION_TOKEN={}", key.session_token));
    assert_eq!((lines.len(), written.ends_with('\n')), (8, true));

    let out = user.run("iam access-key create --export github-actions").ok();
    assert_eq!(out, format!("::add-mask::{}\n", user.cloud.access_keys().pop().unwrap().secret));
    assert!(std::fs::read_to_string(&file).unwrap().starts_with(&written));
}

#[test]
fn a_later_step_has_the_key_of_the_last_one_and_no_token_of_an_earlier_one() {
    for is_set in [false, true] {
        let mut user = User::signed_in();
        let file = user.write_file("github_env", "");
        user.set("GITHUB_ENV", file.to_str().unwrap());
        user.set("GITHUB_ACTIONS", "true");
        if is_set {
            user.set("AWS_SECURITY_TOKEN", "OLD");
        }
        let later_step = |user: &User| {
            let written = std::fs::read_to_string(&file).unwrap();
            let variables: BTreeMap<String, String> =
                written.lines().map(|line| line.split_once('=').unwrap()).map(|(a, b)| (a.into(), b.into())).collect();
            let value = |name: &str| variables.get(name).cloned();
            let token = value("AWS_SESSION_TOKEN");
            assert_eq!(value("AWS_SECURITY_TOKEN"), token.clone().filter(|_| is_set), "{}", user.home().display());
            (value("AWS_ACCESS_KEY_ID").unwrap(), token.unwrap(), value("AWS_CREDENTIAL_EXPIRATION").unwrap())
        };
        user.run(&format!("{ISSUE_1H} --export github-actions")).ok();
        let ephemeral = user.cloud.ephemeral_keys().pop().unwrap();
        let step = later_step(&user);
        assert_eq!((&step.0, &step.1), (&ephemeral.access_key_id, &ephemeral.session_token));
        user.run("iam access-key create --export github-actions").ok();
        let key = user.cloud.access_keys().pop().unwrap();
        assert_eq!(later_step(&user), (key.key_id, String::new(), String::new()));
        // What is empty now is set all the same, and would hide the token of the next key.
        if is_set {
            user.set("AWS_SECURITY_TOKEN", "");
        }
        user.run(&format!("{ISSUE_1H} --export github-actions")).ok();
        let ephemeral = user.cloud.ephemeral_keys().pop().unwrap();
        assert_eq!(later_step(&user).1, ephemeral.session_token);
    }
}

#[test]
fn github_actions_without_its_file_makes_no_key() {
    let mut user = User::signed_in();
    user.set("GITHUB_ACTIONS", "true");
    let refused = |user: &User, reason: &str| {
        let message = user.run(&format!("{ISSUE_1H} --export github-actions")).failed(2);
        assert!(message.contains(reason), "{message}");
        assert_eq!(user.sent(), [] as [&str; 0]);
    };
    refused(&user, "GITHUB_ENV is not set");
    user.set("GITHUB_ENV", "/nonexistent/env");
    refused(&user, "cannot write $GITHUB_ENV, /nonexistent/env");
    for path in [user.home().to_str().unwrap().to_owned(), "/dev/null".to_owned()] {
        user.set("GITHUB_ENV", &*path);
        refused(&user, &format!("cannot write $GITHUB_ENV, {path}: it is not a regular file"));
    }
    let file = user.write_file("github_env", "");
    user.set("GITHUB_ENV", file.to_str().unwrap());
    for name in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"] {
        user.set(name, "p");
        refused(&user, &format!("{name} is set, so the later steps would use that profile in place of the key"));
        user.unset(name);
    }
    user.set("GITHUB_ACTIONS", "false");
    refused(&user, "GITHUB_ACTIONS is not 'true'");
}
