//! How long a key must still live to be handed over: `--min-ttl`, and what `credential_process` needs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::credentials::forms::ExportFormat;
use crate::error::{Error, Result};
use crate::text::duration;

/// AWS SDKs ask for new credentials 15 minutes before the old ones end: those with less left would be asked for again
/// at each use.
pub const FOR_PROCESS: Duration = Duration::from_secs(16 * 60);

/// How much the clocks of two machines that are set right may differ.
const CLOCKS: Duration = Duration::from_secs(1);

/// How long a key must still live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeastLife {
    /// So long.
    pub least: Duration,
    /// What asks for it.
    because: &'static str,
}

impl LeastLife {
    /// Settles it; `None` when any key will do.
    ///
    /// # Errors
    /// The duration that is asked for is shorter, or `--min-ttl` is too short for `credential_process`.
    pub fn settle(
        min_ttl: Option<Duration>,
        export: Option<ExportFormat>,
        asked: Option<Duration>,
    ) -> Result<Option<Self>> {
        let process = export == Some(ExportFormat::Process);
        let settled = match min_ttl {
            Some(least) if process && least < FOR_PROCESS => return Err(too_short("--min-ttl", least)),
            Some(least) => Some(Self { least, because: "--min-ttl" }),
            None if process => Some(Self { least: FOR_PROCESS, because: "--export process" }),
            None => None,
        };
        match (settled, asked) {
            (Some(Self { least, because: "--min-ttl" }), Some(asked)) if asked < least => Err(Error::usage(format!(
                "a key of {} cannot have the {} of --min-ttl left",
                duration::human(asked),
                duration::human(least)
            ))),
            (Some(Self { least, .. }), Some(asked)) if asked < least => Err(too_short("the duration", asked)),
            _ => Ok(settled),
        }
    }

    /// Checks a key that was issued at `now`.
    ///
    /// # Errors
    /// It lives shorter.
    pub fn check(&self, key: &Value, now: DateTime<Utc>) -> Result<()> {
        let end = key["expiresAt"].as_str().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        let end = end.ok_or_else(|| Error::internal("the server does not say when the key ends"))?.to_utc();
        let granted = (end - now).to_std().unwrap_or_default();
        if granted + CLOCKS >= self.least {
            return Ok(());
        }
        Err(Error::internal(format!(
            "the server granted {}, which is less than the {} that {} needs; the key is not shown",
            duration::human(Duration::from_secs(granted.as_secs())),
            duration::human(self.least),
            self.because
        ))
        .hint("a key does not outlive the IAM token it is issued with; sign in anew, or ask for less"))
    }
}

fn too_short(what: &str, given: Duration) -> Error {
    Error::usage(format!(
        "{what} is {}, which is too short for --export process: AWS SDKs ask for new credentials 15 minutes before the \
         old ones end, again and again",
        duration::human(given)
    ))
    .hint("give at least 16m")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_process_needs_16_minutes_and_min_ttl_may_ask_for_more() {
        let settle = |ttl: Option<u32>, export, asked: Option<u32>| {
            let settled = LeastLife::settle(ttl.map(|m| m * MINUTE), export, asked.map(|m| m * MINUTE));
            settled.map(|settled| settled.map(|life| (life.least.as_secs() / 60, life.because)))
        };
        let process = Some(ExportFormat::Process);
        assert_eq!(settle(None, Some(ExportFormat::Env), Some(15)).unwrap(), None);
        assert_eq!(settle(None, process, None).unwrap(), Some((16, "--export process")));
        assert_eq!(settle(None, process, Some(16)).unwrap(), Some((16, "--export process")));
        assert_eq!(settle(Some(30), process, Some(60)).unwrap(), Some((30, "--min-ttl")));
        assert_eq!(settle(Some(5), None, Some(15)).unwrap(), Some((5, "--min-ttl")));
        for (ttl, export, asked) in [(None, process, Some(15)), (Some(15), process, None), (Some(20), None, Some(15))] {
            assert_eq!(settle(ttl, export, asked).unwrap_err().exit_code(), 2);
        }
    }

    #[test]
    fn a_key_that_ends_too_early_is_refused() {
        let life = LeastLife { least: 16 * MINUTE, because: "--export process" };
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
        let check = |end: &str| life.check(&json!({"expiresAt": end}), now);
        assert!(check("2026-01-01T00:15:59.5Z").is_ok());
        assert!(check("2026-01-01T03:16:00+03:00").is_ok());
        let error = check("2026-01-01T00:15:58Z").unwrap_err();
        assert!(error.to_string().starts_with("the server granted 15m 58s, which is less than the 16m"), "{error}");
        assert_eq!(error.exit_code(), 1);
        assert!(check("2025-01-01T00:00:00Z").is_err() && check("soon").is_err());
    }
}
