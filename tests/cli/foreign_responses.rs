//! Responses that are not those of the API: the pages of a proxy, of the login of a network, of another server.

use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, Emulator, Fault};

use crate::route::{CREATE, DELETE, EXCHANGE, GET, LIST};
use crate::support::{Ran, User};

fn as_json(ran: &Ran) -> Value {
    assert!(ran.out.is_empty(), "{ran:#?}");
    serde_json::from_str(&ran.err).unwrap_or_else(|_| panic!("{ran:#?}"))
}

fn host(user: &User) -> &str {
    user.cloud.http_url().strip_prefix("http://").unwrap()
}

#[test]
fn a_page_of_html_is_a_failure_of_the_network_whatever_its_status() {
    let user = User::signed_in();
    for (http, status) in [
        (200, "200 OK"),
        (400, "400 Bad Request"),
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (404, "404 Not Found"),
        (418, "418 I'm a teapot"),
        (500, "500 Internal Server Error"),
        (511, "511 Network Authentication Required"),
    ] {
        user.cloud.clear_requests();
        user.cloud.fault(LIST, Fault::answer(http, "text/html; charset=utf-8", "<html><h1>Blocked</h1></html>"));
        let error = as_json(&user.run("iam access-key list --error-format json"));
        let message = format!(
            "cannot list access keys: {} returned {status} with a body of type text/html, which is not a response of the \
             API",
            host(&user)
        );
        let shown = |name: &str| error[name].clone();
        assert_eq!(
            ["code", "status", "message", "exit", "retryable"].map(shown),
            [json!("NETWORK"), json!(http), json!(message), json!(1), json!(false)]
        );
        assert!(error["server_request_id"].is_string() && error["client_request_id"].is_string(), "{error}");
        assert_eq!(user.cloud.requests().len(), 1);
    }
}

#[test]
fn the_text_of_the_error_has_the_code_and_a_next_step() {
    let user = User::signed_in();
    user.cloud.fault(LIST, Fault::BadGateway(403));
    let error = user.run("iam access-key list").failed(1);
    let lines: Vec<_> = error.lines().filter(|line| !line.contains("-id: ")).collect();
    assert_eq!(
        lines,
        [
            format!(
                "ERROR: cannot list access keys: {} returned 403 Forbidden with a body of type text/html, which is not a \
                 response of the API",
                host(&user)
            )
            .as_str(),
            "code: NETWORK",
            "hint: a proxy or the login page of a network may have sent this response, or the endpoint is wrong; to see \
             the response, add --debug-grpc",
        ]
    );
}

#[test]
fn a_status_that_invites_another_attempt_is_worth_one_whatever_the_body() {
    let user = User::signed_in();
    for http in [429, 502, 503, 504] {
        for body in ["<html>", "", "[]", r#"{"code":13,"message":"oops"}"#, r#"{"code":7,"message":"no"}"#] {
            user.cloud.clear_requests();
            for _ in 0..2 {
                user.cloud.fault(LIST, Fault::answer(http, "text/html", body));
            }
            let error = as_json(&user.run("iam access-key list --error-format json --retry 2"));
            assert_eq!((&error["exit"], &error["retryable"]), (&json!(5), &json!(true)), "{http} {body}");
            assert_eq!(error["status"], json!(http));
            assert_eq!(user.cloud.requests().len(), 2, "{http} {body}");
        }
    }
}

#[test]
fn a_page_in_response_to_a_call_that_makes_a_key_leaves_the_outcome_open_where_it_is() {
    let user = User::signed_in();
    for (http, open) in [(200, true), (500, true), (502, true), (504, true), (401, false), (403, false), (404, false)] {
        user.cloud.clear_requests();
        user.cloud.fault(CREATE, Fault::BadGateway(http));
        let error = as_json(&user.run("iam access-key create --error-format json"));
        assert_eq!((&error["exit"], &error["retryable"]), (&json!(1), &json!(false)), "{http}");
        let hint = error["hint"].as_str().unwrap();
        assert_eq!(hint.starts_with("a key may have been created"), open, "{http}: {hint}");
        // To run the command again could create another key.
        assert!(!hint.contains("--debug-grpc"), "{http}: {hint}");
        assert_eq!(user.cloud.requests().len(), 1, "{http}");
    }
}

#[test]
fn a_page_that_says_not_found_does_not_mean_that_the_key_is_gone() {
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    user.cloud.fault(DELETE, Fault::LoseReply);
    user.cloud.fault(DELETE, Fault::BadGateway(404));
    user.run(&format!("iam access-key delete {key}")).failed(1);
    user.cloud.fault(GET, Fault::BadGateway(404));
    user.run("iam access-key get ajex").failed(1);
}

#[test]
fn a_page_that_says_unauthorized_does_not_cost_the_cached_token() {
    let user = User::new().with_key();
    user.run("iam access-key list").ok();
    user.cloud.clear_requests();
    user.cloud.fault(LIST, Fault::BadGateway(401));
    user.run("iam access-key list").failed(1);
    user.run("iam access-key list").ok();
    assert_eq!(user.count("POST /iam/v1/tokens"), 0);
}

#[test]
fn a_page_in_place_of_a_token_is_a_failure_of_the_network() {
    let user = User::new().with_key();
    user.cloud.fault(EXCHANGE, Fault::BadGateway(403));
    let error = as_json(&user.run("iam create-token --error-format json"));
    assert_eq!((&error["code"], &error["exit"], &error["status"]), (&json!("NETWORK"), &json!(1), &json!(403)));
}

#[test]
fn a_redirect_is_a_failure_of_the_network() {
    let user = User::signed_in();
    let elsewhere = Emulator::start();
    user.cloud.fault(LIST, Fault::redirect(302, &format!("{}/login", elsewhere.http_url())));
    let error = as_json(&user.run("iam access-key list --error-format json"));
    let target = elsewhere.http_url().strip_prefix("http://").unwrap();
    let message =
        format!("cannot list access keys: {} returned 302, a redirect to {target}, which is not followed", host(&user));
    let shown = |name: &str| error[name].clone();
    assert_eq!(
        ["code", "status", "message", "exit", "retryable"].map(shown),
        [json!("NETWORK"), json!(302), json!(message), json!(1), json!(false)]
    );
}

#[test]
fn text_that_is_not_json_is_not_shown() {
    let user = User::signed_in();
    user.cloud.fault(LIST, Fault::Garbage);
    let error = user.run("iam access-key list").failed(1);
    let end = "returned 200 OK with a body of type application/json, which is not a response of the API";
    assert_eq!(error.lines().next(), Some(&*format!("ERROR: cannot list access keys: {} {end}", host(&user))));
    assert!(!error.contains("hotel"), "{error}");
}

#[test]
fn a_type_that_is_none_is_not_shown() {
    let user = User::signed_in();
    for media_type in ["t1.9euelZqXncOEFhPa-_8.signature0123456789", "", "a/b c", "\"/\""] {
        user.cloud.fault(LIST, Fault::answer(403, media_type, "<html>"));
        let error = user.run("iam access-key list").failed(1);
        let end = "returned 403 Forbidden with a body of no declared type, which is not a response of the API";
        assert_eq!(error.lines().next(), Some(&*format!("ERROR: cannot list access keys: {} {end}", host(&user))));
    }
}
