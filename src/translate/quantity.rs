//! Converts CPU units, MiB and GiB to Kubernetes quantities.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Returns the CPU request of a container: units of 1/1024 vCPU, rounded down to a thousandth, at least one.
///
/// Rounding down here and up in [`task_cpu`] keeps the sum of the containers within the pod's request, which the API
/// server enforces.
#[must_use]
pub fn container_cpu(units: i64) -> Quantity {
    millicores((units.saturating_mul(1000) / 1024).max(1))
}

/// Returns the CPU of a whole task: units of 1/1024 vCPU, rounded up to a thousandth.
#[must_use]
pub fn task_cpu(units: i64) -> Quantity {
    millicores(units.saturating_mul(1000).saturating_add(1023) / 1024)
}

/// Returns thousandths of a CPU.
pub(super) fn millicores(milli: i64) -> Quantity {
    Quantity(if milli % 1000 == 0 {
        (milli / 1000).to_string()
    } else {
        format!("{milli}m")
    })
}

/// Returns memory in MiB, in the largest of `Gi` and `Mi` that divides it.
#[must_use]
pub fn mebibytes(mib: i64) -> Quantity {
    Quantity(if mib != 0 && mib % 1024 == 0 {
        format!("{}Gi", mib / 1024)
    } else {
        format!("{mib}Mi")
    })
}

/// Returns the number that a quantity stands for, as far as it is one.
pub(crate) fn amount(quantity: &Quantity) -> Option<f64> {
    crate::quantity::number(&quantity.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_of_containers_rounds_down_and_that_of_tasks_up() {
        for (units, request) in [
            (1, "1m"),
            (2, "1m"),
            (10, "9m"),
            (100, "97m"),
            (128, "125m"),
            (1000, "976m"),
            (1024, "1"),
            (1536, "1500m"),
        ] {
            assert_eq!(container_cpu(units).0, request, "{units} units");
        }
        assert_eq!(task_cpu(100).0, "98m");
        assert_eq!(task_cpu(512).0, "500m");
    }

    #[test]
    fn memory_takes_the_largest_unit_that_divides() {
        for (mib, text) in [(512, "512Mi"), (2048, "2Gi"), (1536, "1536Mi"), (0, "0Mi")] {
            assert_eq!(mebibytes(mib).0, text);
        }
    }
}
