//! What is measured for one policy of a service.

use crate::{
    decide::scaling::{minute::Minute, target::Point},
    validate::{CloudWatchMetric, Series},
};

/// How many minutes after its time CloudWatch is asked for a minute.
const DELAY: usize = 2;
/// How many minutes of a metric are kept beside a period, because values of CloudWatch arrive late.
const RETAINED: usize = 12;

/// For how many minutes a metric has to be unknown before that is trouble.
const TROUBLE: usize = 3;
/// For how many minutes a metric of CloudWatch may have no value: some are published every five minutes, and some arrive
/// late.
const SILENCE: usize = 12;

/// A metric, by itself or as a part of metric math.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) series: Series,
    /// What has been measured in this minute.
    pub(super) samples: Vec<f64>,
    /// What is known of the last minutes, the newest last.
    pub(super) minutes: Vec<Minute<f64>>,
    /// Whether they are those of minutes that have been over for a while.
    pub(super) is_delayed: bool,
    /// Why the last sample was not taken.
    pub(super) failure: Option<String>,
    /// Whether its source has said in this minute that there is no value.
    pub(super) is_empty: bool,
}

/// Whether the values of a metric come.
#[derive(Clone, Copy, Default)]
pub(super) struct Supply {
    /// For how many minutes there has been no value, although there should have been one.
    silent: usize,
    /// For how many of these it could not be read.
    unread: usize,
    /// Whether there has been a value.
    was_known: bool,
}

impl Supply {
    const KNOWN: Self = Self {
        silent: 0,
        unread: 0,
        was_known: true,
    };

    /// Returns it after one more minute without a value.
    const fn after(self, is_read: bool) -> Self {
        Self {
            silent: self.silent + 1,
            unread: if is_read { 0 } else { self.unread + 1 },
            was_known: self.was_known,
        }
    }

    /// Returns it after a minute in which nothing could be measured.
    const fn idle(self) -> Self {
        Self {
            silent: 0,
            unread: 0,
            was_known: self.was_known,
        }
    }
}

/// What is measured for one policy.
#[derive(Clone)]
pub(super) struct OfPolicy {
    /// Its position.
    pub(super) index: usize,
    pub(super) series: Series,
    /// What it is calculated from.
    pub(super) parts: Vec<Part>,
    /// Whether it can be measured.
    pub(super) is_measured: bool,
    /// Whether a policy scales by it: alarms whose actions are disabled have a state, and nothing waits for it.
    pub(super) is_acted_on: bool,
    /// Whether target tracking follows it.
    pub(super) is_tracked: bool,
    /// The points, the newest last.
    pub(super) points: Vec<Minute<Point>>,
    /// Whether its values come.
    pub(super) supply: Supply,
}

impl OfPolicy {
    pub(super) fn new(series: Series) -> Self {
        Self {
            index: 0,
            parts: series.parts().iter().map(Part::new).collect(),
            series,
            is_measured: false,
            is_acted_on: false,
            is_tracked: false,
            points: Vec::new(),
            supply: Supply::default(),
        }
    }

    /// Turns what was measured in a minute into a point, given how many tasks ran in the last ones.
    pub(super) fn end_minute(&mut self, ran: &[i64], kept: usize) {
        let running = ago(ran, 0);
        let retained = self.length() + RETAINED;
        for part in &mut self.parts {
            part.end_minute(running, retained);
        }
        let point = self.point(ran, 1);
        self.points.push(point);
        let old = self.points.len().saturating_sub(kept);
        self.points.drain(..old);
        self.supply = match point {
            Minute::Value(_) => Supply::KNOWN,
            // Without a task, there may be nothing to measure.
            _ if running == 0 && self.series.needs_tasks() => self.supply.idle(),
            Minute::Empty => self.supply.after(true),
            Minute::Unknown => self.supply.after(false),
        };
    }

    /// Whether anything waits for its values.
    const fn is_awaited(&self) -> bool {
        self.is_measured && self.is_acted_on
    }

    /// Whether it has had a value, or none is awaited.
    pub(super) const fn was_known(&self) -> bool {
        self.supply.was_known || !self.is_awaited()
    }

    /// Whether it has never had a value, and should have had one. What has been known once may be late.
    pub(super) const fn waits_for_first_value(&self) -> bool {
        !self.was_known() && self.supply.silent > 0
    }

    /// Whether it has had no value for so long that its owner should know.
    pub(super) fn is_in_trouble(&self) -> bool {
        let patience = match (self.is_delayed(), self.supply.was_known) {
            (true, true) => SILENCE,
            (true, false) => SILENCE / 2,
            (false, _) => TROUBLE,
        };
        self.is_awaited() && (self.supply.silent >= patience || self.supply.unread >= TROUBLE)
    }

    /// Whether its points are those of minutes that have been over for a while.
    fn is_delayed(&self) -> bool {
        self.parts.iter().any(|part| part.is_delayed)
    }

    /// Returns how many minutes a value is calculated from.
    fn length(&self) -> usize {
        match &self.series {
            Series::Math(math) => math.minutes(),
            _ => 1,
        }
    }

    /// Returns the point of a minute: the newest one, or so many minutes before it less one.
    fn point(&self, ran: &[i64], age: usize) -> Minute<Point> {
        let before = age.saturating_sub(1) + if self.is_delayed() { DELAY } else { 0 };
        let tasks = ago(ran, before);
        let metric = self.metric(tasks, age);
        metric.map(|metric| Point { metric, tasks })
    }

    /// Returns the metric of a minute with so many tasks; metric math is that of the period that ends with it.
    fn metric(&self, tasks: i64, age: usize) -> Minute<f64> {
        let newer = age.saturating_sub(1);
        let Series::Math(math) = &self.series else {
            let part = self.parts.first();
            let minute = part.and_then(|part| part.minute(newer));
            return minute.unwrap_or(Minute::Unknown);
        };
        let parts = self.parts.iter();
        // What is calculated together is of the same minutes.
        let windows = parts.map(|part| {
            let is_ahead = self.is_delayed() && !part.is_delayed;
            part.window(self.length(), newer + if is_ahead { DELAY } else { 0 })
        });
        let Some(mut windows) = windows.collect::<Option<Vec<_>>>() else {
            return Minute::Unknown;
        };
        let value = math.value(&windows);
        // What is shared by no tasks has no value. The first task would have all of it.
        if value.is_none() && tasks == 0 && self.is_tracked {
            for (part, window) in self.parts.iter().zip(&mut windows) {
                if let Series::Running(_) = part.series {
                    *window = vec![Some(1.0)];
                }
            }
            return math.value(&windows).into();
        }
        value.into()
    }

    /// Records the value of a part for a minute that ended without one, so many minutes ago.
    pub(super) fn late(
        &mut self,
        metric: &CloudWatchMetric,
        (age, value): (usize, f64),
        ran: &[i64],
    ) {
        let is_it = |series: &Series| matches!(series, Series::CloudWatch(it) if it == metric);
        let mut is_filled = false;
        for part in &mut self.parts {
            // Two entries of metric math may name one metric.
            is_filled |= part.is_delayed && is_it(&part.series) && part.late(age, value);
        }
        if !is_filled {
            return;
        }
        // Each period with this minute has another value now.
        let least = age.saturating_sub(self.length() - 1).max(1);
        for age in least..=age {
            let found = self.point(ran, age);
            let place = self.points.len().checked_sub(age);
            let point = place.and_then(|place| self.points.get_mut(place));
            if let (Some(point), Minute::Value(_)) = (point, found) {
                *point = found;
                self.supply = Supply::KNOWN;
            }
        }
    }

    /// Returns why it is not known.
    pub(super) fn why(&self) -> String {
        let mut failures = self.parts.iter().filter_map(|part| part.failure.clone());
        let why = failures.next();
        why.unwrap_or_else(|| match self.series {
            Series::Math(_) => format!(
                "{} has no value, because a metric is missing or it divides by 0",
                self.series.metric_name()
            ),
            _ => "no task has reported what it uses".to_owned(),
        })
    }
}

impl Part {
    fn new(series: &Series) -> Self {
        Self {
            series: series.clone(),
            samples: Vec::new(),
            minutes: Vec::new(),
            is_delayed: false,
            failure: None,
            is_empty: false,
        }
    }

    /// Returns the minute before so many newer ones.
    fn minute(&self, newer: usize) -> Option<Minute<f64>> {
        self.minutes.iter().rev().nth(newer).copied()
    }

    /// Returns the values of so many minutes before so many newer ones; `None` if one of them could not be read: what is
    /// calculated from the others would be another value.
    fn window(&self, length: usize, newer: usize) -> Option<Vec<Option<f64>>> {
        let end = self.minutes.len().checked_sub(newer)?;
        let minutes = self.minutes.get(end.checked_sub(length)?..end)?;
        let values = minutes.iter().map(|minute| match minute {
            Minute::Unknown => None,
            minute => Some(minute.value()),
        });
        values.collect()
    }

    /// Records the value of a minute that ended without one. Returns whether it had none.
    fn late(&mut self, age: usize, value: f64) -> bool {
        let place = self.minutes.len().checked_sub(age);
        let minute = place.and_then(|place| self.minutes.get_mut(place));
        match minute {
            Some(minute @ (Minute::Empty | Minute::Unknown)) => {
                *minute = Minute::Value(value);
                true
            }
            _ => false,
        }
    }

    /// Turns what was measured in a minute into what is known of it, and keeps so many minutes.
    fn end_minute(&mut self, running: i64, kept: usize) {
        let samples = self.samples.drain(..);
        let value = match self.series {
            #[allow(clippy::cast_precision_loss, reason = "there are few tasks")]
            Series::Running(_) => Some(running as f64),
            _ => self.series.statistic().of(samples),
        };
        // Tasks that have ended by the end of the minute are not a demand for others.
        let has_ended = self.series.is_use() && running == 0;
        let minute = match value.filter(|_| !has_ended) {
            Some(value) => Minute::Value(value),
            None if has_ended || self.is_empty => Minute::Empty,
            None => Minute::Unknown,
        };
        self.is_empty = false;
        self.minutes.push(minute);
        let old = self.minutes.len().saturating_sub(kept);
        self.minutes.drain(..old);
    }
}

/// Returns how many tasks ran some minutes ago, as far back as it is known.
fn ago(ran: &[i64], minutes: usize) -> i64 {
    let found = ran.get(ran.len().saturating_sub(minutes + 1));
    found.copied().unwrap_or(0)
}
