//! The names of Service Connect among the children.

use super::Children;
use crate::input::ConnectHosts;

impl Children {
    /// Returns the names that clients in a Service Connect namespace need in `/etc/hosts`, with their addresses.
    #[must_use]
    pub(crate) fn connect_hosts(&self, namespace: &str, connect_label: &str) -> ConnectHosts {
        let index = self.index();
        let names = index.known.iter().filter_map(|(key, known)| {
            let name = known.connect_name.as_ref().filter(|_| !known.deleting)?;
            let is_it = *key.namespace == *namespace && *name.namespace == *connect_label;
            is_it.then(|| (key, (name.name.to_string(), name.address.to_string())))
        });
        // Two Services with one name are a mistake that is reported; the first by name is used.
        let mut names: Vec<_> = names.collect();
        names.sort_by(|(one, _), (other, _)| other.cmp(one));
        names.into_iter().map(|(_, host)| host).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        controller::caches::{child::Child, child_kind::ChildKind},
        names::{CONNECT_NAME, CONNECT_NAMESPACE},
    };

    #[test]
    fn names_are_those_of_one_namespace_that_a_pod_can_have() {
        let children = Children::default();
        let service = ChildKind::of("v1", "Service").expect("it is known");
        for (namespace, name, connect, alias, address) in [
            ("shop", "a", "internal", "a.internal", "10.0.0.1"),
            ("shop", "b", "internal", "a.internal", "10.0.0.2"),
            ("shop", "c", "internal", "c.internal", "None"),
            ("shop", "d", "internal", "not a name", "10.0.0.4"),
            ("shop", "e", "other", "e.other", "10.0.0.5"),
            ("bank", "f", "internal", "f.internal", "10.0.0.6"),
            ("shop", "g", "internal", "g.internal", "fd00::7"),
        ] {
            let live = json!({
                "metadata": {
                    "namespace": namespace, "name": name, "uid": name, "resourceVersion": "1",
                    "labels": {CONNECT_NAMESPACE: connect},
                    "annotations": {CONNECT_NAME: alias},
                },
                "spec": {"clusterIP": address},
            });
            children.observe(service, &Child::of(&live));
        }
        let found = children.connect_hosts("shop", "internal");
        let expected = [("a.internal", "10.0.0.1"), ("g.internal", "fd00::7")];
        let expected = expected.map(|(name, address)| (name.to_owned(), address.to_owned()));
        assert_eq!(found, expected.into());
    }
}
