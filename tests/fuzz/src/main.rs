//! Fuzzes the parsers of yc-rs: see `tests/fuzz/run.sh`.
//!
//! Each target runs in a process of its own, so that a stack overflow or an abort is a finding as a panic is. The process
//! writes each input to a file before it runs, where the parent finds the last one.

mod mutate;
mod worker;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use yc_rs::fuzzing::{TARGETS, Target};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--worker", name, file, seconds] => worker::run(target(name), Path::new(file), seconds_of(seconds)),
        ["--findings", _, "again", name, file] => {
            let input = std::fs::read(file).expect("the input can be read");
            println!("{}", (target(name).run)(&input));
        }
        ["--findings", findings, ref rest @ ..] => {
            let (seconds, names) = match rest {
                [seconds, names @ ..] => (*seconds, names),
                [] => ("5", &[][..]),
            };
            let chosen = |target: &&Target| names.is_empty() || names.contains(&target.name);
            let failed = TARGETS.iter().filter(chosen).filter(|target| !fuzz(target, seconds, Path::new(findings)));
            return if failed.count() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        _ => panic!("started by tests/fuzz/run.sh"),
    }
    ExitCode::SUCCESS
}

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("there is no target {name}"))
}

fn seconds_of(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().expect("a number of seconds"))
}

/// Fuzzes one target; whether nothing was found.
fn fuzz(target: &Target, seconds: &str, findings: &Path) -> bool {
    let file: PathBuf = std::env::temp_dir().join(format!("yc-rs-fuzz-{}-{}", target.name, std::process::id()));
    let own = std::env::current_exe().expect("the path of this program");
    let output = Command::new(own).args(["--worker", target.name]).arg(&file).arg(seconds).output();
    let output = output.expect("the worker can be started");
    let ended = output.status.success();
    if ended {
        print!("{}", String::from_utf8_lossy(&output.stdout));
    } else {
        let input = worker::last_input(&file);
        std::fs::create_dir_all(findings).expect("the directory of the findings can be made");
        let kept = findings.join(target.name);
        std::fs::File::create(&kept).and_then(|mut file| file.write_all(&input)).expect("the input can be kept");
        println!("{:<24} failed: {}", target.name, output.status);
        println!("{}", String::from_utf8_lossy(&output.stderr));
        println!("input, kept in {}:\n{}", kept.display(), input.escape_ascii());
    }
    let _ = std::fs::remove_file(file);
    ended
}
