//! Determines which nodes satisfy a placement expression.

use super::{
    MAX_TERMS,
    expression::{Condition, Expression, Operator},
    families::families,
    fold::{AGENT, agent_connected, asks_for_agent, widen},
};
use crate::{diagnostic::Message, settings::is_label_value, validate::WindowsBuild};

/// An attribute of a container instance that nodes also have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeAttribute {
    /// `ecs.availability-zone`
    Zone,
    /// `ecs.instance-type`
    InstanceType,
    /// The part of the instance type before the dot.
    InstanceFamily,
    /// `ecs.os-type`
    OperatingSystem,
    /// The build of `ecs.os-family`.
    WindowsBuild,
    /// `ecs.cpu-architecture`
    Architecture,
    /// An attribute that the user added to instances.
    Custom(String),
}

/// A test of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It has one of these values.
    In(Vec<String>),
    /// It has none of these values, or is absent.
    NotIn(Vec<String>),
    /// It exists.
    Exists,
    /// It does not exist.
    Absent,
    /// It is an integer above this one.
    Above(i64),
    /// It is an integer below this one.
    Below(i64),
}

/// One condition on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The attribute.
    pub attribute: NodeAttribute,
    /// The test of the attribute.
    pub test: Test,
}

/// Conditions that must hold together.
pub type Term = Vec<Requirement>;

/// A task group that must, or must not, run on the same node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRule {
    /// The groups, with their ECS names.
    pub groups: Vec<String>,
    /// Whether they must run on the same node; otherwise they must not.
    pub together: bool,
}

/// The requirements of one constraint on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constraint {
    pub(super) terms: Vec<Term>,
    pub(super) groups: Vec<GroupRule>,
    /// Whether `agentConnected == true` is a part of it, which every node that accepts pods satisfies.
    pub(super) agent_connected: bool,
}

/// An atom of a conjunction.
#[derive(Clone, Debug)]
pub(super) enum Atom {
    Node(Requirement),
    Group(GroupRule),
}

/// Alternatives of conjunctions.
pub(super) type Alternatives = Vec<Vec<Atom>>;

/// Expands an expression into alternatives of conditions.
pub(super) fn constraint(expression: &Expression) -> Result<Constraint, Message> {
    let mut alternatives = expand(expression, false)?;
    if alternatives.iter().any(Vec::is_empty) {
        // Every node satisfies this alternative, whatever the others are.
        alternatives = vec![Vec::new()];
    }
    let mixes_groups = alternatives.len() > 1
        && alternatives
            .iter()
            .flatten()
            .any(|atom| matches!(atom, Atom::Group(_)));
    if mixes_groups {
        return Err(Message::TaskGroupConstraintUnsupported);
    }
    let mut constraint = Constraint {
        terms: Vec::new(),
        groups: Vec::new(),
        agent_connected: asks_for_agent(expression),
    };
    for alternative in alternatives {
        let mut term = Term::new();
        for atom in alternative {
            match atom {
                Atom::Node(requirement) => term.push(requirement),
                Atom::Group(rule) => constraint.groups.push(rule),
            }
        }
        if !term.is_empty() {
            constraint.terms.push(term);
        }
    }
    Ok(constraint)
}

/// Expands an expression to its disjunctive normal form; `negated` indicates that the expression follows a `not`.
fn expand(expression: &Expression, negated: bool) -> Result<Alternatives, Message> {
    match expression {
        Expression::Not(inner) => expand(inner, !negated),
        Expression::Condition(condition) => leaf(condition, negated),
        Expression::Or(parts) if !negated => any(parts, negated),
        Expression::And(parts) if negated => any(parts, negated),
        Expression::Or(parts) | Expression::And(parts) => all(parts, negated),
    }
}

fn any(parts: &[Expression], negated: bool) -> Result<Alternatives, Message> {
    let mut alternatives = Alternatives::new();
    for part in parts {
        for alternative in expand(part, negated)? {
            let widened = alternatives
                .iter_mut()
                .any(|known| widen(known, &alternative));
            if !widened {
                alternatives.push(alternative);
            }
        }
        limit(alternatives.len())?;
    }
    Ok(alternatives)
}

fn all(parts: &[Expression], negated: bool) -> Result<Alternatives, Message> {
    let mut product: Alternatives = vec![Vec::new()];
    for part in parts {
        let next = expand(part, negated)?;
        limit(product.len().saturating_mul(next.len()))?;
        product = product
            .iter()
            .flat_map(|left| {
                next.iter()
                    .map(|right| [left.as_slice(), right.as_slice()].concat())
            })
            .collect();
    }
    Ok(product)
}

fn limit(terms: usize) -> Result<(), Message> {
    if terms > MAX_TERMS {
        Err(too_complex(terms))
    } else {
        Ok(())
    }
}

fn too_complex(terms: usize) -> Message {
    Message::ConstraintTooComplex {
        n: terms.to_string(),
    }
}

fn leaf(condition: &Condition, negated: bool) -> Result<Alternatives, Message> {
    let operator = if negated {
        condition.operator.negated()
    } else {
        condition.operator
    };
    let subject = condition.subject.as_str();
    if subject == "task:group" {
        return group(operator, &condition.values);
    }
    if subject == AGENT {
        return agent_connected(operator, &condition.values);
    }
    let Some(name) = subject.strip_prefix("attribute:") else {
        return Err(unsupported_subject(subject));
    };
    if name == "ecs.os-family" {
        return os_family(operator, &condition.values);
    }
    let attribute = attribute(name)?;
    let requirement = match operator {
        Operator::Matches | Operator::NotMatches => families(
            &attribute,
            operator,
            condition.values.first().map_or("", String::as_str),
        )?,
        _ => Requirement {
            test: test(&attribute, operator, condition)?,
            attribute,
        },
    };
    Ok(vec![vec![Atom::Node(requirement)]])
}

fn group(operator: Operator, values: &[String]) -> Result<Alternatives, Message> {
    let together = match operator {
        Operator::Equals | Operator::In => true,
        Operator::NotEquals | Operator::NotIn => false,
        _ => return Err(Message::TaskGroupConstraintUnsupported),
    };
    Ok(vec![vec![Atom::Group(GroupRule {
        groups: values.to_vec(),
        together,
    })]])
}

/// Returns the attribute `name` in `attribute:name`.
pub(super) fn attribute(name: &str) -> Result<NodeAttribute, Message> {
    match name {
        "ecs.availability-zone" => Ok(NodeAttribute::Zone),
        "ecs.instance-type" => Ok(NodeAttribute::InstanceType),
        "ecs.os-type" => Ok(NodeAttribute::OperatingSystem),
        "ecs.cpu-architecture" => Ok(NodeAttribute::Architecture),
        _ if name.starts_with("ecs.") || name.is_empty() => {
            Err(unsupported_subject(&format!("attribute:{name}")))
        }
        _ if !is_label_value(&custom_key(name)) => Err(Message::AttributeValueNotALabel {
            value: name.to_owned(),
        }),
        _ => Ok(NodeAttribute::Custom(custom_key(name))),
    }
}

/// Returns the key of a custom attribute. Its name may contain slashes, unlike the name of a label.
fn custom_key(name: &str) -> String {
    name.replace(['/', '\\', ':'], ".")
}

pub(super) fn unsupported_subject(subject: &str) -> Message {
    Message::ConstraintSubjectUnsupported {
        subject: subject.to_owned(),
    }
}

fn test(
    attribute: &NodeAttribute,
    operator: Operator,
    condition: &Condition,
) -> Result<Test, Message> {
    let values = || -> Result<Vec<String>, Message> {
        condition
            .values
            .iter()
            .map(|value| label_value(attribute, value))
            .collect()
    };
    let integer = || -> Result<i64, Message> {
        condition
            .values
            .first()
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| Message::ConstraintOperatorUnsupported {
                op: operator.symbol().to_owned(),
                subject: condition.subject.clone(),
            })
    };
    Ok(match operator {
        Operator::Equals | Operator::In => Test::In(values()?),
        Operator::NotEquals | Operator::NotIn => Test::NotIn(values()?),
        Operator::NotExists => Test::Absent,
        Operator::GreaterThan => Test::Above(integer()?),
        Operator::GreaterThanEqual => Test::Above(integer()?.saturating_sub(1)),
        Operator::LessThan => Test::Below(integer()?),
        Operator::LessThanEqual => Test::Below(integer()?.saturating_add(1)),
        Operator::Exists | Operator::Matches | Operator::NotMatches => Test::Exists,
    })
}

/// Returns the value of the node's label, if it differs from the spelling of ECS.
fn label_value(attribute: &NodeAttribute, value: &str) -> Result<String, Message> {
    let value = match attribute {
        NodeAttribute::Architecture if value == "x86_64" => "amd64",
        _ => value,
    };
    if is_label_value(value) {
        Ok(value.to_owned())
    } else {
        Err(Message::AttributeValueNotALabel {
            value: value.to_owned(),
        })
    }
}

/// Expands `ecs.os-family`, which specifies an operating system and, for Windows, its build.
fn os_family(operator: Operator, values: &[String]) -> Result<Alternatives, Message> {
    let equal = match operator {
        Operator::Equals | Operator::In => true,
        Operator::NotEquals | Operator::NotIn => false,
        _ => return Err(unsupported_subject("attribute:ecs.os-family")),
    };
    let atoms = values.iter().map(|value| {
        let (attribute, label) = match (value.as_str(), WindowsBuild::of_family(value)) {
            ("LINUX", _) => (NodeAttribute::OperatingSystem, "linux"),
            (_, Some(build)) => (NodeAttribute::WindowsBuild, build.label()),
            _ => {
                return Err(Message::WindowsVersionUnsupported {
                    value: value.clone(),
                });
            }
        };
        let label = vec![label.to_owned()];
        let test = if equal {
            Test::In(label)
        } else {
            Test::NotIn(label)
        };
        Ok(Atom::Node(Requirement { attribute, test }))
    });
    let atoms: Vec<Atom> = atoms.collect::<Result<_, _>>()?;
    Ok(if equal {
        atoms.into_iter().map(|atom| vec![atom]).collect()
    } else {
        vec![atoms]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnostic::Reason, validate::parse_expression};

    fn expanded(text: &str) -> Result<Constraint, Reason> {
        constraint(&parse_expression(text).expect(text)).map_err(|message| message.reason())
    }

    fn requirement(attribute: NodeAttribute, test: Test) -> Requirement {
        Requirement { attribute, test }
    }

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn negation_is_pushed_inward() {
        let Constraint {
            terms,
            groups,
            agent_connected: _,
        } = expanded(
            "attribute:ecs.instance-type == g4dn.xlarge && \
             !(attribute:ecs.availability-zone in [us-east-1d, us-east-1e]) or attribute:gpu exists",
        )
        .unwrap();
        assert_eq!(groups, []);
        assert_eq!(
            terms,
            [
                vec![
                    requirement(
                        NodeAttribute::InstanceType,
                        Test::In(texts(&["g4dn.xlarge"]))
                    ),
                    requirement(
                        NodeAttribute::Zone,
                        Test::NotIn(texts(&["us-east-1d", "us-east-1e"]))
                    ),
                ],
                vec![requirement(
                    NodeAttribute::Custom("gpu".to_owned()),
                    Test::Exists
                )],
            ]
        );
        let both = expanded("not (attribute:a exists or attribute:b > 5)").unwrap();
        assert_eq!(
            both.terms,
            [vec![
                requirement(NodeAttribute::Custom("a".to_owned()), Test::Absent),
                requirement(NodeAttribute::Custom("b".to_owned()), Test::Below(6)),
            ]]
        );
    }

    #[test]
    fn each_attribute_has_its_values() {
        for (text, attribute, test) in [
            (
                "attribute:ecs.cpu-architecture == x86_64",
                NodeAttribute::Architecture,
                Test::In(texts(&["amd64"])),
            ),
            (
                "attribute:ecs.cpu-architecture == arm64",
                NodeAttribute::Architecture,
                Test::In(texts(&["arm64"])),
            ),
            (
                "attribute:ecs.os-type == linux",
                NodeAttribute::OperatingSystem,
                Test::In(texts(&["linux"])),
            ),
            (
                "attribute:ecs.os-family == LINUX",
                NodeAttribute::OperatingSystem,
                Test::In(texts(&["linux"])),
            ),
            (
                "attribute:ecs.os-family != WINDOWS_SERVER_2022_CORE",
                NodeAttribute::WindowsBuild,
                Test::NotIn(texts(&["10.0.20348"])),
            ),
            (
                "attribute:team/a >= 3",
                NodeAttribute::Custom("team.a".to_owned()),
                Test::Above(2),
            ),
            (
                "attribute:n < 3",
                NodeAttribute::Custom("n".to_owned()),
                Test::Below(3),
            ),
            (
                "attribute:n <= 3",
                NodeAttribute::Custom("n".to_owned()),
                Test::Below(4),
            ),
            (
                "attribute:n > 3",
                NodeAttribute::Custom("n".to_owned()),
                Test::Above(3),
            ),
            (
                "attribute:ecs.instance-type =~ t2.*|c5\\..*",
                NodeAttribute::InstanceFamily,
                Test::In(texts(&["t2", "c5"])),
            ),
            (
                "attribute:ecs.instance-type !~ t2.*",
                NodeAttribute::InstanceFamily,
                Test::NotIn(texts(&["t2"])),
            ),
        ] {
            assert_eq!(
                expanded(text).unwrap().terms,
                [vec![requirement(attribute, test)]],
                "{text}"
            );
        }
    }

    #[test]
    fn an_os_family_may_be_one_of_several() {
        let terms = expanded("attribute:ecs.os-family in [LINUX, WINDOWS_SERVER_2019_FULL]")
            .unwrap()
            .terms;
        assert_eq!(terms.len(), 2);
    }

    #[test]
    fn what_nodes_cannot_show_is_refused() {
        for (text, reason) in [
            (
                "attribute:ecs.ami-id == ami-1",
                Reason::ConstraintSubjectUnsupported,
            ),
            (
                "attribute:ecs.subnet-id == subnet-1",
                Reason::ConstraintSubjectUnsupported,
            ),
            (
                "agentConnected == false",
                Reason::ConstraintSubjectUnsupported,
            ),
            (
                "runningTasksCount == 0",
                Reason::ConstraintSubjectUnsupported,
            ),
            ("attribute:x > many", Reason::ConstraintOperatorUnsupported),
            ("attribute:x == a/b", Reason::AttributeValueNotALabel),
            (
                "attribute:ecs.instance-type =~ t*",
                Reason::RegexConstraintUnsupported,
            ),
            ("attribute:x =~ a.*", Reason::RegexConstraintUnsupported),
            (
                "attribute:ecs.os-family == WINDOWS_SERVER_2016_FULL",
                Reason::WindowsVersionUnsupported,
            ),
            (
                "task:group == a or attribute:b exists",
                Reason::TaskGroupConstraintUnsupported,
            ),
            (
                "task:group != a or task:group != b",
                Reason::TaskGroupConstraintUnsupported,
            ),
            ("task:group exists", Reason::TaskGroupConstraintUnsupported),
        ] {
            assert_eq!(expanded(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn groups_go_with_node_conditions_but_not_with_alternatives() {
        let both = expanded(
            "task:group == service:db and attribute:ssd exists && !(task:group in [a, b])",
        )
        .unwrap();
        assert_eq!(both.terms.len(), 1);
        assert_eq!(
            both.groups,
            [
                GroupRule {
                    groups: texts(&["service:db"]),
                    together: true
                },
                GroupRule {
                    groups: texts(&["a", "b"]),
                    together: false
                },
            ]
        );
    }

    #[test]
    fn alternatives_of_one_subject_are_a_list() {
        for (one, other) in [
            ("task:group == a or task:group == b", "task:group in [a, b]"),
            (
                "task:group in [a, b] or task:group == a or task:group == c",
                "task:group in [a, b, c]",
            ),
            (
                "not (task:group != a and task:group != b)",
                "task:group in [a, b]",
            ),
            (
                "attribute:x exists and (task:group == a or task:group == b)",
                "attribute:x exists and task:group in [a, b]",
            ),
            (
                "attribute:x == 1 or attribute:y == 2 or attribute:x == 3",
                "attribute:x in [1, 3] or attribute:y == 2",
            ),
        ] {
            assert_eq!(expanded(one), expanded(other), "{one}");
        }
        let values: Vec<String> = (0..100).map(|n| format!("attribute:x == {n}")).collect();
        assert_eq!(expanded(&values.join(" or ")).unwrap().terms.len(), 1);
    }

    #[test]
    fn every_node_has_a_connected_agent() {
        let connected = expanded("attribute:x exists and agentConnected == true").unwrap();
        assert!(connected.agent_connected);
        assert_eq!(
            connected.terms,
            expanded("attribute:x exists").unwrap().terms
        );
        let any = expanded("attribute:x exists or not (agentConnected == false)").unwrap();
        assert_eq!((any.terms, any.groups), (vec![], vec![]));
    }

    #[test]
    fn expansion_has_a_limit() {
        let part = "(attribute:a exists or attribute:b exists)";
        let text = [part; 6].join(" and ");
        assert_eq!(expanded(&text).unwrap().terms.len(), 64);
        let text = [part; 7].join(" and ");
        assert_eq!(expanded(&text), Err(Reason::ConstraintTooComplex));
        let text = [part; 400].join(" and ");
        assert_eq!(expanded(&text), Err(Reason::ConstraintTooComplex));
    }
}
