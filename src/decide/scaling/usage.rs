//! What tasks use of the CPU and memory that they reserve
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html>).

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, PodSpec},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{
    quantity::number,
    validate::{Series, Statistic},
};

/// What a task reserves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Thousandths of a CPU.
    pub millicores: u64,
    /// Bytes of memory.
    pub bytes: u64,
}

/// What a task uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// CPUs.
    pub cores: f64,
    /// Bytes of memory.
    pub bytes: f64,
}

impl Reserved {
    /// Returns what a pod reserves for all of its tasks' containers: by itself, or else the sum of those that keep running.
    #[must_use]
    pub fn of(spec: &PodSpec) -> Self {
        let of_pod = spec.resources.as_ref();
        let of_pod = of_pod.and_then(|resources| resources.requests.as_ref());
        let sidecars = spec.init_containers.iter().flatten();
        let sidecars = sidecars.filter(|it| it.restart_policy.as_deref() == Some("Always"));
        let containers: Vec<&Container> = spec.containers.iter().chain(sidecars).collect();
        let reserved = |name: &str| {
            let whole = of_pod.and_then(|requests| amount(requests, name));
            whole.unwrap_or_else(|| {
                let requests = containers.iter().filter_map(|container| {
                    let requests = container.resources.as_ref()?.requests.as_ref()?;
                    amount(requests, name)
                });
                requests.sum()
            })
        };
        Self {
            millicores: whole(reserved("cpu") * 1000.0),
            bytes: whole(reserved("memory")),
        }
    }
}

fn amount(amounts: &BTreeMap<String, Quantity>, name: &str) -> Option<f64> {
    quantity(&amounts.get(name)?.0)
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a quantity is not negative, and what is too large is clamped"
)]
fn whole(amount: f64) -> u64 {
    amount.round() as u64
}

/// Returns the number that a quantity of Kubernetes stands for; `None` if that is less than none.
#[must_use]
pub fn quantity(text: &str) -> Option<f64> {
    number(text).filter(|number| *number >= 0.0)
}

/// Returns the percentage of what the tasks reserve that they use, or the smallest or largest percentage of one of them;
/// `None` if no task is known that reserves any, or if tasks do not share the metric.
#[must_use]
pub fn utilization(series: &Series, tasks: &[(Reserved, Used)]) -> Option<f64> {
    #[allow(
        clippy::cast_precision_loss,
        reason = "no task reserves 2^53 bytes of memory"
    )]
    let shares = tasks.iter().filter_map(|(reserved, used)| {
        let (reserved, used) = match series {
            Series::Cpu(_) => (reserved.millicores as f64 / 1000.0, used.cores),
            Series::Memory(_) => (reserved.bytes as f64, used.bytes),
            Series::Running(_) | Series::CloudWatch(_) | Series::Math(_) => return None,
        };
        (reserved > 0.0).then_some((reserved, used))
    });
    let percent = |(reserved, used): (f64, f64)| used / reserved * 100.0;
    match series.statistic() {
        // As in ECS, a task counts as much as it reserves.
        Statistic::Average => {
            let sum = |(a, b): (f64, f64), (c, d): (f64, f64)| (a + c, b + d);
            shares.reduce(sum).map(percent)
        }
        statistic => statistic.of(shares.map(percent)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, expected) in [
            ("250m", Some(0.25)),
            ("2", Some(2.0)),
            ("0.5", Some(0.5)),
            ("123456789n", Some(0.123_456_789)),
            ("10u", Some(1e-5)),
            ("64Mi", Some(67_108_864.0)),
            ("1Gi", Some(1_073_741_824.0)),
            ("128974848", Some(128_974_848.0)),
            ("129e6", Some(129_000_000.0)),
            ("129M", Some(129_000_000.0)),
            ("1E", Some(1e18)),
            ("", None),
            ("m", None),
            ("-1", None),
            ("much", None),
            ("inf", None),
        ] {
            let found = quantity(text);
            let is_it = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() <= expected * 1e-12,
                (found, expected) => found == expected,
            };
            assert!(is_it, "{text}: {found:?}");
        }
    }

    #[test]
    fn a_pod_reserves_what_it_requests_or_else_what_its_containers_do() {
        let container = |cpu: &str, memory: &str| json!({"name": "app", "resources": {"requests": {"cpu": cpu, "memory": memory}}});
        let mut sidecar = container("100m", "64Mi");
        sidecar["restartPolicy"] = json!("Always");
        let mut spec = json!({
            "containers": [container("250m", "128Mi"), {"name": "helper"}],
            "initContainers": [sidecar, container("4", "1Gi")],
        });
        let of = |spec: &serde_json::Value| {
            Reserved::of(&serde_json::from_value(spec.clone()).expect("it is the spec of a pod"))
        };
        let mebibyte = 1024 * 1024;
        let expected = Reserved {
            millicores: 350,
            bytes: 192 * mebibyte,
        };
        assert_eq!(of(&spec), expected);
        spec["resources"] = json!({"requests": {"cpu": "1"}});
        let expected = Reserved {
            millicores: 1000,
            bytes: 192 * mebibyte,
        };
        assert_eq!(of(&spec), expected);
    }

    #[test]
    fn tasks_count_as_much_as_they_reserve() {
        let task = |millicores: u64, cores: f64| {
            let reserved = Reserved {
                millicores,
                bytes: 0,
            };
            (reserved, Used { cores, bytes: 1.0 })
        };
        let tasks = [task(1000, 0.9), task(250, 0.025), task(0, 3.0)];
        for (series, expected) in [
            (Series::Cpu(Statistic::Average), Some(74.0)),
            (Series::Cpu(Statistic::Maximum), Some(90.0)),
            (Series::Cpu(Statistic::Minimum), Some(10.0)),
            (Series::Memory(Statistic::Average), None),
        ] {
            let found = utilization(&series, &tasks);
            let rounded = found.map(|found| (found * 1e6).round() / 1e6);
            assert_eq!(rounded, expected, "{series:?}");
        }
        assert_eq!(utilization(&Series::Cpu(Statistic::Average), &[]), None);
    }
}
