//! Calls with an IAM token: the only place that sends one.

use serde_json::Value;

use crate::auth::iam_token::IamToken;
use crate::auth::token_source::TokenSource;
use crate::endpoints::Service;
use crate::error::{Error, Result};
use crate::http::{Body, Method, Repeat, Request, Response};
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
}

impl<'a> Call<'a> {
    /// A call of this method on this path, without a body; it may be repeated after a failure.
    pub fn new(service: Service, method: Method, path: impl Into<String>) -> Self {
        Self { service, method, path: path.into(), query: Vec::new(), body: Body::Empty, repeat: Repeat::Always }
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
        self.send(call).await?.into_json().map_err(|error| self.explain(error))
    }

    /// Makes a call and returns the response, whatever its status.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the credential in exchange for a token.
    pub async fn send(&self, call: Call<'_>) -> Result<Response> {
        let send = async |token: &IamToken| {
            let base = self.tokens.endpoints.base(call.service, &self.tokens.http).await?;
            self.send_with(&call, &call.url(&base), token).await
        };
        Ok(self.tokens.send_authenticated(send).await?.1)
    }

    async fn send_with(&self, call: &Call<'_>, url: &str, token: &IamToken) -> Result<Response> {
        let mut request = Request::new(call.method.clone(), url);
        request.bearer = Some(&token.value);
        request.body = call.body.clone();
        request.repeat = call.repeat;
        self.tokens.http.send(request).await
    }

    /// Whether a request is under way that may be making a secret.
    pub fn awaits_unrepeatable(&self) -> bool {
        self.tokens.http.awaits_unrepeatable()
    }

    /// Adds what is known about the credential to a refusal of it.
    pub fn explain(&self, error: Error) -> Error {
        match error.code() {
            Some(Code::Unauthenticated) => error.hint(self.tokens.sign_in.hint()),
            _ => error,
        }
    }
}
