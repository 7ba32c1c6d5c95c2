//! The targets of `tests/fuzz`: each runs a parser on any bytes and checks what has to hold of the result.
//!
//! A part of the library when its tests are built, or the feature `fuzzing` is on; the program never has it.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a panic is a finding")]

mod files;
mod keys;
mod responses;
mod words;

/// A parser to fuzz.
#[derive(Debug)]
pub struct Target {
    /// The name on the command line.
    pub name: &'static str,
    /// Runs the parser. Returns the result in words, so that inputs with different results can be told apart.
    ///
    /// # Panics
    /// The result is wrong.
    pub run: fn(&[u8]) -> String,
    /// Inputs to begin with.
    pub seeds: &'static [&'static str],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    files::CONFIGURATION,
    files::EDIT_CONFIGURATION,
    files::YC_CONFIGURATION,
    files::AWS_FILE,
    files::ROOTS,
    keys::SERVICE_ACCOUNT_KEY,
    keys::POLICY,
    keys::TOKENS,
    keys::EXPORTS,
    keys::MASKS,
    responses::STATUS_AND_HEADERS,
    responses::STS,
    responses::FORMATS,
    responses::PAGE,
    responses::PAGES,
    words::DURATION,
    words::ENDPOINT,
    words::PROXY,
    words::FILTER,
];

/// The input as text; other bytes are replaced.
fn text(input: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(input)
}

/// The first line and the rest.
fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// `ok`, or the error in words.
fn outcome<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    result.map_or_else(|error| error.to_string(), |_| "ok".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_runs_on_its_seeds_and_on_parts_of_them() {
        for target in TARGETS {
            assert!(!target.seeds.is_empty(), "{}", target.name);
            for seed in target.seeds {
                for end in (0..=seed.len()).step_by(seed.len() / 16 + 1).chain([seed.len()]) {
                    (target.run)(&seed.as_bytes()[..end]);
                }
            }
        }
    }

    #[test]
    fn every_target_succeeds_on_one_of_its_seeds() {
        for target in TARGETS {
            let results: Vec<_> = target.seeds.iter().map(|seed| (target.run)(seed.as_bytes())).collect();
            assert!(results.iter().any(|result| result.starts_with("ok")), "{}: {results:#?}", target.name);
        }
    }
}
