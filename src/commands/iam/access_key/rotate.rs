//! `iam access-key rotate`

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::{access_key, description};
use crate::api::access_key::ACCESS_KEY;
use crate::api::lockbox::MAX_ENTRY;
use crate::commands::Outcome;
use crate::commands::args::key_selector::SearchArgs;
use crate::context::Context;
use crate::credentials::aws_file::{AwsFiles, check_profile_name};
use crate::error::{Error, Result};
use crate::keys::rotate::journal::{Journals, Step, Verification};
use crate::keys::rotate::target::Destination;
use crate::keys::rotate::{Request, abandon, resume, start};
use crate::output::Output;
use crate::text::{duration, ids, quote};

/// Replace a static access key
#[derive(Debug, clap::Args)]
#[command(override_usage = "yc-rs iam access-key rotate <ACCESS-KEY-ID> DESTINATION [OPTIONS]\n       \
                            yc-rs iam access-key rotate --resume [<ID>] | --unfinished | --abandon <ID>")]
pub struct Args {
    #[command(flatten)]
    rotation: RotationArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Write the new key to this profile of the AWS CLI
    #[arg(long, value_name = "NAME", value_parser = check_profile_name, conflicts_with_all = OTHERS)]
    aws_profile: Option<String>,
    /// The file of that profile [default: `$AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`]
    #[arg(long, value_name = "FILE", requires = "aws_profile", hide_short_help = true)]
    aws_credentials_file: Option<PathBuf>,
    /// Write the new key to this file, as `create --format json` prints it
    #[arg(long, value_name = "FILE", conflicts_with_all = OTHERS)]
    output: Option<PathBuf>,
    /// Add a version with the new key to this secret of Lockbox
    #[arg(long, value_name = "ID", value_parser = ids::parse_id, conflicts_with_all = OTHERS)]
    lockbox_secret_id: Option<String>,
    /// Entry of the secret for the key ID [default: `key_id`]
    #[arg(long, value_name = "NAME", value_parser = entry, requires = "lockbox_secret_id", hide_short_help = true)]
    lockbox_key_id_entry: Option<String>,
    /// Entry of the secret for the secret of the key [default: secret]
    #[arg(long, value_name = "NAME", value_parser = entry, requires = "lockbox_secret_id", hide_short_help = true)]
    lockbox_secret_entry: Option<String>,
    /// Description of the new key [default: that of the old one]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = description, conflicts_with_all = OTHERS, hide_short_help = true)]
    description: Option<String>,
    /// Do not delete the old key
    #[arg(long, conflicts_with_all = OTHERS)]
    keep_old: bool,
    /// How long to wait until the storage accepts the new key [default: 2m]
    #[arg(long, value_name = "DURATION", value_parser = verify_timeout, conflicts_with_all = OTHERS, hide_short_help = true)]
    verify_timeout: Option<Duration>,
    /// Delete the old key without trying the new one
    #[arg(long, conflicts_with = "verify_timeout", conflicts_with_all = OTHERS)]
    no_verify: bool,
    /// Behind `--`: a command that takes the new key from its environment
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = OTHERS, hide_short_help = true)]
    command: Vec<OsString>,
}

/// The key to replace, or a rotation that is not finished.
#[derive(Debug, clap::Args)]
#[group(id = "rotation", required = true, multiple = false)]
struct RotationArgs {
    /// ID of the access key to replace (not the key ID that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID")]
    access_key_id: Option<String>,
    /// The same as a flag
    #[arg(long, value_name = "ID", alias = "access-key-id", hide_short_help = true)]
    id: Option<String>,
    /// Key ID that S3 requests are signed with, e.g. YCAJE123
    #[arg(long, value_name = "KEY-ID")]
    key_id: Option<String>,
    /// Go on with an unfinished rotation, or with all but those of a command
    #[arg(long, value_name = "ACCESS-KEY-ID", num_args = 0..=1, default_missing_value = "")]
    resume: Option<String>,
    /// List the unfinished rotations
    #[arg(long)]
    unfinished: bool,
    /// Give up an unfinished rotation: delete its new keys that are not in use
    #[arg(long, value_name = "ACCESS-KEY-ID", hide_short_help = true)]
    abandon: Option<String>,
}

/// The destinations, for hints.
const KINDS: &str = "--aws-profile, --output, --lockbox-secret-id or a command behind --";

/// What works on rotations that there are.
const OTHERS: [&str; 3] = ["resume", "unfinished", "abandon"];

fn verify_timeout(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text)?;
    if parsed.is_zero() {
        Err("must be longer than 0; --no-verify leaves the check out".to_owned())
    } else {
        Ok(parsed)
    }
}

/// The key of an entry of a secret.
///
/// Source: `yandex/cloud/lockbox/v1/secret_service.proto`, `PayloadEntryChange.key`.
fn entry(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./\\@".contains(c);
    if (1..=MAX_ENTRY).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(format!("the name of an entry has 1 to {MAX_ENTRY} letters, digits and characters of -_./\\@"))
}

/// Replaces a key and prints the new one, or works on rotations that are not finished.
///
/// # Errors
/// The arguments are malformed, the server refuses, or a rotation is not finished.
pub async fn run(args: Args, context: &Context<'_>) -> Result<Outcome> {
    if args.rotation.unfinished {
        context.printer.print(Output::Value(unfinished(context)?)).await?;
        return Ok(Outcome::default());
    }
    match (&args.rotation.abandon, &args.rotation.resume) {
        (Some(id), _) => return abandon(id, context).await.map(|()| Outcome::default()),
        (_, Some(id)) if id.is_empty() => return resume_all(context).await,
        (_, Some(id)) => return print(resume(id, context).await?, context).await,
        _ => {}
    }
    let request = request(args, context).await?;
    print(start(request, context).await?, context).await
}

async fn print(key: Value, context: &Context<'_>) -> Result<Outcome> {
    context.printer.print(access_key(key)).await?;
    Ok(Outcome::default())
}

async fn request(args: Args, context: &Context<'_>) -> Result<Request> {
    let given = args.rotation.access_key_id.or(args.rotation.id);
    given.as_deref().map_or(Ok(()), ids::check_id).map_err(Error::usage)?;
    let mut destinations = Vec::new();
    if let Some(profile) = args.aws_profile {
        let files = AwsFiles::locate(args.aws_credentials_file.as_deref(), context.env)?;
        destinations.push(Destination::AwsProfile { profile, file: absolute(files.credentials())? });
    }
    if let Some(file) = args.output {
        if file.as_os_str() == "-" {
            return Err(Error::usage("--output names a file, and not standard output"));
        }
        destinations.push(Destination::Output { file: absolute(&context.env.path_of("--output", &file)?)? });
    }
    if let Some(secret_id) = args.lockbox_secret_id {
        let key_id_entry = args.lockbox_key_id_entry.unwrap_or_else(|| "key_id".to_owned());
        let secret_entry = args.lockbox_secret_entry.unwrap_or_else(|| "secret".to_owned());
        if key_id_entry == secret_entry {
            let message = "--lockbox-key-id-entry and --lockbox-secret-entry name the same entry";
            return Err(Error::usage(message).hint("give two different names"));
        }
        destinations.push(Destination::Lockbox { secret_id, key_id_entry, secret_entry });
    }
    if !args.command.is_empty() {
        let word = |word: OsString| {
            word.into_string().map_err(|_| Error::usage("an argument of the command is not valid UTF-8"))
        };
        let command = args.command.into_iter().map(word).collect::<Result<_>>()?;
        destinations.push(Destination::Command { command, directory: absolute(Path::new("."))? });
    }
    if destinations.len() > 1 {
        return Err(
            Error::usage("more than one destination is given for the new key").hint(format!("give one: {KINDS}"))
        );
    }
    let Some(destination) = destinations.pop() else {
        return Err(Error::usage("no destination is given for the new key").hint(format!("give {KINDS}")));
    };
    let limit = args.verify_timeout.unwrap_or(DEFAULT_VERIFY_TIMEOUT);
    let verification = if args.no_verify { Verification::Skip } else { Verification::Seconds(limit.as_secs().max(1)) };
    let old_id = if let Some(key_id) = args.rotation.key_id {
        args.search.find(&key_id, context).await?
    } else {
        args.search.reject()?;
        given.unwrap_or_default()
    };
    Ok(Request { old_id, description: args.description, keep_old: args.keep_old, verification, destination })
}

const DEFAULT_VERIFY_TIMEOUT: Duration = Duration::from_secs(2 * 60);

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path)
        .map(|path| path.components().collect())
        .map_err(|error| Error::usage(format!("{}: {error}", quote::bare_path(path))))
}

async fn resume_all(context: &Context<'_>) -> Result<Outcome> {
    let journals = Journals::open(context.env)?;
    let (mut keys, mut failures) = (Vec::new(), Vec::new());
    for id in journals.unfinished()? {
        match journals.look_at(&id) {
            Ok(Some(journal)) if !journal.destination.is_command() => match resume(&id, context).await {
                Ok(key) => keys.push(key),
                Err(error) => failures.push(error),
            },
            Ok(Some(_)) => context.log.note(&format!(
                "the rotation of {id} delivers to a command, which is not run again unasked; to go on with it, type: yc-rs iam \
                 access-key rotate --resume {id}"
            )),
            Ok(None) => {}
            Err(error) => failures.push(error),
        }
    }
    context.printer.print(Output::Objects { message: &ACCESS_KEY, values: keys }).await?;
    Ok(Outcome { failures, ..Outcome::default() })
}

fn unfinished(context: &Context<'_>) -> Result<Value> {
    let journals = Journals::open(context.env)?;
    let mut rows = Vec::new();
    for id in journals.unfinished()? {
        let Some(journal) = journals.look_at(&id)? else { continue };
        let step = match journal.step {
            Step::Creating => "creating",
            Step::Delivering => "delivering",
            Step::Delivered => "delivered",
            Step::Deleted => "deleted",
        };
        let mut row = json!({ "id": journal.old_id });
        if let Some(new_id) = journal.new_id {
            row["new_id"] = new_id.into();
        }
        row["step"] = step.into();
        row["destination"] = journal.destination.to_string().into();
        row["started_at"] = journal.started_at.into();
        rows.push(row);
    }
    Ok(rows.into())
}
