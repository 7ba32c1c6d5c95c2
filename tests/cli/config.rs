//! The configuration: what is printed, what is written, and what stays as it was.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, PrivateKey};

use crate::load::{self, many_profiles};
use crate::support::{Ran, User};

/// Asserts that the run succeeded with these lines on standard error, and returns standard output.
#[track_caller]
fn said(ran: Ran, lines: &str) -> String {
    assert!(ran.code == 0 && ran.err == lines, "{ran:#?}");
    ran.out
}

fn config_text(user: &User) -> String {
    std::fs::read_to_string(user.config_dir().join("config.toml")).unwrap()
}

/// A user whose profile `work` is in use beside `spare`.
fn with_profiles() -> User {
    let user = User::new();
    user.configure(
        "current = 'work'\n[profiles.work]\nfolder-id = 'b1gwork'\n[profiles.spare]\nfolder-id = 'b1gspare'\n",
    );
    user
}

#[test]
fn profiles_are_made_chosen_listed_and_deleted_as_in_yc() {
    let user = User::new();
    assert_eq!(user.run("config profile list").ok(), "");
    assert_eq!(said(user.run("config profile create test"), "Profile 'test' created and activated\n"), "");
    assert_eq!(said(user.run("config profile create other-2"), "Profile 'other-2' created and activated\n"), "");
    assert_eq!(user.run("config profile list").ok(), "test\nother-2 ACTIVE\n");
    assert_eq!(said(user.run("config profile activate test"), "Profile 'test' activated\n"), "");
    assert_eq!(user.run("config profile list").ok(), "test ACTIVE\nother-2\n");
    let listed = user.run("config profile list --format json").json();
    assert_eq!(listed, json!([{"name": "test", "active": true}, {"name": "other-2", "active": false}]));
    assert_eq!(user.run("config profile get other-2").ok(), "{}\n");
    assert_eq!(said(user.run("config profile delete other-2"), "Profile 'other-2' deleted\n"), "");
    assert_eq!(user.run("config profile list").ok(), "test ACTIVE\n");
}

#[test]
fn confirmations_can_be_silenced() {
    let user = User::new();
    for line in ["create a", "create b", "activate a", "delete b"] {
        user.run(&format!("config profile {line} --no-user-output")).ok();
    }
}

#[test]
fn the_profile_in_use_and_the_only_one_are_not_deleted() {
    let user = with_profiles();
    assert!(user.run("config profile delete work").failed(2).contains("in use"));
    user.configure("[profiles.only]\n");
    assert!(user.run("config profile delete only").failed(2).contains("the only one"));
    assert_eq!(config_text(&user), "[profiles.only]\n");
}

#[test]
fn names_of_profiles_follow_the_rule_of_yc() {
    let user = with_profiles();
    for name in ["Test", "1a", "a_b", "a.b", "é", "-a", ""] {
        let ran = user.run_args(["config", "profile", "create", "--", name]);
        assert!(ran.failed(2).contains("lower-case letters, digits and hyphens"), "{name}");
    }
    assert!(user.run("config profile create work").failed(2).contains("already"));
    for line in ["activate wrok", "get wrok", "delete wrok"] {
        let error = user.run(&format!("config profile {line}")).failed(2);
        assert!(error.contains("did you mean 'work'?"), "{error}");
    }
    assert_eq!(user.run("config profile list").ok(), "work ACTIVE\nspare\n");
}

#[test]
fn a_value_is_set_printed_bare_and_removed() {
    let user = with_profiles();
    assert_eq!(user.run("config set cloud-id b1gcloud").ok(), "");
    assert_eq!(user.run("config get cloud-id").ok(), "b1gcloud\n");
    assert_eq!(user.run("config unset cloud-id").ok(), "");
    let error = user.run("config get cloud-id").failed(1);
    assert!(error.contains("'cloud-id' is not set in profile 'work'"), "{error}");
    assert_eq!(user.run("config unset cloud-id").ok(), "");
}

#[test]
fn the_value_is_printed_bare_whatever_the_format_of_other_commands() {
    let mut user = with_profiles();
    user.run("config set format json").ok();
    user.set("YC_FORMAT", "yaml");
    assert_eq!(user.run("config get folder-id").ok(), "b1gwork\n");
    assert_eq!(user.run("config get folder-id --format json").ok(), "\"b1gwork\"\n");
    assert_eq!(user.run("config list").ok(), "folder-id: b1gwork\nformat: json\n");
    assert_eq!(user.run("config list --jq .format").ok(), "json\n");
}

#[test]
fn flag_and_variable_choose_the_profile() {
    let mut user = with_profiles();
    assert_eq!(user.run("config get folder-id --profile spare").ok(), "b1gspare\n");
    user.run("config set cloud-id b1gx --profile spare").ok();
    assert_eq!(user.run("config list --profile spare").ok(), "folder-id: b1gspare\ncloud-id: b1gx\n");
    user.set("YC_PROFILE", "spare");
    user.run("config unset cloud-id").ok();
    assert_eq!(user.run("config list").ok(), "folder-id: b1gspare\n");
    assert_eq!(user.run("config list --profile work").ok(), "folder-id: b1gwork\n");
    assert!(user.run("config set cloud-id b1gx --profile sparse").failed(2).contains("did you mean 'spare'?"));
}

#[test]
fn the_first_value_makes_the_first_profile() {
    let user = User::new();
    assert_eq!(user.run("config list").ok(), "{}\n");
    said(user.run("config set folder-id b1gx"), "Profile 'default' created and activated\n");
    assert_eq!(config_text(&user), "current = \"default\"\n\n[profiles.default]\nfolder-id = \"b1gx\"\n");
}

#[test]
fn dotted_keys_lead_into_tables_and_lists_are_json() {
    let user = with_profiles();
    user.run("config set endpoints.iam https://iam.example.com").ok();
    user.run_args(["config", "set", "token-command", r#"["yc", "iam", "create-token"]"#]).ok();
    assert_eq!(user.run("config get endpoints.iam").ok(), "https://iam.example.com\n");
    assert_eq!(user.run("config get endpoints").ok(), "iam: https://iam.example.com\n");
    assert_eq!(user.run("config get token-command --format json").json(), json!(["yc", "iam", "create-token"]));
    user.run("config unset endpoints.iam").ok();
    user.run("config get endpoints").failed(1);
}

#[test]
fn a_wrong_key_or_value_is_refused_before_anything_is_written() {
    let user = with_profiles();
    let before = config_text(&user);
    let table: [(&[&str], &str); 10] = [
        (&["folder_id", "b1g"], "did you mean 'folder-id'?"),
        (&["federation-id", "x"], "token-command"),
        (&["format", "xml"], "must be one of: text, yaml, json, json-rest, table"),
        (&["instance-service-account", "yes"], "true, false"),
        (&["token-command", "yc iam create-token"], "JSON array"),
        (&["endpoints", "https://x"], "endpoints.iam"),
        (&["endpoints.iam", "http://iam.example.com"], "https://"),
        (&["folder-id", ""], "config unset folder-id"),
        (&["ca-bundle", "/nowhere"], "'/nowhere', which cannot be read"),
        (&["workload-identity.subject-token", "eyJ"], "github-actions, env:NAME or file:PATH"),
    ];
    for (args, rule) in table {
        let error = user.run_args(["config", "set"].iter().chain(args)).failed(2);
        assert!(error.contains(rule), "{args:?}: {error}");
    }
    assert!(user.run("config unset fodler-id").failed(2).contains("did you mean 'folder-id'?"));
    assert_eq!(config_text(&user), before);
}

#[test]
fn a_key_file_is_copied_into_the_profile_and_used() {
    let user = with_profiles();
    let file = user.write_file("key.json", &user.cloud.admin_key().file());
    user.run("config set token y0_old").ok();
    user.run_args(["config", "set", "service-account-key", file.to_str().unwrap()]).ok();
    std::fs::remove_file(file).unwrap();
    let token = user.run("iam create-token").ok();
    assert!(token.starts_with("t1."), "{token}");
    let listed = user.run("config list").ok();
    assert!(listed.starts_with("folder-id: b1gwork\nservice-account-key:\n  id: "), "{listed}");
    assert!(listed.contains("\n  private_key: |\n    "), "{listed}");
    let key: Value = serde_json::from_str(&user.cloud.admin_key().file()).unwrap();
    assert_eq!(user.run("config get service-account-key --format json").json(), key);
    assert_eq!(user.run("config get service-account-key.service_account_id").ok(), format!("{ADMIN_ID}\n"));
    user.run("config get token").failed(1);
}

#[test]
fn a_key_or_token_is_read_from_standard_input() {
    let user = with_profiles();
    let key = user.cloud.admin_key().file();
    user.run_with_input(["config", "set", "service-account-key", "-"], &key).ok();
    assert_eq!(user.run("config get service-account-key.service_account_id").ok(), format!("{ADMIN_ID}\n"));
    user.run_with_input(["config", "set", "token", "-", "--no-user-output"], "t1.from.stdin\n").ok();
    assert_eq!(user.run("config list").ok(), "folder-id: b1gwork\ntoken: t1.from.stdin\n");
}

#[test]
fn setting_a_credential_clears_the_others() {
    let user = with_profiles();
    let key = user.write_file("key.json", &user.cloud.admin_key().file());
    let key = key.to_str().unwrap();
    let credentials: [(&str, &str); 6] = [
        ("token", "y0_a"),
        ("service-account-key", key),
        ("service-account-key-file", key),
        ("instance-service-account", "true"),
        ("token-command", "[\"x\"]"),
        ("workload-identity.service-account-id", "aje1"),
    ];
    for (name, value) in credentials.iter().chain(credentials.iter().rev()) {
        user.run_args(["config", "set", name, value, "--no-user-output"]).ok();
        let listed = user.run("config list --format json").json();
        let names: Vec<_> = listed.as_object().unwrap().keys().collect();
        assert_eq!(names, ["folder-id", name.split('.').next().unwrap()]);
    }
    user.run("config set folder-name my-folder").ok();
    user.run("config get folder-id").failed(1);
    user.run("config set folder-id b1gx").ok();
    user.run("config get folder-name").failed(1);
}

#[test]
fn a_secret_never_gets_into_an_error() {
    let user = with_profiles();
    let broken = user.write_file("key.json", r#"{"id": "a", "service_account_id": "b", "private_key": "canary"}"#);
    user.configure("[profiles.a]\ntoken = 'canary\n");
    let errors = [
        user.run_args(["config", "set", "token", "canary canary"]),
        user.run_args(["config", "set", "token", "{\"canary\": 1}"]),
        user.run_args(["config", "set", "token-command", "[canary"]),
        user.run_args(["config", "set", "service-account-key", broken.to_str().unwrap()]),
        user.run_args(["config", "set", "folder-id", "x"]),
        user.run_args(["config", "list"]),
        user.run_args(["config", "profile", "create", "b"]),
    ];
    for ran in errors {
        let error = ran.failed(2);
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn a_syntax_error_is_given_with_line_and_column() {
    let user = User::new();
    user.configure("current = 'a'\n\n[profiles.a]\nfolder-id = \"x\" y\n");
    let place = format!("{}:4:17: ", user.config_dir().join("config.toml").display());
    for line in ["config list", "config set folder-id x", "iam access-key list"] {
        let error = user.run(line).failed(2);
        assert!(error.contains(&place), "{line}: {error}");
    }
}

#[test]
fn malformed_values_of_a_profile_are_shown_and_repaired() {
    let user = User::new();
    user.configure(
        "current = 'odd'\nunknown = 1\n[profiles]\nbroken = 1\n[profiles.odd]\nfolder-id = 7\nformat = 'xml'\nmine = 'x'\n\
         token = ['a']\ninstance-service-account = false\n",
    );
    let listed = "folder-id: 7\nformat: xml\nmine: x\ntoken:\n  - a\ninstance-service-account: false\n";
    assert_eq!(user.run("config list").ok(), listed);
    assert_eq!(user.run("config get mine").ok(), "x\n");
    assert_eq!(user.run("config profile list").ok(), "broken\nodd ACTIVE\n");
    user.run("config set folder-id b1gx").ok();
    user.run("config set format json").ok();
    user.run("config unset token").ok();
    user.run("config unset instance-service-account").ok();
    assert_eq!(user.run("config list").ok(), "folder-id: b1gx\nformat: json\nmine: x\n");
    assert!(user.run("config profile get broken").failed(2).contains("must be a table"));
    said(user.run("config profile delete broken"), "Profile 'broken' deleted\n");
    assert!(config_text(&user).contains("unknown = 1\n"));
    assert_eq!(user.sent(), [""; 0]);
}

#[test]
fn concurrent_writers_lose_no_entry_and_no_comment() {
    load::writers_of_the_configuration(20);
}

#[test]
fn concurrent_writers_of_one_profile_keep_each_others_values() {
    let user = User::new();
    let values = [("cloud-id", "c"), ("folder-id", "f"), ("region", "r"), ("format", "json"), ("token", "t1.a.b")];
    let writers: Vec<_> = values.iter().map(|(key, value)| user.start(["config", "set", key, value])).collect();
    let created: usize = writers.into_iter().map(|writer| Ran::of(writer).err.matches("created").count()).sum();
    assert_eq!(created, 1);
    for (key, value) in values {
        assert_eq!(user.run(&format!("config get {key}")).ok(), format!("{value}\n"));
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
    use std::os::unix::process::CommandExt;

    use super::*;
    use crate::programs::{leave_out, require_program};
    use crate::terminal::WIDEN;

    fn mode(path: PathBuf) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Runs a command line under `sh` after these commands.
    fn shell(user: &User, before: &str, line: &str) -> Ran {
        let mut command = user.program("sh");
        command.args(["-c", &format!("{before}; exec yc-rs {line}")]);
        Ran::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    #[test]
    fn file_and_directory_are_private_whatever_the_umask() {
        for umask in ["000", "077"] {
            let mut user = User::new();
            let directory = user.home().join("a/b");
            user.set("YC_RS_CONFIG_DIR", directory.to_str().unwrap());
            assert_eq!(shell(&user, &format!("umask {umask}"), "config set token y0_a").code, 0);
            let modes = ["", "config.toml", "config.lock"].map(|name| mode(directory.join(name)));
            assert_eq!(modes, [0o700, 0o600, 0o600], "{umask}");
        }
    }

    #[test]
    fn a_file_that_others_could_read_is_private_after_a_change() {
        let user = with_profiles();
        let file = user.config_dir().join("config.toml");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        user.run("config set token y0_a").ok();
        assert_eq!(mode(file), 0o600);
    }

    #[test]
    fn a_symbolic_link_stays_one() {
        let user = User::new();
        let target = user.write_file("dotfiles.toml", "[profiles.a] # mine\n");
        std::fs::create_dir_all(user.config_dir()).unwrap();
        let link = user.config_dir().join("config.toml");
        symlink(&target, &link).unwrap();
        user.run("config set folder-id b1gx --profile a").ok();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "[profiles.a] # mine\nfolder-id = \"b1gx\"\n");
        std::fs::remove_file(&target).unwrap();
        assert!(
            user.run("config set folder-id b1gx")
                .failed(2)
                .contains("is a symbolic link to a file that does not exist")
        );
    }

    #[test]
    fn what_is_not_a_file_of_ones_own_is_not_replaced() {
        let user = User::new();
        std::fs::create_dir_all(user.config_dir()).unwrap();
        let file = user.config_dir().join("config.toml");
        let pipe = user.home().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        symlink(&pipe, &file).unwrap();
        let refused = format!("ERROR: {} is not a regular file\n", file.display());
        let error = user.run("config set folder-id b1gx").failed(2);
        assert!(error.starts_with(&refused), "{error}");
        assert!(std::fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    }

    #[test]
    fn the_superuser_leaves_a_file_to_its_owner() {
        const NOBODY: u32 = 65534;
        let user = with_profiles();
        let file = user.config_dir().join("config.toml");
        for path in [&user.config_dir(), &file] {
            if chown(path, Some(NOBODY), Some(NOBODY)).is_err() {
                return leave_out("the right to give files away");
            }
        }
        user.run("config set folder-id b1gx").ok();
        let owner = |path: &PathBuf| std::fs::metadata(path).unwrap().uid();
        assert_eq!((owner(&file), mode(file.clone())), (NOBODY, 0o600));
        chown(user.config_dir(), Some(0), None).unwrap();
        let error = user.run("config set folder-id b1gy").failed(2);
        assert!(error.contains("config.toml belongs to another user"), "{error}");
    }

    #[test]
    fn a_full_disk_leaves_the_old_file() {
        let user = User::new();
        user.configure(&many_profiles());
        let error = shell(&user, "trap '' XFSZ; ulimit -f 1", "config set folder-id new").failed(1);
        assert!(error.contains("cannot write") && error.contains("config.toml"), "{error}");
        assert_eq!(config_text(&user), many_profiles());
        let mut left: Vec<_> =
            std::fs::read_dir(user.config_dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["config.lock", "config.toml"]);
    }

    #[test]
    fn a_directory_that_cannot_be_written_leaves_the_old_file() {
        const NOBODY: u32 = 65534;
        let user = with_profiles();
        let before = config_text(&user);
        let file = user.config_dir().join("config.toml");
        let mut command = user.command(["config", "set", "folder-id", "new"]);
        if rustix::process::geteuid().is_root() {
            // The superuser may write everywhere, so another user has to try.
            for path in [user.home(), &user.config_dir(), &file] {
                chown(path, Some(NOBODY), None).unwrap();
            }
            command.uid(NOBODY);
        }
        std::fs::set_permissions(user.config_dir(), PermissionsExt::from_mode(0o500)).unwrap();
        match command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
            Ok(child) => assert!(Ran::of(child).failed(1).contains("cannot write")),
            Err(error) => leave_out(&format!("a program that another user may run ({error})")),
        }
        assert_eq!(config_text(&user), before);
        std::fs::set_permissions(user.config_dir(), PermissionsExt::from_mode(0o700)).unwrap();
    }

    /// Everything shown on a terminal while a command line runs.
    fn at_terminal(user: &User, line: &str) -> String {
        let mut script = user.program("script");
        script
            .args(["-qec", &format!("{WIDEN}; yc-rs {line}"), "/dev/null"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ran::of(script.spawn().unwrap()).ok().replace('\r', "")
    }

    #[test]
    fn on_a_terminal_the_file_in_use_and_the_life_of_a_token_are_noted() {
        if !require_program("script") {
            return;
        }
        let (user, file) = of_yc(YC);
        let listed = at_terminal(&user, "config list");
        assert!(listed.contains(&format!("profile 'ci' in {}", file.display())), "{listed}");
        assert!(at_terminal(&user, "config set token t1.a.b").contains("12 hours"));
        assert!(!at_terminal(&user, "config set token y0_a").contains("12 hours"));
        assert!(at_terminal(&user, "config list").contains("config.toml"));
        assert_eq!(at_terminal(&user, "config set token t1.a.b --no-user-output"), "");
    }
}

const YC: &str = "current: ci\nprofiles:\n  default:\n    token: y0_abc\n    cloud-id: b1gc\n  ci:\n    folder-id: b1gf # mine\n    \
                  s3.max-queue-size: 10\n  browser:\n    federation-id: bpf1\n    subject-id: aje1\n";

/// A user of `yc` without a configuration of our own, and the file of `yc`.
fn of_yc(text: &str) -> (User, PathBuf) {
    let user = User::new();
    let file = user.write_file(".config/yandex-cloud/config.yaml", text);
    (user, file)
}

#[test]
fn the_configuration_of_yc_is_read_where_there_is_none_of_our_own() {
    let (user, file) = of_yc(YC);
    assert_eq!(user.run("config profile list").ok(), "default\nci ACTIVE\nbrowser\n");
    assert_eq!(user.run("config list").ok(), "folder-id: b1gf\ns3.max-queue-size: 10\n");
    assert_eq!(user.run("config get token --profile default").ok(), "y0_abc\n");
    assert!(!user.config_dir().exists());
    user.configure("");
    assert_eq!(user.run("config list").ok(), "{}\n");
    assert_eq!(std::fs::read_to_string(file).unwrap(), YC);
}

#[test]
fn the_first_write_copies_the_profiles_of_yc_and_says_so() {
    let (user, file) = of_yc(YC);
    let own = user.config_dir().join("config.toml");
    let copied =
        format!("The profiles of {} were copied to {}, which is used from now on\n", file.display(), own.display());
    said(user.run("config set cloud-id b1gnew"), &copied);
    assert_eq!(user.run("config list").ok(), "folder-id: b1gf\ns3.max-queue-size: 10\ncloud-id: b1gnew\n");
    assert_eq!(user.run("config list --profile browser").ok(), "federation-id: bpf1\nsubject-id: aje1\n");
    said(user.run("config profile activate default"), "Profile 'default' activated\n");
    assert_eq!(std::fs::read_to_string(file).unwrap(), YC);
}

#[test]
fn a_write_that_fails_copies_nothing() {
    let (user, _) = of_yc(YC);
    user.run("config profile create ci").failed(2);
    user.run("config profile delete ci").failed(2);
    user.run("config unset cloud-id").ok();
    assert!(!user.config_dir().join("config.toml").exists());
}

#[test]
fn a_key_in_the_configuration_of_yc_is_used() {
    let (user, _) = of_yc("");
    let key: Value = serde_json::from_str(&user.cloud.admin_key().file()).unwrap();
    let mut yaml = "current: sa\nprofiles:\n  sa:\n    service-account-key:\n".to_owned();
    for (name, value) in key.as_object().unwrap() {
        writeln!(yaml, "      {name}: |-").unwrap();
        for line in value.as_str().unwrap().lines() {
            writeln!(yaml, "        {line}").unwrap();
        }
    }
    user.write_file(".config/yandex-cloud/config.yaml", &yaml);
    assert!(user.run("iam create-token").ok().starts_with("t1."));
    said(user.run("config profile create other --no-user-output"), "");
    assert!(user.run("iam create-token --profile sa").ok().starts_with("t1."));
}

#[test]
fn a_browser_profile_of_yc_has_no_credential_that_can_be_used() {
    let (user, _) = of_yc(YC);
    let error = user.run("iam create-token --profile browser").failed(3);
    assert!(error.contains("'federation-id'"), "{error}");
    assert!(error.contains(r#"token-command = ["yc", "iam", "create-token"]"#), "{error}");
    assert_eq!(user.sent(), [""; 0]);
}

#[test]
fn a_configuration_of_yc_that_is_not_yaml_is_an_error_with_its_place() {
    let (user, file) = of_yc("current: a\nprofiles:\n  a: {token: \"canary\n");
    let error = user.run("config list").failed(2);
    assert!(error.contains(&format!("{}:", file.display())) && !error.contains("canary"), "{error}");
}

#[test]
fn a_private_key_that_is_replaced_stays_in_a_copy_of_the_file() {
    for line in [
        "config set token-command [\"true\"]",
        "config set token t1.a.b",
        "config set instance-service-account true",
        "config set service-account-key other.json",
        "init --profile test --token t1.a.b --folder-id b1g",
    ] {
        let user = User::new().with_key();
        let mut other: Value = serde_json::from_str(&user.cloud.admin_key().file()).unwrap();
        other["private_key"] = PrivateKey::OtherRsa2048.pem().into();
        user.write_file("other.json", &other.to_string());
        let file = user.config_dir().join("config.toml");
        let copy = user.config_dir().join("config.toml.bak");
        let before = std::fs::read_to_string(&file).unwrap();
        let ran = user.run(line);
        let message = format!(
            "The private key of the profile was replaced; the previous configuration is in {}\n",
            copy.display()
        );
        assert!(ran.code == 0 && ran.err.contains(&message), "{line}: {ran:#?}");
        assert_eq!(std::fs::read_to_string(&copy).unwrap(), before, "{line}");
        assert!(!std::fs::read_to_string(&file).unwrap().contains(PrivateKey::Rsa2048.pem().lines().nth(1).unwrap()));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&copy).unwrap()) & 0o777, 0o600);
    }
}

#[test]
fn a_change_that_replaces_no_private_key_makes_no_copy() {
    let user = User::new().with_key();
    user.write_file("same.json", &user.cloud.admin_key().file());
    for line in ["config set region ru-central1", "config set service-account-key same.json"] {
        user.run(line).ok();
    }
    user.run("config unset service-account-key").ok();
    assert!(!user.config_dir().join("config.toml.bak").exists());
}

#[test]
fn a_profile_in_braces_can_be_edited() {
    let user = User::new();
    let key = user.cloud.admin_key().file();
    for profile in ["p = { folder-name = 'f', }", "p = { endpoints = {}, folder-name = 'f' }", "p = {}"] {
        for head in ["current = 'p'\nprofiles.", "current = 'p'\n[profiles]\n"] {
            user.configure(&format!("{head}{profile}\n"));
            user.run("config set endpoints.iam https://iam.example").ok();
            user.run("config set folder-id b1g").ok();
            assert_eq!(user.run_with_input(["config", "set", "service-account-key", "-"], &key).code, 0, "{profile}");
            assert_eq!(user.run("config get endpoints.iam").ok(), "https://iam.example\n", "{profile}");
            assert_eq!(user.run("config get folder-id").ok(), "b1g\n", "{profile}");
            user.run("config unset endpoints.iam").ok();
            assert!(user.run("config list").ok().contains("private_key: "), "{profile}");
            assert_eq!(user.run("config profile create q").code, 0, "{profile}");
        }
    }
}
