//! The metadata service.

use std::time::Duration;

use serde_json::json;
use yc_emulator::{BACKUP_ID, Emulator, Grant, NARROW_ID};

use crate::client::{KEYS, Response, call};

const TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

fn ask(cloud: &Emulator) -> Response {
    call("GET", TOKEN).header("Metadata-Flavor", "Google").send(cloud)
}

#[test]
fn the_token_of_the_attached_account_is_given_out_while_it_lives() {
    let cloud = Emulator::start();
    assert_eq!(ask(&cloud).status, 404);
    cloud.attach_service_account(NARROW_ID);
    let first = ask(&cloud).ok();
    assert_eq!((&first["token_type"], &first["expires_in"]), (&json!("Bearer"), &json!(12 * 3600)));
    let token = first["access_token"].as_str().unwrap();
    call("GET", KEYS).token(token).send(&cloud).ok();
    assert_eq!((cloud.tokens()[0].subject_id.as_str(), &cloud.tokens()[0].grant), (NARROW_ID, &Grant::Metadata));

    cloud.advance(Duration::from_secs(3600));
    let second = ask(&cloud).ok();
    assert_eq!(second["access_token"], token);
    assert!(second["expires_in"].as_i64().unwrap() <= 11 * 3600);
    cloud.advance(Duration::from_secs(11 * 3600));
    assert_ne!(ask(&cloud).ok()["access_token"], token);

    let token = ask(&cloud).ok()["access_token"].clone();
    cloud.revoke_token(token.as_str().unwrap());
    assert_ne!(ask(&cloud).ok()["access_token"], token);
    cloud.attach_service_account(BACKUP_ID);
    ask(&cloud).ok();
    assert_eq!(cloud.tokens().pop().unwrap().subject_id, BACKUP_ID);
    cloud.detach_service_account();
    assert_eq!(ask(&cloud).status, 404);
}

#[test]
fn the_flavor_is_required_and_a_token_is_not_welcome() {
    let cloud = Emulator::start();
    cloud.attach_service_account(NARROW_ID);
    assert_eq!(call("GET", TOKEN).send(&cloud).status, 403);
    assert_eq!(call("GET", TOKEN).header("Metadata-Flavor", "google").send(&cloud).status, 403);
    assert_eq!(call("GET", TOKEN).header("Metadata-Flavor", "Google").admin(&cloud).send(&cloud).status, 400);
    let target = format!("{TOKEN}?recursive=true");
    assert_eq!(call("GET", &target).header("Metadata-Flavor", "Google").send(&cloud).status, 400);
}

#[test]
fn the_machine_may_be_in_another_cloud() {
    let cloud = Emulator::start();
    cloud.set_foreign_metadata_token("ya29.c.foreign");
    let response = ask(&cloud).ok();
    assert_eq!(response, json!({"access_token": "ya29.c.foreign", "expires_in": 3599, "token_type": "Bearer"}));
}
