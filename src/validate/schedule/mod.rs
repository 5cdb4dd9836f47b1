//! Schedules of EventBridge Scheduler that start tasks
//! (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>): what a schedule says, a CronJob
//! that does the same, and the tasks.

mod cron_job;
mod place;
mod request;
mod run_task;
mod starter;
mod timing;

pub(super) use cron_job::times_of;
pub use cron_job::{Differences, ScheduledTask, validate_schedule};
pub(super) use place::place_in_pipe;
pub(super) use request::is_cluster;
pub use request::{Firings, of_operator, validate_firings};
pub(super) use run_task::run_task;
pub use run_task::{run_task_of, validate_scheduled_task};
pub use starter::Starter;
pub use timing::Timing;
