//! Names that may be meant by one that does not exist.

/// The names that differ from what was typed by a slip, or that go on where it ends: a name that only looks alike means
/// something else.
pub fn near<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const SHORTEST_BEGINNING: usize = 4;
    let slips = match typed.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    let rated: Vec<_> = names.into_iter().map(|name| (strsim::damerau_levenshtein(typed, name), name)).collect();
    let nearest = rated.iter().map(|(distance, _)| *distance).min().unwrap_or(usize::MAX);
    if nearest <= slips {
        return rated.into_iter().filter(|(distance, _)| *distance == nearest).map(|(_, name)| name).collect();
    }
    let goes_on = |name: &str| {
        typed.len() >= SHORTEST_BEGINNING && name.strip_prefix(typed).is_some_and(|rest| rest.starts_with('-'))
    };
    rated.into_iter().map(|(_, name)| name).filter(|name| goes_on(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_near_when_it_is_a_slip_away_or_goes_on() {
        let flags = [
            "format",
            "folder-id",
            "folder-name",
            "subject-id",
            "service-account-name",
            "jq",
            "id",
            "cache",
            "no-cache",
        ];
        for (typed, names) in [
            ("formt", &["format"][..]),
            ("fromat", &["format"]),
            ("folder", &["folder-id", "folder-name"]),
            ("folderid", &["folder-id"]),
            ("service-acount-name", &["service-account-name"]),
            ("service-account", &["service-account-name"]),
            ("service-account-id", &[]),
            ("ip", &[]),
            ("cach", &["cache"]),
            ("subject", &["subject-id"]),
            ("no", &[]),
            ("frob", &[]),
        ] {
            assert_eq!(near(typed, flags), names, "{typed}");
        }
        let commands = ["list", "list-operations", "get", "issue-ephemeral", "completion"];
        for (typed, names) in [
            ("lst", &["list"][..]),
            ("issue", &["issue-ephemeral"]),
            ("compute", &[]),
            ("gte", &["get"]),
            ("deactivate", &[]),
        ] {
            assert_eq!(near(typed, commands), names, "{typed}");
        }
    }
}
