//! Whatever goes wrong at whichever request, what is there in the end is the same.

use std::fmt::Write as _;

use super::{
    api_server::{Asked, Wrong},
    normal::{State, difference, state},
    replica::Late,
    request::Place,
    scenario::{self, Act, Scenario, service, task},
    store::Store,
    trial::{NOTHING_IS_LATE, Trial, undisturbed},
};

/// What may go wrong with a request while the operator lives.
const WRONG: &[Wrong] = &[Wrong::Conflict, Wrong::Trouble, Wrong::AnswerLost];

/// Of what the operator may hear late, each for itself and all together.
const LATE: &[(&str, Late)] = &[
    ("everything", |_| true),
    ("custom resources", |place| {
        place.group == "ecs-operator.dev"
    }),
    ("pods", |place| place.plural == "pods"),
    ("revisions", |place| place.plural == "controllerrevisions"),
    ("what was made", |place| {
        place.group != "ecs-operator.dev"
            && !["pods", "controllerrevisions"].contains(&place.plural.as_str())
    }),
];

/// What went otherwise than it should.
#[derive(Default)]
struct Failures {
    requests: usize,
    trials: usize,
    failed: usize,
    told: String,
}

/// So many failures are told in full.
const MOST_TOLD: usize = 5;

impl Failures {
    /// Runs a trial, which has to end in this state.
    fn check(&mut self, what: &str, trial: &Trial<'_>, expected: &State) {
        self.trials += 1;
        let differences = match trial.run() {
            Ok(end) if !end.uncalled.is_empty() => {
                vec![format!("written without need: {:?}", end.uncalled)]
            }
            Ok(end) => difference(expected, &state(&end.store)),
            Err(error) => vec![error],
        };
        if differences.is_empty() {
            return;
        }
        self.failed += 1;
        if self.failed <= MOST_TOLD {
            let lines = differences.join("\n    ");
            let _cannot_fail = write!(self.told, "\n  {what}:\n    {lines}");
        }
    }
}

/// Has everything go wrong that can, at each request of each act of a scenario in turn.
fn disturb(scenario: &Scenario) {
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let mut starts = vec![Store::default()];
    starts.extend(ends);
    let mut failures = Failures::default();
    for (index, act) in scenario.acts.iter().enumerate() {
        let index = index + scenario.before.len();
        disturb_act(act, &starts[index], &starts[index + 1], &mut failures);
    }
    assert!(failures.requests > 0, "nothing has been asked for");
    let Failures {
        trials,
        failed,
        told,
        ..
    } = failures;
    assert_eq!(
        failed, 0,
        "{failed} of {trials} trials ended otherwise than without trouble:{told}"
    );
}

fn disturb_act(act: &Act, start: &Store, end: &Store, failures: &mut Failures) {
    let expected = state(end);
    let calm = Trial {
        start,
        act: Some(act),
        fault: None,
        late: NOTHING_IS_LATE,
        hasty: false,
    };
    let asked = calm.run().map(|end| end.asked).unwrap_or_default();
    failures.requests += asked.len();
    let what = act.what;
    failures.check(&format!("{what}, undisturbed"), &calm, &expected);
    for (whose, late) in LATE {
        let what = format!("{what}, {whose} one step late");
        let late = Trial {
            late: *late,
            ..calm
        };
        failures.check(&what, &late, &expected);
    }
    let hasty = Trial {
        hasty: true,
        ..calm
    };
    failures.check(&format!("{what}, Kubernetes is hasty"), &hasty, &expected);
    deaths(what, &asked, &expected, failures);
    for (number, request) in asked.iter().enumerate() {
        for wrong in WRONG {
            if *wrong == Wrong::Conflict && !request.is_write {
                continue;
            }
            // What was done and not heard of is the worst for caches that are late.
            let late = (*wrong == Wrong::AnswerLost).then_some(LATE[0]);
            for (whose, late) in [("nothing", NOTHING_IS_LATE)].into_iter().chain(late) {
                let request = &request.what;
                let what = format!("{what}, {wrong:?} at #{number} {request}, {whose} late");
                let trial = Trial {
                    fault: Some((number, *wrong)),
                    late,
                    ..calm
                };
                failures.check(&what, &trial, &expected);
            }
        }
    }
}

/// The operator dies before and after each request, and another one goes on with what is there.
fn deaths(what: &str, asked: &[Asked], expected: &State, failures: &mut Failures) {
    let mut seen = None;
    for (number, request) in asked.iter().enumerate() {
        for (when, store) in [("before", &request.before), ("after", &request.after)] {
            if seen == Some(store.version()) {
                continue;
            }
            seen = Some(store.version());
            let request = &request.what;
            let what = format!("{what}, death {when} #{number} {request}");
            let trial = Trial {
                start: store,
                act: None,
                fault: None,
                late: NOTHING_IS_LATE,
                hasty: false,
            };
            failures.check(&what, &trial, expected);
        }
    }
}

macro_rules! scenarios {
    ($($name:ident: $of:path,)*) => {
        $(
            #[test]
            fn $name() {
                disturb(&$of());
            }
        )*
    };
}

scenarios! {
    a_definition: scenario::a_definition,
    a_history: scenario::a_history,
    a_cluster: scenario::a_cluster,
    a_service: service::a_service,
    a_rollback: service::a_rollback,
    a_circuit_breaker: service::a_circuit_breaker,
    a_stopped_deployment: service::a_stopped_deployment,
    a_daemon: service::a_daemon,
    a_change_of_strategy: service::a_change_of_strategy,
    a_load_balancer: service::a_load_balancer,
    a_refused_spec: service::a_refused_spec,
    a_service_made_again: service::a_service_made_again,
    a_shared_volume: service::a_shared_volume,
    a_task: task::a_task,
    a_task_that_is_stopped: task::a_task_that_is_stopped,
    a_task_that_expires: task::a_task_that_expires,
}

#[test]
fn places_are_told_apart() {
    let late = |place: &Place| {
        let late = LATE.iter().filter(|(_, late)| late(place));
        late.map(|(whose, _)| *whose).collect::<Vec<_>>()
    };
    assert_eq!(late(&Place::new("", "pods", "web")), ["everything", "pods"]);
    assert_eq!(
        late(&Place::new("apps", "deployments", "web")),
        ["everything", "what was made"]
    );
}
