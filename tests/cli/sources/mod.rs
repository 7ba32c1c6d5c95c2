//! The ways to authenticate beyond a token and a key in the profile, and acting as another account on top of each.

mod clock;
mod given_token;
mod impersonation;
mod key_file;
mod metadata;
mod order;
#[cfg(unix)]
mod token_command;
mod workload;

use yc_emulator::Grant;

use crate::support::User;

const CREATE_TOKEN: &str = "iam create-token";

/// The hint at the end of an error.
#[track_caller]
fn hint(error: &str) -> &str {
    error.split_once("\nhint: ").unwrap_or_else(|| panic!("no hint: {error}")).1
}

/// What the newest token was made from.
fn newest_grant(user: &User) -> Grant {
    user.cloud.tokens().pop().unwrap().grant
}

/// The cached tokens and their files.
fn cached(user: &User) -> Vec<(std::path::PathBuf, serde_json::Value)> {
    let Ok(directory) = std::fs::read_dir(user.cache_dir().join("tokens")) else { return Vec::new() };
    let files = directory.map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())).collect()
}
