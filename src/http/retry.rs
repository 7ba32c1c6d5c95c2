//! When a request is sent again, and after what delay. Nothing here waits or reads a clock.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Attempts;
use crate::status::Status;

/// No retry starts later than this after the first attempt.
const BUDGET: Duration = Duration::from_secs(120);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(20);

/// What to do after an attempt that failed and may be repeated.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Make no further attempt.
    Stop,
    /// Make no further attempt, because the server asks for this delay, and less time than that is left.
    DelayTooLong(Duration),
    /// Make another attempt after this delay.
    RetryAfter(Duration),
}

/// What to do after `made` attempts and `elapsed` time. `requested` is the delay that the server asks for; `random` is
/// from 0 to 1.
pub(super) fn next_step(
    limit: Attempts,
    made: u32,
    elapsed: Duration,
    requested: Option<Duration>,
    random: f64,
) -> NextStep {
    if matches!(limit, Attempts::AtMost(most) if made >= most) {
        return NextStep::Stop;
    }
    let left = BUDGET.saturating_sub(elapsed);
    let delay = requested.unwrap_or_default().max(backoff(made, random));
    match requested {
        Some(requested) if requested >= left => NextStep::DelayTooLong(requested),
        _ if delay < left => NextStep::RetryAfter(delay),
        _ => NextStep::Stop,
    }
}

/// Exponential backoff with full jitter, so that clients which failed at the same time do not retry at the same time.
fn backoff(made: u32, random: f64) -> Duration {
    let doublings = made.saturating_sub(1).min(16);
    (FIRST_DELAY * (1 << doublings)).min(MAX_DELAY).mul_f64(random.clamp(0.0, 1.0))
}

/// Whether the same request may succeed after a response of this status.
pub(super) fn is_retryable(http: u16, status: &Status) -> bool {
    matches!(http, 502..=504) || (http == 429 && !status.is_quota())
}

/// Whether the server may have processed a request that got a response of this status, so that its result is unknown.
/// 501 and 503 say that it has not.
pub(super) fn may_be_processed(http: u16) -> bool {
    matches!(http, 499 | 500 | 502 | 504..=599)
}

/// The delay that the server asks for: by the `Retry-After` header, in seconds or as a date, or by a `RetryInfo`
/// detail; the longer of the two.
///
/// Source: RFC 9110, section 10.2.3; `google/rpc/error_details.proto`, `RetryInfo`.
pub(super) fn requested_delay(retry_after: Option<&str>, now: DateTime<Utc>, status: &Status) -> Option<Duration> {
    let by_header = retry_after.and_then(|text| {
        let text = text.trim();
        let seconds = text.parse().ok().map(Duration::from_secs);
        seconds.or_else(|| Some((parse_http_date(text)? - now).to_std().unwrap_or_default()))
    });
    let by_detail = status
        .detail("RetryInfo")
        .and_then(|detail| detail["retryDelay"].as_str()?.strip_suffix('s')?.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    by_header.max(by_detail)
}

/// Parses the date of an HTTP header, e.g. `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn parse_http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::status::Code;

    const SECOND: Duration = Duration::from_secs(1);

    fn status(message: &str, details: Vec<serde_json::Value>) -> Status {
        Status { code: Code::ResourceExhausted, message: message.into(), details }
    }

    #[test]
    fn delays_double_up_to_twenty_seconds() {
        let delays: Vec<_> = (1..=10).map(|made| backoff(made, 1.0).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000]);
        assert_eq!(backoff(u32::MAX, 1.0), MAX_DELAY);
        assert_eq!(backoff(3, 0.0), Duration::ZERO);
        assert_eq!(backoff(3, 0.5), Duration::from_millis(200));
    }

    #[test]
    fn attempts_are_counted_in_all() {
        for (limit, made, again) in [
            (Attempts::AtMost(5), 4, true),
            (Attempts::AtMost(5), 5, false),
            (Attempts::AtMost(1), 1, false),
            (Attempts::AtMost(0), 1, false),
            (Attempts::Unlimited, 1000, true),
        ] {
            let next = next_step(limit, made, Duration::ZERO, None, 0.5);
            assert_eq!(matches!(next, NextStep::RetryAfter(_)), again, "{limit:?} after {made}");
        }
    }

    #[test]
    fn no_attempt_starts_after_two_minutes() {
        assert_eq!(next_step(Attempts::Unlimited, 9, 99 * SECOND, None, 1.0), NextStep::RetryAfter(20 * SECOND));
        assert_eq!(next_step(Attempts::Unlimited, 9, 100 * SECOND, None, 1.0), NextStep::Stop);
        assert_eq!(next_step(Attempts::Unlimited, 9, 500 * SECOND, None, 0.0), NextStep::Stop);
    }

    #[test]
    fn the_delay_that_the_server_asks_for_is_observed_or_refused() {
        let after =
            |elapsed, requested| next_step(Attempts::Unlimited, 1, elapsed * SECOND, Some(requested * SECOND), 0.0);
        assert_eq!(after(0, 7), NextStep::RetryAfter(7 * SECOND));
        assert_eq!(after(0, 119), NextStep::RetryAfter(119 * SECOND));
        assert_eq!(after(0, 120), NextStep::DelayTooLong(120 * SECOND));
        assert_eq!(after(60, 61), NextStep::DelayTooLong(61 * SECOND));
        assert_eq!(next_step(Attempts::AtMost(5), 5, Duration::ZERO, Some(SECOND), 0.0), NextStep::Stop);
        // A requested delay of zero does not switch the jitter off.
        let immediate = next_step(Attempts::Unlimited, 2, Duration::ZERO, Some(Duration::ZERO), 1.0);
        assert_eq!(immediate, NextStep::RetryAfter(Duration::from_millis(200)));
    }

    #[test]
    fn only_a_temporary_refusal_is_retried() {
        let rate = status("too many requests", vec![]);
        for http in [429, 502, 503, 504] {
            assert!(is_retryable(http, &rate), "{http}");
        }
        for http in [400, 401, 403, 404, 408, 409, 499, 500, 501, 505] {
            assert!(!is_retryable(http, &rate), "{http}");
        }
        assert!(!is_retryable(429, &status("Quota limit iam.accessKeys.count exceeded", vec![])));
    }

    #[test]
    fn some_failures_leave_open_whether_the_request_was_processed() {
        for http in [499, 500, 502, 504, 520] {
            assert!(may_be_processed(http), "{http}");
        }
        for http in [400, 401, 404, 429, 501, 503] {
            assert!(!may_be_processed(http), "{http}");
        }
    }

    #[test]
    fn the_requested_delay_is_read_in_every_form() {
        let now = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let plain = status("", vec![]);
        let delay = |text| requested_delay(Some(text), now, &plain);
        assert_eq!(delay("3"), Some(3 * SECOND));
        assert_eq!(delay(" 0 "), Some(Duration::ZERO));
        assert_eq!(delay("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10 * SECOND));
        assert_eq!(delay("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for garbage in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(delay(garbage), None, "{garbage}");
        }

        let info =
            |delay| status("", vec![json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})]);
        assert_eq!(requested_delay(None, now, &info("1.500s")), Some(Duration::from_millis(1500)));
        assert_eq!(requested_delay(Some("1"), now, &info("2s")), Some(2 * SECOND));
        assert_eq!(requested_delay(Some("3"), now, &info("2s")), Some(3 * SECOND));
        for garbage in ["-1s", "NaNs", "infs", "1e300s", "2", ""] {
            assert_eq!(requested_delay(None, now, &info(garbage)), None, "{garbage}");
        }
    }
}
