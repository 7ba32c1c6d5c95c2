//! Who one is, giving a token up, and finding service accounts.

use serde_json::{Value, json};
use yc_emulator::{
    ADMIN_ID, BACKUP_ID, FOLDER_ID, FOLDER_NAME, Fault, NARROW_ID, OTHER_FOLDER_ID, OTHER_FOLDER_NAME, REMOTE_ID,
};

use crate::route::EXCHANGE;
use crate::support::User;

const WHOAMI: &str = "iam whoami --format json";
const GET_ACCOUNT: &str = "GET /iam/v1/serviceAccounts/{serviceAccountId}";
const LIST_ACCOUNTS: &str = "GET /iam/v1/serviceAccounts";
const USERINFO: &str = "GET /oauth/userinfo";
const REVOKE: &str = "POST /iam/v1/tokens:revoke";

/// A user in a job that is bound to the administrator.
fn in_job() -> User {
    let mut user = User::new();
    user.use_job();
    user
}

/// A user with a token who acts as an account without rights.
fn impersonating() -> User {
    let mut user = User::signed_in();
    user.set("YC_IMPERSONATE_SERVICE_ACCOUNT_ID", BACKUP_ID);
    user
}

fn cached_tokens(user: &User) -> usize {
    let Ok(directory) = std::fs::read_dir(user.cache_dir().join("tokens")) else { return 0 };
    directory
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "json"))
        .count()
}

#[test]
fn whoami_tells_the_account_of_a_credential_that_names_it() {
    for (user, id, name) in [
        (User::new().with_key(), ADMIN_ID, "admin"),
        (in_job(), ADMIN_ID, "admin"),
        (impersonating(), BACKUP_ID, "backup"),
    ] {
        assert_eq!(user.run(WHOAMI).json(), json!({"id": id, "folder_id": FOLDER_ID, "name": name}));
        assert_eq!(user.run("iam whoami").ok(), format!("id: {id}\nfolder_id: {FOLDER_ID}\nname: {name}\n"));
    }
}

#[test]
fn whoami_tells_the_id_alone_where_the_account_may_not_read_itself() {
    for (code, user) in [(7, User::new().with_key()), (7, impersonating()), (5, in_job())] {
        user.cloud.fault(GET_ACCOUNT, Fault::status(code, "Permission denied"));
        let shown = user.run(WHOAMI).json();
        assert_eq!(shown.as_object().unwrap().keys().collect::<Vec<_>>(), ["id"]);
    }
}

#[test]
fn whoami_asks_the_server_whom_a_bare_token_belongs_to() {
    let mut with_oauth = User::new();
    let oauth = with_oauth.cloud.add_oauth_token(NARROW_ID);
    with_oauth.set("YC_TOKEN", oauth);
    for (user, id) in [(User::signed_in(), ADMIN_ID), (with_oauth, NARROW_ID)] {
        assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{id}\n"));
        assert_eq!((user.count(USERINFO), user.count(LIST_ACCOUNTS)), (1, 0));
    }
}

#[test]
fn whoami_of_a_bare_token_guesses_nothing_when_the_server_does_not_say() {
    let user = User::signed_in();
    for fault in [Fault::unavailable(), Fault::answer(200, "application/json", "{}"), Fault::status(7, "denied").into()]
    {
        user.cloud.fault(USERINFO, fault);
        let error = user.run(WHOAMI).failed(1);
        let hint = error.split_once("\nhint: ").unwrap().1;
        assert!(
            error.contains("YC_IAM_TOKEN") && hint.contains("service account") && hint.contains("impersonation"),
            "{error}"
        );
    }
    user.cloud.expire_tokens();
    assert!(user.run(WHOAMI).failed(3).contains("YC_IAM_TOKEN"));
}

#[test]
fn whoami_of_a_bare_token_blames_a_certificate_that_is_not_trusted() {
    let mut user = User::signed_in().over_https();
    user.unset("YC_CA_BUNDLE");
    let address = user.cloud.https_url().trim_start_matches("https://").to_owned();
    let error = user.run(WHOAMI).failed(1);
    let shown: Vec<_> = error.lines().filter(|line| line.starts_with("ERROR") || line.starts_with("hint")).collect();
    let expected = format!(
        "ERROR: cannot find out the subject of YC_IAM_TOKEN: cannot trust {address}: its certificate comes from the \
         authority 'yc-rs emulator CA', which is not trusted"
    );
    let hint = "hint: give the certificate of 'yc-rs emulator CA', not that of the server, with --ca-bundle FILE or \
                YC_CA_BUNDLE";
    assert_eq!(shown, [&*expected, hint]);
}

#[test]
fn whoami_authenticates_before_it_prints() {
    let user = User::new().with_key();
    user.cloud.delete_authorized_key(&user.cloud.admin_key().id);
    user.run("iam whoami").failed(3);
    assert_eq!(user.sent(), [EXCHANGE]);

    let user = in_job();
    user.cloud.fault("POST /oauth/token", Fault::status(7, "not bound"));
    user.run("iam whoami").failed(3);

    let user = impersonating();
    user.cloud.withdraw_rights(ADMIN_ID);
    user.run("iam whoami").failed(3);
}

#[test]
fn whoami_is_an_error_when_the_service_is_away_or_refuses_the_token() {
    let user = User::new().with_key();
    user.cloud.fault(GET_ACCOUNT, Fault::unavailable());
    user.run("iam whoami --retry 1").failed(5);
    user.cloud.fault(GET_ACCOUNT, Fault::status(16, "The token is invalid"));
    user.cloud.fault(GET_ACCOUNT, Fault::status(16, "The token is invalid"));
    user.run("iam whoami").failed(3);
}

#[test]
fn revoke_token_revokes_the_current_token_and_forgets_it() {
    let user = User::new().with_key();
    let token = user.run("iam create-token").ok();
    user.cloud.clear_requests();

    assert_eq!(user.run("iam revoke-token").ok(), format!("subject_id: {ADMIN_ID}\n"));

    let [request] = &user.cloud.requests()[..] else { panic!("{:#?}", user.cloud.requests()) };
    assert_eq!(request.line(), REVOKE);
    assert_eq!(request.json(), json!({"iamToken": token.trim()}));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {}", token.trim()).as_str()));
    assert!(user.cloud.tokens()[0].revoked);
    assert_eq!(cached_tokens(&user), 0);
    user.cloud.clear_requests();
    user.run("iam access-key list").ok();
    assert_eq!(user.sent(), [EXCHANGE, "GET /iam/aws-compatibility/v1/accessKeys"]);
}

#[test]
fn revoke_token_prints_the_subject_in_every_format() {
    for (format, expected) in [
        ("json", format!("{{\n  \"subject_id\": \"{ADMIN_ID}\"\n}}\n")),
        ("json-rest", format!("{{\n  \"subjectId\": \"{ADMIN_ID}\"\n}}\n")),
        ("yaml", format!("subject_id: {ADMIN_ID}\n")),
    ] {
        let user = User::new().with_key();
        assert_eq!(user.run(&format!("iam revoke-token --format {format}")).ok(), expected);
    }
}

#[test]
fn revoke_token_revokes_another_token_and_keeps_the_own() {
    let user = User::new().with_key();
    let own = user.run("iam create-token").ok();
    let other = || user.cloud.issue_token(NARROW_ID);
    for given in [other(), other()] {
        let ran = user.run_args(["iam", "revoke-token", "--iam-token", &given, "--jq", ".subject_id"]);
        assert_eq!(ran.ok(), format!("{NARROW_ID}\n"));
        assert!(user.cloud.tokens().iter().any(|token| token.value == given && token.revoked));
    }
    let piped = other();
    let args = ["iam", "revoke-token", "--iam-token", "-", "--jq", ".subject_id"];
    assert_eq!(user.run_with_input(args, &format!(" {piped}\n")).ok(), format!("{NARROW_ID}\n"));
    assert!(user.cloud.tokens().iter().any(|token| token.value == piped && token.revoked));
    let sent = user.cloud.requests().pop().unwrap();
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {}", own.trim()).as_str()));
    assert_eq!(user.run("iam create-token").ok(), own);
    assert_eq!(user.count(EXCHANGE), 1);
}

#[test]
fn revoke_token_forgets_the_cached_token_when_that_is_the_one_given() {
    let user = User::new().with_key();
    let token = user.run("iam create-token").ok();
    user.run_args(["iam", "revoke-token", "--iam-token", token.trim()]).ok();
    assert_eq!(cached_tokens(&user), 0);
    user.run("iam access-key list").ok();
}

#[test]
fn revoke_token_of_one_who_acts_as_an_account_revokes_the_accounts_token_alone() {
    let user = impersonating();
    let own = user.cloud.tokens().remove(0);
    assert_eq!(user.run("iam revoke-token").ok(), format!("subject_id: {BACKUP_ID}\n"));
    assert!(user.cloud.tokens().iter().all(|token| token.revoked == (token.value != own.value)));
    assert_eq!(cached_tokens(&user), 0);
}

#[test]
fn revoke_token_gets_past_a_cached_token_that_is_refused() {
    let user = User::new().with_key();
    let stale = user.run("iam create-token").ok();
    user.cloud.revoke_token(stale.trim());
    let other = user.cloud.issue_token(NARROW_ID);
    let ran = user.run_args(["iam", "revoke-token", "--iam-token", &other]);
    assert_eq!(ran.ok(), format!("subject_id: {NARROW_ID}\n"));
}

#[test]
fn revoke_token_that_is_refused_says_so_and_keeps_what_is_cached() {
    let user = User::new().with_key();
    user.run("iam create-token").ok();
    let unknown = "t1.unknown-token-that-must-not-be-shown";
    let error = user.run_args(["iam", "revoke-token", "--iam-token", unknown]).failed(1);
    assert!(error.contains("the token is invalid") && !error.contains(unknown), "{error}");
    user.cloud.withdraw_rights(ADMIN_ID);
    let other = user.cloud.issue_token(NARROW_ID);
    user.run_args(["iam", "revoke-token", "--iam-token", &other]).failed(3);
    assert_eq!(cached_tokens(&user), 1);
}

#[test]
fn revoke_token_refuses_what_is_not_a_token_and_a_second_reader_of_standard_input() {
    let user = User::new().with_key();
    for (args, input) in [
        (&["iam", "revoke-token", "--iam-token", ""][..], ""),
        (&["iam", "revoke-token", "--iam-token", "-"], " \n"),
        (&["iam", "revoke-token", "--iam-token", "-", "--token", "-"], "t1.a\n"),
    ] {
        user.run_with_input(args, input).failed(2);
    }
    assert!(user.cloud.requests().is_empty());
}

/// The cells of the table's rows, the first of which is the header.
fn cells(table: &str) -> Vec<Vec<String>> {
    let rows = table.lines().filter(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn service_accounts_are_listed_with_id_and_name_first() {
    let user = User::signed_in();
    let rows = cells(&user.run("iam service-account list").ok());
    assert_eq!(rows[0][..2], ["ID", "NAME"]);
    let shown: Vec<_> = rows[1..].iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    assert_eq!(shown, [(ADMIN_ID, "admin"), (NARROW_ID, "narrow"), (BACKUP_ID, "backup")]);
    assert_eq!(user.count(LIST_ACCOUNTS), 2, "two pages");
    assert_eq!(user.run("iam service-account list --jq .[].name").ok(), "admin\nnarrow\nbackup\n");
}

#[test]
fn service_accounts_are_listed_of_the_folder_in_force() {
    let mut user = User::signed_in();
    user.use_profile(&format!("cloud-id = '{}'", yc_emulator::CLOUD_ID));
    let names = |user: &User, flags: &str| user.run(&format!("iam service-account list --jq .[].name {flags}")).ok();
    assert_eq!(names(&user, &format!("--folder-id {OTHER_FOLDER_ID}")), "remote\n");
    assert_eq!(names(&user, &format!("--folder-name {OTHER_FOLDER_NAME}")), "remote\n");
    user.unset("YC_FOLDER_ID");
    let error = user.run("iam service-account list").failed(2);
    for way in ["--folder-id", "YC_FOLDER_ID", "folder-id"] {
        assert!(error.contains(way), "{error}");
    }
    user.use_profile(&format!("cloud-id = '{}'\nfolder-name = '{FOLDER_NAME}'", yc_emulator::CLOUD_ID));
    assert_eq!(names(&user, ""), "admin\nnarrow\nbackup\n");
}

#[test]
fn a_list_of_service_accounts_is_limited_as_other_lists_are() {
    let user = User::signed_in();
    assert_eq!(user.run("iam service-account list --limit 1 --jq length").ok(), "1\n");
    let missing = user.run("iam service-account list --folder-id b1gmissing").failed(4);
    assert!(missing.contains("b1gmissing"), "{missing}");
}

#[test]
fn a_service_account_is_found_by_id_and_by_name() {
    let user = User::signed_in();
    for words in [BACKUP_ID.to_owned(), "backup".to_owned(), format!("--id {BACKUP_ID}"), "--name backup".to_owned()] {
        for verb in ["get", "show", "describe"] {
            let shown = user.run(&format!("iam service-account {verb} {words} --format json")).json();
            assert_eq!((&shown["id"], &shown["name"]), (&json!(BACKUP_ID), &json!("backup")), "{words}");
        }
    }
    let text = user.run(&format!("iam service-account get {BACKUP_ID}")).ok();
    assert!(text.starts_with(&format!("id: {BACKUP_ID}\nfolder_id: {FOLDER_ID}\ncreated_at: \"")), "{text}");
    assert!(text.ends_with("\nname: backup\nstatus: ACTIVE\n"), "{text}");
}

#[test]
fn an_id_is_good_everywhere_and_a_name_in_its_folder() {
    let user = User::signed_in();
    user.run(&format!("iam service-account get {REMOTE_ID}")).ok();
    let error = user.run("iam service-account get remote").failed(4);
    let hint = error.split_once("\nhint: ").unwrap().1;
    assert!(hint.contains(FOLDER_ID) && hint.contains("--folder-id"), "{error}");
    user.run(&format!("iam service-account get remote --folder-id {OTHER_FOLDER_ID}")).ok();
    user.run("iam service-account get --name remote").failed(4);
}

#[test]
fn a_name_that_is_also_an_id_means_the_id() {
    let user = User::signed_in();
    user.cloud.add_service_account(FOLDER_ID, REMOTE_ID);
    let shown = user.run(&format!("iam service-account get {REMOTE_ID} --format json")).json();
    assert_eq!(shown["name"], "remote");
    let shown = user.run(&format!("iam service-account get --name {REMOTE_ID} --format json")).json();
    assert_eq!(shown["name"], REMOTE_ID);
}

#[test]
fn an_unknown_service_account_exits_4_and_wrong_words_exit_2() {
    let mut user = User::signed_in();
    for words in ["ajemissing", "--id ajemissing", "--name missing", "missing"] {
        user.run(&format!("iam service-account get {words}")).failed(4);
    }
    for words in ["", "a --id b", "a --name b", "--id a --name b", "--name A", "a/b", "--id a/b"] {
        user.run(&format!("iam service-account get {words}")).failed(2);
    }
    user.unset("YC_FOLDER_ID");
    user.run("iam service-account get --name backup").failed(2);
    user.run("iam service-account get backup").failed(4);
}

#[test]
fn the_keys_of_labels_are_never_respelt() {
    let user = User::signed_in();
    let labels = [("createdAt", "a"), ("team_name", "b"), ("folderId", "C_d"), ("kebab-key", "yes")];
    let id = user.cloud.add_service_account_with_labels(FOLDER_ID, "labelled", &labels);
    let expected: Value = labels.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
    for (format, folder) in [("json", "folder_id"), ("json-rest", "folderId")] {
        let shown = user.run(&format!("iam service-account get {id} --format {format}")).json();
        assert_eq!((&shown["labels"], &shown[folder]), (&expected, &json!(FOLDER_ID)), "{format}");
        let listed = user.run(&format!("iam service-account list --format {format}")).json();
        assert_eq!(listed[3]["labels"], expected, "{format}");
    }
    for format in ["yaml", "text"] {
        let text = user.run(&format!("iam service-account get {id} --format {format}")).ok();
        let block = "labels:\n  createdAt: a\n  team_name: b\n  folderId: C_d\n  kebab-key: \"yes\"\n";
        assert!(text.contains(block), "{format}: {text}");
    }
}

#[test]
fn a_name_that_is_too_long_for_an_id_is_looked_up_as_a_name() {
    let user = User::signed_in();
    let name = "a".repeat(60);
    let id = user.cloud.add_service_account(FOLDER_ID, &name);
    assert!(user.run(&format!("iam service-account get {name}")).ok().starts_with(&format!("id: {id}\n")));
}
