//! A local emulator of Yandex Cloud: runs a `yc-rs` command line against the emulator, or serves it to other shells.
//!
//! ```sh
//! cargo run --example sandbox -- iam access-key issue-ephemeral --duration 1h
//! cargo run --example sandbox
//! ```
//!
//! The command sees an environment made from scratch, so that no token or profile of the user gets into it.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tempfile::TempDir;
use yc_emulator::{ADMIN_ID, BACKUP_ID, CLOUD_ID, Emulator, FOLDER_ID};
use yc_rs::env::Env;

/// The variable with the longest lifetime of an ephemeral key in seconds, to try what renews keys.
const KEY_LIFETIME: &str = "SANDBOX_KEY_LIFETIME";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let emulator = Emulator::start();
    add_keys(&emulator);
    emulator.grant_storage(BACKUP_ID);
    let process = Env::from_process()?;
    if let Some(seconds) = process.var(KEY_LIFETIME) {
        let seconds = seconds.parse().map_err(|_| format!("{KEY_LIFETIME} is not a number of seconds: {seconds}"))?;
        emulator.set_ephemeral_key_lifetime(Duration::from_secs(seconds));
    }
    let directory = TempDir::with_prefix("yc-rs-sandbox-")?;
    let variables = set_up(&emulator, directory.path())?;
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.iter().any(|argument| argument == "exec") {
        return Err(
            "exec takes the place of this program, and the emulator with it; serve the sandbox and use another shell"
                .into(),
        );
    }
    if arguments.is_empty() {
        serve(&emulator, &variables)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut vars = variables;
    // The command sees how to draw on the terminal and where programs are.
    for name in ["TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "PATH"] {
        vars.extend(process.var(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    let env = Env { vars, home: Some(directory.path().into()), terminal: process.terminal, ..Env::default() };
    let command_line: Vec<OsString> = std::iter::once("yc-rs".into()).chain(arguments).collect();
    Ok(ExitCode::from(yc_rs::run(&command_line, &env)))
}

/// Adds keys to find: an old one in use, an old one without use, one that was never used, and a new one.
fn add_keys(emulator: &Emulator) {
    let ago = |days: i64| emulator.now() - chrono::TimeDelta::days(days);
    for (id, description, created, used) in [
        ("ajeoldkey00000000001", "nightly backup", 412, Some(0)),
        ("ajeunused00000000001", "migration of 2024", 600, Some(230)),
        ("ajenever000000000001", "test", 120, None),
        ("ajenewkey00000000001", "uploads", 3, Some(1)),
    ] {
        emulator.add_access_key_as(id, BACKUP_ID, description);
        emulator.set_created(id, ago(created));
        if let Some(days) = used {
            emulator.set_last_used(id, ago(days));
        }
    }
}

/// Writes a configuration with a service account's key, and returns the variables that point at it and at the emulator.
fn set_up(emulator: &Emulator, directory: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let key: toml::Table = serde_json::from_str(&emulator.admin_key().file())?;
    let mut profile = toml::Table::new();
    profile.insert("cloud-id".into(), CLOUD_ID.into());
    profile.insert("folder-id".into(), FOLDER_ID.into());
    profile.insert("service-account-key".into(), key.into());
    let profiles = toml::Table::from_iter([("sandbox".to_owned(), profile.into())]);
    let config =
        toml::Table::from_iter([("current".to_owned(), "sandbox".into()), ("profiles".to_owned(), profiles.into())]);

    let ca_bundle = directory.join("ca.pem");
    write_private(&directory.join("config.toml"), &config.to_string())?;
    write_private(&ca_bundle, emulator.ca_pem())?;

    let path = |path: &Path| path.display().to_string();
    let mut variables = BTreeMap::from([
        ("YC_RS_CONFIG_DIR".to_owned(), path(directory)),
        ("YC_RS_CACHE_DIR".to_owned(), path(&directory.join("cache"))),
        ("YC_RS_STATE_DIR".to_owned(), path(&directory.join("state"))),
        ("YC_CA_BUNDLE".to_owned(), path(&ca_bundle)),
    ]);
    for service in ["IAM", "OPERATION", "RESOURCE_MANAGER", "AUTH", "STS", "STORAGE", "LOCKBOX"] {
        variables.insert(format!("YC_ENDPOINT_URL_{service}"), emulator.https_url().to_owned());
    }
    Ok(variables)
}

/// Serves the emulator until Ctrl-C.
fn serve(emulator: &Emulator, variables: &BTreeMap<String, String>) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "# The emulator runs until Ctrl-C. In another shell:")?;
    for (name, value) in variables {
        writeln!(out, "export {name}='{value}'")?;
    }
    writeln!(out, "# yc-rs then uses it:")?;
    writeln!(out, "#   yc-rs iam access-key list")?;
    writeln!(out, "#   yc-rs exec --service-account-name backup -- aws s3 mb s3://my-bucket")?;
    writeln!(out, "# and so do the AWS CLI and curl:")?;
    writeln!(out, "export AWS_CA_BUNDLE=\"$YC_CA_BUNDLE\" CURL_CA_BUNDLE=\"$YC_CA_BUNDLE\"")?;
    writeln!(out, "export SANDBOX_TOKEN='{}'", emulator.issue_token(ADMIN_ID))?;
    writeln!(
        out,
        "#   curl -H \"Authorization: Bearer $SANDBOX_TOKEN\" \"$YC_ENDPOINT_URL_IAM/iam/aws-compatibility/v1/accessKeys\""
    )?;
    out.flush()?;
    drop(out);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(tokio::signal::ctrl_c())?;
    Ok(())
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
