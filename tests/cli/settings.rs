//! Settings: each global flag with its variable and profile key, which of them wins, and what is wrong with them.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread::{self, JoinHandle};

use clap::CommandFactory;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, BACKUP_ID, CLOUD_ID, FOLDER_ID, Fault, OTHER_FOLDER_ID, REMOTE_ID};
use yc_rs::commands::Cli;

use crate::support::{Ran, User};

const LIST: &str = "GET /iam/aws-compatibility/v1/accessKeys";
const GET: &str = "GET /iam/aws-compatibility/v1/accessKeys/{accessKeyId}";
const BY_NAME: &str = "iam access-key list --service-account-name backup";

/// Every global flag and a harmless value for it; each has a test of its effect in this file, in `auth` (`token`), in
/// `sources` (`impersonate-service-account-id`) or in `endpoints` (`endpoint`).
const FLAGS: [(&str, Option<&str>); 22] = [
    ("profile", Some("p")),
    ("token", Some("t1.x.y")),
    ("impersonate-service-account-id", Some(ADMIN_ID)),
    ("endpoint", Some("api.cloud.yandex.net:443")),
    ("cloud-id", Some(CLOUD_ID)),
    ("folder-id", Some(FOLDER_ID)),
    ("folder-name", Some("folder")),
    ("format", Some("json")),
    ("jq", Some(".")),
    ("retry", Some("2")),
    ("timeout", Some("1m")),
    ("connect-timeout", Some("30s")),
    ("read-timeout", Some("30s")),
    ("ca-bundle", Some("ca.pem")),
    ("no-verify-ssl", None),
    ("debug", None),
    ("debug-grpc", None),
    ("no-user-output", None),
    ("no-browser", None),
    ("no-input", None),
    ("yes", None),
    ("error-format", Some("text")),
];

/// A configuration whose only profile, the current one, holds these lines.
fn profile(lines: &str) -> String {
    format!("current = 'p'\n[profiles.p]\n{lines}\n")
}

/// The values of a query parameter of the last request.
fn parameter(user: &User, name: &str) -> String {
    let query = user.cloud.requests().pop().unwrap().query;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
    percent_decode_str(&value.unwrap_or_else(|| panic!("no {name} in {query}"))).decode_utf8().unwrap().into_owned()
}

fn error_json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.err).unwrap_or_else(|_| panic!("{ran:#?}"))
}

mod place {
    use super::*;

    #[test]
    fn every_global_flag_is_known_to_these_tests() {
        let flags: BTreeSet<String> =
            Cli::command().get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        let mut tested: BTreeSet<String> = FLAGS.iter().map(|(name, _)| (*name).to_owned()).collect();
        tested.insert("color".into());
        assert_eq!(flags, tested);
    }

    #[test]
    fn a_global_flag_may_stand_before_between_and_after_the_subcommands() {
        let user = User::signed_in();
        user.configure(&profile(""));
        user.write_file("ca.pem", user.cloud.ca_pem());
        for (name, value) in FLAGS.into_iter().chain([("color", Some("off"))]) {
            let spellings = match value {
                None => vec![vec![format!("--{name}")]],
                Some(value) => vec![vec![format!("--{name}={value}")], vec![format!("--{name}"), value.to_owned()]],
            };
            for flag in spellings {
                let words = ["iam", "access-key", "list"].map(str::to_owned);
                let expected = user.run_args(words.iter().chain(&flag));
                for at in 0..words.len() {
                    let mut line = words.to_vec();
                    line.splice(at..at, flag.clone());
                    let ran = user.run_args(&line);
                    assert_eq!((ran.code, &ran.out), (expected.code, &expected.out), "{line:?}: {ran:#?}");
                    assert!(!ran.err.contains("unexpected argument"), "{line:?}: {ran:#?}");
                }
            }
        }
    }

    #[test]
    fn the_last_of_a_repeated_flag_wins_at_whichever_level_it_stands() {
        let user = User::signed_in();
        for line in [
            "iam create-token --format yaml --format json",
            "--format yaml --format text iam create-token --format=json",
            "--format yaml iam --format json create-token",
            "--format json iam create-token",
        ] {
            assert!(user.run(line).json()["iam_token"].is_string(), "{line}");
        }
        let [first, last] = [(); 2].map(|()| user.cloud.issue_token(ADMIN_ID));
        let out = user.run_args(["--token", &first, "iam", "create-token", "--token", &last]).ok();
        assert_eq!(out, format!("{last}\n"));
    }

    #[test]
    fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
        let mut user = User::new();
        let token = user.cloud.issue_token(ADMIN_ID);
        user.configure(&profile(&format!("token = '{token}'\nformat = 'json'\nfolder-id = '{FOLDER_ID}'")));
        for variable in [
            "YC_PROFILE",
            "YC_IAM_TOKEN",
            "YC_TOKEN",
            "YC_CLOUD_ID",
            "YC_FOLDER_ID",
            "YC_FORMAT",
            "YC_CA_BUNDLE",
            "YC_ERROR_FORMAT",
            "HTTPS_PROXY",
            "NO_COLOR",
        ] {
            user.set(variable, "");
        }
        assert_eq!(user.run(BY_NAME).json(), json!([]));
        assert!(user.run("iam access-key get ajenone").failed(4).contains("\ncode: NOT_FOUND\n"));
    }

    #[test]
    fn a_variable_that_is_not_utf_8_is_named() {
        #[cfg(unix)]
        {
            let user = User::signed_in();
            let wrong = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"json\xff");
            let output = user.command(["iam", "create-token"]).env("YC_FORMAT", wrong).output().unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2));
            assert!(error.starts_with("ERROR: ") && error.contains("YC_FORMAT"), "{error}");
        }
    }
}

mod context {
    use super::*;

    #[test]
    fn profile_flag_beats_variable_beats_current() {
        let mut user = User::new();
        let tokens = [(); 3].map(|()| user.cloud.issue_token(ADMIN_ID));
        user.configure(&format!(
            "current = 'a'\n[profiles.a]\ntoken = '{}'\n[profiles.b]\ntoken = '{}'\n[profiles.c]\ntoken = '{}'\n",
            tokens[0], tokens[1], tokens[2]
        ));
        assert_eq!(user.run("iam create-token").ok().trim(), tokens[0]);
        user.set("YC_PROFILE", "b");
        assert_eq!(user.run("iam create-token").ok().trim(), tokens[1]);
        assert_eq!(user.run("iam create-token --profile c").ok().trim(), tokens[2]);
    }

    #[test]
    fn folder_flag_beats_variable_beats_profile() {
        let mut user = User::signed_in();
        user.unset("YC_FOLDER_ID");
        user.configure(&profile("folder-id = 'in-profile'"));
        user.run(BY_NAME).failed(4);
        assert_eq!(parameter(&user, "folderId"), "in-profile");
        user.set("YC_FOLDER_ID", "in-variable");
        user.run(BY_NAME).failed(4);
        assert_eq!(parameter(&user, "folderId"), "in-variable");
        user.run(&format!("{BY_NAME} --folder-id {FOLDER_ID}")).ok();
        assert_eq!(parameter(&user, "serviceAccountId"), BACKUP_ID);
        user.run(&format!("iam access-key list --service-account-name remote --folder-id {OTHER_FOLDER_ID}")).ok();
        assert_eq!(parameter(&user, "serviceAccountId"), REMOTE_ID);
    }

    #[test]
    fn cloud_flag_beats_variable_beats_profile_where_a_folder_is_looked_up() {
        let mut user = User::signed_in();
        let line = format!("{BY_NAME} --folder-name backups");
        let cloud_asked = |user: &User, line: &str| {
            user.cloud.clear_requests();
            user.run(line);
            let first = user.cloud.requests().into_iter().next().unwrap();
            assert_eq!(first.line(), "GET /resource-manager/v1/folders");
            let query = percent_decode_str(&first.query).decode_utf8().unwrap().into_owned();
            assert!(query.contains(r#"filter=name = "backups""#), "{query}");
            query.split('&').find_map(|pair| pair.strip_prefix("cloudId=")).unwrap().to_owned()
        };
        user.configure(&profile("cloud-id = 'in-profile'"));
        assert_eq!(cloud_asked(&user, &line), "in-profile");
        user.set("YC_CLOUD_ID", "in-variable");
        assert_eq!(cloud_asked(&user, &line), "in-variable");
        assert_eq!(cloud_asked(&user, &format!("{line} --cloud-id by-flag")), "by-flag");
    }

    #[test]
    fn folder_name_and_folder_id_are_one_setting_and_the_first_level_that_has_either_decides() {
        let mut user = User::signed_in();
        let without_cloud = |ran: Ran, name: &str| {
            let error = ran.failed(2);
            for word in [name, "--cloud-id", "YC_CLOUD_ID", "cloud-id"] {
                assert!(error.contains(word), "{error}");
            }
        };
        without_cloud(user.run(&format!("{BY_NAME} --folder-name by-flag")), "by-flag");
        user.configure(&profile("folder-name = 'in-profile'"));
        user.run(BY_NAME).ok();
        user.unset("YC_FOLDER_ID");
        user.cloud.clear_requests();
        without_cloud(user.run(BY_NAME), "in-profile");
        assert!(user.cloud.requests().is_empty());
        user.run(&format!("{BY_NAME} --folder-id {FOLDER_ID}")).ok();
    }

    #[test]
    fn a_name_without_a_folder_is_an_error_that_names_three_ways_to_give_one() {
        let mut user = User::signed_in();
        user.unset("YC_FOLDER_ID");
        let error = user.run(BY_NAME).failed(2);
        for word in ["--folder-id", "YC_FOLDER_ID", "'folder-id'"] {
            assert!(error.contains(word), "{error}");
        }
        assert!(user.cloud.requests().is_empty());
    }
}

mod output {
    use super::*;

    #[test]
    fn format_flag_beats_variable_beats_profile_beats_text() {
        let mut user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "");
        let line = format!("iam access-key get {}", key.id);
        let id = |name: &str| format!("{name}: ");
        assert!(user.run(&line).ok().contains(&id("service_account_id")));
        user.configure(&profile("format = 'json-rest'"));
        assert_eq!(user.run(&line).json()["serviceAccountId"], ADMIN_ID);
        user.set("YC_FORMAT", "json");
        assert_eq!(user.run(&line).json()["service_account_id"], ADMIN_ID);
        assert!(user.run(&format!("{line} --format yaml")).ok().starts_with("id: "));
        assert!(user.run(&format!("{line} --format table")).ok().starts_with("+-"));
    }

    #[test]
    fn jq_and_query_are_the_same_flag() {
        let user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "");
        for flag in ["--jq", "--query"] {
            let out = user.run_args(["iam", "access-key", "list", flag, ".[].key_id"]).ok();
            assert_eq!(out, format!("{}\n", key.key_id));
        }
    }

    #[test]
    fn error_format_flag_beats_variable_beats_text() {
        let mut user = User::signed_in();
        let line = "iam access-key get ajenone";
        assert!(user.run(line).failed(4).contains("\ncode: NOT_FOUND\n"));
        assert_eq!(error_json(&user.run(&format!("{line} --error-format json")))["code"], "NOT_FOUND");
        user.set("YC_ERROR_FORMAT", "json");
        assert_eq!(error_json(&user.run(line))["code"], "NOT_FOUND");
        user.run(&format!("{line} --error-format text")).failed(4);
    }

    #[test]
    fn colour_is_off_unless_flag_or_variable_ask_for_it() {
        let colours = |vars: &[(&str, &str)], flag: &str| {
            let mut user = User::signed_in();
            for (name, value) in vars {
                user.set(name, *value);
            }
            let error = user.run(&format!("iam access-key get ajenone {flag}"));
            let help = user.run(&format!("iam --help {flag}"));
            let early = user.run(&format!("iam access-key gett {flag}"));
            assert_eq!((error.code, help.code, early.code), (4, 0, 2));
            let coloured = [error.err, help.out, early.err].map(|text| text.contains('\u{1b}'));
            assert!(coloured.iter().all(|one| *one == coloured[0]), "{vars:?} {flag}: {coloured:?}");
            coloured[0]
        };
        assert!(!colours(&[], ""));
        assert!(!colours(&[], "--color auto"));
        assert!(colours(&[], "--color on"));
        assert!(colours(&[("NO_COLOR", "1")], "--color=on"));
        assert!(colours(&[("CLICOLOR_FORCE", "1")], ""));
        assert!(!colours(&[("CLICOLOR_FORCE", "1")], "--color off"));
        assert!(!colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], ""));
        assert!(!colours(&[("CLICOLOR_FORCE", "0")], ""));
    }

    #[test]
    fn no_browser_changes_nothing() {
        let user = User::signed_in();
        let with = user.run("iam access-key list --no-browser").ok();
        assert_eq!(with, user.run("iam access-key list").ok());
    }

    /// Runs a command line with standard error on a terminal; returns what the terminal showed.
    #[cfg(target_os = "linux")]
    fn on_a_terminal(user: &User, line: &str) -> String {
        let output = user.program("script").args(["-qc", &format!("yc-rs {line} >out"), "/dev/null"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn notes_are_for_terminals_and_no_user_output_silences_them() {
        if !crate::programs::require_program("script") {
            return;
        }
        let user = User::signed_in();
        for _ in 0..2 {
            user.cloud.add_access_key(ADMIN_ID, "");
        }
        let line = "iam access-key list --limit 1";
        assert!(on_a_terminal(&user, line).contains("--limit"), "a list that is cut off says so");
        assert_eq!(on_a_terminal(&user, &format!("{line} --no-user-output")), "");
        let shown = std::fs::read_to_string(user.home().join("out")).unwrap();
        assert_eq!(shown, user.run(line).ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_terminal_is_coloured_only_when_the_variables_leave_it() {
        if !crate::programs::require_program("script") {
            return;
        }
        let mut user = User::signed_in();
        user.set("TERM", "xterm");
        let line = "iam access-key get ajenone";
        assert!(on_a_terminal(&user, line).contains('\u{1b}'));
        assert!(!on_a_terminal(&user, &format!("--color off {line}")).contains('\u{1b}'));
        user.set("NO_COLOR", "1");
        assert!(!on_a_terminal(&user, line).contains('\u{1b}'));
        assert!(on_a_terminal(&user, &format!("--color on {line}")).contains('\u{1b}'));
    }
}

mod network {
    use super::*;

    #[test]
    fn retry_is_the_maximum_number_of_attempts() {
        for (flag, attempts) in [("--retry 0", 1), ("--retry 1", 1), ("--retry=3", 3), ("", 5)] {
            let user = User::signed_in();
            for _ in 0..attempts {
                user.cloud.fault(LIST, Fault::unavailable());
            }
            user.run(&format!("iam access-key list {flag}")).failed(5);
            assert_eq!(user.cloud.requests().len(), attempts, "{flag}");
        }
    }

    #[test]
    fn a_negative_retry_is_unlimited() {
        for flag in ["--retry -1", "--retry=-5"] {
            let user = User::signed_in();
            for _ in 0..6 {
                user.cloud.fault(LIST, Fault::unavailable());
            }
            user.run(&format!("iam access-key list {flag}")).ok();
            assert_eq!(user.cloud.requests().len(), 7);
        }
    }

    #[test]
    fn timeout_limits_the_whole_command() {
        let user = User::signed_in();
        let _held = user.cloud.hold(LIST);
        let ran = user.run("iam access-key list --timeout 200ms --read-timeout 20s --retry 1 --error-format json");
        let error = error_json(&ran);
        assert_eq!((ran.code, &error["code"], &error["retryable"]), (5, &json!("TIMEOUT"), &json!(true)));
        assert!(error["message"].as_str().unwrap().contains("--timeout"), "{error}");
    }

    #[test]
    fn timeout_spans_attempts() {
        let user = User::signed_in();
        user.cloud.fault(LIST, Fault::status(14, "busy").header("Retry-After", "60"));
        let error = user.run("iam access-key list --timeout 300ms").failed(5);
        assert!(error.contains("--timeout"), "{error}");
    }

    #[test]
    fn read_timeout_limits_the_wait_for_a_response() {
        let user = User::signed_in();
        let _held = user.cloud.hold(LIST);
        let ran = user.run("iam access-key list --read-timeout 100ms --timeout 20s --retry 1 --error-format json");
        let error = error_json(&ran);
        assert_eq!((ran.code, &error["code"], &error["retryable"]), (5, &json!("TIMEOUT"), &json!(true)));
        assert!(error["hint"].as_str().unwrap().contains("--read-timeout"), "{error}");
    }

    #[test]
    fn an_attempt_that_timed_out_is_followed_by_another() {
        let user = User::signed_in();
        let _held = user.cloud.hold(LIST);
        user.run("iam access-key list --read-timeout 1s --timeout 20s").ok();
        assert_eq!(user.cloud.requests().len(), 2);
    }

    #[test]
    fn connect_timeout_limits_making_a_connection_with_tls() {
        let mut user = User::signed_in();
        // The system accepts connections for it, and no server responds.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        user.point_at(&format!("https://{}", silent.local_addr().unwrap()));
        let line = "iam access-key list --connect-timeout 200ms --timeout 20s --retry 1 --error-format json";
        let ran = user.run(line);
        let error = error_json(&ran);
        assert_eq!((ran.code, &error["code"], &error["retryable"]), (5, &json!("TIMEOUT"), &json!(true)));
        assert!(error["hint"].as_str().unwrap().contains("--connect-timeout"), "{error}");
    }

    /// Points the user at the HTTPS side of the emulator, whose authority is not trusted yet; returns its certificate.
    fn untrusted(user: &mut User) -> std::path::PathBuf {
        let url = user.cloud.https_url().to_owned();
        user.point_at(&url);
        user.write_file("ca.pem", user.cloud.ca_pem())
    }

    #[test]
    fn ca_bundle_flag_beats_variable_beats_profile() {
        let mut user = User::signed_in();
        let ca = untrusted(&mut user);
        let ca = ca.to_str().unwrap();
        let list = ["iam", "access-key", "list"];
        let error = user.run_args(list).failed(1);
        assert!(error.contains("--ca-bundle") && error.contains("YC_CA_BUNDLE"), "{error}");

        user.run_args(list.iter().chain(&["--ca-bundle", ca])).ok();
        user.configure(&profile(&format!("ca-bundle = '{ca}'")));
        user.run_args(list).ok();
        user.set("YC_CA_BUNDLE", "missing-by-variable.pem");
        let error = user.run_args(list).failed(2);
        assert!(error.contains("missing-by-variable.pem"), "{error}");
        user.run_args(list.iter().chain(&["--ca-bundle", ca])).ok();
        let error = user.run_args(list.iter().chain(&["--ca-bundle", "missing-by-flag.pem"])).failed(2);
        assert!(error.contains("missing-by-flag.pem"), "{error}");
        assert!(user.cloud.requests().iter().all(|request| request.tls));
    }

    #[test]
    fn an_untrusted_certificate_is_not_tried_twice_and_gets_no_token() {
        let mut user = User::signed_in();
        untrusted(&mut user);
        let ran = user.run("iam access-key list --debug");
        assert_eq!(ran.code, 1);
        assert!(ran.err.contains("#1 ") && !ran.err.contains("#2 "), "{ran:#?}");
        assert!(user.cloud.requests().is_empty());
    }

    #[test]
    fn no_verify_ssl_accepts_any_certificate_and_warns_on_every_run() {
        let mut user = User::signed_in();
        untrusted(&mut user);
        for line in [
            "iam access-key list --no-verify-ssl",
            "--no-verify-ssl iam access-key list",
            "iam access-key list --no-verify-ssl --no-user-output",
            "iam create-token --no-verify-ssl",
        ] {
            let ran = user.run(line);
            assert!(ran.code == 0 && !ran.out.is_empty(), "{line}: {ran:#?}");
            assert!(ran.err.starts_with("WARNING: ") && ran.err.contains("--no-verify-ssl"), "{line}: {ran:#?}");
            assert_eq!(ran.err.lines().count(), 1, "{line}: {ran:#?}");
        }
    }

    #[test]
    fn debug_logs_each_request_without_headers_and_bodies() {
        let user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "a description");
        user.cloud.fault(GET, Fault::status(14, "busy").header("x-request-id", "of-the-server"));

        let ran = user.run(&format!("iam access-key get {} --debug", key.id));

        assert!(ran.code == 0 && ran.out.starts_with("id: "), "{ran:#?}");
        let requests = user.cloud.requests();
        assert_eq!(requests.len(), 2);
        let url = format!("{}{}", user.cloud.http_url(), requests[0].path);
        let ids = requests.iter().map(|request| request.header("x-request-id").unwrap());
        for word in ["GET", &url, "503", "200", "of-the-server", "#1", "#2", " ms", " bytes"].into_iter().chain(ids) {
            assert!(ran.err.contains(word), "no {word} in: {}", ran.err);
        }
        for word in ["user-agent", "a description", "authorization"] {
            assert!(!ran.err.contains(word), "{}", ran.err);
        }
        assert!(ran.err.lines().all(|line| line.starts_with("DEBUG: ")), "{}", ran.err);
    }

    #[test]
    fn debug_grpc_logs_headers_and_bodies_as_well() {
        let user = User::signed_in();
        let ran = user.run_args(["iam", "access-key", "create", "--description", "a description", "--debug-grpc"]);
        assert_eq!(ran.code, 0);
        let sent = r#"{"description":"a description"}"#;
        for word in
            ["POST", "200", "idempotency-key: ", "authorization: ", "x-server-trace-id", sent, r#""accessKey":{"id":"#]
        {
            assert!(ran.err.contains(word), "no {word} in: {}", ran.err);
        }
    }

    #[test]
    fn an_http_proxy_gets_the_connection_to_an_https_endpoint() {
        let mut user = User::signed_in();
        let (address, asked) = proxy();
        user.set("HTTPS_PROXY", format!("http://anna:pa%40ss@{address}"));
        user.point_at("https://iam.example.invalid");

        let error = user.run("iam access-key list --retry 1").failed(5);

        let asked = asked.join().unwrap();
        assert!(asked.starts_with("CONNECT iam.example.invalid:443 HTTP/1.1\r\n"), "{asked}");
        let header = asked.to_ascii_lowercase();
        assert!(header.contains("proxy-authorization: basic ") && !header.contains("bearer"), "{asked}");
        // `anna:pa@ss`
        assert!(asked.contains("YW5uYTpwYUBzcw=="), "{asked}");
        assert!(error.contains(&address) && error.contains("HTTPS_PROXY"), "{error}");
    }

    #[test]
    fn hosts_of_this_machine_are_reached_without_the_proxy() {
        let mut user = User::signed_in().over_https();
        user.set("HTTPS_PROXY", "http://127.0.0.1:1");
        user.set("HTTP_PROXY", "http://127.0.0.1:1");
        user.run("iam access-key list").ok();
    }

    /// A proxy that refuses one connection; what it was asked comes out of the thread.
    fn proxy() -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                asked.extend(byte);
            }
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, asked)
    }

    #[test]
    fn a_profile_may_name_the_endpoints_and_a_variable_beats_it() {
        let mut user = User::signed_in();
        let here = user.cloud.http_url().to_owned();
        user.configure(&profile(&format!("[profiles.p.endpoints]\niam = '{here}/'")));
        user.unset("YC_ENDPOINT_URL_IAM");
        user.run("iam access-key list").ok();
        user.set("YC_ENDPOINT_URL_IAM", "http://127.0.0.1:1");
        user.run("iam access-key list --retry 1").failed(5);
    }
}

mod configuration {
    use super::*;

    /// Fails on this configuration with an error of the kind `CONFIG`, and sends nothing.
    #[track_caller]
    fn wrong(user: &User, config: &str) -> String {
        user.configure(config);
        let error = user.run("iam access-key list").failed(2);
        let json = error_json(&user.run("iam access-key list --error-format json"));
        assert_eq!((&json["code"], &json["exit"]), (&json!("CONFIG"), &json!(2)), "{config}: {json}");
        assert!(user.cloud.requests().is_empty());
        error
    }

    #[test]
    fn a_syntax_error_is_given_by_file_line_and_column_and_the_line_is_not_quoted() {
        let user = User::new();
        let path = user.config_dir().join("config.toml");
        for (config, place) in [
            ("current = 'p'\n[profiles.p]\ntoken = \"canary\n", ":3:"),
            ("current = 'p'\n[profiles.p]\ntoken = canary\n", ":3:9:"),
            ("[profiles.p]\ntoken = 'canary' format = 'json'\n", ":2:"),
            ("\u{feff}current = 'p'\r\n\r\n[profiles.p\r\n", ":3:"),
            ("current = 'p'\n[profiles.p]\ntoken = 'canary'\ntoken = 'canary'\n", ":4:"),
        ] {
            let error = wrong(&user, config);
            assert!(error.contains(&format!("{}{place}", path.display())), "{config}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_by_file_and_key() {
        let mut user = User::new();
        user.unset("YC_ENDPOINT_URL_IAM");
        let path = user.config_dir().join("config.toml");
        for (config, key) in [
            ("current = 1".to_owned(), "'current'"),
            ("current = 'p'\nprofiles = 'p'".to_owned(), "'profiles'"),
            ("current = 'p'\n[profiles]\np = 1".to_owned(), "'profiles.p'"),
            (profile("token = 1"), "'profiles.p.token'"),
            (profile("token = ['canary']"), "'profiles.p.token'"),
            (profile("folder-id = 1"), "'profiles.p.folder-id'"),
            (profile("folder-name = true"), "'profiles.p.folder-name'"),
            (profile("cloud-id = 1.5"), "'profiles.p.cloud-id'"),
            (profile("format = { a = 1 }"), "'profiles.p.format'"),
            (profile("format = 'xml'"), "'profiles.p.format'"),
            (profile("ca-bundle = 1"), "'profiles.p.ca-bundle'"),
            (profile("service-account-key = 'canary'"), "'profiles.p.service-account-key'"),
            (profile("token = 't1.x.y'\nendpoints = 'https://x'"), "'profiles.p.endpoints'"),
            (profile("token = 't1.x.y'\nendpoints = { iam = 1 }"), "'profiles.p.endpoints.iam'"),
            (profile("token = 't1.x.y'\nendpoints = { iam = 'http://example.com' }"), "'profiles.p.endpoints.iam'"),
        ] {
            let error = wrong(&user, &config);
            assert!(error.contains(path.to_str().unwrap()) && error.contains(key), "{config}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn an_unknown_profile_is_an_error_that_names_those_there_are() {
        let mut user = User::new();
        let config = "current = 'prod'\n[profiles.staging]\n[profiles.dev]\n";
        let lists = |error: &str, wanted: &str| {
            for word in [wanted, "dev", "staging", "config.toml"] {
                assert!(error.contains(word), "{error}");
            }
        };
        lists(&wrong(&user, config), "'prod'");
        lists(&user.run("iam create-token --profile stagin").failed(2), "'stagin'");
        user.set("YC_PROFILE", "devel");
        lists(&user.run("iam create-token").failed(2), "'devel'");
    }

    #[test]
    fn a_profile_is_requested_and_there_is_no_file() {
        let error = User::signed_in().run("iam create-token --profile p").failed(2);
        assert!(error.contains("'p'") && error.contains("no configuration file"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_read_as_text_is_named() {
        let user = User::new();
        let path = user.config_dir().join("config.toml");
        user.configure("");
        std::fs::File::create(&path).unwrap().write_all(b"current = '\xff'").unwrap();
        assert!(user.run("iam create-token").failed(2).contains(path.to_str().unwrap()));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(user.run("iam create-token").failed(2).contains(path.to_str().unwrap()));
    }

    #[test]
    fn keys_that_are_not_known_do_no_harm() {
        let user = User::new();
        let token = user.cloud.issue_token(ADMIN_ID);
        let known = profile(&format!("token = '{token}'\ncompute-default-zone = 'ru-central1-b'\ns3 = {{ a = 1 }}"));
        user.configure(&format!("later = [1]\n{known}"));
        user.run("iam access-key list").ok();
    }

    #[test]
    fn the_file_is_looked_for_in_the_systems_directory_unless_a_variable_names_another() {
        let mut user = User::new();
        let token = user.cloud.issue_token(ADMIN_ID);
        let folder = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
        let place = Path::new(folder).join("yc-rs/config.toml");
        user.write_file(place.to_str().unwrap(), &profile(&format!("token = '{token}'")));
        user.run("iam create-token").failed(3);
        user.unset("YC_RS_CONFIG_DIR");
        assert_eq!(user.run("iam create-token").ok().trim(), token);
    }

    #[test]
    fn the_configuration_is_read_by_the_commands_that_need_it_alone() {
        let user = User::new();
        user.configure("not TOML");
        user.run("version").ok();
        user.run("--help").ok();
        user.run("iam create-token").failed(2);
    }
}
