//! What is wrong with a profile in the AWS files: why it cannot be written or read, and what the user should know.
//!
//! AWS SDKs disagree on many lines of these files. A profile is refused where some of them would use another key, or
//! none.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files" and "Standardized credential
//! providers"; botocore, `configloader.py` and `credentials.py`; AWS SDK for JavaScript v3, `parseIni.ts`.

use std::collections::HashMap;
use std::path::Path;

use crate::text::quote;

use super::ini::{DEFAULTS, Document, Entry, Section};

/// The names of a session token; the second is the older one.
pub(super) const TOKENS: [&str; 2] = ["aws_session_token", "aws_security_token"];

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// `~/.aws/credentials`
    Credentials,
    /// `~/.aws/config`
    Config,
}

/// Whether the key that is written expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It expires, and has a session token.
    Temporary,
    /// It does not expire.
    Permanent,
}

/// A line of a file and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// From 1.
    pub(super) line: usize,
    pub(super) rule: Rule,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// The profile is there already.
    ProfileTwice { first: usize },
    /// White space inside the brackets of the profile's header.
    SpaceInHeader,
    /// Something follows the brackets of the profile's header.
    TextAfterHeader,
    /// White space before a header, of the profile or within its section.
    IndentedHeader,
    /// The key is in the profile already.
    KeyTwice { key: String, first: usize },
    /// The line is neither a key with a value nor a comment.
    MalformedLine,
    /// SDKs use this credential in place of the key.
    OtherCredential { key: String },
    /// SDKs send this session token with the key.
    OtherToken { key: String },
    /// A note: several SDKs cannot read the file.
    ByteOrderMark,
    /// A note: several SDKs cannot read the file for this line, which is none of the profile's.
    UnreadableLine,
    /// A note: the endpoint of this section may be used in place of the profile's.
    Services,
    /// A note: the endpoint of the profile is ignored.
    IgnoredEndpoints,
    /// A note: a key that does not expire is overwritten by one that does.
    PermanentKey,
}

impl FileKind {
    /// The profile that a header with this title is for.
    pub(super) fn profile(self, title: &str) -> Option<&str> {
        let title = title.trim();
        match (self, title.strip_prefix("profile").filter(|rest| rest.starts_with(char::is_whitespace))) {
            (Self::Credentials, _) => Some(title),
            (Self::Config, Some(name)) => Some(name.trim().trim_matches(['"', '\''])),
            (Self::Config, None) => Some(title).filter(|title| *title == "default"),
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Credentials => "the AWS credentials file",
            Self::Config => "the AWS configuration file",
        }
    }

    pub(super) fn name(self, path: &Path) -> String {
        format!("{} {}", self.describe(), quote::bare_path(path))
    }
}

impl Finding {
    fn new(line: usize, rule: Rule) -> Self {
        Self { line: line + 1, rule }
    }

    pub(super) fn is_note(&self) -> bool {
        matches!(
            self.rule,
            Rule::ByteOrderMark | Rule::UnreadableLine | Rule::Services | Rule::IgnoredEndpoints | Rule::PermanentKey
        )
    }

    /// What is wrong, and with which line, as the predicate of a sentence about the file.
    pub(super) fn message(&self, profile: &str) -> String {
        let line = self.line;
        let quoted = quote::value(profile);
        match &self.rule {
            Rule::ProfileTwice { first } => {
                format!("has the profile {quoted} twice, in lines {first} and {line}; remove one of them")
            }
            Rule::SpaceInHeader => format!(
                "has white space inside the brackets of line {line}, which AWS SDKs read in different ways; write \
                 [{profile}]"
            ),
            Rule::TextAfterHeader => format!(
                "has text after the brackets of line {line}, which AWS SDKs read in different ways; write the comment \
                 on a line of its own"
            ),
            Rule::IndentedHeader => format!(
                "has white space before the bracket of line {line}, which AWS SDKs read in different ways; remove it"
            ),
            Rule::KeyTwice { key, first } => {
                let key = quote::value(key);
                format!("has {key} twice in the profile {quoted}, in lines {first} and {line}; remove one of them")
            }
            Rule::MalformedLine => format!("has a line that is neither a key with a value nor a comment: line {line}"),
            Rule::OtherCredential { key } => format!(
                "has {} in line {line}, which AWS SDKs use in place of the access key of the profile \
                 {quoted}; remove the line, or name another profile",
                quote::value(key)
            ),
            Rule::OtherToken { key } => format!(
                "has '{key}' in line {line}, which AWS SDKs send with the access key of the profile {quoted}; \
                 remove the line"
            ),
            Rule::ByteOrderMark => "begins with a byte order mark, so several AWS SDKs cannot read it".to_owned(),
            Rule::UnreadableLine => format!(
                "has an error in line {line}, so several AWS SDKs cannot read it: a line that is not a key with a value, a \
                 second section or key of the same name, or text that is not UTF-8"
            ),
            Rule::Services => format!(
                "has 'services' in line {line}, whose endpoints AWS SDKs use in place of the 'endpoint_url' of the \
                 profile {quoted}"
            ),
            Rule::IgnoredEndpoints => format!(
                "has 'ignore_configured_endpoint_urls' in line {line}, so AWS SDKs ignore the 'endpoint_url' of the \
                 profile {quoted}"
            ),
            Rule::PermanentKey => format!(
                "has a permanent key in line {line}, which is replaced in the profile {quoted} by one that expires"
            ),
        }
    }
}

/// The section of a profile.
///
/// # Errors
/// AWS SDKs disagree on where the profile is, or on what is in it.
pub(super) fn section<'d>(
    document: &'d Document<'_>,
    kind: FileKind,
    profile: &str,
) -> Result<Option<&'d Section>, Finding> {
    let is_ours = |title: &str| kind.profile(title) == Some(profile);
    if let Some((line, _)) = document.indented_headers.iter().find(|(_, title)| is_ours(title)) {
        return Err(Finding::new(*line, Rule::IndentedHeader));
    }
    let mut found = document.sections.iter().enumerate().filter(|(_, section)| is_ours(&section.title));
    let Some((position, section)) = found.next() else { return Ok(None) };
    if let Some((_, second)) = found.next() {
        return Err(Finding::new(second.header, Rule::ProfileTwice { first: section.header + 1 }));
    }
    if section.title != section.title.trim() {
        return Err(Finding::new(section.header, Rule::SpaceInHeader));
    }
    if section.has_text_after {
        return Err(Finding::new(section.header, Rule::TextAfterHeader));
    }
    let next = document.sections.get(position + 1).map_or(usize::MAX, |next| next.header);
    let mut indented = document.indented_headers.iter().map(|(line, _)| *line);
    if let Some(line) = indented.find(|line| (section.header..=next).contains(line)) {
        return Err(Finding::new(line, Rule::IndentedHeader));
    }
    if let Some(line) = section.malformed_line {
        return Err(Finding::new(line, Rule::MalformedLine));
    }
    let mut lines = HashMap::new();
    for entry in &section.entries {
        if let Some(first) = lines.insert(&entry.name, entry.lines.start) {
            let rule = Rule::KeyTwice { key: entry.name.clone(), first: first + 1 };
            return Err(Finding::new(entry.lines.start, rule));
        }
    }
    Ok(Some(section))
}

/// A session token that Python's `configparser` takes for a part of every profile.
pub(super) fn token_of_defaults(document: &Document<'_>) -> Option<Finding> {
    let mut defaults = document.sections.iter().filter(|section| section.title.trim() == DEFAULTS);
    defaults.find_map(|section| tokens(document, section).pop())
}

/// Why a key that is written to the profile of the credentials file would not be the one that SDKs use, as far as this
/// file tells, and what the user should know before it is written.
pub(super) fn before_writing(
    document: &Document<'_>,
    kind: FileKind,
    profile: &str,
    lifetime: Lifetime,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let defaults = document.sections.iter().filter(|section| section.title.trim() == DEFAULTS);
    for section in defaults.clone() {
        findings.extend(other_credentials(document, section));
        findings.extend(tokens(document, section));
    }
    let ours: Vec<_> = match kind {
        FileKind::Credentials => match section(document, kind, profile) {
            Ok(section) => section.into_iter().collect(),
            Err(finding) => {
                findings.push(finding);
                Vec::new()
            }
        },
        // Nothing is written there, so whatever one of the SDKs may take for the profile counts.
        FileKind::Config => {
            document.sections.iter().filter(|section| kind.profile(&section.title) == Some(profile)).collect()
        }
    };
    for section in &ours {
        findings.extend(other_credentials(document, section));
        // The token of a temporary key replaces that of the configuration; a permanent key has none.
        if kind == FileKind::Config && lifetime == Lifetime::Permanent {
            findings.extend(tokens(document, section));
        }
    }
    if document.has_bom() {
        findings.push(Finding::new(0, Rule::ByteOrderMark));
    }
    findings.extend(document.unreadable_line.map(|line| Finding::new(line, Rule::UnreadableLine)));
    for section in ours.iter().copied().chain(defaults) {
        let entry = |name: &str| section.entry(name, document);
        findings.extend(entry("services").map(|entry| at(entry, Rule::Services)));
        let ignores =
            entry("ignore_configured_endpoint_urls").filter(|entry| document.value(entry).eq_ignore_ascii_case("true"));
        findings.extend(ignores.map(|entry| at(entry, Rule::IgnoredEndpoints)));
    }
    if let (FileKind::Credentials, Lifetime::Temporary, [section]) = (kind, lifetime, &ours[..])
        && let Some(entry) = section.entry("aws_access_key_id", document)
        && TOKENS.iter().all(|token| section.entry(token, document).is_none())
    {
        findings.push(at(entry, Rule::PermanentKey));
    }
    findings
}

/// The credentials of a section that SDKs use before an access key.
fn other_credentials(document: &Document<'_>, section: &Section) -> Vec<Finding> {
    let beats = |name: &str| matches!(name, "role_arn" | "web_identity_token_file") || name.starts_with("sso_");
    let mut entries: Vec<_> = section.entries.iter().filter(|entry| beats(&entry.name)).collect();
    entries.retain(|entry| !document.value(entry).is_empty());
    entries.into_iter().map(|entry| at(entry, Rule::OtherCredential { key: entry.name.clone() })).collect()
}

/// The session tokens of a section.
fn tokens(document: &Document<'_>, section: &Section) -> Vec<Finding> {
    let entries = TOKENS.iter().filter_map(|token| section.entry(token, document));
    entries.map(|entry| at(entry, Rule::OtherToken { key: entry.name.clone() })).collect()
}

fn at(entry: &Entry, rule: Rule) -> Finding {
    Finding::new(entry.lines.start, rule)
}
