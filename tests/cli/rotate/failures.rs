//! Servers that fail in the middle, a full disk, other processes and other machines.

use chrono::TimeDelta;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use yc_emulator::{ADMIN_ID, Fault};

use super::{KINDS, Kind, Rotating};
use crate::programs::require_program;
use crate::route::{CREATE, KEYS, LIST, UPDATE};
use crate::support::{Ran, User};

const ADD_VERSION: &str = "POST /lockbox/v1/secrets/{secretId}:addVersion";

impl Rotating {
    /// Asserts that the rotation is not finished, and that the error says how to go on; then goes on.
    #[track_caller]
    fn goes_on(&self, error: &str, step: &str) {
        assert!(error.contains(&format!("rotate --resume {}", self.old.id)), "{error}");
        let rows: Value = self.user.run("iam access-key rotate --unfinished --format json").json();
        assert_eq!((&rows[0]["id"], &rows[0]["step"]), (&Value::from(self.old.id.as_str()), &step.into()), "{rows}");
        self.assert_alive(step);
        let key = self.resume().json();
        assert_eq!(key["key_id"], self.at_destination());
        self.assert_rotated(step);
    }

    fn delete_old(&self) -> String {
        format!("DELETE {KEYS}/{}", self.old.id)
    }
}

#[test]
fn a_lost_response_to_create_costs_a_second_key_that_is_deleted() {
    for kind in KINDS {
        let rotating = Rotating::to(kind);
        rotating.user.cloud.fault(CREATE, Fault::LoseReply);
        assert_eq!(rotating.run().code, 0, "{kind:?}");
        rotating.assert_rotated(&format!("{kind:?}"));
        assert_eq!(rotating.user.count(CREATE), 2);
    }
}

#[test]
fn a_second_lost_response_stops_the_rotation_and_no_third_key_is_made() {
    let rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.fault(CREATE, Fault::LoseReply);
    rotating.user.cloud.fault(CREATE, Fault::LoseReply);
    let error = rotating.run().failed(1);
    assert_eq!(rotating.user.cloud.access_keys().len(), 3);
    rotating.goes_on(&error, "creating");
}

#[test]
fn a_key_that_appears_in_lists_late_is_deleted_in_the_end() {
    let rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.fault(CREATE, Fault::LoseReply);
    rotating.user.cloud.set_list_lag(3);
    rotating.run().ok();
    rotating.assert_rotated("late");
}

#[test]
fn a_refusal_to_create_changes_nothing() {
    let rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.fault(CREATE, Fault::status(7, "Permission denied"));
    let error = rotating.run().failed(3);
    assert!(error.contains("nothing has changed"), "{error}");
    rotating.assert_unchanged("refused");
}

#[test]
fn a_refusal_to_update_or_delete_leaves_a_rotation_that_goes_on() {
    for kind in KINDS {
        let rotating = Rotating::to(kind);
        rotating.user.cloud.fault(UPDATE, Fault::status(7, "Permission denied"));
        let ran = rotating.run();
        assert_eq!((ran.code, ran.out.as_str()), (3, ""));
        rotating.goes_on(&ran.err, "deleted");

        let rotating = Rotating::to(kind);
        rotating.user.cloud.fault(&rotating.delete_old(), Fault::status(7, "Permission denied"));
        let ran = rotating.run();
        assert_eq!((ran.code, ran.out.as_str()), (3, ""));
        rotating.goes_on(&ran.err, "delivered");
    }
}

#[test]
fn a_key_that_the_storage_does_not_accept_changes_nothing() {
    let mut rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.set_storage_lag(1000);
    let line = rotating.args().join(" ").replace("5s", "1s");
    let error = rotating.user.run(&line).failed(1);
    assert!(
        error.contains("the storage did not accept the new key within 1s") && error.contains("nothing has changed")
    );
    rotating.assert_unchanged("unknown");
    rotating.user.cloud.set_storage_lag(0);
    rotating.user.cloud.fault("GET /", Fault::status(3, "Bad request"));
    assert!(rotating.run().failed(1).contains("the storage does not accept the new key"));
    rotating.assert_unchanged("refused");
    rotating.user.set("YC_ENDPOINT_URL_STORAGE", "http://127.0.0.1:1");
    let error = rotating.user.run(&line).failed(5);
    assert!(error.contains("nothing has changed"), "{error}");
    rotating.assert_unchanged("down");
}

#[test]
fn the_time_of_the_storage_is_used_when_the_clock_is_wrong() {
    let rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.set_clock_offset(TimeDelta::hours(-2));
    rotating.run().ok();
    rotating.assert_rotated("clock");
    assert_eq!(rotating.user.count("GET /"), 2);
}

#[test]
fn a_lockbox_that_refuses_changes_nothing_and_one_that_does_not_answer_is_asked_again() {
    let rotating = Rotating::to(Kind::Lockbox);
    rotating.user.cloud.fault(ADD_VERSION, Fault::status(9, "The secret is locked"));
    let error = rotating.run().failed(1);
    assert!(error.contains("nothing has changed"), "{error}");
    rotating.assert_unchanged("refused");
    // The request is repeated with its idempotency key.
    rotating.user.cloud.fault(ADD_VERSION, Fault::LoseReply);
    rotating.run().ok();
    rotating.assert_rotated("lost");
    assert_eq!(rotating.user.cloud.lockbox_secret(&rotating.secret_id).versions.len(), 2);
}

#[test]
fn a_version_that_was_added_although_nobody_knew_is_found() {
    let rotating = Rotating::to(Kind::Lockbox);
    rotating.user.cloud.fault(ADD_VERSION, Fault::LoseReply);
    let mut args = rotating.args();
    args.extend(["--retry".to_owned(), "1".to_owned()]);
    let ran = rotating.user.run_args(args);
    assert_ne!(ran.code, 0);
    rotating.goes_on(&ran.err, "delivering");
    assert_eq!(rotating.user.count(CREATE), 1);
}

#[test]
fn a_command_that_fails_leaves_both_keys_and_abandon_does_not_delete_what_it_may_use() {
    let rotating = Rotating::to(Kind::Command);
    rotating.user.write_file("take", "#!/bin/sh\nexit 7\n");
    let ran = rotating.run();
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("did not take the key (exit status: 7)") && ran.err.contains("--abandon"), "{}", ran.err);
    let keys = rotating.user.cloud.access_keys();
    assert_eq!(keys.len(), 2);
    // Not with those that can be resumed without asking.
    assert_eq!(rotating.user.run("iam access-key rotate --resume --format json").ok(), "[]\n");
    let abandon = format!("iam access-key rotate --abandon {}", rotating.old.id);
    let error = rotating.user.run(&abandon).failed(1);
    assert!(error.contains(&format!("the command was started with the key {}", keys[1].id)), "{error}");
    assert_eq!(rotating.user.cloud.access_keys().len(), 2);
    rotating.user.run(&format!("iam access-key delete {}", keys[1].id)).ok();
    rotating.user.run(&abandon).ok();
    rotating.assert_unchanged("abandoned");
}

#[test]
fn abandon_deletes_the_new_keys_and_keeps_one_that_is_in_use() {
    let rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.fault(CREATE, Fault::LoseReply);
    rotating.user.cloud.fault(CREATE, Fault::LoseReply);
    rotating.run().failed(1);
    rotating.user.run(&format!("iam access-key rotate --abandon {}", rotating.old.id)).ok();
    rotating.assert_unchanged("abandoned");

    rotating.user.cloud.fault(&rotating.delete_old(), Fault::status(7, "Permission denied"));
    rotating.run().failed(3);
    rotating.user.run(&format!("iam access-key rotate --abandon {}", rotating.old.id)).ok();
    let keys = rotating.user.cloud.access_keys();
    let shown: Vec<_> = keys.iter().map(|key| (key.key_id.as_str(), key.description.as_str())).collect();
    assert_eq!(shown, [(&*rotating.old.key_id, "nightly backup"), (&*rotating.at_destination(), "nightly backup")]);
}

#[test]
fn a_full_disk_at_any_write_costs_no_key() {
    if !require_program("strace") {
        return;
    }
    for kind in KINDS {
        let mut failed = 0;
        for (call, number) in (1..).map(|number| ("fsync", number)).take(14) {
            let rotating = Rotating::to(kind);
            let inject = format!("inject={call}:error=ENOSPC:when={number}");
            let status =
                rotating.traced(&["-o", "/dev/null", "-e", "trace=fsync", "-e", &inject]).status().unwrap().code();
            let case = format!("{kind:?} {number} {status:?}");
            rotating.assert_alive(&case);
            if status != Some(0) {
                failed += 1;
                if rotating.journals().is_empty() {
                    rotating.assert_unchanged(&case);
                    assert_eq!(rotating.run().code, 0, "{case}");
                } else {
                    assert_eq!(rotating.resume().code, 0, "{case}");
                }
            }
            rotating.assert_rotated(&case);
        }
        assert!(failed >= 3, "{kind:?} {failed}");
    }
}

#[test]
fn a_second_process_does_not_wait() {
    let rotating = Rotating::to(Kind::Profile);
    let hold = rotating.user.cloud.hold(CREATE);
    let first = rotating.user.start(rotating.args());
    hold.wait_until_arrived();
    for line in [rotating.args().join(" "), format!("iam access-key rotate --resume {}", rotating.old.id)] {
        let error = rotating.user.run(&line).failed(1);
        assert!(error.contains("another process works on the rotation of"), "{error}");
    }
    hold.release();
    Ran::of(first).ok();
    rotating.assert_rotated("first");
}

#[test]
fn another_machine_stops_before_it_delivers() {
    let rotating = Rotating::to(Kind::Profile);
    let hold = rotating.user.cloud.hold("GET /");
    let first = rotating.user.start(rotating.args());
    hold.wait_until_arrived();
    // The same cloud, another home.
    let mut other = User::new();
    let url = rotating.user.cloud.http_url().to_owned();
    other.point_at(&url);
    other.set("YC_ENDPOINT_URL_STORAGE", url);
    let token = rotating.user.cloud.issue_token(ADMIN_ID);
    other.set("YC_IAM_TOKEN", token);
    let state = other.home().join("state");
    other.set("YC_RS_STATE_DIR", state.to_str().unwrap());
    let error = other.run(&format!("iam access-key rotate {} --output key.json", rotating.old.id)).failed(1);
    assert!(error.contains("another rotation of") && error.contains("it may run on another machine"), "{error}");
    assert_eq!(other.run("iam access-key rotate --unfinished --format json").ok(), "[]\n");
    assert!(!other.home().join("key.json").exists());
    hold.release();
    Ran::of(first).ok();
    rotating.assert_rotated("first");
}

#[test]
fn two_machines_that_create_at_once_both_give_way() {
    let rotating = Rotating::to(Kind::Profile);
    let hold = rotating.user.cloud.hold(CREATE);
    let first = rotating.user.start(rotating.args());
    hold.wait_until_arrived();
    let mark = format!("nightly backup [yc-rs rotating {} another]", rotating.old.id);
    let foreign = rotating.user.cloud.add_access_key(ADMIN_ID, &mark);
    hold.release();
    let error = Ran::of(first).failed(1);
    assert!(error.contains(&foreign.id) && error.contains("nothing has changed"), "{error}");
    let ids: Vec<_> = rotating.user.cloud.access_keys().into_iter().map(|key| key.id).collect();
    assert_eq!(ids, [rotating.old.id.clone(), foreign.id]);
    assert_eq!(rotating.journals(), [""; 0]);
}

#[test]
fn an_old_key_that_somebody_else_deletes_is_no_error_once_there_is_a_new_one() {
    let rotating = Rotating::to(Kind::Profile);
    let hold = rotating.user.cloud.hold(LIST);
    let child = rotating.user.start(rotating.args());
    hold.wait_until_arrived();
    rotating.user.run(&format!("iam access-key delete {}", rotating.old.id)).ok();
    hold.release();
    assert!(Ran::of(child).failed(4).contains("is not among those of its account"));
    assert_eq!(rotating.user.cloud.access_keys().len(), 0);

    let rotating = Rotating::to(Kind::Profile);
    let hold = rotating.user.cloud.hold(&rotating.delete_old());
    let child = rotating.user.start(rotating.args());
    hold.wait_until_arrived();
    rotating.user.run(&format!("iam access-key delete {}", rotating.old.id)).ok();
    hold.release();
    Ran::of(child).ok();
    rotating.assert_rotated("deleted by somebody else");
}

#[test]
fn a_profile_that_somebody_else_changes_meanwhile_is_not_overwritten() {
    let rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.fault(CREATE, Fault::LoseReply);
    rotating.user.cloud.fault(CREATE, Fault::LoseReply);
    rotating.run().failed(1);
    rotating.user.write_file("aws", "[backup]\naws_access_key_id = YCAother\naws_secret_access_key = x\n");
    let error = rotating.resume().failed(2);
    assert!(error.contains("holds the key YCAother"), "{error}");
    assert_eq!(rotating.journals().len(), 1);
    rotating.user.run(&format!("iam access-key rotate --abandon {}", rotating.old.id)).ok();
    assert_eq!(rotating.user.cloud.access_keys().len(), 1);
}

#[test]
fn the_same_command_line_goes_on_and_another_destination_is_refused() {
    let rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.fault(UPDATE, Fault::status(7, "Permission denied"));
    rotating.run().failed(3);
    let error = rotating.user.run(&format!("iam access-key rotate {} --output other.json", rotating.old.id)).failed(1);
    assert!(error.contains("is not finished") && error.contains("the profile 'backup' of"), "{error}");
    rotating.run().ok();
    rotating.assert_rotated("again");
}

#[test]
fn a_rotation_belongs_to_its_endpoint() {
    let mut rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.fault(UPDATE, Fault::status(7, "Permission denied"));
    rotating.run().failed(3);
    rotating.user.set("YC_ENDPOINT_URL_IAM", "https://iam.example");
    let error = rotating.resume().failed(2);
    assert!(error.contains("but https://iam.example is in force"), "{error}");
}

#[test]
fn all_rotations_are_resumed_at_once() {
    let rotating = Rotating::to(Kind::Profile);
    let second = rotating.user.cloud.add_access_key(ADMIN_ID, "second");
    for line in [rotating.args().join(" "), format!("iam access-key rotate {} --output second.json", second.id)] {
        rotating.user.cloud.fault(UPDATE, Fault::status(7, "Permission denied"));
        rotating.user.run(&line).failed(3);
    }
    let keys = rotating.user.run("iam access-key rotate --resume --format json").json();
    let described: Vec<_> = keys.as_array().unwrap().iter().map(|key| key["description"].as_str().unwrap()).collect();
    assert!(described.contains(&"second") && described.contains(&"nightly backup"), "{keys}");
    assert_eq!(rotating.user.cloud.access_keys().len(), 2);
}

#[test]
fn an_interrupted_rotation_goes_on() {
    for (signal, exit) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for call in [CREATE, "GET /", UPDATE] {
            let rotating = Rotating::to(Kind::Profile);
            let hold = rotating.user.cloud.hold(call);
            let child = rotating.user.start(rotating.args());
            hold.wait_until_arrived();
            kill_process(Pid::from_child(&child), signal).unwrap();
            let error = Ran::of(child).failed(exit);
            assert!(error.contains(&format!("rotate --resume {}", rotating.old.id)), "{error}");
            hold.release();
            rotating.assert_alive(call);
            rotating.resume().json();
            rotating.assert_rotated(call);
        }
    }
}
