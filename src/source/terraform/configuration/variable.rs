//! Input variables: their values and types (<https://developer.hashicorp.com/terraform/language/values/variables>).

use hcl_edit::{
    expr::{Expression, FuncCall, ObjectKey},
    parser::parse_expr,
};

use super::{
    evaluator::{Context, Evaluator, ONCE},
    module::Declared,
    value::{Evaluated, Failure, Kind, Member, Members, Place, Val},
};

impl Evaluator<'_> {
    /// Returns the value of a variable: what is given for it, its default, or what stands for it.
    pub(super) fn input(&mut self, module: usize, name: &str) -> Evaluated {
        let address = format!("{}var.{name}", self.prefix(module));
        let own = address.clone();
        self.once(address, |it| it.input_value(module, name, own))
    }

    fn input_value(&mut self, module: usize, name: &str, address: String) -> Evaluated {
        let found = self.module(module).and_then(|it| it.variables.get(name));
        let declared = found.ok_or_else(|| Failure::new(format!("there is no variable {name}")))?;
        let here = self.head(module, declared);
        self.names.insert(address.clone());
        let given = match self.given(&address) {
            Some(given) => Some(self.parsed(given, declared, here)),
            None if module == 0 => self.given_at_start(name, declared, here)?,
            None => self.given_by_call(module, name)?,
        };
        let is_described = self.module(module).is_some_and(|it| it.is_described);
        // A description takes null for a value only where it says so.
        let nullable = declared.argument("nullable").and_then(Expression::as_bool);
        let is_nullable = nullable.unwrap_or(!is_described);
        let context = self.context(module, declared.file_of("default"), ONCE);
        let value = match (given, declared.argument("default")) {
            (Some(value), Some(default)) if value.is_null() && module != 0 && !is_nullable => {
                self.expression(default, &context)?
            }
            (Some(value), _) => value,
            (None, Some(default)) => self.expression(default, &context)?,
            (None, None) if is_described => Val::new(Kind::Null, here),
            (None, None) => return Ok(Val::of_address(address, None, here)),
        };
        let context = self.context(module, declared.file_of("type"), ONCE);
        let value = match declared.argument("type") {
            Some(type_) => self.of_type(value, type_, &context)?,
            None => value,
        };
        let sensitive = declared.argument("sensitive");
        if sensitive.and_then(Expression::as_bool) == Some(true) {
            self.keep_secret(&value);
        }
        Ok(value)
    }

    /// Returns the value that the command line or a file gives a variable of the root.
    fn given_at_start(
        &mut self,
        name: &str,
        declared: &Declared,
        here: Place,
    ) -> Result<Option<Val>, Failure> {
        self.names.insert(name.to_owned());
        if let Some(given) = self.values.parameters.get(name) {
            return Ok(Some(self.parsed(given, declared, here)));
        }
        let modules = self.modules;
        let Some((file, attribute)) = modules.given.get(name) else {
            return Ok(None);
        };
        let context = self.context(0, *file, ONCE);
        self.expression(&attribute.value, &context).map(Some)
    }

    /// Returns a text of the command line or a file as a value: a list or an object is an expression, and so may be a
    /// number. It refers to nothing.
    fn parsed(&mut self, text: &str, declared: &Declared, here: Place) -> Val {
        let type_ = match declared.argument("type") {
            Some(Expression::Variable(name)) => Some(name.as_str()),
            _ => None,
        };
        let is_expression = match type_ {
            Some("string") => false,
            Some("number") => text.trim().parse::<f64>().is_err(),
            _ => text.trim_start().starts_with(['[', '{']),
        };
        if is_expression && let Ok(expression) = parse_expr(text.trim()) {
            let context = Context {
                module: 0,
                file: None,
                anchor: Some(here),
                positions: None,
                frame: None,
                variables: None,
                turn: ONCE,
            };
            if let Ok(value) = self.expression(&expression, &context) {
                return value;
            }
        }
        Val::of_text(text, here)
    }

    /// Returns a value as one of a type (<https://developer.hashicorp.com/terraform/language/expressions/type-constraints>).
    fn of_type(&mut self, value: Val, type_: &Expression, context: &Context<'_>) -> Evaluated {
        if self.addresses(&value).is_some() || value.is_null() {
            return Ok(value);
        }
        let place = value.place;
        match type_ {
            Expression::Variable(name) => {
                let converted = match name.as_str() {
                    "string" => value.scalar().map(|text| Val::of_text(text, place)),
                    "number" => value.number().map(|it| Val::new(Kind::Number(it), place)),
                    "bool" => value.truth().map(|it| Val::of_bool(it, place)),
                    _ => Some(value.clone()),
                };
                // Its value may be secret.
                converted.ok_or_else(|| Failure::new(format!("a variable is no {}", name.as_str())))
            }
            Expression::FuncCall(call) => {
                self.deeper(|it| it.of_composed_type(value, call, context))
            }
            _ => Ok(value),
        }
    }

    fn of_composed_type(
        &mut self,
        value: Val,
        call: &FuncCall,
        context: &Context<'_>,
    ) -> Evaluated {
        let place = value.place;
        let inner = call.args.iter().next();
        let Some(inner) = inner else {
            return Ok(value);
        };
        match (call.name.name.as_str(), &value.kind) {
            ("optional", _) => self.of_type(value, inner, context),
            ("list" | "set", Kind::List(list)) => {
                let mut elements = Vec::with_capacity(list.elements.len());
                for element in &list.elements {
                    elements.push(self.of_type(element.clone(), inner, context)?);
                }
                self.spend(elements.len(), 0)?;
                Val::of_list(elements, place)
            }
            ("map", Kind::Object(object)) => {
                let mut members = object.members.clone();
                self.spend(members.len(), 0)?;
                for member in members.values_mut() {
                    member.value = self.of_type(member.value.clone(), inner, context)?;
                }
                Val::of_members(members, place)
            }
            ("object", Kind::Object(object)) => {
                let Expression::Object(types) = inner else {
                    return Ok(value);
                };
                let mut members = Members::new();
                for (key, type_) in types {
                    let name = name_of(key).unwrap_or_default();
                    let found = object.members.get(name);
                    let member = match found {
                        Some(member) if !member.value.is_null() => Member {
                            key: member.key,
                            value: self.of_type(member.value.clone(), type_.expr(), context)?,
                        },
                        _ => Member {
                            key: place,
                            value: self.default_of(type_.expr(), place, context)?,
                        },
                    };
                    self.spend(1, name.len())?;
                    members.insert(name.to_owned(), member);
                }
                Val::of_members(members, place)
            }
            _ => Ok(value),
        }
    }

    /// Returns the default of an optional attribute.
    fn default_of(&mut self, type_: &Expression, place: Place, context: &Context<'_>) -> Evaluated {
        let default = match type_ {
            Expression::FuncCall(call) if call.name.name.as_str() == "optional" => {
                call.args.get(0).zip(call.args.get(1))
            }
            _ => None,
        };
        match default {
            Some((inner, default)) => {
                let value = self.expression(default, context)?;
                self.of_type(value, inner, context)
            }
            None => Ok(Val::new(Kind::Null, place)),
        }
    }
}

/// Returns the name of a member that is written as one.
fn name_of(key: &ObjectKey) -> Option<&str> {
    match key {
        ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name)) => {
            Some(name.as_str())
        }
        ObjectKey::Expression(key) => key.as_str(),
    }
}
