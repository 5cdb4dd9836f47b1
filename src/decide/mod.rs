//! Decisions of the running operator, pure: what it validated and what it observed in, the next step out.

pub mod circuit_breaker;
pub mod pod_state;
pub mod replacement;
pub mod revision;
pub mod task_lifecycle;
