//! The shapes of the AWS API, spelled as AWS spells them.
//!
//! Data only: every member is optional, nothing has a default, no enum rejects a value. What a value may be is said
//! in [`crate::fields`], what it means in [`crate::validate`]. A struct here mirrors its shape in the API model member
//! by member and must not use `#[serde(flatten)]`.
#![allow(
    missing_docs,
    reason = "members are AWS's own; the field table describes each of them"
)]

mod auto_scaling;
mod cluster;
mod container_definition;
mod deployment;
mod ebs_volume;
mod placement;
mod service;
mod service_connect;
mod tag;
mod task;
mod task_definition;
mod volume;

pub use auto_scaling::*;
pub use cluster::*;
pub use container_definition::*;
pub use deployment::*;
pub use ebs_volume::*;
pub use placement::*;
pub use service::*;
pub use service_connect::*;
pub use tag::*;
pub use task::*;
pub use task_definition::*;
pub use volume::*;
