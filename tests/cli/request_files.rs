//! Requests as files: `--request-file`, and the skeletons of `--example-json` and `--example-yaml`.

use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, BACKUP_ID};

use crate::support::User;

const COMMANDS: [&str; 4] =
    ["iam access-key create", "iam access-key update", "iam access-key issue-ephemeral", "sts assume-role"];

#[test]
fn a_file_in_any_spelling_makes_the_request() {
    for (text, input) in [
        (format!("{{\"serviceAccountId\": \"{BACKUP_ID}\", \"description\": \"by file\"}}"), false),
        (format!("service_account_id: {BACKUP_ID}\ndescription: by file\n"), false),
        (format!("serviceAccountId: {BACKUP_ID}\ndescription: 'by file'\n"), true),
    ] {
        let user = User::signed_in();
        user.write_file("request", &text);
        let file = if input { "-" } else { "request" };
        user.run_with_input(["iam", "access-key", "create", "-r", file], &text).ok();
        let key = &user.cloud.access_keys()[0];
        assert_eq!((key.service_account_id.as_str(), key.description.as_str()), (BACKUP_ID, "by file"));
    }
}

#[test]
fn flags_win_over_the_file() {
    let user = User::signed_in();
    user.write_file("r", &format!("serviceAccountId: {BACKUP_ID}\ndescription: by file\n"));
    user.run_args(["iam", "access-key", "create", "-r", "r", "--description", "by flag"]).ok();
    user.run_args(["iam", "access-key", "create", "-r", "r", "--service-account-name", "admin"]).ok();
    let keys = user.cloud.access_keys();
    assert_eq!((keys[0].service_account_id.as_str(), keys[0].description.as_str()), (BACKUP_ID, "by flag"));
    assert_eq!((keys[1].service_account_id.as_str(), keys[1].description.as_str()), (ADMIN_ID, "by file"));
}

#[test]
fn update_takes_id_and_description_from_a_file() {
    let user = User::signed_in();
    let id = user.cloud.add_access_key(BACKUP_ID, "old").id;
    let description = |user: &User| user.cloud.access_keys()[0].description.clone();
    user.write_file("r", &json!({"accessKeyId": id, "updateMask": "description", "description": "new"}).to_string());
    user.run("iam access-key update -r r").ok();
    assert_eq!(description(&user), "new");
    user.run("iam access-key update -r r --description flag").ok();
    assert_eq!(description(&user), "flag");
    user.write_file("r", "description: ''\n");
    user.run_args(["iam", "access-key", "update", &id, "-r", "r"]).ok();
    assert_eq!(description(&user), "");

    user.cloud.clear_requests();
    user.write_file("r", &json!({"accessKeyId": id}).to_string());
    assert!(user.run("iam access-key update -r r").failed(2).contains("no description is given"));
    user.write_file("r", "description: x\n");
    assert!(user.run("iam access-key update -r r").failed(2).contains("no key is named"));
    user.write_file("r", &json!({"accessKeyId": id, "updateMask": "name", "description": "x"}).to_string());
    assert!(
        user.run("iam access-key update -r r")
            .failed(2)
            .contains("the field 'update_mask' is invalid: it must be 'description'")
    );
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn issue_ephemeral_takes_everything_from_a_file() {
    let user = User::signed_in();
    let policy = r#"{ "Statement": [] }"#;
    user.write_file(
        "r",
        &json!({"subjectId": BACKUP_ID, "sessionName": "nightly", "policy": policy, "duration": "1800s"}).to_string(),
    );
    user.run("iam access-key issue-ephemeral -r r").ok();
    let key = user.cloud.ephemeral_keys().pop().unwrap();
    assert_eq!((key.subject_id.as_str(), key.session_name.as_str()), (BACKUP_ID, "nightly"));
    assert_eq!((key.policy.as_deref(), key.duration.unwrap().as_secs()), (Some(r#"{"Statement":[]}"#), 1800));
    user.run("iam access-key issue-ephemeral -r r --duration 1h --session-name flag --policy {}").ok();
    let key = user.cloud.ephemeral_keys().pop().unwrap();
    assert_eq!((key.session_name.as_str(), key.policy.as_deref()), ("flag", Some("{}")));
    assert_eq!(key.duration.unwrap().as_secs(), 3600);
    user.run("iam access-key exec -r r -- /bin/true").ok();
    assert_eq!(user.cloud.ephemeral_keys().pop().unwrap().session_name, "nightly");
}

#[test]
fn assume_role_takes_the_names_of_the_aws_cli() {
    let mut user = User::new();
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    user.set("AWS_ACCESS_KEY_ID", key.key_id);
    user.set("AWS_SECRET_ACCESS_KEY", key.secret);
    let url = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT_URL_STS", url);
    let arn = "a-role-of-20-characters";
    for text in [
        json!({"RoleArn": arn, "RoleSessionName": "s1", "DurationSeconds": 900, "Policy": "{}"}).to_string(),
        format!("role_arn: {arn}\nrole_session_name: s1\nduration_seconds: 900\npolicy: '{{}}'\n"),
    ] {
        user.write_file("r", &text);
        user.run("sts assume-role --request-file r").ok();
        let issued = user.cloud.sts_keys().pop().unwrap();
        assert_eq!((issued.role_arn.as_str(), issued.role_session_name.as_str()), (arn, "s1"));
        assert_eq!((issued.duration.unwrap().as_secs(), issued.policy.as_deref()), (900, Some("{}")));
    }
    user.run("sts assume-role -r r --duration 1h").ok();
    assert_eq!(user.cloud.sts_keys().pop().unwrap().duration.unwrap().as_secs(), 3600);
    user.cloud.clear_requests();
    for (text, reason) in [
        ("duration_seconds: 899", "from 900 to 43200"),
        ("duration_seconds: '900'", "invalid type: string, expected u64"),
        ("role_arn: x", "'role_arn' is invalid: a role ARN has 20 to 2048"),
    ] {
        user.write_file("r", text);
        let message = user.run("sts assume-role -r r").failed(2);
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn a_file_that_is_wrong_is_refused_by_name() {
    let user = User::signed_in();
    for (text, reason) in [
        (
            "serviceAccount: x",
            "unknown field `serviceAccount`, expected one of `serviceAccountId`, `service_account_id`, `description`",
        ),
        ("description: 5", "invalid type: integer `5`, expected a string"),
        ("{\"description\": [\"a\"]}", "invalid type: sequence, expected a string"),
        ("description: yes\ndescription: no", "YAML"),
        ("{\"description\": \"a\"", "it is not JSON: "),
        ("", "it has no fields of a request, in JSON or in YAML"),
        ("service_account_id: a b", "the field 'service_account_id' is invalid: 'a b' is not an ID"),
    ] {
        user.write_file("r", text);
        let message = user.run("iam access-key create -r r").failed(2);
        assert!(message.contains("--request-file 'r': ") && message.contains(reason), "{text}: {message}");
    }
    assert!(
        user.run("iam access-key create -r none").failed(2).contains("--request-file: the file 'none' cannot be read")
    );
    user.run("iam access-key list -r r").failed(2);
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn a_skeleton_needs_nothing_and_can_be_used() {
    let user = User::new();
    for command in COMMANDS {
        let in_json: Value = serde_json::from_str(&user.run(&format!("{command} --example-json")).ok()).unwrap();
        let in_yaml = user.run(&format!("{command} --example-yaml")).ok();
        let same: Value = serde_saphyr::from_str(&in_yaml).unwrap();
        assert_eq!(in_json, same);
        user.run(&format!("{command} --example-json --example-yaml")).failed(2);
        user.run(&format!("{command} --example-json --jq .")).failed(2);
        user.run(&format!("--format yaml {command} --example-yaml")).failed(2);
    }
    let skeleton = user.run("iam access-key issue-ephemeral --example-yaml").ok();
    assert_eq!(skeleton, "subject_id: \"\"\nsession_name: \"\"\npolicy: \"\"\nduration: 3600s\n");
    assert_eq!(user.sent(), [] as [&str; 0]);

    let user = User::signed_in();
    user.write_file("r", &skeleton);
    user.run("iam access-key issue-ephemeral -r r").ok();
    assert_eq!(user.cloud.ephemeral_keys()[0].duration.unwrap().as_secs(), 3600);
}
