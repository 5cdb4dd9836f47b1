//! Creation of the pods of tasks, and of what they need.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt as _;

use super::{claims::mounted, plan::plan};
use crate::{
    controller::{
        apply::{apply, create_once},
        caches::owner::Owner,
        context::Context,
        error::Error,
        refusal::Refusal,
        wanted::Wanted,
    },
    crd::EcsTask,
    decide::obstacle::Obstacle,
    diagnostic::StateReason,
};

/// Why a pod was not created.
#[derive(Clone)]
pub(super) enum NotMade {
    /// It can never be created, for this reason.
    Never(String),
    /// It will be retried. Contains the obstacle once it should be reported.
    Yet(Option<Obstacle>),
}

/// The result of creating pods.
#[derive(Default)]
pub(super) struct Made {
    /// The pods that were not created, by name.
    pub(super) missing: Vec<(String, NotMade)>,
    /// The error to retry.
    pub(super) failure: Option<Error>,
}

impl Made {
    /// Returns the result if none of these pods was created.
    fn none(names: &[String], why: &NotMade) -> Self {
        let missing = names.iter().map(|name| (name.clone(), why.clone()));
        Self {
            missing: missing.collect(),
            failure: None,
        }
    }

    /// Returns the result if none of these pods may be created now.
    fn refused(names: &[String], refusal: Refusal) -> Self {
        let (code, message) = (refusal.reason, refusal.message);
        let failure = Some(Error::NotYet(message.clone()));
        Self {
            failure,
            ..Self::none(names, &NotMade::Yet(Some(Obstacle { code, message })))
        }
    }
}

/// Creates the pods of these names, and before them what all pods need, which is restored while they run.
pub(super) async fn make(
    task: &EcsTask,
    names: &[String],
    cx: &Context,
    owner: &OwnerReference,
) -> Made {
    let plan = match plan(task, cx) {
        Ok(Some(plan)) => plan,
        Ok(None) => {
            let failure = Some(Error::NotYet(
                "a revision of its task definition".to_owned(),
            ));
            return Made {
                failure,
                ..Made::none(names, &NotMade::Yet(None))
            };
        }
        // It was accepted once: an EcsCluster or an add-on may change back.
        Err(refusal) => return Made::refused(names, refusal),
    };
    let user = Owner::Task(task.namespace().unwrap_or_default(), task.name_any());
    cx.children
        .wants(&user, plan.others.iter().filter_map(Wanted::shared));
    // What has begun was judged. One whose status was lost may never have begun: anyone can write its annotation.
    let was_judged = task.status.task_definition.is_some();
    if let Some(refusal) = plan.forbidden.filter(|_| !was_judged) {
        return if names.is_empty() {
            Made::default()
        } else {
            Made::refused(names, refusal)
        };
    }
    let lasting = cx.backoff.is_lasting(&owner.uid);
    let is_made = |pod: &&Wanted| names.iter().any(|name| **name == *pod.key.name);
    let mounted = mounted(plan.pods.iter().filter(is_made));
    // The claim of a pod that was created before exists, or is another owner's to delete.
    let is_needed = |object: &&Wanted| !object.stays || mounted.contains(&*object.key.name);
    for object in plan.others.iter().filter(is_needed) {
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
    for pod in plan.pods.iter().filter(is_made) {
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

/// Classifies an error. A transient one is not reported, except for a quota, which only someone else can change.
fn why(error: &Error, lasting: bool) -> NotMade {
    let message = error.to_string();
    if message.contains("exceeded quota:") {
        let code = StateReason::QuotaExceeded.into();
        return NotMade::Yet(Some(Obstacle { code, message }));
    }
    // Admission reads caches, which may not contain a new service account or quota yet.
    let is_new = [
        "error looking up service account",
        "status unknown for quota",
    ]
    .iter()
    .any(|words| message.contains(words));
    if error.is_transient() || is_new {
        let code = error.reason().into();
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
            NotMade::Yet(obstacle) => Ok(obstacle.map(|obstacle| obstacle.code.name())),
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
