//! GitHub's OIDC endpoint, as a job on a runner sees it.
//! Source: GitHub docs, OIDC reference.

use serde_json::json;

use crate::Emulator;
use crate::call::{self, Arrival, Call, Identity};
use crate::dialect::Dialect;
use crate::field::Field;
use crate::issuer::{ExternalToken, GITHUB_ISSUER};
use crate::reply::Reply;
use crate::route::Route;
use crate::state::State;
use crate::status::Status;

/// The subject of the job's tokens.
pub const GITHUB_SUBJECT: &str = "repo:octo-org/octo-repo:ref:refs/heads/main";
/// The audience of a token that was requested without one: the owner of the repository.
pub const GITHUB_AUDIENCE: &str = "https://github.com/octo-org";

const TARGET: &str = "/github/oidc?api-version=2.0";

pub(crate) const ROUTES: &[Route] = &[Route::get("/github/oidc", token)
    .admission(job)
    .dialect(Dialect::Plain)
    .query(&[Field::required("api-version", version), Field::optional("audience", audience)])];

fn version(text: &str) -> Result<(), String> {
    if text == "2.0" { Ok(()) } else { Err("must be 2.0".to_owned()) }
}

fn audience(text: &str) -> Result<(), String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(()) }
}

/// GitHub's tokens for a job.
impl Emulator {
    /// What `ACTIONS_ID_TOKEN_REQUEST_URL` holds, over HTTP. It has a query already: `&audience=` is appended to it.
    pub fn github_oidc_url(&self) -> String {
        format!("{}{TARGET}", self.http_url())
    }

    /// The same over HTTPS.
    pub fn github_oidc_https_url(&self) -> String {
        format!("{}{TARGET}", self.https_url())
    }

    /// What `ACTIONS_ID_TOKEN_REQUEST_TOKEN` holds.
    pub fn github_request_token(&self) -> String {
        self.shared.state().github_request_token.clone()
    }
}

fn job(state: &State, arrival: &Arrival) -> Result<Identity, Status> {
    if call::bearer(&arrival.head.headers)? == state.github_request_token {
        return Ok(Identity::Anonymous);
    }
    Err(Status::unauthenticated("The request token is invalid"))
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers look alike")]
fn token(_: &mut State, call: &Call) -> Result<Reply, Status> {
    let audience = if call.has("audience") { call.field("audience") } else { GITHUB_AUDIENCE };
    let token = ExternalToken::new(GITHUB_ISSUER, GITHUB_SUBJECT, audience, call.now)
        .claim("nbf", call.now.timestamp() - 600)
        .claim("ref", "refs/heads/main")
        .claim("repository", "octo-org/octo-repo")
        .claim("repository_owner", "octo-org");
    Ok(Reply::json(&json!({"value": token.sign()})))
}
