//! The minimum remaining lifetime of a key: `--min-ttl`, and what `credential_process` needs.

use std::time::Duration;

use crate::api::temporary_access_key::EphemeralKey;
use crate::error::{Error, Result};
use crate::text::duration::{self, CLOCK_TOLERANCE};

/// AWS SDKs request new credentials 15 minutes before the old ones expire: those with less left would be requested
/// again at each use.
///
/// Source: AWS SDKs and Tools Reference Guide, "Process credential provider"; botocore, `credentials.py`.
pub const FOR_PROCESS: Duration = Duration::from_secs(16 * 60);

/// The minimum remaining lifetime of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinTtl {
    /// The minimum.
    pub duration: Duration,
    reason: Reason,
}

/// What requires the minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Flag,
    ExportProcess,
    Renewal,
}

impl MinTtl {
    /// The minimum of the flag `--min-ttl`, or what `--export process` needs (`for_process`); `None` when any key is
    /// good enough.
    ///
    /// # Errors
    /// The requested lifetime is shorter, or `--min-ttl` is too short for `credential_process`.
    pub fn resolve(flag: Option<Duration>, for_process: bool, requested: Option<Duration>) -> Result<Option<Self>> {
        let min_ttl = match flag {
            Some(duration) if for_process && duration < FOR_PROCESS => return Err(too_short("--min-ttl", duration)),
            Some(duration) => Self { duration, reason: Reason::Flag },
            None if for_process => Self { duration: FOR_PROCESS, reason: Reason::ExportProcess },
            None => return Ok(None),
        };
        match (min_ttl.reason, requested) {
            (Reason::Flag, Some(requested)) if requested < min_ttl.duration => Err(Error::usage(format!(
                "a key with a lifetime of {} cannot have the {} of --min-ttl left",
                duration::human(requested),
                duration::human(min_ttl.duration)
            ))),
            (Reason::ExportProcess, Some(requested)) if requested < min_ttl.duration => {
                Err(too_short("the duration", requested))
            }
            _ => Ok(Some(min_ttl)),
        }
    }

    /// The minimum of the flag `--min-ttl` for a key that is renewed in the background, or what AWS SDKs need.
    ///
    /// # Errors
    /// The requested lifetime is shorter.
    pub fn for_renewal(flag: Option<Duration>, requested: Option<Duration>) -> Result<Self> {
        if let Some(min_ttl) = Self::resolve(flag, false, requested)? {
            return Ok(min_ttl);
        }
        match requested {
            Some(requested) if requested < FOR_PROCESS => Err(Error::usage(format!(
                "the duration is {}, which is too short for a key that is renewed: AWS SDKs request new credentials 15 \
                 minutes before the old ones expire, so one with less than {} left is not given to them",
                duration::human(requested),
                duration::human(FOR_PROCESS)
            ))
            .hint("give at least 16m, or a shorter --min-ttl")),
            _ => Ok(Self { duration: FOR_PROCESS, reason: Reason::Renewal }),
        }
    }

    /// Checks that a cached key can be used again: after `requested` one more use must find the minimum left.
    ///
    /// # Errors
    /// The requested lifetime is not longer than the minimum.
    pub fn check_reuse(min_ttl: Option<Duration>, requested: Option<Duration>) -> Result<()> {
        let minimum = min_ttl.unwrap_or(FOR_PROCESS);
        match requested {
            Some(requested) if requested <= minimum => Err(Error::usage(format!(
                "--cache has no effect with a lifetime of {}: a cached key is used only while it is valid for {}",
                duration::human(requested),
                duration::human(minimum)
            ))
            .hint("request a longer lifetime, or give another --min-ttl")),
            _ => Ok(()),
        }
    }

    /// Checks a new key.
    ///
    /// # Errors
    /// Its lifetime is shorter.
    pub fn check(&self, key: &EphemeralKey) -> Result<()> {
        let granted = key.lifetime.granted;
        if granted + CLOCK_TOLERANCE >= self.duration {
            return Ok(());
        }
        let granted = duration::human(Duration::from_secs(granted.as_secs()));
        let minimum = duration::human(self.duration);
        Err(Error::internal(match self.reason {
            Reason::Flag => format!(
                "the server granted a lifetime of {granted}, which is less than the {minimum} of --min-ttl; the key is \
                 not shown"
            ),
            Reason::ExportProcess => format!(
                "the server granted a lifetime of {granted}, which is less than the {minimum} that --export process \
                 needs; the key is not shown"
            ),
            Reason::Renewal => format!(
                "the server granted a lifetime of {granted}, which is less than the {minimum} that AWS SDKs need; the key \
                 is not used"
            ),
        })
        .hint(
            "a key does not outlive the IAM token it is issued with; authenticate again",
        ))
    }
}

fn too_short(what: &str, given: Duration) -> Error {
    Error::usage(format!(
        "{what} is {}, which is too short for --export process: AWS SDKs request new credentials 15 minutes before the \
         old ones expire, again and again",
        duration::human(given)
    ))
    .hint("give at least 16m")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::lifetime::Lifetime;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_process_needs_16_minutes_and_min_ttl_may_require_more() {
        let resolve = |ttl: Option<u32>, process, requested: Option<u32>| {
            let resolved = MinTtl::resolve(ttl.map(|m| m * MINUTE), process, requested.map(|m| m * MINUTE));
            resolved.map(|resolved| resolved.map(|min_ttl| (min_ttl.duration.as_secs() / 60, min_ttl.reason)))
        };
        assert_eq!(resolve(None, false, Some(15)).unwrap(), None);
        assert_eq!(resolve(None, true, None).unwrap(), Some((16, Reason::ExportProcess)));
        assert_eq!(resolve(None, true, Some(16)).unwrap(), Some((16, Reason::ExportProcess)));
        assert_eq!(resolve(Some(30), true, Some(60)).unwrap(), Some((30, Reason::Flag)));
        assert_eq!(resolve(Some(5), false, Some(15)).unwrap(), Some((5, Reason::Flag)));
        for (ttl, process, requested) in [(None, true, Some(15)), (Some(15), true, None), (Some(20), false, Some(15))] {
            assert_eq!(resolve(ttl, process, requested).unwrap_err().exit_code(), 2);
        }
    }

    #[test]
    fn a_key_that_is_renewed_has_16_minutes_left_unless_min_ttl_says_otherwise() {
        let resolve = |ttl: Option<u32>, requested: Option<u32>| {
            MinTtl::for_renewal(ttl.map(|m| m * MINUTE), requested.map(|m| m * MINUTE)).map(|min_ttl| min_ttl.duration)
        };
        assert_eq!(resolve(None, None).unwrap(), 16 * MINUTE);
        assert_eq!(resolve(None, Some(16)).unwrap(), 16 * MINUTE);
        assert_eq!(resolve(Some(1), Some(15)).unwrap(), MINUTE);
        assert_eq!(resolve(Some(30), Some(30)).unwrap(), 30 * MINUTE);
        for (ttl, requested) in [(None, Some(15)), (Some(20), Some(19))] {
            assert_eq!(resolve(ttl, requested).unwrap_err().exit_code(), 2);
        }
    }

    #[test]
    fn a_key_that_expires_too_early_is_refused() {
        let min_ttl = MinTtl { duration: 16 * MINUTE, reason: Reason::ExportProcess };
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
        let check = |expires_at: &str| {
            let key = json!({"accessKeyId": "a", "secret": "s", "sessionToken": "t", "expiresAt": expires_at});
            min_ttl.check(&EphemeralKey::parse(key, |time| Lifetime::until(time, Some(now), now)).unwrap())
        };
        assert!(check("2026-01-01T00:15:00Z").is_ok());
        assert!(check("2026-01-01T03:16:00+03:00").is_ok());
        let error = check("2026-01-01T00:14:59Z").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server granted a lifetime of 14m 59s, which is less than the 16m that --export process needs; the key \
             is not shown"
        );
        assert_eq!(error.exit_code(), 1);
        assert!(check("2025-01-01T00:00:00Z").is_err());
    }
}
