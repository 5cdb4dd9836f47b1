//! The queue of objects to reconcile.

use std::{collections::HashSet, sync::Mutex};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::{
    Resource,
    runtime::reflector::{ObjectRef, Store},
};

use super::context::lock;

/// The objects of one kind that wait.
pub(super) struct Line<K: Resource<DynamicType = ()>> {
    sender: UnboundedSender<ObjectRef<K>>,
    receiver: Mutex<Option<UnboundedReceiver<ObjectRef<K>>>>,
    waiting: Mutex<HashSet<ObjectRef<K>>>,
}

impl<K: Resource<DynamicType = ()>> Line<K> {
    /// Returns an empty queue.
    #[must_use]
    pub(super) fn new() -> Self {
        let (sender, receiver) = unbounded();
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
            waiting: Mutex::default(),
        }
    }

    /// Returns the receiving end, once.
    pub(super) fn take(&self) -> Option<UnboundedReceiver<ObjectRef<K>>> {
        lock(&self.receiver).take()
    }

    /// Requests a reconcile. An object that already waits is sent again: the controller reconciles it once, or not at
    /// all if it is gone.
    pub(super) fn push(&self, object: ObjectRef<K>) {
        lock(&self.waiting).insert(object.clone());
        // The other end is gone only when the program ends.
        let _ended = self.sender.unbounded_send(object);
    }

    /// Removes an object whose reconcile begins.
    pub(super) fn begin(&self, object: &K) {
        lock(&self.waiting).remove(&ObjectRef::from_obj(object));
    }

    /// Returns how many objects wait; those that are gone do not count.
    pub(super) fn len(&self, store: &Store<K>) -> usize
    where
        K: Clone,
    {
        let mut waiting = lock(&self.waiting);
        waiting.retain(|object| store.get(object).is_some());
        waiting.len()
    }
}
