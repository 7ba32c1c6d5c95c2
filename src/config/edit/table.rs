//! Changing a table in place: values, and the comments around them.

use serde_json::Value as Json;
use toml::Value;
use toml_edit::{Array, InlineTable, Item, RawString, TableLike};

/// Sets a key of a table; a value takes over the spaces and the comments of the one it replaces.
pub(super) fn put(table: &mut Item, key: &str, item: Item) {
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

/// Removes the value at a path, and the tables on the path that are empty then. Returns whether there was one.
pub(super) fn unset(table: &mut Item, path: &[&str]) -> bool {
    let [key, below @ ..] = path else { return false };
    if below.is_empty() {
        return remove(table, key);
    }
    // Not by `Item::get_mut`, which makes a table of what is not there.
    let Some(inner) = table.as_table_like_mut().and_then(|table| table.get_mut(key)) else { return false };
    let removed = unset(inner, below);
    if removed && inner.as_table_like().is_some_and(TableLike::is_empty) {
        remove(table, key);
    }
    removed
}

/// Removes a key and leaves the comment lines above it: they may be about more than this key. `toml_edit` has them as
/// decor of the key and would remove them with it, so they become decor of a neighbour.
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

/// The same value for `toml_edit`. With `on_one_line`, a string with line breaks has them as escapes.
pub(super) fn to_item(value: &Value, on_one_line: bool) -> Item {
    match value {
        Value::Table(fields) => {
            Item::Table(fields.iter().map(|(key, value)| (key.as_str(), to_item(value, on_one_line))).collect())
        }
        other => Item::Value(to_value(other, on_one_line)),
    }
}

fn to_value(value: &Value, on_one_line: bool) -> toml_edit::Value {
    match value {
        Value::String(text) if on_one_line && text.contains('\n') => escaped(text),
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(set) => (*set).into(),
        Value::Datetime(time) => (*time).into(),
        Value::Array(items) => items.iter().map(|item| to_value(item, on_one_line)).collect::<Array>().into(),
        Value::Table(fields) => {
            let field = |(key, value): (&String, &Value)| (key.clone(), to_value(value, on_one_line));
            fields.iter().map(field).collect::<InlineTable>().into()
        }
    }
}

/// A string in quotation marks: the escapes of JSON are those of TOML too, which does not allow DEL as it is.
fn escaped(text: &str) -> toml_edit::Value {
    let json = Json::from(text).to_string().replace('\u{7f}', "\\u007f");
    json.parse().unwrap_or_else(|_| text.into())
}
