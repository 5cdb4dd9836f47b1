//! Nested stacks whose templates are at hand
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html>). Each is a stack of its
//! own, with the parameters that the stack around it passes. Its placeholders begin with its logical ID.

use std::{collections::BTreeMap, rc::Rc, sync::Arc};

use super::{
    super::{
        expand::Expanded,
        syntax::parse_one,
        text::Span,
        tree::{Node, Value},
    },
    carried::{Carried, place},
    cluster::{self, Strategies},
    export::{Export, Outputs, outputs},
    function::Failure,
    resource::Resource,
    stack::Stack,
    templates::{Place, Source},
};
use crate::diagnostic::Message;

/// The most stacks that may be around each other.
const DEEPEST: usize = 10;

/// The most nested stacks that one evaluation may make.
const MOST: usize = 500;

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
    pub(super) strategies: BTreeMap<String, Carried>,
    /// The stacks that it nests, by their logical IDs.
    pub(super) children: Vec<(String, Arc<Self>)>,
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
        let Some(child) = self.child(resource)? else {
            return Ok(None);
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

    /// Returns a nested stack; `None` if its template is not at hand.
    ///
    /// # Errors
    ///
    /// When it cannot be evaluated.
    pub(super) fn child(
        &mut self,
        resource: &Resource<'t, 'a>,
    ) -> Result<Option<Arc<Child>>, Failure> {
        if let Some(known) = self.children.get(&*resource.id) {
            return Ok(known.clone());
        }
        let key = format!("nested stack {}", resource.id);
        let child = self.within(&key, |stack| evaluated(stack, resource))?;
        self.children.insert(resource.id.to_string(), child.clone());
        Ok(child)
    }
}

/// Finds the template of a nested stack, and evaluates it.
fn evaluated<'t, 'a>(
    stack: &mut Stack<'t, 'a>,
    resource: &Resource<'t, 'a>,
) -> Result<Option<Arc<Child>>, Failure> {
    let name = stack.qualified(&resource.id);
    let source = match location(stack, resource)? {
        Ok(location) => stack.values.templates.find(stack.place.as_ref(), &location),
        Err(why) => Err(why),
    };
    let source = match source {
        Ok(source) => source,
        Err(why) => {
            stack.say(resource.key_span, Message::NestedStackNotRead { name, why });
            return Ok(None);
        }
    };
    let file = source.text.name().to_owned();
    let failed = |why: String| {
        let name = name.clone();
        Failure::of(Message::NestedStackFailed { name, why })
    };
    if stack.chain.contains(&source.place) {
        return Err(failed(format!("its template {file} nests itself")));
    }
    if stack.chain.len() > DEEPEST {
        return Err(failed(format!("more than {DEEPEST} stacks are around it")));
    }
    let made = stack.nested.get() + 1;
    stack.nested.set(made);
    if made > MOST {
        return Err(failed(format!("there are more than {MOST} nested stacks")));
    }
    let parsed = parse_one(source.text.name(), source.text.text());
    let parsed = parsed.map_err(|error| failed(format!("{file}: {}", error.message)))?;
    let root = parsed.filter(super::is_template);
    let root = root.ok_or_else(|| failed(format!("{file} is no template")))?;
    let parameters = passed(stack, resource)?;
    Ok(Some(Arc::new(child(
        stack, resource, &source, &root, parameters,
    ))))
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
        (source.text.name(), source.place.clone()),
        root,
        parameters,
    );
    let documents = super::documents(&mut stack);
    let Whole {
        outputs,
        exports,
        strategies,
        children,
    } = whole(&mut stack);
    outer.spend_as(&stack);
    let expanded = stack.finish(root.span, documents);
    let resources = expanded.resources.into_iter();
    Child {
        input: source.input.clone(),
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
        strategies,
        children,
    }
}

/// What a stack has for others.
pub(super) struct Whole {
    outputs: Outputs,
    pub(super) exports: Vec<Export>,
    pub(super) strategies: BTreeMap<String, Carried>,
    pub(super) children: Vec<(String, Arc<Child>)>,
}

/// Evaluates what a stack has for others.
pub(super) fn whole(stack: &mut Stack<'_, '_>) -> Whole {
    let (outputs, exports) = outputs(stack);
    let own: Rc<Strategies<'_>> = cluster::strategies(stack);
    let strategies = own.iter();
    let strategies = strategies
        .map(|(name, it)| (name.clone(), stack.carry(it.clone())))
        .collect();
    let children = stack.children.iter();
    let children = children
        .filter_map(|(id, it)| Some((id.clone(), it.clone()?)))
        .collect();
    Whole {
        outputs,
        exports,
        strategies,
        children,
    }
}
