//! The action for GitHub and the template for GitLab, run as those systems run them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Map, Value, json};
use yc_emulator::{ADMIN_ID, EXTERNAL_ISSUER, GITHUB_AUDIENCE, GITHUB_ISSUER, GITHUB_SUBJECT};

use crate::route::ISSUE;
use crate::support::{Ran, User};

const ACTION: &str = ".github/actions/s3-credentials/action.yml";
const REPOSITORY: &str = "octo-org/yc-rs";
const TEMPLATE: &str = ".gitlab/s3-credentials.yml";
const PROJECT_URL: &str = "https://gitlab.com/group/project";

fn document(path: &str) -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// Runs a script with a shell and these variables; `with_program` puts yc-rs on the PATH.
fn run_script(user: &User, shell: &str, script: &str, variables: &BTreeMap<String, String>, with_program: bool) -> Ran {
    let mut command = user.program(shell);
    if !with_program {
        command.env("PATH", "/usr/bin:/bin");
    }
    command.args(["-e", "-c", script]).envs(variables);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ran::of(command.spawn().unwrap())
}

/// Runs the steps of the composite action with these inputs; the output, and the lines of `$GITHUB_ENV`.
fn run_action(user: &User, inputs: &[(&str, &str)], with_program: bool) -> (Ran, String) {
    let action = document(ACTION);
    let value_of = |name: &str| {
        let given = inputs.iter().find(|(input, _)| *input == name).map(|(_, value)| *value);
        let default = || action["inputs"][name]["default"].as_str();
        given.or_else(default).unwrap_or_else(|| panic!("the input {name} is required")).to_owned()
    };
    for (name, _) in inputs {
        assert!(action["inputs"].get(name).is_some(), "{name}");
    }
    assert_eq!(action["runs"]["using"], "composite");
    let [step] = &action["runs"]["steps"].as_array().unwrap()[..] else { panic!("one step") };
    let expand = |text: &str| {
        let mut text = text.replace("${{ github.action_repository }}", REPOSITORY);
        while let Some((before, rest)) = text.split_once("${{ inputs.") {
            let (name, after) = rest.split_once(" }}").unwrap();
            text = format!("{before}{}{after}", value_of(name));
        }
        assert!(!text.contains("${{"), "{text}");
        text
    };
    let file = user.write_file("github-env", "");
    let mut variables: BTreeMap<_, _> = step["env"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), expand(value.as_str().unwrap())))
        .collect();
    variables.insert("GITHUB_ENV".to_owned(), file.display().to_string());
    variables.insert("GITHUB_PATH".to_owned(), user.write_file("github-path", "").display().to_string());
    // curl takes files, too.
    variables.insert("GITHUB_SERVER_URL".to_owned(), format!("file://{}/server", user.home().display()));
    variables.insert("RUNNER_TEMP".to_owned(), user.home().display().to_string());
    let script = step["run"].as_str().unwrap();
    // An input in the script itself would be run as a part of it.
    assert!(!script.contains("${{"), "{script}");
    let ran = run_script(user, step["shell"].as_str().unwrap(), script, &variables, with_program);
    (ran, fs::read_to_string(file).unwrap())
}

fn github_job() -> User {
    let mut user = User::new();
    let federation = user.cloud.add_federation(GITHUB_ISSUER, GITHUB_AUDIENCE);
    user.cloud.bind(&federation, GITHUB_SUBJECT, ADMIN_ID);
    let (url, token) = (user.cloud.github_oidc_url(), user.cloud.github_request_token());
    user.set("ACTIONS_ID_TOKEN_REQUEST_URL", url);
    user.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
    user.set("GITHUB_ACTIONS", "true");
    user
}

/// The body of the request for the key.
fn requested(user: &User) -> Value {
    let request = user.cloud.requests().into_iter().find(|request| request.line() == ISSUE).unwrap();
    serde_json::from_slice(&request.body).unwrap()
}

fn actions_of(policy: &Value) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
    policy["Statement"].as_array().unwrap().iter().map(|statement| statement["Action"].clone()).collect()
}

#[test]
fn the_action_sets_credentials_for_the_later_steps() {
    let user = github_job();
    let inputs =
        [("service-account-id", ADMIN_ID), ("duration", "30m"), ("allow", "read:my-bucket/*\nlist:my-bucket\n")];
    let (ran, variables) = run_action(&user, &inputs, true);
    let shown = ran.ok();
    assert!(shown.contains("::add-mask::"), "{shown}");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"] {
        assert!(variables.contains(name), "{variables}");
    }
    let request = requested(&user);
    assert_eq!(request["duration"], "1800s");
    assert_eq!(actions_of(&request["policy"]), [json!(["s3:GetObject"]), json!(["s3:ListBucket"])]);
}

#[test]
fn the_action_takes_a_policy_instead_of_rules_and_no_input_is_run() {
    let user = github_job();
    let policy = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}"#;
    let inputs = [("service-account-id", ADMIN_ID), ("policy", policy)];
    run_action(&user, &inputs, true).0.ok();
    assert_eq!(requested(&user)["policy"], policy);
    let marker = user.home().join("marker");
    let rule = format!("read:b$(touch {})", marker.display());
    let (ran, variables) = run_action(&user, &[("service-account-id", ADMIN_ID), ("allow", &rule)], true);
    assert!(ran.failed(2).contains("is not the name of a bucket"));
    assert!(variables.is_empty() && !marker.exists());
}

/// A release on the server of the user: an archive with a program that is ours, and its SHA-256.
fn publish(user: &User, version: &str) -> PathBuf {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let name = format!("yc-rs-{version}-{target}");
    let release = user.home().join(format!("server/{REPOSITORY}/releases/download/v{version}"));
    fs::create_dir_all(release.join(&name)).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_yc-rs"), release.join(&name).join("yc-rs")).unwrap();
    let script = format!(
        "cd '{}' && tar -czf {name}.tar.gz {name} && sha256sum {name}.tar.gz >{name}.tar.gz.sha256",
        release.display()
    );
    run_script(user, "sh", &script, &BTreeMap::new(), true).ok();
    release.join(format!("{name}.tar.gz"))
}

#[test]
fn the_action_installs_the_version_that_it_is_given() {
    let user = github_job();
    publish(&user, "1.2.3");
    let inputs = [("service-account-id", ADMIN_ID), ("version", "1.2.3")];
    let (ran, variables) = run_action(&user, &inputs, false);
    ran.ok();
    assert!(variables.contains("AWS_ACCESS_KEY_ID"), "{variables}");
    let path = fs::read_to_string(user.home().join("github-path")).unwrap();
    assert!(Path::new(path.trim()).join("yc-rs").exists(), "{path}");
}

#[test]
fn the_action_refuses_an_archive_that_is_not_what_its_sum_says() {
    let user = github_job();
    let archive = publish(&user, "1.2.3");
    user.write_file(archive.strip_prefix(user.home()).unwrap().to_str().unwrap(), "other");
    let inputs = [("service-account-id", ADMIN_ID), ("version", "1.2.3")];
    let (ran, variables) = run_action(&user, &inputs, false);
    assert_eq!((ran.code, variables.as_str()), (1, ""));
    assert!(ran.out.contains("is not what its SHA-256 says"), "{}", ran.out);
    let (ran, _) = run_action(&user, &[("service-account-id", ADMIN_ID), ("version", "1.2.3; id")], false);
    assert!(ran.code == 1 && ran.out.starts_with("::error::version is 1.2.3; id, but must be a number"), "{}", ran.out);
}

#[test]
fn the_action_without_the_program_is_an_error() {
    let user = github_job();
    let (ran, variables) = run_action(&user, &[("service-account-id", ADMIN_ID)], false);
    assert_eq!((ran.code, variables.as_str()), (1, ""));
    assert!(ran.out.starts_with("::error::yc-rs is not on the PATH"), "{}", ran.out);
}

/// Runs a job that extends the template.
fn run_template(user: &User, variables: &[(&str, &str)], script: &str, with_program: bool) -> Ran {
    let template = document(TEMPLATE)[".s3-credentials"].clone();
    let mut all = BTreeMap::from([("CI_PROJECT_URL".to_owned(), PROJECT_URL.to_owned())]);
    let defaults: &Map<String, Value> = template["variables"].as_object().unwrap();
    all.extend(defaults.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())));
    all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    for (name, token) in template["id_tokens"].as_object().unwrap() {
        let audience = token["aud"].as_str().unwrap().replace("$CI_PROJECT_URL", PROJECT_URL);
        all.insert(name.clone(), user.cloud.external("job").audience(audience).sign());
    }
    all.insert("GITLAB_CI".to_owned(), "true".to_owned());
    let before = template["before_script"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let lines: Vec<_> = before.chain([script]).collect();
    run_script(user, "sh", &lines.join("\n"), &all, with_program)
}

fn gitlab_job() -> User {
    let user = User::new();
    let federation = user.cloud.add_federation(EXTERNAL_ISSUER, PROJECT_URL);
    user.cloud.bind(&federation, "job", ADMIN_ID);
    user
}

#[test]
fn the_template_gives_the_script_credentials() {
    let user = gitlab_job();
    let variables = [("YC_SA_ID", ADMIN_ID), ("S3_ALLOW", "read:my-bucket/*\nlist:my-bucket")];
    let shown =
        run_template(&user, &variables, r#"echo "$AWS_ACCESS_KEY_ID ${#AWS_SESSION_TOKEN} [$IFS] $-""#, true).ok();
    let shown: Vec<_> = shown.split(' ').collect();
    assert!(shown[0].starts_with("aje") && shown[1].parse::<usize>().unwrap() > 20, "{shown:?}");
    assert_eq!(actions_of(&requested(&user)["policy"]), [json!(["s3:GetObject"]), json!(["s3:ListBucket"])]);
}

#[test]
fn the_template_stops_the_job_when_there_is_no_key() {
    let user = gitlab_job();
    let ran = run_template(&user, &[("YC_SA_ID", ADMIN_ID), ("S3_DURATION", "1m")], "echo started", true);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("--duration"), "{}", ran.err);
    let ran = run_template(&user, &[("YC_SA_ID", ADMIN_ID)], "echo started", false);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("yc-rs is not on the PATH"), "{}", ran.err);
}
