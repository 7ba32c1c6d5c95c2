//! Each kind of fault over HTTP/1.1.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use yc_emulator::{ADMIN_ID, Emulator, Fault};

use crate::client::{KEYS, Response, TOKENS, call, connect};

const CREATE: &str = "POST /iam/aws-compatibility/v1/accessKeys";

fn create(cloud: &Emulator) -> std::io::Result<Response> {
    call("POST", KEYS).admin(cloud).json(json!({})).try_send(cloud)
}

fn lost(response: std::io::Result<Response>) {
    let kind = response.unwrap_err().kind();
    assert!([ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&kind), "{kind}");
}

#[test]
fn a_refusal_comes_before_processing_and_once() {
    let cloud = Emulator::start();
    let refusal = Fault::status(14, "Try later").header("Retry-After", "3").retry_info(Duration::from_millis(1500));
    cloud.fault(CREATE, refusal);
    let response = create(&cloud).unwrap();
    response.refused(503, 14, "Try later");
    assert_eq!(response.header("retry-after"), Some("3"));
    assert_eq!(response.json()["details"][0]["retryDelay"], "1.500s");
    assert!(cloud.access_keys().is_empty());
    create(&cloud).unwrap().ok();
    cloud.fault("*", Fault::status(8, "Slow down").http(503));
    create(&cloud).unwrap().refused(503, 8, "Slow down");
}

#[test]
fn faults_wait_for_their_route_in_order() {
    let cloud = Emulator::start();
    let key = cloud.add_access_key(ADMIN_ID, "");
    let get = || call("GET", &format!("{KEYS}/{}", key.id)).admin(&cloud).send(&cloud).status;
    cloud.fault("GET /iam/aws-compatibility/v1/accessKeys/{accessKeyId}", Fault::unavailable());
    cloud.fault(&format!("GET {KEYS}/{}", key.id), Fault::status(13, "Oops"));
    create(&cloud).unwrap().ok();
    assert_eq!([get(), get(), get()], [503, 500, 200]);
}

#[test]
fn a_connection_closed_early_has_no_effect_and_one_closed_late_has() {
    let cloud = Emulator::start();
    cloud.fault(CREATE, Fault::Close);
    lost(create(&cloud));
    assert!(cloud.access_keys().is_empty());
    cloud.fault(CREATE, Fault::LoseReply);
    lost(create(&cloud));
    assert_eq!(cloud.access_keys().len(), 1);
    cloud.fault(CREATE, Fault::CutReply);
    lost(create(&cloud));
    assert_eq!(cloud.access_keys().len(), 2);
    assert_eq!(cloud.requests().iter().map(|r| r.status).collect::<Vec<_>>(), [None, None, Some(200)]);
    assert_eq!(cloud.connections(), 3);
}

#[test]
fn a_refused_connection_sends_nothing_back() {
    let cloud = Emulator::start();
    cloud.refuse_connections(1);
    assert!(create(&cloud).is_err());
    assert!(cloud.requests().is_empty());
    create(&cloud).unwrap().ok();
}

#[test]
fn garbage_and_gateway_errors_hide_a_success() {
    let cloud = Emulator::start();
    cloud.fault(CREATE, Fault::Garbage);
    let response = create(&cloud).unwrap();
    assert_eq!(response.status, 200);
    assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_err());
    for status in [500, 502, 504] {
        cloud.fault(CREATE, Fault::BadGateway(status));
        assert_eq!(create(&cloud).unwrap().status, status);
    }
    assert_eq!(cloud.access_keys().len(), 4);
}

#[test]
fn a_delay_takes_its_time() {
    let cloud = Emulator::start();
    cloud.fault(CREATE, Fault::Delay(Duration::from_millis(20)));
    let start = Instant::now();
    create(&cloud).unwrap().ok();
    assert!(start.elapsed() >= Duration::from_millis(20));
}

#[test]
fn a_held_request_is_processed_once_it_is_let_go() {
    let cloud = Emulator::start();
    let hold = cloud.hold(CREATE);
    thread::scope(|scope| {
        let client = scope.spawn(|| create(&cloud).unwrap().ok());
        hold.wait_until_arrived();
        assert_eq!((cloud.requests().len(), cloud.requests()[0].status), (1, None));
        assert!(cloud.access_keys().is_empty());
        // Others go on meanwhile.
        create(&cloud).unwrap().ok();
        hold.release();
        client.join().unwrap();
    });
    assert_eq!(cloud.access_keys().len(), 2);
    drop(cloud.hold(CREATE));
    create(&cloud).unwrap().ok();
}

#[test]
fn a_redirect_points_where_it_is_told() {
    let cloud = Emulator::start();
    cloud.fault(CREATE, Fault::redirect(307, "http://127.0.0.1:9/"));
    let response = create(&cloud).unwrap();
    assert_eq!((response.status, response.header("location")), (307, Some("http://127.0.0.1:9/")));
    assert!(cloud.access_keys().is_empty());
}

#[test]
fn an_oversized_body_is_more_than_32_mib() {
    let cloud = Emulator::start();
    cloud.fault("POST /iam/v1/tokens", Fault::Oversized);
    let response = call("POST", TOKENS).json(json!({})).send(&cloud);
    assert_eq!(response.status, 200);
    assert!(response.body.len() > 32 * 1024 * 1024);
}

#[test]
fn an_echo_repeats_the_secrets() {
    let cloud = Emulator::start();
    cloud.fault(CREATE, Fault::EchoSecrets);
    let response = create(&cloud).unwrap();
    response.refused(400, 3, &cloud.tokens()[0].value);
    assert!(response.message().contains("body {}"));
}

#[test]
fn headers_replace_those_of_the_response() {
    let cloud = Emulator::start();
    let date = "Thu, 01 Jan 1970 00:00:00 GMT";
    cloud.fault(CREATE, Fault::headers([("Date", date), ("X-Odd", "\u{7f16}"), ("Content-Type", "text/odd")]));
    let response = create(&cloud).unwrap();
    response.ok();
    assert_eq!((response.header("date"), response.header("content-type")), (Some(date), Some("text/odd")));
    assert_eq!(response.header("x-odd"), Some("\u{7f16}"));
}

#[test]
fn a_connection_is_kept_after_a_refusal() {
    let cloud = Emulator::start();
    cloud.fault("*", Fault::unavailable());
    let mut stream = connect(&cloud);
    for status in [503, 200] {
        let response = call("GET", KEYS).admin(&cloud).send_on(&mut stream).unwrap();
        assert_eq!(response.status, status);
    }
    assert_eq!(cloud.connections(), 1);
}

#[test]
fn a_fault_that_is_not_used_fails_the_test() {
    let unused = |queue: fn(&Emulator)| {
        let cloud = Emulator::start();
        queue(&cloud);
        let panic = catch_unwind(AssertUnwindSafe(|| drop(cloud))).err()?;
        panic.downcast_ref::<String>().cloned()
    };
    assert_eq!(unused(|_| ()), None);
    assert_eq!(
        unused(|cloud| cloud.fault(CREATE, Fault::Close)).unwrap(),
        format!("faults that no request has met: {CREATE}: Fault(Close)")
    );
    assert!(unused(|cloud| cloud.refuse_connections(2)).unwrap().contains("2 connections"));
    assert_eq!(
        unused(|cloud| {
            cloud.fault(CREATE, Fault::Close);
            cloud.forget_faults();
        }),
        None
    );
}

#[test]
#[should_panic(expected = "no route is like `POST /iam/v1/token`")]
fn a_misspelt_pattern_is_noticed_at_once() {
    Emulator::start().fault("POST /iam/v1/token", Fault::Close);
}

#[test]
fn refusals_are_worded_as_the_service_does() {
    let cloud = Emulator::start();
    let refused = |method: &str, path: &str| {
        cloud.fault(&format!("{method} {path}"), Fault::unavailable());
        let response = call(method, path).body("").send(&cloud);
        assert_eq!(response.status, 503, "{path}");
        response.text()
    };
    assert!(refused("GET", "/endpoints").starts_with(r#"{"code":14,"message":"The service is unavailable""#));
    assert!(refused("GET", "/resource-manager/v1/clouds").starts_with(r#"{"code":14,"#));
    let metadata = "/computeMetadata/v1/instance/service-accounts/default/token";
    assert_eq!(refused("GET", metadata), "The service is unavailable");
    assert_eq!(refused("GET", "/github/oidc"), "The service is unavailable");
    let oauth = r#"{"error":"temporarily_unavailable","error_description":"The service is unavailable"}"#;
    assert_eq!(refused("POST", "/oauth/token"), oauth);
    cloud.set_federation_status_errors(true);
    assert!(refused("POST", "/oauth/token").starts_with(r#"{"code":14,"#));
    let xml = refused("POST", "/");
    let error = "<Error><Type>Receiver</Type><Code>ServiceUnavailable</Code>\
                 <Message>The service is unavailable</Message></Error>";
    assert!(xml.contains(error), "{xml}");

    cloud.fault("POST /", Fault::status(8, "Rate <exceeded>").name("Throttling").http(400));
    let response = call("POST", "/").body("").send(&cloud);
    assert_eq!((response.status, response.header("content-type")), (400, Some("text/xml")));
    let error = "<Type>Sender</Type><Code>Throttling</Code><Message>Rate &lt;exceeded&gt;</Message>";
    assert!(response.text().contains(error), "{}", response.text());
}

#[test]
fn a_response_of_the_tests_own_is_sent_as_it_is() {
    let cloud = Emulator::start();
    cloud.fault("GET /endpoints", Fault::answer(418, "text/plain", "short and stout"));
    let response = call("GET", "/endpoints").send(&cloud);
    assert_eq!((response.status, response.header("content-type")), (418, Some("text/plain")));
    assert_eq!(response.text(), "short and stout");
}

#[test]
fn new_routes_can_be_held_and_have_the_date_of_the_emulator() {
    let cloud = Emulator::start();
    cloud.advance(Duration::from_secs(7 * 24 * 3600));
    let hold = cloud.hold("POST /oauth/token");
    thread::scope(|scope| {
        let client = scope.spawn(|| call("POST", "/oauth/token").form(&[]).send(&cloud));
        hold.wait_until_arrived();
        hold.release();
        let response = client.join().unwrap();
        let date = response.header("date").unwrap();
        assert!(date.contains(&cloud.now().format("%d %b %Y").to_string()), "{date}");
    });
    cloud.fault("POST /", Fault::LoseReply);
    lost(call("POST", "/").body("").try_send(&cloud));
}
