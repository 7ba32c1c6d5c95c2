//! The two files of the AWS CLI and SDKs: a profile of the credentials file written or read, every other byte left
//! alone, and the configuration file, which is only read.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".

mod edit;
mod findings;
mod ini;
pub mod survey;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

pub use self::findings::Lifetime;
use self::findings::{FileKind, TOKENS};
use self::ini::Document;
pub use self::writer::ProfileWriter;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::writer::with_profile;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::input;
use crate::text::quote;

/// The files, which need not be there yet.
#[derive(Debug, Clone)]
pub struct AwsFiles {
    credentials: PathBuf,
    /// `None` when there is no home directory to find it in.
    config: Option<PathBuf>,
}

/// The key in a profile; a value that is empty counts as absent.
#[derive(Debug, Clone)]
pub struct ProfileKey {
    /// The file that has it.
    pub path: PathBuf,
    /// `aws_access_key_id`
    pub access_key_id: Option<String>,
    /// `aws_secret_access_key`
    pub secret: Option<SecretString>,
    /// Whether there is a session token.
    pub is_temporary: bool,
}

impl AwsFiles {
    /// The credentials file that the user named, else `$AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`; and
    /// `$AWS_CONFIG_FILE`, else `~/.aws/config`.
    ///
    /// # Errors
    /// The credentials file is not named and there is no home directory.
    pub fn locate(given: Option<&Path>, env: &Env) -> Result<Self> {
        const VARIABLE: &str = "AWS_SHARED_CREDENTIALS_FILE";
        let home = || {
            let error =
                Error::usage("there is no home directory, so the path of the AWS credentials file is not known");
            env.home.clone().ok_or_else(|| error.hint("name the file: --aws-credentials-file FILE"))
        };
        // Shells leave the tilde alone in `--flag=~/…`, and AWS clients read it in the variables.
        let credentials = match (given, env.var(VARIABLE)) {
            (Some(path), _) => env.path_of("--aws-credentials-file", path)?,
            (None, Some(path)) => env.path_of(VARIABLE, path.as_ref())?,
            (None, None) => home()?.join(".aws/credentials"),
        };
        let config = match env.var("AWS_CONFIG_FILE") {
            Some(path) => Some(env.path_of("AWS_CONFIG_FILE", path.as_ref())?),
            None => env.home.as_ref().map(|home| home.join(".aws/config")),
        };
        Ok(Self { credentials, config })
    }

    /// The credentials file.
    pub fn credentials(&self) -> &Path {
        &self.credentials
    }

    /// The configuration file.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The key in a profile of the credentials file, or else of the configuration file.
    ///
    /// # Errors
    /// A file cannot be read, AWS SDKs disagree on what is in the profile, or neither file has it.
    pub fn read(&self, profile: &str) -> Result<ProfileKey> {
        let files = [(FileKind::Credentials, Some(&self.credentials)), (FileKind::Config, self.config.as_ref())];
        let mut incomplete = None;
        for (kind, path) in files.into_iter().filter_map(|(kind, path)| Some((kind, path?))) {
            let describe = |problem: String| Error::usage(format!("{} {problem}", kind.name(path)));
            let key = read_key(path, kind, profile).map_err(describe)?;
            match key {
                Some(key) if key.access_key_id.is_some() && key.secret.is_some() => return Ok(key),
                Some(key) => _ = incomplete.get_or_insert(key),
                None => {}
            }
        }
        incomplete.ok_or_else(|| self.no_profile(profile))
    }

    /// The names of the profiles in both files, each once; none of a file that cannot be read.
    pub fn profile_names(&self) -> Vec<String> {
        let files = [(FileKind::Credentials, Some(&self.credentials)), (FileKind::Config, self.config.as_ref())];
        let mut names = Vec::new();
        for (kind, path) in files.into_iter().filter_map(|(kind, path)| Some((kind, path?))) {
            let Ok(content) = read_if_there(path).and_then(as_utf8) else { continue };
            let Ok(document) = Document::parse(&content) else { continue };
            for section in &document.sections {
                let name = kind.profile(&section.title).map(str::to_owned);
                names.extend(name.filter(|name| !names.contains(name)));
            }
        }
        names
    }

    /// The key in a profile of the credentials file alone; `None` when it has no such profile.
    ///
    /// # Errors
    /// The file cannot be read, or AWS SDKs disagree on what is in the profile.
    pub fn stored(&self, profile: &str) -> Result<Option<ProfileKey>> {
        read_key(&self.credentials, FileKind::Credentials, profile)
            .map_err(|problem| Error::usage(self.describe(&problem)))
    }

    fn no_profile(&self, profile: &str) -> Error {
        let content = match input::regular_file(&self.credentials, input::LARGE_LIMIT) {
            Ok(content) => content,
            Err(error) => return Error::usage(self.describe(&format!("cannot be read: {error}"))),
        };
        let content = as_utf8(content).unwrap_or_default();
        let titles = Document::parse(&content).map(|document| document.sections).unwrap_or_default();
        let names: Vec<_> = titles.iter().map(|section| section.title.trim()).collect();
        let others = match &names[..] {
            [] => "it has no profiles".to_owned(),
            names => format!("there are: {}", quote::list(names)),
        };
        Error::usage(self.describe(&format!("has no profile {}; {others}", quote::value(profile))))
    }

    fn describe(&self, problem: &str) -> String {
        format!("{} {problem}", FileKind::Credentials.name(&self.credentials))
    }
}

fn read_key(path: &Path, kind: FileKind, profile: &str) -> Result<Option<ProfileKey>, String> {
    let content = as_utf8(read_if_there(path)?)?;
    let document = Document::parse(&content)?;
    let found = findings::section(&document, kind, profile).map_err(|finding| finding.message(profile))?;
    let Some(section) = found else { return Ok(None) };
    if let Some(finding) = findings::token_of_defaults(&document) {
        return Err(finding.message(profile));
    }
    let value = |name| section.entry(name, &document).map(|entry| document.value(entry));
    Ok(Some(ProfileKey {
        path: path.to_owned(),
        access_key_id: value("aws_access_key_id"),
        secret: value("aws_secret_access_key").map(SecretString::from),
        is_temporary: TOKENS.iter().any(|token| value(token).is_some()),
    }))
}

/// Checks the name of a profile that is to be written: one that every reader takes for what it is.
///
/// # Errors
/// The name breaks the rule; the message says which.
pub fn check_profile_name(name: &str) -> Result<String, String> {
    let wrong = |c: char| c.is_whitespace() || c.is_control() || "[]/\\".contains(c);
    if name.is_empty() || name.chars().any(wrong) {
        return Err("the name of an AWS profile has no brackets, slashes, white space or control characters".to_owned());
    }
    if name == "DEFAULT" {
        return Err("AWS clients read [DEFAULT] as a part of every profile; the profile is called 'default'".to_owned());
    }
    Ok(name.to_owned())
}

fn cannot_write(error: &io::Error) -> String {
    format!("cannot be written: {error}")
}

/// The content of a file; a file that is missing, and the null device, count as empty.
/// What is only read may be UTF-16 with a byte order mark, as an editor on Windows saves it.
fn as_utf8(content: Vec<u8>) -> Result<Vec<u8>, String> {
    match content[..] {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => input::decode_document(content).map(String::into_bytes),
        _ => Ok(content),
    }
}

fn read_if_there(path: &Path) -> Result<Vec<u8>, String> {
    match input::regular_file(path, input::LARGE_LIMIT) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
