//! Calls with an IAM token: the only place that sends one.

use serde_json::Value;

use crate::auth::iam_token::IamToken;
use crate::auth::token_source::TokenSource;
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::{Body, Method, Repeat, Request, Response, new_idempotency_key};
use crate::status::Code;
use crate::text::percent;

/// Makes calls in the name of the user.
pub struct Client<'a> {
    tokens: TokenSource<'a>,
}

/// A call of a method of a service.
pub struct Call<'a> {
    service: Service,
    method: Method,
    path: String,
    query: Vec<(&'static str, &'a str)>,
    body: Body,
    repeat: Repeat,
    role: Option<Role<'a>>,
}

/// The role that a call takes, for the hint when it is denied.
#[derive(Debug, Clone, Copy)]
pub struct Role<'a> {
    /// Its ID, e.g. `iam.auditor`.
    pub id: &'static str,
    /// What it has to be granted on.
    pub scope: Scope<'a>,
}

/// What a role has to be granted on.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// The service account of this ID.
    ServiceAccount(&'a str),
    /// The caller, if it is a service account.
    Caller,
    /// The service account of the access key.
    OwnerOfKey,
    /// The folder of this ID.
    Folder(&'a str),
    /// The cloud of this ID.
    Cloud(&'a str),
}

impl<'a> Scope<'a> {
    /// The service account of this ID, or the caller.
    pub fn account(id: Option<&'a str>) -> Self {
        id.map_or(Self::Caller, Self::ServiceAccount)
    }
}

impl<'a> Call<'a> {
    /// A call of this method on this path, without a body; it may be repeated after a failure.
    pub fn new(service: Service, method: Method, path: impl Into<String>) -> Self {
        Self {
            service,
            method,
            path: path.into(),
            query: Vec::new(),
            body: Body::Empty,
            repeat: Repeat::Always,
            role: None,
        }
    }

    /// Says which role the call takes.
    #[must_use]
    pub fn takes(mut self, id: &'static str, scope: Scope<'a>) -> Self {
        self.role = Some(Role { id, scope });
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Says that repeating the call would make a second secret, so that it is repeated only when the first was
    /// certainly not processed.
    #[must_use]
    pub fn makes_a_secret(mut self) -> Self {
        self.repeat = Repeat::Unprocessed;
        self
    }

    fn url(&self, base: &str) -> String {
        let mut url = format!("{base}{}", self.path);
        for (position, (name, value)) in self.query.iter().enumerate() {
            url.push(if position == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.extend(percent::encode(value));
        }
        url
    }
}

impl<'a> Client<'a> {
    /// A client that authenticates when the first call needs it.
    pub fn new(tokens: TokenSource<'a>) -> Self {
        Self { tokens }
    }

    /// Where the tokens come from.
    pub fn tokens(&self) -> &TokenSource<'a> {
        &self.tokens
    }

    /// Makes a call and returns the JSON of the response.
    ///
    /// # Errors
    /// The server refuses the call, or cannot be reached.
    pub async fn call(&self, call: Call<'_>) -> Result<Value> {
        let role = call.role;
        self.send(call).await?.into_json().map_err(|error| self.explain(error, role))
    }

    /// Makes a call and returns the response, which is not a refusal.
    ///
    /// # Errors
    /// The server refuses the call, or cannot be reached.
    pub async fn accepted(&self, call: Call<'_>) -> Result<Response> {
        let role = call.role;
        let response = self.send(call).await?;
        match response.refusal_error() {
            Some(error) => Err(self.explain(error, role)),
            None => Ok(response),
        }
    }

    /// Makes a call and returns the response, whatever its status.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the credential in exchange for a token.
    pub async fn send(&self, call: Call<'_>) -> Result<Response> {
        // The server may have processed a call whose token it refuses in the end.
        let idempotency_key = new_idempotency_key();
        let send = async |token: &IamToken| {
            let base = self.tokens.endpoints.base(call.service, &self.tokens.http).await?;
            self.send_with(&call, &call.url(&base), token, &idempotency_key).await
        };
        Ok(self.tokens.send_authenticated(send).await?.1)
    }

    async fn send_with(&self, call: &Call<'_>, url: &str, token: &IamToken, idempotency_key: &str) -> Result<Response> {
        let mut request = Request::new(call.method.clone(), url);
        request.bearer = Some(&token.value);
        request.body = call.body.clone();
        request.repeat = call.repeat;
        request.idempotency_key = Some(idempotency_key);
        self.tokens.http.send(request).await
    }

    /// Whether a request is under way that may be making a secret.
    pub fn awaits_unrepeatable(&self) -> bool {
        self.tokens.http.awaits_unrepeatable()
    }

    /// Adds what is known about the credential to a refusal of it, and about the caller and the role to a denial.
    pub fn explain(&self, error: Error, role: Option<Role<'_>>) -> Error {
        match (error.code(), role) {
            (Some(Code::Unauthenticated), _) => error.hint(self.tokens.sign_in.hint()),
            (Some(Code::PermissionDenied), Some(role)) => error.hint(self.missing_role(role)),
            (Some(Code::PermissionDenied), None) => {
                error.hint(format!("the call was made as {}", self.tokens.sign_in.acting_subject()))
            }
            _ => error,
        }
    }

    /// Who lacks which role, and how it is granted.
    ///
    /// Source of the commands: yandex-cloud/docs, `en/cli/cli-ref/iam/cli-ref/service-account/add-access-binding.md`, and
    /// those of `yc resource-manager`.
    fn missing_role(&self, Role { id: role, scope }: Role<'_>) -> String {
        let sign_in = &self.tokens.sign_in;
        let (caller, subject) = (sign_in.subject_id(), sign_in.acting_subject());
        let lacks = match scope {
            Scope::ServiceAccount(account) => {
                format!("{subject} needs the role {role} on the service account {account} or on its folder")
            }
            Scope::Caller => format!("{subject} needs the role {role} on itself or on its folder"),
            Scope::OwnerOfKey => {
                format!("{subject} needs the role {role} on the service account of the key or on its folder")
            }
            Scope::Folder(folder) => format!("{subject} needs the role {role} on the folder {folder}"),
            Scope::Cloud(cloud) => format!("{subject} needs the role {role} on the cloud {cloud}"),
        };
        let resource = match scope {
            Scope::ServiceAccount(account) => Some(("iam service-account", account)),
            Scope::Caller => caller.map(|caller| ("iam service-account", caller)),
            Scope::OwnerOfKey => None,
            Scope::Folder(folder) => Some(("resource-manager folder", folder)),
            Scope::Cloud(cloud) => Some(("resource-manager cloud", cloud)),
        };
        match (caller, resource) {
            (Some(caller), Some((group, resource))) => format!(
                "{lacks}; to grant it: yc {group} add-access-binding {resource} --role {role} --subject \
                 serviceAccount:{caller}"
            ),
            _ => lacks,
        }
    }
}
