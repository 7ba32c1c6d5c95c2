//! `iam access-key serve`

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{self, Path, PathBuf};
use std::pin::pin;

use futures_util::future::{poll_immediate, select};
use secrecy::{ExposeSecret, SecretString};

use crate::commands::Outcome;
use crate::commands::args::ephemeral::EphemeralArgs;
use crate::commands::args::reject_format_flags;
use crate::context::Context;
use crate::credentials::Variable;
use crate::credentials::endpoint::{self, Endpoint};
use crate::credentials::forms::{self, ExportFormat};
use crate::error::{Error, Result};
use crate::http::loopback::{Loopback, parse_address};
use crate::input::{self, Files};
use crate::interrupt;
use crate::keys::refresh::{self, RenewedKey};
use crate::output::Output;
use crate::private_file::{self, NewFile};
use crate::secret;
use crate::text::quote;

/// Serve an ephemeral access key that is renewed to S3 clients, as a container credentials endpoint
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Loopback address and port to listen on, e.g. 127.0.0.1:8800 [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_address)]
    listen: Option<SocketAddr>,
    /// File with the token that clients send, created when it is missing [default: a new token, which is printed]
    #[arg(long, value_name = "FILE")]
    authorization_token_file: Option<PathBuf>,
    #[command(flatten)]
    key: EphemeralArgs,
}

/// Issues a key, prints how clients find the endpoint, and serves it until a signal arrives.
///
/// # Errors
/// The arguments are malformed, the endpoint cannot be served at the address, or no key can be had.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    reject_format_flags("serve", context)?;
    let token = Token::new(args.authorization_token_file.as_deref(), context).await?;
    let (request, min_ttl) = args.key.renewed_request(context).await?;
    // A token that is in no file is lost when it is not printed.
    let only_copy = if token.path.is_none() { Some(context.printer.only_copy()?) } else { None };
    let loopback = bind(args.listen.unwrap_or((Ipv4Addr::LOCALHOST, 0).into())).await?;
    let mut stop = pin!(interrupt::signal(context.env.ignored));
    // A signal that arrives from here on is not missed, whoever waits for it.
    let _ = poll_immediate(stop.as_mut()).await;
    let issue = async || refresh::issue(&request, min_ttl, context).await;
    // On the heap, since several futures would hold it.
    let key = RenewedKey::issue_first(issue, min_ttl, context.flags.timeout, context.log.clone());
    let key = Box::pin(key).await?;
    refresh::note_lifetime(&request, min_ttl, &key.current(), &context.log);
    let endpoint = Endpoint::new(loopback.address(), token.value.clone());
    let file = token.create_file()?;
    let exports = Output::Verbatim(exports(&endpoint, file.as_deref()).into());
    match only_copy {
        Some(printer) => drop(printer.print(exports).await?),
        None => context.printer.print(exports).await?,
    }
    context.handle_interruptions();
    select(stop, pin!(refresh::serve(&loopback, &endpoint, &key))).await;
    Ok(Outcome::default())
}

/// Binds the server of the endpoint.
///
/// # Errors
/// The address is in use, or may not be used.
async fn bind(address: SocketAddr) -> Result<Loopback> {
    Loopback::bind(address).await.map_err(|error| {
        Error::usage(format!("cannot listen on {address}: {}", quote::reason(error)))
            .hint("give another port with --listen; with the port 0 a free one is taken")
    })
}

/// How clients find the endpoint, to be evaluated by a shell.
fn exports(endpoint: &Endpoint, token_file: Option<&str>) -> String {
    let url = endpoint.url();
    let url = Variable { name: "AWS_CONTAINER_CREDENTIALS_FULL_URI", value: Some(&url) };
    let token = match token_file {
        Some(file) => Variable { name: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", value: Some(file) },
        None => Variable { name: "AWS_CONTAINER_AUTHORIZATION_TOKEN", value: Some(endpoint.token().expose_secret()) },
    };
    forms::shell_exports(&[url, token])
}

/// The token that clients send, and the file that it is in.
struct Token {
    value: SecretString,
    /// The path as clients are told it.
    path: Option<String>,
    /// The file where it is new.
    new_file: Option<NewFile>,
}

impl Token {
    /// The token of the file, or a new one.
    ///
    /// # Errors
    /// The file cannot be read or created, or what it holds is not a token.
    async fn new(file: Option<&Path>, context: &Context<'_>) -> Result<Self> {
        let new_token = || secret::random().map_err(Error::internal);
        let Some(file) = file else {
            let value = new_token()?;
            context.mask_secrets([&value]);
            return Ok(Self { value, path: None, new_file: None });
        };
        let flag = "--authorization-token-file";
        let invalid = |rule: String| Error::usage(format!("{flag}: the file {} {rule}", quote::path(file)));
        let file = context.env.path_of(flag, file)?;
        let absolute = path::absolute(&file).map_err(|error| invalid(format!("cannot be found: {error}")))?;
        // A slash at its end would be that of a directory.
        let absolute: PathBuf = absolute.components().collect();
        let path = absolute.to_str().ok_or_else(|| invalid("has a path that is not UTF-8".to_owned()))?.to_owned();
        ExportFormat::Env
            .check(&path)
            .map_err(|rule| invalid(format!("has a path that cannot be exported: it {rule}")))?;
        let (value, new_file) = match absolute.symlink_metadata() {
            Ok(_) => {
                let bytes = input::bytes(&absolute, Files::Regular, input::LIMIT).await;
                let bytes = bytes.map_err(|error| invalid(format!("cannot be read: {error}")))?;
                if private_file::everybody_can_read(&absolute) {
                    let shown = quote::path_for_sh(&absolute);
                    return Err(
                        invalid("can be read by every user".to_owned()).hint(format!("type: chmod 600 {shown}"))
                    );
                }
                (endpoint::parse_token(bytes).map_err(invalid)?, None)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let value = new_token()?;
                let new_file = NewFile::prepare(&absolute, value.expose_secret().as_bytes());
                (value, Some(new_file.map_err(|error| invalid(format!("cannot be created: {error}")))?))
            }
            Err(error) => return Err(invalid(format!("cannot be read: {error}"))),
        };
        context.mask_secrets([&value]);
        Ok(Self { value, path: Some(path), new_file })
    }

    /// Creates the file where it is new, now that clients can use the token, and returns its path.
    fn create_file(self) -> Result<Option<String>> {
        if let (Some(new_file), Some(path)) = (self.new_file, &self.path) {
            new_file.commit().map_err(|error| {
                Error::internal(format!("cannot create the file {}: {error}", quote::bare_path(path.as_ref())))
            })?;
        }
        Ok(self.path)
    }
}
