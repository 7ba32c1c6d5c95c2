//! A token that the user gives: one that has expired is not printed, and one that is something else is described.

use yc_emulator::{ADMIN_ID, Fault, OAUTH_TOKEN};

use super::CREATE_TOKEN;
use crate::route::EXCHANGE;
use crate::support::User;

const USERINFO: &str = "GET /oauth/userinfo";

#[test]
fn a_refused_value_is_looked_at_before_its_expiry_is_blamed() {
    let mut user = User::new();
    for (variable, value, code, expected) in [
        (
            "YC_IAM_TOKEN",
            "y0_AgAAAAABcdefGhijkLmnop",
            3,
            "the value of YC_IAM_TOKEN looks like an OAuth token, but must be an IAM token, which begins with t1.; an \
             OAuth token goes into YC_TOKEN or --token",
        ),
        (
            "YC_IAM_TOKEN",
            "of-some-kind",
            3,
            "the value of YC_IAM_TOKEN does not look like an IAM token, which begins with t1.",
        ),
        (
            "YC_IAM_TOKEN",
            "\"t1.9euelZqXm5yLkpGRkZKR.c2lnbmF0dXJl\"",
            2,
            "YC_IAM_TOKEN is in quotation marks; give the token without them",
        ),
        (
            "YC_IAM_TOKEN",
            "{\n  \"iam_token\": \"t1.9euelZqXm5yLkpGRkZKR\"\n}",
            2,
            "YC_IAM_TOKEN holds the JSON that create-token prints, not a token; the token is the value of 'iam_token' in \
             it, and create-token prints it alone with --format text",
        ),
        (
            "YC_IAM_TOKEN",
            "YCMUWwxFAnZq8fRkT2vGxN0sLh3PbJdYc1eKuQ7m",
            2,
            "YC_IAM_TOKEN holds a key for S3, not a token; an IAM token begins with t1.",
        ),
        (
            "YC_TOKEN",
            "/home/me/key.json",
            2,
            "YC_TOKEN holds a path, not a token; the path of a key file goes into YC_SERVICE_ACCOUNT_KEY_FILE, and a \
             token is read from a file by: --token - < FILE",
        ),
        (
            "YC_TOKEN",
            "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJhamUifQ.c2lnbmF0dXJl",
            2,
            "YC_TOKEN holds a JSON Web Token, not an IAM or OAuth token; one of another identity provider is exchanged by \
             'workload-identity' of a profile",
        ),
        (
            "YC_TOKEN",
            "AQVNyDKEGi3RHfWyP3kgMCDbE3LPDjC1",
            2,
            "YC_TOKEN holds an API key, not a token; an IAM token begins with t1.",
        ),
        (
            "YC_TOKEN",
            "some-password",
            3,
            "the value of YC_TOKEN does not look like a token: an IAM token begins with t1., an OAuth token with y0_; no \
             newly issued OAuth tokens are accepted since 2026-06-01: use the key of a service account",
        ),
        (
            "YC_TOKEN",
            "y0_AgAAAAABcdefGhijkLmnop",
            3,
            "the OAuth token of YC_TOKEN may have expired or been revoked; no newly issued OAuth tokens are accepted since \
             2026-06-01: use the key of a service account",
        ),
    ] {
        user.set(variable, value);
        let error = user.run("iam access-key list").failed(code);
        user.unset(variable);
        let prefix = if code == 2 { "ERROR: " } else { "hint: " };
        assert!(error.lines().any(|line| line == format!("{prefix}{expected}")), "{error}");
        assert!(!error.contains(value), "{error}");
    }
}

#[test]
fn only_a_variable_in_the_place_of_a_profile_is_to_be_unset_for_it() {
    let expired = "t1.9euelZqXm5yLkpGRkZKR.c2lnbmF0dXJl";
    let hint = |variable: &str, advice: &str| {
        format!(
            "hint: the IAM token of {variable} may have expired (an IAM token expires after 12 hours at most): set \
             {variable} to a new one, or {advice}\n"
        )
    };
    let better = "better use the key of a service account";
    for (variable, has_profile, advice) in [
        ("YC_IAM_TOKEN", true, "unset it to use the profile"),
        ("YC_IAM_TOKEN", false, better),
        ("YC_TOKEN", false, better),
    ] {
        let mut user = if has_profile { User::new().with_key() } else { User::new() };
        user.set(variable, expired);
        let error = user.run("iam access-key list").failed(3);
        assert!(error.ends_with(&hint(variable, advice)), "{error}");
    }
}

#[test]
fn an_agreement_that_was_never_accepted_is_not_taken_for_an_expired_token() {
    let message = "User has to accept the End User License Agreement and Privacy Policy to get an IAM token";
    for set in [
        |user: &mut User| user.set("YC_TOKEN", OAUTH_TOKEN),
        |user: &mut User| user.use_profile(&format!("token-command = ['/bin/echo', '{OAUTH_TOKEN}']")),
    ] {
        let mut user = User::new();
        set(&mut user);
        user.cloud.fault(EXCHANGE, Fault::status(16, message));
        let error = user.run(CREATE_TOKEN).failed(3);
        assert!(error.contains(message), "{error}");
        assert!(
            error.ends_with(
                "\nhint: the token is valid, but its account has never accepted the agreement: sign in to the management \
                 console once, https://console.yandex.cloud\n"
            ),
            "{error}"
        );
    }
}

#[test]
fn create_token_does_not_print_a_given_token_that_has_expired() {
    let given: [fn(&mut User, &str); 4] = [
        |user, token| user.set("YC_TOKEN", token),
        |user, token| user.set("YC_IAM_TOKEN", token),
        |user, token| user.use_profile(&format!("token = '{token}'")),
        |user, token| user.use_profile(&format!("token-command = ['/bin/echo', '{token}']")),
    ];
    for set in given {
        let mut user = User::new();
        let token = user.cloud.issue_token(ADMIN_ID);
        set(&mut user, &token);
        user.run(CREATE_TOKEN).ok();
        user.cloud.expire_tokens();
        user.cloud.clear_requests();
        let error = user.run(CREATE_TOKEN).failed(3);
        assert!(error.contains(" is not valid: ") && error.contains("\nhint: "), "{error}");
        assert!(!error.contains(&token), "{error}");
        assert_eq!(user.sent(), [USERINFO]);
    }
}

#[test]
fn an_expired_token_in_yc_token_is_renewed_from_the_profile() {
    let mut user = User::new().with_key();
    let old = user.cloud.issue_token(ADMIN_ID);
    user.cloud.expire_tokens();
    user.set("YC_TOKEN", &old);
    let new = user.run(CREATE_TOKEN).ok();
    assert_eq!((new, user.sent()), (format!("{}\n", user.cloud.tokens()[1].value), vec![EXCHANGE.to_owned()]));
}

#[test]
fn create_token_prints_a_given_token_that_the_server_says_nothing_about() {
    let mut user = User::signed_in();
    let token = user.cloud.tokens()[0].value.clone();
    for fault in
        [Fault::unavailable(), Fault::status(7, "Permission denied").into(), Fault::answer(200, "text/html", "<html>")]
    {
        user.cloud.fault(USERINFO, fault);
        assert_eq!(user.run(CREATE_TOKEN).ok(), format!("{token}\n"));
    }
    assert_eq!(user.sent(), [USERINFO; 3], "it is asked once");
    user.set("YC_ENDPOINT_URL_AUTH", "http://127.0.0.1:1");
    assert_eq!(user.run(CREATE_TOKEN).ok(), format!("{token}\n"));
}
