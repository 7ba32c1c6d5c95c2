//! Endpoint discovery.

use serde_json::json;
use yc_emulator::Emulator;

use crate::client::call;

#[test]
fn discovery_lists_the_listener_that_was_asked() {
    let cloud = Emulator::start();
    let address = cloud.http_url().strip_prefix("http://").unwrap();
    let list = call("GET", "/endpoints").send(&cloud).ok();
    let expected = ["iam", "operation", "resource-manager", "storage"];
    assert_eq!(list, json!({"endpoints": expected.map(|id| json!({"id": id, "address": address}))}));
    let one = call("GET", "/endpoints/storage").send(&cloud).ok();
    assert_eq!(one, json!({"id": "storage", "address": address}));
    for id in ["auth", "sts"] {
        call("GET", &format!("/endpoints/{id}")).send(&cloud).refused(404, 5, id);
    }
}

#[test]
fn discovery_can_be_told_what_to_list() {
    let cloud = Emulator::start();
    cloud.set_endpoints(&[("iam", "iam.example.com:443")]);
    let list = call("GET", "/endpoints").send(&cloud).ok();
    assert_eq!(list, json!({"endpoints": [{"id": "iam", "address": "iam.example.com:443"}]}));
    call("GET", "/endpoints/storage").send(&cloud).refused(404, 5, "storage");
}

#[test]
fn discovery_takes_neither_token_nor_parameters() {
    let cloud = Emulator::start();
    assert_eq!(call("GET", "/endpoints").admin(&cloud).send(&cloud).violations(), ["Authorization"]);
    assert_eq!(call("GET", "/endpoints?pageSize=10").send(&cloud).violations(), ["pageSize"]);
    assert_eq!(call("POST", "/endpoints").send(&cloud).status, 405);
}
