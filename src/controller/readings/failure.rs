//! Why a metric has no value.

/// Why a query has not one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// For the owner of the service. What the source says is not in it: that may name what belongs to others.
    pub(super) why: &'static str,
    /// For the administrator; `None` if the source has answered that there is no value now.
    pub(super) detail: Option<String>,
}

/// What a query gives.
pub(super) type Value = Result<f64, Failure>;

impl Failure {
    pub(super) const fn empty(why: &'static str) -> Self {
        Self { why, detail: None }
    }

    pub(super) fn new(why: &'static str, detail: impl ToString) -> Self {
        let detail = Some(detail.to_string());
        Self { why, detail }
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
