//! Workload identity federation, and GitHub's tokens for a job.

use chrono::TimeDelta;
use serde_json::{Value, json};
use yc_emulator::{
    ADMIN_ID, BACKUP_ID, EXTERNAL_AUDIENCE, EXTERNAL_ISSUER, Emulator, FOLDER_ID, GITHUB_AUDIENCE, GITHUB_ISSUER,
    GITHUB_SUBJECT, Grant, NARROW_ID,
};

use crate::client::{KEYS, Response, call, form};

const SUBJECT: &str = "system:serviceaccount:ci:deploy";

fn trusting() -> Emulator {
    let cloud = Emulator::start();
    let federation = cloud.add_federation(EXTERNAL_ISSUER, EXTERNAL_AUDIENCE);
    cloud.bind(&federation, SUBJECT, NARROW_ID);
    cloud
}

fn fields<'a>(account: &'a str, token: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("audience", account),
        ("subject_token", token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ]
}

fn exchange(cloud: &Emulator, account: &str, token: &str) -> Response {
    call("POST", "/oauth/token").form(&fields(account, token)).send(cloud)
}

#[track_caller]
fn refused(response: &Response, error: &str, description: &str) {
    let body = response.json();
    assert_eq!((response.status, &body["error"]), (400, &json!(error)), "{body}");
    assert!(body["error_description"].as_str().unwrap().contains(description), "{body}");
}

#[test]
fn an_external_token_buys_that_of_the_bound_account() {
    let cloud = trusting();
    let response = exchange(&cloud, NARROW_ID, &cloud.external_token(SUBJECT)).ok();
    let token = cloud.tokens().pop().unwrap();
    assert_eq!(response, json!({"access_token": token.value, "token_type": "Bearer", "expires_in": 43200}));
    let grant = Grant::Federation { issuer: EXTERNAL_ISSUER.to_owned(), subject: SUBJECT.to_owned() };
    assert_eq!((token.subject_id.as_str(), token.grant), (NARROW_ID, grant));
    call("GET", KEYS).token(&token.value).send(&cloud).ok();
    let several = cloud.external(SUBJECT).audience(json!(["other", EXTERNAL_AUDIENCE])).sign();
    exchange(&cloud, NARROW_ID, &several).ok();
}

#[test]
fn subjects_become_what_they_are_bound_to() {
    let cloud = trusting();
    let token = cloud.external_token(SUBJECT);
    refused(&exchange(&cloud, BACKUP_ID, &token), "invalid_target", "is not bound");
    refused(&exchange(&cloud, NARROW_ID, &cloud.external_token("other")), "invalid_target", "is not bound");
    let federation = cloud.add_federation(EXTERNAL_ISSUER, "elsewhere");
    cloud.bind(&federation, SUBJECT, BACKUP_ID);
    cloud.bind(&federation, SUBJECT, "ajenobody");
    refused(&exchange(&cloud, BACKUP_ID, &token), "invalid_target", "is not bound");
    let token = cloud.external(SUBJECT).audience("elsewhere").sign();
    exchange(&cloud, BACKUP_ID, &token).ok();
    refused(&exchange(&cloud, "ajenobody", &token), "invalid_target", "not found");
}

#[test]
fn a_token_that_breaks_a_rule_is_refused_by_name() {
    let cloud = trusting();
    let good = || cloud.external(SUBJECT);
    let now = cloud.now();
    for (token, rule) in [
        (good().issuer("https://example.org"), "no federation trusts the issuer"),
        (good().issuer(GITHUB_ISSUER), "no federation trusts the issuer"),
        (good().audience("other"), "aud is not that of the federation"),
        (good().without("aud"), "aud is not that of the federation"),
        (good().expires_at(now), "exp is in the past"),
        (good().without("exp"), "exp must be whole seconds"),
        (good().issued_at(now + TimeDelta::minutes(1)), "iat is in the future"),
        (good().without("iat"), "iat must be whole seconds"),
        (good().claim("nbf", (now + TimeDelta::minutes(1)).timestamp()), "nbf is in the future"),
        (good().without("sub"), "sub must be text"),
        (good().header("kid", "github-1"), "not in the issuer's key set"),
        (good().header("alg", "PS256"), "alg must be RS256"),
        (good().header("alg", "none"), "alg must be RS256"),
        (good().forged(), "the signature is wrong"),
    ] {
        refused(&exchange(&cloud, NARROW_ID, &token.sign()), "invalid_request", rule);
    }
    refused(&exchange(&cloud, NARROW_ID, "a.b"), "invalid_request", "three parts");
    assert!(cloud.tokens().is_empty());
}

#[test]
fn the_form_has_five_parameters() {
    let cloud = trusting();
    let token = cloud.external_token(SUBJECT);
    let good = fields(NARROW_ID, &token);
    let send = |fields: &[(&str, &str)]| call("POST", "/oauth/token").form(fields).send(&cloud);
    for at in 0..good.len() {
        let (name, _) = good[at];
        let missing: Vec<_> = good.iter().filter(|(other, _)| *other != name).copied().collect();
        refused(&send(&missing), "invalid_request", &format!("{name}: is required"));
        let repeated = [&good[..], &good[at..=at]].concat();
        refused(&send(&repeated), "invalid_request", &format!("{name}: is given twice"));
        if !["audience", "subject_token"].contains(&name) {
            let mut wrong = good;
            wrong[at].1 = "x";
            refused(&send(&wrong), "invalid_request", &format!("{name}: must be urn:"));
        }
    }
    refused(&send(&[&good[..], &[("scope", "x")]].concat()), "invalid_request", "scope: unknown field");
    let target = format!("/oauth/token?{}", form(&good[..1]));
    refused(&call("POST", &target).form(&good).send(&cloud), "invalid_request", "unknown query parameter");
    refused(&call("POST", "/oauth/token").json(json!({})).send(&cloud), "invalid_request", "Content-Type");
    let broken = call("POST", "/oauth/token").header("Content-Type", "application/x-www-form-urlencoded");
    refused(&broken.body("audience=%2").send(&cloud), "invalid_request", "body: is not a form");
    let with_token = call("POST", "/oauth/token").admin(&cloud).form(&good).send(&cloud);
    refused(&with_token, "invalid_request", "Authorization");
}

#[test]
fn refusals_can_be_statuses() {
    let cloud = trusting();
    cloud.set_federation_status_errors(true);
    exchange(&cloud, NARROW_ID, "a.b").refused(401, 16, "three parts");
    exchange(&cloud, BACKUP_ID, &cloud.external_token(SUBJECT)).refused(403, 7, "is not bound");
    assert_eq!(call("POST", "/oauth/token").form(&[]).send(&cloud).violations().len(), 1);
    let grant = fields(NARROW_ID, "a.b.c")[0];
    assert_eq!(call("POST", "/oauth/token").form(&[grant]).send(&cloud).violations().len(), 4);
}

#[test]
fn a_job_on_github_gets_a_token_for_the_audience_it_asks_for() {
    let cloud = Emulator::start();
    let target = cloud.github_oidc_url().strip_prefix(cloud.http_url()).unwrap().to_owned();
    let ask = |target: &str| call("GET", target).token(&cloud.github_request_token()).send(&cloud);
    let token = |target: &str| ask(target).ok()["value"].as_str().unwrap().to_owned();
    let claims = |token: &str| -> Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, part).unwrap())
            .unwrap()
    };
    let asked = claims(&token(&format!("{target}&audience=https%3A%2F%2Fcloud.example.com")));
    assert_eq!((&asked["aud"], &asked["sub"]), (&json!(EXTERNAL_AUDIENCE), &json!(GITHUB_SUBJECT)));
    assert_eq!(claims(&token(&target))["aud"], GITHUB_AUDIENCE);

    let federation = cloud.add_federation(GITHUB_ISSUER, GITHUB_AUDIENCE);
    cloud.bind(&federation, GITHUB_SUBJECT, BACKUP_ID);
    exchange(&cloud, BACKUP_ID, &token(&target)).ok();

    assert_eq!(call("GET", &target).send(&cloud).status, 401);
    assert_eq!(call("GET", &target).token("wrong").send(&cloud).status, 401);
    for wrong in ["/github/oidc", "/github/oidc?audience=x", &format!("{target}&audience=")] {
        assert_eq!(ask(wrong).status, 400, "{wrong}");
    }
    assert!(cloud.github_oidc_https_url().starts_with(cloud.https_url()));
}

#[test]
fn issuers_publish_their_own_keys() {
    let cloud = Emulator::start();
    let [github, external] = [GITHUB_ISSUER, EXTERNAL_ISSUER].map(|issuer| cloud.key_set(issuer)["keys"][0].clone());
    assert_eq!((&github["kty"], &github["alg"], &github["e"]), (&json!("RSA"), &json!("RS256"), &json!("AQAB")));
    assert_ne!(github["n"], external["n"]);
}

const FEDERATIONS: &str = "/iam/v1/workload/oidc/federations";
const CREDENTIALS: &str = "/iam/v1/workload/federatedCredentials";

fn federation(name: &str) -> Value {
    json!({
        "folderId": FOLDER_ID, "name": name, "audiences": [EXTERNAL_AUDIENCE], "issuer": EXTERNAL_ISSUER,
        "jwksUrl": "https://issuer.example.com/jwks",
    })
}

#[test]
fn a_federation_and_its_credential_are_there_when_their_operations_are_done() {
    let cloud = Emulator::builder().operation_polls(1).start();
    let token = cloud.issue_token(ADMIN_ID);
    let create = |path: &str, body: Value| call("POST", path).token(&token).json(body).send(&cloud);
    let finish = |operation: &Value| {
        let path = format!("/operations/{}", operation["id"].as_str().unwrap());
        call("GET", &path).token(&token).send(&cloud).ok()
    };
    let started = create(FEDERATIONS, federation("ci")).ok();
    assert_eq!(cloud.federations().len(), 0);
    let id = finish(&started)["response"]["id"].clone();
    assert_eq!(id, started["metadata"]["federationId"]);
    let again = create(FEDERATIONS, federation("ci"));
    assert_eq!((again.status, &again.json()["code"]), (409, &json!(6)));

    let binding = json!({"serviceAccountId": NARROW_ID, "federationId": id, "externalSubjectId": SUBJECT});
    finish(&create(CREDENTIALS, binding.clone()).ok());
    assert_eq!(create(CREDENTIALS, binding).status, 409);
    exchange(&cloud, NARROW_ID, &cloud.external_token(SUBJECT)).ok();
    let list = |path: &str| call("GET", path).token(&token).send(&cloud).ok();
    assert_eq!(list(&format!("{FEDERATIONS}?folderId={FOLDER_ID}"))["federations"][0]["enabled"], true);
    let credentials = list(&format!("{CREDENTIALS}?serviceAccountId={NARROW_ID}"));
    assert_eq!(credentials["federatedCredentials"][0]["externalSubjectId"], SUBJECT);

    cloud.disable_federation(id.as_str().unwrap());
    refused(&exchange(&cloud, NARROW_ID, &cloud.external_token(SUBJECT)), "invalid_request", "disabled");
    for (field, value) in
        [("name", json!("CI")), ("issuer", json!("http://i")), ("audiences", json!(["x".repeat(256)]))]
    {
        let mut wrong = federation("other");
        wrong[field] = value;
        assert_eq!(create(FEDERATIONS, wrong).status, 400, "{field}");
    }
}
