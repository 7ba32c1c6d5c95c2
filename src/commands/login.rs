//! `login`: a person's session, which begins in a browser.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use chrono::Utc;
use futures_util::future::{Either, select};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use toml::{Table, Value};
use uuid::Uuid;

use super::config::profile::profile_name;
use super::config::{shadowing, update};
use super::local::Local;
use crate::auth::browser::{Authorization, BrowserSession, CALLBACK, CLIENT_ID, Hints, PROFILE_KEY};
use crate::auth::credential::Credential;
use crate::auth::session::{Session, SessionFile};
use crate::auth::sign_in::{self, Inputs};
use crate::auth::token_cache::{Identity, TokenCache};
use crate::config::edit::FIRST_PROFILE;
use crate::config::settings::{GlobalFlags, Settings};
use crate::config::{Config, Profile};
use crate::context::Context;
use crate::endpoints::Service;
use crate::error::{Error, Kind, Result};
use crate::http::Url;
use crate::http::loopback::{Loopback, Request, Response};
use crate::text::digest::sha256_hex;
use crate::text::{escape, form, ids, quote};

/// Sign in through a browser (experimental)
#[derive(Debug, clap::Args)]
pub struct Args {
    /// ID of the identity federation [default: that of the profile]
    #[arg(long, value_name = "ID", value_parser = ids::parse_id)]
    federation_id: Option<String>,
    /// ID of the subject that signs in
    #[arg(id = "subject", long = "subject-id", value_name = "ID", value_parser = ids::parse_id)]
    subject_id: Option<String>,
    /// Name of the user who signs in
    #[arg(long, value_name = "NAME", value_parser = username)]
    username: Option<String>,
    /// Port that the browser is sent back to [default: a free one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Request no refresh token: the session lasts until its IAM token expires
    #[arg(long)]
    no_refresh: bool,
}

/// The name of a user, which becomes a part of the address that is shown.
fn username(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) || form::secret_in(text).is_some() {
        return Err("must be the name of a user, e.g. me@example.com".to_owned());
    }
    Ok(text.to_owned())
}

/// How long the browser is waited for.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Signs a person in, and makes the session the credential of the profile.
///
/// # Errors
/// The sign-in is refused or not finished in time, or something cannot be written.
pub async fn run(args: Args, local: &Local<'_>) -> Result<()> {
    let env = local.env;
    check_flags(local.flags)?;
    let config = Config::load(env)?;
    let name = local.requested_profile().or(config.current()).map(str::to_owned);
    let name = match name {
        Some(name) => name,
        None if config.names()?.is_empty() => FIRST_PROFILE.to_owned(),
        None => return Err(Error::config("no profile is chosen").hint("give --profile NAME")),
    };
    let is_new = !config.names()?.contains(&name.as_str());
    if is_new {
        profile_name(&name).map_err(|rule| Error::usage(format!("{}: {rule}", quote::value(&name))))?;
    }
    let profile = if is_new { Profile::default() } else { config.profile(Some(&name))? };
    let (port, refreshes) = (args.port, !args.no_refresh);
    let hints = hints(args, &profile)?;
    let client_id = match (env.var("YC_CLIENT_ID"), profile.string("client-id")?) {
        (Some(id), _) | (None, Some(id)) => id.to_owned(),
        (None, None) => CLIENT_ID.to_owned(),
    };
    let id = Uuid::new_v4().to_string();
    let file = SessionFile::of(&id, env)?;
    // What can be known is known before a person signs in.
    file.check_writable()?;

    let settings = Settings::with_profile(local.flags, env, profile.clone())?;
    let context = Context::new(env, local.flags, settings, local.log.clone(), local.printer()?);
    let (http, endpoints) = (context.http(), context.endpoints()?);
    let auth = endpoints.base(Service::Auth, &http).await?;
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let server = Loopback::bind(listen).await.map_err(|error| {
        Error::usage(format!("cannot listen on {listen}: {}", quote::reason(error)))
            .hint("leave --port out, and a free one is taken")
    })?;
    let port = server.address().port();
    let sign_in = Authorization::new(auth.clone(), client_id.clone(), format!("http://127.0.0.1:{port}{CALLBACK}"))?;
    context.mask_secrets([&sign_in.state, &sign_in.verifier]);
    let address = sign_in.address(&hints, refreshes);
    local.tell(&format!("To sign in, open this address in a browser:\n{address}"));
    if env.var("SSH_CONNECTION").is_some() {
        let login = env.login().unwrap_or("USER");
        local.tell(&format!(
            "This machine is used through SSH. On yours, first type: ssh -L {port}:127.0.0.1:{port} {login}@HOST"
        ));
    }
    if opens_browser(local) {
        // Without a browser, the address is there.
        let _ = open::that_detached(&address);
    }
    let code = wait_for_code(&server, sign_in.state.expose_secret()).await?;
    drop(server);
    context.mask_secrets([&code]);

    let tokens = sign_in.exchange(&code, &http).await.map_err(|error| {
        let error = error.context("cannot exchange the code of the sign-in");
        error.hint("try again: yc-rs login")
    })?;
    tokens.refresh.iter().for_each(|token| context.log.masks.add(token));
    let access = tokens.access?;
    context.log.masks.add(&access.value);
    let identity =
        Identity { issuer: endpoints.base(Service::Iam, &http).await?, subject: BrowserSession::new(&id).name(env)? };
    let cache = TokenCache::new(context.cache_home().as_deref());
    cache.store(&identity, &access);
    let lasts = tokens.refresh.is_some();
    if !lasts && cache.load(&identity, Utc::now()).is_none() {
        return Err(Error::usage("no refresh token was granted, and the IAM token cannot be cached")
            .hint("unset YC_RS_NO_CACHE, or use: export YC_IAM_TOKEN=$(yc iam create-token)"));
    }
    file.write(&Session { auth, client_id: client_id.clone(), refresh_token: tokens.refresh })?;
    let table = table(&id, client_id, &hints);
    let conflicts: Vec<_> = sign_in::profile_keys().filter(|key| *key != PROFILE_KEY).collect();
    // The configuration may have changed while the person signed in.
    let updated = update(local, |document| {
        let config = document.config()?;
        if !config.names()?.contains(&name.as_str()) {
            document.create_profile(&name)?;
        }
        document.set(&name, &[PROFILE_KEY], &Value::Table(table), &conflicts)?;
        if config.current().is_none() {
            document.set_current(&name);
        }
        Ok(())
    });
    if let Err(error) = updated.await {
        cache.take(&identity.subject);
        file.remove()?;
        return Err(error);
    }

    let title = quote::value(&name);
    local.confirm(&match (access.expires_at, lasts) {
        (_, true) => format!("Signed in; the session is that of profile {title}"),
        (Some(time), false) => format!("Signed in until {time}; the session is that of profile {title}"),
        (None, false) => format!("Signed in; the session is that of profile {title}, without a refresh token"),
    });
    let config = Config::load(env)?;
    let profile = config.profile(Some(&name))?;
    for shadow in shadowing::find(Inputs { token: None, env, profile: &profile }, None) {
        local.log.warn(&format!("{}; {}", shadow.detail, shadow.hint));
    }
    Ok(())
}

/// Refuses flags that would have no effect, or make the session that of any server.
fn check_flags(flags: &GlobalFlags) -> Result<()> {
    if flags.no_verify_ssl == Some(true) {
        return Err(Error::usage("login does not take --no-verify-ssl: the session would be that of any server")
            .hint("give the certificate of the server's authority: --ca-bundle FILE"));
    }
    let given = [
        ("--token", flags.token.is_some()),
        ("--impersonate-service-account-id", flags.impersonate_service_account_id.is_some()),
        ("--jq", flags.jq.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(Error::usage(format!("{flag} has no effect on login")).hint(format!("leave {flag} out")))
        }
        None => Ok(()),
    }
}

/// What flags say of who signs in, or else the profile: the table of an earlier sign-in, or the keys of `yc`. Subject and
/// name are of one person, so a flag for one of them leaves out both of the profile.
fn hints(args: Args, profile: &Profile) -> Result<Hints> {
    let table = profile.table(PROFILE_KEY)?;
    let of_profile = |key: &str| -> Result<Option<String>> {
        let earlier = table.and_then(|table| table.get(key)?.as_str().map(str::to_owned));
        Ok(earlier.or(profile.string(key)?.map(str::to_owned)))
    };
    let names_person = args.subject_id.is_some() || args.username.is_some();
    let person = |given: Option<String>, key| if names_person { Ok(given) } else { of_profile(key) };
    Ok(Hints {
        federation_id: args.federation_id.map_or_else(|| of_profile("federation-id"), |id| Ok(Some(id)))?,
        subject_id: person(args.subject_id, "subject-id")?,
        username: person(args.username, "username")?,
    })
}

fn table(id: &str, client_id: String, hints: &Hints) -> Table {
    let given = [
        ("client-id", Some(client_id)),
        ("federation-id", hints.federation_id.clone()),
        ("subject-id", hints.subject_id.clone()),
        ("username", hints.username.clone()),
        ("session", Some(id.to_owned())),
    ];
    given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::String(value?)))).collect()
}

/// Whether there is somebody to see a browser, and a display to show it.
fn opens_browser(local: &Local<'_>) -> bool {
    let env = local.env;
    let has_display =
        !cfg!(target_os = "linux") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env.var(name).is_some());
    local.flags.no_browser != Some(true) && env.terminal.stderr && has_display
}

/// Answers the browser until it brings a code, or the refusal of the person or the service.
async fn wait_for_code(server: &Loopback, state: &str) -> Result<SecretString> {
    let (results, mut arrived) = mpsc::channel(1);
    let port = server.address().port();
    let respond = async |request: &Request| {
        let (response, result) = answer(request, port, state);
        if let Some(result) = result {
            // The first one counts.
            let _ = results.try_send(result);
        }
        response
    };
    let waiting = async {
        let result = match select(pin!(server.serve(respond)), pin!(arrived.recv())).await {
            Either::Left((never, _)) => match never {},
            Either::Right((result, serving)) => {
                // The browser still gets its answer.
                let _ = tokio::time::timeout(Duration::from_millis(200), serving).await;
                result
            }
        };
        result.unwrap_or_else(|| Err(Error::internal("the sign-in has no result")))
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap_or_else(|_| {
        Err(Error::new(Kind::Timeout, "nobody signed in within 5 minutes").hint("try again: yc-rs login"))
    })
}

/// The response to a request of the browser, and the code or the refusal that it brings.
fn answer(request: &Request, port: u16, state: &str) -> (Response, Option<Result<SecretString>>) {
    let is_host = |host: &[u8]| {
        ["127.0.0.1", "localhost"].iter().any(|name| host.eq_ignore_ascii_case(format!("{name}:{port}").as_bytes()))
    };
    let refuse = |status: u16, text: &str| (Response::page(status, text), None);
    if !request.single_header("host").is_some_and(is_host) {
        return refuse(403, "The Host header does not name this machine.");
    }
    if request.uri().path() != CALLBACK {
        return refuse(404, "There is nothing here.");
    }
    if request.method() != "GET" {
        return refuse(405, "Only GET is supported.");
    }
    let Ok(url) = Url::parse(&format!("http://127.0.0.1{}", request.uri())) else {
        return refuse(400, "The address is malformed.");
    };
    let value = |name: &str| url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
    // Digests differ at a place that says nothing about the state.
    let is_ours = value("state").is_some_and(|found| sha256_hex(found.as_bytes()) == sha256_hex(state.as_bytes()));
    let code = value("code").filter(|code| !code.is_empty());
    match (is_ours, code, value("error")) {
        (true, _, Some(error)) => {
            let description = value("error_description").map(|text| format!(": {text}")).unwrap_or_default();
            // Its lines would look like those of the error.
            let reason = escape::single_line(&format!("{error}{description}")).into_owned();
            let error = Error::no_credentials(format!("the sign-in was refused: {reason}"));
            (Response::page(200, "The sign-in was refused. You can close this window."), Some(Err(error)))
        }
        (true, Some(code), None) => {
            (Response::page(200, "You are signed in. You can close this window."), Some(Ok(code.into())))
        }
        _ => refuse(400, "This is not the answer to the sign-in that yc-rs waits for."),
    }
}
