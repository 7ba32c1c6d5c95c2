//! Errors: their form as text and as JSON, the exit status, and what is made of responses that are not those of the API.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, Emulator, Fault, NARROW_ID};

use crate::support::{Ran, User};

const LIST: &str = "GET /iam/aws-compatibility/v1/accessKeys";
const CREATE: &str = "POST /iam/aws-compatibility/v1/accessKeys";

/// Code, name, HTTP status and exit status. Source: `en/_includes/errors-handling.md` of yandex-cloud/docs for the first
/// three, `docs/errors.md` for the last.
const CODES: [(u32, &str, u16, i32); 16] = [
    (1, "CANCELLED", 499, 1),
    (2, "UNKNOWN", 500, 1),
    (3, "INVALID_ARGUMENT", 400, 1),
    (4, "DEADLINE_EXCEEDED", 504, 5),
    (5, "NOT_FOUND", 404, 4),
    (6, "ALREADY_EXISTS", 409, 1),
    (7, "PERMISSION_DENIED", 403, 3),
    (8, "RESOURCE_EXHAUSTED", 429, 5),
    (9, "FAILED_PRECONDITION", 400, 1),
    (10, "ABORTED", 409, 1),
    (11, "OUT_OF_RANGE", 400, 1),
    (12, "UNIMPLEMENTED", 501, 1),
    (13, "INTERNAL", 500, 1),
    (14, "UNAVAILABLE", 503, 5),
    (15, "DATA_LOSS", 500, 1),
    (16, "UNAUTHENTICATED", 401, 3),
];

/// The error of a run with `--error-format json`: one object on one line, nothing on standard output.
#[track_caller]
fn as_json(ran: &Ran) -> Value {
    assert!(ran.out.is_empty() && ran.err.ends_with('\n') && ran.err.lines().count() == 1, "{ran:#?}");
    let error: Value = serde_json::from_str(&ran.err).unwrap_or_else(|_| panic!("{ran:#?}"));
    assert_eq!(error["exit"], ran.code, "{ran:#?}");
    assert_eq!(error["retryable"], ran.code == 5, "{ran:#?}");
    error
}

/// Runs a command line with `--error-format json` and no second attempt.
#[track_caller]
fn json_error(user: &User, line: &str) -> Value {
    as_json(&user.run(&format!("{line} --error-format json --retry 1")))
}

fn wrong_fields() -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [
            {"field": "page_size", "description": "must be small"},
            {"field": "page_token", "description": "must be known"},
        ],
    })
}

mod text {
    use super::*;

    #[test]
    fn an_error_has_its_lines_in_the_documented_order() {
        let user = User::signed_in();
        let refusal = Fault::status(3, "Request validation error: no")
            .detail(wrong_fields())
            .header("x-request-id", "server-request")
            .header("x-server-trace-id", "1:2:3:1");
        user.cloud.fault(LIST, refusal);

        let error = user.run("iam access-key list").failed(1);

        let request = user.cloud.requests().pop().unwrap();
        let (first, rest) = error.split_once('\n').unwrap();
        assert!(first.ends_with(": Request validation error: no"), "{first}");
        assert!(first.contains("list access keys"), "{first}");
        let lines: Vec<&str> = rest.lines().collect();
        assert_eq!(lines[0], "code: INVALID_ARGUMENT");
        assert!(lines[1].contains("page_size") && lines[1].contains("must be small"), "{error}");
        assert!(lines[2].contains("page_token") && lines[2].contains("must be known"), "{error}");
        let ids = [
            "server-request-id: server-request".to_owned(),
            format!("client-request-id: {}", request.header("x-request-id").unwrap()),
            "server-trace-id: 1:2:3:1".to_owned(),
            format!("client-trace-id: {}", request.header("x-client-trace-id").unwrap()),
        ];
        assert_eq!(lines[3..7], ids, "{error}");
        assert!(lines[7..].iter().all(|line| line.starts_with("hint: ")), "{error}");
        assert!(error.ends_with('\n'));
    }

    #[test]
    fn the_hint_comes_last_and_names_what_to_type() {
        let user = User::signed_in();
        let error = user.run("iam access-key get YCAJEsomekey").failed(4);
        let last = error.lines().last().unwrap();
        assert!(last.starts_with("hint: ") && last.contains("yc-rs iam access-key get --key-id"), "{error}");
        assert_eq!(error.matches("hint:").count(), 1);
    }

    #[test]
    fn an_error_without_a_response_has_the_ids_of_the_client_alone() {
        let user = User::signed_in();
        user.cloud.fault(LIST, Fault::Close);
        let error = user.run("iam access-key list --retry 1").failed(5);
        let request = user.cloud.requests().pop().unwrap();
        assert!(error.contains(&format!("\nclient-request-id: {}\n", request.header("x-request-id").unwrap())));
        assert!(error.contains(&format!("\nclient-trace-id: {}\n", request.header("x-client-trace-id").unwrap())));
        assert!(!error.contains("server-"), "{error}");
    }

    #[test]
    fn the_ids_are_those_of_the_last_attempt() {
        let user = User::signed_in();
        for number in ["one", "two"] {
            user.cloud.fault(LIST, Fault::status(14, "busy").header("x-request-id", number));
        }
        let error = user.run("iam access-key list --retry 2").failed(5);
        let last = user.cloud.requests().pop().unwrap();
        assert!(error.contains("server-request-id: two\n") && !error.contains("one"), "{error}");
        assert!(error.contains(last.header("x-request-id").unwrap()), "{error}");
    }

    #[test]
    fn a_refusal_without_a_message_still_says_something() {
        let user = User::signed_in();
        user.cloud.fault(LIST, Fault::status(9, ""));
        let first = user.run("iam access-key list").failed(1).lines().next().unwrap().to_owned();
        assert!(first.ends_with("FAILED_PRECONDITION"), "{first}");
    }

    #[test]
    fn a_message_of_several_lines_cannot_forge_the_lines_below_it_in_json() {
        let user = User::signed_in();
        user.cloud.fault(LIST, Fault::status(3, "first\nserver-request-id: forged\n\"quoted\" \u{7f} ж"));
        let error = json_error(&user, "iam access-key list");
        assert!(error["message"].as_str().unwrap().ends_with("first\nserver-request-id: forged\n\"quoted\" \u{7f} ж"));
        assert_ne!(error["server_request_id"], "forged");
    }
}

mod json {
    use super::*;

    #[test]
    fn an_error_is_an_object_whose_fields_have_the_documented_types() {
        let user = User::signed_in();
        let refusal = Fault::status(16, "The token is invalid")
            .detail(wrong_fields())
            .header("x-request-id", "server-request")
            .header("x-server-trace-id", "1:2:3:1");
        user.cloud.fault(LIST, refusal);

        let error = json_error(&user, "iam access-key list");

        let request = user.cloud.requests().pop().unwrap();
        let expected = json!({
            "code": "UNAUTHENTICATED",
            "status": 401,
            "exit": 3,
            "retryable": false,
            "server_request_id": "server-request",
            "client_request_id": request.header("x-request-id").unwrap(),
            "server_trace_id": "1:2:3:1",
            "client_trace_id": request.header("x-client-trace-id").unwrap(),
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&error[name], value, "{name}: {error}");
        }
        assert!(error["message"].as_str().unwrap().ends_with(": The token is invalid"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("YC_IAM_TOKEN"), "{error}");
        assert_eq!(error["details"][0], wrong_fields());
        assert_eq!(error["details"][1]["@type"], "type.googleapis.com/google.rpc.RequestInfo");
        assert_eq!(error.as_object().unwrap().len(), expected.as_object().unwrap().len() + 3, "{error}");
    }

    #[test]
    fn each_code_of_our_own_appears_where_the_documents_say() {
        let mut user = User::signed_in();
        let code = |user: &User, line: &str| {
            let error = json_error(user, line);
            assert_eq!(error.get("status"), None, "no answer, no HTTP status: {error}");
            (error["code"].as_str().unwrap().to_owned(), error["exit"].as_i64().unwrap())
        };
        let is = |name: &str, exit: i64| (name.to_owned(), exit);
        assert_eq!(code(&user, "iam access-key get"), is("USAGE", 2));
        assert_eq!(code(&user, "iam access-key list --jq .["), is("FILTER", 2));
        assert_eq!(code(&user, "iam access-key list --jq .[0].x.y[]"), is("FILTER", 1));
        user.cloud.fault(LIST, Fault::Close);
        assert_eq!(code(&user, "iam access-key list"), is("NETWORK", 5));
        let held = user.cloud.hold(LIST);
        assert_eq!(code(&user, "iam access-key list --timeout 100ms"), is("TIMEOUT", 5));
        drop(held);
        user.unset("YC_IAM_TOKEN");
        assert_eq!(code(&user, "iam access-key list"), is("NO_CREDENTIALS", 3));
        user.configure("=");
        assert_eq!(code(&user, "iam access-key list"), is("CONFIG", 2));
    }

    #[test]
    fn several_ids_give_one_object_a_line() {
        let user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "");
        let ran = user.run(&format!("iam access-key get ajemissing1 {} ajemissing2 --error-format json", key.id));
        assert_eq!(ran.code, 4, "the common exit status: {ran:#?}");
        assert!(ran.out.contains(&key.id), "{ran:#?}");
        let errors: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [first, second] = &errors[..] else { panic!("{errors:#?}") };
        for (error, id) in [(first, "ajemissing1"), (second, "ajemissing2")] {
            assert_eq!((&error["code"], &error["exit"]), (&json!("NOT_FOUND"), &json!(4)));
            assert!(error["message"].as_str().unwrap().contains(id), "{error}");
        }
    }

    #[test]
    fn several_ids_that_fail_in_different_ways_exit_1() {
        let mut user = User::new();
        user.set("YC_IAM_TOKEN", user.cloud.issue_token(NARROW_ID));
        let forbidden = user.cloud.add_access_key(ADMIN_ID, "");
        for verb in ["get", "delete"] {
            let ran = user.run(&format!("iam access-key {verb} {} ajemissing --error-format json", forbidden.id));
            assert!(ran.code == 1 && ran.out.is_empty(), "{ran:#?}");
            let exits: Vec<Value> =
                ran.err.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["exit"].clone()).collect();
            assert_eq!(exits, [3, 4]);
        }
    }
}

mod status {
    use super::*;

    #[test]
    fn every_code_has_its_name_its_http_status_and_its_exit_status() {
        let user = User::signed_in();
        for (number, name, http, exit) in CODES {
            user.cloud.fault(LIST, Fault::status(number, "no"));
            let text = user.run("iam access-key list --retry 1").failed(exit);
            assert!(text.contains(&format!("\ncode: {name}\n")), "{text}");
            user.cloud.fault(LIST, Fault::status(number, "no"));
            let error = json_error(&user, "iam access-key list");
            assert_eq!((&error["code"], &error["status"], &error["exit"]), (&json!(name), &json!(http), &json!(exit)));
        }
    }

    #[test]
    fn the_code_in_the_body_counts_and_not_the_http_status() {
        let user = User::signed_in();
        user.cloud.fault(LIST, Fault::status(5, "gone").http(400));
        user.run("iam access-key list").failed(4);
        user.cloud.fault(LIST, Fault::status(42, "a code of the future").http(400));
        let error = user.run("iam access-key list").failed(1);
        assert!(error.contains("a code of the future") && error.contains("\ncode: UNKNOWN\n"), "{error}");
    }

    #[test]
    fn a_failed_operation_exits_by_its_own_code() {
        let user = User::of(Emulator::builder().operation_polls(0).start()).with_token();
        for (number, name, _, exit) in [CODES[4], CODES[6], CODES[8]] {
            let key = user.cloud.add_access_key(ADMIN_ID, "");
            user.cloud.fail_next_operation(number, "rolled back");
            let error = json_error(&user, &format!("iam access-key delete {}", key.id));
            assert_eq!((&error["code"], &error["exit"]), (&json!(name), &json!(exit)));
            assert!(error["message"].as_str().unwrap().contains("rolled back"), "{error}");
            assert_eq!(error.get("status"), None);
        }
    }

    #[test]
    fn a_used_up_quota_is_told_from_a_rate_limit() {
        let user = User::of(Emulator::builder().access_key_quota(0).start()).with_token();
        let quota = user.run("iam access-key create").failed(1);
        assert!(quota.contains("Quota limit iam.accessKeys.count exceeded"), "{quota}");
        let hint = quota.split("\nhint: ").nth(1).unwrap_or_else(|| panic!("no hint: {quota}"));
        assert!(hint.contains("list") && hint.contains("--unused-for"), "{quota}");
        assert_eq!(user.cloud.requests().len(), 1, "a quota is not tried again");

        user.cloud.clear_requests();
        for _ in 0..2 {
            user.cloud.fault(CREATE, Fault::status(8, "Quota limit iam.accessKeys.count exceeded"));
            let error = as_json(&user.run("iam access-key create --error-format json"));
            assert_eq!((&error["exit"], &error["retryable"]), (&json!(1), &json!(false)));
        }
        assert_eq!(user.cloud.requests().len(), 2);

        user.cloud.clear_requests();
        for _ in 0..3 {
            user.cloud.fault(LIST, Fault::status(8, "Too many requests"));
        }
        let rate = user.run("iam access-key list --retry 3").failed(5);
        assert!(!rate.contains("--unused-for"), "{rate}");
        assert_eq!(user.cloud.requests().len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn ctrl_c_exits_130() {
        let user = User::signed_in();
        for (flags, expected) in [(&[][..], "ERROR: "), (&["--error-format=json"][..], r#""code":"INTERRUPTED""#)] {
            let held = user.cloud.hold(LIST);
            let child = user.start(["iam", "access-key", "list"].iter().chain(flags));
            held.wait_until_arrived();
            let pid = child.id().to_string();
            assert!(user.program("kill").args(["-INT", &pid]).status().unwrap().success());
            let ran = Ran::of(child);
            assert!(ran.code == 130 && ran.out.is_empty() && ran.err.contains(expected), "{ran:#?}");
        }
    }
}

mod answers {
    use super::*;

    #[test]
    fn a_redirect_is_not_followed_and_its_host_is_named() {
        let user = User::signed_in();
        let elsewhere = Emulator::start();
        for status in [301, 302, 303, 307, 308] {
            user.cloud.fault(LIST, Fault::redirect(status, &format!("{}/iam?x=1", elsewhere.http_url())));
            let error = user.run("iam access-key list").failed(1);
            let host = elsewhere.http_url().strip_prefix("http://").unwrap();
            assert!(error.contains(&status.to_string()) && error.contains(host), "{error}");
            assert!(error.contains("\nclient-request-id: "), "{error}");
        }
        user.cloud.fault(LIST, Fault::redirect(302, "::"));
        user.run("iam access-key list").failed(1);
        assert_eq!(user.cloud.requests().len(), 6);
        assert!(elsewhere.requests().is_empty());
    }

    #[test]
    fn a_response_that_breaks_off_is_a_network_error() {
        let user = User::signed_in();
        for fault in [Fault::Close, Fault::LoseReply, Fault::CutReply] {
            user.cloud.fault(LIST, fault.clone());
            let error = json_error(&user, "iam access-key list");
            assert_eq!((&error["code"], &error["exit"]), (&json!("NETWORK"), &json!(5)), "{fault:?}");
            user.cloud.fault(LIST, fault);
            user.run("iam access-key list").ok();
        }
    }

    #[test]
    fn a_refused_connection_is_a_network_error_that_names_the_host() {
        let mut user = User::signed_in();
        user.point_at("http://127.0.0.1:1");
        let error = json_error(&user, "iam access-key list");
        assert_eq!((&error["code"], &error["exit"]), (&json!("NETWORK"), &json!(5)));
        assert!(error["message"].as_str().unwrap().contains("127.0.0.1:1"), "{error}");
        assert!(error["hint"].is_string(), "{error}");
    }

    #[test]
    fn a_response_of_more_than_32_mib_is_not_read() {
        let user = User::signed_in();
        user.cloud.fault(LIST, Fault::Oversized);
        let error = user.run("iam access-key list").failed(1);
        assert!(error.contains("32 MiB"), "{error}");
    }

    #[test]
    fn a_key_that_may_have_been_made_is_not_retryable_and_the_hint_says_how_to_look() {
        let user = User::signed_in();
        for fault in [Fault::LoseReply, Fault::CutReply, Fault::Garbage, Fault::BadGateway(502)] {
            user.cloud.clear_requests();
            user.cloud.fault(CREATE, fault.clone());
            let error = as_json(&user.run("iam access-key create --error-format json"));
            assert_eq!((&error["exit"], &error["retryable"]), (&json!(1), &json!(false)), "{fault:?}");
            assert!(error["hint"].as_str().unwrap().contains("yc-rs iam access-key list"), "{error}");
            assert_eq!(user.cloud.requests().len(), 1, "{fault:?}");
        }
    }

    /// Points the user at a server that gives this response once.
    fn answering(user: &mut User, status: &str, body: &str) -> JoinHandle<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        user.point_at(&format!("http://{}", listener.local_addr().unwrap()));
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        })
    }

    #[test]
    fn a_refusal_of_another_shape_is_read_by_its_http_status_and_its_words() {
        let mut user = User::signed_in();
        for (status, body, exit, word) in [
            ("404 Not Found", "", 4, "404"),
            ("404 Not Found", "[]", 4, "404"),
            ("403 Forbidden", "{}", 3, "403"),
            ("403 Forbidden", r#"{"code":"x","message":"ask the owner"}"#, 3, "ask the owner"),
            ("400 Bad Request", r#"{"error":"invalid_grant","error_description":"too old"}"#, 1, "too old"),
            ("401 Unauthorized", r#"{"error":"no session"}"#, 3, "no session"),
            ("599 Odd", "\u{1}", 1, "599"),
        ] {
            let server = answering(&mut user, status, body);
            let error = user.run("iam access-key get ajex --retry 1").failed(exit);
            server.join().unwrap();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_list_that_is_none_is_an_error() {
        let mut user = User::signed_in();
        for body in ["1", "null", "[]", r#"{"accessKeys":1}"#, r#"{"accessKeys":[]}, "#] {
            let server = answering(&mut user, "200 OK", body);
            let error = user.run("iam access-key list --retry 1").failed(1);
            server.join().unwrap();
            assert!(error.starts_with("ERROR: cannot list access keys: "), "{body}: {error}");
        }
        // The API leaves out what is empty.
        let server = answering(&mut user, "200 OK", "{}");
        assert_eq!(user.run("iam access-key list --format json").json(), json!([]));
        server.join().unwrap();
    }

    #[test]
    fn no_response_makes_the_program_panic() {
        let mut user = User::signed_in();
        for line in [
            "get ajex",
            "create",
            "issue-ephemeral",
            "update ajex --description x",
            "delete ajex",
            "list-operations ajex",
        ] {
            for body in
                ["1", "null", "[]", "\"x\"", r#"{"done":true,"response":1}"#, r#"{"accessKey":[],"operations":{}}"#]
            {
                let server = answering(&mut user, "200 OK", body);
                let ran = user.run(&format!("iam access-key {line} --retry 1 --timeout 1s"));
                server.join().unwrap();
                assert!(!ran.err.contains("internal error"), "{line}: {body}: {ran:#?}");
            }
        }
    }
}

mod command_line {
    use super::*;

    /// Lines that are not understood, and what the message must name.
    fn wrong_lines() -> BTreeMap<&'static str, &'static str> {
        BTreeMap::from([
            ("frob", "frob"),
            ("iam frob", "frob"),
            ("iam access-key frob", "frob"),
            ("iam access-key list --frob", "--frob"),
            ("--frob iam access-key list", "--frob"),
            ("iam access-key get", "ACCESS-KEY-ID"),
            ("iam access-key list --limit", "--limit"),
            ("iam access-key list extra", "extra"),
            ("iam access-key list --limit many", "many"),
            ("iam access-key list --no-paginate=yes", "--no-paginate"),
            ("operation get", "OPERATION-ID"),
            ("operation get a b", "b"),
            ("version --frob", "--frob"),
        ])
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error_like_any_other() {
        let user = User::signed_in();
        for (line, word) in wrong_lines() {
            let error = user.run(line).failed(2);
            assert!(error.contains(word), "{line}: {error}");
            assert!(!error.contains("error: ") && error.matches("ERROR: ").count() == 1, "{line}: {error}");
        }
        assert!(user.cloud.requests().is_empty());
    }

    #[test]
    fn it_is_json_wherever_the_error_format_is_given() {
        let mut user = User::signed_in();
        for (line, word) in wrong_lines() {
            let check = |ran: Ran| {
                let error = as_json(&ran);
                assert_eq!((&error["code"], &error["exit"]), (&json!("USAGE"), &json!(2)), "{line}");
                assert!(error["message"].as_str().unwrap().contains(word), "{line}: {error}");
            };
            check(user.run(&format!("--error-format json {line}")));
            check(user.run(&format!("--error-format=json {line}")));
            if !line.ends_with("--limit") {
                check(user.run(&format!("{line} --error-format json")));
            }
            user.set("YC_ERROR_FORMAT", "json");
            check(user.run(line));
            user.unset("YC_ERROR_FORMAT");
        }
    }

    #[test]
    fn an_unknown_error_format_is_refused_wherever_it_comes_from() {
        let mut user = User::signed_in();
        let error = user.run("iam access-key list --error-format xml").failed(2);
        assert!(error.contains("xml") && error.contains("json"), "{error}");
        user.set("YC_ERROR_FORMAT", "xml");
        let error = user.run("iam access-key list").failed(2);
        for word in ["YC_ERROR_FORMAT", "xml", "text", "json"] {
            assert!(error.contains(word), "{error}");
        }
        user.run("iam access-key list --error-format text").ok();
    }
}

#[test]
fn an_empty_standard_input_is_called_that() {
    for key in ["token", "service-account-key"] {
        let error = User::new().run(&format!("config set {key} -")).failed(2);
        assert!(error.contains("standard input is empty") && error.contains("before the pipe"), "{error}");
    }
}
