//! Numbers, compared by value: 300 is 300.0 and 3e2.

use std::cmp::Ordering;

use serde_json::Number as JsonNumber;

/// A number of JSON.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    /// A whole number, of the range of `i64` or `u64`.
    Whole(i128),
    /// Any other number, which is finite.
    Float(f64),
}

impl Number {
    pub(super) fn of(number: &JsonNumber) -> Option<Self> {
        number
            .as_i128()
            .map(Self::Whole)
            .or_else(|| number.as_f64().map(Self::Float))
    }

    /// Whether a double holds all of its digits.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the loss is what is asked for"
    )]
    pub(super) fn is_exact_as_double(self) -> bool {
        match self {
            Self::Whole(whole) => (whole as f64) as i128 == whole,
            Self::Float(_) => true,
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (*self, *other) {
            (Self::Whole(left), Self::Whole(right)) => left.cmp(&right),
            (Self::Whole(left), Self::Float(right)) => compare(left, right),
            (Self::Float(left), Self::Whole(right)) => compare(right, left).reverse(),
            // Both are finite. `total_cmp` would tell -0.0 from 0.0.
            (Self::Float(left), Self::Float(right)) => {
                left.partial_cmp(&right).unwrap_or(Ordering::Equal)
            }
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

/// Compares without rounding: a double would not tell the whole numbers above 2^53 apart.
fn compare(whole: i128, float: f64) -> Ordering {
    // Farther from zero than any whole number of JSON here.
    const FAR: f64 = 1e30;
    if float >= FAR {
        return Ordering::Less;
    }
    if float <= -FAR {
        return Ordering::Greater;
    }
    let floor = float.floor();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an i128 holds every whole number up to 1e30"
    )]
    let below = floor as i128;
    let rest = if float > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    };
    whole.cmp(&below).then(rest)
}

/// The numbers between two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) lower: Option<Limit>,
    pub(super) upper: Option<Limit>,
}

/// A limit of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) value: Number,
    /// Whether the limit itself is in the range.
    pub(super) inclusive: bool,
}

impl Range {
    pub(super) fn contains(&self, number: Number) -> bool {
        let above = self
            .lower
            .is_none_or(|limit| number > limit.value || limit.inclusive && number == limit.value);
        let below = self
            .upper
            .is_none_or(|limit| number < limit.value || limit.inclusive && number == limit.value);
        above && below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value() {
        let read = |text: &str| Number::of(&serde_json::from_str(text).unwrap()).unwrap();
        let sorted = [
            "-1e300",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "0",
            "0.1",
            "1",
            "1.5",
            "2",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551615",
            "1e20",
            "1e300",
        ];
        for (index, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                assert_eq!(
                    read(left).cmp(&read(right)),
                    index.cmp(&other),
                    "{left} {right}"
                );
            }
        }
        for (left, right) in [
            ("300", "300.0"),
            ("300", "3e2"),
            ("0", "-0.0"),
            ("0.0", "-0.0"),
        ] {
            assert_eq!(read(left), read(right), "{left} {right}");
        }
    }
}
