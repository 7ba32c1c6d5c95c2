//! When a key that is served again and again is renewed, and what a request for it gets meanwhile. Nothing here waits or
//! reads a clock: points in time are the time since some start.

use std::time::Duration;

/// A key is renewed this long before it has only the minimum remaining lifetime left.
pub const LEAD: Duration = Duration::from_secs(4 * 60);

/// The pause between the end of an attempt and the start of the next.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause after a key that was granted so short a lifetime that it is due at once.
const PAUSE_AFTER_SHORT: Duration = Duration::from_secs(60);

/// A key with no more than this left is not given to a client, whose request may take that long.
const RESERVE: Duration = Duration::from_secs(60);

/// The outcome of an attempt to renew the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// There is a new key with this lifetime.
    Renewed(Duration),
    /// A key was granted, with so short a lifetime that the old one stays.
    TooShort,
    /// There is no new key.
    Failed,
}

/// What a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The key.
    Key,
    /// The key once the attempt that runs has ended, or what there is if that takes long.
    KeyAfterAttempt,
    /// Nothing: the key has expired, or is about to.
    Unavailable,
}

/// The key that is served, and the attempts to renew it.
#[derive(Debug, Clone)]
pub struct Renewal {
    min_ttl: Duration,
    expires_at: Duration,
    /// When the last attempt ended.
    ended_at: Duration,
    /// Whether the last attempt granted a lifetime that is due at once.
    was_short: bool,
    is_running: bool,
}

impl Renewal {
    /// A first key, with this lifetime now, that is to have `min_ttl` left whenever it is served.
    pub fn new(min_ttl: Duration, lifetime: Duration, now: Duration) -> Self {
        let mut renewal = Self { min_ttl, expires_at: now, ended_at: now, was_short: false, is_running: false };
        renewal.end(Attempt::Renewed(lifetime), now);
        renewal
    }

    /// When the next attempt starts.
    pub fn next_start(&self) -> Duration {
        let mut due = self.expires_at.saturating_sub(self.min_ttl + LEAD);
        if self.was_short {
            due = due.max((self.ended_at + PAUSE_AFTER_SHORT).min(self.expires_at.saturating_sub(RESERVE)));
        }
        due.max(self.ended_at + PAUSE)
    }

    /// An attempt starts.
    pub fn start(&mut self) {
        self.is_running = true;
    }

    /// The attempt has ended.
    pub fn end(&mut self, attempt: Attempt, now: Duration) {
        self.is_running = false;
        self.ended_at = now;
        self.was_short = match attempt {
            Attempt::Renewed(lifetime) => {
                self.expires_at = now + lifetime;
                lifetime < self.min_ttl + LEAD
            }
            Attempt::TooShort => true,
            Attempt::Failed => false,
        };
    }

    /// What a request gets now.
    pub fn answer(&self, now: Duration) -> Answer {
        let is_awaited = self.is_running || now >= self.next_start();
        let at_once = self.answer_at_once(now);
        let is_good_enough = at_once == Answer::Key && self.left(now) >= self.min_ttl;
        if is_awaited && !is_good_enough { Answer::KeyAfterAttempt } else { at_once }
    }

    /// What a request gets that does not wait any longer.
    pub fn answer_at_once(&self, now: Duration) -> Answer {
        if self.left(now) > RESERVE { Answer::Key } else { Answer::Unavailable }
    }

    fn left(&self, now: Duration) -> Duration {
        self.expires_at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    fn renewal(lifetime: Duration) -> Renewal {
        Renewal::new(16 * MINUTE, lifetime, Duration::ZERO)
    }

    #[test]
    fn a_key_is_renewed_20_minutes_before_it_expires() {
        let mut renewal = renewal(HOUR);
        assert_eq!(renewal.next_start(), 40 * MINUTE);
        renewal.start();
        renewal.end(Attempt::Renewed(HOUR), 41 * MINUTE);
        assert_eq!(renewal.next_start(), 81 * MINUTE);
    }

    #[test]
    fn a_failed_attempt_is_repeated_after_a_second() {
        let mut renewal = renewal(HOUR);
        for minute in 40..70 {
            renewal.start();
            renewal.end(Attempt::Failed, minute * MINUTE);
            assert_eq!(renewal.next_start(), minute * MINUTE + SECOND);
        }
    }

    #[test]
    fn a_short_lifetime_does_not_make_one_key_after_the_other() {
        for (lifetime, next) in [
            (16 * MINUTE, MINUTE),
            (1199 * SECOND, MINUTE),
            (20 * MINUTE, SECOND),
            (20 * MINUTE + 2 * SECOND, 2 * SECOND),
            (2 * MINUTE, MINUTE),
            (100 * SECOND, 40 * SECOND),
            (30 * SECOND, SECOND),
            (Duration::ZERO, SECOND),
        ] {
            assert_eq!(renewal(lifetime).next_start(), next, "{lifetime:?}");
        }
        let mut renewal = renewal(HOUR);
        renewal.start();
        renewal.end(Attempt::TooShort, 50 * MINUTE);
        assert_eq!(renewal.next_start(), 51 * MINUTE);
        renewal.end(Attempt::TooShort, 58 * MINUTE + 30 * SECOND);
        assert_eq!(renewal.next_start(), 59 * MINUTE);
        renewal.end(Attempt::TooShort, 59 * MINUTE);
        assert_eq!(renewal.next_start(), 59 * MINUTE + SECOND);
    }

    #[test]
    fn requests_wait_only_for_an_attempt_that_runs_and_only_when_less_than_the_minimum_is_left() {
        let mut renewal = renewal(HOUR);
        assert_eq!(renewal.answer(43 * MINUTE), Answer::Key);
        renewal.start();
        assert_eq!(renewal.answer(44 * MINUTE), Answer::Key);
        assert_eq!(renewal.answer(44 * MINUTE + SECOND), Answer::KeyAfterAttempt);
        renewal.end(Attempt::Failed, 45 * MINUTE);
        assert_eq!(renewal.answer(45 * MINUTE), Answer::Key);
        assert_eq!(renewal.answer(45 * MINUTE + SECOND), Answer::KeyAfterAttempt);
        renewal.start();
        renewal.end(Attempt::Failed, 3539 * SECOND);
        assert_eq!(renewal.answer(3539 * SECOND), Answer::Key);
        renewal.end(Attempt::Failed, 59 * MINUTE);
        assert_eq!(renewal.answer(59 * MINUTE), Answer::Unavailable);
        renewal.start();
        assert_eq!(renewal.answer(2 * HOUR), Answer::KeyAfterAttempt);
        assert_eq!(renewal.answer_at_once(2 * HOUR), Answer::Unavailable);
        renewal.end(Attempt::Renewed(HOUR), 2 * HOUR);
        assert_eq!(renewal.answer(2 * HOUR), Answer::Key);
    }

    #[test]
    fn a_minimum_below_a_minute_does_not_refuse_a_request_at_the_start_of_the_renewal() {
        let mut renewal = Renewal::new(SECOND, 63 * SECOND, Duration::ZERO);
        assert_eq!(renewal.next_start(), 3 * SECOND);
        assert_eq!(renewal.answer(2 * SECOND), Answer::Key);
        assert_eq!(renewal.answer(3 * SECOND), Answer::KeyAfterAttempt);
        renewal.start();
        assert_eq!(renewal.answer(3 * SECOND), Answer::KeyAfterAttempt);
    }

    #[derive(Debug, Clone, Copy)]
    struct Step {
        takes: u64,
        attempt: Attempt,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let attempt = prop_oneof![
            (0_u64..50_000).prop_map(|seconds| Attempt::Renewed(Duration::from_secs(seconds))),
            Just(Attempt::TooShort),
            Just(Attempt::Failed),
        ];
        let step = (0_u64..200, attempt).prop_map(|(takes, attempt)| Step { takes, attempt });
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn no_key_is_served_in_its_last_minute_and_attempts_do_not_follow_each_other_at_once(
            min_ttl in 0_u64..43_200,
            lifetime in 0_u64..50_000,
            steps in steps(),
        ) {
            let mut now = 5 * HOUR;
            let lifetime = Duration::from_secs(lifetime);
            let min_ttl = Duration::from_secs(min_ttl);
            let mut renewal = Renewal::new(min_ttl, lifetime, now);
            let mut expires_at = now + lifetime;
            let mut was_short = lifetime < min_ttl + LEAD;
            for step in steps {
                let start = renewal.next_start();
                prop_assert!(start >= now + PAUSE);
                let waited_a_minute = start >= now + PAUSE_AFTER_SHORT;
                prop_assert!(!was_short || waited_a_minute || start + RESERVE >= expires_at);
                // The attempts go on for ever, and in time where they can.
                prop_assert!(start <= (now + PAUSE_AFTER_SHORT).max(expires_at.saturating_sub(min_ttl + LEAD)));
                renewal.start();
                now = start + Duration::from_secs(step.takes);
                for at in [start, now] {
                    for answer in [renewal.answer(at), renewal.answer_at_once(at)] {
                        prop_assert!(answer != Answer::Key || at + RESERVE < expires_at);
                    }
                    // While an attempt runs, it is waited for.
                    prop_assert!(renewal.answer(at) != Answer::Unavailable);
                    let has_minimum = at + min_ttl <= expires_at && at + RESERVE < expires_at;
                    prop_assert!(!has_minimum || renewal.answer(at) == Answer::Key);
                }
                renewal.end(step.attempt, now);
                if let Attempt::Renewed(lifetime) = step.attempt {
                    expires_at = now + lifetime;
                }
                was_short = match step.attempt {
                    Attempt::Renewed(lifetime) => lifetime < min_ttl + LEAD,
                    Attempt::TooShort => true,
                    Attempt::Failed => false,
                };
            }
        }
    }
}
