//! The environment of a command that runs with a key: the variables of the key, and none that compete with them.

use std::process::Command;

use super::Credentials;
use crate::env::Env;

/// Variables that AWS SDKs would take other credentials or endpoints from.
///
/// Source: AWS SDKs and Tools Reference Guide, "Environment variables".
const COMPETING: [&str; 8] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
];

/// The same: every variable that begins so.
const COMPETING_PREFIX: &str = "AWS_CONTAINER_CREDENTIALS_";

/// Has the command run with these credentials and no others.
pub fn set(command: &mut Command, credentials: &Credentials, env: &Env) {
    let prefixed = env.vars.keys().map(String::as_str).filter(|name| name.starts_with(COMPETING_PREFIX));
    for name in COMPETING.into_iter().chain(prefixed) {
        command.env_remove(name);
    }
    for variable in credentials.variables() {
        match variable.value {
            Some(value) => command.env(variable.name, value),
            None => command.env_remove(variable.name),
        };
    }
}
