//! The log of the operator, on standard error.

use std::io::{self, IsTerminal as _};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Registry,
    filter::Targets,
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    reload,
    util::SubscriberInitExt as _,
};

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line, for programs.
    Json,
    /// Text lines, for people.
    Text,
}

/// The most directives in a filter.
const MOST_DIRECTIVES: usize = 32;

/// The target that logs unreadable responses of the API server with their content: specs of other people, including
/// their secrets.
const WRITES_BODIES: &str = "kube_client::client";

/// Changes the log level while the program runs.
#[derive(Clone)]
pub struct Level(reload::Handle<Targets, Registry>);

impl Level {
    /// Sets the level: `info`, or levels of targets such as `info,kube_client=debug`.
    ///
    /// # Errors
    ///
    /// What is wrong with the directives.
    pub fn set(&self, directives: &str) -> Result<(), String> {
        let filter = filter(directives)?;
        self.0.reload(filter).map_err(|error| error.to_string())
    }
}

/// Parses directives: levels, each for everything or for a target. Regular expressions and fields are not supported,
/// because their author could not predict their cost.
fn filter(directives: &str) -> Result<Targets, String> {
    if directives.split(',').count() > MOST_DIRECTIVES {
        return Err(format!("more than {MOST_DIRECTIVES} directives"));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_:-=,".contains(c);
    if directives.is_empty() || !directives.chars().all(is_plain) {
        return Err(
            "not a level such as `info`, or levels of targets such as `info,kube_client=debug`"
                .to_owned(),
        );
    }
    let mut targets = Targets::new();
    for directive in directives.split(',') {
        let (target, level) = match directive.split_once('=') {
            Some((target, level)) => (Some(target), level),
            None => (None, directive),
        };
        let word = Some(level).filter(|level| level.starts_with(|c: char| c.is_ascii_alphabetic()));
        let level = word.and_then(|level| level.parse::<LevelFilter>().ok());
        let level = level.ok_or("the levels are off, error, warn, info, debug and trace")?;
        targets = match target {
            Some(target) => targets.with_target(target, level),
            None => targets.with_default(level),
        };
    }
    Ok(targets.with_target(WRITES_BODIES, LevelFilter::OFF))
}

/// Starts the log of this process.
///
/// # Errors
///
/// What is wrong with the directives, or that a log is already running.
pub fn start(format: Format, directives: &str) -> Result<Level, String> {
    let ansi = io::stderr().is_terminal();
    let (log, level) = log(format, directives, ansi, io::stderr)?;
    log.try_init().map_err(|error| error.to_string())?;
    Ok(level)
}

fn log<W>(
    format: Format,
    directives: &str,
    ansi: bool,
    writer: W,
) -> Result<(Box<dyn Subscriber + Send + Sync>, Level), String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(directives)?);
    let registry = tracing_subscriber::registry().with(filter);
    let log: Box<dyn Subscriber + Send + Sync> = match format {
        Format::Json => {
            let lines = fmt::layer().json().flatten_event(true);
            Box::new(registry.with(lines.with_writer(writer)))
        }
        Format::Text => Box::new(registry.with(fmt::layer().with_ansi(ansi).with_writer(writer))),
    };
    Ok((log, Level(handle)))
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        io::Write,
        sync::{Arc, Mutex},
    };

    use k8s_openapi::api::core::v1::Pod;
    use kube::{Api, Client, client::Body};
    use tower::{BoxError, service_fn};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            let bytes = self.0.lock().expect("no writer panics").clone();
            String::from_utf8(bytes).expect("it is text")
        }
    }

    fn logging(directives: &str) -> (Lines, tracing::subscriber::DefaultGuard) {
        let lines = Lines::default();
        let writer = lines.clone();
        let made = log(Format::Text, directives, false, move || writer.clone());
        let (log, _) = made.expect("they are directives");
        (lines, tracing::subscriber::set_default(log))
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_is_not_logged_at_any_level() {
        for directives in ["info", "trace", "trace,kube_client::client=trace"] {
            let (lines, _guard) = logging(directives);
            let answer = |_: http::Request<Body>| {
                let answer = r#"{"metadata": {"name": "web"}, "spec": {"containers": "hunter2"}}"#;
                ready(Ok::<_, BoxError>(http::Response::new(Body::from(
                    answer.as_bytes().to_vec(),
                ))))
            };
            let client = Client::new(service_fn(answer), "default");
            let pods: Api<Pod> = Api::default_namespaced(client);
            assert!(pods.get("web").await.is_err(), "it cannot be read");
            tracing::warn!("something else");
            let text = lines.text();
            assert!(text.contains("something else"), "{text}");
            assert!(!text.contains("hunter2"), "with {directives}: {text}");
        }
    }

    #[test]
    fn levels_are_of_everything_or_of_a_target() {
        let (lines, _guard) = logging("warn,hyper=debug");
        tracing::info!("quiet");
        tracing::debug!(target: "hyper::client", "loud");
        let text = lines.text();
        assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
    }

    #[test]
    fn nothing_else_is_a_directive() {
        let many = vec!["a=info"; MOST_DIRECTIVES + 1].join(",");
        for directives in [
            "",
            "loud",
            "loud=very",
            "info,",
            "3",
            "[span{field=(a|b)*}]=trace",
            "kube[x]=info",
            "a=b=info",
            &many,
        ] {
            assert!(filter(directives).is_err(), "{directives}");
        }
        for directives in ["off", "INFO", "info,kube=debug,kube_runtime::watcher=warn"] {
            assert!(filter(directives).is_ok(), "{directives}");
        }
    }
}
