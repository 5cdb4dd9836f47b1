//! Reconstruction of the deployments of a service that lost its status, from what runs and what is stored.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{COMPLETED, Deployments, FAILED, IN_PROGRESS, PRIMARY, id, of_revision};
use crate::{
    crd::DeploymentStatus,
    decide::{
        failed_tasks::{self, Look},
        pod_state::PodState,
    },
};

/// A service revision that has left traces.
#[derive(Clone, Copy, Debug)]
pub struct Remnant<'a> {
    /// The service revision.
    pub revision: &'a str,
    /// Its task definition, as in `web:3`.
    pub task_definition: &'a str,
}

/// What is left of a service that lost its status.
#[derive(Clone, Debug)]
pub struct Remnants<'a> {
    /// The revision of its workloads.
    pub running: Remnant<'a>,
    /// Whether its wanted tasks run, and no others.
    pub steady: bool,
    /// Other revisions, the newest first.
    pub others: Vec<Remnant<'a>>,
    /// The newest revision that is known to have failed, which may be the running one.
    pub failed: Option<Remnant<'a>>,
}

impl Deployments {
    /// Returns the deployments that these remnants show. Nothing in them begins, is rolled back, or ends what serves.
    #[must_use]
    pub fn rebuilt(
        service: &str,
        remnants: &Remnants<'_>,
        pods: &[Arc<PodState>],
        now: Timestamp,
    ) -> Self {
        let Remnants {
            running,
            steady,
            others,
            failed,
        } = remnants;
        let runs_failed = failed.is_some_and(|failed| failed.revision == running.revision);
        let failed = failed.filter(|_| !runs_failed);
        let count = |remnant: &Remnant<'_>, counts: fn(&PodState) -> bool| {
            let own = of_revision(pods, remnant.revision);
            own.iter()
                .filter(|pod| !pod.deleting && counts(pod))
                .count()
        };
        // Tasks that do not serve now may serve again.
        let there: Vec<&Remnant<'_>> = others
            .iter()
            .filter(|other| failed.is_none_or(|failed| failed.revision != other.revision))
            .filter(|other| count(other, |_| true) > 0)
            .collect();
        let mut served = there
            .iter()
            .filter(|other| count(other, |pod| pod.ready) > 0);
        let served = served.next().copied();
        let (state, completed) = match (runs_failed, steady) {
            // It stays as it is, however few of its tasks run.
            (true, _) => (FAILED, served),
            (false, true) => (COMPLETED, Some(running)),
            (false, false) => (IN_PROGRESS, served),
        };
        let mut list = vec![deployment(service, *running, state, pods, now)];
        list.extend(there.iter().map(|older| {
            let state = match completed {
                Some(completed) if completed.revision == older.revision => COMPLETED,
                Some(_) | None => IN_PROGRESS,
            };
            deployment(service, **older, state, &[], now)
        }));
        list.extend(failed.map(|failed| deployment(service, failed, FAILED, &[], now)));
        let mut rebuilt = Self {
            list,
            completed: completed.map(|completed| completed.revision.to_owned()),
            rolled_back: failed.map(|failed| failed.revision.to_owned()),
        };
        if runs_failed && completed.is_none() {
            rebuilt.give_up(pods);
        }
        rebuilt
    }
}

fn deployment(
    service: &str,
    remnant: Remnant<'_>,
    state: &str,
    pods: &[Arc<PodState>],
    now: Timestamp,
) -> DeploymentStatus {
    let id = id(service, remnant.revision, None, now);
    let own = of_revision(pods, remnant.revision);
    let under_way = state == IN_PROGRESS;
    let reason = match state {
        IN_PROGRESS => format!("ECS deployment {id} in progress."),
        COMPLETED => format!("ECS deployment {id} completed."),
        _ => "tasks failed to start.".to_owned(),
    };
    DeploymentStatus {
        id,
        status: PRIMARY.to_owned(),
        service_revision: Some(remnant.revision.to_owned()),
        task_definition: Some(remnant.task_definition.to_owned()),
        rollout_state: Some(state.to_owned()),
        rollout_state_reason: Some(reason),
        failed_tasks: Some(0),
        failures: if under_way {
            failed_tasks::baseline(Look {
                pods: &own,
                not_created: None,
                grace: 0,
                now,
            })
        } else {
            BTreeMap::new()
        },
        created_at: Some(Time(now)),
        updated_at: Some(Time(now)),
        ..DeploymentStatus::default()
    }
}
