//! What a service asks for, and what to apply: two different things if a deployment began before a later change.

use std::sync::Arc;

use kube::ResourceExt as _;
use serde_json::Value;

use super::{
    adoption,
    assumed::{assumed, with_annotations_of},
    connect_hosts::connect_hosts,
    count::{self, desired_count, is_daemon, range_around, with_desired_count, without_scaling},
    digests::of_deployment,
    permit, policies,
    revision::{self, find, name_for, settings_of},
    revisions::Revision,
};
use crate::{
    controller::{
        caches::known::Known,
        capacity_provider, cluster,
        context::Context,
        error::Error,
        refusal::{Refusal, refused},
        registries::DigestFailure,
        task_definition::Definition,
    },
    crd::{EcsService, ServiceStatus, Spec, WarningStatus},
    decide::{
        deployment::{Target, pods_of},
        scaling::Range,
    },
    diagnostic::{Reason, StateReason},
    rendering::{
        ImageDigests, Inputs, KeptRendering, RenderedBy, Rendering, follows_counts,
        have_same_tasks, keep_exclusive, keep_target_groups, render, with_at_most, with_counts_of,
        with_tasks,
    },
    settings::Settings,
    source::read_service,
    translate::{WORKLOAD_LENGTH, kname},
    validate::{self, TaskDefinitionReference},
};

/// What a service asks for, as it would be rendered now.
pub(super) struct Newest {
    /// What its owner wrote.
    pub(super) inputs: Inputs,
    /// The digest of the inputs.
    pub(super) digest: String,
    /// What else the rendering depends on.
    pub(super) by: RenderedBy,
    /// The objects, with the current counts.
    pub(super) rendering: Rendering,
    /// The service revision that a deployment would have if it began now.
    pub(super) revision: String,
    /// The service revisions with the same inputs.
    pub(super) same: Vec<String>,
    /// The task definition, as in `web:3`.
    pub(super) task_definition: String,
    /// The images whose tags are not resolved, and why.
    pub(super) unresolved: Vec<(String, DigestFailure)>,
    /// The images of which it is not known what scans have found, and why.
    pub(super) unscanned: Vec<(String, String)>,
    /// Whether it follows the newest revision of its task definition.
    pub(super) follows: bool,
    /// The differences from ECS.
    pub(super) warnings: Vec<WarningStatus>,
}

/// What to apply.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The objects in the order of application.
    pub(super) objects: Vec<Value>,
    /// How many tasks are wanted; `None` for one on each node.
    pub(super) desired: Option<i64>,
    /// How the tasks are replaced.
    pub(super) rules: validate::Deployment,
    /// For how many seconds a task has to be ready until it counts as healthy.
    pub(super) healthy_after: i64,
    /// The service revision.
    pub(super) revision: String,
    /// What it was rendered to, and by what.
    pub(super) rendering: Option<KeptRendering>,
    /// Whether autoscalers and budgets stay as they are, because their wanted state is unknown.
    pub(super) spares_autoscaler: bool,
    /// Whether its deployment is in progress, so that it may be given up for what ran before.
    pub(super) may_return: bool,
}

/// Returns what a service asks for, with the digests that the tags of its images have: `None` for those of its deployment.
/// `None` if its task definition exists and only the revision has not been created yet.
pub(super) fn newest(
    service: &EcsService,
    cx: &Context,
    status: &ServiceStatus,
    images: Option<ImageDigests>,
) -> Result<Option<Newest>, Refusal> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let (request, _, findings) = read_service(&name, service.spec.text());
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let reference = request.task_definition.as_deref();
    let found = Definition::find(cx, &namespace, reference)?;
    let Some(definition) = found else {
        return Ok(None);
    };
    let own = request.service_name.as_deref().unwrap_or_default();
    let expected = kname(own, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("serviceName", own, &expected));
    }
    let inputs = inputs(service, &definition);
    let known = cx.service_revisions.of(service);
    let digest = inputs.digest();
    let cluster = cluster::defaults(cx, &namespace, &request)?;
    let mut settings = settings(service, cx, status, &known);
    if !capacity_provider::add_of_service(&mut settings, cx, &request, cluster.as_ref())? {
        return Ok(None);
    }
    let by = RenderedBy {
        operator: env!("CARGO_PKG_VERSION").to_owned(),
        settings,
        connect_hosts: connect_hosts(cx, service, &request, cluster.as_ref(), (&known, &digest)),
        cluster,
        images: images
            .unwrap_or_else(|| of_deployment(service, status, &known, (&inputs, &digest))),
    };
    let rendering = render(&name, &namespace, &inputs, &service.spec, &by).map_err(refused)?;
    policies::run(cx, service, status, &rendering);
    let revision = name_for(&known, &rendering.pods, &digest, &rendering.digest);
    let same = known.iter().filter(|revision| revision.inputs == digest);
    let mut same: Vec<String> = same.map(|revision| revision.id.clone()).collect();
    let asks_for_the_same = |before: &Inputs| {
        let with_those = with_annotations_of(&inputs, before);
        let before = with_those.map(|it| render(&name, &namespace, &it, &service.spec, &by));
        // If it can no longer be rendered, it is unknown what it would have been.
        let before = before.and_then(Result::ok);
        before.is_none_or(|before| have_same_tasks(&before.objects, &rendering.objects))
    };
    same.extend(assumed(service, status, &known, &inputs, asks_for_the_same));
    let reference = reference.unwrap_or_default();
    Ok(Some(Newest {
        revision,
        same,
        unresolved: Vec::new(),
        unscanned: Vec::new(),
        task_definition: inputs.label(),
        follows: TaskDefinitionReference::parse(reference).is_some_and(|it| it.revision.is_none()),
        warnings: warnings(service, &rendering),
        inputs,
        digest,
        by,
        rendering,
    }))
}

fn inputs(service: &EcsService, definition: &Definition) -> Inputs {
    Inputs {
        service: service.spec.clone(),
        annotations: settings_of(service),
        family: definition.family().to_owned(),
        revision: definition.number(),
        task_definition: Spec::clone(definition.spec()),
    }
}

/// Returns the differences from ECS, except for one that only a count in the spec makes.
fn warnings(service: &EcsService, rendering: &Rendering) -> Vec<WarningStatus> {
    let mut notes = rendering.notes.clone();
    if !count::is_given(service) {
        notes.forget(Reason::DesiredCountUndoesScaling);
    }
    Refusal::warnings(notes)
}

/// Returns the settings of the operator, with what a running service keeps of its target groups.
fn settings(
    service: &EcsService,
    cx: &Context,
    status: &ServiceStatus,
    known: &[Arc<Revision>],
) -> Settings {
    let mut settings = Settings {
        namespace: Settings::default().namespace,
        ..cx.settings("")
    };
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    let mut children = cx.children.of_owner(uid).into_iter();
    if !children.any(|(key, _)| key.kind.kind == "TargetGroupBinding") {
        return settings;
    }
    let primary = status.deployments.first();
    let revision = primary.and_then(|primary| find(known, primary.service_revision.as_deref()?));
    match revision.map(|revision| &revision.kept.rendering) {
        Some(Some(rendering)) => {
            if let Some((objects, before)) = rendering.open() {
                keep_target_groups(&mut settings, &objects, &before.settings);
            }
        }
        // An older operator, which shared none, has created the binding.
        Some(None) => keep_exclusive(&mut settings),
        None => {}
    }
    settings
}

/// Returns what to apply for a target, or why that is no longer available.
///
/// # Errors
///
/// When a request fails.
pub(super) async fn plan(
    service: &EcsService,
    cx: &Context,
    target: &Target,
    newest: Option<&Newest>,
) -> Result<Result<Plan, Refusal>, Error> {
    let known = cx.service_revisions.of(service);
    let found = match find(&known, &target.revision) {
        Some(found) => Some(found.clone()),
        None => revision::ask(cx, service, &target.revision).await?,
    };
    let found = match found {
        Some(found) if found.kept.rendering.is_none() => {
            adoption::adopt(cx, service, &found, newest).await?
        }
        Some(found) => found,
        None => match adoption::rebuild(cx, service, &target.revision, newest).await? {
            Ok(Some(rebuilt)) => rebuilt,
            Ok(None) => return Ok(Err(lost(service, &target.revision))),
            Err(refusal) => return Ok(Err(refusal)),
        },
    };
    let Some(rendering) = &found.kept.rendering else {
        return Ok(Err(lost(service, &target.revision)));
    };
    let last = || last_count(cx, service, &found);
    let in_force = || Range::of(&cx.services.latest(service).auto_scaling.range);
    let rendering = (rendering, &cx.settings(""));
    let Some(mut plan) = counted(service, &found, rendering, newest, last, in_force) else {
        return Ok(Err(lost(service, &target.revision)));
    };
    permit::spare_scaler(service, cx, &mut plan).await;
    if newest.is_none() {
        policies::restore(cx, service, &found);
    }
    policies::spare_autoscaler(cx, service, &mut plan);
    if let Some(most) = target.most {
        plan.objects = with_at_most(plan.objects, most);
        plan.desired = plan.desired.map(|desired| desired.min(most));
    }
    Ok(Ok(plan))
}

fn lost(service: &EcsService, revision: &str) -> Refusal {
    let message = format!(
        "the ControllerRevision of the service revision {revision} of EcsService {}, which should be running, does not exist or cannot be read: change the spec to the intended state",
        service.name_any()
    );
    Refusal::new(StateReason::ServiceRevisionNotFound, &message)
}

/// Returns how many tasks of a revision were last wanted, according to its Deployments or the reported status; `None`
/// if unknown, or for one on each node.
fn last_count(cx: &Context, service: &EcsService, revision: &Revision) -> Option<i64> {
    if is_daemon(&revision.kept.inputs.service.parse().unwrap_or_default()) {
        return None;
    }
    let children = cx.children.of_owner(service.metadata.uid.as_deref()?);
    let is_of_it = |known: &Known| known.pods.as_deref() == Some(pods_of(&revision.id));
    let of_it = children.iter().filter(|(_, known)| is_of_it(known));
    let counts = of_it.filter_map(|(_, known)| Some(known.workload.as_ref()?.desired));
    let reported = || {
        let primary = service.status.deployments.first()?;
        let is_it = primary.service_revision.as_ref() == Some(&revision.id);
        service.status.desired_count.filter(|_| is_it)
    };
    let live = counts.reduce(|one, other| one + other);
    live.or_else(reported)
}

/// Returns the stored objects with the current counts; `None` if they cannot be read. A spec without a count, as in a
/// DAEMON service, asks for the `last` number of tasks, not for the number when the deployment began.
fn counted(
    service: &EcsService,
    found: &Revision,
    (rendering, settings): (&KeptRendering, &Settings),
    newest: Option<&Newest>,
    last: impl Fn() -> Option<i64>,
    in_force: impl FnOnce() -> Option<Range>,
) -> Option<Plan> {
    // A revision that was just stored is not among the known ones.
    let is_it = |newest: &&Newest| newest.digest == found.inputs || newest.same.contains(&found.id);
    let asked_for = newest.filter(is_it);
    let as_kept = asked_for.filter(|newest| newest.by.digest() == rendering.settings);
    let plan = |objects, counts: &Rendering, spares_autoscaler| Plan {
        objects,
        desired: counts.desired,
        rules: counts.rules.clone(),
        healthy_after: rendering.healthy_after,
        revision: found.id.clone(),
        rendering: Some(rendering.clone()),
        spares_autoscaler,
        may_return: false,
    };
    if let Some(newest) = as_kept
        && newest.rendering.digest == rendering.digest
    {
        let objects = newest.rendering.objects.clone();
        return Some(plan(objects, &newest.rendering, false));
    }
    let (objects, by) = rendering.open()?;
    let by = by.with_metrics_of(settings);
    if let Some(newest) = as_kept {
        let objects = with_counts_of(objects, &newest.rendering.objects);
        return Some(plan(objects, &newest.rendering, false));
    }
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let inputs = &found.kept.inputs;
    let of = |today: &Spec| render(&name, &namespace, inputs, today, &by);
    let count = desired_count(&service.spec);
    let desired = count.or_else(&last);
    let today = match count {
        Some(_) => service.spec.clone(),
        None => with_desired_count(&service.spec, desired),
    };
    if let Ok(counts) = of(&today) {
        let objects = with_counts_of(objects, &counts.objects);
        return Some(plan(objects, &counts, false));
    }
    // The spec is rejected, but the number of tasks is known.
    let range = in_force().or_else(|| range_around(&inputs.service, last()));
    let desired = desired.map(|desired| range.map_or(desired, |range| range.nearest(desired)));
    let unscaled = without_scaling(&inputs.service);
    if let Ok(counts) = of(&with_desired_count(&unscaled, desired)) {
        let mut scaled = with_counts_of(objects, &counts.objects);
        // The limits of an autoscaler in it are those of when the deployment began.
        scaled.retain(|object| !is_of_counts(object));
        return Some(plan(scaled, &counts, true));
    }
    // This operator also rejects the spec that another one accepted.
    let tasks = desired.or_else(|| desired_count(&inputs.service));
    Some(Plan {
        objects: match tasks {
            Some(tasks) => with_tasks(objects, tasks),
            None => objects,
        },
        desired: tasks,
        rules: UNKNOWN_RULES,
        healthy_after: rendering.healthy_after,
        revision: found.id.clone(),
        rendering: Some(rendering.clone()),
        spares_autoscaler: true,
        may_return: false,
    })
}

fn is_of_counts(object: &Value) -> bool {
    let kind = object.get("kind").and_then(Value::as_str);
    kind.is_some_and(follows_counts)
}

/// The defaults of ECS, for a spec that was once accepted and can no longer be read.
const UNKNOWN_RULES: validate::Deployment = validate::Deployment {
    minimum_healthy_percent: 100,
    maximum_percent: 200,
    circuit_breaker: None,
    alarms: None,
    early_success: None,
};
