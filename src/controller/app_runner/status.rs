//! The status of an App Runner service.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::{Resource as _, ResourceExt as _};
use serde_json::Value;

use super::{apply::Kept, built::Source, fetch::Accepted, pushes::deployed};
use crate::{
    controller::{
        context::Context,
        error::Error,
        refusal::Refusal,
        status::{Aspect, conditions},
    },
    crd::{ACCEPTED, AppRunnerService, AppRunnerServiceStatus, READY},
    decide::app_runner::{Asked, Of, Progress, follow},
    diagnostic::{StateReason, StatusReason},
};

fn aspect(
    type_: &'static str,
    holds: bool,
    reason: impl Into<StatusReason>,
    message: impl Into<String>,
) -> Aspect {
    Aspect {
        type_,
        holds: Some(holds),
        reason: reason.into(),
        message: message.into(),
    }
}

/// Returns a status with these conditions for the generation of a service.
fn with(
    status: AppRunnerServiceStatus,
    service: &AppRunnerService,
    aspects: Vec<Aspect>,
    now: Timestamp,
) -> AppRunnerServiceStatus {
    let generation = service.meta().generation;
    AppRunnerServiceStatus {
        conditions: conditions(aspects, &status.conditions, generation, now),
        observed_generation: generation,
        ..status
    }
}

/// Returns the status of a service that is rejected. What it has made goes on.
pub(super) fn rejected(
    service: &AppRunnerService,
    before: &AppRunnerServiceStatus,
    refusal: &Refusal,
    now: Timestamp,
) -> AppRunnerServiceStatus {
    let goes_on = "The spec is rejected; what an earlier one has made goes on.";
    let aspects = vec![
        aspect(ACCEPTED, false, refusal.reason, &*refusal.message),
        aspect(READY, false, StateReason::NotAccepted, goes_on),
    ];
    with(before.clone(), service, aspects, now)
}

fn accepted() -> Aspect {
    let message = "The spec is accepted.";
    aspect(ACCEPTED, true, StateReason::Translated, message)
}

/// Returns the status of a service whose objects cannot be written. What it has made before goes on.
pub(super) fn failed(
    service: &AppRunnerService,
    before: &AppRunnerServiceStatus,
    read: &Accepted,
    error: &Error,
    now: Timestamp,
) -> AppRunnerServiceStatus {
    let status = AppRunnerServiceStatus {
        warnings: read.warnings.clone(),
        ..before.clone()
    };
    let aspects = vec![
        accepted(),
        aspect(READY, false, error.reason(), error.to_string()),
    ];
    with(status, service, aspects, now)
}

/// Returns the status of a service that waits for its first image.
pub(super) fn waiting(
    service: &AppRunnerService,
    before: &AppRunnerServiceStatus,
    (read, source): (&Accepted, &Source),
    now: Timestamp,
) -> AppRunnerServiceStatus {
    let asked = Asked {
        uid: service.metadata.uid.as_deref().unwrap_or_default(),
        requested: read.requested.clone(),
        progress: Progress::Underway,
        has_run: false,
    };
    let status = AppRunnerServiceStatus {
        warnings: read.warnings.clone(),
        ..follow(before, asked, now)
    };
    let why = source.why_none();
    let message = format!("It waits for an image: {}", why.message);
    let mut aspects = vec![accepted(), aspect(READY, false, why.reason, message)];
    aspects.extend(source.aspect());
    with(status, service, aspects, now)
}

/// Returns the status of a service whose objects are as they should be.
pub(super) fn followed(
    cx: &Context,
    service: &AppRunnerService,
    before: &AppRunnerServiceStatus,
    (read, source): (&Accepted, Option<&Source>),
    kept: &Kept,
    now: Timestamp,
) -> AppRunnerServiceStatus {
    let of_service = cx.services.latest(&kept.service);
    let of_definition = cx.task_definitions.latest(&kept.definition);
    let progress = if kept.is_new {
        Progress::Underway
    } else {
        let definition = Of {
            status: &of_definition,
            generation: kept.definition.meta().generation,
        };
        let service = Of {
            status: &of_service,
            generation: kept.service.meta().generation,
        };
        Progress::of(service, definition)
    };
    // Without a digest of what was deployed, it is not known what a push changes.
    let image = read.watched.as_ref();
    let is_watched = image.is_some_and(|image| deployed(&of_service, image).is_some());
    let warnings = if is_watched {
        &read.watched_warnings
    } else {
        &read.warnings
    };
    let asked = Asked {
        uid: service.metadata.uid.as_deref().unwrap_or_default(),
        requested: read.requested.clone(),
        progress,
        has_run: of_service.completed_revision.is_some(),
    };
    let status = AppRunnerServiceStatus {
        warnings: warnings.clone(),
        service_url: url(cx, kept),
        ..follow(before, asked, now)
    };
    let is_refused = |condition: &&Condition| condition.status == "False" && !kept.is_new;
    let of_definition = find(&of_definition.conditions, ACCEPTED).filter(is_refused);
    let refused = of_definition.map(|it| ("EcsTaskDefinition", it));
    let of_ecs = find(&of_service.conditions, ACCEPTED).filter(is_refused);
    let refused = refused.or_else(|| of_ecs.map(|it| ("EcsService", it)));
    let mut aspects = match refused {
        Some((kind, condition)) => {
            let message = format!("{kind} {}: {}", service.name_any(), condition.message);
            vec![
                aspect(ACCEPTED, false, named(condition), message),
                aspect(
                    READY,
                    false,
                    StateReason::NotAccepted,
                    "What is made of the spec is rejected; what ran before keeps running.",
                ),
            ]
        }
        None => {
            let ready = find(&of_service.conditions, READY);
            vec![accepted(), ready_of(progress, read.requested.paused, ready)]
        }
    };
    aspects.extend(source.and_then(Source::aspect));
    with(status, service, aspects, now)
}

/// Returns the host that a service is reached by.
fn url(cx: &Context, kept: &Kept) -> Option<String> {
    let spec: Value = kept.service.spec.parse().unwrap_or_default();
    let expose = spec.pointer("/kubernetes/expose")?;
    if let Some(hosts) = expose.get("hosts").and_then(Value::as_array) {
        let mut hosts = hosts.iter().filter_map(Value::as_str);
        // A wildcard is no host, and the address answers for no other one.
        return hosts.find(|host| !host.starts_with('*')).map(str::to_owned);
    }
    let uid = kept.service.meta().uid.as_deref().unwrap_or_default();
    let children = cx.children.of_owner(uid);
    let mut addresses = children
        .iter()
        .filter_map(|(_, known)| known.address.as_deref());
    addresses.next().map(str::to_owned)
}

fn find<'c>(conditions: &'c [Condition], type_: &str) -> Option<&'c Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Returns the reason of a condition that this operator has written.
fn named(condition: &Condition) -> StatusReason {
    StatusReason::named(&condition.reason).unwrap_or_else(|| StateReason::InProgress.into())
}

/// Returns whether what the service asks for runs, as its EcsService says it.
fn ready_of(progress: Progress, paused: bool, ready: Option<&Condition>) -> Aspect {
    let underway = || {
        let message = "The EcsService does not run this spec yet.";
        aspect(READY, false, StateReason::InProgress, message)
    };
    match (progress, ready) {
        (Progress::Steady, _) if paused => aspect(
            READY,
            true,
            StateReason::ServicePaused,
            "It is paused, so no instance runs.",
        ),
        (Progress::Steady, Some(ready)) => aspect(READY, true, named(ready), &*ready.message),
        (_, Some(ready)) if ready.status == "False" => {
            aspect(READY, false, named(ready), &*ready.message)
        }
        _ => underway(),
    }
}
