//! Object Storage: the list of buckets, which tells whether the storage knows a key.
//! Source: Object Storage docs, S3 API reference, `listBuckets` and response codes.

use std::sync::atomic::Ordering;

use crate::Emulator;
use crate::call::{Arrival, Call, Identity, single};
use crate::dialect::Dialect;
use crate::reply::Reply;
use crate::route::Route;
use crate::sigv4::Signed;
use crate::state::State;
use crate::status::{INVALID_ARGUMENT, PERMISSION_DENIED, Status};
use crate::xml::{self, element, text};

/// Region and service that a request must be signed for.
const SCOPE: (&str, &str) = ("ru-central1", "s3");

pub(crate) const ROUTES: &[Route] = &[Route::get("/", list_buckets).admission(signature).dialect(Dialect::Aws)];

/// Object Storage.
impl Emulator {
    /// Lets the storage learn of keys late: this many requests find their key unknown.
    pub fn set_storage_lag(&self, requests: usize) {
        self.shared.state().storage_lag.store(requests, Ordering::SeqCst);
    }
}

/// A signature, or an IAM token. Source of the header: yandex-cloud/terraform-provider-yandex, `pkg/storage/s3/client.go`.
fn signature(state: &State, arrival: &Arrival) -> Result<Identity, Status> {
    let headers = &arrival.head.headers;
    if let Some(token) = single(headers, "x-yacloud-subjecttoken")? {
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
    let key = state.access_keys.iter().find(|key| key.key_id == signed.key_id && !lags).ok_or_else(|| {
        let text = "The AWS access key Id you provided does not exist in our records.";
        Status::new(PERMISSION_DENIED, text).named("InvalidAccessKeyId")
    })?;
    signed.verify(&key.secret, SCOPE, arrival.head, arrival.body, arrival.now)?;
    Ok(Identity::Key(key.clone()))
}

fn list_buckets(state: &mut State, call: &Call) -> Result<Reply, Status> {
    let owner = call.subject_id();
    if !state.may_do_everything(owner) {
        return Err(Status::new(PERMISSION_DENIED, "Access Denied").named("AccessDenied"));
    }
    let owner = element("Owner", &[text("ID", owner), text("DisplayName", owner)]);
    Ok(xml::reply("ListAllMyBucketsResult", &[owner, element("Buckets", &[])]))
}
