//! Showing that the storage knows a new key, which it may learn of some time after IAM has made it.

use std::time::Duration;

use chrono::Utc;
use tokio::time::{Instant, sleep};

use crate::api::sigv4::SigningKey;
use crate::api::storage::{Verdict, try_key};
use crate::context::Context;
use crate::credentials::Storage;
use crate::error::{Error, Kind, Result};
use crate::text::duration;

/// The first wait between two attempts; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Tries the key until the storage knows it, for this long at most.
///
/// # Errors
/// The storage does not know the key in time, refuses it for another reason, or does not respond.
pub async fn verify(key: &SigningKey, storage: &Storage, limit: Duration, context: &Context<'_>) -> Result<()> {
    let http = context.http();
    let once = http.once(limit, limit);
    let started = Instant::now();
    let (mut pause, mut correction, mut has_responded) = (FIRST_PAUSE, None, false);
    loop {
        let time = correction.unwrap_or_else(Utc::now);
        let tried = try_key(&once, &storage.endpoint, &storage.region, key, time).await;
        let problem = match tried {
            Ok(Verdict::Known | Verdict::Denied) => return Ok(()),
            Ok(Verdict::WrongClock(time)) if correction.is_none() => {
                correction = Some(time);
                continue;
            }
            Ok(Verdict::WrongClock(_)) => {
                let message = "the storage refuses the time of the request, which is its own";
                return Err(Error::new(Kind::Conflict, message));
            }
            Ok(Verdict::Refused(error)) => return Err(error.context("the storage does not accept the new key")),
            Ok(Verdict::NotYet(error)) => {
                has_responded = true;
                error
            }
            Err(error) if error.is_retryable() => error,
            Err(error) => return Err(error.context("cannot try the new key")),
        };
        if started.elapsed() + pause >= limit {
            let human = duration::human(limit);
            let kind = if has_responded { Kind::Conflict } else { Kind::Timeout };
            let message = format!("the storage did not accept the new key within {human}: {problem}");
            return Err(Error::new(kind, message).hint("--verify-timeout sets another limit, and --no-verify none"));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
