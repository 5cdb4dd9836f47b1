//! The metrics that the operator reads from CloudWatch itself.

use std::{collections::BTreeSet, str::FromStr};

use super::WantedMetric;

/// The metrics that the operator reads from CloudWatch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedMetrics(BTreeSet<ListedMetric>);

/// A metric, or all of a namespace: `NAMESPACE/METRIC` or `NAMESPACE/*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedMetric {
    namespace: String,
    /// Its name; `None` for each.
    name: Option<String>,
}

impl FromStr for ListedMetric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (namespace, name) = text.rsplit_once('/').unwrap_or_default();
        if namespace.is_empty() || name.is_empty() || namespace.contains('*') {
            return Err("must be NAMESPACE/METRIC or NAMESPACE/*".to_owned());
        }
        let name = match name {
            "*" => None,
            name if name.contains('*') => {
                return Err("* stands for all metrics of a namespace, and not for some".to_owned());
            }
            name => Some(name.to_owned()),
        };
        Ok(Self {
            namespace: namespace.to_owned(),
            name,
        })
    }
}

impl FromIterator<ListedMetric> for ListedMetrics {
    fn from_iter<T: IntoIterator<Item = ListedMetric>>(metrics: T) -> Self {
        Self(metrics.into_iter().collect())
    }
}

impl ListedMetrics {
    /// Whether a metric is read.
    #[must_use]
    pub fn read(&self, metric: WantedMetric<'_>) -> bool {
        self.have(metric.namespace, metric.name)
    }

    pub(super) fn have(&self, namespace: &str, name: &str) -> bool {
        let is_it = |it: &ListedMetric| {
            it.namespace == namespace && it.name.as_deref().is_none_or(|it| it == name)
        };
        self.0.iter().any(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(metrics: &[&str]) -> ListedMetrics {
        let metrics = metrics.iter();
        metrics
            .map(|text| text.parse::<ListedMetric>().expect("it is a metric"))
            .collect()
    }

    fn metric<'a>(namespace: &'a str, name: &'a str) -> WantedMetric<'a> {
        WantedMetric {
            namespace,
            name,
            statistic: "Sum",
            dimensions: &[],
        }
    }

    #[test]
    fn a_metric_is_read_if_it_or_its_namespace_is_listed() {
        let listed = listed(&["AWS/SQS/ApproximateNumberOfMessagesVisible", "Shop/Web/*"]);
        for (namespace, name, expected) in [
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", true),
            ("AWS/SQS", "NumberOfMessagesSent", false),
            ("Shop/Web", "Backlog", true),
            ("Shop", "Web", false),
            ("Shop/Web/Other", "Backlog", false),
            ("AWS/SQ", "ApproximateNumberOfMessagesVisible", false),
        ] {
            assert_eq!(listed.read(metric(namespace, name)), expected, "{name}");
        }
        assert!(!ListedMetrics::default().read(metric("AWS/SQS", "NumberOfMessagesSent")));
    }

    #[test]
    fn a_pattern_is_a_whole_namespace() {
        for text in [
            "",
            "*",
            "/x",
            "AWS/SQS/",
            "Backlog",
            "AWS/*/x",
            "Shop/Back*",
        ] {
            assert!(text.parse::<ListedMetric>().is_err(), "{text}");
        }
    }
}
