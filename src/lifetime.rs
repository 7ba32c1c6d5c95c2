//! How long a token or a key is valid, whatever the clock of this machine shows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// No token and no key is valid for longer than 12 hours. A longer lifetime means that a clock is wrong.
///
/// Source: yandex-cloud/docs, `en/iam/concepts/authorization/iam-token.md`, "Lifetime", and
/// `en/iam/concepts/authorization/ephemeral-keys.md`.
const LONGEST: Duration = Duration::from_secs(13 * 60 * 60);

/// A lifetime that a server granted, and when its response arrived by the local clock. What is left is counted by the
/// time that has passed since then, so a local clock that is wrong does not matter as long as it is not set meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// When the response arrived, by the local clock.
    pub received_at: DateTime<Utc>,
    /// The lifetime at that time; zero when it is over, or not known.
    pub granted: Duration,
}

impl Lifetime {
    /// The lifetime of what expires at `expires_at` by the clock of a server that sent `server_time` with it. Without a
    /// time of the server, or with one that cannot be right, it is counted by the local clock.
    pub fn until(expires_at: DateTime<Utc>, server_time: Option<DateTime<Utc>>, received_at: DateTime<Utc>) -> Self {
        let by_server = server_time.and_then(|time| (expires_at - time).to_std().ok()).filter(|&left| left <= LONGEST);
        let by_local_clock = || (expires_at - received_at).to_std().unwrap_or_default().min(LONGEST);
        Self { received_at, granted: by_server.unwrap_or_else(by_local_clock) }
    }

    /// Of something whose lifetime is not known.
    pub fn unknown(received_at: DateTime<Utc>) -> Self {
        Self { received_at, granted: Duration::ZERO }
    }

    /// Whether more than `required` is left. Nothing is known when the local clock was set back to before the response.
    pub fn exceeds(self, required: Duration, now: DateTime<Utc>) -> bool {
        self.elapsed(now).is_some_and(|elapsed| elapsed.saturating_add(required) < self.granted)
    }

    /// Whether it has ended.
    pub fn is_over(self, now: DateTime<Utc>) -> bool {
        self.elapsed(now).is_some_and(|elapsed| elapsed >= self.granted)
    }

    /// The time since the response; `None` when that is in the future.
    fn elapsed(self, now: DateTime<Utc>) -> Option<Duration> {
        (now - self.received_at).to_std().ok()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(500_000 + hours)
    }

    #[test]
    fn the_lifetime_is_counted_on_the_servers_clock() {
        for local in [-100, -25, -1, 0, 1, 12, 25, 100] {
            let lifetime = Lifetime::until(at(1), Some(at(0)), at(local));
            assert_eq!(lifetime.granted, HOUR);
            assert!(lifetime.exceeds(HOUR / 2, at(local) + TimeDelta::minutes(29)));
            assert!(!lifetime.exceeds(HOUR / 2, at(local) + TimeDelta::minutes(30)));
            assert!(!lifetime.is_over(at(local) + TimeDelta::minutes(59)) && lifetime.is_over(at(local + 1)));
        }
    }

    #[test]
    fn a_time_of_the_server_that_is_missing_or_cannot_be_right_is_replaced_by_the_local_clock() {
        for server_time in [None, Some(at(2)), Some(at(-13)), Some(DateTime::UNIX_EPOCH)] {
            assert_eq!(Lifetime::until(at(1), server_time, at(0)).granted, HOUR, "{server_time:?}");
            assert_eq!(Lifetime::until(at(1), server_time, at(2)).granted, Duration::ZERO, "{server_time:?}");
            assert_eq!(Lifetime::until(at(1), server_time, at(-50)).granted, LONGEST, "{server_time:?}");
        }
        assert_eq!(Lifetime::until(at(1), Some(at(-12)), at(0)).granted, 13 * HOUR);
    }

    #[test]
    fn nothing_is_left_for_sure_when_the_clock_was_set_back() {
        let lifetime = Lifetime::until(at(12), Some(at(0)), at(0));
        let before = at(0) - TimeDelta::milliseconds(1);
        assert!(!lifetime.exceeds(Duration::ZERO, before) && !lifetime.is_over(before));
        assert!(lifetime.exceeds(Duration::ZERO, at(0)));
    }

    proptest! {
        #[test]
        fn what_has_ended_on_the_servers_clock_is_never_used(offset in -90_000_i64..90_000, lifetime in 0_i64..46_800, passed in 0_i64..200_000, required in 0_u64..50_000) {
            let (server, local) = (at(0), at(0) + TimeDelta::seconds(offset));
            let counted = Lifetime::until(server + TimeDelta::seconds(lifetime), Some(server), local);
            let is_used = counted.exceeds(Duration::from_secs(required), local + TimeDelta::seconds(passed));
            prop_assert_eq!(is_used, passed + i64::try_from(required).unwrap() < lifetime);
        }
    }
}
