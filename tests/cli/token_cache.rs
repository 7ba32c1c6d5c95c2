//! The cache of IAM tokens: one exchange for all, and never a reason to fail.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use yc_emulator::Emulator;

use crate::load::{self, Figures};
use crate::support::User;

const EXCHANGE: &str = "POST /iam/v1/tokens";
const ISSUE: &str = "iam access-key issue-ephemeral --duration 1h";

/// Makes the cache of a user useless.
type Break = fn(&User);

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

fn exchanges(user: &User) -> usize {
    user.cloud.requests().iter().filter(|request| request.line() == EXCHANGE).count()
}

/// The cached tokens.
fn entries(user: &User) -> Vec<PathBuf> {
    let Ok(directory) = fs::read_dir(user.cache_dir().join("tokens")) else { return Vec::new() };
    let files = directory.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

#[test]
fn a_second_command_authenticates_with_the_cached_token() {
    let user = User::new().with_key();
    let first = user.run("iam create-token").ok();
    assert_eq!(user.run("iam create-token").ok(), first);
    user.run(ISSUE).ok();
    assert_eq!(exchanges(&user), 1);
}

#[test]
fn the_cache_is_private() {
    let user = User::new().with_key();
    user.run("iam create-token").ok();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(user.cache_dir()), 0o700);
    assert_eq!(mode(user.cache_dir().join("tokens")), 0o700);
    for file in fs::read_dir(user.cache_dir().join("tokens")).unwrap() {
        assert_eq!(mode(file.unwrap().path()), 0o600);
    }
}

#[test]
fn processes_at_the_same_time_make_one_exchange() {
    assert_eq!(load::one_exchange(10), Figures { processes: 10, calls: 1 });
}

#[test]
fn a_process_that_is_killed_during_the_exchange_frees_the_others() {
    load::exchange_after_a_kill(10);
}

#[test]
fn a_refused_cached_token_is_dropped_and_the_call_made_once_more() {
    let user = User::new().with_key();
    let old = user.run("iam create-token").ok();
    user.cloud.revoke_token(old.trim());
    user.cloud.clear_requests();
    user.run(ISSUE).ok();
    let lines: Vec<_> = user.cloud.requests().iter().map(yc_emulator::Request::line).collect();
    let issue = "POST /iam/aws-compatibility/v1/ephemeralAccessKeys";
    assert_eq!(lines, [issue, EXCHANGE, issue]);
    assert_ne!(user.run("iam create-token").ok(), old);
}

#[test]
fn a_new_token_that_is_refused_as_well_is_an_error() {
    let user = User::new().with_key();
    user.cloud.fault(
        "POST /iam/aws-compatibility/v1/ephemeralAccessKeys",
        yc_emulator::Fault::status(16, "The token is invalid"),
    );
    user.run(ISSUE).failed(3);
    assert_eq!(exchanges(&user), 1);
}

#[test]
fn a_token_is_renewed_when_a_tenth_of_its_life_is_left_and_for_create_token_half() {
    let user = User::of(Emulator::builder().token_lifetime(Duration::from_secs(10 * 3600)).start()).with_key();
    user.run("iam create-token").ok();
    let age = |hours| user.age_cache("tokens", chrono::TimeDelta::hours(hours));
    age(6);
    user.run(ISSUE).ok();
    assert_eq!(exchanges(&user), 1, "4 of 10 hours are enough for a call");
    user.run("iam create-token").ok();
    assert_eq!(exchanges(&user), 2, "4 of 10 hours are too few for a token that leaves the program");
    age(10);
    user.run("iam access-key list").ok();
    assert_eq!(exchanges(&user), 3);
}

#[test]
fn a_key_that_is_to_outlive_the_cached_token_gets_a_new_token_first() {
    let user = User::of(Emulator::builder().token_lifetime(Duration::from_secs(2 * 3600)).start()).with_key();
    user.run("iam create-token").ok();
    user.cloud.set_token_lifetime(Duration::from_secs(12 * 3600));
    user.run("iam access-key issue-ephemeral --duration 1h").ok();
    assert_eq!(exchanges(&user), 1);
    user.run("iam access-key issue-ephemeral --duration 11h").ok();
    assert_eq!(exchanges(&user), 2);
}

#[test]
fn a_cache_that_cannot_be_used_never_breaks_a_command() {
    let file_for_directory: Break = |user| _ = user.write_file("cache", "");
    let read_only: Break = |user| {
        fs::create_dir(user.cache_dir()).unwrap();
        chmod(&user.cache_dir(), 0o500);
    };
    let writable_by_others: Break = |user| {
        fs::create_dir_all(user.cache_dir().join("tokens")).unwrap();
        chmod(&user.cache_dir().join("tokens"), 0o777);
    };
    let corrupted: Break = |user| {
        user.run("iam create-token").ok();
        let entry = entries(user).remove(0);
        let name = Path::new("cache/tokens").join(entry.file_name().unwrap());
        user.write_file(name.to_str().unwrap(), "{\"iam_token\":");
    };
    let directory_for_file: Break = |user| {
        user.run("iam create-token").ok();
        let entry = entries(user).remove(0);
        fs::remove_file(&entry).unwrap();
        fs::create_dir(entry).unwrap();
    };
    for make in [file_for_directory, read_only, writable_by_others, corrupted, directory_for_file] {
        let user = User::new().with_key();
        make(&user);
        assert!(user.run("iam create-token").ok().starts_with("t1."));
        if user.cache_dir().is_dir() {
            chmod(&user.cache_dir(), 0o700);
        }
    }
}

#[test]
fn an_entry_that_others_can_read_is_not_trusted() {
    let user = User::new().with_key();
    user.run("iam create-token").ok();
    chmod(&entries(&user)[0], 0o644);
    user.run("iam access-key list").ok();
    assert_eq!(exchanges(&user), 2);
}

#[test]
fn tokens_are_cached_by_key_and_by_service() {
    let user = User::new().with_key();
    user.run("iam create-token").ok();
    let key = user.write_file("narrow.json", &user.cloud.narrow_key().file());
    let mut other = user;
    other.configure("");
    other.set("YC_SERVICE_ACCOUNT_KEY_FILE", key.to_str().unwrap());
    other.run("iam create-token").ok();
    assert_eq!(exchanges(&other), 2);
    assert_eq!(entries(&other).len(), 2);
}

#[test]
fn given_tokens_are_never_cached() {
    let user = User::signed_in();
    user.run(ISSUE).ok();
    assert!(entries(&user).is_empty());
}

#[test]
fn no_cache_means_no_cache() {
    let mut user = User::new().with_key();
    user.set("YC_RS_NO_CACHE", "1");
    user.run("iam create-token").ok();
    user.run("iam create-token").ok();
    assert_eq!(exchanges(&user), 2);
    assert!(!user.cache_dir().exists());
}

#[test]
fn nothing_is_cached_of_a_server_that_is_not_verified() {
    let user = User::new().with_key().over_https();
    let ran = user.run("iam create-token --no-verify-ssl");
    assert_eq!(ran.code, 0);
    assert!(entries(&user).is_empty());
}

#[test]
fn cache_clear_removes_nothing_behind_a_link() {
    let user = User::new().with_key();
    user.run("iam create-token").ok();
    let [tokens, project] = ["tokens", "project"].map(|name| user.cache_dir().join(name));
    fs::rename(&tokens, &project).unwrap();
    std::os::unix::fs::symlink(&project, &tokens).unwrap();
    let ran = user.run("cache clear");
    let said = format!("{} is a symbolic link", tokens.display());
    assert!(ran.code == 1 && ran.err.contains(&said), "{}", ran.err);
    assert_eq!(entries(&user).len(), 1);
}

#[test]
fn cache_clear_forgets_the_token() {
    let user = User::new().with_key();
    user.run("iam create-token").ok();
    assert_eq!(user.run("cache clear").ok(), "");
    assert!(entries(&user).is_empty());
    user.run("iam create-token").ok();
    assert_eq!(exchanges(&user), 2);
    assert_eq!(User::new().run("cache clear").ok(), "", "without a cache there is nothing to do");
}
