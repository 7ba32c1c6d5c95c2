//! Static keys, ephemeral keys, operations.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, BACKUP_ID, Emulator, Message, NARROW_ID, USER_ID};

use crate::client::{EPHEMERAL, KEYS, call};

const UUID: &str = "0b0e3a1c-9f6e-4c5d-8a52-6a2f3a9d7c11";

fn key_url(id: &str) -> String {
    format!("{KEYS}/{id}")
}

fn poll(cloud: &Emulator, operation: &Value) -> Value {
    let target = format!("/operations/{}", operation["id"].as_str().unwrap());
    call("GET", &target).admin(cloud).send(cloud).ok()
}

#[test]
fn create_tells_the_secret_and_get_does_not() {
    let cloud = Emulator::start();
    let body = json!({"serviceAccountId": BACKUP_ID, "description": "nightly"});
    let made = call("POST", KEYS).admin(&cloud).json(body).send(&cloud).ok();
    let key = &cloud.access_keys()[0];
    assert_eq!(made["secret"], key.secret);
    assert_eq!((key.key_id.len(), key.secret.len()), (25, 40));
    assert!(key.key_id.starts_with("YCAJE") && key.secret.starts_with("YC") && key.id.starts_with("aje"));
    let names: Vec<&String> = made["accessKey"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "serviceAccountId", "createdAt", "description", "keyId"]);

    cloud.set_last_used(&key.id, cloud.now());
    let read = call("GET", &key_url(&key.id)).admin(&cloud).send(&cloud).ok();
    assert_eq!(read["keyId"], key.key_id);
    assert!(read.get("secret").is_none() && read.get("lastUsedAt").is_some());
    let [exact, whole] = [&made["accessKey"], &read].map(|key| key["createdAt"].as_str().unwrap());
    assert_eq!((exact.len(), whole.len()), (30, 20));
    call("GET", &key_url("ajenone")).admin(&cloud).send(&cloud).refused(404, 5, "ajenone");
    call("GET", &key_url(&key.key_id)).admin(&cloud).send(&cloud).refused(404, 5, "");
}

#[test]
fn an_absent_account_is_the_caller() {
    let cloud = Emulator::start();
    let create =
        |subject: &str, body: Value| call("POST", KEYS).token(&cloud.issue_token(subject)).json(body).send(&cloud);
    create(NARROW_ID, json!({})).ok();
    assert_eq!(cloud.access_keys()[0].service_account_id, NARROW_ID);
    create(NARROW_ID, json!({"serviceAccountId": BACKUP_ID})).refused(403, 7, "Permission denied");
    assert_eq!(create(USER_ID, json!({})).violations(), ["serviceAccountId"]);
    let theirs = cloud.add_access_key(BACKUP_ID, "");
    let get = call("GET", &key_url(&theirs.id)).token(&cloud.issue_token(NARROW_ID));
    get.send(&cloud).refused(403, 7, "");
    let list = call("GET", KEYS).token(&cloud.issue_token(NARROW_ID)).send(&cloud).ok();
    assert_eq!(list["accessKeys"].as_array().unwrap().len(), 1);
}

#[test]
fn an_idempotency_key_does_not_keep_create_from_making_a_second_key() {
    let cloud = Emulator::start();
    for _ in 0..2 {
        call("POST", KEYS).admin(&cloud).header("Idempotency-Key", UUID).json(json!({})).send(&cloud).ok();
        let body = json!({"sessionName": "s"});
        call("POST", EPHEMERAL).admin(&cloud).json(body).send(&cloud).ok();
    }
    assert_eq!((cloud.access_keys().len(), cloud.ephemeral_keys().len()), (2, 2));
}

#[test]
fn the_quota_is_of_the_cloud() {
    let cloud = Emulator::builder().access_key_quota(1).start();
    let create =
        |account: &str| call("POST", KEYS).admin(&cloud).json(json!({"serviceAccountId": account})).send(&cloud);
    create(ADMIN_ID).ok();
    let response = create(BACKUP_ID);
    response.refused(429, 8, "Quota limit iam.accessKeys.count exceeded");
    assert_eq!(response.json()["details"][0]["@type"], "type.googleapis.com/google.rpc.QuotaFailure");
}

#[test]
fn pages_are_small_and_their_tokens_bound_to_the_query() {
    let cloud = Emulator::start();
    let keys: Vec<_> = (0..5).map(|n| cloud.add_access_key(BACKUP_ID, &n.to_string())).collect();
    let list = |query: &str| call("GET", &format!("{KEYS}?{query}")).admin(&cloud).send(&cloud);
    let mut seen = Vec::new();
    let mut tokens = Vec::new();
    let mut query = format!("serviceAccountId={BACKUP_ID}&pageSize=1000");
    loop {
        let page = list(&query).ok();
        for key in page["accessKeys"].as_array().unwrap() {
            seen.push(key["id"].as_str().unwrap().to_owned());
        }
        match page["nextPageToken"].as_str() {
            Some(token) => tokens.push(token.to_owned()),
            None => break,
        }
        query = format!("serviceAccountId={BACKUP_ID}&pageToken={}", tokens.last().unwrap());
    }
    assert_eq!(seen, keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>());
    assert_eq!(tokens.len(), 2);
    let other = list(&format!("serviceAccountId={NARROW_ID}&pageToken={}", tokens[0]));
    assert_eq!(other.violations(), ["pageToken"]);
    let one = list(&format!("serviceAccountId={BACKUP_ID}&pageSize=1")).ok();
    assert_eq!(one["accessKeys"].as_array().unwrap().len(), 1);
    assert_eq!(list("").ok(), json!({}));
}

#[test]
fn an_operation_takes_effect_at_its_second_poll() {
    let cloud = Emulator::start();
    let key = cloud.add_access_key(ADMIN_ID, "old");
    let body = json!({"updateMask": "description", "description": "new"});
    let started = call("PATCH", &key_url(&key.id)).admin(&cloud).json(body).send(&cloud).ok();
    assert_eq!(started["metadata"]["accessKeyId"], key.id);
    let kind = "type.googleapis.com/yandex.cloud.iam.v1.awscompatibility.UpdateAccessKeyMetadata";
    assert_eq!(started["metadata"]["@type"], kind);
    assert_eq!(started["createdBy"], ADMIN_ID);
    let first = poll(&cloud, &started);
    for unfinished in [&started, &first] {
        assert!(["done", "error", "response"].iter().all(|name| unfinished.get(name).is_none()));
    }
    assert_eq!(cloud.access_keys()[0].description, "old");
    let second = poll(&cloud, &started);
    assert_eq!((&second["done"], &second["response"]["description"]), (&json!(true), &json!("new")));
    assert_eq!(cloud.access_keys()[0].description, "new");
    assert_eq!(poll(&cloud, &started), second);
}

#[test]
fn update_without_a_mask_resets_what_is_not_given() {
    let cloud = Emulator::builder().operation_polls(0).start();
    for body in [json!({}), json!({"updateMask": "description"})] {
        let key = cloud.add_access_key(ADMIN_ID, "old");
        let done = call("PATCH", &key_url(&key.id)).admin(&cloud).json(body).send(&cloud).ok();
        assert_eq!(done["done"], true);
        assert_eq!(cloud.access_keys().pop().unwrap().description, "");
    }
    let key = cloud.add_access_key(ADMIN_ID, "old");
    let body = json!({"updateMask": "description,keyId", "description": "x"});
    let response = call("PATCH", &key_url(&key.id)).admin(&cloud).json(body).send(&cloud);
    assert_eq!(response.violations(), ["updateMask"]);
}

#[test]
fn delete_replays_its_operation_for_the_same_idempotency_key() {
    let cloud = Emulator::builder().operation_polls(1).any_types(false).start();
    let key = cloud.add_access_key(ADMIN_ID, "");
    let delete = || call("DELETE", &key_url(&key.id)).admin(&cloud).header("Idempotency-Key", UUID).send(&cloud);
    let started = delete().ok();
    assert_eq!(delete().ok()["id"], started["id"]);
    let done = poll(&cloud, &started);
    assert_eq!((&done["done"], &done["response"]), (&json!(true), &json!({})));
    assert_eq!(done["metadata"], json!({"accessKeyId": key.id}));
    assert!(cloud.access_keys().is_empty());
    assert_eq!(delete().ok(), done);
    assert_eq!(cloud.operations().len(), 1);
    call("DELETE", &key_url(&key.id)).admin(&cloud).send(&cloud).refused(404, 5, &key.id);
}

#[test]
fn an_operation_can_end_with_an_error_and_without_effect() {
    let cloud = Emulator::start();
    let key = cloud.add_access_key(ADMIN_ID, "");
    cloud.fail_next_operation(9, "The key is in use");
    let started = call("DELETE", &key_url(&key.id)).admin(&cloud).send(&cloud).ok();
    assert!(started.get("error").is_none());
    let rolling_back = poll(&cloud, &started);
    assert!(rolling_back.get("done").is_none() && rolling_back.get("error").is_some());
    let ended = poll(&cloud, &started);
    assert_eq!(ended["error"], json!({"code": 9, "message": "The key is in use"}));
    assert!(ended["done"] == true && ended.get("response").is_none());
    assert_eq!(cloud.access_keys().len(), 1);
}

#[test]
fn operations_are_listed_by_key_and_seen_by_those_concerned() {
    let cloud = Emulator::start();
    let key = cloud.add_access_key(ADMIN_ID, "");
    for _ in 0..3 {
        call("PATCH", &key_url(&key.id)).admin(&cloud).json(json!({"description": "x"})).send(&cloud).ok();
    }
    let list = call("GET", &format!("{}/operations", key_url(&key.id))).admin(&cloud).send(&cloud).ok();
    assert_eq!(list["operations"].as_array().unwrap().len(), 2);
    assert!(list["nextPageToken"].is_string());
    let target = format!("/operations/{}", cloud.operations()[0].id);
    call("GET", &target).token(&cloud.issue_token(NARROW_ID)).send(&cloud).refused(403, 7, "");
    call("GET", "/operations/ajenone").admin(&cloud).send(&cloud).refused(404, 5, "ajenone");
}

#[test]
fn an_ephemeral_key_never_outlives_its_token() {
    let cloud = Emulator::start();
    let token = cloud.issue_token_for(ADMIN_ID, Duration::from_secs(3600));
    let expiry = cloud.tokens()[0].expires_at;
    let create = |body: Value| call("POST", EPHEMERAL).token(&token).json(body).send(&cloud);
    let made = create(json!({"sessionName": "a"})).ok();
    create(json!({"sessionName": "a", "duration": "43200s", "policy": "{}"})).ok();
    create(json!({"sessionName": "a", "duration": "900s", "subjectId": BACKUP_ID})).ok();
    let keys = cloud.ephemeral_keys();
    assert_eq!((keys[0].expires_at, keys[1].expires_at), (expiry, expiry));
    let left = keys[2].expires_at - cloud.now();
    assert!(left <= TimeDelta::minutes(15) && left > TimeDelta::minutes(14));
    assert_eq!((keys[2].subject_id.as_str(), keys[1].policy.as_deref()), (BACKUP_ID, Some("{}")));
    assert_eq!(keys[1].iam_token, token);
    assert_eq!((keys[0].access_key_id.len(), keys[0].secret.len()), (20, 43));
    assert!(keys[0].session_token.starts_with("s1.") && keys[0].session_token.len() == 285);
    assert_eq!(made["sessionToken"], keys[0].session_token);
}

#[test]
fn ephemeral_keys_may_be_granted_less_or_not_at_all() {
    let cloud = Emulator::start();
    cloud.set_ephemeral_key_lifetime(Duration::from_secs(62));
    let create = |body: Value| call("POST", EPHEMERAL).admin(&cloud).json(body).send(&cloud);
    for body in [json!({"sessionName": "a"}), json!({"sessionName": "a", "duration": "900s"})] {
        create(body).ok();
        let left = cloud.ephemeral_keys().pop().unwrap().expires_at - cloud.now();
        assert!(left <= TimeDelta::seconds(62) && left > TimeDelta::seconds(30));
    }
    cloud.set_ephemeral_keys_unavailable(true);
    create(json!({"sessionName": "a"})).refused(503, 14, "");
    cloud.set_ephemeral_keys_unavailable(false);
    create(json!({"sessionName": "a"})).ok();
    assert_eq!(cloud.ephemeral_keys().len(), 3);
}

#[test]
fn ephemeral_requests_are_held_to_the_limits() {
    let cloud = Emulator::start();
    let create = |body: Value| call("POST", EPHEMERAL).admin(&cloud).json(body).send(&cloud);
    for (field, value) in [
        ("sessionName", json!("")),
        ("sessionName", json!("x".repeat(65))),
        ("sessionName", json!("has space")),
        ("sessionName", json!("имя")),
        ("subjectId", json!("x".repeat(51))),
        ("duration", json!("899s")),
        ("duration", json!("31536001s")),
        ("duration", json!("1h")),
        ("duration", json!(3600)),
        ("policy", json!("[]")),
        ("policy", json!(" ".repeat(2047) + "{}")),
        ("policy", json!({"Statement": []})),
    ] {
        let mut body = json!({"sessionName": "s"});
        body[field] = value;
        assert_eq!(create(body.clone()).violations(), [field], "{body}");
    }
    assert_eq!(create(json!({})).violations(), ["sessionName"]);
    create(json!({"sessionName": "a_+=,.@-9", "policy": " ".repeat(2046) + "{}"})).ok();
    create(json!({"sessionName": "s", "subjectId": "ajenobody"})).refused(404, 5, "ajenobody");
    let user = call("POST", EPHEMERAL).token(&cloud.issue_token(USER_ID)).json(json!({"sessionName": "s"}));
    user.send(&cloud).ok();
    let narrow = call("POST", EPHEMERAL).token(&cloud.issue_token(NARROW_ID));
    narrow.json(json!({"sessionName": "s", "subjectId": BACKUP_ID})).send(&cloud).refused(403, 7, "");
}

#[test]
fn messages_can_grow_new_fields() {
    let cloud = Emulator::builder().operation_polls(0).start();
    for message in [Message::AccessKey, Message::EphemeralKey, Message::Operation] {
        cloud.extra_fields(message, json!({"newField": {"innerField": 1}}));
    }
    let made = call("POST", KEYS).admin(&cloud).json(json!({})).send(&cloud).ok();
    let ephemeral = call("POST", EPHEMERAL).admin(&cloud).json(json!({"sessionName": "s"})).send(&cloud).ok();
    let id = made["accessKey"]["id"].as_str().unwrap();
    let operation = call("PATCH", &key_url(id)).admin(&cloud).json(json!({})).send(&cloud).ok();
    for value in [&made["accessKey"], &ephemeral, &operation, &operation["response"]] {
        assert_eq!(value["newField"]["innerField"], 1, "{value}");
    }
}
