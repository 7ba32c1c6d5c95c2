//! `ci`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Outcome;
use super::deferred::Deferred;
use crate::ci::job;
use crate::ci::provider::{GithubIds, Provider, Selector};
use crate::ci::setup::{self, Done, Request};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::message::{Field, Message, Node};
use crate::output::{Format, Output, yaml};
use crate::text::ids;

/// Let CI jobs get keys without a stored secret
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the federation and the federated credential that a job needs
    #[command(subcommand)]
    Setup(Deferred<SetupCommand>),
}

/// Make the federation and the federated credential that a job needs
#[derive(Debug, Subcommand)]
pub enum SetupCommand {
    /// For jobs of GitHub Actions
    Github(Deferred<GithubArgs>),
    /// For jobs of GitLab
    Gitlab(Deferred<GitlabArgs>),
    /// For pods of a Kubernetes cluster
    Kubernetes(Deferred<KubernetesArgs>),
}

/// What is the same for every system.
#[derive(Debug, Args)]
struct CommonArgs {
    /// ID of the service account that the jobs act as
    #[arg(long, value_name = "ID", conflicts_with = "service_account_name", value_parser = ids::parse_id)]
    service_account_id: Option<String>,
    /// Name of the service account in the current folder
    #[arg(long, value_name = "NAME")]
    service_account_name: Option<String>,
    /// Use the federation of this name, or make one under it
    #[arg(long, value_name = "NAME", value_parser = federation_name, hide_short_help = true)]
    federation_name: Option<String>,
    /// Make nothing; print what there is and what would be made
    #[arg(long)]
    dry_run: bool,
}

/// For jobs of GitHub Actions
#[derive(Debug, Args)]
#[command(
    override_usage = "yc-rs ci setup github --repository <OWNER/NAME> --service-account-name <NAME> [OPTIONS]\n       \
                            --branch <NAME> | --tag <NAME> | --environment <NAME> | --pull-request | --subject <TEXT>"
)]
pub struct GithubArgs {
    /// The repository
    #[arg(long, value_name = "OWNER/NAME")]
    repository: String,
    /// Number of the owner, for repositories whose subjects have numbers
    #[arg(long, value_name = "N", requires = "repository_id", hide_short_help = true)]
    owner_id: Option<u64>,
    /// Number of the repository, for repositories whose subjects have numbers
    #[arg(long, value_name = "N", requires = "owner_id", hide_short_help = true)]
    repository_id: Option<u64>,
    #[command(flatten)]
    jobs: GithubJobs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Which jobs of a repository.
#[derive(Debug, Args)]
#[group(id = "jobs", required = true, multiple = false)]
struct GithubJobs {
    /// Jobs of this branch
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Jobs of this tag
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,
    /// Jobs of this deployment environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Jobs of pull requests
    #[arg(long)]
    pull_request: bool,
    /// Jobs whose tokens have exactly this subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
}

/// For jobs of GitLab
#[derive(Debug, Args)]
pub struct GitlabArgs {
    /// The project, whose group may be nested
    #[arg(long, value_name = "GROUP/NAME")]
    project: String,
    /// URL of GitLab
    #[arg(long, value_name = "URL", default_value = "https://gitlab.com")]
    host: String,
    #[command(flatten)]
    jobs: GitlabJobs,
    #[command(flatten)]
    common: CommonArgs,
}

/// Which jobs of a project.
#[derive(Debug, Args)]
#[group(id = "jobs", required = true, multiple = false)]
struct GitlabJobs {
    /// Jobs of this branch
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Jobs of this tag
    #[arg(long, value_name = "NAME")]
    tag: Option<String>,
    /// Jobs whose tokens have exactly this subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
}

/// For pods of a Kubernetes cluster
#[derive(Debug, Args)]
pub struct KubernetesArgs {
    /// The issuer of the cluster's tokens
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Where the cluster publishes its keys [default: `<issuer>/openid/v1/jwks`]
    #[arg(long, value_name = "URL")]
    jwks_url: Option<String>,
    /// Namespace of the pods
    #[arg(long, value_name = "NAME")]
    namespace: String,
    /// Service account of the pods, in Kubernetes
    #[arg(long, value_name = "NAME")]
    account: String,
    /// Audience of the projected tokens
    #[arg(long, value_name = "TEXT", default_value = "ycaud")]
    audience: String,
    #[command(flatten)]
    common: CommonArgs,
}

/// What was set up.
const SETUP: Message = Message {
    name: "Setup",
    fields: &[
        Field::scalar("federation_id"),
        Field::scalar("federated_credential_id"),
        Field::scalar("service_account_id"),
        Field::scalar("issuer"),
        Field::scalar("audience"),
        Field::scalar("subject"),
        Field::scalar("created"),
    ],
};

/// Runs one of the commands.
///
/// # Errors
/// The command did not finish.
pub async fn run(Command::Setup(Deferred(command)): Command, context: &Context<'_>) -> Result<Outcome> {
    let mut environment = None;
    let mut note = None;
    let (provider, common) = match command {
        SetupCommand::Github(Deferred(args)) => {
            environment.clone_from(&args.jobs.environment);
            let ids = args.owner_id.zip(args.repository_id);
            let ids = ids.map(|(owner, repository)| GithubIds { owner, repository });
            let selector = args.jobs.selector();
            if ids.is_none() && !matches!(selector, Selector::Subject(_)) {
                note = Some(
                    "repositories that were made, renamed or transferred since 2026-07-15 have numbers in their \
                     subjects: for those, give --owner-id and --repository-id",
                );
            }
            (Provider::github(&args.repository, ids, &selector), args.common)
        }
        SetupCommand::Gitlab(Deferred(args)) => {
            (Provider::gitlab(&args.host, &args.project, &args.jobs.selector()), args.common)
        }
        SetupCommand::Kubernetes(Deferred(args)) => {
            let KubernetesArgs { issuer, jwks_url, namespace, account, audience, common } = args;
            (Provider::kubernetes(&issuer, jwks_url.as_deref(), &namespace, &account, &audience), common)
        }
    };
    let provider = provider.map_err(Error::usage)?;
    let service_account_id = match (common.service_account_id, &common.service_account_name) {
        (Some(id), _) => id,
        (None, Some(name)) => context.service_account_id("--service-account-name", name).await?,
        (None, None) => return Err(Error::usage("give --service-account-id or --service-account-name")),
    };
    if let Some(note) = note {
        context.log.note(note);
    }
    let request = Request {
        provider,
        folder_id: context.folder_id().await?,
        service_account_id,
        federation_name: common.federation_name,
        dry_run: common.dry_run,
    };
    let done = setup::setup(&request, context).await?;
    print(&request, done, environment.as_deref(), context).await?;
    Ok(Outcome::default())
}

/// Prints what was set up; as text with the job as a second document.
async fn print(request: &Request, done: Done, environment: Option<&str>, context: &Context<'_>) -> Result<()> {
    let Request { provider, service_account_id, .. } = request;
    let mut value = json!({
        "federationId": done.federation_id,
        "federatedCredentialId": done.federated_credential_id,
        "serviceAccountId": service_account_id,
        "issuer": provider.issuer,
        "audience": provider.audience,
        "subject": provider.subject,
        "created": done.created,
    });
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, value| !value.is_null());
    }
    if context.printer.has_filter() || context.settings.format != Format::Text {
        return context.printer.print(Output::Object { message: &SETUP, value }).await;
    }
    let terminal = context.env.terminal.stdout;
    let result = SETUP.document(Node::from(&value), crate::message::Spelling::Snake);
    let job = job::example(provider, service_account_id, environment);
    let text = format!("{}---\n{}", yaml::document(&result, terminal), yaml::document(&Node::from(&job), terminal));
    context.printer.print(Output::Verbatim(text.into_bytes())).await
}

impl GithubJobs {
    fn selector(self) -> Selector {
        match self {
            Self { branch: Some(branch), .. } => Selector::Branch(branch),
            Self { tag: Some(tag), .. } => Selector::Tag(tag),
            Self { environment: Some(name), .. } => Selector::Environment(name),
            Self { subject: Some(subject), .. } => Selector::Subject(subject),
            Self { .. } => Selector::PullRequest,
        }
    }
}

impl GitlabJobs {
    fn selector(self) -> Selector {
        match self {
            Self { branch: Some(branch), .. } => Selector::Branch(branch),
            Self { tag: Some(tag), .. } => Selector::Tag(tag),
            Self { subject, .. } => Selector::Subject(subject.unwrap_or_default()),
        }
    }
}

/// Source: `CreateFederationRequest.name`.
fn federation_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
    if starts && text.len() <= 63 && text.chars().all(fits) && !text.ends_with('-') {
        Ok(text.to_owned())
    } else {
        Err("a federation's name has 1 to 63 lowercase letters, digits and hyphens, and begins with a letter"
            .to_owned())
    }
}
