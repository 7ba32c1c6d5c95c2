//! Core files: the memory of a process that crashed, in which its secrets would stay behind on the disk.

#[cfg(unix)]
use std::sync::OnceLock;

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit that this process was started with.
#[cfg(unix)]
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Has this process, and those that it starts, leave none.
pub fn disable_core_dumps() {
    #[cfg(unix)]
    {
        let before = *BEFORE.get_or_init(|| getrlimit(Resource::Core));
        // Where this is refused, everything else still works.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), ..before });
    }
}

/// Lets a command that takes the place of this process have what it would have without it.
pub fn restore_core_limit() {
    #[cfg(unix)]
    if let Some(before) = BEFORE.get() {
        let _ = setrlimit(Resource::Core, *before);
    }
}
