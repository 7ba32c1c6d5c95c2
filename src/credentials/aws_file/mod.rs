//! The credentials file of the AWS CLI and SDKs: one profile of it changed or read, every other byte left alone.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". Lines are understood as by
//! `configparser` of Python, which the AWS CLI reads them with: names in any case, `=` or `:`, comments on lines of
//! their own, values that go on in lines indented further.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::{fs, io};

use secrecy::{ExposeSecret, SecretString};

use crate::credentials::forms::{Credentials, Storage};
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::private_file;

/// The keys that are written, in this order.
const KEYS: [&str; 3] = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

/// A credentials file, which need not be there yet.
#[derive(Debug, Clone)]
pub struct CredentialsFile {
    path: PathBuf,
}

/// The key in a profile.
#[derive(Debug, Clone)]
pub struct ProfileKey {
    /// `aws_access_key_id`
    pub access_key_id: Option<String>,
    /// `aws_secret_access_key`
    pub secret: Option<SecretString>,
    /// `aws_session_token`
    pub session_token: Option<SecretString>,
}

impl CredentialsFile {
    /// The file that the user named, else `$AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    ///
    /// # Errors
    /// Neither is given and there is no home folder.
    pub fn locate(given: Option<&Path>, env: &Env) -> Result<Self> {
        let home = || {
            let error = Error::usage("there is no home folder, so the place of the AWS credentials file is not known");
            env.home.clone().ok_or_else(|| error.hint("name the file: --aws-credentials-file FILE"))
        };
        let named = given.or_else(|| env.var("AWS_SHARED_CREDENTIALS_FILE").map(Path::new));
        let path = match named {
            // Shells leave the tilde alone in `--flag=~/…`, and AWS clients read it in the variable.
            Some(path) => match path.strip_prefix("~") {
                Ok(rest) => home()?.join(rest),
                Err(_) => path.to_owned(),
            },
            None => home()?.join(".aws/credentials"),
        };
        Ok(Self { path })
    }

    /// Checks, before there is anything to write, all that can be checked: that the file and its folder can be
    /// written, and that the profile stands in it once at most. A folder that is missing is made.
    ///
    /// # Errors
    /// The file cannot be used; the message says why.
    pub fn check(&self, profile: &str, storage: &Storage) -> Result<()> {
        let check = || -> Result<(), String> {
            let path = self.resolve()?;
            private_file::create_directory(private_file::parent_directory(&path))
                .map_err(|error| cannot_write(&error))?;
            private_file::open_lock(&lock_path(&path)).map_err(|error| cannot_write(&error))?;
            private_file::check_replaceable(&path).map_err(|error| cannot_write(&error))?;
            let dummies = KEYS.map(|key| (key, "x"));
            with_profile(&read(&path)?, profile, &dummies, &place(storage)).map(drop)
        };
        check().map_err(|problem| Error::usage(self.says(&problem)))
    }

    /// Writes the credentials into the profile, which is made where it is missing. Of a profile that is there, only
    /// the three keys are changed; one that is new also gets region and address. Other writers are waited for.
    ///
    /// # Errors
    /// The file cannot be written; it is then as it was.
    pub fn write(&self, profile: &str, credentials: &Credentials) -> Result<()> {
        let token = credentials.session_token.as_ref().map_or("", ExposeSecret::expose_secret);
        let values = [credentials.access_key_id.as_str(), credentials.secret.expose_secret(), token];
        let keys = [(KEYS[0], values[0]), (KEYS[1], values[1]), (KEYS[2], values[2])];
        let write = || -> Result<(), String> {
            let path = self.resolve()?;
            let lock = private_file::open_lock(&lock_path(&path)).map_err(|error| cannot_write(&error))?;
            lock.lock().map_err(|error| format!("cannot be locked: {error}"))?;
            let content = with_profile(&read(&path)?, profile, &keys, &place(&credentials.storage))?;
            private_file::replace(&path, &content).map_err(|error| cannot_write(&error))
        };
        write().map_err(|problem| Error::new(Kind::Output, self.says(&problem)))
    }

    /// The key in a profile.
    ///
    /// # Errors
    /// The file cannot be read, or the profile does not stand in it once.
    pub fn read(&self, profile: &str) -> Result<ProfileKey> {
        let read = || -> Result<ProfileKey, String> {
            let content = fs::read(&self.path).map_err(|error| format!("cannot be read: {error}"))?;
            let document = Document::parse(&content)?;
            let section = document.section(profile)?.ok_or_else(|| {
                let names: Vec<_> = document.sections.iter().map(|section| section.name.as_str()).collect();
                format!("has no profile '{profile}'; there are: {}", names.join(", "))
            })?;
            let value = |key| section.entries.iter().find(|entry| entry.name == key).map(|entry| document.value(entry));
            Ok(ProfileKey {
                access_key_id: value(KEYS[0]),
                secret: value(KEYS[1]).map(SecretString::from),
                session_token: value(KEYS[2]).map(SecretString::from),
            })
        };
        read().map_err(|problem| Error::usage(self.says(&problem)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that is to be replaced: where a symbolic link leads, if what is there belongs to the user.
    fn resolve(&self) -> Result<PathBuf, String> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self.path.clone()),
            Err(error) => return Err(format!("cannot be read: {error}")),
        };
        // Of a file that is none, the canonical path is the path.
        let path =
            fs::canonicalize(&self.path).map_err(|error| format!("is a symbolic link that leads nowhere: {error}"))?;
        if !private_file::is_own(&path) {
            let link =
                if metadata.is_symlink() { format!("leads to {}, which ", path.display()) } else { String::new() };
            return Err(format!("{link}belongs to another user"));
        }
        let metadata = fs::metadata(&path).map_err(|error| format!("cannot be read: {error}"))?;
        if !metadata.is_file() {
            return Err("is not a regular file".to_owned());
        }
        if metadata.permissions().readonly() {
            return Err("is read-only".to_owned());
        }
        Ok(path)
    }

    fn says(&self, problem: &str) -> String {
        format!("the AWS credentials file {} {problem}", self.path.display())
    }
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

fn read(path: &Path) -> Result<Vec<u8>, String> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(|error| format!("cannot be read: {error}")),
    }
}

/// What stands for the lock: not the file itself, which is renamed over.
fn lock_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.yc-rs.lock"))
}

fn place(storage: &Storage) -> [(&str, &str); 2] {
    [("region", &storage.region), ("endpoint_url", &storage.endpoint)]
}

/// The content with these keys in the profile, and everything else as it was. `more` is for a profile that is new.
fn with_profile(
    content: &[u8],
    profile: &str,
    keys: &[(&str, &str)],
    more: &[(&str, &str)],
) -> Result<Vec<u8>, String> {
    if let Some((key, _)) = keys.iter().chain(more).find(|(_, value)| !can_stand(value)) {
        return Err(format!("cannot hold the value for {key}: it is empty or has white space or control characters"));
    }
    let document = Document::parse(content)?;
    match document.section(profile)? {
        Some(Section { odd: Some(number), .. }) => {
            Err(format!("has a line that is neither a key with a value nor a comment: line {}", number + 1))
        }
        Some(section) => Ok(document.with_keys(section, keys)),
        None => Ok(document.with_section(profile, keys.iter().chain(more))),
    }
}

fn can_stand(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A file taken apart.
struct Document<'a> {
    /// Every line with its end.
    lines: Vec<&'a [u8]>,
    sections: Vec<Section>,
}

struct Section {
    name: String,
    /// The line of the header.
    header: usize,
    entries: Vec<Entry>,
    /// A line that is neither a key with a value nor a comment: what is written near it could be taken for a part of
    /// it, or it for a part of that.
    odd: Option<usize>,
}

struct Entry {
    /// In lower case.
    name: String,
    /// Where the value begins in its first line.
    value_at: usize,
    /// The lines that it takes.
    lines: Range<usize>,
}

impl<'a> Document<'a> {
    fn parse(content: &'a [u8]) -> Result<Self, String> {
        let lines: Vec<_> = content.split_inclusive(|byte| *byte == b'\n').collect();
        if content.contains(&0) {
            return Err("is not a text file of one byte a character".to_owned());
        }
        if let Some(at) = lines.iter().position(|line| text(line).contains(&b'\r')) {
            return Err(format!("has a carriage return within line {}", at + 1));
        }
        let mut sections: Vec<Section> = Vec::new();
        // How far the name is indented whose value may go on.
        let mut open: Option<usize> = None;
        for (number, line) in lines.iter().enumerate() {
            let line = text(line);
            let start = if number == 0 && line.starts_with(BOM) { BOM.len() } else { 0 };
            let trimmed = line[start..].trim_ascii();
            if is_idle(trimmed) {
                continue;
            }
            let indent = line[start..].len() - line[start..].trim_ascii_start().len();
            if open.is_some_and(|column| indent > column) {
                if let Some(entry) = sections.last_mut().and_then(|section| section.entries.last_mut()) {
                    entry.lines.end = number + 1;
                }
                continue;
            }
            open = None;
            if let Some(name) = header(trimmed) {
                sections.push(Section { name, header: number, entries: Vec::new(), odd: None });
                continue;
            }
            let Some(section) = sections.last_mut() else { continue };
            if let Some(delimiter) = line.iter().position(|byte| matches!(byte, b'=' | b':')) {
                let name = String::from_utf8_lossy(line[start..delimiter].trim_ascii()).to_lowercase();
                let value = &line[delimiter + 1..];
                let value_at = line.len() - value.trim_ascii_start().len();
                section.entries.push(Entry { name, value_at, lines: number..number + 1 });
                open = Some(indent);
            } else {
                section.odd = Some(number);
            }
        }
        Ok(Self { lines, sections })
    }

    /// The section of this name.
    fn section(&self, name: &str) -> Result<Option<&Section>, String> {
        let mut found = self.sections.iter().filter(|section| section.name == name);
        match (found.next(), found.next()) {
            (Some(first), Some(second)) => Err(format!(
                "has the profile '{name}' twice, in lines {} and {}; remove one of them",
                first.header + 1,
                second.header + 1
            )),
            (found, _) => Ok(found),
        }
    }

    fn value(&self, entry: &Entry) -> String {
        let first = &text(self.lines[entry.lines.start])[entry.value_at..];
        let rest = self.lines[entry.lines.clone()].iter().skip(1).map(|line| text(line).trim_ascii());
        let parts = std::iter::once(first.trim_ascii()).chain(rest.filter(|line| !is_idle(line)));
        parts.map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n")
    }

    /// The content with these keys in a section: values are replaced where they stand, a key that is missing comes
    /// behind those that are there.
    fn with_keys(&self, section: &Section, keys: &[(&str, &str)]) -> Vec<u8> {
        let mut replaced: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut dropped: Vec<usize> = Vec::new();
        let mut added: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut anchor = section.header;
        // As far as what follows, which would else be taken for a part of the value above it.
        let mut indent = self.indent_behind(section.header);
        for (key, value) in keys {
            let mut entries = section.entries.iter().filter(|entry| entry.name == *key);
            let Some(entry) = entries.next() else {
                added.push((anchor, [indent, key.as_bytes(), b" = ", value.as_bytes()].concat()));
                continue;
            };
            anchor = entry.lines.start;
            indent = indent_of(self.lines[anchor]);
            let line = self.lines[anchor];
            replaced.push((anchor, [&line[..entry.value_at], value.as_bytes(), end(line)].concat()));
            dropped.extend(entry.lines.clone().skip(1));
            dropped.extend(entries.flat_map(|again| again.lines.clone()));
        }
        let newline = self.newline(section.header);
        let mut content = Vec::new();
        for (number, line) in self.lines.iter().enumerate() {
            let gone = dropped.contains(&number) && !is_idle(text(line).trim_ascii());
            match replaced.iter().find(|(at, _)| *at == number) {
                Some((_, replacement)) => content.extend_from_slice(replacement),
                None if gone => {}
                None => content.extend_from_slice(line),
            }
            for (_, line) in added.iter().filter(|(at, _)| *at == number) {
                end_line(&mut content, newline);
                content.extend_from_slice(line);
                content.extend_from_slice(newline);
            }
        }
        content
    }

    /// The content with a new section at its end.
    fn with_section<'k>(&self, name: &str, keys: impl Iterator<Item = &'k (&'k str, &'k str)>) -> Vec<u8> {
        let newline = self.newline(0);
        let mut content = self.lines.concat();
        end_line(&mut content, newline);
        if self.lines.last().is_some_and(|line| !text(line).trim_ascii().is_empty() && text(line) != BOM) {
            content.extend_from_slice(newline);
        }
        let lines = keys.map(|(key, value)| format!("{key} = {value}"));
        for line in std::iter::once(format!("[{name}]")).chain(lines) {
            content.extend_from_slice(line.as_bytes());
            content.extend_from_slice(newline);
        }
        content
    }

    /// The white space before the next line that is neither blank nor a comment.
    fn indent_behind(&self, number: usize) -> &'a [u8] {
        let mut behind = self.lines[number + 1..].iter().filter(|line| !is_idle(text(line).trim_ascii()));
        behind.next().map(|line| indent_of(line)).unwrap_or_default()
    }

    /// How this line ends, or else the first one.
    fn newline(&self, number: usize) -> &'a [u8] {
        let ends = self.lines.get(number).into_iter().chain(self.lines.first()).map(|line| end(line));
        ends.into_iter().find(|end| !end.is_empty()).unwrap_or(b"\n")
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The name in the header of a section.
fn header(line: &[u8]) -> Option<String> {
    let inner = line.strip_prefix(b"[")?;
    let length = inner.iter().position(|byte| *byte == b']')?;
    Some(String::from_utf8_lossy(inner[..length].trim_ascii()).into_owned())
}

/// Whether a line, trimmed, is blank or a comment.
fn is_idle(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b'#' | b';'))
}

fn indent_of(line: &[u8]) -> &[u8] {
    &line[..line.len() - line.trim_ascii_start().len()]
}

/// A line without its end.
fn text(line: &[u8]) -> &[u8] {
    &line[..line.len() - end(line).len()]
}

fn end(line: &[u8]) -> &[u8] {
    let length = match line {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n'] => 1,
        _ => 0,
    };
    &line[line.len() - length..]
}

/// Ends the last line if nothing does yet; a byte order mark is no line.
fn end_line(content: &mut Vec<u8>, newline: &[u8]) {
    if !content.is_empty() && content != BOM && !content.ends_with(b"\n") {
        content.extend_from_slice(newline);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEW: [(&str, &str); 3] = [(KEYS[0], "ID"), (KEYS[1], "SECRET"), (KEYS[2], "TOKEN")];
    const MORE: [(&str, &str); 2] = [("region", "ru-central1"), ("endpoint_url", "https://s")];

    fn updated(content: &str, profile: &str) -> String {
        String::from_utf8(with_profile(content.as_bytes(), profile, &NEW, &MORE).unwrap()).unwrap()
    }

    fn problem(content: &[u8], profile: &str) -> String {
        with_profile(content, profile, &NEW, &MORE).unwrap_err()
    }

    const SECTION: &str = "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n\
                           region = ru-central1\nendpoint_url = https://s\n";

    #[test]
    fn a_new_profile_comes_last_with_region_and_address() {
        assert_eq!(updated("", "p"), SECTION);
        assert_eq!(updated("\u{feff}", "p"), format!("\u{feff}{SECTION}"));
        for before in ["[q]\nregion = x\n", "# comment only\n", "[pp]\n[P]\n"] {
            assert_eq!(updated(before, "p"), format!("{before}\n{SECTION}"));
        }
        assert_eq!(updated("[q]\n\n", "p"), format!("[q]\n\n{SECTION}"));
        assert_eq!(updated("[q]", "p"), format!("[q]\n\n{SECTION}"));
        assert_eq!(updated("[q]\r\na = b", "p"), format!("[q]\r\na = b\r\n\r\n{}", SECTION.replace('\n', "\r\n")));
    }

    #[test]
    fn of_a_profile_that_is_there_only_the_three_keys_change() {
        let before = "# head\n[a]\naws_access_key_id=1\n[p] ; ours\n; note\nregion = eu\n\
                      AWS_Secret_Access_Key :  old\naws_access_key_id=old # x\n\n# tail\n[z]\naws_session_token = z\n";
        let after = "# head\n[a]\naws_access_key_id=1\n[p] ; ours\n; note\nregion = eu\n\
                     AWS_Secret_Access_Key :  SECRET\naws_session_token = TOKEN\naws_access_key_id=ID\n\n# tail\n[z]\naws_session_token = z\n";
        assert_eq!(updated(before, "p"), after);
        assert_eq!(updated(after, "p"), after);
    }

    #[test]
    fn line_ends_bom_and_indentation_are_kept() {
        assert_eq!(
            updated("\u{feff}[p]\r\naws_access_key_id = 1\r\nx = y", "p"),
            "\u{feff}[p]\r\naws_access_key_id = ID\r\naws_secret_access_key = SECRET\r\naws_session_token = TOKEN\r\nx = y"
        );
        assert_eq!(
            updated("[p]", "p"),
            "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n"
        );
        assert_eq!(
            updated("  [p]\n  region = eu\n", "p"),
            "  [p]\n  aws_access_key_id = ID\n  aws_secret_access_key = SECRET\n  aws_session_token = TOKEN\n  region = eu\n"
        );
    }

    #[test]
    fn what_looks_like_a_header_or_a_key_within_a_value_is_part_of_it() {
        assert_eq!(
            updated("[p]\n# note\n  [q]\n", "p"),
            "[p]\n  aws_access_key_id = ID\n  aws_secret_access_key = SECRET\n  aws_session_token = TOKEN\n# note\n  [q]\n"
        );
        let before = "[q]\ns3 =\n  [p]\n  aws_access_key_id = nested\n";
        assert_eq!(updated(before, "p"), format!("{before}\n{SECTION}"));
        let before = "[p]\naws_access_key_id = 1\n  2\n\n  # kept\n  3\naws_access_key_id = again\n";
        assert_eq!(
            updated(before, "p"),
            "[p]\naws_access_key_id = ID\naws_secret_access_key = SECRET\naws_session_token = TOKEN\n\n  # kept\n"
        );
    }

    #[test]
    fn a_file_that_is_not_understood_is_refused() {
        assert!(problem(b"[p]\n[q]\n[ p ]\n", "p").contains("has the profile 'p' twice, in lines 1 and 3"));
        assert!(problem(b"[p]\nx = a\rb\n", "p").contains("carriage return within line 2"));
        assert!(problem(&[0xff, 0xfe, b'[', 0], "p").contains("not a text file"));
        assert!(problem(b"[p]\n odd\n[q]\n", "p").contains("neither a key with a value nor a comment: line 2"));
        assert!(with_profile(b"", "p", &[("k", "a\nb")], &[]).is_err());
        assert!(with_profile(b"", "p", &[("k", "")], &[]).is_err());
        let kept = with_profile(b"# \xe9\n[q]\n", "p", &NEW, &MORE).unwrap();
        assert!(kept.starts_with(b"# \xe9\n[q]\n\n[p]\n"));
    }

    #[test]
    fn hostile_names_of_profiles_are_refused() {
        for name in ["", "a b", "a]", "[a", "a/b", "a\\b", "a\nb", "a\u{7f}", "a\u{a0}b", "DEFAULT"] {
            assert!(check_profile_name(name).is_err(), "{name:?}");
        }
        for name in ["default", "a-b_c.d@e:f", "имя"] {
            assert_eq!(check_profile_name(name).as_deref(), Ok(name));
        }
    }

    #[test]
    fn a_key_is_read_as_aws_clients_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let file = CredentialsFile { path: path.clone() };
        private_file::replace(&path, b"[a]\nx=1\n[p]\nAWS_ACCESS_KEY_ID: id\naws_secret_access_key = s = t \n")
            .unwrap();
        let key = file.read("p").unwrap();
        assert_eq!(key.access_key_id.as_deref(), Some("id"));
        assert_eq!(key.secret.unwrap().expose_secret(), "s = t");
        assert!(key.session_token.is_none() && file.read("a").unwrap().access_key_id.is_none());
        let error = file.read("b").unwrap_err();
        assert!(error.to_string().ends_with("has no profile 'b'; there are: a, p"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn the_place_of_the_file_is_that_of_aws_clients() {
        let mut env = Env { home: Some("/home/me".into()), ..Env::default() };
        let path = |given: Option<&str>, env: &Env| CredentialsFile::locate(given.map(Path::new), env).unwrap().path;
        assert_eq!(path(None, &env), Path::new("/home/me/.aws/credentials"));
        env.vars.insert("AWS_SHARED_CREDENTIALS_FILE".into(), "~/c".into());
        assert_eq!(path(None, &env), Path::new("/home/me/c"));
        assert_eq!(path(Some("rel/c"), &env), Path::new("rel/c"));
    }

    fn files() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just("[p]".to_owned()),
            "\\[[pq ]{1,3}\\]",
            "[ \t]{0,2}(aws_access_key_id|AWS_SESSION_TOKEN|region|s3)[ ]?[=:][ ]?[a-z=\\[\\]#]{0,4}",
            "[ ]{0,2}[#;][a-z\\[\\]]{0,4}",
            "[ \ta-z\\[\\]=#]{0,8}",
        ];
        let lines = proptest::collection::vec((line, prop_oneof![Just("\n"), Just("\r\n")]), 0..12);
        (lines, "[a-z]{0,3}")
            .prop_map(|(lines, last)| lines.into_iter().map(|(line, end)| line + end).collect::<String>() + &last)
    }

    fn other_lines(content: &[u8]) -> Vec<Vec<u8>> {
        let document = Document::parse(content).unwrap();
        let ours = |number: usize| {
            document.sections.iter().filter(|section| section.name == "p").any(|section| {
                section.entries.iter().any(|entry| KEYS.contains(&entry.name.as_str()) && entry.lines.contains(&number))
            })
        };
        let lines = document.lines.iter().enumerate().filter(|(number, _)| !ours(*number));
        lines.map(|(_, line)| text(line).to_vec()).collect()
    }

    proptest! {
        #[test]
        fn the_key_is_there_afterwards_and_every_other_line_is_kept(before in files()) {
            let Ok(after) = with_profile(before.as_bytes(), "p", &NEW, &[]) else { return Ok(()) };
            let document = Document::parse(&after).unwrap();
            let section = document.section("p").unwrap().unwrap();
            for (key, value) in NEW {
                let found: Vec<_> = section.entries.iter().filter(|entry| entry.name == key).collect();
                prop_assert_eq!(found.len(), 1);
                let shown = document.value(found[0]);
                prop_assert_eq!(shown.split('\n').next(), Some(value));
            }
            prop_assert_eq!(with_profile(&after, "p", &NEW, &[]).unwrap(), after.clone());
            let (kept, now) = (other_lines(before.as_bytes()), other_lines(&after));
            let mut rest = now.iter();
            prop_assert!(kept.iter().all(|line| rest.any(|other| other == line)), "{:?} {:?}", before, String::from_utf8_lossy(&after));
        }

        #[test]
        fn reading_never_panics(content in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(document) = Document::parse(&content) {
                prop_assert_eq!(document.lines.concat(), content);
            }
        }
    }
}
