//! The results of linking documents.

use super::super::kind::Kind;
use crate::diagnostic::{FieldPath, Message, Subject};

/// Documents that are converted together.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::source) struct Plan {
    /// The document that the unit represents.
    lead: u32,
    pub(in crate::source) role: Role,
    /// Whether another unit has the same task definition.
    pub(in crate::source) shares: bool,
    /// A task definition that nothing runs mostly has none of it.
    rest: Option<Box<Rest>>,
}

/// What few plans have.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rest {
    task_definition: Option<Choice>,
    scaling: Vec<usize>,
    findings: Vec<Finding>,
}

/// What a unit represents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Role {
    /// A service.
    Service,
    /// The tasks of a `RunTask` request.
    Task,
    /// A schedule, which starts tasks again and again.
    Schedule,
    /// A target of a rule, by its index.
    Rule(u32),
    /// A rule of which no target is known.
    RuleWithoutTargets,
    /// Targets that belong to no rule among the documents.
    RuleTargets,
    /// A pipe, which starts tasks for messages.
    Pipe,
    /// A task definition that nothing runs, for which a service is assumed.
    Assumed,
    /// The same, but a document that could not be read may run it, so it is not converted.
    Withheld,
    /// A revision of a task definition whose family runs another revision.
    Unused,
    /// A capacity provider.
    CapacityProvider,
    /// A service of App Runner.
    AppRunnerService,
    /// An auto scaling configuration of App Runner that no service has.
    AutoScalingConfiguration,
    /// Scaling requests whose service is not among the documents.
    Orphan,
}

/// The task definition that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) struct Choice {
    pub(in crate::source) entry: usize,
    /// The revision, from the document or from the reference that pins it.
    pub(in crate::source) revision: Option<u64>,
}

/// A finding of the linking.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::source) struct Finding {
    pub(in crate::source) path: FieldPath,
    pub(in crate::source) message: Message,
    /// Whether it is omitted if the document itself has errors.
    pub(in crate::source) consequence: bool,
}

/// A document that follows another one with the same name and different content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) struct Duplicate {
    pub(in crate::source) document: usize,
    pub(in crate::source) first: usize,
    pub(in crate::source) kind: Kind,
    pub(in crate::source) name: String,
}

/// The result: plans in the order of their leads, and documents that must not exist.
#[derive(Debug, Default)]
pub(in crate::source) struct Links {
    pub(in crate::source) plans: Vec<Plan>,
    pub(in crate::source) duplicates: Vec<Duplicate>,
}

impl Plan {
    /// Returns the document that the unit represents.
    pub(in crate::source) const fn lead(&self) -> usize {
        self.lead as usize
    }

    pub(super) fn new(lead: usize, role: Role) -> Self {
        Self {
            // Each document takes more than a byte, so that there are never so many.
            lead: u32::try_from(lead).unwrap_or(u32::MAX),
            role,
            shares: false,
            rest: None,
        }
    }

    /// Returns the task definition that a service or a task runs.
    pub(in crate::source) fn task_definition(&self) -> Option<Choice> {
        self.rest.as_deref()?.task_definition
    }

    pub(super) fn run(&mut self, choice: Choice) {
        self.rest.get_or_insert_default().task_definition = Some(choice);
    }

    /// Returns the scaling documents, in the order of the input.
    pub(in crate::source) fn scaling(&self) -> &[usize] {
        self.rest.as_deref().map_or(&[], |rest| &rest.scaling)
    }

    pub(in crate::source) fn findings(&self) -> &[Finding] {
        self.rest.as_deref().map_or(&[], |rest| &rest.findings)
    }

    pub(super) fn scale(&mut self, document: usize) {
        self.rest.get_or_insert_default().scaling.push(document);
    }

    pub(super) fn report(&mut self, finding: Finding) {
        self.rest.get_or_insert_default().findings.push(finding);
    }

    /// Returns the plan of a task definition that nothing in the input runs; `incomplete` indicates that some of the
    /// input is unknown.
    pub(super) fn assumed(index: usize, incomplete: bool) -> Self {
        let role = if incomplete {
            Role::Withheld
        } else {
            Role::Assumed
        };
        Self::new(index, role)
    }

    pub(super) fn unused(
        index: usize,
        family: &str,
        revision: Option<u64>,
        used: Option<u64>,
    ) -> Self {
        let mut plan = Self::new(index, Role::Unused);
        plan.report(Finding {
            path: FieldPath::root(Subject::TaskDefinition),
            message: Message::TaskDefinitionUnused {
                name: revision_name(family, revision),
                used: revision_name(family, used),
            },
            consequence: false,
        });
        plan
    }

    pub(super) fn orphan(index: usize) -> Self {
        Self::new(index, Role::Orphan)
    }
}

/// Returns `web`, or `web:7` if the number is known.
pub(in crate::source) fn revision_name(family: &str, revision: Option<u64>) -> String {
    revision.map_or_else(
        || family.to_owned(),
        |revision| format!("{family}:{revision}"),
    )
}

/// The finding of a service or task that could run either of two documents.
pub(super) fn ambiguous(path: &FieldPath, family: &str) -> Finding {
    Finding {
        path: path.clone(),
        message: Message::TaskDefinitionAmbiguous {
            name: family.to_owned(),
        },
        consequence: false,
    }
}
