//! What a person at a terminal sees and a script does not.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use yc_emulator::{ADMIN_ID, Emulator, FOLDER_ID, Fault};

use crate::route::{GET, LIST};
use crate::support::{Ran, User};

/// The streams that may be a terminal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stream {
    Out,
    Err,
}

use Stream::{Err, Out};

/// The two ends of a new pseudo-terminal: what a person looks at, and what a program writes to. It has room for every note
/// on one line.
pub fn terminal() -> (File, File) {
    terminal_of(400)
}

/// As [`terminal`], of this many columns.
pub fn terminal_of(columns: u16) -> (File, File) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let path = ptsname(&screen, Vec::new()).unwrap();
    let program = rustix::fs::open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&screen, size).unwrap();
    (screen.into(), program.into())
}

/// What a shell runs first to give its terminal room for every note on one line.
pub const WIDEN: &str = "stty rows 24 cols 400 </dev/tty";

/// A line that a terminal of 80 columns breaks where it should not: one word or one command may be wider, which has a line
/// of its own so that it can be copied.
pub fn line_broken_within_a_word(shown: &str) -> Option<&str> {
    let is_whole = |line: &str| !line.contains(' ') || line.starts_with("yc-rs ") || line.starts_with("yc ");
    shown.lines().find(|line| line.trim_end().chars().count() > 80 && !is_whole(line))
}

/// Everything written to the terminal until the last program has closed it.
fn read_all(mut screen: File) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    // On Linux the end shows as an error, elsewhere as nothing more to read.
    while let Ok(count @ 1..) = screen.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..count]);
    }
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

/// Runs the program with one stream on a terminal and the other in a pipe. What goes to standard error has room for every
/// note on one line.
pub fn at_terminal(stream: Stream, user: &User, args: &[&str]) -> Ran {
    at_terminal_of(if stream == Err { 400 } else { 80 }, stream, user, args)
}

/// As [`at_terminal`], with a terminal of this many columns.
pub fn at_terminal_of(columns: u16, stream: Stream, user: &User, args: &[&str]) -> Ran {
    let (screen, program) = terminal_of(columns);
    let program = Stdio::from(program);
    let mut command = user.command(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match stream {
        Out => command.stdout(program),
        Err => command.stderr(program),
    };
    let child = command.spawn().unwrap();
    drop(command);
    let shown = read_all(screen);
    let ran = Ran::of(child);
    match stream {
        Out => Ran { out: shown, ..ran },
        Err => Ran { err: shown, ..ran },
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A user of a terminal that knows colours.
fn person(cloud: Emulator) -> User {
    let mut user = User::of(cloud).with_key();
    user.set("TERM", "xterm-256color");
    user
}

/// A command line and a part of the note that it prints on a terminal.
fn notes(user: &User) -> Vec<(String, &'static str)> {
    let [one, two, three, four] = [0; 4].map(|_| user.cloud.add_access_key(ADMIN_ID, "").id);
    vec![
        (format!("iam access-key update {one} --description x"), "waiting for the operation on "),
        (format!("iam access-key delete {two}"), "note: deleted "),
        (format!("iam access-key delete {three} {four}"), "deleting 2/2"),
        ("iam access-key list --limit 1".to_owned(), "--limit"),
        ("iam access-key list --no-paginate --page-size 1".to_owned(), "more"),
        ("iam access-key issue-ephemeral --duration 2h".to_owned(), "granted"),
        ("iam access-key create".to_owned(), "the secret is shown only once; save it now\n"),
    ]
}

fn short_lived_tokens() -> Emulator {
    let cloud = Emulator::builder().token_lifetime(Duration::from_secs(3600)).start();
    cloud.add_access_key(ADMIN_ID, "");
    cloud.add_access_key(ADMIN_ID, "");
    cloud
}

#[test]
fn notes_are_shown_on_a_terminal() {
    let user = person(short_lived_tokens());
    for (line, note) in notes(&user) {
        let ran = at_terminal(Err, &user, &words(&line));
        assert!(ran.code == 0 && ran.err.contains(note), "{line}: {ran:#?}");
    }
}

#[test]
fn notes_are_not_shown_in_a_pipe() {
    let user = person(short_lived_tokens());
    for (line, _) in notes(&user) {
        user.run(&line).ok();
    }
    for (line, _) in notes(&user) {
        at_terminal(Out, &user, &words(&line)).ok();
    }
}

#[test]
fn notes_can_be_silenced() {
    let user = person(short_lived_tokens());
    for (line, _) in notes(&user) {
        at_terminal(Err, &user, &words(&format!("{line} --no-user-output"))).ok();
    }
}

#[test]
fn a_variable_that_overrides_the_profile_is_noted() {
    let user = person(Emulator::start()).with_token();
    let ran = at_terminal(Err, &user, &["iam", "access-key", "list"]);
    assert!(ran.code == 0 && ran.err.contains("YC_IAM_TOKEN"), "{ran:#?}");
    user.run("iam access-key list").ok();
}

#[test]
fn a_variable_that_is_set_and_not_used_is_noted() {
    let mut user = person(Emulator::start());
    user.set("YC_TOKEN", "y0_not-used");
    user.set("YC_SERVICE_ACCOUNT_KEY_FILE", "not-used.json");
    let shown = at_terminal(Err, &user, &["iam", "access-key", "list"]);
    assert_eq!(
        shown.err,
        "note: YC_SERVICE_ACCOUNT_KEY_FILE is set, not used: 'service-account-key' of profile 'test' is used instead\n\
         note: YC_TOKEN is set, not used: 'service-account-key' of profile 'test' is used instead\n"
    );
}

#[test]
fn a_list_that_is_complete_and_a_key_as_requested_are_not_noted() {
    let user = person(Emulator::start());
    user.cloud.add_access_key(ADMIN_ID, "");
    for line in ["iam access-key list --limit 1", "iam access-key list", "iam access-key issue-ephemeral --duration 1h"]
    {
        at_terminal(Err, &user, &words(line)).ok();
    }
}

fn coloured(text: &str) -> bool {
    text.contains("\u{1b}[")
}

#[track_caller]
fn has_colour(flag: &str, variables: &[(&str, &str)], on_terminal: bool, in_pipe: bool) {
    let mut user = person(Emulator::start());
    for (name, value) in variables {
        user.set(name, *value);
    }
    let wrong = format!("iam access-key get a/b {flag}");
    for (error, expected) in [(at_terminal(Err, &user, &words(&wrong)), on_terminal), (user.run(&wrong), in_pipe)] {
        assert_eq!((error.code, coloured(&error.err)), (2, expected), "{error:#?}");
    }
    let help = format!("iam access-key list {flag} --help");
    for (help, expected) in [(at_terminal(Out, &user, &words(&help)), on_terminal), (user.run(&help), in_pipe)] {
        assert_eq!((help.code, coloured(&help.out)), (0, expected), "{help:#?}");
    }
}

#[test]
fn colour_is_for_terminals_unless_the_user_says_otherwise() {
    has_colour("", &[], true, false);
    has_colour("", &[("NO_COLOR", "1")], false, false);
    has_colour("", &[("NO_COLOR", "")], true, false);
    has_colour("", &[("CLICOLOR_FORCE", "1")], true, true);
    has_colour("", &[("CLICOLOR_FORCE", "0")], true, false);
    has_colour("", &[("TERM", "dumb")], false, false);
    has_colour("--color auto", &[], true, false);
    has_colour("--color on", &[], true, true);
    has_colour("--color on", &[("NO_COLOR", "1")], true, true);
    has_colour("--color off", &[], false, false);
    has_colour("--color off", &[("CLICOLOR_FORCE", "1")], false, false);
}

#[test]
fn text_yaml_and_json_errors_have_no_colour() {
    let user = person(Emulator::start());
    user.cloud.add_access_key(ADMIN_ID, "");
    for format in ["text", "yaml"] {
        let ran = at_terminal(Out, &user, &["iam", "access-key", "list", "--color", "on", "--format", format]);
        assert!(ran.code == 0 && !ran.out.contains('\u{1b}'), "{ran:#?}");
    }
    let ran = at_terminal(Err, &user, &words("iam access-key get a/b --color on --error-format json"));
    assert!(ran.code == 2 && !ran.err.contains('\u{1b}'), "{ran:#?}");
}

/// Clears the screen, turns the writing direction round, and moves the cursor, C1 and all.
const HOSTILE: &str = "safe\u{1b}[2J\u{202e}gnp.exe\u{2066}\u{9b}1A\u{8}\u{7f}end";

fn hostile_user() -> (User, String) {
    let mut user = person(Emulator::start());
    user.set("NO_COLOR", "1");
    let key = user.cloud.add_access_key(ADMIN_ID, HOSTILE).id;
    (user, key)
}

#[track_caller]
fn shows_escaped(text: &str, case: &str) {
    assert!(text.contains("safe") && text.contains("end"), "{case}: {text:?}");
    let hidden = |c: char| c.is_control() && c != '\n' || "\u{202e}\u{2066}".contains(c);
    assert!(!text.contains(hidden), "{case}: {text:?}");
}

#[test]
fn what_a_terminal_would_act_on_is_shown_escaped() {
    let (user, key) = hostile_user();
    for flags in
        ["", "--format yaml", "--format json", "--format json-rest", "--format table", "--jq .description", "--jq ."]
    {
        let ran = at_terminal(Out, &user, &words(&format!("iam access-key get {key} {flags}")));
        assert_eq!(ran.code, 0, "{ran:#?}");
        shows_escaped(&ran.out, flags);
    }
    let ran = at_terminal(Out, &user, &words("iam access-key list --format table --columns description"));
    shows_escaped(&ran.out, "list");
}

#[test]
fn errors_of_the_server_are_shown_escaped_on_a_terminal() {
    let (user, _) = hostile_user();
    for flags in ["", "--error-format json"] {
        user.cloud.fault(LIST, Fault::status(3, HOSTILE));
        let ran = at_terminal(Err, &user, &words(&format!("iam access-key list {flags}")));
        assert_eq!(ran.code, 1);
        shows_escaped(&ran.err, flags);
    }
    let user = person(Emulator::start());
    user.cloud.fault(GET, Fault::status(5, HOSTILE));
    let ran = at_terminal(Err, &user, &words("iam access-key get abc --color off"));
    shows_escaped(&ran.err, "get");
}

#[test]
fn the_error_of_an_operation_is_shown_escaped_on_a_terminal() {
    let (user, key) = hostile_user();
    user.cloud.fail_next_operation(9, HOSTILE);
    let ran = at_terminal(Err, &user, &["iam", "access-key", "delete", &key]);
    assert_eq!(ran.code, 1);
    shows_escaped(&ran.err, "operation");
}

#[test]
fn the_log_of_bodies_is_shown_escaped_on_a_terminal() {
    let (user, key) = hostile_user();
    let ran = at_terminal(Err, &user, &["iam", "access-key", "get", &key, "--debug-grpc"]);
    assert_eq!(ran.code, 0);
    shows_escaped(&ran.err, "log");
}

#[test]
fn a_pipe_gets_the_text_as_it_is() {
    let (user, key) = hostile_user();
    let raw = user.run(&format!("iam access-key get {key} --jq .description")).ok();
    assert_eq!(raw, format!("{HOSTILE}\n"));
    let shown = user.run(&format!("iam access-key get {key} --format json")).json();
    assert_eq!(shown["description"], HOSTILE);
    user.cloud.fault(LIST, Fault::status(3, HOSTILE));
    let error = user.run("iam access-key list").failed(1);
    assert!(error.contains(HOSTILE), "{error:?}");
}

#[test]
fn only_the_stream_on_the_terminal_is_escaped() {
    let (user, key) = hostile_user();
    let ran = at_terminal(Err, &user, &words(&format!("iam access-key get {key} --jq .description")));
    assert_eq!(ran.ok(), format!("{HOSTILE}\n"));
    user.cloud.fault(LIST, Fault::status(3, HOSTILE));
    let ran = at_terminal(Out, &user, &words("iam access-key list"));
    assert!(ran.code == 1 && ran.err.contains(HOSTILE), "{ran:#?}");
}

#[test]
fn letters_of_other_scripts_are_not_escaped() {
    let user = person(Emulator::start());
    let key = user.cloud.add_access_key(ADMIN_ID, "Ключ «ночной» 🔑").id;
    for flags in ["", "--format table", "--jq .description"] {
        let ran = at_terminal(Out, &user, &words(&format!("iam access-key get {key} {flags}")));
        assert!(ran.out.contains("Ключ «ночной» 🔑"), "{ran:#?}");
    }
    assert!(user.run(&format!("iam access-key get {key} --folder-id {FOLDER_ID}")).ok().contains("Ключ"));
}

/// Users of whom each has a secret in a file that a command reads: the path of the file, the command, and its status.
fn secret_files() -> Vec<(User, std::path::PathBuf, &'static str, i32)> {
    let profile = User::new().with_key();
    let config = profile.config_dir().join("config.toml");
    let mut key = User::new();
    let key_file = key.write_file("key.json", &key.cloud.admin_key().file());
    key.set("YC_SERVICE_ACCOUNT_KEY_FILE", key_file.to_str().unwrap());
    let signer = User::new();
    let secret = signer.write_file("secret", "YCsecret");
    vec![
        (profile, config, "iam create-token --no-user-output", 0),
        (key, key_file, "iam create-token --no-user-output", 0),
        (signer, secret, "sts assume-role --access-key-id YCA --secret-access-key-file secret --no-user-output", 3),
    ]
}

#[test]
fn a_secret_file_that_everybody_can_read_is_warned_of_on_a_terminal_alone() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    for (user, path, line, status) in secret_files() {
        let shown = if path.ends_with("secret") { "secret" } else { path.to_str().unwrap() };
        let warning = format!("WARNING: {shown} holds a secret and can be read by others; type: chmod 600 {shown}\n");
        for (mode, warns) in
            [(0o644, true), (0o604, true), (0o640, false), (0o440, false), (0o660, false), (0o600, false)]
        {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let ran = at_terminal(Err, &user, &words(line));
            assert_eq!(ran.code, status, "{ran:#?}");
            assert_eq!(ran.err.contains(&warning), warns, "{mode:o}: {ran:#?}");
            assert_eq!(ran.err.contains("WARNING"), warns, "{mode:o}: {ran:#?}");
            let ran = user.run(line);
            assert!(!ran.err.contains("WARNING"), "{mode:o}: {ran:#?}");
        }
    }
}

#[test]
fn config_list_masks_secrets_on_a_terminal() {
    let user = User::new().with_key();
    let token = format!("t1.9euelZqXm5yLkpGRkZKR.{}", "aB3_".repeat(22));
    user.use_profile(&format!(
        "token = '{token}'\nfolder-id = 'b1g'\ntoken-command = ['get', '{token}']\n[profiles.p.workload-identity]\n\
         subject-token = 'env:JOB'\n[profiles.p.service-account-key]\nid = 'aje'\nprivate_key = 'PEM'"
    ));
    let masked = "token: '****'\nfolder-id: b1g\ntoken-command:\n  - get\n  - '****'\nworkload-identity:\n  \
                  subject-token: env:JOB\nservice-account-key:\n  id: aje\n  private_key: '****'\n";
    for line in ["config list", "config profile get p"] {
        let ran = at_terminal(Out, &user, &words(line));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, masked, ""), "{line}");
        let shown = at_terminal(Out, &user, &words(&format!("{line} --show-secrets")));
        assert_eq!(
            shown.out,
            masked
                .replace("token: '****'", &format!("token: {token}"))
                .replace("- '****'", &format!("- {token}"))
                .replace("private_key: '****'", "private_key: PEM")
        );
        assert_eq!(user.run(line).ok(), shown.out);
        let ran = at_terminal(Out, &user, &words(&format!("{line} --jq .token")));
        assert_eq!(ran.out, "****\n");
    }
    assert_eq!(at_terminal(Out, &user, &words("config get token")).out, format!("{token}\n"));
}

#[test]
fn create_says_on_a_terminal_that_the_secret_is_shown_once() {
    let user = User::signed_in();
    let note = "note: the secret is shown only once; save it now\n";
    assert_eq!(at_terminal(Err, &user, &words("iam access-key create")).err, note);
    assert_eq!(at_terminal(Err, &user, &words("iam access-key create --export env")).err, "");
    assert_eq!(at_terminal(Err, &user, &words("iam access-key create --no-user-output")).err, "");
    user.run("iam access-key create").ok();
}

/// A user of a terminal that can move the cursor, whose operations take a while.
fn patient_person() -> User {
    person(Emulator::builder().operation_polls(2).page_size(1).start())
}

#[test]
fn many_deletions_are_counted_and_each_is_named() {
    let user = patient_person();
    let ids: Vec<_> = (0..4).map(|_| user.cloud.add_access_key(ADMIN_ID, "").id).collect();
    let ran = at_terminal(
        Err,
        &user,
        &[&["iam", "access-key", "delete"][..], &ids.iter().map(String::as_str).collect::<Vec<_>>()].concat(),
    );
    assert_eq!(ran.code, 0, "{ran:#?}");
    for id in &ids {
        assert!(ran.err.contains(&format!("note: deleted {id}\n")), "{ran:#?}");
    }
    assert!(ran.err.contains("deleting 0/4") && ran.err.ends_with("\r\u{1b}[2K"), "{ran:#?}");
}

#[test]
fn a_retry_says_when_and_which_it_is() {
    let user = patient_person();
    user.cloud.fault(LIST, Fault::status(14, "busy").retry_info(Duration::from_secs(1)));
    let ran = at_terminal(Err, &user, &["iam", "access-key", "list"]);
    assert!(ran.code == 0 && ran.err.contains("retrying in 1 s (2/5)"), "{ran:#?}");
}

#[test]
fn a_long_list_counts_its_pages_where_it_is_not_on_the_terminal() {
    let user = patient_person();
    (0..4).for_each(|_| _ = user.cloud.add_access_key(ADMIN_ID, ""));
    let ran = at_terminal(Err, &user, &["iam", "access-key", "list", "--format", "json"]);
    assert!(ran.code == 0 && ran.err.contains("reading keys: page 2"), "{ran:#?}");
    let ran = at_terminal(Err, &user, &["iam", "access-key", "audit"]);
    assert!(ran.code == 0 && ran.err.contains("reading keys: 0/"), "{ran:#?}");
}

#[test]
fn progress_is_plain_lines_where_the_cursor_cannot_move_or_colour_is_unwanted() {
    for (name, value) in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        let mut user = patient_person();
        user.set(name, value);
        let ids = [0, 1].map(|_| user.cloud.add_access_key(ADMIN_ID, "").id);
        let ran = at_terminal(Err, &user, &["iam", "access-key", "delete", &ids[0], &ids[1]]);
        assert!(ran.code == 0 && !ran.err.contains(['\r', '\u{1b}']), "{ran:#?}");
        let mut lines: Vec<_> = ran.err.lines().collect();
        assert_eq!(lines.remove(0), "note: deleting 0/2");
        lines.sort_unstable();
        let mut expected = ids.map(|id| format!("note: deleted {id}"));
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }
}

#[test]
fn progress_can_be_silenced_and_is_for_terminals() {
    let user = patient_person();
    let id = user.cloud.add_access_key(ADMIN_ID, "").id;
    let silent = at_terminal(Err, &user, &["iam", "access-key", "delete", &id, "--no-user-output"]);
    assert_eq!((silent.code, silent.err.as_str()), (0, ""));
    let id = user.cloud.add_access_key(ADMIN_ID, "").id;
    user.run(&format!("iam access-key delete {id}")).ok();
}
