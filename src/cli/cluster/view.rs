//! A service or task as a text page.

use std::iter;

use anstyle::Style;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::ResourceExt as _;

use super::{
    headline::{BAD, GOOD, Headline, UNDER_WAY, verdict, warnings},
    scaling,
    standing::{bar, refused_definition},
    state::{State, first_line},
    stopped,
    table::{HEADING, Table},
    target::Target,
    terminal::{Size, clipped, harmless},
};
use crate::{
    crd::{EcsService, EcsTask, OneTaskStatus, READY, SUCCEEDED},
    decide::{
        deployment::{FAILED, IN_PROGRESS},
        task_lifecycle::is_success,
    },
};

/// How many of the newest events are shown.
const EVENTS: usize = 10;
/// The minimum number of lines for events if there is not room for everything: the empty one, the heading, two events.
const EVENT_LINES: usize = 4;

const DEPLOYMENTS: &[&str] = &[
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
];
const TASKS: &[&str] = &[
    "TASK", "REVISION", "STATUS", "READY", "RESTARTS", "NODE", "AGE", "REASON",
];
const TASKS_OF_TASK: &[&str] = &["TASK", "STATUS", "EXIT CODE", "NODE", "AGE", "REASON"];

/// A page: headlines about the object, tables below, and events.
pub(super) struct Page {
    head: Vec<Headline>,
    warnings: Vec<Headline>,
    bar: Option<String>,
    deployments: Table,
    tasks: Table,
    stopped: Table,
    /// The age, message and style of each event.
    events: Vec<(String, String, Style)>,
}

/// Returns the page for a state.
pub(super) fn page(state: &State, now: Timestamp) -> Page {
    let mut page = Page {
        head: Vec::new(),
        warnings: Vec::new(),
        bar: bar(state),
        deployments: Table::new(DEPLOYMENTS, &[0, 8, 4, 6]),
        tasks: Table::new(TASKS, &[5, 1, 6, 4]),
        stopped: stopped::table(&[], now),
        events: events(state, now),
    };
    match &state.target {
        Some(Target::Service(service)) => {
            page.head = head_of_service(service, now);
            page.head.extend(not_accepted(service, state));
            page.warnings = warnings(&service.status.warnings);
            add_deployments(&mut page.deployments, service, now);
            add_tasks(&mut page.tasks, state, now);
            page.stopped = stopped::table(&service.status.stopped_tasks, now);
        }
        Some(Target::Task(task)) => {
            page.head = head_of_task(task);
            page.warnings = warnings(&task.status.warnings);
            page.tasks = tasks_of_task(task, state, now);
        }
        None => page.head = vec![Headline::new(BAD, "It no longer exists.", "")],
    }
    page
}

impl Page {
    /// Returns the whole page, however long it is.
    pub(super) fn full(&self) -> String {
        let any = usize::MAX;
        let said = self.head.iter().chain(&self.warnings);
        let mut lines: Vec<String> = said.flat_map(|line| line.lines(any)).collect();
        lines.extend(self.deployments.lines(None));
        lines.extend(self.tasks.lines(None));
        lines.extend(self.stopped.lines(None));
        lines.extend(self.event_lines(any, any));
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// Returns what fits on a terminal, whose last line stays empty: headlines with line breaks, then tables and events
    /// if there is room.
    pub(super) fn fit(&self, size: Size) -> String {
        let Size { columns, rows } = size;
        let rows = rows.saturating_sub(1);
        let mut lines: Vec<String> = self
            .head
            .iter()
            .flat_map(|line| line.lines(columns))
            .collect();
        if !self.warnings.is_empty() {
            let count = self.warnings.len();
            lines.push(clipped(
                &format!("Warnings: {count}; without --watch they are shown"),
                columns,
            ));
        }
        lines.truncate(rows.saturating_sub(1).max(1));
        lines.extend(self.bar.as_ref().map(|bar| clipped(bar, columns)));
        let room = |lines: &[String]| rows.saturating_sub(lines.len());
        let deployments = self.deployments.fit(columns, room(&lines));
        lines.extend(deployments);
        let kept = match self.events.len() {
            0 => 0,
            events => EVENT_LINES.min(events + 2),
        };
        let tasks = self.tasks.fit(columns, room(&lines).saturating_sub(kept));
        lines.extend(tasks);
        let stopped = self.stopped.fit(columns, room(&lines).saturating_sub(kept));
        lines.extend(stopped);
        let events = self.event_lines(columns, room(&lines));
        lines.extend(events);
        lines.truncate(rows);
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// Returns the newest events for which there is room.
    fn event_lines(&self, columns: usize, rows: usize) -> Vec<String> {
        let room = rows.saturating_sub(2).min(EVENTS);
        let events = self.events.len().saturating_sub(room);
        let shown = self.events.iter().skip(events).map(|(age, note, style)| {
            let note = clipped(note, columns.saturating_sub(7));
            format!("{age:>5}  {style}{note}{style:#}")
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() {
            return shown;
        }
        let heading = [String::new(), format!("{HEADING}EVENTS{HEADING:#}")];
        heading.into_iter().chain(shown).collect()
    }
}

fn head_of_service(service: &EcsService, now: Timestamp) -> Vec<Headline> {
    let status = &service.status;
    let count = |count: Option<i64>| count.unwrap_or(0);
    let counts = format!(
        "  {}  desired {}, running {}, pending {}",
        status.task_definition.as_deref().unwrap_or("-"),
        count(status.desired_count),
        count(status.running_count),
        count(status.pending_count),
    );
    let mut head = vec![Headline::new(HEADING, &service.name_any(), &counts)];
    let looked_at = status.observed_generation >= service.metadata.generation;
    head.extend(verdict(&status.conditions, READY, looked_at));
    head.extend(scaling::lines(status, now));
    head
}

/// Returns why the newest spec of a service's task definition does not run.
fn not_accepted(service: &EcsService, state: &State) -> Vec<Headline> {
    let Some((definition, refused)) = refused_definition(service, state) else {
        return Vec::new();
    };
    let mut lines = refused.message.lines();
    let of = format!(
        " of EcsTaskDefinition {}: {}",
        definition.name_any(),
        lines.next().unwrap_or_default()
    );
    let first = Headline::new(BAD, &refused.reason, &of);
    let others = lines.map(|line| Headline::new(Style::new(), "", &format!("  {line}")));
    iter::once(first).chain(others).collect()
}

fn head_of_task(task: &EcsTask) -> Vec<Headline> {
    let status = &task.status;
    let said = format!(
        "  {}  {}",
        status.task_definition.as_deref().unwrap_or("-"),
        status.last_status.as_deref().unwrap_or("-"),
    );
    let mut head = vec![Headline::new(HEADING, &task.name_any(), &said)];
    head.extend(verdict(&status.conditions, SUCCEEDED, true));
    head
}

fn add_deployments(table: &mut Table, service: &EcsService, now: Timestamp) {
    for deployment in &service.status.deployments {
        let count = |count: Option<i64>| count.unwrap_or(0).to_string();
        let state = deployment.rollout_state.as_deref().unwrap_or_default();
        let reason = deployment.rollout_state_reason.as_deref();
        // In other states, the reason repeats other columns.
        let tells = state == FAILED || deployment.returns_to.is_some() && state == IN_PROGRESS;
        let reason = reason.filter(|_| tells);
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
                harmless(reason.unwrap_or_default()),
            ],
            7,
            match state {
                "COMPLETED" => GOOD,
                "FAILED" => BAD,
                _ => UNDER_WAY,
            },
            deployment.status == "PRIMARY",
        );
    }
}

fn add_tasks(table: &mut Table, state: &State, now: Timestamp) {
    for (name, task) in &state.tasks {
        let style = match task.status {
            "RUNNING" if task.ready => GOOD,
            "STOPPED" => BAD,
            _ => UNDER_WAY,
        };
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
            2,
            style,
            style != GOOD,
        );
    }
}

/// Returns the tasks in the status of an EcsTask, because their pods may be gone.
fn tasks_of_task(task: &EcsTask, state: &State, now: Timestamp) -> Table {
    let mut table = Table::new(TASKS_OF_TASK, &[3, 4]);
    for one in &task.status.tasks {
        let stopped = one.last_status == "STOPPED";
        let style = match one.last_status.as_str() {
            "RUNNING" => GOOD,
            _ if stopped && is_success(one) => GOOD,
            _ if stopped => BAD,
            _ => UNDER_WAY,
        };
        let pod = state.tasks.get(&one.name);
        table.row(
            [
                one.name.clone(),
                one.last_status.clone(),
                one.exit_code
                    .map_or_else(String::new, |code| code.to_string()),
                pod.map_or_else(String::new, |pod| pod.node.clone()),
                age(one.created_at.as_ref().map(|Time(time)| *time), now),
                reason(one),
            ],
            1,
            style,
            style != GOOD,
        );
    }
    table
}

/// Returns why a task stopped or does not run.
fn reason(one: &OneTaskStatus) -> String {
    let why = one.stopped_reason.as_ref().or(one.status_reason.as_ref());
    why.map_or_else(String::new, |why| first_line(why))
}

fn events(state: &State, now: Timestamp) -> Vec<(String, String, Style)> {
    let mut events: Vec<_> = state.events.values().collect();
    events.sort_by_key(|event| event.time);
    let line = |event: &super::state::Told| {
        let style = if event.warns { BAD } else { Style::new() };
        (age(event.time, now), event.note.clone(), style)
    };
    events.into_iter().map(line).collect()
}

/// Returns the age of something, formatted as in `kubectl`.
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

    fn service(status: serde_json::Value) -> Option<Target> {
        let object = json!({"metadata": {"name": "web", "generation": 2}, "status": status});
        let service = serde_json::from_value(object).expect("it is a service");
        Some(Target::Service(Box::new(service)))
    }

    #[test]
    fn a_rollout_is_a_page() {
        let service = service(json!({
            "observedGeneration": 2, "taskDefinition": "web:2",
            "desiredCount": 2, "runningCount": 2, "pendingCount": 0,
            "conditions": [
                {"type": "Accepted", "status": "True", "reason": "Translated", "message": "", "lastTransitionTime": "1970-01-01T00:00:00Z"},
                {"type": "Ready", "status": "False", "reason": "InProgress", "message": "2 of 2 tasks are running, 0 of them of the newest revision.", "lastTransitionTime": "1970-01-01T00:00:00Z"},
            ],
            "deployments": [
                {"id": "ecs-svc/2", "status": "PRIMARY", "taskDefinition": "web:2", "desiredCount": 2, "pendingCount": 2, "failedTasks": 1, "rolloutState": "IN_PROGRESS", "rolloutStateReason": "ECS deployment ecs-svc/2 in progress.", "createdAt": "1970-01-01T00:01:40Z"},
                {"id": "ecs-svc/1", "status": "ACTIVE", "taskDefinition": "web:1", "runningCount": 2, "rolloutState": "COMPLETED", "createdAt": "1970-01-01T00:00:00Z"},
            ],
            "warnings": [{"reason": "SecondsIgnored", "path": "deploymentConfiguration", "message": "seconds are ignored"}],
            "stoppedTasks": [
                {"name": "web-b", "taskDefinition": "web:2", "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", "stoppedAt": "1970-01-01T00:02:00Z", "containers": [{"name": "web", "exitCode": 3}, {"name": "log"}]},
                {"name": "web-0", "stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: \u{1b}[31mno such image", "stoppedAt": "1970-01-01T00:01:00Z", "containers": [{"name": "web"}]},
                {"name": "web-9", "stopCode": "TaskFailedToStart", "stoppedAt": "1969-12-31T23:00:00Z"},
            ],
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
            target: service,
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
            ..State::default()
        };
        let expected = "\
web  web:2  desired 2, running 2, pending 0
InProgress: 2 of 2 tasks are running, 0 of them of the newest revision.
warning: deploymentConfiguration: SecondsIgnored: seconds are ignored

DEPLOYMENT  STATUS   TASK DEFINITION  DESIRED  PENDING  RUNNING  FAILED  ROLLOUT      AGE  REASON
ecs-svc/2   PRIMARY  web:2            2        2        0        1       IN_PROGRESS  60s
ecs-svc/1   ACTIVE   web:1            0        0        2        0       COMPLETED    2m

TASK   REVISION  STATUS   READY  RESTARTS  NODE    AGE  REASON
web-a  1         RUNNING  yes    0         node-1  60s
web-b  2         PENDING  no     0         node-1  60s  web: ErrImagePull: no such image

STOPPED TASK  TASK DEFINITION  STOP CODE                 EXIT CODE  AGE   REASON
web-b         web:2            EssentialContainerExited  web 3      40s   Essential container in task exited
web-0                          TaskFailedToStart                    100s  CannotPullContainerError: no such image

EVENTS
   2m  (service web) has reached a steady state.
";
        assert_eq!(plain(&page(&state, at(160)).full()), expected);
    }

    #[test]
    fn a_service_that_nobody_has_looked_at_says_so() {
        let state = State {
            target: service(json!({})),
            ..State::default()
        };
        assert_eq!(
            plain(&page(&state, at(0)).full()),
            "web  -  desired 0, running 0, pending 0\nNo operator has processed it yet.\n"
        );
    }

    /// Returns a service with this many tasks and events, all with long texts.
    fn large(tasks: usize) -> State {
        let id = |n| format!("ecs-svc/123456789012345678{n}");
        let message = "2 of 12 tasks run, and the others find no node: 0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available.";
        let deployments: Vec<_> = (0..3)
            .map(|n| json!({"id": id(n), "status": "ACTIVE", "taskDefinition": "front:10", "desiredCount": 12, "rolloutState": "IN_PROGRESS", "rolloutStateReason": format!("ECS deployment {} in progress.", id(n))}))
            .collect();
        let task = |n: usize| {
            let task = Task {
                revision: "10".to_owned(),
                status: if n == 0 { "PENDING" } else { "RUNNING" },
                ready: n > 0,
                restarts: 0,
                node: "ip-10-0-0-1.eu-west-1.compute.internal".to_owned(),
                created: Some(at(100)),
                reason: if n == 0 {
                    message.to_owned()
                } else {
                    String::new()
                },
            };
            (format!("front-5b8f9c7d6b-z{n:04}"), task)
        };
        let told = |n: usize| {
            let told = Told {
                time: i64::try_from(n).ok().map(at),
                note: format!("{n} {message}"),
                warns: false,
            };
            (n.to_string(), told)
        };
        State {
            target: service(json!({
                "conditions": [{"type": "Ready", "status": "False", "reason": "InProgress", "message": message, "lastTransitionTime": "1970-01-01T00:00:00Z"}],
                "warnings": [{"reason": "SecondsIgnored"}],
                "deployments": deployments,
            })),
            tasks: (0..tasks).rev().map(task).collect(),
            events: (0..20).map(told).collect(),
            ..State::default()
        }
    }

    #[test]
    fn a_page_fits_any_terminal() {
        for (columns, rows) in [(80, 20), (40, 10), (20, 5), (200, 100), (120, 30)] {
            for tasks in [0, 1, 50] {
                let fit = page(&large(tasks), at(160)).fit(Size { columns, rows });
                let frame = plain(&fit);
                assert!(frame.lines().count() < rows, "{columns}x{rows}:\n{frame}");
                let widest = frame.lines().map(|line| line.chars().count()).max();
                assert!(widest <= Some(columns), "{columns}x{rows}:\n{frame}");
            }
        }
    }

    #[test]
    fn a_small_terminal_shows_what_matters() {
        let (columns, rows) = (80, 20);
        let frame = plain(&page(&large(50), at(160)).fit(Size { columns, rows }));
        for expected in [
            "InProgress: 2 of 12 tasks run, and the others find no node: 0/3 nodes are\navailable:",
            "[------------------------------] 0/12 tasks of front:10",
            "ACTIVE  front:10",
            "IN_PROGRESS",
            "front-5b8f9c7d6b-z0000  PENDING",
            "... and 4",
            "EVENTS",
            "19 2 of 12 tasks",
        ] {
            assert!(frame.contains(expected), "{expected} is missing:\n{frame}");
        }
    }

    #[test]
    fn a_task_is_a_page() {
        let task = json!({
            "metadata": {"name": "visit"},
            "status": {
                "taskDefinition": "visit:1",
                "lastStatus": "STOPPED",
                "conditions": [
                    {"type": "Accepted", "status": "True", "reason": "Translated", "message": "", "lastTransitionTime": "1970-01-01T00:00:00Z"},
                    {"type": "Succeeded", "status": "False", "reason": "EssentialContainerExited", "message": "(task visit-1) is STOPPED: Essential container in task exited (app: exit code 3)", "lastTransitionTime": "1970-01-01T00:00:00Z"},
                ],
                "tasks": [
                    {"name": "visit-0", "lastStatus": "STOPPED", "exitCode": 0, "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", "createdAt": "1970-01-01T00:00:40Z"},
                    {"name": "visit-1", "lastStatus": "PENDING", "statusReason": "CannotPullContainerError: \u{1b}[31mno such image", "createdAt": "1970-01-01T00:00:40Z"},
                ],
            },
        });
        let task = serde_json::from_value(task).expect("it is a task");
        let state = State {
            target: Some(Target::Task(Box::new(task))),
            ..State::default()
        };
        let expected = "\
visit  visit:1  STOPPED
EssentialContainerExited: (task visit-1) is STOPPED: Essential container in task exited (app: exit code 3)

TASK     STATUS   EXIT CODE  NODE  AGE  REASON
visit-0  STOPPED  0                2m   Essential container in task exited
visit-1  PENDING                   2m   CannotPullContainerError: no such image
";
        assert_eq!(plain(&page(&state, at(160)).full()), expected);
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
