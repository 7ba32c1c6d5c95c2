//! `iam access-key`: what each command does, what each argument is for, and what is sent.

use std::collections::BTreeSet;
use std::process::Stdio;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use yc_emulator::{
    ADMIN_ID, AccessKey, BACKUP_ID, Emulator, FOLDER_ID, Fault, NARROW_ID, OTHER_FOLDER_ID, REMOTE_ID, Request,
};

use crate::support::{Ran, User};

const KEYS: &str = "/iam/aws-compatibility/v1/accessKeys";
const EPHEMERAL: &str = "/iam/aws-compatibility/v1/ephemeralAccessKeys";
const ACCOUNTS: &str = "/iam/v1/serviceAccounts";

/// The body of the only request that was sent.
#[track_caller]
fn only_body(user: &User) -> Value {
    let requests = user.cloud.requests();
    assert_eq!(requests.len(), 1, "{:#?}", user.sent());
    requests[0].json()
}

/// Asserts that a command line is refused before anything is sent, and returns the message.
#[track_caller]
fn refused_unsent(user: &User, args: &[&str]) -> String {
    let message = user.run_args(args).failed(2);
    assert_eq!(user.sent(), [""; 0], "{args:?}");
    message
}

/// The value of a parameter of the query.
fn parameter(request: &Request, name: &str) -> Option<String> {
    let pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
}

/// The IDs of the keys that a command prints.
#[track_caller]
fn listed(user: &User, line: &str) -> Vec<String> {
    let ids = user.run(&format!("{line} --jq .[].id")).ok();
    ids.lines().map(str::to_owned).collect()
}

fn add_keys(user: &User, count: usize) -> Vec<String> {
    (0..count).map(|_| user.cloud.add_access_key(ADMIN_ID, "").id).collect()
}

fn days_ago(user: &User, days: i64) -> DateTime<Utc> {
    user.cloud.now() - TimeDelta::days(days)
}

fn key(user: &User, id: &str) -> AccessKey {
    user.cloud.access_keys().into_iter().find(|key| key.id == id).unwrap()
}

/// A user whose profile, and nothing else, names the folder.
fn with_folder_in_profile(folder_id: &str) -> User {
    let mut user = User::signed_in();
    user.unset("YC_FOLDER_ID");
    user.configure(&format!("current = 'p'\n[profiles.p]\nfolder-id = '{folder_id}'\n"));
    user
}

mod create {
    use super::*;

    #[test]
    fn without_an_owner_the_key_is_the_callers() {
        let user = User::signed_in();
        let printed = user.run("iam access-key create --format json").json();
        assert_eq!(user.sent(), [format!("POST {KEYS}")]);
        assert_eq!(only_body(&user), json!({}));
        let made = &user.cloud.access_keys()[0];
        assert_eq!(made.service_account_id, ADMIN_ID);
        assert_eq!(printed["access_key"]["id"], made.id);
        assert_eq!(printed["access_key"]["key_id"], made.key_id);
        assert_eq!(printed["secret"], made.secret);
    }

    #[test]
    fn the_owner_is_given_by_id_without_a_lookup() {
        let user = User::signed_in();
        for line in [
            format!("iam access-key create --service-account-id {BACKUP_ID}"),
            format!("iam access-keys create --service-account-id={BACKUP_ID}"),
        ] {
            user.cloud.clear_requests();
            user.run(&line).ok();
            assert_eq!(only_body(&user), json!({"serviceAccountId": BACKUP_ID}));
        }
    }

    #[test]
    fn the_description_is_sent_as_it_is() {
        let longest = "ж".repeat(256);
        for text in ["ключ (CI) for bot@example.com: 50% \"done\" \\ ", "-dash", longest.as_str()] {
            let user = User::signed_in();
            user.run_args(["iam", "access-key", "create", &format!("--description={text}")]).ok();
            assert_eq!(only_body(&user), json!({"description": text}));
            assert_eq!(user.cloud.access_keys()[0].description, text);
        }
    }

    #[test]
    fn nothing_is_taken_for_an_owner_that_is_not_given_by_its_flag() {
        let user = User::signed_in();
        refused_unsent(&user, &["iam", "access-key", "create", BACKUP_ID]);
    }

    #[test]
    fn a_secret_that_cannot_be_printed_is_an_error_that_says_how_to_delete_the_key() {
        let user = User::signed_in();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = user.command(["iam", "access-key", "create"]).stdout(writer).stderr(Stdio::piped()).spawn();
        let output = output.unwrap().wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        let made = &user.cloud.access_keys()[0];
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.starts_with("ERROR: "), "{message}");
        assert!(message.contains(&format!("iam access-key delete {}", made.id)), "{message}");
        assert!(!message.contains(&made.secret), "{message}");
    }

    #[test]
    fn a_filter_that_fails_is_an_error_that_says_how_to_delete_the_key() {
        let user = User::signed_in();
        let message = user.run("iam access-key create --jq .secret.x").failed(1);
        let made = &user.cloud.access_keys()[0];
        assert!(message.contains(&format!("iam access-key delete {}", made.id)), "{message}");
        assert!(!message.contains(&made.secret), "{message}");
    }
}

mod owner_by_name {
    use super::*;

    /// The account that a key was made for and the folder that was searched.
    #[track_caller]
    fn made_for(user: &User, flags: &str) -> (String, String) {
        user.run(&format!("iam access-key create {flags}")).ok();
        let requests = user.cloud.requests();
        assert_eq!(user.sent(), [format!("GET {ACCOUNTS}"), format!("POST {KEYS}")]);
        let folder = parameter(&requests[0], "folderId").unwrap();
        (requests[1].json()["serviceAccountId"].as_str().unwrap().to_owned(), folder)
    }

    #[test]
    fn the_name_is_looked_up_in_the_folder_of_the_flag_the_environment_or_the_profile() {
        let here = (BACKUP_ID.to_owned(), FOLDER_ID.to_owned());
        let there = (REMOTE_ID.to_owned(), OTHER_FOLDER_ID.to_owned());

        assert_eq!(made_for(&User::signed_in(), "--service-account-name backup"), here, "environment");
        assert_eq!(made_for(&with_folder_in_profile(FOLDER_ID), "--service-account-name backup"), here, "profile");
        let flag = format!("--service-account-name remote --folder-id {OTHER_FOLDER_ID}");
        assert_eq!(made_for(&User::signed_in(), &flag), there, "flag over environment");
        assert_eq!(made_for(&with_folder_in_profile(FOLDER_ID), &flag), there, "flag over profile");

        let mut user = with_folder_in_profile(FOLDER_ID);
        user.set("YC_FOLDER_ID", OTHER_FOLDER_ID);
        assert_eq!(made_for(&user, "--service-account-name remote"), there, "environment over profile");
    }

    #[test]
    fn the_filter_is_the_one_that_the_api_documents() {
        let user = User::signed_in();
        user.run("iam access-key list --service-account-name backup").ok();
        let requests = user.cloud.requests();
        assert_eq!(parameter(&requests[0], "filter").unwrap(), "name%20%3D%20%22backup%22");
        assert_eq!(parameter(&requests[1], "serviceAccountId").unwrap(), BACKUP_ID);
    }

    #[test]
    fn create_list_and_issue_ephemeral_take_a_name() {
        for (command, field) in
            [("create", "serviceAccountId"), ("list", "serviceAccountId"), ("issue-ephemeral", "subjectId")]
        {
            let user = User::signed_in();
            user.run(&format!("iam access-key {command} --service-account-name backup")).ok();
            let last = user.cloud.requests().pop().unwrap();
            let sent =
                parameter(&last, field).unwrap_or_else(|| last.json()[field].as_str().unwrap_or_default().to_owned());
            assert_eq!(sent, BACKUP_ID, "{command}");
        }
    }

    #[test]
    fn a_name_that_is_not_found_exits_4_and_the_hint_names_the_folder_that_was_searched() {
        for (command, folder) in [("create", FOLDER_ID), ("list", OTHER_FOLDER_ID), ("issue-ephemeral", FOLDER_ID)] {
            let user = User::signed_in();
            let line = format!("iam access-key {command} --service-account-name nobody --folder-id {folder}");
            let message = user.run(&line).failed(4);
            assert!(message.contains("service account with name \"nobody\" not found"), "{message}");
            let hint = message.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
            assert!(hint.contains(folder) && hint.contains("--folder-id"), "{message}");
            let requests = user.cloud.requests();
            assert!(requests.iter().all(|request| request.line() == format!("GET {ACCOUNTS}")), "{requests:?}");
            let filtered = requests.iter().filter(|request| parameter(request, "filter").is_some());
            assert_eq!(filtered.count(), 1, "{command}");
        }
    }

    #[test]
    fn an_account_of_another_folder_is_not_found() {
        User::signed_in().run("iam access-key create --service-account-name remote").failed(4);
    }

    #[test]
    fn a_refused_lookup_says_what_was_looked_up() {
        let user = User::signed_in();
        user.cloud.withdraw_rights(ADMIN_ID);
        let message = user.run("iam access-key create --service-account-name backup").failed(3);
        let first = message.lines().next().unwrap();
        assert!(first.contains("backup") && first.ends_with(": Permission denied"), "{message}");
    }

    #[test]
    fn without_a_folder_the_error_names_the_three_ways_to_give_one() {
        for command in ["create", "list", "issue-ephemeral"] {
            let mut user = User::signed_in();
            user.unset("YC_FOLDER_ID");
            let message = refused_unsent(&user, &["iam", "access-key", command, "--service-account-name", "backup"]);
            for way in ["--folder-id", "YC_FOLDER_ID", "profile"] {
                assert!(message.contains(way), "{way}: {message}");
            }
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_refused_unsent() {
        let long = "a".repeat(64);
        let user = User::signed_in();
        for name in ["", "ab", "1st", "Backup", "back_up", "backup-", "a\"b", "имя", "a b c", &long] {
            let message = refused_unsent(&user, &["iam", "access-key", "create", "--service-account-name", name]);
            assert!(message.contains("--service-account-name"), "{message}");
        }
    }

    #[test]
    fn both_owners_at_once_are_refused_unsent() {
        let user = User::signed_in();
        for (command, flag) in
            [("create", "--service-account-id"), ("list", "--service-account-id"), ("issue-ephemeral", "--subject-id")]
        {
            let args = ["iam", "access-key", command, flag, BACKUP_ID, "--service-account-name", "backup"];
            let message = refused_unsent(&user, &args);
            assert!(message.contains(flag) && message.contains("--service-account-name"), "{message}");
        }
    }

    #[test]
    fn an_owner_that_is_empty_is_refused_instead_of_meaning_the_caller() {
        let user = User::signed_in();
        for (command, flag) in
            [("create", "--service-account-id"), ("list", "--service-account-id"), ("issue-ephemeral", "--subject-id")]
        {
            refused_unsent(&user, &["iam", "access-key", command, flag, ""]);
        }
    }
}

mod list {
    use super::*;

    fn sizes_asked(user: &User) -> Vec<String> {
        user.cloud.requests().iter().map(|request| parameter(request, "pageSize").unwrap()).collect()
    }

    #[test]
    fn without_an_owner_it_lists_the_callers_keys_on_all_pages_in_order() {
        let user = User::signed_in();
        let ids = add_keys(&user, 5);
        user.cloud.add_access_key(BACKUP_ID, "");
        assert_eq!(listed(&user, "iam access-key list"), ids);
        let requests = user.cloud.requests();
        assert_eq!(user.sent(), [(); 3].map(|()| format!("GET {KEYS}")));
        assert!(requests.iter().all(|request| parameter(request, "serviceAccountId").is_none()));
    }

    #[test]
    fn the_owner_is_given_by_id() {
        let user = User::signed_in();
        add_keys(&user, 1);
        let id = user.cloud.add_access_key(BACKUP_ID, "").id;
        assert_eq!(listed(&user, &format!("iam access-key list --service-account-id {BACKUP_ID}")), [id]);
    }

    #[test]
    fn the_limit_counts_keys_and_no_page_is_requested_in_vain() {
        let user = User::signed_in();
        let ids = add_keys(&user, 5);
        for (limit, pages) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)] {
            user.cloud.clear_requests();
            let shown = listed(&user, &format!("iam access-key list --limit {limit}"));
            assert_eq!(shown, ids[..limit.min(5)], "{limit}");
            assert_eq!(user.sent().len(), pages, "{limit}");
        }
    }

    #[test]
    fn a_thousand_keys_are_the_limit_unless_more_are_requested() {
        let user = User::of(Emulator::builder().page_size(1000).start()).with_token();
        let ids = add_keys(&user, 1001);
        assert_eq!(listed(&user, "iam access-key list"), ids[..1000]);
        assert_eq!(sizes_asked(&user), ["1000"]);
        for line in ["--limit 2000", "--limit 0", "--all", "--all --unused-for 0s"] {
            assert_eq!(listed(&user, &format!("iam access-key list {line}")), ids, "{line}");
        }
    }

    #[test]
    fn all_is_not_combined_with_a_limit_or_a_single_page() {
        let user = User::signed_in();
        for (flags, other) in
            [("--all --limit 5", "--limit <N>"), ("--all --limit 0", "--limit <N>"), ("--no-paginate --all", "--all")]
        {
            let error = user.run(&format!("iam access-key list {flags}")).failed(2);
            assert!(error.lines().next().unwrap().contains(other), "{error}");
        }
        assert!(user.sent().is_empty());
    }

    #[test]
    fn a_failure_after_the_first_page_prints_nothing_that_is_not_part_of_the_list() {
        let user = User::signed_in();
        add_keys(&user, 5);
        for format in ["text", "json", "yaml", "table"] {
            user.cloud.fault(crate::route::LIST, Fault::headers([]));
            user.cloud.fault(crate::route::LIST, Fault::status(13, "oops"));
            let ran = user.run(&format!("iam access-key list --all --format {format}"));
            let whole = user.run(&format!("iam access-key list --all --format {format}")).ok();
            assert!(ran.code == 1 && whole.starts_with(&ran.out), "{ran:#?}");
        }
    }

    #[test]
    fn the_page_size_is_passed_on() {
        let user = User::signed_in();
        let ids = add_keys(&user, 3);
        assert_eq!(listed(&user, "iam access-key list --page-size 1"), ids);
        assert_eq!(sizes_asked(&user), ["1"; 3]);
    }

    #[test]
    fn no_paginate_stops_after_one_page() {
        let user = User::signed_in();
        let ids = add_keys(&user, 5);
        assert_eq!(listed(&user, "iam access-key list --no-paginate"), ids[..2]);
        assert_eq!(user.sent().len(), 1);
    }

    #[test]
    fn unused_for_goes_by_the_last_use_or_else_by_the_creation() {
        let user = User::signed_in();
        let [never_old, never_new, used_long_ago, used_lately] = add_keys(&user, 4).try_into().unwrap();
        let cloud = &user.cloud;
        for (id, created, used) in [
            (&never_old, 91, None),
            (&never_new, 89, None),
            (&used_long_ago, 400, Some(91)),
            (&used_lately, 400, Some(89)),
        ] {
            cloud.set_created(id, days_ago(&user, created));
            if let Some(days) = used {
                cloud.set_last_used(id, days_ago(&user, days));
            }
        }
        assert_eq!(listed(&user, "iam access-key list --unused-for 90d"), [never_old, used_long_ago]);
        assert_eq!(listed(&user, "iam access-key list --unused-for 401d"), [""; 0]);
        assert_eq!(listed(&user, "iam access-key list --unused-for 1h").len(), 4);
    }

    #[test]
    fn unused_for_filters_before_the_limit_counts() {
        let user = User::signed_in();
        let ids = add_keys(&user, 6);
        for id in &ids[3..] {
            user.cloud.set_created(id, days_ago(&user, 91));
        }
        assert_eq!(listed(&user, "iam access-key list --unused-for 90d --limit 2"), ids[3..5]);
    }

    #[test]
    fn what_is_not_a_length_of_time_is_refused_unsent() {
        let user = User::signed_in();
        for text in ["", "90", "x", "-1d"] {
            refused_unsent(&user, &["iam", "access-key", "list", &format!("--unused-for={text}")]);
        }
    }

    #[test]
    fn a_failure_on_a_later_page_is_a_failure() {
        let user = User::signed_in();
        add_keys(&user, 3);
        let first = user.cloud.hold(&format!("GET {KEYS}"));
        user.cloud.fault(&format!("GET {KEYS}"), Fault::status(7, "Permission denied"));
        let child = user.start(["iam", "access-key", "list"]);
        first.release();
        let message = Ran::of(child).failed(3);
        assert!(message.lines().next().unwrap().ends_with(": Permission denied"), "{message}");
    }
}

mod get {
    use super::*;

    #[test]
    fn all_its_names_and_forms_show_the_key() {
        let user = User::signed_in();
        let id = &add_keys(&user, 1)[0];
        for form in [
            format!("access-key get {id}"),
            format!("access-key get --id {id}"),
            format!("access-key describe {id}"),
            format!("access-key show --id={id}"),
            format!("access-keys get {id}"),
        ] {
            user.cloud.clear_requests();
            assert_eq!(user.run(&format!("iam {form} --jq .id")).ok(), format!("{id}\n"), "{form}");
            assert_eq!(user.sent(), [format!("GET {KEYS}/{id}")]);
        }
    }

    #[test]
    fn several_keys_come_in_the_requested_order_whichever_response_is_first() {
        let user = User::signed_in();
        let ids = add_keys(&user, 3);
        let first = user.cloud.hold(&format!("GET {KEYS}/{}", ids[2]));
        let last = user.cloud.hold(&format!("GET {KEYS}/{}", ids[0]));
        let child = user.start(["iam", "access-key", "get", &ids[2], &ids[0], &ids[1], "--jq", ".[].id"]);
        first.wait_until_arrived();
        last.wait_until_arrived();
        last.release();
        first.release();
        assert_eq!(Ran::of(child).ok(), format!("{}\n{}\n{}\n", ids[2], ids[0], ids[1]));
    }

    #[test]
    fn an_id_given_twice_counts_once() {
        let user = User::signed_in();
        let ids = add_keys(&user, 2);
        let alone = user.run(&format!("iam access-key get {}", ids[0])).ok();
        user.cloud.clear_requests();
        assert_eq!(user.run(&format!("iam access-key get {0} {0}", ids[0])).ok(), alone);
        assert_eq!(user.sent().len(), 1);
        assert_eq!(listed(&user, &format!("iam access-key get {0} {1} {0}", ids[1], ids[0])), [&*ids[1], &*ids[0]]);
    }

    #[test]
    fn without_an_id_or_with_one_of_each_kind_it_is_refused_unsent() {
        let user = User::signed_in();
        for command in ["get", "delete"] {
            refused_unsent(&user, &["iam", "access-key", command]);
            refused_unsent(&user, &["iam", "access-key", command, "aje1", "--id", "aje2"]);
        }
    }

    #[test]
    fn what_was_found_is_printed_and_each_failure_is_one_error() {
        let user = User::signed_in();
        let ids = add_keys(&user, 2);
        let ran = user.run(&format!("iam access-key get aje1 {} aje2 {} --format json", ids[0], ids[1]));
        let printed: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(printed.as_array().unwrap().len(), 2, "{ran:#?}");
        assert_eq!((&printed[0]["id"], &printed[1]["id"]), (&json!(ids[0]), &json!(ids[1])));
        let errors: Vec<_> = ran.err.lines().filter(|line| line.starts_with("ERROR: ")).collect();
        assert_eq!(errors.len(), 2, "{}", ran.err);
        assert!(errors[0].contains("aje1") && errors[1].contains("aje2"), "{}", ran.err);
        assert_eq!(ran.code, 4);
    }

    #[test]
    fn errors_in_json_are_one_object_a_line() {
        let user = User::signed_in();
        let id = &add_keys(&user, 1)[0];
        let ran = user.run(&format!("iam access-key get aje1 {id} aje2 --error-format json"));
        let errors: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(errors.len(), 2, "{}", ran.err);
        for (error, id) in errors.iter().zip(["aje1", "aje2"]) {
            assert_eq!((&error["code"], &error["exit"]), (&json!("NOT_FOUND"), &json!(4)), "{error}");
            assert!(error["message"].as_str().unwrap().contains(id), "{error}");
        }
        assert!(ran.out.contains(id));
    }

    #[test]
    fn the_exit_status_is_the_common_one_of_the_failures_or_else_1() {
        let denied = || Fault::status(7, "Permission denied");
        for (faults, code) in [(vec![], 4), (vec![denied(), denied()], 3), (vec![denied()], 1)] {
            let user = User::signed_in();
            let found = &add_keys(&user, 1)[0];
            for (fault, id) in faults.into_iter().zip(["aje1", "aje2"]) {
                user.cloud.fault(&format!("GET {KEYS}/{id}"), fault);
            }
            let ran = user.run(&format!("iam access-key get aje1 aje2 {found}"));
            assert_eq!(ran.code, code, "{ran:#?}");
            assert!(ran.out.contains(found));
        }
    }

    #[test]
    fn when_nothing_is_found_nothing_is_printed() {
        for format in ["text", "yaml", "json", "json-rest", "table"] {
            User::signed_in().run(&format!("iam access-key get aje1 aje2 --format {format}")).failed(4);
        }
    }

    #[test]
    fn the_key_id_of_s3_is_pointed_out_in_a_hint() {
        let user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "");
        for line in [
            format!("get {}", key.key_id),
            format!("delete {}", key.key_id),
            format!("update {} --description x", key.key_id),
            format!("list-operations {}", key.key_id),
        ] {
            user.cloud.clear_requests();
            let message = user.run(&format!("iam access-key {line}")).failed(4);
            let hint = message.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
            assert!(hint.contains(&key.key_id) && hint.contains("--key-id"), "{message}");
            assert_eq!(user.sent().len(), 1, "it must not guess: {line}");
        }
        assert_eq!(user.cloud.access_keys().len(), 1);
    }

    #[test]
    fn what_cannot_be_an_id_is_refused_unsent() {
        let user = User::signed_in();
        let found = &add_keys(&user, 1)[0];
        for wrong in ["", "a b", "a/b", "../keys", "a\nb", &"x".repeat(51)] {
            for args in [
                vec!["get", wrong],
                vec!["get", found, wrong],
                vec!["get", "--id", wrong],
                vec!["delete", found, wrong],
                vec!["update", wrong, "--description", "x"],
                vec!["list-operations", wrong],
                vec!["create", "--service-account-id", wrong],
                vec!["list", "--service-account-id", wrong],
                vec!["issue-ephemeral", "--subject-id", wrong],
            ] {
                refused_unsent(&user, &[&["iam", "access-key"], args.as_slice()].concat());
            }
        }
    }
}

mod update {
    use super::*;

    #[test]
    fn it_sends_the_mask_waits_and_prints_the_key() {
        for types in [true, false] {
            let user = User::of(Emulator::builder().any_types(types).start()).with_token();
            let id = user.cloud.add_access_key(ADMIN_ID, "old").id;
            let printed = user.run(&format!("iam access-key update {id} --description new --format json")).json();
            let requests = user.cloud.requests();
            assert_eq!(requests[0].line(), format!("PATCH {KEYS}/{id}"));
            assert_eq!(requests[0].json(), json!({"updateMask": "description", "description": "new"}));
            let operation = &user.cloud.operations()[0];
            assert!(operation.done);
            assert!(requests[1..].iter().all(|request| request.line() == format!("GET /operations/{}", operation.id)));
            let fields: Vec<_> = printed.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["id", "service_account_id", "created_at", "description", "key_id"]);
            assert_eq!((&printed["id"], &printed["description"]), (&json!(id), &json!("new")));
        }
    }

    #[test]
    fn an_empty_description_clears_it() {
        let user = User::signed_in();
        let id = user.cloud.add_access_key(ADMIN_ID, "old").id;
        let printed =
            user.run_args(["iam", "access-key", "update", "--id", &id, "--description", "", "--format", "json"]).json();
        assert_eq!(user.cloud.requests()[0].json(), json!({"updateMask": "description", "description": ""}));
        assert_eq!(key(&user, &id).description, "");
        assert!(printed.get("description").is_none(), "{printed}");
    }

    #[test]
    fn without_a_description_it_is_refused_unsent() {
        let user = User::signed_in();
        let message = refused_unsent(&user, &["iam", "access-key", "update", "aje1"]);
        assert!(message.contains("--description"), "{message}");
    }

    #[test]
    fn without_an_id_or_with_two_it_is_refused_unsent() {
        let user = User::signed_in();
        for ids in [vec![], vec!["aje1", "aje2"], vec!["aje1", "--id", "aje2"]] {
            for (command, rest) in [("update", vec!["--description", "x"]), ("list-operations", vec![])] {
                refused_unsent(&user, &[vec!["iam", "access-key", command], ids.clone(), rest].concat());
            }
        }
    }
}

mod delete {
    use super::*;

    #[test]
    fn it_waits_and_prints_nothing_in_any_format() {
        for rest in ["", "--format yaml", "--format json", "--format json-rest", "--format table", "--jq .id"] {
            let user = User::signed_in();
            let ids = add_keys(&user, 3);
            assert_eq!(user.run(&format!("iam access-key delete {} {rest}", ids[0])).ok(), "");
            assert_eq!(user.run(&format!("iam access-key delete --id {} {rest}", ids[1])).ok(), "");
            let left: Vec<_> = user.cloud.access_keys().into_iter().map(|key| key.id).collect();
            assert_eq!(left, ids[2..]);
        }
    }

    #[test]
    fn it_goes_on_after_a_failure_and_reports_each() {
        let user = User::signed_in();
        let ids = add_keys(&user, 2);
        let ran = user.run(&format!("iam access-key delete {} aje1 {} aje2 --error-format json", ids[0], ids[1]));
        assert_eq!((ran.code, &*ran.out), (4, ""), "{ran:#?}");
        let errors: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(errors.len(), 2, "{}", ran.err);
        assert!(errors[0]["message"].as_str().unwrap().contains("aje1"), "{}", ran.err);
        assert!(errors[1]["message"].as_str().unwrap().contains("aje2"), "{}", ran.err);
        assert!(user.cloud.access_keys().is_empty());
    }

    #[test]
    fn an_id_given_twice_is_deleted_once() {
        let user = User::signed_in();
        let id = &add_keys(&user, 1)[0];
        user.run(&format!("iam access-key delete {id} {id}")).ok();
        assert_eq!(user.cloud.operations().len(), 1);
    }

    #[test]
    fn keys_are_deleted_eight_at_a_time() {
        let user = User::of(Emulator::builder().operation_polls(0).start()).with_token();
        let ids = add_keys(&user, 20);
        let mut holds: Vec<_> = ids.iter().map(|id| user.cloud.hold(&format!("DELETE {KEYS}/{id}"))).collect();
        let args = ["iam", "access-key", "delete"].into_iter().chain(ids.iter().map(String::as_str));
        let child = user.start(args);
        holds[..8].iter().for_each(yc_emulator::Hold::wait_until_arrived);
        for done in 0..ids.len() {
            let under_way = user.sent().len() - done;
            assert!(under_way <= 8, "{under_way} calls at the same time");
            holds.remove(0).release();
            // The next request shows that the response has arrived.
            if let Some(hold) = holds.get(7) {
                hold.wait_until_arrived();
            }
        }
        Ran::of(child).ok();
        assert!(user.cloud.access_keys().is_empty());
    }

    #[test]
    fn a_delete_whose_response_was_lost_has_succeeded_when_the_key_is_then_not_found() {
        for (flags, printed) in [("", ""), ("--async", ""), ("--async --format json", "")] {
            let user = User::signed_in();
            let id = &add_keys(&user, 1)[0];
            user.cloud.fault(&format!("DELETE {KEYS}/{id}"), Fault::LoseReply);
            user.cloud.fault(&format!("DELETE {KEYS}/{id}"), Fault::status(5, "Access key not found"));
            assert_eq!(user.run(&format!("iam access-key delete {id} {flags}")).ok(), printed, "{flags}");
        }
    }

    #[test]
    fn with_a_lost_response_among_several_only_the_known_operations_are_printed() {
        let user = User::signed_in();
        let ids = add_keys(&user, 2);
        user.cloud.fault(&format!("DELETE {KEYS}/{}", ids[0]), Fault::LoseReply);
        user.cloud.fault(&format!("DELETE {KEYS}/{}", ids[0]), Fault::status(5, "Access key not found"));
        let line = format!("iam access-key delete {} {} --async --format json", ids[0], ids[1]);
        let printed = user.run(&line).json();
        let metadata: Vec<_> =
            printed.as_array().unwrap().iter().map(|operation| &operation["metadata"]["access_key_id"]).collect();
        assert_eq!(metadata, [&json!(ids[1])]);
    }

    #[test]
    fn a_key_that_is_not_found_without_a_lost_response_is_a_failure() {
        let user = User::signed_in();
        let id = &add_keys(&user, 1)[0];
        user.cloud
            .fault(&format!("DELETE {KEYS}/{id}"), Fault::from(Fault::status(14, "busy").header("Retry-After", "0")));
        user.cloud.fault(&format!("DELETE {KEYS}/{id}"), Fault::status(5, "Access key not found"));
        user.run(&format!("iam access-key delete {id}")).failed(4);
    }

    #[test]
    fn all_attempts_of_a_delete_have_one_idempotency_key_and_two_deletes_have_two() {
        let user = User::signed_in();
        let ids = add_keys(&user, 2);
        user.cloud.fault(&format!("DELETE {KEYS}/{}", ids[0]), Fault::LoseReply);
        user.run(&format!("iam access-key delete {} {}", ids[0], ids[1])).ok();
        let requests = user.cloud.requests();
        let deletes: Vec<_> = requests.iter().filter(|request| request.method == "DELETE").collect();
        let keys: BTreeSet<_> = deletes.iter().map(|request| request.header("Idempotency-Key").unwrap()).collect();
        assert_eq!((deletes.len(), keys.len()), (3, 2));
        assert_eq!(user.cloud.operations().len(), 2);
    }
}

mod issue_ephemeral {
    use super::*;

    const POLICY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#;

    /// The request that `issue-ephemeral` sends with these arguments and this standard input.
    #[track_caller]
    fn sent(user: &User, args: &[&str], input: &str) -> Value {
        user.cloud.clear_requests();
        user.run_with_input(["iam", "access-key", "issue-ephemeral"].iter().chain(args), input).ok();
        assert_eq!(user.sent(), [format!("POST {EPHEMERAL}")]);
        only_body(user)
    }

    #[test]
    fn it_prints_the_key_that_was_issued() {
        let user = User::signed_in();
        let printed = user.run("iam access-key issue-ephemeral --duration 1h --format json").json();
        let issued = &user.cloud.ephemeral_keys()[0];
        let fields: Vec<_> = printed.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["access_key_id", "secret", "session_token", "expires_at"]);
        assert_eq!(printed["access_key_id"], issued.access_key_id);
        assert_eq!(printed["secret"], issued.secret);
        assert_eq!(printed["session_token"], issued.session_token);
        assert_eq!(issued.subject_id, ADMIN_ID);
    }

    #[test]
    fn what_is_not_given_is_not_sent() {
        let body = sent(&User::signed_in(), &[], "");
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["sessionName"]);
    }

    #[test]
    fn the_subject_and_the_session_name_are_sent_as_given() {
        let user = User::signed_in();
        let body = sent(&user, &["--subject-id", NARROW_ID, "--session-name", "a+b=c,d.e@f_g-h"], "");
        assert_eq!(body, json!({"subjectId": NARROW_ID, "sessionName": "a+b=c,d.e@f_g-h"}));
    }

    #[test]
    fn what_cannot_be_a_session_name_is_refused_unsent() {
        let user = User::signed_in();
        for name in ["", "a b", "имя", "a/b", &"x".repeat(65)] {
            refused_unsent(&user, &["iam", "access-key", "issue-ephemeral", "--session-name", name]);
        }
    }

    /// The login within a default session name; the seconds must be those of now.
    #[track_caller]
    fn login_in_session_name(user: &User) -> String {
        let before = Utc::now().timestamp();
        let body = sent(user, &[], "");
        let name = body["sessionName"].as_str().unwrap();
        assert!(name.len() <= 64, "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{name}");
        let (head, seconds) = name.rsplit_once('-').unwrap();
        assert!((before..=Utc::now().timestamp()).contains(&seconds.parse().unwrap()), "{name}");
        head.strip_prefix("yc-rs").unwrap().to_owned()
    }

    #[test]
    fn the_default_session_name_tells_the_login_and_the_time() {
        let mut user = User::signed_in();
        assert_eq!(login_in_session_name(&user), "-tester");
        for (login, shown) in [("CORP\\i.ivanov_2-x", "-CORPiivanov_2-x"), ("анна-b", "--b"), ("анна", "")] {
            user.set("USER", login);
            assert_eq!(login_in_session_name(&user), shown);
        }
        user.set("USER", "x".repeat(100));
        let longest = 64 - "yc-rs-".len() - "-".len() - Utc::now().timestamp().to_string().len();
        assert_eq!(login_in_session_name(&user), format!("-{}", "x".repeat(longest)));
        user.unset("USER");
        login_in_session_name(&user);
    }

    #[test]
    fn durations_are_sent_as_protobuf_json() {
        let user = User::signed_in();
        for (given, sent_as) in [
            ("15m", "900s"),
            ("1h30m", "5400s"),
            ("90m", "5400s"),
            ("1.5h", "5400s"),
            ("3600s", "3600s"),
            ("12h", "43200s"),
            ("900s500ms", "900.500s"),
        ] {
            assert_eq!(sent(&user, &["--duration", given], "")["duration"], sent_as, "{given}");
        }
    }

    #[test]
    fn durations_out_of_range_or_without_sense_are_refused_unsent() {
        let user = User::signed_in();
        for wrong in ["14m59s", "12h1s", "0s", "1d", "3600", "", "h", "-1h", "1h1", "forever"] {
            let args = ["iam", "access-key", "issue-ephemeral", &format!("--duration={wrong}")];
            let message = refused_unsent(&user, &args);
            assert!(message.contains("15m"), "{wrong}: {message}");
        }
    }

    #[test]
    fn a_policy_is_text_a_path_a_file_url_or_standard_input() {
        let user = User::signed_in();
        let path = user.write_file("policy.json", POLICY);
        let path = path.to_str().unwrap();
        let spaced = format!(" \n\t{POLICY}");
        let marked = format!("\u{feff}{POLICY}");
        for argument in [POLICY, &spaced, &marked, path, "policy.json", &format!("file://{path}"), "file://policy.json"]
        {
            assert_eq!(sent(&user, &["--policy", argument], "")["policy"], POLICY, "{argument}");
        }
        assert_eq!(sent(&user, &["--policy", "-"], &format!("{POLICY}\n"))["policy"], POLICY);
        assert_eq!(sent(&user, &["--policy", "-"], &marked)["policy"], POLICY);
        user.write_file("marked.json", &format!("\u{feff} {POLICY}\r\n"));
        assert_eq!(sent(&user, &["--policy", "marked.json"], "")["policy"], POLICY);
    }

    #[test]
    fn white_space_is_removed_from_a_policy_and_nothing_else() {
        let user = User::signed_in();
        let given = "{\r\n\t\"Version\" : \"2012-10-17\",\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [ {\n    \
                     \"Sid\": \"a  \\\" b \\u0436\\\\\",\n    \"Effect\": \"Allow\", \"Principal\": \"*\", \
                     \"Action\": [ \"s3:*\" ], \"Resource\": \"arn:aws:s3:::b\"\n  } ]\n}\n";
        let sent_as = "{\"Version\":\"2012-10-17\",\"Version\":\"2012-10-17\",\"Statement\":[{\
                       \"Sid\":\"a  \\\" b \\u0436\\\\\",\"Effect\":\"Allow\",\"Principal\":\"*\",\
                       \"Action\":[\"s3:*\"],\"Resource\":\"arn:aws:s3:::b\"}]}";
        assert_eq!(sent(&user, &["--policy", given], "")["policy"], sent_as);
        assert_eq!(user.cloud.ephemeral_keys()[0].policy.as_deref(), Some(sent_as));
    }

    /// A policy that has this many characters, 600 of them Cyrillic, and white space on top.
    fn policy_of(length: usize) -> String {
        let policy = POLICY.replace("{\"Effect\"", "{ \"Sid\" : \"SID\",\n\n \"Effect\"");
        let rest = length - (POLICY.len() + "\"Sid\":\"\",".len()) - 600;
        policy.replace("SID", &format!("{}{}", "ж".repeat(600), "x".repeat(rest)))
    }

    #[test]
    fn a_policy_of_2048_characters_without_white_space_is_sent() {
        let body = sent(&User::signed_in(), &["--policy", &policy_of(2048)], "");
        assert_eq!(body["policy"].as_str().unwrap().chars().count(), 2048);
    }

    #[test]
    fn a_longer_policy_is_refused_unsent_with_its_size() {
        let message =
            refused_unsent(&User::signed_in(), &["iam", "access-key", "issue-ephemeral", "--policy", &policy_of(2049)]);
        assert!(message.contains("2049") && message.contains("2048"), "{message}");
    }

    #[test]
    fn what_is_not_a_policy_is_refused_unsent() {
        let user = User::signed_in();
        user.write_file("text.json", "Allow everything");
        user.write_file("array.json", "[]");
        user.write_file("empty.json", "");
        for argument in [
            "{",
            "{} {}",
            "{\"Version\":}",
            "text.json",
            "file://text.json",
            "array.json",
            "empty.json",
            "nowhere.json",
            "",
            "-",
        ] {
            let args = ["iam", "access-key", "issue-ephemeral", "--policy", argument];
            let message = refused_unsent(&user, &args);
            assert!(message.contains("--policy"), "{argument}: {message}");
        }
    }

    #[test]
    fn a_key_with_a_shorter_lifetime_than_requested_is_printed_without_a_word_on_standard_error() {
        let mut user = User::signed_in();
        let token = user.cloud.issue_token_for(ADMIN_ID, std::time::Duration::from_secs(1800));
        user.set("YC_IAM_TOKEN", token);
        let key = user.run("iam access-key issue-ephemeral --duration 12h --format json").json();
        let end = DateTime::parse_from_rfc3339(key["expires_at"].as_str().unwrap()).unwrap();
        assert!(end <= user.cloud.now() + TimeDelta::seconds(1800));
    }

    #[test]
    fn a_refusal_says_what_was_refused() {
        let user = User::signed_in();
        user.cloud.withdraw_rights(ADMIN_ID);
        let message = user.run(&format!("iam access-key issue-ephemeral --subject-id {BACKUP_ID}")).failed(3);
        assert!(message.lines().next().unwrap().ends_with(": Permission denied"), "{message}");
        assert!(message.contains("\ncode: PERMISSION_DENIED\n"), "{message}");
    }
}
