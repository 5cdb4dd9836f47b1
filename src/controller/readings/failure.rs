//! Why a metric has no value.

/// Why a query has not one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// For the owner of the service. What the source says is not in it: that may name what belongs to others.
    pub(super) why: &'static str,
    /// For the administrator; `None` if there is nothing more to say.
    pub(super) detail: Option<String>,
    /// Whether the source has answered that there is no value, so that it is known to be missing.
    pub(super) is_empty: bool,
}

/// What is said of a metric that has no value in a minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Why, for the owner of the service.
    pub(super) why: String,
    /// Whether it is known that there is no value. Otherwise there may be one, which could not be read.
    pub(super) is_empty: bool,
}

/// What a query gives.
pub(super) type Value = Result<f64, Failure>;

impl Failure {
    /// Returns that there is no value.
    pub(super) const fn empty(why: &'static str) -> Self {
        Self {
            why,
            detail: None,
            is_empty: true,
        }
    }

    /// Returns that a value was not asked for, which is no news for the administrator.
    pub(super) const fn unasked(why: &'static str) -> Self {
        Self {
            why,
            detail: None,
            is_empty: false,
        }
    }

    pub(super) fn new(why: &'static str, detail: impl ToString) -> Self {
        Self {
            why,
            detail: Some(detail.to_string()),
            is_empty: false,
        }
    }

    /// Returns the failure of a query without an answer in time.
    pub(super) fn late() -> Self {
        Self::new("it does not answer in time", "no answer in time")
    }
}

/// Returns how a query ended, for the counter.
pub(super) const fn result<T>(value: &Result<T, Failure>) -> &'static str {
    match value {
        Ok(_) => "success",
        Err(Failure { detail: None, .. }) => "empty",
        Err(_) => "failure",
    }
}
