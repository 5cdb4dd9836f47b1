//! Making the pods of tasks, and what they need.

use k8s_openapi::{
    api::core::v1::PodSchedulingGate, apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::ResourceExt as _;

use crate::{
    controller::{
        apply::{Wanted, apply, create_once},
        caches::owner::Owner,
        cluster::complete,
        context::Context,
        error::Error,
        refusal::{Refusal, refused},
        task_definition::lookup::{Definition, settings},
    },
    crd::EcsTask,
    decide::{obstacle::Obstacle, pod_state::RECORDED},
    diagnostic::Subject,
    source::read_task,
    translate::{Object, translate_task},
    validate::{TaskInput, validate_task},
};

/// What should be there for the tasks.
pub(super) struct Plan {
    /// The pods, one for each task, with the gates that keep them from the scheduler.
    pub(super) pods: Vec<Wanted>,
    /// What they need.
    others: Vec<Wanted>,
    pub(super) task_definition: String,
}

/// What should be there, or why that cannot be said; `None` if a revision is about to appear.
pub(super) fn plan(task: &EcsTask, cx: &Context) -> Result<Option<Plan>, Refusal> {
    let (namespace, name) = (task.namespace().unwrap_or_default(), task.name_any());
    let (mut request, _, mut findings) = read_task(task.spec.text());
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let begun_with = task.status.task_definition.as_deref();
    let reference = begun_with.or(request.task_definition.as_deref());
    let Some(definition) = Definition::find(cx, &namespace, reference)? else {
        return Ok(None);
    };
    complete(cx, &namespace, &mut request)?;
    let settings = settings(cx, task, Subject::Task, &mut findings);
    let input = TaskInput {
        name: &name,
        request: &request,
        task_definition: definition.input(),
    };
    let validated = match validate_task(&input, &settings) {
        Ok(validated) if !findings.has_errors() => validated,
        Ok(_) => return Err(refused(findings)),
        Err(more) => {
            findings.append(more);
            return Err(refused(findings));
        }
    };
    let (manifests, _) = translate_task(&validated, &settings);
    let objects = manifests.into_objects().into_iter().map(held_back);
    let objects: Result<Vec<Wanted>, _> = objects.map(|object| Wanted::of(&object)).collect();
    let objects = objects.map_err(|error| Refusal::internal(&error))?;
    let (pods, others) = objects
        .into_iter()
        .partition(|wanted| wanted.key.kind.kind == "Pod");
    Ok(Some(Plan {
        pods,
        others,
        task_definition: definition.label(),
    }))
}

/// A pod with the gate that keeps it from the scheduler until it is on record; any other object as it is.
fn held_back(mut object: Object) -> Object {
    if let Object::Pod(pod) = &mut object
        && let Some(spec) = &mut pod.spec
    {
        let gates = spec.scheduling_gates.get_or_insert_default();
        gates.push(PodSchedulingGate {
            name: RECORDED.to_owned(),
        });
    }
    object
}

/// Why a pod was not made.
#[derive(Clone)]
pub(super) enum NotMade {
    /// It cannot be made at all, for this reason.
    Never(String),
    /// It will be tried again; what keeps it, once a person should know of that.
    Yet(Option<Obstacle>),
}

/// What became of the pods that were to be made.
#[derive(Default)]
pub(super) struct Made {
    /// Those that were not made, by name.
    pub(super) missing: Vec<(String, NotMade)>,
    /// What is to be tried again.
    pub(super) failure: Option<Error>,
}

impl Made {
    /// None of these pods was made.
    fn none(names: &[String], why: &NotMade) -> Self {
        let missing = names.iter().map(|name| (name.clone(), why.clone()));
        Self {
            missing: missing.collect(),
            failure: None,
        }
    }
}

/// Makes the pods of these names, and before them what all pods need, which is put back for as long as they run.
pub(super) async fn make(
    task: &EcsTask,
    names: &[String],
    cx: &Context,
    owner: &OwnerReference,
) -> Made {
    let plan = match plan(task, cx) {
        Ok(Some(plan)) => plan,
        Ok(None) => return Made::none(names, &NotMade::Yet(None)),
        Err(refusal) => return Made::none(names, &NotMade::Never(refusal.message)),
    };
    let user = Owner::Task(task.namespace().unwrap_or_default(), task.name_any());
    cx.children
        .wants(&user, plan.others.iter().map(|wanted| &wanted.key));
    let lasting = cx.backoff.is_lasting(&owner.uid);
    for object in &plan.others {
        if let Err(error) = apply(&cx.client, &cx.children, object, owner).await {
            let why = why(&error, lasting);
            let failure = matches!(why, NotMade::Yet(_)).then_some(error);
            return Made {
                failure,
                ..Made::none(names, &why)
            };
        }
    }
    let mut made = Made::default();
    for pod in &plan.pods {
        if !names.iter().any(|name| **name == *pod.key.name) {
            continue;
        }
        if let Err(error) = create_once(&cx.client, pod, owner).await {
            let why = why(&error, lasting);
            if matches!(why, NotMade::Yet(_)) {
                made.failure = Some(error);
            }
            made.missing.push((pod.key.name.to_string(), why));
        }
    }
    made
}

/// What an error means. One that does not last is not told, but for a quota: that is another's to change.
fn why(error: &Error, lasting: bool) -> NotMade {
    let message = error.to_string();
    if message.contains("exceeded quota:") {
        let code = "QuotaExceeded";
        return NotMade::Yet(Some(Obstacle { code, message }));
    }
    // Admission reads caches, in which a new account or quota may not be yet.
    let is_new = [
        "error looking up service account",
        "status unknown for quota",
    ]
    .iter()
    .any(|words| message.contains(words));
    if error.is_transient() || is_new {
        let code = error.reason();
        return NotMade::Yet(lasting.then_some(Obstacle { code, message }));
    }
    NotMade::Never(message)
}

#[cfg(test)]
mod tests {
    use kube::core::{Status, response::StatusSummary};

    use super::*;

    fn refused(code: u16, message: &str) -> Error {
        Error::Api {
            verb: "apply",
            kind: "Pod".to_owned(),
            name: "job-0".to_owned(),
            source: Box::new(kube::Error::Api(Box::new(Status {
                status: Some(StatusSummary::Failure),
                code,
                message: message.to_owned(),
                metadata: None,
                reason: String::new(),
                details: None,
            }))),
        }
    }

    fn told(error: &Error, lasting: bool) -> Result<Option<&'static str>, String> {
        match why(error, lasting) {
            NotMade::Yet(obstacle) => Ok(obstacle.map(|obstacle| obstacle.code)),
            NotMade::Never(reason) => Err(reason),
        }
    }

    #[test]
    fn what_passes_is_tried_again() {
        let quota = refused(
            403,
            "pods \"job-0\" is forbidden: exceeded quota: q, requested: pods=1",
        );
        assert_eq!(told(&quota, false), Ok(Some("QuotaExceeded")));
        let account = refused(403, "error looking up service account a/b: not found");
        assert_eq!(told(&account, false), Ok(None));
        assert_eq!(told(&account, true), Ok(Some("Forbidden")));
        assert_eq!(told(&refused(500, "no answer"), false), Ok(None));
        let policy = refused(403, "violates PodSecurity \"restricted:latest\"");
        let never = told(&policy, false).expect_err("nobody will change that");
        assert!(never.contains("PodSecurity"), "{never}");
    }
}
