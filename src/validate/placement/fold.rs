//! Simplifies expressions: equivalent forms, and conditions without an effect.

use super::{
    expression::{Expression, Operator},
    requirement::{Alternatives, Atom, Requirement, Test, unsupported_subject},
};
use crate::diagnostic::Message;

/// The subject that is true if the ECS agent of an instance is connected.
pub(super) const AGENT: &str = "agentConnected";

/// Merges `a == x or a == y` into `a in [x, y]`, so that both are handled alike; returns `false` if the two cannot be
/// merged.
pub(super) fn widen(known: &mut [Atom], more: &[Atom]) -> bool {
    let add = |values: &mut Vec<String>, more: &[String]| {
        for value in more {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
    };
    match (known, more) {
        ([Atom::Group(known)], [Atom::Group(more)]) if known.together && more.together => {
            add(&mut known.groups, &more.groups);
            true
        }
        (
            [
                Atom::Node(Requirement {
                    attribute,
                    test: Test::In(values),
                }),
            ],
            [
                Atom::Node(Requirement {
                    attribute: other,
                    test: Test::In(more),
                }),
            ],
        ) if attribute == other => {
            add(values, more);
            true
        }
        _ => false,
    }
}

/// Whether an expression requires a connected agent anywhere.
pub(super) fn asks_for_agent(expression: &Expression) -> bool {
    match expression {
        Expression::Or(parts) | Expression::And(parts) => parts.iter().any(asks_for_agent),
        Expression::Not(inner) => asks_for_agent(inner),
        Expression::Condition(condition) => condition.subject == AGENT,
    }
}

/// Simplifies a condition on the agent: a node that accepts pods has a connected kubelet, so only the negated condition
/// excludes nodes.
pub(super) fn agent_connected(
    operator: Operator,
    values: &[String],
) -> Result<Alternatives, Message> {
    let value = values.first().map(String::as_str);
    match (operator, value) {
        (Operator::Equals | Operator::In, Some("true"))
        | (Operator::NotEquals | Operator::NotIn, Some("false"))
            if values.len() == 1 =>
        {
            Ok(vec![Vec::new()])
        }
        _ => Err(unsupported_subject(AGENT)),
    }
}
