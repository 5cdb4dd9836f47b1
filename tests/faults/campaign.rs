//! All that goes wrong in all scenarios, or a part of it.

use std::{collections::BTreeMap, env, str::FromStr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use ecs_operator_testbed::ControlPlane;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    injection::Fault,
    mode::{self, Mode},
    normal::Verdict,
    observe,
    report::{Report, Tried},
    request::Point,
    scenario::{self, Scenario},
    support::{OPERATOR, install},
    trial::{self, Outcome, World},
};

/// What is tried, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names of scenarios; empty for all.
    pub scenarios: Vec<String>,
    /// The names of modes; empty for all.
    pub modes: Vec<String>,
    /// Only the request with this number, from 1.
    pub point: Option<usize>,
    /// How many are tried of all that there are.
    pub sample: Option<usize>,
    /// How many runs there are at a time.
    pub jobs: usize,
    /// How long a request is delayed.
    pub delay: Duration,
}

impl Options {
    /// Those that `cargo xtask faults` hands on.
    pub fn from_environment() -> Result<Self> {
        let text = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
        let list = |name: &str| -> Vec<String> {
            let text = text(name).unwrap_or_default();
            let parts = text.split(',').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        let number = |name: &str| {
            let number = text(name).map(|text| usize::from_str(&text));
            number
                .transpose()
                .with_context(|| format!("{name} is no number"))
        };
        Ok(Self {
            scenarios: list("FAULTS_SCENARIO"),
            modes: list("FAULTS_MODE"),
            point: number("FAULTS_POINT")?,
            sample: number("FAULTS_SAMPLE")?,
            jobs: number("FAULTS_JOBS")?.unwrap_or(4).max(1),
            delay: Duration::from_secs(number("FAULTS_DELAY")?.unwrap_or(35) as u64),
        })
    }

    fn scenarios(&self) -> Result<Vec<&'static Scenario>> {
        let names: Vec<&str> = scenario::ALL.iter().map(|it| it.name).collect();
        if let Some(unknown) = unknown(&self.scenarios, &names) {
            bail!("no scenario {unknown}; there are: {}", names.join(", "));
        }
        let chosen = scenario::ALL.iter().copied();
        Ok(chosen
            .filter(|it| {
                self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == it.name)
            })
            .collect())
    }

    fn modes(&self) -> Result<Vec<Mode>> {
        let names: Vec<&str> = mode::ALL.iter().map(|mode| mode.name()).collect();
        if let Some(unknown) = unknown(&self.modes, &names) {
            bail!("no mode {unknown}; there are: {}", names.join(", "));
        }
        let chosen = mode::ALL.iter().copied();
        Ok(chosen
            .filter(|mode| {
                self.modes.is_empty() || self.modes.iter().any(|name| name == mode.name())
            })
            .collect())
    }
}

fn unknown<'n>(chosen: &'n [String], names: &[&str]) -> Option<&'n String> {
    chosen.iter().find(|name| !names.contains(&name.as_str()))
}

/// An undisturbed run.
struct Baseline {
    scenario: &'static Scenario,
    outcome: Outcome,
}

/// Something that is to be tried: a fault in a scenario, and the number of its request.
struct Try<'b> {
    baseline: &'b Baseline,
    mode: Mode,
    number: Option<usize>,
}

impl Try<'_> {
    fn point(&self) -> Option<&Point> {
        let index = self.number?.checked_sub(1)?;
        self.baseline.outcome.points.get(index)
    }
}

/// Tries what is asked for, and tells how all of it ended.
pub async fn run(options: &Options) -> Result<Report> {
    let (scenarios, modes) = (options.scenarios()?, options.modes()?);
    let world = world(options).await?;
    let mut report = Report::default();
    let baselines: Vec<Baseline> = stream::iter(scenarios)
        .map(|scenario| baseline(&world, scenario))
        .buffered(options.jobs)
        .try_collect()
        .await?;
    for baseline in &baselines {
        report.begin(baseline.scenario.name, baseline.outcome.points.len());
    }
    // A second undisturbed run tells whether the scenario ends the same each time.
    let controls: Vec<Tried> = stream::iter(&baselines)
        .map(|baseline| control(&world, baseline))
        .buffered(options.jobs)
        .try_collect()
        .await?;
    for control in controls {
        println!("{}", control.line());
        report.control(&control);
    }
    let tries = match options.sample {
        Some(count) => sample(&baselines, &modes, count),
        None => all(&baselines, &modes, options.point),
    };
    println!("{} runs", tries.len());
    let mut outcomes = stream::iter(tries)
        .map(|it| disturbed(&world, it))
        .buffer_unordered(options.jobs);
    while let Some(tried) = outcomes.next().await {
        println!("{}", tried.line());
        report.add(&tried);
    }
    Ok(report)
}

async fn world(options: &Options) -> Result<World> {
    let plane = ControlPlane::shared().await?;
    install(plane).await?;
    plane.apply(OPERATOR, LEASES).await?;
    let client = plane.client().await?;
    let kubeconfig = plane
        .kubeconfig_for_service_account(OPERATOR, OPERATOR)
        .await?;
    let kinds = Arc::new(observe::kinds(&client).await?);
    Ok(World {
        plane,
        client,
        kubeconfig,
        kinds,
        delay: options.delay,
    })
}

/// Each run has its lease in its own namespace. Without tests the operator has these rights in one namespace only.
const LEASES: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: leases-of-runs}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: leases-of-runs}
subjects: [{kind: ServiceAccount, name: ecs-operator, namespace: ecs-operator}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: leases-of-runs}
rules:
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, update]}
";

async fn baseline(world: &World, scenario: &'static Scenario) -> Result<Baseline> {
    let outcome = trial::run(world, scenario, None, None)
        .await
        .with_context(|| scenario.name)?;
    ensure!(
        outcome.errors.is_empty(),
        "undisturbed, {} does not come to its end: {}",
        scenario.name,
        outcome.errors.join("; ")
    );
    println!(
        "{} has {} requests ({:.0} s)",
        scenario.name,
        outcome.points.len(),
        outcome.took.as_secs_f64()
    );
    Ok(Baseline { scenario, outcome })
}

async fn control(world: &World, baseline: &Baseline) -> Result<Tried> {
    let expected = &baseline.outcome.state;
    let outcome = trial::run(world, baseline.scenario, None, Some(expected)).await?;
    Ok(tried(baseline, outcome))
}

async fn disturbed(world: &World, it: Try<'_>) -> Tried {
    let expected = &it.baseline.outcome.state;
    let point = it.point().cloned();
    let fault = Fault {
        mode: it.mode,
        point: point.clone(),
    };
    let outcome = trial::run(world, it.baseline.scenario, Some(fault), Some(expected)).await;
    // What breaks one run does not keep the others from being tried.
    let outcome = outcome.unwrap_or_else(Outcome::broken);
    Tried {
        mode: it.mode.name(),
        number: it.number,
        reached: point.is_none() || outcome.struck,
        point: point.map(|point| point.to_string()),
        ..tried(it.baseline, outcome)
    }
}

/// Compares the end of a run with the undisturbed one.
fn tried(baseline: &Baseline, outcome: Outcome) -> Tried {
    let difference = baseline.outcome.state.difference(&outcome.state);
    let verdict = if outcome.errors.is_empty() {
        difference.verdict()
    } else {
        Verdict::Objects
    };
    Tried {
        scenario: baseline.scenario.name,
        mode: "undisturbed",
        number: None,
        reached: true,
        point: None,
        verdict,
        errors: outcome.errors,
        difference: difference.to_string(),
        took: outcome.took,
    }
}

/// The numbers of the requests at which a mode makes sense: an answer of 409 is one to a write.
fn numbers(baseline: &Baseline, mode: Mode) -> Vec<Option<usize>> {
    if !mode.has_points() {
        return vec![None];
    }
    let points = baseline.outcome.points.iter().enumerate();
    points
        .filter(|(_, point)| mode != Mode::Conflict || point.writes())
        .map(|(index, _)| Some(index + 1))
        .collect()
}

fn all<'b>(baselines: &'b [Baseline], modes: &[Mode], only: Option<usize>) -> Vec<Try<'b>> {
    let mut tries = Vec::new();
    for baseline in baselines {
        for mode in modes {
            for number in numbers(baseline, *mode) {
                if only.is_none() || number.is_none() || number == only {
                    tries.push(Try {
                        baseline,
                        mode: *mode,
                        number,
                    });
                }
            }
        }
    }
    tries
}

/// A part that has something of each scenario, each mode, and all of the length of each: the scenarios in turn, with
/// the modes in turn, and the requests by the golden section, which comes near to each of them soonest.
fn sample<'b>(baselines: &'b [Baseline], modes: &[Mode], count: usize) -> Vec<Try<'b>> {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    // So that a scenario has modes that are not alike, and each of them in time.
    let stride = if modes.len().is_multiple_of(5) { 3 } else { 5 };
    let mut chosen = BTreeMap::new();
    for index in 0..count {
        let (row, column) = (
            index / baselines.len().max(1),
            index % baselines.len().max(1),
        );
        let (Some(baseline), Some(mode)) = (
            baselines.get(column),
            modes.get((column + stride * row) % modes.len().max(1)),
        ) else {
            continue;
        };
        let numbers = numbers(baseline, *mode);
        let part = (GOLDEN * (index + 1) as f64).fract();
        let place = (part * numbers.len() as f64) as usize;
        if let Some(number) = numbers.get(place) {
            chosen.insert((column, mode.name(), *number), (baseline, *mode));
        }
    }
    chosen
        .into_iter()
        .map(|((_, _, number), (baseline, mode))| Try {
            baseline,
            mode,
            number,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::normal::State;

    fn baseline(scenario: &'static Scenario, points: usize) -> Baseline {
        let point = |earlier| Point {
            name: "PATCH deployments/web".to_owned(),
            earlier,
        };
        Baseline {
            scenario,
            outcome: Outcome {
                points: (0..points).map(point).collect(),
                struck: false,
                state: State::default(),
                errors: Vec::new(),
                took: Duration::ZERO,
            },
        }
    }

    #[test]
    fn a_sample_has_something_of_everything_and_is_always_the_same() {
        let baselines: Vec<Baseline> = scenario::ALL.iter().map(|it| baseline(it, 20)).collect();
        let chosen = || {
            sample(&baselines, mode::ALL, 40)
                .iter()
                .map(|it| (it.baseline.scenario.name, it.mode.name(), it.number))
                .collect::<BTreeSet<_>>()
        };
        let first = chosen();
        assert_eq!(first, chosen());
        assert_eq!(first.len(), 40);
        let scenarios: BTreeSet<_> = first.iter().map(|it| it.0).collect();
        assert_eq!(scenarios.len(), scenario::ALL.len());
        let modes: BTreeSet<_> = first.iter().map(|it| it.1).collect();
        assert_eq!(modes.len(), mode::ALL.len());
        let numbers: BTreeSet<_> = first.iter().filter_map(|it| it.2).collect();
        assert!(numbers.len() > 15, "{numbers:?}");
    }

    #[test]
    fn a_large_sample_has_each_mode_in_each_scenario() {
        let baselines: Vec<Baseline> = scenario::ALL.iter().map(|it| baseline(it, 20)).collect();
        for modes in [&mode::ALL[..5], &mode::ALL[..10], mode::ALL] {
            let pairs = baselines.len() * modes.len();
            let chosen: BTreeSet<_> = sample(&baselines, modes, pairs)
                .iter()
                .map(|it| (it.baseline.scenario.name, it.mode.name()))
                .collect();
            assert_eq!(chosen.len(), pairs);
        }
    }

    #[test]
    fn each_mode_is_tried_at_each_request() {
        let baselines = [baseline(scenario::ALL[0], 3)];
        let tries = all(&baselines, mode::ALL, None);
        let at_requests = mode::ALL.iter().filter(|mode| mode.has_points()).count();
        assert_eq!(tries.len(), at_requests * 3 + mode::ALL.len() - at_requests);
        assert!(
            tries
                .iter()
                .all(|it| it.number.is_none() == it.point().is_none())
        );
    }
}
