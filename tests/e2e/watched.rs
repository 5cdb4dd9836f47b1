//! The tasks of a service, counted at every change that the API tells.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures::StreamExt as _;
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    Api, ResourceExt as _,
    runtime::watcher::{self, Event, watcher},
};
use tokio::task::JoinHandle;

use crate::support::Bed;

/// A pod as far as it counts.
#[derive(Clone, Copy, Default)]
struct Task {
    /// Whether a kubelet has it: what ECS calls PENDING begins there, and PROVISIONING, which nothing limits, ends.
    taken: bool,
    ready: bool,
    ending: bool,
}

/// What was seen since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The fewest healthy tasks.
    pub fewest: usize,
    /// The most tasks that were not told to end.
    pub most: usize,
    /// How many changes were seen.
    pub changes: usize,
}

#[derive(Default)]
struct State {
    tasks: BTreeMap<String, Task>,
    counts: Counts,
    /// The exit codes of those that are gone, and when they ended.
    ended: Vec<(i32, Timestamp)>,
}

impl State {
    fn now(&self) -> (usize, usize) {
        let there = self
            .tasks
            .values()
            .filter(|task| task.taken && !task.ending);
        let healthy = there.clone().filter(|task| task.ready).count();
        (healthy, there.count())
    }

    fn count(&mut self) {
        let (healthy, all) = self.now();
        let counts = &mut self.counts;
        counts.fewest = counts.fewest.min(healthy);
        counts.most = counts.most.max(all);
        counts.changes += 1;
    }
}

/// Counts the tasks of a service until it is dropped.
pub struct Watched {
    state: Arc<Mutex<State>>,
    watch: JoinHandle<()>,
}

impl Watched {
    /// Begins to count the tasks of a service that is steady.
    pub async fn new(bed: &Bed, service: &str) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let (told, filled) = tokio::sync::oneshot::channel();
        let watch = tokio::spawn(follow(bed.api(), service.to_owned(), state.clone(), told));
        filled.await.unwrap();
        let watched = Self { state, watch };
        watched.reset();
        watched
    }

    /// Forgets what was counted.
    pub fn reset(&self) {
        let mut state = self.state.lock().unwrap();
        let (fewest, most) = state.now();
        state.counts = Counts {
            fewest,
            most,
            changes: 0,
        };
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.state.lock().unwrap().counts
    }
}

impl Watched {
    /// The exit codes of the tasks that are gone, and when they ended.
    pub fn ended(&self) -> Vec<(i32, Timestamp)> {
        self.state.lock().unwrap().ended.clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

async fn follow(
    api: Api<Pod>,
    service: String,
    state: Arc<Mutex<State>>,
    filled: tokio::sync::oneshot::Sender<()>,
) {
    let labels = format!("ecs-operator.dev/service={service}");
    let mut events = Box::pin(watcher(api, watcher::Config::default().labels(&labels)));
    let mut filled = Some(filled);
    while let Some(event) = events.next().await {
        let mut state = state.lock().unwrap();
        match event.unwrap() {
            Event::Init => state.tasks.clear(),
            Event::InitApply(pod) => {
                state.tasks.insert(pod.name_any(), task(&pod));
            }
            Event::InitDone => {
                if let Some(filled) = filled.take() {
                    filled.send(()).unwrap();
                }
            }
            Event::Apply(pod) => {
                state.tasks.insert(pod.name_any(), task(&pod));
                state.count();
            }
            Event::Delete(pod) => {
                state.tasks.remove(&pod.name_any());
                state.ended.extend(end(&pod));
                state.count();
            }
        }
    }
}

fn end(pod: &Pod) -> Option<(i32, Timestamp)> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let end = status.state.as_ref()?.terminated.as_ref()?;
    Some((end.exit_code, end.finished_at.as_ref()?.0))
}

fn task(pod: &Pod) -> Task {
    let conditions = pod.status.as_ref().and_then(|it| it.conditions.as_ref());
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let status = pod.status.as_ref();
    Task {
        taken: status.is_some_and(|status| status.start_time.is_some()),
        ready,
        ending: pod.metadata.deletion_timestamp.is_some(),
    }
}
