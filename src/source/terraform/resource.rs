//! One instance of a resource.

use super::{
    super::{text::Span, tree::Node},
    address::Step,
};

/// An instance of a resource in a plan or a state.
#[derive(Clone, Debug)]
pub(super) struct Resource<'t, 'a> {
    /// Its address, such as `module.web["a"].aws_ecs_service.this[0]`.
    pub(super) address: String,
    /// The calls of the modules that it is in.
    pub(super) module: Vec<Step>,
    pub(super) type_: String,
    pub(super) name: String,
    /// The key of the instance.
    pub(super) key: Option<String>,
    pub(super) span: Span,
    pub(super) values: Option<&'t Node<'a>>,
    pub(super) unknown: Option<&'t Node<'a>>,
    /// The expressions of its arguments, if they are not in the configuration of a plan.
    pub(super) expressions: Option<&'t Node<'a>>,
    /// The names of the arguments with values that Terraform does not print.
    pub(super) sensitive: Vec<&'t str>,
}

impl Resource<'_, '_> {
    /// Returns the text of an attribute that is known.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.values?.get(name)?.text();
        text.filter(|text| !text.is_empty())
    }

    /// Returns a name for what has none before it is applied: the prefix of the name, or the names in the address.
    pub(super) fn made_name(&self) -> String {
        let prefix = self
            .text("name_prefix")
            .map(|it| it.trim_end_matches(['-', '_']));
        if let Some(prefix) = prefix.filter(|it| !it.is_empty()) {
            return prefix.to_owned();
        }
        let last = self.module.last();
        let step = match &*self.name {
            // Modules with one resource of a type call it so.
            "this" | "main" | "default" => last.map(|call| (&call.name, &call.key)),
            _ => None,
        };
        let (name, key) = step.unwrap_or((&self.name, &self.key));
        let key = key.as_deref().filter(|key| *key != "0");
        let whole = key.map_or_else(|| name.clone(), |key| format!("{name}-{key}"));
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        whole.chars().map(plain).collect()
    }
}
