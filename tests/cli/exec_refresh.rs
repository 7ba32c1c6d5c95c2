//! `iam access-key exec --refresh`: a command that runs for longer than a key is valid, as a child of this program.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use yc_emulator::Fault;

use crate::exec::{signals, write_script};
use crate::load::exit_statuses;
use crate::programs::require_program;
use crate::route::ISSUE;
use crate::serve::{Endpoint, eventually};
use crate::support::{Ran, User};
use crate::terminal::{Stream, at_terminal, terminal};

const MINUTE: Duration = Duration::from_secs(60);

fn exec(user: &User, command: &[&str]) -> Ran {
    user.run_args(["exec", "--refresh", "--"].iter().chain(command))
}

/// Starts a shell script under `exec --refresh`.
fn start(user: &User, script: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = user.start(["exec", "--refresh", "--", "/bin/sh", "-c", script]);
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

fn line(out: &mut impl BufRead) -> String {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

fn send(signal: Signal, child: &Child) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// The endpoint that a script was given, which it prints as `$AWS_CONTAINER_CREDENTIALS_FULL_URI
/// $AWS_CONTAINER_AUTHORIZATION_TOKEN`.
fn endpoint(line: &str) -> Endpoint {
    let (url, token) = line.split_once(' ').unwrap();
    Endpoint::new(url, token)
}

const PRINT_ENDPOINT: &str = "echo $AWS_CONTAINER_CREDENTIALS_FULL_URI $AWS_CONTAINER_AUTHORIZATION_TOKEN";

#[test]
fn the_command_has_the_endpoint_and_nothing_that_comes_before_it() {
    let mut user = User::signed_in();
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_CREDENTIAL_FILE",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_ENDPOINT_URL",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CONFIG_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_REGION",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_MAX_ATTEMPTS",
    ] {
        user.set(name, "from outside");
    }
    let out = exec(&user, &["/usr/bin/env"]).ok();
    let mut found: Vec<_> = out.lines().filter(|line| line.starts_with("AWS_")).collect();
    found.sort_unstable();
    let given = |name| *found.iter().find(|line| line.starts_with(name)).unwrap();
    let (url, token) = (given("AWS_CONTAINER_CREDENTIALS_FULL_URI="), given("AWS_CONTAINER_AUTHORIZATION_TOKEN="));
    assert_eq!(
        found,
        [
            "AWS_CONFIG_FILE=/dev/null",
            token,
            url,
            "AWS_DEFAULT_REGION=ru-central1",
            "AWS_EC2_METADATA_DISABLED=true",
            "AWS_ENDPOINT_URL_S3=https://storage.yandexcloud.net",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false",
            "AWS_MAX_ATTEMPTS=from outside",
            "AWS_REGION=ru-central1",
            "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
            "AWS_USE_DUALSTACK_ENDPOINT=false",
            "AWS_USE_FIPS_ENDPOINT=false",
        ]
    );
    assert_eq!(token.len(), "AWS_CONTAINER_AUTHORIZATION_TOKEN=".len() + 43);
    assert!(!out.contains(&user.cloud.ephemeral_keys()[0].secret));
}

#[test]
fn with_a_policy_the_command_cannot_get_another_key() {
    let user = User::signed_in();
    assert!(user.run("exec --refresh -- /usr/bin/env").ok().contains("YC_IAM_TOKEN="));
    assert!(!user.run("exec --refresh --policy {} -- /usr/bin/env").ok().contains("YC_IAM_TOKEN="));
}

#[test]
fn the_key_is_renewed_while_the_command_runs() {
    let user = User::signed_in();
    user.cloud.set_ephemeral_key_lifetime(62 * Duration::from_secs(1));
    let mut child = user.start([
        "exec",
        "--refresh",
        "--min-ttl",
        "1s",
        "--timeout",
        "20s",
        "--",
        "/bin/sh",
        "-c",
        &format!("{PRINT_ENDPOINT}; read x; exit 3"),
    ]);
    let endpoint = endpoint(&line(&mut BufReader::new(child.stdout.take().unwrap())));
    let first = endpoint.get().1;
    user.cloud.set_ephemeral_key_lifetime(60 * MINUTE);
    eventually("another key is served", || {
        let (status, key) = endpoint.get();
        status == 200 && key != first
    });
    assert_eq!(user.count(ISSUE), 2);
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let ran = Ran::of(child);
    assert_eq!((ran.code, ran.err.as_str()), (3, ""));
    assert!(endpoint.is_gone());
}

#[test]
fn without_a_command_the_shell_of_the_user_is_started() {
    let mut user = User::signed_in();
    write_script(&user, "shell", &format!("#!/bin/sh\n{PRINT_ENDPOINT}\n"));
    user.set("SHELL", user.home().join("shell").to_str().unwrap().to_owned());
    assert!(endpoint(user.run("exec --refresh").ok().trim_end()).is_gone());
}

#[test]
fn a_lifetime_that_makes_many_keys_is_noted_on_a_terminal() {
    let user = User::signed_in();
    let run =
        |duration| at_terminal(Stream::Err, &user, &["exec", "--refresh", "--duration", duration, "--", "/bin/true"]);
    assert_eq!(
        run("16m").err,
        "note: a key with a lifetime of 16m is renewed every minute; with a --duration of at least 21m it is not\n"
    );
    run("21m").ok();
    user.cloud.set_ephemeral_key_lifetime(40 * MINUTE);
    let note = "note: requested a lifetime of 1h, granted ";
    assert!(run("1h").err.starts_with(note), "{}", run("1h").err);
}

#[test]
fn timeout_does_not_cover_the_command() {
    let user = User::signed_in();
    let started = Instant::now();
    let out = user.run_args(["exec", "--refresh", "--timeout", "2s", "--", "/bin/sh", "-c", "sleep 3; echo done"]).ok();
    assert_eq!(out, "done\n");
    assert!(started.elapsed() >= Duration::from_secs(3));
}

#[test]
fn the_exit_status_is_the_commands_own() {
    exit_statuses("--refresh", (0..256).step_by(15).chain([1, 2, 124, 126, 127, 128, 130, 137, 143]));
}

#[test]
fn a_command_that_a_signal_ends_is_ended_by_that_signal() {
    let user = User::signed_in();
    for (name, number) in [
        ("INT", 2),
        ("TERM", 15),
        ("HUP", 1),
        ("QUIT", 3),
        ("KILL", 9),
        ("USR1", 10),
        ("USR2", 12),
        ("ABRT", 6),
        ("PIPE", 13),
        ("SEGV", 11),
        ("ALRM", 14),
    ] {
        let ran = exec(&user, &["/bin/sh", "-c", &format!("kill -{name} $$")]);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (-number, "", ""), "{name}");
    }
    // A signal without a name is told by the exit status.
    assert_eq!(exec(&user, &["/bin/bash", "-c", "kill -40 $$"]).code, 168);
    let files: Vec<_> = std::fs::read_dir(user.home()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(files.iter().all(|name| !name.to_str().unwrap().contains("core")), "{files:?}");
}

#[test]
fn each_signal_reaches_the_command_once() {
    let user = User::signed_in();
    for (name, signal) in [
        ("INT", Signal::INT),
        ("TERM", Signal::TERM),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
    ] {
        let end = if name == "USR1" { "USR2" } else { "USR1" };
        let script = format!(
            "trap 'n=$((n+1)); echo {name} $n' {name}; trap 'exit 5' {end}; echo ready; while :; do sleep 0.05; done"
        );
        let (child, mut out) = start(&user, &script);
        assert_eq!(line(&mut out), "ready");
        for time in 1..=2 {
            send(signal, &child);
            assert_eq!(line(&mut out), format!("{name} {time}"));
        }
        send(if name == "USR1" { Signal::USR2 } else { Signal::USR1 }, &child);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!((Ran::of(child).code, rest.as_str()), (5, ""), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_begins_with_the_signals_that_the_user_gave() {
    let user = User::signed_in();
    assert_eq!(signals(&exec(&user, &["/bin/cat", "/proc/self/status"]).ok()), [0, 0, 0]);
    let script = "trap '' INT HUP QUIT USR1; exec yc-rs exec --refresh -- cat /proc/self/status";
    let out = user.program("sh").args(["-c", script]).output().unwrap();
    let [blocked, ignored, caught] = signals(&String::from_utf8(out.stdout).unwrap())[..] else { unreachable!() };
    assert_eq!((blocked, ignored, caught), (0, 0b10_0000_0111, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_may_leave_core_files_as_without_the_program() {
    let user = User::signed_in();
    let mut shell = user.program("sh");
    let out = shell.args(["-c", "ulimit -S -c unlimited; exec yc-rs exec --refresh -- sh -c 'ulimit -S -c'"]);
    assert_eq!(out.output().unwrap().stdout, b"unlimited\n");
}

#[test]
fn a_child_of_the_command_does_not_hold_it_up() {
    let user = User::signed_in();
    let script = format!("{PRINT_ENDPOINT}\nsleep 100 >/dev/null 2>&1 & echo $!; exit 4");
    let (child, mut out) = start(&user, &script);
    let endpoint = endpoint(&line(&mut out));
    let left: i32 = line(&mut out).parse().unwrap();
    assert_eq!(Ran::of(child).code, 4);
    assert!(endpoint.is_gone());
    kill_process(Pid::from_raw(left).unwrap(), Signal::KILL).unwrap();
}

/// The state of a process: `R` or `S` when it runs, `T` when it is stopped.
#[cfg(target_os = "linux")]
fn state(pid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_stops_and_continues_with_the_command() {
    let user = User::signed_in();
    let (child, mut out) = start(&user, "echo $$; read x; echo continued");
    let pid: i32 = line(&mut out).parse().unwrap();
    let own = i32::try_from(child.id()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::STOP).unwrap();
    eventually("both are stopped", || state(own) == 'T' && state(pid) == 'T');
    send(Signal::CONT, &child);
    eventually("both continue", || state(own) != 'T' && state(pid) != 'T');
    let mut child = child;
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(line(&mut out), "continued");
    assert_eq!(Ran::of(child).code, 0);
}

#[test]
fn what_is_wrong_is_found_before_there_is_a_key() {
    let mut user = User::signed_in();
    user.set("PATH", user.home().to_str().unwrap().to_owned());
    write_script(&user, "run", "#!/nonexistent/interpreter\n");
    exec(&user, &["nonesuch"]).failed(127);
    exec(&user, &["run"]).failed(127);
    exec(&user, &["/"]).failed(126);
    for line in [
        "exec --refresh",
        "exec --refresh --",
        "exec --refresh --cache -- /bin/true",
        "exec --refresh --no-cache -- /bin/true",
        "exec --refresh --format json -- /bin/true",
        "exec --refresh --jq . -- /bin/true",
        "exec --refresh --duration 15m -- /bin/true",
        "exec --refresh --duration 20m --min-ttl 21m -- /bin/true",
        "exec --refresh --min-ttl x -- /bin/true",
        "exec --refresh --region a/b -- /bin/true",
        "exec --refresh --policy nonesuch -- /bin/true",
        "exec --refresh=yes -- /bin/true",
    ] {
        user.run(line).failed(2);
    }
    let message = user.run("exec --refresh --duration 15m -- /bin/true").failed(2);
    assert!(message.ends_with("\nhint: give at least 16m, or a shorter --min-ttl\n"), "{message}");
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn without_a_key_that_lasts_the_command_is_not_started() {
    let user = User::signed_in();
    user.cloud.fault(ISSUE, Fault::status(7, "Permission denied"));
    exec(&user, &["/bin/echo", "run"]).failed(3);
    user.cloud.set_ephemeral_key_lifetime(10 * MINUTE);
    let message = exec(&user, &["/bin/echo", "run"]).failed(1);
    assert!(message.contains("the server granted a lifetime of"), "{message}");
    let hold = user.cloud.hold(ISSUE);
    let child = user.start(["exec", "--refresh", "--", "/bin/echo", "run"]);
    hold.wait_until_arrived();
    send(Signal::TERM, &child);
    let message = Ran::of(child).failed(143);
    hold.release();
    assert!(message.starts_with("ERROR: interrupted by SIGTERM\n"), "{message}");
}

/// A shell with job control at a terminal of its own, and what it shows.
struct Session {
    shell: Child,
    keyboard: File,
    screen: Receiver<String>,
    /// What was shown since the last text that was expected.
    shown: String,
    /// What was shown before that text.
    seen: String,
}

impl Session {
    /// Starts an interactive shell of which the terminal is the controlling one.
    fn start(user: &User, shell: &[&str]) -> Self {
        let (keyboard, line) = terminal();
        let mut command: Command = user.program("setsid");
        command.args(["--ctty", "--wait"]).args(shell).env("PS1", PROMPT).env("TERM", "dumb").env("ENV", "");
        command.stdin(line.try_clone().unwrap()).stdout(line.try_clone().unwrap()).stderr(line);
        let shell = command.spawn().unwrap();
        let (sender, screen) = channel();
        let mut reader = keyboard.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut chunk = [0; 1024];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                if sender.send(String::from_utf8_lossy(&chunk[..count]).into_owned()).is_err() {
                    break;
                }
            }
        });
        Self { shell, keyboard, screen, shown: String::new(), seen: String::new() }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the text is shown, and forgets what was shown up to its end.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + MINUTE;
        loop {
            if let Some(at) = self.shown.find(text) {
                self.seen = self.shown.drain(..at + text.len()).collect();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown.push_str(&more),
                Err(error) => panic!("{error}: {text:?} is not in {:?}", self.shown),
            }
        }
    }

    /// Types a line and waits for its output, whose echo on the screen differs by the quotes in it.
    #[track_caller]
    fn start_job(&mut self, line: &str, expected: &str) {
        self.press(&format!("{line}\n"));
        self.expect(expected);
    }

    /// The same, and waits until the shell is ready for another line.
    #[track_caller]
    fn run(&mut self, line: &str, expected: &str) {
        self.start_job(line, expected);
        self.expect(PROMPT);
    }

    #[track_caller]
    fn end(mut self) {
        self.press("exit 0\n");
        assert!(self.shell.wait().unwrap().success());
    }
}

/// What the shell shows when it waits for a command line.
const PROMPT: &str = "prompt> ";

const SHELLS: [&[&str]; 2] = [&["bash", "--norc", "--noprofile", "-i"], &["dash", "-i"]];

const EXEC: &str = "yc-rs exec --refresh --";

/// Waits in a command until it has the terminal: a Ctrl-Z while it is stopped for want of it would be lost.
const HAS_TERMINAL: &str = "while ! ps -o stat= -p $$ | grep -q +; do sleep 0.01; done";

/// A check at the shells of the machine.
fn at_each_shell(check: impl Fn(&mut Session)) {
    if !require_program("setsid") {
        return;
    }
    for shell in SHELLS.into_iter().filter(|shell| require_program(shell[0])) {
        let user = User::signed_in();
        let mut session = Session::start(&user, shell);
        session.expect(PROMPT);
        check(&mut session);
        session.run("echo the' shell' works", "the shell works");
        session.end();
    }
}

#[test]
fn ctrl_c_ends_the_command_and_the_program_by_sigint() {
    at_each_shell(|session| {
        session.start_job(&format!("{EXEC} sh -c 'echo rea\"dy\"; exec sleep 100'"), "ready");
        session.press("\u{3}");
        session.expect(PROMPT);
        session.run("echo status' '$?", "status 130");
        // One that handles it goes on, and is sent it once.
        let handler = "trap \"echo g\"o\"t it; exit 6\" INT";
        session.start_job(&format!("{EXEC} sh -c '{handler}; echo rea\"dy\"; while :; do sleep 0.1; done'"), "ready");
        session.press("\u{3}");
        session.expect("got it");
        session.expect(PROMPT);
        session.run("echo status' '$?", "status 6");
    });
}

#[test]
fn ctrl_z_stops_both_and_fg_continues_both() {
    at_each_shell(|session| {
        let read = "while read x; do echo \"<$x>\"; done";
        session.start_job(&format!("{EXEC} sh -c '{HAS_TERMINAL}; echo rea\"dy\"; {read}; exit 7'"), "ready");
        for text in ["one", "two", "three"] {
            session.press("\u{1a}");
            session.expect("Stopped");
            session.expect(PROMPT);
            session.start_job("fg", "yc-rs exec --refresh");
            session.start_job(text, &format!("<{text}>"));
        }
        session.press("\u{4}");
        session.expect(PROMPT);
        session.run("echo status' '$?", "status 7");
    });
}

#[test]
fn in_the_background_a_command_that_reads_is_stopped_until_fg() {
    at_each_shell(|session| {
        let wait = "jobs >j; while ! grep -q Stopped j; do sleep 0.1; jobs >j; done; echo a'gain'";
        session.start_job(&format!("{EXEC} sh -c '{HAS_TERMINAL}; echo rea\"dy\"; read x; echo \"<$x>\"'"), "ready");
        session.press("\u{1a}");
        session.expect("Stopped");
        session.expect(PROMPT);
        session.run("bg", "yc-rs exec --refresh");
        session.run(wait, "again");
        session.start_job("fg", "yc-rs exec --refresh");
        session.run("text", "<text>");
        // Started in the background it does not get the terminal either.
        session.run(&format!("{EXEC} sh -c 'read x; echo \"<$x>\"' &"), "");
        session.run(wait, "again");
        session.start_job("fg", "yc-rs exec --refresh");
        session.run("more", "<more>");
    });
}

#[test]
fn the_command_is_the_foreground_of_the_terminal_and_a_shell_in_it_has_its_own_jobs() {
    at_each_shell(|session| {
        session.run(&format!("{EXEC} sh -c 'ps -o stat= -p $$ | grep -q + && echo fore\"ground\"'"), "foreground");
        session.start_job(&format!("PS1='inner ' {EXEC} bash --norc --noprofile -i"), "inner ");
        session.start_job("sh -c 'echo rea\"dy\"; read x; echo \"<$x>\"'", "ready");
        session.press("\u{1a}");
        session.expect("Stopped");
        session.expect("inner ");
        session.start_job("fg", "read x");
        session.start_job("text", "<text>");
        session.expect("inner ");
        session.start_job("sh -c 'echo rea\"dy\"; exec sleep 100'", "ready");
        session.press("\u{3}");
        session.expect("inner ");
        session.start_job("echo status' '$?", "status 130");
        session.expect("inner ");
        session.press("exit 9\n");
        session.expect(PROMPT);
        session.run("echo status' '$?", "status 9");
    });
}

#[test]
fn the_terminal_is_taken_back_from_a_command_that_is_killed() {
    at_each_shell(|session| {
        session.run(&format!("{EXEC} sh -c 'kill -KILL $$'"), "");
        session.run("echo status' '$?", "status 137");
        session.run(&format!("{EXEC} sh -c 'sleep 3 & kill -TERM $$'"), "");
        session.run("echo status' '$?", "status 143");
    });
}

#[test]
fn a_script_is_ended_by_ctrl_c_together_with_the_command() {
    at_each_shell(|session| {
        let script = format!("bash -c '{EXEC} sh -c \"echo rea\\\"dy\\\"; exec sleep 100\"; echo go\"es\" on'");
        session.start_job(&script, "ready");
        session.press("\u{3}");
        session.run("", "");
        assert!(!session.seen.contains("goes on"), "{}", session.seen);
        session.run("echo status' '$?", "status 130");
    });
}
