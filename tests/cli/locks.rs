//! Locks that another process holds: no command waits for ever, and none costs a key.

use std::fs::File;
use std::io::Read;
#[cfg(target_os = "linux")]
use std::io::Write;
#[cfg(target_os = "linux")]
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
#[cfg(target_os = "linux")]
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use rustix::process::Signal;

use crate::crashes;
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
        cases.push((line, lock.clone(), lock));
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

/// Waits until a process has opened a lock file of the cache.
#[cfg(target_os = "linux")]
fn wait_until_waiting(child: &std::process::Child) {
    let descriptors = format!("/proc/{}/fd", child.id());
    let has_lock = || {
        let files =
            std::fs::read_dir(&descriptors).unwrap().filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        files.into_iter().any(|file| file.extension() == Some("lock".as_ref()))
    };
    while !has_lock() {
        std::thread::yield_now();
    }
}

/// A server that is unavailable. The first request is announced and then held back until a message comes; the number of
/// requests is counted.
#[cfg(target_os = "linux")]
fn unavailable() -> (String, Receiver<()>, Sender<()>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let ((announce, arrived), (release, released)) = (channel(), channel());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut chunk = [0; 1024];
                let length = client.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..length]);
            }
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                announce.send(()).unwrap();
                released.recv().unwrap();
            }
            let body = r#"{"code": 14, "message": "The service is unavailable"}"#;
            let head = format!("HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: {}", body.len());
            write!(client, "{head}\r\n\r\n{body}").unwrap();
        }
    });
    (url, arrived, release, count)
}

#[cfg(target_os = "linux")]
#[test]
fn processes_that_wait_for_one_that_fails_take_its_failure_and_later_ones_do_not() {
    let cases = [
        (User::new().with_key(), "iam create-token --retry 0"),
        (User::signed_in(), "iam access-key issue-ephemeral --duration 1h --cache --retry 0"),
    ];
    for (mut user, line) in cases {
        let (url, arrived, release, count) = unavailable();
        user.point_at(&url);
        let children: Vec<_> = (0..20).map(|_| user.start(line.split(' '))).collect();
        arrived.recv().unwrap();
        children.iter().for_each(wait_until_waiting);
        release.send(()).unwrap();
        let errors: Vec<_> = children.into_iter().map(|child| Ran::of(child).failed(5)).collect();
        assert!(errors.iter().all(|error| *error == errors[0]), "{errors:#?}");
        assert_eq!(count.load(Ordering::SeqCst), 1, "{line}");
        user.run(line).failed(5);
        assert_eq!(count.load(Ordering::SeqCst), 2, "{line}");
    }
}

#[test]
fn processes_behind_one_that_is_stopped_name_it_after_30_seconds() {
    let longest = crashes::stopped_holder(3);
    assert!(longest.as_secs() >= 30, "{longest:?}");
}

#[test]
fn processes_that_are_killed_leave_files_that_can_be_read_and_nothing_after_one_more_write() {
    let left = crashes::end_writers(Signal::KILL, 48);
    assert!(left.ended > 0, "{left:?}");
    assert_eq!(left.after_a_write, 0, "{left:?}");
}

#[test]
fn processes_that_are_ended_by_sigterm_leave_no_temporary_file() {
    let left = crashes::end_writers(Signal::TERM, 48);
    assert!(left.ended > 0, "{left:?}");
    assert_eq!(left.at_once, 0, "{left:?}");
}

#[cfg(unix)]
#[test]
fn a_lock_file_that_is_a_link_leaves_the_file_it_leads_to_alone() {
    let user = User::signed_in();
    let file = user.write_file("mine", "text");
    std::os::unix::fs::symlink(&file, user.home().join(".aws.yc-rs.lock")).unwrap();
    user.run("iam access-key create --aws-credentials-file aws").failed(2);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "text");
    assert_eq!(user.sent(), [""; 0]);
}
