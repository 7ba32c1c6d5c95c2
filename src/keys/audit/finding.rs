//! What is wrong with a key, by the rules of Security Deck.
//!
//! Source: yandex-cloud/docs, `en/_security-deck-rules/rules/cspm`, for the rules and their severities.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::access_key::AccessKey;
use crate::keys::rotation_marker::Marker;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The key was not used for long.
    UnusedKey,
    /// The key is old.
    KeyRotation,
    /// The service account did not authenticate for long.
    UnusedServiceAccount,
    /// A rotation has made the key, and no journal on this machine knows it.
    UnfinishedRotation,
}

impl Rule {
    /// The ID, as reports of Security Deck have it.
    pub fn id(self) -> &'static str {
        match self {
            Self::UnusedKey => "iam.unused-key",
            Self::KeyRotation => "iam.sa-key-rotation",
            Self::UnusedServiceAccount => "iam.unused-service-account",
            Self::UnfinishedRotation => "yc-rs.unfinished-rotation",
        }
    }

    /// `high` or `medium`.
    pub fn severity(self) -> &'static str {
        match self {
            Self::KeyRotation => "high",
            Self::UnusedKey | Self::UnusedServiceAccount | Self::UnfinishedRotation => "medium",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that the key breaks.
    pub rule: Rule,
    /// How.
    pub message: String,
}

/// What to do with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Delete it: it is not used.
    Delete,
    /// Replace it: it is old.
    Rotate,
    /// Leave it.
    Keep,
}

/// From when on a key breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// The age.
    pub max_age: Duration,
    /// The time without use.
    pub unused_for: Duration,
}

/// What was found about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// Whole days since it was created; `None` when that is not known.
    pub age_days: Option<i64>,
    /// Whole days since it was last used, or created if no use is recorded.
    pub idle_days: Option<i64>,
    /// The rules that it breaks.
    pub findings: Vec<Finding>,
    /// What to do.
    pub action: Action,
}

/// Looks at a key as of this time of the server. `is_known` tells whether there is a journal of a rotation, by the ID of
/// the old key and the UUID.
pub fn assess(
    key: &AccessKey,
    last_authenticated_at: &str,
    now: DateTime<Utc>,
    thresholds: Thresholds,
    is_known: impl Fn(&str, &str) -> bool,
) -> Assessment {
    let since = |text: &str| time(text).map(|time| now - time);
    let age = since(&key.created_at);
    let used = since(&key.last_used_at);
    let idle = used.or(age);
    let reaches = |elapsed: Option<TimeDelta>, limit: Duration| {
        elapsed.is_some_and(|elapsed| elapsed.to_std().is_ok_and(|elapsed| elapsed >= limit))
    };
    let mut findings = Vec::new();
    let mut add = |rule, message| findings.push(Finding { rule, message });
    if reaches(idle, thresholds.unused_for) {
        let days = idle.unwrap_or_default().num_days();
        let message = match used {
            Some(_) => format!("last used {} ago", shown(days)),
            None => format!("no use recorded since it was created {} ago", shown(days)),
        };
        add(Rule::UnusedKey, message);
    }
    if reaches(age, thresholds.max_age) {
        add(Rule::KeyRotation, format!("created {} ago", shown(age.unwrap_or_default().num_days())));
    }
    let authenticated = since(last_authenticated_at);
    if reaches(authenticated, thresholds.unused_for) {
        let days = authenticated.unwrap_or_default().num_days();
        add(Rule::UnusedServiceAccount, format!("the service account last authenticated {} ago", shown(days)));
    }
    let unfinished = Marker::parse(&key.description).filter(|marker| !is_known(&marker.old_id, &marker.uuid));
    if let Some(marker) = &unfinished {
        let message = format!("made by a rotation of {} that is not known on this machine", marker.old_id);
        add(Rule::UnfinishedRotation, message);
    }
    let has = |rule| findings.iter().any(|finding: &Finding| finding.rule == rule);
    let action = match () {
        () if unfinished.is_some() => Action::Keep,
        () if has(Rule::UnusedKey) => Action::Delete,
        () if has(Rule::KeyRotation) => Action::Rotate,
        () => Action::Keep,
    };
    let days = |elapsed: Option<TimeDelta>| elapsed.map(|elapsed| elapsed.num_days().max(0));
    Assessment { age_days: days(age), idle_days: days(idle), findings, action }
}

/// A time as the API writes it.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

fn shown(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn now() -> DateTime<Utc> {
        time("2026-06-01T00:00:00Z").unwrap()
    }

    fn before(seconds: i64) -> String {
        (now() - TimeDelta::seconds(seconds)).to_rfc3339()
    }

    fn assessed(created: i64, used: Option<i64>, description: &str, authenticated: Option<i64>) -> Assessment {
        let key = AccessKey {
            id: "aje".into(),
            key_id: "YCA".into(),
            service_account_id: "ajea".into(),
            description: description.into(),
            created_at: before(created),
            last_used_at: used.map(before).unwrap_or_default(),
        };
        let days = Duration::from_secs(90 * 24 * 60 * 60);
        let thresholds = Thresholds { max_age: days, unused_for: days };
        let authenticated = authenticated.map(before).unwrap_or_default();
        assess(&key, &authenticated, now(), thresholds, |old, uuid| (old, uuid) == ("ajeknown", "1"))
    }

    fn rules(assessment: &Assessment) -> Vec<Rule> {
        assessment.findings.iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn a_threshold_is_reached_at_the_second() {
        for (elapsed, reached) in [(90 * DAY - 1, false), (90 * DAY, true), (90 * DAY + 1, true)] {
            let used_now = assessed(elapsed, Some(0), "", None);
            assert_eq!(rules(&used_now), if reached { vec![Rule::KeyRotation] } else { vec![] }, "{elapsed}");
            assert_eq!(used_now.action, if reached { Action::Rotate } else { Action::Keep });
            let never_used = assessed(elapsed, None, "", None);
            assert_eq!(rules(&never_used).contains(&Rule::UnusedKey), reached, "{elapsed}");
            assert_eq!(never_used.action, if reached { Action::Delete } else { Action::Keep });
            let account = assessed(0, None, "", Some(elapsed));
            assert_eq!(rules(&account).contains(&Rule::UnusedServiceAccount), reached, "{elapsed}");
            assert_eq!(account.action, Action::Keep);
        }
    }

    #[test]
    fn days_are_whole_and_counted_from_use_or_creation() {
        let key = assessed(10 * DAY + 5, Some(2 * DAY - 1), "", None);
        assert_eq!((key.age_days, key.idle_days), (Some(10), Some(1)));
        let key = assessed(10 * DAY, None, "", None);
        assert_eq!((key.age_days, key.idle_days), (Some(10), Some(10)));
        let made_a_moment_ahead = assessed(-5, None, "", None);
        assert_eq!((made_a_moment_ahead.age_days, made_a_moment_ahead.idle_days), (Some(0), Some(0)));
    }

    #[test]
    fn a_key_of_a_rotation_is_kept_unless_a_journal_knows_it() {
        let unknown = assessed(400 * DAY, None, "a [yc-rs rotating ajeold 2]", None);
        assert!(rules(&unknown).contains(&Rule::UnfinishedRotation) && unknown.action == Action::Keep);
        let known = assessed(400 * DAY, None, "a [yc-rs rotating ajeknown 1]", None);
        assert!(!rules(&known).contains(&Rule::UnfinishedRotation) && known.action == Action::Delete);
    }

    #[test]
    fn a_key_that_was_never_used_is_said_to_have_no_recorded_use() {
        let message = |assessment: Assessment| assessment.findings[0].message.clone();
        assert_eq!(message(assessed(100 * DAY, None, "", None)), "no use recorded since it was created 100 days ago");
        assert_eq!(message(assessed(100 * DAY, Some(95 * DAY), "", None)), "last used 95 days ago");
    }
}
