//! Object Storage: buckets and objects, for keys of all kinds and for IAM tokens.
//! Source: Object Storage docs, S3 API reference, the methods of buckets and objects and the response codes.
//!
//! The policies of keys, checksums and uploads in parts are not looked at: whoever may write may do everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};
use ring::digest::{SHA256, digest};

use crate::Emulator;
use crate::call::{Arrival, Call, Identity, single};
use crate::clock;
use crate::dialect::Dialect;
use crate::field::Field;
use crate::reply::Reply;
use crate::route::Route;
use crate::sigv4::{self, Signed};
use crate::state::State;
use crate::status::{ALREADY_EXISTS, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, Status};
use crate::xml::{self, element, text};

/// Region and service that a request must be signed for.
const SCOPE: (&str, &str) = ("ru-central1", "s3");

/// The name of the method, which SDKs add.
const METHOD: Field = Field::optional("x-id", |_| Ok(()));

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/", list_buckets).query(&[METHOD]),
    route("PUT", "/{bucket}", create_bucket).query(&[METHOD]).storage().bytes(),
    route("GET", "/{bucket}", list_objects).storage().query(&[
        METHOD,
        Field::optional("list-type", |text| if text == "2" { Ok(()) } else { Err("must be 2".to_owned()) }),
        Field::optional("prefix", |_| Ok(())),
        Field::optional("delimiter", |text| if text == "/" { Ok(()) } else { Err("must be /".to_owned()) }),
        Field::optional("encoding-type", |_| Ok(())),
        Field::optional("max-keys", |_| Ok(())),
    ]),
    route("PUT", "/{bucket}/{object*}", put_object).query(&[METHOD]).storage().bytes(),
    route("GET", "/{bucket}/{object*}", get_object).query(&[METHOD]).storage(),
    route("HEAD", "/{bucket}/{object*}", get_object).query(&[METHOD]).storage(),
    route("DELETE", "/{bucket}/{object*}", delete_object).query(&[METHOD]).storage(),
];

const fn route(verb: &'static str, path: &'static str, handler: crate::route::Handler) -> Route {
    Route::new(verb, path, handler).admission(signature).dialect(Dialect::S3)
}

/// What is stored, and who may see it.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    buckets: BTreeMap<String, Bucket>,
    /// Who has the role `storage.editor`.
    editors: BTreeSet<String>,
}

#[derive(Debug)]
struct Bucket {
    owner: String,
    created_at: DateTime<Utc>,
    objects: BTreeMap<String, Object>,
}

#[derive(Debug)]
struct Object {
    content: Bytes,
    content_type: String,
    modified_at: DateTime<Utc>,
}

impl Object {
    /// An entity tag. It need not be the MD5 of the content.
    fn etag(&self) -> String {
        let digest = digest(&SHA256, &self.content);
        format!("\"{}\"", sigv4::hex(&digest.as_ref()[..16]))
    }
}

/// Object Storage.
impl Emulator {
    /// Lets the storage learn of keys late: this many requests find their key unknown.
    pub fn set_storage_lag(&self, requests: usize) {
        self.shared.state().storage_lag.store(requests, Ordering::SeqCst);
    }

    /// Gives a subject the role `storage.editor` on the folder: all buckets and objects.
    pub fn grant_storage(&self, subject_id: &str) {
        self.shared.state().storage.editors.insert(subject_id.to_owned());
    }

    /// The content of an object.
    pub fn object(&self, bucket: &str, name: &str) -> Option<Vec<u8>> {
        let state = self.shared.state();
        Some(state.storage.buckets.get(bucket)?.objects.get(name)?.content.to_vec())
    }
}

/// Whether a request shows who asks as requests to the storage do.
pub(crate) fn is_asked(headers: &HeaderMap) -> bool {
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok());
    headers.contains_key(TOKEN) || signed.is_some_and(|text| text.contains("/s3/aws4_request"))
}

/// The header with an IAM token. Source: yandex-cloud/terraform-provider-yandex, `pkg/storage/s3/client.go`.
const TOKEN: &str = "x-yacloud-subjecttoken";

/// A signature, or an IAM token.
fn signature(state: &State, arrival: &Arrival) -> Result<Identity, Status> {
    let headers = &arrival.head.headers;
    if let Some(token) = single(headers, TOKEN)? {
        let caller = state.authenticate(token, arrival.now);
        return caller
            .map(Identity::Token)
            .map_err(|_| Status::new(PERMISSION_DENIED, "The provided token is not valid.").named("InvalidToken"));
    }
    let signed = Signed::read(headers)?;
    if single(headers, "x-amz-content-sha256")?.is_none() {
        let text = "Missing required header for this request: x-amz-content-sha256";
        return Err(Status::new(INVALID_ARGUMENT, text).named("InvalidRequest"));
    }
    let lags = state.storage_lag.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    let unknown = || {
        let text = "The AWS access key Id you provided does not exist in our records.";
        Status::new(PERMISSION_DENIED, text).named("InvalidAccessKeyId")
    };
    let (secret, identity) = match single(headers, "x-amz-security-token")? {
        None => {
            let key = state.access_keys.iter().find(|key| key.key_id == signed.key_id && !lags).ok_or_else(unknown)?;
            (&key.secret, Identity::Key(key.clone()))
        }
        Some(token) => temporary_key(state, signed.key_id, token, arrival.now)?,
    };
    signed.verify(secret, SCOPE, arrival.head, arrival.body, arrival.now)?;
    Ok(identity)
}

/// An ephemeral key or one of STS: its secret, and whose it is.
fn temporary_key<'a>(
    state: &'a State,
    key_id: &str,
    token: &str,
    now: DateTime<Utc>,
) -> Result<(&'a String, Identity), Status> {
    let ephemeral = state
        .ephemeral_keys
        .iter()
        .map(|key| (&key.access_key_id, &key.session_token, &key.secret, key.expires_at, &key.subject_id));
    let sts = state
        .sts_keys
        .iter()
        .map(|key| (&key.access_key_id, &key.session_token, &key.secret, key.expires_at, &key.service_account_id));
    match ephemeral.chain(sts).find(|(id, known, ..)| *id == key_id && *known == token) {
        Some((_, _, secret, expires_at, subject_id)) if expires_at > now => {
            Ok((secret, Identity::TemporaryKey(subject_id.clone())))
        }
        Some(_) => Err(Status::new(INVALID_ARGUMENT, "The provided token has expired.").named("ExpiredToken")),
        None => {
            let text = "The provided token is malformed or otherwise not valid.";
            Err(Status::new(INVALID_ARGUMENT, text).named("InvalidToken"))
        }
    }
}

/// Refuses a subject without a role in the storage.
fn authorize(state: &State, call: &Call) -> Result<(), Status> {
    let subject = call.subject_id();
    if state.may_do_everything(subject) || state.storage.editors.contains(subject) {
        return Ok(());
    }
    Err(Status::new(PERMISSION_DENIED, "Access Denied").named("AccessDenied"))
}

fn list_buckets(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    let owner = call.subject_id();
    let owner = element("Owner", &[text("ID", owner), text("DisplayName", owner)]);
    let buckets = state.storage.buckets.iter().map(|(name, bucket)| {
        element("Bucket", &[text("Name", name), text("CreationDate", &clock::exact(bucket.created_at))])
    });
    let buckets = element("Buckets", &buckets.collect::<Vec<_>>());
    Ok(xml::reply("ListAllMyBucketsResult", xml::S3, &[owner, buckets]))
}

fn create_bucket(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    let name = call.path("bucket");
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if !(3..=63).contains(&name.len()) || !name.chars().all(valid) {
        return Err(Status::new(INVALID_ARGUMENT, "The specified bucket is not valid.").named("InvalidBucketName"));
    }
    if let Some(bucket) = state.storage.buckets.get(name) {
        let code = if bucket.owner == call.subject_id() { "BucketAlreadyOwnedByYou" } else { "BucketAlreadyExists" };
        return Err(Status::new(ALREADY_EXISTS, "The requested bucket name is not available.").named(code));
    }
    let bucket = Bucket { owner: call.subject_id().to_owned(), created_at: call.now, objects: BTreeMap::new() };
    state.storage.buckets.insert(name.to_owned(), bucket);
    let mut reply = empty(StatusCode::OK);
    reply.headers.push(("location".to_owned(), format!("/{name}")));
    Ok(reply)
}

fn list_objects(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    let (prefix, delimiter) = (call.field("prefix"), call.field("delimiter"));
    let mut prefixes = BTreeSet::new();
    let mut contents = Vec::new();
    for (name, object) in &bucket(state, call)?.objects {
        let Some(rest) = name.strip_prefix(prefix) else { continue };
        match rest.split_once('/') {
            Some((directory, _)) if !delimiter.is_empty() => _ = prefixes.insert(format!("{prefix}{directory}/")),
            _ => contents.push(element(
                "Contents",
                &[
                    text("Key", name),
                    text("LastModified", &clock::exact(object.modified_at)),
                    text("ETag", &object.etag()),
                    text("Size", &object.content.len().to_string()),
                    text("StorageClass", "STANDARD"),
                ],
            )),
        }
    }
    let count = (contents.len() + prefixes.len()).to_string();
    let mut result = vec![text("Name", call.path("bucket")), text("Prefix", prefix), text("KeyCount", &count)];
    result.push(text("IsTruncated", "false"));
    result.extend(contents);
    result.extend(prefixes.iter().map(|prefix| element("CommonPrefixes", &[text("Prefix", prefix)])));
    Ok(xml::reply("ListBucketResult", xml::S3, &result))
}

fn put_object(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    let content = if call.header("x-amz-content-sha256") == sigv4::CHUNKED {
        join_chunks(&call.body).ok_or_else(|| Status::new(INVALID_ARGUMENT, "The chunks cannot be read"))?
    } else {
        call.body.clone()
    };
    let content_type = call.header("content-type").to_owned();
    let object = Object { content, content_type, modified_at: call.now };
    let mut reply = empty(StatusCode::OK);
    reply.headers.push(("etag".to_owned(), object.etag()));
    bucket(state, call)?.objects.insert(call.path("object").to_owned(), object);
    Ok(reply)
}

fn get_object(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    let object = bucket(state, call)?
        .objects
        .get(call.path("object"))
        .ok_or_else(|| Status::new(NOT_FOUND, "The specified key does not exist.").named("NoSuchKey"))?;
    let mut reply = Reply::new(StatusCode::OK, "binary/octet-stream", object.content.clone());
    reply.headers.push(("etag".to_owned(), object.etag()));
    reply.headers.push(("last-modified".to_owned(), clock::http_date(object.modified_at)));
    if !object.content_type.is_empty() {
        reply.headers.push(("content-type".to_owned(), object.content_type.clone()));
    }
    Ok(reply)
}

fn delete_object(state: &mut State, call: &Call) -> Result<Reply, Status> {
    authorize(state, call)?;
    bucket(state, call)?.objects.remove(call.path("object"));
    Ok(empty(StatusCode::NO_CONTENT))
}

fn bucket<'a>(state: &'a mut State, call: &Call) -> Result<&'a mut Bucket, Status> {
    state
        .storage
        .buckets
        .get_mut(call.path("bucket"))
        .ok_or_else(|| Status::new(NOT_FOUND, "The specified bucket does not exist.").named("NoSuchBucket"))
}

fn empty(status: StatusCode) -> Reply {
    Reply::new(status, "application/xml", "")
}

/// The content of a body in chunks: each has its length in hexadecimal on a line before it, and the last has none.
fn join_chunks(body: &[u8]) -> Option<Bytes> {
    let mut content = Vec::new();
    let mut rest = body;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let length = str::from_utf8(&rest[..end]).ok()?.split(';').next()?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(content.into());
        }
        let chunk = rest[end + 2..].get(..length)?;
        content.extend_from_slice(chunk);
        rest = rest[end + 2 + length..].strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_what_follows_them_is_left_out() {
        let body = b"3\r\nabc\r\n2;x=y\r\n\r\n\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        assert_eq!(join_chunks(body).unwrap(), "abc\r\n");
        assert_eq!(join_chunks(b"0\r\n\r\n").unwrap(), "");
        for cut in [&b""[..], b"3\r\nab", b"3\r\nabc", b"3\r\nabcd\r\n0\r\n", b"x\r\n"] {
            assert_eq!(join_chunks(cut), None, "{cut:?}");
        }
    }
}
