//! The stopped tasks of a service, as a table.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{headline::BAD, state::first_line, table::Table, terminal::harmless, view::age};
use crate::{
    crd::{ContainerStatus, StoppedTask},
    decide::stopped_tasks::is_recent,
};

/// How many of the newest are shown.
const SHOWN: usize = 5;

const STOPPED_TASKS: &[&str] = &[
    "STOPPED TASK",
    "TASK DEFINITION",
    "STOP CODE",
    "EXIT CODE",
    "AGE",
    "REASON",
];

/// Returns the recently stopped tasks. It filters by age, because an operator that has nothing to write keeps older
/// ones in the status.
pub(super) fn table(stopped: &[StoppedTask], now: Timestamp) -> Table {
    let mut table = Table::new(STOPPED_TASKS, &[1, 4, 2]);
    let recent = stopped.iter().filter(|task| is_recent(task, now));
    for task in recent.take(SHOWN) {
        table.row(
            [
                harmless(&task.name),
                task.task_definition.clone().unwrap_or_default(),
                task.stop_code.clone(),
                exit_codes(task),
                age(task.stopped_at.as_ref().map(|Time(time)| *time), now),
                first_line(&task.stopped_reason),
            ],
            2,
            BAD,
            false,
        );
    }
    table
}

/// Returns the exit codes of the containers that have ended, with their names if there are several containers.
fn exit_codes(task: &StoppedTask) -> String {
    let ended = |container: &ContainerStatus| {
        let code = container.exit_code?;
        Some(match task.containers.len() {
            1 => code.to_string(),
            _ => format!("{} {code}", container.name),
        })
    };
    let codes: Vec<String> = task.containers.iter().filter_map(ended).collect();
    harmless(&codes.join(", "))
}
