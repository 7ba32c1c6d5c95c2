//! `FederatedCredentialService`: which subject of a federation may act as which service account.
//!
//! Source: `yandex/cloud/iam/v1/workload/federated_credential_service.proto`, `federated_credential.proto`.

use serde_json::{Value, json};

use super::operation::Operation;
use super::{Call, Client, Scope, pages, text};
use crate::endpoints::Service;
use crate::error::Result;
use crate::http::Method;

const PATH: &str = "/iam/v1/workload/federatedCredentials";

/// The role that lists and creates the federated credentials of an account.
///
/// Source: yandex-cloud/docs, `en/iam/operations/wlif/setup-wlif.md`.
const EDITOR: &str = "iam.serviceAccounts.federatedCredentialEditor";

/// The longest subject, in characters.
///
/// Source: yandex-cloud/docs, `en/iam/api-ref/workload/FederatedCredential/create.md`.
pub const MAX_SUBJECT: usize = 1000;

/// A federated credential.
#[derive(Debug, Clone)]
pub struct FederatedCredential {
    /// The resource ID.
    pub id: String,
    /// The federation whose tokens are accepted.
    pub federation_id: String,
    /// The claim `sub` that is accepted.
    pub external_subject_id: String,
}

impl FederatedCredential {
    /// Reads a federated credential from a response.
    pub fn parse(value: &Value) -> Self {
        Self {
            id: text(value, "id"),
            federation_id: text(value, "federationId"),
            external_subject_id: text(value, "externalSubjectId"),
        }
    }
}

/// Every federated credential of a service account: `List`.
///
/// # Errors
/// The server refuses, or cannot be reached.
pub async fn all(client: &Client<'_>, service_account_id: &str) -> Result<Vec<FederatedCredential>> {
    let call = || {
        let call = Call::new(Service::Iam, Method::GET, PATH).query("serviceAccountId", service_account_id);
        call.takes(EDITOR, Scope::ServiceAccount(service_account_id))
    };
    Ok(pages::all(client, "federatedCredentials", call).await?.iter().map(FederatedCredential::parse).collect())
}

/// Starts to create a federated credential: `Create`.
///
/// # Errors
/// The server refuses, as with `ALREADY_EXISTS`, or cannot be reached.
pub async fn create(
    client: &Client<'_>,
    service_account_id: &str,
    federation_id: &str,
    subject: &str,
) -> Result<Operation> {
    let body = json!({
        "serviceAccountId": service_account_id,
        "federationId": federation_id,
        "externalSubjectId": subject,
    });
    let call = Call::new(Service::Iam, Method::POST, PATH).body(body);
    client.call(call.takes(EDITOR, Scope::ServiceAccount(service_account_id))).await.map(Operation::parse)
}
