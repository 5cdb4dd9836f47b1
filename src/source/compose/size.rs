//! How much CPU and memory a task has (<https://github.com/compose-spec/compose-spec/blob/main/deploy.md#resources>).

use super::super::{
    manifest::{Object, Report, Section, list, number, text},
    text::Span,
    tree::Node,
};
use crate::validate::fargate_size;

/// What a service has without limits, in CPU units and MiB: the smallest size of Fargate.
const SMALLEST: (i64, i64) = (256, 512);

/// Shares of a CPU as the kernel has them.
const SHARES: &[&str] = &[
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpuset",
];

/// The units of sizes in bytes (<https://github.com/compose-spec/compose-spec/blob/main/11-extension.md#specifying-byte-values>).
/// Docker reads `GiB` too, and all of them as powers of 1024.
const UNITS: &[(&str, f64)] = &[
    ("tib", 1_099_511_627_776.0),
    ("tb", 1_099_511_627_776.0),
    ("t", 1_099_511_627_776.0),
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("kb", 1024.0),
    ("mb", 1_048_576.0),
    ("gb", 1_073_741_824.0),
    ("k", 1024.0),
    ("m", 1_048_576.0),
    ("g", 1_073_741_824.0),
    ("b", 1.0),
];

/// What a service may use.
#[derive(Debug, Default)]
pub(super) struct Size<'a> {
    cpu: Option<Node<'a>>,
    memory: Option<Node<'a>>,
    reservation: Option<Node<'a>>,
    /// GPUs, of which only nodes have any.
    pub(super) gpus: Option<Node<'a>>,
}

impl<'a> Size<'a> {
    /// Takes the limits and reservations of a service, in the old form and in the one of `deploy`.
    pub(super) fn take(
        section: &mut Section<'a>,
        deploy: &mut Section<'a>,
        report: &mut Report<'_>,
    ) -> Self {
        let mut made = Self {
            cpu: limit(section, "cpus"),
            memory: limit(section, "mem_limit"),
            reservation: limit(section, "mem_reservation"),
            gpus: gpus(section, report),
        };
        let runtime = section.take_if("runtime", |it| it.text() == Some("nvidia"));
        let advice = "give deploy.resources.limits.cpus";
        section.unread(SHARES, advice, report);
        if let Some(resources) = deploy.section("resources") {
            made.add_resources(resources, report);
        }
        if let Some(runtime) = runtime.filter(|_| made.gpus.is_none()) {
            let advice = "the service gets no GPU: give their number, such as gpus: 1";
            report.unread(runtime.span, section.path("runtime"), advice);
        }
        made
    }

    /// Adds the limits and reservations of `deploy`.
    fn add_resources(&mut self, mut resources: Section<'a>, report: &mut Report<'_>) {
        if let Some(mut limits) = resources.section("limits") {
            self.cpu = limit(&mut limits, "cpus").or_else(|| self.cpu.take());
            self.memory = limit(&mut limits, "memory").or_else(|| self.memory.take());
            let advice = "limit them with podPidsLimit of the kubelet";
            limits.unread(&["pids"], advice, report);
            limits.finish(report);
        }
        if let Some(mut reservations) = resources.section("reservations") {
            let cpu = limit(&mut reservations, "cpus");
            self.cpu = self.cpu.take().or(cpu);
            self.reservation =
                limit(&mut reservations, "memory").or_else(|| self.reservation.take());
            self.gpus = reserved_gpus(&mut reservations, report).or_else(|| self.gpus.take());
            reservations.finish(report);
        }
        resources.finish(report);
    }

    /// Adds the size to a task definition, and what remains of it to its container. What is not a size is added as it is,
    /// so that its place is rejected. Returns whether the memory is assumed.
    pub(super) fn add(
        self,
        span: Span,
        is_on_fargate: bool,
        task: &mut Object<'a>,
        container: &mut Object<'a>,
    ) -> bool {
        let units = self.cpu.as_ref().and_then(Node::scalar).and_then(cpu_units);
        let limit = self.memory.as_ref().or(self.reservation.as_ref());
        let memory = limit.and_then(Node::scalar).and_then(mib);
        let is_assumed = limit.is_none();
        let wrong =
            |node: Option<&Node<'a>>, read: Option<i64>| node.filter(|_| read.is_none()).cloned();
        let cpu = wrong(self.cpu.as_ref(), units);
        let wrong_memory = wrong(limit, memory);
        let wanted = (units.unwrap_or(0), memory.unwrap_or(SMALLEST.1));
        let (units, memory) = if is_on_fargate {
            fargate_size(wanted.0, wanted.1).unwrap_or(wanted)
        } else {
            wanted
        };
        let number_text = |value: i64| text(span, value.to_string());
        if units > 0 || cpu.is_some() {
            task.put("cpu", cpu.unwrap_or_else(|| number_text(units)));
        }
        task.put(
            "memory",
            wrong_memory.unwrap_or_else(|| number_text(memory)),
        );
        if self.memory.is_some()
            && let Some(reserved) = self.reservation
            && let Some(mib) = reserved.scalar().and_then(mib)
        {
            container.put("memoryReservation", number(reserved.span, mib));
        }
        if let Some(gpus) = self.gpus {
            let mut one = Object::new(gpus.span);
            one.put("type", text(gpus.span, "GPU"));
            let at = gpus.span;
            one.put("value", gpus);
            container.put("resourceRequirements", list(at, vec![one.node()]));
        }
        is_assumed
    }
}

/// Returns CPU units: 1024 are a CPU.
fn cpu_units(text: &str) -> Option<i64> {
    whole(text.trim().parse::<f64>().ok()? * 1024.0)
}

/// Returns a size in bytes as MiB, rounded up.
pub(super) fn mib(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (unit, size) = unit.copied().unwrap_or(("", 1.0));
    let amount = text.strip_suffix(unit)?.trim().parse::<f64>().ok()?;
    whole(amount * size / 1_048_576.0)
}

/// Returns the next whole number.
fn whole(value: f64) -> Option<i64> {
    // The text of a whole number has no decimals.
    let fits = value.is_finite() && (0.0..1e12).contains(&value);
    fits.then(|| value.ceil().to_string())?.parse().ok()
}

/// Takes a limit; zero is none.
fn limit<'a>(section: &mut Section<'a>, key: &str) -> Option<Node<'a>> {
    let is_none = |node: &Node<'a>| node.scalar().is_some_and(|text| text.trim() == "0");
    section.text(key).filter(|node| !is_none(node))
}

/// Takes the GPUs of a service (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#gpus>).
fn gpus<'a>(section: &mut Section<'a>, report: &mut Report<'_>) -> Option<Node<'a>> {
    let path = section.path("gpus");
    if let Some(word) = section.text("gpus") {
        return Some(count_of(&word, &word, path, report));
    }
    let elements = section.elements("gpus").unwrap_or_default();
    let mut counts = Vec::new();
    for element in &elements {
        if is_of_nvidia(element) {
            counts.push(number_of_gpus(element, path.clone(), report));
        } else {
            report.unread(element.span, path.clone(), PLUGIN);
        }
    }
    sum(counts)
}

/// What to do about a device that is not a GPU of NVIDIA.
const PLUGIN: &str = "request the device with a device plugin";

fn is_of_nvidia(element: &Node<'_>) -> bool {
    let driver = element.get("driver").and_then(Node::text);
    driver.is_none_or(|driver| matches!(driver, "" | "nvidia" | "cdi"))
}

/// Returns the sum of numbers; a text that is none, so that its place is rejected.
fn sum(counts: Vec<Node<'_>>) -> Option<Node<'_>> {
    let number = |it: &Node<'_>| it.scalar()?.parse::<u32>().ok();
    let total: Option<u32> = counts
        .iter()
        .try_fold(0_u32, |sum, it| sum.checked_add(number(it)?));
    let wrong = counts.iter().find(|it| number(it).is_none()).cloned();
    let first = counts.into_iter().next()?;
    match total {
        Some(total) => Some(text(first.span, total.to_string())),
        None => wrong.or(Some(first)),
    }
}

/// Returns how many GPUs an element asks for: a number, or those that it names.
fn number_of_gpus<'a>(element: &Node<'a>, path: String, report: &mut Report<'_>) -> Node<'a> {
    if let Some(names) = element.get("device_ids").and_then(Node::elements) {
        return text(element.span, names.len().to_string());
    }
    match element.get("count") {
        Some(count) => count_of(element, count, path, report),
        None => all_of_a_machine(element.span, path, report),
    }
}

fn count_of<'a>(
    element: &Node<'a>,
    count: &Node<'a>,
    path: String,
    report: &mut Report<'_>,
) -> Node<'a> {
    match super::super::manifest::plain_text(count) {
        Some(count) if !matches!(count.text(), Some("all" | "-1")) => count,
        _ => all_of_a_machine(element.span, path, report),
    }
}

/// Returns one GPU in place of all that the machine has.
fn all_of_a_machine<'a>(span: Span, path: String, report: &mut Report<'_>) -> Node<'a> {
    let advice = "one GPU is requested, because a pod cannot ask for all of its node: give their number as count";
    report.unread(span, path, advice);
    text(span, "1")
}

/// Takes the number of GPUs, in both forms (<https://docs.docker.com/compose/how-tos/gpu-support/>).
fn reserved_gpus<'a>(reservations: &mut Section<'a>, report: &mut Report<'_>) -> Option<Node<'a>> {
    let mut found = Vec::new();
    for element in reservations.elements("devices").unwrap_or_default() {
        let capabilities = element.get("capabilities").and_then(Node::elements);
        let is_gpu = |name: &Node<'_>| matches!(name.text(), Some("gpu" | "nvidia"));
        let path = reservations.path("devices");
        if capabilities.is_some_and(|all| all.iter().any(is_gpu)) && is_of_nvidia(&element) {
            found.push(number_of_gpus(&element, path, report));
        } else {
            report.unread(element.span, path, PLUGIN);
        }
    }
    for element in reservations
        .elements("generic_resources")
        .unwrap_or_default()
    {
        let spec = element.get("discrete_resource_spec");
        let kind = spec.and_then(|spec| spec.get("kind")).and_then(Node::text);
        let value = spec.and_then(|spec| spec.get("value"));
        match (kind, value.and_then(super::super::manifest::plain_text)) {
            (Some("gpus" | "gpu" | "GPU"), Some(value)) => found.push(value),
            _ => {
                let path = reservations.path("generic_resources");
                report.unread(element.span, path, PLUGIN);
            }
        }
    }
    sum(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_gpus_are_added() {
        let node = |written: &str| text(Span::default(), written.to_owned());
        for (counts, expected) in [
            (vec![], None),
            (vec!["2", "1"], Some("3")),
            (vec!["2", "all of them"], Some("all of them")),
        ] {
            let found = sum(counts.into_iter().map(node).collect());
            assert_eq!(found.as_ref().and_then(Node::text), expected);
        }
    }

    #[test]
    fn sizes_are_read() {
        let table = [
            ("512M", Some(512)),
            ("512m", Some(512)),
            ("2Gb", Some(2048)),
            ("1.5g", Some(1536)),
            ("1t", Some(1_048_576)),
            ("1.5GiB", Some(1536)),
            ("0.5g", Some(512)),
            ("256 MiB", Some(256)),
            ("1048577", Some(2)),
            ("1024k", Some(1)),
            ("100b", Some(1)),
            ("lots", None),
            ("-1g", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(mib(text), expected, "{text}");
        }
        assert_eq!(cpu_units("0.5"), Some(512));
        assert_eq!(cpu_units("0.3"), Some(308));
        assert_eq!(cpu_units("half"), None);
        assert_eq!(cpu_units("1e300"), None);
    }
}
