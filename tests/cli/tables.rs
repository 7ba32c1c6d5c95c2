//! `--format table`, and JSON on a terminal.

use chrono::{TimeDelta, Utc};
use yc_emulator::{ADMIN_ID, BACKUP_ID, CLOUD_ID, Emulator, FOLDER_ID};

use crate::support::User;
use crate::terminal::{Stream, at_terminal};

/// A user of a terminal without colours.
fn user() -> User {
    let mut user = User::of(Emulator::builder().operation_polls(0).start()).with_token();
    user.set("TERM", "dumb");
    user
}

/// Adds a key that was created this many days ago.
fn add_key(user: &User, description: &str, days: i64) -> String {
    let key = user.cloud.add_access_key(ADMIN_ID, description);
    user.cloud.set_created(&key.id, Utc::now() - TimeDelta::days(days) - TimeDelta::minutes(1));
    key.id
}

fn rows(table: &str) -> Vec<Vec<&str>> {
    table.lines().map(|line| line.split(['|', ' ']).filter(|word| !word.is_empty()).collect()).collect()
}

#[test]
fn a_table_on_a_terminal_has_ages_and_fits() {
    let user = user();
    let (old, new) = (add_key(&user, "the key of the nightly backup of all buckets", 412), add_key(&user, "", 3));
    user.cloud.set_last_used(&old, Utc::now() - TimeDelta::hours(5) - TimeDelta::minutes(1));
    let shown = at_terminal(Stream::Out, &user, &["iam", "access-key", "list", "--format", "table"]).ok();
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], "ID                    CREATED  DESCRIPTION  KEY ID                     LAST USED");
    assert!(
        lines[1].starts_with(&format!("{old}  412d     the key of…  YCAJE")) && lines[1].ends_with("  5h"),
        "{shown}"
    );
    assert!(lines[2].starts_with(&format!("{new}  3d")) && lines[2].ends_with("  -"), "{shown}");
    assert_eq!(lines[4], "not shown, since the terminal is too narrow: service_account_id");
}

#[test]
fn a_text_table_that_is_wider_than_the_terminal_shows_the_columns_that_fit() {
    let user = user();
    let old = add_key(&user, "", 412);
    let new = user.cloud.add_access_key(BACKUP_ID, "").id;
    let audit = ["iam", "access-key", "audit", "--no-user-output"];
    let shown = at_terminal(Stream::Out, &user, &audit).ok();
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{shown}");
    assert_eq!(lines[0], "SERVICE ACCOUNT  ID                    AGE   IDLE  FINDINGS               ACTION");
    assert_eq!(lines[1], format!("admin            {old}  412d  412d  iam.unused-key, iam.…  delete"));
    assert_eq!(lines[2], format!("backup           {new}  0d    0d                           keep"));
    assert_eq!(lines[4], "not shown, since the terminal is too narrow: FOLDER, KEY ID");
    assert_eq!(lines[5], "choose columns with --format table --columns");
    // What fits stays as it is elsewhere.
    let list = ["iam", "access-key", "list"];
    assert_eq!(at_terminal(Stream::Out, &user, &list).ok(), user.run_args(list).ok());
    let piped = user.run_args(audit).ok();
    assert_eq!(rows(&piped)[1].join(" "), "FOLDER SERVICE ACCOUNT ID KEY ID AGE IDLE FINDINGS ACTION");
}

#[test]
fn a_table_in_a_pipe_has_full_times_and_every_column() {
    let user = user();
    let id = add_key(&user, "backup", 412);
    let shown = user.run("iam access-key list --format table").ok();
    let header = rows(&shown)[1].join(" ");
    assert_eq!(header, "ID SERVICE ACCOUNT ID CREATED AT DESCRIPTION KEY ID LAST USED AT");
    let row = rows(&shown)[3].join(" ");
    assert!(row.starts_with(&format!("{id} {ADMIN_ID} 20")) && row.contains('T'), "{row}");
}

#[test]
fn columns_are_chosen_and_rows_sorted_by_the_names_of_json() {
    let user = user();
    let [b, c, a] = [("b", 5), ("c", 1), ("a", 9)].map(|(name, days)| add_key(&user, name, days));
    let ids = |flags: &str| {
        let shown = user.run(&format!("iam access-key list --format table {flags}")).ok();
        let rows = rows(&shown);
        rows[3..rows.len() - 2].iter().map(|row| row.join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(
        ids("--columns description,id --sort description"),
        [format!("a {a}"), format!("b {b}"), format!("c {c}")]
    );
    assert_eq!(ids("--columns id --sort -created_at"), [&*c, &*b, &*a]);
    assert_eq!(ids("--columns id --sort created_at"), [&*a, &*b, &*c]);
}

#[test]
fn the_flags_of_a_table_are_refused_before_anything_is_sent() {
    let user = user();
    let list = "iam access-key list";
    for (flags, message) in [
        (
            "--format table --columns key,id",
            "ERROR: --columns: there is no column 'key'\nhint: the columns are id, service_account_id, created_at, \
             description, key_id, last_used_at\n",
        ),
        (
            "--format table --sort=-keyid",
            "ERROR: --sort: there is no column 'keyid'\nhint: did you mean key_id? the columns are id, \
             service_account_id, created_at, description, key_id, last_used_at\n",
        ),
        ("--columns id", "ERROR: --columns is for --format table\nhint: add --format table\n"),
        ("--format json --sort id", "ERROR: --sort is for --format table\nhint: add --format table\n"),
        (
            "--format table --jq length --sort id",
            "ERROR: --sort is for tables, and --jq prints none\nhint: leave one of them out, or choose and sort with the \
             filter\n",
        ),
    ] {
        assert_eq!(user.run(&format!("{list} {flags}")).failed(2), message, "{flags}");
    }
    assert_eq!(user.sent(), Vec::<String>::new());
}

#[test]
fn one_object_is_a_card() {
    let user = user();
    let id = add_key(&user, "backup", 412);
    let piped = user.run(&format!("iam access-key get {id} --format table")).ok();
    let names: Vec<_> =
        piped.lines().filter_map(|line| Some(line.strip_prefix("| ")?.split(" | ").next()?.trim())).collect();
    assert_eq!(names, ["ID", "SERVICE ACCOUNT ID", "CREATED AT", "DESCRIPTION", "KEY ID"]);
    let shown = at_terminal(Stream::Out, &user, &["iam", "access-key", "get", &id, "--format", "table"]).ok();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], format!("ID                  {id}"));
    assert!(lines[2].starts_with("CREATED AT          20") && lines[2].ends_with(" UTC (412d ago)"), "{shown}");
    assert_eq!(lines.len(), 5);
}

#[test]
fn json_is_coloured_on_a_terminal_alone() {
    let mut user = user();
    let id = add_key(&user, "backup", 412);
    user.set("TERM", "xterm-256color");
    let get = ["iam", "access-key", "get", &*id, "--format", "json"];
    let plain = user.run_args(get).ok();
    let coloured = at_terminal(Stream::Out, &user, &get).ok();
    assert!(coloured.contains(&format!("\u{1b}[1;34m\"id\"\u{1b}[0m: \u{1b}[32m\"{id}\"\u{1b}[0m")), "{coloured}");
    assert_eq!(user.run_args(get.iter().chain(&["--color", "on"])).ok(), coloured);
    assert_eq!(at_terminal(Stream::Out, &user, &[&get[..], &["--color", "off"]].concat()).ok(), plain);
    user.set("CLICOLOR_FORCE", "1");
    assert_eq!(user.run_args(get).ok(), plain);
    user.set("NO_COLOR", "1");
    assert_eq!(at_terminal(Stream::Out, &user, &get).ok(), plain);
}

#[test]
fn findings_of_an_audit_are_their_rules() {
    let user = user();
    let key = user.cloud.add_access_key(BACKUP_ID, "");
    user.cloud.set_created(&key.id, Utc::now() - TimeDelta::days(412));
    let args = ["iam", "access-key", "audit", "--format", "table", "--columns", "age_days,findings,action"];
    let shown = at_terminal(Stream::Out, &user, &args).ok();
    assert!(shown.contains("412       iam.unused-key, iam.sa-key-rotation  delete\n"), "{shown}");
}

#[test]
fn clouds_and_folders_are_listed_to_find_their_ids() {
    let user = user();
    let clouds = user.run("resource-manager cloud list --format json").json();
    assert_eq!((clouds[0]["id"].as_str(), clouds[0]["name"].as_str()), (Some(CLOUD_ID), Some("cloud")));
    let folders = user.run(&format!("resource-manager folder list --cloud-id {CLOUD_ID}")).ok();
    assert_eq!(rows(&folders)[1].join(" "), "ID NAME STATUS");
    assert!(folders.contains(&format!("| {FOLDER_ID} | default ")), "{folders}");
}

#[test]
fn folders_without_a_cloud_name_the_command_that_finds_one() {
    let mut user = user();
    user.unset("YC_CLOUD_ID");
    let message = user.run("resource-manager folder list").failed(2);
    assert!(message.ends_with("to find the ID, type: yc-rs resource-manager cloud list\n"), "{message}");
    assert_eq!(user.sent(), Vec::<String>::new());
}
