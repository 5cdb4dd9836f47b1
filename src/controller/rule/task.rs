//! The EcsTask that a target makes for an event.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::{ResourceExt as _, api::DynamicObject};

use super::fetch::Accepted;
use crate::{
    controller::started_task::{Place, started_task},
    crd::{EcsRule, TaskExtensions},
    decide::start::{Refused, for_event},
    ecs,
    event::Context as EventContext,
    settings::{RULE, RULE_DEPTH, Settings},
    translate::{WORKLOAD_LENGTH, hex_digest, kname},
    validate::RuleTarget,
};
use serde_json::Value;

/// How many digits of the digest of its target and event the name of an EcsTask has.
const DIGITS: usize = 16;
/// How old an event may be that starts something.
pub(super) const HORIZON: SignedDuration = SignedDuration::from_hours(1);
/// How old an event may be that is looked at: older than one that starts something, so that what was tried until then is
/// given up, and told.
pub(super) const SEEN: SignedDuration = SignedDuration::from_mins(62);
/// For how long an EcsTask is kept that has ended, in seconds: longer than its event may start anything, so that whoever
/// sees the event again finds it.
const KEPT: i64 = 3900;

/// Returns the name of the EcsTask of a target for an event, which no other target and event of the rule have.
pub(super) fn task_name(rule: &str, target: &str, event: &str) -> String {
    let rule = kname(rule, WORKLOAD_LENGTH - DIGITS - 1);
    let digest = hex_digest(format!("{target}\n{event}"), DIGITS);
    format!("{rule}-{digest}")
}

/// Returns the request of RunTask of a target for an event.
///
/// # Errors
///
/// What the event lacks, or what is wrong with what was made of it.
pub(super) fn request(
    accepted: &Accepted,
    target: &RuleTarget,
    event: &Value,
    settings: &Settings,
    now: Timestamp,
) -> Result<ecs::Task, Refused> {
    let (arn, time) = (rule_arn(accepted, target, settings), now.to_string());
    let context = EventContext {
        own_arn: &arn,
        own_name: &accepted.rule.name,
        ingestion_time: &time,
        ..EventContext::default()
    };
    for_event(target, event, &context)
}

/// Returns the EcsTask of this name for a request that was made of an event. `depth` is how many rules one after the other
/// have led to it.
///
/// # Errors
///
/// When it cannot be written as JSON, which is a bug in this program.
pub(super) fn ecs_task(
    rule: &EcsRule,
    accepted: &Accepted,
    name: &str,
    mut request: ecs::Task,
    depth: i64,
) -> Result<DynamicObject, serde_json::Error> {
    request.started_by = Some(format!("events-rule/{}", rule.name_any()));
    let extensions = TaskExtensions {
        ttl_seconds_after_finished: Some(KEPT),
        kubernetes: accepted.extensions.kubernetes.clone(),
    };
    let mut task = started_task(rule, (RULE, name), &request, &extensions)?;
    task.annotations_mut()
        .insert(RULE_DEPTH.to_owned(), depth.to_string());
    Ok(task)
}

/// Returns the ARN that the rule would have in AWS: in the region and account of the settings, or of the cluster of a
/// target.
pub(super) fn rule_arn(accepted: &Accepted, target: &RuleTarget, settings: &Settings) -> String {
    let (region, account) = (&settings.aws_region, &settings.aws_account_id);
    let cluster = target.task.request.cluster.as_deref().unwrap_or_default();
    let place = Place::of(cluster, (region.as_deref(), account.as_deref()));
    let (bus, name) = (&accepted.rule.bus, &accepted.rule.name);
    let bus = bus.rsplit('/').next().unwrap_or_default();
    let bus = match bus {
        ecs::Rule::DEFAULT_EVENT_BUS_NAME => String::new(),
        other => format!("{other}/"),
    };
    format!(
        "arn:{}:events:{}:{}:rule/{bus}{name}",
        place.partition, place.region, place.account,
    )
}
