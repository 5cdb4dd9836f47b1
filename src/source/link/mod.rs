//! Determines which documents belong together. It works only on entries, so that no document has to stay in memory.

mod plan;
mod scaling;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::plan::{Choice, Finding, Links, Plan, Role};

use self::plan::{Duplicate, revision_name};
use super::{
    entry::{Entry, Target},
    kind::Kind,
    placeholder::placeholders,
    reference::Reference,
};
use crate::diagnostic::{FieldPath, Message, Subject};

/// Links documents.
///
/// `folders` has the number of the folder of each file. `incomplete` indicates that some of the input could not be read
/// or is of an unknown kind, so that missing input may run one of the task definitions. `same` returns whether two
/// documents have the same content; it is called only for documents with the same name.
pub(super) fn link(
    entries: &[Entry],
    folders: &[usize],
    incomplete: bool,
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
    linker.plan_lone_task_definitions(incomplete);
    linker.plan_scaling(same);
    let mut links = linker.links;
    links.plans.sort_unstable_by_key(|plan| plan.lead);
    links
}

/// A name within a namespace.
type Key<'e> = (Option<&'e str>, &'e str);

struct Linker<'e> {
    entries: &'e [Entry],
    folders: &'e [usize],
    /// The task definitions of a family, the oldest revision first; one without a revision is the newest.
    families: BTreeMap<Key<'e>, Vec<usize>>,
    /// The plans of the services with a name.
    services: BTreeMap<&'e str, Vec<usize>>,
    scopes: Option<Scopes>,
    /// The task definitions that a service or task runs.
    run: BTreeSet<usize>,
    links: Links,
}

/// The only task definition of a file, a folder, the whole input; `None` if there are several.
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
        let mut first = BTreeMap::new();
        for (index, entry) in self.of_kind(Kind::TaskDefinition) {
            let Some(family) = entry.name.as_deref() else {
                continue;
            };
            let key = (entry.namespace.as_deref(), family);
            let twin = *first.entry((key, entry.revision)).or_insert(index);
            match twin {
                twin if twin == index => self.families.entry(key).or_default().push(index),
                twin if same(twin, index) => {}
                first => self.links.duplicates.push(Duplicate {
                    document: index,
                    first,
                    kind: Kind::TaskDefinition,
                    name: revision_name(family, entry.revision),
                }),
            }
        }
        for revisions in self.families.values_mut() {
            revisions.sort_by_key(|index| {
                let revision = self.entries.get(*index).and_then(|entry| entry.revision);
                revision.unwrap_or(u64::MAX)
            });
        }
    }

    /// Returns the revisions of a family, in the same namespace or in none.
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

    /// Returns the only task definition that is given together with a document: in its file, or else in its folder, or
    /// else in the whole input.
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
                    consequence: true,
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

    /// Returns the name of a service that has none: its task definition's family.
    fn service_name_of(&self, choice: Choice) -> &'e str {
        self.entry(choice.entry)
            .and_then(|entry| entry.name.as_deref())
            .unwrap_or_default()
    }

    /// Chooses the task definition that a service or a task runs.
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
                    let message = if is_family(&reference.family) {
                        Message::TaskDefinitionNotFound { value }
                    } else {
                        Message::InvalidTaskDefinitionReference { value }
                    };
                    findings.push(Finding {
                        path: path.clone(),
                        message,
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

    /// Rejects services with the same name in the same cluster, unless they have the same content.
    fn drop_duplicate_services(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let mut dropped = BTreeSet::new();
        for (name, plans) in &mut self.services {
            if name.is_empty() || plans.len() < 2 {
                continue;
            }
            let mut kept: Vec<usize> = Vec::new();
            let mut first = BTreeMap::new();
            for plan in plans.iter().copied() {
                let lead = |plan: usize| self.links.plans.get(plan).map(|plan| plan.lead);
                let entry = |plan: usize| lead(plan).and_then(|lead| self.entries.get(lead));
                let place = |plan: usize| {
                    let entry = entry(plan);
                    entry.map(|entry| (entry.namespace.as_deref(), entry.cluster.as_deref()))
                };
                let twin = *first.entry(place(plan)).or_insert(plan);
                if twin == plan {
                    kept.push(plan);
                    continue;
                }
                let (Some(twin), Some(index)) = (lead(twin), lead(plan)) else {
                    continue;
                };
                dropped.insert(index);
                if !same(twin, index) {
                    self.links.duplicates.push(Duplicate {
                        document: index,
                        first: twin,
                        kind: Kind::Service,
                        name: (*name).to_owned(),
                    });
                }
            }
            *plans = kept;
        }
        if !dropped.is_empty() {
            self.remove_plans(&dropped);
        }
    }

    /// Removes the plans with these leads and renumbers the others.
    fn remove_plans(&mut self, leads: &BTreeSet<usize>) {
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

    /// Assumes a service for each task definition that nothing runs, unless an unknown document may run it: an input
    /// that could not be read, or a service or task whose task definition was not found.
    fn plan_lone_task_definitions(&mut self, incomplete: bool) {
        let lost = |plan: &Plan| plan.task_definition.is_none();
        let incomplete = incomplete || self.links.plans.iter().any(lost);
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
                    Plan::assumed(index, revision(index), incomplete)
                } else {
                    Plan::unused(index, family, revision(index), revision(run))
                });
            }
        }
        for (index, entry) in self.of_kind(Kind::TaskDefinition) {
            if entry.name.is_none() {
                plans.push(Plan::assumed(index, entry.revision, incomplete));
            }
        }
        for plan in plans {
            let name = self
                .entry(plan.lead)
                .and_then(|entry| entry.name.as_deref());
            if let (Role::Assumed | Role::Withheld, Some(name)) = (plan.role, name) {
                let number = self.links.plans.len();
                self.services.entry(name).or_default().push(number);
            }
            self.links.plans.push(plan);
        }
    }
}

/// Whether this is a valid name of a family.
fn is_family(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}
