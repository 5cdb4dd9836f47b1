//! Operators (<https://developer.hashicorp.com/terraform/language/expressions/operators>).

use hcl_edit::expr::{BinaryOp, BinaryOperator, UnaryOp, UnaryOperator};

use super::{
    evaluator::{Context, Evaluator},
    value::{Evaluated, Failure, Kind, Of, Place, Val},
};

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, it: &UnaryOp, here: Place, context: &Context<'_>) -> Evaluated {
        let value = self.expression(&it.expr, context)?;
        if self.addresses(&value).is_some() {
            return Ok(self.open(&[&value], here));
        }
        match *it.operator.value() {
            UnaryOperator::Not => match value.truth() {
                Some(truth) => Ok(Val::of_bool(!truth, here)),
                None => Err(wrong("!", &value)),
            },
            UnaryOperator::Neg => match value.number() {
                Some(number) => Ok(Val::new(Kind::Number(-number), here)),
                None => Err(wrong("-", &value)),
            },
        }
    }

    pub(super) fn binary(
        &mut self,
        it: &BinaryOp,
        here: Place,
        context: &Context<'_>,
    ) -> Evaluated {
        let operator = *it.operator.value();
        let left = self.expression(&it.lhs_expr, context)?;
        // The other side may not have a value, if this side decides.
        match (operator, left.truth()) {
            (BinaryOperator::And, Some(false)) => return Ok(Val::of_bool(false, here)),
            (BinaryOperator::Or, Some(true)) => return Ok(Val::of_bool(true, here)),
            _ => {}
        }
        let right = self.expression(&it.rhs_expr, context)?;
        match (operator, right.truth()) {
            (BinaryOperator::And, Some(false)) => return Ok(Val::of_bool(false, here)),
            (BinaryOperator::Or, Some(true)) => return Ok(Val::of_bool(true, here)),
            _ => {}
        }
        let is_equality = matches!(operator, BinaryOperator::Eq | BinaryOperator::NotEq);
        if is_equality {
            let same = self.are_equal(&left, &right)?;
            return Ok(match same {
                Some(same) => Val::of_bool(same == (operator == BinaryOperator::Eq), here),
                None => self.open(&[&left, &right], here),
            });
        }
        if self.addresses(&left).is_some() || self.addresses(&right).is_some() {
            return Ok(self.open(&[&left, &right], here));
        }
        computed(operator, &left, &right).map(|kind| Val::new(kind, here))
    }

    /// Returns whether two values are equal; `None` if that is not known.
    pub(super) fn are_equal(&mut self, a: &Val, b: &Val) -> Result<Option<bool>, Failure> {
        self.spend(1, 0)?;
        if let (Kind::Unknown(a), Kind::Unknown(b)) = (&a.kind, &b.kind)
            && a.is_direct
            && b.is_direct
            && a.addresses == b.addresses
        {
            return Ok(Some(true));
        }
        let is_nothing = |val: &Val| val.is_null() || val.text() == Some("");
        if is_nothing(a) && is_something(b) || is_nothing(b) && is_something(a) {
            return Ok(Some(false));
        }
        if a.is_null() && self.is_given(b) || b.is_null() && self.is_given(a) {
            return Ok(Some(false));
        }
        if self.addresses(a).is_some() || self.addresses(b).is_some() {
            return Ok(None);
        }
        let mut all = Some(true);
        match (&a.kind, &b.kind) {
            (Kind::List(a), Kind::List(b)) => {
                if a.elements.len() != b.elements.len() {
                    return Ok(Some(false));
                }
                for (a, b) in a.elements.iter().zip(&b.elements) {
                    match self.are_equal(a, b)? {
                        Some(false) => return Ok(Some(false)),
                        same => all = all.and(same),
                    }
                }
            }
            (Kind::Object(a), Kind::Object(b)) => {
                if !a.members.keys().eq(b.members.keys()) {
                    return Ok(Some(false));
                }
                for (a, b) in a.members.values().zip(b.members.values()) {
                    match self.are_equal(&a.value, &b.value)? {
                        Some(false) => return Ok(Some(false)),
                        same => all = all.and(same),
                    }
                }
            }
            (Kind::Null, Kind::Null) => {}
            _ => all = Some(same_scalar(a, b)),
        }
        Ok(all)
    }
}

impl Evaluator<'_> {
    /// Whether a value that is not known is not null: a text, a variable that has to be given, or what a resource or a
    /// data source has, because nobody refers to what is never there.
    fn is_given(&self, val: &Val) -> bool {
        match &val.kind {
            Kind::Text(_) => self.addresses(val).is_some(),
            Kind::Unknown(unknown) if unknown.is_direct => {
                let address = unknown.addresses.first();
                address.is_some_and(|it| match it.rsplit_once("var.") {
                    Some((_, name)) => !name.contains(['.', '[']),
                    None => true,
                })
            }
            _ => false,
        }
    }
}

/// Whether a value that is not known is surely neither null nor empty: a resource, or what names one.
fn is_something(val: &Val) -> bool {
    match &val.kind {
        Kind::Instance(instance) => instance.of != Of::Data,
        Kind::Unknown(unknown) if unknown.is_direct => {
            let address = unknown.addresses.first();
            address.is_some_and(|address| {
                let is_of_resource = !address.starts_with("data.")
                    && !address.contains("var.")
                    && !address.starts_with("module.");
                let last = address.rsplit('.').next().unwrap_or_default();
                is_of_resource && (last.ends_with("arn") || matches!(last, "id" | "name" | "url"))
            })
        }
        _ => false,
    }
}

/// Whether two scalars are equal; those of different types are not.
fn same_scalar(a: &Val, b: &Val) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Text(a), Kind::Text(b)) => a.text == b.text,
        (Kind::Bool(a), Kind::Bool(b)) => a == b,
        (Kind::Number(a), Kind::Number(b)) => a.to_bits() == b.to_bits(),
        _ => false,
    }
}

fn computed(operator: BinaryOperator, left: &Val, right: &Val) -> Result<Kind, Failure> {
    if let BinaryOperator::And | BinaryOperator::Or = operator {
        // What decides alone has decided already.
        let (Some(left), Some(right)) = (left.truth(), right.truth()) else {
            return Err(wrong(operator.as_str(), left));
        };
        let both = if operator == BinaryOperator::And {
            left && right
        } else {
            left || right
        };
        return Ok(Kind::Bool(both));
    }
    let number = |val: &Val| val.number().ok_or_else(|| wrong(operator.as_str(), val));
    let (left, right) = (number(left)?, number(right)?);
    let made = match operator {
        BinaryOperator::Less => return Ok(Kind::Bool(left < right)),
        BinaryOperator::LessEq => return Ok(Kind::Bool(left <= right)),
        BinaryOperator::Greater => return Ok(Kind::Bool(left > right)),
        BinaryOperator::GreaterEq => return Ok(Kind::Bool(left >= right)),
        BinaryOperator::Plus => left + right,
        BinaryOperator::Minus => left - right,
        BinaryOperator::Mul => left * right,
        BinaryOperator::Div => left / right,
        _ => left % right,
    };
    if made.is_finite() {
        Ok(Kind::Number(rounded(made)))
    } else {
        Err(Failure::new("a number is divided by zero, or too large"))
    }
}

/// Returns a number to fifteen digits, which a binary fraction has: Terraform calculates with many more, so that 100 * 1.1
/// is 110 there.
fn rounded(number: f64) -> f64 {
    let text = format!("{number:.14e}");
    text.parse().unwrap_or(number)
}

fn wrong(operator: &str, value: &Val) -> Failure {
    Failure::new(format!("{operator} does not take {}", value.describe()))
}
