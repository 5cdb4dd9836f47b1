//! Finds the service of each scaling request.

use std::collections::BTreeMap;

use super::{
    super::{
        entry::{Entry, Target},
        kind::Kind,
        placeholder::placeholders,
        reference::ServiceName,
    },
    Linker,
    plan::{Duplicate, Finding, Plan},
};
use crate::diagnostic::{FieldPath, Message, Subject};

/// The plans of services.
#[derive(Debug, Default)]
pub(super) struct Services<'e> {
    by_cluster: BTreeMap<(&'e str, &'e str), usize>,
    by_name: BTreeMap<&'e str, Named>,
}

/// The services of one name.
#[derive(Debug, Default)]
struct Named {
    any: Sole,
    /// Those without a cluster, or with one that is still a placeholder.
    of_no_cluster: Sole,
}

/// The only one of its kind, if there is just one.
#[derive(Clone, Copy, Debug, Default)]
enum Sole {
    #[default]
    None,
    One(usize),
    Several,
}

impl Sole {
    const fn add(&mut self, plan: usize) {
        *self = match self {
            Self::None => Self::One(plan),
            _ => Self::Several,
        };
    }

    const fn plan(self) -> Option<usize> {
        match self {
            Self::One(plan) => Some(plan),
            Self::None | Self::Several => None,
        }
    }
}

impl<'e> Services<'e> {
    fn add(&mut self, name: &'e str, cluster: Option<&'e str>, plan: usize) {
        let named = self.by_name.entry(name).or_default();
        named.any.add(plan);
        match cluster.filter(|cluster| is_certain(cluster)) {
            Some(cluster) => {
                self.by_cluster.entry((name, cluster)).or_insert(plan);
            }
            None => named.of_no_cluster.add(plan),
        }
    }

    /// Returns the plan of the service that a scaling request names, or of the only service if it names none.
    ///
    /// A service of another cluster never matches. If one of both names no cluster, or one that is still a placeholder,
    /// the name decides, provided that only one service has it.
    pub(super) fn scaled_by(&self, entry: &Entry) -> Option<usize> {
        if let Target::Service(name) = entry.target() {
            return self.named(name);
        }
        let mut names = self.by_name.values();
        match (names.next(), names.next()) {
            (Some(only), None) => only.any.plan(),
            _ => None,
        }
    }

    /// Returns the plan of the service of a name.
    pub(super) fn named(&self, ServiceName { cluster, name }: &ServiceName) -> Option<usize> {
        let named = self.by_name.get(&**name)?;
        match cluster.as_deref().filter(|cluster| is_certain(cluster)) {
            Some(cluster) => {
                let exact = self.by_cluster.get(&(&**name, cluster)).copied();
                exact.or_else(|| named.of_no_cluster.plan())
            }
            None => named.any.plan(),
        }
    }
}

/// Whether a name is known, and not a placeholder that may stand for any.
fn is_certain(name: &str) -> bool {
    placeholders(name).next().is_none()
}

/// Whether a document names the service that it scales.
const fn is_scaling(entry: &Entry) -> bool {
    matches!(
        entry.form.kind(),
        Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction
    )
}

impl<'e> Linker<'e> {
    pub(super) fn plan_scaling(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let is_alarm = |entry: &Entry| entry.form.kind() == Kind::Alarm;
        if !self.entries.iter().any(|it| is_scaling(it) || is_alarm(it)) {
            return;
        }
        let mut orphans: BTreeMap<(String, usize), (Plan, Counts)> = BTreeMap::new();
        let mut targets = BTreeMap::new();
        let services = self.services_in_clusters();
        for (index, entry) in self.entries.iter().enumerate() {
            if !is_scaling(entry) {
                continue;
            }
            let service = services.scaled_by(entry);
            let plan = service.and_then(|service| {
                let plan = self.links.plans.get_mut(service)?;
                Some((service, plan))
            });
            let Some((service, plan)) = plan else {
                let group = match entry.target() {
                    Target::Service(service) => (service.name.to_string(), 0),
                    _ => (String::new(), index),
                };
                let (plan, counts) = orphans
                    .entry(group)
                    .or_insert_with(|| (Plan::orphan(index), Counts::default()));
                plan.scale(index);
                let position = counts.next(entry.form.kind());
                plan.report(orphan_finding(entry, position, &services));
                continue;
            };
            if entry.form.kind() != Kind::ScalableTarget {
                plan.scale(index);
                continue;
            }
            match targets.get(&service).copied() {
                Some(twin) => {
                    if !same(twin, index) {
                        self.links.duplicates.push(Duplicate {
                            document: index,
                            first: twin,
                            kind: Kind::ScalableTarget,
                            name: match entry.target() {
                                Target::Service(service) => service.name.to_string(),
                                _ => String::new(),
                            },
                        });
                    }
                }
                None => {
                    targets.insert(service, index);
                    plan.scale(index);
                }
            }
        }
        self.plan_alarms(&services);
        let orphans = orphans.into_values().map(|(plan, _)| plan);
        self.links.plans.extend(orphans);
    }

    fn services_in_clusters(&self) -> Services<'e> {
        let mut services = Services::default();
        for (name, plan) in self.services() {
            let lead = self.links.plans.get(plan);
            let lead = lead.and_then(|plan| self.entry(plan.lead()));
            services.add(name, lead.and_then(Entry::cluster), plan);
        }
        services
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
fn orphan_finding(entry: &Entry, position: usize, services: &Services<'_>) -> Finding {
    let root = FieldPath::root(Subject::AutoScaling);
    let document = match entry.form.kind() {
        Kind::ScalingPolicy => root.field("scalingPolicies").index(position),
        Kind::ScheduledAction => root.field("scheduledActions").index(position),
        _ => root.field("scalableTarget"),
    };
    let message = match entry.target() {
        Target::Service(ServiceName { cluster, name }) => Message::OrphanScaling {
            name: match cluster {
                Some(cluster) if services.by_name.contains_key(&**name) => {
                    format!("{name} of cluster {cluster}")
                }
                _ => name.to_string(),
            },
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
        consequence: *entry.target() == Target::Unclear,
    }
}
