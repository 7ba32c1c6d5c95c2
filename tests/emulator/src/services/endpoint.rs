//! `ApiEndpointService`: where the services are.
//! Source: `yandex/cloud/endpoint/api_endpoint_service.proto`; API design guide, endpoints.

use serde_json::{Value, json};

use crate::Emulator;
use crate::call::Call;
use crate::reply::Reply;
use crate::route::Route;
use crate::state::State;
use crate::status::Status;

/// Discovery lists neither `auth` nor `sts`.
const SERVICES: [&str; 4] = ["iam", "operation", "resource-manager", "storage"];

/// The paging fields are deprecated: they are not taken.
pub(crate) const ROUTES: &[Route] =
    &[Route::get("/endpoints", list).anonymous(), Route::get("/endpoints/{apiEndpointId}", get).anonymous()];

/// Endpoint discovery.
impl Emulator {
    /// Sets what discovery lists: IDs, and addresses as `host:port`.
    /// Default: the emulator's services, at the address of the listener that has the request.
    pub fn set_endpoints(&self, endpoints: &[(&str, &str)]) {
        let endpoints = endpoints.iter().map(|(id, address)| ((*id).to_owned(), (*address).to_owned()));
        self.shared.state().endpoints = Some(endpoints.collect());
    }
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers look alike")]
fn list(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let endpoints: Vec<Value> = endpoints(state, call).iter().map(message).collect();
    Ok(Reply::json(&json!({"endpoints": endpoints})))
}

fn get(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let id = call.path("apiEndpointId");
    let endpoints = endpoints(state, call);
    let endpoint = endpoints.iter().find(|(known, _)| known == id);
    Ok(Reply::json(&message(endpoint.ok_or_else(|| Status::not_found("Endpoint", id))?)))
}

fn endpoints(state: &State, call: &Call) -> Vec<(String, String)> {
    let own = || SERVICES.map(|id| (id.to_owned(), call.address.clone())).to_vec();
    state.endpoints.clone().unwrap_or_else(own)
}

fn message((id, address): &(String, String)) -> Value {
    json!({"id": id, "address": address})
}
