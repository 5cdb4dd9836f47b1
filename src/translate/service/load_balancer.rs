//! Target groups and load balancers.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::{
    core::v1::PodReadinessGate,
    networking::v1::{
        HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule,
        IngressServiceBackend, IngressSpec, ServiceBackendPort,
    },
};
use serde_json::json;

use super::{
    cluster_services::{ClusterServices, Reach, Wanted},
    security_groups::groups_of_pods,
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    settings::{Addon, TargetGroups},
    translate::{Context, CustomObject, Manifests, Object, names::hex_digest},
    validate::{Expose, ExposeKind, LoadBalancer, Service},
};

/// The annotations of the AWS Load Balancer Controller for an Application Load Balancer.
const ALB: &str = "alb.ingress.kubernetes.io";
/// Its annotations for a Network Load Balancer.
const NLB: &str = "service.beta.kubernetes.io/aws-load-balancer";

/// Adds a TargetGroupBinding for each target group, or the load balancer that is requested in their place.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    services: &mut ClusterServices,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    let own = cx.own_service();
    let instances = cx.task_definition.network.mode.registers_instances();
    report_reach(cx, service, notes);
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
        if *index == 0 {
            report_group(cx, &path.field("targetGroupArn"), notes);
        }
        if instances && *index == 0 {
            notes.report(
                path.field("targetGroupArn"),
                Message::InstanceTargetsNoReadinessGate,
            );
        } else if *index == 0 && Controller::of(cx).auto_mode {
            let label = Controller::of(cx).injecting_label();
            let path = path.field("targetGroupArn");
            notes.report(path, Message::ReadinessGateNeedsLabel { label });
        }
        if alternate_target_group_arn.is_some() {
            notes.report(
                path.field("advancedConfiguration")
                    .field("alternateTargetGroupArn"),
                Message::AdvancedConfigurationUnused,
            );
        }
    }
    if let Some(expose) = &service.expose {
        if let Some(label) = injecting_label(cx, expose) {
            let path = cx.root().field("kubernetes").field("expose");
            notes.report(path, Message::ReadinessGateNeedsLabel { label });
        }
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

/// Reports what the controller does with a target group that it did not create.
fn report_group(cx: &Context<'_>, path: &FieldPath, notes: &mut Diagnostics) {
    // <https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-alb.html>
    if Controller::of(cx).auto_mode {
        notes.report(path.clone(), Message::TargetGroupDeletedByAutoMode);
    }
    if cx.settings.target_groups.is_none() {
        notes.report(path.clone(), Message::TargetGroupShared);
    }
}

/// Reports which ports the load balancer must reach, and in which security group. A binding without `networking` adds
/// no rules (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/targetgroupbinding/spec/>).
/// Pods with the groups of the tasks are reached like the tasks.
fn report_reach(cx: &Context<'_>, service: &Service, notes: &mut Diagnostics) {
    if service.load_balancers.is_empty() {
        return;
    }
    let own_groups = !groups_of_pods(cx, &service.network_configuration).is_empty();
    let group = if cx.task_definition.eks_fargate {
        "of the cluster"
    } else {
        "of the nodes"
    };
    let ports = if cx.task_definition.network.mode.registers_instances() {
        "the ports 30000 to 32767".to_owned()
    } else if own_groups {
        return;
    } else {
        let ports: BTreeSet<String> = service.load_balancers.iter().map(port_text).collect();
        ports.into_iter().collect::<Vec<_>>().join(", ")
    };
    let message = Message::LoadBalancerMustReachTargets {
        ports,
        group: group.to_owned(),
    };
    notes.report(cx.root().field("loadBalancers"), message);
}

fn port_text(balancer: &LoadBalancer) -> String {
    format!("{} {}", balancer.protocol.name(), balancer.port)
}

/// Returns the conditions that delay the readiness of a pod until its targets are healthy: one for each binding whose
/// targets are pods. The health of a node as a target does not depend on a single pod.
///
/// A controller sets the condition of every pod that has the gate, even if it did not add the gate itself
/// (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/pod_readiness_gate/>). AWS does not
/// document the name of the condition for EKS Auto Mode, and a pod with another name would never become ready: there, a
/// label of the namespace makes the controller add the gate itself.
pub(super) fn readiness_gates(cx: &Context<'_>, service: &Service) -> Vec<PodReadinessGate> {
    let controller = Controller::of(cx);
    if cx.task_definition.network.mode.registers_instances() || controller.auto_mode {
        return Vec::new();
    }
    let gate = |balancer: &LoadBalancer| PodReadinessGate {
        condition_type: format!(
            "target-health.{}/{}",
            controller.group,
            binding_name(cx, &balancer.target_group_arn)
        ),
    };
    service.load_balancers.iter().map(gate).collect()
}

/// Returns the label of a namespace that makes the controller of the created load balancer add readiness gates. The
/// names of its bindings are not known here.
fn injecting_label(cx: &Context<'_>, expose: &Expose) -> Option<String> {
    let registers = [Addon::AwsLoadBalancerController, Addon::EksAutoMode];
    let by_aws = registers.iter().any(|addon| cx.settings.has(*addon))
        && (expose.kind == ExposeKind::Network || cx.settings.ingress_class == "alb");
    by_aws.then(|| Controller::of(cx).injecting_label())
}

/// The controller that registers targets.
struct Controller {
    group: &'static str,
    api_version: &'static str,
    /// Whether it is that of EKS Auto Mode.
    auto_mode: bool,
}

impl Controller {
    /// Returns the label of a namespace that makes it add readiness gates to pods.
    fn injecting_label(&self) -> String {
        format!("{}/pod-readiness-gate-inject", self.group)
    }

    fn of(cx: &Context<'_>) -> Self {
        let auto_mode = cx.settings.has(Addon::EksAutoMode)
            && !cx.settings.has(Addon::AwsLoadBalancerController);
        if auto_mode {
            Self {
                group: "eks.amazonaws.com",
                api_version: "eks.amazonaws.com/v1",
                auto_mode,
            }
        } else {
            Self {
                group: "elbv2.k8s.aws",
                api_version: "elbv2.k8s.aws/v1beta1",
                auto_mode,
            }
        }
    }
}

fn binding_name(cx: &Context<'_>, arn: &str) -> String {
    format!("{}-{}", cx.name(), hex_digest(arn, 8))
}

/// Returns the binding of an existing target group, in which ECS may still have tasks. A load balancer controller
/// deregisters all targets that are not of its cluster, unless the binding has specified from the beginning that the
/// group is shared
/// (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/use_cases/multi_cluster/>,
/// <https://docs.aws.amazon.com/eks/latest/userguide/auto-multi-cluster-target-groups.html>).
fn target_group_binding(cx: &Context<'_>, arn: &str, service: &str, port: u16) -> Object {
    let mut spec = json!({
        "serviceRef": {"name": service, "port": port},
        "targetGroupARN": arn,
    });
    let controller = Controller::of(cx);
    if let Some(members) = spec.as_object_mut() {
        if cx.settings.target_groups != Some(TargetGroups::Exclusive) {
            members.insert("multiClusterTargetGroup".to_owned(), json!(true));
        }
        // The other controller asks AWS for the type
        // (<https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-alb.html>).
        if controller.auto_mode {
            let instances = cx.task_definition.network.mode.registers_instances();
            let target_type = if instances { "instance" } else { "ip" };
            members.insert("targetType".to_owned(), json!(target_type));
        }
    }
    Object::Custom(CustomObject {
        api_version: controller.api_version,
        kind: "TargetGroupBinding",
        metadata: cx.metadata(binding_name(cx, arn)),
        spec,
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
        cx.settings.deregistration_delay()
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
    let rule = |host: Option<&String>| IngressRule {
        host: host.cloned(),
        http: Some(HTTPIngressRuleValue {
            paths: vec![HTTPIngressPath {
                path: Some(path.to_owned()),
                path_type: "Prefix".to_owned(),
                backend: backend.clone(),
            }],
        }),
    };
    let mut rules: Vec<IngressRule> = expose.hosts.iter().map(|host| rule(Some(host))).collect();
    if rules.is_empty() {
        rules.push(rule(None));
    }
    Object::Ingress(Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: (!class.is_empty()).then(|| class.clone()),
            rules: Some(rules),
            ..IngressSpec::default()
        }),
        status: None,
    })
}

/// Returns the annotations. The health check contains the defaults of ECS's console and of ELB, so that users can edit
/// it.
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
    }
    // Without ARNs, the controller takes the certificates that ACM has for the hosts
    // (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/cert_discovery/>).
    if !expose.certificate_arns.is_empty() || !expose.hosts.is_empty() {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        settings::{Addon, Compute, TargetGroups},
        translate::testing::{Scenario, assert_object, yaml},
    };

    const TARGET: &str =
        "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/943f017f100becff";

    fn definition(mode: &str) -> String {
        format!(
            r#"{{"family": "web", "networkMode": "{mode}", "cpu": "256", "memory": "512", "containerDefinitions": [{{"name": "web", "image": "nginx", "portMappings": [{{"containerPort": 80}}]}}]}}"#
        )
    }

    fn balanced(entry: &serde_json::Value) -> String {
        json!({"desiredCount": 2, "loadBalancers": [entry]}).to_string()
    }

    fn web() -> serde_json::Value {
        json!({"targetGroupArn": TARGET, "containerName": "web", "containerPort": 80})
    }

    #[test]
    fn a_target_group_is_bound_to_the_service() {
        let outcome = Scenario::service(definition("awsvpc"))
            .request(
                json!({"serviceName": "web", "taskDefinition": "web:7", "desiredCount": 2, "launchType": "FARGATE", "loadBalancers": [web()]})
                    .to_string(),
            )
            .run();
        assert_object(
            outcome.object("Service", "web"),
            "
apiVersion: v1
kind: Service
metadata:
  name: web
  labels:
    ecs-operator.dev/service: web
spec:
  type: ClusterIP
  selector:
    ecs-operator.dev/service: web
  ports:
  - name: p80-tcp
    port: 80
    protocol: TCP
    targetPort: 80
",
        );
        assert_object(
            outcome.object("TargetGroupBinding", "web-49be55b4"),
            "
apiVersion: elbv2.k8s.aws/v1beta1
kind: TargetGroupBinding
metadata:
  name: web-49be55b4
  labels:
    ecs-operator.dev/service: web
spec:
  serviceRef:
    name: web
    port: 80
  targetGroupARN: arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/943f017f100becff
  multiClusterTargetGroup: true
",
        );
    }

    #[test]
    fn targets_of_others_stay_unless_the_group_is_to_be_exclusive() {
        for (choice, shared, warned) in [
            (None, json!(true), true),
            (Some(TargetGroups::Shared), json!(true), false),
            (
                Some(TargetGroups::Exclusive),
                serde_json::Value::Null,
                false,
            ),
        ] {
            let outcome = Scenario::service(definition("awsvpc"))
                .request(balanced(&web()))
                .settings(|settings| settings.target_groups = choice)
                .run();
            let binding = outcome.objects_of("TargetGroupBinding")[0];
            assert_eq!(binding["spec"]["multiClusterTargetGroup"], shared);
            assert_eq!(outcome.has("TargetGroupShared"), warned, "{choice:?}");
        }
    }

    #[test]
    fn instances_are_reached_at_node_ports() {
        for (mode, service_type) in [
            ("awsvpc", "ClusterIP"),
            ("bridge", "NodePort"),
            ("host", "NodePort"),
        ] {
            let outcome = Scenario::service(definition(mode))
                .request(balanced(&web()))
                .run();
            let service = outcome.object("Service", "web");
            assert_eq!(service["spec"]["type"], service_type, "{mode}");
            assert_eq!(
                outcome.has("InstanceTargetsNoReadinessGate"),
                service_type == "NodePort"
            );
        }
    }

    #[test]
    fn pods_wait_for_the_load_balancer_where_they_are_its_targets() {
        let auto = [Addon::EksAutoMode];
        let gates = |mode: &str, addons: &[Addon]| {
            let mut scenario = Scenario::service(definition(mode)).request(balanced(&web()));
            if !addons.is_empty() {
                scenario = scenario.settings(|it| it.addons = addons.iter().copied().collect());
            }
            let outcome = scenario.run();
            let binding = outcome.objects_of("TargetGroupBinding")[0];
            let name = binding["metadata"]["name"].as_str().unwrap().to_owned();
            let gates = outcome.pod_spec()["readinessGates"].clone();
            let seconds = outcome.object("Deployment", "web")["spec"]["minReadySeconds"].clone();
            (gates, name, seconds)
        };
        let (found, name, seconds) = gates("awsvpc", &[]);
        let gate = format!("target-health.elbv2.k8s.aws/{name}");
        assert_eq!(found, json!([{"conditionType": gate}]));
        assert_eq!(seconds, serde_json::Value::Null);
        let (found, _, seconds) = gates("awsvpc", &auto);
        assert_eq!((found, seconds), (serde_json::Value::Null, json!(40)));
        let (found, _, seconds) = gates("bridge", &[]);
        assert_eq!((found, seconds), (serde_json::Value::Null, json!(40)));
    }

    #[test]
    fn the_ports_that_a_load_balancer_must_reach_are_named() {
        let said = |mode: &str, groups: &str, compute: Compute| {
            let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": [groups]}});
            let mut request = json!({"desiredCount": 2, "loadBalancers": [web()]});
            if !groups.is_empty() {
                request["networkConfiguration"] = network;
            }
            let outcome = Scenario::service(definition(mode))
                .request(request.to_string())
                .settings(|settings| settings.compute = compute)
                .run();
            let mut messages = outcome.messages();
            messages.retain(|message| message.contains("LoadBalancerMustReachTargets"));
            messages.concat()
        };
        let nodes = said("bridge", "", Compute::Nodes);
        assert!(
            nodes.contains("30000 to 32767 in the security group of the nodes"),
            "{nodes}"
        );
        let pods = said("awsvpc", "", Compute::Nodes);
        assert!(
            pods.contains("TCP 80 in the security group of the nodes"),
            "{pods}"
        );
        assert_eq!(said("awsvpc", "sg-1", Compute::Nodes), "");
    }

    #[test]
    fn eks_auto_mode_has_a_binding_of_its_own() {
        let scenario = Scenario::service(definition("awsvpc")).request(balanced(&web()));
        let version = |addons: &[Addon]| {
            let scenario = scenario
                .clone()
                .settings(|settings| settings.addons = addons.iter().copied().collect());
            scenario.run().objects_of("TargetGroupBinding")[0]["apiVersion"].clone()
        };
        let both = [Addon::AwsLoadBalancerController, Addon::EksAutoMode];
        assert_eq!(version(&both), "elbv2.k8s.aws/v1beta1");
        assert_eq!(version(&[Addon::EksAutoMode]), "eks.amazonaws.com/v1");
        let rejections = scenario
            .settings(|settings| settings.addons.clear())
            .rejections();
        assert_eq!(
            rejections,
            [
                "loadBalancers[0].targetGroupArn: TargetGroupBindingUnavailable: TargetGroupBinding is not installed; \
              install the AWS Load Balancer Controller (convert: --with-addon aws-load-balancer-controller), or remove loadBalancers and set spec.kubernetes.expose in an EcsService"
            ]
        );
    }

    #[test]
    fn entries_that_lead_nowhere_are_refused() {
        for (entry, rejection) in [
            (
                json!({"loadBalancerName": "classic", "containerName": "web", "containerPort": 80}),
                "loadBalancers[0].loadBalancerName: ClassicLoadBalancerUnsupported: Classic Load Balancers cannot be \
                 used; create an ALB or NLB target group and give targetGroupArn, or set spec.kubernetes.expose in an EcsService",
            ),
            (
                json!({"targetGroupArn": "<tg>-arn", "containerName": "web", "containerPort": 80}),
                "loadBalancers[0].targetGroupArn: InvalidTargetGroupArn: <tg>-arn is not an ELBv2 target group ARN; \
                 write arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID; --set fills a placeholder in its place",
            ),
            (
                json!({"targetGroupArn": TARGET, "containerName": "nginx", "containerPort": 80}),
                "loadBalancers[0].containerName: UnknownContainer: container nginx does not exist in the task definition; correct the name",
            ),
            (
                json!({"targetGroupArn": TARGET, "containerName": "web", "containerPort": 8080}),
                "loadBalancers[0].containerPort: LoadBalancerPortNotMapped: container web has no portMapping for 8080; add containerPort 8080 to its portMappings",
            ),
            (
                json!({"targetGroupArn": TARGET, "containerPort": 8080}),
                "loadBalancers[0].containerName: RequiredField: containerName is required",
            ),
        ] {
            let scenario = Scenario::service(definition("awsvpc")).request(balanced(&entry));
            assert_eq!(scenario.rejections(), [rejection]);
        }
        let entry =
            json!({"targetGroupArn": "<tg-arn>", "containerName": "web", "containerPort": 80});
        let open = || Scenario::service(definition("awsvpc")).request(balanced(&entry));
        let in_cluster = open().settings(|settings| settings.in_cluster = true);
        assert_eq!(in_cluster.rejections().len(), 1);
        assert!(open().accepted().is_some(), "it may be filled in");
        let twice = json!({"loadBalancers": [web(), web()]}).to_string();
        assert_eq!(
            Scenario::service(definition("awsvpc"))
                .request(twice)
                .rejections(),
            [format!(
                "loadBalancers[1].targetGroupArn: InvalidValue: {TARGET}: each target group can be given once"
            )]
        );
    }

    #[test]
    fn the_other_color_is_only_for_blue_green() {
        let mut entry = web();
        entry["advancedConfiguration"] = json!({"alternateTargetGroupArn": TARGET});
        let outcome = Scenario::service(definition("awsvpc"))
            .request(balanced(&entry))
            .run();
        assert!(outcome.notes().contains(
            &"loadBalancers[0].advancedConfiguration.alternateTargetGroupArn: AdvancedConfigurationUnused".to_owned()
        ));
    }

    fn exposed(expose: &serde_json::Value) -> Scenario {
        Scenario::service(definition("awsvpc"))
            .extensions(json!({"kubernetes": {"expose": expose}}).to_string())
    }

    #[test]
    fn an_exposed_service_gets_an_application_load_balancer() {
        let outcome = exposed(&json!({"type": "alb", "containerName": "web", "containerPort": 80, "path": "/", "scheme": "internet-facing", "certificateArns": []})).run();
        assert_object(
            outcome.object("Ingress", "web"),
            r#"
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    alb.ingress.kubernetes.io/healthcheck-interval-seconds: "30"
    alb.ingress.kubernetes.io/healthcheck-path: /
    alb.ingress.kubernetes.io/healthcheck-timeout-seconds: "5"
    alb.ingress.kubernetes.io/healthy-threshold-count: "5"
    alb.ingress.kubernetes.io/scheme: internet-facing
    alb.ingress.kubernetes.io/target-group-attributes: deregistration_delay.timeout_seconds=300
    alb.ingress.kubernetes.io/target-type: ip
    alb.ingress.kubernetes.io/unhealthy-threshold-count: "2"
  labels:
    ecs-operator.dev/service: web
spec:
  ingressClassName: alb
  rules:
  - http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: web
            port:
              number: 80
"#,
        );
        assert_eq!(
            outcome.object("Service", "web")["spec"]["type"],
            "ClusterIP"
        );
    }

    #[test]
    fn certificates_make_a_secure_listener() {
        let outcome = exposed(&json!({"type": "alb", "containerName": "web", "containerPort": 80, "scheme": "internal", "certificateArns": ["arn:aws:acm:us-east-1:123456789012:certificate/1", "arn:aws:acm:us-east-1:123456789012:certificate/2"]})).run();
        let annotations = &outcome.object("Ingress", "web")["metadata"]["annotations"];
        for (name, value) in [
            ("listen-ports", r#"[{"HTTPS":443}]"#),
            (
                "certificate-arn",
                "arn:aws:acm:us-east-1:123456789012:certificate/1,arn:aws:acm:us-east-1:123456789012:certificate/2",
            ),
            ("scheme", "internal"),
        ] {
            assert_eq!(
                annotations[format!("alb.ingress.kubernetes.io/{name}")],
                value
            );
        }
    }

    #[test]
    fn another_ingress_class_gets_no_annotations_of_alb() {
        let expose =
            json!({"type": "alb", "containerName": "web", "containerPort": 80, "path": "/shop"});
        let outcome = exposed(&expose)
            .settings(|settings| settings.ingress_class = "nginx".to_owned())
            .run();
        let ingress = outcome.object("Ingress", "web");
        assert_eq!(ingress["metadata"].get("annotations"), None);
        // Only time indicates that a new pod is steady.
        assert_eq!(
            outcome.object("Deployment", "web")["spec"]["minReadySeconds"],
            40
        );
        assert_eq!(ingress["spec"]["ingressClassName"], "nginx");
        assert_eq!(
            ingress["spec"]["rules"][0]["http"]["paths"][0]["path"],
            "/shop"
        );
    }

    #[test]
    fn a_network_load_balancer_is_a_service_of_its_own() {
        let expose = json!({"type": "nlb", "containerName": "web", "containerPort": 80, "scheme": "internal"});
        let outcome = exposed(&expose)
            .settings(|settings| settings.cluster_ip_services = false)
            .run();
        assert_object(
            outcome.object("Service", "web-nlb"),
            "
apiVersion: v1
kind: Service
metadata:
  name: web-nlb
  annotations:
    service.beta.kubernetes.io/aws-load-balancer-nlb-target-type: ip
    service.beta.kubernetes.io/aws-load-balancer-scheme: internal
    service.beta.kubernetes.io/aws-load-balancer-target-group-attributes: deregistration_delay.timeout_seconds=300
  labels:
    ecs-operator.dev/service: web
spec:
  type: LoadBalancer
  loadBalancerClass: service.k8s.aws/nlb
  selector:
    ecs-operator.dev/service: web
  ports:
  - name: p80-tcp
    port: 80
    protocol: TCP
    targetPort: 80
",
        );
        assert_eq!(outcome.objects_of("Service").len(), 1);
        let auto_mode = exposed(&expose)
            .settings(|settings| settings.addons = [Addon::EksAutoMode].into())
            .run();
        assert_eq!(
            auto_mode.object("Service", "web-nlb")["spec"]["loadBalancerClass"],
            "eks.amazonaws.com/nlb"
        );
    }

    #[test]
    fn what_cannot_be_exposed_is_refused() {
        for (expose, rejection) in [
            (
                json!({"type": "clb", "containerName": "web", "containerPort": 80}),
                "kubernetes.expose.type: InvalidValue: clb: must be alb or nlb",
            ),
            (
                json!({"containerName": "web", "containerPort": 80}),
                "kubernetes.expose.type: RequiredField: type is required",
            ),
            (
                json!({"type": "alb", "containerName": "web", "containerPort": 80, "path": "shop"}),
                "kubernetes.expose.path: InvalidValue: shop: must begin with /",
            ),
            (
                json!({"type": "alb", "containerName": "web", "containerPort": 81}),
                "kubernetes.expose.containerPort: LoadBalancerPortNotMapped: container web has no portMapping for 81; add containerPort 81 to its portMappings",
            ),
        ] {
            assert_eq!(exposed(&expose).rejections(), [rejection]);
        }
        let secure = json!({"type": "alb", "containerName": "web", "containerPort": 80, "certificateArns": ["arn:aws:acm:us-east-1:123456789012:certificate/1"]});
        let rejections = exposed(&secure)
            .settings(|settings| settings.ingress_class = "nginx".to_owned())
            .rejections();
        assert_eq!(
            rejections,
            [
                "kubernetes.expose.certificateArns: InvalidValue: nginx: ACM certificates need the ingress class alb"
            ]
        );
    }

    #[test]
    fn a_service_with_port_mappings_has_a_name_in_the_cluster() {
        let definition = r#"{"family": "web", "containerDefinitions": [
            {"name": "web", "image": "nginx", "memory": 64, "portMappings": [{"containerPort": 8080}, {"containerPort": 53, "protocol": "udp"}]},
            {"name": "metrics", "image": "exporter", "memory": 64, "portMappings": [{"containerPort": 9113}]}]}"#;
        let outcome = Scenario::service(definition).run();
        assert_eq!(
            outcome.object("Service", "web")["spec"],
            yaml(
                "
type: ClusterIP
selector:
  ecs-operator.dev/service: web
ports:
- {name: p53-udp, port: 53, protocol: UDP, targetPort: 53}
- {name: p8080-tcp, port: 8080, protocol: TCP, targetPort: 8080}
- {name: p9113-tcp, port: 9113, protocol: TCP, targetPort: 9113}
"
            )
        );
        let none = Scenario::service(r#"{"family": "worker", "containerDefinitions": [{"name": "worker", "image": "worker", "memory": 64}]}"#).run();
        assert_eq!(none.objects_of("Service").len(), 0);
    }
}
