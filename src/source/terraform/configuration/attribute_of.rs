//! The attributes of resources, data sources and modules.

use super::{
    super::{address::Step, family::TASK_DEFINITION, named::named},
    evaluator::{Context, Evaluator, ModuleInstance, ONCE},
    module::Declared,
    origin,
    value::{Evaluated, Failure, Instance, Kind, Of, Place, Val},
};

/// The deepest calls of modules.
const DEEPEST: usize = 16;

/// The most instances of modules of a configuration.
const MOST: usize = 2_000;

impl Evaluator<'_> {
    /// Returns an attribute of an instance: its argument, or what only an apply tells.
    pub(super) fn attribute_of(&mut self, of: &Instance, name: &str, here: Place) -> Evaluated {
        let address = format!("{}.{name}", of.address);
        if let Of::Call(instance) = of.of {
            return self.output(instance, name, address, here);
        }
        if let Some(given) = self.given(&address) {
            return Ok(Val::of_text(given, here));
        }
        let value = self.once(address.clone(), |it| {
            let argument = it.argument(of, name)?;
            let type_ = it.declared(of).map_or("", |(_, type_)| type_);
            let value = match argument {
                Some(value) if !value.is_null() => origin::marked(value, of, type_, &address),
                _ => it.computed(of, name, address, here),
            };
            Ok(value)
        })?;
        Ok(value.at(here))
    }

    /// Returns an argument of an instance that its block has.
    pub(super) fn argument(&mut self, of: &Instance, name: &str) -> Result<Option<Val>, Failure> {
        let Some((declared, _)) = self.declared(of) else {
            return Ok(None);
        };
        let context = self.context(of.module, declared.file_of(name), &of.turn);
        self.in_body(&declared.block.body, name, &context)
    }

    /// Returns the block of an instance, and its type.
    pub(super) fn declared<'s>(&self, of: &Instance) -> Option<(&'s Declared, &'s str)>
    where
        Self: 's,
    {
        let module = self.module(of.module)?;
        let blocks = match of.of {
            Of::Data => &module.data,
            _ => &module.resources,
        };
        let found = blocks.get(of.block)?;
        Some((&found.declared, &found.type_))
    }

    /// Returns what is known of an attribute without an argument.
    fn computed(&mut self, of: &Instance, name: &str, address: String, here: Place) -> Val {
        let type_ = self.declared(of).map_or("", |(_, type_)| type_);
        let values = self.values;
        if of.of == Of::Data {
            self.read_family(of, type_);
            if (type_, name) == (TASK_DEFINITION, "family")
                && let Some(family) = self.families_read.get(&of.address)
            {
                return family.clone().at(here);
            }
            let of_provider = match (type_, name) {
                ("aws_default_tags", "tags") => self.default_tags(of),
                ("aws_region", "name" | "id" | "region") => self.region(of),
                _ => None,
            };
            if let Some(known) = of_provider {
                return known.at(here);
            }
            let known = match (type_, name) {
                ("aws_caller_identity", "account_id" | "id") => values.account_id(),
                ("aws_region", "name" | "id" | "region") => values.region(),
                ("aws_partition", "partition" | "id") => values.partition(),
                ("aws_partition", "dns_suffix") => "amazonaws.com",
                ("template_file", "rendered") => match self.rendered(of, here) {
                    Ok(value) => return value,
                    Err(failure) => return Val::new(Kind::Failed(failure.why.into()), here),
                },
                _ => "",
            };
            if !known.is_empty() {
                return Val::of_text(known, here);
            }
        }
        // An ECS cluster has its name in another argument, if it is a data source.
        let is_cluster = of.of == Of::Data && type_ == "aws_ecs_cluster";
        let known = named(type_, name, values, |argument| {
            let argument = if is_cluster && argument == "name" {
                "cluster_name"
            } else {
                argument
            };
            let value = self.alone(&format!("{address}.{argument}"), |it| {
                it.argument(of, argument)
            });
            let value = value.ok().flatten()?;
            self.text_of(&value).filter(|text| !text.is_empty())
        });
        match known {
            // A data source is no resource that the reader could find.
            Some(known) if of.of == Of::Data => Val::of_text(known, here),
            known => Val::of_address(address, known, here),
        }
    }

    /// Remembers the family that a data source of a task definition reads
    /// (<https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/ecs_task_definition>).
    fn read_family(&mut self, of: &Instance, type_: &str) {
        if type_ != TASK_DEFINITION || self.families_read.contains_key(&of.address) {
            return;
        }
        let own = format!("{}.task_definition", of.address);
        let family = self.alone(&own, |it| it.argument(of, "task_definition"));
        let family = family.ok().flatten();
        let Some(family) = family else {
            return;
        };
        if let Some(text) = self.text_of(&family) {
            let origins = origin::of(std::iter::once(&family));
            let family = Val::of_text(text, family.place).made_of(origins);
            self.families_read.insert(of.address.clone(), family);
        }
    }

    /// Returns the text of a template with its variables
    /// (<https://registry.terraform.io/providers/hashicorp/template/latest/docs/data-sources/file>).
    fn rendered(&mut self, of: &Instance, here: Place) -> Evaluated {
        let template = self.argument(of, "template")?;
        let variables = self.argument(of, "vars")?;
        let text = template.as_ref().and_then(Val::text);
        let text = text.ok_or_else(|| Failure::new("the template is no text"))?;
        self.rendered_text(text, variables.as_ref(), here)
    }

    /// Returns the instances of a call of a module.
    pub(super) fn module_call(&mut self, module: usize, name: &str) -> Evaluated {
        let calls = self.module(module).map(|it| &it.calls);
        let found = calls.and_then(|all| all.iter().position(|it| it.name == name));
        match found {
            Some(index) => self.calls_of(module, index),
            None => Err(Failure::new(format!("there is no module.{name}"))),
        }
    }

    /// Returns the instances of a call by its number. A module that is not read has unknown outputs.
    pub(super) fn calls_of(&mut self, module: usize, index: usize) -> Evaluated {
        if let Some(known) = self.calls.get(&(module, index)) {
            return Ok(known.clone());
        }
        let call = self.module(module).and_then(|it| it.calls.get(index));
        let call = call.ok_or_else(|| Failure::new("there is no such module"))?;
        let here = self.head(module, &call.declared);
        let address = format!("{}module.{}", self.prefix(module), call.name);
        let outer = self.instances.get(module).map_or(0, |it| it.steps.len());
        let path = call.path.as_deref().filter(|_| outer < DEEPEST);
        let called = path.and_then(|path| self.modules.at(path));
        let Some(called) = called else {
            let source = call.shown_source();
            self.unread_modules.insert(format!("{address} ({source})"));
            let value = Val::of_address(address, None, here);
            self.calls.insert((module, index), value.clone());
            return Ok(value);
        };
        let own = address.clone();
        let found = self.alone(&address, |it| {
            it.instances_of(Of::Call(0), module, index, &call.declared, own)
        })?;
        let value = self.with_modules(found, called, &call.name)?;
        self.calls.insert((module, index), value.clone());
        Ok(value)
    }

    /// Makes an instance of the module for each instance of a call.
    fn with_modules(&mut self, calls: Val, called: usize, name: &str) -> Evaluated {
        let place = calls.place;
        match &calls.kind {
            Kind::List(list) => {
                let all = list.elements.iter();
                let all = all.map(|it| self.with_modules(it.clone(), called, name));
                Val::of_list(all.collect::<Result<_, _>>()?, place)
            }
            Kind::Object(object) => {
                let mut members = object.members.clone();
                for member in members.values_mut() {
                    member.value = self.with_modules(member.value.clone(), called, name)?;
                }
                Val::of_members(members, place)
            }
            Kind::Instance(instance) => {
                let outer = self.instances.get(instance.module);
                let mut steps = outer.map_or_else(Vec::new, |it| it.steps.clone());
                let anchor = outer.and_then(|it| it.anchor);
                steps.push(Step {
                    name: name.to_owned(),
                    key: instance.turn.key(),
                });
                let number = self.instances.len();
                self.spend(1, 0)?;
                if self.instances.len() >= MOST {
                    return Err(Failure::limit(format!(
                        "there are more than {MOST} modules"
                    )));
                }
                let is_described = self.modules.get(called).is_some_and(|it| it.is_described);
                let anchor = anchor.or_else(|| is_described.then_some(place));
                self.instances.push(ModuleInstance {
                    module: called,
                    anchor,
                    steps,
                    prefix: format!("{}.", instance.address),
                    caller: Some((instance.module, instance.block, instance.turn.clone())),
                });
                let mut instance = Instance::clone(instance);
                instance.of = Of::Call(number);
                Ok(Val::new(Kind::Instance(instance.into()), place))
            }
            _ => Ok(calls),
        }
    }

    /// Returns an output of an instance of a module.
    fn output(&mut self, module: usize, name: &str, address: String, here: Place) -> Evaluated {
        let found = self.module(module).and_then(|it| it.outputs.get(name));
        let Some(declared) = found else {
            // A description has only the outputs that matter.
            if self.module(module).is_some_and(|it| it.is_described) {
                return Ok(self.unknown_at(address, here));
            }
            return Err(Failure::new(format!("the module has no output {name}")));
        };
        let Some(value) = declared.argument("value") else {
            return Err(Failure::new(format!("output {name} has no value")));
        };
        let context = self.context(module, declared.file_of("value"), ONCE);
        let value = self.once(address, |it| it.expression(value, &context))?;
        Ok(value.at(here))
    }

    /// Returns the text of a template that is given its variables.
    pub(super) fn rendered_text(
        &mut self,
        text: &str,
        variables: Option<&Val>,
        here: Place,
    ) -> Evaluated {
        let template = hcl_edit::parser::parse_template(text);
        let template = template.map_err(|error| {
            let location = error.location();
            let (line, column) = (location.line(), location.column());
            Failure::new(format!(
                "line {line}, column {column} of the template is wrong"
            ))
        })?;
        let nothing = Val::new(Kind::Null, here);
        let variables = variables.unwrap_or(&nothing);
        // Old configurations write a block.
        let variables = match variables.elements() {
            Some([only]) => only,
            _ => variables,
        };
        if let Kind::Unknown(_) = variables.kind {
            return Ok(self.open(&[variables], here));
        }
        let context = Context {
            module: 0,
            file: None,
            anchor: None,
            positions: None,
            frame: None,
            variables: variables.members(),
            turn: ONCE,
        };
        self.template(template.iter(), false, here, &context)
    }
}
