//! Tasks that their load balancer considers unhealthy although their containers are healthy
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html>).

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::pod_state::PodState;

/// How many seconds a target may take to register and pass its first checks, or be unhealthy temporarily: two checks 30
/// seconds apart, the default of target groups, and the same time again.
pub const PATIENCE: i32 = 120;

/// Returns when a task counts as unhealthy if nothing changes: [`PATIENCE`] after it was first seen, by the clock of
/// this process, that its target fails the checks. There is no limit for a target that is still being registered, or
/// that no controller reports on. `grace` is `healthCheckGracePeriodSeconds`, counted from when the task was created.
#[must_use]
pub fn unhealthy_at(pod: &PodState, grace: i64) -> Option<Timestamp> {
    let since = pod.fails_target_checks_seen.filter(|_| !pod.deleting)?;
    let after =
        |from: Timestamp, seconds: i64| from.checked_add(SignedDuration::from_secs(seconds)).ok();
    let patience = after(since, PATIENCE.into());
    let grace = pod.created_at.and_then(|created| after(created, grace));
    patience.max(grace)
}

/// Whether a task counts as unhealthy now.
#[must_use]
pub fn is_unhealthy(pod: &PodState, grace: i64, now: Timestamp) -> bool {
    unhealthy_at(pod, grace).is_some_and(|at| at <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    #[test]
    fn a_target_has_time_and_a_new_task_its_grace_period() {
        let pod = PodState {
            created_at: Some(at(0)),
            fails_target_checks_seen: Some(at(20)),
            ..PodState::default()
        };
        assert_eq!(unhealthy_at(&pod, 0), Some(at(140)));
        assert_eq!(unhealthy_at(&pod, 600), Some(at(600)));
        assert!(!is_unhealthy(&pod, 0, at(139)) && is_unhealthy(&pod, 0, at(140)));
        for other in [
            PodState {
                fails_target_checks_seen: None,
                ..pod.clone()
            },
            PodState {
                deleting: true,
                ..pod.clone()
            },
        ] {
            assert_eq!(unhealthy_at(&other, 0), None);
        }
    }
}
