//! Where the services are: built-in addresses, and the variables and profile keys that replace them.

use crate::config::Profile;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::http::Url;

/// A service of the cloud that this program calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Access keys, tokens, service accounts.
    Iam,
    /// Long-running operations.
    Operation,
    /// Folders and clouds.
    ResourceManager,
}

/// What there is to know of each service: its profile key, its variable, its built-in address.
///
/// Source of the addresses: yandex-cloud/docs, `en/api-design-guide/concepts/endpoints.md`.
const SERVICES: [(Service, &str, &str, &str); 3] = [
    (Service::Iam, "iam", "YC_ENDPOINT_URL_IAM", "https://iam.api.cloud.yandex.net"),
    (Service::Operation, "operation", "YC_ENDPOINT_URL_OPERATION", "https://operation.api.cloud.yandex.net"),
    (
        Service::ResourceManager,
        "resource-manager",
        "YC_ENDPOINT_URL_RESOURCE_MANAGER",
        "https://resource-manager.api.cloud.yandex.net",
    ),
];

/// The address of every service.
#[derive(Debug, Clone)]
pub struct Endpoints([String; SERVICES.len()]);

impl Endpoints {
    /// Settles the addresses: variable, then the profile's table `endpoints`, then the built-in ones.
    ///
    /// # Errors
    /// An address is no URL, or is plain `http` to another host than this one.
    pub fn resolve(env: &Env, profile: &Profile) -> Result<Self> {
        let table = profile.table("endpoints")?;
        let mut addresses = SERVICES.map(|(.., built_in)| built_in.to_owned());
        for (address, (_, key, variable, _)) in addresses.iter_mut().zip(SERVICES) {
            if let Some(given) = env.var(variable) {
                *address = checked(given).map_err(|rule| Error::usage(format!("{variable} {rule}")))?;
            } else if let Some(given) = table.and_then(|table| table.get(key)) {
                let wrong = |rule: String| profile.wrong(&format!("endpoints.{key}"), &rule);
                let given = given.as_str().ok_or_else(|| wrong("must be a text in quotes".to_owned()))?;
                *address = checked(given).map_err(wrong)?;
            }
        }
        Ok(Self(addresses))
    }

    /// The URL of a path, which begins with a slash, at a service.
    pub fn url(&self, service: Service, path: &str) -> String {
        let position = SERVICES.iter().position(|row| row.0 == service).unwrap_or_default();
        format!("{}{path}", self.0[position])
    }
}

/// The address without a trailing slash, if it is one that secrets may be sent to.
fn checked(address: &str) -> Result<String, String> {
    // The address is shown only where nothing in it can be a password.
    if address.contains('@') {
        return Err("must not hold a user name or password".to_owned());
    }
    if address.contains(['?', '#']) {
        return Err("must have no query and no fragment".to_owned());
    }
    let url = Url::parse(address)
        .map_err(|error| format!("is '{address}', which is not a URL ({error}); write https://HOST[:PORT]"))?;
    match url.scheme() {
        "https" => Ok(address.trim_end_matches('/').to_owned()),
        "http" if is_loopback(&url) => Ok(address.trim_end_matches('/').to_owned()),
        "http" => Err(format!("is '{address}', but plain http is for this machine alone; write https://")),
        _ => Err(format!("is '{address}', but must begin with https://")),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn resolve(vars: &[(&str, &str)], profile: &str) -> Result<Endpoints> {
        let env = Env {
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Env::default()
        };
        let text = format!("current = 'p'\n[profiles.p]\n{profile}\n");
        Endpoints::resolve(&env, &Config::from_text(&text)?.profile(None)?)
    }

    #[test]
    fn a_variable_beats_the_profile_which_beats_the_built_in_address() {
        let profile = "endpoints.iam = 'https://p/'\nendpoints.operation = 'https://o'";
        let endpoints = resolve(&[("YC_ENDPOINT_URL_IAM", "https://v:8443/")], profile).unwrap();
        assert_eq!(endpoints.url(Service::Iam, "/x"), "https://v:8443/x");
        assert_eq!(endpoints.url(Service::Operation, "/x"), "https://o/x");
        let endpoints = resolve(&[], "").unwrap();
        assert_eq!(endpoints.url(Service::Iam, "/x"), "https://iam.api.cloud.yandex.net/x");
        let built_in = "https://resource-manager.api.cloud.yandex.net/x";
        assert_eq!(endpoints.url(Service::ResourceManager, "/x"), built_in);
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for host in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"] {
            assert!(resolve(&[("YC_ENDPOINT_URL_IAM", host)], "").is_ok(), "{host}");
        }
        for host in ["http://example.com", "http://127.0.0.1.example.com", "http://localhost.evil", "http://10.0.0.1"] {
            let error = resolve(&[("YC_ENDPOINT_URL_IAM", host)], "").unwrap_err().to_string();
            assert!(error.contains("YC_ENDPOINT_URL_IAM") && error.contains(host), "{error}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for address in ["iam.example.com", "ftp://x", "https://", "https://u:p@x", "https://x/?a=1", "https://x#f"] {
            assert!(resolve(&[("YC_ENDPOINT_URL_IAM", address)], "").is_err(), "{address}");
        }
        let error = resolve(&[], "endpoints.iam = 'x'").unwrap_err().to_string();
        assert!(error.contains("'profiles.p.endpoints.iam' is 'x'"), "{error}");
    }
}
