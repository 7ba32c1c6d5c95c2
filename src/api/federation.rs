//! `FederationService`: workload identity federations, which trust the tokens of another identity provider.
//!
//! Source: `yandex/cloud/iam/v1/workload/oidc/federation_service.proto`, `federation.proto`.

use serde_json::{Value, json};

use super::operation::Operation;
use super::{Call, Client, Scope, pages, text};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::Method;

const PATH: &str = "/iam/v1/workload/oidc/federations";

/// The role that lists and creates federations.
///
/// Source: yandex-cloud/docs, `en/iam/operations/wlif/setup-wlif.md`.
const EDITOR: &str = "iam.workloadIdentityFederations.editor";

/// The longest audience, in characters.
///
/// Source: `CreateFederationRequest.audiences`.
pub const MAX_AUDIENCE: usize = 255;

/// A federation.
#[derive(Debug, Clone)]
pub struct Federation {
    /// The resource ID.
    pub id: String,
    /// The name, which is unique in the folder.
    pub name: String,
    /// Whether tokens are accepted.
    pub enabled: bool,
    /// The values of the claim `aud` that are accepted.
    pub audiences: Vec<String>,
    /// The claim `iss` that is accepted.
    pub issuer: String,
    /// When it was created, in RFC 3339.
    pub created_at: String,
}

impl Federation {
    /// Reads a federation from a response.
    pub fn parse(value: &Value) -> Self {
        let audiences = value["audiences"].as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            id: text(value, "id"),
            name: text(value, "name"),
            enabled: value["enabled"] == true,
            audiences: audiences.iter().filter_map(|audience| audience.as_str().map(str::to_owned)).collect(),
            issuer: text(value, "issuer"),
            created_at: text(value, "createdAt"),
        }
    }
}

/// Every federation of a folder: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn all(client: &Client<'_>, folder_id: &str) -> Result<Vec<Federation>> {
    let call = || {
        let call = Call::new(Service::Iam, Method::GET, PATH).query("folderId", folder_id);
        call.takes(EDITOR, Scope::Folder(folder_id))
    };
    Ok(pages::all(client, "federations", call).await?.iter().map(Federation::parse).collect())
}

/// Starts to create a federation: `Create`.
///
/// # Errors
/// The server refuses, as with `ALREADY_EXISTS` when the name is taken, or cannot be reached.
pub async fn create(
    client: &Client<'_>,
    folder_id: &str,
    name: &str,
    issuer: &str,
    audience: &str,
    jwks_url: &str,
) -> Result<Operation> {
    let body = json!({
        "folderId": folder_id,
        "name": name,
        "audiences": [audience],
        "issuer": issuer,
        "jwksUrl": jwks_url,
    });
    let call = Call::new(Service::Iam, Method::POST, PATH).body(body).takes(EDITOR, Scope::Folder(folder_id));
    client.call(call).await.map(Operation::parse)
}
