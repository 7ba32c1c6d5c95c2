//! The metadata service inside a virtual machine.
//! Source: Compute Cloud docs, working from inside a VM; yandex-cloud/go-sdk, `credentials/metadata_service.go`.

use serde_json::json;

use crate::Emulator;
use crate::call::{self, Arrival, Call, Identity};
use crate::dialect::Dialect;
use crate::reply::Reply;
use crate::route::Route;
use crate::state::{Grant, State};
use crate::status::{NOT_FOUND, PERMISSION_DENIED, Status};

pub(crate) const ROUTES: &[Route] = &[Route::get("/computeMetadata/v1/instance/service-accounts/default/token", token)
    .plain_http()
    .dialect(Dialect::Plain)
    .admission(flavor)];

/// What the machine has to offer.
#[derive(Debug, Default)]
pub(crate) enum Machine {
    /// No service account is attached.
    #[default]
    Bare,
    /// A service account, and the token that was issued last.
    Account { id: String, token: Option<String> },
    /// It is a machine of another cloud, with this token.
    Foreign { token: String },
}

/// The metadata service, over plain HTTP.
impl Emulator {
    /// Attaches a service account to the machine. At the start there is none.
    pub fn attach_service_account(&self, id: &str) {
        self.shared.state().machine = Machine::Account { id: id.to_owned(), token: None };
    }

    /// Detaches the service account: the metadata service returns 404.
    pub fn detach_service_account(&self) {
        self.shared.state().machine = Machine::Bare;
    }

    /// Lets the metadata service behave as that of another cloud, with a token that does not begin `t1.`.
    ///
    /// # Panics
    /// When it does.
    pub fn set_foreign_metadata_token(&self, token: &str) {
        assert!(!token.starts_with("t1."), "a foreign token does not begin `t1.`");
        self.shared.state().machine = Machine::Foreign { token: token.to_owned() };
    }
}

/// The header proves that the caller means the metadata service.
fn flavor(_: &State, arrival: &Arrival) -> Result<Identity, Status> {
    if call::single(&arrival.head.headers, "metadata-flavor")? != Some("Google") {
        return Err(Status::new(PERMISSION_DENIED, "The header Metadata-Flavor: Google is missing"));
    }
    call::anonymous(&arrival.head.headers)
}

/// The same token is returned until it expires, so that `expires_in` goes down.
fn token(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let seconds_left = |token: &crate::Token| (token.expires_at - call.now).num_seconds();
    let (id, known) = match &state.machine {
        Machine::Bare => return Err(Status::new(NOT_FOUND, "no service account is attached")),
        Machine::Foreign { token } => {
            let response = json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"});
            return Ok(Reply::json(&response));
        }
        Machine::Account { id, token } => (id.clone(), token.clone()),
    };
    let known = known.and_then(|value| state.valid_token(&value, call.now).cloned());
    let token = known
        .filter(|token| seconds_left(token) > 0)
        .unwrap_or_else(|| state.add_token(&id, state.settings.token_lifetime, Grant::Metadata, call.now));
    state.machine = Machine::Account { id, token: Some(token.value.clone()) };
    Ok(Reply::json(&json!({
        "access_token": token.value,
        "expires_in": seconds_left(&token),
        "token_type": "Bearer",
    })))
}
