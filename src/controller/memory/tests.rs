//! The final state is the same, whatever the fault and the request.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Value, json};

use super::{
    api_server::{ApiServer, Asked, Wrong},
    kubernetes,
    normal::{State, difference, state, told},
    replica::Late,
    request::Place,
    scenario::{
        self, Act, Scenario, app_runner, capacity, scaling, schedule, service, shared_name, split,
        task,
    },
    store::Store,
    trial::{End, NOTHING_IS_LATE, Serving, Trial, in_no_time, undisturbed},
};
use crate::controller::{
    apply::release,
    caches::{
        child::Child,
        child_kind::ChildKind,
        children::{Children, Key},
    },
};

/// The faults of a request that the operator survives.
const WRONG: &[Wrong] = &[
    Wrong::Conflict,
    Wrong::Trouble,
    Wrong::AnswerLost,
    Wrong::Deleted,
    Wrong::Overtaken,
];

/// The objects that the operator may see late: each kind separately, and all together.
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

/// The expected end of a trial.
struct Expected {
    state: State,
    serving: Serving,
    told: Vec<String>,
}

/// How many of the faults are injected.
#[derive(Clone, Copy)]
enum Extent {
    /// Every third one, which is another kind at each request.
    Sample,
    Every,
}

/// Deviations from the expected end.
struct Failures {
    extent: Extent,
    /// The number of faults, with those that are not injected.
    faults: usize,
    requests: usize,
    trials: usize,
    failed: usize,
    told: String,
}

/// This many failures are reported in full.
const MOST_TOLD: usize = 5;

impl Failures {
    const fn new(extent: Extent) -> Self {
        Self {
            extent,
            faults: 0,
            requests: 0,
            trials: 0,
            failed: 0,
            told: String::new(),
        }
    }

    /// Whether the next fault is injected.
    const fn takes_next(&mut self) -> bool {
        self.faults += 1;
        match self.extent {
            Extent::Sample => self.faults.is_multiple_of(3),
            Extent::Every => true,
        }
    }

    /// Runs a trial and compares its end with the expected one.
    fn check(&mut self, what: &str, trial: &Trial<'_>, expected: &Expected) {
        let differences = match trial.run() {
            Ok(end) if !end.uncalled.is_empty() => {
                vec![format!("written without need: {:?}", end.uncalled)]
            }
            Ok(end) => {
                let fewer = end.serving.fewer_than(&expected.serving).into_iter();
                let mut differences = difference(&expected.state, &state(&end.store));
                differences.extend(fewer.map(|of| format!("fewer tasks of {of} served meanwhile")));
                differences.extend(lacked(&end.lacking));
                if trial.tells_all() {
                    differences.extend(told_otherwise(&expected.told, &told(&end.events)));
                }
                differences
            }
            Err(error) => vec![error],
        };
        self.add(what, &differences);
    }

    fn add(&mut self, what: &str, differences: &[String]) {
        self.trials += 1;
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

fn lacked(lacking: &BTreeSet<String>) -> impl Iterator<Item = String> {
    let what = lacking.iter();
    what.map(|what| format!("tasks lacked what they need to start again: {what}"))
}

/// Returns the events that were unexpected or are missing. The same event may be reported several times.
fn told_otherwise(expected: &[String], told: &[String]) -> Vec<String> {
    // Transient trouble may be reported in addition to lasting trouble.
    let is_more = |line: &&String| {
        expected
            .iter()
            .any(|it| line.starts_with(&format!("{it}\n")))
    };
    let told: Vec<String> = told.iter().filter(|line| !is_more(line)).cloned().collect();
    if expected == told {
        return Vec::new();
    }
    let list = |words: &[String]| words.join("\n      ");
    let (expected, told) = (list(expected), list(&told));
    vec![format!(
        "told:\n      {told}\n    instead of:\n      {expected}"
    )]
}

/// Injects faults at the requests of each act of a scenario in turn.
fn disturb(scenario: &Scenario, extent: Extent) {
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let mut starts = vec![Store::default()];
    starts.extend(ends);
    let mut failures = Failures::new(extent);
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
    let calm = Trial {
        act: Some(act),
        ..Trial::of(start)
    };
    let calm_end = calm.run().expect("it comes to rest");
    let End {
        asked,
        serving,
        lacking,
        events,
        ..
    } = calm_end;
    let expected = Expected {
        state: state(end),
        serving,
        told: told(&events),
    };
    failures.requests += asked.len();
    let what = act.what;
    let interrupted = expected.serving.interrupted(end).into_iter();
    let interrupted = interrupted.map(|of| format!("no task of {of} served for a while"));
    let unwell = interrupted.chain(lacked(&lacking));
    failures.add(what, &unwell.collect::<Vec<_>>());
    for hasty in [false, true] {
        let speed = if hasty { "hasty" } else { "patient" };
        // What happens in the meantime matters most if custom resources are late.
        let of_these = if hasty { 2 } else { LATE.len() };
        let late = LATE.iter().take(of_these);
        for (whose, late) in [("nothing", NOTHING_IS_LATE)].iter().chain(late) {
            let trial = Trial {
                late: *late,
                hasty,
                ..calm
            };
            let what = format!("{what}, {whose} late, Kubernetes {speed}");
            failures.check(&what, &trial, &expected);
        }
    }
    deaths(what, &asked, &expected, failures);
    errors(what, &asked, &calm, &expected, failures);
    losses(what, &asked, end, failures);
}

/// Fails each request while the operator survives.
fn errors(
    what: &str,
    asked: &[Asked],
    calm: &Trial<'_>,
    expected: &Expected,
    failures: &mut Failures,
) {
    for (number, request) in asked.iter().enumerate() {
        for wrong in WRONG {
            let of_writes = matches!(wrong, Wrong::Conflict | Wrong::Overtaken);
            // Someone who deletes the EcsTask of a schedule stops it, and it is not made again.
            let is_stopped = request.what.starts_with("create ecstasks/");
            let is_made_again = request.makes() && !is_stopped;
            if of_writes && !request.is_write || *wrong == Wrong::Deleted && !is_made_again {
                continue;
            }
            if !failures.takes_next() {
                continue;
            }
            // For late caches, the worst case is a change that was carried out and not learned.
            let (whose, late) = match wrong {
                Wrong::AnswerLost => LATE[0],
                _ => ("nothing", NOTHING_IS_LATE),
            };
            let request = &request.what;
            let what = format!("{what}, {wrong:?} at #{number} {request}, {whose} late");
            let trial = Trial {
                fault: Some((number, *wrong)),
                late,
                ..*calm
            };
            failures.check(&what, &trial, expected);
        }
    }
}

/// Kills the operator before and after each request. Another one continues with the existing objects.
fn deaths(what: &str, asked: &[Asked], expected: &Expected, failures: &mut Failures) {
    let mut seen = None;
    for (number, request) in asked.iter().enumerate() {
        for (when, store) in [("before", &request.before), ("after", &request.after)] {
            if seen == Some(store.version()) {
                continue;
            }
            seen = Some(store.version());
            if !failures.takes_next() {
                continue;
            }
            let request = &request.what;
            let what = format!("{what}, death {when} #{number} {request}");
            failures.check(&what, &Trial::of(store), expected);
            let mut later = store.clone();
            if kubernetes::go_on(&mut later) {
                let what = format!("{what}, and nobody leads for a while");
                failures.check(&what, &Trial::of(&later), expected);
            }
        }
    }
}

/// Loses statuses, and nodes with running tasks: nothing may begin again.
fn losses(what: &str, asked: &[Asked], end: &Store, failures: &mut Failures) {
    let expected = state(end);
    let mut restored = end.clone();
    restored.lose_statuses();
    let differences = match Trial::of(&restored).run() {
        Ok(found) => {
            let mut lines = difference(&expected, &state(&found.store));
            // Statuses contain less than before, but the objects are the same.
            let is_ours = |line: &str| {
                [" Ecs", " AppRunnerService"]
                    .iter()
                    .any(|it| line.contains(it))
            };
            lines.retain(|line| !is_ours(line) || !line.contains(" .status"));
            lines
        }
        Err(error) => vec![error],
    };
    failures.add(&format!("{what}, statuses are lost"), &differences);
    let asked = asked.iter().map(|request| (&*request.what, &request.after));
    for (request, store) in asked.chain([("nothing more", end), ("all of it", &restored)]) {
        let mut broken = store.clone();
        if !broken.lose_tasks() || !failures.takes_next() {
            continue;
        }
        let what = format!("{what}, tasks are lost after {request}");
        let differences = match Trial::of(&broken).run() {
            Ok(found) if found.store.made() == end.made() => Vec::new(),
            Ok(found) => vec![format!("pods: {:?}", found.store.made())],
            Err(error) => vec![error],
        };
        failures.add(&what, &differences);
    }
}

macro_rules! scenarios {
    ($($name:ident: $of:path,)*) => {
        $(
            #[test]
            fn $name() {
                disturb(&$of(), Extent::Sample);
            }
        )*

        mod every_fault {
            use super::*;

            $(
                #[test]
                #[ignore = "all of them take minutes: cargo xtask test explore"]
                fn $name() {
                    disturb(&$of(), Extent::Every);
                }
            )*
        }
    };
}

scenarios! {
    a_definition: scenario::a_definition,
    a_history: scenario::a_history,
    a_cluster: scenario::a_cluster,
    providers_of_a_service: capacity::providers_of_a_service,
    a_node_pool: capacity::a_node_pool,
    room_on_nodes: capacity::room_on_nodes,
    taints_of_nodes_in_use: capacity::taints_of_nodes_in_use,
    a_second_taint: capacity::a_second_taint,
    a_task_of_the_default_strategy: capacity::a_task_of_the_default_strategy,
    a_service: service::a_service,
    an_app_runner_service: app_runner::an_app_runner_service,
    an_app_runner_service_that_others_edit: app_runner::an_app_runner_service_that_others_edit,
    an_app_runner_service_whose_name_is_taken: app_runner::an_app_runner_service_whose_name_is_taken,
    a_count_of_an_autoscaler: scaling::a_count_of_an_autoscaler,
    scheduled_actions: scaling::scheduled_actions,
    step_scaling: scaling::step_scaling,
    a_schedule: schedule::a_schedule,
    a_schedule_that_replaces: schedule::a_schedule_that_replaces,
    a_rollback: service::a_rollback,
    a_lost_revision: service::a_lost_revision,
    a_name_that_two_share: shared_name::a_name_that_two_share,
    a_circuit_breaker: service::a_circuit_breaker,
    a_stopped_deployment: service::a_stopped_deployment,
    a_daemon: service::a_daemon,
    a_change_of_strategy: service::a_change_of_strategy,
    a_split_service: split::a_split_service,
    a_change_of_strategy_that_fails: service::a_change_of_strategy_that_fails,
    a_change_of_all_that_tasks_need: service::a_change_of_all_that_tasks_need,
    a_load_balancer: service::a_load_balancer,
    a_refused_spec: service::a_refused_spec,
    a_service_made_again: service::a_service_made_again,
    a_shared_volume: service::a_shared_volume,
    a_task: task::a_task,
    a_task_that_is_stopped: task::a_task_that_is_stopped,
    a_task_that_expires: task::a_task_that_expires,
    a_volume_that_stays: task::a_volume_that_stays,
    a_task_of_an_hour_ago: task::a_task_of_an_hour_ago,
}

fn claims(store: &Store) -> Vec<String> {
    let claims = store.of_kind("", "persistentvolumeclaims").into_iter();
    claims.map(|(place, _)| place.name.clone()).collect()
}

#[test]
fn a_volume_outlives_its_task() {
    let ends = undisturbed(task::a_volume_that_stays().acts.iter());
    let tasks = |store: &Store| store.of_kind("ecs-operator.dev", "ecstasks").len();
    let seen = ends.iter().map(|end| (tasks(end), claims(end).len()));
    assert_eq!(seen.collect::<Vec<_>>(), [(1, 1), (0, 1), (1, 2), (0, 2)]);
}

/// The object of a finished task stays. After an hour, everything that is made of it goes, except what another task uses.
#[test]
fn only_the_object_is_left_of_a_task_of_an_hour_ago() {
    let ends = undisturbed(task::a_task_of_an_hour_ago().acts.iter());
    let count = |store: &Store| {
        let kinds = [
            ("ecs-operator.dev", "ecstasks"),
            ("", "pods"),
            ("", "persistentvolumeclaims"),
            ("", "persistentvolumes"),
        ];
        kinds.map(|(group, plural)| store.of_kind(group, plural).len())
    };
    let counts: Vec<[usize; 4]> = ends.iter().map(count).collect();
    let (one, two) = ([1, 1, 1, 1], [2, 2, 1, 1]);
    assert_eq!(
        counts,
        [one, one, two, [2, 1, 1, 1], [2, 1, 1, 1], [2, 0, 0, 0]]
    );
}

/// An older operator made the task the owner of the claim, so that it was deleted with the task.
#[test]
fn a_volume_outlives_its_task_also_where_an_older_operator_made_it() {
    let acts = task::a_volume_that_stays().acts;
    let mut start = undisturbed(acts.iter().take(1)).remove(0);
    let (place, _) = start.of_kind("", "persistentvolumeclaims").remove(0);
    let (_, owner) = start.of_kind("ecs-operator.dev", "ecstasks").remove(0);
    start.change(&place, |claim| {
        let metadata = &mut claim["metadata"];
        metadata["annotations"] = Value::Null;
        metadata["ownerReferences"] = json!([{
            "apiVersion": owner["apiVersion"],
            "kind": "EcsTask",
            "name": "job",
            "uid": owner["metadata"]["uid"],
            "controller": true,
        }]);
    });
    for act in [&acts[1], &task::deleted()] {
        let trial = Trial {
            act: Some(act),
            ..Trial::of(&start)
        };
        let end = trial.run().expect("it comes to rest").store;
        assert!(end.of_kind("ecs-operator.dev", "ecstasks").is_empty());
        assert_eq!(claims(&end), [&*place.name], "{}", act.what);
    }
}

/// Objects that waited for the last old task are deleted with it, although nothing else changes.
#[test]
fn nothing_is_left_of_what_old_tasks_needed() {
    let scenario = service::a_change_of_all_that_tasks_need();
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let count = |store: &Store| {
        let kinds = [
            ("", "configmaps"),
            ("external-secrets.io", "externalsecrets"),
            ("external-secrets.io", "secretstores"),
            ("generators.external-secrets.io", "ecrauthorizationtokens"),
        ];
        kinds.map(|(group, plural)| store.of_kind(group, plural).len())
    };
    let since_it_serves = ends.iter().skip(scenario.before.len() - 1);
    let counts: Vec<[usize; 4]> = since_it_serves.map(count).collect();
    // A revision has a secret for its variables and one for its images.
    let (one, both) = ([1, 2, 1, 1], [2, 4, 2, 2]);
    assert_eq!(counts, [one, both, one, one, one, [0; 4]]);
}

/// Another strategy moves no task, a deployment does.
#[test]
fn a_deployment_moves_tasks_between_capacity_providers() {
    let ends = undisturbed(split::a_split_service().acts.iter());
    let counts = ends.iter().map(|end| {
        let deployments = end.of_kind("apps", "deployments");
        let count = |object: &Value| object["spec"]["replicas"].as_i64().unwrap_or(-1);
        deployments.iter().map(|(_, it)| count(it)).collect()
    });
    let counts: Vec<Vec<i64>> = counts.collect();
    let expected = [
        vec![2, 2],
        vec![2, 2],
        vec![4],
        vec![1, 3],
        vec![1, 5],
        vec![1, 5],
        vec![1, 5],
        vec![1, 3],
        // Tasks are replaced where they are, and moved afterward.
        vec![1, 3],
        vec![2, 2],
    ];
    assert_eq!(counts, expected);
}

/// Whoever applies a spec again that leaves the count to an autoscaler does not reset it.
#[test]
fn a_count_of_an_autoscaler_stays_when_the_spec_is_applied_again() {
    let scenario = scaling::a_count_of_an_autoscaler();
    let ends = undisturbed(scenario.acts.iter());
    let counts = ends.iter().map(|end| {
        let services = end.of_kind("ecs-operator.dev", "ecsservices");
        let pods = end.of_kind("", "pods").len();
        (services[0].1["spec"]["desiredCount"].as_i64(), pods)
    });
    let counts: Vec<(Option<i64>, usize)> = counts.collect();
    let five = (Some(5), 5);
    assert_eq!(
        counts,
        [(Some(2), 2), five, five, (Some(9), 6), (Some(9), 6)]
    );
}

/// The count follows each scheduled action, and the spec that is applied next is in force at once.
#[test]
fn a_schedule_starts_tasks_once_and_not_because_of_an_edit() {
    let scenario = schedule::a_schedule();
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let seen = ends.iter().map(|end| {
        let tasks = end.of_kind("ecs-operator.dev", "ecstasks").into_iter();
        let tasks = tasks.map(|(_, task)| task["status"]["lastStatus"].clone());
        tasks.collect::<Vec<_>>()
    });
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            vec![],
            vec![json!("RUNNING")],
            vec![json!("STOPPED")],
            vec![json!("STOPPED")],
            vec![json!("STOPPED")],
            // What it has started stays without it.
            vec![json!("STOPPED")],
        ]
    );
}

#[test]
fn mending_a_schedule_starts_nothing() {
    let scenario = schedule::a_schedule_that_is_mended();
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let end = ends.last().expect("there are two acts");
    assert!(end.of_kind("ecs-operator.dev", "ecstasks").is_empty());
    let schedule = &end.of_kind("ecs-operator.dev", "ecsschedules")[0].1;
    assert!(schedule["status"]["nextFiring"].is_string(), "{schedule}");
}

#[test]
fn scheduled_actions_move_the_count() {
    let scenario = scaling::scheduled_actions();
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let seen = ends.iter().map(|end| {
        let service = &end.of_kind("ecs-operator.dev", "ecsservices")[0].1;
        let range = &service["status"]["autoScaling"]["range"];
        let ends = ["minCapacity", "maxCapacity"].map(|it| range[it].as_i64());
        let count = service["spec"]["desiredCount"].as_i64();
        (ends, count, end.of_kind("", "pods").len())
    });
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            ([None, None], Some(4), 4),
            ([Some(0), Some(0)], Some(0), 0),
            ([Some(0), Some(0)], Some(0), 0),
            ([Some(3), Some(8)], Some(3), 3),
            // Four are within the range that is in force, although the spec is rejected.
            ([Some(3), Some(8)], Some(4), 4),
            ([None, None], Some(3), 3),
        ]
    );
}

/// The operator runs steps, within their cooldown once, and leaves the count as it is when an autoscaler takes over.
#[test]
fn steps_move_the_count_once() {
    let scenario = scaling::step_scaling();
    let ends = undisturbed(scenario.before.iter().chain(&scenario.acts));
    let seen = ends.iter().map(|end| {
        let service = &end.of_kind("ecs-operator.dev", "ecsservices")[0].1;
        let scaling = &service["status"]["autoScaling"];
        let alarms = scaling["alarms"].as_array().into_iter().flatten();
        let alarms: Vec<_> = alarms.filter_map(|it| it["stateValue"].as_str()).collect();
        let scalers = end.of_kind("autoscaling", "horizontalpodautoscalers");
        (
            service["spec"]["desiredCount"].as_i64(),
            end.of_kind("", "pods").len(),
            alarms.join(" "),
            scaling["activities"][0]["statusCode"]
                .as_str()
                .map(str::to_owned),
            scaling["notScaledReason"].as_str().map(str::to_owned),
            scalers.len(),
        )
    });
    let no = || None;
    let successful = || Some("Successful".to_owned());
    let because = |why: &str| Some(why.to_owned());
    let unknown = "INSUFFICIENT_DATA INSUFFICIENT_DATA";
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            (Some(2), 2, unknown.to_owned(), no(), no(), 0),
            (Some(2), 2, "OK OK".to_owned(), no(), no(), 0),
            (
                Some(4),
                4,
                "ALARM OK".to_owned(),
                successful(),
                because("InCooldown"),
                0
            ),
            (
                Some(4),
                4,
                "ALARM OK".to_owned(),
                successful(),
                because("InCooldown"),
                0
            ),
            (
                Some(4),
                4,
                "OK ALARM".to_owned(),
                successful(),
                because("InCooldown"),
                0
            ),
            (Some(4), 4, String::new(), successful(), no(), 1),
            (
                Some(4),
                4,
                "OK ALARM".to_owned(),
                successful(),
                because("InCooldown"),
                0
            ),
            (Some(3), 3, String::new(), successful(), no(), 0),
        ]
    );
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

/// The last user of a claim gives it up, as it knows it, while another one may have joined.
#[test]
fn a_claim_that_another_one_has_joined_is_not_deleted() {
    let ends = undisturbed(service::a_shared_volume().acts.iter().take(1));
    let (place, claim) = ends[0].of_kind("", "persistentvolumeclaims").remove(0);
    let child: Child = serde_json::from_value(Value::clone(&claim)).expect("it is a claim");
    let kind = ChildKind::of("v1", "PersistentVolumeClaim").expect("it is a kind of child");
    let (children, key) = (Children::default(), Key::of(kind, &child));
    let _nobody_waits = children.observe(kind, &child);
    let known = children.get(&key).expect("it was observed");
    let [last] = &*known.owners else {
        panic!("it has one owner");
    };
    let released_after = |joined: Option<Value>| {
        let server = ApiServer::new(ends[0].clone());
        let owners = |claim: &mut Value| claim["metadata"]["ownerReferences"] = json!(joined);
        if joined.is_some() {
            server.with(|store| store.change(&place, owners));
        }
        let released = in_no_time(async { release(&server.client(), &key, &known, last).await });
        (
            released.map_err(|error| error.code()),
            claims(&server.store()),
        )
    };
    assert_eq!(released_after(None), (Ok(()), Vec::new()));
    let joined = json!([last, {"apiVersion": "ecs-operator.dev/v1alpha1", "kind": "EcsTask", "name": "two", "uid": "2"}]);
    let stays = vec![place.name.clone()];
    assert_eq!(released_after(Some(joined)), (Err(Some(409)), stays));
}
