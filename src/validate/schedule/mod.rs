//! Schedules of EventBridge Scheduler that start tasks
//! (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html>): what a schedule says, a CronJob
//! that does the same, and the tasks.

mod cron_job;
mod place;
mod request;
mod run_task;
mod timing;

pub use cron_job::{Differences, ScheduledTask, validate_schedule};
pub(crate) use place::of_schedule;
pub use request::{Firings, of_operator, validate_firings};
pub use run_task::{run_task_of, validate_scheduled_task};
pub use timing::Timing;
