//! Questions to a person at a terminal: asked on standard error, answered on the terminal.
//!
//! Answers are read on a thread of their own, so that signals and `--timeout` end the command meanwhile.

use std::io::{self, ErrorKind, Write};

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;

use crate::error::{Error, Kind, Result};
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
    // Before the question is shown, since the answer may be pasted at once.
    let _hidden = HiddenInput::begin();
    let prompt = format!("{question} (not shown): ");
    match process::on_thread(move || rpassword::prompt_password(prompt)).await {
        Ok(Ok(text)) => Ok(text.trim().into()),
        Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => Err(Error::interrupted(Kind::Interrupted)),
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => Err(input_has_ended()),
        Ok(Err(error)) | Err(error) => Err(no_answer(&error.to_string())),
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

/// Keeps the terminal from showing what is typed, and from acting on it, until this is dropped, which happens also
/// when the command is cut short in the middle of a question. `rpassword` sets the same mode itself: a Ctrl-D typed before
/// that would be lost in the change from lines to characters.
#[cfg(unix)]
struct HiddenInput(Option<Termios>);

#[cfg(unix)]
impl HiddenInput {
    fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut hidden) = before.clone() {
            hidden.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
            hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
            hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &hidden);
        }
        Self(before)
    }
}

#[cfg(unix)]
impl Drop for HiddenInput {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Elsewhere `rpassword` alone hides the input.
#[cfg(not(unix))]
struct HiddenInput;

#[cfg(not(unix))]
impl HiddenInput {
    fn begin() -> Self {
        Self
    }
}

/// Ctrl-D does not end the line of the question, so this does.
fn input_has_ended() -> Error {
    write_stderr("\n");
    no_answer("the input has ended")
}

fn no_answer(reason: &str) -> Error {
    Error::usage(format!("a question was not answered: {reason}; nothing was written"))
}
