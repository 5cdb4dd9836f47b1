//! `ecs-operator renew`: renders services again, a few at a time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use futures::StreamExt as _;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde_json::json;
use tokio::time::timeout;

use super::{ClusterOptions, block_on, show, target::missing};
use crate::{
    cli::{Error, values::seconds},
    crd::{ACCEPTED, EcsService},
    decide::deployment::{COMPLETED, FAILED},
    settings::RENEW_DEPLOYMENT,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct RenewOptions {
    /// The names of EcsServices
    #[arg(
        value_name = "SERVICE",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    services: Vec<String>,
    /// All services in the namespace that would be rendered differently now
    #[arg(long)]
    all: bool,
    /// How many services may have a deployment at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    max_in_flight: u16,
    /// Exit with 1 after this time, for example 30m or 2h; a deployment that has begun continues [default: wait
    /// forever]
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    timeout: Option<i64>,
    /// Show what would differ, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    cluster: ClusterOptions,
}

/// Renews services, and stops at the first whose deployment fails.
pub(in crate::cli) fn run(options: &RenewOptions) -> Result<ExitCode, Error> {
    block_on(async {
        let (client, namespace) = options.cluster.connect().await?;
        let services = chosen(options, client.clone(), &namespace).await?;
        let mut renewable = VecDeque::new();
        for service in services {
            let name = service.name_any();
            let renewal = &service.status.renewal;
            if is_refused(&service) {
                show(&format!("{name}: its spec is rejected; correct it first\n"))?;
                continue;
            }
            if renewal.state.as_deref() != Some("available") {
                show(&format!("{name}: nothing to renew\n"))?;
                continue;
            }
            if options.dry_run {
                let lines = renewal.differences.iter();
                let lines: String = lines.map(|line| format!("  {line}\n")).collect();
                show(&format!("{name}:\n{lines}"))?;
                continue;
            }
            renewable.push_back(service);
        }
        let fleet = Fleet {
            api: Api::namespaced(client, &namespace),
            most: usize::from(options.max_in_flight),
        };
        let renewed = fleet.renew(renewable);
        let limit = options.timeout.and_then(|seconds| seconds.try_into().ok());
        let Some(seconds) = limit else {
            return renewed.await;
        };
        match timeout(Duration::from_secs(seconds), renewed).await {
            Ok(code) => code,
            Err(_) => {
                show(&format!(
                    "not done after {seconds} s; the other services were not changed\n"
                ))?;
                Ok(ExitCode::FAILURE)
            }
        }
    })
}

/// Whether the operator rejects the spec of a service, so that nothing can be renewed.
fn is_refused(service: &EcsService) -> bool {
    let mut conditions = service.status.conditions.iter();
    conditions.any(|condition| condition.type_ == ACCEPTED && condition.status == "False")
}

async fn chosen(
    options: &RenewOptions,
    client: Client,
    namespace: &str,
) -> Result<Vec<EcsService>, Error> {
    let api: Api<EcsService> = Api::namespaced(client.clone(), namespace);
    if options.all {
        let listed = api.list(&ListParams::default()).await;
        return Ok(listed
            .map_err(Error::request("list the EcsServices"))?
            .items);
    }
    let mut chosen = Vec::new();
    for name in &options.services {
        let service = api.get_opt(name).await;
        match service.map_err(Error::request("get the EcsService"))? {
            Some(service) => chosen.push(service),
            None => return Err(missing(&client, namespace, name).await),
        }
    }
    Ok(chosen)
}

/// The result of renewing a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    UnderWay,
    Done,
    Refused,
    Failed,
}

/// The services of a namespace.
struct Fleet {
    api: Api<EcsService>,
    most: usize,
}

impl Fleet {
    async fn renew(&self, mut waiting: VecDeque<EcsService>) -> Result<ExitCode, Error> {
        // The deployment that each service had before, by service.
        let mut in_flight: BTreeMap<String, String> = BTreeMap::new();
        let mut listed = BTreeSet::new();
        let mut changes = watcher(self.api.clone(), watcher::Config::default())
            .default_backoff()
            .boxed();
        loop {
            while in_flight.len() < self.most
                && let Some(service) = waiting.pop_front()
            {
                let id = self.begin(&service).await?;
                in_flight.insert(service.name_any(), id);
            }
            if in_flight.is_empty() {
                return Ok(ExitCode::SUCCESS);
            }
            let service = match changes.next().await {
                Some(Ok(event)) => heard(event, &mut listed, &mut in_flight)?,
                // The watch restarts by itself.
                Some(Err(_)) => None,
                None => return Ok(ExitCode::FAILURE),
            };
            let Some(service) = service else { continue };
            let name = service.name_any();
            let Some(before) = in_flight.get(&name) else {
                continue;
            };
            match outcome(&service, before) {
                Outcome::UnderWay => {}
                Outcome::Done => {
                    show(&format!("{name}: renewed\n"))?;
                    in_flight.remove(&name);
                }
                Outcome::Refused => {
                    show(&format!("{name}: its spec is rejected; correct it first\n"))?;
                    in_flight.remove(&name);
                }
                Outcome::Failed => {
                    let left = waiting.len();
                    show(&format!(
                        "{name}: its deployment has failed; {left} services were not changed\n"
                    ))?;
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
    }

    /// Requests the renewal of what a service runs now. Returns the ID of its current deployment.
    async fn begin(&self, service: &EcsService) -> Result<String, Error> {
        let primary = service.status.deployments.first();
        let id = primary.map_or_else(String::new, |primary| primary.id.clone());
        let patch = Patch::Merge(json!({"metadata": {
            "uid": service.uid(),
            "annotations": {RENEW_DEPLOYMENT: id},
        }}));
        let params = PatchParams::default();
        let patched = self.api.patch(&service.name_any(), &params, &patch).await;
        patched.map_err(Error::request("annotate the EcsService"))?;
        Ok(id)
    }
}

/// Returns the service that a watch event reports. Deleted services are removed from those that are waited for.
fn heard(
    event: Event<EcsService>,
    listed: &mut BTreeSet<String>,
    in_flight: &mut BTreeMap<String, String>,
) -> Result<Option<EcsService>, Error> {
    match event {
        Event::Apply(service) => return Ok(Some(service)),
        Event::InitApply(service) => {
            listed.insert(service.name_any());
            return Ok(Some(service));
        }
        Event::Init => listed.clear(),
        Event::InitDone => {
            // A service may have been deleted while no watch was running.
            let gone = in_flight.keys().filter(|name| !listed.contains(*name));
            for name in gone.cloned().collect::<Vec<_>>() {
                deleted(&name, in_flight)?;
            }
        }
        Event::Delete(gone) => deleted(&gone.name_any(), in_flight)?,
    }
    Ok(None)
}

/// Reports that a service was deleted, if its renewal was waited for.
fn deleted(name: &str, in_flight: &mut BTreeMap<String, String>) -> Result<(), Error> {
    match in_flight.remove(name) {
        Some(_) => show(&format!("{name}: deleted\n")),
        None => Ok(()),
    }
}

fn outcome(service: &EcsService, before: &str) -> Outcome {
    let deployments = &service.status.deployments;
    let Some(primary) = deployments.first().filter(|primary| primary.id != before) else {
        return if is_refused(service) {
            Outcome::Refused
        } else {
            Outcome::UnderWay
        };
    };
    let is = |state: &str| primary.rollout_state.as_deref() == Some(state);
    if is(FAILED) || service.status.rolled_back_revision.is_some() {
        return Outcome::Failed;
    }
    if is(COMPLETED) {
        Outcome::Done
    } else {
        Outcome::UnderWay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_service_that_is_gone() {
        let service = |name: &str| -> EcsService {
            serde_json::from_value(json!({"metadata": {"name": name}})).expect("it is a service")
        };
        let mut listed = BTreeSet::new();
        let names = ["web", "api", "job"];
        let mut waits: BTreeMap<_, _> = names.map(|it| (it.to_owned(), "1".to_owned())).into();
        let mut hear = |event| {
            let told = heard(event, &mut listed, &mut waits).expect("it can be said");
            (told.is_some(), waits.len())
        };
        assert_eq!(hear(Event::Apply(service("web"))), (true, 3));
        assert_eq!(hear(Event::Delete(service("job"))), (false, 2));
        assert_eq!(hear(Event::Init), (false, 2));
        assert_eq!(hear(Event::InitApply(service("web"))), (true, 2));
        assert_eq!(hear(Event::InitDone), (false, 1));
    }

    #[test]
    fn a_renewal_is_done_when_another_deployment_has_completed() {
        let service = |id: &str, state: &str, rolled_back: Option<&str>| -> EcsService {
            serde_json::from_value(json!({"metadata": {"name": "web"}, "status": {
                "deployments": [{"id": id, "rolloutState": state}],
                "rolledBackRevision": rolled_back,
            }}))
            .expect("it is a service")
        };
        for (id, state, rolled_back, expected) in [
            ("1", "COMPLETED", None, Outcome::UnderWay),
            ("2", "IN_PROGRESS", None, Outcome::UnderWay),
            ("2", "COMPLETED", None, Outcome::Done),
            ("2", "FAILED", None, Outcome::Failed),
            ("3", "COMPLETED", Some("a"), Outcome::Failed),
        ] {
            let service = service(id, state, rolled_back);
            assert_eq!(outcome(&service, "1"), expected, "{id} {state}");
        }
    }
}
