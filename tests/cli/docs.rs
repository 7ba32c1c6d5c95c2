//! The documents, held against the program: links, command lines, settings, and the command reference.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::iter::Peekable;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::Chars;

use clap::error::ErrorKind;
use clap::{Args as _, Command, CommandFactory as _};
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};
#[cfg(unix)]
use yc_emulator::{
    ADMIN_ID, BACKUP_ID, CLOUD_ID, FOLDER_ID, GITHUB_AUDIENCE, GITHUB_ISSUER, GITHUB_SUBJECT, ORGANIZATION_ID,
};
use yc_rs::commands::Cli;
use yc_rs::commands::help::{self, Length};
use yc_rs::config::settings::GlobalFlags;

use crate::source::{self, Token};
#[cfg(unix)]
use crate::support::User;

/// The pages for those who change the program; every `sh` block of the others is run.
#[cfg(unix)]
const FOR_DEVELOPERS: [&str; 3] = ["docs/architecture.md", "docs/performance.md", "docs/sandbox.md"];

/// What the examples call that is not on this machine, or would leave it. Each looks for a key, or is told where one is.
#[cfg(unix)]
const CLIENTS: [&str; 7] = ["aws", "curl", "docker", "python3", "rclone", "s5cmd", "terraform"];
#[cfg(unix)]
const CLIENT: &str = "#!/bin/sh
case \"${AWS_ACCESS_KEY_ID-}${AWS_PROFILE-}${YC_TOKEN-}${AWS_CONTAINER_AUTHORIZATION_TOKEN-} $*\" in
' '*--profile* | ' '*--env-file*) ;;
' '*) echo \"$0 has no key\" >&2; exit 1 ;;
esac
";

/// The two commands that a newcomer types first.
const QUICK_START: [&str; 2] =
    ["cargo run --example sandbox -- iam access-key issue-ephemeral --duration 1h", "cargo test --workspace --locked"];

/// A page of the documentation.
pub struct Page {
    /// The path within the repository.
    pub name: String,
    /// The whole page.
    pub text: String,
}

/// A fenced block of a page.
pub struct Block {
    /// Page and line, for messages.
    pub place: String,
    /// What stands behind the opening fence.
    pub language: String,
    /// What stands between the fences.
    pub text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page by its path within the repository.
pub fn page(name: &str) -> Page {
    let text = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Page { name: name.to_owned(), text }
}

/// The README and the pages of `docs`.
pub fn pages() -> Vec<Page> {
    let mut names = vec!["README.md".to_owned()];
    for directory in ["docs", "docs/ru"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
                names.push(format!("{directory}/{name}"));
            }
        }
    }
    names.sort();
    names.iter().map(|name| page(name)).collect()
}

impl Page {
    /// The fenced blocks.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (line, number) in self.text.lines().zip(1..) {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(language), None) => {
                    let place = format!("{}:{number}", self.name);
                    open = Some(Block { place, language: language.to_owned(), text: String::new() });
                }
                (None, Some(block)) => block.text.extend([line, "\n"]),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.name);
        blocks
    }

    /// The blocks of configuration and of CI jobs, in which command lines stand among other things.
    fn files(&self) -> Vec<Block> {
        self.blocks().into_iter().filter(|block| matches!(block.language.as_str(), "ini" | "yaml")).collect()
    }

    fn shell_blocks(&self) -> Vec<Block> {
        self.blocks().into_iter().filter(|block| block.language == "sh").collect()
    }

    /// The lines outside of fenced blocks.
    fn prose(&self) -> impl Iterator<Item = &str> {
        let mut fenced = false;
        self.text.lines().filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        })
    }

    /// The names by which the headings of the page can be linked to, made as GitHub makes them.
    fn anchors(&self) -> BTreeSet<String> {
        let titles = self.prose().filter(|line| line.starts_with('#'));
        titles
            .map(|line| {
                let title = line.trim_start_matches('#').trim().to_lowercase();
                let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                kept.map(|c| if c == ' ' { '-' } else { c }).collect()
            })
            .collect()
    }

    fn links(&self) -> Vec<&str> {
        let targets = self.prose().flat_map(|line| line.split("](").skip(1));
        targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
    }
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    for page in pages() {
        for link in page.links().into_iter().filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => root().join(&page.name),
                path => root().join(&page.name).parent().unwrap().join(path),
            };
            assert!(target.exists(), "{}: {link} leads nowhere", page.name);
            if !anchor.is_empty() {
                let target = Page { name: link.to_owned(), text: fs::read_to_string(target).unwrap() };
                assert!(target.anchors().contains(anchor), "{}: {link} names no heading", page.name);
            }
        }
    }
}

#[test]
fn the_index_leads_to_every_page() {
    let index = page("docs/README.md");
    for page in pages() {
        let Some(name) = page.name.strip_prefix("docs/").filter(|name| *name != "README.md") else { continue };
        assert!(index.links().contains(&name), "docs/README.md has no link to {name}");
    }
}

#[test]
fn the_quick_start_is_two_commands() {
    let page = page("README.md");
    let (_, section) = page.text.split_once("\n## Quick start\n").expect("a heading `Quick start`");
    let section = section.split("\n## ").next().unwrap().to_owned();
    let section = Page { name: page.name.clone(), text: section }.shell_blocks();
    let first: Vec<_> = page.shell_blocks().into_iter().take(2).map(|block| block.text).collect();
    let section: Vec<_> = section.into_iter().map(|block| block.text).collect();
    assert_eq!(section, QUICK_START.map(|command| format!("{command}\n")));
    assert_eq!(first, section);
}

#[test]
fn every_command_line_is_understood() {
    let mut count = 0;
    for block in pages().iter().flat_map(Page::shell_blocks) {
        for line in Script::commands(&block.text).iter().filter_map(|words| command_line(words)) {
            count += 1;
            if let Err(error) = Cli::command().try_get_matches_from(&line) {
                let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
                assert!(asked, "{}: {}\n{error}", block.place, line.join(" "));
            }
        }
    }
    assert!(count > 50, "only {count} command lines were found");
}

#[test]
fn every_command_line_in_a_file_is_understood() {
    let mut count = 0;
    for block in pages().iter().flat_map(Page::files) {
        let text = block.text.replace("\\\n", " ");
        for line in text.lines().filter(|line| line.contains("yc-rs")).map(str::trim) {
            let line = line.strip_prefix("- ").unwrap_or(line);
            let names = ["credential_process = ", "run: ", "command: "];
            let text = names.iter().find_map(|name| line.strip_prefix(name)).unwrap_or(line);
            let commands = serde_json::from_str(text).map_or_else(|_| Script::commands(text), |words| vec![words]);
            for line in commands.iter().filter_map(|words| command_line(words)) {
                count += 1;
                // What a variable holds is not known, but it is no dollar sign.
                let line: Vec<_> = line.iter().map(|word| word.replace('$', "")).collect();
                let read = Cli::command().try_get_matches_from(&line);
                assert!(read.is_ok(), "{}: {}\n{}", block.place, line.join(" "), read.unwrap_err());
            }
        }
    }
    assert!(count > 10, "only {count} command lines were found");
}

/// The command line of the program that a simple command of the shell holds, if it does.
fn command_line(words: &[String]) -> Option<Vec<String>> {
    let own = |words: &[String]| std::iter::once("yc-rs".to_owned()).chain(words.iter().cloned()).collect::<Vec<_>>();
    match words.first()?.as_str() {
        "yc-rs" => Some(words.to_vec()),
        "xargs" => {
            let at = words.iter().position(|word| word == "yc-rs")?;
            Some([&words[at..], &["value".to_owned()]].concat())
        }
        "cargo" if words.iter().any(|word| word == "sandbox") => {
            let at = words.iter().position(|word| word == "--")?;
            Some(own(&words[at + 1..]))
        }
        _ => None,
    }
}

/// A shell script, taken apart into simple commands as far as the documents need it.
struct Script<'a> {
    rest: Peekable<Chars<'a>>,
    found: Vec<Vec<String>>,
}

impl<'a> Script<'a> {
    /// The simple commands of a script, those in substitutions included, less redirections and assignments.
    fn commands(text: &'a str) -> Vec<Vec<String>> {
        let mut script = Self { rest: text.chars().peekable(), found: Vec::new() };
        while script.rest.peek().is_some() {
            script.list();
        }
        script.found
    }

    /// Reads up to the end or to a closing parenthesis.
    fn list(&mut self) {
        let mut command: Vec<String> = Vec::new();
        let mut word: Option<String> = None;
        let mut is_target = false;
        loop {
            let next = self.rest.next();
            let ends_word = matches!(next, None | Some(' ' | '\t' | '\n' | ';' | '|' | '&' | '(' | ')' | '<' | '>'));
            if ends_word && let Some(word) = word.take() {
                let is_descriptor = matches!(next, Some('<' | '>')) && word.chars().all(|c| c.is_ascii_digit());
                if !is_target && !is_descriptor {
                    command.push(word);
                }
                is_target = false;
            }
            match next {
                Some(' ' | '\t') => {}
                Some('<' | '>') => {
                    while self.rest.next_if(|c| matches!(c, '>' | '&')).is_some() {}
                    is_target = true;
                }
                None | Some('\n' | ';' | '|' | '&' | '(' | ')') => {
                    self.found.extend(without_prefix(std::mem::take(&mut command)));
                    if matches!(next, None | Some(')')) {
                        return;
                    }
                }
                Some('#') if word.is_none() => while self.rest.next_if(|c| *c != '\n').is_some() {},
                Some('\\') if self.rest.peek() == Some(&'\n') => _ = self.rest.next(),
                Some('\\') => word.get_or_insert_default().extend(self.rest.next()),
                Some('\'') => word.get_or_insert_default().extend(self.rest.by_ref().take_while(|c| *c != '\'')),
                Some('"') => {
                    let quoted = self.quoted();
                    word.get_or_insert_default().push_str(&quoted);
                }
                Some('$') => {
                    let value = self.expansion();
                    word.get_or_insert_default().push_str(&value);
                }
                Some(other) => word.get_or_insert_default().push(other),
            }
        }
    }

    /// Reads up to the closing double quote.
    fn quoted(&mut self) -> String {
        let mut text = String::new();
        loop {
            match self.rest.next() {
                None | Some('"') => return text,
                Some('\\') => text.extend(self.rest.next()),
                Some('$') => text += &self.expansion(),
                Some(other) => text.push(other),
            }
        }
    }

    /// What stands behind a dollar sign: for a substitution, some value, after its commands have been read.
    fn expansion(&mut self) -> String {
        if self.rest.next_if_eq(&'(').is_none() {
            return "$".to_owned();
        }
        self.list();
        "value".to_owned()
    }
}

/// The command less what may stand before its name; `None` when nothing is left.
fn without_prefix(words: Vec<String>) -> Option<Vec<String>> {
    let is_assignment = |word: &str| {
        let name = word.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    let is_prefix = |word: &String| {
        matches!(word.as_str(), "if" | "then" | "else" | "while" | "do" | "!" | "time" | "export")
            || is_assignment(word)
    };
    let words: Vec<_> = words.into_iter().skip_while(is_prefix).collect();
    (!words.is_empty()).then_some(words)
}

#[test]
fn a_script_is_taken_apart() {
    let script = "# a comment\nA=$(yc-rs version --semantic) && export B=\"$(yc-rs iam \\\n  create-token)\"\n\
                  (umask 077; yc-rs x 'a b' \"c\\\"d $E\" > f 2>&1) | xargs -r yc-rs y\nif ! yc-rs z; then true; fi\n";
    let expected: [&[&str]; 7] = [
        &["yc-rs", "version", "--semantic"],
        &["yc-rs", "iam", "create-token"],
        &["umask", "077"],
        &["yc-rs", "x", "a b", "c\"d $E"],
        &["xargs", "-r", "yc-rs", "y"],
        &["yc-rs", "z"],
        &["true"],
    ];
    let found = Script::commands(script);
    assert_eq!(found[..7], expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()));
}

/// A user who has all that the examples take for granted. What a reader has to fill in is a variable: `OLD_KEY_ID`,
/// `KEY_ID`, `SERVICE_ACCOUNT_ID`, `FOLDER_ID`, `OPERATION_ID`, `STATIC_KEY_ID`, `STATIC_SECRET`.
#[cfg(unix)]
fn reader() -> User {
    let mut user = User::new().with_key();
    for (name, id) in [("OLD_KEY_ID", BACKUP_ID), ("KEY_ID", BACKUP_ID), ("OTHER_KEY_ID", ADMIN_ID)] {
        let key = user.cloud.add_access_key(id, "");
        user.set(name, key.id);
    }
    let s3_key = user.cloud.add_access_key(BACKUP_ID, "");
    user.set("S3_KEY_ID", s3_key.key_id);
    user.set("CLOUD_ID", CLOUD_ID);
    user.set("SERVICE_ACCOUNT_ID", BACKUP_ID);
    let url = user.cloud.http_url().to_owned();
    user.set("YC_ENDPOINT_URL_STORAGE", &*url);
    user.set("YC_ENDPOINT_URL_LOCKBOX", url);
    let id = user.cloud.add_access_key(BACKUP_ID, "").id;
    let operation = user.run_args(["iam", "access-key", "delete", &id, "--async", "--jq", ".id"]).ok();
    user.set("OPERATION_ID", operation.trim());
    let key = user.cloud.add_access_key(ADMIN_ID, "");
    let lines = format!("aws_access_key_id = {}\naws_secret_access_key = {}", key.key_id, key.secret);
    user.write_file(".aws/credentials", &format!("[static]\n{lines}\n"));
    user.set("STATIC_KEY_ID", key.key_id);
    user.set("STATIC_SECRET", key.secret);
    let statement =
        r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::my-bucket/*"}"#;
    user.write_file("policy.json", &format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#));
    user.write_file("company-ca.pem", user.cloud.ca_pem());
    let script = user.write_file("install-key.sh", "#!/bin/sh\ntest -n \"$AWS_SECRET_ACCESS_KEY\"\n");
    fs::set_permissions(script, fs::Permissions::from_mode(0o700)).unwrap();
    let secret = user.cloud.add_lockbox_secret(&[("note", "kept")]);
    user.set("SECRET_ID", secret);
    user.set("ORGANIZATION_ID", ORGANIZATION_ID);
    user.write_file("request.yaml", "duration: 3600s\n");
    user.write_file("key.json", &user.cloud.admin_key().file());
    let token = user.cloud.issue_token(ADMIN_ID);
    user.write_file("token.txt", &token);
    user.set("FOLDER_ID", FOLDER_ID);
    user.run_args(["config", "set", "cloud-id", CLOUD_ID]).ok();
    let programs = CLIENTS.map(|name| (name, CLIENT.to_owned()));
    for (name, text) in programs.into_iter().chain([("yc", format!("#!/bin/sh\necho '{token}'\n"))]) {
        let program = user.write_file(&format!("clients/{name}"), &text);
        fs::set_permissions(program, fs::Permissions::from_mode(0o700)).unwrap();
    }
    user
}

/// Runs a script, and tells what is wrong with it.
#[cfg(unix)]
fn run_script(user: &User, script: &str) -> Result<String, String> {
    let script = format!("PATH=$HOME/clients:$PATH; set -eu\n{script}");
    let ran = user.program("sh").args(["-c", &script]).output().unwrap();
    let (out, err) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8_lossy(&ran.stderr));
    // What was done to a profile is confirmed there.
    let confirmations = ["Profile '", "The private key of the profile was replaced;"];
    let is_quiet = err.lines().all(|line| confirmations.iter().any(|confirmation| line.starts_with(confirmation)));
    if ran.status.success() && is_quiet { Ok(out) } else { Err(format!("{}\n{script}{err}", ran.status)) }
}

/// The page whose `sh` blocks are steps that follow each other.
#[cfg(unix)]
const STEPS: &str = "docs/audit.md";

/// Runs every `sh` block of the pages for users, each in a cloud of its own, but for steps.
#[cfg(unix)]
#[test]
fn the_recipes_work() {
    let mut failed = String::new();
    for page in pages().into_iter().filter(|page| !FOR_DEVELOPERS.contains(&page.name.as_str())) {
        let mut user = reader();
        for block in page.shell_blocks().into_iter().filter(|block| !block.text.starts_with("cargo ")) {
            if let Err(reason) = run_script(&user, &block.text) {
                writeln!(failed, "{}: {reason}", block.place).unwrap();
            }
            if page.name != STEPS {
                user = reader();
            }
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

/// The commands of a Russian page are those of the English one.
#[test]
fn the_russian_pages_have_the_commands_of_the_english_ones() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("docs/ru")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let english = if name == "README.md" { name.clone() } else { format!("docs/{name}") };
        let commands = |page: Page| page.shell_blocks().into_iter().map(|block| block.text).collect::<Vec<_>>();
        assert_eq!(commands(page(&format!("docs/ru/{name}"))), commands(page(&english)), "{name}");
        count += 1;
    }
    assert!(count >= 3, "only {count} pages were found");
}

/// Runs the examples that `--help` shows, but for those of a sign-in through a browser, which are run with their tests.
#[cfg(unix)]
#[test]
fn the_examples_of_the_help_work() {
    let (mut count, mut failed) = (0, String::new());
    for line in help::examples::lines() {
        let user = reader();
        run_script(&user, "yc-rs config profile create work\nyc-rs config profile activate test\n").unwrap();
        match line.split(' ').nth(1) {
            Some("login" | "logout") => continue,
            Some("serve") => serve_once(&user, line),
            _ => run_script(&user, line).map_or_else(|reason| failed.push_str(&reason), drop),
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{failed}");
    assert!(count >= 70, "only {count} examples were found");
}

/// Runs a command that goes on until a signal ends it.
#[cfg(unix)]
fn serve_once(user: &User, line: &str) {
    let words = Script::commands(line).remove(0);
    let mut child = user.start(&words[1..]);
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = printed.next().unwrap().unwrap();
        assert!(line.starts_with("export AWS_CONTAINER_"), "{line}");
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn every_credential_process_gives_a_key() {
    let mut count = 0;
    for block in pages().iter().flat_map(Page::files) {
        for command in block.text.lines().filter_map(|line| line.strip_prefix("credential_process = ")) {
            count += 1;
            let out = run_script(&reader(), command).unwrap_or_else(|reason| panic!("{}: {reason}", block.place));
            let key: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(key["Version"], 1);
            assert!(key["SessionToken"].is_string() && key["Expiration"].is_string(), "{key}");
        }
    }
    assert!(count >= 2, "only {count} lines were found");
}

/// Runs the steps of each workflow as GitHub does: in their order, with the variables that earlier ones left.
#[cfg(unix)]
#[test]
fn the_workflows_for_github_work() {
    let mut count = 0;
    for block in pages().iter().flat_map(Page::files).filter(|block| block.text.contains("runs-on:")) {
        count += 1;
        let mut user = reader();
        let federation = user.cloud.add_federation(GITHUB_ISSUER, GITHUB_AUDIENCE);
        user.cloud.bind(&federation, GITHUB_SUBJECT, ADMIN_ID);
        user.configure("");
        user.set("ACTIONS_ID_TOKEN_REQUEST_URL", user.cloud.github_oidc_url());
        user.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", user.cloud.github_request_token());
        user.set("GITHUB_ACTIONS", "true");
        user.set("GITHUB_RUN_ID", "123456");
        let file = user.write_file("github_env", "");
        user.set("GITHUB_ENV", file.to_str().unwrap());
        let workflow: serde_json::Value = serde_saphyr::from_str(&block.text).unwrap();
        if workflow["jobs"]["backup"]["env"]["YC_SA_ID"] == "${{ vars.YC_SERVICE_ACCOUNT_ID }}" {
            user.set("YC_SA_ID", ADMIN_ID);
        }
        for step in workflow["jobs"]["backup"]["steps"].as_array().unwrap() {
            let Some(script) = step["run"].as_str().filter(|script| !script.starts_with("cargo ")) else { continue };
            let script = script.replace("${{ vars.YC_SERVICE_ACCOUNT_ID }}", ADMIN_ID);
            if step["env"]["SERVICE_ACCOUNT_ID"] == "${{ vars.YC_SERVICE_ACCOUNT_ID }}" {
                user.set("SERVICE_ACCOUNT_ID", ADMIN_ID);
            }
            run_script(&user, &script).unwrap_or_else(|reason| panic!("{}: {reason}", block.place));
            for line in fs::read_to_string(&file).unwrap().lines() {
                let (name, value) = line.split_once('=').unwrap();
                user.set(name, value);
            }
        }
        let names: Vec<_> = user.cloud.ephemeral_keys().into_iter().map(|key| key.session_name).collect();
        assert_eq!(names, ["backup-123456"], "{}", block.place);
    }
    assert!(count >= 3, "only {count} workflows were found");
}

#[test]
fn every_global_flag_and_every_variable_is_in_the_table_of_settings() {
    let text = page("docs/configuration.md").text;
    let flags = GlobalFlags::augment_args(Command::new("flags"));
    for flag in flags.get_arguments() {
        let names = flag.get_long_and_visible_aliases().unwrap_or_default();
        for name in names {
            assert!(text.contains(&format!("`--{name}")), "docs/configuration.md does not tell of --{name}");
        }
    }
    let variables = variables();
    assert!(variables.contains("YC_IAM_TOKEN"), "{variables:?}");
    for name in variables {
        assert!(text.contains(&format!("`{name}`")), "docs/configuration.md does not tell of {name}");
    }
}

/// The names of the cloud's environment variables in the source.
fn variables() -> BTreeSet<String> {
    let files = source::files(&root().join("src"));
    let tokens = files
        .iter()
        .filter(|file| !file.is_tests())
        .flat_map(|file| source::without_tests(source::tokens(&file.text)).into_iter().map(|placed| placed.token));
    let texts = tokens.filter_map(|token| if let Token::Text(text) = token { Some(text) } else { None });
    let is_name = |text: &String| {
        let rest = text.strip_prefix("YC_").unwrap_or_default();
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    texts.filter(is_name).collect()
}

/// Compares `docs/commands.md` with the commands there are. With `YC_RS_UPDATE_DOCS=1` the page is written anew.
#[test]
fn the_command_reference_is_up_to_date() {
    let path: PathBuf = root().join("docs/commands.md");
    let wanted = reference();
    #[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the program")]
    if std::env::var_os("YC_RS_UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    if found == wanted {
        return;
    }
    let number = found.lines().zip(wanted.lines()).take_while(|(old, new)| old == new).count();
    let [old, new] = [&found, &wanted].map(|text| text.lines().nth(number).unwrap_or("(the end)"));
    let number = number + 1;
    panic!(
        "docs/commands.md is not what the commands say, from line {number} on:\n- {old}\n+ {new}\n\
         to write it anew, type: YC_RS_UPDATE_DOCS=1 cargo test --test cli docs"
    );
}

/// The command reference: the long help of every command, with the global flags once.
fn reference() -> String {
    let mut tree = Cli::command();
    tree.build();
    let mut text =
        "# Commands\n\n<!-- Made by tests/cli/docs.rs from the help of the commands. To write it anew:\n     \
                    YC_RS_UPDATE_DOCS=1 cargo test --test cli docs -->\n\n\
                    This is what `yc-rs COMMAND --help` prints. `-h` prints the most important part of it.\n"
            .to_owned();
    let global = help::topics::find("flags", &tree).unwrap().to_string();
    section("Global flags", &global, &mut text);
    text.push_str("\nSee [configuration](configuration.md) for the variables and profile keys that go with them.\n");
    describe(&tree, &mut text);
    text
}

fn describe(command: &Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    section(name, &help::of_command(command, Length::Long).to_string(), text);
    for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
        describe(command, text);
    }
}

fn section(heading: &str, help: &str, text: &mut String) {
    write!(text, "\n## {heading}\n\n```text\n{}\n```\n", help.trim_end()).unwrap();
}
