//! The pictures of the documents: what the program prints on a terminal of 80 columns, as SVG. With
//! `YC_RS_UPDATE_DOCS=1` they are made anew.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use chrono::{TimeDelta, Utc};
use yc_emulator::{ADMIN_ID, BACKUP_ID, Emulator};

use crate::support::User;
use crate::terminal::terminal_of;

/// A user whose terminal shows colours.
fn user() -> User {
    let mut user = User::of(Emulator::builder().operation_polls(0).start()).with_key().over_https();
    let url = user.cloud.https_url().to_owned();
    for service in ["STORAGE", "LOCKBOX"] {
        user.set(&format!("YC_ENDPOINT_URL_{service}"), &*url);
    }
    user.set("TERM", "xterm-256color");
    user
}

/// What a command prints with all of its streams on one terminal of 80 columns.
fn shown(user: &User, line: &str) -> String {
    shown_in(80, user, line)
}

/// As [`shown`], on a terminal of this many columns.
fn shown_in(columns: u16, user: &User, line: &str) -> String {
    let (mut screen, program) = terminal_of(columns);
    let mut command = user.command(line.split_whitespace());
    command.stdin(Stdio::null()).stdout(program.try_clone().unwrap()).stderr(program);
    let mut child = command.spawn().unwrap();
    drop(command);
    let (mut bytes, mut chunk) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = screen.read(&mut chunk) {
        bytes.extend_from_slice(&chunk[..count]);
    }
    child.wait().unwrap();
    let text = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    // What a line at the bottom has shown is gone in the end.
    text.split('\n')
        .map(|line| line.rsplit(['\r']).next().unwrap().replace("\u{1b}[2K", ""))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The text with other values in the place of those that differ from run to run.
fn settled(text: &str, replacements: &[(String, &str)]) -> String {
    let mut text = text.to_owned();
    for (value, replacement) in replacements {
        text = text.replace(value.as_str(), replacement);
    }
    text
}

/// The text with `to` in the place of what stands between `before` and the next of `ends`.
fn replace_between(text: &str, before: &str, ends: &[char], to: &str) -> String {
    let mut parts = text.split(before);
    let mut settled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(ends).unwrap_or(part.len());
        settled.extend([before, to, &part[end..]]);
    }
    settled
}

/// Holds the picture of a command and what it prints against the file.
#[expect(clippy::disallowed_methods, reason = "the variable is for the tests alone, and the file for everybody")]
fn check(name: &str, lines: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/pictures/{name}.svg"));
    let svg = svg(lines);
    if std::env::var_os("YC_RS_UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &svg).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        file == svg,
        "docs/pictures/{name}.svg is stale; run: YC_RS_UPDATE_DOCS=1 cargo test --test cli pictures\n{svg}"
    );
}

/// The width of a character, in tenths of a pixel.
const COLUMN: usize = 84;
const ROW: usize = 19;
const MARGIN: usize = 16;

fn svg(commands: &[(&str, String)]) -> String {
    let mut rows = Vec::new();
    for (number, (command, printed)) in commands.iter().enumerate() {
        if number > 0 {
            rows.push(String::new());
        }
        rows.push(format!("\u{1b}[32m$\u{1b}[0m \u{1b}[1m{command}\u{1b}[0m"));
        rows.extend(printed.trim_end().lines().map(str::to_owned));
    }
    let columns = |row: &String| runs(row).iter().map(|(_, text)| text.chars().count()).sum::<usize>();
    let widest = rows.iter().map(columns).max().unwrap_or_default().max(80);
    let width = (widest * COLUMN).div_ceil(10) + 2 * MARGIN;
    let height = rows.len() * ROW + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\" fill=\"#d5d9e0\" \
         xml:space=\"preserve\">\n"
    );
    for (number, row) in rows.iter().enumerate() {
        let y = MARGIN + (number + 1) * ROW - 5;
        let mut column = 0;
        for (style, text) in runs(row) {
            if !text.trim().is_empty() {
                let x = tenths(10 * MARGIN + column * COLUMN);
                let length = tenths(text.chars().count() * COLUMN);
                let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\"{style}>{text}</text>");
            }
            column += text.chars().count();
        }
    }
    svg + "</g>\n</svg>\n"
}

/// A number of tenths with a point.
fn tenths(number: usize) -> String {
    format!("{}.{}", number / 10, number % 10)
}

/// The parts of a row, each with the attributes of its style.
fn runs(row: &str) -> Vec<(&'static str, &str)> {
    let mut runs = Vec::new();
    let mut style = "";
    for (number, part) in row.split("\u{1b}[").enumerate() {
        if number == 0 {
            runs.push((style, part));
            continue;
        }
        let (code, text) = part.split_once('m').unwrap_or_else(|| panic!("{row:?}"));
        style = match code {
            "0" => "",
            "1" => " font-weight=\"bold\"",
            "31" | "1;31" => " fill=\"#ff7b72\"",
            "32" => " fill=\"#7ee787\"",
            "33" => " fill=\"#e3b341\"",
            "36" => " fill=\"#76e3ea\"",
            "90" => " fill=\"#8b949e\"",
            other => panic!("no colour for {other:?}"),
        };
        runs.push((style, text));
    }
    runs
}

#[test]
fn issuing_a_key() {
    let user = user();
    let line = "iam access-key issue-ephemeral --service-account-name backup --duration 1h --allow read:data";
    let text = shown(&user, line);
    let lines: Vec<_> = text
        .lines()
        .map(|line| match line.split_once(": ") {
            Some(("access_key_id", _)) => "access_key_id: ajem8j35********".to_owned(),
            Some(("secret", _)) => "secret: YC6R3Tz_W4BdbHWTcxUsik4EueqAlMHtvGl********".to_owned(),
            Some(("session_token", _)) => "session_token: s1.9muilMTN********".to_owned(),
            Some(("expires_at", _)) => "expires_at: \"2026-11-22T04:35:27.833047278Z\"".to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    assert_eq!(lines.len(), 4, "{text}");
    let command =
        "yc-rs iam access-key issue-ephemeral --service-account-name backup \\\n    --duration 1h --allow read:data";
    let (first, second) = command.split_once('\n').unwrap();
    check("issue", &[(first, format!("{second}\n{}", lines.join("\n")))]);
}

/// A key that was created this many days ago, and last used; in the picture it has this ID and key ID.
fn add_key(user: &User, account: &str, ages: (i64, Option<i64>), number: usize) -> [(String, &'static str); 2] {
    const IDS: [[&str; 2]; 4] = [
        ["aje3udpkgidk1n7b2c41", "YCAJEkT_r0_uhV6kTq3xLw8aB"],
        ["ajejole7p0d7m5v9x0q2", "YCAJEzzz5Zi61JW-5YbPn4sCd"],
        ["ajep9a1vd2s8k4h6t3r3", "YCAJE7hQm2XoRv0_eKuLi9dEf"],
        ["ajeq2w7e4r5t6y8u1i04", "YCAJEbN3c-VtZ8pWaSj6y5gGh"],
    ];
    let key = user.cloud.add_access_key(account, "");
    let ago = |days: i64| Utc::now() - TimeDelta::days(days) - TimeDelta::hours(1);
    user.cloud.set_created(&key.id, ago(ages.0));
    if let Some(days) = ages.1 {
        user.cloud.set_last_used(&key.id, ago(days));
    }
    [(key.id, IDS[number][0]), (key.key_id, IDS[number][1])]
}

#[test]
fn an_audit() {
    let user = user();
    let keys = [
        add_key(&user, BACKUP_ID, (412, Some(230)), 0),
        add_key(&user, BACKUP_ID, (140, Some(1)), 1),
        add_key(&user, ADMIN_ID, (12, Some(0)), 2),
        add_key(&user, ADMIN_ID, (97, None), 3),
    ];
    let columns = "service_account_name,id,age_days,findings,action";
    let text = shown(&user, &format!("iam access-key audit --format table --columns {columns}"));
    let text = settled(&text, &keys.concat());
    check("audit", &[("yc-rs iam access-key audit --format table --columns …", text)]);
}

#[test]
fn a_rotation() {
    let user = user();
    let old = add_key(&user, BACKUP_ID, (412, Some(1)), 0);
    let directory = user.home().join("keys");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("backup.json");
    let text = shown_in(120, &user, &format!("iam access-key rotate {} --output {} --yes", old[0].0, file.display()));
    let new = user.cloud.access_keys().remove(0);
    let created = new.created_at.format("%Y-%m-%d").to_string();
    let mut values = old.to_vec();
    values.extend([
        (new.id, "ajejole7p0d7m5v9x0q2"),
        (new.key_id, "YCAJEzzz5Zi61JW-5YbPn4sCd"),
        (file.display().to_string(), "backup.json"),
    ]);
    let text = settled(&text, &values);
    let text = replace_between(&text, &format!("\"{created}T"), &['"'], "09:41:07Z").replace(&created, "2026-11-27");
    check("rotate", &[("yc-rs iam access-key rotate aje3udpkgidk1n7b2c41 --output backup.json", text)]);
}

#[test]
fn the_doctor() {
    let mut user = user();
    user.set("YC_FOLDER_ID", "b1gmissing0000000001");
    // Lines that hold a time or a port are not to be broken at another place in another run.
    let text = shown_in(120, &user, "doctor");
    // The sources that are not set are left out of the picture.
    let lines: Vec<_> =
        text.lines().filter(|line| !line.ends_with(": not set") && !line.ends_with("not asked")).collect();
    let mut text = lines.join("\n") + "\n";
    for (service, endpoint) in [
        ("iam", "https://iam.api.cloud.yandex.net"),
        ("operation", "https://operation.api.cloud.yandex.net"),
        ("resource-manager", "https://resource-manager.api.cloud.yandex.net"),
        ("auth", "https://auth.yandex.cloud"),
        ("sts", "https://sts.yandexcloud.net"),
        ("storage", "https://storage.yandexcloud.net"),
        ("lockbox", "https://lockbox.api.cloud.yandex.net"),
    ] {
        text = text.replace(&format!("{service}: {}", user.cloud.https_url()), &format!("{service}: {endpoint}"));
    }
    let program = env!("CARGO_BIN_EXE_yc-rs").to_owned();
    let home = user.home().display().to_string();
    let url = user.cloud.https_url().to_owned();
    let values = [(program, "/usr/bin/yc-rs"), (url, "https://storage.yandexcloud.net"), (home, "/home/me")];
    let mut text = settled(&text, &values);
    text = replace_between(&text, "responds in ", &[' ', '\n'], "35");
    text = replace_between(&text, "valid until ", &['\n'], "2026-11-27T18:32:44Z");
    text = replace_between(&text, "clock          ", &[','], "2026-11-27 06:32:44 UTC");
    text = replace_between(&text, "client-request-id: ", &['\n'], "…");
    check("doctor", &[("yc-rs doctor", text)]);
}
