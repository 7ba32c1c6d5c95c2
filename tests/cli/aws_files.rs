//! `--aws-profile`: one profile of the AWS credentials file changed, and nothing else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use yc_emulator::EphemeralKey;

use crate::load::{self, Figures, key_lines};
use crate::programs::leave_out;
use crate::support::{Ran, User};

const ISSUE: [&str; 5] = ["iam", "access-key", "issue-ephemeral", "--duration", "1h"];

fn issue(user: &User, more: &[&str]) -> Ran {
    user.run_args(ISSUE.iter().chain(more))
}

fn last(user: &User) -> EphemeralKey {
    user.cloud.ephemeral_keys().pop().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The names in a directory, less that of the lock.
fn names(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.contains(".yc-rs.lock")).collect();
    names.sort();
    names
}

const PLACE: &str = "region = ru-central1\nendpoint_url = https://storage.yandexcloud.net\n";

#[test]
fn a_file_that_is_not_there_is_made_private_and_nothing_is_printed() {
    let user = User::signed_in();
    assert_eq!(issue(&user, &["--aws-profile", "yc"]).ok(), "");
    let file = user.home().join(".aws/credentials");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("[yc]\n{}{PLACE}", key_lines(&last(&user))));
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(names(file.parent().unwrap()), ["credentials"]);
}

#[test]
fn the_file_is_that_of_flag_or_variable_and_the_profile_is_default() {
    let mut user = User::signed_in();
    assert_eq!(issue(&user, &["--aws-credentials-file", "here/keys"]).ok(), "");
    let written = fs::read_to_string(user.home().join("here/keys")).unwrap();
    assert_eq!(written, format!("[default]\n{}{PLACE}", key_lines(&last(&user))));
    user.set("AWS_SHARED_CREDENTIALS_FILE", "there");
    issue(&user, &["--aws-profile", "a", "--region", "kz1"]).ok();
    let written = fs::read_to_string(user.home().join("there")).unwrap();
    assert!(written.starts_with("[a]\n") && written.contains("region = kz1\n"), "{written}");
    assert!(!user.home().join(".aws").exists());
}

#[test]
fn everything_but_the_three_keys_is_kept_byte_for_byte() {
    let user = User::signed_in();
    let before = "\u{feff}# top\r\n[other]\r\naws_access_key_id=X\r\n\r\n[p]\r\n; why\r\nregion=eu\r\n\
                  AWS_ACCESS_KEY_ID=old\r\nendpoint_url = https://mine\r\ns3 =\r\n  addressing_style = path\r\n\
                  aws_secret_access_key : old\r\n\r\n[tail]\r\nx = y";
    let file = user.write_file("f", before);
    issue(&user, &["--aws-profile", "p", "--aws-credentials-file", "f"]).ok();
    let key = last(&user);
    let after = before.replace("AWS_ACCESS_KEY_ID=old", &format!("AWS_ACCESS_KEY_ID={}", key.access_key_id)).replace(
        "aws_secret_access_key : old\r\n",
        &format!("aws_secret_access_key : {}\r\naws_session_token = {}\r\n", key.secret, key.session_token),
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), after);
}

#[test]
fn a_wide_mode_becomes_a_narrow_one() {
    let user = User::signed_in();
    let file = user.write_file("f", "[a]\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    issue(&user, &["--aws-credentials-file", "f"]).ok();
    assert_eq!(mode(&file), 0o600);
}

fn refused_unsent(user: &User, more: &[&str], reason: &str) {
    let message = issue(user, more).failed(2);
    assert!(message.contains(reason), "{message}");
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn a_file_that_cannot_be_written_is_found_before_there_is_a_key() {
    let user = User::signed_in();
    let home = user.home();
    fs::create_dir(home.join("folder")).unwrap();
    let file = user.write_file("read-only", "[a]\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    user.write_file("twice", "[default]\n[b]\n[default]\n");
    user.write_file("odd", "[default]\nwhat is this\n");
    symlink("nowhere", home.join("dangling")).unwrap();
    for (path, reason) in [
        ("folder", "folder is not a regular file"),
        ("read-only", "is read-only"),
        ("read-only/x", "cannot be"),
        ("/dev/null", "/dev/null "),
        ("twice", "has the profile 'default' twice, in lines 1 and 3"),
        ("odd", "line 2"),
        ("dangling", "leads nowhere"),
        ("/proc/self/x", "cannot be written"),
    ] {
        refused_unsent(&user, &["--aws-credentials-file", path], reason);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "[a]\n");
}

#[test]
fn hostile_names_of_profiles_are_refused() {
    let user = User::signed_in();
    for name in ["", "a b", "a]b", "[a", "a/b", "a\\b", "a\nb", "a\tb", "DEFAULT"] {
        refused_unsent(&user, &["--aws-profile", name], "profile");
    }
    assert!(!user.home().join(".aws").exists());
}

#[test]
fn a_link_to_a_file_of_ones_own_is_followed() {
    let user = User::signed_in();
    fs::create_dir(user.home().join("dotfiles")).unwrap();
    let target = user.write_file("dotfiles/keys", "# mine\n");
    let link = user.home().join("link");
    symlink("dotfiles/keys", &link).unwrap();
    issue(&user, &["--aws-credentials-file", "link"]).ok();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().starts_with("# mine\n\n[default]\n"));
    assert_eq!((mode(&target), names(&user.home().join("dotfiles")).len()), (0o600, 1));
}

#[test]
fn a_file_of_another_user_is_refused() {
    let user = User::signed_in();
    let target = user.write_file("theirs", "# theirs\n");
    if std::os::unix::fs::chown(&target, Some(54321), None).is_err() {
        return leave_out("the right to give files away");
    }
    symlink(&target, user.home().join("link")).unwrap();
    refused_unsent(&user, &["--aws-credentials-file", "link"], "theirs, which belongs to another user");
    refused_unsent(&user, &["--aws-credentials-file", "theirs"], "belongs to another user");
    assert_eq!(fs::read_to_string(&target).unwrap(), "# theirs\n");
}

#[test]
fn concurrent_writers_lose_nothing() {
    assert_eq!(load::writers_of_aws_profiles(20, 5), Figures { processes: 100, calls: 100 });
}

/// A limit on the size of files stands for a disk that is full.
#[test]
fn a_full_disk_leaves_the_file_as_it_was() {
    let user = User::signed_in();
    let before = "# a line that takes room\n".repeat(2000);
    let file = user.write_file("f", &before);
    let script = format!("trap '' XFSZ; ulimit -f 8; exec yc-rs {} --aws-credentials-file f", ISSUE.join(" "));
    let out = user.program("sh").args(["-c", &script]).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    let key = last(&user);
    assert_eq!((out.status.code(), out.stdout.len()), (Some(1), 0), "{err}");
    assert!(err.contains("f cannot be written: File too large"), "{err}");
    assert!(err.contains(&format!("hint: the secret of the key {} is lost", key.access_key_id)), "{err}");
    assert!(!err.contains(&key.secret));
    assert!(fs::read_to_string(&file).unwrap() == before);
    assert_eq!(names(user.home()).iter().filter(|name| name.starts_with(".yc-rs-")).count(), 0);
}
