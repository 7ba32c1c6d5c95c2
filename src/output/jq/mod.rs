//! Filters in the language of jq, run by jaq.

use std::collections::BTreeMap;
use std::thread;

use jaq_core::data::JustLut;
use jaq_core::{Ctx, Exn, Vars};
use jaq_json::{Val, read};

use crate::error::{Error, Kind, Result};
use crate::secret::{is_secret_field, mask_shapes};

mod compile;
mod definitions;
mod json;
mod rewrite;
#[cfg(test)]
mod tests;

/// The stack for compiling and running a filter. jaq recurses: while it parses, as deep as the expression is nested;
/// while it runs, as deep as the filter calls itself and as the values are nested.
pub const STACK_BYTES: usize = 256 << 20;

/// The longest expression, in bytes, that fits on that stack however it is nested.
const MAX_EXPRESSION: usize = 16 << 10;

/// The longest expression, in bytes, that fits on any stack however it is nested.
const SHORT_EXPRESSION: usize = 100;

/// How many characters of an error of jaq are shown: it may quote the whole document.
const MAX_REASON: usize = 200;

/// A compiled jq filter.
pub struct Filter {
    expression: String,
    compiled: jaq_core::Filter<JustLut<Val>>,
    /// The environment, for a filter that reads it.
    variables: Option<BTreeMap<String, String>>,
}

impl Filter {
    /// Compiles a filter; `variables` are the values of its `env` and `$ENV`.
    ///
    /// # Errors
    /// [`FilterSyntax`](Kind::FilterSyntax) with the offending part and its position.
    pub fn compile(expression: &str, variables: &BTreeMap<String, String>) -> Result<Self> {
        if expression.len() > MAX_EXPRESSION {
            let reason = format!("jq filter: the expression has more than {MAX_EXPRESSION} bytes");
            return Err(Error::new(Kind::FilterSyntax, reason));
        }
        if expression.len() <= SHORT_EXPRESSION {
            return Self::compile_on_this_stack(expression, variables);
        }
        thread::scope(|scope| {
            let large_stack = thread::Builder::new().stack_size(STACK_BYTES);
            match large_stack.spawn_scoped(scope, || Self::compile_on_this_stack(expression, variables)) {
                Ok(compiling) => compiling.join().unwrap_or_else(|_| Err(Error::internal("the jq compiler failed"))),
                Err(_) => Self::compile_on_this_stack(expression, variables),
            }
        })
    }

    fn compile_on_this_stack(expression: &str, variables: &BTreeMap<String, String>) -> Result<Self> {
        let variables = ["env", "ENV"].iter().any(|name| expression.contains(name)).then(|| variables.clone());
        let compiled = compile::compile(expression, variables.is_some())
            .map_err(|reason| Error::new(Kind::FilterSyntax, format!("jq filter: {reason}")))?;
        Ok(Self { expression: expression.to_owned(), compiled, variables })
    }

    /// The expression that was compiled.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// Whether the filter only selects a field, as `.access_key.key_id` does.
    pub fn is_field_path(&self) -> bool {
        let expression = self.expression.trim();
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        expression.strip_prefix('.').is_some_and(|names| names.split('.').all(is_name))
    }

    /// Runs the filter on a JSON document and returns its output as `jq -r` prints it.
    ///
    /// # Errors
    /// [`FilterRun`](Kind::FilterRun) when the filter fails, also after it has returned results.
    pub fn run(&self, document: &[u8]) -> Result<Vec<u8>> {
        self.run_on_value(parse(document)?)
    }

    /// As [`run`](Self::run), on the array of the collected values.
    ///
    /// # Errors
    /// [`FilterRun`](Kind::FilterRun) when the filter fails, also after it has returned results.
    pub fn run_on(&self, collected: Collected) -> Result<Vec<u8>> {
        self.run_on_value(collected.0.into_iter().collect())
    }

    /// The filter `F` of a filter `.[] | F` or `.[].path`, which can be run on one item after the other; `None` for a
    /// filter that needs the whole array.
    pub fn per_item(&self) -> Option<Self> {
        // `halt` ends the whole filter.
        if self.expression.contains("halt") {
            return None;
        }
        let rest = self.expression.trim().strip_prefix(".[]")?.trim_start();
        let expression = match rest.strip_prefix('|') {
            Some(filter) => filter,
            None if rest.is_empty() => ".",
            None if rest.starts_with('.') => rest,
            None => return None,
        };
        // Within the path, an operator would take the whole path as its operand.
        let is_path = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
        if !rest.starts_with('|') && !is_path(rest) {
            return None;
        }
        let mut filter = Self::compile(expression, self.variables.as_ref().unwrap_or(&BTreeMap::new())).ok()?;
        filter.variables.clone_from(&self.variables);
        Some(filter)
    }

    fn run_on_value(&self, input: Val) -> Result<Vec<u8>> {
        let document = input.clone();
        let variables = self.variables.iter().map(|variables| {
            Val::obj(variables.iter().map(|(name, value)| (name.clone().into(), value.clone().into())).collect())
        });
        let context = Ctx::<JustLut<Val>>::new(&self.compiled.lut, Vars::new(variables));
        let mut printed = Vec::new();
        for result in self.compiled.id.run((context, input)) {
            match result {
                Ok(Val::TStr(text) | Val::BStr(text)) => {
                    printed.extend_from_slice(String::from_utf8_lossy(&text).as_bytes());
                }
                Ok(value) => {
                    let text = json::pretty(&value).map_err(|key| {
                        Error::new(Kind::FilterRun, format!("jq filter: {}", definitions::key_message(key)))
                    })?;
                    printed.extend_from_slice(text.as_bytes());
                }
                Err(exception) => return self.check_exit(exception, &document).map(|()| printed),
            }
            printed.push(b'\n');
        }
        Ok(printed)
    }

    /// A filter that stops by `halt` succeeds; every other exception is a failure.
    fn check_exit(&self, exception: Exn<Val>, document: &Val) -> Result<()> {
        let failed = |reason: &str| Err(Error::new(Kind::FilterRun, format!("jq filter: {reason}")));
        let error = match exception.get_err() {
            Ok(error) => error,
            Err(exception) => match exception.get_halt() {
                Ok(0) => return Ok(()),
                Ok(status) => return failed(&format!("halted with the exit status {status}")),
                Err(_) => return failed("`break` without its `label`"),
            },
        };
        // jaq's messages quote values. Where one of them may be a secret, the message is shown up to the first value.
        if self.variables.is_some() || has_secret_field(document) {
            let reason = error.to_string();
            let quote = reason.find(|c: char| "\"[{-".contains(c) || c.is_ascii_digit()).unwrap_or(reason.len());
            return failed(&format!("{}… (a value that may be secret is not shown)", &reason[..quote]));
        }
        let reason = match error.into_val() {
            Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
            value => value.to_string(),
        };
        let shown: String = mask_shapes(&reason).chars().take(MAX_REASON).collect();
        failed(&if shown.len() < reason.len() { shown + "…" } else { shown })
    }
}

/// The items of a list, for a filter that needs the whole list.
#[derive(Default)]
pub struct Collected(Vec<Val>);

impl Collected {
    /// Adds an item, given as JSON.
    ///
    /// # Errors
    /// The text is not JSON.
    pub fn push(&mut self, item: &[u8]) -> Result<()> {
        self.0.push(parse(item)?);
        Ok(())
    }
}

fn parse(document: &[u8]) -> Result<Val> {
    read::parse_single(document)
        .map_err(|error| Error::internal(format!("cannot pass the result to the jq filter: {error}")))
}

fn has_secret_field(value: &Val) -> bool {
    let is_secret = |name: &Val| matches!(name, Val::TStr(text) if is_secret_field(&String::from_utf8_lossy(text)));
    match value {
        Val::Arr(items) => items.iter().any(has_secret_field),
        Val::Obj(fields) => fields.iter().any(|(name, value)| is_secret(name) || has_secret_field(value)),
        _ => false,
    }
}
