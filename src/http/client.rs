//! The HTTP client as this program wants it.

use super::Options;
use super::proxy::Proxy;
use super::tls;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::secret::Masks;

/// The name by which servers know this program.
const USER_AGENT: &str = concat!("yc-rs/", env!("CARGO_PKG_VERSION"));

/// A client and what messages need to know of it.
pub(super) struct Client {
    pub(super) http: reqwest::Client,
    pub(super) proxy: Option<Proxy>,
}

impl Client {
    /// # Errors
    /// The proxy's address or the file of additional roots is of no use.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes a client")]
    pub(super) fn new(options: &Options, env: &Env, masks: &Masks) -> Result<Self> {
        let proxy = Proxy::from_env(env, masks)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(options.ca_bundle.as_deref(), options.verify, env)?)
            .user_agent(USER_AGENT)
            // No `read_timeout`: it is looked at before the limit for connecting, so it would hide that one. `Http` keeps
            // the limits for the answer itself.
            .connect_timeout(options.connect_limit())
            // A token must not follow an answer to another host.
            .redirect(reqwest::redirect::Policy::none())
            // One loop counts the attempts.
            .retry(reqwest::retry::never())
            .no_proxy();
        if let Some(proxy) = &proxy {
            builder = builder.proxy(proxy.rule()?);
        }
        let http = builder.build().map_err(|error| Error::internal(format!("cannot make an HTTP client: {error}")))?;
        Ok(Self { http, proxy })
    }
}
