//! The external metrics of the cluster that stand for CloudWatch metrics.

use std::str::FromStr;

use super::{
    MetricQueries, MetricQuery, WantedFor, WantedMetric,
    dns::{is_bounded, is_label_value},
};

/// An external metric for each CloudWatch metric that the operator reads from `external.metrics.k8s.io`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExternalMetrics(MetricQueries);

/// An external metric for one metric: `NAMESPACE/METRIC=NAME`, or `NAMESPACE/METRIC=NAME{LABEL="VALUE",...}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalMetric(MetricQuery);

/// A service to try a metric with.
const ANY: WantedFor<'_> = WantedFor {
    namespace: "x",
    service: "x",
    tasks: 1,
};

impl FromStr for ExternalMetric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "must be NAMESPACE/METRIC=NAME, or NAMESPACE/METRIC=NAME{LABEL=\"VALUE\",...}";
        let metric: MetricQuery = text.parse()?;
        let sample = metric.sample();
        match sample.as_deref().and_then(target) {
            Some(_) => Ok(Self(metric)),
            None => Err(form.to_owned()),
        }
    }
}

impl FromIterator<ExternalMetric> for ExternalMetrics {
    fn from_iter<T: IntoIterator<Item = ExternalMetric>>(metrics: T) -> Self {
        Self(metrics.into_iter().map(|metric| metric.0).collect())
    }
}

impl ExternalMetrics {
    /// Whether there is an external metric for a metric, and the values of all dimensions that it needs can be those of
    /// labels.
    #[must_use]
    pub fn read(&self, metric: WantedMetric<'_>) -> bool {
        self.query(metric, ANY).is_some()
    }

    /// Returns what to ask for a metric of a service, as the path below the namespaces of the API, without the leading `/`;
    /// `None` if there is nothing, or a value cannot be that of a label.
    #[must_use]
    pub fn query(&self, metric: WantedMetric<'_>, service: WantedFor<'_>) -> Option<String> {
        let filled = self.0.query(metric, service)?;
        let (name, labels) = target(&filled)?;
        let namespace = service.namespace;
        Some(if labels.is_empty() {
            format!("{namespace}/{name}")
        } else {
            // None of the characters of a label has a meaning in a URL, but for the slash of a key.
            let labels = labels.iter();
            let labels = labels.map(|(key, value)| format!("{key}%3D{value}"));
            let labels: Vec<String> = labels.collect();
            format!("{namespace}/{name}?labelSelector={}", labels.join("%2C"))
        })
    }

    /// Returns the namespaces and the names of the metrics.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.metrics()
    }

    /// Returns the first metric whose selector has what the owner of a service wrote, and not the namespace of the service.
    #[must_use]
    pub fn unbound(&self) -> Option<String> {
        self.0.unbound()
    }
}

/// Returns the name and the labels of a metric; `None` if it has another form.
fn target(text: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let (name, labels) = match text.trim().split_once('{') {
        Some((name, labels)) => (name.trim(), labels.strip_suffix('}')?.trim()),
        None => (text.trim(), ""),
    };
    let is_name = |text: &str| is_bounded(text, |byte| byte.is_ascii_alphanumeric(), b"-_.");
    if !is_name(name) {
        return None;
    }
    let labels = labels.split(',').map(str::trim);
    let labels = labels.filter(|label| !label.is_empty()).map(|label| {
        let (key, value) = label.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        let mut quotes = ['"', '\''].into_iter();
        let value = quotes.find_map(|it| value.strip_prefix(it)?.strip_suffix(it))?;
        let is_key = is_bounded(key, |byte| byte.is_ascii_alphanumeric(), b"-_./");
        (is_key && is_label_value(value)).then_some((key, value))
    });
    Some((name, labels.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(text: &str) -> ExternalMetrics {
        let text = format!("AWS/SQS/Visible={text}");
        [text.parse().expect("it is a metric")]
            .into_iter()
            .collect()
    }

    fn query(text: &str, queue: &str) -> Option<String> {
        let dimensions = [("QueueName".to_owned(), queue.to_owned())];
        let metric = WantedMetric {
            namespace: "AWS/SQS",
            name: "Visible",
            statistic: "Sum",
            dimensions: &dimensions,
        };
        let service = WantedFor {
            namespace: "shop",
            service: "worker",
            tasks: 3,
        };
        let found = metrics(text).query(metric, service);
        assert_eq!(metrics(text).read(metric), found.is_some(), "{text}");
        found
    }

    #[test]
    fn a_metric_is_asked_for_in_the_namespace_of_the_service_by_its_labels() {
        let by_queue = r#"depth{queue="<<dimension.QueueName>>", shop/ns='<<namespace>>'}"#;
        for (text, queue, expected) in [
            ("depth", "orders", Some("shop/depth")),
            (
                by_queue,
                "orders",
                Some("shop/depth?labelSelector=queue%3Dorders%2Cshop/ns%3Dshop"),
            ),
            (by_queue, "orders,queue=other", None),
            (by_queue, "a\"", None),
            (by_queue, "", None),
            ("depth{queue=\"<<dimension.Other>>\"}", "orders", None),
        ] {
            assert_eq!(query(text, queue).as_deref(), expected, "{text} {queue}");
        }
    }

    #[test]
    fn a_metric_has_a_name_and_labels_that_are_equal() {
        for text in [
            "depth",
            "depth{}",
            "Depth.of_a-queue{a=\"b\"}",
            "depth{a='x-<<namespace>>'}",
        ] {
            assert!(
                format!("A/B={text}").parse::<ExternalMetric>().is_ok(),
                "{text}"
            );
        }
        for text in [
            "",
            "sum(depth)",
            "depth{a!=\"b\"}",
            "depth{a=~\"b\"}",
            "depth{a=b}",
            "depth{a=\"b\"} / 2",
            "depth{a=\"b c\"}",
            "a/b",
            "../secrets",
            "depth?x",
            "<<namespace>>",
        ] {
            assert!(
                format!("A/B={text}").parse::<ExternalMetric>().is_err(),
                "{text}"
            );
        }
    }
}
