//! A service as a page of text.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::ResourceExt as _;

use super::state::State;
use crate::crd::{ACCEPTED, EcsService, READY};

/// How many events are shown, the newest.
const EVENTS: usize = 10;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const UNDER_WAY: Style = AnsiColor::Yellow.on_default();
const HEADING: Style = Style::new().bold();

/// A condition of a service.
pub(super) fn condition<'s>(service: &'s EcsService, type_: &str) -> Option<&'s Condition> {
    let mut conditions = service.status.conditions.iter();
    conditions.find(|condition| condition.type_ == type_)
}

/// The page.
pub(super) fn page(state: &State, now: Timestamp) -> String {
    let mut page = String::new();
    // Writing to a text cannot fail.
    let _infallible = write_page(&mut page, state, now);
    page
}

fn write_page(page: &mut String, state: &State, now: Timestamp) -> fmt::Result {
    let Some(service) = &state.service else {
        return Ok(());
    };
    write_head(page, service)?;
    write_deployments(page, service, now)?;
    write_tasks(page, state, now)?;
    write_events(page, state, now)
}

fn write_head(page: &mut String, service: &EcsService) -> fmt::Result {
    let status = &service.status;
    let count = |count: Option<i64>| count.unwrap_or(0);
    writeln!(
        page,
        "{HEADING}{}{HEADING:#}  {}  desired {}, running {}, pending {}",
        service.name_any(),
        status.task_definition.as_deref().unwrap_or("-"),
        count(status.desired_count),
        count(status.running_count),
        count(status.pending_count),
    )?;
    if status.conditions.is_empty() {
        return writeln!(page, "No operator has looked at it yet.");
    }
    if status.observed_generation < service.metadata.generation {
        writeln!(page, "The operator has not looked at the newest spec yet.")?;
    }
    let accepted = condition(service, ACCEPTED).filter(|it| it.status != "True");
    if let Some(condition) = accepted.or_else(|| condition(service, READY)) {
        let style = match (condition.status.as_str(), condition.reason.as_str()) {
            ("True", _) => GOOD,
            (_, "InProgress" | "RollingBack") => UNDER_WAY,
            _ => BAD,
        };
        let reason = &condition.reason;
        writeln!(page, "{style}{reason}{style:#}: {}", condition.message)?;
    }
    match status.warnings.len() {
        0 => Ok(()),
        warnings => writeln!(page, "Warnings: {warnings}, in its status"),
    }
}

fn write_deployments(page: &mut String, service: &EcsService, now: Timestamp) -> fmt::Result {
    let mut table = Table::new(&[
        "DEPLOYMENT",
        "STATUS",
        "TASK DEFINITION",
        "DESIRED",
        "PENDING",
        "RUNNING",
        "FAILED",
        "ROLLOUT",
        "AGE",
        "REASON",
    ]);
    for deployment in &service.status.deployments {
        let count = |count: Option<i64>| count.unwrap_or(0).to_string();
        let state = deployment.rollout_state.as_deref().unwrap_or_default();
        let reason = deployment.rollout_state_reason.clone();
        table.row(
            [
                deployment.id.clone(),
                deployment.status.clone(),
                deployment.task_definition.clone().unwrap_or_default(),
                count(deployment.desired_count),
                count(deployment.pending_count),
                count(deployment.running_count),
                count(deployment.failed_tasks),
                state.to_owned(),
                age(deployment.created_at.as_ref().map(|Time(time)| *time), now),
                reason.unwrap_or_default(),
            ],
            match state {
                "COMPLETED" => GOOD,
                "FAILED" => BAD,
                _ => UNDER_WAY,
            },
            7,
        );
    }
    table.write(page)
}

fn write_tasks(page: &mut String, state: &State, now: Timestamp) -> fmt::Result {
    let mut table = Table::new(&[
        "TASK", "REVISION", "STATUS", "READY", "RESTARTS", "NODE", "AGE", "REASON",
    ]);
    for (name, task) in &state.tasks {
        table.row(
            [
                name.clone(),
                task.revision.clone(),
                task.status.to_owned(),
                if task.ready { "yes" } else { "no" }.to_owned(),
                task.restarts.to_string(),
                task.node.clone(),
                age(task.created, now),
                task.reason.clone(),
            ],
            match task.status {
                "RUNNING" if task.ready => GOOD,
                "STOPPED" => BAD,
                _ => UNDER_WAY,
            },
            2,
        );
    }
    table.write(page)
}

fn write_events(page: &mut String, state: &State, now: Timestamp) -> fmt::Result {
    let mut events: Vec<_> = state.events.values().collect();
    events.sort_by_key(|event| event.time);
    let newest = events.len().saturating_sub(EVENTS);
    for (index, event) in events.into_iter().skip(newest).enumerate() {
        if index == 0 {
            writeln!(page, "\n{HEADING}EVENTS{HEADING:#}")?;
        }
        let style = if event.warns { BAD } else { Style::new() };
        writeln!(
            page,
            "{:>5}  {style}{}{style:#}",
            age(event.time, now),
            event.note
        )?;
    }
    Ok(())
}

/// How long ago something was, as `kubectl` tells it.
pub(super) fn age(time: Option<Timestamp>, now: Timestamp) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    let seconds = now.duration_since(time).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Columns that are as wide as they have to be.
struct Table<const N: usize> {
    rows: Vec<([String; N], Style, usize)>,
}

impl<const N: usize> Table<N> {
    fn new(headings: &[&str; N]) -> Self {
        let headings = headings.map(str::to_owned);
        Self {
            rows: vec![(headings, HEADING, N)],
        }
    }

    /// Adds a row in which one column has a style.
    fn row(&mut self, cells: [String; N], style: Style, column: usize) {
        self.rows.push((cells, style, column));
    }

    /// Writes the table, if it has more than its headings.
    fn write(&self, page: &mut String) -> fmt::Result {
        if self.rows.len() < 2 {
            return Ok(());
        }
        writeln!(page)?;
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|(cells, ..)| cells.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(width);
        for (cells, style, styled) in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
                let style = if *styled == N || *styled == column {
                    *style
                } else {
                    Style::new()
                };
                let last = column + 1 == N;
                let pad = if last {
                    0
                } else {
                    width + 2 - cell.chars().count()
                };
                write!(line, "{style}{cell}{style:#}{:pad$}", "")?;
            }
            writeln!(page, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::state::{Task, Told},
        *,
    };

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    fn service(status: serde_json::Value) -> EcsService {
        let object = json!({"metadata": {"name": "web", "generation": 2}, "status": status});
        serde_json::from_value(object).expect("it is a service")
    }

    #[test]
    fn a_rollout_is_a_page() {
        let service = service(json!({
            "observedGeneration": 2, "taskDefinition": "web:2",
            "desiredCount": 2, "runningCount": 2, "pendingCount": 0,
            "conditions": [
                {"type": "Accepted", "status": "True", "reason": "Translated", "message": "", "lastTransitionTime": "1970-01-01T00:00:00Z"},
                {"type": "Ready", "status": "False", "reason": "InProgress", "message": "2 of 2 tasks run, 0 of them of the newest revision.", "lastTransitionTime": "1970-01-01T00:00:00Z"},
            ],
            "deployments": [
                {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": "web:2", "desiredCount": 2, "pendingCount": 2, "failedTasks": 1, "rolloutState": "IN_PROGRESS", "rolloutStateReason": "ECS deployment ecs-svc/2 in progress.", "createdAt": "1970-01-01T00:01:40Z"},
                {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": "web:1", "runningCount": 2, "rolloutState": "COMPLETED", "createdAt": "1970-01-01T00:00:00Z"},
            ],
            "warnings": [{"reason": "SecondsIgnored"}],
        }));
        let task = |revision: &str, status, reason: &str| Task {
            revision: revision.to_owned(),
            status,
            ready: reason.is_empty(),
            restarts: 0,
            node: "node-1".to_owned(),
            created: Some(at(100)),
            reason: reason.to_owned(),
        };
        let told = |note: &str| Told {
            time: Some(at(40)),
            note: note.to_owned(),
            warns: false,
        };
        let state = State {
            service: Some(service),
            tasks: [
                ("web-a".to_owned(), task("1", "RUNNING", "")),
                (
                    "web-b".to_owned(),
                    task("2", "PENDING", "web: ErrImagePull: no such image"),
                ),
            ]
            .into(),
            events: [(
                "e".to_owned(),
                told("(service web) has reached a steady state."),
            )]
            .into(),
        };
        let expected = "\
web  web:2  desired 2, running 2, pending 0
InProgress: 2 of 2 tasks run, 0 of them of the newest revision.
Warnings: 1, in its status

DEPLOYMENT  STATUS   TASK DEFINITION  DESIRED  PENDING  RUNNING  FAILED  ROLLOUT      AGE  REASON
ecs-svc/2   PRIMARY  web:2            2        2        0        1       IN_PROGRESS  60s  ECS deployment ecs-svc/2 in progress.
ecs-svc/1   ACTIVE   web:1            0        0        2        0       COMPLETED    2m

TASK   REVISION  STATUS   READY  RESTARTS  NODE    AGE  REASON
web-a  1         RUNNING  yes    0         node-1  60s
web-b  2         PENDING  no     0         node-1  60s  web: ErrImagePull: no such image

EVENTS
   2m  (service web) has reached a steady state.
";
        assert_eq!(plain(&page(&state, at(160))), expected);
    }

    #[test]
    fn a_service_that_nobody_has_looked_at_says_so() {
        let state = State {
            service: Some(service(json!({}))),
            ..State::default()
        };
        assert_eq!(
            plain(&page(&state, at(0))),
            "web  -  desired 0, running 0, pending 0\nNo operator has looked at it yet.\n"
        );
    }

    #[test]
    fn ages_are_those_of_kubectl() {
        for (seconds, expected) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7_200, "2h"),
            (172_800, "2d"),
        ] {
            assert_eq!(age(Some(at(0)), at(seconds)), expected);
        }
        assert_eq!(age(None, at(0)), "-");
        assert_eq!(age(Some(at(9)), at(0)), "0s", "clocks differ");
    }
}
