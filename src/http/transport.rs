//! The connections of one [`Http`](super::Http) client.

use std::net::ToSocketAddrs;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Options;
use super::proxy::Proxy;
use super::tls::{self, CaBundle};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::process;
use crate::secret::Masks;

const USER_AGENT: &str = concat!("yc-rs/", env!("CARGO_PKG_VERSION"));

/// The client of `reqwest`, with the proxy that it uses, for messages.
pub(super) struct Transport {
    pub(super) client: reqwest::Client,
    pub(super) proxy: Option<Proxy>,
}

impl Transport {
    /// # Errors
    /// The URL of the proxy is malformed, or the CA bundle cannot be used.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes a client")]
    pub(super) fn new(options: &Options, ca_bundle: Option<&CaBundle>, env: &Env, masks: &Masks) -> Result<Self> {
        let proxy = Proxy::from_env(env, masks)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(ca_bundle, options.verify, env)?)
            .user_agent(USER_AGENT)
            // No `read_timeout`: it is checked before the connect timeout, so it would hide that one. `Http` enforces
            // the limits for the response.
            .connect_timeout(options.connect_limit())
            // A token must not follow a redirect to another host.
            .redirect(reqwest::redirect::Policy::none())
            // One loop counts the attempts.
            .retry(reqwest::retry::never())
            .dns_resolver(Resolver)
            .no_proxy();
        if let Some(proxy) = &proxy {
            builder = builder.proxy(proxy.to_reqwest()?);
        }
        let client =
            builder.build().map_err(|error| Error::internal(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self { client, proxy })
    }
}

/// Looks up hosts as the system does, on a thread of its own. That of the HTTP client panics where no thread can be
/// started.
struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses = process::on_thread(move || (host, 0).to_socket_addrs()).await??;
            Ok(Box::new(addresses) as Addrs)
        })
    }
}
