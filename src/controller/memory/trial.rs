//! One run of an operator with at most one fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::runtime::Builder;

use super::{
    api_server::{ApiServer, Asked, Wrong},
    kubernetes,
    needs::lacking,
    pods,
    replica::{Late, Replica},
    scenario::Act,
    store::Store,
};
use crate::translate::SERVICE;

/// More steps than any act of a scenario needs.
const MOST_STEPS: usize = 1000;

/// After this many failures without any change, the work fails forever.
const MOST_IN_VAIN: usize = 8;

/// No object is late.
pub(super) const NOTHING_IS_LATE: Late = |_| false;

/// A replica that starts with these objects.
pub(super) struct Trial<'a> {
    pub(super) start: &'a Store,
    /// The user's action once the replica is at rest; `None` if it happened before the start.
    pub(super) act: Option<&'a Act>,
    /// The number of the request after that action that has a fault, and the fault.
    pub(super) fault: Option<(usize, Wrong)>,
    pub(super) late: Late,
    /// Whether Kubernetes takes a step after each one of the operator, instead of only when the operator is at rest.
    pub(super) hasty: bool,
}

/// The end of a trial.
pub(super) struct End {
    pub(super) store: Store,
    /// The writes before the user's action.
    pub(super) uncalled: Vec<String>,
    /// The requests since then.
    pub(super) asked: Vec<Asked>,
    /// The events since then, in order.
    pub(super) events: Vec<Value>,
    /// How many tasks of each service were serving throughout.
    pub(super) serving: Serving,
    /// The objects that tasks of services needed to restart and that were missing at some time.
    pub(super) lacking: BTreeSet<String>,
}

/// Observations before everything is at rest.
struct Meanwhile {
    serving: Serving,
    lacking: BTreeSet<String>,
}

impl Meanwhile {
    fn now(store: &Store) -> Self {
        Self {
            serving: Serving::now(store),
            lacking: lacking(store),
        }
    }

    fn see(&mut self, store: &Store) {
        self.serving.see(store);
        self.lacking.extend(lacking(store));
    }
}

/// The lowest number of tasks that were ready at any time, by service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Serving(BTreeMap<String, usize>);

impl Serving {
    fn now(store: &Store) -> Self {
        let mut ready = BTreeMap::new();
        for (_, pod) in store.of_kind("", "pods") {
            let service = pod["metadata"]["labels"][SERVICE].as_str();
            let goes = pod["metadata"].get("deletionTimestamp").is_some();
            if let Some(service) = service.filter(|_| pods::is_ready(&pod) && !goes) {
                *ready.entry(service.to_owned()).or_insert(0) += 1;
            }
        }
        Self(ready)
    }

    fn see(&mut self, store: &Store) {
        let Self(now) = Self::now(store);
        for (service, lowest) in &mut self.0 {
            *lowest = now.get(service).copied().unwrap_or(0).min(*lowest);
        }
    }

    /// Returns the services that had ready tasks at first and have some now, but had none in between.
    pub(super) fn interrupted(&self, now: &Store) -> Vec<&String> {
        let Self(now) = Self::now(now);
        let services = self.0.iter();
        let interrupted =
            services.filter(|(service, lowest)| **lowest == 0 && now.contains_key(*service));
        interrupted.map(|(service, _)| service).collect()
    }

    /// Returns the services that at some time had fewer ready tasks than in the other run.
    pub(super) fn fewer_than(&self, there: &Self) -> Vec<&String> {
        let services = self.0.iter().filter(|(service, lowest)| {
            let enough = there.0.get(*service);
            enough.is_some_and(|enough| *lowest < enough)
        });
        services.map(|(service, _)| service).collect()
    }
}

impl<'a> Trial<'a> {
    /// Returns a trial without a fault that starts with these objects.
    pub(super) const fn of(start: &'a Store) -> Self {
        Self {
            start,
            act: None,
            fault: None,
            late: NOTHING_IS_LATE,
            hasty: false,
        }
    }

    /// Whether the operator survives and learns of everything that it does, so that it reports it once.
    pub(super) const fn tells_all(&self) -> bool {
        let hears = matches!(
            self.fault,
            None | Some((_, Wrong::Conflict | Wrong::Trouble))
        );
        self.act.is_some() && hears
    }

    /// Runs the trial until everything is at rest.
    pub(super) fn run(&self) -> Result<End, String> {
        in_no_time(async {
            let server = ApiServer::new(self.start.clone());
            let mut replica = Replica::start(&server, self.late).await;
            let mut uncalled = Vec::new();
            if let Some(act) = self.act {
                settle(&server, &mut replica, self.hasty).await?;
                let writes = server.take_asked().into_iter().filter(|it| it.is_write);
                uncalled = writes.map(|write| write.what).collect();
                replica.farewell().await;
                server.take_events();
                server.fail(self.fault);
                server.with(|store| (act.act)(store));
            }
            let meanwhile = settle(&server, &mut replica, self.hasty).await?;
            replica.farewell().await;
            Ok(End {
                events: server.take_events(),
                serving: meanwhile.serving,
                lacking: meanwhile.lacking,
                store: server.store(),
                uncalled,
                asked: server.take_asked(),
            })
        })
    }
}

/// Returns the state after each of these actions, carried out by one replica.
pub(super) fn undisturbed<'a>(acts: impl Iterator<Item = &'a Act>) -> Vec<Store> {
    in_no_time(async {
        let server = ApiServer::new(Store::default());
        let mut replica = Replica::start(&server, NOTHING_IS_LATE).await;
        let mut ends = Vec::new();
        for act in acts {
            server.with(|store| (act.act)(store));
            let rest = settle(&server, &mut replica, false).await;
            rest.expect("it comes to rest");
            ends.push(server.store());
        }
        ends
    })
}

/// Runs another replica until all pending work is done.
pub(super) fn overtake(server: ApiServer) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let mut replica = Replica::start(&server, NOTHING_IS_LATE).await;
        let rest = settle(&server, &mut replica, false).await;
        rest.expect("it comes to rest");
    })
}

/// Runs a future on a clock that advances only when the test advances it.
pub(super) fn in_no_time<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("it can be made").block_on(run)
}

/// Runs the operator and Kubernetes until both are at rest.
async fn settle(
    server: &ApiServer,
    replica: &mut Replica,
    hasty: bool,
) -> Result<Meanwhile, String> {
    let mut meanwhile = Meanwhile::now(&server.store());
    let (mut tried, mut waited, mut in_vain) = (false, None::<(u64, usize)>, 0);
    let mut version = None;
    for _ in 0..MOST_STEPS {
        let store = server.store();
        if version.replace(store.version()) != Some(store.version()) {
            replica.tell(&store).await;
            meanwhile.see(&store);
        }
        if replica.reconcile().await {
            if hasty {
                // A watch also reports objects that are created and deleted between two updates.
                replica.tell(&server.store()).await;
                server.with(kubernetes::step);
            }
            continue;
        }
        if replica.catch_up(&server.store()).await {
            continue;
        }
        // Failed work is retried once before Kubernetes continues.
        tried = !tried && replica.try_again();
        if tried || server.with(kubernetes::step) {
            continue;
        }
        let state = (server.store().version(), replica.failures());
        if waited == Some(state) || in_vain == MOST_IN_VAIN {
            return Ok(meanwhile);
        }
        // Some work can never succeed, and is retried forever.
        let is_same = waited.is_some_and(|(version, _)| version == state.0);
        in_vain = if is_same { in_vain + 1 } else { 0 };
        waited = Some(state);
        tokio::time::advance(Duration::from_secs(10)).await;
        replica.go_on();
    }
    let asked = server.take_asked().into_iter().rev().take(5);
    let asked: Vec<String> = asked.map(|it| it.what).collect();
    Err(format!("it comes to no rest; the last requests: {asked:?}"))
}
