//! `startTimeout`: how long a container may take until it does what others wait for
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>).

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::pod_state::{ContainerSeen, Doing, PodState};

/// `startTimeout` of a container that others wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartTimeout {
    /// The name of the container.
    pub container: String,
    /// The timeout in seconds.
    pub seconds: i64,
    /// The condition that the others wait for: COMPLETE, SUCCESS or HEALTHY.
    pub condition: String,
}

impl StartTimeout {
    /// Parses an entry of the annotation, such as `db=60/HEALTHY`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (container, rest) = text.split_once('=')?;
        let (seconds, condition) = rest.split_once('/')?;
        Some(Self {
            container: container.to_owned(),
            seconds: seconds.parse().ok()?,
            condition: condition.to_owned(),
        })
    }
}

/// Whether a pod is within the timeouts of its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// No container that others wait for is in progress.
    InTime,
    /// The timeout expires at this time if nothing changes.
    Until(Timestamp),
    /// The timeout has expired; contains the reason in the words of ECS.
    Late(String),
}

/// Checks the containers that others wait for: an init container that still runs, a sidecar that is not healthy yet.
#[must_use]
pub fn look(pod: &PodState, now: Timestamp) -> Start {
    let mut next = Start::InTime;
    if pod.deleting || pod.is_finished() || pod.containers.iter().any(has_waited) {
        return next;
    }
    for timeout in &pod.start_timeouts {
        let Some(deadline) = deadline(pod, timeout) else {
            continue;
        };
        if deadline <= now {
            let StartTimeout {
                container,
                seconds,
                condition,
            } = timeout;
            return Start::Late(format!(
                "Container {container} did not reach {condition} within {seconds} seconds"
            ));
        }
        next = match next {
            Start::Until(time) => Start::Until(time.min(deadline)),
            Start::InTime | Start::Late(_) => Start::Until(deadline),
        };
    }
    next
}

/// Whether a main container was ever started. Then the containers that it waits for are done, whatever happens to them
/// later and whatever a restarted kubelet reports.
fn has_waited(container: &ContainerSeen) -> bool {
    let runs = matches!(container.state, Doing::Running { .. } | Doing::Ended(_));
    !container.init && (runs || container.restarts > 0 || container.last_end.is_some())
}

/// Returns when the timeout of a container expires; `None` if nothing waits for it now.
fn deadline(pod: &PodState, timeout: &StartTimeout) -> Option<Timestamp> {
    let mut containers = pod.containers.iter();
    let container = containers.find(|container| container.name == timeout.container)?;
    let Doing::Running {
        since: Some(since),
        started,
    } = &container.state
    else {
        return None;
    };
    let waits = container.init && !(container.sidecar && *started);
    let seconds = SignedDuration::from_secs(timeout.seconds);
    // The clock of the node may be behind: count only the time for which this operator has seen it run.
    let since = container.seen.map_or(*since, |seen| seen.max(*since));
    since.checked_add(seconds).ok().filter(|_| waits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::pod_state::ContainerSeen;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    fn pod(sidecar: bool, started: bool) -> PodState {
        PodState {
            containers: vec![ContainerSeen {
                name: "db".to_owned(),
                init: true,
                sidecar,
                state: Doing::Running {
                    since: Some(at(100)),
                    started,
                },
                ..ContainerSeen::default()
            }],
            start_timeouts: vec![StartTimeout {
                container: "db".to_owned(),
                seconds: 30,
                condition: "HEALTHY".to_owned(),
            }],
            ..PodState::default()
        }
    }

    #[test]
    fn a_sidecar_is_late_until_it_is_healthy() {
        let waiting = pod(true, false);
        assert_eq!(look(&waiting, at(129)), Start::Until(at(130)));
        let late = "Container db did not reach HEALTHY within 30 seconds";
        assert_eq!(look(&waiting, at(130)), Start::Late(late.to_owned()));
        assert_eq!(look(&pod(true, true), at(500)), Start::InTime);
        let mut ending = waiting;
        ending.deleting = true;
        assert_eq!(look(&ending, at(130)), Start::InTime);
    }

    #[test]
    fn a_clock_that_is_behind_makes_nothing_late() {
        let mut waiting = pod(true, false);
        waiting.containers[0].seen = Some(at(500));
        assert_eq!(look(&waiting, at(501)), Start::Until(at(530)));
        // A clock that is ahead does not either.
        waiting.containers[0].seen = Some(at(90));
        assert_eq!(look(&waiting, at(129)), Start::Until(at(130)));
    }

    #[test]
    fn nothing_is_late_once_a_main_container_was_started() {
        // The sidecar is restarted hours later, or its kubelet is.
        let mut serving = pod(true, false);
        let mut app = ContainerSeen {
            name: "app".to_owned(),
            ..ContainerSeen::default()
        };
        serving.containers.push(app.clone());
        assert!(matches!(look(&serving, at(500)), Start::Late(_)));
        app.state = Doing::Running {
            since: Some(at(131)),
            started: false,
        };
        serving.containers[1] = app.clone();
        assert_eq!(look(&serving, at(500)), Start::InTime);
        app.state = Doing::Waiting("CrashLoopBackOff".to_owned(), String::new());
        app.restarts = 1;
        serving.containers[1] = app;
        assert_eq!(look(&serving, at(500)), Start::InTime);
    }

    #[test]
    fn an_init_container_is_late_as_long_as_it_runs() {
        assert_eq!(look(&pod(false, true), at(129)), Start::Until(at(130)));
        assert!(matches!(look(&pod(false, true), at(130)), Start::Late(_)));
        let mut done = pod(false, true);
        done.containers[0].state = Doing::Ended(super::super::pod_state::End::default());
        assert_eq!(look(&done, at(500)), Start::InTime);
    }
}
