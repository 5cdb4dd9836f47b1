//! Placement constraints (the cluster query language), strategies and capacity providers.

use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath},
    ecs,
};

/// A placement constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlacementConstraint {
    /// At most one task of the group on an instance.
    DistinctInstance,
    /// An expression of the cluster query language.
    MemberOf {
        /// Where the expression stands.
        path: FieldPath,
    },
}

/// `placementConstraints` and `placementStrategy` of a service or task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The constraints of the service or task, without those of its task definition.
    pub constraints: Vec<PlacementConstraint>,
    /// The strategies in order.
    pub strategies: Vec<PlacementStrategy>,
}

/// One placement strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlacementStrategy {
    /// Spread over the values of this field (`instanceId`, `host` or `attribute:x`).
    Spread(String),
    /// Fill instances by this field (`cpu`, `memory`).
    Binpack(String),
    /// Anywhere.
    Random,
}

/// Which capacity runs the tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// `launchType`.
    pub launch_type: Option<LaunchType>,
    /// `capacityProviderStrategy`, in order.
    pub strategy: Vec<CapacityProvider>,
}

impl Capacity {
    /// Whether tasks ask for Fargate or Fargate Spot.
    #[must_use]
    pub fn asks_for_fargate(&self) -> bool {
        self.launch_type == Some(LaunchType::Fargate)
            || self.strategy.iter().any(|p| p.name.starts_with("FARGATE"))
    }
}

/// `launchType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchType {
    /// EC2 instances of the cluster.
    Ec2,
    /// Fargate.
    Fargate,
    /// Instances outside AWS.
    External,
}

/// One entry of a capacity provider strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityProvider {
    /// The provider's name.
    pub name: String,
    /// 0 to 1000.
    pub weight: u32,
    /// 0 to 100000.
    pub base: u32,
}

/// Validates the `memberOf` constraints of a task definition.
pub(crate) fn validate_task_constraints(
    _scope: &Scope<'_>,
    _sink: &mut Diagnostics,
) -> Vec<PlacementConstraint> {
    Vec::new()
}

/// Validates constraints and strategies of a service or task; `fargate` refuses both.
pub(crate) fn validate_placement(
    _constraints: &[ecs::PlacementConstraint],
    _strategy: &[ecs::PlacementStrategy],
    _fargate: bool,
    _root: &FieldPath,
    _sink: &mut Diagnostics,
) -> Placement {
    Placement::default()
}

/// Validates `launchType` and `capacityProviderStrategy`.
pub(crate) fn validate_capacity(
    _launch_type: Option<&str>,
    _strategy: &[ecs::CapacityProviderStrategyItem],
    _root: &FieldPath,
    _sink: &mut Diagnostics,
) -> Capacity {
    Capacity::default()
}
