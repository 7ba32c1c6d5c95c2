//! Limits of the system, and standard output that cannot be written: known before a key is made where that is possible,
//! and the key is named where it is not.

use std::process::Stdio;

use yc_emulator::ADMIN_ID;

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
            "ERROR: the result could not be written: standard output is closed\n",
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
            "ERROR: the result could not be written: standard output is not open for writing\n",
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
fn a_limit_of_the_memory_does_not_cost_a_key() {
    let user = User::signed_in();
    for line in ["iam access-key create --jq .secret", "iam access-key create --jq .access_key.id"] {
        let ran = shell(&user, &format!("ulimit -v 250000; exec yc-rs {line}"));
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}
