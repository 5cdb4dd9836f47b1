//! CPU, memory, GPUs and ephemeral storage.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity,
};

use super::{Draft, Plan, Role, devices};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::Settings,
    translate::{Context, container_cpu, mebibytes, service::scaled_object, task_cpu},
    validate::{
        ContainerResources, Metric, OperatingSystem, TaskDefinition, TaskSize, eks_fargate_size,
    },
};

/// The first version in which pods can have their own resources by default.
const POD_RESOURCES_MINOR: u32 = 34;

/// The requests of one container. CPU is in units of 1/1024 vCPU, memory in MiB, storage in GiB.
#[derive(Clone, Debug, Default, PartialEq)]
struct Amounts {
    cpu: Option<i64>,
    cpu_limit: Option<Quantity>,
    memory: Option<i64>,
    memory_limit: Option<i64>,
    /// What device plugins allocate, by resource.
    devices: BTreeMap<String, i64>,
    storage: Option<i64>,
}

/// Where the size of the task is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeGoes {
    /// Into the pod's own resources.
    ToPod,
    /// Into requests and limits of the containers, on nodes.
    ToContainers,
    /// Into requests of the containers; the micro-VM of EKS Fargate limits them.
    ToMicroVm,
    /// Nowhere: Windows on EC2 ignores it.
    Nowhere,
}

/// Sets the resources of the pod and its containers.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let definition = cx.task_definition;
    let windows = matches!(definition.platform.os, Some(OperatingSystem::Windows(_)));
    let mut amounts: Vec<Amounts> = definition
        .containers
        .iter()
        .map(|container| Amounts {
            devices: devices::of_plugins(cx, container),
            ..own_amounts(&container.resources, windows)
        })
        .collect();
    let goes = size_goes(
        cx.settings,
        definition.fargate,
        windows,
        cx.task_definition.eks_fargate,
    );
    let size = definition.size;
    let sized = size.cpu_units.is_some() || size.memory_mib.is_some();
    match goes {
        SizeGoes::ToPod => {
            draft.spec.resources = pod_resources(size);
            request_the_least(cx, &draft.plan, &mut amounts);
        }
        SizeGoes::ToContainers if sized => {
            let long_running = long_running(&draft.plan, amounts.len());
            let first = first_essential(definition, &draft.plan);
            fill_up(&mut amounts, size, first, &long_running);
            limit_each(&mut amounts, size);
            if long_running.len() > 1 {
                notes.report(size_path(size), Message::TaskLimitPerContainer);
            }
        }
        SizeGoes::ToMicroVm => {
            let long_running = long_running(&draft.plan, amounts.len());
            let first = first_essential(definition, &draft.plan);
            for amounts in &mut amounts {
                amounts.memory = amounts.memory_limit.or(amounts.memory);
            }
            fill_up(&mut amounts, size, first, &long_running);
            note_micro_vm(&amounts, &long_running, notes);
        }
        SizeGoes::Nowhere if sized => {
            notes.report(size_path(size), Message::TaskSizeIgnoredOnWindows);
        }
        SizeGoes::ToContainers | SizeGoes::Nowhere => {}
    }
    ephemeral_storage(definition, &draft.plan, &mut amounts, notes);
    for (index, amounts) in amounts.iter().enumerate() {
        if let Some(container) = draft.container_mut(index) {
            container.resources = requirements(amounts);
        }
    }
}

/// Returns the requests in a container's definition. ECS shares are not a limit on Linux, so only Windows gets a CPU
/// limit.
fn own_amounts(resources: &ContainerResources, windows: bool) -> Amounts {
    let ContainerResources {
        cpu_units,
        memory_mib,
        memory_reservation_mib,
        // Devices.
        gpus: _,
        gpu_share: _,
    } = *resources;
    Amounts {
        cpu: cpu_units,
        cpu_limit: cpu_units.filter(|_| windows).map(container_cpu),
        memory: memory_reservation_mib.or(memory_mib),
        memory_limit: memory_mib,
        devices: BTreeMap::new(),
        storage: None,
    }
}

/// Returns where the size of the task is set. Pod-level resources need Kubernetes 1.34 and Linux, and EKS Fargate is
/// not known to support them. ECS ignores the task size on Windows, but not on Fargate.
const fn size_goes(
    settings: &Settings,
    fargate: bool,
    windows: bool,
    eks_fargate: bool,
) -> SizeGoes {
    if windows && !fargate {
        SizeGoes::Nowhere
    } else if eks_fargate {
        SizeGoes::ToMicroVm
    } else if windows || settings.kubernetes_minor < POD_RESOURCES_MINOR {
        SizeGoes::ToContainers
    } else {
        SizeGoes::ToPod
    }
}

fn pod_resources(size: TaskSize) -> Option<ResourceRequirements> {
    let mut amounts = BTreeMap::new();
    if let Some(units) = size.cpu_units {
        amounts.insert("cpu".to_owned(), task_cpu(units));
    }
    if let Some(mib) = size.memory_mib {
        amounts.insert("memory".to_owned(), mebibytes(mib));
    }
    (!amounts.is_empty()).then(|| ResourceRequirements {
        limits: Some(amounts.clone()),
        requests: Some(amounts),
        claims: None,
    })
}

/// Gives each main container without a request the smallest one where KEDA's admission webhook demands it beside the
/// requests of the pod. Nothing else depends on it: 2 units are the CPU shares that such a container has anyway, in ECS
/// and Kubernetes, 1 MiB is less than any process uses, and scheduler and autoscaler take the requests of the pod.
fn request_the_least(cx: &Context<'_>, plan: &Plan, amounts: &mut [Amounts]) {
    let size = cx.task_definition.size;
    if size.cpu_units.is_some() && scaled_object::demands_requests(cx, &Metric::Cpu) {
        request_each(amounts, plan, size.cpu_units, 2, |a| &mut a.cpu);
    }
    if size.memory_mib.is_some() && scaled_object::demands_requests(cx, &Metric::Memory) {
        request_each(amounts, plan, size.memory_mib, 1, |a| &mut a.memory);
    }
}

/// Sets `of` to `least` in each main container without it. If the containers then request more than the task has, which
/// the API server rejects, the largest request is lowered.
fn request_each(
    amounts: &mut [Amounts],
    plan: &Plan,
    task: Option<i64>,
    least: i64,
    of: fn(&mut Amounts) -> &mut Option<i64>,
) {
    let mut sum = 0_i64;
    let mut largest = None;
    for (index, amounts) in amounts.iter_mut().enumerate() {
        if plan.role(index) == Role::Main {
            of(amounts).get_or_insert(least);
        } else if !plan.role(index).is_long_running() {
            continue;
        }
        let request = of(amounts).unwrap_or(0);
        sum = sum.saturating_add(request);
        largest = largest.max(Some((request, index)));
    }
    let excess = task.map_or(0, |task| sum.saturating_sub(task));
    if let Some((request, index)) = largest.filter(|_| excess > 0)
        && let Some(amounts) = amounts.get_mut(index)
    {
        *of(amounts) = Some(request.saturating_sub(excess).max(least));
    }
}

/// Returns the indexes of the containers that run as long as the pod, in the order of the definition.
fn long_running(plan: &Plan, count: usize) -> Vec<usize> {
    (0..count)
        .filter(|index| plan.role(*index).is_long_running())
        .collect()
}

/// Returns the first essential main container, or if there is none, the first essential container that keeps running.
fn first_essential(definition: &TaskDefinition, plan: &Plan) -> Option<usize> {
    let find = |main: bool| {
        definition.containers.iter().find(|container| {
            let role = plan.role(container.index);
            container.essential && role.is_long_running() && (role == Role::Main || !main)
        })
    };
    find(true)
        .or_else(|| find(false))
        .map(|container| container.index)
}

/// Adds the remainder of the task's size to the first essential container, so that the pod requests the task's size. If
/// that container has a memory limit, the memory is added to a container without one, if it exists.
fn fill_up(amounts: &mut [Amounts], size: TaskSize, first: Option<usize>, long_running: &[usize]) {
    let Some(first) = first else { return };
    let sum = |amounts: &[Amounts], of: fn(&Amounts) -> Option<i64>| {
        let running = long_running.iter().filter_map(|index| amounts.get(*index));
        running.filter_map(of).fold(0, i64::saturating_add)
    };
    let extra_cpu = size.cpu_units.unwrap_or(0) - sum(amounts, |a| a.cpu);
    let extra_memory = size.memory_mib.unwrap_or(0) - sum(amounts, |a| a.memory);
    if let Some(amounts) = amounts.get_mut(first).filter(|_| extra_cpu > 0) {
        amounts.cpu = Some(amounts.cpu.unwrap_or(0).saturating_add(extra_cpu));
    }
    if extra_memory <= 0 {
        return;
    }
    let unlimited = std::iter::once(&first)
        .chain(long_running)
        .copied()
        .find(|index| {
            amounts
                .get(*index)
                .is_some_and(|a| a.memory_limit.is_none())
        });
    if let Some(amounts) = amounts.get_mut(unlimited.unwrap_or(first)) {
        let request = amounts.memory.unwrap_or(0).saturating_add(extra_memory);
        amounts.memory = Some(
            amounts
                .memory_limit
                .map_or(request, |limit| request.min(limit)),
        );
    }
}

/// Sets the task's size as the limit of every container that has no lower limit.
fn limit_each(amounts: &mut [Amounts], size: TaskSize) {
    for amounts in amounts {
        amounts.cpu_limit = amounts
            .cpu_limit
            .take()
            .or_else(|| size.cpu_units.map(task_cpu));
        amounts.memory_limit = amounts.memory_limit.or(size.memory_mib);
    }
}

/// Reports the size that EKS Fargate provisions for the pod's requests.
fn note_micro_vm(amounts: &[Amounts], long_running: &[usize], notes: &mut Diagnostics) {
    let total = |of: fn(&Amounts) -> Option<i64>| {
        let running = long_running.iter().filter_map(|index| amounts.get(*index));
        let together = running.filter_map(of).fold(0, i64::saturating_add);
        let one = amounts.iter().filter_map(of).max().unwrap_or(0);
        Some(together.max(one)).filter(|sum| *sum > 0)
    };
    let size = TaskSize {
        cpu_units: total(|a| a.cpu),
        memory_mib: total(|a| a.memory),
    };
    if let Some((units, mib)) = eks_fargate_size(size) {
        let size = format!("{} vCPU {} GB", of_1024(units), of_1024(mib));
        let path = FieldPath::root(Subject::TaskDefinition).field("memory");
        notes.report(path, Message::EksFargateRoundsUp { size });
    }
}

/// Returns a multiple of 256 divided by 1024, in decimals.
fn of_1024(number: i64) -> String {
    let fraction = match number % 1024 {
        256 => ".25",
        512 => ".5",
        768 => ".75",
        _ => "",
    };
    format!("{}{fraction}", number / 1024)
}

/// Limits the pod's storage with a single limit: the kubelet adds up all limits.
fn ephemeral_storage(
    definition: &TaskDefinition,
    plan: &Plan,
    amounts: &mut [Amounts],
    notes: &mut Diagnostics,
) {
    let Some(gib) = definition.ephemeral_storage_gib else {
        return;
    };
    if !definition.fargate {
        let path = FieldPath::root(Subject::TaskDefinition).field("ephemeralStorage");
        notes.report(path.field("sizeInGiB"), Message::EphemeralStorageOnEc2);
    }
    if !definition.eks_fargate {
        let path = FieldPath::root(Subject::TaskDefinition).field("ephemeralStorage");
        let n = gib.to_string();
        notes.report(
            path.field("sizeInGiB"),
            Message::EphemeralStorageNeedsDisk { n },
        );
    }
    let first = first_essential(definition, plan);
    if let Some(amounts) = first.and_then(|first| amounts.get_mut(first)) {
        amounts.storage = Some(gib);
    }
}

fn requirements(amounts: &Amounts) -> Option<ResourceRequirements> {
    let Amounts {
        cpu,
        cpu_limit,
        memory,
        memory_limit,
        devices,
        storage,
    } = amounts;
    let storage = storage.map(|gib| Quantity(format!("{gib}Gi")));
    let requests = map([
        ("cpu", cpu.map(container_cpu)),
        ("ephemeral-storage", storage.clone()),
        ("memory", memory.map(mebibytes)),
    ]);
    let mut limits = map([
        ("cpu", cpu_limit.clone()),
        ("ephemeral-storage", storage),
        ("memory", memory_limit.map(mebibytes)),
    ]);
    for (resource, count) in devices {
        let count = Quantity(count.to_string());
        limits
            .get_or_insert_default()
            .insert(resource.clone(), count);
    }
    (requests.is_some() || limits.is_some()).then_some(ResourceRequirements {
        claims: None,
        limits,
        requests,
    })
}

fn map<const N: usize>(
    amounts: [(&str, Option<Quantity>); N],
) -> Option<BTreeMap<String, Quantity>> {
    let amounts: BTreeMap<String, Quantity> = amounts
        .into_iter()
        .filter_map(|(name, amount)| Some((name.to_owned(), amount?)))
        .collect();
    (!amounts.is_empty()).then_some(amounts)
}

/// Returns the member that specifies the task's size, CPU first.
fn size_path(size: TaskSize) -> FieldPath {
    let member = if size.cpu_units.is_some() {
        "cpu"
    } else {
        "memory"
    };
    FieldPath::root(Subject::TaskDefinition).field(member)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{
        diagnostic::Reason,
        settings::Compute,
        translate::testing::{Scenario, yaml},
    };

    const REASONS: &[Reason] = &[
        Reason::EksFargateRoundsUp,
        Reason::EphemeralStorageOnEc2,
        Reason::TaskLimitPerContainer,
        Reason::TaskSizeIgnoredOnWindows,
    ];

    const API: &str = r#"{"family": "api", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "512", "memory": "1 GB", "containerDefinitions": [
  {"name": "api", "image": "example/api:3"},
  {"name": "agent", "image": "example/agent:7", "cpu": 100, "memoryReservation": 128, "memory": 256}]}"#;

    fn without(container: &Value, member: &str) -> Value {
        let mut container = container.clone();
        container.as_object_mut().expect("an object").remove(member);
        container
    }

    #[test]
    fn a_fargate_task_has_its_size_as_the_pods() {
        let outcome = Scenario::service(API).run();
        let expected = "
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 30
securityContext:
  seccompProfile: {type: RuntimeDefault}
nodeSelector:
  kubernetes.io/arch: amd64
  kubernetes.io/os: linux
resources:
  limits:
    cpu: 500m
    memory: 1Gi
  requests:
    cpu: 500m
    memory: 1Gi
containers:
- name: api
  image: example/api:3
  imagePullPolicy: Always
- name: agent
  image: example/agent:7
  imagePullPolicy: Always
  resources:
    limits:
      memory: 256Mi
    requests:
      cpu: 97m
      memory: 128Mi
";
        assert_eq!(outcome.pod_spec_without_spread(), yaml(expected));
    }

    #[test]
    fn without_pod_level_resources_containers_fill_up_the_task() {
        let outcome = Scenario::service(API)
            .settings(|s| s.kubernetes_minor = 33)
            .run();
        let expected = yaml(
            "
- name: api
  image: example/api:3
  resources:
    limits:
      cpu: 500m
      memory: 1Gi
    requests:
      cpu: 402m
      memory: 896Mi
- name: agent
  image: example/agent:7
  resources:
    limits:
      cpu: 500m
      memory: 256Mi
    requests:
      cpu: 97m
      memory: 128Mi
",
        );
        let containers: Vec<Value> = ["api", "agent"]
            .map(|name| without(outcome.container(name), "imagePullPolicy"))
            .into();
        assert_eq!(Value::Array(containers), expected);
        assert_eq!(outcome.pod_spec()["resources"], Value::Null);
        assert_eq!(outcome.notes_of(REASONS), ["cpu: TaskLimitPerContainer"]);
    }

    #[test]
    fn eks_fargate_is_given_the_task_size_as_requests() {
        let outcome = Scenario::service(API)
            .settings(|s| s.compute = Compute::EksFargate)
            .run();
        let resources = |name: &str| outcome.container(name)["resources"].clone();
        assert_eq!(
            resources("api"),
            yaml("requests: {cpu: 402m, memory: 768Mi}")
        );
        assert_eq!(
            resources("agent"),
            yaml("{limits: {memory: 256Mi}, requests: {cpu: 97m, memory: 256Mi}}")
        );
        assert_eq!(outcome.pod_spec()["resources"], Value::Null);
        let message = "memory: EksFargateRoundsUp: EKS Fargate adds 256 MiB and provisions 0.5 vCPU 2 GB; nothing to do; this size is billed";
        assert!(
            outcome.messages().contains(&message.to_owned()),
            "{:?}",
            outcome.messages()
        );
    }

    /// Returns the resources of container `a` and of the pod, for a definition with these members and containers.
    fn resources(members: &str, containers: &str, minor: u32) -> (Value, Value, Vec<String>) {
        let definition = format!(
            r#"{{"family": "f", "networkMode": "awsvpc", {members} "containerDefinitions": [{containers}]}}"#
        );
        let outcome = Scenario::service(definition)
            .settings(|s| s.kubernetes_minor = minor)
            .run();
        (
            outcome.container("a")["resources"].clone(),
            outcome.pod_spec()["resources"].clone(),
            outcome.notes_of(REASONS),
        )
    }

    #[test]
    fn cpu_is_a_share_and_memory_a_limit() {
        for (members, own, pod) in [
            (
                r#""memory": 512"#,
                "{limits: {memory: 512Mi}, requests: {memory: 512Mi}}",
                "null",
            ),
            (
                r#""memoryReservation": 512"#,
                "{requests: {memory: 512Mi}}",
                "null",
            ),
            (
                r#""memory": 2048, "memoryReservation": 512, "cpu": 1536"#,
                "{limits: {memory: 2Gi}, requests: {cpu: 1500m, memory: 512Mi}}",
                "null",
            ),
            (
                r#""memory": 512, "cpu": 0"#,
                "{limits: {memory: 512Mi}, requests: {memory: 512Mi}}",
                "null",
            ),
            (
                r#""memory": 512, "resourceRequirements": [{"type": "GPU", "value": "2"}]"#,
                "{limits: {memory: 512Mi, nvidia.com/gpu: '2'}, requests: {memory: 512Mi}}",
                "null",
            ),
        ] {
            let container = format!(r#"{{"name": "a", "image": "busybox", {members}}}"#);
            let found = resources("", &container, 36);
            assert_eq!(found, (yaml(own), yaml(pod), vec![]), "{members}");
        }
    }

    #[test]
    fn a_task_may_have_one_size_alone() {
        let container = r#"{"name": "a", "image": "busybox", "memory": 64}"#;
        let own = "{limits: {memory: 64Mi}, requests: {memory: 64Mi}}";
        for (members, pod) in [
            (
                r#""cpu": "1 vCPU","#,
                "{limits: {cpu: '1'}, requests: {cpu: '1'}}",
            ),
            (
                r#""memory": "1536","#,
                "{limits: {memory: 1536Mi}, requests: {memory: 1536Mi}}",
            ),
        ] {
            assert_eq!(
                resources(members, container, 34),
                (yaml(own), yaml(pod), vec![])
            );
        }
        // A container with its own limit has no room for the rest of the task's memory.
        assert_eq!(
            resources(r#""memory": "1536","#, container, 33),
            (yaml(own), Value::Null, vec![])
        );
    }

    #[test]
    fn memory_that_the_first_container_cannot_take_goes_to_one_that_can() {
        let containers = r#"{"name": "b", "image": "busybox", "memory": 64}, {"name": "a", "image": "busybox", "essential": false}"#;
        let (own, _, _) = resources(r#""memory": "1024","#, containers, 33);
        assert_eq!(
            own,
            yaml("{limits: {memory: 1Gi}, requests: {memory: 960Mi}}")
        );
    }

    #[test]
    fn windows_caps_cpu_and_ignores_the_size_of_the_task() {
        let windows = r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}, "cpu": "1024", "memory": "2048","#;
        let container = r#"{"name": "a", "image": "busybox", "memory": 512, "cpu": 512}"#;
        let capped = "{limits: {cpu: 500m, memory: 512Mi}, requests: {cpu: 500m, memory: 512Mi}}";
        assert_eq!(
            resources(windows, container, 36),
            (
                yaml(capped),
                Value::Null,
                vec!["cpu: TaskSizeIgnoredOnWindows".to_owned()]
            )
        );
        // Fargate does not ignore it, and a Windows pod cannot have its own resources.
        let fargate = format!(r#"{windows} "requiresCompatibilities": ["FARGATE"],"#);
        let container = r#"{"name": "a", "image": "busybox"}"#;
        let whole = "{limits: {cpu: '1', memory: 2Gi}, requests: {cpu: '1', memory: 2Gi}}";
        assert_eq!(
            resources(&fargate, container, 36),
            (yaml(whole), Value::Null, vec![])
        );
    }

    #[test]
    fn ephemeral_storage_is_a_limit_of_the_first_essential_container() {
        let containers = r#"{"name": "b", "image": "busybox", "essential": false}, {"name": "a", "image": "busybox"}"#;
        let size = r#""cpu": "256", "memory": "512", "ephemeralStorage": {"sizeInGiB": 50},"#;
        let expected = "{limits: {ephemeral-storage: 50Gi}, requests: {ephemeral-storage: 50Gi}}";
        let (own, _, notes) = resources(size, containers, 36);
        assert_eq!(own, yaml(expected));
        assert_eq!(notes, ["ephemeralStorage.sizeInGiB: EphemeralStorageOnEc2"]);
        let fargate = format!(r#""requiresCompatibilities": ["FARGATE"], {size}"#);
        assert_eq!(resources(&fargate, containers, 36).2, [""; 0]);
    }

    #[test]
    fn init_containers_take_no_share_of_the_task() {
        let containers = r#"{"name": "i", "image": "busybox", "essential": false, "cpu": 200},
            {"name": "a", "image": "busybox", "cpu": 56, "dependsOn": [{"containerName": "i", "condition": "SUCCESS"}]}"#;
        let (own, _, _) = resources(r#""cpu": "256", "memory": "512","#, containers, 33);
        assert_eq!(
            own,
            yaml("{limits: {cpu: 250m, memory: 512Mi}, requests: {cpu: 250m, memory: 512Mi}}")
        );
    }
}
