//! References, and the ways from a value to a part of it
//! (<https://developer.hashicorp.com/terraform/language/expressions/references>).

use hcl_edit::expr::{Expression, Traversal, TraversalOperator};

use super::{
    evaluator::{Context, Evaluator},
    files::relative,
    module::Typed,
    value::{Evaluated, Failure, Kind, Of, Place, Val, number_of},
};

/// One step of a way.
pub(super) enum Step {
    Name(String),
    Key(Val),
    Splat { is_full: bool },
}

impl Evaluator<'_> {
    pub(super) fn traversal(
        &mut self,
        it: &Traversal,
        here: Place,
        context: &Context<'_>,
    ) -> Evaluated {
        let mut steps = Vec::new();
        for operator in &it.operators {
            steps.push(match operator.value() {
                TraversalOperator::GetAttr(name) => Step::Name(name.as_str().to_owned()),
                TraversalOperator::Index(key) => Step::Key(self.expression(key, context)?),
                TraversalOperator::LegacyIndex(index) => {
                    let index = usize::try_from(*index.value()).unwrap_or(usize::MAX);
                    Step::Key(Val::new(Kind::Number(number_of(index)), here))
                }
                TraversalOperator::AttrSplat(_) => Step::Splat { is_full: false },
                TraversalOperator::FullSplat(_) => Step::Splat { is_full: true },
            });
        }
        if let Expression::Variable(name) = &it.expr {
            return self.variable(name.value().as_str(), &steps, here, context);
        }
        let value = self.expression(&it.expr, context)?;
        self.walk(value, &steps, here)
    }

    /// Returns what a name and the steps behind it lead to. Its place is that of the reference, as in other templates; the
    /// parts of it keep theirs.
    pub(super) fn variable(
        &mut self,
        name: &str,
        steps: &[Step],
        here: Place,
        context: &Context<'_>,
    ) -> Evaluated {
        let value = self.referred(name, steps, here, context)?;
        // What a description makes of an input is where the input is.
        Ok(match context.anchor {
            Some(_) => value,
            None => value.at(here),
        })
    }

    fn referred(
        &mut self,
        name: &str,
        steps: &[Step],
        here: Place,
        context: &Context<'_>,
    ) -> Evaluated {
        if let Some(value) = context.find(name) {
            return self.walk(value.clone(), steps, here);
        }
        if context.file.is_none() {
            return Err(Failure::new(format!("the template is not given {name}")));
        }
        let (first, rest) = match steps {
            [Step::Name(first), rest @ ..] => (&**first, rest),
            _ => return Err(Failure::new(format!("there is no {name}"))),
        };
        let module = context.module;
        let value = match name {
            "var" => self.input(module, first)?,
            "local" => self.local(module, first)?,
            "each" => self.each(first, context)?,
            "count" if first == "index" => match context.turn.index {
                Some(index) => Val::new(Kind::Number(number_of(index)), here),
                None => return Err(Failure::new("count.index is outside a block with count")),
            },
            "path" => Val::of_text(self.path(first, module), here),
            "terraform" if first == "workspace" => {
                let given = self.given("terraform.workspace");
                Val::of_text(given.unwrap_or("default"), here)
            }
            "module" => self.module_call(module, first)?,
            "data" => {
                let [Step::Name(second), rest @ ..] = rest else {
                    return Err(Failure::new(format!("data.{first} is no value")));
                };
                let value = self.block(Of::Data, module, first, second)?;
                return self.walk(value, rest, here);
            }
            type_ => self.block(Of::Resource, module, type_, first)?,
        };
        self.walk(value, rest, here)
    }

    fn each(&self, name: &str, context: &Context<'_>) -> Evaluated {
        let pair = context.turn.each.as_ref();
        let (key, value) =
            pair.ok_or_else(|| Failure::new("each is outside a block with for_each"))?;
        match name {
            "key" => Ok(key.clone()),
            _ => Ok(value.clone()),
        }
    }

    fn path(&self, name: &str, module: usize) -> String {
        let root = self.module(0).map_or("", |it| &*it.path);
        let own = self.module(module).map_or(root, |it| &*it.path);
        match name {
            "module" => relative(root, own),
            // Its last part is often a name.
            "cwd" => self.files.absolute(root).unwrap_or_else(|| ".".to_owned()),
            _ => ".".to_owned(),
        }
    }

    /// Returns a local value (<https://developer.hashicorp.com/terraform/language/values/locals>).
    pub(super) fn local(&mut self, module: usize, name: &str) -> Evaluated {
        let found = self.module(module).and_then(|it| it.locals.get(name));
        let (file, attribute) =
            found.ok_or_else(|| Failure::new(format!("there is no local.{name}")))?;
        let address = format!("{}local.{name}", self.prefix(module));
        let context = self.context(module, *file, super::evaluator::ONCE);
        self.once(address, |it| it.expression(&attribute.value, &context))
    }

    /// Returns the instances of a resource or a data source.
    pub(super) fn block(&mut self, of: Of, module: usize, type_: &str, name: &str) -> Evaluated {
        let blocks = self.module(module).map(|it| match of {
            Of::Data => &it.data,
            _ => &it.resources,
        });
        let is = |it: &Typed| it.type_ == type_ && it.name == name;
        let found = blocks.and_then(|all| Some((all, all.iter().position(is)?)));
        let data = if of == Of::Data { "data." } else { "" };
        let Some((all, index)) = found else {
            return Err(Failure::new(format!("there is no {data}{type_}.{name}")));
        };
        let block = all.get(index).map(|it| &it.declared);
        let block = block.ok_or_else(|| Failure::new("there is no such block"))?;
        let address = format!("{}{data}{type_}.{name}", self.prefix(module));
        let own = address.clone();
        self.once(address, |it| it.instances_of(of, module, index, block, own))
    }

    fn walk(&mut self, value: Val, steps: &[Step], here: Place) -> Evaluated {
        let Some((first, rest)) = steps.split_first() else {
            return Ok(value);
        };
        match first {
            Step::Name(name) => {
                let next = self.attribute(&value, name, here)?;
                self.deeper(|it| it.walk(next, rest, here))
            }
            Step::Key(key) => {
                let next = self.element(&value, key, here)?;
                self.deeper(|it| it.walk(next, rest, here))
            }
            Step::Splat { is_full } => {
                let is_name = |step: &&Step| matches!(step, Step::Name(_));
                let inner = if *is_full {
                    rest.len()
                } else {
                    rest.iter().take_while(is_name).count()
                };
                let (inner, rest) = rest.split_at(inner);
                let all = self.splat(value, inner, here)?;
                self.deeper(|it| it.walk(all, rest, here))
            }
        }
    }

    fn splat(&mut self, value: Val, inner: &[Step], here: Place) -> Evaluated {
        let elements = match &value.kind {
            Kind::Null => Vec::new(),
            Kind::List(list) => list.elements.clone(),
            // What it is one of is not known.
            Kind::Unknown(_) => return self.walk(value, inner, here),
            _ => vec![value],
        };
        self.spend(elements.len(), 0)?;
        let mut all = Vec::with_capacity(elements.len());
        for element in elements {
            all.push(self.deeper(|it| it.walk(element, inner, here))?);
        }
        Val::of_list(all, here)
    }

    /// Returns an attribute of an object.
    pub(super) fn attribute(&mut self, value: &Val, name: &str, here: Place) -> Evaluated {
        match &value.kind {
            Kind::Object(object) => match object.members.get(name) {
                Some(member) => Ok(member.value.clone()),
                None => Err(Failure::new(format!("there is no attribute {name}"))),
            },
            Kind::Unknown(unknown) => Ok(match (unknown.addresses.as_slice(), unknown.is_direct) {
                ([address], true) => self.unknown_at(format!("{address}.{name}"), here),
                _ => self.open(&[value], here),
            }),
            Kind::Instance(instance) => self.attribute_of(instance, name, here),
            // Old configurations index lists by names.
            Kind::List(list) if name.parse::<usize>().is_ok() => {
                let index = name.parse().unwrap_or(usize::MAX);
                let element = list.elements.get(index).cloned();
                element.ok_or_else(|| Failure::new(format!("there is no element {name}")))
            }
            _ => Err(Failure::new(format!(
                "there is no attribute {name} in {}",
                value.describe()
            ))),
        }
    }

    /// Returns what stands for an address, if no value is given for it.
    pub(super) fn unknown_at(&mut self, address: String, here: Place) -> Val {
        match self.given(&address) {
            Some(given) => Val::of_text(given, here),
            None => Val::of_address(address, None, here),
        }
    }

    /// Returns an element of a list, or a member of an object by its name.
    pub(super) fn element(&mut self, value: &Val, key: &Val, here: Place) -> Evaluated {
        match &value.kind {
            Kind::List(list) => match key.index() {
                Some(index) => {
                    let element = list.elements.get(index).cloned();
                    element.ok_or_else(|| Failure::new(format!("there is no element {index}")))
                }
                None if self.addresses(key).is_some() => Ok(self.open(&[key], here)),
                None => Err(Failure::new("the key of an element is a number")),
            },
            Kind::Object(_) | Kind::Instance(_) => match key.scalar() {
                // What the placeholders in the name stand for may be the name of a member.
                Some(name)
                    if self.addresses(key).is_some()
                        && value.members().is_none_or(|it| !it.contains_key(&name)) =>
                {
                    Ok(self.open(&[key], here))
                }
                Some(name) => self.attribute(value, &name, here),
                None if self.addresses(key).is_some() => Ok(self.open(&[key], here)),
                None => Err(Failure::new("the key of a member is a string")),
            },
            Kind::Unknown(unknown) => {
                let key_text = match &key.kind {
                    Kind::Number(_) => key.index().map(|index| index.to_string()),
                    _ => key.text().map(|text| format!("\"{text}\"")),
                };
                Ok(
                    match (unknown.addresses.as_slice(), unknown.is_direct, key_text) {
                        ([address], true, Some(key)) => {
                            self.unknown_at(format!("{address}[{key}]"), here)
                        }
                        _ => self.open(&[value, key], here),
                    },
                )
            }
            _ => Err(Failure::new(format!(
                "there are no elements in {}",
                value.describe()
            ))),
        }
    }
}
