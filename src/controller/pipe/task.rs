//! The EcsTask that a message makes.

use kube::{ResourceExt as _, api::DynamicObject};

use super::fetch::Accepted;
use crate::{
    controller::{
        sqs::Received,
        started_task::{Place, started_task},
    },
    crd::{EcsPipe, TaskExtensions},
    ecs,
    settings::{PIPE, PIPE_MESSAGE, Settings},
    translate::{WORKLOAD_LENGTH, hex_digest, kname},
};

/// How many digits of the digest of its ID the name of an EcsTask has.
const DIGITS: usize = 16;
/// The shortest time for which an EcsTask is kept that has ended, in seconds.
const KEPT: i64 = 3600;

/// Returns what distinguishes a message, as the value of a label.
pub(super) fn message_key(message: &str) -> String {
    hex_digest(message, DIGITS)
}

/// Returns the name of the EcsTask for a message, which no other message of the pipe has.
pub(super) fn task_name(pipe: &str, message: &str) -> String {
    let pipe = kname(pipe, WORKLOAD_LENGTH - DIGITS - 1);
    format!("{pipe}-{}", message_key(message))
}

/// Returns how long an EcsTask is kept that has ended, in seconds: a message whose deletion failed comes again after the
/// visibility timeout, and must find it.
pub(super) fn kept(visibility_timeout: i64) -> i64 {
    visibility_timeout.saturating_mul(2).max(KEPT)
}

/// Returns the EcsTask for a message, with the request that was made of it. If its tasks are waited for, each time that the
/// message was received has its own: those of the earlier ones may have failed.
///
/// # Errors
///
/// When it cannot be written as JSON, which is a bug in this program.
pub(super) fn ecs_task(
    pipe: &EcsPipe,
    accepted: &Accepted,
    message: &Received,
    mut request: ecs::Task,
    visibility_timeout: i64,
) -> Result<DynamicObject, serde_json::Error> {
    let own = pipe.name_any();
    request.started_by = Some(format!("pipes/{own}"));
    let extensions = TaskExtensions {
        ttl_seconds_after_finished: Some(kept(visibility_timeout)),
        kubernetes: accepted.extensions.kubernetes.clone(),
    };
    if !accepted.extensions.waits_for_task() {
        let name = task_name(&own, message.id());
        return started_task(pipe, (PIPE, &name), &request, &extensions);
    }
    let attempt = format!("{}/{}", message.id(), message.receive_count());
    let name = task_name(&own, &attempt);
    let mut task = started_task(pipe, (PIPE, &name), &request, &extensions)?;
    let key = message_key(message.id());
    task.labels_mut().insert(PIPE_MESSAGE.to_owned(), key);
    Ok(task)
}

/// Returns the ARN that the pipe would have in AWS: in the region and account of the settings, or of its cluster.
pub(super) fn pipe_arn(accepted: &Accepted, settings: &Settings) -> String {
    let (region, account) = (&settings.aws_region, &settings.aws_account_id);
    let place = Place::of(
        &accepted.pipe.cluster,
        (region.as_deref(), account.as_deref()),
    );
    format!(
        "arn:{}:pipes:{}:{}:pipe/{}",
        place.partition, place.region, place.account, accepted.pipe.name,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::fetch::read, *};

    /// The message `m1`, received for the given time.
    fn received(count: u32) -> Received {
        let message = json!({
            "MessageId": "m1", "Attributes": {"ApproximateReceiveCount": count.to_string()},
        });
        serde_json::from_value(message).expect("it is a message")
    }

    #[test]
    fn each_message_has_a_name_of_its_own_that_fits() {
        assert_eq!(task_name("orders", "m1"), task_name("orders", "m1"));
        assert_ne!(task_name("orders", "m1"), task_name("orders", "m2"));
        assert_eq!(task_name("orders", "m1").len(), "orders".len() + 17);
        let long = ["a".repeat(52), "a".repeat(51)].map(|pipe| task_name(&pipe, "m1"));
        assert_ne!(long[0], long[1]);
        assert!(
            long.iter().all(|name| name.len() <= WORKLOAD_LENGTH),
            "{long:?}"
        );
    }

    #[test]
    fn a_message_that_comes_again_finds_its_task() {
        assert_eq!(kept(30), 3600);
        assert_eq!(kept(43_200), 86_400);
    }

    #[test]
    fn the_task_of_a_message_has_its_overrides_and_nothing_else_of_it() {
        let pipe: EcsPipe = serde_json::from_value(json!({
            "metadata": {
                "name": "orders", "namespace": "shop",
                "annotations": {"ecs-operator.dev/aws-region": "eu-west-2", "b": "c"},
            },
            "spec": {
                "Source": "arn:aws:sqs:eu-west-1:123456789012:orders",
                "Target": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
                "TargetParameters": {"EcsTaskParameters": {"TaskDefinitionArn": "report"}},
                "kubernetes": {"pod": {"priorityClassName": "batch"}},
            },
        }))
        .expect("it is a pipe");
        let accepted = read(&pipe).expect("it is accepted");
        let request = accepted.pipe.task.request.clone();
        let task = ecs_task(&pipe, &accepted, &received(1), request, 30).expect("it is JSON");
        assert_eq!(task.name_any(), task_name("orders", "m1"));
        assert_eq!(task.labels()[PIPE], "orders");
        let annotations: Vec<&String> = task.annotations().keys().collect();
        assert_eq!(annotations, ["ecs-operator.dev/aws-region"]);
        assert_eq!(
            task.data["spec"],
            json!({
                "cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
                "taskDefinition": "report", "startedBy": "pipes/orders",
                "ttlSecondsAfterFinished": 3600,
                "kubernetes": {"pod": {"priorityClassName": "batch"}},
            })
        );
        assert_eq!(task.labels().get(PIPE_MESSAGE), None);
        // The name does not change when it comes again, unless its tasks may have failed.
        let name = |accepted: &Accepted, count| {
            let request = accepted.pipe.task.request.clone();
            let task = ecs_task(&pipe, accepted, &received(count), request, 30);
            let task = task.expect("it is JSON");
            (
                task.name_any(),
                task.labels().get(PIPE_MESSAGE).map(String::len),
            )
        };
        assert_eq!(name(&accepted, 1), name(&accepted, 2));
        let mut waits = accepted.clone();
        waits.extensions.wait_for_task = Some(true);
        assert_eq!(name(&waits, 1), name(&waits, 1));
        assert_ne!(name(&waits, 1), name(&waits, 2));
        assert_eq!(name(&waits, 1).1, Some(DIGITS));
        let settings = Settings::default();
        assert_eq!(
            pipe_arn(&accepted, &settings),
            "arn:aws:pipes:eu-west-1:123456789012:pipe/orders"
        );
    }
}
