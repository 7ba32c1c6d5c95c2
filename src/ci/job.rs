//! A job that gets a key without a stored secret, as the user pastes it into the pipeline.
//!
//! Source: docs.github.com, `actions/reference/security/oidc`; docs.gitlab.com, `ci/secrets/id_token_authentication`;
//! Kubernetes documentation, "Configure Service Accounts for Pods", on projected tokens.

use serde_json::{Value, json};

use super::provider::{Kind, Provider};

/// Where the pod of the example has its token.
const TOKEN_DIRECTORY: &str = "/var/run/secrets/yandex-cloud";

/// The job, for YAML; `environment` is the deployment environment that GitHub has to name in the token.
pub fn example(provider: &Provider, service_account_id: &str, environment: Option<&str>) -> Value {
    match provider.kind {
        Kind::Github => {
            let mut job = json!({ "runs-on": "ubuntu-latest" });
            if let Some(environment) = environment {
                job["environment"] = environment.into();
            }
            job["permissions"] = json!({ "id-token": "write", "contents": "read" });
            job["env"] = json!({ "YC_SA_ID": service_account_id });
            job["steps"] = json!([
                {
                    "run": "yc-rs iam access-key issue-ephemeral --duration 1h --allow 'read,list:my-bucket' \
                            --export github-actions",
                },
                { "run": "aws s3 ls s3://my-bucket" },
            ]);
            json!({ "jobs": { "s3": job } })
        }
        Kind::Gitlab => json!({
            "s3": {
                "variables": { "YC_SA_ID": service_account_id },
                "id_tokens": { "GITLAB_OIDC_TOKEN": { "aud": provider.audience } },
                "script": ["yc-rs exec --duration 1h --allow 'read,list:my-bucket' -- aws s3 ls s3://my-bucket"],
            },
        }),
        Kind::Kubernetes => {
            let mut names = provider.subject.rsplit(':');
            let (account, namespace) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
            json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": { "name": "s3", "namespace": namespace },
                "spec": {
                    "serviceAccountName": account,
                    "containers": [{
                        "name": "s3",
                        "image": "IMAGE",
                        "command": [
                            "yc-rs", "exec", "--duration", "1h", "--allow", "read,list:my-bucket", "--", "aws", "s3",
                            "ls", "s3://my-bucket",
                        ],
                        "env": [
                            { "name": "YC_SA_ID", "value": service_account_id },
                            { "name": "YC_WORKLOAD_IDENTITY", "value": format!("file:{TOKEN_DIRECTORY}/token") },
                        ],
                        "volumeMounts": [{ "name": "token", "mountPath": TOKEN_DIRECTORY, "readOnly": true }],
                    }],
                    "volumes": [{
                        "name": "token",
                        "projected": {
                            "sources": [{
                                "serviceAccountToken": {
                                    "path": "token",
                                    "audience": provider.audience,
                                    "expirationSeconds": 7200,
                                },
                            }],
                        },
                    }],
                },
            })
        }
    }
}
