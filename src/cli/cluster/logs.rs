//! `ecs-operator logs`: prints the logs of a service's or task's containers.

use std::{
    collections::{BTreeSet, HashSet},
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use anstyle::{AnsiColor, Style};
use clap::Args;
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, LogParams},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use tokio::task::JoinSet;

use super::{
    ClusterOptions, block_on, say, standing::condition, target::Target, terminal::harmless,
};
use crate::{
    cli::{Error, values::seconds},
    crd::ACCEPTED,
    translate::{SERVICE, TASK, WORKLOAD_LENGTH, kname},
};

/// The colors of tasks, used in turn.
const COLORS: &[AnsiColor] = &[
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Magenta,
    AnsiColor::Blue,
];

#[derive(Debug, Args)]
pub(in crate::cli) struct LogsOptions {
    /// The name of an EcsService or EcsTask; service/NAME or task/NAME if both exist
    #[arg(value_name = "SERVICE|TASK")]
    name: String,
    /// Keep printing new lines, including those of containers that start later
    #[arg(long, short)]
    follow: bool,
    /// Only this container
    #[arg(long, short, value_name = "NAME")]
    container: Option<String>,
    /// Only this many last lines of each container [default: all]
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(i64).range(0..))]
    tail: Option<i64>,
    /// Only lines newer than this, for example 30s, 5m or 2h
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    since: Option<i64>,
    /// Print the logs of the containers before their last restart
    #[arg(long, short, conflicts_with = "follow")]
    previous: bool,
    #[command(flatten)]
    cluster: ClusterOptions,
}

/// Prints the logs.
pub(in crate::cli) fn run(options: &LogsOptions) -> Result<ExitCode, Error> {
    block_on(async {
        let (client, namespace) = options.cluster.connect().await?;
        let target = Target::find(&client, &namespace, &options.name).await?;
        let (labels, refusal) = describe(&target);
        let logs = Logs {
            pods: Api::namespaced(client, &namespace),
            labels,
            refusal,
            is_terminal: std::io::stdout().is_terminal(),
            params: LogParams {
                follow: options.follow,
                tail_lines: options.tail,
                since_seconds: options.since,
                previous: options.previous,
                ..LogParams::default()
            },
            container: options.container.clone(),
            order: Arc::default(),
        };
        let pods = logs.list().await?;
        if options.follow {
            logs.follow().await
        } else {
            logs.print(&pods).await
        }
    })
}

/// Returns the label selector of the pods, and why there are none if the spec is rejected.
fn describe(target: &Target) -> (String, Option<String>) {
    let (label, name, conditions) = match target {
        Target::Service(it) => (SERVICE, it.name_any(), &it.status.conditions),
        Target::Task(it) => (TASK, it.name_any(), &it.status.conditions),
    };
    let refusal = condition(conditions, ACCEPTED)
        .filter(|accepted| accepted.status == "False")
        .map(|refused| harmless(&format!("{}: {}", refused.reason, refused.message)));
    let name = kname(&name, WORKLOAD_LENGTH);
    (format!("{label}={name}"), refusal)
}

/// What to print, and for which pods.
#[derive(Clone)]
struct Logs {
    pods: Api<Pod>,
    labels: String,
    params: LogParams,
    container: Option<String>,
    /// Why there may be nothing to print, if the spec is rejected.
    refusal: Option<String>,
    /// Whether standard output is a terminal, so that control characters must be escaped.
    is_terminal: bool,
    /// The pods in the order in which they were seen, to choose their colors.
    order: Arc<Mutex<Vec<String>>>,
}

/// One start of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Start {
    pod: String,
    container: String,
    /// The ID of the container, which distinguishes restarts.
    id: String,
    /// Whether it is the only container of its pod.
    alone: bool,
}

/// Returns the containers of a pod that have started to print.
fn starts(pod: &Pod) -> Vec<Start> {
    let status = pod.status.clone().unwrap_or_default();
    let init = status.init_container_statuses.into_iter().flatten();
    let all: Vec<_> = init
        .chain(status.container_statuses.into_iter().flatten())
        .collect();
    let alone = all.len() == 1;
    all.into_iter()
        .filter_map(|container| {
            Some(Start {
                pod: pod.name_any(),
                id: container.container_id?,
                container: container.name,
                alone,
            })
        })
        .collect()
}

/// Returns the names of the containers of a pod.
fn containers(pod: &Pod) -> Vec<String> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_deref());
    let main = spec.map(|spec| spec.containers.as_slice());
    let all = init.into_iter().chain(main).flatten();
    all.map(|container| container.name.clone()).collect()
}

impl Logs {
    fn wanted(&self, pod: &Pod) -> Vec<Start> {
        let mut starts = starts(pod);
        starts.retain(|start| {
            self.container
                .as_ref()
                .is_none_or(|name| *name == start.container)
        });
        starts
    }

    /// Lists the current pods. It is an error if none of them has the requested container.
    async fn list(&self) -> Result<Vec<Pod>, Error> {
        let of_it = ListParams::default().labels(&self.labels);
        let pods = self.pods.list(&of_it).await;
        let pods = pods.map_err(Error::request("list the pods"))?.items;
        let names: BTreeSet<String> = pods.iter().flat_map(containers).collect();
        match &self.container {
            Some(name) if !names.is_empty() && !names.contains(name) => {
                Err(Error::NoSuchContainer {
                    name: name.clone(),
                    there: names.into_iter().collect::<Vec<_>>().join(", "),
                })
            }
            _ => Ok(pods),
        }
    }

    /// Prints the existing logs.
    async fn print(&self, pods: &[Pod]) -> Result<ExitCode, Error> {
        let starts: Vec<Start> = pods.iter().flat_map(|pod| self.wanted(pod)).collect();
        if starts.is_empty() {
            say("no container has started yet")?;
            if let Some(refusal) = &self.refusal {
                say(refusal)?;
            }
        }
        for start in starts {
            self.copy(&start).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints new lines, forever.
    async fn follow(&self) -> Result<ExitCode, Error> {
        let config = watcher::Config::default().labels(&self.labels);
        let mut changes = Box::pin(
            watcher(self.pods.clone(), config)
                .default_backoff()
                .applied_objects(),
        );
        let mut known = HashSet::new();
        let mut copies = JoinSet::new();
        loop {
            tokio::select! {
                pod = changes.try_next() => {
                    let pod = pod.map_err(|error| Error::Watch(Box::new(error)))?;
                    for start in pod.iter().flat_map(|pod| self.wanted(pod)) {
                        if known.insert(start.clone()) {
                            let logs = self.clone();
                            copies.spawn(async move { logs.copy(&start).await });
                        }
                    }
                }
                Some(Ok(copied)) = copies.join_next() => copied?,
            }
        }
    }

    /// Prints the lines of a container, each prefixed with its name.
    async fn copy(&self, start: &Start) -> Result<(), Error> {
        let params = LogParams {
            container: Some(start.container.clone()),
            ..self.params.clone()
        };
        let lines = match self.pods.log_stream(&start.pod, &params).await {
            Ok(lines) => lines,
            // It is gone, has not started, or was never restarted.
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => {
                return say(&format!("{}: {}", start.pod, status.message));
            }
            Err(error) => return Err(Error::request("read the log")(error)),
        };
        let head = self.head(start);
        let mut lines = lines.lines();
        loop {
            match lines.try_next().await {
                Ok(Some(line)) => {
                    let line = if self.is_terminal {
                        harmless(&line)
                    } else {
                        line
                    };
                    let mut out = anstream::stdout().lock();
                    writeln!(out, "{head} {line}").map_err(Error::writing("standard output"))?;
                }
                Ok(None) => return Ok(()),
                // The connection broke, as long-lived ones do; in a watch, the next start is read again.
                Err(error) => return say(&format!("{}: {error}", start.pod)),
            }
        }
    }

    /// Returns the prefix of each line of a container.
    fn head(&self, start: &Start) -> String {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = order.iter().position(|pod| *pod == start.pod);
        let place = seen.unwrap_or_else(|| {
            order.push(start.pod.clone());
            order.len() - 1
        });
        let color = COLORS.get(place % COLORS.len());
        let style = color.map_or_else(Style::new, |color| color.on_default());
        let name = if start.alone {
            start.pod.clone()
        } else {
            format!("{}/{}", start.pod, start.container)
        };
        format!("{style}{name}{style:#}")
    }
}
