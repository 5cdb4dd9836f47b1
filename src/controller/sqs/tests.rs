//! Tests of requests to queues.

use http::StatusCode;

use super::*;

fn refused(code: &str) -> AwsFailure {
    AwsFailure::Refused {
        status: StatusCode::BAD_REQUEST,
        code: code.to_owned(),
        detail: "detail".to_owned(),
    }
}

#[test]
fn an_error_says_which_permission_is_missing() {
    let queue = "arn:aws:sqs:eu-west-1:123456789012:orders";
    for (failure, expected) in [
        (
            refused("AccessDeniedException"),
            "lacks sqs:ReceiveMessage for arn:aws:sqs:eu-west-1:123456789012:orders",
        ),
        (refused("AccessDenied"), "lacks sqs:ReceiveMessage"),
        (refused("KmsAccessDenied"), "or kms:Decrypt for its key"),
        (refused("QueueDoesNotExist"), "there is no queue arn:aws"),
        (
            refused("AWS.SimpleQueueService.NonExistentQueue"),
            "there is no queue arn:aws",
        ),
        (
            refused("ThrottlingException"),
            "ReceiveMessage for arn:aws:sqs:eu-west-1:123456789012:orders: ThrottlingException",
        ),
        (AwsFailure::Late, "not answered in time"),
        (
            AwsFailure::Unreachable("dns".to_owned()),
            "cannot be reached",
        ),
        (
            AwsFailure::Credentials("none".to_owned()),
            "service account",
        ),
    ] {
        let shown = shown(failure, "ReceiveMessage", queue);
        assert!(shown.why.contains(expected), "{}", shown.why);
        assert!(!shown.why.contains("detail") && !shown.detail.is_empty());
    }
}

#[test]
fn a_failure_says_what_else_would_fail_and_whether_it_may_pass() {
    let server_error = AwsFailure::Refused {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "ServiceUnavailable".to_owned(),
        detail: String::new(),
    };
    for (failure, expected) in [
        (refused("AccessDeniedException"), (false, Reach::Queue)),
        (refused("QueueDoesNotExist"), (false, Reach::Queue)),
        (refused("InvalidMessageContents"), (false, Reach::Message)),
        (refused("InvalidParameterValue"), (false, Reach::Message)),
        (refused("ThrottlingException"), (true, Reach::Queue)),
        (refused("ExpiredTokenException"), (true, Reach::Queue)),
        (server_error, (true, Reach::Queue)),
        (AwsFailure::Late, (false, Reach::Region)),
        (
            AwsFailure::Unreachable("dns".to_owned()),
            (true, Reach::Region),
        ),
        (
            AwsFailure::Credentials("none".to_owned()),
            (true, Reach::Region),
        ),
    ] {
        assert_eq!(range(&failure), expected, "{failure:?}");
    }
    let denied = shown(refused("AccessDenied"), SEND, "arn");
    assert!(denied.why.contains("kms:GenerateDataKey"), "{}", denied.why);
}

#[test]
fn a_handle_that_is_not_valid_any_more_is_no_failure_of_the_queue() {
    for (code, operation, expected) in [
        ("ReceiptHandleIsInvalid", "DeleteMessage", true),
        ("InvalidParameterValue", "DeleteMessage", true),
        ("InvalidParameterValueException", "DeleteMessage", true),
        ("InvalidParameterValue", "ReceiveMessage", false),
        ("AccessDeniedException", "DeleteMessage", false),
        ("QueueDoesNotExist", "DeleteMessage", false),
        ("ThrottlingException", "DeleteMessage", false),
    ] {
        let shown = shown(refused(code), operation, "arn");
        assert_eq!(shown.is_of_message, expected, "{operation} {code}");
    }
}
