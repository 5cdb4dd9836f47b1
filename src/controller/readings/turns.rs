//! In which order metrics are asked for, where there is not time for all of them.

use std::collections::{BTreeMap, HashMap};

use super::Place;
use crate::controller::caches::owner::Owner;

/// When each query was last asked. A service whose policies look at many metrics makes those of others wait no longer than
/// its own.
#[derive(Default)]
pub(super) struct Turns {
    minute: u64,
    asked: HashMap<String, u64>,
}

impl Turns {
    /// Returns queries in the order in which to ask them: the longest waiting one of each service, then the next one of each
    /// service, and so on; among these, those that have waited longest come first.
    pub(super) fn order<'q>(&self, queries: &'q BTreeMap<String, Vec<Place>>) -> Vec<&'q str> {
        let last = |query: &str| self.asked.get(query).copied().unwrap_or(0);
        let mut by_service: BTreeMap<&Owner, Vec<&'q str>> = BTreeMap::new();
        for (query, places) in queries {
            for (owner, _metric) in places {
                by_service.entry(owner).or_default().push(query);
            }
        }
        let mut ranks: HashMap<&'q str, usize> = HashMap::new();
        for of_service in by_service.values_mut() {
            of_service.sort_by_key(|query| (last(query), *query));
            for (rank, query) in of_service.iter().enumerate() {
                let known = ranks.entry(query).or_insert(rank);
                *known = rank.min(*known);
            }
        }
        let mut order: Vec<_> = ranks.into_iter().collect();
        order.sort_by_key(|(query, rank)| (*rank, last(query), *query));
        order.into_iter().map(|(query, _)| query).collect()
    }

    /// Records the end of a minute, and which of all queries were asked in it. Forgets those that nobody has any more.
    pub(super) fn end(&mut self, all: &BTreeMap<String, Vec<Place>>, asked: &[&str]) {
        self.minute += 1;
        self.asked.retain(|query, _| all.contains_key(query));
        for query in asked {
            self.asked.insert((*query).to_owned(), self.minute);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::CloudWatchMetric;

    /// Returns queries of these services.
    fn queries(of: &[(&str, &[&str])]) -> BTreeMap<String, Vec<Place>> {
        let mut queries: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for (service, names) in of {
            for name in *names {
                let owner = Owner::Service("shop".to_owned(), (*service).to_owned());
                let metric = CloudWatchMetric {
                    namespace: "Shop".to_owned(),
                    name: (*name).to_owned(),
                    dimensions: Vec::new(),
                    statistic: "Sum".to_owned(),
                    unit: None,
                };
                let places = queries.entry((*name).to_owned()).or_default();
                places.push((owner, metric));
            }
        }
        queries
    }

    #[test]
    fn a_service_with_many_metrics_makes_no_other_wait() {
        let many: Vec<String> = (0..100).map(|number| format!("a{number:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let all = queries(&[("many", &many), ("one", &["b"]), ("two", &["c", "d"])]);
        let mut turns = Turns::default();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for _ in 0..60 {
            let order = turns.order(&all);
            assert_eq!(order.len(), all.len());
            let asked = &order[..5];
            for query in asked {
                *counts.entry(query).or_default() += 1;
            }
            turns.end(&all, asked);
        }
        for query in ["b", "c", "d"] {
            assert_eq!(counts[query], 60, "{query}");
        }
        // Its own take turns: two of a hundred in each of sixty minutes.
        for query in many {
            let count = counts[query];
            assert!((1..=2).contains(&count), "{query}: {count}");
        }
    }

    #[test]
    fn services_take_turns_if_there_is_not_even_time_for_one_metric_of_each() {
        let all = queries(&[("one", &["a"]), ("two", &["b"]), ("three", &["a", "c"])]);
        let mut turns = Turns::default();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let first = turns.order(&all)[0];
            turns.end(&all, &[first]);
            seen.push(first);
        }
        seen.sort_unstable();
        assert_eq!(seen, ["a", "b", "c"]);
        turns.end(&BTreeMap::new(), &[]);
        assert!(turns.asked.is_empty());
    }
}
