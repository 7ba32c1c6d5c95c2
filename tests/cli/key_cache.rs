//! The cache of ephemeral keys: one key for all processes that request the same, and never one that is about to expire.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use yc_emulator::{ADMIN_ID, BACKUP_ID, Emulator, Fault, NARROW_ID};

use crate::load::{self, Figures};
use crate::support::User;

const PROCESS: &str = "iam access-key issue-ephemeral --duration 1h --export process";

fn issued(user: &User) -> usize {
    user.cloud.ephemeral_keys().len()
}

fn entries(user: &User) -> Vec<PathBuf> {
    let Ok(directory) = fs::read_dir(user.cache_dir().join("keys")) else { return Vec::new() };
    let files = directory.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

#[test]
fn a_process_gets_the_same_key_again_without_any_connection() {
    let user = User::new().with_key();
    let first = user.run(PROCESS).ok();
    user.cloud.clear_requests();
    assert_eq!(user.run(PROCESS).ok(), first);
    assert_eq!((user.cloud.requests().len(), user.cloud.connections()), (0, 0));
}

#[test]
fn processes_at_the_same_time_issue_one_key_and_print_the_same() {
    assert_eq!(load::one_key(10), Figures { processes: 10, calls: 2 });
}

#[test]
fn a_process_that_is_killed_while_it_issues_a_key_frees_the_others() {
    load::key_after_a_kill(10);
}

#[test]
fn a_key_with_less_than_16_minutes_left_is_not_returned_again() {
    let user = User::signed_in();
    user.run(PROCESS).ok();
    user.age_cache("keys", chrono::TimeDelta::minutes(43));
    user.run(PROCESS).ok();
    assert_eq!(issued(&user), 1);
    user.run(&format!("{PROCESS} --min-ttl 20m")).ok();
    assert_eq!(issued(&user), 2, "--min-ttl asks for more");
    user.age_cache("keys", chrono::TimeDelta::minutes(45));
    user.run(PROCESS).ok();
    assert_eq!(issued(&user), 3);
}

#[test]
fn only_processes_use_the_cache_unasked() {
    let user = User::signed_in();
    let env = "iam access-key issue-ephemeral --duration 1h --export env";
    user.run(env).ok();
    user.run(env).ok();
    assert_eq!((issued(&user), entries(&user).len()), (2, 0));
    let first = user.run(&format!("{env} --cache")).ok();
    assert_eq!(user.run(&format!("{env} --cache")).ok(), first);
    assert_eq!(issued(&user), 3);
    user.run(&format!("{PROCESS} --no-cache")).ok();
    assert_eq!(issued(&user), 4);
    user.run(&format!("{PROCESS} --no-cache --cache")).failed(2);
}

#[cfg(unix)]
#[test]
fn exec_uses_the_cache_when_asked() {
    let user = User::signed_in();
    let exec = |flags: &str| {
        let line = format!("iam access-key exec --duration 1h {flags} -- /bin/sh -c");
        user.run_args(line.split_whitespace().chain(["echo $AWS_ACCESS_KEY_ID"])).ok()
    };
    assert_ne!(exec(""), exec(""));
    assert_eq!(exec("--cache"), exec("--cache"));
    assert_eq!(issued(&user), 3);
}

#[test]
fn every_part_of_the_request_and_the_identity_tell_keys_apart() {
    let mut user = User::signed_in();
    let lines = [
        PROCESS.to_owned(),
        PROCESS.replace("1h", "2h"),
        format!("{PROCESS} --session-name a"),
        format!("{PROCESS} --subject-id {ADMIN_ID}"),
        format!("{PROCESS} --service-account-name admin"),
        format!("{PROCESS} --policy {{\"Statement\":[]}}"),
    ];
    for _ in 0..2 {
        for line in &lines {
            user.run(line).ok();
        }
    }
    assert_eq!(issued(&user), lines.len());
    let other = user.cloud.issue_token(ADMIN_ID);
    user.set("YC_IAM_TOKEN", other);
    user.run(PROCESS).ok();
    assert_eq!(issued(&user), lines.len() + 1, "another credential is another identity");
}

#[test]
fn a_key_that_the_server_cuts_too_short_is_neither_printed_nor_cached() {
    let user = User::of(Emulator::builder().token_lifetime(Duration::from_secs(10 * 60)).start()).with_key();
    let error = user.run(PROCESS).failed(1);
    assert!(error.contains("16m"), "{error}");
    assert!(entries(&user).is_empty());
}

#[cfg(unix)]
#[test]
fn the_cached_key_is_private_and_holds_no_iam_token() {
    use std::os::unix::fs::PermissionsExt;
    let user = User::new().with_key();
    user.run(PROCESS).ok();
    let entry = entries(&user).remove(0);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(entry.clone()), 0o600);
    assert_eq!(mode(user.cache_dir().join("keys")), 0o700);
    let text = fs::read_to_string(entry).unwrap();
    for token in user.cloud.tokens() {
        assert!(!text.contains(&token.value));
    }
}

#[test]
fn a_corrupted_entry_is_replaced_and_cache_clear_forgets_keys() {
    let user = User::signed_in();
    user.run(PROCESS).ok();
    let name = entries(&user).remove(0);
    user.write_file(name.strip_prefix(user.home()).unwrap().to_str().unwrap(), "{\"wanted\":");
    user.run(PROCESS).ok();
    assert_eq!(issued(&user), 2);
    user.run("cache clear").ok();
    user.run(PROCESS).ok();
    assert_eq!(issued(&user), 3);
}

#[test]
fn temporary_credentials_of_sts_are_cached_for_processes_too() {
    let mut user = User::signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    user.set("AWS_ACCESS_KEY_ID", &key.key_id);
    user.set("AWS_SECRET_ACCESS_KEY", &key.secret);
    let first = user.run("sts assume-role --export process").ok();
    assert_eq!(user.run("sts assume-role --export process").ok(), first);
    assert_ne!(user.run("sts assume-role --export process --no-cache").ok(), first);
    assert_ne!(user.run("sts assume-role --export process --duration 2h").ok(), first);
    assert_eq!(user.cloud.sts_keys().len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn a_key_that_is_not_cached_is_not_said_to_be() {
    let mut user = User::signed_in();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let lose = |user: &User| {
        let mut command = user.command(PROCESS.split(' '));
        let output = command.stdout(full()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        String::from_utf8(output.wait_with_output().unwrap().stderr).unwrap()
    };
    assert!(lose(&user).contains("is cached; run the command again"));
    user.set("YC_RS_NO_CACHE", "1");
    assert!(lose(&user).contains("is lost; the key cannot be deleted"));
}

/// The subjects of the ephemeral keys, in the order in which they were issued.
fn subjects(user: &User) -> Vec<String> {
    user.cloud.ephemeral_keys().into_iter().map(|key| key.subject_id).collect()
}

/// A user of a machine with this service account attached.
fn on_machine(subject: &str) -> User {
    let mut user = User::new();
    user.cloud.attach_service_account(subject);
    let url = user.cloud.http_url().to_owned();
    user.set("YC_METADATA_ADDR", url);
    user
}

/// Forgets the token of the machine, as a minute does.
fn forget_tokens(user: &User) {
    fs::remove_dir_all(user.cache_dir().join("tokens")).unwrap();
}

const USERINFO: &str = "GET /oauth/userinfo";

#[test]
fn another_account_on_the_machine_does_not_get_the_key_of_the_one_before() {
    let user = on_machine(ADMIN_ID);
    let first = user.run(PROCESS).ok();
    assert_eq!(user.run(PROCESS).ok(), first);
    assert_eq!(user.count(USERINFO), 1, "once for each token");
    forget_tokens(&user);
    assert_eq!(user.run(PROCESS).ok(), first);
    user.cloud.attach_service_account(NARROW_ID);
    forget_tokens(&user);
    assert_ne!(user.run(PROCESS).ok(), first);
    assert_eq!(subjects(&user), [ADMIN_ID, NARROW_ID]);
    user.cloud.attach_service_account(ADMIN_ID);
    forget_tokens(&user);
    assert_eq!(user.run(PROCESS).ok(), first);
}

#[test]
fn an_account_that_may_not_impersonate_does_not_get_the_key_of_one_that_may() {
    let mut user = on_machine(ADMIN_ID);
    user.set("YC_IMPERSONATE_SERVICE_ACCOUNT_ID", BACKUP_ID);
    user.run(PROCESS).ok();
    user.run(PROCESS).ok();
    assert_eq!(subjects(&user), [BACKUP_ID]);
    user.cloud.attach_service_account(NARROW_ID);
    forget_tokens(&user);
    user.run(PROCESS).failed(3);
}

#[cfg(unix)]
#[test]
fn a_key_of_a_token_command_is_cached_under_the_subject_of_its_token() {
    let user = User::new();
    let [admin, narrow] = [ADMIN_ID, NARROW_ID].map(|subject| user.cloud.issue_token(subject));
    user.use_profile("token-command = ['/bin/sh', '-c', 'echo run >> runs; cat token']");
    for (token, issued) in [(&admin, 1), (&admin, 1), (&narrow, 2), (&admin, 2)] {
        user.write_file("token", token);
        user.run(PROCESS).ok();
        assert_eq!(subjects(&user).len(), issued);
    }
    assert_eq!(fs::read_to_string(user.home().join("runs")).unwrap(), "run\n".repeat(4), "once in each run");
    assert_eq!(subjects(&user), [ADMIN_ID, NARROW_ID]);
}

#[test]
fn a_key_of_a_subject_that_the_server_does_not_name_is_not_cached() {
    let user = on_machine(ADMIN_ID);
    for issued in 1..=2 {
        user.cloud.fault(USERINFO, Fault::unavailable());
        user.run(PROCESS).ok();
        assert_eq!((subjects(&user).len(), entries(&user).len()), (issued, 0));
    }
}

#[test]
fn a_token_that_is_replaced_while_a_key_is_issued_leaves_no_key_of_its_account_in_the_cache() {
    let user = on_machine(ADMIN_ID);
    user.run(PROCESS).ok();
    fs::remove_dir_all(user.cache_dir().join("keys")).unwrap();
    // The token is cached with its subject, and is revoked with the account.
    user.cloud.expire_tokens();
    user.cloud.attach_service_account(NARROW_ID);
    user.run(PROCESS).ok();
    assert_eq!((subjects(&user).last().unwrap().as_str(), entries(&user).len()), (NARROW_ID, 0));
}

#[test]
fn a_cached_key_of_a_lifetime_that_the_cache_makes_useless_is_a_mistake() {
    let user = User::signed_in();
    for line in ["--cache --duration 15m", "--cache --duration 16m", "--cache --min-ttl 30m --duration 30m"] {
        let error = user.run(&format!("iam access-key issue-ephemeral {line}")).failed(2);
        assert!(error.contains("--cache"), "{error}");
    }
    assert!(user.cloud.requests().is_empty());
    user.run("iam access-key issue-ephemeral --cache --duration 17m").ok();
    user.run("iam access-key issue-ephemeral --cache").ok();
}

#[test]
fn a_clock_that_is_half_a_minute_off_does_not_make_a_process_fail() {
    for seconds in [-30, 30] {
        let user = User::new().with_key();
        user.cloud.set_clock_offset(chrono::TimeDelta::seconds(seconds));
        for flags in ["--duration 16m", "--duration 1h --min-ttl 1h"] {
            user.run(&format!("iam access-key issue-ephemeral --export process {flags}")).ok();
        }
    }
}
