//! The checks that send requests: who the credential belongs to, which endpoints respond, and what the identity may do.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use futures_util::future::{join, join_all, join3};
use tokio::time::timeout;

use super::{CHECK_LIMIT, Row, Status, machine};
use crate::api::storage::{Verdict, try_token};
use crate::api::{access_key, cloud, folder, service_account};
use crate::auth::browser::PROFILE_KEY;
use crate::auth::credential::Source;
use crate::auth::sign_in::{Inputs, SignIn};
use crate::auth::token_cache::RequiredLifetime;
use crate::config::origin::Origin;
use crate::config::settings::Folder;
use crate::context::Context;
use crate::endpoints::{ALL_SERVICES, Service};
use crate::error::{Error, Kind, Result};
use crate::http::{Method, Request, ServerClock};
use crate::log::Log;
use crate::secret::Masks;
use crate::status::Code;
use crate::text::duration;

/// The rows from `credentials` to `storage`.
pub(super) async fn rows(offline: bool, context: &Context<'_>) -> Vec<Row> {
    let inputs = Inputs { token: context.flags.token.as_ref(), env: context.env, profile: &context.settings.profile };
    let quiet = Log { masks: Masks::default(), ..Log::default() };
    let sign_in = SignIn::resolve(inputs, None, &quiet).err();
    let mut rows = machine::credentials(inputs, sign_in.as_ref(), context);
    if offline {
        rows.push(offline_identity(sign_in.is_some(), context));
        rows.extend(NEED_THE_NETWORK.map(|check| Row::skipped(check, "not checked with --offline")));
        return rows;
    }
    let (identity, probes) = join(identity(sign_in.is_some(), context), probes(context)).await;
    let clock = probes.iter().find_map(|probe| probe.clock);
    let subject = identity.as_ref().ok().map(|(_, subject)| subject.clone());
    rows.push(match identity {
        Ok((row, _)) | Err(row) => row,
    });
    rows.push(clock_row(clock));
    rows.extend(probes.into_iter().map(|probe| probe.row));
    match subject {
        Some(subject) => {
            let (place, access, storage) =
                join3(place(context), access(subject.as_deref(), context), storage(context)).await;
            rows.extend([place, access, storage]);
        }
        None => rows.extend(["context", "access", "storage"].map(|check| Row::skipped(check, "needs the identity"))),
    }
    rows
}

/// The checks that are left out with `--offline`.
const NEED_THE_NETWORK: [&str; 5] = ["clock", "endpoints", "context", "access", "storage"];

/// The result of work, or the error of one that takes too long.
async fn limited<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    within(CHECK_LIMIT, work).await
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(Error::new(Kind::Timeout, format!("no result within {}", duration::human(limit))));
    timeout(limit, work).await.unwrap_or_else(late)
}

fn offline_identity(is_unusable: bool, context: &Context<'_>) -> Row {
    const CHECK: &str = "identity";
    if is_unusable {
        return Row::skipped(CHECK, "needs the credential");
    }
    match context.client().map(|client| client.tokens().sign_in.acting_subject()) {
        Ok(subject) => Row::ok(CHECK, format!("{subject}; no token is requested with --offline")),
        Err(error) => Row::failed(CHECK, &error, "yc-rs init sets a profile up"),
    }
}

/// The subject of the credential, and until when its token is valid. With the row comes the ID of the subject, where it is
/// known.
async fn identity(is_unusable: bool, context: &Context<'_>) -> Result<(Row, Option<String>), Row> {
    const CHECK: &str = "identity";
    if is_unusable {
        return Err(Row::skipped(CHECK, "needs the credential"));
    }
    let failed = |error: &Error| Row::failed(CHECK, error, "set up a credential: yc-rs init");
    let client = context.client().map_err(|error| failed(&error))?;
    // A token command may take 5 s. A session whose new refresh token is given up is lost, so that it gets all the time
    // that there is.
    let is_session =
        matches!(&client.tokens().sign_in.source, Source::Configured(Origin::Profile { key: PROFILE_KEY, .. }));
    let limit = if is_session { 2 * CHECK_LIMIT } else { CHECK_LIMIT + Duration::from_secs(1) };
    let until = Instant::now() + limit + Duration::from_secs(1);
    // On the heap, since several futures would hold it.
    let token = Box::pin(client.tokens().token(RequiredLifetime::ForCalls));
    let token = within(limit, token).await.map_err(|error| failed(&error))?;
    let expiry = match &token.expires_at {
        Some(time) => format!("the token is valid until {time}"),
        None => "the token does not say when it expires".to_owned(),
    };
    let left = until.saturating_duration_since(Instant::now());
    match within(left, Box::pin(client.tokens().subject_id())).await {
        Ok(subject) => Ok((Row::ok(CHECK, format!("{subject}; {expiry}")), Some(subject))),
        Err(error) if matches!(error.kind(), Kind::Unknown | Kind::Timeout) => {
            let detail =
                format!("{}; {expiry}; its subject is not known: {error}", client.tokens().sign_in.acting_subject());
            let hint = error.hint_text().unwrap_or("check the network, and YC_ENDPOINT_URL_AUTH");
            Ok((Row::warning(CHECK, detail, hint), None))
        }
        Err(error) => Err(failed(&error)),
    }
}

/// An endpoint that was asked.
struct Probe {
    row: Row,
    clock: Option<ServerClock>,
}

async fn probes(context: &Context<'_>) -> Vec<Probe> {
    let endpoints = match context.endpoints() {
        Ok(endpoints) => endpoints,
        Err(error) => {
            let row = Row::failed("endpoints", &error, "see the endpoints of the profile: yc-rs config list");
            return vec![Probe { row, clock: None }];
        }
    };
    let probe = async |service: Service| {
        let http = context.http();
        let base = match limited(Box::pin(endpoints.base(service, &http))).await {
            Ok(base) => base,
            // Another installation need not have every service.
            Err(error) if error.exit_code() == 2 && service != Service::Iam => {
                return Probe { row: Row::skipped("endpoints", error.to_string()), clock: None };
            }
            Err(error) => return Probe { row: unreachable(service, &error), clock: None },
        };
        let url = format!("{base}/");
        let started = Instant::now();
        let sent = limited(Box::pin(http.send(Request::new(Method::GET, &url)))).await;
        let elapsed = started.elapsed().as_millis();
        let response = match sent {
            Ok(response) => response,
            Err(error) => return Probe { row: unreachable(service, &error.context(&base)), clock: None },
        };
        let way = match response.proxy() {
            Some(proxy) => format!(" through the proxy {proxy}"),
            None => String::new(),
        };
        let tls = if base.starts_with("https://") { "TLS" } else { "plain HTTP" };
        let row = Row::ok("endpoints", format!("{}: {base} responds in {elapsed} ms, {tls}{way}", service.name()));
        Probe { row, clock: Some(response.clock) }
    };
    join_all(ALL_SERVICES.map(probe)).await
}

fn unreachable(service: Service, error: &Error) -> Row {
    let next = format!("check the network, the proxy, and {}", service.variable());
    let error = error.clone().context(service.name());
    Row::failed("endpoints", &error, &next)
}

/// How far the local clock is from that of the server.
fn clock_row(clock: Option<ServerClock>) -> Row {
    const CHECK: &str = "clock";
    const TOO_FAR: TimeDelta = TimeDelta::minutes(5);
    let Some(clock) = clock else { return Row::skipped(CHECK, "needs an endpoint that responds") };
    let hint = "set the clock, e.g. with: timedatectl set-ntp true";
    match (clock.difference(), clock.ahead()) {
        (_, None) => Row::skipped(CHECK, "the server does not send its time"),
        (None, _) => Row::ok(CHECK, format!("{}, as the server's", Utc::now().format("%Y-%m-%d %H:%M:%S UTC"))),
        (Some(difference), Some(ahead)) => {
            let status = if ahead.abs() >= TOO_FAR { Status::Failed } else { Status::Warning };
            Row { hint: Some(hint.to_owned()), ..Row::new(CHECK, status, difference.to_string()) }
        }
    }
}

/// Whether cloud and folder can be read.
async fn place(context: &Context<'_>) -> Row {
    const CHECK: &str = "context";
    let settings = &context.settings;
    let client = match context.client() {
        Ok(client) => client,
        Err(error) => return Row::failed(CHECK, &error, "set up a credential: yc-rs init"),
    };
    let read = async {
        if let Some(folder) = &settings.folder {
            let id = match &folder.value {
                Folder::Id(id) => id.clone(),
                Folder::Name(_) => context.folder_id().await?,
            };
            let value = folder::get(client, &id).await.map_err(|error| context.about_folder(error))?;
            let [name, cloud] = ["name", "cloudId"].map(|field| value[field].as_str().unwrap_or_default().to_owned());
            let differs = settings.cloud_id.as_ref().filter(|set| set.value != cloud);
            let note = differs.map(|set| format!(", not in {}, which comes from {}", set.value, set.origin));
            return Ok((format!("folder {id} ({name}) in cloud {cloud}"), note));
        }
        let Some(set) = &settings.cloud_id else { return Ok((String::new(), None)) };
        let found = cloud::get(client, &set.value).await?;
        Ok((format!("cloud {} ({}), no folder", set.value, found["name"].as_str().unwrap_or_default()), None))
    };
    match limited(Box::pin(read)).await {
        Ok((place, _)) if place.is_empty() => Row {
            hint: Some("to look names up, set one: yc-rs config set folder-id ID".to_owned()),
            ..Row::skipped(CHECK, "no folder and no cloud is set")
        },
        Ok((place, None)) => Row::ok(CHECK, place),
        Ok((place, Some(note))) => Row::warning(
            CHECK,
            format!("{place}{note}"),
            "make cloud-id and folder-id agree: yc-rs config set cloud-id ID",
        ),
        // Only names need it.
        Err(error) if error.code() == Some(Code::PermissionDenied) => {
            Row { status: Status::Warning, ..Row::failed(CHECK, &error, "names cannot be looked up; use IDs") }
        }
        Err(error) => Row::failed(CHECK, &error, "find the ID: yc-rs resource-manager folder list"),
    }
}

/// Whether the keys of the account can be listed.
async fn access(subject: Option<&str>, context: &Context<'_>) -> Row {
    const CHECK: &str = "access";
    let (Some(subject), Ok(client)) = (subject, context.client()) else {
        return Row::skipped(CHECK, "the subject is not known");
    };
    let check = async {
        match service_account::get(client, subject).await {
            // An account may not be allowed to read itself.
            Ok(_) => {}
            Err(error) if error.code() == Some(Code::PermissionDenied) => {}
            Err(error) if matches!(error.code(), Some(Code::NotFound | Code::InvalidArgument)) => return Ok(false),
            Err(error) => return Err(error),
        }
        access_key::list(client, Some(subject), "1", "").await.map(|_| true)
    };
    match limited(Box::pin(check)).await {
        Ok(true) => Row::ok(CHECK, format!("may list the access keys of {subject}")),
        Ok(false) => Row::skipped(CHECK, format!("{subject} is not a service account, and has no access keys")),
        Err(error) => {
            let is_late = matches!(error.kind(), Kind::Timeout);
            let next = if is_late { "check the network" } else { "see docs/roles.md" };
            Row::failed(CHECK, &error.context(format!("cannot list the access keys of {subject}")), next)
        }
    }
}

/// Whether the storage takes the token.
async fn storage(context: &Context<'_>) -> Row {
    const CHECK: &str = "storage";
    let check = async {
        let (client, http) = (context.client()?, context.http());
        let token = client.tokens().token(RequiredLifetime::ForCalls).await?;
        let base = context.endpoints()?.base(Service::Storage, &http).await?;
        try_token(&http, &base, &token.value).await.map(|verdict| (verdict, base))
    };
    let next = "check YC_ENDPOINT_URL_STORAGE, and storage-endpoint in the profile";
    match limited(Box::pin(check)).await {
        Ok((Verdict::Known, base)) => Row::ok(CHECK, format!("{base} lists the buckets")),
        Ok((Verdict::Denied, base)) => Row::warning(
            CHECK,
            format!("{base} knows the identity, and does not let it list the buckets"),
            "for access to buckets, grant a role such as storage.editor",
        ),
        Ok((Verdict::WrongClock(_), base)) => Row {
            hint: Some("set the clock".to_owned()),
            ..Row::new(CHECK, Status::Failed, format!("{base} refuses the time"))
        },
        Ok((Verdict::NotYet(error) | Verdict::Refused(error), _)) | Err(error) => Row::failed(CHECK, &error, next),
    }
}
