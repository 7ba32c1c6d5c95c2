//! A look at both AWS files as they are: which profiles have keys of this cloud, and what keeps clients from using them.

use std::path::Path;

use super::findings::{FileKind, Lifetime, before_writing};
use super::ini::{Document, Section};
use super::{AwsFiles, TOKENS, as_utf8, read_if_there};
use crate::input;
use crate::text::quote;

/// What the files have.
#[derive(Debug, Default)]
pub struct Survey {
    /// The profiles of the credentials file with a key of this cloud, and whether it is a temporary one.
    pub profiles: Vec<(String, bool)>,
    /// What is wrong, and what to do about it.
    pub problems: Vec<(String, String)>,
}

impl Survey {
    /// Reads both files. `has_endpoint` says that a variable names the endpoint for every profile; `storage` is the
    /// endpoint that a profile needs.
    pub fn of(files: &AwsFiles, has_endpoint: bool, storage: &str) -> Self {
        let mut survey = Self::default();
        survey.read(FileKind::Credentials, files.credentials(), |survey, document| {
            let keys = document.sections.iter().filter(|section| has_our_key(section, document));
            let is_temporary = |section: &Section| TOKENS.iter().any(|token| section.entry(token, document).is_some());
            survey.profiles = keys.map(|section| (section.title.trim().to_owned(), is_temporary(section))).collect();
        });
        if let Some(config) = files.config() {
            survey.read(FileKind::Config, config, |survey, document| {
                survey.look_at_config(config, document, has_endpoint, storage);
            });
        }
        survey
    }

    fn read(&mut self, kind: FileKind, path: &Path, look: impl FnOnce(&mut Self, &Document<'_>)) {
        let read = read_if_there(path).and_then(as_utf8);
        let result = read.and_then(|content| {
            let document = Document::parse(&content)?;
            look(self, &document);
            Ok(())
        });
        if let Err(problem) = result {
            let hint = "mend the file: AWS clients read it too".to_owned();
            self.problems.push((format!("{} {problem}", kind.name(path)), hint));
        }
    }

    fn look_at_config(&mut self, path: &Path, document: &Document<'_>, has_endpoint: bool, storage: &str) {
        let file = FileKind::Config.name(path);
        for (name, is_temporary) in self.profiles.clone() {
            let lifetime = if is_temporary { Lifetime::Temporary } else { Lifetime::Permanent };
            for finding in before_writing(document, FileKind::Config, &name, lifetime) {
                let hint = format!("mend the profile {}, or name another one", quote::value(&name));
                self.problems.push((format!("{file} {}", finding.message(&name)), hint));
            }
        }
        let mut ours: Vec<_> = self.profiles.iter().map(|(name, _)| name.clone()).collect();
        for section in &document.sections {
            let Some(name) = FileKind::Config.profile(&section.title) else { continue };
            let Some(entry) = section.entry("credential_process", document) else { continue };
            let command = document.value(entry);
            if prints_expires_at(&command) {
                let detail = format!(
                    "{file}: the credential_process of the profile {} prints ExpiresAt, which AWS clients do not read: \
                     they keep the key after it has expired",
                    quote::value(name)
                );
                let hint = "use: credential_process = yc-rs iam access-key issue-ephemeral --export process";
                self.problems.push((detail, hint.to_owned()));
            }
            if runs_us(&command) && !ours.iter().any(|other| other == name) {
                ours.push(name.to_owned());
            }
        }
        for name in ours.iter().filter(|_| !has_endpoint) {
            let of_profile = |section: &&Section| FileKind::Config.profile(&section.title) == Some(name.as_str());
            let names = ["endpoint_url", "services"];
            let is_set = |section: &Section| names.iter().any(|name| section.entry(name, document).is_some());
            if !document.sections.iter().filter(of_profile).any(is_set) {
                let detail = format!("{file} has no endpoint_url in the profile {}", quote::value(name));
                let profile = quote::for_sh(name);
                let hint = format!("type: aws configure set endpoint_url {storage} --profile {profile}");
                self.problems.push((detail, hint));
            }
        }
    }
}

/// Whether the access key is one of this cloud: the ID of a static key begins with `YC`, that of an ephemeral one with
/// `aje`.
///
/// Source: yandex-cloud/docs, `en/iam/operations/authentication/manage-access-keys.md` and
/// `en/_includes/iam/manage-ephemeral-keys.md`.
fn has_our_key(section: &Section, document: &Document<'_>) -> bool {
    let id = section.entry("aws_access_key_id", document).map(|entry| document.value(entry)).unwrap_or_default();
    id.starts_with("YC") || id.starts_with("aje")
}

/// Whether the command, or the script that it names, writes the name of the field as the API has it.
fn prints_expires_at(command: &str) -> bool {
    const WRONG: &str = "ExpiresAt";
    let right = |text: &str| text.contains("Expiration");
    if command.contains(WRONG) {
        return !right(command);
    }
    let words = command.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
    let scripts = words.filter(|word| word.contains('/')).take(4);
    scripts.filter_map(|path| input::regular_file(Path::new(path), input::LIMIT).ok()).any(|content| {
        let text = String::from_utf8_lossy(&content);
        // A program is not a script.
        !content.contains(&0) && text.contains(WRONG) && !right(&text)
    })
}

/// Whether a command begins with this program.
fn runs_us(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
    Path::new(program).file_stem().is_some_and(|name| name == "yc-rs")
}
