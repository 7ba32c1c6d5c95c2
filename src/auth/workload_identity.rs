//! Workload identity federation: a token that another system issued to a job, exchanged for an IAM token of a service
//! account. No secret is stored anywhere.
//!
//! Source: yandex-cloud/docs, `en/iam/operations/wlif/setup-wlif.md`; RFC 8693 for the exchange.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::iam_token::IamToken;
use crate::endpoints::is_loopback;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::http::{Body, Http, Method, Request, Response, Url};
use crate::status::{Code, Status};
use crate::text::digest::fingerprint;
use crate::text::percent;

/// The variables by which a job of GitHub Actions asks for its token.
const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// The table `workload-identity` of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadIdentity {
    /// The service account to act as.
    pub service_account_id: String,
    /// Where the token of the other system is.
    pub subject_token: SubjectToken,
    /// The audience to ask GitHub for; `None` leaves it to GitHub's default.
    pub audience: Option<String>,
}

/// Where the token of the other system is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectToken {
    /// GitHub's OIDC endpoint hands it out to a job.
    GithubActions,
    /// In a variable.
    Variable(String),
    /// In a file.
    File(String),
}

impl WorkloadIdentity {
    /// Reads the table.
    ///
    /// # Errors
    /// A field is missing, unknown or wrong; the message names it.
    pub fn from_table(table: &toml::Table) -> Result<Self, String> {
        const FIELDS: [&str; 3] = ["service-account-id", "subject-token", "audience"];
        if let Some(unknown) = table.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(format!("has a field '{unknown}', but there are only: {}", FIELDS.join(", ")));
        }
        let text = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(format!("has a field '{key}' that is no text")),
        };
        let required = |key: &str| text(key)?.ok_or_else(|| format!("has no field '{key}'"));
        Ok(Self {
            service_account_id: required("service-account-id")?,
            subject_token: required("subject-token")?.parse()?,
            audience: text("audience")?,
        })
    }
}

impl std::str::FromStr for SubjectToken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.split_once(':')) {
            ("github-actions", _) => Ok(Self::GithubActions),
            (_, Some(("env", name))) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            (_, Some(("file", path))) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            _ => Err(format!("has subject-token '{text}', but it must be github-actions, env:NAME or file:PATH")),
        }
    }
}

/// The token that the other system issued to this job.
///
/// # Errors
/// It is not there; the message says what to do in the other system.
pub async fn subject_token(identity: &WorkloadIdentity, http: &Http, env: &Env) -> Result<SecretString> {
    match &identity.subject_token {
        SubjectToken::GithubActions => github_token(identity.audience.as_deref(), http, env).await,
        SubjectToken::Variable(name) => from_variable(name, env),
        SubjectToken::File(path) => from_file(path),
    }
}

/// A name for the job that the other system issued a token to, told without asking it.
///
/// # Errors
/// The token is not there.
pub fn job(identity: &WorkloadIdentity, env: &Env) -> Result<String> {
    let token = match &identity.subject_token {
        // GitHub gives each job its own token to ask for tokens with.
        SubjectToken::GithubActions => {
            return Ok(format!("job of GitHub Actions {}", fingerprint(&[github_variable(REQUEST_TOKEN, env)?])));
        }
        SubjectToken::Variable(name) => from_variable(name, env)?,
        SubjectToken::File(path) => from_file(path)?,
    };
    Ok(match issuer_and_subject(&token) {
        Some((issuer, subject)) => format!("job {issuer} {subject}"),
        None => format!("job {}", fingerprint(&[token.expose_secret()])),
    })
}

fn from_variable(name: &str, env: &Env) -> Result<SecretString> {
    let token = env.var(name).ok_or_else(|| missing(&format!("the variable {name} is not set")))?;
    not_empty(token)
}

fn from_file(path: &str) -> Result<SecretString> {
    let token = std::fs::read_to_string(path)
        .map_err(|error| missing(&format!("cannot read the token from '{path}': {error}")))?;
    not_empty(&token)
}

fn not_empty(token: &str) -> Result<SecretString> {
    match token.trim() {
        "" => Err(missing("the token of the other system is empty")),
        token => Ok(token.into()),
    }
}

fn missing(problem: &str) -> Error {
    Error::new(Kind::NoCredentials, format!("workload identity: {problem}"))
}

fn github_variable<'a>(name: &str, env: &'a Env) -> Result<&'a str> {
    env.var(name).ok_or_else(|| {
        missing(&format!("the variable {name} is not set"))
            .hint("this is for jobs of GitHub Actions that have the permission 'id-token: write'")
    })
}

/// Source: docs.github.com, `actions/reference/security/oidc`.
async fn github_token(audience: Option<&str>, http: &Http, env: &Env) -> Result<SecretString> {
    let mut url = github_variable(REQUEST_URL, env)?.to_owned();
    if Url::parse(&url).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url)) {
        let rule = "is a plain http address of another machine, to which no token is sent; it must begin with https://";
        return Err(Error::usage(format!("{REQUEST_URL} {rule}")));
    }
    if let Some(audience) = audience {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str("audience=");
        url.extend(percent::encode(audience));
    }
    let bearer = SecretString::from(github_variable(REQUEST_TOKEN, env)?);
    let mut request = Request::new(Method::GET, &url);
    request.bearer = Some(&bearer);
    let about = |error: Error| error.context("cannot get a token from GitHub Actions");
    let answer = http.send(request).await.and_then(Response::into_json_of_another_service).map_err(about)?;
    let token = answer["value"].as_str().ok_or_else(|| about(Error::internal("the answer holds no token")))?;
    Ok(token.into())
}

/// Who the other system says the job is: `iss` and `sub` of its token, which is not verified here.
pub fn issuer_and_subject(token: &SecretString) -> Option<(String, String)> {
    let claims = token.expose_secret().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()?;
    Some((claims["iss"].as_str()?.to_owned(), claims["sub"].as_str()?.to_owned()))
}

/// Exchanges the token of the other system for an IAM token of the service account.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn exchange(
    identity: &WorkloadIdentity,
    subject_token: &SecretString,
    http: &Http,
    auth: &str,
) -> Result<IamToken> {
    let url = format!("{auth}/oauth/token");
    let mut request = Request::new(Method::POST, &url);
    let field = |name, value: &str| (name, value.to_owned());
    request.body = Body::Form(vec![
        field("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        field("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        field("audience", &identity.service_account_id),
        field("subject_token", subject_token.expose_secret()),
        field("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ]);
    let answer = http.send(request).await?;
    match oauth_refusal(&answer) {
        Some(error) => Err(error),
        None => read(&answer.into_json()?, Utc::now()),
    }
}

/// A refusal in the form of RFC 6749, 5.2; the documentation does not say in which form refusals come.
fn oauth_refusal(answer: &Response) -> Option<Error> {
    let body: Value = serde_json::from_slice(answer.body()).ok()?;
    let error = body["error"].as_str().filter(|_| !(200..300).contains(&answer.status))?;
    let code = match error {
        // Of an exchange, the first means that the token is not accepted, and `invalid_target` that it is not for
        // this account. Source: RFC 8693, 2.2.2.
        "invalid_request" | "invalid_grant" | "invalid_client" | "invalid_token" => Code::Unauthenticated,
        "invalid_target" | "unauthorized_client" | "access_denied" => Code::PermissionDenied,
        _ => Code::from_http(answer.status),
    };
    let message = match body["error_description"].as_str() {
        Some(description) => format!("{error}: {description}"),
        None => error.to_owned(),
    };
    let status = Status { code, message, details: Vec::new() };
    Some(Error::refused(Some(answer.status), status).ids(answer.ids.clone()))
}

fn read(answer: &Value, now: DateTime<Utc>) -> Result<IamToken> {
    let token = answer["access_token"].as_str();
    let token = token.ok_or_else(|| Error::internal("the server's answer holds no IAM token"))?;
    let mut token = IamToken::given(token.into(), now);
    let life = answer["expires_in"].as_i64().and_then(TimeDelta::try_seconds);
    let end = life.and_then(|life| now.checked_add_signed(life));
    token.expires_at = end.map(|end| end.to_rfc3339_opts(SecondsFormat::Secs, true));
    Ok(token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(text: &str) -> Result<WorkloadIdentity, String> {
        WorkloadIdentity::from_table(&text.parse().unwrap())
    }

    #[test]
    fn the_table_names_account_and_source_of_the_token() {
        let identity = table("service-account-id = 'aje'\nsubject-token = 'env:CI_TOKEN'\naudience = 'a'").unwrap();
        assert_eq!(identity.service_account_id, "aje");
        assert_eq!(identity.subject_token, SubjectToken::Variable("CI_TOKEN".into()));
        assert_eq!("file:/run/t:1".parse(), Ok(SubjectToken::File("/run/t:1".into())));
        assert_eq!("github-actions".parse(), Ok(SubjectToken::GithubActions));
    }

    #[test]
    fn a_wrong_table_is_named_by_its_field() {
        for (text, expected) in [
            ("", "no field 'service-account-id'"),
            ("service-account-id = 'a'", "no field 'subject-token'"),
            ("service-account-id = 1", "'service-account-id' that is no text"),
            ("service-account-id = 'a'\nsubject-token = 'gitlab'", "github-actions, env:NAME or file:PATH"),
            ("service-account = 'a'", "'service-account', but there are only"),
        ] {
            let error = table(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn issuer_and_subject_are_read_from_the_claims() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://i","sub":"repo:o/r"}"#);
        let token = SecretString::from(format!("eyJ.{claims}.sig"));
        assert_eq!(issuer_and_subject(&token), Some(("https://i".into(), "repo:o/r".into())));
    }

    proptest! {
        #[test]
        fn reading_claims_never_panics(token in "[a-zA-Z0-9._=-]{0,60}") {
            prop_assert_eq!(issuer_and_subject(&token.into()), None);
        }
    }
}
