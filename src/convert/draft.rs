//! What a unit gives regardless of all others.

use std::hash::{BuildHasher as _, Hash};

use foldhash::quality::FixedState;

use super::{
    Conversion, Denied, Settled, Target,
    given::{Claims, Conflict, ConnectName, connect_names, connect_services},
    left_out,
    resources::Resources,
    scaling::{self, Separated},
};
use crate::{
    crd,
    diagnostic::{Diagnostic, Diagnostics, FieldPath, Message, Reason, Severity, Subject},
    ecs,
    input::ServiceInput,
    print::{self, Ordered},
    settings::Settings,
    source::{Content, Unit},
    translate,
    validate::{self, Service},
};

/// Converts units without looking at others, so that several threads can share it.
#[derive(Clone, Debug)]
pub struct Drafter<'a> {
    settings: &'a Settings,
    target: Target,
    denied: Denied,
}

/// What a unit gives if no other unit gives the same or contradicts it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// None if the unit is rejected.
    objects: Vec<Ordered>,
    claims: Claims,
    diagnostics: Diagnostics,
    /// The errors of scaling documents that are rejected without their service.
    of_scaling: Diagnostics,
    subject: Subject,
}

/// The content of a unit to convert, and its surroundings.
pub(super) struct Work<'u> {
    content: &'u Content,
    pub(super) resources: Resources<'u>,
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

impl Draft {
    /// The objects, in the order of application.
    #[must_use]
    pub fn objects(&self) -> &[Ordered] {
        &self.objects
    }

    /// What the unit takes of what all units share.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The same, without the rest of the draft.
    #[must_use]
    pub fn into_claims(self) -> Claims {
        self.claims
    }

    /// The findings if the unit does not contradict another one, sorted by path.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics.clone();
        diagnostics.append(self.of_scaling.clone());
        diagnostics.into_sorted()
    }

    /// The result for a unit among others. `file` returns the file of another unit by its number.
    #[must_use]
    pub fn conversion(mut self, settled: Settled, file: impl Fn(usize) -> String) -> Conversion {
        let is_rejected = settled.is_rejected();
        for conflict in settled.conflicts {
            self.report(conflict, &file);
        }
        let Self {
            mut objects,
            mut diagnostics,
            of_scaling,
            claims: _,
            subject: _,
        } = self;
        if is_rejected {
            objects.clear();
            forget_assumptions(&mut diagnostics);
        }
        if settled.is_repeated {
            let path = FieldPath::root(Subject::Task).field("count");
            diagnostics.report(path, Message::TaskRequestRepeated);
        }
        let mut fresh = settled.fresh.into_iter();
        objects.retain(|_| fresh.next().unwrap_or(true));
        diagnostics.append(of_scaling);
        Conversion {
            objects,
            diagnostics: diagnostics.into_sorted(),
        }
    }
}

impl Draft {
    /// Says how the unit contradicts an earlier one.
    fn report(&mut self, conflict: Conflict, file: impl Fn(usize) -> String) {
        match conflict {
            Conflict::Object { index, other } => {
                let Some(object) = self.objects.get(index) else {
                    return;
                };
                let (kind, name) = object.identity();
                let message = Message::ConflictingObjects {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    other: file(other),
                };
                let path = FieldPath::root(self.subject);
                self.diagnostics.report(path, message);
            }
            Conflict::ConnectName { taken, other } => {
                let path = connect_services().index(taken.index).field("discoveryName");
                let message = Message::ServiceConnectNameTaken {
                    name: taken.name,
                    ns: taken.namespace,
                    other,
                };
                self.diagnostics.report(path, message);
            }
        }
    }
}

impl<'a> Drafter<'a> {
    /// A drafter with these settings.
    #[must_use]
    pub const fn new(settings: &'a Settings, target: Target, denied: Denied) -> Self {
        Self {
            settings,
            target,
            denied,
        }
    }

    /// Converts one unit.
    ///
    /// # Errors
    ///
    /// When an object cannot be printed, which is a defect of this program.
    pub fn draft(&self, unit: &Unit) -> Result<Draft, print::Error> {
        let mut said = Diagnostics::new();
        let settings = unit.settings(self.settings, &mut said);
        let separated = scaling::separate(unit, &settings);
        let mut diagnostics = match &separated {
            Some(separated) => separated.found.clone(),
            None => unit.diagnostics.clone(),
        };
        diagnostics.append(said);
        let mut connect_names = Vec::new();
        let objects = if separated.is_some() || unit.left_out.is_empty() {
            let separated = separated.as_ref();
            let work = Work {
                content: separated.map_or(&unit.content, |separated| &separated.content),
                resources: Resources {
                    settings: &settings,
                    given: self.settings,
                    unit,
                },
                separated,
            };
            self.content(&work, &mut diagnostics, &mut connect_names)?
        } else {
            left_out::check(unit, &settings, &mut diagnostics);
            Vec::new()
        };
        if diagnostics.has_errors() {
            forget_assumptions(&mut diagnostics);
        }
        let is_rejected = self.rejects(&diagnostics);
        let objects = if is_rejected { Vec::new() } else { objects };
        Ok(Draft {
            claims: Claims {
                is_rejected,
                objects: objects
                    .iter()
                    .map(|object| (digest(&object.identity()), short_digest(object)))
                    .collect(),
                run_once: objects
                    .iter()
                    .enumerate()
                    .filter_map(|(index, object)| runs_once(object).then_some(index))
                    .collect(),
                connect_names,
            },
            objects,
            diagnostics,
            of_scaling: separated.map_or_else(Diagnostics::new, |separated| separated.rejected),
            subject: unit.content.subject(),
        })
    }

    fn rejects(&self, diagnostics: &Diagnostics) -> bool {
        diagnostics
            .iter()
            .any(|finding| self.denied.severity(finding.reason()) == Severity::Error)
    }

    fn content(
        &self,
        work: &Work<'_>,
        diagnostics: &mut Diagnostics,
        taken: &mut Vec<ConnectName>,
    ) -> Result<Vec<Ordered>, print::Error> {
        let settings = work.resources.settings;
        let rejected = match work.content {
            Content::Service(input) => match validate::validate_service(input, settings) {
                Ok(service) => {
                    *taken = connect_names(&service);
                    return self.service(input, &service, work, diagnostics);
                }
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
            Content::Schedule(input) => {
                return work.resources.schedule(input, self.target, diagnostics);
            }
            Content::AppRunner(input) => return self.app_runner(input, work, diagnostics),
            Content::Rule(input) => return work.resources.rule(input, self.target, diagnostics),
            Content::Pipe(input) => return work.resources.pipe(input, self.target, diagnostics),
            Content::CapacityProvider(request) => {
                match validate::validate_capacity_provider(request) {
                    Ok(provider) => {
                        return self.capacity_provider(request, &provider, work, diagnostics);
                    }
                    Err(findings) => findings,
                }
            }
            Content::Nothing => return Ok(Vec::new()),
        };
        diagnostics.append(rejected);
        Ok(Vec::new())
    }

    fn capacity_provider(
        &self,
        request: &ecs::CapacityProvider,
        provider: &validate::CapacityProviderRequest,
        work: &Work<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let (nodes, notes) = translate::translate_capacity_provider(provider);
        diagnostics.append(notes);
        if self.target == Target::Resources {
            return Ok(vec![work.resources.of_capacity_provider(request)?]);
        }
        let pool = nodes.node_pool.as_ref();
        pool.map(Ordered::new).into_iter().collect()
    }

    pub(super) fn service(
        &self,
        input: &ServiceInput,
        service: &Service,
        work: &Work<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Ordered>, print::Error> {
        let (objects, mut notes) = translate::translate_service(service, work.resources.settings);
        match self.target {
            // A task definition that nothing is known to run is only checked.
            Target::Manifests if diagnostics.has(Reason::TaskDefinitionNotRun) => Ok(Vec::new()),
            Target::Manifests => {
                if diagnostics.has(Reason::ServiceAssumed) {
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
}

/// Forgets what was assumed about a unit of which nothing is made; why nothing is made is said.
fn forget_assumptions(diagnostics: &mut Diagnostics) {
    diagnostics.forget(Reason::ServiceAssumed);
    diagnostics.forget(Reason::TaskDefinitionNotRun);
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

/// Whether this is a pod or an EcsTask. Those of a request that is given again have the same name.
fn runs_once(object: &Ordered) -> bool {
    matches!(object.identity().0, "Pod" | "EcsTask")
}

/// The same number for the same content. One contradiction of 4 billion has the same too.
#[allow(
    clippy::cast_possible_truncation,
    reason = "half of the digest is enough"
)]
fn short_digest(value: &(impl Hash + ?Sized)) -> u32 {
    digest(value) as u32
}

/// The same digest for the same content.
fn digest(value: &(impl Hash + ?Sized)) -> u64 {
    FixedState::with_seed(0).hash_one(value)
}
