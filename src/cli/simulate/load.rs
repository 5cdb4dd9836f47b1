//! The load of a simulation, from a CSV file.

use std::{fs, path::Path};

use crate::{
    cli::Error,
    decide::scaling::simulation::{Load, Loads},
    validate::{AutoScaling, Series},
};

/// The CloudWatch metrics that tasks share.
const SHARED: [&str; 3] = [
    "CPUUtilization",
    "MemoryUtilization",
    "RequestCountPerTarget",
];
/// The first column.
const MINUTE: &str = "minute";
/// A column for all policies.
const ALL: &str = "load";

/// Reads the loads of a service: a column of minutes, and a column for each policy, named like it or like an alarm of it,
/// or one for all, named `load`.
///
/// # Errors
///
/// When the file cannot be read, or is not such a file.
pub(super) fn loads(path: &Path, scaling: &AutoScaling) -> Result<Loads, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_path_buf(),
        source,
    })?;
    parsed(&text, scaling).map_err(|why| Error::Simulation(format!("{}: {why}", path.display())))
}

fn parsed(text: &str, scaling: &AutoScaling) -> Result<Loads, String> {
    let table = Table::read(text)?;
    let is_shared = |series: &Series| match series {
        Series::CloudWatch(metric) => SHARED.contains(&metric.name.as_str()),
        // What is divided by the tasks is shared.
        series => series.needs_tasks(),
    };
    let targets = scaling.policies.iter().map(|policy| {
        let series = Series::tracked(&policy.metric);
        (policy.index, [&policy.name; 2], is_shared(&series))
    });
    let steps = scaling.step_policies.iter().map(|policy| {
        let is_shared = is_shared(&policy.alarm.series);
        let names = [&policy.trigger.name, &policy.name];
        (policy.trigger.points, names, is_shared)
    });
    let mut loads = Loads::default();
    for (index, names, is_shared) in targets.chain(steps) {
        let points = table.column(names)?;
        let most = loads.of_policies.len().max(index + 1);
        loads.of_policies.resize(most, None);
        if let Some(place) = loads.of_policies.get_mut(index) {
            *place = Some(Load { points, is_shared });
        }
    }
    if loads.of_policies.is_empty() {
        return Err("the service has no policy that looks at a load".to_owned());
    }
    Ok(loads)
}

/// The minutes and values of a column.
type Points = Vec<(i64, f64)>;

/// The columns of a file.
struct Table<'t> {
    columns: Vec<(&'t str, Points)>,
    /// The number of the line that was read last.
    line: usize,
}

impl<'t> Table<'t> {
    fn read(text: &'t str) -> Result<Self, String> {
        let mut lines = text.lines().zip(1..);
        let mut lines = lines.by_ref().filter(|(line, _)| !line.trim().is_empty());
        let (head, line) = lines.next().ok_or("it is empty")?;
        let mut names = head.split(',').map(str::trim);
        if names.next() != Some(MINUTE) {
            return Err("its first line has to name the columns, and begin with minute".to_owned());
        }
        let mut table = Self {
            columns: names.map(|name| (name, Points::new())).collect(),
            line,
        };
        for (text, line) in lines {
            table.line = line;
            table.add(text)?;
        }
        Ok(table)
    }

    /// Adds a line of numbers.
    fn add(&mut self, text: &str) -> Result<(), String> {
        let Self { columns, line } = self;
        let count = columns.len() + 1;
        let numbers = text.split(',').map(|value| value.trim().parse().ok());
        let numbers: Option<Vec<f64>> = numbers.collect();
        let numbers = numbers.filter(|it| it.len() == count && it.iter().all(|it| it.is_finite()));
        let wrong = || format!("line {line}: {text:?} has not {count} numbers");
        let numbers = numbers.ok_or_else(wrong)?;
        let (minute, values) = numbers.split_first().ok_or_else(wrong)?;
        let last = columns.first().and_then(|(_, points)| points.last());
        let least = last.map_or(0, |(last, _)| last + 1);
        let minute = (least..=MOST_MINUTES)
            .contains(&whole(*minute))
            .then(|| whole(*minute));
        let minute = minute
            .ok_or_else(|| format!("line {line}: minutes have to rise, up to {MOST_MINUTES}"))?;
        for ((_, points), value) in columns.iter_mut().zip(values) {
            points.push((minute, *value));
        }
        Ok(())
    }

    /// Returns the column of an alarm, or else of its policy, or else that of all.
    fn column(&self, [alarm, policy]: [&String; 2]) -> Result<Points, String> {
        let of = |name: &str| self.columns.iter().find(|(it, _)| *it == name);
        let found = of(alarm).or_else(|| of(policy)).or_else(|| of(ALL));
        let found = found.filter(|(_, points)| !points.is_empty());
        found
            .map(|(_, points)| points.clone())
            .ok_or_else(|| format!("no column is named {policy} or {ALL}, or it has no numbers"))
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "what is too large is refused"
)]
const fn whole(minute: f64) -> i64 {
    minute as i64
}

/// The longest simulation: a year.
const MOST_MINUTES: i64 = 366 * 24 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::Metric;
    use crate::validate::TargetTracking;

    fn scaling() -> AutoScaling {
        let policy = |index: usize, name: &str, metric: Metric| TargetTracking {
            index,
            name: name.to_owned(),
            metric,
            target_value: 50.0,
            scale_out_cooldown: None,
            scale_in_cooldown: None,
            disable_scale_in: false,
            replaced_steps: None,
        };
        AutoScaling {
            policies: vec![
                policy(0, "cpu", Metric::Cpu),
                policy(1, "memory", Metric::Memory),
            ],
            ..AutoScaling::default()
        }
    }

    #[test]
    fn each_policy_has_its_column_or_the_one_for_all() {
        let loads =
            parsed("minute, load,memory\n0, 1, 2\n\n5,3,4\n", &scaling()).expect("it is read");
        let points: Vec<_> = loads
            .of_policies
            .iter()
            .flatten()
            .map(|it| it.points.clone())
            .collect();
        assert_eq!(points, [vec![(0, 1.0), (5, 3.0)], vec![(0, 2.0), (5, 4.0)]]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, why) in [
            ("", "it is empty"),
            (
                "load\n1",
                "its first line has to name the columns, and begin with minute",
            ),
            (
                "minute,cpu\n0,1",
                "no column is named memory or load, or it has no numbers",
            ),
            (
                "minute,load",
                "no column is named cpu or load, or it has no numbers",
            ),
            ("minute,load\n0,1\n1,x", "line 3: \"1,x\" has not 2 numbers"),
            ("minute,load\n0,1,2", "line 2: \"0,1,2\" has not 2 numbers"),
            ("minute,load\n0,NaN", "line 2: \"0,NaN\" has not 2 numbers"),
            (
                "minute,load\n5,1\n5,1",
                "line 3: minutes have to rise, up to 527040",
            ),
            (
                "minute,load\n-1,1",
                "line 2: minutes have to rise, up to 527040",
            ),
        ] {
            assert_eq!(parsed(text, &scaling()), Err(why.to_owned()), "{text}");
        }
        let none = parsed("minute,load\n0,1", &AutoScaling::default());
        assert!(none.is_err());
    }
}
