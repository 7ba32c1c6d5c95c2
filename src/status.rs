//! `google.rpc.Status`: the error of an API call.
//!
//! Source: yandex-cloud/docs, `en/_includes/errors-handling.md`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::secret::mask_shapes;

/// A canonical gRPC status code other than `OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Code {
    /// The caller cancelled the call.
    Cancelled = 1,
    /// No other code fits.
    Unknown = 2,
    /// The request is invalid, whatever the state of the server.
    InvalidArgument = 3,
    /// The deadline of the server has passed.
    DeadlineExceeded = 4,
    /// The resource does not exist, or the caller is not allowed to know that it does.
    NotFound = 5,
    /// The resource already exists.
    AlreadyExists = 6,
    /// The caller does not have the permission.
    PermissionDenied = 7,
    /// A quota or a rate limit is exceeded.
    ResourceExhausted = 8,
    /// The resource is not in the required state.
    FailedPrecondition = 9,
    /// A conflict with another call.
    Aborted = 10,
    /// Past the end of a valid range.
    OutOfRange = 11,
    /// The server does not have this method.
    Unimplemented = 12,
    /// The server failed.
    Internal = 13,
    /// The service is temporarily unavailable.
    Unavailable = 14,
    /// Data is lost or corrupted.
    DataLoss = 15,
    /// The credentials are missing or not valid.
    Unauthenticated = 16,
}

/// Every code with its name and the HTTP status that the REST API returns with it.
const CODES: [(Code, &str, u16); 16] = [
    (Code::Cancelled, "CANCELLED", 499),
    (Code::Unknown, "UNKNOWN", 500),
    (Code::InvalidArgument, "INVALID_ARGUMENT", 400),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 504),
    (Code::NotFound, "NOT_FOUND", 404),
    (Code::AlreadyExists, "ALREADY_EXISTS", 409),
    (Code::PermissionDenied, "PERMISSION_DENIED", 403),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", 429),
    (Code::FailedPrecondition, "FAILED_PRECONDITION", 400),
    (Code::Aborted, "ABORTED", 409),
    (Code::OutOfRange, "OUT_OF_RANGE", 400),
    (Code::Unimplemented, "UNIMPLEMENTED", 501),
    (Code::Internal, "INTERNAL", 500),
    (Code::Unavailable, "UNAVAILABLE", 503),
    (Code::DataLoss, "DATA_LOSS", 500),
    (Code::Unauthenticated, "UNAUTHENTICATED", 401),
];

impl Code {
    /// The code's name in upper case, e.g. `NOT_FOUND`.
    pub fn name(self) -> &'static str {
        CODES[self as usize - 1].1
    }

    /// The code of this number, or [`Code::Unknown`] for a number that has none.
    pub fn from_number(number: u64) -> Self {
        usize::try_from(number).ok().and_then(|n| CODES.get(n.wrapping_sub(1))).map_or(Self::Unknown, |row| row.0)
    }

    /// The code of a response that has an HTTP status but no `google.rpc.Status`, e.g. from a proxy or a load balancer.
    pub fn from_http(status: u16) -> Self {
        match status {
            400 => Self::InvalidArgument,
            409 => Self::Aborted,
            500 => Self::Internal,
            502 => Self::Unavailable,
            _ => CODES.iter().find(|row| row.2 == status).map_or(Self::Unknown, |row| row.0),
        }
    }
}

/// The most bytes of a server's text that an error shows.
pub const LONGEST_TEXT: usize = 4 << 10;

/// What stands in the place of the rest of a text.
const ELLIPSIS: &str = "…";

/// Why a call was refused: the body of a response that is not 2xx, or the `error` of an Operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub code: Code,
    /// The server's message; may be empty.
    pub message: String,
    /// Further details: `google.protobuf.Any` values as received.
    pub details: Vec<Value>,
}

impl Status {
    /// Parses the JSON of a status; `None` when the text is something else.
    pub fn from_json(body: &[u8]) -> Option<Self> {
        Self::from_value(&serde_json::from_slice(body).ok()?)
    }

    /// The status with at most [`LONGEST_TEXT`] bytes of the server's text: of the message what fits, and the details that
    /// fit beside it. What looks like a secret is masked before it is cut, since a part of it could not be recognized.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let size = |detail: &Value| detail.to_string().len();
        if self.message.len() + self.details.iter().map(size).sum::<usize>() <= LONGEST_TEXT {
            return self;
        }
        if self.message.len() > LONGEST_TEXT {
            self.message = mask_shapes(&self.message);
        }
        if self.message.len() > LONGEST_TEXT {
            let mut end = LONGEST_TEXT - ELLIPSIS.len();
            while !self.message.is_char_boundary(end) {
                end -= 1;
            }
            self.message.truncate(end);
            self.message.push_str(ELLIPSIS);
        }
        let mut left = LONGEST_TEXT - self.message.len();
        self.details.retain(|detail| match left.checked_sub(size(detail)) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        });
        self
    }

    /// Reads a status from a JSON value; `None` when the value is something else.
    pub fn from_value(value: &Value) -> Option<Self> {
        #[derive(Deserialize)]
        struct Wire {
            code: u64,
            #[serde(default)]
            message: String,
            #[serde(default)]
            details: Vec<Value>,
        }
        let wire = Wire::deserialize(value).ok()?;
        Some(Self { code: Code::from_number(wire.code), message: wire.message, details: wire.details })
    }

    /// The detail of this kind, e.g. `BadRequest`: the value whose `@type` ends in `google.rpc.<kind>`.
    pub fn detail(&self, kind: &str) -> Option<&Value> {
        self.details.iter().find(|detail| {
            detail["@type"].as_str().is_some_and(|name| {
                name.rsplit('/').next().and_then(|full| full.strip_prefix("google.rpc.")) == Some(kind)
            })
        })
    }

    /// `(field, description)` of every field that is invalid by the server's rules.
    pub fn field_violations(&self) -> Vec<(&str, &str)> {
        let violations = self.detail("BadRequest").map(|detail| &detail["fieldViolations"]);
        violations
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|v| (v["field"].as_str().unwrap_or(""), v["description"].as_str().unwrap_or("")))
            .collect()
    }

    /// Whether a quota is exceeded, rather than a rate limit: a retry does not help.
    pub fn is_quota(&self) -> bool {
        self.code == Code::ResourceExhausted
            && (self.detail("QuotaFailure").is_some() || self.message.starts_with("Quota limit "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_number_is_that_of_its_code() {
        for (index, (code, name, _)) in CODES.iter().enumerate() {
            assert_eq!(*code as usize, index + 1);
            assert_eq!(Code::from_number(index as u64 + 1), *code);
            assert_eq!(code.name(), *name);
        }
        for unknown in [0, 17, u64::MAX] {
            assert_eq!(Code::from_number(unknown), Code::Unknown);
        }
    }

    #[test]
    fn a_response_without_a_status_gets_the_code_of_its_http_status() {
        let expected = [
            (400, Code::InvalidArgument),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::NotFound),
            (409, Code::Aborted),
            (429, Code::ResourceExhausted),
            (499, Code::Cancelled),
            (500, Code::Internal),
            (501, Code::Unimplemented),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::DeadlineExceeded),
            (418, Code::Unknown),
        ];
        for (http, code) in expected {
            assert_eq!(Code::from_http(http), code, "{http}");
        }
    }

    #[test]
    fn a_quota_is_distinguished_from_a_rate_limit() {
        let rate = Status { code: Code::ResourceExhausted, message: "Too many requests".into(), details: vec![] };
        assert!(!rate.is_quota());
        let by_message = Status { message: "Quota limit iam.accessKeys.count exceeded".into(), ..rate.clone() };
        assert!(by_message.is_quota());
        let detail = json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure"});
        let by_detail = Status { details: vec![detail], ..rate };
        assert!(by_detail.is_quota());
    }

    #[test]
    fn at_most_four_kibibytes_of_the_servers_text_are_left() {
        let short = json!({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "r"});
        let long = json!({"@type": "type.googleapis.com/google.rpc.DebugInfo", "detail": "d".repeat(4096)});
        let status =
            |message: String| Status { code: Code::Internal, message, details: vec![long.clone(), short.clone()] };
        let shortened = status("m".into()).shortened();
        assert_eq!((shortened.message.as_str(), shortened.details), ("m", vec![short.clone()]));
        let shortened = status("é".repeat(3000)).shortened();
        assert_eq!((shortened.message, shortened.details), ("é".repeat(2046) + "…", vec![]));
        let token = format!("t1.9euelZqXm5yL.{}", "aB3".repeat(28));
        let shortened = status("m".repeat(4060) + &token + &"n".repeat(100)).shortened();
        assert!(!shortened.message.contains("t1.9"), "{}", shortened.message);
    }

    #[test]
    fn text_that_is_not_a_status_is_not_parsed_as_one() {
        for body in ["", "<html>", "[]", "{}", r#"{"code":"x"}"#, r#"{"message":"m"}"#] {
            assert_eq!(Status::from_json(body.as_bytes()), None, "{body}");
        }
    }
}
