//! Where the services are: built in, replaced one by one, or listed by another installation of the cloud.
//!
//! Source: yandex-cloud/docs, `en/api-design-guide/concepts/endpoints.md`; `yandex/cloud/endpoint/api_endpoint_service.proto`.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::config::Profile;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::http::{Http, Method, Request, Response, Url};
use crate::store::Store;
use crate::text::digest::fingerprint;

/// A service of the cloud that this program calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Access keys, tokens, service accounts.
    Iam,
    /// Long-running operations.
    Operation,
    /// Folders and clouds.
    ResourceManager,
    /// Exchange of the tokens of other systems.
    Auth,
    /// Temporary credentials for a static key.
    Sts,
    /// Object Storage, which this program only tells others of.
    Storage,
}

/// What there is to know of a service.
struct Row {
    service: Service,
    /// The key in the profile's table `endpoints`, and the ID in the list of an installation.
    key: &'static str,
    variable: &'static str,
    built_in: &'static str,
}

const SERVICES: [Row; 6] = [
    Row {
        service: Service::Iam,
        key: "iam",
        variable: "YC_ENDPOINT_URL_IAM",
        built_in: "https://iam.api.cloud.yandex.net",
    },
    Row {
        service: Service::Operation,
        key: "operation",
        variable: "YC_ENDPOINT_URL_OPERATION",
        built_in: "https://operation.api.cloud.yandex.net",
    },
    Row {
        service: Service::ResourceManager,
        key: "resource-manager",
        variable: "YC_ENDPOINT_URL_RESOURCE_MANAGER",
        built_in: "https://resource-manager.api.cloud.yandex.net",
    },
    Row {
        service: Service::Auth,
        key: "auth",
        variable: "YC_ENDPOINT_URL_AUTH",
        built_in: "https://auth.yandex.cloud",
    },
    Row { service: Service::Sts, key: "sts", variable: "YC_ENDPOINT_URL_STS", built_in: "https://sts.yandexcloud.net" },
    Row {
        service: Service::Storage,
        key: "storage",
        variable: "YC_ENDPOINT_URL_STORAGE",
        built_in: "https://storage.yandexcloud.net",
    },
];

/// The installation whose addresses are built in.
const BUILT_IN_INSTALLATION: &str = "https://api.cloud.yandex.net";

/// How long the list of an installation is kept.
const KEEP_LIST: TimeDelta = TimeDelta::hours(1);

/// The address of every service.
#[derive(Debug)]
pub struct Endpoints {
    /// Addresses given by variable or profile.
    replaced: [Option<String>; SERVICES.len()],
    /// Another installation than the built-in one.
    installation: Option<String>,
    list: OnceCell<List>,
    store: Store,
}

/// What an installation says of its services.
#[derive(Debug, Serialize, Deserialize)]
struct List {
    installation: String,
    obtained_at: DateTime<Utc>,
    endpoints: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    id: String,
    address: String,
}

impl Endpoints {
    /// Settles the addresses: for each service its variable, then the profile's table `endpoints`; for the others the
    /// list of the installation that `--endpoint`, `YC_ENDPOINT` or the profile names, or else the built-in ones.
    ///
    /// # Errors
    /// An address is no URL, or is plain `http` to another host than this one.
    pub fn resolve(flag: Option<&str>, env: &Env, profile: &Profile, cache_home: Option<&Path>) -> Result<Self> {
        let table = profile.table("endpoints")?;
        if let Some(unknown) = table.and_then(|table| table.keys().find(|key| !is_known(key))) {
            let known = SERVICES.map(|row| row.key).join(", ");
            return Err(
                profile.invalid(&format!("endpoints.{unknown}"), &format!("is not a service; there are: {known}"))
            );
        }
        let mut replaced = [const { None }; SERVICES.len()];
        for (address, Row { key, variable, .. }) in replaced.iter_mut().zip(&SERVICES) {
            if let Some(given) = env.var(variable) {
                *address = Some(checked(given).map_err(|rule| Error::usage(format!("{variable} {rule}")))?);
            } else if let Some(given) = table.and_then(|table| table.get(*key)) {
                let wrong = |rule: String| profile.invalid(&format!("endpoints.{key}"), &rule);
                let given = given.as_str().ok_or_else(|| wrong("must be a quoted string".to_owned()))?;
                *address = Some(checked(given).map_err(wrong)?);
            } else if let (&"storage", Some(given)) = (key, profile.string("storage-endpoint")?) {
                // The key of `yc` for the same.
                let wrong = |rule: String| profile.invalid("storage-endpoint", &rule);
                *address = Some(checked(&with_scheme(given, "https")).map_err(wrong)?);
            }
        }
        Ok(Self {
            replaced,
            installation: installation(flag, env, profile)?.filter(|address| address != BUILT_IN_INSTALLATION),
            list: OnceCell::new(),
            store: Store::endpoints(cache_home),
        })
    }

    /// The address of a service, without a slash at its end.
    ///
    /// # Errors
    /// The installation cannot be asked, or does not list the service.
    pub async fn base(&self, service: Service, http: &Http) -> Result<String> {
        let position = position(service);
        match (&self.replaced[position], &self.installation) {
            (Some(address), _) => Ok(address.clone()),
            (None, None) => Ok(SERVICES[position].built_in.to_owned()),
            (None, Some(installation)) => self.listed(&SERVICES[position], installation, http).await,
        }
    }

    /// What is configured as the address of a service, told without asking the installation.
    pub fn configured(&self, service: Service) -> &str {
        let position = position(service);
        let replaced = self.replaced[position].as_deref();
        replaced.or(self.installation.as_deref()).unwrap_or(SERVICES[position].built_in)
    }

    /// The address at which the installation's own IAM issues tokens. It is what a JWT is made out to, and does not
    /// depend on where calls are sent.
    ///
    /// # Errors
    /// The installation cannot be asked, or does not list IAM.
    pub async fn token_audience(&self, http: &Http) -> Result<String> {
        let iam = match &self.installation {
            None => SERVICES[0].built_in.to_owned(),
            Some(installation) => self.listed(&SERVICES[0], installation, http).await?,
        };
        Ok(format!("{}/iam/v1/tokens", iam.trim_end_matches(":443")))
    }

    async fn listed(&self, row: &Row, installation: &str, http: &Http) -> Result<String> {
        let list = self.list.get_or_try_init(|| self.fetch(installation, http)).await?;
        let unlisted = || {
            Error::usage(format!("{installation} does not list the address of the service '{}'", row.key))
                .hint(format!("set {}, or put '{}' into the table 'endpoints' of the profile", row.variable, row.key))
        };
        let entry = list.endpoints.iter().find(|entry| entry.id == row.key).ok_or_else(unlisted)?;
        let address = with_scheme(&entry.address, if installation.starts_with("http://") { "http" } else { "https" });
        checked(&address)
            .map_err(|rule| Error::config(format!("the address that {installation} lists for {} {rule}", row.key)))
    }

    async fn fetch(&self, installation: &str, http: &Http) -> Result<List> {
        let name = fingerprint(&[installation]);
        let now = Utc::now();
        let fresh = |list: &List| list.installation == installation && (now - list.obtained_at).abs() < KEEP_LIST;
        if let Some(list) = self.store.load(&name).filter(fresh) {
            return Ok(list);
        }
        let about =
            |error: Error| error.context(format!("cannot ask {installation} for the addresses of its services"));
        let url = format!("{installation}/endpoints");
        let answer = http.send(Request::new(Method::GET, &url)).await.and_then(Response::into_json).map_err(about)?;
        let endpoints = Vec::<Entry>::deserialize(&answer["endpoints"])
            .map_err(|_| about(Error::internal("the answer holds no list of addresses")))?;
        let list = List { installation: installation.to_owned(), obtained_at: now, endpoints };
        self.store.save(&name, &list);
        Ok(list)
    }
}

fn installation(flag: Option<&str>, env: &Env, profile: &Profile) -> Result<Option<String>> {
    let address = |text: &str| checked(&with_scheme(text, "https")).map(without_default_port);
    if let Some(text) = flag {
        return address(text).map(Some).map_err(|rule| Error::usage(format!("--endpoint {rule}")));
    }
    if let Some(text) = env.var("YC_ENDPOINT") {
        return address(text).map(Some).map_err(|rule| Error::usage(format!("YC_ENDPOINT {rule}")));
    }
    let from_profile = profile.string("endpoint")?.map(address).transpose();
    from_profile.map_err(|rule| profile.invalid("endpoint", &rule))
}

fn position(service: Service) -> usize {
    SERVICES.iter().position(|row| row.service == service).unwrap_or_default()
}

fn is_known(key: &str) -> bool {
    SERVICES.iter().any(|row| row.key == key)
}

fn with_scheme(address: &str, scheme: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("{scheme}://{address}") }
}

fn without_default_port(address: String) -> String {
    match address.strip_prefix("https://").and_then(|rest| rest.strip_suffix(":443")) {
        Some(host) => format!("https://{host}"),
        None => address,
    }
}

/// The address without a slash at its end, if it is one that secrets may be sent to.
pub(crate) fn checked(address: &str) -> Result<String, String> {
    // What stands before an @ or behind a ? may be a secret, so such an address is not shown.
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

/// Whether the host of the address is this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn resolve(flag: Option<&str>, vars: &[(&str, &str)], profile: &str) -> Result<Endpoints> {
        let env = Env {
            vars: vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Env::default()
        };
        let text = format!("current = 'p'\n[profiles.p]\n{profile}\n");
        Endpoints::resolve(flag, &env, &Config::from_text(&text)?.profile(None)?, None)
    }

    #[test]
    fn a_variable_beats_the_profile() {
        let profile = "endpoints.iam = 'https://p/'\nendpoints.operation = 'https://o'";
        let endpoints = resolve(None, &[("YC_ENDPOINT_URL_IAM", "https://v:8443/")], profile).unwrap();
        assert_eq!(endpoints.replaced[0].as_deref(), Some("https://v:8443"));
        assert_eq!(endpoints.replaced[1].as_deref(), Some("https://o"));
        assert_eq!(endpoints.replaced[2], None);
    }

    #[test]
    fn the_built_in_installation_is_known_in_every_spelling() {
        for name in ["api.cloud.yandex.net:443", "api.cloud.yandex.net", "https://api.cloud.yandex.net/"] {
            assert_eq!(resolve(Some(name), &[], "").unwrap().installation, None, "{name}");
        }
        let endpoints = resolve(None, &[("YC_ENDPOINT", "api.yandexcloud.kz:443")], "endpoint = 'x'").unwrap();
        assert_eq!(endpoints.installation.as_deref(), Some("https://api.yandexcloud.kz"));
        assert_eq!(resolve(None, &[], "endpoint = 'x:1'").unwrap().installation.as_deref(), Some("https://x:1"));
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for host in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"] {
            assert!(resolve(None, &[("YC_ENDPOINT_URL_IAM", host)], "").is_ok(), "{host}");
        }
        for host in ["http://example.com", "http://127.0.0.1.example.com", "http://localhost.evil", "http://10.0.0.1"] {
            let error = resolve(None, &[("YC_ENDPOINT_URL_IAM", host)], "").unwrap_err().to_string();
            assert!(error.contains("YC_ENDPOINT_URL_IAM") && error.contains(host), "{error}");
            assert!(resolve(Some(host), &[], "").unwrap_err().to_string().starts_with("--endpoint is"), "{host}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for address in ["iam.example.com", "ftp://x", "https://", "https://u:p@x", "https://x/?a=1", "https://x#f"] {
            assert!(resolve(None, &[("YC_ENDPOINT_URL_IAM", address)], "").is_err(), "{address}");
        }
        let error = resolve(None, &[], "endpoints.iam = 'x'").unwrap_err().to_string();
        assert!(error.contains("'profiles.p.endpoints.iam' is 'x'"), "{error}");
        let error = resolve(None, &[], "endpoints.aim = 'https://x'").unwrap_err().to_string();
        assert!(error.contains("'profiles.p.endpoints.aim' is not a service; there are: iam"), "{error}");
    }
}
