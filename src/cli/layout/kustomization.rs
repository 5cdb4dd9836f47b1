//! The base and the overlays of Kustomize
//! (<https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>).

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use serde_json::{Value, json};

use super::{
    ONCE, OURS,
    workload::{self, Image, NAMESPACE},
};
use crate::{
    print::{self, Ordered},
    source::open_placeholders,
};

const API_VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const KIND: &str = "Kustomization";

/// What `kustomization.yaml` says of objects. Only this is kept of all of them.
#[derive(Debug, Default)]
pub(in crate::cli) struct Kustomization {
    resources: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    /// Whether an overlay cannot change the namespace: other members name it too, or Kustomize would give one to an object
    /// that has none.
    has_fixed_namespace: bool,
    /// The images by their repositories, `None` if there are several of one.
    images: BTreeMap<String, Option<Image>>,
    /// The counts by workload, `None` if there are several of one.
    replicas: BTreeMap<String, Option<Ordered>>,
}

impl Kustomization {
    /// Returns what it says of an object in this file.
    pub(super) fn of(file: &str, object: &Ordered) -> Self {
        let (kind, name) = object.identity();
        let mut found = Self {
            resources: [file.to_owned()].into(),
            ..Self::default()
        };
        match object.at(NAMESPACE).and_then(Ordered::as_str) {
            Some(namespace) => {
                found.namespaces.insert(namespace.to_owned());
            }
            None => found.has_fixed_namespace = !workload::is_cluster_wide(kind),
        }
        let mut others = workload::namespaces_of_others(kind);
        found.has_fixed_namespace |= others.any(|path| object.at(path).is_some());
        for text in workload::images(object) {
            // Kustomize does not recognize an image with other characters than those of a name.
            if open_placeholders(text).next().is_none() && !text.contains(['{', '$', '<']) {
                let image = Image::of(text);
                add(&mut found.images, image.repository.clone(), Some(image));
            }
        }
        if let Some(path) = workload::replicas(kind)
            && let Some(count) = object.at(path)
        {
            let count = Some(count.clone());
            found.replicas.insert(name.to_owned(), count);
        }
        found
    }

    /// Adds what is said of another object.
    pub(super) fn merge(&mut self, other: &Self) {
        self.resources.extend(other.resources.iter().cloned());
        self.namespaces.extend(other.namespaces.iter().cloned());
        self.has_fixed_namespace |= other.has_fixed_namespace;
        for (repository, image) in &other.images {
            add(&mut self.images, repository.clone(), image.clone());
        }
        for (name, count) in &other.replicas {
            add(&mut self.replicas, name.clone(), count.clone());
        }
    }

    /// Returns `base/kustomization.yaml`.
    pub(super) fn base(&self) -> Result<String, print::Error> {
        let text = of_members(&json!({"resources": self.resources}))?;
        Ok(format!("{OURS}{text}"))
    }

    /// Returns the `kustomization.yaml` of an overlay, which says what the base says, so that it can be changed there.
    pub(super) fn overlay(&self) -> Result<String, print::Error> {
        let mut members = vec![
            ("resources", json!(["../../base"])),
            // Service accounts and settings are applied before the pods that need them.
            ("sortOptions", json!({"order": "legacy"})),
        ];
        let mut namespaces = self.namespaces.iter();
        if let (Some(namespace), None, false) = (
            namespaces.next(),
            namespaces.next(),
            self.has_fixed_namespace,
        ) {
            members.push(("namespace", json!(namespace)));
        }
        let images = self.images.iter().filter_map(|(name, image)| {
            let image = image.as_ref()?;
            let mut entry = vec![("name", json!(name))];
            entry.extend(image.tag.as_ref().map(|tag| ("newTag", json!(tag))));
            entry.extend(
                image
                    .digest
                    .as_ref()
                    .map(|digest| ("digest", json!(digest))),
            );
            // An entry that changes nothing would not be one.
            (entry.len() > 1).then(|| object(entry))
        });
        let replicas = self.replicas.iter().filter_map(|(name, count)| {
            let count = serde_json::to_value(count.as_ref()?).ok()?;
            Some(object(vec![("name", json!(name)), ("count", count)]))
        });
        for (name, entries) in [
            ("images", images.collect::<Vec<_>>()),
            ("replicas", replicas.collect()),
        ] {
            if !entries.is_empty() {
                members.push((name, Value::Array(entries)));
            }
        }
        Ok(format!("{ONCE}{}", of_members(&object(members))?))
    }
}

fn object(members: Vec<(&str, Value)>) -> Value {
    let members = members.into_iter();
    members
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn of_members(members: &Value) -> Result<String, print::Error> {
    let mut file = json!({"apiVersion": API_VERSION, "kind": KIND});
    if let (Value::Object(file), Value::Object(members)) = (&mut file, members) {
        file.extend(members.clone());
    }
    print::yaml(&Ordered::new(&file)?)
}

/// Adds a value, or `None` if there is another one already.
fn add<V: PartialEq>(all: &mut BTreeMap<String, Option<V>>, name: String, value: Option<V>) {
    match all.entry(name) {
        Entry::Occupied(mut known) if *known.get() != value => {
            known.insert(None);
        }
        Entry::Occupied(_) => {}
        Entry::Vacant(vacant) => {
            vacant.insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay(objects: &[Value]) -> String {
        let mut all = Kustomization::default();
        for object in objects {
            all.merge(&Kustomization::of("a.yaml", &Ordered::new(object).unwrap()));
        }
        let text = all.overlay().unwrap();
        // Members are in the order of reading.
        let (_, rest) = text.split_once("kind: Kustomization\n").unwrap();
        let (members, rest) = rest.split_once("resources:\n- ../../base\n").unwrap();
        assert_eq!(rest, "sortOptions:\n  order: legacy\n");
        members.to_owned()
    }

    fn deployment(name: &str, image: &str, replicas: u32) -> Value {
        json!({
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"image": image}]}}},
        })
    }

    #[test]
    fn overlays_say_what_the_base_says() {
        let volume = |claim: &str| json!({"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"claimRef": {"namespace": claim}}});
        let class = json!({"kind": "StorageClass", "metadata": {"name": "c"}});
        let pool = json!({"kind": "NodePool", "metadata": {"name": "p"}});
        let other = json!({"kind": "Service", "metadata": {"name": "s", "namespace": "other"}});
        for (objects, expected) in [
            (
                vec![deployment("web", "nginx:1.29", 2), class],
                "namespace: shop\nimages:\n- name: nginx\n  newTag: \"1.29\"\nreplicas:\n- name: web\n  count: 2\n",
            ),
            (
                vec![
                    deployment("a", "x:1", 1),
                    deployment("b", "x:2", 1),
                    deployment("b", "y@sha256:0", 3),
                ],
                "namespace: shop\nimages:\n- name: \"y\"\n  digest: sha256:0\nreplicas:\n- name: a\n  count: 1\n",
            ),
            (
                vec![deployment("a", "x", 1), other],
                "replicas:\n- name: a\n  count: 1\n",
            ),
            (
                vec![deployment("a", "${A}:1", 1), volume("shop")],
                "replicas:\n- name: a\n  count: 1\n",
            ),
            (
                vec![deployment("a", "<A>", 1), pool],
                "replicas:\n- name: a\n  count: 1\n",
            ),
        ] {
            assert_eq!(overlay(&objects), expected, "{objects:?}");
        }
    }

    #[test]
    fn the_base_lists_its_files_in_order() {
        let mut all = Kustomization::default();
        let object = Ordered::new(&json!({"kind": "Pod", "metadata": {"name": "p"}})).unwrap();
        for file in ["b.yaml", "a.yaml", "b.yaml"] {
            all.merge(&Kustomization::of(file, &object));
        }
        let text = all.base().unwrap();
        assert!(text.starts_with(OURS), "{text}");
        assert!(text.ends_with("resources:\n- a.yaml\n- b.yaml\n"), "{text}");
    }
}
