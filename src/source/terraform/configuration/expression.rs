//! Evaluates expressions (<https://developer.hashicorp.com/terraform/language/expressions>).

use std::ops::Range;

use hcl_edit::{
    Span as _,
    expr::{BinaryOperator, Conditional, Expression, ForExpr, FuncCall, Object, ObjectKey},
};

use super::{
    super::super::text::Span,
    evaluator::{Context, Evaluator, Frame},
    function::NOT_READ,
    value::{Evaluated, Failure, Kind, Member, Members, Place, Val, number_of},
};
use crate::diagnostic::Message;

/// What stands for the outcome of `can` of what is not evaluated.
const NOT_EVALUATED: &str = "can()";

/// Returns where something is written.
pub(super) fn place(context: &Context<'_>, span: Option<Range<usize>>) -> Place {
    if let Some(anchor) = context.anchor {
        return anchor;
    }
    let span = span.unwrap_or_default();
    let span = Span::new(span.start, span.end);
    Place {
        file: context.file,
        span: context.positions.map_or(span, |it| it.of(span)),
    }
}

impl Evaluator<'_> {
    /// Returns the value of an expression.
    ///
    /// # Errors
    ///
    /// Why it has none.
    pub(super) fn expression(
        &mut self,
        expression: &Expression,
        context: &Context<'_>,
    ) -> Evaluated {
        self.deeper(|evaluator| evaluator.inner(expression, context))
    }

    fn inner(&mut self, expression: &Expression, context: &Context<'_>) -> Evaluated {
        let here = place(context, expression.span());
        match expression {
            Expression::Null(_) => Ok(Val::new(Kind::Null, here)),
            Expression::Bool(value) => Ok(Val::of_bool(*value.value(), here)),
            Expression::Number(number) => {
                let number = number.value().as_f64();
                let number = number.ok_or_else(|| Failure::new("a number is too large"))?;
                Ok(Val::new(Kind::Number(number), here))
            }
            Expression::String(text) => {
                self.spend(1, text.value().len())?;
                Ok(Val::of_text(text.value().as_str(), here))
            }
            Expression::Array(array) => {
                let mut elements = Vec::new();
                for element in array {
                    elements.push(self.expression(element, context)?);
                }
                self.spend(elements.len(), 0)?;
                Val::of_list(elements, here)
            }
            Expression::Object(object) => self.object(object, here, context),
            Expression::StringTemplate(template) => {
                self.template(template.iter(), true, here, context)
            }
            Expression::HeredocTemplate(heredoc) => {
                self.template(heredoc.template.iter(), false, here, context)
            }
            Expression::Parenthesis(it) => self.expression(it.inner(), context),
            Expression::Variable(name) => self.variable(name.value().as_str(), &[], here, context),
            Expression::Conditional(it) => self.conditional(it, context),
            Expression::FuncCall(call) => self.function_call(call, here, context),
            Expression::Traversal(it) => self.traversal(it, here, context),
            Expression::UnaryOp(it) => self.unary(it, here, context),
            Expression::BinaryOp(it) => self.binary(it, here, context),
            Expression::ForExpr(it) => self.for_expression(it, here, context),
        }
    }

    fn object(&mut self, object: &Object, here: Place, context: &Context<'_>) -> Evaluated {
        let mut members = Members::new();
        for (key, value) in object {
            let key_place = place(context, key.span());
            let name = match key {
                ObjectKey::Ident(name) => name.value().as_str().to_owned(),
                // A name is one, whatever a variable of this name has.
                ObjectKey::Expression(Expression::Variable(name)) => {
                    name.value().as_str().to_owned()
                }
                ObjectKey::Expression(key) => {
                    let key = self.expression(key, context)?;
                    let Some(text) = self.text_of(&key) else {
                        return Ok(self.open(&[&key], here));
                    };
                    text
                }
            };
            let value = self.expression(value.expr(), context)?;
            self.spend(1, name.len())?;
            let key = key_place;
            members.insert(name, Member { key, value });
        }
        Val::of_members(members, here)
    }

    fn conditional(&mut self, it: &Conditional, context: &Context<'_>) -> Evaluated {
        let condition = self.expression(&it.cond_expr, context)?;
        // Whether there is a file that may not be read, or a value that is not evaluated, is no question of an apply.
        if condition.is_not_read() {
            return Ok(condition);
        }
        let holds = self.holds(&condition, context)?;
        let branch = if holds { &it.true_expr } else { &it.false_expr };
        self.expression(branch, context)
    }

    /// Returns whether a condition holds; one that is not known is taken to be false, and said.
    pub(super) fn holds(
        &mut self,
        condition: &Val,
        context: &Context<'_>,
    ) -> Result<bool, Failure> {
        if let Some(holds) = condition.truth() {
            return Ok(holds);
        }
        let Some(addresses) = self.addresses(condition) else {
            let found = condition.describe();
            return Err(Failure::new(format!(
                "a condition is true or false, and not {found}"
            )));
        };
        let message = Message::ConditionNotKnown {
            names: addresses.join(", "),
        };
        // The text of a template has no place of its own.
        let place = match context.file {
            Some(_) => condition.place,
            None => Place::NOWHERE,
        };
        self.say(place, message);
        Ok(false)
    }

    /// Returns what stands for the value of a function of a provider
    /// (<https://developer.hashicorp.com/terraform/plugin/framework/functions/concepts>).
    fn of_provider(&mut self, call: &FuncCall, here: Place, context: &Context<'_>) -> Evaluated {
        let mut arguments = Vec::new();
        for argument in &call.args {
            arguments.push(self.expression(argument, context)?);
        }
        let arguments: Vec<&Val> = arguments.iter().collect();
        let namespace = call.name.namespace.iter().map(|it| it.as_str());
        let names: Vec<&str> = namespace.chain([call.name.name.as_str()]).collect();
        let mut addresses = self
            .addresses(&self.open(&arguments, here))
            .unwrap_or_default();
        if addresses.is_empty() {
            addresses.push(format!("{}()", names.join("::")));
        }
        Ok(Val::of_addresses(addresses, here))
    }

    fn function_call(&mut self, call: &FuncCall, here: Place, context: &Context<'_>) -> Evaluated {
        let name = call.name.name.value().as_str();
        if call.name.is_namespaced() {
            return self.of_provider(call, here, context);
        }
        let mut arguments = Vec::new();
        match name {
            "try" => return self.first_of(call, here, context),
            "can" => {
                let only = call.args.iter().next();
                let only = only.ok_or_else(|| Failure::new("can takes an expression"))?;
                let can = match self.expression(only, context) {
                    Err(failure) if failure.is_final => return Err(failure),
                    Err(failure) if failure.is_not_known => {
                        return Ok(Val::of_addresses(vec![NOT_EVALUATED.to_owned()], here));
                    }
                    value => value.is_ok(),
                };
                return Ok(Val::of_bool(can, here));
            }
            _ => {}
        }
        for argument in &call.args {
            arguments.push(self.expression(argument, context)?);
        }
        if call.args.expand_final()
            && let Some(last) = arguments.pop()
        {
            match last.elements() {
                Some(elements) => arguments.extend(elements.iter().cloned()),
                None => return Ok(self.open(&[&last], here)),
            }
        }
        self.call(name, arguments, here)
    }

    /// Returns the first argument that has a value.
    fn first_of(&mut self, call: &FuncCall, here: Place, context: &Context<'_>) -> Evaluated {
        let mut last = Failure::new("try takes expressions");
        let mut arguments = call.args.iter();
        while let Some(argument) = arguments.next() {
            match self.expression(argument, context) {
                Err(failure) if failure.is_final => return Err(failure),
                Err(failure) if failure.is_not_known => {
                    let name = call.name.name.value().as_str();
                    return Ok(Val::of_addresses(vec![format!("{name}()")], here));
                }
                Err(failure) => last = failure,
                Ok(value) => return Ok(self.or_made(value, arguments, here, context)),
            }
        }
        Err(last)
    }

    /// Returns the keys and values that a loop goes through; `None` if they are not known.
    pub(super) fn pairs(&self, collection: &Val) -> Result<Option<Vec<(Val, Val)>>, Failure> {
        match &collection.kind {
            Kind::List(list) => {
                let elements = list.elements.iter().enumerate();
                let pairs = elements.map(|(index, value)| {
                    let key = Kind::Number(number_of(index));
                    (Val::new(key, value.place), value.clone())
                });
                Ok(Some(pairs.collect()))
            }
            Kind::Object(object) => {
                let members = object.members.iter();
                let pairs = members.map(|(name, member)| {
                    let key = Val::of_text(name.as_str(), member.key);
                    (key, member.value.clone())
                });
                Ok(Some(pairs.collect()))
            }
            Kind::Unknown(_) | Kind::Instance(_) => Ok(None),
            _ => Err(Failure::new(format!(
                "a loop goes through a list or an object, and not {}",
                collection.describe()
            ))),
        }
    }

    fn for_expression(&mut self, it: &ForExpr, here: Place, context: &Context<'_>) -> Evaluated {
        let collection = self.expression(&it.intro.collection_expr, context)?;
        let Some(pairs) = self.pairs(&collection)? else {
            return Ok(self.open(&[&collection], here));
        };
        let mut elements = Vec::new();
        let mut members = Members::new();
        for (key, value) in pairs {
            let outer = key_frame(
                it.intro.key_var.as_ref().map(|it| it.as_str()),
                &key,
                context,
            );
            let outer = outer.as_ref().or(context.frame);
            let frame = Frame {
                name: it.intro.value_var.as_str(),
                value: &value,
                outer,
            };
            let context = &context.with(&frame);
            if let Some(condition) = &it.cond
                && !self.keeps(&condition.expr, context)?
            {
                continue;
            }
            let value = self.expression(&it.value_expr, context)?;
            self.spend(1, 0)?;
            let Some(key) = &it.key_expr else {
                elements.push(value);
                continue;
            };
            let key = self.expression(key, context)?;
            let Some(name) = self.text_of(&key) else {
                return Ok(self.open(&[&key], here));
            };
            self.spend(1, name.len())?;
            put(&mut members, name, key.place, value, it.grouping)?;
        }
        match it.key_expr {
            Some(_) => Val::of_members(members, here),
            None => Val::of_list(elements, here),
        }
    }

    /// Returns whether a loop keeps an element. A description leaves out what is null or empty, which is not known of
    /// what has a placeholder: that stays.
    fn keeps(&mut self, condition: &Expression, context: &Context<'_>) -> Result<bool, Failure> {
        let holds = self.expression(condition, context)?;
        let is_open = self.addresses(&holds).is_some();
        if is_open && context.anchor.is_some() && is_of_something(condition) {
            return Ok(true);
        }
        self.holds(&holds, context)
    }

    /// Returns a value that is computed of others that are not known.
    pub(super) fn open(&self, of: &[&Val], place: Place) -> Val {
        let mut addresses: Vec<String> = Vec::new();
        for address in of.iter().filter_map(|val| self.addresses(val)).flatten() {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Val::of_addresses(addresses, place)
    }

    /// Returns a value as a text: what is not known is a placeholder. `None` if it cannot be one.
    pub(super) fn text_of(&mut self, val: &Val) -> Option<String> {
        val.scalar().or_else(|| self.placeholder(val))
    }
}

impl Val {
    /// Whether it depends on what this reader does not read or evaluate.
    fn is_not_read(&self) -> bool {
        match &self.kind {
            Kind::Unknown(unknown) => {
                let mut addresses = unknown.addresses.iter();
                addresses.any(|it| it == NOT_EVALUATED || it.starts_with(NOT_READ))
            }
            _ => false,
        }
    }
}

/// Whether a condition is that something is neither null nor empty.
fn is_of_something(condition: &Expression) -> bool {
    let Expression::BinaryOp(it) = condition else {
        return false;
    };
    let is_nothing = match &it.rhs_expr {
        Expression::Null(_) => true,
        Expression::String(text) => text.value().is_empty(),
        Expression::Object(object) => object.is_empty(),
        _ => false,
    };
    is_nothing && *it.operator.value() == BinaryOperator::NotEq
}

/// Returns the frame of the key of a loop that names it.
pub(super) fn key_frame<'f>(
    name: Option<&'f str>,
    value: &'f Val,
    context: &Context<'f>,
) -> Option<Frame<'f>> {
    Some(Frame {
        name: name?,
        value,
        outer: context.frame,
    })
}

/// Adds a member that a loop makes; values of the same key make a list, if they are grouped.
fn put(
    members: &mut Members,
    name: String,
    key: Place,
    value: Val,
    is_grouped: bool,
) -> Result<(), Failure> {
    let value = match (members.get(&name), is_grouped) {
        (Some(known), true) => {
            let mut elements = known.value.elements().unwrap_or_default().to_vec();
            elements.push(value);
            Val::of_list(elements, key)?
        }
        (None, true) => Val::of_list(vec![value], key)?,
        (Some(_), false) => {
            return Err(Failure::new("a loop gives one key two values"));
        }
        (None, false) => value,
    };
    members.insert(name, Member { key, value });
    Ok(())
}
