//! Secrets leave the program where the user requested them and nowhere else: not on standard error at any level of
//! detail, not when a server repeats them, not when they are typed in the wrong place, not in files.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, Emulator, FOLDER_ID, Fault, OAUTH_TOKEN, PrivateKey};

use crate::route::GET;
use crate::support::{Ran, User};

const CREATE: &str = "iam access-key create --service-account-id ajeadmin000000000001";
const ISSUE: &str = "iam access-key issue-ephemeral --session-name s";

/// Every command that talks to the cloud; `KEY` stands for the ID of a key that exists.
const COMMANDS: [&str; 8] = [
    "iam create-token",
    CREATE,
    "iam access-key get KEY",
    "iam access-key update KEY --description y",
    "iam access-key list-operations KEY",
    ISSUE,
    "iam access-key list --service-account-name admin",
    "iam access-key delete KEY",
];

const DETAIL: [&str; 3] = ["", "--debug", "--debug-grpc"];
const USERINFO: &str = "GET /oauth/userinfo";
const ERROR_FORMATS: [&str; 2] = ["--error-format=text", "--error-format=json"];

/// The ways to authenticate.
fn users() -> [User; 3] {
    let cloud = || Emulator::builder().operation_polls(0).start();
    let mut by_oauth = User::of(cloud());
    by_oauth.set("YC_TOKEN", OAUTH_TOKEN);
    by_oauth.set("YC_FOLDER_ID", FOLDER_ID);
    [User::of(cloud()).with_token(), User::of(cloud()).with_key(), by_oauth]
}

/// A token whose percent-encoded form differs from itself.
fn padded_token() -> String {
    format!("t1.{}==.{}==", "9euelZqPlanted", "S".repeat(86))
}

/// Every secret that the user and the cloud have, and every JWT that was sent.
fn secrets(user: &User) -> BTreeSet<String> {
    let cloud = &user.cloud;
    let jwts = cloud
        .requests()
        .into_iter()
        .filter_map(|request| serde_json::from_slice::<Value>(&request.body).ok()?["jwt"].as_str().map(str::to_owned));
    let pem = PrivateKey::Rsa2048.pem().lines().filter(|line| !line.starts_with('-')).map(str::to_owned);
    let ephemeral = cloud.ephemeral_keys().into_iter().flat_map(|key| [key.secret, key.session_token]);
    cloud
        .tokens()
        .into_iter()
        .map(|token| token.value)
        .chain(cloud.access_keys().into_iter().map(|key| key.secret))
        .chain([OAUTH_TOKEN.to_owned()])
        .chain(jwts)
        .chain(pem)
        .chain(ephemeral)
        .collect()
}

/// The forms in which a text may carry a secret.
fn forms(secret: &str) -> [String; 5] {
    let json = Value::from(secret).to_string();
    [
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        in_url(secret),
        json[1..json.len() - 1].to_owned(),
    ]
}

fn in_url(secret: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(secret, ESCAPED).to_string()
}

#[track_caller]
fn hidden<S: AsRef<str>>(text: &str, secrets: impl IntoIterator<Item = S>, what: &str) {
    for secret in secrets {
        for form in forms(secret.as_ref()) {
            assert!(!text.contains(&form), "{what}: `{form}` is in: {text}");
        }
    }
}

fn line(command: &str, key: &str, flags: &[&str]) -> Vec<String> {
    command
        .replace("KEY", key)
        .split_whitespace()
        .chain(flags.iter().copied().filter(|flag| !flag.is_empty()))
        .map(str::to_owned)
        .collect()
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn success_shows_a_secret_on_standard_output_alone_and_only_where_it_is_the_result() {
    for user in users() {
        for detail in DETAIL {
            for command in COMMANDS {
                let key = user.cloud.add_access_key(ADMIN_ID, "");
                let requests = user.sent().len();
                let ran = user.run_args(line(command, &key.id, &[detail]));
                assert_eq!(ran.code, 0, "{command}: {ran:#?}");
                let logged = !detail.is_empty() && user.sent().len() > requests;
                assert_eq!(!ran.err.is_empty(), logged, "{command}: {ran:#?}");
                hidden(&ran.err, secrets(&user), command);
                let is_result =
                    ["create-token", "key create", "issue-ephemeral"].iter().any(|word| command.contains(word));
                let shown = secrets(&user).iter().any(|secret| ran.out.contains(secret));
                assert_eq!(shown, is_result, "{command}: {}", ran.out);
            }
        }
        assert!(secrets(&user).len() > 20, "the secrets were there to be found");
    }
}

#[test]
fn a_server_that_repeats_the_request_does_not_make_the_program_repeat_it() {
    for user in users() {
        for detail in DETAIL {
            for format in ERROR_FORMATS {
                for command in COMMANDS {
                    let key = user.cloud.add_access_key(ADMIN_ID, "");
                    user.cloud.clear_requests();
                    // The first request is the exchange of a credential, or else the call itself.
                    user.cloud.fault("*", Fault::EchoSecrets);
                    let ran = user.run_args(line(command, &key.id, &[detail, format]));
                    if ran.code == 0 {
                        // Without an answer about a given token it is printed.
                        let asked = user.sent().iter().all(|line| line == USERINFO);
                        assert!(command == "iam create-token" && asked, "{command}: {ran:#?}");
                        hidden(&ran.err, secrets(&user), command);
                        user.cloud.forget_faults();
                        continue;
                    }
                    assert!(ran.err.contains("Cannot handle the request"), "{ran:#?}");
                    assert!(ran.out.is_empty(), "{ran:#?}");
                    hidden(&ran.err, secrets(&user), command);
                }
            }
        }
    }
}

#[test]
fn the_call_after_an_exchange_is_not_repeated_either() {
    let user = User::new().with_key();
    for detail in DETAIL {
        for format in ERROR_FORMATS {
            user.cloud.fault("GET /iam/aws-compatibility/v1/accessKeys", Fault::EchoSecrets);
            let ran = user.run_args(line("iam access-key list", "", &[detail, format]));
            assert_eq!(ran.code, 1, "{ran:#?}");
            hidden(&ran.err, secrets(&user), detail);
        }
    }
}

#[test]
fn a_message_full_of_secrets_is_masked_in_text_and_json() {
    for user in users() {
        let key = user.cloud.add_access_key(ADMIN_ID, "");
        let get = format!("iam access-key get {}", key.id);
        user.run(&get).ok();
        let all = secrets(&user);
        let shaped: Vec<&String> = all.iter().filter(|secret| secret.len() != 64 && !secret.ends_with('=')).collect();
        let message = format!("{}\n{}", json!(shaped), PrivateKey::Rsa2048.pem());
        let refusal = Fault::status(3, &message).detail(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": message, "description": message}],
            "iamToken": "a-token-without-a-shape",
        }));
        for detail in DETAIL {
            for format in ERROR_FORMATS {
                user.cloud.fault("GET /iam/aws-compatibility/v1/accessKeys/{accessKeyId}", refusal.clone());
                let ran = user.run_args(line(&get, "", &[detail, format]));
                assert!(ran.code == 1 && ran.err.contains("****"), "{ran:#?}");
                hidden(&ran.err, all.iter().map(String::as_str).chain(["a-token-without-a-shape"]), "a message");
            }
        }
    }
}

#[test]
fn headers_of_a_response_are_masked() {
    let mut user = User::new();
    let token = padded_token();
    user.set("YC_IAM_TOKEN", &token);
    for value in [&token, &in_url(&token)] {
        for detail in DETAIL {
            for format in ERROR_FORMATS {
                let fault = Fault::headers([("x-echo", value), ("x-request-id", value), ("x-server-trace-id", value)]);
                user.cloud.fault("GET /iam/aws-compatibility/v1/accessKeys", fault);
                let ran = user.run_args(line("iam access-key list", "", &[detail, format]));
                assert_eq!(ran.code, 3, "{ran:#?}");
                hidden(&ran.err, [&token], detail);
            }
        }
    }
}

#[test]
fn a_redirect_does_not_show_the_url_that_holds_the_token() {
    let mut user = User::new();
    let token = padded_token();
    user.set("YC_IAM_TOKEN", &token);
    let encoded = in_url(&token);
    for location in [
        format!("https://elsewhere.example/login?token={encoded}"),
        format!("https://elsewhere.example/login?token={token}"),
        format!("https://user:{encoded}@elsewhere.example/{encoded}"),
        format!("/{encoded}"),
    ] {
        for detail in DETAIL {
            for format in ERROR_FORMATS {
                user.cloud.fault("*", Fault::redirect(302, &location));
                let ran = user.run_args(line("iam access-key list", "", &[detail, format]));
                assert_eq!(ran.code, 1, "{ran:#?}");
                hidden(&ran.err, [&token], &location);
            }
        }
    }
}

#[test]
fn responses_that_are_cut_or_garbage_leave_nothing_behind() {
    for user in users() {
        for detail in DETAIL {
            for fault in [Fault::CutReply, Fault::LoseReply, Fault::Garbage, Fault::BadGateway(502), Fault::Close] {
                for command in ["iam create-token", CREATE, ISSUE] {
                    user.cloud.clear_requests();
                    user.cloud.fault("*", fault.clone());
                    let ran = user.run_args(line(command, "", &[detail, "--retry", "1"]));
                    if user.sent().iter().all(|line| line == USERINFO) {
                        hidden(&ran.err, secrets(&user), command);
                        user.cloud.forget_faults();
                        continue;
                    }
                    assert!(ran.code != 0 && ran.out.is_empty(), "{command}: {fault:?}: {ran:#?}");
                    hidden(&ran.err, secrets(&user), command);
                }
            }
        }
    }
}

#[test]
fn a_secret_in_the_wrong_place_of_a_command_line_is_not_repeated() {
    let user = User::new();
    let token = user.cloud.issue_token(ADMIN_ID);
    let secret = user.cloud.add_access_key(ADMIN_ID, "").secret;
    let jwt = "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJhamUifQ.c2lnbmF0dXJl".to_owned();
    for secret in [token, secret, OAUTH_TOKEN.to_owned(), jwt, padded_token()] {
        let equals = format!("--tokn={secret}");
        let given = format!("--token={secret}");
        for words in [
            &["iam", "create-token", &secret][..],
            &[&secret],
            &["iam", &secret],
            &["iam", "access-key", "get", "--tokn", &secret],
            &["iam", "access-key", "list", &equals],
            &["iam", "access-key", "list", &given, "--frob"],
            &["iam", "access-key", "list", "--format", &secret],
            &["iam", "access-key", "list", "--retry", &secret],
            &["iam", "access-key", "list", "--timeout", &secret],
            &["iam", "access-key", "list", "--color", &secret],
            &["iam", "access-key", "list", "--service-account-name", &secret],
            &["iam", "access-key", "list", "--profile", &secret],
            &["iam", "access-key", "get", "x y", "--token", &secret],
            &["iam", "access-key", "list", "--jq", &secret, "--token", "t1.x.y"],
            &["iam", "access-key", "issue-ephemeral", "--policy", &secret, "--token", "t1.x.y"],
            &["iam", "access-key", "issue-ephemeral", "--session-name", &format!("{secret} "), "--token", "t1.x.y"],
            &["operation", "get", &secret, "--frob"],
            &["version", &secret],
        ] {
            for format in ERROR_FORMATS {
                for detail in DETAIL {
                    let args =
                        words.iter().copied().chain([format]).chain(Some(detail).filter(|flag| !flag.is_empty()));
                    let ran = user.run_args(args);
                    assert!(ran.code != 0 && ran.out.is_empty() && !ran.err.is_empty(), "{words:?}: {ran:#?}");
                    hidden(&ran.err, [&secret], &format!("{words:?}"));
                }
            }
        }
    }
}

#[test]
fn a_token_that_the_program_holds_is_hidden_whatever_its_shape() {
    let odd = "an-odd-token-of-tomorrow";
    for variable in ["YC_IAM_TOKEN", "YC_TOKEN"] {
        let mut user = User::new();
        user.set(variable, odd);
        for format in ERROR_FORMATS {
            for words in
                [&["iam", "create-token", odd][..], &["iam", odd], &["iam", "access-key", "list", "--format", odd]]
            {
                let ran = user.run_args(words.iter().copied().chain([format]));
                assert_eq!(ran.code, 2, "{ran:#?}");
                hidden(&ran.err, [odd], variable);
            }
        }
    }
    let user = User::new();
    for words in [
        &["--token", odd, "iam", "create-token", odd][..],
        &["iam", "access-key", "get", &format!("--token={odd}"), "--format", odd],
    ] {
        let ran = user.run_args(words);
        assert_eq!(ran.code, 2, "{ran:#?}");
        hidden(&ran.err, [odd], "--token");
    }
}

#[test]
fn a_wrong_variable_does_not_show_the_password_in_it() {
    for (variable, value) in [
        ("YC_ENDPOINT_URL_IAM", "https://anna:hunter2-hunter2@iam.example.com"),
        ("YC_ENDPOINT_URL_IAM", "https://anna:hunter2-hunter2@iam.example.com:port"),
        ("YC_ENDPOINT_URL_IAM", "http://anna:hunter2-hunter2@iam.example.com"),
        ("YC_ENDPOINT_URL_IAM", "ftp://anna:hunter2-hunter2@iam.example.com"),
        ("YC_ENDPOINT_URL_IAM", "anna:hunter2-hunter2@iam.example.com"),
        ("YC_ENDPOINT_URL_IAM", "https://iam.example.com/?password=hunter2-hunter2"),
        ("HTTPS_PROXY", "http://anna:hunter2-hunter2@proxy:port"),
        ("HTTPS_PROXY", "socks5://anna:hunter2-hunter2@proxy:1"),
        ("YC_TOKEN", "{\"secret\":\"hunter2-hunter2\"}"),
        ("YC_IAM_TOKEN", "hunter2-hunter2 hunter2-hunter2"),
    ] {
        let mut user = User::signed_in().over_https();
        user.set(variable, value);
        if variable == "YC_TOKEN" {
            user.unset("YC_IAM_TOKEN");
        }
        for format in ERROR_FORMATS {
            let ran = user.run(&format!("iam access-key list --debug-grpc {format}"));
            assert!(ran.code == 2 && ran.err.contains(variable), "{variable}={value}: {ran:#?}");
            hidden(&ran.err, ["hunter2-hunter2"], value);
        }
    }
}

#[test]
fn the_password_of_a_proxy_is_not_shown_when_the_proxy_refuses() {
    let mut user = User::signed_in();
    user.point_at("https://iam.example.invalid");
    let answers = [
        "HTTP/1.1 407 hunter2:hunter2\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 403 no\r\n\r\n",
        "hunter2:hunter2\r\n\r\n",
    ];
    for answer in answers {
        for detail in DETAIL {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            user.set("HTTPS_PROXY", format!("http://anna:hunter2%3Ahunter2@{}", listener.local_addr().unwrap()));
            let proxy = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 4096];
                let read = stream.read(&mut asked).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&asked[..read]).into_owned()
            });
            let ran = user.run_args(line("iam access-key list --retry 1", "", &[detail]));
            let asked = proxy.join().unwrap();
            assert!(asked.contains(&STANDARD.encode("anna:hunter2:hunter2")), "{asked}");
            assert_eq!(ran.code, 5, "{ran:#?}");
            hidden(&ran.err, ["hunter2:hunter2", "hunter2%3Ahunter2", "anna:hunter2:hunter2"], answer);
            hidden(&ran.err, secrets(&user), answer);
        }
    }
}

#[test]
fn a_broken_configuration_does_not_show_the_secrets_in_it() {
    let user = User::new();
    let key = user.cloud.admin_key();
    let token = user.cloud.issue_token(ADMIN_ID);
    let json_key = Value::from(key.private_key.clone());
    let half_key = key.private_key.replace("-----END PRIVATE KEY-----", "");
    for config in [
        format!("current = 'p'\n[profiles.p]\ntoken = {token}\n"),
        format!("current = 'p'\n[profiles.p]\ntoken = '{token}\n"),
        format!("current = 'p'\n[profiles.p]\ntoken = ['{token}']\n"),
        format!("current = 'p'\n[profiles.p]\ntoken = '{token}' '{OAUTH_TOKEN}'\n"),
        format!("current = 'p'\n[profiles.p]\n'{token}' = 1\n'{token}' = 2\n"),
        format!("current = '{token}'\n[profiles.p]\n"),
        format!("current = 'p'\n[profiles.'{OAUTH_TOKEN}']\n"),
        format!("current = 'p'\n[profiles.p]\nformat = '{token}'\n"),
        format!("current = 'p'\n[profiles.p]\nservice-account-key = {json_key}\n"),
        format!("current = 'p'\n[profiles.p]\nservice-account-key = '''{}'''\n", key.file()),
        format!("current = 'p'\n[profiles.p]\ntoken = {json_key}\n"),
        format!("current = 'p'\n[profiles.p]\ntoken = '''{}'''\n", key.file()),
        format!(
            "current = 'p'\n[profiles.p.service-account-key]\nid = 'x'\nservice_account_id = 'y'\nprivate_key = '''{half_key}'''\n"
        ),
        format!("current = 'p'\n[profiles.p.service-account-key]\nid = {json_key}\nprivate_key = 1\n"),
        format!("current = 'p'\n[profiles.p.service-account-key]\nprivate_key = \"{}\"\n", key.private_key),
        key.file(),
        key.private_key.clone(),
    ] {
        user.configure(&config);
        for format in ERROR_FORMATS {
            let ran = user.run(&format!("iam access-key list --debug-grpc {format}"));
            assert!((ran.code == 2 || ran.code == 3) && ran.out.is_empty(), "{config}: {ran:#?}");
            hidden(&ran.err, secrets(&user), &config);
        }
    }
    assert!(user.sent().is_empty());
}

#[test]
fn nothing_secret_is_left_in_files() {
    for user in users() {
        let before: Vec<PathBuf> = files(user.home());
        for command in COMMANDS {
            let key = user.cloud.add_access_key(ADMIN_ID, "");
            user.run_args(line(command, &key.id, &["--debug-grpc"]));
            user.cloud.fault("*", Fault::EchoSecrets);
            user.run_args(line(command, &key.id, &["--debug-grpc"]));
            user.cloud.forget_faults();
        }
        for path in files(user.home()).into_iter().filter(|path| !before.contains(path)) {
            // The cache of IAM tokens holds nothing else, and belongs to the user: see `docs/authentication.md`.
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let tokens: BTreeSet<String> = user.cloud.tokens().into_iter().map(|token| token.value).collect();
            let cached = path.starts_with(user.cache_dir());
            let all = secrets(&user);
            let forbidden = all.iter().filter(|secret| !cached || !tokens.contains(*secret));
            hidden(&text, forbidden, &path.display().to_string());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_line_of_the_process_is_the_users_own() {
    let user = User::new().with_key();
    let held = user.cloud.hold("GET /iam/aws-compatibility/v1/accessKeys");
    let child = user.start(["iam", "access-key", "list", "--retry", "1"]);
    held.wait_until_arrived();
    let seen = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    held.release();
    Ran::of(child).ok();

    let arguments: Vec<&str> = std::str::from_utf8(&seen).unwrap().trim_end_matches('\0').split('\0').collect();
    assert_eq!(arguments[1..], ["iam", "access-key", "list", "--retry", "1"]);
    assert_eq!(children.trim(), "", "no other process is told anything");
}

#[test]
fn a_token_in_a_wrong_place_is_described_by_its_form() {
    for prefix in ["AQAAAA", "AgAAAA", "y0_"] {
        let token = format!("{prefix}{}", "a1B2".repeat(8));
        let error = User::new().run(&format!("iam revoke-token {token}")).failed(2);
        let message = "ERROR: unexpected argument (an OAuth token, not shown) found\n";
        assert_eq!(error, format!("{message}hint: Usage: yc-rs iam revoke-token [OPTIONS]\n"));
    }
}

/// The first 16 characters of the token's signature.
fn part(token: &str) -> &str {
    &token[token.len() - 40..][..16]
}

/// The text with each character in this notation.
fn each(text: &str, notation: impl Fn(u8) -> String) -> String {
    text.bytes().map(notation).collect()
}

#[test]
fn sixteen_characters_of_the_token_are_masked_in_every_notation() {
    let user = User::signed_in();
    let token = user.cloud.tokens()[0].value.clone();
    let part = part(&token);
    let notations = [
        part.to_owned(),
        part.to_uppercase(),
        part.to_lowercase(),
        format!("{} {}\t{}", &part[..4], &part[4..9], &part[9..]),
        STANDARD.encode(part).trim_end_matches('=').to_owned(),
        each(part, |byte| format!("{byte:02x}")),
        each(part, |byte| format!("%{byte:02X}")),
        each(part, |byte| format!("\\u{byte:04x}")),
    ];
    for shown in notations {
        user.cloud.fault(GET, Fault::status(3, &format!("cannot read «{shown}»")));
        let error = user.run("iam access-key get abc").failed(1);
        assert_eq!(
            error.lines().next().unwrap(),
            "ERROR: cannot get the access key 'abc': cannot read «****»",
            "{shown}"
        );
    }
}

#[test]
fn at_most_four_kibibytes_of_the_apis_message_are_shown() {
    let user = User::signed_in();
    let message = "no way ".repeat(150_000);
    for format in ["text", "json"] {
        user.cloud.fault(GET, Fault::status(3, &message));
        let error = user.run(&format!("iam access-key get abc --error-format {format}")).err;
        let shown = format!("{}…", &message[..4093]);
        assert!(error.contains(&shown) && error.len() < 5000, "{error}");
    }
}

#[test]
fn a_message_of_a_mebibyte_that_looks_like_tokens_is_masked_at_once() {
    let user = User::signed_in();
    let message = "eyJ".repeat(350_000);
    user.cloud.fault(GET, Fault::status(3, &message));
    // Quadratic time would be minutes, and the server waits no longer than its own limits.
    let started = std::time::Instant::now();
    let error = user.run("iam access-key get abc").failed(1);
    let expected = format!("ERROR: cannot get the access key 'abc': {}…", &message[..4093]);
    assert!(error.lines().next() == Some(&expected), "{}", &error[..200]);
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn the_debug_log_shows_a_long_message_in_full() {
    let user = User::signed_in();
    let token = user.cloud.tokens()[0].value.clone();
    let message = format!("{}«{}» and the end", "no way ".repeat(10_000), part(&token));
    user.cloud.fault(GET, Fault::status(3, &message));
    let log = user.run("iam access-key get abc --debug-grpc").err;
    let shown = message.replace(part(&token), "****");
    assert!(log.contains(&shown), "{}", &log[..2000]);
}
