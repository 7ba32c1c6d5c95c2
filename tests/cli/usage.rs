//! Command lines that are not understood: what is said, and what is suggested.

use serde_json::{Value, json};
use yc_emulator::ADMIN_ID;

use crate::support::User;

/// The error of a line, without `ERROR: `.
#[track_caller]
fn error(line: &str) -> String {
    let user = User::signed_in();
    let error = user.run(line).failed(2);
    assert_eq!(user.sent(), Vec::<String>::new());
    error["ERROR: ".len()..].to_owned()
}

#[test]
fn a_group_without_a_command_prints_its_help_on_standard_error() {
    let user = User::new();
    for line in ["", "iam", "iam access-key", "iam access-key --error-format text", "config profile", "cache"] {
        let group = line.split(" --").next().unwrap();
        let help = user.run(&format!("{group} -h")).ok();
        assert_eq!(user.run(line).failed(2), format!("ERROR: no command is given\n\n{help}"), "{line}");
    }
}

#[test]
fn a_group_without_a_command_is_one_line_of_json_where_that_is_requested() {
    let user = User::new();
    let ran = user.run("operation --error-format json");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    let expected = json!({
        "code": "USAGE", "message": "no command is given", "exit": 2, "retryable": false,
        "hint": "the commands are: get, wait; for more: yc-rs operation --help",
    });
    assert_eq!((ran.code, error, ran.out.as_str()), (2, expected, ""));
}

#[test]
fn a_name_that_is_a_slip_away_is_suggested() {
    for (line, hint) in [
        ("iam access-key lst", "a similar command exists: 'list'\nUsage: yc-rs iam access-key [OPTIONS] <COMMAND>\n"),
        ("iam acess-key list", "a similar command exists: 'access-key'\nUsage: yc-rs iam [OPTIONS] <COMMAND>\n"),
        (
            "iam access-key issue",
            "a similar command exists: 'issue-ephemeral'\nUsage: yc-rs iam access-key [OPTIONS] <COMMAND>\n",
        ),
        (
            "iam access-key list --formt json",
            "a similar flag exists: '--format'\nUsage: yc-rs iam access-key list [OPTIONS]\n",
        ),
        (
            "iam access-key issue-ephemeral --durtion 1h",
            "a similar flag exists: '--duration'\nUsage: yc-rs iam access-key issue-ephemeral [OPTIONS]\n",
        ),
        (
            "iam access-key list --folder x",
            "similar flags exist: '--folder-id', '--folder-name'\nUsage: yc-rs iam access-key list [OPTIONS]\n",
        ),
        ("iam access-key list --format jsn", "a similar value exists: 'json'\n"),
        (
            "iam access-key --limit 5 list",
            "'--limit' goes after 'list'\nUsage: yc-rs iam access-key [OPTIONS] <COMMAND>\n",
        ),
        ("--profile iam config lst", "a similar command exists: 'list'\nUsage: yc-rs config [OPTIONS] <COMMAND>\n"),
    ] {
        let error = error(line);
        assert_eq!(error.split_once("\nhint: ").map(|(_, hint)| hint), Some(hint), "{line}: {error}");
    }
}

#[test]
fn a_name_that_only_looks_alike_is_not_suggested() {
    for (line, whole) in [
        ("frob", "unrecognized subcommand 'frob'\nhint: Usage: yc-rs [OPTIONS] <COMMAND>\n"),
        (
            "iam access-key get ajex --secret x",
            "unexpected argument '--secret' found\n\
             hint: Usage: yc-rs iam access-key get [OPTIONS] <ACCESS-KEY-ID|--id <ID>|--key-id <KEY-ID>>\n",
        ),
        (
            "iam access-key list --description x",
            "unexpected argument '--description' found\nhint: Usage: yc-rs iam access-key list [OPTIONS]\n",
        ),
        (
            "iam access-key create --session-name x",
            "unexpected argument '--session-name' found\nhint: Usage: yc-rs iam access-key create [OPTIONS]\n",
        ),
    ] {
        assert_eq!(error(line), whole);
    }
}

#[test]
fn a_command_of_yc_is_called_that_and_yc_is_named() {
    for (line, name, hint) in [
        ("compute instance list", "compute", "use yc for it: yc compute instance list"),
        ("compute instance list --format json", "compute", "use yc for it: yc compute instance list"),
        ("--profile x storage bucket list", "storage", "use yc for it: yc storage bucket list"),
        ("resource-manager folder create x", "create", "use yc for it: yc resource-manager folder create x"),
        ("iam role list", "role", "use yc for it: yc iam role list"),
        ("iam key create --output key.json", "key", "use yc for it: yc iam key create"),
        ("iam service-account create robot", "create", "use yc for it: yc iam service-account create robot"),
        ("beta iam access-key update", "beta", "leave 'beta' out: yc-rs iam access-key update"),
        ("iam v0 access-key list", "v0", "leave 'v0' out: yc-rs iam access-key list"),
    ] {
        assert_eq!(error(line), format!("'{name}' is a command of yc that yc-rs does not have\nhint: {hint}\n"));
    }
}

#[test]
fn a_flag_that_selects_keys_by_their_account_is_explained_where_a_command_takes_ids() {
    for verb in ["get", "delete", "list-operations"] {
        for (flag, shown) in [
            ("--service-account-name robot", "--service-account-name robot"),
            ("--service-account-name=robot", "--service-account-name robot"),
            ("--service-account-name $x", "--service-account-name <NAME>"),
            ("--service-account-id ajes", "--service-account-id ajes"),
        ] {
            let expected = format!(
                "\nhint: this command takes the IDs of access keys; to list the keys of the service account, type: yc-rs \
                 iam access-key list {shown}\n"
            );
            let error = error(&format!("iam access-key {verb} {flag}"));
            assert!(error.ends_with(&expected), "{verb} {flag}: {error}");
        }
    }
}

#[test]
fn an_access_key_has_no_name() {
    assert_eq!(
        error("iam access-key create --name backup"),
        "unexpected argument '--name' found\nhint: access keys have no names; a key can have a --description\n"
    );
    assert_eq!(
        error("iam access-key delete --name backup"),
        "unexpected argument '--name' found\n\
         hint: access keys have no names; to list the IDs of the keys of a service account, type: yc-rs iam access-key \
         list --service-account-name <NAME>\n"
    );
}

#[test]
fn switching_a_key_off_is_explained() {
    for verb in ["deactivate", "disable", "activate", "enable"] {
        for group in ["access-key", "access-keys"] {
            assert_eq!(
                error(&format!("iam {group} {verb} ajex")),
                format!(
                    "unrecognized subcommand '{verb}'\n\
                     hint: access keys cannot be switched off and on: a key works until it is deleted; to delete one, \
                     type: yc-rs iam access-key delete <ACCESS-KEY-ID>\n"
                )
            );
        }
    }
    assert!(!error("config profile disable x").contains("access-key"));
}

#[cfg(unix)]
#[test]
fn hints_are_given_whatever_the_program_is_called() {
    use std::os::unix::process::CommandExt;

    let user = User::new();
    for (name, shown) in [("yc", "yc"), ("yc-rs.exe", "yc-rs"), ("/opt/bin/yc-rs", "yc-rs"), ("./tool", "tool")] {
        let run = |line: &str| {
            let output = user.command(line.split(' ')).arg0(name).output().unwrap();
            String::from_utf8(output.stderr).unwrap()
        };
        assert!(
            run("iam access-key deactivate x").ends_with(&format!(" {shown} iam access-key delete <ACCESS-KEY-ID>\n"))
        );
        let listed = format!(" {shown} iam access-key list --service-account-name robot\n");
        assert!(run("iam access-key delete --service-account-name robot").ends_with(&listed));
        let hint = if name == "yc" {
            "this program is yc-rs, called by the name yc; run the yc of Yandex Cloud for it"
        } else {
            "use yc for it: yc compute instance list"
        };
        assert_eq!(
            run("compute instance list"),
            format!("ERROR: 'compute' is a command of yc that yc-rs does not have\nhint: {hint}\n")
        );
        assert!(run("iam").contains(&format!("\nUsage: {shown} iam [OPTIONS] <COMMAND>\n")));
    }
}

#[test]
fn a_secret_is_not_repeated() {
    let with_flag = error(&format!("compute --token t1.9euelZqXncOEFhPa-_8.signature0123456789-_x --x {ADMIN_ID}"));
    assert!(!with_flag.contains("t1."), "{with_flag}");
    let secret = "YCP0123456789abcdefghijABCDEFGHIJklmnopq";
    for line in ["compute instance", "iam access-key delete --service-account-name"] {
        let error = error(&format!("{line} {secret}"));
        assert!(!error.contains(secret), "{error}");
    }
}
