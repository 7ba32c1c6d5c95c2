//! `google.rpc.Status`: how the service refuses.
//! Source: API design guide, error handling.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::reply::Reply;

pub(crate) const INVALID_ARGUMENT: u32 = 3;
pub(crate) const NOT_FOUND: u32 = 5;
pub(crate) const ALREADY_EXISTS: u32 = 6;
pub(crate) const PERMISSION_DENIED: u32 = 7;
pub(crate) const FAILED_PRECONDITION: u32 = 9;
pub(crate) const RESOURCE_EXHAUSTED: u32 = 8;
pub(crate) const UNIMPLEMENTED: u32 = 12;
pub(crate) const UNAUTHENTICATED: u32 = 16;

/// A refusal: the code, the message and the details of `google.rpc.Status`, and the HTTP status that carries them.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) http: u16,
    pub(crate) code: u32,
    /// The name of the error in services that do not go by `google.rpc.Code`.
    pub(crate) name: Option<String>,
    pub(crate) message: String,
    pub(crate) details: Vec<Value>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Status {
    pub(crate) fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            http: http_status(code),
            code,
            name: None,
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    pub(crate) fn http(mut self, http: u16) -> Self {
        self.http = http;
        self
    }

    pub(crate) fn not_found(what: &str, id: &str) -> Self {
        Self::new(NOT_FOUND, format!("{what} {id} not found")).detail(json!({
            "@type": "type.googleapis.com/google.rpc.ResourceInfo",
            "resourceType": what,
            "resourceName": id,
        }))
    }

    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(UNAUTHENTICATED, message)
    }

    pub(crate) fn invalid(field: &str, description: impl Into<String>) -> Self {
        let mut violations = Violations::default();
        violations.add(field, description);
        violations.into_status()
    }

    pub(crate) fn detail(mut self, detail: Value) -> Self {
        self.details.push(detail);
        self
    }

    pub(crate) fn into_reply(self, request_id: &str) -> Reply {
        let mut details = self.details;
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RequestInfo",
            "requestId": request_id,
        }));
        let mut reply = Reply::json(&json!({
            "code": self.code,
            "message": self.message,
            "details": details,
        }));
        reply.status = StatusCode::from_u16(self.http).expect("a valid HTTP status");
        reply.headers = self.headers;
        reply
    }
}

/// The fields that break a rule: all of them are reported in one `google.rpc.BadRequest`.
#[derive(Debug, Default)]
pub(crate) struct Violations(Vec<(String, String)>);

impl Violations {
    pub(crate) fn add(&mut self, field: &str, description: impl Into<String>) {
        self.0.push((field.to_owned(), description.into()));
    }

    pub(crate) fn check(self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(self.into_status()) }
    }

    fn into_status(self) -> Status {
        let text: Vec<String> = self.0.iter().map(|(f, d)| format!("{f}: {d}")).collect();
        let violations: Vec<Value> =
            self.0.iter().map(|(field, description)| json!({"field": field, "description": description})).collect();
        Status::new(INVALID_ARGUMENT, text.join("; ")).detail(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": violations,
        }))
    }
}

/// The HTTP status of a gRPC code.
pub(crate) fn http_status(code: u32) -> u16 {
    match code {
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}
