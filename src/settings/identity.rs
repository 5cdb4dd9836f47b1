//! The numeric IDs of users and groups that task definitions name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The largest ID that a pod can have
/// (<https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#security-context-1>).
const LARGEST_ID: i64 = i32::MAX as i64;

/// The IDs that a name stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// The ID of the user of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,
    /// The ID of the group of this name, or of the group of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<i64>,
}

/// Parses `NAME=UID`, `NAME=UID:GID` or, for a group, `:NAME=GID`. `root` is 0 in every image, so it has no other ID.
#[must_use]
pub fn parse_identity(text: &str) -> Option<(String, Identity)> {
    let (name, ids) = text.split_once('=')?;
    let (name, uid, gid) = match (name.strip_prefix(':'), ids.split_once(':')) {
        (Some(group), None) => (group, None, Some(ids)),
        (Some(_), Some(_)) => return None,
        (None, Some((uid, gid))) => (name, Some(uid), Some(gid)),
        (None, None) => (name, Some(ids), None),
    };
    let id = |text: Option<&str>| text.map_or(Some(None), |text| parse_id(text).map(Some));
    let identity = Identity {
        uid: id(uid)?,
        gid: id(gid)?,
    };
    let is_other_root = name == "root"
        && [identity.uid, identity.gid]
            .iter()
            .flatten()
            .any(|id| *id != 0);
    (is_user_name(name) && !is_other_root).then(|| (name.to_owned(), identity))
}

/// Adds what is known of a name; a user and a group can have the same name.
pub fn add_identity(known: &mut BTreeMap<String, Identity>, name: String, identity: Identity) {
    let Identity { uid, gid } = identity;
    let entry = known.entry(name).or_default();
    entry.uid = uid.or(entry.uid);
    entry.gid = gid.or(entry.gid);
}

/// Returns the text that [`parse_identity`] reads as these, separated by commas.
#[must_use]
pub fn identities(known: &BTreeMap<String, Identity>) -> String {
    let texts = known.iter().filter_map(|(name, identity)| {
        let Identity { uid, gid } = identity;
        match (uid, gid) {
            (Some(uid), Some(gid)) => Some(format!("{name}={uid}:{gid}")),
            (Some(uid), None) => Some(format!("{name}={uid}")),
            (None, Some(gid)) => Some(format!(":{name}={gid}")),
            (None, None) => None,
        }
    });
    texts.collect::<Vec<_>>().join(",")
}

/// Parses the ID of a user or group.
#[must_use]
pub fn parse_id(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let id: i64 = text.parse().ok().filter(|_| digits)?;
    (id <= LARGEST_ID).then_some(id)
}

/// Whether this can be the name of a user or group, and not an ID
/// (<https://man7.org/linux/man-pages/man8/useradd.8.html>).
#[must_use]
pub fn is_user_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-$@".contains(c);
    let first = text.chars().next();
    first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(plain)
        && !text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_ids() {
        let of = |name: &str, uid, gid| Some((name.to_owned(), Identity { uid, gid }));
        for (text, expected) in [
            ("nginx=101", of("nginx", Some(101), None)),
            ("www-data=33:33", of("www-data", Some(33), Some(33))),
            (":staff=50", of("staff", None, Some(50))),
            ("_x.y=0", of("_x.y", Some(0), None)),
            ("nginx=", None),
            ("nginx=a", None),
            ("nginx=1:", None),
            ("nginx=-1", None),
            ("nginx=2147483648", None),
            (":staff=1:2", None),
            ("root=0:0", of("root", Some(0), Some(0))),
            ("root=1000", None),
            ("root=0:1000", None),
            (":root=1000", None),
            ("101=101", None),
            ("=1", None),
            ("nginx", None),
            ("a b=1", None),
        ] {
            assert_eq!(parse_identity(text), expected, "{text}");
        }
    }

    #[test]
    fn a_user_and_a_group_can_have_one_name() {
        let mut known = BTreeMap::new();
        for text in ["web=1", ":web=2", "web=3"] {
            let (name, identity) = parse_identity(text).unwrap();
            add_identity(&mut known, name, identity);
        }
        let (uid, gid) = (Some(3), Some(2));
        assert_eq!(
            known,
            BTreeMap::from([("web".to_owned(), Identity { uid, gid })])
        );
    }
}
