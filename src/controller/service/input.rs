//! The input of the decisions about a service.

use kube::ResourceExt as _;

use super::{Asked, counts::Counts, fetch::Observed, plan::Newest, renewal::Turn};
use crate::{
    crd::EcsService,
    decide::deployment::{self, Deployments},
    rendering::health_check_grace,
    settings::{RENEW_DEPLOYMENT, ROLL_BACK_DEPLOYMENT, STOP_DEPLOYMENT},
};

/// Returns the input of the decisions.
pub(super) fn wanted<'a>(
    service: &'a EcsService,
    asked: &'a Asked,
    counts: &'a Counts,
    observed: &'a Observed,
    not_created: Option<&'a str>,
) -> deployment::Wanted<'a> {
    let annotation = |name: &str| service.annotations().get(name).map(String::as_str);
    let newest = asked.newest.as_ref().map(Newest::for_decision);
    deployment::Wanted {
        service: service.metadata.uid.as_deref().unwrap_or_default(),
        newest,
        desired: counts.desired.unwrap_or(observed.desired),
        rules: &counts.rules,
        healthy_after: counts.healthy_after,
        not_created,
        grace: health_check_grace(&service.spec),
        stop: annotation(STOP_DEPLOYMENT),
        roll_back: annotation(ROLL_BACK_DEPLOYMENT),
        renew: None,
    }
}

/// Returns the ID of the deployment that shall be renewed.
pub(super) fn renewed<'a>(
    service: &'a EcsService,
    turn: Turn,
    before: &'a Deployments,
) -> Option<&'a str> {
    match turn {
        Turn::Now => before.primary().map(|primary| primary.id.as_str()),
        Turn::Never | Turn::Later(_) => {
            let annotation = service.annotations().get(RENEW_DEPLOYMENT);
            annotation.map(String::as_str)
        }
    }
}
