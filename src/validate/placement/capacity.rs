//! Launch types and capacity provider strategies.

use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
};

/// The capacity that runs the tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// `launchType`.
    pub launch_type: Option<LaunchType>,
    /// `capacityProviderStrategy`, in order.
    pub strategy: Vec<CapacityProvider>,
}

impl Capacity {
    /// Whether a Fargate profile of EKS can run tasks that Fargate can run. EKS Fargate has no Spot capacity, so tasks
    /// that request only Fargate Spot run on nodes, like those that request EC2.
    #[must_use]
    pub fn takes_a_fargate_profile(&self) -> bool {
        let mut providers = self.strategy.iter().filter(|p| p.takes_tasks()).peekable();
        if providers.peek().is_some() {
            return providers.any(|provider| provider.name == "FARGATE");
        }
        !matches!(
            self.launch_type,
            Some(LaunchType::Ec2 | LaunchType::External)
        )
    }

    /// Whether tasks are split over several providers, each with its own workload.
    #[must_use]
    pub fn is_split(&self) -> bool {
        let providers = self.strategy.iter();
        providers.filter(|provider| provider.takes_tasks()).count() > 1
    }

    /// Whether tasks request Fargate or Fargate Spot.
    #[must_use]
    pub fn asks_for_fargate(&self) -> bool {
        self.launch_type == Some(LaunchType::Fargate)
            || self.strategy.iter().any(CapacityProvider::is_fargate)
    }

    /// Whether tasks run on Fargate: those that request it, and those without a launch type that are compatible only
    /// with Fargate. The launch type of all others is EC2
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>).
    #[must_use]
    pub fn runs_on_fargate(&self, compatibilities: &[String]) -> bool {
        let says_nothing = self.launch_type.is_none() && self.strategy.is_empty();
        let only_fargate =
            !compatibilities.is_empty() && compatibilities.iter().all(|c| c == "FARGATE");
        self.asks_for_fargate() || says_nothing && only_fargate
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
    /// The weight, 0 to 1000.
    pub weight: u32,
    /// The minimum number of tasks, 0 to 100000.
    pub base: u32,
}

impl CapacityProvider {
    /// Whether the provider can get tasks at all.
    #[must_use]
    pub const fn takes_tasks(&self) -> bool {
        self.weight > 0 || self.base > 0
    }

    /// Whether this is `FARGATE` or `FARGATE_SPOT`.
    #[must_use]
    pub fn is_fargate(&self) -> bool {
        matches!(self.name.as_str(), "FARGATE" | "FARGATE_SPOT")
    }
}

/// Validates `launchType` and `capacityProviderStrategy`.
pub(crate) fn validate_capacity(
    launch_type: Option<&str>,
    strategy: &[ecs::CapacityProviderStrategyItem],
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> Capacity {
    if launch_type.is_some() && !strategy.is_empty() {
        sink.report(root.field("launchType"), Message::LaunchTypeAndStrategy);
    }
    if launch_type == Some("MANAGED_INSTANCES") {
        sink.report(
            root.field("launchType"),
            Message::ManagedInstancesNeedsStrategy,
        );
    }
    Capacity {
        launch_type: launch_type.and_then(|name| match name {
            "EC2" => Some(LaunchType::Ec2),
            "FARGATE" => Some(LaunchType::Fargate),
            "EXTERNAL" => Some(LaunchType::External),
            _ => None,
        }),
        strategy: validate_strategy(strategy, &root.field("capacityProviderStrategy"), sink),
    }
}

/// Validates a capacity provider strategy
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>).
///
/// A single provider with the API's default weight of 0 gets all tasks, as in ECS.
pub(crate) fn validate_strategy(
    strategy: &[ecs::CapacityProviderStrategyItem],
    at: &FieldPath,
    sink: &mut Diagnostics,
) -> Vec<CapacityProvider> {
    let mut providers: Vec<_> = strategy
        .iter()
        .enumerate()
        .map(|(index, raw)| provider(raw, &at.index(index), sink))
        .collect();
    let fargate = providers.iter().filter(|p| p.is_fargate()).count();
    if fargate != 0 && fargate != providers.len() {
        sink.report(at.clone(), Message::MixedCapacityProviders);
    }
    if providers.iter().filter(|p| p.base > 0).count() > 1 {
        sink.report(at.clone(), Message::MultipleBases);
    }
    if providers.len() > 1 && providers.iter().all(|p| p.weight == 0) {
        sink.report(at.clone(), Message::AllWeightsZero);
    }
    if let [only] = providers.as_mut_slice() {
        only.weight = only.weight.max(1);
    }
    providers
}

fn provider(
    raw: &ecs::CapacityProviderStrategyItem,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> CapacityProvider {
    if raw.capacity_provider.is_none() {
        sink.report(
            path.field("capacityProvider"),
            Message::RequiredField {
                name: "capacityProvider".to_owned(),
            },
        );
    }
    let number = |value: Option<i64>| u32::try_from(value.unwrap_or(0)).unwrap_or(0);
    CapacityProvider {
        name: raw.capacity_provider.clone().unwrap_or_default(),
        weight: number(raw.weight),
        base: number(raw.base),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Reason, Subject};

    fn check(launch_type: Option<&str>, strategy: &[(&str, i64, i64)]) -> (Capacity, Vec<Reason>) {
        let items: Vec<_> = strategy
            .iter()
            .map(|(name, base, weight)| ecs::CapacityProviderStrategyItem {
                capacity_provider: Some((*name).to_owned()),
                base: Some(*base),
                weight: Some(*weight),
            })
            .collect();
        let mut sink = Diagnostics::new();
        let capacity = validate_capacity(
            launch_type,
            &items,
            &FieldPath::root(Subject::Service),
            &mut sink,
        );
        (
            capacity,
            sink.iter()
                .map(crate::diagnostic::Diagnostic::reason)
                .collect(),
        )
    }

    #[test]
    fn what_may_run_on_fargate_runs_there_when_nothing_else_is_possible_or_asked_for() {
        let both = ["EC2".to_owned(), "FARGATE".to_owned()];
        let fargate = ["FARGATE".to_owned()];
        let runs = |launch_type, compatibilities: &[String]| {
            check(launch_type, &[]).0.runs_on_fargate(compatibilities)
        };
        assert!(!runs(None, &both), "the default launch type is EC2");
        assert!(runs(Some("FARGATE"), &both));
        assert!(runs(None, &fargate));
        assert!(!runs(None, &[]));
        let (spot, _) = check(None, &[("FARGATE_SPOT", 0, 1)]);
        assert!(spot.runs_on_fargate(&both));
        let (own, _) = check(None, &[("own", 0, 1)]);
        assert!(!own.runs_on_fargate(&fargate), "it says where");
    }

    #[test]
    fn strategies_that_ecs_refuses_are_refused() {
        for (launch_type, strategy, reason) in [
            (
                Some("EC2"),
                vec![("a", 0, 1)],
                Reason::LaunchTypeAndStrategy,
            ),
            (
                Some("MANAGED_INSTANCES"),
                vec![],
                Reason::ManagedInstancesNeedsStrategy,
            ),
            (
                None,
                vec![("FARGATE", 0, 1), ("a", 0, 1)],
                Reason::MixedCapacityProviders,
            ),
            (None, vec![("a", 1, 1), ("b", 1, 1)], Reason::MultipleBases),
            (None, vec![("a", 0, 0), ("b", 0, 0)], Reason::AllWeightsZero),
        ] {
            assert_eq!(check(launch_type, &strategy).1, [reason], "{strategy:?}");
        }
    }

    #[test]
    fn a_single_provider_gets_all_tasks() {
        let (capacity, reasons) = check(None, &[("a", 0, 0)]);
        assert_eq!((capacity.strategy[0].weight, reasons), (1, vec![]));
    }

    #[test]
    fn a_fargate_profile_takes_what_asks_for_neither_spot_nor_nodes() {
        for (launch_type, strategy, expected) in [
            (None, vec![], true),
            (Some("FARGATE"), vec![], true),
            (Some("EC2"), vec![], false),
            (Some("EXTERNAL"), vec![], false),
            (None, vec![("FARGATE", 0, 0)], true),
            (None, vec![("FARGATE_SPOT", 0, 1)], false),
            (None, vec![("FARGATE_SPOT", 0, 1), ("FARGATE", 0, 1)], true),
            (None, vec![("FARGATE_SPOT", 0, 1), ("FARGATE", 0, 0)], false),
        ] {
            let (capacity, _) = check(launch_type, &strategy);
            assert_eq!(
                capacity.takes_a_fargate_profile(),
                expected,
                "{launch_type:?} {strategy:?}"
            );
        }
    }

    #[test]
    fn fargate_is_asked_for_by_launch_type_or_provider() {
        assert!(check(Some("FARGATE"), &[]).0.asks_for_fargate());
        assert!(check(None, &[("FARGATE_SPOT", 0, 1)]).0.asks_for_fargate());
        assert!(!check(Some("EC2"), &[]).0.asks_for_fargate());
        assert!(!check(None, &[("FARGATE_LIKE", 0, 1)]).0.asks_for_fargate());
    }
}
