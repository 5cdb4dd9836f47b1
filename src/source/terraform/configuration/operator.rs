//! Operators (<https://developer.hashicorp.com/terraform/language/expressions/operators>).

use hcl_edit::expr::{BinaryOp, BinaryOperator, UnaryOp, UnaryOperator};

use super::{
    evaluator::{Context, Evaluator},
    value::{Evaluated, Failure, Kind, Place, Val},
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
        Ok(Kind::Number(made))
    } else {
        Err(Failure::new("a number is divided by zero, or too large"))
    }
}

fn wrong(operator: &str, value: &Val) -> Failure {
    Failure::new(format!("{operator} does not take {}", value.describe()))
}
