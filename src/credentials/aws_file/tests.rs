//! The AWS credentials file as text in and text out.

use proptest::prelude::*;

use super::ini::*;
use super::*;

const NEW: [(&str, &str); 3] = [(KEYS[0], "ID"), (KEYS[1], "SECRET"), (KEYS[2], "TOKEN")];
const MORE: [(&str, &str); 2] = [("region", "ru-central1"), ("endpoint_url", "https://s")];

fn updated(content: &str, profile: &str) -> String {
    String::from_utf8(with_profile(content.as_bytes(), profile, &NEW, &MORE).unwrap()).unwrap()
}

fn problem(content: &[u8], profile: &str) -> String {
    with_profile(content, profile, &NEW, &MORE).unwrap_err()
}

const SECTION: &str = "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n\
                       region = ru-central1\nendpoint_url = https://s\n";

#[test]
fn a_new_profile_comes_last_with_region_and_address() {
    assert_eq!(updated("", "p"), SECTION);
    assert_eq!(updated("\u{feff}", "p"), format!("\u{feff}{SECTION}"));
    for before in ["[q]\nregion = x\n", "# comment only\n", "[pp]\n[P]\n"] {
        assert_eq!(updated(before, "p"), format!("{before}\n{SECTION}"));
    }
    assert_eq!(updated("[q]\n\n", "p"), format!("[q]\n\n{SECTION}"));
    assert_eq!(updated("[q]", "p"), format!("[q]\n\n{SECTION}"));
    assert_eq!(updated("[q]\r\na = b", "p"), format!("[q]\r\na = b\r\n\r\n{}", SECTION.replace('\n', "\r\n")));
}

#[test]
fn of_a_profile_that_is_there_only_the_three_keys_change() {
    let before = "# head\n[a]\naws_access_key_id=1\n[p] ; ours\n; note\nregion = eu\n\
                  AWS_Secret_Access_Key :  old\naws_access_key_id=old # x\n\n# tail\n[z]\naws_session_token = z\n";
    let after = "# head\n[a]\naws_access_key_id=1\n[p] ; ours\n; note\nregion = eu\n\
                 AWS_Secret_Access_Key :  SECRET\naws_session_token = TOKEN\naws_access_key_id=ID\n\n# tail\n[z]\naws_session_token = z\n";
    assert_eq!(updated(before, "p"), after);
    assert_eq!(updated(after, "p"), after);
}

#[test]
fn line_ends_bom_and_indentation_are_kept() {
    assert_eq!(
        updated("\u{feff}[p]\r\naws_access_key_id = 1\r\nx = y", "p"),
        "\u{feff}[p]\r\naws_access_key_id = ID\r\naws_secret_access_key = SECRET\r\naws_session_token = TOKEN\r\nx = y"
    );
    assert_eq!(
        updated("[p]", "p"),
        "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n"
    );
    assert_eq!(
        updated("  [p]\n  region = eu\n", "p"),
        "  [p]\n  aws_access_key_id = ID\n  aws_secret_access_key = SECRET\n  aws_session_token = TOKEN\n  region = eu\n"
    );
}

#[test]
fn what_looks_like_a_header_or_a_key_within_a_value_is_part_of_it() {
    assert_eq!(
        updated("[p]\n# note\n  [q]\n", "p"),
        "[p]\n  aws_access_key_id = ID\n  aws_secret_access_key = SECRET\n  aws_session_token = TOKEN\n# note\n  [q]\n"
    );
    let before = "[q]\ns3 =\n  [p]\n  aws_access_key_id = nested\n";
    assert_eq!(updated(before, "p"), format!("{before}\n{SECTION}"));
    let before = "[p]\naws_access_key_id = 1\n  2\n\n  # kept\n  3\naws_access_key_id = again\n";
    assert_eq!(
        updated(before, "p"),
        "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n\n  # kept\n"
    );
}

#[test]
fn a_file_that_is_not_understood_is_refused() {
    assert!(problem(b"[p]\n[q]\n[ p ]\n", "p").contains("has the profile 'p' twice, in lines 1 and 3"));
    assert!(problem(b"[p]\nx = a\rb\n", "p").contains("carriage return within line 2"));
    assert!(problem(&[0xff, 0xfe, b'[', 0], "p").contains("not a text file"));
    assert!(problem(b"[p]\n odd\n[q]\n", "p").contains("neither a key with a value nor a comment: line 2"));
    assert!(with_profile(b"", "p", &[("k", "a\nb")], &[]).is_err());
    assert!(with_profile(b"", "p", &[("k", "")], &[]).is_err());
    let kept = with_profile(b"# \xe9\n[q]\n", "p", &NEW, &MORE).unwrap();
    assert!(kept.starts_with(b"# \xe9\n[q]\n\n[p]\n"));
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

#[test]
fn a_key_is_read_as_aws_clients_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    let file = CredentialsFile { path: path.clone() };
    private_file::replace(&path, b"[a]\nx=1\n[p]\nAWS_ACCESS_KEY_ID: id\naws_secret_access_key = s = t \n").unwrap();
    let key = file.read("p").unwrap();
    assert_eq!(key.access_key_id.as_deref(), Some("id"));
    assert_eq!(key.secret.unwrap().expose_secret(), "s = t");
    assert!(key.session_token.is_none() && file.read("a").unwrap().access_key_id.is_none());
    let error = file.read("b").unwrap_err();
    assert!(error.to_string().ends_with("has no profile 'b'; there are: a, p"), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn the_place_of_the_file_is_that_of_aws_clients() {
    let mut env = Env { home: Some("/home/me".into()), ..Env::default() };
    let path = |given: Option<&str>, env: &Env| CredentialsFile::locate(given.map(Path::new), env).unwrap().path;
    assert_eq!(path(None, &env), Path::new("/home/me/.aws/credentials"));
    env.vars.insert("AWS_SHARED_CREDENTIALS_FILE".into(), "~/c".into());
    assert_eq!(path(None, &env), Path::new("/home/me/c"));
    assert_eq!(path(Some("rel/c"), &env), Path::new("rel/c"));
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
        document.sections.iter().filter(|section| section.name == "p").any(|section| {
            section.entries.iter().any(|entry| KEYS.contains(&entry.name.as_str()) && entry.lines.contains(&number))
        })
    };
    let lines = document.lines.iter().enumerate().filter(|(number, _)| !ours(*number));
    lines.map(|(_, line)| without_end(line).to_vec()).collect()
}

proptest! {
    #[test]
    fn the_key_is_there_afterwards_and_every_other_line_is_kept(before in files()) {
        let Ok(after) = with_profile(before.as_bytes(), "p", &NEW, &[]) else { return Ok(()) };
        let document = Document::parse(&after).unwrap();
        let section = document.section("p").unwrap().unwrap();
        for (key, value) in NEW {
            let found: Vec<_> = section.entries.iter().filter(|entry| entry.name == key).collect();
            prop_assert_eq!(found.len(), 1);
            let shown = document.value(found[0]);
            prop_assert_eq!(shown.split('\n').next(), Some(value));
        }
        prop_assert_eq!(with_profile(&after, "p", &NEW, &[]).unwrap(), after.clone());
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
