//! What is wrong before anything is made.

use yc_emulator::NARROW_ID;

use super::{Kind, Rotating};

/// The line fails with this exit status and message, and nothing has changed.
#[track_caller]
fn refused(rotating: &Rotating, line: &str, code: i32, message: &str) {
    let line = format!("iam access-key rotate {line}").replace("OLD", &rotating.old.id);
    let error = rotating.user.run(&line).failed(code);
    assert!(error.contains(message), "{line}: {error}");
    rotating.assert_unchanged(&line);
}

#[test]
fn destinations_that_contradict_each_other_or_are_missing() {
    let rotating = Rotating::to(Kind::Output);
    let more = "more than one destination is given for the new key";
    for (line, message) in [
        ("OLD", "no destination is given for the new key"),
        ("OLD --aws-profile p --output key.json", more),
        ("OLD --output key.json -- ./take", more),
        ("OLD --output key.json --lockbox-secret-id e6q", more),
        ("OLD --output -", "--output names a file, and not standard output"),
        ("OLD --aws-credentials-file aws", "--aws-profile"),
        ("OLD --lockbox-secret-entry a --output key.json", "--lockbox-secret-id"),
        ("OLD --lockbox-secret-id e6q --lockbox-key-id-entry a --lockbox-secret-entry a", "name the same entry"),
        ("OLD --lockbox-secret-id e6q --lockbox-key-id-entry ü", "the name of an entry has"),
        ("OLD --output key.json --no-verify --verify-timeout 1m", "--no-verify"),
        ("OLD --output key.json --verify-timeout 0s", "must be longer than 0"),
        ("--resume OLD --output key.json", "--output"),
        ("--unfinished --abandon OLD", "--abandon"),
        ("OLD --output key.json -- ", "--output key.json"),
    ] {
        if line.ends_with(' ') {
            continue;
        }
        refused(&rotating, line, 2, message);
    }
    assert_eq!(rotating.user.sent(), [""; 0]);
}

#[test]
fn a_destination_that_holds_something_else() {
    let rotating = Rotating::to(Kind::Output);
    let home = rotating.user.home();
    rotating.user.write_file("other", "[p]\naws_access_key_id = YCAother\naws_secret_access_key = x\n");
    rotating.user.write_file("text", "hello");
    rotating.user.write_file("other.json", r#"{"access_key": {"key_id": "YCAother"}, "secret": "x"}"#);
    std::os::unix::fs::symlink("key.json", home.join("link")).unwrap();
    for (line, message) in [
        ("OLD --aws-profile p --aws-credentials-file other", "holds the key YCAother, and not"),
        ("OLD --output other.json", "holds the key YCAother, and not"),
        ("OLD --output text", "is not what `yc-rs iam access-key create --format json` prints"),
        ("OLD --output link", "is a symbolic link"),
        ("OLD --output /dev/null", "is not a regular file"),
        ("OLD -- no-such-command-anywhere", "there is no such command"),
        (
            "OLD -- ./take t1.9euelZqWkZOQkZ.S0mEs1gNaTuReS0mEs1gNaTuReS0mEs1gNaTuReS0mEs1gNaTuReS0mEs1gNaTuReS0mEs1",
            "looks like",
        ),
    ] {
        refused(&rotating, line, 2, message);
    }
    refused(&rotating, "ajenosuchkey --output key.json", 4, "Access key ajenosuchkey not found");
}

#[test]
fn a_secret_of_lockbox_that_takes_no_version() {
    let rotating = Rotating::to(Kind::Lockbox);
    let line = format!("OLD --lockbox-secret-id {}", rotating.secret_id);
    rotating.user.cloud.edit_lockbox_secret(&rotating.secret_id, |secret| secret.status = "INACTIVE".to_owned());
    refused(&rotating, &line, 2, "is INACTIVE, but must be ACTIVE");
    rotating.user.cloud.edit_lockbox_secret(&rotating.secret_id, |secret| secret.generates_passwords = true);
    refused(&rotating, &line, 2, "has generated passwords as its versions");
    refused(&rotating, "OLD --lockbox-secret-id e6qnosuchsecret", 4, "Secret e6qnosuchsecret not found");
}

#[test]
fn a_journal_that_cannot_be_trusted_or_read() {
    use std::os::unix::fs::PermissionsExt;
    let rotating = Rotating::to(Kind::Output);
    let directory = rotating.user.home().join("state/rotations");
    let name = format!("state/rotations/{}.json", rotating.old.id);
    let path = rotating.user.write_file(&name, "{}");
    for (line, code) in
        [(format!("--resume {}", rotating.old.id), 2), (format!("{} --output key.json", rotating.old.id), 2)]
    {
        let error = rotating.user.run(&format!("iam access-key rotate {line}")).failed(code);
        assert!(error.contains("is damaged"), "{error}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        let error = rotating.user.run(&format!("iam access-key rotate {line}")).failed(code);
        assert!(error.contains("can be written by other users"), "{error}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o777)).unwrap();
    let error = rotating.user.run("iam access-key rotate --unfinished").failed(2);
    assert!(error.contains("can be written by other users"), "{error}");
    assert_eq!(rotating.user.sent(), [""; 0]);
}

#[test]
fn rotations_that_are_not_there() {
    let rotating = Rotating::to(Kind::Output);
    for flag in ["--resume", "--abandon"] {
        let error = rotating.user.run(&format!("iam access-key rotate {flag} ajeunknown")).failed(4);
        assert!(error.contains("there is no unfinished rotation of 'ajeunknown'"), "{error}");
    }
    assert_eq!(rotating.user.run("iam access-key rotate --unfinished --format json").ok(), "[]\n");
    assert_eq!(rotating.user.run("iam access-key rotate --resume --format json").ok(), "[]\n");
}

#[test]
fn keys_of_an_account_without_rights() {
    let rotating = Rotating::to(Kind::Output);
    let foreign = rotating.user.cloud.add_access_key(NARROW_ID, "");
    rotating.user.cloud.withdraw_rights(yc_emulator::ADMIN_ID);
    let line = format!("iam access-key rotate {} --output key.json", foreign.id);
    assert!(rotating.user.run(&line).failed(3).contains("PERMISSION_DENIED"));
    assert_eq!(rotating.journals(), [""; 0]);
}
