//! The task definitions that anything refers to besides what runs tasks, found in the expressions as they are written.

use std::collections::BTreeSet;

use hcl_edit::{
    expr::{Expression, Traversal, TraversalOperator},
    structure::Attribute,
    visit::{Visit, visit_attr, visit_traversal},
};

use super::{
    super::family::{Mentions, TASK_DEFINITION, runs},
    evaluator::Evaluator,
    module::Module,
};

/// The names of task definitions in references.
#[derive(Default)]
struct Found(BTreeSet<String>);

impl Visit for Found {
    fn visit_attr(&mut self, node: &Attribute) {
        // The order of the making is no use.
        if node.key.as_str() != "depends_on" {
            visit_attr(self, node);
        }
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        if let Expression::Variable(type_) = &node.expr
            && type_.as_str() == TASK_DEFINITION
            && let Some(first) = node.operators.first()
            && let TraversalOperator::GetAttr(name) = first.value()
        {
            self.0.insert(name.as_str().to_owned());
        }
        visit_traversal(self, node);
    }
}

impl Module {
    /// Returns the names of its task definitions that its blocks refer to.
    fn mentions(&self) -> BTreeSet<String> {
        let mut found = Found::default();
        // A data source of a task definition reads the newest of the family.
        let others = self.resources.iter().chain(&self.data);
        let others = others.filter(|it| !runs(&it.type_) && it.type_ != TASK_DEFINITION);
        let others = others.map(|it| &it.declared);
        let calls = self.calls.iter().map(|it| &it.declared);
        for declared in others.chain(self.outputs.values()).chain(calls) {
            found.visit_body(&declared.block.body);
        }
        found.0
    }
}

impl Evaluator<'_> {
    /// Returns the task definitions that anything refers to, in all instances of modules.
    pub(super) fn mentions(&self) -> Mentions {
        let mut mentions = Mentions::default();
        for (index, instance) in self.instances.iter().enumerate() {
            let names = self.module(index).map(Module::mentions);
            for name in names.unwrap_or_default() {
                mentions.add(&instance.steps, &name);
            }
        }
        mentions
    }
}
