//! CPU, memory and GPUs of containers and of the task.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
};

/// The maximum storage on EKS Fargate in GiB
/// (<https://docs.aws.amazon.com/eks/latest/userguide/fargate-pod-configuration.html>).
const EKS_FARGATE_STORAGE_GIB: i64 = 175;
/// The memory in MiB that EKS Fargate adds to each pod for its own processes (same page).
const EKS_FARGATE_OVERHEAD_MIB: i64 = 256;

/// CPU and memory of a whole task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskSize {
    /// CPU units of 1/1024 vCPU.
    pub cpu_units: Option<i64>,
    /// Memory in MiB.
    pub memory_mib: Option<i64>,
}

/// CPU, memory and GPUs of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerResources {
    /// CPU units of 1/1024 vCPU; 0 or absent in ECS is `None` here.
    pub cpu_units: Option<i64>,
    /// The hard limit in MiB.
    pub memory_mib: Option<i64>,
    /// The soft limit in MiB.
    pub memory_reservation_mib: Option<i64>,
    /// GPUs, or shares of GPUs if the settings name a resource for these.
    pub gpus: Option<i64>,
    /// The position in `resourceRequirements` of a share whose size the device plugin decides.
    pub gpu_share: Option<usize>,
}

/// The memory in MiB that Fargate supports for a number of CPU units.
struct FargateSize {
    cpu_units: i64,
    first_mib: i64,
    last_mib: i64,
    step_mib: i64,
}

/// Fargate's sizes, including those of EKS Fargate
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html>). The memory for 0.25 vCPU
/// doubles instead of increasing in steps.
const FARGATE_SIZES: [FargateSize; 7] = [
    FargateSize::row(256, 512, 2048, 0),
    FargateSize::row(512, 1024, 4096, 1024),
    FargateSize::row(1024, 2048, 8192, 1024),
    FargateSize::row(2048, 4096, 16384, 1024),
    FargateSize::row(4096, 8192, 30720, 1024),
    FargateSize::row(8192, 16384, 61440, 4096),
    FargateSize::row(16384, 32768, 122_880, 8192),
];

impl FargateSize {
    const fn row(cpu_units: i64, first_mib: i64, last_mib: i64, step_mib: i64) -> Self {
        Self {
            cpu_units,
            first_mib,
            last_mib,
            step_mib,
        }
    }

    fn memories(&self) -> impl Iterator<Item = i64> + use<> {
        let (last, step) = (self.last_mib, self.step_mib);
        std::iter::successors(Some(self.first_mib), move |mib| {
            Some(if step == 0 { mib * 2 } else { mib + step }).filter(|next| *next <= last)
        })
    }
}

/// Returns what EKS Fargate provisions for a pod with these requests: the smallest size that is large enough for them
/// and 256 MiB more, as CPU units and MiB. Returns `None` if there is none. A pod without requests gets the smallest
/// size.
#[must_use]
pub fn eks_fargate_size(size: TaskSize) -> Option<(i64, i64)> {
    let cpu = size.cpu_units.unwrap_or(0);
    let memory = size
        .memory_mib
        .map_or(0, |mib| mib.saturating_add(EKS_FARGATE_OVERHEAD_MIB));
    fargate_size(cpu, memory)
}

/// Returns the smallest size of Fargate that has this many CPU units and MiB; `None` if none has.
pub(crate) fn fargate_size(cpu: i64, memory: i64) -> Option<(i64, i64)> {
    FARGATE_SIZES
        .iter()
        .filter(|row| row.cpu_units >= cpu)
        .find_map(|row| Some((row.cpu_units, row.memories().find(|mib| *mib >= memory)?)))
}

/// Parses a task's `cpu`: CPU units, or vCPUs such as `.25 vCPU`, if they are whole units. Returns `None` for anything
/// else.
#[must_use]
pub fn parse_cpu(text: &str) -> Option<i64> {
    parse_amount(text, "vcpu")
}

/// Parses a task's `memory`: MiB, or GiB such as `0.5GB` (AWS writes GB), if they are whole MiB. Returns `None` for
/// anything else.
#[must_use]
pub fn parse_memory(text: &str) -> Option<i64> {
    parse_amount(text, "gb")
}

/// Parses `<integer>`, or a decimal of 1024 with at most one blank before its unit.
fn parse_amount(text: &str, unit: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let Some(number) = text.strip_suffix(unit) else {
        return parse_digits(&text);
    };
    let number = number.strip_suffix(' ').unwrap_or(number);
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => return parse_digits(number)?.checked_mul(1024),
    };
    let whole = if whole.is_empty() {
        0
    } else {
        parse_digits(whole)?
    };
    let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let parts = parse_digits(fraction)?.checked_mul(1024)?;
    (parts % scale == 0)
        .then(|| whole.checked_mul(1024)?.checked_add(parts / scale))
        .flatten()
}

/// Parses decimal digits; `str::parse` would also accept a sign.
fn parse_digits(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Validates `cpu` and `memory` of the task, the sums of its containers and Fargate's sizes.
pub(crate) fn validate_task_size(scope: &Scope<'_>, sink: &mut Diagnostics) -> TaskSize {
    let root = FieldPath::root(Subject::TaskDefinition);
    let mut unreadable = Diagnostics::new();
    let size = TaskSize {
        cpu_units: task_cpu(scope, &root.field("cpu"), &mut unreadable),
        memory_mib: task_memory(scope, &root.field("memory"), &mut unreadable),
    };
    let readable = !unreadable.has_errors();
    sink.append(unreadable);
    if scope.fargate && readable {
        check_fargate_size(scope, size, &root, sink);
    }
    if !scope.fargate && scope.request.memory.is_none() {
        check_memory_given(scope, &root, sink);
    }
    if scope.fargate || !scope.windows {
        check_cpu_sum(scope, size, &root, sink);
        check_memory_sum(scope, size, &root, sink);
    }
    if scope.eks_fargate {
        check_eks_fargate(scope, size, &root, sink);
    }
    size
}

fn task_cpu(scope: &Scope<'_>, path: &FieldPath, sink: &mut Diagnostics) -> Option<i64> {
    let text = scope.request.cpu.as_deref()?;
    let units = parse_cpu(text);
    let allowed = match units {
        None => "must be CPU units such as 256, or vCPUs such as .25 vCPU that are whole units",
        Some(units) if !scope.fargate && !(128..=196_608).contains(&units) => {
            "must be 128 to 196608 CPU units"
        }
        Some(_) => return units,
    };
    report_invalid(text, allowed, path, sink);
    units
}

fn task_memory(scope: &Scope<'_>, path: &FieldPath, sink: &mut Diagnostics) -> Option<i64> {
    let text = scope.request.memory.as_deref()?;
    let mib = parse_memory(text).filter(|mib| *mib > 0);
    if mib.is_none() {
        let allowed = "must be MiB such as 512, or GB such as 0.5GB that are whole MiB";
        report_invalid(text, allowed, path, sink);
    }
    mib
}

fn report_invalid(value: &str, allowed: &str, path: &FieldPath, sink: &mut Diagnostics) {
    sink.report(
        path.clone(),
        Message::InvalidValue {
            value: value.to_owned(),
            allowed: allowed.to_owned(),
        },
    );
}

/// Rejects a pair of CPU and memory that Fargate does not support; Windows needs at least one vCPU.
fn check_fargate_size(scope: &Scope<'_>, size: TaskSize, root: &FieldPath, sink: &mut Diagnostics) {
    let rows = || {
        FARGATE_SIZES
            .iter()
            .filter(|row| !scope.windows || row.cpu_units >= 1024)
    };
    let row = rows().find(|row| Some(row.cpu_units) == size.cpu_units);
    let (path, sizes) = match (row, size.memory_mib) {
        (Some(row), Some(mib)) if row.memories().any(|memory| memory == mib) => return,
        (Some(row), _) => {
            let list = join(row.memories());
            let cpu = row.cpu_units;
            (
                root.field("memory"),
                format!("memory for {cpu} must be one of {list}"),
            )
        }
        (None, _) => {
            let on = if scope.windows { " for Windows" } else { "" };
            let list = join(rows().map(|row| row.cpu_units));
            (root.field("cpu"), format!("cpu{on} must be one of {list}"))
        }
    };
    let text = |value: Option<i64>| value.map_or_else(|| "none".to_owned(), |v| v.to_string());
    sink.report(
        path,
        Message::FargateCpuMemory {
            cpu: text(size.cpu_units),
            memory: text(size.memory_mib),
            sizes,
        },
    );
}

fn join(numbers: impl Iterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    numbers.join(", ")
}

/// Checks that every container has its own memory if the task has no size.
fn check_memory_given(scope: &Scope<'_>, root: &FieldPath, sink: &mut Diagnostics) {
    for (index, raw) in scope.request.container_definitions.iter().enumerate() {
        if raw.memory.is_none() && positive(raw.memory_reservation).is_none() {
            let name = raw.name.clone().unwrap_or_default();
            sink.report(
                root.field("containerDefinitions").index(index),
                Message::MemoryRequired { name },
            );
        }
    }
}

fn check_cpu_sum(scope: &Scope<'_>, size: TaskSize, root: &FieldPath, sink: &mut Diagnostics) {
    let containers = &scope.request.container_definitions;
    let sum = containers
        .iter()
        .filter_map(|raw| positive(raw.cpu))
        .fold(0, i64::saturating_add);
    if let Some(task) = size.cpu_units.filter(|task| sum > *task) {
        sink.report(
            root.field("cpu"),
            Message::ContainerCpuExceedsTask {
                sum: sum.to_string(),
                task: task.to_string(),
            },
        );
    }
}

/// Checks that neither a hard limit nor the sum of the containers' reservations is greater than the task's memory.
fn check_memory_sum(scope: &Scope<'_>, size: TaskSize, root: &FieldPath, sink: &mut Diagnostics) {
    let Some(task) = size.memory_mib else { return };
    let exceeds = |sum: i64| Message::ContainerMemoryExceedsTask {
        sum: sum.to_string(),
        task: task.to_string(),
    };
    let containers = &scope.request.container_definitions;
    let mut found = false;
    for (index, raw) in containers.iter().enumerate() {
        let path = root.field("containerDefinitions").index(index);
        let members = [
            ("memory", raw.memory),
            ("memoryReservation", raw.memory_reservation),
        ];
        for (member, mib) in members {
            if let Some(mib) = mib.filter(|mib| *mib > task) {
                sink.report(path.field(member), exceeds(mib));
                found = true;
            }
        }
    }
    let sum = containers
        .iter()
        .filter_map(|raw| positive(raw.memory_reservation).or(raw.memory))
        .fold(0, i64::saturating_add);
    if !found && sum > task {
        sink.report(root.field("memory"), exceeds(sum));
    }
}

fn check_eks_fargate(scope: &Scope<'_>, size: TaskSize, root: &FieldPath, sink: &mut Diagnostics) {
    let storage = scope.request.ephemeral_storage.as_ref();
    let storage = storage.and_then(|storage| storage.size_in_gi_b);
    if let Some(gib) = storage.filter(|gib| *gib > EKS_FARGATE_STORAGE_GIB) {
        let value = gib.to_string();
        sink.report(
            root.field("ephemeralStorage").field("sizeInGiB"),
            Message::EphemeralStorageTooLarge { value },
        );
    }
    if eks_fargate_size(size).is_none() {
        sink.report(
            root.field("memory"),
            Message::EksFargateTooLarge {
                cpu: format!("{} CPU units", size.cpu_units.unwrap_or(0)),
                memory: format!("{} MiB", size.memory_mib.unwrap_or(0)),
            },
        );
    }
}

/// Validates `cpu`, `memory`, `memoryReservation` and `resourceRequirements` of a container.
pub(crate) fn validate_container_resources(
    raw: &ecs::ContainerDefinition,
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> ContainerResources {
    let reservation = positive(raw.memory_reservation);
    if let Some(memory) = raw.memory {
        let at = path.field("memory");
        if memory < ecs::ContainerDefinition::MIN_MEMORY {
            let value = memory.to_string();
            sink.report(at, Message::ContainerMemoryTooSmall { value });
        } else if let Some(reservation) = reservation.filter(|soft| memory < *soft) {
            let (m, r) = (memory.to_string(), reservation.to_string());
            sink.report(at, Message::MemoryBelowReservation { m, r });
        }
    }
    let requirements = &raw.resource_requirements;
    ContainerResources {
        cpu_units: positive(raw.cpu),
        memory_mib: raw.memory,
        memory_reservation_mib: reservation,
        gpus: gpus(requirements, scope, path, sink),
        gpu_share: requirements.iter().position(is_share),
    }
}

/// Returns a number for which ECS treats 0 as absent.
fn positive(value: Option<i64>) -> Option<i64> {
    value.filter(|value| *value > 0)
}

/// Whether this asks for a share of a GPU.
const fn is_share(requirement: &ecs::ResourceRequirement) -> bool {
    requirement.sharing_strategy.is_some()
}

/// Returns the number of GPUs; Neuron devices, Elastic Inference and `ALL` have no number and are rejected.
fn gpus(
    requirements: &[ecs::ResourceRequirement],
    scope: &Scope<'_>,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<i64> {
    let mut count = None;
    for (index, raw) in requirements.iter().enumerate() {
        let path = path.field("resourceRequirements").index(index);
        let value = raw.value.as_deref().unwrap_or_default().trim();
        match raw.r#type.as_deref() {
            Some("InferenceAccelerator") => {
                sink.report(path.field("type"), Message::ElasticInferenceDiscontinued);
            }
            Some("NeuronDevice") => {
                sink.report(path.field("type"), Message::NeuronAllUnsupported);
            }
            _ if scope.fargate => sink.report(path.field("type"), Message::FargateGpu),
            // A resource that is not the default may be a share, of which a container gets one.
            _ if is_share(raw) && scope.settings.gpu_resource.is_some() => {
                count = Some(1_i64.saturating_add(count.unwrap_or(0)));
            }
            _ if is_share(raw) => {
                sink.report(path.field("sharingStrategy"), Message::GpuMpsUnsupported);
            }
            _ if value == "ALL" => sink.report(path.field("value"), Message::GpuAllUnsupported),
            _ => match parse_digits(value).filter(|gpus| *gpus > 0) {
                Some(gpus) => count = Some(gpus.saturating_add(count.unwrap_or(0))),
                None => report_invalid(value, "a whole number of GPUs", &path.field("value"), sink),
            },
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{settings::Compute, translate::testing::Scenario};

    #[test]
    fn sizes_are_numbers_or_have_a_unit() {
        for (text, units) in [
            ("256", Some(256)),
            (" 256 ", Some(256)),
            ("1 vCPU", Some(1024)),
            ("1vcpu", Some(1024)),
            (".25 vcpu", Some(256)),
            ("0.25 VCPU", Some(256)),
            ("16 vCPU", Some(16384)),
            ("0.5 vCPU", Some(512)),
            ("1.0005 vCPU", None),
            ("1. vCPU", None),
            (". vCPU", None),
            ("vCPU", None),
            ("1  vCPU", None),
            ("-1", None),
            ("+1", None),
            ("1 GB", None),
            ("0x100", None),
            ("", None),
            ("99999999999999999999 vCPU", None),
            ("0.0000000000000000000000001 vCPU", None),
        ] {
            assert_eq!(parse_cpu(text), units, "{text:?}");
        }
        for (text, mib) in [
            ("512", Some(512)),
            ("0.5GB", Some(512)),
            ("1 GB", Some(1024)),
            ("1gb", Some(1024)),
            ("30GB", Some(30720)),
            ("1.0005 GB", None),
            ("1 GiB", None),
            ("512 MB", None),
            ("1 vCPU", None),
        ] {
            assert_eq!(parse_memory(text), mib, "{text:?}");
        }
    }

    #[test]
    fn eks_fargate_adds_256_mib_and_rounds_up() {
        for (cpu, memory, provisioned) in [
            (Some(256), Some(512), Some((256, 1024))),
            (Some(256), Some(1024), Some((256, 2048))),
            (Some(256), Some(2048), Some((512, 3072))),
            (Some(512), Some(4096), Some((1024, 5120))),
            (Some(1024), Some(8192), Some((2048, 9216))),
            (Some(4096), Some(30720), Some((8192, 32768))),
            (Some(16384), Some(122_880), None),
            (None, None, Some((256, 512))),
        ] {
            let size = TaskSize {
                cpu_units: cpu,
                memory_mib: memory,
            };
            assert_eq!(eks_fargate_size(size), provisioned, "{cpu:?} {memory:?}");
        }
    }

    /// Returns a task definition of one container `a` with these members.
    fn definition(members: &str, container: &str) -> String {
        format!(
            r#"{{"family": "f", "networkMode": "awsvpc", {members}
            "containerDefinitions": [{{"name": "a", "image": "busybox"{container}}}]}}"#
        )
    }

    const FARGATE: &str = r#""requiresCompatibilities": ["FARGATE"],"#;

    #[test]
    fn fargate_has_certain_sizes_only() {
        let rows: [(i64, &[i64]); 7] = [
            (256, &[512, 1024, 2048]),
            (512, &[1024, 2048, 3072, 4096]),
            (1024, &[2048, 3072, 4096, 5120, 6144, 7168, 8192]),
            (2048, &[4096, 5120, 16384]),
            (4096, &[8192, 9216, 30720]),
            (8192, &[16384, 20480, 61440]),
            (16384, &[32768, 40960, 122_880]),
        ];
        let sized = |cpu: i64, memory: i64| {
            Scenario::service(definition(
                &format!(r#"{FARGATE} "cpu": "{cpu}", "memory": "{memory}","#),
                "",
            ))
        };
        for (cpu, memories) in rows {
            for memory in memories {
                sized(cpu, *memory).run();
            }
            let first = memories.first().expect("a row has memories");
            let last = memories.last().expect("a row has memories");
            for memory in [first - 1, first / 2, first + 512 - 256, last + 1024] {
                let rejections = sized(cpu, memory).rejections();
                let text = format!(
                    "memory: FargateCpuMemory: Fargate has no size with cpu {cpu} and memory {memory}; memory for {cpu} must be one of {first}, "
                );
                assert!(
                    matches!(&rejections[..], [one] if one.starts_with(&text)),
                    "{rejections:?}"
                );
            }
        }
    }

    #[test]
    fn a_size_that_fargate_does_not_have_names_those_that_it_has() {
        let cpus = "cpu must be one of 256, 512, 1024, 2048, 4096, 8192, 16384";
        let windows =
            r#""runtimePlatform": {"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"},"#;
        for (members, expected) in [
            (
                r#""cpu": "256", "memory": "4 GB","#.to_owned(),
                "memory: FargateCpuMemory: Fargate has no size with cpu 256 and memory 4096; memory for 256 must be one of 512, 1024, 2048".to_owned(),
            ),
            (
                r#""cpu": "300", "memory": "512","#.to_owned(),
                format!("cpu: FargateCpuMemory: Fargate has no size with cpu 300 and memory 512; {cpus}"),
            ),
            (
                r#""cpu": ".5 vCPU","#.to_owned(),
                "memory: FargateCpuMemory: Fargate has no size with cpu 512 and memory none; memory for 512 must be one of 1024, 2048, 3072, 4096".to_owned(),
            ),
            (
                String::new(),
                format!("cpu: FargateCpuMemory: Fargate has no size with cpu none and memory none; {cpus}"),
            ),
            (
                format!(r#"{windows} "cpu": "512", "memory": "1024","#),
                "cpu: FargateCpuMemory: Fargate has no size with cpu 512 and memory 1024; cpu for Windows must be one of 1024, 2048, 4096, 8192, 16384".to_owned(),
            ),
            (
                r#""cpu": "1 core", "memory": "512","#.to_owned(),
                "cpu: InvalidValue: 1 core: must be CPU units such as 256, or vCPUs such as .25 vCPU that are whole units".to_owned(),
            ),
        ] {
            let scenario = Scenario::service(definition(&format!("{FARGATE} {members}"), ""));
            assert_eq!(scenario.rejections(), [expected], "{members}");
        }
    }

    #[test]
    fn containers_fit_into_their_task() {
        let container = "containerDefinitions[0]";
        for (members, resources, expected) in [
            (
                "",
                "",
                format!(
                    "{container}: MemoryRequired: container a needs memory or memoryReservation, or the task needs memory; give one of them"
                ),
            ),
            (
                "",
                r#", "memory": 5"#,
                format!(
                    "{container}.memory: ContainerMemoryTooSmall: 5 MiB is below the minimum of 6 MiB; give at least 6; the unit is MiB"
                ),
            ),
            (
                "",
                r#", "memory": 64, "memoryReservation": 65"#,
                format!(
                    "{container}.memory: MemoryBelowReservation: memory 64 is below memoryReservation 65; raise memory or lower memoryReservation"
                ),
            ),
            (
                r#""cpu": "256","#,
                r#", "memory": 64, "cpu": 257"#,
                "cpu: ContainerCpuExceedsTask: containers reserve 257 cpu units, the task has 256; raise the cpu of the task or lower that of its containers"
                    .to_owned(),
            ),
            (
                r#""memory": "512","#,
                r#", "memory": 513"#,
                format!(
                    "{container}.memory: ContainerMemoryExceedsTask: containers reserve 513 MiB, the task has 512; raise the memory of the task or lower that of its containers"
                ),
            ),
            (
                r#""memory": "512","#,
                r#", "memoryReservation": 513"#,
                format!(
                    "{container}.memoryReservation: ContainerMemoryExceedsTask: containers reserve 513 MiB, the task has 512; raise the memory of the task or lower that of its containers"
                ),
            ),
            (
                r#""memory": "512","#,
                r#", "memoryReservation": 256, "memory": 512}, {"name": "b", "image": "busybox", "memory": 257"#,
                "memory: ContainerMemoryExceedsTask: containers reserve 513 MiB, the task has 512; raise the memory of the task or lower that of its containers"
                    .to_owned(),
            ),
            (
                r#""cpu": "127","#,
                r#", "memory": 64"#,
                "cpu: InvalidValue: 127: must be 128 to 196608 CPU units".to_owned(),
            ),
            (
                r#""memory": "0","#,
                "",
                "memory: InvalidValue: 0: must be MiB such as 512, or GB such as 0.5GB that are whole MiB"
                    .to_owned(),
            ),
        ] {
            let scenario = Scenario::service(definition(members, resources));
            assert_eq!(scenario.rejections(), [expected], "{members} {resources}");
        }
        for (members, resources) in [
            ("", r#", "memory": 6, "memoryReservation": 6"#),
            ("", r#", "memoryReservation": 4, "cpu": 0"#),
            (
                r#""cpu": "256", "memory": "512","#,
                r#", "cpu": 256, "memory": 512"#,
            ),
        ] {
            Scenario::service(definition(members, resources)).run();
        }
    }

    #[test]
    fn only_a_number_of_gpus_can_be_asked_for() {
        let path = ", \"memory\": 64, \"resourceRequirements\": ";
        let at = "containerDefinitions[0].resourceRequirements[0]";
        for (members, requirement, expected) in [
            (
                "",
                r#"{"type": "GPU", "value": "ALL"}"#,
                format!(
                    "{at}.value: GpuAllUnsupported: GPUs are requested by number; ALL is not supported yet; give the number of GPUs"
                ),
            ),
            (
                "",
                r#"{"type": "GPU", "value": "0"}"#,
                format!("{at}.value: InvalidValue: 0: a whole number of GPUs"),
            ),
            (
                "",
                r#"{"type": "GPU", "value": "1.5"}"#,
                format!("{at}.value: InvalidValue: 1.5: a whole number of GPUs"),
            ),
            (
                "",
                r#"{"type": "InferenceAccelerator", "value": "device_1"}"#,
                format!(
                    "{at}.type: ElasticInferenceDiscontinued: Elastic Inference no longer exists; use GPU or Neuron instances"
                ),
            ),
            (
                "",
                r#"{"type": "NeuronDevice", "value": "ALL"}"#,
                format!(
                    "{at}.type: NeuronAllUnsupported: Neuron devices are requested by number, not by ALL; list the devices in linuxParameters.devices instead: /dev/neuron0 and so on"
                ),
            ),
            (
                r#""requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512","#,
                r#"{"type": "GPU", "value": "1"}"#,
                format!("{at}.type: FargateGpu: Fargate has no GPUs; use EC2 capacity"),
            ),
        ] {
            let scenario =
                Scenario::service(definition(members, &format!("{path}[{requirement}]")));
            assert_eq!(scenario.rejections(), [expected], "{requirement}");
        }
    }

    #[test]
    fn eks_fargate_has_a_largest_size() {
        let members = format!(
            r#"{FARGATE} "cpu": "16 vCPU", "memory": "120 GB", "ephemeralStorage": {{"sizeInGiB": 176}},"#
        );
        let scenario = Scenario::service(definition(&members, ""));
        scenario.run();
        let scenario = scenario.settings(|s| s.compute = Compute::EksFargate);
        assert_eq!(
            scenario.rejections(),
            [
                "ephemeralStorage.sizeInGiB: EphemeralStorageTooLarge: EKS Fargate provides at most 175 GiB, not 176; ask for less, or put the data on EFS",
                "memory: EksFargateTooLarge: 16384 CPU units and 122880 MiB plus 256 MiB exceed the largest EKS Fargate size (16 vCPU, 120 GB); choose at most 112 GB with 16 vCPU, or run on nodes",
            ]
        );
    }
}
