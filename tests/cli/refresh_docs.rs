//! The services and containers of `docs/refresh.md`: their commands run with their environment, and a client gets a key.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};

use serde_json::Value;
use yc_emulator::{ADMIN_ID, EXTERNAL_AUDIENCE, EXTERNAL_ISSUER};

use crate::docs::page;
use crate::programs::require_program;
use crate::serve::{Endpoint, eventually};
use crate::support::User;

/// The blocks of the page in this language.
fn blocks(language: &str) -> Vec<String> {
    let blocks = page("docs/refresh.md").blocks();
    blocks.into_iter().filter(|block| block.language == language).map(|block| block.text).collect()
}

/// Ends the program when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free, which a recipe has fixed.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

const PORT: &str = "127.0.0.1:8800";

/// A client that knows no more than these variables gets a key.
fn assert_gets_key(user: &User, env: &BTreeMap<String, String>) {
    let token = std::fs::read_to_string(&env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).unwrap();
    let key = Endpoint::new(&env["AWS_CONTAINER_CREDENTIALS_FULL_URI"], &token).key();
    assert_eq!(key, user.cloud.ephemeral_keys()[0].access_key_id);
    assert_eq!(env["AWS_REGION"], "ru-central1");
    assert_eq!(env["AWS_ENDPOINT_URL_S3"], "https://storage.yandexcloud.net");
}

/// The values of a key of a unit, in order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn environment(unit: &str) -> BTreeMap<String, String> {
    let pairs = values(unit, "Environment").into_iter().map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A command of the shell with an environment of its own, besides what the user's emulator needs.
fn shell(user: &User, line: &str, env: &BTreeMap<String, String>) -> Command {
    let mut command = user.program("sh");
    command.args(["-c", &format!("exec {line}")]).envs(env);
    command
}

#[test]
fn the_services_of_systemd_work() {
    let user = User::new();
    user.write_file("credentials/key.json", &user.cloud.admin_key().file());
    let home = user.home().to_str().unwrap();
    let port = format!("127.0.0.1:{}", free_port());
    let units = blocks("ini")
        .into_iter()
        .map(|unit| unit.replace("%d", &format!("{home}/credentials")).replace("%t", home).replace(PORT, &port));
    let [server, client] = <[String; 2]>::try_from(units.collect::<Vec<_>>()).unwrap();
    assert_eq!(values(&server, "LoadCredential"), ["key.json:/etc/yc-rs/key.json"]);
    assert_eq!(
        (values(&server, "User"), values(&server, "RuntimeDirectory")),
        (values(&client, "User"), vec!["yc-rs"])
    );
    std::fs::create_dir(user.home().join("yc-rs")).unwrap();
    let [command] = values(&server, "ExecStart")[..] else { unreachable!() };
    let command = command.strip_prefix("/usr/local/bin/").unwrap();
    let _server = Running(shell(&user, command, &environment(&server)).spawn().unwrap());
    let [is_ready] = values(&server, "ExecStartPost")[..] else { unreachable!() };
    assert!(shell(&user, is_ready, &BTreeMap::new()).status().unwrap().success());
    assert_gets_key(&user, &environment(&client));
}

#[test]
fn systemd_finds_nothing_wrong_with_the_services() {
    if !require_program("systemd-analyze") {
        return;
    }
    let user = User::new();
    for (name, unit) in ["yc-rs.service", "backup.service"].into_iter().zip(blocks("ini")) {
        // The programs have to be there.
        let unit =
            unit.replace("/usr/local/bin/yc-rs", env!("CARGO_BIN_EXE_yc-rs")).replace("/usr/local/bin/", "/bin/");
        user.write_file(name, &unit.replace("/bin/backup", "/bin/true"));
    }
    let mut command = user.program("systemd-analyze");
    let ran = command.args(["verify", "./yc-rs.service", "./backup.service"]).output().unwrap();
    let err = String::from_utf8(ran.stderr).unwrap();
    // What it says of other units of the machine is not about these.
    let about: Vec<_> =
        err.lines().filter(|line| line.contains("yc-rs.service") || line.contains("backup.service")).collect();
    assert_eq!(about, [""; 0]);
    assert!(ran.status.success(), "{err}");
}

/// The environment of a container, with the paths of its volumes in this directory.
fn container_environment(container: &Value, home: &Path) -> BTreeMap<String, String> {
    let pairs = container["env"].as_array().unwrap().iter().map(|pair| {
        let (name, value) = (pair["name"].as_str().unwrap(), pair["value"].as_str().unwrap());
        (name.to_owned(), in_home(value, home))
    });
    pairs.collect()
}

fn in_home(text: &str, home: &Path) -> String {
    if text.starts_with('/') { format!("{}{text}", home.display()) } else { text.to_owned() }
}

/// The command of a container, to be typed in a shell.
fn container_command(command: &Value, home: &Path) -> String {
    let words = command.as_array().unwrap().iter().map(|word| in_home(word.as_str().unwrap(), home));
    words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_sidecar_for_kubernetes_works() {
    let user = User::new();
    let federation = user.cloud.add_federation(EXTERNAL_ISSUER, EXTERNAL_AUDIENCE);
    user.cloud.bind(&federation, "system:serviceaccount:default:backup", ADMIN_ID);
    let token = user.cloud.external_token("system:serviceaccount:default:backup");
    user.write_file("var/run/secrets/yandex-cloud/token", &token);
    let home = user.home();
    // The configuration is that of the page on S3 clients.
    let maps = page("docs/s3-clients.md").blocks();
    let map =
        maps.iter().find(|block| block.text.contains("kind: ConfigMap")).unwrap().text.split("---").next().unwrap();
    let map: Value = serde_saphyr::from_str(map).unwrap();
    let config = map["data"]["config.toml"].as_str().unwrap().replace("ajebackup00000000001", ADMIN_ID);
    let config = config.replace("file:/", &format!("file:{}/", home.display()));
    user.write_file("etc/yc-rs/config.toml", &config);
    std::fs::create_dir_all(home.join("run/yc-rs")).unwrap();

    let [pod] = <[String; 1]>::try_from(blocks("yaml")).unwrap();
    let port = format!("127.0.0.1:{}", free_port());
    let pod: Value = serde_saphyr::from_str(&pod.replace(PORT, &port)).unwrap();
    let (sidecar, client) = (&pod["spec"]["initContainers"][0], &pod["spec"]["containers"][0]);
    assert_eq!(sidecar["restartPolicy"], "Always");
    assert_eq!(sidecar["volumeMounts"][0]["mountPath"], client["volumeMounts"][0]["mountPath"]);
    assert_eq!(sidecar["volumeMounts"][0]["name"], client["volumeMounts"][0]["name"]);
    assert_eq!(map["metadata"]["name"], pod["spec"]["volumes"][1]["configMap"]["name"]);
    let env = container_environment(sidecar, home);
    let _sidecar = Running(shell(&user, &container_command(&sidecar["command"], home), &env).spawn().unwrap());
    let probe = container_command(&sidecar["startupProbe"]["exec"]["command"], home);
    eventually("the probe succeeds", || shell(&user, &probe, &BTreeMap::new()).status().unwrap().success());
    assert_gets_key(&user, &container_environment(client, home));
}
