//! The mistakes that users make most often: each is answered by one screen with the cause and, where there is one, the
//! command to type next.

use yc_emulator::{Emulator, Fault};

use crate::route::{CREATE, LIST};
use crate::support::User;
use crate::terminal::{Stream, at_terminal_of, line_broken_within_a_word};

/// A command line, what is wrong around it, and the parts of the answer: the cause, and what to do next.
struct Mistake {
    line: &'static str,
    prepare: fn(&mut User),
    cause: &'static str,
    next: &'static str,
}

const fn mistake(line: &'static str, prepare: fn(&mut User), cause: &'static str, next: &'static str) -> Mistake {
    Mistake { line, prepare, cause, next }
}

fn nothing(_: &mut User) {}

const LIST_KEYS: &str = "iam access-key list";
const CREATE_KEY: &str = "iam access-key create";

const MISTAKES: [Mistake; 40] = [
    // Credentials
    mistake(LIST_KEYS, |user| user.unset("YC_IAM_TOKEN"), "no credentials were found", "yc-rs init"),
    mistake(
        LIST_KEYS,
        |user| user.set("YC_IAM_TOKEN", "\"t1.quoted\""),
        "is in quotation marks",
        "give the token without them",
    ),
    mistake(LIST_KEYS, |user| user.set("YC_IAM_TOKEN", "Bearer t1.a"), "begins with 'Bearer'", "give the token alone"),
    mistake(
        LIST_KEYS,
        |user| user.set("YC_IAM_TOKEN", "YCNsecretOfAKey0123456789012345678901234"),
        "holds a key for S3, not a token",
        "an IAM token begins with t1.",
    ),
    mistake(
        LIST_KEYS,
        |user| user.set("YC_IAM_TOKEN", "{\"id\": \"a\", \"private_key\": \"b\"}"),
        "holds JSON, not a token",
        "goes into 'service-account-key' of a profile",
    ),
    mistake(
        LIST_KEYS,
        |user| user.set("YC_IAM_TOKEN", "key.json"),
        "The token is invalid",
        "does not look like an IAM token, which begins with t1.",
    ),
    mistake(
        LIST_KEYS,
        |user| user.set("YC_IAM_TOKEN", "t1.expired.token"),
        "The token is invalid",
        "set YC_IAM_TOKEN to a new one, or better use the key of a service account",
    ),
    mistake(
        LIST_KEYS,
        |user| {
            user.unset("YC_IAM_TOKEN");
            user.use_profile("federation-id = 'bpf1'");
        },
        "signs in through a browser",
        "yc-rs config set token-command '[\"yc\", \"iam\", \"create-token\"]'",
    ),
    mistake(
        LIST_KEYS,
        |user| {
            user.unset("YC_IAM_TOKEN");
            user.use_profile("service-account-key-file = '/missing/key.json'");
        },
        "'/missing/key.json') cannot be read",
        "yc iam key create --service-account-name <NAME> --output <FILE>",
    ),
    mistake(
        LIST_KEYS,
        |user| {
            user.unset("YC_IAM_TOKEN");
            user.use_profile("token-command = ['no-such-program']");
        },
        "token-command 'no-such-program' cannot be started",
        "yc-rs doctor",
    ),
    mistake(
        LIST_KEYS,
        |user| {
            user.unset("YC_IAM_TOKEN");
            user.set("YC_OAUTH_TOKEN", "y0_x");
        },
        "YC_OAUTH_TOKEN is set, but is not read",
        "use YC_TOKEN",
    ),
    mistake(
        LIST_KEYS,
        |user| user.configure("current = 'prdo'\n[profiles.prod]\n"),
        "there is no profile 'prdo'",
        "did you mean 'prod'?",
    ),
    mistake(LIST_KEYS, |user| user.configure("[profiles.prod\n"), "config.toml:1:15: unclosed table", "expected `]`"),
    mistake(
        "iam access-key list --profile stagign",
        |user| user.configure("[profiles.staging]\n"),
        "there is no profile 'stagign'",
        "did you mean 'staging'?",
    ),
    // Rights, IDs and names
    mistake(
        LIST_KEYS,
        |user| user.cloud.fault(LIST, Fault::status(7, "Permission denied")),
        "cannot list access keys: Permission denied",
        "needs the role iam.auditor",
    ),
    mistake(
        CREATE_KEY,
        |user| user.cloud.fault(CREATE, Fault::status(7, "Permission denied")),
        "cannot create an access key: Permission denied",
        "needs the role iam.serviceAccounts.accessKeyAdmin",
    ),
    mistake(
        "iam access-key get YCAJE0123456789012345678X",
        nothing,
        "looks like the key ID of S3",
        "yc-rs iam access-key get --key-id YCAJE0123456789012345678X",
    ),
    mistake(
        "iam access-key get ajemissing0000000000",
        nothing,
        "Access key ajemissing0000000000 not found",
        "yc-rs iam access-key list --service-account-name <NAME>",
    ),
    mistake(
        "iam access-key delete",
        nothing,
        "the following required arguments were not provided",
        "Usage: yc-rs iam access-key delete",
    ),
    mistake(
        "iam access-key list --service-account-name bakcup",
        nothing,
        "service account with name \"bakcup\" not found",
        "there is a service account 'backup'",
    ),
    mistake(
        "iam access-key list --service-account-name Backup",
        nothing,
        "--service-account-name is 'Backup'",
        "3 to 63 lower-case letters",
    ),
    mistake(
        "iam access-key list --service-account-name backup",
        |user| user.unset("YC_FOLDER_ID"),
        "a name is looked up in a folder, and no folder is given",
        "yc-rs resource-manager folder list",
    ),
    mistake(
        "iam access-key list --service-account-name backup",
        |user| user.set("YC_FOLDER_ID", "b1gmissing0000000001"),
        "Folder b1gmissing0000000001 not found",
        "yc-rs resource-manager folder list",
    ),
    mistake(
        "resource-manager folder list",
        nothing,
        "folders are listed of a cloud, and no cloud is given",
        "yc-rs resource-manager cloud list",
    ),
    // Values of flags
    mistake(
        "iam access-key issue-ephemeral --duration 1hour30",
        nothing,
        "time unit needed",
        "write a number with its unit, e.g. 15m, 1h30m, 3600s",
    ),
    mistake(
        "iam access-key issue-ephemeral --duration 5m",
        nothing,
        "invalid value '5m'",
        "the lifetime of a key is between 15m and 12h",
    ),
    mistake(
        "iam access-key issue-ephemeral --duration 24h",
        nothing,
        "invalid value '24h'",
        "the lifetime of a key is between 15m and 12h",
    ),
    mistake(
        "iam access-key issue-ephemeral --policy {\"Statement\":[}",
        nothing,
        "--policy is not JSON",
        "at line 1, column 15",
    ),
    mistake(
        "iam access-key issue-ephemeral --allow reed:bucket",
        nothing,
        "'reed' is not a verb",
        "did you mean read?",
    ),
    mistake(
        "iam access-key issue-ephemeral --allow read",
        nothing,
        "it has the form VERBS:BUCKET[/KEY]",
        "read,list:my-bucket/logs/*",
    ),
    mistake(
        "iam access-key issue-ephemeral --session-name a b",
        nothing,
        "unexpected argument 'b' found",
        "Usage: yc-rs iam access-key issue-ephemeral",
    ),
    mistake("iam access-key list --format jsn", nothing, "invalid value 'jsn'", "a similar value exists: 'json'"),
    mistake("iam access-key list --jq .secret[", nothing, "jq filter", "is not closed at character 8"),
    mistake(
        "iam access-key list --service-acount-id x",
        nothing,
        "unexpected argument '--service-acount-id' found",
        "a similar flag exists: '--service-account-id'",
    ),
    mistake(
        "iam acess-key list",
        nothing,
        "unrecognized subcommand 'acess-key'",
        "a similar command exists: 'access-key'",
    ),
    mistake(
        "compute instance list",
        nothing,
        "'compute' is a command of yc that yc-rs does not have",
        "yc compute instance list",
    ),
    mistake(
        "iam access-key create --format json --aws-profile x",
        nothing,
        "--aws-profile has an output form of its own",
        "excludes --format",
    ),
    mistake(
        "exec -- no-such-program",
        nothing,
        "cannot run 'no-such-program': there is no such command",
        "yc-rs iam access-key exec -- sh -c 'COMMAND'",
    ),
    // The network
    mistake(
        LIST_KEYS,
        |user| user.set("YC_ENDPOINT_URL_IAM", "http://127.0.0.1:1"),
        "cannot connect to 127.0.0.1:1",
        "check the endpoint and the network; behind a proxy, set HTTPS_PROXY",
    ),
    mistake(
        LIST_KEYS,
        |user| user.set("YC_ENDPOINT_URL_IAM", "iam.api.cloud.yandex.net"),
        "YC_ENDPOINT_URL_IAM is 'iam.api.cloud.yandex.net'",
        "write https://HOST[:PORT]",
    ),
];

#[test]
fn each_of_forty_mistakes_is_answered_by_one_screen_with_what_to_do() {
    for Mistake { line, prepare, cause, next } in MISTAKES {
        let mut user = User::of(Emulator::start()).with_token();
        user.unset("YC_CLOUD_ID");
        prepare(&mut user);
        let ran = user.run(&format!("{line} --retry 0"));
        assert!(ran.code != 0 && ran.out.is_empty(), "{line}: {ran:#?}");
        assert!(ran.err.contains(cause) && ran.err.contains(next), "{line}: {}", ran.err);
        let rows = ran.err.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum::<usize>();
        assert!(rows <= 24, "{line}: {}", ran.err);
        assert!(!user.cloud.tokens().iter().any(|token| ran.err.contains(&token.value)), "{line}: {}", ran.err);
    }
}

#[test]
fn no_answer_is_broken_within_a_word_on_a_terminal_of_eighty_columns() {
    for Mistake { line, prepare, cause, .. } in MISTAKES {
        let mut user = User::of(Emulator::start()).with_token();
        user.set("NO_COLOR", "1");
        prepare(&mut user);
        let line = format!("{line} --retry 0");
        let ran = at_terminal_of(80, Stream::Err, &user, &line.split_whitespace().collect::<Vec<_>>());
        assert!(ran.code != 0 && ran.err.replace('\n', " ").contains(cause), "{line}: {}", ran.err);
        assert_eq!(line_broken_within_a_word(&ran.err), None, "{line}: {}", ran.err);
    }
}

#[test]
fn the_errors_on_the_page_about_troubleshooting_are_those_that_are_printed() {
    let page = include_str!("../../docs/troubleshooting.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let texts: Vec<_> = rows.map(|(text, _)| text).collect();
    assert!(texts.len() >= 30, "{texts:?}");
    let printed: Vec<_> = MISTAKES
        .iter()
        .map(|mistake| {
            let mut user = User::of(Emulator::start()).with_token();
            user.unset("YC_CLOUD_ID");
            (mistake.prepare)(&mut user);
            user.run(&format!("{} --retry 0", mistake.line)).err
        })
        .collect();
    for text in texts {
        assert!(printed.iter().any(|error| error.contains(text)), "{text}");
    }
}
