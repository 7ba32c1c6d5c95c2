//! Jobs that get keys without a stored secret: credentials from `YC_SA_ID`, and `ci setup`.

use serde_json::{Value, json};
use yc_emulator::{
    ADMIN_ID, BACKUP_ID, EXTERNAL_AUDIENCE, EXTERNAL_ISSUER, Emulator, GITHUB_AUDIENCE, GITHUB_ISSUER, GITHUB_SUBJECT,
};

use crate::route::ISSUE;
use crate::support::User;

const KEY: &str = "iam access-key issue-ephemeral --duration 15m --jq .secret";
const FEDERATIONS: &str = "POST /iam/v1/workload/oidc/federations";
const CREDENTIALS: &str = "POST /iam/v1/workload/federatedCredentials";

/// A job with nothing stored, whose subject `job` is bound to the administrator.
fn job() -> User {
    let user = User::new();
    let federation = user.cloud.add_federation(EXTERNAL_ISSUER, EXTERNAL_AUDIENCE);
    user.cloud.bind(&federation, "job", ADMIN_ID);
    user
}

fn in_github(user: &mut User) {
    let (url, token) = (user.cloud.github_oidc_url(), user.cloud.github_request_token());
    user.set("ACTIONS_ID_TOKEN_REQUEST_URL", url);
    user.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
    user.set("GITHUB_ACTIONS", "true");
}

#[test]
fn the_account_alone_is_enough_where_the_job_has_a_token() {
    for variable in ["ID_TOKEN", "GITLAB_OIDC_TOKEN"] {
        let mut user = job();
        let token = user.cloud.external_token("job");
        user.set(variable, token);
        user.set("YC_SA_ID", ADMIN_ID);
        user.set("GITLAB_CI", if variable == "ID_TOKEN" { "" } else { "true" });
        user.run(KEY).ok();
        assert_eq!(user.cloud.tokens().pop().unwrap().subject_id, ADMIN_ID, "{variable}");
    }
    let mut user = User::new();
    let federation = user.cloud.add_federation(GITHUB_ISSUER, GITHUB_AUDIENCE);
    user.cloud.bind(&federation, GITHUB_SUBJECT, ADMIN_ID);
    in_github(&mut user);
    user.set("YC_SA_ID", ADMIN_ID);
    // Where there are several, that of GitHub is meant.
    user.set("ID_TOKEN", "x");
    user.run(KEY).ok();
    user.unset("ID_TOKEN");
    // Another audience is asked for.
    user.set("YC_RS_NO_CACHE", "1");
    user.set("YC_WORKLOAD_IDENTITY_AUDIENCE", "other");
    let error = user.run(KEY).failed(3);
    assert!(error.contains("aud 'other'"), "{error}");
}

#[test]
fn the_source_of_the_token_can_be_named() {
    let mut user = job();
    let token = user.cloud.external_token("job");
    let file = user.write_file("token", &token);
    user.set("MY_TOKEN", token);
    user.set("YC_SA_ID", ADMIN_ID);
    for source in ["env:MY_TOKEN".to_owned(), format!("file:{}", file.display())] {
        user.set("YC_WORKLOAD_IDENTITY", &source);
        user.run(KEY).ok();
    }
    for (source, expected) in [("gitlab", "github-actions, env:NAME or file:PATH"), ("env:", "env:NAME")] {
        user.set("YC_WORKLOAD_IDENTITY", source);
        let error = user.run(KEY).failed(2);
        assert!(error.contains("YC_WORKLOAD_IDENTITY") && error.contains(expected), "{error}");
    }
    user.set("YC_WORKLOAD_IDENTITY", "env:MY_TOKEN");
    user.unset("YC_SA_ID");
    let error = user.run(KEY).failed(2);
    assert!(error.contains("YC_WORKLOAD_IDENTITY") && error.contains("YC_SA_ID"), "{error}");
}

#[test]
fn a_job_without_a_token_says_how_to_get_one_and_elsewhere_the_account_is_ignored() {
    for (variable, hint) in [("GITHUB_ACTIONS", "id-token: write"), ("GITLAB_CI", "id_tokens:")] {
        let mut user = job();
        user.set("YC_SA_ID", ADMIN_ID);
        user.set(variable, "true");
        let error = user.run(KEY).failed(3);
        assert!(error.contains("YC_SA_ID is set, but the job has no token") && error.contains(hint), "{error}");
        assert_eq!(user.sent(), [""; 0]);
        user.unset(variable);
        let error = user.run(KEY).failed(3);
        assert!(!error.contains(hint) && error.contains("YC_SA_ID is set"), "{error}");
        // Every other credential comes first.
        let token = user.cloud.issue_token(ADMIN_ID);
        user.set(variable, "true");
        user.set("YC_TOKEN", token);
        user.run(KEY).ok();
    }
}

#[test]
fn a_refusal_shows_the_claims_and_the_command_that_lets_the_job_in() {
    let mut user = User::new();
    user.cloud.add_federation(GITHUB_ISSUER, GITHUB_AUDIENCE);
    in_github(&mut user);
    user.set("YC_SA_ID", ADMIN_ID);
    let error = user.run(KEY).failed(3);
    let repository = GITHUB_SUBJECT.split(':').nth(1).unwrap();
    for part in [
        format!("iss '{GITHUB_ISSUER}'"),
        format!("aud '{GITHUB_AUDIENCE}'"),
        format!("sub '{GITHUB_SUBJECT}'"),
        "exp 20".to_owned(),
        "invalid_target".to_owned(),
        format!(
            "yc-rs ci setup github --repository '{repository}' --subject '{GITHUB_SUBJECT}' \
             --service-account-id '{ADMIN_ID}'"
        ),
    ] {
        assert!(error.contains(&part), "{part}: {error}");
    }
    let mut user = job();
    user.set("YC_SA_ID", ADMIN_ID);
    for (subject, command) in [
        ("project_path:a/b/c:ref_type:branch:ref:m", "gitlab --host 'https://issuer.example.com' --project 'a/b/c'"),
        ("system:serviceaccount:ci:deploy", "kubernetes --issuer 'https://issuer.example.com' --namespace 'ci'"),
        ("it's", r"--subject 'it'\''s'"),
    ] {
        let token = user.cloud.external_token(subject);
        user.set("ID_TOKEN", token);
        let error = user.run(KEY).failed(3);
        assert!(error.contains(command), "{command}: {error}");
    }
    for (token, expected) in [("x", "is not a JWT"), ("t1.abc", "is not a JWT")] {
        user.cloud.clear_requests();
        user.set("ID_TOKEN", token);
        let error = user.run(KEY).failed(3);
        assert!(error.contains(expected), "{error}");
        assert_eq!(user.sent(), [""; 0]);
    }
}

#[test]
fn a_set_up_made_twice_makes_each_object_once_and_lets_the_job_in() {
    for polls in [0, 2] {
        let user = User::of(Emulator::builder().operation_polls(polls).start()).with_token();
        let repository = GITHUB_SUBJECT.split(':').nth(1).unwrap();
        let line = format!(
            "ci setup github --repository {repository} --subject {GITHUB_SUBJECT} --service-account-id {ADMIN_ID}"
        );
        let planned: Value = user.run(&format!("{line} --dry-run --format json")).json();
        assert_eq!(planned["created"], json!(["federation", "federated_credential"]));
        assert!(planned.get("federation_id").is_none() && planned.get("federated_credential_id").is_none());
        assert_eq!((user.count(FEDERATIONS), user.count(CREDENTIALS)), (0, 0));

        let made = user.run(&format!("{line} --format json")).json();
        let names: Vec<_> = made.as_object().unwrap().keys().collect();
        let expected = [
            "federation_id",
            "federated_credential_id",
            "service_account_id",
            "issuer",
            "audience",
            "subject",
            "created",
        ];
        assert_eq!(names, expected);
        let federations = user.cloud.federations();
        assert_eq!((&made["federation_id"], &made["audience"]), (&json!(federations[0].id), &json!(GITHUB_AUDIENCE)));
        assert!(federations[0].name.starts_with("yc-rs-github-"), "{}", federations[0].name);

        let again = user.run(&format!("{line} --format json")).json();
        assert!(again.get("created").is_none(), "{again}");
        assert_eq!(again["federated_credential_id"], made["federated_credential_id"]);
        assert_eq!((user.count(FEDERATIONS), user.count(CREDENTIALS)), (1, 1));

        let mut job = user;
        job.unset("YC_IAM_TOKEN");
        in_github(&mut job);
        job.set("YC_SA_ID", ADMIN_ID);
        job.run(KEY).ok();
        assert_eq!(job.count(ISSUE), 1);
    }
}

#[test]
fn the_text_ends_with_the_job_as_a_document_of_its_own() {
    let user = User::of(Emulator::builder().operation_polls(0).start()).with_token();
    let shown = |line: &str| {
        let text = user.run(&format!("ci setup {line} --service-account-name backup")).ok();
        let (result, job) = text.split_once("---\n").unwrap();
        assert!(result.starts_with("federation_id: ") && result.contains(BACKUP_ID), "{result}");
        job.to_owned()
    };
    let job = shown("github --repository o/r --environment prod");
    for part in ["environment: prod", "id-token: write", &format!("YC_SA_ID: {BACKUP_ID}"), "--export github-actions"] {
        assert!(job.contains(part), "{job}");
    }
    let job = shown("gitlab --project a/b/c --tag v1");
    assert!(job.contains("GITLAB_OIDC_TOKEN:") && job.contains("aud: https://gitlab.com/a/b/c"), "{job}");
    let job = shown("kubernetes --issuer https://cluster.example --namespace ci --account deploy");
    for part in ["namespace: ci", "serviceAccountName: deploy", "audience: ycaud", "expirationSeconds: 7200"] {
        assert!(job.contains(part), "{job}");
    }
    let federations = user.cloud.federations();
    let urls: Vec<_> = federations.iter().map(|federation| &*federation.jwks_url).collect();
    assert_eq!(
        urls,
        [
            "https://token.actions.githubusercontent.com/.well-known/jwks",
            "https://gitlab.com/oauth/discovery/keys",
            "https://cluster.example/openid/v1/jwks",
        ]
    );
}

#[test]
fn a_federation_of_the_issuer_that_does_not_fit_is_left_alone_and_explained() {
    let user = User::of(Emulator::builder().operation_polls(0).start()).with_token();
    let line = format!("ci setup github --repository octo/r --branch main --service-account-id {ADMIN_ID}");
    let other = user.cloud.add_federation(GITHUB_ISSUER, "other");
    let error = user.run(&line).failed(1);
    assert!(error.contains(&other) && error.contains("'https://github.com/octo'"), "{error}");
    assert!(error.contains("--federation-name"), "{error}");
    assert_eq!(user.count(FEDERATIONS), 0);

    user.run(&format!("{line} --federation-name mine")).ok();
    user.run(&format!("{line} --federation-name mine")).ok();
    user.run(&line).ok();
    assert_eq!((user.count(FEDERATIONS), user.count(CREDENTIALS)), (1, 1));
    let mine = user.cloud.federations().pop().unwrap();
    assert_eq!((&*mine.name, mine.credentials.len()), ("mine", 1));

    user.cloud.disable_federation(&mine.id);
    let error = user.run(&format!("{line} --federation-name mine")).failed(1);
    assert!(error.contains("is disabled"), "{error}");
    let name = &user.cloud.federations()[0].name;
    let error = user.run(&format!(
        "ci setup gitlab --project a/b --branch m --service-account-id {ADMIN_ID} --federation-name {name}"
    ));
    let error = error.failed(1);
    assert!(error.contains("has the issuer"), "{error}");
}

#[test]
fn a_name_that_somebody_else_takes_meanwhile_is_looked_up_again() {
    let user = User::of(Emulator::builder().operation_polls(0).start()).with_token();
    let line = format!("ci setup github --repository o/r --branch main --service-account-id {ADMIN_ID} --format json");
    let mut both: Vec<_> = (0..2).map(|_| user.start(line.split(' '))).collect();
    let made: Vec<Value> = both.drain(..).map(|child| crate::support::Ran::of(child).json()).collect();
    assert_eq!(made[0]["federation_id"], made[1]["federation_id"]);
    assert_eq!(made[0]["federated_credential_id"], made[1]["federated_credential_id"]);
    let federations = user.cloud.federations();
    assert_eq!((federations.len(), federations[0].credentials.len()), (1, 1));
}

#[test]
fn bad_flags_of_a_set_up_are_refused_before_anything_is_sent() {
    let user = User::of(Emulator::start()).with_token();
    let github = "github --repository o/r --service-account-id aje";
    for (line, expected) in [
        (github, "--branch"),
        (&format!("{github} --branch a --tag b"), "--tag"),
        (&format!("{github} --branch refs/heads/main"), "write main"),
        (&format!("{github} --branch release/*"), "compared as a whole"),
        (&format!("{github} --branch main --owner-id 1"), "--repository-id"),
        (&format!("{github} --branch main --owner-id x --repository-id 1"), "--owner-id"),
        (&format!("{github} --branch main --federation-name CI"), "--federation-name"),
        ("github --repository r --branch main --service-account-id aje", "OWNER/NAME"),
        ("github --repository o/r --branch main", "--service-account-id"),
        ("gitlab --project p --branch main --service-account-id aje", "GROUP/NAME"),
        ("gitlab --project a/b --branch main --host http://gitlab --service-account-id aje", "https://"),
        ("kubernetes --issuer c --namespace n --account a --service-account-id aje", "--issuer"),
        ("kubernetes --issuer https://c --namespace N --account a --service-account-id aje", "--namespace"),
        (
            "kubernetes --issuer https://c --jwks-url file:///k --namespace n --account a --service-account-id aje",
            "--jwks-url",
        ),
    ] {
        let error = user.run(&format!("ci setup {line}")).failed(2);
        assert!(error.contains(expected), "{line}: {error}");
    }
    assert_eq!(user.sent(), [""; 0]);
    assert_eq!(user.cloud.federations().len(), 0);
}

#[test]
fn an_account_that_does_not_exist_is_found_before_a_federation_is_made() {
    let user = User::signed_in();
    let line = "ci setup gitlab --project g/p --branch main --service-account-id ajenosuch";
    for flags in ["--dry-run", ""] {
        let error = user.run(&format!("{line} {flags}")).failed(4);
        assert!(error.ends_with("hint: to find the account, type: yc-rs iam service-account list\n"), "{error}");
    }
    assert!(user.sent().iter().all(|line| line.starts_with("GET ")), "{:?}", user.sent());
}
