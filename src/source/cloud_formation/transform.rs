//! Macros, which change a template before CloudFormation reads it
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros.html>). They are programs in an account,
//! or files in a bucket, and are not run.

use super::{super::tree::Node, stack::Stack};
use crate::diagnostic::Message;

/// The function that runs a macro on what is around it.
pub(super) const TRANSFORM: &str = "Fn::Transform";

/// Names the macros that change the whole template, or its sections.
pub(super) fn say_macros(stack: &mut Stack<'_, '_>) {
    let root = stack.root;
    if let Some(member) = root.member("Transform") {
        let one = std::slice::from_ref(&member.value);
        let all = member.value.elements().unwrap_or(one);
        let names: Vec<&str> = all
            .iter()
            .filter_map(name)
            .filter(|it| is_run(it))
            .collect();
        say(stack, &names, &member.value);
    }
    let sections = root.members().unwrap_or_default().iter();
    for member in sections
        .map(|it| &it.value)
        .chain([root])
        .filter_map(|it| it.member(TRANSFORM))
    {
        say_one(stack, &member.value);
    }
}

/// Says that a macro is not run.
pub(super) fn say_one(stack: &mut Stack<'_, '_>, argument: &Node<'_>) {
    say(stack, &[name(argument).unwrap_or(TRANSFORM)], argument);
}

fn say(stack: &mut Stack<'_, '_>, names: &[&str], at: &Node<'_>) {
    if !names.is_empty() {
        let names = names.join(", ");
        stack.say(at.span, Message::MacrosNotRun { names });
    }
}

/// Returns the name of a macro.
fn name<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    node.text().or_else(|| node.get("Name")?.text())
}

/// Whether a macro changes what is converted. Of those of AWS, only an inclusion does: the resources of others are known.
fn is_run(name: &str) -> bool {
    name == "AWS::Include" || !name.starts_with("AWS::")
}
