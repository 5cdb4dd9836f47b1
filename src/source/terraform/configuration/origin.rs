//! Where texts come from that resources are found by. The family of a task definition and the name of a cluster are known
//! before an apply, and several may have the same one: the reference tells which of them is meant
//! (<https://developer.hashicorp.com/terraform/language/expressions/references>).

use hcl_edit::{
    Ident,
    expr::{Expression, Traversal, TraversalOperator},
};

use super::{
    super::family::TASK_DEFINITION,
    evaluator::{Context, Evaluator},
    value::{Instance, Kind, Of, Place, Val},
};

/// The types whose attributes remember where they come from.
const TYPES: &[&str] = &[TASK_DEFINITION, "aws_ecs_cluster"];

/// The most addresses that a text is made of.
const MOST: usize = 16;

/// Returns the attribute of an instance with its address, if others are found by it.
pub(super) fn marked(value: Val, of: &Instance, type_: &str, address: &str) -> Val {
    if of.of == Of::Resource && TYPES.contains(&type_) {
        value.made_of(vec![address.to_owned()])
    } else {
        value
    }
}

/// Returns the addresses that values are made of, those of the elements of lists too.
pub(super) fn of<'v>(values: impl Iterator<Item = &'v Val>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in values {
        let elements = match &value.kind {
            Kind::List(list) => &*list.elements,
            _ => std::slice::from_ref(value),
        };
        for address in elements.iter().flat_map(Val::origins) {
            if found.len() < MOST && !found.contains(address) && is_of_resource(address) {
                found.push(address.clone());
            }
        }
    }
    found
}

/// Whether an address is that of an attribute of a resource that others are found by, and not of a data source.
fn is_of_resource(address: &str) -> bool {
    TYPES.iter().any(|type_| {
        let found = address.find(&format!("{type_}."));
        let before = found.and_then(|at| address.get(..at));
        before.is_some_and(|it| !it.ends_with("data.") || it.ends_with("module.data."))
    })
}

impl Evaluator<'_> {
    /// Returns the family of the data source by whose attributes alone an argument names a task definition.
    pub(super) fn family_read(&self, argument: &str, addresses: &[String]) -> Option<Val> {
        if !names_task_definition(argument) {
            return None;
        }
        let mut families = addresses.iter().map(|address| {
            let (data, _) = address.rsplit_once('.')?;
            self.families_read.get(data)
        });
        let first = families.next()??;
        let is_only = families.all(|it| it.and_then(Val::text) == first.text());
        is_only.then(|| first.clone())
    }

    /// Returns the value that `try` takes, with what the arguments behind it refer to: what a data source of a task
    /// definition reads is the resource of the same family, once that is made.
    pub(super) fn or_made<'e>(
        &mut self,
        value: Val,
        others: impl Iterator<Item = &'e Expression>,
        here: Place,
        context: &Context<'_>,
    ) -> Val {
        let Kind::Unknown(unknown) = &value.kind else {
            return value;
        };
        let mut reads = unknown.addresses.iter().map(|it| {
            let (data, _) = it.rsplit_once('.')?;
            self.families_read.get(data)?.text()
        });
        let Some(Some(read)) = reads.next() else {
            return value;
        };
        let read = read.to_owned();
        for other in others {
            let family = self.family_beside(other, context);
            if family.as_ref().and_then(Val::text) == Some(&*read)
                && let Ok(other) = self.expression(other, context)
            {
                return self.open(&[&value, &other], here);
            }
        }
        value
    }

    /// Returns the family of the task definition that an expression has another attribute of.
    fn family_beside(&mut self, expression: &Expression, context: &Context<'_>) -> Option<Val> {
        let Expression::Traversal(it) = expression else {
            return None;
        };
        let mut it = Traversal::clone(it);
        it.operators.pop();
        let family = TraversalOperator::GetAttr(Ident::new("family").into());
        it.operators.push(family.into());
        let it = Expression::Traversal(Box::new(it));
        let family = self.expression(&it, context).ok()?;
        (!of(std::iter::once(&family)).is_empty()).then_some(family)
    }
}

/// Whether an argument names a task definition.
fn names_task_definition(argument: &str) -> bool {
    argument.ends_with(".task_definition") || argument.ends_with(".task_definition_arn")
}

/// Returns the address of the task definition that an argument names by a value that is computed of it alone, such as its
/// ARN without the revision, or its family with the newest one.
pub(super) fn task_definition_of(argument: &str, addresses: &[String]) -> Option<String> {
    if !names_task_definition(argument) {
        return None;
    }
    let mut resources = addresses.iter().filter(|it| !it.contains("data."));
    let (resource, _) = resources.next()?.rsplit_once('.')?;
    let is_same = |it: &String| it.rsplit_once('.').is_some_and(|(it, _)| it == resource);
    (resource.contains("aws_ecs_task_definition.") && resources.all(is_same))
        .then(|| format!("{resource}.arn"))
}
