//! Errors: the message for the user, and the exit status.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::message::camel_case;
use crate::status::{Code, Status};
use crate::text::quote;

#[cfg(test)]
mod tests;

/// The result of most functions of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command did not finish.
///
/// A constructor chooses the kind; callers add to it with [`context`](Self::context) and [`hint`](Self::hint).
///
/// It can be written down for the processes that wait for the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Error(Box<Parts>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Parts {
    kind: Kind,
    message: String,
    hint: Option<String>,
    ids: RequestIds,
    /// The server's error code, where it is not one of gRPC.
    server_code: Option<String>,
    /// The call may have taken effect on the server, so it must not be repeated blindly.
    outcome_unknown: bool,
}

/// The class of an [`Error`], which decides the exit status and the `code` of `--error-format json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Kind {
    /// The command line or an input file is wrong.
    Usage,
    /// The configuration is wrong.
    Config,
    /// A requested setting is not set.
    NotSet,
    /// The jq filter does not compile.
    FilterSyntax,
    /// The jq filter failed on the result.
    FilterRun,
    /// No credentials are configured, or they cannot be used.
    NoCredentials,
    /// The server refused the call.
    Refused {
        /// The HTTP status of the response; `None` for the failure of an Operation.
        http: Option<u16>,
        /// Why.
        status: Status,
    },
    /// The server could not be reached, or the connection broke.
    Network,
    /// The certificate of the server or of a proxy is not trusted.
    Untrusted,
    /// Something else than the API responded: a proxy, the login page of a network, another server.
    ForeignResponse {
        /// The HTTP status of the response.
        http: u16,
    },
    /// The limit of `--timeout`, or a timeout of a request, has passed.
    Timeout,
    /// The user pressed Ctrl-C, which is SIGINT.
    Interrupted,
    /// SIGTERM has arrived.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has this signal"))]
    Terminated,
    /// SIGHUP has arrived: the terminal is gone.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has this signal"))]
    HungUp,
    /// The result cannot be written.
    Output,
    /// The requested information cannot be determined.
    Unknown,
    /// Something else has changed what the work depends on, or is at work on the same.
    Conflict,
    /// A check found something, as it was asked to.
    Findings,
    /// The command of `exec` cannot be run; the exit status is the one that a shell returns.
    NotRun(u8),
    /// The program or the machine failed.
    Internal,
}

impl Kind {
    /// The kind for a command that a signal ends; `None` for another signal.
    #[cfg(unix)]
    pub fn of_signal(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::HungUp),
            2 => Some(Self::Interrupted),
            15 => Some(Self::Terminated),
            _ => None,
        }
    }

    /// The message for a command that a signal ends.
    pub fn interruption(&self) -> &'static str {
        match self {
            Self::Terminated => "interrupted by SIGTERM",
            Self::HungUp => "interrupted by SIGHUP",
            _ => "interrupted",
        }
    }
}

/// The IDs of a request, for the support.
///
/// Source: yandex-cloud/go-sdk, `pkg/requestid/interceptor.go` of v0.32.0, for the four names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestIds {
    /// Given by the server to the request.
    pub server_request: Option<String>,
    /// Given by this program to the attempt.
    pub client_request: Option<String>,
    /// Given by the server to the chain of calls behind the request.
    pub server_trace: Option<String>,
    /// Given by this program to the whole run.
    pub client_trace: Option<String>,
}

impl RequestIds {
    fn named(&self) -> [(&'static str, Option<String>); 4] {
        let shown = |id: &Option<String>| id.as_deref().map(quote::request_id);
        [
            ("server-request-id", shown(&self.server_request)),
            ("client-request-id", shown(&self.client_request)),
            ("server-trace-id", shown(&self.server_trace)),
            ("client-trace-id", shown(&self.client_trace)),
        ]
    }
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            kind,
            message: message.into(),
            hint: None,
            ids: RequestIds::default(),
            server_code: None,
            outcome_unknown: false,
        }))
    }

    /// The command line or an input file is wrong: name the value, the rule and the fix.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The configuration is wrong: name the file, the key and the fix.
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Kind::Config, message)
    }

    /// There are no credentials, or they cannot be used.
    pub fn no_credentials(message: impl Into<String>) -> Self {
        Self::new(Kind::NoCredentials, message)
    }

    /// The server refused.
    pub fn refused(http: Option<u16>, status: Status) -> Self {
        let status = status.shortened();
        let message = if status.message.is_empty() { status.code.name().to_owned() } else { status.message.clone() };
        let quota = status.is_quota();
        let error = Self::new(Kind::Refused { http, status }, message);
        if quota {
            error.hint("to find keys that can be deleted, type: yc-rs iam access-key list --unused-for 90d")
        } else {
            error
        }
    }

    /// A signal ended the command.
    pub fn interrupted(kind: Kind) -> Self {
        let message = kind.interruption();
        Self::new(kind, message)
    }

    /// The server could not be reached, or the connection broke.
    pub fn network(message: impl Into<String>) -> Self {
        Self::new(Kind::Network, message)
    }

    /// The program or the machine failed in a way that the user did not cause.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Prepends what was being done: `<context>: <message>`.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// Adds a hint on what to do next. The first hint, given nearest to the cause, stays.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Adds a hint that is shown before the existing one.
    #[must_use]
    pub fn urgent_hint(mut self, hint: impl Into<String>) -> Self {
        let lines = [Some(hint.into()), self.0.hint].into_iter().flatten();
        self.0.hint = Some(lines.collect::<Vec<_>>().join("\n"));
        self
    }

    /// Sets the server's error code where it is not one of gRPC, e.g. `SignatureDoesNotMatch`.
    #[must_use]
    pub fn server_code(mut self, code: impl Into<String>) -> Self {
        self.0.server_code = Some(code.into());
        self
    }

    /// The hint.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Replaces the hint.
    #[must_use]
    pub fn replace_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the IDs of the request.
    #[must_use]
    pub fn ids(mut self, ids: RequestIds) -> Self {
        self.0.ids = ids;
        self
    }

    /// Marks the call as one that may have taken effect despite the error.
    #[must_use]
    pub fn outcome_unknown(mut self) -> Self {
        self.0.outcome_unknown = true;
        self
    }

    /// Whether the call may have taken effect despite the error.
    pub fn is_outcome_unknown(&self) -> bool {
        self.0.outcome_unknown
    }

    /// The class of the error.
    pub fn kind(&self) -> &Kind {
        &self.0.kind
    }

    /// The server's code, when a server refused.
    pub fn code(&self) -> Option<Code> {
        self.status().map(|status| status.code)
    }

    /// Whether the server says that this field of the request is invalid; `field` has the spelling of the REST API.
    pub fn is_about_field(&self, field: &str) -> bool {
        let violations = self.status().map(Status::field_violations).unwrap_or_default();
        violations.iter().any(|(name, _)| camel_case(name) == field)
    }

    fn status(&self) -> Option<&Status> {
        match &self.0.kind {
            Kind::Refused { status, .. } => Some(status),
            _ => None,
        }
    }

    fn http_status(&self) -> Option<u16> {
        match self.0.kind {
            Kind::Refused { http, .. } => http,
            Kind::ForeignResponse { http } => Some(http),
            _ => None,
        }
    }

    /// The exit status: 1 failure, 2 invalid input, 3 not authorized, 4 not found, 5 retryable; 128 and the number of the
    /// signal that interrupted the command.
    pub fn exit_code(&self) -> u8 {
        match &self.0.kind {
            Kind::Interrupted => 130,
            Kind::Terminated => 143,
            Kind::HungUp => 129,
            Kind::NotRun(status) => *status,
            _ if self.0.outcome_unknown => 1,
            Kind::Usage | Kind::Config | Kind::FilterSyntax => 2,
            Kind::NoCredentials => 3,
            Kind::NotSet
            | Kind::FilterRun
            | Kind::Untrusted
            | Kind::ForeignResponse { .. }
            | Kind::Output
            | Kind::Unknown
            | Kind::Conflict
            | Kind::Findings
            | Kind::Internal => 1,
            Kind::Refused { status, .. } if status.is_quota() => 1,
            // Whatever the body says: the HTTP status decides whether a request is sent again.
            Kind::Network | Kind::Timeout | Kind::Refused { http: Some(429 | 502..=504), .. } => 5,
            Kind::Refused { status, .. } => match status.code {
                Code::Unauthenticated | Code::PermissionDenied => 3,
                Code::NotFound => 4,
                Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded => 5,
                _ => 1,
            },
        }
    }

    /// Whether the same command may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.exit_code() == 5
    }

    /// The code of `--error-format json`.
    pub fn code_name(&self) -> &str {
        if let Some(code) = &self.0.server_code {
            return code;
        }
        match &self.0.kind {
            Kind::Usage | Kind::NotRun(_) => "USAGE",
            Kind::Config | Kind::NotSet => "CONFIG",
            Kind::FilterSyntax | Kind::FilterRun => "FILTER",
            Kind::NoCredentials => "NO_CREDENTIALS",
            Kind::Refused { status, .. } => status.code.name(),
            Kind::Network | Kind::Untrusted | Kind::ForeignResponse { .. } => "NETWORK",
            Kind::Timeout => "TIMEOUT",
            Kind::Interrupted | Kind::Terminated | Kind::HungUp => "INTERRUPTED",
            Kind::Unknown => "UNKNOWN",
            Kind::Conflict => "CONFLICT",
            Kind::Findings => "FINDINGS",
            Kind::Output | Kind::Internal => "INTERNAL",
        }
    }

    /// The error as text: `ERROR: ` and the message, then a line for each further field that is known.
    pub fn to_text(&self) -> String {
        let mut lines = vec![format!("ERROR: {}", self.0.message)];
        if self.status().is_some() || self.http_status().is_some() {
            lines.push(format!("code: {}", self.code_name()));
        }
        if let Some(status) = self.status() {
            for (field, description) in status.field_violations() {
                lines.push(format!("field-violation: {field}: {description}"));
            }
        }
        for (name, id) in self.0.ids.named() {
            lines.extend(id.map(|id| format!("{name}: {id}")));
        }
        lines.extend(self.0.hint.iter().map(|hint| format!("hint: {hint}")));
        lines.push(String::new());
        lines.join("\n")
    }

    /// The error as one JSON object: `code`, `status`, `message`, `exit`, `retryable`, `hint`, `details` and the
    /// four IDs; fields that are not known are left out.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("code".into(), self.code_name().into());
        if let Some(http) = self.http_status() {
            object.insert("status".into(), http.into());
        }
        object.insert("message".into(), self.0.message.clone().into());
        object.insert("exit".into(), self.exit_code().into());
        object.insert("retryable".into(), self.is_retryable().into());
        if let Some(hint) = &self.0.hint {
            object.insert("hint".into(), hint.clone().into());
        }
        if let Some(status) = self.status().filter(|status| !status.details.is_empty()) {
            object.insert("details".into(), json!(status.details));
        }
        for (name, id) in self.0.ids.named() {
            if let Some(id) = id {
                object.insert(name.replace('-', "_"), id.into());
            }
        }
        Value::Object(object)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
