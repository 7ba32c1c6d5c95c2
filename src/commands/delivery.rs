//! Where new credentials go: printed like every result, in a form that S3 clients read, or into the AWS credentials
//! file. Everything that can go wrong is looked for before the key is there.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::{Outcome, refuse_format_flags};
use crate::context::Context;
use crate::credentials::aws_file::{CredentialsFile, check_profile_name};
use crate::credentials::forms::{Credentials, ExportFormat, Storage, github_actions};
use crate::endpoints::Service;
use crate::error::{Error, Kind, Result};
use crate::message::Message;
use crate::output::Output;
use crate::output::stdout;

/// The region of the cloud: the only one that its storage accepts.
///
/// Source: yandex-cloud/docs, `en/storage/tools/aws-cli.md`.
const REGION: &str = "ru-central1";

/// In which form credentials are printed.
#[derive(Debug, Args)]
pub struct ExportArg {
    /// Print the credentials in a form that S3 clients and shells read; github-actions appends them to `$GITHUB_ENV`
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub export: Option<ExportFormat>,
}

/// Where S3 clients are sent.
#[derive(Debug, Args)]
pub struct RegionArg {
    /// Region that requests are signed for [default: ru-central1]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
}

/// The profile of the AWS CLI that credentials are written into.
#[derive(Debug, Args)]
pub struct AwsProfileArgs {
    /// Write the credentials into this profile of the AWS CLI instead of printing them
    #[arg(long, value_name = "NAME", value_parser = check_profile_name, conflicts_with = "export")]
    aws_profile: Option<String>,
    /// The file of that profile [default: `$AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`]
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    aws_credentials_file: Option<PathBuf>,
}

/// Credentials that were just made.
pub struct Issued {
    /// The answer.
    pub value: Value,
    /// Its shape.
    pub message: &'static Message,
    /// How to read credentials out of it.
    pub read: fn(&Value, Storage) -> Result<Credentials>,
    /// What to say when they are lost.
    pub only_copy: String,
}

/// Where credentials go.
pub enum Delivery {
    /// To standard output, as every result.
    Print,
    /// To standard output in a form of their own.
    Export(ExportFormat, Storage),
    /// Into the environment of the later steps of a job: the file that holds it.
    GithubActions(PathBuf, Storage),
    /// Into a profile.
    AwsProfile(CredentialsFile, String, Storage),
}

impl Delivery {
    /// Settles where credentials go, and checks that they can.
    ///
    /// # Errors
    /// They cannot, or flags contradict each other.
    pub async fn settle(
        export: &ExportArg,
        aws: Option<&AwsProfileArgs>,
        region: &RegionArg,
        context: &Context<'_>,
    ) -> Result<Self> {
        let (profile, file) =
            aws.map_or((None, None), |aws| (aws.aws_profile.clone(), aws.aws_credentials_file.as_deref()));
        match export.export {
            Some(format) => {
                refuse_format_flags("--export", context)?;
                let storage = match format {
                    // This form does not tell where the storage is, so nobody has to be asked.
                    ExportFormat::Process => {
                        Storage { region: self::region(region, context)?, endpoint: String::new() }
                    }
                    _ => storage(region, context).await?,
                };
                let values = [("the region", &storage.region), ("the address of the storage", &storage.endpoint)];
                for (name, value) in values {
                    format
                        .check(value)
                        .map_err(|rule| Error::usage(format!("{name} cannot be exported: it {rule}")))?;
                }
                match format {
                    ExportFormat::GithubActions => Ok(Self::GithubActions(github_env(context)?, storage)),
                    format => Ok(Self::Export(format, storage)),
                }
            }
            None if profile.is_some() || file.is_some() => {
                let profile = profile.unwrap_or_else(|| "default".to_owned());
                let file = CredentialsFile::locate(file, context.env)?;
                let storage = storage(region, context).await?;
                file.check(&profile, &storage)?;
                Ok(Self::AwsProfile(file, profile, storage))
            }
            None => Ok(Self::Print),
        }
    }

    /// Refuses a region that nothing would be done with.
    ///
    /// # Errors
    /// One is given, and the credentials are just printed.
    pub fn refuse_idle(&self, region: &RegionArg) -> Result<()> {
        match (self, &region.region) {
            (Self::Print, Some(_)) => Err(Error::usage("--region is for --export and for profiles of the AWS CLI")),
            _ => Ok(()),
        }
    }

    /// Hands credentials over, or makes them the result.
    ///
    /// # Errors
    /// They did not arrive, which the error says.
    pub async fn hand_over(self, issued: Issued, context: &Context<'_>) -> Result<Outcome> {
        let Issued { value, message, read, only_copy } = issued;
        let lost = |error: Error| error.urgent_hint(&only_copy);
        let output = match self {
            Self::Print => Output::Object { message, value },
            Self::Export(format, storage) => {
                let text = read(&value, storage).and_then(|credentials| credentials.export(format)).map_err(lost)?;
                Output::Verbatim(text.into_bytes())
            }
            Self::GithubActions(file, storage) => {
                let credentials = read(&value, storage).map_err(lost)?;
                let masks = credentials.export(ExportFormat::GithubActions).map_err(lost)?;
                let lines = github_actions::lines(&credentials);
                finish(only_copy, context, move || {
                    stdout::write_result(masks.as_bytes(), true)?;
                    append(&file, &lines).map_err(|error| {
                        Error::new(Kind::Output, format!("cannot write $GITHUB_ENV, {}: {error}", file.display()))
                    })
                })
                .await?;
                return Ok(Output::Nothing.into());
            }
            Self::AwsProfile(file, profile, storage) => {
                let credentials = read(&value, storage).map_err(lost)?;
                let done = format!(
                    "the key {} is in the profile '{profile}' of {}",
                    credentials.access_key_id,
                    file.path().display()
                );
                finish(only_copy, context, move || file.write(&profile, &credentials)).await?;
                context.log.note(&done);
                return Ok(Output::Nothing.into());
            }
        };
        Ok(Outcome { output, failures: Vec::new(), only_copy: Some(only_copy) })
    }
}

/// Where S3 clients find the storage: the region of flag or profile, and the address in force.
///
/// # Errors
/// The region cannot be one, or the address cannot be had.
pub async fn storage(arg: &RegionArg, context: &Context<'_>) -> Result<Storage> {
    Ok(Storage {
        region: region(arg, context)?,
        endpoint: context.endpoints()?.base(Service::Storage, &context.http()).await?,
    })
}

/// The region of flag or profile.
///
/// # Errors
/// It cannot be one.
pub fn region(arg: &RegionArg, context: &Context<'_>) -> Result<String> {
    let profile = &context.settings.profile;
    let is_region = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let rule = "must be letters, digits and hyphens, e.g. ru-central1";
    match (arg.region.as_deref().filter(|text| !text.is_empty()), profile.string("region")?) {
        (Some(flag), _) if is_region(flag) => Ok(flag.to_owned()),
        (Some(flag), _) => Err(Error::usage(format!("--region is '{flag}', but {rule}"))),
        (None, Some(key)) if is_region(key) => Ok(key.to_owned()),
        (None, Some(_)) => Err(profile.invalid("region", rule)),
        (None, None) => Ok(REGION.to_owned()),
    }
}

/// Does what may block where it does not hold up Ctrl-C.
async fn finish(
    only_copy: String,
    context: &Context<'_>,
    work: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<()> {
    let work = async {
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|_| Err(Error::internal("handing the credentials over failed")))
    };
    context.printing(only_copy, work).await
}

/// The file that holds the environment of the later steps.
fn github_env(context: &Context<'_>) -> Result<PathBuf> {
    let (env, rule) = (context.env, "--export github-actions is for steps of GitHub Actions");
    if env.var("GITHUB_ACTIONS") != Some("true") {
        return Err(Error::usage(format!("{rule}: GITHUB_ACTIONS is not 'true'")));
    }
    let path = env.var("GITHUB_ENV").ok_or_else(|| Error::usage(format!("{rule}: GITHUB_ENV is not set")))?;
    append(Path::new(path), "").map_err(|error| Error::usage(format!("cannot write $GITHUB_ENV, {path}: {error}")))?;
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
