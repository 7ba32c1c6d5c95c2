//! The rules that hold for every request.

use serde_json::json;
use yc_emulator::{ADMIN_ID, Emulator};

use crate::client::{KEYS, TOKENS, call, connect};

const UUID: &str = "0b0e3a1c-9f6e-4c5d-8a52-6a2f3a9d7c11";

#[test]
fn a_token_is_required_and_must_be_a_bearer_token() {
    let cloud = Emulator::start();
    call("GET", KEYS).send(&cloud).refused(401, 16, "missing");
    for header in ["", "Bearer", "Bearer ", "bearer x", "Basic x", "Bearer  x", "Bearer x y"] {
        call("GET", KEYS).header("Authorization", header).send(&cloud).refused(401, 16, "must be `Bearer <token>`");
    }
    call("GET", KEYS).token("t1.unknown.token").send(&cloud).refused(401, 16, "The token is invalid");
    call("GET", KEYS).admin(&cloud).admin(&cloud).send(&cloud).refused(400, 3, "given twice");
}

#[test]
fn a_static_key_is_no_token() {
    let cloud = Emulator::start();
    let key = cloud.add_access_key(ADMIN_ID, "");
    let response = call("GET", KEYS).token(&key.secret).send(&cloud);
    response.refused(401, 16, "UNAUTHENTICATED: The token is invalid");
}

#[test]
fn unknown_paths_and_verbs_are_refused() {
    let cloud = Emulator::start();
    call("GET", "/iam/v1/nothing").admin(&cloud).send(&cloud).refused(404, 5, "/iam/v1/nothing");
    call("GET", "/iam/aws-compatibility/v1/accessKeys/").admin(&cloud).send(&cloud).refused(404, 5, "");
    let response = call("PUT", KEYS).admin(&cloud).send(&cloud);
    response.refused(405, 12, "PUT");
    assert_eq!(response.header("Allow"), Some("GET, POST"));
}

#[test]
fn query_parameters_are_known_single_and_within_limits() {
    let cloud = Emulator::start();
    let long_id = "x".repeat(51);
    for (query, field) in [
        ("page_size=1", "page_size"),
        ("pageSize=1&pageSize=2", "pageSize"),
        ("pageSize=1001", "pageSize"),
        ("pageSize=-1", "pageSize"),
        ("pageToken=forged", "pageToken"),
        (&format!("pageToken={}", "x".repeat(2001)), "pageToken"),
        (&format!("serviceAccountId={long_id}"), "serviceAccountId"),
    ] {
        let response = call("GET", &format!("{KEYS}?{query}")).admin(&cloud).send(&cloud);
        assert_eq!(response.violations(), [field], "{query}");
    }
    assert_eq!(call("GET", &format!("{KEYS}/{long_id}")).admin(&cloud).send(&cloud).violations(), ["accessKeyId"]);
    assert_eq!(call("POST", &format!("{KEYS}?x=1")).admin(&cloud).json(json!({})).send(&cloud).violations(), ["x"]);
}

#[test]
fn body_fields_are_known_of_the_right_type_and_within_limits() {
    let cloud = Emulator::start();
    for (body, fields) in [
        (json!({"service_account_id": ADMIN_ID}), vec!["service_account_id"]),
        (json!({"description": 1}), vec!["description"]),
        (json!({"description": null}), vec!["description"]),
        (json!({"description": "x".repeat(257)}), vec!["description"]),
        (json!({"a": "", "description": true}), vec!["description", "a"]),
        (json!([]), vec!["body"]),
    ] {
        let response = call("POST", KEYS).admin(&cloud).json(body.clone()).send(&cloud);
        assert_eq!(response.violations(), fields, "{body}");
    }
    for text in ["", "{", "{} x", r#"{"description":"a","description":"b"}"#] {
        let response = call("POST", KEYS).admin(&cloud).header("Content-Type", "application/json").body(text);
        assert_eq!(response.send(&cloud).violations(), ["body"], "{text}");
    }
    call("POST", KEYS).admin(&cloud).json(json!({"description": "д".repeat(256)})).send(&cloud).ok();
}

#[test]
fn json_must_be_labelled_as_json() {
    let cloud = Emulator::start();
    assert_eq!(call("POST", KEYS).admin(&cloud).body("{}").send(&cloud).violations(), ["Content-Type"]);
    for label in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=koi8-r"] {
        let response = call("POST", KEYS).admin(&cloud).header("Content-Type", label).body("{}").send(&cloud);
        assert_eq!(response.violations(), ["Content-Type"], "{label}");
    }
    let response = call("POST", KEYS).admin(&cloud).header("Content-Type", "application/json; charset=utf-8");
    response.body("{}").send(&cloud).ok();
}

#[test]
fn calls_without_a_body_refuse_one() {
    let cloud = Emulator::start();
    let key = cloud.add_access_key(ADMIN_ID, "");
    for (method, target) in [("GET", KEYS.to_owned()), ("DELETE", format!("{KEYS}/{}", key.id))] {
        assert_eq!(call(method, &target).admin(&cloud).json(json!({})).send(&cloud).violations(), ["body"]);
        call(method, &target).admin(&cloud).body("").send(&cloud).ok();
    }
}

#[test]
fn request_ids_are_uuids_and_never_repeated() {
    let cloud = Emulator::start();
    let list = || call("GET", KEYS).admin(&cloud);
    assert_eq!(list().header("x-request-id", "1").send(&cloud).violations(), ["x-request-id"]);
    list().header("x-request-id", UUID).send(&cloud).ok();
    assert_eq!(list().header("x-request-id", UUID).send(&cloud).violations(), ["x-request-id"]);
}

#[test]
fn idempotency_keys_are_uuids_of_version_4() {
    let cloud = Emulator::start();
    let create = || call("POST", KEYS).admin(&cloud).json(json!({}));
    for key in ["1", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"] {
        assert_eq!(create().header("Idempotency-Key", key).send(&cloud).violations(), ["Idempotency-Key"], "{key}");
    }
    create().header("Idempotency-Key", UUID).send(&cloud).ok();
}

#[test]
fn an_idempotency_key_belongs_to_one_request() {
    let cloud = Emulator::start();
    let [a, b] = ["a", "b"].map(|text| cloud.add_access_key(ADMIN_ID, text));
    let delete =
        |id: &str| call("DELETE", &format!("{KEYS}/{id}")).admin(&cloud).header("Idempotency-Key", UUID).send(&cloud);
    delete(&a.id).ok();
    assert_eq!(delete(&b.id).violations(), ["Idempotency-Key"]);
}

#[test]
fn every_response_has_ids_and_the_date_of_the_emulator() {
    let cloud = Emulator::start();
    cloud.advance(std::time::Duration::from_secs(7 * 24 * 3600));
    let response = call("GET", KEYS).send(&cloud);
    assert_eq!(response.header("x-request-id").unwrap().len(), 36);
    assert_eq!(response.header("x-server-trace-id").unwrap().split(':').count(), 4);
    let date = response.header("date").unwrap();
    assert!(date.ends_with(" GMT") && date.contains(&cloud.now().format("%d %b %Y").to_string()), "{date}");
    let info = &response.json()["details"][0];
    assert_eq!(info["@type"], "type.googleapis.com/google.rpc.RequestInfo");
    assert_eq!(info["requestId"], response.header("x-request-id").unwrap());
}

#[test]
fn requests_and_connections_are_recorded() {
    let cloud = Emulator::start();
    let mut one = connect(&cloud);
    let mut other = connect(&cloud);
    let _silent = connect(&cloud);
    call("GET", &format!("{KEYS}?pageSize=1")).header("X-Odd", "yes").send_on(&mut one).unwrap();
    call("POST", TOKENS).json(json!({"jwt": "x"})).send_on(&mut other).unwrap();
    call("GET", KEYS).admin(&cloud).send_on(&mut one).unwrap();

    let requests = cloud.requests();
    assert_eq!(requests.iter().map(|r| r.connection).collect::<Vec<_>>(), [1, 2, 1]);
    assert_eq!(requests.iter().map(|r| r.status.unwrap()).collect::<Vec<_>>(), [401, 401, 200]);
    assert_eq!(requests[0].line(), format!("GET {KEYS}"));
    assert_eq!((requests[0].query.as_str(), requests[0].header("x-odd")), ("pageSize=1", Some("yes")));
    assert_eq!(requests[1].json(), json!({"jwt": "x"}));
    assert!(!requests[0].tls && !requests[0].http2);
    assert_eq!(cloud.connections(), 2);
    cloud.clear_requests();
    assert_eq!((cloud.requests().len(), cloud.connections()), (0, 0));
}
