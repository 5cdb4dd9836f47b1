//! The Deployment or DaemonSet of a service, or one for each of its capacity providers.

use k8s_openapi::{
    api::{
        apps::v1::{
            DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, Deployment, DeploymentSpec,
            DeploymentStrategy, RollingUpdateDaemonSet, RollingUpdateDeployment,
        },
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};

use super::{
    autoscaling, capacity, load_balancer, number,
    rollout::{Rollout, Room},
};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    settings::{FORCE_DEPLOYMENT, Mode, WorkloadTarget},
    translate::{
        Context, LABEL_LENGTH, Manifests, Object, WORKLOAD_LENGTH, Workload, kname,
        labels::{self, Labels, tags_annotation},
    },
    validate::{CapacityProvider, Container, Scheduling, Service, clamp},
};

/// The number of old ReplicaSets that are kept for rollbacks.
const REVISION_HISTORY_LIMIT: i32 = 10;

/// Adds the workload.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    template: PodTemplateSpec,
    objects: &mut Manifests,
    notes: &mut Diagnostics,
) {
    capacity::report(cx, notes);
    match service.scheduling {
        Scheduling::Replica { desired_count } => {
            let desired = clamp(desired_count);
            let parts = parts(cx, desired, template);
            let tasks: Vec<u32> = parts.iter().map(|part| part.tasks).collect();
            let room = Rollout::new(desired, &service.deployment).room();
            for (part, room) in parts.into_iter().zip(room.divided(&tasks)) {
                objects.push(deployment(cx, service, part, room));
            }
            report_rollout(cx, service, desired, notes);
        }
        Scheduling::Daemon => {
            for part in parts(cx, 0, template) {
                objects.push(daemon_set(cx, service, part));
            }
            report_daemon(cx, service, notes);
        }
    }
}

/// Adds the annotations of the pods that come from the service.
pub(super) fn annotate(service: &Service, metadata: &mut ObjectMeta) {
    let forced = service.force_new_deployment.clone();
    let forced = forced.map(|text| (FORCE_DEPLOYMENT.to_owned(), text));
    let tags = tags_annotation(&service.propagated_tags);
    for (key, value) in tags.into_iter().chain(forced) {
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(key, value);
    }
}

/// The workload, or its part on one capacity provider.
struct Part {
    metadata: ObjectMeta,
    selector: LabelSelector,
    template: PodTemplateSpec,
    tasks: u32,
}

fn parts(cx: &Context<'_>, desired: u32, template: PodTemplateSpec) -> Vec<Part> {
    match capacity::shares(desired, cx.capacity()).as_slice() {
        [] => vec![whole(cx, None, desired, template)],
        [(only, _)] => vec![whole(cx, Some(only), desired, template)],
        several => several
            .iter()
            .map(|(provider, tasks)| share(cx, provider, *tasks, template.clone()))
            .collect(),
    }
}

fn whole(
    cx: &Context<'_>,
    provider: Option<&CapacityProvider>,
    tasks: u32,
    mut template: PodTemplateSpec,
) -> Part {
    capacity::place(cx, provider, &mut template);
    let mut metadata = cx.metadata(cx.name());
    metadata.annotations = own_tags(cx);
    Part {
        metadata,
        selector: LabelSelector {
            match_labels: Some(cx.selector()),
            ..LabelSelector::default()
        },
        template,
        tasks,
    }
}

fn share(
    cx: &Context<'_>,
    provider: &CapacityProvider,
    tasks: u32,
    template: PodTemplateSpec,
) -> Part {
    let mut part = whole(cx, Some(provider), tasks, template);
    let value = kname(&provider.name, LABEL_LENGTH);
    let name = format!("{}-{value}", cx.name());
    part.metadata.name = Some(kname(&name, WORKLOAD_LENGTH));
    for labels in [
        &mut part.metadata.labels,
        &mut part.selector.match_labels,
        &mut part.template.metadata.get_or_insert_default().labels,
    ] {
        let key = labels::CAPACITY_PROVIDER.to_owned();
        labels.get_or_insert_default().insert(key, value.clone());
    }
    part
}

/// Returns the service's own tags, which AWS stores in the service, and which are set on this object.
fn own_tags(cx: &Context<'_>) -> Option<Labels> {
    match cx.workload {
        Workload::Service(service) => tags_annotation(&service.tags).map(|tag| [tag].into()),
        Workload::Task(_) => None,
    }
}

fn deployment(cx: &Context<'_>, service: &Service, part: Part, room: Room) -> Object {
    let autoscaled = autoscaling::owns_count(cx, service);
    // The count of a Deployment without tasks is set by kubectl, and numbers for 0 tasks would be those of none.
    let scaled_later = part.tasks == 0 && cx.settings.mode == Mode::Convert;
    let (surge, unavailable) = if autoscaled || scaled_later {
        Rollout::new(part.tasks, &service.deployment).percentages(&service.deployment)
    } else {
        room.numbers()
    };
    let min_ready_seconds = min_ready_seconds(cx, service);
    Object::Deployment(Deployment {
        metadata: part.metadata,
        spec: Some(DeploymentSpec {
            replicas: (!autoscaled).then(|| number(part.tasks)),
            min_ready_seconds,
            progress_deadline_seconds: min_ready_seconds.and_then(progress_deadline_seconds),
            revision_history_limit: Some(REVISION_HISTORY_LIMIT),
            selector: part.selector,
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(surge),
                    max_unavailable: Some(unavailable),
                }),
            }),
            template: part.template,
            ..DeploymentSpec::default()
        }),
        status: None,
    })
}

fn daemon_set(cx: &Context<'_>, service: &Service, part: Part) -> Object {
    // The number of nodes is not known here, so this is a percentage. 0 would be rejected.
    let unavailable = match 100_u32.saturating_sub(service.deployment.minimum_healthy_percent) {
        0 => IntOrString::Int(1),
        percent => IntOrString::String(format!("{percent}%")),
    };
    Object::DaemonSet(DaemonSet {
        metadata: part.metadata,
        spec: Some(DaemonSetSpec {
            min_ready_seconds: min_ready_seconds(cx, service),
            revision_history_limit: Some(REVISION_HISTORY_LIMIT),
            selector: part.selector,
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDaemonSet {
                    max_surge: Some(IntOrString::Int(0)),
                    max_unavailable: Some(unavailable),
                }),
            }),
            template: part.template,
        }),
        status: None,
    })
}

/// Returns the seconds after which a task is available. ECS counts a task without checks as healthy only some time
/// after its start (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html>). A task
/// behind a load balancer is healthy when its target is; without a readiness gate, a fixed time is used instead,
/// whatever else checks the task.
fn min_ready_seconds(cx: &Context<'_>, service: &Service) -> Option<i32> {
    let checks = |container: &Container| container.essential && container.health_check.is_some();
    let checked = if cx.is_load_balanced() {
        !load_balancer::readiness_gates(cx, service).is_empty()
    } else {
        service.task_definition.containers.iter().any(checks)
    };
    let seconds = cx.settings.steady_seconds;
    (!checked && seconds > 0).then(|| number(seconds))
}

/// Returns the deadline. Kubernetes requires that it is longer than the time until a pod is available, and defaults to
/// 600 seconds. Nothing depends on it, so it is set only if the default is too short.
fn progress_deadline_seconds(min_ready_seconds: i32) -> Option<i32> {
    const DEFAULT: i32 = 600;
    (min_ready_seconds >= DEFAULT).then(|| min_ready_seconds.saturating_add(DEFAULT))
}

fn report_rollout(cx: &Context<'_>, service: &Service, desired: u32, notes: &mut Diagnostics) {
    let path = cx.root().field("deploymentConfiguration");
    let rollout = Rollout::new(desired, &service.deployment);
    if rollout.is_stuck() {
        let counted = match desired {
            1 => "1 task".to_owned(),
            tasks => format!("{tasks} tasks"),
        };
        notes.report(path.clone(), cannot_progress(cx, service, counted));
    } else {
        report_parts(cx, rollout, desired, notes);
    }
    if desired > 0 {
        notes.report(
            path.field("maximumPercent"),
            Message::TerminatingPodsNotCounted,
        );
    }
    report_autoscaled(cx, service, desired, notes);
    report_alarms(service, &path, notes);
}

/// Reports how many capacity providers have tasks that cannot be replaced within the percentages at the same time as those
/// of the others.
fn report_parts(cx: &Context<'_>, rollout: Rollout, desired: u32, notes: &mut Diagnostics) {
    let shares = capacity::shares(desired, cx.capacity());
    let tasks: Vec<u32> = shares.iter().map(|(_, tasks)| *tasks).collect();
    let rooms = rollout.room().divided(&tasks);
    let has_nothing = |(tasks, room): &(&u32, Room)| **tasks > 0 && room.is_none();
    let n = tasks.iter().zip(rooms).filter(has_nothing).count();
    if n > 0 {
        let n = n.to_string();
        let path = cx.root().field("capacityProviderStrategy");
        notes.report(path, Message::SplitRolloutRounding { n });
    }
}

/// Reports who sets the count, and how a rollout handles a count that is not known in advance.
fn report_autoscaled(cx: &Context<'_>, service: &Service, desired: u32, notes: &mut Diagnostics) {
    let Some(scaling) = autoscaling::scaling_of(service) else {
        return;
    };
    let path = cx.root().field("desiredCount");
    let n = desired.to_string();
    if cx.settings.workload_target == WorkloadTarget::EcsService {
        if !service.count_is_left {
            notes.report(path, Message::DesiredCountUndoesScaling { n });
        }
        return;
    }
    if !autoscaling::owns_count(cx, service) {
        return;
    }
    let raised = match scaling.min_capacity {
        ..2 => String::new(),
        min => format!(", and the autoscaler raises that to {min}"),
    };
    let begin = match desired {
        0 | 1 => "one task".to_owned(),
        _ => format!(
            "one task{raised}; for {n} at once: kubectl scale deployment {} --replicas={n}",
            cx.name()
        ),
    };
    notes.report(path, Message::ReplicasLeftToAutoscaler { begin });
    if !service.deployment.maximum_percent.is_multiple_of(100) {
        let path = cx.root().field("deploymentConfiguration");
        notes.report(path.field("maximumPercent"), Message::SurgeRoundsUp);
    }
}

/// Reports the nodes of a daemon. A DaemonSet tolerates the taints that Kubernetes itself adds to nodes, and no custom
/// taint of the cluster
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations>). ECS has no taints,
/// but those of a cluster keep pods away on purpose.
fn report_daemon(cx: &Context<'_>, service: &Service, notes: &mut Diagnostics) {
    let path = cx.root().field("deploymentConfiguration");
    notes.report(
        cx.root().field("schedulingStrategy"),
        Message::DaemonSkipsTaintedNodes,
    );
    if service.desired_count_ignored {
        notes.report(
            cx.root().field("desiredCount"),
            Message::DesiredCountIgnoredForDaemon,
        );
    }
    if service.deployment.maximum_percent != 100 {
        notes.report(
            path.field("maximumPercent"),
            Message::DaemonMaximumPercentIgnored,
        );
    }
    match service.deployment.minimum_healthy_percent {
        0 => {}
        100 => notes.report(
            path.field("minimumHealthyPercent"),
            cannot_progress(cx, service, "any number of tasks".to_owned()),
        ),
        _ if cx.settings.mode == Mode::Controller => {}
        _ => notes.report(
            path.field("minimumHealthyPercent"),
            Message::DaemonPercentRoundsUp,
        ),
    }
    report_alarms(service, &path, notes);
}

fn cannot_progress(cx: &Context<'_>, service: &Service, tasks: String) -> Message {
    let (maximum, offline) = match service.scheduling {
        Scheduling::Replica { .. } => (
            service.deployment.maximum_percent,
            "updates start one more task here",
        ),
        Scheduling::Daemon => (100, "updates replace one task at a time here"),
    };
    let outcome = match cx.settings.mode {
        Mode::Controller => "updates are held back",
        Mode::Convert => offline,
    };
    Message::DeploymentCannotProgress {
        min: service.deployment.minimum_healthy_percent.to_string(),
        max: maximum.to_string(),
        tasks,
        outcome: outcome.to_owned(),
    }
}

fn report_alarms(service: &Service, path: &FieldPath, notes: &mut Diagnostics) {
    if service.deployment.alarms.is_some() {
        notes.report(path.field("alarms"), Message::DeploymentAlarmsNotYet);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::translate::testing::{Outcome, Scenario, assert_object, yaml};

    const WEB: &str = r#"{"family": "web", "containerDefinitions": [{"name": "web", "image": "nginx:1.29", "memory": 128, "portMappings": [{"containerPort": 80}]}]}"#;

    fn web(request: &Value) -> Scenario {
        Scenario::service(WEB).request(request.to_string())
    }

    fn rolling(request: &Value) -> Value {
        let outcome = web(request).run();
        outcome.object("Deployment", "web")["spec"]["strategy"]["rollingUpdate"].clone()
    }

    /// Returns the findings about the deployment and its count.
    fn of_deployment(outcome: &Outcome) -> Vec<String> {
        let mut notes = outcome.notes();
        notes.retain(|note| note.starts_with("de"));
        notes
    }

    /// Keeps the labels of the pod template that are in the examples.
    fn shorten_template_labels(deployment: &mut Value) {
        let labels = deployment["spec"]["template"]["metadata"]["labels"]
            .as_object_mut()
            .expect("labels");
        labels.retain(|key, _| key.starts_with("ecs-operator.dev/"));
    }

    #[test]
    fn a_service_without_checks_is_a_deployment_with_numbers_and_a_budget() {
        let outcome = web(&json!({
            "serviceName": "web", "taskDefinition": "web:7", "desiredCount": 4, "launchType": "EC2",
            "deploymentConfiguration": {
                "minimumHealthyPercent": 50, "maximumPercent": 100,
                "deploymentCircuitBreaker": {"enable": true, "rollback": true}
            }
        }))
        .settings(|settings| settings.cluster_ip_services = false)
        .run();
        let mut deployment = outcome.object("Deployment", "web").clone();
        shorten_template_labels(&mut deployment);
        assert_object(
            &deployment,
            "
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels:
    ecs-operator.dev/service: web
spec:
  replicas: 4
  minReadySeconds: 40
  revisionHistoryLimit: 10
  selector:
    matchLabels:
      ecs-operator.dev/service: web
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 0
      maxUnavailable: 2
  template:
    metadata:
      labels:
        ecs-operator.dev/family: web
        ecs-operator.dev/group: service-web-8d8bbb52
        ecs-operator.dev/revision: \"7\"
        ecs-operator.dev/service: web
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 30
      securityContext:
        seccompProfile:
          type: RuntimeDefault
      containers:
      - name: web
        image: nginx:1.29
        imagePullPolicy: Always
        ports:
        - name: p80-tcp
          containerPort: 80
          protocol: TCP
        resources:
          limits:
            memory: 128Mi
          requests:
            memory: 128Mi
      topologySpreadConstraints:
      - labelSelector:
          matchLabels:
            ecs-operator.dev/service: web
        matchLabelKeys:
        - pod-template-hash
        maxSkew: 1
        topologyKey: topology.kubernetes.io/zone
        whenUnsatisfiable: ScheduleAnyway
      - labelSelector:
          matchLabels:
            ecs-operator.dev/service: web
        matchLabelKeys:
        - pod-template-hash
        maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
",
        );
        assert_object(
            outcome.object("PodDisruptionBudget", "web"),
            "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: web
  labels:
    ecs-operator.dev/service: web
spec:
  minAvailable: 50%
  selector:
    matchLabels:
      ecs-operator.dev/service: web
  unhealthyPodEvictionPolicy: AlwaysAllow
",
        );
        assert_eq!(outcome.objects.len(), 2);
    }

    #[test]
    fn a_deployment_that_cannot_progress_is_written_as_one_that_can() {
        let stuck = json!({"desiredCount": 2, "deploymentConfiguration": {"minimumHealthyPercent": 75, "maximumPercent": 100}});
        assert_eq!(rolling(&stuck), json!({"maxSurge": 1, "maxUnavailable": 0}));
        assert!(web(&stuck).run().messages().contains(
            &"deploymentConfiguration: DeploymentCannotProgress: a deployment can neither stop nor start a task with minimumHealthyPercent 75, maximumPercent 100 and 2 tasks; updates are held back"
                .to_owned()
        ));
        let single = json!({"desiredCount": 1, "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 100}});
        assert!(web(&single).convert().run().messages().contains(
            &"deploymentConfiguration: DeploymentCannotProgress: a deployment can neither stop nor start a task with minimumHealthyPercent 50, maximumPercent 100 and 1 task; updates start one more task here"
                .to_owned()
        ));
        let empty = json!({"desiredCount": 0});
        assert_eq!(rolling(&empty), json!({"maxSurge": 1, "maxUnavailable": 0}));
        assert_eq!(of_deployment(&web(&empty).run()), [""; 0]);
    }

    #[test]
    fn a_task_that_nothing_checks_is_ready_after_the_steady_seconds() {
        let check = r#""healthCheck": {"command": ["CMD", "true"]}"#;
        let target = r#"{"loadBalancers": [{"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/1", "containerName": "web", "containerPort": 80}]}"#;
        let container = |extra: &str| {
            format!(
                r#"{{"family": "web", "networkMode": "awsvpc", "containerDefinitions": [{{"name": "web", "image": "nginx", "memory": 64, "portMappings": [{{"containerPort": 80}}]}},
                   {{"name": "log", "image": "log", "memory": 64, {extra}}}]}}"#
            )
        };
        for (extra, request, steady, expected) in [
            (r#""essential": true"#.to_owned(), "{}", 40, json!(40)),
            (r#""essential": true"#.to_owned(), "{}", 0, Value::Null),
            (r#""essential": true"#.to_owned(), target, 40, Value::Null),
            (format!(r#""essential": false, {check}"#), "{}", 5, json!(5)),
            (
                format!(r#""essential": true, {check}"#),
                "{}",
                40,
                Value::Null,
            ),
        ] {
            let outcome = Scenario::service(container(&extra))
                .request(request)
                .settings(|settings| settings.steady_seconds = steady)
                .run();
            let spec = &outcome.object("Deployment", "web")["spec"];
            assert_eq!(spec["minReadySeconds"], expected, "{extra} {request}");
        }
    }

    #[test]
    fn a_daemon_replaces_a_percentage_of_its_pods() {
        for (configuration, unavailable, notes) in [
            (json!({}), json!("100%"), vec![]),
            (
                json!({"minimumHealthyPercent": 50, "maximumPercent": 200}),
                json!("50%"),
                vec![
                    "deploymentConfiguration.maximumPercent: DaemonMaximumPercentIgnored",
                    "deploymentConfiguration.minimumHealthyPercent: DaemonPercentRoundsUp",
                ],
            ),
            (
                json!({"minimumHealthyPercent": 100, "maximumPercent": 100}),
                json!(1),
                vec!["deploymentConfiguration.minimumHealthyPercent: DeploymentCannotProgress"],
            ),
        ] {
            let request =
                json!({"schedulingStrategy": "DAEMON", "deploymentConfiguration": configuration});
            let outcome = web(&request).convert().run();
            let set = outcome.object("DaemonSet", "web");
            assert_eq!(
                set["spec"]["updateStrategy"],
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": unavailable}})
            );
            assert_eq!(of_deployment(&outcome), notes, "{request}");
            assert_eq!(outcome.objects_of("PodDisruptionBudget"), [&Value::Null; 0]);
        }
        let counted = json!({"schedulingStrategy": "DAEMON", "desiredCount": 3});
        assert_eq!(
            of_deployment(&web(&counted).run()),
            ["desiredCount: DesiredCountIgnoredForDaemon"]
        );
    }

    #[test]
    fn each_provider_gets_a_deployment_of_its_own() {
        let outcome = web(&json!({
            "desiredCount": 10,
            "capacityProviderStrategy": [
                {"capacityProvider": "on-demand", "base": 2, "weight": 1},
                {"capacityProvider": "Spot_Pool", "weight": 3},
                {"capacityProvider": "reserve"},
            ],
            "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 150},
        }))
        .run();
        let deployments = outcome.objects_of("Deployment");
        let found: Vec<_> = deployments
            .iter()
            .map(|object| {
                let spec = &object["spec"];
                json!([
                    object["metadata"]["name"],
                    spec["replicas"],
                    spec["strategy"]["rollingUpdate"],
                    spec["selector"]["matchLabels"],
                    spec["template"]["spec"]["nodeSelector"],
                ])
            })
            .collect();
        let provider = "ecs-operator.dev/capacity-provider";
        assert_eq!(
            found,
            [
                json!(["web-on-demand", 4, {"maxSurge": 2, "maxUnavailable": 2},
                    {provider: "on-demand", "ecs-operator.dev/service": "web"}, {provider: "on-demand"}]),
                json!(["web-spot-pool-903649d5", 6, {"maxSurge": 3, "maxUnavailable": 3},
                    {provider: "spot-pool-903649d5", "ecs-operator.dev/service": "web"}, {provider: "spot-pool-903649d5"}]),
            ]
        );
        for deployment in deployments {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            assert_eq!(
                labels[provider],
                deployment["spec"]["selector"]["matchLabels"][provider]
            );
        }
        let few = "capacityProviderStrategy: SplitRolloutRounding".to_owned();
        assert!(!outcome.warnings().contains(&few));
        let budget = outcome.object("PodDisruptionBudget", "web");
        assert_eq!(budget["spec"]["minAvailable"], "50%");
    }

    #[test]
    fn a_single_provider_only_chooses_nodes() {
        for (provider, selector) in [
            (
                "Pool",
                yaml("{ecs-operator.dev/capacity-provider: pool-f1302427}"),
            ),
            (
                "FARGATE_SPOT",
                yaml(
                    "{karpenter.sh/capacity-type: spot, kubernetes.io/arch: amd64, kubernetes.io/os: linux}",
                ),
            ),
            (
                "FARGATE",
                yaml("{kubernetes.io/arch: amd64, kubernetes.io/os: linux}"),
            ),
        ] {
            let definition = r#"{"family": "web", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "containerDefinitions": [{"name": "web", "image": "nginx"}]}"#;
            let request = json!({"capacityProviderStrategy": [{"capacityProvider": provider}]});
            let outcome = Scenario::service(definition)
                .request(request.to_string())
                .run();
            let deployment = outcome.object("Deployment", "web");
            assert_eq!(outcome.pod_spec()["nodeSelector"], selector, "{provider}");
            assert_eq!(
                deployment["spec"]["selector"]["matchLabels"],
                yaml("{ecs-operator.dev/service: web}")
            );
            assert_eq!(
                outcome.has("FargateSpotIsKarpenterSpot"),
                provider == "FARGATE_SPOT"
            );
        }
    }

    #[test]
    fn pods_on_eks_fargate_carry_the_label_of_its_profile() {
        let definition = r#"{"family": "web", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE", "EC2"], "containerDefinitions": [{"name": "web", "image": "nginx"}]}"#;
        for (request, expected) in [
            (json!({"launchType": "FARGATE"}), json!("fargate")),
            (json!({}), Value::Null),
            (json!({"launchType": "EC2"}), Value::Null),
            (
                json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]}),
                Value::Null,
            ),
        ] {
            let outcome = Scenario::service(definition)
                .request(request.to_string())
                .settings(|settings| settings.compute = crate::settings::Compute::EksFargate)
                .run();
            let labels = &outcome.pod()["metadata"]["labels"];
            assert_eq!(labels["ecs-operator.dev/compute"], expected, "{request}");
        }
    }

    #[test]
    fn external_tasks_run_anywhere() {
        let outcome = web(&json!({"launchType": "EXTERNAL"})).run();
        assert_eq!(
            outcome.warnings(),
            ["launchType: ExternalLaunchTypeIsAnyNode"]
        );
    }

    #[test]
    fn tags_are_annotations_of_the_workload_and_propagated_ones_of_its_pods() {
        let definition = r#"{"family": "web", "tags": [{"key": "team", "value": "shop"}], "containerDefinitions": [{"name": "web", "image": "nginx", "memory": 64}]}"#;
        for (propagate, expected) in [
            ("SERVICE", json!(r#"{"cost":"a\"b","env":"prod"}"#)),
            ("TASK_DEFINITION", json!(r#"{"team":"shop"}"#)),
            ("NONE", Value::Null),
        ] {
            let request = json!({"propagateTags": propagate, "tags": [{"key": "env", "value": "prod"}, {"key": "cost", "value": "a\"b"}]});
            let outcome = Scenario::service(definition)
                .request(request.to_string())
                .run();
            let tags = "ecs-operator.dev/tags";
            let deployment = outcome.object("Deployment", "web");
            assert_eq!(
                deployment["metadata"]["annotations"][tags],
                r#"{"cost":"a\"b","env":"prod"}"#
            );
            assert_eq!(outcome.pod()["metadata"]["annotations"][tags], expected);
        }
    }

    #[test]
    fn alarms_are_not_watched() {
        let alarms = |enable: bool| json!({"deploymentConfiguration": {"alarms": {"alarmNames": ["errors"], "rollback": true, "enable": enable}}});
        assert_eq!(
            web(&alarms(true)).run().warnings(),
            ["deploymentConfiguration.alarms: DeploymentAlarmsNotYet"]
        );
        assert_eq!(web(&alarms(false)).run().warnings(), [""; 0]);
    }
}
