//! The state of one evaluation.

mod opened;

use std::{
    borrow::Cow,
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    mem,
    rc::Rc,
    sync::Arc,
};

pub(super) use self::opened::{Open, is_open};
use super::{
    super::{
        expand::Expanded,
        text::Span,
        tree::{Member, Node, Size, Value},
        values::Values,
    },
    carried::Carried,
    cluster::Strategies,
    family::Revisions,
    for_each,
    function::{self, Failure},
    name::{Service, kebab, named_after},
    nested::Child,
    resource::Resource,
    scope::Scope,
    templates::{Around, Place},
    transform::{TRANSFORM, say_one},
};
use crate::diagnostic::Message;

/// The most that an evaluation may make. CloudFormation takes templates of 1 MB with 500 resources.
const LIMIT: Size = Size {
    values: 500_000,
    text: 32 << 20,
};

/// The most references that may lead from one to the next.
const DEEPEST: usize = 32;

/// The template of a stack, and what its evaluation has found.
pub(super) struct Stack<'t, 'a> {
    pub(super) root: &'t Node<'a>,
    pub(super) values: &'t Values,
    /// What other templates have for this one.
    pub(super) around: &'t Around,
    pub(super) name: String,
    pub(super) file: String,
    /// Where the template is, if it is a file of the input or beside one.
    pub(super) place: Option<Place>,
    /// The logical IDs of the stacks that nest it and its own, each with a `.`; empty for one that is not nested.
    prefix: String,
    /// The templates of the stacks around it, and its own.
    pub(super) chain: Vec<Place>,
    /// What the stack around it passes.
    passed: Option<BTreeMap<String, Carried>>,
    /// How many nested stacks have been evaluated.
    pub(super) nested: Rc<Cell<usize>>,
    /// Those that this one nests; none if the template is not at hand.
    pub(super) children: BTreeMap<String, Option<Arc<Child>>>,
    /// The exports of other templates that it imports.
    pub(super) imported: BTreeSet<String>,
    /// Whether the file has something for others, so that it is read also without documents.
    pub(super) is_own: bool,
    /// Whether the rest of the template is not there.
    pub(super) is_part: bool,
    resources: Rc<[Resource<'t, 'a>]>,
    /// Those whose conditions hold, once that is known.
    made: Option<Rc<[Resource<'t, 'a>]>>,
    by_id: BTreeMap<Cow<'a, str>, usize>,
    /// How many of each type have no name, once that is known.
    unnamed: Option<BTreeMap<String, usize>>,
    /// What is being evaluated: a reference to it would not end.
    underway: Vec<String>,
    findings: Vec<(Span, Message)>,
    open: BTreeMap<String, Open>,
    names: BTreeSet<String>,
    /// The services, once they are known.
    pub(super) services: Option<Rc<[Service]>>,
    /// The task definitions that share families, once they are known.
    pub(super) revisions: Option<Rc<Revisions>>,
    /// The strategies of its clusters, once they are known.
    pub(super) strategies: Option<Rc<Strategies<'a>>>,
    /// The deregistration delays of target groups in seconds, by what a reference to one returns.
    pub(super) delays: BTreeMap<String, (u32, Span)>,
    /// The logical IDs that are being referred to, while that is of interest.
    referred: Option<BTreeSet<String>>,
    /// The conditions that were evaluated.
    pub(super) conditions: BTreeMap<String, bool>,
    /// Whether the condition that is being evaluated depends on what is open.
    pub(super) is_assumed: bool,
    spent: Size,
}

impl<'t, 'a> Stack<'t, 'a> {
    /// Returns the stack of a template in the file `file`.
    pub(super) fn new(
        root: &'t Node<'a>,
        file: &str,
        values: &'t Values,
        around: &'t Around,
    ) -> Self {
        let place = values.templates.place(file);
        let mut stack = Self {
            name: values
                .stack_name
                .clone()
                .unwrap_or_else(|| named_after(file)),
            file: file.to_owned(),
            chain: place.iter().cloned().collect(),
            place,
            ..Self::empty(root, values, around)
        };
        stack.find_resources();
        stack
    }

    /// Returns the stack of a template that this one nests.
    pub(super) fn inner<'s, 'b>(
        &self,
        id: &str,
        source: (&str, Place),
        root: &'s Node<'b>,
        passed: BTreeMap<String, Carried>,
    ) -> Stack<'s, 'b>
    where
        't: 's,
    {
        let (file, place) = source;
        let mut chain = self.chain.clone();
        chain.push(place.clone());
        let mut stack = Stack {
            name: format!("{}-{}", self.name, kebab(id)),
            file: file.to_owned(),
            place: Some(place),
            prefix: format!("{}{id}.", self.prefix),
            chain,
            passed: Some(passed),
            nested: Rc::clone(&self.nested),
            // The stack around it has what others need of it.
            is_own: true,
            spent: self.spent,
            ..Stack::empty(root, self.values, self.around)
        };
        stack.find_resources();
        stack
    }

    fn empty(root: &'t Node<'a>, values: &'t Values, around: &'t Around) -> Self {
        Self {
            root,
            values,
            around,
            name: String::new(),
            file: String::new(),
            place: None,
            prefix: String::new(),
            chain: Vec::new(),
            passed: None,
            nested: Rc::default(),
            children: BTreeMap::new(),
            imported: BTreeSet::new(),
            is_own: false,
            is_part: false,
            resources: Rc::new([]),
            made: None,
            by_id: BTreeMap::new(),
            unnamed: None,
            underway: Vec::new(),
            findings: Vec::new(),
            open: BTreeMap::new(),
            names: BTreeSet::new(),
            services: None,
            revisions: None,
            strategies: None,
            delays: BTreeMap::new(),
            referred: None,
            conditions: BTreeMap::new(),
            is_assumed: false,
            spent: Size::default(),
        }
    }

    /// Finds the parameters and the resources of the template.
    fn find_resources(&mut self) {
        let root = self.root;
        let stack = self;
        let parameters = stack.section("Parameters");
        let parameters = parameters.iter().map(|it| stack.qualified(&it.key));
        stack.names.extend(parameters.collect::<Vec<_>>());
        // A template's resources may also be the whole file.
        let all = match root.get("Resources") {
            Some(resources) => resources.members(),
            None => root.members(),
        };
        let mut found = Vec::new();
        let nothing = Scope::default();
        for_each::members(stack, all.unwrap_or_default(), &nothing, &mut |_, it| {
            found.extend(Resource::of(it));
        });
        let ids = found.iter().enumerate();
        stack.by_id = ids.map(|(index, it)| (it.id.clone(), index)).collect();
        stack.resources = found.into();
    }

    /// Returns the stack of a template of which only a part is there.
    pub(super) fn of_part(
        root: &'t Node<'a>,
        file: &str,
        values: &'t Values,
        around: &'t Around,
    ) -> Self {
        Self {
            is_part: true,
            ..Self::new(root, file, values, around)
        }
    }

    /// Returns the members of a section.
    pub(super) fn section(&self, name: &str) -> &'t [Member<'a>] {
        let section = self.root.get(name).and_then(Node::members);
        section.unwrap_or_default()
    }

    /// Returns a member of a section.
    pub(super) fn in_section(&self, section: &str, name: &str) -> Option<&'t Member<'a>> {
        self.section(section).iter().find(|it| it.key == name)
    }

    /// Returns the resources whose conditions hold.
    pub(super) fn resources(&mut self) -> Rc<[Resource<'t, 'a>]> {
        if let Some(made) = &self.made {
            return Rc::clone(made);
        }
        let all = Rc::clone(&self.resources);
        let here = all.iter().filter(|it| it.is_made(self));
        let here: Rc<[_]> = here.cloned().collect();
        self.made = Some(Rc::clone(&here));
        here
    }

    /// Returns how many resources of a type have no name of their own.
    pub(super) fn unnamed(&mut self, type_: &str) -> usize {
        if self.unnamed.is_none() {
            let mut unnamed = BTreeMap::new();
            for resource in &*self.resources() {
                let property = resource.name_property();
                if property.is_some_and(|it| resource.property(it).is_none()) {
                    *unnamed.entry(resource.type_.to_string()).or_insert(0) += 1;
                }
            }
            self.unnamed = Some(unnamed);
        }
        let unnamed = self.unnamed.as_ref();
        unnamed.and_then(|it| it.get(type_).copied()).unwrap_or(0)
    }

    /// Returns the resource of a logical ID, whether its condition holds or not.
    pub(super) fn resource(&self, id: &str) -> Option<Resource<'t, 'a>> {
        let index = self.by_id.get(id)?;
        self.resources.get(*index).cloned()
    }

    /// Returns a value with all functions in it evaluated; `None` if it is `AWS::NoValue`.
    pub(super) fn node(&mut self, node: &'t Node<'a>, scope: &Scope<'a>) -> Option<Node<'a>> {
        if let Err(failure) = self.spend(node) {
            return Some(failure.at(node.span));
        }
        let value = match &node.value {
            Value::Object(members) => {
                if let [only] = members.as_slice()
                    && function::is_function(&only.key)
                {
                    let value = function::evaluate(self, only, scope, node.span);
                    return value.unwrap_or_else(|failure| Some(failure.at(node.span)));
                }
                let mut kept = Vec::with_capacity(members.len());
                for_each::members(self, members, scope, &mut |stack, it| {
                    if it.key == TRANSFORM {
                        return say_one(stack, it.value);
                    }
                    if let Some(value) = stack.node(it.value, &it.scope) {
                        kept.push(Member {
                            key: it.key,
                            key_span: it.key_span,
                            value,
                        });
                    }
                });
                Value::Object(kept)
            }
            Value::List(elements) => {
                let kept = elements.iter().filter_map(|it| self.node(it, scope));
                Value::List(kept.collect())
            }
            other => other.clone(),
        };
        let span = node.span;
        Some(Node { value, span })
    }

    /// Counts a value against the limit.
    fn spend(&mut self, node: &Node<'_>) -> Result<(), Failure> {
        let text = match &node.value {
            Value::String(text) => text.len(),
            _ => 0,
        };
        self.spend_text(text)
    }

    /// Counts a value with a text of this length against the limit.
    pub(super) fn spend_text(&mut self, text: usize) -> Result<(), Failure> {
        self.spent.add(Size { values: 1, text });
        if self.spent.exceeds(LIMIT) {
            return Err(Failure::new("it makes too much"));
        }
        Ok(())
    }

    /// Evaluates what `id` stands for, unless that is being done already.
    pub(super) fn within<T>(
        &mut self,
        id: &str,
        evaluate: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.underway.len() == DEEPEST || self.underway.iter().any(|it| it == id) {
            return Err(Failure::new(format!("{id} refers to itself")));
        }
        self.underway.push(id.to_owned());
        let value = evaluate(self);
        self.underway.pop();
        value
    }

    /// Counts what a nested stack has made.
    pub(super) fn spend_as(&mut self, inner: &Stack<'_, '_>) {
        self.spent = inner.spent;
    }

    /// Adds what there is to say of the file.
    pub(super) fn say(&mut self, span: Span, message: Message) {
        if !self.findings.iter().any(|(_, known)| *known == message) {
            self.findings.push((span, message));
        }
    }

    /// Says that a loop cannot be repeated, whose members are missing then.
    pub(super) fn fail(&mut self, member: &Member<'a>, problem: &str) {
        let problem = format!("{}: {problem}", member.key);
        self.say(member.key_span, Message::TemplateFunctionFailed { problem });
    }

    /// Returns what the template stands for.
    pub(super) fn finish(mut self, span: Span, resources: Vec<Node<'a>>) -> Expanded<'a> {
        let open = std::mem::take(&mut self.open);
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
        Expanded {
            resources,
            findings: self.findings,
            names: self.names,
            is_part: self.is_part,
            is_own: self.is_own,
        }
    }
}
