//! What providers of AWS say of all resources
//! (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs#default_tags>).

use hcl_edit::expr::{Expression, ObjectKey, Traversal, TraversalOperator};

use super::{
    evaluator::{Evaluator, ONCE},
    module::Declared,
    value::{Instance, Val},
};

/// The provider that resources of AWS have.
pub(super) const AWS: &str = "aws";

/// The deepest calls of modules that hand a provider on.
const DEEPEST: usize = 32;

impl Evaluator<'_> {
    /// Returns the tags that the provider of a data source gives everything.
    pub(super) fn default_tags(&mut self, of: &Instance) -> Option<Val> {
        let (declared, _) = self.declared(of)?;
        let provider = declared.argument("provider").map(alias);
        let provider = self.provider(of.module, provider.unwrap_or_default())?;
        let context = self.context(0, provider.file_of("default_tags"), ONCE);
        let body = &provider.block.body;
        let blocks = self.in_body(body, "default_tags", &context).ok()??;
        let block = blocks.elements()?.first()?.members()?;
        Some(block.get("tags")?.value.clone())
    }

    /// Returns the region of the provider of a data source. What the command line says counts more for the provider without
    /// an alias (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs#region>).
    pub(super) fn region(&mut self, of: &Instance) -> Option<Val> {
        let (declared, _) = self.declared(of)?;
        let provider = declared.argument("provider").map(alias);
        let provider = self.provider(of.module, provider.unwrap_or_default())?;
        if provider.argument("alias").is_none() && self.values.region.is_some() {
            return None;
        }
        let context = self.context(0, provider.file_of("region"), ONCE);
        let region = self.in_body(&provider.block.body, "region", &context);
        let region = region.ok()??;
        region.text().is_some().then_some(region)
    }

    /// Returns the block of the provider that an instance of a module has under an alias.
    fn provider<'s>(&self, module: usize, alias: Option<String>) -> Option<&'s Declared>
    where
        Self: 's,
    {
        let (mut module, mut name) = (module, alias);
        for _ in 0..DEEPEST {
            let Some((outer, call, _)) = self.instances.get(module)?.caller else {
                let mut all = self.module(0)?.providers.iter();
                return all.find(|it| {
                    let own = it.argument("alias").and_then(Expression::as_str);
                    own == name.as_deref()
                });
            };
            let call = self.module(outer)?.calls.get(call)?;
            // Only the provider without an alias is handed on by itself.
            name = match call.declared.argument("providers") {
                Some(Expression::Object(handed)) => {
                    let mut handed = handed.iter();
                    let (_, value) = handed.find(|(key, _)| is_key(key, name.as_deref()))?;
                    self::alias(value.expr())
                }
                _ => name,
            };
            module = outer;
        }
        None
    }
}

/// Returns the alias in a reference to a provider: `west` of `aws.west`.
fn alias(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Traversal(it) => of_traversal(it),
        // Old configurations write a text.
        Expression::String(text) => {
            let (_, alias) = text.value().split_once('.')?;
            Some(alias.to_owned())
        }
        _ => None,
    }
}

fn of_traversal(it: &Traversal) -> Option<String> {
    match it.operators.first()?.value() {
        TraversalOperator::GetAttr(name) => Some(name.as_str().to_owned()),
        _ => None,
    }
}

/// Whether a key of `providers` is the provider with an alias.
fn is_key(key: &ObjectKey, name: Option<&str>) -> bool {
    match key {
        ObjectKey::Ident(own) | ObjectKey::Expression(Expression::Variable(own)) => {
            name.is_none() && own.as_str() == AWS
        }
        ObjectKey::Expression(expression) => name.is_some() && alias(expression).as_deref() == name,
    }
}
