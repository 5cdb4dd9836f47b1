//! A leading replica of the operator: its caches, which the test updates, and its pending reconciles.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use futures::{FutureExt as _, channel::mpsc::UnboundedReceiver};
use kube::{
    Resource,
    runtime::{controller::Action, reflector::ObjectRef},
};
use serde_json::Value;

use super::{
    api_server::ApiServer,
    request::{NAMESPACE, Place},
    store::{Objects, Store},
    watches::observe,
};
use crate::{
    controller::{
        app_runner::APP_RUNNER_SERVICES,
        caches::{
            owner::Owner,
            policies::{NAMESPACES, POLICIES, Policies},
        },
        context::Context,
        events::Events,
        kind::Reconciled,
        pipe::PIPES,
        process::controllers::{again, reconcile},
        readings::end_minute,
        rule::RULES,
        schedule::SCHEDULES,
        service::Renewals,
        volumes::{delete_released, delete_those_unneeded},
    },
    crd::{
        AppRunnerService, EcsCapacityProvider, EcsCluster, EcsPipe, EcsRule, EcsSchedule,
        EcsService, EcsTask, EcsTaskDefinition,
    },
    decide::scaling::usage::{Reserved, Used},
    policy::Tenancy,
    server::Metrics,
    settings::{EcrPullSecrets, Mode, Settings, WorkloadTarget},
};

/// An object to reconcile.
#[derive(Clone, Debug, PartialEq)]
enum Waiting {
    CapacityProvider(ObjectRef<EcsCapacityProvider>),
    Cluster(ObjectRef<EcsCluster>),
    TaskDefinition(ObjectRef<EcsTaskDefinition>),
    Service(ObjectRef<EcsService>),
    Task(ObjectRef<EcsTask>),
    Pipe(ObjectRef<EcsPipe>),
    Rule(ObjectRef<EcsRule>),
    Schedule(ObjectRef<EcsSchedule>),
    AppRunner(ObjectRef<AppRunnerService>),
}

/// The receiving ends of the queues.
struct Queues {
    capacity_providers: UnboundedReceiver<ObjectRef<EcsCapacityProvider>>,
    clusters: UnboundedReceiver<ObjectRef<EcsCluster>>,
    task_definitions: UnboundedReceiver<ObjectRef<EcsTaskDefinition>>,
    services: UnboundedReceiver<ObjectRef<EcsService>>,
    tasks: UnboundedReceiver<ObjectRef<EcsTask>>,
    pipes: UnboundedReceiver<ObjectRef<EcsPipe>>,
    rules: UnboundedReceiver<ObjectRef<EcsRule>>,
    schedules: UnboundedReceiver<ObjectRef<EcsSchedule>>,
    app_runner_services: UnboundedReceiver<ObjectRef<AppRunnerService>>,
}

impl Queues {
    fn of(cx: &Context) -> Self {
        fn of_kind<K: Reconciled>(cx: &Context) -> UnboundedReceiver<ObjectRef<K>> {
            K::all(cx).queue().expect("it is taken once")
        }
        Self {
            capacity_providers: of_kind(cx),
            clusters: of_kind(cx),
            task_definitions: of_kind(cx),
            services: of_kind(cx),
            tasks: of_kind(cx),
            pipes: of_kind(cx),
            rules: of_kind(cx),
            schedules: of_kind(cx),
            app_runner_services: of_kind(cx),
        }
    }
}

/// The annotation of a service that says what its tasks use of their CPU, in percent.
pub(super) const CPU: &str = "example.com/cpu";

/// The objects whose changes a replica learns one step late.
pub(super) type Late = fn(&Place) -> bool;

/// A replica of the operator.
pub(super) struct Replica {
    cx: Arc<Context>,
    queues: Queues,
    late: Late,
    /// The objects that the caches have seen.
    told: Objects,
    /// The objects that existed when the caches were last updated.
    last: Objects,
    waiting: VecDeque<Waiting>,
    /// The objects whose reconcile failed.
    failed: Vec<Waiting>,
    /// Whether some volumes could not be deleted.
    volumes_left: bool,
    /// The objects that asked to be reconciled again after a while.
    again: Vec<Waiting>,
    /// The number of failures.
    failures: usize,
}

impl Replica {
    /// Returns a replica that has just become the leader, with all objects in its caches.
    pub(super) async fn start(server: &ApiServer, late: Late) -> Self {
        let settings = Settings {
            mode: Mode::Controller,
            in_cluster: true,
            workload_target: WorkloadTarget::EcsService,
            steady_seconds: 0,
            ecr_pull_secrets: EcrPullSecrets::On,
            ..Settings::default()
        };
        let client = server.client();
        let events = Events::new(client.clone(), "replica".to_owned());
        let (renewals, metrics) = (Renewals::new(None), Metrics::default());
        // Nothing is judged: the scenarios are about what happens to what is permitted.
        let policies = Policies::new(Tenancy::Single);
        let namespaces = Vec::new();
        let mut cx = Context::new(
            client, settings, policies, namespaces, events, renewals, metrics,
        );
        cx.home = Some(NAMESPACE.to_owned());
        cx.addons_known.store(true, Ordering::SeqCst);
        for kind in [
            &POLICIES,
            &NAMESPACES,
            &PIPES,
            &RULES,
            &SCHEDULES,
            &APP_RUNNER_SERVICES,
        ] {
            let mut filling = cx.catch_up.register(Some(kind));
            let term = filling.term();
            filling.filled(term);
        }
        cx.policies.observe_namespace(NAMESPACE, &BTreeMap::new());
        let mut replica = Self {
            queues: Queues::of(&cx),
            cx: Arc::new(cx),
            late,
            told: Objects::new(),
            last: Objects::new(),
            waiting: VecDeque::new(),
            failed: Vec::new(),
            volumes_left: false,
            again: Vec::new(),
            failures: 0,
        };
        server.report_to(&replica.cx);
        replica.catch_up(&server.store()).await;
        replica.cx.lead();
        delete_released(&replica.cx).await;
        replica
    }

    /// Updates the caches; late objects only to the state of the previous update.
    pub(super) async fn tell(&mut self, store: &Store) {
        let mut objects = self.last.clone();
        for (place, change) in changes(&self.last, store.objects()) {
            if !(self.late)(place) {
                match change.new {
                    Some(new) => objects.insert(place.clone(), new.clone()),
                    None => objects.remove(place),
                };
            }
        }
        self.last.clone_from(store.objects());
        self.hear(objects).await;
    }

    /// Updates the caches with all objects. Returns whether that was news.
    pub(super) async fn catch_up(&mut self, store: &Store) -> bool {
        self.last.clone_from(store.objects());
        self.hear(store.objects().clone()).await
    }

    async fn hear(&mut self, objects: Objects) -> bool {
        let before = std::mem::replace(&mut self.told, objects);
        let changes = changes(&before, &self.told);
        let mut released = false;
        for (place, Change { old, new }) in &changes {
            let uid = |object: &Value| object["metadata"]["uid"].clone();
            released |= new.is_some_and(|new| new["status"]["phase"] == "Released");
            let another = old.filter(|old| new.is_none_or(|new| uid(new) != uid(old)));
            if let Some(gone) = another {
                observe(&self.cx, place, gone, true);
            }
            if let Some(object) = new {
                observe(&self.cx, place, object, false);
            }
        }
        if released {
            delete_released(&self.cx).await;
        }
        if self.cx.unclaimed.notified().now_or_never().is_some() {
            self.volumes_left = !delete_those_unneeded(&self.cx).await;
        }
        !changes.is_empty()
    }

    /// Reconciles the next object in the queues. Returns whether there was one.
    pub(super) async fn reconcile(&mut self) -> bool {
        self.take_queues();
        let Some(next) = self.waiting.pop_front() else {
            return false;
        };
        let cx = &self.cx;
        let outcome = match &next {
            Waiting::CapacityProvider(name) => Box::pin(attempt(cx, name)).await,
            Waiting::Cluster(name) => Box::pin(attempt(cx, name)).await,
            Waiting::TaskDefinition(name) => Box::pin(attempt(cx, name)).await,
            Waiting::Service(name) => Box::pin(attempt(cx, name)).await,
            Waiting::Task(name) => Box::pin(attempt(cx, name)).await,
            Waiting::Pipe(name) => Box::pin(attempt(cx, name)).await,
            Waiting::Rule(name) => Box::pin(attempt(cx, name)).await,
            Waiting::Schedule(name) => Box::pin(attempt(cx, name)).await,
            Waiting::AppRunner(name) => Box::pin(attempt(cx, name)).await,
        };
        let list = if outcome.failed {
            self.failures += 1;
            &mut self.failed
        } else {
            &mut self.again
        };
        if outcome.again && !list.contains(&next) {
            list.push(next);
        }
        true
    }

    fn take_queues(&mut self) {
        let Queues {
            capacity_providers,
            clusters,
            task_definitions,
            services,
            tasks,
            pipes,
            rules,
            schedules,
            app_runner_services,
        } = &mut self.queues;
        let waiting = &mut self.waiting;
        drain(capacity_providers, waiting, Waiting::CapacityProvider);
        drain(clusters, waiting, Waiting::Cluster);
        drain(task_definitions, waiting, Waiting::TaskDefinition);
        drain(services, waiting, Waiting::Service);
        drain(tasks, waiting, Waiting::Task);
        drain(pipes, waiting, Waiting::Pipe);
        drain(rules, waiting, Waiting::Rule);
        drain(schedules, waiting, Waiting::Schedule);
        drain(app_runner_services, waiting, Waiting::AppRunner);
    }

    /// Waits until all events are published.
    pub(super) async fn farewell(&self) {
        self.cx.events.farewell().await;
    }

    /// Returns the number of failures.
    pub(super) const fn failures(&self) -> usize {
        self.failures
    }

    /// Retries what has failed. Returns whether there was anything.
    pub(super) fn try_again(&mut self) -> bool {
        let volumes_left = std::mem::take(&mut self.volumes_left);
        if volumes_left {
            self.failures += 1;
            self.cx.unclaimed.notify_one();
        }
        self.waiting.extend(self.failed.drain(..));
        volumes_left || !self.waiting.is_empty()
    }

    /// Queues the objects that asked to be reconciled again after a while, and ends a minute for scaling policies.
    pub(super) fn go_on(&mut self) {
        self.waiting.extend(self.again.drain(..));
        for object in self.told.values() {
            let used = object["metadata"]["annotations"][CPU].as_str();
            let used = used.and_then(|used| used.parse::<f64>().ok());
            if let (Some(percent), Some(name)) = (used, object["metadata"]["name"].as_str()) {
                let owner = Owner::Service(NAMESPACE.to_owned(), name.to_owned());
                let reserved = Reserved {
                    millicores: 1000,
                    bytes: 0,
                };
                let used = Used {
                    cores: percent / 100.0,
                    bytes: 0.0,
                };
                self.cx.readings.sample(&owner, &[(reserved, used)]);
            }
        }
        end_minute(&self.cx);
    }
}

/// An object before and after a change.
#[derive(Clone, Copy, Default)]
struct Change<'o> {
    old: Option<&'o Arc<Value>>,
    new: Option<&'o Arc<Value>>,
}

/// Returns the differences between two states.
fn changes<'o>(before: &'o Objects, after: &'o Objects) -> BTreeMap<&'o Arc<Place>, Change<'o>> {
    let mut changes: BTreeMap<&Arc<Place>, Change<'_>> = BTreeMap::new();
    let is_in = |objects: &Objects, place: &Place, object: &Arc<Value>| {
        let other = objects.get(place);
        other.is_some_and(|other| Arc::ptr_eq(other, object))
    };
    for (place, old) in before {
        if !is_in(after, place, old) {
            changes.entry(place).or_default().old = Some(old);
        }
    }
    for (place, new) in after {
        if !is_in(before, place, new) {
            changes.entry(place).or_default().new = Some(new);
        }
    }
    changes
}

/// Takes the objects out of a queue that do not wait already.
fn drain<K: Resource<DynamicType = ()>>(
    queue: &mut UnboundedReceiver<ObjectRef<K>>,
    waiting: &mut VecDeque<Waiting>,
    of_kind: fn(ObjectRef<K>) -> Waiting,
) {
    while let Ok(name) = queue.try_recv() {
        let one = of_kind(name);
        if !waiting.contains(&one) {
            waiting.push_back(one);
        }
    }
}

/// The result of a reconcile.
#[derive(Default)]
struct Outcome {
    failed: bool,
    again: bool,
}

/// Reconciles an object as its controller does.
async fn attempt<K: Reconciled>(cx: &Arc<Context>, name: &ObjectRef<K>) -> Outcome {
    let Some(object) = K::all(cx).store.get(name) else {
        return Outcome::default();
    };
    let (failed, action) = match reconcile(object.clone(), cx.clone()).await {
        Ok(action) => (false, action),
        Err(error) => (true, again(object, &error, cx.clone())),
    };
    Outcome {
        failed,
        again: action != Action::await_change(),
    }
}
