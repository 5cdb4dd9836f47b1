//! The policies of a namespace, and what they add up to.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt as _};
use serde::Deserialize;

use super::{Kind, List, Use, pattern::matches};

/// Who shares a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tenancy {
    /// Several teams that do not trust each other: policies say what the specs of each namespace may use.
    #[default]
    Multiple,
    /// One team, all of whose namespaces may use everything that no policy limits.
    Single,
}

/// A policy.
#[derive(Clone, Debug)]
pub struct Policy {
    name: String,
    namespaces: Selector,
    lists: BTreeMap<Kind, Vec<String>>,
}

/// Why the spec of a policy cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It has an unexpected shape.
    #[error("{0}")]
    Shape(#[from] serde_json::Error),
    /// This version does not know a member.
    #[error("spec.{list}.{member} is not known")]
    Unknown {
        /// `allow` or `limitTo`.
        list: &'static str,
        /// The member.
        member: String,
    },
    /// The selector is none.
    #[error("spec.namespaceSelector: {0}")]
    Selector(String),
}

/// The spec of a policy as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    namespace_selector: LabelSelector,
    #[serde(default)]
    allow: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    limit_to: BTreeMap<String, Vec<String>>,
}

impl Policy {
    /// Reads the spec of a policy, which is JSON.
    ///
    /// # Errors
    ///
    /// When it has members that this version does not know: what they limit would be allowed.
    pub fn read(name: &str, spec: &str) -> Result<Self, PolicyError> {
        let written: Written = serde_json::from_str(spec)?;
        let namespaces = Selector::try_from(written.namespace_selector);
        let mut lists = BTreeMap::new();
        for (list, members) in [
            (List::Allow, written.allow),
            (List::LimitTo, written.limit_to),
        ] {
            for (member, patterns) in members {
                let Some(kind) = Kind::named(list, &member) else {
                    let list = list.member();
                    return Err(PolicyError::Unknown { list, member });
                };
                lists.insert(kind, patterns);
            }
        }
        Ok(Self {
            name: name.to_owned(),
            namespaces: namespaces.map_err(|error| PolicyError::Selector(error.to_string()))?,
            lists,
        })
    }

    /// Returns what a policy stands for that cannot be read: nothing of what it may limit is allowed in any namespace.
    #[must_use]
    pub fn unreadable(name: &str) -> Self {
        let limits = Kind::ALL.iter().filter(|kind| kind.list() == List::LimitTo);
        Self {
            name: name.to_owned(),
            namespaces: Selector::default(),
            lists: limits.map(|kind| (*kind, Vec::new())).collect(),
        }
    }

    /// Whether it is about the namespaces with these labels.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.namespaces.matches(labels)
    }
}

/// What is allowed in one namespace.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    tenancy: Tenancy,
    policies: Vec<Arc<Policy>>,
}

impl Rules {
    /// Returns the sum of the policies that are about a namespace.
    #[must_use]
    pub const fn new(tenancy: Tenancy, policies: Vec<Arc<Policy>>) -> Self {
        Self { tenancy, policies }
    }

    /// Returns whether something may be used.
    #[must_use]
    pub fn allow(&self, used: &Use) -> bool {
        let lists = self
            .policies
            .iter()
            .filter_map(|it| it.lists.get(&used.kind));
        let mut has_list = false;
        for pattern in lists.inspect(|_| has_list = true).flatten() {
            if fits(used, pattern) {
                return true;
            }
        }
        match used.kind.list() {
            List::Allow => self.tenancy == Tenancy::Single,
            List::LimitTo => !has_list,
        }
    }

    /// Whether no policy is about the namespace.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// Returns the names of the policies with a list of this kind.
    #[must_use]
    pub fn with(&self, kind: Kind) -> Vec<&str> {
        let with = self
            .policies
            .iter()
            .filter(|it| it.lists.contains_key(&kind));
        with.map(|it| it.name.as_str()).collect()
    }
}

/// Whether a pattern of a policy is for something.
fn fits(used: &Use, pattern: &str) -> bool {
    match used.kind {
        // A file system that is allowed is so by each of its access points.
        Kind::FileSystem if !pattern.contains('/') => {
            let id = used.value.split('/').next().unwrap_or_default();
            matches(pattern, id)
        }
        _ => matches(pattern, &used.value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rules(tenancy: Tenancy, specs: &[Value]) -> Rules {
        let policies = specs.iter().enumerate().map(|(index, spec)| {
            let policy = Policy::read(&format!("p{index}"), &spec.to_string());
            Arc::new(policy.expect("it can be read"))
        });
        Rules::new(tenancy, policies.collect())
    }

    fn used(kind: Kind, value: &str) -> Use {
        Use::new(kind, value)
    }

    #[test]
    fn nothing_that_an_editor_cannot_do_alone_is_allowed_without_a_policy() {
        let (none, single) = (Rules::default(), rules(Tenancy::Single, &[]));
        for kind in Kind::ALL {
            let used = used(*kind, "x");
            assert_eq!(none.allow(&used), kind.list() == List::LimitTo, "{kind:?}");
            assert!(single.allow(&used), "{kind:?}");
        }
    }

    #[test]
    fn policies_add_up() {
        let one = json!({"namespaceSelector": {}, "allow": {"taskRoles": ["a"]}, "limitTo": {"hostPaths": ["/a"]}});
        let other = json!({"namespaceSelector": {}, "allow": {"taskRoles": ["b"]}, "limitTo": {"hostPaths": []}});
        for tenancy in [Tenancy::Multiple, Tenancy::Single] {
            let rules = rules(tenancy, &[one.clone(), other.clone()]);
            let is_single = tenancy == Tenancy::Single;
            for (kind, value, allowed) in [
                (Kind::TaskRole, "a", true),
                (Kind::TaskRole, "b", true),
                (Kind::TaskRole, "c", is_single),
                (Kind::ExecutionRole, "a", is_single),
                (Kind::HostPath, "/a", true),
                (Kind::HostPath, "/b", false),
                (Kind::Privilege, "privileged", true),
            ] {
                assert_eq!(rules.allow(&used(kind, value)), allowed, "{kind:?} {value}");
            }
        }
    }

    #[test]
    fn an_access_point_can_be_all_that_is_allowed_of_a_file_system() {
        let spec =
            json!({"namespaceSelector": {}, "allow": {"fileSystems": ["fs-1", "fs-2/fsap-2"]}});
        let rules = rules(Tenancy::Multiple, &[spec]);
        for (value, allowed) in [
            ("fs-1", true),
            ("fs-1/fsap-9", true),
            ("fs-2/fsap-2", true),
            ("fs-2", false),
            ("fs-2/fsap-9", false),
            ("fs-12", false),
        ] {
            let used = used(Kind::FileSystem, value);
            assert_eq!(rules.allow(&used), allowed, "{value}");
        }
    }

    #[test]
    fn a_policy_that_cannot_be_read_allows_nothing() {
        for spec in [
            json!({"namespaceSelector": {}, "limitTo": {"taskRoles": []}}),
            json!({"namespaceSelector": {}, "limitTo": {"later": []}}),
            json!({"namespaceSelector": {}, "limit": {}}),
            json!({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}),
            json!({"allow": {}}),
            json!([]),
        ] {
            let read = Policy::read("p", &spec.to_string());
            assert!(read.is_err(), "{spec}");
        }
        let unreadable = Policy::unreadable("p");
        assert!(unreadable.selects(&BTreeMap::new()));
        let rules = Rules::new(Tenancy::Single, vec![Arc::new(unreadable)]);
        assert!(!rules.allow(&used(Kind::HostPath, "/a")));
        assert!(rules.allow(&used(Kind::TaskRole, "a")));
    }

    #[test]
    fn namespaces_are_selected_by_their_labels() {
        let spec = json!({"namespaceSelector": {
            "matchLabels": {"team": "shop"},
            "matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["prod"]}],
        }});
        let policy = Policy::read("p", &spec.to_string()).expect("it can be read");
        let labels = |labels: &[(&str, &str)]| -> BTreeMap<String, String> {
            let labels = labels.iter();
            labels
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        assert!(policy.selects(&labels(&[("team", "shop")])));
        assert!(!policy.selects(&labels(&[("team", "shop"), ("stage", "prod")])));
        assert!(!policy.selects(&labels(&[])));
    }
}
