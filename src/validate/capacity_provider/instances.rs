//! What the instances of a managed instances provider must have
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_InstanceRequirementsRequest.html>).

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    validate::Test,
};

/// An attribute of instance types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceAttribute {
    /// The type, such as `m7g.large`.
    Type,
    /// One that the maker of the nodes labels them with, such as `instance-cpu`.
    Label(&'static str),
}

/// A requirement that an instance type meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceRequirement {
    /// The attribute.
    pub attribute: InstanceAttribute,
    /// The test of the attribute.
    pub test: Test,
}

const fn labeled(label: &'static str, test: Test) -> InstanceRequirement {
    InstanceRequirement {
        attribute: InstanceAttribute::Label(label),
        test,
    }
}

/// Returns what a NodePool can say of the requirements. The reader warns of all others.
pub(super) fn requirements(
    asked: &ecs::InstanceRequirements,
    at: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<InstanceRequirement> {
    let mut all = Vec::new();
    allowed_types(asked, at, sink, &mut all);
    excluded_types(asked, at, sink, &mut all);
    if !asked.cpu_manufacturers.is_empty() {
        let names = asked.cpu_manufacturers.iter();
        let names = names.map(|name| match name.as_str() {
            "amazon-web-services" => "aws".to_owned(),
            other => other.to_owned(),
        });
        all.push(labeled(
            "instance-cpu-manufacturer",
            Test::In(names.collect()),
        ));
    }
    ranges(asked, &mut all);
    // ECS leaves these out unless they are asked for. Types that are named are asked for.
    let left_out = asked
        .allowed_instance_types
        .is_empty()
        .then_some("excluded");
    match asked.burstable_performance.as_deref().or(left_out) {
        Some("excluded") => all.push(labeled(
            "instance-category",
            Test::NotIn(vec!["t".to_owned()]),
        )),
        Some("required") => all.push(labeled("instance-category", Test::In(vec!["t".to_owned()]))),
        _ => {}
    }
    match asked.bare_metal.as_deref().or(left_out) {
        Some("excluded") => all.push(labeled(
            "instance-hypervisor",
            Test::In(vec!["nitro".to_owned(), "xen".to_owned()]),
        )),
        Some("required") => {
            sink.report(at.field("bareMetal"), Message::BareMetalCannotBeRequired);
        }
        _ => {}
    }
    match asked.local_storage.as_deref() {
        Some("required") => all.push(labeled("instance-local-nvme", Test::Exists)),
        Some("excluded") => all.push(labeled("instance-local-nvme", Test::Absent)),
        _ => {}
    }
    all
}

fn ranges(asked: &ecs::InstanceRequirements, all: &mut Vec<InstanceRequirement>) {
    let mut whole = |label, min: Option<i64>, max: Option<i64>| {
        // Karpenter compares with bounds that are outside of the range.
        if let Some(min) = min.filter(|min| *min > 0) {
            all.push(labeled(label, Test::Above(min - 1)));
        }
        if let Some(max) = max {
            all.push(labeled(label, Test::Below(max.saturating_add(1))));
        }
    };
    if let Some(range) = &asked.v_cpu_count {
        whole("instance-cpu", range.min, range.max);
    }
    if let Some(range) = &asked.memory_mi_b {
        whole("instance-memory", range.min, range.max);
    }
    if let Some(range) = &asked.baseline_ebs_bandwidth_mbps {
        whole("instance-ebs-bandwidth", range.min, range.max);
    }
    if let Some(range) = &asked.total_local_storage_gb {
        let (min, max) = (range.min.map(f64::ceil), range.max.map(f64::floor));
        whole("instance-local-nvme", min.map(number), max.map(number));
    }
    if let Some(range) = &asked.network_bandwidth_gbps {
        let megabits = |gigabits: f64| gigabits * 1000.0;
        let (min, max) = (range.min.map(megabits), range.max.map(megabits));
        let (min, max) = (min.map(f64::ceil), max.map(f64::floor));
        whole(
            "instance-network-bandwidth",
            min.map(number),
            max.map(number),
        );
    }
}

/// Returns a number without a fraction, which the reader has limited to a range far below that of the type.
#[allow(
    clippy::cast_possible_truncation,
    reason = "it has no fraction, and a cast saturates"
)]
const fn number(whole: f64) -> i64 {
    whole as i64
}

/// What a pattern of instance types stands for.
enum Pattern<'a> {
    Type(&'a str),
    Family(&'a str),
    Other,
}

fn pattern(text: &str) -> Pattern<'_> {
    match text.strip_suffix(".*") {
        Some(family) if !family.is_empty() && !family.contains(['*', '.']) => {
            Pattern::Family(family)
        }
        None if text.contains('.') && !text.contains('*') => Pattern::Type(text),
        _ => Pattern::Other,
    }
}

fn allowed_types(
    asked: &ecs::InstanceRequirements,
    at: &FieldPath,
    sink: &mut Diagnostics,
    all: &mut Vec<InstanceRequirement>,
) {
    let (types, families) = sorted_out(
        &asked.allowed_instance_types,
        at,
        "allowedInstanceTypes",
        sink,
    );
    if !types.is_empty() && !families.is_empty() {
        let value = format!(
            "{} together with {}.*",
            types.join(", "),
            families.join(".*, ")
        );
        let message = Message::InstanceTypePatternUnsupported { value };
        sink.report(at.field("allowedInstanceTypes"), message);
    }
    if !types.is_empty() {
        all.push(InstanceRequirement {
            attribute: InstanceAttribute::Type,
            test: Test::In(types),
        });
    }
    if !families.is_empty() {
        all.push(labeled("instance-family", Test::In(families)));
    }
}

fn excluded_types(
    asked: &ecs::InstanceRequirements,
    at: &FieldPath,
    sink: &mut Diagnostics,
    all: &mut Vec<InstanceRequirement>,
) {
    let (types, families) = sorted_out(
        &asked.excluded_instance_types,
        at,
        "excludedInstanceTypes",
        sink,
    );
    if !types.is_empty() {
        all.push(InstanceRequirement {
            attribute: InstanceAttribute::Type,
            test: Test::NotIn(types),
        });
    }
    if !families.is_empty() {
        all.push(labeled("instance-family", Test::NotIn(families)));
    }
}

/// Returns the types and the families of a list, and reports all other patterns.
fn sorted_out(
    list: &[String],
    at: &FieldPath,
    member: &'static str,
    sink: &mut Diagnostics,
) -> (Vec<String>, Vec<String>) {
    let (mut types, mut families) = (Vec::new(), Vec::new());
    for (index, text) in list.iter().enumerate() {
        match pattern(text) {
            Pattern::Type(name) => types.push(name.to_owned()),
            Pattern::Family(name) => families.push(name.to_owned()),
            Pattern::Other => {
                let message = Message::InstanceTypePatternUnsupported {
                    value: text.clone(),
                };
                sink.report(at.field(member).index(index), message);
            }
        }
    }
    (types, families)
}
