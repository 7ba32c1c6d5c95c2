//! SIGKILL at each request, each response and each write of a file, whatever the destination: the rotation goes on, and
//! ends with one key.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use super::{KINDS, Kind, Rotating};
use crate::programs::require_program;

/// The system calls that send a request, read a response, and change files.
const CALLS: [&str; 9] =
    ["sendto", "writev", "sendmsg", "recvfrom", "rename", "renameat", "renameat2", "unlink", "fsync"];

impl Rotating {
    /// The rotation under `strace` with these arguments.
    pub(super) fn traced(&self, arguments: &[&str]) -> Command {
        let command = self.user.command(self.args());
        let mut traced = self.user.program("strace");
        traced.args(["-f", "-qq"]).args(arguments).arg(command.get_program()).args(command.get_args());
        traced.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        traced
    }

    /// How often a whole rotation makes each of the calls on one thread.
    fn calls(&self) -> BTreeMap<String, usize> {
        let log = self.user.home().join("trace");
        let trace = format!("trace={}", CALLS.join(","));
        let status = self.traced(&["-o", log.to_str().unwrap(), "-e", &trace]).status().unwrap();
        assert!(status.success());
        let text = std::fs::read_to_string(log).unwrap();
        let mut threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.contains("resumed>")) {
            let (thread, call) = line.split_once(' ').unwrap();
            *threads.entry((thread, call.trim_start().split('(').next().unwrap())).or_default() += 1;
        }
        let mut calls: BTreeMap<String, usize> = BTreeMap::new();
        for ((_, call), count) in threads {
            let most = calls.entry(call.to_owned()).or_default();
            *most = count.max(*most);
        }
        calls
    }

    /// Ends the rotation by SIGKILL at this call. Returns whether it came that far.
    fn killed_at(&self, call: &str, number: usize) -> bool {
        let inject = format!("inject={call}:signal=SIGKILL:when={number}");
        let trace = format!("trace={call}");
        let status = self.traced(&["-o", "/dev/null", "-e", &trace, "-e", &inject]).status().unwrap();
        !status.success()
    }
}

/// Kills rotations to this destination at every one of `step` points; returns at how many.
fn kill_everywhere(kind: Kind, step: usize) -> usize {
    let calls = Rotating::to(kind).calls();
    let points = calls.iter().flat_map(|(call, count)| (1..=*count).map(move |number| (call, number)));
    let mut killed = 0;
    for (call, number) in points.step_by(step) {
        let rotating = Rotating::to(kind);
        let case = format!("{kind:?} {call} {number}");
        if !rotating.killed_at(call, number) {
            continue;
        }
        killed += 1;
        rotating.assert_alive(&case);
        rotating.assert_no_secret_but_at_the_destination(&case);
        if !rotating.journals().is_empty() {
            let ran = rotating.resume();
            assert_eq!(ran.code, 0, "{case}: {ran:#?}");
        } else if rotating.user.cloud.access_keys().iter().any(|key| key.id == rotating.old.id) {
            // Killed before the journal was there.
            rotating.assert_unchanged(&case);
            let ran = rotating.run();
            assert_eq!(ran.code, 0, "{case}: {ran:#?}");
        }
        rotating.assert_rotated(&case);
    }
    killed
}

#[test]
fn a_rotation_that_is_killed_anywhere_goes_on_and_ends_with_one_key() {
    if !require_program("strace") {
        return;
    }
    for kind in KINDS {
        let killed = kill_everywhere(kind, 1);
        println!("{kind:?} {killed}");
        assert!(killed >= 25, "{kind:?}: {killed}");
    }
}
