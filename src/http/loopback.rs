//! A small HTTP server on the loopback interface, for programs of the same machine: a request a connection, a small one,
//! and soon.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// The most bytes of a request without its body, which is not read.
const LONGEST_REQUEST: usize = 8 * 1024;

/// How long a client may take to send its request.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection may take from its first byte to its last: one that reads nothing is not waited for.
const CONNECTION_LIMIT: Duration = Duration::from_secs(15);

/// How long no connection is accepted after one could not be, since there are too many.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that is bound to its address.
pub struct Loopback {
    listener: TcpListener,
    address: SocketAddr,
}

/// What a client asks for.
#[derive(Debug)]
pub struct Request(http::Request<()>);

/// What a client gets.
#[derive(Debug)]
pub struct Response(http::Response<String>);

/// Reads an address to listen on.
///
/// # Errors
/// It is not a loopback address with a port; the message says which there are.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let parsed = text.rsplit_once(':').and_then(|(host, port)| {
        let host = match host {
            "127.0.0.1" | "localhost" => Ipv4Addr::LOCALHOST.into(),
            "[::1]" => Ipv6Addr::LOCALHOST.into(),
            _ => return None,
        };
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        Some(SocketAddr::new(host, port.parse().ok().filter(|_| is_number)?))
    });
    parsed.ok_or_else(|| {
        "must be 127.0.0.1:PORT, localhost:PORT or [::1]:PORT; with the port 0 a free one is taken".to_owned()
    })
}

impl Loopback {
    /// Binds a server to an address; with port 0 to a free one.
    ///
    /// # Errors
    /// The port is taken, or may not be used.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until it is dropped, any number of them at the same time.
    pub async fn serve(&self, respond: impl AsyncFn(&Request) -> Response) -> Infallible {
        let mut connections = FuturesUnordered::new();
        loop {
            let accepted = if connections.is_empty() {
                self.accept().await
            } else {
                match select(Box::pin(self.accept()), connections.next()).await {
                    Either::Left((stream, _)) => stream,
                    Either::Right(_) => continue,
                }
            };
            connections.push(answer(accepted, &respond));
        }
    }

    async fn accept(&self) -> TcpStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                // The client is gone, or there are too many open files.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

/// Answers the one request of a connection.
async fn answer(stream: TcpStream, respond: &impl AsyncFn(&Request) -> Response) {
    let service = service_fn(async |request: http::Request<Incoming>| {
        let request = Request(request.map(drop));
        Ok::<_, Infallible>(respond(&request).await.0)
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_LIMIT)
        .max_header_size(LONGEST_REQUEST)
        .max_buf_size(LONGEST_REQUEST)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off, or is too slow, has nobody to be told about it.
    let _ = timeout(CONNECTION_LIMIT, connection).await;
}

impl Request {
    /// The method.
    pub fn method(&self) -> &Method {
        self.0.method()
    }

    /// The target: a path and a query, or the whole URL.
    pub fn uri(&self) -> &Uri {
        self.0.uri()
    }

    /// The value of a header that is there exactly once.
    pub fn single_header(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.0.headers().get_all(name).iter();
        let value = values.next()?;
        values.next().is_none().then(|| value.as_bytes())
    }

    /// A request without a body.
    #[cfg(test)]
    pub fn of(method: &str, target: &str, headers: &[(&str, &str)]) -> Self {
        let request = http::Request::builder().method(method).uri(target);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Self(request.body(()).unwrap())
    }
}

impl Response {
    /// A JSON document, which may hold a secret and is not to be stored.
    pub fn json(status: u16, document: String) -> Self {
        let mut response = http::Response::new(document);
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self(response)
    }

    /// A page for a person, of one paragraph.
    pub fn page(status: u16, text: &str) -> Self {
        let page = format!("<!doctype html><meta charset=\"utf-8\"><title>yc-rs</title><p>{text}</p>\n");
        let mut response = Self::json(status, page);
        response.0.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        response
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.0.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// The HTTP status.
    #[cfg(test)]
    pub fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// The body.
    #[cfg(test)]
    pub fn body(&self) -> &str {
        self.0.body()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_with_a_port_are_listened_on() {
        for (text, address) in
            [("127.0.0.1:0", "127.0.0.1:0"), ("localhost:8080", "127.0.0.1:8080"), ("[::1]:65535", "[::1]:65535")]
        {
            assert_eq!(parse_address(text).map(|address| address.to_string()).as_deref(), Ok(address));
        }
        for text in [
            "",
            "127.0.0.1",
            "127.0.0.1:",
            ":8080",
            "8080",
            "0.0.0.0:8080",
            "[::]:80",
            "::1:80",
            "127.0.0.2:80",
            "localhost:+80",
            "localhost:65536",
            "example.com:80",
            "localhost:http",
            "http://localhost:80",
        ] {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }
}
