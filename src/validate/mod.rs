//! Step 1, pure: converts AWS requests and [`Settings`] to validated types, or returns all errors at once.
//!
//! There is one file per ECS feature, with the validated type of the feature and the function that creates it. Such a
//! function reports what it rejects and returns the best value it can, so that checking continues; the value is not
//! used if anything was rejected. Plain limits and enums are checked by the reader's walk over [`crate::fields`].

mod arn;
mod capacity_provider;
mod cluster;
mod container;
mod credential_spec;
mod dependencies;
mod deployment;
mod device;
mod discovery;
mod docker_volume;
mod ebs_volume;
mod efs;
mod environment;
mod event_rule;
mod firelens;
mod fluentd;
mod fsx;
mod graph;
mod health_check;
mod hosts;
mod image;
mod linux_parameters;
mod load_balancer;
mod logging;
mod mount;
mod network;
mod network_configuration;
mod pipe;
mod placement;
mod platform;
mod pod;
mod port;
mod process;
mod queue;
mod region;
mod resources;
mod role;
mod rule;
mod scaling;
mod schedule;
mod scheduled_rule;
mod secret;
mod secret_reference;
mod security;
mod service;
mod service_connect;
mod start;
mod system_control;
mod task;
mod task_definition;
mod task_override;
mod tmpfs;
mod volume;

pub use arn::*;
pub use capacity_provider::*;
pub use cluster::*;
pub use container::*;
pub use credential_spec::*;
pub use dependencies::*;
pub use deployment::*;
pub use device::*;
pub use discovery::*;
pub use ebs_volume::*;
pub use efs::*;
pub use environment::*;
pub use event_rule::{
    foreign_events, place_event_target, validate_event_rule, validate_event_target,
};
pub use firelens::*;
pub use fsx::SmbShare;
pub use graph::*;
pub use health_check::*;
pub use hosts::*;
pub(crate) use image::unpullable;
pub use linux_parameters::*;
pub use load_balancer::*;
pub use logging::*;
pub use mount::*;
pub use network::*;
pub use network_configuration::*;
pub use pipe::*;
pub use placement::*;
pub use platform::*;
pub use pod::{ContainerOverlay, PodOverlay};
pub(crate) use pod::{check_pods_of_service, check_pods_of_task, first_missing, validate_pod};
pub use port::*;
pub use process::*;
pub use queue::Queue;
pub use region::{Certainty, Region};
pub use resources::*;
pub use role::*;
pub use rule::*;
pub(crate) use rule::{parameters_of, starts_tasks};
pub use scaling::*;
pub use schedule::*;
pub use scheduled_rule::validate_scheduled_rule;
pub use secret::*;
pub use security::*;
pub use service::*;
pub use service_connect::*;
pub(crate) use start::pointer;
pub use start::*;
pub use system_control::*;
pub use task::*;
pub use task_definition::*;
pub use task_override::*;
pub use tmpfs::Tmpfs;
pub use volume::*;

use crate::{ecs, settings::Settings};

/// The context for the validation of a part.
///
/// Rules of ECS that begin with `F:` (those for Fargate) apply when [`Scope::fargate`] is set: the task definition is
/// compatible with Fargate, or its service or task requests it.
pub(crate) struct Scope<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) request: &'a ecs::TaskDefinition,
    pub(crate) fargate: bool,
    /// Whether all or some of the pods run on EKS Fargate, with its limits.
    pub(crate) eks_fargate: bool,
    pub(crate) windows: bool,
    pub(crate) network_mode: NetworkMode,
    /// The volumes that the service or task configures.
    pub(crate) configured_volumes: &'a [&'a str],
}

/// Converts a count of the API. Its integers may be out of range if no reader has checked them.
pub(crate) fn clamp(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
