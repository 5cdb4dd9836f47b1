//! Translates a service to a workload and its related objects.

mod autoscaling;
pub(crate) mod capacity;
mod cluster_services;
mod discovery;
mod disruption;
mod load_balancer;
pub(crate) mod rollout;
pub(crate) mod scaled_object;
pub(crate) mod security_groups;
mod steps;
mod workload;

use k8s_openapi::api::core::v1::PodTemplateSpec;

use self::cluster_services::{ClusterServices, Reach, Wanted};
pub use self::{
    autoscaling::{autoscaler_windows, keeps_a_task},
    discovery::connect_namespace_label,
};
use super::{Context, Manifests, pod};
use crate::{
    diagnostic::{Diagnostics, Message},
    settings::Settings,
    validate::Service,
};

/// Translates a service to its objects; the notes report differences from ECS.
#[must_use]
pub fn translate_service(service: &Service, settings: &Settings) -> (Manifests, Diagnostics) {
    let cx = Context::of_service(service, settings);
    // Each member is translated in the file that its comment names; a new member has to be assigned to one.
    let Service {
        // labels
        name: _,
        cluster: _,
        // pod
        task_definition: _,
        placement: _,
        availability_zone_rebalancing: _,
        volumes: _,
        health_check_grace_period_seconds: _,
        // workload, disruption
        scheduling: _,
        desired_count_ignored: _,
        count_is_left: _,
        deployment: _,
        force_new_deployment: _,
        capacity: _,
        tags: _,
        propagated_tags: _,
        pod: _,
        // load_balancer
        load_balancers: _,
        expose: _,
        // discovery
        service_registries: _,
        service_connect: _,
        // security_groups
        network_configuration,
        // autoscaling
        auto_scaling: _,
    } = service;
    let mut notes = Diagnostics::new();
    report_name(&cx, &mut notes);
    let (mut template, mut objects) = template(&cx, service, &mut notes);
    pod::overlay::apply(&cx, &mut template, &mut notes);
    workload::apply(&cx, service, template, &mut objects, &mut notes);
    let mut services = ClusterServices::default();
    discovery::apply(&cx, service, &mut services, &mut notes);
    load_balancer::apply(&cx, service, &mut services, &mut objects, &mut notes);
    offer_mapped_ports(&cx, &mut services);
    services.add_to(&cx, &mut objects);
    security_groups::apply(&cx, network_configuration, &mut objects, &mut notes);
    autoscaling::apply(&cx, service, &mut objects, &mut notes);
    disruption::apply(&cx, service, &mut objects, &mut notes);
    (objects, notes)
}

/// Returns the pods of the service on each of its capacity providers, without what `kubernetes.pod` adds.
pub(super) fn base(cx: &Context<'_>, service: &Service) -> Vec<PodTemplateSpec> {
    let (template, _) = template(cx, service, &mut Diagnostics::new());
    capacity::placed(cx, &template)
}

fn template(
    cx: &Context<'_>,
    service: &Service,
    notes: &mut Diagnostics,
) -> (PodTemplateSpec, Manifests) {
    let (mut template, objects) = pod::pod_template(cx, notes);
    let metadata = template.metadata.get_or_insert_default();
    let labels = metadata.labels.get_or_insert_default();
    labels.extend(discovery::labels(cx, service));
    workload::annotate(service, metadata);
    let gates = load_balancer::readiness_gates(cx, service);
    template.spec.get_or_insert_default().readiness_gates = (!gates.is_empty()).then_some(gates);
    (template, objects)
}

/// Exposes all port mappings under the service's name. Ports that Service Connect or a load balancer uses for another
/// target are not changed.
fn offer_mapped_ports(cx: &Context<'_>, services: &mut ClusterServices) {
    if !cx.settings.cluster_ip_services {
        return;
    }
    let own = cx.own_service();
    for port in cx.task_definition.containers.iter().flat_map(|c| &c.ports) {
        services.open(&own, Reach::Cluster);
        services.offer(&own, &Wanted::same(port.container_port, port.protocol));
    }
}

fn report_name(cx: &Context<'_>, notes: &mut Diagnostics) {
    // The Service may need another name than the workload.
    let names = [cx.name(), cx.own_service()];
    for name in names.into_iter().filter(|name| name != cx.ecs_name()) {
        notes.report(
            cx.root().field("serviceName"),
            Message::NameSanitized {
                original: cx.ecs_name().to_owned(),
                name,
            },
        );
    }
}

/// Converts a count to the integer type of Kubernetes.
fn number(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
