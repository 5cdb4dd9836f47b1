//! What becomes of one message. Nothing of its content is told: it may be secret.

use k8s_openapi::jiff::Timestamp;
use kube::{Api, ResourceExt as _, api::ListParams};

use super::{
    fetch::{Accepted, own_tasks},
    poller::Work,
    task::{ecs_task, message_key, pipe_arn},
};
use crate::{
    controller::{
        context::Context,
        error::Error,
        sqs::Received,
        started_task::{
            Created, FAILED, SUCCEEDED, Start, create_unless_rejected, of_task, result,
            why_not_created,
        },
    },
    crd::{EcsTask, TaskStatus},
    decide::start::{Decision, Refused, for_message},
    diagnostic::{StateReason, StatusReason},
    ecs,
    settings::{PIPE, PIPE_MESSAGE},
};

/// What becomes of a message.
pub(super) enum Fate {
    /// The EcsTask of this name was created.
    Started(String),
    /// Its EcsTask was there already.
    Known,
    /// It is deleted when the tasks of this EcsTask have succeeded.
    Waits {
        task: String,
        /// Whether the EcsTask was created now.
        is_new: bool,
    },
    /// No filter matches.
    Filtered,
    /// It stays in the queue, and comes again until its redrive policy moves it.
    Left {
        reason: StatusReason,
        why: String,
        /// Whether this may be so of each message.
        fails: bool,
    },
}

/// Does what is to be done for a message before it is deleted, or leaves it in the queue.
pub(super) async fn handle(
    cx: &Context,
    work: &Work,
    message: &Received,
    visibility_timeout: i64,
    now: Timestamp,
) -> Fate {
    let Work { pipe, accepted, .. } = work;
    let settings = cx.settings(&pipe.namespace().unwrap_or_default());
    let arn = pipe_arn(accepted, &settings);
    let time = now.to_string();
    let request = match message.with(|it| for_message(&accepted.pipe, &arn, it, &time)) {
        Decision::Filtered => return Fate::Filtered,
        Decision::Refused(refused) => {
            return Fate::Left {
                reason: StateReason::PipeParameterMissing.into(),
                why: why_no_task(&refused),
                // Others are not held up by it, unless it comes again at once.
                fails: visibility_timeout == 0,
            };
        }
        Decision::Start(request) => *request,
    };
    match start(cx, work, message, request, visibility_timeout).await {
        Ok(fate) => fate,
        Err(error) => Fate::Left {
            reason: StateReason::TargetInvocationFailed.into(),
            why: why_not_created(&error, is_constant(accepted)),
            fails: true,
        },
    }
}

/// Creates the EcsTask of a message, unless the operator would reject it.
async fn start(
    cx: &Context,
    work: &Work,
    message: &Received,
    request: ecs::Task,
    visibility_timeout: i64,
) -> Result<Fate, Error> {
    let Work { pipe, accepted, .. } = work;
    if accepted.extensions.waits_for_task()
        && message.receive_count() > 1
        && let Some(fate) = earlier(cx, work, message).await?
    {
        return Ok(fate);
    }
    let task = ecs_task(pipe, accepted, message, request, visibility_timeout)?;
    let refusal = match create_unless_rejected(cx, &task, PIPE).await? {
        Start::Created(Created::Now) => return Ok(begun(accepted, task.name_any())),
        Start::Created(Created::Before) => return Ok(found(accepted, task.name_any())),
        // The message is not lost, and goes where the queue sends it.
        Start::Rejected(refusal) => refusal,
    };
    let why = if is_constant(accepted) {
        refusal.message
    } else {
        format!("its EcsTask would be rejected: {}", refusal.reason.name())
    };
    Ok(Fate::Left {
        reason: refusal.reason,
        why,
        // What a message asks for holds up no others, unless it comes again at once.
        fails: is_constant(accepted) || visibility_timeout == 0,
    })
}

/// Returns the fate of a message whose EcsTask was created now.
fn begun(accepted: &Accepted, task: String) -> Fate {
    if accepted.extensions.waits_for_task() {
        Fate::Waits { task, is_new: true }
    } else {
        Fate::Started(task)
    }
}

/// Returns the fate of a message whose EcsTask was there already.
fn found(accepted: &Accepted, task: String) -> Fate {
    if accepted.extensions.waits_for_task() {
        let is_new = false;
        Fate::Waits { task, is_new }
    } else {
        Fate::Known
    }
}

/// Returns the fate of a message that has come again while its tasks are waited for; `None` if those that it had have
/// failed, so that it starts others.
async fn earlier(cx: &Context, work: &Work, message: &Received) -> Result<Option<Fate>, Error> {
    let key = message_key(message.id());
    let of_message = |task: &EcsTask| task.labels().get(PIPE_MESSAGE) == Some(&key);
    let known = own_tasks(cx, &work.pipe).into_iter();
    let mut tasks: Vec<(String, TaskStatus)> = known
        .filter(|task| of_message(task))
        .map(|task| (task.name_any(), cx.tasks.latest(&task)))
        .collect();
    if tasks.is_empty() {
        // The cache may not have what was started last.
        let namespace = work.pipe.namespace().unwrap_or_default();
        let api: Api<EcsTask> = Api::namespaced(cx.client.clone(), &namespace);
        let own = format!("{PIPE}={},{PIPE_MESSAGE}={key}", work.pipe.name_any());
        let listed = api.list(&ListParams::default().labels(&own)).await;
        let listed = listed.map_err(of_task("list", &own))?.into_iter();
        tasks = listed.map(|task| (task.name_any(), task.status)).collect();
    }
    // One that has succeeded is as good as one that runs: the message is deleted because of it.
    tasks.retain(|(_, status)| result(status) != FAILED);
    tasks.sort_by_key(|(_, status)| result(status) != SUCCEEDED);
    let task = tasks.into_iter().next();
    Ok(task.map(|(task, _)| found(&work.accepted, task)))
}

/// Whether the EcsTasks of a pipe have nothing of their messages.
fn is_constant(accepted: &Accepted) -> bool {
    accepted.pipe.task.dynamic.is_empty() && accepted.pipe.input.is_none()
}

/// Says why no task can be made of a message.
fn why_no_task(refused: &Refused) -> String {
    match refused {
        Refused::NotOverrides(_) => {
            "InputTemplate with the values of the message is not the overrides of a task".to_owned()
        }
        other => other.without_values("message"),
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;
    use crate::event::RenderError;

    fn of_api(code: u16, reason: &str, message: &str) -> Error {
        let status = Status::failure(message, reason).with_code(code);
        Error::Api {
            verb: "create",
            kind: "EcsTask".to_owned(),
            name: "orders-1".to_owned(),
            source: Box::new(kube::Error::Api(Box::new(status))),
        }
    }

    #[test]
    fn nothing_of_a_message_is_told() {
        let refused = of_api(422, "Invalid", "spec.count: Invalid value: \"secret\"");
        assert_eq!(
            why_not_created(&refused, false),
            "the API server refuses its EcsTask: Invalid (HTTP status 422)"
        );
        assert!(why_not_created(&refused, true).contains("secret"));
        let quota = "ecstasks \"orders-1\" is forbidden: exceeded quota: small, used: 3";
        assert_eq!(
            why_not_created(&of_api(403, "Forbidden", quota), false),
            "the API server refuses its EcsTask: Forbidden (HTTP status 403): exceeded quota: small, used: 3"
        );
        for refused in [
            Refused::NotOverrides("invalid type: string \"secret\"".to_owned()),
            Refused::Input(RenderError::NotJson {
                problem: "secret".to_owned(),
                missing: vec!["$.body.a".to_owned()],
            }),
            Refused::Input(RenderError::NotJson {
                problem: "secret".to_owned(),
                missing: Vec::new(),
            }),
        ] {
            let why = refused.without_values("message");
            assert!(!why.is_empty() && !why.contains("secret"), "{why}");
        }
        let missing = Refused::Missing {
            member: "overrides.cpu".to_owned(),
            path: "$.body.cpu".to_owned(),
        };
        assert_eq!(
            why_no_task(&missing),
            "$.body.cpu, for overrides.cpu, finds nothing in the event"
        );
    }
}
