//! What a release consists of: the files that the documents name are those that the workflow makes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::docs::pages;
use crate::programs::require_program;
use crate::support::User;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn release() -> Value {
    serde_saphyr::from_str(&text(".github/workflows/release.yml")).unwrap()
}

/// The targets that the workflow builds for.
fn targets() -> BTreeSet<String> {
    let release = release();
    let builds = release["jobs"]["build"]["strategy"]["matrix"]["include"].as_array().unwrap();
    builds.iter().map(|build| build["target"].as_str().unwrap().to_owned()).collect()
}

/// The words of a text that begin as the name of a file of a release does, and end as one.
fn files(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| c.is_whitespace() || "()`'\"|,/".contains(c));
    let is_file = |word: &&str| {
        word.starts_with("yc-rs")
            && [".tar.gz", ".zip", ".deb", ".rpm", ".sha256"].iter().any(|end| word.ends_with(end))
    };
    words.filter(is_file).map(|word| word.trim_end_matches(".sha256").to_owned()).collect()
}

#[test]
fn the_files_in_the_documents_are_those_of_a_release() {
    let mut made: BTreeSet<_> = targets()
        .iter()
        .map(|target| {
            let end = if target.contains("windows") { "zip" } else { "tar.gz" };
            format!("yc-rs-{VERSION}-{target}.{end}")
        })
        .collect();
    // The names that cargo-deb and cargo-generate-rpm give their packages, by the architectures of the static programs.
    for (deb, rpm) in [("amd64", "x86_64"), ("arm64", "aarch64")] {
        assert!(targets().contains(&format!("{rpm}-unknown-linux-musl")));
        made.extend([format!("yc-rs_{VERSION}-1_{deb}.deb"), format!("yc-rs-{VERSION}-1.{rpm}.rpm")]);
    }
    let mut named = BTreeSet::new();
    for page in pages() {
        let of_page = files(&text(&page.name));
        assert!(of_page.is_subset(&made), "{}: {:?}", page.name, of_page.difference(&made));
        named.extend(of_page);
    }
    assert!(named.len() >= 3, "{named:?}");
}

#[test]
fn the_install_page_names_every_target() {
    let page = text("docs/install.md");
    for target in targets() {
        assert!(page.contains(&target), "{target}");
    }
}

#[test]
fn the_action_installs_what_a_release_has() {
    let action = text(".github/actions/s3-credentials/action.yml");
    let named: BTreeSet<_> =
        action.lines().filter_map(|line| Some(line.split_once("target=")?.1.split_once(' ')?.0)).collect();
    let targets = targets();
    let expected: BTreeSet<_> =
        targets.iter().map(String::as_str).filter(|target| !target.contains("windows")).collect();
    assert_eq!(named, expected);
}

#[test]
fn a_release_is_refused_while_its_owner_is_not_known() {
    let release = release();
    let script = release["jobs"]["owner"]["steps"][1]["run"].as_str().unwrap();
    let run = |directory: &Path| Command::new("bash").args(["-ec", script]).current_dir(directory).output().unwrap();
    let user = User::new();
    fs::create_dir(user.home().join("docs")).unwrap();
    user.write_file("Cargo.toml", "repository = \"https://github.com/OWNER/yc-rs\"\n");
    user.write_file("README.md", "");
    let output = run(user.home());
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.starts_with("::error::replace OWNER by the owner of the repository") && shown.lines().count() == 1,
        "{shown}"
    );

    for file in ["Cargo.toml", "README.md", "docs/install.md", "docs/commands.md"] {
        let owned =
            text(file).replace("OWNER/yc-rs", "octo/yc-rs").replace("OWNER/tap", "octo/tap").replace("OWNER@", "octo@");
        user.write_file(file, &owned);
    }
    assert!(run(user.home()).status.success());
}

#[test]
fn the_formula_has_the_sum_of_each_archive() {
    let user = User::new();
    let unix: Vec<_> = targets().into_iter().filter(|target| !target.contains("windows")).collect();
    for (number, target) in unix.iter().enumerate() {
        let file = format!("yc-rs-1.2.3-{target}.tar.gz");
        user.write_file(&format!("{file}.sha256"), &format!("{number:064}  {file}\n"));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".packaging/homebrew.sh");
    let output = Command::new(script).args(["1.2.3", "octo/yc-rs"]).arg(user.home()).output().unwrap();
    let formula = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(formula.ends_with("\nend\n"), "{formula}");
    for (number, target) in unix.iter().enumerate() {
        let url = format!("https://github.com/octo/yc-rs/releases/download/v1.2.3/yc-rs-1.2.3-{target}.tar.gz");
        assert!(formula.contains(&format!("url \"{url}\"\n      sha256 \"{number:064}\"")), "{formula}");
    }
}

#[test]
fn there_is_no_formula_without_the_sum_of_each_archive() {
    let user = User::new();
    let unix: Vec<_> = targets().into_iter().filter(|target| !target.contains("windows")).collect();
    for missing in &unix {
        for target in &unix {
            let file = format!("yc-rs-1.2.3-{target}.tar.gz");
            let sum = if target == missing { String::new() } else { "0".repeat(64) };
            user.write_file(&format!("{file}.sha256"), &format!("{sum}  {file}\n"));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".packaging/homebrew.sh");
        let output = Command::new(script).args(["1.2.3", "octo/yc-rs"]).arg(user.home()).output().unwrap();
        let shown = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{missing}: {shown}");
        assert!(shown.contains(missing), "{shown}");
    }
}

/// Has zsh complete with the file that packages install, which it runs as a function at the first completion.
#[test]
fn the_completion_of_the_packages_completes_the_first_line_of_zsh() {
    if !require_program("zsh") {
        return;
    }
    let user = User::new();
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join(".packaging/pages.sh");
    let made = user.program("bash").arg(pages).arg(env!("CARGO_BIN_EXE_yc-rs")).arg("package").output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let script = r#"zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'fpath=(~/package/completions $fpath); autoload -U compinit && compinit -D -u; echo RE""ADY'
        zpty -r -m shell text '*READY*'
        zpty -w -n shell $'yc-rs iam access-key issue-e\t'
        zpty -r -m shell text '*issue-ephemeral*'
        print -r -- "${text##*yc-rs}""#;
    let ran = user.program("timeout").args(["60", "zsh", "-fc", script]).output().unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(ran.status.success() && shown.contains("issue-ephemeral"), "{}: {shown}", ran.status);
}
