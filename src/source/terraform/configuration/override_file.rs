//! Merges the blocks of override files into those that they override
//! (<https://developer.hashicorp.com/terraform/language/files/override>).

use std::mem;

use hcl_edit::structure::{Attribute, Block, Body, Structure};

use super::{
    block::dynamic_name,
    module::{Call, Declared, Module, Typed},
    provider::AWS,
};

/// A block of an override file that overrides nothing, or a local value of one.
#[derive(Debug)]
pub(super) struct Orphan {
    /// The block that has it.
    pub(super) declared: Declared,
    pub(super) name: String,
}

impl Declared {
    /// Merges a block of an override file: what it has replaces what has the same name.
    fn merge(&mut self, file: usize, overriding: Body) {
        let mut structures: Vec<Structure> = mem::take(&mut self.block.body).into_iter().collect();
        let added: Vec<Structure> = overriding.into_iter().collect();
        for structure in &added {
            self.overridden.insert(name_of(structure).to_owned(), file);
        }
        structures.retain(|it| !added.iter().any(|other| name_of(other) == name_of(it)));
        structures.extend(added);
        self.block.body = Body::from(structures);
    }
}

impl Module {
    /// Merges the blocks of an override file, and returns those that override nothing. Files of this kind count in the
    /// order in which they are merged.
    pub(super) fn merge(&mut self, file: usize, body: Body) -> Vec<Orphan> {
        let mut orphans = Vec::new();
        for block in body.into_blocks() {
            if block.ident.as_str() == "locals" {
                self.merge_locals(file, block, &mut orphans);
            } else if let Some(orphan) = self.merge_block(file, block) {
                orphans.push(orphan);
            }
        }
        orphans
    }

    /// Returns the provider of AWS that has the same alias as a block of an override file.
    fn provider_of(&mut self, overriding: &Block) -> Option<&mut Declared> {
        let alias = |block: &Block| {
            let alias = block.body.get_attribute("alias")?;
            alias.value.as_str().map(str::to_owned)
        };
        let wanted = alias(overriding);
        let mut all = self.providers.iter_mut();
        all.find(|it| alias(&it.block) == wanted)
    }

    fn merge_locals(&mut self, file: usize, mut block: Block, orphans: &mut Vec<Orphan>) {
        let locals = mem::take(&mut block.body);
        let locals: Vec<Attribute> = locals.into_attributes().collect();
        for local in locals {
            let name = local.key.as_str().to_owned();
            if let Some(known) = self.locals.get_mut(&name) {
                *known = (file, local);
            } else {
                let declared = Declared::new(file, block.clone());
                let name = format!("local.{name}");
                orphans.push(Orphan { declared, name });
            }
        }
    }

    /// Merges a block; returns it if there is none that it overrides.
    fn merge_block(&mut self, file: usize, block: Block) -> Option<Orphan> {
        let label = |index: usize| block.labels.get(index).map(|it| it.as_str().to_owned());
        let (kind, first, second) = (block.ident.as_str().to_owned(), label(0)?, label(1));
        let found = match (&*kind, &second) {
            ("variable", _) => self.variables.get_mut(&first),
            ("output", _) => self.outputs.get_mut(&first),
            ("resource", Some(name)) => of_name(&mut self.resources, &first, name),
            ("data", Some(name)) => of_name(&mut self.data, &first, name),
            ("module", _) => {
                let index = self.calls.iter().position(|it| it.name == first);
                let Some(index) = index else {
                    return Some(orphan(file, block));
                };
                let Call {
                    name, mut declared, ..
                } = self.calls.remove(index);
                declared.merge(file, block.body);
                // The source may be another one.
                self.calls
                    .insert(index, Call::new(&self.path, name, declared));
                return None;
            }
            ("provider", None) if first != AWS => return None,
            ("provider", None) => match self.provider_of(&block) {
                // A provider that is not written is one without arguments.
                None if block.body.get_attribute("alias").is_none() => {
                    self.providers.push(Declared::new(file, block));
                    return None;
                }
                found => found,
            },
            // What backends have is not read.
            _ => return None,
        };
        let Some(declared) = found else {
            return Some(orphan(file, block));
        };
        declared.merge(file, block.body);
        None
    }
}

fn orphan(file: usize, block: Block) -> Orphan {
    let labels = block.labels.iter().map(|it| it.as_str());
    let words: Vec<&str> = [block.ident.as_str()].into_iter().chain(labels).collect();
    Orphan {
        name: words.join(" "),
        declared: Declared::new(file, block),
    }
}

fn of_name<'m>(all: &'m mut [Typed], type_: &str, name: &str) -> Option<&'m mut Declared> {
    let found = all
        .iter_mut()
        .find(|it| it.type_ == type_ && it.name == name);
    found.map(|it| &mut it.declared)
}

/// Returns the name of an argument or a block; that of the blocks which a dynamic block makes.
pub(super) fn name_of(structure: &Structure) -> &str {
    match structure {
        Structure::Attribute(it) => it.key.as_str(),
        Structure::Block(it) => dynamic_name(it).unwrap_or(it.ident.as_str()),
    }
}
