//! Finds the service of each scaling request.

use std::collections::BTreeMap;

use super::{
    super::{
        entry::{Entry, Target},
        kind::Kind,
        reference::ServiceName,
    },
    Linker,
    plan::{Duplicate, Finding, Plan},
};
use crate::diagnostic::{FieldPath, Message, Subject};

impl<'e> Linker<'e> {
    pub(super) fn plan_scaling(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let mut orphans: BTreeMap<(String, usize), (Plan, Counts)> = BTreeMap::new();
        let mut targets = BTreeMap::new();
        let clusters = self.services_in_clusters();
        for (index, entry) in self.entries.iter().enumerate() {
            let scaling = matches!(
                entry.form.kind(),
                Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction
            );
            if !scaling {
                continue;
            }
            let service = self.scaled_service(entry, &clusters);
            let plan = service.and_then(|service| {
                let plan = self.links.plans.get_mut(service)?;
                Some((service, plan))
            });
            let Some((service, plan)) = plan else {
                let group = match &entry.target {
                    Target::Service(service) => (service.name.to_string(), 0),
                    _ => (String::new(), index),
                };
                let (plan, counts) = orphans
                    .entry(group)
                    .or_insert_with(|| (Plan::orphan(index), Counts::default()));
                plan.scaling.push(index);
                let position = counts.next(entry.form.kind());
                plan.findings.push(orphan_finding(entry, position));
                continue;
            };
            if entry.form.kind() != Kind::ScalableTarget {
                plan.scaling.push(index);
                continue;
            }
            match targets.get(&service).copied() {
                Some(twin) => {
                    if !same(twin, index) {
                        self.links.duplicates.push(Duplicate {
                            document: index,
                            first: twin,
                            kind: Kind::ScalableTarget,
                            name: match &entry.target {
                                Target::Service(service) => service.name.to_string(),
                                _ => String::new(),
                            },
                        });
                    }
                }
                None => {
                    targets.insert(service, index);
                    plan.scaling.push(index);
                }
            }
        }
        let orphans = orphans.into_values().map(|(plan, _)| plan);
        self.links.plans.extend(orphans);
    }

    /// Returns the first plan of each name in each cluster.
    fn services_in_clusters(&self) -> BTreeMap<(&'e str, &'e str), usize> {
        let mut clusters = BTreeMap::new();
        for (name, plans) in &self.services {
            for plan in plans {
                let lead = self.links.plans.get(*plan);
                let lead = lead.and_then(|plan| self.entry(plan.lead));
                if let Some(cluster) = lead.and_then(|lead| lead.cluster.as_deref()) {
                    clusters.entry((*name, cluster)).or_insert(*plan);
                }
            }
        }
        clusters
    }

    /// Returns the plan of the service that a scaling request names, or of the only service if it names none.
    fn scaled_service(
        &self,
        entry: &Entry,
        clusters: &BTreeMap<(&str, &str), usize>,
    ) -> Option<usize> {
        match &entry.target {
            Target::Service(ServiceName { cluster, name }) => {
                let plans = self.services.get(&**name)?;
                let in_cluster = cluster
                    .as_deref()
                    .and_then(|cluster| clusters.get(&(&**name, cluster)));
                in_cluster.or_else(|| plans.first()).copied()
            }
            _ => {
                let mut plans = self.services.values().flatten().copied();
                let only = plans.next()?;
                plans.next().is_none().then_some(only)
            }
        }
    }
}

/// The number of scaling documents of a plan, for each kind that is stored in a list.
#[derive(Debug, Default)]
struct Counts {
    policies: usize,
    actions: usize,
}

impl Counts {
    /// Returns the position of another document of a kind.
    const fn next(&mut self, kind: Kind) -> usize {
        let count = match kind {
            Kind::ScalingPolicy => &mut self.policies,
            Kind::ScheduledAction => &mut self.actions,
            _ => return 0,
        };
        *count += 1;
        *count - 1
    }
}

/// Explains why a scaling request, the one at `position` among its kind, scales nothing.
fn orphan_finding(entry: &Entry, position: usize) -> Finding {
    let root = FieldPath::root(Subject::AutoScaling);
    let document = match entry.form.kind() {
        Kind::ScalingPolicy => root.field("scalingPolicies").index(position),
        Kind::ScheduledAction => root.field("scheduledActions").index(position),
        _ => root.field("scalableTarget"),
    };
    let message = match &entry.target {
        Target::Service(service) => Message::OrphanScaling {
            name: service.name.to_string(),
        },
        Target::Unclear => Message::OrphanScaling {
            name: "of this ResourceId".to_owned(),
        },
        _ => Message::RequiredField {
            name: "ResourceId".to_owned(),
        },
    };
    Finding {
        path: document.field("ResourceId"),
        message,
        consequence: entry.target == Target::Unclear,
    }
}
