//! What to do next, by the journal, the keys that the server has, and the key at the destination. Nothing here reads or
//! changes anything, so that a crash at any point is a case of a test.

use super::journal::{Journal, Step};
use crate::api::access_key::AccessKey;
use crate::keys::rotation_marker::Marker;

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Another rotation of the same key has made this one.
    Foreign(AccessKey),
    /// The key to replace is not there, and nothing has been done yet.
    OldKeyMissing,
    /// A key has to be created.
    Create,
    /// This key is at the destination: it takes the place of the old one.
    Choose(AccessKey),
    /// The key of this ID was chosen before; what is left is to delete the others.
    CleanUp(String),
    /// The old key is deleted; what is left is to restore the description of the key of this ID.
    Restore(String),
}

/// Where a rotation that has just begun, or goes on, stands.
///
/// `held` is the key ID at the destination, or the resource ID where the destination knows that.
pub fn next(journal: &Journal, is_new: bool, keys: &[AccessKey], held: Option<&str>) -> Next {
    match (journal.step, &journal.new_id) {
        (Step::Delivered, Some(id)) => return Next::CleanUp(id.clone()),
        (Step::Deleted, Some(id)) => return Next::Restore(id.clone()),
        _ => {}
    }
    if let Some(key) = foreign(journal, keys) {
        return Next::Foreign(key.clone());
    }
    if is_new && keys.iter().all(|key| key.id != journal.old_id) {
        return Next::OldKeyMissing;
    }
    let is_held = |key: &&AccessKey| held.is_some_and(|held| held == key.key_id || held == key.id);
    match marked(journal, keys).find(is_held) {
        Some(key) => Next::Choose(key.clone()),
        None => Next::Create,
    }
}

/// A key of another rotation of the same old key, as another machine may run it.
pub fn foreign<'k>(journal: &Journal, keys: &'k [AccessKey]) -> Option<&'k AccessKey> {
    let is_foreign = |marker: Marker| marker.old_id == journal.marker.old_id && marker.uuid != journal.marker.uuid;
    keys.iter().find(|key| Marker::parse(&key.description).is_some_and(is_foreign))
}

/// The keys that this rotation has made.
pub fn marked<'k>(journal: &'k Journal, keys: &'k [AccessKey]) -> impl Iterator<Item = &'k AccessKey> {
    keys.iter().filter(|key| Marker::parse(&key.description).as_ref() == Some(&journal.marker))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::journal::Verification;
    use super::super::target::Destination;
    use super::*;

    fn journal(step: Step, new_id: Option<&str>) -> Journal {
        Journal {
            version: 1,
            old_id: "ajeold".into(),
            old_key_id: "YCAold".into(),
            service_account_id: "ajeaccount".into(),
            endpoint: "https://iam".into(),
            marker: Marker { old_id: "ajeold".into(), uuid: "1".into() },
            description: "d".into(),
            keep_old: false,
            verification: Verification::Skip,
            destination: Destination::Output { file: "/f".into() },
            step,
            new_id: new_id.map(str::to_owned),
            started_at: "2026-01-01T00:00:00Z".into(),
        }
    }

    fn key(number: u8, marker: Option<(&str, &str)>) -> AccessKey {
        let marker = marker.map(|(old_id, uuid)| Marker { old_id: old_id.into(), uuid: uuid.into() });
        AccessKey {
            id: format!("aje{number}"),
            key_id: format!("YCA{number}"),
            service_account_id: "ajeaccount".into(),
            description: marker.map_or_else(String::new, |marker| marker.append_to("d")),
            created_at: String::new(),
            last_used_at: String::new(),
        }
    }

    fn old() -> AccessKey {
        AccessKey { id: "ajeold".into(), key_id: "YCAold".into(), ..key(0, None) }
    }

    #[test]
    fn a_key_is_created_when_none_of_this_rotation_is_at_the_destination() {
        let own = key(1, Some(("ajeold", "1")));
        let other = key(2, Some(("ajeother", "9")));
        for (keys, held) in [
            (vec![old()], None),
            (vec![old()], Some("YCAold")),
            (vec![old(), own.clone()], None),
            (vec![old(), own.clone(), other], Some("YCA2")),
        ] {
            for is_new in [true, false] {
                assert_eq!(next(&journal(Step::Creating, None), is_new, &keys, held), Next::Create);
            }
        }
        // The program was killed after the old key was deleted by somebody else.
        assert_eq!(next(&journal(Step::Delivering, Some("aje1")), false, &[own], None), Next::Create);
    }

    #[test]
    fn a_key_of_this_rotation_at_the_destination_is_chosen_by_either_id() {
        let own = key(1, Some(("ajeold", "1")));
        for step in [Step::Creating, Step::Delivering] {
            for held in ["YCA1", "aje1"] {
                let keys = [old(), own.clone(), key(3, Some(("ajeold", "1")))];
                assert_eq!(next(&journal(step, None), false, &keys, Some(held)), Next::Choose(own.clone()));
            }
        }
    }

    #[test]
    fn a_new_rotation_needs_the_old_key_and_a_resumed_one_does_not() {
        assert_eq!(next(&journal(Step::Creating, None), true, &[key(1, None)], None), Next::OldKeyMissing);
        assert_eq!(next(&journal(Step::Creating, None), false, &[key(1, None)], None), Next::Create);
    }

    #[test]
    fn a_chosen_key_stays_chosen_whatever_the_destination_holds() {
        for held in [None, Some("YCA2")] {
            let keys = [old(), key(1, Some(("ajeold", "1"))), key(2, Some(("ajeold", "1")))];
            assert_eq!(next(&journal(Step::Delivered, Some("aje1")), false, &keys, held), Next::CleanUp("aje1".into()));
            assert_eq!(next(&journal(Step::Deleted, Some("aje1")), false, &keys, held), Next::Restore("aje1".into()));
        }
    }

    proptest! {
        #[test]
        fn a_key_of_another_rotation_stops_everything_before_the_delivery(
            markers in proptest::collection::vec(proptest::option::of(("ajeol[de]", "[12]")), 0..6),
            held in proptest::option::of("YCA[0-5]"),
            is_new in any::<bool>(),
        ) {
            let mut keys = vec![old()];
            let numbered = markers.iter().enumerate();
            keys.extend(numbered.map(|(number, marker)| {
                let marker = marker.as_ref().map(|(old_id, uuid)| (old_id.as_str(), uuid.as_str()));
                key(u8::try_from(number).unwrap(), marker)
            }));
            let next = next(&journal(Step::Creating, None), is_new, &keys, held.as_deref());
            let is_foreign = |marker: &Option<(String, String)>| marker.as_ref().is_some_and(|(old, uuid)| old == "ajeold" && uuid == "2");
            let has_foreign = markers.iter().any(is_foreign);
            prop_assert_eq!(matches!(next, Next::Foreign(_)), has_foreign);
            if let Next::Choose(key) = next {
                prop_assert!(marked(&journal(Step::Creating, None), &keys).any(|marked| *marked == key));
                prop_assert_eq!(Some(&key.key_id), held.as_ref());
            }
        }
    }
}
