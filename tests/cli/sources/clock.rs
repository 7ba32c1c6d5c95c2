//! A machine whose clock is wrong: the JWT of a key is made once more with the server's time.

use chrono::TimeDelta;

use super::{CREATE_TOKEN, hint};
use crate::route::{EXCHANGE, ISSUE};
use crate::support::User;

/// A user with a key, over HTTPS, whose cloud is this far ahead; negative is behind.
fn skewed(minutes: i64) -> User {
    let user = User::new().with_key().over_https();
    user.cloud.set_clock_offset(TimeDelta::minutes(minutes));
    user
}

#[test]
fn the_servers_time_is_used_when_the_clocks_differ() {
    // Ahead by more than the lifetime of a JWT, an hour, or behind: either makes the server refuse.
    for minutes in [-30, -2, -24 * 60, 2 * 60, 24 * 60] {
        let user = skewed(minutes);
        user.run(CREATE_TOKEN).ok();
        assert_eq!(user.sent(), [EXCHANGE, EXCHANGE], "{minutes}");
    }
}

#[test]
fn a_clock_that_is_off_by_more_than_a_day_is_not_followed() {
    for minutes in [-26 * 60, 26 * 60] {
        let user = skewed(minutes);
        let error = user.run(CREATE_TOKEN).failed(3);
        assert!(hint(&error).contains("clock"), "{error}");
        assert_eq!(user.sent(), [EXCHANGE], "{minutes}");
    }
}

#[test]
fn a_difference_of_half_a_minute_does_not_matter() {
    for seconds in [-30, 30] {
        let user = User::new().with_key();
        user.cloud.set_clock_offset(TimeDelta::seconds(seconds));
        user.run(CREATE_TOKEN).ok();
        user.run("iam access-key issue-ephemeral --duration 16m --export process").ok();
        assert_eq!(user.sent(), [EXCHANGE, ISSUE], "{seconds}");
    }
}

#[test]
fn a_server_that_is_not_verified_does_not_set_the_clock() {
    let plain = User::new().with_key();
    plain.cloud.set_clock_offset(TimeDelta::minutes(-30));
    plain.run(CREATE_TOKEN).failed(3);
    assert_eq!(plain.sent(), [EXCHANGE]);

    let unverified = skewed(-30);
    let ran = unverified.run("iam create-token --no-verify-ssl");
    assert!(ran.code == 3 && ran.out.is_empty(), "{ran:#?}");
    assert_eq!(unverified.sent(), [EXCHANGE]);
}

#[test]
fn the_second_refusal_is_the_error() {
    let user = skewed(-30);
    user.cloud.delete_authorized_key(yc_emulator::ADMIN_KEY_ID);
    let error = user.run(CREATE_TOKEN).failed(3);
    assert!(error.contains("UNAUTHENTICATED"), "{error}");
    assert_eq!(user.sent(), [EXCHANGE, EXCHANGE]);
}

#[test]
fn a_refusal_by_a_server_of_the_same_time_is_not_tried_again() {
    let user = skewed(0);
    user.cloud.delete_authorized_key(yc_emulator::ADMIN_KEY_ID);
    user.run(CREATE_TOKEN).failed(3);
    assert_eq!(user.sent(), [EXCHANGE]);
}
