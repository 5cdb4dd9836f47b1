//! Which service a request scales.

use super::Scope;
use crate::diagnostic::{Diagnostics, FieldPath, Message};

/// Checks the three members with which each request specifies what it scales. All may be omitted beside a service.
pub(super) fn identity(
    id: [&Option<String>; 3],
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) {
    let [namespace, resource_id, dimension] = id;
    for (name, value, expected) in [
        ("ServiceNamespace", namespace, "ecs"),
        ("ScalableDimension", dimension, "ecs:service:DesiredCount"),
    ] {
        if let Some(value) = value.as_ref().filter(|value| *value != expected) {
            sink.report(
                path.field(name),
                Message::NotAnEcsScalableTarget {
                    value: value.clone(),
                },
            );
        }
    }
    if let Some(resource_id) = resource_id
        && !names_service(resource_id, scope.service.name)
    {
        sink.report(
            path.field("ResourceId"),
            Message::ResourceIdMismatch {
                value: resource_id.clone(),
                name: scope.service.name.to_owned(),
            },
        );
    }
}

/// Whether `service/<cluster>/<service>` refers to this service.
fn names_service(resource_id: &str, service_name: &str) -> bool {
    let mut parts = resource_id.splitn(3, '/');
    parts.next() == Some("service") && parts.next().is_some() && parts.next() == Some(service_name)
}
