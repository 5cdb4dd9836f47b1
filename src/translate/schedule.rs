//! Translates a schedule that starts tasks to a CronJob.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        batch::v1::{CronJob, CronJobSpec, JobSpec, JobTemplateSpec},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{
    Context, Manifests, Object, WORKLOAD_LENGTH, kname, pod,
    service::{capacity, security_groups},
    task::{add_metadata, shares},
};
use crate::{
    diagnostic::{Diagnostics, Message},
    settings::Settings,
    validate::{Differences, ScheduledTask},
};

const DESCRIPTION: &str = "ecs-operator.dev/description";
const SCHEDULE_GROUP: &str = "ecs-operator.dev/schedule-group";

/// Translates a schedule to its CronJob and the objects that its pods refer to; the notes report differences from ECS.
///
/// A Job never runs a task again that has failed, as in ECS. Tasks on several capacity providers are a CronJob for each
/// of these, because the pods of a Job are all alike.
#[must_use]
pub fn translate_schedule(
    schedule: &ScheduledTask,
    settings: &Settings,
) -> (Manifests, Diagnostics) {
    let task = &schedule.task;
    let cx = Context::of_task(task, settings);
    let mut notes = Diagnostics::new();
    capacity::report(&cx, &mut notes);
    let (mut template, mut objects) = pod::pod_template(&cx, &mut notes);
    add_metadata(task, &mut template);
    pod::overlay::apply(&cx, &mut template, &mut notes);
    security_groups::apply(&cx, &task.network_configuration, &mut objects, &mut notes);
    let mut notes = schedule.starter.place(&task.overridden.relocate(notes));
    report(&cx, schedule, &mut notes);
    let shares = shares(task);
    for (provider, count) in &shares {
        let mut template = template.clone();
        capacity::place(&cx, *provider, &mut template);
        let name = match provider {
            Some(provider) if shares.len() > 1 => {
                kname(&format!("{}-{}", cx.name(), provider.name), WORKLOAD_LENGTH)
            }
            _ => cx.name(),
        };
        let job = job(template, i32::try_from(*count).unwrap_or(i32::MAX));
        objects.push(Object::CronJob(cron_job(&cx, schedule, name, job)));
    }
    (objects, notes)
}

fn cron_job(cx: &Context<'_>, schedule: &ScheduledTask, name: String, job: JobSpec) -> CronJob {
    let annotations: BTreeMap<String, String> = [
        (DESCRIPTION, &schedule.description),
        (SCHEDULE_GROUP, &schedule.group),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
    .collect();
    let mut metadata = cx.metadata(name);
    let labels = metadata.labels.clone();
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    // ECS shows a stopped task for an hour.
    let [succeeded, failed] = schedule.kept;
    CronJob {
        metadata,
        spec: CronJobSpec {
            schedule: schedule.crontab.clone(),
            time_zone: Some(schedule.time_zone.clone()),
            suspend: schedule.is_disabled.then_some(true),
            concurrency_policy: Some(schedule.concurrency.name().to_owned()),
            starting_deadline_seconds: Some(schedule.starting_deadline),
            successful_jobs_history_limit: i32::try_from(succeeded).ok(),
            failed_jobs_history_limit: i32::try_from(failed).ok(),
            job_template: JobTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels,
                    ..ObjectMeta::default()
                }),
                spec: Some(job),
            },
        },
        status: None,
    }
}

/// Returns the Job of as many tasks. Tasks that start together do not depend on each other: with a limit for each index,
/// one that fails does not end the others
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/job/#backoff-limit-per-index>).
fn job(template: PodTemplateSpec, count: i32) -> JobSpec {
    let mut job = JobSpec {
        completions: Some(count),
        parallelism: Some(count),
        template,
        ..JobSpec::default()
    };
    if count > 1 {
        job.completion_mode = Some("Indexed".to_owned());
        job.backoff_limit_per_index = Some(0);
    } else {
        job.backoff_limit = Some(0);
    }
    job
}

/// Reports how the CronJob differs from the schedule.
fn report(cx: &Context<'_>, schedule: &ScheduledTask, notes: &mut Diagnostics) {
    let root = schedule.starter.root();
    if cx.name() != cx.ecs_name() {
        let (original, name) = (cx.ecs_name().to_owned(), cx.name());
        notes.report(
            root.field("Name"),
            Message::NameSanitized { original, name },
        );
    }
    let Differences {
        is_anchored_to_clock,
        is_in_repeated_hour,
        never_fires,
    } = schedule.differences;
    let path = root.field("ScheduleExpression");
    if is_anchored_to_clock {
        let line = schedule.crontab.clone();
        notes.report(path.clone(), Message::RateAnchoredToClock { line });
    }
    if is_in_repeated_hour {
        let zone = schedule.time_zone.clone();
        notes.report(path.clone(), Message::CronJobDstDiffers { zone });
    }
    if never_fires {
        notes.report(path, Message::ScheduleNeverFires);
    }
    if schedule.is_disabled {
        let n = schedule.starting_deadline.to_string();
        notes.report(root.field("State"), Message::SuspendedRunIsMadeUp { n });
    }
}
