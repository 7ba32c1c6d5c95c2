//! What there is to say about a policy.

use serde::Serialize;

/// How much a [`Finding`] weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The policy does not do what it seems to say.
    Error,
    /// It probably does not do what is meant.
    Warning,
    /// Something to know about every policy.
    Note,
}

impl Severity {
    /// The name that is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something to know about a policy.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// How much it weighs.
    pub level: Severity,
    /// What kind of finding it is.
    pub code: Code,
    /// What it is, and what to do.
    pub message: String,
    /// The index of the statement, from 0; `None` for the whole policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
}

impl Finding {
    /// The message behind the statement that it is about.
    pub fn placed_message(&self) -> String {
        match self.statement {
            Some(index) => format!("statement {index}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The text is not a JSON object.
    NotJson,
    /// The policy has more characters than the API takes.
    TooLong,
    /// There is no statement.
    NoStatement,
    /// The effect is neither `Allow` nor `Deny`.
    BadEffect,
    /// A statement names no action.
    MissingAction,
    /// A statement names no resource.
    MissingResource,
    /// An element, operator or condition key that Object Storage does not document.
    NotSupported,
    /// An action on objects, with buckets alone as resources.
    BucketWithoutObjects,
    /// An action on buckets, with objects alone as resources.
    ObjectsWithoutBucket,
    /// A resource that is not an ARN of Object Storage.
    NotAnS3Arn,
    /// A name that an object has twice.
    DuplicateKey,
    /// The policy allows nothing.
    NoAllow,
    /// An action that is not documented.
    UnknownAction,
    /// An action with a wildcard that is not documented.
    PartialWildcard,
    /// A statement without `Principal`.
    PrincipalMissing,
    /// An object ACL may grant what the policy does not.
    AclMayStillGrant,
}

impl Code {
    /// The name that is shown, such as `not-json`.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// How much a finding of this kind weighs.
    pub(super) fn severity(self) -> Severity {
        match self {
            Self::NoAllow | Self::UnknownAction | Self::PartialWildcard | Self::PrincipalMissing => Severity::Warning,
            Self::AclMayStillGrant => Severity::Note,
            _ => Severity::Error,
        }
    }
}
