//! The proxy that the environment variables name.

use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use reqwest::{NoProxy, Url};
use secrecy::SecretString;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::secret::Masks;
use crate::text::host;

/// `HTTP_PROXY` is not read: only endpoints of this machine and of the metadata service have plain http, and neither
/// is reached through a proxy.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Hosts of this machine are never reached through a proxy.
///
/// Source: golang.org/x/net, `http/httpproxy`, which `yc` uses.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// A proxy for `https` URLs.
pub(super) struct Proxy {
    /// The variable that names it.
    pub(super) variable: &'static str,
    url: Url,
    /// The hosts to reach without it, separated by commas.
    bypass: String,
}

impl Proxy {
    /// Reads the usual variables; the proxy's password is masked in all output from then on.
    ///
    /// # Errors
    /// The value is not the URL of an HTTP proxy.
    pub(super) fn from_env(env: &Env, masks: &Masks) -> Result<Option<Self>> {
        let found = VARIABLES.iter().find_map(|variable| Some((*variable, env.var(variable)?)));
        let Some((variable, value)) = found else { return Ok(None) };
        let listed = env.var("NO_PROXY").or_else(|| env.var("no_proxy")).unwrap_or_default();
        // `reqwest` applies this to every name, but not to every IP address.
        if listed.split(',').any(|entry| entry.trim() == "*") {
            return Ok(None);
        }
        // The value is not shown, because it may hold a password.
        let url = parse_url(value).map_err(|reason| {
            Error::config(format!("the environment variable {variable} is not the URL of a proxy: {reason}"))
                .hint(format!("set {variable} to http://[USER:PASSWORD@]HOST:PORT, or unset it"))
        })?;
        if let Some(password) = url.password() {
            masks.add(&SecretString::from(password));
            masks.add(&SecretString::from(percent_decode_str(password).decode_utf8_lossy().into_owned()));
        }
        Ok(Some(Self { variable, url, bypass: bypass_rules(listed) }))
    }

    /// The proxy's host and port.
    pub(super) fn address(&self) -> String {
        super::host_and_port(&self.url)
    }

    /// Whether the proxy is reached over TLS, and has this host.
    pub(super) fn has_tls_host(&self, host: &str) -> bool {
        let own = self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        self.url.scheme() == "https" && own.eq_ignore_ascii_case(host)
    }

    /// Whether requests to this URL go through the proxy.
    pub(super) fn is_used_for(&self, url: &Url) -> bool {
        // `reqwest` decides by the same matcher.
        let matcher = Matcher::builder().https(self.url.as_str()).no(self.bypass.as_str()).build();
        url.as_str().parse().is_ok_and(|uri: http::Uri| matcher.intercept(&uri).is_some())
    }

    /// # Errors
    /// `reqwest` does not accept the URL.
    pub(super) fn to_reqwest(&self) -> Result<reqwest::Proxy> {
        let rule = reqwest::Proxy::https(self.url.clone()).map_err(|_| {
            Error::config(format!("the environment variable {} is not the URL of a proxy", self.variable))
        })?;
        Ok(rule.no_proxy(NoProxy::from_string(&self.bypass)))
    }
}

fn parse_url(value: &str) -> Result<Url, String> {
    let value = value.trim();
    host::check_ascii(value).map_err(|rule| format!("it {rule}"))?;
    // Also with one slash, or with none: what stands behind them may be a password.
    let has_scheme = |url: &Url| matches!(url.scheme(), "http" | "https") || value.contains("://");
    let url = match Url::parse(value) {
        Ok(url) if has_scheme(&url) => url,
        Err(error) if value.contains("://") => return Err(error.to_string()),
        Ok(_) | Err(_) => Url::parse(&format!("http://{value}")).map_err(|error| error.to_string())?,
    };
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "http" | "https" => Err("it has no host".into()),
        other => Err(format!("the scheme {other} is not supported, only http and https")),
    }
}

fn bypass_rules(listed: &str) -> String {
    // `*.example.com` and `.example.com` mean the same.
    let entries = listed.split(',').map(str::trim).map(|entry| match entry.strip_prefix("*.") {
        Some(domain) => format!(".{domain}"),
        None => entry.to_owned(),
    });
    entries.fold(LOOPBACK.to_owned(), |all, entry| all + "," + &entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(vars: &[(&str, &str)]) -> Result<Option<Proxy>> {
        let vars = vars.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Proxy::from_env(&Env { vars, ..Env::default() }, &Masks::default())
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_proxy() {
        let found = |vars| proxy(vars).unwrap().map(|proxy| (proxy.variable, proxy.address()));
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[("HTTP_PROXY", "http://a:1")]), None);
        assert_eq!(found(&[("https_proxy", "a:1"), ("HTTPS_PROXY", "")]), Some(("https_proxy", "a:1".into())));
        let both = [("HTTPS_PROXY", "https://a:1"), ("https_proxy", "http://b:1"), ("ALL_PROXY", "http://c:1")];
        assert_eq!(found(&both), Some(("HTTPS_PROXY", "a:1".into())));
        assert_eq!(found(&[("all_proxy", "http://u:p@10.0.0.1/")]), Some(("all_proxy", "10.0.0.1".into())));
        assert_eq!(found(&[("HTTPS_PROXY", "http://a:1"), ("no_proxy", "b, *")]), None);
        assert_eq!(found(&[("HTTPS_PROXY", "localhost:3128")]), Some(("HTTPS_PROXY", "localhost:3128".into())));
        assert_eq!(found(&[("HTTPS_PROXY", "http:/u:p@a:1")]), Some(("HTTPS_PROXY", "a:1".into())));
        assert_eq!(found(&[("HTTPS_PROXY", "u:p@a:1")]), Some(("HTTPS_PROXY", "a:1".into())));
    }

    #[test]
    fn the_proxy_is_used_for_https_hosts_that_no_proxy_does_not_list() {
        let vars = [("HTTPS_PROXY", "http://u:p@proxy:1"), ("no_proxy", "a.example, *.b.example,10.0.0.0/8")];
        let proxy = proxy(&vars).unwrap().unwrap();
        for (url, used) in [
            ("https://iam.api.cloud.yandex.net/iam/v1/tokens?a=b", true),
            ("https://xa.example", true),
            ("https://a.example:8443", false),
            ("https://x.b.example", false),
            ("https://10.1.2.3", false),
            ("https://[::1]:1", false),
            ("https://localhost", false),
            ("http://iam.api.cloud.yandex.net", false),
        ] {
            assert_eq!(proxy.is_used_for(&Url::parse(url).unwrap()), used, "{url}");
        }
    }

    #[test]
    fn a_malformed_proxy_is_named_without_its_password() {
        for (value, reason) in [
            ("http://u:hunter2@", "empty host"),
            ("http://u:hunter2@host:port", "invalid port number"),
            ("socks5://u:hunter2@host:1", "the scheme socks5 is not supported, only http and https"),
            ("http://", "empty host"),
        ] {
            let error = proxy(&[("HTTPS_PROXY", value)]).err().unwrap();
            let text = format!(
                "ERROR: the environment variable HTTPS_PROXY is not the URL of a proxy: {reason}\n\
                 hint: set HTTPS_PROXY to http://[USER:PASSWORD@]HOST:PORT, or unset it\n"
            );
            assert_eq!((error.to_text(), error.exit_code()), (text, 2));
        }
    }

    #[test]
    fn the_password_is_masked_in_both_spellings() {
        let masks = Masks::default();
        let vars = [("HTTPS_PROXY".into(), "http://user:pa%40ss%3Aword@proxy:1".into())].into();
        Proxy::from_env(&Env { vars, ..Env::default() }, &masks).unwrap().unwrap();
        assert_eq!(masks.mask("pa@ss:word pa%40ss%3Aword"), "**** ****");
    }

    #[test]
    fn this_machine_is_always_reached_directly() {
        assert_eq!(bypass_rules(""), "localhost,127.0.0.0/8,::1,");
        assert_eq!(bypass_rules("a.b, *.c.d"), "localhost,127.0.0.0/8,::1,a.b,.c.d");
    }
}
