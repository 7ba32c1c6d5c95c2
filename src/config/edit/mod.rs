//! Changing `config.toml`: what is not changed stays byte for byte, comments and order included.
//!
//! [`update`] is the only writer. It locks the file, reads it anew, and replaces it in one step, so that concurrent
//! writers lose nothing and a failure leaves the old file.

mod line_ends;
mod table;

use std::io;
use std::path::{Path, PathBuf};

use toml::Value;
use toml_edit::{DocumentMut, InlineTable, Item, Table};

use super::{BOM, Config, FILE, invalid_file, read_if_present, with_position, yc};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::lock::{Lock, LockError};
use crate::log::Log;
use crate::private_file;
use crate::text::quote;

/// The name of the profile that is created when there is none and none is named.
pub const FIRST_PROFILE: &str = "default";

/// The configuration as text that can be changed in places.
#[derive(Debug, Clone)]
pub struct Document {
    root: DocumentMut,
    path: Option<PathBuf>,
    bom: bool,
    /// The text as it was read.
    original: String,
    /// Whether a private key was replaced by another credential.
    replaces_private_key: bool,
}

/// The result of [`update`].
#[derive(Debug)]
pub struct Updated<T> {
    /// The result of the change.
    pub value: T,
    /// The configuration file.
    pub path: PathBuf,
    /// The file of `yc` whose profiles were copied, when this was the first write.
    pub copied_from: Option<PathBuf>,
    /// The copy of the previous file, when a private key in it was replaced.
    pub backup: Option<PathBuf>,
}

/// The name of the copy of the previous file.
const BACKUP: &str = "config.toml.bak";

/// Changes the configuration; nothing is written when the change fails, or changes nothing.
///
/// # Errors
/// Those of the change; the file cannot be read or written, or another process holds its lock for too long; there is no
/// directory for it.
pub async fn update<T>(env: &Env, log: &Log, change: impl FnOnce(&mut Document) -> Result<T>) -> Result<Updated<T>> {
    let directory = env.config_home().ok_or_else(|| {
        Error::config("there is no home directory for the configuration").hint("set YC_RS_CONFIG_DIR to a directory")
    })?;
    let link = directory.join(FILE);
    let cannot = |error: io::Error| Error::internal(format!("cannot write {}: {error}", quote::full_path(&link)));
    private_file::create_directory(&directory).map_err(cannot)?;
    let _lock = match Lock::acquire(&directory.join("config.lock"), &link, log).await {
        Ok(lock) => lock,
        Err(LockError::Unusable(error)) => return Err(cannot(error)),
        Err(LockError::Held(error)) => return Err(error),
    };
    let path = private_file::replaceable(&link).map_err(|problem| {
        Error::config(format!("{} {problem}", quote::full_path(&link)))
            .hint("the configuration is a file of your own, or a link to one")
    })?;
    let (mut document, copied_from) = read(env, &path)?;
    let before = document.to_text();
    let value = change(&mut document)?;
    let after = document.to_text();
    let changed = after != before;
    let mut backup = None;
    if changed {
        if document.replaces_private_key && copied_from.is_none() {
            // It may be the only copy of the key.
            let path = backup.insert(directory.join(BACKUP));
            private_file::replace(path, before.as_bytes()).map_err(cannot)?;
        }
        private_file::replace(&path, after.as_bytes()).map_err(cannot)?;
    }
    Ok(Updated { value, path, copied_from: copied_from.filter(|_| changed), backup })
}

/// The configuration as it is now, and the file of `yc` if it comes from there.
///
/// # Errors
/// The file cannot be read, or is not TOML (or YAML).
pub fn current(env: &Env) -> Result<Document> {
    let path = env.config_home().map(|directory| directory.join(FILE));
    match path {
        Some(path) => Ok(read(env, &path)?.0),
        None => Ok(Document::default()),
    }
}

fn read(env: &Env, path: &Path) -> Result<(Document, Option<PathBuf>)> {
    if let Some((path, text)) = read_if_present(Some(path.to_owned()))? {
        let document = Document::from_text(&text).map_err(|problem| invalid_file(&path, &problem))?;
        return Ok((Document { path: Some(path), ..document }, None));
    }
    let Some((path, text)) = read_if_present(yc::path(env))? else { return Ok((Document::default(), None)) };
    let root = yc::parse(&text).map_err(|problem| invalid_file(&path, &problem))?;
    let text = toml::to_string_pretty(&root).unwrap_or_default();
    let document = Document::from_text(&text).map_err(|problem| invalid_file(&path, &problem))?;
    Ok((Document { path: Some(path.clone()), ..document }, Some(path)))
}

impl Default for Document {
    fn default() -> Self {
        Self { root: DocumentMut::new(), path: None, bom: false, original: String::new(), replaces_private_key: false }
    }
}

impl Document {
    /// Reads a configuration from text.
    ///
    /// # Errors
    /// The text is not TOML; the message is `:LINE:COLUMN: reason` and quotes nothing of the text.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let plain = text.strip_prefix(BOM).unwrap_or(text);
        let root =
            plain.parse().map_err(|error: toml_edit::TomlError| with_position(plain, error.span(), error.message()));
        let original = plain.to_owned();
        Ok(Self { root: root?, path: None, bom: text.starts_with(BOM), original, replaces_private_key: false })
    }

    /// The text of the configuration.
    pub fn to_text(&self) -> String {
        let text = self.root.to_string();
        let text = if self.has_crlf() { line_ends::as_in(&self.original, &text) } else { text };
        if self.bom { format!("{BOM}{text}") } else { text }
    }

    /// Whether there are lines that end in CR LF.
    fn has_crlf(&self) -> bool {
        self.original.contains("\r\n")
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
        let name = table::to_item(&name.into(), self.has_crlf());
        table::put(self.root.as_item_mut(), "current", name);
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
        let profiles = profiles.as_table_like_mut().ok_or_else(|| not_a_table("profiles"))?;
        if profiles.contains_key(name) {
            return Err(Error::usage(format!("there already is a profile {}", quote::value(name)))
                .hint(format!("to use it, type: yc-rs config profile activate {}", quote::bare(name))));
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
    /// There is none; the message lists the profiles.
    pub fn check_profile(&self, name: &str) -> Result<()> {
        let config = self.config()?;
        if config.names()?.contains(&name) { Ok(()) } else { Err(config.unknown_profile(name)?) }
    }

    /// Sets a value of a profile and removes the keys that conflict with it; `path` is the key, or the keys that lead to
    /// the value.
    ///
    /// # Errors
    /// There is no such profile, or something on the path is not a table.
    pub fn set(&mut self, profile: &str, path: &[&str], value: &Value, conflicting_keys: &[&str]) -> Result<()> {
        let private_key = self.private_key(profile);
        self.put(profile, path, value, conflicting_keys)?;
        self.replaces_private_key |= private_key.is_some() && private_key != self.private_key(profile);
        Ok(())
    }

    /// The private key that a profile holds.
    fn private_key(&mut self, profile: &str) -> Option<String> {
        let key = self.profile(profile).ok()?.get("service-account-key")?.get("private_key")?;
        key.as_str().map(str::to_owned)
    }

    fn put(&mut self, profile: &str, path: &[&str], value: &Value, conflicting_keys: &[&str]) -> Result<()> {
        let Some((last, above)) = path.split_last() else { return Ok(()) };
        // The line ends of a string of several lines would become those of the file.
        let value = table::to_item(value, self.has_crlf());
        let item = self.profile(profile)?;
        let mut parent = &mut *item;
        for (depth, key) in above.iter().enumerate() {
            // Within braces only braces are possible.
            let empty = if parent.is_value() { toml_edit::value(InlineTable::new()) } else { toml_edit::table() };
            let table = parent.as_table_like_mut().ok_or_else(|| not_a_table(&path[..depth].join(".")))?;
            parent = table.entry(key).or_insert(empty);
        }
        if !parent.is_table_like() {
            return Err(not_a_table(&above.join(".")));
        }
        table::put(parent, last, value);
        for key in conflicting_keys {
            table::unset(item, &[key]);
        }
        Ok(())
    }

    /// Removes a value of a profile, and the table around it when that is empty then. Returns whether there was one.
    ///
    /// # Errors
    /// There is no such profile.
    pub fn unset(&mut self, profile: &str, path: &[&str]) -> Result<bool> {
        let profile = self.profile(profile)?;
        let removed = table::unset(profile, path);
        if let Some(table) = profile.as_table_mut().filter(|table| removed && table.is_empty()) {
            // It may have been there by what was in it alone, as by `[profiles.NAME.TABLE]`.
            table.set_implicit(false);
            table.set_dotted(false);
        }
        Ok(removed)
    }

    fn profile(&mut self, name: &str) -> Result<&mut Item> {
        self.check_profile(name)?;
        let profile = self.root.get_mut("profiles").and_then(|profiles| profiles.get_mut(name));
        profile.filter(|profile| profile.is_table_like()).ok_or_else(|| not_a_table(&format!("profiles.{name}")))
    }
}

fn not_a_table(key: &str) -> Error {
    Error::config(format!("{} must be a table, but holds something else", quote::value(key)))
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
        changed(text, |document| document.set("a", &path, &Value::String(value.into()), &[]))
    }

    const FILE: &str = "# mine\ncurrent = 'a'   # in use\n\n[profiles.a] # first\n# which cloud\ncloud-id = \"c\" # c\n  \
                        folder-id = 'f'\n\n[profiles.b]\nformat = \"json\"\n# the end\n";

    #[test]
    fn a_change_changes_nothing_but_the_value() {
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
    fn a_comment_stays_when_the_key_below_it_is_removed() {
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
    fn the_lines_of_a_file_keep_their_ends_and_values_their_line_breaks() {
        let text = "# mine\r\n\n[profiles.a]\r\ntoken = \"t\"\nregion = 'r'\r\n";
        assert_eq!(Document::from_text(text).unwrap().to_text(), text);
        assert_eq!(set(text, "token", "a\nb\u{7f}"), text.replace("\"t\"", "\"a\\nb\\u007f\""));
    }

    #[test]
    fn a_profile_stays_when_the_only_table_in_it_is_removed() {
        let unset = |path: &[&str]| {
            let mut document = Document::from_text("[profiles.a.endpoints]\niam = 'i'\n").unwrap();
            let removed = document.unset("a", path).unwrap();
            (removed, document.to_text())
        };
        assert_eq!(unset(&["endpoints", "iam"]), (true, "[profiles.a]\n".to_owned()));
        assert_eq!(unset(&["endpoints"]), (true, "[profiles.a]\n".to_owned()));
        let (removed, text) = unset(&["x", "y", "z"]);
        assert!(!removed && !text.contains('x'), "{text}");
    }

    #[test]
    fn conflicting_keys_are_removed() {
        let set = |text: &str, path: &[&str], value: &str, conflicting_keys: &[&str]| {
            changed(text, |document| document.set("a", path, &value.into(), conflicting_keys))
        };
        let path = ["workload-identity", "audience"];
        let text = set("[profiles.a]\n# secret\ntoken = 'x'\n", &path, "y", &["token"]);
        assert_eq!(text, "[profiles.a]\n# secret\n\n[profiles.a.workload-identity]\naudience = \"y\"\n");
        let text = "[profiles.a]\nworkload-identity.audience = 'x'\nregion = 'r'\n";
        let text = set(text, &["token"], "t", &["workload-identity"]);
        assert_eq!(text, "[profiles.a]\nregion = 'r'\ntoken = \"t\"\n");
    }

    #[test]
    fn a_profile_can_be_changed_however_it_is_written() {
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
                assert_eq!(found.or(profile.string(last).ok().flatten()), Some(value), "{text}");
            }
        }
    }

    #[test]
    fn line_ends_and_the_byte_order_mark_stay() {
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
                document.set("a", &[&key, &inner], &Value::Boolean(true), &[])?;
                document.set("a", &["region"], &Value::Integer(1), &[])?;
                document.unset("a", &["region"])?;
                document.unset("a", &[&key, &inner]).map(|_| ())
            });
            prop_assert_eq!(text, FILE);
        }
    }
}
