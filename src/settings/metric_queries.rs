//! The Prometheus queries that stand for CloudWatch metrics.

use std::{collections::BTreeMap, str::FromStr};

use super::query_template::{Matcher, Place, Template};

/// A query for each CloudWatch metric that the operator reads from Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricQueries(BTreeMap<(String, String), Template>);

/// A query for one metric: `NAMESPACE/METRIC=QUERY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricQuery {
    namespace: String,
    name: String,
    template: Template,
}

/// A CloudWatch metric with one statistic, as the owner of a service wrote it.
#[derive(Clone, Copy, Debug)]
pub struct WantedMetric<'a> {
    /// The namespace in CloudWatch.
    pub namespace: &'a str,
    /// The name.
    pub name: &'a str,
    /// The statistic.
    pub statistic: &'a str,
    /// The names and values of the dimensions.
    pub dimensions: &'a [(String, String)],
}

/// The service that a metric is read for, as the API server knows it.
#[derive(Clone, Copy, Debug)]
pub struct WantedFor<'a> {
    /// The namespace in the cluster.
    pub namespace: &'a str,
    /// The name.
    pub service: &'a str,
    /// How many of its tasks run.
    pub tasks: i64,
}

const NAMESPACE: &str = "namespace";
const SERVICE: &str = "service";
const TASKS: &str = "tasks";
const STATISTIC: &str = "statistic";
const DIMENSION: &str = "dimension.";

impl FromStr for MetricQuery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (metric, query) = text.split_once('=').unwrap_or_default();
        let (namespace, name) = metric.rsplit_once('/').unwrap_or_default();
        if namespace.is_empty() || name.is_empty() || query.trim().is_empty() {
            return Err("must be NAMESPACE/METRIC=QUERY".to_owned());
        }
        let template = Template::parse(query)?;
        for (placeholder, place) in template.placeholders() {
            check(placeholder, place)?;
        }
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            template,
        })
    }
}

/// Checks that a placeholder is known, and that its value cannot change the query.
fn check(placeholder: &str, place: Place) -> Result<(), String> {
    let is_number = placeholder == TASKS;
    let is_dimension = placeholder
        .strip_prefix(DIMENSION)
        .is_some_and(|name| !name.is_empty());
    if !is_number && !is_dimension && ![NAMESPACE, SERVICE, STATISTIC].contains(&placeholder) {
        return Err(format!(
            "<<{placeholder}>> is not one of <<namespace>>, <<service>>, <<tasks>>, <<statistic>> and <<dimension.NAME>>"
        ));
    }
    match place {
        Place::Matcher(_) => Ok(()),
        Place::Bare if is_number => Ok(()),
        _ if is_number => Err("<<tasks>> is a number".to_owned()),
        _ => Err(format!(
            "<<{placeholder}>> has to be in the quotes of a label matcher, for instance {{label=\"<<{placeholder}>>\"}}"
        )),
    }
}

impl MetricQuery {
    /// Returns the query with `x` for each placeholder.
    pub(super) fn sample(&self) -> Option<String> {
        self.template.fill(|_| Some("x".to_owned()))
    }
}

impl FromIterator<MetricQuery> for MetricQueries {
    fn from_iter<T: IntoIterator<Item = MetricQuery>>(queries: T) -> Self {
        let queries = queries.into_iter();
        Self(
            queries
                .map(|it| ((it.namespace, it.name), it.template))
                .collect(),
        )
    }
}

impl MetricQueries {
    /// Whether there is a query for a metric, and the metric has all dimensions that it needs.
    #[must_use]
    pub fn read(&self, metric: WantedMetric<'_>) -> bool {
        let template = self.of(metric);
        template.is_some_and(|template| {
            let mut names = template.placeholders();
            names.all(|(name, _)| match name.strip_prefix(DIMENSION) {
                Some(name) => metric.dimension(name).is_some(),
                None => true,
            })
        })
    }

    /// Returns the query for a metric of a service; `None` if there is none, or if it needs a dimension that the metric
    /// lacks.
    #[must_use]
    pub fn query(&self, metric: WantedMetric<'_>, service: WantedFor<'_>) -> Option<String> {
        self.of(metric)?.fill(|name| match name {
            NAMESPACE => Some(service.namespace.to_owned()),
            SERVICE => Some(service.service.to_owned()),
            // A query may divide by it.
            TASKS => Some(service.tasks.max(1).to_string()),
            STATISTIC => Some(metric.statistic.to_lowercase()),
            name => {
                let value = metric.dimension(name.strip_prefix(DIMENSION)?)?;
                Some(value.to_owned())
            }
        })
    }

    /// Returns the namespaces and the names of the metrics that have a query.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (&str, &str)> {
        let metrics = self.0.keys();
        metrics.map(|(namespace, name)| (namespace.as_str(), name.as_str()))
    }

    /// Returns the first metric whose query has a selector by what the owner of a service wrote, and not by the namespace of
    /// the service: by it, the owner would read metrics of others.
    #[must_use]
    pub fn unbound(&self) -> Option<String> {
        let mut queries = self.0.iter();
        let found = queries.find(|(_, template)| is_unbound(template));
        found.map(|((namespace, name), _)| format!("{namespace}/{name}"))
    }

    fn of(&self, metric: WantedMetric<'_>) -> Option<&Template> {
        self.0
            .get(&(metric.namespace.to_owned(), metric.name.to_owned()))
    }
}

fn is_unbound(template: &Template) -> bool {
    let matchers = || {
        let placeholders = template.placeholders();
        placeholders.filter_map(|(name, place)| match place {
            Place::Matcher(matcher) => Some((name, matcher)),
            _ => None,
        })
    };
    let is_bound = |selector: usize| {
        let is_it = |of: Matcher| of.selector == selector && of.selects;
        matchers().any(|(name, matcher)| name == NAMESPACE && is_it(matcher))
    };
    // The owner of a service writes its dimensions, and chooses its name.
    let mut chosen = matchers().filter(|(name, _)| name.starts_with(DIMENSION) || *name == SERVICE);
    chosen.any(|(_, matcher)| !is_bound(matcher.selector))
}

impl<'a> WantedMetric<'a> {
    fn dimension(&self, name: &str) -> Option<&'a str> {
        let mut dimensions = self.dimensions.iter();
        let (_, value) = dimensions.find(|(it, _)| it == name)?;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: WantedFor<'_> = WantedFor {
        namespace: "shop",
        service: "web",
        tasks: 3,
    };

    fn queries(query: &str) -> MetricQueries {
        let text = format!("AWS/ApplicationELB/RequestCountPerTarget={query}");
        [text.parse().expect("it is a query")].into_iter().collect()
    }

    fn dimensions(dimensions: &[(&str, &str)]) -> Vec<(String, String)> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        dimensions.iter().map(pair).collect()
    }

    fn requests(dimensions: &[(String, String)]) -> WantedMetric<'_> {
        WantedMetric {
            namespace: "AWS/ApplicationELB",
            name: "RequestCountPerTarget",
            statistic: "Sum",
            dimensions,
        }
    }

    #[test]
    fn a_query_is_filled_with_what_it_is_about() {
        let queries = queries(
            r#"sum(rate(requests{ns="<<namespace>>",svc="<<service>>",by="<<statistic>>",tg="<<dimension.TargetGroup>>"}[1m])) / <<tasks>>"#,
        );
        let hostile = dimensions(&[("TargetGroup", r#"a",ns="other"#)]);
        assert!(queries.read(requests(&hostile)));
        assert_eq!(
            queries.query(requests(&hostile), SHOP).as_deref(),
            Some(
                r#"sum(rate(requests{ns="shop",svc="web",by="sum",tg="a\u0022,ns=\u0022other"}[1m])) / 3"#
            )
        );
        let none = WantedFor { tasks: 0, ..SHOP };
        let query = queries.query(requests(&hostile), none);
        assert!(query.is_some_and(|query| query.ends_with("/ 1")));
    }

    #[test]
    fn a_metric_without_query_or_dimension_is_not_read() {
        let queries = queries(r#"up{tg="<<dimension.TargetGroup>>"}"#);
        let other = dimensions(&[("LoadBalancer", "x")]);
        for metric in [
            requests(&[]),
            requests(&other),
            WantedMetric {
                name: "RequestCount",
                ..requests(&[])
            },
        ] {
            assert!(!queries.read(metric), "{metric:?}");
            assert_eq!(queries.query(metric, SHOP), None, "{metric:?}");
        }
        assert!(!MetricQueries::default().read(requests(&[])));
    }

    #[test]
    fn a_query_names_its_metric_and_known_placeholders_where_they_change_nothing_else() {
        for text in [
            "",
            "RequestCount=up",
            "AWS/X/Y=",
            "AWS/X/=up",
            "AWS/X/Y=up{a=\"<<cluster>>\"}",
            "AWS/X/Y=up{a=\"<<dimension.>>\"}",
            "AWS/X/Y=up{a=\"<<dimension.A>>}",
            "AWS/X/Y=<<dimension.A>>",
            "AWS/X/Y=up{<<dimension.A>>=\"a\"}",
            "AWS/X/Y=up{a=`<<dimension.A>>`}",
            "AWS/X/Y=label_replace(up, \"a\", \"<<dimension.A>>\", \"b\", \".*\")",
            "AWS/X/Y=up # <<namespace>>",
        ] {
            assert!(text.parse::<MetricQuery>().is_err(), "{text}");
        }
        for text in [
            "AWS/X/Y=a == 1",
            "AWS/X/Y=up{a=~\"<<namespace>>_.*\",b!='<<dimension.A>>'} / <<tasks>>",
        ] {
            assert!(text.parse::<MetricQuery>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_query_by_a_dimension_alone_reads_what_belongs_to_others() {
        for unbound in [
            r#"up{tg="<<dimension.TargetGroup>>"}"#,
            r#"up{tg="<<dimension.TargetGroup>>",ns!="<<namespace>>"}"#,
            r#"up{ns="<<namespace>>"} or up{tg="<<dimension.TargetGroup>>"}"#,
            r#"up{service="<<service>>"}"#,
        ] {
            assert_eq!(
                queries(unbound).unbound().as_deref(),
                Some("AWS/ApplicationELB/RequestCountPerTarget"),
                "{unbound}"
            );
        }
        for bound in [
            r#"up{tg="<<dimension.TargetGroup>>",ns="<<namespace>>"}"#,
            r#"up{tg="<<dimension.TargetGroup>>",tg=~"<<namespace>>_.*"}"#,
            r#"up{service="<<service>>",ns="<<namespace>>"}"#,
        ] {
            assert_eq!(queries(bound).unbound(), None, "{bound}");
        }
        assert_eq!(queries("up").unbound(), None);
    }
}
