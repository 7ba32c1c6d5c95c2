//! `iam access-key audit`: unused and old keys over any number of folders, and the plan to delete them.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use yc_emulator::{
    ADMIN_ID, AccessKey, BACKUP_ID, CLOUD_ID, Emulator, FOLDER_ID, ORGANIZATION_ID, OTHER_FOLDER_ID, REMOTE_ID,
};

use crate::programs::require_program;
use crate::route::DELETE;
use crate::support::User;

fn user() -> User {
    User::of(Emulator::builder().operation_polls(0).page_size(1000).start()).with_token()
}

/// Adds a key that was created, and last used, this many days ago.
fn add_key(user: &User, account: &str, created: i64, last_use: Option<i64>) -> AccessKey {
    let key = user.cloud.add_access_key(account, "");
    let ago = |days: i64| Utc::now() - TimeDelta::days(days) - TimeDelta::minutes(1);
    user.cloud.set_created(&key.id, ago(created));
    if let Some(days) = last_use {
        user.cloud.set_last_used(&key.id, ago(days));
    }
    key
}

fn audit(user: &User, flags: &str) -> Value {
    user.run(&format!("iam access-key audit --format json {flags}")).json()
}

fn actions(rows: &Value) -> Vec<(&str, &str)> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (row["id"].as_str().unwrap(), row["action"].as_str().unwrap())).collect()
}

#[test]
fn a_row_tells_where_the_key_is_and_what_is_wrong() {
    let user = user();
    let key = add_key(&user, BACKUP_ID, 412, Some(100));
    let rows = audit(&user, "");
    let mut row = rows[0].clone();
    let times = ["created_at", "last_used_at"].map(|field| row.as_object_mut().unwrap().remove(field).unwrap());
    assert!(times.iter().all(Value::is_string));
    assert_eq!(
        row,
        json!({
            "folder_id": FOLDER_ID, "folder_name": "default",
            "service_account_id": BACKUP_ID, "service_account_name": "backup",
            "id": key.id, "key_id": key.key_id,
            "age_days": 412, "idle_days": 100,
            "findings": [
                {"rule": "iam.unused-key", "severity": "medium", "message": "last used 100 days ago"},
                {"rule": "iam.sa-key-rotation", "severity": "high", "message": "created 412 days ago"},
            ],
            "action": "delete",
        })
    );
    let fresh = add_key(&user, BACKUP_ID, 0, None);
    let rows = audit(&user, "");
    assert_eq!((&rows[1]["id"], &rows[1]["findings"]), (&json!(fresh.id), &json!([])));
    assert_eq!((&rows[1]["age_days"], &rows[1]["idle_days"]), (&json!(0), &json!(0)));
    assert_eq!(rows[1]["last_used_at"], Value::Null);
}

#[test]
fn the_text_is_a_table() {
    let user = user();
    let key = add_key(&user, BACKUP_ID, 412, None);
    let text = user.run("iam access-key audit").ok();
    let lines: Vec<_> = text.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()).collect();
    assert_eq!(lines[1][1..9], ["FOLDER", "SERVICE ACCOUNT", "ID", "KEY ID", "AGE", "IDLE", "FINDINGS", "ACTION"]);
    assert_eq!(
        lines[3][1..9],
        ["default", "backup", &key.id, &key.key_id, "412d", "412d", "iam.unused-key, iam.sa-key-rotation", "delete"]
    );
}

#[test]
fn keys_are_sorted_and_those_without_findings_can_be_left_out() {
    let user = user();
    let later = add_key(&user, BACKUP_ID, 10, None);
    let earlier = add_key(&user, BACKUP_ID, 95, Some(1));
    let other = add_key(&user, ADMIN_ID, 1, None);
    let remote = add_key(&user, REMOTE_ID, 200, None);
    let keep = |key: &AccessKey| (key.id.clone(), "keep".to_owned());
    let rows = audit(&user, "");
    let found: Vec<_> = actions(&rows).iter().map(|(id, action)| ((*id).to_owned(), (*action).to_owned())).collect();
    assert_eq!(found, [keep(&other), (earlier.id.clone(), "rotate".to_owned()), keep(&later)]);
    assert_eq!(actions(&audit(&user, "--only-findings")), [(earlier.id.as_str(), "rotate")]);
    for flags in [format!("--all-folders --cloud-id {CLOUD_ID}"), format!("--organization-id {ORGANIZATION_ID}")] {
        let rows = audit(&user, &flags);
        assert_eq!(actions(&rows).last(), Some(&(remote.id.as_str(), "delete")), "{flags}");
        assert_eq!(rows.as_array().unwrap().len(), 4);
    }
    for flags in [format!("--service-account-id {ADMIN_ID}"), "--service-account-name admin".to_owned()] {
        let rows = audit(&user, &flags);
        assert_eq!(actions(&rows), [(other.id.as_str(), "keep")]);
        assert_eq!((&rows[0]["folder_name"], &rows[0]["service_account_name"]), (&json!("default"), &json!("admin")));
    }
}

#[test]
fn thresholds_are_compared_to_the_second_by_the_time_of_the_server() {
    let user = user();
    let key = user.cloud.add_access_key(BACKUP_ID, "");
    user.cloud.set_created(&key.id, Utc::now());
    let hour = TimeDelta::hours(1);
    // The local clock is an hour ahead of the server's, or behind.
    for (offset, reached) in [(-hour, false), (hour, true)] {
        user.cloud.set_clock_offset(offset);
        let rows = audit(&user, "--max-age 30m --unused-for 30m");
        let rules = rows[0]["findings"].as_array().unwrap().len();
        assert_eq!(rules, if reached { 2 } else { 0 }, "{rows}");
    }
}

#[test]
fn an_account_that_did_not_authenticate_is_a_finding_of_its_keys() {
    let user = user();
    add_key(&user, BACKUP_ID, 1, None);
    user.cloud.set_last_authenticated(BACKUP_ID, Utc::now() - TimeDelta::days(91));
    let rows = audit(&user, "");
    assert_eq!(rows[0]["findings"][0]["rule"], "iam.unused-service-account");
    assert_eq!(rows[0]["action"], "keep");
}

#[test]
fn a_key_of_a_rotation_that_nobody_knows_is_kept() {
    let user = user();
    let key = user.cloud.add_access_key(BACKUP_ID, "a [yc-rs rotating ajeold 0c3c]");
    user.cloud.set_created(&key.id, Utc::now() - TimeDelta::days(400));
    let rows = audit(&user, "");
    let findings = rows[0]["findings"].as_array().unwrap();
    assert_eq!(findings.last().unwrap()["rule"], "yc-rs.unfinished-rotation");
    assert_eq!(rows[0]["action"], "keep");
}

#[test]
fn what_cannot_be_read_is_an_error_and_the_rest_is_printed() {
    let user = user();
    let key = add_key(&user, BACKUP_ID, 1, None);
    user.cloud.make_unreadable(ADMIN_ID);
    let ran = user.run("iam access-key audit --format json");
    assert_eq!(ran.code, 3);
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(actions(&rows), [(key.id.as_str(), "keep")]);
    assert!(ran.err.starts_with("ERROR: cannot list the access keys of the service account admin ("), "{}", ran.err);

    user.cloud.make_unreadable(OTHER_FOLDER_ID);
    let ran = user.run(&format!("iam access-key audit --all-folders --cloud-id {CLOUD_ID}"));
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("cannot list the service accounts of the folder other ("), "{}", ran.err);

    user.cloud.make_unreadable(FOLDER_ID);
    let error = user.run("iam access-key audit").failed(3);
    assert!(error.contains("cannot list the service accounts of the folder default ("), "{error}");
    user.run("iam access-key audit --folder-id b1gnone").failed(4);
}

#[test]
fn findings_fail_on_request() {
    let user = user();
    add_key(&user, BACKUP_ID, 1, None);
    audit(&user, "--fail-on-findings");
    add_key(&user, BACKUP_ID, 100, None);
    let ran = user.run("iam access-key audit --fail-on-findings --error-format json --format json");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(ran.code, 1);
    assert_eq!((&error["code"], &error["message"]), (&json!("FINDINGS"), &json!("1 key has findings")));
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap().as_array().unwrap().len(), 2);
}

#[test]
fn rows_can_be_filtered_and_printed_in_every_format() {
    let user = user();
    assert_eq!(user.run("iam access-key audit --format json").ok(), "[]\n");
    let key = add_key(&user, BACKUP_ID, 100, None);
    let filter = ["iam", "access-key", "audit", "--jq", ".[] | select(.action == \"delete\") | .id"];
    assert_eq!(user.run_args(filter).ok(), format!("{}\n", key.id));
    assert!(user.run("iam access-key audit --format json-rest").ok().contains("\"serviceAccountName\": \"backup\""));
    assert!(user.run("iam access-key audit --format yaml").ok().contains("findings:\n"));
}

/// Adds folders, up to 40 in three clouds, with 304 accounts and 912 keys.
fn add_large_organization(user: &User) {
    let clouds: Vec<_> =
        [CLOUD_ID.to_owned()].into_iter().chain((0..2).map(|n| user.cloud.add_cloud(&format!("c{n}")))).collect();
    for number in 0..38 {
        let folder = user.cloud.add_folder(&clouds[number % 3], &format!("f{number}"));
        for account in 0..8 {
            let id = user.cloud.add_service_account(&folder, &format!("sa-{number}-{account}"));
            for _ in 0..3 {
                user.cloud.add_access_key(&id, "");
            }
        }
    }
}

#[test]
fn a_large_organization_takes_less_than_one_and_a_half_times_the_memory_of_a_folder() {
    if !require_program("python3") {
        return;
    }
    let user = User::of(Emulator::builder().page_size(1000).start()).with_token();
    add_large_organization(&user);
    let peak = |flags: &str| {
        let script = "import resource, subprocess, sys\n\
                      subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
                      print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
        let line = format!("yc-rs iam access-key audit --format json {flags}");
        let output = user.program("python3").args(["-c", script]).args(line.split_whitespace()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<f64>().unwrap()
    };
    let (folder, organization) = (peak(""), peak(&format!("--organization-id {ORGANIZATION_ID}")));
    assert!(organization < folder * 1.5, "{folder} {organization}");
}

#[test]
fn a_large_organization_is_read_with_eight_requests_at_once_on_one_connection() {
    let cloud = Emulator::builder().page_size(1000).latency(Duration::from_millis(2)).start();
    let user = User::of(cloud).with_token().over_https();
    add_large_organization(&user);
    let rows = audit(&user, &format!("--organization-id {ORGANIZATION_ID}"));
    assert_eq!(rows.as_array().unwrap().len(), 38 * 8 * 3);
    let order: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |field: &str| row[field].as_str().unwrap().to_owned();
            (text("folder_name"), text("service_account_name"), text("created_at"), text("id"))
        })
        .collect();
    assert!(order.is_sorted());
    let connections: BTreeSet<_> = user.cloud.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections.len(), 1);
    assert_eq!(user.cloud.most_in_flight(), 8);
}

#[test]
fn a_plan_is_applied_to_the_keys_that_were_not_used_since() {
    let user = user();
    let keys: Vec<_> = (0..5).map(|_| add_key(&user, BACKUP_ID, 100, None)).collect();
    let fresh = add_key(&user, BACKUP_ID, 1, None);
    audit(&user, "--plan plan.json");
    let path = user.home().join("plan.json");
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap()) & 0o777, 0o600);
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((&plan["version"], &plan["endpoint"]), (&json!(1), &json!(user.cloud.http_url())));
    assert_eq!(plan["delete"].as_array().unwrap().len(), 5);
    assert_eq!(plan["delete"][0]["rule"], "iam.unused-key");

    // One is taken out of the plan, one was used meanwhile, one is gone.
    let kept = plan["delete"].as_array_mut().unwrap().remove(0)["id"].as_str().unwrap().to_owned();
    user.write_file("plan.json", &plan.to_string());
    let planned: Vec<_> =
        plan["delete"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect();
    user.cloud.set_last_used(&planned[0], Utc::now());
    user.run(&format!("iam access-key delete {}", planned[1])).ok();

    let outcomes = |ran: crate::support::Ran, code: i32| {
        assert_eq!(ran.code, code, "{ran:#?}");
        let rows: Value = serde_json::from_str(&ran.out).unwrap();
        rows.as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let dry = user.run("iam access-key audit --apply plan.json --dry-run --format json");
    assert_eq!(outcomes(dry, 1), ["skipped", "gone", "would-delete", "would-delete"]);
    assert_eq!(user.cloud.access_keys().len(), 5);
    let ran = user.run("iam access-key audit --apply plan.json --format json");
    assert!(ran.err.contains("1 key was skipped") && ran.err.starts_with("ERROR: "), "{}", ran.err);
    assert!(ran.out.contains("it was used since the plan was made"), "{}", ran.out);
    assert_eq!(outcomes(ran, 1), ["skipped", "gone", "deleted", "deleted"]);
    let again = user.run("iam access-key audit --apply plan.json --format json");
    assert_eq!(outcomes(again, 1), ["skipped", "gone", "gone", "gone"]);
    let left: BTreeSet<_> = user.cloud.access_keys().into_iter().map(|key| key.id).collect();
    assert_eq!(left, [kept, planned[0].clone(), fresh.id].into());
    assert!(
        keys.iter()
            .all(|key| key.id == planned[0] || !left.contains(&key.id) || planned.iter().all(|id| *id != key.id))
    );
}

#[test]
fn a_plan_that_is_wholly_applied_succeeds_and_a_failure_is_named() {
    let user = user();
    add_key(&user, BACKUP_ID, 100, None);
    add_key(&user, BACKUP_ID, 100, None);
    audit(&user, "--plan plan.json");
    user.cloud.fault(DELETE, yc_emulator::Fault::status(7, "Permission denied"));
    let ran = user.run("iam access-key audit --apply plan.json");
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("failed") && ran.out.contains("deleted"), "{}", ran.out);
    user.run("iam access-key audit --apply plan.json").ok();
    assert_eq!(user.cloud.access_keys().len(), 0);
}

#[test]
fn bad_input_is_refused_before_anything_is_sent() {
    let mut user = user();
    user.write_file("there", "");
    std::os::unix::fs::symlink("nowhere", user.home().join("dangling")).unwrap();
    let endpoint = user.cloud.http_url().to_owned();
    for (name, text) in [
        ("version", json!({"version": 2, "endpoint": endpoint, "delete": []})),
        ("unknown", json!({"version": 1, "endpoint": endpoint, "delete": [], "more": 1})),
        ("elsewhere", json!({"version": 1, "endpoint": "https://iam.example", "delete": []})),
        (
            "wrong",
            json!({"version": 1, "endpoint": endpoint,
                "delete": [{"id": "a b", "key_id": "YCA", "service_account_id": "aje"}]}),
        ),
        ("incomplete", json!({"version": 1, "endpoint": endpoint, "delete": [{"id": "aje"}]})),
    ] {
        user.write_file(name, &text.to_string());
    }
    for (line, message) in [
        ("--plan there", "exists, and a plan is not overwritten"),
        ("--plan dangling", "exists, and a plan is not overwritten"),
        ("--plan nosuch/plan.json", "there is no directory nosuch"),
        ("--plan -", "--plan names a file"),
        ("--apply -", "--apply names a file"),
        ("--apply wrong", "is not a plan: 'a b' is not an ID"),
        ("--apply missing", "cannot be read"),
        ("--apply there", "is not a plan"),
        ("--apply version", "is a plan of version 2"),
        ("--apply unknown", "is not a plan: unknown field `more`"),
        ("--apply elsewhere", "is a plan for the endpoint https://iam.example, but"),
        ("--apply incomplete", "is not a plan: missing field `key_id`"),
        ("--apply there --all-folders", "--all-folders"),
        ("--apply there --max-age 1d", "--max-age"),
        ("--dry-run", "--apply"),
        ("--max-age 90", "write a number with its unit"),
        ("--all-folders --organization-id bpf", "--organization-id"),
        ("--all-folders", "no cloud is given"),
    ] {
        let error = user.run(&format!("iam access-key audit {line}")).failed(2);
        assert!(error.contains(message), "{line}: {error}");
    }
    user.unset("YC_FOLDER_ID");
    user.run("iam access-key audit").failed(2);
    assert_eq!(user.sent(), [""; 0]);
}
