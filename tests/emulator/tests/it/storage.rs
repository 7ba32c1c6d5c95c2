//! Object Storage: buckets and objects. Signatures are checked with real clients in `tests/clients`.

use yc_emulator::{ADMIN_ID, BACKUP_ID, Emulator};

use crate::client::{Call, Response, call};

/// A request with the IAM token of a service account.
fn with_token(cloud: &Emulator, subject_id: &str, method: &str, target: &str) -> Call {
    call(method, target).header("X-YaCloud-SubjectToken", &cloud.issue_token(subject_id))
}

fn admin(cloud: &Emulator, method: &str, target: &str) -> Response {
    with_token(cloud, ADMIN_ID, method, target).send(cloud)
}

#[track_caller]
fn refused(response: &Response, status: u16, code: &str) {
    let xml = response.text();
    assert_eq!(response.status, status, "{xml}");
    assert!(xml.starts_with(&format!("<Error><Code>{code}</Code><Message>")), "{xml}");
}

#[test]
fn what_is_put_can_be_listed_read_and_deleted() {
    let cloud = Emulator::start();
    assert_eq!(admin(&cloud, "PUT", "/my-bucket").status, 200);
    for (name, content) in [("a/one%20x", "1"), ("a/two", "22"), ("b", "<3")] {
        let target = format!("/my-bucket/{name}");
        assert_eq!(with_token(&cloud, ADMIN_ID, "PUT", &target).body(content).send(&cloud).status, 200);
    }
    assert_eq!(cloud.object("my-bucket", "a/one x").unwrap(), b"1");
    let read = admin(&cloud, "GET", "/my-bucket/b");
    assert_eq!((read.status, read.text()), (200, "<3".to_owned()));
    assert!(read.header("etag").is_some() && read.header("last-modified").is_some());

    let listed = admin(&cloud, "GET", "/my-bucket?list-type=2&delimiter=%2F").text();
    assert!(listed.contains("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>"), "{listed}");
    assert!(listed.contains("<Key>b</Key>") && !listed.contains("two"), "{listed}");
    let below = admin(&cloud, "GET", "/my-bucket?list-type=2&prefix=a%2F").text();
    assert!(below.contains("<KeyCount>2</KeyCount>") && below.contains("<Key>a/one x</Key>"), "{below}");
    assert!(admin(&cloud, "GET", "/").text().contains("<Name>my-bucket</Name>"));

    assert_eq!(admin(&cloud, "DELETE", "/my-bucket/b").status, 204);
    refused(&admin(&cloud, "GET", "/my-bucket/b"), 404, "NoSuchKey");
}

#[test]
fn a_bucket_that_is_missing_taken_or_misnamed_is_refused() {
    let cloud = Emulator::start();
    refused(&admin(&cloud, "GET", "/my-bucket"), 404, "NoSuchBucket");
    refused(&admin(&cloud, "PUT", "/my-bucket/x"), 404, "NoSuchBucket");
    refused(&admin(&cloud, "PUT", "/My_Bucket"), 400, "InvalidBucketName");
    admin(&cloud, "PUT", "/my-bucket");
    refused(&admin(&cloud, "PUT", "/my-bucket"), 409, "BucketAlreadyOwnedByYou");
    cloud.grant_storage(BACKUP_ID);
    refused(&with_token(&cloud, BACKUP_ID, "PUT", "/my-bucket").send(&cloud), 409, "BucketAlreadyExists");
}

#[test]
fn a_subject_without_a_role_is_refused_until_it_has_one() {
    let cloud = Emulator::start();
    let create = || with_token(&cloud, BACKUP_ID, "PUT", "/my-bucket").send(&cloud);
    refused(&create(), 403, "AccessDenied");
    cloud.grant_storage(BACKUP_ID);
    assert_eq!(create().status, 200);
    let other = call("PUT", "/my-bucket").header("X-YaCloud-SubjectToken", "t1.other").send(&cloud);
    refused(&other, 403, "InvalidToken");
}

#[test]
fn only_a_request_to_the_storage_finds_a_bucket() {
    let cloud = Emulator::start();
    admin(&cloud, "PUT", "/my-bucket");
    call("GET", "/my-bucket").admin(&cloud).send(&cloud).refused(404, 5, "there is no /my-bucket");
}
