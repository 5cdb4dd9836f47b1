//! One resource of a template.

use std::borrow::Cow;

use super::{
    super::{
        kind::is_converted,
        text::Span,
        tree::{Node, Value},
    },
    for_each::Repeated,
    function::Failure,
    scope::Scope,
    stack::Stack,
};

/// A resource.
#[derive(Clone, Debug)]
pub(super) struct Resource<'t, 'a> {
    /// Its logical ID.
    pub(super) id: Cow<'a, str>,
    pub(super) key_span: Span,
    pub(super) type_: Cow<'a, str>,
    pub(super) node: &'t Node<'a>,
    /// The variables of the loops that it is in.
    pub(super) scope: Scope<'a>,
}

impl<'t, 'a> Resource<'t, 'a> {
    /// Returns the resource in a member of `Resources`.
    pub(super) fn of(member: Repeated<'t, 'a>) -> Option<Self> {
        let Value::String(type_) = &member.value.get("Type")?.value else {
            return None;
        };
        Some(Self {
            id: member.key,
            key_span: member.key_span,
            type_: type_.clone(),
            node: member.value,
            scope: member.scope,
        })
    }

    /// Returns the expression of a property.
    pub(super) fn property(&self, name: &str) -> Option<&'t Node<'a>> {
        self.node.get("Properties")?.get(name)
    }

    /// Returns the text of a property; `None` if it has none.
    ///
    /// # Errors
    ///
    /// When it cannot be evaluated.
    pub(super) fn text(
        &self,
        property: &str,
        stack: &mut Stack<'t, 'a>,
    ) -> Result<Option<String>, Failure> {
        let Some(node) = self.property(property) else {
            return Ok(None);
        };
        match stack.node(node, &self.scope) {
            Some(Node {
                value: Value::Unresolved(why),
                ..
            }) => Err(Failure::of(*why)),
            Some(value) => Ok(value.scalar().map(str::to_owned)),
            None => Ok(None),
        }
    }

    /// Whether its condition holds, or it has none. One that cannot be evaluated counts as holding, so that the resource
    /// is rejected for it and not left out.
    pub(super) fn is_made(&self, stack: &mut Stack<'t, 'a>) -> bool {
        self.holds(stack).unwrap_or(true)
    }

    /// Returns whether its condition holds, or it has none.
    ///
    /// # Errors
    ///
    /// When the condition cannot be evaluated.
    pub(super) fn holds(&self, stack: &mut Stack<'t, 'a>) -> Result<bool, Failure> {
        let condition = self.node.get("Condition").and_then(Node::text);
        condition.map_or(Ok(true), |name| stack.condition(name))
    }

    /// Whether it becomes a document.
    pub(super) fn is_converted(&self, stack: &mut Stack<'t, 'a>) -> bool {
        match &*self.type_ {
            "AWS::ApplicationAutoScaling::ScalableTarget" => self.scales_ecs(),
            "AWS::ApplicationAutoScaling::ScalingPolicy" => {
                let target = self.property("ScalingTargetId");
                match target.and_then(|it| it.get("Ref")?.text()) {
                    Some(id) => stack.resource(id).is_none_or(|target| target.scales_ecs()),
                    None => self.scales_ecs(),
                }
            }
            "AWS::CloudWatch::Alarm" => self.starts_scaling(stack),
            _ => is_converted(&self.type_, self.node.get("Properties")),
        }
    }

    /// Whether what it scales may be a service of ECS.
    fn scales_ecs(&self) -> bool {
        let namespace = self.property("ServiceNamespace").and_then(Node::text);
        namespace.is_none_or(|namespace| namespace == "ecs")
    }

    /// Whether an action of an alarm is a scaling policy of the template.
    fn starts_scaling(&self, stack: &mut Stack<'t, 'a>) -> bool {
        let actions = self.property("AlarmActions").and_then(Node::elements);
        let mut ids = actions.into_iter().flatten().filter_map(|action| {
            let attribute = action.get("Fn::GetAtt");
            let attribute = attribute.and_then(|it| match it.elements() {
                Some(elements) => elements.first()?.text(),
                None => it.text()?.split('.').next(),
            });
            attribute.or_else(|| action.get("Ref")?.text())
        });
        ids.any(|id| {
            stack.resource(id).is_some_and(|it| {
                it.type_ == "AWS::ApplicationAutoScaling::ScalingPolicy" && it.is_converted(stack)
            })
        })
    }
}
