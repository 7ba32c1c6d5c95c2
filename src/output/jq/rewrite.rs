//! Changes to a parsed filter where jaq and jq differ in what an expression means.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Part, Path};

/// The function that a value in a string is passed through: jaq's own conversion also writes what is not JSON. No filter
/// can define or call a function of this name.
pub(super) const TEXT: &str = "!text";
/// The function that a computed key of an object is passed through.
pub(super) const KEY: &str = "!key";

/// The term with `\(…)` in strings converted by [`TEXT`] and keys of objects checked by [`KEY`].
pub(super) fn term(term: Term<&str>) -> Term<&str> {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Arr(None) | Term::Break(_) | Term::Var(_) => term,
        Term::Str(format, parts) => string(format, parts),
        Term::Arr(Some(items)) => Term::Arr(Some(boxed(*items))),
        Term::Obj(fields) => Term::Obj(fields.into_iter().map(field).collect()),
        Term::Neg(inner) => Term::Neg(boxed(*inner)),
        Term::BinOp(left, operator, right) => Term::BinOp(boxed(*left), binary(operator), boxed(*right)),
        Term::Label(name, inner) => Term::Label(name, boxed(*inner)),
        Term::Fold(name, source, pattern, arguments) => {
            Term::Fold(name, boxed(*source), self::pattern(pattern), all(arguments))
        }
        Term::TryCatch(inner, catch) => Term::TryCatch(boxed(*inner), catch.map(|catch| boxed(*catch))),
        Term::IfThenElse(branches, otherwise) => Term::IfThenElse(
            branches.into_iter().map(|(condition, branch)| (self::term(condition), self::term(branch))).collect(),
            otherwise.map(|otherwise| boxed(*otherwise)),
        ),
        Term::Def(definitions, inner) => {
            let definitions = definitions.into_iter().map(|def| Def { body: self::term(def.body), ..def });
            Term::Def(definitions.collect(), boxed(*inner))
        }
        Term::Call(name, arguments) => Term::Call(name, all(arguments)),
        Term::Path(head, path) => {
            Term::Path(boxed(*head), Path(path.0.into_iter().map(|(p, o)| (part(p), o)).collect()))
        }
    }
}

fn boxed(inner: Term<&str>) -> Box<Term<&str>> {
    Box::new(term(inner))
}

fn all(terms: Vec<Term<&str>>) -> Vec<Term<&str>> {
    terms.into_iter().map(term).collect()
}

fn string<'a>(format: Option<&'a str>, parts: Vec<StrPart<&'a str, Term<&'a str>>>) -> Term<&'a str> {
    let is_plain = parts.iter().all(|part| !matches!(part, StrPart::Term(_)));
    let parts = parts.into_iter().map(|part| match part {
        StrPart::Term(inner) => StrPart::Term(term(inner)),
        other => other,
    });
    Term::Str(format.or((!is_plain).then_some(TEXT)), parts.collect())
}

fn field<'a>((key, value): (Term<&'a str>, Option<Term<&'a str>>)) -> (Term<&'a str>, Option<Term<&'a str>>) {
    let Some(value) = value else { return (term(key), None) };
    let key = match term(key) {
        string @ Term::Str(..) => string,
        computed => Term::BinOp(Box::new(computed), BinaryOp::Pipe(None), Box::new(Term::Call(KEY, Vec::new()))),
    };
    (key, Some(term(value)))
}

fn binary(operator: BinaryOp<&str>) -> BinaryOp<&str> {
    match operator {
        BinaryOp::Pipe(Some(pattern)) => BinaryOp::Pipe(Some(self::pattern(pattern))),
        other => other,
    }
}

fn pattern(pattern: Pattern<&str>) -> Pattern<&str> {
    match pattern {
        Pattern::Var(name) => Pattern::Var(name),
        Pattern::Arr(items) => Pattern::Arr(items.into_iter().map(self::pattern).collect()),
        Pattern::Obj(fields) => {
            Pattern::Obj(fields.into_iter().map(|(key, inner)| (term(key), self::pattern(inner))).collect())
        }
    }
}

fn part(part: Part<Term<&str>>) -> Part<Term<&str>> {
    match part {
        Part::Index(index) => Part::Index(term(index)),
        Part::Range(from, to) => Part::Range(from.map(term), to.map(term)),
    }
}
