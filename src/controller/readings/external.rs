//! Metrics that the cluster has from elsewhere
//! (<https://github.com/kubernetes/metrics/blob/master/pkg/apis/external_metrics/v1beta1/types.go>).

use http::StatusCode;
use kube::Client;
use serde::Deserialize;

use super::failure::{Failure, Value};
use crate::{controller::error::said, quantity::number};

/// A list of values. Any list may be null.
#[derive(Deserialize)]
struct Values {
    items: Option<Vec<Item>>,
}

#[derive(Deserialize)]
struct Item {
    value: Option<String>,
}

/// Returns the value of a metric, given by its path below the namespaces of the API.
///
/// # Errors
///
/// Why it has none.
pub(super) async fn value(client: &Client, query: &str) -> Value {
    let path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{query}");
    let request = http::Request::get(path).body(Vec::new());
    let request = request.map_err(|error| Failure::new("it cannot be asked for", error))?;
    let values: kube::Result<Values> = client.request(request).await;
    sum(&values.map_err(|error| failure(&error))?)
}

fn failure(error: &kube::Error) -> Failure {
    let why = match error {
        kube::Error::Api(status) if status.code == StatusCode::NOT_FOUND => {
            "there is no such metric"
        }
        kube::Error::Api(status) if status.code == StatusCode::FORBIDDEN => {
            "the operator may not read it"
        }
        _ => "it answers with an error",
    };
    Failure::new(why, said(error))
}

/// Returns the sum of all values, which is what an autoscaler scales by too.
fn sum(values: &Values) -> Value {
    let items = values.items.as_deref().unwrap_or_default();
    if items.is_empty() {
        return Err(Failure::empty("it has no value"));
    }
    let numbers = items.iter().map(|item| number(item.value.as_deref()?));
    let sum: Option<f64> = numbers.sum();
    let sum = sum.filter(|sum| sum.is_finite());
    sum.ok_or(Failure::empty("a value is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_of_a_metric_are_one() {
        for (answer, expected) in [
            (r#"{"items": [{"value": "5"}]}"#, Ok(5.0)),
            (
                r#"{"items": [{"value": "1500m"}, {"value": "2k"}]}"#,
                Ok(2001.5),
            ),
            (r#"{"items": [{"value": "-3"}]}"#, Ok(-3.0)),
            (r#"{"items": []}"#, Err("it has no value")),
            (r#"{"items": null}"#, Err("it has no value")),
            ("{}", Err("it has no value")),
            (
                r#"{"items": [{"value": "5"}, {}]}"#,
                Err("a value is not a number"),
            ),
            (
                r#"{"items": [{"value": "many"}]}"#,
                Err("a value is not a number"),
            ),
        ] {
            let values: Values = serde_json::from_str(answer).expect("it is an answer");
            let found = sum(&values).map_err(|failure| failure.why);
            assert_eq!(found, expected, "{answer}");
        }
    }
}
