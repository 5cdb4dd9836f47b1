//! Our own requests in flight. A watch often reports a write before its response arrives. The writer learns of it from
//! the response and does not need another reconcile.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{Children, Key};
use crate::controller::caches::{child::Child, known::resource_version, owner::Owner};

/// The writes in progress.
#[derive(Default)]
pub(super) struct Writes {
    by_key: HashMap<Key, UnderWay>,
}

struct UnderWay {
    writer: Owner,
    /// The versions that a watch has reported.
    told: BTreeSet<u64>,
}

impl Writes {
    /// Removes the writer of an object from the owners that a watch event of this version concerns.
    pub(super) fn hold(&mut self, key: &Key, version: u64, concerned: &mut Vec<Owner>) {
        let Some(write) = self.by_key.get_mut(key) else {
            return;
        };
        let all = concerned.len();
        concerned.retain(|owner| *owner != write.writer);
        if concerned.len() < all {
            write.told.insert(version);
        }
    }

    /// Ends a write that was answered with this version. Returns the writer if a watch has reported another one: what
    /// somebody else changed before the write was decided on without it, even if the response includes it.
    fn end(&mut self, key: &Key, answered: Option<u64>) -> Option<Owner> {
        let mut write = self.by_key.remove(key)?;
        if let Some(answered) = answered {
            write.told.remove(&answered);
        }
        (!write.told.is_empty()).then_some(write.writer)
    }
}

/// A request about a child that is in flight until this is dropped.
pub(crate) struct Request<'c> {
    children: &'c Children,
    key: &'c Key,
}

/// A write that is in progress until this is dropped.
pub(crate) struct Write<'c> {
    request: Request<'c>,
    /// Whether watch events of the object are held back from the writer.
    holds: bool,
    answered: Option<u64>,
    /// Whether the API server has answered that it wrote nothing.
    is_refused: bool,
}

impl Children {
    /// Begins a request about an object.
    pub(crate) fn begin<'c>(&'c self, key: &'c Key) -> Request<'c> {
        self.index().in_flight.begin(key);
        let children = self;
        Request { children, key }
    }

    /// Begins to write an object for `owner`. If the object may be shared, nothing is held back, because it concerns
    /// others too.
    pub(crate) fn write<'c>(
        &'c self,
        key: &'c Key,
        owner: &OwnerReference,
        shared: bool,
    ) -> Write<'c> {
        let writer = Owner::of_reference(owner, &key.namespace);
        let writer = writer.filter(|_| !shared && key.kind.namespaced);
        let request = self.begin(key);
        let mut index = self.index();
        let holds = writer.is_some() && !index.writes.by_key.contains_key(key);
        if let Some(writer) = writer.filter(|_| holds) {
            let write = UnderWay {
                writer,
                told: BTreeSet::new(),
            };
            index.writes.by_key.insert(key.clone(), write);
        }
        Write {
            request,
            holds,
            answered: None,
            is_refused: false,
        }
    }
}

impl Request<'_> {
    /// Records the child in the response. Returns whether it is known now: a watch may have reported in the meantime that
    /// it is gone.
    #[must_use]
    pub(crate) fn answered(&self, child: &Child) -> bool {
        self.record(child, None)
    }

    fn record(&self, child: &Child, wanted: Option<u64>) -> bool {
        let mut index = self.children.index();
        if index.in_flight.is_lost(self.key) && !index.is_known(self.key, child) {
            return false;
        }
        index.record(self.key.clone(), child, wanted);
        true
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.children.index().in_flight.end(self.key);
    }
}

impl Write<'_> {
    /// Records that the API server has refused it.
    pub(crate) fn refused(mut self) {
        self.is_refused = true;
    }

    /// Records the response to an apply of an object with the digest `wanted`. Returns whether the object is known now.
    #[must_use]
    pub(crate) fn applied(mut self, child: &Child, wanted: u64) -> bool {
        self.answered = Some(resource_version(child));
        self.request.record(child, Some(wanted))
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if self.holds {
            let mut index = self.request.children.index();
            let writer = index.writes.end(self.request.key, self.answered);
            index.to_ask.extend(writer);
        }
        if self.answered.is_none() && !self.is_refused {
            // Nobody knows what was written last.
            let mut index = self.request.children.index();
            if let Some(known) = index.known.get_mut(self.request.key) {
                known.written = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::controller::caches::child_kind::ChildKind;

    fn config_map() -> &'static ChildKind {
        ChildKind::of("v1", "ConfigMap").expect("it is known")
    }

    fn version(version: u64, owners: &[&str]) -> Child {
        let owners = owners
            .iter()
            .map(|uid| json!({"apiVersion": "v1", "kind": "EcsService", "name": uid, "uid": uid}));
        Child::of(&json!({
            "metadata": {
                "namespace": "shop",
                "name": "web",
                "uid": "1",
                "resourceVersion": version.to_string(),
                "deletionTimestamp": (version > 2).then_some("2026-11-27T06:00:00Z"),
                "ownerReferences": owners.collect::<Vec<_>>(),
            },
        }))
    }

    fn owner(uid: &str) -> (OwnerReference, Owner) {
        let reference = OwnerReference {
            kind: "EcsService".to_owned(),
            name: uid.to_owned(),
            uid: uid.to_owned(),
            ..OwnerReference::default()
        };
        let owner = Owner::Service("shop".to_owned(), uid.to_owned());
        (reference, owner)
    }

    #[test]
    fn a_writer_hears_from_the_answer() {
        let (children, kind) = (Children::default(), config_map());
        let (key, (reference, web)) = (Key::of(kind, &version(2, &[])), owner("web"));
        let write = children.write(&key, &reference, false);
        let (_, api) = owner("api");
        let told = children.observe(kind, &version(2, &["web", "api"]));
        assert_eq!(told, [api], "another owner hears at once");
        assert!(write.applied(&version(2, &["web", "api"]), 0));
        assert!(children.to_ask().is_empty());
        let told = children.observe(kind, &version(3, &["web"]));
        assert!(told.contains(&web), "the write is over");
    }

    #[test]
    fn a_writer_hears_what_the_answer_does_not_say() {
        let (children, kind) = (Children::default(), config_map());
        let (key, (reference, web)) = (Key::of(kind, &version(2, &[])), owner("web"));
        let write = children.write(&key, &reference, false);
        assert!(children.observe(kind, &version(2, &["web"])).is_empty());
        assert!(children.observe(kind, &version(3, &["web"])).is_empty());
        assert!(write.applied(&version(2, &["web"]), 0));
        assert_eq!(children.to_ask(), [web.clone()].into(), "it was changed");
        assert!(children.to_ask().is_empty(), "once");

        let write = children.write(&key, &reference, false);
        assert!(children.observe(kind, &version(4, &[])).is_empty());
        drop(write);
        assert_eq!(
            children.to_ask(),
            [web.clone()].into(),
            "nothing was answered"
        );

        let write = children.write(&key, &reference, false);
        assert!(children.observe(kind, &version(5, &["web"])).is_empty());
        assert!(children.observe(kind, &version(6, &["web"])).is_empty());
        assert!(write.applied(&version(6, &["web"]), 0));
        let before = "it was changed before the write";
        assert_eq!(children.to_ask(), [web.clone()].into(), "{before}");

        let write = children.write(&key, &reference, true);
        let told = children.observe(kind, &version(7, &[]));
        assert_eq!(told, [web], "of what several share each hears at once");
        drop(write);
    }

    #[test]
    fn what_is_gone_is_not_known_again_by_a_late_answer() {
        let (children, kind) = (Children::default(), config_map());
        let (key, (reference, _)) = (Key::of(kind, &version(2, &[])), owner("web"));
        let made = version(2, &["web"]);
        for is_told_before in [true, false] {
            let write = children.write(&key, &reference, false);
            if is_told_before {
                children.observe(kind, &made);
            }
            children.forget(kind, &made);
            assert!(!write.applied(&made, 0));
            assert!(children.get(&key).is_none(), "it is gone");
        }
        let write = children.write(&key, &reference, true);
        children.keep_only(kind, Some("shop"), &BTreeSet::new());
        assert!(!write.applied(&made, 0), "it may be gone");
        assert!(children.get(&key).is_none());

        let write = children.write(&key, &reference, false);
        children.forget(kind, &made);
        children.observe(kind, &made);
        assert!(write.applied(&made, 7));
        let known = children.get(&key).expect("it was made again");
        assert!(known.is(7));

        let request = children.begin(&key);
        children.keep_only(config_map(), Some("other"), &BTreeSet::new());
        assert!(request.answered(&version(3, &["web"])));
        assert!(children.get(&key).is_some_and(|known| known.deleting));
    }

    #[test]
    fn what_was_written_last_is_known_unless_an_answer_is_lost() {
        let (children, kind) = (Children::default(), config_map());
        let made = version(2, &["web"]);
        let (key, (reference, _)) = (Key::of(kind, &made), owner("web"));
        let changed = |wanted: u64| {
            let known = children.get(&key);
            known.is_some_and(|known| known.was_changed_since(wanted))
        };
        let write = || children.write(&key, &reference, false);
        assert!(write().applied(&made, made.digest));
        assert!(!changed(made.digest), "it is as it was written");
        let mut edited = version(3, &["web"]);
        edited.digest = made.digest.wrapping_add(1);
        children.observe(kind, &edited);
        assert!(changed(made.digest), "someone has changed it");
        write().refused();
        assert!(changed(made.digest), "nothing was written");
        drop(write());
        assert!(!changed(made.digest), "it may have been this operator");
    }
}
