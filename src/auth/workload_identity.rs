//! Workload identity federation: a token that another identity provider issued to a job, exchanged for an IAM token of a
//! service account. No secret is stored anywhere.
//!
//! Source: yandex-cloud/docs, `en/iam/operations/wlif/setup-wlif.md`; RFC 8693 for the exchange.

use std::fmt;

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use super::credential::{Configured, Credential, Services, Source};
use super::iam_token::IamToken;
use super::subject_jwt::{Claims, SubjectJwt};
use super::token_cache::Identity;
use super::token_endpoint;
use crate::endpoints::{Service, is_loopback};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::http::{Http, Method, Request, ServerClock, Url};
use crate::input::{self, Files};
use crate::text::digest::fingerprint;
use crate::text::{host, percent, quote};

/// The variables by which a job of GitHub Actions requests its token.
const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// The variable that says where the provider's token is, as `subject-token` of a profile does.
pub const SOURCE: &str = "YC_WORKLOAD_IDENTITY";
/// The variable of the service account to act as. In a job it is enough.
///
/// Source: the pipelines of `SourceCraft` in yandex-cloud/docs, `en/_tutorials/serverless/ci-cd-sourcecraft-functions.md`.
pub const ACCOUNT: &str = "YC_SA_ID";
const AUDIENCE: &str = "YC_WORKLOAD_IDENTITY_AUDIENCE";

/// Variables in which jobs have their token: of `SourceCraft`, or of GitLab as Yandex Cloud documents it.
///
/// Source: yandex-cloud/docs, `en/_tutorials/security/wlif-gitlab-integration.md`.
const JOB_TOKENS: [&str; 2] = ["ID_TOKEN", "GITLAB_OIDC_TOKEN"];

/// Variables that are `true` in a job, and what gives the job a token.
///
/// Source: docs.github.com, `actions/reference/variables-reference`; docs.gitlab.com, `ci/variables/predefined_variables`.
const JOBS: [(&str, &str); 2] = [
    ("GITHUB_ACTIONS", "give the job the permission 'id-token: write'"),
    ("GITLAB_CI", "give the job a token under 'id_tokens:' with the name GITLAB_OIDC_TOKEN"),
];

/// A service account, and the token of a job that is exchanged for its IAM token.
#[derive(Debug)]
pub struct WorkloadIdentity {
    /// The service account to act as.
    service_account_id: String,
    /// Where the provider's token is.
    subject_token: SubjectToken,
    /// The audience to request from GitHub; `None` leaves it to GitHub's default.
    audience: Option<String>,
    /// The provider's token, which is read once in a run.
    received: OnceCell<SubjectJwt>,
}

/// Where the provider's token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectToken {
    /// At GitHub's OIDC endpoint, which issues one to a job.
    GithubActions,
    /// In a variable.
    Variable(String),
    /// In a file.
    File(String),
}

impl Credential for WorkloadIdentity {
    fn subject_id(&self) -> Option<&str> {
        Some(&self.service_account_id)
    }

    fn name(&self, env: &Env) -> Result<String> {
        Ok(format!("{} for {}", self.job_name(env)?, self.service_account_id))
    }

    fn identity<'a>(&'a self, services: Services<'a>) -> LocalBoxFuture<'a, Result<Option<Identity>>> {
        Box::pin(async move {
            let claims = &self.subject_token(services).await?.claims;
            let Some((issuer, subject)) = claims.issuer_and_subject() else { return Ok(None) };
            let account = &self.service_account_id;
            Ok(Some(Identity {
                issuer: services.endpoints.base(Service::Auth, services.http).await?,
                subject: format!("workload {issuer} {subject} for {account}"),
            }))
        })
    }

    fn obtain<'a>(&'a self, services: Services<'a>, _now: DateTime<Utc>) -> LocalBoxFuture<'a, Result<IamToken>> {
        Box::pin(async move {
            let token = self.subject_token(services).await?;
            let auth = services.endpoints.base(Service::Auth, services.http).await?;
            exchange(&self.service_account_id, &token.value, services.http, &auth).await
        })
    }

    fn hint(&self, _source: &Source) -> String {
        let account = &self.service_account_id;
        let setup = match self.received.get().and_then(|received| received.claims.issuer_and_subject()) {
            Some((issuer, subject)) => setup_command(issuer, subject, account),
            None => "yc-rs ci setup".to_owned(),
        };
        format!(
            "check that the federation accepts the issuer and audience of the token, and that its subject is bound to \
             the service account {account}; to make both: {setup}"
        )
    }

    fn explain(&self, error: Error, source: &Source) -> Error {
        let action = format!("cannot get an IAM token with {source}");
        let refused = matches!(error.kind(), Kind::Refused { .. });
        let claims = self.received.get().map(|received| &received.claims);
        match claims.filter(|_| refused) {
            Some(claims) => error.context(format!("{action} for the token with {claims}")).hint(self.hint(source)),
            None if refused => error.context(action).hint(self.hint(source)),
            None => error.context(action),
        }
    }
}

impl WorkloadIdentity {
    /// Reads the table of a profile.
    ///
    /// # Errors
    /// A field is missing, unknown or invalid; the message names it.
    pub fn read(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        let identity = Self::from_table(configured.table()?).map_err(|rule| configured.invalid(rule))?;
        Ok(Box::new(identity))
    }

    /// Reads the variables `YC_WORKLOAD_IDENTITY`, `YC_SA_ID` and `YC_WORKLOAD_IDENTITY_AUDIENCE`.
    ///
    /// # Errors
    /// The first is invalid, or the account is missing.
    pub fn read_variables(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        let source = configured.text()?.parse().map_err(|rule: String| configured.invalid(rule))?;
        let account = configured.env.var(ACCOUNT).ok_or_else(|| {
            configured.invalid(format!("needs the ID of the service account to act as, in the variable {ACCOUNT}"))
        })?;
        Ok(Box::new(Self::of(account, source, configured.env)))
    }

    /// Reads the variable `YC_SA_ID` in a job, whose token is where the system puts it.
    ///
    /// # Errors
    /// The job has no token.
    pub fn read_job(configured: &Configured<'_>) -> Result<Box<dyn Credential>> {
        let env = configured.env;
        let source = job_token(env).ok_or_else(|| {
            let hint = JOBS.iter().find(|(name, _)| is_true(name, env)).map_or("", |(_, hint)| hint);
            missing(&format!("{ACCOUNT} is set, but the job has no token")).hint(hint)
        })?;
        Ok(Box::new(Self::of(configured.text()?, source, env)))
    }

    fn of(account: &str, subject_token: SubjectToken, env: &Env) -> Self {
        Self {
            service_account_id: account.to_owned(),
            subject_token,
            audience: env.var(AUDIENCE).map(str::to_owned),
            received: OnceCell::new(),
        }
    }

    fn from_table(table: &toml::Table) -> Result<Self, String> {
        const FIELDS: [&str; 3] = ["service-account-id", "subject-token", "audience"];
        if let Some(unknown) = table.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(format!("has a field {}, but there are only: {}", quote::value(unknown), FIELDS.join(", ")));
        }
        let optional = |key: &str| match table.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(format!("has a field '{key}' that is not a quoted string, or is empty")),
        };
        let required = |key: &str| optional(key)?.ok_or_else(|| format!("has no field '{key}'"));
        Ok(Self {
            service_account_id: required("service-account-id")?,
            subject_token: required("subject-token")?.parse()?,
            audience: optional("audience")?,
            received: OnceCell::new(),
        })
    }

    /// The token that the provider issued to this job, decoded: the service does not get what cannot be one.
    async fn subject_token(&self, services: Services<'_>) -> Result<&SubjectJwt> {
        let read = async || {
            let mut now = Utc::now();
            let token = match &self.subject_token {
                SubjectToken::GithubActions => {
                    let (token, clock) = github_token(self.audience.as_deref(), services.http, services.env).await?;
                    now = clock.time();
                    token
                }
                SubjectToken::Variable(name) => from_variable(name, services.env)?,
                SubjectToken::File(path) => {
                    let file = services.env.path(path).map_err(|rule| missing(&rule))?;
                    let token = input::file(&file, Files::Regular).await;
                    not_empty(&token.map_err(|rule| unreadable(path, &rule))?, &self.subject_token)?
                }
            };
            services.log.masks.add(&token);
            SubjectJwt::decode(token, now)
                .map_err(|problem| missing(&format!("the token of {} {problem}", self.subject_token)))
        };
        self.received.get_or_try_init(read).await
    }

    /// A name for the job that the provider issued a token to, found without asking the provider.
    fn job_name(&self, env: &Env) -> Result<String> {
        let token = match &self.subject_token {
            // GitHub gives each job a token of its own to request tokens with.
            SubjectToken::GithubActions => {
                return Ok(format!("job of GitHub Actions {}", fingerprint(&[github_variable(REQUEST_TOKEN, env)?])));
            }
            SubjectToken::Variable(name) => from_variable(name, env)?,
            SubjectToken::File(path) => from_file(path, env)?,
        };
        let claims = Claims::of(&token);
        Ok(match claims.as_ref().and_then(Claims::issuer_and_subject) {
            Some((issuer, subject)) => format!("job {issuer} {subject}"),
            None => format!("job {}", fingerprint(&[token.expose_secret()])),
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
            _ => {
                let text = quote::value(text);
                Err(format!("has the source {text}, but it must be github-actions, env:NAME or file:PATH"))
            }
        }
    }
}

/// Where the token comes from, as errors name it.
impl fmt::Display for SubjectToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GithubActions => f.write_str("GitHub Actions"),
            Self::Variable(name) => write!(f, "the variable {}", quote::bare(name)),
            Self::File(path) => write!(f, "the file {}", quote::value(path)),
        }
    }
}

fn from_variable(name: &str, env: &Env) -> Result<SecretString> {
    let token = env.var(name).ok_or_else(|| missing(&format!("the variable {} is not set", quote::bare(name))))?;
    not_empty(token, &SubjectToken::Variable(name.to_owned()))
}

fn from_file(path: &str, env: &Env) -> Result<SecretString> {
    let file = env.path(path).map_err(|rule| missing(&rule))?;
    let bytes = input::regular_file(&file, input::LIMIT).map_err(|error| format!("cannot be read: {error}"));
    let token = bytes.and_then(input::decode).map_err(|rule| unreadable(path, &rule))?;
    not_empty(&token, &SubjectToken::File(path.to_owned()))
}

fn unreadable(path: &str, rule: &str) -> Error {
    missing(&format!("the file of the token, {}, {rule}", quote::value(path)))
}

fn not_empty(token: &str, source: &SubjectToken) -> Result<SecretString> {
    match token.trim() {
        "" => Err(missing(&format!("the token of {source} is empty"))),
        token => Ok(token.into()),
    }
}

/// Whether the variables say that this is a job, or hold the token of one.
pub fn is_job(env: &Env) -> bool {
    env.var(SOURCE).is_none() && (job_token(env).is_some() || JOBS.iter().any(|(name, _)| is_true(name, env)))
}

/// Where a job has its token.
fn job_token(env: &Env) -> Option<SubjectToken> {
    if env.var(REQUEST_URL).is_some() {
        return Some(SubjectToken::GithubActions);
    }
    let variable = JOB_TOKENS.into_iter().find(|name| env.var(name).is_some());
    variable.map(|name| SubjectToken::Variable(name.to_owned()))
}

fn is_true(name: &str, env: &Env) -> bool {
    env.var(name) == Some("true")
}

fn missing(problem: &str) -> Error {
    Error::new(Kind::NoCredentials, format!("workload identity: {problem}"))
}

fn github_variable<'a>(name: &str, env: &'a Env) -> Result<&'a str> {
    env.var(name).ok_or_else(|| {
        missing(&format!("the variable {} is not set", quote::bare(name)))
            .hint("this is for jobs of GitHub Actions that have the permission 'id-token: write'")
    })
}

/// Source: docs.github.com, `actions/reference/security/oidc`.
async fn github_token(audience: Option<&str>, http: &Http, env: &Env) -> Result<(SecretString, ServerClock)> {
    let mut url = github_variable(REQUEST_URL, env)?.to_owned();
    host::check_ascii(&url).map_err(|rule| Error::usage(format!("{REQUEST_URL} {rule}")))?;
    if Url::parse(&url).is_ok_and(|url| url.scheme() == "http" && !is_loopback(&url)) {
        let rule = "is a plain http URL of another machine, to which no token is sent; it must begin with https://";
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
    let response = http.send(request).await.map_err(about)?;
    let clock = response.clock;
    let response = response.into_json_of_another_service().map_err(about)?;
    let token = response["value"].as_str().ok_or_else(|| about(Error::internal("the response holds no token")))?;
    Ok((token.into(), clock))
}

/// The command that lets the job with this subject act as the account.
fn setup_command(issuer: &str, subject: &str, account: &str) -> String {
    let part = |start: &str| subject.strip_prefix(start)?.split(':').next();
    let flags = if let Some(repository) = part("repo:") {
        // The form of newer repositories has their IDs behind the names.
        let names: Vec<_> = repository.split('/').map(|name| name.split('@').next().unwrap_or_default()).collect();
        format!("github --repository {} --subject {}", quote::for_sh(&names.join("/")), quote::for_sh(subject))
    } else if let Some(project) = part("project_path:") {
        let [host, project] = [issuer, project].map(quote::for_sh);
        format!("gitlab --host {host} --project {project} --subject {}", quote::for_sh(subject))
    } else if let Some((namespace, name)) =
        subject.strip_prefix("system:serviceaccount:").and_then(|names| names.split_once(':'))
    {
        let [issuer, namespace, name] = [issuer, namespace, name].map(quote::for_sh);
        format!("kubernetes --issuer {issuer} --namespace {namespace} --account {name}")
    } else {
        format!("github|gitlab|kubernetes --subject {}", quote::for_sh(subject))
    };
    format!("yc-rs ci setup {flags} --service-account-id {}", quote::for_sh(account))
}

/// Exchanges the provider's token for an IAM token of the service account.
async fn exchange(service_account_id: &str, subject_token: &SecretString, http: &Http, auth: &str) -> Result<IamToken> {
    let field = |name, value: &str| (name, value.to_owned());
    let fields = vec![
        field("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        field("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        field("audience", service_account_id),
        field("subject_token", subject_token.expose_secret()),
        field("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ];
    token_endpoint::request(fields, http, auth).await?.access
}

#[cfg(test)]
mod tests {
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
    fn a_field_that_is_missing_or_invalid_is_named() {
        for (text, expected) in [
            ("", "has no field 'service-account-id'"),
            ("service-account-id = 'a'", "has no field 'subject-token'"),
            ("service-account-id = 1", "has a field 'service-account-id' that is not a quoted string, or is empty"),
            ("service-account-id = ''", "has a field 'service-account-id' that is not a quoted string, or is empty"),
            (
                "service-account-id = 'a'\nsubject-token = 'gitlab'",
                "has the source 'gitlab', but it must be github-actions, env:NAME or file:PATH",
            ),
            (
                "service-account = 'a'",
                "has a field 'service-account', but there are only: service-account-id, subject-token, audience",
            ),
        ] {
            assert_eq!(table(text).unwrap_err(), expected);
        }
    }
}
