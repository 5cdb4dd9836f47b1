//! Counts of requests, and the results of targets.

use std::{collections::BTreeMap, fmt, time::Duration};

/// The number of requests of each type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<String, u64>);

impl Counts {
    /// Returns the series of a metric, in the format of Prometheus, summed by the result of `label` for their labels;
    /// series for which it returns `None` are omitted.
    pub fn of(
        text: &str,
        metric: &str,
        label: impl Fn(&dyn Fn(&str) -> String) -> Option<String>,
    ) -> Self {
        let mut counts = BTreeMap::new();
        for line in text.lines() {
            let Some((labels, value)) = line
                .strip_prefix(metric)
                .and_then(|rest| rest.strip_prefix('{')?.rsplit_once("} "))
            else {
                continue;
            };
            let find = |name: &str| {
                let start = format!("{name}=\"");
                let found = labels.split_once(&start).map(|(_, rest)| rest);
                found
                    .and_then(|rest| rest.split('"').next())
                    .unwrap_or_default()
                    .to_owned()
            };
            if let Some(name) = label(&find) {
                *counts.entry(name).or_default() += value.parse::<f64>().unwrap_or(0.0) as u64;
            }
        }
        Self(counts)
    }

    /// Returns what was added since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let added = self.0.iter().filter_map(|(name, count)| {
            let before = before.0.get(name).copied().unwrap_or(0);
            (*count > before).then(|| (name.clone(), count - before))
        });
        Self(added.collect())
    }

    /// Returns the total.
    pub fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    /// Splits the counts into those with these names and all others.
    pub fn split(&self, names: &[&str]) -> (Self, Self) {
        let (these, others) = self
            .0
            .clone()
            .into_iter()
            .partition(|(name, _)| names.contains(&name.as_str()));
        (Self(these), Self(others))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, (name, count)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {name}")?;
        }
        Ok(())
    }
}

/// Returns whether a target was met, in words.
pub fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "broken" }
}

/// Formats a time in milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
