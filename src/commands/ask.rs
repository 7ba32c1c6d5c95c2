//! Questions to a person at a terminal: asked on standard error, answered on the terminal.
//!
//! Answers are read on a thread of their own, so that signals and `--timeout` end the command meanwhile.

use std::io::{self, ErrorKind, Write};

use secrecy::SecretString;

use crate::error::{Error, Kind, Result};
use crate::input::hidden;
use crate::log;
use crate::process;
use crate::text::{escape, quote};

/// A line of text, without white space around it.
///
/// # Errors
/// The input has ended, or cannot be read.
pub async fn line(question: &str) -> Result<String> {
    write_stderr(&format!("{question}: "));
    let read_line = || {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|count| (count > 0).then(|| line.trim().to_owned()))
    };
    match process::on_thread(read_line).await {
        Ok(Ok(Some(line))) => Ok(line),
        Ok(Ok(None)) => Err(input_has_ended()),
        Ok(Err(error)) | Err(error) => Err(no_answer(&error.to_string())),
    }
}

/// A line of text; `default` when the answer is empty.
///
/// # Errors
/// The input has ended, or cannot be read.
pub async fn line_or(question: &str, default: &str) -> Result<String> {
    let answer = line(&format!("{question} [{default}]")).await?;
    Ok(if answer.is_empty() { default.to_owned() } else { answer })
}

/// A line of text that the terminal does not show.
///
/// # Errors
/// The input has ended or cannot be read, or Ctrl-C was pressed.
pub async fn secret(question: &str) -> Result<SecretString> {
    match hidden::line(question).await {
        Ok(text) => Ok(text.into()),
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(Error::interrupted(Kind::Interrupted)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(input_has_ended()),
        Err(error) => Err(no_answer(&error.to_string())),
    }
}

/// The position of the chosen one of several choices. An empty answer means the first.
///
/// # Errors
/// The input has ended, or cannot be read.
pub async fn choose(title: &str, choices: &[Choice]) -> Result<usize> {
    say(title);
    for (position, choice) in choices.iter().enumerate() {
        say(&format!(" [{}] {}", position + 1, choice.text));
    }
    loop {
        let answer = line_or("Number", "1").await?;
        let number = answer.parse().ok().filter(|number| (1..=choices.len()).contains(number));
        if let Some(number) = number {
            return Ok(number - 1);
        }
        if let Some(position) = choices.iter().position(|choice| choice.names.contains(&answer)) {
            return Ok(position);
        }
        say(&format!("{} is not one of 1 to {}", quote::value(&answer), choices.len()));
    }
}

/// One of several things to choose.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What is shown.
    pub text: String,
    /// What may be typed instead of the number.
    pub names: Vec<String>,
}

impl Choice {
    /// A choice that is typed by its number.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), names: Vec::new() }
    }
}

/// Shows a line.
pub fn say(text: &str) {
    write_stderr(&log::fit(format!("{}\n", escape::single_line(text))));
}

fn write_stderr(text: &str) {
    // Nothing can be done when standard error is closed; the answer will be missing too.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Ctrl-D does not end the line of the question, so this does.
fn input_has_ended() -> Error {
    write_stderr("\n");
    no_answer("the input has ended")
}

fn no_answer(reason: &str) -> Error {
    Error::usage(format!("a question was not answered: {reason}; nothing was written"))
}
