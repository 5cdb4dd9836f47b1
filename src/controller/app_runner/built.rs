//! A service from source code: which image it should run, of those that the object of a builder has had.
//!
//! The image that it was told to run last is in its EcsTaskDefinition, so that nothing else has to be remembered.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Api, ResourceExt as _};
use tokio::time::Instant;

use super::{
    apply::{Kept, find},
    builder::{Reading, Unbuilt, read_image},
    fetch::Accepted,
    pushes::{MINUTE, Turn, has_failed},
    wanted::{asked_for, converted},
};
use crate::{
    controller::{context::Context, error::Error, kind::Reconciled as _, status::Aspect},
    crd::{
        AppRunnerService, AppRunnerServiceStatus, BUILT, BuiltBy, EcsTaskDefinition,
        RequestedStatus,
    },
    decide::app_runner::{RUNNING, built_image},
    diagnostic::StateReason,
    settings::START_DEPLOYMENT,
};

/// What is known of the image of a service.
pub(super) struct Source {
    built_by: BuiltBy,
    /// What the object of the builder has said last; `None` if it was not asked yet.
    reading: Option<Reading>,
    /// The time until it is asked again.
    rest: Duration,
    /// The image to run; `None` if there is none yet.
    pub(super) image: Option<String>,
}

impl Source {
    /// Returns what is known, and asks the object of the builder where that is due.
    ///
    /// # Errors
    ///
    /// When a request fails. A request that changes has to know the newest image, unless the API server fails to give it
    /// for long.
    pub(super) async fn of(
        cx: &Context,
        service: &AppRunnerService,
        owner: &OwnerReference,
        built_by: BuiltBy,
    ) -> Result<Self, Error> {
        let definition = definition(cx, service, owner).await?;
        let last = definition.as_ref().and_then(converted);
        let told = cx.app_runner_services.latest(service).requested;
        let is_edited = last
            .as_ref()
            .is_some_and(|last| last.from != asked_for(service) && !is_over(service, &told));
        // Somebody may have deleted the task definition.
        let running = last.and_then(|last| last.image().map(str::to_owned));
        let running = running.or(told.image);
        let now = Instant::now();
        let mut rest = cx.lookups.rest(&owner.uid, now);
        let mut known = cx.lookups.known(&owner.uid, &built_by);
        if running.is_none() || is_edited || rest.is_none() {
            let namespace = service.namespace().unwrap_or_default();
            let asked = read_image(cx, &namespace, &built_by).await;
            if let Err(unbuilt) = &asked {
                if unbuilt.is_transient {
                    // The status of a service that has an image does not say it: it would change with each late answer.
                    let service = service.name_any();
                    tracing::warn!(
                        namespace,
                        service,
                        error = unbuilt.message,
                        "a builder's image is not known"
                    );
                }
                // What went wrong may be right soon.
                let soon = MINUTE.min(cx.lookups.every);
                cx.lookups.bring_forward(&owner.uid, now + soon);
                rest = Some(rest.map_or(soon, |rest| rest.min(soon)));
            }
            let now_known = cx.lookups.know(&owner.uid, &built_by, asked);
            if let Err(unbuilt) = &now_known.reading
                && is_edited
                && unbuilt.is_transient
                && !cx.backoff.is_lasting(&owner.uid)
            {
                return Err(Error::ImageUnknown(unbuilt.message.clone()));
            }
            known = Some(now_known);
        }
        let newest = known.as_ref().and_then(|it| it.image.as_deref());
        let image = built_image(running.as_deref(), newest, is_edited).map(str::to_owned);
        Ok(Self {
            built_by,
            reading: known.map(|known| known.reading),
            rest: rest.unwrap_or(cx.lookups.every),
            image,
        })
    }

    /// Returns the condition that says what the builder has; `None` if it stays as it is.
    pub(super) fn aspect(&self) -> Option<Aspect> {
        let builder = self.builder();
        let (holds, reason, message) = match self.reading.as_ref()? {
            // What is known of an image that the service has stays so.
            Err(unbuilt) if unbuilt.is_transient && self.image.is_some() => return None,
            Err(unbuilt) => {
                let holds = if unbuilt.is_transient {
                    None
                } else {
                    Some(false)
                };
                let more = match &self.image {
                    Some(_) => "; the image that the service has goes on",
                    None => "",
                };
                let message = format!("{}{more}", unbuilt.message);
                (holds, unbuilt.reason, message)
            }
            Ok(newest) if Some(newest) == self.image.as_ref() => {
                let message =
                    format!("The service is told to run what {builder} has built: {newest}");
                (Some(true), StateReason::ImageBuilt, message)
            }
            Ok(newest) => {
                let message =
                    format!("{builder} has built an image that is not deployed: {newest}");
                (Some(true), StateReason::ImageBuilt, message)
            }
        };
        Some(Aspect {
            type_: BUILT,
            holds,
            reason: reason.into(),
            message,
        })
    }

    /// Returns why there is no image.
    pub(super) fn why_none(&self) -> Unbuilt {
        match &self.reading {
            Some(Err(unbuilt)) => unbuilt.clone(),
            _ => Unbuilt::not_yet(format!("{} was not asked yet", self.builder())),
        }
    }

    /// The time until the builder is asked again.
    pub(super) const fn rest(&self) -> Duration {
        self.rest
    }

    /// Returns what its builder is called.
    pub(super) fn builder(&self) -> String {
        format!("{} {}", self.built_by.kind.name(), self.built_by.name)
    }

    /// Returns the image that a deployment shall begin with by itself, if one shall.
    pub(super) fn turn(
        &self,
        cx: &Context,
        accepted: &Accepted,
        (kept, status): (&Kept, &AppRunnerServiceStatus),
    ) -> Turn {
        let nothing = Turn::Nothing(Some(self.rest));
        let newest = self.reading.as_ref().and_then(|it| it.as_ref().ok());
        let Some(newest) = newest.filter(|newest| Some(*newest) != self.image.as_ref()) else {
            return nothing;
        };
        let of_service = cx.services.latest(&kept.service);
        let may_follow = accepted.deploys_itself && status.status.as_deref() == Some(RUNNING);
        if !may_follow || has_failed(cx, kept, &of_service, (newest, None)) {
            return nothing;
        }
        if !cx.lookups.may_begin(Instant::now()) {
            return Turn::Nothing(Some(MINUTE.min(self.rest)));
        }
        Turn::Pushed(newest.clone())
    }
}

/// Whether nothing has changed but that the annotation which started the last deployment is gone.
fn is_over(service: &AppRunnerService, told: &RequestedStatus) -> bool {
    !service.annotations().contains_key(START_DEPLOYMENT)
        && told.start_deployment.is_some()
        && told.generation == service.metadata.generation
}

/// Returns the task definition that the service has, which the cache may not have as it was written last.
async fn definition(
    cx: &Context,
    service: &AppRunnerService,
    owner: &OwnerReference,
) -> Result<Option<EcsTaskDefinition>, Error> {
    let cached = match find::<EcsTaskDefinition>(cx, service, owner).await {
        Ok(cached) => cached,
        // It is said when there is an image.
        Err(error) if error.is_of_another() => None,
        Err(error) => return Err(error),
    };
    let Some(cached) = cached else {
        return Ok(None);
    };
    let written = cx.task_definitions.version(&cached);
    if written == cached.metadata.resource_version {
        return Ok(Some((*cached).clone()));
    }
    let namespace = service.namespace().unwrap_or_default();
    let api: Api<EcsTaskDefinition> = Api::namespaced(cx.client.clone(), &namespace);
    let name = service.name_any();
    let live = api.get_opt(&name).await;
    live.map_err(|source| Error::Api {
        verb: "get",
        kind: EcsTaskDefinition::KIND.to_owned(),
        name,
        source: Box::new(source),
    })
}
