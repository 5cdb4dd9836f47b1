//! Which documents belong together. Works on entries alone, so that no document has to stay in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    entry::{Entry, Target},
    kind::Kind,
    placeholder::placeholders,
    reference::{Reference, ServiceName},
};
use crate::diagnostic::{FieldPath, Message, Subject};

/// Documents that are converted together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// The document that the unit is made for.
    pub(super) lead: usize,
    pub(super) role: Role,
    pub(super) task_definition: Option<Choice>,
    /// The scaling documents in the order of the input.
    pub(super) scaling: Vec<usize>,
    pub(super) findings: Vec<Finding>,
}

/// What a unit is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A service.
    Service,
    /// The tasks of a `RunTask` request.
    Task,
    /// A task definition that nothing runs, so that a service is assumed.
    Assumed,
    /// A revision of a task definition that is not the one that is run.
    Unused,
    /// Scaling requests whose service is not among the documents.
    Orphan,
}

/// The task definition that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) entry: usize,
    /// The revision, from the document or from who pins it.
    pub(super) revision: Option<u64>,
}

/// Something found while linking.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) path: FieldPath,
    pub(super) message: Message,
    /// Whether it goes without saying once the document itself has errors.
    pub(super) consequence: bool,
}

/// The result: plans in the order of their leads, and documents that must not be there.
#[derive(Debug, Default)]
pub(super) struct Links {
    pub(super) plans: Vec<Plan>,
    pub(super) problems: Vec<(usize, Message)>,
}

/// Links documents.
///
/// `folders` has the number of the folder of each file. `same` tells whether two documents have the same content; it
/// is asked only about two of the same name.
pub(super) fn link(
    entries: &[Entry],
    folders: &[usize],
    same: &mut dyn FnMut(usize, usize) -> bool,
) -> Links {
    let mut linker = Linker {
        entries,
        folders,
        families: BTreeMap::new(),
        services: BTreeMap::new(),
        scopes: None,
        run: BTreeSet::new(),
        links: Links::default(),
    };
    linker.collect_task_definitions(same);
    linker.plan_runs();
    linker.drop_duplicate_services(same);
    linker.plan_lone_task_definitions();
    linker.plan_scaling(same);
    linker.links.plans.sort_by_key(|plan| plan.lead);
    linker.links
}

/// A name within a namespace.
type Key<'e> = (Option<&'e str>, &'e str);

struct Linker<'e> {
    entries: &'e [Entry],
    folders: &'e [usize],
    /// The task definitions of a family, oldest revision first; one without a revision is the newest.
    families: BTreeMap<Key<'e>, Vec<usize>>,
    /// The plans of the services of a name.
    services: BTreeMap<&'e str, Vec<usize>>,
    scopes: Option<Scopes>,
    /// The task definitions that something runs.
    run: BTreeSet<usize>,
    links: Links,
}

/// The only task definition of a file, a folder, the whole input; `None` where there are several.
#[derive(Debug, Default)]
struct Scopes {
    files: BTreeMap<usize, Option<usize>>,
    folders: BTreeMap<usize, Option<usize>>,
    all: BTreeMap<(), Option<usize>>,
}

impl<'e> Linker<'e> {
    fn entry(&self, index: usize) -> Option<&'e Entry> {
        self.entries.get(index)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = (usize, &'e Entry)> + use<'e> {
        self.entries
            .iter()
            .enumerate()
            .filter(move |(_, entry)| entry.form.kind() == kind)
    }

    fn collect_task_definitions(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        for (index, entry) in self.of_kind(Kind::TaskDefinition) {
            let Some(family) = entry.name.as_deref() else {
                continue;
            };
            let others = self
                .families
                .entry((entry.namespace.as_deref(), family))
                .or_default();
            let twin = others.iter().copied().find(|other| {
                let other = self.entries.get(*other);
                other.is_some_and(|other| other.revision == entry.revision)
            });
            match twin {
                None => others.push(index),
                Some(twin) if same(twin, index) => {}
                Some(_) => self.links.problems.push((
                    index,
                    Message::DuplicateDocument {
                        kind: Kind::TaskDefinition.name().to_owned(),
                        name: revision_name(family, entry.revision),
                    },
                )),
            }
        }
        for revisions in self.families.values_mut() {
            revisions.sort_by_key(|index| {
                let revision = self.entries.get(*index).and_then(|entry| entry.revision);
                revision.unwrap_or(u64::MAX)
            });
        }
    }

    /// The revisions of a family, in the own namespace or in none.
    fn family<'s>(&'s self, namespace: Option<&'s str>, family: &'s str) -> Option<&'s Vec<usize>> {
        self.families
            .get(&(namespace, family))
            .or_else(|| self.families.get(&(None, family)))
    }

    fn resolve(&self, namespace: Option<&'e str>, reference: &Reference) -> Option<Choice> {
        let revisions = self.family(namespace, &reference.family)?;
        let revision = |index: usize| self.entry(index).and_then(|entry| entry.revision);
        let Some(wanted) = reference.revision else {
            let newest = *revisions.last()?;
            return Some(Choice {
                entry: newest,
                revision: revision(newest),
            });
        };
        let exact = revisions.iter().copied();
        let exact = exact.clone().find(|index| revision(*index) == Some(wanted));
        let unnumbered = || {
            let newest = *revisions.last()?;
            revision(newest).is_none().then_some(newest)
        };
        Some(Choice {
            entry: exact.or_else(unnumbered)?,
            revision: Some(wanted),
        })
    }

    /// The only task definition given together with a document: in its file, else in its folder, else at all.
    fn sole(&mut self, entry: &Entry) -> Option<Choice> {
        let families = &self.families;
        let entries = self.entries;
        let folders = self.folders;
        let scopes = self.scopes.get_or_insert_with(|| {
            let mut scopes = Scopes::default();
            for newest in families.values().filter_map(|revisions| revisions.last()) {
                let Some(origin) = entries.get(*newest).map(|entry| entry.origin) else {
                    continue;
                };
                let only = Some(*newest);
                let folder = folders.get(origin).copied().unwrap_or_default();
                let several = |known: &mut Option<usize>| *known = None;
                scopes
                    .files
                    .entry(origin)
                    .and_modify(several)
                    .or_insert(only);
                scopes
                    .folders
                    .entry(folder)
                    .and_modify(several)
                    .or_insert(only);
                scopes.all.entry(()).and_modify(several).or_insert(only);
            }
            scopes
        });
        let folder = folders.get(entry.origin)?;
        let found = scopes
            .files
            .get(&entry.origin)
            .or_else(|| scopes.folders.get(folder))
            .or_else(|| scopes.all.get(&()));
        let index = (*found?)?;
        Some(Choice {
            entry: index,
            revision: entries.get(index)?.revision,
        })
    }

    fn plan_runs(&mut self) {
        for (index, entry) in self.entries.iter().enumerate() {
            let (role, subject) = match entry.form.kind() {
                Kind::Service => (Role::Service, Subject::Service),
                Kind::Task => (Role::Task, Subject::Task),
                _ => continue,
            };
            let mut findings = Vec::new();
            let path = FieldPath::root(subject).field("taskDefinition");
            let choice = self.choose(entry, &path, &mut findings);
            if let Some(choice) = choice {
                self.run.insert(choice.entry);
                if role == Role::Service && entry.name.is_none() {
                    findings.push(Finding {
                        path: FieldPath::root(subject).field("serviceName"),
                        message: Message::ServiceNameAssumed {
                            name: self.service_name_of(choice).to_owned(),
                        },
                        consequence: true,
                    });
                }
            } else if role == Role::Service && entry.name.is_none() {
                findings.push(Finding {
                    path: FieldPath::root(subject).field("serviceName"),
                    message: Message::RequiredField {
                        name: "serviceName".to_owned(),
                    },
                    consequence: false,
                });
            }
            if role == Role::Service {
                let name = match (entry.name.as_deref(), choice) {
                    (Some(name), _) => name,
                    (None, Some(choice)) => self.service_name_of(choice),
                    (None, None) => "",
                };
                let plan = self.links.plans.len();
                self.services.entry(name).or_default().push(plan);
            }
            self.links.plans.push(Plan {
                lead: index,
                role,
                task_definition: choice,
                scaling: Vec::new(),
                findings,
            });
        }
    }

    /// The name of a service that has none: its task definition's family.
    fn service_name_of(&self, choice: Choice) -> &'e str {
        self.entry(choice.entry)
            .and_then(|entry| entry.name.as_deref())
            .unwrap_or_default()
    }

    /// What a service or a task runs.
    fn choose(
        &mut self,
        entry: &'e Entry,
        path: &FieldPath,
        findings: &mut Vec<Finding>,
    ) -> Option<Choice> {
        let missing = match &entry.target {
            Target::TaskDefinition(reference) => {
                let found = self.resolve(entry.namespace.as_deref(), reference);
                if found.is_some() {
                    return found;
                }
                let value = revision_name(&reference.family, reference.revision);
                if placeholders(&value).next().is_none() {
                    findings.push(Finding {
                        path: path.clone(),
                        message: Message::TaskDefinitionNotFound { value },
                        consequence: false,
                    });
                    return None;
                }
                Message::TaskDefinitionNotFound { value }
            }
            _ => Message::TaskDefinitionRequired,
        };
        let choice = self.sole(entry);
        findings.push(Finding {
            path: path.clone(),
            message: match choice {
                Some(choice) => Message::TaskDefinitionAssumed {
                    name: self.service_name_of(choice).to_owned(),
                },
                None => missing,
            },
            consequence: entry.target == Target::Unclear,
        });
        choice
    }

    /// Two services of one name in one cluster must be the same document.
    fn drop_duplicate_services(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let mut dropped = Vec::new();
        for (name, plans) in &mut self.services {
            if name.is_empty() || plans.len() < 2 {
                continue;
            }
            let mut kept: Vec<usize> = Vec::new();
            for plan in plans.iter().copied() {
                let lead = |plan: usize| self.links.plans.get(plan).map(|plan| plan.lead);
                let entry = |plan: usize| lead(plan).and_then(|lead| self.entries.get(lead));
                let place = |plan: usize| {
                    let entry = entry(plan);
                    entry.map(|entry| (entry.namespace.as_deref(), entry.cluster.as_deref()))
                };
                let twin = kept
                    .iter()
                    .copied()
                    .find(|other| place(*other) == place(plan));
                let (Some(twin), Some(index)) = (twin.and_then(lead), lead(plan)) else {
                    kept.push(plan);
                    continue;
                };
                dropped.push(index);
                if !same(twin, index) {
                    self.links.problems.push((
                        index,
                        Message::DuplicateDocument {
                            kind: Kind::Service.name().to_owned(),
                            name: (*name).to_owned(),
                        },
                    ));
                }
            }
            *plans = kept;
        }
        if !dropped.is_empty() {
            self.remove_plans(&dropped);
        }
    }

    /// Takes out the plans with these leads and counts the others anew.
    fn remove_plans(&mut self, leads: &[usize]) {
        let mut moved = BTreeMap::new();
        let mut kept = Vec::with_capacity(self.links.plans.len());
        for (old, plan) in std::mem::take(&mut self.links.plans)
            .into_iter()
            .enumerate()
        {
            if !leads.contains(&plan.lead) {
                moved.insert(old, kept.len());
                kept.push(plan);
            }
        }
        self.links.plans = kept;
        for plans in self.services.values_mut() {
            *plans = plans
                .iter()
                .filter_map(|old| moved.get(old).copied())
                .collect();
        }
    }

    fn plan_lone_task_definitions(&mut self) {
        let mut plans = Vec::new();
        for ((_, family), revisions) in &self.families {
            let Some(newest) = revisions.last().copied() else {
                continue;
            };
            let run = revisions.iter().rfind(|index| self.run.contains(index));
            let run = run.copied().unwrap_or(newest);
            let revision = |index: usize| self.entry(index).and_then(|entry| entry.revision);
            for index in revisions.iter().copied() {
                if self.run.contains(&index) {
                    continue;
                }
                plans.push(if index == run {
                    Plan::assumed(index, revision(index), family)
                } else {
                    Plan::unused(index, family, revision(index), revision(run))
                });
            }
        }
        for (index, entry) in self.of_kind(Kind::TaskDefinition) {
            if entry.name.is_none() {
                plans.push(Plan::assumed(index, entry.revision, ""));
            }
        }
        for plan in plans {
            let name = self
                .entry(plan.lead)
                .and_then(|entry| entry.name.as_deref());
            if let (Role::Assumed, Some(name)) = (plan.role, name) {
                let number = self.links.plans.len();
                self.services.entry(name).or_default().push(number);
            }
            self.links.plans.push(plan);
        }
    }

    fn plan_scaling(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let mut orphans: BTreeMap<(String, usize), Plan> = BTreeMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let scaling = matches!(
                entry.form.kind(),
                Kind::ScalableTarget | Kind::ScalingPolicy | Kind::ScheduledAction
            );
            if !scaling {
                continue;
            }
            let service = self.scaled_service(entry);
            let plan = service.and_then(|service| self.links.plans.get_mut(service));
            let Some(plan) = plan else {
                let group = match &entry.target {
                    Target::Service(service) => (service.name.to_string(), 0),
                    _ => (String::new(), index),
                };
                let plan = orphans.entry(group).or_insert_with(|| Plan::orphan(index));
                plan.scaling.push(index);
                let position = self.position(plan, entry.form.kind());
                plan.findings.push(orphan_finding(entry, position));
                continue;
            };
            let target = |index: &usize| {
                let entry = self.entries.get(*index);
                entry.is_some_and(|entry| entry.form.kind() == Kind::ScalableTarget)
            };
            let twin = plan.scaling.iter().copied().find(target);
            match twin {
                Some(twin) if entry.form.kind() == Kind::ScalableTarget => {
                    if !same(twin, index) {
                        self.links.problems.push((
                            index,
                            Message::DuplicateDocument {
                                kind: Kind::ScalableTarget.name().to_owned(),
                                name: match &entry.target {
                                    Target::Service(service) => service.name.to_string(),
                                    _ => String::new(),
                                },
                            },
                        ));
                    }
                }
                _ => plan.scaling.push(index),
            }
        }
        self.links.plans.extend(orphans.into_values());
    }

    /// How many scaling documents of a kind the plan has before its last one.
    fn position(&self, plan: &Plan, kind: Kind) -> usize {
        let of_kind = |index: &&usize| {
            let entry = self.entries.get(**index);
            entry.is_some_and(|entry| entry.form.kind() == kind)
        };
        plan.scaling
            .iter()
            .filter(of_kind)
            .count()
            .saturating_sub(1)
    }

    /// The plan of the service that a scaling request names, or of the only service if it names none.
    fn scaled_service(&self, entry: &Entry) -> Option<usize> {
        match &entry.target {
            Target::Service(ServiceName { cluster, name }) => {
                let plans = self.services.get(&**name)?;
                let in_cluster = plans.iter().copied().find(|plan| {
                    let plan = self.links.plans.get(*plan);
                    let lead = plan.and_then(|plan| self.entry(plan.lead));
                    lead.is_some_and(|lead| lead.cluster.is_some() && lead.cluster == *cluster)
                });
                in_cluster.or_else(|| plans.first().copied())
            }
            _ => {
                let mut plans = self.services.values().flatten().copied();
                let only = plans.next()?;
                plans.next().is_none().then_some(only)
            }
        }
    }
}

impl Plan {
    fn assumed(index: usize, revision: Option<u64>, family: &str) -> Self {
        Self {
            lead: index,
            role: Role::Assumed,
            task_definition: Some(Choice {
                entry: index,
                revision,
            }),
            scaling: Vec::new(),
            findings: vec![Finding {
                path: FieldPath::root(Subject::TaskDefinition),
                message: Message::ServiceAssumed {
                    name: family.to_owned(),
                },
                consequence: true,
            }],
        }
    }

    fn unused(index: usize, family: &str, revision: Option<u64>, used: Option<u64>) -> Self {
        Self {
            lead: index,
            role: Role::Unused,
            task_definition: None,
            scaling: Vec::new(),
            findings: vec![Finding {
                path: FieldPath::root(Subject::TaskDefinition),
                message: Message::TaskDefinitionUnused {
                    name: revision_name(family, revision),
                    used: revision_name(family, used),
                },
                consequence: false,
            }],
        }
    }

    const fn orphan(index: usize) -> Self {
        Self {
            lead: index,
            role: Role::Orphan,
            task_definition: None,
            scaling: Vec::new(),
            findings: Vec::new(),
        }
    }
}

/// Why a scaling request, the one at `position` among its kind, scales nothing.
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

/// `web`, or `web:7` where the number is known.
fn revision_name(family: &str, revision: Option<u64>) -> String {
    revision.map_or_else(
        || family.to_owned(),
        |revision| format!("{family}:{revision}"),
    )
}
