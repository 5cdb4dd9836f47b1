//! One run of an operator, with at most one thing that goes wrong.

use std::time::Duration;

use tokio::runtime::Builder;

use super::{
    api_server::{ApiServer, Asked, Wrong},
    kubernetes,
    replica::{Late, Replica},
    scenario::Act,
    store::Store,
};

/// So many steps are enough for everything that a scenario asks for at a time.
const MOST_STEPS: usize = 1000;

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
}

impl Trial<'_> {
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
                server.fail(self.fault);
                server.with(|store| (act.act)(store));
            }
            settle(&server, &mut replica, self.hasty).await?;
            Ok(End {
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

/// Runs something on a clock that goes on only when it is told to.
fn in_no_time<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime.expect("it can be made").block_on(run)
}

/// Lets the operator and Kubernetes do what they have to do, until there is nothing more.
async fn settle(server: &ApiServer, replica: &mut Replica, hasty: bool) -> Result<(), String> {
    let (mut tried, mut waited) = (false, None);
    for _ in 0..MOST_STEPS {
        replica.tell(&server.store()).await;
        if replica.reconcile().await {
            if hasty {
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
        if waited == Some(state) {
            return Ok(());
        }
        waited = Some(state);
        tokio::time::advance(Duration::from_secs(10)).await;
        replica.go_on();
    }
    let asked = server.take_asked().into_iter().rev().take(5);
    let asked: Vec<String> = asked.map(|it| it.what).collect();
    Err(format!("it comes to no rest; the last requests: {asked:?}"))
}
