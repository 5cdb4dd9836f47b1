//! The instances of resources, and where their documents are.

use super::{
    evaluator::Evaluator,
    module::Typed,
    value::{Failure, Instance, Kind, Of, Place, Val},
};
use crate::diagnostic::Message;

impl Evaluator<'_> {
    /// Returns where the document of an instance is: in its own file if that is one of the input, and otherwise where
    /// its module is called.
    pub(super) fn anchor(&self, instance: &Instance, is_input: &dyn Fn(&str) -> bool) -> Place {
        let mut place = self
            .declared(instance)
            .map_or(Place::NOWHERE, |(declared, _)| self.modules.head(declared));
        let mut module = instance.module;
        loop {
            let name = place.file.and_then(|file| self.modules.files.get(file));
            if name.is_none_or(|name| is_input(name)) {
                return place;
            }
            let caller = self.instances.get(module).and_then(|it| it.caller.as_ref());
            let Some((outer, call, _)) = caller else {
                return place;
            };
            let call = self.module(*outer).and_then(|it| it.calls.get(*call));
            let Some(call) = call else {
                return place;
            };
            place = self.modules.head(&call.declared);
            module = *outer;
        }
    }

    /// Makes an instance of each module that is called. Calls add instances of modules while these are gone through.
    pub(super) fn call_modules(&mut self) {
        let mut module = 0;
        while module < self.instances.len() {
            // What fails here fails where the input is needed.
            let _said = self.say_description(module);
            let calls = self.module(module).map_or(&[][..], |it| &it.calls);
            for (index, call) in calls.iter().enumerate() {
                if let Err(failure) = self.calls_of(module, index) {
                    let is_final = failure.is_final;
                    let address = format!("{}module.{}", self.prefix(module), call.name);
                    self.fail(self.head(module, &call.declared), address, failure);
                    if is_final {
                        return;
                    }
                }
            }
            module += 1;
        }
    }

    /// Returns the instances of the resources that `is_wanted` accepts by their types.
    pub(super) fn all_instances(&mut self, is_wanted: &dyn Fn(&str) -> bool) -> Vec<Instance> {
        let mut all = Vec::new();
        for module in 0..self.instances.len() {
            let resources = self.module(module).map_or(&[][..], |it| &it.resources);
            let wanted = resources.iter().enumerate();
            for (index, typed) in wanted.filter(|(_, it)| is_wanted(&it.type_)) {
                let same = |it: &Typed| it.type_ == typed.type_ && it.name == typed.name;
                let value = if resources.iter().position(same) == Some(index) {
                    self.block(Of::Resource, module, &typed.type_, &typed.name)
                } else {
                    Err(Failure::new("another block has the same name"))
                };
                match value {
                    Ok(value) => collect(&value, &mut all),
                    Err(failure) => {
                        let prefix = self.prefix(module);
                        let address = format!("{prefix}{}.{}", typed.type_, typed.name);
                        self.fail(self.head(module, &typed.declared), address, failure);
                    }
                }
            }
        }
        all
    }

    /// Says that something cannot be evaluated.
    pub(super) fn fail(&mut self, place: Place, address: String, failure: Failure) {
        let why = self.without_secrets(failure.why);
        let address = self.without_secrets(address);
        self.say(place, Message::ExpressionNotEvaluated { address, why });
    }
}

fn collect(value: &Val, all: &mut Vec<Instance>) {
    match &value.kind {
        Kind::Instance(instance) => all.push(Instance::clone(instance)),
        Kind::List(list) => list.elements.iter().for_each(|it| collect(it, all)),
        Kind::Object(object) => {
            object
                .members
                .values()
                .for_each(|it| collect(&it.value, all));
        }
        _ => {}
    }
}
