//! The sizes of App Runner's instances.

use super::root;
use crate::{
    diagnostic::{Diagnostics, Message},
    ecs,
};

/// The CPU in units of 1/1024 vCPU, and the memory in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) cpu: i64,
    pub(super) memory: i64,
}

/// What an instance has by default.
const DEFAULT: Size = Size {
    cpu: 1024,
    memory: 2048,
};

/// The memory in MiB that there is for each CPU
/// (<https://docs.aws.amazon.com/apprunner/latest/api/API_InstanceConfiguration.html>, and for the combinations
/// <https://docs.aws.amazon.com/cdk/api/v2/docs/@aws-cdk_aws-apprunner-alpha.Memory.html>).
const SIZES: &[(i64, &[i64])] = &[
    (256, &[512, 1024]),
    (512, &[1024]),
    (1024, &[2048, 3072, 4096]),
    (2048, &[4096, 6144]),
    (4096, &[8192, 10_240, 12_288]),
];

/// Returns the size of an instance; the default in place of one that does not exist.
pub(super) fn size(request: &ecs::AppRunnerService, sink: &mut Diagnostics) -> Size {
    use ecs::InstanceConfiguration as Raw;
    let raw = request.instance_configuration.as_ref();
    let cpu = raw.and_then(|it| it.cpu.as_deref());
    let memory = raw.and_then(|it| it.memory.as_deref());
    let (given_cpu, given_memory) = (
        cpu.unwrap_or(Raw::DEFAULT_CPU),
        memory.unwrap_or(Raw::DEFAULT_MEMORY),
    );
    let found = units(given_cpu, "vCPU").zip(units(given_memory, "GB"));
    let size = found.map(|(cpu, memory)| Size { cpu, memory });
    let exists = |size: &Size| {
        let mut sizes = SIZES.iter();
        sizes.any(|(cpu, memory)| *cpu == size.cpu && memory.contains(&size.memory))
    };
    if let Some(size) = size.filter(exists) {
        return size;
    }
    let path = root().field("InstanceConfiguration");
    let path = match (cpu, memory) {
        (None, Some(_)) => path.field("Memory"),
        _ => path.field("Cpu"),
    };
    let message = Message::AppRunnerCpuMemory {
        cpu: given_cpu.to_owned(),
        memory: given_memory.to_owned(),
    };
    sink.report(path, message);
    DEFAULT
}

/// Reads `1024`, or `1 vCPU` and `1 GB` with the word for 1024 units; quarters and halves too.
fn units(text: &str, word: &str) -> Option<i64> {
    let Some(number) = text.strip_suffix(word) else {
        return text.parse().ok();
    };
    match number.strip_suffix(' ')? {
        "0.25" => Some(256),
        "0.5" => Some(512),
        whole => whole.parse::<i64>().ok()?.checked_mul(1024),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cpu: &str, memory: &str) -> Option<(i64, i64)> {
        let request = ecs::AppRunnerService {
            instance_configuration: Some(ecs::InstanceConfiguration {
                cpu: Some(cpu.to_owned()),
                memory: Some(memory.to_owned()),
                instance_role_arn: None,
            }),
            ..ecs::AppRunnerService::default()
        };
        let mut sink = Diagnostics::new();
        let size = size(&request, &mut sink);
        sink.is_empty().then_some((size.cpu, size.memory))
    }

    #[test]
    fn sizes_are_those_of_the_table_in_either_spelling() {
        for (cpu, memory, expected) in [
            ("1024", "2048", Some((1024, 2048))),
            ("1 vCPU", "2 GB", Some((1024, 2048))),
            ("0.25 vCPU", "0.5 GB", Some((256, 512))),
            ("0.25 vCPU", "1 GB", Some((256, 1024))),
            ("256", "0.5 GB", Some((256, 512))),
            ("0.5 vCPU", "1024", Some((512, 1024))),
            ("1 vCPU", "3 GB", Some((1024, 3072))),
            ("1024", "4096", Some((1024, 4096))),
            ("2 vCPU", "6 GB", Some((2048, 6144))),
            ("4 vCPU", "12 GB", Some((4096, 12_288))),
            ("4096", "10240", Some((4096, 10_240))),
            ("256", "2048", None),
            ("512", "512", None),
            ("4 vCPU", "4 GB", None),
            ("3 vCPU", "6 GB", None),
            ("1vCPU", "2 GB", None),
            ("1 GB", "2 vCPU", None),
            ("9223372036854775807 vCPU", "2 GB", None),
            ("", "2 GB", None),
        ] {
            assert_eq!(of(cpu, memory), expected, "{cpu} {memory}");
        }
    }
}
