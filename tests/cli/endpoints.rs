//! Endpoints of the services: those of another installation, and single ones.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use serde_json::Value;
use yc_emulator::{ADMIN_ID, CLOUD_ID, Emulator, FOLDER_ID, Fault, OTHER_FOLDER_ID, REMOTE_ID};

use crate::route::EXCHANGE;
use crate::support::User;

const DISCOVERY: &str = "GET /endpoints";
const FOLDERS: &str = "GET /resource-manager/v1/folders";
const LIST: &str = "iam access-key list";
const LISTED: &str = "GET /iam/aws-compatibility/v1/accessKeys";

/// A user for whom no endpoint is given but that of the installation, in `YC_ENDPOINT`.
fn elsewhere(cloud: Emulator) -> User {
    let mut user = User::of(cloud);
    for service in ["IAM", "OPERATION", "RESOURCE_MANAGER", "AUTH", "STS"] {
        user.unset(&format!("YC_ENDPOINT_URL_{service}"));
    }
    let url = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT", url);
    user
}

fn signed_in() -> User {
    elsewhere(Emulator::start()).with_token()
}

/// The same over HTTPS, with a trusted authority.
fn signed_in_over_https() -> User {
    let mut user = signed_in();
    let bundle = user.write_file("ca.pem", user.cloud.ca_pem());
    user.set("YC_CA_BUNDLE", bundle.to_str().unwrap());
    let url = user.cloud.https_url().to_owned();
    user.set("YC_ENDPOINT", url);
    user
}

fn cached_lists(user: &User) -> Vec<PathBuf> {
    let Ok(directory) = std::fs::read_dir(user.cache_dir().join("endpoints")) else { return Vec::new() };
    directory.map(|entry| entry.unwrap().path()).filter(|path| path.extension() == Some("json".as_ref())).collect()
}

/// A URL where no server listens.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn another_installation_is_asked_once_where_its_services_are() {
    let user = signed_in();
    user.run(LIST).ok();
    assert_eq!(user.sent(), [DISCOVERY, LISTED]);
    assert_eq!(user.cloud.requests()[0].header("authorization"), None);
}

#[test]
fn several_services_take_one_list() {
    let user = signed_in();
    let key = user.cloud.add_access_key(ADMIN_ID, "").id;
    user.run(&format!("iam access-key delete {key}")).ok();
    assert_eq!(user.count(DISCOVERY), 1);
    assert!(user.sent().last().unwrap().starts_with("GET /operations/"));
}

#[test]
fn the_flag_beats_the_variable_beats_the_profile() {
    let mut user = signed_in();
    let url = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT", NOBODY);
    user.run(&format!("{LIST} --endpoint {url}")).ok();
    user.set("YC_ENDPOINT", &url);
    user.use_profile(&format!("endpoint = '{NOBODY}'"));
    user.run(LIST).ok();
    user.unset("YC_ENDPOINT");
    user.use_profile(&format!("endpoint = '{url}'"));
    user.run(LIST).ok();
    user.run(&format!("{LIST} --endpoint {NOBODY} --retry 1")).failed(5);
}

#[test]
fn an_endpoint_without_a_scheme_is_https() {
    let mut user = signed_in_over_https();
    let address = user.cloud.https_url().trim_start_matches("https://").to_owned();
    user.set("YC_ENDPOINT", address);
    user.run(LIST).ok();
    assert_eq!(user.sent(), [DISCOVERY, LISTED]);
    assert!(user.cloud.requests().iter().all(|request| request.tls));
}

#[test]
fn a_listed_endpoint_without_a_scheme_gets_that_of_the_installation() {
    let user = signed_in();
    let address = user.cloud.http_url().trim_start_matches("http://").to_owned();
    user.cloud.set_endpoints(&[("iam", &address)]);
    user.run(LIST).ok();
    assert!(user.cloud.requests().iter().all(|request| !request.tls));

    let user = signed_in_over_https();
    let address = user.cloud.https_url().to_owned();
    user.cloud.set_endpoints(&[("iam", &address)]);
    user.run(LIST).ok();
    assert!(user.cloud.requests().iter().all(|request| request.tls));
}

#[test]
fn the_list_is_cached_for_an_hour() {
    let user = signed_in();
    user.run(LIST).ok();
    user.run(LIST).ok();
    assert_eq!(user.count(DISCOVERY), 1);

    for (age, asked) in [(TimeDelta::minutes(59), 1), (TimeDelta::minutes(61), 2)] {
        let path = cached_lists(&user).remove(0);
        let mut list: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        list["obtained_at"] = (Utc::now() - age).to_rfc3339().into();
        user.write_file(path.strip_prefix(user.home()).unwrap().to_str().unwrap(), &list.to_string());
        user.run(LIST).ok();
        assert_eq!(user.count(DISCOVERY), asked, "{age}");
    }
}

#[test]
fn cache_clear_forgets_the_list() {
    let user = signed_in();
    user.run(LIST).ok();
    user.run("cache clear").ok();
    user.run(LIST).ok();
    assert_eq!(user.count(DISCOVERY), 2);
}

#[test]
fn installations_are_cached_separately() {
    let mut user = signed_in();
    user.run(LIST).ok();
    let other = signed_in();
    user.set("YC_ENDPOINT", other.cloud.http_url());
    let token = other.cloud.issue_token(ADMIN_ID);
    user.set("YC_IAM_TOKEN", token);
    user.run(LIST).ok();
    assert_eq!((user.count(DISCOVERY), other.count(DISCOVERY), other.count(LISTED)), (1, 1, 1));
}

#[test]
fn nothing_is_cached_with_the_cache_off_or_from_a_server_that_is_not_verified() {
    let mut user = signed_in().without_cache();
    user.run(LIST).ok();
    user.run(LIST).ok();
    assert_eq!((user.count(DISCOVERY), cached_lists(&user)), (2, Vec::new()));

    user = signed_in_over_https();
    let ran = user.run(&format!("{LIST} --no-verify-ssl"));
    assert!(ran.code == 0 && ran.err.starts_with("WARNING: "), "{ran:#?}");
    assert_eq!(cached_lists(&user), Vec::<PathBuf>::new());
}

#[test]
fn an_installation_that_cannot_be_asked_is_named() {
    let user = signed_in();
    user.cloud.fault(DISCOVERY, Fault::unavailable());
    let error = user.run(&format!("{LIST} --retry 1")).failed(5);
    assert!(error.contains(user.cloud.http_url()), "{error}");
    for body in ["{}", "<html>", r#"{"endpoints":[{"id":1}]}"#] {
        user.cloud.fault(DISCOVERY, Fault::answer(200, "application/json", body));
        let error = user.run(LIST).failed(1);
        assert!(error.contains(user.cloud.http_url()), "{body}: {error}");
    }
    assert!(cached_lists(&user).is_empty());
    user.cloud.fault(DISCOVERY, Fault::unavailable());
    user.run(LIST).ok();
}

/// A user of the installation in a job that is bound to the administrator.
fn in_job() -> User {
    let mut user = elsewhere(Emulator::start());
    user.use_job();
    user
}

#[test]
fn a_service_that_is_not_listed_has_no_default_and_the_variable_is_named() {
    let mut user = in_job();
    let error = user.run(LIST).failed(2);
    assert!(error.contains("auth") && error.contains("YC_ENDPOINT_URL_AUTH"), "{error}");
    assert_eq!(user.sent(), [DISCOVERY]);

    let url = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT_URL_AUTH", url);
    user.run(LIST).ok();

    let user = signed_in();
    user.cloud.set_endpoints(&[]);
    let error = user.run(LIST).failed(2);
    assert!(error.contains("YC_ENDPOINT_URL_IAM"), "{error}");
}

#[test]
fn the_endpoint_of_a_service_beats_the_installation() {
    let mut user = signed_in();
    let url = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT", NOBODY);
    user.set("YC_ENDPOINT_URL_IAM", &url);
    user.run(LIST).ok();
    user.unset("YC_ENDPOINT_URL_IAM");
    user.use_profile(&format!("endpoints.iam = '{url}/'"));
    user.run(LIST).ok();
    user.set("YC_ENDPOINT_URL_IAM", &url);
    user.use_profile(&format!("endpoints.iam = '{NOBODY}'"));
    user.run(LIST).ok();
    assert_eq!(user.sent(), [LISTED; 3]);
}

#[test]
fn a_wrong_endpoint_is_refused_by_its_place() {
    let mut user = signed_in();
    let elsewhere = "http://192.0.2.1:80";
    for (lines, place) in [
        (format!("endpoint = '{elsewhere}'"), "profiles.p.endpoint"),
        (format!("endpoints.iam = '{elsewhere}'"), "profiles.p.endpoints.iam"),
        ("endpoints.aim = 'https://x'".to_owned(), "profiles.p.endpoints.aim"),
        ("endpoints.iam = 1".to_owned(), "profiles.p.endpoints.iam"),
        ("endpoints = 'https://x'".to_owned(), "profiles.p.endpoints"),
        ("endpoint = 1".to_owned(), "profiles.p.endpoint"),
    ] {
        user.unset("YC_ENDPOINT");
        user.use_profile(&lines);
        let error = user.run(LIST).failed(2);
        assert!(error.contains(place), "{lines}: {error}");
    }
    user.configure("");
    for (variable, value) in [("YC_ENDPOINT", elsewhere), ("YC_ENDPOINT_URL_IAM", elsewhere)] {
        user.set(variable, value);
        let error = user.run(LIST).failed(2);
        assert!(error.contains(variable), "{error}");
        user.unset(variable);
    }
    for value in [elsewhere, "ftp://x", "https://", "https://user:secret@x", "https://x?key=secret", "a b"] {
        let error = user.run_args(["iam", "access-key", "list", "--endpoint", value]).failed(2);
        assert!(error.contains("--endpoint") && !error.contains("secret"), "{value}: {error}");
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_listed_endpoint_that_secrets_must_not_go_to_is_refused() {
    for address in
        ["http://192.0.2.1:80", "http://localhost.example.com", "https://u:p@192.0.2.1", "ftp://192.0.2.1", ""]
    {
        let mut user = signed_in();
        let proxy = user.cloud.http_url().to_owned();
        user.set("HTTP_PROXY", proxy);
        user.cloud.set_endpoints(&[("iam", address)]);
        let error = user.run(LIST).failed(2);
        assert!(error.contains("iam"), "{address}: {error}");
        assert_eq!(user.sent(), [DISCOVERY], "{address}");
    }
}

#[test]
fn a_list_that_comes_over_tls_has_no_plain_addresses() {
    let user = signed_in_over_https().without_cache();
    let url = user.cloud.http_url().to_owned();
    for listed in [url.clone(), url.replace("http:", "HTTP:")] {
        user.cloud.set_endpoints(&[("iam", &listed)]);
        let error = user.run(LIST).failed(2);
        assert!(error.contains("lists for 'iam' is 'http://127.0.0.1:"), "{error}");
        assert!(error.contains("but must begin with https://"), "{error}");
        assert!(user.sent().iter().all(|line| line == DISCOVERY), "{:?}", user.sent());
    }
}

/// The audience of the JWT of the first exchange.
fn audience(user: &User) -> Value {
    let exchange = user.cloud.requests().into_iter().find(|request| request.line() == EXCHANGE).unwrap();
    let jwt = exchange.json()["jwt"].as_str().unwrap().to_owned();
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["aud"].clone()
}

#[test]
fn a_jwt_is_made_out_to_the_iam_that_the_installation_lists() {
    let expected = "https://iam.cloud.example.com/iam/v1/tokens";
    for listed in ["iam.cloud.example.com:443", "https://iam.cloud.example.com", "iam.cloud.example.com:443/"] {
        let mut user = elsewhere(Emulator::builder().jwt_audience(expected).start()).with_key();
        user.cloud.set_endpoints(&[("iam", listed)]);
        let bundle = user.write_file("ca.pem", user.cloud.ca_pem());
        let url = user.cloud.https_url().to_owned();
        user.set("YC_CA_BUNDLE", bundle.to_str().unwrap());
        user.set("YC_ENDPOINT", &url);
        user.set("YC_ENDPOINT_URL_IAM", &url);
        user.run(LIST).ok();
        assert_eq!(user.sent(), [DISCOVERY, EXCHANGE, LISTED], "{listed}");
        assert_eq!(audience(&user), expected, "{listed}");
    }
}

#[test]
fn the_default_endpoint_spelled_out_is_not_asked() {
    for name in ["api.cloud.yandex.net:443", "api.cloud.yandex.net", "https://api.cloud.yandex.net:443/"] {
        let mut user = User::new().with_key();
        // Whatever is not on this machine goes to a proxy that is not there.
        user.set("HTTPS_PROXY", NOBODY);
        user.set("YC_ENDPOINT", name);
        user.run(LIST).ok();
        assert_eq!(audience(&user), "https://iam.api.cloud.yandex.net/iam/v1/tokens", "{name}");
    }
}

#[test]
fn the_default_installations_endpoints_are_built_in() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut user = signed_in();
    user.set("HTTPS_PROXY", format!("http://{}", listener.local_addr().unwrap()));
    user.set("YC_ENDPOINT", "api.cloud.yandex.net:443");
    let child = user.start(["iam", "access-key", "list", "--retry", "1"]);
    let mut line = String::new();
    BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
    assert!(line.starts_with("CONNECT iam.api.cloud.yandex.net:443 "), "{line}");
    crate::support::Ran::of(child).failed(5);
}

/// A user of the installation's folders, who has chosen none.
fn without_folder() -> User {
    let mut user = User::signed_in();
    user.unset("YC_FOLDER_ID");
    user.set("YC_CLOUD_ID", CLOUD_ID);
    user
}

const BY_NAME: &str = "iam access-key list --service-account-name remote --format json";

#[test]
fn a_folder_is_found_by_its_name_in_the_cloud() {
    let user = without_folder();
    let key = user.cloud.add_access_key(REMOTE_ID, "");
    let listed = user.run(&format!("{BY_NAME} --folder-name other")).json();
    assert_eq!(listed[0]["id"], key.id);
    let requests = user.cloud.requests();
    assert_eq!(requests[0].line(), FOLDERS);
    assert_eq!(requests[0].query, format!("cloudId={CLOUD_ID}&pageSize=1000&filter=name%20%3D%20%22other%22"));
    assert!(requests[1].query.contains(&format!("folderId={OTHER_FOLDER_ID}")), "{}", requests[1].query);
}

#[test]
fn cloud_and_folder_come_from_flag_variable_or_profile() {
    let mut user = without_folder();
    user.unset("YC_CLOUD_ID");
    user.run(&format!("{BY_NAME} --folder-name other --cloud-id {CLOUD_ID}")).ok();
    user.use_profile(&format!("cloud-id = '{CLOUD_ID}'\nfolder-name = 'other'"));
    user.run(BY_NAME).ok();
    assert_eq!(user.count(FOLDERS), 2);
    user.set("YC_FOLDER_ID", FOLDER_ID);
    user.run(BY_NAME).failed(4);
    assert_eq!(user.count(FOLDERS), 2, "an ID in the environment beats a name in the profile");
}

#[test]
fn a_folder_that_is_not_found_exits_4_and_the_hint_says_where_it_was_looked_for() {
    let user = without_folder();
    let cloud = user.cloud.add_cloud("second");
    user.cloud.add_folder(&cloud, "apart");
    for name in ["missing", "apart", "othe"] {
        let error = user.run(&format!("{BY_NAME} --folder-name {name}")).failed(4);
        let hint = error.split_once("\nhint: ").unwrap().1;
        assert!(error.contains(name), "{error}");
        assert!(hint.contains(CLOUD_ID) && hint.contains("--cloud-id") && hint.contains("--folder-id"), "{error}");
    }
    let error = user.run(&format!("{BY_NAME} --folder-name apart --cloud-id {cloud}")).failed(4);
    assert!(error.contains("remote"), "the folder is found, and the account is not in it: {error}");
}

#[test]
fn a_folders_name_without_a_cloud_is_refused_before_anything_is_sent() {
    let mut user = without_folder();
    user.unset("YC_CLOUD_ID");
    let error = user.run(&format!("{BY_NAME} --folder-name other")).failed(2);
    for way in ["--cloud-id", "YC_CLOUD_ID", "cloud-id"] {
        assert!(error.contains(way), "{error}");
    }
    user.set("YC_CLOUD_ID", CLOUD_ID);
    for name in ["A", "a", "x\"y", "with space"] {
        user.run_args(["iam", "service-account", "list", "--folder-name", name]).failed(2);
    }
    assert!(user.cloud.requests().is_empty());
}

/// The regions that a command with a key of another installation has.
fn regions(user: &User, flags: &str) -> Vec<String> {
    let out = user.run(&format!("iam access-key exec --duration 1h {flags} -- /usr/bin/env")).ok();
    let mut lines: Vec<_> = out.lines().filter(|line| line.contains("REGION")).map(str::to_owned).collect();
    lines.retain(|line| line.starts_with("AWS_"));
    lines.sort();
    lines
}

#[cfg(unix)]
#[test]
fn the_region_of_another_installation_is_that_of_the_user() {
    let mut user = signed_in();
    user.cloud.set_endpoints(&[("iam", user.cloud.http_url()), ("storage", "https://storage.kz.example")]);
    let in_force = |region: &str| [format!("AWS_DEFAULT_REGION={region}"), format!("AWS_REGION={region}")];
    user.set("AWS_DEFAULT_REGION", "last");
    assert_eq!(regions(&user, ""), in_force("last"));
    user.set("AWS_REGION", "kz1");
    assert_eq!(regions(&user, ""), in_force("kz1"));
    user.use_profile("region = 'from-profile'");
    assert_eq!(regions(&user, ""), in_force("from-profile"));
    user.set("YC_REGION", "from-variable");
    assert_eq!(regions(&user, ""), in_force("from-variable"));
    assert_eq!(regions(&user, "--region from-flag"), in_force("from-flag"));
}

#[cfg(unix)]
#[test]
fn the_region_of_the_built_in_installation_is_not_that_of_aws() {
    let mut user = User::signed_in();
    user.set("AWS_REGION", "us-east-1");
    assert_eq!(regions(&user, ""), ["AWS_DEFAULT_REGION=ru-central1", "AWS_REGION=ru-central1"]);
    user.set("YC_REGION", "kz1");
    assert_eq!(regions(&user, ""), ["AWS_DEFAULT_REGION=kz1", "AWS_REGION=kz1"]);
    user.set("YC_REGION", "k z");
    let error = user.run("iam access-key exec -- /usr/bin/env").failed(2);
    assert_eq!(error, "ERROR: YC_REGION is 'k z', but must be letters, digits and hyphens, e.g. ru-central1\n");
}

#[cfg(unix)]
#[test]
fn a_region_that_is_not_known_is_an_error_for_what_needs_one() {
    let user = signed_in();
    user.cloud.set_endpoints(&[("iam", user.cloud.http_url()), ("storage", "https://storage.kz.example")]);
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    user.write_file("secret", &key.secret);
    let sign = format!("sts assume-role --access-key-id {} --secret-access-key-file secret", key.key_id);
    user.write_file("old", "[p]\n");
    for line in [
        "iam access-key issue-ephemeral --export env",
        "iam access-key create --export dotenv",
        "iam access-key exec -- /usr/bin/env",
        "iam access-key issue-ephemeral --aws-profile new --aws-credentials-file f",
        &sign,
    ] {
        assert_eq!(
            user.run(line).failed(2),
            "ERROR: the region of this installation of the cloud is not known\nhint: give --region, set YC_REGION, or put \
             'region' into the profile\n",
            "{line}"
        );
    }
    assert_eq!((user.cloud.ephemeral_keys().len(), user.cloud.access_keys().len()), (0, 1));
    for line in [
        "iam access-key issue-ephemeral",
        "iam access-key create",
        "iam access-key issue-ephemeral --export process",
        "iam access-key issue-ephemeral --aws-profile p --aws-credentials-file old",
    ] {
        user.run(line).ok();
    }
}

#[test]
fn a_host_that_is_not_ascii_is_refused_with_the_form_to_write() {
    let rule = "must have a host in ASCII; write пример.рф as xn--e1afmkfd.xn--p1ai";
    let list = "iam access-key list";
    let user = User::signed_in();
    let refused = |user: &User, line: &str| {
        let error = user.run(line).failed(2);
        assert!(error.contains(rule), "{line}: {error}");
        assert_eq!(user.sent(), [""; 0]);
    };
    refused(&user, &format!("{list} --endpoint пример.рф:443"));
    for (variable, value) in [
        ("YC_ENDPOINT", "пример.рф"),
        ("YC_ENDPOINT_URL_IAM", "https://пример.рф/a"),
        ("YC_ENDPOINT_URL_STORAGE", "https://пример.рф"),
        ("HTTPS_PROXY", "http://user:secret@пример.рф:3128"),
    ] {
        let mut user = User::new().with_token();
        if variable == "HTTPS_PROXY" {
            user = user.over_https();
        }
        user.set(variable, value);
        let storage = variable.ends_with("STORAGE");
        refused(&user, if storage { "iam access-key exec --region ru-central1 -- true" } else { list });
    }
    let mut user = User::new();
    user.set("YC_METADATA_ADDR", "пример.рф");
    assert!(user.run(list).failed(3).contains(rule));
    let user = User::signed_in();
    for (key, value) in [("endpoint", "пример.рф:443"), ("endpoints.iam", "https://пример.рф")] {
        refused(&user, &format!("config set {key} {value}"));
    }
    let mut user = User::new().with_token();
    user.unset("YC_ENDPOINT_URL_IAM");
    user.use_profile("endpoints.iam = 'https://пример.рф'");
    assert!(user.run(list).failed(2).contains(rule));
    user.use_profile("endpoints.iam = 'https://xn--e1afmkfd.xn--p1ai.invalid'");
    assert_eq!(user.run(&format!("{list} --retry 0")).code, 5);
}
