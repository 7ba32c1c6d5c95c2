//! Changing `config.toml`: what is not changed stays byte for byte, comments and order included.
//!
//! [`update`] is the only writer. It locks the file, reads it anew, and replaces it in one step, so that concurrent
//! writers lose nothing and a failure leaves the old file.

use std::path::{Path, PathBuf};
use std::{fs, io};

use toml::Value;
use toml_edit::{Array, DocumentMut, InlineTable, Item, RawString, Table, TableLike};

use super::{BOM, CREDENTIALS, Config, FILE, at, place, read_first, unknown_profile, yc};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::lock::{Lock, LockError};
use crate::log::Log;
use crate::private_file;

/// The name of the profile that is made when there is none and none is named.
pub const FIRST_PROFILE: &str = "default";

/// The configuration as text that can be changed in places.
#[derive(Debug, Clone)]
pub struct Document {
    root: DocumentMut,
    path: Option<PathBuf>,
    bom: bool,
    /// Whether the lines end in CR LF.
    crlf: bool,
}

/// What [`update`] came to.
#[derive(Debug)]
pub struct Updated<T> {
    /// What the change returned.
    pub value: T,
    /// The file of the configuration.
    pub path: PathBuf,
    /// The file of `yc` whose profiles were copied, when this was the first write.
    pub copied_from: Option<PathBuf>,
}

/// Changes the configuration; nothing is written when the change fails, or comes to nothing.
///
/// # Errors
/// Those of the change; the file cannot be read or written, or another process holds its lock for too long; there is no
/// directory for it.
pub async fn update<T>(env: &Env, log: &Log, change: impl FnOnce(&mut Document) -> Result<T>) -> Result<Updated<T>> {
    let folder = env.config_home().ok_or_else(|| {
        Error::config("there is no home folder to keep the configuration in").hint("set YC_RS_CONFIG_DIR to a folder")
    })?;
    let link = folder.join(FILE);
    let cannot = |error: io::Error| Error::internal(format!("cannot write {}: {error}", link.display()));
    private_file::create_directory(&folder).map_err(cannot)?;
    let _lock = match Lock::acquire(&folder.join("config.lock"), &link, log).await {
        Ok(lock) => lock,
        Err(LockError::Unusable(error)) => return Err(cannot(error)),
        Err(LockError::Held(error)) => return Err(error),
    };
    let path = target(&link)?;
    let (mut document, copied_from) = read(env, &path)?;
    let before = document.to_text();
    let value = change(&mut document)?;
    let after = document.to_text();
    let changed = after != before;
    if changed {
        private_file::replace(&path, after.as_bytes()).map_err(cannot)?;
    }
    Ok(Updated { value, path, copied_from: copied_from.filter(|_| changed) })
}

/// The configuration as it is now, and the file of `yc` if it comes from there.
///
/// # Errors
/// The file cannot be read, or is not TOML (or YAML).
pub fn current(env: &Env) -> Result<Document> {
    let path = env.config_home().map(|folder| folder.join(FILE));
    match path {
        Some(path) => Ok(read(env, &path)?.0),
        None => Ok(Document::default()),
    }
}

fn read(env: &Env, path: &Path) -> Result<(Document, Option<PathBuf>)> {
    if let Some((path, text)) = read_first(Some(path.to_owned()))? {
        let document = Document::from_text(&text).map_err(|problem| at(&path, &problem))?;
        return Ok((Document { path: Some(path), ..document }, None));
    }
    let Some((path, text)) = read_first(yc::path(env))? else { return Ok((Document::default(), None)) };
    let root = yc::parse(&text).map_err(|problem| at(&path, &problem))?;
    let text = toml::to_string_pretty(&root).unwrap_or_default();
    let document = Document::from_text(&text).map_err(|problem| at(&path, &problem))?;
    Ok((Document { path: Some(path.clone()), ..document }, Some(path)))
}

/// The file behind a symbolic link, so that the link stays one.
fn target(path: &Path) -> Result<PathBuf> {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Ok(path.to_owned());
    }
    fs::canonicalize(path).map_err(|error| {
        Error::config(format!("{} is a symbolic link that leads nowhere: {error}", path.display()))
            .hint("make the file that it points at, or remove the link")
    })
}

impl Default for Document {
    fn default() -> Self {
        Self { root: DocumentMut::new(), path: None, bom: false, crlf: false }
    }
}

impl Document {
    /// Reads a configuration from text.
    ///
    /// # Errors
    /// The text is not TOML; the message is `:LINE:COLUMN: reason` and quotes nothing of the text.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let plain = text.strip_prefix(BOM).unwrap_or(text);
        let root = plain.parse().map_err(|error: toml_edit::TomlError| place(plain, error.span(), error.message()));
        let crlf = plain.contains("\r\n") && !plain.replace("\r\n", "").contains('\n');
        Ok(Self { root: root?, path: None, bom: text.starts_with(BOM), crlf })
    }

    /// The text of the configuration.
    pub fn to_text(&self) -> String {
        let text = self.root.to_string();
        let text = if self.crlf { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text };
        if self.bom { format!("{BOM}{text}") } else { text }
    }

    /// The configuration that reading this text gives.
    ///
    /// # Errors
    /// Never, as long as the text is TOML.
    pub fn config(&self) -> Result<Config> {
        Ok(Config { path: self.path.clone(), ..Config::from_text(&self.to_text())? })
    }

    /// Chooses the profile in use.
    pub fn set_current(&mut self, name: &str) {
        put(self.root.as_item_mut(), "current", toml_edit::value(name));
    }

    /// Adds an empty profile.
    ///
    /// # Errors
    /// There is a profile of that name, or the file has another shape than profiles need.
    pub fn create_profile(&mut self, name: &str) -> Result<()> {
        let profiles = self.root.entry("profiles").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        let profiles = profiles.as_table_like_mut().ok_or_else(|| wrong_shape("profiles"))?;
        if profiles.contains_key(name) {
            return Err(Error::usage(format!("there is a profile '{name}' already"))
                .hint(format!("to use it, type: yc-rs config profile activate {name}")));
        }
        profiles.insert(name, Item::Table(Table::new()));
        Ok(())
    }

    /// Removes a profile and everything in it.
    ///
    /// # Errors
    /// There is no profile of that name, or the file has another shape than profiles need.
    pub fn delete_profile(&mut self, name: &str) -> Result<()> {
        self.check_profile(name)?;
        let profiles = self.root.get_mut("profiles").and_then(Item::as_table_like_mut);
        profiles.and_then(|profiles| profiles.remove(name));
        Ok(())
    }

    /// Checks that there is a profile of this name.
    ///
    /// # Errors
    /// There is none; the message names those there are.
    pub fn check_profile(&self, name: &str) -> Result<()> {
        let config = self.config()?;
        let names = config.names()?;
        if names.contains(&name) {
            return Ok(());
        }
        let place = config
            .path
            .as_ref()
            .map_or_else(|| "since there is no configuration file".to_owned(), |path| format!("in {}", path.display()));
        Err(unknown_profile(name, &place, &names))
    }

    /// Sets a value of a profile; `path` is the key, or the keys that lead to it. A credential takes the place of any
    /// other, and a folder's ID and name that of each other.
    ///
    /// Source: yandex-cloud/docs, `en/cli/concepts/core-properties.md`.
    ///
    /// # Errors
    /// There is no such profile, or what stands in the way is no table.
    pub fn set(&mut self, profile: &str, path: &[&str], value: &Value) -> Result<()> {
        let Some((last, above)) = path.split_last() else { return Ok(()) };
        let item = self.profile(profile)?;
        let mut parent = &mut *item;
        for (depth, key) in above.iter().enumerate() {
            let table = parent.as_table_like_mut().ok_or_else(|| wrong_shape(&path[..depth].join(".")))?;
            parent = table.entry(key).or_insert(Item::Table(Table::new()));
        }
        if !parent.is_table_like() {
            return Err(wrong_shape(&above.join(".")));
        }
        put(parent, last, to_item(value));
        for other in rivals(path[0]) {
            remove(item, other);
        }
        Ok(())
    }

    /// Removes a value of a profile, and the table around it when that is empty then. Returns whether there was one.
    ///
    /// # Errors
    /// There is no such profile.
    pub fn unset(&mut self, profile: &str, path: &[&str]) -> Result<bool> {
        Ok(unset(self.profile(profile)?, path))
    }

    fn profile(&mut self, name: &str) -> Result<&mut Item> {
        self.check_profile(name)?;
        let profile = self.root.get_mut("profiles").and_then(|profiles| profiles.get_mut(name));
        profile.filter(|profile| profile.is_table_like()).ok_or_else(|| wrong_shape(&format!("profiles.{name}")))
    }
}

fn wrong_shape(key: &str) -> Error {
    Error::config(format!("'{key}' must be a table, but holds something else"))
}

/// The keys whose place a key takes.
fn rivals(key: &str) -> Vec<&'static str> {
    match key {
        "folder-id" => vec!["folder-name"],
        "folder-name" => vec!["folder-id"],
        _ if CREDENTIALS.contains(&key) => CREDENTIALS.into_iter().filter(|other| *other != key).collect(),
        _ => Vec::new(),
    }
}

/// Sets a key of a table; a value takes over the spaces and the comments of the one it replaces.
fn put(table: &mut Item, key: &str, item: Item) {
    if let (Some(Item::Value(old)), Item::Value(new)) = (table.get_mut(key), &item) {
        let decor = old.decor().clone();
        *old = new.clone();
        *old.decor_mut() = decor;
        return;
    }
    remove(table, key);
    if let Some(table) = table.as_table_like_mut() {
        table.insert(key, item);
    }
}

fn unset(table: &mut Item, path: &[&str]) -> bool {
    let [key, below @ ..] = path else { return false };
    if below.is_empty() {
        return remove(table, key);
    }
    let Some(inner) = table.get_mut(key) else { return false };
    let removed = unset(inner, below);
    if removed && inner.as_table_like().is_some_and(TableLike::is_empty) {
        remove(table, key);
    }
    removed
}

/// Removes a key and leaves the comment lines above it: they may be about more than this key.
fn remove(item: &mut Item, key: &str) -> bool {
    let Some(table) = item.as_table_like_mut() else { return false };
    let comment = comment_above(table, key);
    let mut before = Vec::new();
    let mut after = Vec::new();
    for (name, _) in table.iter() {
        if after.is_empty() && name != key { before.push(name.to_owned()) } else { after.push(name.to_owned()) }
    }
    if table.remove(key).is_none() {
        return false;
    }
    if let Some(comment) = comment {
        let placed = after.iter().skip(1).any(|name| put_above(table, name, &comment))
            || before.iter().rev().any(|name| put_below(table, name, &comment))
            || before.iter().any(|name| put_above_table(table, name, &comment));
        if let (false, Some(table)) = (placed, item.as_table_mut()) {
            let header = table.decor().suffix().and_then(RawString::as_str).unwrap_or_default();
            let header = format!("{header}\n{}", comment.trim_end());
            table.decor_mut().set_suffix(header);
        }
    }
    true
}

/// The lines above a key, if there is a comment among them.
fn comment_above(table: &dyn TableLike, key: &str) -> Option<String> {
    let (name, item) = table.get_key_value(key)?;
    let decor = match item {
        Item::Table(table) if !table.is_dotted() => table.decor(),
        _ => name.leaf_decor(),
    };
    let text = decor.prefix()?.as_str()?;
    text.contains('#').then(|| text.to_owned())
}

fn put_above(table: &mut dyn TableLike, key: &str, comment: &str) -> bool {
    let Some((mut name, Item::Value(_))) = table.get_key_value_mut(key) else { return false };
    let decor = name.leaf_decor_mut();
    let below = decor.prefix().and_then(RawString::as_str).unwrap_or_default();
    let text = format!("{comment}{below}");
    decor.set_prefix(text);
    true
}

fn put_below(table: &mut dyn TableLike, key: &str, comment: &str) -> bool {
    let Some(Item::Value(value)) = table.get_mut(key) else { return false };
    let above = value.decor().suffix().and_then(RawString::as_str).unwrap_or_default();
    let text = format!("{above}\n{}", comment.trim_end());
    value.decor_mut().set_suffix(text);
    true
}

fn put_above_table(table: &mut dyn TableLike, key: &str, comment: &str) -> bool {
    let Some(Item::Table(inner)) = table.get_mut(key) else { return false };
    let below = inner.decor().prefix().and_then(RawString::as_str).unwrap_or("\n");
    let text = format!("{comment}{below}");
    inner.decor_mut().set_prefix(text);
    true
}

fn to_item(value: &Value) -> Item {
    match value {
        Value::Table(fields) => Item::Table(fields.iter().map(|(key, value)| (key.as_str(), to_item(value))).collect()),
        other => Item::Value(to_value(other)),
    }
}

fn to_value(value: &Value) -> toml_edit::Value {
    match value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(set) => (*set).into(),
        Value::Datetime(time) => (*time).into(),
        Value::Array(items) => items.iter().map(to_value).collect::<Array>().into(),
        Value::Table(fields) => {
            fields.iter().map(|(key, value)| (key.as_str(), to_value(value))).collect::<InlineTable>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changed(text: &str, change: impl FnOnce(&mut Document) -> Result<()>) -> String {
        let mut document = Document::from_text(text).unwrap();
        change(&mut document).unwrap();
        document.to_text()
    }

    fn set(text: &str, key: &str, value: &str) -> String {
        let path: Vec<_> = key.split('.').collect();
        changed(text, |document| document.set("a", &path, &Value::String(value.into())))
    }

    const FILE: &str = "# mine\ncurrent = 'a'   # in use\n\n[profiles.a] # first\n# which cloud\ncloud-id = \"c\" # c\n  \
                        folder-id = 'f'\n\n[profiles.b]\nformat = \"json\"\n# the end\n";

    #[test]
    fn a_change_touches_the_value_alone() {
        assert_eq!(set(FILE, "cloud-id", "new"), FILE.replace("\"c\" #", "\"new\" #"));
        let current = changed(FILE, |document| {
            document.set_current("b");
            Ok(())
        });
        assert_eq!(current, FILE.replace("'a'   #", "\"b\"   #"));
        let added = set(FILE, "region", "r");
        assert_eq!(added, FILE.replace("folder-id = 'f'\n", "folder-id = 'f'\nregion = \"r\"\n"));
    }

    #[test]
    fn a_comment_outlives_the_key_below_it() {
        let base = "[profiles.a]\nregion = 'r'\n# note\ntoken = 't'\n";
        let after = |text: &str| {
            changed(text, |document| {
                assert!(document.unset("a", &["token"])?);
                Ok(())
            })
        };
        assert_eq!(after(base), "[profiles.a]\nregion = 'r'\n# note\n");
        assert_eq!(after(&format!("{base}x = 1\n")), "[profiles.a]\nregion = 'r'\n# note\nx = 1\n");
        assert_eq!(after("[profiles.a]\n# note\ntoken = 't'\n"), "[profiles.a]\n# note\n");
        let table = "[profiles.a]\n\n# note\n[profiles.a.token]\nx = 1\n";
        assert_eq!(after(table), "[profiles.a]\n\n# note\n");
    }

    #[test]
    fn a_credential_takes_the_place_of_the_others() {
        let text = set("[profiles.a]\n# secret\ntoken = 'x'\n", "workload-identity.audience", "y");
        assert_eq!(text, "[profiles.a]\n# secret\n\n[profiles.a.workload-identity]\naudience = \"y\"\n");
        let text = set("[profiles.a]\nworkload-identity.audience = 'x'\nregion = 'r'\n", "token", "t");
        assert_eq!(text, "[profiles.a]\nregion = 'r'\ntoken = \"t\"\n");
        assert_eq!(set("[profiles.a]\nfolder-name = 'x'\n", "folder-id", "f"), "[profiles.a]\nfolder-id = \"f\"\n");
    }

    #[test]
    fn every_way_to_write_a_profile_can_be_changed() {
        for text in [
            "profiles.a.folder-id = 'x'\n",
            "[profiles]\na = { folder-id = 'x' }\n",
            "[profiles]\na.folder-id = 'x'\n",
            "profiles = { a = { folder-id = 'x' } }\n",
            "[profiles.\"a\"]\n\"folder-id\" = 'x'",
        ] {
            for (key, value) in [("folder-id", "new"), ("endpoints.iam", "new"), ("token", "new")] {
                let text = set(text, key, value);
                let config = Config::from_text(&text).unwrap();
                let profile = config.profile(Some("a")).unwrap();
                let last = key.rsplit('.').next().unwrap();
                let found = profile.table("endpoints").unwrap().and_then(|table| table.get(last)?.as_str());
                assert_eq!(found.or(profile.text(last).ok().flatten()), Some(value), "{text}");
            }
        }
    }

    #[test]
    fn line_ends_and_the_mark_of_the_encoding_stay() {
        let text = format!("{BOM}{}", FILE.replace('\n', "\r\n"));
        assert_eq!(changed(&text, |_| Ok(())), text);
        assert_eq!(set(&text, "cloud-id", "new"), text.replace("\"c\" #", "\"new\" #"));
    }

    #[test]
    fn a_new_profile_goes_below_the_others() {
        let text = changed(FILE, |document| document.create_profile("c"));
        assert!(text.starts_with(FILE.trim_end_matches("# the end\n")), "{text}");
        assert!(text.contains("[profiles.c]\n") && text.contains("# the end\n"), "{text}");
        assert_eq!(changed("", |document| document.create_profile("c")), "[profiles.c]\n");
    }

    proptest! {
        #[test]
        fn any_text_is_set_and_read_back(value in "\\PC{0,20}(\n\\PC{0,20}){0,3}") {
            let text = set(FILE, "token", &value);
            let config = Config::from_text(&text).unwrap();
            let profile = config.profile(Some("a")).unwrap();
            prop_assert_eq!(profile.values()["token"].as_str(), Some(value.as_str()));
        }

        #[test]
        fn what_was_set_and_unset_again_leaves_the_file_as_it_was(key in "[a-z]{1,8}", inner in "[a-z]{1,8}") {
            prop_assume!(!["folder-id", "cloud-id", "token"].contains(&key.as_str()));
            let text = changed(FILE, |document| {
                document.set("a", &[&key, &inner], &Value::Boolean(true))?;
                document.set("a", &["region"], &Value::Integer(1))?;
                document.unset("a", &["region"])?;
                document.unset("a", &[&key, &inner]).map(|_| ())
            });
            prop_assert_eq!(text, FILE);
        }
    }
}
