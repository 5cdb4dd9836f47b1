//! From where the operator reads the values of CloudWatch metrics.

use std::collections::BTreeSet;

use super::{ExternalMetrics, ListedMetrics, MetricQueries, WantedMetric};

/// The metrics that the operator reads, by their source. None has two of them, see [`MetricSources::ambiguous`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricSources {
    /// The Prometheus queries that stand for metrics.
    pub queries: MetricQueries,
    /// The external metrics of the cluster that stand for metrics.
    pub external: ExternalMetrics,
    /// The metrics that are read from CloudWatch itself.
    pub listed: ListedMetrics,
}

impl MetricSources {
    /// Whether a source has a metric.
    #[must_use]
    pub fn read(&self, metric: WantedMetric<'_>) -> bool {
        self.queries.read(metric) || self.external.read(metric) || self.listed.read(metric)
    }

    /// Returns the first metric that has two sources: only one of the two can be its value.
    #[must_use]
    pub fn ambiguous(&self) -> Option<String> {
        let queried: BTreeSet<_> = self.queries.metrics().collect();
        let external: BTreeSet<_> = self.external.metrics().collect();
        let listed = |(namespace, name): &(&str, &str)| self.listed.have(namespace, name);
        let mut both = queried.intersection(&external);
        let mut all = queried.union(&external);
        let found = both.next().or_else(|| all.find(|metric| listed(metric)));
        found.map(|(namespace, name)| format!("{namespace}/{name}"))
    }

    /// Returns the first metric that is selected by what the owner of a service wrote, and not by the namespace of the
    /// service: by it, the owner would read metrics of others. For CloudWatch, policies say what a namespace may read.
    #[must_use]
    pub fn unbound(&self) -> Option<String> {
        self.queries.unbound().or_else(|| self.external.unbound())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(query: &str, external: &str, listed: &str) -> MetricSources {
        fn all<T: std::str::FromStr<Err = String>, A: FromIterator<T>>(text: &str) -> A {
            let texts = text.split_terminator(' ');
            texts.map(|text| text.parse().expect(text)).collect()
        }
        MetricSources {
            queries: all(query),
            external: all(external),
            listed: all(listed),
        }
    }

    #[test]
    fn a_metric_has_one_source() {
        for (query, external, listed) in [
            ("Shop/Backlog=backlog", "", "Shop/Backlog"),
            ("Shop/Backlog=backlog", "", "Shop/*"),
            ("", "Shop/Backlog=backlog", "Shop/*"),
            ("Shop/Backlog=backlog", "Shop/Backlog=depth", ""),
        ] {
            let found = sources(query, external, listed).ambiguous();
            assert_eq!(found.as_deref(), Some("Shop/Backlog"), "{query} {external}");
        }
        let one = sources("Shop/A=a", "Shop/B=b", "Shop/C AWS/*");
        assert_eq!(one.ambiguous(), None);
        for name in ["A", "B", "C", "D"] {
            let metric = WantedMetric {
                namespace: "Shop",
                name,
                statistic: "Sum",
                dimensions: &[],
            };
            assert_eq!(one.read(metric), name != "D", "{name}");
        }
    }

    #[test]
    fn a_metric_is_selected_by_the_namespace_of_the_service() {
        let by_queue = r#"Shop/Backlog=backlog{queue="<<dimension.Queue>>"}"#;
        assert!(sources(by_queue, "", "").unbound().is_some());
        assert!(sources("", by_queue, "").unbound().is_some());
        assert_eq!(
            sources("", "Shop/Backlog=backlog", "Shop/A").unbound(),
            None
        );
    }
}
