//! The AWS files as text in and text out.

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::findings::{FileKind, Finding, Rule, before_writing};
use super::ini::*;
use super::writer::with_profile;
use super::*;
use crate::credentials::{Credentials, Storage};
use crate::private_file;

/// The keys that are set or removed.
const KEYS: [&str; 4] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"];

fn storage() -> Storage {
    Storage { region: "ru-central1".into(), endpoint: "https://s".into() }
}

fn temporary() -> Credentials {
    Credentials {
        access_key_id: "ID".into(),
        secret: "SECRET".into(),
        session_token: Some("TOKEN".into()),
        expires_at: None,
        storage: Storage::default(),
    }
}

fn permanent() -> Credentials {
    Credentials { session_token: None, ..temporary() }
}

fn updated_with(content: &str, credentials: &Credentials) -> String {
    String::from_utf8(with_profile(content.as_bytes(), "p", credentials, Some(&storage())).unwrap()).unwrap()
}

fn updated(content: &str) -> String {
    updated_with(content, &temporary())
}

fn problem(content: &[u8]) -> String {
    with_profile(content, "p", &temporary(), None).unwrap_err()
}

const SECTION: &str = "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n\
                       region = ru-central1\nendpoint_url = https://s\n";

#[test]
fn a_new_profile_comes_last_with_region_and_address() {
    assert_eq!(updated(""), SECTION);
    assert_eq!(updated("\u{feff}"), format!("\u{feff}{SECTION}"));
    for before in ["[q]\nregion = x\n", "# comment only\n", "[pp]\n[P]\n"] {
        assert_eq!(updated(before), format!("{before}\n{SECTION}"));
    }
    assert_eq!(updated("[q]\n\n"), format!("[q]\n\n{SECTION}"));
    assert_eq!(updated("[q]"), format!("[q]\n\n{SECTION}"));
    assert_eq!(updated("[q]\r\na = b"), format!("[q]\r\na = b\r\n\r\n{}", SECTION.replace('\n', "\r\n")));
}

#[test]
fn of_a_profile_that_is_there_only_the_three_keys_change() {
    let before = "# head\n[a]\naws_access_key_id=1\n[p]\n; note\nregion = eu\n\
                  AWS_Secret_Access_Key :  old\naws_access_key_id=old # x\n\n# tail\n[z]\naws_session_token = z\n";
    let after = "# head\n[a]\naws_access_key_id=1\n[p]\n; note\nregion = eu\n\
                 AWS_Secret_Access_Key :  SECRET\naws_session_token = TOKEN\naws_access_key_id=ID\n\n# tail\n[z]\naws_session_token = z\n";
    assert_eq!(updated(before), after);
    assert_eq!(updated(after), after);
}

#[test]
fn line_ends_bom_and_indentation_are_kept() {
    assert_eq!(
        updated("\u{feff}[p]\r\naws_access_key_id = 1\r\nx = y"),
        "\u{feff}[p]\r\naws_access_key_id = ID\r\naws_secret_access_key = SECRET\r\naws_session_token = TOKEN\r\nx = y"
    );
    assert_eq!(
        updated("[p]"),
        "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n"
    );
    assert_eq!(
        updated("[p]\n  region = eu\n"),
        "[p]\n  aws_access_key_id = ID\n  aws_secret_access_key = SECRET\n  aws_session_token = TOKEN\n  region = eu\n"
    );
}

#[test]
fn a_value_of_several_lines_is_replaced_whole() {
    let before = "[q]\ns3 =\n  aws_access_key_id = nested\n";
    assert_eq!(updated(before), format!("{before}\n{SECTION}"));
    let before = "[p]\naws_access_key_id = 1\n  2\n\n  # kept\n  3\n";
    assert_eq!(
        updated(before),
        "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n\n  # kept\n"
    );
}

#[test]
fn a_value_of_a_million_lines_is_replaced_at_once() {
    let started = std::time::Instant::now();
    let before = format!("[p]\naws_access_key_id = 1\n{}region = x\n", "  c\n".repeat(1_000_000));
    assert_eq!(updated(&before).lines().count(), 5);
    // Quadratic time would be hours, on any machine.
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn no_token_of_an_earlier_key_stays() {
    let before = "[p]\naws_session_token = OLD\nAWS_SECURITY_TOKEN = OLD\n# kept\n  OLD\nregion = x\n";
    assert_eq!(
        updated(before),
        "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n# kept\nregion = x\n"
    );
    assert_eq!(
        updated_with(before, &permanent()),
        "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\n# kept\nregion = x\n"
    );
    assert_eq!(
        updated_with("", &permanent()),
        "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\nregion = ru-central1\nendpoint_url = https://s\n"
    );
}

#[test]
fn a_profile_on_which_sdks_disagree_is_refused_by_its_line() {
    for (content, reason) in [
        ("[p]\n[q]\n[p]\n", "has the profile 'p' twice, in lines 1 and 3; remove one of them"),
        (
            "[q]\n[ p]\n",
            "has white space inside the brackets of line 2, which AWS SDKs read in different ways; write [p]",
        ),
        (
            "[p] # was [old-p]\n",
            "has text after the brackets of line 1, which AWS SDKs read in different ways; write the comment on a line \
             of its own",
        ),
        (
            "[q]\ns3 =\n  [p]\n",
            "has white space before the bracket of line 3, which AWS SDKs read in different ways; remove it",
        ),
        (
            "[p]\n  [q]\n",
            "has white space before the bracket of line 2, which AWS SDKs read in different ways; remove it",
        ),
        (
            "[p]\nregion = a\n\nREGION: b\n",
            "has 'region' twice in the profile 'p', in lines 2 and 4; remove one of them",
        ),
        (
            "[p]\na\u{1b} = 1\na\u{1b} = 2\n",
            r"has 'a\u001b' twice in the profile 'p', in lines 2 and 3; remove one of them",
        ),
        ("[p]\n odd\n[q]\n", "has a line that is neither a key with a value nor a comment: line 2"),
    ] {
        assert_eq!(problem(content.as_bytes()), reason, "{content:?}");
    }
    for content in ["[p] \t\n", "[q] # was [p]\n[p]\n", "  [q]\n[p]\n", "[q]\n[ q ]\nx = 1\nx = 2\n[p]\n"] {
        assert!(with_profile(content.as_bytes(), "p", &temporary(), None).is_ok(), "{content:?}");
    }
}

#[test]
fn a_file_that_is_not_understood_is_refused() {
    assert_eq!(problem(b"[p]\nx = a\rb\n"), "has a carriage return within line 2");
    assert_eq!(
        problem(&[0xff, 0xfe, b'[', 0]),
        "has zero bytes, as UTF-16 has, so AWS SDKs cannot read it; save it as UTF-8"
    );
    for secret in ["a\nb", "", "#a", "a b"] {
        let credentials = Credentials { secret: secret.into(), ..temporary() };
        assert_eq!(
            with_profile(b"", "p", &credentials, None).unwrap_err(),
            "cannot hold the value for aws_secret_access_key: it is empty, looks like a comment, or has white space or \
             control characters"
        );
    }
    let kept = with_profile(b"# \xe9\n[q]\n", "p", &temporary(), None).unwrap();
    assert!(kept.starts_with(b"# \xe9\n[q]\n\n[p]\n"));
}

fn found(content: &str, kind: FileKind, lifetime: Lifetime) -> Vec<(usize, Rule)> {
    let document = Document::parse(content.as_bytes()).unwrap();
    let findings = before_writing(&document, kind, "p", lifetime);
    findings.into_iter().map(|Finding { line, rule }| (line, rule)).collect()
}

#[test]
fn credentials_that_sdks_use_before_the_key_are_found_in_both_files() {
    let other = |line, key: &str| (line, Rule::OtherCredential { key: key.into() });
    for header in ["[profile p]", "[profile  \"p\"]", "[ profile p ] # x", "[DEFAULT]"] {
        for key in ["role_arn", "web_identity_token_file", "sso_session", "sso_start_url", "SSO_account_id"] {
            let content = format!("[q]\n{header}\nregion = x\n{key} = y\n");
            let expected = [other(4, &key.to_lowercase())];
            assert_eq!(found(&content, FileKind::Config, Lifetime::Temporary), expected, "{content}");
        }
    }
    assert_eq!(found("[p]\nrole_arn = x\n", FileKind::Credentials, Lifetime::Permanent), [other(2, "role_arn")]);
    for content in
        ["[profile p]\nrole_arn =\nsource_profile = q\n", "[profile q]\nrole_arn = x\n", "[p]\nrole_arn = x\n"]
    {
        assert_eq!(found(content, FileKind::Config, Lifetime::Temporary), [], "{content}");
    }
}

#[test]
fn session_tokens_that_would_be_sent_with_the_key_are_found() {
    let token = |line, key: &str| (line, Rule::OtherToken { key: key.into() });
    for kind in [FileKind::Credentials, FileKind::Config] {
        let content = "[DEFAULT]\naws_session_token = x\nAWS_SECURITY_TOKEN = y\n";
        let expected = [token(2, "aws_session_token"), token(3, "aws_security_token")];
        assert_eq!(found(content, kind, Lifetime::Temporary), expected);
        assert_eq!(found("[DEFAULT]\naws_session_token =\n", kind, Lifetime::Temporary), []);
    }
    let content = "[profile p]\naws_session_token = x\n";
    assert_eq!(found(content, FileKind::Config, Lifetime::Permanent), [token(2, "aws_session_token")]);
    assert_eq!(found(content, FileKind::Config, Lifetime::Temporary), []);
}

#[test]
fn what_the_user_should_know_is_noted() {
    let key = "[p]\naws_access_key_id = YCAJE # old\n";
    let replaced = (2, Rule::PermanentKey);
    assert_eq!(found(key, FileKind::Credentials, Lifetime::Temporary), [replaced]);
    assert_eq!(found(key, FileKind::Credentials, Lifetime::Permanent), []);
    let with_token = format!("{key}aws_session_token = x\n");
    assert_eq!(found(&with_token, FileKind::Credentials, Lifetime::Temporary), []);
    let config = "[profile p]\nservices = s\n[DEFAULT]\nignore_configured_endpoint_urls = True\n";
    let expected = [(2, Rule::Services), (4, Rule::IgnoredEndpoints)];
    assert_eq!(found(config, FileKind::Config, Lifetime::Temporary), expected);
    let bom = [(1, Rule::ByteOrderMark)];
    assert_eq!(found("\u{feff}[p]\nregion = x\n", FileKind::Credentials, Lifetime::Temporary), bom);
}

#[test]
fn hostile_names_of_profiles_are_refused() {
    for name in ["", "a b", "a]", "[a", "a/b", "a\\b", "a\nb", "a\u{7f}", "a\u{a0}b", "DEFAULT"] {
        assert!(check_profile_name(name).is_err(), "{name:?}");
    }
    for name in ["default", "a-b_c.d@e:f", "имя"] {
        assert_eq!(check_profile_name(name).as_deref(), Ok(name));
    }
}

/// The key that is read from these files, as ID, secret and whether there is a token; or the message of the error, less
/// the path of the file.
fn read(credentials: &str, config: &str) -> Result<(Option<String>, Option<String>, bool), String> {
    let directory = tempfile::tempdir().unwrap();
    let files =
        AwsFiles { credentials: directory.path().join("credentials"), config: Some(directory.path().join("config")) };
    private_file::replace(&files.credentials, credentials.as_bytes()).unwrap();
    private_file::replace(files.config().unwrap(), config.as_bytes()).unwrap();
    match files.read("p") {
        Ok(key) => {
            let secret = key.secret.map(|secret| secret.expose_secret().to_owned());
            Ok((key.access_key_id, secret, key.is_temporary))
        }
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            Err(error.to_string().replace(&format!("{}/", directory.path().display()), ""))
        }
    }
}

#[test]
fn a_line_of_another_section_that_aws_clients_reject_the_file_for_is_noted() {
    let noted = |content: &[u8]| {
        let document = Document::parse(content).unwrap();
        let found = before_writing(&document, FileKind::Credentials, "p", Lifetime::Temporary);
        found.into_iter().map(|finding| (finding.line, finding.rule.clone(), finding.is_note())).collect::<Vec<_>>()
    };
    for line in [&b"foo = 1\n\n"[..], b"foo\n\n", b"[q\n\n", b"[]\n\n"] {
        assert_eq!(noted(&[b"# first\n", line, b"[p]\n"].concat()), [(2, Rule::UnreadableLine, true)], "{line:?}");
    }
    for lines in [&b"[q]\nfoo\n"[..], b"[q]\n= 1\n", b"[q]\nx = \xff\n", b"[q]\n# \xff\n", b"[q]\n[q]\n"] {
        assert_eq!(noted(&[lines, b"[p]\n"].concat()), [(2, Rule::UnreadableLine, true)], "{lines:?}");
    }
    assert_eq!(noted(b"[q]\nx = 1\nX = 2\n[p]\n"), [(3, Rule::UnreadableLine, true)]);
    assert_eq!(noted(b"[DEFAULT]\n[DEFAULT]\n[q]\nx = 1\n  y\n[r]\nx = 2\n[p]\n"), []);
}

/// With a comparison of every name with every other one it takes minutes.
#[test]
fn a_profile_of_a_hundred_thousand_keys_is_written() {
    let keys = (0..100_000).map(|number| format!("k{number} = 1\n")).collect::<Vec<_>>().concat();
    assert!(updated(&format!("[p]\n{keys}")).ends_with(&keys));
}

#[test]
fn a_key_is_read_from_utf_16() {
    let text = "\u{feff}[p]\r\naws_access_key_id = ID\r\naws_secret_access_key = S\r\n";
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let content: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        private_file::replace(&path, &content).unwrap();
        let key = read_key(&path, FileKind::Credentials, "p").unwrap().unwrap();
        assert_eq!((key.access_key_id.as_deref(), key.secret.unwrap().expose_secret()), (Some("ID"), "S"));
    }
}

#[test]
fn a_key_is_read_as_aws_clients_read_it() {
    let key = |id: &str, secret: &str| Ok((Some(id.to_owned()), Some(secret.to_owned()), false));
    let lines = |id: &str, secret: &str| format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    assert_eq!(read("[a]\nx=1\n[p]\nAWS_ACCESS_KEY_ID: id\naws_secret_access_key = s = t \n", ""), key("id", "s = t"));
    assert_eq!(read(&format!("[p]\n{}", lines("ID ; backup", "SE#C;T # rotated")), ""), key("ID", "SE#C;T"));
    assert_eq!(read(&format!("[p]\n{}aws_session_token =\n", lines("ID", "S")), ""), key("ID", "S"));
    assert_eq!(read(&format!("[p]\n{}aws_session_token = # none\n", lines("ID", "S")), ""), key("ID", "S"));
    assert_eq!(read("", &format!("[profile p]\n{}", lines("ID", "S"))), key("ID", "S"));
    assert_eq!(read("[p]\nregion = x\n", &format!("[profile p]\n{}", lines("ID", "S"))), key("ID", "S"));
    assert_eq!(
        read(&format!("[p]\n{}", lines("ID", "S")), &format!("[profile p]\n{}", lines("OTHER", "O"))),
        key("ID", "S")
    );
    for token in ["aws_session_token", "aws_security_token"] {
        assert_eq!(
            read(&format!("[DEFAULT]\n{token} = x\n[p]\n{}", lines("ID", "S")), ""),
            Err(format!(
                "the AWS credentials file credentials has '{token}' in line 2, which AWS SDKs send with the access key of \
                 the profile 'p'; remove the line"
            ))
        );
        assert!(read(&format!("[p]\n{}{token} = x\n", lines("ID", "S")), "").unwrap().2);
    }
    assert_eq!(read("[p]\naws_access_key_id = ID\n", ""), Ok((Some("ID".into()), None, false)));
    assert_eq!(
        read("[a]\n[b]\n", "[p]\n"),
        Err("the AWS credentials file credentials has no profile 'p'; there are: a, b".into())
    );
    assert_eq!(
        read("", "[q]\n"),
        Err("the AWS credentials file credentials has no profile 'p'; it has no profiles".into())
    );
    assert_eq!(
        read("[p]\nx = 1\nX = 2\n", ""),
        Err("the AWS credentials file credentials has 'x' twice in the profile 'p', in lines 2 and 3; remove one of \
             them"
            .into())
    );
}

#[test]
fn the_places_of_the_files_are_those_of_aws_clients() {
    let mut env = Env { home: Some("/home/me".into()), ..Env::default() };
    let paths = |given: Option<&str>, env: &Env| {
        let AwsFiles { credentials, config } = AwsFiles::locate(given.map(Path::new), env).unwrap();
        (credentials.display().to_string(), config.unwrap().display().to_string())
    };
    let expected = |credentials: &str, config: &str| (credentials.to_owned(), config.to_owned());
    assert_eq!(paths(None, &env), expected("/home/me/.aws/credentials", "/home/me/.aws/config"));
    env.vars.insert("AWS_SHARED_CREDENTIALS_FILE".into(), "~/c".into());
    env.vars.insert("AWS_CONFIG_FILE".into(), "~/d".into());
    assert_eq!(paths(None, &env), expected("/home/me/c", "/home/me/d"));
    assert_eq!(paths(Some("rel/c"), &env), expected("rel/c", "/home/me/d"));
}

fn files() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("[p]".to_owned()),
        "\\[[pq ]{1,3}\\]",
        "[ \t]{0,2}(aws_access_key_id|AWS_SESSION_TOKEN|region|s3)[ ]?[=:][ ]?[a-z=\\[\\]#]{0,4}",
        "[ ]{0,2}[#;][a-z\\[\\]]{0,4}",
        "[ \ta-z\\[\\]=#]{0,8}",
    ];
    let lines = proptest::collection::vec((line, prop_oneof![Just("\n"), Just("\r\n")]), 0..12);
    (lines, "[a-z]{0,3}")
        .prop_map(|(lines, last)| lines.into_iter().map(|(line, end)| line + end).collect::<String>() + &last)
}

fn other_lines(content: &[u8]) -> Vec<Vec<u8>> {
    let document = Document::parse(content).unwrap();
    let ours = |number: usize| {
        document.sections.iter().filter(|section| section.title == "p").any(|section| {
            section.entries.iter().any(|entry| KEYS.contains(&entry.name.as_str()) && entry.lines.contains(&number))
        })
    };
    let lines = document.lines.iter().enumerate().filter(|(number, _)| !ours(*number));
    lines.map(|(_, line)| without_end(line).to_vec()).collect()
}

proptest! {
    #[test]
    fn the_key_is_there_afterwards_and_every_other_line_is_kept(before in files()) {
        let Ok(after) = with_profile(before.as_bytes(), "p", &temporary(), None) else { return Ok(()) };
        let document = Document::parse(&after).unwrap();
        let section = document.sections.iter().find(|section| section.title == "p").unwrap();
        for (key, values) in KEYS.into_iter().zip([&["ID"][..], &["SECRET"], &["TOKEN"], &[]]) {
            let entries = section.entries.iter().filter(|entry| entry.name == key);
            let found: Vec<_> = entries.map(|entry| document.value(entry)).collect();
            prop_assert_eq!(found, values);
        }
        prop_assert_eq!(with_profile(&after, "p", &temporary(), None).unwrap(), after.clone());
        let (kept, now) = (other_lines(before.as_bytes()), other_lines(&after));
        let mut rest = now.iter();
        prop_assert!(kept.iter().all(|line| rest.any(|other| other == line)), "{:?} {:?}", before, String::from_utf8_lossy(&after));
    }

    #[test]
    fn reading_never_panics(content in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(document) = Document::parse(&content) {
            prop_assert_eq!(document.lines.concat(), content);
        }
    }
}
