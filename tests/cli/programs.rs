//! Checks that need what a machine may not have: other programs, or rights of the superuser.
//!
//! Such a check is left out where that is missing. With `YC_RS_TESTS=complete`, which `.ci/run` sets, leaving one out is
//! a failure.

use std::path::Path;

/// What no package of Debian brings, so that a complete run does without it.
const NOT_PACKAGED: [&str; 1] = ["pwsh"];

/// Whether the machine has this program. If not, the check is [left out](leave_out).
#[track_caller]
pub fn require_program(name: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "the tools of the machine are found by its own PATH")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let found = std::env::split_paths(&path).any(|directory| is_program(&directory.join(&file)));
    if !found && NOT_PACKAGED.contains(&name) {
        say(name);
    } else if !found {
        leave_out(name);
    }
    found
}

/// Says that a check is left out for want of something.
///
/// # Panics
/// `YC_RS_TESTS` is `complete`.
#[track_caller]
pub fn leave_out(missing: &str) {
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, not of the program")]
    let complete = std::env::var_os("YC_RS_TESTS").is_some_and(|value| value == "complete");
    assert!(!complete, "YC_RS_TESTS=complete, and this machine lacks {missing}");
    say(missing);
}

#[expect(clippy::print_stderr, reason = "a check that is left out says so")]
fn say(missing: &str) {
    eprintln!("skipped: this machine lacks {missing}");
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    let executable =
        |meta: std::fs::Metadata| std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = |_| true;
    path.is_file() && path.metadata().is_ok_and(executable)
}
