//! What a stack stands for once it is evaluated.

use std::mem;

use super::{
    super::super::{expand::Expanded, text::Span, tree::Node},
    Open, Stack,
};
use crate::diagnostic::Message;

impl<'a> Stack<'_, 'a> {
    /// Returns what the template stands for.
    pub(in super::super) fn finish(mut self, span: Span, resources: Vec<Node<'a>>) -> Expanded<'a> {
        let open = mem::take(&mut self.open);
        let of = |why: Open| {
            let names = open.iter().filter(|(_, known)| **known == why);
            let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        if let Some(names) = of(Open::Parameter) {
            self.say(span, Message::ParametersNotGiven { names });
        }
        if let Some(names) = of(Open::Resource) {
            self.say(span, Message::KnownAfterDeployment { names });
        }
        if let Some(names) = of(Open::Condition) {
            self.say(span, Message::ConditionsNotInFile { names });
        }
        if !self.imported.is_empty() {
            let imported: Vec<String> = mem::take(&mut self.imported).into_iter().collect();
            let names = imported.join(", ");
            self.say(span, Message::ImportsOfTemplates { names });
        }
        if !self.assumed.is_empty() {
            let assumed: Vec<String> = mem::take(&mut self.assumed).into_iter().collect();
            let names = assumed.join(", ");
            self.say(span, Message::ImportsAssumed { names });
        }
        Expanded {
            resources,
            findings: self.findings,
            names: self.names,
            is_part: self.is_part,
            is_own: self.is_own,
        }
    }
}
