//! A service as a workload and what stands around it.

mod autoscaling;
mod discovery;
mod disruption;
mod load_balancer;
mod rollout;
mod security_groups;
mod workload;

use super::{Context, Manifests, pod};
use crate::{diagnostic::Diagnostics, settings::Settings, validate::Service};

/// Translates a service into its objects; the notes say what differs from ECS.
#[must_use]
pub fn translate_service(service: &Service, settings: &Settings) -> (Manifests, Diagnostics) {
    let cx = Context::of_service(service, settings);
    let mut notes = Diagnostics::new();
    let (template, mut objects) = pod::pod_template(&cx, &mut notes);
    workload::apply(&cx, service, template, &mut objects, &mut notes);
    load_balancer::apply(&cx, service, &mut objects, &mut notes);
    discovery::apply(&cx, service, &mut objects, &mut notes);
    security_groups::apply(&cx, &mut objects, &mut notes);
    autoscaling::apply(&cx, service, &mut objects, &mut notes);
    disruption::apply(&cx, service, &mut objects, &mut notes);
    (objects, notes)
}
