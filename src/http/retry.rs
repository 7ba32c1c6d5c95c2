//! When a request is sent again, and after how long. Nothing here waits or looks at a clock.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Attempts;
use crate::status::Status;

/// No retry starts later than this after the first attempt.
const BUDGET: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What comes after an attempt that another one may improve on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// No further attempt.
    Stop,
    /// No further attempt, because the server asks for a longer wait than is left.
    TooLong(Duration),
    /// Another attempt after this pause.
    After(Duration),
}

/// What comes after `made` attempts and `elapsed` time. `asked` is how long the server wants us to wait; `random`
/// is from 0 to 1.
pub(super) fn next(limit: Attempts, made: u32, elapsed: Duration, asked: Option<Duration>, random: f64) -> Next {
    if matches!(limit, Attempts::AtMost(most) if made >= most) {
        return Next::Stop;
    }
    let left = BUDGET.saturating_sub(elapsed);
    match asked.map(|asked| (asked, asked.max(backoff(made, random)))) {
        Some((asked, _)) if asked >= left => Next::TooLong(asked),
        Some((_, pause)) if pause < left => Next::After(pause),
        None if backoff(made, random) < left => Next::After(backoff(made, random)),
        _ => Next::Stop,
    }
}

/// Exponential with full jitter: so that clients which failed together do not come back together.
fn backoff(made: u32, random: f64) -> Duration {
    let doublings = made.saturating_sub(1).min(16);
    (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE).mul_f64(random.clamp(0.0, 1.0))
}

/// Whether an answer of this status says that the same request may succeed later.
pub(super) fn may_help(http: u16, status: &Status) -> bool {
    matches!(http, 502..=504) || (http == 429 && !status.is_quota())
}

/// Whether the server may have processed a request that it answered with this status, without our learning the
/// result. 501 and 503 say that it has not.
pub(super) fn may_be_processed(http: u16) -> bool {
    matches!(http, 499 | 500 | 502 | 504..=599)
}

/// How long the server asks to wait: by the `Retry-After` header, in seconds or as a date, or by a `RetryInfo`
/// detail; the longer of the two.
///
/// Source: RFC 9110, section 10.2.3; `google/rpc/error_details.proto`, `RetryInfo`.
pub(super) fn asked_wait(retry_after: Option<&str>, now: DateTime<Utc>, status: &Status) -> Option<Duration> {
    let by_header = retry_after.and_then(|text| {
        let text = text.trim();
        let seconds = text.parse().ok().map(Duration::from_secs);
        seconds.or_else(|| Some((http_date(text)? - now).to_std().unwrap_or_default()))
    });
    let by_detail = status
        .detail("RetryInfo")
        .and_then(|detail| detail["retryDelay"].as_str()?.strip_suffix('s')?.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    by_header.max(by_detail)
}

/// Reads a date as HTTP headers have it, e.g. `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http_date(text: &str) -> Option<DateTime<Utc>> {
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
    fn pauses_double_up_to_twenty_seconds() {
        let pauses: Vec<_> = (1..=10).map(|made| backoff(made, 1.0).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000]);
        assert_eq!(backoff(u32::MAX, 1.0), LONGEST_PAUSE);
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
            let next = next(limit, made, Duration::ZERO, None, 0.5);
            assert_eq!(matches!(next, Next::After(_)), again, "{limit:?} after {made}");
        }
    }

    #[test]
    fn no_attempt_starts_after_two_minutes() {
        assert_eq!(next(Attempts::Unlimited, 9, 99 * SECOND, None, 1.0), Next::After(20 * SECOND));
        assert_eq!(next(Attempts::Unlimited, 9, 100 * SECOND, None, 1.0), Next::Stop);
        assert_eq!(next(Attempts::Unlimited, 9, 500 * SECOND, None, 0.0), Next::Stop);
    }

    #[test]
    fn the_wait_that_the_server_asks_for_is_kept_or_refused() {
        let after = |elapsed, asked| next(Attempts::Unlimited, 1, elapsed * SECOND, Some(asked * SECOND), 0.0);
        assert_eq!(after(0, 7), Next::After(7 * SECOND));
        assert_eq!(after(0, 119), Next::After(119 * SECOND));
        assert_eq!(after(0, 120), Next::TooLong(120 * SECOND));
        assert_eq!(after(60, 61), Next::TooLong(61 * SECOND));
        assert_eq!(next(Attempts::AtMost(5), 5, Duration::ZERO, Some(SECOND), 0.0), Next::Stop);
        // A server that asks for no wait at all does not switch the jitter off.
        let hurried = next(Attempts::Unlimited, 2, Duration::ZERO, Some(Duration::ZERO), 1.0);
        assert_eq!(hurried, Next::After(Duration::from_millis(200)));
    }

    #[test]
    fn only_a_passing_refusal_is_worth_another_attempt() {
        let rate = status("too many requests", vec![]);
        for http in [429, 502, 503, 504] {
            assert!(may_help(http, &rate), "{http}");
        }
        for http in [400, 401, 403, 404, 408, 409, 499, 500, 501, 505] {
            assert!(!may_help(http, &rate), "{http}");
        }
        assert!(!may_help(429, &status("Quota limit iam.accessKeys.count exceeded", vec![])));
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
    fn the_asked_wait_is_read_in_every_form() {
        let now = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let plain = status("", vec![]);
        let wait = |text| asked_wait(Some(text), now, &plain);
        assert_eq!(wait("3"), Some(3 * SECOND));
        assert_eq!(wait(" 0 "), Some(Duration::ZERO));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10 * SECOND));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for garbage in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(garbage), None, "{garbage}");
        }

        let info =
            |delay| status("", vec![json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})]);
        assert_eq!(asked_wait(None, now, &info("1.500s")), Some(Duration::from_millis(1500)));
        assert_eq!(asked_wait(Some("1"), now, &info("2s")), Some(2 * SECOND));
        assert_eq!(asked_wait(Some("3"), now, &info("2s")), Some(3 * SECOND));
        for garbage in ["-1s", "NaNs", "infs", "1e300s", "2", ""] {
            assert_eq!(asked_wait(None, now, &info(garbage)), None, "{garbage}");
        }
    }
}
