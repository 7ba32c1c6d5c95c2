//! Flags that name an ID, flags without effect, and a filter that drops the secret.

use serde_json::json;
use yc_emulator::{ADMIN_ID, BACKUP_ID};

use crate::support::User;

const EMPTY_ID: &str = "'' is not an ID: it is empty";

#[test]
fn an_id_that_is_given_empty_is_refused_by_every_command() {
    let user = User::signed_in();
    for line in [
        "iam access-key get --id=",
        "iam access-key get --id=aje --id=",
        "iam access-key delete --id=",
        "iam access-key delete --async --id=",
        "iam access-key update --description x --id=",
        "iam access-key list-operations --id=",
        "iam access-key create --service-account-id=",
        "iam access-key list --service-account-id=",
        "iam access-key issue-ephemeral --subject-id=",
        "iam access-key issue-ephemeral --service-account-id=",
        "iam access-key exec --subject-id= -- /bin/true",
        "iam access-key exec --service-account-id= -- /bin/true",
        "iam access-key create --impersonate-service-account-id=",
        "--impersonate-service-account-id= iam access-key create",
        "iam service-account get --id=",
    ] {
        let error = user.run(line).failed(2);
        assert!(error.contains(EMPTY_ID), "{line}: {error}");
    }
    for words in [
        &["iam", "access-key", "get", ""][..],
        &["iam", "access-key", "delete", ""],
        &["iam", "access-key", "update", "", "--description", "x"],
        &["iam", "access-key", "list-operations", ""],
        &["operation", "get", ""],
    ] {
        let error = user.run_args(words).failed(2);
        assert!(error.contains(EMPTY_ID), "{words:?}: {error}");
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn an_id_may_be_repeated_where_several_are_taken() {
    let user = User::signed_in();
    let [one, two, three] = [1, 2, 3].map(|_| user.cloud.add_access_key(ADMIN_ID, "").id);
    let shown = user.run(&format!("iam access-key get --id {one} --id {two} --id {one} --format json")).json();
    let ids: Vec<_> = shown.as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    assert_eq!(ids, [&*one, &*two]);
    assert_eq!(user.run(&format!("iam access-key delete --id {one} --id {two}")).ok(), "");
    let left: Vec<_> = user.cloud.access_keys().into_iter().map(|key| key.id).collect();
    assert_eq!(left, [three]);
}

#[test]
fn the_account_of_an_ephemeral_key_is_given_by_either_flag() {
    let user = User::signed_in();
    for flag in ["--subject-id", "--service-account-id"] {
        user.run(&format!("iam access-key issue-ephemeral --session-name s {flag} {BACKUP_ID}")).ok();
        let request = user.cloud.requests().pop().unwrap();
        assert_eq!(request.json(), json!({"subjectId": BACKUP_ID, "sessionName": "s"}));
    }
    let same =
        |flag: &str| user.run(&format!("iam access-key issue-ephemeral --duration 1h --cache {flag} {BACKUP_ID}")).ok();
    assert_eq!(same("--subject-id"), same("--service-account-id"));
    user.cloud.clear_requests();
    for other in [format!("--subject-id {ADMIN_ID}"), "--service-account-name backup".to_owned()] {
        let line = format!("iam access-key issue-ephemeral --service-account-id {BACKUP_ID} {other}");
        assert!(user.run(&line).failed(2).contains("cannot be used with"), "{line}");
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn a_region_that_nothing_is_done_with_is_refused() {
    let user = User::signed_in();
    let process = "ERROR: --region has no effect with --export process, whose JSON has no place for it; set 'region' in the \
                   AWS configuration file\n";
    let print = "ERROR: --region is for --export and for profiles of the AWS CLI\n";
    for (line, message) in [
        ("iam access-key issue-ephemeral --export process --region kz1", process),
        ("iam access-key issue-ephemeral --region kz1", print),
        ("iam access-key create --region kz1", print),
    ] {
        assert_eq!(user.run(line).failed(2), message, "{line}");
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn a_cache_that_would_never_be_used_is_refused() {
    let user = User::signed_in();
    let error = user.run("iam access-key issue-ephemeral --cache --duration 15m").failed(2);
    assert_eq!(
        error,
        "ERROR: --cache has no effect with a lifetime of 15m: a cached key is used only while it is valid for 16m\n\
         hint: request a longer lifetime, or give another --min-ttl\n"
    );
    user.run("iam access-key exec --cache --duration 16m -- /bin/true").failed(2);
    user.run("iam access-key issue-ephemeral --cache --duration 1h --min-ttl 1h").failed(2);
    assert_eq!(user.sent(), [] as [&str; 0]);
    for flags in ["--duration 17m", "--duration 15m --min-ttl 5m"] {
        let line = format!("iam access-key issue-ephemeral --cache {flags}");
        assert_eq!(user.run(&line).ok(), user.run(&line).ok(), "{flags}");
    }
}

#[test]
fn no_input_and_yes_are_accepted_everywhere() {
    let user = User::signed_in();
    user.use_profile("region = 'kz1'");
    for line in [
        "version",
        "cache clear",
        "completion bash",
        "config list",
        "config set region kz1",
        "config profile list",
        "iam access-key list",
        "iam access-key create",
        "iam create-token",
        "iam access-key exec -- /bin/true",
    ] {
        let (command, rest) = line.split_once(" -- ").unwrap_or((line, ""));
        let rest = if rest.is_empty() { String::new() } else { format!("-- {rest}") };
        user.run(&format!("{command} --no-input --yes {rest}")).ok();
        user.run(&format!("--yes {command} --no-input {rest}")).ok();
    }
}

#[test]
fn a_filter_whose_output_has_no_secret_is_warned_of_with_the_way_to_delete_the_key() {
    let user = User::signed_in();
    for (filter, out) in [(".secrt", "null\n"), (".secret[0:10] | length", "10\n"), ("empty", "")] {
        for quiet in ["", "--no-user-output"] {
            let words = ["iam", "access-key", "create", "--jq", filter].into_iter().chain(quiet.split_whitespace());
            let ran = user.run_args(words);
            let id = user.cloud.access_keys().pop().unwrap().id;
            let warning = format!(
                "WARNING: the output of --jq does not contain the secret of the key {id}, and the secret cannot be shown \
                 again; to delete the key, type: yc-rs iam access-key delete {id}\n"
            );
            assert_eq!((ran.code, ran.out.as_str(), ran.err), (0, out, warning), "{filter}");
        }
    }
    let ran = user.run("iam access-key issue-ephemeral --jq .expires_at");
    let id = user.cloud.ephemeral_keys().pop().unwrap().access_key_id;
    let expires_at = ran.out.trim();
    let warning = format!(
        "WARNING: the output of --jq does not contain the secret of the key {id}; the key expires at {expires_at}\n"
    );
    assert_eq!((ran.code, ran.err), (0, warning));
    for filter in [".secret", ".", "[.secret]", ".secret | \"<\\(.)>\"", "tojson"] {
        user.run_args(["iam", "access-key", "create", "--jq", filter]).ok();
        user.run_args(["iam", "access-key", "issue-ephemeral", "--jq", filter]).ok();
    }
}
