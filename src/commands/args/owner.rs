//! The service account that a key belongs to.

use clap::Args;

use crate::context::Context;
use crate::error::Result;
use crate::text::ids;

/// The service account that a key belongs to; without either flag it is the caller.
#[derive(Debug, Args)]
pub struct Owner {
    /// ID of the service account [default: the caller]
    #[arg(long, value_name = "ID", conflicts_with = "service_account_name", value_parser = ids::parse_id)]
    pub service_account_id: Option<String>,
    /// Name of the service account in the current folder
    #[arg(long, value_name = "NAME")]
    pub service_account_name: Option<String>,
}

impl Owner {
    /// The ID of the account; `None` stands for the caller.
    ///
    /// # Errors
    /// There is no account of that name, or no folder is given.
    pub async fn id(self, context: &Context<'_>) -> Result<Option<String>> {
        match self.service_account_name {
            Some(name) => context.service_account_id("--service-account-name", &name).await.map(Some),
            None => Ok(self.service_account_id),
        }
    }
}
