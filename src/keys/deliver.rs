//! Delivering a new key: printed like every result, exported in a form that S3 clients read, or written to the AWS
//! credentials file. Everything that can go wrong is checked before the key exists.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::storage::{check_region_flag, storage};
use crate::api::access_key::{CREATE_RESPONSE, StaticKey};
use crate::api::temporary_access_key::{EPHEMERAL_KEY, EphemeralKey};
use crate::context::Context;
use crate::credentials::aws_file::{AwsFiles, Lifetime, ProfileWriter};
use crate::credentials::forms::{ExportFormat, github_actions, process};
use crate::credentials::{Credentials, Storage};
use crate::error::{Error, Kind, Result};
use crate::output::{OnlyCopy, Output, Worker};
use crate::process::SpareDescriptors;
use crate::text::quote;

/// The destination of a new key, with everything that writing to it needs.
pub enum Delivery {
    /// Standard output, as every result.
    Print(OnlyCopy),
    /// Standard output, in a form that S3 clients and shells read.
    Export(ExportFormat, Storage, OnlyCopy),
    /// The variables of later steps of a GitHub Actions job: the file that holds them.
    GithubActions {
        /// `$GITHUB_ENV`
        file: PathBuf,
        /// Whether an earlier step, or the job, has set `AWS_SECURITY_TOKEN`.
        security_token: bool,
        /// Where the storage is.
        storage: Storage,
        /// What prints the masks.
        printer: OnlyCopy,
        /// What writes the file.
        worker: Worker,
        /// What the file needs.
        spare: SpareDescriptors,
    },
    /// A profile of the AWS credentials file, whose lock is held.
    AwsProfile(Box<ProfileWriter>, Worker, SpareDescriptors),
}

/// A key that was just created.
#[derive(Debug)]
pub enum NewKey {
    /// A static key.
    Static(StaticKey),
    /// A key that expires.
    Ephemeral(EphemeralKey),
}

impl NewKey {
    fn secret(&self) -> &SecretString {
        match self {
            Self::Static(key) => &key.secret,
            Self::Ephemeral(key) => &key.secret,
        }
    }

    /// What to tell the user when the output of a filter does not contain the secret.
    fn warning_not_shown(&self) -> String {
        match self {
            Self::Static(key) => format!(
                "the output of --jq does not contain the secret of the key {id}, and the secret cannot be shown again; \
                 to delete the key, type: yc-rs iam access-key delete {id}",
                id = key.id
            ),
            Self::Ephemeral(key) => format!(
                "the output of --jq does not contain the secret of the key {}; the key expires at {}",
                key.access_key_id,
                key.raw["expiresAt"].as_str().unwrap_or_default()
            ),
        }
    }

    fn credentials(&self, storage: Storage) -> Credentials {
        match self {
            Self::Static(key) => Credentials::permanent(key, storage),
            Self::Ephemeral(key) => Credentials::ephemeral(key, storage),
        }
    }

    fn into_output(self) -> Output {
        match self {
            Self::Static(key) => Output::Object { message: &CREATE_RESPONSE, value: key.raw },
            Self::Ephemeral(key) => Output::Object { message: &EPHEMERAL_KEY, value: key.raw },
        }
    }
}

impl Delivery {
    /// Delivery in an export format; checks what is known before the key exists.
    ///
    /// # Errors
    /// Standard output or `$GITHUB_ENV` cannot be written, or the format cannot carry the region or the endpoint.
    pub async fn export(format: ExportFormat, region_flag: Option<&str>, context: &Context<'_>) -> Result<Self> {
        let printer = context.printer.only_copy()?;
        let storage = match format {
            // This form carries neither region nor endpoint, so they need not be known.
            ExportFormat::Process => Storage::default(),
            _ => storage(region_flag, context).await?,
        };
        for (name, value) in [("the region", &storage.region), ("the storage endpoint", &storage.endpoint)] {
            format.check(value).map_err(|rule| Error::usage(format!("{name} cannot be exported: it {rule}")))?;
        }
        match format {
            ExportFormat::GithubActions => {
                let security_token = context.env.vars.contains_key("AWS_SECURITY_TOKEN");
                let file = github_env(context)?;
                let (worker, spare) = (Worker::start(), spare_descriptors()?);
                Ok(Self::GithubActions { file, security_token, storage, printer, worker, spare })
            }
            format => Ok(Self::Export(format, storage, printer)),
        }
    }

    /// Delivery to a profile of the AWS credentials file; everything that can fail or wait is done before the key
    /// exists, and the lock of the file is held from then on.
    ///
    /// # Errors
    /// The file or the profile cannot be written, or the lock is held by another process for too long.
    pub async fn aws_profile(
        profile: String,
        file: Option<&Path>,
        lifetime: Lifetime,
        region_flag: Option<&str>,
        context: &Context<'_>,
    ) -> Result<Self> {
        check_region_flag(region_flag)?;
        let files = AwsFiles::locate(file, context.env)?;
        let writer = ProfileWriter::prepare(files, profile, lifetime, &context.log).await?;
        if !writer.is_new() {
            return Ok(Self::AwsProfile(Box::new(writer), Worker::start(), spare_descriptors()?));
        }
        let storage = storage(region_flag, context).await?;
        let writer = Box::new(writer.with_storage(storage)?);
        Ok(Self::AwsProfile(writer, Worker::start(), spare_descriptors()?))
    }

    /// Delivers the key. When it does not arrive, the error gives `lost_secret_advice`.
    ///
    /// # Errors
    /// The key did not arrive.
    pub async fn deliver(self, key: NewKey, lost_secret_advice: String, context: &Context<'_>) -> Result<()> {
        context.deliver_secret(lost_secret_advice, self.write(key, context)).await
    }

    async fn write(self, key: NewKey, context: &Context<'_>) -> Result<()> {
        match self {
            Self::Print(printer) => {
                let (secret, warning) = (key.secret().clone(), key.warning_not_shown());
                let shown = printer.print(key.into_output()).await?;
                if context.printer.has_filter() && !contains(&shown, secret.expose_secret()) {
                    context.log.warn(&warning);
                }
                Ok(())
            }
            Self::Export(format, storage, printer) => {
                let text = key.credentials(storage).export(format)?;
                if format == ExportFormat::Process && text.len() > process::LONGEST {
                    context.log.note(&format!(
                        "the credentials take {} bytes as JSON, and some AWS SDKs read at most {} from \
                         credential_process",
                        text.len(),
                        process::LONGEST
                    ));
                }
                printer.print(Output::Verbatim(text.into_bytes())).await.map(drop)
            }
            Self::GithubActions { file, security_token, storage, printer, worker, spare } => {
                let credentials = key.credentials(storage);
                let masks = credentials.export(ExportFormat::GithubActions)?;
                printer.print(Output::Verbatim(masks.into_bytes())).await?;
                drop(spare);
                let lines = github_actions::lines(&credentials, security_token);
                worker
                    .run(move || {
                        append(&file, &lines).map_err(|error| {
                            Error::new(
                                Kind::Output,
                                format!("cannot write $GITHUB_ENV, {}: {error}", quote::bare_path(&file)),
                            )
                        })
                    })
                    .await?
            }
            Self::AwsProfile(writer, worker, spare) => {
                drop(spare);
                let credentials = key.credentials(Storage::default());
                let done = format!(
                    "the key {} is in the profile {} of {}",
                    credentials.access_key_id,
                    quote::value(writer.profile()),
                    quote::bare_path(writer.path())
                );
                worker.run(move || writer.write(&credentials)).await??;
                context.log.note(&done);
                Ok(())
            }
        }
    }
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len().max(1)).any(|window| window == part.as_bytes())
}

/// The descriptors that writing a file needs, held until then, so that a limit is met before the key exists.
fn spare_descriptors() -> Result<SpareDescriptors> {
    SpareDescriptors::reserve(4).map_err(|error| {
        Error::new(Kind::Output, format!("cannot open the files that delivering a key needs: {error}"))
    })
}

/// The file that GitHub Actions reads the variables of later steps from.
fn github_env(context: &Context<'_>) -> Result<PathBuf> {
    let (env, rule) = (context.env, "--export github-actions is for steps of GitHub Actions");
    if env.var("GITHUB_ACTIONS") != Some("true") {
        return Err(Error::usage(format!("{rule}: GITHUB_ACTIONS is not 'true'")));
    }
    let path = env.var("GITHUB_ENV").ok_or_else(|| Error::usage(format!("{rule}: GITHUB_ENV is not set")))?;
    if let Some(name) = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter().find(|name| env.var(name).is_some()) {
        // No line of the file can unset a variable, and AWS clients take the credentials of a profile first.
        let message = format!("{name} is set, so the later steps would use that profile in place of the key");
        return Err(Error::usage(message).hint(format!("remove {name} from the env of the workflow")));
    }
    let cannot = |reason: &str| Error::usage(format!("cannot write $GITHUB_ENV, {}: {reason}", quote::bare(path)));
    // Opening a pipe would wait for its reader.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(cannot("it is not a regular file"));
    }
    append(Path::new(path), "").map_err(|error| cannot(&error.to_string()))?;
    Ok(path.into())
}

/// Appends whole lines to a file that is there.
fn append(path: &Path, lines: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).open(path)?;
    if lines.is_empty() {
        return Ok(());
    }
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(-1)).is_ok() {
        file.read_exact(&mut last)?;
    }
    let separator = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{separator}{lines}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_join_a_line_that_has_no_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        assert!(append(&path, "A=1\n").is_err());
        for (before, after) in [("", "A=1\n"), ("X=1\n", "X=1\nA=1\n"), ("X=1", "X=1\nA=1\n")] {
            crate::private_file::replace(&path, before.as_bytes()).unwrap();
            append(&path, "").unwrap();
            append(&path, "A=1\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
    }
}
