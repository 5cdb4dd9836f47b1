//! The counts of deployments, and which deployments are still worth reporting.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    ACTIVE, COMPLETED, Deployments, FAILED, INACTIVE, PRIMARY, Target, Wanted, of_revision, pods_of,
};
use crate::decide::pod_state::PodState;

/// The most deployments that a status lists; more would be of no use to a reader.
const LONGEST_LIST: usize = 10;

impl Deployments {
    /// Updates the counts, and forgets deployments that are over and no longer needed.
    pub fn recount(&mut self, wanted: &Wanted<'_>, pods: &[Arc<PodState>]) {
        if self.is(FAILED) && self.completed.is_none() {
            // Tasks may have become healthy after the deployment failed and before they were ended.
            self.spare(pods);
        }
        let target = self.target();
        let mut seen = Vec::new();
        for (index, deployment) in self.list.iter_mut().enumerate() {
            let revision = deployment.service_revision.clone().unwrap_or_default();
            // If two deployments have the same pods, the tasks count for the newer one.
            let label = pods_of(&revision).to_owned();
            let is_first = !seen.contains(&label);
            let own = of_revision(pods, &revision);
            let own = if is_first { own.as_slice() } else { &[] };
            let running = own.iter().filter(|pod| pod.ready && !pod.deleting).count();
            let running = i64::try_from(running).unwrap_or(i64::MAX);
            let desired = match &target {
                Some(Target { revision, most }) if is_first && pods_of(revision) == label => {
                    most.map_or(wanted.desired, |most| most.min(wanted.desired))
                }
                Some(_) | None => 0,
            };
            deployment.desired_count = Some(desired);
            deployment.running_count = Some(running);
            deployment.pending_count = Some((desired - running).max(0));
            let has_tasks = desired > 0 || own.iter().any(|pod| !pod.deleting);
            let status = match index {
                0 => PRIMARY,
                _ if has_tasks => ACTIVE,
                _ => INACTIVE,
            };
            status.clone_into(&mut deployment.status);
            if index > 0 {
                deployment.failures = BTreeMap::new();
            }
            seen.push(label);
        }
        self.forget();
    }

    fn forget(&mut self) {
        // The deployment to return to is needed until the newest one is done.
        let mut good = self.completed.clone().filter(|_| !self.is(COMPLETED));
        let failed = self.rolled_back.clone();
        // Until one completes, tasks of any deployment may start to serve, because a recorded decision may not be
        // applied yet.
        let any = self.completed.is_none();
        self.list.retain(|deployment| {
            let is =
                |other: &Option<String>| other.is_some() && deployment.service_revision == *other;
            let is_good = is(&good);
            if is_good {
                good = None;
            }
            any || deployment.status != INACTIVE || is(&failed) || is_good
        });
        self.list.truncate(LONGEST_LIST);
    }
}
