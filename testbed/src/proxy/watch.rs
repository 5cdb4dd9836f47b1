//! Watches with late events, early ends, or an expired resource version.

use std::time::Duration;

use http_body_util::{
    BodyExt as _,
    channel::{Channel, Sender},
    combinators::UnsyncBoxBody,
};
use hyper::body::Bytes;
use kube::Error;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, sleep_until},
};

/// How the events of a watch are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// They are passed on as the API server sends them.
    Faithful,
    /// Each is delayed by this time, in the same order.
    Late(Duration),
    /// The stream ends after a number of events, as at a timeout.
    Ends {
        /// The number of events before the end.
        after: usize,
    },
    /// After a number of events, the stream sends `410 Gone`, as when the API server no longer has its resource
    /// version, and ends.
    Gone {
        /// The number of events before the error.
        after: usize,
    },
}

/// The event that the API server sends in a watch with an expired resource version
/// (<https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>).
const GONE: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version: a fault of the test","reason":"Expired","code":410}}"#,
    "\n",
);

type Body = UnsyncBoxBody<Bytes, Error>;

/// Returns the events of a watch as the program receives them.
pub(super) fn disturbed(events: Body, watching: Watching) -> Body {
    let last: &'static str = match watching {
        Watching::Faithful => return events,
        Watching::Late(by) => return late(events, by),
        Watching::Ends { .. } => "",
        Watching::Gone { .. } => GONE,
    };
    let (Watching::Ends { after } | Watching::Gone { after }) = watching else {
        return events;
    };
    let (sender, channel) = Channel::new(16);
    tokio::spawn(shortened(events, after, last, sender));
    channel.boxed_unsync()
}

/// Sends the first events, and then a final text.
async fn shortened(
    mut events: Body,
    mut left: usize,
    last: &'static str,
    mut sender: Sender<Bytes, Error>,
) {
    while let Some(mut bytes) = next(&mut events).await {
        let end = cut(&bytes, &mut left);
        if let Some(end) = end {
            bytes.truncate(end);
        }
        if sender.send_data(bytes).await.is_err() {
            return;
        }
        if end.is_some() {
            // The receiver may no longer exist.
            let _gone = sender.send_data(Bytes::from(last)).await;
            return;
        }
    }
}

/// Returns where the last of the passed events ends, each of which is a line; `None` if more may follow.
fn cut(bytes: &[u8], left: &mut usize) -> Option<usize> {
    for (index, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return Some(index + 1);
        }
    }
    None
}

/// Delays every part by a fixed time, without accumulating delays.
fn late(mut events: Body, by: Duration) -> Body {
    let (sender, channel) = Channel::new(16);
    let (held, due) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(bytes) = next(&mut events).await {
            if held.send((Instant::now() + by, bytes)).is_err() {
                return;
            }
        }
    });
    tokio::spawn(hand_over(due, sender));
    channel.boxed_unsync()
}

async fn hand_over(mut due: UnboundedReceiver<(Instant, Bytes)>, mut sender: Sender<Bytes, Error>) {
    while let Some((when, bytes)) = due.recv().await {
        sleep_until(when).await;
        if sender.send_data(bytes).await.is_err() {
            return;
        }
    }
}

/// Returns the next part of a stream; an error ends it.
async fn next(events: &mut Body) -> Option<Bytes> {
    loop {
        let frame = events.frame().await?.ok()?;
        if let Ok(bytes) = frame.into_data() {
            return Some(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_immediate;
    use http_body_util::Full;
    use tokio::task::yield_now;

    use super::*;

    fn events() -> Body {
        let events = Full::new(Bytes::from("a\nb\n"));
        events.map_err(|never| match never {}).boxed_unsync()
    }

    #[tokio::test]
    async fn events_that_are_late_are_held_back_until_they_are_due() {
        let mut faithful = disturbed(events(), Watching::Faithful);
        assert!(poll_immediate(faithful.frame()).await.is_some());
        let mut late = disturbed(events(), Watching::Late(Duration::from_hours(1)));
        for _ in 0..100 {
            // This lets the other task run.
            yield_now().await;
        }
        assert!(poll_immediate(late.frame()).await.is_none());
        let due = disturbed(events(), Watching::Late(Duration::ZERO));
        assert_eq!(due.collect().await.unwrap().to_bytes(), "a\nb\n");
    }

    #[test]
    fn events_are_counted_over_all_parts() {
        let mut left = 3;
        assert_eq!(cut(b"a\nb", &mut left), None);
        assert_eq!(cut(b"b\nc\nd\n", &mut left), Some(4));
    }
}
