//! `ecs-operator status`: shows the state of a service or task.

use std::{future::pending, process::ExitCode, time::Duration};

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
use tokio::time::{Instant, interval, sleep_until};

use super::{
    ClusterOptions, block_on, say, show,
    standing::{Standing, line, standing},
    state::{State, Task, Told},
    target::Target,
    terminal::{Screen, is_terminal},
    view::page,
};
use crate::{
    cli::{Error, values::seconds},
    crd::{EcsService, EcsTask, EcsTaskDefinition},
    translate::{SERVICE, TASK, WORKLOAD_LENGTH, kname},
};

/// How often the screen is redrawn if nothing changes, to update ages and adapt to its size.
const REDRAW: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusOptions {
    /// The name of an EcsService or EcsTask; service/NAME or task/NAME if both exist
    #[arg(value_name = "SERVICE|TASK")]
    name: String,
    /// Watch it; exit with 0 when the newest spec runs or the task has succeeded, with 1 when it has failed
    #[arg(long, short)]
    watch: bool,
    /// Exit with 1 after this time, for example 30s, 10m or 2h [default: wait forever]
    #[arg(long, value_name = "DURATION", value_parser = seconds, requires = "watch")]
    timeout: Option<i64>,
    #[command(flatten)]
    cluster: ClusterOptions,
}

/// Shows a service or task.
pub(in crate::cli) fn run(options: &StatusOptions) -> Result<ExitCode, Error> {
    block_on(async {
        let (client, namespace) = options.cluster.connect().await?;
        let target = Target::find(&client, &namespace, &options.name).await?;
        let seen = Seen::of(&target, &client, &namespace);
        let state = seen.now(target).await?;
        if options.watch {
            let seconds = options.timeout.and_then(|seconds| seconds.try_into().ok());
            return seen.follow(state, seconds.map(Duration::from_secs)).await;
        }
        show(&page(&state, Timestamp::now()).full())?;
        Ok(ExitCode::SUCCESS)
    })
}

/// A service or task, and where to find it.
struct Seen {
    client: Client,
    namespace: String,
    kind: &'static str,
    name: String,
    /// The label selector of its pods.
    labels: String,
}

impl Seen {
    fn of(target: &Target, client: &Client, namespace: &str) -> Self {
        let (kind, name, label) = match target {
            Target::Service(service) => ("EcsService", service.name_any(), SERVICE),
            Target::Task(task) => ("EcsTask", task.name_any(), TASK),
        };
        Self {
            client: client.clone(),
            namespace: namespace.to_owned(),
            kind,
            labels: format!("{label}={}", kname(&name, WORKLOAD_LENGTH)),
            name,
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Returns its current state.
    async fn now(&self, target: Target) -> Result<State, Error> {
        let of_it = ListParams::default().labels(&self.labels);
        let pods = self.api::<Pod>().list(&of_it).await;
        let pods = pods.map_err(Error::request("list its pods"))?;
        let events = self.api::<Event>().list(&ListParams::default()).await;
        let events = events.map_err(Error::request("list its events"))?;
        // Users without permission for these see the service alone.
        let definitions = self.api::<EcsTaskDefinition>();
        let definitions = definitions.list(&ListParams::default()).await;
        Ok(State {
            target: Some(target),
            task_definitions: definitions
                .into_iter()
                .flatten()
                .map(|definition| (definition.name_any(), definition))
                .collect(),
            tasks: pods
                .iter()
                .map(|pod| (pod.name_any(), Task::of(pod)))
                .collect(),
            events: events
                .iter()
                .filter_map(|event| {
                    let told = Told::of(event, self.kind, &self.name)?;
                    Some((event.name_any(), told))
                })
                .collect(),
        })
    }

    /// Shows it whenever it changes, until the end.
    async fn follow(&self, mut state: State, timeout: Option<Duration>) -> Result<ExitCode, Error> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut screen = is_terminal().then(Screen::default);
        let mut redraw = interval(REDRAW);
        let mut changes = self.changes(!state.task_definitions.is_empty());
        let mut last = String::new();
        loop {
            match &mut screen {
                Some(screen) => {
                    screen.draw(|size| page(&state, Timestamp::now()).fit(size))?;
                }
                None if line(&state) != last => {
                    last = line(&state);
                    show(&format!("{last}\n"))?;
                }
                None => {}
            }
            match standing(&state) {
                Standing::UnderWay => {}
                Standing::Done => return Ok(ExitCode::SUCCESS),
                Standing::Failed => return Ok(ExitCode::FAILURE),
            }
            let late = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                change = changes.try_next() => match change {
                    Ok(Some(change)) => change.apply(&mut state),
                    Ok(None) => return Ok(ExitCode::FAILURE),
                    Err(error) => return Err(Error::Watch(Box::new(error))),
                },
                _ = redraw.tick(), if screen.is_some() => {}
                () = late => {
                    let seconds = timeout.unwrap_or_default().as_secs();
                    say(&format!("{} is not done after {seconds} s", self.name))?;
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
    }

    fn changes(
        &self,
        with_definitions: bool,
    ) -> BoxStream<'static, Result<Update, watcher::Error>> {
        let field = |name: &str| watcher::Config::default().fields(name);
        let itself = field(&format!("metadata.name={}", self.name));
        let target = match self.kind {
            "EcsTask" => watcher(self.api::<EcsTask>(), itself)
                .map_ok(|change| Update::target(change, |task| Target::Task(Box::new(task))))
                .default_backoff()
                .boxed(),
            _ => watcher(self.api::<EcsService>(), itself)
                .map_ok(|change| Update::target(change, |it| Target::Service(Box::new(it))))
                .default_backoff()
                .boxed(),
        };
        let of_it = watcher::Config::default().labels(&self.labels);
        let pods = watcher(self.api::<Pod>(), of_it).map_ok(|change| match change {
            Change::Apply(pod) | Change::InitApply(pod) => {
                Update::Task(pod.name_any(), Some(Task::of(&pod)))
            }
            Change::Delete(pod) => Update::Task(pod.name_any(), None),
            Change::Init | Change::InitDone => Update::Nothing,
        });
        let (kind, name) = (self.kind, self.name.clone());
        let about = format!("regarding.kind={kind},regarding.name={name}");
        let events =
            watcher(self.api::<Event>(), field(&about)).map_ok(move |change| match change {
                Change::Apply(event) | Change::InitApply(event) => Told::of(&event, kind, &name)
                    .map_or(Update::Nothing, |told| {
                        Update::Event(event.name_any(), Some(told))
                    }),
                Change::Delete(event) => Update::Event(event.name_any(), None),
                Change::Init | Change::InitDone => Update::Nothing,
            });
        let mut all = vec![
            target,
            pods.default_backoff().boxed(),
            events.default_backoff().boxed(),
        ];
        if with_definitions {
            let any = watcher::Config::default();
            let definitions =
                watcher(self.api::<EcsTaskDefinition>(), any).map_ok(|change| match change {
                    Change::Apply(definition) | Change::InitApply(definition) => {
                        Update::Definition(Box::new(definition))
                    }
                    Change::Delete(_) | Change::Init | Change::InitDone => Update::Nothing,
                });
            all.push(definitions.default_backoff().boxed());
        }
        futures::stream::select_all(all).boxed()
    }
}

/// A change.
enum Update {
    Target(Option<Target>),
    Definition(Box<EcsTaskDefinition>),
    Task(String, Option<Task>),
    Event(String, Option<Told>),
    Nothing,
}

impl Update {
    fn target<K>(change: Change<K>, target: impl Fn(K) -> Target) -> Self {
        match change {
            Change::Apply(object) | Change::InitApply(object) => Self::Target(Some(target(object))),
            Change::Delete(_) => Self::Target(None),
            Change::Init | Change::InitDone => Self::Nothing,
        }
    }

    fn apply(self, state: &mut State) {
        match self {
            Self::Target(target) => state.target = target,
            Self::Definition(definition) => {
                let name = definition.name_any();
                drop(state.task_definitions.insert(name, *definition));
            }
            Self::Task(name, Some(task)) => drop(state.tasks.insert(name, task)),
            Self::Task(name, None) => drop(state.tasks.remove(&name)),
            Self::Event(name, Some(told)) => drop(state.events.insert(name, told)),
            Self::Event(name, None) => drop(state.events.remove(&name)),
            Self::Nothing => {}
        }
    }
}
