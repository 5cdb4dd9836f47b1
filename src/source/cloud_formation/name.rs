//! The names of resources that have none. CloudFormation makes them from the stack and the logical ID, and so does this,
//! without the characters that a deployment appends.

use std::rc::Rc;

use super::{
    super::{
        family::Revision,
        text::stem,
        tree::{Member, Node, Value},
    },
    family::revisions,
    function::Failure,
    resource::Resource,
    stack::Stack,
};

/// The properties that have the names of resources which are converted.
const NAMES: &[(&str, &str)] = &[
    ("AWS::AppRunner::Service", "ServiceName"),
    (
        "AWS::AppRunner::AutoScalingConfiguration",
        "AutoScalingConfigurationName",
    ),
    ("AWS::CloudWatch::Alarm", "AlarmName"),
    ("AWS::ECS::CapacityProvider", "Name"),
    ("AWS::ECS::Cluster", "ClusterName"),
    ("AWS::ECS::Service", "ServiceName"),
    ("AWS::ECS::TaskDefinition", "Family"),
    ("AWS::Events::Rule", "Name"),
    ("AWS::Pipes::Pipe", "Name"),
    ("AWS::Scheduler::Schedule", "Name"),
];

/// Whether a capacity provider may not have the name. That of a file such as `ecs-cluster.yaml` is none that CloudFormation
/// would use.
fn is_reserved(name: &str) -> bool {
    let mut beginnings = ["aws", "ecs", "fargate"].iter();
    beginnings.any(|beginning| name.starts_with(beginning))
}

/// Returns the property that has the name of a resource of this type, if a missing one is made.
pub(super) fn property(type_: &str) -> Option<&'static str> {
    let found = NAMES.iter().find(|(known, _)| *known == type_);
    found.map(|(_, property)| *property)
}

impl<'t, 'a> Resource<'t, 'a> {
    /// Returns its name; `None` if only AWS knows it.
    ///
    /// # Errors
    ///
    /// When it cannot be evaluated.
    pub(super) fn name(&self, stack: &mut Stack<'t, 'a>) -> Result<Option<String>, Failure> {
        if let Some(name) = self.own_revision(stack) {
            return Ok(Some(name));
        }
        if let Some(property) = self.name_property()
            && let Some(name) = self.text(property, stack)?
        {
            return Ok(Some(name));
        }
        match property(&self.type_) {
            Some(_) => Ok(Some(self.made_name(stack))),
            None => Ok(None),
        }
    }

    /// Sets the name among its evaluated properties, if it has none.
    pub(super) fn add_name(&self, properties: &mut Node<'a>, stack: &mut Stack<'t, 'a>) {
        let Some(property) = property(&self.type_) else {
            return;
        };
        let revision = self.own_revision(stack);
        let name = match revision {
            Some(name) => name,
            None if properties.get(property).is_some() => return,
            None => self.made_name(stack),
        };
        if let Value::Object(members) = &mut properties.value {
            let at = members.iter().position(|it| it.key == property);
            let known = at.map(|at| members.remove(at));
            let span = known.map_or(self.key_span, |it| it.value.span);
            members.push(Member {
                key: property.into(),
                key_span: self.key_span,
                value: Node {
                    value: Value::String(name.into()),
                    span,
                },
            });
        }
    }

    /// Returns the family of a task definition whose own another one keeps.
    fn own_revision(&self, stack: &mut Stack<'t, 'a>) -> Option<String> {
        if self.type_ != "AWS::ECS::TaskDefinition" {
            return None;
        }
        match revisions(stack).get(&*self.id)? {
            Revision::Renamed(name) => Some(name.clone()),
            Revision::LeftOut => None,
        }
    }

    /// Returns the name of the stack, if this is its only resource of the type that has no name; otherwise also the
    /// logical ID. A service is named after its task definition if no other one runs that.
    fn made_name(&self, stack: &mut Stack<'t, 'a>) -> String {
        if self.type_ == "AWS::ECS::Service"
            && let Some(family) = self.own_family(stack)
        {
            return family;
        }
        let stack_name = kebab(&stack.name);
        let is_provider = self.type_ == "AWS::ECS::CapacityProvider";
        let stack_name = if is_provider && is_reserved(&stack_name) {
            format!("stack-{stack_name}")
        } else {
            stack_name
        };
        if stack.unnamed(&self.type_) == 1 {
            return stack_name;
        }
        format!("{stack_name}-{}", kebab(self.id_without_hash()))
    }

    /// Returns the family of a service's task definition, if no other service runs it or has its name.
    fn own_family(&self, stack: &mut Stack<'t, 'a>) -> Option<String> {
        let services = services(stack);
        let family = services
            .iter()
            .find(|it| it.id == self.id)?
            .family
            .clone()?;
        let mut others = services.iter().filter(|it| it.id != self.id);
        let is_taken = others.any(|other| {
            other.family.as_ref() == Some(&family) || other.name.as_ref() == Some(&family)
        });
        (!is_taken).then_some(family)
    }

    fn family(&self, stack: &mut Stack<'t, 'a>) -> Option<String> {
        let family = self.text("TaskDefinition", stack).ok()??;
        // Another template's task definition, or one with a revision, is not named as a service may be.
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        family.chars().all(is_name).then_some(family)
    }

    /// Returns the logical ID without the hash that the CDK appends to it.
    pub(super) fn id_without_hash(&self) -> &str {
        let is_of_cdk = self
            .node
            .get("Metadata")
            .is_some_and(|metadata| metadata.get("aws:cdk:path").is_some());
        let at = self.id.len().saturating_sub(8);
        let (name, hash) = self.id.split_at_checked(at).unwrap_or((&*self.id, ""));
        let is_hash = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
        if is_of_cdk && !name.is_empty() && hash.chars().all(is_hash) {
            name
        } else {
            &self.id
        }
    }
}

/// A service of the template.
#[derive(Debug)]
pub(super) struct Service {
    id: String,
    /// The family that it runs, if that is known.
    family: Option<String>,
    /// The name that the template gives it.
    name: Option<String>,
}

/// Returns the services of a template, which are evaluated once.
fn services(stack: &mut Stack<'_, '_>) -> Rc<[Service]> {
    if let Some(known) = &stack.services {
        return Rc::clone(known);
    }
    // A name may refer to that of another service.
    stack.services = Some(Rc::new([]));
    let all = stack.resources();
    let services = all.iter().filter(|it| it.type_ == "AWS::ECS::Service");
    let services = services.map(|it| Service {
        id: it.id.to_string(),
        family: it.family(stack),
        name: it.text("ServiceName", stack).ok().flatten(),
    });
    let services: Rc<[Service]> = services.collect();
    stack.services = Some(Rc::clone(&services));
    services
}

/// The longest name of a stack that is taken from a file. With a logical ID it has to fit into the names of AWS.
const LONGEST: usize = 40;

/// Returns the name of a stack whose template is in a file. What it cannot have becomes `-`.
pub(super) fn named_after(file: &str) -> String {
    let stem = stem(file);
    if stem.starts_with('<') || stem.is_empty() {
        return "stack".to_owned();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = stem.chars().map(plain).take(LONGEST).collect();
    name.trim_matches('-').to_owned()
}

/// Returns `web-service` of `WebService`.
pub(super) fn kebab(name: &str) -> String {
    let mut result = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let begins_word = c.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || before.is_ascii_uppercase()
                    && chars.peek().is_some_and(char::is_ascii_lowercase));
        if (begins_word || !c.is_ascii_alphanumeric())
            && !result.ends_with('-')
            && !result.is_empty()
        {
            result.push('-');
        }
        if c.is_ascii_alphanumeric() {
            result.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    result.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_separated() {
        for (name, expected) in [
            ("WebService", "web-service"),
            ("ECSService", "ecs-service"),
            ("my_stack.v2", "my-stack-v2"),
            ("web", "web"),
            ("Api2Task", "api2-task"),
            ("-x-", "x"),
        ] {
            assert_eq!(kebab(name), expected);
        }
    }
}
