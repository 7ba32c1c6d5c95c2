//! Which access keys a command works on.

use clap::Args;

use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::keys::find::{NotFound, by_key_id};
use crate::keys::walk::Scope;
use crate::text::{ids, quote};

/// An access key by its resource ID or its key ID.
#[derive(Debug, Args)]
#[group(id = "key", required = true, multiple = false)]
pub struct OneKey {
    /// ID of the access key (not the key ID that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID")]
    access_key_id: Option<String>,
    /// The same as a flag
    #[arg(long, value_name = "ID", alias = "access-key-id")]
    id: Option<String>,
    /// Key ID that S3 requests are signed with, e.g. YCAJE123
    #[arg(long, value_name = "KEY-ID")]
    key_id: Option<String>,
}

impl OneKey {
    /// The resource ID.
    ///
    /// # Errors
    /// It cannot be an ID, or there is no key of that key ID.
    pub async fn id(self, search: SearchArgs, context: &Context<'_>) -> Result<String> {
        if let Some(key_id) = self.key_id {
            return search.find(&key_id, context).await;
        }
        search.reject()?;
        ids::parse_id(&self.access_key_id.or(self.id).unwrap_or_default()).map_err(Error::usage)
    }
}

/// Access keys by their resource IDs, or one by its key ID.
#[derive(Debug, Args)]
#[group(id = "keys", required = true, multiple = false)]
pub struct Keys {
    /// IDs of the access keys (not the key IDs that S3 requests are signed with)
    #[arg(value_name = "ACCESS-KEY-ID")]
    access_key_ids: Vec<String>,
    /// ID of an access key; may be given several times
    #[arg(long, value_name = "ID", alias = "access-key-id")]
    id: Vec<String>,
    /// Key ID that S3 requests are signed with, e.g. YCAJE123
    #[arg(long, value_name = "KEY-ID")]
    key_id: Option<String>,
}

impl Keys {
    /// The resource IDs, each once and in the order given.
    ///
    /// # Errors
    /// One of them cannot be an ID, or there is no key of that key ID.
    pub async fn ids(self, search: SearchArgs, context: &Context<'_>) -> Result<Vec<String>> {
        if let Some(key_id) = self.key_id {
            return Ok(vec![search.find(&key_id, context).await?]);
        }
        search.reject()?;
        let mut ids: Vec<String> = Vec::new();
        for id in self.access_key_ids.into_iter().chain(self.id) {
            ids::check_id(&id).map_err(Error::usage)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}

/// Where the key of a key ID is looked for.
#[derive(Debug, Default, Args)]
pub struct SearchArgs {
    /// With --key-id: ID of the service account that the key belongs to
    #[arg(long, value_name = "ID", conflicts_with = "service_account_name", value_parser = ids::parse_id, hide_short_help = true)]
    service_account_id: Option<String>,
    /// With --key-id: name of that service account in the current folder
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    service_account_name: Option<String>,
    #[arg(skip)]
    wide: WideSearchArgs,
}

/// Where else the key of a key ID is looked for.
#[derive(Debug, Default, Args)]
#[group(id = "wide_search", multiple = false, conflicts_with_all = ["service_account_id", "service_account_name"])]
pub struct WideSearchArgs {
    /// With --key-id: search every folder of the cloud
    #[arg(long)]
    all_folders: bool,
    /// With --key-id: search every cloud of the organization of this ID
    #[arg(long, value_name = "ID", value_parser = ids::parse_id)]
    organization_id: Option<String>,
}

impl SearchArgs {
    /// The same with a wider scope, where one is given.
    #[must_use]
    pub fn or(self, wide: WideSearchArgs) -> Self {
        Self { wide, ..self }
    }

    /// Rejects a place to look in when nothing is looked for.
    ///
    /// # Errors
    /// One is given.
    pub fn reject(&self) -> Result<()> {
        let given = [
            ("--service-account-id", self.service_account_id.is_some()),
            ("--service-account-name", self.service_account_name.is_some()),
            ("--all-folders", self.wide.all_folders),
            ("--organization-id", self.wide.organization_id.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((flag, _)) => Err(Error::usage(format!("{flag} is for --key-id; an ID needs no search")).hint(
                "to list the keys of a service account, type: yc-rs iam access-key list --service-account-name <NAME>",
            )),
            None => Ok(()),
        }
    }

    /// The resource ID of the key of this key ID.
    ///
    /// # Errors
    /// There is none where it was looked for, or not everything could be read.
    pub async fn find(self, key_id: &str, context: &Context<'_>) -> Result<String> {
        ids::check_id(key_id).map_err(|rule| Error::usage(format!("--key-id: {rule}")))?;
        let scope = match (self.service_account_id, self.service_account_name) {
            (Some(id), _) => Scope::Account(id),
            (None, Some(name)) => Scope::Account(context.service_account_id("--service-account-name", &name).await?),
            (None, None) if self.wide.all_folders => cloud(context)?,
            (None, None) if self.wide.organization_id.is_some() => {
                Scope::Organization(self.wide.organization_id.unwrap_or_default())
            }
            (None, None) => Scope::Folder(context.folder_id().await?),
        };
        find(key_id, &scope, context).await
    }
}

/// The cloud in force.
///
/// # Errors
/// No cloud is given.
pub fn cloud(context: &Context<'_>) -> Result<Scope> {
    match &context.settings.cloud_id {
        Some(cloud) => Ok(Scope::Cloud(cloud.value.clone())),
        None => Err(Error::usage("--all-folders is about a cloud, and no cloud is given")
            .hint("give --cloud-id, set YC_CLOUD_ID, or put 'cloud-id' into the profile")),
    }
}

/// The resource ID of the key of this key ID.
///
/// # Errors
/// There is none in the scope, or not everything could be read.
pub async fn find(key_id: &str, scope: &Scope, context: &Context<'_>) -> Result<String> {
    match by_key_id(key_id, scope, context).await {
        Ok(key) => Ok(key.id),
        Err(NotFound::Nowhere(error)) => {
            Err(error.hint("name another folder with --folder-id, or the account with --service-account-id"))
        }
        Err(NotFound::Unknown(failures)) => Err(unknown(key_id, failures)),
    }
}

/// One error for all that could not be read.
fn unknown(key_id: &str, mut failures: Vec<Error>) -> Error {
    let about = format!("the key with the key ID {} was not found", quote::value(key_id));
    let first = if failures.is_empty() { Error::internal("nothing was read") } else { failures.remove(0) };
    if failures.is_empty() {
        return first.context(about);
    }
    let others = failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if failures.iter().all(|error| error.exit_code() == first.exit_code()) {
        return first.context(format!("{about}; {others}"));
    }
    Error::new(Kind::Conflict, format!("{about}; {first}; {others}"))
}
