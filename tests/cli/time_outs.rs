//! The three limits on time, and what each of them covers.

use std::net::TcpListener;

use serde_json::Value;
use yc_emulator::{ADMIN_ID, Fault};

use crate::route::{EXCHANGE, LIST, OPERATION};
use crate::support::{Ran, User};

#[track_caller]
fn timed_out(ran: &Ran) -> Value {
    let error: Value = serde_json::from_str(&ran.err).unwrap_or_else(|_| panic!("{ran:#?}"));
    assert_eq!((ran.code, ran.out.as_str()), (5, ""), "{ran:#?}");
    assert_eq!((&error["code"], &error["exit"], &error["retryable"]), (&"TIMEOUT".into(), &5.into(), &true.into()));
    error
}

fn run(user: &User, line: &str) -> Ran {
    user.run(&format!("{line} --error-format json"))
}

#[test]
fn a_server_that_does_not_respond_is_given_up_after_the_read_time_out() {
    for user in [User::signed_in(), User::signed_in().over_https()] {
        let hold = user.cloud.hold(LIST);
        let error = timed_out(&run(&user, "iam access-key list --retry 1 --read-timeout 300ms")).to_string();
        assert!(error.contains("300ms") && error.contains("--read-timeout"), "{error}");
        hold.release();
    }
}

#[test]
fn a_read_time_out_is_followed_by_another_attempt() {
    let user = User::signed_in();
    let hold = user.cloud.hold(LIST);
    user.run("iam access-key list --read-timeout 500ms").ok();
    assert_eq!(user.cloud.requests().len(), 2);
    hold.release();
}

#[test]
fn a_server_that_does_not_finish_the_handshake_is_given_up_after_the_connect_time_out() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut user = User::signed_in();
    user.point_at(&format!("https://{}", silent.local_addr().unwrap()));
    let error = timed_out(&run(&user, "iam access-key list --retry 1 --connect-timeout 200ms")).to_string();
    assert!(error.contains("200ms") && error.contains("--connect-timeout"), "{error}");
}

#[test]
fn the_limit_of_the_command_covers_a_response_that_does_not_come() {
    for pattern in [EXCHANGE, LIST] {
        let user = User::new().with_key();
        let hold = user.cloud.hold(pattern);
        let error = timed_out(&run(&user, "iam access-key list --timeout 2s")).to_string();
        assert!(error.contains("--timeout"), "{error}");
        hold.release();
    }
}

#[test]
fn the_limit_of_the_command_covers_the_waits_between_attempts() {
    let user = User::signed_in();
    user.cloud.fault(LIST, Fault::status(14, "later").header("retry-after", "100"));
    timed_out(&run(&user, "iam access-key list --timeout 2s"));
    assert_eq!(user.cloud.requests().len(), 1);
}

#[test]
fn the_limit_of_the_command_covers_an_endless_filter() {
    for filter in ["def f: f; f", "repeat(.)", "last(repeat(.))", "[range(0; infinite)]"] {
        let user = User::signed_in();
        let args = ["iam", "access-key", "list", "--error-format", "json", "--timeout", "1s", "--jq", filter];
        timed_out(&user.run_args(args));
    }
}

#[test]
fn the_limit_of_the_command_covers_a_pipe_that_nothing_comes_out_of() {
    let user = User::signed_in();
    for line in ["--token - iam create-token", "iam access-key create -r -", "config set token -", "init --token -"] {
        let mut child = user.start(format!("{line} --timeout 300ms --error-format json").split(' '));
        let _open = child.stdin.take();
        timed_out(&Ran::of(child));
    }
}

#[test]
fn the_limit_of_the_command_covers_an_operation_and_tells_how_to_go_on() {
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    for line in [format!("iam access-key update {key} --description x"), format!("iam access-key delete {key}")] {
        let hold = user.cloud.hold(OPERATION);
        let error = timed_out(&run(&user, &format!("{line} --timeout 2s"))).to_string();
        let operation = user.cloud.operations().pop().unwrap().id;
        assert!(error.contains(&format!("yc-rs operation wait {operation}")), "{error}");
        hold.release();
    }
    let operation = user.cloud.operations().pop().unwrap().id;
    let hold = user.cloud.hold(OPERATION);
    timed_out(&run(&user, &format!("operation wait {operation} --timeout 2s")));
    hold.release();
}

#[test]
fn a_limit_of_nothing_is_a_mistake() {
    let user = User::signed_in();
    for flag in ["--timeout", "--connect-timeout", "--read-timeout"] {
        for value in ["0s", "soon", "-1s"] {
            let error = user.run(&format!("iam access-key list {flag}={value}")).failed(2);
            assert!(error.contains(flag), "{error}");
        }
    }
    assert_eq!(user.cloud.requests().len(), 0);
}
