//! What the operator knows without asking: from its watches and the responses to its writes.

pub(super) mod catch_up;
pub(super) mod child;
pub(super) mod child_kind;
pub(super) mod children;
pub(super) mod departed;
pub(super) mod in_flight;
pub(super) mod known;
pub(super) mod lenient;
pub(super) mod owned_fields;
pub(super) mod owner;
pub(super) mod pods;
pub(super) mod policies;
pub(super) mod reported;
pub(super) mod revisions;
pub(super) mod stopped_tasks;
pub(super) mod users;
pub(super) mod watch;
