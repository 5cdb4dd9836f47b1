//! Tests of requests to AWS.

use std::{env, fs};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use tokio::net::TcpListener;

use super::{testing::with_credentials, *};

const SERVICE: AwsService = AwsService {
    name: "monitoring",
    host: "monitoring",
    target: "GraniteServiceVersion20100801",
    json: "1.0",
    largest: 1024,
};

fn options(region: &str, endpoint: Option<&str>) -> AwsOptions {
    AwsOptions {
        region: region.to_owned(),
        endpoint: endpoint.map(|it| it.parse().expect("it is a URL")),
        role_arn: None,
        ca_file: None,
    }
}

async fn server<F, A>(
    answer: impl Fn(HeaderMap, Bytes) -> F + Clone + Send + Sync + 'static,
) -> String
where
    F: Future<Output = A> + Send,
    A: axum::response::IntoResponse + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    let app = Router::new().route("/", post(answer));
    tokio::spawn(async { axum::serve(listener, app).await });
    format!("http://{address}")
}

#[test]
fn a_region_has_the_endpoint_of_its_partition() {
    for (region, expected) in [
        ("eu-west-1", "https://monitoring.eu-west-1.amazonaws.com/"),
        (
            "us-gov-west-1",
            "https://monitoring.us-gov-west-1.amazonaws.com/",
        ),
        (
            "cn-north-1",
            "https://monitoring.cn-north-1.amazonaws.com.cn/",
        ),
        (
            "eusc-de-east-1",
            "https://monitoring.eusc-de-east-1.amazonaws.eu/",
        ),
    ] {
        assert_eq!(AwsApi::new(SERVICE, options(region, None)).uri(), expected);
    }
    let ecr = AwsService {
        name: "ecr",
        host: "api.ecr",
        ..SERVICE
    };
    let expected = "https://api.ecr.eu-west-1.amazonaws.com/";
    assert_eq!(AwsApi::new(ecr, options("eu-west-1", None)).uri(), expected);
    for endpoint in ["http://localhost:5000", "http://localhost:5000/"] {
        let api = AwsApi::new(SERVICE, options("eu-west-1", Some(endpoint)));
        assert_eq!(api.uri(), "http://localhost:5000/");
    }
}

#[tokio::test]
async fn a_request_is_signed_for_its_service_and_region() {
    let url = server(async |headers: HeaderMap, body: Bytes| {
        let text = |name: &str| headers[name].to_str().expect("it is a text").to_owned();
        assert_eq!(text("content-type"), "application/x-amz-json-1.0");
        assert_eq!(
            text("x-amz-target"),
            "GraniteServiceVersion20100801.GetMetricData"
        );
        assert_eq!(text("x-amz-security-token"), "token");
        assert_eq!(body, "{}");
        text("authorization")
    })
    .await;
    let api = with_credentials(SERVICE, options("eu-west-1", Some(&url)));
    let signature = api.call("GetMetricData", b"{}".to_vec()).await;
    let signature = String::from_utf8(signature.expect("it answers")).expect("it is a text");
    assert!(
        signature.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"),
        "{signature}"
    );
    assert!(
        signature.contains("/eu-west-1/monitoring/aws4_request"),
        "{signature}"
    );
    let signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
    assert!(signature.contains(signed), "{signature}");
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let url = server(async |_: HeaderMap, _: Bytes| vec![b' '; 2048]).await;
    let api = with_credentials(SERVICE, options("eu-west-1", Some(&url)));
    let failure = api.call("GetMetricData", Vec::new()).await;
    assert!(matches!(failure, Err(AwsFailure::Answer(_))), "{failure:?}");
}

#[tokio::test]
async fn a_service_that_is_gone_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    drop(listener);
    let url = format!("http://{address}");
    let api = with_credentials(SERVICE, options("eu-west-1", Some(&url)));
    let failure = api.call("GetMetricData", Vec::new()).await;
    assert!(
        matches!(failure, Err(AwsFailure::Unreachable(_))),
        "{failure:?}"
    );
}

#[test]
fn an_error_has_its_name_and_message() {
    for body in [
        r#"{"__type": "com.amazonaws.cloudwatch#ThrottlingException", "message": "slow"}"#,
        r#"{"__type": "ThrottlingException:http://internal/", "Message": "slow"}"#,
        r#"{"__type": "ThrottlingException", "message": "slow", "Message": "slow"}"#,
    ] {
        let expected = AwsFailure::Refused {
            status: StatusCode::BAD_REQUEST,
            code: "ThrottlingException".to_owned(),
            detail: "HTTP status 400 Bad Request: ThrottlingException: slow".to_owned(),
        };
        let found = refused(StatusCode::BAD_REQUEST, body.as_bytes());
        assert_eq!(found, (expected, false));
    }
    let expired = br#"{"__type": "ExpiredTokenException"}"#;
    assert!(refused(StatusCode::BAD_REQUEST, expired).1);
}

#[test]
fn the_authorities_of_the_public_are_known_and_a_file_adds_more() {
    let file = env::temp_dir().join(format!("ecs-operator-authorities-{}", std::process::id()));
    assert!(Transport::new(None).is_ok());
    // The file may come later.
    assert!(Transport::new(Some(&file)).is_err());
    for text in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(&file, text).expect("it is written");
        let error = Transport::new(Some(&file)).expect_err("it has no certificate");
        assert!(error.contains("cannot read"), "{error}");
    }
    fs::remove_file(&file).expect("it is deleted");
}
