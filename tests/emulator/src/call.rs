//! From request to response: everything that is the same for all services.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE};
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use uuid::Uuid;

use crate::dialect::Dialect;
use crate::field::{self, Field};
use crate::json;
use crate::reply::Reply;
use crate::route::{self, Access, Body, Route};
use crate::services::storage;
use crate::state::{AccessKey, Caller, State};
use crate::status::{NOT_FOUND, Status, UNIMPLEMENTED, Violations};

/// A request as it came in: what it says, and when and where it arrived.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) body: &'a Bytes,
    pub(crate) now: DateTime<Utc>,
    pub(crate) tls: bool,
    /// The listener that was asked, `host:port`.
    pub(crate) address: &'a str,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// A request without a token.
    Anonymous,
    /// The subject of an IAM token.
    Token(Caller),
    /// The owner of a static key that has signed the request.
    Key(AccessKey),
    /// The subject of a temporary key that has signed the request.
    TemporaryKey(String),
}

impl Identity {
    fn subject_id(&self) -> &str {
        match self {
            Self::Anonymous => "",
            Self::Token(caller) => &caller.subject_id,
            Self::Key(key) => &key.service_account_id,
            Self::TemporaryKey(subject_id) => subject_id,
        }
    }
}

/// A request whose form is right: known names, right types, within the limits.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) now: DateTime<Utc>,
    pub(crate) idempotency_key: Option<String>,
    /// Path and query without the page, and who asks: what a page token is bound to.
    pub(crate) listing: String,
    /// The listener that was asked, `host:port`.
    pub(crate) address: String,
    identity: Identity,
    path: BTreeMap<&'static str, String>,
    /// Query parameters, or fields of the body: no call has both.
    fields: BTreeMap<String, String>,
    /// The headers, where the body is any bytes.
    headers: HeaderMap,
    /// The body, where it is any bytes.
    pub(crate) body: Bytes,
}

impl Call {
    /// The subject of the token that the call came with.
    pub(crate) fn caller(&self) -> &Caller {
        let Identity::Token(caller) = &self.identity else {
            panic!("this route takes no IAM token");
        };
        caller
    }

    /// The static key that the call was signed with.
    pub(crate) fn access_key(&self) -> &AccessKey {
        let Identity::Key(key) = &self.identity else {
            panic!("this route takes no signature");
        };
        key
    }

    /// The subject of the token, or the owner of the static key, that the call came with.
    pub(crate) fn subject_id(&self) -> &str {
        self.identity.subject_id()
    }

    /// A header of a call whose body is any bytes; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A part of the path.
    pub(crate) fn path(&self, name: &str) -> &str {
        &self.path[name]
    }

    /// A parameter or field; empty where it is absent, as protobuf has it.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Whether a parameter or field is there, be it empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }
}

/// Checks what must hold before anything else, also before a fault is applied.
pub(crate) fn admit(state: &mut State, head: &Parts) -> Result<(), Status> {
    let Some(id) = single(&head.headers, "x-request-id")? else {
        return Ok(());
    };
    if Uuid::try_parse(id).is_err() {
        return Err(Status::invalid("x-request-id", "must be a UUID"));
    }
    // A new request ID for each attempt. Source: Terraform provider, yandex/config.go.
    if !state.request_ids.insert(id.to_ascii_lowercase()) {
        return Err(Status::invalid("x-request-id", "was used before"));
    }
    Ok(())
}

/// Checks a request and passes it to its service.
pub(crate) fn respond(state: &mut State, arrival: &Arrival) -> Result<Reply, Status> {
    let route = find(arrival.head, arrival.tls)?;
    let identity = authenticate(state, route, arrival)?;
    let call = read(route, arrival, identity)?;
    let fingerprint = fingerprint(&call, arrival);
    if let Some(key) = &call.idempotency_key
        && let Some(reply) = state.replay(key, &fingerprint)?
    {
        return Ok(reply);
    }
    let reply = (route.handler)(state, &call)?;
    if let Some(key) = call.idempotency_key {
        state.remember_key(key, fingerprint);
    }
    Ok(reply)
}

/// Words a refusal as the service does that was asked.
pub(crate) fn refuse(state: &State, head: &Parts, status: Status, request_id: &str) -> Reply {
    let same_verb = routes(head).find(|route| route.verb == head.method.as_str());
    let route = same_verb.or_else(|| routes(head).next());
    match route.map_or(Dialect::Status, |route| route.dialect) {
        Dialect::OAuth if state.settings.federation_status_errors => Dialect::Status.reply(status, request_id),
        dialect => dialect.reply(status, request_id),
    }
}

fn find(head: &Parts, tls: bool) -> Result<&'static Route, Status> {
    let path = head.uri.path();
    let here: Vec<&Route> = routes(head).filter(|route| !(tls && route.plain_http)).collect();
    if here.is_empty() {
        return Err(Status::new(NOT_FOUND, format!("there is no {path}")));
    }
    let found = here.iter().find(|route| route.verb == head.method.as_str()).copied();
    found.ok_or_else(|| {
        let verbs: Vec<&str> = here.iter().map(|route| route.verb).collect();
        let mut status = Status::new(UNIMPLEMENTED, format!("{path} does not take {}", head.method));
        status.http = 405;
        status.headers.push((ALLOW.to_string(), verbs.join(", ")));
        status
    })
}

/// The routes of the path of a request. In the cloud the host tells a request to Object Storage; here it is the way in
/// which the request shows who asks.
fn routes(head: &Parts) -> impl Iterator<Item = &'static Route> {
    let path = head.uri.path();
    let storage = storage::is_asked(&head.headers);
    route::table().filter(move |route| (storage || !route.storage) && route::same_path(route.path, path))
}

fn authenticate(state: &State, route: &Route, arrival: &Arrival) -> Result<Identity, Status> {
    match route.access {
        Access::Token => state.authenticate(bearer(&arrival.head.headers)?, arrival.now).map(Identity::Token),
        Access::Anonymous => anonymous(&arrival.head.headers),
        Access::Own(admission) => admission(state, arrival),
    }
}

/// The token of an `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Status> {
    let header = single(headers, AUTHORIZATION.as_str())?;
    let header = header.ok_or_else(|| Status::unauthenticated("The Authorization header is missing"))?;
    match header.strip_prefix("Bearer ") {
        Some(token) if !token.is_empty() && !token.contains(' ') => Ok(token),
        _ => Err(Status::unauthenticated("The Authorization header must be `Bearer <token>`")),
    }
}

/// A caller who must not show any token.
pub(crate) fn anonymous(headers: &HeaderMap) -> Result<Identity, Status> {
    match single(headers, AUTHORIZATION.as_str())? {
        None => Ok(Identity::Anonymous),
        Some(_) => Err(Status::invalid("Authorization", "this call comes without a token")),
    }
}

fn read(route: &Route, arrival: &Arrival, identity: Identity) -> Result<Call, Status> {
    let Arrival { head, body, now, .. } = *arrival;
    let mut violations = Violations::default();
    let idempotency_key = single(&head.headers, "idempotency-key")?.map(str::to_ascii_lowercase);
    let version = idempotency_key.as_deref().map(|key| Uuid::try_parse(key).map(|uuid| uuid.get_version_num()));
    // Source: API design guide, idempotency.
    if !matches!(version, None | Some(Ok(4))) {
        violations.add("Idempotency-Key", "must be a UUID v4");
    }

    let path = read_path(route, head.uri.path(), &mut violations);
    let mut fields = read_query(head.uri.query().unwrap_or_default(), &mut violations);
    check_fields(route.query, &fields, "query parameter", &mut violations);
    match route.body {
        Body::Json(expected) => {
            check_content_type(route, &head.headers, &mut violations);
            let body = read_json(body, expected, &mut violations);
            check_fields(expected, &body, "field", &mut violations);
            fields.extend(body);
        }
        Body::Form(expected) => {
            check_content_type(route, &head.headers, &mut violations);
            let body = read_form(body, &mut violations);
            check_fields(expected, &body, "field", &mut violations);
            fields.extend(body);
        }
        Body::Nothing if !body.is_empty() || head.headers.contains_key("transfer-encoding") => {
            violations.add("body", "this call has no body");
        }
        Body::Nothing | Body::Bytes => {}
    }
    violations.check()?;

    let page = ["pageSize", "pageToken"];
    let filters: Vec<_> = fields.iter().filter(|(name, _)| !page.contains(&name.as_str())).collect();
    let listing = format!("{} {} {filters:?}", head.uri.path(), identity.subject_id());
    let (headers, body) = match route.body {
        Body::Bytes => (head.headers.clone(), body.clone()),
        _ => (HeaderMap::new(), Bytes::new()),
    };
    Ok(Call {
        now,
        idempotency_key,
        listing,
        address: arrival.address.to_owned(),
        identity,
        path,
        fields,
        headers,
        body,
    })
}

fn read_path(route: &Route, path: &str, violations: &mut Violations) -> BTreeMap<&'static str, String> {
    let mut parts = BTreeMap::new();
    for (position, (template, segment)) in route.path.split('/').zip(path.split('/')).enumerate() {
        let Some((name, verb)) = route::placeholder(template) else {
            continue;
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        if let Some(name) = name.strip_suffix('*') {
            parts.insert(name, decode(path.splitn(position + 1, '/').last().unwrap_or_default()));
            break;
        }
        let decoded = decode(segment.strip_suffix(verb).unwrap_or(segment));
        if let Err(reason) = field::id(&decoded) {
            violations.add(name, reason);
        }
        parts.insert(name, decoded);
    }
    parts
}

fn read_query(query: &str, violations: &mut Violations) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let name = decode(name);
        if parameters.contains_key(&name) {
            violations.add(&name, "is given twice");
        }
        parameters.insert(name, decode(value));
    }
    parameters
}

fn check_content_type(route: &Route, headers: &HeaderMap, violations: &mut Violations) {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (media, parameter) = value.split_once(';').unwrap_or((value, ""));
    let expected = match route.body {
        Body::Form(_) => FORM,
        Body::Json(_) | Body::Nothing | Body::Bytes => "application/json",
    };
    let right = media.trim().eq_ignore_ascii_case(expected)
        && ["", "charset=utf-8"].contains(&parameter.trim().to_ascii_lowercase().as_str());
    let mislabelled = route.mislabelled_json && value == FORM;
    if !right && !mislabelled || headers.get_all(CONTENT_TYPE).iter().count() > 1 {
        violations.add("Content-Type", format!("must be {expected}"));
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A form reads as a query does, but what cannot be decoded is refused.
fn read_form(body: &Bytes, violations: &mut Violations) -> BTreeMap<String, String> {
    let whole_escapes = |text: &str| {
        let mut escapes = text.split('%').skip(1);
        escapes.all(|rest| rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)))
    };
    match str::from_utf8(body) {
        Ok(text) if whole_escapes(text) && percent_decode_str(text).decode_utf8().is_ok() => {
            read_query(text, violations)
        }
        _ => {
            violations.add("body", "is not a form");
            BTreeMap::new()
        }
    }
}

fn read_json(body: &Bytes, expected: &[Field], violations: &mut Violations) -> BTreeMap<String, String> {
    let object = match json::parse(body) {
        Ok(Value::Object(object)) => object,
        Ok(_) => {
            violations.add("body", "must be a JSON object");
            return BTreeMap::new();
        }
        Err(error) => {
            violations.add("body", format!("is not JSON: {error}"));
            return BTreeMap::new();
        }
    };
    let mut fields = BTreeMap::new();
    for (name, value) in object {
        match value {
            Value::String(text) => {
                fields.insert(name, text);
            }
            list @ Value::Array(_) if expected.iter().any(|field| field.is_list && field.name == name) => {
                fields.insert(name, list.to_string());
            }
            other => violations.add(&name, format!("must be a string, not {other}")),
        }
    }
    fields
}

fn check_fields(expected: &[Field], given: &BTreeMap<String, String>, kind: &str, violations: &mut Violations) {
    for name in given.keys().filter(|name| expected.iter().all(|field| field.name != name.as_str())) {
        violations.add(name, format!("unknown {kind}"));
    }
    for field in expected {
        match given.get(field.name) {
            Some(text) if field.required && text.is_empty() => violations.add(field.name, "must not be empty"),
            Some(text) => {
                if let Err(reason) = (field.check)(text) {
                    violations.add(field.name, reason);
                }
            }
            None if field.required => violations.add(field.name, "is required"),
            None => {}
        }
    }
}

/// What makes two requests the same request.
fn fingerprint(call: &Call, arrival: &Arrival) -> String {
    let Arrival { head, body, .. } = arrival;
    let subject = call.identity.subject_id();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    format!("{subject} {} {target} {}", head.method, String::from_utf8_lossy(body))
}

/// The value of a header that must not be repeated.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Status> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Status::invalid(name, "is given twice"));
    }
    let text = first.map(|value| value.to_str().map_err(|_| Status::invalid(name, "must be ASCII text")));
    text.transpose()
}
