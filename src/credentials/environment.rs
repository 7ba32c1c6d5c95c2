//! The environment of a command that runs with a key: the variables of the key, and none that compete with them.

use std::process::Command;

use secrecy::ExposeSecret;

use super::endpoint::Endpoint;
use super::{CONFLICTING_VARIABLES, Credentials, Storage};
use crate::auth::sign_in::CREDENTIAL_VARIABLES;
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

/// Has the command run with these credentials and no others.
pub fn set(command: &mut Command, credentials: &Credentials, env: &Env) {
    remove_competing(command, env);
    for variable in credentials.variables() {
        match variable.value {
            Some(value) => command.env(variable.name, value),
            None => command.env_remove(variable.name),
        };
    }
}

fn remove_competing(command: &mut Command, env: &Env) {
    let prefixed = env.vars.keys().map(String::as_str).filter(|name| name.starts_with(COMPETING_PREFIX));
    for name in CONFLICTING_VARIABLES.into_iter().chain(COMPETING).chain(prefixed) {
        command.env_remove(name);
    }
    for name in TURNED_OFF {
        command.env(name, "false");
    }
}

/// More variables that AWS SDKs would take other credentials from, since they look for a container credentials endpoint
/// after all others.
///
/// Source: AWS SDKs and Tools Reference Guide, "Credential provider chain"; botocore, `credentials.py`,
/// `create_credential_resolver`, for `AWS_CREDENTIAL_FILE`.
const BEFORE_ENDPOINT: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_CREDENTIAL_FILE",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Variables that name the files in which AWS SDKs look for credentials.
const FILES: [&str; 2] = ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"];

/// Has the command take its credentials from this endpoint and from nowhere else.
pub fn set_endpoint(command: &mut Command, endpoint: &Endpoint, storage: &Storage, env: &Env) {
    remove_competing(command, env);
    for name in BEFORE_ENDPOINT {
        command.env_remove(name);
    }
    for name in FILES {
        command.env(name, if cfg!(windows) { "NUL" } else { "/dev/null" });
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint.url());
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", endpoint.token().expose_secret());
    for variable in storage.variables() {
        command.env(variable.name, variable.value.unwrap_or_default());
    }
}

/// Has the command run without the variables that this program authenticates with: with them it could get a key that no
/// policy narrows. `subject_token` is the variable that the profile names for the token of a CI job.
pub fn remove_own_credentials(command: &mut Command, subject_token: Option<&str>) {
    for name in CREDENTIAL_VARIABLES.into_iter().chain(subject_token) {
        command.env_remove(name);
    }
}
