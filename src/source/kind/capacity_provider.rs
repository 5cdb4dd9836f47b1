//! The forms of a capacity provider.

use super::{Envelope, Form, Kind, Search, Step, has};
use crate::source::tree::Node;

/// A custom resource of this operator.
pub(super) const RESOURCE: Form = Form::new(
    Kind::CapacityProvider,
    &("EcsCapacityProvider", "its kind is EcsCapacityProvider"),
);

/// A resource of CloudFormation.
pub(super) const TEMPLATE: Form = Form::new(
    Kind::CapacityProvider,
    &(
        "CloudFormation resource AWS::ECS::CapacityProvider",
        "its Type is AWS::ECS::CapacityProvider",
    ),
);

/// The output of a create call.
pub(super) const CREATED: Form = Form::new(
    Kind::CapacityProvider,
    &(
        "CreateCapacityProvider output",
        "its member capacityProvider is an object",
    ),
)
.within(Envelope::CapacityProvider);

/// An element of the output of a describe call.
const DESCRIBED: Form = Form::new(
    Kind::CapacityProvider,
    &(
        "DescribeCapacityProviders output",
        "it is in the list capacityProviders",
    ),
);

impl Search {
    /// Finds the capacity providers in the output of a describe call; returns `false` if this is not one. A cluster has
    /// only their names.
    pub(super) fn capacity_providers(&mut self, node: &Node<'_>) -> bool {
        const MEMBER: &str = "capacityProviders";
        let elements = node.get(MEMBER).and_then(Node::elements);
        let elements = elements.filter(|them| them.iter().any(|element| has(element, "name")));
        let Some(elements) = elements else {
            return false;
        };
        self.steps.push(Step::Member(MEMBER));
        self.elements(elements, |search, element| {
            // Those of AWS are described too, and nobody has created them.
            let name = element.get("name").and_then(Node::text);
            if !matches!(name, Some("FARGATE" | "FARGATE_SPOT")) {
                search.push(element.span, Ok(DESCRIBED));
            }
        });
        self.steps.pop();
        true
    }
}
