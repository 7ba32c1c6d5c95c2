//! The marker of a rotation: the end of the description of a new key, by which it is known until it has taken the place of
//! the old one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::api::access_key::MAX_DESCRIPTION;

/// The rotation that a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// The resource ID of the key that is replaced.
    pub old_id: String,
    /// Tells this rotation from others of the same key, such as those of another machine.
    pub uuid: String,
}

const BEGIN: &str = "[yc-rs rotating ";

impl Marker {
    /// The marker at the end of a description.
    pub fn parse(description: &str) -> Option<Self> {
        let (_, marker) = description.rsplit_once(BEGIN)?;
        let (old_id, uuid) = marker.strip_suffix(']')?.split_once(' ')?;
        let is_word = |text: &str| !text.is_empty() && !text.contains([' ', '[', ']']);
        (is_word(old_id) && is_word(uuid)).then(|| Self { old_id: old_id.to_owned(), uuid: uuid.to_owned() })
    }

    /// A description without the marker at its end.
    pub fn strip(description: &str) -> &str {
        match (Self::parse(description), description.rsplit_once(BEGIN)) {
            (Some(_), Some((rest, _))) => rest.strip_suffix(' ').unwrap_or(rest),
            _ => description,
        }
    }

    /// The description with this marker at its end in the place of any other. The rest is cut so that the whole has at most
    /// [`MAX_DESCRIPTION`] characters.
    pub fn append_to(&self, description: &str) -> String {
        let marker = format!(" {self}");
        let room = MAX_DESCRIPTION.saturating_sub(marker.chars().count());
        Self::strip(description).chars().take(room).collect::<String>() + &marker
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{BEGIN}{} {}]", self.old_id, self.uuid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marker() -> Marker {
        Marker { old_id: "ajeold".into(), uuid: "0c3c".into() }
    }

    #[test]
    fn a_mark_stands_at_the_end_of_the_description() {
        assert_eq!(marker().append_to("nightly backup"), "nightly backup [yc-rs rotating ajeold 0c3c]");
        assert_eq!(marker().append_to(""), " [yc-rs rotating ajeold 0c3c]");
        for other in ["", "x", "[yc-rs rotating ajeold]", "[yc-rs rotating a b] x", "[yc-rs rotating a b c]"] {
            assert_eq!((Marker::parse(other), Marker::strip(other)), (None, other));
        }
    }

    #[test]
    fn a_mark_takes_the_place_of_another_one() {
        let before = Marker { old_id: "ajeolder".into(), uuid: "1".into() }.append_to("a");
        assert_eq!(marker().append_to(&before), marker().append_to("a"));
    }

    proptest! {
        #[test]
        fn a_mark_is_read_back_and_leaves_the_beginning(description in "\\PC{0,300}") {
            let marked = marker().append_to(&description);
            prop_assert!(marked.chars().count() <= MAX_DESCRIPTION);
            prop_assert_eq!(Marker::parse(&marked), Some(marker()));
            prop_assert!(Marker::strip(&description).starts_with(Marker::strip(&marked)));
        }
    }
}
