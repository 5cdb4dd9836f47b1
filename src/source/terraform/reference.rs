//! What the expressions of a configuration refer to.
//!
//! A plan does not have the expressions, only the names in them: `aws_lb_target_group.web.arn`, and then the shorter
//! `aws_lb_target_group.web` (<https://developer.hashicorp.com/terraform/internals/json-format#expression-representation>).

use super::{
    super::tree::Node,
    address::{Step, steps},
    attribute::Attribute,
    plan::Plan,
    resource::Resource,
};

/// The most that one argument refers to. A list of subnets or security groups has a few.
const MANY: usize = 500;

/// What a reference leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Referent {
    /// An attribute of a resource of the plan. It is empty if the reference does not tell.
    Resource { index: usize, attribute: String },
    /// A value.
    Constant(String),
    /// Something else: a data source, a local value.
    Other { name: String },
}

/// Where a reference is.
#[derive(Clone, Copy)]
struct Place<'p> {
    module: &'p [Step],
    /// The key of the resource that has it.
    key: Option<&'p str>,
}

impl<'t, 'a> Plan<'t, 'a> {
    /// Returns the expressions of a resource's arguments.
    pub(super) fn expressions(&self, resource: &Resource<'t, 'a>) -> Option<&'t Node<'a>> {
        let module = self.module(&resource.module)?;
        let mut all = module.get("resources")?.elements()?.iter();
        let is =
            |node: &Node<'_>, key, text: &str| node.get(key).and_then(Node::text) == Some(text);
        let found = all.find(|it| {
            is(it, "type", &resource.type_)
                && is(it, "name", &resource.name)
                && !is(it, "mode", "data")
        });
        // A resource without arguments has no expressions.
        let found = found?;
        Some(found.get("expressions").unwrap_or(found))
    }

    /// Returns the configuration of a module.
    fn module(&self, calls: &[Step]) -> Option<&'t Node<'a>> {
        calls.iter().try_fold(self.configuration?, |module, call| {
            module.get("module_calls")?.get(&call.name)?.get("module")
        })
    }

    /// Returns what an argument of a resource refers to.
    pub(super) fn referents(
        &mut self,
        resource: &Resource<'t, 'a>,
        attribute: Attribute<'t, 'a>,
    ) -> Vec<Referent> {
        let place = Place {
            module: &resource.module,
            key: resource.key.as_deref(),
        };
        let mut found = Vec::new();
        if let Some(expression) = attribute.expression {
            self.follow(expression, place, &mut found);
        }
        found
    }

    /// Adds what an expression refers to.
    fn follow(&mut self, expression: &Node<'_>, place: Place<'_>, found: &mut Vec<Referent>) {
        if let Some(text) = expression.get("constant_value").and_then(Node::scalar) {
            found.push(Referent::Constant(text.to_owned()));
        }
        let addresses = expression.get("addresses").and_then(Node::elements);
        for address in addresses.unwrap_or_default().iter().filter_map(Node::text) {
            if found.len() < MANY {
                found.push(self.addressed(address));
            }
        }
        let all = expression.get("references").and_then(Node::elements);
        let all: Vec<&str> = all
            .unwrap_or_default()
            .iter()
            .filter_map(Node::text)
            .collect();
        for reference in longest(&all) {
            if found.len() >= MANY {
                return;
            }
            let added = self.within(|plan| plan.refer(reference, place, found));
            if added.is_none() {
                let name = within(place.module, reference);
                found.push(Referent::Other { name });
            }
        }
    }

    /// Adds what a reference leads to; `None` if that cannot be found.
    fn refer(
        &mut self,
        reference: &str,
        place: Place<'_>,
        found: &mut Vec<Referent>,
    ) -> Option<()> {
        let steps = steps(reference);
        let first = steps.first()?;
        match &*first.name {
            "var" if steps.len() == 2 => {
                let (call, outer) = place.module.split_last()?;
                let calls = self.module(outer)?.get("module_calls")?.get(&call.name)?;
                let expression = calls.get("expressions")?.get(&steps.get(1)?.name)?;
                let place = Place {
                    module: outer,
                    key: call.key.as_deref(),
                };
                self.follow(expression, place, found);
            }
            "module" if steps.len() == 3 => {
                let (call, output) = (steps.get(1)?, steps.get(2)?);
                if output.key.is_some() {
                    return None;
                }
                let mut module = place.module.to_vec();
                module.push(call.clone());
                let outputs = self.module(&module)?.get("outputs")?;
                let expression = outputs.get(&output.name)?.get("expression")?;
                let place = Place {
                    module: &module,
                    key: None,
                };
                self.follow(expression, place, found);
            }
            "var" | "module" | "data" | "local" | "each" | "count" => return None,
            _ => found.push(self.planned(&steps, place)?),
        }
        Some(())
    }

    /// Returns what a whole address leads to.
    fn addressed(&self, address: &str) -> Referent {
        let split = address.rsplit_once('.');
        let resource = split.and_then(|(base, attribute)| {
            let index = self.find(base)?;
            let attribute = attribute.to_owned();
            Some(Referent::Resource { index, attribute })
        });
        let name = address.to_owned();
        resource.unwrap_or(Referent::Other { name })
    }

    /// Returns the attribute of a resource of the plan that a reference names.
    fn planned(&self, steps: &[Step], place: Place<'_>) -> Option<Referent> {
        let [type_, resource, rest @ ..] = steps else {
            return None;
        };
        let attribute = match rest {
            [] => "",
            [attribute] if attribute.key.is_none() => &attribute.name,
            _ => return None,
        };
        let base = within(place.module, &format!("{}.{}", type_.name, resource.name));
        let of_key = |key: &str| {
            let quoted = self.find(&format!("{base}[\"{key}\"]"));
            quoted.or_else(|| self.find(&format!("{base}[{key}]")))
        };
        let index = match &resource.key {
            Some(key) => of_key(key),
            // With `each.key` in brackets, the key is not a part of the reference.
            None => self.find(&base).or_else(|| of_key(place.key?)),
        };
        Some(Referent::Resource {
            index: index?,
            attribute: attribute.to_owned(),
        })
    }
}

/// Returns the references without those that another one continues, and without what only counts.
fn longest<'r>(all: &[&'r str]) -> Vec<&'r str> {
    let is_continued = |it: &str| {
        all.iter().any(|other| {
            let rest = other.strip_prefix(it);
            rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        })
    };
    let counts = |it: &str| matches!(it, "each.key" | "count.index" | "path.module");
    let mut kept: Vec<&str> = Vec::new();
    for reference in all {
        if !is_continued(reference) && !counts(reference) && !kept.contains(reference) {
            kept.push(reference);
        }
    }
    kept
}

/// Returns the address of what has this name in a module.
fn within(module: &[Step], name: &str) -> String {
    let calls = module.iter().map(|call| match &call.key {
        Some(key) if key.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("module.{}[{key}]", call.name)
        }
        Some(key) => format!("module.{}[\"{key}\"]", call.name),
        None => format!("module.{}", call.name),
    });
    let steps: Vec<String> = calls.chain([name.to_owned()]).collect();
    steps.join(".")
}
