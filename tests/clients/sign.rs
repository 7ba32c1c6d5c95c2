//! Signs requests for a test of another language: a JSON object a line in, an `Authorization` a line out.

use std::error::Error;
use std::io::{BufRead, Write};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use yc_rs::api::sigv4::{Scope, SignableRequest, SigningKey, sign};

#[derive(Deserialize)]
struct Line {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: String,
    key_id: String,
    secret: String,
    region: String,
    service: String,
    time: DateTime<Utc>,
}

fn pairs(owned: &[(String, String)]) -> Vec<(&str, &str)> {
    owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        let (query, headers) = (pairs(&line.query), pairs(&line.headers));
        let request = SignableRequest {
            method: &line.method,
            path: &line.path,
            query: &query,
            headers: &headers,
            body: line.body.as_bytes(),
        };
        let key = SigningKey { id: line.key_id, secret: line.secret.into() };
        let scope = Scope { region: &line.region, service: &line.service };
        writeln!(out, "{}", sign(&request, &key, scope, line.time).authorization)?;
    }
    Ok(())
}
