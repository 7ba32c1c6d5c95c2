//! Names that an object of a JSON text has twice: readers of JSON silently use one of the two.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value with every field that its text has.
enum Tree {
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
    Scalar,
}

/// A name that one object has twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DuplicateKey {
    pub(super) name: String,
    /// The index of the statement that the object is in.
    pub(super) statement: Option<usize>,
}

/// The names that are given twice; empty for a text that is no JSON.
pub(super) fn find(json: &str) -> Vec<DuplicateKey> {
    let mut found = Vec::new();
    if let Ok(tree) = serde_json::from_str::<Tree>(json) {
        collect(&tree, None, &mut found);
        if let Tree::Object(fields) = &tree {
            for (name, value) in fields {
                match value {
                    Tree::Array(statements) if name == "Statement" => {
                        for (index, statement) in statements.iter().enumerate() {
                            collect_all(statement, Some(index), &mut found);
                        }
                    }
                    other => collect_all(other, (name == "Statement").then_some(0), &mut found),
                }
            }
        }
    }
    found
}

/// Collects from a value and all that is in it.
fn collect_all(tree: &Tree, statement: Option<usize>, found: &mut Vec<DuplicateKey>) {
    collect(tree, statement, found);
    match tree {
        Tree::Object(fields) => fields.iter().for_each(|(_, value)| collect_all(value, statement, found)),
        Tree::Array(items) => items.iter().for_each(|item| collect_all(item, statement, found)),
        Tree::Scalar => {}
    }
}

/// Collects from one object.
fn collect(tree: &Tree, statement: Option<usize>, found: &mut Vec<DuplicateKey>) {
    let Tree::Object(fields) = tree else { return };
    for (at, (name, _)) in fields.iter().enumerate() {
        let duplicate = DuplicateKey { name: name.clone(), statement };
        if fields[..at].iter().any(|(earlier, _)| earlier == name) && !found.contains(&duplicate) {
            found.push(duplicate);
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut tree = Vec::new();
        while let Some(item) = items.next_element()? {
            tree.push(item);
        }
        Ok(Tree::Array(tree))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Tree, A::Error> {
        let mut tree = Vec::new();
        while let Some(field) = fields.next_entry()? {
            tree.push(field);
        }
        Ok(Tree::Object(tree))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_given_twice_is_found_with_its_statement() {
        let json =
            r#"{"Version":1,"Version":2,"Statement":[{"a":[{"b":1,"b":2}]},{"Effect":"Allow","\u0045ffect":"Deny"}]}"#;
        let found = |name: &str, statement| DuplicateKey { name: name.to_owned(), statement };
        assert_eq!(find(json), [found("Version", None), found("b", Some(0)), found("Effect", Some(1))]);
        assert_eq!(find(r#"{"Statement":{"a":1,"a":1}}"#), [found("a", Some(0))]);
        assert_eq!(find(r#"{"a":{"b":1},"c":{"b":1}}"#), []);
        assert_eq!(find("{"), []);
    }
}
