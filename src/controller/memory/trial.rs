//! One run of an operator, with at most one thing that goes wrong.

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

/// So many steps are enough for everything that a scenario asks for at a time.
const MOST_STEPS: usize = 1000;

/// What has failed so often, and changed nothing, fails for ever.
const MOST_IN_VAIN: usize = 8;

/// No object is late.
pub(super) const NOTHING_IS_LATE: Late = |_| false;

/// A replica that starts with these objects.
pub(super) struct Trial<'a> {
    pub(super) start: &'a Store,
    /// What somebody asks for once it is at rest; `None` if it has been asked for before the start.
    pub(super) act: Option<&'a Act>,
    /// The number of the request after that at which something goes wrong, and what.
    pub(super) fault: Option<(usize, Wrong)>,
    pub(super) late: Late,
    /// Whether Kubernetes does a step after each of the operator, and not only when that has nothing more to do.
    pub(super) hasty: bool,
}

/// How a trial ended.
pub(super) struct End {
    pub(super) store: Store,
    /// What was written before anybody asked for anything.
    pub(super) uncalled: Vec<String>,
    /// The requests since then.
    pub(super) asked: Vec<Asked>,
    /// What was told by events since then, in order.
    pub(super) events: Vec<Value>,
    /// How many tasks of each service have served all the time.
    pub(super) serving: Serving,
    /// What tasks of services lacked at some time that they need to start again.
    pub(super) lacking: BTreeSet<String>,
}

/// What was seen while there was something to do.
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

/// The lowest number of tasks that were ready at a time, by service.
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

    /// The services that had ready tasks first and have some now, and had none meanwhile.
    pub(super) fn interrupted(&self, now: &Store) -> Vec<&String> {
        let Self(now) = Self::now(now);
        let services = self.0.iter();
        let interrupted =
            services.filter(|(service, lowest)| **lowest == 0 && now.contains_key(*service));
        interrupted.map(|(service, _)| service).collect()
    }

    /// The services of which fewer tasks than there had been ready at a time.
    pub(super) fn fewer_than(&self, there: &Self) -> Vec<&String> {
        let services = self.0.iter().filter(|(service, lowest)| {
            let enough = there.0.get(*service);
            enough.is_some_and(|enough| *lowest < enough)
        });
        services.map(|(service, _)| service).collect()
    }
}

impl<'a> Trial<'a> {
    /// A replica that begins with these objects, and nothing goes wrong.
    pub(super) const fn of(start: &'a Store) -> Self {
        Self {
            start,
            act: None,
            fault: None,
            late: NOTHING_IS_LATE,
            hasty: false,
        }
    }

    /// Whether the operator lives and hears of all that it does, so that it tells of that once.
    pub(super) const fn tells_all(&self) -> bool {
        let hears = matches!(
            self.fault,
            None | Some((_, Wrong::Conflict | Wrong::Trouble))
        );
        self.act.is_some() && hears
    }

    /// Runs it until there is nothing more to do.
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

/// What is there after each of these was asked for, one after the other, of one replica.
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

/// Lets another replica do all that there is to do.
pub(super) fn overtake(server: ApiServer) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let mut replica = Replica::start(&server, NOTHING_IS_LATE).await;
        let rest = settle(&server, &mut replica, false).await;
        rest.expect("it comes to rest");
    })
}

/// Runs something on a clock that goes on only when it is told to.
fn in_no_time<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("it can be made").block_on(run)
}

/// Lets the operator and Kubernetes do what they have to do, until there is nothing more.
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
                // A watch tells of what comes and goes at once, too.
                replica.tell(&server.store()).await;
                server.with(kubernetes::step);
            }
            continue;
        }
        if replica.catch_up(&server.store()).await {
            continue;
        }
        // What has failed is tried again before Kubernetes goes on, once.
        tried = !tried && replica.try_again();
        if tried || server.with(kubernetes::step) {
            continue;
        }
        let state = (server.store().version(), replica.failures());
        if waited == Some(state) || in_vain == MOST_IN_VAIN {
            return Ok(meanwhile);
        }
        // Some can never succeed, and are tried for ever.
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
