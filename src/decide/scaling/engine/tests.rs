//! The worked examples of step scaling, and what holds for any history.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::{
    decide::scaling::target::{Point, States, states},
    validate::Step,
};

/// A step scaling policy with its alarm and its cooldown.
struct Example {
    name: &'static str,
    policy: StepScaling,
    threshold: f64,
    upward: bool,
    /// Whether the threshold itself breaches the alarm.
    inclusive: bool,
    cooldown: i64,
}

fn example(
    name: &'static str,
    alarm: (&str, f64),
    adjustment: Adjustment,
    steps: &[(Option<f64>, Option<f64>, i64)],
    cooldown: i64,
) -> Example {
    let steps = steps.iter();
    let steps = steps.map(|&(lower, upper, by)| Step { lower, upper, by });
    Example {
        name,
        policy: StepScaling {
            adjustment,
            steps: steps.collect(),
        },
        threshold: alarm.1,
        upward: alarm.0.starts_with('>'),
        inclusive: alarm.0.ends_with('='),
        cooldown,
    }
}

fn examples() -> Vec<Example> {
    use Adjustment::{Change, Exact, Percent};
    let low = [
        (Some(-10.0), Some(0.0), 0),
        (Some(-20.0), Some(-10.0), -10),
        (None, Some(-20.0), -30),
    ];
    let high = [
        (Some(0.0), Some(10.0), 0),
        (Some(10.0), Some(20.0), 10),
        (Some(20.0), None, 30),
    ];
    let three = [
        (Some(0.0), Some(15.0), 1),
        (Some(15.0), Some(25.0), 2),
        (Some(25.0), None, 3),
    ];
    let exact = [
        (Some(0.0), Some(400.0), 2),
        (Some(400.0), Some(900.0), 5),
        (Some(900.0), None, 10),
    ];
    vec![
        example("P1", (">", 50.0), Percent(None), &high, 300),
        example("P2", ("<", 50.0), Percent(None), &low, 300),
        example("P3", (">=", 70.0), Change, &three, 60),
        example("P4", (">=", 100.0), Exact, &exact, 300),
        example(
            "P5",
            (">=", 60.0),
            Percent(Some(2)),
            &[(Some(0.0), None, 25)],
            300,
        ),
        example("P6", ("<=", 30.0), Change, &[(None, Some(0.0), -1)], 300),
        example(
            "P7",
            ("<=", 20.0),
            Percent(Some(2)),
            &[(None, Some(0.0), -25)],
            300,
        ),
    ]
}

impl Example {
    /// Returns the policy at a value of its metric.
    fn at(&self, metric: f64) -> Policy<'_> {
        let distance = metric - self.threshold;
        let beyond = if self.upward { distance } else { -distance };
        let breaches = beyond > 0.0 || (self.inclusive && beyond >= 0.0);
        Policy {
            name: self.name,
            trigger: None,
            kind: Kind::Step {
                policy: &self.policy,
                state: if breaches { State::Alarm } else { State::Ok },
                upward: self.upward,
                distance: Some(distance),
            },
            out_cooldown: self.cooldown,
            in_cooldown: self.cooldown,
        }
    }
}

const fn service((min, max): (i64, i64), (running, desired): (i64, i64)) -> Service {
    Service {
        range: Range { min, max },
        running,
        desired,
        deploying: false,
        out_suspended: false,
        in_suspended: false,
    }
}

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Returns the moment that is this many seconds after the first one.
fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

/// A change from one number of tasks to another one this many seconds ago, with a cooldown.
fn activity((from, to): (i64, i64), ago: i64, cooldown: i64) -> Option<Activity> {
    Some(Activity {
        policy: "before".to_owned(),
        trigger: None,
        base: from,
        result: to,
        until: after(cooldown - ago),
    })
}

fn of_out(change: (i64, i64), ago: i64, cooldown: i64) -> Memory {
    Memory {
        out: activity(change, ago, cooldown),
        into: None,
    }
}

fn of_in(change: (i64, i64), ago: i64, cooldown: i64) -> Memory {
    Memory {
        out: None,
        into: activity(change, ago, cooldown),
    }
}

/// Returns how many tasks are desired after a decision of these policies at these values of their metrics.
fn desired(service: &Service, at: &[(&str, f64)], memory: &Memory) -> (i64, Option<NotScaled>) {
    let examples = examples();
    let policies: Vec<Policy<'_>> = at
        .iter()
        .map(|(name, metric)| {
            let found = examples.iter().find(|example| example.name == *name);
            found.expect("it is an example").at(*metric)
        })
        .collect();
    match decide(service, &policies, memory, NOW).0 {
        Decision::Stay => (service.desired, None),
        Decision::Not(why) => (service.desired, Some(why)),
        Decision::Scale(activity) => (activity.result, None),
    }
}

#[test]
fn a_policy_leads_to_these_numbers() {
    use NotScaled::{AlreadyAtDesiredCapacity, AlreadyAtMaxCapacity, AlreadyAtMinCapacity};
    // The rows of a worked table; the first and the third number are from the guide of AWS.
    for (row, policy, range, counts, metric, expected, why) in [
        (1, "P1", (1, 20), (10, 10), 60.0, 11, None),
        (2, "P1", (1, 20), (11, 11), 70.0, 14, None),
        (3, "P2", (1, 20), (14, 14), 40.0, 13, None),
        (4, "P2", (1, 20), (13, 13), 30.0, 10, None),
        (5, "P1", (1, 20), (10, 10), 55.0, 10, None),
        (6, "P1", (1, 20), (10, 10), 49.0, 10, None),
        (7, "P2", (1, 20), (10, 10), 40.0, 9, None),
        (8, "P2", (1, 20), (10, 10), 40.1, 10, None),
        (9, "P3", (1, 10), (3, 3), 70.0, 4, None),
        (10, "P3", (1, 10), (3, 3), 85.0, 5, None),
        (11, "P3", (1, 10), (3, 3), 94.9, 5, None),
        (12, "P3", (1, 10), (3, 3), 95.0, 6, None),
        (13, "P3", (1, 10), (9, 9), 99.0, 10, None),
        (
            14,
            "P3",
            (1, 10),
            (10, 10),
            99.0,
            10,
            Some(AlreadyAtMaxCapacity),
        ),
        (15, "P4", (0, 10), (3, 3), 500.0, 5, None),
        (16, "P4", (0, 10), (0, 0), 150.0, 2, None),
        (17, "P4", (0, 8), (3, 3), 2000.0, 8, None),
        (18, "P4", (0, 10), (7, 7), 500.0, 5, None),
        (19, "P5", (1, 20), (4, 4), 61.0, 6, None),
        (20, "P5", (1, 20), (9, 9), 61.0, 11, None),
        (21, "P5", (1, 100), (40, 40), 61.0, 50, None),
        (22, "P5", (0, 20), (0, 0), 61.0, 2, None),
        (23, "P6", (2, 10), (3, 3), 30.0, 2, None),
        (
            24,
            "P6",
            (2, 10),
            (2, 2),
            10.0,
            2,
            Some(AlreadyAtMinCapacity),
        ),
        (25, "P7", (1, 20), (4, 4), 10.0, 2, None),
        (26, "P7", (1, 20), (20, 20), 10.0, 15, None),
        (27, "P1", (1, 20), (10, 12), 70.0, 13, None),
        (
            28,
            "P3",
            (1, 10),
            (4, 6),
            86.0,
            6,
            Some(AlreadyAtDesiredCapacity),
        ),
        (29, "P3", (5, 10), (2, 2), 71.0, 5, None),
    ] {
        let found = desired(
            &service(range, counts),
            &[(policy, metric)],
            &Memory::default(),
        );
        assert_eq!(found, (expected, why), "row {row}");
    }
}

#[test]
fn cooldowns_hold_back_what_is_not_more_than_before() {
    use NotScaled::InCooldown;
    for (row, policy, range, counts, metric, memory, expected, why) in [
        (
            30,
            "P3",
            (1, 20),
            (12, 12),
            90.0,
            of_out((10, 12), 20, 60),
            12,
            Some(InCooldown),
        ),
        (
            31,
            "P3",
            (1, 20),
            (12, 12),
            96.0,
            of_out((10, 12), 20, 60),
            13,
            None,
        ),
        (
            32,
            "P3",
            (1, 20),
            (11, 12),
            75.0,
            of_out((10, 12), 20, 60),
            12,
            Some(InCooldown),
        ),
        (
            33,
            "P3",
            (1, 20),
            (12, 12),
            90.0,
            of_out((10, 12), 61, 60),
            14,
            None,
        ),
        (
            34,
            "P1",
            (1, 40),
            (10, 11),
            75.0,
            of_out((10, 11), 60, 300),
            13,
            None,
        ),
        (
            35,
            "P6",
            (1, 20),
            (12, 12),
            20.0,
            of_out((10, 12), 20, 60),
            12,
            Some(InCooldown),
        ),
        (
            36,
            "P6",
            (1, 20),
            (5, 5),
            20.0,
            of_in((6, 5), 100, 300),
            5,
            Some(InCooldown),
        ),
        (
            37,
            "P3",
            (1, 20),
            (5, 5),
            71.0,
            of_in((6, 5), 100, 300),
            6,
            None,
        ),
    ] {
        let found = desired(&service(range, counts), &[(policy, metric)], &memory);
        assert_eq!(found, (expected, why), "row {row}");
    }
}

#[test]
fn an_addition_ends_the_cooldown_of_a_removal() {
    let examples = examples();
    let [out, into] = [2, 5].map(|index: usize| &examples[index]);
    let counts = |tasks| service((1, 20), (tasks, tasks));
    let before = of_in((6, 5), 100, 300);
    let (decision, memory) = decide(&counts(5), &[out.at(71.0)], &before, NOW);
    assert!(matches!(decision, Decision::Scale(it) if it.result == 6));
    // Row 38: the cooldown of the removal would last 80 seconds longer.
    let (decision, _) = decide(&counts(6), &[into.at(20.0)], &memory, after(120));
    assert!(matches!(decision, Decision::Scale(it) if it.result == 5));
}

#[test]
fn a_deployment_or_a_suspension_holds_back() {
    let five = service((1, 20), (5, 5));
    let none = Memory::default();
    let deploying = Service {
        deploying: true,
        ..five
    };
    let suspended = Service {
        out_suspended: true,
        ..five
    };
    let never_in = Service {
        in_suspended: true,
        ..five
    };
    for (row, service, policy, expected, why) in [
        (
            39,
            deploying,
            ("P6", 20.0),
            5,
            Some(NotScaled::DeploymentInProgress),
        ),
        (40, deploying, ("P3", 71.0), 6, None),
        (41, suspended, ("P3", 71.0), 5, Some(NotScaled::Suspended)),
        (0, suspended, ("P6", 20.0), 4, None),
        (0, never_in, ("P6", 20.0), 5, Some(NotScaled::Suspended)),
    ] {
        assert_eq!(
            desired(&service, &[policy], &none),
            (expected, why),
            "row {row}"
        );
    }
}

#[test]
fn the_most_tasks_prevail() {
    let ten = service((1, 40), (10, 10));
    for (policies, expected) in [
        // Row 42.
        (&[("P1", 75.0), ("P3", 75.0)][..], 13),
        (&[("P3", 75.0), ("P1", 75.0)], 13),
        // Of several removals, the smallest.
        (&[("P6", 10.0), ("P7", 10.0)], 9),
        // Who wants more prevails.
        (&[("P6", 10.0), ("P3", 75.0)], 11),
    ] {
        assert_eq!(
            desired(&ten, policies, &Memory::default()).0,
            expected,
            "{policies:?}"
        );
    }
}

#[test]
fn what_is_outside_of_the_range_comes_back_to_it_first() {
    let none = Memory::default();
    for (counts, policy, expected) in [
        ((2, 2), ("P3", 99.0), 5),
        ((2, 2), ("P6", 10.0), 2),
        ((12, 12), ("P7", 10.0), 10),
        ((12, 12), ("P3", 99.0), 12),
    ] {
        let found = desired(&service((5, 10), counts), &[policy], &none);
        assert_eq!(found.0, expected, "{counts:?} {policy:?}");
    }
}

/// Target tracking with its points, for one decision.
struct Tracking {
    target: f64,
    points: Vec<Minute<Point>>,
    states: States,
    disable_scale_in: bool,
}

impl Tracking {
    fn of(target: f64, metric: Option<f64>, minutes: usize) -> Self {
        let point = Minute::from(metric).map(|metric| Point { metric, tasks: 9 });
        let points = vec![point; minutes];
        Self {
            target,
            states: states(target, &points, States::default()),
            points,
            disable_scale_in: false,
        }
    }

    fn policy(&self) -> Policy<'_> {
        Policy {
            name: "target",
            trigger: None,
            kind: Kind::Target {
                target: self.target,
                points: &self.points,
                states: self.states,
                disable_scale_in: self.disable_scale_in,
            },
            out_cooldown: 300,
            in_cooldown: 300,
        }
    }
}

#[test]
fn target_tracking_removes_tasks_only_if_each_policy_wants_that() {
    let nine = service((1, 20), (9, 9));
    let low = Tracking::of(50.0, Some(5.0), 15);
    let steady = Tracking::of(50.0, Some(48.0), 15);
    let unknown = Tracking::of(50.0, None, 15);
    let high = Tracking::of(50.0, Some(60.0), 3);
    let never = Tracking {
        disable_scale_in: true,
        ..Tracking::of(50.0, Some(48.0), 15)
    };
    let decided = |of: &[&Tracking]| {
        let policies: Vec<_> = of.iter().map(|it| it.policy()).collect();
        match decide(&nine, &policies, &Memory::default(), NOW).0 {
            Decision::Scale(activity) => activity.result,
            Decision::Stay | Decision::Not(_) => nine.desired,
        }
    };
    assert_eq!(decided(&[&low]), 1);
    assert_eq!(decided(&[&low, &steady]), 9);
    assert_eq!(decided(&[&low, &unknown]), 9);
    assert_eq!(decided(&[&low, &never]), 1);
    assert_eq!(decided(&[&low, &high]), 11);
    let disabled = Tracking {
        disable_scale_in: true,
        ..Tracking::of(50.0, Some(5.0), 15)
    };
    assert_eq!(decided(&[&disabled]), 9);
}

#[test]
fn tasks_that_have_not_started_are_not_asked_for_twice() {
    // 14 tasks are enough for this load, and 10 of them run.
    let waiting = service((1, 20), (10, 14));
    let mut busy = Tracking::of(50.0, Some(70.0), 3);
    for point in &mut busy.points {
        *point = point.map(|point| Point { tasks: 10, ..point });
    }
    let (decision, _) = decide(&waiting, &[busy.policy()], &Memory::default(), NOW);
    assert_eq!(decision, Decision::Not(NotScaled::AlreadyAtDesiredCapacity));
}

/// Scales a service minute by minute. `load` is what one task alone would have as its metric.
fn run(loads: &[f64], range: (i64, i64), first: i64) -> Vec<i64> {
    let (mut memory, mut tasks) = (Memory::default(), first);
    let (mut points, mut alarms) = (Vec::new(), States::default());
    let mut seen = Vec::new();
    for (minute, load) in loads.iter().enumerate() {
        #[allow(clippy::cast_precision_loss, reason = "the numbers are small")]
        let metric = load / tasks as f64;
        let point = (tasks > 0).then_some(Point { metric, tasks });
        points.push(Minute::from(point));
        alarms = states(50.0, &points, alarms);
        let tracking = Tracking {
            target: 50.0,
            points: points.clone(),
            states: alarms,
            disable_scale_in: false,
        };
        let now = after(60 * i64::try_from(minute).expect("it is small"));
        let service = service(range, (tasks, tasks));
        let decided = decide(&service, &[tracking.policy()], &memory, now);
        memory = decided.1;
        if let Decision::Scale(activity) = decided.0 {
            tasks = activity.result;
        }
        seen.push(tasks);
    }
    seen
}

proptest! {
    #[test]
    fn the_count_stays_in_its_range(
        loads in prop::collection::vec(0.0..2000.0_f64, 1..120),
        min in 0_i64..5, more in 0_i64..20,
    ) {
        let range = (min, min + more);
        for tasks in run(&loads, range, min) {
            prop_assert!(range.0 <= tasks && tasks <= range.1);
        }
    }

    #[test]
    fn a_constant_load_comes_to_rest(load in 0.0..2000.0_f64, first in 1_i64..20) {
        let seen = run(&[load; 120], (1, 20), first);
        let (_, late) = seen.split_at(60);
        prop_assert!(late.iter().all(|tasks| Some(tasks) == late.first()), "{:?}", seen);
    }

    #[test]
    fn tasks_are_never_removed_within_a_cooldown(
        loads in prop::collection::vec(0.0..2000.0_f64, 1..240),
    ) {
        let seen = run(&loads, (1, 20), 10);
        let changes: Vec<(usize, bool)> = seen
            .windows(2)
            .enumerate()
            .filter(|(_, pair)| pair[0] != pair[1])
            .map(|(minute, pair)| (minute, pair[1] < pair[0]))
            .collect();
        for pair in changes.windows(2) {
            // Five minutes after any change.
            prop_assert!(!pair[1].1 || pair[1].0 - pair[0].0 >= 5, "{:?}", seen);
        }
    }
}
