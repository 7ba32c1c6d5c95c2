//! The examples that `--help` shows. A test runs each.

/// A command line, and what it is for.
pub struct Example {
    /// What it does, without a full stop.
    pub purpose: &'static str,
    /// The line for sh.
    pub line: &'static str,
}

const fn example(purpose: &'static str, line: &'static str) -> Example {
    Example { purpose, line }
}

/// Examples by the words that lead to their command.
const EXAMPLES: [(&str, &[Example]); 12] = [
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
        "iam access-key delete",
        &[example("Several at once", "yc-rs iam access-key delete \"$KEY_ID\" \"$OTHER_KEY_ID\"")],
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
        &[example(
            "Replace a key of the AWS CLI",
            "yc-rs iam access-key rotate \"$KEY_ID\" --aws-profile backup --no-verify",
        )],
    ),
    (
        "exec",
        &[
            example("Run a command with a key", "yc-rs exec --duration 1h -- aws s3 ls"),
            example("Renew the key while it runs", "yc-rs exec --refresh --allow all:my-bucket -- aws s3 ls"),
        ],
    ),
    (
        "sts assume-role",
        &[example("With a key of the AWS CLI", "yc-rs sts assume-role --source-aws-profile static --duration 1h")],
    ),
    ("iam create-token", &[example("For another program", "export YC_IAM_TOKEN=$(yc-rs iam create-token)")]),
    ("policy build", &[example("Read and list a prefix", "yc-rs policy build --allow 'read,list:my-bucket/logs/*'")]),
    ("policy check", &[example("Find mistakes", "yc-rs policy check policy.json")]),
    (
        "ci setup gitlab",
        &[example(
            "Let jobs of a tag in",
            "yc-rs ci setup gitlab --project g/p --tag v1 --service-account-name backup",
        )],
    ),
];

/// The examples of a command.
pub fn of(path: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(of, _)| *of == path).map_or(&[], |(_, examples)| examples)
}

/// Every command line that is an example.
pub fn lines() -> impl Iterator<Item = &'static str> {
    EXAMPLES.iter().flat_map(|(_, examples)| examples.iter()).map(|example| example.line)
}
