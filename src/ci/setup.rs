//! Makes a federation and a federated credential where they are missing. Made twice, nothing changes.

use super::provider::Provider;
use crate::api::federated_credential::{self, FederatedCredential};
use crate::api::federation::{self, Federation};
use crate::api::operation::Operation;
use crate::context::Context;
use crate::error::{Error, Kind, Result};
use crate::status::Code;
use crate::text::quote;

/// What is set up.
pub struct Request {
    /// The tokens that are trusted.
    pub provider: Provider,
    /// The folder of the federation.
    pub folder_id: String,
    /// The account that the jobs act as.
    pub service_account_id: String,
    /// The federation that is used, or made under this name.
    pub federation_name: Option<String>,
    /// Whether nothing is made.
    pub dry_run: bool,
}

/// What there is now.
pub struct Done {
    /// The ID of the federation; `None` when it would be made.
    pub federation_id: Option<String>,
    /// The ID of the federated credential; `None` when it would be made.
    pub federated_credential_id: Option<String>,
    /// What was made, or would be.
    pub created: Vec<&'static str>,
}

/// Sets it up.
///
/// # Errors
/// A federation of the issuer does not fit, the server refuses, or cannot be reached.
pub async fn setup(request: &Request, context: &Context<'_>) -> Result<Done> {
    let mut created = Vec::new();
    // An account that does not exist is found before anything is made.
    let credentials = credentials(request, context).await?;
    let federation_id = if let Some(found) = federation(request, context).await? {
        Some(found.id)
    } else {
        created.push("federation");
        if request.dry_run { None } else { Some(create_federation(request, context).await?) }
    };
    let found = federation_id.as_ref().and_then(|id| credential(credentials, id, request));
    let federated_credential_id = match (found, &federation_id) {
        (Some(found), _) => Some(found.id),
        (None, id) => {
            created.push("federated_credential");
            match id {
                Some(id) if !request.dry_run => Some(create_credential(id, request, context).await?),
                _ => None,
            }
        }
    };
    Ok(Done { federation_id, federated_credential_id, created })
}

/// The federation that accepts the tokens.
async fn federation(request: &Request, context: &Context<'_>) -> Result<Option<Federation>> {
    let listed = federation::all(context.client()?, &request.folder_id).await;
    let mut federations = listed.map_err(|error| {
        context.about_folder(error.context("cannot list the workload identity federations of the folder"))
    })?;
    // RFC 3339 in UTC sorts by time.
    federations.sort_by(|one, other| one.created_at.cmp(&other.created_at));
    choose(federations, &request.provider, request.federation_name.as_deref())
}

/// The federation of this name, or the oldest one that accepts the tokens; `None` when one has to be made.
fn choose(federations: Vec<Federation>, provider: &Provider, name: Option<&str>) -> Result<Option<Federation>> {
    let mut of_issuer = None;
    for federation in federations {
        let is_named = name == Some(&federation.name);
        if name.is_some() && !is_named {
            continue;
        }
        let has_issuer = federation.issuer == provider.issuer;
        if has_issuer && federation.enabled && federation.audiences.contains(&provider.audience) {
            return Ok(Some(federation));
        }
        if is_named || (has_issuer && of_issuer.is_none()) {
            of_issuer = Some(federation);
        }
    }
    match of_issuer {
        None => Ok(None),
        Some(federation) => Err(unfit(&federation, provider)),
    }
}

/// The error for a federation that does not accept the tokens.
fn unfit(federation: &Federation, provider: &Provider) -> Error {
    let Federation { id, name, .. } = federation;
    let name = quote::value(name);
    let another = "or make another one with --federation-name";
    let (problem, fix) = if federation.issuer != provider.issuer {
        let [is, must] = [&federation.issuer, &provider.issuer].map(|issuer| quote::value(issuer));
        (
            format!("has the issuer {is}, but the tokens have {must}"),
            "choose another name for --federation-name".to_owned(),
        )
    } else if federation.enabled {
        let audiences: Vec<_> = federation.audiences.iter().map(String::as_str).collect();
        let audience = quote::value(&provider.audience);
        (
            format!("does not accept the audience {audience}, but {}", quote::list(&audiences)),
            format!("add the audience {audience} to the federation {id}, {another}"),
        )
    } else {
        ("is disabled".to_owned(), format!("enable the federation {id}, {another}"))
    };
    Error::new(Kind::Conflict, format!("the federation {name} ({id}) {problem}")).hint(fix)
}

/// The federated credentials of the account.
async fn credentials(request: &Request, context: &Context<'_>) -> Result<Vec<FederatedCredential>> {
    let account = &request.service_account_id;
    federated_credential::all(context.client()?, account).await.map_err(|error| {
        let error = error.context(format!("cannot list the federated credentials of the service account {account}"));
        match error.code() {
            Some(Code::NotFound) => error.hint("to find the account, type: yc-rs iam service-account list"),
            _ => error,
        }
    })
}

/// The one of these that lets the subject act as the account.
fn credential(
    credentials: Vec<FederatedCredential>,
    federation_id: &str,
    request: &Request,
) -> Option<FederatedCredential> {
    let is_it = |credential: &FederatedCredential| {
        credential.federation_id == federation_id && credential.external_subject_id == request.provider.subject
    };
    credentials.into_iter().find(is_it)
}

async fn create_federation(request: &Request, context: &Context<'_>) -> Result<String> {
    let Provider { issuer, audience, jwks_url, .. } = &request.provider;
    let name = request.federation_name.clone().unwrap_or_else(|| request.provider.default_name());
    let client = context.client()?;
    let started = federation::create(client, &request.folder_id, &name, issuer, audience, jwks_url).await;
    let error = match finish(started, "the federation", context).await {
        Ok(id) => return Ok(id),
        Err(error) => error.context(format!("cannot create the federation {}", quote::value(&name))),
    };
    // Somebody else was faster.
    if already_exists(&error) {
        federation(request, context).await?.map(|federation| federation.id).ok_or(error)
    } else {
        Err(context.about_folder(error))
    }
}

async fn create_credential(federation_id: &str, request: &Request, context: &Context<'_>) -> Result<String> {
    let account = &request.service_account_id;
    let client = context.client()?;
    let started = federated_credential::create(client, account, federation_id, &request.provider.subject).await;
    let error = match finish(started, "the federated credential", context).await {
        Ok(id) => return Ok(id),
        Err(error) => error.context(format!("cannot create a federated credential of the service account {account}")),
    };
    if already_exists(&error) {
        let credentials = credentials(request, context).await?;
        credential(credentials, federation_id, request).map(|credential| credential.id).ok_or(error)
    } else {
        Err(error)
    }
}

/// Waits until a resource is there; its ID.
async fn finish(started: Result<Operation>, what: &str, context: &Context<'_>) -> Result<String> {
    let done = context.wait_for(started?, Some(what)).await?;
    let resource = done.into_response().unwrap_or_default();
    match resource["id"].as_str() {
        Some(id) => Ok(id.to_owned()),
        None => Err(Error::internal("the server's response has no 'id'")),
    }
}

fn already_exists(error: &Error) -> bool {
    error.code() == Some(Code::AlreadyExists)
}

#[cfg(test)]
mod tests {
    use super::super::provider::Selector;
    use super::*;

    fn federation(id: &str, issuer: &str, audience: &str, enabled: bool) -> Federation {
        Federation {
            id: id.to_owned(),
            name: format!("name-{id}"),
            enabled,
            audiences: vec![audience.to_owned()],
            issuer: issuer.to_owned(),
            created_at: id.to_owned(),
        }
    }

    #[test]
    fn the_oldest_federation_that_fits_is_used_and_one_that_does_not_is_explained() {
        let provider = Provider::github("o/r", None, &Selector::PullRequest).unwrap();
        let (issuer, audience) = (&*provider.issuer, &*provider.audience);
        let chosen = |federations, name| choose(federations, &provider, name).map(|found| found.map(|it| it.id));
        let fits = |id| federation(id, issuer, audience, true);
        let disabled = federation("0", issuer, audience, false);
        let other_audience = federation("1", issuer, "other", true);
        let other_issuer = federation("2", "https://other", audience, true);
        assert_eq!(chosen(vec![], None).unwrap(), None);
        assert_eq!(chosen(vec![other_issuer.clone()], None).unwrap(), None);
        let all = vec![disabled.clone(), other_audience.clone(), other_issuer.clone(), fits("3"), fits("4")];
        assert_eq!(chosen(all.clone(), None).unwrap().unwrap(), "3");
        assert_eq!(chosen(all.clone(), Some("name-4")).unwrap().unwrap(), "4");
        assert_eq!(chosen(all.clone(), Some("new")).unwrap(), None);
        for (federations, name, expected) in [
            (vec![disabled], None, "is disabled"),
            (vec![other_audience], None, "does not accept the audience 'https://github.com/o', but other"),
            (all, Some("name-2"), "has the issuer 'https://other'"),
        ] {
            let error = chosen(federations, name).unwrap_err().to_text();
            assert!(error.contains(expected) && error.contains("--federation-name"), "{error}");
        }
    }
}
