//! The environment of a test: an emulator, a home directory, variables made from scratch, and the program.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, TimeDelta};
use tempfile::TempDir;
use yc_emulator::{ADMIN_ID, EXTERNAL_AUDIENCE, EXTERNAL_ISSUER, Emulator, FOLDER_ID};

/// A user of the program: an emulator of their own, a home directory, and variables.
pub struct User {
    /// The emulator, which has every service.
    pub cloud: Emulator,
    home: TempDir,
    vars: BTreeMap<String, String>,
}

/// The result of a run of the program.
#[derive(Debug)]
pub struct Ran {
    /// The exit status.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl User {
    /// A user without credentials and configuration, with an emulator over plain HTTP.
    pub fn new() -> Self {
        Self::of(Emulator::start())
    }

    /// The same with this emulator.
    pub fn of(cloud: Emulator) -> Self {
        let home = TempDir::with_prefix("yc-rs-test-").unwrap();
        let url = cloud.http_url().to_owned();
        let mut user = Self { cloud, home, vars: BTreeMap::new() };
        let (config, cache) = (user.config_dir(), user.cache_dir());
        user.set("HOME", user.home.path().to_str().unwrap().to_owned());
        user.set("USER", "tester");
        user.set("YC_RS_CONFIG_DIR", config.to_str().unwrap());
        user.set("YC_RS_CACHE_DIR", cache.to_str().unwrap());
        // No server listens there: a test of the metadata service names another.
        user.set("YC_METADATA_ADDR", "127.0.0.1:1");
        user.point_at(&url);
        user
    }

    /// A user who authenticates by `YC_IAM_TOKEN` as the administrator, in the emulator's folder.
    pub fn signed_in() -> Self {
        Self::new().with_token()
    }

    /// Authenticates by `YC_IAM_TOKEN` as the administrator, in the emulator's folder.
    pub fn with_token(mut self) -> Self {
        let token = self.cloud.issue_token(ADMIN_ID);
        self.set("YC_IAM_TOKEN", token);
        self.set("YC_FOLDER_ID", FOLDER_ID);
        self
    }

    /// Authenticates by a profile with the administrator's authorized key.
    pub fn with_key(self) -> Self {
        let key: toml::Table = serde_json::from_str(&self.cloud.admin_key().file()).unwrap();
        let mut profile = toml::Table::new();
        profile.insert("folder-id".into(), FOLDER_ID.into());
        profile.insert("service-account-key".into(), key.into());
        let profiles = toml::Table::from_iter([("test".to_owned(), profile.into())]);
        let config =
            toml::Table::from_iter([("current".to_owned(), "test".into()), ("profiles".to_owned(), profiles.into())]);
        self.configure(&config.to_string());
        self
    }

    /// Authenticates as a job of another system that is bound to the administrator by workload identity federation.
    pub fn use_job(&mut self) {
        let federation = self.cloud.add_federation(EXTERNAL_ISSUER, EXTERNAL_AUDIENCE);
        self.cloud.bind(&federation, "job", ADMIN_ID);
        let token = self.cloud.external_token("job");
        self.set("JOB", token);
        let table = format!("{{ service-account-id = '{ADMIN_ID}', subject-token = 'env:JOB' }}");
        self.use_profile(&format!("workload-identity = {table}"));
    }

    /// Caches nothing, so that each run authenticates anew.
    pub fn without_cache(mut self) -> Self {
        self.set("YC_RS_NO_CACHE", "1");
        self
    }

    /// Points every endpoint at the emulator's HTTPS side, whose certificate authority is trusted.
    pub fn over_https(mut self) -> Self {
        let bundle = self.write_file("ca.pem", self.cloud.ca_pem());
        self.set("YC_CA_BUNDLE", bundle.to_str().unwrap());
        let url = self.cloud.https_url().to_owned();
        self.point_at(&url);
        self
    }

    /// Points every endpoint at this URL.
    pub fn point_at(&mut self, url: &str) {
        for service in ["IAM", "OPERATION", "RESOURCE_MANAGER", "AUTH", "STS"] {
            self.set(&format!("YC_ENDPOINT_URL_{service}"), url);
        }
    }

    /// Sets an environment variable.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.vars.insert(name.into(), value.into());
    }

    /// Removes an environment variable.
    pub fn unset(&mut self, name: &str) {
        self.vars.remove(name);
    }

    /// Writes `config.toml`, readable by the user alone.
    pub fn configure(&self, text: &str) {
        write_private(&self.config_dir().join("config.toml"), text.as_bytes());
    }

    /// Writes a file into the home directory and returns its path.
    pub fn write_file(&self, name: &str, text: &str) -> PathBuf {
        self.write_bytes(name, text.as_bytes())
    }

    /// Writes a file that need not be text into the home directory and returns its path.
    pub fn write_bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        write_private(&path, bytes);
        path
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The directory of `config.toml`.
    pub fn config_dir(&self) -> PathBuf {
        self.home.path().join("config")
    }

    /// The directory of the caches.
    pub fn cache_dir(&self) -> PathBuf {
        self.home.path().join("cache")
    }

    /// The program with this user's environment and nothing else.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_yc-rs"));
        command.args(args).env_clear().envs(&self.vars).current_dir(self.home.path());
        command
    }

    /// Runs a command line, split at white space.
    pub fn run(&self, line: &str) -> Ran {
        self.run_args(line.split_whitespace())
    }

    /// Runs the program with these arguments.
    pub fn run_args<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.run_with_input(args, "")
    }

    /// Runs the program with these arguments and this standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>, input: &str) -> Ran {
        let mut child = self.start(args);
        // The program may end without reading its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(child)
    }

    /// Starts the program with its three streams piped.
    pub fn start<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

impl Ran {
    /// Waits for a program to end. A program ended by a signal has the negative number of the signal for its code.
    pub fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        #[cfg(unix)]
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status).map(|signal| -signal);
        #[cfg(not(unix))]
        let signal = None;
        Self {
            code: output.status.code().or(signal).unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts that the run succeeded without a word on standard error, and returns standard output.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.code == 0 && self.err.is_empty(), "{self:#?}");
        self.out
    }

    /// Asserts that the run failed with this exit status, nothing on standard output and a message that begins with
    /// `ERROR:`, and returns the message.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert!(self.code == code && self.out.is_empty() && self.err.starts_with("ERROR: "), "{self:#?}");
        self.err
    }

    /// As [`ok`](Self::ok), read as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

fn write_private(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).unwrap().write_all(bytes).unwrap();
}

impl User {
    /// Another program with this user's environment, in which `yc-rs` is found by its name.
    pub fn program(&self, name: &str) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the tools of the machine are found by its own PATH")]
        let path = std::env::var_os("PATH").unwrap_or_default();
        let directory = Path::new(env!("CARGO_BIN_EXE_yc-rs")).parent().unwrap();
        let path = std::iter::once(directory.to_owned()).chain(std::env::split_paths(&path));
        let mut command = Command::new(name);
        command.env_clear().envs(&self.vars).env("PATH", std::env::join_paths(path).unwrap());
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    /// Method and path of each request that the emulator has seen, in the order of arrival.
    pub fn sent(&self) -> Vec<String> {
        self.cloud.requests().iter().map(yc_emulator::Request::line).collect()
    }
}

impl User {
    /// Writes a configuration whose only profile, the current one, is called `p` and holds these lines.
    pub fn use_profile(&self, lines: &str) {
        self.configure(&format!("current = 'p'\n[profiles.p]\n{lines}\n"));
    }

    /// How often the emulator has seen a request with this method and path.
    pub fn count(&self, line: &str) -> usize {
        self.sent().iter().filter(|sent| *sent == line).count()
    }
}

impl User {
    /// Lets this much time pass for everything in a cache: `tokens` or `keys`. A negative time sets the clock back.
    pub fn age_cache(&self, kind: &str, by: TimeDelta) {
        self.edit_cache(kind, |entry| {
            let received_at = &mut entry["lifetime"]["received_at"];
            let time = DateTime::parse_from_rfc3339(received_at.as_str().unwrap()).unwrap();
            *received_at = (time - by).to_rfc3339().into();
        });
    }

    /// Changes every entry of a cache: `tokens` or `keys`.
    pub fn edit_cache(&self, kind: &str, edit: impl Fn(&mut serde_json::Value)) {
        for file in std::fs::read_dir(self.cache_dir().join(kind)).into_iter().flatten() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let mut entry = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                edit(&mut entry);
                write_private(&path, entry.to_string().as_bytes());
            }
        }
    }
}

#[cfg(unix)]
impl User {
    /// Makes a named pipe in the home directory and returns its path. Nobody writes to it.
    pub fn make_pipe(&self, name: &str) -> PathBuf {
        let path = self.home.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        path
    }
}
