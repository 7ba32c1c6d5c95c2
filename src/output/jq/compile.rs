//! Compiling a filter, and explaining why one does not compile.

use jaq_core::data::JustLut;
use jaq_core::load::lex::Expect;
use jaq_core::load::parse::Def;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::Fun;
use jaq_core::{Compiler, compile};
use jaq_json::Val;

use super::definitions::{self, DEFINITIONS, REPLACED};
use super::rewrite;
use crate::text::{escape, form};

/// The definition that holds the filter of the user.
const MAIN: &str = "yc_rs_filter";

/// Compiles an expression, which may read `$ENV` when `with_env`. The error is a message for the user.
pub(super) fn compile(expression: &str, with_env: bool) -> Result<jaq_core::Filter<JustLut<Val>>, String> {
    // Parsing and compiling jq's own definitions takes longer than everything else that the program does between the
    // response and the output, and most filters use none of them.
    compile_with(expression, with_env, [], []).or_else(|_| {
        let library = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let definitions = library
            .filter(|def| !REPLACED.contains(&def.name))
            .chain(parse_definitions(DEFINITIONS).into_iter().map(|def| Def { body: rewrite::term(def.body), ..def }));
        let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        // The reason quotes a part of the expression.
        compile_with(expression, with_env, definitions, functions).map_err(|reason| match form::secret_in(expression) {
            Some(form) => format!("the expression looks like {form}"),
            None => reason,
        })
    })
}

/// Compiles with these definitions and native functions. The error is a message for the user.
pub(super) fn compile_with(
    expression: &str,
    with_env: bool,
    definitions: impl IntoIterator<Item = Def<&'static str>>,
    functions: impl IntoIterator<Item = Fun<JustLut<Val>>>,
) -> Result<jaq_core::Filter<JustLut<Val>>, String> {
    // jaq's own `env` reads the process and panics on a variable that is not UTF-8; a definition goes before it.
    let env = if with_env { parse_definitions("def env: $ENV;") } else { Vec::new() };
    let load_error = |errors: load::Errors<&str, ()>| {
        errors.first().map(|(_, error)| describe_load_error(expression, error)).unwrap_or_default()
    };
    let arena = Arena::default();
    let modules = Loader::new([]).load(&arena, File { code: expression, path: () }).map_err(load_error)?;
    load::import(&modules, |_| Err("modules are not supported".to_owned())).map_err(load_error)?;
    let main = load::parse(expression, |parser| parser.term()).ok_or("modules are not supported")?;
    let main = Def { name: MAIN, args: Vec::new(), body: rewrite::term(main) };
    let definitions = definitions.into_iter().chain(env).map(with_lifetime);
    let modules =
        Loader::new(definitions.chain([main])).load(&arena, File { code: MAIN, path: () }).map_err(load_error)?;
    let functions = definitions::functions().into_iter().chain(functions);
    Compiler::default().with_funs(functions).with_global_vars(with_env.then_some("$ENV")).compile(modules).map_err(
        |errors| {
            let undefined = errors.first().and_then(|(_, errors)| errors.first());
            undefined.map(|error| describe_compile_error(expression, error)).unwrap_or_default()
        },
    )
}

/// A definition that can stand beside those with the lifetime of an expression.
fn with_lifetime<'e>(definition: Def<&'static str>) -> Def<&'e str> {
    definition
}

fn parse_definitions(text: &'static str) -> Vec<Def<&'static str>> {
    load::parse(text, |parser| parser.defs()).unwrap_or_default()
}

fn describe_load_error(expression: &str, error: &load::Error<&str>) -> String {
    let reason = match error {
        load::Error::Io(errors) => errors.first().map(|(part, reason)| (reason.clone(), *part)),
        load::Error::Lex(errors) => errors.first().map(|(expected, part)| match expected {
            Expect::Delim(open) => (format!("`{open}` is not closed"), *open),
            other => (describe_expected(other.as_str(), part), *part),
        }),
        load::Error::Parse(errors) => {
            errors.first().map(|(expected, part)| (describe_expected(expected.as_str(), part), *part))
        }
    };
    reason.map(|(reason, part)| with_position(expression, part, &reason)).unwrap_or_default()
}

fn describe_expected(expected: &str, found: &str) -> String {
    let mut shown: String = found.chars().take(20).collect();
    if shown.len() < found.len() {
        shown.push('…');
    }
    match shown.as_str() {
        "" => format!("expected {expected}, but the expression ends"),
        shown => format!("expected {expected}, found `{}`", escape::single_line(shown)),
    }
}

fn describe_compile_error(expression: &str, (name, undefined): &compile::Error<&str>) -> String {
    let what = match undefined {
        compile::Undefined::Filter(arity) => format!("undefined function {name}/{arity}"),
        other => format!("undefined {} {name}", other.as_str()),
    };
    with_position(expression, name, &what)
}

/// Adds the position of `part` in the expression, counted in characters from 1.
fn with_position(expression: &str, part: &str, reason: &str) -> String {
    let start = load::span(expression, part).start;
    match expression.get(..start) {
        Some(before) => format!("{reason} at character {}", before.chars().count() + 1),
        None => reason.to_owned(),
    }
}
