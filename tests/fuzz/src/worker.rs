//! The process that runs one target.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use yc_rs::fuzzing::Target;

use crate::mutate::Mutator;

/// A run that takes longer is a finding.
const LONGEST_RUN: Duration = Duration::from_secs(2);

/// Inputs that led to a result that was not seen before; they are changed further.
const MOST_INPUTS: usize = 4096;

/// Runs a target on changed inputs for this long, and prints how often it ran and how many different results it had.
pub fn run(target: &'static Target, file: &Path, time: Duration) {
    let mut file = File::create(file).expect("the file of the inputs can be made");
    let started = Instant::now();
    // When the current run has begun, in milliseconds since the start.
    let begun = Arc::new(AtomicU64::new(0));
    watch(started, begun.clone());
    let mut inputs: Vec<Vec<u8>> = target.seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let mut results = HashSet::new();
    let mut mutator = Mutator::new(target.seeds);
    let mut runs: u64 = 0;
    while started.elapsed() < time {
        let at = usize::try_from(runs).unwrap_or(usize::MAX);
        let input = inputs.get(at).cloned().filter(|_| at < target.seeds.len());
        let input = input.unwrap_or_else(|| mutator.change(&inputs));
        write_input(&mut file, &input);
        begun.store(milliseconds(started), Ordering::Relaxed);
        let result = (target.run)(&input);
        runs += 1;
        if results.len() < MOST_INPUTS && results.insert(shape(&result)) {
            inputs.push(input);
        }
    }
    println!("{:<24} {runs:>9} runs, {:>4} different results", target.name, results.len());
}

/// The result without what differs from one input to the next: numbers and quoted text.
fn shape(result: &str) -> String {
    let mut quoted = false;
    let keep = |c: &char| {
        quoted ^= matches!(c, '\'' | '"' | '`');
        !quoted && !c.is_ascii_digit()
    };
    result.chars().filter(keep).take(200).collect()
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Ends the process when a run takes too long.
fn watch(started: Instant, begun: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let run = milliseconds(started).saturating_sub(begun.load(Ordering::Relaxed));
            if run > u64::try_from(LONGEST_RUN.as_millis()).unwrap_or(u64::MAX) {
                eprintln!("a run took longer than {LONGEST_RUN:?}");
                std::process::exit(1);
            }
        }
    });
}

/// Writes the length of the input and the input over the last one.
fn write_input(file: &mut File, input: &[u8]) {
    let record = [&(input.len() as u64).to_le_bytes(), input].concat();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&record)).expect("the input can be written");
}

/// The input of the last run.
pub fn last_input(file: &Path) -> Vec<u8> {
    let mut record = Vec::new();
    File::open(file).and_then(|mut file| file.read_to_end(&mut record)).expect("the input can be read");
    let Some((length, rest)) = record.split_first_chunk() else { return Vec::new() };
    let length = usize::try_from(u64::from_le_bytes(*length)).expect("a length");
    rest[..length.min(rest.len())].to_vec()
}
