//! Reads the fields of a pattern.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    combination::{Combinations, Group, MAX_COMBINATIONS},
    condition::Condition,
    error::{Location, PatternError},
    node::Node,
    operator,
};

/// How many characters a pattern may have: the limit of `PutRule`.
pub(super) const MAX_LENGTH: usize = 4096;

/// How many steps a path may have, so that matching cannot exhaust the stack. JSON ends at 128 levels.
pub(super) const MAX_DEPTH: usize = 100;

const OR: &str = "$or";

/// Names that the matcher of AWS refuses as fields inside of `$or`: operators, and those it may get.
const RESERVED: &[&str] = &[
    "<",
    "<=",
    "=",
    ">",
    ">=",
    "anything-but",
    "cidr",
    "date-after",
    "date-before",
    "date-on-or-after",
    "date-on-or-before",
    "equals-ignore-case",
    "exactly",
    "exists",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
    "not-equals-ignore-case",
    "not-wildcard",
    "numeric",
    "prefix",
    "regex",
    "suffix",
    "wildcard",
];

/// A field of a pattern.
#[derive(Debug)]
pub(super) struct Field {
    /// The keys that lead to it, joined by dots.
    pub(super) path: String,
    at: Location,
    pub(super) condition: Condition,
    /// The combinations that have it.
    pub(super) asked: Combinations,
}

/// Everything that a pattern says.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) fields: Vec<Field>,
    /// All combinations.
    pub(super) all: Combinations,
}

/// Reads a pattern.
pub(super) fn parse(text: &str) -> Result<Draft, PatternError> {
    let root = Location::root();
    let length = text.chars().count();
    if length > MAX_LENGTH {
        return Err(root.error(
            format!("the pattern has {length} characters"),
            format!("use at most {MAX_LENGTH}"),
        ));
    }
    let node: Node = serde_json::from_str(text)
        .map_err(|error| root.error(format!("this is not JSON: {error}"), "write a JSON object"))?;
    let Node::Object(members) = &node else {
        return Err(root.wrong_type(&node, "write an object, as {\"source\": [\"aws.ecs\"]}"));
    };
    let mut reader = Reader { fields: Vec::new() };
    let mut group = Group::default();
    reader.object(members, &Scope::root(), &mut group)?;
    let count = group.count();
    if count > MAX_COMBINATIONS {
        return Err(root.error(
            format!("$or makes {count} combinations"),
            format!("use at most {MAX_COMBINATIONS}, for example in several rules"),
        ));
    }
    let mut draft = Draft {
        fields: reader.fields,
        all: Combinations::NONE,
    };
    for (index, fields) in group.combinations().into_iter().enumerate() {
        draft.all.insert(index);
        for field in fields {
            if let Some(field) = draft.fields.get_mut(field) {
                field.asked.insert(index);
            }
        }
    }
    only_once(&draft.fields)?;
    Ok(draft)
}

/// Checks that no combination has two fields of one path, as `a.b` and `b` in `a`.
fn only_once(fields: &[Field]) -> Result<(), PatternError> {
    let mut paths = BTreeMap::new();
    for field in fields {
        let asked = paths
            .entry(field.path.as_str())
            .or_insert(Combinations::NONE);
        if !asked.and(field.asked).is_empty() {
            return Err(field.at.error(
                format!("{:?} is also asked for elsewhere", field.path),
                "write all values of a field into one array",
            ));
        }
        *asked = asked.or(field.asked);
    }
    Ok(())
}

/// Where an object stands.
struct Scope {
    at: Location,
    path: Option<String>,
    in_choice: bool,
}

impl Scope {
    fn root() -> Self {
        Self {
            at: Location::root(),
            path: None,
            in_choice: false,
        }
    }

    fn member(&self, key: &str) -> Self {
        let path = match &self.path {
            Some(path) => format!("{path}.{key}"),
            None => key.to_owned(),
        };
        Self {
            at: self.at.member(key),
            path: Some(path),
            in_choice: self.in_choice,
        }
    }
}

struct Reader {
    fields: Vec<Field>,
}

impl Reader {
    fn object(
        &mut self,
        members: &[(String, Node)],
        scope: &Scope,
        group: &mut Group,
    ) -> Result<(), PatternError> {
        if members.is_empty() {
            let instead = "write at least one field, or {\"exists\": true} in an array";
            return Err(scope.at.error("the object is empty", instead));
        }
        let mut keys = BTreeSet::new();
        for (key, node) in members {
            let member = scope.member(key);
            if !keys.insert(key) {
                let instead = if key == OR {
                    "put one $or into the objects of the other"
                } else {
                    "write all values of a field into one array"
                };
                return Err(member.at.error("the key stands here twice", instead));
            }
            if key == OR {
                self.choice(node, scope, &member.at, group)?;
            } else {
                self.member(key, node, &member, group)?;
            }
        }
        Ok(())
    }

    fn member(
        &mut self,
        key: &str,
        node: &Node,
        scope: &Scope,
        group: &mut Group,
    ) -> Result<(), PatternError> {
        if scope.in_choice && RESERVED.contains(&key) {
            let instead = "name a field here, and write operators into its array";
            let problem = format!("{key:?} cannot be a field in $or");
            return Err(scope.at.error(problem, instead));
        }
        match node {
            Node::Object(members) => self.object(members, scope, group),
            Node::Array(items) => {
                let path = scope.path.clone().unwrap_or_default();
                if path.split('.').count() > MAX_DEPTH {
                    let problem = format!("the path has more than {MAX_DEPTH} steps");
                    return Err(scope.at.error(problem, "use fewer levels"));
                }
                let condition = operator::condition(items, &scope.at)?;
                group.fields.push(self.fields.len());
                self.fields.push(Field {
                    path,
                    at: scope.at.clone(),
                    condition,
                    asked: Combinations::NONE,
                });
                Ok(())
            }
            _ => {
                let instead = "put the values of a field into an array, as [\"RUNNING\"]";
                Err(scope.at.wrong_type(node, instead))
            }
        }
    }

    fn choice(
        &mut self,
        node: &Node,
        scope: &Scope,
        at: &Location,
        group: &mut Group,
    ) -> Result<(), PatternError> {
        const INSTEAD: &str = "write an array of at least two objects";
        let Node::Array(items) = node else {
            return Err(at.wrong_type(node, INSTEAD));
        };
        if items.len() < 2 {
            let problem = format!("$or has a choice of {}", items.len());
            return Err(at.error(problem, INSTEAD));
        }
        let mut groups = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = at.item(index);
            let Node::Object(members) = item else {
                return Err(at.wrong_type(item, INSTEAD));
            };
            let scope = Scope {
                at,
                path: scope.path.clone(),
                in_choice: true,
            };
            let mut branch = Group::default();
            self.object(members, &scope, &mut branch)?;
            groups.push(branch);
        }
        group.choices.push(groups);
        Ok(())
    }
}
