//! What a response says about the clock of the server.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::lifetime::Lifetime;
use crate::text::duration::{CLOCK_TOLERANCE, human};

/// A difference of the clocks that is this long is not trusted when a request is signed with the server's time.
const LARGEST_CORRECTION: Duration = Duration::from_secs(25 * 60 * 60);

/// The clock of a server when it sent a response.
#[derive(Debug, Clone, Copy)]
pub struct ServerClock {
    /// The header `Date`, where it is one.
    date: Option<DateTime<Utc>>,
    /// Whether the certificate of the server was verified.
    is_verified: bool,
    /// When the response arrived, by the local clock.
    pub received_at: DateTime<Utc>,
}

/// How far the local clock is from that of the server: by more than a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference(TimeDelta);

impl ServerClock {
    /// The clock of a response with this `Date` that arrived at `received_at`.
    pub fn new(date: Option<DateTime<Utc>>, is_verified: bool, received_at: DateTime<Utc>) -> Self {
        Self { date, is_verified, received_at }
    }

    /// The time of the server; that of this machine when the server does not say.
    pub fn time(&self) -> DateTime<Utc> {
        self.date.unwrap_or(self.received_at)
    }

    /// The lifetime of what the response says expires at `expires_at`.
    pub fn lifetime_until(&self, expires_at: DateTime<Utc>) -> Lifetime {
        Lifetime::until(expires_at, self.date, self.received_at)
    }

    /// When that ends for which the response grants this many seconds, and its lifetime; `None` for an absurd number.
    pub fn lifetime_of(&self, seconds: i64) -> Option<(String, Lifetime)> {
        let expires_at = self.time().checked_add_signed(TimeDelta::try_seconds(seconds)?)?;
        let granted = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let lifetime = Lifetime { received_at: self.received_at, granted };
        Some((expires_at.to_rfc3339_opts(SecondsFormat::Secs, true), lifetime))
    }

    /// How far the local clock is ahead of that of the server; `None` when the server does not say.
    pub fn ahead(&self) -> Option<TimeDelta> {
        Some(self.received_at - self.date?)
    }

    /// How far the local clock is off, if that is more than a minute.
    pub fn difference(&self) -> Option<Difference> {
        let ahead = self.ahead()?;
        (ahead.abs().to_std().ok()? > CLOCK_TOLERANCE).then_some(Difference(ahead))
    }

    /// The time to sign a request with once more that was refused because the local clock is off; `None` when the clocks
    /// agree, when the server is not verified, or when the difference is too large to be trusted.
    pub fn correction(&self) -> Option<DateTime<Utc>> {
        let Difference(ahead) = self.difference()?;
        let is_trusted = self.is_verified && ahead.abs().to_std().is_ok_and(|ahead| ahead < LARGEST_CORRECTION);
        self.date.filter(|_| is_trusted)
    }
}

impl Difference {
    /// What to do about it when it explains an error.
    pub fn hint(self) -> String {
        format!("{self}; set it")
    }
}

/// The local clock is `1h ahead`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A response takes a while, and its date has no fractions: whole minutes are exact enough.
        let minutes = (self.0.abs().num_seconds().unsigned_abs() + 30) / 60;
        let direction = if self.0 > TimeDelta::zero() { "ahead" } else { "behind" };
        write!(f, "the local clock is {} {direction}", human(Duration::from_secs(60 * minutes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(seconds_ahead: i64, is_verified: bool) -> ServerClock {
        let date = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        ServerClock::new(Some(date), is_verified, date + TimeDelta::seconds(seconds_ahead))
    }

    #[test]
    fn a_difference_of_more_than_a_minute_is_named() {
        for (seconds, expected) in [
            (60, None),
            (61, Some("the local clock is 1m ahead")),
            (-61, Some("the local clock is 1m behind")),
            (3601, Some("the local clock is 1h ahead")),
            (-12 * 3600 + 1, Some("the local clock is 12h behind")),
            (90_000, Some("the local clock is 1day 1h ahead")),
        ] {
            let difference = clock(seconds, true).difference().map(|difference| difference.to_string());
            assert_eq!(difference.as_deref(), expected, "{seconds}");
        }
    }

    #[test]
    fn the_servers_time_is_used_when_it_is_verified_and_less_than_25_hours_off() {
        let date = clock(0, true).time();
        for (seconds, verified, expected) in [
            (59, true, None),
            (61, true, Some(date)),
            (-89_999, true, Some(date)),
            (90_000, true, None),
            (3600, false, None),
        ] {
            assert_eq!(clock(seconds, verified).correction(), expected, "{seconds}");
        }
    }

    #[test]
    fn a_number_of_seconds_is_a_lifetime_that_ends_by_the_servers_clock() {
        let (expires_at, lifetime) = clock(-7200, true).lifetime_of(3600).unwrap();
        assert_eq!(expires_at, "2024-10-04T01:00:00Z");
        assert_eq!(lifetime.granted, Duration::from_secs(3600));
        assert!(clock(0, true).lifetime_of(i64::MAX).is_none());
    }
}
