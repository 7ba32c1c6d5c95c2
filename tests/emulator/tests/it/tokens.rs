//! `IamTokenService`, the lifetime of tokens, and rights.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use yc_emulator::{
    ADMIN_ID, ADMIN_KEY_ID, BACKUP_ID, EC_PRIVATE_KEY, Emulator, FOLDER_ID, Grant, NARROW_ID, OAUTH_TOKEN,
    OTHER_FOLDER_ID, PrivateKey, REMOTE_ID, USER_ID,
};

use crate::client::{KEYS, Response, TOKENS, call, claims, sign, sign_with_header};

const ACCOUNTS: &str = "/iam/v1/serviceAccounts";

fn exchange(cloud: &Emulator, body: Value) -> Response {
    call("POST", TOKENS).json(body).send(cloud)
}

#[test]
fn an_oauth_token_buys_an_iam_token_of_twelve_hours() {
    let cloud = Emulator::start();
    let response = exchange(&cloud, json!({"yandexPassportOauthToken": OAUTH_TOKEN})).ok();
    let token = &cloud.tokens()[0];
    assert_eq!(response["iamToken"], token.value);
    assert_eq!((token.subject_id.as_str(), &token.grant), (USER_ID, &Grant::Oauth));
    assert_eq!(token.expires_at - token.issued_at, TimeDelta::hours(12));
    assert_eq!(response["expiresAt"].as_str().unwrap().len(), "2021-10-22T05:54:53.035215444Z".len());
    call("GET", &format!("{KEYS}?serviceAccountId={ADMIN_ID}")).token(&token.value).send(&cloud).ok();

    let response = exchange(&cloud, json!({"yandexPassportOauthToken": "y0_wrong"}));
    response.refused(401, 16, "OAuth token is invalid or expired");
}

#[test]
fn the_exchange_takes_one_identity_and_no_token() {
    let cloud = Emulator::start();
    assert_eq!(exchange(&cloud, json!({})).violations(), ["identity"]);
    let both = json!({"yandexPassportOauthToken": OAUTH_TOKEN, "jwt": "x"});
    assert_eq!(exchange(&cloud, both).violations(), ["identity"]);
    assert_eq!(exchange(&cloud, json!({"jwt": "x".repeat(8001)})).violations(), ["jwt"]);
    let body = json!({"yandexPassportOauthToken": OAUTH_TOKEN});
    assert_eq!(call("POST", TOKENS).admin(&cloud).json(body.clone()).send(&cloud).violations(), ["Authorization"]);
    // As the documented `curl` call does it.
    let form = call("POST", TOKENS).header("Content-Type", "application/x-www-form-urlencoded");
    form.body(&body.to_string()).send(&cloud).ok();
}

#[test]
fn a_signed_jwt_buys_a_token_of_its_account() {
    let cloud = Emulator::start();
    for key in [cloud.admin_key(), cloud.narrow_key()] {
        let mut claims = claims(&cloud, &key);
        exchange(&cloud, json!({"jwt": sign(&key, &claims)})).ok();
        let token = cloud.tokens().pop().unwrap();
        assert_eq!(token.subject_id, key.service_account_id);
        assert_eq!(token.grant, Grant::Jwt { key_id: key.id.clone() });

        claims["aud"] = json!([claims["aud"]]);
        claims["nbf"] = claims["iat"].clone();
        exchange(&cloud, json!({"jwt": sign(&key, &claims)})).ok();
    }
}

#[test]
fn a_jwt_that_breaks_a_rule_is_refused_by_name() {
    let cloud = Emulator::start();
    let key = cloud.admin_key();
    let good = claims(&cloud, &key);
    let now = cloud.now().timestamp();
    for (name, value, rule) in [
        ("iss", json!(NARROW_ID), "the key does not belong to iss"),
        ("iss", json!(1), "iss must be text"),
        ("aud", json!("https://example.com"), "aud must be"),
        ("aud", json!([]), "aud must be"),
        ("aud", json!(["https://iam.api.cloud.yandex.net/iam/v1/tokens", "x"]), "aud must be"),
        ("iat", json!(now + 60), "iat is in the future"),
        ("iat", json!("now"), "iat must be whole seconds"),
        ("iat", json!(now - 1), "exp - iat is more than 3600"),
        ("nbf", json!(now + 60), "nbf is in the future"),
        ("exp", json!(now - 1), "exp is in the past"),
        ("exp", Value::Null, "exp must be whole seconds"),
        ("sub", json!(ADMIN_ID), "unknown claims entry sub"),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        exchange(&cloud, json!({"jwt": sign(&key, &claims)})).refused(401, 16, rule);
    }
    for (header, rule) in [
        (json!({"typ": "JWT", "alg": "RS256", "kid": ADMIN_KEY_ID}), "alg must be PS256"),
        (json!({"typ": "JWT", "alg": "none", "kid": ADMIN_KEY_ID}), "alg must be PS256"),
        (json!({"alg": "PS256", "kid": ADMIN_KEY_ID}), "typ must be JWT"),
        (json!({"typ": "JWT", "alg": "PS256"}), "kid must be text"),
        (json!({"typ": "JWT", "alg": "PS256", "kid": "ajeunknown"}), "not a known key"),
        (json!({"typ": "JWT", "alg": "PS256", "kid": ADMIN_KEY_ID, "x": 1}), "unknown header entry x"),
    ] {
        exchange(&cloud, json!({"jwt": sign_with_header(&key, &header, &good)})).refused(401, 16, rule);
    }
    let mut other = cloud.admin_key();
    other.private_key = cloud.add_authorized_key(ADMIN_ID, PrivateKey::OtherRsa2048).private_key;
    exchange(&cloud, json!({"jwt": sign(&other, &good)})).refused(401, 16, "the signature is wrong");
    exchange(&cloud, json!({"jwt": "a.b"})).refused(401, 16, "three parts");
    assert!(cloud.tokens().is_empty());
}

#[test]
fn a_jwt_is_judged_by_the_clock_of_the_emulator() {
    let cloud = Emulator::start();
    let key = cloud.admin_key();
    let jwt = sign(&key, &claims(&cloud, &key));
    cloud.advance(Duration::from_secs(3601));
    exchange(&cloud, json!({"jwt": jwt})).refused(401, 16, "exp is in the past");
    cloud.set_clock_offset(TimeDelta::minutes(-2));
    exchange(&cloud, json!({"jwt": jwt})).refused(401, 16, "iat is in the future");
}

#[test]
fn tokens_end_with_time_by_revocation_and_with_their_key() {
    let cloud = Emulator::start();
    let list = |token: &str| call("GET", KEYS).token(token).send(&cloud);
    let token = cloud.issue_token(ADMIN_ID);
    list(&token).ok();
    cloud.advance(Duration::from_secs(12 * 3600));
    list(&token).refused(401, 16, "The token is invalid");

    let token = cloud.issue_token(ADMIN_ID);
    cloud.expire_tokens();
    list(&token).refused(401, 16, "The token is invalid");

    let token = cloud.issue_token(ADMIN_ID);
    let response = call("POST", "/iam/v1/tokens:revoke").token(&token).json(json!({"iamToken": token})).send(&cloud);
    assert_eq!(response.ok(), json!({"subjectId": ADMIN_ID}));
    list(&token).refused(401, 16, "The token is invalid");

    let key = cloud.admin_key();
    let response = exchange(&cloud, json!({"jwt": sign(&key, &claims(&cloud, &key))})).ok();
    let token = response["iamToken"].as_str().unwrap();
    list(token).ok();
    cloud.delete_authorized_key(&key.id);
    list(token).refused(401, 16, "The token is invalid");
}

#[test]
fn impersonation_needs_rights_on_the_account() {
    let cloud = Emulator::start();
    let impersonate = |subject: &str, account: &str| {
        let request = call("POST", "/iam/v1/tokens:createForServiceAccount").token(&cloud.issue_token(subject));
        request.json(json!({"serviceAccountId": account})).send(&cloud)
    };
    impersonate(NARROW_ID, BACKUP_ID).refused(403, 7, "Permission denied");
    cloud.grant(NARROW_ID, BACKUP_ID);
    impersonate(NARROW_ID, BACKUP_ID).ok();
    let token = cloud.tokens().pop().unwrap();
    assert_eq!(token.subject_id, BACKUP_ID);
    assert_eq!(token.grant, Grant::Impersonation { subject_id: NARROW_ID.to_owned() });
    impersonate(ADMIN_ID, "ajenobody").refused(404, 5, "ajenobody");
    assert_eq!(impersonate(ADMIN_ID, "").violations(), ["serviceAccountId"]);
    impersonate(NARROW_ID, NARROW_ID).refused(403, 7, "Permission denied");
    cloud.deny_impersonation();
    for subject in [NARROW_ID, ADMIN_ID] {
        impersonate(subject, BACKUP_ID).refused(403, 7, "Permission denied");
    }
}

#[test]
fn a_right_to_impersonate_is_no_right_on_keys() {
    let cloud = Emulator::start();
    cloud.grant_impersonation(NARROW_ID, BACKUP_ID);
    let token = cloud.issue_token(NARROW_ID);
    let impersonate = || {
        let call = call("POST", "/iam/v1/tokens:createForServiceAccount").token(&token);
        call.json(json!({"serviceAccountId": BACKUP_ID})).send(&cloud)
    };
    let response = impersonate().ok();
    call("GET", KEYS).token(response["iamToken"].as_str().unwrap()).send(&cloud).ok();
    let target = format!("{KEYS}?serviceAccountId={BACKUP_ID}");
    call("GET", &target).token(&token).send(&cloud).refused(403, 7, "");
    cloud.withdraw_rights(NARROW_ID);
    impersonate().refused(403, 7, "");
}

#[test]
fn labels_are_shown_as_they_are() {
    let cloud = Emulator::start();
    let labels = [("camelCase", "A b"), ("snake_case", ""), ("kebab-case", "nextPageToken")];
    let id = cloud.add_service_account_with_labels(FOLDER_ID, "labelled", &labels);
    let get = |id: &str| call("GET", &format!("{ACCOUNTS}/{id}")).admin(&cloud).send(&cloud).ok();
    let account = get(&id);
    assert_eq!(account["labels"], json!({"camelCase": "A b", "snake_case": "", "kebab-case": "nextPageToken"}));
    let names: Vec<&String> = account.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "folderId", "createdAt", "name", "labels", "status"]);
    assert!(get(ADMIN_ID).get("labels").is_none());
    cloud.set_labels(ADMIN_ID, &labels[..1]);
    assert_eq!(get(ADMIN_ID)["labels"], json!({"camelCase": "A b"}));
}

#[test]
fn service_accounts_are_listed_by_folder_and_name() {
    let cloud = Emulator::start();
    let list = |query: &str| call("GET", &format!("{ACCOUNTS}?{query}")).admin(&cloud).send(&cloud);
    let found = list(&format!("folderId={FOLDER_ID}&filter=name%20%3D%20%22backup%22")).ok();
    assert_eq!(found["serviceAccounts"][0]["id"], BACKUP_ID);
    assert_eq!(found["serviceAccounts"].as_array().unwrap().len(), 1);
    assert_eq!(list(&format!("folderId={OTHER_FOLDER_ID}&filter=name+%3D+%22backup%22")).ok(), json!({}));
    assert_eq!(list("filter=name%20%3D%20%22backup%22").violations(), ["folderId"]);
    assert_eq!(list(&format!("folderId={FOLDER_ID}&filter=id%20%3D%20%22x%22")).violations(), ["filter"]);
    list("folderId=b1gnone").refused(404, 5, "b1gnone");

    let get = |subject: &str, id: &str| {
        call("GET", &format!("{ACCOUNTS}/{id}")).token(&cloud.issue_token(subject)).send(&cloud)
    };
    assert_eq!(get(ADMIN_ID, REMOTE_ID).ok()["folderId"], OTHER_FOLDER_ID);
    assert_eq!(get(NARROW_ID, NARROW_ID).ok()["name"], "narrow");
    get(NARROW_ID, REMOTE_ID).refused(403, 7, "");
    get(ADMIN_ID, "ajenobody").refused(404, 5, "");
}

#[test]
fn key_files_look_as_yc_writes_them() {
    let cloud = Emulator::start();
    let key = cloud.admin_key();
    let file = key.file();
    assert!(
        file.starts_with(&format!("{{\n   \"id\": \"{ADMIN_KEY_ID}\",\n   \"service_account_id\": \"{ADMIN_ID}\","))
    );
    let first =
        format!("\"PLEASE DO NOT REMOVE THIS LINE! Yandex.Cloud SA Key ID <{ADMIN_KEY_ID}>\\n-----BEGIN PRIVATE");
    assert!(file.contains(&first), "{file}");
    let escaped = key.escaped_file();
    assert!(escaped.contains(&format!("\\u003c{ADMIN_KEY_ID}\\u003e")) && !escaped.contains('<'));
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(&file), parse(&escaped));
    assert!(EC_PRIVATE_KEY.starts_with("-----BEGIN PRIVATE KEY-----"));
}

#[test]
fn userinfo_names_the_subject_of_a_valid_token() {
    let cloud = Emulator::start();
    for subject in [ADMIN_ID, USER_ID] {
        let token = cloud.issue_token(subject);
        assert_eq!(call("GET", "/oauth/userinfo").token(&token).send(&cloud).ok(), json!({"sub": subject}));
    }
    let token = cloud.issue_token(ADMIN_ID);
    cloud.revoke_token(&token);
    assert_eq!(call("GET", "/oauth/userinfo").token(&token).send(&cloud).status, 401);
}
