//! A line that is typed at a terminal and not shown.

use std::io::{self, IsTerminal};

#[cfg(unix)]
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::process;

/// Asks for a line that the terminal does not show, and returns it without white space around it.
///
/// # Errors
/// `Interrupted` for Ctrl-C, `UnexpectedEof` when the input has ended; the line cannot be read.
pub async fn line(question: &str) -> io::Result<String> {
    // Before the question is shown, since the answer may be pasted at once.
    let _hidden = HiddenInput::begin();
    let prompt = format!("{question} (not shown): ");
    let line = process::on_thread(move || rpassword::prompt_password(prompt)).await??;
    Ok(line.trim().to_owned())
}

/// Whether somebody types what is read from standard input.
pub(super) fn is_typed() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
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
