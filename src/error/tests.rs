use super::*;

fn refused(code: Code, message: &str) -> Error {
    by_http(400, code, message)
}

fn by_http(http: u16, code: Code, message: &str) -> Error {
    Error::refused(Some(http), Status { code, message: message.into(), details: vec![] })
}

#[test]
fn exit_status_follows_the_published_table() {
    let table = [
        (Error::usage(""), 2),
        (Error::config(""), 2),
        (Error::new(Kind::NotSet, ""), 1),
        (Error::new(Kind::FilterSyntax, ""), 2),
        (Error::new(Kind::FilterRun, ""), 1),
        (Error::no_credentials(""), 3),
        (refused(Code::Unauthenticated, ""), 3),
        (refused(Code::PermissionDenied, ""), 3),
        (refused(Code::NotFound, ""), 4),
        (refused(Code::Unavailable, ""), 5),
        (refused(Code::ResourceExhausted, "slow down"), 5),
        (refused(Code::ResourceExhausted, "Quota limit x exceeded"), 1),
        (refused(Code::DeadlineExceeded, ""), 5),
        (by_http(502, Code::Internal, ""), 5),
        (by_http(503, Code::Unknown, ""), 5),
        (by_http(504, Code::NotFound, ""), 5),
        (by_http(429, Code::PermissionDenied, ""), 5),
        (by_http(429, Code::ResourceExhausted, "Quota limit x exceeded"), 1),
        (by_http(502, Code::Unavailable, "").outcome_unknown(), 1),
        (Error::new(Kind::Untrusted, ""), 1),
        (Error::new(Kind::ForeignResponse { http: 403 }, ""), 1),
        (refused(Code::Unavailable, "").outcome_unknown(), 1),
        (refused(Code::InvalidArgument, ""), 1),
        (refused(Code::Internal, ""), 1),
        (Error::network(""), 5),
        (Error::network("").outcome_unknown(), 1),
        (Error::new(Kind::Timeout, ""), 5),
        (Error::new(Kind::Interrupted, "").outcome_unknown(), 130),
        (Error::new(Kind::Terminated, ""), 143),
        (Error::new(Kind::HungUp, ""), 129),
        (Error::internal(""), 1),
    ];
    for (error, exit) in table {
        assert_eq!(error.exit_code(), exit, "{error:?}");
        assert_eq!(error.is_retryable(), exit == 5, "{error:?}");
    }
}

#[test]
fn text_has_a_line_for_each_known_field() {
    let ids = RequestIds { server_request: Some("s-1".into()), ..RequestIds::default() };
    let error = refused(Code::NotFound, "no such key").context("cannot get x").hint("list them").ids(ids);
    assert_eq!(
        error.to_text(),
        "ERROR: cannot get x: no such key\ncode: NOT_FOUND\nserver-request-id: s-1\nhint: list them\n"
    );
}

#[test]
fn json_has_the_code_and_leaves_out_unknown_fields() {
    let error = Error::usage("bad").hint("do this");
    assert_eq!(
        error.to_json(),
        json!({"code": "USAGE", "message": "bad", "exit": 2, "retryable": false, "hint": "do this"})
    );
}

#[test]
fn the_hint_nearest_to_the_cause_stays() {
    assert_eq!(Error::usage("x").hint("first").hint("second").to_text(), "ERROR: x\nhint: first\n");
}

#[test]
fn an_urgent_hint_comes_before_the_one_there_is() {
    assert_eq!(Error::usage("x").hint("later").urgent_hint("now").to_text(), "ERROR: x\nhint: now\nlater\n");
    assert_eq!(Error::usage("x").urgent_hint("now").to_text(), "ERROR: x\nhint: now\n");
}
