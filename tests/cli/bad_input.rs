//! Bad command lines, variables, profiles and files: each is named with the rule it breaks before anything is sent.

use std::io::Write;

use yc_emulator::FOLDER_ID;

use crate::support::{Ran, User};

/// A user whose first request would be the exchange of a key, so that a check that comes too late is seen.
fn user() -> User {
    User::new().with_key()
}

/// Asserts exit status 2, a single message that holds the words, and not one request.
#[track_caller]
fn refused(user: &User, what: &str, ran: Ran, words: &[&str]) {
    let error = ran.failed(2);
    assert_eq!(error.matches("ERROR: ").count(), 1, "{what}: {error}");
    for word in words {
        assert!(error.contains(word), "{what}: no `{word}` in: {error}");
    }
    assert_eq!(user.sent(), Vec::<String>::new(), "{what}");
}

#[track_caller]
fn refuse_all(user: &User, command: &[&str], cases: &[(&[&str], &[&str])]) {
    for (args, words) in cases {
        let line: Vec<&str> = command.iter().chain(*args).copied().collect();
        refused(user, &line.join(" "), user.run_args(&line), words);
    }
}

#[test]
fn issue_ephemeral_refuses_durations_and_session_names_against_the_rule() {
    let long = "x".repeat(65);
    refuse_all(
        &user(),
        &["iam", "access-key", "issue-ephemeral"],
        &[
            (&["--duration", "14m59s"], &["14m59s", "15m", "12h"]),
            (&["--duration", "12h1s"], &["12h1s", "15m", "12h"]),
            (&["--duration", "8760h"], &["8760h", "15m", "12h"]),
            (&["--duration", "0s"], &["0s", "15m"]),
            (&["--duration", "3600"], &["3600", "unit", "1h30m"]),
            (&["--duration", "soon"], &["soon", "1h30m"]),
            (&["--duration", ""], &["--duration", "1h30m"]),
            (&["--duration=-1h"], &["-1h", "1h30m"]),
            (&["--duration", "99999999999999999999h"], &["--duration", "1h30m"]),
            (&["--session-name", "a b"], &["a b", "64"]),
            (&["--session-name", "имя"], &["имя", "64"]),
            (&["--session-name", "a/b"], &["a/b", "64"]),
            (&["--session-name", &long], &[&long, "64"]),
            (&["--session-name", ""], &["--session-name", "64"]),
            (&["--subject-id", "a/b"], &["a/b", "ID"]),
            (&["--subject-id", ""], &["--subject-id", "empty"]),
            (&["--subject-id", "ajex", "--service-account-name", "admin"], &["--subject-id", "--service-account-name"]),
            (&["--service-account-name", "Admin"], &["Admin", "lower-case"]),
            (&["extra"], &["extra"]),
        ],
    );
}

#[test]
fn issue_ephemeral_refuses_what_is_not_a_policy() {
    let user = user();
    let too_long = format!(r#"{{ "Version": "{}" }}"#, "x".repeat(2048 + 1 - r#"{"Version":""}"#.len()));
    let write = |name: &str, text: &str| user.write_file(name, text);
    write("array.json", "[]");
    write("text.json", "\"x\"");
    write("empty.json", "");
    write("cut.json", "{\n  \"Version\": ");
    write("long.json", &too_long);
    let binary = write("binary.json", "");
    std::fs::File::create(binary).unwrap().write_all(b"{\"Version\":\"\xff\"}").unwrap();
    std::fs::create_dir(user.home().join("folder")).unwrap();
    refuse_all(
        &user,
        &["iam", "access-key", "issue-ephemeral", "--policy"],
        &[
            (&["{"], &["--policy", "not JSON"]),
            (&["{} {}"], &["--policy", "not JSON"]),
            (&["{'Version': 1}"], &["--policy", "not JSON", "line 1"]),
            (&[&too_long], &["--policy", "2049", "2048"]),
            (&["array.json"], &["--policy", "array.json", "JSON object"]),
            (&["text.json"], &["--policy", "text.json", "JSON object"]),
            (&["empty.json"], &["--policy", "empty.json", "not JSON"]),
            (&["file://cut.json"], &["--policy", "cut.json", "not JSON", "line 2"]),
            (&["long.json"], &["--policy", "long.json", "2049", "2048"]),
            (&["binary.json"], &["--policy", "binary.json", "UTF-8"]),
            (&["folder"], &["--policy", "folder"]),
            (&["missing.json"], &["--policy", "missing.json"]),
            (&["[]"], &["--policy", "[]"]),
            (&[""], &["--policy"]),
        ],
    );
    let ran = user.run_with_input(["iam", "access-key", "issue-ephemeral", "--policy", "-"], "[]");
    refused(&user, "standard input", ran, &["--policy", "JSON object"]);
}

#[test]
fn standard_input_has_one_reader() {
    let user = user();
    let policy = r#"{"Statement":[]}"#;
    let ran = user.run_with_input(["iam", "access-key", "issue-ephemeral", "--token", "-", "--policy", "-"], policy);
    refused(&user, "two readers", ran, &["--token", "--policy", "standard input"]);
}

#[test]
fn create_and_list_refuse_two_owners_and_names_that_cannot_be() {
    for verb in ["create", "list"] {
        refuse_all(
            &user(),
            &["iam", "access-key", verb],
            &[
                (
                    &["--service-account-id", "ajex", "--service-account-name", "admin"],
                    &["--service-account-id", "--service-account-name"],
                ),
                (&["--service-account-id", "a/b"], &["a/b", "ID"]),
                (&["--service-account-id", ".."], &["..", "ID"]),
                (&["--service-account-id", ""], &["--service-account-id", "empty"]),
                (&["--service-account-id", &"x".repeat(51)], &["50"]),
                (&["--service-account-name", "ab"], &["'ab'", "3 to 63"]),
                (&["--service-account-name", &"a".repeat(64)], &["3 to 63"]),
                (&["--service-account-name", "My-Robot"], &["My-Robot", "lower-case"]),
                (&["--service-account-name", "1robot"], &["1robot", "letter"]),
                (&["--service-account-name", "robot-"], &["robot-", "hyphen"]),
                (&["--service-account-name", "робот"], &["робот"]),
                (&["--service-account-name", ""], &["--service-account-name"]),
                (&["--service-account-name", "x\" or name = \"y"], &["--service-account-name"]),
                (&["--service-account-name", "admin", "--folder-name", "F", "--cloud-id", "c"], &["'F'", "lower-case"]),
                (&["--folder-id", "a", "--folder-name", "b"], &["--folder-id", "--folder-name"]),
            ],
        );
    }
}

#[test]
fn descriptions_have_256_characters_at_most() {
    let long = "ж".repeat(257);
    let cases: [(&[&str], &[&str]); 2] = [
        (&["create", "--description", &long], &["257", "256"]),
        (&["update", "ajex", "--description", &long], &["257", "256"]),
    ];
    refuse_all(&user(), &["iam", "access-key"], &cases);
}

#[test]
fn update_needs_a_description_and_one_id() {
    refuse_all(
        &user(),
        &["iam", "access-key", "update"],
        &[
            (&["ajex"], &["--description"]),
            (&["ajex", "--async"], &["--description"]),
            (&["--description", "x"], &["ACCESS-KEY-ID"]),
            (&["ajex", "ajey", "--description", "x"], &["ajey"]),
            (&["ajex", "--id", "ajey", "--description", "x"], &["--id"]),
        ],
    );
}

#[test]
fn limits_and_page_sizes_stay_within_their_ranges() {
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--all", "--limit", "5"], &["--all", "--limit"]),
        (&["--limit=-1"], &["-1", "--limit"]),
        (&["--limit", "many"], &["many", "--limit"]),
        (&["--limit", "99999999999999999999"], &["99999999999999999999", "--limit"]),
        (&["--page-size", "0"], &["'0'", "--page-size", "1000"]),
        (&["--page-size", "1001"], &["1001", "--page-size", "1000"]),
        (&["--page-size", "1e3"], &["1e3", "--page-size"]),
        (&["--page-size", ""], &["--page-size"]),
    ];
    refuse_all(&user(), &["iam", "access-key", "list"], &cases);
    refuse_all(&user(), &["iam", "access-key", "list-operations", "ajex"], &cases);
    refuse_all(
        &user(),
        &["iam", "access-key", "list", "--unused-for"],
        &[(&["90"], &["90", "unit"]), (&["never"], &["never", "1h30m"])],
    );
}

#[test]
fn an_id_is_one_path_segment_in_every_command() {
    let long = "x".repeat(51);
    let cases: [(&str, &str); 8] = [
        ("", "empty"),
        ("a/b", "'a/b'"),
        ("..", "'..'"),
        (".", "'.'"),
        ("../operations", "'../operations'"),
        ("a b", "'a b'"),
        ("a\nb", "not an ID"),
        (&long, "50"),
    ];
    let commands: [&[&str]; 7] = [
        &["iam", "access-key", "get"],
        &["iam", "access-key", "get", "ajegood"],
        &["iam", "access-key", "delete"],
        &["iam", "access-key", "delete", "ajegood"],
        &["iam", "access-key", "list-operations"],
        &["operation", "get"],
        &["operation", "wait"],
    ];
    let user = user();
    for (id, word) in cases {
        for command in commands {
            refuse_all(&user, command, &[(&[id], &[word, "ID"])]);
        }
        refuse_all(&user, &["iam", "access-key", "update", "--description", "x"], &[(&[id], &[word, "ID"])]);
        for verb in ["get", "delete", "list-operations"] {
            refuse_all(&user, &["iam", "access-key", verb], &[(&["--id", id], &[word, "ID"])]);
        }
    }
}

#[test]
fn ids_are_given_once_in_one_way() {
    let user = user();
    for verb in ["get", "delete", "list-operations"] {
        refuse_all(
            &user,
            &["iam", "access-key", verb],
            &[(&[], &["ACCESS-KEY-ID"]), (&["ajex", "--id", "ajey"], &["--id"]), (&["--id"], &["--id"])],
        );
    }
    for verb in ["get", "wait"] {
        refuse_all(&user, &["operation", verb], &[(&[], &["OPERATION-ID"]), (&["a", "b"], &["'b'"])]);
    }
}

#[test]
fn global_flags_name_a_wrong_value_and_the_rule() {
    refuse_all(
        &user(),
        &["iam", "access-key", "list"],
        &[
            (&["--format", "xml"], &["xml", "json-rest", "text", "yaml", "table"]),
            (&["--format", ""], &["--format"]),
            (&["--format", "JSON"], &["JSON", "json"]),
            (&["--error-format", "xml"], &["xml", "text", "json"]),
            (&["--color", "maybe"], &["maybe", "auto", "on", "off"]),
            (&["--retry", "often"], &["often", "--retry"]),
            (&["--retry", "1.5"], &["1.5", "--retry"]),
            (&["--timeout", "0s"], &["0s", "--timeout"]),
            (&["--timeout", "30"], &["30", "--timeout", "unit"]),
            (&["--connect-timeout", "0ms"], &["0ms", "--connect-timeout"]),
            (&["--read-timeout", "x"], &["'x'", "--read-timeout"]),
            (&["--debug=yes"], &["--debug"]),
            (&["--no-verify-ssl=false"], &["--no-verify-ssl"]),
            (&["--profile", "nosuch"], &["nosuch", "test"]),
            (&["--profile"], &["--profile"]),
            (&["--token", ""], &["--token", "empty"]),
        ],
    );
}

#[test]
fn a_file_of_authorities_that_holds_none_is_named() {
    let mut user = user();
    let url = user.cloud.https_url().to_owned();
    user.point_at(&url);
    user.write_file("empty.pem", "");
    user.write_file("garbage.pem", "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n");
    user.write_file("no.pem", "certificates live elsewhere");
    for file in ["missing.pem", "empty.pem", "garbage.pem", "no.pem", "config"] {
        refused(&user, file, user.run(&format!("iam access-key list --ca-bundle {file}")), &[file]);
    }
}

#[test]
fn a_filter_that_does_not_compile_is_refused_with_the_filter() {
    let user = user();
    for flag in ["--jq", "--query"] {
        for (filter, word) in
            [(".a[", "`[`"), ("nosuchfunction", "nosuchfunction"), (". |", "jq"), ("$nosuch", "$nosuch")]
        {
            let ran = user.run_args(["iam", "access-key", "create", flag, filter]);
            refused(&user, filter, ran, &["jq", word]);
        }
    }
}

#[test]
fn variables_name_a_wrong_value_and_the_rule() {
    for (variable, value, words) in [
        ("YC_FORMAT", "xml", &["xml", "json-rest"][..]),
        ("YC_ERROR_FORMAT", "xml", &["xml", "json"]),
        ("YC_PROFILE", "nosuch", &["nosuch", "test"]),
        ("YC_IAM_TOKEN", "a b", &["white space"]),
        ("YC_TOKEN", "{}", &["JSON"]),
        ("YC_ENDPOINT_URL_IAM", "iam.example.com", &["iam.example.com", "https://"]),
        ("YC_ENDPOINT_URL_IAM", "iam.example.com:443", &["iam.example.com:443", "https://"]),
        ("YC_ENDPOINT_URL_IAM", "ftp://iam.example.com", &["ftp://iam.example.com", "https://"]),
        ("YC_ENDPOINT_URL_IAM", "http://iam.example.com", &["http://iam.example.com", "https://"]),
        ("YC_ENDPOINT_URL_IAM", "http://127.0.0.1.example.com", &["http://127.0.0.1.example.com", "https://"]),
        ("YC_ENDPOINT_URL_IAM", "http://localhost.example.com", &["http://localhost.example.com", "https://"]),
        ("YC_ENDPOINT_URL_IAM", "http://10.0.0.1", &["http://10.0.0.1", "https://"]),
        ("YC_ENDPOINT_URL_IAM", "https://anna:word@iam.example.com", &["password"]),
        ("YC_ENDPOINT_URL_IAM", "https://anna@iam.example.com", &["user name"]),
        ("YC_ENDPOINT_URL_IAM", "https://iam.example.com/?a=1", &["query"]),
        ("YC_ENDPOINT_URL_IAM", "https://iam.example.com/#a", &["fragment"]),
        ("YC_ENDPOINT_URL_OPERATION", "http://example.com", &["http://example.com"]),
        ("YC_ENDPOINT_URL_RESOURCE_MANAGER", "http://example.com", &["http://example.com"]),
        ("YC_CA_BUNDLE", "missing.pem", &["missing.pem"]),
        ("HTTPS_PROXY", "socks5://127.0.0.1:1", &["socks5"]),
        ("HTTPS_PROXY", "http://", &["host"]),
    ] {
        let mut user = user();
        let url = user.cloud.https_url().to_owned();
        user.point_at(&url);
        user.set(variable, value);
        let mut words = words.to_vec();
        if variable != "YC_PROFILE" && variable != "YC_CA_BUNDLE" {
            words.push(variable);
        }
        refused(&user, variable, user.run("iam access-key list"), &words);
    }
}

#[test]
fn a_folder_that_is_missing_is_an_error_before_authentication() {
    let user = user();
    user.configure(&std::fs::read_to_string(user.config_dir().join("config.toml")).unwrap().replace(FOLDER_ID, ""));
    for line in [
        "iam access-key list --service-account-name admin",
        "iam access-key create --service-account-name admin",
        "iam access-key issue-ephemeral --service-account-name admin",
    ] {
        refused(&user, line, user.run(line), &["--folder-id", "YC_FOLDER_ID", "'folder-id'"]);
    }
    let line = "iam access-key list --service-account-name admin --folder-name mine";
    refused(&user, line, user.run(line), &["--cloud-id", "YC_CLOUD_ID", "'cloud-id'"]);
}

#[test]
fn what_cannot_be_an_id_or_a_life_is_refused_wherever_it_is_given() {
    for (line, variable) in [
        ("iam access-key list --impersonate-service-account-id a/b", None),
        ("iam service-account list --folder-id a/b", None),
        ("iam service-account list", Some(("YC_FOLDER_ID", "a b"))),
        ("iam access-key list", Some(("YC_CLOUD_ID", ".."))),
        ("iam access-key issue-ephemeral --min-ttl 13h", None),
        ("iam access-key exec --format json -- true", None),
    ] {
        let mut user = User::signed_in();
        if let Some((name, value)) = variable {
            user.set(name, value);
        }
        user.run(line).failed(2);
        assert_eq!(user.cloud.requests().len(), 0, "{line}");
    }
}
