//! What a command may use: settings, the client made on first use, standard input, and where results and notes go.

use std::cell::{Cell, OnceCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::api::operation::{self, Operation};
use crate::api::{Client, folder, service_account};
use crate::auth::sign_in::{Inputs, SignIn};
use crate::auth::token_cache::TokenCache;
use crate::auth::token_source::TokenSource;
use crate::config::origin::Setting;
use crate::config::settings::{self, Folder, GlobalFlags, Settings};
use crate::endpoints::Endpoints;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::http::{Attempts, Http, Options};
use crate::input::{self, Files};
use crate::interrupt::{Deletions, InProgress, Stage};
use crate::log::Log;
use crate::output::Printer;
use crate::status::Code;
use crate::store;
use crate::text::{ids, quote};

/// The surroundings of one command.
pub struct Context<'a> {
    /// The state of the process.
    pub env: &'a Env,
    /// The flags that every command takes.
    pub flags: &'a GlobalFlags,
    /// The settings that flags, environment and profile resolve to.
    pub settings: Settings,
    /// Where notes and the debug log go.
    pub log: Log,
    /// Where results go.
    pub printer: Printer,
    http: OnceCell<Rc<Http>>,
    endpoints: OnceCell<Rc<Endpoints>>,
    client: OnceCell<Client<'a>>,
    token: OnceCell<SecretString>,
    stdin_taken_by: Cell<Option<&'static str>>,
    in_progress: InProgress,
    handles_interruptions: Cell<bool>,
}

impl<'a> Context<'a> {
    /// A context in which nothing has been read or sent yet.
    pub fn new(env: &'a Env, flags: &'a GlobalFlags, settings: Settings, log: Log, printer: Printer) -> Self {
        Self {
            env,
            flags,
            settings,
            log,
            printer,
            http: OnceCell::new(),
            endpoints: OnceCell::new(),
            client: OnceCell::new(),
            token: OnceCell::new(),
            stdin_taken_by: Cell::new(None),
            in_progress: InProgress::default(),
            handles_interruptions: Cell::new(false),
        }
    }

    /// Reads the token of `--token -`, for a command that may need the client.
    ///
    /// # Errors
    /// Standard input cannot be read.
    pub async fn read_token(&self) -> Result<()> {
        if self.flags.token.as_ref().is_some_and(|token| token.expose_secret() == "-") {
            let token = self.read_secret("-", "--token").await?.into();
            self.token.get_or_init(|| token);
        }
        Ok(())
    }

    /// The client, which signs in at its first call.
    ///
    /// # Errors
    /// The credential that is configured is none, or a setting of the network is wrong.
    pub fn client(&self) -> Result<&Client<'a>> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = self.new_client()?;
        Ok(self.client.get_or_init(|| client))
    }

    fn new_client(&self) -> Result<Client<'a>> {
        let token = self.token.get().or(self.flags.token.as_ref());
        let inputs = Inputs { token, env: self.env, profile: &self.settings.profile };
        let impersonate = self.settings.impersonate.as_ref().map(|account| account.value.clone());
        let sign_in = SignIn::resolve(inputs, impersonate, &self.log)?;
        let cache = TokenCache::new(self.cache_home().as_deref());
        Ok(Client::new(TokenSource::new(sign_in, self.http(), self.endpoints()?, cache, self.env, self.log.clone())))
    }

    /// The connections of this run.
    pub fn http(&self) -> Rc<Http> {
        self.http.get_or_init(|| Rc::new(self.new_http())).clone()
    }

    fn new_http(&self) -> Http {
        let verify = self.verifies_ssl();
        if !verify {
            self.log.warn("--no-verify-ssl: the server's certificate is not checked, so anybody may read the secrets");
        }
        let settings = &self.settings;
        let options = Options {
            attempts: settings.attempts.map_or(Attempts::Unlimited, Attempts::AtMost),
            connect_timeout: settings.connect_timeout,
            read_timeout: settings.read_timeout,
            ca_bundle: settings.ca_bundle.clone(),
            verify,
        };
        Http::new(options, self.env, self.log.clone())
    }

    /// Where the services are.
    ///
    /// # Errors
    /// An address that is given is wrong.
    pub fn endpoints(&self) -> Result<Rc<Endpoints>> {
        if let Some(endpoints) = self.endpoints.get() {
            return Ok(endpoints.clone());
        }
        let flag = settings::given(&self.flags.endpoint);
        let endpoints = Endpoints::resolve(flag, self.env, &self.settings.profile, self.cache_home().as_deref())?;
        Ok(self.endpoints.get_or_init(|| Rc::new(endpoints)).clone())
    }

    /// The directory of the caches; `None` when nothing is to be cached: what comes from a server whose certificate was
    /// not verified must not outlive the run.
    pub fn cache_home(&self) -> Option<PathBuf> {
        store::directory(self.env).filter(|_| self.verifies_ssl())
    }

    fn verifies_ssl(&self) -> bool {
        self.flags.no_verify_ssl != Some(true)
    }

    /// The ID of the folder in which names are looked up.
    ///
    /// # Errors
    /// No folder is given, or the one that is given by name cannot be found.
    pub async fn folder_id(&self) -> Result<String> {
        match &self.settings.folder {
            Some(Setting { value: Folder::Id(id), .. }) => Ok(id.clone()),
            Some(Setting { value: Folder::Name(name), origin }) => {
                let cloud = self.settings.cloud_id.as_ref().ok_or_else(|| {
                    Error::usage(format!(
                        "the folder {} ({origin}) cannot be looked up: no cloud is given",
                        quote::value(name)
                    ))
                    .hint("give --cloud-id, set YC_CLOUD_ID, or put 'cloud-id' into the profile; or give --folder-id")
                })?;
                ids::check_name(&origin.to_string(), name).map_err(Error::usage)?;
                let found = folder::id_by_name(self.client()?, &cloud.value, &cloud.origin.to_string(), name).await;
                found.map_err(|error| {
                    about_place(error, "cloud", &format!("the cloud ID {} comes from {}", cloud.value, cloud.origin))
                })
            }
            None => Err(Error::usage("a name is looked up in a folder, and no folder is given").hint(
                "give --folder-id, set YC_FOLDER_ID, or put 'folder-id' into the profile; to find the ID, type: yc-rs \
                     resource-manager folder list",
            )),
        }
    }

    /// The ID of the service account of this name in the folder in force; `flag` is where the name was given.
    ///
    /// # Errors
    /// The name cannot be one, there is no such account, or no folder is given.
    pub async fn service_account_id(&self, flag: &str, name: &str) -> Result<String> {
        ids::check_name(flag, name).map_err(Error::usage)?;
        let folder = self.folder_id().await?;
        let origin = self.settings.folder.as_ref().map(|folder| folder.origin.to_string()).unwrap_or_default();
        let found = service_account::id_by_name(self.client()?, &folder, &origin, name).await;
        found.map_err(|error| self.about_folder(error))
    }

    /// Says where the folder comes from, when an error may be due to it.
    pub fn about_folder(&self, error: Error) -> Error {
        let Some(Setting { value, origin }) = &self.settings.folder else { return error };
        let place = match value {
            Folder::Id(id) => format!("the folder ID {id} comes from {origin}"),
            Folder::Name(name) => format!("the folder '{name}' comes from {origin}"),
        };
        about_place(error, "folder", &place)
    }

    /// Text from a file, or from standard input when the path is `-`.
    ///
    /// # Errors
    /// It cannot be read, is not UTF-8, or standard input was read already.
    pub async fn read_input(&self, path: &str, reader: &'static str) -> Result<String> {
        if path == "-" {
            return self.read_stdin(reader).await;
        }
        let file = self.env.path_of(reader, path.as_ref())?;
        let text = input::file(&file, Files::Pipes).await;
        text.map_err(|rule| Error::usage(format!("{reader}: the file {} {rule}", quote::value(path))))
    }

    async fn read_stdin(&self, reader: &'static str) -> Result<String> {
        self.take_stdin(reader)?;
        input::stdin(reader).await
    }

    /// As [`Context::read_input`], for a secret: one that is typed is not shown.
    ///
    /// # Errors
    /// As those of [`Context::read_input`].
    pub async fn read_secret(&self, path: &str, reader: &'static str) -> Result<String> {
        if path != "-" {
            return self.read_input(path, reader).await;
        }
        self.take_stdin(reader)?;
        input::secret_stdin(reader).await
    }

    /// Standard input can be read once.
    fn take_stdin(&self, reader: &'static str) -> Result<()> {
        match self.stdin_taken_by.replace(Some(reader)) {
            Some(other) => Err(Error::usage(format!("{other} and {reader} cannot both be read from standard input"))),
            None => Ok(()),
        }
    }

    /// Keeps secrets out of every log line and error from now on.
    pub fn mask_secrets<'s>(&self, secrets: impl IntoIterator<Item = &'s SecretString>) {
        secrets.into_iter().for_each(|secret| self.log.masks.add(secret));
    }

    /// Creates a secret by a call that must not be repeated. When the response is lost, or no longer waited for because
    /// of Ctrl-C or `--timeout`, the error says that the secret may exist, and gives `advice` on what to do.
    ///
    /// # Errors
    /// Those of the work itself.
    pub async fn create_secret<T>(&self, advice: String, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.in_progress.watch(Stage::Creating, advice, work).await
    }

    /// Delivers the only copy of a secret. When that fails or is interrupted, the error gives `advice` on what to do.
    ///
    /// # Errors
    /// Those of the work itself.
    pub async fn deliver_secret<T>(&self, advice: String, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.in_progress.watch(Stage::Delivering, advice, work).await
    }

    /// Does work that another command can go on with. When it is interrupted, or cannot reach the server, the error gives
    /// `advice` on how.
    ///
    /// # Errors
    /// Those of the work itself.
    pub async fn resumable<T>(&self, advice: String, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.in_progress.watch(Stage::Repeatable, advice, work).await
    }

    /// Takes note that the secret that was created is held by this process for others, and is not lost any more.
    pub fn confirm_delivery(&self) {
        self.in_progress.confirm_delivery();
    }

    /// From now on neither signals nor `--timeout` end the command, which looks after signals itself.
    pub fn handle_interruptions(&self) {
        self.handles_interruptions.set(true);
    }

    /// The access keys to delete: an interruption says how far each is.
    pub fn deletions(&self) -> &Deletions {
        &self.in_progress.deletions
    }

    /// Waits for an Operation on `object` and returns it. When the wait is interrupted, the error says how to resume it.
    ///
    /// # Errors
    /// The Operation failed, or is not done in time.
    pub async fn wait_for(&self, operation: Operation, object: Option<&str>) -> Result<Operation> {
        let id = &operation.id;
        let advice = match object {
            Some(object) => {
                format!(
                    "the operation on {object} continues on the server; to wait for it, type: yc-rs operation wait {id}"
                )
            }
            None => format!("the operation continues on the server; to wait for it, type: yc-rs operation wait {id}"),
        };
        let text = match object {
            Some(object) => format!("waiting for the operation on {object}"),
            None => format!("waiting for the operation {id}"),
        };
        let wait = operation::wait(self.client()?, operation, self.max_wait());
        // On the heap, since several futures would hold it.
        let wait = Box::pin(self.in_progress.watch(Stage::Repeatable, advice, wait));
        self.log.while_waiting(&text, wait).await
    }

    /// How long an Operation is waited for: `--timeout` limits the whole command, so there is no other limit then.
    fn max_wait(&self) -> Option<Duration> {
        match self.flags.timeout {
            Some(_) => None,
            None => Some(operation::DEFAULT_WAIT),
        }
    }

    /// The error for a command that is interrupted, with the advice on all work in progress; `None` when the command
    /// goes on.
    pub fn interrupted(&self, kind: Kind, message: &str) -> Option<Error> {
        if self.handles_interruptions.get() {
            return None;
        }
        let awaits_secret = self.client.get().is_some_and(Client::awaits_unrepeatable);
        Some(self.in_progress.interrupted(kind, message, awaits_secret))
    }
}

/// Adds where a folder or cloud comes from to an error that says that it does not exist, or may not be read. `kind` is the
/// command that lists such places.
pub fn about_place(error: Error, kind: &str, place: &str) -> Error {
    match error.code() {
        Some(Code::NotFound) => {
            error.hint(format!("{place}; to find the right one, type: yc-rs resource-manager {kind} list"))
        }
        Some(Code::PermissionDenied) => error.urgent_hint(place),
        _ => error,
    }
}
