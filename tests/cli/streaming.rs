//! Lists of several pages: printed page by page, whatever happens to the pages after.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::time::Duration;

use yc_emulator::{ADMIN_ID, Fault};

use crate::route::LIST;
use crate::support::{Ran, User};

const ONE_A_PAGE: &str = "iam access-key list --page-size 1";

/// A user with keys, and the IDs of the keys in the order of the list.
fn user_with_keys(count: usize) -> (User, Vec<String>) {
    let user = User::signed_in();
    for _ in 0..count {
        user.cloud.add_access_key(ADMIN_ID, "");
    }
    let ids = user.run("iam access-key list --jq .[].id").ok();
    let ids: Vec<_> = ids.lines().map(str::to_owned).collect();
    assert_eq!(ids.len(), count);
    user.cloud.clear_requests();
    (user, ids)
}

/// Lets the next requests for a page pass, before a fault or a hold that is set after.
fn pass(user: &User, pages: usize) {
    for _ in 0..pages {
        user.cloud.fault(LIST, Fault::Delay(Duration::ZERO));
    }
}

/// Standard output up to the line that holds this text.
fn read_until(child: &mut Child, text: &str) -> (String, BufReader<std::process::ChildStdout>) {
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut read = String::new();
    while !read.contains(text) {
        assert!(stdout.read_line(&mut read).unwrap() > 0, "the output ended: {read}");
    }
    (read, stdout)
}

#[test]
fn a_page_is_printed_while_the_next_one_is_on_its_way() {
    let options: [&[&str]; 5] = [
        &["--format", "json"],
        &["--format", "json-rest"],
        &["--format", "yaml"],
        &["--jq", ".[].id"],
        &["--jq", ".[] | .id"],
    ];
    for options in options {
        let (user, ids) = user_with_keys(3);
        let words: Vec<_> = ONE_A_PAGE.split(' ').chain(options.iter().copied()).collect();
        let whole = user.run_args(&words).ok();
        pass(&user, 1);
        let hold = user.cloud.hold(LIST);
        let mut child = user.start(&words);
        hold.wait_until_arrived();
        let (mut printed, mut rest) = read_until(&mut child, &ids[0]);
        hold.release();
        rest.read_to_string(&mut printed).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(printed, whole, "{options:?}");
    }
}

#[test]
fn after_a_failure_the_output_is_the_beginning_of_the_whole_list() {
    let formats = ["--format json", "--format yaml", "--jq .[].id", "--format table", "--format text", "--jq length"];
    for options in formats {
        let (user, _) = user_with_keys(5);
        let line = format!("{ONE_A_PAGE} {options}");
        let whole = user.run(&line).ok();
        pass(&user, 2);
        user.cloud.fault(LIST, Fault::status(7, "no more"));
        let child = user.start(line.split(' '));
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(whole.starts_with(&printed) && printed.len() < whole.len(), "{options}: {printed}");
        // A table and a filter on the whole list need all pages; the others show the two that came.
        let is_collected = options.contains("table") || options.contains("text") || options.contains("length");
        assert_eq!(printed.is_empty(), is_collected, "{options}: {printed}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("ERROR: cannot list access keys: no more\n"), "{error}");
    }
}

#[test]
fn a_closed_pipe_stops_the_requests() {
    let (user, ids) = user_with_keys(10);
    pass(&user, 1);
    let hold = user.cloud.hold(LIST);
    let mut child = user.start(format!("{ONE_A_PAGE} --jq .[].id").split(' '));
    hold.wait_until_arrived();
    let (_, stdout) = read_until(&mut child, &ids[0]);
    drop(stdout);
    hold.release();
    assert_eq!(Ran::of(child).ok(), "");
    // The third page may be on its way when the second one cannot be written.
    assert!(user.sent().len() <= 3, "{:?}", user.sent());
}

#[test]
fn a_filter_that_fails_prints_nothing_of_a_list_of_one_page() {
    let (user, _) = user_with_keys(3);
    let error = user.run_args(["iam", "access-key", "list", "--jq", ".[] | .id, error(\"no\")"]).failed(1);
    assert_eq!(error, "ERROR: jq filter: no\n");
}

#[test]
fn without_a_limit_every_key_is_listed() {
    let (user, ids) = user_with_keys(3);
    for flags in ["--limit 0", "--all"] {
        let listed = user.run(&format!("{ONE_A_PAGE} {flags} --jq .[].id")).ok();
        assert_eq!(listed.lines().collect::<Vec<_>>(), ids);
    }
    let listed = user.run(&format!("{ONE_A_PAGE} --limit 2 --jq .[].id")).ok();
    assert_eq!(listed.lines().collect::<Vec<_>>(), ids[..2]);
}

#[test]
fn a_list_that_does_not_end_is_given_up() {
    let user = User::signed_in();
    let page = |items: &str, next: &str| {
        Fault::answer(200, "application/json", &format!(r#"{{"accessKeys":{items},"nextPageToken":"{next}"}}"#))
    };
    for tokens in [&["a", "a"][..], &["a", "b", "c", "a"]] {
        for next in tokens {
            user.cloud.fault(LIST, page(r#"[{"id":"ajex"}]"#, next));
        }
        let error = user.run("iam access-key list --all --format table --error-format json").err;
        let error: serde_json::Value = serde_json::from_str(&error).unwrap();
        let message = "cannot list access keys: the server names a page of the list that came before";
        assert_eq!((&error["message"], &error["code"]), (&message.into(), &"INTERNAL".into()));
        assert_eq!((&error["exit"], &error["retryable"]), (&1.into(), &false.into()));
    }
    user.cloud.clear_requests();
    for next in 0..10 {
        user.cloud.fault(LIST, page("[]", &next.to_string()));
    }
    let error = user.run("iam access-key list").failed(1);
    assert_eq!(error, "ERROR: cannot list access keys: the server returned 10 empty pages of the list in a row\n");
    assert_eq!(user.sent().len(), 10);
}
