//! The state of one evaluation.

mod finished;
mod opened;
mod work;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

pub(super) use self::{
    opened::{Open, is_open},
    work::{Template, Work},
};
use super::{
    super::{
        family::Revisions,
        text::Span,
        tree::{Member, Node, Size, Value},
        values::Values,
    },
    carried::Carried,
    cluster::{Known, Own},
    for_each,
    function::{self, Failure},
    index::Around,
    name::{Service, kebab, named_after},
    nested::Nested,
    resource::Resource,
    scope::Scope,
    templates::Place,
    transform::{TRANSFORM, say_one},
};
use crate::diagnostic::Message;

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
    /// What the stacks around it and in it share.
    pub(super) work: Rc<Work>,
    /// Those that this one nests.
    pub(super) children: BTreeMap<String, Nested>,
    /// The templates of the input that it would nest, with the logical IDs of the stacks that are not there.
    pub(super) left_out: BTreeSet<(Place, String)>,
    /// The exports of other templates that it imports.
    pub(super) imported: BTreeSet<String>,
    /// Those that it imports because no other one fits.
    pub(super) assumed: BTreeSet<String>,
    /// The values of parameters that are not shown.
    pub(super) secrets: BTreeSet<String>,
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
    /// How many references lead to this stack from the ones around it.
    depth: usize,
    findings: Vec<(Span, Message)>,
    open: BTreeMap<String, Open>,
    names: BTreeSet<String>,
    /// The services, once they are known.
    pub(super) services: Option<Rc<[Service]>>,
    /// The task definitions that share families, once they are known.
    pub(super) revisions: Option<Rc<Revisions>>,
    /// Its clusters, once they are known.
    pub(super) own_clusters: Option<Rc<[Own<'a>]>>,
    /// Clusters by what a reference to one returns.
    pub(super) clusters: BTreeMap<String, Known>,
    /// The deregistration delays of target groups in seconds, by what a reference to one returns.
    pub(super) delays: BTreeMap<String, (u32, Span)>,
    /// The logical IDs that are being referred to, while that is of interest.
    referred: Option<BTreeSet<String>>,
    /// The conditions that were evaluated.
    pub(super) conditions: BTreeMap<String, bool>,
    /// Whether the condition that is being evaluated depends on what is open.
    pub(super) is_assumed: bool,
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
            work: Rc::clone(&self.work),
            depth: self.depth + self.underway.len(),
            // The stack around it has what others need of it.
            is_own: true,
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
            work: Rc::default(),
            children: BTreeMap::new(),
            left_out: BTreeSet::new(),
            imported: BTreeSet::new(),
            assumed: BTreeSet::new(),
            secrets: BTreeSet::new(),
            is_own: false,
            is_part: false,
            resources: Rc::new([]),
            made: None,
            by_id: BTreeMap::new(),
            unnamed: None,
            underway: Vec::new(),
            depth: 0,
            findings: Vec::new(),
            open: BTreeMap::new(),
            names: BTreeSet::new(),
            services: None,
            revisions: None,
            own_clusters: None,
            clusters: BTreeMap::new(),
            delays: BTreeMap::new(),
            referred: None,
            conditions: BTreeMap::new(),
            is_assumed: false,
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
        let size = Size {
            values: found.len(),
            text: 0,
        };
        // Each use of a template counts.
        stack.work.spend(size);
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

    /// Returns all resources, whether their conditions hold or not.
    pub(super) fn all_resources(&self) -> Rc<[Resource<'t, 'a>]> {
        Rc::clone(&self.resources)
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
        if self.work.spend(Size { values: 1, text }) {
            return Ok(());
        }
        Err(Failure::new("it makes too much"))
    }

    /// Evaluates what `id` stands for, unless that is being done already.
    pub(super) fn within<T>(
        &mut self,
        id: &str,
        evaluate: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if self.underway.iter().any(|it| it == id) {
            return Err(Failure::new(format!("{id} refers to itself")));
        }
        if self.depth + self.underway.len() >= DEEPEST {
            let problem = format!("more than {DEEPEST} references lead to {id}");
            return Err(Failure::new(problem));
        }
        self.underway.push(id.to_owned());
        let value = evaluate(self);
        self.underway.pop();
        value
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
}
