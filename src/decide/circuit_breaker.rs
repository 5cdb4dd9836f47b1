//! The deployment circuit breaker
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html>).

use crate::validate::FailureThreshold;

/// Returns the number of failed tasks that stops a deployment of `desired` tasks.
///
/// Percentages are rounded up. AWS bounds the result to at least 3 and at most 200; for percentages without these
/// bounds, the minimum is one failure.
#[must_use]
pub fn threshold(desired: u32, configuration: FailureThreshold) -> u32 {
    match configuration {
        FailureThreshold::Count(count) => count,
        FailureThreshold::BoundedPercent(percent) => share(desired, percent).clamp(3, 200),
        FailureThreshold::UnboundedPercent(percent) => share(desired, percent).max(1),
    }
}

fn share(desired: u32, percent: u32) -> u32 {
    let tasks = (u64::from(desired) * u64::from(percent)).div_ceil(100);
    u32::try_from(tasks).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threshold_follows_the_desired_count() {
        let default = FailureThreshold::BoundedPercent(50);
        for (desired, configuration, expected) in [
            (1, default, 3),
            (6, default, 3),
            (7, default, 4),
            (25, default, 13),
            (400, default, 200),
            (800, default, 200),
            (800, FailureThreshold::UnboundedPercent(50), 400),
            (2, FailureThreshold::UnboundedPercent(50), 1),
            (10, FailureThreshold::Count(5), 5),
            (10, FailureThreshold::BoundedPercent(100), 10),
            (0, FailureThreshold::UnboundedPercent(50), 1),
        ] {
            assert_eq!(
                threshold(desired, configuration),
                expected,
                "{desired} {configuration:?}"
            );
        }
    }
}
