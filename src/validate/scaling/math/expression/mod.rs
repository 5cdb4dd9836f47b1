//! Expressions of metric math
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>): the part of it that gives one
//! value for each period from the values of that period.

mod parser;

pub(super) use parser::{Entries, parse};

/// What gives one value for a period, or none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// A number.
    Number(f64),
    /// The entry at this position.
    Entry(usize),
    /// Two values become one.
    Binary(Operator, Box<[Self; 2]>),
    /// One value becomes another.
    Of(Function, Box<Self>),
    /// Several values become one; those that are missing do not count.
    Aggregate(Aggregate, Vec<Self>),
    /// The second where the first is missing.
    Fill(Box<[Self; 2]>),
    /// The second where the first is not 0, and the third where it is.
    If(Box<Self>, Box<Self>, Option<Box<Self>>),
}

/// How two values become one. Comparisons and logic give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

/// What is made of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Negative,
    Abs,
    Ceil,
    Floor,
}

/// What is made of several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Avg,
    Max,
    Min,
    Sum,
}

impl Expression {
    /// Returns its value for a period, given those of the entries; `None` without one. A division by 0 has no value.
    pub(super) fn value(&self, entries: &[Option<f64>]) -> Option<f64> {
        let value = match self {
            Self::Number(number) => Some(*number),
            Self::Entry(at) => entries.get(*at).copied().flatten(),
            Self::Binary(operator, of) => {
                let [left, right] = of.as_ref();
                Some(operator.of(left.value(entries)?, right.value(entries)?))
            }
            Self::Of(function, of) => of.value(entries).map(|value| function.of(value)),
            Self::Aggregate(aggregate, of) => {
                let values = of.iter().filter_map(|it| it.value(entries));
                aggregate.of(values)
            }
            Self::Fill(of) => {
                let [first, second] = of.as_ref();
                first.value(entries).or_else(|| second.value(entries))
            }
            Self::If(condition, then, or_else) => {
                if condition.value(entries)? == 0.0 {
                    or_else.as_ref()?.value(entries)
                } else {
                    then.value(entries)
                }
            }
        };
        value.filter(|value| value.is_finite())
    }

    /// Returns the entries that it is calculated from.
    pub(super) fn entries(&self) -> Vec<usize> {
        let of_all = |parts: &[Self]| parts.iter().flat_map(Self::entries).collect();
        match self {
            Self::Number(_) => Vec::new(),
            Self::Entry(at) => vec![*at],
            Self::Binary(_, parts) | Self::Fill(parts) => of_all(parts.as_slice()),
            Self::Of(_, part) => part.entries(),
            Self::Aggregate(_, parts) => of_all(parts),
            Self::If(condition, then, or_else) => {
                let parts = [Some(condition), Some(then), or_else.as_ref()];
                let parts = parts.into_iter().flatten();
                parts.flat_map(|part| part.entries()).collect()
            }
        }
    }
}

impl Operator {
    fn of(self, left: f64, right: f64) -> f64 {
        let number = |is_so: bool| f64::from(u8::from(is_so));
        let is_true = |value: f64| value != 0.0;
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Power => left.powf(right),
            Self::Greater => number(left > right),
            Self::GreaterOrEqual => number(left >= right),
            Self::Less => number(left < right),
            Self::LessOrEqual => number(left <= right),
            #[allow(
                clippy::float_cmp,
                reason = "the expression asks whether they are equal"
            )]
            Self::Equal => number(left == right),
            #[allow(
                clippy::float_cmp,
                reason = "the expression asks whether they are equal"
            )]
            Self::NotEqual => number(left != right),
            Self::And => number(is_true(left) && is_true(right)),
            Self::Or => number(is_true(left) || is_true(right)),
        }
    }
}

impl Function {
    fn of(self, value: f64) -> f64 {
        match self {
            Self::Negative => -value,
            Self::Abs => value.abs(),
            Self::Ceil => value.ceil(),
            Self::Floor => value.floor(),
        }
    }
}

impl Aggregate {
    fn of(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        use crate::validate::Statistic;
        let statistic = match self {
            Self::Avg => Statistic::Average,
            Self::Max => Statistic::Maximum,
            Self::Min => Statistic::Minimum,
            Self::Sum => Statistic::Sum,
        };
        statistic.of(values)
    }
}
