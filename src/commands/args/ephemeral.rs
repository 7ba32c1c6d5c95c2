//! What an ephemeral access key is requested with, by flags or by a request file.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::policy::PolicyArgs;
use super::request_file::{FileArg, RequestFields};
use crate::api::temporary_access_key::LIFETIMES;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::keys::issue::{KeyRequest, Subject};
use crate::keys::min_ttl::MinTtl;
use crate::keys::{policy, session_name};
use crate::text::{duration, ids};

/// What an ephemeral access key is requested with.
#[derive(Debug, Args)]
pub struct EphemeralArgs {
    /// ID of the subject of the key [default: the caller]
    #[arg(long, value_name = "ID", conflicts_with = "service_account_name", value_parser = ids::parse_id)]
    subject_id: Option<String>,
    /// The same as --subject-id, for a service account
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["subject_id", "service_account_name"],
        value_parser = ids::parse_id, hide_short_help = true)]
    service_account_id: Option<String>,
    /// Name of the service account of the key, in the current folder
    #[arg(long, value_name = "NAME")]
    service_account_name: Option<String>,
    /// Session name shown in audit logs [default: yc-rs-LOGIN-TIME]
    #[arg(long, value_name = "NAME", value_parser = session_name::check)]
    session_name: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Lifetime of the key, 15m to 12h [default: that of the IAM token it is issued with]
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    duration: Option<Duration>,
    /// Minimum remaining lifetime: a cached key with less is not used, and a new one with less is an error
    #[arg(long, value_name = "DURATION", value_parser = parse_min_ttl, hide_short_help = true)]
    min_ttl: Option<Duration>,
    /// Reuse a cached key of the same request while it is valid for 16 minutes, or --min-ttl
    #[arg(long, conflicts_with = "no_cache", hide_short_help = true)]
    cache: bool,
    /// Do not use the cache of keys, which --export process uses by default
    #[arg(long, hide_short_help = true)]
    no_cache: bool,
    #[command(flatten)]
    file: FileArg,
}

/// `CreateEphemeralAccessKeyRequest` as a file.
///
/// Source: `yandex/cloud/iam/v1/awscompatibility/temporary_access_key_service.proto`.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EphemeralFields {
    #[serde(alias = "subjectId")]
    subject_id: Option<String>,
    #[serde(alias = "sessionName")]
    session_name: Option<String>,
    policy: Option<String>,
    duration: Option<String>,
}

impl RequestFields for EphemeralFields {
    fn example() -> Self {
        let empty = || Some(String::new());
        Self { subject_id: empty(), session_name: empty(), policy: empty(), duration: Some("3600s".to_owned()) }
    }
}

impl EphemeralArgs {
    /// The request that flags and request file make; `for_process` when the key is for `credential_process`.
    ///
    /// # Errors
    /// One of them is malformed.
    pub async fn request(self, for_process: bool, context: &Context<'_>) -> Result<KeyRequest> {
        let file = self.file.read::<EphemeralFields>(context).await?;
        let by_flag = self.subject_id.or(self.service_account_id);
        let subject_id = file.or("subject_id", by_flag, |file| &file.subject_id, ids::parse_id)?;
        let duration = file.or("duration", self.duration, |file| &file.duration, lifetime)?;
        if self.cache {
            MinTtl::check_reuse(self.min_ttl, duration)?;
        }
        let policy = self.policy.read(context).await?;
        Ok(KeyRequest {
            subject: match self.service_account_name {
                Some(name) => Some(Subject::ServiceAccountName(name)),
                None => subject_id.map(Subject::Id),
            },
            session_name: file.or("session_name", self.session_name, |file| &file.session_name, session_name::check)?,
            policy: file.or("policy", policy, |file| &file.policy, policy::compact)?,
            duration,
            min_ttl: MinTtl::resolve(self.min_ttl, for_process, duration)?,
            use_cache: self.cache || (for_process && !self.no_cache),
        })
    }

    /// The request for a key that is renewed in the background, and the lifetime that it has left at all times.
    ///
    /// # Errors
    /// One of flags and request file is malformed, or has no effect on such a key.
    pub async fn renewed_request(self, context: &Context<'_>) -> Result<(KeyRequest, MinTtl)> {
        for (flag, is_given) in [("--cache", self.cache), ("--no-cache", self.no_cache)] {
            if is_given {
                return Err(Error::usage(format!(
                    "{flag} has no effect on a key that is renewed, which is never cached"
                )));
            }
        }
        let flag = self.min_ttl;
        let request = self.request(false, context).await?;
        let min_ttl = MinTtl::for_renewal(flag, request.duration)?;
        Ok((request, min_ttl))
    }
}

/// Reads the lifetime of a key.
///
/// # Errors
/// The text is not a duration, or the duration is outside 15 minutes to 12 hours.
pub fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = duration::parse(text)?;
    if LIFETIMES.contains(&duration) {
        Ok(duration)
    } else {
        Err("the lifetime of a key is between 15m and 12h".to_owned())
    }
}

/// Reads a minimum remaining lifetime.
fn parse_min_ttl(text: &str) -> Result<Duration, String> {
    let min_ttl = duration::parse(text)?;
    if min_ttl <= *LIFETIMES.end() { Ok(min_ttl) } else { Err("the lifetime of a key is at most 12h".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_between_15_minutes_and_12_hours() {
        for text in ["15m", "900s", "1h30m", "1.5h", "12h", "43200s"] {
            assert!(lifetime(text).is_ok(), "{text}");
        }
        for text in ["14m59s", "899.999s", "12h1s", "1month", "0s", "1h30", ""] {
            assert!(lifetime(text).is_err(), "{text}");
        }
    }
}
