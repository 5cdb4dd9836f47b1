//! The tasks of a service: what ECS would replace and the kubelet would not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Preconditions},
};

use crate::{
    controller::{
        context::Context,
        error::{Error, code},
        owner::Owner,
    },
    crd::EcsService,
    decide::{
        pod_state::PodState,
        replacement::{self, Standing},
    },
};

/// When tasks of services were last replaced, and how often in a row. It is kept in memory alone: an operator that
/// starts anew replaces without a wait once.
#[derive(Default)]
pub(crate) struct Replacements {
    by_service: Mutex<HashMap<(String, String), replacement::History>>,
}

/// Deletes the pods whose task is over in ECS: an essential container has ended beside others, or one that others wait
/// for takes too long. Returns when to look again, if one has to wait.
pub(super) async fn replace_ended(
    cx: &Context,
    service: &EcsService,
    now: Timestamp,
) -> Result<Option<Duration>, Error> {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let pods = cx.pods.of(&Owner::Service(namespace.clone(), name.clone()));
    let mut ended: Vec<(Arc<PodState>, String)> = Vec::new();
    let mut next = None;
    for pod in pods {
        match replacement::look(&pod, now) {
            Standing::GoesOn => {}
            Standing::Until(time) => next = next.into_iter().chain([time]).min(),
            Standing::Over(why) => ended.push((pod, why)),
        }
    }
    let next = next.map(|next: Timestamp| next.duration_since(now).unsigned_abs());
    let Some((first, why)) = ended.first() else {
        return Ok(next);
    };
    let wait = cx.replacements.attempt((namespace.clone(), name), now);
    if let Some(wait) = wait {
        return Ok(Some(wait));
    }
    let api: Api<Pod> = Api::namespaced(cx.client.clone(), &namespace);
    for (pod, _) in &ended {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(pod.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match api.delete(&pod.name, &params).await {
            Err(error) if !matches!(code(&error), Some(404 | 409)) => {
                return Err(Error::Api {
                    verb: "delete",
                    kind: "Pod".to_owned(),
                    name: pod.name.clone(),
                    source: Box::new(error),
                });
            }
            _ => {}
        }
    }
    let note = format!(
        "(service {}) has stopped {} running tasks: {why} ({}).",
        service.name_any(),
        ended.len(),
        first.name
    );
    cx.events.warning(service, "TasksStopped", note);
    Ok(next)
}

impl Replacements {
    /// How long to wait before tasks of a service may be replaced; `None` if that is now, which is then recorded.
    fn attempt(&self, service: (String, String), now: Timestamp) -> Option<Duration> {
        let mut by_service = self
            .by_service
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        by_service.entry(service).or_default().attempt(now)
    }
}

/// Forgets a service that is gone.
pub(super) fn forget(cx: &Context, service: &EcsService) {
    let key = (service.namespace().unwrap_or_default(), service.name_any());
    let by_service = &cx.replacements.by_service;
    by_service
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&key);
}
