//! What is typed, or set as a variable.

use std::collections::BTreeMap;

use super::{Target, first_line, outcome, text};
use crate::endpoints;
use crate::env::Env;
use crate::http::Url;
use crate::http::fuzzing::proxy_is_used;
use crate::output::Filter;
use crate::text::{duration, host, path};

pub(super) const DURATION: Target = Target {
    name: "duration",
    run: duration,
    seeds: &["15m", "1h30m", "1.5h", "3600s", "90d", "1h 30m 5s 7ms 1us 1ns", "2months 1week 1y"],
};

/// A duration is shown so that it can be typed again.
fn duration(input: &[u8]) -> String {
    match duration::parse(&text(input)) {
        Ok(parsed) => {
            let shown = duration::human(parsed).to_string();
            assert_eq!(duration::parse(&shown), Ok(parsed), "{shown}");
            assert!(duration::to_protobuf(parsed).ends_with('s'));
            "ok".to_owned()
        }
        Err(error) => error,
    }
}

pub(super) const ENDPOINT: Target = Target {
    name: "endpoint",
    run: endpoint,
    seeds: &[
        "https://api.cloud.yandex.net:443",
        "https://host.example/path/",
        "http://127.0.0.1:8080",
        "http://[::1]/",
        "~/a/../b",
        "https://xn--e1afmkfd.xn--p1ai",
    ],
};

/// Secrets are sent over TLS, or to this machine, and to the host that is written.
fn endpoint(input: &[u8]) -> String {
    let text = text(input);
    let _ = path::expand(&text, None);
    match endpoints::check_url(&text) {
        Ok(base) => {
            let url = Url::parse(&format!("{base}/iam/v1/tokens")).expect("a URL");
            assert!(url.scheme() == "https" || endpoints::is_loopback(&url), "{url}");
            assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none(), "{url}");
            assert!(url.has_host(), "{url}");
            "ok".to_owned()
        }
        Err(error) => error,
    }
}

pub(super) const PROXY: Target = Target {
    name: "proxy",
    run: proxy,
    seeds: &[
        "http://user:p%40ss@proxy.example:3128\n*.internal,.local,10.0.0.0/8,::1\nhttps://iam.api.cloud.yandex.net/",
        "proxy:8080\n*\nhttps://10.1.2.3/",
        "https://[::1]:3128\n\nhttps://[2001:db8::1]:8443/a",
    ],
};

/// The proxy, what is reached without it, and a URL.
fn proxy(input: &[u8]) -> String {
    let text = text(input);
    let (proxy, rest) = first_line(&text);
    let (bypass, url) = first_line(rest);
    // A request is not sent to another host.
    let url = host::check_ascii(url).ok().and_then(|()| Url::parse(url).ok());
    let url = url.unwrap_or_else(|| Url::parse("https://iam.example/").expect("a URL"));
    let vars =
        BTreeMap::from([("HTTPS_PROXY".to_owned(), proxy.to_owned()), ("NO_PROXY".to_owned(), bypass.to_owned())]);
    let result = proxy_is_used(&Env { vars, ..Env::default() }, &url);
    if endpoints::is_loopback(&url) {
        assert!(!matches!(result, Ok(Some(true))), "{url} is reached through a proxy");
    }
    result.map_or_else(|error| error.to_string(), |used| format!("ok {used:?}"))
}

pub(super) const FILTER: Target = Target {
    name: "filter",
    run: filter,
    seeds: &[
        ".access_key.id",
        ".[] | select(.description == \"a\") | [.id, .created_at] | @tsv",
        "def f(x): x | if . then 1 elif $ENV.A then 2 else {a: .b, \"c\": [.[1:2]?]} end; f(.) as {a: $x} | reduce .[] as $i (0; . + $i) // try error catch .",
        "map(.id) | sort_by(.) | join(\",\") | test(\"a\"; \"g\")",
        ".a.b[\"c\"][0]",
    ],
};

/// A filter is compiled or explained; a path, which runs in this process, is run.
fn filter(input: &[u8]) -> String {
    let text = text(input);
    match Filter::compile(&text, &BTreeMap::new()) {
        Ok(filter) => {
            let each = filter.per_item();
            let each = each.as_ref().filter(|filter| filter.is_field_path()).map(run);
            format!("ok {each:?} {:?}", filter.is_field_path().then(|| run(&filter)))
        }
        Err(error) => error.to_string(),
    }
}

fn run(filter: &Filter) -> String {
    let document = br#"{"id": "a", "access_key": {"id": null, "x": [1, {"y": "z"}]}, "a": {"b": {"c": [false]}}}"#;
    outcome(filter.run(document))
}
