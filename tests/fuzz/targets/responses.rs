//! What servers send.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Value, json};

use super::{Target, first_line, outcome, text};
use crate::api::access_key;
use crate::api::sts;
use crate::error::Error;
use crate::http::fuzzing::response;
use crate::output::list::{List, ListPrinter, PageError};
use crate::output::stdout::Written;
use crate::output::{Cell, Column, Format, Render, TableOptions};
use crate::text::escape;
use crate::text::page_trail::PageTrail;

pub(super) const STATUS_AND_HEADERS: Target = Target {
    name: "status-and-headers",
    run: status_and_headers,
    seeds: &[
        "200\ncontent-type: application/json\ndate: Thu, 01 Jan 2026 00:00:00 GMT\n\n{\"id\":\"aje\"}",
        "429\nretry-after: 3\nx-request-id: a\nx-server-trace-id: b\n\n{\"code\":8,\"message\":\"slow down\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1.5s\"},{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\"fieldViolations\":[{\"field\":\"a\",\"description\":\"b\"}]}]}",
        "503\nretry-after: Thu, 01 Jan 2026 00:00:09 GMT\nserver: x\n\n<html><body>503</body></html>",
        "401\nwww-authenticate: Bearer\n\n{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}",
    ],
};

/// An error is printed in lines without control characters, and as JSON; a result is an object.
fn status_and_headers(input: &[u8]) -> String {
    let text = text(input);
    let (status, rest) = first_line(&text);
    let (head, body) = rest.split_once("\n\n").unwrap_or((rest, ""));
    let headers: Vec<_> = head.lines().filter_map(|line| line.split_once(": ")).collect();
    let Ok(status @ 100..=999) = status.parse::<u16>() else { return "no status".to_owned() };
    let (response, delay) = response(status, &headers, body.as_bytes());
    let _ = (response.clock.difference(), response.clock.correction(), response.refuses_token());
    let shown = match response.into_json() {
        Ok(value) => {
            assert!(value.is_object());
            return format!("ok {}", delay.is_some());
        }
        Err(error) => error,
    };
    check(&shown);
    format!("{shown} {}", delay.is_some())
}

fn check(error: &Error) {
    let text = error.to_text();
    assert!(text.starts_with("ERROR: ") && text.ends_with('\n'), "{text:?}");
    let json = error.to_json().to_string();
    assert!(serde_json::from_str::<Value>(&json).is_ok_and(|json| json["exit"].is_u64()), "{json}");
}

pub(super) const STS: Target = Target {
    name: "sts",
    run: assume_role,
    seeds: &[
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials><AccessKeyId>YCA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t&amp;</SessionToken><Expiration>2026-01-01T01:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
        "<?xml version=\"1.0\"?><ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message><![CDATA[no <b>]]></Message></Error><RequestId>r</RequestId></ErrorResponse>",
    ],
};

/// The same body as a success and as a refusal.
fn assume_role(input: &[u8]) -> String {
    let headers = [("content-type", "text/xml")];
    let [granted, refused] = [200, 403].map(|status| sts::credentials(response(status, &headers, input).0));
    let refused = refused.expect_err("a refusal");
    check(&refused);
    if let Err(error) = &granted {
        check(error);
    }
    format!("{} {refused}", outcome(granted.map(drop)))
}

const COLUMNS: &[Column] = &[
    Column { header: "ID", cell: Cell::Field("id") },
    Column { header: "CREATED AT", cell: Cell::Time("created_at") },
];

const FORMATS_OF_LISTS: [Format; 5] = [Format::Json, Format::JsonRest, Format::Yaml, Format::Text, Format::Table];

/// What is printed of a list that comes in these pages.
fn print(pages: &[Vec<u8>], format: Format, terminal: bool) -> Result<String, String> {
    let list = List {
        message: &access_key::ACCESS_KEY,
        columns: COLUMNS,
        items: "keys",
        limit: None,
        follow: true,
        keep: None,
        table: TableOptions::default(),
    };
    let written = Rc::new(RefCell::new(Vec::new()));
    let sink = written.clone();
    let write = move |text: &[u8]| {
        sink.borrow_mut().extend_from_slice(text);
        Ok(Written::Whole)
    };
    let render = Arc::new(Render { terminal, width: 80, ..Render::plain(format) });
    let mut printer = ListPrinter::new(list, render, None, Box::new(write));
    for body in pages {
        let page = printer.read(body, DateTime::UNIX_EPOCH).map_err(|error| match error {
            PageError::NotJson => "not JSON".to_owned(),
            PageError::NoItems(_) => "no items".to_owned(),
            PageError::Endless(message) => message,
        })?;
        if printer.print(page).map_err(|error| error.to_string())?.is_some() {
            let text = written.borrow().clone();
            return Ok(String::from_utf8(text).expect("UTF-8"));
        }
    }
    Err("more pages".to_owned())
}

pub(super) const FORMATS: Target = Target {
    name: "formats",
    run: formats,
    seeds: &[
        "[{\"id\":\"aje\",\"createdAt\":\"2026-01-01T00:00:00Z\",\"keyId\":\"YCA\"},{\"id\":\"b\",\"description\":\"a: #b\\n- c\"}]",
        "[{\"id\":\"no\",\"x\":{\"a\":[1,2.50,-0,1e400,null,true,\"~\"]},\"lastUsedAt\":\"2026-01-01T00:00:00.123456789Z\"}]",
        "[]",
    ],
};

/// A list that comes page by page is printed like one that comes at once, JSON and YAML can be read again, and a terminal
/// gets no control characters.
fn formats(input: &[u8]) -> String {
    let Ok(Value::Array(items)) = serde_json::from_slice(input) else { return "not a list".to_owned() };
    let body = |items: &[Value], next: &str| json!({"keys": items, "nextPageToken": next}).to_string().into_bytes();
    let last = items.len().saturating_sub(1);
    let mut pages: Vec<_> =
        items.iter().enumerate().map(|(at, item)| body(std::slice::from_ref(item), &"p".repeat(at + 1))).collect();
    pages.truncate(last);
    pages.push(body(items.get(last..).unwrap_or_default(), ""));
    let mut documents = Vec::new();
    for format in FORMATS_OF_LISTS {
        let whole = print(&[body(&items, "")], format, false).expect("a list");
        assert_eq!(print(&pages, format, false).as_ref(), Ok(&whole), "{format:?}");
        let shown = print(&pages, format, true).expect("a list");
        assert!(!shown.chars().any(|c| c != '\n' && escape::is_hidden(c)), "{format:?} {shown:?}");
        match format {
            Format::Json => documents.push(serde_json::from_str::<Value>(&whole).expect("JSON")),
            Format::JsonRest => drop(serde_json::from_str::<Value>(&whole).expect("JSON")),
            Format::Yaml => documents.push(serde_saphyr::from_str::<Value>(&whole).expect("YAML")),
            Format::Text | Format::Table => {}
        }
    }
    assert_eq!(plain(&documents[0]), plain(&documents[1]));
    format!("ok {}", items.len().min(3))
}

/// A value whose numbers are compared as they are read: the readers differ in the last digit of some.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if !number.is_i64() && !number.is_u64() => format!("{float:.10e}").into(),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        other => other.clone(),
    }
}

pub(super) const PAGE: Target = Target {
    name: "page",
    run: page,
    seeds: &[
        "{\"keys\":[{\"id\":\"aje\",\"createdAt\":\"2026-01-01T00:00:00Z\"}],\"nextPageToken\":\"\"}",
        "{\"x\":{\"y\":[[[{}]]]},\"keys\":null,\"nextPageToken\":null}",
        "{\"nextPageToken\":\"p\",\"keys\":[1,\"a\",null,[true]]}",
    ],
};

/// Any body is a page, or an error.
fn page(input: &[u8]) -> String {
    let results = FORMATS_OF_LISTS.map(|format| outcome(print(&[input.to_vec()], format, true).map(drop)));
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    results[0].clone()
}

pub(super) const PAGES: Target = Target {
    name: "pages",
    run: pages,
    seeds: &["1 a\n0 b\n3 c\n", "0 a\n0 b\n0 c\n0 d\n0 e\n0 f\n0 g\n0 h\n0 i\n0 j\n"],
};

/// A list is followed for as long as its pages are new and one of ten has an item.
fn pages(input: &[u8]) -> String {
    let text = text(input);
    let mut trail = PageTrail::default();
    let (mut tokens, mut empty) = (Vec::new(), 0);
    for line in text.lines() {
        let Some((items, token)) = line.split_once(' ') else { continue };
        let items = items.parse().unwrap_or_default();
        let result = trail.follow(items, token);
        empty = if items == 0 { empty + 1 } else { 0 };
        let is_new = !tokens.contains(&token);
        tokens.push(token);
        assert_eq!(result.is_ok(), is_new && empty != 10, "{line}");
        if let Err(message) = result {
            return message;
        }
    }
    "ok".to_owned()
}
