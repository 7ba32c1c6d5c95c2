//! One table of every call: verb, path, what it takes, and its handler.

use crate::call::{Arrival, Call, Identity};
use crate::dialect::Dialect;
use crate::field::Field;
use crate::reply::Reply;
use crate::services;
use crate::state::State;
use crate::status::Status;

/// Handles a call whose form has been checked.
pub(crate) type Handler = fn(&mut State, &Call) -> Result<Reply, Status>;

/// Tells who sends a request, in a way of the service's own.
pub(crate) type Admission = fn(&State, &Arrival) -> Result<Identity, Status>;

/// What a caller shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    /// An IAM token.
    Token,
    /// Nothing: a token must not be sent.
    Anonymous,
    /// Something else.
    Own(Admission),
}

/// What a request carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    Nothing,
    /// A JSON object with these fields.
    Json(&'static [Field]),
    /// A form with these fields.
    Form(&'static [Field]),
    /// Any bytes.
    Bytes,
}

/// One call of one service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) verb: &'static str,
    /// The path; `{name}` stands for an ID, and `{name*}` at the end for the rest of the path.
    pub(crate) path: &'static str,
    pub(crate) handler: Handler,
    pub(crate) access: Access,
    pub(crate) query: &'static [Field],
    pub(crate) body: Body,
    /// Whether JSON may be labelled as a form, as `curl` does by default.
    pub(crate) mislabelled_json: bool,
    /// How the service words a refusal.
    pub(crate) dialect: Dialect,
    /// Whether the call works over plain HTTP only.
    pub(crate) plain_http: bool,
    /// Whether only a request to Object Storage gets here: its paths have names of the user's choice.
    pub(crate) storage: bool,
}

impl Route {
    pub(crate) const fn get(path: &'static str, handler: Handler) -> Self {
        Self::new("GET", path, handler)
    }

    pub(crate) const fn post(path: &'static str, handler: Handler) -> Self {
        Self::new("POST", path, handler)
    }

    pub(crate) const fn patch(path: &'static str, handler: Handler) -> Self {
        Self::new("PATCH", path, handler)
    }

    pub(crate) const fn delete(path: &'static str, handler: Handler) -> Self {
        Self::new("DELETE", path, handler)
    }

    pub(crate) const fn new(verb: &'static str, path: &'static str, handler: Handler) -> Self {
        Self {
            verb,
            path,
            handler,
            access: Access::Token,
            query: &[],
            body: Body::Nothing,
            mislabelled_json: false,
            dialect: Dialect::Status,
            plain_http: false,
            storage: false,
        }
    }

    pub(crate) const fn query(mut self, fields: &'static [Field]) -> Self {
        self.query = fields;
        self
    }

    pub(crate) const fn body(mut self, fields: &'static [Field]) -> Self {
        self.body = Body::Json(fields);
        self
    }

    pub(crate) const fn form(mut self, fields: &'static [Field]) -> Self {
        self.body = Body::Form(fields);
        self
    }

    pub(crate) const fn anonymous(mut self) -> Self {
        self.access = Access::Anonymous;
        self
    }

    pub(crate) const fn admission(mut self, admission: Admission) -> Self {
        self.access = Access::Own(admission);
        self
    }

    pub(crate) const fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    pub(crate) const fn plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    pub(crate) const fn bytes(mut self) -> Self {
        self.body = Body::Bytes;
        self
    }

    pub(crate) const fn storage(mut self) -> Self {
        self.storage = true;
        self
    }

    pub(crate) const fn mislabelled_json(mut self) -> Self {
        self.mislabelled_json = true;
        self
    }
}

/// Every route. A new service adds its file and a line to `services::ROUTES`.
pub(crate) fn table() -> impl Iterator<Item = &'static Route> {
    services::ROUTES.iter().copied().flatten()
}

/// Whether a path fits a template.
pub(crate) fn same_path(template: &str, path: &str) -> bool {
    let mut left = template.split('/');
    let mut right = path.split('/');
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(rest), Some(b)) if rest.ends_with("*}") => return !b.is_empty(),
            (Some(a), Some(b))
                if a == b || placeholder(a).is_some_and(|(_, verb)| b.len() > verb.len() && b.ends_with(verb)) => {}
            _ => return false,
        }
    }
}

/// The name between the braces of a template's segment, and what follows them: a verb with its colon, or nothing.
pub(crate) fn placeholder(segment: &str) -> Option<(&str, &str)> {
    segment.strip_prefix('{')?.split_once('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_matches_one_segment_a_placeholder() {
        assert!(same_path("/a/{id}", "/a/b"));
        assert!(same_path("/a/{id}/c", "/a/b/c"));
        assert!(!same_path("/a/{id}", "/a/"));
        assert!(!same_path("/a/{id}", "/a/b/c"));
        assert!(!same_path("/a", "/a/b"));
        assert!(same_path("/{a}/{rest*}", "/a/b"));
        assert!(same_path("/{a}/{rest*}", "/a/b/c/"));
        assert!(!same_path("/{a}/{rest*}", "/a/"));
        assert!(!same_path("/{a}/{rest*}", "/a"));
    }
}
