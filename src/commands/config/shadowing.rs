//! Variables that come before the profile, or that are set for nothing.

use crate::auth::credential::Source;
use crate::auth::sign_in::{self, Inputs, SourceStatus};
use crate::config::origin::Origin;
use crate::endpoints::ALL_SERVICES;

/// A variable that has another effect than its user may expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// What it does, or does not.
    pub detail: String,
    /// What to type.
    pub hint: String,
}

/// Variables that come before keys of the profile, credentials and endpoints of services aside.
const OVERRIDES: [(&str, &[&str]); 8] = [
    ("YC_CLOUD_ID", &["cloud-id"]),
    ("YC_FOLDER_ID", &["folder-id", "folder-name"]),
    ("YC_ENDPOINT", &["endpoint"]),
    ("YC_FORMAT", &["format"]),
    ("YC_REGION", &["region"]),
    ("YC_CA_BUNDLE", &["ca-bundle"]),
    ("YC_CLIENT_ID", &["client-id"]),
    ("YC_IMPERSONATE_SERVICE_ACCOUNT_ID", &["impersonate-service-account-id"]),
];

/// The variables that are set and not used, and those that are used instead of the profile.
pub fn find(inputs: Inputs<'_>) -> Vec<Shadow> {
    let Inputs { env, profile, .. } = inputs;
    let sources = inputs.sources().unwrap_or_default();
    let used = sources.iter().find(|(_, status)| *status == SourceStatus::Used).map(|(source, _)| source);
    let mut shadows = Vec::new();
    let mut add = |detail: String, hint: String| shadows.push(Shadow { detail, hint });
    for (source, status) in &sources {
        let Source::Configured(origin) = source else { continue };
        match (origin, status, used) {
            (Origin::Variable(name), SourceStatus::SetButNotUsed, Some(used)) => add(
                format!("{name} is set, not used: {used} is used instead"),
                format!("unset {name}, or remove the other credential"),
            ),
            (Origin::Profile { .. }, SourceStatus::SetButNotUsed, Some(used)) => add(
                format!("{used} is used instead of {origin}"),
                match used {
                    Source::Configured(Origin::Variable(name)) => format!("to use the profile, type: unset {name}"),
                    _ => format!("leave {used} out to use the profile"),
                },
            ),
            _ => {}
        }
    }
    for (name, read) in sign_in::variables_not_read(env) {
        add(format!("{name} is set, and nothing reads it"), format!("use {read}"));
    }
    let keys_of_profile = OVERRIDES.iter().filter_map(|(name, keys)| {
        let key = keys.iter().find(|key| profile.has(key))?;
        Some((*name, (*key).to_owned()))
    });
    let endpoints = ALL_SERVICES.iter().filter_map(|service| Some((service.variable(), service.key_in(profile)?)));
    for (name, key) in keys_of_profile.chain(endpoints).filter(|(name, _)| env.var(name).is_some()) {
        add(
            format!("{name} is used instead of '{key}' in the profile"),
            format!("to use the profile, type: unset {name}"),
        );
    }
    shadows
}
