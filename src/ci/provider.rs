//! What the tokens of a CI system or a cluster say: issuer, audience and subject.
//!
//! Source: yandex-cloud/docs, `en/_tutorials/security/wlif-{github,gitlab,k8s}-integration.md`; docs.github.com,
//! `actions/reference/security/oidc`; docs.gitlab.com, `ci/secrets/id_token_authentication`.

use crate::api::federated_credential::MAX_SUBJECT;
use crate::api::federation::MAX_AUDIENCE;
use crate::http::Url;
use crate::text::digest::sha256_hex;
use crate::text::{host, quote};

/// A kind of system that issues tokens to its jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GitHub Actions.
    Github,
    /// GitLab, also self-managed.
    Gitlab,
    /// A Kubernetes cluster.
    Kubernetes,
}

impl Kind {
    /// The name in commands and names of federations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// The tokens that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The system.
    pub kind: Kind,
    /// The claim `iss`.
    pub issuer: String,
    /// Where the issuer publishes its keys.
    pub jwks_url: String,
    /// The claim `aud`.
    pub audience: String,
    /// The claim `sub`, which is compared as a whole.
    pub subject: String,
}

/// Which jobs of a repository get tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Those of a branch.
    Branch(String),
    /// Those of a tag.
    Tag(String),
    /// Those of a deployment environment.
    Environment(String),
    /// Those of pull requests.
    PullRequest,
    /// Those whose tokens have this subject.
    Subject(String),
}

/// The numbers that newer repositories of GitHub have in their subjects.
#[derive(Debug, Clone, Copy)]
pub struct GithubIds {
    /// Of the user or organization.
    pub owner: u64,
    /// Of the repository.
    pub repository: u64,
}

impl Provider {
    /// GitHub Actions in a repository `OWNER/NAME`.
    ///
    /// # Errors
    /// A value is invalid; the message names it and the rule.
    pub fn github(repository: &str, ids: Option<GithubIds>, selector: &Selector) -> Result<Self, String> {
        let (owner, name) = repository.split_once('/').unwrap_or_default();
        let fits =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !fits(owner) || !fits(name) {
            return Err(format!(
                "--repository {} does not have the form OWNER/NAME, such as octo-org/octo-repo",
                quote::value(repository)
            ));
        }
        let repository = match ids {
            Some(ids) => format!("repo:{owner}@{}/{name}@{}", ids.owner, ids.repository),
            None => format!("repo:{owner}/{name}"),
        };
        let subject = match selector {
            Selector::Branch(branch) => format!("{repository}:ref:refs/heads/{}", reference("--branch", branch)?),
            Selector::Tag(tag) => format!("{repository}:ref:refs/tags/{}", reference("--tag", tag)?),
            Selector::Environment(name) => format!("{repository}:environment:{}", exact("--environment", name)?),
            Selector::PullRequest => format!("{repository}:pull_request"),
            Selector::Subject(subject) => exact("--subject", subject)?.to_owned(),
        };
        let issuer = "https://token.actions.githubusercontent.com";
        let jwks_url = format!("{issuer}/.well-known/jwks");
        Self::new(Kind::Github, issuer.to_owned(), jwks_url, format!("https://github.com/{owner}"), subject)
    }

    /// GitLab at the URL `host`, in a project `GROUP/NAME`, whose group may be nested.
    ///
    /// # Errors
    /// A value is invalid; the message names it and the rule.
    pub fn gitlab(host: &str, project: &str, selector: &Selector) -> Result<Self, String> {
        let issuer = https_url("--host", host)?;
        let fits =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if project.split('/').count() < 2 || !project.split('/').all(fits) {
            return Err(format!(
                "--project {} does not have the form GROUP/NAME, such as my-group/my-project",
                quote::value(project)
            ));
        }
        let of = |kind: &str, name: &str| format!("project_path:{project}:ref_type:{kind}:ref:{name}");
        let subject = match selector {
            Selector::Branch(branch) => of("branch", reference("--branch", branch)?),
            Selector::Tag(tag) => of("tag", reference("--tag", tag)?),
            Selector::Subject(subject) => exact("--subject", subject)?.to_owned(),
            Selector::Environment(_) | Selector::PullRequest => return Err("gitlab has no such selector".to_owned()),
        };
        let [jwks_url, audience] = [format!("{issuer}/oauth/discovery/keys"), format!("{issuer}/{project}")];
        Self::new(Kind::Gitlab, issuer, jwks_url, audience, subject)
    }

    /// A Kubernetes cluster, whose service account `account` is in `namespace`.
    ///
    /// # Errors
    /// A value is invalid; the message names it and the rule.
    pub fn kubernetes(
        issuer: &str,
        jwks_url: Option<&str>,
        namespace: &str,
        account: &str,
        audience: &str,
    ) -> Result<Self, String> {
        let base = https_url("--issuer", issuer)?;
        let jwks_url = match jwks_url {
            Some(url) => https_url("--jwks-url", url)?,
            None => format!("{base}/openid/v1/jwks"),
        };
        // Source: Kubernetes documentation, "Object Names and IDs": DNS labels and subdomains.
        let fits = |name: &str| {
            let middle = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
            (1..=253).contains(&name.len()) && name.chars().all(middle)
        };
        for (flag, name) in [("--namespace", namespace), ("--account", account)] {
            if !fits(name) {
                return Err(format!(
                    "{flag} {} is not a name of Kubernetes, which has lowercase letters, digits, hyphens and dots",
                    quote::value(name)
                ));
            }
        }
        let subject = format!("system:serviceaccount:{namespace}:{account}");
        // The issuer is compared as it is, with its slash at the end.
        Self::new(Kind::Kubernetes, issuer.to_owned(), jwks_url, exact("--audience", audience)?.to_owned(), subject)
    }

    fn new(kind: Kind, issuer: String, jwks_url: String, audience: String, subject: String) -> Result<Self, String> {
        for (what, text, limit) in [("audience", &audience, MAX_AUDIENCE), ("subject", &subject, MAX_SUBJECT)] {
            let length = text.chars().count();
            if length > limit {
                return Err(format!("the {what} has {length} characters, but at most {limit} are allowed"));
            }
        }
        Ok(Self { kind, issuer, jwks_url, audience, subject })
    }

    /// The name of a federation that is made for these tokens.
    pub fn default_name(&self) -> String {
        let digest = sha256_hex(format!("{}\n{}", self.issuer, self.audience).as_bytes());
        format!("yc-rs-{}-{}", self.kind.name(), &digest[..8])
    }
}

/// The name of a branch or a tag.
fn reference<'a>(flag: &str, name: &'a str) -> Result<&'a str, String> {
    match name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")) {
        Some(rest) => Err(format!("{flag} takes the name alone: write {}", quote::bare(rest))),
        None => exact(flag, name),
    }
}

/// A part of a subject, which is compared as a whole.
fn exact<'a>(flag: &str, text: &'a str) -> Result<&'a str, String> {
    let problem = match text {
        "" => "is empty",
        _ if text.contains('*') => "has a * in it, but a subject is compared as a whole: make one for each name",
        _ if text.chars().any(|c| c.is_whitespace() || c.is_control()) => "has white space or control characters in it",
        _ => return Ok(text),
    };
    Err(format!("{flag} {} {problem}", quote::value(text)))
}

/// An https URL without a slash at the end. Nothing is fetched from it.
fn https_url(flag: &str, text: &str) -> Result<String, String> {
    let invalid = |rule: &str| format!("{flag} {} {rule}", quote::value(text));
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) || !text.starts_with("https://") {
        return Err(invalid("must begin with https://, and have no white space in it"));
    }
    host::check_ascii(text).map_err(|rule| invalid(&rule))?;
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(format!("{flag} must not have a user name or password"))
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            Err(invalid("must not have a query or a fragment"))
        }
        Ok(_) => Ok(text.trim_end_matches('/').to_owned()),
        Err(error) => Err(invalid(&format!("is not a URL: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(name: &str) -> Selector {
        Selector::Branch(name.to_owned())
    }

    #[test]
    fn the_claims_are_those_that_each_system_documents() {
        let github = Provider::github("octo/repo", None, &branch("main")).unwrap();
        assert_eq!(
            (&*github.issuer, &*github.audience, &*github.subject, &*github.jwks_url),
            (
                "https://token.actions.githubusercontent.com",
                "https://github.com/octo",
                "repo:octo/repo:ref:refs/heads/main",
                "https://token.actions.githubusercontent.com/.well-known/jwks",
            )
        );
        let ids = GithubIds { owner: 12, repository: 345 };
        let subject = |selector| Provider::github("octo/repo", Some(ids), &selector).unwrap().subject;
        assert_eq!(subject(Selector::Environment("prod".into())), "repo:octo@12/repo@345:environment:prod");
        assert_eq!(subject(Selector::PullRequest), "repo:octo@12/repo@345:pull_request");
        assert_eq!(subject(Selector::Tag("v1".into())), "repo:octo@12/repo@345:ref:refs/tags/v1");
        assert_eq!(subject(Selector::Subject("x".into())), "x");

        let gitlab = Provider::gitlab("https://gitlab.example.com/", "a/b/c", &branch("main")).unwrap();
        assert_eq!(
            (&*gitlab.issuer, &*gitlab.audience, &*gitlab.subject, &*gitlab.jwks_url),
            (
                "https://gitlab.example.com",
                "https://gitlab.example.com/a/b/c",
                "project_path:a/b/c:ref_type:branch:ref:main",
                "https://gitlab.example.com/oauth/discovery/keys",
            )
        );
        let cluster = Provider::kubernetes("https://c.example/", None, "ci", "deploy", "ycaud").unwrap();
        assert_eq!(
            (&*cluster.issuer, &*cluster.audience, &*cluster.subject, &*cluster.jwks_url),
            ("https://c.example/", "ycaud", "system:serviceaccount:ci:deploy", "https://c.example/openid/v1/jwks")
        );
    }

    #[test]
    fn the_default_name_can_be_that_of_a_federation() {
        let name = Provider::github("octo/repo", None, &branch("main")).unwrap().default_name();
        let digest = name.strip_prefix("yc-rs-github-").unwrap();
        assert!(digest.len() == 8 && digest.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
        assert_eq!(name, Provider::github("octo/other", None, &branch("x")).unwrap().default_name());
    }

    #[test]
    fn values_that_cannot_be_right_are_refused() {
        let github = |repository: &str, name: &str| Provider::github(repository, None, &branch(name)).unwrap_err();
        assert!(github("repo", "main").contains("OWNER/NAME"));
        assert!(github("a/b/c", "main").contains("OWNER/NAME"));
        assert!(github("https://github.com/a/b", "main").contains("OWNER/NAME"));
        assert!(github("a/b", "refs/heads/main").contains("write main"));
        assert!(github("a/b", "release/*").contains("compared as a whole"));
        assert!(github("a/b", "").contains("is empty"));
        assert!(github("a/b", &"x".repeat(1000)).contains("at most 1000"));
        let gitlab = |host: &str, project: &str| Provider::gitlab(host, project, &branch("main")).unwrap_err();
        assert!(gitlab("https://gitlab.com", "project").contains("GROUP/NAME"));
        for host in ["gitlab.com", "http://gitlab.com", "https://", "https://a?b", "https://u:p@a"] {
            assert!(gitlab(host, "a/b").contains("--host"), "{host}");
        }
        assert!(!gitlab("https://u:secret@a", "a/b").contains("secret"));
        let cluster = |namespace: &str| Provider::kubernetes("https://c", None, namespace, "a", "x").unwrap_err();
        assert!(cluster("CI").contains("--namespace 'CI'"));
    }
}
