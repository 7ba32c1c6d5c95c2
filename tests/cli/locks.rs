//! Locks that another process holds: no command waits for ever, and none costs a key.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{Ran, User};
use crate::terminal::terminal;

/// Takes the lock of this file, as another process would.
fn hold(path: &Path) -> File {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.lock().unwrap();
    file
}

/// The command lines that wait for a lock, each with the lock file; the second value is the file that the lock is for.
fn cases(user: &User) -> Vec<(&'static str, PathBuf, PathBuf)> {
    let home = user.home();
    let mut cases = vec![
        ("iam access-key issue-ephemeral --aws-credentials-file aws", home.join(".aws.yc-rs.lock"), home.join("aws")),
        ("iam access-key create --aws-credentials-file aws", home.join(".aws.yc-rs.lock"), home.join("aws")),
        ("config set folder-id b1h", user.config_dir().join("config.lock"), user.config_dir().join("config.toml")),
        ("config profile activate test", user.config_dir().join("config.lock"), user.config_dir().join("config.toml")),
    ];
    for (line, kind) in
        [("iam create-token", "tokens"), ("iam access-key issue-ephemeral --duration 1h --cache", "keys")]
    {
        user.run(line).ok();
        let directory = user.cache_dir().join(kind).read_dir().unwrap();
        let lock = directory.map(|file| file.unwrap().path()).find(|path| path.extension().unwrap() == "lock");
        let lock = lock.unwrap();
        cases.push((line, lock.clone(), lock.with_extension("json")));
    }
    cases
}

#[test]
fn a_wait_for_a_lock_is_ended_by_timeout_and_no_key_is_made() {
    let user = User::new().with_key();
    for (line, lock, _) in cases(&user) {
        user.run("cache clear").ok();
        let keys = user.cloud.ephemeral_keys().len();
        let _held = hold(&lock);
        let message = user.run(&format!("{line} --timeout 1s")).failed(5);
        assert_eq!(message.lines().next(), Some("ERROR: not done within the 1s of --timeout"), "{line}");
        assert_eq!((user.cloud.ephemeral_keys().len(), user.cloud.access_keys().len()), (keys, 0), "{line}");
    }
}

#[test]
fn a_wait_for_a_lock_is_noted_and_goes_on_when_the_lock_is_released() {
    let user = User::new().with_key();
    for (line, lock, file) in cases(&user) {
        user.run("cache clear").ok();
        let held = hold(&lock);
        let (mut screen, program) = terminal();
        let mut command = user.command(line.split(' '));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(program);
        let child = command.spawn().unwrap();
        drop(command);
        let note = format!("note: waiting for another process that holds the lock of {}\r\n", file.display());
        let note = note.replace(&format!("{}/aws", user.home().display()), "aws");
        let mut shown = vec![0; note.len()];
        screen.read_exact(&mut shown).unwrap();
        assert_eq!(String::from_utf8(shown).unwrap(), note, "{line}");
        drop(held);
        // The terminal must be read, or the program could not write its last line.
        let rest = std::thread::spawn(move || screen.read_to_end(&mut Vec::new()));
        assert_eq!(Ran::of(child).code, 0, "{line}");
        let _ = rest.join().unwrap();
    }
}

#[test]
fn the_lock_of_the_aws_file_is_held_until_the_key_is_there() {
    let user = User::signed_in();
    let hold = user.cloud.hold(crate::route::ISSUE);
    let child = user.start("iam access-key issue-ephemeral --aws-credentials-file aws".split(' '));
    hold.wait_until_arrived();
    let lock = File::open(user.home().join(".aws.yc-rs.lock")).unwrap();
    assert!(lock.try_lock().is_err());
    hold.release();
    assert_eq!(Ran::of(child).code, 0);
    assert!(lock.try_lock().is_ok());
}
