//! `operation`, and the commands that start an Operation: waiting for it, or not.

use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, Emulator, Operation};

use crate::support::{Ran, User};

const KEYS: &str = "/iam/aws-compatibility/v1/accessKeys";
const OPERATION: &str = "GET /operations/{operationId}";

/// A user in whose cloud the poll of this number finds an Operation done.
fn with_polls(polls: u32) -> User {
    User::of(Emulator::builder().operation_polls(polls).start()).with_token()
}

/// Starts an Operation on a new key, and forgets the requests for it.
fn start_update(user: &User) -> Operation {
    let id = user.cloud.add_access_key(ADMIN_ID, "old").id;
    user.run(&format!("iam access-key update {id} --description new --async")).ok();
    user.cloud.clear_requests();
    user.cloud.operations().pop().unwrap()
}

fn operation_now(user: &User) -> Operation {
    user.cloud.operations().pop().unwrap()
}

fn time(time: chrono::DateTime<chrono::Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

mod get_and_wait {
    use super::*;

    #[test]
    fn get_prints_the_operation_as_it_is_now() {
        let user = User::signed_in();
        let started = start_update(&user);
        let printed = user.run(&format!("operation get {}", started.id)).ok();
        assert_eq!(user.sent(), [format!("GET /operations/{}", started.id)]);
        let time = time(started.created_at);
        let Operation { id, access_key_id, .. } = started;
        let metadata = "type.googleapis.com/yandex.cloud.iam.v1.awscompatibility.UpdateAccessKeyMetadata";
        let running = format!(
            "id: {id}\ndescription: Update access key\ncreated_at: \"{time}\"\ncreated_by: {ADMIN_ID}\n\
             modified_at: \"{time}\"\nmetadata:\n  '@type': {metadata}\n  access_key_id: {access_key_id}\n"
        );
        assert_eq!(printed, running);
    }

    #[test]
    fn wait_polls_until_the_operation_is_done_and_prints_it() {
        let user = with_polls(3);
        let started = start_update(&user);
        let printed = user.run(&format!("operation wait {} --format json", started.id)).json();
        assert_eq!(user.sent(), [(); 3].map(|()| format!("GET /operations/{}", started.id)));
        let fields: Vec<_> = printed.as_object().unwrap().keys().collect();
        let expected = ["id", "description", "created_at", "created_by", "modified_at", "done", "metadata", "response"];
        assert_eq!(fields, expected);
        assert_eq!(printed["done"], true);
        assert_eq!(printed["response"]["description"], "new");
    }

    #[test]
    fn an_operation_that_is_done_is_waited_for_with_one_request() {
        let user = with_polls(0);
        let id = start_update(&user).id;
        user.run(&format!("operation wait {id}")).ok();
        assert_eq!(user.sent().len(), 1);
    }

    #[test]
    fn an_operation_that_failed_can_be_looked_at() {
        let user = with_polls(0);
        user.cloud.fail_next_operation(9, "The key is in use");
        let id = start_update(&user).id;
        let printed = user.run(&format!("operation get {id} --format json")).json();
        assert_eq!(printed["error"], json!({"code": 9, "message": "The key is in use"}));
    }

    #[test]
    fn wait_fails_with_the_status_of_an_operation_that_failed() {
        for (code, exit) in [(9, 1), (7, 3), (5, 4), (14, 5)] {
            let user = with_polls(3);
            user.cloud.fail_next_operation(code, "The key is in use");
            let id = start_update(&user).id;
            let message = user.run(&format!("operation wait {id}")).failed(exit);
            assert!(message.lines().next().unwrap().ends_with(": The key is in use"), "{message}");
            assert!(message.contains(&id), "{message}");
            assert!(operation_now(&user).done, "an error shows before the end while changes are being rolled back");
        }
    }

    #[test]
    fn an_unknown_operation_exits_4_and_the_error_says_what_failed() {
        for command in ["get", "wait"] {
            let message = User::signed_in().run(&format!("operation {command} aje1")).failed(4);
            let first = message.lines().next().unwrap();
            assert!(
                first.ends_with(": Operation aje1 not found") && first != "ERROR: Operation aje1 not found",
                "{first}"
            );
        }
    }

    #[test]
    fn what_cannot_be_an_id_is_refused_unsent() {
        let user = User::signed_in();
        for command in ["get", "wait"] {
            for wrong in ["", "a/b", ".."] {
                user.run_args(["operation", command, wrong]).failed(2);
            }
            user.run_args(["operation", command]).failed(2);
        }
        assert_eq!(user.sent(), [""; 0]);
    }
}

mod waiting {
    use super::*;

    #[test]
    fn nothing_but_the_result_is_printed_while_update_and_delete_wait() {
        let user = with_polls(3);
        let id = user.cloud.add_access_key(ADMIN_ID, "").id;
        let printed = user.run(&format!("iam access-key update {id} --description new --jq .description")).ok();
        assert_eq!(printed, "new\n");
        assert!(operation_now(&user).done);
        assert_eq!(user.run(&format!("iam access-key delete {id}")).ok(), "");
        assert!(operation_now(&user).done && user.cloud.access_keys().is_empty());
    }

    #[test]
    fn an_operation_that_is_done_at_once_is_not_polled() {
        let user = with_polls(0);
        let id = user.cloud.add_access_key(ADMIN_ID, "").id;
        user.run(&format!("iam access-key update {id} --description new")).ok();
        user.run(&format!("iam access-key delete {id}")).ok();
        assert_eq!(user.sent(), [format!("PATCH {KEYS}/{id}"), format!("DELETE {KEYS}/{id}")]);
    }

    #[test]
    fn a_failed_operation_is_a_failure_of_the_command() {
        for (command, code, exit) in [("update KEY --description x", 7, 3), ("delete KEY", 9, 1)] {
            let user = User::signed_in();
            let id = user.cloud.add_access_key(ADMIN_ID, "old").id;
            user.cloud.fail_next_operation(code, "The key is in use");
            let message = user.run(&format!("iam access-key {}", command.replace("KEY", &id))).failed(exit);
            let first = message.lines().next().unwrap();
            assert!(first.contains(&id) && first.ends_with(": The key is in use"), "{message}");
            assert_eq!(user.cloud.access_keys()[0].description, "old");
        }
    }

    #[test]
    fn a_time_limit_ends_the_wait_with_the_way_to_go_on() {
        let user = with_polls(u32::MAX);
        let id = user.cloud.add_access_key(ADMIN_ID, "").id;
        let message = user.run(&format!("iam access-key update {id} --description new --timeout 600ms")).failed(5);
        assert!(message.contains(&format!("operation wait {}", operation_now(&user).id)), "{message}");
    }

    #[cfg(unix)]
    fn interrupt(user: &User, child: &std::process::Child) {
        let killed = user.program("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
        assert!(killed.success());
    }

    #[cfg(unix)]
    #[test]
    fn an_interrupt_names_the_operation_and_the_way_to_go_on() {
        let user = User::signed_in();
        let id = user.cloud.add_access_key(ADMIN_ID, "").id;
        let poll = user.cloud.hold(OPERATION);
        let child = user.start(["iam", "access-key", "delete", &id]);
        poll.wait_until_arrived();
        interrupt(&user, &child);
        let message = Ran::of(child).failed(130);
        assert!(message.contains(&format!("operation wait {}", operation_now(&user).id)), "{message}");
        drop(poll);
    }

    #[cfg(unix)]
    #[test]
    fn an_interrupt_names_every_operation_that_is_waited_for_and_no_other() {
        let user = with_polls(1);
        let ids = [(); 9].map(|()| user.cloud.add_access_key(ADMIN_ID, "").id);
        let first = user.cloud.hold(&format!("DELETE {KEYS}/{}", ids[0]));
        let last = user.cloud.hold(&format!("DELETE {KEYS}/{}", ids[8]));
        let polls: Vec<_> = ids[1..8].iter().map(|_| user.cloud.hold(OPERATION)).collect();
        let child = user.start(["iam", "access-key", "delete"].into_iter().chain(ids.iter().map(String::as_str)));
        polls.iter().for_each(yc_emulator::Hold::wait_until_arrived);
        first.release();
        // The last key is not touched before the first is gone.
        last.wait_until_arrived();
        interrupt(&user, &child);
        let message = Ran::of(child).failed(130);
        for operation in user.cloud.operations() {
            let named = message.contains(&format!("operation wait {}", operation.id));
            assert_eq!(named, !operation.done, "{message}");
        }
    }
}

mod not_waiting {
    use super::*;

    #[test]
    fn async_prints_the_operation_at_once() {
        for command in ["update KEY --description new --async", "delete --id KEY --async"] {
            let user = User::signed_in();
            let id = user.cloud.add_access_key(ADMIN_ID, "").id;
            let line = format!("iam access-key {} --format json", command.replace("KEY", &id));
            let printed = user.run(&line).json();
            let operation = operation_now(&user);
            assert_eq!(printed["id"], operation.id);
            assert_eq!(printed["metadata"]["access_key_id"], id);
            assert!(printed.get("done").is_none(), "{printed}");
            assert_eq!(user.sent().len(), 1);
            assert!(!operation.done);
        }
    }

    #[test]
    fn async_prints_one_operation_for_each_key_in_order() {
        let user = User::signed_in();
        let ids = [(); 3].map(|()| user.cloud.add_access_key(ADMIN_ID, "").id);
        let line = format!("iam access-key delete {} --async --format json", ids.join(" "));
        let printed = user.run(&line).json();
        let keys: Vec<_> = printed.as_array().unwrap().iter().map(|one| &one["metadata"]["access_key_id"]).collect();
        assert_eq!(keys, ids.iter().collect::<Vec<_>>());
    }
}

mod list_operations {
    use super::*;

    fn with_operations(count: usize) -> (User, String) {
        let user = with_polls(0);
        let id = user.cloud.add_access_key(ADMIN_ID, "").id;
        for number in 0..count {
            user.run(&format!("iam access-key update {id} --description {number}")).ok();
        }
        user.cloud.clear_requests();
        (user, id)
    }

    fn listed(user: &User, line: &str) -> Vec<String> {
        user.run(&format!("iam access-key list-operations {line} --jq .[].id"))
            .ok()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn it_lists_the_operations_on_the_key_on_all_pages() {
        let (user, id) = with_operations(3);
        let ids: Vec<_> = user.cloud.operations().into_iter().map(|operation| operation.id).collect();
        assert_eq!(listed(&user, &id), ids);
        assert_eq!(user.sent(), [(); 2].map(|()| format!("GET {KEYS}/{id}/operations")));
        assert_eq!(listed(&user, &format!("--id {id}")), ids);
        assert_eq!(listed(&user, &format!("{id} --limit 1")), ids[..1]);
    }

    #[test]
    fn the_page_size_is_passed_on() {
        let (user, id) = with_operations(2);
        assert_eq!(listed(&user, &format!("{id} --page-size 1")).len(), 2);
        assert!(user.cloud.requests().iter().all(|request| request.query.contains("pageSize=1")));
        assert_eq!(user.sent().len(), 2);
    }

    #[test]
    fn it_prints_an_array_of_operations_or_an_empty_one() {
        let (user, id) = with_operations(1);
        let printed = user.run(&format!("iam access-key list-operations {id} --format json")).json();
        let operation = &printed[0];
        assert_eq!((&operation["done"], &operation["created_by"]), (&json!(true), &json!(ADMIN_ID)));
        assert_eq!(operation["response"]["description"], "0");

        let (user, id) = with_operations(0);
        let printed = user.run(&format!("iam access-key list-operations {id} --format json")).json();
        assert_eq!(printed, Value::Array(vec![]));
    }

    #[test]
    fn in_text_it_is_a_table_with_a_line_for_each_operation() {
        let (user, id) = with_operations(2);
        let printed = user.run(&format!("iam access-key list-operations {id}")).ok();
        for operation in user.cloud.operations() {
            let line = printed.lines().find(|line| line.contains(&operation.id)).unwrap();
            assert!(line.contains(&operation.created_at.format("%Y-%m-%d %H:%M:%S").to_string()), "{line}");
        }
    }

    #[test]
    fn a_key_that_is_not_found_exits_4() {
        let message = User::signed_in().run("iam access-key list-operations aje1").failed(4);
        assert!(message.lines().next().unwrap().ends_with(": Access key aje1 not found"), "{message}");
    }
}

#[test]
fn a_response_that_is_not_an_operation_is_not_taken_for_a_wrong_command_line() {
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    let pattern = "DELETE /iam/aws-compatibility/v1/accessKeys/{accessKeyId}";
    user.cloud.fault(pattern, yc_emulator::Fault::answer(200, "application/json", "{}"));
    let error = user.run(&format!("iam access-key delete {key}")).failed(1);
    assert!(error.contains("is not an operation"), "{error}");
}

#[test]
fn an_update_that_does_not_tell_the_key_asks_for_it() {
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    let pattern = "PATCH /iam/aws-compatibility/v1/accessKeys/{accessKeyId}";
    let done = r#"{"id":"aje","done":true}"#;
    user.cloud.fault(pattern, yc_emulator::Fault::answer(200, "application/json", done));
    let shown = user.run(&format!("iam access-key update {key} --description x")).ok();
    assert!(shown.starts_with(&format!("id: {key}\n")), "{shown}");
}
