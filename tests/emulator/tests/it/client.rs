//! A client as plain as can be: HTTP/1.1 by hand, so that it sends exactly what a test says.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, AuthorizedKey, Emulator};

pub(crate) const KEYS: &str = "/iam/aws-compatibility/v1/accessKeys";
pub(crate) const EPHEMERAL: &str = "/iam/aws-compatibility/v1/ephemeralAccessKeys";
pub(crate) const TOKENS: &str = "/iam/v1/tokens";

/// A request in the making.
pub(crate) struct Call {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub(crate) fn call(method: &str, target: &str) -> Call {
    Call { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
}

impl Call {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn admin(self, cloud: &Emulator) -> Self {
        self.token(&cloud.issue_token(ADMIN_ID))
    }

    #[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
    pub(crate) fn json(self, body: Value) -> Self {
        self.header("Content-Type", "application/json").body(&body.to_string())
    }

    /// A form; the values are encoded here.
    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        self.header("Content-Type", "application/x-www-form-urlencoded").body(&form(fields))
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("Content-Length", &body.len().to_string())
    }

    /// Sends it on a connection of its own.
    pub(crate) fn send(self, cloud: &Emulator) -> Response {
        self.try_send(cloud).unwrap()
    }

    pub(crate) fn try_send(self, cloud: &Emulator) -> io::Result<Response> {
        self.send_on(&mut connect(cloud))
    }

    pub(crate) fn send_on(self, stream: &mut TcpStream) -> io::Result<Response> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: emulator\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head += &[name, ": ", value, "\r\n"].concat();
        }
        stream.write_all(&[head.as_bytes(), b"\r\n", &self.body].concat())?;
        read(stream)
    }
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

pub(crate) fn connect(cloud: &Emulator) -> TcpStream {
    TcpStream::connect(cloud.http_url().strip_prefix("http://").unwrap()).unwrap()
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The fields that a `BadRequest` complains of.
    pub(crate) fn violations(&self) -> Vec<String> {
        assert_eq!((self.status, &self.json()["code"]), (400, &json!(3)), "{}", self.json());
        let violations = self.json()["details"][0]["fieldViolations"].clone();
        violations.as_array().unwrap().iter().map(|v| v["field"].as_str().unwrap().to_owned()).collect()
    }

    /// The body of a response that is not a refusal.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.json());
        self.json()
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: u32, message: &str) {
        let body = self.json();
        assert_eq!((self.status, &body["code"]), (status, &json!(code)), "{body}");
        assert!(self.message().contains(message), "{body}");
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Response> {
    let mut reader = BufReader::new(stream);
    let status_line = line(&mut reader)?;
    let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = Vec::new();
    loop {
        let line = line(&mut reader)?;
        match line.split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let mut response = Response { status, headers, body: Vec::new() };
    if response.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(&line(&mut reader)?, 16).unwrap();
            let start = response.body.len();
            response.body.resize(start + size, 0);
            reader.read_exact(&mut response.body[start..])?;
            line(&mut reader)?;
            if size == 0 {
                break;
            }
        }
    } else if status != 204 {
        response.body = vec![0; response.header("content-length").unwrap().parse().unwrap()];
        reader.read_exact(&mut response.body)?;
    }
    Ok(response)
}

fn line(reader: &mut BufReader<&mut TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

/// What a JWT for this key should hold.
pub(crate) fn claims(cloud: &Emulator, key: &AuthorizedKey) -> Value {
    let now = cloud.now().timestamp();
    json!({
        "iss": key.service_account_id,
        "aud": "https://iam.api.cloud.yandex.net/iam/v1/tokens",
        "iat": now,
        "exp": now + 3600,
    })
}

pub(crate) fn sign(key: &AuthorizedKey, claims: &Value) -> String {
    sign_with_header(key, &json!({"typ": "JWT", "alg": "PS256", "kid": key.id}), claims)
}

pub(crate) fn sign_with_header(key: &AuthorizedKey, header: &Value, claims: &Value) -> String {
    let pem = key.private_key.lines().skip(1).filter(|line| !line.starts_with("-----")).collect::<String>();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(pem).unwrap()).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}
