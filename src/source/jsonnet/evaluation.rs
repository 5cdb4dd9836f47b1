//! Evaluates one file on a thread of its own.
//!
//! Jsonnet is a language in which a program may call itself for ever. The crate limits the calls that are open at a time;
//! the time and the length of files are limited here. The thread has a large stack, because the crate looks at a nested
//! expression by calling itself, and it asks the thread that waits for it for the files that it imports.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use super::{
    super::{
        placeholder::Fill,
        syntax::parse_one,
        terraform::configuration::Files,
        text::{SourceText, Span},
        tree::Node,
    },
    Asked,
    calls::run,
    failure::Failure,
};

/// The longest time that a file may take. Those of real projects take milliseconds.
const LONGEST: Duration = Duration::from_secs(10);

/// The stack of the thread, of which only the used part becomes memory: some KiB for each nested expression.
const STACK: usize = 512 << 20;

/// The most imports of one file, which may be nested.
const MOST_IMPORTS: usize = 200;

/// The largest result in bytes.
const LARGEST_RESULT: usize = 8 << 20;

/// What is known of the environment that ecspresso would run in.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) fill: Fill,
    pub(super) account: String,
}

/// What a file makes.
#[derive(Debug)]
pub(super) struct Evaluated {
    pub(super) tree: Node<'static>,
    pub(super) asked: Asked,
}

/// What the thread that evaluates says.
#[derive(Debug)]
pub(super) enum Said {
    /// It needs the text of a file.
    Import(String),
    Done(Box<Result<(String, Asked), Failure>>),
}

/// A file that is imported, or why it is not read.
pub(super) type Answer = Result<SourceText, String>;

/// How the thread that evaluates gets the texts of files.
#[derive(Debug)]
pub(super) struct Imports {
    pub(super) ask: Sender<Said>,
    pub(super) answer: Receiver<Answer>,
}

impl Imports {
    /// Returns the text of a file, with the name that messages have.
    pub(super) fn text(&self, path: &str) -> Answer {
        let gone = || "it was given up".to_owned();
        let asked = self.ask.send(Said::Import(path.to_owned()));
        asked.map_err(|_| gone())?;
        self.answer.recv().map_err(|_| gone())?
    }
}

/// Returns what a file makes. `path` is where it is among `files`, of which it may import any.
pub(super) fn evaluate(
    path: &str,
    text: &str,
    files: Option<&dyn Files>,
    given: Given,
) -> Result<Evaluated, Failure> {
    let (ask, said) = channel();
    let (reply, answer) = channel();
    let (path, text) = (path.to_owned(), text.to_owned());
    let imports = Imports {
        ask: ask.clone(),
        answer,
    };
    let work = move || {
        let done = run(path, text, given, imports);
        // Nobody waits any more if it took too long.
        drop(ask.send(Said::Done(Box::new(done))));
    };
    let thread = thread::Builder::new().stack_size(STACK);
    if let Err(error) = thread.name("jsonnet".to_owned()).spawn(work) {
        return Err(Failure::whole(format!("it cannot be evaluated: {error}")));
    }
    let (json, asked) = wait(&said, &reply, files, LONGEST)?;
    if json.len() > LARGEST_RESULT {
        let message = format!("it makes more than {} MiB", LARGEST_RESULT >> 20);
        return Err(Failure::whole(message));
    }
    let root = parse_one("result.json", &json).map_err(|error| Failure::whole(error.message))?;
    let root = root.ok_or_else(|| Failure::whole("it makes nothing".to_owned()))?;
    Ok(Evaluated {
        // Where a value comes from is not known.
        tree: root.into_owned().placed(Span::default()),
        asked,
    })
}

/// Waits for the result, and gives the texts of files until then.
fn wait(
    said: &Receiver<Said>,
    reply: &Sender<Answer>,
    files: Option<&dyn Files>,
    longest: Duration,
) -> Result<(String, Asked), Failure> {
    let end = Instant::now() + longest;
    let mut imports = 0;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        match said.recv_timeout(rest) {
            Ok(Said::Done(done)) => return *done,
            Ok(Said::Import(path)) => {
                imports += 1;
                let text = match files {
                    Some(files) if imports <= MOST_IMPORTS => files.text(&path),
                    Some(_) => Err(format!("there are more than {MOST_IMPORTS} imports")),
                    None => Err("there is no folder that it could be in".to_owned()),
                };
                // The thread that asked may have ended.
                drop(reply.send(text));
            }
            Err(RecvTimeoutError::Timeout) => {
                let seconds = longest.as_secs();
                let message = format!("its evaluation takes more than {seconds} s");
                return Err(Failure::whole(message));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::whole("its evaluation failed".to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_given_up() {
        let (ask, said) = channel();
        let (reply, answer) = channel();
        let found = wait(&said, &reply, None, Duration::ZERO);
        let message = found.unwrap_err().message;
        assert_eq!(message, "its evaluation takes more than 0 s");
        ask.send(Said::Import("a".to_owned())).unwrap();
        drop(ask);
        let found = wait(&said, &reply, None, LONGEST);
        let message = found.unwrap_err().message;
        assert_eq!(message, "its evaluation failed");
        let text: Answer = answer.recv().unwrap();
        assert!(text.is_err());
    }
}
