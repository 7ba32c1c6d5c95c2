//! `login` and `logout`: a browser signs in at the emulator, which checks state, redirect and PKCE.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use chrono::TimeDelta;
use yc_emulator::{ADMIN_ID, Emulator, FOLDER_ID, Fault, USER_ID};
use yc_rs::commands::help::examples;

use crate::programs::require_program;
use crate::route::LIST;
use crate::support::{Ran, User};

const TOKEN: &str = "POST /oauth/token";
const REVOKE_REFRESH: &str = "POST /iam/v1/refreshTokens:revoke";

fn user() -> User {
    let mut user = User::of(Emulator::builder().operation_polls(1).start());
    let state = user.home().join("state");
    user.set("YC_RS_STATE_DIR", state.to_str().unwrap());
    user.set("YC_FOLDER_ID", FOLDER_ID);
    user
}

/// A `login` that waits for the browser.
struct Waiting {
    child: Child,
    errors: BufReader<std::process::ChildStderr>,
    shown: String,
    address: String,
}

impl Waiting {
    fn start(user: &User, flags: &str) -> Self {
        let mut command = user.command(format!("login {flags}").split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut shown = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(errors.read_line(&mut line).unwrap() > 0, "no address in: {shown}");
            shown.push_str(&line);
            if line.starts_with("http") {
                break line.trim_end().to_owned();
            }
        };
        Self { child, errors, shown, address }
    }

    /// Where the browser is sent back to: host and port.
    fn callback_host(&self) -> String {
        let redirect = self.address.split("redirect_uri=http%3A%2F%2F").nth(1).unwrap();
        redirect.split("%2F").next().unwrap().replace("%3A", ":")
    }

    fn state(&self) -> &str {
        self.address.split("&state=").nth(1).unwrap().split('&').next().unwrap()
    }

    /// Waits for the end.
    fn end(mut self) -> Ran {
        self.errors.read_to_string(&mut self.shown).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Ran { code: output.status.code().unwrap(), out: String::from_utf8(output.stdout).unwrap(), err: self.shown }
    }
}

/// A GET of a host and port, as a browser sends it; the status and the header `Location`.
fn get(host: &str, target: &str, named: &str) -> (u16, Option<String>) {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nhost: {named}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ").map(str::to_owned));
    (status, location)
}

/// Opens an address as a browser does, and follows the redirect; the status of what it is led to.
fn browse(address: &str) -> u16 {
    let parts = |url: &str| {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        (host.to_owned(), format!("/{path}"))
    };
    let (host, target) = parts(address);
    let (status, location) = get(&host, &target, &host);
    let Some(location) = location else { return status };
    let (host, target) = parts(&location);
    get(&host, &target, &host).0
}

/// Signs in, which is to succeed.
fn sign_in(user: &User, flags: &str) -> Ran {
    let waiting = Waiting::start(user, flags);
    assert_eq!(browse(&waiting.address), 200);
    let ran = waiting.end();
    assert!(ran.code == 0 && ran.out.is_empty(), "{ran:#?}");
    ran
}

fn config_text(user: &User) -> String {
    fs::read_to_string(user.config_dir().join("config.toml")).unwrap_or_default()
}

/// The files of the sessions, without their locks.
fn sessions(user: &User) -> Vec<std::path::PathBuf> {
    let Ok(files) = fs::read_dir(user.home().join("state/sessions")) else { return Vec::new() };
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_none()).collect()
}

#[test]
fn a_browser_signs_in_and_the_next_command_requests_no_token() {
    let user = user();
    let ran = sign_in(&user, "--federation-id bpf1 --username me@example.com");
    assert!(ran.err.starts_with("To sign in, open this address in a browser:\nhttp"), "{}", ran.err);
    assert!(ran.err.ends_with("Signed in; the session is that of profile 'default'\n"), "{}", ran.err);
    for part in [
        "client_id=yc.oauth.public-sdk&",
        "code_challenge_method=S256&",
        "scope=openid%20offline_access&",
        "yc_federation_hint=bpf1&yc_login_hint=me%40example.com",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    let config = config_text(&user);
    assert!(
        config.contains("federation-id = \"bpf1\"") && config.contains("username = \"me@example.com\""),
        "{config}"
    );
    user.cloud.clear_requests();
    assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{USER_ID}\n"));
    assert_eq!(user.count(TOKEN), 0);
}

#[test]
fn the_profile_has_the_session_in_the_place_of_another_credential() {
    let user = user().with_key();
    sign_in(&user, "");
    let config = config_text(&user);
    assert!(config.contains("session = ") && !config.contains("service-account-key"), "{config}");
    assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{USER_ID}\n"));
    let listed = user.run("config list").ok();
    assert!(listed.contains("login:"), "{listed}");
}

#[test]
fn secrets_are_in_the_session_and_the_token_cache_alone() {
    let user = user();
    let ran = sign_in(&user, "--debug-grpc");
    let secrets: Vec<_> = user
        .cloud
        .refresh_tokens()
        .into_iter()
        .chain(user.cloud.tokens().into_iter().map(|token| token.value))
        .collect();
    assert_eq!(secrets.len(), 2);
    let config = config_text(&user);
    for secret in &secrets {
        assert!(!ran.err.contains(secret) && !config.contains(secret), "{}", ran.err);
    }
    let [session] = &sessions(&user)[..] else { panic!("one session") };
    assert!(fs::read_to_string(session).unwrap().contains(&secrets[0]));
    assert_eq!(fs::metadata(session).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(session.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    user.run("cache clear").ok();
    assert_eq!(sessions(&user).len(), 1);
}

#[test]
fn what_does_not_come_from_the_sign_in_is_refused_and_the_wait_goes_on() {
    let user = user();
    let waiting = Waiting::start(&user, "");
    let host = waiting.callback_host();
    let state = waiting.state().to_owned();
    for (target, named, status) in [
        ("/auth/callback?code=x&state=wrong".to_owned(), host.as_str(), 400),
        ("/auth/callback?code=x".to_owned(), &host, 400),
        (format!("/auth/callback?state={state}"), &host, 400),
        (format!("/auth/callback?code=&state={state}"), &host, 400),
        ("/favicon.ico".to_owned(), &host, 404),
        (format!("/auth/callback?code=x&state={state}"), "evil.example", 403),
    ] {
        assert_eq!(get(&host, &target, named).0, status, "{target}");
    }
    assert_eq!(browse(&waiting.address), 200);
    assert_eq!(waiting.end().code, 0);
}

#[test]
fn the_error_of_the_sign_in_is_shown() {
    let user = user();
    user.cloud.refuse_sign_in("access_denied");
    let waiting = Waiting::start(&user, "");
    assert_eq!(browse(&waiting.address), 200);
    let ran = waiting.end();
    assert!(ran.code == 3 && ran.err.contains("ERROR: the sign-in was refused: access_denied\n"), "{ran:#?}");
    assert_eq!((config_text(&user), sessions(&user).len()), (String::new(), 0));
}

#[test]
fn a_code_that_is_used_twice_is_refused_by_the_server() {
    let user = user();
    user.cloud.fault(TOKEN, Fault::status(3, "invalid"));
    let waiting = Waiting::start(&user, "");
    browse(&waiting.address);
    let ran = waiting.end();
    assert!(ran.code != 0 && ran.err.contains("cannot exchange the code of the sign-in"), "{ran:#?}");
    assert_eq!((config_text(&user), sessions(&user).len()), (String::new(), 0));
}

#[test]
fn a_browser_that_never_comes_is_not_waited_for_longer_than_the_time_limit() {
    let user = user();
    let waiting = Waiting::start(&user, "--timeout 300ms");
    let ran = waiting.end();
    assert!(ran.code == 5 && ran.err.contains("not done within the 300ms of --timeout"), "{ran:#?}");
    assert_eq!((config_text(&user), sessions(&user).len()), (String::new(), 0));
}

#[test]
fn the_address_is_shown_also_without_user_output_and_through_ssh_with_the_tunnel() {
    let mut user = user();
    user.set("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let waiting = Waiting::start(&user, &format!("--no-user-output --port {free}"));
    assert_eq!(waiting.callback_host(), format!("127.0.0.1:{free}"));
    browse(&waiting.address);
    let ran = waiting.end();
    assert!(ran.err.contains(&format!("ssh -L {free}:127.0.0.1:{free} tester@HOST")), "{}", ran.err);
    assert_eq!(ran.code, 0);
}

#[test]
fn a_browser_is_opened_where_there_is_a_terminal_and_a_display() {
    if !require_program("script") {
        return;
    }
    let mut user = user();
    let bin = user.home().join("bin");
    fs::create_dir(&bin).unwrap();
    let browser = user.write_file(
        "bin/xdg-open",
        "#!/bin/sh\nprintf '%s' \"$1\" > \"$HOME/opened.part\" && mv \"$HOME/opened.part\" \"$HOME/opened\"\n",
    );
    fs::set_permissions(browser, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    user.set("DISPLAY", ":0");
    let mut script = user.program("script");
    let program = env!("CARGO_BIN_EXE_yc-rs");
    script.env("PATH", path).args(["-qec", &format!("{program} login"), "/dev/null"]);
    script.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = script.spawn().unwrap();
    let opened = user.home().join("opened");
    while !opened.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a browser");
        std::thread::yield_now();
    }
    assert_eq!(browse(&fs::read_to_string(&opened).unwrap()), 200);
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_examples_of_the_help_work() {
    let user = user();
    let examples = |name: &str| examples::lines().filter_map(|line| line.strip_prefix(name)).collect::<Vec<_>>();
    let [logins, logouts] = ["yc-rs login", "yc-rs logout"].map(examples);
    assert!(logins.len() >= 2 && !logouts.is_empty());
    for flags in logins {
        sign_in(&user, flags);
    }
    for flags in logouts {
        user.run(&format!("logout{flags}")).ok();
    }
    assert!(sessions(&user).is_empty());
}

/// Lets the cached token expire.
fn expire(user: &User) {
    user.age_cache("tokens", TimeDelta::hours(13));
}

#[test]
fn twenty_processes_with_an_expired_token_make_one_refresh() {
    let user = user();
    sign_in(&user, "");
    let first = user.cloud.refresh_tokens();
    expire(&user);
    user.cloud.clear_requests();
    let children: Vec<_> = (0..20).map(|_| user.start(["iam", "whoami"])).collect();
    for child in children {
        Ran::of(child).ok();
    }
    assert_eq!(user.count(TOKEN), 1);
    let now = user.cloud.refresh_tokens();
    assert!(now.len() == 1 && now != first);
    assert!(fs::read_to_string(&sessions(&user)[0]).unwrap().contains(&now[0]));
}

#[test]
fn without_a_cache_each_command_refreshes_one_after_the_other() {
    let mut user = user();
    user.set("YC_RS_NO_CACHE", "1");
    sign_in(&user, "");
    user.cloud.clear_requests();
    let children: Vec<_> = (0..5).map(|_| user.start(["iam", "whoami"])).collect();
    for child in children {
        Ran::of(child).ok();
    }
    assert_eq!(user.count(TOKEN), 5);
    assert_eq!(user.cloud.refresh_tokens().len(), 1);
}

#[test]
fn a_session_that_has_ended_says_how_to_begin_another() {
    let user = user();
    sign_in(&user, "--no-refresh");
    assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{USER_ID}\n"));
    expire(&user);
    let error = user.run("iam whoami").failed(3);
    assert!(
        error.contains("the session has ended") && error.ends_with("hint: sign in again: yc-rs login\n"),
        "{error}"
    );

    sign_in(&user, "");
    fs::remove_file(&sessions(&user)[0]).unwrap();
    expire(&user);
    let error = user.run("iam whoami").failed(3);
    assert!(error.contains("nobody is signed in") && error.contains("yc-rs login"), "{error}");
}

#[test]
fn a_service_that_fails_for_a_moment_does_not_end_the_session() {
    let user = user();
    sign_in(&user, "");
    expire(&user);
    for (code, name) in [(8, "RESOURCE_EXHAUSTED"), (14, "UNAVAILABLE")] {
        user.cloud.fault(TOKEN, Fault::status(code, "try later"));
        let error = user.run("iam whoami --retry 0").failed(5);
        assert!(error.contains(name) && !error.contains("the session has ended"), "{error}");
    }
    user.cloud.fault(TOKEN, Fault::status(14, "try later"));
    let error = user.run("logout --retry 0").failed(5);
    assert!(error.contains("the session could not be revoked on the server"), "{error}");
    assert_eq!(user.cloud.refresh_tokens().len(), 1);
}

#[test]
fn a_refresh_token_is_sent_to_its_own_service_alone() {
    let mut user = user();
    sign_in(&user, "");
    expire(&user);
    let other = Emulator::start();
    user.set("YC_ENDPOINT_URL_AUTH", other.http_url());
    let error = user.run("iam whoami").failed(3);
    assert!(error.contains("the session belongs to another authentication service"), "{error}");
    assert!(other.requests().is_empty());
}

#[test]
fn without_a_refresh_token_and_a_cache_there_is_no_session() {
    let mut user = user();
    user.cloud.grant_no_refresh_tokens();
    user.set("YC_RS_NO_CACHE", "1");
    let waiting = Waiting::start(&user, "");
    browse(&waiting.address);
    let ran = waiting.end();
    assert!(ran.code == 2 && ran.err.contains("no refresh token was granted"), "{ran:#?}");
    assert_eq!((config_text(&user), sessions(&user).len()), (String::new(), 0));
    assert!(user.run("login --no-verify-ssl").failed(2).contains("login does not take --no-verify-ssl"));
}

#[test]
fn a_second_sign_in_takes_the_place_of_the_first() {
    let user = user();
    sign_in(&user, "--federation-id bpf1");
    let first = sessions(&user);
    let ran = sign_in(&user, "");
    assert!(ran.err.contains("yc_federation_hint=bpf1"), "{}", ran.err);
    let second = sessions(&user);
    assert!(second.len() == 1 && second != first);
}

#[test]
fn a_profile_of_yc_for_a_person_is_used_by_login_without_flags() {
    let user = user();
    user.configure("current = 'p'\n[profiles.p]\nfederation-id = 'bpf1'\n");
    let error = user.run("iam whoami").failed(3);
    assert!(error.contains("to sign in, type: yc-rs login; or to have yc sign in"), "{error}");
    let ran = sign_in(&user, "");
    assert!(ran.err.contains("yc_federation_hint=bpf1"), "{}", ran.err);
    assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{USER_ID}\n"));
}

#[test]
fn a_variable_that_beats_the_session_is_warned_of() {
    let mut user = user();
    let token = user.cloud.issue_token(ADMIN_ID);
    user.set("YC_IAM_TOKEN", token);
    let ran = sign_in(&user, "");
    assert!(ran.err.contains("WARNING: YC_IAM_TOKEN is used instead of 'login' of profile 'default'"), "{}", ran.err);
}

#[test]
fn logout_revokes_what_the_session_has_and_leaves_nothing_here() {
    let user = user();
    sign_in(&user, "");
    user.cloud.clear_requests();
    assert_eq!(user.run("logout").ok(), "");
    let sent = user.sent();
    assert_eq!([&*sent[0], &*sent[2]], [REVOKE_REFRESH, "POST /iam/v1/tokens:revoke"]);
    assert!(sent.len() == 3 && sent[1].starts_with("GET /operations/"), "{sent:?}");
    assert!(user.cloud.refresh_tokens().is_empty());
    assert!(sessions(&user).is_empty() && !config_text(&user).contains("login"));
    assert!(user.run("logout").failed(4).contains("profile 'default' has no session"));
    assert_eq!(user.run("iam whoami").code, 3);
}

#[test]
fn logout_with_an_expired_token_revokes_the_newest_refresh_token() {
    let user = user();
    sign_in(&user, "");
    expire(&user);
    assert_eq!(user.run("logout").ok(), "");
    assert!(user.cloud.refresh_tokens().is_empty() && sessions(&user).is_empty());
}

#[test]
fn a_revocation_that_fails_is_the_error_and_the_files_go_all_the_same() {
    let user = user();
    sign_in(&user, "");
    user.cloud.fail_next_operation(13, "internal");
    let error = user.run("logout").failed(1);
    assert!(error.contains("the session could not be revoked on the server"), "{error}");
    assert!(sessions(&user).is_empty() && !config_text(&user).contains("session"));
}

/// The values of the tokens that the server still takes.
fn valid_tokens(user: &User) -> Vec<String> {
    user.cloud.tokens().into_iter().filter(|token| !token.revoked).map(|token| token.value).collect()
}

/// The files of cached tokens.
fn cached_tokens(user: &User) -> usize {
    let Ok(files) = fs::read_dir(user.cache_dir().join("tokens")) else { return 0 };
    files.filter(|file| file.as_ref().unwrap().path().extension() == Some("json".as_ref())).count()
}

#[test]
fn a_revocation_that_fails_leaves_no_token_here_and_revokes_the_other() {
    let user = user();
    sign_in(&user, "");
    user.cloud.fault(REVOKE_REFRESH, Fault::status(13, "internal"));
    let error = user.run("logout --retry 0").failed(1);
    assert!(error.contains("the session could not be revoked on the server: internal"), "{error}");
    assert_eq!((cached_tokens(&user), sessions(&user).len(), valid_tokens(&user).len()), (0, 0, 0));
}

#[test]
fn logout_revokes_the_newest_tokens_when_the_cached_one_is_refused() {
    let user = user();
    sign_in(&user, "");
    user.cloud.revoke_token(&valid_tokens(&user)[0]);
    assert_eq!(user.run("logout").ok(), "");
    assert!(user.cloud.refresh_tokens().is_empty() && valid_tokens(&user).is_empty());
    assert_eq!((cached_tokens(&user), sessions(&user).len()), (0, 0));
}

#[test]
fn logout_acts_as_the_session_whatever_is_impersonated_or_set() {
    let mut user = user();
    sign_in(&user, "");
    user.set("YC_IMPERSONATE_SERVICE_ACCOUNT_ID", ADMIN_ID);
    user.set("YC_IAM_TOKEN", "t1.another");
    assert_eq!(user.run("logout").ok(), "");
    assert!(user.cloud.refresh_tokens().is_empty() && valid_tokens(&user).is_empty());
    assert_eq!(cached_tokens(&user), 0);
}

#[test]
fn logout_changes_nothing_where_another_service_is_in_force() {
    let mut user = user();
    sign_in(&user, "");
    let other = Emulator::start();
    let own = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT_URL_AUTH", other.http_url());
    let error = user.run("logout").failed(3);
    assert!(error.contains("the session belongs to another authentication service"), "{error}");
    assert!(other.requests().is_empty() && sessions(&user).len() == 1 && config_text(&user).contains("login"));
    user.set("YC_ENDPOINT_URL_AUTH", own);
    user.set("YC_RS_NO_CACHE", "1");
    assert!(user.run("logout --no-verify-ssl").failed(2).contains("logout does not take --no-verify-ssl"));
    assert_eq!(user.run("logout").ok(), "");
    assert_eq!((cached_tokens(&user), valid_tokens(&user).len()), (0, 0));
}

#[test]
fn logout_that_is_out_of_time_leaves_nothing_here() {
    let user = user();
    sign_in(&user, "");
    user.cloud.fault(REVOKE_REFRESH, Fault::Delay(std::time::Duration::from_secs(60)));
    let error = user.run("logout --timeout 1s").failed(5);
    assert!(error.contains("not done within the 1s of --timeout"), "{error}");
    assert_eq!((cached_tokens(&user), sessions(&user).len()), (0, 0));
    assert!(!config_text(&user).contains("login"));
}

#[test]
fn a_session_that_is_malformed_is_ended_and_replaced() {
    let user = user();
    let malformed = "current = 'p'\n[profiles.p]\nlogin = { session = 'abc' }\n";
    user.configure(malformed);
    assert!(user.run("logout").failed(2).contains("the session 'abc' is not a UUID"));
    assert!(!config_text(&user).contains("login"));
    user.configure(malformed);
    sign_in(&user, "");
    assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{USER_ID}\n"));
}

#[test]
fn two_sign_ins_at_once_leave_one_session() {
    let user = user();
    let waiting = [Waiting::start(&user, ""), Waiting::start(&user, "")];
    for login in waiting {
        assert_eq!(browse(&login.address), 200);
        let ran = login.end();
        assert_eq!(ran.code, 0, "{ran:#?}");
    }
    assert_eq!(sessions(&user).len(), 1);
    assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{USER_ID}\n"));
}

#[test]
fn a_session_that_no_profile_names_any_more_is_removed_and_told() {
    for line in
        ["config set token t1.other", "config unset login", "init --profile default --token t1.x --folder-id b1g"]
    {
        let user = user();
        sign_in(&user, "");
        let ran = user.run(line);
        let told =
            "The earlier session of yc-rs login was removed from this machine; on the server it was not revoked\n";
        assert!(ran.code == 0 && ran.err.contains(told), "{line}: {ran:#?}");
        assert!(sessions(&user).is_empty(), "{line}");
    }
}

#[test]
fn an_earlier_session_that_cannot_be_removed_does_not_cost_the_new_one() {
    let user = user();
    sign_in(&user, "");
    let first = sessions(&user).remove(0);
    fs::remove_file(&first).unwrap();
    fs::create_dir(&first).unwrap();
    let ran = sign_in(&user, "");
    assert!(ran.err.contains("WARNING: the earlier session of yc-rs login stays on this machine: "), "{}", ran.err);
    assert_eq!(user.run("iam whoami --jq .id").ok(), format!("{USER_ID}\n"));
}

#[test]
fn with_a_session_go_its_token_and_those_obtained_on_its_behalf() {
    for line in ["logout", "config unset login"] {
        let user = user();
        sign_in(&user, "");
        user.cloud.grant_impersonation(USER_ID, ADMIN_ID);
        let listed = user.run(&format!("iam access-key list --impersonate-service-account-id {ADMIN_ID}"));
        assert!(listed.code == 0 && cached_tokens(&user) == 2, "{listed:#?}");
        assert_eq!(user.run(line).code, 0, "{line}");
        assert_eq!(cached_tokens(&user), 0, "{line}");
    }
}

#[test]
fn logout_removes_what_it_can_where_something_is_in_the_way() {
    let mut user = user();
    sign_in(&user, "");
    user.set("YC_RS_STATE_DIR", user.write_file("no-directory", "").to_str().unwrap());
    assert_eq!(user.run("logout").code, 1);
    assert!(cached_tokens(&user) == 0 && !config_text(&user).contains("login"));
}

#[test]
fn a_state_directory_that_others_can_write_is_mended_before_logout() {
    let user = user();
    sign_in(&user, "");
    let state = user.home().join("state");
    fs::set_permissions(&state, PermissionsExt::from_mode(0o777)).unwrap();
    let error = user.run("logout").failed(2);
    assert!(error.ends_with(&format!("hint: type: chmod go-w {}\n", state.display())), "{error}");
    assert!(config_text(&user).contains("login") && sessions(&user).len() == 1);
    fs::set_permissions(&state, PermissionsExt::from_mode(0o700)).unwrap();
    user.run("logout").ok();
    assert!(sessions(&user).is_empty() && user.cloud.refresh_tokens().is_empty());
}

#[test]
fn without_a_refresh_token_the_iam_token_has_to_be_kept() {
    let mut user = user();
    user.cloud.grant_no_refresh_tokens();
    let file = user.write_file("no-directory", "");
    user.set("YC_RS_CACHE_DIR", file.to_str().unwrap());
    let waiting = Waiting::start(&user, "");
    browse(&waiting.address);
    let ran = waiting.end();
    assert!(ran.code == 2 && ran.err.contains("the IAM token cannot be cached"), "{ran:#?}");
    assert_eq!((config_text(&user), sessions(&user).len()), (String::new(), 0));
}

#[test]
fn what_stands_in_the_way_is_found_before_a_person_signs_in() {
    let mut user = user();
    for flags in ["--token t1.x", "--jq .id", "--impersonate-service-account-id aje1"] {
        let error = user.run(&format!("login {flags}")).failed(2);
        let flag = flags.split(' ').next().unwrap();
        assert!(error.starts_with(&format!("ERROR: {flag} has no effect on login\n")), "{error}");
    }
    let file = user.write_file("no-directory", "");
    user.set("YC_RS_STATE_DIR", file.to_str().unwrap());
    let error = user.run("login").failed(1);
    assert!(error.contains("cannot write the session") && !error.contains("open this address"), "{error}");
}

#[test]
fn a_flag_for_a_person_keeps_the_federation_of_the_profile() {
    let user = user();
    user.configure("current = 'p'\n[profiles.p]\nfederation-id = 'bpf1'\nusername = 'old@example.com'\n");
    let ran = sign_in(&user, "--username new@example.com");
    assert!(ran.err.contains("yc_federation_hint=bpf1&yc_login_hint=new%40example.com"), "{}", ran.err);
}

#[test]
fn what_the_browser_brings_makes_no_lines_of_its_own() {
    let user = user();
    let waiting = Waiting::start(&user, "");
    let (host, state) = (waiting.callback_host(), waiting.state().to_owned());
    let target = format!("/auth/callback?error=x%0aERROR:%20y&error_description=a%0Ahint:%20b&state={state}");
    assert_eq!(get(&host, &target, &host).0, 200);
    let ran = waiting.end();
    assert!(ran.err.contains("ERROR: the sign-in was refused: x\\nERROR: y: a\\nhint: b\n"), "{}", ran.err);
}

#[test]
fn the_copy_of_the_configuration_of_yc_is_told() {
    let user = user();
    user.write_file(".config/yandex-cloud/config.yaml", "current: p\nprofiles:\n  p:\n    federation-id: bpf1\n");
    let ran = sign_in(&user, "");
    assert!(ran.err.contains("The profiles of ") && ran.err.contains("were copied to"), "{}", ran.err);
}

#[test]
fn a_session_that_others_can_read_is_not_used() {
    let user = user();
    sign_in(&user, "");
    expire(&user);
    fs::set_permissions(&sessions(&user)[0], PermissionsExt::from_mode(0o644)).unwrap();
    let error = user.run("iam whoami").failed(2);
    assert!(error.contains("can be read by other users, so it is not used"), "{error}");
    assert_eq!(user.count(LIST), 0);
}
