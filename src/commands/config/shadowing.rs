//! Variables that come before the profile, or that are set for nothing.

use crate::auth::credential::Source;
use crate::auth::sign_in::{self, Inputs, SourceStatus};
use crate::config::origin::Origin;
use crate::endpoints::ALL_SERVICES;
use crate::text::quote;

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

/// The variables that are set and not used, and those that are used instead of the profile, or of the current one where
/// that is given.
pub fn find(inputs: Inputs<'_>, current: Option<&str>) -> Vec<Shadow> {
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
    let is_used =
        |variable: &str| matches!(used, Some(Source::Configured(Origin::Variable(name))) if *name == variable);
    if env.var("YC_SA_ID").is_some()
        && sources.iter().all(|(source, status)| {
            !matches!(source, Source::Configured(Origin::Variable("YC_SA_ID"))) || *status == SourceStatus::NotSet
        })
        && !is_used("YC_WORKLOAD_IDENTITY")
    {
        add("YC_SA_ID is set, not used: there is no token of a CI job".to_owned(), "unset YC_SA_ID".to_owned());
    }
    let audience = "YC_WORKLOAD_IDENTITY_AUDIENCE";
    if env.var(audience).is_some() && !is_used("YC_WORKLOAD_IDENTITY") && !is_used("YC_SA_ID") {
        add(format!("{audience} is set, not used: no token of a CI job is exchanged"), format!("unset {audience}"));
    }
    if let (Some(chosen), Some(current)) = (env.var("YC_PROFILE"), current)
        && chosen != current
    {
        add(
            format!("YC_PROFILE is used instead of the current profile {}", quote::value(current)),
            "to use the current profile, type: unset YC_PROFILE".to_owned(),
        );
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
