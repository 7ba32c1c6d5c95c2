//! The examples that `--help` shows. A test runs each.

/// A command line, and what it is for.
pub struct Example {
    /// What it does, without a full stop.
    pub purpose: &'static str,
    /// The command for sh; it may go on in further lines.
    pub line: &'static str,
}

const fn example(purpose: &'static str, line: &'static str) -> Example {
    Example { purpose, line }
}

/// Examples by the words that lead to their command.
const EXAMPLES: [(&str, &[Example]); 43] = [
    (
        "iam access-key create",
        &[
            example("Keep the key in a file", "yc-rs iam access-key create --format json > key.json"),
            example("Write it to a profile of the AWS CLI", "yc-rs iam access-key create --aws-profile backup"),
        ],
    ),
    (
        "iam access-key list",
        &[
            example("Keys of another account", "yc-rs iam access-key list --service-account-name backup"),
            example("IDs of keys that nobody used", "yc-rs iam access-key list --unused-for 90d --jq '.[].id'"),
        ],
    ),
    (
        "iam access-key get",
        &[
            example("By its ID", "yc-rs iam access-key get \"$KEY_ID\""),
            example(
                "By the ID that S3 clients and logs show",
                "yc-rs iam access-key get --key-id \"$S3_KEY_ID\" --all-folders",
            ),
        ],
    ),
    (
        "iam access-key update",
        &[
            example(
                "Change the description",
                "yc-rs iam access-key update \"$KEY_ID\" --description \"nightly backup\"",
            ),
            example("Remove it", "yc-rs iam access-key update \"$KEY_ID\" --description \"\""),
        ],
    ),
    (
        "iam access-key delete",
        &[
            example("Several at once", "yc-rs iam access-key delete \"$KEY_ID\" \"$OTHER_KEY_ID\""),
            example("By the ID that S3 clients and logs show", "yc-rs iam access-key delete --key-id \"$S3_KEY_ID\""),
        ],
    ),
    (
        "iam access-key list-operations",
        &[
            example("Who changed a key, and when", "yc-rs iam access-key list-operations \"$KEY_ID\""),
            example("As JSON", "yc-rs iam access-key list-operations \"$KEY_ID\" --format json"),
        ],
    ),
    (
        "iam access-key issue-ephemeral",
        &[
            example("A key for an hour", "yc-rs iam access-key issue-ephemeral --duration 1h"),
            example(
                "Read one bucket, and set the variables of this shell",
                "eval \"$(yc-rs iam access-key issue-ephemeral --allow read:data --export env)\"",
            ),
        ],
    ),
    (
        "iam access-key audit",
        &[
            example("Old and unused keys of the folder", "yc-rs iam access-key audit --only-findings"),
            example("Write a plan to delete unused keys", "yc-rs iam access-key audit --plan plan.json"),
        ],
    ),
    (
        "iam access-key rotate",
        &[
            example("Replace a key of the AWS CLI", "yc-rs iam access-key rotate \"$KEY_ID\" --aws-profile backup"),
            example(
                "Replace a key in a Lockbox secret",
                "yc-rs iam access-key rotate \"$KEY_ID\" --lockbox-secret-id \"$SECRET_ID\"",
            ),
        ],
    ),
    (
        "iam create-token",
        &[
            example("For another program", "export YC_IAM_TOKEN=$(yc-rs iam create-token)"),
            example("With the time of its expiry", "yc-rs iam create-token --format json"),
        ],
    ),
    (
        "iam revoke-token",
        &[
            example("The token in use", "yc-rs iam revoke-token"),
            example("One that others have seen", "yc-rs iam revoke-token --iam-token - < token.txt"),
        ],
    ),
    (
        "iam whoami",
        &[
            example("Who the credential belongs to", "yc-rs iam whoami"),
            example("The ID alone", "yc-rs iam whoami --jq .id"),
        ],
    ),
    (
        "iam service-account list",
        &[
            example("The accounts of another folder", "yc-rs iam service-account list --folder-id \"$FOLDER_ID\""),
            example("Their names alone", "yc-rs iam service-account list --jq '.[].name'"),
        ],
    ),
    (
        "iam service-account get",
        &[
            example("By its name", "yc-rs iam service-account get backup"),
            example("The ID of that name", "yc-rs iam service-account get backup --jq .id"),
        ],
    ),
    (
        "sts assume-role",
        &[
            example("With a key of the AWS CLI", "yc-rs sts assume-role --source-aws-profile static --duration 1h"),
            example("Read one bucket", "yc-rs sts assume-role --source-aws-profile static --allow read:my-bucket"),
        ],
    ),
    (
        "ci setup github",
        &[
            example(
                "Let jobs of a branch in",
                "yc-rs ci setup github --repository o/r --branch main \\\n    --service-account-name backup",
            ),
            example(
                "See what would be made",
                "yc-rs ci setup github --repository o/r --environment production \\\n    --service-account-name backup --dry-run",
            ),
        ],
    ),
    (
        "ci setup gitlab",
        &[
            example(
                "Let jobs of a tag in",
                "yc-rs ci setup gitlab --project g/p --tag v1 --service-account-name backup",
            ),
            example(
                "On a server of your own",
                "yc-rs ci setup gitlab --project g/p --branch main \\\n    --host https://gitlab.example.com --service-account-name backup",
            ),
        ],
    ),
    (
        "ci setup kubernetes",
        &[
            example(
                "Let the pods of an account in",
                "yc-rs ci setup kubernetes --issuer https://k8s.example.com \\\n    --namespace default --account backup --service-account-name backup",
            ),
            example(
                "See what would be made",
                "yc-rs ci setup kubernetes --issuer https://k8s.example.com \\\n    --namespace app --account backup --service-account-name backup --dry-run",
            ),
        ],
    ),
    (
        "resource-manager cloud list",
        &[
            example("Every cloud that you can see", "yc-rs resource-manager cloud list"),
            example(
                "Those of an organization",
                "yc-rs resource-manager cloud list --organization-id \"$ORGANIZATION_ID\"",
            ),
        ],
    ),
    (
        "resource-manager folder list",
        &[
            example("The folders of the current cloud", "yc-rs resource-manager folder list"),
            example("Those of another", "yc-rs resource-manager folder list --cloud-id \"$CLOUD_ID\""),
        ],
    ),
    (
        "operation get",
        &[
            example("Print it", "yc-rs operation get \"$OPERATION_ID\""),
            example("Whether it is done", "yc-rs operation get \"$OPERATION_ID\" --jq .done"),
        ],
    ),
    (
        "operation wait",
        &[
            example("Until it is done", "yc-rs operation wait \"$OPERATION_ID\""),
            example("For a minute at most", "yc-rs operation wait \"$OPERATION_ID\" --timeout 1m"),
        ],
    ),
    (
        "exec",
        &[
            example("Run a command with a key", "yc-rs exec --duration 1h -- aws s3 ls"),
            example("Renew the key while it runs", "yc-rs exec --refresh --allow all:my-bucket -- aws s3 ls"),
        ],
    ),
    (
        "serve",
        &[
            example("Print the variables for other programs", "yc-rs serve --allow read:my-bucket"),
            example("Keep the token of the clients in a file", "yc-rs serve --authorization-token-file serve-token"),
        ],
    ),
    (
        "policy build",
        &[
            example("Read and list a prefix", "yc-rs policy build --allow 'read,list:my-bucket/logs/*'"),
            example(
                "Everything but deleting the logs",
                "yc-rs policy build --allow all:my-bucket --deny 'delete:my-bucket/logs/*'",
            ),
        ],
    ),
    (
        "policy explain",
        &[
            example("A file", "yc-rs policy explain policy.json"),
            example("What rules make", "yc-rs policy build --allow read:my-bucket | yc-rs policy explain -"),
        ],
    ),
    (
        "policy check",
        &[
            example("Find mistakes", "yc-rs policy check policy.json"),
            example("Their codes, for a script", "yc-rs policy check policy.json --jq '.[].code'"),
        ],
    ),
    ("cache clear", &[example("Forget every token and key", "yc-rs cache clear")]),
    (
        "init",
        &[
            example(
                "With the key of a service account",
                "yc-rs init --profile ci --folder-id \"$FOLDER_ID\" \\\n    --service-account-key key.json",
            ),
            example(
                "On a virtual machine",
                "yc-rs init --profile vm --folder-id \"$FOLDER_ID\" \\\n    --instance-service-account",
            ),
        ],
    ),
    (
        "login",
        &[
            example("Into the profile in use", "yc-rs login"),
            example(
                "With a federation, and without a refresh token",
                "yc-rs login --federation-id bpf1example --no-refresh",
            ),
        ],
    ),
    ("logout", &[example("End the session of the profile in use", "yc-rs logout")]),
    (
        "config list",
        &[
            example("The profile in use", "yc-rs config list"),
            example("Another one", "yc-rs config list --profile work"),
        ],
    ),
    ("config get", &[example("The ID of the cloud", "yc-rs config get cloud-id")]),
    (
        "config set",
        &[
            example("The folder in which names are looked up", "yc-rs config set folder-id \"$FOLDER_ID\""),
            example("Let yc sign in", "yc-rs config set token-command '[\"yc\", \"iam\", \"create-token\"]'"),
        ],
    ),
    ("config unset", &[example("Choose no cloud", "yc-rs config unset cloud-id")]),
    ("config profile create", &[example("An empty profile", "yc-rs config profile create staging")]),
    ("config profile activate", &[example("Use another profile", "yc-rs config profile activate work")]),
    ("config profile list", &[example("The names of all", "yc-rs config profile list")]),
    (
        "config profile get",
        &[
            example("The values of one", "yc-rs config profile get work"),
            example("As JSON", "yc-rs config profile get work --format json"),
        ],
    ),
    ("config profile delete", &[example("Remove one", "yc-rs config profile delete work")]),
    (
        "doctor",
        &[
            example("Check everything", "yc-rs doctor"),
            example("Only what is not right", "yc-rs doctor --jq '.[] | select(.status != \"ok\")'"),
        ],
    ),
    ("completion", &[example("Keep the script in a file", "yc-rs completion bash > yc-rs.bash")]),
    ("version", &[example("The number alone", "yc-rs version --semantic")]),
];

/// The examples of a command, by the words that lead to it. A short name has those of the whole one.
pub fn of(path: &str) -> &'static [Example] {
    let path = match path {
        "iam access-key exec" => "exec",
        "iam access-key serve" => "serve",
        path => path,
    };
    EXAMPLES.iter().find(|(of, _)| *of == path).map_or(&[], |(_, examples)| examples)
}

/// Every command line that is an example.
pub fn lines() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().flat_map(|(_, examples)| examples.iter()).map(|example| example.line)
}
