//! Where tasks may run: placement constraints (the cluster query language), strategies and capacity providers.

mod capacity;
mod expression;
mod families;
mod fold;
mod requirement;

pub use capacity::{Capacity, CapacityProvider, LaunchType};
pub use expression::{ExpressionError, parse as parse_expression};
pub use requirement::{GroupRule, NodeAttribute, Requirement, Term, Test};

pub(crate) use capacity::{validate_capacity, validate_strategy};

use self::requirement::{Constraint, attribute};
use super::Scope;
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecs,
};

/// The maximum number of alternatives that the constraints of a task may expand to.
const MAX_TERMS: usize = 64;
/// The maximum number of constraints of a task definition and its service together.
const MAX_CONSTRAINTS: usize = 10;

/// A placement constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlacementConstraint {
    /// At most one task of the group on an instance.
    DistinctInstance,
    /// An expression of the cluster query language.
    MemberOf {
        /// The position of the expression.
        path: FieldPath,
        /// The nodes that satisfy it: those of any of these terms, in the order of the expression.
        terms: Vec<Term>,
        /// Task groups that must, or must not, run on the same node.
        groups: Vec<GroupRule>,
        /// Whether it requires a connected agent, which every node that accepts pods has.
        agent_connected: bool,
    },
}

/// `placementConstraints` and `placementStrategy` of a service or task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The constraints of the service or task, without those of its task definition.
    pub constraints: Vec<PlacementConstraint>,
    /// The strategies, in order.
    pub strategies: Vec<PlacementStrategy>,
}

/// One placement strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlacementStrategy {
    /// Spread over instances (`instanceId`, `host`).
    SpreadInstances,
    /// Spread over the values of an attribute.
    Spread(NodeAttribute),
    /// Fill instances up, by `cpu` or `memory`.
    Binpack,
    /// Anywhere.
    Random,
}

/// Validates the `memberOf` constraints of a task definition.
pub(crate) fn validate_task_constraints(
    scope: &Scope<'_>,
    sink: &mut Diagnostics,
) -> Vec<PlacementConstraint> {
    let root = FieldPath::root(Subject::TaskDefinition).field("placementConstraints");
    if scope.fargate && !scope.request.placement_constraints.is_empty() {
        sink.report(root, Message::FargatePlacementConstraint);
        return Vec::new();
    }
    scope
        .request
        .placement_constraints
        .iter()
        .enumerate()
        .filter_map(|(index, raw)| {
            let path = root.index(index).field("expression");
            member_of(raw.expression.as_deref(), path, sink)
        })
        .collect()
}

/// Validates constraints and strategies of a service or task; Fargate (`fargate`) supports neither. `inherited` are the
/// constraints of the task definition, which also apply.
pub(crate) fn validate_placement(
    constraints: &[ecs::PlacementConstraint],
    strategy: &[ecs::PlacementStrategy],
    fargate: bool,
    inherited: &[PlacementConstraint],
    root: &FieldPath,
    sink: &mut Diagnostics,
) -> Placement {
    let at = root.field("placementConstraints");
    if fargate {
        if !constraints.is_empty() {
            sink.report(at, Message::FargatePlacementConstraint);
        }
        if !strategy.is_empty() {
            sink.report(
                root.field("placementStrategy"),
                Message::FargatePlacementStrategy,
            );
        }
        return Placement::default();
    }
    let constraints: Vec<_> = constraints
        .iter()
        .enumerate()
        .filter_map(|(index, raw)| service_constraint(raw, &at.index(index), sink))
        .collect();
    let count = constraints.len() + inherited.len();
    if count > MAX_CONSTRAINTS {
        sink.report(
            at.clone(),
            Message::InvalidValue {
                value: format!("{count} constraints"),
                allowed: format!(
                    "at most {MAX_CONSTRAINTS}, those of the task definition included"
                ),
            },
        );
    }
    let terms = inherited
        .iter()
        .chain(&constraints)
        .map(|constraint| match constraint {
            PlacementConstraint::DistinctInstance => 1,
            PlacementConstraint::MemberOf { terms, .. } => terms.len().max(1),
        })
        .fold(1, usize::saturating_mul);
    if terms > MAX_TERMS {
        sink.report(
            at,
            Message::ConstraintTooComplex {
                n: terms.to_string(),
            },
        );
    }
    let at = root.field("placementStrategy");
    let strategies = strategy
        .iter()
        .enumerate()
        .filter_map(|(index, raw)| placement_strategy(raw, &at.index(index), sink))
        .collect();
    Placement {
        constraints,
        strategies,
    }
}

fn service_constraint(
    raw: &ecs::PlacementConstraint,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<PlacementConstraint> {
    match raw.r#type.as_deref() {
        Some("distinctInstance") => {
            if raw.expression.is_some() {
                sink.report(path.field("expression"), Message::ExpressionNotAllowed);
            }
            Some(PlacementConstraint::DistinctInstance)
        }
        Some("memberOf") => member_of(raw.expression.as_deref(), path.field("expression"), sink),
        _ => {
            sink.report(
                path.field("type"),
                Message::RequiredField {
                    name: "type".to_owned(),
                },
            );
            None
        }
    }
}

fn member_of(
    expression: Option<&str>,
    path: FieldPath,
    sink: &mut Diagnostics,
) -> Option<PlacementConstraint> {
    let Some(text) = expression else {
        sink.report(
            path,
            Message::RequiredField {
                name: "expression".to_owned(),
            },
        );
        return None;
    };
    let parsed = parse_expression(text)
        .map_err(|error| Message::InvalidConstraintExpression {
            message: error.message,
            column: error.column.to_string(),
        })
        .and_then(|expression| requirement::constraint(&expression));
    match parsed {
        Ok(Constraint {
            terms,
            groups,
            agent_connected,
        }) => Some(PlacementConstraint::MemberOf {
            path,
            terms,
            groups,
            agent_connected,
        }),
        Err(message) => {
            sink.report(path, message);
            None
        }
    }
}

fn placement_strategy(
    raw: &ecs::PlacementStrategy,
    path: &FieldPath,
    sink: &mut Diagnostics,
) -> Option<PlacementStrategy> {
    let at = path.field("field");
    let invalid = |value: &str, allowed: &str| Message::InvalidValue {
        value: value.to_owned(),
        allowed: allowed.to_owned(),
    };
    let strategy = match (raw.r#type.as_deref(), raw.field.as_deref()) {
        (Some("random"), _) => Ok(PlacementStrategy::Random),
        (Some("spread"), Some("instanceId" | "host")) => Ok(PlacementStrategy::SpreadInstances),
        (Some("spread"), Some(field)) => match field.strip_prefix("attribute:") {
            Some(name) => attribute(name).map(PlacementStrategy::Spread),
            None => Err(invalid(field, "instanceId, host or attribute:<name>")),
        },
        (Some("binpack"), Some(field))
            if matches!(field.to_ascii_lowercase().as_str(), "cpu" | "memory") =>
        {
            Ok(PlacementStrategy::Binpack)
        }
        (Some("binpack"), Some(field)) => Err(invalid(field, "cpu or memory")),
        (Some("spread" | "binpack"), None) => Err(Message::RequiredField {
            name: "field".to_owned(),
        }),
        _ => Err(Message::RequiredField {
            name: "type".to_owned(),
        }),
    };
    strategy.map_err(|message| sink.report(at, message)).ok()
}
