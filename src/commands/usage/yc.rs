//! The commands that `yc` has and this program does not.

/// Groups at the top, with the aliases that are documented.
///
/// Source: yandex-cloud/docs, `en/cli/cli-ref/index.md`, and the directories beside it.
const GROUPS: [&str; 49] = [
    "adviser",
    "alb",
    "application-load-balancer",
    "audit-trails",
    "backup",
    "baremetal",
    "beta",
    "cdn",
    "certificate-manager",
    "cic",
    "cloud-registry",
    "cloudrouter",
    "components",
    "compute",
    "container",
    "dataproc",
    "datatransfer",
    "desktops",
    "dns",
    "iot",
    "kms",
    "load-balancer",
    "loadtesting",
    "lockbox",
    "logging",
    "managed-airflow",
    "managed-clickhouse",
    "managed-elasticsearch",
    "managed-greenplum",
    "managed-kafka",
    "managed-kubernetes",
    "managed-mongodb",
    "managed-mysql",
    "managed-opensearch",
    "managed-postgresql",
    "managed-redis",
    "managed-spark",
    "managed-sqlserver",
    "managed-trino",
    "managed-ytsaurus",
    "marketplace",
    "organization-manager",
    "quota-manager",
    "serverless",
    "smartcaptcha",
    "smartwebsecurity",
    "storage",
    "vpc",
    "ydb",
];

/// Groups and commands of `yc iam`.
///
/// Source: yandex-cloud/docs, `en/cli/cli-ref/iam/cli-ref/index.md`.
const IAM: [&str; 9] = [
    "api-key",
    "create-id-token",
    "key",
    "refresh-token",
    "role",
    "service-control",
    "user-account",
    "v0",
    "workload-identity",
];

/// Commands of `yc iam service-account`.
///
/// Source: yandex-cloud/docs, `en/cli/cli-ref/iam/cli-ref/index.md`.
const SERVICE_ACCOUNT: [&str; 10] = [
    "add-access-binding",
    "add-labels",
    "create",
    "delete",
    "list-access-bindings",
    "list-operations",
    "remove-access-binding",
    "remove-labels",
    "set-access-bindings",
    "update",
];

/// Commands of `yc resource-manager cloud` and `folder`.
///
/// Source: yandex-cloud/docs, `en/cli/cli-ref/resource-manager/cli-ref/index.md`.
const CLOUD_OR_FOLDER: [&str; 12] = [
    "add-access-binding",
    "add-access-bindings",
    "add-labels",
    "create",
    "delete",
    "get",
    "list-access-bindings",
    "list-operations",
    "remove-access-binding",
    "remove-labels",
    "set-access-bindings",
    "update",
];

/// Whether `yc` has a command of this name in the group that these words lead to.
pub(super) fn has(group: &[&str], name: &str) -> bool {
    match group {
        [] => GROUPS.contains(&name),
        ["iam"] => IAM.contains(&name),
        ["iam", "service-account"] => SERVICE_ACCOUNT.contains(&name),
        ["resource-manager", "cloud" | "folder"] => CLOUD_OR_FOLDER.contains(&name),
        _ => false,
    }
}
