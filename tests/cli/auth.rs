//! Authentication: which credential is used, what it is exchanged for, and the error when it cannot be used.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use yc_emulator::{
    ADMIN_ID, AuthorizedKey, EC_PRIVATE_KEY, Emulator, FOLDER_ID, Fault, Grant, NARROW_ID, OAUTH_TOKEN, PrivateKey,
};

use crate::support::User;

const EXCHANGE: &str = "POST /iam/v1/tokens";
const CREATE_TOKEN: &str = "iam create-token";

/// A configuration whose only profile, the current one, holds these lines.
fn profile(lines: &str) -> String {
    format!("current = 'p'\n[profiles.p]\n{lines}\n")
}

/// The lines of a profile with a service account's key; a JSON text in quotes is one in TOML, too.
fn key_lines(id: &str, service_account_id: &str, private_key: &str) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    format!(
        "[profiles.p.service-account-key]\nid = {}\nservice_account_id = {}\nprivate_key = {}",
        quoted(id),
        quoted(service_account_id),
        quoted(private_key)
    )
}

fn lines_of(key: &AuthorizedKey) -> String {
    key_lines(&key.id, &key.service_account_id, &key.private_key)
}

/// The token of the last request.
fn bearer(user: &User) -> String {
    let requests = user.cloud.requests();
    let header = requests.last().and_then(|request| request.header("authorization")).unwrap();
    header.strip_prefix("Bearer ").unwrap().to_owned()
}

fn part(jwt: &str, number: usize) -> Value {
    let part = jwt.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn the_flag_beats_yc_iam_token_beats_yc_token_beats_the_profile() {
    let mut user = User::new();
    let [flag, iam_variable, variable, in_profile] = [(); 4].map(|()| user.cloud.issue_token(ADMIN_ID));
    user.configure(&profile(&format!("token = '{in_profile}'")));
    user.set("YC_TOKEN", &variable);
    user.set("YC_IAM_TOKEN", &iam_variable);

    user.run_args(["iam", "access-key", "list", "--token", &flag]).ok();
    assert_eq!(bearer(&user), flag);
    user.run("iam access-key list").ok();
    assert_eq!(bearer(&user), iam_variable);
    user.unset("YC_IAM_TOKEN");
    user.run("iam access-key list").ok();
    assert_eq!(bearer(&user), variable);
    user.unset("YC_TOKEN");
    user.run("iam access-key list").ok();
    assert_eq!(bearer(&user), in_profile);
}

#[test]
fn the_first_source_that_is_configured_decides_even_when_it_fails() {
    let user = User::signed_in();
    let revoked = user.cloud.issue_token(ADMIN_ID);
    user.cloud.revoke_token(&revoked);

    let error = user.run_args(["iam", "access-key", "list", "--token", &revoked]).failed(3);

    assert!(error.contains("hint: ") && error.contains("--token"), "{error}");
    assert_eq!(user.cloud.requests().len(), 1);
    assert_eq!(bearer(&user), revoked);
}

#[test]
fn an_iam_token_is_used_as_it_is_wherever_it_comes_from() {
    let mut user = User::new();
    let token = user.cloud.issue_token(ADMIN_ID);
    let line = format!("{token}\n");

    assert_eq!(user.run_args(["iam", "create-token", "--token", &token]).ok(), line);
    assert_eq!(user.run_with_input(["iam", "create-token", "--token", "-"], &line).ok(), line);
    assert_eq!(user.run_with_input(["--token=-", "iam", "create-token"], &format!(" {token}\r\n")).ok(), line);
    user.configure(&profile(&format!("token = '{token}'")));
    assert_eq!(user.run(CREATE_TOKEN).ok(), line);
    user.configure("");
    for variable in ["YC_TOKEN", "YC_IAM_TOKEN"] {
        user.set(variable, &token);
        assert_eq!(user.run(CREATE_TOKEN).ok(), line, "{variable}");
        user.unset(variable);
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn yc_iam_token_is_an_iam_token_whatever_it_looks_like() {
    let mut user = User::new();
    for token in ["y0_looks-like-oauth", "of-some-later-format"] {
        user.set("YC_IAM_TOKEN", token);
        assert_eq!(user.run(CREATE_TOKEN).ok(), format!("{token}\n"));
        user.run("iam access-key list").failed(3);
        assert_eq!(bearer(&user), token);
    }
    assert!(user.cloud.requests().iter().all(|request| request.method == "GET"));
}

#[test]
fn an_oauth_token_from_each_source_is_exchanged() {
    type CreateToken<'a> = &'a dyn Fn(&mut User) -> String;

    let in_profile = profile(&format!("token = '{OAUTH_TOKEN}'"));
    let dash = ["iam", "create-token", "--token", "-"];
    let sources: [(&str, CreateToken<'_>); 4] = [
        ("--token", &|user| user.run_args(["iam", "create-token", "--token", OAUTH_TOKEN]).ok()),
        ("--token -", &|user| user.run_with_input(dash, &format!("{OAUTH_TOKEN}\n")).ok()),
        ("YC_TOKEN", &|user| {
            user.set("YC_TOKEN", OAUTH_TOKEN);
            user.run(CREATE_TOKEN).ok()
        }),
        ("profile", &|user| {
            user.configure(&in_profile);
            user.run(CREATE_TOKEN).ok()
        }),
    ];
    for (source, create_token) in sources {
        let mut user = User::new();
        let out = create_token(&mut user);

        let [request] = &user.cloud.requests()[..] else { panic!("{source}: {:#?}", user.cloud.requests()) };
        assert_eq!(request.line(), EXCHANGE, "{source}");
        assert_eq!(request.json(), json!({"yandexPassportOauthToken": OAUTH_TOKEN}), "{source}");
        assert_eq!(request.header("authorization"), None, "{source}");
        let token = user.cloud.tokens().pop().unwrap();
        assert_eq!((out, token.grant), (format!("{}\n", token.value), Grant::Oauth), "{source}");
    }
}

#[test]
fn a_token_that_does_not_begin_t1_is_taken_for_oauth() {
    let user = User::new();
    for token in ["y3_unknown", "y6_unknown", "AQAAAAunknown", "AgAAAAunknown", "anything-else"] {
        let error = user.run_args(["iam", "create-token", "--token", token]).failed(3);
        assert!(error.contains("OAuth token is invalid or expired"), "{error}");
        let request = user.cloud.requests().pop().unwrap();
        assert_eq!(request.json(), json!({"yandexPassportOauthToken": token}));
    }
}

#[test]
fn a_token_that_is_json_or_an_s3_key_is_a_mistake_with_a_hint() {
    let mut user = User::new();
    for (token, expected) in
        [("{\n  \"id\": \"canary\"\n}\n", "service-account-key"), ("YCAJEcanary", "t1."), ("YCcanary-secret", "t1.")]
    {
        let by_flag = user.run_args(["iam", "create-token", "--token", token]).failed(2);
        user.set("YC_TOKEN", token);
        let by_variable = user.run(CREATE_TOKEN).failed(2);
        user.unset("YC_TOKEN");
        for (place, error) in [("--token", by_flag), ("YC_TOKEN", by_variable)] {
            assert!(error.contains(place) && error.contains(expected), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_token_that_is_empty_or_that_no_header_can_carry_is_refused_without_being_quoted() {
    let user = User::new();
    for token in ["", " ", "t1.canary x", "t1.canary\u{1}", "t1.canaryж"] {
        let error = user.run_args(["iam", "create-token", "--token", token]).failed(2);
        assert!(error.contains("--token") && !error.contains("canary"), "{error}");
    }
    let error = user.run_with_input(["iam", "create-token", "--token", "-"], "\n").failed(2);
    assert!(error.contains("--token"), "{error}");
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_service_accounts_key_signs_a_jwt_that_the_cloud_accepts() {
    for (owner, pair) in
        [(ADMIN_ID, PrivateKey::Rsa2048), (NARROW_ID, PrivateKey::OtherRsa2048), (ADMIN_ID, PrivateKey::Rsa4096)]
    {
        let user = User::new();
        let key = user.cloud.add_authorized_key(owner, pair);
        user.configure(&profile(&lines_of(&key)));

        let out = user.run(CREATE_TOKEN).ok();

        let token = user.cloud.tokens().pop().unwrap();
        assert_eq!(out, format!("{}\n", token.value));
        assert_eq!(
            (token.subject_id.as_str(), token.grant),
            (owner, Grant::Jwt { key_id: key.id.clone() }),
            "{pair:?}"
        );
        let [request] = &user.cloud.requests()[..] else { panic!("{:#?}", user.cloud.requests()) };
        assert_eq!((request.line().as_str(), request.header("authorization")), (EXCHANGE, None));
        let body = request.json();
        assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["jwt"]);
        let jwt = body["jwt"].as_str().unwrap();
        assert_eq!(part(jwt, 0), json!({"typ": "JWT", "alg": "PS256", "kid": key.id}));
        let claims = part(jwt, 1);
        assert_eq!(claims["iss"], owner);
        assert_eq!(claims["aud"], "https://iam.api.cloud.yandex.net/iam/v1/tokens");
        assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 3600, "{claims}");
    }
}

#[test]
fn the_jwt_names_the_public_audience_whatever_the_endpoint_of_iam() {
    let user = User::of(Emulator::builder().jwt_audience("https://elsewhere.example/iam/v1/tokens").start()).with_key();
    let error = user.run(CREATE_TOKEN).failed(3);
    assert!(error.contains("aud"), "{error}");
}

#[test]
fn token_and_call_share_one_connection() {
    for user in [User::new().with_key(), User::new().with_key().over_https()] {
        user.run("iam access-key list").ok();
        let lines: Vec<String> = user.cloud.requests().iter().map(yc_emulator::Request::line).collect();
        assert_eq!(lines, [EXCHANGE, "GET /iam/aws-compatibility/v1/accessKeys"]);
        assert_eq!(user.cloud.connections(), 1);
        assert_eq!(bearer(&user), user.cloud.tokens().pop().unwrap().value);
    }
}

#[test]
fn a_key_is_read_in_every_form_in_which_tools_write_it() {
    let user = User::new();
    let key = user.cloud.admin_key();
    let (id, owner) = (key.id.as_str(), key.service_account_id.as_str());
    let pem = PrivateKey::Rsa2048.pem();
    let with = |private_key: &str| profile(&key_lines(id, owner, private_key));
    let as_written = profile(&lines_of(&key));
    let whole_file: toml::Table = serde_json::from_str(&key.file()).unwrap();
    let forms = [
        ("as yc writes it", as_written.clone()),
        ("with all fields of the file", format!("{}[profiles.p.service-account-key]\n{whole_file}", profile(""))),
        ("without the odd line", with(pem)),
        ("brackets as escapes", as_written.replace('<', "\\u003c").replace('>', "\\u003e")),
        ("CRLF within the key", with(&key.private_key.replace('\n', "\r\n"))),
        ("CRLF in the file", as_written.replace('\n', "\r\n")),
        ("BOM in the file", format!("\u{feff}{as_written}")),
        ("BOM in the key", with(&format!("\u{feff}{}", key.private_key))),
        ("line ends escaped twice", with(&pem.replace('\n', "\\n"))),
        ("no line end at the end", with(pem.trim_end())),
        ("white space around lines", with(&format!("\n  {}  \n\n", pem.replace('\n', "  \n  ")))),
        (
            "camelCase",
            as_written.replace("service_account_id", "serviceAccountId").replace("private_key", "privateKey"),
        ),
        ("fields of later versions", format!("{as_written}\nlater = 1\nuser_account_id = ''")),
        (
            "a text over many lines",
            profile(&format!(
                "service-account-key = {{ id = '{id}', service_account_id = '{owner}', private_key = '''\n{}''' }}",
                key.private_key
            )),
        ),
    ];
    for (form, config) in forms {
        user.configure(&config);
        let ran = user.run(CREATE_TOKEN);
        assert!(ran.code == 0 && ran.err.is_empty() && ran.out.starts_with("t1."), "{form}: {ran:#?}");
    }
}

#[test]
fn what_is_not_a_key_is_named_by_file_and_field_and_never_quoted() {
    let user = User::new();
    let pem = PrivateKey::Rsa2048.pem();
    let labelled = |label: &str| pem.replace("PRIVATE KEY", label);
    let half = &pem[..pem.len() / 2];
    let (key, owner) = ("ajekey", "ajeowner");
    let cases = [
        ("an EC key", key_lines(key, owner, EC_PRIVATE_KEY), "private_key"),
        ("PKCS#1", key_lines(key, owner, &labelled("RSA PRIVATE KEY")), "private_key"),
        ("a public key", key_lines(key, owner, &labelled("PUBLIC KEY")), "private_key"),
        ("encrypted", key_lines(key, owner, &labelled("ENCRYPTED PRIVATE KEY")), "private_key"),
        ("no PEM", key_lines(key, owner, "canary"), "private_key"),
        ("cut short", key_lines(key, owner, half), "private_key"),
        ("cut out", key_lines(key, owner, &format!("{half}\n-----END PRIVATE KEY-----\n")), "private_key"),
        ("not base64", key_lines(key, owner, &pem.replace("\nM", "\n*")), "private_key"),
        ("empty", key_lines(key, owner, ""), "private_key"),
        ("no ID", lines_without("id", pem), "'id'"),
        ("no owner", lines_without("service_account_id", pem), "'service_account_id'"),
        ("no private key", lines_without("private_key", pem), "'private_key'"),
        ("a user's", format!("{}\nuser_account_id = 'ajeu'", lines_without("service_account_id", pem)), "user"),
        ("a number", "[profiles.p.service-account-key]\nid = 1".to_owned(), "type"),
        ("a text", format!("service-account-key = '''{pem}'''"), "table"),
        ("a path", "service-account-key = 'key.json'".to_owned(), "table"),
    ];
    let path = user.config_dir().join("config.toml");
    for (case, lines, expected) in cases {
        user.configure(&profile(&lines));
        let error = user.run(CREATE_TOKEN).failed(2);
        for word in [path.to_str().unwrap(), "profiles.p.service-account-key", expected] {
            assert!(error.contains(word), "{case}: no {word} in: {error}");
        }
        let body = pem.lines().chain(EC_PRIVATE_KEY.lines()).filter(|line| !line.starts_with('-'));
        for secret in body.chain(["canary"]) {
            assert!(!error.contains(secret), "{case}: {error}");
        }
    }
    assert!(user.cloud.requests().is_empty());
}

fn lines_without(field: &str, pem: &str) -> String {
    let lines = key_lines("ajekey", "ajeowner", pem);
    lines.lines().filter(|line| !line.starts_with(&format!("{field} ="))).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_key_that_the_cloud_no_longer_knows_exits_3_and_the_hint_names_it() {
    let user = User::new().with_key();
    let key = user.cloud.admin_key();
    user.cloud.delete_authorized_key(&key.id);

    let error = user.run("iam access-key list").failed(3);

    assert!(error.contains("code: UNAUTHENTICATED\n"), "{error}");
    let hint = error.split("\nhint: ").nth(1).unwrap();
    assert!(hint.contains(&key.id) && hint.contains(ADMIN_ID), "{error}");
    assert_eq!(user.cloud.requests().len(), 1, "no call without a token");
}

#[test]
fn a_key_that_is_not_the_accounts_own_is_refused() {
    let user = User::new();
    let admin = user.cloud.admin_key();
    user.configure(&profile(&key_lines(&admin.id, &admin.service_account_id, PrivateKey::OtherRsa2048.pem())));
    user.run(CREATE_TOKEN).failed(3);
    user.configure(&profile(&key_lines(&admin.id, NARROW_ID, &admin.private_key)));
    user.run(CREATE_TOKEN).failed(3);
}

#[test]
fn an_expired_iam_token_exits_3_and_the_hint_tells_what_to_do_about_its_source() {
    let mut user = User::new();
    let token = user.cloud.issue_token(ADMIN_ID);
    user.cloud.expire_tokens();
    let hint = |error: String| {
        assert!(error.contains("code: UNAUTHENTICATED\n"), "{error}");
        error.split("\nhint: ").nth(1).unwrap_or_else(|| panic!("no hint: {error}")).to_owned()
    };

    let by_flag = hint(user.run_args(["iam", "access-key", "list", "--token", &token]).failed(3));
    assert!(by_flag.contains("--token"), "{by_flag}");
    user.configure(&profile(&format!("token = '{token}'")));
    let by_profile = hint(user.run("iam access-key list").failed(3));
    assert!(by_profile.contains("profile 'p'"), "{by_profile}");
    user.set("YC_IAM_TOKEN", &token);
    let by_variable = hint(user.run("iam access-key list").failed(3));
    assert!(by_variable.contains("YC_IAM_TOKEN") && by_variable.contains("unset"), "{by_variable}");
}

#[test]
fn a_refused_oauth_token_exits_3_and_the_hint_offers_a_service_accounts_key() {
    let mut user = User::new();
    user.set("YC_TOKEN", OAUTH_TOKEN);
    user.cloud.delete_oauth_tokens();

    let error = user.run(CREATE_TOKEN).failed(3);

    assert!(error.starts_with("ERROR: ") && error.contains("OAuth token is invalid or expired"), "{error}");
    let hint = error.split("\nhint: ").nth(1).unwrap();
    assert!(hint.contains("YC_TOKEN") && hint.contains("key of a service account"), "{error}");
}

#[test]
fn an_exchange_is_tried_again_when_the_service_is_away_and_not_when_it_refuses() {
    let user = User::new().with_key().without_cache();
    user.cloud.fault(EXCHANGE, Fault::unavailable());
    user.run(CREATE_TOKEN).ok();
    assert_eq!(user.cloud.requests().len(), 2);

    user.cloud.clear_requests();
    user.cloud.fault(EXCHANGE, Fault::status(16, "The token is invalid"));
    user.run(CREATE_TOKEN).failed(3);
    assert_eq!(user.cloud.requests().len(), 1);
}

#[test]
fn without_credentials_the_error_lists_the_sources_that_were_tried_and_what_to_type() {
    let user = User::new();
    let places = [
        (None, "config"),
        (Some(""), "config.toml"),
        (Some("current = 'p'\n[profiles.p]\n"), "profile 'p'"),
        (Some("current = 'p'\n[profiles.p]\nfolder-id = 'x'\n"), "profile 'p'"),
    ];
    for (config, place) in places {
        if let Some(text) = config {
            user.configure(text);
        }
        for line in [CREATE_TOKEN, "iam access-key list", "operation get x"] {
            let error = user.run(line).failed(3);
            for source in ["--token", "YC_IAM_TOKEN", "YC_TOKEN", place] {
                assert!(error.contains(source), "{config:?}: no {source} in: {error}");
            }
            assert!(error.contains("\nhint: ") && error.contains("export YC_IAM_TOKEN="), "{error}");
            let json: Value = serde_json::from_str(&user.run(&format!("{line} --error-format json")).err).unwrap();
            assert_eq!((&json["code"], &json["exit"]), (&json!("NO_CREDENTIALS"), &json!(3)));
        }
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn a_profile_with_two_credentials_is_an_error_that_names_both() {
    let user = User::new();
    let key = lines_of(&user.cloud.admin_key());
    user.configure(&profile(&format!("token = '{OAUTH_TOKEN}'\n{key}")));

    let error = user.run(CREATE_TOKEN).failed(2);

    for word in ["config.toml", "profiles.p", "'token'", "service-account-key"] {
        assert!(error.contains(word), "{error}");
    }
    assert!(user.cloud.requests().is_empty());
}

#[test]
fn create_token_prints_the_bare_token_as_text() {
    let user = User::new().with_key();
    for line in [CREATE_TOKEN, "iam create-token --format text"] {
        let out = user.run(line).ok();
        assert_eq!(out, format!("{}\n", user.cloud.tokens().pop().unwrap().value));
    }
}

#[test]
fn create_token_prints_token_and_end_in_the_other_formats() {
    let user = User::new().with_key();
    let shown = |format: &str| {
        let out = user.run_args(["iam", "create-token", "--format", format]).ok();
        let token = user.cloud.tokens().pop().unwrap();
        let end = token.expires_at.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
        (out, token.value, end)
    };
    let (out, token, end) = shown("json");
    assert_eq!(out, format!("{{\n  \"iam_token\": \"{token}\",\n  \"expires_at\": \"{end}\"\n}}\n"));
    let (out, token, end) = shown("json-rest");
    assert_eq!(out, format!("{{\n  \"iamToken\": \"{token}\",\n  \"expiresAt\": \"{end}\"\n}}\n"));
    let (out, token, end) = shown("yaml");
    assert_eq!(out, format!("iam_token: {token}\nexpires_at: \"{end}\"\n"));
}

#[test]
fn create_token_leaves_out_the_end_of_a_token_that_was_given() {
    let user = User::signed_in();
    let out = user.run("iam create-token --format json").json();
    assert_eq!(out.as_object().unwrap().keys().collect::<Vec<_>>(), ["iam_token"]);
}

#[test]
fn a_profile_with_format_json_switches_create_token_too() {
    let mut user = User::new();
    let key = lines_of(&user.cloud.admin_key());
    user.configure(&profile(&format!("format = 'json'\n{key}")));
    assert!(user.run(CREATE_TOKEN).json()["iam_token"].as_str().unwrap().starts_with("t1."));
    assert!(user.run("iam create-token --format text").ok().starts_with("t1."));
    user.set("YC_FORMAT", "text");
    assert!(user.run(CREATE_TOKEN).ok().starts_with("t1."));
}

#[test]
fn create_token_runs_a_filter_on_the_document() {
    let user = User::new().with_key();
    assert!(user.run_args(["iam", "create-token", "--jq", ".iam_token"]).ok().starts_with("t1."));
    assert_eq!(user.run_args(["iam", "create-token", "--jq", "keys_unsorted[]"]).ok(), "iam_token\nexpires_at\n");
}

#[test]
fn the_chosen_profile_authenticates_for_its_folder() {
    let user = User::new();
    let [mine, other] = [(); 2].map(|()| user.cloud.issue_token(ADMIN_ID));
    user.configure(&format!(
        "current = 'mine'\n[profiles.mine]\ntoken = '{mine}'\n\
         [profiles.other]\ntoken = '{other}'\nfolder-id = '{FOLDER_ID}'\n"
    ));
    user.run("iam access-key list").ok();
    assert_eq!(bearer(&user), mine);
    user.run("iam access-key list --profile other --service-account-name admin").ok();
    assert_eq!(bearer(&user), other);
}
