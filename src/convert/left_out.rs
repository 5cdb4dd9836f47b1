//! What can still be said of requests from which the reader had to leave members out.

use crate::{
    app_runner,
    diagnostic::{Diagnostic, Diagnostics, FieldPath, Reason, Segment, Subject},
    settings::Settings,
    source::{Content, Unit},
    validate,
};

/// Members by which others are judged, wherever these are: without one of them nothing can be said.
const DECISIVE: &[&str] = &[
    "CapacityProviderStrategy",
    "ImageRepository",
    "Input",
    "LaunchType",
    "capacityProviderStrategy",
    "containerDefinitions",
    "configuredAtLaunch",
    "dependsOn",
    "family",
    "firelensConfiguration",
    "launchType",
    "name",
    "networkMode",
    "overrides",
    "protocol",
    "requiresCompatibilities",
    "runtimePlatform",
    "serviceName",
];

/// What is said of one value alone, or of values side by side, whatever else is missing.
const INDEPENDENT: &[Reason] = &[
    Reason::ContainerMemoryTooSmall,
    Reason::DuplicateTag,
    Reason::DuplicateVolume,
    Reason::InvalidEnvironmentName,
    Reason::InvalidMountPath,
    Reason::InvalidSecretReference,
    Reason::SecretEnvNameConflict,
    Reason::SecretReferenceUnclear,
    Reason::SecretVersionConflict,
];

/// What is also said where only something else is missing, wherever that is.
const CONSEQUENCES: &[Reason] = &[
    Reason::CompletionOnEssentialContainer,
    Reason::ContainerCpuExceedsTask,
    Reason::ContainerMemoryExceedsTask,
    Reason::DesiredCountRequired,
    Reason::DnsSettingsConflict,
    Reason::EfsConflictingOptions,
    Reason::FargateCpuMemory,
    Reason::HealthyWithoutHealthCheck,
    Reason::HostDevicesUnsupported,
    Reason::InvalidTargetInput,
    Reason::LoadBalancerPortNotMapped,
    Reason::MemoryRequired,
    Reason::NoEssentialContainer,
    Reason::RegionRequired,
    Reason::RequiredField,
    Reason::RoleNameNeedsAccountId,
    Reason::StepScalingNeedsAlarm,
    Reason::StepScalingNeedsController,
    Reason::TaskDefinitionRequired,
    Reason::UnknownContainer,
    Reason::TerminationProtectionNeedsScaling,
    Reason::UnknownPortName,
    Reason::UnknownVolume,
    Reason::UtilizationNeedsRequests,
    Reason::VolumeNotConfiguredAtLaunch,
    Reason::WindowsUnsupportedParameter,
];

/// Whether this may be said only because something is missing.
pub(super) fn is_consequence(reason: Reason) -> bool {
    CONSEQUENCES.contains(&reason)
}

/// Adds what validation rejects, unless that may only follow from what was left out.
pub(super) fn check(unit: &Unit, settings: &Settings, diagnostics: &mut Diagnostics) {
    if unit.left_out.iter().any(is_of_list) {
        return;
    }
    let is_decided = !unit.left_out.iter().any(is_decisive);
    let findings = match &unit.content {
        Content::Service(input) => validate::validate_service(input, settings).err(),
        Content::Task(input) => validate::validate_task(input, settings).err(),
        Content::Schedule(input) => validate::validate_schedule(input, settings).err(),
        Content::AppRunner(input) => app_runner::validate_app_runner(input, settings).err(),
        Content::Rule(input) => validate::validate_scheduled_rule(input, settings).err(),
        Content::Pipe(input) => validate::validate_pipe(&input.request).err(),
        Content::CapacityProvider(request) => validate::validate_capacity_provider(request).err(),
        Content::Nothing => None,
    };
    let around: Vec<FieldPath> = unit.left_out.iter().map(around).collect();
    // Nothing in a service or task definition depends on its scaling.
    let of_scaling = |path: &FieldPath| path.subject() == Subject::AutoScaling;
    let only_scaling = unit.left_out.iter().all(of_scaling);
    let findings = findings.unwrap_or_default();
    let said = findings
        .iter()
        .filter(|finding| is_decided || INDEPENDENT.contains(&finding.reason()));
    for finding in said {
        let may_follow = !only_scaling || of_scaling(&finding.path);
        let follows = may_follow && is_consequence(finding.reason())
            || around.iter().any(|place| touches(finding, place));
        if !follows {
            diagnostics.report(finding.path.clone(), finding.message.clone());
        }
    }
}

/// Whether an element of a list of the document is missing, so that the other elements have other indexes, or all of it.
fn is_of_list(path: &FieldPath) -> bool {
    matches!(
        path.segments(),
        [] | [Segment::Member(_), Segment::Element(_)]
    )
}

/// Whether what is missing at `path` decides about others.
fn is_decisive(path: &FieldPath) -> bool {
    match path.segments() {
        [Segment::Member(list), Segment::Element(_), inner @ ..]
            if list == "containerDefinitions" =>
        {
            inner.iter().any(names_decisive)
        }
        segments => segments.iter().any(names_decisive),
    }
}

fn names_decisive(segment: &Segment) -> bool {
    matches!(segment, Segment::Member(name) if DECISIVE.contains(&&**name))
}

/// The part of the document that may be judged by what is missing at `path`: the object that lacks it, or the list,
/// whose other elements then have other indexes. Documents and containers are too large for that.
fn around(path: &FieldPath) -> FieldPath {
    let segments = path.segments();
    let outer = segments.split_last().map_or(segments, |(_, outer)| outer);
    let part = match outer {
        [] => segments,
        [Segment::Member(list), Segment::Element(_)] if list == "containerDefinitions" => segments,
        outer => outer,
    };
    let root = FieldPath::root(path.subject());
    let steps = part.iter().cloned();
    steps.fold(root, |path, step| path.child(step))
}

fn touches(finding: &Diagnostic, place: &FieldPath) -> bool {
    let (a, b) = (finding.path.segments(), place.segments());
    finding.path.subject() == place.subject() && (a.starts_with(b) || b.starts_with(a))
}
