//! `iam access-key exec`: a command with a key in its environment, in the place of this program.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::aws_files::{Mounted, mount};
use crate::load::exit_statuses;
use crate::programs::leave_out;
use crate::support::{Ran, User};

fn exec(user: &User, command: &[&str]) -> Ran {
    user.run_args(["iam", "access-key", "exec", "--duration", "15m", "--"].iter().chain(command))
}

#[test]
fn the_command_has_the_key_and_nothing_that_competes() {
    let mut user = User::signed_in();
    for name in [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SECURITY_TOKEN",
        "AWS_ACCESS_KEY",
        "AWS_SECRET_KEY",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_SESSION_TOKEN",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_ENDPOINT_URL",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_CONFIG_FILE",
        "AWS_REGION",
        "MINE",
    ] {
        user.set(name, "from outside");
    }
    let out = exec(&user, &["/usr/bin/env"]).ok();
    let mut found: Vec<_> = out.lines().filter(|line| line.starts_with("AWS_") || line.starts_with("MINE")).collect();
    found.sort_unstable();
    let key = user.cloud.ephemeral_keys().pop().unwrap();
    let end = found.iter().find(|line| line.starts_with("AWS_CREDENTIAL_EXPIRATION=")).unwrap().to_string();
    let mut wanted = [
        format!("AWS_ACCESS_KEY_ID={}", key.access_key_id),
        format!("AWS_SECRET_ACCESS_KEY={}", key.secret),
        format!("AWS_SESSION_TOKEN={}", key.session_token),
        end,
        "AWS_REGION=ru-central1".to_owned(),
        "AWS_DEFAULT_REGION=ru-central1".to_owned(),
        "AWS_ENDPOINT_URL_S3=https://storage.yandexcloud.net".to_owned(),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false".to_owned(),
        "AWS_USE_FIPS_ENDPOINT=false".to_owned(),
        "AWS_USE_DUALSTACK_ENDPOINT=false".to_owned(),
        "AWS_CONFIG_FILE=from outside".to_owned(),
        "MINE=from outside".to_owned(),
    ];
    wanted.sort();
    assert_eq!(found, wanted);
    assert_eq!(key.duration.unwrap().as_secs(), 900);
}

#[test]
fn without_a_command_the_shell_of_the_user_is_started() {
    let mut user = User::signed_in();
    write_script(&user, "shell", "#!/bin/sh\necho \"$# $AWS_ACCESS_KEY_ID\"\n");
    user.set("SHELL", user.home().join("shell").to_str().unwrap().to_owned());
    for line in ["exec", "iam access-key exec", "exec --duration 15m"] {
        let out = user.run(line).ok();
        assert_eq!(out, format!("0 {}\n", user.cloud.ephemeral_keys().pop().unwrap().access_key_id), "{line}");
    }
}

#[test]
fn an_empty_command_starts_no_shell() {
    let mut user = User::signed_in();
    for line in ["exec", "iam access-key exec"] {
        assert_eq!(
            user.run(line).failed(2),
            "ERROR: no command is given, and SHELL, which names your shell, is not set\n\
             hint: to run a command, type: yc-rs exec -- COMMAND\n"
        );
    }
    user.set("SHELL", "/bin/sh");
    for line in ["exec", "iam access-key exec"] {
        assert_eq!(
            user.run(&format!("{line} --duration 15m --")).failed(2),
            format!(
                "ERROR: the following required arguments were not provided:\n  <COMMAND>...\n\
                 hint: Usage: yc-rs {line} [OPTIONS] [-- <COMMAND>...]\n"
            )
        );
    }
    user.set("SHELL", "/nonexistent/shell");
    let message = user.run("exec").failed(127);
    assert!(message.starts_with("ERROR: cannot run '/nonexistent/shell': there is no such command\n"), "{message}");
    assert_eq!(user.sent(), [] as [&str; 0]);
    assert_eq!(user.run("exec -- /bin/echo --").ok(), "--\n");
}

#[test]
fn the_exit_status_is_the_commands_own() {
    exit_statuses("--duration 15m", (0..10).chain([124, 125, 126, 127, 128, 130, 137, 143, 254, 255]));
}

#[test]
fn a_command_that_a_signal_ends_is_ended_by_that_signal() {
    let user = User::signed_in();
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("KILL", 9), ("PIPE", 13)] {
        assert_eq!(exec(&user, &["/bin/sh", "-c", &format!("kill -{name} $$")]).code, -number);
    }
}

#[test]
fn signals_reach_the_command() {
    let user = User::signed_in();
    for (name, signal) in [("TERM", Signal::TERM), ("INT", Signal::INT), ("HUP", Signal::HUP)] {
        let script = format!("trap 'echo got {name}; exit 5' {name}; echo ready; while :; do sleep 0.05; done");
        let mut child = user.start(["iam", "access-key", "exec", "--", "/bin/sh", "-c", &script]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        kill_process(Pid::from_child(&child), signal).unwrap();
        line.clear();
        out.read_line(&mut line).unwrap();
        assert_eq!((line.as_str(), child.wait().unwrap().code()), (format!("got {name}\n").as_str(), Some(5)));
    }
}

/// Lines of `/proc/self/status` of the command: blocked, ignored and caught signals, less those of the C library.
#[cfg(target_os = "linux")]
pub fn signals(out: &str) -> Vec<u64> {
    let masks = ["SigBlk:", "SigIgn:", "SigCgt:"];
    let line = |mask: &&str| out.lines().find_map(|line| line.strip_prefix(mask)).unwrap().trim().to_owned();
    masks.iter().map(|mask| u64::from_str_radix(&line(mask), 16).unwrap() & 0x7fff_ffff).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_begins_with_the_signals_that_the_user_gave() {
    let user = User::signed_in();
    assert_eq!(signals(&exec(&user, &["/bin/cat", "/proc/self/status"]).ok()), [0, 0, 0]);
    // A shell that starts a program in the background has it ignore Ctrl-C; nohup has it ignore SIGHUP.
    let script = "trap '' INT HUP; exec yc-rs iam access-key exec -- cat /proc/self/status";
    let out = user.program("sh").args(["-c", script]).output().unwrap();
    let [blocked, ignored, caught] = signals(&String::from_utf8(out.stdout).unwrap())[..] else { unreachable!() };
    assert_eq!((blocked, ignored, caught), (0, 0b11, 0));
}

#[test]
fn streams_arguments_and_directory_are_the_users() {
    let user = User::signed_in();
    let args = [
        "iam",
        "access-key",
        "exec",
        "--",
        "/bin/sh",
        "-c",
        "cat; printf '<%s>' \"$@\"; pwd >&2",
        "x",
        "--duration",
        "a b",
        "",
    ];
    let ran = user.run_with_input(args, "input ");
    assert_eq!((ran.code, ran.out.as_str()), (0, "input <--duration><a b><>"));
    assert_eq!(ran.err.trim(), user.home().canonicalize().unwrap().to_str().unwrap());
}

#[test]
fn the_command_is_found_by_path() {
    let user = User::signed_in();
    let out = user.program("yc-rs").args(["iam", "access-key", "exec", "--", "echo", "found"]).output().unwrap();
    assert_eq!(out.stdout, b"found\n");
}

#[test]
fn with_a_policy_the_command_cannot_get_another_key() {
    let mut user = User::signed_in();
    let own = [
        "YC_TOKEN",
        "YC_SERVICE_ACCOUNT_KEY_FILE",
        "YC_WORKLOAD_IDENTITY",
        "YC_WORKLOAD_IDENTITY_AUDIENCE",
        "YC_SA_ID",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ID_TOKEN",
        "GITLAB_OIDC_TOKEN",
        "JOB_TOKEN",
    ];
    for name in own {
        user.set(name, "from outside");
    }
    user.use_profile("workload-identity = { service-account-id = 'aje', subject-token = 'env:JOB_TOKEN' }");
    user.write_file("request", r#"{"policy": "{}"}"#);
    let variables = |flags: &str| {
        let out = user.run(&format!("iam access-key exec {flags} -- /usr/bin/env")).ok();
        let mut names: Vec<_> = out.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
        names.retain(|name| own.contains(&name.as_str()) || name == "YC_IAM_TOKEN");
        names.len()
    };
    assert_eq!(variables(""), own.len() + 1);
    assert_eq!((variables("--policy {}"), variables("-r request")), (0, 0));
}

const SHELL_HINT: &str =
    "hint: to run a builtin or a command line of the shell, type: yc-rs iam access-key exec -- sh -c 'COMMAND'\n";

#[test]
fn a_command_that_cannot_be_run_is_found_before_there_is_a_key() {
    let mut user = User::signed_in();
    user.set("PATH", user.home().to_str().unwrap().to_owned());
    user.write_file("plain", "text");
    let not_found = |name: &str| format!("ERROR: cannot run '{name}': there is no such command\n{SHELL_HINT}");
    let not_executable = |name: &str| {
        format!(
            "ERROR: cannot run '{name}': the file is not executable\nhint: to make it executable, type: chmod +x FILE; or \
             name the interpreter of the script: yc-rs iam access-key exec -- sh FILE\n"
        )
    };
    for (command, status, message) in [
        ("nonesuch", 127, not_found("nonesuch")),
        ("./nonesuch", 127, not_found("./nonesuch")),
        ("plain", 126, not_executable("plain")),
        ("./plain", 126, not_executable("./plain")),
        ("/", 126, format!("ERROR: cannot run '/': it is a directory\n{SHELL_HINT}")),
        ("", 127, not_found("")),
    ] {
        assert_eq!(exec(&user, &[command]).failed(status), message);
    }
    user.run("iam access-key exec ls").failed(2);
    user.run("iam access-key exec --export env -- ls").failed(2);
    assert_eq!(user.sent(), [] as [&str; 0]);
}

/// Writes a script that may be run.
pub fn write_script(user: &User, name: &str, text: &str) {
    let script = user.write_file(name, text);
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn an_interpreter_that_cannot_be_run_is_found_before_there_is_a_key() {
    let mut user = User::signed_in();
    user.set("PATH", format!("{}:/usr/bin:/bin", user.home().display()));
    let plain = user.write_file("plain", "text").display().to_string();
    let directory = user.home().display().to_string();
    write_script(&user, "by-script", "#!/nonexistent/interpreter\n");
    let by_script = user.home().join("by-script").display().to_string();
    let missing = |name: &str| format!("there is no interpreter '{name}', which its first line names\n");
    let forbidden = |name: &str| format!("the interpreter '{name}', which its first line names, is not executable\n");
    let carriage_return = "its first line ends in a carriage return, so its interpreter is not found\n".to_owned();
    for (text, status, reason) in [
        (include_str!("../data/F8-crlf.sh").to_owned(), 127, carriage_return.clone()),
        ("#!/usr/bin/env sh\r\necho x\r\n".to_owned(), 127, carriage_return.clone()),
        ("#!/bin/sh -e\r\n".to_owned(), 127, carriage_return),
        ("#!/nonexistent/interpreter\n".to_owned(), 127, missing("/nonexistent/interpreter")),
        ("#! /nonexistent/interpreter -x\n".to_owned(), 127, missing("/nonexistent/interpreter")),
        ("#!/usr/bin/env nonesuch\n".to_owned(), 127, missing("nonesuch")),
        ("#!/usr/bin/env -S nonesuch -u\n".to_owned(), 127, missing("nonesuch")),
        ("#!/usr/bin/env -Snonesuch -u\n".to_owned(), 127, missing("nonesuch")),
        (format!("#!{by_script}\n"), 127, missing("/nonexistent/interpreter")),
        (format!("#!{plain}\n"), 126, forbidden(&plain)),
        (format!("#!{directory}\n"), 126, forbidden(&directory)),
        ("#!/usr/bin/env plain\n".to_owned(), 126, forbidden("plain")),
        ("#!/usr/bin/env by-script\n".to_owned(), 127, missing("/nonexistent/interpreter")),
    ] {
        write_script(&user, "script", &text);
        for command in ["./script", "script"] {
            let error = exec(&user, &[command]).failed(status);
            let expected = format!("ERROR: cannot run '{command}': {reason}hint: ");
            assert!(error.starts_with(&expected), "{text:?}: {error}");
        }
    }
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_this_user_may_not_run_is_found_before_there_is_a_key() {
    let user = User::signed_in();
    let directory = user.home().join("files");
    std::fs::create_dir(&directory).unwrap();
    // Root may run whatever anybody may run, unless the file system has no programs.
    let is_root = rustix::process::geteuid().is_root();
    if is_root && !mount(&["-t", "tmpfs", "-o", "noexec", "tmpfs", directory.to_str().unwrap()]) {
        return leave_out("the right to mount");
    }
    let _mounted = is_root.then(|| Mounted(&directory));
    let script = user.write_file("files/script", "#!/bin/sh\n");
    let mode = if is_root { 0o755 } else { 0o011 };
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    write_script(&user, "other", &format!("#!{}\n", script.display()));
    let message = exec(&user, &["files/script"]).failed(126);
    assert!(message.starts_with("ERROR: cannot run 'files/script': the file is not executable\n"), "{message}");
    let message = exec(&user, &["./other"]).failed(126);
    let expected = format!("the interpreter '{}', which its first line names, is not executable\n", script.display());
    assert!(message.starts_with(&format!("ERROR: cannot run './other': {expected}")), "{message}");
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn arguments_that_env_takes_for_a_part_of_the_name_are_found_before_there_is_a_key() {
    let user = User::signed_in();
    write_script(&user, "script", "#!/usr/bin/env sh -e \necho run\n");
    assert_eq!(
        exec(&user, &["./script"]).failed(127),
        "ERROR: cannot run './script': there is no interpreter 'sh -e', which its first line names\n\
         hint: to pass arguments to the interpreter, write: #!/usr/bin/env -S sh -e\n"
    );
    assert_eq!(user.sent(), [] as [&str; 0]);
}

#[test]
fn without_directories_in_path_a_command_that_is_missing_is_found_before_there_is_a_key() {
    let mut user = User::signed_in();
    user.set("PATH", "");
    for command in ["nonesuch", "ls"] {
        assert_eq!(
            exec(&user, &[command]).failed(127),
            format!(
                "ERROR: cannot run '{command}': there is no such command in the working directory, and PATH is empty\n\
                 hint: set PATH, or give the path of the command\n"
            )
        );
    }
    user.unset("PATH");
    assert_eq!(
        exec(&user, &["nonesuch"]).failed(127),
        format!("ERROR: cannot run 'nonesuch': there is no such command\n{SHELL_HINT}")
    );
    assert_eq!(user.sent(), [] as [&str; 0]);
    exec(&user, &["true"]).ok();
}

#[test]
fn a_script_that_can_be_run_is_run() {
    let user = User::signed_in();
    for text in
        ["#!/bin/sh\necho run\n", "#! /usr/bin/env sh\necho run\n", "#!/usr/bin/env -S sh -e\necho run\n", "echo run\n"]
    {
        write_script(&user, "script", text);
        let out = user.program("yc-rs").args(["iam", "access-key", "exec", "--", "./script"]).output().unwrap();
        assert_eq!((out.stdout.as_slice(), out.status.code()), (&b"run\n"[..], Some(0)), "{text:?} {out:?}");
    }
}

#[test]
fn without_a_key_nothing_is_run() {
    let mut user = User::signed_in();
    user.set("YC_IAM_TOKEN", user.cloud.issue_token_for(yc_emulator::ADMIN_ID, std::time::Duration::from_secs(3600)));
    let message = user.run("iam access-key exec --min-ttl 2h -- /bin/echo run").failed(1);
    assert!(message.contains("the server granted"), "{message}");
    user.set("YC_IAM_TOKEN", "t1.wrong.token");
    user.run("iam access-key exec -- /bin/echo run").failed(3);
}

#[test]
fn a_short_lived_process_keeps_its_place() {
    let user = User::signed_in();
    let mut command = user.command(["iam", "access-key", "exec", "--", "/bin/sh", "-c", "echo $$"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    assert_eq!(Ran::of(child).ok().trim(), id);
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_may_leave_core_files_as_without_the_program() {
    let user = User::signed_in();
    let limit = |args: &[&str]| {
        user.program("sh").args(["-c", "ulimit -S -c unlimited; exec \"$@\"", "-"]).args(args).output().unwrap().stdout
    };
    let ulimit = ["sh", "-c", "ulimit -S -c"];
    let through = limit(&[&["yc-rs", "iam", "access-key", "exec", "--"], &ulimit[..]].concat());
    assert!(!through.is_empty() && through == limit(&ulimit), "{through:?}");
}
