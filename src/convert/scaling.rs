//! Scaling documents that are rejected without their service: each is a request of its own in AWS, and a service runs
//! on when one of them is refused.

use std::collections::BTreeSet;

use super::left_out;
use crate::{
    crd,
    diagnostic::{Diagnostic, Diagnostics, FieldPath, Message, Reason, Segment, Severity, Subject},
    input::ServiceInput,
    settings::Settings,
    source::{Content, Kind, Unit},
    validate,
};

const TARGET: &str = "scalableTarget";
const POLICIES: &str = "scalingPolicies";
const ACTIONS: &str = "scheduledActions";
const ALARMS: &str = "alarms";

/// A service without the scaling documents that are rejected.
pub(super) struct Separated {
    pub(super) content: Content,
    /// The findings about those documents.
    pub(super) rejected: Diagnostics,
    /// The reader's findings about all others, and the documents that the service goes without.
    pub(super) found: Diagnostics,
    kept: Kept,
}

/// The positions that the policies, alarms and actions of a service have among all that were given.
#[derive(Default)]
struct Kept {
    policies: Vec<usize>,
    alarms: Vec<usize>,
    actions: Vec<usize>,
}

/// A scaling document of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The scalable target, without which no policy or action has an effect.
    Target,
    Policy(usize),
    Alarm(usize),
    Action(usize),
}

/// Takes the rejected scaling documents out of a unit; `None` where there are none, where the service itself is
/// rejected, and where it has its scaling in its own document.
pub(super) fn separate(unit: &Unit, settings: &Settings) -> Option<Separated> {
    let Content::Service(input) = &unit.content else {
        return None;
    };
    let scaling = input.extensions.auto_scaling.as_ref()?;
    let of_scaling = |path: &FieldPath| path.subject() == Subject::AutoScaling;
    if has_own_scaling(unit) || !unit.left_out.iter().all(of_scaling) {
        return None;
    }
    let mut rejected = Diagnostics::new();
    let mut found = Diagnostics::new();
    for finding in unit.diagnostics.iter() {
        let error = finding.severity() == Severity::Error;
        let sink = if error { &mut rejected } else { &mut found };
        sink.report(finding.path.clone(), finding.message.clone());
    }
    if !unit.left_out.is_empty() {
        left_out::check(unit, settings, &mut rejected);
    }
    let mut parts: BTreeSet<Part> = unit.left_out.iter().filter_map(part).collect();
    loop {
        for finding in rejected.iter() {
            // An error of the service or its task definition rejects all of the unit.
            parts.insert(part(&finding.path).filter(|_| of_scaling(&finding.path))?);
        }
        leave_out_alarms(input, scaling, &mut parts);
        let (reduced, kept) = without(input, scaling, &parts);
        let Err(errors) = validate::validate_service(&reduced, settings) else {
            if parts.is_empty() {
                return None;
            }
            report(input, scaling, &parts, &mut found);
            return Some(Separated {
                content: Content::Service(Box::new(reduced)),
                rejected,
                found,
                kept,
            });
        };
        let known = parts.len();
        for finding in errors.iter() {
            let path = kept.restored(&finding.path);
            let part = part(&path).filter(|_| of_scaling(&path))?;
            let follows = finding.reason() == Reason::StepScalingNeedsAlarm
                && lost_its_alarm(input, scaling, part, &parts);
            parts.insert(part);
            if follows {
                continue;
            }
            if unit.left_out.is_empty() || !left_out::is_consequence(finding.reason()) {
                rejected.report(path, finding.message.clone());
            }
        }
        if parts.len() == known {
            return None;
        }
    }
}

impl Separated {
    /// Findings about the reduced service, with the positions that the documents have in the unit.
    pub(super) fn restored(&self, notes: &Diagnostics) -> Diagnostics {
        let mut restored = Diagnostics::new();
        for Diagnostic { path, message } in notes.iter() {
            restored.report(self.kept.restored(path), message.clone());
        }
        restored
    }
}

impl Kept {
    fn restored(&self, path: &FieldPath) -> FieldPath {
        let segments = path.segments();
        let (Subject::AutoScaling, [Segment::Member(list), Segment::Element(index), rest @ ..]) =
            (path.subject(), segments)
        else {
            return path.clone();
        };
        let kept = match &**list {
            POLICIES => &self.policies,
            ALARMS => &self.alarms,
            ACTIONS => &self.actions,
            _ => return path.clone(),
        };
        let index = kept.get(*index).copied().unwrap_or(*index);
        let start = FieldPath::root(Subject::AutoScaling)
            .field(list.clone())
            .index(index);
        rest.iter()
            .cloned()
            .fold(start, |path, step| path.child(step))
    }
}

/// The document that a path of scaling leads into.
fn part(path: &FieldPath) -> Option<Part> {
    Some(match path.segments() {
        [] => Part::Target,
        [Segment::Member(name), ..] if name == TARGET => Part::Target,
        [Segment::Member(name), Segment::Element(index), ..] if name == POLICIES => {
            Part::Policy(*index)
        }
        [Segment::Member(name), Segment::Element(index), ..] if name == ALARMS => {
            Part::Alarm(*index)
        }
        [Segment::Member(name), Segment::Element(index), ..] if name == ACTIONS => {
            Part::Action(*index)
        }
        _ => return None,
    })
}

/// Leaves out the alarms whose policies are all left out.
fn leave_out_alarms(input: &ServiceInput, scaling: &crd::AutoScaling, parts: &mut BTreeSet<Part>) {
    let is_out = |policy: &usize| parts.contains(&Part::Policy(*policy));
    let alarms = (0..scaling.alarms.len()).filter(|alarm| {
        let policies = triggered(input, scaling, *alarm);
        !policies.is_empty() && policies.iter().all(is_out)
    });
    let alarms: Vec<Part> = alarms.map(Part::Alarm).collect();
    parts.extend(alarms);
}

/// Whether a policy would have an alarm if that were not left out.
fn lost_its_alarm(
    input: &ServiceInput,
    scaling: &crd::AutoScaling,
    policy: Part,
    parts: &BTreeSet<Part>,
) -> bool {
    let Part::Policy(policy) = policy else {
        return false;
    };
    let mut alarms = (0..scaling.alarms.len()).filter(|it| parts.contains(&Part::Alarm(*it)));
    alarms.any(|alarm| triggered(input, scaling, alarm).contains(&policy))
}

/// The positions of the policies that an alarm triggers.
fn triggered(input: &ServiceInput, scaling: &crd::AutoScaling, alarm: usize) -> Vec<usize> {
    let service = validate::ScaledService {
        name: input.request.service_name.as_deref().unwrap_or_default(),
        cluster: input.request.cluster.as_deref(),
    };
    let alarm = scaling.alarms.get(alarm);
    alarm.map_or_else(Vec::new, |alarm| {
        validate::triggered_policies(alarm, &scaling.scaling_policies, service)
    })
}

/// Whether the service is a custom resource with scaling in its own document.
fn has_own_scaling(unit: &Unit) -> bool {
    let path = FieldPath::root(Subject::Service).field("autoScaling");
    let service = unit
        .documents
        .iter()
        .find(|document| document.kind() == Kind::Service);
    let location = service.and_then(|document| document.locate(&path));
    location.is_some_and(|location| location.exact)
}

/// The service without some scaling documents.
fn without(
    input: &ServiceInput,
    scaling: &crd::AutoScaling,
    parts: &BTreeSet<Part>,
) -> (ServiceInput, Kept) {
    let mut reduced = input.clone();
    if parts.contains(&Part::Target) {
        reduced.extensions.auto_scaling = None;
        return (reduced, Kept::default());
    }
    let kept = |count: usize, part: fn(usize) -> Part| -> Vec<usize> {
        (0..count)
            .filter(|index| !parts.contains(&part(*index)))
            .collect()
    };
    let kept = Kept {
        policies: kept(scaling.scaling_policies.len(), Part::Policy),
        alarms: kept(scaling.alarms.len(), Part::Alarm),
        actions: kept(scaling.scheduled_actions.len(), Part::Action),
    };
    let crd::AutoScaling {
        scalable_target,
        scaling_policies,
        alarms,
        scheduled_actions,
        scaler,
    } = scaling;
    reduced.extensions.auto_scaling = Some(crd::AutoScaling {
        scalable_target: scalable_target.clone(),
        scaling_policies: chosen(scaling_policies, &kept.policies),
        alarms: chosen(alarms, &kept.alarms),
        scheduled_actions: chosen(scheduled_actions, &kept.actions),
        scaler: *scaler,
    });
    (reduced, kept)
}

fn chosen<T: Clone>(all: &[T], indexes: &[usize]) -> Vec<T> {
    let chosen = indexes.iter().filter_map(|index| all.get(*index));
    chosen.cloned().collect()
}

/// Says of each document that the service goes without that it does.
fn report(
    input: &ServiceInput,
    scaling: &crd::AutoScaling,
    parts: &BTreeSet<Part>,
    sink: &mut Diagnostics,
) {
    let none = parts.contains(&Part::Target);
    let root = FieldPath::root(Subject::AutoScaling);
    let name = input.request.service_name.clone().unwrap_or_default();
    let mut report = |path| {
        let name = name.clone();
        sink.report(path, Message::ScalingDocumentLeftOut { name });
    };
    if none && scaling.scalable_target.is_some() {
        report(root.field(TARGET));
    }
    for index in 0..scaling.scaling_policies.len() {
        if none || parts.contains(&Part::Policy(index)) {
            report(root.field(POLICIES).index(index));
        }
    }
    for index in 0..scaling.alarms.len() {
        if none || parts.contains(&Part::Alarm(index)) {
            report(root.field(ALARMS).index(index));
        }
    }
    for index in 0..scaling.scheduled_actions.len() {
        if none || parts.contains(&Part::Action(index)) {
            report(root.field(ACTIONS).index(index));
        }
    }
}
