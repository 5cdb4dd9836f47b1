//! Pure decisions of the running operator: from validated input and observations to the next step.

pub mod app_runner;
pub mod circuit_breaker;
pub mod container_state;
pub mod deployment;
pub mod ecs_events;
pub mod failed_tasks;
pub mod firing;
pub mod liveness;
pub mod obstacle;
pub mod offer;
pub mod old_tasks;
pub mod placement;
pub mod pod_state;
pub mod replacement;
pub mod revision;
pub mod scaling;
pub mod spare_room;
pub mod start;
pub mod start_timeout;
pub mod stopped_tasks;
pub mod target_health;
pub mod task_lifecycle;
pub mod trouble;
