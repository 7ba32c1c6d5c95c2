//! Limits of the system, and standard output that cannot be written: known before a key is made where that is possible,
//! and the key is named where it is not.

use std::process::Stdio;

use yc_emulator::{ADMIN_ID, Fault};

use crate::programs::require_program;
use crate::support::{Ran, User};

/// Runs a line of the shell, in which the program is found by its name.
fn shell(user: &User, script: &str) -> Ran {
    let mut command = user.program("sh");
    command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ran::of(command.spawn().unwrap())
}

const MAKERS: [&str; 6] = [
    "iam access-key create",
    "iam access-key create --export env --region ru-central1",
    "iam access-key issue-ephemeral",
    "iam access-key issue-ephemeral --jq .secret",
    "iam access-key issue-ephemeral --export process",
    "sts assume-role --region ru-central1",
];

/// A user who also has a static key to sign with.
fn user() -> User {
    let mut user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    user.set("AWS_ACCESS_KEY_ID", key.key_id);
    user.set("AWS_SECRET_ACCESS_KEY", key.secret);
    user
}

#[test]
fn nothing_is_sent_when_standard_output_was_closed_at_the_start() {
    let user = user();
    for line in MAKERS {
        assert_eq!(
            shell(&user, &format!("exec yc-rs {line} >&-")).failed(1),
            "ERROR: the result cannot be printed: standard output is closed, or /dev/null\n",
            "{line}"
        );
    }
    assert_eq!(user.sent(), [""; 0]);
}

#[test]
fn nothing_is_sent_when_standard_output_is_open_for_reading_alone() {
    let user = user();
    for line in MAKERS {
        assert_eq!(
            shell(&user, &format!("exec yc-rs {line} 1</etc/passwd")).failed(1),
            "ERROR: the result cannot be printed: standard output is not open for writing\n",
            "{line}"
        );
    }
    assert_eq!(user.sent(), [""; 0]);
}

#[test]
fn a_result_that_is_not_written_is_an_error_for_every_command() {
    let user = user();
    let key = &user.cloud.access_keys()[0].id;
    for line in [
        "version",
        "--help",
        "config list",
        "completion bash",
        "iam access-key list",
        &format!("iam access-key get {key}"),
    ] {
        assert_eq!(
            shell(&user, &format!("exec yc-rs {line} 1</etc/passwd")).failed(1),
            "ERROR: cannot write the result: Bad file descriptor (os error 9)\n",
            "{line}"
        );
    }
}

#[test]
fn standard_output_does_not_count_where_nothing_secret_is_printed_there() {
    let user = user();
    for redirection in [">&-", "1</etc/passwd"] {
        let lines = [
            "iam access-key create --aws-profile p --region ru-central1",
            "iam access-key issue-ephemeral --aws-profile q --region ru-central1",
            "iam access-key exec --region ru-central1 -- true",
        ];
        for line in lines {
            let ran = shell(&user, &format!("exec yc-rs {line} {redirection}"));
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{line}");
        }
    }
    let ran = shell(&user, "exec yc-rs iam access-key create >/dev/null");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn a_limit_of_the_size_of_files_does_not_lose_the_name_of_a_key() {
    let user = User::signed_in();
    let error = shell(&user, "ulimit -f 0; exec yc-rs iam access-key create >out").failed(1);
    let id = &user.cloud.access_keys()[0].id;
    assert_eq!(
        error,
        format!(
            "ERROR: cannot write the result: File too large (os error 27)\nhint: the secret of the new key is lost; delete the \
             key: yc-rs iam access-key delete {id}\n"
        )
    );
    let error = shell(&user, "ulimit -f 0; exec yc-rs version >out").failed(1);
    assert_eq!(error, "ERROR: cannot write the result: File too large (os error 27)\n");
}

#[test]
fn the_command_of_exec_has_the_signal_for_large_files_as_the_user_has_it() {
    let user = User::signed_in();
    let status = "iam access-key exec --region ru-central1 -- sed -n /^SigIgn:/p /proc/self/status";
    let ignored = |trap: &str| {
        let line = shell(&user, &format!("{trap} exec yc-rs {status}")).ok();
        u64::from_str_radix(line.trim_start_matches("SigIgn:").trim(), 16).unwrap() & 1 << 24
    };
    assert_eq!((ignored(""), ignored("trap '' XFSZ;")), (0, 1 << 24));
}

#[test]
fn a_limit_of_the_memory_costs_neither_a_key_nor_a_filter() {
    let user = User::signed_in();
    for line in [
        "iam access-key create --jq .secret",
        "iam access-key create --jq '.secret | tojson'",
        "iam access-key issue-ephemeral --export env --region ru-central1",
        "iam access-key list --jq 'map(.id)'",
    ] {
        let ran = shell(&user, &format!("ulimit -v 250000; exec yc-rs {line}"));
        ran.ok();
    }
}

/// An object of 8 MiB whose unknown field holds this text again and again.
fn large_object(open: &str, item: &str, close: &str) -> String {
    let mut body = format!("{{\"id\":\"aje\",\"new\":{open}");
    let room = (8 << 20) - body.len() - close.len() - 2;
    body.push_str(&item.repeat(room / item.len() - 1));
    body.push_str(item.trim_end_matches([',', ' ']));
    body + close + "}"
}

#[test]
fn a_response_takes_less_than_twelve_times_its_size_in_memory() {
    let user = user();
    let lines = [
        "iam access-key get aje --format json",
        "iam access-key get aje --jq .id",
        "iam access-key list",
        "sts assume-role --region ru-central1",
    ];
    let bodies = [
        large_object("[", "0,", "]"),
        large_object("[", "0,                  ", "]"),
        large_object("[", "[0],", "]"),
        large_object("[", "[[[[0]]]],", "]"),
        large_object("[", &format!("[0],{}", " ".repeat(91)), "]"),
        large_object("[", "{\"a\":0},", "]"),
        large_object("[", &format!("{{\"a\":0}},{}", " ".repeat(238)), "]"),
        large_object("{", "\"a\":0,", "}"),
        large_object("\"", "\\u0001", "\""),
        format!("<R>{}</R>", "<a>b</a>".repeat(1_000_000)),
    ];
    for (number, body) in bodies.iter().enumerate() {
        for line in lines {
            user.cloud.fault("*", Fault::answer(200, "application/json", body));
            // Besides, the program takes 40 MiB, and the allocator reserves 64 MiB for a thread.
            let limit = 12 * (body.len() >> 10) + (128 << 10);
            let ran = shell(&user, &format!("ulimit -v {limit}; exec yc-rs {line} >out"));
            let is_whole = ran.code == 0 && ran.err.is_empty();
            assert!(is_whole || ran.code == 1 && ran.err.starts_with("ERROR: "), "{number} {line}: {ran:?}");
        }
    }
}

/// The commands that print one result and those that print a list, each with a filter that needs a process.
fn filtered(filter: &str) -> [[String; 5]; 3] {
    let line = |command: &str| ["iam", "access-key", command, "--jq", filter].map(str::to_owned);
    [line("create"), line("list"), line("issue-ephemeral")]
}

#[test]
fn a_filter_that_recurses_for_ever_or_takes_too_much_memory_is_an_error_of_the_filter() {
    let user = user();
    for filter in ["def f: 1+f; f", "def f: [f]; f", ".[] | def f: 1+f; f", "\"x\" * 2000000000 | length"] {
        for args in filtered(filter) {
            let ran = user.run_args(args.iter().map(String::as_str).chain(["--error-format", "json"]));
            let error: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
            assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{args:?}");
            assert_eq!(error["code"], "FILTER", "{args:?}");
            assert_eq!(
                error["message"],
                "the jq filter crashed (signal: 6 (SIGABRT)): infinite recursion, or the need of more than 1 GiB of \
                 memory, ends its process",
                "{args:?}"
            );
        }
    }
}

#[test]
fn a_filter_that_does_not_end_is_ended_by_timeout() {
    let user = user();
    for args in filtered("def f: f; f") {
        // A command that has made a key must not be repeated.
        let code = if args[2] == "list" { 5 } else { 1 };
        let error = user.run_args(args.iter().map(String::as_str).chain(["--timeout", "1s"])).failed(code);
        assert_eq!(error.lines().next(), Some("ERROR: not done within the 1s of --timeout"), "{args:?}");
    }
}

#[test]
fn a_filter_that_does_not_end_is_ended_without_timeout_too() {
    let user = User::new();
    // As the program starts itself, with a limit of one second.
    let mut child = user.start(["--yc-rs-run-filter", "1", "def f: f; f"]);
    let frame = [b"e".as_slice(), &2_u64.to_le_bytes(), b"{}"].concat();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), &frame).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let reason = b"the jq filter did not end within 1s; --timeout sets another limit";
    let ready = [b"d".as_slice(), &0_u64.to_le_bytes()].concat();
    let failed = [b"f".as_slice(), &(reason.len() as u64).to_le_bytes(), reason].concat();
    assert_eq!(output.stdout, [ready, failed].concat());
}

#[test]
fn a_filter_in_a_process_of_its_own_takes_one_page_after_the_other() {
    let user = User::signed_in();
    let ids: Vec<_> = (0..7).map(|_| user.cloud.add_access_key(ADMIN_ID, "").id).collect();
    let list = |filter: &str| {
        let line = "iam access-key list --page-size 2 --all --jq";
        user.run_args(line.split(' ').chain([filter])).ok()
    };
    let expected = ids.join("\n") + "\n";
    assert_eq!(list(".[] | [.id] | join(\"\")"), expected);
    assert_eq!(list("map(.id) | join(\"\\n\")"), expected);
    assert_eq!(list("length"), "7\n");
}

#[test]
fn any_number_of_processes_fetch_the_list_of_endpoints_once() {
    let mut user = User::signed_in();
    for service in ["IAM", "OPERATION", "RESOURCE_MANAGER", "AUTH", "STS"] {
        user.unset(&format!("YC_ENDPOINT_URL_{service}"));
    }
    let url = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT", url);
    let hold = user.cloud.hold("GET /endpoints");
    let children: Vec<_> = (0..20).map(|_| user.start(["iam", "access-key", "list"])).collect();
    hold.wait_until_arrived();
    hold.release();
    for child in children {
        Ran::of(child).ok();
    }
    assert_eq!(user.count("GET /endpoints"), 1);
}

#[test]
fn an_empty_path_is_found_before_there_is_a_key() {
    let user = User::signed_in();
    let program = env!("CARGO_BIN_EXE_yc-rs");
    let error = shell(&user, &format!("PATH= exec {program} iam access-key exec --region r -- true")).failed(127);
    assert_eq!(
        error.lines().next(),
        Some("ERROR: cannot run 'true': there is no such command in the working directory, and PATH is empty")
    );
    assert_eq!(user.sent(), [""; 0]);
}

#[test]
fn a_limit_of_file_descriptors_is_an_error_before_there_is_a_key() {
    let user = User::signed_in();
    for line in [
        "create",
        "create --jq '[.secret]'",
        "create --aws-profile p --region ru-central1",
        "issue-ephemeral --export env --region ru-central1",
        "issue-ephemeral --aws-profile q --region ru-central1",
    ] {
        let mut works = false;
        for limit in 3..40 {
            let keys = user.cloud.access_keys().len() + user.cloud.ephemeral_keys().len();
            let ran = shell(&user, &format!("ulimit -n {limit}; exec yc-rs iam access-key {line}"));
            let made = user.cloud.access_keys().len() + user.cloud.ephemeral_keys().len() - keys;
            works = ran.code == 0;
            assert_eq!(made, usize::from(works), "{limit} {line}: {ran:?}");
            assert!(works || ran.err.contains("(os error 24)") || ran.code == 127, "{limit} {line}: {ran:?}");
        }
        assert!(works, "{line}");
    }
}

#[test]
fn a_thread_that_cannot_be_started_costs_no_key() {
    if !require_program("setpriv") || !require_program("bash") {
        return;
    }
    let user = User::signed_in();
    // The limit does not hold for the superuser, and others may have no right to the directory of the program.
    let program = user.home().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_yc-rs"), &program).unwrap();
    let run = |line: &str, variables: &str| {
        let script = format!("ulimit -u 1; {variables} exec {} iam access-key {line}", program.display());
        let mut command = user.program("bash");
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(user.home(), Some(OTHER_USER), Some(OTHER_USER)).unwrap();
            command = user.program("setpriv");
            command.args(["--reuid", "54321", "--regid", "54321", "--clear-groups", "bash"]);
        }
        Ran::of(command.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };
    // Written where no thread can be had.
    assert!(run("create", "").ok().contains(&user.cloud.access_keys()[0].secret));
    let error = run("list", "").failed(1);
    assert_eq!(
        error,
        "ERROR: cannot start a thread that prints the result: Resource temporarily unavailable (os error 11)\n"
    );
    let error = run("create --jq '[.secret]'", "").failed(1);
    assert_eq!(
        error.lines().next(),
        Some("ERROR: cannot start the process of the jq filter: Resource temporarily unavailable (os error 11)")
    );
    let error = run("create", "YC_ENDPOINT_URL_IAM=http://localhost:1").failed(5);
    assert!(error.contains("cannot start a thread"), "{error}");
    assert_eq!(user.cloud.access_keys().len(), 1);
}

const OTHER_USER: u32 = 54321;
