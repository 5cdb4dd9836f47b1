//! `ecs-operator status`: what becomes of a service.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Args;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use k8s_openapi::{
    api::{core::v1::Pod, events::v1::Event},
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::ListParams,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event as Change, watcher},
    },
};

use super::{
    ClusterOptions,
    bar::{Standing, bar, line, standing},
    block_on,
    state::{State, Task, Told},
    view::page,
};
use crate::{cli::Error, crd::EcsService, translate::SERVICE};

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusOptions {
    /// The name of an EcsService
    #[arg(value_name = "SERVICE")]
    service: String,
    /// Follow its rollout: ends with 0 when the newest spec runs, with 1 when that has failed
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    cluster: ClusterOptions,
}

/// Shows a service.
pub(in crate::cli) fn run(options: &StatusOptions) -> Result<ExitCode, Error> {
    block_on(async {
        let (client, namespace) = options.cluster.connect().await?;
        let seen = Seen {
            services: Api::namespaced(client.clone(), &namespace),
            pods: Api::namespaced(client.clone(), &namespace),
            events: Api::namespaced(client, &namespace),
            name: options.service.clone(),
        };
        let state = seen.now(&namespace).await?;
        if options.watch {
            return seen.follow(state).await;
        }
        show(&page(&state, Timestamp::now()))?;
        Ok(ExitCode::SUCCESS)
    })
}

/// A service, and where it is seen.
struct Seen {
    services: Api<EcsService>,
    pods: Api<Pod>,
    events: Api<Event>,
    name: String,
}

impl Seen {
    fn labels(&self) -> String {
        format!("{SERVICE}={}", self.name)
    }

    /// The service as it is now.
    async fn now(&self, namespace: &str) -> Result<State, Error> {
        let service = self.services.get_opt(&self.name).await;
        let Some(service) = service.map_err(Error::request("get the EcsService"))? else {
            return Err(missing(self.services.clone().into_client(), namespace, &self.name).await);
        };
        let of_service = ListParams::default().labels(&self.labels());
        let pods = self.pods.list(&of_service).await;
        let pods = pods.map_err(Error::request("list its pods"))?;
        let events = self.events.list(&ListParams::default()).await;
        let events = events.map_err(Error::request("list its events"))?;
        Ok(State {
            service: Some(service),
            tasks: pods
                .iter()
                .map(|pod| (pod.name_any(), Task::of(pod)))
                .collect(),
            events: events
                .iter()
                .filter_map(|event| Some((event.name_any(), Told::of(event, &self.name)?)))
                .collect(),
        })
    }

    /// Shows the service whenever it changes, until its newest spec runs or has failed.
    async fn follow(&self, mut state: State) -> Result<ExitCode, Error> {
        let is_terminal = io::stdout().is_terminal();
        let mut changes = self.changes();
        let mut last = String::new();
        loop {
            let Some(service) = &state.service else {
                show("The service is gone.\n")?;
                return Ok(ExitCode::FAILURE);
            };
            if is_terminal {
                // From the upper left, with all that stood there cleared.
                let page = page(&state, Timestamp::now());
                show(&format!("\x1b[H\x1b[2J{page}\n{}\n", bar(service)))?;
            } else if line(service) != last {
                last = line(service);
                show(&format!("{last}\n"))?;
            }
            match standing(service) {
                Standing::UnderWay => {}
                Standing::Done => return Ok(ExitCode::SUCCESS),
                Standing::Failed => return Ok(ExitCode::FAILURE),
            }
            match changes.try_next().await {
                Ok(Some(change)) => change.apply(&mut state),
                Ok(None) => return Ok(ExitCode::FAILURE),
                Err(error) => return Err(Error::Watch(Box::new(error))),
            }
        }
    }

    fn changes(&self) -> BoxStream<'static, Result<Update, watcher::Error>> {
        let field = |name: &str| watcher::Config::default().fields(name);
        let services = watcher(
            self.services.clone(),
            field(&format!("metadata.name={}", self.name)),
        );
        let services = services.map_ok(|change| match change {
            Change::Apply(service) | Change::InitApply(service) => {
                Update::Service(Some(Box::new(service)))
            }
            Change::Delete(_) => Update::Service(None),
            Change::Init | Change::InitDone => Update::Nothing,
        });
        let of_service = watcher::Config::default().labels(&self.labels());
        let pods = watcher(self.pods.clone(), of_service).map_ok(|change| match change {
            Change::Apply(pod) | Change::InitApply(pod) => {
                Update::Task(pod.name_any(), Some(Task::of(&pod)))
            }
            Change::Delete(pod) => Update::Task(pod.name_any(), None),
            Change::Init | Change::InitDone => Update::Nothing,
        });
        let name = self.name.clone();
        let about = format!("regarding.kind=EcsService,regarding.name={name}");
        let events =
            watcher(self.events.clone(), field(&about)).map_ok(move |change| match change {
                Change::Apply(event) | Change::InitApply(event) => Told::of(&event, &name)
                    .map_or(Update::Nothing, |told| {
                        Update::Event(event.name_any(), Some(told))
                    }),
                Change::Delete(event) => Update::Event(event.name_any(), None),
                Change::Init | Change::InitDone => Update::Nothing,
            });
        futures::stream::select_all([
            services.default_backoff().boxed(),
            pods.default_backoff().boxed(),
            events.default_backoff().boxed(),
        ])
        .boxed()
    }
}

/// Something that has changed.
enum Update {
    Service(Option<Box<EcsService>>),
    Task(String, Option<Task>),
    Event(String, Option<Told>),
    Nothing,
}

impl Update {
    fn apply(self, state: &mut State) {
        match self {
            Self::Service(service) => state.service = service.map(|service| *service),
            Self::Task(name, Some(task)) => drop(state.tasks.insert(name, task)),
            Self::Task(name, None) => drop(state.tasks.remove(&name)),
            Self::Event(name, Some(told)) => drop(state.events.insert(name, told)),
            Self::Event(name, None) => drop(state.events.remove(&name)),
            Self::Nothing => {}
        }
    }
}

/// That a service is not there, and which ones are.
/// That there is no service of a name, and which ones there are.
pub(super) async fn missing(client: Client, namespace: &str, name: &str) -> Error {
    let services: Api<EcsService> = Api::namespaced(client, namespace);
    let there = match services.list_metadata(&ListParams::default()).await {
        Ok(there) => there.iter().map(|service| service.name_any()).collect(),
        Err(_) => Vec::new(),
    };
    Error::NoSuchService {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        there: if there.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there are {}", there.join(", "))
        },
    }
}

/// Prints a text at once.
pub(super) fn show(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::writing("standard output"))
}
