//! What the emulator saw: every request, in the order of arrival.

use std::collections::BTreeSet;

use hyper::http::request::Parts;
use serde_json::Value;

/// A request as it arrived, and the status of the response.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Request {
    /// The verb, such as `POST`.
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query as sent, without the question mark; empty when there is none.
    pub query: String,
    /// The headers with lower-case names, in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body; empty where a fault closed the connection before it was read.
    pub body: Vec<u8>,
    /// The TCP connection, counted from 1 in the order of their first requests.
    pub connection: usize,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whether it came over HTTP/2.
    pub http2: bool,
    /// The status of the response; `None` while there is none and where the response was lost.
    pub status: Option<u16>,
    pub(crate) number: usize,
}

impl Request {
    pub(crate) fn new(head: &Parts, body: &[u8], connection: usize, tls: bool) -> Self {
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body: body.to_vec(),
            connection,
            tls,
            http2: head.version == hyper::Version::HTTP_2,
            status: None,
            number: 0,
        }
    }

    /// The first value of a header, whatever the case of the name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body of the request is JSON")
    }

    /// Method and path, such as `GET /operations/aje…`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: Vec<Request>,
    count: usize,
}

impl Log {
    /// Keeps a request; the number names it later.
    pub(crate) fn push(&mut self, mut request: Request) -> usize {
        self.count += 1;
        request.number = self.count;
        self.requests.push(request);
        self.count
    }

    pub(crate) fn answered(&mut self, number: usize, status: u16) {
        // Not found means that the test has cleared the log meanwhile.
        if let Some(request) = self.requests.iter_mut().find(|r| r.number == number) {
            request.status = Some(status);
        }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.requests.iter().map(|r| r.connection).collect::<BTreeSet<_>>().len()
    }

    pub(crate) fn clear(&mut self) {
        self.requests.clear();
    }
}
