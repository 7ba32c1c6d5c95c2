//! The structure of the source: who imports whom, and how large files and directories become.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use crate::docs::page;
use crate::source::{self, Placed, SourceFile, Token};

/// The most files and directories at the top of `src`.
const MOST_ENTRIES: usize = 28;
/// A file above this number of lines asks to be two.
const LARGE: usize = 450;
/// The most files above [`LARGE`].
const MOST_LARGE: usize = 6;
/// The most lines of a file.
const MOST_LINES: usize = 600;

fn src() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A module uses what stands on a line above its own in the lists of `docs/architecture.md`: ```` ```layers ```` for the
/// modules of `src`, ```` ```layers commands ```` for those of `src/commands`.
#[test]
fn modules_import_from_the_layers_above_them() {
    let graph = Graph::of(&source::files(&src()));
    let blocks = page("docs/architecture.md").blocks();
    let mut lists = Vec::new();
    for block in &blocks {
        let mut words = block.language.split(' ');
        if words.next() == Some("layers") {
            let within: Vec<_> = words.flat_map(|path| path.split('/')).collect();
            assert_eq!(graph.layer_errors(&within, &block.text), [""; 0], "{}", block.place);
            lists.push(within.join("/"));
        }
    }
    assert_eq!(lists, ["", "commands"]);
}

#[test]
fn no_two_files_import_each_other_in_a_circle() {
    let graph = Graph::of(&source::files(&src()));
    let circles = graph.circles();
    let shown: Vec<_> = circles.iter().map(|circle| circle.join(" -> ")).collect();
    assert_eq!(shown, [""; 0]);
}

#[test]
fn files_and_directories_stay_small() {
    let entries = fs::read_dir(src()).unwrap().count();
    assert!(entries <= MOST_ENTRIES, "src has {entries} entries, more than {MOST_ENTRIES}");
    let lines = source::files(&src())
        .into_iter()
        .filter(|file| !file.is_tests())
        .map(|file| (file.text.lines().count(), file.path));
    let mut large: Vec<_> = lines.filter(|(lines, _)| *lines > LARGE).collect();
    large.sort_unstable();
    large.reverse();
    let within = large.len() <= MOST_LARGE && large.iter().all(|(lines, _)| *lines <= MOST_LINES);
    assert!(within, "more than {MOST_LARGE} files above {LARGE} lines, or one above {MOST_LINES}: {large:#?}");
}

/// Which file of a crate uses which.
#[derive(Debug)]
struct Graph {
    /// The files and the paths of their modules; that of `lib.rs` and of `main.rs` is empty.
    modules: BTreeMap<String, Vec<String>>,
    /// From user to used.
    edges: BTreeSet<(String, String)>,
}

impl Graph {
    fn of(files: &[SourceFile]) -> Self {
        let files: Vec<_> = files.iter().filter(|file| !file.is_tests()).collect();
        let modules: BTreeMap<_, _> = files.iter().map(|file| (file.path.clone(), module_path(&file.path))).collect();
        // `main.rs` is another crate: no path of the library leads to it.
        let by_module: BTreeMap<_, _> =
            modules.iter().filter(|(file, _)| *file != "main.rs").map(|(file, path)| (&path[..], file)).collect();
        let mut edges = BTreeSet::new();
        for file in files {
            for path in used_paths(&source::without_tests(source::tokens(&file.text)), &modules[&file.path]) {
                let defined = (0..=path.len()).rev().find_map(|length| by_module.get(&path[..length]));
                let others = defined.filter(|used| ***used != file.path);
                edges.extend(others.map(|used| (file.path.clone(), (*used).clone())));
            }
        }
        Self { modules, edges }
    }

    /// The edges but for those between a module and what is inside it.
    fn edges_across(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (user, used) in &self.edges {
            let (inner, outer) = (&self.modules[user], &self.modules[used]);
            if !inner.starts_with(outer) && !outer.starts_with(inner) {
                found.entry(user).or_default().push(used);
            }
        }
        found
    }

    /// The shortest circle of imports through each file that is in one, each circle once. Its first file stands at both
    /// ends.
    fn circles(&self) -> BTreeSet<Vec<&str>> {
        let edges = self.edges_across();
        edges.keys().filter_map(|file| shortest_circle(&edges, file)).collect()
    }

    /// What is wrong with the imports between the modules directly inside this one: a line of `layers` names those that
    /// import from the lines above, and not from each other.
    fn layer_errors(&self, within: &[&str], layers: &str) -> Vec<String> {
        let layer = |module: &str| layers.lines().position(|line| line.split(' ').any(|name| name == module));
        let inside = |file: &str| {
            let path = &self.modules[file];
            let name = match path.strip_prefix(&within.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()[..])? {
                // The root is a module like the others in the list; the module file of a directory is not.
                [] if within.is_empty() => file.trim_end_matches(".rs"),
                [] => return None,
                [name, ..] => name,
            };
            Some(name.to_owned())
        };
        let mut errors = BTreeSet::new();
        let modules: BTreeSet<_> = self.modules.keys().filter_map(|file| inside(file)).collect();
        for module in modules.iter().filter(|module| layer(module).is_none()) {
            errors.insert(format!("{module} is not in the list"));
        }
        for name in layers.split_whitespace().filter(|name| !modules.contains(*name)) {
            errors.insert(format!("{name} is in the list, and there is no such module"));
        }
        for (user, used) in &self.edges {
            if let (Some(module), Some(other)) = (inside(user), inside(used))
                && module != other
                && layer(&other) >= layer(&module)
            {
                errors.insert(format!("{user} imports {used}, and {other} does not stand above {module}"));
            }
        }
        errors.into_iter().collect()
    }
}

/// `["a", "b"]` for `a/b.rs` and `a/b/mod.rs`, nothing for `lib.rs` and `main.rs`.
fn module_path(file: &str) -> Vec<String> {
    let path = file.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if ["lib", "main", "mod"].contains(&path) { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The paths from the root of the crate that the file of this module names by `crate::`, `super::` or `self::`.
fn used_paths(tokens: &[Placed], module: &[String]) -> Vec<Vec<String>> {
    let tokens = tokens.iter().map(|placed| &placed.token);
    let tokens: Vec<_> = tokens.filter(|token| !matches!(token, Token::Comment(_))).collect();
    let mut found = Vec::new();
    // The inline modules around the place, each with the depth of braces at which it ends.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            Token::Sign("{") => depth += 1,
            Token::Sign("}") => {
                depth -= 1;
                inline.pop_if(|(_, outside)| *outside == depth);
            }
            Token::Name(word) if word == "mod" => {
                if let [Token::Name(name), Token::Sign("{"), ..] = tokens[at + 1..] {
                    inline.push((name.clone(), depth));
                }
            }
            Token::Name(word) if is(&tokens, at + 1, "::") => {
                let here = module.iter().chain(inline.iter().map(|(name, _)| name)).cloned().collect();
                let start: Option<Vec<String>> = match word.as_str() {
                    "crate" => Some(Vec::new()),
                    "self" => Some(here),
                    "super" => Some(here[..here.len().saturating_sub(1)].to_vec()),
                    _ => None,
                };
                if let Some(start) = start {
                    at = read_path(&tokens, at + 2, start, &mut found);
                    continue;
                }
                // The rest of a path that begins with another name says nothing about this crate.
                while is(&tokens, at + 1, "::") && matches!(tokens.get(at + 2), Some(Token::Name(_))) {
                    at += 2;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is(tokens: &[&Token], at: usize, sign: &str) -> bool {
    matches!(tokens.get(at), Some(Token::Sign(found)) if *found == sign)
}

/// Reads what stands behind a `::`, a tree of `use` included, and returns where it ends.
fn read_path(tokens: &[&Token], mut at: usize, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    loop {
        match tokens.get(at) {
            Some(Token::Name(name)) => {
                match name.as_str() {
                    "self" => {}
                    "super" => drop(path.pop()),
                    _ => path.push(name.clone()),
                }
                at += 1;
                if !is(tokens, at, "::") {
                    found.push(path);
                    return at;
                }
                at += 1;
            }
            Some(Token::Sign("{")) => {
                at += 1;
                while at < tokens.len() && !is(tokens, at, "}") {
                    let is_name = matches!(tokens[at], Token::Name(name) if name != "as");
                    at = if is_name || is(tokens, at, "*") {
                        read_path(tokens, at, path.clone(), found)
                    } else {
                        // A comma, or `as` and the name behind it.
                        at + if is(tokens, at, ",") { 1 } else { 2 }
                    };
                }
                return at + 1;
            }
            _ => {
                found.push(path);
                return at + 1;
            }
        }
    }
}

/// The shortest way from a file back to it, turned so that it begins with the first file by name.
fn shortest_circle<'a>(edges: &BTreeMap<&'a str, Vec<&'a str>>, from: &'a str) -> Option<Vec<&'a str>> {
    let mut came_from = BTreeMap::new();
    let mut left = VecDeque::from([from]);
    while let Some(file) = left.pop_front() {
        for &next in edges.get(file).into_iter().flatten() {
            if next != from {
                came_from.entry(next).or_insert_with(|| {
                    left.push_back(next);
                    file
                });
                continue;
            }
            let mut circle: Vec<_> = std::iter::successors(Some(file), |file| came_from.get(file).copied()).collect();
            circle.reverse();
            let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or_default();
            circle.rotate_left(first);
            circle.push(circle[0]);
            return Some(circle);
        }
    }
    None
}

mod made_up {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> Graph {
        let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() };
        Graph::of(&files.iter().map(file).collect::<Vec<_>>())
    }

    /// The imports as `user used` lines.
    fn edges(files: &[(&str, &str)]) -> Vec<String> {
        graph(files).edges.iter().map(|(user, used)| format!("{user} {used}")).collect()
    }

    #[test]
    fn each_form_of_a_path_is_resolved_to_the_file_of_the_longest_module() {
        for (text, used) in [
            ("use crate::x;", "x/mod.rs"),
            ("use crate::x::Thing;", "x/mod.rs"),
            ("use crate::x::y::Thing as Other;", "x/y.rs"),
            ("use crate::x::{self as z};", "x/mod.rs"),
            ("use crate::x::*;", "x/mod.rs"),
            ("use crate::{x::{Thing, y::Other}};", "x/mod.rs x/y.rs"),
            ("use crate::{\n    // why\n    x::y as z,\n};", "x/y.rs"),
            ("use super::b;", "a/b.rs"),
            ("use super::super::x::y;", "x/y.rs"),
            ("pub(crate) use super::{b::Thing, Other};", "a/b.rs a/mod.rs"),
            ("fn f() -> crate::x::y::Thing { super::b::g() }", "a/b.rs x/y.rs"),
            ("fn f() { Some(crate::x::y::g::<crate::Top>()) }", "lib.rs x/y.rs"),
            ("mod inner { use super::super::b; use super::Own; }", "a/b.rs"),
            ("mod inner { fn f() { if x {} } } use super::b;", "a/b.rs"),
            ("use other::x::y; fn f() { z::super_thing() }", ""),
            ("// use crate::x;\n/* crate::x */ const S: &str = \"crate::x\";", ""),
            ("#[cfg(test)]\nmod tests { use crate::x; }", ""),
            ("#[cfg(test)]\nmod tests;", ""),
        ] {
            let files = [("a/c.rs", text), ("a/mod.rs", ""), ("a/b.rs", ""), ("x/mod.rs", ""), ("x/y.rs", "")];
            let expected: Vec<_> = used.split_whitespace().map(|used| format!("a/c.rs {used}")).collect();
            assert_eq!(edges(&[&files[..], &[("lib.rs", "")]].concat()), expected, "{text}");
        }
    }

    #[test]
    fn files_of_unit_tests_are_left_out() {
        assert_eq!(edges(&[("a/tests.rs", "use crate::b;"), ("b.rs", "")]), [""; 0]);
    }

    #[test]
    fn a_circle_is_named() {
        let graph = graph(&[
            ("a.rs", "use crate::b::c;"),
            ("b/mod.rs", ""),
            ("b/c.rs", "use crate::d;"),
            ("d.rs", "use crate::{a, e};"),
            ("e.rs", "use crate::f;"),
            ("f.rs", ""),
        ]);
        assert_eq!(graph.circles(), [vec!["a.rs", "b/c.rs", "d.rs", "a.rs"]].into());
    }

    #[test]
    fn each_file_in_a_circle_is_named() {
        let graph = graph(&[
            ("a.rs", "use crate::{b, c};"),
            ("b.rs", "use crate::c;"),
            ("c.rs", "use crate::{a, d};"),
            ("d.rs", "use crate::e;"),
            ("e.rs", "use super::d;"),
        ]);
        let circles =
            [vec!["a.rs", "b.rs", "c.rs", "a.rs"], vec!["a.rs", "c.rs", "a.rs"], vec!["d.rs", "e.rs", "d.rs"]];
        assert_eq!(graph.circles(), circles.into());
    }

    #[test]
    fn a_module_and_what_is_inside_it_may_use_each_other() {
        let graph = graph(&[
            ("lib.rs", "use crate::a::b;"),
            ("a/mod.rs", "use crate::a::b::c;"),
            ("a/b/mod.rs", ""),
            ("a/b/c.rs", "use crate::a::Thing; use crate::Top; use super::super::Other;"),
        ]);
        assert_eq!(graph.edges.len(), 4);
        assert_eq!(graph.circles(), BTreeSet::new());
    }

    #[test]
    fn an_import_from_the_same_layer_or_a_later_one_is_an_error() {
        let graph = graph(&[
            ("lib.rs", "use a::f;"),
            ("a/mod.rs", "use crate::b;"),
            ("a/c.rs", "use crate::a;"),
            ("b.rs", "fn f() { crate::top() }"),
            ("d.rs", "use crate::b;"),
        ]);
        assert_eq!(
            graph.layer_errors(&[], "b d\na\nlib"),
            ["b.rs imports lib.rs, and lib does not stand above b", "d.rs imports b.rs, and b does not stand above d"]
        );
        assert_eq!(
            graph.layer_errors(&[], "b\nd e\nlib"),
            [
                "a is not in the list",
                "a/mod.rs imports b.rs, and b does not stand above a",
                "b.rs imports lib.rs, and lib does not stand above b",
                "e is in the list, and there is no such module"
            ]
        );
    }

    #[test]
    fn layers_inside_a_module_leave_out_its_own_file() {
        let graph = graph(&[
            ("a/mod.rs", "use crate::a::c;"),
            ("a/b.rs", "use super::c::d; use super::Thing; use crate::e;"),
            ("a/c/mod.rs", ""),
            ("a/c/d.rs", "use crate::a::Thing;"),
            ("e.rs", ""),
        ]);
        assert_eq!(graph.layer_errors(&["a"], "c\nb"), [""; 0]);
        assert_eq!(graph.layer_errors(&["a"], "b\nc"), ["a/b.rs imports a/c/d.rs, and c does not stand above b"]);
    }
}
