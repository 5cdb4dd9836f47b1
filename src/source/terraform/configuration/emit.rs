//! Gives the instances of resources the form in which a plan has them: their values, what is not known of them, and what
//! they refer to.

use super::{
    super::{
        super::{
            placeholder::placeholders,
            text::Span,
            tree::{Member, Node, Value},
        },
        address::Step,
        container::LIST,
        resource::Resource,
        table::Type,
        target_group::DELAY,
    },
    evaluator::Evaluator,
    origin::task_definition_of,
    value::{self, Evaluated, Failure, Instance, Kind, Members, Place, Val},
};
use crate::diagnostic::Message;

/// The arguments by which resources that are not converted are known.
const NAMES: &[&str] = &["name", "path", "region", DELAY];

/// The type that is not converted, but of which more than the name is needed.
const STRATEGY_OF_CLUSTER: &str = "aws_ecs_cluster_capacity_providers";

/// An instance of a resource.
#[derive(Debug)]
pub(in super::super) struct Made {
    pub(in super::super) address: String,
    pub(in super::super) module: Vec<Step>,
    pub(in super::super) type_: String,
    pub(in super::super) name: String,
    pub(in super::super) key: Option<String>,
    /// The file that it becomes a document of: its own, or that of the call of its module.
    pub(in super::super) file: String,
    pub(in super::super) span: Span,
    values: Node<'static>,
    unknown: Node<'static>,
    expressions: Node<'static>,
    /// The names of the arguments with values of sensitive variables.
    sensitive: Vec<String>,
}

impl Made {
    /// Returns it as the reader of plans takes it.
    pub(in super::super) fn resource(&self) -> Resource<'_, 'static> {
        Resource {
            address: self.address.clone(),
            module: self.module.clone(),
            type_: self.type_.clone(),
            name: self.name.clone(),
            key: self.key.clone(),
            span: self.span,
            values: Some(&self.values),
            unknown: Some(&self.unknown),
            expressions: Some(&self.expressions),
            sensitive: self.sensitive.iter().map(String::as_str).collect(),
        }
    }
}

/// The three trees of a value.
struct Trees {
    value: Node<'static>,
    unknown: Node<'static>,
    expression: Node<'static>,
}

impl Trees {
    /// Returns those of a value that is known.
    fn known(value: Value<'static>, span: Span) -> Self {
        Self {
            value: Node { value, span },
            unknown: truth(false, span),
            expression: node(Value::Null, span),
        }
    }
}

fn node(value: Value<'static>, span: Span) -> Node<'static> {
    Node { value, span }
}

fn truth(value: bool, span: Span) -> Node<'static> {
    node(Value::Bool(value.to_string().into()), span)
}

fn member(key: &str, key_span: Span, value: Node<'static>) -> Member<'static> {
    Member {
        key: key.to_owned().into(),
        key_span,
        value,
    }
}

/// Where a value stands in a resource.
#[derive(Clone, Copy)]
struct Spot<'s> {
    /// The number of the file that the resource is a document of.
    file: Option<usize>,
    /// The value around it in this file.
    around: Span,
    /// The address of the argument.
    address: &'s str,
}

impl Spot<'_> {
    /// Returns where something is in the file; what is in another file is where it is referred to.
    fn span(&self, place: Place) -> Span {
        if place.file.is_some() && place.file == self.file {
            place.span
        } else {
            self.around
        }
    }
}

impl Evaluator<'_> {
    /// Returns an instance of a resource. `anchor` is the file and the place that stand for it.
    pub(super) fn made(
        &mut self,
        instance: &Instance,
        anchor: Place,
        whole: Span,
    ) -> Result<Option<Made>, Failure> {
        let Some(module) = self.instances.get(instance.module) else {
            return Ok(None);
        };
        let steps = module.steps.clone();
        let block = self.module(instance.module);
        let Some(typed) = block.and_then(|it| it.resources.get(instance.block)) else {
            return Ok(None);
        };
        let context = self.context(instance.module, typed.declared.file, &instance.turn);
        let body = if Type::named(&typed.type_).is_some() || typed.type_ == STRATEGY_OF_CLUSTER {
            // A body that is merged of several files is at no place.
            let body = &typed.declared.block.body;
            self.body(body, Some(&typed.declared), &context)?.at(anchor)
        } else {
            self.names(instance)?
        };
        let spot = Spot {
            file: anchor.file,
            around: anchor.span,
            address: &instance.address,
        };
        let mut trees = self.trees(&body, spot)?;
        trees.value.span = whole;
        let file = anchor.file.and_then(|file| self.modules.files.get(file));
        let arguments = trees.value.members().unwrap_or_default().iter();
        let sensitive = arguments.filter(|it| self.is_sensitive(&it.value));
        let sensitive = sensitive.map(|it| it.key.to_string()).collect();
        Ok(Some(Made {
            sensitive,
            address: instance.address.clone(),
            module: steps,
            type_: typed.type_.clone(),
            name: typed.name.clone(),
            key: instance.turn.key(),
            file: file.cloned().unwrap_or_default(),
            span: anchor.span,
            values: trees.value,
            unknown: trees.unknown,
            expressions: trees.expression,
        }))
    }

    /// Whether a value of a sensitive variable is in a tree.
    fn is_sensitive(&self, node: &Node<'_>) -> bool {
        match &node.value {
            Value::List(elements) => elements.iter().any(|it| self.is_sensitive(it)),
            Value::Object(members) => members.iter().any(|it| self.is_sensitive(&it.value)),
            _ => node.scalar().is_some_and(|text| self.has_secret(text)),
        }
    }

    /// Returns the arguments of a resource that is not converted by which others know it.
    fn names(&mut self, instance: &Instance) -> Evaluated {
        let mut members = Members::new();
        for name in NAMES {
            // What fails is not needed, unless something refers to it.
            if let Ok(Some(value)) = self.argument(instance, name) {
                let key = value.place;
                members.insert((*name).to_owned(), value::Member { key, value });
            }
        }
        Val::of_members(members, Place::NOWHERE)
    }

    /// Returns the trees of a value. Its depth is limited.
    fn trees(&mut self, val: &Val, spot: Spot<'_>) -> Result<Trees, Failure> {
        self.spend(1, 0)?;
        let span = spot.span(val.place);
        let spot = Spot {
            around: span,
            ..spot
        };
        Ok(match &val.kind {
            Kind::Null => Trees::known(Value::Null, span),
            Kind::Bool(value) => Trees::known(Value::Bool(value.to_string().into()), span),
            Kind::Number(value) => Trees::known(Value::Number(value.to_string().into()), span),
            Kind::Text(_) => known_text(val, span),
            Kind::Failed(why) => {
                let (address, why) = (spot.address.to_owned(), why.to_string());
                let why = self.without_secrets(why);
                let message = Message::ExpressionNotEvaluated { address, why };
                Trees::known(Value::Unresolved(Box::new(message)), span)
            }
            Kind::Unknown(unknown) => {
                let names = unknown.addresses.iter();
                let names = names.filter(|it| it.starts_with("var."));
                self.not_given.extend(names.cloned());
                if let Some(address) = task_definition_of(spot.address, &unknown.addresses) {
                    return Ok(open(&[address], span));
                }
                if let Some(family) = self.family_read(spot.address, &unknown.addresses) {
                    return Ok(known_text(&family, span));
                }
                // What is computed of others is not what they have.
                let addresses: &[String] = if unknown.is_direct {
                    &unknown.addresses
                } else {
                    &[]
                };
                open(addresses, span)
            }
            Kind::Instance(instance) => open(std::slice::from_ref(&instance.address), span),
            Kind::List(list) => self.list_trees(&list.elements, spot)?,
            Kind::Object(object) => self.object_trees(&object.members, spot)?,
        })
    }

    fn list_trees(&mut self, list: &[Val], spot: Spot<'_>) -> Result<Trees, Failure> {
        let span = spot.around;
        let (mut values, mut unknown, mut expressions) = (vec![], vec![], vec![]);
        for (index, element) in list.iter().enumerate() {
            let address = format!("{}[{index}]", spot.address);
            let address = &*address;
            let trees = self.trees(element, Spot { address, ..spot })?;
            values.push(trees.value);
            unknown.push(trees.unknown);
            expressions.push(trees.expression);
        }
        Ok(Trees {
            value: node(Value::List(values), span),
            unknown: node(Value::List(unknown), span),
            expression: node(Value::List(expressions), span),
        })
    }

    fn object_trees(&mut self, members: &Members, spot: Spot<'_>) -> Result<Trees, Failure> {
        let span = spot.around;
        let (mut values, mut unknown, mut expressions) = (vec![], vec![], vec![]);
        for (name, it) in members {
            let key = spot.span(it.key);
            let address = format!("{}.{name}", spot.address);
            let spot = Spot {
                address: &address,
                ..spot
            };
            let trees = match json_of(name, &it.value) {
                Some(json) => {
                    let list = self.known_tree(json, spot)?;
                    Trees::known(list.value, spot.span(it.value.place))
                }
                None => self.trees(&it.value, spot)?,
            };
            values.push(member(name, key, trees.value));
            unknown.push(member(name, key, trees.unknown));
            expressions.push(member(name, key, trees.expression));
        }
        Ok(Trees {
            value: node(Value::Object(values), span),
            unknown: node(Value::Object(unknown), span),
            expression: node(Value::Object(expressions), span),
        })
    }

    /// Returns the value that a text is the JSON of. What is not known is a placeholder.
    fn known_tree(&mut self, val: &Val, spot: Spot<'_>) -> Result<Node<'static>, Failure> {
        self.spend(1, 0)?;
        let span = spot.span(val.place);
        let spot = Spot {
            around: span,
            ..spot
        };
        let value = match &val.kind {
            Kind::List(list) => {
                let mut elements = Vec::new();
                for (index, element) in list.elements.iter().enumerate() {
                    let address = format!("{}[{index}]", spot.address);
                    let address = &*address;
                    elements.push(self.known_tree(element, Spot { address, ..spot })?);
                }
                Value::List(elements)
            }
            Kind::Object(object) => {
                let mut members = Vec::new();
                for (name, it) in &object.members {
                    let address = format!("{}.{name}", spot.address);
                    let address = &*address;
                    let value = self.known_tree(&it.value, Spot { address, ..spot })?;
                    members.push(member(name, spot.span(it.key), value));
                }
                Value::Object(members)
            }
            Kind::Unknown(_) | Kind::Instance(_) => {
                let own = self.unknown_at(spot.address.to_owned(), val.place);
                let text = self.placeholder(val).or_else(|| self.text_of(&own));
                Value::String(text.unwrap_or_default().into())
            }
            _ => return self.trees(val, spot).map(|trees| trees.value),
        };
        Ok(node(value, span))
    }
}

/// Returns the trees of a text, with what it is made of.
fn known_text(val: &Val, span: Span) -> Trees {
    let text = val.text().unwrap_or_default().to_owned();
    let known = Trees::known(Value::String(text.into()), span);
    match val.origins() {
        [] => known,
        origins => Trees {
            expression: open(origins, span).expression,
            ..known
        },
    }
}

/// Returns the trees of what is not known.
fn open(addresses: &[String], span: Span) -> Trees {
    let texts = addresses.iter();
    let texts = texts.map(|it| node(Value::String(it.clone().into()), span));
    let addresses = node(Value::List(texts.collect()), span);
    let references = node(Value::List(Vec::new()), span);
    let members = vec![
        member("references", span, references),
        member("addresses", span, addresses),
    ];
    Trees {
        value: node(Value::Null, span),
        unknown: truth(true, span),
        expression: node(Value::Object(members), span),
    }
}

/// Returns the list that an argument has as a JSON text.
fn json_of<'v>(name: &str, value: &'v Val) -> Option<&'v Val> {
    if name != LIST {
        return None;
    }
    let json = match &value.kind {
        Kind::Text(text) => text.json.as_ref(),
        Kind::Unknown(unknown) => unknown.json.as_ref(),
        _ => None,
    };
    json.filter(|json| json.elements().is_some())
}

/// Returns the placeholders in the texts of a document.
pub(in super::super) fn opened_in(node: &Node<'_>, opened: &mut dyn FnMut(&str)) {
    match &node.value {
        Value::String(text) => placeholders(text).for_each(|it| opened(it.name)),
        Value::List(elements) => elements.iter().for_each(|it| opened_in(it, opened)),
        Value::Object(members) => {
            for it in members {
                opened_in(&it.value, opened);
            }
        }
        _ => {}
    }
}
