//! The pollers of all pipes. Only the leader has any.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::ResourceExt as _;
use tokio::{sync::watch as signal, task::JoinHandle};

use super::{
    poller::{self, Shared, Work},
    tally::{News, Tally},
};
use crate::{
    controller::context::{Context, lock},
    crd::EcsPipe,
    diagnostic::StatusReason,
};

/// The namespace and name of a pipe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(String, String);

impl Key {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self(namespace.to_owned(), name.to_owned())
    }

    pub(super) fn of(pipe: &EcsPipe) -> Self {
        Self(pipe.namespace().unwrap_or_default(), pipe.name_any())
    }
}

/// The pollers of all pipes.
#[derive(Default)]
pub(in crate::controller) struct Pollers {
    of: Mutex<BTreeMap<Key, Entry>>,
    /// Whether no more may start, because the operator ends or does not lead any more.
    closed: AtomicBool,
}

#[derive(Default)]
struct Entry {
    shared: Shared,
    /// The last poller, which may have been asked to end.
    running: Option<Running>,
}

struct Running {
    pipe: Arc<EcsPipe>,
    /// Asks the poller to end when it has done what it is at.
    stop: signal::Sender<bool>,
    handle: JoinHandle<()>,
}

impl Running {
    /// Whether this is the poller of a pipe as it is now, and it runs.
    fn is_of(&self, pipe: &EcsPipe) -> bool {
        !self.handle.is_finished()
            && !*self.stop.borrow()
            && self.pipe.metadata.uid == pipe.metadata.uid
            && self.pipe.spec == pipe.spec
            && self.pipe.metadata.annotations == pipe.metadata.annotations
    }

    fn stop(&self) {
        self.stop.send_replace(true);
    }
}

impl Pollers {
    /// Runs the poller of a pipe as it is now, in place of another one. Returns why it cannot read its queue.
    pub(super) fn run(&self, cx: &Arc<Context>, work: Work) -> Option<String> {
        let mut of = lock(&self.of);
        let entry = of.entry(Key::of(&work.pipe)).or_default();
        let running = entry.running.as_ref();
        if running.is_some_and(|running| running.is_of(&work.pipe))
            || self.closed.load(Ordering::SeqCst)
        {
            return entry.shared.tally.problem();
        }
        let before = entry.running.take().map(|older| {
            older.stop();
            if older.pipe.metadata.uid != work.pipe.metadata.uid {
                entry.shared = Shared::default();
            }
            older.handle
        });
        // It is not known any more.
        entry.shared.tally.is_unavailable(None);
        let (stop, stopped) = signal::channel(false);
        let pipe = work.pipe.clone();
        let (cx, shared) = (cx.clone(), entry.shared.clone());
        let handle = tokio::spawn(poller::run(cx, work, shared, stopped, before));
        entry.running = Some(Running { pipe, stop, handle });
        None
    }

    /// Stops the poller of a pipe. What it has received and not started comes again.
    pub(super) fn stop(&self, key: &Key) {
        if let Some(entry) = lock(&self.of).get_mut(key)
            && let Some(running) = &entry.running
        {
            running.stop();
        }
    }

    /// Forgets a pipe that is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.stop(key);
        lock(&self.of).remove(key);
    }

    /// Wakes a poller that waits for tasks to end.
    pub(super) fn task_changed(&self, key: &Key) {
        if let Some(entry) = lock(&self.of).get(key) {
            entry.shared.changed.notify_one();
        }
    }

    /// Returns what has not been written yet.
    pub(super) fn news(&self, key: &Key) -> News {
        self.tally(key).news()
    }

    /// Records that news have been written.
    pub(super) fn wrote(&self, key: &Key, news: &News) {
        self.tally(key).wrote(news);
    }

    /// Returns for how long the status should not be written; `None` if it may be.
    pub(super) fn rest(&self, key: &Key) -> Option<Duration> {
        self.tally(key).rest()
    }

    /// Returns the events that have not been reported.
    pub(super) fn untold(&self, key: &Key) -> Vec<(StatusReason, String)> {
        self.tally(key).untold()
    }

    fn tally(&self, key: &Key) -> Arc<Tally> {
        let of = lock(&self.of);
        of.get(key)
            .map(|entry| entry.shared.tally.clone())
            .unwrap_or_default()
    }

    /// Waits for the end of the operator, and then until all pollers have done what they are at.
    pub(in crate::controller) async fn until(&self, mut stopped: signal::Receiver<bool>) {
        let _sender_gone = stopped.wait_for(|stopped| *stopped).await;
        for running in self.close() {
            // One that has panicked has ended too.
            let _ended = running.handle.await;
        }
    }

    /// Ends all pollers at once, because another replica leads.
    pub(in crate::controller) fn abort(&self) {
        for running in self.close() {
            running.handle.abort();
        }
    }

    /// Asks all pollers to end, and returns them. No more start.
    fn close(&self) -> Vec<Running> {
        self.closed.store(true, Ordering::SeqCst);
        let mut of = lock(&self.of);
        let running: Vec<Running> = mem::take(&mut *of)
            .into_values()
            .filter_map(|entry| entry.running)
            .collect();
        for one in &running {
            one.stop();
        }
        running
    }
}
