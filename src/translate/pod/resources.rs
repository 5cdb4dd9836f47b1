//! CPU, memory, GPUs and ephemeral storage.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity,
};

use super::{Draft, Plan, Role};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    settings::Settings,
    translate::{Context, container_cpu, mebibytes, task_cpu},
    validate::{ContainerResources, OperatingSystem, TaskDefinition, TaskSize, eks_fargate_size},
};

/// The first version whose pods may have resources of their own by default.
const POD_RESOURCES_MINOR: u32 = 34;

/// What one container asks for. CPU is in units of 1/1024 vCPU, memory in MiB, storage in GiB.
#[derive(Clone, Debug, Default, PartialEq)]
struct Amounts {
    cpu: Option<i64>,
    cpu_limit: Option<Quantity>,
    memory: Option<i64>,
    memory_limit: Option<i64>,
    gpus: Option<i64>,
    storage: Option<i64>,
}

/// Where the size of the task is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SizeGoes {
    /// Into the pod's own resources.
    ToPod,
    /// Into requests and limits of the containers, on nodes.
    ToContainers,
    /// Into requests of the containers; the micro-VM of EKS Fargate is the limit.
    ToMicroVm,
    /// Nowhere: Windows on EC2 ignores it.
    Nowhere,
}

/// Writes the resources of the pod and its containers.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let definition = cx.task_definition;
    let windows = matches!(definition.platform.os, Some(OperatingSystem::Windows(_)));
    let mut amounts: Vec<Amounts> = definition
        .containers
        .iter()
        .map(|container| own_amounts(&container.resources, windows))
        .collect();
    let goes = size_goes(cx.settings, definition.fargate, windows, cx.eks_fargate());
    let size = definition.size;
    let sized = size.cpu_units.is_some() || size.memory_mib.is_some();
    match goes {
        SizeGoes::ToPod => draft.spec.resources = pod_resources(size),
        SizeGoes::ToContainers if sized => {
            let long_running = long_running(&draft.plan, amounts.len());
            let first = first_essential(definition, &draft.plan);
            fill_up(&mut amounts, size, first, &long_running);
            limit_each(&mut amounts, size);
            notes.report(size_path(size), Message::TaskLimitPerContainer);
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

/// What a container's definition asks for. ECS shares are no cap on Linux, so only Windows gets a CPU limit.
fn own_amounts(resources: &ContainerResources, windows: bool) -> Amounts {
    let ContainerResources {
        cpu_units,
        memory_mib,
        memory_reservation_mib,
        gpus,
    } = *resources;
    Amounts {
        cpu: cpu_units,
        cpu_limit: cpu_units.filter(|_| windows).map(container_cpu),
        memory: memory_reservation_mib.or(memory_mib),
        memory_limit: memory_mib,
        gpus,
        storage: None,
    }
}

/// Pod-level resources need Kubernetes 1.34 and Linux, and EKS Fargate is not known to read them. ECS ignores the task
/// size on Windows, but not on Fargate.
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

/// The indexes of the containers that run as long as the pod, in the order of the definition.
fn long_running(plan: &Plan, count: usize) -> Vec<usize> {
    (0..count)
        .filter(|index| plan.role(*index).is_long_running())
        .collect()
}

/// The first essential main container; where there is none, the first essential one that goes on running.
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

/// Adds to the first essential container what the task has beyond its containers, so that the pod requests the task's
/// size. Memory that its own limit has no room for goes to a container without limit, if there is one.
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

/// Gives every container the task's size as its limit, where it has no tighter one of its own.
fn limit_each(amounts: &mut [Amounts], size: TaskSize) {
    for amounts in amounts {
        amounts.cpu_limit = amounts
            .cpu_limit
            .take()
            .or_else(|| size.cpu_units.map(task_cpu));
        amounts.memory_limit = amounts.memory_limit.or(size.memory_mib);
    }
}

/// Names the size that EKS Fargate makes of the pod's requests.
fn note_micro_vm(amounts: &[Amounts], long_running: &[usize], notes: &mut Diagnostics) {
    let total = |of: fn(&Amounts) -> Option<i64>| {
        let running = long_running.iter().filter_map(|index| amounts.get(*index));
        let together: i64 = running.filter_map(of).sum();
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

/// A multiple of 256 divided by 1024, in decimals.
fn of_1024(number: i64) -> String {
    let fraction = match number % 1024 {
        256 => ".25",
        512 => ".5",
        768 => ".75",
        _ => "",
    };
    format!("{}{fraction}", number / 1024)
}

/// Bounds the pod's storage by one limit: the kubelet adds up the limits that there are.
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
        gpus,
        storage,
    } = amounts;
    let storage = storage.map(|gib| Quantity(format!("{gib}Gi")));
    let requests = map([
        ("cpu", cpu.map(container_cpu)),
        ("ephemeral-storage", storage.clone()),
        ("memory", memory.map(mebibytes)),
    ]);
    let limits = map([
        ("cpu", cpu_limit.clone()),
        ("ephemeral-storage", storage),
        ("memory", memory_limit.map(mebibytes)),
        (
            "nvidia.com/gpu",
            gpus.map(|gpus| Quantity(gpus.to_string())),
        ),
    ]);
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

/// The member that gives the task's size, CPU first.
fn size_path(size: TaskSize) -> FieldPath {
    let member = if size.cpu_units.is_some() {
        "cpu"
    } else {
        "memory"
    };
    FieldPath::root(Subject::TaskDefinition).field(member)
}
