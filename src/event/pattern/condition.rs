//! What a field of a pattern asks of a value.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::Value;

use super::{
    address::{Network, address},
    number::{Number, Range},
    text::TextTest,
};

/// The alternatives for one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// `null`.
    pub(super) null: bool,
    /// `true` and `false`.
    pub(super) booleans: BTreeSet<bool>,
    pub(super) numbers: BTreeSet<Number>,
    pub(super) strings: BTreeSet<String>,
    /// Those of the strings that are addresses.
    pub(super) addresses: BTreeSet<IpAddr>,
    pub(super) tests: Vec<Test>,
    /// `{"exists": true}`.
    pub(super) present: bool,
    /// `{"exists": false}`.
    pub(super) absent: bool,
}

/// An operator that looks at a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Text(TextTest),
    Numeric(Range),
    Cidr(Network),
    AnythingBut(AnythingBut),
}

/// The values that must not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AnythingBut {
    pub(super) numbers: BTreeSet<Number>,
    pub(super) strings: BTreeSet<String>,
    pub(super) tests: Vec<TextTest>,
}

impl Condition {
    /// Whether one of the alternatives matches a leaf, which is neither an object nor an array.
    pub(super) fn matches(&self, leaf: &Value) -> bool {
        if self.present {
            return true;
        }
        let is_literal = match leaf {
            Value::Null => self.null,
            Value::Bool(value) => self.booleans.contains(value),
            Value::Number(number) => {
                !self.numbers.is_empty()
                    && Number::of(number).is_some_and(|number| self.numbers.contains(&number))
            }
            Value::String(text) => {
                self.strings.contains(text.as_str())
                    || !self.addresses.is_empty()
                        && address(text).is_some_and(|it| self.addresses.contains(&it))
            }
            Value::Array(_) | Value::Object(_) => return false,
        };
        is_literal || self.tests.iter().any(|test| test.matches(leaf))
    }
}

impl Test {
    fn matches(&self, leaf: &Value) -> bool {
        match (self, leaf) {
            (Self::AnythingBut(values), leaf) => !values.contain(leaf),
            (Self::Text(test), Value::String(text)) => test.matches(text),
            (Self::Cidr(network), Value::String(text)) => {
                address(text).is_some_and(|it| network.contains(it))
            }
            (Self::Numeric(range), Value::Number(number)) => {
                Number::of(number).is_some_and(|number| range.contains(number))
            }
            _ => false,
        }
    }
}

impl AnythingBut {
    fn contain(&self, leaf: &Value) -> bool {
        match leaf {
            Value::String(text) => {
                self.strings.contains(text.as_str())
                    || self.tests.iter().any(|test| test.matches(text))
            }
            Value::Number(number) => {
                Number::of(number).is_some_and(|number| self.numbers.contains(&number))
            }
            _ => false,
        }
    }
}
