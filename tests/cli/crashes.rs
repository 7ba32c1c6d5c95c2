//! Processes that are killed, stopped or refused, and what they leave behind. The suite runs a small number of them;
//! `tests/stress` runs all, and prints the figures.

use std::fs::File;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use yc_emulator::Fault;

use crate::support::{Ran, User};

const CREATE: &str = "POST /iam/aws-compatibility/v1/accessKeys";
const ISSUE: &str = "POST /iam/aws-compatibility/v1/ephemeralAccessKeys";

/// The commands that write: a token, a key, the AWS credentials file and the configuration.
const WRITERS: [&str; 4] = [
    "iam create-token",
    "iam access-key issue-ephemeral --duration 1h --cache --format json",
    "iam access-key issue-ephemeral --duration 1h --aws-credentials-file aws --aws-profile p",
    "config set folder-id b1gNUMBER",
];

/// What processes that were ended in the middle of their work have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leftovers {
    /// How many of the processes ended by the signal.
    pub ended: usize,
    /// Temporary files.
    pub at_once: usize,
    /// Temporary files that are still there an hour later, after one more write of each kind.
    pub after_a_write: usize,
}

/// Ends processes that write at moments spread over their run. The files can be read afterwards, no lock is held, and
/// whatever was in them is still there.
pub fn end_writers(signal: Signal, processes: usize) -> Leftovers {
    let user = User::new().with_key();
    let config = user.config_dir().join("config.toml");
    let others = "[other]\naws_access_key_id = mine\n# the end\n";
    let aws = user.write_file("aws", others);
    let line = |kind: usize, number: usize| WRITERS[kind].replace("NUMBER", &number.to_string());
    let durations = [0, 1, 2, 3].map(|kind| {
        let started = Instant::now();
        user.run(&line(kind, processes)).ok();
        started.elapsed()
    });
    let mut ended = 0;
    for number in 0..processes {
        let kind = number % WRITERS.len();
        forget_caches(&user);
        let child = user.start(line(kind, number).split(' '));
        // Not to wait for anything, but to hit each moment of the run.
        let sixteenths = u32::try_from(number / WRITERS.len() * 7 % 16).unwrap() + 1;
        std::thread::sleep(durations[kind] * sixteenths / 16);
        let _ = kill_process(Pid::from_child(&child), signal);
        ended += usize::from(Ran::of(child).code != 0);
        assert!(std::fs::read_to_string(&aws).unwrap().starts_with(others), "{number}");
        assert!(std::fs::read_to_string(&config).unwrap().parse::<toml::Table>().is_ok(), "{number}");
    }
    let at_once = temporary_files(&user).len();
    for path in temporary_files(&user) {
        let long_ago = SystemTime::now() - Duration::from_secs(3601);
        File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    forget_caches(&user);
    for kind in 0..WRITERS.len() {
        user.run(&line(kind, processes + 1)).ok();
    }
    Leftovers { ended, at_once, after_a_write: temporary_files(&user).len() }
}

/// Removes the entries of the caches, so that they are written again; `cache clear` removes temporary files too.
fn forget_caches(user: &User) {
    for path in files(user).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        std::fs::remove_file(path).unwrap();
    }
}

/// The files that the program writes or has beside them.
fn files(user: &User) -> Vec<PathBuf> {
    let cache = user.cache_dir();
    let directories = [user.home().to_owned(), user.config_dir(), cache.join("tokens"), cache.join("keys")];
    let entries = directories.iter().filter_map(|directory| directory.read_dir().ok()).flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn temporary_files(user: &User) -> Vec<PathBuf> {
    let is_temporary = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(".yc-rs-");
    files(user).into_iter().filter(is_temporary).collect()
}

/// Calls that make a key and whose response is lost; returns how many keys there are besides one for each call.
pub fn lost_replies(calls: usize) -> usize {
    let user = User::signed_in();
    for number in 0..calls {
        let (pattern, line) = [
            (CREATE, "iam access-key create"),
            (ISSUE, "iam access-key issue-ephemeral"),
            (CREATE, "iam access-key create --aws-credentials-file f --aws-profile p"),
            (ISSUE, "iam access-key issue-ephemeral --export env --region r"),
        ][number % 4];
        user.cloud.fault(pattern, Fault::LoseReply);
        let error = user.run(line).failed(1);
        assert!(error.contains("a key may "), "{error}");
    }
    user.cloud.access_keys().len() + user.cloud.ephemeral_keys().len() - calls
}

/// Stops a process that holds the lock of a token, and returns the longest time that others have waited for it.
pub fn stopped_holder(others: usize) -> Duration {
    let user = User::new().with_key();
    let hold = user.cloud.hold("POST /iam/v1/tokens");
    let mut holder = user.start(["iam", "create-token"]);
    hold.wait_until_arrived();
    kill_process(Pid::from_child(&holder), Signal::STOP).unwrap();
    let started = Instant::now();
    let waiting: Vec<Child> = (0..others).map(|_| user.start(["iam", "create-token"])).collect();
    for child in waiting {
        let error = Ran::of(child).failed(5);
        let expected = format!("ERROR: another process (PID {}) holds the lock of ", holder.id());
        assert!(error.starts_with(&expected), "{error}");
    }
    let longest = started.elapsed();
    holder.kill().unwrap();
    holder.wait().unwrap();
    hold.release();
    user.run("iam create-token").ok();
    longest
}
