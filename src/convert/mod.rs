//! The whole way from a unit of documents to objects, without input or output.

mod left_out;
mod resources;
mod scaling;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, Hash},
};

use foldhash::quality::FixedState;

use self::{resources::Resources, scaling::Separated};
use crate::{
    crd,
    diagnostic::{Diagnostic, Diagnostics, FieldPath, Message, Reason, Severity, Subject},
    input::ServiceInput,
    print::{self, Ordered},
    settings::{Mode, Settings, WorkloadTarget},
    source::{Content, Unit},
    translate,
    validate::{self, Service},
};

/// What documents are converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Kubernetes objects that run without the operator.
    Manifests,
    /// Our custom resources, for a cluster in which the operator runs.
    Resources,
}

/// Which warnings reject a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Denied {
    /// None.
    #[default]
    Nothing,
    /// All of them.
    All,
    /// Those with these reasons.
    Reasons(BTreeSet<Reason>),
}

impl Denied {
    /// What a diagnostic does to its document when these warnings are denied.
    #[must_use]
    pub fn severity(&self, reason: Reason) -> Severity {
        let denied = match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Reasons(reasons) => reasons.contains(&reason),
        };
        match reason.severity() {
            Severity::Warning if denied => Severity::Error,
            severity => severity,
        }
    }
}

/// What a unit gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversion {
    /// The objects in the order of application, their members in the order of reading; none if it is rejected.
    pub objects: Vec<Ordered>,
    /// Everything that was found, sorted by path.
    pub diagnostics: Vec<Diagnostic>,
}

/// Converts units one after another. It remembers names, so that what two units share is given once, and what they
/// contradict each other in is an error.
pub struct Converter<'a> {
    settings: &'a Settings,
    target: Target,
    denied: Denied,
    /// The content of each object by its kind and name, both as digests: this grows with the input.
    given: HashMap<u64, u64>,
    /// Who has each name of a Service Connect namespace.
    connect_names: BTreeMap<(String, String), String>,
}

/// The content of a unit to convert, and its surroundings.
struct Work<'u> {
    content: &'u Content,
    resources: Resources<'u>,
    /// Whether `content` goes without some of the scaling documents of the unit.
    separated: Option<&'u Separated>,
}

impl Work<'_> {
    /// Findings about the content, with the places that they have in the unit.
    fn placed(&self, notes: Diagnostics) -> Diagnostics {
        match self.separated {
            Some(separated) => separated.restored(&notes),
            None => notes,
        }
    }
}

impl<'a> Converter<'a> {
    /// A converter that has seen nothing.
    #[must_use]
    pub fn new(settings: &'a Settings, target: Target, denied: Denied) -> Self {
        Self {
            settings,
            target,
            denied,
            given: HashMap::new(),
            connect_names: BTreeMap::new(),
        }
    }

    /// Converts one unit.
    ///
    /// # Errors
    ///
    /// When an object cannot be printed, which is a defect of this program.
    pub fn convert(&mut self, unit: &Unit) -> Result<Conversion, print::Error> {
        let mut said = Diagnostics::new();
        let settings = unit.settings(self.settings, &mut said);
        let separated = scaling::separate(unit, &settings);
        let mut diagnostics = match &separated {
            Some(separated) => separated.found.clone(),
            None => unit.diagnostics.clone(),
        };
        diagnostics.append(said);
        let objects = if separated.is_some() || unit.left_out.is_empty() {
            let separated = separated.as_ref();
            let work = Work {
                content: separated.map_or(&unit.content, |separated| &separated.content),
                resources: Resources {
                    settings: &settings,
                    unit,
                },
                separated,
            };
            self.content(&work, &mut diagnostics)?
        } else {
            left_out::check(unit, &settings, &mut diagnostics);
            Vec::new()
        };
        let mut objects = self.unless_rejected(objects, &diagnostics);
        self.give_once(&unit.content, &mut objects, &mut diagnostics);
        if diagnostics.has_errors() {
            // Nothing was made, and why is said.
            diagnostics.forget(Reason::ServiceAssumed);
            diagnostics.forget(Reason::TaskDefinitionNotRun);
        }
        let objects = self.unless_rejected(objects, &diagnostics);
        diagnostics.append(separated.map_or_else(Diagnostics::new, |separated| separated.rejected));
        Ok(Conversion {
            objects,
            diagnostics: diagnostics.into_sorted(),
        })
    }

    fn unless_rejected(&self, objects: Vec<Ordered>, diagnostics: &Diagnostics) -> Vec<Ordered> {
        let rejected = diagnostics
            .iter()
            .any(|finding| self.denied.severity(finding.reason()) == Severity::Error);
        if rejected { Vec::new() } else { objects }
    }

    fn content(
        &mut self,
        work: &Work<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let settings = work.resources.settings;
        let rejected = match work.content {
            Content::Service(input) => match validate::validate_service(input, settings) {
                Ok(service) => return self.service(input, &service, work, diagnostics),
                Err(findings) => findings,
            },
            Content::Task(input) => match validate::validate_task(input, settings) {
                Ok(task) => {
                    let (objects, notes) = translate::translate_task(&task, settings);
                    diagnostics.append(notes);
                    if self.target == Target::Resources {
                        return work.resources.of_task(input, diagnostics);
                    }
                    note_kept_seconds(&input.extensions, diagnostics);
                    return objects.into_objects().iter().map(Ordered::new).collect();
                }
                Err(findings) => findings,
            },
            Content::Nothing => return Ok(Vec::new()),
        };
        diagnostics.append(rejected);
        Ok(Vec::new())
    }

    fn service(
        &mut self,
        input: &ServiceInput,
        service: &Service,
        work: &Work<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        self.take_connect_names(service, diagnostics);
        let (objects, mut notes) = translate::translate_service(service, work.resources.settings);
        match self.target {
            // A task definition that nothing is known to run is only checked.
            Target::Manifests if was_said(Reason::TaskDefinitionNotRun, diagnostics) => {
                Ok(Vec::new())
            }
            Target::Manifests => {
                if was_said(Reason::ServiceAssumed, diagnostics) {
                    // Nobody has asked for a single task.
                    notes.forget(Reason::DrainMayDropBelowMinimum);
                }
                diagnostics.append(work.placed(notes));
                objects.into_objects().iter().map(Ordered::new).collect()
            }
            Target::Resources => {
                let notes = work.placed(notes);
                work.resources.of_service(input, notes, diagnostics)
            }
        }
    }

    /// Names of a Service Connect namespace belong to one service.
    fn take_connect_names(&mut self, service: &Service, diagnostics: &mut Diagnostics) {
        let Some(connect) = &service.service_connect else {
            return;
        };
        let namespace = connect.namespace.clone().unwrap_or_default();
        let root = FieldPath::root(Subject::Service)
            .field("serviceConnectConfiguration")
            .field("services");
        for entry in &connect.services {
            let key = (namespace.clone(), entry.discovery_name.clone());
            let owner = self
                .connect_names
                .entry(key)
                .or_insert_with(|| service.name.clone());
            if *owner != service.name {
                diagnostics.report(
                    root.index(entry.index).field("discoveryName"),
                    Message::ServiceConnectNameTaken {
                        name: entry.discovery_name.clone(),
                        ns: namespace.clone(),
                        other: owner.clone(),
                    },
                );
            }
        }
    }

    /// Leaves out the objects that an earlier unit gave with the same content, and rejects the unit where the content
    /// differs.
    fn give_once(
        &mut self,
        content: &Content,
        objects: &mut Vec<Ordered>,
        diagnostics: &mut Diagnostics,
    ) {
        let subject = match content {
            Content::Task(_) => Subject::Task,
            Content::Service(_) | Content::Nothing => Subject::Service,
        };
        let keyed: Vec<(u64, u64)> = objects
            .iter()
            .map(|object| (digest(&object.identity()), digest(object)))
            .collect();
        for (object, (key, content)) in objects.iter().zip(&keyed) {
            if self.given.get(key).is_some_and(|given| given != content) {
                let (kind, name) = object.identity();
                diagnostics.report(
                    FieldPath::root(subject),
                    Message::ConflictingObjects {
                        kind: kind.to_owned(),
                        name: name.to_owned(),
                    },
                );
            }
        }
        if diagnostics.has_errors() {
            return;
        }
        let mut fresh = keyed
            .iter()
            .map(|(key, content)| self.given.insert(*key, *content).is_none());
        objects.retain(|_| fresh.next().unwrap_or(true));
    }
}

fn was_said(reason: Reason, diagnostics: &Diagnostics) -> bool {
    diagnostics.iter().any(|finding| finding.reason() == reason)
}

/// Nobody deletes the pods of a finished task without the operator.
fn note_kept_seconds(extensions: &crd::TaskExtensions, diagnostics: &mut Diagnostics) {
    if let Some(seconds) = extensions.ttl_seconds_after_finished {
        let message = Message::NeedsController {
            what: format!("finished tasks are deleted after {seconds} s"),
        };
        // The member is ours, so no row of the table of fields tells it.
        diagnostics.report(FieldPath::root(Subject::Task), message);
    }
}

/// Converts for a cluster in which the operator runs.
#[must_use]
pub fn for_resources(mut settings: Settings) -> Settings {
    settings.mode = Mode::Controller;
    settings.workload_target = WorkloadTarget::EcsService;
    settings
}

/// The same digest for the same content.
fn digest(value: &(impl Hash + ?Sized)) -> u64 {
    FixedState::with_seed(0).hash_one(value)
}
