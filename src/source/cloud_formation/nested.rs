//! Nested stacks whose templates are at hand
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html>). Each is a stack of its
//! own, with the parameters that the stack around it passes. Its placeholders begin with its logical ID.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{
        expand::Expanded,
        placeholder::placeholders,
        text::Span,
        tree::{Node, Value},
    },
    carried::{Carried, place},
    cluster::{self, Clusters},
    export::{Export, Outputs, outputs},
    function::Failure,
    resource::Resource,
    stack::Stack,
    templates::{Place, Source, shown},
};
use crate::diagnostic::Message;

/// The most stacks that may be around each other.
const DEEPEST: usize = 10;

/// A nested stack, evaluated.
#[derive(Debug)]
pub(super) struct Child {
    /// Where its template is, if that is a file of the input: its documents are those of that file then.
    pub(super) input: Option<Place>,
    /// Where its template begins in its file.
    pub(super) start: usize,
    pub(super) expanded: Expanded<'static>,
    outputs: Outputs,
    pub(super) exports: Vec<Export>,
    pub(super) clusters: Clusters,
    /// The stacks that it nests, by their logical IDs.
    pub(super) children: Vec<(String, Arc<Self>)>,
    pub(super) left_out: BTreeSet<(Place, String)>,
}

/// What becomes of a nested stack.
#[derive(Clone, Debug)]
pub(super) enum Nested {
    Read(Arc<Child>),
    /// Its template is not at hand, for this reason.
    NotRead(String),
    Failed(Message),
}

/// Whether a resource is a nested stack.
pub(super) fn is_stack(resource: &Resource<'_, '_>) -> bool {
    matches!(
        &*resource.type_,
        "AWS::CloudFormation::Stack" | "AWS::Serverless::Application"
    )
}

impl Child {
    /// Returns the documents of the nested stack, all of them at the position of its resource in another file.
    pub(super) fn documents_at<'a>(&self, span: Span) -> Vec<Node<'a>> {
        let mut documents: Vec<Node<'a>> = self.expanded.resources.clone();
        for document in &mut documents {
            place(document, &|_| span);
        }
        documents
    }
}

impl<'t, 'a> Stack<'t, 'a> {
    /// Returns an output of a nested stack; `None` if its template is not at hand.
    ///
    /// # Errors
    ///
    /// When there is no such output, or it cannot be evaluated.
    pub(super) fn output(
        &mut self,
        resource: &Resource<'t, 'a>,
        name: &str,
        span: Span,
    ) -> Result<Option<Node<'a>>, Failure> {
        let child = match self.child(resource)? {
            Nested::Read(child) => child,
            Nested::NotRead(_) => return Ok(None),
            Nested::Failed(why) => return Err(Failure::of(why)),
        };
        match child.outputs.get(name) {
            Some(Ok(carried)) => Ok(Some(self.receive(carried, span))),
            Some(Err(why)) => Err(Failure::of(Message::clone(why))),
            None => Err(Failure::new(format!(
                "nested stack {} has no output {name}",
                resource.id
            ))),
        }
    }

    /// Returns a nested stack.
    ///
    /// # Errors
    ///
    /// When it is being evaluated already.
    pub(super) fn child(&mut self, resource: &Resource<'t, 'a>) -> Result<Nested, Failure> {
        if let Some(known) = self.children.get(&*resource.id) {
            return Ok(known.clone());
        }
        let key = format!("nested stack {}", resource.id);
        let nested = self.within(&key, |stack| Ok(evaluated(stack, resource)))?;
        self.children
            .insert(resource.id.to_string(), nested.clone());
        Ok(nested)
    }

    /// Notes the templates of nested stacks whose conditions do not hold: they are not converted by themselves either.
    pub(super) fn leave_out(&mut self) {
        for resource in &*self.all_resources() {
            if !is_stack(resource) || resource.is_made(self) {
                continue;
            }
            let Ok(Ok(location)) = location(self, resource) else {
                continue;
            };
            match self.template(&location) {
                Ok(source) => self.leave_out_one(resource, &source),
                Err(_) if is_open(&location) => {
                    let name = self.qualified(&resource.id);
                    let why = not_known(&location);
                    self.say(resource.key_span, Message::NestedStackNotRead { name, why });
                }
                Err(_) => {}
            }
        }
    }

    fn leave_out_one(&mut self, resource: &Resource<'_, '_>, source: &Source) {
        // One of a circle is read by itself.
        if let Some(input) = &source.template.input
            && !self.chain.contains(&source.place)
            && !self.chain.contains(input)
        {
            let id = resource.id.to_string();
            self.left_out.insert((input.clone(), id));
        }
    }

    fn template(&self, location: &str) -> Result<Source, String> {
        let templates = &self.values.templates;
        templates.find(self.place.as_ref(), location, &self.work)
    }
}

/// Whether a part of the location of a template is not known.
fn is_open(location: &str) -> bool {
    placeholders(location).next().is_some()
}

fn not_known(location: &str) -> String {
    format!(
        "{} is not known; a template of the input that it may be is converted by itself, with its own defaults",
        shown(location)
    )
}

/// Finds the template of a nested stack, and evaluates it.
fn evaluated<'t, 'a>(stack: &mut Stack<'t, 'a>, resource: &Resource<'t, 'a>) -> Nested {
    let location = match location(stack, resource) {
        Ok(Ok(location)) => location,
        Ok(Err(why)) => return Nested::NotRead(why),
        Err(failure) => return Nested::Failed(failure.message()),
    };
    let source = match stack.template(&location) {
        Ok(source) => source,
        Err(_) if is_open(&location) => return Nested::NotRead(not_known(&location)),
        Err(why) => return Nested::NotRead(why),
    };
    let file = source.template.text.name();
    let is_around = stack.chain.contains(&source.place);
    if is_around && location.contains("://") {
        let why = format!(
            "the folder has no file for {} but {file}, which nests it",
            shown(&location)
        );
        return Nested::NotRead(why);
    }
    let made = if is_around {
        Err(format!("its template {file} nests itself"))
    } else {
        made(stack, resource, &source)
    };
    match made {
        Ok(child) => Nested::Read(Arc::new(child)),
        Err(why) => {
            stack.leave_out_one(resource, &source);
            let name = stack.qualified(&resource.id);
            Nested::Failed(Message::NestedStackFailed { name, why })
        }
    }
}

/// Evaluates the template of a nested stack.
fn made<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    resource: &Resource<'t, 'a>,
    source: &Source,
) -> Result<Child, String> {
    if stack.chain.len() > DEEPEST {
        return Err(format!("more than {DEEPEST} stacks are around it"));
    }
    stack.work.nest()?;
    let root = source.template.root.as_ref().map_err(String::clone)?;
    let parameters = passed(stack, resource);
    let parameters = parameters.map_err(|failure| failure.message().to_string())?;
    Ok(child(stack, resource, source, root, parameters))
}

/// Returns where the template of a nested stack is; or why it cannot be at hand.
fn location<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    resource: &Resource<'t, 'a>,
) -> Result<Result<String, String>, Failure> {
    // The CDK uploads a file that is beside the template, under another name.
    let asset = resource.node.get("Metadata");
    if let Some(path) = asset.and_then(|it| it.get("aws:asset:path")?.text()) {
        return Ok(Ok(path.to_owned()));
    }
    let property = if resource.type_ == "AWS::Serverless::Application" {
        "Location"
    } else {
        "TemplateURL"
    };
    let location = stack.aside(|stack| resource.text(property, stack))?;
    Ok(location.ok_or_else(|| format!("its {property} names no template")))
}

/// Returns the parameters that are passed to a nested stack.
fn passed<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    resource: &Resource<'t, 'a>,
) -> Result<BTreeMap<String, Carried>, Failure> {
    let Some(parameters) = resource.property("Parameters") else {
        return Ok(BTreeMap::new());
    };
    // What is open in them is said where it is used.
    stack.aside(|stack| {
        let node = stack.node(parameters, &resource.scope);
        match node.map(|it| it.value) {
            Some(Value::Object(members)) => {
                let members = members.into_iter();
                let carried = members.map(|it| (it.key.to_string(), stack.carry(it.value)));
                Ok(carried.collect())
            }
            Some(Value::Unresolved(why)) => Err(Failure::of(*why)),
            _ => Ok(BTreeMap::new()),
        }
    })
}

fn child<'t, 'a>(
    outer: &mut Stack<'t, 'a>,
    resource: &Resource<'t, 'a>,
    source: &Source,
    root: &Node<'_>,
    parameters: BTreeMap<String, Carried>,
) -> Child {
    let mut stack = outer.inner(
        &resource.id,
        (source.template.text.name(), source.place.clone()),
        root,
        parameters,
    );
    let documents = super::documents(&mut stack);
    let Whole {
        outputs,
        exports,
        clusters,
        children,
        left_out,
    } = whole(&mut stack);
    let expanded = stack.finish(root.span, documents);
    let resources = expanded.resources.into_iter();
    Child {
        input: source.template.input.clone(),
        start: root.span.start,
        expanded: Expanded {
            resources: resources.map(Node::into_owned).collect(),
            findings: expanded.findings,
            names: expanded.names,
            is_part: false,
            is_own: expanded.is_own,
        },
        outputs,
        exports,
        clusters,
        children,
        left_out,
    }
}

/// What a stack has for others.
pub(super) struct Whole {
    outputs: Outputs,
    pub(super) exports: Vec<Export>,
    pub(super) clusters: Clusters,
    pub(super) children: Vec<(String, Arc<Child>)>,
    pub(super) left_out: BTreeSet<(Place, String)>,
}

/// Evaluates what a stack has for others.
pub(super) fn whole(stack: &mut Stack<'_, '_>) -> Whole {
    let (outputs, exports) = outputs(stack);
    let clusters = cluster::named(stack);
    let children = stack.children.iter();
    let children = children.filter_map(|(id, it)| match it {
        Nested::Read(child) => Some((id.clone(), Arc::clone(child))),
        Nested::NotRead(_) | Nested::Failed(_) => None,
    });
    Whole {
        outputs,
        exports,
        clusters,
        children: children.collect(),
        left_out: stack.left_out.clone(),
    }
}
