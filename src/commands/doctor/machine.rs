//! The checks of what is on this machine.

use std::path::Path;

use super::Row;
use crate::auth::browser::{PROFILE_KEY, session_id};
use crate::auth::credential::Source;
use crate::auth::session::SessionFile;
use crate::auth::sign_in::{self, Inputs, SourceStatus};
use crate::commands::config::{keys, shadowing};
use crate::commands::version;
use crate::config::origin::Origin;
use crate::config::{self, Config};
use crate::context::Context;
use crate::credentials::aws_file::{AwsFiles, survey::Survey};
use crate::endpoints::Service;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::private_file;
use crate::store;
use crate::text::quote;

/// The version and where the program is.
pub(super) fn program(env: &Env) -> Row {
    let path = env.program.as_deref().map(|path| format!(", {}", quote::full_path(path))).unwrap_or_default();
    Row::ok("program", format!("{}{path}", version::line(&version::Args { semantic: false })))
}

/// The file, its mode, the profile, and the keys in it that nothing reads.
pub(super) fn configuration(problem: Option<&Error>, context: &Context<'_>) -> Row {
    const CHECK: &str = "configuration";
    if let Some(error) = problem {
        return Row::failed(CHECK, error, "mend the file, or set up a profile again: yc-rs init");
    }
    let profile = &context.settings.profile;
    let Some(path) = &profile.path else {
        let place = context.env.config_home().map(|directory| directory.join(config::FILE));
        let place = place.map(|path| format!(": {} is missing", quote::full_path(&path))).unwrap_or_default();
        return Row::ok(CHECK, format!("no configuration file{place}"));
    };
    let file = quote::full_path(path);
    let detail = match &profile.name {
        Some(name) => format!("{file}, profile {}", quote::value(name)),
        None => format!("{file}, no profile is chosen"),
    };
    let detail = format!("{detail}{}", mode(path));
    let (mut problems, mut hints) = (Vec::new(), Vec::new());
    if private_file::everybody_can_read(path) && sign_in::profile_keys().any(|key| profile.has(key)) {
        problems.push("others can read it".to_owned());
        hints.push(make_private(path));
    }
    let unknown: Vec<_> = profile.values().keys().map(String::as_str).filter(|key| !is_known(key)).collect();
    if !unknown.is_empty() {
        problems.push(format!("nothing reads {}", quote::list(&unknown)));
        hints.push(format!("the keys are {}", keys::names().collect::<Vec<_>>().join(", ")));
    }
    if problems.is_empty() {
        return Row::ok(CHECK, detail);
    }
    Row::warning(CHECK, format!("{detail}; {}", problems.join("; ")), hints.join("\n"))
}

/// The mode of a file or directory, to be added to a description; nothing where there are no modes.
fn mode(path: &Path) -> String {
    private_file::mode(path).map(|mode| format!(", mode {mode:04o}")).unwrap_or_default()
}

/// The command by which a file becomes its owner's alone.
fn make_private(path: &Path) -> String {
    format!("type: chmod 600 {}", quote::path_for_sh(path))
}

/// Whether a profile may have the key: one of ours, a table of which ours are a part, or one by which `yc` signs in.
fn is_known(key: &str) -> bool {
    keys::names().any(|name| name.split('.').next() == Some(key))
        || sign_in::BROWSER_KEYS.contains(&key)
        || ["federation-endpoint", PROFILE_KEY].contains(&key)
}

/// Every source of a credential in order, and what becomes of it.
pub(super) fn credentials(inputs: Inputs<'_>, problem: Option<&Error>, context: &Context<'_>) -> Vec<Row> {
    const CHECK: &str = "credentials";
    let sources = match inputs.sources() {
        Ok(sources) => sources,
        Err(error) => return vec![Row::failed(CHECK, &error, "remove one of them: yc-rs config unset KEY")],
    };
    let none = sources.iter().all(|(_, status)| *status == SourceStatus::NotSet);
    let fallback = if none { SourceStatus::Used } else { SourceStatus::NotSet };
    let metadata = (Source::MetadataService, fallback);
    let rows = sources.into_iter().chain([metadata]).map(|(source, status)| {
        let state = match (&source, status) {
            (Source::MetadataService, SourceStatus::NotSet) => "not asked".to_owned(),
            (Source::MetadataService, _) => "asked, since no other is set".to_owned(),
            (_, status) => status.to_string(),
        };
        let detail = format!("{source}: {state}");
        if status != SourceStatus::Used {
            return Row::ok(CHECK, detail);
        }
        if let Some(error) = problem {
            let names_source = error.to_string().starts_with(&source.to_string());
            let error = if names_source { error.clone() } else { error.clone().context(&source) };
            return Row::failed(CHECK, &error, "yc-rs init sets a profile up");
        }
        if let Err(error) = session(&source, context) {
            return Row::failed(CHECK, &error.context(&source), "sign in again: yc-rs login");
        }
        match key_file(&source, context).filter(|path| private_file::everybody_can_read(path)) {
            Some(path) => {
                let shown = quote::full_path(&path);
                Row::warning(CHECK, format!("{detail}; others can read {shown}"), make_private(&path))
            }
            None => Row::ok(CHECK, detail),
        }
    });
    rows.collect()
}

/// Checks that the session of a sign-in is there and can be used, where the source is one.
fn session(source: &Source, context: &Context<'_>) -> Result<()> {
    let Source::Configured(Origin::Profile { key: PROFILE_KEY, .. }) = source else { return Ok(()) };
    let Some(id) = context.settings.profile.table(PROFILE_KEY)?.and_then(session_id) else { return Ok(()) };
    match SessionFile::of(id, context.env)?.read()? {
        Some(_) => Ok(()),
        None => Err(Error::no_credentials("the session is not on this machine")),
    }
}

/// The key file that a source names.
fn key_file(source: &Source, context: &Context<'_>) -> Option<std::path::PathBuf> {
    const KEY: &str = "service-account-key-file";
    const VARIABLE: &str = "YC_SERVICE_ACCOUNT_KEY_FILE";
    match source {
        Source::Configured(Origin::Profile { key: KEY, .. }) => {
            context.env.path(context.settings.profile.string(KEY).ok()??).ok()
        }
        Source::Configured(Origin::Variable(VARIABLE)) => context.env.path(context.env.var(VARIABLE)?).ok(),
        _ => None,
    }
}

/// The directory of the caches, its mode, and what is cached.
pub(super) fn cache(env: &Env) -> Row {
    const CHECK: &str = "cache";
    let Some(home) = store::directory(env) else {
        return Row::ok(CHECK, "nothing is cached (YC_RS_NO_CACHE, or no home directory)");
    };
    let path = quote::full_path(&home);
    match store::counts(&home) {
        Ok(counts) => {
            let counts: Vec<_> = counts.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
            Row::ok(CHECK, format!("{path}{}; {}", mode(&home), counts.join(", ")))
        }
        Err(error) => {
            let error = error.to_string();
            let (problem, hint) = match error.split_once("; run: ") {
                Some((problem, command)) => (problem, format!("type: {command}")),
                None => (&*error, format!("remove it, or set YC_RS_CACHE_DIR to another directory than {path}")),
            };
            Row::warning(CHECK, format!("{path} is not used: {problem}"), hint)
        }
    }
}

/// The files of the AWS clients.
pub(super) fn aws(context: &Context<'_>) -> Vec<Row> {
    const CHECK: &str = "aws";
    let env = context.env;
    let files = match AwsFiles::locate(None, env) {
        Ok(files) => files,
        Err(error) => return vec![Row::skipped(CHECK, error.to_string())],
    };
    let storage = context.endpoints().map(|endpoints| endpoints.configured(Service::Storage).to_owned());
    let storage = storage.unwrap_or_else(|_| "https://storage.yandexcloud.net".to_owned());
    let has_endpoint = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|name| env.var(name).is_some());
    let survey = Survey::of(&files, has_endpoint, &storage);
    let mut rows = vec![credentials_file(files.credentials(), &survey)];
    rows.extend(survey.problems.into_iter().map(|(detail, hint)| Row::warning(CHECK, detail, hint)));
    rows
}

fn credentials_file(path: &Path, survey: &Survey) -> Row {
    const CHECK: &str = "aws";
    let file = quote::full_path(path);
    if !path.exists() {
        return Row::ok(CHECK, format!("no AWS credentials file: {file} is missing"));
    }
    let profiles: Vec<_> = survey
        .profiles
        .iter()
        .map(|(name, is_temporary)| format!("{name} ({})", if *is_temporary { "temporary" } else { "static" }))
        .collect();
    let detail = match &profiles[..] {
        [] => format!("{file} has no keys of Yandex Cloud"),
        profiles => format!("{file} has keys of Yandex Cloud in: {}", profiles.join(", ")),
    };
    let detail = format!("{detail}{}", mode(path));
    if private_file::everybody_can_read(path) {
        return Row::warning(CHECK, format!("{detail}; others can read it"), make_private(path));
    }
    Row::ok(CHECK, detail)
}

/// The variables that are set and not used, and those that beat the profile.
pub(super) fn shadowing(is_broken: bool, context: &Context<'_>) -> Vec<Row> {
    const CHECK: &str = "shadowing";
    if is_broken {
        return vec![Row::skipped(CHECK, "needs the configuration")];
    }
    let inputs = Inputs { token: context.flags.token.as_ref(), env: context.env, profile: &context.settings.profile };
    let config = Config::load(context.env).unwrap_or_default();
    // A flag that chooses the profile comes before both.
    let current = config.current().filter(|_| context.flags.profile.is_none());
    let shadows = shadowing::find(inputs, current).into_iter();
    let mut rows: Vec<_> = shadows.map(|shadow| Row::warning(CHECK, shadow.detail, shadow.hint)).collect();
    if rows.is_empty() {
        rows.push(Row::ok(CHECK, "no variable replaces another setting"));
    }
    rows
}
