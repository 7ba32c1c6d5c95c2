//! The endpoints of the services: built in, set one by one, or listed by another installation of the cloud.
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
use crate::lock::share_failure;
use crate::store::{Level, Store};
use crate::text::digest::fingerprint;
use crate::text::{form, host, quote};

/// A service of the cloud that this program calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Access keys, tokens, service accounts.
    Iam,
    /// Long-running operations.
    Operation,
    /// Folders and clouds.
    ResourceManager,
    /// Exchange of tokens of other identity providers.
    Auth,
    /// Temporary credentials for a static key.
    Sts,
    /// Object Storage.
    Storage,
    /// Secrets with versions: Lockbox.
    Lockbox,
}

/// Every service.
pub const ALL_SERVICES: [Service; SERVICES.len()] = [
    Service::Iam,
    Service::Operation,
    Service::ResourceManager,
    Service::Auth,
    Service::Sts,
    Service::Storage,
    Service::Lockbox,
];

impl Service {
    /// The key in the profile's table `endpoints`.
    pub fn name(self) -> &'static str {
        SERVICES[position(self)].key
    }

    /// The variable that sets the endpoint.
    pub fn variable(self) -> &'static str {
        SERVICES[position(self)].variable
    }

    /// The key by which the profile sets the endpoint; `None` when it does not.
    pub fn key_in(self, profile: &Profile) -> Option<String> {
        let table = profile.table("endpoints").ok().flatten();
        if table.is_some_and(|table| table.contains_key(self.name())) {
            return Some(format!("endpoints.{}", self.name()));
        }
        (self == Self::Storage && profile.has("storage-endpoint")).then(|| "storage-endpoint".to_owned())
    }
}

/// The configuration of a service.
struct ServiceInfo {
    service: Service,
    /// The key in the profile's table `endpoints`, and the ID in the list of an installation.
    key: &'static str,
    variable: &'static str,
    built_in: &'static str,
}

const SERVICES: [ServiceInfo; 7] = [
    ServiceInfo {
        service: Service::Iam,
        key: "iam",
        variable: "YC_ENDPOINT_URL_IAM",
        built_in: "https://iam.api.cloud.yandex.net",
    },
    ServiceInfo {
        service: Service::Operation,
        key: "operation",
        variable: "YC_ENDPOINT_URL_OPERATION",
        built_in: "https://operation.api.cloud.yandex.net",
    },
    ServiceInfo {
        service: Service::ResourceManager,
        key: "resource-manager",
        variable: "YC_ENDPOINT_URL_RESOURCE_MANAGER",
        built_in: "https://resource-manager.api.cloud.yandex.net",
    },
    ServiceInfo {
        service: Service::Auth,
        key: "auth",
        variable: "YC_ENDPOINT_URL_AUTH",
        built_in: "https://auth.yandex.cloud",
    },
    ServiceInfo {
        service: Service::Sts,
        key: "sts",
        variable: "YC_ENDPOINT_URL_STS",
        built_in: "https://sts.yandexcloud.net",
    },
    ServiceInfo {
        service: Service::Storage,
        key: "storage",
        variable: "YC_ENDPOINT_URL_STORAGE",
        built_in: "https://storage.yandexcloud.net",
    },
    ServiceInfo {
        service: Service::Lockbox,
        key: "lockbox",
        variable: "YC_ENDPOINT_URL_LOCKBOX",
        built_in: "https://lockbox.api.cloud.yandex.net",
    },
];

/// The installation whose endpoints are built in.
const BUILT_IN_INSTALLATION: &str = "https://api.cloud.yandex.net";

/// How long the list of an installation is cached.
const LIST_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// The endpoint of every service.
#[derive(Debug)]
pub struct Endpoints {
    /// Endpoints set by variable or profile.
    overrides: [Option<String>; SERVICES.len()],
    /// Another installation than the built-in one.
    installation: Option<String>,
    list: OnceCell<EndpointList>,
    store: Store,
}

/// The endpoints that an installation lists, as cached.
#[derive(Debug, Serialize, Deserialize)]
struct EndpointList {
    installation: String,
    obtained_at: DateTime<Utc>,
    endpoints: Vec<ListedEndpoint>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ListedEndpoint {
    id: String,
    address: String,
}

impl Endpoints {
    /// Resolves the endpoint of each service: from its variable, then from the profile's table `endpoints`, then from the
    /// list of the installation that `--endpoint`, `YC_ENDPOINT` or the profile names, or else the built-in one.
    ///
    /// # Errors
    /// An endpoint is not a URL, or is plain `http` to another host than this machine.
    pub fn resolve(flag: Option<&str>, env: &Env, profile: &Profile, cache_home: Option<&Path>) -> Result<Self> {
        let table = profile.table("endpoints")?;
        if let Some(unknown) = table.and_then(|table| table.keys().find(|key| !is_known(key))) {
            let known = SERVICES.map(|info| info.key).join(", ");
            return Err(profile
                .invalid(&format!("endpoints.{unknown}"), &format!("is not a service; the services are {known}")));
        }
        let mut overrides = [const { None }; SERVICES.len()];
        for (endpoint, ServiceInfo { key, variable, .. }) in overrides.iter_mut().zip(&SERVICES) {
            if let Some(given) = env.var(variable) {
                *endpoint = Some(check_url(given).map_err(|rule| Error::usage(format!("{variable} {rule}")))?);
            } else if let Some(given) = table.and_then(|table| table.get(*key)) {
                let invalid = |rule: String| profile.invalid(&format!("endpoints.{key}"), &rule);
                let given = given.as_str().ok_or_else(|| invalid("must be a quoted string".to_owned()))?;
                *endpoint = Some(check_url(given).map_err(invalid)?);
            } else if let (&"storage", Some(given)) = (key, profile.string("storage-endpoint")?) {
                // The key that `yc` has for it.
                let invalid = |rule: String| profile.invalid("storage-endpoint", &rule);
                *endpoint = Some(check_url(&with_scheme(given, "https")).map_err(invalid)?);
            }
        }
        Ok(Self {
            overrides,
            installation: resolve_installation(flag, env, profile)?.filter(|url| url != BUILT_IN_INSTALLATION),
            list: OnceCell::new(),
            store: Store::endpoints(cache_home),
        })
    }

    /// The endpoint of a service, without a slash at its end.
    ///
    /// # Errors
    /// The list of the installation cannot be fetched, or does not have the service.
    pub async fn base(&self, service: Service, http: &Http) -> Result<String> {
        let position = position(service);
        match (&self.overrides[position], &self.installation) {
            (Some(endpoint), _) => Ok(endpoint.clone()),
            (None, None) => Ok(SERVICES[position].built_in.to_owned()),
            (None, Some(installation)) => self.listed(&SERVICES[position], installation, http).await,
        }
    }

    /// Whether the installation is the one whose endpoints are built in.
    pub fn is_built_in(&self) -> bool {
        self.installation.is_none()
    }

    /// The endpoint of a service as configured: that of the installation where only its list has the service's own.
    pub fn configured(&self, service: Service) -> &str {
        let position = position(service);
        let own = self.overrides[position].as_deref();
        own.or(self.installation.as_deref()).unwrap_or(SERVICES[position].built_in)
    }

    /// The URL at which the installation's own IAM issues tokens: the audience of a JWT. It does not depend on the endpoint
    /// that calls are sent to.
    ///
    /// # Errors
    /// The list of the installation cannot be fetched, or does not have IAM.
    pub async fn token_audience(&self, http: &Http) -> Result<String> {
        let iam = match &self.installation {
            None => SERVICES[0].built_in.to_owned(),
            Some(installation) => self.listed(&SERVICES[0], installation, http).await?,
        };
        Ok(format!("{}/iam/v1/tokens", iam.trim_end_matches(":443")))
    }

    async fn listed(&self, info: &ServiceInfo, installation: &str, http: &Http) -> Result<String> {
        let list = self.list.get_or_try_init(|| self.fetch(installation, http)).await?;
        let unlisted = || {
            Error::usage(format!("{installation} does not list an endpoint of the service '{}'", info.key))
                .hint(format!("set {}, or '{}' in the table 'endpoints' of the profile", info.variable, info.key))
        };
        let entry = list.endpoints.iter().find(|entry| entry.id == info.key).ok_or_else(unlisted)?;
        let endpoint = with_scheme(&entry.address, if installation.starts_with("http://") { "http" } else { "https" });
        let endpoint = check_url(&endpoint).and_then(|endpoint| {
            // What a list says over TLS would otherwise send tokens without it, to whoever listens on this machine.
            if installation.starts_with("https://") && endpoint.starts_with("http://") {
                return Err(format!("is {}, but must begin with https://", quote::value(&endpoint)));
            }
            Ok(endpoint)
        });
        endpoint
            .map_err(|rule| Error::config(format!("the endpoint that {installation} lists for '{}' {rule}", info.key)))
    }

    async fn fetch(&self, installation: &str, http: &Http) -> Result<EndpointList> {
        let name = fingerprint(&[installation]);
        let fresh = |list: &EndpointList| {
            list.installation == installation && (Utc::now() - list.obtained_at).abs() < LIST_LIFETIME
        };
        if let Some(list) = self.store.load(&name).filter(fresh) {
            return Ok(list);
        }
        // Of all processes that need the list at the same time, one fetches it and the others wait.
        let mut lock = self.store.lock(&name, Level::Inner, http.log()).await?;
        if let Some(list) = self.store.load(&name).filter(fresh) {
            return Ok(list);
        }
        let failed = |error: Error| error.context(format!("cannot get the list of endpoints of {installation}"));
        let url = format!("{installation}/endpoints");
        // On the heap, since several futures would hold it.
        let request = Box::pin(async {
            http.send(Request::new(Method::GET, &url)).await.and_then(Response::into_json).map_err(failed)
        });
        let response = share_failure(&mut lock, request).await?;
        let endpoints = Vec::<ListedEndpoint>::deserialize(&response["endpoints"])
            .map_err(|_| failed(Error::internal("the response has no list of endpoints")))?;
        let list = EndpointList { installation: installation.to_owned(), obtained_at: Utc::now(), endpoints };
        self.store.save(&name, &list);
        Ok(list)
    }
}

fn resolve_installation(flag: Option<&str>, env: &Env, profile: &Profile) -> Result<Option<String>> {
    let parse = |text: &str| check_url(&with_scheme(text, "https")).map(without_default_port);
    if let Some(text) = flag {
        return parse(text).map(Some).map_err(|rule| Error::usage(format!("--endpoint {rule}")));
    }
    if let Some(text) = env.var("YC_ENDPOINT") {
        return parse(text).map(Some).map_err(|rule| Error::usage(format!("YC_ENDPOINT {rule}")));
    }
    let from_profile = profile.string("endpoint")?.map(parse).transpose();
    from_profile.map_err(|rule| profile.invalid("endpoint", &rule))
}

fn position(service: Service) -> usize {
    SERVICES.iter().position(|info| info.service == service).unwrap_or_default()
}

fn is_known(key: &str) -> bool {
    SERVICES.iter().any(|info| info.key == key)
}

fn with_scheme(endpoint: &str, scheme: &str) -> String {
    if endpoint.contains("://") { endpoint.to_owned() } else { format!("{scheme}://{endpoint}") }
}

fn without_default_port(endpoint: String) -> String {
    match endpoint.strip_prefix("https://").and_then(|rest| rest.strip_suffix(":443")) {
        Some(host) => format!("https://{host}"),
        None => endpoint,
    }
}

/// Checks that secrets may be sent to a URL, and removes the slash at its end.
///
/// # Errors
/// They must not be; the message is the predicate of a sentence about the setting.
pub fn check_url(endpoint: &str) -> Result<String, String> {
    // The part before an @ or after a ? may be a secret, so such a URL is not shown.
    if endpoint.contains('@') {
        return Err("must not have a user name or password".to_owned());
    }
    if endpoint.contains(['?', '#']) {
        return Err("must not have a query or a fragment".to_owned());
    }
    host::check_ascii(endpoint)?;
    let refused = |problem: &str| Err(format!("is {}, {problem}", quote::value(endpoint)));
    // The parser leaves such characters out, and what it is given goes into URLs and messages.
    if endpoint.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return refused("which has white space or control characters in it; write https://HOST[:PORT]");
    }
    let url = match Url::parse(endpoint) {
        Ok(url) => url,
        Err(error) => return refused(&format!("which is not a URL ({error}); write https://HOST[:PORT]")),
    };
    // The name of a host is looked up on the network and shown in errors.
    if form::secret_in(endpoint).is_some() {
        return refused("which is not a URL; write https://HOST[:PORT]");
    }
    // Without its slashes, the parser would take what follows for the host.
    let Some(rest) = endpoint.get(url.scheme().len()..).and_then(|rest| rest.strip_prefix("://")) else {
        return refused("which is not a URL; write https://HOST[:PORT]");
    };
    // In lower case: others compare what it begins with.
    let checked = format!("{}://{}", url.scheme(), rest.trim_end_matches('/'));
    match url.scheme() {
        "https" => Ok(checked),
        "http" if is_loopback(&url) => Ok(checked),
        "http" => refused("but plain http is only allowed for this machine; write https://"),
        _ => refused("but must begin with https://"),
    }
}

/// Whether the host of the URL is this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || ip.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
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
        assert_eq!(endpoints.overrides[0].as_deref(), Some("https://v:8443"));
        assert_eq!(endpoints.overrides[1].as_deref(), Some("https://o"));
        assert_eq!(endpoints.overrides[2], None);
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
    fn what_a_url_parser_would_drop_is_refused() {
        for endpoint in ["https://host\u{3}", "https://ho\tst", "https://host /", "https://host\n.example"] {
            let rule = check_url(endpoint).unwrap_err();
            assert!(rule.contains("which has white space or control characters in it"), "{rule}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for host in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"] {
            assert!(resolve(None, &[("YC_ENDPOINT_URL_IAM", host)], "").is_ok(), "{host}");
        }
        for host in ["http://example.com", "http://127.0.0.1.example.com", "http://localhost.evil", "http://10.0.0.1"] {
            let error = resolve(None, &[("YC_ENDPOINT_URL_IAM", host)], "").unwrap_err().to_string();
            let rule = format!("is '{host}', but plain http is only allowed for this machine; write https://");
            assert_eq!(error, format!("YC_ENDPOINT_URL_IAM {rule}"));
            assert_eq!(resolve(Some(host), &[], "").unwrap_err().to_string(), format!("--endpoint {rule}"));
        }
    }

    #[test]
    fn the_scheme_is_in_lower_case_whoever_wrote_it() {
        assert_eq!(check_url("HTTPS://Iam.example.com/"), Ok("https://Iam.example.com".to_owned()));
        assert_eq!(check_url("HTTP://127.0.0.1:1"), Ok("http://127.0.0.1:1".to_owned()));
    }

    #[test]
    fn a_malformed_endpoint_is_refused_by_the_name_of_its_setting() {
        for endpoint in [
            "iam.example.com",
            "ftp://x",
            "https://",
            "https:x",
            "http:[::1]://x",
            "https://x\ty",
            "https://x\u{6}",
            "https://u:p@x",
            "https://x/?a=1",
            "https://x#f",
        ] {
            assert!(resolve(None, &[("YC_ENDPOINT_URL_IAM", endpoint)], "").is_err(), "{endpoint}");
        }
        let error = resolve(None, &[], "endpoints.iam = 'x'").unwrap_err().to_string();
        let rule = "is 'x', which is not a URL (relative URL without a base); write https://HOST[:PORT]";
        assert_eq!(error, format!("'profiles.p.endpoints.iam' {rule}"));
        let error = resolve(None, &[], "endpoints.aim = 'https://x'").unwrap_err().to_string();
        let rule = "is not a service; the services are iam, operation, resource-manager, auth, sts, storage, lockbox";
        assert_eq!(error, format!("'profiles.p.endpoints.aim' {rule}"));
    }
}
