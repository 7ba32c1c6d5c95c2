//! What many processes do at once. The suite runs a tenth of it; `tests/stress` runs all, and prints the figures.

use std::fmt::Write as _;
use std::process::Child;

use yc_emulator::EphemeralKey;

use crate::support::{Ran, User};

const EXCHANGE: &str = "POST /iam/v1/tokens";
const ISSUE: &str = "POST /iam/aws-compatibility/v1/ephemeralAccessKeys";
const PROCESS: &str = "iam access-key issue-ephemeral --duration 1h --export process";

/// What a check has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// How many processes ran.
    pub processes: usize,
    /// How many calls reached the emulator.
    pub calls: usize,
}

impl Figures {
    fn of(user: &User, processes: usize) -> Self {
        Self { processes, calls: user.cloud.requests().len() }
    }
}

/// Waits for all of them, asserts that each prints the same, and returns it.
fn the_same_output(children: Vec<Child>) -> String {
    let mut outputs: Vec<_> = children.into_iter().map(|child| Ran::of(child).ok()).collect();
    outputs.dedup();
    assert_eq!(outputs.len(), 1);
    outputs.remove(0)
}

/// Starts processes while the first request of this kind is held back, and returns what all of them print.
fn while_held(user: &User, call: &str, line: &str, processes: usize) -> String {
    let hold = user.cloud.hold(call);
    let children = (0..processes).map(|_| user.start(line.split(' '))).collect();
    hold.wait_until_arrived();
    hold.release();
    the_same_output(children)
}

/// Starts a process, kills it while its request is held back, and lets others, which wait for it, go on.
fn after_a_kill(user: &User, call: &str, line: &str, others: usize) -> Figures {
    let hold = user.cloud.hold(call);
    let mut first = user.start(line.split(' '));
    hold.wait_until_arrived();
    let others: Vec<_> = (0..others).map(|_| user.start(line.split(' '))).collect();
    let processes = others.len() + 1;
    first.kill().unwrap();
    first.wait().unwrap();
    hold.release();
    the_same_output(others);
    assert!(user.count(call) <= 2, "{}", user.count(call));
    Figures::of(user, processes)
}

/// Processes without a cached token make one exchange.
pub fn one_exchange(processes: usize) -> Figures {
    let user = User::new().with_key();
    while_held(&user, EXCHANGE, "iam create-token", processes);
    assert_eq!(user.sent(), [EXCHANGE]);
    Figures::of(&user, processes)
}

/// A process that is killed during the exchange frees the others.
pub fn exchange_after_a_kill(others: usize) -> Figures {
    after_a_kill(&User::new().with_key(), EXCHANGE, "iam create-token", others)
}

/// Processes without a cached key issue one key and print the same document, which SDKs can read.
pub fn one_key(processes: usize) -> Figures {
    let user = User::new().with_key();
    let output = while_held(&user, ISSUE, PROCESS, processes);
    assert_eq!(user.sent(), [EXCHANGE, ISSUE]);
    assert!(output.len() <= 1024, "{}", output.len());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&output).unwrap()["Version"], 1);
    Figures::of(&user, processes)
}

/// A process that is killed while it issues a key frees the others.
pub fn key_after_a_kill(others: usize) -> Figures {
    after_a_kill(&User::signed_in(), ISSUE, PROCESS, others)
}

/// The lines of a key in the AWS credentials file.
pub fn key_lines(key: &EphemeralKey) -> String {
    format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        key.access_key_id, key.secret, key.session_token
    )
}

/// Writers of ten times as many profiles of one AWS credentials file, in rounds: no key and no other line is lost.
pub fn writers_of_aws_profiles(writers: usize, rounds: usize) -> Figures {
    let user = User::signed_in();
    let mut before = String::new();
    for profile in 0..writers * 10 {
        write!(before, "# about {profile}\n[p{profile}]\naws_access_key_id = old{profile}\nregion = r{profile}\n\n")
            .unwrap();
    }
    let file = user.write_file("f", &before);
    let profiles: Vec<_> = (0..writers).map(|writer| format!("p{}", writer * 10)).collect();
    for _ in 0..rounds {
        let write = |name: &String| {
            let line = "iam access-key issue-ephemeral --duration 1h --aws-credentials-file f";
            user.start(line.split(' ').chain(["--aws-profile", name, "--session-name", name]))
        };
        for writer in profiles.iter().map(write).collect::<Vec<_>>() {
            Ran::of(writer).ok();
        }
        let keys = user.cloud.ephemeral_keys();
        let newest = |name: &str| keys.iter().rfind(|key| key.session_name == name).unwrap();
        let mut expected = before.clone();
        for name in &profiles {
            let old = format!("aws_access_key_id = old{}\n", &name[1..]);
            assert!(expected.contains(&old));
            expected = expected.replace(&old, &key_lines(newest(name)));
        }
        assert!(std::fs::read_to_string(&file).unwrap() == expected);
    }
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&file.metadata().unwrap()) & 0o777, 0o600);
    let left: Vec<_> = std::fs::read_dir(user.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_str().unwrap().starts_with(".yc-rs-")), "{left:?}");
    Figures::of(&user, writers * rounds)
}

/// A configuration of many profiles with a comment beside every entry, and the line that changes in each.
pub fn many_profiles() -> String {
    let mut text = "# kept by hand\ncurrent = 'p0'  # in use\n".to_owned();
    for number in 0..300 {
        write!(
            text,
            "\n# team {number}\n[profiles.p{number}] # header\n  # the folder\n  folder-id = 'old{number}' # f\n"
        )
        .unwrap();
    }
    text + "\n# the end\n"
}

/// Writers, 300 at most, of profiles of one `config.toml`: no entry and no comment is lost.
pub fn writers_of_the_configuration(writers: usize) -> Figures {
    let user = User::new();
    user.configure(&many_profiles());
    let apart = 300 / writers;
    let children: Vec<_> = (0..writers)
        .map(|number| {
            let line = format!("config set folder-id new{number} --profile p{}", number * apart);
            user.start(line.split(' '))
        })
        .collect();
    for child in children {
        Ran::of(child).ok();
    }
    let mut expected = many_profiles();
    for number in 0..writers {
        expected = expected.replace(&format!("'old{}'", number * apart), &format!("\"new{number}\""));
    }
    assert!(std::fs::read_to_string(user.config_dir().join("config.toml")).unwrap() == expected);
    Figures::of(&user, writers)
}

/// `exec` with these flags ends with the exit status of its command: each of these.
#[cfg(unix)]
pub fn exit_statuses(flags: &str, statuses: impl IntoIterator<Item = i32>) -> Figures {
    let user = User::signed_in();
    let mut processes = 0;
    for status in statuses {
        let exit = format!("exit {status}");
        let line = format!("iam access-key exec {flags} -- /bin/sh -c");
        assert_eq!(user.run_args(line.split(' ').chain([exit.as_str()])).code, status);
        processes += 1;
    }
    Figures::of(&user, processes)
}
