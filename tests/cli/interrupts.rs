//! Signals at every stage of a command.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use yc_emulator::{ADMIN_ID, Emulator, Fault, Hold};

use crate::route::{CREATE, DELETE, EXCHANGE, GET, ISSUE, KEYS, LIST, OPERATION};
use crate::support::{Ran, User};

/// A signal that interrupts a command, the exit status for it, and the message.
type Interruption = (Signal, i32, &'static str);

const SIGNALS: [Interruption; 3] = [
    (Signal::INT, 130, "ERROR: interrupted\n"),
    (Signal::TERM, 143, "ERROR: interrupted by SIGTERM\n"),
    (Signal::HUP, 129, "ERROR: interrupted by SIGHUP\n"),
];

fn send(signal: Signal, child: &Child) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Runs a command line until the held request has arrived, and sends the signal; the message has to begin with that of
/// the signal.
#[track_caller]
fn interrupted_at(hold: Hold, user: &User, line: &str, (signal, exit, message): Interruption) -> String {
    let child = user.start(line.split_whitespace());
    hold.wait_until_arrived();
    send(signal, &child);
    let ran = Ran::of(child);
    hold.release();
    let error = ran.failed(exit);
    assert!(error.starts_with(message), "{error}");
    error
}

#[test]
fn a_command_that_only_reads_is_plainly_interrupted() {
    for signal in SIGNALS {
        for (line, pattern) in [("iam access-key list", LIST), ("iam access-key get abc", GET)] {
            let user = User::signed_in();
            assert_eq!(interrupted_at(user.cloud.hold(pattern), &user, line, signal), signal.2);
        }
    }
}

#[test]
fn a_command_that_is_still_authenticating_is_plainly_interrupted() {
    for signal in SIGNALS {
        for line in ["iam create-token", "iam access-key create", "iam access-key issue-ephemeral"] {
            let user = User::new().with_key();
            assert_eq!(interrupted_at(user.cloud.hold(EXCHANGE), &user, line, signal), signal.2, "{line}");
        }
    }
}

#[test]
fn an_interrupt_while_a_key_is_being_made_says_that_it_may_exist() {
    for signal in SIGNALS {
        for (line, pattern, how_to_look) in [
            ("iam access-key create", CREATE, "yc-rs iam access-key list"),
            ("iam access-key issue-ephemeral", ISSUE, "the key cannot be deleted and expires"),
        ] {
            let user = User::signed_in();
            let error = interrupted_at(user.cloud.hold(pattern), &user, line, signal);
            assert!(error.contains("a key may ") && error.contains(how_to_look), "{error}");
        }
    }
}

#[test]
fn an_interrupt_while_waiting_names_the_operation_and_how_to_go_on() {
    for signal in SIGNALS {
        let user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "").id;
        for line in [format!("iam access-key update {key} --description x"), format!("iam access-key delete {key}")] {
            let error = interrupted_at(user.cloud.hold(OPERATION), &user, &line, signal);
            let operation = user.cloud.operations().pop().unwrap().id;
            assert!(error.contains(&format!("yc-rs operation wait {operation}")), "{error}");
        }
        let operation = user.cloud.operations().pop().unwrap().id;
        user.run(&format!("operation wait {operation}")).ok();
        assert_eq!(user.cloud.access_keys().len(), 0);
    }
}

#[test]
fn an_interrupt_while_waiting_for_several_operations_names_each() {
    for (signal, exit, _) in SIGNALS {
        let user = User::signed_in();
        let ids = [0, 1].map(|_| user.cloud.add_access_key(ADMIN_ID, "").id);
        let (first, second) = (user.cloud.hold(OPERATION), user.cloud.hold(OPERATION));
        let child = user.start(format!("iam access-key delete {}", ids.join(" ")).split(' '));
        first.wait_until_arrived();
        second.wait_until_arrived();
        send(signal, &child);
        let error = Ran::of(child).failed(exit);
        for operation in user.cloud.operations() {
            assert!(error.contains(&format!("yc-rs operation wait {}", operation.id)), "{error}");
        }
    }
}

/// The end of the error when the deletion of these keys is interrupted: those in flight, and those that are not deleted.
fn not_deleted(in_flight: &[&str], not_deleted: &[&str]) -> String {
    let line =
        |name: &str, ids: &[&str]| if ids.is_empty() { String::new() } else { format!("{name}: {}\n", ids.join(" ")) };
    let mut all = [in_flight, not_deleted].concat();
    all.sort_unstable();
    format!(
        "{}{}to delete those that still exist, type: yc-rs iam access-key delete {}\n",
        line("in flight, may be deleted or not", in_flight),
        line("not deleted", not_deleted),
        all.join(" ")
    )
}

#[test]
fn an_interrupted_delete_tells_what_is_in_flight_from_what_is_not_begun() {
    let ids: Vec<_> = (0..10).map(|number| format!("ajekey{number}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let line = format!("iam access-key delete {}", ids.join(" "));
    for signal in SIGNALS {
        let user = User::new().with_key();
        let expected = format!("{}hint: {}", signal.2, not_deleted(&[], &ids));
        assert_eq!(interrupted_at(user.cloud.hold(EXCHANGE), &user, &line, signal), expected);
        let user = User::signed_in();
        let hold = user.cloud.hold(&format!("DELETE {KEYS}/ajekey3"));
        // Of the requests that are in flight at once, the others are refused.
        let error = interrupted_at(hold, &user, &format!("{line} --async"), signal);
        let others: Vec<_> = ids.iter().copied().filter(|id| *id != "ajekey3").collect();
        let in_flight = error.lines().find_map(|line| line.split_once("in flight, may be deleted or not: "));
        assert!(in_flight.unwrap().1.split(' ').any(|id| id == "ajekey3"), "{error}");
        let command = format!("to delete those that still exist, type: yc-rs iam access-key delete {}", ids.join(" "));
        assert!(error.ends_with(&format!("{command}\n")) && others.iter().all(|id| error.contains(id)), "{error}");
    }
}

#[test]
fn an_interrupted_delete_names_the_operation_of_one_key_and_the_other_key() {
    let user = User::signed_in();
    let started = user.cloud.add_access_key(ADMIN_ID, "").id;
    // Either key may be the first that arrives.
    let deleting = user.cloud.hold(&format!("DELETE {KEYS}/ajeother"));
    let polling = user.cloud.hold(OPERATION);
    let child = user.start(format!("iam access-key delete ajeother {started}").split(' '));
    deleting.wait_until_arrived();
    polling.wait_until_arrived();
    send(Signal::INT, &child);
    let error = Ran::of(child).failed(130);
    let operation = &user.cloud.operations()[0].id;
    let expected = format!(
        "ERROR: interrupted\nhint: the operation on {started} continues on the server; to wait for it, type: \
         yc-rs operation wait {operation}\n{}",
        not_deleted(&["ajeother"], &[]).replace("in flight", &format!("being deleted: {started}\nin flight"))
    );
    assert_eq!(error, expected);
}

#[test]
fn a_deletion_that_failed_is_not_called_deleted() {
    let user = User::signed_in();
    let failed = user.cloud.add_access_key(ADMIN_ID, "").id;
    user.cloud.fail_next_operation(9, "the key is in use");
    // Eight requests are in flight at most: the last one is sent when the first key is done with.
    let others: Vec<_> = (0..8).map(|number| format!("ajeother{number}")).collect();
    let holds: Vec<_> = others.iter().map(|id| user.cloud.hold(&format!("DELETE {KEYS}/{id}"))).collect();
    let child = user.start(format!("iam access-key delete {failed} {}", others.join(" ")).split(' '));
    for hold in &holds {
        hold.wait_until_arrived();
    }
    send(Signal::INT, &child);
    let error = Ran::of(child).failed(130);
    let others: Vec<_> = others.iter().map(String::as_str).collect();
    let lines = [
        format!("hint: in flight, may be deleted or not: {}", others.join(" ")),
        format!("not deleted: {failed}"),
        format!(
            "cannot delete the access key '{failed}': the operation {} failed: the key is in use",
            user.cloud.operations()[0].id
        ),
        format!("to delete those that still exist, type: yc-rs iam access-key delete {failed} {}", others.join(" ")),
    ];
    assert_eq!(error, format!("ERROR: interrupted\n{}\n", lines.join("\n")));
}

#[test]
fn an_interrupted_plan_goes_on_with_the_plan() {
    let user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    let plan = serde_json::json!({
        "version": 1,
        "endpoint": user.cloud.http_url(),
        "delete": [{"id": key.id, "key_id": key.key_id, "service_account_id": ADMIN_ID}],
    });
    let file = user.write_file("the plan.json", &plan.to_string());
    let deleting = user.cloud.hold(&format!("DELETE {KEYS}/{}", key.id));
    let args = ["iam", "access-key", "audit", "--apply", file.to_str().unwrap()];
    let child = user.start(args);
    deleting.wait_until_arrived();
    send(Signal::INT, &child);
    let error = Ran::of(child).failed(130);
    let go_on = format!("to go on, type: yc-rs iam access-key audit --apply '{}'\n", file.display());
    assert!(error.ends_with(&go_on) && !error.contains("access-key delete"), "{error}");
}

#[test]
fn an_operation_stays_named_when_another_one_is_done() {
    let user = User::of(Emulator::builder().operation_polls(1).start()).with_token();
    let ids = [0, 1].map(|_| user.cloud.add_access_key(ADMIN_ID, "").id);
    let hold = user.cloud.hold(OPERATION);
    let child = user.start(format!("iam access-key delete {}", ids.join(" ")).split(' '));
    hold.wait_until_arrived();
    while user.cloud.access_keys().len() > 1 {
        std::thread::yield_now();
    }
    send(Signal::INT, &child);
    let error = Ran::of(child).failed(130);
    let left = user.cloud.access_keys()[0].id.clone();
    let waiting = user.cloud.operations().into_iter().find(|operation| operation.access_key_id == left).unwrap().id;
    assert!(error.contains(&format!("yc-rs operation wait {waiting}")), "{error}");
}

#[test]
fn an_interrupted_operation_wait_says_how_to_go_on() {
    for signal in SIGNALS {
        let user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "").id;
        user.run(&format!("iam access-key delete {key} --async")).ok();
        let operation = user.cloud.operations()[0].id.clone();
        // The first look shows that it is not done yet; the second is held.
        user.cloud.fault(OPERATION, Fault::Delay(Duration::ZERO));
        let line = format!("operation wait {operation}");
        let error = interrupted_at(user.cloud.hold(OPERATION), &user, &line, signal);
        assert!(error.contains(&format!("yc-rs operation wait {operation}")), "{error}");
    }
}

#[test]
fn the_json_form_has_the_code_interrupted() {
    for (signal, exit, _) in SIGNALS {
        let user = User::signed_in();
        let hold = user.cloud.hold(CREATE);
        let child = user.start("iam access-key create --error-format json".split(' '));
        hold.wait_until_arrived();
        send(signal, &child);
        let ran = Ran::of(child);
        let error: Value = serde_json::from_str(&ran.err).unwrap();
        assert_eq!((ran.code, ran.out.as_str()), (exit, ""));
        let seen = (&error["code"], &error["exit"], &error["retryable"]);
        assert_eq!(seen, (&"INTERRUPTED".into(), &exit.into(), &false.into()));
        assert!(error["hint"].as_str().unwrap().contains("a key may "), "{error:#}");
    }
}

#[test]
fn an_interrupt_before_a_deletion_is_known_does_not_speak_of_a_key() {
    for signal in SIGNALS {
        let user = User::signed_in();
        let error = interrupted_at(user.cloud.hold(DELETE), &user, "iam access-key delete abc", signal);
        assert!(!error.contains("a key may "), "{error}");
    }
}

/// Runs the command with an endless filter, and sends the signal when the response has arrived.
fn interrupted_in_the_filter(user: &User, command: &str, signal: Signal) -> Ran {
    let args = command.split(' ').chain(["--debug", "--jq", "def f: f; f"]);
    let mut child = user.start(args);
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(" 200 ") {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "the program has ended");
    }
    send(signal, &child);
    let mut err = String::new();
    log.read_to_string(&mut err).unwrap();
    let ran = Ran::of(child);
    Ran { err, ..ran }
}

#[test]
fn an_endless_filter_can_be_interrupted() {
    for (signal, exit, message) in SIGNALS {
        let user = User::signed_in();
        assert_eq!(interrupted_in_the_filter(&user, "iam access-key list", signal).failed(exit), message);
    }
}

#[test]
fn an_endless_filter_on_a_new_key_is_interrupted_with_the_name_of_the_key() {
    for (signal, exit, _) in SIGNALS {
        let user = User::signed_in();
        let error = interrupted_in_the_filter(&user, "iam access-key create", signal).failed(exit);
        let key = &user.cloud.access_keys()[0];
        assert!(error.contains(&format!("yc-rs iam access-key delete {}", key.id)), "{error}");
        assert!(!error.contains(&key.secret), "{error}");
    }
}

/// A signal that arrives before the program handles it ends the program too, but not with this exit status.
#[cfg(target_os = "linux")]
pub fn wait_until_listening(child: &Child) {
    // SIGHUP, SIGINT and SIGTERM.
    const MASK: u64 = 0b100_0000_0000_0011;
    let status = format!("/proc/{}/status", child.id());
    let catches = |text: &str| {
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap() & MASK == MASK
    };
    while !catches(&std::fs::read_to_string(&status).unwrap()) {
        std::thread::yield_now();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipe_that_nothing_comes_out_of_can_be_interrupted() {
    let user = User::signed_in();
    user.make_pipe("fifo");
    for signal in SIGNALS {
        for line in [
            "--token - iam create-token",
            "iam revoke-token --iam-token -",
            "iam access-key create -r -",
            "iam access-key issue-ephemeral --policy fifo",
            "config set token -",
            "init --profile p --token -",
        ] {
            let mut child = user.start(line.split(' '));
            let _open = child.stdin.take();
            wait_until_listening(&child);
            send(signal.0, &child);
            assert_eq!(Ran::of(child).failed(signal.1), signal.2, "{line}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    for (name, signal) in [("INT", Signal::INT), ("TERM", Signal::TERM), ("HUP", Signal::HUP)] {
        let user = User::signed_in();
        let key = user.cloud.add_access_key(ADMIN_ID, "").id;
        let hold = user.cloud.hold(GET);
        let script = format!("trap '' {name}; exec yc-rs iam access-key get {key} --jq .id");
        let mut program = user.program("sh");
        let child = program.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        hold.wait_until_arrived();
        send(signal, &child);
        hold.release();
        assert_eq!(Ran::of(child).ok(), format!("{key}\n"), "{name}");
    }
}

/// A stack of the size that a filter has does not fit into so little address space.
#[cfg(target_os = "linux")]
#[test]
fn only_a_filter_needs_a_large_stack() {
    let user = User::signed_in();
    user.write_file("request.json", "{}");
    for line in ["iam access-key list", "iam access-key create -r request.json", "config set region ru-central1"] {
        let script = format!("ulimit -v 250000; exec yc-rs {line}");
        let ran = user.program("sh").args(["-c", &script]).output().unwrap();
        assert!(ran.status.success(), "{line}: {ran:?}");
    }
}
