//! `stopTimeout` and draining: the pod's grace period, and the delay before SIGTERM.

use k8s_openapi::api::core::v1::{Lifecycle, LifecycleHandler, SleepAction};

use super::{Draft, Role};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
    settings::Mode,
    translate::{Context, Workload},
    validate::{self, ExposeKind},
};

/// Seconds until a terminating pod gets no more requests: ingress controllers other than that of AWS, and all nodes,
/// have to learn from the API server that it is no longer an endpoint of its Service.
const OTHER_DRAIN_SECONDS: u32 = 5;

/// Seconds from the notice of an interruption until a Spot instance is gone
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>).
const SPOT_NOTICE: i64 = 120;

/// Seconds for which a log router goes on when the other containers have ended. It looks for new files every second, and
/// the kubelet ends a sidecar at once (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>), so the
/// lines of a container that ends soon would be lost.
const ROUTER_DELAY: i64 = 2;

/// Sets the grace period, the grace periods of probes, and the delay in which a load balancer drains the pod.
///
/// When a probe fails, its grace period replaces that of the pod, and the delay is part of either
/// (<https://kubernetes.io/docs/concepts/containers/container-lifecycle-hooks/>,
/// <https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#probe-level-terminationgraceperiodseconds>).
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let drain = drain_seconds(cx, notes);
    let containers = &cx.task_definition.containers;
    let mut longest_main = 0;
    let mut sidecars = 0;
    for container in containers {
        match draft.plan.role(container.index) {
            Role::Init => {}
            Role::Sidecar { .. } => sidecars += sidecar_delay(container) + stop_timeout(container),
            Role::Main => longest_main = stop_timeout(container).max(longest_main),
        }
    }
    let grace = drain + longest_main + sidecars;
    draft.spec.termination_grace_period_seconds = Some(grace);
    for container in containers {
        let role = draft.plan.role(container.index);
        if let Some(kubernetes) = draft.container_mut(container.index) {
            let pause = match role {
                Role::Init => 0,
                Role::Sidecar { .. } => sidecar_delay(container),
                Role::Main => drain,
            };
            let own = pause + stop_timeout(container);
            let probes = [
                &mut kubernetes.startup_probe,
                &mut kubernetes.liveness_probe,
            ];
            for probe in probes.into_iter().flatten().filter(|_| own != grace) {
                probe.termination_grace_period_seconds = Some(own);
            }
            if pause > 0 {
                kubernetes.lifecycle = Some(sleep(pause));
            }
        }
        note_start_timeout(cx, container, notes);
    }
    note_pooled(draft, containers, grace, notes);
    note_spot(cx, grace, notes);
}

/// Returns the seconds between the end of the other containers and SIGTERM for a sidecar.
const fn sidecar_delay(container: &validate::Container) -> i64 {
    if container.firelens.is_some() {
        ROUTER_DELAY
    } else {
        0
    }
}

/// Reports if a node may be terminated before its tasks have ended, or even before they get SIGTERM.
fn note_spot(cx: &Context<'_>, grace: i64, notes: &mut Diagnostics) {
    let providers = &cx.capacity().strategy;
    let is_spot = |provider: &validate::CapacityProvider| {
        provider.takes_tasks() && provider.name == "FARGATE_SPOT"
    };
    if grace > SPOT_NOTICE
        && let Some(index) = providers.iter().position(is_spot)
    {
        let path = cx.root().field("capacityProviderStrategy").index(index);
        let n = grace.to_string();
        notes.report(
            path.field("capacityProvider"),
            Message::SpotEndsBeforeGrace { n },
        );
    }
}

/// Returns the delay for pods that get requests. Otherwise they would get SIGTERM immediately, in ECS only after
/// deregistration.
///
/// Only AWS load balancers drain for the time of the target group; all others, and Services, remove a pod immediately.
fn drain_seconds(cx: &Context<'_>, notes: &mut Diagnostics) -> i64 {
    let Workload::Service(service) = cx.workload else {
        return 0;
    };
    let seconds = cx.settings.deregistration_delay();
    let seconds = match &service.expose {
        _ if !service.load_balancers.is_empty() => seconds,
        None if is_reached(cx, service) => seconds.min(OTHER_DRAIN_SECONDS),
        None => 0,
        Some(expose) => match expose.kind {
            ExposeKind::Application { .. } if cx.settings.ingress_class != "alb" => {
                seconds.min(OTHER_DRAIN_SECONDS)
            }
            ExposeKind::Application { .. } | ExposeKind::Network => seconds,
        },
    };
    let assumed = cx.settings.deregistration_delay_seconds.is_none();
    if assumed && !service.load_balancers.is_empty() {
        let path = FieldPath::root(Subject::Service).field("loadBalancers");
        let n = seconds.to_string();
        notes.report(path, Message::DeregistrationDelayAssumed { n });
    }
    i64::from(seconds)
}

/// Whether there is a Service through which others reach the tasks.
fn is_reached(cx: &Context<'_>, service: &validate::Service) -> bool {
    let containers = &cx.task_definition.containers;
    let offers = || {
        containers
            .iter()
            .any(|container| !container.ports.is_empty())
    };
    cx.settings.cluster_ip_services && offers()
        || !service.service_registries.is_empty()
        || service.service_connect.is_some()
}

fn sleep(seconds: i64) -> Lifecycle {
    Lifecycle {
        pre_stop: Some(LifecycleHandler {
            sleep: Some(SleepAction { seconds }),
            ..LifecycleHandler::default()
        }),
        ..Lifecycle::default()
    }
}

/// Returns the seconds between SIGTERM and SIGKILL; at least 1, because the API server requires more than the delay
/// before it.
fn stop_timeout(container: &validate::Container) -> i64 {
    let seconds = container
        .stop_timeout
        .unwrap_or(ecs::ContainerDefinition::DEFAULT_STOP_TIMEOUT);
    seconds.clamp(1, i64::from(i32::MAX))
}

/// Reports that the containers share one grace period, if they have different ones.
fn note_pooled(
    draft: &Draft,
    containers: &[validate::Container],
    grace: i64,
    notes: &mut Diagnostics,
) {
    let running = || {
        containers
            .iter()
            .filter(|container| draft.plan.role(container.index).is_long_running())
    };
    let mut timeouts = running().map(stop_timeout);
    let first = timeouts.next();
    let differ = timeouts.any(|timeout| Some(timeout) != first);
    let given = running().find(|container| container.stop_timeout.is_some());
    if let Some(container) = given.filter(|_| differ) {
        let n = grace.to_string();
        let path = path(container).field("stopTimeout");
        notes.report(path, Message::StopTimeoutPooled { n });
    }
}

/// Reports that only the operator enforces `startTimeout`, if a container waits for more than the container's start.
fn note_start_timeout(cx: &Context<'_>, container: &validate::Container, notes: &mut Diagnostics) {
    if container.start_timeout.is_some() {
        let message = match cx.task_definition.graph.condition_on(container.index) {
            None | Some(validate::Condition::Start) => Message::StartTimeoutUnused,
            Some(_) if cx.settings.mode == Mode::Controller => return,
            Some(_) => Message::StartTimeoutByController,
        };
        notes.report(path(container).field("startTimeout"), message);
    }
}

fn path(container: &validate::Container) -> FieldPath {
    FieldPath::root(Subject::TaskDefinition)
        .field("containerDefinitions")
        .index(container.index)
}

#[cfg(test)]
mod tests {
    use crate::{
        diagnostic::Reason,
        translate::testing::{Scenario, yaml},
    };

    const REASONS: &[Reason] = &[
        Reason::DeregistrationDelayAssumed,
        Reason::StartTimeoutByController,
        Reason::StartTimeoutUnused,
        Reason::StopTimeoutPooled,
    ];

    const SHOP: &str = r#"{"family": "shop", "containerDefinitions": [
  {"name": "app", "image": "example/shop:1.4", "cpu": 256, "memory": 512, "portMappings": [{"containerPort": 8080}],
   "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}, {"containerName": "proxy", "condition": "HEALTHY"}]},
  {"name": "migrate", "image": "example/shop:1.4", "essential": false, "command": ["./migrate"], "cpu": 64, "memory": 128},
  {"name": "proxy", "image": "example/proxy:2", "cpu": 128, "memory": 128, "stopTimeout": 20,
   "healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:9901/ready || exit 1"], "interval": 5, "timeout": 2, "retries": 3, "startPeriod": 10}}]}"#;

    const SHOP_POD: &str = "
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 50
securityContext:
  seccompProfile: {type: RuntimeDefault}
initContainers:
- name: proxy
  image: example/proxy:2
  imagePullPolicy: Always
  restartPolicy: Always
  resources:
    limits:
      memory: 128Mi
    requests:
      cpu: 125m
      memory: 128Mi
  startupProbe:
    exec:
      command: [/bin/sh, -c, curl -f http://localhost:9901/ready || exit 1]
    failureThreshold: 5
    periodSeconds: 5
    terminationGracePeriodSeconds: 20
    timeoutSeconds: 2
  livenessProbe:
    exec:
      command: [/bin/sh, -c, curl -f http://localhost:9901/ready || exit 1]
    failureThreshold: 3
    periodSeconds: 5
    terminationGracePeriodSeconds: 20
    timeoutSeconds: 2
- name: migrate
  image: example/shop:1.4
  imagePullPolicy: Always
  args: [./migrate]
  resources:
    limits:
      memory: 128Mi
    requests:
      cpu: 62m
      memory: 128Mi
containers:
- name: app
  image: example/shop:1.4
  imagePullPolicy: Always
  ports:
  - name: p8080-tcp
    containerPort: 8080
    protocol: TCP
  resources:
    limits:
      memory: 512Mi
    requests:
      cpu: 250m
      memory: 512Mi
";

    #[test]
    fn an_init_container_and_a_gating_sidecar_stand_before_the_app() {
        let outcome = Scenario::service(SHOP)
            .settings(|settings| settings.cluster_ip_services = false)
            .run();
        assert_eq!(outcome.pod_spec_without_spread(), yaml(SHOP_POD));
        let messages = outcome.messages();
        for note in [
            "containerDefinitions: DependencyGraphLinearized: migrate starts only after proxy is healthy, although it does not depend on it; nothing to do if migrate may start later; otherwise let no container wait for proxy, or wait with START",
            "containerDefinitions[1]: InitContainerRetriedInPlace: the kubelet retries migrate in the same pod when it fails; ECS starts a new task",
            "containerDefinitions[2].stopTimeout: StopTimeoutPooled: a pod has one grace period for all containers: 50 s; nothing to do unless a container must be killed earlier",
        ] {
            assert!(messages.contains(&note.to_owned()), "{messages:#?}");
        }
    }

    #[test]
    fn a_task_ends_with_its_essential_container() {
        let outcome = Scenario::task(
            r#"{"family": "job", "containerDefinitions": [
  {"name": "work", "image": "example/job:1", "memory": 256},
  {"name": "watch", "image": "example/watch:1", "essential": false, "memory": 64, "dependsOn": [{"containerName": "work", "condition": "START"}]}]}"#,
        )
        .run();
        let expected = "
automountServiceAccountToken: false
enableServiceLinks: false
restartPolicy: Never
terminationGracePeriodSeconds: 30
securityContext:
  seccompProfile: {type: RuntimeDefault}
containers:
- name: work
  image: example/job:1
  imagePullPolicy: Always
  resources:
    limits:
      memory: 256Mi
    requests:
      memory: 256Mi
- name: watch
  image: example/watch:1
  imagePullPolicy: Always
  resources:
    limits:
      memory: 64Mi
    requests:
      memory: 64Mi
";
        assert_eq!(*outcome.pod_spec(), yaml(expected));
        let message = "containerDefinitions[1].dependsOn[0]: StartOrderBestEffort: watch is started after work, but the kubelet does not guarantee the order; let watch retry until work answers";
        assert!(outcome.messages().contains(&message.to_owned()));
    }

    /// Returns containers `a` (main) and `s` (a sidecar that `a` waits for) with these members.
    fn pair(a: &str, s: &str) -> String {
        format!(
            r#"{{"family": "f", "networkMode": "awsvpc", "containerDefinitions": [
            {{"name": "a", "image": "busybox", "memory": 64, "portMappings": [{{"containerPort": 80}}], {a}
              "dependsOn": [{{"containerName": "s", "condition": "START"}}]}},
            {{"name": "s", "image": "busybox", {s} "memory": 64}}]}}"#
        )
    }

    #[test]
    fn the_grace_period_is_long_enough_for_all_containers() {
        for (a, s, grace, notes) in [
            ("", "", 60, &[][..]),
            (
                r#""stopTimeout": 120,"#,
                "",
                150,
                &["containerDefinitions[0].stopTimeout: StopTimeoutPooled"],
            ),
            (r#""stopTimeout": 120,"#, r#""stopTimeout": 120,"#, 240, &[]),
            (
                r#""stopTimeout": 0,"#,
                r#""stopTimeout": 2,"#,
                3,
                &["containerDefinitions[0].stopTimeout: StopTimeoutPooled"],
            ),
        ] {
            let outcome = Scenario::service(pair(a, s))
                .settings(|settings| settings.cluster_ip_services = false)
                .run();
            assert_eq!(
                outcome.pod_spec()["terminationGracePeriodSeconds"],
                grace,
                "{a} {s}"
            );
            assert_eq!(outcome.notes_of(REASONS), notes, "{a} {s}");
        }
    }

    #[test]
    fn a_pod_leaves_its_service_before_it_is_told_to_end() {
        let pause = |delay: u32, services: bool| {
            let outcome = Scenario::service(pair("", ""))
                .settings(|settings| {
                    settings.deregistration_delay_seconds = Some(delay);
                    settings.cluster_ip_services = services;
                })
                .run();
            let grace = outcome.pod_spec()["terminationGracePeriodSeconds"].clone();
            let pause = outcome.container("a")["lifecycle"]["preStop"]["sleep"]["seconds"].clone();
            (pause, grace)
        };
        assert_eq!(pause(300, true), (5.into(), 65.into()));
        assert_eq!(pause(2, true), (2.into(), 62.into()));
        let none = serde_json::Value::Null;
        assert_eq!(pause(0, true), (none.clone(), 60.into()));
        assert_eq!(pause(300, false), (none, 60.into()), "nobody reaches it");
    }

    const TARGET_GROUP: &str = r#"{"loadBalancers": [{"containerName": "a", "containerPort": 80,
        "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/6d0ecf831eec9f09"}]}"#;

    #[test]
    fn a_pod_that_a_load_balancer_drains_waits_for_it() {
        let outcome = Scenario::service(pair("", "")).request(TARGET_GROUP).run();
        assert_eq!(outcome.pod_spec()["terminationGracePeriodSeconds"], 360);
        assert_eq!(
            outcome.container("a")["lifecycle"],
            yaml("preStop: {sleep: {seconds: 300}}")
        );
        assert_eq!(outcome.container("s")["lifecycle"], yaml("null"));
        assert_eq!(
            outcome.notes_of(REASONS),
            ["loadBalancers: DeregistrationDelayAssumed"]
        );
        let at_once = Scenario::service(pair("", ""))
            .request(TARGET_GROUP)
            .settings(|s| s.deregistration_delay_seconds = Some(0))
            .run();
        assert_eq!(at_once.pod_spec()["terminationGracePeriodSeconds"], 60);
        assert_eq!(at_once.container("a")["lifecycle"], yaml("null"));
        assert_eq!(at_once.notes_of(REASONS), [""; 0]);
    }

    #[test]
    fn a_failed_probe_leaves_time_for_the_pause_and_the_stop_timeout() {
        let check = r#""stopTimeout": 120, "healthCheck": {"command": ["CMD", "true"]},"#;
        let outcome = Scenario::service(pair(check, r#""stopTimeout": 10,"#))
            .request(TARGET_GROUP)
            .run();
        assert_eq!(outcome.pod_spec()["terminationGracePeriodSeconds"], 430);
        for probe in ["startupProbe", "livenessProbe"] {
            let seconds = &outcome.container("a")[probe]["terminationGracePeriodSeconds"];
            assert_eq!(*seconds, 420, "{probe}");
        }
    }

    #[test]
    fn a_spot_node_may_be_gone_before_the_grace_period_is_over() {
        let spot = TARGET_GROUP.replacen(
            '{',
            r#"{"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}], "#,
            1,
        );
        let definition = r#"{"family": "f", "networkMode": "awsvpc", "cpu": "256", "memory": "512", "containerDefinitions": [
            {"name": "a", "image": "busybox", "portMappings": [{"containerPort": 80}], "stopTimeout": 30}]}"#;
        for (delay, request, warned) in [
            (90, spot.as_str(), false),
            (91, spot.as_str(), true),
            (91, TARGET_GROUP, false),
        ] {
            let outcome = Scenario::service(definition)
                .request(request)
                .settings(|settings| settings.deregistration_delay_seconds = Some(delay))
                .run();
            assert_eq!(outcome.has("SpotEndsBeforeGrace"), warned, "{delay}");
        }
    }

    #[test]
    fn only_load_balancers_of_aws_drain_long() {
        for (kind, class, seconds) in [
            ("alb", "alb", 300),
            ("nlb", "nginx", 300),
            ("alb", "nginx", 5),
        ] {
            let outcome = Scenario::service(pair("", ""))
                .extensions(format!(
                    r#"{{"kubernetes": {{"expose": {{"type": "{kind}", "containerName": "a", "containerPort": 80}}}}}}"#
                ))
                .settings(|s| s.ingress_class = class.to_owned())
                .run();
            let sleep = &outcome.container("a")["lifecycle"]["preStop"]["sleep"]["seconds"];
            assert_eq!(*sleep, seconds, "{kind} {class}");
            assert_eq!(outcome.notes_of(REASONS), [""; 0]);
        }
    }

    #[test]
    fn a_start_timeout_counts_where_something_waits_for_more_than_the_start() {
        let check = r#""startTimeout": 60, "healthCheck": {"command": ["CMD", "true"]},"#;
        let waiting = pair("", check).replace("START", "HEALTHY");
        for (definition, notes) in [
            (
                waiting.clone(),
                ["containerDefinitions[1].startTimeout: StartTimeoutByController"],
            ),
            (
                pair("", check),
                ["containerDefinitions[1].startTimeout: StartTimeoutUnused"],
            ),
        ] {
            let outcome = Scenario::service(definition).convert().run();
            assert_eq!(outcome.notes_of(REASONS), notes);
        }
        let in_the_cluster = Scenario::service(waiting).run();
        assert_eq!(in_the_cluster.notes_of(REASONS), [""; 0]);
    }

    #[test]
    fn fargate_allows_two_seconds_to_two_minutes() {
        let definition = r#"{"family": "f", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
            "cpu": "256", "memory": "512", "containerDefinitions": [
            {"name": "a", "image": "busybox", "startTimeout": 121, "stopTimeout": 1},
            {"name": "b", "image": "busybox", "startTimeout": 120, "stopTimeout": 2}]}"#;
        assert_eq!(
            Scenario::service(definition).rejections(),
            [
                "containerDefinitions[0].startTimeout: InvalidValue: 121: must be 2 to 120 seconds on Fargate",
                "containerDefinitions[0].stopTimeout: InvalidValue: 1: must be 2 to 120 seconds on Fargate",
            ]
        );
    }
}
