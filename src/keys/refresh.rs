//! A key that is renewed in the background, and given to the clients of a container credentials endpoint.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::select;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::issue::{KeyRequest, issue_of_any_lifetime, shortfall};
use super::min_ttl::MinTtl;
use crate::api::temporary_access_key::EphemeralKey;
use crate::auth::token_cache::RequiredLifetime;
use crate::context::Context;
use crate::credentials::endpoint::{self, Endpoint};
use crate::credentials::renewal::{Answer, Attempt, LEAD, Renewal};
use crate::error::{Error, Kind, Result};
use crate::http::loopback::{Loopback, Response};
use crate::log::Log;
use crate::status::Code;
use crate::text::duration;

/// How long a request waits for a renewal. Some SDKs wait no longer than a second for a response.
///
/// Source: AWS SDK for Java 1.x and JavaScript v2, `httpOptions.timeout` of the container provider.
const LONGEST_WAIT: Duration = Duration::from_millis(800);

/// How often the clock is looked at: a timer does not count the time that the machine was suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// How much longer than a key that is due at once a token is to be valid that keys are issued with.
const SPARE: Duration = Duration::from_secs(60);

/// A lifetime below the minimum and this is noted, since the key is then renewed every minute.
pub const ENOUGH_BEYOND_MINIMUM: Duration = Duration::from_secs(5 * 60);

/// Serves the key to requests that the endpoint accepts, and renews it, until it is dropped.
pub async fn serve<I: AsyncFn() -> Result<EphemeralKey>>(
    loopback: &Loopback,
    endpoint: &Endpoint,
    key: &RenewedKey<I>,
) -> Infallible {
    let requests = loopback.serve(async |request| match endpoint.check(request) {
        Ok(()) => key.respond().await,
        Err(refusal) => refusal.response(),
    });
    select(pin!(requests), pin!(key.keep_renewing())).await.factor_first().0
}

/// Issues the keys of a request. The secret of each belongs to this process, whatever becomes of it later.
pub async fn issue(request: &KeyRequest, min_ttl: MinTtl, context: &Context<'_>) -> Result<EphemeralKey> {
    let token_lifetime = request.duration.max(Some(min_ttl.duration + LEAD + SPARE));
    let result = issue_of_any_lifetime(request, token_lifetime, context).await;
    match &result {
        Ok(key) => {
            context.mask_secrets([&key.secret, &key.session_token]);
            context.confirm_delivery();
        }
        // The next attempt is made with another token.
        Err(error) if error.code() == Some(Code::Unauthenticated) => {
            let tokens = context.client()?.tokens();
            if let Ok(token) = tokens.token(RequiredLifetime::ForCalls).await {
                // Its failure has been told by the error.
                let _ = tokens.discard(&token.value).await;
            }
        }
        Err(_) => {}
    }
    result
}

/// Notes for a user at a terminal on a key that will be renewed often.
pub fn note_lifetime(request: &KeyRequest, min_ttl: MinTtl, first: &EphemeralKey, log: &Log) {
    match request.duration {
        Some(requested) if requested < min_ttl.duration + ENOUGH_BEYOND_MINIMUM => log.note(&format!(
            "a key with a lifetime of {} is renewed every minute; with a --duration of at least {} it is not",
            duration::human(requested),
            duration::human(min_ttl.duration + ENOUGH_BEYOND_MINIMUM)
        )),
        requested => {
            if let Some(note) = shortfall(first, requested) {
                log.note(&note);
            }
        }
    }
}

/// A key that is issued anew before it expires; `I` issues one.
pub struct RenewedKey<I> {
    issue: I,
    min_ttl: MinTtl,
    /// The limit of one attempt.
    limit: Option<Duration>,
    log: Log,
    clock: Clock,
    state: RefCell<State>,
    /// Tells requests that an attempt has ended.
    ended: Notify,
    /// Tells the renewal that an attempt is due.
    due: Notify,
}

struct State {
    renewal: Renewal,
    key: EphemeralKey,
    /// Why the last attempt failed.
    failure: Option<Error>,
}

impl<I: AsyncFn() -> Result<EphemeralKey>> RenewedKey<I> {
    /// Issues the first key; `limit` is for each later attempt.
    ///
    /// # Errors
    /// It cannot be issued, or its lifetime is below the minimum.
    pub async fn issue_first(issue: I, min_ttl: MinTtl, limit: Option<Duration>, log: Log) -> Result<Self> {
        let key = issue().await?;
        min_ttl.check(&key)?;
        let clock = Clock::start();
        let renewal = Renewal::new(min_ttl.duration, key.lifetime.granted, clock.elapsed());
        let state = RefCell::new(State { renewal, key, failure: None });
        Ok(Self { issue, min_ttl, limit, log, clock, state, ended: Notify::new(), due: Notify::new() })
    }

    /// The key that is served now.
    pub fn current(&self) -> EphemeralKey {
        self.state.borrow().key.clone()
    }

    /// Renews the key whenever that is due.
    pub async fn keep_renewing(&self) -> Infallible {
        loop {
            let wait = self.state.borrow().renewal.next_start().saturating_sub(self.clock.elapsed());
            if wait.is_zero() {
                self.renew().await;
            } else {
                let _ = timeout(wait.min(LONGEST_SLEEP), self.due.notified()).await;
            }
        }
    }

    async fn renew(&self) {
        self.state.borrow_mut().renewal.start();
        // On the heap, since several futures would hold it.
        let attempt = Box::pin((self.issue)());
        let result = match self.limit {
            None => attempt.await,
            Some(limit) => timeout(limit, attempt).await.unwrap_or_else(|_| {
                let limit = duration::human(limit);
                Err(Error::new(Kind::Timeout, format!("not done within the {limit} of --timeout")))
            }),
        };
        let now = self.clock.elapsed();
        let mut state = self.state.borrow_mut();
        let (attempt, failure) = match result {
            Ok(key) => match self.min_ttl.check(&key) {
                Ok(()) => {
                    let granted = key.lifetime.granted;
                    state.key = key;
                    (Attempt::Renewed(granted), None)
                }
                Err(error) => (Attempt::TooShort, Some(error)),
            },
            Err(error) => (Attempt::Failed, Some(error)),
        };
        state.renewal.end(attempt, now);
        if let Some(error) = &failure
            && state.failure.as_ref().is_none_or(|last| last.to_string() != error.to_string())
        {
            self.log.warn(&format!("the access key cannot be renewed, which is tried again and again: {error}"));
        }
        state.failure = failure;
        self.ended.notify_waiters();
    }

    /// The response to a request that is allowed to have the key.
    pub async fn respond(&self) -> Response {
        // It counts from its making, so that no end is missed.
        let ended = self.ended.notified();
        let mut answer = self.state.borrow().renewal.answer(self.clock.elapsed());
        if answer == Answer::KeyAfterAttempt {
            self.due.notify_one();
            // Without an end in time there is what there was.
            let _ = timeout(LONGEST_WAIT, ended).await;
            answer = self.state.borrow().renewal.answer_at_once(self.clock.elapsed());
        }
        let state = self.state.borrow();
        match answer {
            Answer::Key | Answer::KeyAfterAttempt => endpoint::success(&state.key),
            Answer::Unavailable => self.unavailable(state.failure.as_ref()),
        }
    }

    fn unavailable(&self, failure: Option<&Error>) -> Response {
        match failure {
            Some(error) => {
                let message = format!("the access key has expired and cannot be renewed: {error}");
                endpoint::failure(503, error.code_name(), &self.log.masks.mask(&message))
            }
            None => endpoint::failure(503, Code::Unavailable.name(), "the access key has expired and is being renewed"),
        }
    }
}

/// The time since the start: by the clock of the system that a timer uses or by the wall clock, whichever went further.
/// The first may stand still while the machine is suspended, and the other may be set back.
struct Clock {
    last: Cell<(Instant, DateTime<Utc>, Duration)>,
}

impl Clock {
    fn start() -> Self {
        Self { last: Cell::new((Instant::now(), Utc::now(), Duration::ZERO)) }
    }

    fn elapsed(&self) -> Duration {
        self.advance(Instant::now(), Utc::now())
    }

    fn advance(&self, instant: Instant, wall: DateTime<Utc>) -> Duration {
        let (last_instant, last_wall, elapsed) = self.last.get();
        let by_wall = (wall - last_wall).to_std().unwrap_or_default();
        let elapsed = elapsed + instant.saturating_duration_since(last_instant).max(by_wall);
        self.last.set((instant, wall, elapsed));
        elapsed
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use futures_util::future::{Either, join_all};
    use serde_json::{Value, json};
    use tokio::time::sleep;

    use super::*;
    use crate::lifetime::Lifetime;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A cloud that issues keys of one lifetime, in virtual time.
    struct Cloud {
        lifetime: Cell<Duration>,
        takes: Cell<Duration>,
        is_down: Cell<bool>,
        attempts: Cell<u32>,
        issued: Cell<u32>,
    }

    impl Cloud {
        fn new(lifetime: Duration) -> Self {
            Self {
                lifetime: lifetime.into(),
                takes: Duration::from_millis(300).into(),
                is_down: false.into(),
                attempts: 0.into(),
                issued: 0.into(),
            }
        }

        async fn issue(&self) -> Result<EphemeralKey> {
            self.attempts.set(self.attempts.get() + 1);
            sleep(self.takes.get()).await;
            if self.is_down.get() {
                return Err(Error::network("the server cannot be reached"));
            }
            self.issued.set(self.issued.get() + 1);
            let now = Utc::now();
            let raw = json!({
                "accessKeyId": format!("key{}", self.issued.get()), "secret": "s", "sessionToken": "t",
                "expiresAt": (now + self.lifetime.get()).to_rfc3339(),
            });
            EphemeralKey::parse(raw, |time| Lifetime::until(time, Some(now), now))
        }
    }

    async fn first<I: AsyncFn() -> Result<EphemeralKey>>(issue: I, limit: Option<Duration>) -> Result<RenewedKey<I>> {
        RenewedKey::issue_first(issue, MinTtl::for_renewal(None, None)?, limit, Log::default()).await
    }

    /// Does the work while the key is renewed.
    async fn during<I: AsyncFn() -> Result<EphemeralKey>, T>(key: &RenewedKey<I>, work: impl Future<Output = T>) -> T {
        match select(pin!(key.keep_renewing()), pin!(work)).await {
            Either::Left((never, _)) => match never {},
            Either::Right((result, _)) => result,
        }
    }

    /// The status and the document that a request gets.
    async fn request<I: AsyncFn() -> Result<EphemeralKey>>(key: &RenewedKey<I>) -> (u16, Value) {
        let response = key.respond().await;
        (response.status(), serde_json::from_str(response.body()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn keys_of_16_minutes_are_issued_once_a_minute() {
        let cloud = Cloud::new(16 * MINUTE);
        let key = first(async || cloud.issue().await, None).await.unwrap();
        during(&key, sleep(5 * MINUTE)).await;
        assert!((5..=7).contains(&cloud.issued.get()), "{}", cloud.issued.get());
    }

    #[tokio::test(start_paused = true)]
    async fn any_number_of_requests_at_the_renewal_make_one_key() {
        let cloud = Cloud::new(60 * MINUTE);
        let key = first(async || cloud.issue().await, None).await.unwrap();
        during(&key, async {
            // The renewal hangs until less than the minimum is left.
            cloud.takes.set(5 * MINUTE);
            sleep(Duration::from_millis(2_699_500)).await;
            let responses = join_all((0..500).map(|_| request(&key))).await;
            assert!(responses.iter().all(|(status, key)| (*status, &key["AccessKeyId"]) == (200, &json!("key2"))));
        })
        .await;
        assert_eq!(cloud.attempts.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_service_the_old_key_is_served_until_its_last_minute() {
        let cloud = Cloud::new(60 * MINUTE);
        let key = first(async || cloud.issue().await, None).await.unwrap();
        during(&key, async {
            cloud.is_down.set(true);
            sleep(58 * MINUTE).await;
            let started = Instant::now();
            assert_eq!(request(&key).await.1["AccessKeyId"], "key1");
            assert!(started.elapsed() <= LONGEST_WAIT);
            sleep(MINUTE + Duration::from_secs(1)).await;
            let expected = json!({
                "code": "NETWORK",
                "message": "the access key has expired and cannot be renewed: the server cannot be reached",
            });
            assert_eq!(request(&key).await, (503, expected));
            let before = cloud.attempts.get();
            sleep(MINUTE).await;
            let attempts = cloud.attempts.get() - before;
            assert!((40..=60).contains(&attempts), "{attempts}");
            cloud.is_down.set(false);
            sleep(2 * MINUTE).await;
            assert_eq!(request(&key).await.1["AccessKeyId"], "key2");
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_takes_long_delays_a_request_by_800_milliseconds() {
        let cloud = Cloud::new(60 * MINUTE);
        let key = first(async || cloud.issue().await, None).await.unwrap();
        during(&key, async {
            cloud.takes.set(30 * MINUTE);
            sleep(50 * MINUTE).await;
            let started = Instant::now();
            assert_eq!(request(&key).await.1["AccessKeyId"], "key1");
            assert_eq!(started.elapsed(), LONGEST_WAIT);
            sleep(10 * MINUTE).await;
            let expected = json!({"code": "UNAVAILABLE", "message": "the access key has expired and is being renewed"});
            assert_eq!(request(&key).await, (503, expected));
        })
        .await;
        assert_eq!(cloud.attempts.get(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_below_the_minimum_leaves_the_old_key() {
        let cloud = Cloud::new(60 * MINUTE);
        let key = first(async || cloud.issue().await, None).await.unwrap();
        during(&key, async {
            cloud.lifetime.set(10 * MINUTE);
            sleep(50 * MINUTE).await;
            assert_eq!(request(&key).await.1["AccessKeyId"], "key1");
        })
        .await;
        assert!((10..=12).contains(&cloud.issued.get()), "{}", cloud.issued.get());
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_key_below_the_minimum_is_an_error() {
        let cloud = Cloud::new(10 * MINUTE);
        let key = first(async || cloud.issue().await, None).await;
        assert_eq!(key.err().map(|error| error.exit_code()), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn each_attempt_has_the_limit_of_timeout() {
        let cloud = Cloud::new(60 * MINUTE);
        let key = first(async || cloud.issue().await, Some(Duration::from_secs(9))).await.unwrap();
        cloud.takes.set(60 * MINUTE);
        let _ = timeout(42 * MINUTE, key.keep_renewing()).await;
        assert!((12..=14).contains(&cloud.attempts.get()), "{}", cloud.attempts.get());
    }

    #[tokio::test(start_paused = true)]
    async fn time_counts_that_the_machine_was_suspended_or_the_clock_was_set_back() {
        let clock = Clock::start();
        let (start, wall, _) = clock.last.get();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(clock.advance(at(1), wall + TimeDelta::seconds(3600)).as_secs(), 3600);
        assert_eq!(clock.advance(at(11), wall - TimeDelta::seconds(3600)).as_secs(), 3610);
        assert_eq!(clock.advance(at(21), wall - TimeDelta::seconds(3590)).as_secs(), 3620);
    }
}
