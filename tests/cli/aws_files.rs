//! `--aws-profile`: one profile of the AWS credentials file changed, and nothing else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use yc_emulator::EphemeralKey;

use crate::load::{self, Figures, key_lines};
use crate::programs::leave_out;
use crate::support::{Ran, User};
use crate::terminal::Stream::Err as Stderr;
use crate::terminal::at_terminal;

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

#[track_caller]
fn refused_unsent(user: &User, more: &[&str], reason: &str) {
    let message = issue(user, more).failed(2);
    assert!(message.contains(reason), "{message}");
    assert_eq!((user.sent().len(), user.cloud.ephemeral_keys().len()), (0, 0));
}

/// Asserts that a key for the profile `p` of the file `f` is refused with this message about the file, less its path.
#[track_caller]
fn profile_refused(user: &User, file: &str, problem: &str) {
    let home = user.home().display();
    let message = issue(user, &["--aws-profile", "p", "--aws-credentials-file", "f"]).failed(2);
    assert_eq!(message.replace(&format!("{home}/"), ""), format!("ERROR: the AWS {file} {problem}\n"));
    assert_eq!((user.sent().len(), user.cloud.ephemeral_keys().len()), (0, 0));
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
        ("dangling", "is a symbolic link to a file that does not exist"),
        ("/proc/self/x", "cannot be written"),
    ] {
        refused_unsent(&user, &["--aws-credentials-file", path], reason);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "[a]\n");
}

#[test]
fn a_profile_on_which_sdks_disagree_is_refused_by_its_line() {
    let user = User::signed_in();
    for (content, problem) in [
        (
            include_str!("../data/F2-header-inner-space.credentials"),
            "has white space inside the brackets of line 1, which AWS SDKs read in different ways; write [p]",
        ),
        (
            include_str!("../data/F2-header-comment-with-bracket.credentials"),
            "has text after the brackets of line 1, which AWS SDKs read in different ways; write the comment on a line \
             of its own",
        ),
        (
            "[a]\n\t[p]\n",
            "has white space before the bracket of line 2, which AWS SDKs read in different ways; remove it",
        ),
        (
            "[p]\naws_session_token=a\nAWS_SESSION_TOKEN=b\n",
            "has 'aws_session_token' twice in the profile 'p', in lines 2 and 3; remove one of them",
        ),
        (
            "[p]\n[DEFAULT]\naws_session_token = x\n",
            "has 'aws_session_token' in line 3, which AWS SDKs send with the access key of the profile 'p'; remove the \
             line",
        ),
    ] {
        let file = user.write_file("f", content);
        profile_refused(&user, "credentials file f", problem);
        assert_eq!(fs::read_to_string(file).unwrap(), content);
    }
}

#[test]
fn a_profile_of_the_configuration_file_that_beats_the_key_is_refused_by_line_and_key() {
    let mut user = User::signed_in();
    fs::create_dir(user.home().join(".aws")).unwrap();
    for (content, key) in [
        (include_str!("../data/F3-sso.config"), "sso_session"),
        (include_str!("../data/F3-role.config"), "role_arn"),
        ("[profile p]\nweb_identity_token_file = x\n", "web_identity_token_file"),
    ] {
        let problem = format!(
            "has '{key}' in line 2, which AWS SDKs use in place of the access key of the profile 'p'; remove the line, or \
             name another profile"
        );
        user.unset("AWS_CONFIG_FILE");
        user.write_file(".aws/config", content);
        profile_refused(&user, "configuration file .aws/config", &problem);
        user.write_file(".aws/config", "");
        let named = user.write_file("named", content);
        user.set("AWS_CONFIG_FILE", named.to_str().unwrap());
        profile_refused(&user, "configuration file named", &problem);
        assert!(!user.home().join("f").exists());
    }
}

#[test]
fn no_token_of_an_earlier_key_stays_in_the_profile() {
    let user = User::signed_in();
    let file = user.write_file("f", include_str!("../data/F1-security-token.credentials"));
    let to_profile = ["--aws-profile", "p", "--aws-credentials-file", "f"];
    issue(&user, &to_profile).ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("[p]\n{}", key_lines(&last(&user))));
    user.write_file("f", include_str!("../data/F1-security-token.credentials"));
    assert_eq!(user.run_args(["iam", "access-key", "create"].iter().chain(&to_profile)).ok(), "");
    let key = user.cloud.access_keys().pop().unwrap();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("[p]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.key_id, key.secret)
    );
}

#[test]
fn what_the_user_should_know_is_noted_on_a_terminal() {
    let mut user = User::signed_in();
    let config = user.write_file("config-file", include_str!("../data/F5-default-ignore-endpoints.config"));
    user.set("AWS_CONFIG_FILE", config.to_str().unwrap());
    let [file, config] = ["f", "config-file"].map(|name| user.home().join(name).display().to_string());
    let noted = |profile: &str, content: &str| {
        user.write_file("f", content);
        let args = [&ISSUE[..], &["--aws-profile", profile, "--aws-credentials-file", &file]].concat();
        let ran = at_terminal(Stderr, &user, &args);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""));
        let in_place = format!("note: the key {} is in the profile '{profile}' of {file}\n", last(&user).access_key_id);
        ran.err.strip_suffix(&in_place).unwrap().to_owned()
    };
    assert_eq!(
        noted("p", include_str!("../data/G1-bom.credentials")),
        format!(
            "note: the AWS credentials file {file} begins with a byte order mark, so several AWS SDKs cannot read it\n"
        )
    );
    assert_eq!(
        noted("default", "[default]\naws_access_key_id = YCAJEold\n"),
        format!(
            "note: the AWS configuration file {config} has 'ignore_configured_endpoint_urls' in line 2, so AWS SDKs ignore \
             the 'endpoint_url' of the profile 'default'\nnote: the AWS credentials file {file} has a permanent \
             key in line 2, which is replaced in the profile 'default' by one that expires\n"
        )
    );
    assert_eq!(
        noted("p", "[q]\nregion\n\n[p]\n"),
        format!(
            "note: the AWS credentials file {file} has an error in line 2, so several AWS SDKs cannot read it: a line that \
             is not a key with a value, a second section or key of the same name, or text that is not UTF-8\n"
        )
    );
    assert_eq!(noted("q", ""), "");
}

#[test]
fn flags_that_have_no_effect_with_a_profile_are_refused() {
    let mut user = User::signed_in();
    user.set("AWS_ACCESS_KEY_ID", "YCAJE");
    user.set("AWS_SECRET_ACCESS_KEY", "YCs");
    for line in ["iam access-key issue-ephemeral", "iam access-key create", "sts assume-role"] {
        for (flag, value) in [("--jq", ".secret"), ("--format", "json")] {
            let message = user.run_args(line.split(' ').chain(["--aws-profile", "p", flag, value])).failed(2);
            assert_eq!(message, format!("ERROR: --aws-profile has an output form of its own and excludes {flag}\n"));
        }
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
    assert!(!user.home().join(".aws").exists());
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
fn a_link_of_another_user_is_not_followed() {
    let user = User::signed_in();
    let target = user.write_file("mine", "# mine\n");
    let link = user.home().join("link");
    symlink(&target, &link).unwrap();
    if std::os::unix::fs::lchown(&link, Some(54321), None).is_err() {
        return leave_out("the right to give files away");
    }
    refused_unsent(&user, &["--aws-credentials-file", "link"], "is a symbolic link that belongs to another user");
    assert_eq!(fs::read_to_string(&target).unwrap(), "# mine\n");
}

#[test]
fn concurrent_writers_lose_nothing() {
    assert_eq!(load::writers_of_aws_profiles(20, 5), Figures { processes: 100, calls: 100 });
}

/// Asserts that neither command that can write a profile makes a key, and returns the message of the errors.
#[track_caller]
fn no_key_is_made(user: &User, file: &str) -> String {
    let before = fs::read_to_string(user.home().join(file)).unwrap();
    let [first, second] = ["issue-ephemeral", "create"]
        .map(|verb| user.run(&format!("iam access-key {verb} --aws-credentials-file {file}")).failed(2));
    assert_eq!(first, second);
    assert_eq!((user.cloud.ephemeral_keys().len(), user.cloud.access_keys().len()), (0, 0));
    assert_eq!(user.sent(), [] as [&str; 0]);
    assert_eq!(fs::read_to_string(user.home().join(file)).unwrap(), before);
    first
}

pub fn mount(arguments: &[&str]) -> bool {
    let mount = std::process::Command::new("mount").args(arguments).output();
    mount.is_ok_and(|output| output.status.success())
}

/// Unmounts a file or directory when it is dropped.
pub struct Mounted<'a>(pub &'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0).output();
    }
}

#[test]
fn a_mount_point_is_found_before_there_is_a_key() {
    let user = User::signed_in();
    let source = user.write_file("source", "[a]\n");
    let target = user.write_file("f", "[b]\n");
    if !mount(&["--bind", source.to_str().unwrap(), target.to_str().unwrap()]) {
        return leave_out("the right to mount");
    }
    let _mounted = Mounted(&target);
    let message = no_key_is_made(&user, "f");
    assert_eq!(
        message,
        "ERROR: the AWS credentials file f is a mount point, so it cannot be replaced; mount the directory of the file \
         instead\n"
    );
    assert_eq!(names(user.home()), ["f", "source"]);
}

#[test]
fn a_full_disk_is_found_before_there_is_a_key() {
    let user = User::signed_in();
    let disk = user.home().join("disk");
    fs::create_dir(&disk).unwrap();
    // Room for the file and for its copy, but not for a key beside them.
    if !mount(&["-t", "tmpfs", "-o", "size=16k", "tmpfs", disk.to_str().unwrap()]) {
        return leave_out("the right to mount");
    }
    let _mounted = Mounted(&disk);
    user.write_file("disk/f", "[a]\n");
    let message = no_key_is_made(&user, "disk/f");
    assert!(message.contains("disk/f cannot be written: No space left on device"), "{message}");
    assert_eq!(names(&disk), ["f"]);
}

/// A limit on the size of files stands for a disk that is full.
#[test]
fn a_disk_that_is_too_small_for_the_file_is_found_before_there_is_a_key() {
    let user = User::signed_in();
    let before = "# a line that takes room\n".repeat(2000);
    let file = user.write_file("f", &before);
    let script = format!("trap '' XFSZ; ulimit -f 8; exec yc-rs {} --aws-credentials-file f", ISSUE.join(" "));
    let out = user.program("sh").args(["-c", &script]).output().unwrap();
    let err = String::from_utf8(out.stderr).unwrap();
    assert_eq!((out.status.code(), out.stdout.len(), user.sent().len()), (Some(2), 0, 0), "{err}");
    assert!(err.contains("f cannot be written: File too large"), "{err}");
    assert!(fs::read_to_string(&file).unwrap() == before);
    assert_eq!(names(user.home()), ["f"]);
}

#[test]
fn a_key_that_is_not_issued_leaves_the_file_as_it_was() {
    let user = User::signed_in();
    let file = user.write_file("f", "[a]\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    user.cloud.fault(crate::route::CREATE, yc_emulator::Fault::unavailable());
    let modified = fs::metadata(&file).unwrap().modified().unwrap();
    user.run("iam access-key create --aws-credentials-file f --retry 1").failed(5);
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("[a]\n", 0o644));
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), modified);
    assert_eq!(names(user.home()), ["f"]);
}

#[test]
fn a_command_that_is_interrupted_leaves_the_file_as_it_was() {
    let user = User::signed_in();
    let file = user.write_file("f", "[a]\n");
    let hold = user.cloud.hold(crate::route::ISSUE);
    let child = user.start("iam access-key issue-ephemeral --aws-credentials-file f".split(' '));
    hold.wait_until_arrived();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    assert_eq!(Ran::of(child).code, 130);
    hold.release();
    assert_eq!(fs::read_to_string(&file).unwrap(), "[a]\n");
    assert_eq!(names(user.home()), ["f"]);
    assert_eq!(names(user.home()).iter().filter(|name| name.starts_with(".yc-rs-")).count(), 0);
}
