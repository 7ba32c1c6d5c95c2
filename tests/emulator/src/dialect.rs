//! The form of an error: most services send `google.rpc.Status`, a few have a form of their own.

use hyper::StatusCode;
use serde_json::json;

use crate::reply::Reply;
use crate::status::Status;
use crate::xml::{self, element, text};

/// The form of the errors of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `google.rpc.Status` as JSON.
    Status,
    /// `error` and `error_description` as JSON. Source: RFC 6749, section 5.2.
    OAuth,
    /// `ErrorResponse` as XML. Source: AWS Security Token Service API reference, common errors.
    Aws,
    /// `Error` as XML. Source: Object Storage docs, S3 API reference, response codes.
    S3,
    /// The message as plain text.
    Plain,
}

impl Dialect {
    pub(crate) fn reply(self, status: Status, request_id: &str) -> Reply {
        let http = StatusCode::from_u16(status.http).expect("a valid HTTP status");
        let mut reply = match self {
            Self::Status => return status.into_reply(request_id),
            Self::OAuth => {
                let error = status.name.as_deref().unwrap_or(oauth_name(status.code));
                Reply::json(&json!({"error": error, "error_description": status.message}))
            }
            Self::Aws => {
                let kind = if status.http < 500 { "Sender" } else { "Receiver" };
                let code = status.name.as_deref().unwrap_or(aws_name(status.code));
                let error = [text("Type", kind), text("Code", code), text("Message", &status.message)];
                xml::reply("ErrorResponse", xml::STS, &[element("Error", &error), text("RequestId", request_id)])
            }
            Self::S3 => {
                let code = status.name.as_deref().unwrap_or(s3_name(status.code));
                let error = [text("Code", code), text("Message", &status.message), text("RequestId", request_id)];
                Reply::new(http, "application/xml", element("Error", &error))
            }
            Self::Plain => Reply::new(http, "text/plain", status.message),
        };
        reply.status = http;
        reply.headers = status.headers;
        reply
    }
}

/// Source: RFC 6749, sections 4.1.2.1 and 5.2; RFC 8693, section 2.2.2.
fn oauth_name(code: u32) -> &'static str {
    match code {
        3 => "invalid_request",
        5 => "invalid_target",
        7 => "access_denied",
        8 | 14 => "temporarily_unavailable",
        16 => "invalid_client",
        _ => "server_error",
    }
}

/// Source: AWS Security Token Service API reference, common errors.
fn aws_name(code: u32) -> &'static str {
    match code {
        3 => "ValidationError",
        5 | 12 => "InvalidAction",
        7 => "AccessDenied",
        8 => "Throttling",
        14 => "ServiceUnavailable",
        16 => "InvalidClientTokenId",
        _ => "InternalFailure",
    }
}

/// Source: Object Storage docs, S3 API reference, response codes.
fn s3_name(code: u32) -> &'static str {
    match code {
        3 => "InvalidRequest",
        7 => "AccessDenied",
        8 => "SlowDown",
        12 => "MethodNotAllowed",
        14 => "ServiceUnavailable",
        _ => "InternalError",
    }
}
