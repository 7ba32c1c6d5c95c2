//! Scripts written for `yc` keep working when `yc-rs` runs in its place: the ways in which scripts take its output
//! apart, run by a real shell with the real tools.

use chrono::{TimeDelta, Utc};
use serde_json::json;
use yc_emulator::{ADMIN_ID, AccessKey, BACKUP_ID, EphemeralKey, Message};

use crate::programs::{leave_out, require_program};
use crate::support::{Ran, User};

/// Runs a script in which `yc` is this program, if the machine has the tools that it needs.
fn run(user: &User, tools: &[&str], script: &str) -> Option<Ran> {
    if !tools.iter().all(|tool| require_program(tool)) {
        return None;
    }
    let script = format!("yc() {{ yc-rs \"$@\"; }}\n{script}");
    let output = user.program("sh").args(["-c", &script]).output().unwrap();
    Some(Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    })
}

/// Asserts that a script succeeds with this output and a newline, and without a word on standard error.
#[track_caller]
fn prints(user: &User, tools: &[&str], script: &str, expected: &str) {
    if let Some(ran) = run(user, tools, script) {
        assert!(
            ran.code == 0 && ran.err.is_empty() && ran.out.trim_end_matches('\n') == expected,
            "{script}\n{ran:#?}"
        );
    }
}

/// Creates a key and leaves what was printed in the file `key`.
fn create(user: &User, flags: &str) -> AccessKey {
    let script = format!("yc iam access-key create --service-account-name backup {flags} > key");
    run(user, &[], &script).unwrap().ok();
    user.cloud.access_keys().pop().unwrap()
}

fn issue(user: &User, flags: &str) -> EphemeralKey {
    run(user, &[], &format!("yc iam access-key issue-ephemeral --session-name ci {flags} > key")).unwrap().ok();
    user.cloud.ephemeral_keys().pop().unwrap()
}

/// Keys of the account `backup`, each made a day after the one before.
fn with_keys(descriptions: &[&str]) -> (User, Vec<AccessKey>) {
    let user = User::signed_in();
    for (text, day) in descriptions.iter().zip(-10..) {
        let key = user.cloud.add_access_key(BACKUP_ID, text);
        user.cloud.set_created(&key.id, Utc::now() + TimeDelta::days(day));
    }
    let keys = user.cloud.access_keys();
    (user, keys)
}

mod documented_output {
    use super::*;

    #[test]
    fn create() {
        let user = User::signed_in();
        user.cloud.extra_fields(
            Message::AccessKey,
            json!({
                "id": "aje6t3vsbj8l********",
                "serviceAccountId": "ajepg0mjt06s********",
                "createdAt": "2018-11-22T14:37:51Z",
                "keyId": "0n8X6WY6S24N********",
            }),
        );
        let printed = user.run("iam access-key create --service-account-name backup").ok();
        let printed = printed.replace(&user.cloud.access_keys()[0].secret, "JyTRFdqw8t1kh2-OJNz4JX5ZTz9Dj1rI********");
        assert_eq!(printed, include_str!("../data/create.txt"));
    }

    #[test]
    fn list() {
        let (user, _) = with_keys(&["not shown"]);
        user.cloud.extra_fields(
            Message::AccessKey,
            json!({
                "id": "aje8bdtqec6l********",
                "serviceAccountId": "ajeedllrkjma********",
                "keyId": "R9JK04o1Dfaf********",
            }),
        );
        let printed = user.run("iam access-key list --service-account-name backup").ok();
        assert_eq!(printed, include_str!("../data/list.txt"));
    }

    #[test]
    fn issue_ephemeral() {
        let user = User::signed_in();
        user.cloud.extra_fields(
            Message::EphemeralKey,
            json!({
                "accessKeyId": "ajelprpohp8t********",
                "secret": "YCOs05v-KRXqhYpUINdWArH4MINhMyJ6CGU********",
                "sessionToken": "s1.9muilY********",
                "expiresAt": "2025-12-16T06:23:51.383485065Z",
            }),
        );
        let printed = user.run("iam access-key issue-ephemeral --session-name ci").ok();
        assert_eq!(printed, include_str!("../data/issue-ephemeral.txt"));
    }
}

mod create_in_text {
    use super::*;

    #[test]
    fn the_key_id_is_found() {
        let user = User::signed_in();
        let key = create(&user, "");
        for script in [
            "awk '/key_id/ {print $2}' key",
            "awk '/key_id:/{print $2}' key | tr -d '\"'",
            "awk '$1 == \"key_id:\" {print $2}' key",
            "awk -F': ' '/key_id/ {print $2}' key",
            "grep key_id key | awk '{print $2}'",
            "grep key_id key | cut -d ' ' -f 4",
            "grep key_id key | sed 's/.*: //'",
            "grep key_id: key | cut -d: -f2 | tr -d ' '",
            "sed -n 's/^  key_id: //p' key",
            "sed -n 's/.*key_id: *//p' key",
            "sed -n 5p key | cut -c 11-35",
            "grep 'key_id' key | tail -c 26 | cut -c 1-25",
            "grep -o 'YCAJE[A-Za-z0-9_-]*' key",
            "awk 'NR == 5 {print $2}' key",
            "while read -r name value; do case $name in key_id:) echo \"$value\";; esac; done < key",
        ] {
            prints(&user, &["awk", "grep", "sed", "cut", "tail", "tr"], script, &key.key_id);
        }
        assert_eq!(key.key_id.len(), 25);
        prints(&user, &["yq"], "yq -r .access_key.key_id key", &key.key_id);
    }

    #[test]
    fn the_secret_is_found() {
        let user = User::signed_in();
        let key = create(&user, "--description 'made by CI'");
        for script in [
            "awk '/secret/ {print $2}' key",
            "awk '/^secret:/ {print $2}' key",
            "awk 'END {print $2}' key",
            "grep secret key | cut -d ' ' -f 2",
            "grep '^secret' key | sed 's/secret: //'",
            "tail -n 1 key | awk '{print $2}'",
            "tail -n 1 key | cut -c 9-48",
            "sed -n 's/^secret: //p' key",
            "tail -c 41 key",
        ] {
            prints(&user, &["awk", "grep", "sed", "cut", "tail"], script, &key.secret);
        }
        assert_eq!(key.secret.len(), 40);
        prints(&user, &["yq"], "yq -r .secret key", &key.secret);
    }

    #[test]
    fn the_resource_id_is_found_for_a_later_delete() {
        let user = User::signed_in();
        let key = create(&user, "");
        for script in [
            "awk '/^  id:/ {print $2}' key",
            "awk '$1 == \"id:\" {print $2}' key",
            "sed -n '2s/.*id: //p' key",
            "grep ' id:' key | awk '{print $2}'",
        ] {
            prints(&user, &["awk", "grep", "sed"], script, &key.id);
        }
        prints(&user, &["awk"], "yc iam access-key delete \"$(awk '/^  id:/ {print $2}' key)\"", "");
        assert!(user.cloud.access_keys().is_empty());
    }

    #[test]
    fn only_the_time_is_quoted_and_an_empty_description_has_no_line() {
        let user = User::signed_in();
        create(&user, "");
        let script = "grep -c '' key; grep -c '\"' key; grep '\"' key | cut -d: -f1; sed 's/:.*//' key";
        let lines = "6\n1\n  created_at\naccess_key\n  id\n  service_account_id\n  created_at\n  key_id\nsecret";
        prints(&user, &["grep", "cut", "sed"], script, lines);
        create(&user, "--description ''");
        prints(&user, &["grep"], "grep -c '' key", "6");
    }

    #[test]
    fn a_description_stands_between_time_and_key_id_without_quotes() {
        let user = User::signed_in();
        create(&user, "--description 'ключ (CI) for bot@example.com, v1:2'");
        prints(&user, &["sed"], "sed -n 5p key", "  description: ключ (CI) for bot@example.com, v1:2");
        prints(&user, &["sed"], "sed -n 6p key | cut -c 1-10", "  key_id: ");
    }

    #[test]
    fn the_output_is_kept_in_a_variable_and_taken_apart_later() {
        let user = User::signed_in();
        let script = "KEY=$(yc iam access-key create --service-account-name backup)\n\
                      ID=$(echo \"$KEY\" | grep key_id | awk '{print $2}')\n\
                      SECRET=$(echo \"$KEY\" | grep secret | awk '{print $2}')\n\
                      printf '[default]\\naws_access_key_id = %s\\naws_secret_access_key = %s\\n' \"$ID\" \"$SECRET\"";
        let Some(ran) = run(&user, &["grep", "awk"], script) else { return };
        let key = &user.cloud.access_keys()[0];
        let file = format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key.key_id, key.secret);
        assert_eq!(ran.ok(), file);
    }
}

mod create_in_json {
    use super::*;

    #[test]
    fn jq_finds_the_fields() {
        let user = User::signed_in();
        let key = create(&user, "--format json");
        for (script, expected) in [
            ("jq -r .access_key.key_id key", &key.key_id),
            ("jq -r '.access_key.key_id' < key", &key.key_id),
            ("jq -r '.key_id // .access_key.key_id' key", &key.key_id),
            ("jq -r '.access_key | .key_id' key", &key.key_id),
            ("jq -r .access_key.id key", &key.id),
            ("jq -r '.id // .access_key.id' key", &key.id),
            ("jq -r .secret key", &key.secret),
            ("jq -r '.access_key.secret // .secret' key", &key.secret),
            ("jq -r .access_key.service_account_id key", &key.service_account_id),
            ("jq -r '\"\\(.access_key.key_id)\"' key", &key.key_id),
        ] {
            prints(&user, &["jq"], script, expected);
        }
    }

    #[test]
    fn tools_that_read_lines_find_the_fields() {
        let user = User::signed_in();
        let key = create(&user, "--format=json --description x");
        for (script, expected) in [
            ("grep key_id key | cut -d '\"' -f 4", &key.key_id),
            ("awk -F'\"' '/key_id/ {print $4}' key", &key.key_id),
            ("sed -n 's/^    \"key_id\": \"\\(.*\\)\"$/\\1/p' key", &key.key_id),
            ("sed -n 's/^  \"secret\": \"\\(.*\\)\"$/\\1/p' key", &key.secret),
            ("grep '\"secret\"' key | awk '{print $2}' | tr -d '\",'", &key.secret),
            ("awk -F'\"' '$2 == \"secret\" {print $4}' key", &key.secret),
        ] {
            prints(&user, &["awk", "grep", "sed", "cut", "tr"], script, expected);
        }
    }

    #[test]
    fn a_profile_with_json_switches_every_command() {
        let (user, keys) = with_keys(&["bot"]);
        user.configure("current = 'p'\n[profiles.p]\nformat = 'json'\n");
        let token = user.cloud.tokens()[0].value.clone();
        let list = "yc iam access-key list --service-account-name backup | jq -r '.[0].id'";
        prints(&user, &["jq"], list, &keys[0].id);
        prints(&user, &["jq"], &format!("yc iam access-key get {} | jq -r .key_id", keys[0].id), &keys[0].key_id);
        prints(&user, &["jq"], "yc iam create-token | jq -r .iam_token", &token);
        prints(&user, &["jq"], "yc iam access-key create | jq -r '.secret | length'", "40");
        prints(&user, &["jq"], "yc iam access-key issue-ephemeral | jq -r '.secret | length'", "43");
    }
}

mod list {
    use super::*;

    const LIST: &str = "yc iam access-key list --service-account-name backup";

    #[test]
    fn the_table_is_read_by_line_and_field() {
        let (user, keys) = with_keys(&["", "a b", ""]);
        let (ids, key_ids): (Vec<_>, Vec<_>) = keys.iter().map(|key| (&*key.id, &*key.key_id)).unzip();
        for (filter, expected) in [
            ("sed -n 4p | awk '{print $6}'", key_ids[0].to_owned()),
            ("awk 'NR == 4 {print $6}'", key_ids[0].to_owned()),
            ("sed -n 4p | awk '{print $2}'", ids[0].to_owned()),
            ("grep aje | awk '{print $2}'", ids.join("\n")),
            ("grep aje | cut -d '|' -f 4 | tr -d ' '", key_ids.join("\n")),
            ("awk -F'|' 'NR > 3 && NF > 1 {gsub(/ /, \"\", $2); print $2}'", ids.join("\n")),
            ("tail -n +4 | grep -v '^+' | awk 'NF {print $2}'", ids.join("\n")),
            ("cut -c 3-22 | grep ^aje", ids.join("\n")),
            ("grep -c '|'", "4".to_owned()),
        ] {
            prints(&user, &["awk", "sed", "grep", "cut", "tail", "tr"], &format!("{LIST} | {filter}"), &expected);
        }
    }

    #[test]
    fn the_array_is_read_by_jq() {
        let (user, keys) = with_keys(&["", "ci"]);
        user.cloud.set_last_used(&keys[1].id, Utc::now());
        let both = format!("{}\n{}", keys[0].id, keys[1].id);
        for (filter, expected) in [
            ("jq -r '.[].id'", &both),
            ("jq -r '.[0].key_id'", &keys[0].key_id),
            ("jq -r '.[] | select(.description == \"ci\") | .id'", &keys[1].id),
            ("jq -r '.[] | select(.last_used_at == null) | .id'", &keys[0].id),
            ("jq -r 'sort_by(.created_at) | last | .id'", &keys[1].id),
            ("jq length", &"2".to_owned()),
        ] {
            prints(&user, &["jq"], &format!("{LIST} --format json | {filter}"), expected);
        }
        prints(&user, &["jq"], &format!("{LIST} --format json-rest | jq -r '.[0].keyId'"), &keys[0].key_id);
        let script = format!("for id in $({LIST} --jq '.[].id'); do echo \"$id\"; done");
        prints(&user, &[], &script, &both);
    }

    #[test]
    fn an_empty_list_is_an_empty_array() {
        let user = User::signed_in();
        prints(&user, &["jq"], &format!("{LIST} --format json | jq length"), "0");
        prints(&user, &["jq"], &format!("{LIST} --format json | jq -r '.[].id'"), "");
        prints(&user, &[], &format!("test \"$({LIST} --format json)\" = '[]' && echo none"), "none");
    }

    #[test]
    fn loops_delete_what_was_listed() {
        for script in [
            format!("for id in $({LIST} --format json | jq -r '.[].id'); do yc iam access-key delete \"$id\"; done"),
            format!("for id in $({LIST} --format json | jq -r '.[].id'); do yc iam access-key delete --id $id; done"),
            format!("{LIST} --format json | jq -r '.[].id' | while read -r id; do yc iam access-key delete $id; done"),
            format!("{LIST} --format json | jq -r '.[].id' | xargs -n 1 yc-rs iam access-key delete"),
            format!("{LIST} --format json | jq -r '.[].id' | xargs yc-rs iam access-key delete"),
            format!("{LIST} | grep aje | awk '{{print $2}}' | xargs -I{{}} yc-rs iam access-key delete --id {{}}"),
        ] {
            let (user, _) = with_keys(&["", "ci", ""]);
            user.cloud.add_access_key(ADMIN_ID, "of another account");
            prints(&user, &["jq", "xargs", "grep", "awk"], &script, "");
            if user.cloud.operations().is_empty() {
                continue;
            }
            let left: Vec<_> = user.cloud.access_keys().into_iter().map(|key| key.service_account_id).collect();
            assert_eq!(left, [ADMIN_ID], "{script}");
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_not_an_error() {
        let (user, _) = with_keys(&["x"; 20]);
        let script = format!("{{ {LIST} --format yaml; echo $? > status; }} | head -n 1 > /dev/null; cat status");
        prints(&user, &["head", "cat"], &script, "0");
    }
}

mod tokens {
    use super::*;

    #[test]
    fn a_token_is_one_line_in_a_variable_a_file_or_a_pipe() {
        let user = User::signed_in();
        let token = user.cloud.tokens()[0].value.clone();
        for script in [
            "TOKEN=$(yc iam create-token); echo \"$TOKEN\"",
            "export YC_TOKEN=`yc iam create-token`; printenv YC_TOKEN",
            "yc iam create-token > token; cat token",
            "yc iam create-token 2>/dev/null | cat",
            "yc iam create-token | tr -d '\\n'",
            "TOKEN=$(yc iam create-token 2>&1); echo $TOKEN",
            "yc iam create-token --format json | grep iam_token | cut -d '\"' -f 4",
        ] {
            prints(&user, &["tr", "cat", "printenv", "grep", "cut"], script, &token);
        }
        prints(&user, &["grep"], "yc iam create-token | grep -c ''", "1");
        prints(&user, &["grep"], "yc iam create-token | grep -c '^t1\\.'", "1");
    }

    #[test]
    fn json_tells_the_end_of_a_token_with_nine_fraction_digits() {
        let user = User::new().with_key();
        let script = "yc iam create-token --format json | jq -r 'keys_unsorted[], (.expires_at | length)'";
        prints(&user, &["jq"], script, "iam_token\nexpires_at\n30");
    }

    #[test]
    fn the_exit_status_tells_whether_authentication_works() {
        let probe = "if yc iam create-token >/dev/null 2>&1; then echo yes; else echo no; fi";
        prints(&User::signed_in(), &[], probe, "yes");
        let mut user = User::new();
        user.configure("current = 'p'\n[profiles.p]\nservice-account-key = {}\n");
        prints(&user, &[], probe, "no");
        user.set("YC_TOKEN", "YCnot-a-token");
        prints(&user, &[], probe, "no");
    }
}

mod issue_ephemeral {
    use super::*;

    #[test]
    fn the_four_fields_are_found_in_text_and_json() {
        let user = User::signed_in();
        let key = issue(&user, "--duration 1h");
        for (name, value) in
            [("access_key_id", &key.access_key_id), ("secret", &key.secret), ("session_token", &key.session_token)]
        {
            prints(&user, &["awk"], &format!("awk '/^{name}:/ {{print $2}}' key"), value);
            prints(&user, &["sed"], &format!("sed -n 's/^{name}: //p' key"), value);
            prints(&user, &["grep", "cut"], &format!("grep {name} key | cut -d ' ' -f 2"), value);
        }
        let key = issue(&user, "--format json");
        for (name, value) in
            [("access_key_id", &key.access_key_id), ("secret", &key.secret), ("session_token", &key.session_token)]
        {
            prints(&user, &["jq"], &format!("jq -r .{name} key"), value);
            prints(&user, &["awk"], &format!("awk -F'\"' '/\"{name}\"/ {{print $4}}' key"), value);
        }
        prints(
            &user,
            &["jq"],
            "jq -r 'keys_unsorted | join(\" \")' key",
            "access_key_id secret session_token expires_at",
        );
    }

    /// Source: yandex-cloud/docs, the tutorial on uploading with an ephemeral key, an earlier edition.
    #[test]
    fn the_documented_credential_process_works() {
        let user = User::signed_in();
        let script = "yc iam access-key issue-ephemeral --subject-id ajebackup00000000001 --session-name s3 --jq \
                      '{Version: 1, AccessKeyId: .access_key_id, SecretAccessKey: .secret, \
                      SessionToken: .session_token, ExpiresAt: .expires_at}'";
        let printed = run(&user, &[], script).unwrap().json();
        let key = &user.cloud.ephemeral_keys()[0];
        assert_eq!(printed["Version"], 1);
        assert_eq!(printed["AccessKeyId"], key.access_key_id);
        assert_eq!(printed["SecretAccessKey"], key.secret);
        assert_eq!(printed["SessionToken"], key.session_token);
        assert_eq!(printed["ExpiresAt"].as_str().map(str::len), Some(30));
        assert_eq!(key.subject_id, BACKUP_ID);
    }

    #[test]
    fn a_filter_makes_exports_for_the_shell() {
        let user = User::signed_in();
        let script = "eval \"$(yc iam access-key issue-ephemeral --jq \
                      '@sh \"export AWS_ACCESS_KEY_ID=\\(.access_key_id) AWS_SECRET_ACCESS_KEY=\\(.secret)\"')\"\n\
                      printenv AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY";
        let Some(ran) = run(&user, &["printenv"], script) else { return };
        let key = &user.cloud.ephemeral_keys()[0];
        assert_eq!(ran.ok(), format!("{}\n{}\n", key.access_key_id, key.secret));
    }
}

mod streams_and_flags {
    use super::*;

    #[test]
    fn merged_streams_hold_the_result_alone() {
        let (user, keys) = with_keys(&["x"; 3]);
        let list = "yc iam access-key list --service-account-name backup --limit 1 --format json 2>&1";
        prints(&user, &["jq"], &format!("{list} | jq -r '.[].id'"), &keys[0].id);
        prints(&user, &[], &format!("yc iam access-key delete {} 2>&1", keys[0].id), "");
        let update = format!("yc iam access-key update {} --description y --format json 2>&1", keys[1].id);
        prints(&user, &["jq"], &format!("{update} | jq -r .description"), "y");
    }

    #[test]
    fn a_failure_leaves_standard_output_empty_and_begins_with_error() {
        let user = User::signed_in();
        let script = "OUT=$(yc iam access-key get nope 2>err) && echo wrong\n\
                      test -z \"$OUT\" && head -c 7 err && yc iam access-key delete nope 2>/dev/null || true";
        prints(&user, &["head"], script, "ERROR: ");
    }

    #[test]
    fn global_flags_stand_before_or_after_with_or_without_an_equals_sign() {
        let (mut user, keys) = with_keys(&["x"]);
        user.unset("YC_FOLDER_ID");
        let folder = yc_emulator::FOLDER_ID;
        for line in [
            format!("yc --folder-id {folder} iam access-key list --service-account-name backup --format json"),
            format!("yc --folder-id={folder} --format=json iam access-keys list --service-account-name=backup"),
            format!("yc iam --format json access-key --folder-id {folder} list --service-account-name backup"),
            format!(
                "yc iam access-key list --format json --service-account-name backup --folder-id {folder} --no-browser"
            ),
            format!("yc iam access-key list --service-account-id {BACKUP_ID} --format json --cloud-id b1g --retry 3"),
        ] {
            prints(&user, &["jq"], &format!("{line} | jq -r '.[].id'"), &keys[0].id);
        }
    }

    #[test]
    fn descriptions_hold_any_text() {
        for text in ["for S3 (prod) @ ru-central1: v2", "Ключ доступа", "a=b;c", "100%", "it\\'s"] {
            let user = User::signed_in();
            let text = text.replace("\\'", "'");
            let quoted = text.replace('\'', "'\\''");
            let filter = ".access_key.description, .secret";
            let script = format!("yc iam access-key create --description '{quoted}' --jq '{filter}' | head -n 1");
            prints(&user, &["head"], &script, &text);
        }
    }
}

mod filters {
    use super::*;

    /// What `jq -r` makes of the printed list is what `--jq` makes of it.
    #[test]
    fn a_filter_gives_what_jq_gives() {
        let (user, keys) = with_keys(&["bot", "", "ключ \"1\",\t<a&b>", "bot"]);
        user.cloud.set_last_used(&keys[3].id, Utc::now());
        let filters = [
            ".",
            ".[]",
            ".[].id",
            ".[0]",
            ".[-1].key_id",
            ".[1:3] | length",
            ".[].description",
            ".[].nosuch",
            "map(.id)",
            "[.[] | {id, key: .key_id}]",
            ".[] | select(.description == \"bot\") | .id",
            ".[] | select(.description // \"\" | test(\"^B\"; \"i\")) | .id",
            ".[] | select(.description // \"\" | contains(\"о\") | not) | .id",
            ".[] | select(.last_used_at) | .id",
            "map(select(.last_used_at == null)) | length",
            "sort_by(.created_at) | reverse | .[].id",
            "sort_by(.description, .id)",
            "group_by(.description) | map(length)",
            "group_by(.description) | map({key: .[0].description, count: length})",
            "unique_by(.description) | length",
            "[.[].description] | unique",
            "max_by(.created_at).id, min_by(.created_at).id",
            ".[] | \"\\(.id) \\(.description)\"",
            ".[] | [.id, .description] | @tsv",
            ".[] | [.id, .description, 1, null, true] | @csv",
            ".[] | @sh \"id=\\(.id) text=\\(.description)\"",
            ".[2].description | @html, @uri, @base64, @json, @text",
            ".[0].id | @base64 | @base64d",
            ".[0] | keys, keys_unsorted",
            ".[0] | to_entries[] | \"\\(.key)=\\(.value)\"",
            ".[0] | with_entries(select(.key | endswith(\"id\")))",
            "map({(.id): .key_id}) | add",
            "map({key: .id, value: .key_id}) | from_entries",
            "map(.id) | join(\",\")",
            ".[].created_at | fromdate",
            ".[0].created_at | fromdate | todate",
            ".[0].created_at | fromdateiso8601 | strftime(\"%Y-%m-%d\")",
            ".[].key_id | ascii_downcase, ascii_upcase, length",
            ".[].id | ltrimstr(\"aje\") | .[0:3]",
            ".[2].description | gsub(\"[<>]\"; \"_\") | sub(\"a\"; \"b\")",
            ".[2].description | split(\" \"), explode, utf8bytelength",
            ".[0].created_at | capture(\"^(?<day>[^T]+)T\")",
            ".[0].created_at | [splits(\"[-:TZ]\")]",
            ".[0] | del(.id, .key_id)",
            ".[0] | has(\"description\"), has(\"nosuch\")",
            ".[0] | .description |= ascii_upcase",
            ".[0] | .description = {a: 1} | .description.a",
            "map(del(.id)), del(.[0, 2].id, .[1]), (.[0] | delpaths([[\"id\"], [\"nosuch\"]]))",
            "del(.[].nosuch), del(.[0].a.b), del(.[9], .[9].id), del(.[-1].id)",
            "del(.[:2]), del(.[] | select(.description == \"bot\")), del(.)",
            ".[] | if .description then .description else \"none\" end",
            ".[] | .description // \"none\"",
            "reduce .[] as $key (0; . + ($key.id | length))",
            "[limit(2; .[].id)]",
            "first(.[].id), last(.[].id), nth(1; .[].id)",
            "any(.[]; .description == \"bot\"), all(.[]; .id | startswith(\"aje\"))",
            "[paths(type == \"string\")] | length",
            "[.. | strings] | length",
            "to_entries | map(.key)",
            ".[0] | tojson | fromjson | .id",
            ".[0] | tostring",
            "[.[] | .id] | index(\"nosuch\")",
            ".[] as {id: $id, key_id: $key} | \"\\($id):\\($key)\"",
            "def short: .[0:5]; .[].id | short",
            ".[] | try error(.id) catch .",
            "env.HOME, $ENV.USER",
            "[range(3)], (1 / 4), ([] | length), null, {}, []",
            "[.[].id] | IN([\"x\"]), (INDEX(.[0:2]) | length)",
            "empty",
        ];
        let mut different = Vec::new();
        for filter in filters {
            let filter = filter.replace('\'', "'\\''");
            let script = format!(
                "yc iam access-key list --service-account-name backup --format json > list\n\
                 jq -r '{filter}' list > expected || exit 3\n\
                 yc iam access-key list --service-account-name backup --jq '{filter}' 2>&1 | diff expected -"
            );
            let Some(ran) = run(&user, &["jq", "diff"], &script) else { return };
            if ran.code == 3 {
                leave_out(&format!("a jq that can run {filter}: {}", ran.err));
            } else if ran.code != 0 {
                different.push(format!("{filter}\n{}", ran.out));
            }
        }
        assert!(different.is_empty(), "{}", different.join("\n"));
    }
}
