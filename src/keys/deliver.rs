//! Delivering a new key: printed like every result, exported in a form that S3 clients read, or written to the AWS
//! credentials file. Everything that can go wrong is checked before the key exists.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::storage::{region, storage};
use crate::api::access_key::{CREATE_RESPONSE, StaticKey};
use crate::api::temporary_access_key::{EPHEMERAL_KEY, EphemeralKey};
use crate::context::Context;
use crate::credentials::aws_file::CredentialsFile;
use crate::credentials::forms::{ExportFormat, github_actions};
use crate::credentials::{Credentials, Storage};
use crate::error::{Error, Kind, Result};
use crate::output::Output;
use crate::text::quote;

/// The destination of a new key.
#[derive(Debug)]
pub enum Delivery {
    /// Standard output, as every result.
    Print,
    /// Standard output, in a form that S3 clients and shells read.
    Export(ExportFormat, Storage),
    /// The variables of later steps of a GitHub Actions job: the file that holds them.
    GithubActions(PathBuf, Storage),
    /// A profile of the AWS credentials file.
    AwsProfile(CredentialsFile, String, Storage),
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
    /// The format cannot carry the region or the endpoint, or `$GITHUB_ENV` cannot be written.
    pub async fn export(format: ExportFormat, region_flag: Option<&str>, context: &Context<'_>) -> Result<Self> {
        let storage = match format {
            // This form does not carry the endpoint, so no endpoint has to be looked up.
            ExportFormat::Process => Storage { region: region(region_flag, context)?, endpoint: String::new() },
            _ => storage(region_flag, context).await?,
        };
        for (name, value) in [("the region", &storage.region), ("the storage endpoint", &storage.endpoint)] {
            format.check(value).map_err(|rule| Error::usage(format!("{name} cannot be exported: it {rule}")))?;
        }
        match format {
            ExportFormat::GithubActions => Ok(Self::GithubActions(github_env(context)?, storage)),
            format => Ok(Self::Export(format, storage)),
        }
    }

    /// Delivery to a profile of the AWS credentials file; checks what is known before the key exists.
    ///
    /// # Errors
    /// The file or the profile cannot be written.
    pub async fn aws_profile(
        profile: String,
        file: Option<&Path>,
        region_flag: Option<&str>,
        context: &Context<'_>,
    ) -> Result<Self> {
        let file = CredentialsFile::locate(file, context.env)?;
        let storage = storage(region_flag, context).await?;
        file.check(&profile, &storage)?;
        Ok(Self::AwsProfile(file, profile, storage))
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
            Self::Print => context.printer.print_only_copy(key.into_output()).await,
            Self::Export(format, storage) => {
                let text = key.credentials(storage).export(format)?;
                context.printer.print_only_copy(Output::Verbatim(text.into_bytes())).await
            }
            Self::GithubActions(file, storage) => {
                let credentials = key.credentials(storage);
                let masks = credentials.export(ExportFormat::GithubActions)?;
                context.printer.print_only_copy(Output::Verbatim(masks.into_bytes())).await?;
                let lines = github_actions::lines(&credentials);
                on_blocking_thread(move || {
                    append(&file, &lines).map_err(|error| {
                        Error::new(
                            Kind::Output,
                            format!("cannot write $GITHUB_ENV, {}: {error}", quote::full_path(&file)),
                        )
                    })
                })
                .await
            }
            Self::AwsProfile(file, profile, storage) => {
                let credentials = key.credentials(storage);
                let done = format!(
                    "the key {} is in the profile {} of {}",
                    credentials.access_key_id,
                    quote::value(&profile),
                    quote::full_path(file.path())
                );
                on_blocking_thread(move || file.write(&profile, &credentials)).await?;
                context.log.note(&done);
                Ok(())
            }
        }
    }
}

/// Runs what may block where it does not hold up Ctrl-C.
async fn on_blocking_thread(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Error::internal("delivering the credentials failed")))
}

/// The file that GitHub Actions reads the variables of later steps from.
fn github_env(context: &Context<'_>) -> Result<PathBuf> {
    let (env, rule) = (context.env, "--export github-actions is for steps of GitHub Actions");
    if env.var("GITHUB_ACTIONS") != Some("true") {
        return Err(Error::usage(format!("{rule}: GITHUB_ACTIONS is not 'true'")));
    }
    let path = env.var("GITHUB_ENV").ok_or_else(|| Error::usage(format!("{rule}: GITHUB_ENV is not set")))?;
    append(Path::new(path), "")
        .map_err(|error| Error::usage(format!("cannot write $GITHUB_ENV, {}: {error}", quote::bare(path))))?;
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
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
    }
}
