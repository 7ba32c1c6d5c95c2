//! The features of the crates that are linked into the program: those that it needs, and none that only the tests need.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::programs::leave_out;

/// The features of each crate that this build links into the program.
///
/// The resolver unifies the features of everything that is built at once, so that a feature of the emulator could get into
/// the program.
fn features(selection: &[&str]) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let mut command = Command::new("cargo");
    command.args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p};{f}"]);
    let output = command.args(selection).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (package, list) = line.split_once(';').unwrap();
        let name = package.split(" (").next().unwrap().to_owned();
        let list = list.trim_end_matches(" (*)").split(',').filter(|feature| !feature.is_empty());
        features.entry(name).or_default().extend(list.map(str::to_owned));
    }
    Some(features)
}

#[test]
fn the_program_is_built_without_the_features_of_the_emulator() {
    let builds = [&["--package", "yc-rs"][..], &[], &["--workspace"]].map(features);
    let [Some(alone), Some(default), Some(workspace)] = builds else {
        return leave_out("the sources of the crates, for `cargo tree`");
    };
    assert!(alone.len() > 100, "{alone:#?}");
    assert_eq!(alone, default);
    // What a build of the whole workspace adds, which is why the program is built by itself.
    let more = |name: &str| workspace[name].difference(&alone[name]).cloned().collect::<Vec<_>>().join(",");
    let added =
        alone.keys().map(|name| (name.split(' ').next().unwrap(), more(name))).filter(|(_, more)| !more.is_empty());
    let expected = [
        ("hyper-util", "server,server-auto"),
        ("tokio", "macros,rt-multi-thread,tokio-macros"),
        ("tokio-rustls", "ring"),
    ];
    assert_eq!(added.collect::<Vec<_>>(), expected.map(|(name, more)| (name, more.to_owned())));
}
