//! `--key-id`: a key by the ID that S3 clients and logs show.

use yc_emulator::{ADMIN_ID, BACKUP_ID, Emulator, FOLDER_ID, ORGANIZATION_ID, OTHER_FOLDER_ID, REMOTE_ID};

use crate::support::User;

const LIST: &str = "GET /iam/aws-compatibility/v1/accessKeys";

fn user() -> User {
    User::of(Emulator::builder().operation_polls(0).start()).with_token()
}

#[test]
fn a_key_of_the_folder_is_found_by_every_command() {
    let user = user();
    let key = user.cloud.add_access_key(BACKUP_ID, "");
    let key_id = &key.key_id;
    let get = |flags: &str| user.run(&format!("iam access-key get --key-id {key_id} --jq .id {flags}")).ok();
    let expected = format!("{}\n", key.id);
    for flags in ["", "--service-account-name backup", "--all-folders --cloud-id b1gcloud000000000001"] {
        assert_eq!(get(flags), expected, "{flags}");
    }
    assert_eq!(get(&format!("--service-account-id {BACKUP_ID}")), expected);
    assert_eq!(get(&format!("--organization-id {ORGANIZATION_ID}")), expected);
    user.run(&format!("iam access-key update --key-id {key_id} --description new")).ok();
    assert_eq!(user.cloud.access_keys()[0].description, "new");
    user.run(&format!("iam access-key list-operations --key-id {key_id}")).ok();
    user.run(&format!("iam access-key delete --key-id {key_id}")).ok();
    assert_eq!(user.cloud.access_keys().len(), 0);
}

#[test]
fn a_given_account_is_searched_alone_and_the_search_ends_at_the_hit() {
    let user = user();
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    user.run(&format!("iam access-key get --key-id {} --service-account-id {ADMIN_ID}", key.key_id)).ok();
    assert_eq!(user.count(LIST), 1);
    assert_eq!(user.sent().len(), 2);
}

#[test]
fn a_key_that_is_nowhere_is_not_found_and_says_what_was_searched() {
    let user = user();
    let key = user.cloud.add_access_key(REMOTE_ID, "");
    let get = |flags: &str| user.run(&format!("iam access-key get --key-id {} {flags}", key.key_id));
    let error = get("").failed(4);
    let expected = format!(
        "ERROR: there is no access key with the key ID '{}': searched 3 service accounts of the folder {FOLDER_ID}\n",
        key.key_id
    );
    assert!(error.starts_with(&expected) && error.contains("--folder-id"), "{error}");
    get(&format!("--folder-id {OTHER_FOLDER_ID}")).ok();
    let error = user.run("iam access-key get --key-id YCAnone --all-folders --cloud-id b1gcloud000000000001").failed(4);
    assert!(error.contains("searched 4 service accounts of 2 folders of the cloud b1gcloud000000000001"), "{error}");
    let error = user.run(&format!("iam access-key get --key-id YCAnone --service-account-id {ADMIN_ID}")).failed(4);
    assert!(error.contains(&format!("searched the service account {ADMIN_ID}")), "{error}");
}

#[test]
fn what_cannot_be_read_may_hold_the_key() {
    let user = user();
    user.cloud.make_unreadable(ADMIN_ID);
    user.cloud.make_unreadable(BACKUP_ID);
    let error = user.run("iam access-key get --key-id YCAnone").failed(3);
    for name in ["admin", "backup"] {
        assert!(error.contains(&format!("cannot list the access keys of the service account {name} (")), "{error}");
    }
    // The key is found all the same where it can be read.
    let key = user.cloud.add_access_key(yc_emulator::NARROW_ID, "");
    user.run(&format!("iam access-key get --key-id {}", key.key_id)).ok();
}

#[test]
fn a_resource_id_is_told_from_a_key_id() {
    let user = user();
    let error = user.run("iam access-key get YCAJE123").failed(4);
    assert!(error.contains("yc-rs iam access-key get --key-id YCAJE123"), "{error}");
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let user = user();
    for line in [
        "get aje --key-id YCA",
        "get --id aje --key-id YCA",
        "get --key-id",
        "get --key-id YCA --service-account-id aje --service-account-name backup",
        "get aje --service-account-id aje",
        "get aje --all-folders",
        "get --key-id YCA --all-folders --organization-id bpf",
        "get --key-id YCA --all-folders --service-account-id aje",
        "delete --key-id YCA --all-folders",
        "update --key-id YCA aje --description a",
        "update --description a --service-account-id aje",
        "list-operations aje --service-account-name backup",
    ] {
        user.run(&format!("iam access-key {line}")).failed(2);
    }
    user.run_args(["iam", "access-key", "get", "--key-id", ""]).failed(2);
    let error = user.run("iam access-key get --key-id YCA --all-folders").failed(2);
    assert!(error.contains("no cloud is given"), "{error}");
    assert_eq!(user.sent(), [""; 0]);
}
