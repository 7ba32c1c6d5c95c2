//! What is printed: formats, filters, what is left out and what is passed through, and what a terminal gets to see.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, AccessKey, Emulator, Fault, Message};

use crate::support::{Ran, User};

const FORMATS: [&str; 5] = ["text", "yaml", "json", "json-rest", "table"];
const KEYS: &str = "/iam/aws-compatibility/v1/accessKeys";

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A user with keys of these descriptions, the last of which was used when it was made.
fn with_keys<const N: usize>(descriptions: [&str; N]) -> (User, [AccessKey; N]) {
    let user = User::signed_in();
    let keys = descriptions.map(|text| user.cloud.add_access_key(ADMIN_ID, text));
    user.cloud.set_last_used(&keys[N - 1].id, keys[N - 1].created_at);
    (user, keys)
}

/// A key without a description that was never used, in YAML.
fn plain_yaml(key: &AccessKey) -> String {
    format!(
        "id: {}\nservice_account_id: {ADMIN_ID}\ncreated_at: \"{}\"\nkey_id: {}\n",
        key.id,
        time(key.created_at),
        key.key_id
    )
}

/// A key with a description that was used when it was made, in YAML.
fn full_yaml(key: &AccessKey) -> String {
    let time = time(key.created_at);
    format!(
        "id: {}\nservice_account_id: {ADMIN_ID}\ncreated_at: \"{time}\"\ndescription: {}\nkey_id: {}\n\
         last_used_at: \"{time}\"\n",
        key.id, key.description, key.key_id
    )
}

/// The lines as an item of a sequence.
fn item(yaml: &str) -> String {
    let lines: Vec<_> = yaml.lines().collect();
    format!("- {}\n", lines.join("\n  "))
}

fn plain_json(key: &AccessKey, indent: &str) -> String {
    let created = time(key.created_at);
    let (id, key_id) = (&key.id, &key.key_id);
    format!(
        "{indent}{{\n{indent}  \"id\": \"{id}\",\n{indent}  \"service_account_id\": \"{ADMIN_ID}\",\n\
         {indent}  \"created_at\": \"{created}\",\n{indent}  \"key_id\": \"{key_id}\"\n{indent}}}"
    )
}

fn full_json(key: &AccessKey, indent: &str) -> String {
    let time = time(key.created_at);
    let (id, key_id, description) = (&key.id, &key.key_id, &key.description);
    format!(
        "{indent}{{\n{indent}  \"id\": \"{id}\",\n{indent}  \"service_account_id\": \"{ADMIN_ID}\",\n\
         {indent}  \"created_at\": \"{time}\",\n{indent}  \"description\": \"{description}\",\n\
         {indent}  \"key_id\": \"{key_id}\",\n{indent}  \"last_used_at\": \"{time}\"\n{indent}}}"
    )
}

fn camel(json: &str) -> String {
    let names = [
        ("service_account_id", "serviceAccountId"),
        ("created_at", "createdAt"),
        ("key_id", "keyId"),
        ("last_used_at", "lastUsedAt"),
    ];
    names.iter().fold(json.to_owned(), |text, (snake, camel)| text.replace(snake, camel))
}

mod formats {
    use super::*;

    #[test]
    fn one_object() {
        let (user, [key]) = with_keys(["<CI> & ключ"]);
        let printed = |format: &str| user.run(&format!("iam access-key get {} {format}", key.id)).ok();
        assert_eq!(printed(""), full_yaml(&key));
        assert_eq!(printed("--format text"), full_yaml(&key));
        assert_eq!(printed("--format yaml"), full_yaml(&key));
        let json = format!("{}\n", full_json(&key, ""));
        assert_eq!(printed("--format json"), json);
        assert_eq!(printed("--format json-rest"), camel(&json));
    }

    #[test]
    fn a_list() {
        let (user, [plain, full]) = with_keys(["", "bot"]);
        let printed = |format: &str| user.run(&format!("iam access-key list {format}")).ok();
        assert_eq!(printed("--format yaml"), item(&plain_yaml(&plain)) + &item(&full_yaml(&full)));
        let json = format!("[\n{},\n{}\n]\n", plain_json(&plain, "  "), full_json(&full, "  "));
        assert_eq!(printed("--format json"), json);
        assert_eq!(printed("--format json-rest"), camel(&json));
        let row = |key: &AccessKey| format!("| {} | {ADMIN_ID} | {} |\n", key.id, key.key_id);
        let rule = "+----------------------+----------------------+---------------------------+\n";
        let header = "|          ID          |  SERVICE ACCOUNT ID  |          KEY ID           |\n";
        let table = format!("{rule}{header}{rule}{}{}{rule}\n", row(&plain), row(&full));
        assert_eq!(printed(""), table);
        assert_eq!(printed("--format text"), table);
    }

    #[test]
    fn an_empty_list() {
        let rule = "+----+--------------------+--------+\n";
        let text = format!("{rule}| ID | SERVICE ACCOUNT ID | KEY ID |\n{rule}{rule}\n");
        let rule = "+----+--------------------+------------+-------------+--------+--------------+\n";
        let header = "| ID | SERVICE ACCOUNT ID | CREATED AT | DESCRIPTION | KEY ID | LAST USED AT |\n";
        let table = format!("{rule}{header}{rule}{rule}\n");
        for (format, printed) in
            [("text", &*text), ("yaml", "[]\n"), ("json", "[]\n"), ("json-rest", "[]\n"), ("table", &*table)]
        {
            let line = format!("iam access-key list --format {format}");
            assert_eq!(User::signed_in().run(&line).ok(), printed, "{format}");
        }
    }

    #[test]
    fn several_objects() {
        let (user, [plain, full]) = with_keys(["", "bot"]);
        let printed =
            |format: &str| user.run(&format!("iam access-key get {} {} --format {format}", plain.id, full.id)).ok();
        assert_eq!(printed("text"), format!("{}---\n{}", plain_yaml(&plain), full_yaml(&full)));
        assert_eq!(printed("yaml"), item(&plain_yaml(&plain)) + &item(&full_yaml(&full)));
        let json = format!("[\n{},\n{}\n]\n", plain_json(&plain, "  "), full_json(&full, "  "));
        assert_eq!(printed("json"), json);
        assert_eq!(printed("json-rest"), camel(&json));
    }

    #[test]
    fn several_ids_of_which_one_is_found_still_make_an_array() {
        let (user, [key]) = with_keys(["bot"]);
        let ran = user.run(&format!("iam access-key get {} aje1 --format json", key.id));
        assert_eq!(ran.out, format!("[\n{}\n]\n", full_json(&key, "  ")));
    }

    #[test]
    fn a_table_has_every_column() {
        let (user, [plain, full]) = with_keys(["", "ключ"]);
        for line in [
            "iam access-key list --format table".to_owned(),
            format!("iam access-key get {} {} --format table", plain.id, full.id),
        ] {
            let printed = user.run(&line).ok();
            let cells = |line: usize| -> Vec<_> {
                printed.lines().nth(line).unwrap().trim_matches('|').split('|').map(str::trim).collect()
            };
            let headers = ["ID", "SERVICE ACCOUNT ID", "CREATED AT", "DESCRIPTION", "KEY ID", "LAST USED AT"];
            assert_eq!(cells(1), headers);
            assert_eq!(cells(3), [&*plain.id, ADMIN_ID, &time(plain.created_at), "", &plain.key_id, ""]);
            let created = time(full.created_at);
            assert_eq!(cells(4), [&*full.id, ADMIN_ID, &created, "ключ", &full.key_id, &created]);
        }
    }

    #[test]
    fn the_response_to_create_keeps_its_nesting() {
        let user = User::signed_in();
        let printed = user.run("iam access-key create --description bot --format json-rest").json();
        let key = &user.cloud.access_keys()[0];
        assert_eq!(printed["accessKey"]["serviceAccountId"], ADMIN_ID);
        assert_eq!(printed["accessKey"]["keyId"], key.key_id);
        assert_eq!(printed.as_object().unwrap().keys().collect::<Vec<_>>(), ["accessKey", "secret"]);
        let yaml = user.run("iam access-key create --format yaml").ok();
        let key = &user.cloud.access_keys()[1];
        assert!(yaml.starts_with(&format!("access_key:\n  id: {}\n", key.id)), "{yaml}");
        assert!(yaml.ends_with(&format!("\n  key_id: {}\nsecret: {}\n", key.key_id, key.secret)), "{yaml}");
    }

    #[test]
    fn the_format_comes_from_the_flag_the_environment_or_the_profile() {
        let (mut user, [key]) = with_keys(["bot"]);
        let line = format!("iam access-key get {}", key.id);
        user.configure("current = 'p'\n[profiles.p]\nformat = 'json'\n");
        assert_eq!(user.run(&line).ok(), format!("{}\n", full_json(&key, "")));
        user.set("YC_FORMAT", "json-rest");
        assert_eq!(user.run(&line).ok(), format!("{}\n", camel(&full_json(&key, ""))));
        for flagged in [format!("{line} --format text"), format!("--format=text {line}")] {
            assert_eq!(user.run(&flagged).ok(), full_yaml(&key));
        }
    }

    #[test]
    fn an_unknown_format_is_refused_unsent_wherever_it_is_set() {
        let mut user = User::signed_in();
        user.run("iam access-key list --format xml").failed(2);
        user.set("YC_FORMAT", "xml");
        user.run("iam access-key list").failed(2);
        user.unset("YC_FORMAT");
        user.configure("current = 'p'\n[profiles.p]\nformat = 'xml'\n");
        user.run("iam access-key list").failed(2);
        assert_eq!(user.sent(), [""; 0]);
    }
}

mod passed_through_and_left_out {
    use super::*;

    #[test]
    fn fields_that_are_new_come_after_those_that_are_known_in_every_format() {
        let (user, [key]) = with_keys(["bot"]);
        user.cloud.extra_fields(Message::AccessKey, json!({"expireAfter": {"wholeDays": [30, "x"]}, "isBound": true}));
        let printed = |format: &str| user.run(&format!("iam access-key get {} --format {format}", key.id)).ok();
        let yaml = format!("{}expire_after:\n  whole_days:\n    - 30\n    - x\nis_bound: true\n", full_yaml(&key));
        assert_eq!(printed("text"), yaml);
        assert_eq!(printed("yaml"), yaml);
        let json = full_json(&key, "");
        let json = json.strip_suffix("\n}").unwrap();
        let more =
            "\"expire_after\": {\n    \"whole_days\": [\n      30,\n      \"x\"\n    ]\n  },\n  \"is_bound\": true";
        assert_eq!(printed("json"), format!("{json},\n  {more}\n}}\n"));
        let more = "\"expireAfter\": {\n    \"wholeDays\": [\n      30,\n      \"x\"\n    ]\n  },\n  \"isBound\": true";
        assert_eq!(printed("json-rest"), format!("{},\n  {more}\n}}\n", camel(json)));
        let table = printed("table");
        assert!(table.contains("\n| EXPIRE AFTER       | {\"whole_days\":[30,\"x\"]}   |\n"), "{table}");
        assert!(table.contains("\n| IS BOUND           | true                      |\n"), "{table}");
    }

    #[test]
    fn the_text_list_keeps_its_three_columns() {
        let (user, [_, _]) = with_keys(["", "bot"]);
        let before = user.run("iam access-key list").ok();
        user.cloud.extra_fields(Message::AccessKey, json!({"newField": "x"}));
        assert_eq!(user.run("iam access-key list").ok(), before);
        assert_eq!(user.run("iam access-key list --jq .[0].new_field").ok(), "x\n");
    }

    #[test]
    fn new_fields_of_other_messages_are_passed_through_too() {
        let user = User::of(Emulator::builder().operation_polls(0).start()).with_token();
        for message in [Message::AccessKey, Message::EphemeralKey, Message::Operation] {
            user.cloud.extra_fields(message, json!({"newField": "x"}));
        }
        let id = user.cloud.add_access_key(ADMIN_ID, "").id;
        for (line, filter) in [
            (&*format!("iam access-key update {id} --description y"), ".new_field"),
            (&*format!("iam access-key update {id} --description x --async"), ".new_field"),
            (&*format!("iam access-key update {id} --description x --async"), ".response.new_field"),
            (&*format!("iam access-key list-operations {id}"), ".[0].new_field"),
        ] {
            assert_eq!(user.run(&format!("{line} --jq {filter}")).ok(), "x\n", "{line}");
        }
        assert_eq!(user.run("iam access-key create --format json").json()["access_key"]["new_field"], "x");
        assert_eq!(user.run("iam access-key issue-ephemeral --format json").json()["new_field"], "x");
    }

    #[test]
    fn the_keys_of_labels_are_never_respelt() {
        let (user, [key]) = with_keys(["bot"]);
        let labels = json!({"camelKey": "", "snake_key": "b", "kebab-key": "c"});
        user.cloud.extra_fields(Message::AccessKey, json!({"labels": labels}));
        for format in ["json", "json-rest"] {
            let printed = user.run(&format!("iam access-key get {} --format {format}", key.id)).json();
            assert_eq!(printed["labels"], labels, "{format}");
        }
        let yaml = user.run(&format!("iam access-key get {}", key.id)).ok();
        assert!(yaml.ends_with("labels:\n  camelKey: \"\"\n  snake_key: b\n  kebab-key: c\n"), "{yaml}");
    }

    #[test]
    fn empty_fields_are_left_out_in_every_format() {
        let (user, [key]) = with_keys(["bot"]);
        let empty = json!({"a": "", "b": null, "c": [], "d": {}, "e": false, "f": 0, "g": {"h": ""}});
        let before = FORMATS.map(|format| user.run(&format!("iam access-key get {} --format {format}", key.id)).ok());
        user.cloud.extra_fields(Message::AccessKey, empty);
        for (format, before) in FORMATS.iter().zip(before).filter(|(format, _)| **format != "table") {
            assert_eq!(user.run(&format!("iam access-key get {} --format {format}", key.id)).ok(), before);
        }
    }

    #[test]
    fn numbers_too_large_for_a_double_keep_every_digit() {
        let (user, [key]) = with_keys(["bot"]);
        user.cloud.extra_fields(Message::AccessKey, json!({"count": u64::MAX, "text": "18446744073709551615"}));
        let printed = user.run(&format!("iam access-key get {} --format json", key.id)).ok();
        assert!(
            printed.contains("\"count\": 18446744073709551615,\n  \"text\": \"18446744073709551615\""),
            "{printed}"
        );
        let printed = user.run(&format!("iam access-key get {} --jq .count", key.id)).ok();
        assert_eq!(printed, "18446744073709551615\n");
        let printed = user.run(&format!("iam access-key get {}", key.id)).ok();
        assert!(printed.ends_with("count: 18446744073709551615\ntext: \"18446744073709551615\"\n"), "{printed}");
    }

    #[test]
    fn yaml_reads_back_as_the_json_document() {
        for text in ["no", "1e3", "a: b", "#x", "2024-01-02", "' \" \\", "@x", "two\nlines\n", "\u{1b}[31m\u{85}", "~"]
        {
            let (user, [key]) = with_keys([text]);
            let json = user.run(&format!("iam access-key get {} --format json", key.id)).json();
            let yaml = user.run(&format!("iam access-key get {}", key.id)).ok();
            assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), json, "{yaml}");
            assert_eq!(json["description"], text);
        }
    }
}

mod filters {
    use super::*;

    #[test]
    fn results_are_printed_as_jq_prints_them_raw() {
        let (mut user, [plain, full]) = with_keys(["", "bot"]);
        user.set("WANTED", full.key_id.as_str());
        let (a, b) = (&plain.id, &full.id);
        for (filter, printed) in [
            (".[].id", format!("{a}\n{b}\n")),
            (".[] | select(.key_id == env.WANTED) | .id", format!("{b}\n")),
            (".[] | select(.key_id == $ENV.WANTED) | .id", format!("{b}\n")),
            ("length", "2\n".to_owned()),
            (".[].description", "null\nbot\n".to_owned()),
            ("[.[].id] | join(\"|\")", format!("{a}|{b}\n")),
            ("map(.id)", format!("[\n  \"{a}\",\n  \"{b}\"\n]\n")),
            (
                ".[0] | {z: .id, a: [], b: {}, c: 1.50}",
                format!("{{\n  \"z\": \"{a}\",\n  \"a\": [],\n  \"b\": {{}},\n  \"c\": 1.50\n}}\n"),
            ),
            ("empty", String::new()),
            (".[9]", "null\n".to_owned()),
            (".[0].id | length > 3", "true\n".to_owned()),
        ] {
            let ran = user.run_args(["iam", "access-key", "list", "--jq", filter]);
            assert_eq!(ran.ok(), printed, "{filter}");
        }
    }

    #[test]
    fn the_filter_sees_the_json_document_or_with_json_rest_that_one() {
        let (user, [key]) = with_keys(["bot"]);
        for (format, filter) in [
            ("text", ".key_id"),
            ("yaml", ".key_id"),
            ("json", ".key_id"),
            ("table", ".key_id"),
            ("json-rest", ".keyId"),
        ] {
            let line = format!("iam access-key get {} --format {format} --jq {filter}", key.id);
            assert_eq!(user.run(&line).ok(), format!("{}\n", key.key_id), "{format}");
        }
    }

    #[test]
    fn query_is_another_name_of_the_flag() {
        let (user, [key]) = with_keys(["bot"]);
        for line in [
            format!("iam access-key get {} --query .id", key.id),
            format!("iam access-key get {} --query=.id", key.id),
            format!("--jq .id iam access-key get {}", key.id),
        ] {
            assert_eq!(user.run(&line).ok(), format!("{}\n", key.id));
        }
    }

    #[test]
    fn a_filter_sees_fields_in_their_order() {
        let (user, [key]) = with_keys(["bot"]);
        let printed = user.run(&format!("iam access-key get {} --jq .", key.id)).ok();
        assert_eq!(printed, format!("{}\n", full_json(&key, "")));
    }

    #[test]
    fn several_ids_make_an_array_and_one_an_object() {
        let (user, [plain, full]) = with_keys(["", "bot"]);
        let line = format!("iam access-key get {} {} --jq .[1].id", plain.id, full.id);
        assert_eq!(user.run(&line).ok(), format!("{}\n", full.id));
        let line = format!("iam access-key get {} --jq type", full.id);
        assert_eq!(user.run(&line).ok(), "object\n");
    }

    #[test]
    fn a_filter_that_does_not_compile_is_refused_unsent() {
        let user = User::signed_in();
        for filter in [".[", "nosuchfunction", "{", "$x", ".a |"] {
            for command in ["list", "create"] {
                let ran = user.run_args(["iam", "access-key", command, "--error-format", "json", "--jq", filter]);
                let error: Value = serde_json::from_str(&ran.err).unwrap();
                assert_eq!((ran.code, &error["code"], &*ran.out), (2, &json!("FILTER"), ""), "{filter}: {ran:#?}");
                assert_eq!(user.sent(), [""; 0], "{filter}");
            }
        }
    }

    #[test]
    fn a_filter_that_fails_prints_nothing_and_exits_1() {
        let (user, [_, _]) = with_keys(["", "bot"]);
        for filter in [".x", ".[] | (.id, error(\"stop\"))", ".[0].id.x"] {
            let ran = user.run_args(["iam", "access-key", "list", "--error-format", "json", "--jq", filter]);
            let error: Value = serde_json::from_str(&ran.err).unwrap();
            assert_eq!((ran.code, &error["code"], &*ran.out), (1, &json!("FILTER"), ""), "{filter}: {ran:#?}");
        }
    }
}

mod standard_error {
    use super::*;

    #[test]
    fn it_is_empty_on_success_whatever_there_is_to_note() {
        let user = User::signed_in();
        let keys = [(); 3].map(|()| user.cloud.add_access_key(ADMIN_ID, "").id);
        for line in [
            "iam access-key list --limit 1".to_owned(),
            "iam access-key list --no-paginate".to_owned(),
            "iam access-key issue-ephemeral --duration 12h".to_owned(),
            "iam access-key create --no-user-output".to_owned(),
            format!("iam access-key update {} --description x", keys[0]),
            format!("iam access-key delete {}", keys.join(" ")),
        ] {
            user.run(&line).ok();
        }
    }

    #[test]
    fn on_failure_the_message_is_there_and_standard_output_is_empty() {
        for format in FORMATS {
            let user = User::signed_in();
            user.cloud.fault(&format!("GET {KEYS}"), Fault::status(3, "wrong"));
            user.run(&format!("iam access-key list --format {format}")).failed(1);
        }
    }
}

/// What is different on a terminal. `script` makes one on Linux; elsewhere its arguments differ.
#[cfg(target_os = "linux")]
mod on_a_terminal {
    use super::*;
    use crate::programs::require_program;
    use crate::terminal::WIDEN;

    enum Stream {
        Output,
        Error,
    }

    /// Runs the program with one of its streams on a terminal.
    fn run(user: &User, stream: &Stream, args: &[&str]) -> Ran {
        let quoted: Vec<_> = args.iter().map(|arg| format!("'{}'", arg.replace('\'', "'\\''"))).collect();
        let other = match stream {
            Stream::Output => "2>other",
            Stream::Error => ">other",
        };
        let line = format!("{WIDEN}; yc-rs {} {other} </dev/null", quoted.join(" "));
        let output = user.program("script").args(["-qec", &line, "/dev/null"]).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
        let other = std::fs::read_to_string(user.home().join("other")).unwrap();
        let (out, err) = match stream {
            Stream::Output => (shown, other),
            Stream::Error => (other, shown),
        };
        Ran { code: output.status.code().unwrap(), out, err }
    }

    /// What standard error shows on a terminal while standard output goes elsewhere.
    fn notes(user: &User, line: &str) -> String {
        let ran = run(user, &Stream::Error, &line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{ran:#?}");
        ran.err
    }

    #[test]
    fn the_note_on_a_list_that_is_cut_off_comes_after_the_list() {
        let user = User::signed_in();
        if !require_program("script") {
            return;
        }
        (0..3).for_each(|_| drop(user.cloud.add_access_key(ADMIN_ID, "")));
        let all = "raise --limit, or list all with --all";
        for (line, note, next) in [
            ("iam access-key list --limit 1 --format json", "there are more keys than the 1 shown", all),
            (
                "iam access-key list --no-paginate --jq length",
                "there are more keys than the 2 shown",
                "leave --no-paginate out",
            ),
            ("iam service-account list --limit 1", "there are more service accounts than the 1 shown", all),
        ] {
            let output =
                user.program("script").args(["-qec", &format!("{WIDEN}; yc-rs {line}"), "/dev/null"]).output().unwrap();
            let shown = String::from_utf8(output.stdout).unwrap();
            let end = format!("\nnote: {note}; {next}\r\n");
            assert!(shown.ends_with(&end), "{line}: {shown}");
        }
    }

    #[test]
    fn notes_and_progress_are_shown() {
        let user = User::signed_in();
        if !require_program("script") {
            return;
        }
        let keys = [(); 3].map(|()| user.cloud.add_access_key(ADMIN_ID, "").id);
        assert_eq!(
            notes(&user, "iam access-key list --limit 1"),
            "note: there are more keys than the 1 shown; raise --limit, or list all with --all\n"
        );
        assert_eq!(notes(&user, "iam access-key list --limit 3"), "");
        assert_eq!(notes(&user, "iam access-key list --limit 1 --no-user-output"), "");
        let update = notes(&user, &format!("iam access-key update {} --description x", keys[0]));
        assert!(update.contains("waiting for the operation on "), "{update}");
        assert_eq!(notes(&user, &format!("iam access-key update {} --description x --no-user-output", keys[0])), "");
        let delete = notes(&user, &format!("iam access-key delete {}", keys[0]));
        assert!(delete.contains(&format!("deleted {}", keys[0])), "{delete}");
    }

    #[test]
    fn a_key_that_expires_earlier_than_requested_is_noted_with_both_lifetimes() {
        let mut user = User::signed_in();
        if !require_program("script") {
            return;
        }
        let token = user.cloud.issue_token_for(ADMIN_ID, std::time::Duration::from_secs(1800));
        user.set("YC_IAM_TOKEN", token);
        let note = notes(&user, "iam access-key issue-ephemeral --duration 12h");
        assert!(note.contains("12h") && (note.contains("29m") || note.contains("30m")), "{note}");
        assert_eq!(notes(&user, "iam access-key issue-ephemeral --duration 15m"), "");
    }

    const HOSTILE: &str = "a\u{1b}]0;x\u{7}\u{202e}\u{9b}31m";

    #[test]
    fn control_characters_of_the_server_are_shown_escaped_and_otherwise_left_alone() {
        let (user, [key]) = with_keys([HOSTILE]);
        if !require_program("script") {
            return;
        }
        for rest in [&["--format", "text"][..], &["--format", "table", "--color", "off"], &["--jq", ".description"]] {
            let args = [&["iam", "access-key", "get", &key.id], rest].concat();
            let shown = run(&user, &Stream::Output, &args).ok();
            assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "{rest:?}: {shown:?}");
            assert!(shown.contains("]0;x"), "{rest:?}: {shown:?}");
        }
        let piped = user.run(&format!("iam access-key get {} --jq .description", key.id)).ok();
        assert_eq!(piped, format!("{HOSTILE}\n"));
    }

    #[test]
    fn control_characters_in_error_messages_are_shown_escaped() {
        let user = User::signed_in();
        if !require_program("script") {
            return;
        }
        user.cloud.fault(&format!("GET {KEYS}"), Fault::status(3, HOSTILE));
        let shown = run(&user, &Stream::Error, &["--color", "off", "iam", "access-key", "list"]).failed(1);
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}']), "{shown:?}");
        assert!(shown.contains("]0;x"), "{shown:?}");
    }
}
