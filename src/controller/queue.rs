//! Who is to be reconciled.

use std::{collections::HashSet, sync::Mutex};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::{
    Resource,
    runtime::reflector::{ObjectRef, Store},
};

use super::context::lock;

/// Who of one kind waits.
pub(super) struct Line<K: Resource<DynamicType = ()>> {
    sender: UnboundedSender<ObjectRef<K>>,
    receiver: Mutex<Option<UnboundedReceiver<ObjectRef<K>>>>,
    waiting: Mutex<HashSet<ObjectRef<K>>>,
}

impl<K: Resource<DynamicType = ()>> Line<K> {
    /// Nobody waits.
    #[must_use]
    pub(super) fn new() -> Self {
        let (sender, receiver) = unbounded();
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            waiting: Mutex::default(),
        }
    }

    /// The other end, once.
    pub(super) fn take(&self) -> Option<UnboundedReceiver<ObjectRef<K>>> {
        lock(&self.receiver).take()
    }

    /// Asks for a reconcile. What waits already is asked for again: the controller does it once, and if the object is
    /// gone, not at all.
    pub(super) fn push(&self, object: ObjectRef<K>) {
        lock(&self.waiting).insert(object.clone());
        // The other end is gone only when the program ends.
        let _ended = self.sender.unbounded_send(object);
    }

    /// Its reconcile begins.
    pub(super) fn begin(&self, object: &K) {
        lock(&self.waiting).remove(&ObjectRef::from_obj(object));
    }

    /// How many wait; those that are gone do not.
    pub(super) fn len(&self, store: &Store<K>) -> usize
    where
        K: Clone,
    {
        let mut waiting = lock(&self.waiting);
        waiting.retain(|object| store.get(object).is_some());
        waiting.len()
    }
}
