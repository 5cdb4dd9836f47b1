//! Target groups and load balancers.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule,
    IngressServiceBackend, IngressSpec, ServiceBackendPort,
};
use serde_json::json;

use super::cluster_services::{ClusterServices, Reach, Wanted};
use crate::{
    diagnostic::{Diagnostics, Message},
    settings::Addon,
    translate::{Context, CustomObject, Manifests, Object, names::hex_digest},
    validate::{DeploymentStrategy, Expose, ExposeKind, LoadBalancer, Service},
};

/// The annotations of the AWS Load Balancer Controller for an Application Load Balancer.
const ALB: &str = "alb.ingress.kubernetes.io";
/// Its annotations for a Network Load Balancer.
const NLB: &str = "service.beta.kubernetes.io/aws-load-balancer";

/// Adds a TargetGroupBinding for each target group, or the load balancer that is asked for in their place.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    services: &mut ClusterServices,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    let own = cx.own_service();
    let instances = cx.task_definition.network.mode.registers_instances();
    for balancer in &service.load_balancers {
        let LoadBalancer {
            index,
            target_group_arn,
            port,
            protocol,
            alternate_target_group_arn,
        } = balancer;
        let path = cx.root().field("loadBalancers").index(*index);
        let reach = if instances {
            Reach::NodePort
        } else {
            Reach::Cluster
        };
        services.open(&own, reach);
        let port = services.claim(&own, &Wanted::same(*port, *protocol));
        objects.push(target_group_binding(cx, target_group_arn, &own, port));
        if instances && *index == 0 {
            notes.report(
                path.field("targetGroupArn"),
                Message::InstanceTargetsNoReadinessGate,
            );
        }
        let blue_green = matches!(
            service.deployment.strategy,
            DeploymentStrategy::BlueGreen { .. }
        );
        if alternate_target_group_arn.is_some() && !blue_green {
            notes.report(
                path.field("advancedConfiguration")
                    .field("alternateTargetGroupArn"),
                Message::AdvancedConfigurationUnused,
            );
        }
    }
    if let Some(expose) = &service.expose {
        match &expose.kind {
            ExposeKind::Application { path } => {
                services.open(&own, Reach::Cluster);
                let port = services.claim(&own, &Wanted::same(expose.port, expose.protocol));
                objects.push(ingress(cx, expose, path, own, port));
            }
            ExposeKind::Network => network_load_balancer(cx, expose, services),
        }
    }
}

fn target_group_binding(cx: &Context<'_>, arn: &str, service: &str, port: u16) -> Object {
    let api_version = if cx.settings.has(Addon::AwsLoadBalancerController) {
        "elbv2.k8s.aws/v1beta1"
    } else {
        "eks.amazonaws.com/v1"
    };
    Object::Custom(CustomObject {
        api_version,
        kind: "TargetGroupBinding",
        metadata: cx.metadata(format!("{}-{}", cx.name(), hex_digest(arn, 8))),
        spec: json!({
            "serviceRef": {"name": service, "port": port},
            "targetGroupARN": arn,
        }),
    })
}

fn scheme(expose: &Expose) -> String {
    let scheme = if expose.internal {
        "internal"
    } else {
        "internet-facing"
    };
    scheme.to_owned()
}

fn target_group_attributes(cx: &Context<'_>) -> String {
    format!(
        "deregistration_delay.timeout_seconds={}",
        cx.settings.deregistration_delay_seconds
    )
}

fn ingress(cx: &Context<'_>, expose: &Expose, path: &str, service: String, port: u16) -> Object {
    let class = &cx.settings.ingress_class;
    let mut metadata = cx.metadata(cx.name());
    if class == "alb" {
        metadata.annotations = Some(alb_annotations(cx, expose));
    }
    let backend = IngressBackend {
        service: Some(IngressServiceBackend {
            name: service,
            port: Some(ServiceBackendPort {
                number: Some(i32::from(port)),
                name: None,
            }),
        }),
        resource: None,
    };
    Object::Ingress(Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: Some(class.clone()),
            rules: Some(vec![IngressRule {
                host: None,
                http: Some(HTTPIngressRuleValue {
                    paths: vec![HTTPIngressPath {
                        path: Some(path.to_owned()),
                        path_type: "Prefix".to_owned(),
                        backend,
                    }],
                }),
            }]),
            ..IngressSpec::default()
        }),
        status: None,
    })
}

/// The health check is written out with the defaults of ECS's console and of ELB, so that it can be changed by hand.
fn alb_annotations(cx: &Context<'_>, expose: &Expose) -> BTreeMap<String, String> {
    let mut annotations: BTreeMap<String, String> = [
        ("healthcheck-interval-seconds", "30".to_owned()),
        ("healthcheck-path", "/".to_owned()),
        ("healthcheck-timeout-seconds", "5".to_owned()),
        ("healthy-threshold-count", "5".to_owned()),
        ("scheme", scheme(expose)),
        ("target-group-attributes", target_group_attributes(cx)),
        ("target-type", "ip".to_owned()),
        ("unhealthy-threshold-count", "2".to_owned()),
    ]
    .into_iter()
    .map(|(key, value)| (format!("{ALB}/{key}"), value))
    .collect();
    if !expose.certificate_arns.is_empty() {
        annotations.insert(
            format!("{ALB}/certificate-arn"),
            expose.certificate_arns.join(","),
        );
        annotations.insert(
            format!("{ALB}/listen-ports"),
            json!([{"HTTPS": 443}]).to_string(),
        );
    }
    annotations
}

fn network_load_balancer(cx: &Context<'_>, expose: &Expose, services: &mut ClusterServices) {
    let name = format!("{}-nlb", cx.own_service());
    services.open(&name, Reach::LoadBalancer);
    services.claim(&name, &Wanted::same(expose.port, expose.protocol));
    let mut annotations = vec![
        ("nlb-target-type", "ip".to_owned()),
        ("scheme", scheme(expose)),
        ("target-group-attributes", target_group_attributes(cx)),
    ];
    if !expose.certificate_arns.is_empty() {
        annotations.push(("ssl-cert", expose.certificate_arns.join(",")));
    }
    for (key, value) in annotations {
        services.annotate(&name, &format!("{NLB}-{key}"), value);
    }
}
