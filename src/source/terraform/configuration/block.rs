//! Blocks of resources, data sources and modules: their instances and their arguments
//! (<https://developer.hashicorp.com/terraform/language/resources/syntax>).

use std::sync::Arc;

use hcl_edit::{
    Span as _,
    expr::Expression,
    structure::{Block, Body, Structure},
};

use super::{
    evaluator::{Context, Evaluator, Frame, ONCE},
    expression::place,
    module::Declared,
    override_file::name_of,
    value::{Evaluated, Failure, Instance, Kind, Member, Members, Of, Place, Turn, Val},
};
use crate::diagnostic::Message;

/// The most instances of one block.
const MOST: usize = 1_000;

/// The arguments and blocks that any resource has for Terraform itself
/// (<https://developer.hashicorp.com/terraform/language/meta-arguments>).
pub(super) const META: &[&str] = &[
    "connection",
    "count",
    "depends_on",
    "for_each",
    "lifecycle",
    "provider",
    "providers",
    "provisioner",
];

impl Evaluator<'_> {
    /// Returns the instances of a block: one, or a list, or an object of them.
    pub(super) fn instances_of(
        &mut self,
        of: Of,
        module: usize,
        block: usize,
        declared: &Declared,
        address: String,
    ) -> Evaluated {
        let here = self.head(module, declared);
        let one = |turn: Turn, of: Of| {
            let address = format!("{address}{}", turn.suffix());
            let instance = Instance {
                of,
                module,
                block,
                address,
                turn,
            };
            Val::new(Kind::Instance(Arc::new(instance)), here)
        };
        if let Some(count) = declared.argument("count") {
            let context = self.context(module, declared.file_of("count"), ONCE);
            let count = self.expression(count, &context)?;
            let Some(count) = self.count(&count, &address, here)? else {
                return Ok(one(Turn::default(), of));
            };
            let turns = (0..count).map(|index| Turn {
                index: Some(index),
                each: None,
            });
            self.spend(count, 0)?;
            return Val::of_list(turns.map(|turn| one(turn, of)).collect(), here);
        }
        let Some(each) = declared.argument("for_each") else {
            return Ok(one(Turn::default(), of));
        };
        let context = self.context(module, declared.file_of("for_each"), ONCE);
        let collection = self.expression(each, &context)?;
        let Some(pairs) = self.for_each(&collection, &address, here)? else {
            return Ok(one(open_turn(&address, here), of));
        };
        let mut members = Members::new();
        self.spend(pairs.len(), 0)?;
        for (key, value) in pairs {
            let name = key.scalar().unwrap_or_default();
            let place = key.place;
            let turn = Turn {
                index: None,
                each: Some((key, value)),
            };
            let member = Member {
                key: place,
                value: one(turn, of),
            };
            members.insert(name, member);
        }
        Val::of_members(members, here)
    }

    /// Returns the number of instances; `None` if it is not known.
    fn count(&mut self, count: &Val, address: &str, here: Place) -> Result<Option<usize>, Failure> {
        if self.addresses(count).is_some() {
            let name = address.to_owned();
            self.say(here, Message::CountAssumed { name });
            return Ok(None);
        }
        let count = count.index().or_else(|| count.truth().map(usize::from));
        match count {
            Some(count) if count <= MOST => Ok(Some(count)),
            Some(_) => Err(Failure::limit(format!("count is more than {MOST}"))),
            None => Err(Failure::new("count is a number")),
        }
    }

    /// Returns the keys and values of instances; `None` if they are not known.
    fn for_each(
        &mut self,
        collection: &Val,
        address: &str,
        here: Place,
    ) -> Result<Option<Vec<(Val, Val)>>, Failure> {
        let Some(pairs) = self.pairs(collection)? else {
            let name = address.to_owned();
            self.say(here, Message::CountAssumed { name });
            return Ok(None);
        };
        if pairs.len() > MOST {
            return Err(Failure::limit(format!(
                "for_each has more than {MOST} elements"
            )));
        }
        if collection.members().is_some() {
            return Ok(Some(pairs));
        }
        // The elements of a set are their keys.
        let mut elements = Vec::with_capacity(pairs.len());
        for (_, value) in pairs {
            let key = self.text_of(&value);
            let key =
                key.ok_or_else(|| Failure::new("for_each takes a map, or a set of strings"))?;
            elements.push((Val::of_text(key, value.place), value));
        }
        Ok(Some(elements))
    }

    /// Returns an argument or a block of an instance; `None` if the body has neither.
    pub(super) fn in_body(
        &mut self,
        body: &Body,
        name: &str,
        context: &Context<'_>,
    ) -> Result<Option<Val>, Failure> {
        if let Some(attribute) = body.get_attribute(name) {
            return self.expression(&attribute.value, context).map(Some);
        }
        let is_block = |it: &Block| it.ident.as_str() == name || dynamic_name(it) == Some(name);
        if !body.blocks().any(is_block) {
            return Ok(None);
        }
        let mut members = Members::new();
        for block in body.blocks().filter(|it| is_block(it)) {
            self.add_block(block, &mut members, context)?;
        }
        Ok(members.remove(name).map(|member| member.value))
    }

    /// Returns the arguments and blocks of a body. An argument that cannot be evaluated is one that says so.
    /// That of a whole resource is without what is for Terraform itself, and may have parts in override files.
    pub(super) fn body(
        &mut self,
        body: &Body,
        whole: Option<&Declared>,
        context: &Context<'_>,
    ) -> Evaluated {
        let mut members = Members::new();
        let is_outer = whole.is_some();
        for structure in body {
            let overridden = whole.and_then(|it| it.overridden.get(name_of(structure)));
            let context = &match overridden {
                Some(file) => self.in_file(*file, context),
                None => *context,
            };
            match structure {
                Structure::Attribute(it) if !(is_outer && META.contains(&it.key.as_str())) => {
                    let key = place(context, it.key.span());
                    let value = match self.expression(&it.value, context) {
                        Ok(value) => value,
                        Err(failure) => {
                            let why = Kind::Failed(failure.why.into());
                            Val::new(why, place(context, it.value.span()))
                        }
                    };
                    self.spend(1, 0)?;
                    let name = it.key.as_str().to_owned();
                    members.insert(name, Member { key, value });
                }
                Structure::Block(it) if !(is_outer && META.contains(&it.ident.as_str())) => {
                    self.deeper(|this| this.add_block(it, &mut members, context))?;
                }
                _ => {}
            }
        }
        let here = place(context, body.span());
        Val::of_members(members, here)
    }

    /// Adds a block to the list of those of its name.
    fn add_block(
        &mut self,
        block: &Block,
        members: &mut Members,
        context: &Context<'_>,
    ) -> Result<(), Failure> {
        let key = place(context, block.ident.span());
        let here = place(context, block.span());
        let Some(name) = dynamic_name(block) else {
            let value = self.body(&block.body, None, context)?.at(here);
            return push(members, block.ident.as_str(), key, value);
        };
        match self.dynamic(block, name, context) {
            Ok(values) => {
                for value in values {
                    push(members, name, key, value.at(here))?;
                }
                Ok(())
            }
            Err(failure) if failure.is_final => Err(failure),
            Err(failure) => {
                let value = Val::new(Kind::Failed(failure.why.into()), here);
                let name = name.to_owned();
                members.insert(name, Member { key, value });
                Ok(())
            }
        }
    }

    /// Returns the blocks that a dynamic block makes
    /// (<https://developer.hashicorp.com/terraform/language/expressions/dynamic-blocks>).
    fn dynamic(
        &mut self,
        block: &Block,
        name: &str,
        context: &Context<'_>,
    ) -> Result<Vec<Val>, Failure> {
        let body = &block.body;
        let argument = |name: &str| body.get_attribute(name).map(|it| &it.value);
        let each = argument("for_each");
        let each = each.ok_or_else(|| Failure::new("a dynamic block has no for_each"))?;
        let collection = self.expression(each, context)?;
        let pairs = if collection.is_null() {
            Some(Vec::new())
        } else {
            self.pairs(&collection)?
        };
        let pairs = pairs.unwrap_or_else(|| {
            let name = format!("the blocks {name}");
            self.say(collection.place, Message::CountAssumed { name });
            vec![(
                collection.clone(),
                self.open(&[&collection], collection.place),
            )]
        });
        let iterator = match argument("iterator") {
            Some(Expression::Variable(iterator)) => iterator.as_str(),
            _ => name,
        };
        let content = body.get_blocks("content").next();
        let content = content.ok_or_else(|| Failure::new("a dynamic block has no content"))?;
        let mut values = Vec::new();
        for (key, value) in pairs {
            let mut both = Members::new();
            let is_set = collection.elements().is_some() && value.text().is_some();
            let key = if is_set { value.clone() } else { key };
            for (name, value) in [("key", key), ("value", value)] {
                let key = value.place;
                both.insert(name.to_owned(), Member { key, value });
            }
            let both = Val::of_members(both, Place::NOWHERE)?;
            let frame = Frame {
                name: iterator,
                value: &both,
                outer: context.frame,
            };
            self.spend(1, 0)?;
            values.push(self.body(&content.body, None, &context.with(&frame))?);
        }
        Ok(values)
    }
}

/// Returns the turn that stands for all instances, if these are not known.
fn open_turn(address: &str, here: Place) -> Turn {
    let of = |name: &str| Val::of_address(format!("{address}.each.{name}"), None, here);
    Turn {
        index: None,
        each: Some((of("key"), of("value"))),
    }
}

/// Returns the name of the blocks that a dynamic block makes.
pub(super) fn dynamic_name(block: &Block) -> Option<&str> {
    let label = block.labels.first()?;
    (block.ident.as_str() == "dynamic").then(|| label.as_str())
}

/// Adds an element to a list of members.
fn push(members: &mut Members, name: &str, key: Place, value: Val) -> Result<(), Failure> {
    let known = members.get(name).map(|member| &member.value);
    let mut elements = known.and_then(Val::elements).unwrap_or_default().to_vec();
    elements.push(value);
    let place = known.map_or(key, |known| known.place);
    let value = Val::of_list(elements, place)?;
    let name = name.to_owned();
    members.insert(name, Member { key, value });
    Ok(())
}
