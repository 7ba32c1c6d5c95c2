//! `iam access-key rotate`: one key in the place of another, whatever happens meanwhile.

mod bad_input;
mod failures;
mod kills;

use serde_json::{Value, json};
use yc_emulator::{ADMIN_ID, AccessKey, Emulator};

use crate::support::{Ran, User};

/// A user with a key to rotate.
struct Rotating {
    user: User,
    old: AccessKey,
    kind: Kind,
    secret_id: String,
}

/// The kinds of destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Profile,
    Output,
    Lockbox,
    Command,
}

const KINDS: [Kind; 4] = [Kind::Profile, Kind::Output, Kind::Lockbox, Kind::Command];

/// A profile whose other lines have to stay.
const AWS_FILE: &str = "[other]\nregion = x\n\n[backup]\nregion = ru-central1\n";

impl Rotating {
    fn to(kind: Kind) -> Self {
        Self::with(kind, Emulator::builder().operation_polls(0).start())
    }

    fn with(kind: Kind, cloud: Emulator) -> Self {
        let mut user = User::of(cloud).with_token();
        let url = user.cloud.http_url().to_owned();
        user.set("YC_ENDPOINT_URL_STORAGE", url.clone());
        user.set("YC_ENDPOINT_URL_LOCKBOX", url);
        let state = user.home().join("state");
        user.set("YC_RS_STATE_DIR", state.to_str().unwrap());
        let old = user.cloud.add_access_key(ADMIN_ID, "nightly backup");
        let secret_id = user.cloud.add_lockbox_secret(&[("key_id", &old.key_id), ("secret", &old.secret), ("x", "y")]);
        user.write_file(
            "aws",
            &format!("{AWS_FILE}aws_access_key_id = {}\naws_secret_access_key = {}\n", old.key_id, old.secret),
        );
        let document = json!({"access_key": {"key_id": old.key_id}, "secret": old.secret});
        user.write_file("key.json", &document.to_string());
        let script = "#!/bin/sh\necho working\necho \"$AWS_ACCESS_KEY_ID $YC_RS_OLD_ACCESS_KEY_ID\" >>ran\n\
                      printf '%s %s' \"$AWS_ACCESS_KEY_ID\" \"$AWS_SECRET_ACCESS_KEY\" >.yc-rs-taken && mv .yc-rs-taken taken\n";
        let path = user.write_file("take", script);
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        user.write_file("taken", &format!("{} {}", old.key_id, old.secret));
        Self { user, old, kind, secret_id }
    }

    /// The arguments of the command line.
    fn args(&self) -> Vec<String> {
        let destination = match self.kind {
            Kind::Profile => "--aws-profile backup --aws-credentials-file aws".to_owned(),
            Kind::Output => "--output key.json".to_owned(),
            Kind::Lockbox => format!("--lockbox-secret-id {}", self.secret_id),
            Kind::Command => "-- ./take".to_owned(),
        };
        let line = format!("iam access-key rotate --id {} --verify-timeout 5s {destination}", self.old.id);
        line.split(' ').map(str::to_owned).collect()
    }

    fn run(&self) -> Ran {
        self.user.run_args(self.args())
    }

    fn resume(&self) -> Ran {
        self.user.run(&format!("iam access-key rotate --resume {} --format json", self.old.id))
    }

    /// The ID of the key that is at the destination.
    fn at_destination(&self) -> String {
        let text = |name: &str| std::fs::read_to_string(self.user.home().join(name)).unwrap();
        match self.kind {
            Kind::Profile => {
                let text = text("aws");
                assert!(text.starts_with(AWS_FILE), "{text}");
                text.lines().find_map(|line| line.strip_prefix("aws_access_key_id = ")).unwrap().to_owned()
            }
            Kind::Output => {
                let document: Value = serde_json::from_str(&text("key.json")).unwrap();
                document["access_key"]["key_id"].as_str().unwrap().to_owned()
            }
            Kind::Lockbox => self.secret_version().get("key_id").unwrap().clone(),
            Kind::Command => text("taken").split(' ').next().unwrap().to_owned(),
        }
    }

    fn secret_version(&self) -> std::collections::BTreeMap<String, String> {
        self.user.cloud.lockbox_secret(&self.secret_id).versions.last().unwrap().entries.clone()
    }

    /// The journals that are there.
    fn journals(&self) -> Vec<String> {
        let directory = self.user.home().join("state/rotations");
        let files = directory.read_dir().into_iter().flatten().map(|file| file.unwrap().path());
        let journals = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        journals.map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    /// Asserts that one key has taken the place of the old one, and that nothing else is left.
    #[track_caller]
    fn assert_rotated(&self, case: &str) {
        let keys = self.user.cloud.access_keys();
        assert_eq!(keys.len(), 1, "{case}: {keys:#?}");
        assert_ne!(keys[0].id, self.old.id, "{case}");
        assert_eq!(keys[0].description, "nightly backup", "{case}");
        assert_eq!(self.at_destination(), keys[0].key_id, "{case}");
        assert_eq!(self.journals(), [""; 0], "{case}");
        self.assert_no_secret_but_at_the_destination(case);
    }

    /// Asserts that nothing has changed.
    #[track_caller]
    fn assert_unchanged(&self, case: &str) {
        let keys = self.user.cloud.access_keys();
        assert_eq!(keys.iter().map(|key| &key.id).collect::<Vec<_>>(), [&self.old.id], "{case}");
        assert_eq!(self.at_destination(), self.old.key_id, "{case}");
        assert_eq!(self.journals(), [""; 0], "{case}");
    }

    /// Asserts that the key at the destination is one that the server knows.
    #[track_caller]
    fn assert_alive(&self, case: &str) {
        let held = self.at_destination();
        assert!(self.user.cloud.access_keys().iter().any(|key| key.key_id == held), "{case}: {held} is dead");
    }

    #[track_caller]
    fn assert_no_secret_but_at_the_destination(&self, case: &str) {
        let keys = self.user.cloud.access_keys().into_iter().filter(|key| key.id != self.old.id);
        let secrets: Vec<_> = keys.map(|key| key.secret).collect();
        let destination = match self.kind {
            Kind::Profile => "aws",
            Kind::Output => "key.json",
            Kind::Lockbox => "",
            Kind::Command => "taken",
        };
        let mut directories = vec![self.user.home().to_owned()];
        while let Some(directory) = directories.pop() {
            for path in directory.read_dir().unwrap().map(|file| file.unwrap().path()) {
                if path.is_dir() {
                    directories.push(path);
                    continue;
                }
                // The temporary file of a process that was killed is removed by a later write.
                let is_temporary = path.file_name().unwrap().to_str().unwrap().starts_with(".yc-rs-");
                if !is_temporary && (!path.ends_with(destination) || destination.is_empty()) {
                    let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                    assert!(secrets.iter().all(|secret| !text.contains(secret)), "{case}: {}", path.display());
                }
            }
        }
    }
}

#[test]
fn a_new_key_takes_the_place_of_the_old_one() {
    for kind in KINDS {
        let rotating = Rotating::to(kind);
        let ran = rotating.run();
        rotating.assert_rotated(&format!("{kind:?}"));
        let key = rotating.user.cloud.access_keys().remove(0);
        let expected = format!(
            "id: {}\nservice_account_id: {ADMIN_ID}\ncreated_at: \"{}\"\ndescription: nightly backup\nkey_id: {}\n",
            key.id,
            key.created_at.format("%Y-%m-%dT%H:%M:%SZ"),
            key.key_id
        );
        let noise = if kind == Kind::Command { "working\n" } else { "" };
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, expected.as_str(), noise), "{kind:?}");
        match kind {
            Kind::Profile => {
                let text = std::fs::read_to_string(rotating.user.home().join("aws")).unwrap();
                let lines = format!("aws_access_key_id = {}\naws_secret_access_key = {}\n", key.key_id, key.secret);
                assert_eq!(text, format!("{AWS_FILE}{lines}"));
            }
            Kind::Output => {
                let text = std::fs::read_to_string(rotating.user.home().join("key.json")).unwrap();
                let document: Value = serde_json::from_str(&text).unwrap();
                assert_eq!((&document["secret"], &document["access_key"]["id"]), (&json!(key.secret), &json!(key.id)));
                assert_eq!(document["access_key"]["description"], "nightly backup");
            }
            Kind::Lockbox => {
                let entries = rotating.secret_version();
                assert_eq!((&entries["key_id"], &entries["secret"], &*entries["x"]), (&key.key_id, &key.secret, "y"));
            }
            Kind::Command => {
                let ran = std::fs::read_to_string(rotating.user.home().join("ran")).unwrap();
                assert_eq!(ran, format!("{} {}\n", key.key_id, rotating.old.key_id));
            }
        }
    }
}

#[test]
fn the_old_key_is_kept_on_request_and_the_description_can_be_changed() {
    let rotating = Rotating::to(Kind::Output);
    let mut args = rotating.args();
    args.extend(["--keep-old", "--description", "new"].map(str::to_owned));
    rotating.user.run_args(args).ok();
    let keys = rotating.user.cloud.access_keys();
    let described: Vec<_> = keys.iter().map(|key| (key.id == rotating.old.id, key.description.as_str())).collect();
    assert_eq!(described, [(true, "nightly backup"), (false, "new")]);
    assert_eq!(rotating.at_destination(), keys[1].key_id);
    assert_eq!(rotating.journals(), [""; 0]);
}

#[test]
fn a_new_profile_and_a_new_file_are_made() {
    let rotating = Rotating::to(Kind::Profile);
    let line = format!("iam access-key rotate {} --aws-profile new --aws-credentials-file dir/aws", rotating.old.id);
    rotating.user.run(&line).ok();
    let key = rotating.user.cloud.access_keys().remove(0);
    let text = std::fs::read_to_string(rotating.user.home().join("dir/aws")).unwrap();
    assert_eq!(
        text,
        format!(
            "[new]\naws_access_key_id = {}\naws_secret_access_key = {}\nregion = ru-central1\nendpoint_url = {}\n",
            key.key_id,
            key.secret,
            rotating.user.cloud.http_url()
        )
    );
    rotating.user.run(&format!("iam access-key rotate {} --output new.json", key.id)).ok();
    let document: Value =
        serde_json::from_str(&std::fs::read_to_string(rotating.user.home().join("new.json")).unwrap()).unwrap();
    assert_eq!(document["secret"], rotating.user.cloud.access_keys()[0].secret);
}

#[test]
fn a_key_that_the_storage_learns_of_late_is_waited_for() {
    let rotating = Rotating::to(Kind::Profile);
    rotating.user.cloud.set_storage_lag(3);
    rotating.run().ok();
    rotating.assert_rotated("late");
    assert_eq!(rotating.user.count("GET /"), 4);
}

#[test]
fn the_key_is_not_tried_with_no_verify() {
    let rotating = Rotating::to(Kind::Profile);
    rotating
        .user
        .run_args(
            rotating
                .args()
                .into_iter()
                .filter(|arg| arg != "--verify-timeout" && arg != "5s")
                .chain(["--no-verify".to_owned()]),
        )
        .ok();
    rotating.assert_rotated("no verify");
    assert_eq!(rotating.user.count("GET /"), 0);
}
