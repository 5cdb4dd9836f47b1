//! How all of it ended.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::normal::Verdict;

/// How a run ended, beside the undisturbed one.
pub struct Tried {
    pub scenario: &'static str,
    pub mode: &'static str,
    /// The number of the request, and what it asked for.
    pub number: Option<usize>,
    pub point: Option<String>,
    /// Whether that request came at all.
    pub reached: bool,
    pub verdict: Verdict,
    /// What should not have happened.
    pub errors: Vec<String>,
    pub difference: String,
    pub took: Duration,
}

impl Tried {
    /// What was tried.
    fn title(&self) -> String {
        let mut title = format!("{} {}", self.scenario, self.mode);
        if let Some(number) = self.number {
            title.push_str(&format!(" {number}"));
        }
        if let Some(point) = &self.point {
            title.push_str(&format!(" {point}"));
        }
        if !self.reached {
            title.push_str(" (did not come)");
        }
        title
    }

    /// How it ended.
    fn headline(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Equal => "equal",
            Verdict::Events => "other events",
            Verdict::Tasks => "OTHER TASKS",
            Verdict::Objects => "DIFFERENT",
        };
        let seconds = self.took.as_secs_f64();
        format!("{verdict:12} {} ({seconds:.0} s)", self.title())
    }

    /// How it ended, and what differs.
    pub fn line(&self) -> String {
        let mut text = self.headline();
        for error in &self.errors {
            text.push_str(&format!(
                "\n    {}",
                error.trim_end().replace('\n', "\n    ")
            ));
        }
        if !self.difference.is_empty() {
            text.push('\n');
            text.push_str(self.difference.trim_end());
        }
        text
    }
}

/// How the runs of each scenario ended.
#[derive(Default)]
pub struct Report {
    rows: BTreeMap<&'static str, Row>,
    order: Vec<&'static str>,
    differing: Vec<String>,
    /// Scenarios that do not even end the same when nothing goes wrong.
    uncertain: Vec<&'static str>,
}

#[derive(Default)]
struct Row {
    requests: usize,
    tried: usize,
    not_reached: usize,
    equal: usize,
    events: usize,
    tasks: usize,
    different: usize,
}

impl Report {
    /// Begins with a scenario that has so many requests.
    pub fn begin(&mut self, scenario: &'static str, requests: usize) {
        self.order.push(scenario);
        self.rows.entry(scenario).or_default().requests = requests;
    }

    /// Takes an undisturbed run, which has to end as the other one did.
    pub fn control(&mut self, tried: &Tried) {
        if tried.verdict > Verdict::Equal {
            self.differing.push(tried.headline());
        }
        // On a busy machine something is seen, and so told, that otherwise passes unseen.
        if tried.verdict > Verdict::Events {
            self.uncertain.push(tried.scenario);
        }
    }

    /// Takes a run.
    pub fn add(&mut self, tried: &Tried) {
        let row = self.rows.entry(tried.scenario).or_default();
        row.tried += 1;
        row.not_reached += usize::from(!tried.reached);
        match tried.verdict {
            Verdict::Equal => row.equal += 1,
            Verdict::Events => row.events += 1,
            Verdict::Tasks => row.tasks += 1,
            Verdict::Objects => row.different += 1,
        }
        if tried.verdict > Verdict::Equal {
            self.differing.push(tried.headline());
        }
    }

    /// Whether all ended as they should. Events are told once at most: what a killed operator had not told is lost.
    pub fn is_good(&self) -> bool {
        self.uncertain.is_empty() && self.rows.values().all(|row| row.tasks + row.different == 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for differing in &self.differing {
            writeln!(f, "{differing}")?;
        }
        writeln!(
            f,
            "\n| scenario | requests | tried | equal | other events | other tasks | different | did not come |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        let rows = self
            .order
            .iter()
            .filter_map(|name| Some((*name, self.rows.get(name)?)));
        for (name, row) in rows {
            writeln!(
                f,
                "| {name} | {} | {} | {} | {} | {} | {} | {} |",
                row.requests,
                row.tried,
                row.equal,
                row.events,
                row.tasks,
                row.different,
                row.not_reached
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(verdict: Verdict) -> Tried {
        Tried {
            scenario: "update",
            mode: "kill-after",
            number: Some(3),
            point: Some("PATCH deployments/web".to_owned()),
            reached: true,
            verdict,
            errors: Vec::new(),
            difference: String::new(),
            took: Duration::from_secs(8),
        }
    }

    #[test]
    fn the_table_counts_what_was_tried() {
        let mut report = Report::default();
        report.begin("update", 23);
        report.add(&tried(Verdict::Equal));
        report.add(&tried(Verdict::Events));
        assert!(report.is_good());
        assert!(
            report
                .to_string()
                .contains("| update | 23 | 2 | 1 | 1 | 0 | 0 | 0 |")
        );
        report.add(&tried(Verdict::Tasks));
        assert!(!report.is_good());
        let mut report_of_chance = Report::default();
        report_of_chance.control(&tried(Verdict::Events));
        assert!(report_of_chance.is_good());
        report_of_chance.control(&tried(Verdict::Tasks));
        assert!(!report_of_chance.is_good());
        let text = report.to_string();
        assert!(
            text.contains("OTHER TASKS  update kill-after 3 PATCH deployments/web (8 s)\n"),
            "{text}"
        );
    }
}
