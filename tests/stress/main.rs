//! Many processes at once, in the numbers that a busy machine has, with what they cost.
//!
//! `tests/stress/run.sh [SCALE]` runs it: 1, the default, is all of it, 0.25 a quarter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a panic is a failed check, and the figures are the output"
)]

#[cfg(unix)]
#[path = "../cli/crashes.rs"]
mod crashes;
#[path = "../cli/load.rs"]
mod load;
#[path = "../cli/support.rs"]
#[expect(dead_code, reason = "shared with the tests of the program, which use all of it")]
mod support;
#[cfg(unix)]
mod unavailable;

use std::time::Instant;

use load::Figures;
#[cfg(unix)]
use rustix::process::Signal;

/// A name, and the check for a number of processes that is scaled.
type Check = (&'static str, usize, fn(usize) -> Figures);

const CHECKS: &[Check] = &[
    ("one exchange for processes without a token", 300, load::one_exchange),
    ("exchange after its process was killed", 100, load::exchange_after_a_kill),
    ("one key for processes without a key", 300, load::one_key),
    ("key after its process was killed", 100, load::key_after_a_kill),
    ("20 writers of one AWS credentials file", 50, |rounds| load::writers_of_aws_profiles(20, rounds)),
    ("writers of one config.toml", 300, load::writers_of_the_configuration),
    #[cfg(unix)]
    ("exit statuses of exec", 256, |count| load::exit_statuses("--duration 15m", (0..256).step_by(256 / count))),
    #[cfg(unix)]
    ("exit statuses of exec --refresh", 256, |count| load::exit_statuses("--refresh", (0..256).step_by(256 / count))),
];

fn main() {
    let scale = std::env::args().nth(1).map_or(1.0, |scale| scale.parse::<f64>().expect("a number for the scale"));
    assert!(scale > 0.0 && scale <= 1.0, "a scale above 0 and of 1 at most");
    println!("{:<46} {:>9} {:>9} {:>9}", "", "processes", "calls", "seconds");
    let mut all = Figures { processes: 0, calls: 0 };
    let started = Instant::now();
    for (name, full, check) in CHECKS {
        let begun = Instant::now();
        let figures = check(scaled(*full, scale));
        print(name, figures, begun);
        all = Figures { processes: all.processes + figures.processes, calls: all.calls + figures.calls };
    }
    print("all", all, started);
    #[cfg(unix)]
    failures(scale);
}

/// What processes that are killed, stopped or refused leave, and how long others wait for them.
#[cfg(unix)]
fn failures(scale: f64) {
    for (name, signal, full) in [("SIGKILL", Signal::KILL, 1500), ("SIGTERM", Signal::TERM, 400)] {
        let processes = scaled(full, scale);
        let left = crashes::end_writers(signal, processes);
        println!(
            "{name} in {processes} writers, of which it ended {}: 0 unreadable files, 0 lost entries, 0 stuck locks; {} \
             temporary files, {} after one more write",
            left.ended, left.at_once, left.after_a_write
        );
        assert!(left.after_a_write == 0 && (signal == Signal::KILL || left.at_once == 0), "{left:?}");
    }
    let calls = scaled(400, scale);
    let duplicates = crashes::lost_replies(calls);
    println!("{calls} lost responses: {duplicates} duplicate keys");
    assert_eq!(duplicates, 0);
    let multiple = unavailable::multiple_of_one_process(20);
    println!("20 processes on a server that is unavailable: {multiple:.2} times as long as one");
    assert!(multiple <= 2.0, "{multiple}");
    let longest = crashes::stopped_holder(20);
    println!("longest wait of 20 processes behind a stopped one: {:.1} s", longest.as_secs_f64());
}

/// This share of a number, rounded; at least two processes compete.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a small number"
)]
fn scaled(full: usize, scale: f64) -> usize {
    ((full as f64 * scale).round() as usize).max(2)
}

fn print(name: &str, figures: Figures, begun: Instant) {
    println!("{name:<46} {:>9} {:>9} {:>9.1}", figures.processes, figures.calls, begun.elapsed().as_secs_f64());
}
