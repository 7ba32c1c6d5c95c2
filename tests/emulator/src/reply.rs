//! What goes back to the client: a complete response, or a body that is wrong on purpose.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

use crate::server::Line;

/// A response before it is written: services make these.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(value: &Value) -> Self {
        Self::new(StatusCode::OK, "application/json", value.to_string())
    }

    pub(crate) fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), content_type, body: body.into() }
    }

    /// The response as it should be.
    pub(crate) fn into_response(self) -> Response<Payload> {
        let body = self.body.clone();
        self.with_body(Full::new(body).boxed_unsync())
    }

    /// Announces the whole length, sends half of the body and closes the connection.
    pub(crate) fn into_cut_response(self, line: Arc<Line>) -> Response<Payload> {
        let length = self.body.len();
        let half = Some(self.body.slice(..length / 2));
        let mut response = self.with_body(Cut { half, line }.boxed_unsync());
        response.headers_mut().insert(hyper::header::CONTENT_LENGTH, length.into());
        response
    }

    /// Sends a body of more than 32 MiB.
    pub(crate) fn into_oversized_response(self) -> Response<Payload> {
        self.with_body(Oversized { sent: 0 }.boxed_unsync())
    }

    fn with_body(self, body: Payload) -> Response<Payload> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        // Later ones win, so that a fault can replace any header.
        for (name, value) in self.headers {
            headers.insert(
                HeaderName::from_bytes(name.as_bytes()).expect("a valid header name"),
                HeaderValue::from_bytes(value.as_bytes()).expect("a valid header value"),
            );
        }
        response
    }
}

/// A response body of any kind.
pub(crate) type Payload = UnsyncBoxBody<Bytes, Infallible>;

/// Half of a body and then the end of the connection.
struct Cut {
    half: Option<Bytes>,
    line: Arc<Line>,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(half) = self.half.take() {
            let line = Arc::clone(&self.line);
            tokio::spawn(async move {
                // The bytes of the first half must be on the wire before the connection goes.
                tokio::time::sleep(Duration::from_millis(20)).await;
                line.cut();
            });
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        Poll::Pending
    }
}

static CHUNK: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// The opening of a JSON string that goes on for longer than any client should read.
struct Oversized {
    sent: usize,
}

impl Oversized {
    const TOTAL: usize = 33 * 1024 * 1024;
}

impl Body for Oversized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk: &'static [u8] = match self.sent {
            0 => b"{\"padding\":\"",
            sent if sent < Self::TOTAL => &CHUNK,
            sent if sent < usize::MAX => {
                self.sent = usize::MAX;
                return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"\"}")))));
            }
            _ => return Poll::Ready(None),
        };
        self.sent += chunk.len();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(chunk)))))
    }
}
