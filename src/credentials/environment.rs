//! The environment of a command that runs with a key: the variables of the key, and none that compete with them.

use std::process::Command;

use super::{CONFLICTING_VARIABLES, Credentials};
use crate::env::Env;

/// Variables besides [`CONFLICTING_VARIABLES`] that AWS SDKs would take other credentials or endpoints from.
///
/// Source: AWS SDKs and Tools Reference Guide, "Environment variables".
const COMPETING: [&str; 4] = ["AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL"];

/// The same: every variable that begins so.
const COMPETING_PREFIX: &str = "AWS_CONTAINER_CREDENTIALS_";

/// Settings that lead to another endpoint than the given one, wherever the configuration file sets them: they are turned
/// off.
///
/// Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints" and "Dual-stack and FIPS endpoints".
const TURNED_OFF: [&str; 3] =
    ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"];

/// Variables that this program authenticates with, or that CI systems give it for that.
const OWN_CREDENTIALS: [&str; 10] = [
    "YC_IAM_TOKEN",
    "YC_TOKEN",
    "YC_SERVICE_ACCOUNT_KEY_FILE",
    "YC_WORKLOAD_IDENTITY",
    "YC_WORKLOAD_IDENTITY_AUDIENCE",
    "YC_SA_ID",
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ID_TOKEN",
    "GITLAB_OIDC_TOKEN",
];

/// Has the command run with these credentials and no others.
pub fn set(command: &mut Command, credentials: &Credentials, env: &Env) {
    let prefixed = env.vars.keys().map(String::as_str).filter(|name| name.starts_with(COMPETING_PREFIX));
    for name in CONFLICTING_VARIABLES.into_iter().chain(COMPETING).chain(prefixed) {
        command.env_remove(name);
    }
    for name in TURNED_OFF {
        command.env(name, "false");
    }
    for variable in credentials.variables() {
        match variable.value {
            Some(value) => command.env(variable.name, value),
            None => command.env_remove(variable.name),
        };
    }
}

/// Has the command run without the variables that this program authenticates with: with them it could get a key that no
/// policy narrows. `subject_token` is the variable that the profile names for the token of a CI job.
pub fn remove_own_credentials(command: &mut Command, subject_token: Option<&str>) {
    for name in OWN_CREDENTIALS.into_iter().chain(subject_token) {
        command.env_remove(name);
    }
}
