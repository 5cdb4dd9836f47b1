//! The names of a Service Connect namespace that tasks need in `/etc/hosts`.

use std::sync::Arc;

use kube::ResourceExt as _;

use super::revisions::Revision;
use crate::{
    controller::context::Context,
    crd::{EcsService, Spec},
    ecs,
    input::ConnectHosts,
    source::read_cluster,
    translate::connect_namespace_label,
    validate::TakesDefaults as _,
};

/// Returns the names for a deployment of these inputs: those that the deployment began with, or the current ones if it
/// would begin now. As in ECS, names that come later are for later deployments.
pub(super) fn connect_hosts(
    cx: &Context,
    service: &EcsService,
    request: &ecs::Service,
    cluster: Option<&Spec>,
    (known, inputs): (&[Arc<Revision>], &str),
) -> ConnectHosts {
    let connect = request.service_connect_configuration.as_ref();
    if !connect.is_some_and(|connect| connect.enabled == Some(true)) {
        return ConnectHosts::new();
    }
    let begun = known.iter().rev().filter(|known| known.inputs == inputs);
    let mut begun = begun.filter_map(|known| known.kept.rendering.as_ref()?.open());
    if let Some((_, by)) = begun.next() {
        return by.connect_hosts;
    }
    let mut request = request.clone();
    if let Some(cluster) = cluster {
        request.complete(&read_cluster(cluster.text()).0);
    }
    let connect = request.service_connect_configuration;
    let Some(name) = connect.and_then(|connect| connect.namespace) else {
        return ConnectHosts::new();
    };
    let namespace = service.namespace().unwrap_or_default();
    cx.children
        .connect_hosts(&namespace, &connect_namespace_label(&name))
}
