//! What is known of a minute of a metric.

/// What is known of a minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Minute<T> {
    /// What was measured.
    Value(T),
    /// There was nothing to measure, as its source says.
    Empty,
    /// It could not be read. There may be a value.
    Unknown,
}

impl<T: Copy> Minute<T> {
    /// Returns what was measured.
    pub const fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Empty | Self::Unknown => None,
        }
    }

    /// Returns the same with another value.
    pub fn map<U>(self, value: impl FnOnce(T) -> U) -> Minute<U> {
        match self {
            Self::Value(it) => Minute::Value(value(it)),
            Self::Empty => Minute::Empty,
            Self::Unknown => Minute::Unknown,
        }
    }
}

impl<T> From<Option<T>> for Minute<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Self::Value)
    }
}
