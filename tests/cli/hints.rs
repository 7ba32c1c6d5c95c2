//! What to do about a refusal: who lacks which role, which names are similar, where a folder comes from.

use yc_emulator::{
    ADMIN_ID, AuthorizedKey, BACKUP_ID, CLOUD_ID, FOLDER_ID, Fault, NARROW_ID, OAUTH_TOKEN, OTHER_FOLDER_ID,
};

use crate::route::{CREATE, LIST};
use crate::support::User;

const ROLES: [&str; 4] = [
    "iam.auditor",
    "iam.serviceAccounts.accessKeyAdmin",
    "iam.serviceAccounts.ephemeralAccessKeyAdmin",
    "resource-manager.auditor",
];

/// A user who authenticates by an authorized key, in the emulator's folder.
fn with_key(key: impl FnOnce(&User) -> AuthorizedKey) -> User {
    let mut user = User::new();
    let file = user.write_file("key.json", &key(&user).file());
    user.set("YC_SERVICE_ACCOUNT_KEY_FILE", file.to_str().unwrap());
    user.set("YC_FOLDER_ID", FOLDER_ID);
    user
}

/// A user who may do nothing but what everyone may do on oneself.
fn narrow() -> User {
    with_key(|user| user.cloud.narrow_key())
}

fn hint(error: &str) -> &str {
    error.split_once("\nhint: ").unwrap_or_else(|| panic!("no hint: {error}")).1.trim_end()
}

#[track_caller]
fn denied(user: &User, line: &str) -> String {
    hint(&user.run(line).failed(3)).to_owned()
}

fn on_account(account: &str, role: &str) -> String {
    format!(
        "the service account {NARROW_ID} needs the role {role} on the service account {account} or on its folder; to grant \
         it: yc iam service-account add-access-binding {account} --role {role} --subject serviceAccount:{NARROW_ID}"
    )
}

#[test]
fn a_denial_names_the_acting_subject_the_missing_role_and_how_to_grant_it() {
    let user = narrow();
    let [reader, admin, ephemeral, _] = ROLES;
    for (line, role) in [
        ("list --service-account-id", reader),
        ("create --service-account-id", admin),
        ("issue-ephemeral --subject-id", ephemeral),
    ] {
        assert_eq!(denied(&user, &format!("iam access-key {line} {BACKUP_ID}")), on_account(BACKUP_ID, role), "{line}");
    }
    let line = format!("iam service-account get --id {BACKUP_ID}");
    assert_eq!(denied(&user, &line), on_account(BACKUP_ID, reader));
}

#[test]
fn a_denial_on_a_key_names_the_role_on_its_account() {
    let user = narrow();
    let key = user.cloud.add_access_key(BACKUP_ID, "").id;
    let [reader, admin, ..] = ROLES;
    for (line, role) in [("get", reader), ("delete", admin), ("update --description x", admin)] {
        let expected = format!(
            "the service account {NARROW_ID} needs the role {role} on the service account of the key or on its folder"
        );
        assert_eq!(denied(&user, &format!("iam access-key {line} {key}")), expected, "{line}");
    }
    user.cloud.fault("GET /iam/aws-compatibility/v1/accessKeys/{accessKeyId}", Fault::status(7, "Permission denied"));
    assert!(denied(&user, "iam access-key get YCAJE123").starts_with("YCAJE123 looks like the key ID of S3"));
}

#[test]
fn a_denial_of_a_call_whose_role_is_not_documented_names_the_subject() {
    let mut user = narrow();
    let key = user.cloud.add_access_key(BACKUP_ID, "").id;
    let line = format!("iam access-key list-operations {key}");
    assert_eq!(denied(&user, &line), format!("the call was made as the service account {NARROW_ID}"));
    user.set("YC_IAM_TOKEN", user.cloud.issue_token(NARROW_ID));
    assert_eq!(denied(&user, &line), "the call was made as the subject of YC_IAM_TOKEN");
}

#[test]
fn a_denial_to_the_caller_itself_says_so() {
    let user = narrow();
    user.cloud.fault(CREATE, Fault::status(7, "Permission denied"));
    let role = ROLES[1];
    assert_eq!(
        denied(&user, "iam access-key create"),
        format!(
            "the service account {NARROW_ID} needs the role {role} on itself or on its folder; to grant it: yc iam \
             service-account add-access-binding {NARROW_ID} --role {role} --subject serviceAccount:{NARROW_ID}"
        )
    );
}

#[test]
fn a_subject_that_is_not_known_is_named_by_its_credential() {
    let mut user = User::new();
    user.set("YC_IAM_TOKEN", user.cloud.issue_token(NARROW_ID));
    assert_eq!(
        denied(&user, &format!("iam access-key create --service-account-id {BACKUP_ID}")),
        format!(
            "the subject of YC_IAM_TOKEN needs the role iam.serviceAccounts.accessKeyAdmin on the service account \
             {BACKUP_ID} or on its folder"
        )
    );
    assert_eq!(
        denied(&user, &format!("iam access-key list --impersonate-service-account-id {BACKUP_ID}")),
        format!(
            "the subject of YC_IAM_TOKEN needs the role iam.serviceAccounts.tokenCreator on the service account \
             {BACKUP_ID} or on its folder"
        )
    );
}

#[test]
fn with_impersonation_the_account_that_is_acted_as_is_the_subject() {
    let mut user = with_key(|user| user.cloud.admin_key());
    user.set("YC_IMPERSONATE_SERVICE_ACCOUNT_ID", NARROW_ID);
    assert_eq!(
        denied(&user, &format!("iam access-key create --service-account-id {BACKUP_ID}")),
        on_account(BACKUP_ID, ROLES[1])
    );
}

#[test]
fn a_denial_on_a_folder_says_where_its_id_comes_from() {
    let mut user = narrow();
    let role = ROLES[0];
    let lacks = format!(
        "the service account {NARROW_ID} needs the role {role} on the folder {FOLDER_ID}; to grant it: yc resource-manager \
         folder add-access-binding {FOLDER_ID} --role {role} --subject serviceAccount:{NARROW_ID}"
    );
    for line in ["iam service-account list", "iam access-key list --service-account-name backup"] {
        let expected = format!("the folder ID {FOLDER_ID} comes from YC_FOLDER_ID\n{lacks}");
        assert_eq!(denied(&user, line), expected, "{line}");
    }
    user.set("YC_CLOUD_ID", CLOUD_ID);
    let role = ROLES[3];
    assert_eq!(
        denied(&user, "iam service-account list --folder-name default"),
        format!(
            "the cloud ID {CLOUD_ID} comes from YC_CLOUD_ID\n\
             the service account {NARROW_ID} needs the role {role} on the cloud {CLOUD_ID}; to grant it: yc \
             resource-manager cloud add-access-binding {CLOUD_ID} --role {role} --subject serviceAccount:{NARROW_ID}"
        )
    );
}

#[test]
fn a_folder_that_does_not_exist_says_where_its_id_comes_from() {
    let wrong = "b1gwrong000000000001";
    let next = "to find the right one, type: yc-rs resource-manager folder list";
    let lines = ["iam service-account list", "iam access-key create --service-account-name backup"];
    for line in lines {
        let mut user = User::signed_in();
        let by_flag = user.run(&format!("{line} --folder-id {wrong}")).failed(4);
        assert_eq!(hint(&by_flag), format!("the folder ID {wrong} comes from --folder-id; {next}"), "{line}");
        user.set("YC_FOLDER_ID", wrong);
        let by_variable = user.run(line).failed(4);
        assert_eq!(hint(&by_variable), format!("the folder ID {wrong} comes from YC_FOLDER_ID; {next}"), "{line}");
        user.unset("YC_FOLDER_ID");
        user.use_profile(&format!("folder-id = '{wrong}'"));
        let by_profile = user.run(line).failed(4);
        assert_eq!(
            hint(&by_profile),
            format!("the folder ID {wrong} comes from 'folder-id' of profile 'p'; {next}"),
            "{line}"
        );
    }
}

#[test]
fn a_cloud_that_does_not_exist_says_where_its_id_comes_from() {
    let user = User::signed_in();
    let error = user.run("iam service-account list --folder-name default --cloud-id b1gwrong000000000001").failed(4);
    let expected = "the cloud ID b1gwrong000000000001 comes from --cloud-id; to find the right one, type: yc-rs \
                    resource-manager cloud list";
    assert_eq!(hint(&error), expected);
}

#[test]
fn a_key_that_is_not_found_comes_with_the_command_that_lists_keys() {
    let user = User::signed_in();
    for command in ["get", "update --description x", "delete", "list-operations"] {
        let error = user.run(&format!("iam access-key {command} ajenosuchkey")).failed(4);
        let expected = "to list the IDs of the keys of a service account, type: yc-rs iam access-key list \
                        --service-account-name <NAME>";
        assert_eq!(hint(&error), expected, "{command}");
    }
}

#[test]
fn a_name_that_is_not_found_suggests_those_that_are_near() {
    let user = User::signed_in();
    for name in ["robot-ci", "robot-cd", "backup-old"] {
        user.cloud.add_service_account(FOLDER_ID, name);
    }
    let searched = format!(
        "only the folder {FOLDER_ID} (YC_FOLDER_ID) was searched; name another with --folder-id or --folder-name, or give \
         the account by its ID instead"
    );
    for (name, similar) in [
        ("bakcup", "there is a service account 'backup'; "),
        ("robot", "there are the service accounts 'robot-ci', 'robot-cd'; "),
        ("robot-cx", "there are the service accounts 'robot-ci', 'robot-cd'; "),
        ("adm", ""),
        ("remote", ""),
    ] {
        for line in ["iam access-key list --service-account-name", "iam service-account get --name"] {
            let error = user.run(&format!("{line} {name}")).failed(4);
            assert_eq!(hint(&error), format!("{similar}{searched}"), "{name}");
        }
    }
}

#[test]
fn the_folder_that_was_searched_is_named_with_its_origin() {
    let user = User::signed_in();
    let error = user.run(&format!("iam access-key list --service-account-name backup --folder-id {OTHER_FOLDER_ID}"));
    assert_eq!(
        hint(&error.failed(4)),
        format!(
            "only the folder {OTHER_FOLDER_ID} (--folder-id) was searched; name another with --folder-id or --folder-name, \
             or give the account by its ID instead"
        )
    );
}

#[test]
fn a_folder_name_that_is_not_found_suggests_those_that_are_near() {
    let user = User::signed_in();
    let error = user.run(&format!("iam service-account list --folder-name defalt --cloud-id {CLOUD_ID}")).failed(4);
    assert_eq!(
        hint(&error),
        format!(
            "there is a folder 'default'; only the cloud {CLOUD_ID} (--cloud-id) was searched; name another with --cloud-id, \
             or give --folder-id"
        )
    );
}

#[test]
fn similar_names_that_cannot_be_listed_change_nothing() {
    let user = User::signed_in();
    user.cloud.fault("GET /iam/v1/serviceAccounts", Fault::headers([]));
    user.cloud.fault("GET /iam/v1/serviceAccounts", Fault::status(7, "Permission denied"));
    let error = user.run("iam access-key list --service-account-name bakcup").failed(4);
    assert!(hint(&error).starts_with("only the folder "), "{error}");
}

#[test]
fn a_person_who_names_no_owner_is_told_that_keys_belong_to_service_accounts() {
    let mut user = User::new();
    user.set("YC_TOKEN", OAUTH_TOKEN);
    for (verb, route, aim) in [("list", LIST, "list the keys of one"), ("create", CREATE, "create a key for one")] {
        let expected = format!(
            "access keys belong to service accounts, and the caller may not be one; to list service accounts, type: yc-rs \
             iam service-account list; to {aim}: yc-rs iam access-key {verb} --service-account-name <NAME>"
        );
        let invalid = user.run(&format!("iam access-key {verb}")).failed(1);
        assert_eq!(hint(&invalid), expected);
        user.cloud.fault(route, Fault::status(5, "Service account ajeuser not found"));
        let not_found = user.run(&format!("iam access-key {verb}")).failed(4);
        assert_eq!(hint(&not_found), expected);
    }
}

#[test]
fn a_service_account_or_an_owner_that_is_named_gets_no_such_hint() {
    let user = with_key(|user| user.cloud.admin_key());
    user.cloud.fault(LIST, Fault::status(5, "Service account not found"));
    assert!(!user.run("iam access-key list").failed(4).contains("belong to service accounts"));
    let user = User::signed_in();
    let error = user.run(&format!("iam access-key list --service-account-id {}x", &ADMIN_ID[..19])).failed(4);
    assert!(!error.contains("belong to service accounts"), "{error}");
}

#[test]
fn words_that_are_in_the_wrong_place_are_put_right() {
    let user = User::signed_in();
    for (line, next) in [
        ("exec aws s3 ls", "the command stands behind --: yc-rs exec -- aws s3 ls"),
        ("exec --duration 1h aws s3 ls", "the command stands behind --: yc-rs exec --duration 1h -- aws s3 ls"),
        ("--profile aws exec aws s3 ls", "the command stands behind --: yc-rs --profile aws exec -- aws s3 ls"),
        ("access-key list", "type: yc-rs iam access-key list"),
        ("whoami", "type: yc-rs iam whoami"),
        (
            "iam access-key rotate YCAJE123 --output key.json",
            "YCAJE123 looks like the key ID of S3, but this command takes the ID of the resource; to name the key by its key \
             ID, type: yc-rs iam access-key rotate --key-id YCAJE123",
        ),
    ] {
        let error = user.run(line);
        assert!(error.code != 0 && hint(&error.err).starts_with(next), "{line}: {error:#?}");
    }
    assert!(user.cloud.ephemeral_keys().is_empty());
}
