//! Core dumps: the memory of a crashed process, with its secrets, in a file.

#[cfg(unix)]
use std::sync::OnceLock;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit that this process was started with.
#[cfg(unix)]
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Disables core dumps of this process, and of those that it starts.
pub fn disable_core_dumps() {
    #[cfg(unix)]
    {
        let before = *BEFORE.get_or_init(|| getrlimit(Resource::Core));
        // It is an additional protection: the program works without it.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..before });
    }
}

/// Restores the limit for a command that this process executes.
pub fn restore_core_limit() {
    #[cfg(unix)]
    if let Some(before) = BEFORE.get() {
        let _ = setrlimit(Resource::Core, *before);
    }
}
