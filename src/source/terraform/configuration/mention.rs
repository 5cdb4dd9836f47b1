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

/// The names of task definitions and of local values in references.
#[derive(Default)]
struct Found {
    definitions: BTreeSet<String>,
    locals: BTreeSet<String>,
}

impl Visit for Found {
    fn visit_attr(&mut self, node: &Attribute) {
        // The order of the making is no use.
        if node.key.as_str() != "depends_on" {
            visit_attr(self, node);
        }
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        if let Expression::Variable(root) = &node.expr
            && let Some(first) = node.operators.first()
            && let TraversalOperator::GetAttr(name) = first.value()
        {
            let names = match root.as_str() {
                TASK_DEFINITION => Some(&mut self.definitions),
                "local" => Some(&mut self.locals),
                _ => None,
            };
            if let Some(names) = names {
                names.insert(name.as_str().to_owned());
            }
        }
        visit_traversal(self, node);
    }
}

impl Module {
    /// Returns the names of its task definitions that its blocks refer to, also through local values.
    fn mentions(&self) -> BTreeSet<String> {
        let (mut found, mut of_runners) = (Found::default(), Found::default());
        // A data source of a task definition reads the newest of the family.
        for it in self.resources.iter().chain(&self.data) {
            if runs(&it.type_) || it.type_ == TASK_DEFINITION {
                of_runners.visit_body(&it.declared.block.body);
                let inner = it.declared.block.body.blocks();
                let steps = inner.filter(|block| block.ident.as_str() == "provisioner");
                steps.for_each(|block| found.visit_body(&block.body));
            } else {
                found.visit_body(&it.declared.block.body);
            }
        }
        let calls = self.calls.iter().map(|it| &it.declared);
        for declared in self.outputs.values().chain(calls) {
            found.visit_body(&declared.block.body);
        }
        self.follow(&mut found);
        self.follow(&mut of_runners);
        // What only runs tasks is followed where it runs them. Other local values count, used or not.
        let unused = self.locals.keys();
        let unused = unused.filter(|it| !of_runners.locals.contains(*it));
        found.locals.extend(unused.cloned());
        self.follow(&mut found);
        found.definitions
    }

    /// Adds what local values refer to.
    fn follow(&self, found: &mut Found) {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        loop {
            let new: Vec<String> = found.locals.difference(&seen).cloned().collect();
            if new.is_empty() {
                return;
            }
            for name in new {
                if let Some((_, local)) = self.locals.get(&name) {
                    found.visit_attr(local);
                }
                seen.insert(name);
            }
        }
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
