//! Tests of a CloudWatch that answers well, in parts, badly or not at all.

use std::sync::{Arc, Mutex, atomic::AtomicBool};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use http::StatusCode;
use tokio::net::TcpListener;

use super::*;
use crate::controller::{aws::testing::with_credentials, context::lock};

const WINDOW: Window = Window {
    first: 1000,
    newest: 1004,
};

type Reply = (StatusCode, String);

/// A CloudWatch that answers with a function of the request, and records the requests.
#[derive(Clone)]
struct Fake(Arc<Mutex<Vec<Json>>>);

impl Fake {
    async fn start(
        reply: impl Fn(&Json) -> Reply + Clone + Send + Sync + 'static,
    ) -> (Self, CloudWatch) {
        let fake = Self(Arc::default());
        let seen = fake.clone();
        let answer = async move |headers: HeaderMap, body: Bytes| {
            let target = headers["x-amz-target"].to_str().expect("it is a text");
            assert_eq!(target, "GraniteServiceVersion20100801.GetMetricData");
            let request: Json = serde_json::from_slice(&body).expect("it is JSON");
            let reply = reply(&request);
            lock(&seen.0).push(request);
            reply
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
        let address = listener.local_addr().expect("it has an address");
        let app = Router::new().route("/", post(answer));
        tokio::spawn(async { axum::serve(listener, app).await });
        let endpoint = format!("http://{address}").parse().expect("it is a URL");
        let options = CloudWatchOptions {
            region: "eu-west-1".to_owned(),
            endpoint: Some(endpoint),
            role_arn: None,
            ca_file: None,
        };
        let api = with_credentials(SERVICE, options);
        (fake, CloudWatch { api })
    }

    /// Returns how many metrics each request was for.
    fn sizes(&self) -> Vec<usize> {
        let seen = lock(&self.0);
        let sizes = seen.iter().map(|request| queries_of(request).len());
        sizes.collect()
    }
}

fn queries_of(request: &Json) -> Vec<Json> {
    let queries = request["MetricDataQueries"].as_array();
    queries.expect("it is a list").clone()
}

fn name_of(query: &Json) -> &str {
    let name = &query["MetricStat"]["Metric"]["MetricName"];
    name.as_str().expect("it is a text")
}

/// Returns a page with these minutes and values for each query.
fn page(request: &Json, points: &[(i64, Json)], status: &str) -> Json {
    let queries = queries_of(request);
    let results = queries.iter().map(|query| {
        let (times, values): (Vec<i64>, Vec<&Json>) = points
            .iter()
            .map(|(minute, value)| (minute * 60, value))
            .unzip();
        json!({"Id": query["Id"], "Timestamps": times, "Values": values, "StatusCode": status})
    });
    json!({"MetricDataResults": results.collect::<Json>()})
}

fn ok(page: &Json) -> Reply {
    (StatusCode::OK, page.to_string())
}

fn error(status: u16, code: &str) -> Reply {
    let status = StatusCode::from_u16(status).expect("it is a status");
    let kind = format!("com.amazonaws.cloudwatch#{code}");
    let body = json!({"__type": kind, "message": "arn:aws:iam::123456789012:role/x"});
    (status, body.to_string())
}

fn metric(name: &str) -> String {
    query(&CloudWatchMetric {
        namespace: "Shop".to_owned(),
        name: name.to_owned(),
        dimensions: vec![("Queue".to_owned(), "a".to_owned())],
        statistic: "Sum".to_owned(),
        unit: None,
    })
}

/// Asks for metrics, and returns the value of each, or what its owner is told.
async fn ask(
    cloud: &CloudWatch,
    known: &mut Known,
    names: &[&str],
) -> Vec<(String, Result<f64, &'static str>)> {
    let queries: Vec<String> = names.iter().map(|name| metric(name)).collect();
    let asked: Vec<&str> = queries.iter().map(String::as_str).collect();
    let (values, _) = cloud.values(&asked, WINDOW, known).await;
    let mut shown: Vec<_> = values
        .into_iter()
        .map(|(query, minute)| {
            let query: Json = serde_json::from_str(query).expect("it is JSON");
            let name = query["Metric"]["MetricName"].as_str();
            let name = name.expect("it is a text").to_owned();
            (name, minute.newest.map_err(|failure| failure.why))
        })
        .collect();
    shown.sort_by(|one, other| one.0.cmp(&other.0));
    shown
}

async fn one(cloud: &CloudWatch) -> Minute {
    let query = metric("a");
    let (mut values, asked) = cloud.values(&[&query], WINDOW, &mut Known::default()).await;
    assert_eq!(asked, [&query]);
    values.pop().expect("it has an answer").1
}

#[test]
fn equal_metrics_have_equal_queries() {
    let with = |dimensions: &[(&str, &str)], unit: Option<&str>| {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        query(&CloudWatchMetric {
            namespace: "Shop".to_owned(),
            name: "Backlog".to_owned(),
            dimensions: dimensions.iter().map(pair).collect(),
            statistic: "p90".to_owned(),
            unit: unit.map(str::to_owned),
        })
    };
    let (one, other) = (("A", "1\""), ("B", "2"));
    assert_eq!(with(&[one, other], None), with(&[other, one], None));
    assert_ne!(with(&[one], None), with(&[one], Some("Count")));
    let expected = json!({
        "Metric": {
            "Namespace": "Shop",
            "MetricName": "Backlog",
            "Dimensions": [{"Name": "A", "Value": "1\""}],
        },
        "Period": 60,
        "Stat": "p90",
        "Unit": "Count",
    });
    let query: Json = serde_json::from_str(&with(&[one], Some("Count"))).expect("it is JSON");
    assert_eq!(query, expected);
}

#[tokio::test]
async fn the_value_of_the_minute_counts_and_late_ones_have_their_own() {
    let (fake, cloud) = Fake::start(|request| {
        let points = [
            (1004, json!(7.5)),
            (1002, json!(3)),
            (1001, json!("NaN")),
            // Nobody has asked for them.
            (1005, json!(9)),
            (999, json!(9)),
        ];
        ok(&page(request, &points, "Complete"))
    })
    .await;
    let expected = Minute {
        newest: Ok(7.5),
        late: vec![(2, 3.0)],
    };
    assert_eq!(one(&cloud).await, expected);
    let seen = lock(&fake.0);
    assert_eq!(seen[0]["StartTime"], 60_000);
    assert_eq!(seen[0]["EndTime"], 60_300);
}

#[tokio::test]
async fn a_minute_without_a_value_is_missing_and_says_why() {
    for (points, status, why, is_logged) in [
        (json!(2), "Complete", None, false),
        (
            json!("Infinity"),
            "Complete",
            Some("the value is no finite number"),
            false,
        ),
        (
            Json::Null,
            "Complete",
            Some("it has no data for the minute"),
            false,
        ),
        (Json::Null, "PartialData", Some(REFUSED), true),
        (Json::Null, "InternalError", Some(REFUSED), true),
        (Json::Null, "Forbidden", Some(REFUSED), true),
        // The value is there.
        (json!(2), "PartialData", None, false),
    ] {
        let (_, cloud) = Fake::start(move |request| {
            let minute = if points.is_null() { 1003 } else { 1004 };
            ok(&page(request, &[(minute, points.clone())], status))
        })
        .await;
        let newest = one(&cloud).await.newest;
        let failure = newest.as_ref().err();
        assert_eq!(failure.map(|it| it.why), why, "{status}");
        assert_eq!(
            failure.is_some_and(|it| it.detail.is_some()),
            is_logged,
            "{status}"
        );
    }
}

#[tokio::test]
async fn values_may_be_on_several_pages_and_some_may_not_come() {
    for is_broken in [false, true] {
        let (fake, cloud) = Fake::start(move |request| {
            if request["NextToken"] == "more" {
                return if is_broken {
                    error(500, "InternalServiceFault")
                } else {
                    ok(&page(request, &[(1004, json!(7))], "Complete"))
                };
            }
            let mut first = page(request, &[(1003, json!(6))], "PartialData");
            first["MetricDataResults"][0]["StatusCode"] = json!("Complete");
            first["NextToken"] = json!("more");
            ok(&first)
        })
        .await;
        let found = ask(&cloud, &mut Known::default(), &["a", "b"]).await;
        assert_eq!(fake.sizes(), [2, 2]);
        let value = |complete| match is_broken {
            true if complete => Err("it has no data for the minute"),
            true => Err(REFUSED),
            false => Ok(7.0),
        };
        assert_eq!(
            found,
            [
                ("a".to_owned(), value(true)),
                ("b".to_owned(), value(false))
            ]
        );
    }
    let (fake, cloud) = Fake::start(|request| {
        let mut endless = page(request, &[], "PartialData");
        endless["NextToken"] = json!("more");
        ok(&endless)
    })
    .await;
    assert_eq!(one(&cloud).await.newest.map_err(|it| it.why), Err(REFUSED));
    assert_eq!(fake.sizes().len(), PAGES);
}

#[tokio::test]
async fn a_call_that_fails_is_a_missing_minute_of_its_metrics_only() {
    let (fake, cloud) = Fake::start(|request| {
        let is_broken = queries_of(request)
            .iter()
            .any(|query| name_of(query) == "m0");
        if is_broken {
            error(400, "ThrottlingException")
        } else {
            ok(&page(request, &[(1004, json!(1))], "Complete"))
        }
    })
    .await;
    let names: Vec<String> = (0..MOST + 2).map(|number| format!("m{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = ask(&cloud, &mut Known::default(), &names).await;
    let mut sizes = fake.sizes();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, MOST]);
    let known = found.iter().filter(|(_, value)| *value == Ok(1.0));
    assert_eq!(known.count(), 2);
    let failed = found.iter().filter(|(_, value)| *value == Err(REFUSED));
    assert_eq!(failed.count(), MOST);
}

#[tokio::test]
async fn only_the_administrator_sees_what_cloudwatch_says() {
    for reply in [
        error(403, "AccessDeniedException"),
        (StatusCode::OK, "<html>".to_owned()),
        (StatusCode::OK, r#"{"MetricDataResults": 5}"#.to_owned()),
        (StatusCode::OK, "{}".to_owned()),
        (StatusCode::SERVICE_UNAVAILABLE, String::new()),
    ] {
        let (_, cloud) = Fake::start(move |_| reply.clone()).await;
        let failure = one(&cloud).await.newest.expect_err("it has no value");
        assert_eq!(failure.why, REFUSED);
        assert!(failure.detail.is_some(), "{failure:?}");
    }
}

#[tokio::test]
async fn a_metric_that_is_refused_takes_no_other_along() {
    let (fake, cloud) = Fake::start(|request| {
        let is_bad = |query: &Json| name_of(query).starts_with("bad");
        if queries_of(request).iter().any(is_bad) {
            error(400, "InvalidParameterValueException")
        } else {
            ok(&page(request, &[(1004, json!(1))], "Complete"))
        }
    })
    .await;
    let mut known = Known::default();
    ask(&cloud, &mut known, &["a", "b", "c", "d"]).await;
    lock(&fake.0).clear();
    // Those that are known do not share a request with new ones.
    let names = ["a", "b", "bad1", "bad2", "c", "d", "e"];
    let found = ask(&cloud, &mut known, &names).await;
    assert_eq!(fake.sizes().iter().filter(|size| **size == 4).count(), 1);
    for (name, value) in &found {
        let expected = if name.starts_with("bad") {
            Err(INVALID)
        } else {
            Ok(1.0)
        };
        assert_eq!(*value, expected, "{name}");
    }
    // And those that are refused are not asked for again.
    lock(&fake.0).clear();
    assert_eq!(ask(&cloud, &mut known, &names).await, found);
    assert_eq!(fake.sizes(), [5]);
    // For an hour, or until nobody has them any more.
    for _ in 1..AGAIN {
        known.begin(|_| true);
    }
    assert_eq!((known.taken.len(), known.refused.len()), (5, 2));
    known.begin(|query| query == metric("a"));
    assert_eq!((known.taken.len(), known.refused.len()), (1, 0));
}

#[tokio::test]
async fn a_refusal_of_everything_silences_no_metric() {
    let broken = Arc::new(AtomicBool::new(true));
    let is_broken = broken.clone();
    let (_fake, cloud) = Fake::start(move |request| {
        let is_bad = |query: &Json| name_of(query) == "bad";
        if is_broken.load(Ordering::SeqCst) || queries_of(request).iter().any(is_bad) {
            error(400, "ValidationError")
        } else {
            ok(&page(request, &[(1004, json!(1))], "Complete"))
        }
    })
    .await;
    // Also where nothing is known, as after a restart.
    let mut known = Known::default();
    let names = ["a", "b", "bad"];
    for _ in 0..2 {
        broken.store(true, Ordering::SeqCst);
        let found = ask(&cloud, &mut known, &names).await;
        assert!(found.iter().all(|(_, value)| *value == Err(INVALID)));
        assert_eq!(known.refused.len(), 0);
        broken.store(false, Ordering::SeqCst);
        let found = ask(&cloud, &mut known, &names).await;
        let values: Vec<_> = found.into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, [Ok(1.0), Ok(1.0), Err(INVALID)]);
        assert_eq!(known.refused.len(), 1);
        known.refused.clear();
    }
}

#[tokio::test]
async fn an_operator_that_is_refused_asks_again() {
    for code in [
        "InvalidSignatureException",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "UnrecognizedClientException",
    ] {
        let (fake, cloud) = Fake::start(move |_| error(400, code)).await;
        let mut known = Known::default();
        for _ in 0..2 {
            let found = ask(&cloud, &mut known, &["a", "b"]).await;
            assert!(found.iter().all(|(_, value)| *value == Err(REFUSED)));
        }
        assert_eq!(fake.sizes(), [2, 2], "{code}");
    }
}

#[tokio::test]
async fn many_metrics_that_are_refused_do_not_take_the_minute() {
    let (fake, cloud) = Fake::start(|_| error(400, "ValidationError")).await;
    let names: Vec<String> = (0..MOST).map(|number| format!("m{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = ask(&cloud, &mut Known::default(), &names).await;
    assert_eq!(found.len(), MOST);
    assert!(found.iter().all(|(_, value)| *value == Err(INVALID)));
    assert!(fake.sizes().len() <= 2 * SPLITS + 1);
}
