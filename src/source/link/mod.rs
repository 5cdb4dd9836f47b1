//! Determines which documents belong together. It works only on entries, so that no document has to stay in memory.

mod alarm;
mod app_runner;
mod plan;
mod rule_targets;
mod scaling;
mod scope;
mod triggers;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::{
    app_runner::DEFAULT as DEFAULT_CONFIGURATION,
    plan::{Choice, Finding, Links, Plan, Role, revision_name},
};

use self::{
    plan::{Duplicate, ambiguous},
    scope::Scopes,
};
use super::{
    entry::{Entry, Target},
    kind::{Kind, Spelling},
    placeholder::placeholders,
    reference::Reference,
};
use crate::diagnostic::{FieldPath, Message, Subject};

/// Links documents.
///
/// `folders` returns the number of the folder of each file; it is called only for documents that name no task
/// definition. `incomplete` indicates that some of the input could not be read or is of an unknown kind, so that missing
/// input may run one of the task definitions. `same` returns whether two documents have the same content; it is called
/// only for documents with the same name.
pub(super) fn link(
    entries: &[Entry],
    folders: &dyn Fn() -> Vec<usize>,
    incomplete: bool,
    same: &mut dyn FnMut(usize, usize) -> bool,
) -> Links {
    let mut linker = Linker {
        entries,
        folders,
        families: Vec::new(),
        ambiguous: BTreeSet::new(),
        scopes: None,
        run: BTreeSet::new(),
        links: Links::default(),
    };
    linker.collect_task_definitions(same);
    linker.plan_runs();
    linker.plan_rules_and_pipes(same);
    linker.find_shared();
    linker.drop_duplicate_services(same);
    linker.plan_lone_task_definitions(incomplete);
    linker.plan_scaling(same);
    linker.plan_capacity_providers();
    linker.plan_app_runner(same);
    let mut links = linker.links;
    links.plans.sort_unstable_by_key(|plan| plan.lead());
    links
}

/// A name within a namespace.
type Key<'e> = (Option<&'e str>, &'e str);

/// Its lists are sorted vectors, because maps would take more memory than all entries.
struct Linker<'e> {
    entries: &'e [Entry],
    folders: &'e dyn Fn() -> Vec<usize>,
    /// The task definitions with a name, sorted by namespace and name, the oldest revision of each family first; one
    /// without a revision is the newest.
    families: Vec<usize>,
    /// The task definitions of which another document has other contents.
    ambiguous: BTreeSet<usize>,
    scopes: Option<Scopes>,
    /// The task definitions that a service or task runs.
    run: BTreeSet<usize>,
    links: Links,
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

    fn key(&self, index: usize) -> Key<'e> {
        key(self.entries, index)
    }

    fn revision(&self, index: usize) -> Option<u64> {
        self.entry(index)?.revision()
    }

    fn collect_task_definitions(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let named = self.of_kind(Kind::TaskDefinition);
        let named = named.filter(|(_, entry)| entry.name.is_some());
        let mut families: Vec<usize> = named.map(|(index, _)| index).collect();
        families.sort_by_key(|index| {
            let revision = self.revision(*index);
            (self.key(*index), revision.is_none(), revision)
        });
        let mut duplicates = Vec::new();
        // Documents of the same revision are still in the order of the input.
        families.dedup_by(|index, first| {
            let (key, revision) = (self.key(*index), self.revision(*index));
            if (key, revision) != (self.key(*first), self.revision(*first)) {
                return false;
            }
            if !same(*first, *index) {
                duplicates.push(Duplicate {
                    document: *index,
                    first: *first,
                    kind: Kind::TaskDefinition,
                    name: revision_name(key.1, revision),
                });
            }
            true
        });
        duplicates.sort_by_key(|duplicate| duplicate.document);
        self.ambiguous = duplicates.iter().map(|duplicate| duplicate.first).collect();
        self.links.duplicates = duplicates;
        self.families = families;
    }

    /// Returns the revisions of a family, in the same namespace or in none.
    fn family(&self, namespace: Option<&str>, family: &str) -> &[usize] {
        let revisions = |key: Key<'_>| {
            let start = self
                .families
                .partition_point(|index| self.key(*index) < key);
            let rest = self.families.get(start..).unwrap_or_default();
            let length = rest.partition_point(|index| self.key(*index) == key);
            rest.get(..length).unwrap_or_default()
        };
        match revisions((namespace, family)) {
            [] => revisions((None, family)),
            found => found,
        }
    }

    fn resolve(&self, namespace: Option<&'e str>, reference: &Reference) -> Option<Choice> {
        let revisions = self.family(namespace, &reference.family);
        let revision = |index: usize| self.revision(index);
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

    fn plan_runs(&mut self) {
        for (index, entry) in self.entries.iter().enumerate() {
            let (role, subject) = match entry.form.kind() {
                Kind::Service => (Role::Service, Subject::Service),
                Kind::Task => (Role::Task, Subject::Task),
                Kind::Schedule => (Role::Schedule, Subject::Schedule),
                _ => continue,
            };
            let mut findings = Vec::new();
            let root = FieldPath::root(subject);
            let path = match role {
                Role::Schedule => {
                    let path = root.field("Target").field("EcsParameters");
                    path.field("TaskDefinitionArn")
                }
                _ => root.field("taskDefinition"),
            };
            // The reader reports that a schedule needs one.
            let is_absent = role == Role::Schedule && *entry.target() == Target::Absent;
            let choice = (!is_absent)
                .then(|| self.choose(entry, entry.target(), &path, &mut findings))
                .flatten();
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
            } else if role == Role::Service
                && entry.name.is_none()
                // CloudFormation requires no name, and why there is no task definition to take it from is reported.
                && entry.form.spelling == Spelling::Api
            {
                findings.push(Finding {
                    path: FieldPath::root(subject).field("serviceName"),
                    message: Message::RequiredField {
                        name: "serviceName".to_owned(),
                    },
                    consequence: true,
                });
            }
            let mut plan = Plan::new(index, role);
            if let Some(choice) = choice {
                plan.run(choice);
            }
            for finding in findings {
                plan.report(finding);
            }
            self.links.plans.push(plan);
        }
    }

    fn plan_capacity_providers(&mut self) {
        let found = self.of_kind(Kind::CapacityProvider);
        let plans = found.map(|(index, _)| Plan::new(index, Role::CapacityProvider));
        self.links.plans.extend(plans);
    }

    /// Returns the name of a service that has none: its task definition's family.
    fn service_name_of(&self, choice: Choice) -> &'e str {
        self.entry(choice.entry)
            .and_then(|entry| entry.name.as_deref())
            .unwrap_or_default()
    }

    /// Returns the names and numbers of the plans of services, sorted.
    fn services(&self) -> Vec<(&'e str, usize)> {
        let named = |(number, plan): (usize, &Plan)| {
            let own = self.entry(plan.lead())?.name.as_deref();
            let name = match plan.role {
                Role::Service => own.unwrap_or_else(|| {
                    let choice = plan.task_definition();
                    choice.map_or("", |choice| self.service_name_of(choice))
                }),
                Role::Assumed | Role::Withheld => own?,
                _ => return None,
            };
            Some((name, number))
        };
        let plans = self.links.plans.iter().enumerate();
        let mut services: Vec<_> = plans.filter_map(named).collect();
        services.sort_unstable();
        services
    }

    /// Chooses the task definition that a service or a task runs.
    fn choose(
        &mut self,
        entry: &'e Entry,
        target: &Target,
        path: &FieldPath,
        findings: &mut Vec<Finding>,
    ) -> Option<Choice> {
        let missing = match target {
            Target::TaskDefinition(reference) => {
                let found = self.resolve(entry.namespace(), reference);
                if let Some(choice) = found
                    && self.ambiguous.contains(&choice.entry)
                {
                    findings.push(ambiguous(path, self.service_name_of(choice)));
                    return None;
                }
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
            consequence: *target == Target::Unclear,
        });
        choice
    }

    /// Rejects services with the same name in the same cluster, unless they have the same content.
    fn drop_duplicate_services(&mut self, same: &mut dyn FnMut(usize, usize) -> bool) {
        let mut dropped = BTreeSet::new();
        let services = self.services();
        for services in services.chunk_by(|(a, _), (b, _)| a == b) {
            let [(name, _), _, ..] = services else {
                continue;
            };
            if name.is_empty() {
                continue;
            }
            let mut first = BTreeMap::new();
            for (_, plan) in services {
                let Some(index) = self.links.plans.get(*plan).map(|plan| plan.lead()) else {
                    continue;
                };
                let place = self
                    .entry(index)
                    .map(|entry| (entry.namespace(), entry.cluster()));
                let twin = *first.entry(place).or_insert(index);
                if twin == index {
                    continue;
                }
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
        }
        let plans = &mut self.links.plans;
        plans.retain(|plan| !dropped.contains(&plan.lead()));
    }

    /// Assumes a service for each task definition that nothing runs, unless an unknown document may run it: an input
    /// that could not be read, or a service or task whose task definition was not found.
    fn plan_lone_task_definitions(&mut self, incomplete: bool) {
        let lost = |plan: &Plan| plan.task_definition().is_none();
        let incomplete = incomplete || self.links.plans.iter().any(lost);
        let families = std::mem::take(&mut self.families);
        self.links.plans.reserve(families.len());
        let entries = self.entries;
        for revisions in families.chunk_by(|a, b| key(entries, *a) == key(entries, *b)) {
            let Some(newest) = revisions.last().copied() else {
                continue;
            };
            let (_, family) = self.key(newest);
            let run = revisions.iter().rfind(|index| self.run.contains(index));
            let run = run.copied().unwrap_or(newest);
            for index in revisions.iter().copied() {
                if self.run.contains(&index) {
                    continue;
                }
                let (revision, used) = (self.revision(index), self.revision(run));
                self.links.plans.push(if index == run {
                    Plan::assumed(index, incomplete)
                } else {
                    Plan::unused(index, family, revision, used)
                });
            }
        }
        for (index, entry) in self.of_kind(Kind::TaskDefinition) {
            if entry.name.is_none() {
                let plan = Plan::assumed(index, incomplete);
                self.links.plans.push(plan);
            }
        }
    }
}

/// Returns the namespace and name of a document.
fn key(entries: &[Entry], index: usize) -> Key<'_> {
    let entry = entries.get(index);
    let name = entry.and_then(|entry| entry.name.as_deref());
    let namespace = entry.and_then(|entry| entry.namespace());
    (namespace, name.unwrap_or_default())
}

/// Whether this is a valid name of a family.
fn is_family(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}
